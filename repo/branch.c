/*
 * branch.c - handles on branches: reading, writing through the journal, committing trees.
 *
 *   handles    open, close, tree, head
 *   writing    blobs, overlay, records, and a fold when the window is full
 *   commits    a whole tree as the new head
 */
#include "git/name.h"
#include "repo/commit_inner.h"
#include "repo/edit_inner.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/path_inner.h"
#include "repo/tree_inner.h"
#include "repo/txn_inner.h"

#define HEADS "refs/heads/"

enum { HEADS_LEN = sizeof HEADS - 1, WHO_MAX = 16 * 1024, PATH_MAX_LEN = 32 * 1024 };

/* ---- Handles ---- */

enum bough_err bough_branch_open(
    struct bough_repo *r, struct bough_view name, struct bough_branch **out)
{
    struct bough_branch *b = bough_mem_zalloc(r->mem, 1, sizeof *b);
    struct bough_buf full;
    enum bough_err err;

    if (b == NULL)
        return BOUGH_ENOMEM;
    bough_buf_init(&full, r->mem);
    bough_buf_put_str(&full, HEADS);
    bough_buf_put_view(&full, name);
    err = full.err ? full.err : bough_refname_check(bough_buf_view(&full), 0, &r->why);
    if (err == BOUGH_OK)
        err = bough_repo__head_get(r, bough_buf_view(&full), &b->h);
    bough_buf_fini(&full);
    if (err) {
        bough_mem_free(r->mem, b, sizeof *b);
        return err;
    }
    b->h->handles++;
    *out = b;
    return BOUGH_OK;
}

void bough_branch_close(struct bough_branch *b)
{
    struct bough_repo *r;

    if (b == NULL)
        return;
    r = b->h->r;
    b->h->handles--;
    bough_repo__head_release(b->h);
    bough_mem_free(r->mem, b, sizeof *b);
}

struct bough_view bough_branch_name(const struct bough_branch *b)
{
    return bough_view(b->h->name + HEADS_LEN, b->h->name_len - HEADS_LEN);
}

enum bough_err bough_branch_tree(struct bough_branch *b, struct bough_tree **out)
{
    const struct bough_repo__head *h = b->h;

    *out = &b->h->tree;
    if (h->loaded && (h->r->store->caps & BOUGH_STORE_SHARED) == 0)
        return BOUGH_OK; /* for each get: nothing is to be called */
    return bough_repo__head_load(b->h);
}

bool bough_branch_known(struct bough_branch *b, struct bough_view key, struct bough_view *out)
{
    const struct bough_repo__head *h = b->h;

    return h->loaded && (h->r->store->caps & BOUGH_STORE_SHARED) == 0 &&
           bough_repo__path_value(&h->tree, key, out);
}

enum bough_err bough_branch_head(struct bough_branch *b, struct bough_oid *out)
{
    enum bough_err err = bough_repo__head_load(b->h);

    if (err == BOUGH_OK)
        err = bough_repo__fold_now(b->h);
    *out = b->h->commit;
    return err;
}

/* ---- Writing ---- */

/* One call of write() on its way. */
struct writing {
    struct bough_repo *r;
    struct bough_repo__head *h;
    const struct bough_info *info;
    struct bough_buf who;     /* of info */
    struct bough_buf changes; /* not in a record yet */
    uint32_t changes_n;
    struct bough_oid *ids; /* of the values to write */
    bool journal;          /* records are kept; else the window is folded at the end */
    bool entered;          /* a first change was made */
};

static enum bough_err write_refuse(
    struct writing *w, enum bough_err err, const char *what, struct bough_view path)
{
    return BOUGH_WHY(&w->r->why, err, what, path.ptr, path.len);
}

/* What can be known before anything is written. */
static enum bough_err write_check(
    struct writing *w, const struct bough_write *writes, size_t n, bool *idle)
{
    bool sets = false;

    *idle = n == 0;
    for (size_t i = 0; i < n; i++) {
        struct bough_repo__change is;
        enum bough_err err;

        if (writes[i].id != NULL)
            w->ids[i] = *writes[i].id;
        if (writes[i].path.len == 0 || writes[i].path.len > PATH_MAX_LEN)
            return write_refuse(w, BOUGH_EINVAL, "path empty or too long", writes[i].path);
        if (!writes[i].remove && bough_repo__mode_class(writes[i].mode) == BOUGH_REPO__DIR)
            return write_refuse(w, BOUGH_EINVAL, "not a value's mode", writes[i].path);
        if (!writes[i].remove && writes[i].id == NULL) {
            err = bough_oid_make(w->r->algo, BOUGH_BLOB, writes[i].bytes, &w->ids[i], &w->r->why);
            if (err)
                return err;
        }
        sets = sets || !writes[i].remove;
        if (!writes[i].remove || sets)
            continue;
        err = bough_repo__tree_look(&w->h->tree, writes[i].path, &is, NULL);
        if (err)
            return err;
        if (is.kind == BOUGH_NODE_NONE)
            return write_refuse(w, BOUGH_ENOENT, "", writes[i].path);
    }
    return BOUGH_OK;
}

