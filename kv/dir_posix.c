/*
 * dir_posix.c - the place over a folder of the host; see dir_inner.h.
 *
 *   errors      from the system's to ours
 *   ways        along a path, folder by folder
 *   looking     find, last_modified
 *   handles     open, again, close, sync
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/dir_inner.h"
#include "kv/inner.h"

_Static_assert(sizeof(off_t) == 8, "values have 64-bit offsets");

/* ---- Errors ---- */

static enum bough_err err_of(int no, const char **what)
{
    *what = "";
    switch (no) {
    case ENOENT:
    case ESTALE:
        return BOUGH_ENOENT;
    case EACCES:
    case EPERM:
        *what = "the host forbids it";
        return BOUGH_EDENIED;
    case EROFS:
        return BOUGH_EREADONLY;
    case ENOSPC:
    case EDQUOT:
        return BOUGH_ENOSPC;
    case EFBIG:
        *what = "larger than the host's files may be";
        return BOUGH_ENOSPC;
    case ENOMEM:
        return BOUGH_ENOMEM;
    case EMFILE:
    case ENFILE:
        *what = "too many open files";
        return BOUGH_ENOMEM;
    case ENAMETOOLONG:
        *what = "longer than the host's names may be";
        return BOUGH_ETOOBIG;
    case EINVAL:
    case EILSEQ:
        *what = "a name that the host cannot hold";
        return BOUGH_EKEY;
    case EXDEV:
    case EBUSY:
        *what = "another file system is mounted there";
        return BOUGH_ENOTSUP;
    case EOPNOTSUPP:
    case ENOSYS:
        *what = "the host's file system cannot do it";
        return BOUGH_ENOTSUP;
    default:
        *what = "the host failed";
        return BOUGH_EIO;
    }
}

enum bough_err bough_kv__dir_fail(struct bough_kv__dir *d, int no, struct bough_view path)
{
    const char *what;
    enum bough_err err = err_of(no, &what);

    return bough_kv__why(&d->kv.why, err, what, path);
}

/* ---- Ways ---- */

int bough_kv__dir_open_at(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool bough_kv__dir_absent(int no)
{
    return no == ENOENT || no == ENOTDIR || no == ELOOP || no == ENAMETOOLONG || no == EINVAL ||
           no == EILSEQ;
}

bool bough_kv__dir_name(struct bough_view name, char out[BOUGH_KV__NAME_ROOM])
{
    bool dots = name.len <= 2 && name.ptr[0] == '.' && name.ptr[name.len - 1] == '.';

    if (dots || name.len >= BOUGH_KV__NAME_ROOM || memchr(name.ptr, 0, name.len) != NULL)
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return true;
}

void bough_kv__dir_way_close(struct bough_kv__way *w)
{
    if (w->owned)
        close(w->fd);
    w->owned = false;
}

enum bough_err bough_kv__dir_way(
    struct bough_kv__dir *d, struct bough_view path, struct bough_kv__way *out)
{
    struct bough_view name;

    *out = (struct bough_kv__way){.fd = d->root, .named = true, .name = ".", .rest = path};
    while (bough_kv__segment_next(&out->rest, &name)) {
        int next;

        if (out->rest.len > 0)
            out->rest = bough_view(out->rest.ptr + 1, out->rest.len - 1);
        out->named = bough_kv__dir_name(name, out->name) &&
                     (out->owned || strcmp(out->name, BOUGH_KV__STAGE) != 0);
        if (!out->named || out->rest.len == 0)
            return BOUGH_OK;
        next = bough_kv__dir_open_at(out->fd, out->name);
        if (next < 0 && bough_kv__dir_absent(errno))
            return BOUGH_OK;
        if (next < 0)
            return bough_kv__dir_fail(d, errno, path);
        bough_kv__dir_way_close(out);
        out->fd = next;
        out->owned = true;
    }
    return BOUGH_OK;
}

/* ---- Looking ---- */

uint32_t bough_kv__dir_mode(const struct stat *st)
{
    if (S_ISLNK(st->st_mode))
        return BOUGH_KV__LINK;
    if (!S_ISREG(st->st_mode))
        return 0;
    return (st->st_mode & S_IXUSR) != 0 ? BOUGH_KV__EXEC : BOUGH_KV__FILE;
}

/* What is at `w`; `*there` false: nothing. */
static enum bough_err way_stat(struct bough_kv__dir *d, const struct bough_kv__way *w,
    struct bough_view path, struct stat *st, bool *there)
{
    *there = false;
    if (!w->named)
        return BOUGH_OK;
    if (fstatat(w->fd, w->name, st, AT_SYMLINK_NOFOLLOW) == 0)
        *there = true;
    else if (!bough_kv__dir_absent(errno))
        return bough_kv__dir_fail(d, errno, path);
    return BOUGH_OK;
}

/* What is at `path`, which `w` leads to. */
static enum bough_err way_find(struct bough_kv__dir *d, const struct bough_kv__way *w,
    struct bough_view path, struct bough_node *out, size_t *through)
{
    struct stat st;
    bool there, holds = false;
    enum bough_err err = way_stat(d, w, path, &st, &there);

    if (err || !there)
        return err;
    if (w->rest.len > 0) {
        if (!S_ISDIR(st.st_mode))
            *through = (size_t)(w->rest.ptr - path.ptr) - 1;
        return BOUGH_OK;
    }
    if (!S_ISDIR(st.st_mode)) {
        out->kind = BOUGH_NODE_VALUE;
        out->mode = bough_kv__dir_mode(&st);
        return BOUGH_OK;
    }
    err = bough_kv__dir_holds(d, w->fd, w->name, &holds);
    if (!err && holds) {
        out->kind = BOUGH_NODE_DICT;
        out->mode = BOUGH_KV__DICT;
    }
    return err;
}

static enum bough_err dir_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_kv__way w;
    size_t ignored;
    enum bough_err err;

    *out = (struct bough_node){.kind = BOUGH_NODE_NONE};
    if (through == NULL)
        through = &ignored;
    *through = 0;
    if (path.len == 0) {
        out->kind = BOUGH_NODE_DICT;
        out->mode = BOUGH_KV__DICT;
        return BOUGH_OK;
    }
    err = bough_kv__dir_way(d, path, &w);
    if (!err)
        err = way_find(d, &w, path, out, through);
    bough_kv__dir_way_close(&w);
    return err;
}

