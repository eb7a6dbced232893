/*
 * replay.c - the log after the checkpoint, read back at open; docs/format.md 4.
 *
 *   frames   is the next frame in the chain?  What is not known to be durable is read whole
 *   apply    what a transaction's items do to memory
 *
 * Is it the end, or damage?  And what is behind that: replay_end.c.
 * Nothing is written here.  The head ends up behind the last whole transaction.
 */
#include "store/inner.h"
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/open/replay_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

/* ---- Frames ---- */

/* Behind damage also one of a mount whose superblocks are lost. */
static bool epoch_fits(const struct bough_log__replay *r, const struct bough_log__frame *f)
{
    return bough_log__super_epoch_fits(r->newest, f->seq, f->epoch) ||
           (r->past && f->epoch > r->epoch);
}

enum bough_err bough_log__head_load(
    struct bough_log *l, uint32_t zone, uint32_t at, struct bough_log__frame *f)
{
    uint8_t raw[BOUGH_LOG__FRAME_HEAD];
    enum bough_err err;

    if (at > l->geo.zone - BOUGH_LOG__FRAME_HEAD)
        return BOUGH_ENOENT;
    err = bough_log__read(l, (uint64_t)zone * l->geo.zone + at, raw, sizeof raw);
    return err ? err : bough_log__frame_decode(&l->geo, zone, at, raw, f);
}

static enum bough_err index_load(struct bough_log__replay *r, const struct bough_log__frame *f)
{
    struct bough_log *l = r->log;
    uint64_t at = (uint64_t)f->zone * l->geo.zone + f->at + BOUGH_LOG__FRAME_HEAD + f->data_len;
    enum bough_err err;

    bough_buf_clear(&r->index);
    if (bough_buf_room(&r->index, f->index_len) == NULL && r->index.err)
        return r->index.err;
    err = bough_log__read(l, at, r->index.ptr, f->index_len);
    r->index.len = f->index_len;
    if (err)
        return err;
    return bough_crc32(0, r->index.ptr, f->index_len) == f->index_crc ? BOUGH_OK : BOUGH_ENOENT;
}

struct object_item {
    struct bough_oid id;
    uint32_t at, len, crc; /* from the frame's first byte */
};

static bool object_decode(const struct bough_log *l, const struct bough_log__frame *f,
    struct bough_view body, struct object_item *out)
{
    struct bough_log__fields in = {.left = body};

    out->id = bough_log__get_id(&in, l->geo.algo);
    out->at = (uint32_t)bough_log__get(&in, 4);
    out->len = (uint32_t)bough_log__get(&in, 4);
    out->crc = (uint32_t)bough_log__get(&in, 4);
    return !in.bad && in.left.len == 0 && out->at >= BOUGH_LOG__FRAME_HEAD + BOUGH_LOG__BEFORE &&
           out->at <= BOUGH_LOG__FRAME_HEAD + f->data_len &&
           out->len <= BOUGH_LOG__FRAME_HEAD + f->data_len - out->at;
}

static enum bough_err object_check(
    struct bough_log *l, const struct bough_log__frame *f, struct bough_view body)
{
    uint64_t frame = (uint64_t)f->zone * l->geo.zone + f->at;
    struct object_item o;
    enum bough_err err;
    uint8_t *p;

    bough_buf_clear(&l->scratch);
    if (!object_decode(l, f, body, &o))
        return BOUGH_ENOENT;
    p = bough_buf_room(&l->scratch, (size_t)o.len + BOUGH_LOG__BEFORE);
    if (p == NULL)
        return l->scratch.err;
    err =
        bough_log__read(l, frame + o.at - BOUGH_LOG__BEFORE, p, (size_t)o.len + BOUGH_LOG__BEFORE);
    if (err)
        return err;
    return bough_get32le(p) == o.len && bough_get32le(p + 4) == o.crc &&
                   bough_get64be(p + 8) == bough_log__id8(&o.id) &&
                   bough_crc32(0, p + BOUGH_LOG__BEFORE, o.len) == o.crc
               ? BOUGH_OK
               : BOUGH_ENOENT;
}

/* Every entry of the frame against its checksum; where nothing can be flushed, also what the frame
   names: it was written before, but may not have settled. */
static enum bough_err data_check(struct bough_log__replay *r, const struct bough_log__frame *f)
{
    struct bough_log *l = r->log;
    struct bough_log__items it = {bough_buf_view(&r->index)};
    bool flush = l->dev->caps & BOUGH_BLOCK_SYNC;
    struct bough_view body;
    uint32_t kind;
    enum bough_err err = BOUGH_OK;

