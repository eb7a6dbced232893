/*
 * lmdb_posix.c - the engine on an LMDB environment: opening, the map, facts.
 *
 *   errors     LMDB's codes
 *   the map    readers that died; looks at what is committed; growing
 *   facts      stat, sync
 *   owner      one process writes
 *   opening    the environment, its databases; making
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/engine.h"
#include "store/hosted_inner.h"
#include "store/lmdb_posix_inner.h"

enum {
    FORMAT = 1,
    DATABASES = 5,
    READERS = 512,      /* that may look at the same time, of all processes */
    MAP_MIN = 64 << 20, /* bytes */
};

static struct bough_store__lmdb *lmdb_of(struct bough_store *s)
{
    return bough_store__lmdb_of(s);
}

/* ---- Errors ---- */

static enum bough_err code_meaning(int code)
{
    switch (code) {
    case 0:
        return BOUGH_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return BOUGH_ENOENT;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BOUGH_ENOSPC;
    case ENOMEM:
        return BOUGH_ENOMEM;
    case EACCES:
    case EPERM:
        return BOUGH_EDENIED;
    case EROFS:
        return BOUGH_EREADONLY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return BOUGH_ECORRUPT;
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return BOUGH_ENOTSUP;
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
    case MDB_BAD_VALSIZE:
        return BOUGH_ETOOBIG;
    default:
        return BOUGH_EIO;
    }
}

enum bough_err bough_store__lmdb_err(struct bough_store__lmdb *l, int code)
{
    enum bough_err err = code_meaning(code);

    if (!err || err == BOUGH_ENOENT)
        return err;
    return BOUGH_WHY(&l->store.why, err, mdb_strerror(code), NULL, 0); /* static text */
}

enum bough_err bough_store__lmdb_full(struct bough_store__lmdb *l, enum bough_err err)
{
    enum { PROBE = 1 << 20 }; /* bytes */
    char path[BOUGH_STORE__PATH_MAX + 16];
    struct stat st;
    int fd, bad = 0;

    if (err != BOUGH_EIO)
        return err;
    snprintf(path, sizeof path, "%s/data.mdb", l->path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err;
    if (fstat(fd, &st) == 0)
        bad = posix_fallocate(fd, st.st_size, PROBE);
    close(fd);
    return bad == ENOSPC || bad == EDQUOT || bad == EFBIG
               ? BOUGH_WHY(&l->store.why, BOUGH_ENOSPC, "the filesystem is full", NULL, 0)
               : err;
}

/* ---- The map ---- */

bool bough_store__lmdb_forget(struct bough_store__lmdb *l)
{
    int dead = 0;

    return mdb_reader_check(l->env, &dead) == 0 && dead > 0;
}

enum bough_err bough_store__lmdb_look(struct bough_store__lmdb *l, MDB_txn **out)
{
    int code = mdb_txn_begin(l->env, NULL, MDB_RDONLY, out);

    if (code == MDB_READERS_FULL && bough_store__lmdb_forget(l))
        code = mdb_txn_begin(l->env, NULL, MDB_RDONLY, out);
    if (code == MDB_MAP_RESIZED) { /* another process made it larger */
        code = mdb_env_set_mapsize(l->env, 0);
        if (code == 0)
            code = mdb_txn_begin(l->env, NULL, MDB_RDONLY, out);
    }
    return bough_store__lmdb_err(l, code);
}

enum bough_err bough_store__lmdb_grow(struct bough_store__lmdb *l)
{
    MDB_envinfo info;
    int code = mdb_env_info(l->env, &info);

    if (code == 0 && info.me_mapsize > SIZE_MAX / 4)
        code = MDB_MAP_FULL;
    if (code == 0)
        code = mdb_env_set_mapsize(l->env, 2 * info.me_mapsize);
    return bough_store__lmdb_err(l, code);
}

/* ---- Facts ---- */

static enum bough_err lmdb_stat(struct bough_store *s, struct bough_store_stats *out)
{
    struct bough_store__lmdb *l = lmdb_of(s);
    MDB_stat objects, refs, records;
    MDB_envinfo info;
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, mdb_stat(txn, l->objects, &objects));
    if (!err)
        err = bough_store__lmdb_err(l, mdb_stat(txn, l->refs, &refs));
    if (!err)
        err = bough_store__lmdb_err(l, mdb_stat(txn, l->records, &records));
    if (!err)
        err = bough_store__lmdb_err(l, mdb_env_info(l->env, &info));
    mdb_txn_abort(txn);
    if (err)
        return err;
    out->objects = objects.ms_entries;
    out->refs = refs.ms_entries;
    out->records = records.ms_entries;
    out->used_bytes = (uint64_t)(info.me_last_pgno + 1) * objects.ms_psize;
    out->commits = l->commits;
    out->syncs = l->syncs;
    return BOUGH_OK;
}

static enum bough_err lmdb_sync(struct bough_store *s)
{
    struct bough_store__lmdb *l = lmdb_of(s);

