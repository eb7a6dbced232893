/*
 * history_batch.c - commits that come into the index together.
 *
 *   batches    made, released, full
 *   adding     the rows of a commit: its place, what differs, its other parents
 *   writing    sorted, as a segment
 */
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"
#include "repo/name_inner.h"

enum { COMMIT_COST = 1024 /* bytes of reading, about */ };

/* ---- Batches ---- */

enum bough_err bough_history__batch_new(struct bough_repo *r, struct bough_history__batch **out)
{
    struct bough_history__batch *b = bough_mem_zalloc(r->mem, 1, sizeof *b);

    if (b == NULL)
        return BOUGH_ENOMEM;
    b->r = r;
    bough_graph_init(&b->graph, r, sizeof(struct bough_history__commit));
    for (int i = 0; i < BOUGH_HISTORY__TABLES; i++)
        bough_buf_init(&b->rows[i], r->mem);
    *out = b;
    return BOUGH_OK;
}

void bough_history__batch_free(struct bough_history__batch *b)
{
    if (b == NULL)
        return;
    for (int i = 0; i < BOUGH_HISTORY__TABLES; i++)
        bough_buf_fini(&b->rows[i]);
    bough_graph_fini(&b->graph);
    bough_mem_free(b->r->mem, b, sizeof *b);
}

bool bough_history__batch_full(const struct bough_history__batch *b)
{
    return b->commits >= BOUGH_HISTORY__BATCH ||
           b->rows[BOUGH_HISTORY__PATHS].len >=
               (size_t)BOUGH_HISTORY__BATCH_ROWS * BOUGH_HISTORY__PATH_ROW;
}

enum bough_err bough_history__batch_find(
    struct bough_history__batch *b, struct bough_history__commit *c)
{
    return c->at.chain != 0 ? BOUGH_OK : bough_history__find(b->r, &c->c.id, &c->at);
}

/* ---- Adding ---- */

static void path_row(
    struct bough_history__batch *b, const uint8_t key[8], struct bough_history__place at)
{
    uint8_t row[BOUGH_HISTORY__PATH_ROW];

    memcpy(row, key, 8);
    bough_history__place_put(row + 8, at);
    bough_buf_put(&b->rows[BOUGH_HISTORY__PATHS], row, sizeof row);
}

/* Every path, of values and dictionaries, that differs.  BOUGH_ETOOBIG: they are too many, or too
   dear to compare. */
