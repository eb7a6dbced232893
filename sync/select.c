/*
 * select.c - what to send: all that the wants reach and the haves do not.
 *
 *   asked     what is wanted, had and cut, before the first step
 *   lists     the set of objects looked at; the list of what is sent
 *   start     wants and haves by type: commits into the queue, tags to what they point to
 *   tags      annotated tags of what is sent, when the client asked for them
 *   steps     phase by phase
 *
 * Phases, in this order.
 *   start     here
 *   commits   painting from both sides by date                             select_commits.c
 *   had       with bitmaps: what the client has that none tells of         select_trees.c
 *   list      the commits to send                                          select_commits.c
 *   loose     trees and blobs that were wanted by id                       select_trees.c, and all below
 *   anchors   for each commit to send, an ancestor's tree that the client has
 *   marks     what the client has and the newest commits have no more
 *   trees     of each commit to send, the newest first, what the tree of a relative has not
 *   tags      here
 *
 * Invariants.
 * - A commit to send is on `commits` once; it has WANT, and parents with WANT that are painted
 *   too, or it is CUT.  Painting ends when nothing is queued that might have to be sent and
 *   nothing that the client has is newer than the oldest commit to send: clocks that go backwards
 *   can make a commit be sent that the client has, never leave one out.
 * - A tree is walked against that of a child or a parent only when the latter is COVERED (all of
 *   its tree is on the list or had) or had; else whole.  So everything reachable is either on the
 *   list or had, whatever the order of commits.
 * - What the client is found to have after it was put on the list stays there with HAVE, and is
 *   left out of the pack.
 */
#include "sync/inner.h"
#include "sync/select_inner.h"

enum { OBJECT_COST = 512, TAG_CHAIN_MAX = 64 };

void bough_sync__select_init(struct bough_sync__select *sel, struct bough_sync__session *s)
{
    *sel = (struct bough_sync__select){
        .session = s, .store = s->store, .oldest = INT64_MAX, .phase = BOUGH_SYNC__SELECT_START};
    bough_sync__ids_init(&sel->ids, s->store->env, s->algo);
    bough_sync__queue_init(&sel->queue, s->mem);
    bough_sync__trees_init(&sel->trees, s->store, sel);
    sel->trees.entry = bough_sync__select_entry;
    bough_buf_init(&sel->body, s->mem);
    bough_buf_init(&sel->tag, s->mem);
    sel->starts.mem = sel->parents.mem = sel->commits.mem = sel->order.mem = s->mem;
    sel->asked.mem = sel->adds.mem = s->mem;
}

void bough_sync__select_fini(struct bough_sync__select *sel)
{
    if (sel->session == NULL)
        return;
    bough_sync__ids_fini(&sel->ids);
    bough_sync__queue_fini(&sel->queue);
    bough_sync__trees_fini(&sel->trees);
    bough_buf_fini(&sel->body);
    bough_buf_fini(&sel->tag);
    bough_reach_close(sel->reach);
    bough_sync__list_fini(&sel->starts);
    bough_sync__list_fini(&sel->asked);
    bough_sync__list_fini(&sel->adds);
    bough_sync__list_fini(&sel->parents);
    bough_sync__list_fini(&sel->commits);
    bough_sync__list_fini(&sel->order);
    bough_mem_free(sel->store->env->mem, sel->nodes, sel->nodes_cap * sizeof *sel->nodes);
    *sel = (struct bough_sync__select){0};
}

/* ---- Lists ---- */

enum bough_err bough_sync__select_row(
    struct bough_sync__select *sel, const struct bough_oid *id, uint32_t *row)
{
    if (sel->ids.n >= sel->session->opts.limits.selected_max)
        return bough_sync__session_fail(
            sel->session, BOUGH_ETOOBIG, "too many objects selected (limit selected_max)", NULL);
    return bough_sync__ids_add(&sel->ids, id, row);
}

