/*
 * list.c - what is in a tree, in order.
 *
 *   listing     base and edits merged by name bytes
 *   telling     every edit, for messages
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/range_inner.h"
#include "repo/tree_inner.h"

/* ---- Listing ---- */

/* The first live child after `after`: the lesser of the first in the base and the first edit. */
static enum bough_err next_in(struct bough_tree *t, struct bough_repo__dir *d,
    struct bough_repo__node *n, struct bough_view after, struct bough_view *name,
    struct bough_repo__change *out)
{
    struct bough_repo__edit *e = d == NULL ? NULL : bough_repo__dir_after(d, after);
    uint32_t place = n == NULL ? 0 : bough_repo__node_after(n, after);

    for (;;) {
        bool base = n != NULL && place < n->n;
        uint32_t i = base ? bough_repo__node_nth(n, place) : 0;
        int cmp = e == NULL ? -1
                  : base    ? bough_view_cmp(bough_repo__node_name(n, i), bough_repo__edit_name(e))
                            : 1;

        if (!base && e == NULL)
            return BOUGH_ENOENT;
        if (cmp < 0) {
            *name = bough_repo__node_name(n, i);
            out->mode = bough_repo__node_mode(n, i);
            out->kind = out->mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
            out->id = bough_repo__node_id(t->r, n, i);
            return BOUGH_OK;
        }
        if (bough_repo__edit_there(e)) {
            *name = bough_repo__edit_name(e);
            *out = e->to;
            return BOUGH_OK;
        }
        place += cmp == 0;
        e = e->next[0].to;
    }
}

/* In a large tree that is not decoded. */
static enum bough_err next_range(struct bough_tree *t, const struct bough_oid *id,
    struct bough_view after, struct bough_view *name, struct bough_repo__change *out)
{
    struct bough_repo__range_entry e;
    struct bough_buf buf;
    enum bough_err err;

    bough_buf_init(&buf, t->r->mem);
    err = bough_repo__range_next(t->r, id, after, &buf, &e);
    bough_buf_fini(&t->name); /* `after` may have been in it */
    t->name = buf;
    if (err)
        return err;
    *name = e.name;
    out->mode = e.mode;
    out->kind = e.mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    out->id = e.id;
    return BOUGH_OK;
}

enum bough_err bough_tree_next(struct bough_tree *t, struct bough_view dir, struct bough_view after,
    struct bough_view *name, struct bough_node *out)
{
    struct bough_repo__change at, is = {.kind = BOUGH_NODE_NONE};
    struct bough_repo__node *n = NULL;
    enum bough_err err = bough_repo__tree_look(t, dir, &at, NULL);

    if (err)
        return err;
    if (at.kind != BOUGH_NODE_DICT)
        return BOUGH_ENOENT;
    if (at.dir == NULL) {
        err = bough_repo__node_look(t->r, &at.id, &n);
        if (err)
            return err;
        err = n == NULL ? next_range(t, &at.id, after, name, &is)
                        : next_in(t, NULL, n, after, name, &is);
        bough_repo__node_unpin(t->r, t->listed); /* `after` may be a name in it */
        t->listed = n;
    } else {
        err = next_in(t, at.dir, at.dir->base, after, name, &is);
    }
    if (err == BOUGH_OK)
        bough_repo__node_say(&is, out);
    return err;
}

/* ---- Telling ---- */

enum bough_err bough_repo__tree_edits(struct bough_tree *t, bough_repo__edit_fn *fn, void *ctx)
{
    struct bough_repo__dir *d = t->top;
    struct bough_buf path;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&path, t->r->mem);
    if (d != NULL)
        d->cursor = bough_repo__dir_first(d);
    while (d != NULL && err == BOUGH_OK) {
        struct bough_repo__edit *e = d->cursor;
        struct bough_view name;

        if (e == NULL) { /* up, and the segment goes with its slash */
            while (path.len > 0 && path.ptr[--path.len] != '/')
                continue;
            d = d->up;
            continue;
        }
        d->cursor = e->next[0].to;
        name = bough_repo__edit_name(e);
        if (path.len > 0)
            bough_buf_put_u8(&path, '/');
        bough_buf_put_view(&path, name);
        err = path.err ? path.err : fn(ctx, d, bough_buf_view(&path), e);
        if (e->to.dir != NULL) {
            d = e->to.dir;
            d->cursor = bough_repo__dir_first(d);
            continue;
        }
        path.len -= name.len;
        if (path.len > 0)
            path.len--;
    }
    bough_buf_fini(&path);
    return err;
}

uint64_t bough_repo__tree_edits_n(const struct bough_tree *t)
{
    uint64_t n = t->top != NULL ? 1 : 0; /* an edit holds each directory but the top */

    for (const struct bough_repo__dir *d = t->top != NULL ? t->top->pool->opened : NULL; d != NULL;
         d = d->next_opened)
        n += d->edits_n - 1; /* goes round below zero on the way */
    return n;
}
