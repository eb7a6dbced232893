/*
 * lmdb_refs_posix.c - refs and records in LMDB.
 *
 *   entries    the names that share a key, one after the other
 *   refs       one, the next
 *   moving     an entry put in, changed or taken out
 *   records    each, appended, retired; their numbers
 *
 * A key holds BOUGH_LMDB_KEY bytes at most, less than a name may have.  Names that begin with the
 * same bytes, as many as a key has, share a row; nearly every row has one entry, without a rest.
 */
#include "store/hosted_inner.h"
#include "store/lmdb_posix_inner.h"

/* ---- Entries ---- */

struct entry {
    struct bough_view rest;
    enum bough_ref_kind kind;
    struct bough_oid id, peeled;
    struct bough_view target;
};

static struct bough_view key_of(struct bough_view name)
{
    return bough_view(name.ptr, name.len < BOUGH_LMDB_KEY ? name.len : BOUGH_LMDB_KEY);
}

static struct bough_view rest_of(struct bough_view name)
{
    size_t n = key_of(name).len;

    return bough_view(name.ptr + n, name.len - n);
}

static bool take(struct bough_view *left, size_t n, struct bough_view *out)
{
    if (n > left->len)
        return false;
    *out = bough_view(left->ptr, n);
    *left = bough_view(left->ptr + n, left->len - n);
    return true;
}

static bool take_counted(struct bough_view *left, struct bough_view *out)
{
    struct bough_view n;

    return take(left, 4, &n) && take(left, bough_get32be(n.ptr), out);
}

/* The next entry of a row; BOUGH_ENOENT: no more. */
static enum bough_err entry_next(
    struct bough_store__lmdb *l, struct bough_view *left, struct entry *out)
{
    size_t id_len = bough_algo_len(l->store.algo);
    struct bough_view kind, id, peeled;

    if (left->len == 0)
        return BOUGH_ENOENT;
    if (!take_counted(left, &out->rest) || !take(left, 1, &kind) || !take(left, id_len, &id) ||
        !take(left, id_len, &peeled) || !take_counted(left, &out->target) ||
        (kind.ptr[0] != BOUGH_REF_ID && kind.ptr[0] != BOUGH_REF_SYM))
        return BOUGH_WHY(&l->store.why, BOUGH_ECORRUPT, "a row of refs", NULL, 0);
    out->kind = (enum bough_ref_kind)kind.ptr[0];
    out->id = bough_oid_raw(l->store.algo, id.ptr);
    out->peeled = bough_oid_raw(l->store.algo, peeled.ptr);
    return BOUGH_OK;
}

static void entry_put(
    const struct bough_store__lmdb *l, struct bough_buf *out, const struct entry *e)
{
    size_t id_len = bough_algo_len(l->store.algo);

    bough_buf_put32be(out, (uint32_t)e->rest.len);
    bough_buf_put_view(out, e->rest);
    bough_buf_put_u8(out, (uint8_t)e->kind);
    bough_buf_put(out, e->id.bytes, id_len);
    bough_buf_put(out, e->peeled.bytes, id_len);
    bough_buf_put32be(out, (uint32_t)e->target.len);
    bough_buf_put_view(out, e->target);
}

/* ---- Refs ---- */

static enum bough_err show(struct bough_store__lmdb *l, struct bough_view key,
    const struct entry *e, struct bough_ref *out)
{
    size_t name_len = key.len + e->rest.len;

    bough_buf_clear(&l->lent);
    bough_buf_put_view(&l->lent, key);
    bough_buf_put_view(&l->lent, e->rest);
    bough_buf_put_view(&l->lent, e->target);
    *out = (struct bough_ref){.kind = e->kind, .id = e->id, .peeled = e->peeled};
    if (l->lent.err)
        return l->lent.err;
    out->name = bough_view(l->lent.ptr, name_len);
    out->target = bough_view(l->lent.ptr + name_len, e->target.len);
    return BOUGH_OK;
}

static struct bough_view view_of(const MDB_val *v)
{
    return bough_view(v->mv_data, v->mv_size);
}

