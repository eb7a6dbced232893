/*
 * test_base_zip.c - inflate and deflate, whole and in pieces.
 *
 * Goal: each way reads what each other way wrote, stored streams have the
 * stated layout, and bad streams are refused.  Method: sizes about the edges
 * of stored blocks; every cut and a flip of every byte of a small stream;
 * the n-th allocation failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/zip.h"
#include "tests/lib/env.h"

enum { BIG = 200000 };
static uint8_t text[BIG], back[BIG + 1];

static int setup(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (size_t i = 0; i < BIG; i++)
        text[i] = (uint8_t)(test_random(&seed) % 7 * 3);
    return 0;
}

/* Feed and drain by small steps. */
static enum bough_err inflate_slowly(
    struct bough_mem *mem, struct bough_view src, size_t step, size_t cap, size_t *len)
{
    struct bough_inflater f;
    size_t at = 0, used, made;
    enum bough_err err = bough_inflater_init(&f, mem);

    *len = 0;
    while (!err && !f.done) {
        size_t in = src.len - at < step ? src.len - at : step;
        size_t out = cap - *len < step ? cap - *len : step;

        err = bough_inflater_run(&f, bough_view(src.ptr + at, in), &used, back + *len, out, &made);
        at += used;
        *len += made;
        if (!err && !f.done && used == 0 && made == 0)
            err = BOUGH_EFORMAT;
    }
    if (!err)
        assert_int_equal(f.in, at);
    bough_inflater_fini(&f);
    return err;
}

static void test_zip__what_went_in_comes_out(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 65534, 65535, 65536, 131070, 131071, BIG};
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int level = 0; level <= 9; level += 3) {
            size_t used = 0, len = sizes[i], got;

            bough_buf_clear(&b);
            bough_deflate(&b, bough_view(text, len), level);
            assert_int_equal(b.err, BOUGH_OK);
            got = b.len;
            bough_buf_put_str(&b, "more"); /* bytes after a stream are left alone */
            memset(back, 0xee, sizeof back);
            assert_int_equal(bough_inflate(&m.mem, bough_buf_view(&b), back, len, &used), BOUGH_OK);
            assert_int_equal(used, got);
            assert_memory_equal(back, text, len);
            assert_int_equal(back[len], 0xee);
            assert_int_equal(inflate_slowly(&m.mem, bough_buf_view(&b), 777, BIG, &used), BOUGH_OK);
            assert_int_equal(used, len);
            assert_memory_equal(back, text, len);
            if (len > 0)
                assert_int_equal(
                    bough_inflate(&m.mem, bough_buf_view(&b), back, len - 1, &used), BOUGH_EFORMAT);
            assert_int_equal(
                bough_inflate(&m.mem, bough_buf_view(&b), back, len + 1, &used), BOUGH_EFORMAT);
        }
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_zip__stored_streams_have_the_stated_layout(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 131070, 131071, BIG};
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bough_buf_clear(&b);
        bough_deflate(&b, bough_view(text, sizes[i]), 0);
        assert_int_equal(b.len, bough_zip_stored_len(sizes[i]));
        for (size_t at = 0; at < sizes[i]; at += 997)
            assert_int_equal(b.ptr[bough_zip_stored_at(at)], text[at]);
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_zip__a_deflater_fed_in_pieces_makes_one_stream(void **state)
{
    struct test_mem m;
    struct bough_buf b;
    struct bough_deflater d;
    size_t used = 0;

    (void)state;
    for (uint64_t n = 0;; n++) {
        enum bough_err err;

        test_mem_init(&m);
        m.fail_at = n;
        bough_buf_init(&b, &m.mem);
        err = bough_deflater_init(&d, &m.mem, 6);
        for (size_t at = 0; at < BIG && !err; at += 10000)
            err = bough_deflater_run(&d, bough_view(text + at, 10000), at + 10000 == BIG, &b);
        bough_deflater_fini(&d);
        if (err) /* else a smaller window did */
            assert_true(m.failed && err == BOUGH_ENOMEM);
        if (!err) {
            m.fail_at = UINT64_MAX;
            assert_int_equal(bough_inflate(&m.mem, bough_buf_view(&b), back, BIG, &used), BOUGH_OK);
            assert_int_equal(used, b.len);
            assert_memory_equal(back, text, BIG);
        }
        bough_buf_fini(&b);
        test_mem_done(&m);
        if (!m.failed)
            break;
    }
}

static void expect_refused(struct bough_mem *mem, struct bough_view v)
{
    size_t used;

    assert_int_equal(bough_inflate(mem, v, back, 300, &used), BOUGH_EFORMAT);
    assert_int_equal(inflate_slowly(mem, v, 50, 300, &used), BOUGH_EFORMAT);
}

static void test_zip__bad_streams_are_refused(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (int level = 0; level <= 6; level += 6) {
        bough_buf_clear(&b);
        bough_deflate(&b, bough_view(text, 300), level);
        for (size_t n = 0; n < b.len; n++) {
            uint8_t *cut = bough_mem_alloc(&m.mem, n + 1); /* so that reading past it shows */

            memcpy(cut, b.ptr, n);
            expect_refused(&m.mem, bough_view(cut, n));
            bough_mem_free(&m.mem, cut, n + 1);
        }
        for (size_t n = 0; n < b.len; n++) {
            if (level == 0 && n == 2)
                continue; /* nobody reads the bits between a stored block's kind and its length */
            b.ptr[n] ^= 0x10;
            expect_refused(&m.mem, bough_buf_view(&b));
            b.ptr[n] ^= 0x10;
        }
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_zip__no_memory_is_an_error(void **state)
{
    struct test_mem m, hard;
    struct bough_buf b;
    size_t used;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_deflate(&b, bough_view(text, BIG), 6);
    for (uint64_t n = 0;; n++) {
        enum bough_err err;

        test_mem_init(&hard);
        hard.fail_at = n;
        err = inflate_slowly(&hard.mem, bough_buf_view(&b), 5000, BIG, &used);
        assert_int_equal(err, hard.failed ? BOUGH_ENOMEM : BOUGH_OK);
        test_mem_done(&hard);
        if (!hard.failed)
            break;
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip__what_went_in_comes_out),
        cmocka_unit_test(test_zip__stored_streams_have_the_stated_layout),
        cmocka_unit_test(test_zip__a_deflater_fed_in_pieces_makes_one_stream),
        cmocka_unit_test(test_zip__bad_streams_are_refused),
        cmocka_unit_test(test_zip__no_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("base/zip", tests, setup, NULL);
}
