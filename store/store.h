/*
 * store.h - where objects, refs and records live.
 *
 *   a store          struct bough_store, its facts and capabilities
 *   reading objects  find, read, part, object handles, entries as stored, each
 *   refs             get, next
 *   records          each
 *   writing          one transaction: objects, refs, records, adoptions; commit is atomic
 *   intake           a pack received from outside, quarantined until adopted
 *   big values       a blob writer, over intake
 *   upkeep           sync, maintain, resize, check, stats, reader; what lives and what goes: collect.h
 *
 * Who writes an engine goes on with store/engine.h.
 *
 * Objects are Git's: an id names type and bytes for ever.  Refs are names for
 * ids (or for other refs) and change by compare-and-swap.  Records are opaque
 * bytes in named streams: a journal for the layer above, kept until retired.
 *
 * What a power cut leaves.  Whatever a commit changed is there whole or not
 * at all, in commit order: if a commit survives so do all before it.  It is
 * durable once the call that promised it (a commit with BOUGH_DURABLE_NOW, or
 * a later bough_store_sync()) returned BOUGH_OK.  After BOUGH_EIO or BOUGH_EGONE
 * from a write or sync the store refuses further writes: close and open it again.
 *
 * Invariant: every object in a store is closed, that is, the objects it names
 * are there too (gitlinks excepted).  Who puts or adopts objects sees to that.
 *
 * Threads.  One call at a time on a store and on all that was opened from it.
 * The caller owns every handle it opened and closes it before the store.
 */
#ifndef BOUGH_STORE_H
#define BOUGH_STORE_H

#include "base/flow.h"
#include "git/oid.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_store;
struct bough_store_keeper;
struct bough_store_pin;
struct bough_spool;
struct bough_collect_opts;
struct bough_collect_progress;
struct bough_txn;
struct bough_intake;
struct bough_object;
struct bough_reach;

/* What an engine can do; what it lacks is done the plain way here or answered BOUGH_ENOTSUP. */
enum {
    BOUGH_STORE_PACKED = 1 << 0,      /* objects are kept as pack entries: entry() works */
    BOUGH_STORE_ATOMIC_REFS = 1 << 1, /* several refs change in one atomic commit */
    BOUGH_STORE_RECORDS = 1 << 2,     /* records; without them every operation commits */
    BOUGH_STORE_INTAKE = 1 << 3,      /* packs are quarantined and adopted */
    BOUGH_STORE_DURABLE = 1 << 4,     /* a commit outlives the process */
    BOUGH_STORE_MAINTAIN = 1 << 5,    /* maintain() does something */
    BOUGH_STORE_SHARED = 1 << 6,      /* others may change refs and add objects at any time */
};

/* Limits of what a store takes; over them: BOUGH_ETOOBIG. */
enum {
    BOUGH_REF_NAME_MAX = 1000,    /* bytes of a ref name, a symbolic target, a stream name */
    BOUGH_RECORD_MAX = 64 * 1024, /* bytes of a record */
};

enum {
    BOUGH_OBJECT_MAX_DEFAULT = 512 * 1024 * 1024, /* bytes; what engines set object_max to */
    BOUGH_STORE_PARTS = 4, /* object handles that read_part() keeps open between calls */
};

