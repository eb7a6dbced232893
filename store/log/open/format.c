/*
 * format.c - making an empty store.
 *
 * The old superblocks are wiped and flushed first, then the first root is
 * written and flushed, then the first superblock: a cut leaves no store or
 * the new one, never the old one half overwritten.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

enum { GRANULE = 4096, ZONES_WANTED = 1024, ZONE = 128 * 1024, ZONES_LEAST = 64 };

static uint64_t power_below(uint64_t x)
{
    uint64_t p = 1;

    while (p <= x / 2)
        p *= 2;
    return p;
}

static bool is_power(uint64_t x, uint64_t min, uint64_t max)
{
    return x >= min && x <= max && (x & (x - 1)) == 0;
}

static enum bough_err shape(struct bough_block *dev, const struct bough_log_format_opts *opts,
    struct bough_log__geo *geo, struct bough_why *why)
{
    uint64_t bytes = dev->count * dev->unit, zone = opts != NULL ? opts->zone : 0;
    uint64_t granule = opts != NULL ? opts->granule : 0;

    *geo = (struct bough_log__geo){.algo = BOUGH_SHA1};
    if (opts != NULL && opts->algo != 0)
        geo->algo = opts->algo;
    if (granule == 0)
        granule = dev->unit > GRANULE ? dev->unit : GRANULE;
    if (zone == 0) {
        zone = power_below(bytes / ZONES_WANTED);
        if (zone < ZONE) /* room for a record of any size, while that leaves enough zones */
            zone = bytes / ZONE >= ZONES_LEAST ? ZONE : BOUGH_LOG__ZONE_MIN;
        zone = zone < granule * BOUGH_LOG__SLOTS ? granule * BOUGH_LOG__SLOTS : zone;
        zone = zone > BOUGH_LOG__ZONE_MAX ? BOUGH_LOG__ZONE_MAX : zone;
    }
    if (geo->algo != BOUGH_SHA1 && geo->algo != BOUGH_SHA256)
        return BOUGH_WHY(why, BOUGH_EINVAL, "unknown object format", NULL, 0);
    if (!is_power(granule, dev->unit, BOUGH_UNIT_MAX))
        return BOUGH_WHY(why, BOUGH_EINVAL, "granule", NULL, 0);
    if (!is_power(zone, BOUGH_LOG__ZONE_MIN, BOUGH_LOG__ZONE_MAX) ||
        zone < granule * BOUGH_LOG__SLOTS)
        return BOUGH_WHY(why, BOUGH_EINVAL, "zone", NULL, 0);
    if (bytes / zone < BOUGH_LOG__ZONES_MIN)
        return BOUGH_WHY(why, BOUGH_ENOSPC, "the device is too small for 16 zones", NULL, 0);
    geo->id_len = bough_algo_len(geo->algo);
    geo->granule = (uint32_t)granule;
    geo->zone = (uint32_t)zone;
    geo->zones =
        bytes / zone > BOUGH_LOG__ZONES_MAX ? BOUGH_LOG__ZONES_MAX : (uint32_t)(bytes / zone);
    geo->frame_max = geo->zone < BOUGH_LOG__FRAME_MAX ? geo->zone : BOUGH_LOG__FRAME_MAX;
    geo->align = geo->granule > BOUGH_LOG__BLOCK ? geo->granule : BOUGH_LOG__BLOCK;
    return BOUGH_OK;
}

/* Whatever superblocks could be found by their place are no more. */
static enum bough_err wipe(
    struct bough_block *dev, const struct bough_log__geo *geo, struct bough_mem *mem)
{
    uint64_t step = BOUGH_UNIT_MAX, end = BOUGH_LOG__SLOTS * (uint64_t)BOUGH_UNIT_MAX;
    uint8_t *zeros = bough_mem_zalloc(mem, 1, (size_t)step);
    enum bough_err err = zeros == NULL ? BOUGH_ENOMEM : BOUGH_OK;
    uint64_t bytes = (uint64_t)geo->zone * geo->zones;

    if (end < 2ull * geo->zone)
        end = geo->zone + (uint64_t)BOUGH_LOG__SLOTS * geo->granule;
    for (uint64_t at = 0; at < end && at < bytes && !err; at += step) {
        uint64_t n = bytes - at < step ? bytes - at : step;
        if (at >= BOUGH_LOG__SLOTS * (uint64_t)BOUGH_UNIT_MAX && at + step <= geo->zone)
            continue;
        err = bough_block_write(dev, at / dev->unit, (uint32_t)(n / dev->unit), zeros);
    }
    if (zeros != NULL)
        bough_mem_free(mem, zeros, (size_t)step);
    return err ? err : bough_block_sync(dev);
}

/* An empty store in memory, whose first checkpoint is its first root. */
static enum bough_err first_checkpoint(struct bough_log *l)
{
    struct bough_log__segment seg = {.number = 1};
    enum bough_err err = bough_log__zone_take(l, BOUGH_LOG__ZONE_LOG, 0, &seg.zone);

    l->next_segment = 1;
    l->next_table = 1;
    l->next_record = 1;
    if (!err)
        err = bough_log__segment_add(l, &seg);
    if (err)
        return err;
    l->head = (struct bough_log__head){.seq = 1, .segment = 1, .zone = seg.zone};
    err = bough_log__checkpoint(l);
    return err ? err : bough_log__super_write(l, true); /* in the other ring, too */
}

static enum bough_err put_head(struct bough_store *s)
{
    static const uint8_t head[] = "HEAD", main_branch[] = "refs/heads/main";
    const struct bough_ref_change change = {
        .name = {head, sizeof head - 1},
        .kind = BOUGH_REF_SYM,
        .target = {main_branch, sizeof main_branch - 1},
    };
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = bough_txn_ref(t, &change);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

enum bough_err bough_log_format(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_format_opts *opts, struct bough_why *why)
{
    static const struct bough_log_open_opts little = {.cache = 1, .prepare = 1};
    struct bough_log__geo geo;
    struct bough_log *l = NULL;
    enum bough_err err = shape(dev, opts, &geo, why);

    if (err)
        return err;
    bough_env_random(env, geo.device, sizeof geo.device);
    err = wipe(dev, &geo, env->mem);
    if (!err)
        err = bough_log__new(dev, env, &little, &geo, &l);
    if (!err)
        err = first_checkpoint(l);
    if (!err)
        err = put_head(&l->store);
    if (err)
        (void)BOUGH_WHY(why, err, "the store could not be made", NULL, 0);
    if (l != NULL)
        bough_store_close(&l->store);
    return err;
}
