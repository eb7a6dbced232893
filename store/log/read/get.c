/*
 * get.c - a part of an object, the quick way: by a locator that is believed only when it is true.
 *
 *   quick     small stored entries, where they lie on a page
 *   parts     of what is held in memory or read whole
 *   get       by the locator, else by the id
 */
#include "store/log/cache_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

/* ---- Quick ---- */

/* The head of a whole object's entry; 0: of another, or longer than what is here. */
static size_t head_quick(struct bough_view raw, enum bough_type *type, uint64_t *size)
{
    uint32_t shift = 4;
    size_t n = 1;

    if (raw.len < 4)
        return 0;
    *type = (enum bough_type)(raw.ptr[0] >> 4 & 7);
    *size = raw.ptr[0] & 15;
    for (; (raw.ptr[n - 1] & 0x80) != 0 && n < 4; n++, shift += 7)
        *size |= (uint64_t)(raw.ptr[n] & 0x7f) << shift;
    return (raw.ptr[n - 1] & 0x80) != 0 || *type < BOUGH_COMMIT || *type > BOUGH_TAG ? 0 : n;
}

/* Where the entry at `where` begins on the device, with what stands before it, when it is one of
   ours; else 0. */
static uint64_t quick_at(struct bough_log *l, uint64_t where)
{
    const struct bough_log__segment *seg =
        bough_log__segment_find(l, bough_log__where_segment(where));
    uint64_t at = bough_log__where_offset(where);

    if (seg == NULL || seg->pack || at < BOUGH_LOG__FRAME_DATA || at >= l->geo.zone ||
        (l->store.txn != NULL && seg->number == l->head.segment && at >= l->head.at))
        return 0;
    return (uint64_t)seg->zone * l->geo.zone + at - BOUGH_LOG__BEFORE;
}

/* Is there, on what is left of a page, an object with that id8, small, stored, and whole?  Then its
   body, lent by the page until the next read. */
static bool entry_quick(
    struct bough_view page, uint64_t id8, enum bough_type *type, struct bough_view *body)
{
    uint64_t size;
    size_t len, head;

    if (page.len < BOUGH_LOG__BEFORE)
        return false;
    len = bough_get32le(page.ptr);
    if (bough_get64be(page.ptr + 8) != id8 || len > page.len - BOUGH_LOG__BEFORE)
        return false;
    *body = bough_view(page.ptr + BOUGH_LOG__BEFORE, len);
    head = head_quick(*body, type, &size);
    if (head == 0 || bough_crc32(0, body->ptr, len) != bough_get32le(page.ptr + 4))
        return false;
    *body = bough_view(body->ptr + head, len - head);
    if (len - head < BOUGH_LOG__STORED_HEAD + BOUGH_LOG__STORED_TAIL ||
        !bough_log__is_one_stored(*body, size))
        return false;
    *body = bough_view(body->ptr + BOUGH_LOG__STORED_HEAD, (size_t)size);
    return true;
}

void bough_log__soon(struct bough_store *s, uint64_t where)
{
    enum { LINE = 64, LINES = 3 };
    struct bough_log *l = bough_log__of(s);
    uint64_t at = quick_at(l, where);
    size_t len;
    const uint8_t *p = at == 0 ? NULL : bough_log__page_here(l, at, &len);

    for (size_t i = 0; p != NULL && i < LINES * LINE && i < len; i += LINE)
        __builtin_prefetch(p + i);
}

/* ---- Parts ---- */

/* Is it longer than what is wanted, all of it or nothing? */
static bool is_too_long(const struct bough_get *g)
{
    return g->all && g->n < g->size;
}

/* A part of a body that is in memory. */
static enum bough_err part_put(
    struct bough_view body, const struct bough_get *g, struct bough_buf *out)
{
    if (g->at < body.len && g->n > 0 && !is_too_long(g)) {
        size_t left = body.len - (size_t)g->at;
        bough_buf_put(out, body.ptr + (size_t)g->at, g->n < left ? (size_t)g->n : left);
    }
    return out->err;
}

