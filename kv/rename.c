/*
 * rename.c - a value or a dictionary goes to another key.
 */
#include "kv/inner.h"
#include "kv/write_inner.h"

struct rename {
    struct bough_kv__aim from, to;
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
    err = bough_kv__aim_look(kv, &r->to);
    if (err || r->to.node.kind != BOUGH_NODE_DICT)
        return err;
    r->to.path.len = r->text.len - from_len;
    err = bough_path_check(r->to.path, &kv->why);
    return err ? err : bough_kv__aim_look(kv, &r->to);
}

/* What stands at the destination lets the source in? */
static enum bough_err rename_fits(struct bough_kv *kv, const struct rename *r)
{
    const struct bough_kv__aim *to = &r->to;

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
    err = bough_kv__aim_below(kv, from, &r.from.path);
    if (!err)
        err = bough_kv__aim_below(kv, to, &r.to.path);
    if (!err) {
        bough_buf_put_view(&keep, r.to.path);
        err = keep.err ? bough_kv__fail(kv, keep.err, to) : BOUGH_OK;
    }
    if (!err)
        err = bough_kv__aim_below(kv, from, &r.from.path);
    if (err)
        goto out;
    r.to.path = bough_buf_view(&keep);
    if (bough_view_eq(r.from.path, r.to.path))
        goto out;
    err = bough_kv__aim_look(kv, &r.from);
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
