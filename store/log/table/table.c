/*
 * table.c - tables on the device: blocks and lookups; docs/format.md 7.
 *
 *   blocks     lent from the page cache, checked each time they are
 *   oid rows   find, walk
 *   reverse    by offset, by number
 *
 * A lookup mostly touches one block: the id says which.
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { SPILL_MAX = 8 }; /* blocks walked forward before searching by halves */

uint32_t bough_log__row_len(const struct bough_log *l)
{
    return l->geo.id_len + 12;
}

uint32_t bough_log__rows_per_block(const struct bough_log *l)
{
    return (BOUGH_LOG__BLOCK - BOUGH_LOG__BLOCK_HEAD) / bough_log__row_len(l);
}

uint32_t bough_log__home_of(const struct bough_oid *id, uint32_t home)
{
    uint64_t top = bough_get64be(id->bytes);

    /* top * home >> 64, in two halves */
    return (uint32_t)(((top >> 32) * home + ((top & 0xffffffffu) * home >> 32)) >> 32);
}

void bough_log__table_fini(struct bough_log *l, struct bough_log__table *t)
{
    bough_log__run_fini(l, &t->run);
    *t = (struct bough_log__table){0};
}

/* ---- Blocks ---- */

static enum bough_err block_place(
    struct bough_log *l, const struct bough_log__table *t, uint32_t no, uint64_t *dev)
{
    uint64_t at = (uint64_t)no * BOUGH_LOG__BLOCK, left;
    const struct bough_log__segment *seg;

    if (t->segment == 0 && t->run.n > 0)
        return bough_log__run_at(l, &t->run, at, dev, &left);
    seg = bough_log__segment_find(l, t->segment);
    if (seg == NULL || !seg->pack)
        return BOUGH_ECORRUPT;
    return bough_log__run_at(l, &seg->run, t->at + at, dev, &left);
}

enum bough_err bough_log__table_block(struct bough_log *l, const struct bough_log__table *t,
    uint32_t kind, uint32_t no, const uint8_t **out, uint32_t *rows)
{
    struct bough_view v;
    uint64_t dev = 0;
    uint32_t *checked, bit;
    uint32_t blocks = t->blocks + (kind == BOUGH_LOG__BLOCK_REFINDEX ? t->home : 0);
    enum bough_err err = no < blocks ? block_place(l, t, no, &dev) : BOUGH_ECORRUPT;

    if (err)
        return bough_log__corrupt(l, "a table's block lies outside of it", no);
    err = bough_log__page(l, dev, &v, &checked);
    if (err)
        return err;
    *out = v.ptr;
    *rows = bough_get16le(v.ptr + 12);
    bit = 1u << dev % l->pages.size / BOUGH_LOG__BLOCK;
    if (!(*checked & bit) &&
        bough_get32le(v.ptr) != bough_crc32(0, v.ptr + 4, BOUGH_LOG__BLOCK - 4))
        return bough_log__corrupt(l, "a table's block is damaged", dev);
    *checked |= bit;
    if (bough_get32le(v.ptr + 4) != t->number || bough_get32le(v.ptr + 8) != no ||
        bough_get16le(v.ptr + 14) != kind)
        return bough_log__corrupt(l, "a table's block is another one", dev);
    if (kind<BOUGH_LOG__BLOCK_REF && * rows> bough_log__rows_per_block(l))
        return bough_log__corrupt(l, "a table's block has too many rows", dev);
    return BOUGH_OK;
}

void bough_log__block_seal(
    uint8_t *block, uint32_t table, uint32_t no, uint32_t rows, uint32_t kind)
{
    bough_put32le(block + 4, table);
    bough_put32le(block + 8, no);
    bough_put16le(block + 12, (uint16_t)rows);
    bough_put16le(block + 14, (uint16_t)kind);
    bough_put32le(block, bough_crc32(0, block + 4, BOUGH_LOG__BLOCK - 4));
}

/* ---- Oid rows ---- */

static const uint8_t *row_at(const struct bough_log *l, const uint8_t *block, uint32_t i)
{
    return block + BOUGH_LOG__BLOCK_HEAD + (size_t)i * bough_log__row_len(l);
}

