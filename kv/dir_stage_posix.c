/*
 * dir_stage_posix.c - where things are made before they are seen; see dir_inner.h.
 *
 *   names
 *   sweeping    everything in the stage goes, however deep
 *   a write     opening, closing
 *   a handle    its folder, from its first write to its end
 *
 * A handle that has written holds a shared lock on the stage; who gets the lock alone, on the folder
 * that the root still names, knows that what is in it belongs to nobody.  Hosts without locks on
 * folders keep what crashes leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/dir_inner.h"

/* ---- Names ---- */

void bough_kv__stage_name(struct bough_kv__stage *s, char out[BOUGH_KV__STAGE_NAME])
{
    static const char hex[] = "0123456789abcdef";
    struct stat st;

    do {
        uint8_t bytes[BOUGH_KV__STAGE_NAME / 2 - 1];
        size_t n = 0;

        bough_env_random(s->d->kv.env, bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++) {
            out[n++] = hex[bytes[i] >> 4];
            out[n++] = hex[bytes[i] & 15];
        }
        out[n] = '\0';
    } while (fstatat(s->fd, out, &st, AT_SYMLINK_NOFOLLOW) == 0);
}

/* ---- Sweeping ---- */

/* Folders in the folder `fd` of the stage move up into the stage; all else in it goes. */
static void sweep_folder(struct bough_kv__stage *s, const char *folder)
{
    struct bough_kv__names names;
    const char *name;
    int fd = bough_kv__dir_open_at(s->fd, folder), no;

    if (fd < 0)
        return;
    if (bough_kv__names_open(fd, ".", false, &names) == 0) {
        while ((name = bough_kv__names_next(&names, &no)) != NULL) {
            char up[BOUGH_KV__STAGE_NAME];

            if (unlinkat(fd, name, 0) == 0 || unlinkat(fd, name, AT_REMOVEDIR) == 0)
                continue;
            bough_kv__stage_name(s, up);
            (void)!renameat(fd, name, s->fd, up); /* what does not go stays for the next time */
        }
        bough_kv__names_close(&names);
    }
    close(fd);
}

/* One pass; true: something went, so that another one may help. */
static bool sweep_pass(struct bough_kv__stage *s)
{
    struct bough_kv__names names;
    bool went = false;
    const char *name;
    int no;

    if (bough_kv__names_open(s->fd, ".", false, &names) != 0)
        return false;
    while ((name = bough_kv__names_next(&names, &no)) != NULL) {
        if (unlinkat(s->fd, name, 0) != 0)
            sweep_folder(s, name);
        if (unlinkat(s->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            went = true;
    }
    bough_kv__names_close(&names);
    return went;
}

/* All that can go goes. */
static void sweep(struct bough_kv__stage *s)
{
    while (sweep_pass(s))
        ;
}

/* ---- A handle ---- */

static int lock(int fd, int how)
{
    int no;

    do
        no = flock(fd, how) == 0 ? 0 : errno;
    while (no == EINTR);
    return no;
}

/* Is `fd` what the root calls its stage? */
static bool stage_is(const struct bough_kv__dir *d, int fd)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstatat(d->root, BOUGH_KV__STAGE, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Make and share the stage, emptied if nobody is in it. */
static int stage_enter(struct bough_kv__dir *d)
{
    for (;;) {
        struct bough_kv__stage s = {.d = d};

        if (mkdirat(d->root, BOUGH_KV__STAGE, 0700) != 0 && errno != EEXIST)
            return errno;
        s.fd = bough_kv__dir_open_at(d->root, BOUGH_KV__STAGE);
        if (s.fd < 0 && errno == ENOENT)
            continue; /* its last user took it away */
        if (s.fd < 0)
            return errno;
        if (lock(s.fd, LOCK_EX | LOCK_NB) == 0 && stage_is(d, s.fd))
            sweep(&s);
        lock(s.fd, LOCK_SH);
        if (stage_is(d, s.fd)) {
            d->stage = s.fd;
            return 0;
        }
        close(s.fd);
    }
}

void bough_kv__stage_end(struct bough_kv__dir *d)
{
    struct bough_kv__stage s = {.d = d, .fd = d->stage};

    if (d->own >= 0)
        close(d->own);
    if (d->stage < 0)
        return;
    if (lock(s.fd, LOCK_EX | LOCK_NB) == 0 && stage_is(d, s.fd)) {
        sweep(&s);
        unlinkat(d->root, BOUGH_KV__STAGE, AT_REMOVEDIR);
    }
    close(d->stage);
    d->stage = d->own = -1;
}

/* ---- A write ---- */

int bough_kv__stage_open(struct bough_kv__dir *d, struct bough_kv__stage *out)
{
    char name[BOUGH_KV__STAGE_NAME];
    struct stat st;
    int no = 0;

    if (d->own >= 0 && (fstat(d->own, &st) != 0 || st.st_nlink == 0))
        bough_kv__stage_end(d); /* somebody tidied the host */
    if (d->stage < 0)
        no = stage_enter(d);
    if (no == 0 && d->own < 0) {
        *out = (struct bough_kv__stage){.d = d, .fd = d->stage};
        bough_kv__stage_name(out, name);
        if (mkdirat(d->stage, name, 0700) == 0)
            d->own = bough_kv__dir_open_at(d->stage, name);
        no = d->own < 0 ? errno : 0;
    }
    *out = (struct bough_kv__stage){.d = d, .fd = d->own};
    return no;
}

void bough_kv__stage_close(struct bough_kv__stage *s)
{
    if (s->left)
        sweep(s);
}
