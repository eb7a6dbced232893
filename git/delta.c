/*
 * delta.c - Git's deltas, read, applied and built.
 *
 *   sizes      the header's numbers
 *   reader     one op at a time, each checked
 *   apply      whole results and ranges
 *   builder    joins copies and inserts, writes ops
 *
 * The finder is in delta_find.c.
 */
#include "git/delta.h"

enum {
    COPY_MAX = 0xffff,   /* bytes of a copy that we write: git's old readers stop there */
    COPY_ZERO = 0x10000, /* what a copy of size 0 means */
    INSERT_MAX = 127,
    COPY_OP_MAX = 8, /* bytes of the longest op without its literal */
};

static enum bough_err size_parse(struct bough_view *src, uint64_t *out)
{
    unsigned shift = 0;
    uint64_t x = 0;
    uint8_t c;

    do {
        if (src->len == 0)
            return BOUGH_EAGAIN;
        c = *src->ptr++;
        src->len--;
        if (shift > 56)
            return BOUGH_EFORMAT;
        x |= (uint64_t)(c & 0x7f) << shift;
        shift += 7;
    } while (c & 0x80);
    *out = x;
    return BOUGH_OK;
}

static void size_write(struct bough_buf *out, uint64_t x)
{
    for (; x > 0x7f; x >>= 7)
        bough_buf_put_u8(out, (uint8_t)(x | 0x80));
    bough_buf_put_u8(out, (uint8_t)x);
}

enum bough_err bough_delta_open(struct bough_delta_reader *r, struct bough_view delta)
{
    enum bough_err err;

    *r = (struct bough_delta_reader){.left = delta};
    err = size_parse(&r->left, &r->base_len);
    return err ? err : size_parse(&r->left, &r->result_len);
}

/* The operands of copy op `c`, which are known to be there. */
static struct bough_delta_op copy_parse(struct bough_view *left, uint8_t c)
{
    const uint8_t *p = left->ptr;
    uint32_t from = 0, len = 0;

    if (c & 0x01)
        from = *p++;
    if (c & 0x02)
        from |= (uint32_t)*p++ << 8;
    if (c & 0x04)
        from |= (uint32_t)*p++ << 16;
    if (c & 0x08)
        from |= (uint32_t)*p++ << 24;
    if (c & 0x10)
        len = *p++;
    if (c & 0x20)
        len |= (uint32_t)*p++ << 8;
    if (c & 0x40)
        len |= (uint32_t)*p++ << 16;
    left->len -= (size_t)(p - left->ptr);
    left->ptr = p;
    return (struct bough_delta_op){.copy = true, .from = from, .len = len ? len : COPY_ZERO};
}

static unsigned operand_count(uint8_t c)
{
    unsigned n = 0;

    for (c &= 0x7f; c != 0; c &= (uint8_t)(c - 1))
        n++;
    return n;
}

enum bough_err bough_delta_next(struct bough_delta_reader *r, struct bough_delta_op *out)
{
    struct bough_delta_op op;
    uint8_t c;

    if (r->left.len == 0)
        return r->at == r->result_len ? BOUGH_ENOENT : BOUGH_EFORMAT;
    c = *r->left.ptr++;
    r->left.len--;
    if (c & 0x80) {
        if (r->left.len < COPY_OP_MAX && r->left.len < operand_count(c))
            return BOUGH_EFORMAT;
        op = copy_parse(&r->left, c);
        if (op.len > r->base_len || op.from > r->base_len - op.len)
            return BOUGH_EFORMAT;
    } else {
        if (c == 0 || c > r->left.len)
            return BOUGH_EFORMAT;
        op = (struct bough_delta_op){.len = c, .literal = r->left.ptr};
        r->left.ptr += c;
        r->left.len -= c;
    }
    if (op.len > r->result_len - r->at)
        return BOUGH_EFORMAT;
    r->at += op.len;
    *out = op;
    return BOUGH_OK;
}

enum bough_err bough_delta_apply(
    struct bough_view base, struct bough_view delta, uint8_t *dst, uint64_t len)
{
    struct bough_delta_reader r;
    struct bough_delta_op op;
    enum bough_err err;

