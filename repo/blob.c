/* blob.c - a value that was written in pieces joins the store. */
#include "repo/head_inner.h"
#include "repo/inner.h"
#include "repo/txn_inner.h"

enum bough_err bough_repo_blob(
    struct bough_repo *r, struct bough_blob_writer *w, struct bough_oid *id)
{
    struct bough_txn *txn;
    enum bough_err err = bough_repo__begin(r);

    if (!err)
        err = bough_repo__txn(r, &txn);
    if (err) {
        bough_blob_close(w);
        return bough_repo__end(r, err);
    }
    err = bough_txn_blob(txn, w, id);
    if (err)
        r->why = r->store->why;
    err = bough_repo__end(r, err);
    if (err == BOUGH_OK && !r->gathering)
        bough_store_pin(r->store, &r->fresh, id); /* until the next operation, which may name it */
    return err;
}
