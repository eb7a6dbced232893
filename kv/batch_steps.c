/*
 * batch_steps.c - what a batch was asked for.
 *
 *   keeping     copies, a block a step; its bytes are lent to the tree that the batch works on
 *   spilling    many values wait in the store, not in memory
 *   running     again, on another state
 */
#include "kv/batch_inner.h"
#include "kv/inner.h"

enum { SPILL_AT = 8 << 20 }; /* bytes of values that wait in memory */

/* ---- Keeping ---- */

void bough_kv__steps_init(struct bough_kv__steps *steps, struct bough_mem *mem)
{
    *steps = (struct bough_kv__steps){.mem = mem};
    bough_arena_init(&steps->arena, mem);
    bough_arena_init(&steps->values, mem);
}

void bough_kv__steps_fini(struct bough_kv__steps *steps)
{
    bough_arena_fini(&steps->arena);
    bough_arena_fini(&steps->values);
}

/* What `k` needs besides its key and value; false without memory. */
static bool more_keep(
    struct bough_arena *a, const struct bough_kv__step *from, struct bough_kv__kept *k)
{
    struct bough_kv__step_more *more;

    if (from->to.len == 0 && from->at == 0 && from->opts == NULL)
        return true;
    more = bough_arena_alloc(a, sizeof *more);
    if (more == NULL)
        return false;
    *more = (struct bough_kv__step_more){.at = from->at, .to = bough_arena_copy(a, from->to)};
    if (from->opts != NULL) {
        more->has_opts = true;
        more->opts = *from->opts;
    }
    k->more = more;
    return more->to.ptr != NULL;
}

enum bough_err bough_kv__steps_add(struct bough_kv__steps *steps, const struct bough_kv__step *step)
{
    struct bough_kv__kept *k;

    if (step->key.len > UINT32_MAX)
        return BOUGH_ETOOBIG;
    k = bough_arena_alloc(&steps->arena, sizeof *k + step->key.len);
    if (k == NULL)
        return BOUGH_ENOMEM;
    *k = (struct bough_kv__kept){.op = step->op, .key_len = (uint32_t)step->key.len};
    k->value = (struct bough_lent){step->blob, step->bytes};
    if (step->key.len > 0)
        memcpy(k->key, step->key.ptr, step->key.len);
    k->value.bytes =
        bough_arena_copy(bough_kv__kept_spills(k) ? &steps->values : &steps->arena, step->bytes);
    if (k->value.bytes.ptr == NULL || !more_keep(&steps->arena, step, k))
        return BOUGH_ENOMEM;
    if (steps->last == NULL)
        steps->first = k;
    else
        steps->last->next = k;
    steps->before = steps->last;
    steps->last = k;
    steps->n++;
    steps->pending += step->bytes.len;
    return BOUGH_OK;
}

void bough_kv__steps_unadd(struct bough_kv__steps *steps)
{
    BOUGH_ASSERT(steps->n > 0 && (steps->before == NULL) == (steps->n == 1));
    steps->last = steps->before;
    if (steps->last == NULL)
        steps->first = NULL;
    else
        steps->last->next = NULL;
    steps->n--;
}

/* A step as it was asked for; its views are borrowed while the steps live. */
static struct bough_kv__step kept_step(const struct bough_kv__kept *k)
{
    struct bough_kv__step step = {.op = k->op, .key = bough_view(k->key, k->key_len)};

    step.bytes = k->value.bytes;
    step.blob = k->value.id;
    if (k->more != NULL) {
        step.to = k->more->to;
        step.at = k->more->at;
        step.opts = k->more->has_opts ? &k->more->opts : NULL;
    }
    return step;
}

/* ---- Spilling ---- */

/* The next value that waits in memory: for the driver. */
static const struct bough_lent *spill_next(void *ctx)
{
    const struct bough_kv__kept **at = ctx, *k = *at;

    while (k != NULL && !bough_kv__kept_spills(k))
        k = k->next;
    *at = k != NULL ? k->next : NULL;
    return k != NULL ? &k->value : NULL;
}

void bough_kv__steps_spill(
    struct bough_kv__steps *steps, struct bough_kv *kv, const struct bough_kv__host *host)
{
    const struct bough_kv__kept *at = steps->first;

    if (steps->pending <= SPILL_AT || host->spill == NULL)
        return;
    steps->pending = 0; /* what stays is not tried at every step again */
    if (host->spill(kv, spill_next, &at) != BOUGH_OK)
        return;
    for (struct bough_kv__kept *k = steps->first; k != NULL; k = k->next) {
        if (bough_kv__kept_spills(k)) {
            k->op = BOUGH_KV__SET_BLOB;
            k->value.bytes = bough_view(NULL, 0);
        }
    }
    bough_arena_fini(&steps->values);
}

bool bough_kv__steps_hold(const struct bough_kv__steps *steps)
{
    for (const struct bough_kv__kept *k = steps->first; k != NULL; k = k->next) {
        if (k->op == BOUGH_KV__SET_BLOB)
            return false;
    }
    return true;
}

/* ---- Running ---- */

/* One step on `work`, with all its checks. */
static enum bough_err step_run(struct bough_kv *work, const struct bough_kv__step *s)
{
    switch (s->op) {
    case BOUGH_KV__SET:
        return bough_kv_set(work, s->key, s->bytes, s->opts);
    case BOUGH_KV__SET_PART:
        return bough_kv_set_part(work, s->key, s->at, s->bytes, s->opts);
    case BOUGH_KV__SET_BLOB:
        return bough_kv_set_blob(work, s->key, &s->blob, s->opts);
    case BOUGH_KV__ALLOCATE:
        return bough_kv_allocate(work, s->key, s->at);
    case BOUGH_KV__REMOVE:
        return bough_kv_remove(work, s->key);
    case BOUGH_KV__CLEAR:
        return bough_kv_clear(work);
    case BOUGH_KV__RENAME:
        return bough_kv_rename(work, s->key, s->to);
    case BOUGH_KV__SET_MODE:
        return bough_kv_set_mode(work, s->key, (enum bough_mode)s->at);
    }
    BOUGH_ASSERT(s->op <= BOUGH_KV__SET_MODE);
    return BOUGH_EINVAL;
}

enum bough_err bough_kv__steps_run(const struct bough_kv__steps *steps, struct bough_kv *work,
    bool as_led, const struct bough_kv__kept **failed)
{
    for (const struct bough_kv__kept *k = steps->first; k != NULL; k = k->next) {
        struct bough_kv__step step = kept_step(k);
        enum bough_err err;

        if (as_led && step.op == BOUGH_KV__RENAME)
            step.to = step.bytes;
        err = step_run(work, &step);
        *failed = k;
        if (err)
            return err;
    }
    return BOUGH_OK;
}