struct bough_store {
    const struct bough_store_class *cls;
    const struct bough_env *env; /* borrowed until close */
    uint32_t caps;               /* BOUGH_STORE_... */
    enum bough_algo algo;        /* of all ids in it */
    bool read_only;              /* all writes answer BOUGH_EREADONLY */
    struct bough_txn *txn;       /* the open transaction, or NULL: one at a time */
    uint64_t object_max;   /* bytes of an object that read() will hold in memory; default 512 MiB */
    struct bough_why why;  /* of the last failure on this store, its transaction or an intake */
    enum bough_err failed; /* BOUGH_OK, or the I/O error after which every write answers it */
    struct {               /* read_part()'s: objects being read forward, zeroed by the engine */
        struct bough_oid id;
        struct bough_object *object; /* NULL: free */
        uint64_t used;               /* when, for taking the oldest */
    } parts[BOUGH_STORE_PARTS];
    uint64_t parts_clock;
    const struct bough_store_keeper *keeper; /* who knows what lives, or NULL: collect.h */
    uint64_t keeps;                          /* calls of bough_store_keep() */
    struct bough_store_pin *newest_pin, *oldest_pin;
    uint64_t losses; /* times that objects went for good: what was known to be stored may not be */
    enum { BOUGH_BOUNDARY_UNKNOWN, BOUGH_BOUNDARY_NONE, BOUGH_BOUNDARY_SOME } boundary;
    uint64_t boundaries;    /* times that the boundary may have changed: collect.h */
    bool boundary_changing; /* the open transaction changes it */
    bool tight;             /* so little is free that who can say more shortly should */
};

/* Release the store.  Drops an open transaction and what was not synced may be lost. NULL is fine. */
void bough_store_close(struct bough_store *s);

/* ---- Reading objects ---- */

/* What find() tells. */
struct bough_found {
    enum bough_type type; /* commit, tree, blob or tag, deltas resolved */
    uint64_t size;        /* of the body, in bytes */
    uint64_t where;       /* the engine's locator: may be handed to read_where() until the store
                             is closed or maintained; 0 when the engine has none */
};

/*
 * Is there an object `id`, and what is it?  The empty tree is found everywhere.
 *
 * BOUGH_ENOENT     no
 * BOUGH_ECORRUPT, BOUGH_EIO
 */
enum bough_err bough_store_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out);

/* Is it there?  Cheaper than find(): type and size are not looked up. */
enum bough_err bough_store_has(struct bough_store *s, const struct bough_oid *id);

/*
 * Append the body of object `id` to `out` and say its type (`type` may be NULL).
 *
 * BOUGH_ENOENT     no such object
 * BOUGH_ETOOBIG    larger than s->object_max: read parts or use a handle
 * BOUGH_ECORRUPT   what is stored is damaged; why.key is the id in hex
 * BOUGH_ENOMEM, BOUGH_EIO
 */
enum bough_err bough_store_read(struct bough_store *s, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out);

/*
 * The same for a place that find() or a tree node remembers; `id` is what is expected there.
 * Falls back to read() when `where` is 0 or no longer good.
 */
enum bough_err bough_store_read_where(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out);

/* What get() is to give, and what it says. */
struct bough_get {
    uint64_t at, n; /* the part wanted, in bytes: from where, how many at most */
    uint64_t where; /* in: a locator remembered for this id, or 0; out: one to remember, or 0 */
    bool all;       /* in: what is longer than n is not wanted: its size and type are said */
    uint64_t size;  /* out: of the whole body */
    enum bough_type type; /* out */
};

/* The object at locator `where` will be asked for in a moment: what waits for memory may begin to. */
void bough_store_soon(struct bough_store *s, uint64_t where);

/*
 * Append a part of object `id` to `out`, nothing when it lies behind the end: the quick way to
 * values and trees that are read again and again.  Where an object is need not be looked up as
 * long as `where` is good; when it is not any more it is looked up again.
 *
 * BOUGH_ENOENT, BOUGH_ECORRUPT, BOUGH_ENOMEM, BOUGH_EIO
 * BOUGH_ETOOBIG    the part is larger than s->object_max
 */
enum bough_err bough_store_get(struct bough_store *s, const struct bough_oid *id,
    struct bough_get *get, struct bough_buf *out);

/*
 * Read up to `n` bytes from byte `at` of the body into `dst`; `*got` is short only at the end
 * (0 at or past it).  Memory stays bounded whatever the size; going forward through an object
 * in pieces costs as much as reading it once.
 */
enum bough_err bough_store_read_part(struct bough_store *s, const struct bough_oid *id, uint64_t at,
    void *dst, size_t n, size_t *got);

