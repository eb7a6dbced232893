/*
 * reader.c - an immutable view of the store for another thread.
 *
 * A reader is a store of its own that was loaded from the newest checkpoint and never looks at
 * the log after it; so opening one begins with a checkpoint, and nothing is shared but the
 * device.  A pin stands between the two: the writer's thread keeps what it gives up after
 * that checkpoint from being written again; the reader's thread says when it is done.
 *
 *   pins      zones held, given back, taken away under pressure
 *   opening
 *
 * The writer sets `expired` before it writes to a zone that was pinned, and the reader looks at
 * it after every read: what it believes was read before.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/reader_inner.h"
#include "store/log/zone_inner.h"

/* ---- Pins ---- */

/* Readers that were closed hold nothing any more. */
static void pins_reap(struct bough_log *l)
{
    struct bough_log__pin **at = &l->pins;

    while (*at != NULL) {
        struct bough_log__pin *p = *at;

        if (!bough_log__flag_is_up(&p->closed)) {
            at = &p->older;
            continue;
        }
        *at = p->older;
        bough_mem_free(l->mem, p, sizeof *p);
    }
}

/* The oldest that still sees all; NULL: there is none. */
static struct bough_log__pin *pin_oldest(const struct bough_log *l)
{
    struct bough_log__pin *oldest = NULL;

    for (struct bough_log__pin *p = l->pins; p != NULL; p = p->older) {
        if (!bough_log__flag_is_up(&p->expired))
            oldest = p;
    }
    return oldest;
}

uint64_t bough_log__pins_oldest(struct bough_log *l)
{
    const struct bough_log__pin *p;

    pins_reap(l);
    p = pin_oldest(l);
    return p != NULL ? p->checkpoint : UINT64_MAX;
}

/* Does it hold a zone that the checkpoints let go? */
static bool pin_matters(const struct bough_log *l, const struct bough_log__pin *pin)
{
    for (size_t i = 0; i < l->zones.helds; i++) {
        uint64_t since = l->zones.held[i].since;
        if (since < l->zones.durable && since > pin->checkpoint)
            return true;
    }
    return false;
}

bool bough_log__pins_yield(struct bough_log *l)
{
    struct bough_log__pin *oldest;
    uint32_t before = l->zones.free;

    if (l->pins == NULL)
        return false;
    bough_log__zones_release(l);
    if (l->zones.free > before)
        return true;
    oldest = pin_oldest(l);
    if (oldest == NULL || !pin_matters(l, oldest))
        return false;
    bough_log__flag_up(&oldest->expired);
    bough_log__zones_release(l);
    return true;
}

void bough_log__pins_fini(struct bough_log *l)
{
    pins_reap(l);
    BOUGH_ASSERT(l->pins == NULL); /* readers are closed before their store */
}

bool bough_log__reader_expired(const struct bough_log *l)
{
    return l->pin != NULL && bough_log__flag_is_up(&l->pin->expired);
}

/* ---- Opening ---- */

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
        err = bough_log__root_load(r, &l->root);
    if (!err)
        r->pin = bough_mem_zalloc(l->mem, 1, sizeof *r->pin);
    if (!err && r->pin == NULL)
        err = BOUGH_ENOMEM;
    if (err) {
        bough_store_close(r != NULL ? &r->store : NULL);
        return err;
    }
    r->super = l->root;
    r->pin->checkpoint = l->made;
    r->pin->older = l->pins;
    l->pins = r->pin;
    *out = &r->store;
    return BOUGH_OK;
}
