/*
 * write.c - the calls that write: checks in their order, then the driver's method.
 *
 *   aim       the key, what is there, what it may become
 *   sources   a value that comes as a stream
 *   values    set, set_blob, set_stream
 *   removal   remove, clear
 *
 * Every change has three moments: a batch is told (bough_kv__batch_step), the driver does it, and
 * when the driver failed the batch is told to forget.  Parts of values are in splice.c, rename is in
 * rename.c.
 */
#include "kv/inner.h"
#include "kv/write_inner.h"

/* ---- Aim ---- */

enum bough_err bough_kv__aim_key(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path)
{
    enum bough_err err;

    kv->why.err = BOUGH_OK;
    if ((kv->caps & BOUGH_KV_WRITE) == 0 || kv->cls->write == NULL)
        return bough_kv__why(&kv->why, BOUGH_EREADONLY, "", key);
    err = bough_path_check(key, &kv->why);
    if (err)
        return err;
    return bough_kv__path(kv, key, path);
}

enum bough_err bough_kv__aim_below(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path)
{
    enum bough_err err = bough_kv__aim_key(kv, key, path);

    if (!err && path->len == 0)
        return bough_kv__why(&kv->why, BOUGH_EKEY, "the root", *path);
    return err;
}

enum bough_err bough_kv__aim_look(struct bough_kv *kv, struct bough_kv__aim *aim)
{
    enum bough_err err;

    aim->through = 0;
    kv->writing = true;
    err = kv->cls->find(kv, aim->path, &aim->node, &aim->through);
    kv->writing = false;
    return err ? bough_kv__fail(kv, err, aim->path) : BOUGH_OK;
}

enum bough_err bough_kv__aim_at(
    struct bough_kv *kv, struct bough_view key, struct bough_kv__aim *aim)
{
    enum bough_err err = bough_kv__aim_below(kv, key, &aim->path);

    return err ? err : bough_kv__aim_look(kv, aim);
}

/* The condition of `opts`: what is there has the digest asked for. */
static enum bough_err aim_test(
    struct bough_kv *kv, const struct bough_kv__aim *aim, const struct bough_set_opts *opts)
{
    struct bough_oid now = {{0}};
    enum bough_err err = BOUGH_OK;

    if (opts == NULL || !opts->check)
        return BOUGH_OK;
    if (aim->node.kind != BOUGH_NODE_NONE)
        err = kv->cls->digest != NULL ? kv->cls->digest(kv, aim->path, &now)
                                      : bough_kv__digest_walk(kv, aim->path, &now);
    if (err)
        return bough_kv__fail(kv, err, aim->path);
    if (!bough_oid_eq(&now, &opts->digest))
        return bough_kv__why(&kv->why, BOUGH_ETEST, "another digest", aim->path);
    return BOUGH_OK;
}

enum bough_err bough_kv__aim_value(struct bough_kv *kv, struct bough_view key,
    const struct bough_set_opts *opts, struct bough_kv__aim *aim)
{
    bool force = opts != NULL && (opts->flags & BOUGH_SET_FORCE) != 0;
    enum bough_err err = bough_kv__aim_at(kv, key, aim);

    if (!err)
        err = aim_test(kv, aim, opts);
    if (err)
        return err;
    if (aim->through > 0 && !force)
        return bough_kv__why(&kv->why, BOUGH_EDICT, "", bough_view(aim->path.ptr, aim->through));
    if (aim->node.kind == BOUGH_NODE_DICT && !force)
        return bough_kv__why(&kv->why, BOUGH_EVALUE, "", aim->path);
    return BOUGH_OK;
}

enum bough_err bough_kv__aim_mode(struct bough_kv *kv, const struct bough_kv__aim *aim,
    const struct bough_set_opts *opts, bool links, uint32_t *out)
{
    uint32_t was = aim->node.kind == BOUGH_NODE_VALUE ? aim->node.mode : 0;

    *out = BOUGH_KV__FILE;
    if (opts != NULL && opts->has_mode)
        *out = bough_kv__mode_git(opts->mode);
    else if (was == BOUGH_KV__EXEC || (links && was == BOUGH_KV__LINK))
        *out = was;
    if (*out != BOUGH_KV__FILE && (kv->caps & BOUGH_KV_MODE) == 0)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no modes here", aim->path);
    return *out == BOUGH_KV__LINK ? bough_kv__link_check(aim->path, &kv->why) : BOUGH_OK;
}

enum bough_err bough_kv__write_one(struct bough_kv *kv, const struct bough_kv__step *step,
    const struct bough_write *w, uint32_t flags)
{
    enum bough_err err = bough_kv__batch_step(kv, step);

    if (err)
        return bough_kv__fail(kv, err, w->path);
    err = kv->cls->write(kv, w, 1, flags);
    if (err) {
        bough_kv__batch_unstep(kv);
        return bough_kv__fail(kv, err, w->path);
    }
    return BOUGH_OK;
}

/* ---- Sources ---- */

/* All of a source, at once. */
static enum bough_err source_whole(
    struct bough_kv *kv, struct bough_source *src, uint64_t size, struct bough_buf *out)
{
    uint8_t *dst;
    enum bough_err err;

    if (size > BOUGH_KV__VALUE_MAX)
        return bough_why_set(&kv->why, BOUGH_ETOOBIG, "value over 512 MiB", NULL, 0);
    if (size == 0)
        return BOUGH_OK;
    dst = bough_buf_room(out, (size_t)size);
    if (dst == NULL)
        return out->err;
    err = bough_source_read(src, dst, (size_t)size);
    out->len += err ? 0 : (size_t)size;
    return err;
}

