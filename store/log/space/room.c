/*
 * room.c - zones of a sparse device that have their room below before they are needed.
 *
 * The file of a store has holes where its free zones are, and the filesystem below may have no room
 * left for them when they are written.  So no zone is taken that is not ours to write: whoever must
 * leave some free leaves such ones, and what is kept back is ours whatever happens around us.
 *
 *   which     the lowest free zones; what else becomes free is discarded.  So an open, which knows what is
 *             free but not what is ours, asks for the lowest and finds those that were
 *   how many  what is kept back, and one for who writes next
 *   denied    the system has no room: nothing is free but what is ours.  That ends when it gives all
 *             that is to be ours
 *
 * A device without BOUGH_BLOCK_ALLOCATE has room for all of its zones: none is ours, all can be had.
 */
#include "store/log/inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

enum { SPARE = 1, SLACK = 2 }; /* zones: for who writes next; and before any is given back */
enum { TRIES = 4 };            /* zones that are asked for when the first was refused */

static bool is_sparse(const struct bough_log *l)
{
    return (l->dev->caps & BOUGH_BLOCK_ALLOCATE) != 0;
}

static uint32_t wanted(const struct bough_log *l)
{
    return bough_log__reserve(l) + SPARE;
}

uint32_t bough_log__zones_room(const struct bough_log *l)
{
    return is_sparse(l) && l->zones.denied ? l->zones.ours : l->zones.free;
}

static enum bough_err zone_allocate(struct bough_log *l, uint32_t zone)
{
    uint64_t units = l->geo.zone / l->dev->unit;

    return bough_block_allocate(l->dev, zone * units, units);
}

/* A hint: whether the device hears it or not, the zones are free. */
void bough_log__zones_discard(struct bough_log *l, uint32_t first, uint32_t n)
{
    uint64_t units = l->geo.zone / l->dev->unit;

    if (n > 0 && l->dev->caps & BOUGH_BLOCK_DISCARD)
        (void)!bough_block_discard(l->dev, first * units, n * units);
}

void bough_log__zone_is_ours(struct bough_log *l, uint32_t zone)
{
    struct bough_log__zones *z = &l->zones;

    z->state[zone] |= BOUGH_LOG__ZONE_OURS;
    z->ours++;
    z->top = z->top > zone ? z->top : zone + 1;
}

bool bough_log__zones_ours(struct bough_log *l, uint32_t n)
{
    struct bough_log__zones *z = &l->zones;
    uint32_t tries = TRIES;

    if (!is_sparse(l))
        return z->free >= n;
    for (uint32_t i = z->bare; z->ours < n && z->ours < z->free && i < z->limit; i++) {
        if (z->state[i] != BOUGH_LOG__ZONE_FREE)
            continue;
        if (zone_allocate(l, i) == BOUGH_OK) {
            bough_log__zone_is_ours(l, i);
            continue;
        }
        bough_log__zones_discard(l, i, 1); /* a part of it is of no use */
        z->denied = true;
        if (tries-- == 0)
            break;
    }
    while (z->bare < z->limit && z->state[z->bare] != BOUGH_LOG__ZONE_FREE)
        z->bare++;
    return z->ours >= n;
}

bool bough_log__zone_stays_ours(struct bough_log *l, uint32_t zone)
{
    struct bough_log__zones *z = &l->zones;

    if (!is_sparse(l) || zone >= z->limit || (z->ours >= wanted(l) && zone >= z->top))
        return false;
    return z->state[zone] & BOUGH_LOG__ZONE_OURS || zone_allocate(l, zone) == BOUGH_OK;
}

/* The highest of those that are ours go. */
static void ours_trim(struct bough_log *l, uint32_t most)
{
    struct bough_log__zones *z = &l->zones;
    uint32_t first = 0, n = 0;

    while (z->ours > most && z->top > BOUGH_LOG__RINGS) {
        uint32_t zone = --z->top;

        if (z->state[zone] != (BOUGH_LOG__ZONE_FREE | BOUGH_LOG__ZONE_OURS))
            continue;
        z->state[zone] = BOUGH_LOG__ZONE_FREE;
        z->ours--;
        z->bare = z->bare < zone ? z->bare : zone;
        if (n > 0 && zone + 1 != first) {
            bough_log__zones_discard(l, first, n);
            n = 0;
        }
        first = zone;
        n++;
    }
    bough_log__zones_discard(l, first, n);
}

void bough_log__zones_keep(struct bough_log *l)
{
    uint32_t most = wanted(l);

    if (!is_sparse(l))
        return;
    if (bough_log__zones_ours(l, most))
        l->zones.denied = false;
    if (l->zones.ours > most + SLACK)
        ours_trim(l, most);
}

void bough_log__zones_mount(struct bough_log *l)
{
    if (!is_sparse(l))
        return;
    (void)!zone_allocate(l, l->head.zone); /* made by who did not know of this, perhaps */
    if (l->head.next != 0)
        (void)!zone_allocate(l, l->head.next);
    if (l->open_zone != 0 && zone_allocate(l, l->open_zone) != BOUGH_OK)
        l->open_zone = 0;
    bough_log__zones_keep(l);
}
