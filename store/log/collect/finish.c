/*
 * finish.c - the end of a collection: new lists take the old ones' place, in one checkpoint.
 *
 *   border    commits whose parents go now, as refs, committed just before
 *   leaving   commits that leave the boundary: their refs go in the checkpoint itself, since until
 *             then some of them are there, and after it some are not
 *   lists     segments without the victims, with those that were made; one table for the frozen ones
 *   swap      the victims' zones are held for the checkpoints that need them
 *
 * Invariant: when the checkpoint fails all lists are as they were.
 */
#include "store/inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* ---- Border ---- */

static enum bough_err border_commit(struct bough_log__cycle *c)
{
    const struct bough_log__rows *rows = &c->limits.join;
    struct bough_txn *t;
    enum bough_err err;

    if (rows->n == 0)
        return BOUGH_OK;
    err = bough_txn_begin(&c->log->store, &t);
    if (err)
        return err;
    t->urgent = true;
    for (size_t i = 0; i < rows->n && !err; i++)
        err = bough_txn_boundary(t, &rows->row[i].id, true);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

/* ---- Lists ---- */

struct swap {
    struct bough_log__segment *segment; /* the new list, then the old one */
    size_t segments, segment_cap;
    struct bough_log__table *table;
    size_t tables, table_cap;
    struct bough_log__table late;    /* rows of what was found to live late */
    struct bough_log__places births; /* the new list, then the old one */
    size_t helds;
    uint64_t gone;                /* bytes of zones */
    struct bough_log__table hold; /* the new list of what damage holds, then the old one */
    uint32_t swapped[2];
    struct leave {
        struct bough_log__ref *gone, *back;
    } * leave; /* refs of commits that leave the boundary */
    size_t leaves, leave_cap;
};

static bool is_victim(struct bough_log__cycle *c, uint32_t segment)
{
    const struct bough_log__tally *y = bough_log__tally_find(c, segment);

    return y != NULL && y->victim;
}

static enum bough_err segments_make(struct bough_log__cycle *c, struct swap *w)
{
    const struct bough_log *l = c->log;
    size_t made = 0;

    w->segment_cap = l->segments + c->mades + 1;
    w->segment = bough_mem_zalloc(l->mem, w->segment_cap, sizeof *w->segment);
    if (w->segment == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i <= l->segments; i++) {
        struct bough_log__segment *to;

        while (made < c->mades && (i == l->segments || c->made[made].number < l->segment[i].number))
            w->segment[w->segments++] = c->made[made++];
        if (i == l->segments || is_victim(c, l->segment[i].number))
            continue;
        to = &w->segment[w->segments++];
        *to = l->segment[i];
        if (to->number < c->first_young)
            to->oid.blocks = to->oid.home = 0; /* its rows are in the one table now */
    }
    return BOUGH_OK;
}

static enum bough_err late_make(struct bough_log__cycle *c, struct swap *w)
{
    struct bough_log *l = c->log;
    struct bough_log__rows late = {.row = NULL};
    struct bough_log__rows_source rows = {.order = NULL};
    size_t n = c->lates.n - c->lates_swap;
    enum bough_err err = n > 0 ? bough_log__rows_reserve(&late, l->mem, n) : BOUGH_OK;

    if (err || n == 0)
        return err;
    for (size_t i = c->lates_swap; i < c->lates.n; i++)
        bough_log__rows_add(&late, &c->lates.row[i]);
    err = bough_log__rows_source_init(&rows, &late, l->mem);
    if (!err)
        err = bough_log__table_make(l, bough_log__ends(l), &rows.src, n, &w->late);
    bough_log__rows_source_fini(&rows);
    bough_log__rows_fini(&late, l->mem);
    return err;
}

static enum bough_err tables_make(struct bough_log__cycle *c, struct swap *w)
{
    const struct bough_log *l = c->log;

    w->table_cap = l->tables - c->frozen + 2;
    w->table = bough_mem_zalloc(l->mem, w->table_cap, sizeof *w->table);
    if (w->table == NULL)
        return BOUGH_ENOMEM;
    w->table[w->tables++] = c->table;
    if (w->late.rows > 0)
        w->table[w->tables++] = w->late;
    for (size_t i = c->frozen; i < l->tables; i++)
        w->table[w->tables++] = l->table[i];
    return BOUGH_OK;
}

/* Places in packs that stay, as long as anything there is young, and those of what was made. */
static enum bough_err births_make(struct bough_log__cycle *c, struct swap *w)
{
    struct bough_log *l = c->log;
    const struct bough_log__places *old = &l->births.packs, *made = &c->births;
    size_t i = 0, k = 0, room = bough_log__births_room(l);
    enum bough_err err = BOUGH_OK;

