/*
 * write.c - the calls that write: checks in their order, then the driver's method.
 *
 *   aim       the key, what is there, what it may become
 *   sources   a value made of old bytes, zeroes and new bytes
 *   values    set, set_blob, set_stream, set_part, allocate, set_mode
 *   removal   remove, clear
 *   rename
 *
 * Every change has three moments: a batch is told (bough_kv__batch_step), the driver does it, and
 * when the driver failed the batch is told to forget.
 */
#include "kv/inner.h"

/* ---- Aim ---- */

struct aim {
    struct bough_view path;
    struct bough_node node;
    size_t through; /* bytes of the path that are a value in the way; 0: none */
};

/* May the place be written, and `key` as well?  `path` is its inner form. */
static enum bough_err aim_key(struct bough_kv *kv, struct bough_view key, struct bough_view *path)
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

/* The same for a key that cannot be the root. */
static enum bough_err aim_below(struct bough_kv *kv, struct bough_view key, struct bough_view *path)
{
    enum bough_err err = aim_key(kv, key, path);

    if (!err && path->len == 0)
        return bough_kv__why(&kv->why, BOUGH_EKEY, "the root", *path);
    return err;
}

static enum bough_err aim_look(struct bough_kv *kv, struct aim *aim)
{
    enum bough_err err;

    aim->through = 0;
    kv->writing = true;
    err = kv->cls->find(kv, aim->path, &aim->node, &aim->through);
    kv->writing = false;
    return err ? bough_kv__fail(kv, err, aim->path) : BOUGH_OK;
}

/* The condition of `opts`: what is there has the digest asked for. */
static enum bough_err aim_test(
    struct bough_kv *kv, const struct aim *aim, const struct bough_set_opts *opts)
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

/* Aim at a key that is to become a value. */
static enum bough_err aim_value(
    struct bough_kv *kv, struct bough_view key, const struct bough_set_opts *opts, struct aim *aim)
{
    bool force = opts != NULL && (opts->flags & BOUGH_SET_FORCE) != 0;
    enum bough_err err = aim_below(kv, key, &aim->path);

