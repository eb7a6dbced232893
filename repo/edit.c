/*
 * edit.c - a directory's changes over its base tree.
 *
 *   values        copies of bytes that a change owns
 *   directories   all of a tree in one pool
 *   counting      live children and states, kept up to the root
 *   looking       base and change together
 *   putting       one change in place of another
 *
 * Invariants: dir->live is the number of names that bough_repo__dir_look() finds; a
 * directory below is there exactly while its own live is not 0; above a dirty directory
 * all are dirty; an edit that makes nothing else than the base has is not kept.
 */
#include "repo/chain_inner.h"
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"

/* ---- Values ---- */

enum bough_err bough_repo__value_own(
    struct bough_repo__pool *pool, struct bough_repo__change *c, struct bough_view bytes)
{
    struct bough_lent *value = bytes.len > SIZE_MAX - sizeof *value
                                   ? NULL
                                   : bough_mem_alloc(&pool->mem, sizeof *value + bytes.len);

    if (value == NULL)
        return BOUGH_ENOMEM;
    value->id = c->id;
    value->bytes = bough_view(value + 1, bytes.len);
    if (bytes.len > 0)
        memcpy(value + 1, bytes.ptr, bytes.len);
    c->value = value;
    c->own = true;
    return BOUGH_OK;
}

void bough_repo__value_drop(struct bough_repo__pool *pool, struct bough_repo__change *c)
{
    if (c->own)
        bough_mem_free(&pool->mem, c->value, sizeof *c->value + c->value->bytes.len);
    c->value = NULL;
    c->own = false;
}

/* ---- Directories ---- */

static struct bough_repo__dir *dir_make(struct bough_repo *r, struct bough_repo__pool *pool)
{
    struct bough_repo__pool *own = pool == NULL ? bough_repo__pool_new(r->mem) : pool;
    struct bough_repo__dir *d = own == NULL ? NULL : bough_mem_zalloc(&own->mem, 1, sizeof *d);

    if (d == NULL && own != pool)
        bough_repo__pool_free(own);
    if (d == NULL)
        return NULL;
    d->pool = own;
    if (pool == NULL)
        own->top = d;
    d->at_opened = &own->opened;
    d->next_opened = own->opened;
    if (d->next_opened != NULL)
        d->next_opened->at_opened = &d->next_opened;
    own->opened = d;
    return d;
}

/* A directory without edits goes; with the top all goes. */
static void dir_drop(struct bough_repo *r, struct bough_repo__dir *d)
{
    bough_repo__node_unpin(r, d->base);
    if (d->next_opened != NULL)
        d->next_opened->at_opened = d->at_opened;
    *d->at_opened = d->next_opened;
    bough_repo__edits_drop(d);
    bough_mem_free(&d->pool->mem, d, sizeof *d);
}

static void pool_drop(struct bough_repo *r, struct bough_repo__pool *pool)
{
    for (struct bough_repo__dir *d = pool->opened; d != NULL; d = d->next_opened)
        bough_repo__node_unpin(r, d->base);
    bough_repo__pool_free(pool);
}

enum bough_err bough_repo__dir_new(struct bough_repo *r, struct bough_repo__pool *pool,
    const struct bough_oid *base, struct bough_repo__dir **out)
{
    struct bough_repo__dir *d = dir_make(r, pool);
    enum bough_err err;

    if (d == NULL)
        return BOUGH_ENOMEM;
    d->now = *bough_oid_empty_tree(r->algo);
    d->state = BOUGH_REPO__HASHED;
    if (base != NULL) {
        err = bough_repo__node_get(r, base, &d->base);
        if (err) {
            bough_repo__dir_free(r, d);
            return err;
        }
        d->now = *base;
        d->state = BOUGH_REPO__CLEAN;
        d->live = d->base->n;
        bough_repo__chain_near(r, base);
    }
    *out = d;
    return BOUGH_OK;
}

void bough_repo__dir_free(struct bough_repo *r, struct bough_repo__dir *d)
{
    struct bough_repo__dir *stop = d == NULL ? NULL : d->up, *up;

    if (d != NULL && d->pool->top == d) {
        pool_drop(r, d->pool);
        return;
    }
    while (d != stop) {
        struct bough_repo__edit *e = d->next[0].to;

        if (e == NULL) {
            up = d->up;
            dir_drop(r, d);
            d = up;
        } else if (e->to.dir != NULL) {
            up = d;
            d = e->to.dir;
            e->to.dir = NULL;
            d->up = up;
        } else {
            d->next[0] = e->next[0];
            bough_repo__value_drop(d->pool, &e->to);
            bough_repo__edit_free(d, e);
        }
    }
}

/* ---- Looking ---- */

static bool change_there(const struct bough_repo__change *c)
{
    return c->kind != BOUGH_NODE_NONE && (c->dir == NULL || c->dir->live > 0);
}

