/*
 * write.c - from edits to trees.
 *
 *   splices      where the new body of a directory differs from its base
 *   bodies       the base's bytes around what comes and goes
 *   finishing    one directory: its id, and its object when there is a transaction; the node of
 *                its base becomes that of the new version, when nobody else has it
 *   walking      children first, by cursors kept in the directories
 *
 * A directory costs its changes and the hash of its bytes; a copy of them, too, when entries come
 * or go.
 */
#include "repo/chain_inner.h"
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/tree_inner.h"
#include "repo/write_inner.h"

/* One directory after the other; what each needs is kept for the next. */
struct work {
    struct bough_repo *r;
    struct bough_repo__dir *d;
    struct bough_repo__splices s;
    uint32_t *tmp;
    size_t cap; /* of splices, order, tmp */
    struct bough_repo__patch *patches;
    size_t patches_cap;
    struct bough_buf body;
    struct bough_repo__putting p;
};

/* ---- Splices ---- */

static bool splice_is_dir(const struct bough_repo__splice *s)
{
    return s->put != NULL && s->put->to.kind == BOUGH_NODE_DICT;
}

static int splice_cmp(const void *ctx, uint32_t a, uint32_t b)
{
    const struct bough_repo__splice *x = (const struct bough_repo__splice *)ctx + a;
    const struct bough_repo__splice *y = (const struct bough_repo__splice *)ctx + b;

    if (x->pos != y->pos)
        return x->pos < y->pos ? -1 : 1;
    if (x->drop != y->drop)
        return x->drop < y->drop ? -1 : 1;
    if (x->put == NULL || y->put == NULL)
        return 0;
    return bough_tree_name_cmp(bough_repo__edit_name(x->put), splice_is_dir(x),
        bough_repo__edit_name(y->put), splice_is_dir(y));
}

static void splice_add(
    struct work *w, uint32_t pos, uint32_t drop, const struct bough_repo__edit *put)
{
    w->s.order[w->s.n] = (uint32_t)w->s.n;
    w->s.splices[w->s.n++] = (struct bough_repo__splice){.pos = pos, .drop = drop, .put = put};
}

/* What an edit does to the base: its entry goes, stays in place, or another comes. */
static void splice_edit(struct work *w, const struct bough_repo__edit *e)
{
    struct bough_repo__node *base = w->d->base;
    struct bough_view name = bough_repo__edit_name(e);
    bool there = bough_repo__edit_there(e), dir = e->to.kind == BOUGH_NODE_DICT;
    uint32_t i = bough_repo__edit_base(w->r, w->d, e);

    if (i != UINT32_MAX && there && (bough_repo__node_mode(base, i) == BOUGH_REPO__DIR) == dir) {
        splice_add(w, i, 1, e);
        return;
    }
    if (i != UINT32_MAX)
        splice_add(w, i, 1, NULL);
    if (there)
        splice_add(w, base == NULL ? 0 : bough_repo__node_place(base, name, dir), 0, e);
}

static void work_drop(struct work *w)
{
    struct bough_mem *mem = w->r->mem;

    bough_mem_free(mem, w->s.splices, w->cap * sizeof *w->s.splices);
    bough_mem_free(mem, w->s.order, w->cap * sizeof *w->s.order);
    bough_mem_free(mem, w->tmp, w->cap * sizeof *w->tmp);
    w->s = (struct bough_repo__splices){.n = 0};
    w->tmp = NULL;
    w->cap = 0;
}

/* Room for `n` splices. */
static enum bough_err work_room(struct work *w, size_t n)
{
    enum { SOME = 32 };
    struct bough_mem *mem = w->r->mem;

    if (n <= w->cap)
        return BOUGH_OK;
    work_drop(w);
    w->cap = n < SOME ? SOME : n;
    w->s.splices = bough_mem_alloc(mem, w->cap * sizeof *w->s.splices);
    w->s.order = bough_mem_alloc(mem, w->cap * sizeof *w->s.order);
    w->tmp = bough_mem_alloc(mem, w->cap * sizeof *w->tmp);
    if (w->s.splices != NULL && w->s.order != NULL && w->tmp != NULL)
        return BOUGH_OK;
    work_drop(w);
    return BOUGH_ENOMEM;
}

static enum bough_err work_splices(struct work *w)
{
    enum bough_err err = work_room(w, w->d->edits_n * 2);

    w->s.n = 0;
    if (err)
        return err;
    for (const struct bough_repo__edit *e = bough_repo__dir_first(w->d); e != NULL;
         e = e->next[0].to)
        splice_edit(w, e);
    bough_repo__sort(w->s.order, w->tmp, w->s.n, splice_cmp, w->s.splices);
    return BOUGH_OK;
}

/* ---- Bodies ---- */