/*
 * An open object, for long reads in pieces: what read_part() is made of.
 * Close it before the store, with bough_object_close().
 */
enum bough_err bough_store_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out);

struct bough_object {
    const struct bough_object_class *cls;
    enum bough_type type;
    uint64_t size;
    bool jumps;     /* a part costs what it is long, wherever it lies, and memory does not grow with
                   the object */
    uint32_t links; /* then: deltas that it is made of; 0: it is stored whole */
};
/* The one that read_part() keeps open for `id`, opened when it is not: borrowed until the next call
   on the store other than bough_object_read() of it. */
enum bough_err bough_store_object_lend(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out);

enum bough_err bough_object_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got);
void bough_object_close(struct bough_object *o); /* NULL is fine */

/*
 * The packed entry of an object as it is stored, to be sent verbatim.
 * `type` is the object's type for a whole entry, BOUGH_REF_DELTA for a delta (however it is
 * stored) whose base is `base`.  The compressed bytes are read with bough_store_entry_read().
 */
struct bough_entry {
    struct bough_oid id; /* whose it is */
    enum bough_type type;
    struct bough_oid base; /* of a delta */
    uint64_t size;         /* inflated bytes of the entry: of the body, or of the delta */
    uint64_t packed_len;   /* bytes of the zlib stream, without the entry's header */
    uint64_t where;        /* the engine's own */
};

/* BOUGH_ENOTSUP: no PACKED, or this object has no entry to give: read it whole instead. */
enum bough_err bough_store_entry(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out);

/* Exactly `n` bytes at byte `at` of the entry's zlib stream; BOUGH_ERANGE outside of it,
   BOUGH_EEXPIRED when a collection dropped the object or packed it anew: ask for its entry again. */
enum bough_err bough_store_entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n);

/*
 * Every object once, in no particular order; one whose type cannot be read has BOUGH_NONE; `fn` returns BOUGH_OK to go on, anything else
 * ends the walk with that result.  Nothing may be written meanwhile.
 */
typedef enum bough_err bough_store_each_fn(
    void *ctx, const struct bough_oid *id, const struct bough_found *found);
enum bough_err bough_store_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx);

/*
 * Ids that begin with the `nibbles` first hex digits of `prefix`, at most `cap`, ascending:
 * `*n` of them.  For abbreviated ids.
 */
enum bough_err bough_store_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n);

/* ---- Refs ---- */

enum bough_ref_kind { BOUGH_REF_NONE = 0, BOUGH_REF_ID = 1, BOUGH_REF_SYM = 2 };

/* A ref as stored.  HEAD is one of them, symbolic.  Views are borrowed until the next call on the store. */
struct bough_ref {
    struct bough_view name;
    enum bough_ref_kind kind;
    struct bough_oid id;      /* of BOUGH_REF_ID */
    struct bough_oid peeled;  /* what an annotated tag leads to; zero where id is no tag */
    struct bough_view target; /* of BOUGH_REF_SYM */
};

/* The ref of that name, not followed.  BOUGH_ENOENT: there is none. */
enum bough_err bough_store_ref(
    struct bough_store *s, struct bough_view name, struct bough_ref *out);

/*
 * The first ref, in byte order, whose name begins with `prefix` and is greater than `after`
 * ("" to begin).  A cursor without state: it goes on whatever changes meanwhile.
 *
 * BOUGH_ENOENT    no more
 */
enum bough_err bough_store_ref_next(struct bough_store *s, struct bough_view prefix,
    struct bough_view after, struct bough_ref *out);

/* ---- Records ---- */

/*
 * Every record that is not retired, of all streams, in the order of their commits.
 * Views are borrowed for the call of `fn`.
 */
typedef enum bough_err bough_store_record_fn(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes);
enum bough_err bough_store_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx);

/* ---- Writing ---- */

/*
 * Begin the transaction.  Nothing of it can be seen by readers before commit, but its own
 * objects can be read (find, read, part) so that trees can be built on them.
 *
 * BOUGH_ENESTED     one is open already
 * BOUGH_EREADONLY
 */
