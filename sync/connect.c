/*
 * connect.c - is all there that a received pack names, and does a branch move forward?
 *
 *   objects    is it there, of that type?
 *   anchor     a tree here before, to compare the newest commits with
 *   commits    in the order of the pack, usually the newest first: each tree against a child's
 *   bare       trees that no received commit has; tags
 *   ancestor   a walk by date from one commit to another
 *
 * Invariant: a commit is WHOLE when every object of its tree is known to be there; a tree is
 * only compared with that of a commit that is WHOLE or was in the store before, which is closed.
 */
#include "sync/inner.h"
#include "sync/receive_inner.h"

enum { OBJECT_COST = 1024 };

#define VISITED BOUGH_SYNC__VISITED
#define WHOLE   BOUGH_SYNC__WHOLE

static enum bough_err connect_entry(
    void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter);

void bough_sync__connect_init(struct bough_sync__connect *c, struct bough_sync__session *s,
    struct bough_store *view, struct bough_sync__ids *objects)
{
    *c = (struct bough_sync__connect){
        .session = s, .view = view, .objects = objects, .left = objects->n};
    bough_sync__trees_init(&c->trees, view, c);
    c->trees.entry = connect_entry;
    c->trees.depth_max = BOUGH_TREE_DEPTH_MAX;
    bough_buf_init(&c->body, s->mem);
}

void bough_sync__connect_fini(struct bough_sync__connect *c)
{
    if (c->session == NULL)
        return;
    bough_sync__trees_fini(&c->trees);
    bough_buf_fini(&c->body);
    *c = (struct bough_sync__connect){0};
}

/* ---- Objects ---- */

static enum bough_err refuse(
    struct bough_sync__connect *c, const char *what, const struct bough_oid *id)
{
    c->missing = true;
    return bough_sync__session_fail(c->session, BOUGH_EFORMAT, what, id);
}

/* Must be there as a `type`; `*row` is its row among those received, UINT32_MAX: it was here before. */
static enum bough_err must_have(
    struct bough_sync__connect *c, const struct bough_oid *id, enum bough_type type, uint32_t *row)
{
    struct bough_found found = {.type = BOUGH_NONE};
    enum bough_err err = BOUGH_OK;
    *row = UINT32_MAX;
    if (bough_sync__ids_find(c->objects, id, row))
        found.type =
            (enum bough_type)(bough_sync__ids_get(c->objects, *row) & BOUGH_SYNC__TYPE_MASK);
    else
        err = bough_store_find(c->view, id, &found);
    if (err == BOUGH_ENOENT)
        return refuse(c, "object is missing", id);
    if (!err && found.type != type)
        return refuse(c, "object has another type than expected", id);
    return err;
}

static enum bough_err connect_entry(
    void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter)
{
    struct bough_sync__connect *c = ctx;
    uint32_t row;
    (void)paired;
    enum bough_err err = must_have(c, id, type, &row);
    if (err || type != BOUGH_TREE || row == UINT32_MAX)
        return err;
    *enter = (bough_sync__ids_get(c->objects, row) & VISITED) == 0;
    bough_sync__flag(c->objects, row, VISITED);
    return BOUGH_OK;
}

/* ---- Commits ---- */

/* Look at a received commit for a parent that was here before. */
static enum bough_err anchor_look(struct bough_sync__connect *c, uint32_t at)
{
    struct bough_commit commit;
    int64_t date;
    uint32_t row;
    struct bough_oid id = bough_sync__ids_at(c->objects, at);
    enum bough_err err = bough_sync__commit_read(c->view, &id, &c->body, &commit, &date);
    if (err || commit.parents_n == 0)
        return err;
    struct bough_oid parent = bough_commit_parent(&commit, 0);
    if (bough_sync__ids_find(c->objects, &parent, &row))
        return BOUGH_OK;
    err = must_have(c, &parent, BOUGH_COMMIT, &row);
    if (!err)
        err = bough_sync__commit_read(c->view, &parent, &c->body, &commit, &date);
    if (!err) {
        c->anchor = commit.tree;
        c->left = 0;
    }
    return err;
}

/* The parents of a commit that is whole are compared with it, when their turn comes. */
static void child_note(struct bough_sync__connect *c, uint32_t parent, uint32_t child)
{
    uint64_t number = bough_sync__ids_get(c->objects, parent);
    if (number >> BOUGH_SYNC__BITS == 0)
        bough_sync__ids_set(c->objects, parent, number | ((uint64_t)child + 1) << BOUGH_SYNC__BITS);
}

/* Whose tree to compare that of the commit in row `at` with: a child's, a parent's, the anchor. */
static enum bough_err base_tree(struct bough_sync__connect *c, uint32_t at,
    const struct bough_oid *parent, struct bough_oid *tree)
{
    struct bough_commit commit;
    int64_t date;
    uint32_t row;
    struct bough_oid relative;
    uint64_t child = bough_sync__ids_get(c->objects, at) >> BOUGH_SYNC__BITS;
    *tree = c->anchor;
    if (child != 0)
        relative = bough_sync__ids_at(c->objects, (uint32_t)child - 1);
    else if (parent == NULL || (bough_sync__ids_find(c->objects, parent, &row) &&
                                   (bough_sync__ids_get(c->objects, row) & WHOLE) == 0))
        return BOUGH_OK;
    else
        relative = *parent;
    enum bough_err err = bough_sync__commit_read(c->view, &relative, &c->body, &commit, &date);
    if (!err)
        *tree = commit.tree;
    return err;
}

