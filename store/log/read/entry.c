/*
 * entry.c - single entries out of segments; read.c makes objects of them.
 *
 *   rows      where is it?
 *   entries   what stands there
 *   inflate   a whole entry, checked
 *   deltas    what one says of itself: its base, the size of what it makes
 */
#include "git/delta.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

/* ---- Rows ---- */

static enum bough_err tables_find(struct bough_log *l, const struct bough_oid *id, size_t from,
    size_t to, struct bough_log__row *out)
{
    enum bough_err err = BOUGH_ENOENT;

    for (size_t i = from; i < to && err == BOUGH_ENOENT; i++)
        err = bough_log__table_find(l, &l->table[i], id, out);
    return err;
}

static enum bough_err rows_find(
    const struct bough_log__rows *r, const struct bough_oid *id, struct bough_log__row *out)
{
    const struct bough_log__row *row = bough_log__rows_find(r, id);

    if (row == NULL)
        return BOUGH_ENOENT;
    *out = *row;
    return BOUGH_OK;
}

/* What only the open transaction or the quarantined segment has. */
static enum bough_err unborn_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out)
{
    enum bough_err err = BOUGH_ENOENT;

    if (l->store.txn != NULL)
        err = rows_find(&l->txn.rows, id, out);
    for (uint32_t i = 0; l->store.txn != NULL && i < l->txn.ahead_n && err == BOUGH_ENOENT; i++)
        err = bough_log__table_find(l, &l->txn.ahead[i], id, out);
    for (size_t i = 0; l->store.txn != NULL && i < l->txn.adopted_n && err == BOUGH_ENOENT; i++)
        err =
            bough_log__table_find(l, &bough_log__segment_find(l, l->txn.adopted[i])->oid, id, out);
    if (err == BOUGH_ENOENT && l->through != NULL)
        err = bough_log__table_find(l, &l->through->oid, id, out);
    return err;
}

enum bough_err bough_log__row_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out)
{
    enum bough_err err = rows_find(&l->rows, id, out);

    for (size_t i = l->tables; i > 0 && err == BOUGH_ENOENT; i--)
        err = bough_log__table_find(l, &l->table[i - 1], id, out);
    return err == BOUGH_ENOENT ? unborn_find(l, id, out) : err;
}

/* The row of a delta's base: the first in list order; see docs/format.md 7. */
static enum bough_err base_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out)
{
    size_t old = l->tables - l->fresh;
    enum bough_err err = tables_find(l, id, 0, old, out);

    if (err == BOUGH_ENOENT)
        err = rows_find(&l->rows, id, out);
    if (err == BOUGH_ENOENT)
        err = tables_find(l, id, old, l->tables, out);
    return err == BOUGH_ENOENT ? unborn_find(l, id, out) : err;
}

/* ---- Entries ---- */

enum { BEFORE = BOUGH_LOG__BEFORE, FRAME_DATA = BOUGH_LOG__FRAME_DATA };

/* In a log segment length, crc and the id's first bytes stand before the entry. */
static enum bough_err entry_in_log(
    struct bough_log *l, struct bough_log__entry *e, uint8_t *raw, size_t *raw_len)
{
    uint8_t before[BEFORE + BOUGH_ENTRY_HEAD_MAX];
    size_t n = sizeof before;
    enum bough_err err;

    if (e->at < FRAME_DATA || e->at >= l->geo.zone)
        return bough_log__corrupt(l, "an entry lies outside of its log segment", e->at);
    if (n > l->geo.zone - (e->at - BEFORE))
        n = (size_t)(l->geo.zone - (e->at - BEFORE));
    if (l->store.txn != NULL && e->seg->number == l->head.segment && e->at >= l->head.at &&
        e->at < l->head.at + l->txn.data.len && n > l->head.at + l->txn.data.len - e->at + BEFORE)
        n = (size_t)(l->head.at + l->txn.data.len - e->at + BEFORE);
    err = bough_log__segment_read(l, e->seg, e->at - BEFORE, before, n);
    if (err)
        return err;
    e->len = bough_get32le(before);
    e->crc = bough_get32le(before + 4);
    e->id8 = bough_get64be(before + 8);
    *raw_len = n - BEFORE;
    memcpy(raw, before + BEFORE, *raw_len);
    if (e->len > l->geo.zone - e->at)
        return bough_log__corrupt(l, "an entry leaves its log segment", e->at);
    return BOUGH_OK;
}

static enum bough_err entry_in_pack(
    struct bough_log *l, struct bough_log__entry *e, uint8_t *raw, size_t *raw_len)
{
    struct bough_log__reverse r;
    enum bough_err err = bough_log__reverse_find(l, e->seg, e->at, &r);

