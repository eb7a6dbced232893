/*
 * graph.h - what walks over history stand on, here and in the folders above.
 *
 *   commits   struct bough_graph: each met once, parsed once
 *   queue     struct bough_graph_queue: commits by date
 *
 * Memory grows with the commits met, and with nothing else; all of it is released by fini.
 */
#ifndef BOUGH_GRAPH_H
#define BOUGH_GRAPH_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Commits ---- */

/* A commit in a walk's table.  A walk that keeps more of it puts this first in its own struct. */
struct bough_graph_commit {
    struct bough_oid id;
    struct bough_graph_commit *bucket; /* the table's own */
    uint32_t flags;                    /* the walk's own, 0 at first */

    bool parsed; /* only then what follows is known */
    struct bough_oid tree;
    struct bough_time time; /* of the committer */
    uint32_t parents_n;
    struct bough_graph_commit **parents; /* in the commit's order; perhaps not parsed */
};

/* Commits met so far. */
struct bough_graph {
    struct bough_repo *r;
    size_t commit_size; /* bytes of a walk's commit */
    struct bough_arena arena;
    struct bough_graph_commit **buckets;
    size_t buckets_n, count;
    struct bough_buf raw; /* scratch */
};

/*
 * A table without commits over `r` (borrowed until fini).  `commit_size` is the size of the
 * struct that begins with a struct bough_graph_commit; the rest of it is zero at first.
 */
void bough_graph_init(struct bough_graph *g, struct bough_repo *r, size_t commit_size);

/* Release the table and every commit in it. */
void bough_graph_fini(struct bough_graph *g);

/*
 * The commit `id`, made when it was not met yet; borrowed until fini, not parsed, and whether
 * there is such a commit was not asked.
 *
 * BOUGH_ENOMEM
 */
enum bough_err bough_graph_get(
    struct bough_graph *g, const struct bough_oid *id, struct bough_graph_commit **out);

/*
 * Know the tree, time and parents of `c`.  A committer that cannot be read has time 0; a
 * commit of the boundary (store/collect.h) has no parents.
 *
 * BOUGH_ENOENT     no such object
 * BOUGH_ECORRUPT   no commit, or a broken one
 * BOUGH_ENOMEM, BOUGH_EIO
 */
enum bough_err bough_graph_parse(struct bough_graph *g, struct bough_graph_commit *c);

/* ---- Queue ---- */

/* Parsed commits by date, newest first; of equals, who came first.  All zero: empty. */
struct bough_graph_queue {
    struct bough_graph_queued *items;
    size_t n, cap;
    uint64_t clock;
};

/* Put `c` (borrowed until it is taken) into the queue; BOUGH_ENOMEM: it is as it was. */
enum bough_err bough_graph_queue_put(
    struct bough_repo *r, struct bough_graph_queue *q, struct bough_graph_commit *c);

/* Take the first one; NULL: the queue is empty. */
struct bough_graph_commit *bough_graph_queue_take(struct bough_graph_queue *q);

/* Look at the first one; NULL: the queue is empty. */
const struct bough_graph_commit *bough_graph_queue_first(const struct bough_graph_queue *q);

/* Release the queue's memory; it is empty. */
void bough_graph_queue_fini(struct bough_repo *r, struct bough_graph_queue *q);

#ifdef __cplusplus
}
#endif

#endif
