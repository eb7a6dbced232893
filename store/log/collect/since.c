/*
 * since.c - what came since the cut: it lives, and so does what it names.
 *
 * The log is walked from the cut to its head, frame by frame.  Young objects name old ones, by
 * their contents and as bases of deltas; so do changed refs; adopted segments hold more objects.
 * What records name is the keeper's to tell.
 */
#include "store/inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/shape_inner.h"

void bough_log__since_fini(struct bough_log__cycle *c)
{
    bough_log__entries_fini(&c->since_pack);
    bough_buf_fini(&c->since_index);
}

static enum bough_err frame_next(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    struct bough_log__frame *f = &c->since_frame;
    enum bough_err err;

    if (c->since.seq == l->head.seq)
        return BOUGH_ENOENT;
    err = bough_log__frame_load(l, c->since.zone, c->since.at, f, &c->since_index);
    if ((err == BOUGH_ENOENT || (!err && f->seq != c->since.seq)) && c->since.next != 0)
        err = bough_log__frame_load(l, c->since.next, 0, f, &c->since_index);
    if (err == BOUGH_ENOENT || (!err && f->seq != c->since.seq))
        return bough_log__corrupt(l, "a frame is not where it was written", c->since.seq);
    if (err)
        return err;
    c->since_items.left = bough_buf_view(&c->since_index);
    c->since.seq++;
    c->since.zone = f->zone;
    c->since.at = f->at + bough_log__frame_len(&l->geo, f);
    c->since.next = f->next_zone;
    return BOUGH_OK;
}

/* A young object. */
static enum bough_err object_named(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_log *l = c->log;
    struct bough_log__entry e;
    struct bough_found found;
    struct bough_oid id = {{0}};
    enum bough_err err = bough_log__entry_open(l, where, &e);

    if (!err && e.head.type == BOUGH_REF_DELTA)
        err = bough_log__mark(c, &e.head.base, BOUGH_NONE);
    if (!err)
        err = bough_log__look(l, where, &found);
    if (err || found.type == BOUGH_BLOB)
        return err;
    bough_buf_clear(&c->body);
    err = bough_log__body_read(l, where, &found.type, &c->body);
    if (!err && found.type == BOUGH_COMMIT)
        id = bough_oid_of(l->geo.algo, found.type, bough_buf_view(&c->body));
    return err ? err : bough_log__mark_named(c, &id, found.type, bough_buf_view(&c->body));
}

static enum bough_err entry_named(struct bough_log__cycle *c, uint64_t where)
{
    return bough_log__hold_if(c, where, object_named(c, where));
}

static enum bough_err item_named(struct bough_log__cycle *c, uint32_t kind, struct bough_view body)
{
    struct bough_log *l = c->log;
    struct bough_log__fields in = {.left = body};
    struct bough_log__ref_value v;
    enum bough_err err;

    switch (kind) {
    case BOUGH_LOG__OBJECT:
        (void)bough_log__get_id(&in, l->geo.algo);
        return entry_named(c,
            bough_log__where(c->since_frame.segment, c->since_frame.at + bough_log__get(&in, 4)));
    case BOUGH_LOG__ADOPT:
        bough_log__entries_begin(&c->since_pack, (uint32_t)bough_log__get(&in, 4));
        return BOUGH_OK;
    case BOUGH_LOG__REF:
        err = bough_log__ref_decode(body, l->geo.algo, &v);
        if (err || v.ref.kind != BOUGH_REF_ID || bough_store__is_boundary(v.ref.name))
            return err;
        return bough_log__ref_root(c, &v.ref);
    default:
        return BOUGH_OK;
    }
}

enum bough_err bough_log__since_step(struct bough_log__cycle *c)
{
    struct bough_log__found_entry f;
    struct bough_view body;
    uint32_t kind;
    enum bough_err err;

    if (c->since_pack.number != 0) {
        err = bough_log__entries_next(&c->since_pack, &f);
        if (!err)
            return entry_named(c, bough_log__where(c->since_pack.number, f.at));
        if (err != BOUGH_ENOENT)
            return err;
        c->since_pack.number = 0;
    }
    err = bough_log__item_next(&c->since_items, &kind, &body);
    return err == BOUGH_ENOENT ? frame_next(c) : err ? err : item_named(c, kind, body);
}
