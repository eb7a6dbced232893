/*
 * look_inner.h - several trees at once: what differs (diff.c), what is at one path (graph.c).
 */
#ifndef BOUGH_REPO_LOOK_INNER_H
#define BOUGH_REPO_LOOK_INNER_H

#include "base/buf.h"
#include "repo/name_inner.h"
#include "repo/repo.h"

/* ---- Differences ---- */

/* As bough_diff_open() for whole trees, with the dictionaries that differ; pins nothing.
   BOUGH_ETOOBIG: a tree is large (range.c). */
enum bough_err bough_repo__diff_all(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_diff **out);

/* Bytes of trees that it looked at so far. */
uint64_t bough_repo__diff_cost(const struct bough_diff *d);

/* ---- One path ---- */

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

#endif
