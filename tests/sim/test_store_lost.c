/*
 * test_store_lost.c - whole stretches of a device are lost: named, and what is left is found.
 *
 * Goal: a superblock or a ring of them that is gone is named, no answer is another one for it, and who
 * writes puts it back; without any superblock the store is still there for who wants what is left; the
 * end of the log that is torn off is noticed after a clean end, and is an older state, whole, after none;
 * a device that was cut is called that, with both lengths, and gives what it has; a ref of which something newer
 * may be lost is named, and no other.
 * Method: a store made by a history (store_world.h) beside its model, of which stretches are zeroed.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, BYTES = ZONES * ZONE, RING = 8 * UNIT };

struct fix {
    struct world w;
    struct bough_ramblk ram;
    uint8_t device[BYTES], pristine[BYTES];
    char found[128 * 1024]; /* all that check() said */
};

static const struct bough_log_open_opts often = {
    .cache = 64 * 1024, .table_rows = 8, .log_max = 16 * 1024};
static const struct bough_log_open_opts seldom = {.cache = 64 * 1024};
static const struct bough_log_open_opts reading = {.cache = 64 * 1024, .read_only = true};
static const struct bough_log_open_opts saving = {
    .cache = 64 * 1024, .read_only = true, .past_damage = true};

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_env_init(&f->w.t);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    model_open(&f->w.m);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    return f;
}

/* `often` makes checkpoints; each call is a mount, which ends cleanly. */
static void life(struct fix *f, struct bough_log_open_opts opts, const char *history)
{
    f->w.opts = opts;
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, history, &f->ram.blk));
    world_close(&f->w);
    memcpy(f->pristine, f->device, BYTES);
}

static void fix_free(struct fix *f)
{
    model_close(&f->w.m);
    test_env_done(&f->w.t);
    free(f);
}

static void take_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    struct fix *f = ctx;
    size_t n = strlen(f->found);

    assert_int_equal(err, BOUGH_ECORRUPT);
    snprintf(
        f->found + n, sizeof f->found - n, "%s: %.*s\n", what, (int)key.len, (const char *)key.ptr);
}

/* What check() says of the store opened so. */
static void check_as(struct fix *f, struct bough_log_open_opts opts)
{
    enum bough_err err;

    f->w.opts = opts;
    f->found[0] = '\0';
    OK(world_open(&f->w, &f->ram.blk));
    err = bough_store_check(f->w.s, take_report, f);
    assert_int_equal(err, f->found[0] == '\0' ? BOUGH_OK : BOUGH_ECORRUPT);
}

static void assert_says(struct fix *f, const char *what)
{
    if (strstr(f->found, what) == NULL)
        fail_msg("check() does not say \"%s\", but: %s", what, f->found);
}

/* The open store is what the model is. */
static void assert_all_there(struct fix *f)
{
    struct picture p = picture_of(f->w.s);

    assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n]));
    assert_whole(&f->w);
}

static void lose(struct fix *f, uint64_t at, uint64_t n)
{
    memcpy(f->device, f->pristine, BYTES);
    memset(f->device + at, 0, n);
}

/* ---- Superblocks ---- */

/* Named by who reads, put back by who writes. */
static void superblocks_lost(struct fix *f, uint64_t at, uint64_t n)
{
    lose(f, at, n);
    check_as(f, reading);
    assert_says(f, "a superblock is missing; the others are in use: byte ");
    assert_all_there(f);
    world_close(&f->w);
    check_as(f, seldom);
    assert_string_equal(f->found, "");
    assert_all_there(f);
    world_close(&f->w);
    check_as(f, reading);
    assert_string_equal(f->found, "");
    world_close(&f->w);
}

static void test_log__names_lost_superblocks(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    life(f, seldom, "c");
    superblocks_lost(f, 0, RING); /* a young store: most slots were never written */
    superblocks_lost(f, ZONE, RING);
    lose(f, 0, 0);
    life(f, often, "cdcrcrdcrcrcrcrc");
    for (uint64_t slot = 0; slot < 16; slot++)
        superblocks_lost(f, slot / 8 * ZONE + slot % 8 * UNIT, UNIT);
    superblocks_lost(f, 0, RING);
    superblocks_lost(f, ZONE, RING);
    fix_free(f);
}

/* What was put back leads to the newest checkpoint: also when all others are lost then. */
static void test_log__heals_superblocks_to_the_newest_checkpoint(void **state)
{
    struct fix *f = fix_new();
    uint64_t newest;

    (void)state;
    life(f, often, "cdcrcrdcrcrcrcrcdi");
    lose(f, 0, RING);
    check_as(f, seldom);
    newest = bough_log__of(f->w.s)->super.checkpoint;
    world_close(&f->w);
    memset(f->device + ZONE, 0, RING);
    for (uint64_t slot = 0; slot < 8; slot++) {
        struct bough_log__geo geo;
        struct bough_log__super s;

        OK(bough_log__super_decode(f->device + slot * UNIT, &geo, &s));
        assert_int_equal(s.checkpoint, newest);
    }
    check_as(f, reading);
    assert_all_there(f);
    world_close(&f->w);
    fix_free(f);
}

