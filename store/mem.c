/*
 * mem.c - the memory engine.
 *
 *   reading        objects, the transaction's own included; refs; records
 *   transactions   collected beside the store, moved into it by commit
 *   opening
 *
 * A transaction has the same parts as the store: its objects, its ref
 * changes, its records and its retirements.  Commit reserves room for all of
 * them, which may fail, and then moves them, which cannot.
 */
#include "store/engine.h"
#include "store/inner.h"
#include "store/mem.h"
#include "store/mem_inner.h"

static struct bough_store__mem_store *mem_of(struct bough_store *s)
{
    return (struct bough_store__mem_store *)s; /* store is the first field */
}

/* ---- Reading ---- */

/* What a reader sees: what is committed, and its own transaction's objects. */
static struct bough_store__mem_sight sight_of(struct bough_store *s)
{
    const struct bough_store__mem_store *m = mem_of(s);

    return (struct bough_store__mem_sight){
        .mem = s->env->mem,
        .algo = s->algo,
        .of = {&m->objects, s->txn != NULL ? &m->own.objects : NULL},
    };
}

enum bough_err bough_store__mem_find(
    const struct bough_store__mem_sight *sight, const struct bough_oid *id, struct bough_found *out)
{
    const struct bough_store__mem_object *o = bough_store__mem_see(sight, id);

    if (o == NULL)
        return BOUGH_ENOENT;
    *out = (struct bough_found){.type = o->type, .size = o->size, .where = o->row};
    return BOUGH_OK;
}

static enum bough_err mem_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_store__mem_sight sight = sight_of(s);

    return bough_store__mem_find(&sight, id, out);
}

/* A locator is the row's number; the store's rows never move, and the id tells whose row it is. */
static const struct bough_store__mem_object *object_at(
    struct bough_store *s, uint64_t where, const struct bough_oid *id)
{
    const struct bough_store__mem_vec *rows = &mem_of(s)->objects.rows;
    struct bough_store__mem_sight sight = sight_of(s);

    if (where != 0 && where <= rows->n) {
        const struct bough_store__mem_object *o = rows->ptr[where - 1];
        if (bough_oid_eq(&o->id, id))
            return o;
    }
    return bough_store__mem_see(&sight, id);
}

static enum bough_err mem_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    const struct bough_store__mem_object *o = object_at(s, where, id);
    struct bough_store__mem_sight sight = sight_of(s);

    if (o == NULL)
        return BOUGH_ENOENT;
    if (o->size > s->object_max)
        return BOUGH_ETOOBIG;
    *type = o->type;
    return bough_store__mem_object_read(&sight, o, out);
}

static enum bough_err mem_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_store__mem_sight sight = sight_of(s);
    struct bough_store__mem_object *o = bough_store__mem_see(&sight, id);

    return o == NULL ? BOUGH_ENOENT : bough_store__mem_object_open(&sight, o, out);
}

enum bough_err bough_store__mem_each(
    const struct bough_store__mem_objects *t, bough_store_each_fn *fn, void *ctx)
{
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct bough_store__mem_object *o = t->rows.ptr[i];
        struct bough_found found = {.type = o->type, .size = o->size, .where = o->row};
        enum bough_err err = fn(ctx, &o->id, &found);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err mem_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    return bough_store__mem_each(&mem_of(s)->objects, fn, ctx);
}

static enum bough_err mem_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    const struct bough_store__mem_ref *ref = bough_store__mem_refs_find(&mem_of(s)->refs, name);

    if (ref == NULL)
        return BOUGH_ENOENT;
    bough_store__mem_ref_show(ref, out);
    return BOUGH_OK;
}

static enum bough_err mem_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    const struct bough_store__mem_refs *refs = &mem_of(s)->refs;
    bool found = false;
    size_t i;

    /* What is greater than `after` and begins with `prefix` is not below `prefix`. */
    if (bough_view_cmp(after, prefix) < 0) {
        i = bough_store__mem_refs_seek(refs, prefix, &found);
    } else {
        i = bough_store__mem_refs_seek(refs, after, &found);
        i += found;
    }
    if (i == refs->rows.n)
        return BOUGH_ENOENT;
    bough_store__mem_ref_show(refs->rows.ptr[i], out);
    if (out->name.len < prefix.len || !bough_view_eq(bough_view(out->name.ptr, prefix.len), prefix))
        return BOUGH_ENOENT;
    return BOUGH_OK;
}

