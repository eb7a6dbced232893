/*
 * file_posix.c - see file.h.
 *
 *   errors      from the system's names to ours
 *   moving      pread, pwrite, fdatasync, and past the page cache
 *   preparing   zeros, past the page cache: what would be left in it would have to leave it first
 *   room        of a sparse file, before it is needed
 *   shape       discard, resize, map
 *   lock        one lock that excludes, one that says who
 *   open, close
 *
 * Two locks.  An open-file-description lock excludes: it holds between two
 * opens in one process, too, and no other close can drop it.  But it does not
 * say who holds it; so the owner also takes an ordinary lock beside it, and
 * F_GETLK on that one names the owner's pid.  Both are on one byte, far behind
 * every file, for each 512 that are opened, so parts that do not touch each
 * other are locked apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "block/file.h"

enum { DIRECT_ALIGN = 4096 }; /* bytes; enough for every device that we know */

static const off_t lock_at = (off_t)1 << 62; /* past every file; of 2^60 bytes */
static const off_t who_at = (off_t)3 << 61;  /* as many, past those */
static const uint64_t lock_all = (uint64_t)1 << 60;

/* Errors. */

static enum bough_err err_of(int no)
{
    switch (no) {
    case ENOENT:
    case ENOTDIR:
        return BOUGH_ENOENT;
    case EEXIST:
        return BOUGH_EEXIST;
    case EACCES:
    case EPERM:
        return BOUGH_EDENIED;
    case EROFS:
        return BOUGH_EREADONLY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BOUGH_ENOSPC;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return BOUGH_ENOMEM;
    case EBUSY:
    case EAGAIN:
        return BOUGH_ELOCKED;
    case EISDIR:
    case ENAMETOOLONG:
        return BOUGH_EINVAL;
    case ENXIO:
    case ENODEV:
        return BOUGH_EGONE;
    default:
        return BOUGH_EIO;
    }
}

/* Moving. */

static struct bough_fileblk *file_of(struct bough_block *blk)
{
    return (struct bough_fileblk *)blk; /* blk is the first field */
}

static enum bough_err file_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    uint8_t *to = dst;
    size_t left = (size_t)n * blk->unit;
    off_t from = (off_t)(at * blk->unit);

    while (left > 0) {
        ssize_t got = pread(file_of(blk)->fd, to, left, from);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_of(errno);
        if (got == 0)
            return BOUGH_EIO; /* somebody cut the file */
        to += got;
        from += got;
        left -= (size_t)got;
    }
    return BOUGH_OK;
}

/*
 * Past the page cache, which does not see what another machine writes to a disk that both have.
 * Where that cannot be, the pages are dropped first: they are clean.
 */
static enum bough_err file_read_fresh(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    static const size_t most = BOUGH_UNIT_MAX;
    _Alignas(DIRECT_ALIGN) uint8_t bytes[BOUGH_UNIT_MAX];
    struct bough_fileblk *f = file_of(blk);
    size_t len = (size_t)n * blk->unit;
    off_t from = (off_t)(at * blk->unit);

    if (f->direct >= 0 && len <= most && pread(f->direct, bytes, len, from) == (ssize_t)len) {
        memcpy(dst, bytes, len);
        return BOUGH_OK;
    }
    (void)posix_fadvise(f->fd, from, (off_t)len, POSIX_FADV_DONTNEED);
    return file_read(blk, at, n, dst);
}

/* 0, or the system's error; `src` and `*len` move on by what was written. */
static int write_all(int fd, const uint8_t **src, size_t *len, off_t to)
{
    while (*len > 0) {
        ssize_t put = pwrite(fd, *src, *len, to);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        *src += put;
        *len -= (size_t)put;
        to += put;
    }
    return 0;
}

static enum bough_err file_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct bough_fileblk *f = file_of(blk);
    const uint8_t *from = src;
    size_t len = (size_t)n * blk->unit;
    int no;

    f->dirty = true;
    no = write_all(f->fd, &from, &len, (off_t)(at * blk->unit));
    return no ? err_of(no) : BOUGH_OK;
}

static enum bough_err file_sync(struct bough_block *blk)
{
    struct bough_fileblk *f = file_of(blk);

    if (fdatasync(f->fd) != 0)
        return errno == EINTR ? BOUGH_EIO : err_of(errno);
    f->dirty = false;
    return BOUGH_OK;
}

/*
 * O_DIRECT|O_DSYNC makes these bytes durable and no others, so it serves only
 * when nothing else waits for a sync.  What it refuses goes the plain way.
 */
