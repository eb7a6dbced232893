/*
 * edits.c - the edits of one directory.
 *
 *   skip list     by name bytes; their levels come from a keyed hash of the name.  While nobody asks
 *                 for the order, those of a directory with a table are only strung together
 *   table         the same edits by that hash, where they are many
 *   edits         found, made, released
 */
#include "repo/edit_inner.h"
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

static void list_link(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    struct bough_repo__link *links[BOUGH_REPO__LEVELS];

    edits_seek(d, bough_repo__edit_name(e), false, links);
    for (uint32_t i = 0; i < e->levels; i++) {
        e->next[i] = links[i][i];
        links[i][i] = (struct bough_repo__link){e, first8(bough_repo__edit_name(e))};
    }
}

/* Order what came in any order; from now on it stays in order. */
static void dir_order(struct bough_repo__dir *d)
{
    struct bough_repo__edit *e = d->next[0].to, *next;

    d->ordered = true;
    if (!d->loose)
        return;
    d->loose = false;
    memset(d->next, 0, sizeof d->next);
    for (; e != NULL; e = next) {
        next = e->next[0].to;
        list_link(d, e);
    }
}

struct bough_repo__edit *bough_repo__dir_first(struct bough_repo__dir *d)
{
    dir_order(d);
    return d->next[0].to;
}

/* ---- The table ---- */

enum { TABLE_FROM = 4 }; /* edits: less are looked up in the list */

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

void bough_repo__edits_drop(struct bough_repo__dir *d)
{
    bough_mem_free(&d->pool->mem, d->slots, d->slots_n * sizeof *d->slots);
    d->slots = NULL;
    d->slots_n = 0;
}

/* Room for one more; without memory the list alone serves, so it must be in order. */
static void table_grow(struct bough_repo__dir *d)
{
    size_t n = TABLE_FROM * 4;

    if (d->edits_n < TABLE_FROM || d->edits_n * 2 < d->slots_n)
        return;
    while (n <= d->edits_n * 2)
        n *= 2;
    bough_repo__edits_drop(d);
    d->slots = bough_mem_zalloc(&d->pool->mem, n, sizeof *d->slots);
    if (d->slots == NULL) {
        dir_order(d);
        return;
    }
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
    dir_order(d);
    return d->edits_n == 0 ? NULL : edits_seek(d, name, true, NULL);
}

static size_t edit_size(size_t levels, size_t name_len)
{
    struct bough_repo__edit *e;

    return sizeof *e + levels * sizeof e->next[0] + name_len;
}

struct bough_repo__edit *bough_repo__edit_new(
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

void bough_repo__edit_link(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    d->loose = d->loose || (d->slots != NULL && !d->ordered);
    if (d->loose) {
        e->next[0] = d->next[0];
        d->next[0].to = e;
    } else {
        list_link(d, e);
    }
    d->edits_n++;
    d->last = e;
    if (d->slots != NULL)
        slot_put(d, e);
    table_grow(d);
}

void bough_repo__edit_free(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    bough_mem_free(&d->pool->mem, e, edit_size(e->levels, e->name_len));
}

void bough_repo__edit_unlink(struct bough_repo__dir *d, struct bough_repo__edit *e)
{
    struct bough_repo__link *links[BOUGH_REPO__LEVELS];

    dir_order(d);
    edits_seek(d, bough_repo__edit_name(e), false, links);
    for (uint32_t i = 0; i < e->levels; i++)
        links[i][i] = e->next[i];
    if (d->slots != NULL)
        slot_drop(d, e);
    d->edits_n--;
    d->last = NULL;
    bough_repo__edit_free(d, e);
}
