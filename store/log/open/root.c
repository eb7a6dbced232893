/*
 * root.c - the root of a checkpoint: everything that must be known to open; docs/format.md 8.
 *
 *   segments   the adopt item, which roots and frames share
 *   tables     the items of oid and ref tables
 *   encode     all of it
 *   load       into a fresh store
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

enum { ROOT_HEAD = BOUGH_LOG__ROOT_HEAD };
enum { COUNTERS_EARLY = 16 }; /* bytes of the counters before refs were counted */

/* ---- Extents ---- */

static void run_encode(struct bough_buf *b, const struct bough_log__run *r)
{
    size_t at = b->len;
    uint32_t extents = 0;

    bough_buf_put32le(b, 0);
    for (uint32_t i = 0; i < r->n;) {
        uint32_t n = 1;
        while (i + n < r->n && r->zones[i + n] == r->zones[i] + n)
            n++;
        bough_buf_put32le(b, r->zones[i]);
        bough_buf_put32le(b, n);
        extents++;
        i += n;
    }
    if (!b->err)
        bough_put32le(b->ptr + at, extents);
}

/* A run must have exactly the zones that its bytes need. */
static enum bough_err run_decode(
    struct bough_log *l, struct bough_log__fields *f, struct bough_log__run *r)
{
    uint64_t extents = bough_log__get(f, 4);
    enum bough_err err = BOUGH_OK;

    for (uint64_t i = 0; i < extents && !err && !f->bad; i++) {
        uint64_t first = bough_log__get(f, 4), n = bough_log__get(f, 4);
        if (f->bad || n == 0 || first < 2 || n > l->geo.zones || first > l->geo.zones - n)
            return BOUGH_ECORRUPT;
        for (uint64_t k = 0; k < n && !err; k++)
            err = r->n < l->geo.zones ? bough_log__run_add(l, r, (uint32_t)(first + k))
                                      : BOUGH_ECORRUPT;
    }
    if (!err && (f->bad || r->start >= l->geo.zone || r->start > UINT64_MAX - r->len ||
                    r->start + r->len > (uint64_t)r->n * l->geo.zone))
        err = BOUGH_ECORRUPT;
    return err;
}

/* ---- Pack segments ---- */

void bough_log__segment_encode(struct bough_buf *b, const struct bough_log__segment *seg)
{
    size_t at = bough_log__item_begin(b, BOUGH_LOG__ADOPT);

    bough_buf_put32le(b, seg->number);
    bough_buf_put32le(b, seg->flags);
    bough_buf_put64le(b, seg->pack_end);
    bough_buf_put64le(b, seg->run.len);
    bough_buf_put64le(b, seg->objects);
    bough_buf_put32le(b, seg->oid.number);
    bough_buf_put32le(b, seg->oid.home);
    bough_buf_put32le(b, seg->oid.blocks);
    bough_buf_put32le(b, seg->reverse.number);
    bough_buf_put32le(b, seg->reverse.blocks);
    bough_buf_put64le(b, seg->oid.at);
    bough_buf_put64le(b, seg->reverse.at);
    run_encode(b, &seg->run);
    if (seg->flags & BOUGH_LOG__PACK_SUMS) {
        bough_buf_put32le(b, seg->sums.blocks);
        bough_buf_put64le(b, seg->sums.at);
    }
    bough_log__item_end(b, at);
}

static bool table_inside(uint64_t at, uint32_t blocks, uint64_t len)
{
    return blocks == 0 ||
           (at % BOUGH_LOG__BLOCK == 0 && at <= len && (len - at) / BOUGH_LOG__BLOCK >= blocks);
}

static bool segment_fits(const struct bough_log *l, const struct bough_log__segment *s)
{
    uint64_t per = bough_log__rows_per_block(l);

    return s->number > 0 && s->number <= BOUGH_LOG__SEGMENT_MAX && s->pack_end <= s->run.len &&
           s->run.len < (uint64_t)1 << 40 && s->objects <= s->pack_end &&
           (s->objects + per - 1) / per == s->reverse.blocks && s->oid.home <= s->oid.blocks &&
           (s->oid.blocks == 0) == (s->oid.home == 0) &&
           table_inside(s->oid.at, s->oid.blocks, s->run.len) &&
           table_inside(s->sums.at, s->sums.blocks, s->run.len) &&
           (s->sums.blocks == 0 || s->sums.blocks == bough_log__sums_blocks(s->pack_end)) &&
           table_inside(s->reverse.at, s->reverse.blocks, s->run.len);
}

