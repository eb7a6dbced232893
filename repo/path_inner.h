/*
 * path_inner.h - values of branches by their whole path.
 *
 *   the cache    by stamp and path                             pathcache.c
 *   following    who changes a branch keeps what is cached true  follow.c
 */
#ifndef BOUGH_REPO_PATH_INNER_H
#define BOUGH_REPO_PATH_INNER_H

#include "base/base.h"
#include "git/oid.h"
#include "repo/name_inner.h"

struct bough_repo;
struct bough_repo__change;
struct bough_tree;

/* Values by stamp and path; see pathcache.c for what must hold. */
struct bough_repo__paths {
    uint8_t *memory; /* as allocated; NULL: none yet */
    uint8_t *tags;   /* in it, at a cache line */
    size_t pages;
    uint64_t used;  /* lines of pages */
    size_t limit;   /* bytes */
    uint64_t stamp; /* the last one given */
};

enum { BOUGH_REPO__PATH_VALUE_MAX = 512 }; /* bytes of a value that is kept itself */

/* What the cache knows of a value; borrowed until it keeps or drops one. */
struct bough_repo__known {
    enum bough_repo__mode mode;
    struct bough_view bytes; /* the value; ptr NULL: larger, or not read yet */
    const uint8_t *id;       /* then, as many bytes as ids have */
    uint8_t *where;          /* and its locator, a uint64_t at any address, to be filled in */
};

/* What is at `path`, if the cache knows. */
bool bough_repo__path_get(
    struct bough_tree *t, struct bough_view path, struct bough_repo__known *out);

/* Its value, if the cache holds that; borrowed likewise. */
bool bough_repo__path_value(
    const struct bough_tree *t, struct bough_view path, struct bough_view *out);

/* Keep a value that is at `path`, in place of what was kept of it: where it is (0: not known) and
   its bytes (ptr NULL: not known).  No promise. */
void bough_repo__path_keep(struct bough_tree *t, struct bough_view path,
    const struct bough_repo__change *is, uint64_t where, struct bough_view bytes);
bool bough_repo__path_drop(struct bough_tree *t, struct bough_view path); /* was it known? */
void bough_repo__paths_fini(struct bough_repo *r);

/* Forget the paths of a head's tree that `edited`, of the same root, is about to change; false: they
   are too many or not known. */
bool bough_repo__forget_edits(struct bough_tree *head, struct bough_tree *edited);

/* A head's tree without edits goes to `root`; `forgot`: what differs was forgotten already. */
void bough_repo__tree_follow(struct bough_tree *head, const struct bough_oid *root, bool forgot);

#endif
