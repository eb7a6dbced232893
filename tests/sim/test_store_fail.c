/*
 * test_store_fail.c - the log engine when memory, the device or its bytes fail.
 *
 * Goal: whatever fails at any call, nothing acknowledged is lost and nothing torn is shown; damage
 * is found and said, never taken for the end of the log.  Method: one history of every kind of
 * step, run with its n-th allocation, its n-th device call, or its n-th write failing; a flipped bit
 * at a stride over a whole device; tails of a life before, brought back by hand.
 */
#include "tests/sim/failblk.h"
#include "tests/sim/medium.h"

enum { ZONES = 64, BYTES = ZONE * ZONES };

static const char history[] = "cdlsbixwamcrcd";
static const struct bough_log_open_opts opts = {
    .cache = 64 * 1024, .table_rows = 16, .log_max = 64 * 1024};

static uint8_t saved[BYTES]; /* what the device held */

static int setup(void **state)
{
    *state = medium_new(ZONES, test_algo(), opts, true);
    return 0;
}

static int teardown(void **state)
{
    medium_free(*state);
    return 0;
}

static void test_log__failing_memory_loses_nothing(void **state)
{
    struct medium *f = *state;
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        enum bough_err err;

        medium_begin(f);
        f->w.t.mem.fail_at = f->w.t.mem.calls + n;
        f->w.t.mem.failed = false;
        err = world_open(&f->w, &f->ram.blk);
        if (!err)
            err = play(&f->w, history, &f->ram.blk);
        failed = f->w.t.mem.failed;
        f->w.t.mem.fail_at = UINT64_MAX;
        if (err)
            assert_int_equal(err, BOUGH_ENOMEM);
        if (err && f->w.s != NULL) { /* it lives on, with what it had */
            struct picture p = picture_of(f->w.s);
            assert_true(picture_eq(&p, &f->w.m.after[f->w.seen]));
            model_cut(&f->w.m, f->w.seen);
            OK(step(&f->w, 'c', &f->ram.blk));
        }
        world_close(&f->w);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
        assert_true(n < 20000);
        if (!failed)
            print_message("%llu failures\n", (unsigned long long)n);
    }
}

static void test_log__a_failing_device_loses_nothing(void **state)
{
    struct medium *f = *state;
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        struct failblk fail;
        enum bough_err err;

        medium_begin(f);
        failblk_init(&fail, &f->ram.blk, n);
        err = world_open(&f->w, &fail.blk);
        if (!err)
            err = play(&f->w, history, &fail.blk);
        failed = fail.failed;
        if (err)
            assert_int_equal(err, BOUGH_EIO);
        world_close(&f->w);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
        assert_true(n < 20000);
        if (!failed)
            print_message("%llu failures\n", (unsigned long long)n);
    }
}

/* A sync that fails has lost what it should have kept, and the next one would say OK. */
static void test_log__a_failed_sync_is_the_end_of_writing(void **state)
{
    struct medium *f = *state;
    bool hit = true;

    for (uint64_t n = 0; hit; n++) {
        struct cutblk cut;
        enum bough_err err;

        medium_begin(f);
        cutblk_init(&cut, &f->ram.blk, NULL, n);
        cut.survives = true;
        cut.fate = n % 2 ? CUT_LOST : CUT_SEEDED;
        cut.seed = n;
        err = world_open(&f->w, &cut.blk);
        if (!err)
            err = play(&f->w, history, &cut.blk);
        hit = cut.calls > n;
        if (err) {
            assert_int_equal(err, BOUGH_EIO);
            if (f->w.s != NULL) {
                struct bough_txn *t;
                assert_int_equal(bough_txn_begin(f->w.s, &t), BOUGH_EIO);
                assert_int_equal(bough_store_sync(f->w.s), BOUGH_EIO);
            }
        }
        world_close(&f->w);
        cutblk_fini(&cut);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
        assert_true(n < 20000);
    }
}

/* ---- Damage ---- */

static void count_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)err;
    (void)what;
    (void)key;
    ++*(int *)ctx;
}

static enum bough_err read_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct world *w = ctx;
    struct bough_buf want, got;
    enum bough_err err;

    (void)found;
    bough_buf_init(&want, &w->m.t.mem.mem);
    bough_buf_init(&got, &w->t.mem.mem);
    OK(bough_store_read(w->m.s, id, NULL, &want));
    err = bough_store_read(w->s, id, NULL, &got);
    if (!err) /* never wrong bytes */
        assert_true(bough_view_eq(bough_buf_view(&want), bough_buf_view(&got)));
    bough_buf_fini(&want);
    bough_buf_fini(&got);
    return err;
}

/*
 * What may come of a flipped bit: opening says so; or all is there; or what is damaged says so
 * when it is read, and so does check.
 */
