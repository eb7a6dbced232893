/*
 * zone.c - which zones are used, and for what.
 *
 *   take, drop, claim
 *   tables     the zones that tables share are counted again when the lists of tables change
 *   holding    what a durable checkpoint still needs is held, then released and discarded
 *
 * Of what is free nothing is stored: it follows from the checkpoint and the log after it.
 * A zone that lost its last use is held until neither of the two newest durable checkpoints
 * needs it, so that what they name can be read after any power cut; a root lists those held.
 * A reader looks at a checkpoint, too; so it holds whatever was given up since that one.
 * No call here but claim and count looks at all zones.
 */
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/reader_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

enum bough_err bough_log__zones_init(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;

    z->state = bough_mem_zalloc(l->mem, l->geo.zones, 1);
    if (z->state == NULL)
        return BOUGH_ENOMEM;
    z->state[0] = BOUGH_LOG__ZONE_RING;
    z->state[1] = BOUGH_LOG__ZONE_RING;
    z->room = z->limit = l->geo.zones;
    z->free = l->geo.zones - 2;
    z->hint = 2;
    return BOUGH_OK;
}

void bough_log__zones_fini(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;

    bough_mem_free(l->mem, z->state, z->room);
    bough_mem_free(l->mem, z->table, z->table_cap * sizeof *z->table);
    bough_mem_free(l->mem, z->held, z->held_cap * sizeof *z->held);
    *z = (struct bough_log__zones){.state = NULL};
}

static enum bough_log__zone_use use_of(const struct bough_log *l, uint32_t zone)
{
    return (enum bough_log__zone_use)(l->zones.state[zone] & BOUGH_LOG__ZONE_USE);
}

/* ---- Take, drop, claim ---- */

static enum bough_err table_zones_reserve(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;
    void *ptr = z->table;
    enum bough_err err =
        bough_mem_grow(l->mem, &ptr, &z->table_cap, z->tables + 1, sizeof *z->table);

    z->table = ptr;
    return err;
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
    enum bough_err err;

    if (!bough_log__zones_have(l, reserve + 1))
        return bough_log__full(l);
    if (use == BOUGH_LOG__ZONE_TABLE) {
        err = table_zones_reserve(l);
        if (err)
            return err;
    }
    while (z->hint >= z->limit || z->state[z->hint] != BOUGH_LOG__ZONE_FREE)
        z->hint = z->hint + 1 < z->limit ? z->hint + 1 : 2;
    *zone = z->hint;
    z->state[*zone] = (uint8_t)use;
    z->free--;
    if (use == BOUGH_LOG__ZONE_TABLE)
        z->table[z->tables++] = *zone;
    return BOUGH_OK;
}

/* It is free: to be taken, unless it lies where the store is about to end. */
static void zone_free(struct bough_log *l, uint32_t zone)
{
    l->zones.state[zone] = BOUGH_LOG__ZONE_FREE;
    if (zone >= l->zones.limit)
        return;
    l->zones.free++;
    if (zone < l->zones.hint)
        l->zones.hint = zone;
}

void bough_log__zone_drop(struct bough_log *l, uint32_t zone)
{
    BOUGH_ASSERT(use_of(l, zone) > BOUGH_LOG__ZONE_RING);
    zone_free(l, zone);
}

enum bough_err bough_log__zone_claim(
    struct bough_log *l, uint32_t zone, enum bough_log__zone_use use)
{
    struct bough_log__zones *z = &l->zones;
    enum bough_err err;

    if (zone >= l->geo.zones)
        return bough_log__corrupt(l, "a zone outside of the device is named", zone);
    if (use_of(l, zone) == use && use == BOUGH_LOG__ZONE_TABLE)
        return BOUGH_OK; /* several tables share a zone */
    if (use_of(l, zone) != BOUGH_LOG__ZONE_FREE)
        return bough_log__corrupt(l, "a zone is named twice", zone);
    if (use == BOUGH_LOG__ZONE_TABLE) {
        err = table_zones_reserve(l);
        if (err)
            return err;
        z->table[z->tables++] = zone;
    }
    z->free -= z->state[zone] == BOUGH_LOG__ZONE_FREE;
    z->state[zone] = (uint8_t)use;
    return BOUGH_OK;
}

/* ---- Zones of tables ---- */

/* Zones that were dropped meanwhile leave the list, and those in it twice. */
void bough_log__zones_mark(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;
    size_t n = 0;

    for (size_t i = 0; i < z->tables; i++) {
        uint8_t *state = &z->state[z->table[i]];
        if (*state != BOUGH_LOG__ZONE_TABLE)
            continue;
        *state |= BOUGH_LOG__ZONE_MARK;
        z->table[n++] = z->table[i];
    }
    z->tables = n;
}

void bough_log__zones_unmark(struct bough_log *l, const struct bough_log__run *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        l->zones.state[r->zones[i]] &= (uint8_t)~BOUGH_LOG__ZONE_MARK;
}

