/*
 * lmdb_objects_posix.c - objects in LMDB.
 *
 *   values     type, form, size; bytes as they are or deflated; chunks
 *   keeping    one object, a piece at a time
 *   own        what the open transaction put or adopted
 *   reading    find, has, read, handles
 *   walking    each, abbreviations
 */
#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/inner.h"
#include "store/lmdb_posix_inner.h"

enum { HEAD = 10, LEVEL = 1, KEY_MAX = BOUGH_DIGEST_MAX + 4, SMALL = 64 };
enum form { FORM_RAW, FORM_ZLIB, FORM_CHUNKS };

/* ---- Values ---- */

struct value {
    enum bough_type type;
    enum form form;
    uint64_t size;
    struct bough_view bytes;
};

static enum bough_err value_parse(
    struct bough_store__lmdb *l, const struct bough_oid *id, const MDB_val *v, struct value *out)
{
    const uint8_t *p = v->mv_data;
    char hex[BOUGH_HEX_MAX];

    if (v->mv_size >= HEAD && p[0] >= BOUGH_COMMIT && p[0] <= BOUGH_TAG && p[1] <= FORM_CHUNKS) {
        *out = (struct value){.type = (enum bough_type)p[0],
            .form = (enum form)p[1],
            .size = bough_get64be(p + 2),
            .bytes = bough_view(p + HEAD, v->mv_size - HEAD)};
        return BOUGH_OK;
    }
    return BOUGH_WHY(&l->store.why, BOUGH_ECORRUPT, "an object's value", hex,
        bough_oid_hex(l->store.algo, id, hex));
}

static enum bough_err value_get(
    struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_oid *id, struct value *out)
{
    MDB_val key = bough_store__lmdb_val(id->bytes, bough_algo_len(l->store.algo)), v;
    enum bough_err err = bough_store__lmdb_err(l, mdb_get(txn, l->objects, &key, &v));

    return err ? err : value_parse(l, id, &v, out);
}

/* Bytes of a form, whole, to `dst`. */
static enum bough_err unpack(
    struct bough_store__lmdb *l, enum form form, struct bough_view bytes, uint8_t *dst, size_t len)
{
    size_t used;
    enum bough_err err;

    if (form == FORM_RAW) {
        if (bytes.len != len)
            return BOUGH_ECORRUPT;
        memcpy(dst, bytes.ptr, len);
        return BOUGH_OK;
    }
    err = bough_inflate(l->store.env->mem, bytes, dst, len, &used);
    return err == BOUGH_EFORMAT ? BOUGH_ECORRUPT : err;
}

static size_t chunk_key(
    struct bough_store__lmdb *l, const struct bough_oid *id, uint64_t n, uint8_t key[KEY_MAX])
{
    size_t len = bough_algo_len(l->store.algo);

    memcpy(key, id->bytes, len);
    bough_put32be(key + len, (uint32_t)n);
    return len + 4;
}

static size_t chunk_len(uint64_t size, uint64_t n)
{
    uint64_t left = size - n * BOUGH_LMDB_CHUNK;

    return left < BOUGH_LMDB_CHUNK ? (size_t)left : BOUGH_LMDB_CHUNK;
}

static enum bough_err chunk_read(struct bough_store__lmdb *l, MDB_txn *txn,
    const struct bough_oid *id, uint64_t size, uint64_t n, uint8_t *dst)
{
    uint8_t raw[KEY_MAX];
    MDB_val key = bough_store__lmdb_val(raw, chunk_key(l, id, n, raw)), v;
    enum bough_err err = bough_store__lmdb_err(l, mdb_get(txn, l->chunks, &key, &v));
    const uint8_t *p = v.mv_data;

    if (err)
        return err == BOUGH_ENOENT ? BOUGH_ECORRUPT : err;
    if (v.mv_size < 1 || p[0] > FORM_ZLIB)
        return BOUGH_ECORRUPT;
    return unpack(l, (enum form)p[0], bough_view(p + 1, v.mv_size - 1), dst, chunk_len(size, n));
}

/* ---- Keeping ---- */

