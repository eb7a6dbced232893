/*
 * build.c - writing oid tables: from sorted rows, from several sources as one.
 *
 *   writer   a row goes to its home, or behind what is full
 *   merge    of equal ids one row is taken
 */
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* ---- Writer ---- */

struct bough_log__table_writer {
    struct bough_log__out *out;
    struct bough_log__table *t;
    uint32_t per;  /* rows a block takes */
    uint32_t rows; /* in the block being filled, whose number is t->blocks */
    uint8_t block[BOUGH_LOG__BLOCK];
};

static enum bough_err block_end(struct bough_log__table_writer *w)
{
    enum bough_err err;

    bough_log__block_seal(w->block, w->t->number, w->t->blocks, w->rows, BOUGH_LOG__BLOCK_OID);
    err = bough_log__out_put(w->out, w->block, sizeof w->block);
    memset(w->block, 0, sizeof w->block);
    w->rows = 0;
    w->t->blocks++;
    return err;
}

enum bough_err bough_log__table_writer_put(
    struct bough_log__table_writer *w, const struct bough_log__row *row)
{
    const struct bough_log *l = w->out->log;
    uint32_t home = bough_log__home_of(&row->id, w->t->home);
    uint32_t i;
    uint8_t *p;

    while (w->t->blocks < home || w->rows == w->per) {
        enum bough_err err = block_end(w);
        if (err)
            return err;
    }
    i = w->rows++;
    p = w->block + BOUGH_LOG__BLOCK_HEAD + (size_t)i * bough_log__row_len(l);
    memcpy(p, row->id.bytes, l->geo.id_len);
    bough_put64le(p + l->geo.id_len, row->where);
    bough_put32le(p + l->geo.id_len + 8, row->crc);
    if (row->whole)
        w->block[BOUGH_LOG__BLOCK_WHOLE + i / 8] |= (uint8_t)(1u << i % 8);
    w->t->rows++;
    return BOUGH_OK;
}

/* Home blocks for so many rows: three quarters full. */
static uint32_t homes_for(uint64_t rows, uint32_t per)
{
    uint64_t fill = (uint64_t)per * 3 / 4, n = (rows + fill - 1) / fill;

    return n == 0 ? 1 : (uint32_t)n;
}

uint64_t bough_log__table_bytes(const struct bough_log *l, uint64_t rows)
{
    enum { BEHIND = 1 }; /* rows of the last homes that were full */

    return ((uint64_t)homes_for(rows, bough_log__rows_per_block(l)) + BEHIND) * BOUGH_LOG__BLOCK;
}

enum bough_err bough_log__table_writer_init(struct bough_log__table_writer **out,
    struct bough_log__out *to, uint64_t rows, struct bough_log__table *t)
{
    struct bough_log *l = to->log;
    struct bough_log__table_writer *w;

    BOUGH_ASSERT((to->run->start + to->run->len) % l->geo.align == 0);
    if (rows > (uint64_t)1 << 38)
        return BOUGH_ETOOBIG;
    w = bough_mem_zalloc(l->mem, 1, sizeof *w);
    if (w == NULL)
        return BOUGH_ENOMEM;
    *w = (struct bough_log__table_writer){.out = to, .t = t, .per = bough_log__rows_per_block(l)};
    t->number = l->next_table++;
    t->rows = 0;
    t->blocks = 0;
    t->home = homes_for(rows, w->per);
    *out = w;
    return BOUGH_OK;
}

enum bough_err bough_log__table_writer_end(struct bough_log__table_writer *w)
{
    enum bough_err err = block_end(w);

    while (!err && w->t->blocks < w->t->home)
        err = block_end(w);
    return err;
}

void bough_log__table_writer_fini(struct bough_log__table_writer *w, struct bough_mem *mem)
{
    bough_mem_free(mem, w, sizeof *w);
}

enum bough_err bough_log__table_write(struct bough_log__out *out, struct bough_log__row_source *src,
    uint64_t rows, struct bough_log__table *t)
{
    struct bough_log__table_writer *w;
    enum bough_err err = bough_log__table_writer_init(&w, out, rows, t);

    if (err)
        return err;
    for (;;) {
        struct bough_log__row row;
        err = src->next(src, &row);
        if (!err)
            err = bough_log__table_writer_put(w, &row);
        if (err)
            break;
    }
    if (err == BOUGH_ENOENT)
        err = bough_log__table_writer_end(w);
    bough_log__table_writer_fini(w, out->log->mem);
    return err;
}

enum bough_err bough_log__table_make(struct bough_log *l, uint32_t reserve,
    struct bough_log__row_source *src, uint64_t rows, struct bough_log__table *t)
{
    struct bough_log__out out;
    enum bough_err err = bough_log__out_init(&out, l, &t->run, BOUGH_LOG__ZONE_TABLE);

    if (err)
        return err;
    out.reserve = reserve;
    err = bough_log__table_write(&out, src, rows, t);
    if (!err)
        err = bough_log__out_pad(&out, l->geo.granule);
    if (!err)
        err = bough_log__out_flush(&out);
    bough_log__out_fini(&out);
    return err;
}

/* ---- Merge ---- */

static enum bough_err merge_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct bough_log__merge *m = (struct bough_log__merge *)src; /* first field */
    size_t best = m->n;

    for (size_t i = 0; i < m->n; i++) {
        if (!m->in[i].done && !m->in[i].filled) {
            enum bough_err err = m->in[i].src->next(m->in[i].src, &m->in[i].row);
            if (err && err != BOUGH_ENOENT)
                return err;
            m->in[i].filled = !err;
            m->in[i].done = err == BOUGH_ENOENT;
        }
        if (m->in[i].filled &&
            (best == m->n || bough_oid_cmp(&m->in[i].row.id, &m->in[best].row.id) < 0))
            best = i;
    }
    if (best == m->n)
        return BOUGH_ENOENT;
    *out = m->in[best].row;
    for (size_t i = best; i < m->n; i++) {
        if (!m->in[i].filled || !bough_oid_eq(&m->in[i].row.id, &out->id))
            continue;
        if (m->newest && m->in[i].row.whole)
            *out = m->in[i].row;
        m->in[i].filled = false;
    }
    return BOUGH_OK;
}

enum bough_err bough_log__merge_init(
    struct bough_log__merge *m, struct bough_mem *mem, size_t sources)
{
    *m = (struct bough_log__merge){{merge_next}, mem, false, 0, sources, NULL};
    m->in = bough_mem_zalloc(mem, sources, sizeof *m->in);
    return m->in == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}

void bough_log__merge_fini(struct bough_log__merge *m)
{
    if (m->in != NULL)
        bough_mem_free(m->mem, m->in, m->cap * sizeof *m->in);
    m->in = NULL;
}

void bough_log__merge_add(struct bough_log__merge *m, struct bough_log__row_source *src)
{
    BOUGH_ASSERT(m->n < m->cap);
    m->in[m->n++].src = src;
}
