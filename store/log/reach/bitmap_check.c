/*
 * bitmap_check.c - are the bitmaps whole, and what they should be?
 *
 *   bits     each names rows that are there
 *   commits  its own bit is set, and so are its tree's and its parents'
 *
 * What the bitmaps reach is closed when that holds of each object; it was when they were made, and
 * checksums say that nothing changed since.
 */
#include "git/object.h"
#include "store/inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/table_inner.h"

struct looking {
    struct bough_log *log;
    const struct bough_log__table *table;
    struct bough_log__bitmaps maps;
    uint8_t *bits, *rows; /* what a commit reaches; the places that have rows */
    size_t len;
};

static enum bough_err rows_fill(struct looking *c)
{
    struct bough_log *l = c->log;
    uint32_t per = bough_log__rows_per_block(l), rows;
    const uint8_t *block;
    enum bough_err err = BOUGH_OK;

    for (uint32_t no = 0; no < c->table->blocks && !err; no++) {
        err = bough_log__table_block(l, c->table, BOUGH_LOG__BLOCK_OID, no, &block, &rows);
        for (uint32_t i = 0; i < rows && !err; i++)
            bough_log__bit_set(c->rows, (uint64_t)no * per + i);
    }
    return err;
}

/* What commit number `no` reaches, bitmap after bitmap. */
static enum bough_err bits_fill(struct looking *c, uint32_t no)
{
    enum bough_err err = BOUGH_OK;

    memset(c->bits, 0, c->len);
    for (uint32_t at = no + 1; at > 0 && !err; at = c->maps.bitmap[at - 1].base) {
        struct bough_log__bitmap_reader r = {
            .bitmap = &c->maps.bitmap[at - 1], .region = c->maps.region};

        bough_buf_init(&r.left, c->log->mem);
        do
            err = bough_log__bitmap_step(c->log, c->table, &r, c->bits, c->len);
        while (err == BOUGH_EAGAIN);
        bough_buf_fini(&r.left);
    }
    for (size_t i = 0; i < c->len && !err; i++) {
        if (c->bits[i] & ~c->rows[i])
            err = BOUGH_ECORRUPT;
    }
    return err;
}

static enum bough_err is_set(struct looking *c, const struct bough_oid *id)
{
    struct bough_log__row row;
    uint64_t place;
    enum bough_err err = bough_log__table_place(c->log, c->table, id, &row, &place);

    if (err == BOUGH_ENOENT)
        return bough_store__is_empty_tree(&c->log->store, id) ? BOUGH_OK : BOUGH_ECORRUPT;
    return err ? err : bough_log__bit(c->bits, place) ? BOUGH_OK : BOUGH_ECORRUPT;
}

static enum bough_err commit_look(struct looking *c, const struct bough_oid *id)
{
    struct bough_store *s = &c->log->store;
    struct bough_commit commit;
    enum bough_type type;
    struct bough_buf body;
    enum bough_err err = is_set(c, id);

    bough_buf_init(&body, c->log->mem);
    if (!err)
        err = bough_store_read(s, id, &type, &body);
    if (!err &&
        (type != BOUGH_COMMIT || bough_commit_parse(s->algo, bough_buf_view(&body), &commit)))
        err = BOUGH_ECORRUPT;
    if (!err)
        err = is_set(c, &commit.tree);
    if (!err && bough_store_boundary(s, id) == BOUGH_ENOENT) {
        for (uint32_t i = 0; i < commit.parents_n && !err; i++) {
            struct bough_oid parent = bough_commit_parent(&commit, i);
            err = is_set(c, &parent);
        }
    }
    bough_buf_fini(&body);
    return err;
}

static enum bough_err all_look(struct looking *c)
{
    enum bough_err err = rows_fill(c);

    for (uint32_t i = 0; i < c->maps.n && !err; i++) {
        err = bits_fill(c, i);
        if (!err)
            err = commit_look(c, &c->maps.bitmap[i].commit);
    }
    return err;
}

enum bough_err bough_log__bitmaps_check(struct bough_log *l)
{
    struct looking c = {.log = l, .table = bough_log__region_table(l)};
    uint32_t n, crc;
    enum bough_err err;

    if (c.table == NULL)
        return BOUGH_OK;
    err = bough_log__bitmaps_load(l, c.table, &c.maps);
    if (!err)
        err = bough_log__boundary_sum(l, &n, &crc);
    if (!err && n == c.maps.boundary_n && crc == c.maps.boundary_crc) { /* else nobody uses them */
        c.len = bough_log__places_len(l, c.table);
        c.bits = bough_mem_zalloc(l->mem, c.len, 1);
        c.rows = bough_mem_zalloc(l->mem, c.len, 1);
        err = c.bits == NULL || c.rows == NULL ? BOUGH_ENOMEM : all_look(&c);
    }
    bough_mem_free(l->mem, c.bits, c.len);
    bough_mem_free(l->mem, c.rows, c.len);
    bough_log__bitmaps_fini(l, &c.maps);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

void bough_log__bitmaps_stat(struct bough_log *l, struct bough_store_stats *out)
{
    const struct bough_log__table *t = bough_log__region_table(l);
    struct bough_log__bitmaps maps;

    if (t == NULL)
        return;
    if (!bough_log__bitmaps_load(l, t, &maps)) {
        out->reach_commits = maps.n;
        out->reach_objects = maps.objects;
    }
    bough_log__bitmaps_fini(l, &maps);
}
