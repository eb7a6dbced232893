/*
 * inner.h - the repository: one struct that holds its parts.
 *
 * What the parts do is in headers of their own; a file includes those of the parts that it uses.
 *
 *   name_inner.h      modes, segments of paths, sorting
 *   node_inner.h      decoded trees in a bounded cache
 *   range_inner.h     large trees that are not decoded
 *   edit_inner.h      edited directories
 *   tree_inner.h      a root and a trie of edited directories
 *   write_inner.h     nodes that become the next version of themselves
 *   chain_inner.h     versions of a directory as skip-deltas
 *   path_inner.h      values of branches by their whole path
 *   commit_inner.h    commits made, peeled, described
 *   look_inner.h      differences; one path in many trees
 *   head_inner.h      branches as this process knows them, folding, the journal
 *   txn_inner.h       operations, refs that moved, their log, events
 *   keep_inner.h      how much history is kept
 *   history_inner.h   the index of history
 *   fsck_inner.h      marks, walks
 */
#ifndef BOUGH_REPO_INNER_H
#define BOUGH_REPO_INNER_H

#include "base/buf.h"
#include "repo/chain_inner.h"
#include "repo/node_inner.h"
#include "repo/path_inner.h"
#include "repo/range_inner.h"
#include "repo/repo.h"
#include "store/collect.h"

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
