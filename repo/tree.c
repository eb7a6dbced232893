/*
 * tree.c - a root and edits on top, as paths.  Finding is in find.c.
 *
 *   opening     trees are a root until something is edited
 *   editing     set, remove, move
 *
 * An edit that fails leaves the tree as it was: what is new is built aside and linked by
 * one step that cannot fail half-way.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/path_inner.h"
#include "repo/tree_inner.h"

static const struct bough_repo__change change_gone = {.kind = BOUGH_NODE_NONE};

void bough_repo__tree_init(struct bough_tree *t, struct bough_repo *r, const struct bough_oid *root)
{
    *t = (struct bough_tree){.r = r};
    bough_buf_init(&t->name, r->mem);
    t->root = root == NULL ? *bough_oid_empty_tree(r->algo) : *root;
}

void bough_repo__tree_stamp(struct bough_tree *t)
{
    t->stamp = ++t->r->paths.stamp;
}

void bough_repo__tree_reset(struct bough_tree *t, const struct bough_oid *root)
{
    struct bough_repo__opened *opened = t->opened;
    bool stamped = t->stamp != 0;

    bough_repo__dir_free(t->r, t->top);
    bough_repo__node_unpin(t->r, t->listed);
    bough_buf_fini(&t->name);
    bough_repo__tree_init(t, t->r, root);
    if (stamped)
        bough_repo__tree_stamp(t);
    t->opened = opened;
    if (opened == NULL || bough_oid_eq(&opened->pin.id, &t->root))
        return;
    bough_store_unpin(t->r->store, &opened->pin);
    bough_store_pin(t->r->store, &opened->pin, &t->root);
}

void bough_repo__tree_fini(struct bough_tree *t)
{
    bough_repo__tree_reset(t, NULL);
}

/* A tree and what is known of it as one that somebody holds. */
struct held {
    struct bough_tree tree;
    struct bough_repo__opened opened;
};

enum bough_err bough_tree_open(
    struct bough_repo *r, const struct bough_oid *root, struct bough_tree **out)
{
    struct held *h = bough_mem_zalloc(r->mem, 1, sizeof *h);

    if (h == NULL)
        return BOUGH_ENOMEM;
    bough_repo__tree_init(&h->tree, r, root);
    h->tree.opened = &h->opened;
    h->opened.tree = &h->tree;
    h->opened.at = &r->opened;
    h->opened.next = r->opened;
    if (r->opened != NULL)
        r->opened->at = &h->opened.next;
    r->opened = &h->opened;
    bough_store_pin(r->store, &h->opened.pin, &h->tree.root);
    *out = &h->tree;
    return BOUGH_OK;
}

void bough_tree_close(struct bough_tree *t)
{
    struct held *h = (struct held *)t; /* tree is the first field */
    struct bough_repo *r;

    if (t == NULL)
        return;
    BOUGH_ASSERT(t->opened == &h->opened);
    r = t->r;
    t->opened = NULL;
    bough_repo__tree_fini(t);
    bough_store_unpin(r->store, &h->opened.pin);
    *h->opened.at = h->opened.next;
    if (h->opened.next != NULL)
        h->opened.next->at = h->opened.at;
    bough_mem_free(r->mem, h, sizeof *h);
}

enum bough_err bough_repo__tree_check(struct bough_tree *t)
{
    if (t->opened == NULL || !t->opened->pin.expired)
        return BOUGH_OK;
    return BOUGH_WHY(&t->r->why, BOUGH_EEXPIRED, "it was given up to make room", NULL, 0);
}

const struct bough_oid *bough_tree_root(const struct bough_tree *t)
{
    return &t->root;
}

bool bough_tree_edited(const struct bough_tree *t)
{
    return t->top != NULL && t->top->state != BOUGH_REPO__CLEAN;
}

/* ---- Editing ---- */

static enum bough_err tree_edit(struct bough_tree *t)
{
    if (t->top != NULL)
        return BOUGH_OK;
    return bough_repo__dir_new(t->r, NULL, &t->root, &t->top);
}

/* The directory `name` of `d`, opened for edits; NULL when there is none. */
static enum bough_err dir_enter(struct bough_repo *r, struct bough_repo__dir *d,
    struct bough_view name, struct bough_repo__dir **out)
{
    struct bough_repo__edit *e = bough_repo__dir_edit(r, d, name);
    struct bough_repo__change is;
    enum bough_err err;

    *out = NULL;
    if (e != NULL && e->to.dir != NULL) { /* one that died is there to be used again */
        *out = e->to.dir;
        return BOUGH_OK;
    }
    bough_repo__dir_look(r, d, name, &is);
    if (is.kind != BOUGH_NODE_DICT)
        return BOUGH_OK;
    err = bough_repo__dir_new(r, d->pool, &is.id, &is.dir);
    if (err)
        return err;
    err = bough_repo__dir_put(r, d, name, &is);
    if (err) {
        bough_repo__dir_free(r, is.dir);
        return err;
    }
    *out = is.dir;
    return BOUGH_OK;
}

