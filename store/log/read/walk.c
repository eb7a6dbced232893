/*
 * walk.c - every object, ids that begin alike, statistics.
 *
 * All rows, in memory and in tables, merged into one ascending stream in
 * which every id stands once.
 */
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/table_inner.h"

struct walk {
    struct bough_log *log;
    struct bough_log__merge merge;
    struct bough_log__table_source *tables;
    struct bough_log__rows_source rows;
};

static void walk_close(struct walk *w)
{
    struct bough_log *l = w->log;

    bough_log__rows_source_fini(&w->rows);
    if (w->tables != NULL)
        bough_mem_free(l->mem, w->tables, (l->tables + 1) * sizeof *w->tables);
    bough_log__merge_fini(&w->merge);
}

/* From the first id not below `from`, or a little before. */
static enum bough_err walk_open(struct walk *w, struct bough_log *l, const struct bough_oid *from)
{
    enum bough_err err;

    *w = (struct walk){.log = l};
    w->tables = bough_mem_zalloc(l->mem, l->tables + 1, sizeof *w->tables);
    if (w->tables == NULL)
        return BOUGH_ENOMEM;
    err = bough_log__merge_init(&w->merge, l->mem, l->tables + 2);
    if (!err)
        err = bough_log__rows_source_init(&w->rows, &l->rows, l->mem);
    if (err) {
        walk_close(w);
        return err;
    }
    bough_log__merge_add(&w->merge, &w->rows.src);
    for (size_t i = 0; i < l->tables; i++) {
        bough_log__table_source_init(&w->tables[i], l, &l->table[i], from);
        bough_log__merge_add(&w->merge, &w->tables[i].src);
    }
    if (l->through != NULL) {
        bough_log__table_source_init(&w->tables[l->tables], l, &l->through->oid, from);
        bough_log__merge_add(&w->merge, &w->tables[l->tables].src);
    }
    return BOUGH_OK;
}

enum bough_err bough_log__each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct bough_log *l = bough_log__of(s);
    struct walk w;
    enum bough_err err = walk_open(&w, l, NULL);

    if (err)
        return err;
    while (!err) {
        struct bough_log__row row;
        struct bough_found found;

        err = w.merge.src.next(&w.merge.src, &row);
        if (err)
            break;
        err = bough_log__look(l, row.where, &found);
        if (err == BOUGH_ECORRUPT) { /* it is there, but damaged */
            found = (struct bough_found){.type = BOUGH_NONE};
            err = BOUGH_OK;
        }
        if (!err)
            err = fn(ctx, &row.id, &found);
    }
    walk_close(&w);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Does `id` begin with these digits?  Negative: it is below all that do. */
static int prefix_cmp(const struct bough_oid *id, const struct bough_oid *prefix, uint32_t nibbles)
{
    int cmp = memcmp(id->bytes, prefix->bytes, nibbles / 2);

    if (cmp != 0 || nibbles % 2 == 0)
        return cmp;
    return (id->bytes[nibbles / 2] >> 4) - (prefix->bytes[nibbles / 2] >> 4);
}

enum bough_err bough_log__abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n)
{
    struct bough_oid from = {{0}};
    struct walk w;
    enum bough_err err;

    memcpy(from.bytes, prefix->bytes, (nibbles + 1) / 2);
    if (nibbles % 2 != 0)
        from.bytes[nibbles / 2] &= 0xf0;
    err = walk_open(&w, bough_log__of(s), &from);
    if (err)
        return err;
    while (!err && *n < cap) {
        struct bough_log__row row;
        int cmp;

        err = w.merge.src.next(&w.merge.src, &row);
        if (err)
            break;
        cmp = prefix_cmp(&row.id, prefix, nibbles);
        if (cmp > 0)
            break;
        if (cmp == 0)
            ids[(*n)++] = row.id;
    }
    walk_close(&w);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}
