/*
 * update.c - several refs change together.
 *
 *   checks     names, duplicates, clashes, old values, objects
 *   trying     each update on a trial map, deletions first, so that a/b may follow a
 *   moving     in one transaction, with what was received
 *
 * Nothing is written before every check was made; an update that is refused says why in the
 * words that git's own receive-pack uses.
 */
#include "git/name.h"
#include "repo/commit_inner.h"
#include "repo/edit_inner.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/path_inner.h"
#include "repo/txn_inner.h"

#define HEADS "refs/heads/"
#define TAGS  "refs/tags/"

struct updating {
    struct bough_repo *r;
    struct bough_store *objects; /* where new values are looked for */
    struct bough_ref_update *updates;
    size_t n;
    uint32_t flags;
    struct bough_repo__dir *seen; /* names so far */
    struct bough_view head;       /* full name of HEAD's branch; in `lent` of the repository */
};

static bool is_branch(struct bough_view name)
{
    return name.len > sizeof HEADS - 1 && memcmp(name.ptr, HEADS, sizeof HEADS - 1) == 0;
}

static bool is_tag(struct bough_view name)
{
    return name.len > sizeof TAGS - 1 && memcmp(name.ptr, TAGS, sizeof TAGS - 1) == 0;
}

static enum bough_err refuse(struct bough_ref_update *u, enum bough_err err, const char *why)
{
    u->err = err;
    u->why = why;
    return BOUGH_OK;
}

/* ---- Checks ---- */

/* A legal name, once. */
static enum bough_err check_name(struct updating *g, struct bough_ref_update *u)
{
    static const struct bough_oid one = {{1}};

    if (u->name.len > BOUGH_REF_NAME_MAX)
        return refuse(u, BOUGH_ETOOBIG, "funny refname");
    if (bough_refname_check(u->name, 0, NULL) != BOUGH_OK || u->name.len < 6 ||
        memcmp(u->name.ptr, "refs/", 5) != 0)
        return refuse(u, BOUGH_EKEY, "funny refname");
    if (g->seen != NULL && bough_repo__dir_edit(g->r, g->seen, u->name) != NULL)
        return refuse(u, BOUGH_EINVAL, "multiple updates for this ref not allowed");
    return bough_repo__moved_put(g->r, &g->seen, u->name, &one, NULL);
}

/* Is there a ref that `name` would be inside of, or that would be inside of `name`? */
static enum bough_err check_clash(struct updating *g, struct bough_ref_update *u)
{
    struct bough_ref ref;
    struct bough_buf below;
    enum bough_err err = BOUGH_ENOENT;

    for (size_t i = sizeof "refs/"; i < u->name.len && err == BOUGH_ENOENT; i++) {
        if (u->name.ptr[i] == '/')
            err = bough_repo__ref_now(g->r, bough_view(u->name.ptr, i), &ref);
    }
    if (err == BOUGH_ENOENT) {
        bough_buf_init(&below, g->r->mem);
        bough_buf_put_view(&below, u->name);
        bough_buf_put_u8(&below, '/');
        err = below.err
                  ? below.err
                  : bough_repo__ref_after(g->r, bough_buf_view(&below), bough_view(NULL, 0), &ref);
        bough_buf_fini(&below);
    }
    if (err == BOUGH_OK)
        return refuse(u, BOUGH_EKEY, "refname conflicts with an existing ref");
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* The value expected is the one that is there; it goes to u->old for the transaction. */
static enum bough_err check_old(struct updating *g, struct bough_ref_update *u)
{
    static const struct bough_oid none;
    struct bough_ref ref;
    enum bough_err err = bough_repo__ref_now(g->r, u->name, &ref);

    if (err && err != BOUGH_ENOENT)
        return err;
    if (err == BOUGH_OK && ref.kind == BOUGH_REF_SYM)
        return refuse(u, BOUGH_EINVAL, "refusing to update a symbolic ref");
    if (err == BOUGH_ENOENT)
        ref.id = none;
    if (u->check && !bough_oid_eq(&ref.id, &u->old))
        return refuse(u, BOUGH_ETEST, "fetch first");
    u->old = ref.id;
    if (bough_oid_is_zero(&u->now) && bough_view_eq(u->name, g->head) &&
        (g->flags & BOUGH_UPDATE_FORCE_HEAD) == 0)
        return refuse(u, BOUGH_EDENIED, "deletion of the current branch prohibited");
    return BOUGH_OK;
}

/* The new value is there, and a branch gets a commit; what a tag peels to. */
static enum bough_err check_new(
    struct updating *g, struct bough_ref_update *u, struct bough_oid *peeled)
{
    struct bough_found found;
    struct bough_oid root;
    enum bough_err err;

