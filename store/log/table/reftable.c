/*
 * reftable.c - refs on the device: sorted blocks with shared prefixes; docs/format.md 7.
 *
 *   rows     one after another in a block
 *   seek     by the index, or by halves over the blocks; forward in one
 *   walk     all of a table, for merging (refmerge.c)
 *   writer
 */
#include "store/log/inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { ROW_HEAD = 24, FLAG_PEELED = 1 };

/* A place in a block; the name is made up in `name` as rows go by. */
struct cursor {
    const uint8_t *block;
    uint32_t at, left; /* bytes used, rows to come */
    uint8_t *name;
    uint32_t name_len;
};

/* The row that a cursor has come to, its bytes looked at as far as they must be to go on. */
struct row {
    const uint8_t *head, *tail; /* what is before the name, and behind */
    uint32_t shared, id_len, ids, target;
};

/* The next row of the block.  BOUGH_ENOENT: no more in it. */
static inline enum bough_err row_next(struct cursor *c, uint32_t id_len, struct row *r)
{
    const uint8_t *p = c->block + c->at;
    uint32_t more;

    if (c->left == 0)
        return BOUGH_ENOENT;
    if (c->at + ROW_HEAD > BOUGH_LOG__BLOCK)
        return BOUGH_ECORRUPT;
    more = bough_get16le(p + 2);
    *r = (struct row){.head = p,
        .tail = p + ROW_HEAD + more,
        .shared = bough_get16le(p),
        .id_len = id_len,
        .ids = p[4] == BOUGH_REF_ID ? id_len << (p[5] & FLAG_PEELED) : 0,
        .target = bough_get16le(p + 22)};
    if (p[4] > BOUGH_REF_SYM || r->target > BOUGH_REF_NAME_MAX || r->shared > c->name_len ||
        r->shared + more > BOUGH_REF_NAME_MAX ||
        ROW_HEAD + more + r->ids + r->target > BOUGH_LOG__BLOCK - c->at)
        return BOUGH_ECORRUPT;
    memcpy(c->name + r->shared, p + ROW_HEAD, more);
    c->name_len = r->shared + more;
    c->at += ROW_HEAD + more + r->ids + r->target;
    c->left--;
    return BOUGH_OK;
}

static struct bough_log__ref_value row_value(
    const struct cursor *c, const struct row *r, enum bough_algo algo)
{
    struct bough_log__ref_value v = {
        .seq = bough_get64le(r->head + 6), .expiry = bough_get64le(r->head + 14)};

    v.ref.kind = (enum bough_ref_kind)r->head[4];
    v.ref.name = bough_view(c->name, c->name_len);
    if (r->ids > 0)
        v.ref.id = bough_oid_raw(algo, r->tail);
    if (r->ids > r->id_len)
        v.ref.peeled = bough_oid_raw(algo, r->tail + r->id_len);
    v.ref.target = bough_view(r->tail + r->ids, r->target);
    return v;
}

static enum bough_err cursor_open(struct bough_log *l, const struct bough_log__table *t,
    uint32_t no, uint8_t *name, struct cursor *c)
{
    *c = (struct cursor){.at = BOUGH_LOG__BLOCK_HEAD, .name = name};
    return bough_log__table_block(l, t, BOUGH_LOG__BLOCK_REF, no, &c->block, &c->left);
}

/* ---- Seek ---- */

/* May it be passed over, by who wants what is left? */
static bool may_pass(const struct bough_log *l, enum bough_err err)
{
    return (err == BOUGH_ECORRUPT || err == BOUGH_EIO) && l->opts.past_damage;
}

/* Is the first name of a block above `name`? */
static enum bough_err block_above(struct bough_log *l, const struct bough_log__table *t,
    uint32_t no, struct bough_view name, uint8_t *scratch, bool *out)
{
    struct cursor c;
    struct row r;
    enum bough_err err = cursor_open(l, t, no, scratch, &c);

    if (!err)
        err = row_next(&c, l->geo.id_len, &r);
    if (!err)
        *out = bough_view_cmp(bough_view(c.name, c.name_len), name) > 0;
    return err == BOUGH_ENOENT ? BOUGH_ECORRUPT : err;
}

/* Is it the block in which the last seek began? */
static bool is_near(
    struct bough_log *l, const struct bough_log__table *t, struct bough_view name, uint8_t *scratch)
{
    bool above = true;

    if (t->near == 0 || block_above(l, t, t->near, name, scratch, &above) || above)
        return false;
    return t->near + 1 == t->blocks ||
           (!block_above(l, t, t->near + 1, name, scratch, &above) && above);
}