static enum bough_err file_write_sync(
    struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct bough_fileblk *f = file_of(blk);
    const uint8_t *from = src;
    size_t len = (size_t)n * blk->unit;
    enum bough_err err;

    if (f->direct >= 0 && !f->dirty && (uintptr_t)src % DIRECT_ALIGN == 0) {
        int no = write_all(f->direct, &from, &len, (off_t)(at * blk->unit));

        if (no == 0)
            return BOUGH_OK;
        if (no != EINVAL)
            return err_of(no);
    }
    err = file_write(blk, at, n, src);
    return err ? err : file_sync(blk);
}

/* Preparing. */

/* A filesystem notes where a file has its bytes at the first write of them.  A device has them. */
static enum bough_err file_prepare(struct bough_block *blk, uint64_t at, uint64_t n)
{
    enum { PIECE = 16 * 1024, PIECES = 64 };
    static const _Alignas(DIRECT_ALIGN) uint8_t zeros[PIECE];
    struct bough_fileblk *f = file_of(blk);
    uint64_t to = at * blk->unit, end = to + n * blk->unit;
    struct iovec parts[PIECES];

    if (f->device)
        return BOUGH_OK;
    if (f->direct < 0 || to % DIRECT_ALIGN != 0 || end % DIRECT_ALIGN != 0)
        return BOUGH_ENOTSUP;
    while (to < end) {
        int k = 0;
        ssize_t put;

        for (uint64_t left = end - to; k < PIECES && left > 0; left -= parts[k++].iov_len) {
            parts[k].iov_base = (void *)(uintptr_t)zeros; /* only read */
            parts[k].iov_len = left < PIECE ? (size_t)left : PIECE;
        }
        put = pwritev(f->direct, parts, k, (off_t)to);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return errno == EINVAL ? BOUGH_ENOTSUP : err_of(put < 0 ? errno : EIO);
        to += (uint64_t)put;
    }
    return BOUGH_OK;
}

/* Room. */

/* A filesystem that cannot give room by itself gives it to what is written: the bytes that are there. */
static enum bough_err file_rewrite(struct bough_block *blk, uint64_t at, uint64_t n)
{
    uint8_t bytes[BOUGH_UNIT_MAX];
    uint32_t most = BOUGH_UNIT_MAX / blk->unit;
    enum bough_err err = BOUGH_OK;

    while (n > 0 && !err) {
        uint32_t k = n < most ? (uint32_t)n : most;

        err = file_read(blk, at, k, bytes);
        if (!err)
            err = file_write(blk, at, k, bytes);
        at += k;
        n -= k;
    }
    return err;
}

static enum bough_err file_allocate(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct bough_fileblk *f = file_of(blk);
    int got;

    do
        got =
            fallocate(f->fd, FALLOC_FL_KEEP_SIZE, (off_t)(at * blk->unit), (off_t)(n * blk->unit));
    while (got != 0 && errno == EINTR);
    if (got == 0)
        return BOUGH_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return err_of(errno);
    return file_rewrite(blk, at, n);
}

/* Shape. */

static enum bough_err file_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct bough_fileblk *f = file_of(blk);
    uint64_t range[2] = {at * blk->unit, n * blk->unit};
    int got;

    f->dirty = true;
    if (f->device)
        got = ioctl(f->fd, BLKDISCARD, range);
    else
        got = fallocate(
            f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0], (off_t)range[1]);
    if (got == 0)
        return BOUGH_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != ENOTTY && errno != EINVAL)
        return err_of(errno);
    blk->caps &= ~(uint32_t)BOUGH_BLOCK_DISCARD; /* it was only a hint, and it is not heard */
    return BOUGH_OK;
}

static enum bough_err file_resize(struct bough_block *blk, uint64_t count)
{
    struct bough_fileblk *f = file_of(blk);

    f->dirty = true;
    if (ftruncate(f->fd, (off_t)(count * blk->unit)) != 0)
        return errno == EINVAL ? BOUGH_ENOSPC : err_of(errno);
    blk->count = count;
    return BOUGH_OK;
}

/* Old maps stay, because pointers into them do; a new one is twice as long, past the end of the file. */
static enum bough_err file_map(
    struct bough_block *blk, uint64_t at, uint64_t n, const uint8_t **out)
{
    struct bough_fileblk *f = file_of(blk);
    uint64_t len = blk->count * blk->unit;
    void *p;

