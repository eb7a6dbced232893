/*
 * hosted_inner.h - what the engines on a filesystem share.
 *
 *   files       temporary ones, writing whole
 *   packfile    objects read from a pack in a file                 packfile_posix.c
 *   stage       a transaction's objects: in memory, then a file    stage_posix.c
 *   moves       a transaction's ref changes                        moves_posix.c
 *   packet      a pack received into a file, quarantined           packet_posix.c
 *
 * Nothing here knows how an engine keeps what is committed.
 */
#ifndef BOUGH_STORE_HOSTED_INNER_H
#define BOUGH_STORE_HOSTED_INNER_H

#include "base/buf.h"
#include "base/zip.h"
#include "git/entry.h"
#include "store/intake.h"

/* ---- Files ---- */

enum { BOUGH_STORE__PATH_MAX = 4096 }; /* bytes, with the NUL */

/* What the system's errno means; `why` (may be NULL) gets `what` and the path. */
enum bough_err bough_store__sys(struct bough_why *why, const char *what, const char *path);

/* A new file in `dir`, readable by its owner alone; `path` gets its name.  A descriptor, or -1. */
int bough_store__temp_open(const char *dir, char path[BOUGH_STORE__PATH_MAX]);

/* All bytes, or an error. */
enum bough_err bough_store__pwrite(int fd, uint64_t at, const void *src, size_t n);
enum bough_err bough_store__pread(int fd, uint64_t at, void *dst, size_t n); /* short: ECORRUPT */

/* The digest of bytes [0, len) of a file. */
enum bough_err bough_store__file_digest(
    int fd, enum bough_algo algo, uint64_t len, uint8_t out[BOUGH_DIGEST_MAX]);

/* ---- Packfile ---- */

/*
 * Objects read from a pack in a file whose entries are known to be sound.  Bases of deltas are
 * in it, too.  No state: copy it freely.
 */
struct bough_store__packfile {
    struct bough_mem *mem;
    int fd;
    enum bough_algo algo;
    uint64_t end;        /* of the entries, in bytes */
    uint64_t object_max; /* bytes of an object that is held in memory */
    void *ctx;           /* of find */
    /* Where the base of a REF delta is; BOUGH_ENOENT: it is not here. */
    enum bough_err (*find)(void *ctx, const struct bough_oid *id, uint64_t *at);
};

/* Type and size of the object whose entry is at `at`. */
enum bough_err bough_store__packfile_look(
    const struct bough_store__packfile *p, uint64_t at, struct bough_found *out);

/* Append its body to `out`. */
enum bough_err bough_store__packfile_read(const struct bough_store__packfile *p, uint64_t at,
    enum bough_type *type, struct bough_buf *out);

/* A handle on it, which inflates as it is read; one on a delta holds the body.  BOUGH_ENOTSUP
   for a delta when `whole_only`. */
enum bough_err bough_store__packfile_open(
    const struct bough_store__packfile *p, uint64_t at, bool whole_only, struct bough_object **out);

/* ---- Stage ---- */

struct bough_store__staged {
    struct bough_oid id;
    enum bough_type type;
    uint64_t size;
    uint8_t *ptr;        /* the body; NULL once it is in the file, or of size 0 */
    uint64_t at;         /* of the entry in the file */
    uint64_t packed_len; /* bytes of it */
    uint32_t crc;
};

/*
 * A transaction's objects, each once.  Few and small ones stay in memory; then all go on into
 * a file, which becomes a pack.
 */
struct bough_store__stage {
    struct bough_mem *mem;
    enum bough_algo algo;
    const char *dir;  /* where the file is made; borrowed */
    size_t count_max; /* objects in memory */
    size_t bytes_max; /* bytes of them */
    struct bough_why *why;
    struct bough_store__staged *rows; /* in the order of putting */
    size_t n, cap;
    uint32_t *slots; /* row + 1 by id */
    size_t slots_n;  /* a power of two */
    size_t bytes;    /* held */
    int fd;          /* -1: all are in memory */
    uint64_t len;    /* bytes of the file, out's included */
    struct bough_buf out;
    char path[BOUGH_STORE__PATH_MAX];
};

