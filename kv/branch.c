/*
 * branch.c - places over Git trees: a branch that is written through its journal, any commit read
 * only, and the fork of one that a batch works on.
 *
 *   handles     a branch, or a tree of one's own
 *   reading     find, parts, size, next, digest, last_modified
 *   forks       edits of a tree in memory
 *   writing     write, move, streams: a record, or a commit of a tree
 *   batches     now, fork, blob, spill, publish: batch.c does the rest
 *   opening
 */
#include "kv/inner.h"

struct place {
    struct bough_kv kv;
    struct bough_repo *repo;
    struct bough_branch *branch; /* NULL: the tree below */
    struct bough_tree *tree;
    struct bough_oid commit; /* that the tree is of; zero: of none */
    struct bough_kv__info info;
};

enum {
    CAPS_TREE = BOUGH_KV_MODE | BOUGH_KV_HISTORY,
    CAPS_BRANCH =
        CAPS_TREE | BOUGH_KV_WRITE | BOUGH_KV_BATCH | BOUGH_KV_SNAPSHOT | BOUGH_KV_HANDLES,
};

static const struct bough_kv_class branch_class, tree_class;

/* ---- Handles ---- */

static struct place *place_of(struct bough_kv *kv)
{
    return (struct place *)kv;
}

static enum bough_err failed(struct place *p, enum bough_err err)
{
    if (err != BOUGH_ENOENT && bough_repo_why(p->repo)->err == err)
        p->kv.why = *bough_repo_why(p->repo);
    return err;
}

/* The repository knows more of a failure than the path. */
static inline enum bough_err told(struct place *p, enum bough_err err)
{
    return err ? failed(p, err) : BOUGH_OK;
}

/* So does its store, of what was put there past it. */
static enum bough_err told_by_store(struct place *p, enum bough_err err)
{
    const struct bough_why *why = &bough_repo_store(p->repo)->why;

    if (err && why->err == err)
        p->kv.why = *why;
    return err;
}

static enum bough_err place_tree(struct place *p, struct bough_tree **out)
{
    *out = p->tree;
    return p->branch != NULL ? told(p, bough_branch_tree(p->branch, out)) : BOUGH_OK;
}

static enum bough_err place_new(
    struct bough_repo *r, const struct bough_kv_class *cls, uint32_t caps, struct place **out)
{
    const struct bough_env *env = bough_repo_env(r);
    struct place *p = bough_mem_zalloc(env->mem, 1, sizeof *p);

    *out = p;
    if (p == NULL)
        return BOUGH_ENOMEM;
    bough_kv_init(&p->kv, cls, env, bough_repo_store(r)->algo, caps);
    bough_kv__info_init(&p->info, env->mem);
    p->repo = r;
    return BOUGH_OK;
}

static void place_close(struct bough_kv *kv)
{
    struct place *p = place_of(kv);

    bough_tree_close(p->tree);
    bough_branch_close(p->branch);
    bough_kv__info_fini(&p->info);
    bough_mem_free(kv->env->mem, p, sizeof *p);
}

/* A place on the tree `root`, which is that of `commit`. */
static enum bough_err tree_place(struct bough_repo *r, const struct bough_oid *root,
    const struct bough_oid *commit, uint32_t caps, struct bough_kv **out)
{
    struct place *p;
    enum bough_err err = place_new(r, &tree_class, caps, &p);

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

static enum bough_err place_info(struct bough_kv *kv, const struct bough_info *info)
{
    return bough_kv__info_set(&place_of(kv)->info, info);
}

/* ---- Reading ---- */

static enum bough_err place_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct bough_tree *t;
    enum bough_err err = place_tree(place_of(kv), &t);

    return err ? err : told(place_of(kv), bough_tree_find(t, path, out, through));
}

static enum bough_err place_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out)
{
    (void)path;
    return told(place_of(kv), bough_node_size(place_of(kv)->repo, n, out));
}

static enum bough_err place_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out)
{
    struct place *p = place_of(kv);
    uint64_t size;
    size_t got = 0;
    uint8_t *dst;
    enum bough_err err;

    if (at == 0 && len == INT64_MAX)
        return told(p, bough_node_read(p->repo, n, out));
    err = place_size(kv, path, n, &size);
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
    return told(p, err);
}

static enum bough_err place_get(struct bough_kv *kv, struct bough_view path, uint64_t at,
    uint64_t len, struct bough_node *n, struct bough_buf *out)
{
    struct bough_tree *t;
    enum bough_err err = place_tree(place_of(kv), &t);

    return err ? err : told(place_of(kv), bough_tree_get(t, path, at, len, n, out));
}

static enum bough_err place_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_tree *t;
    enum bough_err err = place_tree(place_of(kv), &t);

    if (!err)
        err = told(place_of(kv), bough_tree_next(t, path, after, &out->name, &out->node));
    if (err)
        return err;
    out->kind = bough_kv__kind(out->node.kind);
    out->git_mode = out->node.mode;
    return BOUGH_OK;
}

static enum bough_err place_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out)
{
    struct bough_tree *t;
    enum bough_err err = place_tree(place_of(kv), &t);

