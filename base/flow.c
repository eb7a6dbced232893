/*
 * flow.c - see flow.h.
 *
 *   calls     check and dispatch
 *   ready-made ones: over a view, into a buffer
 */
#include "base/flow.h"

/* Calls. */

enum bough_err bough_source_peek(struct bough_source *src, struct bough_view *out)
{
    return src->cls->peek(src, out);
}

void bough_source_skip(struct bough_source *src, size_t n)
{
    if (n > 0)
        src->cls->skip(src, n);
}

enum bough_err bough_source_read(struct bough_source *src, void *dst, size_t n)
{
    uint8_t *to = (uint8_t *)dst;

    while (n > 0) {
        struct bough_view v;
        enum bough_err err = bough_source_peek(src, &v);

        if (err)
            return err;
        if (v.len == 0)
            return BOUGH_EFORMAT;
        if (v.len > n)
            v.len = n;
        memcpy(to, v.ptr, v.len);
        bough_source_skip(src, v.len);
        to += v.len;
        n -= v.len;
    }
    return BOUGH_OK;
}

enum bough_err bough_sink_put(struct bough_sink *sink, struct bough_view bytes)
{
    if (bytes.len == 0)
        return BOUGH_OK;
    return sink->cls->put(sink, bytes);
}

enum bough_err bough_sink_end(struct bough_sink *sink)
{
    if (sink->cls->end == NULL)
        return BOUGH_OK;
    return sink->cls->end(sink);
}

/* A source over bytes in memory. */

static enum bough_err view_peek(struct bough_source *src, struct bough_view *out)
{
    *out = ((struct bough_source_view *)src)->left;
    return BOUGH_OK;
}

static void view_skip(struct bough_source *src, size_t n)
{
    struct bough_source_view *s = (struct bough_source_view *)src;

    BOUGH_ASSERT(n <= s->left.len);
    s->left = bough_view(s->left.ptr + n, s->left.len - n);
}

static const struct bough_source_class view_class = {
    .name = "view",
    .peek = view_peek,
    .skip = view_skip,
};

void bough_source_view_init(struct bough_source_view *s, struct bough_view bytes)
{
    *s = (struct bough_source_view){.src = {&view_class}, .left = bytes};
}

/* A sink into a buffer. */

static enum bough_err buf_put(struct bough_sink *sink, struct bough_view bytes)
{
    struct bough_buf *b = ((struct bough_sink_buf *)sink)->buf;

    bough_buf_put_view(b, bytes);
    return b->err;
}

static const struct bough_sink_class buf_class = {
    .name = "buf",
    .put = buf_put,
};

void bough_sink_buf_init(struct bough_sink_buf *s, struct bough_buf *buf)
{
    *s = (struct bough_sink_buf){.sink = {&buf_class}, .buf = buf};
}