void bough_store__stage_init(struct bough_store__stage *st, struct bough_mem *mem,
    enum bough_algo algo, const char *dir, struct bough_why *why);
void bough_store__stage_fini(struct bough_store__stage *st); /* the file goes, too */

enum bough_err bough_store__stage_put(struct bough_store__stage *st, enum bough_type type,
    const struct bough_oid *id, struct bough_view body);

const struct bough_store__staged *bough_store__stage_find(
    const struct bough_store__stage *st, const struct bough_oid *id); /* NULL: not there */

/* Append a body. */
enum bough_err bough_store__stage_read(
    struct bough_store__stage *st, const struct bough_store__staged *row, struct bough_buf *out);

/* Where there is a file: it becomes a pack; `sum` is its checksum. */
enum bough_err bough_store__stage_seal(
    struct bough_store__stage *st, uint8_t sum[BOUGH_DIGEST_MAX]);

/* ---- Moves ---- */

/* A ref as a transaction wants it; `seen` is what the store had when it was first changed. */
struct bough_store__move {
    uint8_t *text; /* name, then target */
    size_t name_len, target_len;
    bool check; /* somebody compared: at commit the store must still have `seen` */
    struct bough_oid seen;
    enum bough_ref_kind was; /* seen with the kind */
    enum bough_ref_kind kind;
    struct bough_oid id, peeled;
};

struct bough_store__moves {
    struct bough_mem *mem;
    struct bough_store__move *rows; /* by name */
    size_t n, cap;
};

void bough_store__moves_fini(struct bough_store__moves *m);

/* The place of `name`, and whether it is there. */
size_t bough_store__moves_seek(
    const struct bough_store__moves *m, struct bough_view name, bool *found);

static inline struct bough_view bough_store__move_name(const struct bough_store__move *v)
{
    return bough_view(v->text, v->name_len);
}

static inline struct bough_view bough_store__move_target(const struct bough_store__move *v)
{
    return bough_view(v->text + v->name_len, v->target_len);
}

/*
 * Note a change, compared with what was noted before or else with what store `s` has.
 *
 * BOUGH_ETEST     it does not fit
 */
enum bough_err bough_store__moves_put(
    struct bough_store__moves *m, struct bough_store *s, const struct bough_ref_change *change);

/* ---- Packet ---- */

/* A pack received into a file beside a store `s`. */
struct bough_store__packet {
    struct bough_intake in;
    struct bough_store__intake_host host;
    struct bough_store__intake *core;
    struct bough_object *compared;
    struct bough_store view;
    /* Is it committed?  A miss may be wrong when others write at this moment.  NULL: has(). */
    enum bough_err (*known)(struct bough_store *s, const struct bough_oid *id);
    int fd;
    uint64_t len;                     /* bytes appended */
    uint64_t entries;                 /* when done: of the file, completing ones too */
    uint8_t sum[BOUGH_DIGEST_MAX];    /* when sealed */
    uint64_t shift;                   /* when sealed: by how much completing entries moved down */
    struct bough_store__packet *next; /* among those that a transaction adopted */
    char path[BOUGH_STORE__PATH_MAX];
    char index[BOUGH_STORE__PATH_MAX]; /* of another file, for an engine that makes one; or "" */
};

/*
 * Begin; the file is made in `dir`.  The pack is completed: it needs nothing else.  Closing
 * removes the file; an engine that gave it another name sets path[0] = 0.
 */
enum bough_err bough_store__packet_open(struct bough_store *s, const char *dir,
    const struct bough_intake_opts *opts, struct bough_intake **out);
struct bough_store__packet *bough_store__packet_of(struct bough_intake *in);
void bough_store__packet_close(struct bough_store__packet *x); /* and all behind it */

/* How to read it.  Not once it is sealed and shifted. */
struct bough_store__packfile bough_store__packet_file(const struct bough_store__packet *x);

/* When done: the place of an object's entry, or BOUGH_ENOENT. */
enum bough_err bough_store__packet_find(
    const struct bough_store__packet *x, const struct bough_oid *id, uint64_t *at);

/* When done: make the file a pack that stands for itself, header, order and checksum. */
enum bough_err bough_store__packet_seal(struct bough_store__packet *x);

#endif
