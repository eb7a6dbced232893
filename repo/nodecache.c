/*
 * nodecache.c - decoded trees, by their ids.
 *
 *   list, buckets     those that can be let go; all
 *   trimming          down to the limit, with second chances
 *   getting           pinned, from the cache or the store
 *
 * Invariant: a node is in its bucket; it is in the list, or it is a large one; cache.used is the
 * sum of the costs in the list.  Those touched or pinned get another round when they are the
 * oldest, so that a look moves nothing.  One unpinned node of more than half the limit is kept
 * beside the others and not counted, so that a directory larger than the cache is not decoded
 * for every look.
 */
#include "repo/chain_inner.h"
#include "repo/inner.h"
#include "repo/node_inner.h"
#include "repo/range_inner.h"

enum {
    SPARED_MAX = 16,
    BODY_MAX = 64 * 1024, /* bytes that are kept for the next tree to be read */
    LINE = 64,            /* of the processor's cache */
};

/* ---- List, buckets ---- */

static struct bough_repo__node **cache_bucket(struct bough_repo__cache *c, const uint8_t *id)
{
    return &c->buckets[bough_get64le(id) & (c->buckets_n - 1)];
}

static void list_drop(struct bough_repo__cache *c, struct bough_repo__node *n)
{
    if (n->newer != NULL)
        n->newer->older = n->older;
    else
        c->newest = n->older;
    if (n->older != NULL)
        n->older->newer = n->newer;
    else
        c->oldest = n->newer;
    n->newer = n->older = NULL;
}

static void list_push(struct bough_repo__cache *c, struct bough_repo__node *n)
{
    n->newer = NULL;
    n->older = c->newest;
    if (c->newest != NULL)
        c->newest->newer = n;
    else
        c->oldest = n;
    c->newest = n;
}

/* Nobody will ask for a version that another took the place of: it goes first. */
static void list_sink(struct bough_repo__cache *c, struct bough_repo__node *n)
{
    list_drop(c, n);
    n->touched = false;
    n->newer = c->oldest;
    if (c->oldest != NULL)
        c->oldest->older = n;
    else
        c->newest = n;
    c->oldest = n;
}

static void cache_remove(struct bough_repo *r, struct bough_repo__node *n)
{
    struct bough_repo__node **at = cache_bucket(&r->cache, n->id.bytes);

    while (*at != n)
        at = &(*at)->bucket;
    *at = n->bucket;
    if (n->large) {
        r->cache.large = r->cache.large == n ? NULL : r->cache.large;
    } else {
        list_drop(&r->cache, n);
        r->cache.used -= n->cost;
    }
    r->cache.count--;
    bough_repo__node_free(r, n);
}

/* What the chains of whoever writes do not fill is room for nodes meanwhile. */
static size_t cache_room(const struct bough_repo *r)
{
    const struct bough_repo__chains *ch = &r->chains;

    return r->cache.limit + (ch->used < ch->limit ? ch->limit - ch->used : 0);
}

/* Let go what was not used lately; a few steps further round the list at a time. */
static void cache_trim(struct bough_repo *r)
{
    struct bough_repo__cache *c = &r->cache;
    size_t room = cache_room(r);

    for (int spared = 0; c->used > room && c->oldest != NULL && spared < SPARED_MAX;) {
        struct bough_repo__node *n = c->oldest;

        if (n->pins == 0 && !n->touched) {
            cache_remove(r, n);
            continue;
        }
        n->touched = false;
        list_drop(c, n);
        list_push(c, n);
        spared++;
    }
}

/* Twice the buckets; with no memory for them, chains get longer. */
static void cache_grow(struct bough_repo *r)
{
    struct bough_repo__cache *c = &r->cache, bigger = *c;

    bigger.buckets_n = c->buckets_n == 0 ? 256 : c->buckets_n * 2;
    bigger.buckets = bough_mem_zalloc(r->mem, bigger.buckets_n, sizeof(void *));
    if (bigger.buckets == NULL)
        return;
    for (size_t i = 0; i < c->buckets_n; i++) {
        struct bough_repo__node *n = c->buckets[i], *next;

        for (; n != NULL; n = next) {
            struct bough_repo__node **at = cache_bucket(&bigger, n->id.bytes);

            next = n->bucket;
            n->bucket = *at;
            *at = n;
        }
    }
    bough_mem_free(r->mem, c->buckets, c->buckets_n * sizeof(void *));
    *c = bigger;
}

static size_t node_cost(const struct bough_repo__node *n)
{
    size_t cost = sizeof *n + n->block_len + n->slots_n * sizeof *n->slots;

    if (n->order != NULL)
        cost += n->n * sizeof *n->order;
    if (n->small)
        return cost;
    return cost + n->raw.cap + n->ents_cap * sizeof *n->ents +
           (n->where == NULL ? 0 : n->n * sizeof *n->where) + bough_repo__states_size(n->states);
}