static enum bough_err assert_damage_is_found(struct world *w, struct bough_block *dev)
{
    enum bough_err err;
    struct picture p;
    int reports = 0;

    err = world_open(w, dev);
    if (err) {
        assert_true(err == BOUGH_ECORRUPT || err == BOUGH_ENOTSUP);
        return err;
    }
    err = picture_try(w->s, &p);
    if (!err) {
        assert_true(picture_eq(&p, &w->m.after[w->m.n]));
        err = bough_store_each(w->m.s, read_object, w);
    }
    if (err) {
        assert_int_equal(err, BOUGH_ECORRUPT);
        assert_int_equal(bough_store_check(w->s, count_report, &reports), BOUGH_ECORRUPT);
        assert_true(reports > 0);
    }
    world_close(w);
    return err;
}

static void flip_everywhere(struct medium *f, const char *steps, bool again, size_t stride)
{
    size_t harmless = 0, found = 0;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, steps, &f->ram.blk));
    world_close(&f->w);
    if (again) { /* so that the last frame is known to be durable */
        OK(world_open(&f->w, &f->ram.blk));
        world_close(&f->w);
    }
    memcpy(saved, f->device, BYTES);
    for (size_t at = 0; at < (again ? BYTES : 2 * ZONE); at += stride) {
        if (saved[at] == 0)
            continue; /* never written, or padding, mostly */
        memcpy(f->device, saved, BYTES);
        f->device[at] ^= (uint8_t)(1 << at % 8);
        if (assert_damage_is_found(&f->w, &f->ram.blk))
            found++;
        else
            harmless++;
    }
    print_message("%s: %zu flips found, %zu harmless\n", steps, found, harmless);
    assert_true(found + harmless > 30);
    memcpy(f->device, saved, BYTES);
    recover(&f->w, &f->ram.blk);
    medium_end(f);
}

static void test_log__a_flipped_bit_in_the_log_is_found(void **state)
{
    flip_everywhere(*state, "cdccdc", true, 7);
}

static void test_log__a_flipped_bit_anywhere_is_found(void **state)
{
    flip_everywhere(*state, "cdbixwmcd", true, 97);
}

static void test_log__a_flipped_bit_in_a_superblock_loses_nothing(void **state)
{
    flip_everywhere(*state, "crcccc", false, 1);
    flip_everywhere(*state, "crccccccccccmccc", false, 1);
}

/* A damaged store can be read where it is whole. */
static void test_log__a_damaged_log_opens_for_reading(void **state)
{
    struct medium *f = *state;
    struct bough_ref ref;
    size_t at, tried = 0;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "ccmcccc", &f->ram.blk));
    OK(play(&f->w, "r", &f->ram.blk));
    world_close(&f->w);
    memcpy(saved, f->device, BYTES);
    for (at = 2 * ZONE; at < BYTES; at += UNIT) {
        memcpy(f->device, saved, BYTES);
        f->device[at + 10] ^= 1;
        f->w.opts.read_only = false;
        if (!world_open(&f->w, &f->ram.blk)) {
            world_close(&f->w);
            continue;
        }
        f->w.opts.read_only = true;
        if (world_open(&f->w, &f->ram.blk))
            continue; /* nothing is left to stand on */
        tried++;
        assert_true(f->w.s->read_only);
        (void)!bough_store_ref_next(f->w.s, bough_view("", 0), bough_view("", 0), &ref);
        world_close(&f->w);
    }
    f->w.opts.read_only = false;
    assert_true(tried > 0);
    medium_end(f);
}

/* ---- Tails ---- */

/* Frames of a life that ended early lie behind the new end of the log: byte by byte put back
   there, they are as a device may show them. */
static void test_log__tails_of_an_earlier_life_do_not_return(void **state)
{
    struct medium *f = *state;

    for (size_t lost = 0; lost < 4; lost++) {
        struct picture p;

        medium_begin(f);
        OK(world_open(&f->w, &f->ram.blk));
        OK(play(&f->w, "cc", &f->ram.blk));
        memcpy(saved, f->device, BYTES);
        OK(play(&f->w, "llll", &f->ram.blk)); /* never synced */
        world_close(&f->w);
        /* One of the four frames, and only that, never reached the medium. */
        for (size_t at = 0, seen = 0; at < BYTES; at += UNIT) {
            if (memcmp(f->device + at, saved + at, UNIT) == 0)
                continue;
            if (bough_get32le(f->device + at) == 0x72466742 && seen++ == lost)
                memcpy(f->device + at, saved + at, UNIT);
        }
        OK(world_open(&f->w, &f->ram.blk));
        settle(&f->w);
        assert_in_range(f->w.m.n, 2, 2 + lost);
        OK(play(&f->w, "c", &f->ram.blk)); /* over the place of the lost one */
        p = picture_of(f->w.s);
        assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n]));
        for (int i = 0; i < 3; i++)
            OK(play(&f->w, "r", &f->ram.blk));
        settle(&f->w);
        p = picture_of(f->w.s);
        assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n]));
        world_close(&f->w);
        recover(&f->w, &f->ram.blk);
        medium_end(f);
    }
}

