/*
 * tree_inner.h - struct bough_tree: a root, and a trie of edited directories over it.
 *
 *   opened     what is read lives meanwhile                tree.c
 *   looking    with what owns what is found                find.c
 *   edits      one after another, for who describes them   list.c
 */
#ifndef BOUGH_REPO_TREE_INNER_H
#define BOUGH_REPO_TREE_INNER_H

#include "base/buf.h"
#include "repo/repo.h"
#include "store/collect.h"

struct bough_repo__change;
struct bough_repo__dir;
struct bough_repo__edit;
struct bough_repo__node;

/* A tree that somebody opened: what it reads lives meanwhile. */
struct bough_repo__opened {
    struct bough_store_pin pin; /* of its root */
    struct bough_tree *tree;
    struct bough_repo__opened *next, **at;
};

struct bough_tree {
    struct bough_repo *r;
    struct bough_repo__opened *opened; /* by bough_tree_open(); NULL: a head's, or a passing one */
    uint64_t stamp;                    /* of this state, for the path cache; 0: it is not cached */
    struct bough_oid root;             /* below the edits */
    struct bough_repo__dir *top;       /* the edits; NULL: none */
    struct bough_repo__node *listed;   /* pinned: whose name next() lent */
    struct bough_buf name;             /* which it lent when there is no node */
};

void bough_repo__tree_init(
    struct bough_tree *t, struct bough_repo *r, const struct bough_oid *root);
void bough_repo__tree_fini(struct bough_tree *t);

/* BOUGH_EEXPIRED: what it reads was given up. */
enum bough_err bough_repo__tree_check(struct bough_tree *t);

/* Forget the edits, and take a new root; a stamped tree gets a new stamp. */
void bough_repo__tree_reset(struct bough_tree *t, const struct bough_oid *root);

/* Let the path cache keep what is found in this tree. */
void bough_repo__tree_stamp(struct bough_tree *t);

/* The same for those outside. */
void bough_repo__node_say(const struct bough_repo__change *is, struct bough_node *out);

/* What is at `path`, with what owns it; `through` as bough_tree_find(). */
enum bough_err bough_repo__tree_look(
    struct bough_tree *t, struct bough_view path, struct bough_repo__change *out, size_t *through);

/*
 * One edit, as told to those who describe them: it replaces what `d` has at its name, which is the
 * last segment of `path`.
 */
typedef enum bough_err bough_repo__edit_fn(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e);

/* Every edit of the tree, directories that hold edits (`to.dir`) before what they hold; `path` is
   borrowed for the call. */
enum bough_err bough_repo__tree_edits(struct bough_tree *t, bough_repo__edit_fn *fn, void *ctx);

/* How many of them are no directories that hold edits; looks at directories only. */
uint64_t bough_repo__tree_edits_n(const struct bough_tree *t);

#endif