    memset(peeled, 0, sizeof *peeled);
    if (bough_oid_is_zero(&u->now))
        return BOUGH_OK;
    err = bough_store_find(g->objects, &u->now, &found);
    if (err == BOUGH_ENOENT)
        return refuse(u, BOUGH_ENOENT, "bad pack");
    if (err)
        return err;
    if (is_branch(u->name) && found.type != BOUGH_COMMIT)
        return refuse(u, BOUGH_EINVAL, "trying to write non-commit object to branch");
    if (found.type != BOUGH_TAG)
        return BOUGH_OK;
    err = bough_repo__root_in(g->r, g->objects, &u->now, peeled, &root);
    return err == BOUGH_EINVAL ? BOUGH_OK : err; /* a tag of a blob is one, too */
}

/* ---- Trying ---- */

static enum bough_err update_try(struct updating *g, struct bough_ref_update *u)
{
    struct bough_oid peeled;
    enum bough_err err = check_name(g, u);

    if (err == BOUGH_OK && u->err == BOUGH_OK)
        err = check_old(g, u);
    if (err == BOUGH_OK && u->err == BOUGH_OK)
        err = check_new(g, u, &peeled);
    if (err == BOUGH_OK && u->err == BOUGH_OK && bough_oid_is_zero(&u->old) &&
        !bough_oid_is_zero(&u->now))
        err = check_clash(g, u);
    if (err || u->err)
        return err;
    return bough_repo__moved_put(g->r, &g->r->trial, u->name, &u->now, &peeled);
}

/* Try all; `*held` = how many may happen. */
static enum bough_err updates_try(struct updating *g, size_t *held)
{
    bool atomic = (g->flags & BOUGH_UPDATE_ATOMIC) != 0;

    for (int deletions = 1; deletions >= 0; deletions--) {
        for (size_t i = 0; i < g->n; i++) {
            enum bough_err err = BOUGH_OK;

            if (bough_oid_is_zero(&g->updates[i].now) == (deletions == 1))
                err = update_try(g, &g->updates[i]);
            if (err)
                return err;
        }
    }
    *held = 0;
    for (size_t i = 0; i < g->n; i++)
        *held += g->updates[i].err == BOUGH_OK;
    if (!atomic || *held == g->n)
        return BOUGH_OK;
    for (size_t i = 0; i < g->n; i++) {
        if (g->updates[i].err == BOUGH_OK)
            (void)refuse(&g->updates[i], BOUGH_ETEST, "atomic transaction failed");
    }
    *held = 0;
    return BOUGH_OK;
}

/* ---- Moving ---- */

/* What this process knows of the branch follows. */
static enum bough_err head_follow(struct updating *g, const struct bough_ref_update *u)
{
    struct bough_oid root = *bough_oid_empty_tree(g->r->algo);
    struct bough_repo__head *h;
    enum bough_err err = bough_repo__head_known(g->r, u->name, &h);

    if (err || h == NULL)
        return err;
    if (!bough_oid_is_zero(&u->now))
        err = bough_repo__root_in(g->r, g->objects, &u->now, NULL, &root);
    if (err)
        return err;
    bough_repo__touch(h);
    h->commit = u->now;
    bough_repo__tree_follow(&h->tree, &root, false);
    return BOUGH_OK;
}

static enum bough_err update_move(struct updating *g, const struct bough_ref_update *u)
{
    struct bough_event event = {.kind = BOUGH_EVENT_HEAD, .ref = u->name};
    struct bough_oid peeled = {{0}};
    enum bough_err err = BOUGH_OK;

    if (bough_oid_eq(&u->old, &u->now))
        return BOUGH_OK;
    if (g->r->trial != NULL) {
        const struct bough_repo__edit *e = bough_repo__dir_edit(g->r, g->r->trial, u->name);

        if (e != NULL)
            peeled = bough_repo__moved_peeled(e);
    }
    if (is_branch(u->name))
        err = head_follow(g, u);
    if (err == BOUGH_OK)
        err = bough_repo__ref_move(g->r, u->name, &u->old, &u->now, &peeled);
    if (err == BOUGH_OK && !is_tag(u->name))
        err = bough_repo__reflog_put(g->r, u);
    event.old = u->old;
    event.now = u->now;
    if (err == BOUGH_OK)
        bough_history__moved(g->r, &u->old, &u->now, UINT64_MAX);
    return err ? err : bough_repo__event(g->r, &event);
}

/* In a repository without branches the first one becomes HEAD's, unless HEAD's is among them. */
static enum bough_err head_choose(struct updating *g, bool empty)
{
    struct bough_ref_change change = {.name = bough_view_str("HEAD"), .kind = BOUGH_REF_SYM};
    struct bough_txn *txn;
    enum bough_err err;

