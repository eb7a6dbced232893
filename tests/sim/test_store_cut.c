/*
 * test_store_cut.c - the log engine survives a power cut at any point.
 *
 * Goal: after a cut the store opens without repair, holds the last acknowledged state or one in
 * flight, whole, and takes new writes; a cut during recovery changes nothing about that.
 * Method: short histories (store_world.h) over a tape of every device call at which the power can
 * fail and every fate of the unsynced units, then a second cut among the calls of recovery; long
 * random histories of several lives over seeds.  The memory engine is the model.
 */
#include "store/log/inner.h"
#include "tests/sim/medium.h"

enum {
    SHORT_ZONES = 24,
    ROOMY_ZONES = 48, /* so that upkeep may use some */
    LONG_ZONES = 400,
};

/* Device calls of a history that nothing disturbs, opening and closing included. */
static uint32_t calls_of(struct medium *f, const char *history)
{
    struct cutblk cut;
    uint32_t calls;

    medium_begin(f);
    cutblk_init(&cut, &f->ram.blk, NULL, CUT_NEVER);
    OK(world_open(&f->w, &cut.blk));
    OK(play(&f->w, history, &cut.blk));
    world_close(&f->w);
    calls = (uint32_t)cut.calls;
    cutblk_fini(&cut);
    recover(&f->w, &f->ram.blk);
    medium_end(f);
    return calls;
}

/* Open and play until the power fails at call `left`. */
static void live(struct medium *f, const char *history, struct cutblk *cut)
{
    enum bough_err err = open_alive(&f->w, cut);

    if (!err)
        settle(&f->w);
    if (!err)
        err = play(&f->w, history, &cut->blk);
    world_close(&f->w);
    if (err && !cut->dead)
        fail_msg("%s: %s (%s)", history, bough_err_name(err), f->w.why.what);
    cutblk_fini(cut);
}

/* All cuts of a history, and of the recovery after it, which ends with the commit `then`. */
static void cut_everywhere_in(enum bough_algo algo, const char *history,
    struct bough_log_open_opts opts, uint32_t each, const char *then)
{
    enum { RECOVERY = 5 }; /* calls: an open and a commit */
    struct medium *f = medium_new(SHORT_ZONES, algo, opts, true);
    uint32_t calls = calls_of(f, history);

    tape_all(&f->tape);
    while (tape_next(&f->tape)) {
        struct cutblk cut;
        medium_begin(f);
        cutblk_init(&cut, &f->ram.blk, &f->tape, draw(&f->tape, calls + 1));
        cut.each = each;
        live(f, history, &cut);
        cutblk_init(&cut, &f->ram.blk, &f->tape, draw(&f->tape, RECOVERY));
        cut.each = each;
        live(f, then, &cut);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
    }
    print_message("%s: %u calls, %llu runs\n", history, calls, (unsigned long long)f->tape.runs);
    assert_true(f->tape.runs > calls);
    medium_free(f);
}

/* LONG=1: of SHA-256 stores, too. */
static void cut_everywhere(const char *history, struct bough_log_open_opts opts, uint32_t each)
{
    cut_everywhere_in(BOUGH_SHA1, history, opts, each, "c");
    if (getenv("LONG") != NULL)
        cut_everywhere_in(BOUGH_SHA256, history, opts, each, "c");
}

static const struct bough_log_open_opts plain = {.cache = 64 * 1024};
static const struct bough_log_open_opts often = {
    .cache = 64 * 1024, .table_rows = 4, .log_max = 8 * 1024};
static const struct bough_log_open_opts always = {
    .cache = 64 * 1024, .table_rows = 1, .log_max = 1024 * 1024};
static const struct bough_log_open_opts ahead = {
    .cache = 64 * 1024, .table_rows = 8, .log_max = 1024 * 1024};
static const struct bough_log_open_opts prepared = {.cache = 64 * 1024, .prepare = 4 * UNIT};

static void test_log__survives_every_cut_of_commits(void **state)
{
    (void)state;
    cut_everywhere("cc", plain, 4);
    cut_everywhere("cdc", plain, 1);
}

static void test_log__survives_every_tear_of_a_frame(void **state)
{
    (void)state;
    cut_everywhere("e", plain, 5);
}

/* The log goes on in the next zone, and what was torn stays where it was. */
static void test_log__survives_every_tear_before_a_new_zone(void **state)
{
    (void)state;
    cut_everywhere_in(BOUGH_SHA1, "ce", plain, 5, "f");
}

static void test_log__survives_every_cut_of_late_commits(void **state)
{
    (void)state;
    cut_everywhere("clsl", plain, 1);
    cut_everywhere(
        "lll", plain, 1); /* a lost one before two that stay: tails that must not return */
}

static void test_log__survives_every_cut_of_aborts_and_reopens(void **state)
{
    (void)state;
    cut_everywhere("carc", plain, 1);
    cut_everywhere("lrc", plain, 1); /* what was never synced is read back, then built upon */
}

static void test_log__survives_every_cut_of_long_transactions(void **state)
{
    (void)state;
    cut_everywhere("cx", plain, 1);
    cut_everywhere("xr", ahead, 1);
}

/* Zeros are written ahead of the log, and frames over them, before either is flushed. */
static void test_log__survives_every_cut_of_prepared_space(void **state)
{
    (void)state;
    cut_everywhere("cl", prepared, 1);
    cut_everywhere("ce", prepared, 1);
}

static void test_log__survives_every_cut_of_big_objects(void **state)
{
    (void)state;
    cut_everywhere("cbc", plain, 1);
    cut_everywhere("wc", plain, 1);
}

static void test_log__survives_every_cut_of_intake(void **state)
{
    (void)state;
    cut_everywhere("ci", plain, 1);
    cut_everywhere("iic", plain, 1);
}

