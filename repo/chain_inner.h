/*
 * chain_inner.h - versions of a directory as skip-deltas (chain.c).
 */
#ifndef BOUGH_REPO_CHAIN_INNER_H
#define BOUGH_REPO_CHAIN_INNER_H

#include "base/buf.h"
#include "git/oid.h"

struct bough_repo;
struct bough_txn;

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

/* Bytes of the old body that are in the new one. */
struct bough_repo__seg {
    uint32_t dst, src, len;
};
struct bough_repo__map {
    struct bough_repo__seg *segs; /* by dst, without overlap */
    uint32_t n, cap;
};

enum bough_err bough_repo__map_add(
    struct bough_repo *r, struct bough_repo__map *m, size_t dst, size_t src, size_t len);

enum {
    BOUGH_REPO__CHAIN_WAYS = 4,
    BOUGH_REPO__CHAIN_COST = 256, /* bytes of a short chain: the limit over it gives the slots */
    BOUGH_REPO__CHAIN_VERSIONS = 4096, /* then a whole copy */
    BOUGH_REPO__CHAIN_BODY_MIN = 256,  /* bytes; smaller trees are always whole */
    BOUGH_REPO__CHAIN_LINKS = 24,      /* deltas that a stored version may stand on to be a base */
};

/* A version that later ones may be deltas against. */
struct bough_repo__version {
    uint32_t number, len;
    uint32_t segs_end; /* of how it came from the one below it */
    struct bough_oid id;
};

/* The versions of one directory that are bases of versions to come, newest on top: one block, for a
   commit of many directories waits for memory more than for anything else. */
struct bough_repo__chain {
    uint64_t collections; /* that had ended when its versions were known to be there */
    bool during;          /* it began while one was under way, the next after these */
    uint64_t used;        /* clock of last use */
    uint32_t n, cap;
    uint32_t segs_cap;
    struct bough_repo__version stack[]; /* cap of them, then segs_cap segments */
};

struct bough_repo__chain_slot {
    uint64_t tag; /* of the newest version's id */
    struct bough_repo__chain *chain;
};

/* What putting one tree needs, kept for the next: the map says how its body came from the old one. */
struct bough_repo__putting {
    struct bough_repo__map map, through;
    struct bough_buf delta;
};
void bough_repo__putting_fini(struct bough_repo *r, struct bough_repo__putting *p);

/*
 * Put the tree `body` into `txn`: whole, or as a delta against an earlier version of the
 * directory that was `old` (NULL: none).  `p->map` says how it came from `old`; it is used up.
 * `id` is the body's, made on guard.
 */
enum bough_err bough_repo__chain_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *old, struct bough_view body, struct bough_repo__putting *p,
    const struct bough_oid *id);

#endif
