/*
 * ram.c - a block device in the caller's memory.
 *
 *   ram_of               from the interface back to the device
 *   ram_read ...         the methods
 *   bough_ramblk_init    set one up
 *
 * It never fails, it is never torn, and a sync costs nothing.  Tests that
 * want worse wrap it (tests/sim/cutblk.h).
 */
#include "block/block.h"

static struct bough_ramblk *ram_of(struct bough_block *blk)
{
    return (struct bough_ramblk *)blk; /* blk is the first field */
}

static enum bough_err ram_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    memcpy(dst, ram_of(blk)->mem + at * blk->unit, (size_t)n * blk->unit);
    return BOUGH_OK;
}

static enum bough_err ram_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    memcpy(ram_of(blk)->mem + at * blk->unit, src, (size_t)n * blk->unit);
    return BOUGH_OK;
}

static enum bough_err ram_sync(struct bough_block *blk)
{
    (void)blk;
    return BOUGH_OK;
}

static enum bough_err ram_resize(struct bough_block *blk, uint64_t count)
{
    if (count > ram_of(blk)->room)
        return BOUGH_ENOSPC;
    blk->count = count;
    return BOUGH_OK;
}

static enum bough_err ram_map(struct bough_block *blk, uint64_t at, uint64_t n, const uint8_t **out)
{
    (void)n;
    *out = ram_of(blk)->mem + at * blk->unit;
    return BOUGH_OK;
}

static const struct bough_block_class ram_class = {
    .name = "ram",
    .read = ram_read,
    .write = ram_write,
    .sync = ram_sync,
    .resize = ram_resize,
    .map = ram_map,
};

void bough_ramblk_init(struct bough_ramblk *dev, void *mem, uint64_t count, uint32_t unit)
{
    BOUGH_ASSERT(unit >= BOUGH_UNIT_MIN && unit <= BOUGH_UNIT_MAX);
    BOUGH_ASSERT((unit & (unit - 1)) == 0);
    BOUGH_ASSERT(count <= SIZE_MAX / unit);

    *dev = (struct bough_ramblk){
        .blk = {&ram_class, count, unit, BOUGH_BLOCK_SYNC | BOUGH_BLOCK_MAP | BOUGH_BLOCK_THREADS},
        .mem = (uint8_t *)mem,
        .room = count,
    };
}

void bough_ramblk_set_room(struct bough_ramblk *dev, uint64_t room)
{
    BOUGH_ASSERT(room >= dev->blk.count && room <= SIZE_MAX / dev->blk.unit);
    dev->room = room;
    dev->blk.caps |= BOUGH_BLOCK_RESIZE;
}
