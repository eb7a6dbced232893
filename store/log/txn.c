/*
 * txn.c - the transaction of the log engine.
 *
 *   objects   compressed or stored, into the frame being made
 *   refs, records, adoption
 *   commit    reserve all memory, write the last frame, then just happen
 *   abort     the log goes back to where it stood
 *
 * Whatever a transaction wrote before its last frame is not in the chain yet:
 * frames without a LAST one, and zones that only they use.  Abort takes the head back, and
 * the next transaction writes over them, or wipes the first of them before it goes elsewhere.
 */
#include "git/entry.h"
#include "store/log/range_inner.h"

/* What is at most so long is stored: deflating it would take longer than writing it.  Trees and
   deltas are mostly ids, which do not shrink.  Large trees are stored so that they can be read by
   range: deflated they would be two thirds as long, and one in some thousand versions is whole. */
enum { STORE_MAX = 512, STORE_MAX_COMMIT = 2048, STORE_MAX_IDS = 8192, TREE_MAX = 64 * 1024 };
enum { LEVEL = 1, BEFORE = BOUGH_LOG__BEFORE, SAMPLE = 4096, SAMPLE_FROM = 32768 };
/* From so many bytes it pays to ask whether an object is there; a tree hardly ever is. */
enum { LOOK_FROM = 4096, LOOK_FROM_TREE = 65536 };

static struct bough_log *log_of(struct bough_txn *t)
{
    return bough_log__of(t->store);
}

/* ---- Objects ---- */

static size_t store_max(enum bough_type type)
{
    if (type == BOUGH_TREE || type > BOUGH_TAG)
        return STORE_MAX_IDS;
    return type == BOUGH_COMMIT ? STORE_MAX_COMMIT : STORE_MAX;
}

/* Does a sample of it shrink? */
static bool is_worth_deflating(struct bough_log *l, enum bough_type type, struct bough_view body)
{
    struct bough_buf sample;
    bool worth;

    if (body.len <= store_max(type) || (type == BOUGH_TREE && body.len > TREE_MAX))
        return false;
    if (body.len < SAMPLE_FROM)
        return true;
    bough_buf_init(&sample, l->mem);
    bough_deflate(&sample, bough_view(body.ptr + body.len / 2, SAMPLE), LEVEL);
    worth = !sample.err && sample.len < SAMPLE - SAMPLE / 16;
    bough_buf_fini(&sample);
    return worth;
}

/* Append the zlib stream of `body`: deflated where that helps, else in stored blocks. */
static void zlib_put(
    struct bough_log *l, enum bough_type type, struct bough_view body, struct bough_buf *out)
{
    size_t at = out->len;

    if (is_worth_deflating(l, type, body)) {
        bough_deflate(out, body, LEVEL);
        if (out->err || out->len - at < body.len - body.len / 16)
            return;
        out->len = at;
    }
    bough_deflate(out, body, 0);
}

/* The packed entry, in l->scratch. */
static enum bough_err entry_make(
    struct bough_log *l, const struct bough_entry_head *head, struct bough_view body)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];

    bough_buf_clear(&l->scratch);
    bough_buf_put(&l->scratch, raw, bough_entry_head_write(l->geo.algo, head, raw));
    zlib_put(l, head->type, body, &l->scratch);
    return l->scratch.err;
}

/* Room for another entry: in memory, in the frame, in the transaction's rows. */
static enum bough_err entry_room(struct bough_log *l, size_t data, size_t index)
{
    struct bough_log__txn *t = &l->txn;
    enum bough_err err = BOUGH_OK;

    if (!t->txn.urgent) {
        t->heavy = true;
        if (l->head.spare)
            err = bough_log__full(l);
    }
    if (!err && t->rows.n >= l->opts.table_rows)
        err = bough_log__ahead_write(l);
    if (!err)
        err = bough_log__rows_reserve(&t->rows, l->mem, 1);
    if (!err)
        err = bough_log__frame_fit(l, data, index);
    if (err || (bough_buf_room(&t->data, data) != NULL && bough_buf_room(&t->index, index) != NULL))
        return err;
    t->data.err = t->index.err = BOUGH_OK;
    return BOUGH_ENOMEM;
}

/* The entry in l->scratch goes into the frame, its row into the transaction. */
enum bough_err bough_log__entry_append(struct bough_log *l, const struct bough_oid *id)
{
    struct bough_log__txn *t = &l->txn;
    struct bough_view packed = bough_buf_view(&l->scratch);
    struct bough_log__row row = {.id = *id, .crc = bough_crc32(0, packed.ptr, packed.len)};
    size_t item_len = l->geo.id_len + 12u;
    enum bough_err err = entry_room(l, BEFORE + packed.len, BOUGH_LOG__ITEM_HEAD + item_len);
    uint8_t *data, *item;

