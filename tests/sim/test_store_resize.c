/*
 * test_store_resize.c - a store on the log engine grows and shrinks.
 *
 * Goal: with either size all that was committed is there and the device has the new length; no
 * zone behind the new end is used; a store that could not shrink after all has its room again; a
 * power cut at any call of it leaves a store that opens without repair and holds the same.
 * Method: histories (store_world.h) around an intake that takes the first zones and is dropped, so
 * that much lies at the end; then a resize, cut everywhere.
 */
#include "tests/sim/cutblk.h"
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 52, ROOM = 68, LITTLE = 24, HOLE = 26 };

struct fix {
    struct world w;
    struct bough_ramblk ram;
    uint8_t *device, *before; /* the medium, and what it holds before the resize */
};

static void ram_init(struct fix *f)
{
    bough_ramblk_init(&f->ram, f->device, ZONES * ZONE / UNIT, UNIT);
    bough_ramblk_set_room(&f->ram, ROOM * ZONE / UNIT);
}

/* A store whose history lies behind a hole of HOLE zones. */
static struct fix *fix_new(const char *history)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    static uint8_t hole[HOLE * ZONE];
    struct fix *f = calloc(1, sizeof *f);
    struct bough_blob_writer *blob;

    assert_non_null(f);
    f->device = calloc(1, ROOM * ZONE);
    f->before = calloc(1, ROOM * ZONE);
    assert_true(f->device != NULL && f->before != NULL);
    f->w.opts = (struct bough_log_open_opts){
        .cache = 64 * 1024, .prepare = 1, .table_rows = 12, .log_max = 64 * 1024};
    test_env_init(&f->w.t);
    ram_init(f);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    model_open(&f->w.m);
    OK(world_open(&f->w, &f->ram.blk));
    OK(bough_blob_begin(f->w.s, sizeof hole, &blob));
    OK(bough_blob_put(blob, bough_view(hole, sizeof hole)));
    OK(play(&f->w, history, &f->ram.blk));
    bough_blob_close(blob);
    world_close(&f->w);
    memcpy(f->before, f->device, ROOM * ZONE);
    return f;
}

static void fix_free(struct fix *f)
{
    model_close(&f->w.m);
    test_env_done(&f->w.t);
    free(f->device);
    free(f->before);
    free(f);
}

static enum bough_err resize(struct fix *f, uint32_t zones)
{
    uint64_t left = UINT64_MAX;
    enum bough_err err;

    for (int i = 0; i < 1000; i++) {
        err = bough_store_resize(f->w.s, (uint64_t)zones * ZONE, 2 * ZONE);
        if (err != BOUGH_EAGAIN)
            return err;
        assert_true(f->w.s->why.at > 0 && f->w.s->why.at < left); /* ever fewer bytes to copy */
        left = f->w.s->why.at;
    }
    return err;
}

static void no_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)err;
    print_message("%s: %.*s\n", what, (int)key.len, (const char *)key.ptr);
}

/* It holds all and takes more, with whatever is behind its end scrambled. */
static void assert_sized(struct fix *f, struct bough_block *dev, uint32_t zones)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->w.s, &st));
    assert_int_equal(st.device_bytes, (uint64_t)zones * ZONE);
    assert_int_equal(dev->count, (uint64_t)zones * ZONE / UNIT);
    memset(f->device + (size_t)zones * ZONE, 0xdd, (size_t)(ROOM - zones) * ZONE);
    settle(&f->w);
    OK(play(&f->w, "cdecimr", dev));
    settle(&f->w);
    OK(bough_store_check(f->w.s, no_report, NULL));
}

static void once(const char *history, uint32_t zones)
{
    struct fix *f = fix_new(history);

    OK(world_open(&f->w, &f->ram.blk));
    OK(resize(f, zones));
    assert_sized(f, &f->ram.blk, zones);
    world_close(&f->w);
    fix_free(f);
}

static void test_store_resize__keeps_everything(void **state)
{
    static const char *const histories[] = {
        "c", "ccccdddeeei", "ccbxxbiicddwmeecc", "cmcmcmcm", "bbbbcxm", "xxxcccdmdmdmeeemiimc"};

    (void)state;
    for (size_t i = 0; i < sizeof histories / sizeof *histories; i++) {
        once(histories[i], LITTLE + 4);
        once(histories[i], 40);
        once(histories[i], ZONES);
        once(histories[i], ROOM);
    }
}

/* Commits go on between the steps; a reader keeps what it looks at; the old size can be had back. */
static void test_store_resize__goes_on_beside_commits_and_readers(void **state)
{
    struct fix *f = fix_new("ccbxxbiicddwmeecc");
    struct bough_store *reader;
    struct picture p;
    enum bough_err err = BOUGH_EAGAIN;

    (void)state;
    f->ram.blk.caps |= BOUGH_BLOCK_THREADS;
    OK(world_open(&f->w, &f->ram.blk));
    OK(bough_store_reader(f->w.s, NULL, &reader));
    p = f->w.m.after[f->w.m.n];
    for (int i = 0; i < 40 && err == BOUGH_EAGAIN; i++) {
        struct picture seen;

        err = bough_store_resize(f->w.s, (uint64_t)38 * ZONE, ZONE);
        OK(play(&f->w, i % 3 ? "c" : "d", &f->ram.blk));
        seen = picture_of(reader);
        assert_true(picture_eq(&seen, &p));
    }
    assert_int_equal(err, BOUGH_EAGAIN);
    OK(bough_store_resize(f->w.s, (uint64_t)ZONES * ZONE, ZONE));
    bough_store_close(reader);
    settle(&f->w);
    OK(resize(f, 38));
    assert_sized(f, &f->ram.blk, 38);
    world_close(&f->w);
    fix_free(f);
}

