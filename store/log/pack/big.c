/*
 * big.c - an object too large for a frame goes into a pack segment of its own.
 *
 *   stream     the pack's head and the entry, straight to the device
 *   tables     one row in each, and the checksums
 *   put        packed bytes that are there already, or a body that is stored
 *
 * The caller knows the object's id and made its bytes: nothing is checked again.  What the segment
 * holds is flushed before the last frame of the transaction is written.
 */
#include "git/entry.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/range_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

struct big {
    struct bough_log *log;
    struct bough_log__segment seg;
    struct bough_log__out out;
    struct bough_log__sums sums;
    struct bough_log__row row;
};

enum { PACK_HEAD = 12, STORED_BLOCK = 65535 };

/* ---- Stream ---- */

static enum bough_err big_begin(struct big *b, struct bough_log *l, const struct bough_oid *id)
{
    static const uint8_t head[PACK_HEAD] = {'P', 'A', 'C', 'K', 0, 0, 0, 2};
    enum bough_err err;

    *b = (struct big){.log = l, .seg = {.pack = true}, .row = {.id = *id, .where = PACK_HEAD}};
    bough_buf_init(&b->sums.done, l->mem);
    err = bough_log__out_init(&b->out, l, &b->seg.run, BOUGH_LOG__ZONE_PACK);
    b->out.reserve = l->txn.txn.urgent ? bough_log__need(l) : bough_log__reserve(l);
    b->out.sums = &b->sums;
    return err ? err : bough_log__out_put(&b->out, head, sizeof head);
}

static enum bough_err big_bytes(struct big *b, const void *src, size_t n)
{
    b->row.crc = bough_crc32(b->row.crc, src, n);
    return bough_log__out_put(&b->out, src, n);
}

/* A zlib stream of stored blocks, as bough_deflate() makes them. */
static enum bough_err big_stored(struct big *b, struct bough_view body)
{
    uint8_t head[2] = {0x78, 0x01}, tail[4];
    enum bough_err err = big_bytes(b, head, sizeof head);

    for (size_t at = 0; at < body.len && !err;) {
        size_t n = body.len - at < STORED_BLOCK ? body.len - at : STORED_BLOCK;
        uint8_t block[5] = {at + n == body.len};

        bough_put16le(block + 1, (uint16_t)n);
        bough_put16le(block + 3, (uint16_t)~n);
        err = big_bytes(b, block, sizeof block);
        if (!err)
            err = big_bytes(b, body.ptr + at, n);
        at += n;
    }
    bough_put32be(tail, bough_adler32(1, body.ptr, body.len));
    return err ? err : big_bytes(b, tail, sizeof tail);
}

/* ---- Tables ---- */

struct one_row {
    struct bough_log__row_source src;
    const struct bough_log__row *row; /* NULL: it was given */
};

static enum bough_err one_row_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct one_row *r = (struct one_row *)src; /* src is the first field */

    if (r->row == NULL)
        return BOUGH_ENOENT;
    *out = *r->row;
    r->row = NULL;
    return BOUGH_OK;
}

static enum bough_err reverse_write(struct big *b)
{
    struct bough_log *l = b->log;
    uint8_t *block = bough_mem_zalloc(l->mem, 1, BOUGH_LOG__BLOCK);
    uint8_t *row = block + BOUGH_LOG__BLOCK_HEAD;
    enum bough_err err;

    if (block == NULL)
        return BOUGH_ENOMEM;
    b->seg.reverse = (struct bough_log__table){
        .number = l->next_table++, .at = b->seg.run.len, .rows = 1, .blocks = 1};
    bough_put64le(row, PACK_HEAD);
    memcpy(row + 8, b->row.id.bytes, l->geo.id_len);
    bough_put32le(row + 8 + l->geo.id_len, b->row.crc);
    bough_log__block_seal(block, b->seg.reverse.number, 0, 1, BOUGH_LOG__BLOCK_REVERSE);
    err = bough_log__out_put(&b->out, block, BOUGH_LOG__BLOCK);
    bough_mem_free(l->mem, block, BOUGH_LOG__BLOCK);
    return err;
}

static enum bough_err big_tables(struct big *b)
{
    struct one_row rows = {{one_row_next}, &b->row};
    uint32_t align = b->log->geo.align;
    enum bough_err err;

    b->seg.pack_end = b->seg.run.len;
    b->seg.objects = 1;
    b->out.sums = NULL;
    err = bough_log__out_pad(&b->out, align);
    if (!err)
        err = reverse_write(b);
    b->out.sums = &b->sums;
    if (!err)
        err = bough_log__sums_write(&b->out, &b->seg);
    if (!err)
        err = bough_log__out_pad(&b->out, align);
    b->seg.oid.at = b->seg.run.len;
    if (!err)
        err = bough_log__table_write(&b->out, &rows.src, 1, &b->seg.oid);
    if (!err)
        err = bough_log__out_pad(&b->out, b->log->geo.granule);
    return err ? err : bough_log__out_flush(&b->out);
}

/* ---- Put ---- */

static void big_fini(struct big *b)
{
    for (uint32_t i = 0; i < b->seg.run.n; i++)
        bough_log__zone_drop(b->log, b->seg.run.zones[i]);
    bough_log__segment_fini(b->log, &b->seg);
    bough_log__out_fini(&b->out);
    bough_buf_fini(&b->sums.done);
}

static enum bough_err big_end(struct big *b, enum bough_err err)
{
    if (!err)
        err = big_tables(b);
    if (!err)
        err = bough_log__segment_adopt(b->log, &b->seg);
    big_fini(b);
    return err;
}

enum bough_err bough_log__big_put(
    struct bough_log *l, const struct bough_oid *id, struct bough_view entry)
{
    struct big b;
    enum bough_err err = big_begin(&b, l, id);

    b.row.whole = bough_log__stands_alone(entry.ptr[0]);
    return big_end(&b, err ? err : big_bytes(&b, entry.ptr, entry.len));
}

enum bough_err bough_log__big_put_stored(
    struct bough_log *l, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct bough_entry_head head = {.type = type, .size = body.len};
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    struct big b;
    enum bough_err err = big_begin(&b, l, id);

    b.row.whole = true;
    if (!err)
        err = big_bytes(&b, raw, bough_entry_head_write(l->geo.algo, &head, raw));
    return big_end(&b, err ? err : big_stored(&b, body));
}
