/*
 * reftable.c - refs on the device: sorted blocks with shared prefixes; docs/format.md 7.
 *
 *   rows     one after another in a block
 *   seek     by halves over the blocks, forward in one
 *   writer
 */
#include "store/log/inner.h"

enum { ROW_HEAD = 24, FLAG_PEELED = 1 };

/* A place in a block; the name is made up in `name` as rows go by. */
struct cursor {
    const uint8_t *block;
    uint32_t at, left; /* bytes used, rows to come */
    uint8_t *name;
    uint32_t name_len;
};

static enum bough_err name_next(struct cursor *c, uint32_t shared, uint32_t more)
{
    if (shared > c->name_len || shared + more > BOUGH_REF_NAME_MAX ||
        more > BOUGH_LOG__BLOCK - c->at)
        return BOUGH_ECORRUPT;
    memcpy(c->name + shared, c->block + c->at, more);
    c->name_len = shared + more;
    c->at += more;
    return BOUGH_OK;
}

/* The next row of the block.  BOUGH_ENOENT: no more in it. */
static enum bough_err row_next(
    struct cursor *c, enum bough_algo algo, struct bough_log__ref_value *out)
{
    const uint8_t *p = c->block + c->at;
    uint32_t ids, target, kind, flags;
    enum bough_err err;

    if (c->left == 0)
        return BOUGH_ENOENT;
    if (c->at + ROW_HEAD > BOUGH_LOG__BLOCK)
        return BOUGH_ECORRUPT;
    kind = p[4];
    flags = p[5];
    target = bough_get16le(p + 22);
    *out =
        (struct bough_log__ref_value){.seq = bough_get64le(p + 6), .expiry = bough_get64le(p + 14)};
    ids = kind == BOUGH_REF_ID ? bough_algo_len(algo) * (flags & FLAG_PEELED ? 2 : 1) : 0;
    if (kind > BOUGH_REF_SYM || target > BOUGH_REF_NAME_MAX)
        return BOUGH_ECORRUPT;
    c->at += ROW_HEAD;
    err = name_next(c, bough_get16le(p), bough_get16le(p + 2));
    if (err)
        return err;
    if (ids + target > BOUGH_LOG__BLOCK - c->at)
        return BOUGH_ECORRUPT;
    p = c->block + c->at;
    out->ref.kind = (enum bough_ref_kind)kind;
    out->ref.name = bough_view(c->name, c->name_len);
    if (kind == BOUGH_REF_ID)
        out->ref.id = bough_oid_raw(algo, p);
    if (ids > bough_algo_len(algo))
        out->ref.peeled = bough_oid_raw(algo, p + bough_algo_len(algo));
    out->ref.target = bough_view(p + ids, target);
    c->at += ids + target;
    c->left--;
    return BOUGH_OK;
}

static enum bough_err cursor_open(struct bough_log *l, const struct bough_log__table *t,
    uint32_t no, uint8_t *name, struct cursor *c)
{
    *c = (struct cursor){.at = BOUGH_LOG__BLOCK_HEAD, .name = name};
    return bough_log__table_block(l, t, BOUGH_LOG__BLOCK_REF, no, &c->block, &c->left);
}

/* The last block whose first name is not above `name`, or 0. */
static enum bough_err block_for(struct bough_log *l, const struct bough_log__table *t,
    struct bough_view name, uint8_t *scratch, uint32_t *out)
{
    uint32_t lo = 0, hi = t->blocks;

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct bough_log__ref_value v;
        struct cursor c;
        enum bough_err err = cursor_open(l, t, mid, scratch, &c);

        if (!err)
            err = row_next(&c, l->geo.algo, &v);
        if (err)
            return err == BOUGH_ENOENT ? BOUGH_ECORRUPT : err;
        if (bough_view_cmp(v.ref.name, name) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    *out = lo;
    return BOUGH_OK;
}

enum bough_err bough_log__reftable_seek(struct bough_log *l, const struct bough_log__table *t,
    struct bough_view name, bool past, uint8_t *scratch, struct bough_log__ref_value *out)
{
    uint32_t no = 0;
    enum bough_err err = t->blocks == 0 ? BOUGH_ENOENT : block_for(l, t, name, scratch, &no);

    for (; !err && no < t->blocks; no++) {
        struct cursor c;

        err = cursor_open(l, t, no, scratch, &c);
        while (!err) {
            int cmp;
            err = row_next(&c, l->geo.algo, out);
            if (err)
                break;
            cmp = bough_view_cmp(out->ref.name, name);
            if (cmp > 0 || (cmp == 0 && !past)) {
                memcpy(scratch + BOUGH_REF_NAME_MAX, out->ref.target.ptr, out->ref.target.len);
                out->ref.target = bough_view(scratch + BOUGH_REF_NAME_MAX, out->ref.target.len);
                return BOUGH_OK;
            }
        }
        if (err == BOUGH_ENOENT)
            err = BOUGH_OK;
    }
    if (err == BOUGH_ECORRUPT)
        return bough_log__corrupt(l, "a ref table is damaged", no);
    return err ? err : BOUGH_ENOENT;
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
    return w->rows > 0 || w->table->blocks == 0 ? block_end(w) : BOUGH_OK;
}
