/*
 * lmdb_txn_posix.c - transactions of the LMDB engine.
 *
 *   collecting   objects in a stage, packs, moves, records
 *   writing      all of it in one transaction of LMDB
 *   commit       again without dead readers or with a larger map, as long as that is what it lacks
 *
 * Nothing is written before commit, so that readers never see half of it and the writer's lock
 * of LMDB is held for a moment only.
 */
#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/lmdb_posix_inner.h"

enum { FORGET = 64 }; /* commits from one look for dead readers to the next */

static struct bough_store__lmdb *lmdb_of_txn(struct bough_txn *t)
{
    return bough_store__lmdb_of(t->store);
}

/* ---- Collecting ---- */

static enum bough_err txn_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    return bough_store__stage_put(&lmdb_of_txn(t)->own.stage, type, id, body);
}

static enum bough_err txn_ref(struct bough_txn *t, const struct bough_ref_change *change)
{
    return bough_store__moves_put(&lmdb_of_txn(t)->own.moves, t->store, change);
}

static enum bough_err record_add(struct bough_store__lmdb *l, struct bough_store__lmdb_record r)
{
    struct bough_store__lmdb_txn *own = &l->own;
    void *grown = own->records;
    enum bough_err err =
        bough_mem_grow(l->store.env->mem, &grown, &own->records_cap, own->records_n + 1, sizeof r);

    own->records = grown;
    if (err)
        return err;
    r.stream = bough_arena_copy(&own->arena, r.stream);
    r.bytes = bough_arena_copy(&own->arena, r.bytes);
    if (r.stream.ptr == NULL || (r.bytes.ptr == NULL && r.bytes.len > 0))
        return BOUGH_ENOMEM;
    own->records[own->records_n++] = r;
    return BOUGH_OK;
}

static enum bough_err txn_record(
    struct bough_txn *t, struct bough_view stream, struct bough_view bytes, uint64_t *seq)
{
    struct bough_store__lmdb *l = lmdb_of_txn(t);
    enum bough_err err = record_add(l,
        (struct bough_store__lmdb_record){.seq = l->own.seq + 1, .stream = stream, .bytes = bytes});

    if (err)
        return err;
    *seq = ++l->own.seq;
    return BOUGH_OK;
}

static enum bough_err txn_retire(struct bough_txn *t, struct bough_view stream, uint64_t seq)
{
    struct bough_store__lmdb *l = lmdb_of_txn(t);

    if (seq > l->own.seq)
        seq = l->own.seq; /* records to come are not meant */
    return record_add(
        l, (struct bough_store__lmdb_record){.retire = true, .seq = seq, .stream = stream});
}

static enum bough_err txn_adopt(struct bough_txn *t, struct bough_intake *in)
{
    struct bough_store__lmdb *l = lmdb_of_txn(t);
    struct bough_store__packet *x = bough_store__packet_of(in);

    x->next = l->own.adopted;
    l->own.adopted = x;
    return BOUGH_OK;
}

static void own_fini(struct bough_store__lmdb *l)
{
    struct bough_store__lmdb_txn *own = &l->own;

    bough_store__stage_fini(&own->stage);
    bough_store__moves_fini(&own->moves);
    bough_store__packet_close(own->adopted);
    bough_arena_fini(&own->arena);
    bough_mem_free(l->store.env->mem, own->records, own->records_cap * sizeof *own->records);
    own->records = NULL;
    own->records_n = own->records_cap = 0;
    own->adopted = NULL;
}

static void txn_abort(struct bough_txn *t)
{
    own_fini(lmdb_of_txn(t));
}

/* ---- Writing ---- */

/* Objects come as handles, so that a large one passes in pieces. */
static int write_staged(struct bough_store__lmdb *l, MDB_txn *txn, enum bough_err *err)
{
    const struct bough_store__stage *st = &l->own.stage;
    int code = 0;

    for (size_t i = 0; i < st->n && code == 0 && !*err; i++) {
        struct bough_object *o;

        *err = bough_store__lmdb_object_open(&l->store, &st->rows[i].id, &o);
        if (*err)
            break;
        code = bough_store__lmdb_keep(l, txn, &st->rows[i].id, o, err);
        bough_object_close(o);
    }
    return code;
}

