/*
 * runner_fault.c - see runner_fault.h.
 *
 *   memory
 *   the file below, the layer above
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "runner_fault.h"

/* ---- Memory ---- */

static void *mem_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    struct fault_mem *m = (struct fault_mem *)mem;
    void *next;

    if (size == 0) {
        m->pieces -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (size > old && m->calls++ == m->fail_at) {
        m->hit = true;
        return NULL;
    }
    next = realloc(ptr, size);
    m->pieces += ptr == NULL && next != NULL;
    return next;
}

void fault_mem_init(struct fault_mem *m, uint64_t fail_at)
{
    *m = (struct fault_mem){.mem = {mem_resize}, .fail_at = fail_at};
}

/* ---- The file ---- */

static int fd_of(const struct bough_block *dev)
{
    return ((const struct fault_dev *)((const char *)dev - offsetof(struct fault_dev, file)))->fd;
}

static enum bough_err file_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    size_t len = (size_t)n * dev->unit, done = 0;

    while (done < len) {
        ssize_t got =
            pread(fd_of(dev), (char *)dst + done, len - done, (off_t)(at * dev->unit + done));

        if (got <= 0)
            return BOUGH_EIO;
        done += (size_t)got;
    }
    return BOUGH_OK;
}

static enum bough_err file_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    size_t len = (size_t)n * dev->unit, done = 0;

    while (done < len) {
        ssize_t put = pwrite(
            fd_of(dev), (const char *)src + done, len - done, (off_t)(at * dev->unit + done));

        if (put <= 0)
            return BOUGH_EIO;
        done += (size_t)put;
    }
    return BOUGH_OK;
}

static enum bough_err file_sync(struct bough_block *dev)
{
    (void)dev;
    return BOUGH_OK;
}

static const struct bough_block_class file_class = {
    .name = "file", .read = file_read, .write = file_write, .sync = file_sync};

/* ---- The layer above ---- */

static bool fault_hit(struct fault_dev *d)
{
    if (d->calls++ != d->fail_at)
        return false;
    d->hit = true;
    return true;
}

static enum bough_err dev_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst)
{
    struct fault_dev *d = (struct fault_dev *)dev;

    return fault_hit(d) ? BOUGH_EIO : bough_block_read(&d->cut.blk, at, n, dst);
}

static enum bough_err dev_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src)
{
    struct fault_dev *d = (struct fault_dev *)dev;

    if (fault_hit(d))
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

    return fault_hit(d) ? BOUGH_EIO : bough_block_sync(&d->cut.blk);
}

static const struct bough_block_class dev_class = {
    .name = "fault", .read = dev_read, .write = dev_write, .sync = dev_sync};

enum bough_err fault_dev_open(
    struct fault_dev *d, const char *path, uint64_t size, uint32_t unit, uint64_t fail_at)
{
    struct bough_block facts = {.count = size / unit, .unit = unit, .caps = BOUGH_BLOCK_SYNC};

    *d = (struct fault_dev){.fail_at = fail_at, .writes_left = FAULT_NEVER};
    d->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->fd < 0)
        return BOUGH_EIO;
    unlink(path);
    if (ftruncate(d->fd, (off_t)size) != 0) {
        close(d->fd);
        return BOUGH_EIO;
    }
    d->blk = d->file = facts;
    d->blk.cls = &dev_class;
    d->file.cls = &file_class;
    cutblk_init(&d->cut, &d->file, NULL, CUT_NEVER);
    return BOUGH_OK;
}

void fault_dev_close(struct fault_dev *d)
{
    cutblk_fini(&d->cut);
    close(d->fd);
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
    cutblk_init(&d->cut, &d->file, NULL, CUT_NEVER);
    d->writes_left = FAULT_NEVER;
}
