/*
 * entry.c - the head of a pack entry: type, size and base.
 *
 *   size_parse, back_parse   the two kinds of base-128 number
 *   bough_entry_head_parse
 *   bough_entry_head_write
 */
#include "git/entry.h"

enum { PACK_HEAD = 12 }; /* bytes before a pack's first entry */

/* Type and size; `*n` = bytes taken. */
static enum bough_err size_parse(struct bough_view src, size_t *n, struct bough_entry_head *e)
{
    unsigned shift = 4;
    uint8_t c;

    if (src.len == 0)
        return BOUGH_EAGAIN;
    c = src.ptr[0];
    *n = 1;
    e->type = (enum bough_type)(c >> 4 & 7);
    if (e->type == BOUGH_NONE || (int)e->type == 5)
        return BOUGH_EFORMAT;
    e->size = c & 15;
    while (c & 0x80) {
        if (*n == src.len)
            return BOUGH_EAGAIN;
        c = src.ptr[(*n)++];
        /* The tenth byte stands at bit 60 and has room for three bits. */
        if (shift > 60 || (shift == 60 && (c & 0x78) != 0))
            return BOUGH_EFORMAT;
        e->size |= (uint64_t)(c & 0x7f) << shift;
        shift += 7;
    }
    return BOUGH_OK;
}

/* The distance of an OFS delta; `*n` goes on by the bytes taken. */
static enum bough_err back_parse(struct bough_view src, size_t *n, uint64_t *back)
{
    uint64_t x = 0;
    uint8_t c;

    do {
        if (*n == src.len)
            return BOUGH_EAGAIN;
        c = src.ptr[(*n)++];
        if (x >= (uint64_t)1 << 55)
            return BOUGH_EFORMAT;
        x = x << 7 | (c & 0x7f);
        if (c & 0x80)
            x++;
    } while (c & 0x80);
    *back = x;
    return BOUGH_OK;
}

enum bough_err bough_entry_head_parse(
    enum bough_algo algo, uint64_t at, struct bough_view src, struct bough_entry_head *out)
{
    struct bough_entry_head e = {.type = BOUGH_NONE};
    enum bough_err err;
    size_t n = 0;

    err = size_parse(src, &n, &e);
    if (err)
        return err;
    if (e.type == BOUGH_OFS_DELTA) {
        err = back_parse(src, &n, &e.back);
        if (err)
            return err;
        if (e.back == 0 || at < PACK_HEAD || e.back > at - PACK_HEAD)
            return BOUGH_EFORMAT;
    } else if (e.type == BOUGH_REF_DELTA) {
        if (src.len - n < bough_algo_len(algo))
            return BOUGH_EAGAIN;
        e.base = bough_oid_raw(algo, src.ptr + n);
        n += bough_algo_len(algo);
    }
    e.head_len = (uint32_t)n;
    *out = e;
    return BOUGH_OK;
}

/* In the biased form each further digit counts from one: fill from the end. */
static uint32_t back_write(uint64_t back, uint8_t *dst)
{
    uint8_t tmp[10];
    size_t at = sizeof tmp;

    tmp[--at] = back & 0x7f;
    while (back >>= 7)
        tmp[--at] = (uint8_t)(0x80 | (--back & 0x7f));
    memcpy(dst, tmp + at, sizeof tmp - at);
    return (uint32_t)(sizeof tmp - at);
}

uint32_t bough_entry_head_write(
    enum bough_algo algo, const struct bough_entry_head *e, uint8_t dst[BOUGH_ENTRY_HEAD_MAX])
{
    uint64_t left = e->size >> 4;
    uint32_t n = 0;
    uint8_t c = (uint8_t)((unsigned)e->type << 4 | (e->size & 15));

    BOUGH_ASSERT(e->size >> 63 == 0);
    for (; left > 0; left >>= 7) {
        dst[n++] = c | 0x80;
        c = left & 0x7f;
    }
    dst[n++] = c;
    if (e->type == BOUGH_OFS_DELTA) {
        BOUGH_ASSERT(e->back > 0 && e->back >> 62 == 0);
        n += back_write(e->back, dst + n);
    } else if (e->type == BOUGH_REF_DELTA) {
        memcpy(dst + n, e->base.bytes, bough_algo_len(algo));
        n += bough_algo_len(algo);
    }
    return n;
}
