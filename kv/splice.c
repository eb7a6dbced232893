/*
 * splice.c - values made of what is there: old bytes, zeroes and new bytes.
 *
 *   the source   reads them in their order, a piece at a time
 *   values       set_part, allocate, set_mode
 */
#include "kv/inner.h"
#include "kv/write_inner.h"

/* ---- The source ---- */

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

/* bough_kv__write_source() with the batch told. */
static enum bough_err step_source(struct bough_kv *kv, const struct bough_kv__step *step,
    const struct bough_kv__aim *aim, uint32_t mode, uint64_t size, struct bough_source *src)
{
    uint32_t flags = step->opts != NULL ? step->opts->flags : 0;
    enum bough_err err = bough_kv__batch_step(kv, step);

    if (err)
        return bough_kv__fail(kv, err, aim->path);
    err = bough_kv__write_source(kv, aim, mode, size, src, flags);
    if (err) {
        bough_kv__batch_unstep(kv);
        return bough_kv__fail(kv, err, aim->path);
    }
    return BOUGH_OK;
}

/* ---- Values ---- */

enum bough_err bough_kv_set_part(struct bough_kv *kv, struct bough_view key, uint64_t at,
    struct bough_view bytes, const struct bough_set_opts *opts)
{
    struct bough_kv__step step = {.op = BOUGH_KV__SET_PART, .at = at, .bytes = bytes, .opts = opts};
    struct splice s = {.src = {&splice_class}, .kv = kv, .bytes = bytes};
    bool hole = opts != NULL && (opts->flags & BOUGH_SET_HOLE) != 0;
    struct bough_kv__aim aim;
    uint32_t mode;
    enum bough_err err;

    if (at > INT64_MAX || bytes.len > INT64_MAX - at)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative offset", key);
    err = bough_kv__aim_value(kv, key, opts, &aim);
    if (!err)
        err = bough_kv__aim_mode(kv, &aim, opts, true, &mode);
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
    struct bough_kv__aim aim;
    enum bough_err err;

    if (size > INT64_MAX)
        return bough_kv__why(&kv->why, BOUGH_EINVAL, "negative size", key);
    err = bough_kv__aim_at(kv, key, &aim);
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
static enum bough_err mode_write(struct bough_kv *kv, const struct bough_kv__aim *aim,
    const struct bough_kv__step *step, uint32_t mode)
{
    struct splice s = {.src = {&splice_class}, .kv = kv, .path = aim->path, .node = &aim->node};
    struct bough_write w = {.path = aim->path, .mode = mode, .id = &aim->node.id};
    enum bough_err err;

    if (aim->node.mode == mode)
        return BOUGH_OK;
    if ((kv->caps & BOUGH_KV_HISTORY) != 0 && aim->node.bytes.ptr == NULL)
        return bough_kv__write_one(kv, step, &w, 0);
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
    struct bough_kv__aim aim;
    enum bough_err err = bough_kv__aim_key(kv, key, &aim.path);

    if (!err)
        err = bough_kv__aim_look(kv, &aim);
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