static void test_log__finds_checkpoints_without_superblocks(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    life(f, often, "ccdcickidcck");
    life(f, seldom, "cdxi");
    memset(f->device, 0, RING);
    memset(f->device + ZONE, 0, RING);
    f->w.opts = reading;
    assert_int_equal(world_open(&f->w, &f->ram.blk), BOUGH_ENOENT);
    check_as(f, saving);
    assert_says(f, "no superblock is left; a checkpoint was found without one: at ");
    assert_all_there(f);
    world_close(&f->w);
    fix_free(f);
}

/* Superblocks, but no root: what is in frames, and in packs that they adopt. */
static void test_log__takes_frames_without_a_checkpoint(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    life(f, often, "ccdcicidcc");
    life(f, seldom, "cdi");
    for (uint64_t at = 0; at < BYTES; at += UNIT) {
        if (memcmp(f->device + at, "BgRt", 4) == 0)
            memset(f->device + at, 0, UNIT);
    }
    f->w.opts = reading;
    assert_int_equal(world_open(&f->w, &f->ram.blk), BOUGH_ECORRUPT);
    assert_string_equal(f->w.why.what, "no checkpoint is whole");
    check_as(f, saving);
    assert_says(f, "no checkpoint is whole; what frames of the log have was taken: at ");
    assert_says(f, "a ref may be older than it was: refs/");
    assert_all_there(f);
    world_close(&f->w);
    fix_free(f);
}

/* Of two stores the one that was written last is found, though the other one is older. */
static void test_log__finds_the_store_written_last(void **state)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct fix *f = fix_new();

    (void)state;
    life(f, often, "ccdcickidcckcckcckcck");
    f->w.t.time.sec += 60;
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    model_cut(&f->w.m, 0);
    life(f, seldom, "cc");
    memset(f->device, 0, RING);
    memset(f->device + ZONE, 0, RING);
    f->w.opts = saving;
    OK(world_open(&f->w, &f->ram.blk));
    assert_all_there(f);
    world_close(&f->w);
    fix_free(f);
}

/* ---- The end of the log ---- */

/* Where the last frame begins. */
static uint64_t last_frame(struct fix *f)
{
    uint64_t at = BYTES - UNIT;

    while (memcmp(f->device + at, "BgFr", 4) != 0)
        at -= UNIT;
    return at;
}

static void test_log__names_a_lost_end(void **state)
{
    struct fix *f = fix_new();
    uint64_t at;

    (void)state;
    life(f, seldom, "cdc");
    at = last_frame(f);
    lose(f, at, (at / ZONE + 1) * ZONE - at);
    f->w.opts = seldom;
    assert_int_equal(world_open(&f->w, &f->ram.blk), BOUGH_ECORRUPT);
    assert_string_equal(f->w.why.what, "the log is damaged below what was acknowledged");
    check_as(f, reading);
    assert_says(f, "the log is damaged below what was acknowledged: at ");
    world_close(&f->w);
    fix_free(f);
}

/* Without a clean end nobody knows of the newest frame: it is an older state, and whole. */
static void test_log__a_lost_end_after_a_crash_is_an_older_state(void **state)
{
    struct fix *f = fix_new();
    struct picture p;
    uint64_t at;

    (void)state;
    f->w.opts = seldom;
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cdc", &f->ram.blk));
    memcpy(f->pristine, f->device, BYTES);
    world_close(&f->w);
    at = last_frame(f);
    lose(f, at, (at / ZONE + 1) * ZONE - at);
    check_as(f, seldom);
    assert_string_equal(f->found, "");
    p = picture_of(f->w.s);
    assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n - 1]));
    world_close(&f->w);
    fix_free(f);
}

/* ---- A device that was cut ---- */

static void test_log__names_a_cut_device(void **state)
{
    struct fix *f = fix_new();
    char want[100];
    bool all = false;

    (void)state;
    life(f, often, "ccdcickidcck");
    for (uint64_t bytes = BYTES - UNIT; bytes >= 8 * UNIT;
         bytes -= bytes > 2 * ZONE ? ZONE : UNIT) {
        enum bough_err err;
        bough_ramblk_init(&f->ram, f->device, bytes / UNIT, UNIT);
        f->w.opts = seldom;
        assert_int_equal(world_open(&f->w, &f->ram.blk), BOUGH_ECORRUPT);
        assert_string_equal(f->w.why.what, "the device is shorter than its store");
        assert_int_equal(f->w.why.at, bytes);
        snprintf(want, sizeof want, "%llu bytes, and the superblock says %d",
            (unsigned long long)bytes, BYTES);
        assert_int_equal(f->w.why.key_len, strlen(want));
        assert_memory_equal(f->w.why.key, want, strlen(want));
        f->w.opts = saving;
        err = world_open(&f->w, &f->ram.blk);
        assert_true(err == BOUGH_OK || err == BOUGH_ECORRUPT);
        if (bytes == BYTES - UNIT) {
            OK(err);
            assert_all_there(f);
            all = true;
        }
        if (!err)
            world_close(&f->w);
        if (!err)
            check_as(f, saving);
        if (!err)
            assert_says(f, want);
        if (!err)
            world_close(&f->w);
    }
    assert_true(all);
    fix_free(f);
}

