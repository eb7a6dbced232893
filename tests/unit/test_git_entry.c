/*
 * test_git_entry.c - heads of pack entries go both ways, and lies are refused.
 *
 * Method: every power of two of size and distance with its neighbours is
 * written and read back, cut at every byte; literals for what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/entry.h"

static void check_round(enum bough_algo algo, const struct bough_entry_head *e)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    const uint64_t at = UINT64_MAX / 2;
    struct bough_entry_head got;
    uint32_t n = bough_entry_head_write(algo, e, raw);

    assert_true(n <= sizeof raw);
    for (uint32_t cut = 0; cut < n; cut++)
        assert_int_equal(
            bough_entry_head_parse(algo, at, bough_view(raw, cut), &got), BOUGH_EAGAIN);
    assert_int_equal(bough_entry_head_parse(algo, at, bough_view(raw, n), &got), BOUGH_OK);
    assert_int_equal(got.head_len, n);
    assert_int_equal(got.type, e->type);
    assert_true(got.size == e->size);
    assert_true(got.back == e->back);
    assert_true(bough_oid_eq(&got.base, &e->base));
}

static void test_git_entry__sizes_and_distances_come_back(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < 62; bit++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t x = ((uint64_t)1 << bit) + (uint64_t)(int64_t)d;
            struct bough_entry_head e = {.type = BOUGH_BLOB, .size = x};

            check_round(BOUGH_SHA1, &e);
            e = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .size = 1, .back = x};
            if (x <= (uint64_t)1 << 61)
                check_round(BOUGH_SHA1, &e);
        }
    }
    check_round(BOUGH_SHA1, &(struct bough_entry_head){.type = BOUGH_TAG, .size = 0});
    check_round(BOUGH_SHA1, &(struct bough_entry_head){.type = BOUGH_TREE, .size = UINT64_MAX / 2});
}

static void test_git_entry__base_ids_scale_with_the_algorithm(void **state)
{
    struct bough_entry_head e = {.type = BOUGH_REF_DELTA, .size = 1000};

    (void)state;
    memset(e.base.bytes, 0xab, 20);
    check_round(BOUGH_SHA1, &e);
    memset(e.base.bytes, 0xcd, 32);
    check_round(BOUGH_SHA256, &e);
}

static void test_git_entry__is_gits_encoding(void **state)
{
    /* gitformat-pack: blob of 300 = 0xbc 0x12; distance 128 = 0x80 0x00. */
    static const uint8_t blob[] = {0xbc, 0x12}, ofs[] = {0x61, 0x80, 0x00};
    struct bough_entry_head e = {.type = BOUGH_BLOB, .size = 300};
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];

    (void)state;
    assert_int_equal(bough_entry_head_write(BOUGH_SHA1, &e, raw), sizeof blob);
    assert_memory_equal(raw, blob, sizeof blob);
    e = (struct bough_entry_head){.type = BOUGH_OFS_DELTA, .size = 1, .back = 128};
    assert_int_equal(bough_entry_head_write(BOUGH_SHA1, &e, raw), sizeof ofs);
    assert_memory_equal(raw, ofs, sizeof ofs);
}

static void test_git_entry__lies_are_refused(void **state)
{
    static const struct {
        uint64_t at;
        uint8_t raw[16];
        uint8_t len;
    } bad[] = {
        {12, {0x00}, 1},                                                    /* type 0 */
        {12, {0x5f}, 1},                                                    /* type 5 */
        {12, {0xb0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 11},   /* size too long */
        {12, {0xb0, 255, 255, 255, 255, 255, 255, 255, 255, 0x08}, 10},     /* size 2^63 */
        {99, {0x61, 0x00}, 2},                                              /* distance 0 */
        {99, {0x61, 88}, 2},                                                /* before the first */
        {12, {0x61, 1}, 2},                                                 /* first is a delta */
        {0, {0x61, 1}, 2},                                                  /* at wraps */
        {99, {0x61, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127}, 11}, /* wraps */
    };
    struct bough_entry_head e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            bough_entry_head_parse(BOUGH_SHA1, bad[i].at, bough_view(bad[i].raw, bad[i].len), &e),
            BOUGH_EFORMAT);
    assert_int_equal(
        bough_entry_head_parse(BOUGH_SHA1, 99, bough_view(bad[5].raw, 1), &e), BOUGH_EAGAIN);
    assert_int_equal(
        bough_entry_head_parse(BOUGH_SHA1, 100, bough_view(bad[5].raw, 2), &e), BOUGH_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_git_entry__sizes_and_distances_come_back),
        cmocka_unit_test(test_git_entry__base_ids_scale_with_the_algorithm),
        cmocka_unit_test(test_git_entry__is_gits_encoding),
        cmocka_unit_test(test_git_entry__lies_are_refused),
    };

    return cmocka_run_group_tests_name("git/entry", tests, NULL, NULL);
}
