/*
 * collect.h - what lives, what may go, and how the space comes back.
 *
 *   the keeper    the layer above tells what lives besides what refs name, and how much history
 *                 each ref keeps
 *   pins          ids that live while somebody reads from them
 *   the boundary  commits whose parents were given up: Git's shallow commits
 *   collecting    ask for a collection, see how far it is; bough_store_maintain() does it in steps
 *
 * An object lives when it can be reached from a ref, from what the keeper names, from a pin, or
 * when it came after the collection began, or when it is younger than the grace period.  All
 * else is dropped.  Retention cuts: where a ref keeps N commits (or days), what only older
 * commits of it reach does not live, and the oldest kept commits join the boundary, in the same
 * commit that drops it.
 *
 * Threads: as store.h.
 */
#ifndef BOUGH_COLLECT_H
#define BOUGH_COLLECT_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The keeper ---- */

/* How much of the history of a ref is kept.  All zero: all of it. */
struct bough_retention {
    uint32_t commits; /* so many, as git's --depth counts them; 0: any number */
    uint64_t since;   /* none with a commit date before this (seconds since 1970); 0: any age.
                         The ref's own commit is always kept */
};

/* Take one id that lives.  An error ends the telling. */
typedef enum bough_err bough_store_emit_fn(void *to, const struct bough_oid *id);

struct bough_store_keeper {
    /* Tell every id that lives besides refs: what records mention, what is open above.  May be
       asked several times a collection; ids that are not there are left out without a word. */
    enum bough_err (*roots)(void *ctx, bough_store_emit_fn *emit, void *to);
    /* The retention of `ref`; `out` is zero before. NULL: all is kept. */
    enum bough_err (*retention)(
        void *ctx, const struct bough_ref *ref, struct bough_retention *out);
    void *ctx;
};

/*
 * From now on `k` (borrowed until close, or until another is set; NULL: none) is asked.  While a
 * store holds records and has no keeper nothing is collected: nobody can say what they mention.
 * With the same one again: it has another word on the retention of some refs, which a collection that
 * runs is to follow where it keeps more.
 */
void bough_store_keep(struct bough_store *s, const struct bough_store_keeper *k);

/* ---- Pins ---- */

/*
 * While pinned, `id` and all it reaches live.  Under pressure (a store that would else be full)
 * the oldest pin is given up: its `expired` is set, and whoever holds it answers BOUGH_EEXPIRED
 * from then on.  The struct is the caller's and stays where it is until unpinned.  While its holder
 * sets `held` another one is given up instead: what is being committed is not lost to its own room.
 */
struct bough_store_pin {
    struct bough_oid id;
    bool expired;
    bool held;                             /* the holder's, from pin to unpin */
    struct bough_store_pin *newer, *older; /* the store's own */
};
void bough_store_pin(struct bough_store *s, struct bough_store_pin *p, const struct bough_oid *id);
void bough_store_unpin(struct bough_store *s, struct bough_store_pin *p); /* twice is fine */

/* ---- The boundary ---- */

/* Are the parents of commit `id` given up?  Then it is read as one without parents.  Cheap when there is no
   boundary at all.  BOUGH_OK: yes; BOUGH_ENOENT: no. */
enum bough_err bough_store_boundary(struct bough_store *s, const struct bough_oid *id);

/* The next commit of the boundary after `after` (NULL: the first), by id.  BOUGH_ENOENT: no more. */
enum bough_err bough_store_boundary_next(
    struct bough_store *s, const struct bough_oid *after, struct bough_oid *out);

/* Put a commit on the boundary, or take it off, within a transaction: for fetches into a
   shallow store.  The names are refs outside of refs/: BOUGH_BOUNDARY followed by the id in hex. */
#define BOUGH_BOUNDARY "shallow/"
enum bough_err bough_txn_boundary(struct bough_txn *t, const struct bough_oid *id, bool on);

/* ---- Collecting ---- */

struct bough_collect_opts {
    uint64_t grace; /* seconds that what cannot be reached is kept after it was written; collections
                       move it, and it is as old as before.  An age is known to an eighth at least */
    bool dry_run;   /* find out what would be dropped, drop nothing */
    bool whole;     /* rewrite everything with delta search and compression, as `git gc
                       --aggressive` would; else only where it pays */
};

/*
 * Begin a collection; bough_store_maintain() does it, in bounded steps, until `*more` is false.
 * One that runs already goes on with the stricter of both wishes.  Without this call maintain()
 * begins one itself when space runs short.
 *
 * BOUGH_ENOTSUP    the engine has no MAINTAIN, or there are records and no keeper
 */
enum bough_err bough_store_collect(struct bough_store *s, const struct bough_collect_opts *opts);

/*
 * What a damaged commit, tree or tag names is not known.  All that it can have named, since it was
 * there when that came, is kept while it lives; what came later goes as ever.  When nothing reaches it
 * any more, or it was put again, the next collection drops what it held.
 */

/* How far the collection is, or how the last one ended. */
enum bough_collect_phase {
    BOUGH_COLLECT_IDLE,
    BOUGH_COLLECT_MARK,  /* what lives: done and all are objects */
    BOUGH_COLLECT_COUNT, /* what that leaves: objects */
    BOUGH_COLLECT_COPY,  /* bytes */
    BOUGH_COLLECT_DROP,  /* what came meanwhile; then it is done */
};
struct bough_collect_progress {
    enum bough_collect_phase phase;
    uint64_t done, all;              /* of the phase; all is a guess while marking */
    uint64_t live, dead;             /* objects; known after counting */
    uint64_t live_bytes, dead_bytes; /* packed; known after counting */
    uint64_t copied_bytes, freed_bytes;
    uint64_t damaged;     /* segments left as they are, since something in them is damaged */
    uint64_t unread;      /* commits, trees and tags that live and cannot be read */
    uint64_t held;        /* objects that nothing else reaches: one of those may have */
    uint64_t collections; /* ended since open */
};
void bough_store_collection(struct bough_store *s, struct bough_collect_progress *out);

#ifdef __cplusplus
}
#endif

#endif