/* The base's entries [from, to) come along. */
static enum bough_err work_copy(struct work *w, uint32_t from, uint32_t to)
{
    size_t at, end;

    if (from >= to)
        return BOUGH_OK;
    at = bough_repo__node_at(w->r, w->d->base, from);
    end = bough_repo__node_at(w->r, w->d->base, to);
    bough_buf_put(&w->body, w->d->base->raw.ptr + at, end - at);
    return bough_repo__map_add(w->r, &w->p.map, w->body.len - (end - at), at, end - at);
}

static void work_entry(struct work *w, const struct bough_repo__edit *e)
{
    const struct bough_oid *id = e->to.dir != NULL ? &e->to.dir->now : &e->to.id;

    bough_tree_entry_put(
        &w->body, w->r->algo, bough_repo__mode_of(e->to.mode), bough_repo__edit_name(e), id);
}

static enum bough_err work_body(struct work *w)
{
    size_t len = w->d->base == NULL ? 0 : w->d->base->raw.len;
    uint32_t at = 0;
    enum bough_err err;

    for (size_t i = 0; i < w->s.n; i++) {
        if (w->s.splices[i].put != NULL)
            len += w->s.splices[i].put->name_len + w->r->hash_len + 8;
    }
    (void)bough_buf_room(&w->body, len);
    for (size_t i = 0; i < w->s.n; i++) {
        const struct bough_repo__splice *s = &w->s.splices[w->s.order[i]];

        err = work_copy(w, at, s->pos);
        if (err)
            return err;
        if (s->put != NULL)
            work_entry(w, s->put);
        at = s->pos + s->drop;
    }
    err = w->d->base == NULL ? BOUGH_OK : work_copy(w, at, w->d->base->n);
    if (w->body.err)
        return w->body.err;
    if (w->body.len > w->r->store->object_max)
        return BOUGH_WHY(&w->r->why, BOUGH_ETOOBIG, "object_max", NULL, 0);
    return err;
}

/* ---- Finishing ---- */

