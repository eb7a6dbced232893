/*
 * dir_list_posix.c - the children of a folder of the host in byte order; see dir_inner.h.
 *
 *   listings    names sorted, a window of them
 *   next
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kv/dir_inner.h"
#include "kv/inner.h"

/* ---- Listings ---- */

void bough_kv__listing_fini(struct bough_kv__listing *l)
{
    bough_mem_free(l->names.mem, l->order, l->cap * sizeof *l->order);
    bough_buf_fini(&l->path);
    bough_buf_fini(&l->from);
    bough_buf_fini(&l->names);
}

static const char *listing_name(const struct bough_kv__listing *l, size_t i)
{
    return (const char *)l->names.ptr + l->order[i];
}

static int order_cmp(const void *a, const void *b, void *names)
{
    const char *text = names;

    return strcmp(text + *(const uint32_t *)a, text + *(const uint32_t *)b);
}

static void listing_sort(struct bough_kv__listing *l)
{
    if (l->n > 1)
        qsort_r(l->order, l->n, sizeof *l->order, order_cmp, l->names.ptr);
}

/* Keep the lower half of the names, sorted. */
static enum bough_err listing_halve(struct bough_kv__listing *l)
{
    struct bough_buf kept;

    listing_sort(l);
    l->n /= 2;
    l->whole = false;
    bough_buf_init(&kept, l->names.mem);
    for (size_t i = 0; i < l->n; i++) {
        const char *name = listing_name(l, i);
        uint32_t at = (uint32_t)kept.len;

        bough_buf_put(&kept, name, strlen(name) + 1);
        l->order[i] = at;
    }
    if (kept.err) {
        bough_buf_fini(&kept);
        l->n = 0;
        return BOUGH_ENOMEM;
    }
    bough_buf_fini(&l->names);
    l->names = kept;
    return BOUGH_OK;
}

/* Take a name in when it belongs to the window; `bound` is how many of the first are sorted. */
static enum bough_err listing_add(struct bough_kv__listing *l, const char *name, size_t *bound)
{
    void *order = l->order;

    if (bough_view_cmp(bough_view_str(name), bough_buf_view(&l->from)) <= 0)
        return BOUGH_OK;
    if (*bound > 0 && strcmp(name, listing_name(l, *bound - 1)) > 0)
        return BOUGH_OK;
    if (bough_mem_grow(l->names.mem, &order, &l->cap, l->n + 1, sizeof *l->order))
        return BOUGH_ENOMEM;
    l->order = order;
    l->order[l->n] = (uint32_t)l->names.len;
    bough_buf_put(&l->names, name, strlen(name) + 1);
    if (l->names.err)
        return l->names.err;
    l->n++;
    if (l->names.len > BOUGH_KV__LISTING_MAX) {
        enum bough_err err = listing_halve(l);

        *bound = l->n;
        return err;
    }
    return BOUGH_OK;
}

/* Did the folder change long enough ago for its time of change to tell of the next change? */
static bool listing_settled(const struct bough_kv__listing *l)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - l->sec != 0 && now.tv_sec - l->sec != 1)
        return now.tv_sec > l->sec;
    return (now.tv_sec - l->sec) * 1000000000 + (now.tv_nsec - l->nsec) > BOUGH_KV__LISTING_SETTLE;
}

/*
 * The names of the folder `fd` from `after` on.  Times of change come from a clock that ticks slowly:
 * a listing made within a tick of a change may lack what came later in that tick, and is not sure.
 */
static enum bough_err listing_fill(
    struct bough_kv__dir *d, struct bough_kv__listing *l, int fd, struct bough_view after)
{
    struct bough_kv__names names;
    size_t bound = 0;
    const char *name;
    int no;
    enum bough_err err;

    l->sure = false;
    l->n = 0;
    l->whole = true;
    bough_buf_clear(&l->names);
    bough_buf_clear(&l->from);
    bough_buf_put_view(&l->from, after);
    err = l->from.err;
    no = bough_kv__names_open(fd, ".", l->path.len == 0, &names);
    if (no != 0)
        return bough_kv__dir_fail(d, no, bough_buf_view(&l->path));
    while (!err && (name = bough_kv__names_next(&names, &no)) != NULL)
        err = listing_add(l, name, &bound);
    bough_kv__names_close(&names);
    if (!err && no != 0)
        err = bough_kv__dir_fail(d, no, bough_buf_view(&l->path));
    if (!err)
        listing_sort(l);
    return err;
}

/* Make `l` hold what comes after `after` in the folder `fd`, which is at `path`. */
static enum bough_err listing_aim(struct bough_kv__dir *d, struct bough_kv__listing *l, int fd,
    struct bough_view path, struct bough_view after)
{
    struct stat st;
    bool sure;
    enum bough_err err;

