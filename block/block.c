/*
 * block.c - the calls on a block device: check, then dispatch.
 *
 * Everything that is true of all devices is checked here, once, so that no
 * implementation repeats it and none can forget it.
 */
#include "block/block.h"

static bool covers(const struct bough_block *dev, uint64_t at, uint64_t n)
{
    return n <= dev->count && at <= dev->count - n;
}

/* What stands against changing these units. */
static enum bough_err may_change(const struct bough_block *dev, uint64_t at, uint64_t n)
{
    if (dev->caps & BOUGH_BLOCK_READONLY)
        return BOUGH_EREADONLY;
    return covers(dev, at, n) ? BOUGH_OK : BOUGH_ERANGE;
}

enum bough_err bough_block_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    BOUGH_ASSERT(dst != NULL || n == 0);

    if (!covers(dev, at, n))
        return BOUGH_ERANGE;
    if (n == 0)
        return BOUGH_OK;
    return dev->cls->read(dev, at, n, dst);
}

enum bough_err bough_block_read_fresh(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    if (dev->cls->read_fresh == NULL || n == 0 || !covers(dev, at, n))
        return bough_block_read(dev, at, n, dst);
    return dev->cls->read_fresh(dev, at, n, dst);
}

enum bough_err bough_block_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    enum bough_err err = may_change(dev, at, n);

    BOUGH_ASSERT(src != NULL || n == 0);
    if (err || n == 0)
        return err;
    return dev->cls->write(dev, at, n, src);
}

enum bough_err bough_block_sync(struct bough_block *dev)
{
    if (!(dev->caps & BOUGH_BLOCK_SYNC) || dev->caps & BOUGH_BLOCK_READONLY)
        return BOUGH_OK;
    return dev->cls->sync(dev);
}

enum bough_err bough_block_write_sync(
    struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    enum bough_err err;

    if (dev->cls->write_sync != NULL && n > 0) {
        err = may_change(dev, at, n);
        return err ? err : dev->cls->write_sync(dev, at, n, src);
    }
    err = bough_block_write(dev, at, n, src);
    return err ? err : bough_block_sync(dev);
}

enum bough_err bough_block_prepare(struct bough_block *dev, uint64_t at, uint64_t n)
{
    enum bough_err err = may_change(dev, at, n);

    if (err || n == 0)
        return err;
    return dev->cls->prepare == NULL ? BOUGH_ENOTSUP : dev->cls->prepare(dev, at, n);
}

enum bough_err bough_block_allocate(struct bough_block *dev, uint64_t at, uint64_t n)
{
    enum bough_err err = may_change(dev, at, n);

    if (err || n == 0 || !(dev->caps & BOUGH_BLOCK_ALLOCATE))
        return err;
    return dev->cls->allocate(dev, at, n);
}

enum bough_err bough_block_discard(struct bough_block *dev, uint64_t at, uint64_t n)
{
    enum bough_err err = may_change(dev, at, n);

    if (err || n == 0 || !(dev->caps & BOUGH_BLOCK_DISCARD))
        return err;
    return dev->cls->discard(dev, at, n);
}

enum bough_err bough_block_resize(struct bough_block *dev, uint64_t count)
{
    if (dev->caps & BOUGH_BLOCK_READONLY)
        return BOUGH_EREADONLY;
    if (count == dev->count)
        return BOUGH_OK;
    if (!(dev->caps & BOUGH_BLOCK_RESIZE))
        return BOUGH_ENOTSUP;
    if (count > INT64_MAX / dev->unit) /* offsets in bytes are signed in many systems */
        return BOUGH_ENOSPC;
    return dev->cls->resize(dev, count);
}

enum bough_err bough_block_map(
    struct bough_block *dev, uint64_t at, uint64_t n, const uint8_t **out)
{
    if (!(dev->caps & BOUGH_BLOCK_MAP))
        return BOUGH_ENOTSUP;
    if (n == 0 || !covers(dev, at, n))
        return BOUGH_ERANGE;
    return dev->cls->map(dev, at, n, out);
}
