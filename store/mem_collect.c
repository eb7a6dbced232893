/*
 * mem_collect.c - collection in the memory engine: the plain one that others are measured by.
 *
 *   counting   what lives and what does not; how the boundary changes
 *   dropping   a table of what lives takes the place of the old one
 *   asking     collect, maintain, progress
 *
 * All of it happens in one step of maintain(), so nothing can come meanwhile; what is being
 * received holds on to rows, so while there is an intake the collection waits.
 *
 * The boundary is the commits that live and have a parent that does not: a parent that lives by
 * another way is no loss, and a commit all of whose parents live leaves the boundary.
 */
#include "git/object.h"
#include "store/mem_inner.h"

/* ---- Counting ---- */

static uint64_t object_packed(const struct bough_store__mem_object *o)
{
    return o->pack == NULL ? o->size : o->packed_len;
}

static void count(struct bough_store__mem_collecting *c)
{
    for (size_t row = 0; row < c->rows; row++) {
        bool live = (c->marks[row] & BOUGH_STORE__MEM_LIVE) != 0;

        *(live ? &c->told->live : &c->told->dead) += 1;
        *(live ? &c->told->live_bytes : &c->told->dead_bytes) +=
            object_packed(bough_store__mem_row(c, row));
    }
}

/* Has a living commit a parent, as it was written, that does not live? */
static enum bough_err commit_is_edge(struct bough_store__mem_collecting *c, uint32_t row, bool *out)
{
    struct bough_commit commit;
    enum bough_err err = bough_store__mem_row_read(c, row);

    *out = false;
    if (!err && bough_commit_parse(c->m->store.algo, bough_buf_view(&c->raw), &commit))
        err = BOUGH_ECORRUPT;
    for (uint32_t i = 0; !err && !*out && i < commit.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&commit, i);
        uint32_t at;

        *out = !bough_store__mem_row_find(c, &parent, &at) ||
               (c->marks[at] & BOUGH_STORE__MEM_LIVE) == 0;
    }
    return err;
}

static enum bough_err boundary_change(
    struct bough_store__mem_collecting *c, const struct bough_oid *id, bool on)
{
    char name[sizeof BOUGH_BOUNDARY + BOUGH_HEX_MAX];
    size_t prefix = sizeof BOUGH_BOUNDARY - 1;
    struct bough_ref_change change = {.kind = on ? BOUGH_REF_ID : BOUGH_REF_NONE, .id = *id};

    memcpy(name, BOUGH_BOUNDARY, prefix);
    change.name = bough_view(name, prefix + bough_oid_hex(c->m->store.algo, id, name + prefix));
    return bough_store__mem_refs_set(&c->changes, c->mem, &change);
}

/* How the boundary is to change: what is on it and should not be, and the reverse. */
static enum bough_err boundary_find(struct bough_store__mem_collecting *c)
{
    struct bough_oid after, id;
    bool edge;
    enum bough_err err = bough_store_boundary_next(&c->m->store, NULL, &id);

    for (; !err; err = bough_store_boundary_next(&c->m->store, &after, &id)) {
        uint32_t row;
        bool live =
            bough_store__mem_row_find(c, &id, &row) && (c->marks[row] & BOUGH_STORE__MEM_LIVE) != 0;

        after = id;
        err = live ? BOUGH_OK : boundary_change(c, &id, false);
        if (err)
            return err;
    }
    if (err != BOUGH_ENOENT)
        return err;
    err = BOUGH_OK;
    for (uint32_t row = 0; row < c->rows && !err; row++) {
        if ((c->marks[row] & BOUGH_STORE__MEM_LIVE) == 0 ||
            bough_store__mem_row(c, row)->type != BOUGH_COMMIT)
            continue;
        id = bough_store__mem_row(c, row)->id;
        err = commit_is_edge(c, row, &edge);
        if (!err && edge != (bough_store_boundary(&c->m->store, &id) == BOUGH_OK))
            err = boundary_change(c, &id, edge);
    }
    return err;
}

/* ---- Dropping ---- */

/* A living object that does not need others' packs: their deltas may stand on what goes. */
static enum bough_err object_keep(
    struct bough_store__mem_collecting *c, uint32_t row, struct bough_store__mem_object **out)
{
    struct bough_store__mem_object *o = bough_store__mem_row(c, row);
    enum bough_err err;

    *out = o;
    if (o->pack == NULL) {
        o->holders++;
        return BOUGH_OK;
    }
    err = bough_store__mem_row_read(c, row);
    if (err)
        return err;
    *out = bough_store__mem_object_new(c->mem, &o->id, o->type, bough_buf_view(&c->raw));
    if (*out == NULL)
        return BOUGH_ENOMEM;
    (*out)->born = o->born;
    return BOUGH_OK;
}

/* Reserve everything, then let it happen. */
static enum bough_err drop(struct bough_store__mem_collecting *c)
{
    struct bough_store__mem_objects fresh = {.key = c->m->objects.key};
    struct bough_store__mem_vec kept = {.n = 0};
    uint64_t before = c->m->objects.bytes;
    enum bough_err err = bough_store__mem_vec_reserve(&c->m->refs.rows, c->mem, c->changes.rows.n);