/* Values that are not stored yet. */
static enum bough_err dir_blobs(struct bough_repo__dir *d, struct bough_txn *txn)
{
    for (struct bough_repo__edit *e = bough_repo__dir_first(d); e != NULL; e = e->next[0].to) {
        struct bough_view bytes = bough_repo__change_bytes(&e->to);
        enum bough_err err;

        if (bytes.ptr == NULL)
            continue;
        err = bough_txn_put_known(txn, BOUGH_BLOB, &e->to.id, bytes);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static void work_init(struct work *w, struct bough_repo *r)
{
    *w = (struct work){.r = r};
    bough_buf_init(&w->body, r->mem);
    bough_buf_init(&w->p.delta, r->mem);
}

static void work_fini(struct work *w)
{
    bough_buf_fini(&w->body);
    bough_repo__putting_fini(w->r, &w->p);
    bough_mem_free(w->r->mem, w->patches, w->patches_cap * sizeof *w->patches);
    work_drop(w);
}

/* The next version is the base with other ids in place: nothing is copied. */
static enum bough_err work_patch(struct work *w, struct bough_txn *txn)
{
    struct bough_repo__node *n = w->d->base;
    struct bough_repo__patch *p;
    struct bough_oid old = n->id;
    size_t from = 0, first = n->raw.len;
    void *patches = w->patches;
    enum bough_err err = bough_mem_grow(w->r->mem, &patches, &w->patches_cap, w->s.n, sizeof *p);

    w->patches = p = (struct bough_repo__patch *)patches;

    for (size_t i = 0; i < w->s.n && err == BOUGH_OK; i++) {
        uint32_t pos = w->s.splices[w->s.order[i]].pos;
        size_t at = bough_repo__node_at(w->r, n, pos);

        bough_repo__patch_init(&p[i], &w->s.splices[w->s.order[i]]);
        if (p[i].class == bough_repo__node_mode(n, pos))
            at = (size_t)(bough_repo__node_raw_id(n, pos) - n->raw.ptr);
        first = i == 0 ? bough_repo__node_at(w->r, n, pos) : first;
        err = bough_repo__map_add(w->r, &w->p.map, from, from, at - from);
        from = bough_repo__node_at(w->r, n, pos + 1);
    }
    if (err == BOUGH_OK)
        err = bough_repo__map_add(w->r, &w->p.map, from, from, n->raw.len - from);
    if (err == BOUGH_OK) {
        for (size_t i = 0; i < w->s.n; i++)
            bough_repo__node_patch(w->r, n, &p[i]);
        err = bough_repo__states_id(w->r, &n->states, bough_buf_view(&n->raw), first, &w->d->now);
        if (err == BOUGH_OK)
            err =
                bough_repo__chain_put(w->r, txn, &old, bough_buf_view(&n->raw), &w->p, &w->d->now);
        for (size_t i = 0; err && i < w->s.n; i++)
            bough_repo__node_patch(w->r, n, &p[i]);
        if (err)
            bough_repo__states_cut(n->states, first);
    }
    if (err == BOUGH_OK)
        bough_repo__node_stands(w->r, n, &w->d->now);
    return err;
}

/* The next version beside the base, which then becomes it, if it can. */
static enum bough_err work_put(struct work *w, struct bough_txn *txn)
{
    struct bough_repo__dir *d = w->d;
    const struct bough_oid *old = d->base == NULL ? NULL : &d->base->id;
    enum bough_err err = work_body(w);

    if (err == BOUGH_OK)
        err = bough_oid_make(w->r->algo, BOUGH_TREE, bough_buf_view(&w->body), &d->now, &w->r->why);
    if (err == BOUGH_OK)
        err = bough_repo__chain_put(w->r, txn, old, bough_buf_view(&w->body), &w->p, &d->now);
    if (err)
        return err;
    if (bough_repo__node_renew(w->r, d->base, &w->s, &w->body)) {
        bough_repo__node_stands(w->r, d->base, &d->now);
        d->moved = true;
    } else {
        bough_repo__node_offer(w->r, &d->now, &w->body);
    }
    if (d->base != NULL && !bough_oid_eq(&d->base->id, &d->now))
        d->base->replaced = true;
    return BOUGH_OK;
}

/* The id of a directory whose children are finished; with `txn` also its object. */
static enum bough_err dir_finish(struct work *w, struct bough_repo__dir *d, struct bough_txn *txn)
{
    struct bough_repo *r = w->r;
    enum bough_err err;

    w->d = d;
    w->p.map.n = 0;
    bough_buf_clear(&w->body);
    err = work_splices(w);
    if (err == BOUGH_OK && txn == NULL) {
        err = work_body(w);
        if (err == BOUGH_OK)
            d->now = bough_oid_of(r->algo, BOUGH_TREE, bough_buf_view(&w->body));
    } else if (err == BOUGH_OK) {
        err = dir_blobs(d, txn);
        if (err == BOUGH_OK)
            err = bough_repo__node_patchable(r, d->base, &w->s) ? work_patch(w, txn)
                                                                : work_put(w, txn);
    }
    if (err == BOUGH_OK)
        d->state = BOUGH_REPO__HASHED;
    return err;
}

/* ---- Walking ---- */

/* Finish `start` and what below it needs it: with `txn` all that is not stored. */
static enum bough_err dirs_walk(
    struct work *w, struct bough_repo__dir *start, struct bough_txn *txn)
{
    struct bough_repo__dir *d = start;

    d->cursor = bough_repo__dir_first(d);
    for (;;) {
        struct bough_repo__edit *e = d->cursor;
        struct bough_repo__dir *sub;
        enum bough_err err;

        if (e == NULL) {
            err = dir_finish(w, d, txn);
            if (err)
                return err;
            if (d == start)
                return BOUGH_OK;
            d = d->up;
            continue;
        }
        d->cursor = e->next[0].to;
        sub = e->to.dir;
        if (sub != NULL && sub->live > 0 &&
            sub->state >= (txn == NULL ? BOUGH_REPO__DIRTY : BOUGH_REPO__HASHED)) {
            d = sub;
            d->cursor = bough_repo__dir_first(d);
        }
    }
}

static enum bough_err dirs_finish(
    struct bough_repo *r, struct bough_repo__dir *start, struct bough_txn *txn)
{
    struct work w;
    enum bough_err err;

    work_init(&w, r);
    err = dirs_walk(&w, start, txn);
    work_fini(&w);
    return err;
}

enum bough_err bough_tree_digest(
    struct bough_tree *t, struct bough_view path, struct bough_oid *out)
{
    struct bough_repo__change is;
    enum bough_err err = bough_repo__tree_look(t, path, &is, NULL);

    if (err)
        return err;
    if (is.kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    if (is.dir != NULL && is.dir->state == BOUGH_REPO__DIRTY)
        err = dirs_finish(t->r, is.dir, NULL);
    *out = is.dir == NULL ? is.id : is.dir->now;
    return err;
}

enum bough_err bough_tree_write(struct bough_tree *t, struct bough_txn *txn, struct bough_oid *root)
{
    uint64_t stamp = t->stamp;
    enum bough_err err = bough_repo__tree_check(t);

    if (err)
        return err;
    if (bough_tree_edited(t)) {
        err = dirs_finish(t->r, t->top, txn);
        if (err)
            return err;
        *root = t->top->now;
    } else {
        *root = t->root;
    }
    bough_repo__tree_reset(t, root);
    t->stamp = stamp; /* what is at which path did not change */
    return BOUGH_OK;
}
