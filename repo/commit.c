/*
 * commit.c - commits made and roots found.
 *
 *   checking   who and why can be written
 *   making     a commit's bytes, as git's
 *   roots      the tree of a commit, tags peeled
 */
#include "repo/commit_inner.h"
#include "repo/inner.h"

enum { TAG_CHAIN_MAX = 64 }; /* tags of tags */

static struct bough_ident committer_of(const struct bough_info *info)
{
    return info->committer.name.ptr != NULL ? info->committer : info->author;
}

enum bough_err bough_repo__info_check(struct bough_repo *r, const struct bough_info *info)
{
    struct bough_ident committer = committer_of(info);

    if (!bough_ident_ok(&info->author) || !bough_ident_ok(&committer))
        return BOUGH_WHY(&r->why, BOUGH_EINVAL, "author or committer", info->author.name.ptr,
            info->author.name.len);
    for (size_t i = 0; i < info->message.len; i++) {
        if (info->message.ptr[i] == 0)
            return BOUGH_WHY(&r->why, BOUGH_EINVAL, "NUL in the message", NULL, 0);
    }
    return BOUGH_OK;
}

enum bough_err bough_repo__commit_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *tree, const struct bough_oid *parents, size_t parents_n,
    const struct bough_info *info, struct bough_oid *id)
{
    struct bough_commit_parts parts = {
        .tree = *tree,
        .parents = parents,
        .parents_n = (uint32_t)parents_n,
        .author = info->author,
        .committer = committer_of(info),
        .message = info->message,
    };
    struct bough_oid empty;
    struct bough_buf body;
    enum bough_err err = BOUGH_OK;

    if (bough_oid_eq(tree, bough_oid_empty_tree(r->algo)))
        err = bough_txn_put(txn, BOUGH_TREE, bough_view(NULL, 0), &empty);
    if (err)
        return err;
    bough_buf_init(&body, r->mem);
    bough_commit_put(&body, r->algo, &parts);
    err = body.err;
    if (err == BOUGH_OK)
        err = bough_txn_put(txn, BOUGH_COMMIT, bough_buf_view(&body), id);
    bough_buf_fini(&body);
    return err;
}

/* One step from an object towards a tree. */
static enum bough_err root_step(
    struct bough_repo *r, enum bough_type type, struct bough_view raw, struct bough_oid *id)
{
    struct bough_commit c;
    struct bough_tag t;
    enum bough_err err;

    switch (type) {
    case BOUGH_COMMIT:
        err = bough_commit_parse(r->algo, raw, &c);
        if (err == BOUGH_OK)
            *id = c.tree;
        break;
    case BOUGH_TAG:
        err = bough_tag_parse(r->algo, raw, &t);
        if (err == BOUGH_OK)
            *id = t.object;
        break;
    default:
        return BOUGH_WHY(&r->why, BOUGH_EINVAL, "not a commit, tag or tree", NULL, 0);
    }
    return err ? BOUGH_WHY(&r->why, BOUGH_ECORRUPT, "broken commit or tag", NULL, 0) : err;
}

/* Follow tags; `raw` then holds the bytes of a commit. */
static enum bough_err peel_in(struct bough_repo *r, struct bough_store *store, struct bough_oid *id,
    enum bough_type *type, struct bough_buf *raw)
{
    for (int i = 0; i < TAG_CHAIN_MAX; i++) {
        struct bough_found found;
        enum bough_err err = bough_store_find(store, id, &found);

        bough_buf_clear(raw);
        if (err == BOUGH_OK && (found.type == BOUGH_COMMIT || found.type == BOUGH_TAG))
            err = bough_store_read(store, id, NULL, raw);
        if (err) {
            r->why = store->why;
            return err;
        }
        *type = found.type;
        if (found.type != BOUGH_TAG)
            return BOUGH_OK;
        err = root_step(r, BOUGH_TAG, bough_buf_view(raw), id);
        if (err)
            return err;
    }
    return BOUGH_WHY(&r->why, BOUGH_ETOOBIG, "tags of tags", NULL, 0);
}

enum bough_err bough_repo__peel(
    struct bough_repo *r, const struct bough_oid *id, struct bough_oid *out, enum bough_type *type)
{
    struct bough_buf raw;
    enum bough_err err;

    *out = *id;
    bough_buf_init(&raw, r->mem);
    err = peel_in(r, r->store, out, type, &raw);
    bough_buf_fini(&raw);
    return err;
}

enum bough_err bough_repo__root_in(struct bough_repo *r, struct bough_store *store,
    const struct bough_oid *id, struct bough_oid *peeled, struct bough_oid *root)
{
    struct bough_buf raw;
    enum bough_type type;
    enum bough_err err;

    *root = *id;
    bough_buf_init(&raw, r->mem);
    err = peel_in(r, store, root, &type, &raw);
    if (err == BOUGH_OK && peeled != NULL)
        *peeled = *root;
    if (err == BOUGH_OK && type != BOUGH_TREE)
        err = root_step(r, type, bough_buf_view(&raw), root);
    bough_buf_fini(&raw);
    return err;
}

enum bough_err bough_repo_root_of(
    struct bough_repo *r, const struct bough_oid *commit, struct bough_oid *root)
{
    return bough_repo__root_in(r, r->store, commit, NULL, root);
}
