/*
 * replay_end.c - where no next frame of the log is: its end, or damage; docs/format.md 4.
 *
 *   end     does anything behind it know of the missing frame?
 *   past    the first frame behind damage, for who wants what is left of a store
 */
#include "store/log/cache_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/open/replay_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"

/* ---- End ---- */

enum { LOOK_PIECE = 64 * 1024 };

/*
 * Does a frame at or after this place say that `missing` was flushed?  Or that there was a mount
 * since: its epoch was durable before its first frame, so the superblock that had it is damaged.
 */
static enum bough_err later_knows(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, uint64_t missing, bool *yes)
{
    struct bough_log__frame f, next;
    enum bough_err err = bough_log__head_load(r->log, zone, at, &f);
    uint64_t seq = missing;

    if (!err && f.epoch > r->epoch)
        *yes = r->log->dev->caps & BOUGH_BLOCK_SYNC; /* else it may not have settled */
    while (!err && f.seq > seq && f.epoch == r->epoch && !*yes) {
        *yes = f.durable_to >= missing;
        seq = f.seq;
        err = bough_log__head_load(
            r->log, f.zone, f.at + bough_log__frame_len(&r->log->geo, &f), &next);
        if (err == BOUGH_ENOENT && f.next_zone != 0)
            err = bough_log__head_load(r->log, f.next_zone, 0, &next);
        f = next;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Look so at every granule of at most 1 MiB, which are read in pieces. */
static enum bough_err stretch_knows(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, uint64_t missing, bool *yes)
{
    struct bough_log *l = r->log;
    uint32_t left = l->geo.zone - at, granule = l->geo.granule;
    enum bough_err err = BOUGH_OK;

    left = left < BOUGH_LOG__FRAME_MAX ? left : BOUGH_LOG__FRAME_MAX;
    while (left > 0 && !*yes && !err) {
        uint32_t n = left < LOOK_PIECE ? left : LOOK_PIECE;

        bough_buf_clear(&r->index);
        if (bough_buf_room(&r->index, n) == NULL)
            return r->index.err;
        err = bough_log__read(l, (uint64_t)zone * l->geo.zone + at, r->index.ptr, n);
        for (uint32_t i = 0; i < n && !*yes && !err; i += granule) {
            if (bough_log__frame_begins(r->index.ptr + i))
                err = later_knows(r, zone, at + i, missing, yes);
        }
        at += n;
        left -= n;
    }
    return err;
}

enum bough_err bough_log__replay_end(struct bough_log__replay *r)
{
    struct bough_log *l = r->log;
    bool damaged = r->pos.seq < r->sure;
    enum bough_err err = BOUGH_OK;

    if (!(l->dev->caps & BOUGH_BLOCK_SYNC))
        damaged = r->pos.seq <= r->known; /* else it is lost, whatever was mounted since */
    if (!damaged)
        err = stretch_knows(r, r->pos.zone, r->pos.at, r->pos.seq, &damaged);
    if (!err && !damaged && r->pos.next != 0)
        err = stretch_knows(r, r->pos.next, 0, r->pos.seq, &damaged);
    if (!err && damaged)
        return bough_log__corrupt(l, "the log is damaged below what was acknowledged", r->pos.seq);
    return err;
}

/* ---- Past ---- */

/* Is the head there the one to go on with: behind the damage, and before what was found so far? */
static void past_offer(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, struct bough_log__frame *best)
{
    struct bough_log__frame f;

    if (bough_log__head_load(r->log, zone, at, &f) != BOUGH_OK || f.seq <= r->pos.seq ||
        (!bough_log__super_epoch_fits(r->newest, f.seq, f.epoch) && f.epoch <= r->epoch))
        return;
    if (best->seq == 0 || f.seq < best->seq)
        *best = f;
}

/* The first in this zone from `at` on. */
static void past_zone(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, struct bough_log__frame *best)
{
    uint64_t before = best->seq;

    for (; at < r->log->geo.zone && best->seq == before; at += r->log->geo.granule)
        past_offer(r, zone, at, best);
}

enum bough_err bough_log__replay_past(struct bough_log__replay *r)
{
    struct bough_log__frame best = {.seq = 0};

    past_zone(r, r->pos.zone, r->pos.at, &best);
    if (r->pos.next != 0)
        past_zone(r, r->pos.next, 0, &best);
    for (uint32_t zone = 2; zone < r->log->geo.zones; zone++) /* the frame that named it is lost */
        past_offer(r, zone, 0, &best);
    if (best.seq == 0)
        return BOUGH_ENOENT;
    r->pos = (struct bough_log__head){.seq = best.seq,
        .prev_crc = best.prev_crc,
        .segment = best.segment,
        .zone = best.zone,
        .at = best.at,
        .next = best.next_zone};
    return BOUGH_OK;
}