/* A window for this author and message: the one that is open, or a new one. */
static enum bough_err write_window(struct writing *w)
{
    struct bough_repo__head *h = w->h;
    struct bough_buf who;
    enum bough_err err;

    if (h->ops > 0 && !bough_view_eq(bough_buf_view(&h->who), bough_buf_view(&w->who))) {
        err = bough_repo__fold(h);
        if (err)
            return err;
    }
    h->author_time = w->info->author.time;
    h->committer_time = w->info->committer.time;
    if (h->ops > 0)
        return BOUGH_OK;
    who = h->who;
    h->who = w->who;
    w->who = who;
    h->number++;
    h->opened = bough_env_now(w->r->store->env);
    h->open_next = w->r->open;
    w->r->open = h;
    h->ops = 1;
    return BOUGH_OK;
}

/* Put the changes so far in a record. */
static enum bough_err write_record(struct writing *w)
{
    struct bough_repo__record rec = {.window = w->h->number, .info = *w->info};
    struct bough_txn *txn;
    struct bough_buf bytes;
    enum bough_err err;

    if (w->changes_n == 0 || !w->journal)
        return BOUGH_OK;
    err = bough_repo__txn(w->r, &txn);
    if (err)
        return err;
    rec.changes_n = w->changes_n;
    rec.changes = bough_buf_view(&w->changes);
    bough_buf_init(&bytes, w->r->mem);
    bough_repo__record_put(&bytes, &rec);
    err = w->changes.err ? w->changes.err : bytes.err;
    if (err == BOUGH_OK)
        err =
            bough_txn_record(txn, bough_repo__head_name(w->h), bough_buf_view(&bytes), &w->h->seq);
    w->h->journal += bytes.len;
    bough_buf_fini(&bytes);
    bough_buf_clear(&w->changes);
    w->changes_n = 0;
    return err;
}

/* Is this what the path holds already? */
static enum bough_err write_is_idle(
    struct writing *w, const struct bough_write *change, const struct bough_oid *id, bool *idle)
{
    struct bough_repo__known known;
    struct bough_repo__change is;
    enum bough_err err;

    *idle = false;
    if (change->id == NULL && !change->remove &&
        bough_repo__path_get(&w->h->tree, change->path, &known) && known.bytes.ptr != NULL) {
        *idle = known.mode == bough_repo__mode_class(change->mode) &&
                bough_view_eq(known.bytes, change->bytes);
        return BOUGH_OK;
    }
    err = bough_repo__tree_look(&w->h->tree, change->path, &is, NULL);
    if (err)
        return err;
    if (change->remove)
        return is.kind == BOUGH_NODE_NONE ? write_refuse(w, BOUGH_ENOENT, "", change->path)
                                          : BOUGH_OK;
    *idle = is.kind == BOUGH_NODE_VALUE && is.mode == bough_repo__mode_class(change->mode) &&
            bough_oid_eq(id, &is.id);
    return BOUGH_OK;
}

/* Is what it names in this store?  A submodule's commit lives elsewhere. */
static bool is_here(const struct bough_write *change)
{
    return bough_repo__mode_class(change->mode) != BOUGH_REPO__SUB;
}

/* One change: its blob, the overlay, its place in a record, its event. */
static enum bough_err write_one(
    struct writing *w, const struct bough_write *change, const struct bough_oid *id)
{
    struct bough_repo__record_change c = {.remove = change->remove, .path = change->path};
    struct bough_event event = {.kind = BOUGH_EVENT_PATH,
        .ref = bough_repo__head_name(w->h),
        .path = change->path,
        .removed = change->remove};
    struct bough_txn *txn;
    bool idle;
    enum bough_err err = write_is_idle(w, change, id, &idle);

