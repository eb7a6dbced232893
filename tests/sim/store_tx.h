/*
 * store_tx.h - transactions made from a number: the same on any engine.
 *
 *     c  a small commit, durable          l  one that is durable later
 *     b  a commit with a big object       x  one of several frames         d  one of deltas
 *     f  one whose frame fills most of a zone of 32 KiB
 *     e  one whose frame is a few units of which the middle ones hold data only
 *     i  a thin pack, adopted with a ref  w  a blob written in pieces      a  an abort
 */
#ifndef STORE_TX_H
#define STORE_TX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/posix.h"
#include "block/block.h"
#include "git/delta.h"
#include "git/pack.h"
#include "store/log/log.h"
#include "store/mem.h"
#include "tests/lib/env.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

static inline void random_bytes(uint8_t *dst, size_t len, uint64_t *seed)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t x = test_random(seed);
        memcpy(dst + at, &x, len - at < 8 ? len - at : 8);
    }
}

/* What all versions share, and an end of each one's own. */
enum { SHARED = 300, OWN = 40, VERSION_LEN = SHARED + OWN };

static inline struct bough_view version(uint8_t dst[VERSION_LEN], uint64_t v)
{
    uint64_t seed = 12345;

    random_bytes(dst, SHARED, &seed);
    seed = v;
    random_bytes(dst + SHARED, OWN, &seed);
    return bough_view(dst, VERSION_LEN);
}

static inline void version_delta(struct bough_buf *out, uint64_t v)
{
    uint8_t body[VERSION_LEN];
    struct bough_delta_builder d;

    version(body, v);
    bough_buf_clear(out);
    bough_delta_begin(&d, out, VERSION_LEN, VERSION_LEN);
    bough_delta_copy(&d, 0, SHARED);
    bough_delta_insert(&d, bough_view(body + SHARED, OWN));
    bough_delta_end(&d);
}

static inline enum bough_err put_random(
    struct bough_txn *t, uint64_t seed, size_t len, struct bough_oid *id)
{
    uint8_t *body = malloc(len + 1);
    enum bough_err err;

    assert_non_null(body);
    random_bytes(body, len, &seed);
    err = bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), id);
    free(body);
    return err;
}

/* The version `v`: whole, or a delta against version `base` where that is not 0. */
static inline enum bough_err put_version(
    struct bough_txn *t, uint64_t v, uint64_t base, struct bough_oid *id)
{
    enum bough_algo algo = t->store->algo;
    uint8_t body[VERSION_LEN], was[VERSION_LEN];
    struct bough_view view = version(body, v);
    struct bough_buf delta;
    struct bough_oid from;
    enum bough_err err;

    if (base == 0)
        return bough_txn_put(t, BOUGH_BLOB, view, id);
    from = bough_oid_of(algo, BOUGH_BLOB, version(was, base));
    *id = bough_oid_of(algo, BOUGH_BLOB, view);
    bough_buf_init(&delta, bough_posix_mem());
    version_delta(&delta, v);
    err = bough_txn_put_delta(t, BOUGH_BLOB, id, &from, bough_buf_view(&delta), view);
    bough_buf_fini(&delta);
    return err;
}

/* A thin pack: version `v` as a delta against `base`, or whole when that is 0. */
static inline void make_pack(struct bough_buf *out, enum bough_algo algo, uint64_t v, uint64_t base)
{
    uint8_t body[VERSION_LEN], was[VERSION_LEN];
    struct bough_entry_head head = {.type = BOUGH_BLOB};
    struct bough_view view = version(body, v);
    struct bough_pack_writer w;
    struct bough_buf delta;

    bough_buf_init(&delta, out->mem);
    if (base != 0) {
        head.type = BOUGH_REF_DELTA;
        head.base = bough_oid_of(algo, BOUGH_BLOB, version(was, base));
        version_delta(&delta, v);
        view = bough_buf_view(&delta);
    }
    head.size = view.len;
    bough_pack_writer_init(&w, out, algo, 1);
    bough_pack_writer_put(&w, &head, view, 1);
    bough_pack_writer_finish(&w);
    OK(out->err);
    bough_buf_fini(&delta);
}

static inline enum bough_err receive_pack(
    struct bough_store *s, uint64_t v, uint64_t base, struct bough_intake **out)
{
    struct bough_buf pack;
    size_t used;
    enum bough_err err = bough_store_intake(s, NULL, out);

