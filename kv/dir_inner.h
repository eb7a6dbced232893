/*
 * dir_inner.h - what the files of the `dir:` driver share.
 *
 *   places      struct bough_kv__dir
 *   listings    names of a folder, sorted, a window of them at a time
 *   ways        from a path to a folder of the host and a name in it
 *   reading     dir_read_posix.c, dir_list_posix.c
 *   stages      dir_stage_posix.c: where things are made before they are seen
 *   making      dir_make_posix.c: a value, whole before it is seen
 *   writing     dir_write_posix.c
 *
 * How a folder is a place.  A value is a file or a symbolic link (its bytes: the target), a
 * dictionary a folder with a value somewhere below; a folder without one does not exist.  What is
 * neither (a pipe, a socket, a device) is a value whose bytes are BOUGH_ENOTSUP, so that nobody
 * takes it for absent.  Every step goes from an open folder to a name in it, and no link is followed
 * but those in the path that the place was opened with.
 *
 * How a write is done.  What is new is made and synced in the stage, then put in place by one
 * rename(2), then the folder is synced.  What is removed whole goes into the stage by one rename,
 * too, and is taken apart there.  The stage is a folder at the root that no key can name, with a folder
 * in it for each handle that has written; it is there as long as one of them is open, and what a crash
 * left in it goes with the first write of the next.
 */
#ifndef BOUGH_KV_DIR_INNER_H
#define BOUGH_KV_DIR_INNER_H

#include "kv/inner.h"

struct stat;

/* ---- Places ---- */

enum { BOUGH_KV__NAME_ROOM = 256 };       /* bytes of a name of the host with its NUL */
enum { BOUGH_KV__LISTINGS = 32 };         /* listings that are kept; deeper ones share the last */
enum { BOUGH_KV__LISTING_MAX = 1 << 20 }; /* bytes of names in one of them */
enum { BOUGH_KV__LISTING_SETTLE = 100000000 }; /* nanoseconds; see listing_fill() */

/* The name of the stage; keys that begin with it are refused. */
#define BOUGH_KV__STAGE ".bough-tmp"

/* The names in a folder greater than `from`, up to the last one here or to the end. */
struct bough_kv__listing {
    struct bough_buf path; /* of the folder */
    struct bough_buf from;
    struct bough_buf names; /* each with a NUL behind it */
    uint32_t *order;        /* where names begin, by bytes of the names */
    size_t n, cap;
    bool whole; /* it goes to the end */
    bool sure;  /* as long as the folder's time of change is this */
    uint64_t dev, ino;
    int64_t sec;
    long nsec;
};

struct bough_kv__dir {
    struct bough_kv kv;
    int root;
    int stage, own; /* the stage, a folder of one's own in it; -1 before the first write */
    bool later;     /* new values wait for bough_kv_dir_sync() */
    struct bough_kv__info info;
    struct bough_kv__listing lists[BOUGH_KV__LISTINGS]; /* by depth: a walk keeps those above it */
};

static inline struct bough_kv__dir *bough_kv__dir_of(struct bough_kv *kv)
{
    return (struct bough_kv__dir *)kv;
}

/* kv->why for what the host answered (an errno) at `path`. */
enum bough_err bough_kv__dir_fail(struct bough_kv__dir *d, int no, struct bough_view path);

/* ---- Ways ---- */

/* The first segments of a path as far as they are folders, then a name, then what is left. */
struct bough_kv__way {
    int fd;                         /* the last of the folders */
    bool owned;                     /* `fd` is not the place's own */
    bool named;                     /* the host can hold that name, and it is not the stage's */
    char name[BOUGH_KV__NAME_ROOM]; /* with a NUL; "." at the root */
    struct bough_view rest;         /* of the path behind the name, without a slash in front */
};

/* Close with way_close(), also after an error. A path of the root has no name and is named. */
enum bough_err bough_kv__dir_way(
    struct bough_kv__dir *d, struct bough_view path, struct bough_kv__way *out);
