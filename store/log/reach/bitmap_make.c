/*
 * bitmap_make.c - bitmaps for the first table, made in steps after a collection.
 *
 *   begin     bits, the region with room for its head
 *   marking   of the commits that were picked (bitmap_lines.c), the oldest first: what one reaches, on
 *             top of what the one before it reaches
 *   writing   what was added, compressed; the directory, a checkpoint, the head at last
 *   steps     stages, one after another
 *
 * Marking is the collection's (mark.c), with one table.  A commit that reaches something without
 * a row there has no bitmap, nor have those above it.  Each object is mostly looked at once.  In
 * memory: five bits for each place, and the picked commits of a line.
 *
 * The region is within the table's run, so that whatever becomes of the table becomes of it; and
 * nothing is believed before the head is there.  Anything that fails ends the making: a cache.
 */
#include "store/log/reach/bitmap_make_inner.h"
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/run_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { EVERY = 5000, ROWS = 4096 };

/* ---- Begin, end ---- */

void bough_log__bitmaps_end(struct bough_log *l)
{
    struct bough_log__bitmapper *m = l->bitmapper;

    if (m == NULL)
        return;
    bough_mem_free(l->mem, m->lines, m->len);
    bough_mem_free(l->mem, m->joints, m->len);
    bough_mem_free(l->mem, m->prev, m->len);
    bough_mem_free(l->mem, m->all, m->len);
    bough_mem_free(l->mem, m->picked, m->picked_cap * sizeof *m->picked);
    bough_log__bitmaps_fini(l, &m->maps);
    bough_buf_fini(&m->reader.left);
    bough_buf_fini(&m->bytes);
    bough_log__out_fini(&m->out);
    bough_log__marks_fini(&m->marks);
    bough_mem_free(l->mem, m, sizeof *m);
    l->bitmapper = NULL;
}

static enum bough_err bits_new(struct bough_log__bitmapper *m, uint8_t **bits)
{
    *bits = bough_mem_zalloc(m->log->mem, m->len, 1);
    return *bits == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

static enum bough_err memory_begin(struct bough_log__bitmapper *m, const struct bough_log__table *t)
{
    struct bough_log *l = m->log;
    enum bough_err err = bough_log__marks_init(&m->marks);

    if (err)
        return err;
    bough_mem_free(l->mem, m->marks.bits, m->marks.bits_len);
    m->len = bough_log__places_len(l, t);
    m->marks.bits_len = m->len;
    err = bits_new(m, &m->marks.bits);
    if (!err)
        err = bits_new(m, &m->lines);
    if (!err)
        err = bits_new(m, &m->joints);
    if (!err)
        err = bits_new(m, &m->prev);
    return err ? err : bits_new(m, &m->all);
}

/* The region begins with room for its head: behind the blocks where the collection wrote the table, to zones
   of its own; where a checkpoint did roots may follow in the zone, and the two newest are needed. */
static enum bough_err region_begin(struct bough_log__bitmapper *m, struct bough_log__table *t)
{
    static const uint8_t zero[1];
    struct bough_log *l = m->log;
    enum bough_err err;

    m->maps.region = bough_log__region_at(l, t, !l->bitmaps_alone);
    t->run.len = m->maps.region;
    err = bough_log__out_init(&m->out, l, &t->run, BOUGH_LOG__ZONE_TABLE);
    m->out.reserve = bough_log__reserve(l);
    if (!err)
        err = bough_log__out_put(&m->out, zero, sizeof zero);
    return err ? err : bough_log__out_pad(&m->out, l->geo.granule);
}

static enum bough_err maker_begin(struct bough_log *l, struct bough_log__table *t)
{
    struct bough_log__bitmapper *m = bough_mem_zalloc(l->mem, 1, sizeof *m);
    enum bough_err err;

