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
    z->hint = z->bare = 2;
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

uint8_t bough_log__zone_state(const struct bough_log *l, uint32_t zone)
{
    return l->zones.state[zone] & (uint8_t)~BOUGH_LOG__ZONE_OURS;
}

void bough_log__zone_set(struct bough_log *l, uint32_t zone, enum bough_log__zone_use use)
{
    uint8_t *state = &l->zones.state[zone];

    *state = (uint8_t)use | (*state & (uint8_t)BOUGH_LOG__ZONE_OURS);
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
    bool have = bough_log__zones_ours(l, n);

    while (!have && bough_log__pins_yield(l))
        have = bough_log__zones_ours(l, n);
    return have;
}

/* One that is ours, where that matters. */
static bool can_be_taken(const struct bough_log *l, uint32_t zone)
{
    uint8_t ours = l->zones.ours > 0 ? BOUGH_LOG__ZONE_OURS : 0;

    return l->zones.state[zone] == (BOUGH_LOG__ZONE_FREE | ours);
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
    while (z->hint >= z->limit || bough_log__zone_state(l, z->hint) != BOUGH_LOG__ZONE_FREE)
        z->hint = z->hint + 1 < z->limit ? z->hint + 1 : 2;
    *zone = z->hint;
    while (!can_be_taken(l, *zone))
        (*zone)++;
    bough_log__zone_set(l, *zone, use);
    z->free--;
    z->ours -= z->ours > 0;
    if (use == BOUGH_LOG__ZONE_TABLE)
        z->table[z->tables++] = *zone;
    return BOUGH_OK;
}

/* It is free: to be taken, unless it lies where the store is about to end. */
static void zone_free(struct bough_log *l, uint32_t zone, bool ours)
{
    struct bough_log__zones *z = &l->zones;

    z->state[zone] = BOUGH_LOG__ZONE_FREE;
    if (zone >= z->limit)
        return;
    z->free++;
    z->hint = z->hint < zone ? z->hint : zone;
    if (ours)
        bough_log__zone_is_ours(l, zone);
    else
        z->bare = z->bare < zone ? z->bare : zone;
}

void bough_log__zone_drop(struct bough_log *l, uint32_t zone)
{
    BOUGH_ASSERT(use_of(l, zone) > BOUGH_LOG__ZONE_RING);
    zone_free(l, zone, l->zones.state[zone] & BOUGH_LOG__ZONE_OURS);
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
    bough_log__zone_set(l, zone, use);
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
        if (bough_log__zone_state(l, z->table[i]) != BOUGH_LOG__ZONE_TABLE)
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
        bough_log__zone_set(l, zone, BOUGH_LOG__ZONE_TABLE);
        if (hold)
            bough_log__zone_hold(l, zone, l->made);
        else
            bough_log__zone_drop(l, zone);
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
    bough_log__zone_set(l, zone, BOUGH_LOG__ZONE_HELD);
    z->held[z->helds++] = (struct bough_log__held){zone, since};
}

void bough_log__zones_release(struct bough_log *l)
{
    struct bough_log__zones *z = &l->zones;
    uint64_t pinned = bough_log__pins_oldest(l);
    uint32_t first = 0, n = 0;
    size_t kept = 0;
    bool ours;

    for (size_t i = 0; i < z->helds; i++) {
        struct bough_log__held h = z->held[i];

        if (h.since >= z->durable || h.since > pinned) {
            z->held[kept++] = h;
            continue;
        }
        ours = bough_log__zone_stays_ours(l, h.zone);
        zone_free(l, h.zone, ours);
        if (ours)
            continue;
        if (n > 0 && h.zone == first + n) {
            n++;
            continue;
        }
        bough_log__zones_discard(l, first, n);
        first = h.zone;
        n = 1;
    }
    bough_log__zones_discard(l, first, n);
    z->helds = kept;
    bough_log__zones_keep(l);
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
        uint32_t zone = z->held[i].zone;
        if (bough_log__zone_state(l, zone) != BOUGH_LOG__ZONE_FREE)
            continue; /* used again since, or listed twice */
        bough_log__zone_set(l, zone, BOUGH_LOG__ZONE_HELD);
        z->held[n++] = z->held[i];
    }
    z->helds = n;
    bough_log__zones_limit(l, z->limit);
}

void bough_log__zones_limit(struct bough_log *l, uint32_t limit)
{
    struct bough_log__zones *z = &l->zones;

    z->limit = limit;
    z->free = z->ours = z->top = 0;
    for (uint32_t i = 0; i < limit; i++) {
        bool free = bough_log__zone_state(l, i) == BOUGH_LOG__ZONE_FREE;

        z->free += free;
        if (free && z->state[i] & BOUGH_LOG__ZONE_OURS)
            bough_log__zone_is_ours(l, i);
    }
    z->hint = z->bare = 2;
}