void bough_repo__node_stands(
    struct bough_repo *r, struct bough_repo__node *n, const struct bough_oid *id)
{
    struct bough_repo__cache *c = &r->cache;
    struct bough_repo__node **at = cache_bucket(c, n->id.bytes);
    size_t cost = node_cost(n);

    while (*at != n)
        at = &(*at)->bucket;
    *at = n->bucket;
    n->id = *id;
    at = cache_bucket(c, n->id.bytes);
    n->bucket = *at;
    *at = n;
    if (!n->large) {
        c->used += cost - n->cost;
        if (cost > c->limit / 2) {
            list_drop(c, n);
            c->used -= cost;
            n->large = true;
        }
    }
    n->cost = cost;
}

/* Decode `raw`, which is taken if the node keeps it; `looked`: mostly it is not to be changed. */
static enum bough_err node_new(struct bough_repo *r, const struct bough_oid *id, bool looked,
    struct bough_buf *raw, struct bough_repo__node **out)
{
    struct bough_repo__node *n;
    enum bough_err err;

    if (raw->len <= (looked ? BOUGH_REPO__SMALL_MAX : BOUGH_REPO__SMALL_EDITED))
        return bough_repo__small_new(r, id, bough_buf_view(raw), out);
    n = bough_mem_zalloc(r->mem, 1, sizeof *n);
    if (n == NULL)
        return BOUGH_ENOMEM;
    n->id = *id;
    n->raw = *raw;
    bough_buf_init(raw, r->mem);
    err = bough_repo__node_parse(r, n);
    if (err) {
        bough_repo__node_free(r, n);
        return err;
    }
    *out = n;
    return BOUGH_OK;
}

/* Decode `raw` (taken if the node keeps it) and keep the node, pinned. */
static enum bough_err cache_add(struct bough_repo *r, const struct bough_oid *id, bool looked,
    struct bough_buf *raw, struct bough_repo__node **out)
{
    struct bough_repo__cache *c = &r->cache;
    struct bough_repo__node *n, **at;
    enum bough_err err;

    if (c->count >= c->buckets_n)
        cache_grow(r);
    if (c->buckets_n == 0)
        return BOUGH_ENOMEM;
    err = node_new(r, id, looked, raw, &n);
    if (err)
        return err;
    n->pins = 1;
    n->cost = node_cost(n);
    n->large = n->cost > c->limit / 2;
    at = cache_bucket(c, id->bytes);
    n->bucket = *at;
    *at = n;
    c->count++;
    if (!n->large) {
        list_push(c, n);
        c->used += n->cost;
    }
    *out = n;
    return BOUGH_OK;
}

/* Have the lines of a small node that a look needs on their way, all but the body's. */
static inline void node_ask(const struct bough_repo__node *n)
{
    const uint8_t *p = (const uint8_t *)n;

    __builtin_prefetch(p + 1 * LINE); /* (a loop would be stepped through each time) */
    __builtin_prefetch(p + 2 * LINE);
    __builtin_prefetch(p + 3 * LINE);
    __builtin_prefetch(p + 4 * LINE);
    __builtin_prefetch(p + 5 * LINE);
    __builtin_prefetch(p + 6 * LINE);
    __builtin_prefetch(p + 7 * LINE);
    __builtin_prefetch(p + 8 * LINE);
    __builtin_prefetch(p + 9 * LINE);
}

/* Are two ids, of 20 bytes or 32, the same? */
static inline bool id_is(const uint8_t *a, const uint8_t *b, uint32_t len)
{
    return bough_get64le(a) == bough_get64le(b) && bough_get64le(a + 8) == bough_get64le(b + 8) &&
           bough_get32le(a + 16) == bough_get32le(b + 16) &&
           (len <= 20 || memcmp(a + 20, b + 20, len - 20) == 0);
}

/* `id` is as many bytes as ids have. */
static struct bough_repo__node *cache_find(struct bough_repo *r, const uint8_t *id)
{
    struct bough_repo__node *n;

    if (r->cache.buckets_n == 0)
        return NULL;
    n = *cache_bucket(&r->cache, id);
    for (; n != NULL; n = n->bucket) {
        node_ask(n);
        if (id_is(n->id.bytes, id, r->hash_len))
            break;
    }
    return n;
}

struct bough_repo__node *bough_repo__node_peek(struct bough_repo *r, const uint8_t *id)
{
    struct bough_repo__node *n = cache_find(r, id);

    if (n == NULL || n->large)
        return NULL;
    if (!n->touched)
        n->touched = true;
    if (n->replaced)
        n->replaced = false;
    return n;
}

