/*
 * mem_mark.c - what lives in the memory engine.
 *
 *   marks    a row's state, and the stack of what is still to be looked into
 *   whole    an object and all it reaches
 *   cut      what retention keeps of a ref
 *   roots    refs, the keeper's, pins, what is young
 *
 * Invariants.
 * - LIVE: the object stays.  DEEP: and so does all it reaches, down to the boundary.
 * - When the stack is empty, what a DEEP object names is DEEP; the tree of a LIVE commit is DEEP.
 */
#include "git/object.h"
#include "store/mem_inner.h"

#define LIVE BOUGH_STORE__MEM_LIVE
#define DEEP BOUGH_STORE__MEM_DEEP

/* ---- Marks ---- */

bool bough_store__mem_row_find(
    const struct bough_store__mem_collecting *c, const struct bough_oid *id, uint32_t *row)
{
    const struct bough_store__mem_object *o = bough_store__mem_objects_find(&c->m->objects, id);

    if (o == NULL)
        return false;
    *row = (uint32_t)(o->row - 1);
    return true;
}

static void row_push(struct bough_store__mem_collecting *c, uint32_t row)
{
    if ((c->marks[row] & DEEP) != 0)
        return;
    c->marks[row] |= LIVE | DEEP;
    c->stack[c->stack_n++] = row;
}

/* It, and all it reaches; what is not there is left out. */
static void id_push(struct bough_store__mem_collecting *c, const struct bough_oid *id)
{
    uint32_t row;

    if (bough_store__mem_row_find(c, id, &row))
        row_push(c, row);
}

enum bough_err bough_store__mem_row_read(struct bough_store__mem_collecting *c, uint32_t row)
{
    struct bough_store__mem_sight sight = {
        .mem = c->mem, .algo = c->m->store.algo, .of = {&c->m->objects, NULL}};

    bough_buf_clear(&c->raw);
    return bough_store__mem_object_read(&sight, bough_store__mem_row(c, row), &c->raw);
}

/* Read a commit; on the boundary it has no parents. */
static enum bough_err commit_read(
    struct bough_store__mem_collecting *c, uint32_t row, struct bough_commit *out)
{
    enum bough_err err = bough_store__mem_row_read(c, row);

    if (!err && bough_commit_parse(c->m->store.algo, bough_buf_view(&c->raw), out))
        return BOUGH_ECORRUPT;
    if (err)
        return err;
    err = bough_store_boundary(&c->m->store, &bough_store__mem_row(c, row)->id);
    if (err == BOUGH_OK)
        out->parents_n = 0;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- Whole ---- */

static enum bough_err tree_enter(struct bough_store__mem_collecting *c)
{
    struct bough_tree_iter it;
    struct bough_tree_entry e;
    enum bough_err err;

    bough_tree_iter_init(&it, c->m->store.algo, bough_buf_view(&c->raw), false);
    while ((err = bough_tree_iter_next(&it, &e)) == BOUGH_OK) {
        if (bough_filemode(e.mode) != BOUGH_FILEMODE_GITLINK)
            id_push(c, &e.id);
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : BOUGH_ECORRUPT;
}

static enum bough_err row_enter(struct bough_store__mem_collecting *c, uint32_t row)
{
    enum bough_type type = bough_store__mem_row(c, row)->type;
    struct bough_commit commit;
    struct bough_tag tag;
    enum bough_err err;

    if (type == BOUGH_BLOB)
        return BOUGH_OK;
    if (type == BOUGH_COMMIT) {
        err = commit_read(c, row, &commit);
        if (err)
            return err;
        id_push(c, &commit.tree);
        for (uint32_t i = 0; i < commit.parents_n; i++) {
            struct bough_oid parent = bough_commit_parent(&commit, i);
            id_push(c, &parent);
        }
        return BOUGH_OK;
    }
    err = bough_store__mem_row_read(c, row);
    if (err || type == BOUGH_TREE)
        return err ? err : tree_enter(c);
    if (bough_tag_parse(c->m->store.algo, bough_buf_view(&c->raw), &tag))
        return BOUGH_ECORRUPT;
    id_push(c, &tag.object);
    return BOUGH_OK;
}

static enum bough_err stack_run(struct bough_store__mem_collecting *c)
{
    enum bough_err err = BOUGH_OK;

    while (c->stack_n > 0 && !err)
        err = row_enter(c, c->stack[--c->stack_n]);
    return err;
}

/* ---- Cut ---- */

/* A commit for the next generation of this walk, unless it was met or lives whole. */
static void cut_meet(struct bough_store__mem_collecting *c, uint32_t row)
{
    if ((c->marks[row] & DEEP) != 0 || c->stamps[row] == c->stamp)
        return;
    c->stamps[row] = c->stamp;
    c->next_rows[c->next_n++] = row;
}

static enum bough_err commit_date(struct bough_store__mem_collecting *c, uint32_t row, int64_t *out)
{
    struct bough_ident who;
    struct bough_commit commit;
    enum bough_err err = commit_read(c, row, &commit);