enum bough_err bough_txn_begin(struct bough_store *s, struct bough_txn **out);

/*
 * Put a whole object; its id is `*id` (computed).  `body` is borrowed for the call.
 *
 * BOUGH_EFORMAT     it is half of a SHA-1 collision; nothing was put, and the transaction goes on
 */
enum bough_err bough_txn_put(
    struct bough_txn *t, enum bough_type type, struct bough_view body, struct bough_oid *id);

/* The same, where the caller knows the id (from bough_oid_make(), which sees attacks): it is trusted. */
enum bough_err bough_txn_put_known(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body);

/*
 * Put an object whose id is known and that is `delta` (Git's delta format, made by the caller,
 * trusted) against `base`, which is stored or in this transaction: the caller knows (see
 * bough_store.losses), nobody looks.  `body` is the object's whole body, for engines that keep no
 * deltas and for caches.
 */
enum bough_err bough_txn_put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body);

/* How a ref is to change. */
struct bough_ref_change {
    struct bough_view name;
    bool check;               /* compare with `old` first */
    struct bough_oid old;     /* expected id; zero: must not exist (symbolic refs: not compared) */
    enum bough_ref_kind kind; /* BOUGH_REF_NONE deletes */
    struct bough_oid id;
    struct bough_oid peeled;
    struct bough_view target;
};

/*
 * Change a ref.  Compared at once, against the store with what this transaction did before;
 * ref names are checked by the caller.
 *
 * BOUGH_ETEST     the old value differs; the transaction is as it was
 * BOUGH_ETOOBIG   a name over BOUGH_REF_NAME_MAX
 */
enum bough_err bough_txn_ref(struct bough_txn *t, const struct bough_ref_change *change);

/* Append a record to `stream`; `*seq` (may be NULL) is greater than that of every record before. */
enum bough_err bough_txn_record(
    struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq);

/* Retire the records of `stream` up to and with `seq`: they are not seen again. */
enum bough_err bough_txn_retire(struct bough_txn *t, struct bough_view stream, uint64_t seq);

/*
 * Adopt a checked intake: with this commit its objects are in the store.  Taken, even on
 * error; when the transaction aborts, what was received is dropped.
 */
enum bough_err bough_txn_adopt(struct bough_txn *t, struct bough_intake *in);

enum bough_durable {
    BOUGH_DURABLE_NOW,   /* flushed on return */
    BOUGH_DURABLE_LATER, /* seen at once, durable after the next sync or NOW */
};

/*
 * Make all of it happen.  Over after this call, whatever it answers; on an error nothing of it
 * happened (after BOUGH_EIO and BOUGH_EGONE the next open tells).
 *
 * BOUGH_ENOSPC     why.at is how many bytes a collection would free, as far as it was counted; it is
 *                  counted when the transaction has ended.  Who tries again has that room
 * BOUGH_EIO, BOUGH_EGONE
 */
enum bough_err bough_txn_commit(struct bough_txn *t, enum bough_durable how);

/* Drop all of it.  NULL is fine. */
void bough_txn_abort(struct bough_txn *t);

struct bough_txn {
    const struct bough_txn_class *cls;
    struct bough_store *store;
    bool urgent; /* while set, what is put finishes work that was acknowledged before: it may use
                    the space that is kept back for that on a full device; false at begin */
};

/* ---- Intake: a pack from outside ---- */

/* What an intake allows; zero takes the default. */
struct bough_intake_limits {
    uint64_t pack_len_max;    /* bytes received; default: what the store has room for */
    uint64_t object_max;      /* bytes of an object that must be held in memory (deltas, trees,
                                 commits, tags); default 512 MiB */
    uint64_t inflated_factor; /* inflated bytes per byte received; default 1,000 */
    uint64_t count_max;       /* objects; default 50 million */
    size_t memory;            /* working memory W in bytes; default 16 MiB, at least 4 MiB */
};

