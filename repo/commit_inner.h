/*
 * commit_inner.h - commits: made, peeled (commit.c), described (message.c).
 */
#ifndef BOUGH_REPO_COMMIT_INNER_H
#define BOUGH_REPO_COMMIT_INNER_H

#include "base/buf.h"
#include "repo/repo.h"

struct bough_store;
struct bough_txn;

/* Is this author, committer and message one that can be written? */
enum bough_err bough_repo__info_check(struct bough_repo *r, const struct bough_info *info);

enum bough_err bough_repo__commit_put(struct bough_repo *r, struct bough_txn *txn,
    const struct bough_oid *tree, const struct bough_oid *parents, size_t parents_n,
    const struct bough_info *info, struct bough_oid *id);

/* As bough_repo_root_of(), with the objects of `store`; `peeled` (may be NULL): the first no tag. */
enum bough_err bough_repo__root_in(struct bough_repo *r, struct bough_store *store,
    const struct bough_oid *id, struct bough_oid *peeled, struct bough_oid *root);

/* The default message: of a tree's edits, and of what differs between two roots. */
enum bough_err bough_repo__message_edits(struct bough_tree *t, struct bough_buf *out);
enum bough_err bough_repo__message_diff(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, struct bough_buf *out);

/* The object that tags lead to, and its type. */
enum bough_err bough_repo__peel(
    struct bough_repo *r, const struct bough_oid *id, struct bough_oid *out, enum bough_type *type);

#endif