/* Append form and bytes: deflated where that helps. */
static void form_put(struct bough_buf *out, size_t form_at, struct bough_view bytes)
{
    size_t from = out->len;

    if (bytes.len >= SMALL)
        bough_deflate(out, bytes, LEVEL);
    if (!out->err && bytes.len >= SMALL && out->len - from < bytes.len) {
        out->ptr[form_at] = FORM_ZLIB;
        return;
    }
    if (!out->err) {
        out->len = from;
        out->ptr[form_at] = FORM_RAW;
    }
    bough_buf_put_view(out, bytes);
}

static void head_put(struct bough_buf *out, const struct bough_object *o, enum form form)
{
    uint8_t head[HEAD] = {(uint8_t)o->type, (uint8_t)form};

    bough_put64be(head + 2, o->size);
    bough_buf_put(out, head, sizeof head);
}

static int keep_chunks(struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_oid *id,
    struct bough_object *o, uint8_t *piece, struct bough_buf *out, enum bough_err *err)
{
    uint8_t raw[KEY_MAX];
    int code = 0;

    for (uint64_t n = 0; n * BOUGH_LMDB_CHUNK < o->size && code == 0; n++) {
        MDB_val key = bough_store__lmdb_val(raw, chunk_key(l, id, n, raw)), v;
        size_t len = chunk_len(o->size, n), got;

        *err = bough_object_read(o, n * BOUGH_LMDB_CHUNK, piece, len, &got);
        bough_buf_clear(out);
        bough_buf_put_u8(out, FORM_RAW);
        form_put(out, 0, bough_view(piece, len));
        if (!*err)
            *err = out->err;
        if (*err)
            return 0;
        v = bough_store__lmdb_val(out->ptr, out->len);
        code = mdb_put(txn, l->chunks, &key, &v, 0);
    }
    bough_buf_clear(out);
    head_put(out, o, FORM_CHUNKS);
    *err = *err ? *err : out->err;
    return code;
}

int bough_store__lmdb_keep(struct bough_store__lmdb *l, MDB_txn *txn, const struct bough_oid *id,
    struct bough_object *o, enum bough_err *err)
{
    MDB_val key = bough_store__lmdb_val(id->bytes, bough_algo_len(l->store.algo)), v;
    size_t len = o->size < BOUGH_LMDB_CHUNK ? (size_t)o->size : BOUGH_LMDB_CHUNK, got;
    uint8_t *piece;
    struct bough_buf out;
    int code = mdb_get(txn, l->objects, &key, &v);

    *err = BOUGH_OK;
    if (code != MDB_NOTFOUND)
        return code;
    piece = bough_mem_alloc(l->store.env->mem, len + 1);
    if (piece == NULL)
        return *err = BOUGH_ENOMEM, 0;
    bough_buf_init(&out, l->store.env->mem);
    code = 0;
    if (o->size > BOUGH_LMDB_CHUNK) {
        code = keep_chunks(l, txn, id, o, piece, &out, err);
    } else {
        *err = bough_object_read(o, 0, piece, len, &got);
        head_put(&out, o, FORM_RAW);
        form_put(&out, 1, bough_view(piece, len));
        *err = *err ? *err : out.err;
    }
    if (code == 0 && !*err) {
        v = bough_store__lmdb_val(out.ptr, out.len);
        code = mdb_put(txn, l->objects, &key, &v, 0);
    }
    bough_buf_fini(&out);
    bough_mem_free(l->store.env->mem, piece, len + 1);
    return code;
}

/* ---- Own ---- */

static const struct bough_store__staged *own_staged(
    struct bough_store__lmdb *l, const struct bough_oid *id)
{
    return l->store.txn == NULL ? NULL : bough_store__stage_find(&l->own.stage, id);
}

static const struct bough_store__packet *own_adopted(
    struct bough_store__lmdb *l, const struct bough_oid *id, uint64_t *at)
{
    if (l->store.txn == NULL)
        return NULL;
    for (const struct bough_store__packet *x = l->own.adopted; x != NULL; x = x->next) {
        if (bough_store__packet_find(x, id, at) == BOUGH_OK)
            return x;
    }
    return NULL;
}

/* ---- Reading ---- */

