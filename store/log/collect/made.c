/*
 * made.c - segments of a collection's own making.
 *
 *   segments   bounded, so that there is room to move what lives in one of them even when little is
 *              free; what is written to them is copy.c's, or cold.c's
 *   births     what is moved is as old as before
 *   rows       of their entries, kept until the table is written: in memory, then as tables
 *   the end    what was made is given up, where it is not the store's by then
 */
#include "store/log/choose_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { ROWS_MIN = 512, ROWS_MAX = 128 * 1024 };

size_t bough_log__rows_max(const struct bough_log *l)
{
    size_t n = l->opts.table_rows > l->geo.zone / 64 ? l->opts.table_rows : l->geo.zone / 64;

    return n < ROWS_MIN ? ROWS_MIN : n > ROWS_MAX ? ROWS_MAX : n;
}

/* ---- Births ---- */

/* From the earliest to the latest of two neighbours. */
static struct bough_log__made_birth births_joined(const struct bough_log__made_birth *b)
{
    return (struct bough_log__made_birth){.where = b[0].where,
        .first = b[0].first < b[1].first ? b[0].first : b[1].first,
        .last = b[0].last > b[1].last ? b[0].last : b[1].last};
}

/* The two that are closest become one. */
static void births_thin(struct bough_log__cycle *c)
{
    struct bough_log__made_birth *b = c->birth;
    uint64_t least = UINT64_MAX;
    uint32_t best = 0;

    for (uint32_t i = 0; i + 1 < c->births_n; i++) {
        struct bough_log__made_birth both = births_joined(&b[i]);

        best = both.last - both.first < least ? i : best;
        least = both.last - both.first < least ? both.last - both.first : least;
    }
    b[best] = births_joined(&b[best]);
    c->births_n--;
    memmove(&b[best + 1], &b[best + 2], (c->births_n - best - 1) * sizeof *b);
}

void bough_log__made_born(struct bough_log__cycle *c, uint64_t where, uint64_t born)
{
    uint64_t time = born != 0 ? born : UINT64_MAX;

    if (c->births_n > 0 && c->birth[c->births_n - 1].last == time)
        return;
    if (c->births_n == BOUGH_LOG__BIRTHS_EACH)
        births_thin(c);
    if (c->births_n == 0)
        where = bough_log__where(c->seg.number, 0);
    c->birth[c->births_n++] = (struct bough_log__made_birth){where, time, time};
}

/* Of a segment that is done.  What nobody may ask for has its time by the segment's number. */
static enum bough_err births_keep(struct bough_log__cycle *c)
{
    enum bough_err err = BOUGH_OK;
    bool young = false;

    for (uint32_t i = 0; i < c->births_n; i++)
        young |= c->birth[i].last != UINT64_MAX && c->birth[i].last >= c->young_from;
    for (uint32_t i = 0; young && i < c->births_n && !err; i++) {
        struct bough_log__birth birth = {c->birth[i].where, c->birth[i].last};

        if (birth.time == UINT64_MAX)
            birth.time = bough_log__births_latest(c->log, c->seg.number);
        err = bough_log__births_add(c->log, &c->births, birth);
    }
    c->births_n = 0;
    return err;
}

/* ---- Segments ---- */

static enum bough_err segment_open(struct bough_log__cycle *c)
{
    static const uint8_t head[12] = {'P', 'A', 'C', 'K', 0, 0, 0, 2};
    struct bough_log *l = c->log;
    enum bough_err err;

    if (l->next_segment > BOUGH_LOG__SEGMENT_MAX)
        return BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "segment numbers are used up", NULL, 0);
    c->seg = (struct bough_log__segment){.number = l->next_segment, .pack = true};
    c->seg.oid.segment = c->seg.reverse.segment = c->seg.number;
    err = bough_log__out_init(&c->out, l, &c->seg.run, BOUGH_LOG__ZONE_PACK);
    c->out.reserve = bough_log__cycle_beside(c);
    bough_buf_init(&c->sums.done, l->mem);
    c->sums.now = 0;
    c->out.sums = &c->sums;
    if (err) {
        c->seg.number = 0;
        return err;
    }
    l->next_segment++;
    return bough_log__out_put(&c->out, head, sizeof head);
}

