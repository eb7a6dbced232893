/*
 * tally.c - what lives in each segment, and which segments go.
 *
 *   twice     the frozen tables' rows: which of several of an object stands for it
 *   count     how many objects of each segment live
 *   size      how many bytes that are
 *   choose    victims, as many as there is room to copy what lives in them; then what must
 *             leave the others since its base dies
 *
 * Log segments always go, young as they are and full of padding; pack segments when enough of
 * them is dead, when their zones are half empty, or when there are many of their size (packs.c).
 * A pack segment within the grace period of which it is not noted when it came stays, but when all is packed
 * anew: what is moved is as old as what is noted says.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* Is it within the grace period, and would what is in it be young again elsewhere? */
static bool grows_young(const struct bough_log__cycle *c, uint32_t segment)
{
    return bough_log__births_latest(c->log, segment) >= c->young_from &&
           !bough_log__births_noted(c->log, segment);
}

enum bough_err bough_log__tally_init(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;

    c->many = bough_log__packs_many(l);
    c->tally_cap = l->segments + 1;
    c->tally = bough_mem_zalloc(l->mem, c->tally_cap, sizeof *c->tally);
    if (c->tally == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < l->segments; i++) {
        const struct bough_log__segment *seg = &l->segment[i];

        if (seg->number >= c->first_young)
            break;
        c->tally[c->tallies++] = (struct bough_log__tally){.number = seg->number,
            .pack = seg->pack,
            .stays = seg->number == c->cut.segment ||
                     (seg->pack && !c->opts.whole && !c->packs && grows_young(c, seg->number))};
    }
    return BOUGH_OK;
}

struct bough_log__tally *bough_log__tally_find(struct bough_log__cycle *c, uint32_t segment)
{
    size_t lo = 0, hi = c->tallies;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->tally[mid].number == segment)
            return &c->tally[mid];
        if (c->tally[mid].number < segment)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- Twice, count ---- */

/* The frozen tables side by side, so that rows of one id are met together. */
struct bough_log__count {
    struct bough_log__row row;
    uint64_t place; /* of the row: block * rows per block + number in it */
    uint64_t rows;  /* in the block that is read; 0: none is */
    bool filled, done;
};

static enum bough_err count_fill(struct bough_log__cycle *c, size_t table)
{
    struct bough_log *l = c->log;
    struct bough_log__count *k = &c->count[table];
    uint32_t per = bough_log__rows_per_block(l);

    for (; k->place / per < l->table[table].blocks; k->place = (k->place / per + 1) * per) {
        const uint8_t *block;
        uint32_t rows;
        enum bough_err err = bough_log__table_block(
            l, &l->table[table], BOUGH_LOG__BLOCK_OID, (uint32_t)(k->place / per), &block, &rows);

        if (err)
            return err;
        if (k->place % per >= rows)
            continue;
        bough_log__table_row(l, &l->table[table], block, (uint32_t)(k->place % per), &k->row);
        k->filled = true;
        return BOUGH_OK;
    }
    k->done = true;
    return BOUGH_OK;
}