    if (err)
        return err;
    e->len = r.end - r.offset;
    e->crc = r.crc;
    e->id8 = bough_log__id8(&r.id);
    *raw_len = e->len < BOUGH_ENTRY_HEAD_MAX ? (size_t)e->len : BOUGH_ENTRY_HEAD_MAX;
    return bough_log__segment_read(l, e->seg, e->at, raw, *raw_len);
}

enum bough_err bough_log__entry_open(
    struct bough_log *l, uint64_t where, struct bough_log__entry *out)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    size_t raw_len = 0;
    enum bough_err err;

    out->seg = bough_log__segment_find(l, bough_log__where_segment(where));
    out->at = bough_log__where_offset(where);
    if (out->seg == NULL)
        return bough_log__corrupt(l, "a segment is named that is not there", where);
    err =
        out->seg->pack ? entry_in_pack(l, out, raw, &raw_len) : entry_in_log(l, out, raw, &raw_len);
    if (err)
        return err;
    err = bough_entry_head_parse(l->geo.algo, out->at, bough_view(raw, raw_len), &out->head);
    if (err || out->head.head_len > out->len ||
        (!out->seg->pack && out->head.type == BOUGH_OFS_DELTA))
        return bough_log__corrupt(l, "an entry's head is damaged", where);
    return BOUGH_OK;
}

/* ---- Inflating ---- */

enum { AT_ONCE = 1024 * 1024, PIECE = 64 * 1024 }; /* packed bytes */

/* The packed bytes of an entry, whole and checked: lent by the page they lie on, or in scratch. */
static enum bough_err entry_bytes(
    struct bough_log *l, const struct bough_log__entry *e, struct bough_view *out)
{
    enum bough_err err = bough_log__segment_lend(l, e->seg, e->at, (size_t)e->len, out);

    if (err)
        return err;
    if (bough_crc32(0, out->ptr, out->len) != e->crc)
        return bough_log__corrupt(l, "an entry is damaged", e->at);
    return BOUGH_OK;
}

static enum bough_err inflate_once(
    struct bough_log *l, const struct bough_log__entry *e, uint8_t *dst)
{
    struct bough_view zlib;
    size_t used;
    enum bough_err err = entry_bytes(l, e, &zlib);

    if (err)
        return err;
    zlib = bough_view(zlib.ptr + e->head.head_len, zlib.len - e->head.head_len);
    if (bough_log__is_one_stored(zlib, e->head.size)) {
        memcpy(dst, zlib.ptr + BOUGH_LOG__STORED_HEAD, (size_t)e->head.size);
        return BOUGH_OK;
    }
    err = bough_inflate(l->mem, zlib, dst, (size_t)e->head.size, &used);
    if (err == BOUGH_EFORMAT)
        return bough_log__corrupt(l, "an entry does not inflate to its size", e->at);
    return err;
}

static enum bough_err inflater_ready(struct bough_log *l)
{
    enum bough_err err;

    if (l->inflater_ready)
        return bough_inflater_reset(&l->inflater);
    err = bough_inflater_init(&l->inflater, l->mem);
    l->inflater_ready = !err;
    return err;
}

enum { SURE_MAX = 64 * 1024, SURE_PIECE = 4096 }; /* packed bytes */

enum bough_err bough_log__entry_check(struct bough_log *l, const struct bough_log__entry *e)
{
    uint8_t piece[SURE_PIECE];
    uint32_t crc = 0;

    for (uint64_t at = 0; at < e->len;) {
        size_t n = e->len - at < sizeof piece ? (size_t)(e->len - at) : sizeof piece;
        enum bough_err err = bough_log__segment_read(l, e->seg, e->at + at, piece, n);

        if (err)
            return err;
        crc = bough_crc32(crc, piece, n);
        at += n;
    }
    return crc == e->crc ? BOUGH_OK : bough_log__corrupt(l, "an entry is damaged", e->at);
}

enum bough_err bough_log__entry_sure(struct bough_log *l, const struct bough_log__entry *e)
{
    return e->len > SURE_MAX ? BOUGH_OK : bough_log__entry_check(l, e);
}

/* The first `cap` bytes of what the entry inflates to, or all; without its crc. */
static enum bough_err inflate_first(
    struct bough_log *l, const struct bough_log__entry *e, uint8_t *dst, size_t cap, size_t *made)
{
    uint8_t piece[256];
    uint64_t at = e->head.head_len;
    enum bough_err err = inflater_ready(l);