/*
 * Asked for every object of the pack: BOUGH_OK or the error that refuses it (fsck rules).
 * `body` is whole for commits, trees and tags and for blobs up to 64 KiB; its ptr is NULL
 * for larger blobs.
 */
typedef enum bough_err bough_intake_check_fn(void *ctx, const struct bough_oid *id,
    enum bough_type type, uint64_t size, struct bough_view body, struct bough_why *why);

struct bough_intake_opts {
    struct bough_intake_limits limits;
    bough_intake_check_fn *check; /* NULL: none */
    void *check_ctx;
};

/*
 * Begin to receive a pack.  Several may run at once, and beside a transaction.
 * BOUGH_ENOTSUP: no INTAKE.
 */
enum bough_err bough_store_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);

/*
 * Take pack bytes as they come, split anywhere.  `*used` is less than bytes.len only at the
 * pack's end, when `in->received` is set; what follows is not the pack's.
 *
 * BOUGH_EFORMAT    not a valid pack; why says what and at which byte
 * BOUGH_ETOOBIG    over a limit, named in why
 * BOUGH_ENOSPC, BOUGH_ENOMEM, BOUGH_EIO
 */
enum bough_err bough_intake_feed(struct bough_intake *in, struct bough_view bytes, size_t *used);

/*
 * After all is received: resolve and check for about `budget` inflated bytes.
 *
 * BOUGH_EAGAIN     not done: call again
 * BOUGH_OK         done: objects are indexed and checked; in->count is their number
 * BOUGH_EFORMAT, BOUGH_ETOOBIG, or what the check answered; then only close is left
 */
enum bough_err bough_intake_step(struct bough_intake *in, uint64_t budget);

/*
 * When done: the quarantined objects over the store's own, as a read-only store (borrowed
 * until the intake ends).  For connectivity checks and policies.
 */
struct bough_store *bough_intake_view(struct bough_intake *in);

/*
 * When done: the number of object `id` among those received, 0..count-1, for bitmaps;
 * BOUGH_ENOENT when it is not one of them.
 */
enum bough_err bough_intake_ordinal(
    struct bough_intake *in, const struct bough_oid *id, uint64_t *out);

/* Drop what was received. NULL is fine. Adoption is bough_txn_adopt(). */
void bough_intake_close(struct bough_intake *in);

struct bough_intake {
    const struct bough_intake_class *cls;
    struct bough_store *store;
    bool received;         /* the pack's last byte was taken and its checksum held */
    uint64_t count;        /* objects, known when received */
    uint64_t len;          /* bytes taken so far */
    uint64_t resolved;     /* objects indexed so far, for progress */
    bool done;             /* step() answered BOUGH_OK; set by the calls above */
    enum bough_err failed; /* what refused it, answered from then on; set by the calls above */
};

/* ---- Big values ---- */

/*
 * A blob written in pieces in bounded memory: an intake fed with a pack of one object in stored
 * blocks (or collected in memory, up to object_max, where the engine has no INTAKE).  `size`
 * BOUGH_BLOB_UNKNOWN: it is what was put in the end; the bytes are put aside until then, in the
 * store where the engine can, which takes their room twice for that time.
 */
#define BOUGH_BLOB_UNKNOWN UINT64_MAX
struct bough_blob_writer;
enum bough_err bough_blob_begin(
    struct bough_store *s, uint64_t size, struct bough_blob_writer **out);
enum bough_err bough_blob_put(struct bough_blob_writer *w, struct bough_view bytes);

/* All bytes were put: the blob joins the transaction; `w` is taken, even on error. */
enum bough_err bough_txn_blob(
    struct bough_txn *t, struct bough_blob_writer *w, struct bough_oid *id);
void bough_blob_close(struct bough_blob_writer *w); /* drops it; NULL is fine */

/* ---- Upkeep ---- */

/* Make every commit so far durable. */
enum bough_err bough_store_sync(struct bough_store *s);

