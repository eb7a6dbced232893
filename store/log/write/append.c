/*
 * append.c - frames at the end of the log; docs/format.md 4.
 *
 *   fit       does what comes next fit into the frame being made?
 *   cut       the frame goes to the device
 *   prepared  space that was written once: a file system then has nothing to note
 *   zones     where the log goes on
 *   memory    for frames, as devices like it
 *
 * Invariants
 *   1. l->head is where the frame being made begins; its bytes so far are in l->txn.data and
 *      l->txn.index.  So the locator of an object is known as soon as it is put.
 *   2. A frame is written once, onto granules that hold nothing of the chain.
 *   3. The next zone is named by a frame (or root) before the log goes there.
 *   4. Where the log leaves a zone no frame stands that would continue the chain there.
 */
#include "store/log/cache_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

void bough_log__next_zone(struct bough_log *l)
{
    uint32_t zone;

    bool starved = l->starved;

    if (l->head.next == 0 && !bough_log__zone_take(l, BOUGH_LOG__ZONE_LOG, 0, &zone))
        l->head.next = zone;
    l->starved = starved; /* it goes on without for now */
}

/* The next frame goes elsewhere: one of a transaction that was given up must not stand here, for
   it would continue the chain. */
static enum bough_err given_up_wipe(struct bough_log *l)
{
    uint8_t *zeros;
    enum bough_err err;

    if (l->given_up != l->head.seq || l->head.at >= l->geo.zone)
        return BOUGH_OK;
    zeros = bough_mem_zalloc(l->mem, 1, l->geo.granule);
    if (zeros == NULL)
        return BOUGH_ENOMEM;
    err = bough_log__write(
        l, (uint64_t)l->head.zone * l->geo.zone + l->head.at, zeros, l->geo.granule, false);
    bough_mem_free(l->mem, zeros, l->geo.granule);
    return err;
}

/* Leaving so many zones. */
static enum bough_err zone_switch(struct bough_log *l, uint32_t kept)
{
    struct bough_log__segment seg = {.number = l->next_segment, .zone = l->head.next};
    enum bough_err err;

    if (l->head.next == 0 || !bough_log__zones_have(l, kept))
        return bough_log__full(l);
    if (seg.number > BOUGH_LOG__SEGMENT_MAX)
        return BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "segment numbers are used up", NULL, 0);
    err = given_up_wipe(l);
    if (!err)
        err = bough_log__segment_add(l, &seg);
    if (err)
        return err;
    l->head.segment = seg.number;
    l->head.zone = seg.zone;
    l->head.at = 0;
    l->head.next = 0;
    l->head.spare = !bough_log__zones_have(l, bough_log__reserve(l));
    l->prepared_to = l->prepared_next;
    l->prepared_next = 0;
    bough_log__next_zone(l);
    return BOUGH_OK;
}

enum bough_err bough_log__turn(struct bough_log *l)
{
    if (l->head.at == 0)
        return BOUGH_OK;
    bough_log__next_zone(l);
    return zone_switch(l, 0);
}

static size_t frame_room(const struct bough_log *l)
{
    size_t left = l->geo.zone - l->head.at;

    return left < l->geo.frame_max ? left : l->geo.frame_max;
}

enum bough_err bough_log__frame_fit(struct bough_log *l, size_t data, size_t index)
{
    struct bough_log__txn *t = &l->txn;
    enum bough_err err;

    if (BOUGH_LOG__FRAME_HEAD + data + index > l->geo.frame_max) {
        err = BOUGH_WHY(&l->store.why, BOUGH_ETOOBIG,
            "bytes of a frame, in a store with zones this small", NULL, 0);
        l->store.why.at = l->geo.frame_max;
        return err;
    }
    for (;;) {
        if (t->data.len == 0)
            bough_buf_put_fill(&t->data, 0, BOUGH_LOG__FRAME_HEAD);
        if (t->data.err) {
            err = t->data.err;
            bough_buf_clear(&t->data);
            return err;
        }
        if (t->data.len + t->index.len + data + index <= frame_room(l))
            return BOUGH_OK;
        err = t->items > 0 ? bough_log__frame_cut(l, false, false)
                           : zone_switch(l, bough_log__kept_back(l));
        if (err)
            return err;
    }
}

/* ---- Prepared space ---- */

enum { PREPARE_PIECE = 64 * 1024, PREPARED_MAX = 128 * 1024 };

/* From `at` to `to` of a zone in which nothing of the chain stands there. */
static enum bough_err space_prepare(struct bough_log *l, uint32_t zone, uint32_t at, uint32_t to)
{
    enum bough_err err = bough_log__ready(l, (uint64_t)zone * l->geo.zone + at, to - at);
    uint8_t *zeros;

    if (err != BOUGH_ENOTSUP)
        return err;
    err = BOUGH_OK;
    zeros = bough_mem_zalloc(l->mem, 1, PREPARE_PIECE);
    if (zeros == NULL)
        return BOUGH_OK; /* it goes without */
    while (at < to && !err) {
        uint32_t n = to - at < PREPARE_PIECE ? to - at : PREPARE_PIECE;
        err = bough_log__write(l, (uint64_t)zone * l->geo.zone + at, zeros, n, false);
        at += n;
    }
    bough_mem_free(l->mem, zeros, PREPARE_PIECE);
    return err;
}

