/*
 * segment_inner.h - what objects lie in: a zone of the log, or a pack over zones of its own.
 *
 *   segments   in order of their numbers; bytes of them        segment.c
 *   reverse    which object lies where, the other way round    table.c
 *   items      of a pack that is adopted                       root.c, whole.c
 */
#ifndef BOUGH_LOG_SEGMENT_INNER_H
#define BOUGH_LOG_SEGMENT_INNER_H

#include "store/log/run_inner.h"
#include "store/log/table_inner.h"

struct bough_log;

/* ---- Segments ---- */

enum {
    BOUGH_LOG__PACK_WHOLE = 1, /* flag: the pack stream is whole as received */
    BOUGH_LOG__PACK_SUMS = 2,  /* flag: there are checksums of its stretches */
};

struct bough_log__segment {
    uint32_t number;
    bool pack;
    uint32_t zone;     /* of a log segment */
    uint32_t flags;    /* of a pack segment, and all below */
    uint64_t pack_end; /* entries lie below */
    uint64_t objects;
    struct bough_log__run run;
    struct bough_log__table oid;     /* blocks 0: merged away */
    struct bough_log__table reverse; /* sorted by offset; home unused */
    struct bough_log__table sums;    /* of the same number; blocks 0: none */
};

/* NULL: there is none. Number 0 is the segment that is looked through, if any. */
struct bough_log__segment *bough_log__segment_find(struct bough_log *l, uint32_t number);

/* Add one (taken on success); numbers ascend.  BOUGH_ENOMEM. */
enum bough_err bough_log__segment_add(struct bough_log *l, struct bough_log__segment *seg);
void bough_log__segment_fini(struct bough_log *l, struct bough_log__segment *seg);

enum bough_err bough_log__segment_read(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, void *dst, size_t n);

/* The same, lent: by the page on which all of it lies, or in l->scratch.  Borrowed until the next
   read. */
enum bough_err bough_log__segment_lend(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t at, size_t n, struct bough_view *out);

/* ---- Reverse tables of pack segments ---- */

struct bough_log__reverse {
    uint64_t offset;
    struct bough_oid id;
    uint32_t crc;
    uint64_t end; /* where the entry ends */
};

/* The entry that begins at `offset`.  BOUGH_ECORRUPT when none does. */
enum bough_err bough_log__reverse_find(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t offset, struct bough_log__reverse *out);
enum bough_err bough_log__reverse_get(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t no, struct bough_log__reverse *out);

/* ---- Items ---- */

/* The adopt item of a pack segment, and back. */
void bough_log__segment_encode(struct bough_buf *b, const struct bough_log__segment *seg);
enum bough_err bough_log__segment_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__segment *out);

/* Is all there that a frame's item adopts, or names as a table written ahead (whole.c)?
   BOUGH_ENOENT: not all of it. */
enum bough_err bough_log__segment_whole(struct bough_log *l, struct bough_view body);
enum bough_err bough_log__ahead_whole(struct bough_log *l, struct bough_view body);

#endif
