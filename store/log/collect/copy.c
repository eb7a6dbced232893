/*
 * copy.c - what lives in the victims goes into new segments (made.c).
 *
 *   entries    as they are, with another head where the base must be named by its id; whole where
 *              the base goes
 *   steps      victims in order; deltas elsewhere that lose their base; what is found to live late
 *
 * Damage is never mended by copying: an entry that does not have its checksum gets one that it
 * does not have, either.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/zone_inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { PIECE = 64 * 1024, LEVEL = 6 };
enum { PACK_WHOLE = 48 * 1024, PACK_PIECE = 16 * 1024 }; /* bytes packed at once; of a longer one */
enum { DEFLATE_COST = 8 }; /* a byte packed takes as long as so many read */

/* ---- Entries ---- */

static enum bough_err put(struct bough_log__cycle *c, const void *src, size_t n)
{
    c->copy.new_crc = bough_crc32(c->copy.new_crc, src, n);
    c->progress.copied_bytes += n;
    return bough_log__out_put(&c->out, src, n);
}

static void entry_done(struct bough_log__cycle *c)
{
    bool whole = c->copy.old_crc == c->copy.want_crc;

    if (!whole)
        bough_log__long_spoilt(c);
    c->copy.row.crc = whole ? c->copy.new_crc : ~c->copy.new_crc;
    bough_log__rows_add(&c->rows_now, &c->copy.row);
    bough_log__made_born(c, c->copy.row.where, c->copy.born);
    c->copy.number = 0;
    c->copy.born = 0;
}

/* The next piece of an entry of our own making. */
static enum bough_err piece_pack(struct bough_log__cycle *c)
{
    struct bough_buf *zlib = &c->log->scratch;
    size_t n = c->copy.body.len < PACK_PIECE ? c->copy.body.len : PACK_PIECE;
    bool end = n == c->copy.body.len;
    enum bough_err err;

    bough_buf_clear(zlib);
    err = bough_deflater_run(c->copy.deflater, bough_view(c->copy.body.ptr, n), end, zlib);
    if (!err)
        err = zlib->err;
    if (!err)
        err = put(c, zlib->ptr, zlib->len);
    c->copy.body = bough_view(c->copy.body.ptr + n, c->copy.body.len - n);
    c->effort += DEFLATE_COST * n;
    if (err || !end)
        return err;
    bough_log__deflater_drop(c);
    entry_done(c);
    return BOUGH_OK;
}

/* The next piece of the entry on its way. */
static enum bough_err piece_copy(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    const struct bough_log__segment *seg = bough_log__segment_find(l, c->copy.number);
    size_t n = c->copy.left < PIECE ? (size_t)c->copy.left : PIECE;
    enum bough_err err = BOUGH_OK;

    if (c->copy.deflater != NULL)
        return piece_pack(c);
    bough_buf_clear(&l->scratch);
    if (bough_buf_room(&l->scratch, n) == NULL && l->scratch.err)
        return l->scratch.err;
    err = bough_log__segment_read(l, seg, c->copy.from, l->scratch.ptr, n);
    if (err)
        return err;
    c->copy.old_crc = bough_crc32(c->copy.old_crc, l->scratch.ptr, n);
    err = put(c, l->scratch.ptr, n);
    c->copy.from += n;
    c->copy.left -= n;
    if (!err && c->copy.left == 0)
        entry_done(c);
    return err;
}

/* As it is, but for its head. */
static enum bough_err verbatim_begin(struct bough_log__cycle *c, uint32_t number,
    const struct bough_log__found_entry *f, struct bough_entry_head *head, const uint8_t *raw)
{
    uint8_t made[BOUGH_ENTRY_HEAD_MAX];
    uint32_t n = bough_entry_head_write(c->log->geo.algo, head, made);
    bool same = n == head->head_len && memcmp(made, raw, n) == 0;

    c->copy.number = number;
    c->copy.from = f->at + head->head_len;
    c->copy.left = f->len - head->head_len;
    c->copy.want_crc = f->crc;
    c->copy.old_crc = bough_crc32(0, raw, head->head_len);
    c->copy.new_crc = 0;
    return same ? put(c, raw, head->head_len) : put(c, made, n);
}

enum bough_err bough_log__entry_begin(
    struct bough_log__cycle *c, const struct bough_oid *id, const struct bough_entry_head *head)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];

    c->copy.row = (struct bough_log__row){
        .id = *id, .where = bough_log__where(c->seg.number, c->seg.run.len)};
    c->copy.new_crc = c->copy.old_crc = c->copy.want_crc = 0;
    return put(c, raw, bough_entry_head_write(c->log->geo.algo, head, raw));
}

enum bough_err bough_log__entry_bytes(struct bough_log__cycle *c, struct bough_view zlib)
{
    return put(c, zlib.ptr, zlib.len);
}