enum bough_err bough_kv__write_source(struct bough_kv *kv, const struct bough_kv__aim *aim,
    uint32_t mode, uint64_t size, struct bough_source *src, uint32_t flags)
{
    struct bough_write w = {.path = aim->path, .mode = mode};
    struct bough_buf whole;
    enum bough_err err;

    if (size > BOUGH_KV__WHOLE_MAX && kv->cls->set_stream != NULL)
        return kv->cls->set_stream(kv, aim->path, mode, size, src);
    bough_buf_init(&whole, kv->env->mem);
    err = source_whole(kv, src, size, &whole);
    if (!err) {
        w.bytes = size > 0 ? bough_buf_view(&whole) : bough_view("", 0);
        err = kv->cls->write(kv, &w, 1, flags);
    }
    bough_buf_fini(&whole);
    return err;
}

/* ---- Values ---- */

enum bough_err bough_kv_set(struct bough_kv *kv, struct bough_view key, struct bough_view value,
    const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET, .bytes = value, .opts = opts};
    struct bough_write w = {.bytes = value.ptr != NULL ? value : bough_view("", 0)};
    struct bough_kv__aim aim;
    enum bough_err err = bough_kv__aim_value(kv, key, opts, &aim);

    if (!err)
        err = bough_kv__aim_mode(kv, &aim, opts, false, &w.mode);
    if (err)
        return err;
    step.key = w.path = aim.path;
    return bough_kv__write_one(kv, &step, &w, opts != NULL ? opts->flags : 0);
}

enum bough_err bough_kv_set_blob(struct bough_kv *kv, struct bough_view key,
    const struct bough_oid *blob, const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET_BLOB, .blob = *blob, .opts = opts};
    struct bough_write w = {.id = blob};
    struct bough_kv__aim aim;
    enum bough_err err = bough_kv__aim_value(kv, key, opts, &aim);

    if (err)
        return err;
    if ((kv->caps & BOUGH_KV_HISTORY) == 0)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no blobs here", aim.path);
    err = bough_kv__aim_mode(kv, &aim, opts, false, &w.mode);
    if (err)
        return err;
    step.key = w.path = aim.path;
    return bough_kv__write_one(kv, &step, &w, opts != NULL ? opts->flags : 0);
}

/* A batch keeps a stream's bytes: as a blob where the driver has them, else as one value. */
static enum bough_err batch_stream(struct bough_kv *kv, struct bough_view key, uint64_t size,
    struct bough_source *src, const struct bough_set_opts *opts)
{
    struct bough_buf whole;
    struct bough_oid id;
    enum bough_err err = bough_kv__batch_blob(kv, size, src, &id);

    if (!err)
        return bough_kv_set_blob(kv, key, &id, opts);
    if (err != BOUGH_ENOTSUP)
        return bough_kv__fail(kv, err, key);
    bough_buf_init(&whole, kv->env->mem);
    err = source_whole(kv, src, size, &whole);
    err = err ? bough_kv__fail(kv, err, key)
              : bough_kv_set(kv, key, bough_view(whole.ptr, whole.len), opts);
    bough_buf_fini(&whole);
    return err;
}

enum bough_err bough_kv_set_stream(struct bough_kv *kv, struct bough_view key, uint64_t size,
    struct bough_source *src, const struct bough_set_opts *opts)
{
    if (size == BOUGH_BLOB_UNKNOWN)
        return bough_kv__stream_unknown(kv, key, src, opts);
    if (size > INT64_MAX)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative length", key);
    return bough_kv__stream(kv, key, size, src, opts);
}

enum bough_err bough_kv__stream(struct bough_kv *kv, struct bough_view key, uint64_t size,
    struct bough_source *src, const struct bough_set_opts *opts)
{
    struct bough_kv__aim aim;
    uint32_t mode;
    enum bough_err err = bough_kv__aim_value(kv, key, opts, &aim);

    if (!err)
        err = bough_kv__aim_mode(kv, &aim, opts, false, &mode);
    if (err)
        return err;
    if (kv->in_batch)
        return batch_stream(kv, key, size, src, opts);
    err = bough_kv__write_source(kv, &aim, mode, size, src, opts != NULL ? opts->flags : 0);
    return err ? bough_kv__fail(kv, err, aim.path) : BOUGH_OK;
}

/* ---- Removal ---- */

enum bough_err bough_kv_remove(struct bough_kv *kv, struct bough_view key)
{
    struct bough_kv__step step = {.op = BOUGH_KV__REMOVE};
    struct bough_write w = {.remove = true};
    struct bough_kv__aim aim;
    enum bough_err err = bough_kv__aim_at(kv, key, &aim);

    if (err)
        return err;
    if (aim.node.kind == BOUGH_NODE_NONE)
        return bough_kv__why(&kv->why, BOUGH_ENOENT, "", aim.path);
    step.key = w.path = aim.path;
    return bough_kv__write_one(kv, &step, &w, 0);
}

enum bough_err bough_kv_clear(struct bough_kv *kv)
{
    struct bough_kv__step step = {.op = BOUGH_KV__CLEAR};
    struct bough_write w = {.remove = true, .path = bough_view("", 0)};
    struct bough_view root;
    enum bough_err err = bough_kv__aim_key(kv, w.path, &root);

    if (err)
        return err;
    step.key = w.path;
    return bough_kv__write_one(kv, &step, &w, 0);
}
