/*
 * node_inner.h - decoded trees.
 *
 *   states     of a digest, on the way through a large tree   rehash.c
 *   nodes      entries, looked up by name                     node.c; of few bytes: small.c
 *   the cache  of them, by id                                 nodecache.c
 */
#ifndef BOUGH_REPO_NODE_INNER_H
#define BOUGH_REPO_NODE_INNER_H

#include "base/buf.h"
#include "base/hash.h"
#include "git/oid.h"
#include "repo/name_inner.h"

struct bough_repo;
struct bough_store;

/* ---- States (rehash.c) ---- */

/* A digest's states on the way through a large tree's body (rehash.c). */
struct bough_repo__states {
    uint64_t len; /* of that body */
    uint32_t n, cap;
    struct bough_hash state[];
};
void bough_repo__states_free(struct bough_repo *r, struct bough_repo__states *s); /* NULL is fine */
size_t bough_repo__states_size(const struct bough_repo__states *s);               /* bytes */

/* Forget those that saw bytes from `from` on. */
void bough_repo__states_cut(struct bough_repo__states *s, size_t from);

/* The id of the tree `body`, which is what the states (NULL: none yet) saw before byte `from`; what
   bough_oid_make() answers.  They are then of this body. */
enum bough_err bough_repo__states_id(struct bough_repo *r, struct bough_repo__states **s,
    struct bough_view body, size_t from, struct bough_oid *id);

/* ---- Nodes ---- */

/* An entry: where its name is in the node's body, its length, its mode. */
struct bough_repo__ent {
    uint32_t at;
    uint32_t len_mode; /* length << 3 | enum bough_repo__mode */
};

/*
 * A decoded tree: immutable.  While pinned it stays; unpinned ones are kept as long as the
 * cache has room, last used first.  Locators are hints: the store finds what is not there by id.
 */
struct bough_repo__node {
    struct bough_repo__node *bucket; /* what a look needs comes first: two cache lines */
    struct bough_oid id;
    struct bough_repo__ent *ents; /* in tree order */
    uint32_t *slots;              /* bits of a name's hash, index + 1; NULL: not made yet */
    uint32_t slots_n;
    uint32_t n;
    struct bough_buf raw; /* the tree's body */
    uint64_t *where;      /* locators of children, 0: not known; NULL: of none */
    uint32_t pins;
    bool small;       /* entries, locators and body are in `block` (small.c) */
    bool large;       /* more than half of the cache: not in the list, not counted */
    bool touched;     /* since it was the oldest of the list last */
    bool replaced;    /* by a newer version of the directory, when nobody asked for it since */
    uint32_t *order;  /* indices by name bytes; NULL: ents is so ordered */
    uint32_t lookups; /* since it was decoded; slots are made when they pay */
    uint32_t block_len;
    size_t ents_cap;
    size_t cost;                            /* bytes, as counted by the cache */
    struct bough_repo__states *states;      /* of raw, when it is large and was written here */
    struct bough_repo__node *newer, *older; /* unless large */
    uint64_t block[];                       /* of a tree that was small when it was decoded */
};

struct bough_repo__cache {
    struct bough_repo__node **buckets;
    size_t buckets_n; /* a power of two */
    size_t count;
    struct bough_repo__node *newest, *oldest;
    struct bough_repo__node *large; /* one unpinned node that is too large for the list */
    size_t used, limit;             /* bytes of those in the list */
    struct bough_buf body;          /* where trees are read before they are decoded */
};

void bough_repo__cache_fini(struct bough_repo *r);

/* For the cache: entries from n->raw, BOUGH_ECORRUPT when it is no tree; release. */
enum bough_err bough_repo__node_parse(struct bough_repo *r, struct bough_repo__node *n);

/* The entry of a tree's body that begins at `*at`, which moves behind it; false when it is none. */
bool bough_repo__ent_parse(
    struct bough_view body, uint32_t hash_len, size_t *at, struct bough_repo__ent *out);

/* A node with entries, in whatever order: the permutation into byte order, if it takes one. */
enum bough_err bough_repo__node_order(struct bough_repo *r, struct bough_repo__node *n);

/* The decoded tree `id` with that body of at most so many bytes, not in the cache yet. */
enum {
    BOUGH_REPO__SMALL_MAX = 16 * 1024,
    BOUGH_REPO__SMALL_EDITED = 4096, /* the most where it may be changed: its block stays then */
};
enum bough_err bough_repo__small_new(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view body, struct bough_repo__node **out);

