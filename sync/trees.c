/*
 * trees.c - what a tree has that its base has not.
 *
 * Two trees are merged by name, as Git sorts them.  A tree whose entries are out of order
 * only makes pairs be missed: what is skipped is always an entry that the base has too.
 */
#include "sync/inner.h"

enum { PAIR_COST = 512 }; /* of a pair, beside its bytes */

void bough_sync__trees_init(struct bough_sync__trees *t, struct bough_store *store, void *ctx)
{
    *t = (struct bough_sync__trees){.store = store, .mem = store->env->mem, .ctx = ctx};
    bough_buf_init(&t->a, t->mem);
    bough_buf_init(&t->b, t->mem);
}

void bough_sync__trees_fini(struct bough_sync__trees *t)
{
    bough_mem_free(t->mem, t->stack, t->cap * sizeof *t->stack);
    bough_buf_fini(&t->a);
    bough_buf_fini(&t->b);
}

static enum bough_err pair_push(struct bough_sync__trees *t, const struct bough_oid *tree,
    const struct bough_oid *base, uint32_t depth)
{
    void *stack = t->stack;
    enum bough_err err = bough_mem_grow(t->mem, &stack, &t->cap, t->n + 1, sizeof *t->stack);
    t->stack = stack;
    if (err)
        return err;
    t->stack[t->n] = (struct bough_sync__pair){.tree = *tree, .depth = depth};
    if (base != NULL)
        t->stack[t->n].base = *base;
    t->n++;
    return BOUGH_OK;
}

enum bough_err bough_sync__trees_push(
    struct bough_sync__trees *t, const struct bough_oid *tree, const struct bough_oid *base)
{
    return pair_push(t, tree, base, 0);
}

static enum bough_err tree_damage(
    struct bough_store *store, const struct bough_oid *id, const char *what)
{
    char hex[BOUGH_HEX_MAX];
    return BOUGH_WHY(&store->why, BOUGH_ECORRUPT, what, hex, bough_oid_hex(store->algo, id, hex));
}

static enum bough_err tree_read(
    struct bough_sync__trees *t, const struct bough_oid *id, struct bough_buf *out)
{
    enum bough_type type = BOUGH_NONE;
    bough_buf_clear(out);
    enum bough_err err = bough_store_read(t->store, id, &type, out);
    if (err == BOUGH_ENOENT)
        return tree_damage(t->store, id, "tree is missing");
    if (!err && type != BOUGH_TREE)
        return tree_damage(t->store, id, "object is not the tree it should be");
    return err;
}

/* The two trees under way and the entry of each that comes next; name.len 0: at its end. */
struct merge {
    struct bough_tree_iter a, b;
    struct bough_tree_entry x, y;
};

static enum bough_err entry_next(struct bough_tree_iter *it, struct bough_tree_entry *e)
{
    enum bough_err err = bough_tree_iter_next(it, e);
    if (err == BOUGH_ENOENT) {
        *e = (struct bough_tree_entry){0};
        return BOUGH_OK;
    }
    return err == BOUGH_EFORMAT ? BOUGH_ECORRUPT : err;
}

static enum bough_type entry_type(const struct bough_tree_entry *e)
{
    uint32_t mode = bough_filemode(e->mode);
    if (mode == BOUGH_FILEMODE_GITLINK)
        return BOUGH_COMMIT;
    return mode == BOUGH_FILEMODE_TREE ? BOUGH_TREE : BOUGH_BLOB;
}

static enum bough_err tell_old(struct bough_sync__trees *t, struct merge *m)
{
    enum bough_err err = BOUGH_OK;
    if (t->old != NULL && entry_type(&m->y) != BOUGH_COMMIT)
        err = t->old(t->ctx, &m->y.id);
    return err ? err : entry_next(&m->b, &m->y);
}

static enum bough_err tell_new(
    struct bough_sync__trees *t, struct merge *m, const struct bough_oid *base)
{
    bool enter = false;
    enum bough_type type = entry_type(&m->x);
    enum bough_err err = BOUGH_OK;
    if (type != BOUGH_COMMIT)
        err = t->entry(t->ctx, &m->x.id, type, base != NULL, &enter);
    if (!err && enter)
        err = t->depth_max > 0 && t->depth >= t->depth_max
                  ? BOUGH_WHY(&t->store->why, BOUGH_ETOOBIG,
                        "trees too deep (limit BOUGH_TREE_DEPTH_MAX)", NULL, 0)
                  : pair_push(t, &m->x.id, base, t->depth + 1);
    return err ? err : entry_next(&m->a, &m->x);
}

static int merge_cmp(const struct merge *m)
{
    if (m->x.name.len == 0 || m->y.name.len == 0)
        return m->x.name.len == 0 ? 1 : -1;
    return bough_tree_name_cmp(
        m->x.name, entry_type(&m->x) == BOUGH_TREE, m->y.name, entry_type(&m->y) == BOUGH_TREE);
}

static enum bough_err merge_step(struct bough_sync__trees *t, struct merge *m)
{
    int cmp = merge_cmp(m);
    if (cmp > 0)
        return tell_old(t, m);
    if (cmp < 0)
        return tell_new(t, m, NULL);
    if (bough_oid_eq(&m->x.id, &m->y.id)) {
        enum bough_err err = entry_next(&m->a, &m->x);
        return err ? err : entry_next(&m->b, &m->y);
    }
    struct bough_oid base = m->y.id;
    bool paired = entry_type(&m->x) == BOUGH_TREE && entry_type(&m->y) == BOUGH_TREE;
    enum bough_err err = tell_old(t, m);
    return err ? err : tell_new(t, m, paired ? &base : NULL);
}

static enum bough_err pair_walk(struct bough_sync__trees *t, const struct bough_sync__pair *pair)
{
    struct merge m = {0};
    enum bough_err err = tree_read(t, &pair->tree, &t->a);
    bough_buf_clear(&t->b);
    if (!err && !bough_oid_is_zero(&pair->base))
        err = tree_read(t, &pair->base, &t->b);
    bough_tree_iter_init(&m.a, t->store->algo, bough_buf_view(&t->a), false);
    bough_tree_iter_init(&m.b, t->store->algo, bough_buf_view(&t->b), false);
    if (!err)
        err = entry_next(&m.a, &m.x);
    if (!err)
        err = entry_next(&m.b, &m.y);
    while (!err && (m.x.name.len > 0 || (m.y.name.len > 0 && t->old != NULL)))
        err = merge_step(t, &m);
    if (err == BOUGH_ECORRUPT && t->store->why.err != BOUGH_ECORRUPT)
        return tree_damage(t->store, &pair->tree, "bad tree");
    return err;
}

enum bough_err bough_sync__trees_step(struct bough_sync__trees *t, size_t *budget)
{
    while (t->n > 0 && *budget > 0) {
        struct bough_sync__pair pair = t->stack[--t->n];
        t->depth = pair.depth;
        enum bough_err err = pair_walk(t, &pair);
        if (err)
            return err;
        size_t cost = PAIR_COST + t->a.len + t->b.len;
        *budget -= cost < *budget ? cost : *budget;
    }
    return BOUGH_OK;
}
