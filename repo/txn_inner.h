/*
 * txn_inner.h - what changes branches and other refs.
 *
 *   operations   begin, write, end; gathers                    txn.c
 *   refs         that moved; as they are in the transaction    refs.c
 *   their log    rows of what they were                        reflog.c
 *   events       told when a transaction happened              events.c
 */
#ifndef BOUGH_REPO_TXN_INNER_H
#define BOUGH_REPO_TXN_INNER_H

#include "repo/repo.h"
#include "store/collect.h"
#include "store/store.h"

struct bough_repo__dir;
struct bough_repo__edit;
struct bough_repo__head;

/* ---- Operations ---- */

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

/* ---- Refs ---- */

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

/* As the store's calls, with the transaction's changes; windows are not folded. */
enum bough_err bough_repo__ref_now(
    struct bough_repo *r, struct bough_view name, struct bough_ref *out);
enum bough_err bough_repo__ref_after(
    struct bough_repo *r, struct bough_view prefix, struct bough_view after, struct bough_ref *out);

/* ---- Their log (reflog.c) ---- */

/* A row for the ref's log, into the transaction. */
enum bough_err bough_repo__reflog_put(struct bough_repo *r, const struct bough_ref_update *u);

/* Every id that a row from `since` (seconds since 1970) on mentions, but of refs that are cut. */
enum bough_err bough_repo__reflog_each(
    struct bough_repo *r, int64_t since, bough_store_emit_fn *emit, void *to);

/* The value of a ref `n` moves ago, or at a time; the oldest there is when that is too long ago. */
enum bough_err bough_repo__reflog_nth(
    struct bough_repo *r, struct bough_view ref, uint64_t n, struct bough_oid *out);
enum bough_err bough_repo__reflog_at(
    struct bough_repo *r, struct bough_view ref, int64_t sec, struct bough_oid *out);

/* ---- Events ---- */

/* Told when the transaction happened, forgotten when it did not. */
enum bough_err bough_repo__event(struct bough_repo *r, const struct bough_event *event);
void bough_repo__events_tell(struct bough_repo *r);
void bough_repo__events_drop(struct bough_repo *r);

#endif
