/*
 * test_server_resp.c - commands come out as they went in, however cut; replies have their form.
 *
 * Goal: a stream of RESP arrays and inline commands is read alike at every split, what breaks the
 * protocol is refused with its reason, large arguments are offered as streams, and replies differ
 * between RESP2 and RESP3 where the protocols do.  Method: one stream grown byte by byte; literals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/resp.h"
#include "tests/lib/mem.h"

static const char TALK[] = "*2\r\n$3\r\nGET\r\n$5\r\na\r\nbc\r\n"
                           "PING  'x y' \"\" z\r\n"
                           "*0\r\n"
                           "\r\n"
                           "*1\r\n$0\r\n\r\n"
                           "*02\n$0001\nx\r\n$000000000002\r\nyz\r\n";
static const char WANT[] = "GET,a\r\nbc,|PING,x y,,z,|||,|x,yz,|";

static void note(struct bough_buf *log, const struct resp_parser *p)
{
    for (size_t i = 0; i < p->argc; i++) {
        bough_buf_put_view(log, p->argv[i]);
        bough_buf_put_u8(log, ',');
    }
    bough_buf_put_u8(log, '|');
}

/* Parse TALK when only `first` bytes are there at first. */
static void talk(struct test_mem *m, size_t first, struct bough_buf *log)
{
    struct resp_parser p;
    size_t done = 0, len = first;

    resp_parser_init(&p, &m->mem);
    while (done < sizeof TALK - 1) {
        enum resp_event e = resp_parse(&p, bough_view(TALK + done, len - done));
        if (e == RESP_MORE) {
            assert_true(len < sizeof TALK - 1);
            len++;
            continue;
        }
        assert_int_equal(e, RESP_COMMAND);
        note(log, &p);
        done += p.pos;
        resp_parser_next(&p);
    }
    resp_parser_fini(&p);
}

static void test_server_resp__reads_alike_at_every_split(void **state)
{
    struct test_mem m;
    struct bough_buf log;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&log, &m.mem);
    for (size_t first = 0; first < sizeof TALK; first++) {
        bough_buf_clear(&log);
        talk(&m, first, &log);
        assert_int_equal(log.len, sizeof WANT - 1);
        assert_memory_equal(log.ptr, WANT, log.len);
    }
    bough_buf_fini(&log);
    test_mem_done(&m);
}

static void test_server_resp__refuses_what_is_broken(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"*a\r\n", "invalid multibulk length"},
        {"*-2\r\n", "invalid multibulk length"},
        {"*1048577\r\n", "invalid multibulk length"},
        {"*1\r\n:3\r\n", "expected '$'"},
        {"*1\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$99999999999999999999\r\n", "invalid bulk length"},
        {"*1\r\n$x\r\n", "invalid bulk length"},
        {"GET \"a\r\n", "unbalanced quotes in request"},
    };
    struct test_mem m;

    (void)state;
    test_mem_init(&m);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct resp_parser p;
        resp_parser_init(&p, &m.mem);
        assert_int_equal(resp_parse(&p, bough_view_str(cases[i].text)), RESP_BROKEN);
        assert_string_equal(p.error, cases[i].why);
        resp_parser_fini(&p);
    }
    test_mem_done(&m);
}

static void test_server_resp__bounds_lines_without_end(void **state)
{
    static uint8_t junk[RESP_INLINE_MAX + 2];
    struct test_mem m;
    struct resp_parser p;

    (void)state;
    test_mem_init(&m);
    memset(junk, 'a', sizeof junk);
    resp_parser_init(&p, &m.mem);
    assert_int_equal(resp_parse(&p, bough_view(junk, RESP_INLINE_MAX)), RESP_MORE);
    assert_int_equal(resp_parse(&p, bough_view(junk, sizeof junk)), RESP_BROKEN);
    junk[0] = '*';
    resp_parser_next(&p);
    assert_int_equal(resp_parse(&p, bough_view(junk, sizeof junk)), RESP_BROKEN);
    resp_parser_fini(&p);
    test_mem_done(&m);
}

