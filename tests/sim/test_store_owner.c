/*
 * test_store_owner.c - two owners of one device.
 *
 * Goal: where nothing locks, as between two guests on one disk, the owner that finds another one's
 * mark says so and writes no more, and what the other one committed stays.  Method: a device in
 * memory that two stores are opened on; the clock is turned by hand, and every write is recorded.
 * The first one looks at it through a cache like that of a system that believes it has the disk alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/log/log.h"
#include "tests/lib/env.h"
#include "tests/sim/recblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, ZONE = 32 * 1024, BYTES = 64 * ZONE };

/* What was read or written once is not looked for on the device again. */
struct cacheblk {
    struct bough_block blk; /* first: use this one */
    struct bough_block *under;
    uint8_t *bytes;
    bool has[BYTES / UNIT];
};

struct fix {
    struct test_env t, other;
    struct bough_ramblk ram;
    struct cacheblk cache;
    struct recblk rec; /* what the first owner does */
    uint8_t *device;
    struct bough_store *first, *second;
    struct bough_why why;
};

static const struct bough_log_open_opts opts = {.cache = 64 * 1024, .prepare = 1};

static enum bough_err cache_fresh(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct cacheblk *c = (struct cacheblk *)blk;
    enum bough_err err = bough_block_read(c->under, at, n, dst);

    memcpy(c->bytes + at * UNIT, dst, (size_t)n * UNIT);
    memset(c->has + at, true, n);
    return err;
}

static enum bough_err cache_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct cacheblk *c = (struct cacheblk *)blk;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t *to = (uint8_t *)dst + (size_t)i * UNIT;
        enum bough_err err = BOUGH_OK;

        if (c->has[at + i])
            memcpy(to, c->bytes + (at + i) * UNIT, UNIT);
        else
            err = cache_fresh(blk, at + i, 1, to);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err cache_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct cacheblk *c = (struct cacheblk *)blk;

    memcpy(c->bytes + at * UNIT, src, (size_t)n * UNIT);
    memset(c->has + at, true, n);
    return bough_block_write(c->under, at, n, src);
}

static enum bough_err cache_sync(struct bough_block *blk)
{
    return bough_block_sync(((struct cacheblk *)blk)->under);
}

static void cache_init(struct cacheblk *c, struct bough_block *under)
{
    static const struct bough_block_class cls = {.name = "cache",
        .read = cache_read,
        .read_fresh = cache_fresh,
        .write = cache_write,
        .sync = cache_sync};

    *c = (struct cacheblk){
        .blk = {&cls, under->count, under->unit, BOUGH_BLOCK_SYNC}, .under = under};
    c->bytes = calloc(1, BYTES);
    assert_non_null(c->bytes);
}

static void begin(struct fix *f)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};

    memset(f, 0, sizeof *f);
    f->device = calloc(1, BYTES);
    assert_non_null(f->device);
    test_env_init(&f->t);
    test_env_init(&f->other);
    f->other.seed = 2;
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    cache_init(&f->cache, &f->ram.blk);
    recblk_init(&f->rec, &f->cache.blk);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    OK(bough_log_open(&f->rec.blk, &f->t.env, &opts, &f->first, &f->why));
}

static void end(struct fix *f)
{
    bough_store_close(f->first);
    bough_store_close(f->second);
    recblk_fini(&f->rec);
    test_env_done(&f->t);
    test_env_done(&f->other);
    free(f->cache.bytes);
    free(f->device);
}

static enum bough_err commit(struct bough_store *s, int i)
{
    struct bough_txn *t;
    struct bough_oid id;
    char body[32];
    size_t len = (size_t)snprintf(body, sizeof body, "value %d", i);
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), &id);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static bool has(struct bough_store *s, int i)
{
    char body[32];
    size_t len = (size_t)snprintf(body, sizeof body, "value %d", i);
    struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(body, len));

    return bough_store_has(s, &id) == BOUGH_OK;
}

/* The second owner comes and commits; then the first one looks. */
static void two(struct fix *f, const struct bough_log_open_opts *how)
{
    begin(f);
    for (int i = 0; i < 3; i++)
        OK(commit(f->first, i));
    OK(bough_log_open(&f->ram.blk, &f->other.env, how, &f->second, &f->why));
    for (int i = 3; i < 30; i++)
        OK(commit(f->second, i));
    recblk_clear(&f->rec);
}

static void assert_lost(struct fix *f, enum bough_err err)
{
    assert_int_equal(err, BOUGH_EGONE);
    assert_string_equal(f->first->why.what, "the device has another owner");
    assert_int_equal(commit(f->first, 100), BOUGH_EGONE);
    assert_int_equal(recblk_count(&f->rec, 'w'), 0);
    assert_int_equal(recblk_count(&f->rec, 'd'), 0);
    bough_store_close(f->second);
    OK(bough_log_open(&f->ram.blk, &f->other.env, NULL, &f->second, &f->why));
    for (int i = 0; i < 30; i++)
        assert_true(has(f->second, i));
    end(f);
}

static void test_log_owner__a_commit_finds_the_other_within_a_second(void **state)
{
    struct fix f;

    (void)state;
    two(&f, &opts);
    f.t.time.sec++;
    assert_lost(&f, commit(f.first, 50));
}

static void test_log_owner__upkeep_finds_the_other(void **state)
{
    struct fix f;
    bool more;

    (void)state;
    two(&f, &opts);
    f.t.time.sec++;
    assert_lost(&f, bough_store_maintain(f.first, 1 << 20, &more));
}

/* Many checkpoints later the other one's newest superblock lies elsewhere in the rings. */
static void test_log_owner__the_other_is_found_wherever_it_wrote(void **state)
{
    struct bough_log_open_opts often = opts;
    struct fix f;

    (void)state;
    for (often.table_rows = 1; often.table_rows < 24; often.table_rows++) {
        two(&f, &often);
        f.t.time.sec++;
        assert_lost(&f, commit(f.first, 50));
    }
}

/* A checkpoint looks whatever the clock says. */
static void test_log_owner__a_checkpoint_finds_the_other(void **state)
{
    struct bough_store *reader;
    struct fix f;

    (void)state;
    two(&f, &opts);
    f.rec.blk.caps |= BOUGH_BLOCK_THREADS;
    assert_lost(&f, bough_store_reader(f.first, NULL, &reader)); /* it begins with a checkpoint */
}

static void test_log_owner__a_formatted_device_is_another_ones(void **state)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct fix f;

    (void)state;
    begin(&f);
    OK(commit(f.first, 1));
    OK(bough_log_format(&f.ram.blk, &f.other.env, &format, &f.why));
    recblk_clear(&f.rec);
    f.t.time.sec++;
    assert_int_equal(commit(f.first, 2), BOUGH_EGONE);
    assert_int_equal(recblk_count(&f.rec, 'w'), 0);
    OK(bough_log_open(&f.ram.blk, &f.other.env, NULL, &f.second, &f.why));
    end(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_owner__a_commit_finds_the_other_within_a_second),
        cmocka_unit_test(test_log_owner__upkeep_finds_the_other),
        cmocka_unit_test(test_log_owner__the_other_is_found_wherever_it_wrote),
        cmocka_unit_test(test_log_owner__a_checkpoint_finds_the_other),
        cmocka_unit_test(test_log_owner__a_formatted_device_is_another_ones),
    };

    return cmocka_run_group_tests_name("sim/store owner", tests, NULL, NULL);
}
