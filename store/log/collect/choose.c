/*
 * choose.c - which segments go.
 *
 *   cost      what lives in one, and what it is worth
 *   room      what copies take, and what there is for them
 *   pick      as many victims as there is room to copy what lives in them; where that is little, those
 *             that give more than that takes
 *   gain      what that gives, for who asks before
 *   choose    victims; then what must leave the others since its base dies
 *
 * Log segments always go, young as they are and full of padding; pack segments when enough of
 * them is dead, when their zones are half empty, or when there are many of their size (packs.c).
 * A pack segment within the grace period of which it is not noted when it came stays, but when all is packed
 * anew: what is moved is as old as what is noted says.
 */
#include "store/log/choose_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { DEAD_SHARE = 4, DEAD_SHARE_TIGHT = 8 }; /* a part so small of a pack is not worth it */
enum { SHARES = 16 };
enum { TAKEN = INT32_MAX };

/* Bytes that the copies of what lives in it take. */
static uint64_t cost_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    return y->live_bytes + y->live * bough_log__row_len(c->log);
}

static uint64_t size_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    const struct bough_log__segment *seg = bough_log__segment_find(c->log, y->number);

    return (uint64_t)(seg != NULL && seg->pack ? seg->run.n : 1) * c->log->geo.zone;
}

/* When space is short what a pack does not fill of its zones counts as dead, too. */
static bool is_worth_it(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    const struct bough_log *l = c->log;
    uint64_t cost = cost_of(c, y), size = size_of(c, y);
    bool tight = bough_log__zones_room(l) < bough_log__reserve(l) + l->geo.zones / 8;

    if (y->stays || c->packs)
        return !y->stays && bough_log__is_of_many(c, y);
    if (!y->pack || c->opts.whole || y->live == 0)
        return true;
    if (tight && size > cost && (size - cost) * DEAD_SHARE_TIGHT >= size)
        return true;
    return bough_log__is_of_many(c, y) || 2 * cost <= size ||
           y->dead_bytes * DEAD_SHARE >= y->live_bytes + y->dead_bytes;
}

/* What the copies take at most. */
static uint64_t room_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    const struct bough_log *l = c->log;
    uint64_t cost = cost_of(c, y);

    return cost + cost / 64 + y->live * l->geo.zone / bough_log__rows_max(l);
}

/* With what segments do not fill: at the end of each, and in its last blocks. */
static uint64_t with_ends(const struct bough_log *l, uint64_t bytes)
{
    enum { LEFT = 32, PADS = 3 };
    uint64_t segments = bytes / l->geo.zone / bough_log__segment_zones(l);

    return bytes == 0 ? 0
                      : bytes + segments * (l->geo.zone / LEFT + l->geo.align) +
                            PADS * (uint64_t)l->geo.align;
}

static uint64_t in_zones(const struct bough_log *l, uint64_t bytes)
{
    return (with_ends(l, bytes) + l->geo.zone - 1) / l->geo.zone;
}

uint32_t bough_log__cycle_after(const struct bough_log__cycle *c)
{
    return bough_log__rows_zones(c->log, c->marked) + bough_log__ends(c->log);
}

uint32_t bough_log__cycle_beside(const struct bough_log__cycle *c)
{
    enum { LOG = 1 };

    return bough_log__cycle_after(c) + LOG + (c->log->settle.on ? bough_log__removals(c->log) : 0);
}

/* Bytes of so many free zones that copies can have. */
static uint64_t copy_room(const struct bough_log__cycle *c, uint32_t zones)
{
    const struct bough_log *l = c->log;
    uint64_t room = zones > bough_log__cycle_beside(c)
                        ? (uint64_t)(zones - bough_log__cycle_beside(c)) * l->geo.zone
                        : 0;

    return l->modest < BOUGH_LOG__MODEST_MAX ? room >> l->modest : 0;
}

/* What of it is to be copied, in parts of its size. */
static uint32_t share_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    uint64_t share = cost_of(c, y) * SHARES / size_of(c, y);

    return share < SHARES ? (uint32_t)share : SHARES;
}

struct picked {
    uint32_t n;     /* of them */
    uint64_t bytes; /* that copies take */
    uint64_t size;  /* of their zones */
    uint64_t gain;  /* zones that come back less those that copies take, in bytes */
    bool all;       /* there was room for all that pay */
};