    if (f->map_n == 0 || f->map[f->map_n - 1].len < (at + n) * blk->unit) {
        if (f->map_n == BOUGH_FILEBLK_MAPS_MAX)
            return BOUGH_ENOTSUP;
        if (f->map_n > 0 && len < 2 * f->map[f->map_n - 1].len)
            len = 2 * f->map[f->map_n - 1].len;
        if (len > SIZE_MAX / 2)
            return BOUGH_ENOTSUP;
        p = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, f->fd, 0);
        if (p == MAP_FAILED)
            return BOUGH_ENOTSUP;
        f->map[f->map_n].ptr = p;
        f->map[f->map_n++].len = len;
    }
    *out = f->map[f->map_n - 1].ptr + at * blk->unit;
    return BOUGH_OK;
}

static const struct bough_block_class file_class = {
    .name = "file",
    .read = file_read,
    .read_fresh = file_read_fresh,
    .write = file_write,
    .sync = file_sync,
    .write_sync = file_write_sync,
    .prepare = file_prepare,
    .allocate = file_allocate,
    .discard = file_discard,
    .resize = file_resize,
    .map = file_map,
};

/* Lock. */

/* `len` 0: all from `at` on. */
static struct flock lock_of(bool readonly, uint64_t at, uint64_t len)
{
    uint64_t first = at / BOUGH_UNIT_MIN, n = lock_all - first;

    if (len > 0 && len / BOUGH_UNIT_MIN < n)
        n = len / BOUGH_UNIT_MIN;
    return (struct flock){.l_type = readonly ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = lock_at + (off_t)first,
        .l_len = (off_t)n};
}

static enum bough_err file_lock(int fd, struct flock one, uint64_t *owner)
{
    struct flock who = one;

    *owner = 0;
    who.l_start += who_at - lock_at;
    if (fcntl(fd, F_OFD_SETLK, &one) != 0) {
        int no = errno;

        if (no != EAGAIN && no != EACCES)
            return err_of(no);
        if (fcntl(fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK && who.l_pid > 0)
            *owner = (uint64_t)who.l_pid;
        return BOUGH_ELOCKED;
    }
    (void)fcntl(fd, F_SETLK, &who); /* without it the owner is unknown, no more */
    return BOUGH_OK;
}

/* Open, close. */

/* A new name is durable once its folder is synced. */
static int sync_folder(const char *path)
{
    size_t len = bough_view_str(path).len;
    char folder[4096];
    int fd, no;

    while (len > 0 && path[len - 1] != '/')
        len--;
    if (len >= sizeof folder - 1)
        return ENAMETOOLONG;
    memcpy(folder, path, len);
    folder[len] = '.';
    folder[len + 1] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    no = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return no == EINVAL ? 0 : no; /* a filesystem without such a thing */
}

/* The size of what was opened, in bytes, and the least unit that it has. */
static int measure(int fd, bool *device, uint64_t *bytes, uint32_t *least)
{
    struct stat st;
    int sector = 0;

    *least = BOUGH_UNIT_MIN;
    if (fstat(fd, &st) != 0)
        return errno;
    *device = S_ISBLK(st.st_mode);
    *bytes = (uint64_t)st.st_size;
    if (!*device)
        return S_ISREG(st.st_mode) ? 0 : EISDIR;
    if (ioctl(fd, BLKGETSIZE64, bytes) != 0 || ioctl(fd, BLKSSZGET, &sector) != 0)
        return errno;
    *least = sector > BOUGH_UNIT_MIN ? (uint32_t)sector : BOUGH_UNIT_MIN;
    return 0;
}

static int open_file(const char *path, uint32_t flags, bool part, bool *made)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    int how = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

    how |= flags & BOUGH_FILEBLK_READONLY ? O_RDONLY : O_RDWR;
    if (flags & BOUGH_FILEBLK_CREATE)
        how |= O_CREAT;
    if (flags & BOUGH_FILEBLK_NEW)
        how |= O_EXCL;
    else if (there && S_ISBLK(st.st_mode) && !part && !(flags & BOUGH_FILEBLK_READONLY))
        how = (how & ~O_CREAT) | O_EXCL; /* not while it is mounted, or a part of it */
    *made = !there && flags & BOUGH_FILEBLK_CREATE;
    return open(path, how, 0666);
}