/* The index of `name` in a small node, or UINT32_MAX; with `store`: what is there is to be read. */
uint32_t bough_repo__small_find(
    const struct bough_repo__node *n, struct bough_view name, struct bough_store *store);

enum bough_err bough_repo__node_broken(struct bough_repo *r, const struct bough_oid *id);

/* What the store answered about an object that a tree names: that it is not there is damage. */
enum bough_err bough_repo__stored(
    struct bough_repo *r, enum bough_err err, const struct bough_oid *id);
void bough_repo__node_free(struct bough_repo *r, struct bough_repo__node *n);

void bough_repo__node_strip(struct bough_repo *r, struct bough_repo__node *n, bool slots_stay);

/* Add entry `i` to the table of names, which has room. */
void bough_repo__node_slot(struct bough_repo *r, struct bough_repo__node *n, uint32_t i);

/* A pinned node became the tree `id`. */
void bough_repo__node_stands(
    struct bough_repo *r, struct bough_repo__node *n, const struct bough_oid *id);

/* The decoded tree `id`, pinned. BOUGH_EFORMAT and BOUGH_ECORRUPT as the store and the bytes say. */
enum bough_err bough_repo__node_get(
    struct bough_repo *r, const struct bough_oid *id, struct bough_repo__node **out);

/* The decoded tree whose id has those bytes, if it is cached and not large; it stays until the next
   call that may decode one. */
struct bough_repo__node *bough_repo__node_peek(struct bough_repo *r, const uint8_t *id);

/* The same to look something up: NULL when it is large and better not decoded for that (range.c). */
enum bough_err bough_repo__node_look(
    struct bough_repo *r, const struct bough_oid *id, struct bough_repo__node **out);

/* Likewise the tree that entry `i` of a pinned node names: no id is looked up twice. */
enum bough_err bough_repo__node_child_look(
    struct bough_repo *r, struct bough_repo__node *n, uint32_t i, struct bough_repo__node **out);

/* The locator of entry `i`, or 0; note one. */
uint64_t bough_repo__node_where(const struct bough_repo__node *n, uint32_t i);
void bough_repo__node_learn(
    struct bough_repo *r, struct bough_repo__node *n, uint32_t i, uint64_t where);
void bough_repo__node_unpin(struct bough_repo *r, struct bough_repo__node *n); /* NULL is fine */

/* Let the cache have a tree that was just written; its body is taken over.  No promise. */
void bough_repo__node_offer(
    struct bough_repo *r, const struct bough_oid *id, struct bough_buf *body);

static inline struct bough_view bough_repo__node_name(const struct bough_repo__node *n, uint32_t i)
{
    return bough_view(n->raw.ptr + n->ents[i].at, n->ents[i].len_mode >> 3);
}

static inline enum bough_repo__mode bough_repo__node_mode(
    const struct bough_repo__node *n, uint32_t i)
{
    return (enum bough_repo__mode)(n->ents[i].len_mode & 7);
}

static inline const uint8_t *bough_repo__node_raw_id(const struct bough_repo__node *n, uint32_t i)
{
    return n->raw.ptr + n->ents[i].at + (n->ents[i].len_mode >> 3) + 1;
}

/* The id whose bytes, as many as ids have, are `raw`. */
static inline void bough_repo__id_load(uint32_t hash_len, const uint8_t *raw, struct bough_oid *out)
{
    enum { SHA1 = 20 };

    if (hash_len == SHA1) { /* lengths that the compiler knows */
        memcpy(out->bytes, raw, SHA1);
        memset(out->bytes + SHA1, 0, sizeof out->bytes - SHA1);
    } else {
        memcpy(out->bytes, raw, sizeof out->bytes);
    }
}

struct bough_oid bough_repo__node_id(
    const struct bough_repo *r, const struct bough_repo__node *n, uint32_t i);

/* Where entry `i` begins in the body; with i == n, the body's end. */
size_t bough_repo__node_at(
    const struct bough_repo *r, const struct bough_repo__node *n, uint32_t i);

/* The index of `name`, or UINT32_MAX. */
uint32_t bough_repo__node_find(
    struct bough_repo *r, struct bough_repo__node *n, struct bough_view name);

/* The first place in byte order whose name is greater than `after`; index through node_nth(). */
uint32_t bough_repo__node_after(const struct bough_repo__node *n, struct bough_view after);
static inline uint32_t bough_repo__node_nth(const struct bough_repo__node *n, uint32_t place)
{
    return n->order == NULL ? place : n->order[place];
}

/* The first entry, in tree order, that is not before (name, dir). */
uint32_t bough_repo__node_place(const struct bough_repo__node *n, struct bough_view name, bool dir);

#endif
