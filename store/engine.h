/*
 * engine.h - for those who write an engine of a store.
 *
 *   struct bough_store_class     a store
 *   struct bough_object_class    a handle on an object
 *   struct bough_txn_class       a transaction
 *   struct bough_intake_class    a pack that comes in
 *   struct bough_spool           bytes put aside
 *
 * tests/conform/test_store_*.c say what they must do; store/mem.c is the shortest.
 */
#ifndef BOUGH_STORE_ENGINE_H
#define BOUGH_STORE_ENGINE_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Methods.  Arguments were checked by the calls above; a NULL method takes the default named.
 * An engine embeds struct bough_store (bough_txn, bough_intake, bough_object) as the first
 * field of its own struct, cleared but for cls, env, caps, algo, read_only and object_max.
 */
struct bough_store_class {
    const char *name; /* "log", "mem" */
    void (*close)(struct bough_store *s);
    enum bough_err (*find)(
        struct bough_store *s, const struct bough_oid *id, struct bough_found *out);
    enum bough_err (*has)(struct bough_store *s, const struct bough_oid *id); /* NULL: find */
    /* Sees to object_max; `where` 0 or wrong: looks `id` up; `type` is not NULL. */
    enum bough_err (*read)(struct bough_store *s, uint64_t where, const struct bough_oid *id,
        enum bough_type *type, struct bough_buf *out);
    enum bough_err (*get)(struct bough_store *s, const struct bough_oid *id, struct bough_get *get,
        struct bough_buf *out); /* NULL: find, then read or read_part; BOUGH_ENOTSUP: this time */
    void (*soon)(struct bough_store *s, uint64_t where); /* NULL: nothing to be done */
    enum bough_err (*object_open)(struct bough_store *s, const struct bough_oid *id,
        struct bough_object **out); /* NULL: read whole */
    enum bough_err (*entry)(
        struct bough_store *s, const struct bough_oid *id, struct bough_entry *out);
    enum bough_err (*entry_read)(
        struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n);
    enum bough_err (*each)(struct bough_store *s, bough_store_each_fn *fn, void *ctx);
    enum bough_err (*abbrev)(struct bough_store *s, const struct bough_oid *prefix,
        uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n); /* NULL: over each */
    enum bough_err (*ref)(struct bough_store *s, struct bough_view name, struct bough_ref *out);
    enum bough_err (*ref_next)(struct bough_store *s, struct bough_view prefix,
        struct bough_view after, struct bough_ref *out);
    enum bough_err (*records)(struct bough_store *s, bough_store_record_fn *fn, void *ctx);
    enum bough_err (*begin)(struct bough_store *s, struct bough_txn **out);
    enum bough_err (*intake)(
        struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);
    enum bough_err (*spool)(
        struct bough_store *s, struct bough_spool **out); /* NULL: kept in memory */
    enum bough_err (*sync)(struct bough_store *s);        /* NULL: nothing to do */
    enum bough_err (*maintain)(struct bough_store *s, uint64_t budget, bool *more);
    enum bough_err (*resize)(struct bough_store *s, uint64_t bytes, uint64_t budget);
    enum bough_err (*collect)(struct bough_store *s, const struct bough_collect_opts *opts);
    void (*collection)(struct bough_store *s, struct bough_collect_progress *out);
    enum bough_err (*check)(struct bough_store *s, bough_store_report_fn *report,
        void *ctx); /* NULL: every object hashed, every ref looked up */
    enum bough_err (*stat)(struct bough_store *s, struct bough_store_stats *out);
    enum bough_err (*reader)(struct bough_store *s, const struct bough_env *env,
        struct bough_store **out); /* `env` is not NULL; outside of transactions */
    enum bough_err (*reach)(
        struct bough_store *s, struct bough_reach **out); /* reach.h; outside of transactions */
};

/* Bytes put aside for a while. */
struct bough_spool_class {
    enum bough_err (*put)(struct bough_spool *s, struct bough_view bytes);
    enum bough_err (*read)(struct bough_spool *s, uint64_t at, void *dst, size_t n); /* inside */
    void (*close)(struct bough_spool *s);
};
struct bough_spool {
    const struct bough_spool_class *cls;
};

struct bough_object_class {
    /* Inside the object; may give less than `n`, but never nothing. */
    enum bough_err (*read)(struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got);
    void (*close)(struct bough_object *o);
};

struct bough_txn_class {
    enum bough_err (*put)(struct bough_txn *t, enum bough_type type, const struct bough_oid *id,
        struct bough_view body); /* the id was computed above */
    enum bough_err (*put_delta)(struct bough_txn *t, enum bough_type type,
        const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
        struct bough_view body); /* NULL: put */
    /* bough_store__ref_check() compares. */
    enum bough_err (*ref)(struct bough_txn *t, const struct bough_ref_change *change);
    enum bough_err (*record)(
        struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq);
    enum bough_err (*retire)(struct bough_txn *t, struct bough_view stream, uint64_t seq);
    enum bough_err (*adopt)(struct bough_txn *t, struct bough_intake *in);
    enum bough_err (*commit)(struct bough_txn *t, enum bough_durable how);
    void (*abort)(struct bough_txn *t);
};

struct bough_intake_class {
    enum bough_err (*feed)(struct bough_intake *in, struct bough_view bytes, size_t *used);
    enum bough_err (*step)(struct bough_intake *in, uint64_t budget);
    struct bough_store *(*view)(struct bough_intake *in); /* never NULL; not closed by callers */
    enum bough_err (*ordinal)(struct bough_intake *in, const struct bough_oid *id, uint64_t *out);
    void (*close)(struct bough_intake *in);
};

#ifdef __cplusplus
}
#endif

#endif