static enum bough_err ref_get(
    struct bough_store__lmdb *l, MDB_txn *txn, struct bough_view name, struct bough_ref *out)
{
    struct bough_view key = key_of(name), left;
    MDB_val k = bough_store__lmdb_val(key.ptr, key.len), v;
    struct entry e;
    enum bough_err err =
        name.len == 0 ? BOUGH_ENOENT : bough_store__lmdb_err(l, mdb_get(txn, l->refs, &k, &v));

    if (err)
        return err;
    left = view_of(&v);
    while (!(err = entry_next(l, &left, &e))) {
        if (bough_view_eq(e.rest, rest_of(name)))
            return show(l, key, &e, out);
    }
    return err;
}

enum bough_err bough_store__lmdb_ref(
    struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = ref_get(l, txn, name, out);
    mdb_txn_abort(txn);
    return err;
}

static bool begins_with(struct bough_view name, struct bough_view prefix)
{
    return name.len >= prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

/* The first ref that is greater than `from`, or equal when `same`. */
static enum bough_err ref_from(struct bough_store__lmdb *l, MDB_cursor *cursor,
    struct bough_view from, bool same, struct bough_ref *out)
{
    struct bough_view key = key_of(from);
    MDB_val k = bough_store__lmdb_val(key.ptr, key.len), v;
    MDB_cursor_op op = key.len == 0 ? MDB_FIRST : MDB_SET_RANGE;
    enum bough_err err;

    while (!(err = bough_store__lmdb_err(l, mdb_cursor_get(cursor, &k, &v, op)))) {
        struct bough_view left = view_of(&v);
        struct entry e;
        while (!(err = entry_next(l, &left, &e))) {
            int order;
            err = show(l, view_of(&k), &e, out);
            order = err ? 0 : bough_view_cmp(out->name, from);
            if (err || order > 0 || (order == 0 && same))
                return err;
        }
        if (err != BOUGH_ENOENT)
            return err;
        op = MDB_NEXT;
    }
    return err;
}

enum bough_err bough_store__lmdb_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    bool below = bough_view_cmp(after, prefix) < 0; /* then the prefix itself is to be looked at */
    MDB_cursor *cursor;
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, mdb_cursor_open(txn, l->refs, &cursor));
    if (!err) {
        err = ref_from(l, cursor, below ? prefix : after, below, out);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (!err && !begins_with(out->name, prefix))
        err = BOUGH_ENOENT;
    return err;
}

/* ---- Moving ---- */

/* The row without the entry of that rest, and with `now` (unless NULL) in its place. */
static enum bough_err row_make(struct bough_store__lmdb *l, struct bough_view row,
    struct bough_view rest, const struct entry *now, struct bough_buf *out)
{
    struct entry e;
    bool placed = now == NULL;
    enum bough_err err;

    while (!(err = entry_next(l, &row, &e))) {
        int order = bough_view_cmp(e.rest, rest);
        if (order >= 0 && !placed)
            entry_put(l, out, now);
        placed = placed || order >= 0;
        if (order != 0)
            entry_put(l, out, &e);
    }
    if (!placed)
        entry_put(l, out, now);
    return err == BOUGH_ENOENT ? out->err : err;
}

int bough_store__lmdb_move(struct bough_store__lmdb *l, MDB_txn *txn,
    const struct bough_store__move *v, enum bough_err *err)
{
    struct bough_view name = bough_store__move_name(v), key = key_of(name);
    struct entry now = {.rest = rest_of(name),
        .kind = v->kind,
        .id = v->id,
        .peeled = v->peeled,
        .target = bough_store__move_target(v)};
    MDB_val k = bough_store__lmdb_val(key.ptr, key.len), row = {0, NULL};
    struct bough_ref was = {.kind = BOUGH_REF_NONE};
    struct bough_buf out;
    int code = mdb_get(txn, l->refs, &k, &row);

    *err = BOUGH_OK;
    if (code != 0 && code != MDB_NOTFOUND)
        return code;
    if (v->check) { /* another process may have written since */
        *err = ref_get(l, txn, name, &was);
        if (*err == BOUGH_ENOENT)
            *err = BOUGH_OK;
        if (!*err && (was.kind != v->was || !bough_oid_eq(&was.id, &v->seen)))
            *err = BOUGH_WHY(
                &l->store.why, BOUGH_ETEST, "the ref was changed meanwhile", name.ptr, name.len);
        if (*err)
            return 0;
    }
    bough_buf_init(&out, l->store.env->mem);
    *err = row_make(l, view_of(&row), now.rest, v->kind == BOUGH_REF_NONE ? NULL : &now, &out);
    if (!*err && out.len > 0) {
        MDB_val fresh = bough_store__lmdb_val(out.ptr, out.len);
        code = mdb_put(txn, l->refs, &k, &fresh, 0);
    } else if (!*err) {
        code = code == MDB_NOTFOUND ? 0 : mdb_del(txn, l->refs, &k, NULL);
    }
    bough_buf_fini(&out);
    return code;
}

