/*
 * name_inner.h - what entries of trees are called and what they are: modes, segments of paths (node.c),
 * and sorting them (sort.c).
 */
#ifndef BOUGH_REPO_NAME_INNER_H
#define BOUGH_REPO_NAME_INNER_H

#include "base/base.h"

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

#endif
