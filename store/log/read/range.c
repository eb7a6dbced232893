/*
 * range.c - large objects that are deltas, read by range through their chain.
 *
 *   links     the deltas, outermost first, checked as they are loaded; marks into their ops
 *   opening   down to the base, which must be one that jumps
 *   reading   what is asked for, piece by piece, from where each piece comes from
 *
 * Bytes [at, at + n) of an object are literals of its delta and ranges of its base, which may be a
 * delta itself: each piece goes down until it is a literal or lies in the base.  Pieces that wait
 * do not overlap in the result, so there are never more of them than bytes are asked for.
 *
 * In memory are the deltas, no body: they may be half as long as what they make, and together no
 * longer than object_max.
 */
#include "git/delta.h"
#include "store/engine.h"
#include "store/inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/table_inner.h"

enum {
    PIECE_MAX = 64 * 1024,       /* bytes that one read gives */
    MARK_EVERY = 16,             /* ops from one mark to the next */
    LINKS_MAX = 512,             /* deltas; git makes chains of 50, we of 12 */
    LINK_MAX = 64 * 1024 * 1024, /* bytes of one of them */
};

/* Where an op stands that makes the result from `at` on. */
struct mark {
    uint64_t at;
    size_t op;
};

struct link {
    uint64_t where, base_len, len;
    struct bough_buf delta;
    struct mark *marks;
    size_t marks_n, marks_cap;
};

/* What is still to be had: bytes of what link `level` makes, or of the base. */
struct piece {
    uint8_t *dst;
    uint64_t at;
    uint32_t len, level;
};

struct chain {
    struct bough_object object; /* first: the face */
    struct bough_log *log;
    struct link *link;
    size_t links, links_cap;
    struct bough_object *base;
    struct bough_oid base_id;
    bool held;           /* the base, in memory */
    struct piece *piece; /* a stack */
    size_t pieces, pieces_cap;
};

static enum bough_err damaged(struct chain *c, size_t level)
{
    return bough_log__corrupt(c->log, "a delta is damaged", c->link[level].where);
}

/* ---- Links ---- */

static enum bough_err mark_add(struct chain *c, struct link *k, uint64_t at, size_t op)
{
    void *ptr = k->marks;
    enum bough_err err =
        bough_mem_grow(c->log->mem, &ptr, &k->marks_cap, k->marks_n + 1, sizeof *k->marks);

    k->marks = ptr;
    if (!err)
        k->marks[k->marks_n++] = (struct mark){at, op};
    return err;
}

/* Every op is looked at once; those that come later need not be doubted. */
static enum bough_err link_marks(struct chain *c, size_t level)
{
    struct link *k = &c->link[level];
    struct bough_delta_reader r;
    struct bough_delta_op op;
    size_t n = 0;

    if (bough_delta_open(&r, bough_buf_view(&k->delta)))
        return damaged(c, level);
    k->base_len = r.base_len;
    k->len = r.result_len;
    for (;; n++) {
        uint64_t at = r.at;
        size_t from = k->delta.len - r.left.len;
        enum bough_err err = bough_delta_next(&r, &op);

        if (!err && n % MARK_EVERY == 0)
            err = mark_add(c, k, at, from);
        if (err == BOUGH_ENOENT)
            return BOUGH_OK;
        if (err)
            return err == BOUGH_EFORMAT ? damaged(c, level) : err;
    }
}

static enum bough_err link_load(struct chain *c, size_t level)
{
    struct link *k = &c->link[level];
    struct bough_log__entry e;
    enum bough_err err = bough_log__entry_open(c->log, k->where, &e);

    if (!err)
        err = bough_log__entry_inflate(c->log, &e, &k->delta);
    if (!err)
        err = link_marks(c, level);
    if (!err && level > 0 && c->link[level - 1].base_len != k->len)
        return bough_log__corrupt(c->log, "a delta does not fit its base", k->where);
    return err;
}

/* ---- Opening ---- */

static enum bough_err link_add(struct chain *c, uint64_t where)
{
    void *ptr = c->link;
    enum bough_err err;

    if (c->links == LINKS_MAX)
        return BOUGH_ENOTSUP;
    err = bough_mem_grow(c->log->mem, &ptr, &c->links_cap, c->links + 1, sizeof *c->link);
    c->link = ptr;
    if (err)
        return err;
    c->link[c->links] = (struct link){.where = where};
    bough_buf_init(&c->link[c->links++].delta, c->log->mem);
    return BOUGH_OK;
}

/* The object that the delta `e` stands on, and where it is. */
static enum bough_err chain_step(
    struct chain *c, const struct bough_log__entry *e, struct bough_log__row *row)
{
    struct bough_log__reverse r;
    enum bough_err err = bough_log__base_of(c->log, e, row->where, &row->where);

    row->id = e->head.base;
    if (err || e->head.type != BOUGH_OFS_DELTA)
        return err;
    err = bough_log__reverse_find(c->log, e->seg, e->at - e->head.back, &r);
    row->id = r.id;
    return err;
}

/* Down to the base; what the deltas take in memory is known before it is taken. */
static enum bough_err chain_down(struct chain *c, uint64_t where)
{
    struct bough_log__row row = {.where = where};
    uint64_t bytes = 0;