    if (!err)
        err = aim_look(kv, aim);
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

/* The mode of a value set here: asked for, else executable is kept (`links` too). */
static enum bough_err aim_mode(struct bough_kv *kv, const struct aim *aim,
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

/* Tell the batch, if this is one, and do one write. */
static enum bough_err write_one(struct bough_kv *kv, const struct bough_kv__step *step,
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

/* `head` bytes of what is there, zeroes up to `at`, `bytes`, then what is there from `tail` on. */
struct splice {
    struct bough_source src;
    struct bough_kv *kv;
    struct bough_view path;
    const struct bough_node *node;
    uint64_t head, at, tail, old, size; /* byte positions; old and size: lengths before and after */
    struct bough_view bytes;
    uint64_t pos;
    struct bough_buf piece;
    uint64_t piece_at; /* position of the first byte in `piece` */
};

static enum bough_err splice_fill(struct splice *s)
{
    uint64_t end, n;

    s->piece_at = s->pos;
    bough_buf_clear(&s->piece);
    if (s->pos >= s->head && s->pos < s->at) {
        n = s->at - s->pos;
        bough_buf_put_fill(&s->piece, 0, n < BOUGH_KV__PIECE ? (size_t)n : BOUGH_KV__PIECE);
        return s->piece.err;
    }
    end = s->pos < s->head ? s->head : s->old;
    n = end - s->pos < BOUGH_KV__PIECE ? end - s->pos : BOUGH_KV__PIECE;
    s->kv->writing = true;
    enum bough_err err = s->kv->cls->get_part(s->kv, s->path, s->node, s->pos, n, &s->piece);
    s->kv->writing = false;
    if (!err && s->piece.len != n)
        err = s->piece.err ? s->piece.err : BOUGH_ECORRUPT;
    return err;
}

static enum bough_err splice_peek(struct bough_source *src, struct bough_view *out)
{
    struct splice *s = (struct splice *)src;
    enum bough_err err = BOUGH_OK;

    *out = bough_view("", 0);
    if (s->pos >= s->size)
        return BOUGH_OK;
    if (s->pos >= s->at && s->pos < s->tail) {
        *out = bough_view(s->bytes.ptr + (s->pos - s->at), (size_t)(s->tail - s->pos));
        return BOUGH_OK;
    }
    if (s->pos < s->piece_at || s->pos >= s->piece_at + s->piece.len)
        err = splice_fill(s);
    if (!err) {
        size_t used = (size_t)(s->pos - s->piece_at);

        *out = bough_view(s->piece.ptr + used, s->piece.len - used);
    }
    return err;
}

static void splice_skip(struct bough_source *src, size_t n)
{
    ((struct splice *)src)->pos += n;
}

static const struct bough_source_class splice_class = {"splice", splice_peek, splice_skip};

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

/* Write a value that comes from `src`: at once when it is small or the driver knows no streams. */
static enum bough_err write_source(struct bough_kv *kv, const struct aim *aim, uint32_t mode,
    uint64_t size, struct bough_source *src, uint32_t flags)
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

/* write_source() with the batch told. */
static enum bough_err step_source(struct bough_kv *kv, const struct bough_kv__step *step,
    const struct aim *aim, uint32_t mode, uint64_t size, struct bough_source *src)
{
    uint32_t flags = step->opts != NULL ? step->opts->flags : 0;
    enum bough_err err = bough_kv__batch_step(kv, step);

    if (err)
        return bough_kv__fail(kv, err, aim->path);
    err = write_source(kv, aim, mode, size, src, flags);
    if (err) {
        bough_kv__batch_unstep(kv);
        return bough_kv__fail(kv, err, aim->path);
    }
    return BOUGH_OK;
}

/* ---- Values ---- */

enum bough_err bough_kv_set(struct bough_kv *kv, struct bough_view key, struct bough_view value,
    const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET, .bytes = value, .opts = opts};
    struct bough_write w = {.bytes = value.ptr != NULL ? value : bough_view("", 0)};
    struct aim aim;
    enum bough_err err = aim_value(kv, key, opts, &aim);

    if (!err)
        err = aim_mode(kv, &aim, opts, false, &w.mode);
    if (err)
        return err;
    step.key = w.path = aim.path;
    return write_one(kv, &step, &w, opts != NULL ? opts->flags : 0);
}

enum bough_err bough_kv_set_blob(struct bough_kv *kv, struct bough_view key,
    const struct bough_oid *blob, const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET_BLOB, .blob = *blob, .opts = opts};
    struct bough_write w = {.id = blob};
    struct aim aim;
    enum bough_err err = aim_value(kv, key, opts, &aim);

    if (err)
        return err;
    if ((kv->caps & BOUGH_KV_HISTORY) == 0)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no blobs here", aim.path);
    err = aim_mode(kv, &aim, opts, false, &w.mode);
    if (err)
        return err;
    step.key = w.path = aim.path;
    return write_one(kv, &step, &w, opts != NULL ? opts->flags : 0);
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
    struct aim aim;
    uint32_t mode;
    enum bough_err err = aim_value(kv, key, opts, &aim);

    if (!err)
        err = aim_mode(kv, &aim, opts, false, &mode);
    if (err)
        return err;
    if (kv->in_batch)
        return batch_stream(kv, key, size, src, opts);
    err = write_source(kv, &aim, mode, size, src, opts != NULL ? opts->flags : 0);
    return err ? bough_kv__fail(kv, err, aim.path) : BOUGH_OK;
}

enum bough_err bough_kv_set_part(struct bough_kv *kv, struct bough_view key, uint64_t at,
    struct bough_view bytes, const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET_PART, .at = at, .bytes = bytes, .opts = opts};
    struct splice s = {.src = {&splice_class}, .kv = kv, .bytes = bytes};
    bool hole = opts != NULL && (opts->flags & BOUGH_SET_HOLE) != 0;
    struct aim aim;
    uint32_t mode;
    enum bough_err err;

