/*
 * tally.c - what lives in each segment.
 *
 *   twice     the frozen tables' rows: which of several of an object stands for it
 *   count     how many objects of each segment live
 *   size      how many bytes that are
 */
#include "store/log/choose_inner.h"
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

enum bough_err bough_log__size_step(struct bough_log__cycle *c)
{
    struct bough_log__tally *y;
    enum bough_err err;

    if (c->at == c->tallies)
        return BOUGH_ENOENT;
    y = &c->tally[c->at];
    if (c->entries.number == 0) {
        if (c->packs && !bough_log__is_of_many(c, y)) { /* it stays */
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
