/*
 * txn.c - operations, and gathers of them.
 *
 *   operations   begin, the transaction on demand, end
 *   failing      what was touched is read from the store again
 *   gathers      many operations, one transaction
 *
 * States: idle (no txn, not gathering); operation (txn after the first write); gathering
 * (txn after the first write, until the gather ends); spoiled (gathering, and an operation
 * failed after it had written: the end fails with its error).
 *
 * What the process knows changes when an operation writes, before the commit; if that fails
 * every touched head is loaded again at its next use, by the code that opens a repository.
 */
#include "repo/chain_inner.h"
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/keep_inner.h"
#include "repo/txn_inner.h"

enum bough_err bough_repo__begin(struct bough_repo *r)
{
    if (r->spoiled)
        return BOUGH_WHY(&r->why, r->spoiled, "an earlier write of this gather failed", NULL, 0);
    r->wrote = false;
    r->why.err = BOUGH_OK;
    return BOUGH_OK;
}

enum bough_err bough_repo__txn(struct bough_repo *r, struct bough_txn **out)
{
    enum bough_err err;

    if (r->txn == NULL) {
        err = bough_txn_begin(r->store, &r->txn);
        if (err) {
            r->txn = NULL;
            r->why = r->store->why;
            return err;
        }
        bough_repo__collections_note(r); /* to begin may have taken one */
        if (r->fresh.expired) {
            bough_txn_abort(r->txn);
            r->txn = NULL;
            r->fresh.expired = false;
            return BOUGH_WHY(&r->why, BOUGH_ENOSPC, "a value was given up again", NULL, 0);
        }
    }
    r->wrote = true;
    *out = r->txn;
    return BOUGH_OK;
}

void bough_repo__touch(struct bough_repo__head *h)
{
    if (h->touched)
        return;
    h->touched = true;
    h->touched_next = h->r->touched;
    h->r->touched = h;
}

/* The transaction is over: nothing is touched any more; after a failure, load again. */
static void heads_settle(struct bough_repo *r, bool failed)
{
    struct bough_repo__head *h = r->touched, *next;

    for (r->touched = NULL; h != NULL; h = next) {
        next = h->touched_next;
        h->touched = false;
        if (failed) {
            r->stale_n += !h->stale;
            h->stale = true;
            h->loaded = false;
            bough_repo__head_shut(h);
        }
        bough_repo__head_release(h);
    }
}

/* Commit or abort what there is. */
static enum bough_err txn_finish(struct bough_repo *r, enum bough_err err)
{
    struct bough_txn *txn = r->txn;

    if (txn != NULL && err == BOUGH_OK) {
        r->home_known = false;
        err = bough_txn_commit(txn, r->durable);
        if (err)
            r->why = r->store->why;
    } else {
        bough_txn_abort(txn);
        if (err == BOUGH_ENOSPC && r->why.err == err && r->store->why.err == err)
            r->why = r->store->why; /* now it says what gc would free */
    }
    if (err && txn != NULL)
        bough_repo__chains_drop(r);
    r->txn = NULL;
    bough_store_unpin(r->store, &r->fresh);
    heads_settle(r, err != BOUGH_OK);
    bough_repo__moved_drop(r);
    if (err && r->keeps_touched && bough_repo__keeps_load(r) != BOUGH_OK)
        BOUGH_ASSERT(r->keeps_stale); /* the next who asks tries again */
    r->keeps_touched = false;
    if (err == BOUGH_OK)
        bough_repo__events_tell(r);
    else
        bough_repo__events_drop(r);
    return err;
}

enum bough_err bough_repo__end(struct bough_repo *r, enum bough_err err)
{
    if (err && r->why.err != err && r->store->why.err == err)
        r->why = r->store->why; /* found below */
    if (!r->gathering)
        return txn_finish(r, err);
    if (err && r->wrote)
        r->spoiled = err;
    return err;
}

enum bough_err bough_repo__end_idle(struct bough_repo *r)
{
    if (r->gathering)
        return BOUGH_OK;
    if (r->txn != NULL)
        bough_repo__chains_drop(r);
    bough_txn_abort(r->txn);
    r->txn = NULL;
    return txn_finish(r, BOUGH_OK);
}

enum bough_err bough_repo_gather_begin(struct bough_repo *r)
{
    if (r->gathering)
        return BOUGH_WHY(&r->why, BOUGH_ENESTED, "a gather is open already", NULL, 0);
    r->gathering = true;
    r->spoiled = BOUGH_OK;
    return BOUGH_OK;
}

enum bough_err bough_repo_gather_end(struct bough_repo *r)
{
    enum bough_err err = r->spoiled;

    BOUGH_ASSERT(r->gathering);
    r->gathering = false;
    r->spoiled = BOUGH_OK;
    return txn_finish(r, err);
}

bool bough_repo_gathering(const struct bough_repo *r)
{
    return r->gathering;
}