    if (at > INT64_MAX || bytes.len > INT64_MAX - at)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative offset", key);
    err = aim_value(kv, key, opts, &aim);
    if (!err)
        err = aim_mode(kv, &aim, opts, true, &mode);
    if (!err && aim.node.kind == BOUGH_NODE_VALUE) {
        if (aim.node.mode == BOUGH_KV__SUBMODULE)
            return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "a submodule", aim.path);
        err = kv->cls->size(kv, aim.path, &aim.node, &s.old);
        if (err)
            return bough_kv__fail(kv, err, aim.path);
    }
    if (err)
        return err;
    s.path = step.key = aim.path;
    s.node = &aim.node;
    s.head = at < s.old ? at : s.old;
    s.at = hole ? at : s.head;
    s.tail = s.at + bytes.len;
    s.size = s.tail > s.old ? s.tail : s.old;
    bough_buf_init(&s.piece, kv->env->mem);
    err = step_source(kv, &step, &aim, mode, s.size, &s.src);
    bough_buf_fini(&s.piece);
    return err;
}

enum bough_err bough_kv_allocate(struct bough_kv *kv, struct bough_view key, uint64_t size)
{
    struct bough_kv__step step = {.op = BOUGH_KV__ALLOCATE, .at = size};
    struct splice s = {.src = {&splice_class}, .kv = kv, .at = size, .tail = size, .size = size};
    struct aim aim;
    enum bough_err err;

    if (size > INT64_MAX)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative size", key);
    err = aim_below(kv, key, &aim.path);
    if (!err)
        err = aim_look(kv, &aim);
    if (err)
        return err;
    if (aim.through > 0)
        return bough_kv__why(&kv->why, BOUGH_EDICT, "", bough_view(aim.path.ptr, aim.through));
    if (aim.node.kind != BOUGH_NODE_NONE)
        return bough_kv__why(&kv->why, BOUGH_EEXIST, "", aim.path);
    step.key = aim.path;
    bough_buf_init(&s.piece, kv->env->mem);
    err = step_source(kv, &step, &aim, BOUGH_KV__FILE, size, &s.src);
    bough_buf_fini(&s.piece);
    return err;
}

/* The value as it is, with another mode. */
static enum bough_err mode_write(
    struct bough_kv *kv, const struct aim *aim, const struct bough_kv__step *step, uint32_t mode)
{
    struct splice s = {.src = {&splice_class}, .kv = kv, .path = aim->path, .node = &aim->node};
    struct bough_write w = {.path = aim->path, .mode = mode, .id = &aim->node.id};
    enum bough_err err;

    if (aim->node.mode == mode)
        return BOUGH_OK;
    if ((kv->caps & BOUGH_KV_HISTORY) != 0 && aim->node.bytes.ptr == NULL)
        return write_one(kv, step, &w, 0);
    err = kv->cls->size(kv, aim->path, &aim->node, &s.old);
    if (err)
        return bough_kv__fail(kv, err, aim->path);
    s.head = s.at = s.tail = s.size = s.old;
    bough_buf_init(&s.piece, kv->env->mem);
    err = step_source(kv, step, aim, mode, s.size, &s.src);
    bough_buf_fini(&s.piece);
    return err;
}

enum bough_err bough_kv_set_mode(struct bough_kv *kv, struct bough_view key, enum bough_mode mode)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET_MODE, .at = mode};
    struct aim aim;
    enum bough_err err = aim_key(kv, key, &aim.path);

    if (!err)
        err = aim_look(kv, &aim);
    if (err)
        return err;
    if (aim.node.kind == BOUGH_NODE_NONE)
        return bough_kv__why(&kv->why, BOUGH_ENOENT, "", aim.path);
    if (aim.node.kind == BOUGH_NODE_DICT)
        return bough_kv__why(&kv->why, BOUGH_EVALUE, "", aim.path);
    if ((kv->caps & BOUGH_KV_MODE) == 0 || aim.node.mode == BOUGH_KV__SUBMODULE)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no modes here", aim.path);
    if (mode == BOUGH_MODE_LINK)
        err = bough_kv__link_check(aim.path, &kv->why);
    if (err)
        return err;
    step.key = aim.path;
    return mode_write(kv, &aim, &step, bough_kv__mode_git(mode));
}

