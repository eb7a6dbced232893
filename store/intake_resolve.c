/*
 * intake_resolve.c - deltas made depth first from their bases.
 *
 *   live     frames that hold their bytes, oldest dropped first
 *   build    a dropped frame's bytes are made again from the next below that holds its own
 *   make     one object: inflate its delta, apply, hash, check
 *   walk     begin and step
 *
 * Invariants: in->stack[0..depth) is the way from a root down to where the
 * walk stands.  The live list runs through the frames that are held, from
 * live_low up to live_top, in the order of the stack; in->held is the sum of
 * their lengths, and is at most half the working memory, or one frame.  Every
 * frame above live_top is to be built before anything is made from it.
 */
#include "git/delta.h"
#include "store/intake_inner.h"

enum { OBJECT_COST = 512 }; /* what an object spends of a step's budget beside its bytes */

/* ---- live ---- */

static void live_push(
    struct bough_store__intake *in, uint32_t f, uint8_t *ptr, size_t len, size_t cap)
{
    struct bough_store__frame *frame = &in->stack[f];

    frame->ptr = ptr;
    frame->len = len;
    frame->cap = cap;
    frame->held = true;
    frame->down = in->live_top;
    frame->up = BOUGH_STORE__NIL;
    if (in->live_top != BOUGH_STORE__NIL)
        in->stack[in->live_top].up = f;
    else
        in->live_low = f;
    in->live_top = f;
    in->held += cap;
}

static void live_drop(struct bough_store__intake *in, uint32_t f)
{
    struct bough_store__frame *frame = &in->stack[f];

    if (frame->down != BOUGH_STORE__NIL)
        in->stack[frame->down].up = frame->up;
    else
        in->live_low = frame->up;
    if (frame->up != BOUGH_STORE__NIL)
        in->stack[frame->up].down = frame->down;
    else
        in->live_top = frame->down;
    bough_mem_free(in->mem, frame->ptr, frame->cap);
    in->held -= frame->cap;
    frame->ptr = NULL;
    frame->held = false;
}

/* Drop the oldest until half the working memory is enough; the newest stays. */
static void live_trim(struct bough_store__intake *in)
{
    while (in->held > in->opts.limits.memory / 2 && in->live_low != in->live_top)
        live_drop(in, in->live_low);
}

static enum bough_err frame_push(struct bough_store__intake *in, uint32_t node, uint32_t kids)
{
    void *stack = in->stack;
    enum bough_err err;

    if (in->depth > BOUGH_STORE__INTAKE_DEPTH_MAX)
        return bough_store__intake_fail(
            in, BOUGH_ETOOBIG, "delta chain too deep", BOUGH_STORE__INTAKE_DEPTH_MAX);
    err = bough_mem_grow(in->mem, &stack, &in->stack_cap, in->depth + 1, sizeof *in->stack);
    if (err)
        return err;
    in->stack = (struct bough_store__frame *)stack;
    in->stack[in->depth++] = (struct bough_store__frame){.node = node, .kids = kids};
    return BOUGH_OK;
}

static void frame_pop(struct bough_store__intake *in)
{
    if (in->stack[in->depth - 1].held)
        live_drop(in, in->depth - 1);
    in->depth--;
}

/* ---- build ---- */

/* The bytes of a whole object of the pack. */
static enum bough_err root_read(struct bough_store__intake *in)
{
    uint32_t i = in->stack[0].node;
    uint64_t size = bough_store__node(in, i)->size;
    uint8_t *ptr;
    enum bough_err err;

    if (size > in->opts.limits.object_max)
        return bough_store__intake_fail(
            in, BOUGH_ETOOBIG, "delta base too large", in->opts.limits.object_max);
    ptr = (uint8_t *)bough_mem_alloc(in->mem, (size_t)size + 1);
    if (ptr == NULL)
        return BOUGH_ENOMEM;
    err = bough_store__entry_inflate(in, i, ptr, size);
    if (err)
        bough_mem_free(in->mem, ptr, (size_t)size + 1);
    else
        live_push(in, 0, ptr, (size_t)size, (size_t)size + 1);
    return err;
}

/* The bytes of an object of the store. */
static enum bough_err root_fetch(struct bough_store__intake *in)
{
    struct bough_buf body;
    enum bough_err err;

    bough_buf_init(&body, in->mem);
    body.len_max = (size_t)in->opts.limits.object_max;
    err = in->host->cls->base(in->host, &in->root_id, &in->root_type, &body);
    if (!err)
        err = body.err;
    if (!err)
        err = bough_store__intake_work(in, body.len);
    if (err)
        bough_buf_fini(&body);
    else
        live_push(in, 0, body.ptr, body.len, body.cap);
    return err;
}

/* What delta `i` makes of the bytes of frame `f`: an allocation of *len + 1 bytes. */
static enum bough_err delta_make(
    struct bough_store__intake *in, uint32_t i, uint32_t f, uint8_t **ptr, size_t *len)
{
    struct bough_view base = bough_view(in->stack[f].ptr, in->stack[f].len);
    uint64_t at = bough_store__node(in, i)->at;
    struct bough_delta_reader d;
    enum bough_err err = bough_store__entry_delta(in, i);

