/*
 * follow.c - a branch's tree goes to another root, and what is known of its paths stays true.
 *
 *   edits    the committer knows what it changes: those paths are forgotten
 *   diff     of the two roots, where somebody else made the new one
 *
 * Dropping an entry of the path cache is right whatever becomes of the transaction; so is a new
 * stamp, which forgets all.  That is what a change of more than some paths comes to.
 */
#include "repo/inner.h"

enum { PATHS_MAX = 4096 }; /* that differ: beyond, all are forgotten */

/* ---- Edits ---- */

static enum bough_err edit_forget(void *ctx, struct bough_repo__dir *d, struct bough_view path,
    struct bough_view name, struct bough_repo__change *to)
{
    struct bough_tree *head = (struct bough_tree *)ctx;
    struct bough_repo__change was;

    bough_repo__dir_base(head->r, d, name, &was);
    if (was.kind == BOUGH_NODE_VALUE)
        bough_repo__path_drop(head, path);
    if (was.kind != BOUGH_NODE_DICT)
        return BOUGH_OK;
    if (to->dir != NULL && to->dir->base != NULL && bough_oid_eq(&to->dir->base->id, &was.id))
        return BOUGH_OK; /* its edits are told, too */
    return BOUGH_EINVAL; /* all below it changes */
}

bool bough_repo__forget_edits(struct bough_tree *head, struct bough_tree *edited)
{
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

bool bough_repo__forget_diff(struct bough_tree *head, const struct bough_oid *root)
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

    forgot = forgot || bough_repo__forget_diff(head, root);
    bough_repo__tree_reset(head, root);
    if (forgot)
        head->stamp = stamp;
}
