/*
 * repo.h - branches over a store: the only place that reads or moves one.
 *
 *   a repository   struct bough_repo: open, gather, sync, fold, listeners
 *   trees          struct bough_tree: a root and edits in memory; find, list, edit, write
 *   branches       struct bough_branch: head + overlay of journalled writes; write, commit
 *   refs           read, list, update together (push, branch and tag commands)
 *   revisions      bough_repo_resolve()
 *   diff           struct bough_diff
 *   history        struct bough_walk, last change of a path, ancestry; its index
 *   keeping        how much history is kept; upkeep
 *
 * A durable write to a branch is one record: the blob and {branch, path, mode,
 * id or removal, author, time, zone, message, window}.  It is visible at once in
 * the branch's overlay and becomes part of a commit when its window is folded:
 * a pure function of (head, the window's records), so folding after a crash
 * gives the same ids.
 *
 *   sees head + overlay   bough_branch_tree(): find, list, read
 *   folds first           refs, heads, resolve of a branch, commit, ref updates
 *
 * Threads: as store.h.
 */
#ifndef BOUGH_REPO_H
#define BOUGH_REPO_H

#include "git/object.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_repo;
struct bough_branch;
struct bough_tree;
struct bough_intake;

/* ---- Who, when, why ---- */

/* struct bough_ident is git/object.h's: borrowed views, cleaned as git does when a commit is written. */

/* What a commit says besides its tree.  committer.name.ptr NULL: the author, with the author's time. */
struct bough_info {
    struct bough_ident author, committer;
    struct bough_view message; /* exact bytes; ptr NULL: made from the changes (spec below) */
};
/* Default message: "set a/b", "remove a/b", "rename a/b c", else "N changes" and up to 100 paths below. */

/* ---- The repository ---- */

/* When journalled writes become a commit. */
struct bough_window {
    uint32_t
        time_ms; /* age of its first write at which a window is folded by tick(); 0: each write commits at once */
    uint32_t ops;   /* writes at which it is folded; 0: 512, or more, see below */
    uint64_t bytes; /* bytes of values at which it is folded; 0: 8 MiB, or more */
    /*
     * Folding costs what the directories touched cost.  Where it is dear windows grow so that it
     * takes no more than a fifth of the time: their age up to 5 seconds, and where `ops` or
     * `bytes` are 0 up to 65,536 writes, 64 MiB of values or 16 MiB of journal.
     */
};

struct bough_repo_opts {
    struct bough_window window; /* of every branch; all zero = commit each */
    size_t cache; /* bytes: half for values by path, 3/8 for decoded trees, 1/8 for what deltas
                     are made from; one tree larger than that is kept beside; 0: 64 MiB,
                     none of which is taken before it is used */
    uint32_t history_batch; /* commits that the index of history waits for, since few are as well
                               walked over; 0: 256; UINT32_MAX: there is no index */
    /* When a write is durable: on return, or LATER: seen at once, durable after bough_store_sync(). */
    enum bough_durable durable;
};

/*
 * Open over `store` (borrowed until close; it is used by nobody else meanwhile) and bring back
 * what the journal holds: closed windows are folded, the open one stays an overlay (or is
 * folded, when the window is now "each").
 */
enum bough_err bough_repo_open(
    struct bough_store *store, const struct bough_repo_opts *opts, struct bough_repo **out);
void bough_repo_close(struct bough_repo *r); /* NULL is fine; does not fold */

struct bough_store *bough_repo_store(struct bough_repo *r);
const struct bough_env *bough_repo_env(struct bough_repo *r);
struct bough_why *bough_repo_why(struct bough_repo *r); /* of the last failure */

/* Change the window of a branch ("" : of all that have none of their own). Folds what is open. */
enum bough_err bough_repo_window(
    struct bough_repo *r, struct bough_view branch, const struct bough_window *w);