/* Tables that a history leaves when nothing disturbs it. */
static size_t tables_after(const char *history, struct bough_log_open_opts opts)
{
    struct medium *f = medium_new(ROOMY_ZONES, BOUGH_SHA1, opts, true);
    size_t tables;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, history, &f->ram.blk));
    tables = bough_log__of(f->w.s)->tables;
    world_close(&f->w);
    medium_end(f);
    medium_free(f);
    return tables;
}

/* A cut at every call, with some mixes of what was under way. */
static void cut_at_each(const char *history, struct bough_log_open_opts opts)
{
    enum { SEEDS = 6 };
    struct medium *f = medium_new(ROOMY_ZONES, BOUGH_SHA1, opts, true);
    uint32_t calls = calls_of(f, history);

    for (uint32_t i = 0; i < calls * SEEDS; i++) {
        struct cutblk cut;

        medium_begin(f);
        cutblk_init(&cut, &f->ram.blk, NULL, i / SEEDS);
        cut.fate = i % SEEDS == 0 ? CUT_LOST : CUT_SEEDED;
        cut.seed = i;
        live(f, history, &cut);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
    }
    print_message("%s: %u calls\n", history, calls);
    medium_free(f);
}

/* Four tables of like size become one: in maintenance, or behind a checkpoint that a commit made. */
static void test_log__survives_every_cut_of_merged_tables(void **state)
{
    (void)state;
    assert_in_range(tables_after("x", always), 5, 8);
    assert_in_range(tables_after("xm", always), 1, 4);
    cut_at_each("xmcm", always);
    assert_in_range(tables_after("xc", always), 1, 4);
    cut_at_each("xcxc", always);
}

static void test_log__survives_every_cut_of_checkpoints(void **state)
{
    (void)state;
    cut_everywhere("cmc", plain, 1);
    cut_everywhere("ccccc", often, 1);
    cut_everywhere("cimr", plain, 1);
}

/* A checkpoint after every commit: tables of oids and of refs are merged, their zones return. */
static void test_log__survives_every_cut_of_merges(void **state)
{
    (void)state;
    cut_everywhere("cc", always, 1);
    if (getenv("LONG") == NULL)
        return;
    cut_everywhere("ccc", always, 1);
    cut_everywhere("cdr", always, 1);
    cut_everywhere("wr", always, 1); /* adopted, and its table merged into another */
}

/* ---- Long histories ---- */

static char random_step(struct tape *t)
{
    static const char steps[] = "cccccccceeeeffddddddllllllssiiiwbxaamr";

    return steps[draw(t, sizeof steps - 1)];
}

/* One life: random steps until the power fails, or an end without a cut. */
static void random_life(struct medium *f)
{
    struct cutblk cut;
    enum bough_err err;
    uint32_t steps = 5 + draw(&f->tape, 60);

    cutblk_init(&cut, &f->ram.blk, NULL, draw(&f->tape, 150));
    cut.fate = draw(&f->tape, 8) == 0 ? CUT_LOST : CUT_SEEDED;
    cut.seed = draw(&f->tape, UINT32_MAX);
    err = open_alive(&f->w, &cut);
    if (!err)
        settle(&f->w);
    while (!err && steps-- > 0)
        err = step(&f->w, random_step(&f->tape), &cut.blk);
    world_close(&f->w);
    if (err && !cut.dead)
        fail_msg("%s (%s)", bough_err_name(err), f->w.why.what);
    cutblk_fini(&cut);
}

static void random_lives(enum bough_algo algo, uint64_t seed, uint64_t runs)
{
    struct medium *f = medium_new(LONG_ZONES, algo, plain, true);

    tape_seeded(&f->tape, seed, runs);
    while (tape_next(&f->tape)) {
        uint32_t lives = 1 + draw(&f->tape, 6);
        f->w.opts = plain;
        f->w.opts.table_rows = 4 + draw(&f->tape, 100);
        f->w.opts.log_max = (uint64_t)4096 << draw(&f->tape, 6);
        f->w.opts.prepare = draw(&f->tape, 2) ? 1 : 8 * 1024;
        medium_begin(f);
        while (lives-- > 0)
            random_life(f);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
    }
    medium_free(f);
}

static void test_log__survives_random_lives(void **state)
{
    (void)state;
    random_lives(BOUGH_SHA1, 1, 30);
}

static void test_log__survives_random_lives_with_sha256(void **state)
{
    (void)state;
    random_lives(BOUGH_SHA256, 1001, 15);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__survives_every_cut_of_commits),
        cmocka_unit_test(test_log__survives_every_tear_of_a_frame),
        cmocka_unit_test(test_log__survives_every_tear_before_a_new_zone),
        cmocka_unit_test(test_log__survives_every_cut_of_late_commits),
        cmocka_unit_test(test_log__survives_every_cut_of_aborts_and_reopens),
        cmocka_unit_test(test_log__survives_every_cut_of_long_transactions),
        cmocka_unit_test(test_log__survives_every_cut_of_prepared_space),
        cmocka_unit_test(test_log__survives_every_cut_of_big_objects),
        cmocka_unit_test(test_log__survives_every_cut_of_intake),
        cmocka_unit_test(test_log__survives_every_cut_of_merged_tables),
        cmocka_unit_test(test_log__survives_every_cut_of_checkpoints),
        cmocka_unit_test(test_log__survives_every_cut_of_merges),
        cmocka_unit_test(test_log__survives_random_lives),
        cmocka_unit_test(test_log__survives_random_lives_with_sha256),
    };

    return cmocka_run_group_tests_name("sim/store cut", tests, NULL, NULL);
}
