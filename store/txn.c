/*
 * txn.c - the calls that write to a store: check, then dispatch.
 *
 *   transactions   begin, put, refs, records, adoption, commit, abort
 *   intake         feed, step, view, ordinal, close
 */
#include "store/engine.h"
#include "store/inner.h"

/* ---- Transactions ---- */

enum bough_err bough_txn_begin(struct bough_store *s, struct bough_txn **out)
{
    enum bough_err err = bough_store__may_write(s);

    *out = NULL;
    if (err)
        return err;
    if (s->txn != NULL)
        return BOUGH_WHY(&s->why, BOUGH_ENESTED, "a transaction is open already", NULL, 0);
    err = s->cls->begin(s, out);
    if (!err)
        s->txn = *out;
    return bough_store__wrote(s, err);
}

/* An open transaction, on a store that can still write. */
static enum bough_err txn_ready(struct bough_txn *t)
{
    BOUGH_ASSERT(t != NULL && t->store->txn == t);
    return bough_store__may_write(t->store);
}

static bool is_object(enum bough_type type)
{
    return type >= BOUGH_COMMIT && type <= BOUGH_TAG;
}

enum bough_err bough_txn_put(
    struct bough_txn *t, enum bough_type type, struct bough_view body, struct bough_oid *id)
{
    enum bough_err err = txn_ready(t);

    if (!err)
        err = bough_oid_make(t->store->algo, type, body, id, &t->store->why);
    return err ? err : bough_txn_put_known(t, type, id, body);
}

enum bough_err bough_txn_put_known(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    enum bough_err err = txn_ready(t);

    BOUGH_ASSERT(is_object(type));
    return err ? err : bough_store__wrote(t->store, t->cls->put(t, type, id, body));
}

enum bough_err bough_txn_put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body)
{
    enum bough_err err = txn_ready(t);

    BOUGH_ASSERT(is_object(type));
    if (err)
        return err;
    if (t->cls->put_delta == NULL)
        err = t->cls->put(t, type, id, body);
    else
        err = t->cls->put_delta(t, type, id, base, delta, body);
    return bough_store__wrote(t->store, err);
}

enum bough_err bough_store__ref_check(
    const struct bough_ref_change *change, enum bough_ref_kind kind, const struct bough_oid *id)
{
    bool same = false;

    if (!change->check)
        return BOUGH_OK;
    switch (kind) {
    case BOUGH_REF_NONE:
        same = bough_oid_is_zero(&change->old);
        break;
    case BOUGH_REF_ID:
        same = bough_oid_eq(&change->old, id);
        break;
    case BOUGH_REF_SYM:
        same = true; /* not compared */
        break;
    }
    return same ? BOUGH_OK : BOUGH_ETEST;
}

enum bough_err bough_txn_ref(struct bough_txn *t, const struct bough_ref_change *c)
{
    struct bough_why *why = &t->store->why;
    enum bough_err err = txn_ready(t);

    if (err)
        return err;
    if (c->name.len > BOUGH_REF_NAME_MAX)
        return BOUGH_WHY(why, BOUGH_ETOOBIG, "BOUGH_REF_NAME_MAX", c->name.ptr, c->name.len);
    if (c->kind == BOUGH_REF_SYM && c->target.len > BOUGH_REF_NAME_MAX)
        return BOUGH_WHY(why, BOUGH_ETOOBIG, "BOUGH_REF_NAME_MAX", c->target.ptr, c->target.len);
    if (c->name.len == 0 || (c->kind == BOUGH_REF_SYM && c->target.len == 0) ||
        (c->kind == BOUGH_REF_ID && bough_oid_is_zero(&c->id)))
        return BOUGH_WHY(
            why, BOUGH_EINVAL, "a ref without name or value", c->name.ptr, c->name.len);
    err = t->cls->ref(t, c);
    if (err == BOUGH_ETEST)
        return BOUGH_WHY(why, err, "the ref has another value", c->name.ptr, c->name.len);
    return bough_store__wrote(t->store, err);
}

/* A stream's name fits, and the engine keeps records. */
static enum bough_err stream_check(struct bough_txn *t, struct bough_view stream)
{
    struct bough_why *why = &t->store->why;
    enum bough_err err = txn_ready(t);

    if (err)
        return err;
    if (!(t->store->caps & BOUGH_STORE_RECORDS))
        return BOUGH_WHY(why, BOUGH_ENOTSUP, "this engine keeps no records", NULL, 0);
    if (stream.len > BOUGH_REF_NAME_MAX)
        return BOUGH_WHY(why, BOUGH_ETOOBIG, "BOUGH_REF_NAME_MAX", stream.ptr, stream.len);
    if (stream.len == 0)
        return BOUGH_WHY(why, BOUGH_EINVAL, "a record stream without name", NULL, 0);
    return BOUGH_OK;
}

