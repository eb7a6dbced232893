/*
 * follow.c - a branch's tree goes to another root, and what is known of its paths stays true.
 *
 *   edits    the committer knows what it changes: those paths are forgotten
 *   diff     of the two roots, where somebody else made the new one
 *
 * Dropping an entry of the path cache is right whatever becomes of the transaction; so is a new
 * stamp, which forgets all.  That is what a change of more than some paths comes to.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/path_inner.h"
#include "repo/tree_inner.h"

enum { PATHS_MAX = 4096 }; /* that differ: beyond, all are forgotten */

/* ---- Edits ---- */

static enum bough_err edit_forget(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e)
{
    struct bough_tree *head = (struct bough_tree *)ctx;
    const struct bough_repo__dir *sub = e->to.dir;
    uint32_t i = bough_repo__edit_base(head->r, d, e);

    if (i == UINT32_MAX)
        return BOUGH_OK;
    if (bough_repo__node_mode(d->base, i) != BOUGH_REPO__DIR) {
        bough_repo__path_drop(head, path);
        return BOUGH_OK;
    }
    if (sub != NULL && sub->base != NULL &&
        memcmp(sub->base->id.bytes, bough_repo__node_raw_id(d->base, i), head->r->hash_len) == 0)
        return BOUGH_OK; /* its edits are told, too */
    return BOUGH_EINVAL; /* all below it changes */
}

bool bough_repo__forget_edits(struct bough_tree *head, struct bough_tree *edited)
{
    if (head->stamp != 0 && head->r->paths.pages == 0)
        return true; /* nothing is known of any path */
    return head->stamp != 0 && head->top == NULL && bough_oid_eq(&head->root, &edited->root) &&
           bough_repo__tree_edits(edited, edit_forget, head) == BOUGH_OK;
}

/* ---- Diff ---- */

static enum bough_err diff_forget(struct bough_tree *head, struct bough_diff *d)
{
    struct bough_diff_entry e;
    enum bough_err err;

    for (int i = 0; i < PATHS_MAX; i++) {
        err = bough_diff_next(d, &e);
        if (err)
            return err == BOUGH_ENOENT ? BOUGH_OK : err;
        bough_repo__path_drop(head, e.path);
    }
    return BOUGH_ETOOBIG;
}

/* The same for those that differ in `root`. */
static bool forget_diff(struct bough_tree *head, const struct bough_oid *root)
{
    struct bough_repo *r = head->r;
    struct bough_why why = r->why;
    struct bough_diff *d;
    enum bough_err err;

    if (head->stamp == 0 || head->top != NULL || r->paths.pages == 0)
        return false;
    err = bough_diff_open(r, &head->root, root, bough_view(NULL, 0), &d);
    if (err == BOUGH_OK) {
        err = diff_forget(head, d);
        bough_diff_close(d);
    }
    r->why = why; /* nobody failed: all is forgotten then */
    return err == BOUGH_OK;
}

void bough_repo__tree_follow(struct bough_tree *head, const struct bough_oid *root, bool forgot)
{
    uint64_t stamp = head->stamp;

    forgot = forgot || forget_diff(head, root);
    bough_repo__tree_reset(head, root);
    if (forgot)
        head->stamp = stamp;
}
