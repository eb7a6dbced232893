/*
 * head_inner.h - branches as this process knows them, and what changes them.
 *
 *   heads      a branch, its open window and its overlay               head.c, branch.c
 *   folding    the window becomes a commit                             fold.c
 *   records    the journal's bytes                                     record.c
 *   txns       operations, gathers, refs that moved, their log         txn.c, refs.c, reflog.c
 *   events     told when a transaction happened                        events.c
 */
#ifndef BOUGH_REPO_HEAD_INNER_H
#define BOUGH_REPO_HEAD_INNER_H

#include "repo/inner.h"

/* ---- Heads ---- */

/*
 * A branch as this process knows it: its head, and the overlay of its open window.  There is
 * one however many handles are open; it stays while it has handles, an overlay or a window
 * of its own.
 */
struct bough_repo__head {
    struct bough_repo *r;
    struct bough_repo__head *bucket;
    struct bough_repo__head *open_next;    /* in the list of open windows, while ops > 0 */
    struct bough_repo__head *touched_next; /* in the list of touched ones */
    uint32_t handles;
    bool loaded;  /* false: what follows must be read from the store first */
    bool stale;   /* a transaction that touched it failed: its records must be read, too */
    bool touched; /* by the transaction under way */
    bool own_window;
    struct bough_window window; /* when own_window */
    struct bough_oid commit;    /* zero: unborn */
    struct bough_tree tree;     /* the head's root with the overlay as edits */

    /* The open window; ops == 0: none. */
    uint32_t ops;
    uint64_t bytes;           /* of values */
    uint64_t journal;         /* bytes of records, as far as they were written here */
    uint64_t number;          /* of the window, as in its records */
    uint64_t seq;             /* of its last record; 0: none */
    struct bough_time opened; /* by env's clock */
    uint32_t rest_ms;         /* age of a window before which folding again would be too dear */
    struct bough_buf who;     /* authors and message, as in records, without times */
    struct bough_time author_time, committer_time; /* of the last write */

    size_t name_len;
    uint8_t name[]; /* full: refs/heads/main */
};

struct bough_branch {
    struct bough_repo__head *h;
};

static inline struct bough_view bough_repo__head_name(const struct bough_repo__head *h)
{
    return bough_view(h->name, h->name_len);
}

/* The head of full name `name`, made when there is none, loaded. */
enum bough_err bough_repo__head_get(
    struct bough_repo *r, struct bough_view name, struct bough_repo__head **out);

/* The same if it is known here already, loaded; NULL when not: then the store's ref says all. */
enum bough_err bough_repo__head_known(
    struct bough_repo *r, struct bough_view name, struct bough_repo__head **out);

/* Load it when it must be. */
enum bough_err bough_repo__head_load(struct bough_repo__head *h);
void bough_repo__head_release(struct bough_repo__head *h); /* forget it if nothing needs it */
void bough_repo__heads_fini(struct bough_repo *r);

/* Close the window that is open; the overlay is the caller's to deal with. */
void bough_repo__head_shut(struct bough_repo__head *h);

/* Bring back every overlay that the store's records hold; load what is stale. */
enum bough_err bough_repo__heads_recover(struct bough_repo *r);
enum bough_err bough_repo__heads_refresh(struct bough_repo *r);

/* Is the open window to be folded, whatever its age is by the rule? */
bool bough_repo__head_full(const struct bough_repo__head *h);

/* The window that counts for a branch, defaults filled in; time_ms 0: each. */
struct bough_window bough_repo__head_window(const struct bough_repo__head *h);

/* ---- Folding ---- */

/* Write the overlay as a commit, in the transaction. */
enum bough_err bough_repo__fold(struct bough_repo__head *h);

/* Begin, fold, end. */
enum bough_err bough_repo__fold_now(struct bough_repo__head *h);

/* ---- Records ---- */

/* Who and what, decoded or to be encoded. */
struct bough_repo__record {
    uint64_t window;
    struct bough_info info;
    uint32_t changes_n;
    struct bough_view changes; /* encoded one after the other */
};

