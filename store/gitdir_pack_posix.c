/*
 * gitdir_pack_posix.c - packs of the gitdir engine.
 *
 *   index      version 2: fanout, ids, checksums, places, two digests (gitformat-pack)
 *   install    both files get their names, the index last: from then on git sees the pack
 *   reading    big entries that are whole, found through the indices that are there
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/engine.h"
#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"

enum {
    ID_LEN = 20,
    INDEX_HEAD = 8,
    FANOUT_LEN = 1024,
    INDEX_MIN = INDEX_HEAD + FANOUT_LEN + 2 * ID_LEN,
    OUT_MAX = 64 * 1024,
};

/* ---- Index ---- */

struct index_out {
    struct bough_buf bytes;
    struct bough_hash sum;
    uint64_t at;
    int fd;
    enum bough_err err;
};

static void index_flush(struct index_out *o)
{
    if (o->err)
        return;
    o->err = o->bytes.err;
    if (!o->err) {
        bough_hash_update(&o->sum, o->bytes.ptr, o->bytes.len);
        o->err = bough_store__pwrite(o->fd, o->at, o->bytes.ptr, o->bytes.len);
    }
    o->at += o->bytes.len;
    bough_buf_clear(&o->bytes);
}

static void index_put32(struct index_out *o, uint32_t x)
{
    bough_buf_put32be(&o->bytes, x);
    if (o->bytes.len >= OUT_MAX)
        index_flush(o);
}

static void index_fanout(struct index_out *o, const struct bough_store__gitdir_entries *e)
{
    uint32_t below = 0;

    for (unsigned byte = 0; byte < 256; byte++) {
        while (below < e->n && e->get(e->ctx, below).id.bytes[0] <= byte)
            below++;
        index_put32(o, below);
    }
}

/* Places: 31 bits, or the number of one of the wide ones that follow. */
static void index_places(struct index_out *o, const struct bough_store__gitdir_entries *e)
{
    uint32_t wide = 0;

    for (uint64_t i = 0; i < e->n; i++) {
        uint64_t at = e->get(e->ctx, i).at;
        index_put32(o, at < 0x80000000 ? (uint32_t)at : 0x80000000 | wide++);
    }
    for (uint64_t i = 0; i < e->n && wide > 0; i++) {
        uint64_t at = e->get(e->ctx, i).at;
        if (at < 0x80000000)
            continue;
        index_put32(o, (uint32_t)(at >> 32));
        index_put32(o, (uint32_t)at);
    }
}

static void index_write(
    struct index_out *o, const struct bough_store__gitdir_entries *e, const uint8_t *sum)
{
    static const uint8_t magic[] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};
    uint8_t own[BOUGH_DIGEST_MAX];

    bough_buf_put(&o->bytes, magic, sizeof magic);
    index_fanout(o, e);
    for (uint64_t i = 0; i < e->n; i++) {
        struct bough_store__gitdir_entry row = e->get(e->ctx, i);
        bough_buf_put(&o->bytes, row.id.bytes, ID_LEN);
        if (o->bytes.len >= OUT_MAX)
            index_flush(o);
    }
    for (uint64_t i = 0; i < e->n; i++)
        index_put32(o, e->get(e->ctx, i).crc);
    index_places(o, e);
    bough_buf_put(&o->bytes, sum, ID_LEN);
    index_flush(o);
    bough_hash_final(&o->sum, own);
    if (!o->err)
        o->err = bough_store__pwrite(o->fd, o->at, own, ID_LEN);
}