static uint32_t prepare_end(const struct bough_log *l, uint32_t at)
{
    uint64_t to = bough_log__up((uint64_t)at + l->opts.prepare, l->geo.granule);

    return to < l->geo.zone ? (uint32_t)to : l->geo.zone;
}

static enum bough_err head_prepare(struct bough_log *l)
{
    uint32_t from = l->head.at > l->prepared_to ? l->head.at : l->prepared_to;
    enum bough_err err = space_prepare(l, l->head.zone, from, prepare_end(l, from));

    if (!err)
        l->prepared_to = prepare_end(l, from);
    return err;
}

/* Long frames come alone: for them it would only be writing twice. */
static enum bough_err prepare_for(struct bough_log *l, size_t len)
{
    if (l->opts.prepare <= 1 || len > PREPARED_MAX || l->head.at + len <= l->prepared_to)
        return BOUGH_OK;
    return head_prepare(l);
}

enum bough_err bough_log__prepare(struct bough_log *l)
{
    enum bough_err err;

    if (l->opts.prepare <= 1)
        return BOUGH_OK;
    if (l->prepared_to < l->geo.zone && l->prepared_to < l->head.at + l->opts.prepare / 2)
        return head_prepare(l);
    if (l->prepared_to < l->geo.zone || l->prepared_next > 0 || l->head.next == 0)
        return BOUGH_OK;
    err = space_prepare(l, l->head.next, 0, prepare_end(l, 0));
    if (!err)
        l->prepared_next = prepare_end(l, 0);
    return err;
}

/* ---- Memory ---- */

enum { ALIGN = 4096 };

/* In front of what is aligned stands where its block begins. */
static void *aligned_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    struct bough_mem *under =
        ((struct bough_log__aligned *)mem)->under; /* mem is the first field */
    uint8_t *block, *at = NULL;
    const size_t more = ALIGN + sizeof block;

    if (size > 0) {
        block = size > SIZE_MAX - more ? NULL : bough_mem_alloc(under, size + more);
        if (block == NULL)
            return NULL;
        at = block + more - ((uintptr_t)block + more) % ALIGN;
        memcpy(at - sizeof block, &block, sizeof block);
    }
    if (ptr == NULL)
        return at;
    if (at != NULL)
        memcpy(at, ptr, old < size ? old : size);
    memcpy(&block, (uint8_t *)ptr - sizeof block, sizeof block);
    bough_mem_free(under, block, old + more);
    return at;
}

void bough_log__aligned_init(struct bough_log__aligned *a, struct bough_mem *under)
{
    *a = (struct bough_log__aligned){{aligned_resize}, under};
}

/* ---- Frames ---- */

/* Head, data, index and padding as one stretch in t->data. */
static enum bough_err frame_make(struct bough_log *l, bool last, struct bough_log__frame *f)
{
    struct bough_log__txn *t = &l->txn;
    size_t data_len = t->data.len, len;

    bough_log__next_zone(l);
    *f = (struct bough_log__frame){
        .epoch = l->super.epoch,
        .seq = l->head.seq,
        .durable_to = l->durable_to,
        .prev_crc = l->head.prev_crc,
        .flags = (t->began ? 0u : BOUGH_LOG__FRAME_FIRST) | (last ? BOUGH_LOG__FRAME_LAST : 0u),
        .segment = l->head.segment,
        .next_zone = l->head.next,
        .data_len = (uint32_t)(data_len - BOUGH_LOG__FRAME_HEAD),
        .index_len = (uint32_t)t->index.len,
        .index_crc = bough_crc32(0, t->index.ptr, t->index.len),
        .items = t->items,
        .zone = l->head.zone,
        .at = l->head.at,
        .time = bough_log__births_last(l),
    };
    len = bough_log__frame_len(&l->geo, f);
    bough_buf_put_view(&t->data, bough_buf_view(&t->index));
    bough_buf_put_fill(&t->data, 0, len - t->data.len);
    if (t->data.err) {
        t->data.len = data_len;
        t->data.err = BOUGH_OK;
        return BOUGH_ENOMEM;
    }
    bough_log__frame_encode(&l->geo, f, t->data.ptr);
    return BOUGH_OK;
}

enum bough_err bough_log__frame_cut(struct bough_log *l, bool last, bool sync)
{
    struct bough_log__txn *t = &l->txn;
    struct bough_log__frame f;
    enum bough_err err = frame_make(l, last, &f);

    if (!err)
        err = prepare_for(l, t->data.len);
    if (err)
        return err;
    err = bough_log__write(
        l, (uint64_t)l->head.zone * l->geo.zone + l->head.at, t->data.ptr, t->data.len, sync);
    if (err)
        return err;
    t->bytes += t->data.len;
    l->head.at += (uint32_t)t->data.len;
    l->head.seq++;
    l->head.prev_crc = f.crc;
    t->began = true;
    t->items = 0;
    bough_buf_clear(&t->data);
    bough_buf_clear(&t->index);
    if (sync && !l->settle.on)
        l->durable_to = f.seq;
    return BOUGH_OK;
}
