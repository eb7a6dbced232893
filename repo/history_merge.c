/*
 * history_merge.c - several segments become one, a bounded step at a time.
 *
 *   choosing   the smallest ones that are alike in size
 *   cursors    a segment's rows in order
 *   merging    the least row of all, table by table
 *
 * What is being made is a tree that is open: nothing names it, but it lives while the process
 * does.  Ends that are indexed by now, or whose commit is gone, are left out.
 */
#include "repo/history_inner.h"
#include "repo/inner.h"

enum { FACTOR = 4, ROWS_MIN = 4096, MERGE_MAX = 2 * FACTOR };

struct cursor {
    struct bough_buf rows; /* of a blob */
    size_t at;             /* of the next row in it */
    bool over;
};

struct bough_history__merge {
    struct bough_repo *r;
    struct bough_history__segment in[MERGE_MAX];
    struct cursor cursor[MERGE_MAX];
    size_t n;
    enum bough_history__kind kind;
    bool begun; /* the cursors stand in the table `kind` */
    struct bough_history__writer out;
};

/* ---- Choosing ---- */

static uint32_t level_of(uint64_t rows)
{
    uint32_t level = 0;

    for (uint64_t most = ROWS_MIN; rows > most && most < UINT64_MAX / FACTOR; most *= FACTOR)
        level++;
    return level;
}

/* The segments of the lowest level that has enough of them. */
static size_t merge_choose(
    const struct bough_history *h, struct bough_history__segment out[MERGE_MAX])
{
    for (uint32_t level = 0; level < 64; level++) {
        size_t n = 0;

        for (size_t i = 0; i < h->segments && n < MERGE_MAX; i++) {
            if (level_of(h->segment[i].rows) == level)
                out[n++] = h->segment[i];
        }
        if (n >= FACTOR)
            return n;
    }
    return 0;
}

bool bough_history__merge_due(const struct bough_history *h)
{
    struct bough_history__segment in[MERGE_MAX];

    return h->merge != NULL || merge_choose(h, in) > 0;
}

void bough_history__merge_free(struct bough_history__merge *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++)
        bough_buf_fini(&m->cursor[i].rows);
    bough_history__writer_fini(&m->out);
    bough_mem_free(m->r->mem, m, sizeof *m);
}

static enum bough_err merge_new(struct bough_repo *r, struct bough_history__merge **out)
{
    struct bough_history__merge *m = bough_mem_zalloc(r->mem, 1, sizeof *m);
    enum bough_err err;

    if (m == NULL)
        return BOUGH_ENOMEM;
    m->r = r;
    m->n = merge_choose(r->history, m->in);
    for (size_t i = 0; i < m->n; i++)
        bough_buf_init(&m->cursor[i].rows, r->mem);
    err = bough_history__writer_init(&m->out, r);
    if (err) {
        bough_history__merge_free(m);
        return err;
    }
    *out = m;
    return BOUGH_OK;
}

/* ---- Cursors ---- */

/* Go on to the next blob, that after the last row of this one. */
static enum bough_err cursor_load(struct bough_history__merge *m, size_t i)
{
    static const uint8_t lowest[BOUGH_HISTORY__ROW_MAX];
    struct cursor *c = &m->cursor[i];
    size_t len = bough_history__row_len(m->r, m->kind);
    uint8_t key[BOUGH_HISTORY__ROW_MAX];
    enum bough_err err;

    memcpy(key, m->begun ? c->rows.ptr + c->rows.len - len : lowest, len);
    c->at = 0;
    err = bough_history__chunk(m->r, &m->in[i].root, m->kind, key, true, &c->rows);
    c->over = err == BOUGH_ENOENT;
    return c->over ? BOUGH_OK : err;
}

static enum bough_err cursors_begin(struct bough_history__merge *m)
{
    enum bough_err err = bough_history__writer_kind(&m->out, m->kind);

    for (size_t i = 0; i < m->n && err == BOUGH_OK; i++)
        err = cursor_load(m, i);
    m->begun = true;
    return err;
}

/* ---- Merging ---- */

/* The cursor with the least row, or n. */
static size_t least(const struct bough_history__merge *m)
{
    size_t len = bough_history__row_len(m->r, m->kind), best = m->n;

    for (size_t i = 0; i < m->n; i++) {
        const struct cursor *c = &m->cursor[i];

        if (!c->over &&
            (best == m->n || memcmp(c->rows.ptr + c->at,
                                 m->cursor[best].rows.ptr + m->cursor[best].at, len) < 0))
            best = i;
    }
    return best;
}

/* Is there still something to be indexed at an end? */
static enum bough_err end_stays(struct bough_repo *r, const uint8_t *row, bool *out)
{
    struct bough_history__place at;
    struct bough_oid id = {{0}};
    enum bough_err err;

    memcpy(id.bytes, row, r->hash_len);
    err = bough_history__find(r, &id, &at);
    *out = err == BOUGH_ENOENT && bough_store_has(r->store, &id) == BOUGH_OK;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* The least row goes over.  BOUGH_ENOENT: no more in this table. */
static enum bough_err row_move(struct bough_history__merge *m)
{
    size_t i = least(m);
    struct cursor *c = &m->cursor[i];
    bool stays = true;
    enum bough_err err = BOUGH_OK;

    if (i == m->n)
        return BOUGH_ENOENT;
    if (m->kind == BOUGH_HISTORY__ENDS)
        err = end_stays(m->r, c->rows.ptr + c->at, &stays);
    if (err == BOUGH_OK && stays)
        err = bough_history__writer_put(&m->out, c->rows.ptr + c->at);
    c->at += bough_history__row_len(m->r, m->kind);
    if (err == BOUGH_OK && c->at == c->rows.len)
        err = cursor_load(m, i);
    return err;
}

static enum bough_err merge_run(struct bough_history__merge *m, uint64_t budget, bool *done)
{
    uint64_t rows = budget / 32 + 1;
    enum bough_err err = BOUGH_OK;

    *done = false;
    while (err == BOUGH_OK && rows > 0 && !bough_history__writer_full(&m->out)) {
        uint64_t cost = m->kind == BOUGH_HISTORY__ENDS ? 256 : 1;

        err = m->begun ? row_move(m) : cursors_begin(m);
        rows -= rows < cost ? rows : cost;
        if (err != BOUGH_ENOENT)
            continue;
        err = BOUGH_OK;
        m->begun = false;
        *done = m->kind == BOUGH_HISTORY__ENDS;
        if (*done)
            break;
        m->kind = (enum bough_history__kind)(m->kind + 1);
    }
    if (err == BOUGH_OK && (*done || bough_history__writer_full(&m->out)))
        err = bough_history__writer_write(&m->out, *done, m->in, m->n);
    return err;
}

enum bough_err bough_history__merge_step(struct bough_repo *r, uint64_t budget)
{
    struct bough_history *h = r->history;
    bool done = false;
    enum bough_err err = h->merge == NULL ? merge_new(r, &h->merge) : BOUGH_OK;

    if (err == BOUGH_OK)
        err = merge_run(h->merge, budget, &done);
    if ((err || done) && h->merge != NULL) {
        bough_history__merge_free(h->merge);
        h->merge = NULL;
    }
    return err;
}
