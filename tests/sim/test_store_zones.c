/*
 * test_store_zones.c - when zones of the log engine are used again, and given back to the device.
 *
 * Goal: a zone is discarded once it is free, and what either of the two newest checkpoints needs
 * is never discarded nor written over.  Method: random histories on a device on which discarded
 * bytes turn to rubbish; after every step the root of the newest checkpoint is damaged in a copy
 * of it, and all that was committed is found from the one before.
 */
#include "tests/sim/cutblk.h"
#include "tests/sim/recblk.h"
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 192, BYTES = ZONES * ZONE, SLOTS = 8 };
enum {
    AT_GENERATION = 64,
    AT_CHECKPOINT = 96,
    AT_ROOT_START = 116,
    AT_ROOT_ZONE = 124
}; /* in a superblock; docs/format.md 3 */

struct fix {
    struct world w;
    struct bough_ramblk ram;
    struct cutblk cut; /* never cuts: discards leave rubbish */
    struct recblk rec;
    uint8_t *device, *copy;
};

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->device = calloc(1, BYTES);
    f->copy = calloc(1, BYTES);
    assert_true(f->device != NULL && f->copy != NULL);
    f->w.opts = (struct bough_log_open_opts){
        .cache = 64 * 1024, .table_rows = 8, .log_max = 8 * 1024, .prepare = 1};
    test_env_init(&f->w.t);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    cutblk_init(&f->cut, &f->ram.blk, NULL, CUT_NEVER);
    recblk_init(&f->rec, &f->cut.blk);
    OK(bough_log_format(&f->rec.blk, &f->w.t.env, &format, &f->w.why));
    model_open(&f->w.m);
    OK(world_open(&f->w, &f->rec.blk));
    return f;
}

static void fix_free(struct fix *f)
{
    world_close(&f->w);
    model_close(&f->w.m);
    recblk_fini(&f->rec);
    cutblk_fini(&f->cut);
    test_env_done(&f->w.t);
    free(f->device);
    free(f->copy);
    free(f);
}

static uint8_t *slot(struct fix *f, int i)
{
    return f->copy + (size_t)(i / SLOTS) * ZONE + (size_t)(i % SLOTS) * UNIT;
}

/* The superblock that names the newest checkpoint. */
static uint8_t *newest(struct fix *f)
{
    uint8_t *best = slot(f, 0);

    for (int i = 1; i < 2 * SLOTS; i++) {
        if (bough_get64le(slot(f, i) + AT_GENERATION) > bough_get64le(best + AT_GENERATION))
            best = slot(f, i);
    }
    return best;
}

/* What the store holds is found without the root of its newest checkpoint; false: there is no other. */
static bool look_from_older(struct fix *f)
{
    struct bough_store *open = f->w.s;
    struct bough_ramblk ram;
    bool other = false;
    uint8_t *super;

    memcpy(f->copy, f->device, BYTES);
    super = newest(f);
    for (int i = 0; i < 2 * SLOTS; i++) {
        uint64_t n = bough_get64le(slot(f, i) + AT_CHECKPOINT);
        other = other || (n > 0 && n < bough_get64le(super + AT_CHECKPOINT));
    }
    f->copy[(size_t)bough_get32le(super + AT_ROOT_ZONE) * ZONE +
            bough_get32le(super + AT_ROOT_START)]++;
    bough_ramblk_init(&ram, f->copy, BYTES / UNIT, UNIT);
    ram.blk.caps |= BOUGH_BLOCK_READONLY;
    if (other) {
        struct picture p;

        OK(world_open(&f->w, &ram.blk));
        p = picture_of(f->w.s);
        assert_true(picture_eq(&p, &f->w.m.after[f->w.m.n]));
        assert_whole(&f->w);
        bough_store_close(f->w.s);
    }
    f->w.s = open;
    return other;
}

static void test_log__what_the_last_two_checkpoints_need_stays(void **state)
{
    static const char steps[] = "ccccdddeeeiilsmxxr";
    struct fix *f = fix_new();
    uint64_t seed = 3, looked = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        OK(step(&f->w, steps[test_random(&seed) % (sizeof steps - 1)], &f->rec.blk));
        looked += look_from_older(f);
    }
    assert_true(looked > 200);
    assert_true(recblk_count(&f->rec, 'd') > 10);
    for (size_t i = 0; i < f->rec.call_n; i++) {
        const struct rec_call *c = &f->rec.call[i];
        if (c->what == 'd') {
            assert_int_equal(c->at * UNIT % ZONE, 0);
            assert_int_equal(c->n * UNIT % ZONE, 0);
            assert_true(c->at >= 2 * ZONE / UNIT);
        }
    }
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__what_the_last_two_checkpoints_need_stays),
    };

    return cmocka_run_group_tests_name("sim/store zones", tests, NULL, NULL);
}
