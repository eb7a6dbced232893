/*
 * depth.c - where a shallow clone ends.
 *
 *   by generations   deepen N: commits fewer than N steps from a want (from what is shallow now,
 *                    when relative), a generation at a time
 *   by history       deepen-since and deepen-not: a selection of commits, see select.c
 *   by the store     a client that asks for no depth hears where our own history ends
 *   telling          shallow: inside, its parents not; unshallow: was an edge, is none any more
 *
 * Afterwards the rows of `seen` with EDGE are where this fetch ends, and `extra` lists the
 * parents of what is no longer shallow, which are to be sent beside the wants.
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

enum { COMMIT_COST = 1024, TAG_CHAIN_MAX = 64 };

void bough_sync__depth_init(
    struct bough_sync__depth *d, struct bough_sync__session *s, struct bough_sync__request *request)
{
    *d = (struct bough_sync__depth){.session = s, .request = request};
    bough_sync__ids_init(&d->seen, s->store->env, s->algo);
    bough_buf_init(&d->body, s->mem);
    d->now.mem = d->next.mem = d->extra.mem = s->mem;
    d->relative = request->relative && request->depth > 0;
    d->phase =
        bough_sync__request_deepens(request) ? BOUGH_SYNC__DEPTH_START : BOUGH_SYNC__DEPTH_BOUNDARY;
}

void bough_sync__depth_fini(struct bough_sync__depth *d)
{
    if (d->session == NULL)
        return;
    bough_sync__ids_fini(&d->seen);
    bough_sync__list_fini(&d->now);
    bough_sync__list_fini(&d->next);
    bough_sync__list_fini(&d->extra);
    bough_sync__select_fini(&d->select);
    bough_buf_fini(&d->body);
    *d = (struct bough_sync__depth){0};
}

static enum bough_err seen_add(
    struct bough_sync__depth *d, const struct bough_oid *id, uint32_t *row)
{
    if (d->seen.n >= d->session->opts.limits.selected_max)
        return bough_sync__session_fail(
            d->session, BOUGH_ETOOBIG, "too many objects selected (limit selected_max)", NULL);
    return bough_sync__ids_add(&d->seen, id, row);
}

/* ---- Start ---- */

/* The commit that a want leads to, if it does. */
static enum bough_err want_peel(struct bough_sync__depth *d, struct bough_oid *id, bool *is_commit)
{
    *is_commit = false;
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found found;
        struct bough_tag tag;
        enum bough_err err = bough_store_find(d->session->store, id, &found);
        *is_commit = !err && found.type == BOUGH_COMMIT;
        if (err || found.type != BOUGH_TAG)
            return err;
        err = bough_sync__tag_read(d->session->store, id, &d->body, &tag);
        if (err)
            return err;
        *id = tag.object;
    }
    return BOUGH_OK;
}

/* Each of the wants once: into the first generation, or into the selection. */
static enum bough_err start_step(struct bough_sync__depth *d)
{
    struct bough_sync__request *r = d->request;
    bool is_commit;
    uint32_t row;
    if (d->at == 0 && r->depth == 0)
        bough_sync__select_init(&d->select, d->session);
    if (d->at == r->wants.n) {
        d->at = 0;
        d->generation = 1;
        d->last = d->relative ? UINT64_MAX : r->depth;
        d->phase = r->depth > 0 ? BOUGH_SYNC__DEPTH_WALK : BOUGH_SYNC__DEPTH_SELECT;
        d->select.commits_only = true;
        d->select.since = r->since;
        for (row = 0; r->depth == 0 && row < r->nots.n; row++) {
            struct bough_oid not = bough_sync__ids_at(&r->nots, row);
            enum bough_err err = bough_sync__select_have(&d->select, &not );
            if (err)
                return err;
        }
        return BOUGH_OK;
    }
    struct bough_oid id = bough_sync__ids_at(&r->wants, d->at++);
    enum bough_err err = want_peel(d, &id, &is_commit);
    if (err || !is_commit)
        return err;
    if (r->depth == 0)
        return bough_sync__select_want(&d->select, &id);
    uint32_t n = d->seen.n;
    err = seen_add(d, &id, &row);
    return err || d->seen.n == n ? err : bough_sync__list_add(&d->now, row);
}