/* A bounded step of upkeep: about `budget` bytes of reading and writing; `*more` says whether
   there is more to do.  Nothing a reader sees changes.  BOUGH_ENESTED in a transaction.  A
   collection that was asked for says here why it gave up; but a device so full that nothing can be
   moved on it is no error. */
enum bough_err bough_store_maintain(struct bough_store *s, uint64_t budget, bool *more);

/*
 * Make the store as long as `bytes` has whole units of space (zones), and its device `bytes` long
 * (rounded down to its unit), if that can change its size; else the device must be long enough.
 * The store is in use meanwhile; shrinking goes in steps that copy about `budget` bytes each.
 * A power cut leaves the old size or the new one.
 *
 * BOUGH_EAGAIN    shrinking, and not done: call again with the same size; with the old size to give
 *                 up.  why.at is how many bytes are to be copied still, or 0 when it waits, for what
 *                 why.what says: for intakes, readers, or upkeep that bough_store_maintain() ends
 * BOUGH_ENOSPC    what is stored needs more room; or the device cannot be that long
 * BOUGH_EINVAL    less than 16 zones
 * BOUGH_ENOTSUP   the device is too short and of a fixed size, or has no BOUGH_BLOCK_SYNC; or this
 *                 engine's stores grow and shrink by themselves
 * BOUGH_ENESTED   in a transaction
 * BOUGH_EREADONLY, BOUGH_EIO, BOUGH_EGONE, BOUGH_ENOMEM
 */
enum bough_err bough_store_resize(struct bough_store *s, uint64_t bytes, uint64_t budget);

/* A finding of check(): `what` is static text, `key` an id, ref or place. */
typedef void bough_store_report_fn(
    void *ctx, enum bough_err err, const char *what, struct bough_view key);

/* Check every structure and every object's id.  BOUGH_ECORRUPT when anything was reported. */
enum bough_err bough_store_check(struct bough_store *s, bough_store_report_fn *report, void *ctx);

struct bough_store_stats {
    const char *engine; /* "log", "mem", "git", "lmdb" */
    uint64_t objects;   /* rows, duplicates included where the engine cannot tell */
    uint64_t refs;
    uint64_t refs_unfit; /* beside them: names over BOUGH_REF_NAME_MAX, which nothing here shows */
    uint64_t records;    /* not retired */
    uint64_t device_bytes; /* room in all; 0: unbounded */
    uint64_t used_bytes;
    uint64_t cache_bytes; /* memory held for caches now */
    uint64_t commits;     /* since open */
    uint64_t syncs;       /* device flushes since open */
    bool settles;         /* the device cannot flush: a power cut may take the newest commits */
    uint64_t read_bytes, written_bytes;    /* device traffic since open */
    uint64_t payload_bytes;                /* packed bytes of objects that came in since open;
                                           written over payload is the write amplification */
    uint64_t page_hits, page_misses;       /* of the cache of the device's pages, since open */
    uint64_t reach_commits, reach_objects; /* commits with a reachability bitmap (reach.h), and what
                                              is in one or another */
};
enum bough_err bough_store_stat(struct bough_store *s, struct bough_store_stats *out);

/*
 * An immutable view of the store as of the last commit, with caches and an environment of its
 * own (`env` borrowed until close; NULL: the store's, whose hooks must then be good for several
 * threads): another thread may use it while the store goes on.  That thread closes it, with
 * bough_store_close(), before the store is closed.  Costs a checkpoint when something was
 * committed since the last one; the space of what is dropped meanwhile stays in use.  Should that
 * be needed, the oldest reader is given up: it answers BOUGH_EEXPIRED.
 *
 * BOUGH_ENOTSUP    the engine or the device cannot (block.h: BOUGH_BLOCK_THREADS)
 * BOUGH_ENESTED    in a transaction
 * what a checkpoint answers
 */
enum bough_err bough_store_reader(
    struct bough_store *s, const struct bough_env *env, struct bough_store **out);

#ifdef __cplusplus
}
#endif

#endif
