/*
 * select.c - what to send: all that the wants reach and the haves do not.
 *
 *   start     wants and haves by type: commits into the queue, tags to what they point to
 *   commits   painting from both sides by date
 *   had       with bitmaps: what the client has that none tells of
 *   anchors   for each commit to send, an ancestor's tree that the client has
 *   marks     what the client has and the newest commits have no more
 *   trees     of each commit to send, the newest first, what the tree of a relative has not
 *   tags      annotated tags of what is sent, when the client asked for them
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

enum { OBJECT_COST = 512, TAG_CHAIN_MAX = 64 };

#define WANT    BOUGH_SYNC__WANT
#define HAVE    BOUGH_SYNC__HAVE
#define QUEUED  BOUGH_SYNC__QUEUED
#define WANTED  BOUGH_SYNC__WANTED
#define HAD     BOUGH_SYNC__HAD
#define CUT     BOUGH_SYNC__CUT
#define SEND    BOUGH_SYNC__SEND
#define COVERED BOUGH_SYNC__COVERED
#define BELOW   BOUGH_SYNC__BELOW

static enum bough_err trees_entry(
    void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter);

void bough_sync__select_init(struct bough_sync__select *sel, struct bough_sync__session *s)
{
    *sel = (struct bough_sync__select){
        .session = s, .store = s->store, .oldest = INT64_MAX, .phase = BOUGH_SYNC__SELECT_START};
    bough_sync__ids_init(&sel->ids, s->store->env, s->algo);
    bough_sync__queue_init(&sel->queue, s->mem);
    bough_sync__trees_init(&sel->trees, s->store, sel);
    sel->trees.entry = trees_entry;
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

/* ---- Small parts ---- */

static enum bough_err row_add(
    struct bough_sync__select *sel, const struct bough_oid *id, uint32_t *row)
{
    if (sel->ids.n >= sel->session->opts.limits.selected_max)
        return bough_sync__session_fail(
            sel->session, BOUGH_ETOOBIG, "too many objects selected (limit selected_max)", NULL);
    return bough_sync__ids_add(&sel->ids, id, row);
}

static enum bough_err start_add(
    struct bough_sync__select *sel, const struct bough_oid *id, uint64_t flag)
{
    uint32_t row;
    enum bough_err err = row_add(sel, id, &row);
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
    enum bough_err err = row_add(sel, id, &row);
    if (!err)
        bough_sync__flag(&sel->ids, row, CUT);
    sel->cut = true;
    return err;
}

/* Put a row on the list of what is sent, once. */
static enum bough_err send_add(struct bough_sync__select *sel, uint32_t row)
{
    if ((bough_sync__flags(&sel->ids, row) & (SEND | HAVE)) != 0)
        return BOUGH_OK;
    bough_sync__flag(&sel->ids, row, SEND);
    return bough_sync__list_add(&sel->order, row);
}

/* ---- Commits ---- */

/* Read the commit of `row` once; its node's index is the rest of its number, plus one. */
static enum bough_err node_get(struct bough_sync__select *sel, uint32_t row, uint32_t *out)
{
    uint64_t number = bough_sync__ids_get(&sel->ids, row);
    if (number >> BOUGH_SYNC__BITS != 0) {
        *out = (uint32_t)(number >> BOUGH_SYNC__BITS) - 1;
        return BOUGH_OK;
    }
    struct bough_commit c;
    struct bough_sync__node node = {.row = row, .at = (uint32_t)sel->parents.n};
    struct bough_oid id = bough_sync__ids_at(&sel->ids, row);
    enum bough_err err = bough_sync__commit_read(sel->store, &id, &sel->body, &c, &node.date);
    if (!err)
        err = row_add(sel, &c.tree, &node.tree);
    for (; !err && (number & CUT) == 0 && node.n < c.parents_n; node.n++) {
        uint32_t parent;
        struct bough_oid parent_id = bough_commit_parent(&c, node.n);
        err = row_add(sel, &parent_id, &parent);
        if (!err)
            err = bough_sync__list_add(&sel->parents, parent);
    }
    void *nodes = sel->nodes;
    if (!err)
        err = bough_mem_grow(
            sel->session->mem, &nodes, &sel->nodes_cap, sel->nodes_n + 1, sizeof *sel->nodes);
    sel->nodes = nodes;
    if (err)
        return err;
    *out = (uint32_t)sel->nodes_n++;
    sel->nodes[*out] = node;
    bough_sync__ids_set(&sel->ids, row, number | ((uint64_t)*out + 1) << BOUGH_SYNC__BITS);
    return BOUGH_OK;
}

