/*
 * table_inner.h - rows: which object lies where.
 *
 *   rows       of new objects, in memory                  rows.c
 *   sources    rows one after another, ascending by id
 *   tables     on the device: blocks, lookups             table.c
 *   writing    a table, from a source or row by row       build.c
 *   fields     of a table, in roots and items             root.c
 */
#ifndef BOUGH_LOG_TABLE_INNER_H
#define BOUGH_LOG_TABLE_INNER_H

#include "git/oid.h"
#include "store/log/run_inner.h"

struct bough_log;

/* ---- Rows (rows.c) ---- */

struct bough_log__row {
    struct bough_oid id;
    uint64_t where;
    uint32_t crc;
    bool whole;  /* known to stand alone: no delta */
    bool unseen; /* replayed: nobody has looked whether it does */
};

/* Rows by id; open addressing over a vector in order of arrival. */
struct bough_log__rows {
    struct bough_log__row *row;
    size_t n, cap;
    uint32_t *slot; /* bits of the hash, 1 + row number; 0: empty */
    size_t slots;   /* 0 or a power of two, at least twice n */
};

enum bough_err bough_log__rows_reserve(
    struct bough_log__rows *r, struct bough_mem *mem, size_t more);
/* After a reserve; an id that is there already stays as it is. */
void bough_log__rows_add(struct bough_log__rows *r, const struct bough_log__row *row);
/* The same, but a row that stands alone takes the place of what is there, as where tables are merged. */
void bough_log__rows_renew(struct bough_log__rows *r, const struct bough_log__row *row);
const struct bough_log__row *bough_log__rows_find(
    const struct bough_log__rows *r, const struct bough_oid *id);
/* What is to be found soon: it takes a while to come from memory. */
void bough_log__rows_near(const struct bough_log__rows *r, const struct bough_oid *id);
void bough_log__rows_clear(struct bough_log__rows *r, struct bough_mem *mem, size_t keep);
void bough_log__rows_fini(struct bough_log__rows *r, struct bough_mem *mem);

/* Rows one after another, ascending by id.  BOUGH_ENOENT: no more. */
struct bough_log__row_source {
    enum bough_err (*next)(struct bough_log__row_source *src, struct bough_log__row *out);
};

/* Over rows in memory, sorted; `order` is allocated. */
struct bough_log__rows_source {
    struct bough_log__row_source src; /* use this one */
    const struct bough_log__rows *rows;
    struct bough_mem *mem;
    uint32_t *order;
    size_t n, at;
};
enum bough_err bough_log__rows_source_init(
    struct bough_log__rows_source *s, const struct bough_log__rows *rows, struct bough_mem *mem);
void bough_log__rows_source_fini(struct bough_log__rows_source *s);

/* ---- Tables (table.c, build.c) ---- */

enum {
    BOUGH_LOG__BLOCK_HEAD = 16,
    BOUGH_LOG__BLOCK_WHOLE = 4080, /* of oid rows: a bit for each, it stands alone */
};
enum {
    BOUGH_LOG__BLOCK_OID = 1,
    BOUGH_LOG__BLOCK_REVERSE = 2,
    BOUGH_LOG__BLOCK_REF = 3,
    BOUGH_LOG__BLOCK_SUMS = 4,
    BOUGH_LOG__BLOCK_REFINDEX = 5,
};

struct bough_log__table {
    uint32_t number;
    uint32_t segment; /* not 0: it lies in that pack segment, `at` bytes into it */
    uint64_t rows;
    uint32_t home, blocks; /* of refs: `home` more blocks behind them are an index */
    uint64_t at;
    struct bough_log__run run; /* of its own, when segment is 0 */
    uint32_t near; /* of refs: the block that a seek began in last: the next one is often there */
};

void bough_log__table_fini(struct bough_log *l, struct bough_log__table *t);

