/*
 * history_check.c - how much is indexed, and is it right?
 *
 *   counting   commits that refs reach and that are not indexed
 *   tables     rows in order, as many as the segment's name says
 *   commits    found by their id, on their first parent, with what they changed
 */
#include "repo/commit_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"

enum { SAMPLE = 16, FLAG_MET = 1 };

/* ---- Counting ---- */

struct counting {
    struct bough_repo *r;
    struct bough_graph graph;
    struct bough_graph_commit **stack;
    size_t n, cap;
    uint64_t most;
    struct bough_history_stats *out;
};

static enum bough_err count_meet(struct counting *c, const struct bough_oid *id)
{
    struct bough_graph_commit *commit;
    struct bough_history__place at;
    void *stack = c->stack;
    enum bough_err err = bough_graph_get(&c->graph, id, &commit);

    if (err || (commit->flags & FLAG_MET) != 0)
        return err;
    commit->flags = FLAG_MET;
    err = bough_history__find(c->r, id, &at);
    if (err == BOUGH_OK || (err == BOUGH_ENOENT && bough_store_has(c->r->store, id) != BOUGH_OK))
        return BOUGH_OK;
    if (err != BOUGH_ENOENT)
        return err;
    err = bough_mem_grow(c->r->mem, &stack, &c->cap, c->n + 1, sizeof *c->stack);
    c->stack = (struct bough_graph_commit **)stack;
    if (err)
        return err;
    c->stack[c->n++] = commit;
    c->out->waiting++;
    return BOUGH_OK;
}

/* All that are above indexed ones. */
static enum bough_err count_down(struct counting *c)
{
    enum bough_err err = BOUGH_OK;

    while (err == BOUGH_OK && c->n > 0 && !c->out->more) {
        struct bough_graph_commit *commit = c->stack[--c->n];

        err = bough_graph_parse(&c->graph, commit);
        for (uint32_t i = 0; i < commit->parents_n && err == BOUGH_OK; i++)
            err = count_meet(c, &commit->parents[i]->id);
        c->out->more = c->out->waiting > c->most;
    }
    return err;
}

static enum bough_err count_refs(struct counting *c)
{
    struct bough_view prefix = bough_view_str("refs/");
    struct bough_ref ref;
    struct bough_oid id;
    struct bough_buf name;
    enum bough_type type;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&name, c->r->mem);
    while (err == BOUGH_OK && !c->out->more &&
           (err = bough_store_ref_next(c->r->store, prefix, bough_buf_view(&name), &ref)) ==
               BOUGH_OK) {
        bough_buf_clear(&name);
        bough_buf_put_view(&name, ref.name);
        err = name.err;
        if (err || ref.kind != BOUGH_REF_ID)
            continue;
        err = bough_repo__peel(c->r, &ref.id, &id, &type);
        if (err == BOUGH_OK && type == BOUGH_COMMIT)
            err = count_meet(c, &id);
        if (err == BOUGH_OK)
            err = count_down(c);
    }
    bough_buf_fini(&name);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Ends of the index itself: parents that nobody came to yet. */
static enum bough_err count_ends(struct counting *c)
{
    const struct bough_history *h = c->r->history;
    size_t len = bough_history__row_len(c->r, BOUGH_HISTORY__ENDS);
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < h->segments && err == BOUGH_OK && !c->out->more; i++) {
        uint8_t row[BOUGH_HISTORY__ROW_MAX] = {0};

        while ((err = bough_history__row_ge(
                    c->r, &h->segment[i].root, BOUGH_HISTORY__ENDS, row, row)) == BOUGH_OK) {
            struct bough_oid id = {{0}};

            memcpy(id.bytes, row, c->r->hash_len);
            bough_history__row_step(row, len);
            err = count_meet(c, &id);
            if (err == BOUGH_OK)
                err = count_down(c);
            if (err || c->out->more)
                break;
        }
        err = err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    return err;
}

enum bough_err bough_history_stat(
    struct bough_repo *r, uint64_t most, struct bough_history_stats *out)
{
    struct counting c = {.r = r, .most = most, .out = out};
    const struct bough_history *h = r->history;
    enum bough_err err = bough_history__load(r);

