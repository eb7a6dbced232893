/*
 * inner.h - what the files of repo/ share.
 *
 *   nodes      decoded trees in a bounded cache                        node.c, small.c, nodecache.c
 *   sorting    natural merge sort                                      sort.c
 *   ranges     large trees that are not decoded                        range.c
 *   edits      a directory's changes, ordered by name                  edit.c, edits.c, pool.c
 *   trees      a root and a trie of edited directories        tree.c, find.c, list.c, write.c, renew.c
 *   ids        of large trees that changed a little                    rehash.c
 *   chains     versions of a directory as skip-deltas; write_inner.h   chain.c
 *   paths      values of branches by their whole path                  pathcache.c, follow.c
 *   commits    made, peeled, described                                 commit.c, message.c
 *   history    looks, graphs, queues; its index: history_inner.h       graph.c
 *   keeping    policies, what lives besides refs, maintaining          keep.c
 *   repository struct bough_repo
 *
 * Branches, and the operations that change them: head_inner.h.
 */
#ifndef BOUGH_REPO_INNER_H
#define BOUGH_REPO_INNER_H

#include "base/buf.h"
#include "git/object.h"
#include "repo/graph.h"
#include "repo/repo.h"
#include "store/collect.h"

/* ---- Modes, kept as three bits ---- */

enum bough_repo__mode {
    BOUGH_REPO__FILE,
    BOUGH_REPO__EXEC,
    BOUGH_REPO__LINK,
    BOUGH_REPO__SUB,
    BOUGH_REPO__DIR,
};

/* Git's number of a class, and the class that git reads a number as. */
uint32_t bough_repo__mode_of(enum bough_repo__mode m);
enum bough_repo__mode bough_repo__mode_class(uint32_t mode);

/* ---- Names ---- */

/* Cut the first segment off `path`; false when it is empty. */
bool bough_repo__segment(struct bough_view *path, struct bough_view *segment);

/* The first NUL from `p` on, or `end`. */
const uint8_t *bough_repo__nul_find(const uint8_t *p, const uint8_t *end);

/* Is `path` equal to `prefix`, or below it?  "" is above everything. */
bool bough_repo__below(struct bough_view path, struct bough_view prefix);

/* ---- Sorting ---- */

typedef int bough_repo__cmp_fn(const void *ctx, uint32_t a, uint32_t b);

/*
 * Sort `n` indices; stable; linear on sorted input, n log(runs) else.  `tmp` has room for n.
 */
void bough_repo__sort(
    uint32_t *items, uint32_t *tmp, size_t n, bough_repo__cmp_fn *cmp, const void *ctx);

/* ---- Nodes ---- */

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
void bough_repo__node_free(struct bough_repo *r, struct bough_repo__node *n);

void bough_repo__node_strip(struct bough_repo *r, struct bough_repo__node *n, bool slots_stay);

/* A cached node holds `more` bytes than before. */
void bough_repo__node_grew(struct bough_repo *r, struct bough_repo__node *n, size_t more);

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

/* ---- Large trees (range.c) ---- */

enum {
    BOUGH_REPO__RANGE_MIN = 64 * 1024, /* bytes of a tree that is always decoded */
    BOUGH_REPO__RANGES = 4,
};

/* A large tree that was looked in lately. */
struct bough_repo__range {
    struct bough_oid id;
    uint32_t looks;
    uint64_t last; /* where an entry begins, the one found last */
    uint64_t used; /* by r->range_clock; 0: free */
};

/* An entry found; its name is borrowed until the buffer changes. */
struct bough_repo__range_entry {
    struct bough_view name;
    enum bough_repo__mode mode;
    struct bough_oid id;
};

/* Can a part of the tree `id` be read without the rest? */
bool bough_repo__range_can(struct bough_repo *r, const struct bough_oid *id);

/* Is it, of `size` bytes, to be looked in by range?  False: better decode it. */
bool bough_repo__range_serves(struct bough_repo *r, const struct bough_oid *id, uint64_t size);

/*
 * What the tree `id` has at `name`, and the first entry whose name is greater than `after` in byte
 * order; `buf` is for the name.  Reads what the way there takes.
 *
 * BOUGH_ENOENT     nothing
 * BOUGH_ECORRUPT   no tree; what the store says
 */