/* `to` inside of new directories for every segment of `path`; with no segment, `to` itself. */
static enum bough_err chain_build(struct bough_repo *r, struct bough_repo__pool *pool,
    struct bough_view path, const struct bough_repo__change *to, struct bough_repo__change *out)
{
    struct bough_repo__dir *first = NULL, *last = NULL;
    struct bough_view name;
    enum bough_err err;

    while (bough_repo__segment(&path, &name)) {
        struct bough_repo__change sub = {.kind = BOUGH_NODE_DICT, .mode = BOUGH_REPO__DIR};

        if (first == NULL) {
            err = bough_repo__dir_new(r, pool, NULL, &first);
            if (err)
                return err;
            last = first;
        }
        if (path.len == 0) {
            err = bough_repo__dir_put(r, last, name, to);
        } else {
            err = bough_repo__dir_new(r, pool, NULL, &sub.dir);
            if (err == BOUGH_OK) {
                err = bough_repo__dir_put(r, last, name, &sub);
                if (err)
                    bough_repo__dir_free(r, sub.dir);
            }
        }
        if (err) {
            bough_repo__dir_free(r, first);
            return err;
        }
        last = sub.dir;
    }
    *out = *to;
    if (first != NULL)
        *out = (struct bough_repo__change){
            .kind = BOUGH_NODE_DICT, .mode = BOUGH_REPO__DIR, .dir = first};
    return BOUGH_OK;
}

/* Give up what chain_build() put around `to`, not `to` itself. */
static void chain_drop(struct bough_repo *r, struct bough_repo__change *built,
    const struct bough_repo__change *to, size_t depth)
{
    struct bough_repo__dir *d = built->dir;

    if (depth == 0)
        return;
    while (--depth > 0)
        d = d->next[0].to->to.dir;
    d->next[0].to->to.value = NULL;
    d->next[0].to->to.own = false;
    d->next[0].to->to.dir = NULL;
    if (to->dir != NULL)
        to->dir->up = NULL;
    bough_repo__dir_free(r, built->dir);
}

static size_t path_depth(struct bough_view path)
{
    struct bough_view name;
    size_t n = 0;

    while (bough_repo__segment(&path, &name))
        n++;
    return n;
}

/* Before `path` changes: what the path cache knows of it, or may know of others, goes. */
static enum bough_err tree_forget(struct bough_tree *t, struct bough_view path)
{
    struct bough_repo__change is;
    size_t through;
    enum bough_err err;

    if (t->stamp == 0 || bough_repo__path_drop(t, path))
        return BOUGH_OK;
    err = bough_repo__tree_look(t, path, &is, &through);
    if (err == BOUGH_OK && (is.kind == BOUGH_NODE_DICT || through > 0))
        bough_repo__tree_stamp(t);
    return err;
}

/* Make `to` of `path`, which is not the root; what it owns is taken on BOUGH_OK. */
static enum bough_err tree_put(
    struct bough_tree *t, struct bough_view path, const struct bough_repo__change *to)
{
    struct bough_repo__dir *d, *sub;
    struct bough_repo__change built;
    struct bough_view name;
    enum bough_err err = tree_forget(t, path);

    if (err == BOUGH_OK)
        err = tree_edit(t);
    if (err)
        return err;
    d = t->top;
    while (bough_repo__segment(&path, &name) && path.len > 0) {
        err = dir_enter(t->r, d, name, &sub);
        if (err)
            return err;
        if (sub == NULL)
            break;
        d = sub;
    }
    err = chain_build(t->r, d->pool, path, to, &built);
    if (err)
        return err;
    err = bough_repo__dir_put(t->r, d, name, &built);
    if (err)
        chain_drop(t->r, &built, to, path_depth(path));
    return err;
}

/* The change that makes a value of `mode` of `path`, its id not known yet. */
static enum bough_err value_begin(
    struct bough_tree *t, struct bough_view path, uint32_t mode, struct bough_repo__change *out)
{
    *out =
        (struct bough_repo__change){.kind = BOUGH_NODE_VALUE, .mode = bough_repo__mode_class(mode)};
    if (path.len == 0 || out->mode == BOUGH_REPO__DIR)
        return BOUGH_WHY(
            &t->r->why, BOUGH_EINVAL, "not a value's path or mode", path.ptr, path.len);
    return BOUGH_OK;
}

enum bough_err bough_tree_set(struct bough_tree *t, struct bough_view path, uint32_t mode,
    const struct bough_oid *id, struct bough_view bytes)
{
    struct bough_repo__change to;
    enum bough_err err = value_begin(t, path, mode, &to);

    if (err)
        return err;
    if (id != NULL) {
        to.id = *id;
        return tree_put(t, path, &to);
    }
    err = bough_oid_make(t->r->algo, BOUGH_BLOB, bytes, &to.id, &t->r->why);
    if (err == BOUGH_OK)
        err = tree_edit(t);
    if (err == BOUGH_OK)
        err = bough_repo__value_own(t->top->pool, &to, bytes);
    if (err)
        return err;
    err = tree_put(t, path, &to);
    if (err)
        bough_repo__value_drop(t->top->pool, &to);
    return err;
}