static enum bough_err mem_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    const struct bough_store__mem_vec *rows = &mem_of(s)->records.rows;

    for (size_t i = 0; i < rows->n; i++) {
        const struct bough_store__mem_record *r = rows->ptr[i];
        enum bough_err err =
            fn(ctx, bough_store__mem_record_stream(r), r->seq, bough_store__mem_record_bytes(r));
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err mem_stat(struct bough_store *s, struct bough_store_stats *out)
{
    const struct bough_store__mem_store *m = mem_of(s);

    out->objects = m->objects.rows.n;
    out->refs = m->refs.rows.n;
    out->records = m->records.rows.n;
    out->used_bytes = m->objects.bytes;
    out->commits = m->commits;
    return BOUGH_OK;
}

/* ---- Transactions ---- */

static struct bough_store__mem_store *txn_mem(struct bough_txn *t)
{
    return mem_of(t->store);
}

static uint64_t seconds_now(struct bough_store *s)
{
    struct bough_time now = bough_env_now(s->env);

    return now.sec < 0 ? 0 : (uint64_t)now.sec;
}

static enum bough_err txn_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct bough_store__mem_store *m = txn_mem(t);
    struct bough_mem *mem = t->store->env->mem;
    struct bough_store__mem_object *o;
    enum bough_err err;

    o = bough_store__mem_objects_find(&m->objects, id);
    if (o != NULL)
        o->born = seconds_now(t->store); /* young again: who puts it means to use it */
    if (o != NULL || object_at(t->store, 0, id) != NULL)
        return BOUGH_OK;
    err = bough_store__mem_objects_reserve(&m->own.objects, mem, 1);
    if (err)
        return err;
    o = bough_store__mem_object_new(mem, id, type, body);
    if (o == NULL)
        return BOUGH_ENOMEM;
    bough_store__mem_objects_add(&m->own.objects, mem, o);
    return BOUGH_OK;
}

static enum bough_err txn_ref(struct bough_txn *t, const struct bough_ref_change *change)
{
    struct bough_store__mem_store *m = txn_mem(t);
    const struct bough_store__mem_ref *now = bough_store__mem_refs_find(&m->own.refs, change->name);
    enum bough_err err;

    if (now == NULL)
        now = bough_store__mem_refs_find(&m->refs, change->name);
    err = bough_store__ref_check(
        change, now != NULL ? now->kind : BOUGH_REF_NONE, now != NULL ? &now->id : NULL);
    if (err)
        return err;
    return bough_store__mem_refs_set(&m->own.refs, t->store->env->mem, change);
}

static enum bough_err txn_record(
    struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq)
{
    struct bough_store__mem_txn *own = &txn_mem(t)->own;
    enum bough_err err = bough_store__mem_records_add(
        &own->records, t->store->env->mem, stream, own->seq + 1, bytes);

    if (err)
        return err;
    *seq = ++own->seq;
    return BOUGH_OK;
}

static enum bough_err txn_retire(struct bough_txn *t, struct bough_view stream, uint64_t seq)
{
    struct bough_store__mem_txn *own = &txn_mem(t)->own;
    struct bough_mem *mem = t->store->env->mem;
    enum bough_err err;

    if (seq > own->seq)
        seq = own->seq; /* records to come are not meant */
    err = bough_store__mem_records_add(&own->retired, mem, stream, seq, bough_view(NULL, 0));
    if (!err)
        bough_store__mem_records_retire(&own->records, mem, stream, seq);
    return err;
}

static enum bough_err txn_adopt(struct bough_txn *t, struct bough_intake *in)
{
    return bough_store__mem_intake_adopt(in, &txn_mem(t)->own.objects);
}

static void own_fini(struct bough_store__mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;

    bough_store__mem_objects_fini(&m->own.objects, mem);
    bough_store__mem_refs_fini(&m->own.refs, mem);
    bough_store__mem_records_fini(&m->own.records, mem);
    bough_store__mem_records_fini(&m->own.retired, mem);
}

static enum bough_err own_reserve(struct bough_store__mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;
    enum bough_err err = bough_store__mem_objects_reserve(&m->objects, mem, m->own.objects.rows.n);

    if (!err)
        err = bough_store__mem_vec_reserve(&m->refs.rows, mem, m->own.refs.rows.n);
    if (!err)
        err = bough_store__mem_vec_reserve(&m->records.rows, mem, m->own.records.rows.n);
    return err;
}