    while (!err && (err = bough_log__item_next(&it, &kind, &body)) == BOUGH_OK) {
        if (kind == BOUGH_LOG__OBJECT)
            err = object_check(l, f, body);
        else if (kind == BOUGH_LOG__ADOPT && !flush)
            err = bough_log__segment_whole(l, body);
        else if (kind == BOUGH_LOG__AHEAD && !flush)
            err = bough_log__ahead_whole(l, body);
        if (err)
            return err;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : BOUGH_ENOENT;
}

/* The head at zone, at, if it continues the chain.  BOUGH_ENOENT: it does not. */
static enum bough_err head_at(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, struct bough_log__frame *f)
{
    enum bough_err err = bough_log__head_load(r->log, zone, at, f);

    if (!err && (f->seq != r->pos.seq || f->prev_crc != r->pos.prev_crc || !epoch_fits(r, f)))
        return BOUGH_ENOENT;
    return err;
}

/* The whole frame. */
static enum bough_err frame_at(
    struct bough_log__replay *r, uint32_t zone, uint32_t at, struct bough_log__frame *f)
{
    bool flush = r->log->dev->caps & BOUGH_BLOCK_SYNC;
    enum bough_err err = head_at(r, zone, at, f);

    if (!err)
        err = index_load(r, f);
    if (!err && !r->any_data && (flush ? f->seq >= r->sure : f->seq > r->known))
        err = data_check(r, f);
    return err;
}

/*
 * Here, or at the start of the next zone.  Where both fit the one of the later mount holds: the
 * other was torn when that mount came, and it went on in the next zone.
 */
static enum bough_err frame_next(struct bough_log__replay *r, struct bough_log__frame *f)
{
    struct bough_log__frame here, there;
    enum bough_err err = BOUGH_ENOENT;
    bool both = r->pos.next != 0 && !head_at(r, r->pos.next, 0, &there) &&
                !head_at(r, r->pos.zone, r->pos.at, &here);

    if (both && there.epoch > here.epoch)
        err = frame_at(r, r->pos.next, 0, f);
    if (err == BOUGH_ENOENT)
        err = frame_at(r, r->pos.zone, r->pos.at, f);
    if (err == BOUGH_ENOENT && r->pos.next != 0)
        err = frame_at(r, r->pos.next, 0, f);
    return err;
}

/* ---- Apply ---- */

static enum bough_err apply_object(
    struct bough_log__replay *r, const struct bough_log__frame *f, struct bough_view body)
{
    struct bough_log *l = r->log;
    struct object_item o;
    struct bough_log__row row;
    enum bough_err err;

    if (f->seq <= r->upto)
        return BOUGH_OK;
    if (!object_decode(l, f, body, &o))
        return bough_log__corrupt(l, "a frame's object lies outside of it", f->seq);
    err = bough_log__rows_reserve(&l->rows, l->mem, 1);
    if (err)
        return err;
    row = (struct bough_log__row){.id = o.id,
        .where = bough_log__where(f->segment, (uint64_t)f->at + o.at),
        .crc = o.crc,
        .unseen = true};
    if (bough_log__rows_find(&l->rows, &o.id) != NULL)
        err = bough_log__row_see(l, &row);
    if (!err)
        bough_log__rows_renew(&l->rows, &row);
    return err;
}

static enum bough_err apply_ref(struct bough_log *l, struct bough_view body)
{
    struct bough_log__ref_value v;
    struct bough_log__ref *ref;
    enum bough_err err = bough_log__ref_decode(body, l->geo.algo, &v);

    if (!err)
        err = bough_log__refs_reserve(&l->refs, l->mem, 1);
    if (err)
        return err;
    ref = bough_log__ref_new(l->mem, &v);
    if (ref == NULL)
        return BOUGH_ENOMEM;
    if (bough_store__is_boundary(v.ref.name)) { /* a collection may have moved it without a frame */
        struct bough_log__ref_value was;
        err = bough_log__ref_get(l, v.ref.name, &was);
        if (err && err != BOUGH_ENOENT) {
            bough_log__ref_free(l->mem, ref);
            return err;
        }
        v.counts = (err == BOUGH_OK) != (v.ref.kind != BOUGH_REF_NONE);
    }
    bough_log__refs_set(&l->refs, l->mem, ref);
    if (v.counts)
        l->refs_n += v.ref.kind != BOUGH_REF_NONE ? 1 : UINT64_MAX; /* or one less */
    return BOUGH_OK;
}

static enum bough_err apply_record(struct bough_log *l, uint32_t kind, struct bough_view body)
{
    struct bough_view stream, bytes;
    uint64_t seq;
    enum bough_err err = bough_log__record_decode(body, &seq, &stream, &bytes);