enum bough_err bough_txn_record(
    struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq)
{
    enum bough_err err = stream_check(t, stream);
    uint64_t mine;

    if (err)
        return err;
    if (bytes.len > BOUGH_RECORD_MAX)
        return BOUGH_WHY(&t->store->why, BOUGH_ETOOBIG, "BOUGH_RECORD_MAX", stream.ptr, stream.len);
    return bough_store__wrote(
        t->store, t->cls->record(t, stream, bytes, seq != NULL ? seq : &mine));
}

enum bough_err bough_txn_retire(struct bough_txn *t, struct bough_view stream, uint64_t seq)
{
    enum bough_err err = stream_check(t, stream);

    if (err)
        return err;
    return bough_store__wrote(t->store, t->cls->retire(t, stream, seq));
}

enum bough_err bough_txn_adopt(struct bough_txn *t, struct bough_intake *in)
{
    enum bough_err err = txn_ready(t);

    BOUGH_ASSERT(in->store == t->store && in->done);
    if (err) {
        bough_intake_close(in);
        return err;
    }
    bough_store__parts_drop(in->cls->view(in));
    return bough_store__wrote(t->store, t->cls->adopt(t, in));
}

/* The transaction is over. */
static void txn_over(struct bough_store *s)
{
    s->txn = NULL;
    s->boundaries += s->boundary_changing;
    s->boundary_changing = false;
}

enum bough_err bough_txn_commit(struct bough_txn *t, enum bough_durable how)
{
    struct bough_store *s = t->store;
    enum bough_err err = txn_ready(t);

    if (err) {
        bough_txn_abort(t);
        return err;
    }
    bough_store__parts_drop(s); /* they may be of objects that move now */
    err = t->cls->commit(t, how);
    txn_over(s);
    s->boundary = BOUGH_BOUNDARY_UNKNOWN;
    return bough_store__wrote(s, err);
}

void bough_txn_abort(struct bough_txn *t)
{
    struct bough_store *s;

    if (t == NULL)
        return;
    s = t->store;
    BOUGH_ASSERT(s->txn == t);
    bough_store__parts_drop(s);
    t->cls->abort(t);
    txn_over(s);
}

/* ---- Intake ---- */

enum {
    INTAKE_FACTOR = 1000,
    INTAKE_COUNT = 50 * 1000 * 1000,
    INTAKE_MEMORY = 16 * 1024 * 1024,
    INTAKE_MEMORY_MIN = 4 * 1024 * 1024,
};

static void limits_default(struct bough_intake_limits *l)
{
    if (l->pack_len_max == 0)
        l->pack_len_max = UINT64_MAX; /* the engine knows its room */
    if (l->object_max == 0)
        l->object_max = BOUGH_OBJECT_MAX_DEFAULT;
    if (l->inflated_factor == 0)
        l->inflated_factor = INTAKE_FACTOR;
    if (l->count_max == 0)
        l->count_max = INTAKE_COUNT;
    if (l->memory == 0)
        l->memory = INTAKE_MEMORY;
    if (l->memory < INTAKE_MEMORY_MIN)
        l->memory = INTAKE_MEMORY_MIN;
}

enum bough_err bough_store_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out)
{
    struct bough_intake_opts o = {.check = NULL};
    enum bough_err err = bough_store__may_write(s);

    *out = NULL;
    if (err)
        return err;
    if (!(s->caps & BOUGH_STORE_INTAKE))
        return BOUGH_WHY(&s->why, BOUGH_ENOTSUP, "this engine takes no packs", NULL, 0);
    if (opts != NULL)
        o = *opts;
    limits_default(&o.limits);
    return bough_store__wrote(s, s->cls->intake(s, &o, out));
}

/* An intake that failed stays failed: only close is left. */
static enum bough_err intake_ended(struct bough_intake *in, enum bough_err err)
{
    if (err && err != BOUGH_EAGAIN)
        in->failed = err;
    return bough_store__wrote(in->store, err);
}

enum bough_err bough_intake_feed(struct bough_intake *in, struct bough_view bytes, size_t *used)
{
    *used = 0;
    if (in->failed)
        return in->failed;
    if (in->received || bytes.len == 0)
        return BOUGH_OK;
    return intake_ended(in, in->cls->feed(in, bytes, used));
}

enum bough_err bough_intake_step(struct bough_intake *in, uint64_t budget)
{
    enum bough_err err;

    if (in->failed)
        return in->failed;
    if (in->done)
        return BOUGH_OK;
    BOUGH_ASSERT(in->received);
    err = in->cls->step(in, budget);
    in->done = !err;
    return intake_ended(in, err);
}

struct bough_store *bough_intake_view(struct bough_intake *in)
{
    BOUGH_ASSERT(in->done);
    return in->cls->view(in);
}

enum bough_err bough_intake_ordinal(
    struct bough_intake *in, const struct bough_oid *id, uint64_t *out)
{
    BOUGH_ASSERT(in->done);
    return in->cls->ordinal(in, id, out);
}

void bough_intake_close(struct bough_intake *in)
{
    if (in == NULL)
        return;
    if (in->done)
        bough_store__parts_drop(in->cls->view(in));
    in->cls->close(in);
}