void bough_log__entry_end(struct bough_log__cycle *c, bool good)
{
    c->copy.old_crc = c->copy.want_crc + !good;
    entry_done(c);
}

/* In pieces, for packing takes its time. */
static enum bough_err pack_begin(struct bough_log__cycle *c, struct bough_view body, int level)
{
    struct bough_deflater *d = bough_mem_zalloc(c->log->mem, 1, sizeof *d);
    enum bough_err err = d == NULL ? BOUGH_ENOMEM : bough_deflater_init(d, c->log->mem, level);

    if (err) {
        bough_mem_free(c->log->mem, d, d == NULL ? 0 : sizeof *d);
        return err;
    }
    c->copy.deflater = d;
    c->copy.body = body;
    c->copy.number = c->seg.number;
    return BOUGH_OK;
}

enum bough_err bough_log__entry_write(struct bough_log__cycle *c, const struct bough_oid *id,
    const struct bough_entry_head *head, struct bough_view body, int level)
{
    struct bough_buf zlib;
    enum bough_err err = bough_log__entry_begin(c, id, head);

    if (err || body.len > PACK_WHOLE)
        return err ? err : pack_begin(c, body, level);
    bough_buf_init(&zlib, c->log->mem);
    bough_deflate(&zlib, body, level);
    err = zlib.err;
    c->effort += DEFLATE_COST * body.len;
    if (!err)
        err = bough_log__entry_bytes(c, bough_buf_view(&zlib));
    bough_buf_fini(&zlib);
    if (!err)
        bough_log__entry_end(c, true);
    return err;
}

/* Its base goes, so it is written without one. */
static enum bough_err whole_write(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where)
{
    struct bough_entry_head head = {.size = 0};
    struct bough_log__cold_object o = {.id = *id, .where = where};
    struct bough_found found;
    enum bough_err err = bough_log__look(c->log, where, &found);

    if (err)
        return err;
    if (found.type == BOUGH_BLOB && found.size > BOUGH_LOG__WHOLE_MAX && found.size <= UINT32_MAX) {
        o.size = (uint32_t)found.size;
        return bough_log__long_whole(c, &o);
    }
    bough_buf_clear(&c->body);
    err = bough_log__body_read(c->log, where, &head.type, &c->body);
    head.size = c->body.len;
    c->effort += c->body.len;
    return err ? err : bough_log__entry_write(c, id, &head, bough_buf_view(&c->body), LEVEL);
}

/* The base by its id, if it lives; or by its place, where it was copied to the same segment. */
static enum bough_err base_name(struct bough_log__cycle *c, uint32_t number,
    const struct bough_log__found_entry *f, struct bough_entry_head *head)
{
    struct bough_log *l = c->log;
    const struct bough_log__row *near;
    struct bough_log__reverse r;
    struct bough_log__row row;
    enum bough_err err = BOUGH_OK;

    if (head->type == BOUGH_OFS_DELTA) {
        err =
            bough_log__reverse_find(l, bough_log__segment_find(l, number), f->at - head->back, &r);
        head->base = r.id;
    }
    if (!err)
        err = bough_log__lives(c, &head->base, &row);
    if (err)
        return err;
    near = bough_log__rows_find(&c->rows_now, &head->base);
    head->type = near != NULL ? BOUGH_OFS_DELTA : BOUGH_REF_DELTA;
    if (near != NULL)
        head->back = c->seg.run.len - bough_log__where_offset(near->where);
    return BOUGH_OK;
}

static enum bough_err entry_begin(
    struct bough_log__cycle *c, uint32_t number, const struct bough_log__found_entry *f)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    struct bough_entry_head head;
    enum bough_err err = bough_log__segment_ready(c, f->len);

    if (!err)
        err = bough_log__entry_head(c->log, number, f, &head, raw);
    if (err || bough_log__rows_find(&c->rows_now, &f->id) != NULL)
        return err;
    c->copy.row = (struct bough_log__row){
        .id = f->id, .where = bough_log__where(c->seg.number, c->seg.run.len)};
    if (bough_entry_is_delta(head.type)) {
        err = base_name(c, number, f, &head);
        if (err == BOUGH_ENOENT)
            return whole_write(c, &f->id, bough_log__where(number, f->at));
    }
    if (!err)
        err = verbatim_begin(c, number, f, &head, raw);
    return err ? err : piece_copy(c);
}

/* Begin to copy an entry that lives. */
static enum bough_err entry_copy(
    struct bough_log__cycle *c, uint32_t number, const struct bough_log__found_entry *f)
{
    enum bough_err err;

    c->copy.born = bough_log__births_of(c->log, bough_log__where(number, f->at));
    c->copy.born += c->copy.born == 0; /* long ago */
    err = entry_begin(c, number, f);
    c->copy.born = err ? 0 : c->copy.born;
    return err;
}

/* ---- Steps ---- */