static enum bough_err reverse_write(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    uint32_t per = bough_log__rows_per_block(l);
    uint8_t *block = bough_mem_alloc(l->mem, BOUGH_LOG__BLOCK);
    enum bough_err err = block == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    c->seg.reverse.number = l->next_table++;
    c->seg.reverse.at = c->seg.run.len;
    c->seg.reverse.rows = c->rows_now.n;
    for (size_t at = 0; at < c->rows_now.n && !err; at += per) {
        size_t rows = c->rows_now.n - at < per ? c->rows_now.n - at : per;
        uint8_t *p = block + BOUGH_LOG__BLOCK_HEAD;

        memset(block, 0, BOUGH_LOG__BLOCK);
        for (size_t i = 0; i < rows; i++, p += bough_log__row_len(l)) {
            const struct bough_log__row *row = &c->rows_now.row[at + i];
            bough_put64le(p, bough_log__where_offset(row->where));
            memcpy(p + 8, row->id.bytes, l->geo.id_len);
            bough_put32le(p + 8 + l->geo.id_len, row->crc);
        }
        bough_log__block_seal(block, c->seg.reverse.number, c->seg.reverse.blocks++, (uint32_t)rows,
            BOUGH_LOG__BLOCK_REVERSE);
        err = bough_log__out_put(&c->out, block, BOUGH_LOG__BLOCK);
    }
    bough_mem_free(l->mem, block, block == NULL ? 0 : BOUGH_LOG__BLOCK);
    return err;
}

/* The rows so far, and tables before them that are not much longer, as one table. */
static enum bough_err moved_spill(struct bough_log__cycle *c)
{
    enum { GROWTH = 4 };
    struct bough_log *l = c->log;
    struct bough_log__table_source src[BOUGH_LOG__MOVED_MAX];
    struct bough_log__rows_source rows = {.order = NULL};
    struct bough_log__merge merge;
    struct bough_log__table t = {.number = 0};
    uint64_t sum = c->moved_rows.n;
    uint32_t from = c->moveds;
    enum bough_err err = bough_log__merge_init(&merge, l->mem, BOUGH_LOG__MOVED_MAX + 1);

    if (!err)
        err = bough_log__rows_source_init(&rows, &c->moved_rows, l->mem);
    if (!err)
        bough_log__merge_add(&merge, &rows.src);
    while (!err && from > 0 &&
           (c->moved[from - 1].rows <= GROWTH * sum || c->moveds == BOUGH_LOG__MOVED_MAX)) {
        sum += c->moved[--from].rows;
        bough_log__table_source_init(&src[from], l, &c->moved[from], NULL);
        bough_log__merge_add(&merge, &src[from].src);
    }
    if (!err)
        err = bough_log__table_make(l, bough_log__cycle_after(c), &merge.src, sum, &t);
    bough_log__rows_source_fini(&rows);
    bough_log__merge_fini(&merge);
    if (err) {
        bough_log__cycle_table_drop(c, &t);
        return err;
    }
    while (c->moveds > from)
        bough_log__cycle_table_drop(c, &c->moved[--c->moveds]);
    c->moved[c->moveds++] = t;
    bough_log__rows_clear(&c->moved_rows, l->mem, 0);
    return BOUGH_OK;
}

static enum bough_err moved_note(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    enum bough_err err = BOUGH_OK;

    if (c->tabled)
        return BOUGH_OK; /* they come with the swap */
    if (c->moved_rows.n + c->rows_now.n > bough_log__rows_max(l) && c->moved_rows.n > 0)
        err = moved_spill(c);
    if (!err)
        err = bough_log__rows_reserve(&c->moved_rows, l->mem, c->rows_now.n);
    for (size_t i = 0; i < c->rows_now.n && !err; i++)
        bough_log__rows_add(&c->moved_rows, &c->rows_now.row[i]);
    return err;
}

