/*
 * entry.h - the head of a pack entry: type, size and base.
 *
 * A head is a size in base 128, little end first, whose first byte holds the
 * type in bits 4..6 and four bits of size; an OFS delta then has the distance
 * back to its base (base 128, big end first, with bias), a REF delta the id of
 * its base.  The deflated data follow.  (gitformat-pack)
 */
#ifndef BOUGH_ENTRY_H
#define BOUGH_ENTRY_H

#include "git/oid.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BOUGH_ENTRY_HEAD_MAX = 10 + BOUGH_DIGEST_MAX }; /* bytes; a distance is shorter than an id */

struct bough_entry_head {
    enum bough_type type;
    uint32_t head_len;     /* bytes of the head */
    uint64_t size;         /* of the inflated data: of the delta itself for deltas; under 2^63 */
    uint64_t back;         /* BOUGH_OFS_DELTA: bytes from this entry back to its base; never 0 */
    struct bough_oid base; /* BOUGH_REF_DELTA: id of the base */
};

static inline bool bough_entry_is_delta(enum bough_type type)
{
    return type == BOUGH_OFS_DELTA || type == BOUGH_REF_DELTA;
}

/*
 * Read the head at the start of `src`, which stands `at` bytes into its pack:
 * an OFS delta may not reach before the pack's first entry.  (Whether it
 * reaches the *start* of an entry is for those to check who know the starts.)
 *
 * BOUGH_EAGAIN    src ends inside the head; not for src of BOUGH_ENTRY_HEAD_MAX bytes or more
 * BOUGH_EFORMAT   type 0 or 5, a size beyond 2^63, a distance beyond 2^62, distance 0 or too far
 */
enum bough_err bough_entry_head_parse(
    enum bough_algo algo, uint64_t at, struct bough_view src, struct bough_entry_head *out);

/* Write a head (`head_len` is not looked at); returns its length. */
uint32_t bough_entry_head_write(
    enum bough_algo algo, const struct bough_entry_head *e, uint8_t dst[BOUGH_ENTRY_HEAD_MAX]);

#ifdef __cplusplus
}
#endif

#endif
