/*
 * reach_inner.h - reachability bitmaps of the log engine; docs/format.md 18.
 *
 *   bits      places of a table's rows as compressed bytes (bitmap.c)
 *   region    where bitmaps lie, their head and directory (bitmap_region.c)
 *   making    in steps, after a collection (bitmap_make.c)
 *   checking  bitmap_check.c
 *   asking    the handle behind store/reach.h (reach.c, reach_next.c)
 *
 * The place of a row is block * rows per block + its number in the block.  Bitmaps lie behind the
 * blocks of the first table, in its run, and go when it goes.
 */
#ifndef BOUGH_LOG_REACH_INNER_H
#define BOUGH_LOG_REACH_INNER_H

#include "store/log/inner.h"
#include "store/reach.h"

struct bough_log__out;
struct bough_log__table;

/* ---- Bits as bytes (bitmap.c) ---- */

enum {
    BOUGH_LOG__CHUNK = 512, /* bytes of bits that are written together */
    BOUGH_LOG__CHUNK_MAX = 2 + BOUGH_LOG__CHUNK,
};

/* Append the bits that `a` has and `b` has not, of `len` bytes each, a multiple of CHUNK, from byte
   `*at` on, until some are appended or the end; returns how many bits these were. */
uint64_t bough_log__bits_encode(
    struct bough_buf *out, const uint8_t *a, const uint8_t *b, size_t len, size_t *at);

/* Take the next chunk from the front of `in` and set its bits in `bits` (`len` bytes) at `*at`, which
   moves on; `*n` grows by their number.  BOUGH_ECORRUPT; BOUGH_ENOENT: it is empty. */
enum bough_err bough_log__bits_decode(
    struct bough_view *in, uint8_t *bits, size_t len, size_t *at, uint64_t *n);

static inline uint32_t bough_log__bits_ones(uint64_t x)
{
    return (uint32_t)__builtin_popcountll(x);
}

static inline bool bough_log__bit(const uint8_t *bits, uint64_t i)
{
    return (bits[i / 8] & 1u << i % 8) != 0;
}

static inline void bough_log__bit_set(uint8_t *bits, uint64_t i)
{
    bits[i / 8] |= (uint8_t)(1u << i % 8);
}

/* ---- The region (bitmap_region.c) ---- */

enum {
    BOUGH_LOG__COMPAT_BITMAPS = 1,    /* compatible feature: tables may have bitmaps behind them */
    BOUGH_LOG__BITMAP_HEAD = 96,      /* bytes */
    BOUGH_LOG__BITMAPS_MAX = 2048,    /* of a table */
    BOUGH_LOG__BITMAP_EMPTY_TREE = 1, /* flag: a commit has the empty tree, which has no row */
};

/* A bitmap: what its commit reaches and its base does not. */
struct bough_log__bitmap {
    struct bough_oid commit;
    uint64_t at; /* in the region */
    uint32_t len, crc;
    uint32_t base;  /* number of the one it adds to, plus one; 0: none */
    uint64_t count; /* bits set */
};

struct bough_log__bitmaps {
    uint64_t region; /* where it begins, in the table's run */
    uint32_t flags;
    uint32_t boundary_n, boundary_crc; /* of the boundary when they were made */
    uint64_t dir_at;
    uint32_t dir_len, dir_crc;
    uint32_t n;
    uint64_t objects;                 /* covered by one or another */
    struct bough_log__bitmap *bitmap; /* ascending by commit */
    size_t cap;
};

/* Bytes of bits for the places of a table, a multiple of a chunk. */
size_t bough_log__places_len(const struct bough_log *l, const struct bough_log__table *t);

/* Where the region of a table may begin, in its run: right behind the blocks, or in the next zone
   (`next`) where something else goes on behind them. */
uint64_t bough_log__region_at(
    const struct bough_log *l, const struct bough_log__table *t, bool next);

/* The first table, if it may have bitmaps; or NULL. */
struct bough_log__table *bough_log__region_table(struct bough_log *l);

void bough_log__bitmap_head_encode(const struct bough_log *l, const struct bough_log__table *t,
    const struct bough_log__bitmaps *b, uint8_t dst[BOUGH_LOG__BITMAP_HEAD]);
void bough_log__bitmap_dir_encode(
    const struct bough_log *l, const struct bough_log__bitmaps *b, struct bough_buf *out);

