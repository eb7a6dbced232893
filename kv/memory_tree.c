/*
 * memory_tree.c - see memory_inner.h.
 *
 *   nodes     make, hold, release, copy
 *   finding   a name in a dictionary, a path in a tree
 *   ids       Git's, bottom up
 *   changes   a way of one's own down to a dictionary; set, remove, move, clear
 *
 * Nothing here recurses: release and ids walk along `up`.
 */
#include "kv/memory_inner.h"

/* ---- Nodes ---- */

static struct bough_kv__cow *cow_new(struct bough_mem *mem, bool dict, size_t len)
{
    struct bough_kv__cow *n =
        len < SIZE_MAX - sizeof *n ? bough_mem_alloc(mem, sizeof *n + len) : NULL;

    if (n != NULL)
        *n = (struct bough_kv__cow){.refs = 1, .dict = dict, .len = len};
    return n;
}

static struct bough_kv__cow *value_new(struct bough_mem *mem, struct bough_view bytes)
{
    struct bough_kv__cow *n = cow_new(mem, false, bytes.len);

    if (n != NULL && bytes.len > 0)
        memcpy(n + 1, bytes.ptr, bytes.len);
    return n;
}

static struct bough_kv__name *name_new(struct bough_mem *mem, struct bough_view text)
{
    struct bough_kv__name *name = bough_mem_alloc(mem, sizeof *name + text.len);

    if (name != NULL) {
        name->refs = 1;
        name->len = (uint32_t)text.len;
        memcpy(name + 1, text.ptr, text.len);
    }
    return name;
}

static void name_drop(struct bough_mem *mem, struct bough_kv__name *name)
{
    if (name != NULL && --name->refs == 0)
        bough_mem_free(mem, name, sizeof *name + name->len);
}

/* Let go of a node; what nobody holds any more is released, as a list along `up`. */
static void cow_drop(struct bough_mem *mem, struct bough_kv__cow *node)
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

            name_drop(mem, n->entries[i].name);
            if (--child->refs == 0) {
                child->up = list;
                list = child;
            }
        }
        bough_mem_free(mem, n->entries, n->cap * sizeof *n->entries);
        bough_mem_free(mem, n, sizeof *n + n->len);
    }
}

/* Make `*at` one's own: a copy when it is shared, whose children are shared then. */
static enum bough_err cow_own(struct bough_mem *mem, struct bough_kv__cow **at)
{
    struct bough_kv__cow *old = *at, *n;
    void *entries = NULL;

    if (old->refs == 1)
        return BOUGH_OK;
    n = cow_new(mem, true, 0);
    if (n == NULL)
        return BOUGH_ENOMEM;
    if (old->n > 0) {
        if (bough_mem_grow(mem, &entries, &n->cap, old->n, sizeof *n->entries)) {
            cow_drop(mem, n);
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

enum bough_err bough_kv__memtree_init(
    struct bough_kv__memtree *t, struct bough_mem *mem, enum bough_algo algo)
{
    *t = (struct bough_kv__memtree){.mem = mem, .algo = algo};
    t->root = cow_new(mem, true, 0);
    return t->root != NULL ? BOUGH_OK : BOUGH_ENOMEM;
}

void bough_kv__memtree_share(struct bough_kv__memtree *t, const struct bough_kv__memtree *from)
{
    *t = *from;
    t->root->refs++;
}

void bough_kv__memtree_fini(struct bough_kv__memtree *t)
{
    cow_drop(t->mem, t->root);
    t->root = NULL;
}

/* ---- Finding ---- */

static struct bough_view entry_name(const struct bough_kv__entry *e)
{
    return bough_kv__name_bytes(e->name);
}

/* Where `name` is or would be. */
static size_t cow_place(const struct bough_kv__cow *dict, struct bough_view name, bool *there)
{
    size_t lo = 0, hi = dict->n;

    *there = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = bough_view_cmp(entry_name(&dict->entries[mid]), name);

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
    size_t at = after.len > 0 ? cow_place(dict, after, &there) : (there = false, (size_t)0);

    at += there;
    return at < dict->n ? &dict->entries[at] : NULL;
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
            at = cow_place(f.node, name, &there);
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

/* ---- Ids ---- */

/* Git's order of entries. */
static int tree_cmp(const struct bough_kv__entry *a, const struct bough_kv__entry *b)
{
    return bough_tree_name_cmp(entry_name(a), a->node->dict, entry_name(b), b->node->dict);
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
            &body, t->algo, order[i]->mode, entry_name(order[i]), &order[i]->node->id);
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

/* ---- Changes ---- */

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
        enum bough_err err = cow_own(t->mem, at);
        bool there;
        size_t i;

        if (err)
            return err;
        (*at)->has_id = false;
        if (!bough_kv__segment_next(&rest, &name))
            return BOUGH_OK;
        i = cow_place(*at, name, &there);
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
        size_t i = cow_place(n, name, &there);

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
        struct bough_kv__name *name = name_new(mem, bough_kv__path_name(rest));
        struct bough_kv__cow *dict = cow_new(mem, true, 0);
        void *entries = NULL;

        if (name == NULL || dict == NULL ||
            bough_mem_grow(mem, &entries, &dict->cap, 1, sizeof *dict->entries)) {
            name_drop(mem, name);
            cow_drop(mem, dict);
            cow_drop(mem, node);
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
    size_t at = cow_place(dict, name, &there);
    struct bough_kv__entry e = *as;
    void *entries = dict->entries;

    if (there) {
        e.name = dict->entries[at].name;
        cow_drop(mem, dict->entries[at].node);
        dict->entries[at] = e;
        return BOUGH_OK;
    }
    e.name = name_new(mem, name);
    if (e.name == NULL ||
        bough_mem_grow(mem, &entries, &dict->cap, dict->n + 1, sizeof *dict->entries)) {
        name_drop(mem, e.name);
        cow_drop(mem, e.node);
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
    struct bough_kv__cow *dict = t->root;
    struct bough_view rest = path, name = {0};
    struct bough_kv__entry e;
    enum bough_err err = way_own(t, bough_kv__path_parent(path));

    if (err) {
        cow_drop(t->mem, node);
        return err;
    }
    dict = t->root;
    while (bough_kv__segment_next(&rest, &name) && rest.len > 0) {
        bool there;
        size_t at = cow_place(dict, name, &there);

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

enum bough_err bough_kv__memtree_clear(struct bough_kv__memtree *t, struct bough_time now)
{
    struct bough_kv__cow *root;

    if (t->root->n == 0)
        return BOUGH_OK;
    root = cow_new(t->mem, true, 0);
    if (root == NULL)
        return BOUGH_ENOMEM;
    cow_drop(t->mem, t->root);
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
        size_t at = cow_place(n, name, &there);

        BOUGH_ASSERT(there);
        if (n == t->root || n->n > 1) {
            cut = n;
            cut_at = at;
        }
        n = n->entries[at].node;
    }
    name_drop(t->mem, cut->entries[cut_at].name);
    cow_drop(t->mem, cut->entries[cut_at].node);
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
        return bough_kv__memtree_clear(t, now);
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