    *out = err || bough_ident_parse(commit.committer, &who) ? 0 : who.time.sec;
    return err;
}

/* The parents that retention keeps; `raw` is free for them, so their ids are taken one by one. */
static enum bough_err cut_parents(
    struct bough_store__mem_collecting *c, uint32_t row, const struct bough_retention *keep)
{
    struct bough_commit commit;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0, n = 1; i < n && !err; i++) {
        struct bough_oid parent;
        uint32_t at;
        int64_t date = INT64_MAX;

        err = commit_read(c, row, &commit);
        n = err ? 0 : commit.parents_n;
        if (i >= n)
            break;
        parent = bough_commit_parent(&commit, i);
        if (!bough_store__mem_row_find(c, &parent, &at) ||
            bough_store__mem_row(c, at)->type != BOUGH_COMMIT)
            continue;
        if (keep->since != 0)
            err = commit_date(c, at, &date);
        if (!err && (keep->since == 0 || (date > 0 && (uint64_t)date >= keep->since)))
            cut_meet(c, at);
    }
    return err;
}

/* Generations of commits from `row`, as long as `keep` allows. */
static enum bough_err cut_walk(
    struct bough_store__mem_collecting *c, uint32_t row, const struct bough_retention *keep)
{
    enum bough_err err = BOUGH_OK;

    c->stamp++;
    c->next_n = 0;
    cut_meet(c, row);
    for (uint32_t generation = 1; c->next_n > 0 && !err; generation++) {
        uint32_t *swap = c->now_rows;

        c->now_rows = c->next_rows;
        c->next_rows = swap;
        c->now_n = c->next_n;
        c->next_n = 0;
        for (size_t i = 0; i < c->now_n && !err; i++) {
            struct bough_commit commit;

            err = commit_read(c, c->now_rows[i], &commit);
            if (err)
                break;
            c->marks[c->now_rows[i]] |= LIVE;
            id_push(c, &commit.tree);
            if (keep->commits == 0 || generation < keep->commits)
                err = cut_parents(c, c->now_rows[i], keep);
        }
    }
    return err;
}

/* ---- Roots ---- */

/* A ref's object: commits under its retention, tags to what they name, the rest whole. */
static enum bough_err ref_push(struct bough_store__mem_collecting *c, const struct bough_oid *id,
    const struct bough_retention *keep)
{
    struct bough_tag tag;
    uint32_t row;
    enum bough_err err;

    if (!bough_store__mem_row_find(c, id, &row))
        return BOUGH_OK;
    while (bough_store__mem_row(c, row)->type == BOUGH_TAG) {
        c->marks[row] |= LIVE;
        err = bough_store__mem_row_read(c, row);
        if (!err && bough_tag_parse(c->m->store.algo, bough_buf_view(&c->raw), &tag))
            err = BOUGH_ECORRUPT;
        if (err || !bough_store__mem_row_find(c, &tag.object, &row))
            return err;
    }
    if (bough_store__mem_row(c, row)->type != BOUGH_COMMIT ||
        (keep->commits == 0 && keep->since == 0)) {
        row_push(c, row);
        return BOUGH_OK;
    }
    return cut_walk(c, row, keep);
}

/* Names of the boundary hold nothing. */
static bool is_boundary(struct bough_view name)
{
    struct bough_view prefix = bough_view_str(BOUGH_BOUNDARY);

    return name.len > prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

static enum bough_err refs_push(struct bough_store__mem_collecting *c)
{
    const struct bough_store_keeper *k = c->m->store.keeper;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < c->m->refs.rows.n && !err; i++) {
        struct bough_retention keep = {.commits = 0};
        struct bough_ref ref;

        bough_store__mem_ref_show(c->m->refs.rows.ptr[i], &ref);
        if (ref.kind != BOUGH_REF_ID || is_boundary(ref.name))
            continue;
        if (k != NULL && k->retention != NULL)
            err = k->retention(k->ctx, &ref, &keep);
        if (!err)
            err = ref_push(c, &ref.id, &keep);
    }
    return err;
}

static enum bough_err root_emit(void *to, const struct bough_oid *id)
{
    id_push(to, id);
    return BOUGH_OK;
}

enum bough_err bough_store__mem_mark(struct bough_store__mem_collecting *c, uint64_t grace)
{
    const struct bough_store_keeper *k = c->m->store.keeper;
    enum bough_err err = BOUGH_OK;

    if (k != NULL && k->roots != NULL)
        err = k->roots(k->ctx, root_emit, c);
    for (const struct bough_store_pin *p = c->m->store.oldest_pin; p != NULL; p = p->newer)
        id_push(c, &p->id);
    for (size_t row = 0; row < c->rows; row++) {
        if (bough_store__mem_row(c, row)->born + grace > c->now)
            row_push(c, (uint32_t)row);
    }
    if (!err)
        err = stack_run(c); /* first, so that what is cut stops where all is kept */
    if (!err)
        err = refs_push(c);
    return err ? err : stack_run(c);
}