    if (err)
        return err;
    if (in->delta.len < BOUGH_DELTA_MIN) /* it would go out as it came, and no git takes it */
        return bough_store__intake_fail(in, BOUGH_EFORMAT, "delta is too short", at);
    if (bough_delta_open(&d, bough_buf_view(&in->delta)) || d.base_len != base.len)
        return bough_store__intake_fail(in, BOUGH_EFORMAT, "delta is for another base", at);
    if (d.result_len > in->opts.limits.object_max)
        return bough_store__intake_fail(
            in, BOUGH_ETOOBIG, "unpack object too large", in->opts.limits.object_max);
    err = bough_store__intake_work(in, d.result_len);
    if (err)
        return err;
    *len = (size_t)d.result_len;
    *ptr = (uint8_t *)bough_mem_alloc(in->mem, *len + 1);
    if (*ptr == NULL)
        return BOUGH_ENOMEM;
    err = bough_delta_apply(base, bough_buf_view(&in->delta), *ptr, *len);
    if (err)
        bough_mem_free(in->mem, *ptr, *len + 1);
    return err ? bough_store__intake_fail(in, err, "delta does not apply", at) : BOUGH_OK;
}

/* Bring the bytes of the top frame one step nearer. */
static enum bough_err frame_build(struct bough_store__intake *in)
{
    uint32_t from = in->live_top;
    uint8_t *ptr;
    size_t len;
    enum bough_err err;

    if (from == BOUGH_STORE__NIL)
        return in->stack[0].node == BOUGH_STORE__NIL ? root_fetch(in) : root_read(in);
    err = delta_make(in, in->stack[from + 1].node, from, &ptr, &len);
    if (err)
        return err;
    if (in->stack[from].kids == BOUGH_STORE__NIL)
        live_drop(in, from);
    live_push(in, from + 1, ptr, len, len + 1);
    live_trim(in);
    return BOUGH_OK;
}

/* ---- make ---- */

/* Make the next object on the top frame. */
static enum bough_err kid_make(struct bough_store__intake *in)
{
    uint32_t top = in->depth - 1, kids;
    uint32_t i = bough_store__kid_take(in, &in->stack[top].kids);
    struct bough_oid id;
    uint8_t *ptr;
    size_t len;
    enum bough_err err = delta_make(in, i, top, &ptr, &len);

    if (err)
        return err;
    if (in->stack[top].kids == BOUGH_STORE__NIL)
        live_drop(in, top);
    kids = bough_store__node(in, i)->kids;
    err = bough_oid_make(in->algo, in->root_type, bough_view(ptr, len), &id, NULL);
    if (err)
        err = bough_store__intake_fail_id(in, err, "SHA-1 collision attack detected", &id);
    else
        err = bough_store__intake_resolved(in, i, &id, in->root_type, len, bough_view(ptr, len));
    if (!err && in->ref_count > 0)
        bough_store__refs_link(in, &id, &kids);
    if (!err && kids != BOUGH_STORE__NIL) {
        err = frame_push(in, i, kids);
        if (!err) {
            live_push(in, in->depth - 1, ptr, len, len + 1);
            live_trim(in);
            return BOUGH_OK;
        }
    }
    bough_mem_free(in->mem, ptr, len + 1);
    return err;
}

/* ---- walk ---- */

enum bough_err bough_store__walk_begin(struct bough_store__intake *in, uint32_t i, uint32_t kids)
{
    BOUGH_ASSERT(in->depth == 0);
    if (i != BOUGH_STORE__NIL)
        in->root_type = (enum bough_type)bough_store__node(in, i)->type;
    return frame_push(in, i, kids);
}

enum bough_err bough_store__walk_fetch(struct bough_store__intake *in, const struct bough_oid *id)
{
    enum bough_err err;
    uint32_t i;

    BOUGH_ASSERT(in->depth == 0);
    if (in->host->cls->base == NULL)
        return BOUGH_ENOENT;
    in->root_id = *id;
    err = frame_push(in, BOUGH_STORE__NIL, BOUGH_STORE__NIL);
    if (err)
        return err;
    err = root_fetch(in);
    if (!err && in->complete)
        err = bough_store__entry_append(
            in, id, in->root_type, bough_view(in->stack[0].ptr, in->stack[0].len), &i);
    if (err)
        frame_pop(in);
    else
        bough_store__refs_link(in, id, &in->stack[0].kids);
    return err;
}

enum bough_err bough_store__walk_step(struct bough_store__intake *in, bool *over)
{
    while (in->depth > 0 && in->stack[in->depth - 1].kids == BOUGH_STORE__NIL)
        frame_pop(in);
    *over = in->depth == 0;
    if (*over)
        return BOUGH_OK;
    in->spent += OBJECT_COST;
    return in->stack[in->depth - 1].held ? kid_make(in) : frame_build(in);
}

void bough_store__walk_fini(struct bough_store__intake *in)
{
    while (in->depth > 0)
        frame_pop(in);
    bough_mem_free(in->mem, in->stack, in->stack_cap * sizeof *in->stack);
}
