/*
 * merge.h - merging two histories.
 *
 *   bases   bough_merge_bases(): where two commits parted
 */
#ifndef BOUGH_MERGE_H
#define BOUGH_MERGE_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Bases ---- */

/* Commits from which two others come; n is 0 when the two have nothing in common. */
struct bough_bases {
    struct bough_mem *mem;
    struct bough_oid *ids;
    size_t n;
};

/*
 * All best common ancestors of the commits `a` and `b`: exactly those, and in the order, that
 * `git merge-base --all a b` prints (newest commit date first).  A common ancestor is best when
 * no other common ancestor comes from it; either of the two may be the base itself.  Dates are
 * a hint where to look next: wrong ones cost time and change nothing.
 *
 * `depth_max` bounds the work: commits more than that many parent links away from both are
 * never looked at.  0: no bound.
 *
 * Memory grows with the commits met, and is gone on return but for `out`, which is the caller's
 * and released with bough_bases_fini().  After a failure `out` is empty.
 *
 * BOUGH_EDEPTH   the bound was met before the answer was sure; the repository's why.at is
 *                the bound.  It can be met a little beyond the bases: to tell that neither of two
 *                comes from the other takes a walk to where these parted.
 * BOUGH_EINVAL   `a` or `b` is an object of another kind (a tag is to be resolved first)
 * BOUGH_ENOENT   one of the two, or a commit that the walk needs, is not there
 * BOUGH_ECORRUPT, BOUGH_ENOMEM, BOUGH_EIO
 */
enum bough_err bough_merge_bases(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, uint32_t depth_max, struct bough_bases *out);

/* Release the ids; `bases` is empty then. */
void bough_bases_fini(struct bough_bases *bases);

#ifdef __cplusplus
}
#endif

#endif
