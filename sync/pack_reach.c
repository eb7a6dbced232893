/*
 * pack_reach.c - what bitmaps selected, into the pack: entries as stored, in the order of their places.
 *
 *   sent    where in the pack that begins which lay there: stretches that went out as they lay
 *   heads   of an entry: as it is, or a delta's base told in another way
 *   next    one entry
 *   left    what was not told when the store had to take back what it tells from
 *
 * They come before all else in the pack.  A delta by place goes out as it is as long as nothing between
 * it and its base was left out; else its head is made anew.  A delta goes out only when its base is
 * the very entry that it stands upon in the store, so no circle can come about; else it is made whole.
 */
#include "sync/inner.h"

enum { AT_ONCE = 64 * 1024, SENT_MAX = 64 * 1024, SEARCH_COST = 64 * 1024 };

/* ---- Sent ---- */

/* An entry begins the pack at w->at; `as_is`: its bytes go out as they lie. */
static enum bough_err sent_add(
    struct bough_sync__pack *p, const struct bough_reached *e, bool as_is)
{
    struct bough_sync__sent *last = p->sent_n > 0 ? &p->sent[p->sent_n - 1] : NULL;
    uint64_t len = as_is ? e->len : 1; /* else nothing may be counted from it but itself */
    void *ptr = p->sent;
    enum bough_err err;

    if (last != NULL && last->to == e->where &&
        last->at + (last->to - last->from) == p->writer.at) {
        last->to += len;
        return BOUGH_OK;
    }
    if (p->sent_n == SENT_MAX) { /* the older half is forgotten: bases there are told by id */
        p->sent_n = SENT_MAX / 2;
        memmove(p->sent, p->sent + SENT_MAX / 2, p->sent_n * sizeof *p->sent);
    }
    err = bough_mem_grow(p->session->mem, &ptr, &p->sent_cap, p->sent_n + 1, sizeof *p->sent);
    p->sent = ptr;
    if (!err)
        p->sent[p->sent_n++] = (struct bough_sync__sent){e->where, e->where + len, p->writer.at};
    return err;
}

/* Where in the pack is the entry that lay at `where`? */
static bool sent_find(const struct bough_sync__pack *p, uint64_t where, uint64_t *at)
{
    size_t lo = 0, hi = p->sent_n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->sent[mid].from <= where)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || where >= p->sent[lo - 1].to)
        return false;
    *at = p->sent[lo - 1].at + (where - p->sent[lo - 1].from);
    return true;
}

/* ---- Heads ---- */

enum how { AS_IS, NEW_HEAD, WHOLE };

static enum bough_err head_choose(struct bough_sync__pack *p, const struct bough_reached *e,
    struct bough_entry_head *head, enum how *how)
{
    struct bough_oid base;
    uint64_t at;
    uint32_t sides = 0;
    enum bough_err err;

    *head = e->head;
    *how = AS_IS;
    if (!bough_entry_is_delta(e->head.type))
        return BOUGH_OK;
    if (e->head.type == BOUGH_OFS_DELTA && p->ofs && sent_find(p, e->where - e->head.back, &at)) {
        head->back = p->writer.at - at;
        *how = head->back == e->head.back ? AS_IS : NEW_HEAD;
        return BOUGH_OK;
    }
    err = bough_reach_base(p->reach, e, &base, &sides);
    if (err)
        return err;
    if (sides == 1u << BOUGH_REACH_WANT || (p->thin && (sides & 1u << BOUGH_REACH_HAVE) != 0)) {
        *how = e->head.type == BOUGH_REF_DELTA ? AS_IS : NEW_HEAD;
        head->type = BOUGH_REF_DELTA;
        head->base = base;
    } else {
        *how = WHOLE;
    }
    return BOUGH_OK;
}

/* ---- Next ---- */

/* All of an entry, checked. */
static enum bough_err entry_put(struct bough_sync__pack *p, const struct bough_reached *e,
    const struct bough_entry_head *head, bool as_is)
{
    uint8_t *room;
    enum bough_err err;

    bough_buf_clear(&p->scratch);
    room = bough_buf_room(&p->scratch, (size_t)e->len);
    if (room == NULL)
        return p->scratch.err;
    err = bough_reach_read(p->reach, e, 0, room, (size_t)e->len);
    if (err)
        return err;
    if (bough_crc32(0, room, (size_t)e->len) != e->crc)
        return bough_sync__session_fail(p->session, BOUGH_ECORRUPT, "an object is damaged", &e->id);
    if (as_is)
        bough_pack_writer_put_raw(&p->writer, bough_view(room, (size_t)e->len));
    else
        bough_pack_writer_put_packed(&p->writer, head,
            bough_view(room + e->head.head_len, (size_t)(e->len - e->head.head_len)));
    return BOUGH_OK;
}

static enum bough_err entry_send(struct bough_sync__pack *p, const struct bough_reached *e)
{
    struct bough_entry_head head;
    enum how how;
    enum bough_err err = head_choose(p, e, &head, &how);

    if (!err)
        err = sent_add(p, e, how == AS_IS);
    if (err)
        return err;
    p->session->pub.objects++;
    if (how == WHOLE)
        return bough_sync__pack_whole(p, &e->id);
    if (e->len > AT_ONCE) {
        bough_sync__pack_stored(p,
            &(struct bough_entry){.id = e->id,
                .type = bough_entry_is_delta(head.type) ? BOUGH_REF_DELTA : head.type,
                .base = head.base,
                .size = head.size,
                .packed_len = e->len - e->head.head_len,
                .where = e->where + e->head.head_len},
            &head);
        return BOUGH_OK;
    }
    p->reused++;
    p->deltas += bough_entry_is_delta(head.type);
    return entry_put(p, e, &head, how == AS_IS);
}

/* ---- Left ---- */

/* The store needed the room, or the time: the rest goes out by ids, one after another noted behind what is to
   be sent anyway.  What was sent so far is nobody's base any more: it may stand on what comes now. */
static enum bough_err left_take(struct bough_sync__pack *p)
{
    struct bough_oid id;
    uint32_t row;
    enum bough_err err = bough_reach_left(p->reach, &id);

    if (err == BOUGH_ENOENT) {
        p->reach = NULL;
        return BOUGH_OK;
    }
    if (!err)
        err = bough_sync__ids_add(p->ids, &id, &row);
    if (err)
        return err;
    bough_sync__ids_set(p->ids, row, BOUGH_SYNC__SEND);
    return bough_sync__list_add(p->order, row);
}

enum bough_err bough_sync__pack_reached(struct bough_sync__pack *p)
{
    struct bough_reached e;
    enum bough_err err = bough_reach_next(p->reach, &e);

    if (err == BOUGH_EAGAIN) {
        p->cost = SEARCH_COST;
        return BOUGH_OK;
    }
    if (err == BOUGH_EEXPIRED)
        return left_take(p);
    if (err == BOUGH_ENOENT) {
        p->reach_over = true;
        return BOUGH_OK;
    }
    return err ? err : entry_send(p, &e);
}
