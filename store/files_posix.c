/* files_posix.c - temporary files, and reading and writing whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/hosted_inner.h"

enum bough_err bough_store__sys(struct bough_why *why, const char *what, const char *path)
{
    enum bough_err err = BOUGH_EIO;

    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        err = BOUGH_ENOENT;
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        err = BOUGH_ENOSPC;
        break;
    case ENOMEM:
        err = BOUGH_ENOMEM;
        break;
    case EACCES:
    case EPERM:
        err = BOUGH_EDENIED;
        break;
    case EROFS:
        err = BOUGH_EREADONLY;
        break;
    case EEXIST:
        err = BOUGH_EEXIST;
        break;
    default:
        break;
    }
    return BOUGH_WHY(why, err, what, path, path != NULL ? strlen(path) : 0);
}

int bough_store__temp_open(const char *dir, char path[BOUGH_STORE__PATH_MAX])
{
    int n = snprintf(path, BOUGH_STORE__PATH_MAX, "%s/tmp_bough_XXXXXX", dir);
    int fd;

    if (n < 0 || n >= BOUGH_STORE__PATH_MAX) {
        path[0] = 0;
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, 02000000 /* O_CLOEXEC */);
    if (fd < 0)
        path[0] = 0;
    return fd;
}

enum bough_err bough_store__pwrite(int fd, uint64_t at, const void *src, size_t n)
{
    const uint8_t *p = src;

    while (n > 0) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return bough_store__sys(NULL, "", NULL);
        p += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return BOUGH_OK;
}

enum bough_err bough_store__pread(int fd, uint64_t at, void *dst, size_t n)
{
    uint8_t *p = dst;

    while (n > 0) {
        ssize_t k = pread(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return BOUGH_EIO;
        if (k == 0)
            return BOUGH_ECORRUPT;
        p += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return BOUGH_OK;
}

enum bough_err bough_store__file_digest(
    int fd, enum bough_algo algo, uint64_t len, uint8_t out[BOUGH_DIGEST_MAX])
{
    uint8_t piece[16 * 1024];
    struct bough_hash h;

    bough_hash_init(&h, algo);
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < sizeof piece ? (size_t)(len - at) : sizeof piece;
        enum bough_err err = bough_store__pread(fd, at, piece, n);

        if (err)
            return err;
        bough_hash_update(&h, piece, n);
        at += n;
    }
    bough_hash_final(&h, out);
    return BOUGH_OK;
}