enum bough_err bough_repo__range_find(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view name, struct bough_buf *buf, struct bough_repo__range_entry *out);
enum bough_err bough_repo__range_next(struct bough_repo *r, const struct bough_oid *id,
    struct bough_view after, struct bough_buf *buf, struct bough_repo__range_entry *out);

/* ---- Edits ---- */

/*
 * Memory for the edits of one tree, with the directories that they are in (pool.c).  Pieces can be
 * given back; the rest goes with it.
 */
struct bough_repo__pool {
    struct bough_mem mem;           /* use this one */
    struct bough_repo__dir *top;    /* which it goes with */
    struct bough_repo__dir *opened; /* all of its directories */
};

struct bough_repo__pool *bough_repo__pool_new(struct bough_mem *under); /* NULL: no memory */
void bough_repo__pool_free(struct bough_repo__pool *pool);

enum { BOUGH_REPO__LEVELS = 12 };

/* What one change makes of a name. */
struct bough_repo__change {
    enum bough_node_kind kind; /* NONE: removed */
    enum bough_repo__mode mode;
    bool own;                    /* `value` is of the pool, its bytes behind it */
    struct bough_oid id;         /* of a value; of a dictionary without `dir` */
    struct bough_lent *value;    /* with bytes: not stored yet; NULL: stored */
    struct bough_repo__dir *dir; /* edits of a dictionary; owned */
};

/* The bytes of a value that is not stored yet; ptr NULL: it is, or it is no value. */
static inline struct bough_view bough_repo__change_bytes(const struct bough_repo__change *c)
{
    return c->value != NULL ? c->value->bytes : bough_view(NULL, 0);
}

/* Give `c` a copy of `bytes`, in `pool`, which `c` then owns; release it. */
enum bough_err bough_repo__value_own(
    struct bough_repo__pool *pool, struct bough_repo__change *c, struct bough_view bytes);
void bough_repo__value_drop(struct bough_repo__pool *pool, struct bough_repo__change *c);

/* Where a list of edits goes on.  The key is here, so that most edits need not be looked at. */
struct bough_repo__link {
    struct bough_repo__edit *to;
    uint64_t first8; /* of its name, big-endian, padded with zeros */
};

struct bough_repo__edit {
    struct bough_repo__change to;
    uint32_t hash;
    uint32_t base; /* index in the directory's base, or UINT32_MAX */
    uint32_t name_len;
    uint32_t levels;
    struct bough_repo__link next[]; /* levels of them, then the name */
};

struct bough_repo__slot {
    struct bough_repo__edit *edit;
    uint32_t hash; /* of its name */
};

/* Is the id of a directory known, and is it in the store? */
enum bough_repo__state {
    BOUGH_REPO__CLEAN,  /* known and stored */
    BOUGH_REPO__HASHED, /* known, not stored */
    BOUGH_REPO__DIRTY,  /* not known; then those above are dirty too */
};

/*
 * An edited directory: changes over a base tree, a skip list by name bytes.
 * One without live children is not there.
 */
struct bough_repo__dir {
    struct bough_repo__dir *up;
    struct bough_repo__pool *pool;
    struct bough_repo__dir *next_opened, **at_opened; /* of the pool */
    struct bough_repo__node *base;                    /* pinned; NULL: a new directory */
    struct bough_oid now;                             /* unless dirty */
    enum bough_repo__state state;
    bool moved;     /* the entries of the base, since edits noted where theirs are */
    bool ordered;   /* somebody asked for the order of edits: it is kept from then on */
    bool loose;     /* the list has no order yet */
    uint32_t found; /* the base's entry that was looked up last, when it has so many */
    uint64_t live;  /* children that are there */
    size_t edits_n;
    struct bough_repo__slot *slots; /* edits by hash, a power of two; NULL: few enough without */
    size_t slots_n;
    struct bough_repo__edit *cursor; /* of walks over the trie */
    struct bough_repo__edit *last;   /* that was found: one change asks for a name several times */
    struct bough_repo__link next[BOUGH_REPO__LEVELS];
};

static inline struct bough_view bough_repo__edit_name(const struct bough_repo__edit *e)
{
    return bough_view(e->next + e->levels, e->name_len);
}

