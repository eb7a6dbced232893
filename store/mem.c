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
#include "store/mem.h"

#include "store/mem_inner.h"

struct mem_txn {
    struct bough_txn txn;
    struct bough_mem__objects objects;
    struct bough_mem__refs refs;       /* changes: the last of each name */
    struct bough_mem__records records; /* appended */
    struct bough_mem__records retired; /* {stream, seq} without bytes */
    uint64_t seq;                      /* of the last record */
};

struct mem_store {
    struct bough_store store;
    struct bough_mem__objects objects;
    struct bough_mem__refs refs;
    struct bough_mem__records records;
    uint64_t seq; /* of the last record */
    uint64_t commits;
    struct mem_txn own; /* the one transaction there can be */
};

static struct mem_store *mem_of(struct bough_store *s)
{
    return (struct mem_store *)s; /* store is the first field */
}

/* ---- Reading ---- */

/* A locator is the row's number; the store's rows never move, and the id tells whose row it is. */
static struct bough_mem__object *object_at(
    struct mem_store *m, uint64_t where, const struct bough_oid *id)
{
    struct bough_mem__object *o;

    if (where != 0 && where <= m->objects.rows.n) {
        o = m->objects.rows.ptr[where - 1];
        if (bough_oid_eq(&o->id, id))
            return o;
    }
    o = bough_mem__objects_find(&m->objects, id);
    if (o == NULL && m->store.txn != NULL)
        o = bough_mem__objects_find(&m->own.objects, id);
    return o;
}

static enum bough_err mem_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    const struct bough_mem__object *o = object_at(mem_of(s), 0, id);

    if (o == NULL)
        return BOUGH_ENOENT;
    *out = (struct bough_found){.type = o->type, .size = o->size, .where = o->row};
    return BOUGH_OK;
}

static enum bough_err mem_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    const struct bough_mem__object *o = object_at(mem_of(s), where, id);

    if (o == NULL)
        return BOUGH_ENOENT;
    if (o->size > s->object_max)
        return BOUGH_ETOOBIG;
    *type = o->type;
    bough_buf_put(out, o->body, o->size);
    return out->err;
}

static enum bough_err mem_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_mem__object *o = object_at(mem_of(s), 0, id);

    return o == NULL ? BOUGH_ENOENT : bough_mem__object_open(s->env->mem, o, out);
}

static enum bough_err mem_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct mem_store *m = mem_of(s);

    for (size_t i = 0; i < m->objects.rows.n; i++) {
        const struct bough_mem__object *o = m->objects.rows.ptr[i];
        struct bough_found found = {.type = o->type, .size = o->size, .where = o->row};
        enum bough_err err = fn(ctx, &o->id, &found);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err mem_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    const struct bough_mem__ref *ref = bough_mem__refs_find(&mem_of(s)->refs, name);

    if (ref == NULL)
        return BOUGH_ENOENT;
    bough_mem__ref_show(ref, out);
    return BOUGH_OK;
}

static enum bough_err mem_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    const struct bough_mem__refs *refs = &mem_of(s)->refs;
    bool found = false;
    size_t i;

    /* What is greater than `after` and begins with `prefix` is not below `prefix`. */
    if (bough_view_cmp(after, prefix) < 0) {
        i = bough_mem__refs_seek(refs, prefix, &found);
    } else {
        i = bough_mem__refs_seek(refs, after, &found);
        i += found;
    }
    if (i == refs->rows.n)
        return BOUGH_ENOENT;
    bough_mem__ref_show(refs->rows.ptr[i], out);
    if (out->name.len < prefix.len || !bough_view_eq(bough_view(out->name.ptr, prefix.len), prefix))
        return BOUGH_ENOENT;
    return BOUGH_OK;
}

static enum bough_err mem_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    const struct bough_mem__vec *rows = &mem_of(s)->records.rows;

    for (size_t i = 0; i < rows->n; i++) {
        const struct bough_mem__record *r = rows->ptr[i];
        enum bough_err err =
            fn(ctx, bough_mem__record_stream(r), r->seq, bough_mem__record_bytes(r));
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err mem_stat(struct bough_store *s, struct bough_store_stats *out)
{
    const struct mem_store *m = mem_of(s);

    out->objects = m->objects.rows.n;
    out->refs = m->refs.rows.n;
    out->records = m->records.rows.n;
    out->used_bytes = m->objects.bytes;
    out->commits = m->commits;
    return BOUGH_OK;
}

/* ---- Transactions ---- */

static struct mem_store *txn_mem(struct bough_txn *t)
{
    return mem_of(t->store);
}

static enum bough_err txn_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    struct mem_store *m = txn_mem(t);
    struct bough_mem *mem = t->store->env->mem;
    struct bough_mem__object *o;
    enum bough_err err;

    if (object_at(m, 0, id) != NULL)
        return BOUGH_OK;
    err = bough_mem__objects_reserve(&m->own.objects, mem, 1);
    if (err)
        return err;
    o = bough_mem__object_new(mem, id, type, body);
    if (o == NULL)
        return BOUGH_ENOMEM;
    bough_mem__objects_add(&m->own.objects, mem, o);
    return BOUGH_OK;
}