    if (err)
        return err;
    if (kind == BOUGH_LOG__RETIRE) {
        bough_log__records_retire(&l->records, l->mem, stream, seq);
        return BOUGH_OK;
    }
    err = bough_log__records_reserve(&l->records, l->mem, 1);
    if (!err)
        err = bough_log__records_add(&l->records, l->mem, seq, stream, bytes);
    if (!err && seq >= l->next_record)
        l->next_record = seq + 1;
    return err;
}

static enum bough_err apply_adopt(struct bough_log *l, struct bough_view body)
{
    struct bough_log__segment seg;
    enum bough_err err;

    if (l->rootless && (err = bough_log__segment_whole(l, body)) != BOUGH_OK)
        return err == BOUGH_ENOENT ? BOUGH_OK : err; /* its zones may be another's by now */
    err = bough_log__segment_decode(l, body, &seg);
    if (err)
        return err;
    if (l->segments > 0 && seg.number <= l->segment[l->segments - 1].number)
        err = bough_log__corrupt(l, "segment numbers do not ascend", seg.number);
    for (uint32_t i = 0; i < seg.run.n && !err; i++)
        err = bough_log__zone_claim(l, seg.run.zones[i], BOUGH_LOG__ZONE_PACK);
    if (!err)
        err = bough_log__tables_reserve(l, 1);
    if (!err)
        err = bough_log__segment_add(l, &seg);
    if (err) {
        bough_log__segment_fini(l, &seg);
        return err;
    }
    if (l->next_table <= seg.oid.number || l->next_table <= seg.reverse.number)
        l->next_table =
            1 + (seg.oid.number > seg.reverse.number ? seg.oid.number : seg.reverse.number);
    bough_log__apply_segment_table(l, bough_log__segment_find(l, seg.number));
    bough_log__births_adopted(l, seg.number);
    return BOUGH_OK;
}

static enum bough_err apply_item(struct bough_log__replay *r, const struct bough_log__frame *f,
    uint32_t kind, struct bough_view body)
{
    switch (kind) {
    case BOUGH_LOG__OBJECT:
        return apply_object(r, f, body);
    case BOUGH_LOG__REF:
        return apply_ref(r->log, body);
    case BOUGH_LOG__RECORD:
    case BOUGH_LOG__RETIRE:
        return apply_record(r->log, kind, body);
    case BOUGH_LOG__ADOPT:
        return apply_adopt(r->log, body);
    case BOUGH_LOG__AHEAD:
        return bough_log__ahead_replay(r->log, body);
    default:
        return kind < BOUGH_LOG__KIND_OPTIONAL ? bough_log__other_item(&r->log->store.why, kind)
                                               : BOUGH_OK;
    }
}

/* The first frame in a zone makes it a log segment. */
static enum bough_err apply_segment(struct bough_log *l, const struct bough_log__frame *f)
{
    struct bough_log__segment seg = {.number = f->segment, .zone = f->zone};
    const struct bough_log__segment *has = bough_log__segment_find(l, f->segment);
    enum bough_err err;

    if (has != NULL)
        return !has->pack && has->zone == f->zone
                   ? BOUGH_OK
                   : bough_log__corrupt(l, "a frame names another segment", f->seq);
    if (l->segments > 0 && f->segment <= l->segment[l->segments - 1].number)
        return bough_log__corrupt(l, "segment numbers do not ascend", f->segment);
    err = bough_log__zone_claim(l, f->zone, BOUGH_LOG__ZONE_LOG);
    return err ? err : bough_log__segment_add(l, &seg);
}

/* The frame whose index is loaded happens. */
static enum bough_err frame_apply(struct bough_log__replay *r, const struct bough_log__frame *f)
{
    struct bough_log__items it = {bough_buf_view(&r->index)};
    enum bough_err err = apply_segment(r->log, f);

