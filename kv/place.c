/*
 * place.c - places over Git trees: what a branch and a commit share, and the latter.
 *
 *   handles     a branch, or a tree of one's own
 *   reading     find, parts, size, next, digest, last_modified
 *   edits       of a tree in memory: what a batch works on
 *   trees       any commit, read only; with BOUGH_KV_WRITE a fork of one
 */
#include "kv/inner.h"
#include "kv/place_inner.h"

static const struct bough_kv_class tree_class;

/* ---- Handles ---- */

enum bough_err bough_kv__place_failed(struct bough_kv__place *p, enum bough_err err)
{
    if (err != BOUGH_ENOENT && bough_repo_why(p->repo)->err == err)
        p->kv.why = *bough_repo_why(p->repo);
    return err;
}

enum bough_err bough_kv__place_root(struct bough_kv__place *p, struct bough_tree **out)
{
    *out = p->tree;
    return p->branch != NULL ? bough_kv__place_told(p, bough_branch_tree(p->branch, out))
                             : BOUGH_OK;
}

enum bough_err bough_kv__place_new(struct bough_repo *r, const struct bough_kv_class *cls,
    uint32_t caps, struct bough_kv__place **out)
{
    const struct bough_env *env = bough_repo_env(r);
    struct bough_kv__place *p = bough_mem_zalloc(env->mem, 1, sizeof *p);

    *out = p;
    if (p == NULL)
        return BOUGH_ENOMEM;
    bough_kv_init(&p->kv, cls, env, bough_repo_store(r)->algo, caps);
    bough_kv__info_init(&p->info, env->mem);
    p->repo = r;
    return BOUGH_OK;
}

void bough_kv__place_close(struct bough_kv *kv)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);

    bough_tree_close(p->tree);
    bough_branch_close(p->branch);
    bough_kv__info_fini(&p->info);
    bough_mem_free(kv->env->mem, p, sizeof *p);
}

enum bough_err bough_kv__place_info(struct bough_kv *kv, const struct bough_info *info)
{
    return bough_kv__info_set(&bough_kv__place_of(kv)->info, info);
}

/* ---- Reading ---- */

enum bough_err bough_kv__place_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct bough_tree *t;
    enum bough_err err = bough_kv__place_root(bough_kv__place_of(kv), &t);

    return err ? err
               : bough_kv__place_told(
                     bough_kv__place_of(kv), bough_tree_find(t, path, out, through));
}

enum bough_err bough_kv__place_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out)
{
    (void)path;
    return bough_kv__place_told(
        bough_kv__place_of(kv), bough_node_size(bough_kv__place_of(kv)->repo, n, out));
}

enum bough_err bough_kv__place_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    uint64_t size;
    size_t got = 0;
    uint8_t *dst;
    enum bough_err err;

    if (at == 0 && len == INT64_MAX)
        return bough_kv__place_told(p, bough_node_read(p->repo, n, out));
    err = bough_kv__place_size(kv, path, n, &size);
    if (err || at >= size)
        return err;
    if (len > size - at)
        len = size - at;
    if (len > bough_repo_store(p->repo)->object_max)
        return BOUGH_ETOOBIG;
    dst = bough_buf_room(out, (size_t)len);
    if (dst == NULL)
        return len > 0 ? out->err : BOUGH_OK;
    for (size_t done = 0; !err && done < len; done += got) {
        err = bough_node_read_part(p->repo, n, at + done, dst + done, (size_t)len - done, &got);
        if (!err && got == 0)
            err = BOUGH_ECORRUPT;
    }
    out->len += err ? 0 : (size_t)len;
    return bough_kv__place_told(p, err);
}

enum bough_err bough_kv__place_get(struct bough_kv *kv, struct bough_view path, uint64_t at,
    uint64_t len, struct bough_node *n, struct bough_buf *out)
{
    struct bough_tree *t;
    enum bough_err err = bough_kv__place_root(bough_kv__place_of(kv), &t);

    return err ? err
               : bough_kv__place_told(
                     bough_kv__place_of(kv), bough_tree_get(t, path, at, len, n, out));
}