    if (err || idle)
        return err;
    if (!change->remove)
        c.id = *id;
    err = bough_repo__txn(w->r, &txn);
    if (err)
        return err;
    bough_repo__touch(w->h);
    if (!w->entered)
        err = write_window(w);
    if (err == BOUGH_OK && !change->remove && change->id != NULL && is_here(change))
        err = bough_store_has(w->r->store, id); /* no collection ends before this is written */
    if (err == BOUGH_ENOENT)
        return write_refuse(w, err, "there is no such object", change->path);
    if (err == BOUGH_OK && !change->remove && change->id == NULL)
        err = bough_txn_put_known(txn, BOUGH_BLOB, id, change->bytes);
    if (err == BOUGH_OK && change->remove)
        err = bough_tree_remove(&w->h->tree, change->path);
    else if (err == BOUGH_OK)
        err = bough_tree_set(&w->h->tree, change->path, change->mode, &c.id, bough_view(NULL, 0));
    if (err)
        return err;
    w->entered = true;
    c.mode = bough_repo__mode_class(change->mode);
    if (!change->remove)
        bough_repo__path_keep(&w->h->tree, change->path,
            &(struct bough_repo__change){.kind = BOUGH_NODE_VALUE, .mode = c.mode, .id = c.id}, 0,
            change->id == NULL ? change->bytes : bough_view(NULL, 0));
    if (w->changes.len + change->path.len + w->who.len + w->h->who.len >
        BOUGH_RECORD_MAX - BOUGH_REPO__RECORD_HEAD_MAX)
        err = write_record(w);
    bough_repo__change_put(w->r, &w->changes, &c);
    w->changes_n++;
    w->h->ops++;
    w->h->bytes += change->bytes.len;
    return err ? err : bough_repo__event(w->r, &event);
}

static enum bough_err write_all(struct writing *w, const struct bough_write *writes, size_t n)
{
    enum bough_err err = BOUGH_OK;

    w->journal = bough_repo__head_window(w->h).time_ms > 0 && w->who.len <= WHO_MAX &&
                 !w->r->store->tight; /* what a window holds cannot be collected */
    for (size_t i = 0; i < n && err == BOUGH_OK && w->journal; i++) {
        bool now = false;
        if (!writes[i].remove)
            err = bough_repo__must_fold(w->h, writes[i].path, &now);
        w->journal = !now;
    }
    for (size_t i = 0; i < n && err == BOUGH_OK; i++)
        err = write_one(w, &writes[i], &w->ids[i]);
    if (err || !w->entered)
        return err;
    err = write_record(w);
    if (err == BOUGH_OK && (!w->journal || bough_repo__head_full(w->h)))
        err = bough_repo__fold(w->h);
    return err;
}

enum bough_err bough_branch_write(struct bough_branch *b, const struct bough_write *writes,
    size_t n, const struct bough_info *info)
{
    struct bough_oid one;
    struct writing w = {.r = b->h->r, .h = b->h, .info = info, .ids = n > 1 ? NULL : &one};
    enum bough_err err = bough_repo__head_load(b->h);
    bool idle = true;

    if (err == BOUGH_OK)
        err = bough_repo__begin(w.r);
    if (err)
        return err;
    if (n > 1)
        w.ids = bough_mem_zalloc(w.r->mem, n, sizeof *w.ids);
    if (w.ids == NULL)
        return bough_repo__end(w.r, BOUGH_ENOMEM);
    bough_buf_init(&w.who, w.r->mem);
    bough_buf_init(&w.changes, w.r->mem);
    bough_repo__who_put(&w.who, info);
    err = w.who.err ? w.who.err : bough_repo__info_check(w.r, info);
    if (err == BOUGH_OK)
        err = write_check(&w, writes, n, &idle);
    if (err == BOUGH_OK && !idle)
        err = write_all(&w, writes, n);
    bough_buf_fini(&w.who);
    bough_buf_fini(&w.changes);
    if (n > 1)
        bough_mem_free(w.r->mem, w.ids, n * sizeof *w.ids);
    return bough_repo__end(w.r, err);
}

/* ---- Commits ---- */

/* One commit() on its way. */
struct committing {
    struct bough_repo__head *h;
    struct bough_tree *tree;
    struct bough_info info;
    const struct bough_commit_opts *opts;
    struct bough_oid id;
    bool forgot; /* the path cache knows nothing of what changes */
};

static enum bough_err commit_head(
    struct committing *c, struct bough_txn *txn, const struct bough_oid *root)
{
    struct bough_repo__head *h = c->h;
    struct bough_event event = {.kind = BOUGH_EVENT_HEAD, .ref = bough_repo__head_name(h)};
    size_t own = bough_oid_is_zero(&h->commit) ? 0 : 1, n = own + c->opts->parents_n;
    struct bough_oid *parents = bough_mem_alloc(h->r->mem, (n + 1) * sizeof *parents);
    enum bough_err err;