/* ---- Refs ---- */

/* Set refs/heads/NNN, from..to, each to a blob of its own, in one commit. */
static void refs_set(struct fix *f, int from, int to, char what)
{
    struct bough_txn *t;

    OK(bough_txn_begin(f->w.s, &t));
    for (int i = from; i <= to; i++) {
        char name[40], body[20];
        int n = snprintf(name, sizeof name, "refs/heads/%03d", i);
        struct bough_ref_change c = {.name = bough_view(name, (size_t)n), .kind = BOUGH_REF_ID};

        n = snprintf(body, sizeof body, "%c%d", what, i);
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(body, (size_t)n), &c.id));
        OK(bough_txn_ref(t, &c));
    }
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

/* Of 000..last are exactly those from..to said to be older, perhaps? */
static void assert_doubts(struct fix *f, int last, int from, int to)
{
    for (int i = 0; i <= last; i++) {
        char line[80];

        snprintf(line, sizeof line, "a ref may be older than it was: refs/heads/%03d\n", i);
        if ((strstr(f->found, line) != NULL) != (i >= from && i <= to))
            fail_msg(
                "%s a doubt of %03d: %s", i >= from && i <= to ? "no" : "there is", i, f->found);
    }
}

static void test_log__names_refs_that_a_damaged_block_may_have(void **state)
{
    struct fix *f = fix_new();
    const struct bough_log__table *t;
    struct bough_log *l;
    uint64_t at, left;

    (void)state;
    f->w.opts = seldom;
    OK(world_open(&f->w, &f->ram.blk));
    l = bough_log__of(f->w.s);
    refs_set(f, 0, 999, 'a');
    OK(bough_log__checkpoint(l));
    refs_set(f, 400, 599, 'b');
    OK(bough_log__checkpoint(l));
    refs_set(f, 450, 460, 'c'); /* these are in the log, behind all tables */
    t = &l->reftable[l->reftables - 1];
    assert_true(l->reftables == 2 && t->blocks > 2);
    OK(bough_log__run_at(l, &t->run, BOUGH_LOG__BLOCK, &at, &left)); /* the second of its blocks */
    world_close(&f->w);
    check_as(f, saving);
    assert_string_equal(f->found, "");
    world_close(&f->w);
    f->device[at + 100] ^= 1;
    check_as(f, saving);
    assert_says(f, "a block of a ref table cannot be read: block 1");
    {
        const char *first = strstr(f->found, "older than it was: refs/heads/"), *last = first;
        int from, to;

        assert_non_null(first);
        while (strstr(last + 1, "older than it was: refs/heads/") != NULL)
            last = strstr(last + 1, "older than it was: refs/heads/");
        from = atoi(first + 30);
        to = atoi(last + 30);
        assert_true(from > 460 && from < 520 && to > from + 50 && to <= 599);
        assert_doubts(f, 999, from, to);
    }
    world_close(&f->w);
    fix_free(f);
}

static void test_log__names_refs_that_a_lost_frame_may_have(void **state)
{
    struct fix *f = fix_new();
    uint64_t at;

    (void)state;
    f->w.opts = seldom;
    OK(world_open(&f->w, &f->ram.blk));
    refs_set(f, 0, 9, 'a');
    refs_set(f, 3, 4, 'b');
    at = last_frame(f);
    refs_set(f, 5, 9, 'c');
    world_close(&f->w);
    f->device[at + 40] ^= 1;
    check_as(f, saving);
    assert_says(f, "the log is damaged below what was acknowledged: at ");
    assert_doubts(f, 9, 0, 4);
    world_close(&f->w);
    check_as(f, reading);
    assert_doubts(f, 9, 0, 9);
    world_close(&f->w);
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__names_lost_superblocks),
        cmocka_unit_test(test_log__heals_superblocks_to_the_newest_checkpoint),
        cmocka_unit_test(test_log__finds_checkpoints_without_superblocks),
        cmocka_unit_test(test_log__takes_frames_without_a_checkpoint),
        cmocka_unit_test(test_log__finds_the_store_written_last),
        cmocka_unit_test(test_log__names_a_lost_end),
        cmocka_unit_test(test_log__a_lost_end_after_a_crash_is_an_older_state),
        cmocka_unit_test(test_log__names_a_cut_device),
        cmocka_unit_test(test_log__names_refs_that_a_damaged_block_may_have),
        cmocka_unit_test(test_log__names_refs_that_a_lost_frame_may_have),
    };

    return cmocka_run_group_tests_name("sim/store lost", tests, NULL, NULL);
}