enum bough_err bough_sync__select_send(struct bough_sync__select *sel, uint32_t row)
{
    if ((bough_sync__flags(&sel->ids, row) & (SEND | HAVE)) != 0)
        return BOUGH_OK;
    bough_sync__flag(&sel->ids, row, SEND);
    return bough_sync__list_add(&sel->order, row);
}

/* ---- Asked ---- */

static enum bough_err start_add(
    struct bough_sync__select *sel, const struct bough_oid *id, uint64_t flag)
{
    uint32_t row;
    enum bough_err err = bough_sync__select_row(sel, id, &row);
    if (err)
        return err;
    bough_sync__flag(&sel->ids, row, flag);
    sel->any_have |= flag == HAVE;
    err = bough_sync__list_add(&sel->asked, row << 1 | (flag == HAVE));
    return err ? err : bough_sync__list_add(&sel->starts, row);
}

enum bough_err bough_sync__select_want(struct bough_sync__select *sel, const struct bough_oid *id)
{
    return start_add(sel, id, WANT);
}

enum bough_err bough_sync__select_have(struct bough_sync__select *sel, const struct bough_oid *id)
{
    return start_add(sel, id, HAVE);
}

enum bough_err bough_sync__select_cut(struct bough_sync__select *sel, const struct bough_oid *id)
{
    uint32_t row;
    enum bough_err err = bough_sync__select_row(sel, id, &row);
    if (!err)
        bough_sync__flag(&sel->ids, row, CUT);
    sel->cut = true;
    return err;
}

/* ---- Start ---- */

/* Follow a tag, wanted or had, to the commit it leads to, if it does. */
static enum bough_err start_one(struct bough_sync__select *sel, uint32_t row)
{
    const uint64_t side = bough_sync__flags(&sel->ids, row) & (WANT | HAVE);
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found found;
        struct bough_tag tag;
        struct bough_oid id = bough_sync__ids_at(&sel->ids, row);
        bough_sync__flag(&sel->ids, row, side);
        enum bough_err err = bough_store_find(sel->store, &id, &found);
        if (err)
            return err == BOUGH_ENOENT && i > 0 ? BOUGH_ECORRUPT : err;
        if (found.type == BOUGH_COMMIT)
            return bough_sync__select_paint(sel, row, side);
        if (found.type != BOUGH_TAG)
            return bough_sync__list_add(&sel->commits, row); /* loose: see select_trees.c */
        if ((side & HAVE) == 0)
            err = bough_sync__select_send(sel, row);
        if (!err)
            err = bough_sync__tag_read(sel->store, &id, &sel->body, &tag);
        if (!err)
            err = bough_sync__select_row(sel, &tag.object, &row);
        if (err)
            return err;
    }
    return bough_sync__session_fail(
        sel->session, BOUGH_ETOOBIG, "too many tags of tags (limit 64)", NULL);
}

static enum bough_err start_step(struct bough_sync__select *sel)
{
    if (sel->at == 0 && sel->reach == NULL) {
        enum bough_err err = bough_sync__map_begin(sel, sel->any_have && !sel->mapping);
        if (err)
            return err;
    }
    if (sel->at < sel->starts.n)
        return start_one(sel, sel->starts.items[sel->at++]);

    /* Trees and blobs that were wanted themselves take the place of the starts. */
    bough_sync__list_fini(&sel->starts);
    sel->starts = sel->commits;
    sel->commits = (struct bough_sync__list){.mem = sel->starts.mem};
    sel->at = 0;
    sel->phase = BOUGH_SYNC__SELECT_COMMITS;
    return BOUGH_OK;
}

/* ---- Tags ---- */

static enum bough_err tag_send(struct bough_sync__select *sel, struct bough_oid id)
{
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found found;
        struct bough_tag tag;
        uint32_t row;
        enum bough_err err = bough_store_find(sel->store, &id, &found);
        if (err || found.type != BOUGH_TAG)
            return err;
        err = bough_sync__select_row(sel, &id, &row);
        if (!err)
            err = bough_sync__select_send(sel, row);
        if (!err)
            err = bough_sync__tag_read(sel->store, &id, &sel->body, &tag);
        if (err)
            return err;
        id = tag.object;
    }
    return BOUGH_OK;
}

