/*
 * store.c - the calls on a store: check, then dispatch.
 *
 *   failures       why, and the end of writing after an I/O error
 *   reading        find, has, read; the empty tree is everywhere
 *   entries, walks, abbreviations
 *   refs, records
 *   upkeep         sync, maintain, resize, check, stat, reader, close
 *
 * Parts and writing have their own files: part.c, txn.c.  What is true of all engines is checked
 * here, once, so that no engine repeats it and none can forget it.
 */
#include "store/engine.h"
#include "store/inner.h"

/* ---- Failures ---- */

enum bough_err bough_store__fail_id(
    struct bough_store *s, enum bough_err err, const char *what, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t len = bough_oid_hex(s->algo, id, hex);

    return BOUGH_WHY(&s->why, err, what, hex, len);
}

enum bough_err bough_store__wrote(struct bough_store *s, enum bough_err err)
{
    if ((err == BOUGH_EIO || err == BOUGH_EGONE) && !s->failed)
        s->failed = err;
    return err;
}

enum bough_err bough_store__may_write(struct bough_store *s)
{
    if (s->read_only)
        return BOUGH_WHY(&s->why, BOUGH_EREADONLY, "the store is open for reading only", NULL, 0);
    if (s->failed)
        return BOUGH_WHY(
            &s->why, s->failed, "a write failed before: close and open the store", NULL, 0);
    return BOUGH_OK;
}

/* ---- Reading ---- */

enum bough_err bough_store_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    enum bough_err err = s->cls->find(s, id, out);

    if (err == BOUGH_ENOENT && bough_store__is_empty_tree(s, id)) {
        *out = (struct bough_found){.type = BOUGH_TREE};
        return BOUGH_OK;
    }
    return err;
}

enum bough_err bough_store_has(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_found found;
    enum bough_err err = s->cls->has != NULL ? s->cls->has(s, id) : s->cls->find(s, id, &found);

    if (err == BOUGH_ENOENT && bough_store__is_empty_tree(s, id))
        return BOUGH_OK;
    return err;
}

enum bough_err bough_store_read(
    struct bough_store *s, const struct bough_oid *id, enum bough_type *type, struct bough_buf *out)
{
    return bough_store_read_where(s, 0, id, type, out);
}

enum bough_err bough_store_read_where(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out)
{
    size_t len = out->len;
    enum bough_type found = BOUGH_NONE;
    enum bough_err err;

    if (out->err)
        return out->err;
    err = s->cls->read(s, where, id, &found, out);
    if (err == BOUGH_ENOENT && bough_store__is_empty_tree(s, id)) {
        found = BOUGH_TREE;
        err = BOUGH_OK;
    }
    if (!err)
        err = out->err;
    if (err) {
        out->len = len;
        return err == BOUGH_ENOENT
                   ? err
                   : bough_store__fail_id(s, err, "an object could not be read", id);
    }
    if (type != NULL)
        *type = found;
    return BOUGH_OK;
}

/* ---- Entries, walks, abbreviations ---- */

enum bough_err bough_store_entry(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out)
{
    enum bough_err err;

    if (!(s->caps & BOUGH_STORE_PACKED))
        return BOUGH_ENOTSUP;
    err = s->cls->entry(s, id, out);
    out->id = *id;
    return err == BOUGH_ENOENT && bough_store__is_empty_tree(s, id) ? BOUGH_ENOTSUP : err;
}

enum bough_err bough_store_entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n)
{
    BOUGH_ASSERT(dst != NULL || n == 0);

    if (!(s->caps & BOUGH_STORE_PACKED))
        return BOUGH_ENOTSUP;
    if (at > e->packed_len || n > e->packed_len - at)
        return BOUGH_ERANGE;
    return n == 0 ? BOUGH_OK : s->cls->entry_read(s, e, at, dst, n);
}

enum bough_err bough_store_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    return s->cls->each(s, fn, ctx);
}

/* The smallest ids that match, kept sorted. */
struct abbrev {
    const struct bough_oid *prefix;
    uint32_t nibbles;
    struct bough_oid *ids;
    size_t cap, n;
};

