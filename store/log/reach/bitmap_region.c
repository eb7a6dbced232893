/*
 * bitmap_region.c - where bitmaps lie: behind a table's blocks, in its run; docs/format.md 18.
 *
 *   places      of the region
 *   head        what it begins with, written last
 *   directory   a row for each bitmap, by commit
 *   boundary    what it was when they were made
 *   reading     a bitmap in pieces
 */
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { MAGIC = 0x6d426742 }; /* "BgBm" */
enum {
    AT_CRC = 4,
    AT_DEVICE = 8,
    AT_TABLE = 24,
    AT_BLOCKS = 28,
    AT_ROWS = 32,
    AT_FLAGS = 40,
    AT_N = 44,
    AT_BOUNDARY_N = 48,
    AT_BOUNDARY_CRC = 52,
    AT_DIR = 56,
    AT_DIR_LEN = 64,
    AT_DIR_CRC = 68,
    AT_OBJECTS = 72,
};

/* ---- Places ---- */

size_t bough_log__places_len(const struct bough_log *l, const struct bough_log__table *t)
{
    uint64_t bits = (uint64_t)t->blocks * bough_log__rows_per_block(l);

    return (size_t)bough_log__up(bits / 8 + 1, BOUGH_LOG__CHUNK);
}

uint64_t bough_log__region_at(
    const struct bough_log *l, const struct bough_log__table *t, bool next)
{
    uint64_t end = t->run.start + (uint64_t)t->blocks * BOUGH_LOG__BLOCK;

    return bough_log__up(end, next ? l->geo.zone : l->geo.align) - t->run.start;
}

struct bough_log__table *bough_log__region_table(struct bough_log *l)
{
    struct bough_log__table *t = l->tables > 0 ? &l->table[0] : NULL;

    if (t == NULL || t->segment != 0 || t->run.n == 0 || t->blocks == 0 ||
        (uint64_t)t->blocks * bough_log__rows_per_block(l) >= UINT32_MAX)
        return NULL;
    return t;
}

/* ---- Head ---- */

void bough_log__bitmap_head_encode(const struct bough_log *l, const struct bough_log__table *t,
    const struct bough_log__bitmaps *b, uint8_t dst[BOUGH_LOG__BITMAP_HEAD])
{
    memset(dst, 0, BOUGH_LOG__BITMAP_HEAD);
    bough_put32le(dst, MAGIC);
    memcpy(dst + AT_DEVICE, l->geo.device, sizeof l->geo.device);
    bough_put32le(dst + AT_TABLE, t->number);
    bough_put32le(dst + AT_BLOCKS, t->blocks);
    bough_put64le(dst + AT_ROWS, t->rows);
    bough_put32le(dst + AT_FLAGS, b->flags);
    bough_put32le(dst + AT_N, b->n);
    bough_put32le(dst + AT_BOUNDARY_N, b->boundary_n);
    bough_put32le(dst + AT_BOUNDARY_CRC, b->boundary_crc);
    bough_put64le(dst + AT_DIR, b->dir_at);
    bough_put32le(dst + AT_DIR_LEN, b->dir_len);
    bough_put32le(dst + AT_DIR_CRC, b->dir_crc);
    bough_put64le(dst + AT_OBJECTS, b->objects);
    bough_put32le(
        dst + AT_CRC, bough_crc32(0, dst + AT_DEVICE, BOUGH_LOG__BITMAP_HEAD - AT_DEVICE));
}