/* ---- Removal ---- */

enum bough_err bough_kv_remove(struct bough_kv *kv, struct bough_view key)
{
    struct bough_kv__step step = {.op = BOUGH_KV__REMOVE};
    struct bough_write w = {.remove = true};
    struct aim aim;
    enum bough_err err = aim_below(kv, key, &aim.path);

    if (!err)
        err = aim_look(kv, &aim);
    if (err)
        return err;
    if (aim.node.kind == BOUGH_NODE_NONE)
        return bough_kv__why(&kv->why, BOUGH_ENOENT, "", aim.path);
    step.key = w.path = aim.path;
    return write_one(kv, &step, &w, 0);
}

enum bough_err bough_kv_clear(struct bough_kv *kv)
{
    struct bough_kv__step step = {.op = BOUGH_KV__CLEAR};
    struct bough_write w = {.remove = true, .path = bough_view("", 0)};
    struct bough_view root;
    enum bough_err err = aim_key(kv, w.path, &root);

    if (err)
        return err;
    step.key = w.path;
    return write_one(kv, &step, &w, 0);
}

/* ---- Rename ---- */

struct rename {
    struct aim from, to;
    struct bough_buf text; /* both paths; the second may grow by a name */
};

/* Both keys, checked, and where the second one leads: into a dictionary under its own name. */
static enum bough_err rename_aim(struct bough_kv *kv, struct rename *r)
{
    struct bough_view name = bough_kv__path_name(r->from.path);
    size_t from_len = r->from.path.len, to_len = r->to.path.len;
    enum bough_err err;

    bough_buf_put_view(&r->text, r->from.path);
    bough_buf_put_view(&r->text, r->to.path);
    bough_buf_put_u8(&r->text, '/');
    bough_buf_put_view(&r->text, name);
    if (r->text.err)
        return bough_kv__fail(kv, r->text.err, r->from.path);
    r->from.path = bough_view(r->text.ptr, from_len);
    r->to.path = bough_view(r->text.ptr + from_len, to_len);
    err = aim_look(kv, &r->to);
    if (err || r->to.node.kind != BOUGH_NODE_DICT)
        return err;
    r->to.path.len = r->text.len - from_len;
    err = bough_path_check(r->to.path, &kv->why);
    return err ? err : aim_look(kv, &r->to);
}

/* What stands at the destination lets the source in? */
static enum bough_err rename_fits(struct bough_kv *kv, const struct rename *r)
{
    const struct aim *to = &r->to;

    if (to->through > 0)
        return bough_kv__why(&kv->why, BOUGH_EDICT, "", bough_view(to->path.ptr, to->through));
    if (to->node.kind == BOUGH_NODE_NONE)
        return BOUGH_OK;
    if (to->node.kind == BOUGH_NODE_DICT || r->from.node.kind == BOUGH_NODE_DICT)
        return bough_kv__why(&kv->why, BOUGH_EVALUE, "", to->path);
    return BOUGH_OK;
}

static size_t path_depth(struct bough_view path)
{
    struct bough_view name;
    size_t n = 0;

    while (bough_kv__segment_next(&path, &name))
        n++;
    return n;
}

/* What a dictionary that is moved adds to the keys below it. */
struct reach {
    struct bough_kv *kv;
    ptrdiff_t bytes, segments;
};

static enum bough_err reach_check(void *ctx, const struct bough_kv_entry *e)
{
    const struct reach *r = ctx;