    *out = (struct bough_history_stats){0};
    if (h->none)
        return BOUGH_ENOTSUP;
    if (err && err != BOUGH_ENOENT)
        return err;
    for (size_t i = 0; i < h->segments; i++)
        out->indexed += h->segment[i].commits;
    if (most == 0) {
        out->more = true;
        return BOUGH_OK;
    }
    bough_graph_init(&c.graph, r, sizeof(struct bough_graph_commit));
    err = count_refs(&c);
    if (err == BOUGH_OK)
        err = count_ends(&c);
    bough_mem_free(r->mem, c.stack, c.cap * sizeof *c.stack);
    bough_graph_fini(&c.graph);
    return err;
}

/* ---- Tables ---- */

struct checking {
    struct bough_repo *r;
    const struct bough_history__segment *segment;
    bough_store_report_fn *report;
    void *ctx;
    bool found;
    uint64_t rows;
    struct bough_history__place last; /* seen of commits */
    struct bough_graph graph;         /* of the commit looked at */
};

static void complain(struct checking *c, const char *what)
{
    char name[BOUGH_HISTORY__NAME];

    c->found = true;
    c->report(c->ctx, BOUGH_ECORRUPT, what, bough_history__segment_name(c->segment, name));
}

typedef enum bough_err row_fn(struct checking *c, const uint8_t *row);

/* Each row of a table; they ascend. */
static enum bough_err table_each(struct checking *c, enum bough_history__kind kind, row_fn *fn)
{
    size_t len = bough_history__row_len(c->r, kind);
    uint8_t last[BOUGH_HISTORY__ROW_MAX] = {0};
    struct bough_buf rows;
    enum bough_err err;

    bough_buf_init(&rows, c->r->mem);
    while ((err = bough_history__chunk(c->r, &c->segment->root, kind, last, true, &rows)) ==
           BOUGH_OK) {
        for (size_t at = 0; at < rows.len && err == BOUGH_OK; at += len) {
            if (memcmp(rows.ptr + at, last, len) <= 0) {
                complain(c, "rows of the index of history are not in order");
                err = BOUGH_ENOENT;
                break;
            }
            memcpy(last, rows.ptr + at, len);
            c->rows++;
            err = fn == NULL ? BOUGH_OK : fn(c, last);
        }
        if (err)
            break;
    }
    bough_buf_fini(&rows);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Commits ---- */

static enum bough_err row_expect(struct checking *c, const uint8_t key[8], const uint8_t *place)
{
    uint8_t want[BOUGH_HISTORY__PATH_ROW], row[BOUGH_HISTORY__PATH_ROW];
    enum bough_err err;

    memcpy(want, key, 8);
    memcpy(want + 8, place, BOUGH_HISTORY__PLACE);
    err = bough_history__row_ge(c->r, &c->segment->root, BOUGH_HISTORY__PATHS, want, row);
    if (err == BOUGH_ENOENT || (err == BOUGH_OK && memcmp(row, want, sizeof row) != 0)) {
        complain(c, "the index of history lacks a row");
        err = BOUGH_OK;
    }
    return err;
}

/* All that the commit changed. */
static enum bough_err changes_expect(
    struct checking *c, const struct bough_graph_commit *commit, const uint8_t *place)
{
    struct bough_diff_entry e;
    struct bough_diff *d;
    uint8_t key[8];
    enum bough_err err;

    if (bough_oid_eq(&commit->parents[0]->tree, &commit->tree))
        return BOUGH_OK;
    err = bough_repo__diff_all(c->r, &commit->parents[0]->tree, &commit->tree, &d);
    if (err)
        return err;
    while ((err = bough_diff_next(d, &e)) == BOUGH_OK) {
        bough_history__path_key(c->r, e.path, key);
        err = row_expect(c, key, place);
        if (err)
            break;
    }
    bough_diff_close(d);
    return err;
}

/* The commit below it in its chain is its first parent, and what changed from there is known. */
static enum bough_err parent_check(
    struct checking *c, const struct bough_oid *id, const uint8_t *place)
{
    struct bough_history__place at = bough_history__place_get(place);
    struct bough_graph_commit *commit;
    struct bough_oid below;
    enum bough_err err;