enum bough_err bough_log__segment_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__segment *out)
{
    struct bough_log__fields f = {.left = body};
    struct bough_log__segment *s = out;
    enum bough_err err;

    *s = (struct bough_log__segment){.pack = true};
    s->number = (uint32_t)bough_log__get(&f, 4);
    s->flags = (uint32_t)bough_log__get(&f, 4);
    s->pack_end = bough_log__get(&f, 8);
    s->run.len = bough_log__get(&f, 8);
    s->objects = bough_log__get(&f, 8);
    s->oid.number = (uint32_t)bough_log__get(&f, 4);
    s->oid.home = (uint32_t)bough_log__get(&f, 4);
    s->oid.blocks = (uint32_t)bough_log__get(&f, 4);
    s->reverse.number = (uint32_t)bough_log__get(&f, 4);
    s->reverse.blocks = (uint32_t)bough_log__get(&f, 4);
    s->oid.at = bough_log__get(&f, 8);
    s->reverse.at = bough_log__get(&f, 8);
    s->oid.segment = s->reverse.segment = s->number;
    s->oid.rows = s->reverse.rows = s->objects;
    err = f.bad ? BOUGH_ECORRUPT : run_decode(l, &f, &s->run);
    if (!err && (s->flags & BOUGH_LOG__PACK_SUMS) != 0) {
        s->sums.number = s->reverse.number;
        s->sums.segment = s->number;
        s->sums.blocks = (uint32_t)bough_log__get(&f, 4);
        s->sums.at = bough_log__get(&f, 8);
        err = f.bad || s->sums.blocks == 0 ? BOUGH_ECORRUPT : BOUGH_OK;
    }
    if (!err && (f.left.len != 0 || !segment_fits(l, s)))
        err = BOUGH_ECORRUPT;
    if (err)
        bough_log__segment_fini(l, s);
    return err == BOUGH_ECORRUPT ? bough_log__corrupt(l, "a pack segment makes no sense", 0) : err;
}

/* ---- Tables ---- */

void bough_log__table_encode(struct bough_buf *b, const struct bough_log__table *t)
{
    bough_buf_put32le(b, t->number);
    bough_buf_put32le(b, t->segment);
    bough_buf_put64le(b, t->rows);
    bough_buf_put32le(b, t->home);
    bough_buf_put32le(b, t->blocks);
    bough_buf_put64le(b, t->segment != 0 ? t->at : t->run.start);
    run_encode(b, &t->run);
}

static void table_item(
    struct bough_buf *b, enum bough_log__kind kind, const struct bough_log__table *t)
{
    size_t at = bough_log__item_begin(b, kind);

    bough_log__table_encode(b, t);
    bough_log__item_end(b, at);
}

enum bough_err bough_log__table_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__table *t)
{
    struct bough_log__fields f = {.left = body};
    uint64_t start;
    enum bough_err err;

    *t = (struct bough_log__table){.number = (uint32_t)bough_log__get(&f, 4)};
    t->segment = (uint32_t)bough_log__get(&f, 4);
    t->rows = bough_log__get(&f, 8);
    t->home = (uint32_t)bough_log__get(&f, 4);
    t->blocks = (uint32_t)bough_log__get(&f, 4);
    start = bough_log__get(&f, 8);
    if (f.bad || t->home > t->blocks || start % BOUGH_LOG__BLOCK != 0)
        return BOUGH_ECORRUPT;
    if (t->segment != 0) {
        t->at = start;
        return bough_log__get(&f, 4) == 0 && !f.bad && f.left.len == 0 ? BOUGH_OK : BOUGH_ECORRUPT;
    }
    t->run.start = start;
    t->run.len = (uint64_t)t->blocks * BOUGH_LOG__BLOCK;
    err = run_decode(l, &f, &t->run);
    if (!err && (f.left.len != 0 || t->run.n == 0))
        err = BOUGH_ECORRUPT;
    if (err)
        bough_log__table_fini(l, t);
    return err;
}