/* A commit is wanted (WANT) or had (HAVE): see that its parents hear of it. */
static enum bough_err commit_paint(struct bough_sync__select *sel, uint32_t row, uint64_t flag)
{
    uint32_t node;
    bool mapped = false;
    uint64_t before = bough_sync__flags(&sel->ids, row), after = before | flag;
    enum bough_err err =
        sel->reach != NULL ? bough_sync__map_paint(sel, row, flag, &mapped) : BOUGH_OK;
    if (err)
        return err;
    bough_sync__flag(&sel->ids, row, flag);
    if ((before & QUEUED) != 0) {
        if ((before & HAVE) == 0 && (after & HAVE) != 0)
            sel->wanting--;
        return BOUGH_OK;
    }
    if ((after & HAVE) != 0 ? (before & HAD) != 0 : (before & WANTED) != 0)
        return BOUGH_OK; /* its parents know */
    if (mapped)
        return BOUGH_OK; /* and nobody needs to tell them */
    err = node_get(sel, row, &node);
    if (!err)
        err = bough_sync__queue_push(&sel->queue, sel->nodes[node].date, node);
    if (err)
        return err;
    bough_sync__flag(&sel->ids, row, QUEUED);
    if ((after & HAVE) == 0)
        sel->wanting++;
    return BOUGH_OK;
}

static enum bough_err commit_pop(struct bough_sync__select *sel)
{
    uint32_t at = bough_sync__queue_pop(&sel->queue);
    struct bough_sync__node node = sel->nodes[at];
    uint64_t number = bough_sync__ids_get(&sel->ids, node.row) & ~(uint64_t)QUEUED;
    bool had = (number & HAVE) != 0;
    bough_sync__ids_set(&sel->ids, node.row, number | (had ? HAD : WANTED));
    enum bough_err err = BOUGH_OK;
    if (!had)
        sel->wanting--;
    if (!had && sel->since != 0 && node.date < sel->since)
        return BOUGH_OK;
    if (!had) {
        sel->oldest = node.date < sel->oldest ? node.date : sel->oldest;
        err = bough_sync__list_add(&sel->commits, at);
    }
    for (uint32_t i = 0; !err && i < node.n; i++)
        err = commit_paint(sel, sel->parents.items[node.at + i], had ? HAVE : WANT);
    return err;
}

