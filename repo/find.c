/*
 * find.c - what is at a path, and its value.
 *
 *   walking     down the edits, then down the nodes
 *   finding     what the path cache knows is not walked to
 *   getting     the value, too: from the path cache, else from the store, by its locator
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/path_inner.h"
#include "repo/range_inner.h"
#include "repo/tree_inner.h"

/* ---- Walking ---- */

/* Where a path leads: a change, and what it is part of. */
struct place {
    struct bough_repo__change is;
    size_t through;                /* bytes of the path that are a value, when the path goes on */
    struct bough_repo__node *node; /* pinned: the last one looked in; NULL: none */
    uint32_t i;                    /* of the entry in it that `is` says, or UINT32_MAX */
};

static void place_done(struct bough_repo *r, struct place *p)
{
    bough_repo__node_unpin(r, p->node);
    p->node = NULL;
}

/* One step down from a dictionary without edits, to what entry `i` of its node says. */
static void step_node(
    struct bough_repo *r, struct place *p, struct bough_repo__node *n, struct bough_view name)
{
    bough_repo__node_unpin(r, p->node);
    p->node = n;
    p->i = bough_repo__node_find(r, n, name);
    p->is = (struct bough_repo__change){.kind = BOUGH_NODE_NONE};
    if (p->i == UINT32_MAX)
        return;
    p->is.mode = bough_repo__node_mode(n, p->i);
    p->is.kind = p->is.mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    p->is.id = bough_repo__node_id(r, n, p->i);
}

/* The same in a large tree that is not decoded. */
static enum bough_err step_range(struct bough_repo *r, struct place *p, struct bough_view name)
{
    struct bough_repo__range_entry e;
    struct bough_oid id = p->is.id;
    struct bough_buf buf;
    enum bough_err err;

    place_done(r, p);
    p->i = UINT32_MAX;
    p->is = (struct bough_repo__change){.kind = BOUGH_NODE_NONE};
    bough_buf_init(&buf, r->mem);
    err = bough_repo__range_find(r, &id, name, &buf, &e);
    bough_buf_fini(&buf);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    p->is.mode = e.mode;
    p->is.kind = e.mode == BOUGH_REPO__DIR ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE;
    p->is.id = e.id;
    return BOUGH_OK;
}

/* Follow `path` from `p->is`, a directory (its `dir` or `id`).  To be done with place_done(). */
static enum bough_err tree_walk(struct bough_repo *r, struct bough_view path, struct place *p)
{
    struct bough_view left = path, name;

    p->through = 0;
    p->node = NULL;
    p->i = UINT32_MAX;
    while (p->is.kind == BOUGH_NODE_DICT && bough_repo__segment(&left, &name)) {
        struct bough_repo__node *n;
        enum bough_err err;

        if (p->is.dir != NULL) {
            bough_repo__dir_look(r, p->is.dir, name, &p->is);
            continue;
        }
        if (p->i != UINT32_MAX)
            err = bough_repo__node_child_look(r, p->node, p->i, &n);
        else
            err = bough_repo__node_look(r, &p->is.id, &n);
        if (err == BOUGH_OK && n != NULL)
            step_node(r, p, n, name);
        else if (err == BOUGH_OK)
            err = step_range(r, p, name);
        if (err) {
            place_done(r, p);
            return err;
        }
    }
    if (left.len > 0) { /* below a value, or below nothing */
        if (p->is.kind == BOUGH_NODE_VALUE)
            p->through = (size_t)(left.ptr - path.ptr) - 1;
        p->is = (struct bough_repo__change){.kind = BOUGH_NODE_NONE};
    }
    return BOUGH_OK;
}

/* The same where nothing is edited and all nodes are cached; false: to be walked in earnest.  Only
   the last node is pinned. */
