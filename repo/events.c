/*
 * events.c - who listens, and what is to be told once it happened.
 *
 *   queue     events as bytes, while a transaction is under way
 *   telling   each event to each listener, in order
 *
 * An event in the queue: kind, removed, folded (a byte each), the lengths of ref and path
 * (u32 each), old and new id (32 bytes each), ref, path.
 */
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/txn_inner.h"

enum { HEAD_LEN = 3 + 8 + 2 * BOUGH_DIGEST_MAX };

void bough_repo_listen(struct bough_repo *r, struct bough_listener *l)
{
    l->next = r->listeners;
    r->listeners = l;
}

void bough_repo_unlisten(struct bough_repo *r, struct bough_listener *l)
{
    struct bough_listener **at = &r->listeners;

    while (*at != NULL && *at != l)
        at = &(*at)->next;
    if (*at != NULL)
        *at = l->next;
}

enum bough_err bough_repo__event(struct bough_repo *r, const struct bough_event *e)
{
    struct bough_buf *b = &r->events;

    if (r->listeners == NULL)
        return BOUGH_OK;
    bough_buf_put_u8(b, (uint8_t)e->kind);
    bough_buf_put_u8(b, e->removed);
    bough_buf_put_u8(b, e->folded);
    bough_buf_put32le(b, (uint32_t)e->ref.len);
    bough_buf_put32le(b, (uint32_t)e->path.len);
    bough_buf_put(b, e->old.bytes, BOUGH_DIGEST_MAX);
    bough_buf_put(b, e->now.bytes, BOUGH_DIGEST_MAX);
    bough_buf_put_view(b, e->ref);
    bough_buf_put_view(b, e->path);
    return b->err;
}

void bough_repo__events_tell(struct bough_repo *r)
{
    const uint8_t *p = r->events.ptr, *end = p == NULL ? p : p + r->events.len;

    while (r->events.len > 0 && p < end) {
        struct bough_event e = {.kind = (enum bough_event_kind)p[0]};

        e.removed = p[1] != 0;
        e.folded = p[2] != 0;
        memcpy(e.old.bytes, p + 11, BOUGH_DIGEST_MAX);
        memcpy(e.now.bytes, p + 11 + BOUGH_DIGEST_MAX, BOUGH_DIGEST_MAX);
        e.ref = bough_view(p + HEAD_LEN, bough_get32le(p + 3));
        e.path = bough_view(e.ref.ptr + e.ref.len, bough_get32le(p + 7));
        p = e.path.ptr + e.path.len;
        for (struct bough_listener *l = r->listeners; l != NULL; l = l->next)
            l->fn(l->ctx, &e);
    }
    bough_repo__events_drop(r);
}

void bough_repo__events_drop(struct bough_repo *r)
{
    bough_buf_clear(&r->events);
}
