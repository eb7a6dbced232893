/*
 * refs_inner.h - refs and records of the log engine, in memory and as items.
 *
 *   refs      in memory (overlay.c), on the device (reftable.c), together (refs.c, refmerge.c)
 *   records   records.c
 */
#ifndef BOUGH_LOG_REFS_INNER_H
#define BOUGH_LOG_REFS_INNER_H

#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/store.h"

struct bough_log;
struct bough_log__out;

/* ---- Refs ---- */

struct bough_log__ref {
    enum bough_ref_kind kind; /* NONE: gone */
    uint64_t seq, expiry;
    struct bough_oid id, peeled;
    uint16_t name_len, target_len;
    uint8_t bytes[]; /* name, then target */
};

/* Sorted by name. */
struct bough_log__refs {
    struct bough_log__ref **ref;
    size_t n, cap;
};

/* What a ref is, wherever it stands. */
struct bough_log__ref_value {
    struct bough_ref ref;
    uint64_t seq, expiry;
    bool counts; /* of an item: the ref was not there before, or is gone now */
    bool doubt;  /* of a table: a damaged block may have it, or a newer one (past_damage) */
};

size_t bough_log__refs_seek(const struct bough_log__refs *r, struct bough_view name, bool *found);
enum bough_err bough_log__refs_reserve(
    struct bough_log__refs *r, struct bough_mem *mem, size_t more);
struct bough_log__ref *bough_log__ref_new(
    struct bough_mem *mem, const struct bough_log__ref_value *v);
void bough_log__ref_free(struct bough_mem *mem, struct bough_log__ref *ref);
/* Put `ref` (taken) in its place, after a reserve. */
void bough_log__refs_set(
    struct bough_log__refs *r, struct bough_mem *mem, struct bough_log__ref *ref);
/* Put all of `from` (which is empty then) in their places, after a reserve. */
void bough_log__refs_take(
    struct bough_log__refs *r, struct bough_mem *mem, struct bough_log__refs *from);
void bough_log__refs_clear(struct bough_log__refs *r, struct bough_mem *mem);
void bough_log__refs_fini(struct bough_log__refs *r, struct bough_mem *mem);
void bough_log__ref_show(const struct bough_log__ref *ref, struct bough_log__ref_value *out);

/* The item of a ref. */
void bough_log__ref_encode(
    struct bough_buf *b, enum bough_algo algo, const struct bough_log__ref_value *v);
enum bough_err bough_log__ref_decode(
    struct bough_view body, enum bough_algo algo, struct bough_log__ref_value *out);

/* The first ref at or after `name` (after it, when `past`) in a table; kind NONE ones included.
   Views are borrowed until `scratch` (2 * BOUGH_REF_NAME_MAX bytes) changes.  BOUGH_ENOENT: then,
   too, out->doubt says whether a damaged block was passed over that may have `name`. */
enum bough_err bough_log__reftable_seek(struct bough_log *l, struct bough_log__table *t,
    struct bough_view name, bool past, uint8_t *scratch, struct bough_log__ref_value *out);

/* The ref as committed, not followed.  BOUGH_ENOENT. */
enum bough_err bough_log__ref_get(
    struct bough_log *l, struct bough_view name, struct bough_log__ref_value *out);

/* The next of all, the newest where a name stands twice; kind NONE ones included.
   `tables_from`: the oldest table that is looked at.  Borrowed until the next of these calls. */
enum bough_err bough_log__ref_seek(struct bough_log *l, struct bough_view name, bool past,
    uint32_t tables_from, struct bough_log__ref_value *out);

/* A writer of a ref table. */
struct bough_log__ref_writer {
    struct bough_log__out *out;
    struct bough_log__table *table;
    uint8_t block[BOUGH_LOG__BLOCK];
    uint32_t fill, rows;
    uint8_t last[BOUGH_REF_NAME_MAX];
    uint32_t last_len, before_len; /* `before`: of the block before */
    struct bough_buf keys;         /* of its blocks (refindex.c) */
};
void bough_log__ref_writer_init(struct bough_log__ref_writer *w, struct bough_log__out *out,
    struct bough_log__table *t, uint32_t number);
