/*
 * scan.c - checkpoints that no superblock leads to, for who wants what is left of a store.
 *
 *   pieces   the whole device, read once
 *   roots    they say themselves what their store is like (docs/format.md 8)
 *   mounts   which epochs wrote frames, and from which sequence on
 *
 * Where superblocks are left they say which store it is and which mounts there were; only their
 * roots are damaged then.  Where none is, the store is that of the root written last.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"

enum { PIECE = 256 * 1024 };

struct scan {
    struct bough_block *dev;
    struct bough_log__supers *all; /* what is found goes here */
    bool known;                    /* it is known which store is looked for */
    uint32_t written;              /* when the newest root was, in seconds */
    uint64_t bytes;                /* of the device */
    uint8_t *piece, *other;        /* two pieces: what is gone through, what is looked at there */
};

/* ---- Pieces ---- */

/* `n` bytes into `dst`: of a stretch that cannot be read zeros. */
static void stretch_read(struct scan *s, uint64_t at, uint32_t n, uint8_t *dst)
{
    uint32_t unit = s->dev->unit;

    if (!bough_block_read(s->dev, at / unit, n / unit, dst))
        return;
    for (uint32_t i = 0; i < n; i += unit) {
        if (bough_block_read(s->dev, (at + i) / unit, 1, dst + i))
            memset(dst + i, 0, unit);
    }
}

/* Tell `fn` of what lies at every multiple of `step`, from `at` on. */
static void each_place(struct scan *s, uint64_t at, uint32_t step,
    void (*fn)(struct scan *s, uint64_t at, const uint8_t *bytes))
{
    while (at < s->bytes) {
        uint32_t n = s->bytes - at < PIECE ? (uint32_t)(s->bytes - at) : PIECE;

        stretch_read(s, at, n, s->piece);
        for (uint32_t i = 0; i < n && n - i >= BOUGH_UNIT_MIN; i += step)
            fn(s, at + i, s->piece + i);
        at += n;
    }
}

/* ---- Roots ---- */

/* The run of a root that begins at `at`: over zones that follow each other. */
static bool root_place(const struct scan *s, const struct bough_log__root_head *head, uint64_t at,
    struct bough_log__super *out)
{
    uint64_t zone = at / head->geo.zone, start = at % head->geo.zone;
    uint64_t zones = (start + head->len + head->geo.zone - 1) / head->geo.zone;

    if (zone < 2 || zones > BOUGH_LOG__ROOT_ZONES_MAX || head->len > s->bytes - at ||
        at % head->geo.align != 0 || at % s->dev->unit != 0)
        return false;
    *out = (struct bough_log__super){.checkpoint = head->number,
        .generation = head->number,
        .root_len = head->len,
        .root_start = (uint32_t)start,
        .root_zones = (uint32_t)zones};
    for (uint32_t i = 0; i < zones; i++)
        out->zone[i] = (uint32_t)zone + i;
    return true;
}

/* The crc that a superblock would have of it, if its own is right. */
static bool root_whole(struct scan *s, const struct bough_log__root_head *head, uint64_t at,
    struct bough_log__super *out)
{
    uint32_t own = 0, crc = 0;

    for (uint64_t done = 0; done < head->len; done += PIECE) {
        uint64_t left = head->len - done, room = s->bytes - at - done;
        uint32_t n = left < PIECE ? (uint32_t)left : PIECE;

        stretch_read(s, at + done, room < PIECE ? (uint32_t)room : PIECE, s->other);
        crc = bough_crc32(crc, s->other, n);
        if (done == 0)
            bough_log__root_head_blank(s->other);
        own = bough_crc32(own, s->other, n);
    }
    out->root_crc = crc;
    return own == head->crc;
}

/* Newest first; the oldest of too many goes. */
static void root_add(
    struct scan *s, const struct bough_log__super *root, const struct bough_log__geo *geo)
{
    struct bough_log__supers *all = s->all;
    uint32_t i = all->n;

    while (i > 0 && all->s[i - 1].checkpoint < root->checkpoint)
        i--;
    if (i == BOUGH_LOG__ALL_SLOTS)
        return;
    if (all->n == BOUGH_LOG__ALL_SLOTS)
        all->n--;
    memmove(&all->s[i + 1], &all->s[i], (all->n - i) * sizeof *root);
    all->s[i] = *root;
    all->n++;
    if (i == 0 && !s->known)
        all->geo = *geo; /* its size may have changed */
}

