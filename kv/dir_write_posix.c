/*
 * dir_write_posix.c - writing to a folder of the host; see dir_inner.h.
 *
 *   chains      the folders that a new path needs
 *   places      the one rename that makes it seen
 *   values      set
 *   removal     remove, clear
 *   move
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/dir_inner.h"
#include "kv/inner.h"

/* ---- Chains ---- */

/* Where something is: a folder and a name. */
struct spot {
    int fd;
    const char *name;
};

/*
 * Make the folder `top`, and in it those that `rest` names but for its last segment, each synced into
 * the one above unless that is for `later`.  `*out` is the last one, `last` that segment; without
 * `rest` there is nothing to make.  An errno, or 0.
 */
static int chain_make(
    struct spot top, struct bough_view rest, bool later, int *out, char last[BOUGH_KV__NAME_ROOM])
{
    struct bough_view segment;
    int at = top.fd, fd = at, no = 0;

    memcpy(last, top.name, strlen(top.name) + 1);
    while (no == 0 && bough_kv__segment_next(&rest, &segment)) {
        int next = -1;

        if ((mkdirat(fd, last, 0777) == 0 || errno == EEXIST) && (later || fsync(fd) == 0))
            next = bough_kv__dir_open_at(fd, last);
        no = next < 0 ? errno : 0;
        if (no == 0 && fd != at)
            close(fd);
        if (no == 0)
            fd = next;
        if (no == 0 && !bough_kv__dir_name(segment, last))
            no = EINVAL;
    }
    if (no != 0 && fd != at)
        close(fd);
    *out = fd;
    return no;
}

/* The folders above `path` that hold nothing any more go, up to the first `keep` bytes of it. */
static void chain_prune(struct bough_kv__dir *d, struct bough_view path, size_t keep)
{
    bool went = true;

    for (path = bough_kv__path_parent(path); went && path.len > keep;
         path = bough_kv__path_parent(path)) {
        struct bough_kv__way w;

        went = bough_kv__dir_way(d, path, &w) == BOUGH_OK && w.named && w.rest.len == 0 &&
               unlinkat(w.fd, w.name, AT_REMOVEDIR) == 0;
        bough_kv__dir_way_close(&w);
    }
}

/* ---- Places ---- */

/* What stands at `to` goes into the stage, `from` takes its place; failed, all is as before. */
static int spot_replace(struct bough_kv__stage *s, struct spot from, struct spot to)
{
    char old[BOUGH_KV__STAGE_NAME];
    int no;

    s->left = true;
#ifdef RENAME_EXCHANGE
    if (from.fd == s->fd && renameat2(from.fd, from.name, to.fd, to.name, RENAME_EXCHANGE) == 0)
        return 0;
#endif
    bough_kv__stage_name(s, old);
    if (renameat(to.fd, to.name, s->fd, old) != 0)
        return errno;
    if (renameat(from.fd, from.name, to.fd, to.name) == 0)
        return 0;
    no = errno;
    return renameat(s->fd, old, to.fd, to.name) == 0 ? no : EIO;
}

/* Put `from` in the place of whatever is at `to`. */
static int spot_take(struct bough_kv__stage *s, struct spot from, struct spot to)
{
    if (renameat(from.fd, from.name, to.fd, to.name) == 0) {
        s->left = false;
        return 0;
    }
    if (errno != EISDIR && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST)
        return errno;
    return spot_replace(s, from, to);
}

/* ---- Values ---- */

/* `v` at `w`, where nothing stands that may not be replaced. */
static enum bough_err value_make(struct bough_kv__dir *d, struct bough_kv__stage *s,
    const struct bough_kv__way *w, const struct bough_kv__dir_value *v)
{
    char made[BOUGH_KV__STAGE_NAME], name[BOUGH_KV__NAME_ROOM];
    int fd, no;
    enum bough_err err;

    bough_kv__stage_name(s, made);
    s->left = true;
    no = chain_make((struct spot){s->fd, made}, w->rest, v->later, &fd, name);
    if (no != 0)
        return bough_kv__dir_fail(d, no, v->path);
    err = bough_kv__dir_make(d, fd, name, v);
    no = !err && (fd != s->fd || v->mode == BOUGH_KV__LINK) ? bough_kv__dir_value_sync(v, fd) : 0;
    if (no != 0)
        err = bough_kv__dir_fail(d, no, v->path);
    if (fd != s->fd)
        close(fd);
    if (!err) {
        no = spot_take(s, (struct spot){s->fd, made}, (struct spot){w->fd, w->name});
        if (no == 0)
            no = bough_kv__dir_value_sync(v, w->fd);
        err = no != 0 ? bough_kv__dir_fail(d, no, v->path) : BOUGH_OK;
    }
    return err;
}

