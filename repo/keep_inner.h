/*
 * keep_inner.h - how much history is kept: policies, and what lives besides refs (keep.c).
 */
#ifndef BOUGH_REPO_KEEP_INNER_H
#define BOUGH_REPO_KEEP_INNER_H

#include "repo/repo.h"

/* A policy; `name` is a full pattern. */
struct bough_repo__keep {
    uint32_t commits, days;
    size_t len;
    uint8_t name[];
};

/* Does a policy cut the history of this ref?  Policies are loaded. */
bool bough_repo__keep_cuts(struct bough_repo *r, struct bough_view ref);

/* From now on the store asks this repository what lives. */
void bough_repo__keeper_init(struct bough_repo *r);
enum bough_err bough_repo__keeps_load(struct bough_repo *r);
void bough_repo__keeps_fini(struct bough_repo *r);

#endif
