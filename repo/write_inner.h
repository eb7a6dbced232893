/*
 * write_inner.h - a node becomes the next version of itself (renew.c), for who writes trees (write.c).
 *
 *   splices    where a new body differs from its base
 *   patches    ids in place of ids
 */
#ifndef BOUGH_REPO_WRITE_INNER_H
#define BOUGH_REPO_WRITE_INNER_H

#include "base/buf.h"
#include "git/oid.h"
#include "repo/name_inner.h"

struct bough_repo;
struct bough_repo__edit;
struct bough_repo__node;

/* One place where a new body differs from its base. */
struct bough_repo__splice {
    uint32_t pos;                       /* entry of the base */
    uint32_t drop;                      /* 1: that entry goes */
    const struct bough_repo__edit *put; /* NULL: nothing comes */
};

/* All of them; `order` are their indices by place. */
struct bough_repo__splices {
    struct bough_repo__splice *splices;
    uint32_t *order;
    size_t n;
};

/* What takes the place of an entry's mode, id and locator; swapped with them. */
struct bough_repo__patch {
    uint32_t at, mode_len;
    uint8_t mode[8];
    enum bough_repo__mode class;
    struct bough_oid id;
    uint64_t where;
};

/* Do all splices put a value in place of a value, in a node that nobody else pins? */
bool bough_repo__node_patchable(const struct bough_repo *r, const struct bough_repo__node *n,
    const struct bough_repo__splices *s);
void bough_repo__patch_init(struct bough_repo__patch *p, const struct bough_repo__splice *s);
void bough_repo__node_patch(
    const struct bough_repo *r, struct bough_repo__node *n, struct bough_repo__patch *p);

/* Make the next version of `n`, whose `body` (taken on true) the splices made; it is to be said
   what id it stands for.  False: not that easily, or somebody else pins it, or there is no memory;
   it is as it was. */
bool bough_repo__node_renew(struct bough_repo *r, struct bough_repo__node *n,
    const struct bough_repo__splices *s, struct bough_buf *body);

#endif