static void bit_set(uint8_t *bits, uint64_t bit)
{
    bits[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* Its row of some id does not stand for that, also where all live. */
static void twice_row(struct bough_log__cycle *c, size_t table)
{
    uint64_t bit = c->first_bit[table] + c->count[table].place;

    c->bits[bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

/* Rows of one id are at hand, in `first` and perhaps behind it.  Which one stands for it: as where tables
   are merged. */
static size_t count_chosen(const struct bough_log__cycle *c, size_t first)
{
    size_t chosen = first;

    for (size_t i = first; i < c->frozen; i++) {
        if (c->count[i].filled && c->count[i].row.whole &&
            bough_oid_eq(&c->count[i].row.id, &c->count[first].row.id))
            chosen = i;
    }
    return chosen;
}

static enum bough_err count_row(struct bough_log__cycle *c, size_t table, bool chosen)
{
    struct bough_log__count *k = &c->count[table];
    struct bough_log__tally *y = bough_log__tally_find(c, bough_log__where_segment(k->row.where));

    if (y == NULL)
        return bough_log__corrupt(c->log, "a row names a segment that is not there", k->row.where);
    if (!chosen)
        y->again++;
    else if (bough_log__is_marked(c, c->first_bit[table] + k->place))
        y->live++;
    else
        y->dead++;
    c->progress.done++;
    return BOUGH_OK;
}

static enum bough_err count_one(struct bough_log__cycle *c)
{
    size_t best = c->frozen, chosen;
    struct bough_oid id;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < c->frozen; i++) {
        if (!c->count[i].filled && !c->count[i].done)
            err = count_fill(c, i);
        if (err)
            return err;
        if (c->count[i].filled &&
            (best == c->frozen || bough_oid_cmp(&c->count[i].row.id, &c->count[best].row.id) < 0))
            best = i;
    }
    if (best == c->frozen)
        return BOUGH_ENOENT;
    id = c->count[best].row.id;
    chosen = count_chosen(c, best);
    if (c->stage == BOUGH_LOG__STAGE_TWICE && chosen != best)
        bit_set(c->twice, c->first_bit[best] + c->count[best].place);
    for (size_t i = best; i < c->frozen && !err; i++) {
        if (!c->count[i].filled || !bough_oid_eq(&c->count[i].row.id, &id))
            continue;
        if (c->stage == BOUGH_LOG__STAGE_COUNT)
            err = count_row(c, i, i == chosen);
        else if (i != chosen)
            twice_row(c, i);
        c->count[i].filled = false;
        c->count[i].place++;
    }
    return err;
}

void bough_log__count_again(struct bough_log__cycle *c)
{
    bough_mem_free(c->log->mem, c->count, (c->frozen + 1) * sizeof *c->count);
    c->count = NULL;
}

enum bough_err bough_log__count_step(struct bough_log__cycle *c)
{
    enum { ROWS = 64 };
    enum bough_err err = BOUGH_OK;

    if (c->count == NULL)
        c->count = bough_mem_zalloc(c->log->mem, c->frozen + 1, sizeof *c->count);
    if (c->count == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i < ROWS && !err; i++)
        err = count_one(c);
    return err;
}

void bough_log__tally_fini(struct bough_log__cycle *c)
{
    struct bough_mem *mem = c->log->mem;

    bough_log__count_again(c);
    bough_mem_free(mem, c->tally, c->tally_cap * sizeof *c->tally);
    bough_mem_free(mem, c->stray, c->stray_cap * sizeof *c->stray);
}

/* ---- Size ---- */

static enum bough_err size_entry(struct bough_log__cycle *c, struct bough_log__tally *y)
{
    struct bough_log__found_entry e;
    bool lives;
    enum bough_err err = bough_log__entries_next(&c->entries, &e);

    if (!err)
        err = bough_log__lives_at(c, &e.id, bough_log__where(y->number, e.at), &lives);
    if (!err && lives) {
        y->live_bytes += e.len;
        y->found++;
    } else if (!err)
        y->dead_bytes += e.len;
    return err;
}

static void size_sum(struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    c->progress.live += y->live;
    c->progress.dead += y->dead;
    c->progress.live_bytes += y->live_bytes;
    c->progress.dead_bytes += y->dead_bytes;
}

/* All of a pack lives, or nothing: then that is known without looking. */
static bool size_known(struct bough_log__cycle *c, struct bough_log__tally *y)
{
    const struct bough_log__segment *seg = bough_log__segment_find(c->log, y->number);

    if (!y->pack || (y->live > 0 && y->dead > 0) || y->live + y->dead + y->again != seg->objects ||
        y->again > 0)
        return false;
    *(y->live > 0 ? &y->live_bytes : &y->dead_bytes) = seg->pack_end;
    return true;
}

/* Is it a small pack, of which there are too many? */
static bool is_of_many(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    return bough_log__pack_is_of(bough_log__segment_find(c->log, y->number), c->many);
}

enum bough_err bough_log__size_step(struct bough_log__cycle *c)
{
    struct bough_log__tally *y;
    enum bough_err err;

    if (c->at == c->tallies)
        return BOUGH_ENOENT;
    y = &c->tally[c->at];
    if (c->entries.number == 0) {
        if (c->packs && !is_of_many(c, y)) { /* it stays */
            c->at++;
            return BOUGH_OK;
        }
        if (size_known(c, y)) {
            size_sum(c, y);
            c->at++;
            return BOUGH_OK;
        }
        bough_log__entries_begin(&c->entries, y->number);
    }
    err = size_entry(c, y);
    if (err == BOUGH_ECORRUPT || (err == BOUGH_ENOENT && y->found < y->live))
        bough_log__harm_note(c, y->number);
    else if (err != BOUGH_ENOENT)
        return err;
    size_sum(c, y);
    c->entries.number = 0;
    c->at++;
    return BOUGH_OK;
}

/* ---- Choose ---- */

enum { DEAD_SHARE = 4, DEAD_SHARE_TIGHT = 8 }; /* a part so small of a pack is not worth it */
enum { SHARES = 16 };

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
        return !y->stays && is_of_many(c, y);
    if (!y->pack || c->opts.whole || y->live == 0)
        return true;
    if (tight && size > cost && (size - cost) * DEAD_SHARE_TIGHT >= size)
        return true;
    return is_of_many(c, y) || 2 * cost <= size ||
           y->dead_bytes * DEAD_SHARE >= y->live_bytes + y->dead_bytes;
}

/* What the copies take at most, with what segments do not fill of their last zones. */
static uint64_t room_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    const struct bough_log *l = c->log;
    uint64_t cost = cost_of(c, y);

    return cost + cost / 64 + y->live * l->geo.zone / bough_log__rows_max(l) +
           y->live_bytes / BOUGH_LOG__SEGMENT_BYTES * l->geo.zone;
}

uint32_t bough_log__cycle_after(const struct bough_log__cycle *c)
{
    return bough_log__rows_zones(c->log, c->marked) + bough_log__ends(c->log);
}

/* Zones that are not for copies: what comes after them, where the log goes on, and what must be there
   for removals until it has settled. */
static uint32_t beside(const struct bough_log__cycle *c)
{
    enum { LOG = 1 };

    return bough_log__cycle_after(c) + LOG + (c->log->settle.on ? bough_log__removals(c->log) : 0);
}

/* Bytes of so many free zones that copies can have. */
static uint64_t copy_room(const struct bough_log__cycle *c, uint32_t zones)
{
    enum { PADS = 3 };
    const struct bough_log *l = c->log;
    uint64_t room = zones > beside(c) ? (uint64_t)(zones - beside(c)) * l->geo.zone : 0;
    uint64_t pads = (uint64_t)PADS * l->geo.align;

    return room > pads && l->modest < BOUGH_LOG__MODEST_MAX ? (room - pads) >> l->modest : 0;
}

/* What of it is to be copied, in parts of its size. */
static uint32_t share_of(const struct bough_log__cycle *c, const struct bough_log__tally *y)
{
    uint64_t share = cost_of(c, y) * SHARES / size_of(c, y);

    return share < SHARES ? (uint32_t)share : SHARES;
}

struct picked {
    uint64_t bytes; /* that copies take */
    bool all;       /* there was room for all that pay */
};

/* Pick those that pay, the emptiest first, as many as can be copied into so many free zones. */
static struct picked pick(struct bough_log__cycle *c, uint32_t zones)
{
    uint64_t room = copy_room(c, zones);
    struct picked p = {.all = true};

    for (uint32_t share = 0; share <= SHARES; share++) {
        for (size_t i = 0; i < c->tallies; i++) {
            struct bough_log__tally *y = &c->tally[i];
            uint64_t takes = y->live > 0 ? room_of(c, y) : 0;

            if (y->victim || y->picked || share_of(c, y) != share || !is_worth_it(c, y))
                continue;
            y->picked = p.bytes + takes <= room;
            p.bytes += y->picked ? takes : 0;
            p.all = p.all && y->picked;
        }
    }
    return p;
}

static void victims_choose(struct bough_log__cycle *c)
{
    struct picked p = pick(c, bough_log__zones_room(c->log));

    c->left_out = !p.all;
    c->wanted = (uint32_t)((p.bytes + c->log->geo.zone - 1) / c->log->geo.zone) + beside(c);
    for (size_t i = 0; i < c->tallies; i++) {
        c->tally[i].victim |= c->tally[i].picked;
        c->tally[i].picked = false;
    }
}

/* What those that are picked give. */
static uint64_t picked_gain(const struct bough_log__cycle *c)
{
    uint64_t size = 0, cost = 0, zone = c->log->geo.zone;

    for (size_t i = 0; i < c->tallies; i++) {
        const struct bough_log__tally *y = &c->tally[i];

        size += y->picked ? size_of(c, y) : 0;
        cost += y->picked ? cost_of(c, y) : 0;
    }
    cost = (cost + zone - 1) / zone * zone;
    return size > cost ? size - cost : 0;
}

uint64_t bough_log__tally_gain(struct bough_log__cycle *c, uint32_t zones)
{
    uint64_t gain = 0, before;
    bool all;

    do { /* what one collection gives is room for the copies of the next */
        before = gain;
        all = pick(c, zones + (uint32_t)(gain / c->log->geo.zone)).all;
        gain = picked_gain(c);
    } while (!all && gain > before);
    for (size_t i = 0; i < c->tallies; i++)
        c->tally[i].picked = false;
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