/* The body behind `out`, then cut to the part that is wanted. */
static enum bough_err get_body(
    struct bough_log *l, uint64_t where, struct bough_get *g, struct bough_buf *out)
{
    size_t len = out->len;
    enum bough_err err = bough_log__body_read(l, where, &g->type, out);

    if (err)
        return err;
    g->size = out->len - len;
    if (g->at >= g->size || is_too_long(g)) {
        out->len = len;
    } else if (g->at > 0 || g->n < g->size) {
        size_t left = out->len - len - (size_t)g->at, n = g->n < left ? (size_t)g->n : left;
        memmove(out->ptr + len, out->ptr + len + (size_t)g->at, n);
        out->len = len + n;
    }
    return BOUGH_OK;
}

/* ---- Get ---- */

/* Is a part wanted, or its size alone, of what is too large to be held for that? */
static bool is_for_parts(
    struct bough_log *l, const struct bough_log__entry *e, const struct bough_get *g)
{
    uint64_t size = e->head.size;

    if (g->at == 0 && g->n == UINT64_MAX)
        return false;
    if (!bough_entry_is_delta(e->head.type))
        return bough_log__entry_is_long(e) && (g->at > 0 || g->n < size);
    return !bough_log__delta_size(l, e, &size) && size >= BOUGH_LOG__RANGE_MIN &&
           (g->at > 0 || g->n < size);
}

/*
 * BOUGH_ENOENT: another object lies there, or none that can be read; BOUGH_ENOTSUP: better read
 * in parts.
 */
static enum bough_err get_at(
    struct bough_log *l, uint64_t where, uint64_t id8, struct bough_get *g, struct bough_buf *out)
{
    uint64_t at = quick_at(l, where);
    const struct bough_log__body *b;
    struct bough_log__entry e;
    struct bough_view body, page = {NULL, 0};

    if (at != 0)
        page.ptr = bough_log__page_here(l, at, &page.len);
    if (page.ptr != NULL && entry_quick(page, id8, &g->type, &body)) {
        l->pages.clock++; /* a look that found something */
        g->size = body.len;
        return part_put(body, g, out);
    }
    b = bough_log__bodies_find(l, where);
    if (b != NULL) {
        if (b->id8 != id8)
            return BOUGH_ENOENT;
        g->type = b->type;
        g->size = b->len;
        return part_put(bough_view(b->bytes, b->len), g, out);
    }
    if (at != 0 && page.ptr == NULL && !bough_log__page(l, at, &page, NULL) &&
        entry_quick(page, id8, &g->type, &body)) {
        g->size = body.len;
        return part_put(body, g, out);
    }
    if (bough_log__entry_open(l, where, &e) || e.id8 != id8)
        return BOUGH_ENOENT;
    return is_for_parts(l, &e, g) ? BOUGH_ENOTSUP : get_body(l, where, g, out);
}

enum bough_err bough_log__get_object(
    struct bough_store *s, const struct bough_oid *id, struct bough_get *g, struct bough_buf *out)
{
    struct bough_log *l = bough_log__of(s);
    uint64_t id8 = bough_log__id8(id);
    struct bough_log__row row;
    enum bough_err err = BOUGH_ENOENT;

    if (g->where != 0)
        err = get_at(l, g->where, id8, g, out);
    if (err != BOUGH_ENOENT && err != BOUGH_ECORRUPT)
        return err;
    if (err == BOUGH_ECORRUPT && !bough_log__row_find(l, id, &row) && row.where == g->where)
        return err; /* else it was put again since */
    err = bough_log__row_find(l, id, &row);
    if (err)
        return err;
    g->where = s->txn != NULL && bough_log__is_unborn(l, row.where) ? 0 : row.where;
    err = get_at(l, row.where, id8, g, out);
    return err == BOUGH_ENOENT ? get_body(l, row.where, g, out) : err; /* and why it is not */
}
