/*
 * copy.c - from any place to any place.
 *
 *   a source over a value that is read in pieces
 *   one value: bytes and mode
 *   all below a path, in a batch where the target has them
 */
#include "kv/inner.h"

/* ---- A value as a source ---- */

struct value_source {
    struct bough_source src;
    struct bough_kv *kv;
    struct bough_view key;
    uint64_t size, at;
    bool watched;               /* it is read in pieces, and may change between them */
    struct bough_modified last; /* when it had changed at first */
    struct bough_buf piece;
    size_t used;
};

/* A place that has no snapshots may change while it is read; who reads on must see one value. */
static enum bough_err value_watch(struct value_source *v)
{
    enum bough_err err = BOUGH_OK;

    v->watched = v->size > BOUGH_KV__PIECE && (v->kv->caps & BOUGH_KV_SNAPSHOT) == 0 &&
                 v->kv->cls->last_modified != NULL;
    if (v->watched)
        err = bough_kv_last_modified(v->kv, v->key, &v->last);
    return err;
}

/* Is it still the same? */
static enum bough_err value_still(struct value_source *v)
{
    struct bough_modified now;
    uint64_t size;
    enum bough_err err = bough_kv_size(v->kv, v->key, &size);

    if (!err)
        err = bough_kv_last_modified(v->kv, v->key, &now);
    if (!err &&
        (size != v->size || now.time.sec != v->last.time.sec || now.time.nsec != v->last.time.nsec))
        err = bough_kv__why(&v->kv->why, BOUGH_ETEST, "it changed while it was read", v->key);
    return err;
}

static enum bough_err value_peek(struct bough_source *src, struct bough_view *out)
{
    struct value_source *v = (struct value_source *)src;
    enum bough_err err = BOUGH_OK;

    if (v->used == v->piece.len) {
        bough_buf_clear(&v->piece);
        v->used = 0;
        err = bough_kv_get_part(v->kv, v->key, v->at, BOUGH_KV__PIECE, &v->piece);
        if (!err && v->watched && v->at + v->piece.len >= v->size)
            err = value_still(v);
    }
    *out = bough_view(v->piece.ptr + v->used, v->piece.len - v->used);
    return err;
}

static void value_skip(struct bough_source *src, size_t n)
{
    struct value_source *v = (struct value_source *)src;

    v->used += n;
    v->at += n;
}

static const struct bough_source_class value_class = {"value", value_peek, value_skip};

/* ---- Copying ---- */

struct copy {
    struct bough_kv *src, *dst;
    size_t from_len; /* bytes of each source key, printed, that are `from` */
    struct bough_view to;
    struct bough_buf key;
    bough_kv_progress_fn *progress;
    void *ctx;
};

/* The key at the target for the source's `key`. */
static enum bough_err copy_key(struct copy *c, struct bough_view key)
{
    bough_buf_clear(&c->key);
    bough_path_print(&c->key, c->to);
    bough_buf_put(&c->key, key.ptr + c->from_len, key.len - c->from_len);
    return c->key.err;
}

static enum bough_err copy_value(struct copy *c, struct bough_view key, uint32_t git_mode)
{
    struct bough_set_opts opts = {
        .has_mode = (c->dst->caps & BOUGH_KV_MODE) != 0, .mode = bough_kv__mode_of(git_mode)};
    struct value_source v = {.src = {&value_class}, .kv = c->src, .key = key};
    enum bough_err err = bough_kv_size(c->src, key, &v.size);

    if (!err)
        err = value_watch(&v);
    if (!err)
        err = copy_key(c, key);
    if (err) {
        c->dst->why = c->src->why;
        return err;
    }
    bough_buf_init(&v.piece, c->src->env->mem);
    err = bough_kv_set_stream(c->dst, bough_buf_view(&c->key), v.size, &v.src, &opts);
    bough_buf_fini(&v.piece);
    if (!err && c->progress != NULL)
        c->progress(c->ctx, bough_buf_view(&c->key), v.size);
    return err;
}

static enum bough_err copy_entry(void *ctx, const struct bough_kv_entry *e)
{
    struct copy *c = ctx;

    if (e->kind != BOUGH_KIND_VALUE || e->git_mode == BOUGH_KV__SUBMODULE)
        return BOUGH_OK;
    return copy_value(c, e->key, e->git_mode);
}

static enum bough_err copy_run(struct copy *c, struct bough_view from)
{
    struct bough_view path;
    struct bough_node n;
    enum bough_err err = bough_kv__path(c->src, from, &path);

    if (!err)
        err = c->src->cls->find(c->src, path, &n, NULL);
    if (err)
        return bough_kv__fail(c->dst, err, from);
    bough_buf_clear(&c->key);
    bough_path_print(&c->key, from);
    c->from_len = path.len > 0 ? c->key.len : 0;
    if (n.kind == BOUGH_NODE_VALUE) {
        struct bough_buf key;

        bough_buf_init(&key, c->src->env->mem);
        bough_path_print(&key, from);
        err = key.err ? key.err : copy_value(c, bough_buf_view(&key), n.mode);
        bough_buf_fini(&key);
        return err;
    }
    err = bough_kv_fold(c->src, from, 0, copy_entry, c);
    if (err && c->dst->why.err != err)
        c->dst->why = c->src->why;
    return err;
}

enum bough_err bough_kv_copy(struct bough_kv *src, struct bough_view from, struct bough_kv *dst,
    struct bough_view to, bough_kv_progress_fn *progress, void *ctx)
{
    struct bough_kv *batch = NULL;
    struct copy c = {.src = src, .dst = dst, .to = to, .progress = progress, .ctx = ctx};
    enum bough_err err = BOUGH_OK;

    dst->why.err = BOUGH_OK;
    if ((dst->caps & BOUGH_KV_BATCH) != 0 && !dst->in_batch) {
        err = bough_kv_begin(dst, BOUGH_TEST_AND_SET, &batch);
        if (err)
            return err;
        c.dst = batch;
    }
    bough_buf_init(&c.key, dst->env->mem);
    err = copy_run(&c, from);
    bough_buf_fini(&c.key);
    if (batch == NULL)
        return err;
    if (!err)
        return bough_kv_commit(batch);
    dst->why = batch->why;
    bough_kv_abort(batch);
    return err;
}