static enum bough_err unnamed(struct bough_kv__dir *d, struct bough_view path)
{
    return bough_kv__why(&d->kv.why, BOUGH_EKEY, "a name kept for what is being written", path);
}

/* Are these the bytes of the file `fd`? */
static bool file_same(int fd, struct bough_view bytes)
{
    uint8_t piece[8192];
    struct stat st;
    off_t at = 0;

    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != bytes.len)
        return false;
    while (bytes.len > 0) {
        ssize_t got = pread(fd, piece, bytes.len < sizeof piece ? bytes.len : sizeof piece, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || memcmp(piece, bytes.ptr, (size_t)got) != 0)
            return false;
        at += got;
        bytes = bough_view(bytes.ptr + got, bytes.len - (size_t)got);
    }
    return true;
}

/* Is there a value of this mode with these bytes, for good?  False when that cannot be told. */
static bool value_same(const struct bough_kv__way *w, const struct bough_write *write, bool later)
{
    char target[PATH_MAX];
    struct stat st;
    bool same = false;
    int fd;

    if (!w->named || w->rest.len > 0 || fstatat(w->fd, w->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        bough_kv__dir_mode(&st) != write->mode)
        return false;
    if (write->mode == BOUGH_KV__LINK) {
        ssize_t got = readlinkat(w->fd, w->name, target, sizeof target);

        same = got > 0 && bough_view_eq(bough_view(target, (size_t)got), write->bytes);
    } else {
        fd = openat(w->fd, w->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        same = fd >= 0 && file_same(fd, write->bytes) && (later || fsync(fd) == 0);
        if (fd >= 0)
            close(fd);
    }
    return same && (later || fsync(w->fd) == 0);
}

/* `same` may be NULL: the write that `v` is of, done already if its value is there. */
static enum bough_err value_set(
    struct bough_kv__dir *d, struct bough_kv__dir_value *v, const struct bough_write *same)
{
    struct bough_kv__stage s;
    struct bough_kv__way w;
    struct stat st;
    int no;
    enum bough_err err = bough_kv__dir_way(d, v->path, &w);

    if (!err && !w.named)
        err = unnamed(d, v->path);
    if (!err && same != NULL && value_same(&w, same, d->later)) {
        bough_kv__dir_way_close(&w);
        return BOUGH_OK;
    }
    if (!err) {
        v->later = d->later && fstatat(w.fd, w.name, &st, AT_SYMLINK_NOFOLLOW) != 0;
        no = bough_kv__stage_open(d, &s);
        err = no != 0 ? bough_kv__dir_fail(d, no, v->path) : BOUGH_OK;
    }
    if (!err) {
        err = value_make(d, &s, &w, v);
        bough_kv__stage_close(&s);
    }
    bough_kv__dir_way_close(&w);
    return err;
}

enum bough_err bough_kv__dir_set_stream(struct bough_kv *kv, struct bough_view path,
    uint32_t git_mode, uint64_t size, struct bough_source *src)
{
    struct bough_kv__dir_value v = {path, git_mode, size, src, false};

    return value_set(bough_kv__dir_of(kv), &v, NULL);
}

/* ---- Removal ---- */

static enum bough_err value_remove(struct bough_kv__dir *d, struct bough_view path)
{
    struct bough_kv__stage s = {.fd = -1};
    char gone[BOUGH_KV__STAGE_NAME];
    struct bough_kv__way w;
    int no = 0;
    enum bough_err err = bough_kv__dir_way(d, path, &w);

    if (!err && (!w.named || w.rest.len > 0))
        err = BOUGH_ENOENT;
    if (!err && unlinkat(w.fd, w.name, 0) != 0) {
        no = errno == EISDIR || errno == EPERM ? bough_kv__stage_open(d, &s) : errno;
        if (no == 0) {
            s.left = true;
            bough_kv__stage_name(&s, gone);
            no = renameat(w.fd, w.name, s.fd, gone) == 0 ? 0 : errno;
        }
    }
    if (!err && no == 0 && fsync(w.fd) != 0)
        no = errno;
    if (!err && no == 0)
        chain_prune(d, path, 0);
    if (s.fd >= 0)
        bough_kv__stage_close(&s);
    bough_kv__dir_way_close(&w);
    return no != 0 ? bough_kv__dir_fail(d, no, path) : err;
}

/* Everything in the folder `from` goes to `to`; an errno, or 0, and `d->kv.why` for a name that no key has. */
static int clear_move(struct bough_kv__dir *d, int from, int to, bool check)
{
    struct bough_kv__names names;
    const char *name;
    int no = bough_kv__names_open(from, ".", check, &names), end;

    if (no != 0)
        return no;
    while (no == 0 && (name = bough_kv__names_next(&names, &end)) != NULL) {
        if (check && bough_path_check(bough_view_str(name), &d->kv.why) == BOUGH_EKEY)
            no = EINVAL;
        else if (renameat(from, name, to, name) != 0)
            no = errno;
    }
    bough_kv__names_close(&names);
    return no != 0 ? no : end;
}

/*
 * Everything goes into the stage; what failed comes back.  A name that no key can have (.git) is not
 * ours to remove: EKEY.
 */
static enum bough_err clear(struct bough_kv__dir *d)
{
    char gone[BOUGH_KV__STAGE_NAME];
    struct bough_kv__stage s;
    int fd = -1, no = bough_kv__stage_open(d, &s);

    if (no != 0)
        return bough_kv__dir_fail(d, no, bough_view("", 0));
    s.left = true;
    bough_kv__stage_name(&s, gone);
    if (mkdirat(s.fd, gone, 0700) == 0)
        fd = bough_kv__dir_open_at(s.fd, gone);
    no = fd < 0 ? errno : clear_move(d, d->root, fd, true);
    if (fd >= 0 && no != 0 && clear_move(d, fd, d->root, false) != 0)
        no = EIO;
    if (no == 0 && fsync(d->root) != 0)
        no = errno;
    if (fd >= 0)
        close(fd);
    bough_kv__stage_close(&s);
    if (no == EINVAL && d->kv.why.err == BOUGH_EKEY)
        return BOUGH_EKEY;
    return no != 0 ? bough_kv__dir_fail(d, no, bough_view("", 0)) : BOUGH_OK;
}

enum bough_err bough_kv__dir_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_source_view src;
    struct bough_kv__dir_value v;

    (void)flags; /* there are no commits to make again */
    BOUGH_ASSERT(n == 1);
    if (w->remove)
        return w->path.len == 0 ? clear(d) : value_remove(d, w->path);
    bough_source_view_init(&src, w->bytes);
    v = (struct bough_kv__dir_value){w->path, w->mode, w->bytes.len, &src.src, false};
    return value_set(d, &v, w);
}

/* ---- Move ---- */

/* `from` to `to`, where a folder without values gives way. */
static int move_place(struct bough_kv__dir *d, struct spot from, struct spot to)
{
    struct bough_kv__stage s;
    int no;

    if (renameat(from.fd, from.name, to.fd, to.name) == 0)
        return 0;
    if (errno != EISDIR && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST)
        return errno;
    no = bough_kv__stage_open(d, &s);
    if (no != 0)
        return no;
    no = spot_replace(&s, from, to);
    bough_kv__stage_close(&s);
    return no;
}

/* rename(2) does nothing between two names of one file: then the old one goes by hand. */
static int move_end(struct spot from, struct spot to)
{
    struct stat a, b;

    if (fstatat(from.fd, from.name, &a, AT_SYMLINK_NOFOLLOW) != 0 ||
        fstatat(to.fd, to.name, &b, AT_SYMLINK_NOFOLLOW) != 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return 0;
    return unlinkat(from.fd, from.name, 0) == 0 ? 0 : errno;
}

static int move_run(struct bough_kv__dir *d, const struct bough_kv__way *a,
    const struct bough_kv__way *b, struct bough_view to)
{
    char last[BOUGH_KV__NAME_ROOM];
    int fd, no = chain_make((struct spot){b->fd, b->name}, b->rest, false, &fd, last);

    if (no == 0) {
        struct spot old = {a->fd, a->name}, spot = {fd, last};

        no = move_place(d, old, spot);
        if (no == 0)
            no = move_end(old, spot);
        if (no == 0 && (fsync(fd) != 0 || fsync(a->fd) != 0))
            no = errno;
        if (fd != b->fd)
            close(fd);
    }
    if (no != 0 && b->rest.len > 0)
        chain_prune(d, to, to.len - b->rest.len - strlen(b->name) - 1);
    return no;
}

enum bough_err bough_kv__dir_move(struct bough_kv *kv, struct bough_view from, struct bough_view to)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_kv__way a, b = {.owned = false};
    int no;
    enum bough_err err = bough_kv__dir_way(d, from, &a);

    if (!err && (!a.named || a.rest.len > 0))
        err = BOUGH_ENOENT;
    if (!err)
        err = bough_kv__dir_way(d, to, &b);
    if (!err && !b.named)
        err = unnamed(d, to);
    if (!err) {
        no = move_run(d, &a, &b, to);
        err = no != 0 ? bough_kv__dir_fail(d, no, no == ENOENT ? from : to) : BOUGH_OK;
    }
    if (!err)
        chain_prune(d, from, 0);
    bough_kv__dir_way_close(&a);
    bough_kv__dir_way_close(&b);
    return err;
}
