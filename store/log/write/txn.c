/*
 * txn.c - the transaction of the log engine; what puts objects into it is in put.c.
 *
 *   refs, records, adoption
 *   commit    reserve all memory, write the last frame, then just happen
 *   abort     the log goes back to where it stood
 *
 * Whatever a transaction wrote before its last frame is not in the chain yet:
 * frames without a LAST one, and zones that only they use.  Abort takes the head back, and
 * the next transaction writes over them, or wipes the first of them before it goes elsewhere.
 */
#include "store/engine.h"
#include "store/inner.h"
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/intake_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

static struct bough_log *log_of(struct bough_txn *t)
{
    return bough_log__of(t->store);
}

/* ---- Refs and records ---- */

/* After an item was appended to the index from `len` on: it is whole or it is gone. */
static enum bough_err item_done(struct bough_log__txn *t, size_t len)
{
    if (!t->index.err) {
        t->items++;
        return BOUGH_OK;
    }
    t->index.err = BOUGH_OK;
    t->index.len = len;
    return BOUGH_ENOMEM;
}

static enum bough_err txn_ref(struct bough_txn *txn, const struct bough_ref_change *c)
{
    struct bough_log *l = log_of(txn);
    struct bough_log__txn *t = &l->txn;
    struct bough_log__ref_value v = {.seq = 0};
    struct bough_log__ref *ref;
    bool found, was;
    size_t i = bough_log__refs_seek(&t->refs, c->name, &found), len;
    enum bough_err err = BOUGH_OK;

    if (found)
        bough_log__ref_show(t->refs.ref[i], &v);
    else
        err = bough_log__ref_get(l, c->name, &v);
    if (err && err != BOUGH_ENOENT)
        return err;
    was = !err && v.ref.kind != BOUGH_REF_NONE;
    t->grows = t->grows || c->kind != BOUGH_REF_NONE;
    err = bough_store__ref_check(c, was ? v.ref.kind : BOUGH_REF_NONE, &v.ref.id);
    if (!err)
        err = bough_log__refs_reserve(&t->refs, l->mem, 1);
    if (!err)
        err = bough_log__frame_fit(l, 0, 64 + 2 * l->geo.id_len + c->name.len + c->target.len);
    if (err)
        return err;
    v = (struct bough_log__ref_value){
        .seq = l->head.seq, .counts = was != (c->kind != BOUGH_REF_NONE)};
    v.ref = (struct bough_ref){.name = c->name, .kind = c->kind};
    if (c->kind == BOUGH_REF_ID) {
        v.ref.id = c->id;
        v.ref.peeled = c->peeled;
    } else if (c->kind == BOUGH_REF_SYM) {
        v.ref.target = c->target;
    }
    ref = bough_log__ref_new(l->mem, &v);
    if (ref == NULL)
        return BOUGH_ENOMEM;
    len = t->index.len;
    bough_log__ref_encode(&t->index, l->geo.algo, &v);
    err = item_done(t, len);
    if (err) {
        bough_log__ref_free(l->mem, ref);
        return err;
    }
    bough_log__refs_set(&t->refs, l->mem, ref);
    if (v.counts)
        t->refs_more += was ? -1 : 1;
    return BOUGH_OK;
}

static enum bough_err txn_record(
    struct bough_txn *txn, struct bough_view stream, struct bough_view bytes, uint64_t *seq)
{
    struct bough_log *l = log_of(txn);
    struct bough_log__txn *t = &l->txn;
    size_t len;
    enum bough_err err;

    if (l->records.bytes + t->records.bytes > BOUGH_LOG__RECORDS_MAX)
        return BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "live records", NULL, 0);
    t->grows = true;
    err = bough_log__records_reserve(&t->records, l->mem, 1);
    if (!err)
        err = bough_log__frame_fit(l, 0, 16 + stream.len + bytes.len);
    if (err)
        return err;
    len = t->index.len;
    bough_log__record_encode(&t->index, t->next_record, stream, bytes, false);
    if (!t->index.err)
        t->index.err = bough_log__records_add(&t->records, l->mem, t->next_record, stream, bytes);
    err = item_done(t, len);
    if (!err)
        *seq = t->next_record++;
    return err;
}

static enum bough_err txn_retire(struct bough_txn *txn, struct bough_view stream, uint64_t seq)
{
    struct bough_log *l = log_of(txn);
    struct bough_log__txn *t = &l->txn;
    struct bough_view none = {NULL, 0};
    size_t len;
    enum bough_err err;

