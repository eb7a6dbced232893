/* fsck_inner.h - the parts of fsck: marks on objects (fsck_marks.c), the walk (fsck_walk.c), what is told (fsck.c). */
#ifndef BOUGH_REPO_FSCK_INNER_H
#define BOUGH_REPO_FSCK_INNER_H

#include "repo/fsck.h"

/* ---- Marks ---- */

enum bough_repo__mark {
    BOUGH_REPO__UNSEEN = 0,
    BOUGH_REPO__WHOLE,   /* with all it reaches */
    BOUGH_REPO__TAINTED, /* something it reaches is bad */
    BOUGH_REPO__BAD,     /* itself */
};

struct bough_repo__marks {
    struct bough_mem *mem;
    struct bough_repo__marked {
        struct bough_oid id;
        uint8_t mark; /* UNSEEN: free */
    } * slot;
    size_t slots, n; /* a power of two, or 0 */
};

enum bough_repo__mark bough_repo__mark_of(
    const struct bough_repo__marks *m, const struct bough_oid *id);
enum bough_err bough_repo__mark_set(
    struct bough_repo__marks *m, const struct bough_oid *id, enum bough_repo__mark mark);
void bough_repo__marks_fini(struct bough_repo__marks *m);

/* ---- The walk ---- */

enum { BOUGH_REPO__THERE = 1 << 16 }; /* blobs seen lately, so that most are looked up once */

struct bough_fsck {
    struct bough_repo *r;
    struct bough_repo__marks marks;
    bough_fsck_report_fn *report; /* NULL: without a word */
    void *ctx;
    struct bough_view ref; /* whose paths are told */
    bool found;
    bool lost;                      /* a second walk, for paths: all is marked */
    struct bough_oid commit;        /* being walked */
    struct bough_buf path;          /* in it */
    struct bough_buf raw;           /* of commits and tags */
    struct bough_oid *there;        /* BOUGH_REPO__THERE of them */
    struct bough_fsck__tree *trees; /* being walked, from the root down */
    size_t depth, depth_cap;
    struct bough_fsck__step *steps; /* commits to do */
    size_t steps_n, steps_cap;
};

/* Walk all that `id` reaches and mark it; what is bad is reported.  An error: memory, or I/O. */
enum bough_err bough_repo__fsck_walk(
    struct bough_fsck *f, const struct bough_oid *id, enum bough_repo__mark *out);

/* Tell the paths of a marked commit that are bad. */
enum bough_err bough_repo__fsck_lost(struct bough_fsck *f, const struct bough_oid *commit);

void bough_repo__fsck_stacks_fini(struct bough_fsck *f);

/* Report; `path` in f->commit. */
void bough_repo__fsck_tell(
    struct bough_fsck *f, enum bough_fsck_kind kind, const struct bough_oid *id);

#endif
