/*
 * ahead.c - tables written ahead: a transaction of any length in bounded memory.
 *
 *   write    its rows so far become a table in zones of its own; many tables become one
 *   name     with the commit their items say which objects they stand for
 *   drop     an aborted transaction gives the zones back
 *   replay
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

static void table_drop(struct bough_log *l, struct bough_log__table *t)
{
    for (uint32_t i = 0; i < t->run.n; i++)
        bough_log__zone_drop(l, t->run.zones[i]);
    bough_log__table_fini(l, t);
}

/* The transaction's rows, and the tables before them from number `from` on, as one. */
static enum bough_err table_make(struct bough_log *l, uint32_t from,
    struct bough_log__row_source *rows, struct bough_log__table *t)
{
    struct bough_log__txn *txn = &l->txn;
    struct bough_log__table_source src[BOUGH_LOG__AHEAD_MAX];
    struct bough_log__merge merge;
    uint64_t sum = txn->rows.n;
    enum bough_err err = bough_log__merge_init(&merge, l->mem, BOUGH_LOG__AHEAD_MAX + 1);

    merge.newest = true;
    for (uint32_t i = from; i < txn->ahead_n && !err; i++) {
        bough_log__table_source_init(&src[i], l, &txn->ahead[i], NULL);
        bough_log__merge_add(&merge, &src[i].src);
        sum += txn->ahead[i].rows;
    }
    if (!err) {
        bough_log__merge_add(&merge, rows);
        err = bough_log__table_make(l, bough_log__kept_back(l), &merge.src, sum, t);
    }
    bough_log__merge_fini(&merge);
    return err;
}

enum bough_err bough_log__ahead_write(struct bough_log *l)
{
    struct bough_log__txn *txn = &l->txn;
    uint32_t from = txn->ahead_n < BOUGH_LOG__AHEAD_MAX ? txn->ahead_n : 0;
    struct bough_log__rows_source rows;
    struct bough_log__table t = {.number = 0};
    enum bough_err err = txn->items > 0 ? bough_log__frame_cut(l, false, false) : BOUGH_OK;

    if (!err)
        err = bough_log__rows_source_init(&rows, &txn->rows, l->mem);
    if (err)
        return err;
    err = table_make(l, from, &rows.src, &t);
    bough_log__rows_source_fini(&rows);
    if (err) {
        table_drop(l, &t);
        return err;
    }
    while (txn->ahead_n > from)
        table_drop(l, &txn->ahead[--txn->ahead_n]);
    txn->ahead[txn->ahead_n++] = t;
    txn->ahead_upto = l->head.seq - 1;
    bough_log__rows_clear(&txn->rows, l->mem, l->opts.table_rows);
    return BOUGH_OK;
}

enum bough_err bough_log__ahead_name(struct bough_log *l)
{
    struct bough_log__txn *txn = &l->txn;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < txn->ahead_n && !err; i++) {
        size_t at, len;

        err = bough_log__frame_fit(l, 0, 64 + 8 * (size_t)txn->ahead[i].run.n);
        if (err)
            break;
        len = txn->index.len;
        at = bough_log__item_begin(&txn->index, BOUGH_LOG__AHEAD);
        bough_buf_put64le(&txn->index, txn->ahead_upto);
        bough_log__table_encode(&txn->index, &txn->ahead[i]);
        bough_log__item_end(&txn->index, at);
        err = txn->index.err;
        if (err) {
            txn->index.err = BOUGH_OK;
            txn->index.len = len;
        } else {
            txn->items++;
        }
    }
    return err;
}

static void table_take(struct bough_log *l, const struct bough_log__table *t)
{
    BOUGH_ASSERT(l->tables < l->table_cap);
    l->table[l->tables++] = *t;
    l->fresh++;
}

void bough_log__ahead_apply(struct bough_log *l)
{
    for (uint32_t i = 0; i < l->txn.ahead_n; i++)
        table_take(l, &l->txn.ahead[i]);
    l->txn.ahead_n = 0;
}

void bough_log__ahead_drop(struct bough_log *l)
{
    while (l->txn.ahead_n > 0)
        table_drop(l, &l->txn.ahead[--l->txn.ahead_n]);
}

enum bough_err bough_log__ahead_replay(struct bough_log *l, struct bough_view body)
{
    struct bough_log__table t;
    enum bough_err err;

    if (body.len < 8)
        return bough_log__corrupt(l, "a table written ahead makes no sense", 0);
    err = bough_log__table_decode(l, bough_view(body.ptr + 8, body.len - 8), &t);
    if (err)
        return err;
    for (uint32_t i = 0; i < t.run.n && !err; i++)
        err = bough_log__zone_claim(l, t.run.zones[i], BOUGH_LOG__ZONE_TABLE);
    if (!err)
        err = bough_log__tables_reserve(l, 1);
    if (err) {
        bough_log__table_fini(l, &t);
        return err;
    }
    if (l->next_table <= t.number)
        l->next_table = t.number + 1;
    table_take(l, &t);
    return BOUGH_OK;
}
