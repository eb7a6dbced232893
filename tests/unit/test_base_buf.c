/*
 * test_base_buf.c - buffers, arenas and flows.
 *
 * Goal: appends come out as put, errors stick and keep what was there, and
 * nothing leaks when any allocation fails.  Method: the same work repeated
 * with the n-th allocation failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/flow.h"
#include "tests/lib/mem.h"

static void put_some(struct bough_buf *b)
{
    bough_buf_put_str(b, "n=");
    bough_buf_put_dec(b, INT64_MIN);
    bough_buf_put_u8(b, ' ');
    bough_buf_put_dec(b, -7);
    bough_buf_put_udec(b, UINT64_MAX);
    bough_buf_put_dec(b, 0);
    bough_buf_put_hex(b, "\x00\xff\xa5", 3);
    bough_buf_put32le(b, 0x04030201);
    bough_buf_put64le(b, 0x0c0b0a0908070605);
    bough_buf_put32be(b, 0x0d0e0f10);
    bough_buf_put_fill(b, '.', 200);
}

static const char some[] = "n=-9223372036854775808 -7184467440737095516150"
                           "00ffa5\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";

static void test_buf__appends_come_out_as_put(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    put_some(&b);
    assert_int_equal(b.err, BOUGH_OK);
    assert_int_equal(b.len, sizeof some - 1 + 200);
    assert_memory_equal(b.ptr, some, sizeof some - 1);
    assert_int_equal(b.ptr[b.len - 1], '.');
    bough_buf_shift(&b, 2);
    assert_memory_equal(b.ptr, some + 2, 20);
    bough_buf_shift(&b, b.len);
    assert_int_equal(b.len, 0);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_buf__nothing_can_be_appended_to_nothing(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_buf_put_view(&b, bough_view(NULL, 0));
    assert_int_equal(b.err, BOUGH_OK);
    assert_non_null(bough_buf_room(&b, 0));
    assert_int_equal(b.len, 0);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_buf__errors_stick_and_keep_the_bytes(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    for (uint64_t n = 0;; n++) {
        test_mem_init(&m);
        m.fail_at = n;
        bough_buf_init(&b, &m.mem);
        put_some(&b);
        assert_int_equal(b.err, m.failed ? BOUGH_ENOMEM : BOUGH_OK);
        assert_true(b.len <= sizeof some - 1 + 200);
        if (b.len > 0)
            assert_memory_equal(b.ptr, some, b.len < sizeof some - 1 ? b.len : sizeof some - 1);
        bough_buf_fini(&b);
        test_mem_done(&m);
        if (!m.failed)
            break;
        assert_true(n < 100);
    }
}

static void test_buf__a_limit_is_kept(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    b.len_max = 5;
    bough_buf_put_str(&b, "12345");
    assert_int_equal(b.err, BOUGH_OK);
    bough_buf_put_u8(&b, '6');
    assert_int_equal(b.err, BOUGH_ETOOBIG);
    assert_int_equal(b.len, 5);
    bough_buf_clear(&b);
    bough_buf_put_hex(&b, "abc", 3);
    assert_int_equal(b.err, BOUGH_ETOOBIG);
    assert_int_equal(b.len, 0);
    bough_buf_fini(&b);
    b.len_max = 100;
    bough_buf_put_fill(&b, 0, 80);
    bough_buf_put_fill(&b, 0, 20);
    assert_int_equal(b.err, BOUGH_OK);
    assert_true(m.used <= 100); /* and no memory is taken beyond it */
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_arena__pieces_are_apart_and_die_together(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 4096, 100000, 3};
    struct test_mem m;
    struct bough_arena a;
    uint8_t *at[sizeof sizes / sizeof *sizes];

    (void)state;
    test_mem_init(&m);
    bough_arena_init(&a, &m.mem);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        at[i] = bough_arena_alloc(&a, sizes[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % 16, 0);
        memset(at[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(at[i][k], i);
    assert_null(bough_arena_alloc(&a, SIZE_MAX));
    a.limit = a.used + 32;
    assert_null(bough_arena_alloc(&a, 33));
    assert_non_null(bough_arena_alloc(&a, 32));
    assert_null(bough_arena_alloc(&a, 1));
    bough_arena_fini(&a);
    test_mem_done(&m);
}

static void test_arena__copies_tell_empty_from_no_memory(void **state)
{
    struct test_mem m;
    struct bough_arena a;

    (void)state;
    test_mem_init(&m);
    bough_arena_init(&a, &m.mem);
    assert_non_null(bough_arena_copy(&a, bough_view(NULL, 0)).ptr);
    assert_memory_equal(bough_arena_copy(&a, bough_view_str("abc")).ptr, "abc", 3);
    bough_arena_fini(&a);
    m.fail_at = m.calls;
    assert_null(bough_arena_copy(&a, bough_view_str("abc")).ptr);
    bough_arena_fini(&a);
    test_mem_done(&m);
}

static void test_flow__moves_bytes_and_says_where_they_end(void **state)
{
    struct test_mem m;
    struct bough_buf b;
    struct bough_sink_buf sink;
    struct bough_source_view src;
    struct bough_view v;
    uint8_t got[4];

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_sink_buf_init(&sink, &b);
    bough_source_view_init(&src, bough_view_str("abcdefg"));
    assert_int_equal(bough_source_read(&src.src, got, 4), BOUGH_OK);
    assert_memory_equal(got, "abcd", 4);
    assert_int_equal(bough_source_peek(&src.src, &v), BOUGH_OK);
    assert_int_equal(bough_sink_put(&sink.sink, v), BOUGH_OK);
    bough_source_skip(&src.src, 1);
    assert_int_equal(bough_source_read(&src.src, got, 3), BOUGH_EFORMAT);
    assert_int_equal(bough_source_peek(&src.src, &v), BOUGH_OK);
    assert_int_equal(v.len, 0);
    assert_int_equal(bough_sink_end(&sink.sink), BOUGH_OK);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.ptr, "efg", 3);
    b.len_max = 4;
    assert_int_equal(bough_sink_put(&sink.sink, bough_view_str("hi")), BOUGH_ETOOBIG);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__appends_come_out_as_put),
        cmocka_unit_test(test_buf__nothing_can_be_appended_to_nothing),
        cmocka_unit_test(test_buf__errors_stick_and_keep_the_bytes),
        cmocka_unit_test(test_buf__a_limit_is_kept),
        cmocka_unit_test(test_arena__pieces_are_apart_and_die_together),
        cmocka_unit_test(test_arena__copies_tell_empty_from_no_memory),
        cmocka_unit_test(test_flow__moves_bytes_and_says_where_they_end),
    };

    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
