/*
 * reach.c - may a want be given, and are the haves enough?
 *
 *   reach   wants that were told, that are tips, that tips reach
 *   ready   wants that reach something common
 *
 * Trees and blobs that are in the store are given to whoever knows their id; commits and tags
 * must be reachable, so that what a forced push or a deleted branch left behind stays private.
 */
#include "sync/inner.h"
#include "sync/upload_inner.h"

enum { COMMIT_COST = 1024, REF_COST = 256, TAG_CHAIN_MAX = 64, READY_MAX = 200 * 1000 };

/* ---- Reach ---- */

void bough_sync__reach_init(struct bough_sync__reach *r, struct bough_sync__session *s,
    struct bough_sync__ids *wants, const struct bough_sync__ids *told)
{
    *r = (struct bough_sync__reach){
        .session = s, .wants = wants, .told = told, .phase = BOUGH_SYNC__REACH_TOLD};
    bough_sync__ids_init(&r->seen, s->store->env, s->algo);
    bough_sync__queue_init(&r->queue, s->mem);
    bough_buf_init(&r->name, s->mem);
    bough_buf_init(&r->body, s->mem);
}

void bough_sync__reach_fini(struct bough_sync__reach *r)
{
    if (r->session == NULL)
        return;
    bough_sync__ids_fini(&r->seen);
    bough_sync__queue_fini(&r->queue);
    bough_buf_fini(&r->name);
    bough_buf_fini(&r->body);
    *r = (struct bough_sync__reach){0};
}

/* `id` is ours: mark it if it is wanted. */
static void reach_mark(struct bough_sync__reach *r, const struct bough_oid *id)
{
    uint32_t row;
    if (!bough_sync__ids_find(r->wants, id, &row) ||
        (bough_sync__flags(r->wants, row) & BOUGH_SYNC__WANT_OURS) != 0)
        return;
    bough_sync__flag(r->wants, row, BOUGH_SYNC__WANT_OURS);
    r->missing--;
}

/* A want that was told or is no commit or tag needs no search. */
static enum bough_err told_step(struct bough_sync__reach *r)
{
    struct bough_found found;
    uint32_t row;
    if (r->at == r->wants->n) {
        r->phase = BOUGH_SYNC__REACH_TIPS;
        return BOUGH_OK;
    }
    struct bough_oid id = bough_sync__ids_at(r->wants, r->at++);
    r->missing++;
    if (bough_sync__ids_find(r->told, &id, &row)) {
        reach_mark(r, &id);
        return BOUGH_OK;
    }
    enum bough_err err = bough_store_find(r->session->store, &id, &found);
    if (!err && (found.type == BOUGH_TREE || found.type == BOUGH_BLOB))
        reach_mark(r, &id);
    return err;
}

/* Commits are walked from; a tag of a tag is marked on the way. */
static enum bough_err root_add(struct bough_sync__reach *r, struct bough_oid id)
{
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found found;
        struct bough_tag tag;
        struct bough_commit c;
        int64_t date = 0;
        uint32_t row, n = r->seen.n;
        reach_mark(r, &id);
        enum bough_err err = bough_store_find(r->session->store, &id, &found);
        if (!err)
            err = bough_sync__ids_add(&r->seen, &id, &row);
        if (err || r->seen.n == n)
            return err;
        if (found.type == BOUGH_COMMIT) {
            err = bough_sync__commit_read(r->session->store, &id, &r->body, &c, &date);
            return err ? err : bough_sync__queue_push(&r->queue, date, row);
        }
        if (found.type != BOUGH_TAG)
            return BOUGH_OK;
        err = bough_sync__tag_read(r->session->store, &id, &r->body, &tag);
        if (err)
            return err;
        id = tag.object;
    }
    return BOUGH_OK;
}

/* All refs once: first to compare, then to walk from. */
static enum bough_err refs_step(struct bough_sync__reach *r)
{
    struct bough_ref ref;
    enum bough_err err = bough_repo_ref_next(
        r->session->repo, bough_view_str("refs/"), bough_buf_view(&r->name), &ref);
    if (err == BOUGH_ENOENT) {
        bough_buf_clear(&r->name);
        if (r->phase == BOUGH_SYNC__REACH_ROOTS ||
            (r->session->opts.flags & BOUGH_SYNC_TIPS_ONLY) != 0)
            r->phase = BOUGH_SYNC__REACH_WALK;
        else
            r->phase = BOUGH_SYNC__REACH_ROOTS;
        return BOUGH_OK;
    }
    if (err)
        return err;
    bough_buf_clear(&r->name);
    bough_buf_put_view(&r->name, ref.name);
    if (r->name.err || ref.kind != BOUGH_REF_ID)
        return r->name.err;
    if (r->phase == BOUGH_SYNC__REACH_ROOTS)
        return root_add(r, ref.id);
    reach_mark(r, &ref.id);
    if (!bough_oid_is_zero(&ref.peeled))
        reach_mark(r, &ref.peeled);
    return BOUGH_OK;
}

static enum bough_err walk_refuse(struct bough_sync__reach *r)
{
    for (uint32_t row = 0; row < r->wants->n; row++) {
        struct bough_oid id = bough_sync__ids_at(r->wants, row);
        if ((bough_sync__flags(r->wants, row) & BOUGH_SYNC__WANT_OURS) == 0)
            return bough_sync__session_fail(
                r->session, BOUGH_EDENIED, "upload-pack: not our ref", &id);
    }
    return BOUGH_EDENIED;
}