static enum bough_err txn_ref(struct bough_txn *t, const struct bough_ref_change *change)
{
    struct mem_store *m = txn_mem(t);
    const struct bough_mem__ref *now = bough_mem__refs_find(&m->own.refs, change->name);
    enum bough_err err;

    if (now == NULL)
        now = bough_mem__refs_find(&m->refs, change->name);
    err = bough_store__ref_check(
        change, now != NULL ? now->kind : BOUGH_REF_NONE, now != NULL ? &now->id : NULL);
    if (err)
        return err;
    return bough_mem__refs_set(&m->own.refs, t->store->env->mem, change);
}

static enum bough_err txn_record(
    struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq)
{
    struct mem_txn *own = &txn_mem(t)->own;
    enum bough_err err =
        bough_mem__records_add(&own->records, t->store->env->mem, stream, own->seq + 1, bytes);

    if (err)
        return err;
    *seq = ++own->seq;
    return BOUGH_OK;
}

static enum bough_err txn_retire(struct bough_txn *t, struct bough_view stream, uint64_t seq)
{
    struct mem_txn *own = &txn_mem(t)->own;
    struct bough_mem *mem = t->store->env->mem;
    enum bough_err err;

    if (seq > own->seq)
        seq = own->seq; /* records to come are not meant */
    err = bough_mem__records_add(&own->retired, mem, stream, seq, bough_view(NULL, 0));
    if (!err)
        bough_mem__records_retire(&own->records, mem, stream, seq);
    return err;
}

static void own_fini(struct mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;

    bough_mem__objects_fini(&m->own.objects, mem);
    bough_mem__refs_fini(&m->own.refs, mem);
    bough_mem__records_fini(&m->own.records, mem);
    bough_mem__records_fini(&m->own.retired, mem);
}

static enum bough_err own_reserve(struct mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;
    enum bough_err err = bough_mem__objects_reserve(&m->objects, mem, m->own.objects.rows.n);

    if (!err)
        err = bough_mem__vec_reserve(&m->refs.rows, mem, m->own.refs.rows.n);
    if (!err)
        err = bough_mem__vec_reserve(&m->records.rows, mem, m->own.records.rows.n);
    return err;
}

static void own_move(struct mem_store *m)
{
    struct bough_mem *mem = m->store.env->mem;
    struct bough_mem__vec *add = &m->own.records.rows;

    bough_mem__objects_move(&m->objects, mem, &m->own.objects);
    bough_mem__refs_apply(&m->refs, mem, &m->own.refs);
    for (size_t i = 0; i < m->own.retired.rows.n; i++) {
        const struct bough_mem__record *r = m->own.retired.rows.ptr[i];
        bough_mem__records_retire(&m->records, mem, bough_mem__record_stream(r), r->seq);
    }
    for (size_t i = 0; i < add->n; i++)
        bough_mem__vec_insert(&m->records.rows, m->records.rows.n, add->ptr[i]);
    add->n = 0;
    m->seq = m->own.seq;
    m->commits++;
}

static enum bough_err txn_commit(struct bough_txn *t, enum bough_durable how)
{
    struct mem_store *m = txn_mem(t);
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
    .commit = txn_commit,
    .abort = txn_abort,
};

static enum bough_err mem_begin(struct bough_store *s, struct bough_txn **out)
{
    struct mem_store *m = mem_of(s);

    m->own = (struct mem_txn){
        .txn = {&txn_class, s},
        .objects = {.key = m->objects.key},
        .seq = m->seq,
    };
    *out = &m->own.txn;
    return BOUGH_OK;
}

/* ---- Opening ---- */

static void mem_close(struct bough_store *s)
{
    struct mem_store *m = mem_of(s);
    struct bough_mem *mem = s->env->mem;

    bough_mem__objects_fini(&m->objects, mem);
    bough_mem__refs_fini(&m->refs, mem);
    bough_mem__records_fini(&m->records, mem);
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
    struct mem_store *m = bough_mem_zalloc(env->mem, 1, sizeof *m);
    enum bough_err err;

    *out = NULL;
    if (m == NULL)
        return BOUGH_ENOMEM;
    m->store.cls = &mem_class;
    m->store.env = env;
    m->store.caps = BOUGH_STORE_ATOMIC_REFS | BOUGH_STORE_RECORDS;
    m->store.algo = algo;
    m->store.object_max = BOUGH_OBJECT_MAX_DEFAULT;
    bough_env_random(env, &m->objects.key, sizeof m->objects.key);
    err = bough_mem__refs_set(&m->refs, env->mem, &change);
    if (err) {
        mem_close(&m->store);
        return err;
    }
    *out = &m->store;
    return BOUGH_OK;
}