static void own_move(struct bough_store__mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;
    struct bough_store__mem_vec *add = &m->own.records.rows;
    uint64_t now = seconds_now(&m->store);

    for (size_t i = 0; i < m->own.objects.rows.n; i++)
        ((struct bough_store__mem_object *)m->own.objects.rows.ptr[i])->born = now;
    bough_store__mem_objects_move(&m->objects, mem, &m->own.objects);
    bough_store__mem_refs_apply(&m->refs, mem, &m->own.refs);
    for (size_t i = 0; i < m->own.retired.rows.n; i++) {
        const struct bough_store__mem_record *r = m->own.retired.rows.ptr[i];
        bough_store__mem_records_retire(
            &m->records, mem, bough_store__mem_record_stream(r), r->seq);
    }
    for (size_t i = 0; i < add->n; i++)
        bough_store__mem_vec_insert(&m->records.rows, m->records.rows.n, add->ptr[i]);
    add->n = 0;
    m->seq = m->own.seq;
    m->commits++;
}

static enum bough_err txn_commit(struct bough_txn *t, enum bough_durable how)
{
    struct bough_store__mem_store *m = txn_mem(t);
    enum bough_err err = own_reserve(m);

    (void)how;
    if (!err)
        own_move(m);
    own_fini(m);
    return err;
}

static void txn_abort(struct bough_txn *t)
{
    own_fini(txn_mem(t));
}

static const struct bough_txn_class txn_class = {
    .put = txn_put,
    .ref = txn_ref,
    .record = txn_record,
    .retire = txn_retire,
    .adopt = txn_adopt,
    .commit = txn_commit,
    .abort = txn_abort,
};

static enum bough_err mem_begin(struct bough_store *s, struct bough_txn **out)
{
    struct bough_store__mem_store *m = mem_of(s);

    m->own = (struct bough_store__mem_txn){
        .txn = {.cls = &txn_class, .store = s},
        .objects = {.key = m->objects.key},
        .seq = m->seq,
    };
    *out = &m->own.txn;
    return BOUGH_OK;
}

/* ---- Opening ---- */

static void mem_close(struct bough_store *s)
{
    struct bough_store__mem_store *m = mem_of(s);
    struct bough_mem *mem = s->env->mem;

    bough_store__mem_objects_fini(&m->objects, mem);
    bough_store__mem_refs_fini(&m->refs, mem);
    bough_store__mem_records_fini(&m->records, mem);
    bough_mem_free(mem, m, sizeof *m);
}

static const struct bough_store_class mem_class = {
    .name = "mem",
    .close = mem_close,
    .find = mem_find,
    .read = mem_read,
    .object_open = mem_object_open,
    .each = mem_each,
    .ref = mem_ref,
    .ref_next = mem_ref_next,
    .records = mem_records,
    .begin = mem_begin,
    .intake = bough_store__mem_intake,
    .maintain = bough_store__mem_maintain,
    .collect = bough_store__mem_collect,
    .collection = bough_store__mem_collection,
    .stat = mem_stat,
};

enum bough_err bough_mem_store_open(
    const struct bough_env *env, enum bough_algo algo, struct bough_store **out)
{
    static const uint8_t head[] = "HEAD", main_branch[] = "refs/heads/main";
    const struct bough_ref_change change = {
        .name = {head, sizeof head - 1},
        .kind = BOUGH_REF_SYM,
        .target = {main_branch, sizeof main_branch - 1},
    };
    struct bough_store__mem_store *m = bough_mem_zalloc(env->mem, 1, sizeof *m);
    enum bough_err err;

    *out = NULL;
    if (m == NULL)
        return BOUGH_ENOMEM;
    m->store.cls = &mem_class;
    m->store.env = env;
    m->store.caps =
        BOUGH_STORE_ATOMIC_REFS | BOUGH_STORE_RECORDS | BOUGH_STORE_INTAKE | BOUGH_STORE_MAINTAIN;
    m->store.algo = algo;
    m->store.object_max = BOUGH_OBJECT_MAX_DEFAULT;
    bough_env_random(env, &m->objects.key, sizeof m->objects.key);
    err = bough_store__mem_refs_set(&m->refs, env->mem, &change);
    if (err) {
        mem_close(&m->store);
        return err;
    }
    *out = &m->store;
    return BOUGH_OK;
}