/* Where our own history ends, so does the client's. */
static enum bough_err boundary_flag(
    struct bough_sync__depth *d, const struct bough_oid *id, uint32_t row)
{
    enum bough_err err = bough_store_boundary(d->session->store, id);
    if (!err)
        bough_sync__flag(&d->seen, row, BOUGH_SYNC__EDGE);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- By generations ---- */

static enum bough_err commit_visit(struct bough_sync__depth *d, uint32_t row)
{
    struct bough_commit c;
    int64_t date;
    struct bough_oid id = bough_sync__ids_at(&d->seen, row);
    enum bough_err err = bough_sync__commit_read(d->session->store, &id, &d->body, &c, &date);
    if (err)
        return err;
    bough_sync__flag(&d->seen, row, BOUGH_SYNC__INSIDE);
    if (d->generation >= d->last) { /* also a root: so git tells it, too */
        bough_sync__flag(&d->seen, row, BOUGH_SYNC__EDGE);
        return BOUGH_OK;
    }
    err = c.parents_n == 0 ? boundary_flag(d, &id, row) : BOUGH_OK;
    for (uint32_t i = 0; !err && i < c.parents_n; i++) {
        uint32_t parent, n = d->seen.n;
        struct bough_oid parent_id = bough_commit_parent(&c, i);
        err = seen_add(d, &parent_id, &parent);
        if (!err && d->seen.n > n)
            err = bough_sync__list_add(&d->next, parent);
    }
    return err;
}

/* All that wants reach is seen: begin again from what is shallow among it. */
static enum bough_err relative_begin(struct bough_sync__depth *d)
{
    enum bough_err err = BOUGH_OK;
    struct bough_sync__list starts = {.mem = d->now.mem};
    uint32_t row;
    for (uint32_t i = 0; !err && i < d->request->shallows.n; i++) {
        struct bough_oid id = bough_sync__ids_at(&d->request->shallows, i);
        if (bough_sync__ids_find(&d->seen, &id, &row))
            err = bough_sync__list_add(&starts, i);
    }
    bough_sync__ids_fini(&d->seen);
    d->now.n = 0;
    for (size_t i = 0; !err && i < starts.n; i++) {
        struct bough_oid id = bough_sync__ids_at(&d->request->shallows, starts.items[i]);
        err = seen_add(d, &id, &row);
        if (!err)
            err = bough_sync__list_add(&d->now, row);
    }
    bough_sync__list_fini(&starts);
    d->relative = false;
    d->generation = 1;
    d->last = d->request->depth + 1;
    return err;
}

static enum bough_err walk_step(struct bough_sync__depth *d)
{
    if (d->at < d->now.n)
        return commit_visit(d, d->now.items[d->at++]);
    d->at = 0;
    if (d->next.n > 0) {
        struct bough_sync__list swap = d->now;
        d->now = d->next;
        d->next = swap;
        d->next.n = 0;
        d->generation++;
        return BOUGH_OK;
    }
    if (d->relative)
        return relative_begin(d);
    d->phase = BOUGH_SYNC__DEPTH_TELL;
    return BOUGH_OK;
}

/* ---- By history ---- */

static enum bough_err select_step(struct bough_sync__depth *d, size_t *budget)
{
    /* What this step cost already may have been all; the selection must move on nevertheless. */
    enum bough_err err = bough_sync__select_step(&d->select, *budget + 1);
    if (err == BOUGH_EAGAIN)
        *budget = 0;
    if (err)
        return err == BOUGH_EAGAIN ? BOUGH_OK : err;
    if (d->select.order.n == 0)
        return bough_sync__session_fail(
            d->session, BOUGH_EFORMAT, "no commits selected for shallow requests", NULL);
    d->at = 0;
    d->phase = BOUGH_SYNC__DEPTH_EDGES;
    return BOUGH_OK;
}

/* A selected commit is an edge when a parent of it is not selected. */
static enum bough_err edges_step(struct bough_sync__depth *d)
{
    const struct bough_sync__select *sel = &d->select;
    uint32_t row;
    if (d->at == sel->commits.n) {
        d->at = 0;
        d->phase = BOUGH_SYNC__DEPTH_TELL;
        return BOUGH_OK;
    }
    const struct bough_sync__node *node = &sel->nodes[sel->commits.items[d->at++]];
    if ((bough_sync__flags(&sel->ids, node->row) & BOUGH_SYNC__HAVE) != 0)
        return BOUGH_OK;
    struct bough_oid id = bough_sync__ids_at(&sel->ids, node->row);
    enum bough_err err = seen_add(d, &id, &row);
    if (err)
        return err;
    uint64_t flags = BOUGH_SYNC__INSIDE;
    for (uint32_t i = 0; i < node->n; i++) {
        uint64_t parent = bough_sync__flags(&sel->ids, sel->parents.items[node->at + i]);
        if ((parent & (BOUGH_SYNC__SEND | BOUGH_SYNC__HAVE)) != BOUGH_SYNC__SEND)
            flags |= BOUGH_SYNC__EDGE;
    }
    bough_sync__flag(&d->seen, row, flags);
    return node->n == 0 ? boundary_flag(d, &id, row) : BOUGH_OK;
}

/* ---- Telling ---- */

static void tell(struct bough_sync__depth *d, const char *word, const struct bough_oid *id)
{
    struct bough_buf *out = &d->session->out;
    size_t at = bough_pkt_begin(out);
    bough_buf_put_str(out, word);
    bough_buf_put_hex(out, id->bytes, bough_algo_len(d->session->algo));
    if (d->session->opts.version == 2)
        bough_buf_put_u8(out, '\n');
    bough_pkt_end(out, at);
}

/* ---- By the store ---- */

/* All of the boundary, without a look at what is wanted: clients keep what they got. */
static enum bough_err boundary_step(struct bough_sync__depth *d)
{
    struct bough_oid id;
    uint32_t row;
    enum bough_err err =
        bough_store_boundary_next(d->session->store, d->told ? &d->last_told : NULL, &id);
    if (err == BOUGH_ENOENT)
        d->phase = BOUGH_SYNC__DEPTH_DONE;
    if (err)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    if (!bough_sync__ids_find(&d->request->shallows, &id, &row))
        tell(d, "shallow ", &id);
    d->told = true;
    d->last_told = id;
    return BOUGH_OK;
}

/* ---- By depth and history ---- */

static enum bough_err tell_step(struct bough_sync__depth *d)
{
    uint32_t row;
    if (d->at == d->seen.n) {
        d->at = 0;
        d->phase = BOUGH_SYNC__DEPTH_UNTELL;
        return BOUGH_OK;
    }
    uint64_t flags = bough_sync__flags(&d->seen, d->at);
    struct bough_oid id = bough_sync__ids_at(&d->seen, d->at++);
    if ((flags & BOUGH_SYNC__EDGE) != 0 && !bough_sync__ids_find(&d->request->shallows, &id, &row))
        tell(d, "shallow ", &id);
    return BOUGH_OK;
}

static enum bough_err untell_step(struct bough_sync__depth *d)
{
    struct bough_commit c;
    int64_t date;
    uint32_t row;
    if (d->at == d->request->shallows.n) {
        d->phase = BOUGH_SYNC__DEPTH_DONE;
        return BOUGH_OK;
    }
    struct bough_oid id = bough_sync__ids_at(&d->request->shallows, d->at++);
    if (!bough_sync__ids_find(&d->seen, &id, &row))
        return BOUGH_OK;
    uint64_t flags = bough_sync__flags(&d->seen, row);
    if ((flags & (BOUGH_SYNC__INSIDE | BOUGH_SYNC__EDGE)) != BOUGH_SYNC__INSIDE)
        return BOUGH_OK;
    tell(d, "unshallow ", &id);
    enum bough_err err = bough_sync__commit_read(d->session->store, &id, &d->body, &c, &date);
    for (uint32_t i = 0; !err && i < c.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&c, i);
        err = seen_add(d, &parent, &row);
        if (!err)
            err = bough_sync__list_add(&d->extra, row);
    }
    return err;
}

enum bough_err bough_sync__depth_step(struct bough_sync__depth *d, size_t budget)
{
    while (d->phase != BOUGH_SYNC__DEPTH_DONE) {
        enum bough_err err = BOUGH_OK;
        if (budget == 0 || bough_sync__session_full(d->session))
            return BOUGH_EAGAIN;
        budget -= COMMIT_COST < budget ? COMMIT_COST : budget;
        if (d->phase == BOUGH_SYNC__DEPTH_BOUNDARY)
            err = boundary_step(d);
        else if (d->phase == BOUGH_SYNC__DEPTH_START)
            err = start_step(d);
        else if (d->phase == BOUGH_SYNC__DEPTH_WALK)
            err = walk_step(d);
        else if (d->phase == BOUGH_SYNC__DEPTH_SELECT)
            err = select_step(d, &budget);
        else if (d->phase == BOUGH_SYNC__DEPTH_EDGES)
            err = edges_step(d);
        else if (d->phase == BOUGH_SYNC__DEPTH_TELL)
            err = tell_step(d);
        else
            err = untell_step(d);
        if (err)
            return err;
    }
    return BOUGH_OK;
}