    return err ? err : told(place_of(kv), bough_tree_digest(t, path, out));
}

static enum bough_err place_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out)
{
    struct place *p = place_of(kv);
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
    return told(p, err);
}

/* ---- Forks ---- */

static enum bough_err tree_edit(struct bough_tree *t, const struct bough_write *w)
{
    enum bough_err err;

    if (!w->remove)
        return bough_tree_set(t, w->path, w->mode, w->id != NULL ? w->id : w->known, w->bytes);
    err = bough_tree_remove(t, w->path);
    return err == BOUGH_ENOENT && w->path.len == 0 ? BOUGH_OK : err; /* empty already */
}

static enum bough_err tree_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct place *p = place_of(kv);

    (void)flags; /* a batch remembers who wants a commit in any case */
    BOUGH_ASSERT(n == 1);
    return told(p, tree_edit(p->tree, w));
}

static enum bough_err tree_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct place *p = place_of(kv);

    return told(p, bough_tree_move(p->tree, from, to));
}

/* ---- Writing ---- */

/* The head and a tree of its own to edit. */
static enum bough_err head_tree(struct place *p, struct bough_oid *head, struct bough_tree **out)
{
    struct bough_oid root;
    enum bough_err err = bough_branch_head(p->branch, head);

    *out = NULL;
    if (err)
        return told(p, err);
    if (bough_oid_is_zero(head))
        return told(p, bough_tree_open(p->repo, NULL, out));
    err = bough_repo_root_of(p->repo, head, &root);
    return told(p, err ? err : bough_tree_open(p->repo, &root, out));
}

/* A commit of an edited tree, which is released. */
static enum bough_err head_commit(struct place *p, const struct bough_oid *head,
    struct bough_tree *t, struct bough_view message, bool empty)
{
    struct bough_commit_opts opts = {.expect = head, .allow_empty = empty};
    struct bough_info info = bough_kv__info_now(&p->info.info, p->kv.env);
    enum bough_err err;

    if (info.message.ptr == NULL)
        info.message = message;
    err = told(p, bough_branch_commit(p->branch, t, &info, &opts, NULL));
    bough_tree_close(t);
    return err;
}

/* What the journal does not take: emptying the root, a commit in any case. */
static enum bough_err write_tree(struct place *p, const struct bough_write *w, bool again)
{
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = head_tree(p, &head, &t);

    if (!err)
        err = told(p, tree_edit(t, w));
    if (err) {
        bough_tree_close(t);
        return err;
    }
    return head_commit(p, &head, t, bough_view(NULL, 0), again);
}

static enum bough_err branch_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct place *p = place_of(kv);
    struct bough_info info;

    BOUGH_ASSERT(n == 1);
    if (w->path.len == 0 || (flags & BOUGH_SET_AGAIN) != 0)
        return write_tree(p, w, (flags & BOUGH_SET_AGAIN) != 0);
    info = bough_kv__info_now(&p->info.info, kv->env);
    return told(p, bough_branch_write(p->branch, w, n, &info));
}

static enum bough_err branch_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct place *p = place_of(kv);
    struct bough_buf message;
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = head_tree(p, &head, &t);

    bough_buf_init(&message, kv->env->mem);
    if (!err)
        err = told(p, bough_tree_move(t, from, to));
    bough_kv__rename_message(&message, from, to);
    if (!err)
        err = message.err;
    if (err)
        bough_tree_close(t);
    else
        err = head_commit(p, &head, t, bough_buf_view(&message), false);
    bough_buf_fini(&message);
    return err;
}

/* A big value joins the store. */
static enum bough_err branch_blob(
    struct bough_kv *kv, uint64_t size, struct bough_source *src, struct bough_oid *id)
{
    struct place *p = place_of(kv);
    struct bough_blob_writer *w;
    struct bough_view piece;
    enum bough_err err = bough_blob_begin(bough_repo_store(p->repo), size, &w);

    if (err)
        return told_by_store(p, err);
    for (uint64_t left = size; !err && left > 0; left -= piece.len) {
        err = bough_source_peek(src, &piece);
        if (!err && piece.len == 0 && size == BOUGH_BLOB_UNKNOWN)
            break;
        if (!err && piece.len == 0)
            err = BOUGH_EFORMAT;
        if (err)
            break;
        if (piece.len > left)
            piece.len = (size_t)left;
        err = bough_blob_put(w, piece);
        bough_source_skip(src, piece.len);
    }
    if (err) {
        err = told_by_store(p, err);
        bough_blob_close(w);
        return err;
    }
    return told(p, bough_repo_blob(p->repo, w, id));
}

static enum bough_err branch_set_stream(struct bough_kv *kv, struct bough_view path,
    uint32_t git_mode, uint64_t size, struct bough_source *src)
{
    struct bough_write w = {.path = path, .mode = git_mode};
    struct bough_oid id;
    enum bough_err err = branch_blob(kv, size, src, &id);

    w.id = &id;
    return err ? err : branch_write(kv, &w, 1, 0);
}