enum bough_err bough_store__gitdir_index(struct bough_store__gitdir *g,
    const struct bough_store__gitdir_entries *entries, const uint8_t *sum,
    char path[BOUGH_STORE__PATH_MAX], bool sync)
{
    struct index_out o = {.fd = bough_store__temp_open(g->packs, path)};

    if (o.fd < 0)
        return bough_store__sys(&g->store.why, "a temporary file could not be made", g->packs);
    bough_buf_init(&o.bytes, g->store.env->mem);
    bough_hash_init(&o.sum, g->store.algo);
    index_write(&o, entries, sum);
    bough_buf_fini(&o.bytes);
    if (!o.err && sync && fsync(o.fd) != 0)
        o.err = BOUGH_EIO;
    fchmod(o.fd, 0444);
    if (close(o.fd) != 0 && !o.err)
        o.err = BOUGH_EIO;
    if (o.err) {
        unlink(path);
        path[0] = 0;
        return BOUGH_WHY(&g->store.why, o.err, "a pack's index could not be written", NULL, 0);
    }
    return BOUGH_OK;
}

/* ---- Install ---- */

static enum bough_err folder_sync(struct bough_store__gitdir *g)
{
    int fd = open(g->packs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool bad = fd < 0 || fsync(fd) != 0;

    if (fd >= 0)
        close(fd);
    return bad ? BOUGH_EIO : BOUGH_OK;
}

static enum bough_err move_in(
    struct bough_store__gitdir *g, char *temp, const char *hex, const char *suffix)
{
    char path[BOUGH_STORE__PATH_MAX + 80];

    snprintf(path, sizeof path, "%s/pack-%.40s.%s", g->packs, hex, suffix);
    if (rename(temp, path) != 0)
        return bough_store__sys(&g->store.why, "a pack could not be put in place", path);
    temp[0] = 0;
    return BOUGH_OK;
}

enum bough_err bough_store__gitdir_install(struct bough_store__gitdir *g, int pack_fd,
    char *pack_path, char *index_path, const uint8_t *sum, bool sync)
{
    struct bough_oid id = bough_oid_raw(BOUGH_SHA1, sum);
    char hex[BOUGH_HEX_MAX];
    enum bough_err err = BOUGH_OK;

    bough_oid_hex(BOUGH_SHA1, &id, hex);
    fchmod(pack_fd, 0444);
    if (sync && fsync(pack_fd) != 0)
        return BOUGH_WHY(&g->store.why, BOUGH_EIO, "sync of a pack failed", NULL, 0);
    err = move_in(g, pack_path, hex, "pack");
    if (!err)
        err = move_in(g, index_path, hex, "idx");
    if (!err && sync)
        err = folder_sync(g);
    return err;
}

/* ---- Reading ---- */

/* An index, mapped. */
struct index_map {
    const uint8_t *ptr;
    size_t len;
    uint32_t n;
};

static void map_close(struct index_map *m)
{
    union {
        const uint8_t *given;
        void *ptr;
    } same = {m->ptr};

    if (m->ptr != NULL)
        munmap(same.ptr, m->len);
    m->ptr = NULL;
}

/* Is it an index of version 2 whose size fits its count? */
static bool map_open(int folder, const char *name, struct index_map *m)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *ptr;

    *m = (struct index_map){.ptr = NULL};
    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0 || st.st_size < INDEX_MIN) {
        close(fd);
        return false;
    }
    ptr = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (ptr == MAP_FAILED)
        return false;
    m->ptr = ptr;
    m->len = (size_t)st.st_size;
    m->n = bough_get32be(m->ptr + INDEX_HEAD + FANOUT_LEN - 4);
    if (memcmp(m->ptr, "\377tOc\0\0\0\2", INDEX_HEAD) == 0 &&
        (m->len - INDEX_MIN) / (ID_LEN + 8) >= m->n)
        return true;
    map_close(m);
    return false;
}

