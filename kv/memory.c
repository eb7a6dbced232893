/*
 * memory.c - the place in memory, without history.
 *
 *   places      a tree that handles share; a snapshot is a place that nobody writes
 *   reading     find, parts, size, next, digest, last_modified
 *   writing     write, move
 *   batches     now, fork, publish: batch.c does the rest
 */
#include "kv/inner.h"
#include "kv/memory_inner.h"

struct place {
    uint32_t refs;
    struct bough_kv__memtree tree;
};

struct memory {
    struct bough_kv kv;
    struct place *place;
    struct bough_kv__info info;
};

enum { CAPS_ALL = BOUGH_KV_WRITE | BOUGH_KV_BATCH | BOUGH_KV_SNAPSHOT | BOUGH_KV_MODE };

static const struct bough_kv_class memory_class;

/* ---- Places ---- */

static struct bough_kv__memtree *tree_of(struct bough_kv *kv)
{
    return &((struct memory *)kv)->place->tree;
}

static void place_drop(struct bough_mem *mem, struct place *p)
{
    if (--p->refs > 0)
        return;
    bough_kv__memtree_fini(&p->tree);
    bough_mem_free(mem, p, sizeof *p);
}

/* A handle on `p` (taken, even on error). */
static enum bough_err handle_new(
    const struct bough_env *env, struct place *p, uint32_t caps, struct bough_kv **out)
{
    struct memory *m = bough_mem_alloc(env->mem, sizeof *m);

    *out = NULL;
    if (m == NULL) {
        place_drop(env->mem, p);
        return BOUGH_ENOMEM;
    }
    bough_kv_init(&m->kv, &memory_class, env, p->tree.algo, caps);
    bough_kv__info_init(&m->info, env->mem);
    m->place = p;
    *out = &m->kv;
    return BOUGH_OK;
}

/* A place of its own that holds what `from` is now. */
static enum bough_err handle_share(
    struct bough_kv *kv, const struct bough_kv__memtree *from, uint32_t caps, struct bough_kv **out)
{
    struct place *p = bough_mem_alloc(kv->env->mem, sizeof *p);

    *out = NULL;
    if (p == NULL)
        return BOUGH_ENOMEM;
    p->refs = 1;
    bough_kv__memtree_share(&p->tree, from);
    return handle_new(kv->env, p, caps, out);
}

enum bough_err bough_kv_memory_open(
    const struct bough_env *env, enum bough_algo algo, struct bough_kv **out)
{
    struct place *p = bough_mem_alloc(env->mem, sizeof *p);

    *out = NULL;
    if (p == NULL)
        return BOUGH_ENOMEM;
    p->refs = 1;
    if (bough_kv__memtree_init(&p->tree, env->mem, algo)) {
        bough_mem_free(env->mem, p, sizeof *p);
        return BOUGH_ENOMEM;
    }
    return handle_new(env, p, CAPS_ALL | BOUGH_KV_HANDLES, out);
}

static void memory_close(struct bough_kv *kv)
{
    struct memory *m = (struct memory *)kv;

    place_drop(kv->env->mem, m->place);
    bough_kv__info_fini(&m->info);
    bough_mem_free(kv->env->mem, m, sizeof *m);
}

static enum bough_err memory_again(struct bough_kv *kv, struct bough_kv **out)
{
    struct memory *m = (struct memory *)kv;

    m->place->refs++;
    return handle_new(kv->env, m->place, kv->caps, out);
}

static enum bough_err memory_snapshot(struct bough_kv *kv, struct bough_kv **out)
{
    return handle_share(kv, tree_of(kv), BOUGH_KV_MODE, out);
}

static enum bough_err memory_info(struct bough_kv *kv, const struct bough_info *info)
{
    return bough_kv__info_set(&((struct memory *)kv)->info, info);
}

/* ---- Reading ---- */

static struct bough_node node_of(const struct bough_kv__cow *n, uint32_t mode)
{
    struct bough_node node = {.kind = BOUGH_NODE_NONE};

    if (n == NULL)
        return node;
    node.kind = n->dict ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    node.mode = mode;
    if (n->has_id)
        node.id = n->id;
    if (!n->dict)
        node.bytes = bough_kv__cow_bytes(n);
    return node;
}

static enum bough_err memory_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct bough_kv__found f = bough_kv__memtree_find(tree_of(kv), path);

    *out = node_of(f.node, f.mode);
    if (through != NULL)
        *through = f.through;
    return BOUGH_OK;
}