static enum bough_err dir_last_modified(
    struct bough_kv *kv, struct bough_view path, struct bough_modified *out)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_kv__way w;
    struct stat st;
    bool there = false;
    enum bough_err err = bough_kv__dir_way(d, path, &w);

    if (!err)
        err = way_stat(d, &w, path, &st, &there);
    bough_kv__dir_way_close(&w);
    if (err)
        return err;
    if (!there || w.rest.len > 0)
        return BOUGH_ENOENT;
    out->time = (struct bough_time){
        .sec = (int64_t)st.st_mtim.tv_sec, .nsec = (uint32_t)st.st_mtim.tv_nsec};
    return BOUGH_OK;
}

/* ---- Handles ---- */

static const struct bough_kv_class dir_class;

/* A handle on the folder `root`, which is taken, even on error. */
static enum bough_err handle_new(const struct bough_env *env, int root, struct bough_kv **out)
{
    struct bough_kv__dir *d = bough_mem_zalloc(env->mem, 1, sizeof *d);

    if (d == NULL) {
        close(root);
        return BOUGH_ENOMEM;
    }
    bough_kv_init(
        &d->kv, &dir_class, env, BOUGH_SHA1, BOUGH_KV_WRITE | BOUGH_KV_MODE | BOUGH_KV_HANDLES);
    bough_kv__info_init(&d->info, env->mem);
    d->root = root;
    d->stage = d->own = -1;
    for (size_t i = 0; i < BOUGH_KV__LISTINGS; i++) {
        bough_buf_init(&d->lists[i].path, env->mem);
        bough_buf_init(&d->lists[i].from, env->mem);
        bough_buf_init(&d->lists[i].names, env->mem);
    }
    *out = &d->kv;
    return BOUGH_OK;
}

static void dir_close(struct bough_kv *kv)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);

    for (size_t i = 0; i < BOUGH_KV__LISTINGS; i++)
        bough_kv__listing_fini(&d->lists[i]);
    bough_kv__stage_end(d);
    bough_kv__info_fini(&d->info);
    close(d->root);
    bough_mem_free(kv->env->mem, d, sizeof *d);
}

static enum bough_err dir_again(struct bough_kv *kv, struct bough_kv **out)
{
    int root = bough_kv__dir_open_at(bough_kv__dir_of(kv)->root, ".");

    if (root < 0)
        return bough_kv__dir_fail(bough_kv__dir_of(kv), errno, bough_view("", 0));
    return handle_new(kv->env, root, out);
}

static enum bough_err dir_info(struct bough_kv *kv, const struct bough_info *info)
{
    return bough_kv__info_set(&bough_kv__dir_of(kv)->info, info);
}

static const struct bough_kv_class dir_class = {
    .name = "dir",
    .close = dir_close,
    .find = dir_find,
    .get_part = bough_kv__dir_get_part,
    .size = bough_kv__dir_size,
    .next = bough_kv__dir_next,
    .last_modified = dir_last_modified,
    .write = bough_kv__dir_write,
    .move = bough_kv__dir_move,
    .set_stream = bough_kv__dir_set_stream,
    .info = dir_info,
    .again = dir_again,
};

/* Make the folder `path` and sync the one that holds it; an errno, or 0. */
static int folder_make(const struct bough_env *env, const char *path)
{
    size_t n = strlen(path) + 1;
    char *copy;
    int up, no = 0;

    if (mkdir(path, 0777) != 0)
        return errno == EEXIST ? 0 : errno;
    copy = bough_mem_alloc(env->mem, n);
    if (copy == NULL)
        return ENOMEM;
    memcpy(copy, path, n);
    up = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0 || fsync(up) != 0)
        no = errno;
    if (up >= 0)
        close(up);
    bough_mem_free(env->mem, copy, n);
    return no;
}

enum bough_err bough_kv_dir_open(
    const struct bough_env *env, const char *path, bool create, struct bough_kv **out)
{
    int no = create ? folder_make(env, path) : 0, root = -1;
    const char *what;

    *out = NULL;
    if (no == 0)
        root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (no == 0 && root < 0)
        no = errno;
    if (no == ENOTDIR)
        return BOUGH_EDICT;
    return no != 0 ? err_of(no, &what) : handle_new(env, root, out);
}

enum bough_err bough_kv_dir_sync(struct bough_kv *dir, bool later)
{
    struct bough_kv__dir *d = bough_kv__dir_of(dir);
    bool was = d->later;

    BOUGH_ASSERT(dir->cls == &dir_class);
    d->later = later;
    if (!was || later || syncfs(d->root) == 0)
        return BOUGH_OK;
    return bough_kv__dir_fail(d, errno, bough_view("", 0));
}
