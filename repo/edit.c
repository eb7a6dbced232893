/*
 * edit.c - a directory's changes over its base tree.
 *
 *   skip list     edits by name bytes; their levels come from a keyed hash of the name
 *   table         the same edits by that hash, where they are many
 *   edits         found, made, released
 *   directories   all of a tree in one pool
 *   counting      live children and states, kept up to the root
 *   looking       base and change together
 *   putting       one change in place of another
 *
 * Invariants: dir->live is the number of names that bough_repo__dir_look() finds; a
 * directory below is there exactly while its own live is not 0; above a dirty directory
 * all are dirty; an edit that makes nothing else than the base has is not kept.
 */
#include "repo/inner.h"

/* ---- The skip list ---- */

static uint64_t first8(struct bough_view name)
{
    uint8_t bytes[8] = {0};

    if (name.len >= sizeof bytes)
        return bough_get64be(name.ptr);
    if (name.len > 0)
        memcpy(bytes, name.ptr, name.len);
    return bough_get64be(bytes);
}

/* Does what follows stand before the place that is looked for?  Mostly the first bytes tell. */
static bool link_before(
    const struct bough_repo__link *l, uint64_t key, struct bough_view name, bool past)
{
    if (l->to == NULL || l->first8 != key)
        return l->to != NULL && l->first8 < key;
    return bough_view_cmp(bough_repo__edit_name(l->to), name) < (past ? 1 : 0);
}

/* For each level the links that lead to the first edit >= `name` (`past`: > `name`). */
static struct bough_repo__edit *edits_seek(struct bough_repo__dir *d, struct bough_view name,
    bool past, struct bough_repo__link *links[BOUGH_REPO__LEVELS])
{
    struct bough_repo__link *at = d->next;
    uint64_t key = first8(name);

    for (uint32_t level = BOUGH_REPO__LEVELS; level-- > 0;) {
        while (link_before(&at[level], key, name, past))
            at = at[level].to->next;
        if (links != NULL)
            links[level] = at;
    }
    return at[0].to;
}

static bool edit_is(const struct bough_repo__edit *e, struct bough_view name)
{
    return e != NULL && bough_view_eq(bough_repo__edit_name(e), name);
}

/* ---- The table ---- */

enum { TABLE_FROM = 8 }; /* edits: less are looked up in the list */

static uint32_t name_hash(const struct bough_repo *r, struct bough_view name)
{
    return (uint32_t)bough_mix64(r->key, name.ptr, name.len);
}

static void slot_put(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    size_t mask = d->slots_n - 1, at = e->hash & mask;

    while (d->slots[at].edit != NULL)
        at = (at + 1) & mask;
    d->slots[at] = (struct bough_repo__slot){e, e->hash};
}

/* Where the table has `e`. */
static size_t slot_of(const struct bough_repo__dir *d, const struct bough_repo__edit *e)
{
    size_t mask = d->slots_n - 1, at = e->hash & mask;

    while (d->slots[at].edit != e)
        at = (at + 1) & mask;
    return at;
}

static void table_drop(struct bough_repo__dir *d)
{
    bough_mem_free(&d->pool->mem, d->slots, d->slots_n * sizeof *d->slots);
    d->slots = NULL;
    d->slots_n = 0;
}

/* Room for one more; without memory the list alone serves. */
static void table_grow(struct bough_repo__dir *d)
{
    size_t n = TABLE_FROM * 4;

    if (d->edits_n < TABLE_FROM || d->edits_n * 2 < d->slots_n)
        return;
    while (n <= d->edits_n * 2)
        n *= 2;
    table_drop(d);
    d->slots = bough_mem_zalloc(&d->pool->mem, n, sizeof *d->slots);
    if (d->slots == NULL)
        return;
    d->slots_n = n;
    for (struct bough_repo__edit *e = d->next[0].to; e != NULL; e = e->next[0].to)
        slot_put(d, e);
}

/* Take `e` out, and move those that came behind it to where they would be without it. */
static void slot_drop(struct bough_repo__dir *d, const struct bough_repo__edit *e)
{
    size_t mask = d->slots_n - 1, hole = slot_of(d, e), at = hole;

    for (;;) {
        const struct bough_repo__slot *x;

        d->slots[hole].edit = NULL;
        do {
            at = (at + 1) & mask;
            x = &d->slots[at];
        } while (x->edit != NULL && ((at - (x->hash & mask)) & mask) < ((at - hole) & mask));
        if (x->edit == NULL)
            return;
        d->slots[hole] = *x;
        hole = at;
    }
}