enum bough_err bough_kv__place_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_tree *t;
    enum bough_err err = bough_kv__place_root(bough_kv__place_of(kv), &t);

    if (!err)
        err = bough_kv__place_told(
            bough_kv__place_of(kv), bough_tree_next(t, path, after, &out->name, &out->node));
    if (err)
        return err;
    out->kind = bough_kv__kind(out->node.kind);
    out->git_mode = out->node.mode;
    return BOUGH_OK;
}

enum bough_err bough_kv__place_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct bough_tree *t;
    enum bough_err err = bough_kv__place_root(bough_kv__place_of(kv), &t);

    return err ? err
               : bough_kv__place_told(bough_kv__place_of(kv), bough_tree_digest(t, path, out));
}

enum bough_err bough_kv__place_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_oid commit = p->commit;
    enum bough_err err = BOUGH_OK;

    if (p->branch != NULL)
        err = bough_branch_head(p->branch, &commit);
    if (!err && bough_oid_is_zero(&commit))
        return BOUGH_ENOENT;
    if (!err)
        err = bough_history_last_change(p->repo, &commit, path, &out->commit, &out->time);
    if (err == BOUGH_ENOENT && p->branch == NULL &&
        bough_store_has(bough_repo_store(p->repo), &commit) == BOUGH_ENOENT)
        return BOUGH_WHY(/* the values of a snapshot live; the history behind it need not */
            &p->kv.why, BOUGH_EEXPIRED, "its history was given up", path.ptr, path.len);
    return bough_kv__place_told(p, err);
}

/* ---- Edits ---- */

enum bough_err bough_kv__place_edit(struct bough_tree *t, const struct bough_write *w)
{
    enum bough_err err;

    if (!w->remove && w->lent != NULL)
        return bough_tree_lend(t, w->path, w->mode, w->lent);
    if (!w->remove)
        return bough_tree_set(t, w->path, w->mode, w->id, w->bytes);
    err = bough_tree_remove(t, w->path);
    return err == BOUGH_ENOENT && w->path.len == 0 ? BOUGH_OK : err; /* empty already */
}

static enum bough_err tree_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);

    (void)flags; /* a batch remembers who wants a commit in any case */
    BOUGH_ASSERT(n == 1);
    return bough_kv__place_told(p, bough_kv__place_edit(p->tree, w));
}

static enum bough_err tree_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);

    return bough_kv__place_told(p, bough_tree_move(p->tree, from, to));
}

/* ---- Trees ---- */

enum bough_err bough_kv__place_tree(struct bough_repo *r, const struct bough_oid *root,
    const struct bough_oid *commit, uint32_t caps, struct bough_kv **out)
{
    struct bough_kv__place *p;
    enum bough_err err = bough_kv__place_new(r, &tree_class, caps, &p);

    *out = NULL;
    if (err)
        return err;
    p->commit = *commit;
    err = bough_tree_open(r, root, &p->tree);
    if (err) {
        bough_kv_close(&p->kv);
        return err;
    }
    *out = &p->kv;
    return BOUGH_OK;
}

static const struct bough_kv_class tree_class = {
    .name = "tree",
    .close = bough_kv__place_close,
    .find = bough_kv__place_find,
    .get_part = bough_kv__place_get_part,
    .get = bough_kv__place_get,
    .size = bough_kv__place_size,
    .next = bough_kv__place_next,
    .digest = bough_kv__place_digest,
    .last_modified = bough_kv__place_last_modified,
    .write = tree_write,
    .move = tree_move,
    .info = bough_kv__place_info,
};

enum bough_err bough_kv_commit_open(
    struct bough_repo *r, const struct bough_oid *commit, struct bough_kv **out)
{
    struct bough_oid root;
    enum bough_err err = bough_repo_root_of(r, commit, &root);

    *out = NULL;
    return err ? err : bough_kv__place_tree(r, &root, commit, BOUGH_KV__CAPS_TREE, out);
}