    err = bough_delta_open(&r, delta);
    if (err || r.base_len != base.len || r.result_len != len)
        return BOUGH_EFORMAT;
    while ((err = bough_delta_next(&r, &op)) == BOUGH_OK) {
        memcpy(dst, op.copy ? base.ptr + op.from : op.literal, (size_t)op.len);
        dst += op.len;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_delta_apply_range(
    struct bough_delta_base *base, struct bough_view delta, uint64_t at, uint8_t *dst, uint64_t n)
{
    struct bough_delta_reader r;
    struct bough_delta_op op;
    enum bough_err err;

    err = bough_delta_open(&r, delta);
    if (err || r.base_len != base->len)
        return BOUGH_EFORMAT;
    if (at > r.result_len || n > r.result_len - at)
        return BOUGH_ERANGE;
    while (n > 0) {
        uint64_t skip, take;

        err = bough_delta_next(&r, &op);
        if (err)
            return err == BOUGH_ENOENT ? BOUGH_EFORMAT : err;
        if (r.at <= at)
            continue;
        skip = at - (r.at - op.len);
        take = op.len - skip < n ? op.len - skip : n;
        if (op.copy)
            err = base->read(base, op.from + skip, dst, take);
        else
            memcpy(dst, op.literal + skip, (size_t)take);
        if (err)
            return err;
        dst += take;
        at += take;
        n -= take;
    }
    return BOUGH_OK;
}

void bough_delta_begin(
    struct bough_delta_builder *b, struct bough_buf *out, uint64_t base_len, uint64_t result_len)
{
    *b = (struct bough_delta_builder){.out = out, .base_len = base_len, .result_len = result_len};
    size_write(out, base_len);
    size_write(out, result_len);
}

/* One copy op of at most COPY_MAX bytes. */
static void copy_write(struct bough_buf *out, uint32_t from, uint32_t len)
{
    uint8_t op[COPY_OP_MAX];
    size_t n = 1;

    op[0] = 0x80;
    for (unsigned i = 0; i < 4; i++) {
        if (from >> 8 * i & 0xff) {
            op[0] |= (uint8_t)(0x01 << i);
            op[n++] = (uint8_t)(from >> 8 * i);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (len >> 8 * i & 0xff) {
            op[0] |= (uint8_t)(0x10 << i);
            op[n++] = (uint8_t)(len >> 8 * i);
        }
    }
    bough_buf_put(out, op, n);
}

static void copy_flush(struct bough_delta_builder *b)
{
    while (b->copy_len > 0) {
        uint32_t n = b->copy_len < COPY_MAX ? (uint32_t)b->copy_len : COPY_MAX;

        copy_write(b->out, (uint32_t)b->copy_from, n);
        b->copy_from += n;
        b->copy_len -= n;
    }
}

void bough_delta_copy(struct bough_delta_builder *b, uint64_t from, uint64_t len)
{
    BOUGH_ASSERT(len <= b->base_len && from <= b->base_len - len);
    if (len == 0)
        return;
    b->made += len;
    b->insert_len = 0;
    if (b->copy_len > 0 && b->copy_from + b->copy_len == from) {
        b->copy_len += len;
        return;
    }
    copy_flush(b);
    if (from + len > UINT32_MAX) { /* an op has 32 bits for the place */
        if (b->out->err == BOUGH_OK)
            b->out->err = BOUGH_ETOOBIG;
        return;
    }
    b->copy_from = from;
    b->copy_len = len;
}

void bough_delta_insert(struct bough_delta_builder *b, struct bough_view bytes)
{
    copy_flush(b);
    b->made += bytes.len;
    while (bytes.len > 0) {
        size_t room, n;

        if (b->insert_len == 0 || b->insert_len == INSERT_MAX) {
            b->insert_at = b->out->len;
            b->insert_len = 0;
            bough_buf_put_u8(b->out, 0);
        }
        room = INSERT_MAX - b->insert_len;
        n = bytes.len < room ? bytes.len : room;
        bough_buf_put(b->out, bytes.ptr, n);
        if (b->out->err)
            return;
        b->insert_len = (uint8_t)(b->insert_len + n);
        b->out->ptr[b->insert_at] = b->insert_len;
        bytes = bough_view(bytes.ptr + n, bytes.len - n);
    }
}

void bough_delta_end(struct bough_delta_builder *b)
{
    copy_flush(b);
    BOUGH_ASSERT(b->out->err || b->made == b->result_len);
}
