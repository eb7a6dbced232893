/*
 * hold.c - what commits, trees and tags that cannot be read may have led to is kept.
 *
 *   met      marking came to one that cannot be read: nobody knows what it names
 *   judging  when it came, and so what it can have led to: what was there by then
 *   sweep    the rows of that, and, since of several rows of an id only the first is known, the entries
 *   list     the ids, as a table: what came later is not held, now or by later collections
 *
 * A store is closed: when an object came, all that it leads to was there.  Segments are numbered in the
 * order of time, so that has an entry below some segment, which stays until the next swap:
 *
 *   - it was there at the last swap: below the first segment that did not exist then;
 *   - it came later: below the log segment that was begun when its transaction had ended;
 *   - it is in the list: then all it leads to is, too.
 *
 * Where that cannot be told, all is held.  So garbage of later than the damage goes, however long it
 * stays, and when nothing damaged is reached any more the list goes, with what it held.
 */
#include "store/log/cycle_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { ALL = BOUGH_LOG__HOLD_ALL, ROWS = 64, MET_MAX = 4096 };

enum { JUDGE, LISTED, SWEEP_ROWS, SWEEP_ENTRIES, DONE };

/* ---- Met ---- */

enum bough_err bough_log__hold_met(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_log__hold *h = &c->hold;

    if (!h->on)
        return BOUGH_ECORRUPT;
    if (c->packs)
        return BOUGH_OK; /* all lives */
    if (h->met.n == 0)
        bough_env_log(c->log->store.env, BOUGH_LOG_WARN,
            "a collection keeps what a damaged object may need: fsck tells more");
    c->progress.unread++;
    if (h->before == ALL)
        return BOUGH_OK;
    if (c->stage != BOUGH_LOG__STAGE_MARK || h->step > JUDGE || h->met.n == MET_MAX) {
        c->log->hold_all = c->again_all = true;
        return BOUGH_OK;
    }
    return bough_log__push(c, &h->met, where);
}

void bough_log__hold_fini(struct bough_log__cycle *c, bool zones)
{
    struct bough_log__hold *h = &c->hold;

    bough_log__stack_fini(c, &h->met);
    bough_mem_free(c->log->mem, h->bits, h->len);
    if (zones)
        bough_log__cycle_table_drop(c, &h->table);
    else
        bough_log__table_fini(c->log, &h->table);
}

/* ---- Judging ---- */

/* The id of the entry there.  BOUGH_ENOENT, BOUGH_ECORRUPT: nobody can tell. */
static enum bough_err id_at(struct bough_log__cycle *c, uint64_t where, struct bough_oid *id)
{
    const struct bough_log__segment *seg =
        bough_log__segment_find(c->log, bough_log__where_segment(where));
    uint64_t at = bough_log__where_offset(where);
    struct bough_log__found_entry f = {.at = 0};
    struct bough_log__reverse r;
    struct bough_log__entries e;
    enum bough_err err;

    if (seg != NULL && seg->pack) {
        err = bough_log__reverse_find(c->log, seg, at, &r);
        *id = r.id;
        return err;
    }
    bough_log__entries_init(&e, c->log);
    bough_log__entries_begin(&e, bough_log__where_segment(where));
    err = seg == NULL ? BOUGH_ENOENT : bough_log__entries_next(&e, &f);
    while (!err && f.at < at)
        err = bough_log__entries_next(&e, &f);
    bough_log__entries_fini(&e);
    *id = f.id;
    return !err && f.at != at ? BOUGH_ENOENT : err;
}

/* The first log segment above that one, or NULL. */
static const struct bough_log__segment *log_above(const struct bough_log *l, uint32_t number)
{
    for (size_t i = 0; i < l->segments; i++) {
        if (l->segment[i].number > number && !l->segment[i].pack)
            return &l->segment[i];
    }
    return NULL;
}

/* Does the transaction that goes on at the start of the log segment end in it? */
static enum bough_err ends_in(
    struct bough_log__cycle *c, const struct bough_log__segment *seg, bool *yes)
{
    struct bough_log__frame f = {.flags = 0};
    struct bough_buf index;
    uint32_t at = 0;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&index, c->log->mem);
    *yes = false;
    while (!err && !*yes) {
        err = bough_log__frame_load(c->log, seg->zone, at, &f, &index);
        if (!err && f.segment != seg->number)
            err = BOUGH_ENOENT;
        *yes = !err && (f.flags & BOUGH_LOG__FRAME_LAST) != 0;
        at += (uint32_t)bough_log__frame_len(&c->log->geo, &f);
    }
    bough_buf_fini(&index);
    return err == BOUGH_ENOENT || err == BOUGH_ECORRUPT ? BOUGH_OK : err;
}

