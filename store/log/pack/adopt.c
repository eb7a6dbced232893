/*
 * adopt.c - an intake joins a transaction.
 *
 *   small     its new entries are copied into frames: no zone of its own for a few kilobytes
 *   large     the segment gets a number, and a frame names it
 *
 * What a segment holds is flushed before the last frame of the transaction is written.
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/intake_inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"

/* ---- Small ---- */

/* The entry of the intake that begins at `at`. */
static enum bough_err entry_at(
    struct bough_log__intake *x, uint64_t at, struct bough_store__intake_row *out)
{
    uint64_t lo = 0, hi = x->seg.objects;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        *out = bough_store__intake_entry(x->core, mid);
        if (out->at == at)
            return BOUGH_OK;
        if (out->at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return bough_log__corrupt(x->log, "an entry's base is none", at);
}

/* The entry as a log segment may hold it, in l->scratch: no OFS delta. */
static enum bough_err entry_copy(
    struct bough_log__intake *x, const struct bough_store__intake_row *row)
{
    struct bough_log *l = x->log;
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    size_t n = row->packed_len < sizeof raw ? (size_t)row->packed_len : sizeof raw;
    struct bough_store__intake_row base;
    struct bough_entry_head head;
    enum bough_err err = bough_log__out_read(&x->out, row->at, raw, n);
    uint8_t *p;

    if (!err)
        err = bough_entry_head_parse(l->geo.algo, row->at, bough_view(raw, n), &head);
    if (!err && head.type == BOUGH_OFS_DELTA) {
        err = entry_at(x, row->at - head.back, &base);
        head.base = base.id;
    }
    if (err)
        return err;
    n = (size_t)row->packed_len - head.head_len;
    if (head.type == BOUGH_OFS_DELTA)
        head.type = BOUGH_REF_DELTA;
    bough_buf_clear(&l->scratch);
    bough_buf_put(&l->scratch, raw, bough_entry_head_write(l->geo.algo, &head, raw));
    p = bough_buf_room(&l->scratch, n);
    if (p == NULL)
        return l->scratch.err;
    l->scratch.len += n;
    return bough_log__out_read(&x->out, row->at + row->packed_len - n, p, n);
}

static bool fits_frame(const struct bough_log *l, uint64_t packed)
{
    return packed + BOUGH_LOG__FRAME_HEAD + BOUGH_LOG__BEFORE + 64 + 2 * BOUGH_DIGEST_MAX <=
           l->geo.frame_max;
}

enum { COPY_MAX = 256 * 1024 }; /* bytes of a pack that is copied */

static enum bough_err adopt_copy(struct bough_log *l, struct bough_log__intake *x)
{
    for (uint64_t i = 0; i < x->in.count; i++) {
        struct bough_store__intake_row row = bough_store__intake_row(x->core, i);
        enum bough_err err;

        if (row.known)
            continue;
        err = bough_log__is_there(l, &row.id);
        if (!err)
            continue; /* somebody else brought it meanwhile */
        if (err == BOUGH_ENOENT)
            err = entry_copy(x, &row);
        if (!err)
            err = bough_log__entry_append(l, &row.id);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* ---- Large ---- */

enum bough_err bough_log__segment_adopt(struct bough_log *l, struct bough_log__segment *seg)
{
    struct bough_log__txn *t = &l->txn;
    void *ptr = t->adopted;
    size_t len;
    enum bough_err err =
        bough_mem_grow(l->mem, &ptr, &t->adopted_cap, t->adopted_n + 1, sizeof *t->adopted);

    t->adopted = ptr;
    t->heavy = t->grows = t->heavy || !t->txn.urgent;
    if (!err)
        err = bough_log__frame_fit(l, 0, 128 + 8 * (size_t)seg->run.n);
    if (!err && l->next_segment > BOUGH_LOG__SEGMENT_MAX)
        err = BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "segment numbers are used up", NULL, 0);
    if (err)
        return err;
    seg->number = l->next_segment;
    seg->oid.segment = seg->reverse.segment = seg->sums.segment = seg->number;
    len = t->index.len;
    bough_log__segment_encode(&t->index, seg);
    err = t->index.err;
    if (!err)
        err = bough_log__segment_add(l, seg);
    if (err) {
        t->index.len = len;
        t->index.err = BOUGH_OK;
        seg->number = 0;
        return err;
    }
    t->adopted[t->adopted_n++] = seg->number;
    l->payload += seg->pack_end;
    t->items++;
    seg->run = (struct bough_log__run){0}; /* the store has it now */
    return BOUGH_OK;
}

static enum bough_err adopt_segment(struct bough_log *l, struct bough_log__intake *x)
{
    bough_log__view_end(x);
    return bough_log__segment_adopt(l, &x->seg);
}

/* ---- Healing ---- */

enum { HEAL_MAX = 16 * 1024 * 1024 }; /* bytes of a body that is held for it */

/* Where the object of that row was put. */
static uint64_t adopted_at(struct bough_log *l, const struct bough_store__intake_row *row)
{
    const struct bough_log__row *copied = bough_log__rows_find(&l->txn.rows, &row->id);
    size_t n = l->txn.adopted_n;

    if (copied != NULL)
        return copied->where;
    return n > 0 ? bough_log__where(l->txn.adopted[n - 1], row->at) : 0;
}

/* What was damaged and came as a delta does not take the damaged one's place where tables are merged
   (heal.c): it is put as a whole, too. */
static enum bough_err heal_whole(
    struct bough_log *l, struct bough_log__intake *x, const struct bough_oid *id)
{
    struct bough_store__intake_row row;
    struct bough_buf body;
    enum bough_type type;
    uint64_t n, where;
    enum bough_err err = bough_store__intake_find(x->core, id, &n);

    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    row = bough_store__intake_row(x->core, n);
    where = row.known || !bough_entry_is_delta(row.stored) || row.size > HEAL_MAX
                ? 0
                : adopted_at(l, &row);
    if (where == 0)
        return BOUGH_OK;
    bough_buf_init(&body, l->mem);
    err = bough_log__body_read(l, where, &type, &body);
    if (!err)
        err = bough_log__put_whole(l, type, id, bough_buf_view(&body));
    bough_buf_fini(&body);
    return err;
}

enum bough_err bough_log__adopt(struct bough_txn *t, struct bough_intake *in)
{
    struct bough_log *l = bough_log__of(t->store);
    struct bough_log__intake *x = (struct bough_log__intake *)in; /* in is the first field */
    enum bough_err err = BOUGH_OK;

    l->txn.heavy = l->txn.grows = l->txn.heavy || !t->urgent;
    if (x->seg.pack_end <= COPY_MAX && fits_frame(l, x->seg.pack_end))
        err = adopt_copy(l, x);
    else if (x->seg.oid.rows > 0)
        err = adopt_segment(l, x);
    for (size_t i = 0; i < x->heals && !err; i++)
        err = heal_whole(l, x, &x->heal[i]);
    bough_log__intake_close(in);
    return err;
}
