/*
 * entries.c - the entries of a segment, in order of place.
 *
 * A pack segment has a reverse table.  A log segment is walked frame by frame; what a frame says
 * may be of a transaction that never was, so whoever walks compares with the rows.
 */
#include "store/log/cache_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"

enum bough_err bough_log__frame_load(struct bough_log *l, uint32_t zone, uint32_t at,
    struct bough_log__frame *f, struct bough_buf *index)
{
    uint8_t raw[BOUGH_LOG__FRAME_HEAD];
    uint64_t dev = (uint64_t)zone * l->geo.zone + at;
    enum bough_err err;

    bough_buf_clear(index);
    if (at > l->geo.zone - BOUGH_LOG__FRAME_HEAD)
        return BOUGH_ENOENT;
    err = bough_log__read(l, dev, raw, sizeof raw);
    if (!err)
        err = bough_log__frame_decode(&l->geo, zone, at, raw, f);
    if (!err && bough_buf_room(index, f->index_len) == NULL && index->err)
        err = index->err;
    if (!err)
        err =
            bough_log__read(l, dev + BOUGH_LOG__FRAME_HEAD + f->data_len, index->ptr, f->index_len);
    if (err)
        return err;
    index->len = f->index_len;
    return bough_crc32(0, index->ptr, index->len) == f->index_crc ? BOUGH_OK : BOUGH_ENOENT;
}

void bough_log__entries_init(struct bough_log__entries *e, struct bough_log *l)
{
    *e = (struct bough_log__entries){.log = l};
    bough_buf_init(&e->index, l->mem);
}

void bough_log__entries_begin(struct bough_log__entries *e, uint32_t number)
{
    e->number = number;
    e->no = 0;
    e->at = 0;
    e->items.left = bough_view(NULL, 0);
}

void bough_log__entries_fini(struct bough_log__entries *e)
{
    bough_buf_fini(&e->index);
    e->number = 0;
}

/* The next frame of the log segment, if it continues the one before. */
static enum bough_err frame_next(struct bough_log__entries *e, const struct bough_log__segment *seg)
{
    struct bough_log__frame f;
    enum bough_err err = bough_log__frame_load(e->log, seg->zone, e->at, &f, &e->index);

    if (err)
        return err;
    if (f.segment != seg->number ||
        (e->at > 0 && (f.seq != e->frame.seq + 1 || f.prev_crc != e->frame.crc)))
        return BOUGH_ENOENT;
    e->frame = f;
    e->items.left = bough_buf_view(&e->index);
    e->at += bough_log__frame_len(&e->log->geo, &f);
    return BOUGH_OK;
}

static enum bough_err log_next(struct bough_log__entries *e, const struct bough_log__segment *seg,
    struct bough_log__found_entry *out)
{
    for (;;) {
        struct bough_log__fields in;
        struct bough_view body;
        uint32_t kind;
        enum bough_err err = bough_log__item_next(&e->items, &kind, &body);

        if (err == BOUGH_ENOENT)
            err = frame_next(e, seg);
        else if (!err && kind == BOUGH_LOG__OBJECT) {
            in.left = body;
            in.bad = false;
            out->id = bough_log__get_id(&in, e->log->geo.algo);
            out->at = e->frame.at + bough_log__get(&in, 4);
            out->len = bough_log__get(&in, 4);
            out->crc = (uint32_t)bough_log__get(&in, 4);
            return in.bad ? BOUGH_ECORRUPT : BOUGH_OK;
        }
        if (err)
            return err;
    }
}

enum bough_err bough_log__entries_next(
    struct bough_log__entries *e, struct bough_log__found_entry *out)
{
    const struct bough_log__segment *seg = bough_log__segment_find(e->log, e->number);
    struct bough_log__reverse r;
    enum bough_err err;

    BOUGH_ASSERT(seg != NULL);
    if (!seg->pack)
        return log_next(e, seg, out);
    err = bough_log__reverse_get(e->log, seg, e->no, &r);
    if (err)
        return err;
    e->no++;
    *out = (struct bough_log__found_entry){r.id, r.offset, r.end - r.offset, r.crc};
    return BOUGH_OK;
}

enum bough_err bough_log__entry_head(struct bough_log *l, uint32_t number,
    const struct bough_log__found_entry *f, struct bough_entry_head *out,
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX])
{
    const struct bough_log__segment *seg = bough_log__segment_find(l, number);
    uint8_t own[BOUGH_ENTRY_HEAD_MAX];
    size_t n = f->len < sizeof own ? (size_t)f->len : sizeof own;
    enum bough_err err;

    if (raw == NULL)
        raw = own;
    BOUGH_ASSERT(seg != NULL);
    err = bough_log__segment_read(l, seg, f->at, raw, n);
    if (!err &&
        (bough_entry_head_parse(l->geo.algo, f->at, bough_view(raw, n), out) || out->head_len > n))
        err = bough_log__corrupt(l, "an entry's head is damaged", f->at);
    return err;
}