/* One more; and where it is picked what that comes to. */
static void pick_one(struct bough_log__cycle *c, struct bough_log__tally *y, uint64_t room,
    struct picked *p, struct picked *best)
{
    const struct bough_log *l = c->log;
    uint64_t takes = y->live > 0 ? room_of(c, y) : 0, cost;

    if (with_ends(l, p->bytes + takes) > room) {
        p->all = best->all = false;
        return;
    }
    y->picked = ++p->n;
    p->bytes += takes;
    p->size += size_of(c, y);
    cost = in_zones(l, p->bytes) * l->geo.zone;
    p->gain = p->size > cost ? p->size - cost : 0;
    if (p->gain > best->gain)
        *best = *p;
}

/* Pick those that pay, the emptiest first, as many as can be copied into so many free zones.  Where these
   are few only those are copied that give more than that takes. */
static struct picked pick(struct bough_log__cycle *c, uint32_t zones)
{
    uint64_t room = copy_room(c, zones);
    struct picked p = {.all = true}, best = p;

    for (uint32_t share = 0; share <= SHARES; share++) {
        for (size_t i = 0; i < c->tallies; i++) {
            struct bough_log__tally *y = &c->tally[i];

            if (!y->victim && y->picked == 0 && share_of(c, y) == share && is_worth_it(c, y))
                pick_one(c, y, room, &p, &best);
        }
    }
    if (c->packs || zones > bough_log__reserve(c->log))
        return p;
    for (size_t i = 0; i < c->tallies; i++) {
        if (c->tally[i].picked > best.n && c->tally[i].picked != TAKEN)
            c->tally[i].picked = 0;
    }
    return best;
}

/* Those that are picked are not picked again. */
static void picked_take(struct bough_log__cycle *c)
{
    for (size_t i = 0; i < c->tallies; i++) {
        if (c->tally[i].picked > 0)
            c->tally[i].picked = TAKEN;
    }
}

static void victims_choose(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    struct picked p = pick(c, bough_log__zones_room(l));

    c->left_out = !p.all;
    c->wanted = (uint32_t)in_zones(l, p.bytes) + bough_log__cycle_beside(c);
    for (size_t i = 0; i < c->tallies; i++) {
        c->tally[i].victim |= c->tally[i].picked > 0;
        c->tally[i].picked = 0;
    }
}

uint64_t bough_log__tally_gain(struct bough_log__cycle *c, uint32_t zones)
{
    uint64_t gain = 0;
    struct picked p;

    do { /* what one collection gives is room for the copies of the next */
        p = pick(c, zones + (uint32_t)(gain / c->log->geo.zone));
        gain += p.gain;
        picked_take(c);
    } while (!p.all && p.gain > 0);
    for (size_t i = 0; i < c->tallies; i++)
        c->tally[i].picked = 0;
    return gain;
}

enum bough_err bough_log__choose_step(struct bough_log__cycle *c)
{
    struct bough_log__found_entry f;
    enum bough_err err;

    if (c->at == 0 && c->entries.number == 0)
        victims_choose(c);
    if (c->packs) /* no base goes */
        c->at = c->tallies;
    while (c->entries.number == 0) {
        if (c->at == c->tallies) {
            err = bough_log__harm_step(c);
            return err == BOUGH_ENOENT ? bough_log__mark_step(c, true) : err;
        }
        if (!c->tally[c->at].victim &&
            !c->tally[c->at].harmed) /* also where nothing lives: something may, later */
            bough_log__entries_begin(&c->entries, c->tally[c->at].number);
        else
            c->at++;
    }
    err = bough_log__entries_next(&c->entries, &f);
    if (!err && c->entries.number == c->cut.segment && f.at >= c->cut.at)
        err = BOUGH_ENOENT; /* young, or never committed */
    if (!err)
        err = bough_log__stray_look(c, c->entries.number, &f);
    if (err == BOUGH_ECORRUPT)
        bough_log__harm_note(c, c->entries.number);
    else if (err != BOUGH_ENOENT)
        return err;
    c->entries.number = 0;
    c->at++;
    return BOUGH_OK;
}
