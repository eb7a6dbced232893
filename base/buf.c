/*
 * buf.c - see buf.h.
 *
 *   room      where a buffer grows and where its error begins
 *   appends   bytes, integers, numbers in text
 *   arena     blocks in a list, filled from the front
 */
#include "base/buf.h"

enum { BUF_FIRST = 64, ARENA_BLOCK = 4096, ARENA_ALIGN = 16 }; /* bytes */

/* Room. */

void bough_buf_init(struct bough_buf *b, struct bough_mem *mem)
{
    *b = (struct bough_buf){.mem = mem};
}

void bough_buf_fini(struct bough_buf *b)
{
    bough_mem_free(b->mem, b->ptr, b->cap);
    *b = (struct bough_buf){.mem = b->mem};
}

void bough_buf_clear(struct bough_buf *b)
{
    b->len = 0;
    b->err = BOUGH_OK;
}

static enum bough_err buf_grow(struct bough_buf *b, size_t need)
{
    size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;
    void *p;

    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (b->len_max > 0 && cap > b->len_max)
        cap = b->len_max;
    p = b->mem->resize(b->mem, b->ptr, b->cap, cap);
    if (p == NULL)
        return BOUGH_ENOMEM;
    b->ptr = (uint8_t *)p;
    b->cap = cap;
    return BOUGH_OK;
}

uint8_t *bough_buf_room(struct bough_buf *b, size_t n)
{
    if (b->err)
        return NULL;
    if (n > SIZE_MAX - b->len || (b->len_max > 0 && b->len + n > b->len_max))
        b->err = BOUGH_ETOOBIG;
    else if (b->ptr == NULL || b->len + n > b->cap)
        b->err = buf_grow(b, b->len + n);
    return b->err ? NULL : b->ptr + b->len;
}

void bough_buf_shift(struct bough_buf *b, size_t n)
{
    BOUGH_ASSERT(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->ptr, b->ptr + n, b->len);
}

/* Appends. */

static void buf_put_slow(struct bough_buf *b, const void *src, size_t n)
{
    uint8_t *p = bough_buf_room(b, n);

    if (p == NULL || n == 0)
        return;
    b->len += n;
    memcpy(p, src, n);
}

void bough_buf_put(struct bough_buf *b, const void *src, size_t n)
{
    size_t len = b->len;

    if (n == 0 || b->err || b->len_max > 0 || n > b->cap - len) {
        buf_put_slow(b, src, n);
        return;
    }
    b->len = len + n;
    memcpy(b->ptr + len, src, n);
}

void bough_buf_put_view(struct bough_buf *b, struct bough_view v)
{
    bough_buf_put(b, v.ptr, v.len);
}

void bough_buf_put_str(struct bough_buf *b, const char *str)
{
    bough_buf_put_view(b, bough_view_str(str));
}

void bough_buf_put_u8(struct bough_buf *b, uint8_t x)
{
    bough_buf_put(b, &x, 1);
}

void bough_buf_put_fill(struct bough_buf *b, uint8_t x, size_t n)
{
    uint8_t *p = bough_buf_room(b, n);

    if (p == NULL)
        return;
    memset(p, x, n);
    b->len += n;
}

void bough_buf_put32le(struct bough_buf *b, uint32_t x)
{
    uint8_t p[4];

    bough_put32le(p, x);
    bough_buf_put(b, p, sizeof p);
}

void bough_buf_put64le(struct bough_buf *b, uint64_t x)
{
    uint8_t p[8];

    bough_put64le(p, x);
    bough_buf_put(b, p, sizeof p);
}

void bough_buf_put32be(struct bough_buf *b, uint32_t x)
{
    uint8_t p[4];

    bough_put32be(p, x);
    bough_buf_put(b, p, sizeof p);
}

enum { DEC_MAX = 20 }; /* digits of 2^64 - 1; a sign and the digits of 2^63 take no more */

/* The digits of `x` from the end of `text` towards its beginning; where they begin. */
static size_t dec_digits(uint8_t text[DEC_MAX], uint64_t x)
{
    size_t at = DEC_MAX;

    do {
        text[--at] = (uint8_t)('0' + x % 10);
        x /= 10;
    } while (x > 0);
    return at;
}

void bough_buf_put_udec(struct bough_buf *b, uint64_t x)
{
    uint8_t text[DEC_MAX];
    size_t at = dec_digits(text, x);

    bough_buf_put(b, text + at, DEC_MAX - at);
}

void bough_buf_put_dec(struct bough_buf *b, int64_t x)
{
    uint8_t text[DEC_MAX];
    size_t at = dec_digits(text, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);

    if (x < 0)
        text[--at] = '-';
    bough_buf_put(b, text + at, DEC_MAX - at);
}

void bough_buf_put_hex(struct bough_buf *b, const void *src, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *from = (const uint8_t *)src;
    uint8_t *to;

    if (n > SIZE_MAX / 2) {
        b->err = BOUGH_ETOOBIG;
        return;
    }
    to = bough_buf_room(b, 2 * n);
    if (to == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        *to++ = (uint8_t)hex[from[i] >> 4];
        *to++ = (uint8_t)hex[from[i] & 15];
    }
    b->len += 2 * n;
}

/* Arena. */

struct bough_arena_block {
    struct bough_arena_block *next;
    size_t size; /* of the whole block, for its release */
    size_t at;   /* where the free bytes begin */
    size_t pad;  /* keeps the bytes after it aligned */
};

void bough_arena_init(struct bough_arena *a, struct bough_mem *mem)
{
    *a = (struct bough_arena){.mem = mem};
}

void bough_arena_fini(struct bough_arena *a)
{
    while (a->head != NULL) {
        struct bough_arena_block *b = a->head;
        a->head = b->next;
        bough_mem_free(a->mem, b, b->size);
    }
    a->used = 0;
}

/* A block of its own for a big piece goes behind the head, whose room is kept. */
static struct bough_arena_block *arena_block(struct bough_arena *a, size_t n)
{
    bool big = n > ARENA_BLOCK / 4;
    size_t size = big ? n + sizeof(struct bough_arena_block) : ARENA_BLOCK;
    struct bough_arena_block *b = (struct bough_arena_block *)bough_mem_alloc(a->mem, size);

    if (b == NULL)
        return NULL;
    b->size = size;
    b->at = sizeof *b;
    if (big && a->head != NULL) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return b;
}

void *bough_arena_alloc(struct bough_arena *a, size_t n)
{
    struct bough_arena_block *b = a->head;
    void *p;

    if (n > SIZE_MAX - ARENA_ALIGN - sizeof *b)
        return NULL;
    n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (n == 0)
        n = ARENA_ALIGN; /* every piece has an address of its own */
    if (a->limit > 0 && (n > a->limit || a->used > a->limit - n))
        return NULL;
    if (b == NULL || b->size - b->at < n)
        b = arena_block(a, n);
    if (b == NULL)
        return NULL;
    p = (uint8_t *)b + b->at;
    b->at += n;
    a->used += n;
    return p;
}

struct bough_view bough_arena_copy(struct bough_arena *a, struct bough_view v)
{
    static const uint8_t none[1];
    void *p;

    if (v.len == 0)
        return bough_view(none, 0);
    p = bough_arena_alloc(a, v.len);
    if (p == NULL)
        return bough_view(NULL, 0);
    memcpy(p, v.ptr, v.len);
    return bough_view(p, v.len);
}
