/*
 * reach.c - the calls on what commits reach: check, then dispatch.
 */
#include "store/engine.h"
#include "store/reach.h"

enum bough_err bough_store_reach(struct bough_store *s, struct bough_reach **out)
{
    *out = NULL;
    if (s->cls->reach == NULL || s->txn != NULL)
        return BOUGH_ENOTSUP;
    return s->cls->reach(s, out);
}

void bough_reach_close(struct bough_reach *r)
{
    if (r != NULL)
        r->cls->close(r);
}

bool bough_reach_covers(struct bough_reach *r, const struct bough_oid *commit)
{
    return r->cls->covers(r, commit);
}

enum bough_err bough_reach_add(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *commit)
{
    return r->cls->add(r, side, commit);
}

enum bough_err bough_reach_put(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id, bool *fresh)
{
    bool own;

    return r->cls->put(r, side, id, fresh != NULL ? fresh : &own);
}

enum bough_err bough_reach_sides(struct bough_reach *r, const struct bough_oid *id, uint32_t *sides)
{
    *sides = 0;
    return r->cls->sides(r, id, sides);
}

uint64_t bough_reach_count(struct bough_reach *r)
{
    return r->cls->count(r);
}

enum bough_err bough_reach_next(struct bough_reach *r, struct bough_reached *out)
{
    return r->cls->next(r, out);
}

enum bough_err bough_reach_left(struct bough_reach *r, struct bough_oid *out)
{
    return r->cls->left(r, out);
}

enum bough_err bough_reach_read(
    struct bough_reach *r, const struct bough_reached *e, uint64_t at, void *dst, size_t n)
{
    if (at > e->len || n > e->len - at)
        return BOUGH_ERANGE;
    return n == 0 ? BOUGH_OK : r->cls->read(r, e, at, dst, n);
}

enum bough_err bough_reach_base(
    struct bough_reach *r, const struct bough_reached *e, struct bough_oid *base, uint32_t *sides)
{
    BOUGH_ASSERT(bough_entry_is_delta(e->head.type));
    *sides = 0;
    return r->cls->base(r, e, base, sides);
}