/* What came in a segment after the last swap: all it leads to lies below *before.  A pack segment's
   transaction may have gone on in the log segment after it. */
static enum bough_err transaction_end(
    struct bough_log__cycle *c, uint32_t segment, uint32_t *before)
{
    const struct bough_log__segment *seg = log_above(c->log, segment);
    bool ends = false;
    enum bough_err err = BOUGH_OK;

    while (!err && !ends && seg != NULL && seg->number < c->cut.segment) {
        err = ends_in(c, seg, &ends);
        seg = log_above(c->log, seg->number);
    }
    *before = ends && seg != NULL ? seg->number : ALL;
    return err;
}

static enum bough_err judge_one(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_log *l = c->log;
    struct bough_log__hold *h = &c->hold;
    uint32_t segment = bough_log__where_segment(where), before;
    struct bough_log__row row;
    struct bough_oid id;
    enum bough_err err = BOUGH_ENOENT;

    if (l->hold.rows > 0)
        err = id_at(c, where, &id);
    if (!err)
        err = bough_log__table_find(l, &l->hold, &id, &row);
    if (!err || (err != BOUGH_ENOENT && err != BOUGH_ECORRUPT))
        return err;
    err = BOUGH_OK;
    if (segment < l->swapped && segment != l->swapped_head)
        before = l->swapped;
    else
        err = transaction_end(c, segment, &before);
    h->before = !err && before > h->before ? before : h->before;
    return err;
}

/* ---- Sweep ---- */

/* It is held, by whichever row stands for it. */
static enum bough_err hold_id(struct bough_log__cycle *c, const struct bough_oid *id)
{
    struct bough_log__hold *h = &c->hold;
    struct bough_log__row row;
    uint64_t bit;
    bool fresh;
    enum bough_err err = bough_log__old_find(c, id, &row, &bit);

    if (err) /* of a transaction that never was */
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    err = bough_log__mark_alone(c, id, &row, &fresh);
    h->rows += (h->bits[bit / 8] & 1u << bit % 8) == 0;
    h->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
    c->progress.held += !err && fresh;
    return err;
}

/* A block's rows: all of the list, or those that lie below h->before.  BOUGH_ENOENT: no more blocks. */
static enum bough_err block_hold(
    struct bough_log__cycle *c, const struct bough_log__table *t, uint32_t below)
{
    struct bough_log *l = c->log;
    uint32_t rows = 1;

    if (c->hold.block == t->blocks)
        return BOUGH_ENOENT;
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *block;
        struct bough_log__row row;
        enum bough_err err =
            bough_log__table_block(l, t, BOUGH_LOG__BLOCK_OID, c->hold.block, &block, &rows);

        if (err || i >= rows)
            return err;
        bough_log__table_row(l, t, block, i, &row);
        if (below == ALL || bough_log__where_segment(row.where) < below)
            err = hold_id(c, &row.id);
        if (err)
            return err;
    }
    c->hold.block++;
    return BOUGH_OK;
}

static enum bough_err listed_step(struct bough_log__cycle *c)
{
    enum bough_err err = block_hold(c, &c->log->hold, ALL);

    if (err == BOUGH_ECORRUPT) { /* then it is made anew, of all */
        c->hold.before = ALL;
        err = BOUGH_ENOENT;
    }
    return err;
}

static enum bough_err rows_step(struct bough_log__cycle *c)
{
    enum bough_err err;

    if (c->hold.before == 0 || c->hold.table_no == c->frozen)
        return BOUGH_ENOENT;
    err = block_hold(c, &c->log->table[c->hold.table_no], c->hold.before);
    if (err != BOUGH_ENOENT)
        return err;
    c->hold.table_no++;
    c->hold.block = 0;
    return BOUGH_OK;
}