static bool abbrev_match(const struct abbrev *a, const struct bough_oid *id)
{
    uint32_t whole = a->nibbles / 2;

    if (memcmp(id->bytes, a->prefix->bytes, whole) != 0)
        return false;
    return a->nibbles % 2 == 0 || id->bytes[whole] >> 4 == a->prefix->bytes[whole] >> 4;
}

static enum bough_err abbrev_take(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct abbrev *a = ctx;
    size_t i = a->n;

    (void)found;
    if (!abbrev_match(a, id))
        return BOUGH_OK;
    while (i > 0 && bough_oid_cmp(&a->ids[i - 1], id) > 0)
        i--;
    if (i == a->cap || (i > 0 && bough_oid_eq(&a->ids[i - 1], id)))
        return BOUGH_OK;
    if (a->n < a->cap)
        a->n++;
    memmove(&a->ids[i + 1], &a->ids[i], (a->n - 1 - i) * sizeof *a->ids);
    a->ids[i] = *id;
    return BOUGH_OK;
}

enum bough_err bough_store_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n)
{
    struct abbrev a = {.prefix = prefix, .nibbles = nibbles, .ids = ids, .cap = cap};
    enum bough_err err;

    *n = 0;
    if (nibbles > 2 * bough_algo_len(s->algo))
        return BOUGH_EINVAL;
    if (cap == 0)
        return BOUGH_OK;
    if (s->cls->abbrev != NULL)
        return s->cls->abbrev(s, prefix, nibbles, ids, cap, n);
    err = s->cls->each(s, abbrev_take, &a);
    *n = a.n;
    return err;
}

/* ---- Refs, records ---- */

enum bough_err bough_store_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    return s->cls->ref(s, name, out);
}

enum bough_err bough_store_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    return s->cls->ref_next(s, prefix, after, out);
}

enum bough_err bough_store_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    return s->cls->records != NULL ? s->cls->records(s, fn, ctx) : BOUGH_OK;
}

/* ---- Upkeep ---- */

enum bough_err bough_store_sync(struct bough_store *s)
{
    if (s->failed)
        return bough_store__may_write(s);
    if (s->read_only || s->cls->sync == NULL)
        return BOUGH_OK;
    return bough_store__wrote(s, s->cls->sync(s));
}

enum bough_err bough_store_maintain(struct bough_store *s, uint64_t budget, bool *more)
{
    enum bough_err err = bough_store__may_write(s);

    *more = false;
    if (err)
        return err;
    if (s->txn != NULL)
        return BOUGH_ENESTED;
    if (s->cls->maintain == NULL)
        return BOUGH_OK;
    bough_store__parts_drop(s);
    return bough_store__wrote(s, s->cls->maintain(s, budget, more));
}

enum bough_err bough_store_resize(struct bough_store *s, uint64_t bytes, uint64_t budget)
{
    enum bough_err err = bough_store__may_write(s);

    if (err)
        return err;
    if (s->txn != NULL)
        return BOUGH_ENESTED;
    if (s->cls->resize == NULL)
        return BOUGH_WHY(&s->why, BOUGH_ENOTSUP, "a store of this kind has no fixed size", NULL, 0);
    bough_store__parts_drop(s);
    err = s->cls->resize(s, bytes, budget);
    return err == BOUGH_EAGAIN ? err : bough_store__wrote(s, err);
}

/* The plain check: every object is what its id says, every ref names an object. */
struct check {
    struct bough_store *store;
    bough_store_report_fn *report;
    void *ctx;
    bool found;
};

static void check_id(
    struct check *c, enum bough_err err, const char *what, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t len = bough_oid_hex(c->store->algo, id, hex);

    c->found = true;
    c->report(c->ctx, err, what, bough_view(hex, len));
}

static enum bough_err piece_compare(struct bough_object *o, uint64_t at, struct bough_view piece)
{
    uint8_t bytes[1024];

    while (piece.len > 0) {
        size_t n = piece.len < sizeof bytes ? piece.len : sizeof bytes, got;
        enum bough_err err = bough_object_read(o, at, bytes, n, &got);

        if (err)
            return err;
        if (got != n || memcmp(bytes, piece.ptr, n) != 0)
            return BOUGH_EFORMAT;
        piece = bough_view(piece.ptr + n, piece.len - n);
        at += n;
    }
    return BOUGH_OK;
}

