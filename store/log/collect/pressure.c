/*
 * pressure.c - when space runs short a collection begins by itself.
 *
 *   low        so few zones are free that one must begin
 *   step       what maintain() does
 *   pay        what a writer does for it when nobody calls maintain()
 *   room       what a pack on its way does when it finds none
 *   full       what it is told when that gave nothing, or was not tried
 *
 * Under pressure there is no grace, and when that does not help the oldest pin is given up.
 */
#include "store/inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/choose_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/zone_inner.h"

enum { FORGET = 2 };          /* checkpoints after which a zone that was freed is used again */
enum { COUNT_MAX = 1 << 30 }; /* bytes of traffic to find out what gc would free */

size_t bough_log__cycle_frozen(const struct bough_log *l)
{
    return l->cycle != NULL ? l->cycle->frozen : 0;
}

void bough_log__cycle_unmark(struct bough_log *l)
{
    struct bough_log__cycle *c = l->cycle;

    if (c == NULL)
        return;
    bough_log__zones_unmark(l, &c->table.run);
    bough_log__zones_unmark(l, &c->hold.table.run);
    for (uint32_t i = 0; i < c->moveds; i++)
        bough_log__zones_unmark(l, &c->moved[i].run);
}

/* ---- Low ---- */

/* Below this a writer does not begin before the collection is done. */
static uint32_t least(const struct bough_log *l)
{
    return bough_log__reserve(l) + 1;
}

/* Zones that a collection still takes, once it has chosen what it copies: who writes meanwhile must
   leave them, or it comes to no end. */
static uint32_t wanted(const struct bough_log *l)
{
    const struct bough_log__cycle *c = l->cycle;
    uint32_t taken;

    if (c == NULL)
        return 0;
    taken = c->table.run.n + (c->seg.number != 0 ? c->seg.run.n : 0);
    for (size_t i = 0; i < c->mades; i++)
        taken += c->made[i].run.n;
    return c->wanted > taken ? c->wanted - taken : 0;
}

static uint32_t low(const struct bough_log *l)
{
    return least(l) + bough_log__table_zones(l) + 2 + l->geo.zones / 16;
}

/* The system had no more room for a sparse device: it may have some now. */
static void room_ask(struct bough_log *l)
{
    if (l->zones.denied)
        bough_log__zones_keep(l);
}

/* What waits to be free is not. */
static uint32_t used(const struct bough_log *l)
{
    return l->geo.zones - l->zones.free - (uint32_t)l->zones.helds;
}

/* Where nothing can be flushed, what the last one gave comes back when its superblock has settled: another
   one would take the room that it needs, and get nothing back for as long. */
static bool waits(const struct bough_log *l)
{
    return l->settle.on && l->zones.helds > 0 && l->zones.durable <= l->swap_made;
}

/* Is it time, and was enough written since the last one that it may give something? */
static bool is_due(const struct bough_log *l)
{
    uint32_t grown = used(l) > l->settled ? used(l) - l->settled : 0;

    if (waits(l))
        return false;
    if (bough_log__zones_room(l) < least(l))
        return grown > 0;
    return bough_log__zones_room(l) < low(l) && grown > l->geo.zones / 32;
}

static enum bough_err begin(struct bough_log *l)
{
    struct bough_collect_opts opts = {.grace = 0};
    enum bough_err err;

    l->settled = used(l);
    if (waits(l))
        return BOUGH_OK;
    err = l->again.on ? bough_log__cycle_again(l) : bough_log__cycle_begin(l, &opts);
    return err == BOUGH_ENOTSUP || err == BOUGH_ENOMEM || err == BOUGH_ENOSPC ? BOUGH_OK : err;
}

/* Too many small packs.  When there is no room for it, or no memory: another time. */
static enum bough_err begin_packs(struct bough_log *l)
{
    enum bough_err err = bough_log__cycle_begin_packs(l);

    l->packs_tried = l->segments;
    return err == BOUGH_ENOMEM || err == BOUGH_ENOSPC ? BOUGH_OK : err;
}

/* ---- Steps ---- */

/* One of the checkpoints that still name what the last collection freed is forgotten. */
static enum bough_err forget(struct bough_log *l)
{
    enum bough_err err = bough_log__checkpoint(l);

    if (!err)
        l->forget--;
    l->settled = used(l);
    return err;
}

/* All of them. */
static enum bough_err forgotten(struct bough_log *l)
{
    enum bough_err err = BOUGH_OK;

    while (!err && l->cycle == NULL && l->forget > 0)
        err = forget(l);
    return err;
}

/* A collection has ended: what it freed counts when the checkpoint before it is forgotten. */
static enum bough_err ended(struct bough_log *l)
{
    enum bough_err err = BOUGH_OK;