    while (!err && (i < old->n || k < made->n)) {
        bool is_made = i == old->n || (k < made->n && made->at[k].where < old->at[i].where);
        const struct bough_log__birth *b = is_made ? &made->at[k++] : &old->at[i++];
        uint32_t segment = bough_log__where_segment(b->where);

        if (is_made ||
            (!is_victim(c, segment) && bough_log__births_latest(l, segment) >= c->young_from))
            err = bough_log__births_add(l, &w->births, *b);
    }
    if (w->births.n > room) {
        memmove(w->births.at, w->births.at + (w->births.n - room), room * sizeof *w->births.at);
        w->births.n = room;
    }
    return err;
}

static void lists_free(struct bough_log *l, struct swap *w)
{
    bough_log__births_packs_fini(l, &w->births);
    bough_mem_free(l->mem, w->segment, w->segment_cap * sizeof *w->segment);
    bough_mem_free(l->mem, w->table, w->table_cap * sizeof *w->table);
}

/* ---- Leaving ---- */

static enum bough_err leave_add(
    struct bough_log__cycle *c, struct swap *w, const struct bough_oid *id)
{
    struct bough_log *l = c->log;
    char name[BOUGH_STORE__BOUNDARY_MAX];
    struct bough_log__ref_value v;
    struct leave *to = &w->leave[w->leaves];
    enum bough_err err = bough_log__ref_get(l, bough_store__boundary_name(&l->store, id, name), &v);

    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    w->leaves++;
    to->back = bough_log__ref_new(l->mem, &v);
    v = (struct bough_log__ref_value){.seq = l->head.seq, .ref.name = v.ref.name};
    to->gone = bough_log__ref_new(l->mem, &v);
    return to->back == NULL || to->gone == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

/* Both ways are prepared, so that neither can fail. */
static enum bough_err leave_make(struct bough_log__cycle *c, struct swap *w)
{
    const struct bough_log__rows *rows = &c->limits.leave;
    struct bough_log *l = c->log;
    enum bough_err err = BOUGH_OK;

    w->leave_cap = rows->n;
    if (rows->n == 0)
        return BOUGH_OK;
    w->leave = bough_mem_zalloc(l->mem, w->leave_cap, sizeof *w->leave);
    if (w->leave == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < rows->n && !err; i++)
        err = leave_add(c, w, &rows->row[i].id);
    return err ? err : bough_log__refs_reserve(&l->refs, l->mem, w->leaves);
}

static void leave_do(struct bough_log *l, struct swap *w)
{
    for (size_t i = 0; i < w->leaves; i++) {
        bough_log__refs_set(&l->refs, l->mem, w->leave[i].gone);
        w->leave[i].gone = NULL;
    }
    l->refs_n -= w->leaves;
    l->store.boundary = BOUGH_BOUNDARY_UNKNOWN;
    l->store.boundaries++;
}

static void leave_undo(struct bough_log *l, struct swap *w)
{
    for (size_t i = 0; i < w->leaves; i++) {
        bough_log__refs_set(&l->refs, l->mem, w->leave[i].back);
        w->leave[i].back = NULL;
    }
    l->refs_n += w->leaves;
    l->store.boundary = BOUGH_BOUNDARY_UNKNOWN;
    l->store.boundaries++;
}

static void leave_free(struct bough_log *l, struct swap *w)
{
    for (size_t i = 0; i < w->leaves; i++) {
        bough_log__ref_free(l->mem, w->leave[i].gone);
        bough_log__ref_free(l->mem, w->leave[i].back);
    }
    bough_mem_free(l->mem, w->leave, w->leave_cap * sizeof *w->leave);
}

/* ---- Swap ---- */

static enum bough_err zones_hold(struct bough_log__cycle *c, struct swap *w)
{
    struct bough_log *l = c->log;
    size_t n = 0;
    enum bough_err err;