    if ((ptrdiff_t)e->key.len + r->bytes > BOUGH_PATH_MAX)
        return bough_kv__why(&r->kv->why, BOUGH_ETOOBIG, "path over 4,096 bytes", e->key);
    if ((ptrdiff_t)path_depth(e->key) + r->segments > BOUGH_DEPTH_MAX)
        return bough_kv__why(&r->kv->why, BOUGH_ETOOBIG, "path deeper than 128", e->key);
    return BOUGH_OK;
}

/* Do the keys below a dictionary stay within the limits where it goes? */
static enum bough_err rename_reach(struct bough_kv *kv, const struct rename *r)
{
    struct reach reach = {kv, (ptrdiff_t)r->to.path.len - (ptrdiff_t)r->from.path.len,
        (ptrdiff_t)path_depth(r->to.path) - (ptrdiff_t)path_depth(r->from.path)};
    enum bough_err err;

    if (r->from.node.kind != BOUGH_NODE_DICT || (reach.bytes <= 0 && reach.segments <= 0))
        return BOUGH_OK;
    kv->writing = true;
    err = bough_kv_fold(kv, r->from.path, 0, reach_check, &reach);
    kv->writing = false;
    return err;
}

/* The destination, once the source is known to be there. */
static enum bough_err rename_run(struct bough_kv *kv, struct rename *r, struct bough_view asked)
{
    struct bough_kv__step step = {.op = BOUGH_KV__RENAME};
    enum bough_err err = rename_aim(kv, r);

    if (err || bough_view_eq(r->from.path, r->to.path))
        return err;
    err = rename_fits(kv, r);
    if (!err && r->from.node.kind == BOUGH_NODE_VALUE && r->from.node.mode == BOUGH_KV__LINK)
        err = bough_kv__link_check(r->to.path, &kv->why);
    if (!err)
        err = rename_reach(kv, r);
    if (err)
        return err;
    if (kv->cls->move == NULL)
        return bough_kv__why(&kv->why, BOUGH_ENOTSUP, "no rename here", r->from.path);
    step.key = r->from.path;
    step.to = asked;
    step.bytes = r->to.path;
    err = bough_kv__batch_step(kv, &step);
    if (err)
        return bough_kv__fail(kv, err, r->from.path);
    err = kv->cls->move(kv, r->from.path, r->to.path);
    if (err) {
        bough_kv__batch_unstep(kv);
        return bough_kv__fail(kv, err, r->from.path);
    }
    return BOUGH_OK;
}

enum bough_err bough_kv_rename(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct rename r;
    struct bough_buf keep; /* the inner form of `to`, while kv->path holds that of `from` */
    enum bough_err err;

    bough_buf_init(&keep, kv->env->mem);
    bough_buf_init(&r.text, kv->env->mem);
    err = aim_below(kv, from, &r.from.path);
    if (!err)
        err = aim_below(kv, to, &r.to.path);
    if (!err) {
        bough_buf_put_view(&keep, r.to.path);
        err = keep.err ? bough_kv__fail(kv, keep.err, to) : BOUGH_OK;
    }
    if (!err)
        err = aim_below(kv, from, &r.from.path);
    if (err)
        goto out;
    r.to.path = bough_buf_view(&keep);
    if (bough_view_eq(r.from.path, r.to.path))
        goto out;
    err = aim_look(kv, &r.from);
    if (err)
        goto out;
    if (r.from.node.kind == BOUGH_NODE_NONE) {
        err = bough_kv__why(&kv->why, BOUGH_ENOENT, "", r.from.path);
        goto out;
    }
    if (r.from.node.kind == BOUGH_NODE_DICT && bough_kv__path_below(r.to.path, r.from.path)) {
        err = bough_kv__why_two(&kv->why, BOUGH_EPREFIX, r.from.path, r.to.path);
        goto out;
    }
    err = rename_run(kv, &r, bough_buf_view(&keep));
out:
    bough_buf_fini(&keep);
    bough_buf_fini(&r.text);
    return err;
}