static int write_packet(struct bough_store__lmdb *l, MDB_txn *txn,
    const struct bough_store__packet *x, enum bough_err *err)
{
    struct bough_store__packfile file = bough_store__packet_file(x);
    int code = 0;

    for (uint64_t i = 0; i < x->in.count && code == 0 && !*err; i++) {
        struct bough_store__intake_row row = bough_store__intake_row(x->core, i);
        struct bough_object *o;

        if (row.known)
            continue;
        *err = bough_store__packfile_open(&file, row.at, false, &o);
        if (*err)
            break;
        code = bough_store__lmdb_keep(l, txn, &row.id, o, err);
        bough_object_close(o);
    }
    return code;
}

static int write_all(struct bough_store__lmdb *l, MDB_txn *txn, enum bough_err *err)
{
    const struct bough_store__lmdb_txn *own = &l->own;
    int code = 0;

    for (size_t i = 0; i < own->moves.n && code == 0 && !*err; i++) /* first: they may be refused */
        code = bough_store__lmdb_move(l, txn, &own->moves.rows[i], err);
    if (code == 0 && !*err)
        code = write_staged(l, txn, err);
    for (const struct bough_store__packet *x = own->adopted; x != NULL && code == 0 && !*err;
         x = x->next)
        code = write_packet(l, txn, x, err);
    for (size_t i = 0; i < own->records_n && code == 0 && !*err; i++)
        code = bough_store__lmdb_record(l, txn, &own->records[i]);
    if (code == 0 && !*err && own->records_n > 0)
        code = bough_store__lmdb_seq_set(l, txn, own->seq);
    return code;
}

/* ---- Commit ---- */

static enum bough_err commit_once(struct bough_store__lmdb *l, bool *full)
{
    MDB_txn *txn;
    enum bough_err err = BOUGH_OK;
    int code = mdb_txn_begin(l->env, NULL, 0, &txn);

    if (code != 0)
        return bough_store__lmdb_err(l, code);
    code = write_all(l, txn, &err);
    if (code == 0 && !err) {
        code = mdb_txn_commit(txn);
        *full = code == MDB_MAP_FULL;
        return bough_store__lmdb_err(l, code);
    }
    mdb_txn_abort(txn);
    *full = code == MDB_MAP_FULL;
    return err ? err : bough_store__lmdb_err(l, code);
}

static enum bough_err txn_commit(struct bough_txn *t, enum bough_durable how)
{
    struct bough_store__lmdb *l = lmdb_of_txn(t);
    bool full = false;
    enum bough_err err;

    if (l->commits % FORGET == 0)
        (void)bough_store__lmdb_forget(l);
    /* Later: the new meta page is flushed with the next commit; what is on disk stays whole. */
    mdb_env_set_flags(l->env, MDB_NOMETASYNC, how == BOUGH_DURABLE_LATER);
    do {
        full = false;
        err = commit_once(l, &full);
        if (full && (bough_store__lmdb_forget(l) || bough_store__lmdb_grow(l) == BOUGH_OK))
            continue;
        break;
    } while (true);
    err = bough_store__lmdb_full(l, err);
    own_fini(l);
    if (!err) {
        l->commits++;
        l->syncs += how == BOUGH_DURABLE_NOW;
    }
    return err;
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

enum bough_err bough_store__lmdb_begin(struct bough_store *s, struct bough_txn **out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    struct bough_store__lmdb_txn *own = &l->own;
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, bough_store__lmdb_seq(l, txn, &own->seq));
    mdb_txn_abort(txn);
    if (err)
        return err;
    own->txn = (struct bough_txn){.cls = &txn_class, .store = s};
    bough_store__stage_init(&own->stage, s->env->mem, s->algo, l->path, &s->why);
    own->stage.count_max = SIZE_MAX; /* no files of their own: only size counts */
    own->moves = (struct bough_store__moves){.mem = s->env->mem};
    own->adopted = NULL;
    bough_arena_init(&own->arena, s->env->mem);
    *out = &own->txn;
    return BOUGH_OK;
}

enum bough_err bough_store__lmdb_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out)
{
    return bough_store__packet_open(s, bough_store__lmdb_of(s)->path, opts, out);
}
