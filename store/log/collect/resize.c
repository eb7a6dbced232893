/*
 * resize.c - a store gets more zones, or fewer, while it is in use.
 *
 *   grow      the device, then the superblocks
 *   shrink    no zone behind the new end is taken any more; the log goes on before it; what lies
 *             behind is copied, zone by zone; when the checkpoints do without it, the superblocks,
 *             then the device
 *
 * Places within segments and tables do not change when a zone is copied: only the list of their
 * zones does, and a checkpoint makes that durable.  Until then what the last one names is held
 * where it was.  A frame says where it lies, so its copy says the new place.
 */
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

enum { PIECE = 64 * 1024 };

/* ---- Common ---- */

/* In both rings, before the device is cut or after it is longer. */
static enum bough_err zones_write(struct bough_log *l)
{
    enum bough_err err = bough_log__super_write(l, false);

    return err ? err : bough_log__super_write(l, true);
}

static enum bough_err device_resize(struct bough_log *l, uint64_t bytes)
{
    enum bough_err err = bough_block_resize(l->dev, bytes / l->dev->unit);

    if (err == BOUGH_ENOTSUP)
        return BOUGH_WHY(&l->store.why, err, "the device has a fixed size", NULL, 0);
    if (err)
        return BOUGH_WHY(&l->store.why, err, "the device cannot have that size", NULL, 0);
    return bough_log__flush(l);
}

/* ---- Grow ---- */

/* Or only the device, where the store has its size. */
static enum bough_err grow(struct bough_log *l, uint64_t bytes, uint32_t zones)
{
    uint32_t before = l->geo.zones;
    uint8_t *state;
    enum bough_err err = BOUGH_OK;

    if (zones > l->zones.room) {
        state = l->mem->resize(l->mem, l->zones.state, l->zones.room, zones);
        if (state == NULL)
            return BOUGH_ENOMEM;
        memset(state + l->zones.room, 0, zones - l->zones.room);
        l->zones.state = state;
        l->zones.room = zones;
    }
    if (bytes > l->dev->count * l->dev->unit ||
        (zones == before &&
            l->dev->caps & BOUGH_BLOCK_RESIZE)) /* it may lack the last of shrinking */
        err = device_resize(l, bytes);
    if (err || zones == before)
        return err;
    l->geo.zones = zones;
    err = zones_write(l);
    if (err)
        l->geo.zones = before;
    else
        bough_log__zones_limit(l, zones);
    return err;
}

/* ---- Copying zones ---- */

static enum bough_err piece_copy(
    struct bough_log *l, uint64_t from, uint64_t to, uint8_t *buf, size_t n)
{
    enum bough_err err = bough_log__read(l, from, buf, n);

    return err ? err : bough_log__write(l, to, buf, n, false);
}

static enum bough_err zone_copy(struct bough_log *l, uint32_t from, uint32_t to, uint8_t *buf)
{
    uint64_t zone = l->geo.zone;
    enum bough_err err = BOUGH_OK;

    for (uint64_t at = 0; at < zone && !err; at += PIECE)
        err = piece_copy(l, from * zone + at, to * zone + at, buf,
            zone - at < PIECE ? (size_t)(zone - at) : PIECE);
    return err;
}

static enum bough_err frame_copy(
    struct bough_log *l, const struct bough_log__frame *f, uint32_t to, uint8_t *buf)
{
    uint64_t len = bough_log__frame_len(&l->geo, f), zone = l->geo.zone;
    struct bough_log__frame moved = *f;
    enum bough_err err = BOUGH_OK;

    moved.zone = to;
    for (uint64_t at = 0; at < len && !err; at += PIECE) {
        size_t n = len - at < PIECE ? (size_t)(len - at) : PIECE;

        err = bough_log__read(l, f->zone * zone + f->at + at, buf, n);
        if (at == 0)
            bough_log__frame_encode(&l->geo, &moved, buf);
        if (!err)
            err = bough_log__write(l, to * zone + f->at + at, buf, n, false);
    }
    return err;
}

/* The frames from the zone's start on; what stands behind them is nothing. */
static enum bough_err log_copy(struct bough_log *l, uint32_t from, uint32_t to, uint8_t *buf)
{
    uint32_t at = 0, zone = l->geo.zone;
    enum bough_err err = BOUGH_OK;

