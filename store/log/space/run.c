/*
 * run.c - runs of bytes over zones in any order, and a writer onto them.
 *
 *   runs     where is byte `at`?
 *   writer   collects 64 KiB, takes zones as it goes, reads back what it wrote
 */
#include "store/log/cache_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/run_inner.h"
#include "store/log/zone_inner.h"

/* ---- Runs ---- */

void bough_log__run_fini(struct bough_log *l, struct bough_log__run *r)
{
    bough_mem_free(l->mem, r->zones, r->cap * sizeof *r->zones);
    *r = (struct bough_log__run){0};
}

enum bough_err bough_log__run_add(struct bough_log *l, struct bough_log__run *r, uint32_t zone)
{
    void *ptr = r->zones;
    enum bough_err err = bough_mem_grow(l->mem, &ptr, &r->cap, (size_t)r->n + 1, sizeof *r->zones);

    r->zones = ptr;
    if (!err)
        r->zones[r->n++] = zone;
    return err;
}

enum bough_err bough_log__run_at(const struct bough_log *l, const struct bough_log__run *r,
    uint64_t at, uint64_t *dev, uint64_t *left)
{
    uint64_t b = r->start + at, i = b / l->geo.zone, in = b % l->geo.zone;

    if (at > UINT64_MAX - r->start || i >= r->n)
        return BOUGH_ECORRUPT;
    *dev = (uint64_t)r->zones[i] * l->geo.zone + in;
    *left = l->geo.zone - in;
    return BOUGH_OK;
}

enum bough_err bough_log__run_read(
    struct bough_log *l, const struct bough_log__run *r, uint64_t at, void *dst, size_t n)
{
    uint8_t *to = dst;

    while (n > 0) {
        uint64_t dev, left;
        enum bough_err err = bough_log__run_at(l, r, at, &dev, &left);
        size_t k;

        if (err)
            return err;
        k = n < left ? n : (size_t)left;
        err = bough_log__read(l, dev, to, k);
        if (err)
            return err;
        at += k;
        to += k;
        n -= k;
    }
    return BOUGH_OK;
}

/* ---- Writer ---- */

enum bough_err bough_log__out_init(struct bough_log__out *o, struct bough_log *l,
    struct bough_log__run *run, enum bough_log__zone_use use)
{
    BOUGH_ASSERT((run->start + run->len) % l->geo.granule == 0);

    *o = (struct bough_log__out){.log = l, .run = run, .use = use};
    o->buf = bough_mem_alloc(l->mem, BOUGH_LOG__OUT_BUF);
    return o->buf == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

void bough_log__out_fini(struct bough_log__out *o)
{
    if (o->buf != NULL)
        bough_mem_free(o->log->mem, o->buf, BOUGH_LOG__OUT_BUF);
    o->buf = NULL;
}

/* Make sure that byte `at` has a zone. */
static enum bough_err out_room(struct bough_log__out *o, uint64_t at)
{
    struct bough_log *l = o->log;
    enum bough_err err;
    uint32_t zone;

    while ((o->run->start + at) / l->geo.zone >= o->run->n) {
        err = bough_log__zone_take(l, o->use, o->reserve, &zone);
        if (err == BOUGH_ENOSPC && o->collects && bough_log__room_make(l, o->reserve + 1))
            err = bough_log__zone_take(l, o->use, o->reserve, &zone);
        if (err)
            return err;
        err = bough_log__run_add(l, o->run, zone);
        if (err) {
            bough_log__zone_drop(l, zone);
            return err;
        }
    }
    return BOUGH_OK;
}

enum bough_err bough_log__out_flush(struct bough_log__out *o)
{
    struct bough_log *l = o->log;
    size_t done = 0;

    BOUGH_ASSERT(o->fill % l->geo.granule == 0);

    while (done < o->fill) {
        uint64_t at = o->run->len - o->fill + done, dev = 0, left = 0;
        enum bough_err err = out_room(o, at);
        size_t k;

        if (!err)
            err = bough_log__run_at(l, o->run, at, &dev, &left);
        if (err)
            return err;
        k = o->fill - done < left ? o->fill - done : (size_t)left;
        err = bough_log__write(l, dev, o->buf + done, k, false);
        if (err)
            return err;
        done += k;
    }
    o->fill = 0;
    return BOUGH_OK;
}

enum bough_err bough_log__out_put(struct bough_log__out *o, const void *src, size_t n)
{
    const uint8_t *p = src;

    while (n > 0) {
        size_t k = BOUGH_LOG__OUT_BUF - o->fill;

        k = n < k ? n : k;
        if (o->sums != NULL)
            bough_log__sums_put(o->sums, o->run->len, p, k);
        memcpy(o->buf + o->fill, p, k);
        o->fill += k;
        o->run->len += k;
        p += k;
        n -= k;
        if (o->fill == BOUGH_LOG__OUT_BUF) {
            enum bough_err err = bough_log__out_flush(o);
            if (err)
                return err;
        }
    }
    return BOUGH_OK;
}

enum bough_err bough_log__out_pad(struct bough_log__out *o, uint32_t align)
{
    static const uint8_t zeros[512];
    enum bough_err err = BOUGH_OK;

    while (!err && (o->run->start + o->run->len) % align != 0) {
        uint64_t n = align - (o->run->start + o->run->len) % align;
        err = bough_log__out_put(o, zeros, n < sizeof zeros ? (size_t)n : sizeof zeros);
    }
    return err;
}

enum bough_err bough_log__out_read(struct bough_log__out *o, uint64_t at, void *dst, size_t n)
{
    uint64_t flushed = o->run->len - o->fill;
    uint8_t *to = dst;

    if (at > o->run->len || n > o->run->len - at)
        return BOUGH_ERANGE;
    if (at < flushed) {
        size_t k = n < flushed - at ? n : (size_t)(flushed - at);
        enum bough_err err = bough_log__run_read(o->log, o->run, at, to, k);
        if (err)
            return err;
        at += k;
        to += k;
        n -= k;
    }
    if (n > 0)
        memcpy(to, o->buf + (at - flushed), n);
    return BOUGH_OK;
}
