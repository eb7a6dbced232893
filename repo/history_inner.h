/*
 * history_inner.h - the index of history: what the files repo/history_*.c share.
 *
 *   rows       of three tables, compared as bytes                    history_table.c
 *   segments   three tables each, trees of small blobs that a ref outside of refs/ names
 *   index      the segments there are, questions to them             history_index.c
 *   batches    commits that come in together                         history_batch.c
 *   runs       which commits come in, and as what                    history_run.c
 *   merging    few segments instead of many                          history_merge.c
 *   checking   how much there is, and is it right?                    history_check.c
 *   steps      upkeep: finding what is not indexed, forgetting what is gone    history_step.c
 *
 * A chain is a line of first parents without a gap: the commit at position p + 1 has that at
 * p as its first parent.  Whatever a row says is true of commits for ever, for a commit never
 * changes; so an index may hold less than the store and more, and is never wrong:
 *
 * 1. A commit at a chain's position has a row at each path where it differs from its first
 *    parent, unless it is the lowest of the chain: that one is always looked at.
 * 2. A row too much costs a look; only a missing one would be an error.  All rows of a
 *    commit come in one transaction.
 * 3. A commit's rows do not know of the boundary (store/collect.h): who asks stops there.
 *
 * What it is asked is therefore: how far down from here has nothing changed at this path?  The
 * answer is checked by looking at both ends, and a commit that is not indexed is walked over.
 */
#ifndef BOUGH_REPO_HISTORY_INNER_H
#define BOUGH_REPO_HISTORY_INNER_H

#include "repo/graph.h"

struct bough_repo__at;
struct bough_repo__look;

/* ---- Rows ---- */

#define BOUGH_HISTORY__REFS "history/1/" /* and serial, rows, commits: 16 hex digits each */

enum {
    BOUGH_HISTORY__CHUNK = 4096, /* bytes of a blob of rows, at most */
    BOUGH_HISTORY__GROUP = 128,  /* blobs in a tree */
    BOUGH_HISTORY__PLACE = 8,    /* bytes of chain and position */
    BOUGH_HISTORY__PATH_ROW = 8 + BOUGH_HISTORY__PLACE,
    BOUGH_HISTORY__ROW_MAX = BOUGH_HISTORY__PLACE + BOUGH_DIGEST_MAX,
    BOUGH_HISTORY__SEGMENTS = 64,
    BOUGH_HISTORY__TABLES = 3,
};
#define BOUGH_HISTORY__MIDDLE 0x80000000u /* where a chain begins; it grows both ways */

/* The tables, by what their rows are; integers are big-endian. */
enum bough_history__kind {
    BOUGH_HISTORY__PATHS,   /* first 8 bytes of a path's digest, or of a commit's id, place */
    BOUGH_HISTORY__COMMITS, /* place, id */
    BOUGH_HISTORY__ENDS,    /* id of a parent that was not indexed, place of its child or zero */
};

struct bough_history__place {
    uint32_t chain, pos; /* chain 0: none */
};

void bough_history__place_put(uint8_t *out, struct bough_history__place p);
struct bough_history__place bough_history__place_get(const uint8_t *in);
size_t bough_history__row_len(const struct bough_repo *r, enum bough_history__kind kind);

/* The least row that is greater. */
void bough_history__row_step(uint8_t *row, size_t len);

/* The first 8 bytes of the digest of a path. */
void bough_history__path_key(const struct bough_repo *r, struct bough_view path, uint8_t out[8]);

/* ---- Segments ---- */

struct bough_history__segment {
    uint64_t serial, rows, commits;
    struct bough_oid root;
};

/* The greatest row of a table that is not above `key`, or the least that is not below it.
   BOUGH_ENOENT: none. */
enum bough_err bough_history__row_le(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, uint8_t *row);
enum bough_err bough_history__row_ge(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, uint8_t *row);

/* The rows of one blob: those beside `key`, or all of the first blob above it. */
enum bough_err bough_history__chunk(struct bough_repo *r, const struct bough_oid *root,
    enum bough_history__kind kind, const uint8_t *key, bool above, struct bough_buf *out);

/* A segment being written, rows in order; equal ones become one. */
struct bough_history__writer {
    struct bough_repo *r;
    struct bough_tree *tree;
    enum bough_history__kind kind; /* under way */
    struct bough_buf chunk;
    char group[2 * BOUGH_HISTORY__ROW_MAX + 1];
    uint32_t group_n;
    uint64_t rows, commits;
    uint32_t waiting; /* blobs that are in memory only */
};