/* BOUGH_ENOENT: no head of bitmaps of this table. */
static enum bough_err head_decode(const struct bough_log *l, const struct bough_log__table *t,
    const uint8_t src[BOUGH_LOG__BITMAP_HEAD], struct bough_log__bitmaps *out)
{
    if (bough_get32le(src) != MAGIC ||
        bough_get32le(src + AT_CRC) !=
            bough_crc32(0, src + AT_DEVICE, BOUGH_LOG__BITMAP_HEAD - AT_DEVICE) ||
        memcmp(src + AT_DEVICE, l->geo.device, sizeof l->geo.device) != 0 ||
        bough_get32le(src + AT_TABLE) != t->number || bough_get32le(src + AT_BLOCKS) != t->blocks ||
        bough_get64le(src + AT_ROWS) != t->rows)
        return BOUGH_ENOENT;
    out->flags = bough_get32le(src + AT_FLAGS);
    out->n = bough_get32le(src + AT_N);
    out->boundary_n = bough_get32le(src + AT_BOUNDARY_N);
    out->boundary_crc = bough_get32le(src + AT_BOUNDARY_CRC);
    out->dir_at = bough_get64le(src + AT_DIR);
    out->dir_len = bough_get32le(src + AT_DIR_LEN);
    out->dir_crc = bough_get32le(src + AT_DIR_CRC);
    out->objects = bough_get64le(src + AT_OBJECTS);
    return BOUGH_OK;
}

/* ---- Directory ---- */

static uint32_t dir_row_len(const struct bough_log *l)
{
    return l->geo.id_len + 28;
}

void bough_log__bitmap_dir_encode(
    const struct bough_log *l, const struct bough_log__bitmaps *b, struct bough_buf *out)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const struct bough_log__bitmap *m = &b->bitmap[i];

        bough_buf_put(out, m->commit.bytes, l->geo.id_len);
        bough_buf_put64le(out, m->at);
        bough_buf_put32le(out, m->len);
        bough_buf_put32le(out, m->crc);
        bough_buf_put32le(out, m->base);
        bough_buf_put64le(out, m->count);
    }
}

/* Rows ascend, bitmaps lie before the directory, and a base lies before what adds to it. */
static bool dir_row_fits(const struct bough_log__bitmaps *b, uint32_t i)
{
    const struct bough_log__bitmap *m = &b->bitmap[i];

    return m->at <= b->dir_at && m->len <= b->dir_at - m->at && m->base <= b->n &&
           m->base != i + 1 && (i == 0 || bough_oid_cmp(&b->bitmap[i - 1].commit, &m->commit) < 0);
}

static enum bough_err dir_decode(
    struct bough_log *l, struct bough_view in, struct bough_log__bitmaps *out)
{
    out->cap = out->n;
    out->bitmap = bough_mem_zalloc(l->mem, out->cap, sizeof *out->bitmap);
    if (out->bitmap == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i < out->n; i++) {
        const uint8_t *p = in.ptr + (size_t)i * dir_row_len(l), *q = p + l->geo.id_len;

        out->bitmap[i] = (struct bough_log__bitmap){.commit = bough_oid_raw(l->geo.algo, p),
            .at = bough_get64le(q),
            .len = bough_get32le(q + 8),
            .crc = bough_get32le(q + 12),
            .base = bough_get32le(q + 16),
            .count = bough_get64le(q + 20)};
        if (!dir_row_fits(out, i))
            return BOUGH_ECORRUPT;
    }
    for (uint32_t i = 0; i < out->n; i++) {
        const struct bough_log__bitmap *m = &out->bitmap[i];
        if (m->base > 0 && out->bitmap[m->base - 1].at >= m->at)
            return BOUGH_ECORRUPT;
    }
    return BOUGH_OK;
}

static enum bough_err head_find(
    struct bough_log *l, const struct bough_log__table *t, struct bough_log__bitmaps *out)
{
    uint8_t head[BOUGH_LOG__BITMAP_HEAD];
    enum bough_err err = BOUGH_ENOENT;

    for (int next = 0; next < 2 && err == BOUGH_ENOENT; next++) {
        out->region = bough_log__region_at(l, t, next);
        if (t->run.start + out->region + sizeof head > (uint64_t)t->run.n * l->geo.zone)
            return BOUGH_ENOENT;
        err = bough_log__run_read(l, &t->run, out->region, head, sizeof head);
        if (!err)
            err = head_decode(l, t, head, out);
    }
    return err;
}

enum bough_err bough_log__bitmaps_load(
    struct bough_log *l, const struct bough_log__table *t, struct bough_log__bitmaps *out)
{
    uint64_t room;
    struct bough_buf dir;
    enum bough_err err;

