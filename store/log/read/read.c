/*
 * read.c - objects out of segments, deltas followed.
 *
 *   look      type and size
 *   body      the object, deltas applied
 *
 * Invariant: following bases never comes back to where it began; docs/format.md 7.  A limit on
 * the chain keeps a damaged or hostile store from going round for ever.
 */
#include "git/delta.h"
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/read_inner.h"
#include "store/log/shape_inner.h"

/* ---- Look ---- */

enum bough_err bough_log__look(struct bough_log *l, uint64_t where, struct bough_found *out)
{
    const struct bough_oid *id = NULL;
    struct bough_oid base;
    uint32_t depth = 0, once = 0;

    out->where = where;
    for (;;) {
        const struct bough_log__body *b = bough_log__bodies_find(l, where);
        struct bough_log__entry e;
        enum bough_err err;

        if (b != NULL) {
            out->type = b->type;
            if (depth == 0)
                out->size = b->len;
            return BOUGH_OK;
        }
        err = bough_log__entry_open(l, where, &e);
        if (!err)
            err = bough_log__entry_sure(l, &e);
        if (err == BOUGH_ECORRUPT && depth > 0 && !once++ &&
            !bough_log__copy_find(l, where, id, &where))
            continue; /* it stands alone */
        if (err)
            return err;
        if (!bough_entry_is_delta(e.head.type)) {
            out->type = e.head.type;
            if (depth == 0)
                out->size = e.head.size;
            return BOUGH_OK;
        }
        if (depth == 0)
            err = bough_log__delta_size(l, &e, &out->size);
        base = e.head.base;
        id = e.head.type == BOUGH_REF_DELTA ? &base : NULL;
        if (!err)
            err = bough_log__base_of(l, &e, where, &where);
        if (err)
            return err;
        if (++depth > BOUGH_LOG__CHAIN_MAX)
            return bough_log__corrupt(l, "a chain of deltas is too long", where);
    }
}

/* ---- Body ---- */

/* The deltas on the way to a whole object, outermost first. */
struct chain {
    uint64_t *where;
    size_t n, cap;
    bool sure; /* the checksum of each is looked at on the way down */
};

/* Walk down to something whole and put its body into `body`.  `sure`: a damaged one on the way gives way to
   another copy of it. */
static enum bough_err chain_down(struct bough_log *l, uint64_t where, struct chain *c,
    enum bough_type *type, struct bough_buf *body)
{
    const struct bough_oid *id = NULL;
    struct bough_oid base;
    bool other = !c->sure;

    for (;;) {
        const struct bough_log__body *b = bough_log__bodies_find(l, where);
        struct bough_log__entry e;
        enum bough_err err;
        void *ptr = c->where;

        if (b != NULL) {
            *type = b->type;
            bough_buf_put(body, b->bytes, b->len);
            return body->err;
        }
        err = bough_log__entry_open(l, where, &e);
        if (!err && c->sure)
            err = bough_log__entry_check(l, &e);
        if (err == BOUGH_ECORRUPT && c->n > 0 && !other) {
            err = bough_log__copy_find(l, where, id, &where); /* which stands alone */
            other = true;
            if (!err)
                continue;
        }
        if (err)
            return err;
        if (!bough_entry_is_delta(e.head.type)) {
            size_t len = body->len;
            *type = e.head.type;
            err = bough_log__entry_inflate(l, &e, body);
            if (!err)
                bough_log__bodies_keep(
                    l, where, e.id8, *type, bough_view(body->ptr + len, body->len - len));
            return err;
        }
        if (c->n == BOUGH_LOG__CHAIN_MAX)
            return bough_log__corrupt(l, "a chain of deltas is too long", where);
        err = bough_mem_grow(l->mem, &ptr, &c->cap, c->n + 1, sizeof *c->where);
        c->where = ptr;
        if (err)
            return err;
        c->where[c->n++] = where;
        base = e.head.base;
        id = e.head.type == BOUGH_REF_DELTA ? &base : NULL;
        err = bough_log__base_of(l, &e, where, &where);
        if (err)
            return err;
    }
}

/* `to` gets what the delta at `where` makes of `from`, an object with that `*id8`. */
static enum bough_err delta_up(struct bough_log *l, uint64_t where, const struct bough_buf *from,
    struct bough_buf *delta, struct bough_buf *to, uint64_t *id8)
{
    struct bough_log__entry e;
    struct bough_delta_reader r;
    uint8_t *dst;
    enum bough_err err = bough_log__entry_open(l, where, &e);

    bough_buf_clear(delta);
    if (!err)
        err = bough_log__entry_inflate(l, &e, delta);
    if (err)
        return err;
    *id8 = e.id8;
    if (bough_delta_open(&r, bough_buf_view(delta)) || r.base_len != from->len)
        return bough_log__corrupt(l, "a delta does not fit its base", where);
    if (r.result_len > l->store.object_max || r.result_len > SIZE_MAX / 2)
        return BOUGH_WHY(&l->store.why, BOUGH_ETOOBIG, "object_max", NULL, 0);
    dst = bough_buf_room(to, (size_t)r.result_len);
    if (dst == NULL && to->err)
        return to->err;
    if (bough_delta_apply(bough_buf_view(from), bough_buf_view(delta), dst, r.result_len))
        return bough_log__corrupt(l, "a delta is damaged", where);
    to->len += (size_t)r.result_len;
    return BOUGH_OK;
}