static enum bough_err memory_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out)
{
    (void)kv;
    (void)path;
    if (at >= n->bytes.len)
        return BOUGH_OK;
    if (len > n->bytes.len - at)
        len = n->bytes.len - at;
    bough_buf_put(out, n->bytes.ptr + at, (size_t)len);
    return out->err;
}

static enum bough_err memory_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out)
{
    (void)kv;
    (void)path;
    *out = n->bytes.len;
    return BOUGH_OK;
}

static enum bough_err memory_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_kv__found f = bough_kv__memtree_find(tree_of(kv), path);
    const struct bough_kv__entry *e;

    e = f.node != NULL && f.node->dict ? bough_kv__cow_next(f.node, after) : NULL;
    if (e == NULL)
        return BOUGH_ENOENT;
    out->name = bough_kv__name_bytes(e->name);
    out->node = node_of(e->node, e->mode);
    out->kind = bough_kv__kind(out->node.kind);
    out->git_mode = e->mode;
    return BOUGH_OK;
}

static enum bough_err memory_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct bough_kv__found f = bough_kv__memtree_find(tree_of(kv), path);

    return f.node != NULL ? bough_kv__cow_id(tree_of(kv), f.node, out) : BOUGH_ENOENT;
}

static enum bough_err memory_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out)
{
    struct bough_kv__found f = bough_kv__memtree_find(tree_of(kv), path);

    if (f.node == NULL || f.at.seq == 0)
        return BOUGH_ENOENT;
    out->time = f.at.time;
    return BOUGH_OK;
}

/* ---- Writing ---- */

static enum bough_err memory_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct memory *m = (struct memory *)kv;
    struct bough_time now = bough_kv__info_time(&m->info, kv->env);

    (void)flags; /* there are no commits to make again */
    BOUGH_ASSERT(n == 1);
    if (w->remove)
        return bough_kv__memtree_remove(tree_of(kv), w->path, now);
    return bough_kv__memtree_set(tree_of(kv), w->path, w->mode, w->bytes, now);
}

static enum bough_err memory_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct memory *m = (struct memory *)kv;

    return bough_kv__memtree_move(tree_of(kv), from, to, bough_kv__info_time(&m->info, kv->env));
}

/* ---- Batches ---- */

static enum bough_err memory_fork(struct bough_kv *kv, struct bough_kv *now, struct bough_kv **out)
{
    return handle_share(kv, tree_of(now), BOUGH_KV_WRITE | BOUGH_KV_MODE, out);
}

static enum bough_err memory_publish(struct bough_kv *kv, struct bough_kv *now,
    struct bough_kv *work, const struct bough_info *info, bool empty)
{
    struct bough_kv__memtree *tree = tree_of(kv);
    struct bough_oid was, is;
    enum bough_err err;

    (void)info; /* the work bears its times already */
    (void)empty;
    if (tree->root != tree_of(now)->root)
        return BOUGH_ETEST;
    err = bough_kv__cow_id(tree, tree->root, &was);
    if (!err)
        err = bough_kv__cow_id(tree_of(work), tree_of(work)->root, &is);
    if (err || bough_oid_eq(&was, &is))
        return err;
    bough_kv__memtree_fini(tree);
    bough_kv__memtree_share(tree, tree_of(work));
    return BOUGH_OK;
}

static const struct bough_kv__host memory_host = {
    .now = memory_snapshot,
    .fork = memory_fork,
    .publish = memory_publish,
};

static enum bough_err memory_begin(
    struct bough_kv *kv, enum bough_strategy strategy, struct bough_kv **out)
{
    if ((kv->caps & BOUGH_KV_BATCH) == 0)
        return BOUGH_ENOTSUP;
    return bough_kv__batch_open(kv, &memory_host, &((struct memory *)kv)->info, strategy, out);
}

static const struct bough_kv_class memory_class = {
    .name = "memory",
    .close = memory_close,
    .find = memory_find,
    .get_part = memory_get_part,
    .size = memory_size,
    .next = memory_next,
    .digest = memory_digest,
    .last_modified = memory_last_modified,
    .write = memory_write,
    .move = memory_move,
    .info = memory_info,
    .begin = memory_begin,
    .snapshot = memory_snapshot,
    .again = memory_again,
};
