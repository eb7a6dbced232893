/*
 * test_git_pktline.c - packet lines come out as they went in, however cut.
 *
 * Goal: every packet of one conversation is read alike at every split, each
 * malformed length is refused, and writers never pass a packet's limit.
 * Method: one stream of all kinds fed whole, byte by byte and in all pairs of
 * pieces; literals for the malformed; the reader reads what the writers wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/pktline.h"
#include "tests/lib/mem.h"

static const char TALK[] = "0006a\n0000"
                           "0004"
                           "00010002"
                           "000Bbinary\n"
                           "0005\1";

/* Append a line of text for each packet: kind, then its bytes. */
static void note(struct bough_buf *log, const struct bough_pkt *p)
{
    bough_buf_put_u8(log, (uint8_t)('0' + (int)p->kind));
    bough_buf_put_view(log, p->line);
    bough_buf_put_u8(log, '|');
}

/* Feed one piece; every byte of it must be taken. */
static void feed(struct bough_pkt_reader *r, struct bough_view src, struct bough_buf *log)
{
    struct bough_pkt p;
    size_t used;

    for (;;) {
        enum bough_err err = bough_pkt_next(r, src, &used, &p);
        src = bough_view(src.ptr + used, src.len - used);
        if (err == BOUGH_EAGAIN)
            break;
        assert_int_equal(err, BOUGH_OK);
        note(log, &p);
    }
    assert_int_equal(src.len, 0);
}

static void test_git_pktline__reads_alike_at_every_split(void **state)
{
    static const char want[] = "4a\n|0|4|1|2|4binary\n|4\1|";
    struct test_mem m;
    struct bough_buf log;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&log, &m.mem);
    for (size_t i = 0; i < sizeof TALK; i++) {
        for (size_t j = i; j < sizeof TALK; j++) {
            struct bough_pkt_reader r;

            bough_buf_clear(&log);
            bough_pkt_reader_init(&r, &m.mem);
            feed(&r, bough_view(TALK, i), &log);
            feed(&r, bough_view(TALK + i, j - i), &log);
            feed(&r, bough_view(TALK + j, sizeof TALK - 1 - j), &log);
            assert_int_equal(log.len, sizeof want - 1);
            assert_memory_equal(log.ptr, want, log.len);
            assert_false(bough_pkt_is_partial(&r));
            bough_pkt_reader_fini(&r);
        }
    }
    bough_buf_fini(&log);
    test_mem_done(&m);
}

static void test_git_pktline__takes_no_byte_after_a_packet(void **state)
{
    struct test_mem m;
    struct bough_pkt_reader r;
    struct bough_pkt p;
    size_t used;

    (void)state;
    test_mem_init(&m);
    bough_pkt_reader_init(&r, &m.mem);
    assert_int_equal(bough_pkt_next(&r, bough_view_str("0006hiPACK"), &used, &p), BOUGH_OK);
    assert_int_equal(used, 6);
    assert_int_equal(bough_pkt_next(&r, bough_view_str("000"), &used, &p), BOUGH_EAGAIN);
    assert_true(bough_pkt_is_partial(&r));
    assert_int_equal(bough_pkt_next(&r, bough_view_str("0PACK"), &used, &p), BOUGH_OK);
    assert_int_equal(used, 1);
    assert_int_equal(p.kind, BOUGH_PKT_FLUSH);
    bough_pkt_reader_fini(&r);
    test_mem_done(&m);
}

static void test_git_pktline__refuses_the_malformed(void **state)
{
    static const char *const bad[] = {
        "0003", "fff1", "FFFF", "00g0", "-001", " 005", "0x05", "PACK"};
    struct test_mem m;

    (void)state;
    test_mem_init(&m);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t cut = 0; cut < 4; cut++) {
            struct bough_pkt_reader r;
            struct bough_pkt p;
            size_t used;

            bough_pkt_reader_init(&r, &m.mem);
            if (cut > 0)
                assert_int_equal(
                    bough_pkt_next(&r, bough_view(bad[i], cut), &used, &p), BOUGH_EAGAIN);
            assert_int_equal(
                bough_pkt_next(&r, bough_view(bad[i] + cut, 4 - cut), &used, &p), BOUGH_EFORMAT);
            assert_int_equal(bough_pkt_next(&r, bough_view_str("0000"), &used, &p), BOUGH_EFORMAT);
            bough_pkt_reader_fini(&r);
        }
    }
    test_mem_done(&m);
}