static struct bough_repo__edit *slot_find(
    const struct bough_repo__dir *d, uint32_t hash, struct bough_view name)
{
    size_t mask = d->slots_n - 1;

    for (size_t at = hash & mask; d->slots[at].edit != NULL; at = (at + 1) & mask) {
        if (d->slots[at].hash == hash && edit_is(d->slots[at].edit, name))
            return d->slots[at].edit;
    }
    return NULL;
}

/* ---- Edits ---- */

struct bough_repo__edit *bough_repo__dir_edit(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name)
{
    struct bough_repo__edit *e;

    if (d->edits_n == 0)
        return NULL;
    if (d->slots != NULL)
        return slot_find(d, name_hash(r, name), name);
    if (edit_is(d->last, name))
        return d->last;
    e = edits_seek(d, name, false, NULL);
    if (!edit_is(e, name))
        return NULL;
    d->last = e;
    return e;
}

struct bough_repo__edit *bough_repo__dir_after(struct bough_repo__dir *d, struct bough_view name)
{
    return d->edits_n == 0 ? NULL : edits_seek(d, name, true, NULL);
}

static size_t edit_size(size_t levels, size_t name_len)
{
    struct bough_repo__edit *e;

    return sizeof *e + levels * sizeof e->next[0] + name_len;
}

static struct bough_repo__edit *edit_new(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name)
{
    uint32_t hash = name_hash(r, name), bits = hash;
    struct bough_repo__edit *e;
    uint32_t levels = 1;

    for (; levels < BOUGH_REPO__LEVELS && (bits >> 30) == 0; bits <<= 2)
        levels++;
    if (name.len > UINT32_MAX / 8)
        return NULL;
    e = bough_mem_alloc(&d->pool->mem, edit_size(levels, name.len));
    if (e == NULL)
        return NULL;
    *e = (struct bough_repo__edit){
        .hash = hash, .name_len = (uint32_t)name.len, .levels = levels, .base = UINT32_MAX};
    memcpy(e->next + levels, name.ptr, name.len);
    return e;
}

/* Release what a change owns. */
static void change_drop(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_repo__change *c)
{
    bough_mem_free(&d->pool->mem, c->bytes, c->len);
    bough_repo__dir_free(r, c->dir);
    c->bytes = NULL;
    c->dir = NULL;
}

static void edit_link(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    struct bough_repo__link *links[BOUGH_REPO__LEVELS];

    edits_seek(d, bough_repo__edit_name(e), false, links);
    for (uint32_t i = 0; i < e->levels; i++) {
        e->next[i] = links[i][i];
        links[i][i] = (struct bough_repo__link){e, first8(bough_repo__edit_name(e))};
    }
    d->edits_n++;
    d->last = e;
    if (d->slots != NULL)
        slot_put(d, e);
    table_grow(d);
}

static void edit_free(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    bough_mem_free(&d->pool->mem, e, edit_size(e->levels, e->name_len));
}

static void edit_unlink(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    struct bough_repo__link *links[BOUGH_REPO__LEVELS];

    edits_seek(d, bough_repo__edit_name(e), false, links);
    for (uint32_t i = 0; i < e->levels; i++)
        links[i][i] = e->next[i];
    if (d->slots != NULL)
        slot_drop(d, e);
    d->edits_n--;
    d->last = NULL;
    edit_free(d, e);
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
    table_drop(d);
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
            bough_mem_free(&d->pool->mem, e->to.bytes, e->to.len);
            edit_free(d, e);
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
        e = edit_new(r, d, name);
        if (e == NULL)
            return BOUGH_ENOMEM;
        e->base = i;
        edit_link(d, e);
    } else if (e != NULL) {
        change_drop(r, d, &e->to);
    }
    if (e != NULL) {
        e->to = *to;
        if (to->dir != NULL)
            to->dir->up = d;
        if (change_same(&base, to)) {
            change_drop(r, d, &e->to);
            edit_unlink(d, e);
        }
    } else {
        bough_mem_free(&d->pool->mem, to->bytes, to->len);
    }
    live_moved(d, was_there, change_there(to));
    if (!view && d->state == BOUGH_REPO__CLEAN)
        bough_repo__chain_ahead(r, &d->now);
    if (!view)
        mark_dirty(d);
    return BOUGH_OK;
}
