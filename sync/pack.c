/*
 * pack.c - the pack of what was selected, made as the client drains it.
 *
 *   choosing   an object's entry as it is stored, or the object whole
 *   bases      a base goes out before its delta, by a stack instead of recursion
 *   pieces     the entry under way, a piece at a time
 *   steps      until the output is full
 *
 * A stored entry goes out verbatim when it is whole, or when it is a delta whose base is in this
 * pack or (thin) with the client.  Else the object is read and deflated.
 */
#include "sync/inner.h"

enum { PIECE = 32 * 1024, WHOLE_MAX = 32 * 1024, LEVEL = 1, ENTRY_COST = 256 };

enum bough_err bough_sync__pack_init(
    struct bough_sync__pack *p, struct bough_sync__select *sel, bool thin, bool ofs)
{
    *p = (struct bough_sync__pack){.session = sel->session,
        .store = sel->store,
        .ids = &sel->ids,
        .order = &sel->order,
        .thin = thin,
        .ofs = ofs,
        .reach = sel->reach,
        .stack = {.mem = sel->session->mem}};
    bough_buf_init(&p->raw, sel->session->mem);
    bough_buf_init(&p->scratch, sel->session->mem);
    bough_pack_writer_init(&p->writer, &p->raw, sel->session->algo, sel->order.n + sel->reached);
    return p->raw.err;
}

void bough_sync__pack_fini(struct bough_sync__pack *p)
{
    if (p->session == NULL)
        return;
    bough_pack_writer_drop(&p->writer);
    bough_object_close(p->object);
    bough_sync__list_fini(&p->stack);
    bough_mem_free(p->session->mem, p->sent, p->sent_cap * sizeof *p->sent);
    bough_buf_fini(&p->raw);
    bough_buf_fini(&p->scratch);
    *p = (struct bough_sync__pack){0};
}

/* ---- Choosing ---- */

/* May the delta go out as it is?  `*row`: the row of its base, when that is in this pack. */
static bool delta_ok(
    const struct bough_sync__pack *p, const struct bough_oid *base, bool *inside, uint32_t *row)
{
    uint32_t sides = 0;
    if (p->reach != NULL && bough_reach_sides(p->reach, base, &sides))
        return false;
    if (sides != 0) /* what bitmaps selected went out before */
        return sides == 1u << BOUGH_REACH_WANT || p->thin;
    if (!bough_sync__ids_find(p->ids, base, row))
        return false;
    uint64_t flags = bough_sync__flags(p->ids, *row);
    *inside = (flags & (BOUGH_SYNC__SEND | BOUGH_SYNC__HAVE)) == BOUGH_SYNC__SEND;
    if (*inside)
        return (flags & BOUGH_SYNC__BASE) == 0; /* it waits for us: a circle, to be broken */
    return p->thin && (flags & BOUGH_SYNC__HAVE) != 0;
}

/* The head of a delta whose base is `row` (inside) or known to the client. */
static struct bough_entry_head delta_head(
    const struct bough_sync__pack *p, const struct bough_entry *e, bool inside, uint32_t row)
{
    struct bough_entry_head head = {.type = BOUGH_REF_DELTA, .size = e->size, .base = e->base};
    if (inside && p->ofs) {
        head.type = BOUGH_OFS_DELTA;
        head.back = p->writer.at - (bough_sync__ids_get(p->ids, row) >> BOUGH_SYNC__BITS);
    }
    return head;
}

static enum bough_err missing(struct bough_sync__pack *p, const struct bough_oid *id)
{
    return bough_sync__session_fail(p->session, BOUGH_ECORRUPT, "object is missing", id);
}

enum bough_err bough_sync__pack_whole(struct bough_sync__pack *p, const struct bough_oid *id)
{
    enum bough_err err = bough_store_object_open(p->store, id, &p->object);
    if (err)
        return err == BOUGH_ENOENT ? missing(p, id) : err;
    struct bough_entry_head head = {.type = p->object->type, .size = p->object->size};
    if (head.size > WHOLE_MAX) {
        bough_pack_writer_begin(&p->writer, &head);
        p->open = true;
        p->packed = false;
        p->entry_at = 0;
        return BOUGH_OK;
    }
    bough_object_close(p->object);
    p->object = NULL;
    bough_buf_clear(&p->scratch);
    err = bough_store_read(p->store, id, NULL, &p->scratch);
    if (!err)
        bough_pack_writer_put(&p->writer, &head, bough_buf_view(&p->scratch), LEVEL);
    return err;
}

void bough_sync__pack_stored(
    struct bough_sync__pack *p, const struct bough_entry *e, const struct bough_entry_head *head)
{
    bough_pack_writer_begin(&p->writer, head);
    p->entry = *e;
    p->open = p->packed = true;
    p->entry_at = 0;
    p->reused++;
    p->deltas += e->type == BOUGH_REF_DELTA;
}

/* ---- Bases ---- */