static void test_store_resize__refuses_what_does_not_fit(void **state)
{
    struct fix *f = fix_new("bbbbbcc");

    (void)state;
    OK(world_open(&f->w, &f->ram.blk));
    assert_int_equal(bough_store_resize(f->w.s, 15 * ZONE, ZONE), BOUGH_EINVAL);
    assert_int_equal(bough_store_resize(f->w.s, 20 * ZONE, ZONE), BOUGH_ENOSPC);
    assert_int_equal(bough_store_resize(f->w.s, (uint64_t)(ROOM + 1) * ZONE, ZONE), BOUGH_ENOSPC);
    f->ram.blk.caps &= ~(uint32_t)BOUGH_BLOCK_RESIZE;
    assert_int_equal(bough_store_resize(f->w.s, (uint64_t)ROOM * ZONE, ZONE), BOUGH_ENOTSUP);
    assert_sized(f, &f->ram.blk, ZONES);
    world_close(&f->w);
    fix_free(f);
}

/* Values, each of a zone nearly, until there is no room; how many are there. */
static uint32_t values_fill(struct fix *f)
{
    uint8_t value[ZONE - 2048];
    uint64_t seed = 1;
    enum bough_err err = BOUGH_OK;
    uint32_t n = 0;

    while (!err) {
        struct bough_txn *txn;
        struct bough_oid id;

        for (size_t i = 0; i < sizeof value; i += 8)
            bough_put64le(value + i, test_random(&seed));
        OK(bough_txn_begin(f->w.s, &txn));
        err = bough_txn_put(txn, BOUGH_BLOB, bough_view(value, sizeof value), &id);
        if (err)
            bough_txn_abort(txn);
        else
            err = bough_txn_commit(txn, BOUGH_DURABLE_NOW);
        n += !err;
    }
    assert_int_equal(err, BOUGH_ENOSPC);
    return n;
}

/* What is written between the steps needs the room that was to go: the store has all its zones then. */
static void test_store_resize__gives_back_what_it_could_not_take(void **state)
{
    struct fix *f = fix_new("ccbxxbiicddwmeecc");
    struct bough_store *reader; /* waits for it */
    uint32_t before;

    (void)state;
    f->ram.blk.caps |= BOUGH_BLOCK_THREADS;
    OK(world_open(&f->w, &f->ram.blk));
    OK(bough_store_reader(f->w.s, NULL, &reader));
    assert_int_equal(bough_store_resize(f->w.s, 28 * ZONE, ZONE), BOUGH_EAGAIN);
    before = values_fill(f);
    assert_int_equal(bough_store_resize(f->w.s, 28 * ZONE, ZONE), BOUGH_ENOSPC);
    bough_store_close(reader);
    assert_true(values_fill(f) > before + 8); /* those that are there take no room again */
    world_close(&f->w);
    fix_free(f);
}

/* ---- Power cuts ---- */

/* The power fails at call `at` of a resize and the commit after it; true: it was cut. */
static bool cut_at(struct fix *f, uint32_t zones, uint64_t at, uint32_t fate)
{
    struct cutblk c;
    enum bough_err err;
    bool dead;

    memcpy(f->device, f->before, ROOM * ZONE);
    ram_init(f);
    f->w.seen = f->w.acked = f->w.m.n;
    cutblk_init(&c, &f->ram.blk, NULL, at);
    c.fate = fate < CUT_RUN_FATES ? (enum cut_fate)fate : fate % 2 ? CUT_SEEDED : CUT_SOME;
    c.seed = fate;
    err = world_open(&f->w, &c.blk);
    if (!err)
        err = resize(f, zones);
    assert_true(!err || c.dead);
    world_close(&f->w);
    dead = c.dead;
    if (!dead)
        cutblk_cut(&c);
    cutblk_fini(&c);
    err = world_open(&f->w, &f->ram.blk);
    if (err)
        fail_msg("at %llu fate %u dead %d: %s %llu count %llu", (unsigned long long)at, fate, dead,
            f->w.why.what, (unsigned long long)f->w.why.at, (unsigned long long)f->ram.blk.count);
    assert_false(f->w.s->read_only);
    settle(&f->w);
    OK(resize(f, zones));
    settle(&f->w);
    world_close(&f->w);
    assert_int_equal(f->ram.blk.count, (uint64_t)zones * ZONE / UNIT);
    return dead;
}

static void cut_everywhere(const char *history, uint32_t zones)
{
    struct fix *f = fix_new(history);
    uint64_t at = 0;
    bool cut = true;

    for (; cut; at++) {
        for (uint32_t fate = 0; fate < CUT_RUN_FATES + 3; fate++)
            cut = cut_at(f, zones, at, fate);
    }
    print_message("%s to %u zones: %llu calls\n", history, zones, (unsigned long long)at);
    assert_true(at > 6);
    fix_free(f);
}

static void test_store_resize__survives_every_cut_of_growing(void **state)
{
    (void)state;
    cut_everywhere("ccdeimcc", ROOM);
}

static void test_store_resize__survives_every_cut_of_shrinking(void **state)
{
    (void)state;
    cut_everywhere("xxmidmcc", LITTLE + 4);
    cut_everywhere("bmcmxcc", LITTLE + 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_resize__keeps_everything),
        cmocka_unit_test(test_store_resize__goes_on_beside_commits_and_readers),
        cmocka_unit_test(test_store_resize__refuses_what_does_not_fit),
        cmocka_unit_test(test_store_resize__gives_back_what_it_could_not_take),
        cmocka_unit_test(test_store_resize__survives_every_cut_of_growing),
        cmocka_unit_test(test_store_resize__survives_every_cut_of_shrinking),
    };

    return cmocka_run_group_tests_name("sim/store resize", tests, NULL, NULL);
}
