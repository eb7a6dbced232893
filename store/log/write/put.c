/*
 * put.c - objects of a transaction.
 *
 *   entries   compressed or stored, into the frame being made
 *   putting   what is not there, as far as it pays to ask
 */
#include "git/entry.h"
#include "store/log/collect_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/read_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

/* What is at most so long is stored: deflating it would take longer than writing it.  Trees and
   deltas are mostly ids, which do not shrink.  Large trees are stored so that they can be read by
   range: deflated they would be two thirds as long, and one in some thousand versions is whole. */
enum { STORE_MAX = 512, STORE_MAX_COMMIT = 2048, STORE_MAX_IDS = 8192, TREE_MAX = 64 * 1024 };
enum { LEVEL = 1, BEFORE = BOUGH_LOG__BEFORE, SAMPLE = 4096, SAMPLE_FROM = 32768 };
/* From so many bytes it pays to ask whether an object is there; a tree hardly ever is. */
enum { LOOK_FROM = 4096, LOOK_FROM_TREE = 65536 };

/* ---- Entries ---- */

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
        t->heavy = t->grows = true;
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
    struct bough_log__row row = {.id = *id,
        .crc = bough_crc32(0, packed.ptr, packed.len),
        .whole = bough_log__stands_alone(packed.ptr[0])};
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
    bough_log__rows_renew(&t->rows, &row);
    return BOUGH_OK;
}

/* Into the frame, or into a segment of its own when it is too large for one. */
static enum bough_err entry_put(struct bough_log *l, const struct bough_oid *id)
{
    struct bough_buf big = l->scratch;
    enum bough_err err = bough_log__entry_append(l, id);

    if (err != BOUGH_ETOOBIG)
        return err;
    bough_buf_init(&l->scratch, l->mem); /* reading may need it meanwhile */
    err = bough_log__is_there(l, id);
    if (err == BOUGH_ENOENT)
        err = bough_log__big_put(l, id, bough_buf_view(&big));
    bough_buf_fini(&big);
    return err;
}

/* ---- Putting ---- */

enum bough_err bough_log__put_whole(
    struct bough_log *l, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    enum bough_err err =
        entry_make(l, &(struct bough_entry_head){.type = type, .size = body.len}, body);

    return err ? err : entry_put(l, id);
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
    struct bough_log *l = bough_log__of(t->store);
    enum bough_err err;

    if (is_recent(l, id))
        return BOUGH_OK;
    err = bough_log__is_there(l, id);
    if (err != BOUGH_ENOENT)
        return err;
    if (body.len <= l->geo.frame_max || is_worth_deflating(l, type, body))
        return entry_put_new(
            l, &(struct bough_entry_head){.type = type, .size = body.len}, id, body);
    if (!t->urgent && l->head.spare)
        return bough_log__full(l);
    return bough_log__big_put_stored(l, type, id, body);
}

enum bough_err bough_log__put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct bough_log *l = bough_log__of(t->store);
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

enum bough_err bough_log__put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body)
{
    struct bough_log *l = bough_log__of(t->store);
    struct bough_entry_head head = {.type = BOUGH_REF_DELTA, .size = delta.len, .base = *base};
    enum bough_err err;

    if (bough_oid_eq(base, bough_oid_empty_tree(l->geo.algo)))
        return bough_log__put(t, type, id, body); /* it is everywhere and nowhere */
    err = delta_goes_round(l, id);
    return err == BOUGH_ENOENT ? entry_put_new(l, &head, id, delta) : err;
}