/* Where the index says that `id` is. */
static bool map_find(const struct index_map *m, const struct bough_oid *id, uint64_t *at)
{
    const uint8_t *fanout = m->ptr + INDEX_HEAD, *ids = fanout + FANOUT_LEN;
    const uint8_t *places = ids + (size_t)m->n * (ID_LEN + 4), *wide = places + (size_t)m->n * 4;
    uint32_t lo = id->bytes[0] == 0 ? 0 : bough_get32be(fanout + 4 * (id->bytes[0] - 1));
    uint32_t hi = bough_get32be(fanout + 4 * id->bytes[0]), place;

    if (lo > hi || hi > m->n)
        return false;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (memcmp(ids + (size_t)mid * ID_LEN, id->bytes, ID_LEN) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == m->n || memcmp(ids + (size_t)lo * ID_LEN, id->bytes, ID_LEN) != 0)
        return false;
    place = bough_get32be(places + (size_t)lo * 4);
    *at = place;
    if (place & 0x80000000) {
        size_t from = (size_t)(wide - m->ptr) + (size_t)(place & 0x7fffffff) * 8;
        if (from > m->len - 2 * ID_LEN - 8)
            return false;
        *at = bough_get64be(m->ptr + from);
    }
    return true;
}

/* A handle over another, that closes its file. */
struct packed {
    struct bough_object object;
    struct bough_object *entry;
    struct bough_mem *mem;
    int fd;
};

static enum bough_err packed_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct packed *p = (struct packed *)o; /* object is the first field */

    return p->entry->cls->read(p->entry, at, dst, n, got);
}

static void packed_close(struct bough_object *o)
{
    struct packed *p = (struct packed *)o;

    bough_object_close(p->entry);
    close(p->fd);
    bough_mem_free(p->mem, p, sizeof *p);
}

static const struct bough_object_class packed_class = {.read = packed_read, .close = packed_close};

static enum bough_err entry_open(
    struct bough_store__gitdir *g, int fd, uint64_t at, struct bough_object **out)
{
    struct bough_store__packfile file = {.mem = g->store.env->mem, .fd = fd, .algo = BOUGH_SHA1};
    struct packed *p = bough_mem_zalloc(file.mem, 1, sizeof *p);
    struct stat st;
    enum bough_err err;

    if (p == NULL || fstat(fd, &st) != 0) {
        bough_mem_free(file.mem, p, sizeof *p);
        close(fd);
        return p == NULL ? BOUGH_ENOMEM : BOUGH_EIO;
    }
    *p = (struct packed){.mem = file.mem, .fd = fd};
    file.end = (uint64_t)st.st_size;
    err = bough_store__packfile_open(&file, at, true, &p->entry);
    if (err) {
        packed_close(&p->object);
        return err == BOUGH_ENOMEM ? err : BOUGH_ENOTSUP;
    }
    p->object = (struct bough_object){&packed_class, p->entry->type, p->entry->size, false, 0};
    *out = &p->object;
    return BOUGH_OK;
}

/* Has the pack of this index the object? */
static enum bough_err look_in(struct bough_store__gitdir *g, int folder, char *name,
    const struct bough_oid *id, struct bough_object **out)
{
    struct index_map m;
    uint64_t at = 0;
    bool found = map_open(folder, name, &m) && map_find(&m, id, &at);
    int fd;

    map_close(&m);
    if (!found)
        return BOUGH_ENOTSUP;
    memcpy(strrchr(name, '.'), ".pack", sizeof ".pack");
    fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? BOUGH_ENOTSUP : entry_open(g, fd, at, out);
}

enum bough_err bough_store__gitdir_packed_open(
    struct bough_store__gitdir *g, const struct bough_oid *id, struct bough_object **out)
{
    DIR *dir = opendir(g->packs);
    enum bough_err err = BOUGH_ENOTSUP;
    const struct dirent *e;

    while (dir != NULL && err == BOUGH_ENOTSUP && (e = readdir(dir)) != NULL) {
        char name[sizeof e->d_name + 8];
        size_t n = strlen(e->d_name);

        if (n < 4 || strcmp(e->d_name + n - 4, ".idx") != 0)
            continue;
        memcpy(name, e->d_name, n + 1);
        err = look_in(g, dirfd(dir), name, id, out);
    }
    if (dir != NULL)
        closedir(dir);
    return err;
}