static enum bough_err commit_check(struct bough_sync__connect *c, uint32_t at)
{
    struct bough_commit commit;
    int64_t date;
    uint32_t row;
    struct bough_oid id = bough_sync__ids_at(c->objects, at), parent, base = {0};
    enum bough_err err = bough_sync__commit_read(c->view, &id, &c->body, &commit, &date);
    for (uint32_t i = commit.parents_n; !err && i > 0; i--) {
        parent = bough_commit_parent(&commit, i - 1);
        err = must_have(c, &parent, BOUGH_COMMIT, &row);
        if (!err && row != UINT32_MAX)
            child_note(c, row, at);
    }
    if (err)
        return err;
    bool enter = false, rooted = commit.parents_n == 0;
    struct bough_oid tree = commit.tree;
    err = connect_entry(c, &tree, BOUGH_TREE, false, &enter);
    if (!err && enter)
        err = base_tree(c, at, rooted ? NULL : &parent, &base);
    if (err)
        return err;
    /* Nothing else is walked before this tree is done, so it may be called whole now. */
    bough_sync__flag(c->objects, at, WHOLE);
    return enter ? bough_sync__trees_push(&c->trees, &tree, &base) : BOUGH_OK;
}

/* ---- Bare ---- */

static enum bough_err bare_check(struct bough_sync__connect *c, uint32_t at)
{
    struct bough_tag tag;
    uint32_t row;
    uint64_t number = bough_sync__ids_get(c->objects, at);
    struct bough_oid id = bough_sync__ids_at(c->objects, at);
    if ((number & BOUGH_SYNC__TYPE_MASK) == BOUGH_TREE && (number & VISITED) == 0) {
        bough_sync__flag(c->objects, at, VISITED);
        return bough_sync__trees_push(&c->trees, &id, NULL);
    }
    if ((number & BOUGH_SYNC__TYPE_MASK) != BOUGH_TAG)
        return BOUGH_OK;
    enum bough_err err = bough_sync__tag_read(c->view, &id, &c->body, &tag);
    return err ? err : must_have(c, &tag.object, tag.type, &row);
}

static enum bough_err connect_one(struct bough_sync__connect *c, size_t *budget)
{
    if (c->trees.n > 0)
        return bough_sync__trees_step(&c->trees, budget);
    *budget -= OBJECT_COST < *budget ? OBJECT_COST : *budget;
    if (c->left == 0) {
        c->bare = c->anchored;
        c->anchored = true;
        c->left = c->objects->n;
        return BOUGH_OK;
    }
    uint32_t row = c->objects->n - c->left--;
    if (c->bare)
        return bare_check(c, row);
    if ((bough_sync__ids_get(c->objects, row) & BOUGH_SYNC__TYPE_MASK) != BOUGH_COMMIT)
        return BOUGH_OK;
    return c->anchored ? commit_check(c, row) : anchor_look(c, row);
}

enum bough_err bough_sync__connect_step(struct bough_sync__connect *c, size_t budget)
{
    while (!c->bare || c->left > 0 || c->trees.n > 0) {
        if (budget == 0)
            return BOUGH_EAGAIN;
        enum bough_err err = connect_one(c, &budget);
        if (err == BOUGH_ECORRUPT && c->view->why.err == err) {
            /* What is wrong with an object that just came is the sender's fault. */
            c->missing = true;
            c->session->pub.why = c->view->why;
        }
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* ---- Ancestor ---- */

void bough_sync__ancestor_init(struct bough_sync__ancestor *a, struct bough_store *store)
{
    *a = (struct bough_sync__ancestor){.store = store};
    bough_sync__ids_init(&a->seen, store->env, store->algo);
    bough_sync__queue_init(&a->queue, store->env->mem);
    bough_buf_init(&a->body, store->env->mem);
}

void bough_sync__ancestor_fini(struct bough_sync__ancestor *a)
{
    if (a->store == NULL)
        return;
    bough_sync__ids_fini(&a->seen);
    bough_sync__queue_fini(&a->queue);
    bough_buf_fini(&a->body);
    *a = (struct bough_sync__ancestor){0};
}

static enum bough_err ancestor_add(struct bough_sync__ancestor *a, const struct bough_oid *id)
{
    struct bough_commit c;
    int64_t date;
    uint32_t row, n = a->seen.n;
    a->yes = a->yes || bough_oid_eq(id, &a->old);
    enum bough_err err = bough_sync__ids_add(&a->seen, id, &row);
    if (err || a->seen.n == n || a->yes)
        return err;
    err = bough_sync__commit_read(a->store, id, &a->body, &c, &date);
    return err ? err : bough_sync__queue_push(&a->queue, date, row);
}

static enum bough_err ancestor_pop(struct bough_sync__ancestor *a)
{
    struct bough_commit c;
    struct bough_buf body;
    int64_t date;
    struct bough_oid id = bough_sync__ids_at(&a->seen, bough_sync__queue_pop(&a->queue));
    bough_buf_init(&body, a->seen.mem);
    enum bough_err err = bough_sync__commit_read(a->store, &id, &body, &c, &date);
    for (uint32_t i = 0; !err && !a->yes && i < c.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&c, i);
        err = ancestor_add(a, &parent);
    }
    bough_buf_fini(&body);
    return err;
}

enum bough_err bough_sync__ancestor_step(struct bough_sync__ancestor *a,
    const struct bough_oid *old, const struct bough_oid *now, size_t budget)
{
    enum bough_err err = BOUGH_OK;
    if (!a->begun) {
        bough_sync__ids_fini(&a->seen);
        bough_sync__queue_fini(&a->queue);
        a->begun = true;
        a->yes = false;
        a->old = *old;
        err = ancestor_add(a, now);
    }
    while (!err && !a->yes && a->queue.n > 0) {
        if (budget == 0)
            return BOUGH_EAGAIN;
        budget -= OBJECT_COST < budget ? OBJECT_COST : budget;
        err = ancestor_pop(a);
    }
    a->begun = false;
    return err;
}