/* The second frame of a transaction that was given up stands behind another first one, as long as its own. */
static void test_log__frames_of_an_abort_follow_no_other(void **state)
{
    struct medium *f = *state;

    for (size_t len = 500; len < 31000; len += UNIT - 12) {
        struct bough_oid id;
        struct bough_txn *t;

        medium_begin(f);
        OK(world_open(&f->w, &f->ram.blk));
        OK(bough_txn_begin(f->w.s, &t));
        for (uint64_t i = 0; i < 8; i++)
            OK(put_random(t, i, 9000, &id));
        bough_txn_abort(t);
        OK(bough_txn_begin(f->w.s, &t));
        OK(put_random(t, 99, len, &id));
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        world_close(&f->w);
        OK(world_open(&f->w, &f->ram.blk));
        OK(bough_store_has(f->w.s, &id));
        world_close(&f->w);
        medium_end(f);
    }
}

/* Frames that were gone when the store was opened again are gone, should the device show them after all. */
static void test_log__what_an_open_did_not_see_stays_gone(void **state)
{
    struct medium *f = *state;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cc", &f->ram.blk));
    memcpy(saved, f->device, BYTES);
    OK(play(&f->w, "lll", &f->ram.blk));
    world_close(&f->w);
    for (size_t at = 0; at < BYTES; at += UNIT) { /* exchange what the two have there */
        uint8_t unit[UNIT];
        memcpy(unit, f->device + at, UNIT);
        memcpy(f->device + at, saved + at, UNIT);
        memcpy(saved + at, unit, UNIT);
    }
    OK(world_open(&f->w, &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, 2);
    world_close(&f->w);
    for (size_t at = 2 * ZONE; at < BYTES; at += UNIT) { /* the frames are back, not the rings */
        if (bough_get32le(saved + at) == 0x72466742 ||
            memcmp(f->device + at, f->fresh + at, UNIT) == 0)
            memcpy(f->device + at, saved + at, UNIT);
    }
    OK(world_open(&f->w, &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, 2);
    world_close(&f->w);
    recover(&f->w, &f->ram.blk);
    medium_end(f);
}

/* A store made anew on a device knows nothing of the one before. */
static void test_log__a_new_store_does_not_see_the_old_one(void **state)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct medium *f = *state;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    OK(play(&f->w, "cdcbcimccc", &f->ram.blk));
    world_close(&f->w);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    model_cut(&f->w.m, 0);
    f->w.seen = f->w.acked = 0;
    OK(world_open(&f->w, &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, 0);
    OK(play(&f->w, "crcr", &f->ram.blk));
    settle(&f->w);
    assert_int_equal(f->w.m.n, 2);
    world_close(&f->w);
    recover(&f->w, &f->ram.blk);
    medium_end(f);
}

/* ---- A full device ---- */

static void test_log__a_full_device_still_reads_and_deletes(void **state)
{
    struct medium *f = *state;
    enum bough_err err = BOUGH_OK;
    struct bough_ref_change gone = {.name = bough_view("refs/heads/1", 12)};
    struct bough_txn *t;
    size_t n = 0;

    medium_begin(f);
    OK(world_open(&f->w, &f->ram.blk));
    while (!err && n++ < 500) {
        err = step(&f->w, "xbiwxd"[n % 6], &f -> ram.blk);
        if (err)
            model_cut(&f->w.m, f->w.seen);
    }
    assert_int_equal(err, BOUGH_ENOSPC);
    settle(&f->w);
    assert_int_equal(f->w.m.n, f->w.seen);
    OK(bough_txn_begin(f->w.s, &t));
    OK(bough_txn_ref(t, &gone));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    world_close(&f->w);
    OK(world_open(&f->w, &f->ram.blk));
    assert_whole(&f->w);
    world_close(&f->w);
    medium_end(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log__failing_memory_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_failing_device_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_failed_sync_is_the_end_of_writing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_flipped_bit_in_the_log_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_flipped_bit_anywhere_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_flipped_bit_in_a_superblock_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_damaged_log_opens_for_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__tails_of_an_earlier_life_do_not_return, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__frames_of_an_abort_follow_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__what_an_open_did_not_see_stays_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_new_store_does_not_see_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_full_device_still_reads_and_deletes, setup, teardown),
    };

    return cmocka_run_group_tests_name("sim/store fail", tests, NULL, NULL);
}