void bough_log__zones_leave(struct bough_log *l, bool hold)
{
    struct bough_log__zones *z = &l->zones;
    size_t n = 0;

    for (size_t i = 0; i < z->tables; i++) {
        uint32_t zone = z->table[i];

        if (!(z->state[zone] & BOUGH_LOG__ZONE_MARK)) {
            z->table[n++] = zone;
            continue;
        }
        z->state[zone] = BOUGH_LOG__ZONE_TABLE;
        if (hold)
            bough_log__zone_hold(l, zone, l->made);
        else
            zone_free(l, zone);
    }
    z->tables = n;
}

/* ---- Holding ---- */

enum bough_err bough_log__zones_reserve(struct bough_log *l, size_t more)
{
    struct bough_log__zones *z = &l->zones;
    void *ptr = z->held;
    enum bough_err err =
        bough_mem_grow(l->mem, &ptr, &z->held_cap, z->helds + more, sizeof *z->held);

    z->held = ptr;
    return err;
}

void bough_log__zone_hold(struct bough_log *l, uint32_t zone, uint64_t since)
{
    struct bough_log__zones *z = &l->zones;

    BOUGH_ASSERT(z->helds < z->held_cap && use_of(l, zone) > BOUGH_LOG__ZONE_RING);
    z->state[zone] = BOUGH_LOG__ZONE_HELD;
    z->held[z->helds++] = (struct bough_log__held){zone, since};
}

/* A hint: whether the device hears it or not, the zone is free. */
static void zones_discard(struct bough_log *l, uint32_t first, uint32_t n)
{
    uint64_t units = l->geo.zone / l->dev->unit;

    if (n > 0 && l->dev->caps & BOUGH_BLOCK_DISCARD)
        (void)!bough_block_discard(l->dev, first * units, n * units);
}

void bough_log__zones_release(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;
    uint64_t pinned = bough_log__pins_oldest(l);
    uint32_t first = 0, n = 0;
    size_t kept = 0;

    for (size_t i = 0; i < z->helds; i++) {
        struct bough_log__held h = z->held[i];

        if (h.since >= z->durable || h.since > pinned) {
            z->held[kept++] = h;
            continue;
        }
        zone_free(l, h.zone);
        if (n > 0 && h.zone == first + n) {
            n++;
            continue;
        }
        zones_discard(l, first, n);
        first = h.zone;
        n = 1;
    }
    zones_discard(l, first, n);
    z->helds = kept;
}

enum bough_err bough_log__zones_held_decode(
    struct bough_log *l, struct bough_view body, uint64_t checkpoint)
{
    struct bough_log__zones *z = &l->zones;
    size_t n = body.len / 8;
    enum bough_err err = body.len % 8 == 0 && n <= BOUGH_LOG__ZONES_MAX ? BOUGH_OK : BOUGH_ECORRUPT;

    if (!err)
        err = bough_log__zones_reserve(l, n);
    for (size_t i = 0; i < n && !err; i++) {
        uint32_t zone = bough_get32le(body.ptr + 8 * i), ago = bough_get32le(body.ptr + 8 * i + 4);

        if (zone < BOUGH_LOG__RINGS || ago > checkpoint)
            return BOUGH_ECORRUPT;
        if (zone < l->geo.zones) /* else the store was shrunk since */
            z->held[z->helds++] = (struct bough_log__held){zone, checkpoint - ago};
    }
    return err;
}

void bough_log__zones_held_encode(
    const struct bough_log *l, uint64_t checkpoint, struct bough_buf *b)
{
    const struct bough_log__zones *z = &l->zones;

    for (size_t i = 0; i < z->helds; i++) {
        bough_buf_put32le(b, z->held[i].zone);
        bough_buf_put32le(b, (uint32_t)(checkpoint - z->held[i].since));
    }
    for (size_t i = 0; i < z->tables; i++) {
        if (z->state[z->table[i]] & BOUGH_LOG__ZONE_MARK) {
            bough_buf_put32le(b, z->table[i]);
            bough_buf_put32le(b, 0);
        }
    }
}

void bough_log__zones_count(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;
    size_t n = 0;

    for (size_t i = 0; i < z->helds; i++) {
        uint8_t *state = &z->state[z->held[i].zone];
        if (*state != BOUGH_LOG__ZONE_FREE)
            continue; /* used again since, or listed twice */
        *state = BOUGH_LOG__ZONE_HELD;
        z->held[n++] = z->held[i];
    }
    z->helds = n;
    bough_log__zones_limit(l, z->limit);
}

void bough_log__zones_limit(struct bough_log *l, uint32_t limit)
{
    struct bough_log__zones *z = &l->zones;

    z->limit = limit;
    z->free = 0;
    for (uint32_t i = 0; i < limit; i++)
        z->free += z->state[i] == BOUGH_LOG__ZONE_FREE;
    z->hint = 2;
}
