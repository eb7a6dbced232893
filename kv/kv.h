/*
 * kv.h - paths to values: mirage-kv's read-only and read-write interfaces, made exact.
 *
 *   a place       struct bough_kv: a driver, its features, why the last call failed
 *   reading       exists, get, get_part, next, fold, size, digest, last_modified, mode
 *   writing       set, set_part, allocate, remove, clear, rename, set_mode, set_stream
 *   batches       begin, expect, commit, abort: a batch is itself a place
 *   snapshots     a place that never changes
 *   copy          from any place to any place
 *   drivers       bough_kv_branch_open(), bough_kv_commit_open(), bough_kv_memory_open(), bough_kv_dir_open()
 *   paths         bough_path_normal(), bough_path_check()
 *
 * Keys.  A key is a path in text form: split at '/', empty segments vanish, "" and "/" are the
 * root; any other bytes are legal in a segment when reading.  Written keys must be valid:
 * no `.`, `..`, NUL, no `.git` in any disguise, no symbolic link called `.gitmodules` (neither does
 * Git take one); 255 bytes a segment, 4,096 a printed path, 128 deep.  Order is bytewise by segment.
 *
 * Errors leave a place as it was.  Which key an error names is in kv->why.key, in printed form
 * (leading slash); for BOUGH_EPREFIX source and destination are there, joined by a NUL.
 *
 *   error               the call asked for
 *   BOUGH_ENOENT        what is not there
 *   BOUGH_EDICT         a dictionary where a value is (key: that value)
 *   BOUGH_EVALUE        a value where a dictionary is
 *   BOUGH_EEXIST        allocate of what is there
 *   BOUGH_EKEY          an invalid key (why.what names the segment's fault)
 *   BOUGH_EPREFIX       rename of a dictionary into itself
 *   BOUGH_ENESTED       a batch inside a batch
 *   BOUGH_ERETRIES      why.at = the re-runs allowed
 *   BOUGH_ETEST         a condition, or test-and-set, failed at key
 *   BOUGH_ETOOBIG       over a limit; BOUGH_ENOTSUP: this driver cannot; BOUGH_EREADONLY
 *   BOUGH_EINVAL, BOUGH_ENOSPC, BOUGH_ECORRUPT, BOUGH_EIO, BOUGH_ENOMEM
 */
#ifndef BOUGH_KV_H
#define BOUGH_KV_H

#include "repo/repo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits on written keys. */
enum { BOUGH_SEGMENT_MAX = 255, BOUGH_PATH_MAX = 4096, BOUGH_DEPTH_MAX = 128 };

/* What a place can do; what it cannot is BOUGH_ENOTSUP. */
enum {
    BOUGH_KV_WRITE = 1 << 0,
    BOUGH_KV_BATCH = 1 << 1,
    BOUGH_KV_SNAPSHOT = 1 << 2,
    BOUGH_KV_MODE = 1 << 3,    /* keeps executable and symlink modes */
    BOUGH_KV_HISTORY = 1 << 4, /* commits: last_modified tells one */
    BOUGH_KV_HANDLES = 1 << 5, /* several handles on one place see each other */
};

enum bough_kind { BOUGH_KIND_NONE, BOUGH_KIND_VALUE, BOUGH_KIND_DICT };
enum bough_mode { BOUGH_MODE_NORMAL, BOUGH_MODE_EXEC, BOUGH_MODE_LINK };

struct bough_kv {
    const struct bough_kv_class *cls;
    const struct bough_env *env;
    uint32_t caps;          /* BOUGH_KV_... */
    enum bough_algo algo;   /* of digests */
    struct bough_why why;   /* of the last failure */
    struct bough_kv *batch; /* the open batch begun on this handle, or NULL */
    bool in_batch;          /* this place is a batch */
    uint32_t retries;       /* re-runs allowed to batches begun here */
    bool writing;           /* kv.c's own: a look that serves a write, not an answer */
    struct bough_buf path;  /* kv.c's own: the key being worked on */
    struct bough_buf key;   /* kv.c's own: the key of the last entry */
};

/* Release a place (for a batch: abort it). NULL is fine. */
void bough_kv_close(struct bough_kv *kv);

