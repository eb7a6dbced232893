/*
 * graph.c - what walks over history stand on.
 *
 *   looking   one path in many trees
 *   graph     commits by id, each parsed once
 *   queue     a heap by date
 */
#include "repo/graph.h"
#include "repo/inner.h"
#include "repo/look_inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/range_inner.h"

/* ---- Looking ---- */

enum bough_err bough_repo__look_init(
    struct bough_repo__look *l, struct bough_repo *r, struct bough_view path)
{
    struct bough_view left = path, name;

    *l = (struct bough_repo__look){.r = r};
    bough_buf_init(&l->path, r->mem);
    bough_buf_init(&l->raw, r->mem);
    bough_buf_put_view(&l->path, path);
    while (bough_repo__segment(&left, &name))
        l->levels_n++;
    if (l->levels_n > 0)
        l->levels = bough_mem_zalloc(r->mem, l->levels_n, sizeof *l->levels);
    return l->path.err || (l->levels_n > 0 && l->levels == NULL) ? BOUGH_ENOMEM : BOUGH_OK;
}

void bough_repo__look_fini(struct bough_repo__look *l)
{
    bough_mem_free(l->r->mem, l->levels, l->levels_n * sizeof *l->levels);
    bough_buf_fini(&l->path);
    bough_buf_fini(&l->raw);
}

static void at_say(
    enum bough_repo__mode mode, const struct bough_oid *id, struct bough_repo__at *out)
{
    out->mode = mode;
    out->kind = mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    out->id = *id;
}

/* The tree's bytes, into l->raw; none where it is large and need not be read for a look. */
static enum bough_err look_read(
    struct bough_repo__look *l, const struct bough_oid *id, bool *by_range)
{
    struct bough_store *s = l->r->store;
    struct bough_get get = {.n = BOUGH_REPO__RANGE_MIN, .all = true};
    enum bough_err err;

    *by_range = false;
    bough_buf_clear(&l->raw);
    err = bough_store_get(s, id, &get, &l->raw);
    if (err == BOUGH_OK && get.size > get.n) {
        *by_range = bough_repo__range_can(l->r, id);
        if (!*by_range)
            err = bough_store_read_where(s, get.where, id, NULL, &l->raw);
    }
    return bough_repo__stored(l->r, err, id);
}

/* The entry `name` of tree `id`: scanned, for most trees are met once. */
static enum bough_err look_entry(struct bough_repo__look *l, const struct bough_oid *id,
    struct bough_view name, struct bough_repo__at *out)
{
    struct bough_tree_iter it;
    struct bough_tree_entry entry;
    struct bough_repo__range_entry large;
    bool by_range;
    enum bough_err err;

    *out = (struct bough_repo__at){.kind = BOUGH_NODE_NONE};
    if (bough_oid_eq(id, bough_oid_empty_tree(l->r->algo)))
        return BOUGH_OK;
    err = look_read(l, id, &by_range);
    if (err)
        return err;
    if (by_range) {
        err = bough_repo__range_find(l->r, id, name, &l->raw, &large);
        if (err == BOUGH_OK)
            at_say(large.mode, &large.id, out);
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    bough_tree_iter_init(&it, l->r->algo, bough_buf_view(&l->raw), false);
    err = bough_tree_iter_find(&it, name, &entry);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : BOUGH_ECORRUPT;
    at_say(bough_repo__mode_class(entry.mode), &entry.id, out);
    return BOUGH_OK;
}

enum bough_err bough_repo__look_in(
    struct bough_repo__look *l, const struct bough_oid *root, struct bough_repo__at *out)
{
    struct bough_view left = bough_buf_view(&l->path), name;
    struct bough_repo__at at = {.kind = BOUGH_NODE_DICT, .mode = BOUGH_REPO__DIR, .id = *root};

    for (size_t i = 0; at.kind != BOUGH_NODE_NONE && bough_repo__segment(&left, &name); i++) {
        struct bough_repo__look_level *level = &l->levels[i];

        if (at.kind == BOUGH_NODE_VALUE) {
            at = (struct bough_repo__at){.kind = BOUGH_NODE_NONE};
        } else if (level->known && bough_oid_eq(&level->tree, &at.id)) {
            at = level->at;
        } else {
            enum bough_err err = look_entry(l, &at.id, name, &level->at);

            level->known = err == BOUGH_OK;
            if (err)
                return err;
            level->tree = at.id;
            at = level->at;
        }
    }
    *out = at;
    return BOUGH_OK;
}

bool bough_repo__at_same(const struct bough_repo__at *a, const struct bough_repo__at *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == BOUGH_NODE_NONE || (a->mode == b->mode && bough_oid_eq(&a->id, &b->id));
}

/* ---- Graph ---- */

void bough_graph_init(struct bough_graph *g, struct bough_repo *r, size_t commit_size)
{
    BOUGH_ASSERT(commit_size >= sizeof(struct bough_graph_commit));
    *g = (struct bough_graph){.r = r, .commit_size = commit_size};
    bough_arena_init(&g->arena, r->mem);
    bough_buf_init(&g->raw, r->mem);
}

void bough_graph_fini(struct bough_graph *g)
{
    bough_mem_free(g->r->mem, g->buckets, g->buckets_n * sizeof(void *));
    bough_arena_fini(&g->arena);
    bough_buf_fini(&g->raw);
}

static struct bough_graph_commit **graph_bucket(
    struct bough_graph_commit **buckets, size_t n, const struct bough_oid *id)
{
    return &buckets[(size_t)bough_get64le(id->bytes) & (n - 1)];
}

static enum bough_err graph_grow(struct bough_graph *g)
{
    size_t n = g->buckets_n == 0 ? 256 : g->buckets_n * 2;
    struct bough_graph_commit **buckets = bough_mem_zalloc(g->r->mem, n, sizeof(void *));

