/*
 * reader.c - an immutable view of the store for another thread.
 *
 * A reader is a store of its own that was loaded from the newest checkpoint and never looks at
 * the log after it; so opening one begins with a checkpoint, and nothing is shared but the
 * device.  A pin stands between the two: the writer's thread keeps the zones that the
 * checkpoint names from being written again; the reader's thread says when it is done.
 *
 *   pins      zones held, given back, taken away under pressure
 *   opening
 *
 * The writer sets `expired` before it writes to a zone that was pinned, and the reader looks at
 * it after every read: what it believes was read before.
 */
#include "store/log/inner.h"

/* ---- Pins ---- */

static void pin_apply(struct bough_log *l, const struct bough_log__pin *pin)
{
    for (uint32_t i = 0; i < pin->zones; i++) {
        if (pin->held[i / 8] & 1u << i % 8)
            bough_log__zone_name(l, i, BOUGH_LOG__ZONE_PINNED);
    }
}

static void pin_free(struct bough_log *l, struct bough_log__pin *pin)
{
    bough_mem_free(l->mem, pin->held, (pin->zones + 7) / 8);
    bough_mem_free(l->mem, pin, sizeof *pin);
}

/* Only what the pins that are left hold is held. */
static void pins_again(struct bough_log *l)
{
    for (uint32_t i = 0; i < l->geo.zones; i++)
        l->zones.state[i] &= (uint8_t)~BOUGH_LOG__ZONE_PINNED;
    for (struct bough_log__pin *p = l->pins; p != NULL; p = p->older) {
        if (!atomic_load(&p->expired))
            pin_apply(l, p);
    }
    bough_log__zones_count(l);
}

/* Readers that were closed hold nothing any more. */
static bool pins_reap(struct bough_log *l)
{
    struct bough_log__pin **at = &l->pins;
    bool reaped = false;

    while (*at != NULL) {
        struct bough_log__pin *p = *at;

        if (!atomic_load(&p->closed)) {
            at = &p->older;
            continue;
        }
        *at = p->older;
        pin_free(l, p);
        reaped = true;
    }
    return reaped;
}

/* Does it hold a zone that would be free without it? */
static bool pin_matters(const struct bough_log *l, const struct bough_log__pin *pin)
{
    for (uint32_t i = 0; i < pin->zones; i++) {
        if (pin->held[i / 8] & 1u << i % 8 && l->zones.state[i] == BOUGH_LOG__ZONE_PINNED)
            return true;
    }
    return false;
}

bool bough_log__pins_yield(struct bough_log *l)
{
    struct bough_log__pin *oldest = NULL;
    uint32_t before = l->zones.free;

    if (pins_reap(l)) {
        pins_again(l);
        if (l->zones.free > before)
            return true;
    }
    for (struct bough_log__pin *p = l->pins; p != NULL; p = p->older) {
        if (!atomic_load(&p->expired) && pin_matters(l, p))
            oldest = p;
    }
    if (oldest == NULL)
        return false;
    atomic_store(&oldest->expired, true);
    pins_again(l);
    return true;
}

void bough_log__pins_fini(struct bough_log *l)
{
    (void)pins_reap(l);
    BOUGH_ASSERT(l->pins == NULL); /* readers are closed before their store */
}

bool bough_log__reader_expired(const struct bough_log *l)
{
    return l->pin != NULL && atomic_load(&l->pin->expired);
}

/* ---- Opening ---- */

static enum bough_err pin_new(
    struct bough_log *l, const struct bough_log *reader, struct bough_log__pin **out)
{
    struct bough_log__pin *p = bough_mem_zalloc(l->mem, 1, sizeof *p);
    uint32_t n = reader->geo.zones;

    if (p == NULL)
        return BOUGH_ENOMEM;
    p->zones = n;
    p->held = bough_mem_zalloc(l->mem, (n + 7) / 8, 1);
    if (p->held == NULL) {
        bough_mem_free(l->mem, p, sizeof *p);
        return BOUGH_ENOMEM;
    }
    for (uint32_t i = 2; i < n; i++) {
        if (reader->zones.state[i] & BOUGH_LOG__ZONE_USE)
            p->held[i / 8] |= (uint8_t)(1u << i % 8);
    }
    *out = p;
    return BOUGH_OK;
}

/* All that was committed is in the newest checkpoint. */
static enum bough_err all_in_checkpoint(struct bough_log *l)
{
    bool done = l->log_bytes == 0 && l->rows.n == 0 && l->refs.n == 0 && l->fresh == 0;

    return done ? BOUGH_OK : bough_log__checkpoint(l);
}

enum bough_err bough_log__reader(
    struct bough_store *s, const struct bough_env *env, struct bough_store **out)
{
    struct bough_log *l = bough_log__of(s), *r = NULL;
    struct bough_log_open_opts opts = l->opts;
    enum bough_err err;

    opts.read_only = true;
    if (!(l->dev->caps & BOUGH_BLOCK_THREADS))
        return BOUGH_WHY(&s->why, BOUGH_ENOTSUP, "the device has one user", NULL, 0);
    if (s->read_only)
        return bough_log_open(l->dev, env, &opts, out, &s->why);
    err = all_in_checkpoint(l);
    if (err)
        return err;
    err = bough_log__new(l->dev, env, &opts, &l->geo, &r);
    if (!err)
        err = bough_log__root_load(r, &l->super);
    if (!err)
        err = pin_new(l, r, &r->pin);
    if (err) {
        bough_store_close(r != NULL ? &r->store : NULL);
        return err;
    }
    r->super = l->super;
    r->pin->older = l->pins;
    l->pins = r->pin;
    pin_apply(l, r->pin);
    *out = &r->store;
    return BOUGH_OK;
}