    for (;;) {
        struct bough_log__entry e;
        enum bough_err err = bough_log__entry_open(c->log, row.where, &e);

        if (err)
            return err;
        if (!bough_entry_is_delta(e.head.type)) {
            if (!bough_log__entry_is_long(&e) || e.head.size < BOUGH_LOG__RANGE_MIN ||
                e.len - e.head.head_len != bough_zip_stored_len(e.head.size) ||
                bytes > e.head.size / 2 || bytes > c->log->store.object_max)
                return BOUGH_ENOTSUP;
            c->base_id = row.id;
            return bough_log__stream_open(c->log, &row, &e, true, &c->base);
        }
        bytes += e.head.size;
        err = e.head.size > LINK_MAX ? BOUGH_ENOTSUP : link_add(c, row.where);
        if (!err)
            err = chain_step(c, &e, &row);
        if (err)
            return err;
    }
}

static void chain_close(struct bough_object *o)
{
    struct chain *c = (struct chain *)o; /* object is the first field */
    struct bough_mem *mem = c->log->mem;

    for (size_t i = 0; i < c->links; i++) {
        bough_buf_fini(&c->link[i].delta);
        bough_mem_free(mem, c->link[i].marks, c->link[i].marks_cap * sizeof *c->link[i].marks);
    }
    bough_mem_free(mem, c->link, c->links_cap * sizeof *c->link);
    bough_mem_free(mem, c->piece, c->pieces_cap * sizeof *c->piece);
    bough_object_close(c->base);
    bough_mem_free(mem, c, sizeof *c);
}

/* ---- Reading ---- */

static enum bough_err piece_push(struct chain *c, const struct piece *p)
{
    void *ptr = c->piece;
    enum bough_err err =
        bough_mem_grow(c->log->mem, &ptr, &c->pieces_cap, c->pieces + 1, sizeof *c->piece);

    c->piece = ptr;
    if (!err)
        c->piece[c->pieces++] = *p;
    return err;
}

/* The last mark that is not behind byte `at`. */
static const struct mark *mark_before(const struct link *k, uint64_t at)
{
    size_t lo = 0, hi = k->marks_n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (k->marks[mid].at <= at)
            lo = mid;
        else
            hi = mid;
    }
    return &k->marks[lo];
}

/* A piece of what a link makes: its literals are copied, its copies become pieces. */
static enum bough_err piece_down(struct chain *c, struct piece p)
{
    const struct link *k = &c->link[p.level];
    const struct mark *m = mark_before(k, p.at);
    struct bough_delta_reader r = {.base_len = k->base_len, .result_len = k->len, .at = m->at};
    struct bough_delta_op op;

    r.left = bough_view(k->delta.ptr + m->op, k->delta.len - m->op);
    while (p.len > 0) {
        enum bough_err err = bough_delta_next(&r, &op);
        uint64_t skip, left;
        uint32_t take;

        if (err)
            return damaged(c, p.level);
        if (r.at <= p.at)
            continue;
        skip = p.at - (r.at - op.len);
        left = op.len - skip;
        take = left < p.len ? (uint32_t)left : p.len;
        if (op.copy)
            err = piece_push(c, &(struct piece){p.dst, op.from + skip, take, p.level + 1});
        else
            memcpy(p.dst, op.literal + skip, take);
        if (err)
            return err;
        p.dst += take;
        p.at += take;
        p.len -= take;
    }
    return BOUGH_OK;
}

/* The base has the length of stored blocks, and is none: it is better held than gone through for
   each piece. */
static enum bough_err base_hold(struct chain *c)
{
    struct bough_log *l = c->log;
    struct bough_object *held;
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&body, l->mem);
    err = bough_store_read(&l->store, &c->base_id, &type, &body);
    if (err) {
        bough_buf_fini(&body);
        return err;
    }
    err = bough_store__whole_open(l->mem, type, &body, &held);
    if (err)
        return err;
    bough_object_close(c->base);
    c->base = held;
    c->object.jumps = false;
    c->held = true;
    return BOUGH_OK;
}

static enum bough_err base_read(struct chain *c, const struct piece *p)
{
    size_t got;
    enum bough_err err = bough_object_read(c->base, p->at, p->dst, p->len, &got);

    if (!err && !c->base->jumps && !c->held)
        err = base_hold(c);
    return err || got == p->len ? err : damaged(c, c->links - 1);
}

static enum bough_err chain_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct chain *c = (struct chain *)o; /* object is the first field */
    enum bough_err err;

    *got = n < PIECE_MAX ? n : PIECE_MAX;
    c->pieces = 0;
    err = piece_push(c, &(struct piece){dst, at, (uint32_t)*got, 0});
    while (!err && c->pieces > 0) {
        struct piece p = c->piece[--c->pieces];

        err = p.level == c->links ? base_read(c, &p) : piece_down(c, p);
    }
    return err;
}

static const struct bough_object_class chain_class = {.read = chain_read, .close = chain_close};

enum bough_err bough_log__range_open(struct bough_log *l, uint64_t where, struct bough_object **out)
{
    struct chain *c = bough_mem_zalloc(l->mem, 1, sizeof *c);
    enum bough_err err;

    if (c == NULL)
        return BOUGH_ENOMEM;
    c->log = l;
    err = chain_down(c, where);
    for (size_t i = 0; i < c->links && !err; i++)
        err = link_load(c, i);
    if (!err && c->link[c->links - 1].base_len != c->base->size)
        err = bough_log__corrupt(l, "a delta does not fit its base", where);
    if (err) {
        chain_close(&c->object);
        return err;
    }
    c->object = (struct bough_object){
        &chain_class, c->base->type, c->link[0].len, c->base->jumps, (uint32_t)c->links};
    *out = &c->object;
    return BOUGH_OK;
}