/* ---- Encode ---- */

static uint32_t segments_encode(const struct bough_log *l, struct bough_buf *b)
{
    for (size_t i = 0; i < l->segments; i++) {
        const struct bough_log__segment *s = &l->segment[i];
        size_t at;

        if (s->pack) {
            bough_log__segment_encode(b, s);
            continue;
        }
        at = bough_log__item_begin(b, BOUGH_LOG__LOGSEG);
        bough_buf_put32le(b, s->number);
        bough_buf_put32le(b, s->zone);
        bough_log__item_end(b, at);
    }
    return (uint32_t)l->segments;
}

static void head_encode(const struct bough_log *l, struct bough_buf *b)
{
    size_t at = bough_log__item_begin(b, BOUGH_LOG__HEAD);

    bough_buf_put64le(b, l->head.seq);
    bough_buf_put32le(b, l->head.prev_crc);
    bough_buf_put32le(b, l->head.segment);
    bough_buf_put32le(b, l->head.zone);
    bough_buf_put32le(b, l->head.at);
    bough_buf_put32le(b, l->head.next);
    bough_log__item_end(b, at);
    at = bough_log__item_begin(b, BOUGH_LOG__COUNTERS);
    bough_buf_put64le(b, l->next_record);
    bough_buf_put32le(b, l->next_segment);
    bough_buf_put32le(b, l->next_table);
    bough_buf_put64le(b, l->refs_n);
    bough_buf_put32le(b, l->swapped);
    bough_buf_put32le(b, l->swapped_head);
    bough_log__item_end(b, at);
}

void bough_log__root_encode(struct bough_log *l, const struct bough_log__lists *lists,
    uint64_t checkpoint, struct bough_buf *b)
{
    uint32_t items = 5;
    size_t at;

    bough_buf_put_fill(b, 0, ROOT_HEAD);
    head_encode(l, b);
    at = bough_log__item_begin(b, BOUGH_LOG__HELD);
    bough_log__zones_held_encode(l, checkpoint, b);
    bough_log__item_end(b, at);
    at = bough_log__item_begin(b, BOUGH_LOG__BIRTHS);
    bough_log__births_encode(l, b);
    bough_log__item_end(b, at);
    at = bough_log__item_begin(b, BOUGH_LOG__BIRTHS_PACKS);
    bough_log__births_packs_encode(l, b);
    bough_log__item_end(b, at);
    items += segments_encode(l, b);
    for (size_t i = 0; i < lists->tables; i++, items++)
        table_item(b, BOUGH_LOG__OIDTABLE, &lists->table[i]);
    for (size_t i = 0; i < lists->reftables; i++, items++)
        table_item(b, BOUGH_LOG__REFTABLE, &lists->reftable[i]);
    if (lists->hold->rows > 0) {
        table_item(b, BOUGH_LOG__HOLD, lists->hold);
        items++;
    }
    for (size_t i = 0; i < l->records.n; i++, items++) {
        const struct bough_log__record *r = l->records.rec[i];
        bough_log__record_encode(b, r->seq, bough_view(r->bytes, r->stream_len),
            bough_view(r->bytes + r->stream_len, r->len), false);
    }
    if (b->err)
        return;
    bough_log__root_head_encode(l, checkpoint, items, b);
}

/* ---- Load ---- */

