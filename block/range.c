/*
 * range.c - a part of another device as a device.
 *
 * Every method is the same call on the device below, further along; its
 * checks run again there and cannot fail.
 */
#include "block/block.h"

static struct bough_rangeblk *range_of(struct bough_block *blk)
{
    return (struct bough_rangeblk *)blk; /* blk is the first field */
}

static enum bough_err range_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_read(r->under, r->at + at, n, dst);
}

static enum bough_err range_read_fresh(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_read_fresh(r->under, r->at + at, n, dst);
}

static enum bough_err range_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_write(r->under, r->at + at, n, src);
}

static enum bough_err range_sync(struct bough_block *blk)
{
    return bough_block_sync(range_of(blk)->under);
}

static enum bough_err range_write_sync(
    struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_write_sync(r->under, r->at + at, n, src);
}

static enum bough_err range_prepare(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_prepare(r->under, r->at + at, n);
}

static enum bough_err range_allocate(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_allocate(r->under, r->at + at, n);
}

static enum bough_err range_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_discard(r->under, r->at + at, n);
}

static enum bough_err range_map(
    struct bough_block *blk, uint64_t at, uint64_t n, const uint8_t **out)
{
    struct bough_rangeblk *r = range_of(blk);

    return bough_block_map(r->under, r->at + at, n, out);
}

static const struct bough_block_class range_class = {
    .name = "range",
    .read = range_read,
    .read_fresh = range_read_fresh,
    .write = range_write,
    .sync = range_sync,
    .write_sync = range_write_sync,
    .prepare = range_prepare,
    .allocate = range_allocate,
    .discard = range_discard,
    .map = range_map,
};

enum bough_err bough_rangeblk_init(
    struct bough_rangeblk *dev, struct bough_block *under, uint64_t at, uint64_t count)
{
    if (count > under->count || at > under->count - count)
        return BOUGH_ERANGE;
    *dev = (struct bough_rangeblk){
        .blk = {&range_class, count, under->unit, under->caps & ~(uint32_t)BOUGH_BLOCK_RESIZE},
        .under = under,
        .at = at,
    };
    return BOUGH_OK;
}