    if (seq >= t->next_record)
        seq = t->next_record - 1; /* records to come are not meant */
    err = bough_log__records_reserve(&t->retired, l->mem, 1);
    if (!err)
        err = bough_log__frame_fit(l, 0, 16 + stream.len);
    if (err)
        return err;
    len = t->index.len;
    bough_log__record_encode(&t->index, seq, stream, none, true);
    if (!t->index.err)
        t->index.err = bough_log__records_add(&t->retired, l->mem, seq, stream, none);
    err = item_done(t, len);
    if (!err)
        bough_log__records_retire(&t->records, l->mem, stream, seq);
    return err;
}

/* ---- Begin, commit, abort ---- */

void bough_log__txn_fini(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;

    bough_log__ahead_drop(l);
    bough_buf_fini(&t->data);
    bough_buf_fini(&t->index);
    bough_log__rows_fini(&t->rows, l->mem);
    bough_log__refs_fini(&t->refs, l->mem);
    bough_log__records_fini(&t->records, l->mem);
    bough_log__records_fini(&t->retired, l->mem);
    bough_mem_free(l->mem, t->adopted, t->adopted_cap * sizeof *t->adopted);
    t->adopted = NULL;
    t->adopted_n = t->adopted_cap = 0;
}

enum { KEEP_ROWS = 1024 };

/* Ready for the next one; the frame's buffers keep their room. */
static void txn_clear(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;

    bough_buf_clear(&t->data);
    bough_buf_clear(&t->index);
    bough_log__rows_clear(&t->rows, l->mem, KEEP_ROWS);
    bough_log__refs_clear(&t->refs, l->mem);
    bough_log__records_fini(&t->records, l->mem);
    bough_log__records_fini(&t->retired, l->mem);
    t->refs_more = 0;
    t->adopted_n = 0;
    t->items = 0;
    t->bytes = 0;
    t->began = false;
    t->heavy = t->grows = false;
}

static enum bough_err commit_reserve(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;
    enum bough_err err = bough_log__rows_reserve(&l->rows, l->mem, t->rows.n);

    if (!err)
        err = bough_log__refs_reserve(&l->refs, l->mem, t->refs.n);
    if (!err)
        err = bough_log__records_reserve(&l->records, l->mem, t->records.n);
    if (!err)
        err = bough_log__tables_reserve(l, t->adopted_n + t->ahead_n);
    return err;
}

static void commit_apply(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;

    for (size_t i = 0; i < t->rows.n; i++)
        bough_log__rows_renew(&l->rows, &t->rows.row[i]);
    bough_log__refs_take(&l->refs, l->mem, &t->refs);
    l->refs_n += (uint64_t)t->refs_more;
    for (size_t i = 0; i < t->retired.n; i++) {
        const struct bough_log__record *r = t->retired.rec[i];
        bough_log__records_retire(&l->records, l->mem, bough_view(r->bytes, r->stream_len), r->seq);
    }
    for (size_t i = 0; i < t->records.n; i++)
        l->records.rec[l->records.n++] = t->records.rec[i];
    l->records.bytes += t->records.bytes;
    t->records.n = 0;
    t->records.bytes = 0;
    for (size_t i = 0; i < t->adopted_n; i++) {
        bough_log__apply_segment_table(l, bough_log__segment_find(l, t->adopted[i]));
        bough_log__births_adopted(l, t->adopted[i]);
    }
    bough_log__ahead_apply(l);
    l->next_record = t->next_record;
    l->log_bytes += t->bytes;
    l->commits++;
}

/* Zones and segments that only this transaction has. */
static void txn_undo(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;

    if (t->began)
        l->given_up = t->start.seq;
    if (l->head.zone != t->start.zone)
        l->prepared_to = l->prepared_next = 0; /* somewhere, but not here */
    if (l->head.next != 0 && l->head.next != t->start.next)
        bough_log__zone_drop(l, l->head.next);
    while (l->segments > 0 && l->segment[l->segments - 1].number >= t->start_segment) {
        struct bough_log__segment *seg = &l->segment[--l->segments];
        if (!seg->pack && seg->zone != t->start.next)
            bough_log__zone_drop(l, seg->zone);
        for (uint32_t i = 0; seg->pack && i < seg->run.n; i++)
            bough_log__zone_drop(l, seg->run.zones[i]);
        bough_log__segment_fini(l, seg);
    }
    l->head = t->start;
    l->next_segment = t->start_segment;
    if (t->rows.n > 0 || t->adopted_n > 0 || t->ahead_n > 0)
        bough_log__bodies_drop(l);
    bough_log__ahead_drop(l);
}

