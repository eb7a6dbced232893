/*
 * test_store_flip_reach.c - one flipped bit in reachability bitmaps or in sums of stretches.
 *
 * Goal: bitmaps of which any bit was flipped give the answer that they gave before or none, and parts of
 * long values are right or an error; a check names the damage, and a damaged head of bitmaps is none.
 * Method: a small collected store (reach_bed.h); one bit of each byte of head, directory, bitmaps and of
 * a block of sums is flipped in turn (LONG=1: all eight); then it is opened, asked and checked.
 */
#include "tests/lib/reach_bed.h"

enum { HEAD_LEN = 96 };

static struct reach_bed bed;
static struct test_env env;

struct seen {
    uint64_t flips, refused;
};

static void count_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    uint32_t *n = ctx;

    (void)key;
    assert_int_not_equal(err, BOUGH_OK);
    assert_non_null(what);
    ++*n;
}

static struct bough_store *open_store(struct bough_ramblk *ram)
{
    struct bough_log_open_opts opts = {.cache = 64 * 1024, .read_only = true};
    struct bough_store *s;

    bough_ramblk_init(ram, bed.device, REACH_BYTES / REACH_UNIT, REACH_UNIT);
    assert_int_equal(bough_log_open(&ram->blk, &env.env, &opts, &s, NULL), BOUGH_OK);
    return s;
}

/* Of a head: there are no bitmaps then, and nobody complains. */
enum what { HEAD, CHECKED, PADDING };

static void look(struct seen *seen, enum what what)
{
    struct bough_ramblk ram;
    struct bough_store *s = open_store(&ram);
    uint64_t n, digest;
    uint32_t reports = 0;
    enum bough_err reached = reach_ask(&bed, s, &n, &digest), read, checked;

    if (reached)
        assert_true(reached == BOUGH_ENOTSUP || reached == BOUGH_ECORRUPT);
    else
        assert_true(n == bed.reached && digest == bed.digest);
    read = reach_values_read(&bed, s, true);
    assert_true(!read || read == BOUGH_ECORRUPT);
    checked = bough_store_check(s, count_report, &reports);
    assert_int_equal(checked, reports > 0 ? BOUGH_ECORRUPT : BOUGH_OK);
    if (reports == 0)
        assert_true(!read && reached == (what == HEAD ? BOUGH_ENOTSUP : BOUGH_OK));
    assert_true(reports == 0 || what == CHECKED);
    seen->refused += reached || read || reports > 0;
    seen->flips++;
    bough_store_close(s);
}

/* Flip bits of these bytes; of bytes that are 0, of one in `sparse`. */
static void sweep(struct seen *seen, size_t at, size_t n, size_t sparse, enum what what)
{
    bool all = getenv("LONG") != NULL;

    *seen = (struct seen){0};
    for (size_t i = at; i < at + n; i++) {
        if (bed.device[i] == 0 && i % sparse != 0 && !all)
            continue;
        for (uint32_t bit = all ? 0 : (uint32_t)i % 8; bit < 8; bit += all ? 1 : 8) {
            bed.device[i] ^= (uint8_t)(1u << bit);
            look(seen, what);
            bed.device[i] ^= (uint8_t)(1u << bit);
        }
    }
}

static void test_reach__a_flipped_bit_is_never_an_answer(void **state)
{
    size_t at = reach_bed_find(&bed, false), dir = (size_t)bough_get64le(bed.device + at + 56);
    size_t end = dir + bough_get32le(bed.device + at + 64);
    struct seen seen;
    (void)state;

    sweep(&seen, at, HEAD_LEN, 1, HEAD);
    assert_int_equal(seen.refused, seen.flips);
    sweep(&seen, at + REACH_UNIT, end - REACH_UNIT, 1, CHECKED);
    assert_int_equal(seen.refused, seen.flips);
    sweep(&seen, at + HEAD_LEN, REACH_UNIT - HEAD_LEN, 37, PADDING);
    assert_int_equal(seen.refused, 0);
}

static void test_reach__a_flipped_bit_of_sums_is_never_an_answer(void **state)
{
    size_t at = reach_bed_find(&bed, true);
    struct seen seen;
    (void)state;

    sweep(&seen, at, REACH_BLOCK, 9, CHECKED);
    assert_int_equal(seen.refused, seen.flips);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reach__a_flipped_bit_is_never_an_answer),
        cmocka_unit_test(test_reach__a_flipped_bit_of_sums_is_never_an_answer),
    };

    reach_bed_make(&bed);
    test_env_init(&env);
    return cmocka_run_group_tests_name("store_flip_reach", tests, NULL, NULL);
}