    at.pos--;
    err = bough_history__id_at(c->r, at, &below);
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    bough_graph_fini(&c->graph);
    bough_graph_init(&c->graph, c->r, sizeof(struct bough_graph_commit));
    err = bough_graph_get(&c->graph, id, &commit);
    if (err == BOUGH_OK)
        err = bough_graph_parse(&c->graph, commit);
    if (err || commit->parents_n == 0)
        return err == BOUGH_ENOMEM ? err : BOUGH_OK; /* gone, or on the boundary */
    if (!bough_oid_eq(&commit->parents[0]->id, &below)) {
        complain(c, "a chain of the index of history is none");
        return BOUGH_OK;
    }
    err = bough_graph_parse(&c->graph, commit->parents[0]);
    if (err == BOUGH_OK)
        err = changes_expect(c, commit, place);
    return err == BOUGH_ENOENT || err == BOUGH_ECORRUPT ? BOUGH_OK : err; /* told by others */
}

/* Chains have no gaps: what is not in this segment is in another. */
static enum bough_err gap_check(struct checking *c, struct bough_history__place at)
{
    struct bough_history__place last = c->last, below = {at.chain, at.pos - 1};
    struct bough_oid id;
    enum bough_err err;

    c->last = at;
    if (at.chain != last.chain || at.pos == last.pos || at.pos == last.pos + 1)
        return BOUGH_OK;
    err = bough_history__id_at(c->r, below, &id);
    if (err == BOUGH_ENOENT)
        complain(c, "a chain of the index of history has a gap");
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err commit_check(struct checking *c, const uint8_t *row)
{
    struct bough_oid id = {{0}};
    enum bough_err err = gap_check(c, bough_history__place_get(row));

    memcpy(id.bytes, row + BOUGH_HISTORY__PLACE, c->r->hash_len);
    if (err == BOUGH_OK)
        err = row_expect(c, id.bytes, row);
    if (err == BOUGH_OK && c->rows % SAMPLE == 1)
        err = parent_check(c, &id, row);
    return err;
}

static enum bough_err segment_check(struct checking *c)
{
    enum bough_err err;

    c->rows = 0;
    c->last = (struct bough_history__place){0, 0};
    err = table_each(c, BOUGH_HISTORY__COMMITS, commit_check);
    if (err == BOUGH_OK && c->rows != c->segment->commits)
        complain(c, "another number of commits than the index of history says");
    if (err == BOUGH_OK)
        err = table_each(c, BOUGH_HISTORY__PATHS, NULL);
    if (err == BOUGH_OK)
        err = table_each(c, BOUGH_HISTORY__ENDS, NULL);
    if (err == BOUGH_OK && c->rows != c->segment->rows)
        complain(c, "another number of rows than the index of history says");
    if (err == BOUGH_ECORRUPT) {
        complain(c, "the index of history cannot be read");
        err = BOUGH_OK;
    }
    return err;
}

enum bough_err bough_history_check(struct bough_repo *r, bough_store_report_fn *report, void *ctx)
{
    struct checking c = {.r = r, .report = report, .ctx = ctx};
    const struct bough_history *h = r->history;
    enum bough_err err = bough_history__load(r);

    if (err == BOUGH_ENOENT && !h->broken)
        return BOUGH_OK;
    if (err == BOUGH_ENOENT || err == BOUGH_ECORRUPT) {
        report(ctx, BOUGH_ECORRUPT, "the index of history cannot be read",
            bough_view_str(BOUGH_HISTORY__REFS));
        return BOUGH_ECORRUPT;
    }
    bough_graph_init(&c.graph, r, sizeof(struct bough_graph_commit));
    for (size_t i = 0; i < h->segments && err == BOUGH_OK; i++) {
        c.segment = &h->segment[i];
        err = segment_check(&c);
    }
    bough_graph_fini(&c.graph);
    if (err == BOUGH_OK && c.found) {
        bough_history__give_up(r, BOUGH_ECORRUPT);
        err = BOUGH_ECORRUPT;
    }
    return err;
}