enum bough_err bough_tree_lend(
    struct bough_tree *t, struct bough_view path, uint32_t mode, struct bough_lent *value)
{
    struct bough_repo__change to;
    enum bough_err err = value_begin(t, path, mode, &to);

    to.id = value->id;
    to.value = value;
    return err ? err : tree_put(t, path, &to);
}

enum bough_err bough_tree_set_dict(
    struct bough_tree *t, struct bough_view path, const struct bough_oid *id)
{
    struct bough_repo__change to = {.kind = BOUGH_NODE_DICT, .mode = BOUGH_REPO__DIR, .id = *id};
    struct bough_repo__dir *top;
    enum bough_err err;

    if (bough_oid_eq(id, bough_oid_empty_tree(t->r->algo))) {
        err = bough_tree_remove(t, path);
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    if (path.len > 0)
        return tree_put(t, path, &to);
    err = bough_repo__dir_new(t->r, NULL, id, &top);
    if (err)
        return err;
    top->state = BOUGH_REPO__HASHED;
    bough_repo__dir_free(t->r, t->top);
    t->top = top;
    if (t->stamp != 0)
        bough_repo__tree_stamp(t);
    return BOUGH_OK;
}

/* Everything goes: a removal for each child of the root. */
static enum bough_err tree_clear(struct bough_tree *t)
{
    struct bough_repo__dir *top;
    enum bough_err err = bough_repo__dir_new(t->r, NULL, &t->root, &top);

    if (err)
        return err;
    for (uint32_t i = 0; i < top->base->n && err == BOUGH_OK; i++)
        err = bough_repo__dir_put(t->r, top, bough_repo__node_name(top->base, i), &change_gone);
    if (err) {
        bough_repo__dir_free(t->r, top);
        return err;
    }
    bough_repo__dir_free(t->r, t->top);
    t->top = top;
    if (t->stamp != 0)
        bough_repo__tree_stamp(t);
    return BOUGH_OK;
}

enum bough_err bough_tree_remove(struct bough_tree *t, struct bough_view path)
{
    struct bough_repo__change is;
    enum bough_err err;

    if (path.len == 0)
        return tree_clear(t);
    err = bough_repo__tree_look(t, path, &is, NULL);
    if (err)
        return err;
    if (is.kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    return tree_put(t, path, &change_gone);
}

/* The directory that holds the last segment of `path`, opened for edits, and that segment. */
static enum bough_err tree_enter(struct bough_tree *t, struct bough_view path,
    struct bough_repo__dir **out, struct bough_view *name)
{
    enum bough_err err = tree_edit(t);

    *out = t->top;
    while (err == BOUGH_OK && bough_repo__segment(&path, name) && path.len > 0)
        err = dir_enter(t->r, *out, *name, out);
    return err;
}

/* Move what owns nothing: it may be gone for a moment. */
static enum bough_err move_plain(struct bough_tree *t, struct bough_repo__dir *d,
    struct bough_view name, const struct bough_repo__change *is, struct bough_view to)
{
    enum bough_err err = bough_repo__dir_put(t->r, d, name, &change_gone);

    if (err)
        return err;
    err = tree_put(t, to, is);
    if (err) { /* back as in the base, which needs no memory */
        enum bough_err back = bough_repo__dir_put(t->r, d, name, is);
        BOUGH_ASSERT(back == BOUGH_OK);
    }
    return err;
}

/* Move what an edit owns: it is taken out of it and, when there is no memory, put back. */
static enum bough_err move_owned(struct bough_tree *t, struct bough_repo__edit *e,
    const struct bough_repo__change *is, struct bough_view to)
{
    struct bough_repo__dir *up = is->dir == NULL ? NULL : is->dir->up;
    enum bough_err err;

    e->to.value = NULL;
    e->to.own = false;
    e->to.dir = NULL;
    err = tree_put(t, to, is);
    if (err) {
        e->to = *is;
        if (is->dir != NULL)
            is->dir->up = up;
    }
    return err;
}

enum bough_err bough_tree_move(struct bough_tree *t, struct bough_view from, struct bough_view to)
{
    struct bough_repo__change is;
    struct bough_repo__dir *d;
    struct bough_repo__edit *e;
    struct bough_view name = from;
    enum bough_err err = bough_repo__tree_look(t, from, &is, NULL);

    if (err)
        return err;
    if (is.kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    if (bough_view_eq(from, to))
        return BOUGH_OK;
    if (from.len == 0 || to.len == 0 || bough_repo__below(to, from))
        return BOUGH_WHY(&t->r->why, BOUGH_EPREFIX, "moved into itself", to.ptr, to.len);
    err = tree_forget(t, from);
    if (err == BOUGH_OK)
        err = tree_enter(t, from, &d, &name);
    if (err)
        return err;
    e = bough_repo__dir_edit(t->r, d, name);
    if (e == NULL)
        return move_plain(t, d, name, &is, to);
    err = move_owned(t, e, &is, to);
    if (err || bough_repo__below(from, to))
        return err;
    return bough_repo__dir_put(t->r, d, name, &change_gone); /* the edit is there: no memory */
}
