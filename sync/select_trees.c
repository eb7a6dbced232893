/*
 * select_trees.c - what to send: trees and what is in them.
 *
 *   entries   what the walk of a tree tells, by phase
 *   had       with bitmaps: what the client has by commits that no bitmap tells of
 *   loose     trees and blobs that were wanted by id
 *   anchors   for each commit to send, an ancestor's tree that the client has
 *   marks     what the client has and the newest commits have no more
 *   trees     of each commit to send, the newest first, what the tree of a relative has not
 *
 * select.c has the phases and the invariants.
 */
#include "sync/inner.h"
#include "sync/select_inner.h"

/* ---- Entries ---- */

static enum bough_err trees_old(void *ctx, const struct bough_oid *id)
{
    struct bough_sync__select *sel = ctx;
    uint32_t row;
    enum bough_err err = bough_sync__select_row(sel, id, &row);
    if (!err)
        bough_sync__flag(&sel->ids, row, HAVE);
    return err;
}

enum bough_err bough_sync__select_entry(
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
    err = bough_sync__select_row(sel, id, &row);
    if (err || (bough_sync__flags(&sel->ids, row) & (SEND | HAVE)) != 0)
        return err;
    *enter = type == BOUGH_TREE;
    return bough_sync__select_send(sel, row);
}

/* ---- Had ---- */

enum bough_err bough_sync__select_had_step(struct bough_sync__select *sel)
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
        err = bough_sync__select_parent_tree(sel, &node, 0, &base_row);
        if (!err)
            base = bough_sync__ids_at(&sel->ids, base_row);
    }
    if (err || !enter)
        return err;
    return bough_sync__trees_push(&sel->trees, &tree, based ? &base : NULL);
}

/* ---- Loose ---- */

enum bough_err bough_sync__select_loose_step(struct bough_sync__select *sel)
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
        err = bough_sync__select_entry(sel, &id, found.type, false, &enter);
    if (!err && enter)
        err = bough_sync__trees_push(&sel->trees, &id, NULL);
    return err;
}

/* ---- Anchors and marks ---- */

static uint64_t bough_sync__select_parent_flags(
    const struct bough_sync__select *sel, const struct bough_sync__node *node, uint32_t i)
{
    return bough_sync__flags(&sel->ids, bough_sync__select_parent(sel, node, i));
}

/*
 * A commit without parents to look at, be it cut off or a root.  Whoever fetches with the same small
 * depth again and again has what it stood on, and else something like it.
 */
static enum bough_err anchor_loose(struct bough_sync__select *sel, struct bough_sync__node *node)
{
    struct bough_commit c = {0};
    struct bough_oid id = bough_sync__ids_at(&sel->ids, node->row);
    uint32_t row, had = sel->newest_had;
    if (had == 0)
        return BOUGH_OK;
    bough_buf_clear(&sel->body);
    enum bough_err err = bough_store_read(sel->store, &id, NULL, &sel->body);
    if (!err)
        err = bough_commit_parse(sel->store->algo, bough_buf_view(&sel->body), &c);
    for (uint32_t i = 0; !err && i < c.parents_n; i++) {
        struct bough_oid parent = bough_commit_parent(&c, i);
        uint64_t number = bough_sync__ids_find(&sel->ids, &parent, &row)
                              ? bough_sync__ids_get(&sel->ids, row)
                              : 0;
        if ((number & HAVE) != 0 && number >> BOUGH_SYNC__BITS != 0)
            had = (uint32_t)(number >> BOUGH_SYNC__BITS);
    }
    node->anchor = sel->nodes[had - 1].tree + 1;
    return err;
}

enum bough_err bough_sync__select_anchors_step(struct bough_sync__select *sel)
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
        uint64_t number = bough_sync__ids_get(&sel->ids, bough_sync__select_parent(sel, &node, i));
        bough_sync__flag(&sel->ids, bough_sync__select_parent(sel, &node, i), BELOW);
        if (node.anchor != 0)
            continue;
        if ((number & HAVE) != 0) {
            enum bough_err fault = bough_sync__select_parent_tree(sel, &node, i, &tree);
            if (fault)
                return fault;
            node.anchor = tree + 1;
        } else if (number >> BOUGH_SYNC__BITS != 0) {
            node.anchor = sel->nodes[(number >> BOUGH_SYNC__BITS) - 1].anchor;
        }
    }
    enum bough_err err = node.n == 0 ? anchor_loose(sel, &node) : BOUGH_OK;
    sel->nodes[at].anchor = node.anchor;
    return err;
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

enum bough_err bough_sync__select_marks_step(struct bough_sync__select *sel)
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
        if ((bough_sync__select_parent_flags(sel, &node, i) & HAVE) == 0)
            continue;
        enum bough_err err = bough_sync__select_parent_tree(sel, &node, i, &tree);
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
    else if (node->n > 0 && (bough_sync__select_parent_flags(sel, node, 0) & COVERED) != 0)
        err = bough_sync__select_parent_tree(sel, node, 0, &tree);
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
    enum bough_err err = bough_sync__select_entry(sel, &id, BOUGH_TREE, false, &enter);
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
        uint64_t number = bough_sync__ids_get(&sel->ids, bough_sync__select_parent(sel, node, i));
        if (number >> BOUGH_SYNC__BITS != 0)
            sel->nodes[(number >> BOUGH_SYNC__BITS) - 1].child = at + 1;
    }
}

enum bough_err bough_sync__select_trees_step(struct bough_sync__select *sel)
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
