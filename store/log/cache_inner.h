/*
 * cache_inner.h - what the device holds, kept in memory for a while.
 *
 *   pages      all that is read from the device or written to it passes here     cache.c
 *   bodies     objects that were inflated                                        bodies.c
 */
#ifndef BOUGH_LOG_CACHE_INNER_H
#define BOUGH_LOG_CACHE_INNER_H

#include "git/oid.h"

struct bough_log;

/* ---- The device, through a cache of pages (cache.c) ---- */

struct bough_log__page_slot {
    uint64_t no;      /* of the page; UINT64_MAX: empty */
    uint32_t used;    /* by the clock, which goes round */
    uint32_t checked; /* a bit for each block in it that was found whole */
};

struct bough_log__pages {
    uint32_t size; /* bytes of a page: a block or the device's unit, whichever is more */
    uint32_t sets; /* four pages each */
    struct bough_log__page_slot *slot;
    uint8_t *bytes;
    uint32_t clock;
    uint64_t read_bytes, written_bytes; /* device traffic */
    uint64_t misses;                    /* of `clock` lookups */
};

enum bough_err bough_log__pages_init(struct bough_log *l, size_t room);
void bough_log__pages_fini(struct bough_log *l);
void bough_log__pages_drop(struct bough_log *l); /* forget them all */

/* The byte of the device at `at`, and `*len` up to the end of its page, if that is cached. */
const uint8_t *bough_log__page_here(struct bough_log *l, uint64_t at, size_t *len);

/* Lend the bytes at device byte `at` up to the end of its page; borrowed until the next call.
   `checked` (may be NULL) is a word of the page's own, 0 when it was read just now. */
enum bough_err bough_log__page(
    struct bough_log *l, uint64_t at, struct bough_view *out, uint32_t **checked);
enum bough_err bough_log__read(struct bough_log *l, uint64_t at, void *dst, size_t n);

/* Let the device prepare whole granules; BOUGH_ENOTSUP when it has no such thing. */
enum bough_err bough_log__ready(struct bough_log *l, uint64_t at, size_t n);

/* Write whole granules; a page that was cached is forgotten. `sync` flushes the device, too. */
enum bough_err bough_log__write(
    struct bough_log *l, uint64_t at, const void *src, size_t n, bool sync);
enum bough_err bough_log__flush(struct bough_log *l);

/* ---- Inflated bodies (bodies.c) ---- */

struct bough_log__body {
    struct bough_log__body *next; /* of the same hash */
    struct bough_log__body *newer, *older;
    uint64_t where, id8;
    enum bough_type type;
    size_t len;
    uint8_t bytes[];
};

struct bough_log__bodies {
    struct bough_log__body **head; /* hash table */
    uint32_t heads;                /* power of two */
    struct bough_log__body *newest, *oldest;
    size_t used, limit; /* bytes */
};

enum bough_err bough_log__bodies_init(struct bough_log *l, size_t room);
void bough_log__bodies_fini(struct bough_log *l);
void bough_log__bodies_drop(struct bough_log *l);             /* forget them all */
void bough_log__bodies_drop_quarantined(struct bough_log *l); /* those of segment 0 */

/* NULL: not there.  Borrowed until the next call of these. */
const struct bough_log__body *bough_log__bodies_find(struct bough_log *l, uint64_t where);

bool bough_log__bodies_too_long(const struct bough_log *l, uint64_t len); /* to be kept */

/* Keep a copy, if there is room and it is worth it; failing is silent. */
void bough_log__bodies_keep(struct bough_log *l, uint64_t where, uint64_t id8, enum bough_type type,
    struct bough_view body);

#endif