    l->forget = FORGET;
    if (bough_log__zones_room(l) < low(l))
        err = forget(l);
    l->settled = used(l);
    return err;
}

enum bough_err bough_log__collect_step(struct bough_log *l, uint64_t budget, bool *more)
{
    enum bough_err err = BOUGH_OK;
    bool had, asked;

    *more = false;
    room_ask(l);
    if (l->cycle != NULL && l->cycle->packs && is_due(l))
        bough_log__cycle_end(l, true);
    if (l->cycle == NULL && (l->again.on ? l->forget == 0 : is_due(l)))
        err = begin(l);
    else if (l->cycle == NULL && l->forget == 0 && bough_log__packs_due(l))
        err = begin_packs(l);
    had = l->cycle != NULL;
    asked = had && l->cycle->asked;
    if (!err && !had && l->forget > 0)
        err = forget(l);
    else if (!err)
        err = bough_log__cycle_work(l, budget, more);
    if (err == BOUGH_ENOSPC || (err == BOUGH_ENOMEM && !asked)) {
        *more = l->again.on;
        return BOUGH_OK; /* another time */
    }
    if (!err && had && l->cycle == NULL)
        err = ended(l);
    *more |= l->cycle == NULL && (l->forget > 0 || l->again.on);
    return err;
}

/* The oldest that may be given up, or NULL. */
static struct bough_store_pin *pin_oldest(const struct bough_log *l)
{
    struct bough_store_pin *p = l->store.oldest_pin;

    while (p != NULL && p->held)
        p = p->newer;
    return p;
}

static bool pin_expire(struct bough_log *l)
{
    struct bough_store_pin *p = pin_oldest(l);

    if (p == NULL)
        return false;
    p->expired = true;
    bough_store_unpin(&l->store, p);
    return true;
}

/* All of it, and again without the oldest pin while that does not give so many zones; `forgets`: all
   that was freed is to be had at once.  While it waits for an intake nobody else is given up for it. */
static enum bough_err pay_all(struct bough_log *l, uint32_t zones, bool forgets)
{
    enum bough_err err = BOUGH_OK;

    while (!err && l->cycle == NULL && l->forget > 0 && bough_log__zones_room(l) < zones)
        err = forget(l); /* the last one gave some */
    if (err || (l->cycle == NULL && bough_log__zones_room(l) >= zones))
        return err;
    do {
        bool more = true;
        if (l->cycle == NULL)
            err = begin(l);
        if (!err && l->cycle == NULL)
            return BOUGH_OK;
        while (!err && l->cycle != NULL && more) {
            err = bough_log__collect_step(l, UINT64_MAX, &more);
            if (l->lookers == 0)
                more |= bough_log__reach_expire(l); /* it waited for them */
        }
        while (!err && l->cycle == NULL && l->forget > 0 &&
               (forgets || bough_log__zones_room(l) < zones))
            err = forget(l);
    } while (!err && bough_log__zones_room(l) < zones &&
             (l->again.on || (l->lookers == 0 && pin_expire(l))));
    return err;
}

bool bough_log__room_make(struct bough_log *l, uint32_t zones)
{
    enum bough_err err = BOUGH_OK;

    if (l->store.txn != NULL || l->lookers > 0 || (l->cycle != NULL && l->cycle->busy))
        return false;
    if (l->cycle == NULL && l->forget == 0 && l->store.oldest_pin == NULL &&
        l->gain.seq == l->head.seq && l->gain.bytes == 0)
        return false; /* it was counted */
    if (l->cycle != NULL && (l->cycle->opts.dry_run || l->cycle->packs))
        bough_log__cycle_end(l, true);
    if (l->cycle == NULL && l->forget > 0) /* the last one gave some */
        err = forgotten(l);
    if (!err && bough_log__zones_room(l) < zones)
        err = pay_all(l, zones, true);
    (void)bough_store__wrote(&l->store, err);
    l->starved = bough_log__zones_room(l) < zones;
    return !l->starved;
}

static enum bough_err paid(struct bough_log *l, enum bough_err err)
{
    if (err == BOUGH_ENOMEM || err == BOUGH_ENOSPC)
        err = BOUGH_OK; /* the writer may find room all the same */
    l->paid = l->pages.written_bytes;
    return bough_store__wrote(&l->store, err);
}

/* Somebody found no room: all that a collection gives is to be had from here on. */
static enum bough_err pay_starved(struct bough_log *l)
{
    enum bough_err err = BOUGH_OK;
    bool more = true;

