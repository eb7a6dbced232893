/*
 * memory_node.c - nodes of trees in memory; see memory_inner.h.
 *
 *   nodes     make, hold, release, copy
 *   finding   a name in a dictionary
 *   ids       Git's, bottom up
 *
 * Nothing here recurses: release and ids walk along `up`.
 */
#include "kv/memory_inner.h"

/* ---- Nodes ---- */

struct bough_kv__cow *bough_kv__cow_new(struct bough_mem *mem, bool dict, size_t len)
{
    struct bough_kv__cow *n =
        len < SIZE_MAX - sizeof *n ? bough_mem_alloc(mem, sizeof *n + len) : NULL;

    if (n != NULL)
        *n = (struct bough_kv__cow){.refs = 1, .dict = dict, .len = len};
    return n;
}

struct bough_kv__name *bough_kv__name_new(struct bough_mem *mem, struct bough_view text)
{
    struct bough_kv__name *name = bough_mem_alloc(mem, sizeof *name + text.len);

    if (name != NULL) {
        name->refs = 1;
        name->len = (uint32_t)text.len;
        memcpy(name + 1, text.ptr, text.len);
    }
    return name;
}

void bough_kv__name_drop(struct bough_mem *mem, struct bough_kv__name *name)
{
    if (name != NULL && --name->refs == 0)
        bough_mem_free(mem, name, sizeof *name + name->len);
}

void bough_kv__cow_drop(struct bough_mem *mem, struct bough_kv__cow *node)
{
    struct bough_kv__cow *list = NULL;

    if (node == NULL || --node->refs > 0)
        return;
    node->up = NULL;
    list = node;
    while (list != NULL) {
        struct bough_kv__cow *n = list;

        list = n->up;
        for (size_t i = 0; i < n->n; i++) {
            struct bough_kv__cow *child = n->entries[i].node;

            bough_kv__name_drop(mem, n->entries[i].name);
            if (--child->refs == 0) {
                child->up = list;
                list = child;
            }
        }
        bough_mem_free(mem, n->entries, n->cap * sizeof *n->entries);
        bough_mem_free(mem, n, sizeof *n + n->len);
    }
}

enum bough_err bough_kv__cow_own(struct bough_mem *mem, struct bough_kv__cow **at)
{
    struct bough_kv__cow *old = *at, *n;
    void *entries = NULL;

    if (old->refs == 1)
        return BOUGH_OK;
    n = bough_kv__cow_new(mem, true, 0);
    if (n == NULL)
        return BOUGH_ENOMEM;
    if (old->n > 0) {
        if (bough_mem_grow(mem, &entries, &n->cap, old->n, sizeof *n->entries)) {
            bough_kv__cow_drop(mem, n);
            return BOUGH_ENOMEM;
        }
        n->entries = entries;
        memcpy(n->entries, old->entries, old->n * sizeof *n->entries);
    }
    n->n = old->n;
    n->has_id = old->has_id;
    n->id = old->id;
    for (size_t i = 0; i < n->n; i++) {
        n->entries[i].name->refs++;
        n->entries[i].node->refs++;
    }
    old->refs--;
    *at = n;
    return BOUGH_OK;
}

/* ---- Finding ---- */

size_t bough_kv__cow_place(const struct bough_kv__cow *dict, struct bough_view name, bool *there)
{
    size_t lo = 0, hi = dict->n;

    *there = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = bough_view_cmp(bough_kv__entry_name(&dict->entries[mid]), name);

        if (cmp == 0) {
            *there = true;
            return mid;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct bough_kv__entry *bough_kv__cow_next(
    const struct bough_kv__cow *dict, struct bough_view after)
{
    bool there;
    size_t at =
        after.len > 0 ? bough_kv__cow_place(dict, after, &there) : (there = false, (size_t)0);

    at += there;
    return at < dict->n ? &dict->entries[at] : NULL;
}

/* ---- Ids ---- */

/* Git's order of entries. */
static int tree_cmp(const struct bough_kv__entry *a, const struct bough_kv__entry *b)
{
    return bough_tree_name_cmp(
        bough_kv__entry_name(a), a->node->dict, bough_kv__entry_name(b), b->node->dict);
}

/*
 * The tree object of a dictionary whose children have ids.  Entries are sorted by name; only a
 * dictionary may have to wait behind names that it begins and that go on below '/', so the
 * insertion moves few.
 */
static enum bough_err dict_id(struct bough_kv__memtree *t, struct bough_kv__cow *n)
{
    const struct bough_kv__entry **order = NULL;
    struct bough_buf body;
    enum bough_err err;

    bough_buf_init(&body, t->mem);
    if (n->n > 0) {
        order = bough_mem_zalloc(t->mem, n->n, sizeof *order);
        if (order == NULL)
            return BOUGH_ENOMEM;
    }
    for (size_t i = 0; i < n->n; i++) {
        size_t at = i;

        for (; at > 0 && tree_cmp(order[at - 1], &n->entries[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = &n->entries[i];
    }
    for (size_t i = 0; i < n->n; i++)
        bough_tree_entry_put(
            &body, t->algo, order[i]->mode, bough_kv__entry_name(order[i]), &order[i]->node->id);
    err = body.err;
    if (!err) {
        n->id = bough_oid_of(t->algo, BOUGH_TREE, bough_view(body.ptr, body.len));
        n->has_id = true;
    }
    bough_mem_free(t->mem, order, n->n * sizeof *order);
    bough_buf_fini(&body);
    return err;
}

enum bough_err bough_kv__cow_id(
    struct bough_kv__memtree *t, struct bough_kv__cow *node, struct bough_oid *out)
{
    struct bough_kv__cow *n = node;
    enum bough_err err;

    node->up = NULL;
    node->walked = 0;
    while (n != NULL) {
        if (!n->has_id && n->dict && n->walked < n->n) {
            struct bough_kv__cow *child = n->entries[n->walked++].node;

            child->up = n;
            child->walked = 0;
            n = child;
            continue;
        }
        if (!n->has_id && n->dict) {
            err = dict_id(t, n);
            if (err)
                return err;
        } else if (!n->has_id) {
            n->id = bough_oid_of(t->algo, BOUGH_BLOB, bough_kv__cow_bytes(n));
            n->has_id = true;
        }
        n = n->up;
    }
    *out = node->id;
    return BOUGH_OK;
}
