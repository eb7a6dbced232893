/*
 * test_collect_thin.c - a sparse device whose host has no more room for it.
 *
 * Goal: whenever others take all that the host has left, and whatever they take of what is given back,
 * branches can be dropped and a collection gives space back, to the host too, in one mount or in many; no
 * write is ever refused below; and when the host has room again, so has the store.
 * Method: branches of one small value on a device that refuses a first write (thinblk); the host gets
 * full after each number of them.
 */
#include "store/log/log.h"
#include "tests/lib/bulk.h"
#include "tests/sim/thinblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, MIB = 1024 * 1024, BYTES = 8 * MIB, LEFT = 7 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    struct thinblk thin;
    uint8_t *device;
    bool stays; /* one mount for all */
    struct bough_store *s;
    struct bough_why why;
};

static struct fix *fix_new(enum bough_algo algo)
{
    struct bough_log_format_opts format = {.algo = algo};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->device = calloc(1, BYTES);
    assert_non_null(f->device);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    thinblk_init(&f->thin, &f->ram.blk, BYTES / UNIT);
    OK(bough_log_format(&f->thin.blk, &f->t.env, &format, &f->why));
    return f;
}

static void fix_close(struct fix *f)
{
    if (f->s != NULL)
        bough_store_close(f->s);
    f->s = NULL;
}

static void fix_open(struct fix *f)
{
    if (!f->stays)
        fix_close(f);
    if (f->s == NULL)
        OK(bough_log_open(&f->thin.blk, &f->t.env, NULL, &f->s, &f->why));
    f->t.time.sec++;
}

static void fix_free(struct fix *f)
{
    fix_close(f);
    thinblk_fini(&f->thin);
    test_env_done(&f->t);
    free(f->device);
    free(f);
}

static const char *name_of(char dst[32], uint32_t i)
{
    (void)snprintf(dst, 32, "refs/heads/b%u", i);
    return dst;
}

static enum bough_err set(struct fix *f, uint32_t i)
{
    char name[32];

    fix_open(f);
    return bulk_branch(f->s, name_of(name, i), i + 1, 1);
}

/* So many, or as many as there is room for; the first one's number is `n`. */
static uint32_t fill(struct fix *f, uint32_t n, uint32_t most)
{
    enum bough_err err = BOUGH_OK;

    while (n < most && (err = set(f, n)) == BOUGH_OK)
        n++;
    if (err && err != BOUGH_ENOSPC)
        fail_msg("branch %u: %s", n, bough_err_name(err));
    return n;
}

static void thin_out(struct fix *f, uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < n; i++) {
        char name[32];
        enum bough_err err;

        if (i % LEFT == 0)
            continue;
        fix_open(f);
        err = bulk_drop(f->s, name_of(name, i));
        if (err)
            fail_msg("%u of %u drops: %s", i, n, bough_err_name(err));
    }
}

static void collect(struct fix *f)
{
    struct bough_collect_opts now = {.grace = 0};

    fix_open(f);
    OK(history_collect(f->s, &now, 1 << 20));
    (void)history_closed(f->s);
}

/* The host gets full after `n` branches. */
static void gets_full(uint32_t n, bool stays, bool greedy)
{
    struct fix *f = fix_new(test_algo());
    uint32_t was, more;

    f->stays = stays;
    was = fill(f, 0, n);
    assert_int_equal(was, n);
    f->thin.left = 0;
    f->thin.lossy = greedy;
    more = fill(f, was, UINT32_MAX);
    thin_out(f, 0, more);
    collect(f);
    if (more > 400 && !greedy && f->thin.left == 0) /* else it is kept back again first */
        fail_msg("%u branches: nothing came back to the host", more);
    collect(f);
    if (!greedy && more > was + 100 && fill(f, more, more + 10) != more + 10)
        fail_msg("%u branches: no room afterwards", n);
    f->thin.lossy = false;
    f->thin.left = BYTES / UNIT;
    assert_int_equal(fill(f, 100000, 100200), 100200);
    assert_int_equal(f->thin.refused, 0);
    fix_free(f);
}

static void at_every(bool stays, bool greedy)
{
    uint32_t step = getenv("LONG") != NULL ? 7 : 210;

    for (uint32_t n = 0; n <= 420; n += step)
        gets_full(n, stays, greedy);
}

static void test_thin__a_full_host_is_no_harm(void **state)
{
    (void)state;
    at_every(true, false);
}

static void test_thin__a_full_host_is_no_harm_to_many_mounts(void **state)
{
    (void)state;
    at_every(false, false);
}

static void test_thin__others_take_what_is_given_back(void **state)
{
    (void)state;
    at_every(true, true);
    at_every(false, true);
}

/* What was written without asking for room: the next open asks. */
static void test_thin__a_store_made_before_gets_its_room(void **state)
{
    struct fix *f = fix_new(test_algo());

    (void)state;
    f->thin.blk.caps &= ~(uint32_t)BOUGH_BLOCK_ALLOCATE;
    (void)fill(f, 0, 300);
    fix_close(f);
    f->thin.blk.caps |= BOUGH_BLOCK_ALLOCATE;
    (void)fill(f, 300, 301);
    f->thin.left = 0;
    thin_out(f, 0, fill(f, 301, UINT32_MAX));
    collect(f);
    assert_int_equal(f->thin.refused, 0);
    fix_free(f);
}

/* The bed: a device that has nobody ask refuses writes. */
static void test_thin__refuses_who_does_not_ask(void **state)
{
    struct fix *f = fix_new(test_algo());

    (void)state;
    f->thin.blk.caps &= ~(uint32_t)BOUGH_BLOCK_ALLOCATE;
    f->stays = true;
    (void)fill(f, 0, 300);
    f->thin.left = 0;
    (void)fill(f, 300, 900);
    assert_true(f->thin.refused > 0);
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thin__a_full_host_is_no_harm),
        cmocka_unit_test(test_thin__a_full_host_is_no_harm_to_many_mounts),
        cmocka_unit_test(test_thin__others_take_what_is_given_back),
        cmocka_unit_test(test_thin__a_store_made_before_gets_its_room),
        cmocka_unit_test(test_thin__refuses_who_does_not_ask),
    };

    return cmocka_run_group_tests_name("sim/collect thin", tests, NULL, NULL);
}
