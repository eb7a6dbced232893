/*
 * dir_make_posix.c - values of a folder of the host, made and synced out of sight; see dir_inner.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kv/dir_inner.h"
#include "kv/inner.h"

int bough_kv__dir_value_sync(const struct bough_kv__dir_value *v, int fd)
{
    return v->later || fsync(fd) == 0 ? 0 : errno;
}

static int write_all(int fd, struct bough_view bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.ptr, bytes.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        bytes = bough_view(bytes.ptr + put, bytes.len - (size_t)put);
    }
    return 0;
}

/* The value's bytes into `fd`; an errno in `*no`. */
static enum bough_err file_fill(int fd, const struct bough_kv__dir_value *v, int *no)
{
    for (uint64_t left = v->size; *no == 0 && left > 0;) {
        struct bough_view piece;
        enum bough_err err = bough_source_peek(v->src, &piece);

        if (!err && piece.len == 0)
            err = BOUGH_EFORMAT;
        if (err)
            return err;
        if (piece.len > left)
            piece.len = (size_t)left;
        *no = write_all(fd, piece);
        bough_source_skip(v->src, piece.len);
        left -= piece.len;
    }
    return BOUGH_OK;
}

/* When this handle writes, as the host has it. */
static void times_now(struct bough_kv__dir *d, struct timespec out[2])
{
    struct bough_time now = bough_kv__info_time(&d->info, d->kv.env);

    out[0] = (struct timespec){.tv_nsec = UTIME_NOW};
    out[1] = (struct timespec){.tv_sec = (time_t)now.sec, .tv_nsec = (long)now.nsec};
}

/* A file; whoever reads `at` may not see it before it is whole. */
static enum bough_err file_make(
    struct bough_kv__dir *d, int at, const char *name, const struct bough_kv__dir_value *v)
{
    bool exec = v->mode == BOUGH_KV__EXEC;
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
        exec ? 0777 : 0666); /* less what the user's mask takes */
    int no = fd < 0 ? errno : 0;
    struct timespec times[2];
    struct stat st;
    enum bough_err err = BOUGH_OK;

    if (no == 0)
        err = file_fill(fd, v, &no);
    times_now(d, times);
    if (!err && no == 0 && fstat(fd, &st) != 0)
        no = errno;
    if (!err && no == 0 && exec && (st.st_mode & S_IXUSR) == 0 &&
        fchmod(fd, (st.st_mode & 0777) | S_IXUSR) != 0)
        no = errno;
    if (!err && no == 0)
        no = futimens(fd, times) != 0 ? errno : bough_kv__dir_value_sync(v, fd);
    if (fd >= 0)
        close(fd);
    return err ? err : no != 0 ? bough_kv__dir_fail(d, no, v->path) : BOUGH_OK;
}

/* A link; the sync of its folder covers it. */
static enum bough_err link_make(
    struct bough_kv__dir *d, int at, const char *name, const struct bough_kv__dir_value *v)
{
    char target[PATH_MAX];
    struct timespec times[2];
    enum bough_err err;

    if (v->size >= sizeof target)
        return bough_kv__why(&d->kv.why, BOUGH_ETOOBIG, "link target over 4,095 bytes", v->path);
    err = bough_source_read(v->src, target, (size_t)v->size);
    if (err)
        return err;
    target[v->size] = '\0';
    if (v->size == 0 || strlen(target) != v->size)
        return bough_kv__why(
            &d->kv.why, BOUGH_ENOTSUP, "a link target that the host cannot hold", v->path);
    times_now(d, times);
    if (symlinkat(target, at, name) != 0 || utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) != 0)
        return bough_kv__dir_fail(d, errno, v->path);
    return BOUGH_OK;
}

enum bough_err bough_kv__dir_make(
    struct bough_kv__dir *d, int at, const char *name, const struct bough_kv__dir_value *v)
{
    return v->mode == BOUGH_KV__LINK ? link_make(d, at, name, v) : file_make(d, at, name, v);
}
