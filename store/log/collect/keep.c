/*
 * keep.c - the rows that stay, as one table in place of the frozen ones.
 *
 * Rows of what was moved come first; then the frozen tables', as far as they are marked and their
 * segment stays.  The order of the frozen tables is kept: of equal ids only the first is marked.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* A frozen table's rows that stay. */
struct bough_log__kept_source {
    struct bough_log__row_source src; /* first: the face */
    struct bough_log__cycle *cycle;
    size_t table;
    uint32_t block, row;
    const uint8_t *bits; /* of these rows, wherever they lie; NULL: of those that stay */
};

static bool has_bit(const uint8_t *bits, uint64_t bit)
{
    return (bits[bit / 8] & 1u << bit % 8) != 0;
}

static enum bough_err kept_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct bough_log__kept_source *k = (struct bough_log__kept_source *)src; /* first field */
    struct bough_log__cycle *c = k->cycle;
    const struct bough_log__table *t = &c->log->table[k->table];

    while (k->block < t->blocks) {
        uint64_t first =
            c->first_bit[k->table] + (uint64_t)k->block * bough_log__rows_per_block(c->log);
        const struct bough_log__tally *y;
        const uint8_t *block;
        uint32_t rows;
        enum bough_err err =
            bough_log__table_block(c->log, t, BOUGH_LOG__BLOCK_OID, k->block, &block, &rows);

        if (err)
            return err;
        while (k->row < rows && !has_bit(k->bits != NULL ? k->bits : c->bits, first + k->row))
            k->row++;
        if (k->row == rows) {
            k->block++;
            k->row = 0;
            continue;
        }
        bough_log__table_row(c->log, t, block, k->row++, out);
        if (k->bits != NULL)
            return BOUGH_OK;
        y = bough_log__tally_find(c, bough_log__where_segment(out->where));
        if (y != NULL && !y->victim)
            return BOUGH_OK;
    }
    return BOUGH_ENOENT;
}

void bough_log__rows_stop(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;

    bough_log__table_writer_fini(c->writer, l->mem);
    c->writer = NULL;
    bough_log__out_fini(&c->table_out);
    bough_log__merge_fini(&c->merge);
    bough_log__rows_source_fini(&c->moved_rows_src);
    if (c->kept != NULL)
        bough_mem_free(l->mem, c->kept, (c->frozen + 1) * sizeof *c->kept);
    c->kept = NULL;
}

static enum bough_err kept_new(struct bough_log__cycle *c)
{
    enum bough_err err = bough_log__merge_init(&c->merge, c->log->mem, c->frozen + c->moveds + 1);

    c->kept = bough_mem_zalloc(c->log->mem, c->frozen + 1, sizeof *c->kept);
    return c->kept == NULL ? BOUGH_ENOMEM : err;
}

static void kept_add(struct bough_log__cycle *c, const uint8_t *bits)
{
    for (size_t i = 0; i < c->frozen; i++) {
        c->kept[i] = (struct bough_log__kept_source){{kept_next}, c, i, 0, 0, bits};
        bough_log__merge_add(&c->merge, &c->kept[i].src);
    }
}

static enum bough_err rows_start(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    enum bough_err err = kept_new(c);

    if (!err)
        err = bough_log__rows_source_init(&c->moved_rows_src, &c->moved_rows, l->mem);
    if (!err)
        err = bough_log__out_init(&c->table_out, l, &c->table.run, BOUGH_LOG__ZONE_TABLE);
    c->table_out.reserve = bough_log__ends(l);
    if (!err)
        err = bough_log__table_writer_init(&c->writer, &c->table_out, c->marked, &c->table);
    if (err)
        return err;
    bough_log__merge_add(&c->merge, &c->moved_rows_src.src);
    for (uint32_t i = 0; i < c->moveds; i++) {
        bough_log__table_source_init(&c->moved_src[i], l, &c->moved[i], NULL);
        bough_log__merge_add(&c->merge, &c->moved_src[i].src);
    }
    kept_add(c, NULL);
    return BOUGH_OK;
}

enum bough_err bough_log__kept_start(struct bough_log__cycle *c, const uint8_t *bits)
{
    enum bough_err err = kept_new(c);

    if (!err)
        kept_add(c, bits);
    return err;
}

enum bough_err bough_log__kept_step(struct bough_log__cycle *c)
{
    enum { ROWS = 64 };
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < ROWS && !err; i++) {
        struct bough_log__row row;
        err = c->merge.src.next(&c->merge.src, &row);
        if (!err)
            err = bough_log__table_writer_put(c->writer, &row);
    }
    if (err != BOUGH_ENOENT)
        return err;
    err = bough_log__table_writer_end(c->writer);
    if (!err)
        err = bough_log__out_pad(&c->table_out, c->log->geo.granule);
    if (!err)
        err = bough_log__out_flush(&c->table_out);
    return err ? err : BOUGH_ENOENT;
}

enum bough_err bough_log__rows_step(struct bough_log__cycle *c)
{
    enum bough_err err = c->writer == NULL ? rows_start(c) : BOUGH_OK;

    if (!err)
        err = bough_log__kept_step(c);
    if (err != BOUGH_ENOENT)
        return err;
    bough_log__rows_stop(c);
    while (c->moveds > 0)
        bough_log__cycle_table_drop(c, &c->moved[--c->moveds]);
    bough_log__rows_clear(&c->moved_rows, c->log->mem, 0);
    return BOUGH_ENOENT;
}
