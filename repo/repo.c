/*
 * repo.c - opening a repository, and reading values.
 *
 *   open, close, facts
 *   values    whole, in part, their size
 */
#include "repo/chain_inner.h"
#include "repo/head_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/keep_inner.h"
#include "repo/name_inner.h"
#include "repo/node_inner.h"
#include "repo/path_inner.h"
#include "repo/txn_inner.h"

enum { CACHE_DEFAULT = 64 << 20 }; /* bytes */

/* ---- Open, close, facts ---- */

/* What the journal holds becomes overlays; where each write commits at once, commits. */
static enum bough_err repo_recover(struct bough_repo *r)
{
    enum bough_err err = bough_repo__heads_recover(r);

    if (err == BOUGH_OK && r->window.time_ms == 0)
        err = bough_repo_fold_all(r);
    return err == BOUGH_ENOSPC ? BOUGH_OK : err; /* what is there can be read */
}

enum bough_err bough_repo_open(
    struct bough_store *store, const struct bough_repo_opts *opts, struct bough_repo **out)
{
    static const struct bough_repo_opts plain = {0};
    struct bough_mem *mem = store->env->mem;
    struct bough_repo *r = bough_mem_zalloc(mem, 1, sizeof *r);
    size_t cache;
    enum bough_err err;

    if (r == NULL)
        return BOUGH_ENOMEM;
    if (opts == NULL)
        opts = &plain;
    cache = opts->cache == 0 ? CACHE_DEFAULT : opts->cache;
    r->store = store;
    r->mem = mem;
    r->algo = store->algo;
    r->hash_len = bough_algo_len(store->algo);
    r->window = opts->window;
    r->durable = opts->durable;
    r->cache.limit = cache / 8 * 3;
    r->chains.limit = cache / 8;
    r->paths.limit = cache / 2;
    bough_env_random(store->env, &r->key, sizeof r->key);
    bough_buf_init(&r->lent, mem);
    bough_buf_init(&r->cache.body, mem);
    bough_buf_init(&r->home, mem);
    bough_buf_init(&r->events, mem);
    err = bough_history__init(r, opts->history_batch);
    if (err == BOUGH_OK)
        err = bough_repo__keeps_load(r);
    if (err == BOUGH_OK)
        err = repo_recover(r);
    if (err) {
        store->why = r->why;
        bough_repo_close(r);
        return err;
    }
    bough_repo__keeper_init(r);
    *out = r;
    return BOUGH_OK;
}

void bough_repo_close(struct bough_repo *r)
{
    if (r == NULL)
        return;
    bough_history__fini(r);
    BOUGH_ASSERT(r->opened == NULL); /* every tree was closed */
    if (r->store->keeper == &r->keeper)
        bough_store_keep(r->store, NULL);
    bough_txn_abort(r->txn);
    bough_repo__moved_drop(r);
    bough_repo__keeps_fini(r);
    bough_repo__heads_fini(r);
    bough_repo__chains_drop(r);
    bough_repo__cache_fini(r);
    bough_repo__paths_fini(r);
    bough_buf_fini(&r->lent);
    bough_buf_fini(&r->home);
    bough_buf_fini(&r->events);
    bough_mem_free(r->mem, r, sizeof *r);
}

struct bough_store *bough_repo_store(struct bough_repo *r)
{
    return r->store;
}

const struct bough_env *bough_repo_env(struct bough_repo *r)
{
    return r->store->env;
}

struct bough_why *bough_repo_why(struct bough_repo *r)
{
    return &r->why;
}

/* ---- Values ---- */

/* Values that have bytes here: not dictionaries, not other repositories. */
static enum bough_err value_check(struct bough_repo *r, const struct bough_node *n)
{
    if (n->kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    if (n->kind == BOUGH_NODE_DICT)
        return BOUGH_EVALUE;
    if (bough_repo__mode_class(n->mode) == BOUGH_REPO__SUB)
        return BOUGH_WHY(&r->why, BOUGH_ENOTSUP, "a submodule has no bytes here", NULL, 0);
    return BOUGH_OK;
}

enum bough_err bough_node_read(
    struct bough_repo *r, const struct bough_node *n, struct bough_buf *out)
{
    enum bough_err err = value_check(r, n);

    if (err)
        return err;
    if (n->bytes.ptr == NULL)
        return bough_repo__stored(r, bough_store_read(r->store, &n->id, NULL, out), &n->id);
    bough_buf_put_view(out, n->bytes);
    return out->err;
}

enum bough_err bough_node_size(struct bough_repo *r, const struct bough_node *n, uint64_t *out)
{
    struct bough_found found;
    enum bough_err err = value_check(r, n);

    if (err)
        return err;
    if (n->bytes.ptr != NULL) {
        *out = n->bytes.len;
        return BOUGH_OK;
    }
    err = bough_repo__stored(r, bough_store_find(r->store, &n->id, &found), &n->id);
    if (err == BOUGH_OK)
        *out = found.size;
    return err;
}

enum bough_err bough_node_read_part(struct bough_repo *r, const struct bough_node *n, uint64_t at,
    void *dst, size_t len, size_t *got)
{
    enum bough_err err = value_check(r, n);

    if (err)
        return err;
    if (n->bytes.ptr == NULL)
        return bough_repo__stored(
            r, bough_store_read_part(r->store, &n->id, at, dst, len, got), &n->id);
    *got = 0;
    if (at >= n->bytes.len || len == 0)
        return BOUGH_OK;
    *got = n->bytes.len - (size_t)at < len ? n->bytes.len - (size_t)at : len;
    memcpy(dst, n->bytes.ptr + (size_t)at, *got);
    return BOUGH_OK;
}