enum bough_err bough_history__writer_init(struct bough_history__writer *w, struct bough_repo *r);
void bough_history__writer_fini(struct bough_history__writer *w);
enum bough_err bough_history__writer_put(struct bough_history__writer *w, const uint8_t *row);

/* The rows of another table come now. */
enum bough_err bough_history__writer_kind(
    struct bough_history__writer *w, enum bough_history__kind kind);

/* Is there enough to be written? */
bool bough_history__writer_full(const struct bough_history__writer *w);

/* Write what waits, in a transaction; with `last` the segment becomes part of the index in place
   of `n` others.  After an error the writer is good for fini only. */
enum bough_err bough_history__writer_write(
    struct bough_history__writer *w, bool last, const struct bough_history__segment *old, size_t n);

/* The name of its ref. */
enum { BOUGH_HISTORY__NAME = sizeof BOUGH_HISTORY__REFS + 3 * 16 + 2 };
struct bough_view bough_history__segment_name(
    const struct bough_history__segment *s, char out[BOUGH_HISTORY__NAME]);

/* ---- Index ---- */

enum { BOUGH_HISTORY__TODO = 16 };

struct bough_history {
    bool loaded;
    bool off;  /* it cannot be read or written, or none is kept: walk */
    bool none; /* none is kept: others write to the store, too, or nobody wants one */
    bool broken, mended;
    struct bough_history__segment segment[BOUGH_HISTORY__SEGMENTS]; /* oldest first */
    size_t segments;
    uint64_t serial_next;
    uint32_t chain_next;
    uint32_t
        salt; /* chains begin here: what is made anew must not be what is damaged, bit by bit */
    uint32_t patience; /* steps that are walked before the index is asked */

    struct bough_history__place *cuts; /* commits of the boundary that are indexed, sorted */
    size_t cuts_n, cuts_cap;
    bool cuts_known;
    uint64_t cuts_stamp; /* store->boundaries then */

    /* Upkeep: what may not be indexed yet. */
    uint32_t batch_min;                         /* commits that are worth a segment; 0: no index */
    struct bough_oid todo[BOUGH_HISTORY__TODO]; /* where branches went */
    size_t todo_n;
    uint64_t moved;  /* commits that came since nothing was found to do, as far as that is known */
    bool refs, ends; /* look at all refs, at all ends */
    bool again;      /* look at all of them when enough has moved */
    bool resting;    /* something failed: wait until enough has moved */
    struct bough_oid known; /* was found to be indexed last */
    struct bough_buf ref;   /* looked at last */
    size_t end_segment;     /* looked at next, from the newest */
    uint8_t end_row[BOUGH_HISTORY__ROW_MAX];
    struct bough_oid starts[BOUGH_HISTORY__TODO]; /* of the batch, from todo and refs */
    size_t starts_n;
    struct bough_history__batch *batch; /* under way, or NULL */
    struct bough_history__merge *merge;

    /* After a collection: how many of the commits are gone? */
    uint64_t collections; /* seen */
    bool sweeping;
    uint64_t swept, gone;
    size_t sweep_segment;
    uint8_t sweep_row[BOUGH_HISTORY__ROW_MAX];
};

/* Know the segments.  BOUGH_ENOENT: there is no index that could be asked. */
enum bough_err bough_history__load(struct bough_repo *r);

/* Forget the segments, durably some time; they are made anew. */
enum bough_err bough_history__drop(struct bough_repo *r);

/* Something failed.  But for lack of room the index is not asked any more until the repository is
   opened again; where it is damaged upkeep makes it anew, once. */
void bough_history__give_up(struct bough_repo *r, enum bough_err err);

/* `now` (no rows: none) takes the place of `n` others. */
void bough_history__segment_swap(struct bough_history *h, const struct bough_history__segment *now,
    const struct bough_history__segment *old, size_t n);

/* Where a commit is, or what is there.  BOUGH_ENOENT: it is not indexed. */
enum bough_err bough_history__find(
    struct bough_repo *r, const struct bough_oid *id, struct bough_history__place *out);
enum bough_err bough_history__id_at(
    struct bough_repo *r, struct bough_history__place at, struct bough_oid *out);