static enum bough_err tags_step(struct bough_sync__select *sel)
{
    struct bough_ref ref;
    uint32_t row;
    enum bough_err err = bough_repo_ref_next(
        sel->session->repo, bough_view_str("refs/tags/"), bough_buf_view(&sel->tag), &ref);
    if (err == BOUGH_ENOENT) {
        sel->phase = BOUGH_SYNC__SELECT_DONE;
        return BOUGH_OK;
    }
    if (err)
        return err;
    bough_buf_clear(&sel->tag);
    bough_buf_put_view(&sel->tag, ref.name);
    if (sel->tag.err || ref.kind != BOUGH_REF_ID || bough_oid_is_zero(&ref.peeled))
        return sel->tag.err;
    struct bough_oid id = ref.id, peeled = ref.peeled;
    uint32_t sides;
    err = bough_sync__map_has(sel, &peeled, &sides);
    bool sent = sides == 1u << BOUGH_REACH_WANT;
    if (!sent && sides == 0 && bough_sync__ids_find(&sel->ids, &peeled, &row))
        sent = (bough_sync__flags(&sel->ids, row) & (SEND | HAVE)) == SEND;
    return err || !sent ? err : tag_send(sel, id);
}

/* ---- Steps ---- */

/* Leave out what the client turned out to have. */
static void order_filter(struct bough_sync__select *sel)
{
    size_t n = 0;
    for (size_t i = 0; i < sel->order.n; i++)
        if ((bough_sync__flags(&sel->ids, sel->order.items[i]) & HAVE) == 0)
            sel->order.items[n++] = sel->order.items[i];
    sel->order.n = n;
}

static enum bough_err select_one(struct bough_sync__select *sel, size_t *budget)
{
    if (sel->adds_at < sel->adds.n)
        return bough_sync__map_add(sel);
    if (sel->trees.n > 0)
        return bough_sync__trees_step(&sel->trees, budget);
    switch (sel->phase) {
    case BOUGH_SYNC__SELECT_START:
        return start_step(sel);
    case BOUGH_SYNC__SELECT_COMMITS:
        return bough_sync__select_commits_step(sel);
    case BOUGH_SYNC__SELECT_HAD:
        return bough_sync__select_had_step(sel);
    case BOUGH_SYNC__SELECT_LIST:
        return bough_sync__select_list_step(sel);
    case BOUGH_SYNC__SELECT_LOOSE:
        return bough_sync__select_loose_step(sel);
    case BOUGH_SYNC__SELECT_ANCHORS:
        return bough_sync__select_anchors_step(sel);
    case BOUGH_SYNC__SELECT_MARKS:
        return bough_sync__select_marks_step(sel);
    case BOUGH_SYNC__SELECT_TREES:
        return bough_sync__select_trees_step(sel);
    case BOUGH_SYNC__SELECT_TAGS:
        return tags_step(sel);
    case BOUGH_SYNC__SELECT_DONE:
        break;
    }
    return BOUGH_OK;
}

enum bough_err bough_sync__select_step(struct bough_sync__select *sel, size_t budget)
{
    while (sel->phase != BOUGH_SYNC__SELECT_DONE) {
        if (budget == 0)
            return BOUGH_EAGAIN;
        enum bough_err err = select_one(sel, &budget);
        if (err == BOUGH_EEXPIRED && sel->reach != NULL) /* the store needed the room */
            err = bough_sync__map_fail(sel);
        if (err)
            return err;
        budget -= budget < OBJECT_COST ? budget : OBJECT_COST;
        if (sel->phase == BOUGH_SYNC__SELECT_DONE) {
            err = bough_sync__map_over(sel);
            order_filter(sel);
        }
        if (err)
            return err;
    }
    return BOUGH_OK;
}