    if (m == NULL)
        return BOUGH_ENOMEM;
    l->bitmapper = m;
    m->log = m->marks.log = l;
    m->number = t->number;
    m->every = l->opts.reach_every > 0 ? l->opts.reach_every : EVERY;
    m->marks.frozen = 1;
    m->marks.stage = BOUGH_LOG__STAGE_MARK;
    bough_buf_init(&m->marks.body, l->mem);
    bough_buf_init(&m->marks.tree, l->mem);
    bough_buf_init(&m->bytes, l->mem);
    bough_buf_init(&m->reader.left, l->mem);
    err = memory_begin(m, t);
    if (!err)
        err = bough_log__boundary_sum(l, &m->maps.boundary_n, &m->maps.boundary_crc);
    return err ? err : region_begin(m, t);
}

/* What the base reaches, bitmap after bitmap. */
static enum bough_err base_step(struct bough_log__bitmapper *m)
{
    struct bough_log__bitmap_reader *r = &m->reader;
    enum bough_err err;

    if (m->reading == 0)
        return BOUGH_ENOENT;
    if (r->bitmap == NULL) {
        bough_buf_clear(&r->left);
        *r = (struct bough_log__bitmap_reader){.bitmap = &m->maps.bitmap[m->reading - 1],
            .region = m->maps.region,
            .out = &m->out,
            .left = r->left};
    }
    err = bough_log__bitmap_step(m->log, &m->log->table[0], r, m->marks.bits, m->len);
    if (err)
        return err == BOUGH_EAGAIN ? BOUGH_OK : err;
    m->reading = r->bitmap->base;
    r->bitmap = NULL;
    return BOUGH_OK;
}

/* ---- Marking, writing ---- */

static enum bough_err mark_begin(struct bough_log__bitmapper *m)
{
    m->stage = BOUGH_LOG__MAKER_MARK;
    m->marks.missing = false;
    memcpy(m->prev, m->marks.bits, m->len);
    return bough_log__mark(&m->marks, &m->picked[m->picked_n - 1], BOUGH_COMMIT);
}

static enum bough_err mark_over(struct bough_log__bitmapper *m)
{
    if (m->marks.missing || m->maps.n == BOUGH_LOG__BITMAPS_MAX) {
        bough_log__maker_line_next(m);
        return BOUGH_OK;
    }
    m->map = (struct bough_log__bitmap){.commit = m->picked[--m->picked_n],
        .at = m->out.run->len - m->maps.region,
        .base = m->base};
    m->write_at = 0;
    m->stage = BOUGH_LOG__MAKER_WRITE;
    return BOUGH_OK;
}

static enum bough_err write_step(struct bough_log__bitmapper *m)
{
    enum { CHUNKS = 64 };
    enum bough_err err;

    if (m->write_at == m->len)
        return BOUGH_ENOENT;
    bough_buf_clear(&m->bytes);
    for (int i = 0; i < CHUNKS && m->write_at < m->len; i++)
        m->map.count +=
            bough_log__bits_encode(&m->bytes, m->marks.bits, m->prev, m->len, &m->write_at);
    if (m->map.len > UINT32_MAX / 2)
        return BOUGH_ETOOBIG;
    m->map.crc = bough_crc32(m->map.crc, m->bytes.ptr, m->bytes.len);
    m->map.len += (uint32_t)m->bytes.len;
    err = m->bytes.err;
    return err ? err : bough_log__out_put(&m->out, m->bytes.ptr, m->bytes.len);
}

/* It is one of those made, and the next one of the line adds to it. */
static enum bough_err write_over(struct bough_log__bitmapper *m)
{
    void *ptr = m->maps.bitmap;
    enum bough_err err =
        bough_mem_grow(m->log->mem, &ptr, &m->maps.cap, m->maps.n + 1, sizeof *m->maps.bitmap);

