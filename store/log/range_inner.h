/*
 * range_inner.h - what is long, in parts.
 *
 *   checksums   of a pack segment's stretches          sums.c
 *   big         objects with a segment of their own    big.c
 *   handles     on long entries and on chains          object.c, range.c
 */
#ifndef BOUGH_LOG_RANGE_INNER_H
#define BOUGH_LOG_RANGE_INNER_H

#include "store/store.h"

struct bough_log;
struct bough_log__entry;
struct bough_log__out;
struct bough_log__row;
struct bough_log__segment;

/* ---- Checksums ---- */

/* Of what is written so far: `done` are of whole stretches, `now` is of the one begun. */
struct bough_log__sums {
    struct bough_buf done;
    uint32_t now;
};
enum { BOUGH_LOG__SUMS_MIN = 256 * 1024 }; /* bytes of a stream that gets them */

void bough_log__sums_put(struct bough_log__sums *s, uint64_t at, const void *src, size_t n);

/* Those of the stream up to seg->pack_end, onto `out`, which makes no more. */
enum bough_err bough_log__sums_write(struct bough_log__out *out, struct bough_log__segment *seg);
uint64_t bough_log__sums_blocks(uint64_t pack_end); /* blocks they take */

/* As segment_read(), of entries; where the segment has checksums, what is read was checked (sums.c). */
enum bough_err bough_log__segment_read_sure(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, void *dst, size_t n);

/* ---- Big ---- */

/* An object that is too large for a frame, as packed entry or as a body to be stored (big.c). */
enum bough_err bough_log__big_put(
    struct bough_log *l, const struct bough_oid *id, struct bough_view entry);
enum bough_err bough_log__big_put_stored(
    struct bough_log *l, enum bough_type type, const struct bough_oid *id, struct bough_view body);

/* ---- Handles ---- */

/* A handle on object `row->id`, which is the long whole entry `e` at `row->where` (object.c). `sure`:
   no byte of it is given that was not checked against a sum. */
enum bough_err bough_log__stream_open(struct bough_log *l, const struct bough_log__row *row,
    const struct bough_log__entry *e, bool sure, struct bough_object **out);

/*
 * A handle on a large object that is a delta: what is asked for is read through its chain
 * (range.c).  BOUGH_ENOTSUP: better held whole.
 */
enum bough_err bough_log__range_open(
    struct bough_log *l, uint64_t where, struct bough_object **out);

#endif
