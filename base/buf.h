/*
 * buf.h - growing bytes with a sticky error, and an arena.
 *
 *   struct bough_buf     append twenty fields, check once
 *   struct bough_arena   many small things that die together
 */
#ifndef BOUGH_BUF_H
#define BOUGH_BUF_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Bytes that grow.  After the first failed append `err` stays set, further
 * appends do nothing, and what was appended before is still there.
 */
struct bough_buf {
    struct bough_mem *mem;
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t len_max; /* appending beyond is BOUGH_ETOOBIG; 0: no limit */
    enum bough_err err;
};

/* An empty buffer on `mem` (borrowed until fini). */
void bough_buf_init(struct bough_buf *b, struct bough_mem *mem);

/* Release the bytes; the buffer is as after init. */
void bough_buf_fini(struct bough_buf *b);

/* Forget the bytes and the error, keep the room. */
void bough_buf_clear(struct bough_buf *b);

/* Append. */
void bough_buf_put(struct bough_buf *b, const void *src, size_t n);
void bough_buf_put_view(struct bough_buf *b, struct bough_view v);
void bough_buf_put_str(struct bough_buf *b, const char *str);
void bough_buf_put_u8(struct bough_buf *b, uint8_t x);
void bough_buf_put_fill(struct bough_buf *b, uint8_t x, size_t n);
void bough_buf_put32le(struct bough_buf *b, uint32_t x);
void bough_buf_put64le(struct bough_buf *b, uint64_t x);
void bough_buf_put32be(struct bough_buf *b, uint32_t x);
void bough_buf_put_dec(struct bough_buf *b, int64_t x);
void bough_buf_put_udec(struct bough_buf *b, uint64_t x);
void bough_buf_put_hex(struct bough_buf *b, const void *src, size_t n);

/* Room for `n` more bytes at the end, to be filled by the caller who then adds to `len`; NULL on error. */
uint8_t *bough_buf_room(struct bough_buf *b, size_t n);

/* Drop the first `n` bytes (n <= len). */
void bough_buf_shift(struct bough_buf *b, size_t n);

static inline struct bough_view bough_buf_view(const struct bough_buf *b)
{
    return bough_view(b->ptr, b->len);
}

/* Many small allocations, released at once. */
struct bough_arena {
    struct bough_mem *mem;
    struct bough_arena_block *head;
    size_t used;  /* bytes handed out */
    size_t limit; /* most bytes handed out; 0: no limit */
};

void bough_arena_init(struct bough_arena *a, struct bough_mem *mem);
void bough_arena_fini(struct bough_arena *a); /* releases everything handed out */

/* `n` bytes, aligned for any type, not cleared, good until fini; NULL when there is no memory. */
void *bough_arena_alloc(struct bough_arena *a, size_t n);

/* A copy of `v`; its ptr is NULL when there is no memory (never for len 0). */
struct bough_view bough_arena_copy(struct bough_arena *a, struct bough_view v);

#ifdef __cplusplus
}
#endif

#endif