/* ---- Reading ---- */

/* Value, dictionary or none; never an error through a value. */
enum bough_err bough_kv_exists(struct bough_kv *kv, struct bough_view key, enum bough_kind *out);

/* Append the value to `out`. */
enum bough_err bough_kv_get(struct bough_kv *kv, struct bough_view key, struct bough_buf *out);

/* Append up to `n` bytes from byte `at`: short at the end, nothing at or past it. Reads no more than needed. */
enum bough_err bough_kv_get_part(
    struct bough_kv *kv, struct bough_view key, uint64_t at, uint64_t n, struct bough_buf *out);

/* One child, or one result of fold. Views are borrowed until the next call on the place. */
struct bough_kv_entry {
    struct bough_view key;  /* printed form, absolute */
    struct bough_view name; /* its last segment */
    enum bough_kind kind;
    uint32_t git_mode;      /* 0100644, 0100755, 0120000, 0160000, 0040000; 0 unknown */
    struct bough_node node; /* where the driver has nodes: for reading without another lookup */
};

/*
 * The first child of `key` whose name is greater than `after` ("" to begin), in byte order.
 * A cursor without state: carry the last name; on a snapshot the listing never changes.
 *
 * BOUGH_ENOENT    no more children: why.what is "end"; or no such dictionary (key named)
 * BOUGH_EDICT     `key` is a value
 */
enum bough_err bough_kv_next(struct bough_kv *kv, struct bough_view key, struct bough_view after,
    struct bough_kv_entry *out);

/*
 * Every value and dictionary below `key` in path order down to `depth` levels (0: no limit; 1: the
 * children); `fn` ends the walk by answering anything but BOUGH_OK.  On a snapshot taken at the
 * start where the driver has them.
 */
typedef enum bough_err bough_kv_fold_fn(void *ctx, const struct bough_kv_entry *e);
enum bough_err bough_kv_fold(
    struct bough_kv *kv, struct bough_view key, uint32_t depth, bough_kv_fold_fn *fn, void *ctx);

enum bough_err bough_kv_size(struct bough_kv *kv, struct bough_view key, uint64_t *out);

/* The Git id of a value or a dictionary. */
enum bough_err bough_kv_digest(struct bough_kv *kv, struct bough_view key, struct bough_oid *out);

struct bough_modified {
    struct bough_time time;
    struct bough_oid
        commit; /* zero where there is none (no history, in a batch, not yet committed) */
};
enum bough_err bough_kv_last_modified(
    struct bough_kv *kv, struct bough_view key, struct bough_modified *out);

enum bough_err bough_kv_mode(struct bough_kv *kv, struct bough_view key, enum bough_mode *out);

/* ---- Writing: durable on return ---- */

enum {
    BOUGH_SET_FORCE = 1 << 0, /* replace a dictionary, and values on the way */
    BOUGH_SET_AGAIN = 1 << 1, /* a commit even if nothing changes */
    BOUGH_SET_HOLE = 1 << 2,  /* set_part beyond the end: fill with zeroes, do not append */
};
struct bough_set_opts {
    uint32_t flags;
    bool check; /* the condition: before, the key's digest is `digest` (zero: absent) */
    struct bough_oid digest;
    bool has_mode; /* give the value this mode; else keep executable, links become files */
    enum bough_mode mode;
};

/* `opts` may be NULL. */
enum bough_err bough_kv_set(struct bough_kv *kv, struct bough_view key, struct bough_view value,
    const struct bough_set_opts *opts);
enum bough_err bough_kv_set_part(struct bough_kv *kv, struct bough_view key, uint64_t at,
    struct bough_view bytes, const struct bough_set_opts *opts);

/* Set to a blob that is in the store already (bough_repo_blob()); branch places only. */
enum bough_err bough_kv_set_blob(struct bough_kv *kv, struct bough_view key,
    const struct bough_oid *blob, const struct bough_set_opts *opts);
enum bough_err bough_kv_allocate(struct bough_kv *kv, struct bough_view key, uint64_t size);
enum bough_err bough_kv_remove(struct bough_kv *kv, struct bough_view key);
enum bough_err bough_kv_clear(struct bough_kv *kv);
enum bough_err bough_kv_rename(struct bough_kv *kv, struct bough_view from, struct bough_view to);
enum bough_err bough_kv_set_mode(struct bough_kv *kv, struct bough_view key, enum bough_mode mode);

