/*
 * test_collect_small.c - collections where a zone is a thirtieth of all there is.
 *
 * Goal: on a full device, however small and whatever its granule, branches can be dropped, each in a mount
 * of its own, as long as there are any; a collection then gives nearly all of it back, and as much can be
 * written again; and one that is written many times over with a tenth of it live never says `no space`.
 * The same where nothing can be flushed.  Method: branches of one small value by the usual options, a
 * mount a commit (so that each takes a granule), until there is no room; then all but a few go.
 */
#include "tests/lib/bulk.h"
#include "store/log/log.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, MIB = 1024 * 1024, LEFT = 10, SETTLE_S = 30 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device;
    uint64_t bytes;
    bool stays;  /* one mount for all */
    bool little; /* 16 zones: the least there can be, and half of them is kept back */
    struct bough_store *s;
    struct bough_why why;
};

static bool is_long(void)
{
    return getenv("LONG") != NULL;
}

static struct fix *fix_new(uint64_t bytes, uint32_t granule, enum bough_algo algo)
{
    struct bough_log_format_opts format = {.algo = algo, .granule = granule};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->bytes = bytes;
    f->device = calloc(1, bytes);
    assert_non_null(f->device);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, bytes / UNIT, UNIT);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    return f;
}

static void fix_open(struct fix *f)
{
    if (f->s == NULL)
        OK(bough_log_open(&f->ram.blk, &f->t.env, NULL, &f->s, &f->why));
}

static void fix_close(struct fix *f)
{
    f->t.time.sec++;
    if (f->stays)
        return;
    bough_store_close(f->s);
    f->s = NULL;
}

static void fix_free(struct fix *f)
{
    if (f->s != NULL)
        bough_store_close(f->s);
    test_env_done(&f->t);
    free(f->device);
    free(f);
}

static const char *name_of(char dst[32], uint32_t i)
{
    (void)snprintf(dst, 32, "refs/heads/b%u", i);
    return dst;
}

static enum bough_err set(struct fix *f, uint32_t branch, uint64_t seed)
{
    char name[32];
    enum bough_err err;

    fix_open(f);
    err = bulk_branch(f->s, name_of(name, branch), seed, 1);
    fix_close(f);
    return err;
}

static uint32_t fill(struct fix *f, uint32_t n)
{
    enum bough_err err = BOUGH_OK;

    while ((err = set(f, n, n + 1)) == BOUGH_OK)
        n++;
    assert_int_equal(err, BOUGH_ENOSPC);
    return n;
}

/* Where nothing can be flushed what a collection frees is free when two superblocks have settled. */
static void settle(struct fix *f)
{
    bool more = true;

    for (int i = 0; i < 4; i++) {
        f->t.time.sec += SETTLE_S + 1;
        OK(bough_store_sync(f->s));
        OK(bough_store_maintain(f->s, MIB, &more));
    }
}

static void thin_out(struct fix *f, uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < n; i++) {
        char name[32];
        enum bough_err err;

        if (i % (n / LEFT + 1) == 0)
            continue;
        fix_open(f);
        err = bulk_drop(f->s, name_of(name, i));
        if (err == BOUGH_ENOSPC && f->stays) {
            settle(f);
            err = bulk_drop(f->s, name_of(name, i));
        }
        if (err)
            fail_msg("%u of %u drops: %s", i, n, bough_err_name(err));
        fix_close(f);
    }
}

static uint64_t used(struct fix *f)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->s, &st));
    return st.used_bytes;
}

static void gives_back(struct fix *f, bool settles)
{
    struct bough_collect_opts now = {.grace = 0};
    uint32_t n = 0, was = 0, first = 0;
    bool little = f->little;

    f->stays = settles;
    if (settles)
        f->ram.blk.caps &= ~(uint32_t)BOUGH_BLOCK_SYNC;
    for (int round = 0; round < 2; round++) {
        was = n;
        n = fill(f, n);
        if (n - was <= (little ? 0 : LEFT))
            fail_msg("%u branches on %u KiB", n - was, (unsigned)(f->bytes / 1024));
        first = round == 0 ? n : first;
        if (n - was < first / 2 && !little)
            fail_msg("%u branches at first, then %u", first, n - was);
        thin_out(f, was, n);
        fix_open(f);
        OK(history_collect(f->s, &now, 1 << 20));
        if (settles) { /* the room that it gave is there for the next one now */
            settle(f);
            OK(history_collect(f->s, &now, 1 << 20));
            settle(f);
        }
        (void)history_closed(f->s);
        if (used(f) > f->bytes / 2 && !little)
            fail_msg("%u branches on %u KiB: %u KiB are in use afterwards", n,
                (unsigned)(f->bytes / 1024), (unsigned)(used(f) / 1024));
        fix_close(f);
    }
    print_message("%u KiB: %u branches, then %u\n", (unsigned)(f->bytes / 1024), first, n - was);
    fix_free(f);
}

static void test_small__a_full_device_gives_it_all_back(void **state)
{
    (void)state;
    gives_back(fix_new(MIB, 4096, BOUGH_SHA1), false);
    gives_back(fix_new(MIB, 4096, BOUGH_SHA256), false);
    gives_back(fix_new(4 * MIB, 4096, BOUGH_SHA1), false);
    for (uint64_t mib = 2; is_long() && mib <= 16; mib *= 2) {
        gives_back(fix_new(mib * MIB, 4096, BOUGH_SHA1), false);
        gives_back(fix_new(mib * MIB, 4096, BOUGH_SHA256), false);
    }
}

static void test_small__with_any_granule(void **state)
{
    (void)state;
    for (uint32_t granule = 512; granule <= 65536; granule *= is_long() ? 2 : 128) {
        uint64_t zone = granule < 4096 ? 32768 : 8 * granule;
        struct fix *f = fix_new(16 * zone, granule, test_algo());

        f->little = true;
        gives_back(f, false);
        if (is_long() || granule < 4096)
            gives_back(fix_new(32 * zone, granule, test_algo()), false);
    }
}

static void test_small__where_nothing_can_be_flushed(void **state)
{
    (void)state;
    gives_back(fix_new(MIB, 4096, test_algo()), true);
    gives_back(fix_new(4 * MIB, 4096, test_algo()), true);
    if (is_long())
        gives_back(fix_new(16 * MIB, 4096, test_algo()), true);
}

/* Each branch is written anew again and again: a tenth of the device lives. */
static void overwrite(uint64_t bytes)
{
    struct fix *f = fix_new(bytes, 4096, test_algo());
    uint32_t branches = (uint32_t)(bytes / 10 / (BULK_VALUE + 300));
    uint32_t commits = (uint32_t)(3 * bytes / 4096);

    for (uint32_t i = 0; i < commits; i++) {
        enum bough_err err = set(f, i % branches, i + 1);
        if (err)
            fail_msg("%u of %u commits on %u KiB: %s", i, commits, (unsigned)(bytes / 1024),
                bough_err_name(err));
    }
    fix_free(f);
}

static void test_small__is_written_three_times_over(void **state)
{
    (void)state;
    for (uint64_t bytes = MIB; bytes <= (is_long() ? 4 : 1) * (uint64_t)MIB; bytes *= 2)
        overwrite(bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small__a_full_device_gives_it_all_back),
        cmocka_unit_test(test_small__with_any_granule),
        cmocka_unit_test(test_small__where_nothing_can_be_flushed),
        cmocka_unit_test(test_small__is_written_three_times_over),
    };

    return cmocka_run_group_tests_name("sim/collect small", tests, NULL, NULL);
}
