/*
 * object.c - objects for readers: find, has, read, handles, entries as stored.
 *
 *   methods   over read.c
 *   handles   small objects are held whole, and deltas that range.c does not serve; large whole
 *             entries stream forward, and jump where their stream is made of stored blocks
 *   entries   verbatim
 */
#include "store/engine.h"
#include "store/inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum bough_err bough_log__has(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_log__row row;

    return bough_log__row_find(bough_log__of(s), id, &row);
}

enum bough_err bough_log__find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__row row;
    enum bough_err err = bough_log__row_find(l, id, &row);

    if (err)
        return err;
    err = bough_log__look(l, row.where, out);
    if (s->txn != NULL && bough_log__is_unborn(l, row.where))
        out->where = 0; /* it may never come to be */
    return err;
}

enum bough_err bough_log__read_object(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__row row;
    enum bough_err err = BOUGH_ENOENT, found;

    if (where != 0 && bough_log__is_at(l, where, bough_log__id8(id)))
        err = bough_log__body_read(l, where, type, out);
    if (err != BOUGH_ENOENT && err != BOUGH_ECORRUPT)
        return err;
    found = bough_log__row_find(l, id, &row);
    if (found || (err == BOUGH_ECORRUPT && row.where == where)) /* else it was put again since */
        return err == BOUGH_ECORRUPT ? err : found;
    return bough_log__body_read(l, row.where, type, out);
}

/* ---- Handles ---- */

enum { PIECE = 32 * 1024, STORED_BLOCK = 65535 };

struct handle {
    struct bough_object object; /* first: the face */
    struct bough_log *log;
    struct bough_log__segment *through; /* what was looked through when it was opened */
    struct bough_oid id;
    uint64_t where;
    uint64_t zlib_at, zlib_len; /* in the segment */
    bool stored;                /* the stream has the length of stored blocks */
    struct bough_object *anew;  /* the object where it was packed anew meanwhile, or NULL */
    struct bough_inflater inflater;
    uint64_t in;       /* bytes of the stream read into piece, or used before */
    size_t from, fill; /* of piece */
    uint8_t piece[PIECE];
};

/* A collection moved the entry: it goes on at its new place, as it was.
   BOUGH_EEXPIRED: it was packed anew, or is gone. */
static enum bough_err handle_move(struct handle *h)
{
    struct bough_log *l = h->log;
    struct bough_log__entry e;
    struct bough_log__row row;
    enum bough_err err = bough_log__row_find(l, &h->id, &row);

    if (!err)
        err = bough_log__entry_open(l, row.where, &e);
    if (err == BOUGH_ENOENT ||
        (!err && (e.head.type != h->object.type || e.len - e.head.head_len != h->zlib_len)))
        return BOUGH_WHY(&l->store.why, BOUGH_EEXPIRED, "the object was moved", NULL, 0);
    if (err)
        return err;
    h->where = row.where;
    h->zlib_at = e.at + e.head.head_len;
    return BOUGH_OK;
}

static enum bough_err handle_segment(struct handle *h, struct bough_log__segment **out)
{
    uint32_t number = bough_log__where_segment(h->where);
    enum bough_err err = BOUGH_OK;

    *out = number == 0 ? h->through : bough_log__segment_find(h->log, number);
    if (*out == NULL) {
        err = handle_move(h);
        if (!err)
            *out = bough_log__segment_find(h->log, bough_log__where_segment(h->where));
    }
    return err;
}

static enum bough_err handle_fill(struct handle *h)
{
    uint64_t left = h->zlib_len - h->in;
    size_t n = left < PIECE ? (size_t)left : PIECE;
    struct bough_log__segment *seg;
    enum bough_err err;

    if (n == 0)
        return bough_log__corrupt(h->log, "an entry ends before its object", h->where);
    err = handle_segment(h, &seg);
    if (!err)
        err = bough_log__segment_read_sure(h->log, seg, h->zlib_at + h->in, h->piece, n);
    if (err)
        return err;
    h->in += n;
    h->from = 0;
    h->fill = n;
    return BOUGH_OK;
}