    for (size_t i = 0; i < l->segments; i++) {
        if (is_victim(c, l->segment[i].number))
            n += l->segment[i].pack ? l->segment[i].run.n : 1;
    }
    err = bough_log__zones_reserve(l, n);
    if (err)
        return err;
    w->gone = (uint64_t)n * l->geo.zone;
    w->helds = l->zones.helds;
    for (size_t i = 0; i < l->segments; i++) {
        const struct bough_log__segment *seg = &l->segment[i];

        if (!is_victim(c, seg->number))
            continue;
        if (!seg->pack)
            bough_log__zone_hold(l, seg->zone, l->made + 1);
        for (uint32_t k = 0; seg->pack && k < seg->run.n; k++)
            bough_log__zone_hold(l, seg->run.zones[k], l->made + 1);
    }
    return BOUGH_OK;
}

/* They are in use again. */
static void zones_unhold(struct bough_log__cycle *c, const struct swap *w)
{
    struct bough_log *l = c->log;

    l->zones.helds = w->helds;
    for (size_t i = 0; i < l->segments; i++) {
        const struct bough_log__segment *seg = &l->segment[i];

        if (!is_victim(c, seg->number))
            continue;
        if (!seg->pack)
            bough_log__zone_set(l, seg->zone, BOUGH_LOG__ZONE_LOG);
        for (uint32_t k = 0; seg->pack && k < seg->run.n; k++)
            bough_log__zone_set(l, seg->run.zones[k], BOUGH_LOG__ZONE_PACK);
    }
}

static void lists_swap(struct bough_log *l, struct swap *w)
{
    struct swap was = *w;

    w->hold = l->hold;
    l->hold = was.hold;
    w->births = l->births.packs;
    l->births.packs = was.births;
    w->swapped[0] = l->swapped;
    w->swapped[1] = l->swapped_head;
    l->swapped = was.swapped[0];
    l->swapped_head = was.swapped[1];

    w->segment = l->segment;
    w->segments = l->segments;
    w->segment_cap = l->segment_cap;
    w->table = l->table;
    w->tables = l->tables;
    w->table_cap = l->table_cap;
    l->segment = was.segment;
    l->segments = was.segments;
    l->segment_cap = was.segment_cap;
    l->table = was.table;
    l->tables = was.tables;
    l->table_cap = was.table_cap;
}

/* What the old lists had alone. */
static void old_free(struct bough_log__cycle *c, struct swap *w)
{
    struct bough_log *l = c->log;

    for (size_t i = 0; i < w->segments; i++) {
        if (is_victim(c, w->segment[i].number))
            bough_log__segment_fini(l, &w->segment[i]);
    }
    for (size_t i = 0; i < c->frozen; i++)
        bough_log__table_fini(l, &w->table[i]);
    for (size_t i = 0; i < c->mades; i++)
        w->gone -= (uint64_t)c->made[i].run.n * l->geo.zone;
    c->progress.freed_bytes = (int64_t)w->gone > 0 ? w->gone : 0;
    c->mades = 0; /* the store has them now */
    c->table = (struct bough_log__table){.number = 0};
}

static enum bough_err swap_do(struct bough_log__cycle *c, struct swap *w)
{
    struct bough_log *l = c->log;
    struct bough_log__lists before;
    size_t frozen = c->frozen;
    bool other = bough_log__hold_is_new(c) || bough_log__hold_ends(c);
    enum bough_err err = zones_hold(c, w);

    if (err)
        return err;
    w->hold = other ? c->hold.table : l->hold;
    w->swapped[0] = l->next_segment;
    w->swapped[1] = l->head.segment;
    lists_swap(l, w);
    before = (struct bough_log__lists){.table = w->table, .tables = w->tables, .hold = &w->hold};
    leave_do(l, w);
    c->frozen = 0; /* the checkpoint may merge as it likes */
    l->before = &before;
    err = bough_log__checkpoint(l);
    l->before = NULL;
    c->frozen = frozen;
    if (!err) {
        l->store.losses++;
        l->swap_made = l->made;
        l->bitmaps_due = l->table[0].number;
        l->bitmaps_alone = l->bitmaps_due == c->table.number;
        old_free(c, w);
        if (other)
            bough_log__table_fini(l, &w->hold);
        c->hold.table = (struct bough_log__table){.number = 0};
        w->late = (struct bough_log__table){.number = 0};
        return BOUGH_OK;
    }
    leave_undo(l, w);
    lists_swap(l, w);
    zones_unhold(c, w);
    return err;
}

enum bough_err bough_log__finish(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    struct swap w = {.segment = NULL};
    enum bough_err err = bough_log__copy_close(c);

    if (!err)
        err = bough_log__border_again(c);
    if (!err)
        err = border_commit(c);
    if (!err)
        err = leave_make(c, &w);
    if (!err)
        err = late_make(c, &w);
    if (!err)
        err = segments_make(c, &w);
    if (!err)
        err = tables_make(c, &w);
    if (!err)
        err = births_make(c, &w);
    if (!err)
        err = swap_do(c, &w);
    if (w.late.run.n > 0)
        bough_log__cycle_table_drop(c, &w.late);
    lists_free(l, &w);
    leave_free(l, &w);
    return err;
}