enum bough_err bough_store__object_compare(struct bough_object **open,
    const struct bough_found *found, uint64_t at, struct bough_view piece)
{
    bool same = *open != NULL && (*open)->type == found->type && (*open)->size == found->size;
    enum bough_err err = same ? piece_compare(*open, at, piece) : BOUGH_EFORMAT;

    if (err || at + piece.len == found->size) {
        bough_object_close(*open);
        *open = NULL;
    }
    return err;
}

enum bough_err bough_store__object_digest(
    struct bough_store *s, const struct bough_oid *id, struct bough_oid *out)
{
    uint8_t piece[4096];
    struct bough_object *o;
    struct bough_hash h;
    uint64_t at = 0;
    size_t got = 1;
    enum bough_err err = bough_store_object_open(s, id, &o);

    if (err)
        return err;
    bough_oid_begin(&h, s->algo, o->type, o->size);
    while (!err && got > 0) {
        err = bough_object_read(o, at, piece, sizeof piece, &got);
        if (!err)
            bough_hash_update(&h, piece, got);
        at += got;
    }
    bough_object_close(o);
    *out = bough_oid_end(&h);
    return err;
}

static enum bough_err check_object(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct check *c = ctx;
    struct bough_oid got;
    enum bough_err err = bough_store__object_digest(c->store, id, &got);

    (void)found;
    if (err == BOUGH_ENOMEM)
        return err;
    if (err)
        check_id(c, err, "an object cannot be read", id);
    else if (!bough_oid_eq(&got, id))
        check_id(c, BOUGH_ECORRUPT, "an object is not what its id says", id);
    return BOUGH_OK;
}

static enum bough_err check_refs(struct check *c)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    enum bough_err err;

    while (!(err = bough_store_ref_next(c->store, bough_view(NULL, 0), after, &ref))) {
        BOUGH_ASSERT(ref.name.len <= sizeof name);
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
        if (ref.kind == BOUGH_REF_ID && bough_store_has(c->store, &ref.id) == BOUGH_ENOENT) {
            c->found = true;
            c->report(c->ctx, BOUGH_ECORRUPT, "a ref names no object", after);
        }
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* A walk that damage ended is a finding. */
static enum bough_err check_part(struct check *c, enum bough_err err, const char *what)
{
    if (err != BOUGH_ECORRUPT)
        return err;
    c->found = true;
    c->report(c->ctx, err, what, bough_view(NULL, 0));
    return BOUGH_OK;
}

enum bough_err bough_store_check(struct bough_store *s, bough_store_report_fn *report, void *ctx)
{
    struct check c = {.store = s, .report = report, .ctx = ctx};
    enum bough_err err;

    if (s->cls->check != NULL)
        return s->cls->check(s, report, ctx);
    err = check_part(&c, bough_store_each(s, check_object, &c), "not all objects can be found");
    if (!err)
        err = check_part(&c, check_refs(&c), "not all refs can be read");
    if (err)
        return err;
    return c.found ? BOUGH_ECORRUPT : BOUGH_OK;
}

enum bough_err bough_store_stat(struct bough_store *s, struct bough_store_stats *out)
{
    enum bough_err err;

    *out = (struct bough_store_stats){0};
    err = s->cls->stat != NULL ? s->cls->stat(s, out) : BOUGH_OK;
    out->engine = s->cls->name;
    return err;
}

enum bough_err bough_store_reader(
    struct bough_store *s, const struct bough_env *env, struct bough_store **out)
{
    enum bough_err err;

    *out = NULL;
    if (s->cls->reader == NULL)
        return BOUGH_ENOTSUP;
    if (s->txn != NULL)
        return BOUGH_ENESTED;
    err = s->cls->reader(s, env != NULL ? env : s->env, out);
    return s->read_only ? err : bough_store__wrote(s, err);
}

void bough_store_close(struct bough_store *s)
{
    if (s == NULL)
        return;
    bough_txn_abort(s->txn);
    bough_store__parts_drop(s);
    s->cls->close(s);
}