    if (parents == NULL)
        return BOUGH_ENOMEM;
    parents[0] = h->commit;
    for (size_t i = 0; i < c->opts->parents_n; i++)
        parents[own + i] = c->opts->parents[i];
    err = bough_repo__commit_put(h->r, txn, root, parents, n, &c->info, &c->id);
    bough_mem_free(h->r->mem, parents, (n + 1) * sizeof *parents);
    if (err)
        return err;
    event.old = h->commit;
    event.now = c->id;
    err = bough_repo__ref_move(h->r, event.ref, &event.old, &event.now, NULL);
    if (err == BOUGH_OK)
        err = bough_repo__event(h->r, &event);
    if (err == BOUGH_OK)
        bough_history__moved(h->r, &event.old, &event.now, 1);
    h->commit = c->id;
    bough_repo__tree_follow(&h->tree, root, c->forgot);
    return err;
}

static enum bough_err commit_message(
    struct committing *c, const struct bough_oid *root, struct bough_buf *out)
{
    enum bough_err err = BOUGH_OK;

    if (c->info.message.ptr != NULL)
        return BOUGH_OK;
    if (out->len == 0)
        err = bough_repo__message_diff(c->h->r, &c->h->tree.root, root, out);
    c->info.message = bough_buf_view(out);
    return err;
}

static enum bough_err edit_removes(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e)
{
    (void)ctx;
    (void)d;
    (void)path;
    return e->to.dir != NULL || e->to.kind == BOUGH_NODE_NONE ? BOUGH_OK : BOUGH_ETEST;
}

/* Are all of its edits removals?  A full device must not keep them from being made. */
static bool only_removes(const struct committing *c)
{
    return bough_tree_edited(c->tree) && bough_oid_eq(&c->tree->root, &c->h->tree.root) &&
           bough_repo__tree_edits(c->tree, edit_removes, NULL) == BOUGH_OK;
}

/* A transaction.  To begin one may cost a pin, but not that of what it is to commit. */
static enum bough_err commit_begin(struct committing *c, struct bough_txn **out)
{
    struct bough_repo__opened *o = c->tree->opened;
    enum bough_err err;

    if (o != NULL)
        o->pin.held = true;
    err = bough_repo__txn(c->h->r, out);
    if (o != NULL)
        o->pin.held = false;
    return err;
}

/* Write the tree; a commit if that changes anything; `*idle`: nothing was worth writing. */
static enum bough_err commit_tree(struct committing *c, struct bough_buf *message, bool *idle)
{
    struct bough_repo__head *h = c->h;
    struct bough_txn *txn;
    struct bough_oid root;
    enum bough_err err = commit_begin(c, &txn);

    *idle = false;
    if (err == BOUGH_OK && c->info.message.ptr == NULL && bough_tree_edited(c->tree) &&
        bough_oid_eq(&c->tree->root, &h->tree.root))
        err = bough_repo__message_edits(c->tree, message);
    if (err == BOUGH_OK) {
        txn->urgent = only_removes(c);
        c->forgot = bough_repo__forget_edits(&h->tree, c->tree);
        err = bough_tree_write(c->tree, txn, &root);
    }
    if (err)
        return err;
    if (!c->opts->allow_empty && c->opts->parents_n == 0 && bough_oid_eq(&root, &h->tree.root)) {
        *idle = true;
        return BOUGH_OK;
    }
    bough_repo__touch(h);
    err = commit_message(c, &root, message);
    return err ? err : commit_head(c, txn, &root);
}

/* Fold what is open, then look whether the head is the one expected. */
static enum bough_err commit_ready(struct committing *c)
{
    struct bough_repo *r = c->h->r;
    enum bough_err err = bough_repo__head_load(c->h);

    if (err == BOUGH_OK)
        err = bough_repo__info_check(r, &c->info);
    if (err == BOUGH_OK)
        err = bough_repo__fold_now(c->h);
    if (err)
        return err;
    if (c->opts->expect != NULL && !bough_oid_eq(c->opts->expect, &c->h->commit))
        return BOUGH_WHY(&r->why, BOUGH_ETEST, "the branch has moved", c->h->name, c->h->name_len);
    return bough_repo__begin(r);
}

enum bough_err bough_branch_commit(struct bough_branch *b, struct bough_tree *tree,
    const struct bough_info *info, const struct bough_commit_opts *opts, struct bough_oid *id)
{
    static const struct bough_commit_opts plain = {0};
    struct committing c = {
        .h = b->h, .tree = tree, .info = *info, .opts = opts != NULL ? opts : &plain};
    struct bough_buf message;
    bool idle;
    enum bough_err err = commit_ready(&c);

    if (err)
        return err;
    bough_buf_init(&message, b->h->r->mem);
    err = commit_tree(&c, &message, &idle);
    if (b->h->r->txn != NULL)
        b->h->r->txn->urgent = false;
    bough_buf_fini(&message);
    err = err == BOUGH_OK && idle ? bough_repo__end_idle(b->h->r) : bough_repo__end(b->h->r, err);
    if (err == BOUGH_OK && id != NULL)
        *id = b->h->commit;
    return err;
}