static bool walk_quick(const struct bough_tree *t, struct bough_view path, struct place *p)
{
    const uint8_t *id = t->root.bytes;
    struct bough_view left = path, name;
    struct bough_repo__node *n;
    uint32_t i;

    if (t->top != NULL)
        return false;
    do {
        n = bough_repo__node_peek(t->r, id);
        if (n == NULL || !bough_repo__segment(&left, &name))
            return false;
        i = n->small ? bough_repo__small_find(n, name, left.len == 0 ? t->r->store : NULL)
                     : bough_repo__node_find(t->r, n, name);
        if (i == UINT32_MAX)
            return false;
        id = bough_repo__node_raw_id(n, i);
    } while (bough_repo__node_mode(n, i) == BOUGH_REPO__DIR);
    if (left.len > 0)
        return false;
    n->pins++;
    p->node = n;
    p->i = i;
    p->is.kind = BOUGH_NODE_VALUE;
    p->is.mode = bough_repo__node_mode(n, i);
    p->is.dir = NULL;
    bough_repo__id_load(t->r->hash_len, id, &p->is.id);
    return true;
}

static struct bough_repo__change known_change(
    const struct bough_repo *r, const struct bough_repo__known *known)
{
    struct bough_repo__change is = {.kind = BOUGH_NODE_VALUE, .mode = known->mode};

    if (known->bytes.ptr != NULL)
        is.id = bough_oid_of(r->algo, BOUGH_BLOB, known->bytes);
    else
        bough_repo__id_load(r->hash_len, known->id, &is.id);
    return is;
}

static struct bough_repo__change tree_top(const struct bough_tree *t)
{
    return (struct bough_repo__change){
        .kind = BOUGH_NODE_DICT, .mode = BOUGH_REPO__DIR, .id = t->root, .dir = t->top};
}

/* ---- Finding ---- */

enum bough_err bough_repo__tree_look(
    struct bough_tree *t, struct bough_view path, struct bough_repo__change *out, size_t *through)
{
    struct place p = {.is = tree_top(t)};
    struct bough_repo__known known;
    enum bough_err err;

    if (through != NULL)
        *through = 0;

    if (bough_repo__path_get(t, path, &known)) {
        *out = known_change(t->r, &known);
        return BOUGH_OK;
    }
    err = bough_repo__tree_check(t);
    if (err == BOUGH_OK)
        err = tree_walk(t->r, path, &p);
    if (err == BOUGH_OK)
        *out = p.is;
    if (through != NULL)
        *through = p.through;
    place_done(t->r, &p);
    return err;
}

void bough_repo__node_say(const struct bough_repo__change *is, struct bough_node *out)
{
    *out = (struct bough_node){.kind = is->kind};
    if (is->kind == BOUGH_NODE_NONE)
        return;
    out->mode = bough_repo__mode_of(is->mode);
    out->bytes = bough_repo__change_bytes(is);
    if (is->dir == NULL)
        out->id = is->id;
    else if (is->dir->state == BOUGH_REPO__CLEAN)
        out->id = is->dir->now;
}

enum bough_err bough_tree_find(
    struct bough_tree *t, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct place p = {.is = tree_top(t)};
    struct bough_repo__known known;
    enum bough_err err = BOUGH_OK;

    if (bough_repo__path_get(t, path, &known)) {
        p.is = known_change(t->r, &known);
    } else {
        err = bough_repo__tree_check(t);
        if (err == BOUGH_OK)
            err = tree_walk(t->r, path, &p);
        if (err)
            return err;
        if (bough_repo__change_bytes(&p.is).ptr == NULL)
            bough_repo__path_keep(t, path, &p.is, 0, bough_view(NULL, 0));
    }
    bough_repo__node_say(&p.is, out);
    if (through != NULL)
        *through = p.through;
    place_done(t->r, &p);
    return BOUGH_OK;
}

/* ---- Getting ---- */