void bough_log__table_row(const struct bough_log *l, const struct bough_log__table *t,
    const uint8_t *block, uint32_t i, struct bough_log__row *out)
{
    const uint8_t *p = row_at(l, block, i);
    uint64_t where = bough_get64le(p + l->geo.id_len);

    out->id = bough_oid_raw(l->geo.algo, p);
    out->crc = bough_get32le(p + l->geo.id_len + 8);
    out->whole = (block[BOUGH_LOG__BLOCK_WHOLE + i / 8] & 1u << i % 8) != 0;
    out->unseen = false;
    if (bough_log__where_segment(where) == 0) /* this segment */
        where = bough_log__where(t->segment, where);
    out->where = where;
}

/* The first row of the block that is not below `id`. */
static uint32_t block_seek(
    const struct bough_log *l, const uint8_t *block, uint32_t rows, const struct bough_oid *id)
{
    uint32_t lo = 0, hi = rows;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (memcmp(row_at(l, block, mid), id->bytes, l->geo.id_len) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Among blocks lo..blocks-1: the last that has rows and whose first id is not above `id`. */
static enum bough_err block_search(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, uint32_t lo, uint32_t *out)
{
    uint32_t hi = t->blocks;

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2, rows;
        const uint8_t *block;
        enum bough_err err = bough_log__table_block(l, t, BOUGH_LOG__BLOCK_OID, mid, &block, &rows);

        if (err)
            return err;
        if (rows > 0 && memcmp(row_at(l, block, 0), id->bytes, l->geo.id_len) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    *out = lo;
    return BOUGH_OK;
}

/* The block in which `id` is, if it is anywhere, and the row at which it would be. */
static enum bough_err table_seek(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, uint32_t *no, uint32_t *row, const uint8_t **block)
{
    uint32_t home = bough_log__home_of(id, t->home), rows;

    for (*no = home; *no < t->blocks; ++*no) {
        enum bough_err err;

        if (*no == home + SPILL_MAX) {
            err = block_search(l, t, id, *no, no);
            if (err)
                return err;
        }
        err = bough_log__table_block(l, t, BOUGH_LOG__BLOCK_OID, *no, block, &rows);
        if (err)
            return err;
        *row = block_seek(l, *block, rows, id);
        if (*row < rows)
            return BOUGH_OK;
        if (rows < bough_log__rows_per_block(l) || *no >= home + SPILL_MAX)
            return BOUGH_ENOENT;
    }
    return BOUGH_ENOENT;
}

enum bough_err bough_log__table_place(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out, uint64_t *place)
{
    uint32_t no, row;
    const uint8_t *block;
    enum bough_err err;

    if (t->blocks == 0)
        return BOUGH_ENOENT;
    err = table_seek(l, t, id, &no, &row, &block);
    if (err == BOUGH_ECORRUPT && l->opts.past_damage)
        err = BOUGH_ENOENT; /* past.c has looked for it elsewhere */
    if (err)
        return err;
    bough_log__table_row(l, t, block, row, out);
    *place = (uint64_t)no * bough_log__rows_per_block(l) + row;
    return bough_oid_eq(&out->id, id) ? BOUGH_OK : BOUGH_ENOENT;
}

enum bough_err bough_log__table_find(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out)
{
    uint64_t place;

    return bough_log__table_place(l, t, id, out, &place);
}

/* The next rows into `s->some`. */
static enum bough_err source_fill(struct bough_log__table_source *s)
{
    s->at = s->n = 0;
    while (s->block < s->table->blocks) {
        const uint8_t *block;
        uint32_t rows;
        enum bough_err err =
            bough_log__table_block(s->log, s->table, BOUGH_LOG__BLOCK_OID, s->block, &block, &rows);

        if (err == BOUGH_ECORRUPT && s->log->opts.past_damage)
            rows = 0;
        else if (err)
            return err;
        while (s->row < rows && s->n < BOUGH_LOG__SOME)
            bough_log__table_row(s->log, s->table, block, s->row++, &s->some[s->n++]);
        if (s->n > 0)
            return BOUGH_OK;
        s->block++;
        s->row = 0;
    }
    return BOUGH_ENOENT;
}

static enum bough_err table_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct bough_log__table_source *s = (struct bough_log__table_source *)src; /* first field */
    enum bough_err err = s->at < s->n ? BOUGH_OK : source_fill(s);

    if (!err)
        *out = s->some[s->at++];
    return err;
}

void bough_log__table_source_init(struct bough_log__table_source *s, struct bough_log *l,
    const struct bough_log__table *t, const struct bough_oid *from)
{
    const uint8_t *block;

    *s = (struct bough_log__table_source){.src = {table_next}, .log = l, .table = t};
    if (from == NULL || t->blocks == 0)
        return;
    /* A damaged block shows again in the walk; where it is not there, begin at its home. */
    if (table_seek(l, t, from, &s->block, &s->row, &block)) {
        s->block = bough_log__home_of(from, t->home);
        s->row = 0;
    }
}

/* ---- Reverse rows ---- */

enum bough_err bough_log__reverse_get(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t no, struct bough_log__reverse *out)
{
    uint32_t per = bough_log__rows_per_block(l), rows;
    const uint8_t *block, *p;
    enum bough_err err;

    if (no >= seg->objects)
        return BOUGH_ENOENT;
    err = bough_log__table_block(
        l, &seg->reverse, BOUGH_LOG__BLOCK_REVERSE, (uint32_t)(no / per), &block, &rows);
    if (err)
        return err;
    if (no % per >= rows)
        return bough_log__corrupt(l, "a reverse table is too short", no);
    p = row_at(l, block, (uint32_t)(no % per));
    out->offset = bough_get64le(p);
    out->id = bough_oid_raw(l->geo.algo, p + 8);
    out->crc = bough_get32le(p + 8 + l->geo.id_len);
    if (no + 1 == seg->objects) {
        out->end = seg->pack_end;
    } else if (no % per + 1 < rows) {
        out->end = bough_get64le(p + bough_log__row_len(l));
    } else {
        err = bough_log__table_block(
            l, &seg->reverse, BOUGH_LOG__BLOCK_REVERSE, (uint32_t)(no / per) + 1, &block, &rows);
        if (err)
            return err;
        out->end = bough_get64le(row_at(l, block, 0));
    }
    if (out->end <= out->offset || out->end > seg->pack_end)
        return bough_log__corrupt(l, "a reverse table is out of order", out->offset);
    return BOUGH_OK;
}

/* Does block `no` of the reverse table begin at or before `offset`?  BOUGH_ECORRUPT: it is damaged. */
static enum bough_err reverse_before(struct bough_log *l, const struct bough_log__segment *seg,
    uint32_t no, uint64_t offset, bool *yes)
{
    const uint8_t *block;
    uint32_t rows;
    enum bough_err err =
        bough_log__table_block(l, &seg->reverse, BOUGH_LOG__BLOCK_REVERSE, no, &block, &rows);

    *yes = !err && bough_get64le(row_at(l, block, 0)) <= offset;
    return err;
}

/*
 * The block that tells of the entry at `offset`, if any does.  Who goes through a pack, or from a
 * delta to its base, mostly asks for the block of last time, or the next.  A damaged one hides no others.
 */
static enum bough_err reverse_block(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t offset, uint32_t *no)
{
    uint32_t lo = 0, hi = seg->reverse.blocks;
    uint32_t near = l->reverse_near % (hi > 0 ? hi : 1); /* perhaps of another table: a bad guess */

    for (uint32_t mid = near; hi - lo > 1;) {
        bool before;
        enum bough_err err = reverse_before(l, seg, mid, offset, &before);

        if (err && err != BOUGH_ECORRUPT)
            return err;
        if (err && mid + 1 < hi) { /* the next one tells on which side of it */
            err = reverse_before(l, seg, mid + 1, offset, &before);
            mid += before;
        }
        if (err && err != BOUGH_ECORRUPT)
            return err;
        *(before ? &lo : &hi) = mid;
        mid = mid == near && lo == near ? mid + 1 : lo + (hi - lo) / 2;
    }
    *no = l->reverse_near = lo;
    return BOUGH_OK;
}

enum bough_err bough_log__reverse_find(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t offset, struct bough_log__reverse *out)
{
    uint32_t no, rows, lo = 0, hi;
    const uint8_t *block;
    enum bough_err err;

    err = reverse_block(l, seg, offset, &no);
    if (!err)
        err = bough_log__table_block(l, &seg->reverse, BOUGH_LOG__BLOCK_REVERSE, no, &block, &rows);
    if (err)
        return err;
    for (hi = rows; lo < hi;) { /* the first row that is not below */
        uint32_t mid = lo + (hi - lo) / 2;

        if (bough_get64le(row_at(l, block, mid)) < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == rows || bough_get64le(row_at(l, block, lo)) != offset)
        return bough_log__corrupt(l, "no entry begins at this offset of a pack segment", offset);
    return bough_log__reverse_get(l, seg, (uint64_t)no * bough_log__rows_per_block(l) + lo, out);
}