    l->syncs++;
    return bough_store__lmdb_err(l, mdb_env_sync(l->env, 1));
}

/* ---- Owner ---- */

/* What a writer that died left of its transactions. */
static void temps_remove(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        if (strncmp(e->d_name, "tmp_bough_", 10) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
}

static enum bough_err owner_lock(struct bough_store__lmdb *l)
{
    char path[BOUGH_STORE__PATH_MAX + 8], pid[24] = "";
    ssize_t n;

    snprintf(path, sizeof path, "%s/owner", l->path);
    l->owner = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->owner < 0)
        return bough_store__sys(&l->store.why, "the lock could not be opened", path);
    if (flock(l->owner, LOCK_EX | LOCK_NB) != 0) {
        n = pread(l->owner, pid, sizeof pid - 1, 0);
        (void)BOUGH_WHY(&l->store.why, BOUGH_ELOCKED, "another process writes to it", NULL, 0);
        l->store.why.at = n > 0 ? strtoull(pid, NULL, 10) : 0;
        return BOUGH_ELOCKED;
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(l->owner, 0) != 0 || pwrite(l->owner, pid, (size_t)n, 0) != n)
        return bough_store__sys(&l->store.why, "the lock could not be written", path);
    temps_remove(l->path);
    return BOUGH_OK;
}

/* ---- Opening ---- */

static void lmdb_close(struct bough_store *s)
{
    struct bough_store__lmdb *l = lmdb_of(s);

    if (l->env != NULL)
        mdb_env_close(l->env);
    if (l->owner >= 0)
        close(l->owner);
    bough_buf_fini(&l->lent);
    bough_mem_free(s->env->mem, l, sizeof *l);
}

static const struct bough_store_class lmdb_class = {
    .name = "lmdb",
    .close = lmdb_close,
    .find = bough_store__lmdb_find,
    .has = bough_store__lmdb_has,
    .read = bough_store__lmdb_read,
    .object_open = bough_store__lmdb_object_open,
    .each = bough_store__lmdb_each,
    .abbrev = bough_store__lmdb_abbrev,
    .ref = bough_store__lmdb_ref,
    .ref_next = bough_store__lmdb_ref_next,
    .records = bough_store__lmdb_records,
    .begin = bough_store__lmdb_begin,
    .intake = bough_store__lmdb_intake,
    .sync = lmdb_sync,
    .stat = lmdb_stat,
};

static int databases_open(struct bough_store__lmdb *l, MDB_txn *txn, unsigned flags)
{
    int code = mdb_dbi_open(txn, "meta", flags, &l->meta);

    if (code == 0)
        code = mdb_dbi_open(txn, "objects", flags, &l->objects);
    if (code == 0)
        code = mdb_dbi_open(txn, "chunks", flags, &l->chunks);
    if (code == 0)
        code = mdb_dbi_open(txn, "refs", flags, &l->refs);
    if (code == 0)
        code = mdb_dbi_open(txn, "records", flags, &l->records);
    return code;
}

/* A fact of four bytes; 0 when it is missing. */
static uint32_t meta_get(struct bough_store__lmdb *l, MDB_txn *txn, const char *name)
{
    MDB_val k = bough_store__lmdb_val(name, strlen(name)), v;

    return mdb_get(txn, l->meta, &k, &v) == 0 && v.mv_size == 4 ? bough_get32be(v.mv_data) : 0;
}

static int meta_put(struct bough_store__lmdb *l, MDB_txn *txn, const char *name, uint32_t x)
{
    uint8_t raw[4];
    MDB_val k = bough_store__lmdb_val(name, strlen(name)), v = {sizeof raw, raw};

    bough_put32be(raw, x);
    return mdb_put(txn, l->meta, &k, &v, 0);
}

static int env_open(struct bough_store__lmdb *l, unsigned flags)
{
    char path[BOUGH_STORE__PATH_MAX + 16];
    struct stat st;
    size_t map = MAP_MIN;
    int code = mdb_env_create(&l->env);

    snprintf(path, sizeof path, "%s/data.mdb", l->path);
    while (stat(path, &st) == 0 && map / 2 < (uint64_t)st.st_size && map < SIZE_MAX / 4)
        map *= 2;
    if (code == 0)
        code = mdb_env_set_maxdbs(l->env, DATABASES);
    if (code == 0)
        code = mdb_env_set_maxreaders(l->env, READERS);
    if (code == 0)
        code = mdb_env_set_mapsize(l->env, map);
    return code != 0 ? code : mdb_env_open(l->env, l->path, flags | MDB_NOTLS, 0666);
}

static enum bough_err meta_check(struct bough_store__lmdb *l)
{
    uint32_t format, algo;
    MDB_txn *txn;
    enum bough_err err = bough_store__lmdb_look(l, &txn);

