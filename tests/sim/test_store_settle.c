/*
 * test_store_settle.c - the log engine on a device that cannot flush.
 *
 * Goal: after a power cut the store opens without repair and holds a state in commit order, at
 * least all that was committed before what has settled; a cut in recovery changes nothing about
 * that; what breaks the device's promise is found and said.  Method: histories (store_world.h) on
 * a device without sync, on which a change is on the medium once enough was written after it
 * (cutblk.h); cut at every call with every fate for what had not settled, and long random lives.
 */
#include "tests/sim/medium.h"

enum { SHORT_ZONES = 24, LONG_ZONES = 400 };
enum { LITTLE = 6 * 1024, MUCH = 64 * 1024 }; /* bytes after which a change has settled */

static uint64_t written[TX_MAX + 1]; /* bytes, when so many transactions were committed */

static struct medium *settling(size_t zones, uint64_t settle)
{
    struct bough_log_open_opts opts = {.cache = 64 * 1024, .settle_bytes = settle};

    return medium_new(zones, test_algo(), opts, false);
}

static void cut_begin(struct medium *f, struct cutblk *c, uint64_t left)
{
    cutblk_init(c, &f->ram.blk, NULL, left);
    cutblk_settle(c, f->w.opts.settle_bytes);
}

/* The power is off: only what was committed before what has settled must be there. */
static void lose(struct medium *f, const struct cutblk *c, size_t from)
{
    f->w.acked = f->w.m.n;
    while (f->w.acked > from && c->written < written[f->w.acked] + c->settle)
        f->w.acked--;
}

/* Open and take steps until the power fails or the steps end; then the power fails anyway. */
static void live(struct medium *f, const char *history, struct cutblk *c)
{
    enum bough_err err = open_alive(&f->w, c);
    bool opened = !err;
    size_t from;

    if (opened)
        settle(&f->w);
    from = f->w.m.n; /* what is there at the beginning lies on the medium */
    for (; *history != 0 && !err; history++) {
        size_t before = f->w.m.n;
        err = step(&f->w, *history, &c->blk);
        while (before++ < f->w.m.n)
            written[before] = c->written;
    }
    if (f->w.seen < f->w.m.n) /* in flight */
        written[f->w.m.n] = UINT64_MAX / 2;
    world_close(&f->w);
    if (err && !c->dead)
        fail_msg("%s: %s (%s)", history, bough_err_name(err), f->w.why.what);
    if (!c->dead)
        cutblk_cut(c);
    if (opened)
        lose(f, c, from);
    cutblk_fini(c);
}

static uint64_t calls_of(struct medium *f, const char *history)
{
    struct cutblk c;
    uint64_t calls;

    medium_begin(f);
    cut_begin(f, &c, CUT_NEVER);
    c.fate = CUT_KEPT;
    live(f, history, &c);
    calls = c.calls;
    recover(&f->w, &f->ram.blk);
    medium_end(f);
    return calls;
}

enum { SEEDS = 12, FATES = CUT_RUN_FATES + SEEDS };

static void set_fate(struct cutblk *c, uint32_t n)
{
    c->fate = n < CUT_RUN_FATES ? (enum cut_fate)n : n % 3 == 0 ? CUT_SEEDED : CUT_SOME;
    c->seed = n;
}

/* A cut at every call of a history, and another one soon in the life after it. */
static void cut_everywhere(const char *history, struct bough_log_open_opts opts)
{
    struct medium *f = settling(SHORT_ZONES, opts.settle_bytes);
    uint64_t calls;

    f->w.opts = opts;
    calls = calls_of(f, history);
    assert_true(calls > 5);
    for (uint64_t at = 0; at <= calls; at++) {
        for (uint32_t fate = 0; fate < FATES; fate++) {
            struct cutblk c;

            medium_begin(f);
            cut_begin(f, &c, at);
            set_fate(&c, fate);
            live(f, history, &c);
            cut_begin(f, &c, (at + fate) % 7);
            set_fate(&c, (fate + 3) % FATES);
            live(f, "ccm", &c);
            recover(&f->w, &f->ram.blk);
            medium_end(f);
        }
    }
    medium_free(f);
}

static const struct bough_log_open_opts plain = {.cache = 64 * 1024, .settle_bytes = LITTLE};
static const struct bough_log_open_opts often = {
    .cache = 64 * 1024, .table_rows = 4, .log_max = 8 * 1024, .settle_bytes = LITTLE};
static const struct bough_log_open_opts late = {
    .cache = 64 * 1024, .table_rows = 4, .log_max = 8 * 1024, .settle_bytes = MUCH};
static const struct bough_log_open_opts ahead = {
    .cache = 64 * 1024, .table_rows = 3, .log_max = 1024 * 1024, .settle_bytes = MUCH};