/* Set from a source of exactly `size` bytes, or of BOUGH_BLOB_UNKNOWN: all it has.  In bounded
   memory; where the place keeps no blobs (memory, folders) a value of unknown size is collected
   first, up to 512 MiB. */
enum bough_err bough_kv_set_stream(struct bough_kv *kv, struct bough_view key, uint64_t size,
    struct bough_source *src, const struct bough_set_opts *opts);

/* Author, committer, message and time of what this handle (or batch) writes from now on; views are copied.
   A time of sec INT64_MIN: the clock's. message.ptr NULL: the default message. */
enum bough_err bough_kv_info(struct bough_kv *kv, const struct bough_info *info);

/* ---- Batches ---- */

enum bough_strategy { BOUGH_TEST_AND_SET, BOUGH_RETRY, BOUGH_MERGE };

/*
 * Begin a batch on `kv`: a place with the state of now that reads its own writes and touches
 * nothing until commit.  One at a time on a handle.  BOUGH_ENESTED in a batch or beside one;
 * BOUGH_ENOTSUP for BOUGH_MERGE, which is to come.
 */
enum bough_err bough_kv_begin(
    struct bough_kv *kv, enum bough_strategy strategy, struct bough_kv **out);

/* A condition checked at commit: the digest of `key` at that time is `digest` (zero: absent). */
enum bough_err bough_kv_expect(
    struct bough_kv *batch, struct bough_view key, const struct bough_oid *digest);

/*
 * One commit, all or nothing; the batch is over and released, whatever the answer (why is in the
 * handle it was begun on).  When the branch moved: by strategy.  TEST_AND_SET fails when a path that
 * the batch read or wrote changed (ids compared), naming the first in byte order; else its
 * changes are applied to the new head.  RETRY here re-runs the recorded steps.
 *
 * BOUGH_ETEST, BOUGH_ERETRIES, BOUGH_ENOSPC ...
 */
enum bough_err bough_kv_commit(struct bough_kv *batch);
void bough_kv_abort(struct bough_kv *batch); /* NULL is fine */

/* Re-runs allowed to RETRY; default 13. */
void bough_kv_retries(struct bough_kv *kv, uint32_t n);

/* A batch as a callback, run again on the new state when the branch moved meanwhile, or when what the
   batch stands on was given up to make room (BOUGH_EEXPIRED, from a step or at commit). */
typedef enum bough_err bough_kv_batch_fn(void *ctx, struct bough_kv *batch);
enum bough_err bough_kv_batch(struct bough_kv *kv, bough_kv_batch_fn *fn, void *ctx);

/* ---- Snapshots ---- */

/* The place as it is now, read-only, for ever. */
enum bough_err bough_kv_snapshot(struct bough_kv *kv, struct bough_kv **out);

/* Another handle on the same place.  BOUGH_ENOTSUP: no HANDLES. */
enum bough_err bough_kv_again(struct bough_kv *kv, struct bough_kv **out);

/* ---- Copy ---- */

/* Copy what is below `from` to `to`: values, modes; a single batch where the target can.
   `progress` (may be NULL) hears of each value. */
typedef void bough_kv_progress_fn(void *ctx, struct bough_view key, uint64_t bytes);
enum bough_err bough_kv_copy(struct bough_kv *src, struct bough_view from, struct bough_kv *dst,
    struct bough_view to, bough_kv_progress_fn *progress, void *ctx);

/* ---- Drivers ---- */

/* A branch of a repository (borrowed until close); `name` may be unborn. */
enum bough_err bough_kv_branch_open(
    struct bough_repo *r, struct bough_view name, struct bough_kv **out);

/* The branch handle under a branch place (borrowed from it); NULL for other drivers. */
struct bough_branch *bough_kv_branch(struct bough_kv *kv);

/* Any commit or tag, read-only; `commit` gives last_modified its history. */
enum bough_err bough_kv_commit_open(
    struct bough_repo *r, const struct bough_oid *commit, struct bough_kv **out);