    if (fstat(fd, &st) != 0)
        return bough_kv__dir_fail(d, errno, path);
    if (l->sure && bough_view_eq(bough_buf_view(&l->path), path) && l->dev == st.st_dev &&
        l->ino == st.st_ino && l->sec == st.st_ctim.tv_sec && l->nsec == st.st_ctim.tv_nsec &&
        bough_view_cmp(after, bough_buf_view(&l->from)) >= 0 &&
        (l->whole || bough_view_cmp(after, bough_view_str(listing_name(l, l->n - 1))) < 0))
        return BOUGH_OK;
    l->sure = false;
    bough_buf_clear(&l->path);
    bough_buf_put_view(&l->path, path);
    if (l->path.err)
        return l->path.err;
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    l->sec = st.st_ctim.tv_sec;
    l->nsec = st.st_ctim.tv_nsec;
    sure = listing_settled(l);
    err = listing_fill(d, l, fd, after);
    l->sure = !err && sure;
    return err;
}

/* The first name greater than `after`. */
static size_t listing_after(const struct bough_kv__listing *l, struct bough_view after)
{
    size_t lo = 0, hi = l->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (bough_view_cmp(bough_view_str(listing_name(l, mid)), after) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- Next ---- */

/* What `name` is; a kind of none: it does not exist, after all. */
static enum bough_err entry_look(
    struct bough_kv__dir *d, int fd, const char *name, struct bough_kv_entry *out)
{
    struct stat st;
    bool holds;
    enum bough_err err;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? BOUGH_OK : bough_kv__dir_fail(d, errno, bough_view("", 0));
    out->name = bough_view_str(name);
    if (!S_ISDIR(st.st_mode)) {
        out->kind = BOUGH_KIND_VALUE;
        out->git_mode = bough_kv__dir_mode(&st);
        out->node = (struct bough_node){.kind = BOUGH_NODE_VALUE, .mode = out->git_mode};
        return BOUGH_OK;
    }
    err = bough_kv__dir_holds(d, fd, name, &holds);
    if (err || !holds)
        return err;
    out->kind = BOUGH_KIND_DICT;
    out->git_mode = BOUGH_KV__DICT;
    out->node = (struct bough_node){.kind = BOUGH_NODE_DICT, .mode = BOUGH_KV__DICT};
    return BOUGH_OK;
}

/* why names the entry `name` of the folder `path`. */
static enum bough_err entry_fail(
    struct bough_kv__dir *d, enum bough_err err, struct bough_view path, const char *name)
{
    struct bough_why *why = &d->kv.why;
    struct bough_buf key;

    bough_buf_init(&key, d->kv.env->mem);
    bough_buf_put_view(&key, path);
    bough_buf_put_u8(&key, '/');
    bough_buf_put_view(&key, bough_view_str(name));
    if (!key.err && why->err == err)
        (void)bough_kv__why(why, err, why->what, bough_buf_view(&key));
    bough_buf_fini(&key);
    return err;
}

static enum bough_err folder_next(struct bough_kv__dir *d, struct bough_kv__listing *l, int fd,
    struct bough_view path, struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_buf last;
    enum bough_err err;

    bough_buf_init(&last, d->kv.env->mem);
    for (;;) {
        err = listing_aim(d, l, fd, path, after);
        if (err)
            break;
        for (size_t i = listing_after(l, after); i < l->n; i++) {
            err = entry_look(d, fd, listing_name(l, i), out);
            if (err)
                err = entry_fail(d, err, path, listing_name(l, i));
            if (err || out->kind != BOUGH_KIND_NONE)
                goto out;
        }
        err = BOUGH_ENOENT;
        if (l->whole || l->n == 0)
            break;
        bough_buf_clear(&last);
        bough_buf_put_view(&last, bough_view_str(listing_name(l, l->n - 1)));
        err = last.err;
        if (err)
            break;
        after = bough_buf_view(&last);
    }
out:
    bough_buf_fini(&last);
    return err;
}

/* Folders at one depth share a listing: a walk is in one of them at a time. */
static struct bough_kv__listing *listing_of(struct bough_kv__dir *d, struct bough_view path)
{
    size_t depth = path.len > 0;

    for (size_t i = 0; i < path.len && depth < BOUGH_KV__LISTINGS - 1; i++)
        depth += path.ptr[i] == '/';
    return &d->lists[depth];
}

enum bough_err bough_kv__dir_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out)
{
    struct bough_kv__dir *d = bough_kv__dir_of(kv);
    struct bough_kv__way w;
    int fd = -1;
    enum bough_err err = bough_kv__dir_way(d, path, &w);

    if (!err && w.named && w.rest.len == 0) {
        fd = bough_kv__dir_open_at(w.fd, w.name);
        if (fd < 0 && !bough_kv__dir_absent(errno))
            err = bough_kv__dir_fail(d, errno, path);
    }
    bough_kv__dir_way_close(&w);
    if (err || fd < 0)
        return err ? err : BOUGH_ENOENT;
    err = folder_next(d, listing_of(d, path), fd, path, after, out);
    close(fd);
    return err;
}