/* Pin what is cached, or NULL. */
static struct bough_repo__node *cache_pin(struct bough_repo *r, const uint8_t *id)
{
    struct bough_repo__node *n = cache_find(r, id);

    if (n == NULL)
        return NULL;
    if (r->cache.large == n)
        r->cache.large = NULL;
    n->pins++;
    n->touched = true;
    n->replaced = false; /* somebody wants it nevertheless */
    return n;
}

/*
 * Read and decode a tree that is not cached; `*where` is a hint and becomes a better one.  When it
 * is only to be `looked` in, a large one may be left as it is: then `*out` is NULL.
 */
static enum bough_err node_load(struct bough_repo *r, const struct bough_oid *id, bool looked,
    uint64_t *where, struct bough_repo__node **out)
{
    struct bough_get get = {.n = UINT64_MAX, .where = *where};
    struct bough_buf *raw = &r->cache.body;
    enum bough_err err = BOUGH_OK;

    *out = NULL;
    get.all = looked;
    if (looked)
        get.n = BOUGH_REPO__RANGE_MIN;
    bough_buf_clear(raw);
    if (!bough_oid_eq(id, bough_oid_empty_tree(r->algo))) {
        err = bough_store_get(r->store, id, &get, raw);
        if (err == BOUGH_OK && get.size > get.n) {
            if (bough_repo__range_serves(r, id, get.size))
                return BOUGH_OK;
            get.n = UINT64_MAX;
            err = bough_store_get(r->store, id, &get, raw);
        }
        *where = get.where;
        if (err == BOUGH_OK && get.type != BOUGH_TREE)
            err = bough_repo__node_broken(r, id);
        else
            err = bough_repo__stored(r, err, id);
    }
    if (err == BOUGH_OK)
        err = cache_add(r, id, looked, raw, out);
    if (raw->cap > BODY_MAX)
        bough_buf_fini(raw);
    if (err == BOUGH_OK)
        cache_trim(r);
    return err;
}

enum bough_err bough_repo__node_get(
    struct bough_repo *r, const struct bough_oid *id, struct bough_repo__node **out)
{
    uint64_t where = 0;

    *out = cache_pin(r, id->bytes);
    return *out != NULL ? BOUGH_OK : node_load(r, id, false, &where, out);
}

enum bough_err bough_repo__node_look(
    struct bough_repo *r, const struct bough_oid *id, struct bough_repo__node **out)
{
    uint64_t where = 0;

    *out = cache_pin(r, id->bytes);
    return *out != NULL ? BOUGH_OK : node_load(r, id, true, &where, out);
}

enum bough_err bough_repo__node_child_look(
    struct bough_repo *r, struct bough_repo__node *n, uint32_t i, struct bough_repo__node **out)
{
    struct bough_oid id;
    uint64_t where;
    enum bough_err err;

    *out = cache_pin(r, bough_repo__node_raw_id(n, i));
    if (*out != NULL)
        return BOUGH_OK;
    id = bough_repo__node_id(r, n, i);
    where = bough_repo__node_where(n, i);
    err = node_load(r, &id, true, &where, out);
    if (err == BOUGH_OK)
        bough_repo__node_learn(r, n, i, where);
    return err;
}

void bough_repo__node_unpin(struct bough_repo *r, struct bough_repo__node *n)
{
    if (n == NULL)
        return;
    BOUGH_ASSERT(n->pins > 0);
    if (--n->pins > 0)
        return;
    if (n->large) {
        if (r->cache.large != NULL)
            cache_remove(r, r->cache.large);
        r->cache.large = n;
    } else if (n->replaced) {
        list_sink(&r->cache, n);
    }
    cache_trim(r);
}

void bough_repo__node_offer(
    struct bough_repo *r, const struct bough_oid *id, struct bough_buf *body)
{
    struct bough_repo__node *n = NULL;

    if (cache_find(r, id->bytes) == NULL && cache_add(r, id, false, body, &n) == BOUGH_OK)
        bough_repo__node_unpin(r, n);
    bough_buf_fini(body);
}

void bough_repo__cache_fini(struct bough_repo *r)
{
    struct bough_repo__cache *c = &r->cache;
    struct bough_repo__node *n, *newer;

    if (c->large != NULL)
        cache_remove(r, c->large);
    for (n = c->oldest; n != NULL; n = newer) {
        newer = n->newer;
        if (n->pins == 0)
            cache_remove(r, n);
    }
    BOUGH_ASSERT(c->count == 0); /* every tree was closed */
    bough_buf_fini(&c->body);
    bough_mem_free(r->mem, c->buckets, c->buckets_n * sizeof(void *));
}