bool bough_repo__edit_there(const struct bough_repo__edit *e)
{
    return change_there(&e->to);
}

/* The entry of the base, or UINT32_MAX; who changes a name asks for it several times. */
static uint32_t base_find(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name)
{
    if (d->base == NULL)
        return UINT32_MAX;
    if (d->found < d->base->n && bough_view_eq(bough_repo__node_name(d->base, d->found), name))
        return d->found;
    d->found = bough_repo__node_find(r, d->base, name);
    return d->found;
}

uint32_t bough_repo__edit_base(
    struct bough_repo *r, const struct bough_repo__dir *d, const struct bough_repo__edit *e)
{
    if (!d->moved)
        return e->base;
    return bough_repo__node_find(r, d->base, bough_repo__edit_name(e));
}

/* What entry `i` of the base says; UINT32_MAX: nothing. */
static void base_say(struct bough_repo *r, const struct bough_repo__dir *d, uint32_t i,
    struct bough_repo__change *out)
{
    *out = (struct bough_repo__change){.kind = BOUGH_NODE_NONE};
    if (i == UINT32_MAX)
        return;
    out->mode = bough_repo__node_mode(d->base, i);
    out->kind = out->mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    out->id = bough_repo__node_id(r, d->base, i);
}

void bough_repo__dir_base(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out)
{
    base_say(r, d, base_find(r, d, name), out);
}

void bough_repo__dir_look(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out)
{
    struct bough_repo__edit *e = bough_repo__dir_edit(r, d, name);

    if (e == NULL)
        bough_repo__dir_base(r, d, name, out);
    else if (change_there(&e->to))
        *out = e->to;
    else
        *out = (struct bough_repo__change){.kind = BOUGH_NODE_NONE};
}

/* ---- Putting ---- */

/* Release what a change owns. */
static void change_drop(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_repo__change *c)
{
    bough_repo__value_drop(d->pool, c);
    bough_repo__dir_free(r, c->dir);
    c->dir = NULL;
}

/* A child of `d` came or went: count it, and what that makes come or go above. */
static void live_moved(struct bough_repo__dir *d, bool was, bool is)
{
    for (; d != NULL && was != is; d = d->up) {
        was = d->live > 0;
        d->live = is ? d->live + 1 : d->live - 1;
        is = d->live > 0;
    }
}

static void mark_dirty(struct bough_repo__dir *d)
{
    for (; d != NULL && d->state != BOUGH_REPO__DIRTY; d = d->up)
        d->state = BOUGH_REPO__DIRTY;
}

/* Do both make the same?  (Edits below are not compared.) */
static bool change_same(const struct bough_repo__change *a, const struct bough_repo__change *b)
{
    if (a->kind != b->kind || a->dir != NULL || b->dir != NULL)
        return false;
    return a->kind == BOUGH_NODE_NONE || (a->mode == b->mode && bough_oid_eq(&a->id, &b->id));
}

/* A directory opened for edits that has none yet changes nothing. */
static bool change_is_view(
    const struct bough_repo__change *was, const struct bough_repo__change *to)
{
    return was->kind == BOUGH_NODE_DICT && was->dir == NULL && to->dir != NULL &&
           to->dir->state == BOUGH_REPO__CLEAN && bough_oid_eq(&to->dir->now, &was->id);
}

enum bough_err bough_repo__dir_put(struct bough_repo *r, struct bough_repo__dir *d,
    struct bough_view name, const struct bough_repo__change *to)
{
    struct bough_repo__edit *e = bough_repo__dir_edit(r, d, name);
    uint32_t i = e != NULL ? bough_repo__edit_base(r, d, e) : base_find(r, d, name);
    struct bough_repo__change base, was;
    bool was_there, view;

    base_say(r, d, i, &base);
    was = e == NULL ? base : e->to;
    was_there = change_there(&was);
    view = change_is_view(&was, to);
    if (e == NULL && !change_same(&base, to)) {
        e = bough_repo__edit_new(r, d, name);
        if (e == NULL)
            return BOUGH_ENOMEM;
        e->base = i;
        bough_repo__edit_link(d, e);
    } else if (e != NULL) {
        change_drop(r, d, &e->to);
    }
    if (e != NULL) {
        e->to = *to;
        if (to->dir != NULL)
            to->dir->up = d;
        if (change_same(&base, to)) {
            change_drop(r, d, &e->to);
            bough_repo__edit_unlink(d, e);
        }
    } else {
        was = *to;
        bough_repo__value_drop(d->pool, &was);
    }
    live_moved(d, was_there, change_there(to));
    if (!view && d->state == BOUGH_REPO__CLEAN)
        bough_repo__chain_ahead(r, &d->now);
    if (!view)
        mark_dirty(d);
    return BOUGH_OK;
}
