/*
 * delta_long.h - find a delta between objects that are longer than memory: the base is read by
 * range, the target comes in pieces.
 *
 *     bough_delta_long_init(&d, mem, &base, target_len, len_max);
 *     while ((err = bough_delta_long_index(&d, n)) == BOUGH_EAGAIN) ...
 *     while (... more of the target ...) err = bough_delta_long_feed(&d, bytes);
 *     err = bough_delta_long_end(&d);      // d.out is the delta
 *     bough_delta_long_fini(&d);
 *
 * Memory: about 2 MiB and the delta.
 */
#ifndef BOUGH_GIT_DELTA_LONG_H
#define BOUGH_GIT_DELTA_LONG_H

#include "git/delta.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Git's copies begin within the first 4 GiB of a base. */
#define BOUGH_DELTA_LONG_MAX UINT32_MAX

struct bough_delta_long {
    struct bough_mem *mem;
    struct bough_delta_base *base; /* borrowed */
    uint64_t len_max, target_len, fed;

    /* What is known of the base: each of its blocks by a hash that rolls. */
    struct bough_delta_long_slot *slot;
    uint8_t *filter;       /* a bit for each hash, to pass by most places quickly */
    uint32_t block, leave; /* bytes; what the byte that leaves was multiplied by */
    uint32_t bits;         /* 1 << bits slots, eight times as many bits in the filter */
    uint64_t indexed;      /* bytes of the base */

    /* The walk along the target. */
    uint8_t *piece;          /* of the base, to compare */
    struct bough_buf window; /* of the target: what is not yet in the delta, from `done` on */
    size_t done, at;         /* what is inserted or copied so far; the place looked at */
    uint32_t hash;           /* of the block at `at` */
    bool fresh;              /* `hash` is not */
    uint64_t from, len;      /* of a match that goes on; len 0: none */
    uint64_t shift;          /* of the last match: its place in the base less that in the target */
    uint64_t looked;         /* bytes of the base that were compared to begin one */

    struct bough_delta_builder made;
    struct bough_buf out;
};

/*
 * Begin to look for a delta of at most `len_max` bytes.  fini() in any case.
 *
 * BOUGH_ETOOBIG   base or target over BOUGH_DELTA_LONG_MAX
 * BOUGH_ENOMEM
 */
enum bough_err bough_delta_long_init(struct bough_delta_long *d, struct bough_mem *mem,
    struct bough_delta_base *base, uint64_t target_len, uint64_t len_max);

/*
 * Learn about `n` more bytes of the base, at least a block.
 *
 * BOUGH_EAGAIN   call again, there are more
 *                any error of the base's read
 */
enum bough_err bough_delta_long_index(struct bough_delta_long *d, uint64_t n);

/*
 * The target's next bytes.  Work is bounded by a constant for each byte.
 *
 * BOUGH_ENOENT   the delta would be too long, or the two are not alike: give up
 * BOUGH_ENOMEM
 *                any error of the base's read
 */
enum bough_err bough_delta_long_feed(struct bough_delta_long *d, struct bough_view bytes);

/* All of the target was fed: finish d->out.  Errors as for feed. */
enum bough_err bough_delta_long_end(struct bough_delta_long *d);

void bough_delta_long_fini(struct bough_delta_long *d);

#ifdef __cplusplus
}
#endif

#endif