    if (buckets == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < g->buckets_n; i++) {
        struct bough_graph_commit *c = g->buckets[i], *next;

        for (; c != NULL; c = next) {
            struct bough_graph_commit **at = graph_bucket(buckets, n, &c->id);

            next = c->bucket;
            c->bucket = *at;
            *at = c;
        }
    }
    bough_mem_free(g->r->mem, g->buckets, g->buckets_n * sizeof(void *));
    g->buckets = buckets;
    g->buckets_n = n;
    return BOUGH_OK;
}

enum bough_err bough_graph_get(
    struct bough_graph *g, const struct bough_oid *id, struct bough_graph_commit **out)
{
    struct bough_graph_commit *c = NULL, **at;

    if (g->count >= g->buckets_n && graph_grow(g) != BOUGH_OK)
        return BOUGH_ENOMEM;
    at = graph_bucket(g->buckets, g->buckets_n, id);
    for (c = *at; c != NULL && !bough_oid_eq(&c->id, id);)
        c = c->bucket;
    if (c == NULL) {
        c = bough_arena_alloc(&g->arena, g->commit_size);
        if (c == NULL)
            return BOUGH_ENOMEM;
        memset(c, 0, g->commit_size);
        c->id = *id;
        c->bucket = *at;
        *at = c;
        g->count++;
    }
    *out = c;
    return BOUGH_OK;
}

static enum bough_err commit_broken(struct bough_repo *r, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(r->algo, id, hex);

    return BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "broken commit", hex, n);
}

enum bough_err bough_graph_parse(struct bough_graph *g, struct bough_graph_commit *c)
{
    struct bough_ident committer;
    struct bough_commit parsed;
    enum bough_type type;
    enum bough_err err;

    if (c->parsed)
        return BOUGH_OK;
    bough_buf_clear(&g->raw);
    err = bough_store_read(g->r->store, &c->id, &type, &g->raw);
    if (err) {
        g->r->why = g->r->store->why;
        return err;
    }
    if (type != BOUGH_COMMIT ||
        bough_commit_parse(g->r->algo, bough_buf_view(&g->raw), &parsed) != BOUGH_OK)
        return commit_broken(g->r, &c->id);
    if (bough_ident_parse(parsed.committer, &committer) == BOUGH_OK)
        c->time = committer.time;
    c->tree = parsed.tree;
    err = parsed.parents_n > 0 ? bough_store_boundary(g->r->store, &c->id) : BOUGH_ENOENT;
    if (err == BOUGH_OK)
        parsed.parents_n = 0;
    else if (err != BOUGH_ENOENT)
        return err;
    if (parsed.parents_n > 0) {
        c->parents = bough_arena_alloc(&g->arena, parsed.parents_n * sizeof *c->parents);
        if (c->parents == NULL)
            return BOUGH_ENOMEM;
    }
    for (uint32_t i = 0; i < parsed.parents_n; i++) {
        struct bough_oid id = bough_commit_parent(&parsed, i);

        err = bough_graph_get(g, &id, &c->parents[i]);
        if (err)
            return err;
    }
    c->parents_n = parsed.parents_n;
    c->parsed = true;
    return BOUGH_OK;
}

/* ---- Queue ---- */

struct bough_graph_queued {
    struct bough_graph_commit *c;
    uint64_t number; /* of its arrival */
};

static bool queued_before(const struct bough_graph_queued *a, const struct bough_graph_queued *b)
{
    if (a->c->time.sec != b->c->time.sec)
        return a->c->time.sec > b->c->time.sec;
    return a->number < b->number;
}

enum bough_err bough_graph_queue_put(
    struct bough_repo *r, struct bough_graph_queue *q, struct bough_graph_commit *c)
{
    struct bough_graph_queued item = {.c = c, .number = q->clock++};
    void *items = q->items;
    enum bough_err err = bough_mem_grow(r->mem, &items, &q->cap, q->n + 1, sizeof *q->items);
    size_t at = q->n;

    q->items = (struct bough_graph_queued *)items;
    if (err)
        return err;
    for (q->n++; at > 0 && queued_before(&item, &q->items[(at - 1) / 2]); at = (at - 1) / 2)
        q->items[at] = q->items[(at - 1) / 2];
    q->items[at] = item;
    return BOUGH_OK;
}

struct bough_graph_commit *bough_graph_queue_take(struct bough_graph_queue *q)
{
    struct bough_graph_commit *first;
    struct bough_graph_queued last;
    size_t at = 0;

    if (q->n == 0)
        return NULL;
    first = q->items[0].c;
    last = q->items[--q->n];
    for (;;) {
        size_t sub = 2 * at + 1;

        if (sub + 1 < q->n && queued_before(&q->items[sub + 1], &q->items[sub]))
            sub++;
        if (sub >= q->n || !queued_before(&q->items[sub], &last))
            break;
        q->items[at] = q->items[sub];
        at = sub;
    }
    q->items[at] = last;
    return first;
}

const struct bough_graph_commit *bough_graph_queue_first(const struct bough_graph_queue *q)
{
    return q->n == 0 ? NULL : q->items[0].c;
}

void bough_graph_queue_fini(struct bough_repo *r, struct bough_graph_queue *q)
{
    bough_mem_free(r->mem, q->items, q->cap * sizeof *q->items);
    *q = (struct bough_graph_queue){0};
}
