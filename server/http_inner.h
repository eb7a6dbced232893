/*
 * http_inner.h - a body on its way from the HTTP server to a session.
 */
#ifndef BOUGH_SERVER_HTTP_INNER_H
#define BOUGH_SERVER_HTTP_INNER_H

#include <zlib.h>

#include "base/buf.h"
#include "sync/sync.h"

/* What a request needs beside its session to be fed, plain or gzip. */
struct http_body {
    struct bough_mem *mem;
    struct bough_sync *session; /* borrowed */
    const char *broken;         /* the body is wrong: why */
    struct bough_buf held;      /* said before the request was whole; read up to held_at */
    size_t held_at;
    z_stream z;
    bool zipped, unzipped; /* it is gzip; its stream is over */
    uint8_t *piece;
    size_t piece_at, piece_n; /* what is inflated and not fed yet */
};

/* `b` is all zero before; close it in any case. BOUGH_ENOMEM. */
enum bough_err http_body_open(
    struct http_body *b, struct bough_mem *mem, struct bough_sync *session, bool zipped);
void http_body_close(struct http_body *b);

/* Feed what the session takes now; what it does not is left in `*v`: come again after a bite. */
void http_body_feed(struct http_body *b, struct bough_view *v);

/* All was given: is there still something to feed? */
bool http_body_more(const struct http_body *b);

/* Copy what was held to `dst`; 0: the rest is the session's. */
size_t http_body_held(struct http_body *b, void *dst, size_t max);

#endif