struct bough_repo__record_change {
    bool remove;
    enum bough_repo__mode mode;
    struct bough_oid id;
    struct bough_view path;
};

/* Authors and message without times: equal bytes, same window. */
void bough_repo__who_put(struct bough_buf *out, const struct bough_info *info);
enum bough_err bough_repo__who_get(struct bough_view bytes, struct bough_info *out);

void bough_repo__change_put(
    struct bough_repo *r, struct bough_buf *out, const struct bough_repo__record_change *c);
/* Take the next change off the front; BOUGH_ECORRUPT when it is none. */
enum bough_err bough_repo__change_get(
    struct bough_repo *r, struct bough_view *left, struct bough_repo__record_change *out);

void bough_repo__record_put(struct bough_buf *out, const struct bough_repo__record *rec);
enum bough_err bough_repo__record_get(
    struct bough_repo *r, struct bough_view bytes, struct bough_repo__record *out);

/* Bytes of a record besides its changes and texts, at most. */
enum { BOUGH_REPO__RECORD_HEAD_MAX = 128 };

/* ---- Transactions ---- */

/*
 * An operation: begin, then bough_repo__txn() at the first thing to write, then end with how
 * it went.  Outside of gather the end commits or aborts; inside, an error of an operation
 * that wrote already spoils the gather.
 */
enum bough_err bough_repo__begin(struct bough_repo *r);
enum bough_err bough_repo__txn(struct bough_repo *r, struct bough_txn **out);
enum bough_err bough_repo__end(struct bough_repo *r, enum bough_err err);

/* Abort an operation that turned out to write nothing; inside of gather what it put stays. */
enum bough_err bough_repo__end_idle(struct bough_repo *r);

/* Note that collections have ended: what chains of deltas stand on may be gone. */
void bough_repo__collections_note(struct bough_repo *r);

/* Mark a head as changed by the transaction. */
void bough_repo__touch(struct bough_repo__head *h);

/*
 * Refs that moved in the transaction and are not seen in the store yet: a directory used as an
 * ordered map.  FILE: the id; its bytes, if any, are what it peels to.  SUB: deleted.
 */
enum bough_err bough_repo__moved_put(struct bough_repo *r, struct bough_repo__dir **map,
    struct bough_view name, const struct bough_oid *id, const struct bough_oid *peeled);
struct bough_oid bough_repo__moved_peeled(const struct bough_repo__edit *e); /* zero: no tag */
void bough_repo__moved_drop(struct bough_repo *r);

/* Change a ref in the transaction; `old` and `now` zero: none. `peeled` NULL: is no tag. */
enum bough_err bough_repo__ref_move(struct bough_repo *r, struct bough_view name,
    const struct bough_oid *old, const struct bough_oid *now, const struct bough_oid *peeled);

/* A row for the ref's log, into the transaction (reflog.c). */
enum bough_err bough_repo__reflog_put(struct bough_repo *r, const struct bough_ref_update *u);

/* Every id that a row from `since` (seconds since 1970) on mentions, but of refs that are cut. */
enum bough_err bough_repo__reflog_each(
    struct bough_repo *r, int64_t since, bough_store_emit_fn *emit, void *to);

/* The value of a ref `n` moves ago, or at a time; the oldest there is when that is too long ago. */
enum bough_err bough_repo__reflog_nth(
    struct bough_repo *r, struct bough_view ref, uint64_t n, struct bough_oid *out);
enum bough_err bough_repo__reflog_at(
    struct bough_repo *r, struct bough_view ref, int64_t sec, struct bough_oid *out);

/* As the store's calls, with the transaction's changes; windows are not folded. */
enum bough_err bough_repo__ref_now(
    struct bough_repo *r, struct bough_view name, struct bough_ref *out);
enum bough_err bough_repo__ref_after(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out);

/* ---- Events ---- */

/* Told when the transaction happened, forgotten when it did not. */
enum bough_err bough_repo__event(struct bough_repo *r, const struct bough_event *event);
void bough_repo__events_tell(struct bough_repo *r);
void bough_repo__events_drop(struct bough_repo *r);

#endif
