/*
 * read_inner.h - from an id to an object.
 *
 *   entries    as they lie, packed             entry.c
 *   rows       of an id, in all tables         entry.c
 *   objects    look, whole bodies              read.c
 *   methods    of the store                    get.c, object.c, walk.c, check.c
 */
#ifndef BOUGH_LOG_READ_INNER_H
#define BOUGH_LOG_READ_INNER_H

#include "base/zip.h"
#include "git/entry.h"
#include "store/store.h"

struct bough_log;
struct bough_log__row;
struct bough_log__segment;

/* A packed entry where it lies. */
struct bough_log__entry {
    const struct bough_log__segment *seg;
    uint64_t at;  /* in the segment */
    uint64_t len; /* head and zlib stream */
    uint32_t crc; /* of them */
    uint64_t id8; /* the first eight bytes of its id */
    struct bough_entry_head head;
};

enum {
    BOUGH_LOG__STORED_HEAD = 7, /* of a zlib stream of one stored block: its two bytes, its five */
    BOUGH_LOG__STORED_TAIL = 4, /* Adler-32 */
    BOUGH_LOG__WHOLE_MAX = 256 * 1024, /* bytes of a body that parts are cut from in memory */
    BOUGH_LOG__STORED_MAX = 16 * 1024, /* the same where it is stored: parts are found without it */
    BOUGH_LOG__RANGE_MIN = 64 * 1024,  /* what a delta makes of less is held whole */
};

/* One stored block, as we write small things: its bytes are there to be copied. */
static inline bool bough_log__is_one_stored(struct bough_view zlib, uint64_t size)
{
    return zlib.len == size + BOUGH_LOG__STORED_HEAD + BOUGH_LOG__STORED_TAIL &&
           zlib.ptr[0] == 0x78 && zlib.ptr[2] == 0x01 && bough_get16le(zlib.ptr + 3) == size;
}

static inline uint64_t bough_log__id8(const struct bough_oid *id)
{
    return bough_get64be(id->bytes);
}

enum bough_err bough_log__entry_open(
    struct bough_log *l, uint64_t where, struct bough_log__entry *out);

/* Is it better read in parts than held whole?  Deltas never are. */
static inline bool bough_log__entry_is_long(const struct bough_log__entry *e)
{
    if (bough_entry_is_delta(e->head.type))
        return false;
    return e->head.size > (e->len - e->head.head_len == bough_zip_stored_len(e->head.size)
                                  ? (uint64_t)BOUGH_LOG__STORED_MAX
                                  : (uint64_t)BOUGH_LOG__WHOLE_MAX);
}
/* Any row of `id`: the newest.  BOUGH_ENOENT. */
enum bough_err bough_log__row_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out);

/* Does an entry that begins with this byte need no other object? */
static inline bool bough_log__stands_alone(uint8_t first)
{
    uint32_t type = first >> 4 & 7;

    return type >= BOUGH_COMMIT && type <= BOUGH_TAG;
}

/* Is `id` there as it should be, as far as the checksums of its entry and of all that it stands upon say?
   BOUGH_ENOENT: it is not, or damaged. */
enum bough_err bough_log__is_there(struct bough_log *l, const struct bough_oid *id);

/* What was replayed: see whether it stands alone. */
enum bough_err bough_log__rows_see(struct bough_log *l);
enum bough_err bough_log__row_see(struct bough_log *l, struct bough_log__row *row);

/* Another copy of what lies damaged at `where`, which stands alone; `id` may be NULL, when that is not known.
   BOUGH_ECORRUPT: there is none. */
enum bough_err bough_log__copy_find(
    struct bough_log *l, uint64_t where, const struct bough_oid *id, uint64_t *other);

/* Type and size of the object at `where`. */
enum bough_err bough_log__look(struct bough_log *l, uint64_t where, struct bough_found *out);

/* Append the body of the object at `where`. */
enum bough_err bough_log__body_read(
    struct bough_log *l, uint64_t where, enum bough_type *type, struct bough_buf *out);

/* Does the object with these first bytes of its id lie at `where`, which may be anything? */
bool bough_log__is_at(struct bough_log *l, uint64_t where, uint64_t id8);

/* An entry of at most 64 KiB against its crc, before its head is believed; a longer one is checked
   where it is read whole. */
enum bough_err bough_log__entry_sure(struct bough_log *l, const struct bough_log__entry *e);

/* The same, however long it is. */
enum bough_err bough_log__entry_check(struct bough_log *l, const struct bough_log__entry *e);

/* How long what the delta `e` makes is, from its first bytes. */
enum bough_err bough_log__delta_size(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t *size);

/* Where the base of the delta `e` at `where` lies. */
enum bough_err bough_log__base_of(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t where, uint64_t *base);

/* Inflate the whole of an entry, appending head.size bytes; its crc is checked. */
enum bough_err bough_log__entry_inflate(
    struct bough_log *l, const struct bough_log__entry *e, struct bough_buf *out);

/* The engine's methods. */
enum bough_err bough_log__find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out);
enum bough_err bough_log__has(struct bough_store *s, const struct bough_oid *id);
enum bough_err bough_log__read_object(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out);
void bough_log__soon(struct bough_store *s, uint64_t where);
enum bough_err bough_log__get_object(
    struct bough_store *s, const struct bough_oid *id, struct bough_get *g, struct bough_buf *out);
enum bough_err bough_log__object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out);
enum bough_err bough_log__entry_of(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out);
enum bough_err bough_log__entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n);
enum bough_err bough_log__each(struct bough_store *s, bough_store_each_fn *fn, void *ctx);
enum bough_err bough_log__abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n);

/* Check every structure and every object. */
enum bough_err bough_log__check(struct bough_store *s, bough_store_report_fn *report, void *ctx);

#endif
