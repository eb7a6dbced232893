/*
 * reach_next.c - the entries of what is wanted and not had, in the order of their places.
 *
 *   scan   the rows of the set, block by block: the first so many by place, in a heap
 *   sort   the heap becomes an ascending list
 *   tell   one after another, beside the segment's reverse table; then scan for the next so many
 *   left   when the handle is given up: the ids of the rest
 *
 * So entries are read as they lie, and bases by place come before what stands upon them, whatever
 * the size of the store, in 8 MiB of memory.
 */
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { STEP = 4096 }; /* rows or swaps in a call */

static struct bough_log__table *table_of(const struct bough_log__reach *x)
{
    return &x->log->table[0];
}

/* ---- A heap whose greatest comes first ---- */

static void heap_swap(struct bough_log__located *a, struct bough_log__located *b)
{
    struct bough_log__located keep = *a;

    *a = *b;
    *b = keep;
}

static void heap_up(struct bough_log__located *heap, size_t at)
{
    for (; at > 0 && heap[at].where > heap[(at - 1) / 2].where; at = (at - 1) / 2)
        heap_swap(&heap[at], &heap[(at - 1) / 2]);
}

static void heap_down(struct bough_log__located *heap, size_t n)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1].where > heap[child].where)
            child++;
        if (heap[child].where <= heap[at].where)
            break;
        heap_swap(&heap[at], &heap[child]);
    }
}

static enum bough_err heap_add(struct bough_log__reach *x, const struct bough_log__located *entry)
{
    void *ptr = x->heap;
    enum bough_err err;

    if (x->heap_n == BOUGH_LOG__LOCATORS) { /* those with the least places are kept */
        x->partial = true;
        if (entry->where < x->heap[0].where) {
            x->heap[0] = *entry;
            heap_down(x->heap, x->heap_n);
        }
        return BOUGH_OK;
    }
    err = bough_mem_grow(x->log->mem, &ptr, &x->heap_cap, x->heap_n + 1, sizeof *x->heap);
    x->heap = ptr;
    if (err)
        return err;
    x->heap[x->heap_n] = *entry;
    heap_up(x->heap, x->heap_n++);
    return BOUGH_OK;
}

/* ---- Scan ---- */

static bool is_told(const struct bough_log__reach *x, uint64_t place)
{
    return bough_log__bit(x->bits[BOUGH_REACH_WANT], place) &&
           !bough_log__bit(x->bits[BOUGH_REACH_HAVE], place);
}

/* Is there anything in the block?  Else it is not read. */
static bool block_any(const struct bough_log__reach *x, uint64_t first, uint32_t per)
{
    for (uint64_t i = first / 8; i <= (first + per - 1) / 8; i++) {
        if (x->bits[BOUGH_REACH_WANT][i] & ~x->bits[BOUGH_REACH_HAVE][i])
            return true;
    }
    return false;
}

static enum bough_err block_scan(struct bough_log__reach *x, uint32_t no)
{
    struct bough_log *l = x->log;
    uint32_t per = bough_log__rows_per_block(l), rows;
    uint64_t first = (uint64_t)no * per;
    const uint8_t *block;
    enum bough_err err;

    if (!block_any(x, first, per))
        return BOUGH_OK;
    err = bough_log__table_block(l, table_of(x), BOUGH_LOG__BLOCK_OID, no, &block, &rows);
    for (uint32_t i = 0; !err && i < per; i++) {
        struct bough_log__row row;

        if (!is_told(x, first + i))
            continue;
        if (i >= rows)
            return bough_log__corrupt(l, "a reachability bitmap names what is not there", first);
        bough_log__table_row(l, table_of(x), block, i, &row);
        if (row.where >= x->floor)
            err = heap_add(x, &(struct bough_log__located){row.where, first + i});
    }
    return err;
}