    if (err)
        return err;
    err = bough_store__lmdb_err(l, databases_open(l, txn, 0));
    format = err ? 0 : meta_get(l, txn, "format");
    algo = err ? 0 : meta_get(l, txn, "algo");
    if (!err && format != FORMAT)
        err = BOUGH_WHY(&l->store.why, BOUGH_ENOTSUP, "a format that is not known", NULL, 0);
    if (!err && algo != BOUGH_SHA1 && algo != BOUGH_SHA256)
        err = BOUGH_WHY(&l->store.why, BOUGH_ECORRUPT, "an unknown hash", NULL, 0);
    l->store.algo = (enum bough_algo)algo;
    if (err)
        mdb_txn_abort(txn);
    else
        err = bough_store__lmdb_err(l, mdb_txn_commit(txn)); /* so that the handles stay */
    return err;
}

static enum bough_err open_parts(struct bough_store__lmdb *l)
{
    char path[BOUGH_STORE__PATH_MAX + 16];
    enum bough_err err = BOUGH_OK;

    snprintf(path, sizeof path, "%s/data.mdb", l->path);
    if (access(path, F_OK) != 0)
        return BOUGH_WHY(
            &l->store.why, BOUGH_ENOENT, "there is no LMDB store", l->path, strlen(l->path));
    if (!l->store.read_only)
        err = owner_lock(l);
    if (!err)
        err = bough_store__lmdb_err(l, env_open(l, l->store.read_only ? MDB_RDONLY : 0));
    return err ? err : meta_check(l);
}

static struct bough_store__lmdb *lmdb_new(
    const struct bough_env *env, const char *path, bool read_only)
{
    struct bough_store__lmdb *l = bough_mem_zalloc(env->mem, 1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->store.cls = &lmdb_class;
    l->store.env = env;
    l->store.caps = BOUGH_STORE_ATOMIC_REFS | BOUGH_STORE_RECORDS | BOUGH_STORE_INTAKE |
                    BOUGH_STORE_DURABLE | (read_only ? BOUGH_STORE_SHARED : 0u);
    l->store.read_only = read_only;
    l->store.object_max = BOUGH_OBJECT_MAX_DEFAULT;
    l->owner = -1;
    bough_buf_init(&l->lent, env->mem);
    snprintf(l->path, sizeof l->path, "%s", path);
    return l;
}

enum bough_err bough_lmdb_store_open(const struct bough_env *env, const char *path, bool read_only,
    struct bough_store **out, struct bough_why *why)
{
    struct bough_store__lmdb *l;
    enum bough_err err;

    *out = NULL;
    if (strlen(path) >= BOUGH_STORE__PATH_MAX - 32)
        return BOUGH_WHY(why, BOUGH_EINVAL, "path too long", NULL, 0);
    l = lmdb_new(env, path, read_only);
    if (l == NULL)
        return BOUGH_ENOMEM;
    err = open_parts(l);
    if (err) {
        if (why != NULL)
            *why = l->store.why;
        lmdb_close(&l->store);
        return err;
    }
    *out = &l->store;
    return BOUGH_OK;
}

static int fill(struct bough_store__lmdb *l, enum bough_algo algo, enum bough_err *err)
{
    static uint8_t text[] = "HEADrefs/heads/main";
    const struct bough_store__move head = {
        .text = text, .name_len = 4, .target_len = sizeof text - 5, .kind = BOUGH_REF_SYM};
    MDB_txn *txn;
    int code = mdb_txn_begin(l->env, NULL, 0, &txn);

    if (code != 0)
        return code;
    l->store.algo = algo;
    code = databases_open(l, txn, MDB_CREATE);
    if (code == 0)
        code = meta_put(l, txn, "format", FORMAT);
    if (code == 0)
        code = meta_put(l, txn, "algo", (uint32_t)algo);
    if (code == 0)
        code = bough_store__lmdb_move(l, txn, &head, err);
    if (code == 0 && !*err)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

static void *plain_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    (void)mem;
    (void)old;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

enum bough_err bough_lmdb_create(const char *path, enum bough_algo algo, struct bough_why *why)
{
    struct bough_mem mem = {plain_resize};
    const struct bough_env env = {.mem = &mem};
    struct bough_store__lmdb *l;
    enum bough_err err = BOUGH_OK;

    if (strlen(path) >= BOUGH_STORE__PATH_MAX - 32)
        return BOUGH_WHY(why, BOUGH_EINVAL, "path too long", NULL, 0);
    if (access(path, F_OK) == 0 && rmdir(path) != 0)
        return BOUGH_WHY(why, BOUGH_EEXIST, "there is something in it", path, strlen(path));
    if (mkdir(path, 0777) != 0)
        return bough_store__sys(why, "the folder could not be made", path);
    l = lmdb_new(&env, path, false);
    if (l == NULL)
        return BOUGH_ENOMEM;
    err = owner_lock(l);
    if (!err)
        err = bough_store__lmdb_err(l, env_open(l, 0));
    if (!err) {
        int code = fill(l, algo, &err);
        err = err ? err : bough_store__lmdb_err(l, code);
    }
    if (err && why != NULL)
        *why = l->store.why;
    lmdb_close(&l->store);
    return err;
}