/* Does the log go on where the walk over a log segment ended?  Else entries of it are not known. */
static enum bough_err walk_whole(struct bough_log__cycle *c, const struct bough_log__segment *seg)
{
    const struct bough_log__segment *next = log_above(c->log, seg->number);
    struct bough_log__frame f;
    struct bough_buf index;
    enum bough_err err;

    if (seg->pack)
        return BOUGH_OK;
    if (next == NULL)
        return BOUGH_ECORRUPT;
    bough_buf_init(&index, c->log->mem);
    err = bough_log__frame_load(c->log, next->zone, 0, &f, &index);
    bough_buf_fini(&index);
    if (!err && (c->entries.at == 0 || f.seq != c->entries.frame.seq + 1))
        err = BOUGH_ECORRUPT;
    return err == BOUGH_ENOENT ? BOUGH_ECORRUPT : err;
}

/* An id may have an entry below though the row that stands for it lies above. */
static enum bough_err entries_step(struct bough_log__cycle *c)
{
    const struct bough_log__segment *seg;
    struct bough_log__found_entry f;
    enum bough_err err;

    if (c->entries.number == 0) {
        seg = c->at < c->log->segments ? &c->log->segment[c->at] : NULL;
        if (seg == NULL || c->hold.before == ALL || seg->number >= c->hold.before)
            return BOUGH_ENOENT;
        bough_log__entries_begin(&c->entries, seg->number);
    }
    seg = &c->log->segment[c->at];
    err = bough_log__entries_next(&c->entries, &f);
    if (!err)
        return hold_id(c, &f.id);
    if (err == BOUGH_ENOENT || (err == BOUGH_ECORRUPT && !seg->pack))
        err = walk_whole(c, seg);
    c->entries.number = 0;
    c->at++;
    if (err != BOUGH_ECORRUPT)
        return err;
    c->hold.before = ALL;
    c->hold.step = SWEEP_ROWS;
    c->hold.table_no = c->hold.block = 0;
    return BOUGH_OK;
}

static enum bough_err begin(struct bough_log__cycle *c)
{
    struct bough_log__hold *h = &c->hold;

    if (h->met.n == 0 && h->before == 0) {
        h->step = DONE;
        return BOUGH_OK;
    }
    h->len = c->bits_len;
    h->bits = bough_mem_zalloc(c->log->mem, h->len, 1);
    return h->bits == NULL ? BOUGH_ENOMEM : BOUGH_ENOENT;
}

enum bough_err bough_log__hold_step(struct bough_log__cycle *c)
{
    struct bough_log__hold *h = &c->hold;
    enum bough_err err;

    if (h->step == JUDGE && h->judged < h->met.n && h->before != ALL)
        return judge_one(c, h->met.at[h->judged++]);
    switch (h->step) {
    case JUDGE:
        err = begin(c);
        break;
    case LISTED:
        err = listed_step(c);
        break;
    case SWEEP_ROWS:
        err = rows_step(c);
        break;
    case SWEEP_ENTRIES:
        err = entries_step(c);
        break;
    default:
        return BOUGH_ENOENT;
    }
    if (err != BOUGH_ENOENT)
        return err;
    h->step++;
    h->block = 0;
    c->at = 0;
    return BOUGH_OK;
}

/* ---- The list ---- */

bool bough_log__hold_is_new(const struct bough_log__cycle *c)
{
    return c->hold.before > 0;
}

bool bough_log__hold_ends(const struct bough_log__cycle *c)
{
    return !c->packs && c->hold.met.n == 0 && c->hold.before == 0 && c->log->hold.rows > 0;
}

static enum bough_err list_start(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    struct bough_log__hold *h = &c->hold;
    enum bough_err err = bough_log__kept_start(c, h->bits);

    if (!err)
        err = bough_log__out_init(&c->table_out, l, &h->table.run, BOUGH_LOG__ZONE_TABLE);
    return err ? err : bough_log__table_writer_init(&c->writer, &c->table_out, h->rows, &h->table);
}

enum bough_err bough_log__list_step(struct bough_log__cycle *c)
{
    enum bough_err err = BOUGH_OK;

    if (!bough_log__hold_is_new(c) || c->hold.rows == 0)
        return BOUGH_ENOENT;
    if (c->writer == NULL)
        err = list_start(c);
    if (!err)
        err = bough_log__kept_step(c);
    if (err != BOUGH_ENOENT)
        return err;
    bough_log__rows_stop(c);
    return BOUGH_ENOENT;
}
