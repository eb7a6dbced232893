/*
 * test_block_over.c - a device over another that is only read.
 *
 * Goal: it reads as a device of its own that began with the bytes of the one below, which never
 * changes; memory that runs out is an error, and all of it comes back.
 * Method: random writes and reads beside a plain copy, in units smaller and larger than a page, over
 * a device with a last page that is not whole; every allocation fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "block/block.h"
#include "tests/lib/env.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { COUNT = 61, PIECE = 20, STEPS = 600 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void fill(uint8_t *p, size_t n, uint32_t *seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)next_random(seed);
}

static void random_run(uint32_t unit)
{
    size_t len = (size_t)COUNT * unit;
    uint8_t *below = malloc(len), *was = malloc(len), *want = malloc(len);
    uint8_t *piece = malloc((size_t)PIECE * unit);
    uint32_t seed = unit;
    struct test_env t;
    struct bough_ramblk ram;
    struct bough_overblk over;

    test_env_init(&t);
    fill(below, len, &seed);
    memcpy(was, below, len);
    memcpy(want, below, len);
    bough_ramblk_init(&ram, below, COUNT, unit);
    ram.blk.caps |= BOUGH_BLOCK_READONLY;
    bough_overblk_init(&over, &ram.blk, t.env.mem);
    assert_int_equal(over.blk.count, COUNT);
    assert_int_equal(over.blk.caps & BOUGH_BLOCK_READONLY, 0);
    for (int i = 0; i < STEPS; i++) {
        uint32_t at = next_random(&seed) % COUNT, n = 1 + next_random(&seed) % PIECE;
        n = n < COUNT - at ? n : COUNT - at;
        if (next_random(&seed) % 8 == 0) {
            fill(piece, (size_t)n * unit, &seed);
            memcpy(want + (size_t)at * unit, piece, (size_t)n * unit);
            OK(i % 2 == 0 ? bough_block_write(&over.blk, at, n, piece)
                          : bough_block_write_sync(&over.blk, at, n, piece));
        } else {
            OK(bough_block_read(&over.blk, at, n, piece));
            assert_memory_equal(piece, want + (size_t)at * unit, (size_t)n * unit);
        }
    }
    OK(bough_block_sync(&over.blk));
    assert_memory_equal(below, was, len);
    assert_memory_not_equal(want, was, len);
    bough_overblk_fini(&over);
    test_env_done(&t);
    free(below);
    free(was);
    free(want);
    free(piece);
}

static void test_block_over__is_a_device_of_its_own(void **state)
{
    (void)state;
    random_run(512);
    random_run(4096);
    random_run(16384);
}

static void test_block_over__keeps_many_pages(void **state)
{
    enum { MANY = 3000 };
    uint8_t *below = calloc(MANY, 4096), page[4096];
    struct test_env t;
    struct bough_ramblk ram;
    struct bough_overblk over;

    (void)state;
    test_env_init(&t);
    bough_ramblk_init(&ram, below, MANY, 4096);
    bough_overblk_init(&over, &ram.blk, t.env.mem);
    for (uint32_t i = 0; i < MANY; i += 2) {
        memset(page, (int)(1 + i % 255), sizeof page);
        OK(bough_block_write(&over.blk, i, 1, page));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        OK(bough_block_read(&over.blk, i, 1, page));
        assert_int_equal(page[77], i % 2 == 0 ? 1 + i % 255 : 0);
    }
    bough_overblk_fini(&over);
    test_env_done(&t);
    free(below);
}

static void test_block_over__is_as_it_was_when_memory_runs_out(void **state)
{
    uint8_t below[8 * 512] = {1}, page[8 * 512], got[8 * 512];
    bool failed = true;

    (void)state;
    memset(page, 7, sizeof page);
    for (uint64_t n = 0; failed; n++) {
        struct test_env t;
        struct bough_ramblk ram;
        struct bough_overblk over;
        enum bough_err err;

        test_env_init(&t);
        bough_ramblk_init(&ram, below, 8, 512);
        bough_overblk_init(&over, &ram.blk, t.env.mem);
        t.mem.fail_at = n;
        err = bough_block_write(&over.blk, 0, 8, page);
        failed = t.mem.failed;
        assert_int_equal(err, failed ? BOUGH_ENOMEM : BOUGH_OK);
        t.mem.fail_at = UINT64_MAX;
        OK(bough_block_read(&over.blk, 0, 8, got));
        assert_memory_equal(got, failed ? below : page, sizeof got);
        bough_overblk_fini(&over);
        test_env_done(&t);
        assert_true(n < 10);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_block_over__is_a_device_of_its_own),
    cmocka_unit_test(test_block_over__keeps_many_pages),
    cmocka_unit_test(test_block_over__is_as_it_was_when_memory_runs_out),
};

int main(void)
{
    return cmocka_run_group_tests_name("block_over", tests, NULL, NULL);
}