static enum bough_err walk_step(struct bough_sync__reach *r)
{
    struct bough_commit c;
    int64_t date;
    if (r->queue.n == 0 || r->seen.n > r->session->opts.limits.selected_max)
        return walk_refuse(r);
    struct bough_oid id = bough_sync__ids_at(&r->seen, bough_sync__queue_pop(&r->queue));
    struct bough_buf body; /* root_add() reads others meanwhile */
    bough_buf_init(&body, r->session->mem);
    enum bough_err err = bough_sync__commit_read(r->session->store, &id, &body, &c, &date);
    for (uint32_t i = 0; !err && i < c.parents_n; i++)
        err = root_add(r, bough_commit_parent(&c, i));
    bough_buf_fini(&body);
    return err;
}

enum bough_err bough_sync__reach_step(struct bough_sync__reach *r, size_t budget)
{
    while (r->phase == BOUGH_SYNC__REACH_TOLD || r->missing > 0) {
        if (budget == 0)
            return BOUGH_EAGAIN;
        size_t cost = r->phase == BOUGH_SYNC__REACH_WALK ? COMMIT_COST : REF_COST;
        budget -= cost < budget ? cost : budget;
        enum bough_err err = r->phase == BOUGH_SYNC__REACH_TOLD   ? told_step(r)
                             : r->phase == BOUGH_SYNC__REACH_WALK ? walk_step(r)
                                                                  : refs_step(r);
        if (err)
            return err;
    }
    return BOUGH_OK;
}

/* ---- Ready ---- */

void bough_sync__ready_init(
    struct bough_sync__ready *r, struct bough_sync__session *s, struct bough_sync__request *request)
{
    *r = (struct bough_sync__ready){.session = s, .request = request, .left = READY_MAX};
    bough_sync__ids_init(&r->seen, s->store->env, s->algo);
    bough_sync__queue_init(&r->queue, s->mem);
    bough_buf_init(&r->body, s->mem);
}

void bough_sync__ready_fini(struct bough_sync__ready *r)
{
    if (r->session == NULL)
        return;
    bough_sync__ids_fini(&r->seen);
    bough_sync__queue_fini(&r->queue);
    bough_buf_fini(&r->body);
    *r = (struct bough_sync__ready){0};
}

/* Look at a commit or tag on the way from a want; `*found`: it is common. */
static enum bough_err ready_visit(struct bough_sync__ready *r, struct bough_oid id, bool *found)
{
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found what;
        struct bough_tag tag;
        struct bough_commit c;
        int64_t date = 0;
        uint32_t row, n = r->seen.n;
        *found = bough_sync__ids_find(&r->request->haves, &id, &row);
        if (*found)
            return BOUGH_OK;
        enum bough_err err = bough_sync__ids_add(&r->seen, &id, &row);
        if (err || r->seen.n == n)
            return err;
        err = bough_store_find(r->session->store, &id, &what);
        if (err || what.type == BOUGH_TREE || what.type == BOUGH_BLOB) {
            *found = !err; /* nothing to negotiate about */
            return err;
        }
        r->left -= r->left > 0;
        if (what.type == BOUGH_COMMIT) {
            err = bough_sync__commit_read(r->session->store, &id, &r->body, &c, &date);
            if (err || date < r->request->oldest)
                return err;
            return bough_sync__queue_push(&r->queue, date, row);
        }
        err = bough_sync__tag_read(r->session->store, &id, &r->body, &tag);
        if (err)
            return err;
        id = tag.object;
    }
    return BOUGH_OK;
}

/* One want, or one commit below the one under way; `*over` when the answer is known. */
static enum bough_err ready_one(struct bough_sync__ready *r, bool *over)
{
    struct bough_sync__ids *wants = &r->request->wants;
    bool found = false;
    enum bough_err err = BOUGH_OK;
    if (!r->begun) {
        r->yes = r->at == wants->n;
        *over = r->yes || r->left == 0 || r->request->haves.n == 0;
        if (*over)
            return BOUGH_OK;
        bough_sync__ids_fini(&r->seen);
        bough_sync__queue_fini(&r->queue);
        r->begun = true;
        err = ready_visit(r, bough_sync__ids_at(wants, r->at), &found);
    } else if (r->queue.n == 0 || r->left == 0) {
        r->begun = false; /* this want reaches nothing common: no */
        *over = true;
        return BOUGH_OK;
    } else {
        struct bough_commit c;
        struct bough_buf body;
        int64_t date;
        struct bough_oid id = bough_sync__ids_at(&r->seen, bough_sync__queue_pop(&r->queue));
        bough_buf_init(&body, r->session->mem);
        err = bough_sync__commit_read(r->session->store, &id, &body, &c, &date);
        for (uint32_t i = 0; !err && !found && i < c.parents_n; i++)
            err = ready_visit(r, bough_commit_parent(&c, i), &found);
        bough_buf_fini(&body);
    }
    if (found) {
        r->at++;
        r->begun = false;
    }
    return err;
}

enum bough_err bough_sync__ready_step(struct bough_sync__ready *r, size_t budget)
{
    for (bool over = false; !over;) {
        if (budget == 0)
            return BOUGH_EAGAIN;
        budget -= COMMIT_COST < budget ? COMMIT_COST : budget;
        enum bough_err err = ready_one(r, &over);
        if (err)
            return err;
    }
    return BOUGH_OK;
}
