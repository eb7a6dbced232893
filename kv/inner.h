/*
 * inner.h - what the files of kv/ share.
 *
 *   paths      segments, errors that name a key
 *   modes      Git's and ours
 *   values     the size from which a value goes as a stream
 *   info       copies of author, committer, message, time
 *   digests    of dictionaries in drivers without Git objects
 *   batches    what a driver gives, what kv.c tells
 */
#ifndef BOUGH_KV_INNER_H
#define BOUGH_KV_INNER_H

#include "kv/kv.h"

/* ---- Paths ---- */

/* Take the next segment off `rest`; false at the end. */
bool bough_kv__segment_next(struct bough_view *rest, struct bough_view *name);

/* Is `key` in inner form: no slash at the ends, none beside another? */
bool bough_kv__path_is_normal(struct bough_view key);

/* As bough_why_fill() and bough_why_set(), with the printed form of `key`. */
void bough_kv__why_fill(
    struct bough_why *why, enum bough_err err, const char *what, struct bough_view key);
static inline enum bough_err bough_kv__why(
    struct bough_why *why, enum bough_err err, const char *what, struct bough_view key)
{
    bough_kv__why_fill(why, err, what, key);
    return err;
}

/* May a symbolic link be called so?  Git refuses .gitmodules (BOUGH_EKEY). */
enum bough_err bough_kv__link_check(struct bough_view path, struct bough_why *why);

/* As bough_kv__why() for two keys, joined by a NUL. */
enum bough_err bough_kv__why_two(
    struct bough_why *why, enum bough_err err, struct bough_view a, struct bough_view b);

/* kv->why for `err`, unless whoever failed filled it; returns `err`. BOUGH_OK passes. */
static inline enum bough_err bough_kv__fail(
    struct bough_kv *kv, enum bough_err err, struct bough_view path)
{
    if (err && kv->why.err != err)
        bough_kv__why_fill(&kv->why, err, "", path);
    return err;
}

/* The path without its last segment ("" above the root), and that segment. */
struct bough_view bough_kv__path_parent(struct bough_view path);
struct bough_view bough_kv__path_name(struct bough_view path);

/* Is `path` strictly below `dir`, by segments? */
bool bough_kv__path_below(struct bough_view path, struct bough_view dir);

/* The order of paths: bytewise by segment. */
int bough_kv__path_cmp(struct bough_view a, struct bough_view b);

/* The inner form of `key`, in kv->path until the next call. */
enum bough_err bough_kv__path(struct bough_kv *kv, struct bough_view key, struct bough_view *out);

/* ---- Modes ---- */

/* Git's modes. */
enum {
    BOUGH_KV__FILE = 0100644,
    BOUGH_KV__EXEC = 0100755,
    BOUGH_KV__LINK = 0120000,
    BOUGH_KV__SUBMODULE = 0160000,
    BOUGH_KV__DICT = 0040000,
};

static inline enum bough_mode bough_kv__mode_of(uint32_t git)
{
    return git == BOUGH_KV__LINK ? BOUGH_MODE_LINK
           : (git & 0100) != 0   ? BOUGH_MODE_EXEC
                                 : BOUGH_MODE_NORMAL;
}

static inline uint32_t bough_kv__mode_git(enum bough_mode mode)
{
    return mode == BOUGH_MODE_LINK   ? BOUGH_KV__LINK
           : mode == BOUGH_MODE_EXEC ? BOUGH_KV__EXEC
                                     : BOUGH_KV__FILE;
}

/* ---- Values ---- */

/* The same once the size was looked at: known, or for a driver that keeps blobs unknown. */
enum bough_err bough_kv__stream(struct bough_kv *kv, struct bough_view key, uint64_t size,
    struct bough_source *src, const struct bough_set_opts *opts);
enum bough_err bough_kv__stream_unknown(struct bough_kv *kv, struct bough_view key,
    struct bough_source *src, const struct bough_set_opts *opts); /* stream.c */

enum { BOUGH_KV__WHOLE_MAX = 1 << 20 }; /* bytes; larger values made here go as a stream */
enum { BOUGH_KV__PIECE = 64 * 1024 };   /* bytes read at a time of a value that streams */

/* bytes that a place without streams takes as one value */
enum { BOUGH_KV__VALUE_MAX = 512 << 20 };