/* ---- Batches ---- */

static enum bough_err branch_snapshot(struct bough_kv *kv, struct bough_kv **out)
{
    struct place *p = place_of(kv);
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = bough_branch_head(p->branch, &head); /* folds: no edits are left */

    *out = NULL;
    if (!err)
        err = bough_branch_tree(p->branch, &t);
    return told(p, err ? err : tree_place(p->repo, bough_tree_root(t), &head, CAPS_TREE, out));
}

/* For fold: the root, when no window is open above it. */
static enum bough_err branch_still(struct bough_kv *kv, struct bough_kv **out)
{
    struct place *p = place_of(kv);
    struct bough_oid none = {{0}};
    struct bough_tree *t;
    enum bough_err err = place_tree(p, &t);

    *out = NULL;
    if (!err && bough_tree_edited(t))
        return BOUGH_ENOTSUP;
    return err ? err : told(p, tree_place(p->repo, bough_tree_root(t), &none, CAPS_TREE, out));
}

static enum bough_err branch_fork(struct bough_kv *kv, struct bough_kv *now, struct bough_kv **out)
{
    struct place *p = place_of(kv), *n = place_of(now);

    return told(p,
        tree_place(p->repo, bough_tree_root(n->tree), &n->commit, CAPS_TREE | BOUGH_KV_WRITE, out));
}

static enum bough_err branch_spill(
    struct bough_kv *kv, struct bough_kv *work, const struct bough_kv__value *values, size_t n)
{
    struct bough_txn *txn;
    enum bough_err err = bough_txn_begin(bough_repo_store(place_of(kv)->repo), &txn);

    for (size_t i = 0; !err && i < n; i++)
        err = bough_txn_put_known(txn, BOUGH_BLOB, values[i].id, values[i].bytes);
    if (err) {
        bough_txn_abort(txn);
        return err;
    }
    err = bough_txn_commit(txn, BOUGH_DURABLE_LATER);
    return err ? err : bough_tree_let_go(place_of(work)->tree);
}

static enum bough_err branch_publish(struct bough_kv *kv, struct bough_kv *now,
    struct bough_kv *work, const struct bough_info *info, bool empty)
{
    struct place *p = place_of(kv);
    struct bough_commit_opts opts = {.expect = &place_of(now)->commit, .allow_empty = empty};
    struct bough_info whole = bough_kv__info_now(info, kv->env);

    return told(p, bough_branch_commit(p->branch, place_of(work)->tree, &whole, &opts, NULL));
}

static const struct bough_kv__host branch_host = {
    .now = branch_snapshot,
    .fork = branch_fork,
    .blob = branch_blob,
    .spill = branch_spill,
    .publish = branch_publish,
};

static enum bough_err branch_begin(
    struct bough_kv *kv, enum bough_strategy strategy, struct bough_kv **out)
{
    return bough_kv__batch_open(kv, &branch_host, &place_of(kv)->info, strategy, out);
}

/* ---- Opening ---- */

static enum bough_err branch_again(struct bough_kv *kv, struct bough_kv **out)
{
    struct place *p = place_of(kv);

    return bough_kv_branch_open(p->repo, bough_branch_name(p->branch), out);
}

static const struct bough_kv_class branch_class = {
    .name = "branch",
    .close = place_close,
    .find = place_find,
    .get_part = place_get_part,
    .get = place_get,
    .size = place_size,
    .next = place_next,
    .digest = place_digest,
    .last_modified = place_last_modified,
    .write = branch_write,
    .move = branch_move,
    .set_stream = branch_set_stream,
    .info = place_info,
    .begin = branch_begin,
    .snapshot = branch_snapshot,
    .again = branch_again,
    .still = branch_still,
};

static const struct bough_kv_class tree_class = {
    .name = "tree",
    .close = place_close,
    .find = place_find,
    .get_part = place_get_part,
    .get = place_get,
    .size = place_size,
    .next = place_next,
    .digest = place_digest,
    .last_modified = place_last_modified,
    .write = tree_write,
    .move = tree_move,
    .info = place_info,
};

enum bough_err bough_kv_branch_open(
    struct bough_repo *r, struct bough_view name, struct bough_kv **out)
{
    struct place *p;
    enum bough_err err = place_new(r, &branch_class, CAPS_BRANCH, &p);

    *out = NULL;
    if (err)
        return err;
    err = bough_branch_open(r, name, &p->branch);
    if (err) {
        p->branch = NULL;
        bough_kv_close(&p->kv);
        return err;
    }
    *out = &p->kv;
    return BOUGH_OK;
}

struct bough_branch *bough_kv_branch(struct bough_kv *kv)
{
    return kv->cls == &branch_class ? place_of(kv)->branch : NULL;
}

enum bough_err bough_kv_commit_open(
    struct bough_repo *r, const struct bough_oid *commit, struct bough_kv **out)
{
    struct bough_oid root;
    enum bough_err err = bough_repo_root_of(r, commit, &root);

    *out = NULL;
    return err ? err : tree_place(r, &root, commit, CAPS_TREE, out);
}
