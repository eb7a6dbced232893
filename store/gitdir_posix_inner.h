/*
 * gitdir_posix_inner.h - what the files of the gitdir engine share.
 *
 *   gitdir_posix.c        opening, objects
 *   gitdir_walk_posix.c   all objects
 *   gitdir_refs_posix.c   refs, and the cursor over them
 *   gitdir_side_posix.c   what is a ref here and something else in git
 *   gitdir_txn_posix.c    transactions
 *   gitdir_pack_posix.c   packs: index written, put in place; big entries read
 */
#ifndef BOUGH_STORE_GITDIR_INNER_H
#define BOUGH_STORE_GITDIR_INNER_H

#include <git2.h>

#include "store/gitdir.h"
#include "store/hosted_inner.h"

/* Names of refs that begin with a prefix, as they were when a walk began. */
struct bough_store__gitdir_names {
    bool good;
    int64_t taken; /* when, in seconds */
    struct bough_buf prefix;
    struct bough_buf text; /* the names, each with a NUL */
    size_t *at;            /* where each begins, sorted by name */
    size_t n, cap;
    uint64_t unfit; /* names that are too long, and not among them */
};

struct bough_store__gitdir_txn {
    struct bough_txn txn;
    struct bough_store__stage stage;
    struct bough_store__moves moves;
    struct bough_store__packet *adopted;
};

struct bough_store__gitdir {
    struct bough_store store;
    git_repository *repo;
    git_odb *odb;
    struct bough_store__gitdir_names names;
    git_reflog *log;         /* the one that is walked through, or NULL */
    struct bough_buf log_of; /* of that ref */
    struct bough_buf lent;   /* the views of the last ref that was answered */
    struct bough_store__gitdir_txn own;
    uint64_t commits, syncs;
    bool unsynced;                       /* something was committed without a sync */
    char objects[BOUGH_STORE__PATH_MAX]; /* .../objects */
    char packs[BOUGH_STORE__PATH_MAX];   /* .../objects/pack */
};

static inline struct bough_store__gitdir *bough_store__gitdir_of(struct bough_store *s)
{
    return (struct bough_store__gitdir *)s; /* store is the first field */
}

/* What libgit2's `code` means; store.why gets `what` and `key`, unless it is a plain "not there". */
enum bough_err bough_store__gitdir_err(
    struct bough_store__gitdir *g, int code, const char *what, struct bough_view key);

static inline git_oid bough_store__gitdir_id(const struct bough_oid *id)
{
    git_oid out = {{0}};

    memcpy(out.id, id->bytes, sizeof out.id);
    return out;
}

/* ---- Walks ---- */

enum bough_err bough_store__gitdir_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx);
enum bough_err bough_store__gitdir_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n);
enum bough_err bough_store__gitdir_stat(struct bough_store *s, struct bough_store_stats *out);

/* ---- Refs ---- */

enum bough_err bough_store__gitdir_ref(
    struct bough_store *s, struct bough_view name, struct bough_ref *out);
enum bough_err bough_store__gitdir_ref_next(struct bough_store *s, struct bough_view prefix,
    struct bough_view after, struct bough_ref *out);
enum bough_err bough_store__gitdir_refs_count(
    struct bough_store__gitdir *g, struct bough_store_stats *out);
void bough_store__gitdir_names_fini(struct bough_store__gitdir *g);

/* Would a ref that is made be a folder of another, or the reverse?  BOUGH_EEXIST. */
enum bough_err bough_store__gitdir_clashes(
    struct bough_store__gitdir *g, const struct bough_store__moves *moves);

/* ---- Side ---- */

/* Is a name one of those? */
enum bough_store__gitdir_side {
    BOUGH_STORE__SIDE_NONE,
    BOUGH_STORE__SIDE_SHALLOW,
    BOUGH_STORE__SIDE_LOG,
};
enum bough_store__gitdir_side bough_store__gitdir_side(struct bough_view name);
enum bough_err bough_store__gitdir_side_ref(
    struct bough_store__gitdir *g, struct bough_view name, struct bough_ref *out);
enum bough_err bough_store__gitdir_side_next(struct bough_store__gitdir *g,
    struct bough_view prefix, struct bough_view after, struct bough_ref *out);
void bough_store__gitdir_log_drop(struct bough_store__gitdir *g);

/* What a transaction says about the move of `ref`, for its reflog; borrowed. */
struct bough_view bough_store__gitdir_reason(
    const struct bough_store__moves *moves, struct bough_view ref);

/* What a transaction changes of the boundary. */
enum bough_err bough_store__gitdir_shallow_write(
    struct bough_store__gitdir *g, const struct bough_store__moves *moves, bool sync);

/* ---- Packs ---- */

/* The entries of a sealed pack, sorted by id. */
struct bough_store__gitdir_entry {
    struct bough_oid id;
    uint64_t at;
    uint32_t crc;
};
struct bough_store__gitdir_entries {
    uint64_t n;
    void *ctx;
    struct bough_store__gitdir_entry (*get)(void *ctx, uint64_t i);
};

/*
 * Write the index of the pack whose checksum is `sum` to a new file; `path` gets its name.
 */
enum bough_err bough_store__gitdir_index(struct bough_store__gitdir *g,
    const struct bough_store__gitdir_entries *entries, const uint8_t *sum,
    char path[BOUGH_STORE__PATH_MAX], bool sync);

/* Put a pack and its index in their places: both temporary names are gone then. */
enum bough_err bough_store__gitdir_install(struct bough_store__gitdir *g, int pack_fd,
    char *pack_path, char *index_path, const uint8_t *sum, bool sync);

/*
 * A handle on an object that is whole in a pack, read as it is inflated.
 *
 * BOUGH_ENOTSUP    it is loose, or a delta, or in another place
 */
enum bough_err bough_store__gitdir_packed_open(
    struct bough_store__gitdir *g, const struct bough_oid *id, struct bough_object **out);

/* ---- Transactions ---- */

enum bough_err bough_store__gitdir_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);
enum bough_err bough_store__gitdir_begin(struct bough_store *s, struct bough_txn **out);

#endif
