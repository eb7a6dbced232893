/*
 * place_inner.h - what a branch and a tree share as places (place.c, branch.c).
 */
#ifndef BOUGH_KV_PLACE_INNER_H
#define BOUGH_KV_PLACE_INNER_H

#include "kv/inner.h"

enum { BOUGH_KV__CAPS_TREE = BOUGH_KV_MODE | BOUGH_KV_HISTORY };

struct bough_kv__place {
    struct bough_kv kv;
    struct bough_repo *repo;
    struct bough_branch *branch; /* NULL: the tree below */
    struct bough_tree *tree;
    struct bough_oid commit; /* that the tree is of; zero: of none */
    struct bough_kv__info info;
};

static inline struct bough_kv__place *bough_kv__place_of(struct bough_kv *kv)
{
    return (struct bough_kv__place *)kv;
}

/* Fills kv.why from the repository's, if that tells of `err`; returns it. */
enum bough_err bough_kv__place_failed(struct bough_kv__place *p, enum bough_err err);

/* The repository knows more of a failure than the path. */
static inline enum bough_err bough_kv__place_told(struct bough_kv__place *p, enum bough_err err)
{
    return err ? bough_kv__place_failed(p, err) : BOUGH_OK;
}

/* A handle of the class that is of no branch and no tree yet; NULL in `out` for want of memory. */
enum bough_err bough_kv__place_new(struct bough_repo *r, const struct bough_kv_class *cls,
    uint32_t caps, struct bough_kv__place **out);

/* A place on the tree `root`, which is that of `commit`. */
enum bough_err bough_kv__place_tree(struct bough_repo *r, const struct bough_oid *root,
    const struct bough_oid *commit, uint32_t caps, struct bough_kv **out);

/* The tree that is read now: of a branch, with what its window holds. */
enum bough_err bough_kv__place_root(struct bough_kv__place *p, struct bough_tree **out);

/* Apply a write to a tree in memory. */
enum bough_err bough_kv__place_edit(struct bough_tree *t, const struct bough_write *w);

/* Methods of both classes. */
void bough_kv__place_close(struct bough_kv *kv);
enum bough_err bough_kv__place_info(struct bough_kv *kv, const struct bough_info *info);
enum bough_err bough_kv__place_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through);
enum bough_err bough_kv__place_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out);
enum bough_err bough_kv__place_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out);
enum bough_err bough_kv__place_get(struct bough_kv *kv, struct bough_view path, uint64_t at,
    uint64_t len, struct bough_node *n, struct bough_buf *out);
enum bough_err bough_kv__place_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out);
enum bough_err bough_kv__place_digest(
    struct bough_kv *kv, struct bough_view path, struct bough_oid *out);
enum bough_err bough_kv__place_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out);

#endif