    l->starved = false;
    while (!err && more && (l->cycle != NULL || l->forget > 0 || l->again.on))
        err = bough_log__collect_step(l, UINT64_MAX, &more);
    return err;
}

/* Not even who removes finds a zone, and it is not known that nothing is to be had. */
static bool is_stuck(const struct bough_log *l)
{
    return bough_log__zones_room(l) <= bough_log__need(l) &&
           (l->gain.seq != l->head.seq || l->gain.bytes > 0);
}

/* Nothing grew since the last collection, but there may be more to be had than it gave. */
static bool has_more(const struct bough_log *l)
{
    return bough_log__zones_room(l) < least(l) && !waits(l) &&
           (l->forget > 0 || (l->lookers == 0 && pin_oldest(l) != NULL) || is_stuck(l));
}

/* Steps are not enough: who writes would take what the collection needs, or finds nothing. */
static bool must_pay_all(const struct bough_log *l)
{
    uint32_t room = bough_log__zones_room(l);

    if (l->cycle != NULL)
        return room < least(l) || room <= wanted(l);
    return room < least(l) && (is_due(l) || has_more(l));
}

enum bough_err bough_log__collect_pay(struct bough_log *l)
{
    enum { SHARE = 8, AT_LEAST = 32 * 1024 };
    uint64_t written = l->pages.written_bytes - l->paid;
    enum bough_err err;
    bool more;

    if (l->cycle != NULL && l->cycle->busy)
        return BOUGH_OK; /* it is the collection that writes */
    room_ask(l);
    if (l->starved && (l->cycle != NULL || l->forget > 0))
        return paid(l, pay_starved(l));
    if (l->cycle == NULL
            ? !is_due(l) && !has_more(l)
            : bough_log__zones_room(l) >= low(l) && bough_log__zones_room(l) > wanted(l))
        return BOUGH_OK;
    err = bough_log__collect_step(l, SHARE * written + AT_LEAST, &more);
    if (!err && must_pay_all(l))
        err = pay_all(l, least(l), false);
    return paid(l, err);
}

/* ---- Full ---- */

/* The frame before which all is committed. */
static uint64_t committed(const struct bough_log *l)
{
    return l->store.txn != NULL ? l->txn.start.seq : l->head.seq;
}

/* What is full, and what can be said of it. */
static const char *full_what(const struct bough_log *l, bool counted)
{
    bool below = l->dev->caps & BOUGH_BLOCK_ALLOCATE && l->zones.denied;

    if (!counted)
        return below ? "the file system below is full; what gc would free was not counted yet"
                     : "the device is full; what gc would free was not counted yet";
    if (l->gain.bytes > 0)
        return below ? "the file system below is full" : "the device is full";
    return below
               ? "the file system below is full and all of the store lives: gc would free nothing; "
                 "keeping less would, and gc --prune now what only reflogs hold"
               : "the device is full and all of it lives: gc would free nothing; keeping less "
                 "would, and gc --prune now what only reflogs hold";
}

enum bough_err bough_log__full(struct bough_log *l)
{
    bool counted = l->gain.seq > 0 && l->gain.seq == committed(l);
    enum bough_err err = BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, full_what(l, counted), NULL, 0);

    l->store.why.at = counted ? l->gain.bytes : 0;
    l->starved = true;
    return err;
}

/* A collection begins, and is taken so far that what it would free is known.  A writer that comes
   next ends it: then there is room, or there is none to get. */
void bough_log__full_count(struct bough_log *l)
{
    struct bough_log__cycle *c = l->cycle;
    struct bough_why why = l->store.why;
    enum bough_err err = BOUGH_OK;

    if (!l->starved || why.err != BOUGH_ENOSPC || (c != NULL && c->busy) || waits(l))
        return;
    if (l->gain.seq == l->head.seq || bough_store__may_write(&l->store) != BOUGH_OK) {
        (void)bough_log__full(l);
        l->starved = l->gain.bytes > 0;
        return;
    }
    if (c == NULL || c->opts.dry_run || c->packs) {
        struct bough_collect_opts opts = {.grace = 0};
        bough_log__cycle_end(l, true);
        err = bough_log__cycle_begin(l, &opts);
    }
    if (!err)
        err = bough_log__cycle_count(l, COUNT_MAX);
    (void)bough_store__wrote(&l->store, err);
    if (!err)
        (void)bough_log__full(l);
    else
        l->store.why = why;
    if (err == BOUGH_ENOTSUP)
        l->store.why.what = "the device is full; gc cannot run: nobody says what records need";
}

enum bough_err bough_log__full_told(struct bough_log *l, enum bough_err err)
{
    if (err == BOUGH_ENOSPC && l->store.txn == NULL)
        bough_log__full_count(l);
    return err;
}