/* A new, empty place in memory, without history. */
enum bough_err bough_kv_memory_open(
    const struct bough_env *env, enum bough_algo algo, struct bough_kv **out);

/* A folder of the host (hosted builds only: dir_posix.c); `path` NUL-terminated. */
enum bough_err bough_kv_dir_open(
    const struct bough_env *env, const char *path, bool create, struct bough_kv **out);

/*
 * For many writes in a row: with `later` true, values written to new keys of this folder are durable
 * only when the call with `later` false has answered BOUGH_OK; a power cut before may leave any of
 * them short.  What is replaced is never at risk.
 */
enum bough_err bough_kv_dir_sync(struct bough_kv *dir, bool later);

/* ---- Paths ---- */

/* Append the printed form of `key` ("/a/b", root "/") to `out`. */
void bough_path_print(struct bough_buf *out, struct bough_view key);

/*
 * The inner form (no leading slash, single slashes; root "") into `dst`, at least key.len bytes;
 * returns its length.
 */
size_t bough_path_normal(struct bough_view key, uint8_t *dst);

/* May this key be written?  BOUGH_EKEY or BOUGH_ETOOBIG with why filled; the root is a valid path. */
enum bough_err bough_path_check(struct bough_view key, struct bough_why *why);

/* ---- For those who write a driver ---- */

/* Methods; paths come in inner form, written ones checked. NULL: BOUGH_ENOTSUP, or the default in kv.c. */
struct bough_kv_class {
    const char *name; /* "branch", "memory", "dir" */
    void (*close)(struct bough_kv *kv);
    enum bough_err (*find)(
        struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through);
    enum bough_err (*get_part)(struct bough_kv *kv, struct bough_view path,
        const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out);
    /* find() and get_part() at once; appends nothing where there is no value with bytes. NULL: both. */
    enum bough_err (*get)(struct bough_kv *kv, struct bough_view path, uint64_t at, uint64_t len,
        struct bough_node *n, struct bough_buf *out);
    /* The value at `key`, as it came, if it is at hand; borrowed until the next call.  NULL: never. */
    bool (*known)(struct bough_kv *kv, struct bough_view key, struct bough_view *out);
    enum bough_err (*size)(
        struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out);
    enum bough_err (*next)(struct bough_kv *kv, struct bough_view path, struct bough_view after,
        struct bough_kv_entry *out); /* name, kind, git_mode, node; key is made by kv.c */
    enum bough_err (*digest)(struct bough_kv *kv, struct bough_view path, struct bough_oid *out);
    enum bough_err (*last_modified)(
        struct bough_kv *kv, struct bough_view path, struct bough_modified *out);
    enum bough_err (*write)(struct bough_kv *kv, const struct bough_write *w, size_t n,
        uint32_t flags); /* sets and removals together; checked against find() before */
    enum bough_err (*move)(struct bough_kv *kv, struct bough_view from, struct bough_view to);
    enum bough_err (*set_stream)(struct bough_kv *kv, struct bough_view path, uint32_t git_mode,
        uint64_t size, struct bough_source *src);
    enum bough_err (*info)(struct bough_kv *kv, const struct bough_info *info);
    enum bough_err (*begin)(
        struct bough_kv *kv, enum bough_strategy strategy, struct bough_kv **out);
    enum bough_err (*expect)(
        struct bough_kv *batch, struct bough_view path, const struct bough_oid *digest);
    enum bough_err (*commit)(struct bough_kv *batch);
    enum bough_err (*snapshot)(struct bough_kv *kv, struct bough_kv **out);
    enum bough_err (*again)(struct bough_kv *kv, struct bough_kv **out);
    enum bough_err (*still)(struct bough_kv *kv, struct bough_kv **out); /* a snapshot for fold that
                        folds no window; NULL: snapshot; BOUGH_ENOTSUP: the walk is on the place */
};

/* Fill the fields that every driver has the same; the driver adds what it can do. */
void bough_kv_init(struct bough_kv *kv, const struct bough_kv_class *cls,
    const struct bough_env *env, enum bough_algo algo, uint32_t caps);

#ifdef __cplusplus
}
#endif

#endif