    m->maps.bitmap = ptr;
    if (err)
        return err;
    m->maps.bitmap[m->maps.n++] = m->map;
    m->base = m->maps.n;
    for (size_t i = 0; i < m->len; i++)
        m->all[i] |= m->marks.bits[i];
    if (m->picked_n > 0)
        return mark_begin(m);
    bough_log__maker_line_next(m);
    return BOUGH_OK;
}

/* ---- The end ---- */

static bool maps_less(const struct bough_log__bitmaps *b, uint32_t x, uint32_t y)
{
    return bough_oid_cmp(&b->bitmap[x].commit, &b->bitmap[y].commit) < 0;
}

/* Down the heap of numbers in `order`, the greatest commit first, of which `n` are left. */
static void order_sink(const struct bough_log__bitmaps *b, uint32_t *order, uint32_t at, uint32_t n)
{
    while (2 * at + 1 < n) {
        uint32_t child = 2 * at + 1, keep = order[at];

        if (child + 1 < n && maps_less(b, order[child], order[child + 1]))
            child++;
        if (!maps_less(b, keep, order[child]))
            return;
        order[at] = order[child];
        order[child] = keep;
        at = child;
    }
}

/* The numbers of the bitmaps in the order of their commits. */
static void maps_order(const struct bough_log__bitmaps *b, uint32_t *order)
{
    for (uint32_t i = 0; i < b->n; i++)
        order[i] = i;
    for (uint32_t i = b->n / 2; i > 0; i--)
        order_sink(b, order, i - 1, b->n);
    for (uint32_t n = b->n; n > 1; n--) {
        uint32_t last = order[n - 1];

        order[n - 1] = order[0];
        order[0] = last;
        order_sink(b, order, 0, n - 1);
    }
}

/* By commit; bases are numbered anew. */
static enum bough_err maps_sort(struct bough_log__bitmapper *m)
{
    struct bough_mem *mem = m->log->mem;
    struct bough_log__bitmaps *b = &m->maps;
    struct bough_log__bitmap *sorted = bough_mem_zalloc(mem, b->n, sizeof *sorted);
    uint32_t *order = bough_mem_zalloc(mem, 2 * (size_t)b->n, sizeof *order);
    enum bough_err err = sorted == NULL || order == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    if (!err) {
        uint32_t *to = order + b->n;

        maps_order(b, order);
        for (uint32_t i = 0; i < b->n; i++)
            to[order[i]] = i;
        for (uint32_t i = 0; i < b->n; i++) {
            sorted[i] = b->bitmap[order[i]];
            sorted[i].base = sorted[i].base > 0 ? to[sorted[i].base - 1] + 1 : 0;
        }
        memcpy(b->bitmap, sorted, b->n * sizeof *sorted);
    }
    bough_mem_free(mem, sorted, sorted == NULL ? 0 : b->n * sizeof *sorted);
    bough_mem_free(mem, order, order == NULL ? 0 : 2 * (size_t)b->n * sizeof *order);
    return err;
}

static enum bough_err dir_write(struct bough_log__bitmapper *m)
{
    struct bough_log *l = m->log;
    enum bough_err err = maps_sort(m);

    if (err)
        return err;
    bough_buf_clear(&m->bytes);
    bough_log__bitmap_dir_encode(l, &m->maps, &m->bytes);
    err = m->bytes.err;
    m->maps.dir_at = m->out.run->len - m->maps.region;
    m->maps.dir_len = (uint32_t)m->bytes.len;
    m->maps.dir_crc = bough_crc32(0, m->bytes.ptr, m->bytes.len);
    m->maps.flags = m->marks.empty_tree ? BOUGH_LOG__BITMAP_EMPTY_TREE : 0;
    for (size_t i = 0; i < m->len; i += 8)
        m->maps.objects += bough_log__bits_ones(bough_get64le(m->all + i));
    if (!err)
        err = bough_log__out_put(&m->out, m->bytes.ptr, m->bytes.len);
    if (!err)
        err = bough_log__out_pad(&m->out, l->geo.granule);
    return err ? err : bough_log__out_flush(&m->out);
}

/* All is durable and named before the head is there. */
static enum bough_err head_write(struct bough_log__bitmapper *m)
{
    struct bough_log *l = m->log;
    const struct bough_log__table *t;
    uint64_t dev = 0, left;
    uint8_t *head;
    enum bough_err err;

    l->super.compat |= BOUGH_LOG__COMPAT_BITMAPS;
    err = bough_log__checkpoint(l);
    t = bough_log__region_table(l);
    if (err || t == NULL || t->number != m->number)
        return err;
    head = bough_mem_zalloc(l->mem, l->geo.granule, 1);
    if (head == NULL)
        return BOUGH_ENOMEM;
    bough_log__bitmap_head_encode(l, t, &m->maps, head);
    err = bough_log__run_at(l, &t->run, m->maps.region, &dev, &left);
    if (!err)
        err = bough_log__write(l, dev, head, l->geo.granule, false);
    bough_mem_free(l->mem, head, l->geo.granule);
    return err;
}

static enum bough_err maker_finish(struct bough_log__bitmapper *m)
{
    enum bough_err err;

