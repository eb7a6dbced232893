/*
 * sums.c - checksums of a pack segment's stretches: what lies in it can be read by range.
 *
 *   making     while the stream is written
 *   writing    blocks behind the reverse table
 *   reading    bytes of a segment, each stretch of them checked
 *
 * An entry's own checksum is of all of it: who wants a part would have to read the whole.
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum {
    STRETCH = BOUGH_LOG__BLOCK, /* bytes; they begin where blocks of the device do */
    PER_BLOCK = (BOUGH_LOG__BLOCK - BOUGH_LOG__BLOCK_HEAD) / 4,
    STRAIGHT = 16 * 1024, /* bytes from which a read passes the pages by */
};

/* ---- Making ---- */

void bough_log__sums_put(struct bough_log__sums *s, uint64_t at, const void *src, size_t n)
{
    const uint8_t *p = src;

    while (n > 0) {
        size_t k = STRETCH - (size_t)(at % STRETCH);

        k = n < k ? n : k;
        s->now = bough_crc32(s->now, p, k);
        at += k;
        p += k;
        n -= k;
        if (at % STRETCH == 0) {
            bough_buf_put32le(&s->done, s->now);
            s->now = 0;
        }
    }
}

/* ---- Writing ---- */

enum bough_err bough_log__sums_write(struct bough_log__out *out, struct bough_log__segment *seg)
{
    struct bough_log__sums *s = out->sums;
    struct bough_log *l = out->log;
    size_t n;
    uint8_t *block;
    enum bough_err err;

    if (seg->pack_end % STRETCH != 0)
        bough_buf_put32le(&s->done, s->now);
    out->sums = NULL;
    n = s->done.len / 4;
    if (s->done.err || seg->pack_end < BOUGH_LOG__SUMS_MIN)
        return s->done.err;
    block = bough_mem_zalloc(l->mem, 1, BOUGH_LOG__BLOCK);
    if (block == NULL)
        return BOUGH_ENOMEM;
    err = bough_log__out_pad(out, l->geo.align);
    seg->flags |= BOUGH_LOG__PACK_SUMS;
    seg->sums = (struct bough_log__table){
        .number = seg->reverse.number, .segment = seg->reverse.segment, .at = seg->run.len};
    for (size_t at = 0; at < n && !err; at += PER_BLOCK) {
        size_t rows = n - at < PER_BLOCK ? n - at : PER_BLOCK;

        memset(block, 0, BOUGH_LOG__BLOCK);
        memcpy(block + BOUGH_LOG__BLOCK_HEAD, s->done.ptr + 4 * at, 4 * rows);
        bough_log__block_seal(
            block, seg->sums.number, seg->sums.blocks++, (uint32_t)rows, BOUGH_LOG__BLOCK_SUMS);
        err = bough_log__out_put(out, block, BOUGH_LOG__BLOCK);
    }
    bough_mem_free(l->mem, block, BOUGH_LOG__BLOCK);
    return err;
}

uint64_t bough_log__sums_blocks(uint64_t pack_end)
{
    return ((pack_end + STRETCH - 1) / STRETCH + PER_BLOCK - 1) / PER_BLOCK;
}

/* ---- Reading ---- */

static enum bough_err sum_get(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t no, uint32_t *out)
{
    const uint8_t *block;
    uint32_t rows;
    enum bough_err err = bough_log__table_block(
        l, &seg->sums, BOUGH_LOG__BLOCK_SUMS, (uint32_t)(no / PER_BLOCK), &block, &rows);

    if (!err && no % PER_BLOCK >= rows)
        err = bough_log__corrupt(l, "a table of checksums is too short", no);
    if (!err)
        *out = bough_get32le(block + BOUGH_LOG__BLOCK_HEAD + 4 * (no % PER_BLOCK));
    return err;
}

static size_t stretch_len(const struct bough_log__segment *seg, uint64_t no)
{
    uint64_t left = seg->pack_end - no * STRETCH;

    return left < STRETCH ? (size_t)left : STRETCH;
}

static enum bough_err stretch_check(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t no, const uint8_t *bytes)
{
    uint32_t sum;
    enum bough_err err = sum_get(l, seg, no, &sum);

    if (!err && bough_crc32(0, bytes, stretch_len(seg, no)) != sum)
        err = bough_log__corrupt(l, "a stretch of a segment is damaged", no * STRETCH);
    return err;
}

/* The page that a stretch lies on, whose bit says that it was found whole. */
static enum bough_err stretch_page(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t no, struct bough_view *out)
{
    uint64_t dev = 0, left;
    uint32_t *checked, bit, sum;
    enum bough_err err = bough_log__run_at(l, &seg->run, no * STRETCH, &dev, &left);

    bit = 1u << dev % l->pages.size / BOUGH_LOG__BLOCK;
    if (!err)
        err = bough_log__page(l, dev, out, &checked);
    if (err || (*checked & bit))
        return err;
    err = sum_get(l, seg, no, &sum); /* its page may take the place of the other */
    if (!err)
        err = bough_log__page(l, dev, out, &checked);
    if (!err && bough_crc32(0, out->ptr, stretch_len(seg, no)) != sum)
        err = bough_log__corrupt(l, "a stretch of a segment is damaged", no * STRETCH);
    if (!err)
        *checked |= bit;
    return err;
}

enum bough_err bough_log__segment_read_sure(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, void *dst, size_t n)
{
    uint8_t *to = dst;

    if (seg->sums.blocks == 0)
        return bough_log__segment_read(l, seg, at, dst, n);
    if (at > seg->pack_end || n > seg->pack_end - at)
        return bough_log__corrupt(l, "an entry leaves its segment", at);
    while (n > 0) {
        uint64_t no = at / STRETCH;
        size_t skip = (size_t)(at % STRETCH), k;
        struct bough_view page;
        enum bough_err err;

        if (skip == 0 && n >= STRAIGHT) {
            k = n / STRETCH * STRETCH;
            err = bough_log__segment_read(l, seg, at, to, k);
            for (size_t i = 0; i < k / STRETCH && !err; i++)
                err = stretch_check(l, seg, no + i, to + i * STRETCH);
        } else {
            k = stretch_len(seg, no) - skip;
            k = n < k ? n : k;
            err = stretch_page(l, seg, no, &page);
            if (!err)
                memcpy(to, page.ptr + skip, k);
        }
        if (err)
            return err;
        at += k;
        to += k;
        n -= k;
    }
    return BOUGH_OK;
}
