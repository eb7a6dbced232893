/*
 * pins.c - what a fetch reads lives until it is over.
 */
#include "sync/inner.h"

enum bough_err bough_sync__pins_hold(
    struct bough_sync__pins *p, struct bough_store *store, const struct bough_sync__ids *ids)
{
    if (p->n > 0 || ids->n == 0)
        return BOUGH_OK;
    p->pin = bough_mem_zalloc(store->env->mem, ids->n, sizeof *p->pin);
    if (p->pin == NULL)
        return BOUGH_ENOMEM;
    p->store = store;
    for (p->n = 0; p->n < ids->n; p->n++) {
        struct bough_oid id = bough_sync__ids_at(ids, p->n);
        bough_store_pin(store, &p->pin[p->n], &id);
    }
    return BOUGH_OK;
}

bool bough_sync__pins_expired(const struct bough_sync__pins *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->pin[i].expired)
            return true;
    return false;
}

void bough_sync__pins_drop(struct bough_sync__pins *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        bough_store_unpin(p->store, &p->pin[i]);
    if (p->n > 0)
        bough_mem_free(p->store->env->mem, p->pin, p->n * sizeof *p->pin);
    *p = (struct bough_sync__pins){0};
}
