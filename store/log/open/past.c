/*
 * past.c - objects whose rows are lost, for who wants what is left of a store.
 *
 * Where a block of an oid table is damaged, the entries of all segments are gone through, and
 * those that no table knows get rows in memory.  They may be more than lived: what a collection
 * left behind beside them, and what a transaction wrote that never was.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

/* Is a block of any table damaged? */
static enum bough_err any_damaged(struct bough_log *l, bool *out)
{
    enum bough_err err = BOUGH_OK;

    *out = false;
    for (size_t i = 0; i < l->tables && !err; i++) {
        for (uint32_t no = 0; no < l->table[i].blocks && !err; no++) {
            const uint8_t *block;
            uint32_t rows;

            err = bough_log__table_block(l, &l->table[i], BOUGH_LOG__BLOCK_OID, no, &block, &rows);
        }
    }
    *out = err == BOUGH_ECORRUPT || err == BOUGH_EIO;
    return *out ? BOUGH_OK : err;
}

static enum bough_err entry_take(
    struct bough_log *l, uint32_t segment, const struct bough_log__found_entry *e)
{
    struct bough_log__row row;
    enum bough_err err = bough_log__row_find(l, &e->id, &row);

    if (err != BOUGH_ENOENT)
        return err;
    err = bough_log__rows_reserve(&l->rows, l->mem, 1);
    if (err)
        return err;
    row = (struct bough_log__row){
        .id = e->id, .where = bough_log__where(segment, e->at), .crc = e->crc, .unseen = true};
    bough_log__rows_add(&l->rows, &row);
    return BOUGH_OK;
}

enum bough_err bough_log__past_rows(struct bough_log *l)
{
    struct bough_log__entries e;
    bool damaged;
    enum bough_err err = any_damaged(l, &damaged);

    if (err || !damaged)
        return err;
    bough_log__entries_init(&e, l);
    for (size_t i = 0; i < l->segments && !err; i++) {
        struct bough_log__found_entry found;
        uint32_t number = l->segment[i].number;

        bough_log__entries_begin(&e, number);
        while (!err && !(err = bough_log__entries_next(&e, &found)))
            err = entry_take(l, number, &found);
        if (err == BOUGH_ENOENT || err == BOUGH_ECORRUPT || err == BOUGH_EIO)
            err = BOUGH_OK; /* the rest of this one cannot be had */
    }
    bough_log__entries_fini(&e);
    return err;
}