    while (!err && at <= zone - BOUGH_LOG__FRAME_HEAD) {
        struct bough_log__frame f;
        uint8_t raw[BOUGH_LOG__FRAME_HEAD];

        err = bough_log__read(l, (uint64_t)from * zone + at, raw, sizeof raw);
        if (!err)
            err = bough_log__frame_decode(&l->geo, from, at, raw, &f);
        if (!err)
            err = frame_copy(l, &f, to, buf);
        if (!err)
            at += bough_log__frame_len(&l->geo, &f);
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Shrink ---- */

struct shrink {
    struct bough_log *log;
    uint64_t left; /* bytes that may be copied still */
    uint8_t *buf;
};

/* Zones behind the new end that are in use. */
static uint32_t behind(const struct bough_log *l)
{
    uint32_t n = 0;

    for (uint32_t i = l->zones.limit; i < l->geo.zones; i++)
        n += (l->zones.state[i] & BOUGH_LOG__ZONE_USE) != 0;
    return n;
}

/* A zone before the end takes the place of `*zone`, which is held for the checkpoints so far. */
static enum bough_err zone_move(struct shrink *s, uint32_t *zone, enum bough_log__zone_use use)
{
    struct bough_log *l = s->log;
    uint32_t to;
    enum bough_err err;

    if (s->left < l->geo.zone) {
        err = BOUGH_WHY(&l->store.why, BOUGH_EAGAIN, "zones are being copied", NULL, 0);
        l->store.why.at = behind(l) * (uint64_t)l->geo.zone;
        return err;
    }
    s->left -= l->geo.zone;
    err = bough_log__zones_reserve(l, 1);
    if (!err)
        err = bough_log__zone_take(l, use, bough_log__need(l), &to);
    if (err)
        return err;
    err = use == BOUGH_LOG__ZONE_LOG ? log_copy(l, *zone, to, s->buf)
                                     : zone_copy(l, *zone, to, s->buf);
    if (err) {
        bough_log__zone_drop(l, to);
        return err;
    }
    if (use != BOUGH_LOG__ZONE_TABLE) /* those of tables leave with the next checkpoint */
        bough_log__zone_hold(l, *zone, l->made + 1);
    *zone = to;
    return BOUGH_OK;
}

/* A frame with nothing in it, for the sake of the next zone that it names. */
static enum bough_err head_frame(struct bough_log *l)
{
    struct bough_log__txn *t = &l->txn;
    uint32_t before;
    enum bough_err err = bough_log__frame_fit(l, 0, 0); /* perhaps in the zone that was next */

    if (err)
        return err;
    before = l->head.next;
    if (before >= l->zones.limit) {
        l->head.next = 0;
        bough_log__next_zone(l);
        l->prepared_next = 0;
    }
    err = l->head.next != 0 ? bough_log__frame_cut(l, true, true) : BOUGH_ENOSPC;
    if (!err && before >= l->zones.limit)
        bough_log__zone_drop(l, before); /* the log never went there */
    if (err && l->head.next != before) {
        if (l->head.next != 0)
            bough_log__zone_drop(l, l->head.next);
        l->head.next = before;
    }
    l->log_bytes += t->bytes;
    t->bytes = 0;
    t->began = false;
    bough_buf_clear(&t->data);
    return err;
}

/* The log goes on before the end, and so does what it names as its next zone. */
static enum bough_err head_move(struct bough_log *l)
{
    enum bough_err err = BOUGH_OK;

    if (l->head.next >= l->zones.limit || (l->head.zone >= l->zones.limit && l->head.at == 0))
        err = head_frame(l);
    return err || l->head.zone < l->zones.limit ? err : bough_log__turn(l);
}

static enum bough_err segments_move(struct shrink *s)
{
    struct bough_log *l = s->log;
    uint32_t limit = l->zones.limit;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < l->segments && !err; i++) {
        struct bough_log__segment *seg = &l->segment[i];

        if (!seg->pack && seg->zone >= limit)
            err = zone_move(s, &seg->zone, BOUGH_LOG__ZONE_LOG);
        for (uint32_t k = 0; seg->pack && k < seg->run.n && !err; k++) {
            if (seg->run.zones[k] >= limit)
                err = zone_move(s, &seg->run.zones[k], BOUGH_LOG__ZONE_PACK);
        }
    }
    return err;
}

static void run_replace(struct bough_log__run *r, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->zones[i] == from)
            r->zones[i] = to;
    }
}

/* Several tables share a zone. */
static enum bough_err tables_move(struct shrink *s)
{
    struct bough_log *l = s->log;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < l->zones.tables && !err; i++) {
        uint32_t from = l->zones.table[i], to = from;

        if (from < l->zones.limit || bough_log__zone_state(l, from) != BOUGH_LOG__ZONE_TABLE)
            continue;
        err = zone_move(s, &to, BOUGH_LOG__ZONE_TABLE);
        for (size_t k = 0; k < l->tables && !err; k++)
            run_replace(&l->table[k].run, from, to);
        for (uint32_t k = 0; k < l->reftables && !err; k++)
            run_replace(&l->reftable[k].run, from, to);
        if (!err)
            run_replace(&l->hold.run, from, to);
        if (!err)
            run_replace(&l->root_run, from, to);
        if (!err && l->open_zone == from)
            l->open_zone = to;
        if (!err)
            bough_log__zone_hold(l, from, l->made + 1);
    }
    return err;
}