    *out = (struct bough_log__bitmaps){.bitmap = NULL};
    err = head_find(l, t, out);
    if (err)
        return err;
    room = (uint64_t)t->run.n * l->geo.zone - t->run.start - out->region;
    if (out->n == 0 || out->n > BOUGH_LOG__BITMAPS_MAX || out->dir_at > room ||
        out->dir_len > room - out->dir_at || out->dir_len != out->n * dir_row_len(l))
        return BOUGH_ECORRUPT;
    bough_buf_init(&dir, l->mem);
    if (bough_buf_room(&dir, out->dir_len) == NULL)
        err = dir.err;
    if (!err)
        err = bough_log__run_read(l, &t->run, out->region + out->dir_at, dir.ptr, out->dir_len);
    if (!err && bough_crc32(0, dir.ptr, out->dir_len) != out->dir_crc)
        err = BOUGH_ECORRUPT;
    if (!err)
        err = dir_decode(l, bough_view(dir.ptr, out->dir_len), out);
    bough_buf_fini(&dir);
    return err;
}

void bough_log__bitmaps_fini(struct bough_log *l, struct bough_log__bitmaps *b)
{
    bough_mem_free(l->mem, b->bitmap, b->cap * sizeof *b->bitmap);
    b->bitmap = NULL;
    b->n = 0;
    b->cap = 0;
}

uint32_t bough_log__bitmaps_find(const struct bough_log__bitmaps *b, const struct bough_oid *commit)
{
    uint32_t lo = 0, hi = b->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int cmp = bough_oid_cmp(&b->bitmap[mid].commit, commit);

        if (cmp == 0)
            return mid;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return b->n;
}

/* ---- Boundary ---- */

enum bough_err bough_log__boundary_sum(struct bough_log *l, uint32_t *n, uint32_t *crc)
{
    struct bough_oid id;
    enum bough_err err;

    *n = *crc = 0;
    if (l->store.boundary == BOUGH_BOUNDARY_NONE)
        return BOUGH_OK;
    err = bough_store_boundary_next(&l->store, NULL, &id);
    while (!err) {
        *crc = bough_crc32(*crc, id.bytes, l->geo.id_len);
        ++*n;
        err = bough_store_boundary_next(&l->store, &id, &id);
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Reading ---- */

/* As many bytes as a step takes, behind those that wait. */
static enum bough_err reader_fill(
    struct bough_log *l, const struct bough_log__table *t, struct bough_log__bitmap_reader *r)
{
    enum { PIECE = 64 * 1024 };
    uint64_t left = r->bitmap->len - r->read;
    size_t n = left < PIECE ? (size_t)left : PIECE;
    uint8_t *room = bough_buf_room(&r->left, n);
    uint64_t at = r->region + r->bitmap->at + r->read;
    enum bough_err err;

    if (n == 0)
        return BOUGH_OK;
    if (room == NULL)
        return r->left.err;
    err = r->out != NULL ? bough_log__out_read(r->out, at, room, n)
                         : bough_log__run_read(l, &t->run, at, room, n);
    if (err)
        return err;
    r->crc = bough_crc32(r->crc, room, n);
    r->left.len += n;
    r->read += n;
    return BOUGH_OK;
}

enum bough_err bough_log__bitmap_step(struct bough_log *l, const struct bough_log__table *t,
    struct bough_log__bitmap_reader *r, uint8_t *bits, size_t len)
{
    enum bough_err err = reader_fill(l, t, r);
    struct bough_view in = bough_buf_view(&r->left);
    bool last = r->read == r->bitmap->len;

    while (!err && in.len > 0 && (last || in.len >= BOUGH_LOG__CHUNK_MAX))
        err = bough_log__bits_decode(&in, bits, len, &r->at, &r->n);
    if (!err)
        bough_buf_shift(&r->left, r->left.len - in.len);
    if (err || !last)
        return err ? err : BOUGH_EAGAIN;
    return r->crc == r->bitmap->crc && r->n == r->bitmap->count ? BOUGH_OK : BOUGH_ECORRUPT;
}