static bool commits_over(const struct bough_sync__select *sel)
{
    return sel->queue.n == 0 || (sel->reach == NULL && sel->wanting == 0 &&
                                    (sel->commits.n == 0 || sel->queue.heap[0].date < sel->oldest));
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
            return commit_paint(sel, row, side);
        if (found.type != BOUGH_TAG)
            return bough_sync__list_add(&sel->commits, row); /* loose for now: see list_loose() */
        if ((side & HAVE) == 0)
            err = send_add(sel, row);
        if (!err)
            err = bough_sync__tag_read(sel->store, &id, &sel->body, &tag);
        if (!err)
            err = row_add(sel, &tag.object, &row);
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

static enum bough_err commits_step(struct bough_sync__select *sel)
{
    if (sel->any_have && !sel->mapping && sel->commits.n > sel->session->opts.limits.walk_max)
        return bough_sync__map_restart(sel);
    if (!commits_over(sel))
        return commit_pop(sel);
    bough_sync__queue_fini(&sel->queue);
    sel->phase = sel->reach != NULL ? BOUGH_SYNC__SELECT_HAD : BOUGH_SYNC__SELECT_LIST;
    return BOUGH_OK;
}

static uint32_t parent_row(
    const struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i)
{
    return sel->parents.items[node->at + i];
}

static uint64_t parent_flags(
    const struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i)
{
    return bough_sync__flags(&sel->ids, parent_row(sel, node, i));
}

/* The tree of parent number `i`. */
static enum bough_err parent_tree(
    struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i, uint32_t *tree)
{
    uint32_t parent;
    enum bough_err err = node_get(sel, parent_row(sel, node, i), &parent);
    if (!err)
        *tree = sel->nodes[parent].tree;
    return err;
}

/* What the client has by commits that no bitmap tells of. */
static enum bough_err had_step(struct bough_sync__select *sel)
{
    if (sel->at == sel->nodes_n) {
        sel->at = 0;
        sel->phase = BOUGH_SYNC__SELECT_LIST;
        return BOUGH_OK;
    }
    struct bough_sync__node node = sel->nodes[sel->at++];
    uint64_t flags = bough_sync__flags(&sel->ids, node.row);
    struct bough_oid id = bough_sync__ids_at(&sel->ids, node.row), base;
    struct bough_oid tree = bough_sync__ids_at(&sel->ids, node.tree);
    bool enter = false, based = false;
    uint32_t base_row;
    if ((flags & (HAVE | BOUGH_SYNC__MAP_HAVE)) != HAVE)
        return BOUGH_OK;
    enum bough_err err = bough_sync__map_had(sel, &id, BOUGH_COMMIT, &enter);
    if (!err)
        err = bough_sync__map_had(sel, &tree, BOUGH_TREE, &enter);
    if (!err && enter && node.n > 0) {
        based = true; /* the client has its parents, too */
        err = parent_tree(sel, &node, 0, &base_row);
        if (!err)
            base = bough_sync__ids_at(&sel->ids, base_row);
    }
    if (err || !enter)
        return err;
    return bough_sync__trees_push(&sel->trees, &tree, based ? &base : NULL);
}

/* The commits themselves, the newest first; those found to be had later stay out. */
static enum bough_err list_step(struct bough_sync__select *sel)
{
    if (sel->at < sel->commits.n) {
        uint32_t sides, row = sel->nodes[sel->commits.items[sel->at++]].row;
        struct bough_oid id = bough_sync__ids_at(&sel->ids, row);
        enum bough_err err = bough_sync__map_has(sel, &id, &sides);
        if (!err && sides != 0) /* its child was looked at before a bitmap told of it */
            bough_sync__flag(&sel->ids, row, COVERED);
        return err || sides != 0 ? err : send_add(sel, row);
    }
    sel->at = 0;
    sel->phase = sel->commits_only ? BOUGH_SYNC__SELECT_DONE : BOUGH_SYNC__SELECT_LOOSE;
    return BOUGH_OK;
}

/* ---- Trees ---- */

static enum bough_err trees_old(void *ctx, const struct bough_oid *id)
{
    struct bough_sync__select *sel = ctx;
    uint32_t row;
    enum bough_err err = row_add(sel, id, &row);
    if (!err)
        bough_sync__flag(&sel->ids, row, HAVE);
    return err;
}

static enum bough_err trees_entry(
    void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter)
{
    struct bough_sync__select *sel = ctx;
    uint32_t row;
    if (sel->marking) {
        *enter = type == BOUGH_TREE && paired;
        return BOUGH_OK;
    }
    uint32_t sides;
    if (sel->phase == BOUGH_SYNC__SELECT_HAD)
        return bough_sync__map_had(sel, id, type, enter);
    enum bough_err err = bough_sync__map_has(sel, id, &sides);
    if (err || sides != 0)
        return err;
    err = row_add(sel, id, &row);
    if (err || (bough_sync__flags(&sel->ids, row) & (SEND | HAVE)) != 0)
        return err;
    *enter = type == BOUGH_TREE;
    return send_add(sel, row);
}

/* Trees and blobs that were wanted by id. */
static enum bough_err loose_step(struct bough_sync__select *sel)
{
    if (sel->at == sel->starts.n) {
        sel->at = sel->commits.n;
        sel->phase = BOUGH_SYNC__SELECT_ANCHORS;
        return BOUGH_OK;
    }
    struct bough_found found;
    bool enter = false;
    struct bough_oid id = bough_sync__ids_at(&sel->ids, sel->starts.items[sel->at++]);
    enum bough_err err = bough_store_find(sel->store, &id, &found);
    if (!err)
        err = trees_entry(sel, &id, found.type, false, &enter);
    if (!err && enter)
        err = bough_sync__trees_push(&sel->trees, &id, NULL);
    return err;
}

/* ---- Anchors and marks ---- */

/* From the old ones up: a parent that the client has, or what a parent is anchored to. */
static enum bough_err anchors_step(struct bough_sync__select *sel)
{
    if (sel->at == 0) {
        sel->phase = BOUGH_SYNC__SELECT_MARKS;
        return BOUGH_OK;
    }
    uint32_t at = sel->commits.items[--sel->at];
    struct bough_sync__node node = sel->nodes[at];
    if ((bough_sync__flags(&sel->ids, node.row) & HAVE) != 0)
        return BOUGH_OK;
    for (uint32_t i = 0; i < node.n; i++) {
        uint32_t tree = 0;
        uint64_t number = bough_sync__ids_get(&sel->ids, parent_row(sel, &node, i));
        bough_sync__flag(&sel->ids, parent_row(sel, &node, i), BELOW);
        if (node.anchor != 0)
            continue;
        if ((number & HAVE) != 0) {
            enum bough_err err = parent_tree(sel, &node, i, &tree);
            if (err)
                return err;
            node.anchor = tree + 1;
        } else if (number >> BOUGH_SYNC__BITS != 0) {
            node.anchor = sel->nodes[(number >> BOUGH_SYNC__BITS) - 1].anchor;
        }
    }
    sel->nodes[at].anchor = node.anchor;
    return BOUGH_OK;
}

/* Mark what a tree that the client has (row `base`) holds and the tree of this commit does not. */
static enum bough_err tree_mark(
    struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t base)
{
    struct bough_oid base_id = bough_sync__ids_at(&sel->ids, base);
    struct bough_oid id = bough_sync__ids_at(&sel->ids, node->tree);
    bough_sync__flag(&sel->ids, base, HAVE);
    sel->marking = true;
    sel->trees.old = trees_old;
    return bough_oid_eq(&id, &base_id) ? BOUGH_OK
                                       : bough_sync__trees_push(&sel->trees, &id, &base_id);
}

/* The newest against their anchors, and each commit against parents that the client has. */
static enum bough_err marks_step(struct bough_sync__select *sel)
{
    if (sel->at == sel->commits.n) {
        sel->at = 0;
        sel->marking = false;
        sel->trees.old = NULL;
        sel->phase = BOUGH_SYNC__SELECT_TREES;
        return BOUGH_OK;
    }
    const struct bough_sync__node node = sel->nodes[sel->commits.items[sel->at]];
    uint64_t flags = bough_sync__flags(&sel->ids, node.row);
    while ((flags & HAVE) == 0 && sel->parent_at < node.n) {
        uint32_t i = sel->parent_at++, tree = 0;
        if ((parent_flags(sel, &node, i) & HAVE) == 0)
            continue;
        enum bough_err err = parent_tree(sel, &node, i, &tree);
        return err ? err : tree_mark(sel, &node, tree);
    }
    sel->at++;
    sel->parent_at = 0;
    if ((flags & (HAVE | BELOW)) == 0 && node.anchor != 0)
        return tree_mark(sel, &node, node.anchor - 1);
    return BOUGH_OK;
}

/* ---- Trees of commits ---- */

/* Whose tree to compare with: a child's, else the anchor, else a parent's that is covered. */
static enum bough_err tree_base(struct bough_sync__select *sel, const struct bough_sync__node *node,
    bool *based, struct bough_oid *base)
{
    uint32_t tree = 0;
    enum bough_err err = BOUGH_OK;
    *based = true;
    if (node->child != 0)
        tree = sel->nodes[node->child - 1].tree;
    else if (node->anchor != 0)
        tree = node->anchor - 1;
    else if (node->n > 0 && (parent_flags(sel, node, 0) & COVERED) != 0)
        err = parent_tree(sel, node, 0, &tree);
    else
        *based = false;
    if (!err && *based)
        *base = bough_sync__ids_at(&sel->ids, tree);
    return err;
}

/* Put the tree of a commit on the list, with all that a relative's has not. */
static enum bough_err tree_send(struct bough_sync__select *sel, const struct bough_sync__node *node)
{
    bool enter = false, based = false;
    struct bough_oid id = bough_sync__ids_at(&sel->ids, node->tree), base;
    enum bough_err err = trees_entry(sel, &id, BOUGH_TREE, false, &enter);
    if (!err && enter)
        err = tree_base(sel, node, &based, &base);
    if (err || !enter)
        return err;
    return bough_sync__trees_push(&sel->trees, &id, based ? &base : NULL);
}

/* This commit is covered: its parents, which come later, can be compared with it. */
static void children_note(
    struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t at)
{
    bough_sync__flag(&sel->ids, node->row, COVERED);
    for (uint32_t i = 0; i < node->n; i++) {
        uint64_t number = bough_sync__ids_get(&sel->ids, parent_row(sel, node, i));
        if (number >> BOUGH_SYNC__BITS != 0)
            sel->nodes[(number >> BOUGH_SYNC__BITS) - 1].child = at + 1;
    }
}

static enum bough_err trees_step(struct bough_sync__select *sel)
{
    if (sel->at == sel->commits.n) {
        sel->phase = sel->include_tags ? BOUGH_SYNC__SELECT_TAGS : BOUGH_SYNC__SELECT_DONE;
        return BOUGH_OK;
    }
    uint32_t at = sel->commits.items[sel->at++];
    struct bough_sync__node node = sel->nodes[at];
    if ((bough_sync__flags(&sel->ids, node.row) & (HAVE | COVERED)) != 0)
        return BOUGH_OK;
    /* Nothing else is walked before this tree is done, so it may be called covered now. */
    children_note(sel, &node, at);
    return tree_send(sel, &node);
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
        err = row_add(sel, &id, &row);
        if (!err)
            err = send_add(sel, row);
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
        return commits_step(sel);
    case BOUGH_SYNC__SELECT_HAD:
        return had_step(sel);
    case BOUGH_SYNC__SELECT_LIST:
        return list_step(sel);
    case BOUGH_SYNC__SELECT_LOOSE:
        return loose_step(sel);
    case BOUGH_SYNC__SELECT_ANCHORS:
        return anchors_step(sel);
    case BOUGH_SYNC__SELECT_MARKS:
        return marks_step(sel);
    case BOUGH_SYNC__SELECT_TREES:
        return trees_step(sel);
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
