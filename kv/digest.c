/*
 * digest.c - Git ids of what a driver without Git objects holds.
 *
 *   values        read in pieces
 *   levels        the dictionaries from the asked one down to where the walk stands
 *   the walk      children in byte order; a dictionary that ends becomes a tree object
 */
#include "kv/inner.h"

/* ---- Values ---- */

/* The id of a value, read in pieces. */
static enum bough_err digest_value(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, struct bough_oid *out)
{
    struct bough_hash h;
    struct bough_buf piece;
    uint64_t size;
    enum bough_err err = kv->cls->size(kv, path, n, &size);

    if (err)
        return err;
    bough_buf_init(&piece, kv->env->mem);
    bough_oid_begin(&h, kv->algo, BOUGH_BLOB, size);
    for (uint64_t at = 0; !err && at < size; at += piece.len) {
        bough_buf_clear(&piece);
        err = kv->cls->get_part(kv, path, n, at, BOUGH_KV__PIECE, &piece);
        if (!err)
            err = piece.err ? piece.err : piece.len == 0 ? BOUGH_EAGAIN : BOUGH_OK;
        bough_hash_update(&h, piece.ptr, piece.len);
    }
    bough_buf_fini(&piece);
    if (!err)
        *out = bough_oid_end(&h);
    return err;
}

/* ---- Levels ---- */

struct item {
    size_t at, len; /* of the name, in `names` */
    uint32_t mode;
    struct bough_oid id;
};

struct level {
    size_t dir; /* bytes of the path that are this dictionary */
    struct bough_buf names;
    struct item *items;
    size_t n, cap;
};

struct walk {
    struct bough_kv *kv;
    struct bough_buf path;
    struct level *levels;
    size_t n, cap;
};

static struct level *walk_top(struct walk *w)
{
    return &w->levels[w->n - 1];
}

static enum bough_err level_push(struct walk *w)
{
    void *levels = w->levels;

    if (bough_mem_grow(w->kv->env->mem, &levels, &w->cap, w->n + 1, sizeof *w->levels))
        return BOUGH_ENOMEM;
    w->levels = levels;
    w->levels[w->n] = (struct level){.dir = w->path.len};
    bough_buf_init(&w->levels[w->n++].names, w->kv->env->mem);
    return BOUGH_OK;
}

static void level_pop(struct walk *w)
{
    struct level *l = walk_top(w);

    bough_buf_fini(&l->names);
    bough_mem_free(w->kv->env->mem, l->items, l->cap * sizeof *l->items);
    w->n--;
}

static struct bough_view item_name(const struct level *l, const struct item *i)
{
    return bough_view(l->names.ptr + i->at, i->len);
}

static enum bough_err item_push(struct walk *w, struct bough_view name, uint32_t mode)
{
    struct level *l = walk_top(w);
    void *items = l->items;

    if (bough_mem_grow(w->kv->env->mem, &items, &l->cap, l->n + 1, sizeof *l->items))
        return BOUGH_ENOMEM;
    l->items = items;
    l->items[l->n++] = (struct item){.at = l->names.len, .len = name.len, .mode = mode};
    bough_buf_put_view(&l->names, name);
    return l->names.err;
}

/* Git's order of entries. */
static int item_cmp(const struct level *l, const struct item *a, const struct item *b)
{
    return bough_tree_name_cmp(
        item_name(l, a), a->mode == BOUGH_KV__DICT, item_name(l, b), b->mode == BOUGH_KV__DICT);
}

/* The tree object of a level; its items are in byte order, which is nearly Git's. */
static enum bough_err level_id(struct walk *w, struct bough_oid *out)
{
    struct level *l = walk_top(w);
    struct bough_buf body;
    enum bough_err err;

    for (size_t i = 1; i < l->n; i++) {
        struct item it = l->items[i];
        size_t at = i;

        for (; at > 0 && item_cmp(l, &l->items[at - 1], &it) > 0; at--)
            l->items[at] = l->items[at - 1];
        l->items[at] = it;
    }
    bough_buf_init(&body, w->kv->env->mem);
    for (size_t i = 0; i < l->n; i++) {
        const struct item *it = &l->items[i];

        bough_tree_entry_put(&body, w->kv->algo, it->mode, item_name(l, it), &it->id);
    }
    err = body.err;
    if (!err)
        *out = bough_oid_of(w->kv->algo, BOUGH_TREE, bough_view(body.ptr, body.len));
    bough_buf_fini(&body);
    return err;
}

/* ---- The walk ---- */

/* The child `e` of the top level. */
static enum bough_err walk_child(struct walk *w, const struct bough_kv_entry *e)
{
    struct bough_node node = e->node;
    struct bough_oid id;
    size_t before = w->path.len;
    enum bough_err err = item_push(w, e->name, e->git_mode);

    if (err)
        return err;
    if (before > 0)
        bough_buf_put_u8(&w->path, '/');
    bough_buf_put_view(&w->path, e->name);
    if (w->path.err)
        return w->path.err;
    if (e->kind == BOUGH_KIND_DICT)
        return level_push(w);
    err = digest_value(w->kv, bough_buf_view(&w->path), &node, &id);
    if (!err)
        walk_top(w)->items[walk_top(w)->n - 1].id = id;
    w->path.len = before;
    return err;
}

/* The top level is whole: its id goes to the level above, or out. */
static enum bough_err walk_end(struct walk *w, struct bough_oid *out)
{
    enum bough_err err = level_id(w, out);
    struct level *above;

    if (err)
        return err;
    level_pop(w);
    if (w->n == 0)
        return BOUGH_OK;
    above = walk_top(w);
    above->items[above->n - 1].id = *out;
    w->path.len = above->dir;
    return BOUGH_OK;
}

static enum bough_err walk_run(struct walk *w, struct bough_oid *out)
{
    enum bough_err err = level_push(w);

    while (!err && w->n > 0) {
        struct level *l = walk_top(w);
        struct bough_view after = bough_view("", 0);
        struct bough_kv_entry e = {0};

        if (l->n > 0)
            after = item_name(l, &l->items[l->n - 1]);
        err = w->kv->cls->next(w->kv, bough_view(w->path.ptr, l->dir), after, &e);
        err = err == BOUGH_ENOENT ? walk_end(w, out) : err ? err : walk_child(w, &e);
    }
    return err;
}

enum bough_err bough_kv__digest_walk(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct walk w = {.kv = kv};
    struct bough_node n;
    enum bough_err err = kv->cls->find(kv, path, &n, NULL);

    if (!err && n.kind == BOUGH_NODE_NONE)
        err = BOUGH_ENOENT;
    if (err)
        return err;
    if (n.kind == BOUGH_NODE_VALUE)
        return digest_value(kv, path, &n, out);
    bough_buf_init(&w.path, kv->env->mem);
    bough_buf_put_view(&w.path, path);
    err = w.path.err;
    if (!err)
        err = walk_run(&w, out);
    while (w.n > 0)
        level_pop(&w);
    bough_mem_free(kv->env->mem, w.levels, w.cap * sizeof *w.levels);
    bough_buf_fini(&w.path);
    return err;
}
