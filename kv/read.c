/*
 * read.c - the calls that read what is at one key: arguments checked, errors named, defaults supplied.
 *
 *   looking      a key to what is there
 *   values       exists, get, get_part, size, mode, digest, last_modified
 */
#include "kv/inner.h"

/* ---- Looking ---- */

/* The inner form for the time of a call: the key itself, when it is in that form. */
static enum bough_err look_path(struct bough_kv *kv, struct bough_view key, struct bough_view *out)
{
    kv->why.err = BOUGH_OK;
    if (!bough_kv__path_is_normal(key))
        return bough_kv__path(kv, key, out);
    *out = key;
    return BOUGH_OK;
}

/* What is at `path`, which must be there. */
static enum bough_err looked(
    struct bough_kv *kv, enum bough_err err, struct bough_view path, const struct bough_node *n)
{
    if (err)
        return bough_kv__fail(kv, err, path);
    if (n->kind == BOUGH_NODE_NONE)
        return bough_kv__why(&kv->why, BOUGH_ENOENT, "", path);
    return BOUGH_OK;
}

static enum bough_err look(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path, struct bough_node *n)
{
    enum bough_err err = look_path(kv, key, path);

    return err ? err : looked(kv, kv->cls->find(kv, *path, n, NULL), *path, n);
}

/* Only values have bytes, and only those that are here. */
static enum bough_err is_value(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n)
{
    if (n->kind == BOUGH_NODE_DICT)
        return bough_kv__why(&kv->why, BOUGH_EVALUE, "", path);
    if (n->mode == BOUGH_KV__SUBMODULE)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "a submodule", path);
    return BOUGH_OK;
}

/* A value whose bytes are here. */
static enum bough_err look_value(
    struct bough_kv *kv, struct bough_view key, struct bough_view *path, struct bough_node *n)
{
    enum bough_err err = look(kv, key, path, n);

    return err ? err : is_value(kv, *path, n);
}

/* Has the driver the value at hand? */
static inline bool known(struct bough_kv *kv, struct bough_view key, struct bough_view *out)
{
    kv->why.err = BOUGH_OK;
    return kv->cls->known != NULL && kv->cls->known(kv, key, out);
}

/* ---- Values ---- */

enum bough_err bough_kv_exists(struct bough_kv *kv, struct bough_view key, enum bough_kind *out)
{
    struct bough_view path;
    struct bough_node n;
    enum bough_err err;

    if (known(kv, key, &path)) {
        *out = BOUGH_KIND_VALUE;
        return BOUGH_OK;
    }
    err = look(kv, key, &path, &n);
    if (err && err != BOUGH_ENOENT)
        return err;
    *out = err ? BOUGH_KIND_NONE : bough_kv__kind(n.kind);
    return BOUGH_OK;
}

/* Find and read, where a driver does both at once and where it does not. */
static enum bough_err get_found(struct bough_kv *kv, struct bough_view path, uint64_t at,
    uint64_t n, struct bough_node *node, struct bough_buf *out)
{
    enum bough_err err;

    if (kv->cls->get != NULL)
        return kv->cls->get(kv, path, at, n, node, out);
    err = kv->cls->find(kv, path, node, NULL);
    if (err || node->kind != BOUGH_NODE_VALUE || node->mode == BOUGH_KV__SUBMODULE)
        return err;
    return kv->cls->get_part(kv, path, node, at, n, out);
}

/* The value must be looked for. */
static enum bough_err get_far(
    struct bough_kv *kv, struct bough_view key, uint64_t at, uint64_t n, struct bough_buf *out)
{
    struct bough_view path;
    struct bough_node node;
    size_t before = out->len;
    enum bough_err err = look_path(kv, key, &path);

    if (err)
        return err;
    err = get_found(kv, path, at, n, &node, out);
    if (!err)
        err = out->err;
    if (!err && node.kind == BOUGH_NODE_VALUE && node.mode != BOUGH_KV__SUBMODULE)
        return BOUGH_OK; /* mostly */
    err = looked(kv, err, path, &node);
    if (!err)
        err = is_value(kv, path, &node);
    if (err)
        out->len = before;
    return err;
}

enum bough_err bough_kv_get(struct bough_kv *kv, struct bough_view key, struct bough_buf *out)
{
    struct bough_view value;

    if (known(kv, key, &value)) { /* mostly */
        bough_buf_put_view(out, value);
        if (!out->err)
            return BOUGH_OK;
    }
    return get_far(kv, key, 0, INT64_MAX, out);
}

enum bough_err bough_kv_get_part(
    struct bough_kv *kv, struct bough_view key, uint64_t at, uint64_t n, struct bough_buf *out)
{
    struct bough_view value;

    if (at > INT64_MAX || n > INT64_MAX)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative offset or length", key);
    if (known(kv, key, &value)) {
        size_t from = at < value.len ? (size_t)at : value.len, left = value.len - from;

        bough_buf_put(out, value.ptr + from, n < left ? (size_t)n : left);
        if (!out->err)
            return BOUGH_OK;
    }
    return get_far(kv, key, at, n, out);
}

enum bough_err bough_kv_size(struct bough_kv *kv, struct bough_view key, uint64_t *out)
{
    struct bough_view path;
    struct bough_node n;
    enum bough_err err;

    if (known(kv, key, &path)) {
        *out = path.len;
        return BOUGH_OK;
    }
    err = look_value(kv, key, &path, &n);
    if (err)
        return err;
    err = kv->cls->size(kv, path, &n, out);
    return err ? bough_kv__fail(kv, err, path) : BOUGH_OK;
}

enum bough_err bough_kv_mode(struct bough_kv *kv, struct bough_view key, enum bough_mode *out)
{
    struct bough_view path;
    struct bough_node n;
    enum bough_err err = look_value(kv, key, &path, &n);

    if (!err)
        *out = bough_kv__mode_of(n.mode);
    return err;
}

enum bough_err bough_kv_digest(struct bough_kv *kv, struct bough_view key, struct bough_oid *out)
{
    struct bough_view path;
    enum bough_err err;

    kv->why.err = BOUGH_OK;
    err = bough_kv__path(kv, key, &path);
    if (err)
        return err;
    err = kv->cls->digest != NULL ? kv->cls->digest(kv, path, out)
                                  : bough_kv__digest_walk(kv, path, out);
    return err ? bough_kv__fail(kv, err, path) : BOUGH_OK;
}

enum bough_err bough_kv_last_modified(
    struct bough_kv *kv, struct bough_view key, struct bough_modified *out)
{
    struct bough_view path;
    struct bough_node n;
    enum bough_err err = look(kv, key, &path, &n);

    if (err)
        return err;
    if (kv->cls->last_modified == NULL)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no times here", path);
    *out = (struct bough_modified){{0, 0, 0}, {{0}}};
    err = kv->cls->last_modified(kv, path, out);
    return err ? bough_kv__fail(kv, err, path) : BOUGH_OK;
}
