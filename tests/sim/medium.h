/*
 * medium.h - a store's world (store_world.h) on a device in memory, which begins anew as often as one likes.
 *
 *   medium_new()      a formatted device is kept aside
 *   medium_begin()    its bytes again, and an empty model; medium_end()
 *   open_alive()      an open during which the power may fail
 */
#ifndef MEDIUM_H
#define MEDIUM_H

#include "tests/sim/cutblk.h"
#include "tests/sim/store_world.h"

enum { UNIT = 512, ZONE = 32 * 1024 };

struct medium {
    struct world w;
    struct bough_ramblk ram;
    uint8_t *device, *fresh; /* the medium, and a formatted one */
    size_t bytes;
    bool flushes;
    struct tape tape;
};

static inline void medium_ram(struct medium *f, uint8_t *bytes)
{
    bough_ramblk_init(&f->ram, bytes, f->bytes / UNIT, UNIT);
    if (!f->flushes)
        f->ram.blk.caps &= ~(uint32_t)BOUGH_BLOCK_SYNC;
}

static inline struct medium *medium_new(
    size_t zones, enum bough_algo algo, struct bough_log_open_opts opts, bool flushes)
{
    struct bough_log_format_opts format = {.algo = algo, .granule = UNIT, .zone = ZONE};
    struct medium *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->bytes = zones * ZONE;
    f->flushes = flushes;
    f->device = calloc(1, f->bytes);
    f->fresh = calloc(1, f->bytes);
    assert_true(f->device != NULL && f->fresh != NULL);
    f->w.opts = opts;
    f->w.m.algo = algo;
    test_env_init(&f->w.t);
    medium_ram(f, f->fresh);
    OK(bough_log_format(&f->ram.blk, &f->w.t.env, &format, &f->w.why));
    return f;
}

static inline void medium_free(struct medium *f)
{
    test_env_done(&f->w.t);
    free(f->device);
    free(f->fresh);
    free(f);
}

/* A formatted device and an empty model. */
static inline void medium_begin(struct medium *f)
{
    memcpy(f->device, f->fresh, f->bytes);
    medium_ram(f, f->device);
    model_open(&f->w.m);
    f->w.seen = f->w.acked = 0;
    f->w.next = 0;
}

static inline void medium_end(struct medium *f)
{
    model_close(&f->w.m);
}

/* The power may fail at a discard, which is a hint: the open is done all the same, for nobody. */
static inline enum bough_err open_alive(struct world *w, struct cutblk *c)
{
    enum bough_err err = world_open(w, &c->blk);

    if (!err && c->dead) {
        world_close(w);
        err = BOUGH_EGONE;
    }
    return err;
}

#endif