/* The last block whose first name is not above `name`, or 0. */
static enum bough_err block_for(struct bough_log *l, struct bough_log__table *t,
    struct bough_view name, uint8_t *scratch, uint32_t *out)
{
    uint32_t lo = 0, hi = t->blocks;

    if (t->home > 0) {
        enum bough_err err = BOUGH_OK;

        *out = t->near;
        if (!is_near(l, t, name, scratch))
            err = bough_log__ref_index_find(l, t, name, out);
        if (err != BOUGH_ECORRUPT) {
            t->near = err ? t->near : *out;
            return err;
        }
    }

    for (uint32_t mid = t->near; hi - lo > 1;) {
        bool above;
        enum bough_err err = block_above(l, t, mid, name, scratch, &above);

        if (may_pass(l, err))
            break; /* from the last one that is known to be below, one by one */
        if (err)
            return err;
        *(above ? &hi : &lo) = mid;
        mid = mid == t->near && !above ? mid + 1 : lo + (hi - lo) / 2;
    }
    *out = t->near = lo;
    return BOUGH_OK;
}

/*
 * Go on to the first row that is not below `name`, or past it.  `same` is how much of the name
 * before, which is below, is as the one looked for: while rows share more than that with the one
 * before them, they are below, too, and nobody compares.
 */
static enum bough_err block_seek(
    struct cursor *c, uint32_t id_len, struct bough_view name, bool past, struct row *r)
{
    uint32_t same = 0;
    enum bough_err err;

    while (!(err = row_next(c, id_len, r))) {
        if (r->shared > same)
            continue;
        same = r->shared;
        while (same < c->name_len && same < name.len && c->name[same] == name.ptr[same])
            same++;
        if (same == name.len ? c->name_len > same || !past
                             : same < c->name_len && c->name[same] > name.ptr[same])
            return BOUGH_OK;
    }
    return err;
}

enum bough_err bough_log__reftable_seek(struct bough_log *l, struct bough_log__table *t,
    struct bough_view name, bool past, uint8_t *scratch, struct bough_log__ref_value *out)
{
    uint32_t no = 0;
    bool doubt = false, above = false;
    enum bough_err err = t->blocks == 0 ? BOUGH_ENOENT : block_for(l, t, name, scratch, &no);

    out->doubt = false;
    for (; !err && no < t->blocks; no++) {
        struct cursor c;
        struct row r;

        if (doubt && !block_above(l, t, no, name, scratch, &above) && !above)
            doubt = false; /* the name is in here, or behind */
        err = cursor_open(l, t, no, scratch, &c);
        doubt = doubt || may_pass(l, err);
        if (!err)
            err = block_seek(&c, l->geo.id_len, name, past, &r);
        if (!err) {
            *out = row_value(&c, &r, l->geo.algo);
            out->doubt = doubt;
            memcpy(scratch + BOUGH_REF_NAME_MAX, out->ref.target.ptr, out->ref.target.len);
            out->ref.target = bough_view(scratch + BOUGH_REF_NAME_MAX, out->ref.target.len);
            return BOUGH_OK;
        }
        if (err == BOUGH_ENOENT || may_pass(l, err))
            err = BOUGH_OK;
    }
    out->doubt = doubt;
    if (err == BOUGH_ECORRUPT)
        return bough_log__corrupt(l, "a ref table is damaged", no);
    return err ? err : BOUGH_ENOENT;
}

/* ---- Walk ---- */

enum bough_err bough_log__ref_source_next(struct bough_log *l, struct bough_log__ref_source *s)
{
    struct cursor c = {.name = s->name};
    struct row r;
    enum bough_err err = BOUGH_OK;

    while (s->left == 0 && s->block < s->table.blocks && !err) {
        err = cursor_open(l, &s->table, s->block++, s->name, &c);
        s->at = c.at;
        s->left = c.left;
        s->name_len = 0;
    }
    if (!err && s->left == 0)
        return BOUGH_ENOENT;
    if (!err)
        err = cursor_open(l, &s->table, s->block - 1, s->name, &c);
    if (!err) {
        c.left = s->left;
        c.at = s->row_at = s->at;
        c.name_len = s->name_len;
        err = row_next(&c, l->geo.id_len, &r);
    }
    if (err)
        return err == BOUGH_ECORRUPT || err == BOUGH_ENOENT
                   ? bough_log__corrupt(l, "a ref table is damaged", s->block)
                   : err;
    s->at = c.at;
    s->left = c.left;
    s->name_len = c.name_len;
    s->filled = true;
    return BOUGH_OK;
}