    if (m->maps.n == 0)
        return BOUGH_ENOENT;
    err = dir_write(m);
    if (!err)
        err = head_write(m);
    return err ? err : BOUGH_ENOENT;
}

/* ---- Steps ---- */

static enum bough_err stage_step(struct bough_log__bitmapper *m)
{
    switch (m->stage) {
    case BOUGH_LOG__MAKER_TIPS:
        return bough_log__maker_tip(m);
    case BOUGH_LOG__MAKER_LINES:
        return bough_log__maker_line(m);
    case BOUGH_LOG__MAKER_PICK:
        return bough_log__maker_pick(m);
    case BOUGH_LOG__MAKER_BASE:
        return base_step(m);
    case BOUGH_LOG__MAKER_MARK:
        return bough_log__mark_step(&m->marks, true);
    case BOUGH_LOG__MAKER_WRITE:
        return write_step(m);
    default:
        return maker_finish(m);
    }
}

/* A stage is done.  BOUGH_ENOENT: that was the last. */
static enum bough_err stage_over(struct bough_log__bitmapper *m)
{
    switch (m->stage) {
    case BOUGH_LOG__MAKER_TIPS:
        m->stage = m->n > 0 ? BOUGH_LOG__MAKER_LINES : BOUGH_LOG__MAKER_END;
        m->at = 0;
        bough_log__maker_line_begin(m);
        return BOUGH_OK;
    case BOUGH_LOG__MAKER_LINES:
        bough_log__maker_lines_over(m);
        return BOUGH_OK;
    case BOUGH_LOG__MAKER_PICK:
        bough_log__maker_picked(m);
        return BOUGH_OK;
    case BOUGH_LOG__MAKER_BASE:
        return mark_begin(m);
    case BOUGH_LOG__MAKER_MARK:
        return mark_over(m);
    case BOUGH_LOG__MAKER_WRITE:
        return write_over(m);
    default:
        return BOUGH_ENOENT;
    }
}

static uint64_t traffic(const struct bough_log *l)
{
    return l->pages.read_bytes + l->pages.written_bytes;
}

static enum bough_err maker_work(struct bough_log__bitmapper *m, uint64_t budget)
{
    enum { STEP_COST = 64 };
    uint64_t used = 0, before = traffic(m->log);
    enum bough_err err = BOUGH_OK;

    while (!err && used < budget) {
        uint64_t now;

        err = stage_step(m);
        if (err == BOUGH_ENOENT)
            err = stage_over(m);
        now = traffic(m->log);
        used += now - before + STEP_COST;
        before = now;
    }
    return err;
}

/* Is there a table for which they are to be made, and may they be now? */
static struct bough_log__table *table_due(struct bough_log *l)
{
    struct bough_log__table *t = bough_log__region_table(l);
    uint64_t rows = l->opts.reach_rows > 0 ? l->opts.reach_rows : ROWS;

    if (l->bitmaps_due == 0 || l->settle.on || t == NULL || t->number != l->bitmaps_due ||
        t->rows < rows || bough_log__zones_room(l) < bough_log__reserve(l) + l->geo.zones / 16)
        return NULL;
    return t;
}

enum bough_err bough_log__bitmaps_make(struct bough_log *l, uint64_t budget, bool *more)
{
    struct bough_log__table *t = table_due(l);
    enum bough_err err = BOUGH_OK;

    *more = false;
    if (t == NULL) {
        bough_log__bitmaps_end(l);
        l->bitmaps_due = 0;
        return BOUGH_OK;
    }
    if (l->cycle != NULL || l->tiers != NULL)
        return BOUGH_OK; /* later */
    if (l->bitmapper == NULL)
        err = maker_begin(l, t);
    if (!err) {
        l->bitmapper->out.run = &t->run; /* the list may have moved since */
        err = maker_work(l->bitmapper, budget);
    }
    *more = !err;
    if (!err)
        return BOUGH_OK;
    bough_log__bitmaps_end(l);
    l->bitmaps_due = 0;
    return err == BOUGH_EIO || err == BOUGH_EGONE ? err : BOUGH_OK;
}