static void test_log__without_flush_every_cut_of_commits(void **state)
{
    (void)state;
    cut_everywhere("cdccec", plain);
    cut_everywhere("clslcarc", plain);
    cut_everywhere("cxcbc", plain);
}

static void test_log__without_flush_every_cut_of_segments(void **state)
{
    (void)state;
    cut_everywhere("ciicbwc", plain);
    cut_everywhere("xrcxc", ahead);
}

static void test_log__without_flush_every_cut_of_checkpoints(void **state)
{
    (void)state;
    cut_everywhere("cmccmceedicmcecmc", often);
    cut_everywhere("cmccmceedicmcrcmc", late);
}

/* ---- Long lives ---- */

static void random_life(struct medium *f)
{
    static const char steps[] = "cccccccceeeeddddddllllllssiiiwbxaamr";
    char history[64];
    uint32_t n = 5 + draw(&f->tape, 50);
    struct cutblk c;

    for (uint32_t i = 0; i < n; i++)
        history[i] = steps[draw(&f->tape, sizeof steps - 1)];
    history[n] = 0;
    cut_begin(f, &c, draw(&f->tape, 200));
    c.fate = draw(&f->tape, 8) == 0 ? CUT_LOST : CUT_SEEDED;
    c.seed = draw(&f->tape, UINT32_MAX);
    live(f, history, &c);
}

static void test_log__without_flush_random_lives(void **state)
{
    struct medium *f = settling(LONG_ZONES, LITTLE);

    (void)state;
    tape_seeded(&f->tape, 1, 40);
    while (tape_next(&f->tape)) {
        uint32_t lives = 1 + draw(&f->tape, 6);

        f->w.opts.table_rows = 4 + draw(&f->tape, 100);
        f->w.opts.log_max = (uint64_t)4096 << draw(&f->tape, 6);
        f->w.opts.prepare = draw(&f->tape, 2) ? 1 : 8 * 1024;
        f->w.opts.settle_bytes = (uint64_t)2048 << draw(&f->tape, 7);
        medium_begin(f);
        while (lives-- > 0)
            random_life(f);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
    }
    medium_free(f);
}

/* ---- Time, notice, broken promises ---- */

static uint64_t durable_checkpoint(struct medium *f)
{
    uint64_t most = 0;

    for (int i = 0; i < 16; i++) {
        uint64_t n =
            bough_get64le(f->device + (size_t)(i % 2) * ZONE + (size_t)(i / 2) * UNIT + 96);
        most = n > most ? n : most;
    }
    return most;
}

/* Without a clock that goes on, and with few bytes written, a root waits for its superblock. */
static void test_log__a_superblock_waits_until_its_root_has_settled(void **state)
{
    struct medium *f = settling(SHORT_ZONES, MUCH);
    struct bough_store_stats st;

    (void)state;
    medium_begin(f);
    f->w.opts.table_rows = 4;
    OK(world_open(&f->w, &f->ram.blk));
    assert_int_equal(f->w.t.logged[BOUGH_LOG_WARN], 1);
    OK(bough_store_stat(f->w.s, &st));
    assert_true(st.settles);
    OK(play(&f->w, "cccccccccc", &f->ram.blk));
    assert_int_equal(durable_checkpoint(f), 1);
    f->w.t.time.sec += 31;
    OK(play(&f->w, "s", &f->ram.blk));
    assert_true(durable_checkpoint(f) > 2);
    world_close(&f->w);
    medium_end(f);
    medium_free(f);
}

/* A clock that is set back by years while a root waits. */
static void test_log__a_clock_that_was_set_back_holds_nothing_up(void **state)
{
    struct medium *f = settling(SHORT_ZONES, MUCH);

    (void)state;
    medium_begin(f);
    f->w.opts.table_rows = 4;
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cccccccccc", &f->ram.blk));
    f->w.t.time.sec -= 100000000;
    OK(play(&f->w, "s", &f->ram.blk));
    assert_int_equal(durable_checkpoint(f), 1); /* it may have been set back at once */
    f->w.t.time.sec += 31;
    OK(play(&f->w, "s", &f->ram.blk));
    assert_true(durable_checkpoint(f) > 2);
    world_close(&f->w);
    medium_end(f);
    medium_free(f);
}

