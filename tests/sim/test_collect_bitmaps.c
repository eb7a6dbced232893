/*
 * test_collect_bitmaps.c - making reachability bitmaps takes nothing that a checkpoint needs.
 *
 * Goal: at any time the newest root may be lost, and the store opens with the one before and has all that
 * was acknowledged; bitmaps, where they stand in the table's own zone, are made all the same.
 * Method: collections with commits beside them, so that their last checkpoint merges its table; further
 * checkpoints, one more each time, then bitmaps: no write of theirs touches either of the two newest roots, and
 * when a bit of the newest one has changed the store opens with all that there was.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "tests/lib/bulk.h"
#include "tests/sim/recblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 200 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    struct recblk rec;
    uint8_t *device;
    struct bough_store *s;
    struct bough_why why;
    uint32_t beside, apart; /* regions in the last zone of the table's blocks, in the next one */
};

static void open_it(struct fix *f)
{
    struct bough_log_open_opts opts = {.table_rows = 400,
        .log_max = 1 << 20,
        .cache = 64 * 1024,
        .reach_rows = 1,
        .reach_every = 1};

    OK(bough_log_open(&f->rec.blk, &f->t.env, &opts, &f->s, &f->why));
}

static struct bough_log *log_of(struct fix *f)
{
    return (struct bough_log *)f->s; /* store is the first field */
}

/* A collection, commits while it runs; then bitmaps are due. */
static void collected(struct fix *f, struct history *h, uint32_t commits)
{
    const struct bough_collect_opts now = {.grace = 0};
    bool more = true;

    for (uint32_t i = 1; i <= 60; i++)
        OK(history_commit(h, f->s, i, 100 + i));
    OK(bough_store_collect(f->s, &now));
    for (uint32_t i = 1; i <= commits; i++) {
        OK(bough_store_maintain(f->s, 200, &more));
        OK(history_commit(h, f->s, i, 1000 + i));
    }
    while (log_of(f)->cycle != NULL)
        OK(bough_store_maintain(f->s, 2000, &more));
    assert_true(log_of(f)->bitmaps_due > 0);
}

/* No call wrote to the bytes of that root. */
static void root_is_spared(struct fix *f, const struct bough_log__super *s)
{
    uint64_t at = ((uint64_t)s->zone[0] * ZONE + s->root_start) / UNIT;
    uint64_t end = at + (s->root_len + UNIT - 1) / UNIT;

    assert_int_equal(s->root_zones, 1);
    for (size_t i = 0; i < f->rec.call_n; i++) {
        const struct rec_call *c = &f->rec.call[i];
        assert_true(c->what != 'w' || c->at >= end || c->at + c->n <= at);
    }
}

static void bitmaps_made(struct fix *f, const struct bough_log__super *before)
{
    const struct bough_log__super newest = log_of(f)->super;
    struct bough_log__bitmaps maps;
    struct bough_log__table *t;
    bool more = true;
    enum bough_err err;

    log_of(f)->forget = 0; /* no checkpoints but those of the test and of the bitmaps */
    recblk_clear(&f->rec);
    while (more)
        OK(bough_store_maintain(f->s, 2000, &more));
    root_is_spared(f, &newest);
    if (before->checkpoint + 1 == newest.checkpoint)
        root_is_spared(f, before);
    t = bough_log__region_table(log_of(f));
    assert_non_null(t);
    err = bough_log__bitmaps_load(log_of(f), t, &maps);
    assert_true(err == BOUGH_OK || err == BOUGH_ENOENT); /* the table may have been merged since */
    f->beside += !err && (t->run.start + maps.region) % ZONE != 0;
    f->apart += !err && (t->run.start + maps.region) % ZONE == 0;
    bough_log__bitmaps_fini(log_of(f), &maps);
}

/* The newest root is lost. */
static void root_lost(struct fix *f)
{
    const struct bough_log__super *s = &log_of(f)->super;
    uint64_t dev = (uint64_t)s->zone[0] * ZONE + s->root_start + s->root_len / 2;

    bough_store_close(f->s);
    f->device[dev] ^= 1;
}

static void one(struct fix *f, uint32_t commits, uint32_t checkpoints, uint32_t before)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log__super last = {.checkpoint = 0};
    struct bough_ref ref;
    struct history h;

    memset(f->device, 0, (size_t)ZONES * ZONE);
    bough_ramblk_init(&f->ram, f->device, (uint64_t)ZONES * ZONE / UNIT, UNIT);
    recblk_init(&f->rec, &f->ram.blk);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    open_it(f);
    history_init(&h, "main");
    for (uint32_t i = 0; i < before; i++) /* the zone where tables go on has something in it */
        OK(bough_log__checkpoint(log_of(f)));
    collected(f, &h, commits);
    for (uint32_t i = 0; i < checkpoints; i++) {
        OK(history_commit(&h, f->s, i, 5000 + i));
        last = log_of(f)->super;
        OK(bough_log__checkpoint(log_of(f)));
    }
    bitmaps_made(f, &last);
    root_lost(f);
    open_it(f);
    OK(bough_store_ref(f->s, bough_view_str("refs/heads/main"), &ref));
    assert_true(bough_oid_eq(&ref.id, &h.head));
    assert_true(history_closed(f->s) > 150);
    bough_store_close(f->s);
    recblk_fini(&f->rec);
    history_fini(&h);
}

static void test_bitmaps__leave_the_root_before_alone(void **state)
{
    struct fix *f = calloc(1, sizeof *f);

    (void)state;
    assert_non_null(f);
    f->device = calloc(ZONES, ZONE);
    assert_non_null(f->device);
    test_env_init(&f->t);
    for (uint32_t commits = 0; commits < 60; commits += 15) {
        for (uint32_t k = 0; k < 30; k++)
            one(f, commits, k % 6, k / 6);
    }
    assert_true(f->beside > 0 && f->apart > 0);
    test_env_done(&f->t);
    free(f->device);
    free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmaps__leave_the_root_before_alone),
    };

    return cmocka_run_group_tests_name("sim/collect bitmaps", tests, NULL, NULL);
}
