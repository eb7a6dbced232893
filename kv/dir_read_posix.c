/*
 * dir_read_posix.c - reading folders and files of the host; see dir_inner.h.
 *
 *   folders     the names in one
 *   holds       is there a value below?
 *   values      parts, sizes
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/dir_inner.h"
#include "kv/inner.h"

/* ---- Folders ---- */

int bough_kv__names_open(int at, const char *name, bool root, struct bough_kv__names *out)
{
    int fd = bough_kv__dir_open_at(at, name);

    *out = (struct bough_kv__names){.root = root};
    if (fd < 0)
        return errno;
    out->dir = fdopendir(fd);
    if (out->dir == NULL) {
        close(fd);
        return ENOMEM;
    }
    return 0;
}

void bough_kv__names_close(struct bough_kv__names *s)
{
    closedir(s->dir);
}

const char *bough_kv__names_next(struct bough_kv__names *s, int *no)
{
    for (;;) {
        const struct dirent *e;

        errno = 0;
        e = readdir(s->dir);
        *no = e == NULL ? errno : 0;
        s->entry = e;
        if (e == NULL)
            return NULL;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !(s->root && strcmp(e->d_name, BOUGH_KV__STAGE) == 0))
            return e->d_name;
    }
}

/* Is the last name a folder's?  One that vanished is as good as one. */
static bool names_folder(const struct bough_kv__names *s)
{
    const struct dirent *e = s->entry;
    struct stat st;

    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dirfd(s->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode);
}

/* ---- Holds ---- */

/* The names in the folder at `path`, segments and slashes, below `at`. */
static int names_below(int at, char *path, struct bough_kv__names *out)
{
    int fd = at, no = 0;
    char *name = path;

    for (char *end; no == 0 && (end = strchr(name, '/')) != NULL; name = end) {
        int next;

        *end = '\0';
        next = bough_kv__dir_open_at(fd, name);
        *end++ = '/';
        if (next < 0)
            no = errno;
        if (fd != at)
            close(fd);
        fd = next;
    }
    if (no == 0)
        no = bough_kv__names_open(fd, name, false, out);
    if (fd != at && fd >= 0)
        close(fd);
    return no;
}

/* Folders to be looked into, each a path with a NUL behind it; the last one is taken first. */
static size_t pending_last(const struct bough_buf *pending)
{
    size_t at = pending->len - 1;

    while (at > 0 && pending->ptr[at - 1] != '\0')
        at--;
    return at;
}

/* Take the last folder of `pending` and look into it: a value, or the folders in it for it. */
static int pending_look(int at, struct bough_buf *pending, struct bough_buf *path, bool *out)
{
    size_t begin = pending_last(pending);
    struct bough_kv__names names;
    const char *name;
    int no;

    bough_buf_clear(path);
    bough_buf_put(path, pending->ptr + begin, pending->len - begin);
    pending->len = begin;
    if (path->err)
        return ENOMEM;
    no = names_below(at, (char *)path->ptr, &names);
    if (no != 0)
        return bough_kv__dir_absent(no) ? 0 : no;
    while (!*out && !pending->err && (name = bough_kv__names_next(&names, &no)) != NULL) {
        *out = !names_folder(&names);
        bough_buf_put(pending, path->ptr, path->len - 1);
        bough_buf_put_u8(pending, '/');
        bough_buf_put(pending, name, strlen(name) + 1);
    }
    bough_kv__names_close(&names);
    return pending->err ? ENOMEM : *out ? 0 : no;
}

enum bough_err bough_kv__dir_holds(struct bough_kv__dir *d, int at, const char *name, bool *out)
{
    struct bough_buf pending, path;
    int no = 0;

    *out = false;
    bough_buf_init(&pending, d->kv.env->mem);
    bough_buf_init(&path, d->kv.env->mem);
    bough_buf_put(&pending, name, strlen(name) + 1);
    if (pending.err)
        no = ENOMEM;
    while (no == 0 && !*out && pending.len > 0)
        no = pending_look(at, &pending, &path, out);
    bough_buf_fini(&pending);
    bough_buf_fini(&path);
    return no == 0 ? BOUGH_OK : bough_kv__dir_fail(d, no, bough_view_str(name));
}