static inline enum bough_kind bough_kv__kind(enum bough_node_kind kind)
{
    return kind == BOUGH_NODE_VALUE  ? BOUGH_KIND_VALUE
           : kind == BOUGH_NODE_DICT ? BOUGH_KIND_DICT
                                     : BOUGH_KIND_NONE;
}

/* ---- Info ---- */

/* Its views point into `text`. */
struct bough_kv__info {
    struct bough_info info;
    struct bough_buf text;
};
void bough_kv__info_init(struct bough_kv__info *i, struct bough_mem *mem);
void bough_kv__info_fini(struct bough_kv__info *i);

/* Copy `from`; on an error it is as it was. */
enum bough_err bough_kv__info_set(struct bough_kv__info *i, const struct bough_info *from);

/* The time of what is written now. */
struct bough_time bough_kv__info_time(const struct bough_kv__info *i, const struct bough_env *env);

/* The same with what is not said filled in: an author, the time of now. */
struct bough_info bough_kv__info_now(const struct bough_info *info, const struct bough_env *env);

/* "rename FROM TO". */
void bough_kv__rename_message(struct bough_buf *out, struct bough_view from, struct bough_view to);

/* ---- Digests ---- */

/* The id of what is at `path`, by reading all below it; for drivers without Git objects. */
enum bough_err bough_kv__digest_walk(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out);

/* ---- Batches ---- */

/* What batch.c needs of a driver. */
struct bough_kv__host {
    /* A read-only place: the state of now, for ever. */
    enum bough_err (*now)(struct bough_kv *kv, struct bough_kv **out);

    /* A place of its own with the state of `now`, whose writes touch nothing else. */
    enum bough_err (*fork)(struct bough_kv *kv, struct bough_kv *now, struct bough_kv **out);

    /* Keep a value of `size` bytes as a blob that fork()s can name; NULL: there are no blobs. */
    enum bough_err (*blob)(
        struct bough_kv *kv, uint64_t size, struct bough_source *src, struct bough_oid *id);

    /*
     * Bring values that were lent to forks into the store, where their ids name them: what `next` says,
     * until it says NULL.  Failing is fine: all is as before.  NULL: forks copy what they are given.
     */
    enum bough_err (*spill)(
        struct bough_kv *kv, const struct bough_lent *(*next)(void *ctx), void *ctx);

    /*
     * Make the state of `work` that of `kv`, which is still `now`, in one commit; `empty`: also when
     * nothing changes.  BOUGH_ETEST: it is not `now` any more; nothing happened.
     */
    enum bough_err (*publish)(struct bough_kv *kv, struct bough_kv *now, struct bough_kv *work,
        const struct bough_info *info, bool empty);
};

/* BOUGH_ERETRIES, with the re-runs allowed in kv->why. */
enum bough_err bough_kv__retries_fail(struct bough_kv *kv, uint32_t allowed);

/* A driver's begin(). */
enum bough_err bough_kv__batch_open(struct bough_kv *kv, const struct bough_kv__host *host,
    const struct bough_kv__info *info, enum bough_strategy strategy, struct bough_kv **out);

/* A step of a batch as it was asked for, to be run again on another state. */
enum bough_kv__op {
    BOUGH_KV__SET,
    BOUGH_KV__SET_PART,
    BOUGH_KV__SET_BLOB,
    BOUGH_KV__ALLOCATE,
    BOUGH_KV__REMOVE,
    BOUGH_KV__CLEAR,
    BOUGH_KV__RENAME,
    BOUGH_KV__SET_MODE,
};
struct bough_kv__step {
    enum bough_kv__op op;
    struct bough_view key, to; /* inner form */
    uint64_t at;               /* offset, size or mode */
    struct bough_view bytes;   /* of a rename: the path it led to */
    struct bough_oid blob;
    const struct bough_set_opts *opts; /* NULL: none */
};

/*
 * kv.c tells a batch of each step before it is done (copied; in a place that is no batch nothing
 * happens), and takes it back when it failed.
 */
enum bough_err bough_kv__batch_step(struct bough_kv *kv, const struct bough_kv__step *step);
void bough_kv__batch_unstep(struct bough_kv *kv);

/* In a batch: bring a big value to where the driver keeps blobs.  BOUGH_ENOTSUP: it keeps none. */
enum bough_err bough_kv__batch_blob(
    struct bough_kv *kv, uint64_t size, struct bough_source *src, struct bough_oid *id);

#endif