/*
 * Gather: from begin to end all writes (of any branch) share one store transaction, one frame
 * and one flush.  They are seen at once by readers in this process; nothing may be
 * acknowledged before end() returned BOUGH_OK.  When end() fails none of the gathered writes
 * happened and overlays and heads are again as before begin().  Without gather each write is
 * durable on return.  ref updates and commits join an open gather.
 */
enum bough_err bough_repo_gather_begin(struct bough_repo *r);
enum bough_err bough_repo_gather_end(struct bough_repo *r);
bool bough_repo_gathering(const struct bough_repo *r);

/* Fold windows that are due at `now`; `*next_ms` = time until the next is due (UINT32_MAX: none). */
enum bough_err bough_repo_tick(struct bough_repo *r, struct bough_time now, uint32_t *next_ms);

/* Fold everything. */
enum bough_err bough_repo_fold_all(struct bough_repo *r);

/* ---- Events ---- */

enum bough_event_kind {
    BOUGH_EVENT_PATH, /* a value was set or removed: when written, before its commit */
    BOUGH_EVENT_HEAD, /* a ref moved: old and new id (zero: none); for folds, pushes, commits.
                         `folded` tells that its paths were told before */
};
struct bough_event {
    enum bough_event_kind kind;
    struct bough_view ref;  /* full name: refs/heads/main */
    struct bough_view path; /* PATH: without a leading slash */
    bool removed;           /* PATH */
    bool folded;            /* HEAD */
    struct bough_oid old, now;
};
struct bough_listener {
    void (*fn)(void *ctx, const struct bough_event *event); /* must not call into the repository */
    void *ctx;
    struct bough_listener *next; /* the repository's own */
};
void bough_repo_listen(
    struct bough_repo *r, struct bough_listener *l); /* borrowed until unlisten */
void bough_repo_unlisten(struct bough_repo *r, struct bough_listener *l);

/* ---- Trees ---- */

enum bough_node_kind { BOUGH_NODE_NONE, BOUGH_NODE_VALUE, BOUGH_NODE_DICT };

/* What is at a path.  Modes are Git's: 0100644, 0100755, 0120000, 0160000 (a submodule: value), 0040000. */
struct bough_node {
    enum bough_node_kind kind;
    uint32_t mode;
    struct bough_oid id;     /* of a dictionary with edits below: zero (ask bough_tree_digest) */
    struct bough_view bytes; /* of a value whose blob is not in the store yet; ptr NULL else;
                                borrowed until the tree changes */
};

/*
 * A tree: an immutable root and edits in memory on top.  While it is open what it reads lives;
 * if the store had to give that up to make room, calls on it answer BOUGH_EEXPIRED.  Paths here are segments joined by
 * single slashes without one at either end; "" is the root.  Segment rules are the caller's
 * (kv/); this takes any bytes.
 */
enum bough_err bough_tree_open(struct bough_repo *r, const struct bough_oid *root,
    struct bough_tree **out);                /* root NULL: empty */
void bough_tree_close(struct bough_tree *t); /* NULL is fine */

/* The root of a commit or tag (peeled), for bough_tree_open(). */
enum bough_err bough_repo_root_of(
    struct bough_repo *r, const struct bough_oid *commit, struct bough_oid *root);

/*
 * What is at `path`?  Kind NONE is an answer, also below a value; then `*through` (may be NULL)
 * is the length of the prefix of path that is a value, else 0.
 */
enum bough_err bough_tree_find(
    struct bough_tree *t, struct bough_view path, struct bough_node *out, size_t *through);

/*
 * The same, and when it is a value with bytes here (no submodule), append up to `n` of them from
 * byte `at` to `out`: the quick way to a value.  Of the node, kind and mode are told and its id may be.
 * Errors as bough_store_get().
 */
enum bough_err bough_tree_get(struct bough_tree *t, struct bough_view path, uint64_t at, uint64_t n,
    struct bough_node *node, struct bough_buf *out);

