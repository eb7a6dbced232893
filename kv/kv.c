/*
 * kv.c - places, walks and batches: arguments checked, errors named, defaults supplied.
 *
 *   places       init, close, info
 *   keys         to paths; errors that name them
 *   walking      next, fold
 *   others       snapshot, again, begin, expect, commit, abort, batch
 */
#include "kv/inner.h"

/* ---- Places ---- */

enum { RETRIES_DEFAULT = 13 };

void bough_kv_init(struct bough_kv *kv, const struct bough_kv_class *cls,
    const struct bough_env *env, enum bough_algo algo, uint32_t caps)
{
    *kv = (struct bough_kv){.cls = cls, .env = env, .algo = algo, .caps = caps};
    kv->retries = RETRIES_DEFAULT;
    bough_buf_init(&kv->path, env->mem);
    bough_buf_init(&kv->key, env->mem);
}

void bough_kv_close(struct bough_kv *kv)
{
    if (kv == NULL)
        return;
    bough_kv_close(kv->batch); /* at most one deep: batches do not nest */
    bough_buf_fini(&kv->path);
    bough_buf_fini(&kv->key);
    kv->cls->close(kv);
}

enum bough_err bough_kv_info(struct bough_kv *kv, const struct bough_info *info)
{
    return kv->cls->info != NULL ? kv->cls->info(kv, info) : BOUGH_OK;
}

void bough_kv_retries(struct bough_kv *kv, uint32_t n)
{
    kv->retries = n;
}

/* ---- Keys ---- */

enum bough_err bough_kv__path(struct bough_kv *kv, struct bough_view key, struct bough_view *out)
{
    uint8_t *dst;

    bough_buf_clear(&kv->path);
    if (key.len == 0) {
        *out = bough_view("", 0);
        return BOUGH_OK;
    }
    dst = bough_buf_room(&kv->path, key.len);
    if (dst == NULL)
        return bough_why_set(&kv->why, kv->path.err, "", NULL, 0);
    *out = bough_view(dst, bough_path_normal(key, dst));
    return BOUGH_OK;
}

enum bough_err bough_kv__retries_fail(struct bough_kv *kv, uint32_t allowed)
{
    enum bough_err err = bough_why_set(&kv->why, BOUGH_ERETRIES, "re-runs allowed", NULL, 0);

    kv->why.at = allowed;
    return err;
}

/* ---- Walking ---- */

/* There are no more children, or there is no such dictionary. */
static enum bough_err next_none(struct bough_kv *kv, struct bough_view path)
{
    struct bough_node n;
    enum bough_err err = kv->cls->find(kv, path, &n, NULL);

    if (err)
        return bough_kv__fail(kv, err, path);
    if (n.kind == BOUGH_NODE_VALUE)
        return bough_kv__why(&kv->why, BOUGH_EDICT, "", path);
    return bough_kv__why(&kv->why, BOUGH_ENOENT, n.kind == BOUGH_NODE_NONE ? "" : "end", path);
}

enum bough_err bough_kv_next(
    struct bough_kv *kv, struct bough_view key, struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_view path;
    enum bough_err err;
    size_t at;

    kv->why.err = BOUGH_OK;
    err = bough_kv__path(kv, key, &path);
    if (err)
        return err;
    *out = (struct bough_kv_entry){0};
    err = kv->cls->next(kv, path, after, out);
    if (err == BOUGH_ENOENT)
        return next_none(kv, path);
    if (err)
        return bough_kv__fail(kv, err, path);
    bough_buf_clear(&kv->key);
    bough_buf_put_u8(&kv->key, '/');
    bough_buf_put_view(&kv->key, path);
    if (path.len > 0)
        bough_buf_put_u8(&kv->key, '/');
    at = kv->key.len;
    bough_buf_put_view(&kv->key, out->name);
    if (kv->key.err)
        return bough_kv__fail(kv, kv->key.err, path);
    out->key = bough_buf_view(&kv->key);
    out->name = bough_view(kv->key.ptr + at, kv->key.len - at);
    return BOUGH_OK;
}

/* A walk stands at dictionary path[0..dir) and has seen its children up to `after`. */
struct walk {
    struct bough_buf path; /* printed form without a slash at the end; the root is "" */
    struct bough_buf after;
    uint32_t level;
};

/* Go back to the dictionary above, behind the one that was left. */
static void walk_up(struct walk *w)
{
    struct bough_view path = bough_buf_view(&w->path), name = bough_kv__path_name(path);

    bough_buf_clear(&w->after);
    bough_buf_put_view(&w->after, name);
    w->path.len -= name.len + 1;
    w->level--;
}

/* One child: told, and entered when it is a dictionary. */
static enum bough_err walk_child(
    struct walk *w, struct bough_kv_entry *e, uint32_t depth, bough_kv_fold_fn *fn, void *ctx)
{
    size_t dir = w->path.len;
    enum bough_err err;

    bough_buf_clear(&w->after);
    bough_buf_put_view(&w->after, e->name);
    bough_buf_put_u8(&w->path, '/');
    bough_buf_put_view(&w->path, e->name);
    if (w->after.err || w->path.err)
        return BOUGH_ENOMEM;
    e->key = bough_buf_view(&w->path);
    e->name = bough_buf_view(&w->after);
    err = fn(ctx, e);
    if (err)
        return err;
    if (e->kind == BOUGH_KIND_DICT && (depth == 0 || w->level + 1 < depth)) {
        w->level++;
        bough_buf_clear(&w->after);
    } else {
        w->path.len = dir;
    }
    return BOUGH_OK;
}