    if (err)
        return err;
    data = t->data.ptr + t->data.len;
    bough_put32le(data, (uint32_t)packed.len);
    bough_put32le(data + 4, row.crc);
    memcpy(data + 8, id->bytes, 8);
    memcpy(data + BEFORE, packed.ptr, packed.len);
    item = t->index.ptr + t->index.len;
    bough_put32le(item, (uint32_t)item_len << 8 | BOUGH_LOG__OBJECT);
    item += BOUGH_LOG__ITEM_HEAD;
    memcpy(item, id->bytes, l->geo.id_len);
    bough_put32le(item + l->geo.id_len, (uint32_t)t->data.len + BEFORE);
    bough_put32le(item + l->geo.id_len + 4, (uint32_t)packed.len);
    bough_put32le(item + l->geo.id_len + 8, row.crc);
    row.where = bough_log__where(l->head.segment, l->head.at + t->data.len + BEFORE);
    t->data.len += BEFORE + packed.len;
    t->index.len += BOUGH_LOG__ITEM_HEAD + item_len;
    t->items++;
    l->payload += packed.len;
    bough_log__rows_add(&t->rows, &row);
    return BOUGH_OK;
}

/* Into the frame, or into a segment of its own when it is too large for one. */
static enum bough_err entry_put(struct bough_log *l, const struct bough_oid *id)
{
    struct bough_buf big = l->scratch;
    struct bough_log__row row;
    enum bough_err err = bough_log__entry_append(l, id);

    if (err != BOUGH_ETOOBIG)
        return err;
    bough_buf_init(&l->scratch, l->mem); /* reading may need it meanwhile */
    err = bough_log__row_find(l, id, &row);
    if (err == BOUGH_ENOENT)
        err = bough_log__big_put(l, id, bough_buf_view(&big));
    bough_buf_fini(&big);
    return err;
}

/* What is put again must be young again: else it is written once more. */
static bool is_recent(const struct bough_log *l, const struct bough_oid *id)
{
    const struct bough_log__row *row = bough_log__rows_find(&l->rows, id);

    return bough_log__rows_find(&l->txn.rows, id) != NULL ||
           (row != NULL && bough_log__births_is_now(l, row->where));
}

/* Make the entry while the place of its row comes from memory: mostly it is not there. */
static enum bough_err entry_put_new(struct bough_log *l, const struct bough_entry_head *head,
    const struct bough_oid *id, struct bough_view body)
{
    enum bough_err err;

    bough_log__rows_near(&l->rows, id);
    err = entry_make(l, head, body);
    return err || is_recent(l, id) ? err : entry_put(l, id);
}

/* The same of what is so large that it pays to ask first whether it is there. */
static enum bough_err put_large(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct bough_log *l = log_of(t);
    struct bough_log__row row;
    enum bough_err err;

    if (is_recent(l, id))
        return BOUGH_OK;
    err = bough_log__row_find(l, id, &row);
    if (err != BOUGH_ENOENT)
        return err;
    if (body.len <= l->geo.frame_max || is_worth_deflating(l, type, body))
        return entry_put_new(
            l, &(struct bough_entry_head){.type = type, .size = body.len}, id, body);
    if (!t->urgent && l->head.spare)
        return bough_log__full(l);
    return bough_log__big_put_stored(l, type, id, body);
}

static enum bough_err txn_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct bough_log *l = log_of(t);
    struct bough_entry_head head = {.type = type, .size = body.len};

    if (body.len >= (type == BOUGH_TREE ? LOOK_FROM_TREE : LOOK_FROM) ||
        body.len > l->geo.frame_max)
        return put_large(t, type, id, body);
    return entry_put_new(l, &head, id, body);
}

/* Following bases goes from rows to rows before them, so it ends.  What was adopted, or written
   ahead, stands behind the rows in memory, whenever it came: an object that is there already
   must not come before it, too. */
static enum bough_err delta_goes_round(struct bough_log *l, const struct bough_oid *id)
{
    struct bough_log__row row;

    if (l->fresh == 0 && l->txn.ahead_n == 0)
        return BOUGH_ENOENT;
    return bough_log__row_find(l, id, &row);
}

static enum bough_err txn_put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body)
{
    struct bough_log *l = log_of(t);
    struct bough_entry_head head = {.type = BOUGH_REF_DELTA, .size = delta.len, .base = *base};
    enum bough_err err;

    if (bough_oid_eq(base, bough_oid_empty_tree(l->geo.algo)))
        return txn_put(t, type, id, body); /* it is everywhere and nowhere */
    err = delta_goes_round(l, id);
    return err == BOUGH_ENOENT ? entry_put_new(l, &head, id, delta) : err;
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
    t->heavy = false;
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
        bough_log__rows_add(&l->rows, &t->rows.row[i]);
    for (size_t i = 0; i < t->refs.n; i++)
        bough_log__refs_set(&l->refs, l->mem, t->refs.ref[i]);
    t->refs.n = 0;
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
    for (size_t i = 0; i < t->adopted_n; i++)
        bough_log__apply_segment_table(l, bough_log__segment_find(l, t->adopted[i]));
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
    uint64_t rows = l->rows.n;
    enum bough_err err;

    if (l->pay_skip > 0) {
        l->pay_skip--;
        return BOUGH_OK;
    }
    err = bough_log__checkpoint(l);
    l->pay_wait = !err ? 0 : l->pay_wait < PAY_WAIT_MAX ? 2 * l->pay_wait + 1 : PAY_WAIT_MAX;
    l->pay_skip = l->pay_wait;
    return err ? err : bough_log__tiers_pay(l, rows);
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
    .put = txn_put,
    .put_delta = txn_put_delta,
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
        l->head.spare = l->zones.free < bough_log__reserve(l);
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