/*
 * The first child of dictionary `dir`, in byte order of names, whose name is greater than
 * `after` ("" to begin); `name` is borrowed until the next call.  Costs O(log n) a call.
 * BOUGH_ENOENT: no more, or no such dictionary.
 */
enum bough_err bough_tree_next(struct bough_tree *t, struct bough_view dir, struct bough_view after,
    struct bough_view *name, struct bough_node *out);

/*
 * Edit: set the value at `path`, in place of whatever value or dictionary was there; a value on
 * the way becomes a dictionary (who wants that refused asks find() first).  Give `id` of a blob
 * in the store, or id NULL and `bytes`, which are copied.
 */
enum bough_err bough_tree_set(struct bough_tree *t, struct bough_view path, uint32_t mode,
    const struct bough_oid *id, struct bough_view bytes);

/* A value that somebody keeps for a tree. */
struct bough_lent {
    struct bough_oid id;     /* of the bytes, made on guard */
    struct bough_view bytes; /* ptr NULL: they are in the store by now */
};

/*
 * The same without a copy: `value`, which is only read, and its bytes stay where they are until the
 * edits are written or the tree is closed.  Once the blob is in the store its owner may say so
 * (bytes.ptr NULL), and release the bytes.
 */
enum bough_err bough_tree_lend(
    struct bough_tree *t, struct bough_view path, uint32_t mode, struct bough_lent *value);

/* Put a whole dictionary that is in the store. */
enum bough_err bough_tree_set_dict(
    struct bough_tree *t, struct bough_view path, const struct bough_oid *id);

/* Remove what is at `path`; emptied parents vanish. BOUGH_ENOENT: nothing there. "" empties the tree. */
enum bough_err bough_tree_remove(struct bough_tree *t, struct bough_view path);

/* Move what is at `from` (value or dictionary, with its edits) to `to`, replacing what is there. */
enum bough_err bough_tree_move(struct bough_tree *t, struct bough_view from, struct bough_view to);

/* The id of what is at `path`, computed without writing. BOUGH_ENOENT: nothing there (the root always is). */
enum bough_err bough_tree_digest(
    struct bough_tree *t, struct bough_view path, struct bough_oid *out);

/* Write pending blobs and changed trees into `txn`; the edits become part of the root. */
enum bough_err bough_tree_write(
    struct bough_tree *t, struct bough_txn *txn, struct bough_oid *root);

/* The root below the edits, and whether there are any. */
const struct bough_oid *bough_tree_root(const struct bough_tree *t);
bool bough_tree_edited(const struct bough_tree *t);

/* Read a value's bytes wherever they are: pending or stored. */
enum bough_err bough_node_read(
    struct bough_repo *r, const struct bough_node *n, struct bough_buf *out);
enum bough_err bough_node_size(struct bough_repo *r, const struct bough_node *n, uint64_t *out);
enum bough_err bough_node_read_part(struct bough_repo *r, const struct bough_node *n, uint64_t at,
    void *dst, size_t len, size_t *got);

/* ---- Branches ---- */

/* A handle on the branch `name` ("main"; refs/heads/ is added); it may be unborn. */
enum bough_err bough_branch_open(
    struct bough_repo *r, struct bough_view name, struct bough_branch **out);
void bough_branch_close(struct bough_branch *b);                   /* NULL is fine */
struct bough_view bough_branch_name(const struct bough_branch *b); /* without refs/heads/ */

/*
 * Head + overlay as of now: for find, next, digest and reading only; borrowed until the next
 * write to the branch or call that folds.
 */
enum bough_err bough_branch_tree(struct bough_branch *b, struct bough_tree **out);

/*
 * Is a small value of head + overlay at hand?  Then `*out` is it, borrowed until the next call on
 * the repository.  False says nothing: ask bough_tree_get().  `key` may be any bytes; one that is
 * not a path as trees take them is not at hand.
 */
bool bough_branch_known(struct bough_branch *b, struct bough_view key, struct bough_view *out);

