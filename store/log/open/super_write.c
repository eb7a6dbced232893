/*
 * super_write.c - superblocks are written; docs/format.md 3.
 *
 *   owner      nobody else writes here
 *   writing    the next generation
 *   healing    write those anew that a power cut, or the medium, has damaged or taken
 */
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"

/* ---- Owner ---- */

static enum bough_err slot_read(struct bough_log *l, uint64_t generation, uint8_t *page)
{
    uint64_t at = bough_log__slot_at(&l->geo, generation);

    return bough_block_read_fresh(l->dev, at / l->dev->unit, l->geo.granule / l->dev->unit, page);
}

/* Does the slot hold a superblock of somebody else?  Before we wrote one, the newest is the last owner's. */
static bool is_foreign(const struct bough_log *l, const uint8_t *slot, bool mounted)
{
    struct bough_log__geo geo;
    struct bough_log__super s;

    if (bough_log__super_decode(slot, &geo, &s) != BOUGH_OK)
        return false; /* damage is not looked for here */
    return !bough_log__geo_same(&geo, &l->geo) || s.generation > l->super.generation ||
           (mounted && s.generation == l->super.generation && s.nonce != l->super.nonce);
}

static enum bough_err owner_other(struct bough_log *l)
{
    return BOUGH_WHY(&l->store.why, BOUGH_EGONE, "the device has another owner", NULL, 0);
}

/* Our superblock is not where it was: is it damage, or has somebody made a new store? */
static enum bough_err owner_search(struct bough_log *l)
{
    struct bough_log__supers *all = bough_mem_alloc(l->mem, sizeof *all);
    enum bough_err err = all == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    if (!err) {
        all->fresh = true;
        err = bough_log__supers_find(l->dev, l->mem, all);
    }
    if (err == BOUGH_ENOENT || err == BOUGH_ENOTSUP ||
        (!err && !bough_log__geo_same(&all->geo, &l->geo)))
        err = owner_other(l);
    bough_mem_free(l->mem, all, sizeof *all);
    return err;
}

/* Whoever else opens the device for writing writes the generation after ours. */
enum bough_err bough_log__owner_check(struct bough_log *l)
{
    uint8_t *page = bough_mem_alloc(l->mem, l->geo.granule);
    struct bough_log__geo geo;
    struct bough_log__super s;
    enum bough_err err;

    if (page == NULL)
        return BOUGH_ENOMEM;
    err = slot_read(l, l->super.generation + 1, page);
    if (!err && is_foreign(l, page, true))
        err = owner_other(l);
    if (!err)
        err = slot_read(l, l->super.generation, page);
    if (!err && is_foreign(l, page, true))
        err = owner_other(l);
    else if (!err && bough_log__super_decode(page, &geo, &s) != BOUGH_OK)
        err = owner_search(l);
    bough_mem_free(l->mem, page, l->geo.granule);
    l->owner_checked = bough_env_now(l->store.env).sec;
    return err;
}

enum bough_err bough_log__owner_check_timely(struct bough_log *l)
{
    int64_t now = bough_env_now(l->store.env).sec;

    return now == l->owner_checked ? BOUGH_OK : bough_log__owner_check(l);
}

/* ---- Writing ---- */

/* The next, but never in the slot of the newest that is known to be durable. */
static uint64_t next_generation(const struct bough_log *l)
{
    uint64_t next = l->super.generation + 1, all = BOUGH_LOG__ALL_SLOTS;

    if (l->settle.on && next % all == l->settle.generation % all)
        next += all - 1; /* in place of the newest, which is not durable yet */
    return next;
}

enum bough_err bough_log__super_write(struct bough_log *l, bool sync)
{
    uint64_t next = next_generation(l);
    uint8_t *page = bough_mem_alloc(l->mem, l->geo.granule);
    enum bough_err err;

    if (page == NULL)
        return BOUGH_ENOMEM;
    err = slot_read(l, next, page);
    if (!err && is_foreign(l, page, false))
        err = owner_other(l);
    if (!err) {
        l->super.generation = next;
        l->super.written = bough_env_now(l->store.env).sec;
        l->super.durable = l->durable_to;
        memset(page, 0, l->geo.granule);
        bough_log__super_encode(&l->geo, &l->super, page);
        err = bough_log__write(l, bough_log__slot_at(&l->geo, next), page, l->geo.granule, sync);
    }
    bough_mem_free(l->mem, page, l->geo.granule);
    return err;
}

void bough_log__super_end(struct bough_log *l)
{
    if (!l->mounted || l->store.failed || l->settle.on || l->super.durable >= l->durable_to)
        return;
    if (bough_log__owner_check(l) == BOUGH_OK)
        (void)bough_log__super_write(l, false);
}

/* ---- Healing ---- */

static enum bough_err slot_heal(
    struct bough_log *l, uint32_t slot, const struct bough_log__super *newest, uint8_t *page)
{
    struct bough_log__super s = *newest;

    s.generation = bough_log__slot_generation(slot, newest->generation);
    memset(page, 0, l->geo.granule);
    if (s.generation > 0)
        bough_log__super_encode(&l->geo, &s, page);
    return bough_log__write(l, bough_log__slot_at(&l->geo, slot), page, l->geo.granule, false);
}

enum bough_err bough_log__supers_heal(struct bough_log *l, const struct bough_log__supers *all)
{
    enum bough_err err = BOUGH_OK;
    uint8_t *page;

    if (all->damaged == 0)
        return BOUGH_OK;
    bough_env_log(l->store.env, BOUGH_LOG_WARN,
        "superblocks were damaged or missing; they are written anew from those that are whole");
    page = bough_mem_alloc(l->mem, l->geo.granule);
    if (page == NULL)
        return BOUGH_ENOMEM;
    for (uint32_t i = 0; i < BOUGH_LOG__ALL_SLOTS && !err; i++) {
        if (all->damaged >> i & 1)
            err = slot_heal(l, i, &all->s[0], page);
    }
    bough_mem_free(l->mem, page, l->geo.granule);
    return err;
}
