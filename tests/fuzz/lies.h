/*
 * lies.h - a store's device, patched so that the lies hold together.
 *
 *   patch    {u16 unit, u16 place in it, u8 length, bytes}, one after another
 *   seal     checksums of superblocks, roots, frames, tables and bitmaps are made right again
 *            (docs/format.md), so that the lies reach what stands behind them
 *
 * Checksums of pack entries stay as they were: what lies within them is for other targets.
 */
#ifndef FUZZ_LIES_H
#define FUZZ_LIES_H

#include "base/hash.h"
#include "store/log/log.h"

enum { LIES_UNIT = 512, LIES_BLOCK = 4096 };

struct lies {
    const uint8_t *fresh; /* the device as it was */
    uint8_t *device;      /* as it is to be, a copy */
    size_t len, zone;
    size_t first, units; /* the patches lie among these */
};

static inline void lies_patch(const struct lies *l, const uint8_t *data, size_t size)
{
    while (size >= 5) {
        size_t at = (l->first + bough_get16le(data) % l->units) * LIES_UNIT;
        size_t in = bough_get16le(data + 2) % LIES_UNIT, n = data[4];

        data += 5;
        size -= 5;
        n = n < size ? n : size;
        n = n < LIES_UNIT - in ? n : LIES_UNIT - in;
        memcpy(l->device + at + in, data, n);
        data += n;
        size -= n;
    }
}

static inline void lies_frame(uint8_t *p, size_t room)
{
    uint64_t index = (uint64_t)96 + bough_get32le(p + 64), len = bough_get32le(p + 68);

    if (index <= room && len <= room - index)
        bough_put32le(p + 72, bough_crc32(0, p + index, (size_t)len));
    bough_put32le(p + 4, bough_crc32(0, p + 8, 88));
}

static inline void lies_super(const struct lies *l, uint8_t *p)
{
    uint64_t len = bough_get64le(p + 104);
    uint64_t at = (uint64_t)bough_get32le(p + 124) * l->zone + bough_get32le(p + 116);

    if (at <= l->len && len <= l->len - at)
        bough_put32le(p + 112, bough_crc32(0, l->device + at, (size_t)len));
    bough_put32le(p + 8, bough_crc32(0, p + 12, 500));
}

/* A block of a table that was whole before. */
static inline void lies_block(const struct lies *l, size_t at)
{
    const uint8_t *was = l->fresh + at;
    uint32_t kind = bough_get16le(l->device + at + 14);

    if (kind >= 1 && kind <= 4 && bough_get32le(was) != 0 &&
        bough_get32le(was) == bough_crc32(0, was + 4, LIES_BLOCK - 4))
        bough_put32le(l->device + at, bough_crc32(0, l->device + at + 4, LIES_BLOCK - 4));
}

/* The head of a region of bitmaps (SHA-1), whose run lies in one piece here: bitmaps, directory, head. */
static inline void lies_bitmaps(const struct lies *l, size_t at)
{
    uint8_t *p = l->device + at;
    uint64_t room = l->len - at, dir = bough_get64le(p + 56), len = bough_get32le(p + 64);

    for (uint64_t i = 0; dir <= room && len <= room - dir && i + 48 <= len; i += 48) {
        uint8_t *row = p + dir + i + 20;
        uint64_t from = bough_get64le(row), n = bough_get32le(row + 8);

        if (from <= dir && n <= dir - from)
            bough_put32le(row + 12, bough_crc32(0, p + from, (size_t)n));
    }
    if (dir <= room && len <= room - dir)
        bough_put32le(p + 68, bough_crc32(0, p + dir, (size_t)len));
    bough_put32le(p + 4, bough_crc32(0, p + 8, 88));
}

static inline void lies_seal(const struct lies *l)
{
    for (size_t at = 2 * l->zone; at < l->len; at += LIES_UNIT) {
        uint8_t *p = l->device + at;

        if (memcmp(p, "BgFr", 4) == 0)
            lies_frame(p, l->zone - at % l->zone);
        else if (memcmp(p, "BgBm", 4) == 0)
            lies_bitmaps(l, at);
        else if (at % LIES_BLOCK == 0)
            lies_block(l, at);
    }
    for (size_t at = 0; at < 2 * l->zone; at += LIES_UNIT) {
        if (memcmp(l->device + at, "BOUGH", 5) == 0)
            lies_super(l, l->device + at);
    }
}

#endif
