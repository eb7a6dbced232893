/*
 * frame.c - frame heads and items as bytes; docs/format.md 4 and 5.
 *
 *   heads     encode, decode
 *   items     walk, append
 *   fields    read one after another, checked once
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"

enum { MAGIC = 0x72466742 }; /* "BgFr" */

enum {
    AT_CRC = 4,
    AT_DEVICE = 8,
    AT_EPOCH = 24,
    AT_SEQ = 32,
    AT_DURABLE = 40,
    AT_PREV = 48,
    AT_FLAGS = 52,
    AT_SEGMENT = 56,
    AT_NEXT = 60,
    AT_DATA_LEN = 64,
    AT_INDEX_LEN = 68,
    AT_INDEX_CRC = 72,
    AT_ITEMS = 76,
    AT_ZONE = 80,
    AT_PLACE = 84,
    AT_TIME = 88,
};

static uint32_t head_crc(const uint8_t *head)
{
    return bough_crc32(0, head + AT_DEVICE, BOUGH_LOG__FRAME_HEAD - AT_DEVICE);
}

void bough_log__frame_encode(const struct bough_log__geo *geo, struct bough_log__frame *f,
    uint8_t dst[BOUGH_LOG__FRAME_HEAD])
{
    memset(dst, 0, BOUGH_LOG__FRAME_HEAD);
    bough_put32le(dst, MAGIC);
    memcpy(dst + AT_DEVICE, geo->device, sizeof geo->device);
    bough_put64le(dst + AT_EPOCH, f->epoch);
    bough_put64le(dst + AT_SEQ, f->seq);
    bough_put64le(dst + AT_DURABLE, f->durable_to);
    bough_put32le(dst + AT_PREV, f->prev_crc);
    bough_put32le(dst + AT_FLAGS, f->flags);
    bough_put32le(dst + AT_SEGMENT, f->segment);
    bough_put32le(dst + AT_NEXT, f->next_zone);
    bough_put32le(dst + AT_DATA_LEN, f->data_len);
    bough_put32le(dst + AT_INDEX_LEN, f->index_len);
    bough_put32le(dst + AT_INDEX_CRC, f->index_crc);
    bough_put32le(dst + AT_ITEMS, f->items);
    bough_put32le(dst + AT_ZONE, f->zone);
    bough_put32le(dst + AT_PLACE, f->at);
    bough_put64le(dst + AT_TIME, f->time);
    f->crc = head_crc(dst);
    bough_put32le(dst + AT_CRC, f->crc);
}

bool bough_log__frame_begins(const uint8_t *src)
{
    return bough_get32le(src) == MAGIC;
}

enum bough_err bough_log__frame_decode(const struct bough_log__geo *geo, uint32_t zone, uint32_t at,
    const uint8_t src[BOUGH_LOG__FRAME_HEAD], struct bough_log__frame *out)
{
    struct bough_log__frame *f = out;
    uint64_t len;

    if (bough_get32le(src) != MAGIC || bough_get32le(src + AT_CRC) != head_crc(src) ||
        memcmp(src + AT_DEVICE, geo->device, sizeof geo->device) != 0)
        return BOUGH_ENOENT;
    f->crc = bough_get32le(src + AT_CRC);
    f->epoch = bough_get64le(src + AT_EPOCH);
    f->seq = bough_get64le(src + AT_SEQ);
    f->durable_to = bough_get64le(src + AT_DURABLE);
    f->prev_crc = bough_get32le(src + AT_PREV);
    f->flags = bough_get32le(src + AT_FLAGS);
    f->segment = bough_get32le(src + AT_SEGMENT);
    f->next_zone = bough_get32le(src + AT_NEXT);
    f->data_len = bough_get32le(src + AT_DATA_LEN);
    f->index_len = bough_get32le(src + AT_INDEX_LEN);
    f->index_crc = bough_get32le(src + AT_INDEX_CRC);
    f->items = bough_get32le(src + AT_ITEMS);
    f->zone = bough_get32le(src + AT_ZONE);
    f->at = bough_get32le(src + AT_PLACE);
    f->time = bough_get64le(src + AT_TIME);
    len = (uint64_t)BOUGH_LOG__FRAME_HEAD + f->data_len + f->index_len;
    if (f->zone != zone || f->at != at || len > geo->frame_max || len > geo->zone - at)
        return BOUGH_ENOENT;
    if (f->segment == 0 || f->segment > BOUGH_LOG__SEGMENT_MAX || f->next_zone >= geo->zones)
        return BOUGH_ENOENT;
    return BOUGH_OK;
}

/* ---- Items ---- */

enum { ITEM_MAX = 0xffffff };

enum bough_err bough_log__item_next(
    struct bough_log__items *it, uint32_t *kind, struct bough_view *body)
{
    uint32_t head, len;

    if (it->left.len == 0)
        return BOUGH_ENOENT;
    if (it->left.len < BOUGH_LOG__ITEM_HEAD)
        return BOUGH_ECORRUPT;
    head = bough_get32le(it->left.ptr);
    len = head >> 8;
    if (len > it->left.len - BOUGH_LOG__ITEM_HEAD)
        return BOUGH_ECORRUPT;
    *kind = head & 0xff;
    *body = bough_view(it->left.ptr + BOUGH_LOG__ITEM_HEAD, len);
    it->left = bough_view(
        it->left.ptr + BOUGH_LOG__ITEM_HEAD + len, it->left.len - BOUGH_LOG__ITEM_HEAD - len);
    return BOUGH_OK;
}

size_t bough_log__item_begin(struct bough_buf *b, enum bough_log__kind kind)
{
    size_t at = b->len;

    bough_buf_put32le(b, (uint32_t)kind);
    return at;
}

void bough_log__item_end(struct bough_buf *b, size_t at)
{
    size_t len = b->len - at - BOUGH_LOG__ITEM_HEAD;

    if (b->err)
        return;
    if (len > ITEM_MAX) {
        b->err = BOUGH_ETOOBIG;
        return;
    }
    bough_put32le(b->ptr + at, (uint32_t)len << 8 | b->ptr[at]);
}

/* ---- Fields ---- */

uint64_t bough_log__get(struct bough_log__fields *f, uint32_t bytes)
{
    struct bough_view v = bough_log__get_view(f, bytes);
    uint64_t x = 0;

    for (size_t i = v.len; i > 0; i--)
        x = x << 8 | v.ptr[i - 1];
    return x;
}

struct bough_view bough_log__get_view(struct bough_log__fields *f, uint64_t len)
{
    struct bough_view v;

    if (len > f->left.len) {
        f->bad = true;
        f->left.len = 0;
        return bough_view(NULL, 0);
    }
    v = bough_view(f->left.ptr, (size_t)len);
    if (len > 0)
        f->left = bough_view(f->left.ptr + len, f->left.len - (size_t)len);
    return v;
}

struct bough_oid bough_log__get_id(struct bough_log__fields *f, enum bough_algo algo)
{
    struct bough_view v = bough_log__get_view(f, bough_algo_len(algo));
    struct bough_oid none = {{0}};

    return v.len == 0 ? none : bough_oid_raw(algo, v.ptr);
}
