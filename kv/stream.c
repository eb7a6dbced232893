/*
 * stream.c - a value whose size is not known before.
 *
 * Its beginning is collected: most values end there and are set as any other.  What goes on is
 * given to a driver that keeps blobs as it comes; for others it is collected to its end.
 */
#include "kv/inner.h"

/* What was collected, then what is left. */
struct rejoined {
    struct bough_source src;
    struct bough_view first;
    struct bough_source *rest;
};

static enum bough_err rejoined_peek(struct bough_source *src, struct bough_view *out)
{
    struct rejoined *r = (struct rejoined *)src; /* src is the first field */

    *out = r->first;
    return r->first.len > 0 ? BOUGH_OK : bough_source_peek(r->rest, out);
}

static void rejoined_skip(struct bough_source *src, size_t n)
{
    struct rejoined *r = (struct rejoined *)src;

    if (r->first.len == 0)
        bough_source_skip(r->rest, n);
    else
        r->first = bough_view(r->first.ptr + n, r->first.len - n);
}

static const struct bough_source_class rejoined_class = {"rejoined", rejoined_peek, rejoined_skip};

/* Up to `most` bytes, or a little more; `*end`: that was all. */
static enum bough_err collect(
    struct bough_source *src, size_t most, struct bough_buf *out, bool *end)
{
    *end = false;
    while (out->len <= most && !*end) {
        struct bough_view piece;
        enum bough_err err = bough_source_peek(src, &piece);

        if (!err)
            bough_buf_put_view(out, piece);
        if (err || out->err)
            return err ? err : out->err;
        bough_source_skip(src, piece.len);
        *end = piece.len == 0;
    }
    return BOUGH_OK;
}

enum bough_err bough_kv__stream_unknown(struct bough_kv *kv, struct bough_view key,
    struct bough_source *src, const struct bough_set_opts *opts)
{
    bool blobs = (kv->caps & BOUGH_KV_HISTORY) != 0, end;
    struct rejoined r = {.src = {&rejoined_class}, .rest = src};
    struct bough_buf first;
    enum bough_err err;

    bough_buf_init(&first, kv->env->mem);
    err = collect(src, blobs ? BOUGH_KV__WHOLE_MAX : BOUGH_KV__VALUE_MAX, &first, &end);
    r.first = bough_buf_view(&first);
    if (err)
        err = bough_kv__fail(kv, err, key);
    else if (end)
        err = bough_kv_set(kv, key, first.len > 0 ? r.first : bough_view("", 0), opts);
    else if (blobs)
        err = bough_kv__stream(kv, key, BOUGH_BLOB_UNKNOWN, &r.src, opts);
    else
        err = bough_kv__why(&kv->why, BOUGH_ETOOBIG, "value over 512 MiB", key);
    bough_buf_fini(&first);
    return err;
}
