/*
 * select_commits.c - what to send: the commits.
 *
 *   nodes     commits as far as selecting needs them, each read once
 *   painting  what is wanted and what is had goes from commits to their parents
 *   popping   the queue by date: the newest commit first
 *   list      the commits to send
 *
 * select.c has the phases and the invariants.
 */
#include "sync/inner.h"
#include "sync/select_inner.h"

/* ---- Nodes ---- */

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
        err = bough_sync__select_row(sel, &c.tree, &node.tree);
    for (; !err && (number & CUT) == 0 && node.n < c.parents_n; node.n++) {
        uint32_t parent;
        struct bough_oid parent_id = bough_commit_parent(&c, node.n);
        err = bough_sync__select_row(sel, &parent_id, &parent);
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

enum bough_err bough_sync__select_parent_tree(
    struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i, uint32_t *tree)
{
    uint32_t parent;
    enum bough_err err = node_get(sel, bough_sync__select_parent(sel, node, i), &parent);
    if (!err)
        *tree = sel->nodes[parent].tree;
    return err;
}

/* ---- Painting ---- */

enum bough_err bough_sync__select_paint(struct bough_sync__select *sel, uint32_t row, uint64_t flag)
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
    else if (sel->newest_had == 0 || sel->nodes[node].date > sel->nodes[sel->newest_had - 1].date)
        sel->newest_had = node + 1;
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
        err = bough_sync__select_paint(sel, sel->parents.items[node.at + i], had ? HAVE : WANT);
    return err;
}

static bool commits_over(const struct bough_sync__select *sel)
{
    return sel->queue.n == 0 || (sel->reach == NULL && sel->wanting == 0 &&
                                    (sel->commits.n == 0 || sel->queue.heap[0].date < sel->oldest));
}

enum bough_err bough_sync__select_commits_step(struct bough_sync__select *sel)
{
    if (sel->any_have && !sel->mapping && sel->commits.n > sel->session->opts.limits.walk_max)
        return bough_sync__map_restart(sel);
    if (!commits_over(sel))
        return commit_pop(sel);
    bough_sync__queue_fini(&sel->queue);
    sel->phase = sel->reach != NULL ? BOUGH_SYNC__SELECT_HAD : BOUGH_SYNC__SELECT_LIST;
    return BOUGH_OK;
}

/* ---- List ---- */

enum bough_err bough_sync__select_list_step(struct bough_sync__select *sel)
{
    if (sel->at < sel->commits.n) {
        uint32_t sides, row = sel->nodes[sel->commits.items[sel->at++]].row;
        struct bough_oid id = bough_sync__ids_at(&sel->ids, row);
        enum bough_err err = bough_sync__map_has(sel, &id, &sides);
        if (!err && sides != 0) /* its child was looked at before a bitmap told of it */
            bough_sync__flag(&sel->ids, row, COVERED);
        return err || sides != 0 ? err : bough_sync__select_send(sel, row);
    }
    sel->at = 0;
    sel->phase = sel->commits_only ? BOUGH_SYNC__SELECT_DONE : BOUGH_SYNC__SELECT_LOOSE;
    return BOUGH_OK;
}