static enum bough_err walk_run(struct bough_kv *at, struct bough_kv *kv, struct walk *w,
    uint32_t depth, bough_kv_fold_fn *fn, void *ctx)
{
    struct bough_kv_entry e;

    for (bool first = true;; first = false) {
        enum bough_err err = w->after.err;

        if (!err)
            err = bough_kv_next(at, bough_buf_view(&w->path), bough_buf_view(&w->after), &e);
        if (err == BOUGH_ENOENT && w->level == 0 && (!first || at->why.what[0] != '\0'))
            return BOUGH_OK;
        if (err == BOUGH_ENOENT && w->level > 0) {
            walk_up(w);
            continue;
        }
        if (!err) {
            err = walk_child(w, &e, depth, fn, ctx);
        } else if (at != kv) {
            kv->why = at->why;
        }
        if (err)
            return err;
    }
}

/* What a fold walks on, unless it is the place itself. */
static enum bough_err fold_still(struct bough_kv *kv, struct bough_kv **out)
{
    enum bough_err err = BOUGH_ENOTSUP;

    *out = NULL;
    kv->why.err = BOUGH_OK;
    if (kv->cls->still != NULL)
        err = kv->cls->still(kv, out);
    else if (kv->cls->snapshot != NULL)
        err = kv->cls->snapshot(kv, out);
    return err == BOUGH_ENOTSUP ? BOUGH_OK : bough_kv__fail(kv, err, bough_view("", 0));
}

enum bough_err bough_kv_fold(
    struct bough_kv *kv, struct bough_view key, uint32_t depth, bough_kv_fold_fn *fn, void *ctx)
{
    struct bough_kv *at = kv, *snapshot = NULL;
    struct walk w = {.level = 0};
    struct bough_view path;
    enum bough_err err = BOUGH_OK;

    err = fold_still(kv, &snapshot);
    if (err)
        return err;
    if (snapshot != NULL)
        at = snapshot;
    bough_buf_init(&w.path, kv->env->mem);
    bough_buf_init(&w.after, kv->env->mem);
    err = bough_kv__path(kv, key, &path);
    if (err)
        goto out;
    if (path.len > 0) {
        bough_buf_put_u8(&w.path, '/');
        bough_buf_put_view(&w.path, path);
    }
    err = w.path.err;
    if (!err)
        err = walk_run(at, kv, &w, depth, fn, ctx);
out:
    bough_buf_fini(&w.path);
    bough_buf_fini(&w.after);
    bough_kv_close(snapshot);
    return err;
}

/* ---- Others ---- */

enum bough_err bough_kv_snapshot(struct bough_kv *kv, struct bough_kv **out)
{
    *out = NULL;
    kv->why.err = BOUGH_OK;
    if (kv->cls->snapshot == NULL)
        return bough_why_set(&kv->why, BOUGH_ENOTSUP, "no snapshots here", NULL, 0);
    return bough_kv__fail(kv, kv->cls->snapshot(kv, out), bough_view("", 0));
}

enum bough_err bough_kv_again(struct bough_kv *kv, struct bough_kv **out)
{
    *out = NULL;
    kv->why.err = BOUGH_OK;
    if (kv->cls->again == NULL)
        return bough_why_set(&kv->why, BOUGH_ENOTSUP, "no second handles here", NULL, 0);
    return bough_kv__fail(kv, kv->cls->again(kv, out), bough_view("", 0));
}

enum bough_err bough_kv_begin(
    struct bough_kv *kv, enum bough_strategy strategy, struct bough_kv **out)
{
    enum bough_err err;

    *out = NULL;
    kv->why.err = BOUGH_OK;
    if (kv->in_batch || kv->batch != NULL)
        return bough_why_set(&kv->why, BOUGH_ENESTED, "", NULL, 0);
    if (kv->cls->begin == NULL)
        return bough_why_set(&kv->why, BOUGH_ENOTSUP, "no batches here", NULL, 0);
    err = kv->cls->begin(kv, strategy, out);
    if (err)
        return bough_kv__fail(kv, err, bough_view("", 0));
    kv->batch = *out;
    return BOUGH_OK;
}

enum bough_err bough_kv_expect(
    struct bough_kv *batch, struct bough_view key, const struct bough_oid *digest)
{
    struct bough_view path;
    enum bough_err err = bough_kv__path(batch, key, &path);

    BOUGH_ASSERT(batch->in_batch);
    return err ? err : batch->cls->expect(batch, path, digest);
}

enum bough_err bough_kv_commit(struct bough_kv *batch)
{
    enum bough_err err;

    BOUGH_ASSERT(batch->in_batch);
    err = batch->cls->commit(batch);
    bough_kv_abort(batch);
    return err;
}

void bough_kv_abort(struct bough_kv *batch)
{
    bough_kv_close(batch);
}

enum bough_err bough_kv_batch(struct bough_kv *kv, bough_kv_batch_fn *fn, void *ctx)
{
    for (uint32_t n = 0;; n++) {
        struct bough_kv *batch;
        enum bough_err err = bough_kv_begin(kv, BOUGH_TEST_AND_SET, &batch);

        if (err)
            return err;
        err = fn(ctx, batch);
        if (err)
            bough_kv_abort(batch);
        if (err && err != BOUGH_EEXPIRED)
            return err;
        if (!err)
            err = bough_kv_commit(batch);
        if (err != BOUGH_ETEST && err != BOUGH_EEXPIRED) /* it moved, or made room for others */
            return err;
        if (n == kv->retries)
            return bough_kv__retries_fail(kv, kv->retries);
    }
}