static enum bough_err scan_step(struct bough_log__reach *x)
{
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < STEP / 64 && !err && x->scan_at < table_of(x)->blocks; i++)
        err = block_scan(x, (uint32_t)x->scan_at++);
    if (err || x->scan_at < table_of(x)->blocks)
        return err ? err : BOUGH_EAGAIN;
    if (x->heap_n == 0)
        return BOUGH_ENOENT;
    x->unsorted = x->heap_n;
    x->stage = BOUGH_LOG__REACH_SORT;
    return BOUGH_EAGAIN;
}

/* ---- Sort ---- */

static enum bough_err sort_step(struct bough_log__reach *x)
{
    for (uint32_t i = 0; i < STEP && x->unsorted > 1; i++) {
        heap_swap(&x->heap[0], &x->heap[--x->unsorted]);
        heap_down(x->heap, x->unsorted);
    }
    if (x->unsorted <= 1) {
        x->tell_at = 0;
        x->stage = BOUGH_LOG__REACH_TELL;
    }
    return BOUGH_EAGAIN;
}

/* ---- Tell ---- */

/* The row of the reverse table for an entry that lies at or behind row x->no. */
static enum bough_err reverse_seek(struct bough_log__reach *x, const struct bough_log__segment *seg,
    uint64_t offset, struct bough_log__reverse *out)
{
    enum { NEAR = 8 };
    uint64_t lo, hi;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < NEAR && x->no < seg->objects; i++) {
        err = bough_log__reverse_get(x->log, seg, x->no++, out);
        if (err || out->offset == offset)
            return err;
    }
    for (lo = x->no, hi = seg->objects; lo < hi;) {
        uint64_t mid = lo + (hi - lo) / 2;

        err = bough_log__reverse_get(x->log, seg, mid, out);
        if (err)
            return err;
        x->no = mid + 1;
        if (out->offset == offset)
            return BOUGH_OK;
        if (out->offset < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return bough_log__corrupt(x->log, "no entry begins where a row says", offset);
}

static enum bough_err tell_packed(
    struct bough_log__reach *x, const struct bough_log__segment *seg, struct bough_reached *out)
{
    struct bough_log__reverse r;
    enum bough_err err;

    if (x->segment != seg->number) {
        x->segment = seg->number;
        x->no = 0;
    }
    err = reverse_seek(x, seg, bough_log__where_offset(out->where), &r);
    if (err)
        return err;
    out->id = r.id;
    out->len = r.end - r.offset;
    out->crc = r.crc;
    return BOUGH_OK;
}

static enum bough_err tell_logged(
    struct bough_log__reach *x, uint64_t place, struct bough_reached *out)
{
    struct bough_log *l = x->log;
    uint32_t per = bough_log__rows_per_block(l), rows;
    struct bough_log__entry e;
    struct bough_log__row row;
    const uint8_t *block;
    enum bough_err err = bough_log__entry_open(l, out->where, &e);

    if (!err)
        err = bough_log__table_block(
            l, table_of(x), BOUGH_LOG__BLOCK_OID, (uint32_t)(place / per), &block, &rows);
    if (err)
        return err;
    bough_log__table_row(l, table_of(x), block, (uint32_t)(place % per), &row);
    out->id = row.id;
    out->len = e.len;
    out->crc = e.crc;
    return BOUGH_OK;
}

static enum bough_err head_parse(
    struct bough_log *l, const struct bough_log__segment *seg, struct bough_reached *out)
{
    uint64_t at = bough_log__where_offset(out->where);
    size_t n = out->len < BOUGH_ENTRY_HEAD_MAX ? (size_t)out->len : BOUGH_ENTRY_HEAD_MAX;
    struct bough_view raw;
    enum bough_err err = bough_log__segment_lend(l, seg, at, n, &raw);

    if (!err &&
        (bough_entry_head_parse(l->geo.algo, at, raw, &out->head) || out->head.head_len > out->len))
        err = bough_log__corrupt(l, "an entry's head is damaged", out->where);
    return err;
}

static enum bough_err tell_one(struct bough_log__reach *x, struct bough_reached *out)
{
    const struct bough_log__located *at = &x->heap[x->tell_at++];
    const struct bough_log__segment *seg =
        bough_log__segment_find(x->log, bough_log__where_segment(at->where));
    enum bough_err err;

    if (seg == NULL)
        return bough_log__corrupt(x->log, "a row names a segment that is not there", at->where);
    out->where = at->where;
    err = seg->pack ? tell_packed(x, seg, out) : tell_logged(x, at->place, out);
    return err ? err : head_parse(x->log, seg, out);
}

static enum bough_err tell_step(struct bough_log__reach *x, struct bough_reached *out)
{
    if (x->tell_at < x->heap_n)
        return tell_one(x, out);
    if (!x->partial)
        return BOUGH_ENOENT;
    x->floor = x->heap[x->heap_n - 1].where + 1;
    x->heap_n = 0;
    x->scan_at = 0;
    x->partial = false;
    x->stage = BOUGH_LOG__REACH_SCAN;
    return BOUGH_EAGAIN;
}

enum bough_err bough_log__reach_next(struct bough_reach *r, struct bough_reached *out)
{
    struct bough_log__reach *x = bough_log__reach_of(r);

    if (x->expired)
        return BOUGH_WHY(
            &x->log->store.why, BOUGH_EEXPIRED, "a collection went on meanwhile", NULL, 0);
    x->telling = true;
    if (x->stage == BOUGH_LOG__REACH_SCAN)
        return scan_step(x);
    return x->stage == BOUGH_LOG__REACH_SORT ? sort_step(x) : tell_step(x, out);
}

/* ---- Left ---- */

enum { LEFT_MAX = 64 * 1024 * 1024 }; /* bytes of ids */

/* What lies before it was told. */
static uint64_t told_to(const struct bough_log__reach *x)
{
    if (x->stage != BOUGH_LOG__REACH_TELL)
        return x->floor;
    if (x->tell_at < x->heap_n)
        return x->heap[x->tell_at].where;
    return x->partial ? x->heap[x->heap_n - 1].where + 1 : UINT64_MAX;
}

static enum bough_err block_note(struct bough_log__reach *x, uint32_t no)
{
    struct bough_log *l = x->log;
    uint32_t per = bough_log__rows_per_block(l), rows;
    uint64_t first = (uint64_t)no * per, from = told_to(x);
    const uint8_t *block;
    enum bough_err err;

    if (!block_any(x, first, per))
        return BOUGH_OK;
    err = bough_log__table_block(l, table_of(x), BOUGH_LOG__BLOCK_OID, no, &block, &rows);
    for (uint32_t i = 0; !err && i < rows; i++) {
        struct bough_log__row row;

        if (!is_told(x, first + i))
            continue;
        bough_log__table_row(l, table_of(x), block, i, &row);
        if (row.where >= from)
            bough_buf_put(&x->left, row.id.bytes, l->geo.id_len);
    }
    return err                      ? err
           : x->left.err            ? x->left.err
           : x->left.len > LEFT_MAX ? BOUGH_ETOOBIG
                                    : BOUGH_OK;
}

void bough_log__reach_note(struct bough_log__reach *x)
{
    struct bough_why why = x->log->store.why;
    enum bough_err err = x->telling ? BOUGH_OK : BOUGH_EEXPIRED;

    for (uint32_t no = 0; !err && no < table_of(x)->blocks; no++)
        err = block_note(x, no);
    x->noted = !err;
    x->log->store.why = why; /* nobody asked */
    if (err)
        bough_buf_fini(&x->left);
}

enum bough_err bough_log__reach_left(struct bough_reach *r, struct bough_oid *out)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    uint32_t len = x->log->geo.id_len;

    if (!x->noted)
        return BOUGH_EEXPIRED;
    if (x->left_at == x->left.len)
        return BOUGH_ENOENT;
    *out = bough_oid_raw(x->log->geo.algo, x->left.ptr + x->left_at);
    x->left_at += len;
    return BOUGH_OK;
}
