/*
 * branch.c - a branch as a place that is written through its journal.
 *
 *   reading     what is at hand; the rest is that of any tree: place.c
 *   writing     write, move, streams: a record, or a commit of a tree
 *   batches     now, fork, blob, spill, publish: batch.c does the rest
 *   opening
 */
#include "kv/inner.h"
#include "kv/place_inner.h"

enum {
    CAPS_BRANCH = BOUGH_KV__CAPS_TREE | BOUGH_KV_WRITE | BOUGH_KV_BATCH | BOUGH_KV_SNAPSHOT |
                  BOUGH_KV_HANDLES,
};

static const struct bough_kv_class branch_class;

/* ---- Reading ---- */

static bool branch_known(struct bough_kv *kv, struct bough_view key, struct bough_view *out)
{
    return bough_branch_known(bough_kv__place_of(kv)->branch, key, out);
}

/* ---- Writing ---- */

/* So does its store, of what was put there past it. */
static enum bough_err told_by_store(struct bough_kv__place *p, enum bough_err err)
{
    const struct bough_why *why = &bough_repo_store(p->repo)->why;

    if (err && why->err == err)
        p->kv.why = *why;
    return err;
}

/* The head and a tree of its own to edit. */
static enum bough_err head_tree(
    struct bough_kv__place *p, struct bough_oid *head, struct bough_tree **out)
{
    struct bough_oid root;
    enum bough_err err = bough_branch_head(p->branch, head);

    *out = NULL;
    if (err)
        return bough_kv__place_told(p, err);
    if (bough_oid_is_zero(head))
        return bough_kv__place_told(p, bough_tree_open(p->repo, NULL, out));
    err = bough_repo_root_of(p->repo, head, &root);
    return bough_kv__place_told(p, err ? err : bough_tree_open(p->repo, &root, out));
}

/* A commit of an edited tree, which is released. */
static enum bough_err head_commit(struct bough_kv__place *p, const struct bough_oid *head,
    struct bough_tree *t, struct bough_view message, bool empty)
{
    struct bough_commit_opts opts = {.expect = head, .allow_empty = empty};
    struct bough_info info = bough_kv__info_now(&p->info.info, p->kv.env);
    enum bough_err err;

    if (info.message.ptr == NULL)
        info.message = message;
    err = bough_kv__place_told(p, bough_branch_commit(p->branch, t, &info, &opts, NULL));
    bough_tree_close(t);
    return err;
}

/* What the journal does not take: emptying the root, a commit in any case. */
static enum bough_err write_tree(struct bough_kv__place *p, const struct bough_write *w, bool again)
{
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = head_tree(p, &head, &t);

    if (!err)
        err = bough_kv__place_told(p, bough_kv__place_edit(t, w));
    if (err) {
        bough_tree_close(t);
        return err;
    }
    return head_commit(p, &head, t, bough_view(NULL, 0), again);
}

static enum bough_err branch_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_info info;

    BOUGH_ASSERT(n == 1);
    if (w->path.len == 0 || (flags & BOUGH_SET_AGAIN) != 0)
        return write_tree(p, w, (flags & BOUGH_SET_AGAIN) != 0);
    info = bough_kv__info_now(&p->info.info, kv->env);
    return bough_kv__place_told(p, bough_branch_write(p->branch, w, n, &info));
}

static enum bough_err branch_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_buf message;
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = head_tree(p, &head, &t);

    bough_buf_init(&message, kv->env->mem);
    if (!err)
        err = bough_kv__place_told(p, bough_tree_move(t, from, to));
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
    struct bough_kv__place *p = bough_kv__place_of(kv);
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
    return bough_kv__place_told(p, bough_repo_blob(p->repo, w, id));
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
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_oid head;
    struct bough_tree *t;
    enum bough_err err = bough_branch_head(p->branch, &head); /* folds: no edits are left */

    *out = NULL;
    if (!err)
        err = bough_branch_tree(p->branch, &t);
    return bough_kv__place_told(p,
        err ? err
            : bough_kv__place_tree(p->repo, bough_tree_root(t), &head, BOUGH_KV__CAPS_TREE, out));
}

/* For fold: the root, when no window is open above it. */
static enum bough_err branch_still(struct bough_kv *kv, struct bough_kv **out)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_oid none = {{0}};
    struct bough_tree *t;
    enum bough_err err = bough_kv__place_root(p, &t);

    *out = NULL;
    if (!err && bough_tree_edited(t))
        return BOUGH_ENOTSUP;
    return err ? err
               : bough_kv__place_told(p, bough_kv__place_tree(p->repo, bough_tree_root(t), &none,
                                             BOUGH_KV__CAPS_TREE, out));
}

static enum bough_err branch_fork(struct bough_kv *kv, struct bough_kv *now, struct bough_kv **out)
{
    struct bough_kv__place *p = bough_kv__place_of(kv), *n = bough_kv__place_of(now);

    return bough_kv__place_told(p, bough_kv__place_tree(p->repo, bough_tree_root(n->tree),
                                       &n->commit, BOUGH_KV__CAPS_TREE | BOUGH_KV_WRITE, out));
}

static enum bough_err branch_spill(
    struct bough_kv *kv, const struct bough_lent *(*next)(void *ctx), void *ctx)
{
    const struct bough_lent *value;
    struct bough_txn *txn;
    enum bough_err err = bough_txn_begin(bough_repo_store(bough_kv__place_of(kv)->repo), &txn);

    while (!err && (value = next(ctx)) != NULL)
        err = bough_txn_put_known(txn, BOUGH_BLOB, &value->id, value->bytes);
    if (err) {
        bough_txn_abort(txn);
        return err;
    }
    return bough_txn_commit(txn, BOUGH_DURABLE_LATER);
}

static enum bough_err branch_publish(struct bough_kv *kv, struct bough_kv *now,
    struct bough_kv *work, const struct bough_info *info, bool empty)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);
    struct bough_commit_opts opts = {
        .expect = &bough_kv__place_of(now)->commit, .allow_empty = empty};
    struct bough_info whole = bough_kv__info_now(info, kv->env);

    return bough_kv__place_told(
        p, bough_branch_commit(p->branch, bough_kv__place_of(work)->tree, &whole, &opts, NULL));
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
    return bough_kv__batch_open(kv, &branch_host, &bough_kv__place_of(kv)->info, strategy, out);
}

/* ---- Opening ---- */

static enum bough_err branch_again(struct bough_kv *kv, struct bough_kv **out)
{
    struct bough_kv__place *p = bough_kv__place_of(kv);

    return bough_kv_branch_open(p->repo, bough_branch_name(p->branch), out);
}

static const struct bough_kv_class branch_class = {
    .name = "branch",
    .close = bough_kv__place_close,
    .find = bough_kv__place_find,
    .get_part = bough_kv__place_get_part,
    .get = bough_kv__place_get,
    .known = branch_known,
    .size = bough_kv__place_size,
    .next = bough_kv__place_next,
    .digest = bough_kv__place_digest,
    .last_modified = bough_kv__place_last_modified,
    .write = branch_write,
    .move = branch_move,
    .set_stream = branch_set_stream,
    .info = bough_kv__place_info,
    .begin = branch_begin,
    .snapshot = branch_snapshot,
    .again = branch_again,
    .still = branch_still,
};

enum bough_err bough_kv_branch_open(
    struct bough_repo *r, struct bough_view name, struct bough_kv **out)
{
    struct bough_kv__place *p;
    enum bough_err err = bough_kv__place_new(r, &branch_class, CAPS_BRANCH, &p);

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
    return kv->cls == &branch_class ? bough_kv__place_of(kv)->branch : NULL;
}
