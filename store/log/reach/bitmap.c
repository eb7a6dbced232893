/*
 * bitmap.c - bits as compressed bytes; docs/format.md 18.
 *
 * Chunks of 4,096 bits, each in the shorter of two forms: as they are, or the lengths of runs of
 * clear and set bits in turn; stretches of empty chunks are counted.  Places of rows come in the
 * order of ids, so the bits of a part of the objects look random, those of all of them do not.
 */
#include "store/log/reach_inner.h"

enum { CHUNK = BOUGH_LOG__CHUNK, BITS = CHUNK * 8, EMPTY = 0x8000, EMPTY_MAX = 0x7fff };

static uint64_t word_at(const uint8_t *p)
{
    return bough_get64le(p);
}

/* The bits that a chunk adds; how many. */
static uint32_t chunk_less(uint8_t out[CHUNK], const uint8_t *a, const uint8_t *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < CHUNK; i += 8) {
        uint64_t x = word_at(a + i) & ~word_at(b + i);
        bough_put64le(out + i, x);
        n += bough_log__bits_ones(x);
    }
    return n;
}

/* How many bits from `from` on are alike? */
static uint32_t run_len(const uint8_t chunk[CHUNK], uint32_t from)
{
    uint32_t i = from;
    uint64_t flip = bough_log__bit(chunk, from) ? UINT64_MAX : 0;

    while (i < BITS) {
        uint64_t x = (word_at(chunk + i / 64 * 8) ^ flip) >> i % 64;
        if (x != 0) {
            i += (uint32_t)__builtin_ctzll(x);
            break;
        }
        i = (i / 64 + 1) * 64;
    }
    return (i < BITS ? i : BITS) - from;
}

static size_t varint(uint8_t *dst, uint32_t x)
{
    if (x < 128) {
        dst[0] = (uint8_t)x;
        return 1;
    }
    dst[0] = (uint8_t)(x & 127) | 128;
    dst[1] = (uint8_t)(x >> 7);
    return 2;
}

/* As runs, beginning with clear bits; 0: they are no shorter. */
static size_t runs_encode(uint8_t dst[CHUNK + 4], const uint8_t chunk[CHUNK])
{
    size_t len = 0;
    uint32_t at = 0;

    if (bough_log__bit(chunk, 0))
        dst[len++] = 0;
    while (at < BITS) {
        uint32_t n = run_len(chunk, at);
        if (at + n == BITS && !bough_log__bit(chunk, at))
            break; /* the rest is clear */
        len += varint(dst + len, n);
        if (len >= CHUNK)
            return 0;
        at += n;
    }
    return len;
}

static void put16(struct bough_buf *b, uint32_t x)
{
    bough_buf_put_u8(b, (uint8_t)x);
    bough_buf_put_u8(b, (uint8_t)(x >> 8));
}

uint64_t bough_log__bits_encode(
    struct bough_buf *out, const uint8_t *a, const uint8_t *b, size_t len, size_t *at)
{
    uint8_t chunk[CHUNK], runs[CHUNK + 4];
    uint32_t empty = 0, n = 0;
    size_t used;

    while (*at < len && empty < EMPTY_MAX) {
        n = chunk_less(chunk, a + *at, b + *at);
        if (n > 0)
            break;
        *at += CHUNK;
        empty++;
    }
    if (n == 0) {
        if (*at < len) /* else nothing follows */
            put16(out, EMPTY | empty);
        return 0;
    }
    if (empty > 0)
        put16(out, EMPTY | empty);
    used = runs_encode(runs, chunk);
    put16(out, used > 0 ? (uint32_t)used : CHUNK);
    bough_buf_put(out, used > 0 ? runs : chunk, used > 0 ? used : CHUNK);
    *at += CHUNK;
    return n;
}

static void bits_fill(uint8_t *bits, uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < from + n; i++)
        bough_log__bit_set(bits, i);
}

static enum bough_err runs_decode(struct bough_view in, uint8_t *bits, uint64_t *n)
{
    uint32_t at = 0;
    bool set = false;

    for (size_t i = 0; i < in.len; set = !set) {
        uint32_t x = in.ptr[i++];
        if (x >= 128) {
            if (i == in.len)
                return BOUGH_ECORRUPT;
            x = (x & 127) | (uint32_t)in.ptr[i++] << 7;
        }
        if (x > BITS - at)
            return BOUGH_ECORRUPT;
        if (set) {
            bits_fill(bits, at, x);
            *n += x;
        }
        at += x;
    }
    return BOUGH_OK;
}

enum bough_err bough_log__bits_decode(
    struct bough_view *in, uint8_t *bits, size_t len, size_t *at, uint64_t *n)
{
    uint32_t head;
    struct bough_view body;
    enum bough_err err = BOUGH_OK;

    if (in->len == 0)
        return BOUGH_ENOENT;
    if (in->len < 2)
        return BOUGH_ECORRUPT;
    head = bough_get16le(in->ptr);
    if (head & EMPTY) {
        head = (head & EMPTY_MAX) * CHUNK;
        *in = bough_view(in->ptr + 2, in->len - 2);
        if (head > len - *at)
            return BOUGH_ECORRUPT;
        *at += head;
        return BOUGH_OK;
    }
    if (head == 0 || head > CHUNK || head > in->len - 2 || len - *at < CHUNK)
        return BOUGH_ECORRUPT;
    body = bough_view(in->ptr + 2, head);
    if (head < CHUNK)
        err = runs_decode(body, bits + *at, n);
    for (uint32_t i = 0; head == CHUNK && i < CHUNK; i += 8) {
        uint64_t x = word_at(body.ptr + i);
        bough_put64le(bits + *at + i, word_at(bits + *at + i) | x);
        *n += bough_log__bits_ones(x);
    }
    *at += CHUNK;
    *in = bough_view(in->ptr + 2 + head, in->len - 2 - head);
    return err;
}