/* The head commit, everything folded first.  Zero for an unborn branch. */
enum bough_err bough_branch_head(struct bough_branch *b, struct bough_oid *out);

/* One change of a write. */
struct bough_write {
    struct bough_view path;
    bool remove;
    uint32_t mode;              /* of a value */
    const struct bough_oid *id; /* of a stored blob that stays: something names it or it is pinned,
                                   since to begin may end a collection; or NULL */
    struct bough_view bytes;    /* when id is NULL: the value, borrowed for the call */
    struct bough_lent *lent; /* when id is NULL: the same bytes, for bough_tree_lend(), or NULL */
};

/*
 * Write through the journal: all `n` changes together, in order, visible at once, in a commit
 * when the window is folded (at once in commit-each mode).  A change of author or message
 * closes the window before.  A write that leaves everything as it is makes no record.
 *
 * BOUGH_ENOENT    a removal of what is not there, a blob named by id that is not there; nothing was
 *                 written
 */
enum bough_err bough_branch_write(struct bough_branch *b, const struct bough_write *writes,
    size_t n, const struct bough_info *info);

/* How a commit is to be made. */
struct bough_commit_opts {
    const struct bough_oid *expect;  /* the head it was built on (zero: unborn), or NULL: any */
    const struct bough_oid *parents; /* further parents after the head (a merge) */
    size_t parents_n;
    bool allow_empty; /* commit even when the tree is that of the head */
};

/*
 * Fold, then commit `tree` (its edits are written) as the branch's new head, in one store
 * transaction.  `*id` (may be NULL): the new head, or the old one where nothing changed.
 *
 * BOUGH_ETEST     the head is not `expect`; nothing was written
 */
enum bough_err bough_branch_commit(struct bough_branch *b, struct bough_tree *tree,
    const struct bough_info *info, const struct bough_commit_opts *opts, struct bough_oid *id);

/* ---- Refs ---- */

/* The branch that HEAD names, without refs/heads/; borrowed until the next call. */
enum bough_err bough_repo_head_branch(struct bough_repo *r, struct bough_view *out);
enum bough_err bough_repo_set_head_branch(struct bough_repo *r, struct bough_view name);

/* As bough_store_ref() and bough_store_ref_next(), after folding what they would miss. */
enum bough_err bough_repo_ref(struct bough_repo *r, struct bough_view name, struct bough_ref *out);
enum bough_err bough_repo_ref_next(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out);

/* A change of a ref by full name; what bough_repo_update() answers for it is in `err` and `why`. */
struct bough_ref_update {
    struct bough_view name;
    bool check;               /* compare with old first */
    struct bough_oid old;     /* zero: must not exist */
    struct bough_oid now;     /* zero: delete */
    struct bough_view reason; /* for the reflog, up to 200 bytes; ptr NULL: "update" */
    enum bough_err err;
    const char *
        why; /* in git's words: "fetch first", "refusing to delete the current branch" ...; static */
};

enum {
    BOUGH_UPDATE_ATOMIC = 1 << 0,     /* all or none */
    BOUGH_UPDATE_FORCE_HEAD = 1 << 1, /* the branch HEAD names may be deleted */
};

/*
 * Change refs together, by compare-and-swap after folding; `intake` (may be NULL; taken, even on
 * error) is adopted in the same commit, if at least one change holds.  Checks ref names, D/F
 * clashes, duplicates, that objects exist, that branches get commits.  The first branch of an
 * empty repository becomes HEAD's.  Fires events.  Answers BOUGH_OK also when single
 * updates were refused: look at each `err`; without ATOMIC the others happened.
 */
enum bough_err bough_repo_update(struct bough_repo *r, struct bough_ref_update *updates, size_t n,
    uint32_t flags, struct bough_intake *intake);

/*
 * What a ref was, newest first.  Commits on a branch are told as they stand in its history; all
 * other moves were noted when they happened, also of refs that are gone, and are told until they
 * expire.  Tags have no log.
 */
