/*
 * memory_tree.c - trees of values in memory; see memory_inner.h.
 *
 *   trees     make, share, find
 *   changes   a way of one's own down to a dictionary; set, remove, move, clear
 */
#include "kv/inner.h"
#include "kv/memory_inner.h"

/* ---- Trees ---- */

enum bough_err bough_kv__memtree_init(
    struct bough_kv__memtree *t, struct bough_mem *mem, enum bough_algo algo)
{
    *t = (struct bough_kv__memtree){.mem = mem, .algo = algo};
    t->root = bough_kv__cow_new(mem, true, 0);
    return t->root != NULL ? BOUGH_OK : BOUGH_ENOMEM;
}

void bough_kv__memtree_share(struct bough_kv__memtree *t, const struct bough_kv__memtree *from)
{
    *t = *from;
    t->root->refs++;
}

void bough_kv__memtree_fini(struct bough_kv__memtree *t)
{
    bough_kv__cow_drop(t->mem, t->root);
    t->root = NULL;
}

struct bough_kv__found bough_kv__memtree_find(
    const struct bough_kv__memtree *t, struct bough_view path)
{
    struct bough_kv__found f = {.node = t->root, .mode = BOUGH_KV__DICT, .at = t->at};
    struct bough_kv__stamp moved = {0};
    struct bough_view rest = path, name;

    while (bough_kv__segment_next(&rest, &name)) {
        const struct bough_kv__entry *e;
        bool there = false;
        size_t at = 0;

        if (f.node->dict)
            at = bough_kv__cow_place(f.node, name, &there);
        else
            f.through = (size_t)(name.ptr - path.ptr) - 1;
        if (!there) {
            f.node = NULL;
            return f;
        }
        e = &f.node->entries[at];
        if (e->moved.seq > moved.seq)
            moved = e->moved;
        f.node = e->node;
        f.mode = e->mode;
        f.at = e->at.seq > moved.seq ? e->at : moved;
    }
    return f;
}

/* ---- Changes ---- */

static struct bough_kv__cow *value_new(struct bough_mem *mem, struct bough_view bytes)
{
    struct bough_kv__cow *n = bough_kv__cow_new(mem, false, bytes.len);

    if (n != NULL && bytes.len > 0)
        memcpy(n + 1, bytes.ptr, bytes.len);
    return n;
}

static struct bough_kv__stamp stamp_next(const struct bough_kv__memtree *t, struct bough_time now)
{
    struct bough_kv__stamp s = {t->at.seq + 1, now};

    return s;
}

/* Own every dictionary along `path` as far as there are any; ids on the way are forgotten. */
static enum bough_err way_own(struct bough_kv__memtree *t, struct bough_view path)
{
    struct bough_kv__cow **at = &t->root;
    struct bough_view rest = path, name;

    for (;;) {
        enum bough_err err = bough_kv__cow_own(t->mem, at);
        bool there;
        size_t i;

        if (err)
            return err;
        (*at)->has_id = false;
        if (!bough_kv__segment_next(&rest, &name))
            return BOUGH_OK;
        i = bough_kv__cow_place(*at, name, &there);
        if (!there || !(*at)->entries[i].node->dict)
            return BOUGH_OK;
        at = &(*at)->entries[i].node;
    }
}

/* Stamp every entry along `path` as far as it goes. */
static void way_stamp(
    struct bough_kv__memtree *t, struct bough_view path, struct bough_kv__stamp stamp)
{
    struct bough_kv__cow *n = t->root;
    struct bough_view rest = path, name;
    bool there = true;

    t->at = stamp;
    while (n->dict && bough_kv__segment_next(&rest, &name)) {
        size_t i = bough_kv__cow_place(n, name, &there);

        if (!there)
            return;
        n->entries[i].at = stamp;
        n = n->entries[i].node;
    }
}

/*
 * `node` (taken, even on error) below the dictionaries that `rest` names in front of its last
 * segment: the node to hang in at the first of them.
 */
static struct bough_kv__cow *chain_new(struct bough_mem *mem, struct bough_view rest,
    struct bough_kv__cow *node, uint32_t *mode, struct bough_kv__stamp stamp)
{
    while (node != NULL && rest.len > 0) {
        struct bough_kv__name *name = bough_kv__name_new(mem, bough_kv__path_name(rest));
        struct bough_kv__cow *dict = bough_kv__cow_new(mem, true, 0);
        void *entries = NULL;

        if (name == NULL || dict == NULL ||
            bough_mem_grow(mem, &entries, &dict->cap, 1, sizeof *dict->entries)) {
            bough_kv__name_drop(mem, name);
            bough_kv__cow_drop(mem, dict);
            bough_kv__cow_drop(mem, node);
            return NULL;
        }
        dict->entries = entries;
        dict->n = 1;
        dict->entries[0] = (struct bough_kv__entry){name, node, *mode, stamp, {0}};
        node = dict;
        *mode = BOUGH_KV__DICT;
        rest = bough_kv__path_parent(rest);
    }
    return node;
}

/* Hang `node` (taken, even on error) into a dictionary that is owned. */
static enum bough_err cow_hang(struct bough_mem *mem, struct bough_kv__cow *dict,
    struct bough_view name, const struct bough_kv__entry *as)
{
    bool there;
    size_t at = bough_kv__cow_place(dict, name, &there);
    struct bough_kv__entry e = *as;
    void *entries = dict->entries;