    if (err)
        return err;
    bough_buf_init(&pack, bough_posix_mem());
    make_pack(&pack, s->algo, v, base);
    err = bough_intake_feed(*out, bough_buf_view(&pack), &used);
    bough_buf_fini(&pack);
    while (!err && (err = bough_intake_step(*out, 1000)) == BOUGH_EAGAIN)
        err = BOUGH_OK;
    if (err) {
        bough_intake_close(*out);
        *out = NULL;
    }
    return err;
}

/* A blob of 40,000 bytes on its way. */
static inline enum bough_err write_blob(
    struct bough_store *s, uint64_t seed, struct bough_blob_writer **out)
{
    enum { PIECE = 8000, PIECES = 5 };
    uint8_t piece[PIECE];
    enum bough_err err = bough_blob_begin(s, PIECES * PIECE, out);

    for (int i = 0; i < PIECES && !err; i++) {
        random_bytes(piece, PIECE, &seed);
        err = bough_blob_put(*out, bough_view(piece, PIECE));
    }
    if (err) {
        bough_blob_close(*out);
        *out = NULL;
    }
    return err;
}

/* A transaction: its letter, its number, and the number of an earlier one, for deltas. */
struct tx {
    char kind;
    uint64_t seed, base;
};

/* What every transaction does beside its own. */
static inline enum bough_err tx_common(
    struct bough_txn *t, const struct tx *x, const struct bough_oid *id)
{
    char name[32];
    struct bough_ref_change c = {.kind = BOUGH_REF_ID, .id = *id};
    struct bough_view stream = {(const uint8_t *)"one two  " + x->seed % 2 * 4, 3};
    uint64_t seq;
    enum bough_err err;

    c.name =
        bough_view(name, (size_t)snprintf(name, sizeof name, "refs/heads/%d", (int)(x->seed % 9)));
    err = bough_txn_ref(t, &c);
    if (!err && x->seed % 5 == 4) {
        c = (struct bough_ref_change){.kind = BOUGH_REF_NONE};
        c.name = bough_view(
            name, (size_t)snprintf(name, sizeof name, "refs/heads/%d", (int)(x->seed / 5 % 9)));
        err = bough_txn_ref(t, &c);
    }
    if (!err)
        err = bough_txn_record(t, stream, bough_view(&x->seed, sizeof x->seed), &seq);
    if (!err && x->seed % 4 == 3) {
        err = bough_txn_retire(t, stream, seq);
        if (!err)
            err = bough_txn_record(t, stream, bough_view("kept", 4), &seq);
    }
    return err;
}

static inline enum bough_err tx_body(struct bough_txn *t, const struct tx *x,
    struct bough_intake **in, struct bough_blob_writer **blob)
{
    enum bough_algo algo = t->store->algo;
    uint8_t body[VERSION_LEN];
    struct bough_oid id = bough_oid_of(algo, BOUGH_BLOB, version(body, x->seed)), other;
    enum bough_err err = BOUGH_OK;

    if (x->kind == 'f')
        err = put_random(t, x->seed, 31500, &other);
    if (*in != NULL) {
        err = bough_txn_adopt(t, *in);
        *in = NULL;
    } else if (!err) {
        err = put_version(t, x->seed, x->kind == 'd' ? x->base : 0, &id);
    }
    if (!err && *blob != NULL) {
        err = bough_txn_blob(t, *blob, &other);
        *blob = NULL;
    }
    if (!err && x->kind == 'b')
        err = put_random(t, x->seed, 50000, &other);
    if (!err && x->kind == 'e')
        err = put_random(t, x->seed, 1100, &other);
    for (uint64_t i = 0; i < 5 && !err && x->kind == 'x'; i++)
        err = put_random(t, x->seed + (i << 32), 9000, &other);
    return err ? err : tx_common(t, x, &id);
}

static inline enum bough_err tx_apply(
    struct bough_store *s, const struct tx *x, enum bough_durable how, bool abort)
{
    struct bough_blob_writer *blob = NULL;
    struct bough_intake *in = NULL;
    struct bough_txn *t = NULL;
    enum bough_err err = BOUGH_OK;

    if (x->kind == 'i')
        err = receive_pack(s, x->seed, x->base, &in);
    if (x->kind == 'w')
        err = write_blob(s, x->seed, &blob);
    if (!err)
        err = bough_txn_begin(s, &t);
    if (!err)
        err = tx_body(t, x, &in, &blob);
    if (!err && !abort)
        return bough_txn_commit(t, how);
    bough_txn_abort(t);
    bough_intake_close(in);
    bough_blob_close(blob);
    return err;
}

#endif