static bool is_empty_behind(const struct bough_log *l, bool held_too)
{
    for (uint32_t i = l->zones.limit; i < l->geo.zones; i++) {
        uint8_t state = bough_log__zone_state(l, i);
        if (state != BOUGH_LOG__ZONE_FREE && (held_too || state != BOUGH_LOG__ZONE_HELD))
            return false;
    }
    return true;
}

/* Every zone behind the new end is free for good: the superblocks say so, then the device ends. */
static enum bough_err cut(struct bough_log *l, uint64_t bytes)
{
    uint32_t before = l->geo.zones;
    enum bough_err err;

    l->geo.zones = l->zones.limit;
    err = zones_write(l);
    if (err) {
        l->geo.zones = before;
        return err;
    }
    if (!(l->dev->caps & BOUGH_BLOCK_RESIZE))
        return BOUGH_OK; /* a part of a larger one: the rest is not used */
    return device_resize(l, bytes);
}

static enum bough_err shrink_step(struct shrink *s, uint64_t bytes)
{
    struct bough_log *l = s->log;
    enum bough_err err = l->cycle == NULL ? head_move(l) : BOUGH_EAGAIN;

    if (l->cycle != NULL)
        return BOUGH_WHY(&l->store.why, err, "a collection is under way", NULL, 0);
    if (!err)
        err = segments_move(s);
    if (!err)
        err = tables_move(s);
    if (!err && !is_empty_behind(l, false))
        return BOUGH_WHY(&l->store.why, BOUGH_EAGAIN, "an intake or upkeep is under way", NULL, 0);
    for (int i = 0; i < 2 && !err && !is_empty_behind(l, true); i++)
        err = bough_log__checkpoint(l);
    if (!err && !is_empty_behind(l, true))
        return BOUGH_WHY(&l->store.why, BOUGH_EAGAIN, "a reader looks at what is there", NULL, 0);
    return err ? err : cut(l, bytes);
}

/* Is there room before the new end for what lies behind it? */
static bool fits(const struct bough_log *l, uint32_t limit)
{
    uint32_t room = 0, behind = 0;

    for (uint32_t i = 2; i < l->geo.zones; i++) {
        bool used = l->zones.state[i] & BOUGH_LOG__ZONE_USE;
        room += i < limit && !used;
        behind += i >= limit && used;
    }
    return room >= behind + bough_log__reserve(l);
}

static enum bough_err shrink(struct bough_log *l, uint64_t bytes, uint32_t zones, uint64_t budget)
{
    struct shrink s = {.log = l, .left = budget > l->geo.zone ? budget : l->geo.zone};
    enum bough_err err;

    bough_log__tiers_end(l, true);
    bough_log__reftiers_end(l, true);
    bough_log__bitmaps_end(l);
    if (!fits(l, zones)) {
        bough_log__zones_limit(l, l->geo.zones); /* it may have been about to shrink */
        return BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "what is stored needs more", NULL, 0);
    }
    if (l->zones.limit != zones)
        bough_log__zones_limit(l, zones);
    s.buf = bough_mem_alloc(l->mem, PIECE);
    err = s.buf != NULL ? shrink_step(&s, bytes) : BOUGH_ENOMEM;
    if (err && err != BOUGH_EAGAIN)
        bough_log__zones_limit(l, l->geo.zones);
    bough_mem_free(l->mem, s.buf, PIECE);
    return err;
}

/* ---- Both ---- */

enum bough_err bough_log__resize(struct bough_store *store, uint64_t bytes, uint64_t budget)
{
    struct bough_log *l = bough_log__of(store);
    uint64_t zones = bytes / l->geo.zone;
    enum bough_err err;

    if (l->settle.on)
        return BOUGH_WHY(
            &store->why, BOUGH_ENOTSUP, "a device without flush keeps its size", NULL, 0);
    if (zones < BOUGH_LOG__ZONES_MIN)
        return BOUGH_WHY(&store->why, BOUGH_EINVAL, "a store has at least 16 zones", NULL, 0);
    if (zones > BOUGH_LOG__ZONES_MAX)
        zones = BOUGH_LOG__ZONES_MAX;
    err = bough_log__owner_check(l);
    if (!err && zones < l->geo.zones)
        err = shrink(l, bytes, (uint32_t)zones, budget);
    else if (!err) {
        if (l->zones.limit != l->geo.zones)
            bough_log__zones_limit(l, l->geo.zones); /* it was to shrink before */
        err = grow(l, bytes, (uint32_t)zones);
    }
    return err;
}