    if (!err && c->told->dead > 0)
        err = bough_store__mem_objects_reserve(&fresh, c->mem, (size_t)c->told->live);
    if (!err && c->told->dead > 0)
        err = bough_store__mem_vec_reserve(&kept, c->mem, (size_t)c->told->live);
    for (uint32_t row = 0; row < c->rows && !err && c->told->dead > 0; row++) {
        if ((c->marks[row] & BOUGH_STORE__MEM_LIVE) != 0)
            err = object_keep(c, row, (struct bough_store__mem_object **)&kept.ptr[kept.n]);
        kept.n += !err && (c->marks[row] & BOUGH_STORE__MEM_LIVE) != 0;
    }
    for (size_t i = 0; i < kept.n; i++) {
        if (err)
            bough_store__mem_object_drop(c->mem, kept.ptr[i]);
        else
            bough_store__mem_objects_add(&fresh, c->mem, kept.ptr[i]);
    }
    bough_store__mem_vec_fini(&kept, c->mem);
    if (err) {
        bough_store__mem_objects_fini(&fresh, c->mem);
        return err;
    }
    bough_store__mem_refs_apply(&c->m->refs, c->mem, &c->changes);
    c->m->store.boundary = BOUGH_BOUNDARY_UNKNOWN;
    c->m->store.boundaries++;
    if (c->told->dead == 0)
        return BOUGH_OK;
    bough_store__mem_objects_fini(&c->m->objects, c->mem);
    c->m->objects = fresh;
    c->told->copied_bytes = fresh.bytes;
    c->told->freed_bytes = before > fresh.bytes ? before - fresh.bytes : 0;
    return BOUGH_OK;
}

/* ---- Asking ---- */

static enum bough_err run(
    struct bough_store__mem_collecting *c, const struct bough_collect_opts *opts)
{
    size_t n = c->rows > 0 ? c->rows : 1;
    enum bough_err err = BOUGH_OK;

    c->marks = bough_mem_zalloc(c->mem, n, sizeof *c->marks);
    c->stack = bough_mem_zalloc(c->mem, n, sizeof *c->stack);
    c->stamps = bough_mem_zalloc(c->mem, n, sizeof *c->stamps);
    c->now_rows = bough_mem_zalloc(c->mem, n, sizeof *c->now_rows);
    c->next_rows = bough_mem_zalloc(c->mem, n, sizeof *c->next_rows);
    if (c->marks == NULL || c->stack == NULL || c->stamps == NULL || c->now_rows == NULL ||
        c->next_rows == NULL)
        err = BOUGH_ENOMEM;
    if (!err)
        err = bough_store__mem_mark(c, opts->grace);
    if (!err) {
        count(c);
        err = opts->dry_run ? BOUGH_OK : boundary_find(c);
    }
    if (!err && !opts->dry_run)
        err = drop(c);
    bough_store__mem_refs_fini(&c->changes, c->mem);
    bough_mem_free(c->mem, c->marks, n * sizeof *c->marks);
    bough_mem_free(c->mem, c->stack, n * sizeof *c->stack);
    bough_mem_free(c->mem, c->stamps, n * sizeof *c->stamps);
    bough_mem_free(c->mem, c->now_rows, n * sizeof *c->now_rows);
    bough_mem_free(c->mem, c->next_rows, n * sizeof *c->next_rows);
    bough_buf_fini(&c->raw);
    return err;
}

enum bough_err bough_store__mem_collect(
    struct bough_store *s, const struct bough_collect_opts *opts)
{
    struct bough_store__mem_store *m = (struct bough_store__mem_store *)s;

    if (s->keeper == NULL && m->records.rows.n > 0)
        return BOUGH_WHY(&s->why, BOUGH_ENOTSUP, "nobody says what the records mention", NULL, 0);
    if (!m->wanted) {
        m->wish = *opts;
        m->wanted = true;
        return BOUGH_OK;
    }
    m->wish.grace = opts->grace < m->wish.grace ? opts->grace : m->wish.grace;
    m->wish.dry_run = m->wish.dry_run && opts->dry_run;
    m->wish.whole = m->wish.whole || opts->whole;
    return BOUGH_OK;
}

enum bough_err bough_store__mem_maintain(struct bough_store *s, uint64_t budget, bool *more)
{
    struct bough_store__mem_store *m = (struct bough_store__mem_store *)s;
    struct bough_collect_progress told = {.collections = m->told.collections};
    struct bough_time now = bough_env_now(s->env);
    struct bough_store__mem_collecting c = {
        .m = m,
        .mem = s->env->mem,
        .now = now.sec < 0 ? 0 : (uint64_t)now.sec,
        .rows = m->objects.rows.n,
        .told = &told,
    };
    enum bough_err err;

    (void)budget;
    *more = false;
    if (!m->wanted || m->intakes > 0)
        return BOUGH_OK;
    bough_buf_init(&c.raw, c.mem);
    err = run(&c, &m->wish);
    if (err)
        return err;
    m->wanted = false;
    told.collections++;
    m->told = told;
    return BOUGH_OK;
}

void bough_store__mem_collection(struct bough_store *s, struct bough_collect_progress *out)
{
    *out = ((struct bough_store__mem_store *)s)->told;
}