/* The top of the stack goes out, or its base is put above it. */
static enum bough_err top_begin(struct bough_sync__pack *p)
{
    uint32_t row = p->stack.items[p->stack.n - 1], base = 0;
    struct bough_oid id = bough_sync__ids_at(p->ids, row);
    struct bough_entry e;
    bool inside = false;
    enum bough_err err = bough_store_entry(p->store, &id, &e);
    if (err && err != BOUGH_ENOTSUP && err != BOUGH_ENOENT)
        return err;
    bool stored = !err && (e.type != BOUGH_REF_DELTA || delta_ok(p, &e.base, &inside, &base));
    if (stored && inside && (bough_sync__flags(p->ids, base) & BOUGH_SYNC__SENT) == 0) {
        bough_sync__flag(p->ids, row, BOUGH_SYNC__BASE);
        return bough_sync__list_add(&p->stack, base);
    }
    uint64_t flags = bough_sync__flags(p->ids, row) & ~(uint64_t)BOUGH_SYNC__BASE;
    bough_sync__ids_set(p->ids, row, flags | BOUGH_SYNC__SENT | p->writer.at << BOUGH_SYNC__BITS);
    p->stack.n--;
    p->session->pub.objects++;
    if (!stored)
        return bough_sync__pack_whole(p, &id);
    struct bough_entry_head head = {.type = e.type, .size = e.size};
    if (e.type == BOUGH_REF_DELTA)
        head = delta_head(p, &e, inside, base);
    bough_sync__pack_stored(p, &e, &head);
    return BOUGH_OK;
}

/* ---- Pieces ---- */

static enum bough_err packed_piece(struct bough_sync__pack *p)
{
    uint64_t left = p->entry.packed_len - p->entry_at;
    size_t n = left < PIECE ? (size_t)left : PIECE;
    bough_buf_clear(&p->scratch);
    uint8_t *room = bough_buf_room(&p->scratch, n);
    if (room == NULL)
        return p->scratch.err;
    enum bough_err err = bough_store_entry_read(p->store, &p->entry, p->entry_at, room, n);
    if (err)
        return err;
    bough_pack_writer_packed(&p->writer, bough_view(room, n));
    p->entry_at += n;
    p->open = p->entry_at < p->entry.packed_len;
    return BOUGH_OK;
}

static enum bough_err whole_piece(struct bough_sync__pack *p)
{
    size_t got = 0;
    bough_buf_clear(&p->scratch);
    uint8_t *room = bough_buf_room(&p->scratch, PIECE);
    if (room == NULL)
        return p->scratch.err;
    enum bough_err err = bough_object_read(p->object, p->entry_at, room, PIECE, &got);
    if (!err && got == 0)
        err = BOUGH_ECORRUPT;
    if (err)
        return err;
    bough_pack_writer_data(&p->writer, bough_view(room, got), LEVEL);
    p->entry_at += got;
    p->open = p->entry_at < p->object->size;
    if (!p->open) {
        bough_object_close(p->object);
        p->object = NULL;
    }
    return BOUGH_OK;
}

static enum bough_err piece(struct bough_sync__pack *p)
{
    enum bough_err err = p->packed ? packed_piece(p) : whole_piece(p);
    if (!err && !p->open)
        bough_pack_writer_end(&p->writer);
    return err;
}

/* ---- Steps ---- */

/* Move what the writer made to the session's output; less than a packet waits for more. */
static void raw_move(struct bough_sync__pack *p, bool all)
{
    struct bough_sync__session *s = p->session;
    size_t max = s->band_max;
    size_t n = all || max == 0 ? p->raw.len : p->raw.len / max * max;
    if (n == 0)
        return;
    if (max == 0)
        bough_buf_put(&s->out, p->raw.ptr, n);
    else
        bough_pkt_put_band(&s->out, 1, bough_view(p->raw.ptr, n), max);
    bough_buf_shift(&p->raw, n);
}

static enum bough_err pack_next(struct bough_sync__pack *p)
{
    if (p->open)
        return piece(p);
    if (p->reach != NULL && !p->reach_over)
        return bough_sync__pack_reached(p);
    if (p->stack.n >
        0) { /* the first piece at once: a short entry is never packed anew in between */
        enum bough_err err = top_begin(p);
        return err || !p->open ? err : piece(p);
    }
    if (p->at == p->order->n) {
        bough_pack_writer_finish(&p->writer);
        p->over = true;
        return BOUGH_OK;
    }
    uint32_t row = p->order->items[p->at++];
    if ((bough_sync__flags(p->ids, row) & BOUGH_SYNC__SENT) != 0)
        return BOUGH_OK;
    return bough_sync__list_add(&p->stack, row);
}

enum bough_err bough_sync__pack_step(struct bough_sync__pack *p, size_t budget)
{
    size_t spent = 0;
    while (!p->over && spent < budget && !bough_sync__session_full(p->session)) {
        uint64_t before = p->writer.at;
        enum bough_err err = pack_next(p);
        if (!err)
            err = p->raw.err ? p->raw.err : p->scratch.err;
        if (err)
            return err;
        /* Deflating is dear: the bytes read count there. */
        size_t cost = (size_t)(p->writer.at - before) + ENTRY_COST + p->cost;
        p->cost = 0;
        if (p->object != NULL)
            cost += PIECE;
        spent += cost;
        raw_move(p, p->over);
    }
    return BOUGH_OK;
}