void bough_kv__dir_way_close(struct bough_kv__way *w);

/* `name` as the host wants it; false: it cannot be one. */
bool bough_kv__dir_name(struct bough_view name, char out[BOUGH_KV__NAME_ROOM]);

/* Open the folder `name` in `at`, never through a link; -1 with errno. */
int bough_kv__dir_open_at(int at, const char *name);

/* Does this errno say that there is no such thing, or can be none? */
bool bough_kv__dir_absent(int no);

/* Git's mode of a file; 0: it is no file and no link. */
uint32_t bough_kv__dir_mode(const struct stat *st);

/* ---- Reading ---- */

/* A stream of the names in a folder. */
struct bough_kv__names {
    void *dir;         /* the system's */
    const void *entry; /* the system's, of the last name */
    bool root;         /* of the place: the stage is not there */
};

/* Those of the folder `name` in `at`; an errno, or 0. */
int bough_kv__names_open(int at, const char *name, bool root, struct bough_kv__names *out);
void bough_kv__names_close(struct bough_kv__names *s);

/* The next name; NULL: the end, or an errno in `*no`. */
const char *bough_kv__names_next(struct bough_kv__names *s, int *no);

/* Is there a value anywhere below folder `name` in `at`? */
enum bough_err bough_kv__dir_holds(struct bough_kv__dir *d, int at, const char *name, bool *out);

enum bough_err bough_kv__dir_get_part(struct bough_kv *kv, struct bough_view path,
    const struct bough_node *n, uint64_t at, uint64_t len, struct bough_buf *out);
enum bough_err bough_kv__dir_size(
    struct bough_kv *kv, struct bough_view path, const struct bough_node *n, uint64_t *out);
enum bough_err bough_kv__dir_next(struct bough_kv *kv, struct bough_view path,
    struct bough_view after, struct bough_kv_entry *out);
void bough_kv__listing_fini(struct bough_kv__listing *l);

/* ---- Stages ---- */

struct bough_kv__stage {
    struct bough_kv__dir *d;
    int fd;
    bool left; /* something in it is to go */
};

/* The handle's own folder in the stage, for one write; an errno, or 0. */
int bough_kv__stage_open(struct bough_kv__dir *d, struct bough_kv__stage *out);

/* What is left in it goes. */
void bough_kv__stage_close(struct bough_kv__stage *s);

/* The handle's folder goes, and the stage unless others are in it. */
void bough_kv__stage_end(struct bough_kv__dir *d);

enum { BOUGH_KV__STAGE_NAME = 24 }; /* bytes of a name in a stage, with a NUL */

/* A name that nothing in the stage has. */
void bough_kv__stage_name(struct bough_kv__stage *s, char out[BOUGH_KV__STAGE_NAME]);

/* ---- Making ---- */

/* What is to be made. */
struct bough_kv__dir_value {
    struct bough_view path;
    uint32_t mode;
    uint64_t size;
    struct bough_source *src;
    bool later; /* no syncs: it is new, and bough_kv_dir_sync() will come */
};

/* The file or link that `v` asks for, whole and synced: whoever reads `at` may not see it before. */
enum bough_err bough_kv__dir_make(
    struct bough_kv__dir *d, int at, const char *name, const struct bough_kv__dir_value *v);

/* Sync what was made in folder `fd`, unless that is for later; an errno, or 0. */
int bough_kv__dir_value_sync(const struct bough_kv__dir_value *v, int fd);

/* ---- Writing ---- */

enum bough_err bough_kv__dir_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags);
enum bough_err bough_kv__dir_move(
    struct bough_kv *kv, struct bough_view from, struct bough_view to);
enum bough_err bough_kv__dir_set_stream(struct bough_kv *kv, struct bough_view path,
    uint32_t git_mode, uint64_t size, struct bough_source *src);

#endif