    bough_log__births_replay(r->log, bough_log__where(f->segment, f->at), f->time);
    while (!err) {
        struct bough_view body;
        uint32_t kind;
        err = bough_log__item_next(&it, &kind, &body);
        if (!err)
            err = apply_item(r, f, kind, body);
        else if (err == BOUGH_ENOENT)
            break;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Up to where do tables written ahead stand for objects?  Their items are in the index loaded. */
static void ahead_look(struct bough_log__replay *r)
{
    struct bough_log__items it = {bough_buf_view(&r->index)};
    struct bough_view body;
    uint32_t kind;

    while (!bough_log__item_next(&it, &kind, &body)) {
        if (kind == BOUGH_LOG__AHEAD && body.len >= 8 && bough_get64le(body.ptr) > r->upto)
            r->upto = bough_get64le(body.ptr);
    }
}

static enum bough_err group_apply(struct bough_log__replay *r)
{
    enum bough_err err = BOUGH_OK;

    r->upto = 0;
    for (size_t i = 0; i < r->group_n && r->group_n > 1 && !err; i++) {
        err = index_load(r, &r->group[i]);
        ahead_look(r);
    }
    for (size_t i = 0; i < r->group_n && !err; i++) {
        if (r->group_n > 1)
            err = index_load(r, &r->group[i]);
        if (!err)
            err = frame_apply(r, &r->group[i]);
        r->log->log_bytes += bough_log__frame_len(&r->log->geo, &r->group[i]);
    }
    r->group_n = 0;
    return err;
}

static enum bough_err frame_take(struct bough_log__replay *r, const struct bough_log__frame *f)
{
    void *ptr = r->group;
    enum bough_err err;

    if (f->flags & BOUGH_LOG__FRAME_FIRST)
        r->group_n = 0;
    else if (r->group_n == 0 && !r->past)
        return bough_log__corrupt(r->log, "a transaction has no first frame", f->seq);
    err = bough_mem_grow(r->log->mem, &ptr, &r->group_cap, r->group_n + 1, sizeof *r->group);
    r->group = ptr;
    if (err)
        return err;
    if (r->group_n > 0 || f->flags & BOUGH_LOG__FRAME_FIRST)
        r->group[r->group_n++] = *f;
    else /* what it is of is lost */
        r->log->lost_to = f->seq;
    r->pos.seq++;
    r->pos.prev_crc = f->crc;
    r->pos.segment = f->segment;
    r->pos.zone = f->zone;
    r->pos.at = f->at + bough_log__frame_len(&r->log->geo, f);
    r->pos.next = f->next_zone;
    if (!(f->flags & BOUGH_LOG__FRAME_LAST))
        return BOUGH_OK;
    err = group_apply(r);
    r->log->head = r->pos;
    return err;
}

/* Without flush: look along the heads of the chain what they say has settled. */
static enum bough_err known_look(struct bough_log__replay *r)
{
    struct bough_log *l = r->log;
    struct bough_log__head pos = r->pos;
    struct bough_log__frame f;
    enum bough_err err = BOUGH_OK;

    while (!err) {
        err = bough_log__head_load(l, pos.zone, pos.at, &f);
        if (err == BOUGH_ENOENT && pos.next != 0)
            err = bough_log__head_load(l, pos.next, 0, &f);
        if (err || f.seq != pos.seq || f.prev_crc != pos.prev_crc || !epoch_fits(r, &f))
            break;
        r->known = f.durable_to > r->known ? f.durable_to : r->known;
        pos = (struct bough_log__head){.seq = f.seq + 1, .prev_crc = f.crc, .zone = f.zone};
        pos.at = f.at + bough_log__frame_len(&l->geo, &f);
        pos.next = f.next_zone;
    }
    l->durable_to = r->known;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Frames up to where the chain ends, for whatever reason. */
static enum bough_err chain_take(struct bough_log__replay *r)
{
    struct bough_log__frame f;
    enum bough_err err = BOUGH_OK;

    while (!err) {
        err = frame_next(r, &f);
        r->any_data = false;
        if (!err)
            err = frame_take(r, &f);
    }
    return err == BOUGH_ENOENT ? bough_log__replay_end(r) : err;
}

/* The chain is damaged: on behind that, as often as it is. */
static enum bough_err past_take(struct bough_log__replay *r, enum bough_err err)
{
    struct bough_log *l = r->log;

    if (err == BOUGH_EIO)
        err = bough_log__corrupt(l, "the log cannot be read", r->pos.seq);
    bough_log__damage_note(l, &l->store.why);
    r->past = true;
    while (err == BOUGH_ECORRUPT || err == BOUGH_EIO) {
        uint64_t seq = r->pos.seq;

        r->any_data = true;
        err = chain_take(r);
        if (err != BOUGH_ECORRUPT && err != BOUGH_EIO)
            continue;
        l->lost_to = r->pos.seq;
        if (r->pos.seq > seq)
            continue;
        r->group_n = 0;
        err = bough_log__replay_past(r);
        l->lost_to = err ? UINT64_MAX : r->pos.seq - 1;
        if (err == BOUGH_OK)
            err = BOUGH_ECORRUPT;
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_log__replay(struct bough_log *l, const struct bough_log__super *newest)
{
    struct bough_log__replay r = {.log = l, .newest = newest, .pos = l->head};
    enum bough_err err;

    r.sure = newest->mount_seq > newest->durable ? newest->mount_seq : newest->durable + 1;
    r.known = newest->durable;
    r.epoch = newest->epoch;
    bough_buf_init(&r.index, l->mem);
    err = l->dev->caps & BOUGH_BLOCK_SYNC ? BOUGH_OK : known_look(&r);
    if (!err)
        err = chain_take(&r);
    if ((err == BOUGH_ECORRUPT || err == BOUGH_EIO) && l->store.read_only && l->opts.past_damage)
        err = past_take(&r, err);
    bough_buf_fini(&r.index);
    bough_mem_free(l->mem, r.group, r.group_cap * sizeof *r.group);
    return err;
}