    if (there) {
        e.name = dict->entries[at].name;
        bough_kv__cow_drop(mem, dict->entries[at].node);
        dict->entries[at] = e;
        return BOUGH_OK;
    }
    e.name = bough_kv__name_new(mem, name);
    if (e.name == NULL ||
        bough_mem_grow(mem, &entries, &dict->cap, dict->n + 1, sizeof *dict->entries)) {
        bough_kv__name_drop(mem, e.name);
        bough_kv__cow_drop(mem, e.node);
        return BOUGH_ENOMEM;
    }
    dict->entries = entries;
    memmove(dict->entries + at + 1, dict->entries + at, (dict->n - at) * sizeof *dict->entries);
    dict->entries[at] = e;
    dict->n++;
    return BOUGH_OK;
}

/* Put `node` (taken, even on error) at `path`; `moved` is zero for a value that is new. */
static enum bough_err tree_put(struct bough_kv__memtree *t, struct bough_view path,
    struct bough_kv__cow *node, uint32_t mode, struct bough_kv__stamp moved,
    struct bough_kv__stamp stamp)
{
    struct bough_kv__cow *dict;
    struct bough_view rest = path, name = {0};
    struct bough_kv__entry e;
    enum bough_err err = way_own(t, bough_kv__path_parent(path));

    if (err) {
        bough_kv__cow_drop(t->mem, node);
        return err;
    }
    dict = t->root;
    while (bough_kv__segment_next(&rest, &name) && rest.len > 0) {
        bool there;
        size_t at = bough_kv__cow_place(dict, name, &there);

        if (!there || !dict->entries[at].node->dict)
            break;
        dict = dict->entries[at].node;
    }
    if (rest.len > 0 && rest.ptr[0] == '/')
        rest = bough_view(rest.ptr + 1, rest.len - 1);
    e = (struct bough_kv__entry){.mode = mode, .at = stamp, .moved = moved};
    e.node = chain_new(t->mem, rest, node, &e.mode, stamp);
    err = e.node != NULL ? cow_hang(t->mem, dict, name, &e) : BOUGH_ENOMEM;
    if (!err)
        way_stamp(t, path, stamp);
    return err;
}

enum bough_err bough_kv__memtree_set(struct bough_kv__memtree *t, struct bough_view path,
    uint32_t mode, struct bough_view bytes, struct bough_time now)
{
    struct bough_kv__found f = bough_kv__memtree_find(t, path);
    struct bough_kv__stamp none = {0};
    struct bough_kv__cow *node;

    if (f.node != NULL && !f.node->dict && f.mode == mode &&
        bough_view_eq(bough_kv__cow_bytes(f.node), bytes))
        return BOUGH_OK;
    node = value_new(t->mem, bytes);
    return node != NULL ? tree_put(t, path, node, mode, none, stamp_next(t, now)) : BOUGH_ENOMEM;
}

static enum bough_err memtree_clear(struct bough_kv__memtree *t, struct bough_time now)
{
    struct bough_kv__cow *root;

    if (t->root->n == 0)
        return BOUGH_OK;
    root = bough_kv__cow_new(t->mem, true, 0);
    if (root == NULL)
        return BOUGH_ENOMEM;
    bough_kv__cow_drop(t->mem, t->root);
    t->root = root;
    t->at = stamp_next(t, now);
    return BOUGH_OK;
}

/* Take the entry at `path`, which is there, out; its dictionaries are owned.  Emptied ones go, too. */
static void tree_cut(
    struct bough_kv__memtree *t, struct bough_view path, struct bough_kv__stamp stamp)
{
    struct bough_kv__cow *n = t->root, *cut = t->root;
    struct bough_view rest = path, name;
    size_t cut_at = 0;
    bool there;

    while (bough_kv__segment_next(&rest, &name)) {
        size_t at = bough_kv__cow_place(n, name, &there);

        BOUGH_ASSERT(there);
        if (n == t->root || n->n > 1) {
            cut = n;
            cut_at = at;
        }
        n = n->entries[at].node;
    }
    bough_kv__name_drop(t->mem, cut->entries[cut_at].name);
    bough_kv__cow_drop(t->mem, cut->entries[cut_at].node);
    cut->n--;
    memmove(
        cut->entries + cut_at, cut->entries + cut_at + 1, (cut->n - cut_at) * sizeof *cut->entries);
    way_stamp(t, path, stamp);
}

enum bough_err bough_kv__memtree_remove(
    struct bough_kv__memtree *t, struct bough_view path, struct bough_time now)
{
    enum bough_err err;

    if (path.len == 0)
        return memtree_clear(t, now);
    if (bough_kv__memtree_find(t, path).node == NULL)
        return BOUGH_ENOENT;
    err = way_own(t, bough_kv__path_parent(path));
    if (!err)
        tree_cut(t, path, stamp_next(t, now));
    return err;
}

enum bough_err bough_kv__memtree_move(struct bough_kv__memtree *t, struct bough_view from,
    struct bough_view to, struct bough_time now)
{
    struct bough_kv__found f = bough_kv__memtree_find(t, from);
    struct bough_kv__stamp stamp = stamp_next(t, now);
    enum bough_err err;

    if (f.node == NULL)
        return BOUGH_ENOENT;
    err = way_own(t, bough_kv__path_parent(from));
    if (err)
        return err;
    f.node->refs++;
    err = tree_put(t, to, f.node, f.mode, stamp, stamp);
    if (!err)
        tree_cut(t, from, stamp);
    return err;
}