/* The next bytes of the stream, at most `n`. */
static enum bough_err handle_go(struct handle *h, uint8_t *dst, size_t n, size_t *got)
{
    *got = 0;
    while (*got == 0) {
        size_t used;
        enum bough_err err = BOUGH_OK;

        if (h->from == h->fill)
            err = handle_fill(h);
        if (!err)
            err = bough_inflater_run(&h->inflater,
                bough_view(h->piece + h->from, h->fill - h->from), &used, dst, n, got);
        if (err == BOUGH_EFORMAT || (!err && *got == 0 && h->inflater.done))
            return bough_log__corrupt(h->log, "an entry does not inflate", h->where);
        if (err)
            return err;
        h->from += used;
    }
    return BOUGH_OK;
}

/* Straight out of a stored block, whose head must say what it should. */
static enum bough_err handle_jump(
    struct handle *h, uint64_t at, uint8_t *dst, size_t n, size_t *got)
{
    uint64_t block = at / STORED_BLOCK, first = block * STORED_BLOCK;
    uint64_t len = h->object.size - first < STORED_BLOCK ? h->object.size - first : STORED_BLOCK;
    bool last = first + len == h->object.size;
    struct bough_log__segment *seg;
    uint8_t head[5];
    enum bough_err err = handle_segment(h, &seg);

    if (err)
        return err;
    err = bough_log__segment_read_sure(
        h->log, seg, h->zlib_at + bough_zip_stored_at(first) - sizeof head, head, sizeof head);
    if (err)
        return err;
    if (head[0] != last || bough_get16le(head + 1) != len ||
        bough_get16le(head + 3) != (uint16_t)~len)
        return BOUGH_ENOTSUP; /* of that length, but not stored */
    *got = n < first + len - at ? n : (size_t)(first + len - at);
    return bough_log__segment_read_sure(
        h->log, seg, h->zlib_at + bough_zip_stored_at(at), dst, *got);
}

static enum bough_err handle_read_here(
    struct handle *h, uint64_t at, void *dst, size_t n, size_t *got)
{
    uint8_t skip[4096];
    enum bough_err err;

    if (h->stored && (h->object.jumps || at != h->inflater.out)) {
        err = handle_jump(h, at, dst, n, got);
        if (err != BOUGH_ENOTSUP)
            return err;
        h->stored = h->object.jumps = false;
    }
    if (at < h->inflater.out) {
        err = bough_inflater_reset(&h->inflater);
        if (err)
            return err;
        h->in = 0;
        h->from = h->fill = 0;
    }
    while (h->inflater.out < at) {
        uint64_t left = at - h->inflater.out;
        size_t k;
        err = handle_go(h, skip, left < sizeof skip ? (size_t)left : sizeof skip, &k);
        if (err)
            return err;
    }
    return handle_go(h, dst, n, got);
}

static enum bough_err handle_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct handle *h = (struct handle *)o; /* object is the first field */
    enum bough_err err = h->anew != NULL ? BOUGH_EEXPIRED : handle_read_here(h, at, dst, n, got);

    if (err == BOUGH_EEXPIRED && h->anew == NULL &&
        bough_store_object_open(&h->log->store, &h->id, &h->anew) == BOUGH_OK)
        o->jumps = h->anew->jumps;
    return h->anew != NULL ? bough_object_read(h->anew, at, dst, n, got) : err;
}

static void handle_close(struct bough_object *o)
{
    struct handle *h = (struct handle *)o;

    bough_object_close(h->anew);
    bough_inflater_fini(&h->inflater);
    bough_mem_free(h->log->mem, h, sizeof *h);
}

static const struct bough_object_class handle_class = {.read = handle_read, .close = handle_close};