static void test_git_pktline__text_loses_one_line_feed_only(void **state)
{
    (void)state;
    assert_int_equal(bough_pkt_text(bough_view_str("a\n\n")).len, 2);
    assert_int_equal(bough_pkt_text(bough_view_str("a")).len, 1);
    assert_int_equal(bough_pkt_text(bough_view_str("")).len, 0);
}

static void test_git_pktline__writes_what_git_expects(void **state)
{
    static const char want[] = "0006a\n0005b0000000100020005c0009\2hell0006\2o0005\1"
                               "000aERR x\n";
    struct test_mem m;
    struct bough_buf b;
    size_t begun;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_pkt_put_str(&b, "a");
    bough_pkt_put(&b, bough_view_str("b"));
    bough_pkt_put_flush(&b);
    bough_pkt_put_delim(&b);
    bough_pkt_put_mark(&b, BOUGH_PKT_END);
    begun = bough_pkt_begin(&b);
    bough_buf_put_str(&b, "c");
    bough_pkt_end(&b, begun);
    bough_pkt_put_band(&b, 2, bough_view_str("hello"), 4);
    bough_pkt_put_band(&b, 1, bough_view(NULL, 0), BOUGH_PKT_BAND_MAX);
    bough_pkt_put_err(&b, bough_view_str("x"));
    assert_int_equal(b.err, BOUGH_OK);
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.ptr, want, b.len);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_git_pktline__never_writes_beyond_the_limit(void **state)
{
    static uint8_t data[3 * BOUGH_PKT_MAX];
    struct test_mem m;
    struct bough_buf b;
    struct bough_pkt_reader r;
    struct bough_pkt p;
    size_t used, at = 0, got = 0;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_pkt_put(&b, bough_view(data, BOUGH_PKT_DATA_MAX));
    assert_int_equal(b.err, BOUGH_OK);
    assert_memory_equal(b.ptr, "fff0", 4);
    bough_pkt_put(&b, bough_view(data, BOUGH_PKT_DATA_MAX + 1));
    assert_int_equal(b.err, BOUGH_ETOOBIG);

    bough_buf_clear(&b);
    bough_pkt_put_err(&b, bough_view(data, sizeof data));
    assert_int_equal(b.err, BOUGH_OK);
    assert_int_equal(b.len, BOUGH_PKT_MAX);

    bough_buf_clear(&b);
    bough_pkt_put_band(&b, 1, bough_view(data, sizeof data), BOUGH_PKT_BAND_MAX);
    bough_pkt_reader_init(&r, &m.mem);
    for (; at < b.len; at += used) {
        assert_int_equal(
            bough_pkt_next(&r, bough_view(b.ptr + at, b.len - at), &used, &p), BOUGH_OK);
        assert_int_equal(p.line.ptr[0], 1);
        got += p.line.len - 1;
    }
    assert_int_equal(got, sizeof data);
    bough_pkt_reader_fini(&r);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_git_pktline__reports_no_memory(void **state)
{
    struct test_mem m;
    struct bough_pkt_reader r;
    struct bough_pkt p;
    size_t used;

    (void)state;
    test_mem_init(&m);
    m.fail_at = 0;
    bough_pkt_reader_init(&r, &m.mem);
    assert_int_equal(bough_pkt_next(&r, bough_view_str("00"), &used, &p), BOUGH_ENOMEM);
    assert_int_equal(bough_pkt_next(&r, bough_view_str("0000"), &used, &p), BOUGH_ENOMEM);
    bough_pkt_reader_fini(&r);
    test_mem_done(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_git_pktline__reads_alike_at_every_split),
        cmocka_unit_test(test_git_pktline__takes_no_byte_after_a_packet),
        cmocka_unit_test(test_git_pktline__refuses_the_malformed),
        cmocka_unit_test(test_git_pktline__text_loses_one_line_feed_only),
        cmocka_unit_test(test_git_pktline__writes_what_git_expects),
        cmocka_unit_test(test_git_pktline__never_writes_beyond_the_limit),
        cmocka_unit_test(test_git_pktline__reports_no_memory),
    };

    return cmocka_run_group_tests_name("git/pktline", tests, NULL, NULL);
}