enum bough_err bough_store__lmdb_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    const struct bough_store__staged *row = own_staged(l, id);
    const struct bough_store__packet *x;
    struct value v;
    MDB_txn *txn;
    uint64_t at;
    enum bough_err err;

    if (row != NULL) {
        *out = (struct bough_found){.type = row->type, .size = row->size};
        return BOUGH_OK;
    }
    x = own_adopted(l, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_look(&file, at, out);
    }
    err = bough_store__lmdb_look(l, &txn);
    if (err)
        return err;
    err = value_get(l, txn, id, &v);
    mdb_txn_abort(txn);
    if (!err)
        *out = (struct bough_found){.type = v.type, .size = v.size};
    return err;
}

enum bough_err bough_store__lmdb_has(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_found found;

    return bough_store__lmdb_find(s, id, &found);
}

static enum bough_err body_read(struct bough_store__lmdb *l, MDB_txn *txn,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out)
{
    struct value v;
    enum bough_err err = value_get(l, txn, id, &v);
    uint8_t *room;

    if (err)
        return err;
    if (v.size > l->store.object_max)
        return BOUGH_ETOOBIG;
    *type = v.type;
    room = bough_buf_room(out, (size_t)v.size);
    if (room == NULL)
        return v.size == 0 ? BOUGH_OK : out->err;
    if (v.form != FORM_CHUNKS)
        err = unpack(l, v.form, v.bytes, room, (size_t)v.size);
    for (uint64_t n = 0; v.form == FORM_CHUNKS && n * BOUGH_LMDB_CHUNK < v.size && !err; n++)
        err = chunk_read(l, txn, id, v.size, n, room + n * BOUGH_LMDB_CHUNK);
    if (!err)
        out->len += (size_t)v.size;
    return err;
}

enum bough_err bough_store__lmdb_read(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    const struct bough_store__staged *row = own_staged(l, id);
    const struct bough_store__packet *x;
    MDB_txn *txn;
    uint64_t at;
    enum bough_err err;

    (void)where;
    if (row != NULL) {
        *type = row->type;
        return row->size > s->object_max ? BOUGH_ETOOBIG
                                         : bough_store__stage_read(&l->own.stage, row, out);
    }
    x = own_adopted(l, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_read(&file, at, type, out);
    }
    err = bough_store__lmdb_look(l, &txn);
    if (err)
        return err;
    err = body_read(l, txn, id, type, out);
    mdb_txn_abort(txn);
    return err;
}

/* An object in the environment; a chunk of it is held. */
struct handle {
    struct bough_object object;
    struct bough_store__lmdb *l;
    struct bough_oid id;
    enum form form;
    uint64_t held; /* number of the chunk + 1; 0: none */
    size_t cap;
    uint8_t piece[]; /* cap bytes: a chunk, or all of an object that is in one */
};

static enum bough_err handle_load(struct handle *h, uint64_t n)
{
    struct value v;
    MDB_txn *txn;
    enum bough_err err = h->held == n + 1 ? BOUGH_OK : bough_store__lmdb_look(h->l, &txn);

    if (err || h->held == n + 1)
        return err;
    h->held = 0;
    if (h->form == FORM_CHUNKS)
        err = chunk_read(h->l, txn, &h->id, h->object.size, n, h->piece);
    else
        err = value_get(h->l, txn, &h->id, &v);
    if (!err && h->form != FORM_CHUNKS)
        err = v.size == h->object.size && v.form == h->form
                  ? unpack(h->l, v.form, v.bytes, h->piece, (size_t)v.size)
                  : BOUGH_ECORRUPT;
    mdb_txn_abort(txn);
    if (!err)
        h->held = n + 1;
    return err;
}

static enum bough_err handle_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct handle *h = (struct handle *)o; /* object is the first field */
    uint64_t chunk = h->form == FORM_CHUNKS ? at / BOUGH_LMDB_CHUNK : 0;
    size_t from = (size_t)(at - chunk * BOUGH_LMDB_CHUNK);
    enum bough_err err = handle_load(h, chunk);

    if (err)
        return err;
    *got = n < h->cap - from ? n : h->cap - from;
    memcpy(dst, h->piece + from, *got);
    return BOUGH_OK;
}