enum bough_err bough_log__copy_close(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    void *ptr = c->made;
    enum bough_err err;

    if (c->seg.number == 0)
        return BOUGH_OK;
    BOUGH_ASSERT(c->copy.number == 0);
    c->seg.pack_end = c->seg.run.len;
    c->seg.objects = c->rows_now.n;
    err = bough_mem_grow(l->mem, &ptr, &c->made_cap, c->mades + 1, sizeof *c->made);
    c->made = ptr;
    c->out.sums = NULL;
    if (!err)
        err = bough_log__out_pad(&c->out, l->geo.align);
    if (!err)
        err = reverse_write(c);
    c->out.sums = &c->sums;
    if (!err)
        err = bough_log__sums_write(&c->out, &c->seg);
    if (!err)
        err = bough_log__out_pad(&c->out, l->geo.granule);
    if (!err)
        err = bough_log__out_flush(&c->out);
    if (!err)
        err = moved_note(c);
    if (!err)
        err = births_keep(c);
    if (err)
        return err;
    bough_log__out_fini(&c->out);
    bough_buf_fini(&c->sums.done);
    c->made[c->mades++] = c->seg;
    c->seg = (struct bough_log__segment){.number = 0};
    bough_log__rows_clear(&c->rows_now, l->mem, bough_log__rows_max(l));
    return BOUGH_OK;
}

/* Is it full?  It ends where the next entry would begin another zone, or hardly anything is left of one. */
static bool is_full(const struct bough_log__cycle *c, uint64_t next)
{
    enum { HARDLY = 16 };
    const struct bough_log *l = c->log;
    uint64_t blocks = c->rows_now.n / bough_log__rows_per_block(l) + 1;
    uint64_t end = c->seg.run.len, zones, left;
    uint32_t most = bough_log__segment_zones(l);

    if (c->rows_now.n >= bough_log__rows_max(l))
        return true;
    blocks += end >= BOUGH_LOG__SUMS_MIN ? bough_log__sums_blocks(end) : 0;
    end = bough_log__up(end, l->geo.align) + bough_log__up(blocks * BOUGH_LOG__BLOCK, l->geo.align);
    zones = (end + l->geo.zone - 1) / l->geo.zone;
    left = zones * l->geo.zone - end;
    return zones >= most && (left < next || left < l->geo.zone / HARDLY);
}

enum bough_err bough_log__segment_ready(struct bough_log__cycle *c, uint64_t next)
{
    enum bough_err err = BOUGH_OK;

    if (c->seg.number != 0 && c->rows_now.n > 0 && is_full(c, next))
        err = bough_log__copy_close(c);
    if (!err && c->seg.number == 0)
        err = segment_open(c);
    return err ? err : bough_log__rows_reserve(&c->rows_now, c->log->mem, 1);
}

static void segment_drop(struct bough_log__cycle *c, struct bough_log__segment *seg, bool zones)
{
    for (uint32_t i = 0; i < seg->run.n && zones; i++)
        bough_log__zone_drop(c->log, seg->run.zones[i]);
    bough_log__segment_fini(c->log, seg);
}

void bough_log__cycle_table_drop(struct bough_log__cycle *c, struct bough_log__table *t)
{
    for (uint32_t i = 0; i < t->run.n; i++)
        bough_log__zone_drop(c->log, t->run.zones[i]);
    bough_log__table_fini(c->log, t);
}

void bough_log__deflater_drop(struct bough_log__cycle *c)
{
    if (c->copy.deflater == NULL)
        return;
    bough_deflater_fini(c->copy.deflater);
    bough_mem_free(c->log->mem, c->copy.deflater, sizeof *c->copy.deflater);
    c->copy.deflater = NULL;
}

void bough_log__copy_fini(struct bough_log__cycle *c, bool zones)
{
    struct bough_mem *mem = c->log->mem;

    bough_log__long_fini(c);
    bough_log__deflater_drop(c);
    bough_log__cold_fini(c);
    bough_log__out_fini(&c->out);
    if (c->sums.done.mem != NULL)
        bough_buf_fini(&c->sums.done);
    segment_drop(c, &c->seg, zones);
    for (size_t i = 0; i < c->mades; i++)
        segment_drop(c, &c->made[i], zones);
    bough_mem_free(mem, c->made, c->made_cap * sizeof *c->made);
    bough_log__births_packs_fini(c->log, &c->births);
    while (c->moveds > 0) {
        struct bough_log__table *t = &c->moved[--c->moveds];
        if (zones)
            bough_log__cycle_table_drop(c, t);
        else
            bough_log__table_fini(c->log, t);
    }
    bough_log__rows_fini(&c->rows_now, mem);
    bough_log__rows_fini(&c->moved_rows, mem);
}
