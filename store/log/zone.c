/*
 * zone.c - which zones are used, and for what.
 *
 * Nothing of it is stored: it follows from the checkpoint and the log after it.
 * A zone is free when it has no use and neither of the two newest durable
 * checkpoints names it, so what they name can be read after any power cut.
 */
#include "store/log/inner.h"

enum bough_err bough_log__zones_init(struct bough_log *l)
{
    l->zones.state = bough_mem_zalloc(l->mem, l->geo.zones, 1);
    if (l->zones.state == NULL)
        return BOUGH_ENOMEM;
    l->zones.state[0] = BOUGH_LOG__ZONE_RING;
    l->zones.state[1] = BOUGH_LOG__ZONE_RING;
    l->zones.free = l->geo.zones - 2;
    l->zones.hint = 2;
    return BOUGH_OK;
}

void bough_log__zones_fini(struct bough_log *l)
{
    bough_mem_free(l->mem, l->zones.state, l->geo.zones);
    l->zones.state = NULL;
}

bool bough_log__zones_have(struct bough_log *l, uint32_t n)
{
    while (l->zones.free < n && bough_log__pins_yield(l))
        continue;
    return l->zones.free >= n;
}

enum bough_err bough_log__zone_take(
    struct bough_log *l, enum bough_log__zone_use use, uint32_t reserve, uint32_t *zone)
{
    struct bough_log__zones *z = &l->zones;

    if (!bough_log__zones_have(l, reserve + 1))
        return BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "no free zone", NULL, 0);
    while (z->state[z->hint] != BOUGH_LOG__ZONE_FREE)
        z->hint = z->hint + 1 < l->geo.zones ? z->hint + 1 : 2;
    *zone = z->hint;
    z->state[*zone] = (uint8_t)use;
    z->free--;
    return BOUGH_OK;
}

void bough_log__zone_drop(struct bough_log *l, uint32_t zone)
{
    uint8_t *state = &l->zones.state[zone];

    BOUGH_ASSERT((*state & BOUGH_LOG__ZONE_USE) > BOUGH_LOG__ZONE_RING);
    *state &= (uint8_t)~BOUGH_LOG__ZONE_USE;
    if (*state != BOUGH_LOG__ZONE_FREE)
        return;
    l->zones.free++;
    if (zone < l->zones.hint)
        l->zones.hint = zone;
}

enum bough_err bough_log__zone_claim(
    struct bough_log *l, uint32_t zone, enum bough_log__zone_use use)
{
    uint8_t *state;

    if (zone >= l->geo.zones)
        return bough_log__corrupt(l, "a zone outside of the device is named", zone);
    state = &l->zones.state[zone];
    if ((*state & BOUGH_LOG__ZONE_USE) == use && use == BOUGH_LOG__ZONE_TABLE)
        return BOUGH_OK; /* several tables share a zone */
    if ((*state & BOUGH_LOG__ZONE_USE) != BOUGH_LOG__ZONE_FREE)
        return bough_log__corrupt(l, "a zone is named twice", zone);
    if (*state == BOUGH_LOG__ZONE_FREE)
        l->zones.free--;
    *state |= (uint8_t)use;
    return BOUGH_OK;
}

void bough_log__zones_age(struct bough_log *l)
{
    for (uint32_t i = 0; i < l->geo.zones; i++) {
        uint8_t s = l->zones.state[i] & (BOUGH_LOG__ZONE_USE | BOUGH_LOG__ZONE_PINNED);
        if (l->zones.state[i] & BOUGH_LOG__ZONE_NAMED)
            s |= BOUGH_LOG__ZONE_NAMED_OLD;
        l->zones.state[i] = s;
    }
}

void bough_log__zone_name(struct bough_log *l, uint32_t zone, uint8_t bits)
{
    if (zone < l->geo.zones)
        l->zones.state[zone] |= bits;
}

void bough_log__zones_count(struct bough_log *l)
{
    l->zones.free = 0;
    for (uint32_t i = 0; i < l->geo.zones; i++)
        l->zones.free += l->zones.state[i] == BOUGH_LOG__ZONE_FREE;
    l->zones.hint = 2;
}
