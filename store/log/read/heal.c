/*
 * heal.c - an object that is damaged is put again: which of its copies is read, and which one stays.
 *
 *   there     is an object as it should be?  Else it is taken once more
 *   copies    of what is damaged, for deltas that stand upon it
 *   seeing    rows that were replayed do not say whether their entries stand alone
 *
 * Objects are put without a look at what is there (but for large ones), so there may be several rows of
 * one.  The newest is read.  Where tables are merged the newest one that is known to stand alone stays, and
 * where there is none the first.  Why not the newest of all: one may be a delta that leads, over objects
 * put since, to another copy of itself.  Following the first rows never goes round, for what a delta
 * stands upon was there before it; and an entry that stands alone leads nowhere.
 */
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

/* ---- There ---- */

/* An entry, and what it stands upon. */
static enum bough_err chain_check(struct bough_log *l, uint64_t where)
{
    const struct bough_oid *id = NULL;
    struct bough_oid base;

    for (uint32_t depth = 0; depth <= BOUGH_LOG__CHAIN_MAX; depth++) {
        struct bough_log__entry e;
        enum bough_err err = bough_log__entry_open(l, where, &e);

        if (!err)
            err = bough_log__entry_check(l, &e);
        if (err == BOUGH_ECORRUPT && depth > 0)
            return bough_log__copy_find(l, where, id, &where);
        if (err || !bough_entry_is_delta(e.head.type))
            return err;
        base = e.head.base;
        id = e.head.type == BOUGH_REF_DELTA ? &base : NULL;
        err = bough_log__base_of(l, &e, where, &where);
        if (err)
            return err;
    }
    return bough_log__corrupt(l, "a chain of deltas is too long", where);
}

enum bough_err bough_log__is_there(struct bough_log *l, const struct bough_oid *id)
{
    struct bough_log__row row;
    enum bough_err err = bough_log__row_find(l, id, &row);

    if (err || (l->store.txn != NULL && bough_log__is_unborn(l, row.where)))
        return err; /* written just now */
    err = chain_check(l, row.where);
    return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
}

/* ---- Copies ---- */

static bool is_good(struct bough_log *l, const struct bough_log__row *row, uint64_t but)
{
    struct bough_log__entry e;

    return row->where != but && !bough_log__entry_open(l, row->where, &e) &&
           !bough_entry_is_delta(e.head.type) && !bough_log__entry_check(l, &e);
}

enum bough_err bough_log__copy_find(
    struct bough_log *l, uint64_t where, const struct bough_oid *id, uint64_t *other)
{
    const struct bough_log__segment *seg =
        bough_log__segment_find(l, bough_log__where_segment(where));
    struct bough_log__reverse r;
    const struct bough_log__row *has;
    struct bough_log__row row;

    if (id == NULL && (seg == NULL || !seg->pack ||
                          bough_log__reverse_find(l, seg, bough_log__where_offset(where), &r)))
        return bough_log__corrupt(l, "an entry is damaged", where);
    id = id == NULL ? &r.id : id;
    has = bough_log__rows_find(&l->rows, id);
    if (has != NULL && is_good(l, has, where)) {
        *other = has->where;
        return BOUGH_OK;
    }
    for (size_t i = l->tables; i > 0; i--) {
        if (!bough_log__table_find(l, &l->table[i - 1], id, &row) && is_good(l, &row, where)) {
            *other = row.where;
            return BOUGH_OK;
        }
    }
    return bough_log__corrupt(l, "an entry is damaged", where);
}

/* ---- Seeing ---- */

enum bough_err bough_log__row_see(struct bough_log *l, struct bough_log__row *row)
{
    const struct bough_log__segment *seg =
        bough_log__segment_find(l, bough_log__where_segment(row->where));
    uint8_t first;
    enum bough_err err;

    if (seg == NULL)
        return bough_log__corrupt(l, "a segment is named that is not there", row->where);
    err = bough_log__segment_read(l, seg, bough_log__where_offset(row->where), &first, 1);
    if (err)
        return err;
    row->whole = bough_log__stands_alone(first);
    row->unseen = false;
    return BOUGH_OK;
}

enum bough_err bough_log__rows_see(struct bough_log *l)
{
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < l->rows.n && !err; i++) { /* in the order in which they lie */
        if (l->rows.row[i].unseen)
            err = bough_log__row_see(l, &l->rows.row[i]);
    }
    return err;
}