enum bough_err bough_log__ref_source_value(
    struct bough_log *l, struct bough_log__ref_source *s, struct bough_log__ref_value *out)
{
    struct cursor c;
    struct row r;
    enum bough_err err = cursor_open(l, &s->table, s->block - 1, s->name, &c);

    if (err)
        return err;
    c.at = s->row_at;
    c.name_len = s->name_len; /* the same bytes again */
    err = row_next(&c, l->geo.id_len, &r);
    if (!err)
        *out = row_value(&c, &r, l->geo.algo);
    return err;
}

/* ---- Writer ---- */

void bough_log__ref_writer_init(struct bough_log__ref_writer *w, struct bough_log__out *out,
    struct bough_log__table *t, uint32_t number)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->table = t;
    w->fill = BOUGH_LOG__BLOCK_HEAD;
    t->number = number;
    t->rows = 0;
    t->blocks = 0;
    t->home = 0;
    t->near = 0;
    bough_buf_init(&w->keys, out->log->mem);
}

void bough_log__ref_writer_fini(struct bough_log__ref_writer *w)
{
    if (w->keys.mem != NULL)
        bough_buf_fini(&w->keys);
}

static enum bough_err block_end(struct bough_log__ref_writer *w)
{
    enum bough_err err;

    bough_log__block_seal(
        w->block, w->table->number, w->table->blocks, w->rows, BOUGH_LOG__BLOCK_REF);
    err = bough_log__out_put(w->out, w->block, sizeof w->block);
    memset(w->block, 0, sizeof w->block);
    w->fill = BOUGH_LOG__BLOCK_HEAD;
    w->rows = 0;
    w->before_len = w->last_len;
    w->last_len = 0;
    w->table->blocks++;
    return err;
}

static uint32_t shared_with_last(const struct bough_log__ref_writer *w, struct bough_view name)
{
    uint32_t n = 0;

    while (n < w->last_len && n < name.len && w->last[n] == name.ptr[n])
        n++;
    return n;
}

enum bough_err bough_log__ref_writer_put(
    struct bough_log__ref_writer *w, const struct bough_log__ref_value *v)
{
    uint32_t id_len = w->out->log->geo.id_len, shared = shared_with_last(w, v->ref.name);
    bool is_id = v->ref.kind == BOUGH_REF_ID;
    bool peeled = is_id && !bough_oid_is_zero(&v->ref.peeled);
    uint32_t ids = is_id ? id_len * (peeled ? 2 : 1) : 0;
    uint32_t target = v->ref.kind == BOUGH_REF_SYM ? (uint32_t)v->ref.target.len : 0;
    uint32_t name_len = (uint32_t)v->ref.name.len;
    uint8_t *p;

    if (ROW_HEAD + name_len - shared + ids + target > BOUGH_LOG__BLOCK - w->fill) {
        enum bough_err err = block_end(w);
        if (err)
            return err;
        shared = 0;
    }
    if (w->rows == 0)
        bough_log__ref_key_add(w, bough_view(w->last, w->before_len), v->ref.name);
    p = w->block + w->fill;
    bough_put16le(p, (uint16_t)shared);
    bough_put16le(p + 2, (uint16_t)(name_len - shared));
    p[4] = (uint8_t)v->ref.kind;
    p[5] = peeled ? FLAG_PEELED : 0;
    bough_put64le(p + 6, v->seq);
    bough_put64le(p + 14, v->expiry);
    bough_put16le(p + 22, (uint16_t)target);
    memcpy(p + ROW_HEAD, v->ref.name.ptr + shared, name_len - shared);
    p += ROW_HEAD + name_len - shared;
    if (ids > 0)
        memcpy(p, v->ref.id.bytes, id_len);
    if (peeled)
        memcpy(p + id_len, v->ref.peeled.bytes, id_len);
    if (target > 0)
        memcpy(p + ids, v->ref.target.ptr, target);
    w->fill = (uint32_t)(p - w->block) + ids + target;
    w->rows++;
    w->table->rows++;
    memcpy(w->last, v->ref.name.ptr, name_len);
    w->last_len = name_len;
    return BOUGH_OK;
}

enum bough_err bough_log__ref_writer_end(struct bough_log__ref_writer *w)
{
    enum bough_err err = w->rows > 0 || w->table->blocks == 0 ? block_end(w) : BOUGH_OK;

    return err ? err : bough_log__ref_index_write(w);
}
