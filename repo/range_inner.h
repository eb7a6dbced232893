/*
 * range_inner.h - large trees that are not decoded: what is asked for is read (range.c).
 */
#ifndef BOUGH_REPO_RANGE_INNER_H
#define BOUGH_REPO_RANGE_INNER_H

#include "base/buf.h"
#include "git/oid.h"
#include "repo/name_inner.h"

struct bough_repo;

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

#endif