/* ---- Records ---- */

static enum bough_err record_parse(struct bough_store__lmdb *l, const MDB_val *v,
    struct bough_view *stream, struct bough_view *out)
{
    *out = view_of(v);
    return take_counted(out, stream)
               ? BOUGH_OK
               : BOUGH_WHY(&l->store.why, BOUGH_ECORRUPT, "a record", NULL, 0);
}

enum bough_err bough_store__lmdb_records(
    struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    MDB_cursor *cursor = NULL;
    MDB_txn *txn;
    bool more = true;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, mdb_cursor_open(txn, l->records, &cursor));
    while (!err && more) {
        struct bough_view stream, bytes;
        MDB_val k, v;

        err = bough_store__lmdb_err(l, mdb_cursor_get(cursor, &k, &v, MDB_NEXT));
        more = err != BOUGH_ENOENT;
        if (err || k.mv_size != 8) {
            err = !more ? BOUGH_OK : err ? err : BOUGH_ECORRUPT;
            continue;
        }
        err = record_parse(l, &v, &stream, &bytes);
        if (!err)
            err = fn(ctx, stream, bough_get64be(k.mv_data), bytes);
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return err;
}

static int retire(
    struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_store__lmdb_record *r)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int code = mdb_cursor_open(txn, l->records, &cursor);

    if (code != 0)
        return code;
    while ((code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
        struct bough_view stream, bytes;
        if (k.mv_size != 8 || bough_get64be(k.mv_data) > r->seq)
            break;
        if (record_parse(l, &v, &stream, &bytes) == BOUGH_OK && bough_view_eq(stream, r->stream))
            code = mdb_cursor_del(cursor, 0);
        if (code != 0)
            break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

int bough_store__lmdb_record(
    struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_store__lmdb_record *r)
{
    uint8_t seq[8], *p;
    MDB_val k = {sizeof seq, seq}, v = {4 + r->stream.len + r->bytes.len, NULL};
    int code;

    if (r->retire)
        return retire(l, txn, r);
    bough_put64be(seq, r->seq);
    code = mdb_put(txn, l->records, &k, &v, MDB_RESERVE);
    if (code != 0)
        return code;
    p = v.mv_data;
    bough_put32be(p, (uint32_t)r->stream.len);
    memcpy(p + 4, r->stream.ptr, r->stream.len);
    if (r->bytes.len > 0)
        memcpy(p + 4 + r->stream.len, r->bytes.ptr, r->bytes.len);
    return 0;
}

int bough_store__lmdb_seq(struct bough_store__lmdb *l, MDB_txn *txn, uint64_t *out)
{
    MDB_val k = bough_store__lmdb_val("seq", 3), v;
    int code = mdb_get(txn, l->meta, &k, &v);

    *out = code == 0 && v.mv_size == 8 ? bough_get64be(v.mv_data) : 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

int bough_store__lmdb_seq_set(struct bough_store__lmdb *l, MDB_txn *txn, uint64_t seq)
{
    uint8_t raw[8];
    MDB_val k = bough_store__lmdb_val("seq", 3), v = {sizeof raw, raw};

    bough_put64be(raw, seq);
    return mdb_put(txn, l->meta, &k, &v, 0);
}
