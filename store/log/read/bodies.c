/*
 * bodies.c - a bounded cache of inflated objects, by where they are stored.
 *
 * A hash table with chains, and a list in the order of use.  Locators are
 * good until the store is closed, so nothing here grows old but what is of segment 0: that
 * is the quarantined segment looked through last, and is dropped before another one takes its place.
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"

enum { SHARE = 8 }; /* a body larger than this part of the cache is not kept */

static struct bough_log__body **chain_of(struct bough_log__bodies *c, uint64_t where)
{
    return &c->head[(where * 0x9e3779b97f4a7c15u) >> 32 & (c->heads - 1)];
}

enum bough_err bough_log__bodies_init(struct bough_log *l, size_t room)
{
    struct bough_log__bodies *c = &l->bodies;

    c->heads = 64;
    while (c->heads < room / 128 && c->heads < 1u << 20)
        c->heads *= 2;
    c->limit = room;
    c->head = bough_mem_zalloc(l->mem, c->heads, sizeof(struct bough_log__body *));
    return c->head == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

static void unlink_body(struct bough_log__bodies *c, struct bough_log__body *b)
{
    *(b->newer != NULL ? &b->newer->older : &c->newest) = b->older;
    *(b->older != NULL ? &b->older->newer : &c->oldest) = b->newer;
}

static void link_newest(struct bough_log__bodies *c, struct bough_log__body *b)
{
    b->newer = NULL;
    b->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = b;
    c->newest = b;
}

static void drop_body(struct bough_log *l, struct bough_log__body *b)
{
    struct bough_log__bodies *c = &l->bodies;
    struct bough_log__body **at = chain_of(c, b->where);

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    unlink_body(c, b);
    c->used -= sizeof *b + b->len;
    bough_mem_free(l->mem, b, sizeof *b + b->len);
}

void bough_log__bodies_drop(struct bough_log *l)
{
    while (l->bodies.oldest != NULL)
        drop_body(l, l->bodies.oldest);
}

void bough_log__bodies_drop_quarantined(struct bough_log *l)
{
    struct bough_log__body *next;

    for (struct bough_log__body *b = l->bodies.oldest; b != NULL; b = next) {
        next = b->newer;
        if (bough_log__where_segment(b->where) == 0)
            drop_body(l, b);
    }
}

void bough_log__bodies_fini(struct bough_log *l)
{
    bough_log__bodies_drop(l);
    bough_mem_free(l->mem, l->bodies.head, l->bodies.heads * sizeof(struct bough_log__body *));
    l->bodies.head = NULL;
}

const struct bough_log__body *bough_log__bodies_find(struct bough_log *l, uint64_t where)
{
    struct bough_log__body *b = *chain_of(&l->bodies, where);

    while (b != NULL && b->where != where)
        b = b->next;
    if (b != NULL && b != l->bodies.newest) {
        unlink_body(&l->bodies, b);
        link_newest(&l->bodies, b);
    }
    return b;
}

bool bough_log__bodies_too_long(const struct bough_log *l, uint64_t len)
{
    return len > l->bodies.limit / SHARE;
}

void bough_log__bodies_keep(
    struct bough_log *l, uint64_t where, uint64_t id8, enum bough_type type, struct bough_view body)
{
    struct bough_log__bodies *c = &l->bodies;
    size_t size = sizeof(struct bough_log__body) + body.len;
    struct bough_log__body *b;

    if (bough_log__bodies_too_long(l, body.len) || bough_log__bodies_find(l, where) != NULL)
        return;
    while (c->oldest != NULL && c->used + size > c->limit)
        drop_body(l, c->oldest);
    b = bough_mem_alloc(l->mem, size);
    if (b == NULL)
        return;
    b->where = where;
    b->id8 = id8;
    b->type = type;
    b->len = body.len;
    if (body.len > 0)
        memcpy(b->bytes, body.ptr, body.len);
    b->next = *chain_of(c, where);
    *chain_of(c, where) = b;
    link_newest(c, b);
    c->used += size;
}
