/*
 * http_body.c - the body of a request, plain or gzip, fed to a session as it comes.
 *
 *   held      what the session says too early
 *   feeding   plain bytes; pieces that are inflated
 *   calls     open, feed, more, held, close
 */
#include "server/http_inner.h"

#include <string.h>

enum {
    PIECE = 16 * 1024,           /* bytes inflated at a time */
    PIECES_MAX = 16,             /* of them in a turn */
    HELD_MAX = 16 * 1024 * 1024, /* bytes of an answer before its request is whole */
};

/* ---- Held ---- */

static bool is_over(const struct http_body *b)
{
    return b->broken != NULL || b->session->state >= BOUGH_SYNC_DONE;
}

/*
 * No answer can leave before the request is whole.  Acknowledgments of version 0 may be many by
 * then: take them off the session, or it would wait for it.
 */
static void hold(struct http_body *b)
{
    if (b->session->state != BOUGH_SYNC_OUTPUT)
        return;
    bough_sync_pull(b->session, &b->held, BOUGH_SYNC_OUT_MAX);
    if (b->held.err || b->held.len > HELD_MAX)
        b->broken = "the answer would be too long\n";
}

/* ---- Feeding ---- */

/* Feed what the session takes; the bytes not taken are left in `*v`. */
static void feed_plain(struct http_body *b, struct bough_view *v)
{
    size_t used;

    do {
        enum bough_err err = bough_sync_feed(b->session, *v, &used);
        (void)err; /* the state tells */
        *v = bough_view(v->ptr + used, v->len - used);
        hold(b);
    } while (v->len > 0 && b->broken == NULL && b->session->state == BOUGH_SYNC_INPUT);
}

/* Inflate the next piece of `*v`.  What follows the stream is dropped, as git does. */
static void piece_next(struct http_body *b, struct bough_view *v)
{
    int rc;

    b->z.next_in = (Bytef *)(uintptr_t)v->ptr;
    b->z.avail_in = (uInt)v->len;
    b->z.next_out = b->piece;
    b->z.avail_out = PIECE;
    rc = inflate(&b->z, Z_NO_FLUSH);
    *v = bough_view(v->ptr + (v->len - b->z.avail_in), b->z.avail_in);
    b->piece_at = 0;
    b->piece_n = PIECE - b->z.avail_out;
    b->unzipped = rc == Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        b->broken = "the body is not gzip\n";
}

static void feed_zipped(struct http_body *b, struct bough_view *v)
{
    for (int n = 0; n < PIECES_MAX && !is_over(b); n++) {
        struct bough_view piece = bough_view(b->piece + b->piece_at, b->piece_n - b->piece_at);
        feed_plain(b, &piece);
        b->piece_at = b->piece_n - piece.len;
        if (piece.len > 0 || b->session->state != BOUGH_SYNC_INPUT)
            return;
        if (b->unzipped)
            break;
        if (v->len == 0 && b->z.avail_out != 0)
            return;
        piece_next(b, v);
    }
    if (is_over(b) || b->unzipped)
        *v = bough_view(v->ptr, 0);
}

/* ---- Calls ---- */

enum bough_err http_body_open(
    struct http_body *b, struct bough_mem *mem, struct bough_sync *session, bool zipped)
{
    b->mem = mem;
    b->session = session;
    b->zipped = zipped;
    bough_buf_init(&b->held, mem);
    if (zipped)
        b->piece = bough_mem_zalloc(mem, 1, PIECE);
    if (zipped && (b->piece == NULL || inflateInit2(&b->z, 15 + 16) != Z_OK))
        return BOUGH_ENOMEM;
    return BOUGH_OK;
}

void http_body_close(struct http_body *b)
{
    if (b->session == NULL)
        return;
    inflateEnd(&b->z);
    bough_mem_free(b->mem, b->piece, PIECE);
    bough_buf_fini(&b->held);
}

void http_body_feed(struct http_body *b, struct bough_view *v)
{
    hold(b);
    if (is_over(b))
        v->len = 0; /* swallow it */
    else if (b->zipped)
        feed_zipped(b, v);
    else
        feed_plain(b, v);
}

bool http_body_more(const struct http_body *b)
{
    return b->zipped && !is_over(b) &&
           (b->piece_at < b->piece_n || (!b->unzipped && b->z.avail_out == 0));
}

size_t http_body_held(struct http_body *b, void *dst, size_t max)
{
    size_t left = b->held.len - b->held_at, n = left < max ? left : max;

    if (n > 0)
        memcpy(dst, b->held.ptr + b->held_at, n);
    b->held_at += n;
    return n;
}