struct bough_reflog;
struct bough_reflog_entry {
    struct bough_oid old, now; /* zero: the ref was not there */
    struct bough_time time;
    struct bough_view reason; /* of a commit: its subject; borrowed until the next call */
    bool commit;              /* `now` is a commit on top of `old` */
};
enum bough_err bough_reflog_open(
    struct bough_repo *r, struct bough_view ref, struct bough_reflog **out);
enum bough_err bough_reflog_next(
    struct bough_reflog *log, struct bough_reflog_entry *out); /* BOUGH_ENOENT: end */
void bough_reflog_close(struct bough_reflog *log);             /* NULL is fine */

/* Forget moves from before `before` (seconds since 1970); `*removed` counts them.  What they led
   to may then be collected. */
enum bough_err bough_reflog_expire(struct bough_repo *r, int64_t before, uint64_t *removed);

/*
 * A revision to an id: full ref name, branch, tag, full or abbreviated id, HEAD, `@`, and suffixes
 * ~n ^n ^{commit} ^{tree} ^{} ref@{n} ref@{time}; `rev:path` too.  As in git a number from
 * 100,000,000 on is a time in seconds since 1970.
 *
 * BOUGH_ENOENT    why says which part; BOUGH_EINVAL: ambiguous or malformed
 */
enum bough_err bough_repo_resolve(
    struct bough_repo *r, struct bough_view rev, struct bough_oid *out);

/*
 * A big value that was written in pieces joins the store, in the open gather or in a commit of its
 * own; then bough_branch_write() may name it.  `w` is taken, even on error.
 */
enum bough_err bough_repo_blob(
    struct bough_repo *r, struct bough_blob_writer *w, struct bough_oid *id);

/* ---- Diff ---- */

enum bough_diff_kind {
    BOUGH_DIFF_ADDED = '+',
    BOUGH_DIFF_REMOVED = '-',
    BOUGH_DIFF_CHANGED = '*',
    BOUGH_DIFF_MODE = 'm',
};
struct bough_diff_entry {
    enum bough_diff_kind kind;
    struct bough_view path; /* borrowed until the next call */
    uint32_t old_mode, new_mode;
    struct bough_oid old_id, new_id;
};
struct bough_diff;

/*
 * Values that differ between two root trees (NULL: empty), below `prefix` ("": all), in path
 * order; equal subtrees are skipped by id.  A pull iterator; memory O(depth).
 */
enum bough_err bough_diff_open(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_view prefix, struct bough_diff **out);
enum bough_err bough_diff_next(
    struct bough_diff *d, struct bough_diff_entry *out); /* BOUGH_ENOENT: end */
void bough_diff_close(struct bough_diff *d);

/* ---- History ---- */

/*
 * The commit that last changed `path` as seen from `commit`, exactly `git log -1 -- path`; for
 * values, dictionaries and the root.  BOUGH_ENOENT: nothing is at path there.
 */
enum bough_err bough_history_last_change(struct bough_repo *r, const struct bough_oid *commit,
    struct bough_view path, struct bough_oid *out, struct bough_time *when);

/* Is `a` reachable from `b` (or the same)? */
enum bough_err bough_history_is_ancestor(
    struct bough_repo *r, const struct bough_oid *a, const struct bough_oid *b, bool *out);

struct bough_walk_opts {
    const struct bough_oid *tips; /* begin here */
    size_t tips_n;
    const struct bough_oid *hide; /* leave out what these reach */
    size_t hide_n;
    struct bough_view path; /* only commits that change it, as `git log -- path`; "": all */
    bool first_parent;
};
struct bough_walk;

/* Commits by commit date, newest first, children before parents among equals, as `git log`. */
enum bough_err bough_walk_open(
    struct bough_repo *r, const struct bough_walk_opts *opts, struct bough_walk **out);
enum bough_err bough_walk_next(struct bough_walk *w, struct bough_oid *out); /* BOUGH_ENOENT: end */
void bough_walk_close(struct bough_walk *w);