/* Lend block `no`, checked; borrowed until the next page call. */
enum bough_err bough_log__table_block(struct bough_log *l, const struct bough_log__table *t,
    uint32_t kind, uint32_t no, const uint8_t **out, uint32_t *rows);

/* The row of `id`.  BOUGH_ENOENT. */
enum bough_err bough_log__table_find(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out);

/* The same, and its place: block * bough_log__rows_per_block() + row. */
enum bough_err bough_log__table_place(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out, uint64_t *place);

/* Read row `i` of a block of oid rows. */
void bough_log__table_row(const struct bough_log *l, const struct bough_log__table *t,
    const uint8_t *block, uint32_t i, struct bough_log__row *out);

uint32_t bough_log__row_len(const struct bough_log *l);        /* bytes */
uint32_t bough_log__rows_per_block(const struct bough_log *l); /* 127 or 92 */
uint32_t bough_log__home_of(const struct bough_oid *id, uint32_t home);

/* A walk over a table's rows in order, from the first not below `from`. */
enum { BOUGH_LOG__SOME = 8 };
struct bough_log__table_source {
    struct bough_log__row_source src; /* use this one */
    struct bough_log *log;
    const struct bough_log__table *table;
    uint32_t block, row;
    uint32_t at, n; /* of `some`: rows of one block, so that not each needs a look for its page */
    struct bough_log__row some[BOUGH_LOG__SOME];
};
void bough_log__table_source_init(struct bough_log__table_source *s, struct bough_log *l,
    const struct bough_log__table *t, const struct bough_oid *from);

/* Write a table of at most `rows` rows from `src` onto `out` (which is at a multiple of
   geo.align); fills all of `t` but segment and run. */
enum bough_err bough_log__table_write(struct bough_log__out *out, struct bough_log__row_source *src,
    uint64_t rows, struct bough_log__table *t);

/* The same onto zones of its own, t->run, leaving `reserve` of them free; it is on the device then. */
enum bough_err bough_log__table_make(struct bough_log *l, uint32_t reserve,
    struct bough_log__row_source *src, uint64_t rows, struct bough_log__table *t);

/* Bytes of a table of so many rows, as hashes spread. */
uint64_t bough_log__table_bytes(const struct bough_log *l, uint64_t rows);

/* The same row by row: rows come in order.  `*out` is allocated. */
struct bough_log__table_writer;
enum bough_err bough_log__table_writer_init(struct bough_log__table_writer **out,
    struct bough_log__out *to, uint64_t rows, struct bough_log__table *t);
enum bough_err bough_log__table_writer_put(
    struct bough_log__table_writer *w, const struct bough_log__row *row);
enum bough_err bough_log__table_writer_end(struct bough_log__table_writer *w);
void bough_log__table_writer_fini(struct bough_log__table_writer *w, struct bough_mem *mem);

/* Fill in the head of a block, checksum last. */
void bough_log__block_seal(
    uint8_t *block, uint32_t table, uint32_t no, uint32_t rows, uint32_t kind);

/*
 * Several sorted sources as one; of equal ids the first source's row is taken.  Where `newest` is set, the
 * last one's that is known to stand alone: an object that was put again since what was there is damaged.
 * Deltas never take another's place, so following bases still never goes round (docs/format.md 7).
 */
struct bough_log__merge {
    struct bough_log__row_source src; /* use this one */
    struct bough_mem *mem;
    bool newest;
    size_t n, cap;
    struct bough_log__merge_in {
        struct bough_log__row_source *src;
        struct bough_log__row row;
        bool done, filled;
    } * in;
};
enum bough_err bough_log__merge_init(
    struct bough_log__merge *m, struct bough_mem *mem, size_t sources);
void bough_log__merge_fini(struct bough_log__merge *m);
void bough_log__merge_add(struct bough_log__merge *m, struct bough_log__row_source *src);

/* The fields of a table, in roots and in items of tables written ahead. */
void bough_log__table_encode(struct bough_buf *b, const struct bough_log__table *t);
enum bough_err bough_log__table_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__table *t);

#endif