/* Is what it makes of its name something? */
bool bough_repo__edit_there(const struct bough_repo__edit *e);

/* A directory over tree `base` (NULL: empty), in `pool`; NULL: the top of a new one. */
enum bough_err bough_repo__dir_new(struct bough_repo *r, struct bough_repo__pool *pool,
    const struct bough_oid *base, struct bough_repo__dir **out);
void bough_repo__dir_free(struct bough_repo *r, struct bough_repo__dir *d); /* and all below */

/* The change of `name`, or NULL; the first one after `name`, or NULL. */
struct bough_repo__edit *bough_repo__dir_edit(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name);
struct bough_repo__edit *bough_repo__dir_after(struct bough_repo__dir *d, struct bough_view name);

/* The first change by name: the others follow by next[0]; the way into the list. */
struct bough_repo__edit *bough_repo__dir_first(struct bough_repo__dir *d);

/* Make one, not linked yet (NULL: no memory); link it, take it out and release it; release it. */
struct bough_repo__edit *bough_repo__edit_new(
    struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name);
void bough_repo__edit_link(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edit_unlink(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edit_free(struct bough_repo__dir *d, struct bough_repo__edit *e);
void bough_repo__edits_drop(struct bough_repo__dir *d); /* the table */

/* What is at `name` now, base and change together (dead directories are NONE). */
void bough_repo__dir_look(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out);

/* The entry that the base has for an edit, or UINT32_MAX. */
uint32_t bough_repo__edit_base(
    struct bough_repo *r, const struct bough_repo__dir *d, const struct bough_repo__edit *e);

/* What the base has at `name`. */
void bough_repo__dir_base(struct bough_repo *r, struct bough_repo__dir *d, struct bough_view name,
    struct bough_repo__change *out);

/*
 * Make `to` of `name`, in place of whatever it was; what `to` owns is taken on BOUGH_OK.
 * Counts and states are kept, up to the root.
 */
enum bough_err bough_repo__dir_put(struct bough_repo *r, struct bough_repo__dir *d,
    struct bough_view name, const struct bough_repo__change *to);

/* ---- Trees ---- */

/* A tree that somebody opened: what it reads lives meanwhile. */
struct bough_repo__opened {
    struct bough_store_pin pin; /* of its root */
    struct bough_tree *tree;
    struct bough_repo__opened *next, **at;
};

struct bough_tree {
    struct bough_repo *r;
    struct bough_repo__opened *opened; /* by bough_tree_open(); NULL: a head's, or a passing one */
    uint64_t stamp;                    /* of this state, for the path cache; 0: it is not cached */
    struct bough_oid root;             /* below the edits */
    struct bough_repo__dir *top;       /* the edits; NULL: none */
    struct bough_repo__node *listed;   /* pinned: whose name next() lent */
    struct bough_buf name;             /* which it lent when there is no node */
};

void bough_repo__tree_init(
    struct bough_tree *t, struct bough_repo *r, const struct bough_oid *root);
void bough_repo__tree_fini(struct bough_tree *t);

/* BOUGH_EEXPIRED: what it reads was given up. */
enum bough_err bough_repo__tree_check(struct bough_tree *t);

/* Forget the edits, and take a new root; a stamped tree gets a new stamp. */
void bough_repo__tree_reset(struct bough_tree *t, const struct bough_oid *root);

/* Let the path cache keep what is found in this tree. */
void bough_repo__tree_stamp(struct bough_tree *t);

/* The same for those outside. */
void bough_repo__node_say(const struct bough_repo__change *is, struct bough_node *out);

/* What is at `path`, with what owns it; `through` as bough_tree_find(). */
enum bough_err bough_repo__tree_look(
    struct bough_tree *t, struct bough_view path, struct bough_repo__change *out, size_t *through);

/*
 * One edit, as told to those who describe them: it replaces what `d` has at its name, which is the
 * last segment of `path`.
 */
typedef enum bough_err bough_repo__edit_fn(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e);

/* Every edit of the tree, directories that hold edits (`to.dir`) before what they hold; `path` is
   borrowed for the call. */
enum bough_err bough_repo__tree_edits(struct bough_tree *t, bough_repo__edit_fn *fn, void *ctx);

/* How many of them are no directories that hold edits; looks at directories only. */
uint64_t bough_repo__tree_edits_n(const struct bough_tree *t);

/* ---- Paths ---- */

/* Values by stamp and path; see pathcache.c for what must hold. */
struct bough_repo__paths {
    uint8_t *memory; /* as allocated; NULL: none yet */
    uint8_t *tags;   /* in it, at a cache line */
    size_t pages;
    uint64_t used;  /* lines of pages */
    size_t limit;   /* bytes */
    uint64_t stamp; /* the last one given */
};

enum { BOUGH_REPO__PATH_VALUE_MAX = 512 }; /* bytes of a value that is kept itself */

/* What the cache knows of a value; borrowed until it keeps or drops one. */
struct bough_repo__known {
    enum bough_repo__mode mode;
    struct bough_view bytes; /* the value; ptr NULL: larger, or not read yet */
    const uint8_t *id;       /* then, as many bytes as ids have */
    uint8_t *where;          /* and its locator, a uint64_t at any address, to be filled in */
};

/* What is at `path`, if the cache knows. */
bool bough_repo__path_get(
    struct bough_tree *t, struct bough_view path, struct bough_repo__known *out);

/* Its value, if the cache holds that; borrowed likewise. */
bool bough_repo__path_value(
    const struct bough_tree *t, struct bough_view path, struct bough_view *out);

/* Keep a value that is at `path`, in place of what was kept of it: where it is (0: not known) and
   its bytes (ptr NULL: not known).  No promise. */
void bough_repo__path_keep(struct bough_tree *t, struct bough_view path,
    const struct bough_repo__change *is, uint64_t where, struct bough_view bytes);
bool bough_repo__path_drop(struct bough_tree *t, struct bough_view path); /* was it known? */
void bough_repo__paths_fini(struct bough_repo *r);

/* Forget the paths of a head's tree that `edited`, of the same root, is about to change, or that
   differ in `root`; false: they are too many or not known. */
bool bough_repo__forget_edits(struct bough_tree *head, struct bough_tree *edited);
bool bough_repo__forget_diff(struct bough_tree *head, const struct bough_oid *root);

/* A head's tree without edits goes to `root`; `forgot`: what differs was forgotten already. */
void bough_repo__tree_follow(struct bough_tree *head, const struct bough_oid *root, bool forgot);

/* ---- Chains: write_inner.h ---- */

struct bough_repo__chains {
    struct bough_repo__chain_slot *slots; /* sets of ways, by newest version; NULL: none yet */
    size_t sets;                          /* a power of two */
    uint64_t clock;
    size_t hand;     /* where eviction goes on */
    uint64_t losses; /* of the store, when they were known to be there */
    size_t used, limit;
};

/* The directory that is `id` was opened, and is edited: have its chain near when it is put. */
void bough_repo__chain_near(struct bough_repo *r, const struct bough_oid *id);
void bough_repo__chain_ahead(struct bough_repo *r, const struct bough_oid *id);

/* Forget all versions: after a transaction that did not happen, their objects may not exist. */
void bough_repo__chains_drop(struct bough_repo *r);

/* ---- Commits ---- */

/* Is this author, committer and message one that can be written? */
enum bough_err bough_repo__info_check(struct bough_repo *r, const struct bough_info *info);

enum bough_err bough_repo__commit_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *tree, const struct bough_oid *parents, size_t parents_n,
    const struct bough_info *info, struct bough_oid *id);

/* As bough_repo_root_of(), with the objects of `store`; `peeled` (may be NULL): the first no tag. */
enum bough_err bough_repo__root_in(struct bough_repo *r, struct bough_store *store,
    const struct bough_oid *id, struct bough_oid *peeled, struct bough_oid *root);

/* The default message: of a tree's edits, and of what differs between two roots. */
enum bough_err bough_repo__message_edits(struct bough_tree *t, struct bough_buf *out);
enum bough_err bough_repo__message_diff(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_buf *out);

/* ---- Differences ---- */

/* As bough_diff_open() for whole trees, with the dictionaries that differ; pins nothing.
   BOUGH_ETOOBIG: a tree is large (range.c). */
enum bough_err bough_repo__diff_all(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_diff **out);

/* Bytes of trees that it looked at so far. */
uint64_t bough_repo__diff_cost(const struct bough_diff *d);

/* ---- History ---- */

/* What is at a path: kind NONE, or a mode and an id. */
struct bough_repo__at {
    enum bough_node_kind kind;
    enum bough_repo__mode mode;
    struct bough_oid id;
};

/*
 * One path looked up in many trees.  Each level remembers the last tree it looked in, for
 * neighbours in history share most of theirs.
 */
struct bough_repo__look_level {
    bool known;
    struct bough_oid tree;
    struct bough_repo__at at;
};
struct bough_repo__look {
    struct bough_repo *r;
    struct bough_buf path;
    struct bough_buf raw; /* scratch: a tree's body */
    struct bough_repo__look_level *levels;
    size_t levels_n;
};
enum bough_err bough_repo__look_init(
    struct bough_repo__look *l, struct bough_repo *r, struct bough_view path);
void bough_repo__look_fini(struct bough_repo__look *l);
enum bough_err bough_repo__look_in(
    struct bough_repo__look *l, const struct bough_oid *root, struct bough_repo__at *out);
bool bough_repo__at_same(const struct bough_repo__at *a, const struct bough_repo__at *b);

/* The object that tags lead to, and its type. */
enum bough_err bough_repo__peel(
    struct bough_repo *r, const struct bough_oid *id, struct bough_oid *out, enum bough_type *type);

/* ---- Keeping ---- */

/* A policy; `name` is a full pattern. */
struct bough_repo__keep {
    uint32_t commits, days;
    size_t len;
    uint8_t name[];
};

/* Does a policy cut the history of this ref?  Policies are loaded. */
bool bough_repo__keep_cuts(struct bough_repo *r, struct bough_view ref);

/* From now on the store asks this repository what lives. */
void bough_repo__keeper_init(struct bough_repo *r);
enum bough_err bough_repo__keeps_load(struct bough_repo *r);
void bough_repo__keeps_fini(struct bough_repo *r);

/* ---- The repository ---- */

enum { BOUGH_REPO__BUCKETS = 1024 }; /* of heads */

struct bough_repo {
    struct bough_store *store;
    struct bough_mem *mem;
    enum bough_algo algo;
    uint32_t hash_len; /* bytes of an id */
    uint64_t key;      /* of hash tables and skip lists */
    struct bough_why why;
    struct bough_window window; /* of branches that have none of their own */
    enum bough_durable durable;
    struct bough_repo__cache cache;
    struct bough_repo__range range[BOUGH_REPO__RANGES];
    uint64_t range_clock;
    struct bough_repo__chains chains;
    struct bough_repo__paths paths;

    struct bough_repo__head *heads[BOUGH_REPO__BUCKETS];
    struct bough_repo__head *open;    /* those with an open window */
    struct bough_repo__head *touched; /* those that the transaction changed */
    size_t stale_n;                   /* heads that are stale */
    uint64_t reflog_next;             /* serials from here on are free */

    struct bough_txn *txn; /* under way; NULL: nothing written yet */
    bool wrote;            /* the operation under way asked for the transaction */
    bool gathering;
    enum bough_err spoiled;        /* the gather under way cannot succeed any more */
    struct bough_repo__dir *moved; /* refs, as above */
    struct bough_repo__dir *trial; /* refs that an update is about to move */
    struct bough_buf lent;         /* names and targets lent to callers */
    struct bough_buf home;         /* the branch that HEAD names, where `home_known` */
    bool home_known;

    struct bough_listener *listeners;
    struct bough_buf events; /* not told yet */

    struct bough_history *history; /* its index */

    struct bough_repo__opened *opened; /* trees */
    struct bough_store_pin fresh;      /* a big value that nothing names yet */
    struct bough_store_keeper keeper;
    struct bough_repo__keep **keeps; /* sorted by name */
    size_t keeps_n, keeps_cap;
    bool keeps_stale;     /* they must be read again */
    bool keeps_touched;   /* by the transaction under way */
    uint64_t collections; /* seen */
    int64_t reflog_since; /* rows from before do not hold what they mention */
};

#endif