static enum bough_err root_run(
    struct bough_log *l, const struct bough_log__super *s, struct bough_log__run *run)
{
    *run = (struct bough_log__run){.start = s->root_start, .len = s->root_len};
    for (uint32_t i = 0; i < s->root_zones; i++) {
        enum bough_err err = bough_log__run_add(l, run, s->zone[i]);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* Read the bytes of the root, checked; `run` is to be released in any case. */
static enum bough_err root_read(struct bough_log *l, const struct bough_log__super *s,
    struct bough_log__run *run, struct bough_buf *b)
{
    enum bough_err err = root_run(l, s, run);
    const uint8_t *p;

    if (!err && s->root_len < ROOT_HEAD)
        err = BOUGH_ECORRUPT;
    if (!err && bough_buf_room(b, (size_t)s->root_len) == NULL)
        err = b->err;
    if (!err)
        err = bough_log__run_read(l, run, 0, b->ptr, (size_t)s->root_len);
    if (err)
        return err;
    b->len = (size_t)s->root_len;
    p = b->ptr;
    return bough_crc32(0, p, b->len) == s->root_crc &&
                   bough_log__root_head_fits(&l->geo, p, s->checkpoint, b->len)
               ? BOUGH_OK
               : BOUGH_ECORRUPT;
}

static enum bough_err claim_run(
    struct bough_log *l, const struct bough_log__run *r, enum bough_log__zone_use use)
{
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < r->n && !err; i++)
        err = bough_log__zone_claim(l, r->zones[i], use);
    return err;
}

static enum bough_err load_segment(struct bough_log *l, uint32_t kind, struct bough_view body)
{
    struct bough_log__fields f = {.left = body};
    struct bough_log__segment seg = {.number = 0};
    enum bough_err err = BOUGH_OK;

    if (kind == BOUGH_LOG__ADOPT) {
        err = bough_log__segment_decode(l, body, &seg);
        if (!err)
            err = claim_run(l, &seg.run, BOUGH_LOG__ZONE_PACK);
    } else {
        seg.number = (uint32_t)bough_log__get(&f, 4);
        seg.zone = (uint32_t)bough_log__get(&f, 4);
        err = f.bad || f.left.len != 0 ? BOUGH_ECORRUPT
                                       : bough_log__zone_claim(l, seg.zone, BOUGH_LOG__ZONE_LOG);
    }
    if (!err && l->segments > 0 && seg.number <= l->segment[l->segments - 1].number)
        err = BOUGH_ECORRUPT;
    if (!err)
        err = bough_log__segment_add(l, &seg);
    if (err)
        bough_log__segment_fini(l, &seg);
    return err;
}

/* Behind the blocks of a ref table is its index. */
static enum bough_err index_decode(const struct bough_log *l, struct bough_log__table *t)
{
    t->run.len += (uint64_t)t->home * BOUGH_LOG__BLOCK;
    return t->run.start + t->run.len <= (uint64_t)t->run.n * l->geo.zone ? BOUGH_OK
                                                                         : BOUGH_ECORRUPT;
}

static enum bough_err load_table(struct bough_log *l, uint32_t kind, struct bough_view body)
{
    struct bough_log__table t;
    enum bough_err err = bough_log__table_decode(l, body, &t);

    if (err)
        return err;
    if (kind == BOUGH_LOG__HOLD)
        err = l->hold.rows == 0 && t.rows > 0 && t.segment == 0 ? BOUGH_OK : BOUGH_ECORRUPT;
    else if (kind == BOUGH_LOG__REFTABLE)
        err = l->reftables < BOUGH_LOG__REFTABLES_MAX ? index_decode(l, &t) : BOUGH_ECORRUPT;
    else
        err = l->tables < BOUGH_LOG__TABLES_MAX ? bough_log__tables_reserve(l, 1) : BOUGH_ECORRUPT;
    if (!err)
        err = claim_run(l, &t.run, BOUGH_LOG__ZONE_TABLE);
    if (err) {
        bough_log__table_fini(l, &t);
        return err;
    }
    if (kind == BOUGH_LOG__HOLD)
        l->hold = t;
    else if (kind == BOUGH_LOG__REFTABLE)
        l->reftable[l->reftables++] = t;
    else
        l->table[l->tables++] = t;
    return BOUGH_OK;
}

static enum bough_err load_head(struct bough_log *l, struct bough_view body)
{
    struct bough_log__fields f = {.left = body};

