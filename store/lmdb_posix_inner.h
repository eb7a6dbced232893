/*
 * lmdb_posix_inner.h - what the files of the LMDB engine share.
 *
 *   lmdb_posix.c           opening, the map, facts
 *   lmdb_objects_posix.c   objects: kept, found, read
 *   lmdb_refs_posix.c      refs and records
 *   lmdb_txn_posix.c       transactions
 */
#ifndef BOUGH_STORE_LMDB_INNER_H
#define BOUGH_STORE_LMDB_INNER_H

#include <lmdb.h>

#include "store/hosted_inner.h"
#include "store/lmdb.h"

/* A record to append, or (no `bytes`) the last one to retire of a stream. */
struct bough_store__lmdb_record {
    bool retire;
    uint64_t seq;
    struct bough_view stream, bytes; /* in the transaction's arena */
};

struct bough_store__lmdb_txn {
    struct bough_txn txn;
    struct bough_store__stage stage;
    struct bough_store__moves moves;
    struct bough_store__packet *adopted;
    struct bough_arena arena;
    struct bough_store__lmdb_record *records;
    size_t records_n, records_cap;
    uint64_t seq; /* of the last record, its own counted */
};

struct bough_store__lmdb {
    struct bough_store store;
    MDB_env *env;
    MDB_dbi meta, objects, chunks, refs, records;
    struct bough_buf lent; /* the views of the last ref that was answered */
    struct bough_store__lmdb_txn own;
    uint64_t commits, syncs;
    int owner; /* the file that is locked, or -1 */
    char path[BOUGH_STORE__PATH_MAX];
};

static inline struct bough_store__lmdb *bough_store__lmdb_of(struct bough_store *s)
{
    return (struct bough_store__lmdb *)s; /* store is the first field */
}

static inline MDB_val bough_store__lmdb_val(const void *ptr, size_t len)
{
    union {
        const void *given;
        void *ptr;
    } same = {ptr}; /* LMDB does not write to it */

    return (MDB_val){len, same.ptr};
}

/* What LMDB's `code` means; store.why gets its words, unless it is a plain "not there". */
enum bough_err bough_store__lmdb_err(struct bough_store__lmdb *l, int code);

/* LMDB calls a write that was cut short EIO: is it that the filesystem is full? */
enum bough_err bough_store__lmdb_full(struct bough_store__lmdb *l, enum bough_err err);

/* A look at what is committed now; over with mdb_txn_abort(). */
enum bough_err bough_store__lmdb_look(struct bough_store__lmdb *l, MDB_txn **out);

/* Forget readers that were killed: what they looked at keeps its room.  True: there were some. */
bool bough_store__lmdb_forget(struct bough_store__lmdb *l);

/* Make the map twice as large.  No transaction of LMDB may be open. */
enum bough_err bough_store__lmdb_grow(struct bough_store__lmdb *l);

/* ---- Objects ---- */

enum bough_err bough_store__lmdb_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out);
enum bough_err bough_store__lmdb_has(struct bough_store *s, const struct bough_oid *id);
enum bough_err bough_store__lmdb_read(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out);
enum bough_err bough_store__lmdb_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out);
enum bough_err bough_store__lmdb_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx);
enum bough_err bough_store__lmdb_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n);

/* Keep the object `o` gives; LMDB's code. `*err`: what reading it answered. */
int bough_store__lmdb_keep(struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_oid *id,
    struct bough_object *o, enum bough_err *err);

/* ---- Refs and records ---- */

enum bough_err bough_store__lmdb_ref(
    struct bough_store *s, struct bough_view name, struct bough_ref *out);
enum bough_err bough_store__lmdb_ref_next(struct bough_store *s, struct bough_view prefix,
    struct bough_view after, struct bough_ref *out);
enum bough_err bough_store__lmdb_records(
    struct bough_store *s, bough_store_record_fn *fn, void *ctx);

/* Change a ref; LMDB's code.  `*err`: memory, or damage. */
int bough_store__lmdb_move(struct bough_store__lmdb *l, MDB_txn *txn,
    const struct bough_store__move *v, enum bough_err *err);
int bough_store__lmdb_record(
    struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_store__lmdb_record *r);

/* The number of the last record that ever was. */
int bough_store__lmdb_seq(struct bough_store__lmdb *l, MDB_txn *txn, uint64_t *out);
int bough_store__lmdb_seq_set(struct bough_store__lmdb *l, MDB_txn *txn, uint64_t seq);

/* ---- Transactions ---- */

enum bough_err bough_store__lmdb_begin(struct bough_store *s, struct bough_txn **out);
enum bough_err bough_store__lmdb_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);

#endif