/*
 * The same for a walk: `c` looked up in `l` has `at`.  `*out` is another commit of the graph, parsed and looked at, or
 * `c`.  What the index says is checked; where it cannot be read, `c` is the answer.
 */
enum bough_err bough_history__leap(struct bough_graph *g, struct bough_repo__look *l,
    struct bough_graph_commit *c, const struct bough_repo__at *at, struct bough_graph_commit **out);

/* ---- Batches ---- */

enum {
    BOUGH_HISTORY__BATCH = 1024,      /* commits of a batch, and of a run */
    BOUGH_HISTORY__BATCH_ROWS = 8192, /* of paths, about */
    BOUGH_HISTORY__DIFFER_MAX = 8192, /* paths of a commit; with more it is the lowest of a chain */
    BOUGH_HISTORY__STRIDE = 16,       /* commits between questions whether they are indexed */
};

/* A commit of a batch's graph. */
struct bough_history__commit {
    struct bough_graph_commit c;
    struct bough_history__place at; /* chain 0: not indexed, as far as was asked */
    bool extended;                  /* the place above it is taken */
};

static inline struct bough_history__commit *bough_history__commit_of(struct bough_graph_commit *c)
{
    return (struct bough_history__commit *)c;
}

struct bough_history__batch {
    struct bough_repo *r;
    struct bough_graph graph;
    struct bough_buf rows[BOUGH_HISTORY__TABLES];
    size_t commits;

    enum { BOUGH_HISTORY__NO_RUN, BOUGH_HISTORY__COLLECTING, BOUGH_HISTORY__PLACING } state;
    struct bough_history__commit
        *run[BOUGH_HISTORY__BATCH]; /* each the first parent of the one before */
    size_t run_n;
    struct bough_graph_commit *below;  /* the first parent of the last, or NULL */
    bool up;                           /* placed from the last to the first */
    bool seam;                         /* the last one is the lowest of its chain */
    size_t placed;                     /* so many of the run */
    struct bough_history__place at;    /* of the next one */
    struct bough_history__place child; /* of the one whose first parent is placed next, or none */
};

enum bough_err bough_history__batch_new(struct bough_repo *r, struct bough_history__batch **out);
void bough_history__batch_free(struct bough_history__batch *b); /* NULL is fine */

/* A commit gets a place: its rows; `lowest`: of its chain. */
enum bough_err bough_history__batch_add(
    struct bough_history__batch *b, struct bough_history__commit *c, bool lowest, uint64_t *cost);

/* A parent that is perhaps not indexed, and the place of its child where it continues the chain. */
enum bough_err bough_history__batch_end(
    struct bough_history__batch *b, const struct bough_oid *id, struct bough_history__place child);

bool bough_history__batch_full(const struct bough_history__batch *b);

/* Is it in the batch or in the index?  BOUGH_ENOENT: no. */
enum bough_err bough_history__batch_find(
    struct bough_history__batch *b, struct bough_history__commit *c);

/* What came together becomes a segment. */
enum bough_err bough_history__batch_write(struct bough_history__batch *b);

/* Begin with `id`, which is not indexed; a step of it; end before its time. */
enum bough_err bough_history__run_begin(
    struct bough_history__batch *b, const struct bough_oid *id, struct bough_history__place child);
enum bough_err bough_history__run_step(struct bough_history__batch *b, uint64_t *cost);
enum bough_err bough_history__run_stop(struct bough_history__batch *b);

/* ---- Merging, steps ---- */

/* Are there segments to merge?  A step of it; `*done` when they are one. */
bool bough_history__merge_due(const struct bough_history *h);
enum bough_err bough_history__merge_step(struct bough_repo *r, uint64_t budget);
void bough_history__merge_free(struct bough_history__merge *m); /* NULL is fine */

/* A branch went to `now` by so many commits, or UINT64_MAX when nobody counted. */
void bough_history__moved(
    struct bough_repo *r, const struct bough_oid *old, const struct bough_oid *now, uint64_t n);

enum bough_err bough_history__init(struct bough_repo *r, uint32_t batch_min);
void bough_history__fini(struct bough_repo *r);

/* A bounded step of upkeep; what fails is given up until the repository is opened again. */
void bough_history__step(struct bough_repo *r, uint64_t budget, bool *more);

#endif