static void root_look(struct scan *s, uint64_t at, const uint8_t *bytes)
{
    struct bough_log__root_head head;
    struct bough_log__super root;

    if (!bough_log__root_head_decode(bytes, &head) ||
        (s->known && !bough_log__geo_same(&head.geo, &s->all->geo)))
        return;
    if (!root_place(s, &head, at, &root) || !root_whole(s, &head, at, &root))
        return;
    if (s->all->n > 0 && !bough_log__geo_same(&head.geo, &s->all->geo)) {
        if (head.written <= s->written)
            return; /* left over from another store */
        s->all->n = 0;
    }
    if (s->written < head.written)
        s->written = head.written;
    root_add(s, &root, &head.geo);
}

/* ---- Mounts ---- */

/* The newest mount's fields are those of the first superblock, the others are in `before`. */
static void frame_look(struct scan *s, uint64_t at, const uint8_t *bytes)
{
    const struct bough_log__geo *geo = &s->all->geo;
    struct bough_log__super *to = &s->all->s[0];
    uint64_t epoch, seq;
    struct bough_log__frame f;

    if (!bough_log__frame_begins(bytes) || bough_log__frame_decode(geo, (uint32_t)(at / geo->zone),
                                               (uint32_t)(at % geo->zone), bytes, &f))
        return;
    to->durable = f.durable_to > to->durable ? f.durable_to : to->durable;
    epoch = f.epoch;
    seq = f.seq;
    if (epoch > to->epoch || to->epoch == 0) {
        uint64_t was = to->epoch, was_seq = to->mount_seq;
        to->epoch = epoch;
        to->mount_seq = seq;
        epoch = was;
        seq = was_seq;
    } else if (epoch == to->epoch) {
        to->mount_seq = seq < to->mount_seq ? seq : to->mount_seq;
        return;
    }
    for (size_t i = 0; i < BOUGH_LOG__MOUNTS && epoch > 0; i++) {
        uint64_t was = to->before[i].epoch, was_seq = to->before[i].seq;
        if (epoch < was)
            continue;
        to->before[i].epoch = epoch;
        to->before[i].seq = epoch == was && was_seq < seq ? was_seq : seq;
        if (epoch == was)
            return;
        epoch = was;
        seq = was_seq;
    }
}

static void mounts_look(struct scan *s)
{
    struct bough_log__supers *all = s->all;
    uint64_t there = s->bytes / all->geo.zone;

    if (there > all->geo.zones) /* it may have grown since */
        all->geo.zones =
            there < BOUGH_LOG__ZONES_MAX ? (uint32_t)there : (uint32_t)BOUGH_LOG__ZONES_MAX;
    all->s[0].epoch = all->s[0].mount_seq = all->s[0].durable = 0;
    memset(all->s[0].before, 0, sizeof all->s[0].before);
    each_place(s, 2ull * all->geo.zone, all->geo.granule, frame_look);
}

static void scan(struct scan *s)
{
    struct bough_log__supers *all = s->all;
    struct bough_log__super newest = all->s[0];

    s->known = all->n > 0;
    all->n = 0;
    each_place(s, 0, BOUGH_LOG__BLOCK, root_look);
    if (all->n == 0)
        return;
    if (!s->known) {
        mounts_look(s);
        newest = all->s[0];
    }
    for (uint32_t i = 0; i < all->n; i++) {
        struct bough_log__super root = all->s[i];
        all->s[i] = newest;
        all->s[i].generation = root.generation;
        bough_log__super_root(&all->s[i], &root);
    }
}

enum bough_err bough_log__supers_scan(
    struct bough_block *dev, struct bough_mem *mem, struct bough_log__supers *all)
{
    struct scan s = {.dev = dev, .all = all, .bytes = dev->count * dev->unit};

    all->damaged = 0;
    s.piece = bough_mem_alloc(mem, 2 * PIECE);
    if (s.piece == NULL)
        return BOUGH_ENOMEM;
    s.other = s.piece + PIECE;
    scan(&s);
    bough_mem_free(mem, s.piece, 2 * PIECE);
    return all->n > 0 ? BOUGH_OK : BOUGH_ENOENT;
}
