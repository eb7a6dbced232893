/*
 * runner_fault.c - see runner_fault.h.
 *
 *   memory
 *   the ground below, the layer above
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runner_fault.h"

/* ---- Memory ---- */

static bool count_hit(struct fault_count *n)
{
    if (n->calls++ != n->fail_at)
        return false;
    n->hit = true;
    return true;
}

static void *mem_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    struct fault_mem *m = (struct fault_mem *)mem;
    void *next;

    if (size == 0) {
        m->pieces -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (size > old && count_hit(&m->n))
        return NULL;
    next = realloc(ptr, size);
    m->pieces += ptr == NULL && next != NULL;
    return next;
}

void fault_mem_init(struct fault_mem *m)
{
    *m = (struct fault_mem){.mem = {mem_resize}, .n = {.fail_at = FAULT_NEVER}};
}

/* ---- The ground ---- */

static uint8_t *ground_at(const struct bough_block *dev, uint64_t at)
{
    const struct fault_dev *d =
        (const struct fault_dev *)((const char *)dev - offsetof(struct fault_dev, ground));

    return d->bytes + at * dev->unit;
}

static enum bough_err ground_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    memcpy(dst, ground_at(dev, at), (size_t)n * dev->unit);
    return BOUGH_OK;
}

static enum bough_err ground_write(
    struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    memcpy(ground_at(dev, at), src, (size_t)n * dev->unit);
    return BOUGH_OK;
}

static enum bough_err ground_sync(struct bough_block *dev)
{
    (void)dev;
    return BOUGH_OK;
}

static const struct bough_block_class ground_class = {
    .name = "ground", .read = ground_read, .write = ground_write, .sync = ground_sync};

/* ---- The layer above ---- */

static enum bough_err dev_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    struct fault_dev *d = (struct fault_dev *)dev;

    return count_hit(d->n) ? BOUGH_EIO : bough_block_read(&d->cut.blk, at, n, dst);
}

static enum bough_err dev_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    struct fault_dev *d = (struct fault_dev *)dev;

    if (count_hit(d->n))
        return BOUGH_EIO;
    if (d->writes_left != FAULT_NEVER && --d->writes_left == 0) {
        d->cut.left = 0;
        d->writes_left = FAULT_NEVER;
    }
    return bough_block_write(&d->cut.blk, at, n, src);
}

static enum bough_err dev_sync(struct bough_block *dev)
{
    struct fault_dev *d = (struct fault_dev *)dev;

    return count_hit(d->n) ? BOUGH_EIO : bough_block_sync(&d->cut.blk);
}

static const struct bough_block_class dev_class = {
    .name = "fault", .read = dev_read, .write = dev_write, .sync = dev_sync};

enum bough_err fault_dev_open(
    struct fault_dev *d, uint64_t size, uint32_t unit, struct fault_count *n)
{
    struct bough_block facts = {.count = size / unit, .unit = unit, .caps = BOUGH_BLOCK_SYNC};

    *d = (struct fault_dev){.size = size, .writes_left = FAULT_NEVER, .n = n};
    d->bytes = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (d->bytes == MAP_FAILED)
        return BOUGH_EIO;
    d->blk = d->ground = facts;
    d->blk.cls = &dev_class;
    d->ground.cls = &ground_class;
    cutblk_init(&d->cut, &d->ground, NULL, CUT_NEVER);
    return BOUGH_OK;
}

void fault_dev_close(struct fault_dev *d)
{
    cutblk_fini(&d->cut);
    munmap(d->bytes, d->size);
}

void fault_dev_arm(struct fault_dev *d, uint64_t n, enum cut_fate fate, uint64_t seed)
{
    d->writes_left = n;
    d->cut.fate = fate;
    d->cut.seed = seed;
}

void fault_dev_restart(struct fault_dev *d)
{
    cutblk_fini(&d->cut);
    cutblk_init(&d->cut, &d->ground, NULL, CUT_NEVER);
    d->writes_left = FAULT_NEVER;
}