static void test_server_resp__offers_large_arguments_as_streams(void **state)
{
    static const char head[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2097152\r\n";
    struct test_mem m;
    struct resp_parser p;
    struct bough_buf in;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&in, &m.mem);
    bough_buf_put_str(&in, head);
    resp_parser_init(&p, &m.mem);
    assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_LARGE);
    assert_int_equal(p.big, 2097152);
    assert_int_equal(p.argc, 2);
    assert_int_equal(p.pos, sizeof head - 1);

    /* Kept, it is collected like any other. */
    resp_parser_keep(&p);
    assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_MORE);
    bough_buf_put_fill(&in, 'x', 2097152);
    bough_buf_put_str(&in, "\r\n");
    assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_COMMAND);
    assert_int_equal(p.argv[2].len, 2097152);
    resp_parser_fini(&p);
    bough_buf_fini(&in);
    test_mem_done(&m);
}

/* However many arguments it is cut into, a command is bounded as a whole. */
static void test_server_resp__bounds_a_command(void **state)
{
    struct test_mem m;
    struct resp_parser p;
    struct bough_buf in;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&in, &m.mem);
    bough_buf_put_str(&in, "*3\r\n");
    resp_parser_init(&p, &m.mem);
    for (int i = 0; i < 2; i++) {
        bough_buf_put_str(&in, "$33000000\r\n");
        bough_buf_put_fill(&in, 'x', 33000000);
        bough_buf_put_str(&in, "\r\n");
        assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_LARGE);
        resp_parser_keep(&p);
        assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_MORE);
    }
    bough_buf_put_str(&in, "$2000000\r\n");
    assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_LARGE);
    resp_parser_keep(&p);
    assert_int_equal(resp_parse(&p, bough_buf_view(&in)), RESP_BROKEN);
    assert_string_equal(p.error, "too big command");
    resp_parser_fini(&p);
    bough_buf_fini(&in);
    test_mem_done(&m);
}

static void replies(struct resp_writer *w)
{
    resp_simple(w, "OK");
    resp_error(w, "ERR a\r\nb");
    resp_int(w, -7);
    resp_int(w, INT64_MIN);
    resp_int(w, INT64_MAX);
    resp_bulk_str(w, "x");
    resp_null(w);
    resp_null_array(w);
    resp_map(w, 1);
    resp_set(w, 2);
    resp_push(w, 3);
    resp_bool(w, true);
}

static void test_server_resp__writes_both_protocols(void **state)
{
    static const char two[] = "+OK\r\n-ERR a  "
                              "b\r\n:-7\r\n:-9223372036854775808\r\n:9223372036854775807\r\n$"
                              "1\r\nx\r\n$-1\r\n*-1\r\n*2\r\n*2\r\n*3\r\n:1\r\n";
    static const char three[] = "+OK\r\n-ERR a  "
                                "b\r\n:-7\r\n:-9223372036854775808\r\n:9223372036854775807\r\n$"
                                "1\r\nx\r\n_\r\n_\r\n%1\r\n~2\r\n>3\r\n#t\r\n";
    struct test_mem m;
    struct bough_buf out;
    struct resp_writer w = {&out, 2};

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    replies(&w);
    assert_int_equal(out.len, sizeof two - 1);
    assert_memory_equal(out.ptr, two, out.len);
    bough_buf_clear(&out);
    w.proto = 3;
    replies(&w);
    assert_int_equal(out.len, sizeof three - 1);
    assert_memory_equal(out.ptr, three, out.len);
    bough_buf_fini(&out);
    test_mem_done(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_resp__reads_alike_at_every_split),
        cmocka_unit_test(test_server_resp__refuses_what_is_broken),
        cmocka_unit_test(test_server_resp__bounds_lines_without_end),
        cmocka_unit_test(test_server_resp__offers_large_arguments_as_streams),
        cmocka_unit_test(test_server_resp__bounds_a_command),
        cmocka_unit_test(test_server_resp__writes_both_protocols),
    };

    return cmocka_run_group_tests_name("server/resp", tests, NULL, NULL);
}
