/*
 * whole.c - is what a frame names on the device as it was written?  For devices without flush,
 * where a frame may have settled before the segment or table that it names.
 *
 *   segments   every block of the tables, every entry, the pack stream's ends
 *   tables     every block
 */
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/table_inner.h"

/* BOUGH_ENOENT: no. */
static enum bough_err blocks_whole(
    struct bough_log *l, const struct bough_log__table *t, uint32_t kind)
{
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < t->blocks && !err; i++) {
        const uint8_t *block;
        uint32_t rows;
        err = bough_log__table_block(l, t, kind, i, &block, &rows);
    }
    return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
}

/* The digest behind the last entry, where the stream is as received; else its first bytes. */
static enum bough_err stream_whole(struct bough_log *l, const struct bough_log__segment *seg)
{
    enum { PIECE = 4096, HEAD = 12 };
    bool whole = seg->flags & BOUGH_LOG__PACK_WHOLE;
    uint64_t end = whole ? seg->pack_end : HEAD;
    uint8_t piece[PIECE], sum[BOUGH_DIGEST_MAX];
    struct bough_hash h;
    enum bough_err err = BOUGH_OK;

    bough_hash_init(&h, l->geo.algo);
    for (uint64_t at = 0; at < end && !err;) {
        size_t n = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;

        err = bough_log__run_read(l, &seg->run, at, piece, n);
        bough_hash_update(&h, piece, n);
        if (!err && at == 0 && (n < HEAD || memcmp(piece, "PACK", 4) != 0))
            err = BOUGH_ENOENT;
        at += n;
    }
    if (err || !whole)
        return err;
    bough_hash_final(&h, sum);
    err = bough_log__run_read(l, &seg->run, end, piece, l->geo.id_len);
    return err ? err : memcmp(piece, sum, l->geo.id_len) == 0 ? BOUGH_OK : BOUGH_ENOENT;
}

static enum bough_err entry_whole(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t no)
{
    enum { PIECE = 4096 };
    struct bough_log__reverse row;
    uint8_t piece[PIECE];
    uint32_t crc = 0;
    enum bough_err err = bough_log__reverse_get(l, seg, no, &row);

    for (uint64_t at = row.offset; !err && at < row.end;) {
        size_t n = row.end - at < sizeof piece ? (size_t)(row.end - at) : sizeof piece;

        err = bough_log__run_read(l, &seg->run, at, piece, n);
        crc = bough_crc32(crc, piece, n);
        at += n;
    }
    return err ? err : crc == row.crc ? BOUGH_OK : BOUGH_ENOENT;
}

enum bough_err bough_log__segment_whole(struct bough_log *l, struct bough_view body)
{
    struct bough_log__segment seg;
    enum bough_err err = bough_log__segment_decode(l, body, &seg);

    if (err)
        return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
    seg.reverse.segment = seg.oid.segment = seg.sums.segment =
        0; /* looked through, not one of the store's yet */
    l->through = &seg;
    err = blocks_whole(l, &seg.reverse, BOUGH_LOG__BLOCK_REVERSE);
    if (!err)
        err = blocks_whole(l, &seg.oid, BOUGH_LOG__BLOCK_OID);
    if (!err)
        err = blocks_whole(l, &seg.sums, BOUGH_LOG__BLOCK_SUMS);
    if (!err)
        err = stream_whole(l, &seg);
    for (uint64_t i = 0; i < seg.objects && !err; i++)
        err = entry_whole(l, &seg, i);
    l->through = NULL;
    bough_log__segment_fini(l, &seg);
    return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
}

enum bough_err bough_log__ahead_whole(struct bough_log *l, struct bough_view body)
{
    struct bough_log__table t;
    enum bough_err err;

    if (body.len < 8)
        return BOUGH_ENOENT;
    err = bough_log__table_decode(l, bough_view(body.ptr + 8, body.len - 8), &t);
    if (err)
        return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
    err = blocks_whole(l, &t, BOUGH_LOG__BLOCK_OID);
    bough_log__table_fini(l, &t);
    return err;
}