    l->head.seq = bough_log__get(&f, 8);
    l->head.prev_crc = (uint32_t)bough_log__get(&f, 4);
    l->head.segment = (uint32_t)bough_log__get(&f, 4);
    l->head.zone = (uint32_t)bough_log__get(&f, 4);
    l->head.at = (uint32_t)bough_log__get(&f, 4);
    l->head.next = (uint32_t)bough_log__get(&f, 4);
    if (f.bad || f.left.len != 0 || l->head.at > l->geo.zone || l->head.at % l->geo.granule != 0 ||
        l->head.zone >= l->geo.zones || l->head.next >= l->geo.zones)
        return BOUGH_ECORRUPT;
    return BOUGH_OK;
}

static enum bough_err load_record(struct bough_log *l, struct bough_view body)
{
    struct bough_view stream, bytes;
    uint64_t seq;
    enum bough_err err = bough_log__record_decode(body, &seq, &stream, &bytes);

    if (!err)
        err = bough_log__records_reserve(&l->records, l->mem, 1);
    if (!err)
        err = bough_log__records_add(&l->records, l->mem, seq, stream, bytes);
    return err;
}

static enum bough_err load_counters(struct bough_log *l, struct bough_view body)
{
    struct bough_log__fields f = {.left = body};
    uint32_t next;

    if (body.len == COUNTERS_EARLY)
        return bough_log__early_form(&l->store.why);
    l->next_record = bough_log__get(&f, 8);
    next = (uint32_t)bough_log__get(&f, 4);
    l->next_segment = next > l->next_segment ? next : l->next_segment;
    l->next_table = (uint32_t)bough_log__get(&f, 4);
    l->refs_n = bough_log__get(&f, 8);
    if (f.bad)
        return BOUGH_ECORRUPT;
    l->swapped = f.left.len == 0 ? BOUGH_LOG__SEGMENT_MAX + 1u : (uint32_t)bough_log__get(&f, 4);
    l->swapped_head = f.left.len == 0 ? 0 : (uint32_t)bough_log__get(&f, 4);
    return f.bad ? BOUGH_ECORRUPT : BOUGH_OK;
}

static enum bough_err load_item(struct bough_log *l, uint32_t kind, struct bough_view body)
{
    switch (kind) {
    case BOUGH_LOG__HELD:
        return bough_log__zones_held_decode(l, body, l->made);
    case BOUGH_LOG__BIRTHS:
        return bough_log__births_decode(l, body);
    case BOUGH_LOG__BIRTHS_PACKS:
        return bough_log__births_packs_decode(l, body);
    case BOUGH_LOG__HEAD:
        return load_head(l, body);
    case BOUGH_LOG__ADOPT:
    case BOUGH_LOG__LOGSEG:
        return load_segment(l, kind, body);
    case BOUGH_LOG__OIDTABLE:
    case BOUGH_LOG__REFTABLE:
    case BOUGH_LOG__HOLD:
        return load_table(l, kind, body);
    case BOUGH_LOG__RECORD:
        return load_record(l, body);
    case BOUGH_LOG__COUNTERS:
        return load_counters(l, body);
    default:
        return kind < BOUGH_LOG__KIND_OPTIONAL ? bough_log__other_item(&l->store.why, kind)
                                               : BOUGH_OK;
    }
}

enum bough_err bough_log__root_load(struct bough_log *l, const struct bough_log__super *s)
{
    struct bough_log__items it = {{NULL, 0}};
    const struct bough_log__segment *seg;
    struct bough_buf b;
    enum bough_err err;

    bough_buf_init(&b, l->mem);
    l->next_segment = 1;
    l->next_table = 1;
    l->next_record = 1;
    l->made = s->checkpoint;
    err = root_read(l, s, &l->root_run, &b);
    if (!err)
        err = claim_run(l, &l->root_run, BOUGH_LOG__ZONE_TABLE);
    if (!err)
        it.left = bough_view(b.ptr + ROOT_HEAD, b.len - ROOT_HEAD);
    while (!err) {
        struct bough_view body;
        uint32_t kind;
        err = bough_log__item_next(&it, &kind, &body);
        if (!err)
            err = load_item(l, kind, body);
        else if (err == BOUGH_ENOENT)
            break;
    }
    bough_buf_fini(&b);
    if (err != BOUGH_ENOENT)
        return err;
    seg = bough_log__segment_find(l, l->head.segment);
    if (seg == NULL || l->head.segment == 0 || seg->pack || seg->zone != l->head.zone)
        return bough_log__corrupt(l, "a checkpoint does not say where the log goes on", 0);
    return BOUGH_OK;
}