static void handle_close(struct bough_object *o)
{
    struct handle *h = (struct handle *)o;

    bough_mem_free(h->l->store.env->mem, h, sizeof *h + h->cap);
}

static const struct bough_object_class handle_class = {.read = handle_read, .close = handle_close};

static enum bough_err handle_new(
    struct bough_store__lmdb *l, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_mem *mem = l->store.env->mem;
    struct handle *h;
    struct value v;
    MDB_txn *txn;
    size_t cap;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = value_get(l, txn, id, &v);
    mdb_txn_abort(txn);
    if (err)
        return err;
    if (v.form != FORM_CHUNKS && v.size > BOUGH_LMDB_CHUNK)
        return BOUGH_ECORRUPT;
    cap = v.form == FORM_CHUNKS ? BOUGH_LMDB_CHUNK : (size_t)v.size;
    h = bough_mem_alloc(mem, sizeof *h + cap);
    if (h == NULL)
        return BOUGH_ENOMEM;
    *h = (struct handle){.object = {&handle_class, v.type, v.size, false, 0}, .l = l, .id = *id};
    h->form = v.form;
    h->cap = cap;
    *out = &h->object;
    return BOUGH_OK;
}

enum bough_err bough_store__lmdb_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    const struct bough_store__staged *row = own_staged(l, id);
    const struct bough_store__packet *x;
    struct bough_buf body;
    uint64_t at;
    enum bough_err err;

    if (row != NULL) {
        bough_buf_init(&body, s->env->mem);
        err = bough_store__stage_read(&l->own.stage, row, &body);
        if (!err)
            return bough_store__whole_open(s->env->mem, row->type, &body, out);
        bough_buf_fini(&body);
        return err;
    }
    x = own_adopted(l, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_open(&file, at, false, out);
    }
    return handle_new(l, id, out);
}

/* ---- Walking ---- */

enum bough_err bough_store__lmdb_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    MDB_cursor *cursor = NULL;
    MDB_val key, v;
    MDB_txn *txn;
    bool more = true;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, mdb_cursor_open(txn, l->objects, &cursor));
    while (!err && more) {
        struct bough_oid id;
        struct value value;

        err = bough_store__lmdb_err(l, mdb_cursor_get(cursor, &key, &v, MDB_NEXT));
        more = err != BOUGH_ENOENT;
        if (err || key.mv_size != bough_algo_len(s->algo)) {
            err = !more ? BOUGH_OK : err ? err : BOUGH_ECORRUPT;
            continue;
        }
        id = bough_oid_raw(s->algo, key.mv_data);
        err = value_parse(l, &id, &v, &value);
        if (!err)
            err = fn(ctx, &id, &(struct bough_found){.type = value.type, .size = value.size});
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return err;
}

static bool matches(const struct bough_oid *prefix, uint32_t nibbles, const uint8_t *id)
{
    uint32_t whole = nibbles / 2;

    if (memcmp(id, prefix->bytes, whole) != 0)
        return false;
    return nibbles % 2 == 0 || id[whole] >> 4 == prefix->bytes[whole] >> 4;
}

enum bough_err bough_store__lmdb_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n)
{
    struct bough_store__lmdb *l = bough_store__lmdb_of(s);
    struct bough_oid from = {{0}};
    MDB_val key = bough_store__lmdb_val(from.bytes, bough_algo_len(s->algo)), v;
    MDB_cursor *cursor = NULL;
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    memcpy(from.bytes, prefix->bytes, nibbles / 2);
    if (nibbles % 2 != 0)
        from.bytes[nibbles / 2] = prefix->bytes[nibbles / 2] & 0xf0;
    err = bough_store__lmdb_err(l, mdb_cursor_open(txn, l->objects, &cursor));
    if (!err)
        err = bough_store__lmdb_err(l, mdb_cursor_get(cursor, &key, &v, MDB_SET_RANGE));
    while (!err && *n < cap && matches(prefix, nibbles, key.mv_data)) {
        ids[(*n)++] = bough_oid_raw(s->algo, key.mv_data);
        err = bough_store__lmdb_err(l, mdb_cursor_get(cursor, &key, &v, MDB_NEXT));
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}
