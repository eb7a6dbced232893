/*
 * batch_looks.c - the paths on whose state an answer of a batch depended.
 */
#include "kv/batch_inner.h"

void bough_kv__looks_init(struct bough_kv__looks *looks, const struct bough_env *env)
{
    *looks = (struct bough_kv__looks){.n = 0};
    bough_arena_init(&looks->arena, env->mem);
    bough_env_random(env, &looks->key, sizeof looks->key);
}

void bough_kv__looks_fini(struct bough_kv__looks *looks)
{
    bough_mem_free(looks->arena.mem, looks->slots, looks->slots_n * sizeof *looks->slots);
    bough_arena_fini(&looks->arena);
}

/* Where `path` is, or would be. */
static struct bough_kv__look *slot_of(
    const struct bough_kv__looks *looks, struct bough_view path, uint64_t hash)
{
    size_t mask = looks->slots_n - 1, at = (size_t)hash & mask;

    while (looks->slots[at].path.ptr != NULL &&
           (looks->slots[at].hash != hash || !bough_view_eq(looks->slots[at].path, path)))
        at = (at + 1) & mask;
    return &looks->slots[at];
}

static enum bough_err slots_grow(struct bough_kv__looks *looks)
{
    struct bough_mem *mem = looks->arena.mem;
    struct bough_kv__look *old = looks->slots;
    size_t old_n = looks->slots_n, n = old_n > 0 ? old_n * 4 : 16;
    struct bough_kv__look *fresh = bough_mem_zalloc(mem, n, sizeof *fresh);

    if (fresh == NULL)
        return BOUGH_ENOMEM;
    looks->slots = fresh;
    looks->slots_n = n;
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].path.ptr != NULL)
            *slot_of(looks, old[i].path, old[i].hash) = old[i];
    }
    bough_mem_free(mem, old, old_n * sizeof *old);
    return BOUGH_OK;
}

enum bough_err bough_kv__looks_add(struct bough_kv__looks *looks, struct bough_view path)
{
    uint64_t hash = bough_mix64(looks->key, path.ptr, path.len);
    struct bough_kv__look *slot;
    struct bough_view copy;

    if (looks->n * 4 >= looks->slots_n * 3 && slots_grow(looks))
        return BOUGH_ENOMEM;
    slot = slot_of(looks, path, hash);
    if (slot->path.ptr != NULL)
        return BOUGH_OK;
    copy = bough_arena_copy(&looks->arena, path);
    if (copy.ptr == NULL)
        return BOUGH_ENOMEM;
    *slot = (struct bough_kv__look){copy, hash};
    looks->n++;
    return BOUGH_OK;
}