/* ---- Values ---- */

/* The target of a link, whole. */
static int link_read(const struct bough_kv__way *w, char target[PATH_MAX], size_t *len)
{
    ssize_t got = readlinkat(w->fd, w->name, target, PATH_MAX);

    *len = got > 0 ? (size_t)got : 0;
    return got < 0 ? errno : got == PATH_MAX ? ENAMETOOLONG : 0;
}

/* Open a file for reading; what is no file is ENOTSUP. */
static enum bough_err file_open(struct bough_kv__dir *d, const struct bough_kv__way *w,
    struct bough_view path, int *fd, uint64_t *size)
{
    struct stat st;
    int no = 0;

    *fd = openat(w->fd, w->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) != 0)
        no = errno;
    if (no == ENXIO || (no == 0 && !S_ISREG(st.st_mode))) {
        if (*fd >= 0)
            close(*fd);
        return bough_kv__why(&d->kv.why, BOUGH_ENOTSUP, "neither a file nor a link", path);
    }
    if (no == 0) {
        *size = (uint64_t)st.st_size;
        return BOUGH_OK;
    }
    if (*fd >= 0)
        close(*fd);
    return bough_kv__dir_fail(d, no, path);
}

/* Append up to `len` bytes from `at`. */
static int file_read(int fd, uint64_t at, size_t len, struct bough_buf *out)
{
    uint8_t *dst = len > 0 ? bough_buf_room(out, len) : NULL;

    if (dst == NULL)
        return len > 0 ? ENOMEM : 0;
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, dst + done, len - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        done += (size_t)got;
        out->len += (size_t)got;
    }
    return 0;
}

static enum bough_err link_part(struct bough_kv__dir *d, const struct bough_kv__way *w,
    struct bough_view path, uint64_t at, uint64_t len, struct bough_buf *out)
{
    char target[PATH_MAX];
    size_t size;
    int no = link_read(w, target, &size);

    if (no != 0)
        return bough_kv__dir_fail(d, no, path);
    if (at < size)
        bough_buf_put(out, target + at, len < size - at ? (size_t)len : size - (size_t)at);
    return out->err;
}

static enum bough_err file_part(struct bough_kv__dir *d, const struct bough_kv__way *w,
    struct bough_view path, uint64_t at, uint64_t len, struct bough_buf *out)
{
    uint64_t size;
    int fd, no;
    enum bough_err err = file_open(d, w, path, &fd, &size);

    if (err)
        return err;
    if (at >= size)
        len = 0;
    else if (len > size - at)
        len = size - at;
    no = len > SIZE_MAX ? ENOMEM : file_read(fd, at, (size_t)len, out);
    close(fd);
    if (no == ENOMEM && out->err)
        return out->err;
    return no != 0 ? bough_kv__dir_fail(d, no, path) : BOUGH_OK;
}

enum bough_err bough_kv__dir_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_kv__way w;
    enum bough_err err = bough_kv__dir_way(d, path, &w);

    if (!err && (!w.named || w.rest.len > 0))
        err = BOUGH_ENOENT;
    if (!err && n->mode == BOUGH_KV__LINK)
        err = link_part(d, &w, path, at, len, out);
    else if (!err)
        err = file_part(d, &w, path, at, len, out);
    bough_kv__dir_way_close(&w);
    return err;
}

enum bough_err bough_kv__dir_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    char target[PATH_MAX];
    struct bough_kv__way w;
    size_t len;
    int fd, no = 0;
    enum bough_err err = bough_kv__dir_way(d, path, &w);

    if (!err && (!w.named || w.rest.len > 0))
        err = BOUGH_ENOENT;
    if (!err && n->mode == BOUGH_KV__LINK) {
        no = link_read(&w, target, &len);
        *out = len;
    } else if (!err) {
        err = file_open(d, &w, path, &fd, out);
        if (!err)
            close(fd);
    }
    bough_kv__dir_way_close(&w);
    return no != 0 ? bough_kv__dir_fail(d, no, path) : err;
}