/* A part of a value that is in memory. */
static enum bough_err part_put(
    struct bough_view value, uint64_t at, uint64_t n, struct bough_buf *out)
{
    if (at < value.len && n > 0) {
        size_t left = value.len - (size_t)at;
        bough_buf_put(out, value.ptr + (size_t)at, n < left ? (size_t)n : left);
    }
    return out->err;
}

/* Out of the store; `*whole`: all of it came. */
static enum bough_err part_stored(struct bough_repo *r, const struct bough_oid *id,
    struct bough_get *get, struct bough_buf *out, bool *whole)
{
    size_t len = out->len;
    enum bough_err err = bough_store_get(r->store, id, get, out);

    *whole = err == BOUGH_OK && get->at == 0 && out->len - len == get->size;
    return bough_repo__stored(r, err, id);
}

/* The path cache knows of it, and not what it is. */
static enum bough_err get_known(struct bough_tree *t, struct bough_view path,
    struct bough_repo__known *known, struct bough_get *get, struct bough_buf *out)
{
    struct bough_repo__change is = known_change(t->r, known);
    size_t len = out->len;
    uint64_t where;
    bool whole;
    enum bough_err err;

    if (known->mode == BOUGH_REPO__SUB)
        return BOUGH_OK;
    memcpy(&where, known->where, sizeof where);
    get->where = where;
    err = part_stored(t->r, &is.id, get, out, &whole);
    if (whole && get->size <= BOUGH_REPO__PATH_VALUE_MAX)
        bough_repo__path_keep(t, path, &is, get->where, bough_view(out->ptr + len, out->len - len));
    else if (err == BOUGH_OK && get->where != where)
        memcpy(known->where, &get->where, sizeof where);
    return err;
}

/* The value where a walk led. */
static enum bough_err get_walked(struct bough_tree *t, struct bough_view path, struct place *p,
    struct bough_get *get, struct bough_buf *out)
{
    size_t len = out->len;
    bool whole, in_node = p->i != UINT32_MAX;
    enum bough_err err;

    if (p->is.kind != BOUGH_NODE_VALUE || p->is.mode == BOUGH_REPO__SUB)
        return BOUGH_OK;
    if (bough_repo__change_bytes(&p->is).ptr != NULL)
        return part_put(bough_repo__change_bytes(&p->is), get->at, get->n, out);
    get->where = in_node ? bough_repo__node_where(p->node, p->i) : 0;
    err = part_stored(t->r, &p->is.id, get, out, &whole);
    if (err)
        return err;
    if (in_node)
        bough_repo__node_learn(t->r, p->node, p->i, get->where);
    bough_repo__path_keep(t, path, &p->is, get->where,
        whole ? bough_view(out->ptr + len, out->len - len) : bough_view(NULL, 0));
    return BOUGH_OK;
}

static enum bough_err get_cold(struct bough_tree *t, struct bough_view path, struct bough_get *get,
    struct bough_node *node, struct bough_buf *out)
{
    struct place p = {.is = tree_top(t)};
    enum bough_err err = bough_repo__tree_check(t);

    if (err == BOUGH_OK && !walk_quick(t, path, &p))
        err = tree_walk(t->r, path, &p);
    if (err == BOUGH_OK)
        err = get_walked(t, path, &p, get, out);
    bough_repo__node_say(&p.is, node);
    place_done(t->r, &p);
    return err;
}

enum bough_err bough_tree_get(struct bough_tree *t, struct bough_view path, uint64_t at, uint64_t n,
    struct bough_node *node, struct bough_buf *out)
{
    struct bough_repo__known known;

    if (!bough_repo__path_get(t, path, &known))
        return get_cold(t, path, &(struct bough_get){.at = at, .n = n}, node, out);
    *node = (struct bough_node){.kind = BOUGH_NODE_VALUE, .mode = bough_repo__mode_of(known.mode)};
    if (known.bytes.ptr != NULL)
        return part_put(known.bytes, at, n, out);
    return get_known(t, path, &known, &(struct bough_get){.at = at, .n = n}, out);
}
