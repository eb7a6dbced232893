/*
 * frame_inner.h - frames of the log and items of an index, as bytes (frame.c); format.md has them.
 */
#ifndef BOUGH_LOG_FRAME_INNER_H
#define BOUGH_LOG_FRAME_INNER_H

#include "base/buf.h"
#include "store/log/shape_inner.h"

enum {
    BOUGH_LOG__FRAME_HEAD = 96, /* bytes */
    BOUGH_LOG__ITEM_HEAD = 4,   /* bytes before an item of an index: kind, length */
    BOUGH_LOG__BEFORE = 16,     /* bytes before an entry in a frame: length, crc, id8 */
    BOUGH_LOG__FRAME_DATA = BOUGH_LOG__FRAME_HEAD + BOUGH_LOG__BEFORE, /* where the first begins */
};
enum { BOUGH_LOG__FRAME_FIRST = 1, BOUGH_LOG__FRAME_LAST = 2 };

struct bough_log__frame {
    uint64_t epoch, seq, durable_to;
    uint32_t crc; /* of the head itself */
    uint32_t prev_crc, flags, segment, next_zone;
    uint32_t data_len, index_len, index_crc, items;
    uint32_t zone, at;
    uint64_t time; /* when its transaction began, in seconds; 0: not said */
};

void bough_log__frame_encode(const struct bough_log__geo *geo, struct bough_log__frame *f,
    uint8_t dst[BOUGH_LOG__FRAME_HEAD]); /* sets f->crc */

/* Do these four bytes begin a frame? */
bool bough_log__frame_begins(const uint8_t *src);

/* BOUGH_ENOENT: no frame of this device for this place. */
enum bough_err bough_log__frame_decode(const struct bough_log__geo *geo, uint32_t zone, uint32_t at,
    const uint8_t src[BOUGH_LOG__FRAME_HEAD], struct bough_log__frame *out);

/* Bytes of the frame, padding included. */
static inline uint32_t bough_log__frame_len(
    const struct bough_log__geo *geo, const struct bough_log__frame *f)
{
    return (uint32_t)bough_log__up(
        (uint64_t)BOUGH_LOG__FRAME_HEAD + f->data_len + f->index_len, geo->granule);
}

enum bough_log__kind {
    BOUGH_LOG__OBJECT = 1,
    BOUGH_LOG__REF = 2,
    BOUGH_LOG__RECORD = 3,
    BOUGH_LOG__RETIRE = 4,
    BOUGH_LOG__ADOPT = 5,
    BOUGH_LOG__AHEAD = 6, /* a table written ahead */
    BOUGH_LOG__HEAD = 16, /* where the log goes on */
    BOUGH_LOG__LOGSEG = 17,
    BOUGH_LOG__OIDTABLE = 18,
    BOUGH_LOG__REFTABLE = 19,
    BOUGH_LOG__COUNTERS = 20,
    BOUGH_LOG__KIND_OPTIONAL = 128, /* from here on unknown ones are skipped */
    BOUGH_LOG__HELD = 128,
    BOUGH_LOG__BIRTHS = 129,
    BOUGH_LOG__HOLD = 130,
    BOUGH_LOG__BIRTHS_PACKS = 131,
};

/* Walk over items.  BOUGH_ENOENT: no more; BOUGH_ECORRUPT. */
struct bough_log__items {
    struct bough_view left;
};
enum bough_err bough_log__item_next(
    struct bough_log__items *it, uint32_t *kind, struct bough_view *body);

/* Append the head of an item whose length comes later; returns where it stands. */
size_t bough_log__item_begin(struct bough_buf *b, enum bough_log__kind kind);
void bough_log__item_end(struct bough_buf *b, size_t at);

/* A reader of fields: reading past the end sets `bad` and gives zeros. */
struct bough_log__fields {
    struct bough_view left;
    bool bad;
};
uint64_t bough_log__get(struct bough_log__fields *f, uint32_t bytes); /* 1, 2, 4 or 8 */
struct bough_view bough_log__get_view(struct bough_log__fields *f, uint64_t len);
struct bough_oid bough_log__get_id(struct bough_log__fields *f, enum bough_algo algo);

#endif