static enum bough_err paths_add(struct bough_history__batch *b, const struct bough_oid *old,
    const struct bough_oid *now, uint64_t *cost)
{
    struct bough_diff_entry e;
    struct bough_diff *d;
    uint8_t key[8];
    size_t n = 0;
    enum bough_err err;

    if (bough_oid_eq(old, now))
        return BOUGH_OK;
    err = bough_repo__diff_all(b->r, old, now, &d);
    if (err)
        return err;
    while ((err = bough_diff_next(d, &e)) == BOUGH_OK && n++ < BOUGH_HISTORY__DIFFER_MAX) {
        bough_history__path_key(b->r, e.path, key);
        path_row(b, key, b->at);
    }
    *cost += bough_repo__diff_cost(d);
    bough_diff_close(d);
    if (err == BOUGH_OK)
        return BOUGH_ETOOBIG;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

enum bough_err bough_history__batch_end(
    struct bough_history__batch *b, const struct bough_oid *id, struct bough_history__place child)
{
    struct bough_buf *rows = &b->rows[BOUGH_HISTORY__ENDS];
    uint8_t place[BOUGH_HISTORY__PLACE];

    if (child.chain == 0)
        child.pos = b->r->history->salt;
    bough_history__place_put(place, child);
    bough_buf_put(rows, id->bytes, b->r->hash_len);
    bough_buf_put(rows, place, sizeof place);
    return rows->err;
}

/* The parents besides the first. */
static enum bough_err parents_add(struct bough_history__batch *b, struct bough_history__commit *c)
{
    for (uint32_t i = 1; i < c->c.parents_n; i++) {
        struct bough_history__commit *p = bough_history__commit_of(c->c.parents[i]);
        enum bough_err err = bough_history__batch_find(b, p);

        if (err == BOUGH_ENOENT)
            err = bough_history__batch_end(b, &p->c.id, (struct bough_history__place){0, 0});
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* What differs from the first parent.  `*lowest`: that is not to be known here. */
static enum bough_err changes_add(
    struct bough_history__batch *b, struct bough_history__commit *c, bool *lowest, uint64_t *cost)
{
    struct bough_buf *paths = &b->rows[BOUGH_HISTORY__PATHS];
    size_t len = paths->len;
    enum bough_err err;

    if (c->c.parents_n == 0)
        *lowest = true;
    if (*lowest)
        return BOUGH_OK;
    err = bough_graph_parse(&b->graph, c->c.parents[0]);
    if (err == BOUGH_OK)
        err = paths_add(b, &c->c.parents[0]->tree, &c->c.tree, cost);
    if (err == BOUGH_ETOOBIG || err == BOUGH_ENOENT || err == BOUGH_ECORRUPT) {
        *lowest = true;
        paths->len = len;
        err = BOUGH_OK;
    }
    return err;
}

static struct bough_history__place chain_new(struct bough_history__batch *b)
{
    return (struct bough_history__place){b->r->history->chain_next++, BOUGH_HISTORY__MIDDLE};
}

/* Where the next of the run comes, after `c`. */
static void place_next(struct bough_history__batch *b, struct bough_history__commit *c, bool lowest)
{
    struct bough_history__place at = c->at;

    if (b->up) {
        if (!lowest)
            bough_history__commit_of(c->c.parents[0])->extended = true;
        b->at = (struct bough_history__place){at.chain, at.pos + 1};
        b->child = at;
        return;
    }
    c->extended = b->child.chain != 0;
    b->at = lowest ? chain_new(b) : (struct bough_history__place){at.chain, at.pos - 1};
    b->child = lowest ? (struct bough_history__place){0, 0} : at;
}

enum bough_err bough_history__batch_add(
    struct bough_history__batch *b, struct bough_history__commit *c, bool lowest, uint64_t *cost)
{
    struct bough_buf *commits = &b->rows[BOUGH_HISTORY__COMMITS];
    uint8_t place[BOUGH_HISTORY__PLACE];
    enum bough_err err = changes_add(b, c, &lowest, cost);

    if (err == BOUGH_OK)
        err = parents_add(b, c);
    if (err)
        return err;
    if (b->up && lowest && b->child.chain != 0)
        b->at = chain_new(b); /* it cannot stand on what is below it */
    c->at = b->at;
    path_row(b, c->c.id.bytes, c->at);
    bough_history__place_put(place, c->at);
    bough_buf_put(commits, place, sizeof place);
    bough_buf_put(commits, c->c.id.bytes, b->r->hash_len);
    b->commits++;
    *cost += COMMIT_COST;
    place_next(b, c, lowest);
    return commits->err ? commits->err : b->rows[BOUGH_HISTORY__PATHS].err;
}

/* ---- Writing ---- */

struct rows {
    const uint8_t *ptr;
    size_t len; /* of a row */
};

static int rows_cmp(const void *ctx, uint32_t a, uint32_t b)
{
    const struct rows *rows = ctx;

    return memcmp(rows->ptr + a * rows->len, rows->ptr + b * rows->len, rows->len);
}

static enum bough_err table_write(
    struct bough_history__batch *b, enum bough_history__kind kind, struct bough_history__writer *w)
{
    struct rows rows = {b->rows[kind].ptr, bough_history__row_len(b->r, kind)};
    size_t n = b->rows[kind].len / rows.len;
    uint32_t *order = bough_mem_zalloc(b->r->mem, 2 * n + 1, sizeof *order);
    enum bough_err err = bough_history__writer_kind(w, kind);

    if (order == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    bough_repo__sort(order, order + n, n, rows_cmp, &rows);
    for (size_t i = 0; i < n && err == BOUGH_OK; i++)
        err = bough_history__writer_put(w, rows.ptr + order[i] * rows.len);
    bough_mem_free(b->r->mem, order, (2 * n + 1) * sizeof *order);
    return err;
}

/* Ends whose commit came into the batch after all are no ends. */
static enum bough_err ends_trim(struct bough_history__batch *b)
{
    struct bough_buf *rows = &b->rows[BOUGH_HISTORY__ENDS];
    size_t len = bough_history__row_len(b->r, BOUGH_HISTORY__ENDS), kept = 0;

    for (size_t at = 0; at < rows->len; at += len) {
        struct bough_oid id = {{0}};
        struct bough_graph_commit *c;

        memcpy(id.bytes, rows->ptr + at, b->r->hash_len);
        if (bough_graph_get(&b->graph, &id, &c) != BOUGH_OK)
            return BOUGH_ENOMEM;
        if (bough_history__commit_of(c)->at.chain != 0)
            continue;
        memmove(rows->ptr + kept, rows->ptr + at, len);
        kept += len;
    }
    rows->len = kept;
    return BOUGH_OK;
}

enum bough_err bough_history__batch_write(struct bough_history__batch *b)
{
    struct bough_history__writer w;
    enum bough_err err = bough_history__writer_init(&w, b->r);

    if (err)
        return err;
    err = ends_trim(b);
    for (int kind = 0; kind < BOUGH_HISTORY__TABLES && err == BOUGH_OK; kind++)
        err = table_write(b, (enum bough_history__kind)kind, &w);
    if (err == BOUGH_OK)
        err = bough_history__writer_write(&w, true, NULL, 0);
    bough_history__writer_fini(&w);
    return err;
}