    *made = 0;
    while (!err && *made < cap && !l->inflater.done && at < e->len) {
        size_t n = e->len - at < sizeof piece ? (size_t)(e->len - at) : sizeof piece, used, more;

        err = bough_log__segment_read(l, e->seg, e->at + at, piece, n);
        if (!err)
            err = bough_inflater_run(
                &l->inflater, bough_view(piece, n), &used, dst + *made, cap - *made, &more);
        if (err)
            break;
        at += used;
        *made += more;
    }
    return err == BOUGH_EFORMAT ? bough_log__corrupt(l, "an entry does not inflate", e->at) : err;
}

/* In pieces, for what is long: memory stays bounded by the result. */
static enum bough_err inflate_pieces(
    struct bough_log *l, const struct bough_log__entry *e, uint8_t *dst)
{
    uint64_t at = 0, made = 0;
    uint32_t crc = 0;
    enum bough_err err = inflater_ready(l);

    bough_buf_clear(&l->scratch);
    if (!err && bough_buf_room(&l->scratch, PIECE) == NULL)
        err = l->scratch.err;
    while (!err && at < e->len) {
        size_t n = e->len - at < PIECE ? (size_t)(e->len - at) : PIECE, from = 0, used, more;

        err = bough_log__segment_read(l, e->seg, e->at + at, l->scratch.ptr, n);
        crc = bough_crc32(crc, l->scratch.ptr, n);
        if (at == 0)
            from = e->head.head_len;
        if (!err && !l->inflater.done)
            err = bough_inflater_run(&l->inflater, bough_view(l->scratch.ptr + from, n - from),
                &used, dst + made, (size_t)(e->head.size - made), &more);
        else
            more = 0;
        made += more;
        at += n;
    }
    if (err == BOUGH_EFORMAT ||
        (!err && (made != e->head.size || crc != e->crc || !l->inflater.done)))
        return bough_log__corrupt(l, "an entry is damaged", e->at);
    return err;
}

enum bough_err bough_log__entry_inflate(
    struct bough_log *l, const struct bough_log__entry *e, struct bough_buf *out)
{
    uint8_t *dst;
    enum bough_err err;

    if (e->head.size > l->store.object_max || e->head.size > SIZE_MAX / 2)
        return BOUGH_WHY(&l->store.why, BOUGH_ETOOBIG, "object_max", NULL, 0);
    dst = bough_buf_room(out, (size_t)e->head.size);
    if (dst == NULL && out->err)
        return out->err;
    err = e->len <= AT_ONCE ? inflate_once(l, e, dst) : inflate_pieces(l, e, dst);
    if (!err)
        out->len += (size_t)e->head.size;
    return err;
}

/* ---- Deltas ---- */

enum bough_err bough_log__base_of(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t where, uint64_t *base)
{
    struct bough_log__row row;
    enum bough_err err;

    if (e->head.type == BOUGH_OFS_DELTA) {
        *base = where - e->head.back;
        return BOUGH_OK;
    }
    err = base_find(l, &e->head.base, &row);
    if (err == BOUGH_ENOENT)
        return bough_log__corrupt(l, "the base of a delta is missing", where);
    *base = row.where;
    return err;
}

/* The first bytes of a delta that is stored, which most are; BOUGH_ENOTSUP: this one is not. */
static enum bough_err stored_first(struct bough_log *l, const struct bough_log__entry *e,
    uint8_t first[BOUGH_DELTA_HEAD_MAX], size_t *made)
{
    uint8_t raw[BOUGH_LOG__STORED_HEAD + BOUGH_DELTA_HEAD_MAX];
    uint64_t left = e->len - e->head.head_len;
    size_t n = left < sizeof raw ? (size_t)left : sizeof raw;
    enum bough_err err = bough_log__segment_read(l, e->seg, e->at + e->head.head_len, raw, n);

    if (err)
        return err;
    if (n <= BOUGH_LOG__STORED_HEAD || raw[0] != 0x78 || raw[2] >> 1 != 0)
        return BOUGH_ENOTSUP;
    n -= BOUGH_LOG__STORED_HEAD;
    *made = n < e->head.size ? n : (size_t)e->head.size;
    if (bough_get16le(raw + 3) < *made)
        return BOUGH_ENOTSUP;
    memcpy(first, raw + BOUGH_LOG__STORED_HEAD, *made);
    return BOUGH_OK;
}

enum bough_err bough_log__delta_size(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t *size)
{
    uint8_t first[BOUGH_DELTA_HEAD_MAX];
    struct bough_delta_reader r;
    size_t made;
    enum bough_err err = stored_first(l, e, first, &made);

    if (err == BOUGH_ENOTSUP)
        err = inflate_first(l, e, first, sizeof first, &made);
    if (err)
        return err;
    if (bough_delta_open(&r, bough_view(first, made)))
        return bough_log__corrupt(l, "a delta's head is damaged", e->at);
    *size = r.result_len;
    return BOUGH_OK;
}