/*
 * The index of history answers questions about paths without walking.  bough_repo_maintain() makes
 * it, from objects that a few refs outside of refs/ name; it is a cache: answers never depend on it.
 */
struct bough_history_stats {
    uint64_t indexed; /* commits, those included that are gone since */
    uint64_t waiting; /* commits that refs reach and that are not indexed, as far as was counted */
    bool more;        /* there are more of them */
};

/* `most`: so many are counted.  BOUGH_ENOTSUP: there is no index, as others may write to the store. */
enum bough_err bough_history_stat(
    struct bough_repo *r, uint64_t most, struct bough_history_stats *out);

/* Check its structure, and of every 16th commit that all it changed is indexed.  BOUGH_ECORRUPT
   when anything was reported. */
enum bough_err bough_history_check(struct bough_repo *r, bough_store_report_fn *report, void *ctx);

/* Forget it; it is made anew.  Not within a gather (BOUGH_ENESTED). */
enum bough_err bough_history_forget(struct bough_repo *r);

/* ---- How much history is kept ---- */

/*
 * A policy: for the branch `refs` ("main"), for those that a pattern with one `*` fits ("tmp/" and
 * a star), or for full names of refs (refs/tags/...).  It counts when the store is collected
 * (store/collect.h): of a ref's history what is beyond either limit goes, and the oldest commits that stay
 * become Git's shallow boundary.  The ref's own name comes before patterns, a longer pattern
 * before a shorter one; a ref without policy keeps all.
 */
struct bough_keep {
    struct bough_view refs; /* as told by next() and of(): full, borrowed until the next change */
    uint32_t commits;       /* so many, as git's --depth counts; 0: any number */
    uint32_t days;          /* none with a commit date older than so many days; 0: any age */
};
enum { BOUGH_KEEP_MAX = 1000 }; /* policies; over it: BOUGH_ETOOBIG */

/* Durable as a ref's change is; in a gather it joins that.  BOUGH_EKEY: a bad name or pattern. */
enum bough_err bough_repo_keep_set(struct bough_repo *r, const struct bough_keep *k);

/* The policy goes.  BOUGH_ENOENT: there is none of that name. */
enum bough_err bough_repo_keep_unset(struct bough_repo *r, struct bough_view refs);

/* The first policy after the full pattern `after` ("": the first).  BOUGH_ENOENT: no more. */
enum bough_err bough_repo_keep_next(
    struct bough_repo *r, struct bough_view after, struct bough_keep *out);

/* The one that counts for a ref, by its full name.  BOUGH_ENOENT: none; all is kept. */
enum bough_err bough_repo_keep_of(
    struct bough_repo *r, struct bough_view ref, struct bough_keep *out);

/* "all", "100" (commits), "30d" (days), "100,30d"; only the limits of `out` are set. BOUGH_EINVAL. */
enum bough_err bough_keep_parse(struct bough_view text, struct bough_keep *out);
void bough_keep_print(struct bough_buf *out, const struct bough_keep *k);

/*
 * Begin a collection, as bough_store_collect(); bough_repo_maintain() does it.  Moves of refs
 * from longer than `reflog_sec` seconds ago are forgotten first and hold nothing (UINT64_MAX:
 * all stay); moves of refs whose history a policy cuts hold nothing at any time.
 */
enum bough_err bough_repo_collect(
    struct bough_repo *r, const struct bough_collect_opts *opts, uint64_t reflog_sec);
enum { BOUGH_REFLOG_DAYS = 90 }; /* what users get who say nothing */

/*
 * A step of the store's upkeep, as bough_store_maintain(): who has a repository open asks it, not
 * the store, because it remembers objects that a collection may drop.  Not within a gather that
 * wrote already (BOUGH_ENESTED).
 */
enum bough_err bough_repo_maintain(struct bough_repo *r, uint64_t budget, bool *more);

#ifdef __cplusplus
}
#endif

#endif