enum bough_err bough_log__stream_open(struct bough_log *l, const struct bough_log__row *row,
    const struct bough_log__entry *e, bool sure, struct bough_object **out)
{
    enum bough_err err = sure && e->seg->sums.blocks == 0 ? bough_log__entry_check(l, e) : BOUGH_OK;
    struct handle *h = err ? NULL : bough_mem_zalloc(l->mem, 1, sizeof *h);

    if (h == NULL)
        return err ? err : BOUGH_ENOMEM;
    err = bough_inflater_init(&h->inflater, l->mem);
    if (err) {
        bough_mem_free(l->mem, h, sizeof *h);
        return err;
    }
    h->object = (struct bough_object){&handle_class, e->head.type, e->head.size, false, 0};
    h->log = l;
    h->through = l->through;
    h->id = row->id;
    h->where = row->where;
    h->zlib_at = e->at + e->head.head_len;
    h->zlib_len = e->len - e->head.head_len;
    h->stored = h->zlib_len == bough_zip_stored_len(e->head.size);
    h->object.jumps = sure && h->stored;
    *out = &h->object;
    return BOUGH_OK;
}

enum bough_err bough_log__object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__entry e;
    struct bough_log__row row;
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err = bough_log__row_find(l, id, &row);

    if (!err)
        err = bough_log__entry_open(l, row.where, &e);
    if (err)
        return err;
    if (bough_log__entry_is_long(&e) ||
        (!bough_entry_is_delta(e.head.type) && e.head.size > s->object_max))
        return bough_log__stream_open(l, &row, &e, e.head.type == BOUGH_TREE, out);
    if (bough_entry_is_delta(e.head.type)) {
        err = bough_log__range_open(l, row.where, out);
        if (err != BOUGH_ENOTSUP)
            return err;
    }
    bough_buf_init(&body, l->mem);
    err = bough_log__body_read(l, row.where, &type, &body);
    if (err) {
        bough_buf_fini(&body);
        return err;
    }
    return bough_store__whole_open(l->mem, type, &body, out);
}

/* ---- Entries as stored ---- */

enum bough_err bough_log__entry_of(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__reverse r;
    struct bough_log__entry e;
    struct bough_log__row row;
    enum bough_err err = bough_log__row_find(l, id, &row);

    if (!err)
        err = bough_log__entry_open(l, row.where, &e);
    if (!err)
        err = bough_log__entry_sure(l, &e);
    if (err)
        return err;
    *out = (struct bough_entry){.type = e.head.type, .size = e.head.size};
    out->packed_len = e.len - e.head.head_len;
    out->where = row.where + e.head.head_len;
    if (e.head.type == BOUGH_REF_DELTA)
        out->base = e.head.base;
    if (e.head.type == BOUGH_OFS_DELTA) {
        err = bough_log__reverse_find(l, e.seg, e.at - e.head.back, &r);
        out->type = BOUGH_REF_DELTA;
        out->base = r.id;
    }
    return err;
}

enum bough_err bough_log__entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n)
{
    struct bough_log *l = bough_log__of(s);
    uint64_t where = e->where;
    const struct bough_log__segment *seg =
        bough_log__segment_find(l, bough_log__where_segment(where));
    struct bough_entry moved;
    enum bough_err err;

    if (seg == NULL) {
        err = bough_log__entry_of(s, &e->id, &moved);
        if (err == BOUGH_ENOENT || (!err && (moved.type != e->type || moved.size != e->size ||
                                                moved.packed_len != e->packed_len ||
                                                !bough_oid_eq(&moved.base, &e->base))))
            return BOUGH_WHY(&s->why, BOUGH_EEXPIRED, "the object was moved", NULL, 0);
        if (err)
            return err;
        where = moved.where;
        seg = bough_log__segment_find(l, bough_log__where_segment(where));
    }
    return bough_log__segment_read(l, seg, bough_log__where_offset(where) + at, dst, n);
}