static bool lives_by_grace(const struct bough_log__cycle *c, uint64_t bit)
{
    return c->graced != NULL && (c->graced[bit / 8] & 1u << bit % 8) != 0;
}

/* An entry of a victim: copied if it lives, or put aside to be packed anew. */
static enum bough_err victim_copy(
    struct bough_log__cycle *c, struct bough_log__tally *y, const struct bough_log__found_entry *f)
{
    uint64_t where = bough_log__where(y->number, f->at), bit;
    struct bough_log__row row;
    enum bough_err err = bough_log__old_find(c, &f->id, &row, &bit);

    if (err == BOUGH_ENOENT || (!err && (row.where != where || !bough_log__is_marked(c, bit))))
        return BOUGH_OK;
    if (err)
        return err;
    y->copied++;
    err = c->opts.whole && !lives_by_grace(c, bit) ? bough_log__cold_take(c, &f->id, where, bit)
                                                   : BOUGH_ENOTSUP;
    return err == BOUGH_ENOTSUP ? entry_copy(c, y->number, f) : err;
}

/* An entry is on its way. */
static bool is_copying(const struct bough_log__cycle *c)
{
    return c->copy.number != 0 || bough_log__long_busy(c);
}

static enum bough_err copying_step(struct bough_log__cycle *c)
{
    return c->copy.number != 0 ? piece_copy(c) : bough_log__long_step(c);
}

enum bough_err bough_log__copy_step(struct bough_log__cycle *c)
{
    struct bough_log__found_entry f;
    struct bough_log__tally *y;
    enum bough_err err;

    if (is_copying(c))
        return copying_step(c);
    if (bough_log__cold_packing(c))
        return bough_log__cold_step(c);
    if (bough_log__cold_waiting(c) >= bough_log__rows_max(c->log))
        return bough_log__cold_begin(c);
    while (c->entries.number == 0) {
        if (c->at == c->tallies)
            return bough_log__cold_waiting(c) > 0 ? bough_log__cold_begin(c) : BOUGH_ENOENT;
        if (c->tally[c->at].victim && c->tally[c->at].live > 0)
            bough_log__entries_begin(&c->entries, c->tally[c->at].number);
        else
            c->at++;
    }
    y = &c->tally[c->at];
    err = bough_log__entries_next(&c->entries, &f);
    if (!err)
        err = victim_copy(c, y, &f);
    if (err == BOUGH_ECORRUPT || (err == BOUGH_ENOENT && y->copied < y->live))
        bough_log__harm_note(c, y->number);
    else if (err != BOUGH_ENOENT)
        return err;
    c->entries.number = 0;
    c->at++;
    return BOUGH_OK;
}

enum bough_err bough_log__row_copy(struct bough_log__cycle *c, const struct bough_log__row *row)
{
    struct bough_log__found_entry f = {.id = row->id, .at = bough_log__where_offset(row->where)};
    struct bough_log__entry e;
    enum bough_err err = bough_log__entry_open(c->log, row->where, &e);

    if (err)
        return err;
    f.len = e.len;
    f.crc = e.crc;
    return entry_copy(c, e.seg->number, &f);
}

enum bough_err bough_log__stray_step(struct bough_log__cycle *c)
{
    const struct bough_log__row *row;
    bool lives;
    enum bough_err err;

    if (is_copying(c))
        return copying_step(c);
    if (c->strays_done == c->strays)
        return bough_log__harm_step(c);
    row = &c->stray[c->strays_done++];
    err = bough_log__lives_at(c, &row->id, row->where, &lives);
    if (!err && lives)
        err = bough_log__row_copy(c, row);
    if (err != BOUGH_ECORRUPT)
        return err;
    bough_log__harm_note(
        c, bough_log__where_segment(row->where)); /* it stays, and so does its base */
    return BOUGH_OK;
}

enum bough_err bough_log__late_step(struct bough_log__cycle *c)
{
    struct bough_log__row *row;
    const struct bough_log__row *has;
    const struct bough_log__tally *y;
    enum bough_err err;

    if (is_copying(c)) {
        err = copying_step(c);
        if (!err && !is_copying(c))
            c->lates.row[c->lates_done++] = c->copy.row;
        return err;
    }
    if (c->lates_done == c->lates.n)
        return BOUGH_ENOENT;
    row = &c->lates.row[c->lates_done];
    y = bough_log__tally_find(c, bough_log__where_segment(row->where));
    if (y == NULL || (!y->victim && !bough_log__is_stray(c, row->where))) {
        c->lates_done++;
        return BOUGH_OK;
    }
    err = bough_log__row_copy(c, row);
    if (err == BOUGH_ECORRUPT) {
        bough_log__harm_note(c, y->number);
        return BOUGH_OK;
    }
    if (err || is_copying(c))
        return err;
    has = bough_log__rows_find(&c->rows_now, &row->id);
    BOUGH_ASSERT(has != NULL);
    *row = *has;
    c->lates_done++;
    return BOUGH_OK;
}
