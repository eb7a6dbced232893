/*
 * memory_inner.h - a tree of values in memory whose versions share what is equal.
 *
 * Nodes are counted and never changed while somebody else holds them: a writer copies the
 * dictionaries on its way that are shared (their entries, not what is below) and changes the others
 * in place.  A snapshot is one more holder of the root.
 *
 *     root node ---- entry "a", mode, node ---- entry "b", mode, node: bytes
 *
 * Times.  An entry remembers when anything at or below it changed (`at`) and when it came here as
 * a whole (`moved`): what was last at a path is the latest of its own `at` and all `moved` above.
 */
#ifndef BOUGH_KV_MEMORY_INNER_H
#define BOUGH_KV_MEMORY_INNER_H

#include "kv/kv.h"

struct bough_kv__stamp {
    uint64_t seq; /* 0: never */
    struct bough_time time;
};

struct bough_kv__name {
    uint32_t refs, len; /* len bytes follow */
};

static inline struct bough_view bough_kv__name_bytes(const struct bough_kv__name *n)
{
    return bough_view(n + 1, n->len);
}

struct bough_kv__cow;

struct bough_kv__entry {
    struct bough_kv__name *name;
    struct bough_kv__cow *node;
    uint32_t mode;
    struct bough_kv__stamp at, moved;
};

struct bough_kv__cow {
    uint32_t refs;
    bool dict, has_id;
    struct bough_oid id;             /* when has_id */
    size_t len;                      /* of a value: bytes, which follow */
    struct bough_kv__entry *entries; /* of a dictionary: sorted by the bytes of their names */
    size_t n, cap;
    struct bough_kv__cow *up; /* of a walk: release or digest */
    size_t walked;
};

static inline struct bough_view bough_kv__cow_bytes(const struct bough_kv__cow *n)
{
    return bough_view((const uint8_t *)(n + 1), n->len);
}

struct bough_kv__memtree;

/* ---- Nodes: memory_node.c ---- */

/* A value with room for `len` bytes, or an empty dictionary, with one holder; NULL: no memory. */
struct bough_kv__cow *bough_kv__cow_new(struct bough_mem *mem, bool dict, size_t len);

/* Let go of a node; what nobody holds any more is released. */
void bough_kv__cow_drop(struct bough_mem *mem, struct bough_kv__cow *node);

/* Make `*at` one's own: a copy when it is shared, whose children are shared then. */
enum bough_err bough_kv__cow_own(struct bough_mem *mem, struct bough_kv__cow **at);

struct bough_kv__name *bough_kv__name_new(struct bough_mem *mem, struct bough_view text);
void bough_kv__name_drop(struct bough_mem *mem, struct bough_kv__name *name);

static inline struct bough_view bough_kv__entry_name(const struct bough_kv__entry *e)
{
    return bough_kv__name_bytes(e->name);
}

/* Where in `dict` an entry of this name is (`*there`) or belongs. */
size_t bough_kv__cow_place(const struct bough_kv__cow *dict, struct bough_view name, bool *there);

/* The first entry of `dict` whose name is greater than `after`, or NULL. */
const struct bough_kv__entry *bough_kv__cow_next(
    const struct bough_kv__cow *dict, struct bough_view after);

/* The id of a node, made when asked for. */
enum bough_err bough_kv__cow_id(
    struct bough_kv__memtree *t, struct bough_kv__cow *node, struct bough_oid *out);

/* ---- Trees: memory_tree.c ---- */

struct bough_kv__memtree {
    struct bough_mem *mem;
    enum bough_algo algo;
    struct bough_kv__cow *root; /* a dictionary */
    struct bough_kv__stamp at;  /* of the root */
};

/* An empty tree. */
enum bough_err bough_kv__memtree_init(
    struct bough_kv__memtree *t, struct bough_mem *mem, enum bough_algo algo);

/* Another holder of what `from` is now. */
void bough_kv__memtree_share(struct bough_kv__memtree *t, const struct bough_kv__memtree *from);
void bough_kv__memtree_fini(struct bough_kv__memtree *t);

/* What is at a path: node NULL for nothing. */
struct bough_kv__found {
    struct bough_kv__cow *node; /* borrowed until the next write */
    uint32_t mode;
    struct bough_kv__stamp at;
    size_t through; /* bytes of the path that are a value in the way */
};
struct bough_kv__found bough_kv__memtree_find(
    const struct bough_kv__memtree *t, struct bough_view path);

/* Writes; a failure leaves the tree as it was.  Values in the way and what stands there make room. */
enum bough_err bough_kv__memtree_set(struct bough_kv__memtree *t, struct bough_view path,
    uint32_t mode, struct bough_view bytes, struct bough_time now);
enum bough_err bough_kv__memtree_remove(
    struct bough_kv__memtree *t, struct bough_view path, struct bough_time now);
enum bough_err bough_kv__memtree_move(struct bough_kv__memtree *t, struct bough_view from,
    struct bough_view to, struct bough_time now);

#endif
