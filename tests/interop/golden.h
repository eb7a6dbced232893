/*
 * golden.h - what the parts of golden share.
 *
 *   golden.c          the world; the first small stores; telling what a store holds
 *   golden_full.c     repositories with everything else that the format has
 *   golden_tell.c     what these answer
 *   golden_census.c   what structures an image has, read by docs/format.md alone
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdio.h>

#include "block/block.h"
#include "repo/repo.h"

enum { GOLDEN_BYTES_MAX = 256 * 32 * 1024 };
extern uint8_t golden_device[GOLDEN_BYTES_MAX];

extern struct bough_mem golden_mem;
extern const struct bough_env golden_env;
extern int64_t golden_clock; /* seconds since 1970 */

void golden_must(enum bough_err err, const char *what); /* or end with 1 */

/* Bytes from `*seed`; `text`: of four letters. */
void golden_body(uint64_t *seed, uint8_t *dst, size_t len, bool text);

/* Print an id in hex. */
void golden_id(enum bough_algo algo, const struct bough_oid *id);

/* Make the store called `how` ("full", "harm", "settle") in golden_device; its length, 0: no such. */
size_t golden_full_make(enum bough_algo algo, const char *how);

/* A repository on golden_device, of so many bytes (512 a unit), opened and closed; with its branches. */
struct golden {
    struct bough_store *s;
    struct bough_repo *r;
};
void golden_device_has(size_t bytes);
void golden_begin(struct golden *g, uint32_t window_ms);
void golden_end(struct golden *g);
struct bough_branch *golden_branch(struct golden *g, const char *name);
struct bough_oid golden_head(struct golden *g, const char *branch);

/* What the repository in golden_device answers; it may be written meanwhile. */
void golden_full_tell(size_t bytes);

/* A line for each structure of the format: `census NAME COUNT`. */
void golden_census(const uint8_t *image, size_t bytes);

#endif
