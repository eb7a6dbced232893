/*
 * head_inner.h - branches as this process knows them.
 *
 *   heads      a branch, its open window and its overlay               head.c, branch.c
 *   folding    the window becomes a commit                             fold.c
 *   records    the journal's bytes                                     record.c
 */
#ifndef BOUGH_REPO_HEAD_INNER_H
#define BOUGH_REPO_HEAD_INNER_H

#include "repo/name_inner.h"
#include "repo/tree_inner.h"

struct bough_repo;

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

/* Is a write there to be folded within its call, so that it can be refused as an attack on SHA-1? */
enum bough_err bough_repo__must_fold(struct bough_repo__head *h, struct bough_view path, bool *out);

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

#endif