/* The file again, past the page cache; -1: it cannot be, or the name is another file's by now. */
static int open_direct(const char *path, int fd)
{
    struct stat a, b;
    int direct = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);

    if (direct < 0)
        return -1;
    if (fstat(fd, &a) == 0 && fstat(direct, &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        return direct;
    close(direct);
    return -1;
}

static uint32_t caps_of(uint32_t flags, bool device)
{
    uint32_t caps = BOUGH_BLOCK_SYNC | BOUGH_BLOCK_DISCARD | BOUGH_BLOCK_THREADS;

    if (!device)
        caps |= BOUGH_BLOCK_RESIZE | BOUGH_BLOCK_ALLOCATE;
    if (flags & BOUGH_FILEBLK_MAP)
        caps |= BOUGH_BLOCK_MAP;
    if (flags & BOUGH_FILEBLK_READONLY)
        caps |= BOUGH_BLOCK_READONLY;
    return caps;
}

/* Fill `dev` from its open, locked descriptor. */
static enum bough_err settle(struct bough_fileblk *dev, uint32_t flags, uint32_t unit,
    struct bough_view name, struct bough_why *why)
{
    uint64_t bytes = 0;
    uint32_t least;
    int no = measure(dev->fd, &dev->device, &bytes, &least);

    if (no == EISDIR)
        return BOUGH_WHY(
            why, BOUGH_EINVAL, "neither a file nor a block device", name.ptr, name.len);
    if (no)
        return BOUGH_WHY(why, err_of(no), "cannot measure it", name.ptr, name.len);
    if (unit == 0)
        unit = least;
    if (unit < least || unit > BOUGH_UNIT_MAX || (unit & (unit - 1)) != 0)
        return BOUGH_WHY(why, BOUGH_EINVAL, "not a unit for this device", name.ptr, name.len);
    dev->blk = (struct bough_block){&file_class, bytes / unit, unit, caps_of(flags, dev->device)};
    return BOUGH_OK;
}

/* `part`: others may have other parts. */
static enum bough_err open_locked(struct bough_fileblk *dev, const char *path, uint32_t flags,
    uint32_t unit, const struct bough_filepart *part, struct bough_why *why)
{
    static const struct bough_filepart all;
    const struct bough_filepart *p = part != NULL ? part : &all;
    struct bough_view name = bough_view_str(path);
    uint64_t owner;
    bool made;
    enum bough_err err;
    int no = 0;

    /* What a process before us left in the page cache may not be durable: the device is dirty. */
    *dev = (struct bough_fileblk){
        .direct = -1, .dirty = true, .fd = open_file(path, flags, part != NULL, &made)};
    if (dev->fd < 0)
        return BOUGH_WHY(why, err_of(errno), "cannot open it", name.ptr, name.len);
    err = settle(dev, flags, unit, name, why);
    if (err)
        goto out;
    err = file_lock(dev->fd, lock_of((flags & BOUGH_FILEBLK_READONLY) != 0, p->at, p->len), &owner);
    if (err) {
        err = BOUGH_WHY(why, err, "another process has it open", name.ptr, name.len);
        if (why != NULL)
            why->at = owner;
        goto out;
    }
    err = settle(dev, flags, unit, name, why); /* its size may have changed before the lock */
    if (!err && made && (no = sync_folder(path)) != 0)
        err = BOUGH_WHY(why, err_of(no), "cannot sync its folder", name.ptr, name.len);
    if (!err && flags & BOUGH_FILEBLK_DIRECT && !(flags & BOUGH_FILEBLK_READONLY))
        dev->direct = open_direct(path, dev->fd);
out:
    if (err)
        bough_fileblk_close(dev);
    return err;
}

enum bough_err bough_fileblk_open(struct bough_fileblk *dev, const char *path, uint32_t flags,
    uint32_t unit, struct bough_why *why)
{
    return open_locked(dev, path, flags, unit, NULL, why);
}

enum bough_err bough_fileblk_open_part(struct bough_fileblk *dev, const char *path, uint32_t flags,
    uint32_t unit, const struct bough_filepart *part, struct bough_why *why)
{
    enum bough_err err;

    if (part->at % BOUGH_UNIT_MIN != 0 || part->len % BOUGH_UNIT_MIN != 0)
        return BOUGH_WHY(why, BOUGH_EINVAL, "offset and size are multiples of 512", path,
            bough_view_str(path).len);
    err = open_locked(dev, path, flags & ~(uint32_t)BOUGH_FILEBLK_CREATE, unit, part, why);
    if (!err)
        dev->blk.caps &= ~(uint32_t)BOUGH_BLOCK_RESIZE;
    return err;
}

void bough_fileblk_close(struct bough_fileblk *dev)
{
    for (; dev->map_n > 0; dev->map_n--)
        munmap(dev->map[dev->map_n - 1].ptr, (size_t)dev->map[dev->map_n - 1].len);
    if (dev->direct >= 0)
        close(dev->direct);
    if (dev->fd >= 0)
        close(dev->fd);
    dev->fd = dev->direct = -1;
}