/*
 * Apply the deltas of the chain, innermost first; the last one's result goes to `out`.  Those on
 * the way are kept: who walks through history asks for them next.
 */
static enum bough_err chain_up(struct bough_log *l, const struct chain *c, enum bough_type type,
    struct bough_buf *base, struct bough_buf *out)
{
    struct bough_buf delta, next;
    uint64_t id8 = 0;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&delta, l->mem);
    bough_buf_init(&next, l->mem);
    for (size_t i = c->n; i > 0 && !err; i--) {
        struct bough_buf swap = *base;

        if (i == 1) {
            err = delta_up(l, c->where[0], base, &delta, out, &id8);
            break;
        }
        bough_buf_clear(&next);
        err = delta_up(l, c->where[i - 1], base, &delta, &next, &id8);
        if (!err)
            bough_log__bodies_keep(l, c->where[i - 1], id8, type, bough_buf_view(&next));
        *base = next;
        next = swap;
    }
    bough_buf_fini(&delta);
    bough_buf_fini(&next);
    return err;
}

/* A large one, too large to be kept, without the bodies on the way.  BOUGH_ENOTSUP: not so. */
static enum bough_err large_read(struct bough_log *l, uint64_t where,
    const struct bough_log__entry *e, enum bough_type *type, struct bough_buf *out)
{
    uint64_t size;
    struct bough_object *o;
    size_t got;
    uint8_t *dst;
    enum bough_err err = bough_log__delta_size(l, e, &size);

    if (err || size < BOUGH_LOG__RANGE_MIN || !bough_log__bodies_too_long(l, size) ||
        size > l->store.object_max || size > SIZE_MAX / 2)
        return BOUGH_ENOTSUP;
    err = bough_log__range_open(l, where, &o);
    if (err)
        return err;
    *type = o->type;
    dst = bough_buf_room(out, (size_t)size);
    err = dst == NULL ? out->err : bough_object_read(o, 0, dst, (size_t)size, &got);
    if (!err)
        out->len += got;
    bough_object_close(o);
    return err;
}

/* Small stored entries need no copy beside the page they lie on. */
static bool is_cheap(const struct bough_log__entry *e)
{
    return e->len <= BOUGH_LOG__BLOCK && !bough_entry_is_delta(e->head.type) &&
           e->len ==
               e->head.head_len + e->head.size + BOUGH_LOG__STORED_HEAD + BOUGH_LOG__STORED_TAIL;
}

/* Through the chain of deltas at `where`. */
static enum bough_err chain_read(
    struct bough_log *l, uint64_t where, bool sure, enum bough_type *type, struct bough_buf *out)
{
    struct chain c = {.sure = sure};
    struct bough_buf base;
    enum bough_err err;

    bough_buf_init(&base, l->mem);
    err = chain_down(l, where, &c, type, &base);
    if (!err)
        err = chain_up(l, &c, *type, &base, out);
    bough_buf_fini(&base);
    bough_mem_free(l->mem, c.where, c.cap * sizeof *c.where);
    return err;
}

enum bough_err bough_log__body_read(
    struct bough_log *l, uint64_t where, enum bough_type *type, struct bough_buf *out)
{
    const struct bough_log__body *b = bough_log__bodies_find(l, where);
    struct bough_log__entry e;
    size_t len = out->len;
    enum bough_err err;

    if (b != NULL) {
        *type = b->type;
        bough_buf_put(out, b->bytes, b->len);
        return out->err;
    }
    err = bough_log__entry_open(l, where, &e);
    if (err)
        return err;
    if (!bough_entry_is_delta(e.head.type)) {
        *type = e.head.type;
        err = bough_log__entry_inflate(l, &e, out);
    } else {
        err = large_read(l, where, &e, type, out);
        if (err == BOUGH_ENOTSUP)
            err = chain_read(l, where, false, type, out);
        if (err == BOUGH_ECORRUPT) { /* perhaps it stands upon one that was put again */
            out->len = len;
            err = chain_read(l, where, true, type, out);
        }
    }
    if (err)
        out->len = len;
    else if (!is_cheap(&e))
        bough_log__bodies_keep(l, where, e.id8, *type, bough_view(out->ptr + len, out->len - len));
    return err;
}

bool bough_log__is_at(struct bough_log *l, uint64_t where, uint64_t id8)
{
    const struct bough_log__body *b = bough_log__bodies_find(l, where);
    struct bough_log__entry e;

    if (b != NULL)
        return b->id8 == id8;
    return !bough_log__entry_open(l, where, &e) && e.id8 == id8;
}