static void txn_abort(struct bough_txn *t)
{
    struct bough_log *l = log_of(t);

    txn_undo(l);
    txn_clear(l);
    l->store.txn = NULL; /* what follows is the store's own */
    bough_log__full_count(l);
}

enum { PAY_WAIT_MAX = 255 }; /* commits */

/* Nobody made it in time: so the commit makes it, and does a part of the merging.  Where there is no
   room or memory for it, it is tried again after some commits, and after ever more. */
static enum bough_err checkpoint_pay(struct bough_log *l)
{
    uint64_t rows = l->rows.n, refs = l->refs.n;
    enum bough_err err;

    if (l->pay_skip > 0) {
        l->pay_skip--;
        return BOUGH_OK;
    }
    err = bough_log__checkpoint(l);
    l->pay_wait = !err ? 0 : l->pay_wait < PAY_WAIT_MAX ? 2 * l->pay_wait + 1 : PAY_WAIT_MAX;
    l->pay_skip = l->pay_wait;
    if (!err)
        err = bough_log__tiers_pay(l, rows);
    return err ? err : bough_log__reftiers_pay(l, refs);
}

static enum bough_err txn_commit(struct bough_txn *txn, enum bough_durable how)
{
    struct bough_log *l = log_of(txn);
    bool now = how == BOUGH_DURABLE_NOW;
    enum bough_err err;

    if (l->txn.items == 0 && !l->txn.began) {
        txn_clear(l);
        return now ? bough_log__sync(&l->store) : BOUGH_OK;
    }
    err = commit_reserve(l);
    if (!err)
        err = bough_log__ahead_name(l);
    if (!err)
        err = bough_log__frame_fit(l, 0, 0);
    if (!err && l->txn.adopted_n + l->txn.ahead_n > 0)
        err = bough_log__flush(l); /* before the frame that makes it count */
    if (!err)
        err = bough_log__frame_cut(l, true, now);
    if (err) {
        txn_abort(txn);
        return err;
    }
    commit_apply(l);
    txn_clear(l);
    l->store.txn = NULL; /* what follows is the store's own */
    if (bough_log__checkpoint_due(l, 1))
        (void)bough_store__wrote(&l->store, checkpoint_pay(l));
    else if (l->settle.on)
        (void)bough_store__wrote(&l->store, bough_log__settle_move(l));
    return BOUGH_OK;
}

static const struct bough_txn_class txn_class = {
    .put = bough_log__put,
    .put_delta = bough_log__put_delta,
    .ref = txn_ref,
    .record = txn_record,
    .retire = txn_retire,
    .adopt = bough_log__adopt,
    .commit = txn_commit,
    .abort = txn_abort,
};

enum bough_err bough_log__txn_begin(struct bough_store *s, struct bough_txn **out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__txn *t = &l->txn;
    enum bough_err err = bough_log__owner_check_timely(l);

    if (!err)
        err = bough_log__collect_pay(l);
    if (err)
        return err;
    bough_log__next_zone(l);
    bough_log__births_note(l);
    if (l->head.spare) /* zones may have become free since the log came here */
        l->head.spare = bough_log__zones_room(l) < bough_log__reserve(l);
    s->tight = bough_log__zones_room(l) <= bough_log__reserve(l);
    t->txn = (struct bough_txn){.cls = &txn_class, .store = s};
    t->start = l->head;
    t->start_segment = l->next_segment;
    t->next_record = l->next_record;
    *out = &t->txn;
    return BOUGH_OK;
}

enum bough_err bough_log__sync(struct bough_store *s)
{
    struct bough_log *l = bough_log__of(s);
    uint64_t committed = s->txn != NULL ? l->txn.start.seq - 1 : l->head.seq - 1;
    enum bough_err err;

    if (l->settle.on)
        return bough_log__settle_move(l);
    if (l->durable_to >= committed)
        return BOUGH_OK;
    err = bough_log__flush(l);
    if (!err)
        l->durable_to = committed;
    return err;
}