    for (size_t i = 0; i < g->n && empty; i++) {
        const struct bough_ref_update *u = &g->updates[i];

        if (u->err || bough_oid_is_zero(&u->now) || !is_branch(u->name))
            continue;
        if (bough_view_eq(u->name, g->head))
            return BOUGH_OK;
        if (change.target.len == 0)
            change.target = u->name;
    }
    if (change.target.len == 0)
        return BOUGH_OK;
    err = bough_repo__txn(g->r, &txn);
    return err ? err : bough_txn_ref(txn, &change);
}

/* The transaction: objects, refs, HEAD.  `intake` is taken. */
static enum bough_err updates_move(struct updating *g, struct bough_intake *intake, bool empty)
{
    struct bough_txn *txn;
    enum bough_err err = bough_repo__txn(g->r, &txn);

    /* Heads first: they look at received objects, which the adoption takes away. */
    for (int deletions = 1; deletions >= 0 && err == BOUGH_OK; deletions--) {
        for (size_t i = 0; i < g->n && err == BOUGH_OK; i++) {
            if (g->updates[i].err == BOUGH_OK &&
                bough_oid_is_zero(&g->updates[i].now) == (deletions == 1))
                err = update_move(g, &g->updates[i]);
        }
    }
    if (err == BOUGH_OK)
        err = head_choose(g, empty);
    if (err || intake == NULL) {
        bough_intake_close(intake);
        return err;
    }
    err = bough_txn_adopt(txn, intake);
    if (err)
        g->r->why = g->r->store->why;
    return err;
}

/* Windows of the branches fold, so that old values are compared with what was acknowledged. */
static enum bough_err updates_fold(struct updating *g)
{
    enum bough_err err = bough_repo__heads_refresh(g->r);

    for (size_t i = 0; i < g->n && err == BOUGH_OK; i++) {
        struct bough_repo__head *h;

        g->updates[i].err = BOUGH_OK;
        g->updates[i].why = NULL;
        err = bough_repo__head_known(g->r, g->updates[i].name, &h);
        if (err == BOUGH_OK && h != NULL)
            err = bough_repo__fold_now(h);
    }
    return err;
}

/* HEAD's target, and whether there is no branch yet. */
static enum bough_err updates_head(struct updating *g, struct bough_buf *head, bool *empty)
{
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(g->r->store, bough_view_str("HEAD"), &ref);

    if (err == BOUGH_OK && ref.kind == BOUGH_REF_SYM)
        bough_buf_put_view(head, ref.target);
    if (err && err != BOUGH_ENOENT)
        return err;
    g->head = bough_buf_view(head);
    err = bough_repo__ref_after(g->r, bough_view_str(HEADS), bough_view(NULL, 0), &ref);
    *empty = err == BOUGH_ENOENT;
    if (err && err != BOUGH_ENOENT)
        return err;
    return head->err;
}

/* Begin the transaction when nothing is written yet; a failure before then spoils no gather. */
static enum bough_err txn_early(struct bough_repo *r)
{
    bool wrote = r->wrote;
    struct bough_txn *txn;
    enum bough_err err = bough_repo__txn(r, &txn);

    r->wrote = wrote;
    return err;
}

enum bough_err bough_repo_update(struct bough_repo *r, struct bough_ref_update *updates, size_t n,
    uint32_t flags, struct bough_intake *intake)
{
    struct updating g = {.r = r, .updates = updates, .n = n, .flags = flags};
    struct bough_buf head;
    bool empty = false;
    size_t held = 0;
    enum bough_err err = updates_fold(&g);

    if (err == BOUGH_OK)
        err = bough_repo__begin(r);
    if (err) {
        bough_intake_close(intake);
        return err;
    }
    bough_buf_init(&head, r->mem);
    g.objects = intake != NULL ? bough_intake_view(intake) : r->store;
    /* To begin may end a collection: before, so that what is found to be there stays. */
    err = txn_early(r);
    if (err == BOUGH_OK)
        err = updates_head(&g, &head, &empty);
    if (err == BOUGH_OK)
        err = updates_try(&g, &held);
    if (err == BOUGH_OK && held > 0)
        err = updates_move(&g, intake, empty);
    else
        bough_intake_close(intake);
    bough_repo__dir_free(r, g.seen);
    bough_repo__dir_free(r, r->trial);
    r->trial = NULL;
    bough_buf_fini(&head);
    return bough_repo__end(r, err);
}