/* Head and directory of the region of `t`.  BOUGH_ENOENT: there is none; BOUGH_ECORRUPT: the
   directory is damaged.  To be released in any case. */
enum bough_err bough_log__bitmaps_load(
    struct bough_log *l, const struct bough_log__table *t, struct bough_log__bitmaps *out);
void bough_log__bitmaps_fini(struct bough_log *l, struct bough_log__bitmaps *b);

/* The number of the bitmap of `commit`, or b->n. */
uint32_t bough_log__bitmaps_find(
    const struct bough_log__bitmaps *b, const struct bough_oid *commit);

/* What the boundary is now. */
enum bough_err bough_log__boundary_sum(struct bough_log *l, uint32_t *n, uint32_t *crc);

/* Reads one bitmap in pieces, setting its bits. */
struct bough_log__bitmap_reader {
    const struct bough_log__bitmap *bitmap;
    uint64_t region;
    struct bough_log__out *out; /* being written still; or NULL */
    uint64_t read;              /* bytes */
    uint32_t crc;
    size_t at; /* in the bits */
    uint64_t n;
    struct bough_buf left; /* bytes that were read and wait */
};
/* Go on for about 64 KiB.  BOUGH_EAGAIN; BOUGH_ECORRUPT: damaged, and `bits` are of no use. */
enum bough_err bough_log__bitmap_step(struct bough_log *l, const struct bough_log__table *t,
    struct bough_log__bitmap_reader *r, uint8_t *bits, size_t len);

/* ---- For the log ---- */

/* Does somebody read what the first table reaches, or make its bitmaps?  Then it stays. */
static inline bool bough_log__reach_frozen(const struct bough_log *l)
{
    return l->reaches != NULL || l->bitmapper != NULL;
}

/* About `budget` bytes of making bitmaps; *more: there is more to do. */
enum bough_err bough_log__bitmaps_make(struct bough_log *l, uint64_t budget, bool *more);
void bough_log__bitmaps_end(struct bough_log *l); /* what was not finished is given up */
/* Are they whole?  BOUGH_ECORRUPT. */
enum bough_err bough_log__bitmaps_check(struct bough_log *l);
void bough_log__bitmaps_stat(struct bough_log *l, struct bough_store_stats *out);
enum bough_err bough_log__reach(struct bough_store *s, struct bough_reach **out);
/* Open handles are given up, and note what they have still to tell; were there any? */
bool bough_log__reach_expire(struct bough_log *l);

/* ---- Handles (reach.c) ---- */

enum { BOUGH_LOG__LOCATORS = 512 * 1024 }; /* sorted at a time: 8 MiB */

/* An object that is to be told. */
struct bough_log__located {
    uint64_t where;
    uint64_t place; /* of its row */
};

struct bough_log__reach {
    struct bough_reach reach; /* first: the face */
    struct bough_log *log;
    struct bough_log__reach *next; /* of the log's open ones */
    bool expired;
    struct bough_log__bitmaps maps;
    uint8_t *seen[2]; /* for each bitmap: it is in the set of that side */
    uint8_t *bits[2];
    size_t len; /* bytes of each */

    /* An add on its way. */
    struct bough_log__bitmap_reader reader;
    uint32_t adding; /* the bitmap being read, plus one; 0: none */

    /* Telling, reach_next.c. */
    enum { BOUGH_LOG__REACH_SCAN, BOUGH_LOG__REACH_SORT, BOUGH_LOG__REACH_TELL } stage;
    struct bough_log__located *heap; /* the greatest first while scanning, ascending when sorted */
    size_t heap_n, heap_cap, unsorted, tell_at;
    uint64_t scan_at; /* block */
    uint64_t floor;   /* what lies before it was told */
    bool partial;     /* more lies behind what is in the heap */
    uint32_t segment; /* of the entry told last, whose reverse table goes on at */
    uint64_t no;

    /* Given up: ids of what was not told, as bytes. */
    bool telling, noted;
    struct bough_buf left;
    size_t left_at;
};

static inline struct bough_log__reach *bough_log__reach_of(struct bough_reach *r)
{
    return (struct bough_log__reach *)(void *)r; /* reach is the first field */
}

enum bough_err bough_log__reach_next(struct bough_reach *r, struct bough_reached *out);
enum bough_err bough_log__reach_left(struct bough_reach *r, struct bough_oid *out);

/* It is about to be given up: the ids of what it has still to tell are noted, if there is memory. */
void bough_log__reach_note(struct bough_log__reach *x);

#endif