/* The newest superblock that has settled is still there, however many were written since. */
static void test_log__a_settled_superblock_is_not_written_over(void **state)
{
    struct medium *f = settling(SHORT_ZONES, 1 << 30);
    struct cutblk c;

    (void)state;
    medium_begin(f);
    f->w.t.time.sec += 60;
    cut_begin(f, &c, CUT_NEVER);
    c.fate = CUT_TORN;
    for (int i = 0; i < 20; i++) { /* two superblocks each */
        OK(world_open(&f->w, &c.blk));
        OK(step(&f->w, 'c', &c.blk));
        world_close(&f->w);
        f->w.t.time.sec += 1;
    }
    cutblk_cut(&c);
    cutblk_fini(&c);
    f->w.acked = 0;
    recover(&f->w, &f->ram.blk);
    medium_end(f);
    medium_free(f);
}

static uint8_t *frame_of(struct medium *f, size_t n)
{
    static const uint8_t magic[4] = {0x42, 0x67, 0x46, 0x72};

    for (size_t at = 0; at < f->bytes; at += UNIT) {
        if (memcmp(f->device + at, magic, sizeof magic) == 0 && n-- == 0)
            return f->device + at;
    }
    return NULL;
}

/* A mount is lost but for its second frame; the next mount's first is the same as the lost one's. */
static void test_log__a_lost_mount_does_not_come_back(void **state)
{
    struct medium *f = settling(SHORT_ZONES, MUCH);
    uint8_t frame[4 * UNIT], *at;

    (void)state;
    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cc", &f->ram.blk));
    world_close(&f->w);
    at = frame_of(f, 2); /* behind that of the format, and the first commit's */
    assert_non_null(at);
    memcpy(frame, at, sizeof frame);
    medium_end(f);
    medium_begin(f);
    memcpy(at, frame, sizeof frame);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cr", &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, 1);
    world_close(&f->w);
    medium_end(f);
    medium_free(f);
}

/* A mount is lost, and so is the next one but for its superblock and those after it: what lies there is
   of the first again. */
static void test_log__a_lost_mount_does_not_come_back_behind_another(void **state)
{
    struct medium *f = settling(SHORT_ZONES, MUCH);
    uint8_t frame[4 * UNIT], *before = malloc(f->bytes), *at;

    (void)state;
    assert_non_null(before);
    for (int round = 0; round < 12;
         round++) { /* epochs grow at random: sometimes the first's is less */
        medium_begin(f);
        OK(world_open(&f->w, &f->ram.blk));
        OK(play(&f->w, "c", &f->ram.blk));
        world_close(&f->w);
        memcpy(before, f->device, f->bytes);
        OK(world_open(&f->w, &f->ram.blk));
        OK(play(&f->w, "c", &f->ram.blk));
        world_close(&f->w);
        at = frame_of(f, 2); /* behind that of the format, and the first commit's */
        assert_non_null(at);
        memcpy(frame, at, sizeof frame);
        memcpy(f->device, before, f->bytes);
        model_cut(&f->w.m, 1);
        OK(world_open(&f->w, &f->ram.blk));
        OK(play(&f->w, "cr", &f->ram.blk));
        world_close(&f->w);
        memcpy(at, frame, sizeof frame);
        f->w.acked = 1;
        OK(world_open(&f->w, &f->ram.blk));
        settle(&f->w);
        assert_int_equal(f->w.m.n, 1);
        world_close(&f->w);
        medium_end(f);
    }
    free(before);
    medium_free(f);
}

/* A frame that later ones say has settled is damaged: that is no end of the log. */
static void test_log__a_broken_promise_is_damage(void **state)
{
    struct medium *f = settling(SHORT_ZONES, LITTLE);

    (void)state;
    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cccccccccccccccccccccccccccccccc", &f->ram.blk));
    world_close(&f->w);
    assert_non_null(frame_of(f, 5));
    memset(frame_of(f, 5), 0, UNIT);
    assert_int_equal(world_open(&f->w, &f->ram.blk), BOUGH_ECORRUPT);
    f->w.opts.read_only = true;
    OK(world_open(&f->w, &f->ram.blk));
    world_close(&f->w);
    medium_end(f);
    medium_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__without_flush_every_cut_of_commits),
        cmocka_unit_test(test_log__without_flush_every_cut_of_segments),
        cmocka_unit_test(test_log__without_flush_every_cut_of_checkpoints),
        cmocka_unit_test(test_log__without_flush_random_lives),
        cmocka_unit_test(test_log__a_superblock_waits_until_its_root_has_settled),
        cmocka_unit_test(test_log__a_clock_that_was_set_back_holds_nothing_up),
        cmocka_unit_test(test_log__a_settled_superblock_is_not_written_over),
        cmocka_unit_test(test_log__a_lost_mount_does_not_come_back),
        cmocka_unit_test(test_log__a_lost_mount_does_not_come_back_behind_another),
        cmocka_unit_test(test_log__a_broken_promise_is_damage),
    };

    return cmocka_run_group_tests_name("sim/store settle", tests, NULL, NULL);
}