enum bough_err bough_log__ref_writer_put(
    struct bough_log__ref_writer *w, const struct bough_log__ref_value *v);
enum bough_err bough_log__ref_writer_end(struct bough_log__ref_writer *w);
void bough_log__ref_writer_fini(struct bough_log__ref_writer *w);

/* The index of a ref table (refindex.c): a block begins with `name`, behind `before`; all are written; the
   block that `name` is in, if any: BOUGH_ECORRUPT where the index is damaged. */
void bough_log__ref_key_add(
    struct bough_log__ref_writer *w, struct bough_view before, struct bough_view name);
enum bough_err bough_log__ref_index_write(struct bough_log__ref_writer *w);
enum bough_err bough_log__ref_index_find(
    struct bough_log *l, const struct bough_log__table *t, struct bough_view name, uint32_t *no);

/* A walk over a table's rows in order. */
struct bough_log__ref_source {
    struct bough_log__table table; /* its run is the list's */
    uint32_t block, at, left;      /* the next one; where its next row is, and so many rows */
    uint32_t row_at;               /* where the row begins that it stands on */
    uint8_t name[BOUGH_REF_NAME_MAX];
    uint32_t name_len;
    bool filled; /* it stands on a row */
};

/* To the next row.  BOUGH_ENOENT: there is none. */
enum bough_err bough_log__ref_source_next(struct bough_log *l, struct bough_log__ref_source *s);
/* The row that it stands on; borrowed until the next page call, or the next row. */
enum bough_err bough_log__ref_source_value(
    struct bough_log *l, struct bough_log__ref_source *s, struct bough_log__ref_value *out);

/* Tables from..to of the list as one, and what changed since the checkpoint; rows of kind NONE are left
   out where there is nothing older (refmerge.c). */
struct bough_log__ref_merge {
    struct bough_log *log;
    struct bough_log__ref_source *src;
    uint32_t n;
    bool changes, oldest;
    size_t at; /* in the changes */
};
enum bough_err bough_log__ref_merge_init(
    struct bough_log__ref_merge *m, struct bough_log *l, uint32_t from, uint32_t to, bool changes);
void bough_log__ref_merge_fini(struct bough_log__ref_merge *m);
/* BOUGH_ENOENT: no more.  Borrowed until the next page call. */
enum bough_err bough_log__ref_merge_next(
    struct bough_log__ref_merge *m, struct bough_log__ref_value *out);

/* ---- Records (records.c) ---- */

struct bough_log__record {
    uint64_t seq;
    uint32_t stream_len, len;
    uint8_t bytes[]; /* stream, then the record */
};

struct bough_log__records {
    struct bough_log__record **rec;
    size_t n, cap;
    uint64_t bytes; /* of all */
};

enum { BOUGH_LOG__RECORDS_MAX = 64 * 1024 * 1024 }; /* bytes of live records */

enum bough_err bough_log__records_reserve(
    struct bough_log__records *r, struct bough_mem *mem, size_t more);
/* Append, after a reserve. BOUGH_ENOMEM. */
enum bough_err bough_log__records_add(struct bough_log__records *r, struct bough_mem *mem,
    uint64_t seq, struct bough_view stream, struct bough_view bytes);
void bough_log__records_retire(
    struct bough_log__records *r, struct bough_mem *mem, struct bough_view stream, uint64_t seq);
void bough_log__records_fini(struct bough_log__records *r, struct bough_mem *mem);
void bough_log__record_encode(struct bough_buf *b, uint64_t seq, struct bough_view stream,
    struct bough_view bytes, bool retire);
enum bough_err bough_log__record_decode(
    struct bough_view body, uint64_t *seq, struct bough_view *stream, struct bough_view *bytes);

#endif
