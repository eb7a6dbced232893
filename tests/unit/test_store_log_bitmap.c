/*
 * test_store_log_bitmap.c - bits as compressed bytes.
 *
 * Goal: what is encoded comes back, whatever the bits, in few bytes where few were set or nearly
 * all were; bytes that are no bitmap are refused and nothing outside of the bits is touched.
 * Method: bits of every density from a seed, on top of others; each prefix of an encoding, and each
 * with a byte bent, read into bits with guards around.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/log/reach_inner.h"
#include "tests/lib/env.h"

enum { CHUNKS = 70, LEN = CHUNKS * BOUGH_LOG__CHUNK, GUARD = 64 };

static struct test_env env;

static uint64_t encode(struct bough_buf *out, const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t n = 0;

    for (size_t at = 0; at < len;)
        n += bough_log__bits_encode(out, a, b, len, &at);
    assert_int_equal(out->err, BOUGH_OK);
    return n;
}

static enum bough_err decode(struct bough_view in, uint8_t *bits, size_t len, uint64_t *n)
{
    size_t at = 0;
    enum bough_err err = BOUGH_OK;

    *n = 0;
    while (!err)
        err = bough_log__bits_decode(&in, bits, len, &at, n);
    assert_true(at <= len);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* About one bit in `sparse` is set in a stretch; stretches are set, clear, or mixed. */
static void fill(uint8_t *bits, uint64_t *seed, uint32_t sparse)
{
    for (size_t i = 0; i < (size_t)LEN * 8; i++) {
        if (test_random(seed) % sparse == 0)
            bough_log__bit_set(bits, i);
    }
    if (sparse % 3 == 0)
        memset(bits + test_random(seed) % (LEN / 2), 0xff, LEN / 4);
    if (sparse % 2 == 0)
        memset(bits + test_random(seed) % (LEN / 2), 0, LEN / 3);
}

static void test_bitmap__comes_back(void **state)
{
    static const uint32_t sparse[] = {1, 2, 3, 5, 9, 40, 300, 3000, 100000, 1u << 30};
    uint8_t *a = calloc(2, LEN), *b = calloc(2, LEN), *got = calloc(2, LEN);
    uint64_t seed = 5;
    (void)state;

    for (size_t k = 0; k < sizeof sparse / sizeof *sparse; k++) {
        struct bough_buf out;
        uint64_t n, ones = 0, put;

        memset(a, 0, LEN);
        memset(b, 0, LEN);
        fill(a, &seed, sparse[k]);
        if (k % 2 == 1)
            fill(b, &seed, 7);
        for (size_t i = 0; i < LEN; i++) {
            a[i] |= b[i];
            ones += bough_log__bits_ones(a[i] & (uint8_t)~b[i]);
        }
        bough_buf_init(&out, &env.mem.mem);
        put = encode(&out, a, b, LEN);
        memcpy(got, b, LEN);
        assert_int_equal(decode(bough_buf_view(&out), got, LEN, &n), BOUGH_OK);
        assert_memory_equal(got, a, LEN);
        assert_int_equal(put, ones);
        assert_int_equal(n, ones);
        assert_true(out.len <= LEN + CHUNKS * 2);
        assert_true(out.len <= ones * 4 + CHUNKS * 4);
        bough_buf_fini(&out);
    }
    free(a);
    free(b);
    free(got);
}

static void test_bitmap__of_a_full_table_is_short(void **state)
{
    uint8_t *a = calloc(2, LEN), *none = calloc(2, LEN);
    struct bough_buf out;
    (void)state;

    for (size_t i = 0; i < (size_t)LEN * 8; i++) { /* blocks of 127 rows, 95 of them there */
        if (i % 127 < 95)
            bough_log__bit_set(a, i);
    }
    bough_buf_init(&out, &env.mem.mem);
    encode(&out, a, none, LEN);
    assert_true(out.len < LEN / 7);
    bough_buf_fini(&out);
    free(a);
    free(none);
}

static void test_bitmap__that_is_bent_stays_inside(void **state)
{
    uint8_t *a = calloc(2, LEN), *none = calloc(2, LEN), *got = malloc(LEN + 2 * GUARD);
    uint8_t guard[GUARD];
    struct bough_buf out;
    uint64_t seed = 9, n;
    (void)state;

    memset(guard, 0xa5, sizeof guard);
    memset(got, 0xa5, LEN + 2 * GUARD);
    fill(a, &seed, 60);
    bough_buf_init(&out, &env.mem.mem);
    encode(&out, a, none, LEN);
    for (size_t i = 0; i < out.len; i += 7) {
        uint8_t was = out.ptr[i];

        (void)!decode(bough_view(out.ptr, i), got + GUARD, LEN, &n);
        out.ptr[i] ^= (uint8_t)(1 + test_random(&seed) % 255);
        (void)!decode(bough_buf_view(&out), got + GUARD, LEN, &n);
        (void)!decode(bough_buf_view(&out), got + GUARD, LEN / 2, &n);
        out.ptr[i] = was;
        assert_memory_equal(got, guard, GUARD);
        assert_memory_equal(got + GUARD + LEN, guard, GUARD);
    }
    assert_int_equal(decode(bough_view("\x00\x00", 2), got + GUARD, LEN, &n), BOUGH_ECORRUPT);
    assert_int_equal(decode(bough_view("\x01\x02x", 3), got + GUARD, LEN, &n), BOUGH_ECORRUPT);
    assert_int_equal(decode(bough_view("\xff\xff", 2), got + GUARD, LEN, &n), BOUGH_ECORRUPT);
    assert_int_equal(decode(bough_view("\x01", 1), got + GUARD, LEN, &n), BOUGH_ECORRUPT);
    bough_buf_fini(&out);
    free(a);
    free(none);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmap__comes_back),
        cmocka_unit_test(test_bitmap__of_a_full_table_is_short),
        cmocka_unit_test(test_bitmap__that_is_bent_stays_inside),
    };
    int failed;

    test_env_init(&env);
    failed = cmocka_run_group_tests_name("store_log_bitmap", tests, NULL, NULL);
    test_env_done(&env);
    return failed;
}
