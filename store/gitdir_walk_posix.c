/*
 * gitdir_walk_posix.c - all objects of a Git repository: each, abbreviations, numbers.
 *
 *   gathering   ids of loose objects and packs, each once
 *   each, abbrev
 *   numbers     stat
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/engine.h"
#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"

/* ---- Gathering ---- */

/* Ids gathered, those with a prefix or all; an object may be loose and in several packs. */
struct gather {
    struct bough_mem *mem;
    const struct bough_oid *prefix;
    uint32_t nibbles;
    git_oid *ids;
    size_t n, cap;
    enum bough_err err;
};

static int gather_one(const git_oid *id, void *payload)
{
    struct gather *a = payload;
    void *grown = a->ids;
    git_oid prefix;

    if (a->nibbles > 0) {
        prefix = bough_store__gitdir_id(a->prefix);
        if (git_oid_ncmp(id, &prefix, a->nibbles) != 0)
            return 0;
    }
    a->err = bough_mem_grow(a->mem, &grown, &a->cap, a->n + 1, sizeof *a->ids);
    a->ids = grown;
    if (a->err)
        return GIT_EUSER;
    a->ids[a->n++] = *id;
    return 0;
}

static int id_cmp(const void *a, const void *b)
{
    return git_oid_cmp(a, b);
}

/* All of them, sorted, each once.  Release with gather_fini(), also after an error. */
static enum bough_err gather_run(struct bough_store__gitdir *g, struct gather *a)
{
    size_t n = 0;
    int code;

    errno = 0;
    code = git_odb_refresh(g->odb);
    if (code >= 0)
        code = git_odb_foreach(g->odb, gather_one, a);
    if (a->err)
        return a->err;
    if (code < 0)
        return bough_store__gitdir_err(
            g, code, "libgit2 could not list the objects", bough_view(NULL, 0));
    if (a->n > 0)
        qsort(a->ids, a->n, sizeof *a->ids, id_cmp);
    for (size_t i = 0; i < a->n; i++) {
        if (n == 0 || !git_oid_equal(&a->ids[n - 1], &a->ids[i]))
            a->ids[n++] = a->ids[i];
    }
    a->n = n;
    return BOUGH_OK;
}

static void gather_fini(struct gather *a)
{
    bough_mem_free(a->mem, a->ids, a->cap * sizeof *a->ids);
}

enum bough_err bough_store__gitdir_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);
    struct gather a = {.mem = s->env->mem};
    struct bough_txn *open = s->txn;
    enum bough_err err = gather_run(g, &a);

    for (size_t i = 0; i < a.n && !err; i++) {
        struct bough_oid id = bough_oid_raw(s->algo, a.ids[i].id);
        struct bough_found found;

        s->txn = NULL; /* what is committed, only */
        err = s->cls->find(s, &id, &found);
        s->txn = open;
        if (err == BOUGH_ENOENT)
            err = BOUGH_OK; /* collected meanwhile */
        else if (err == BOUGH_ECORRUPT)
            err = fn(ctx, &id, &(struct bough_found){.type = BOUGH_NONE});
        else if (!err)
            err = fn(ctx, &id, &found);
    }
    gather_fini(&a);
    return err;
}

enum bough_err bough_store__gitdir_abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n)
{
    struct gather a = {.mem = s->env->mem, .prefix = prefix, .nibbles = nibbles};
    enum bough_err err = gather_run(bough_store__gitdir_of(s), &a);

    for (*n = 0; !err && *n < a.n && *n < cap; ++*n)
        ids[*n] = bough_oid_raw(s->algo, a.ids[*n].id);
    gather_fini(&a);
    return err;
}

/* ---- Numbers ---- */

static int count_one(const git_oid *id, void *payload)
{
    uint64_t *n = payload;

    (void)id;
    ++*n;
    return 0;
}

/* Bytes of the files in a folder, not below. */
static uint64_t files_bytes(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    uint64_t bytes = 0;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        struct stat st;
        if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    }
    if (dir != NULL)
        closedir(dir);
    return bytes;
}

enum bough_err bough_store__gitdir_stat(struct bough_store *s, struct bough_store_stats *out)
{
    struct bough_store__gitdir *g = bough_store__gitdir_of(s);
    char path[BOUGH_STORE__PATH_MAX + 8];

    errno = 0;
    if (git_odb_refresh(g->odb) < 0 || git_odb_foreach(g->odb, count_one, &out->objects) < 0)
        return bough_store__gitdir_err(
            g, GIT_ERROR, "libgit2 could not list the objects", bough_view(NULL, 0));
    out->used_bytes = files_bytes(g->packs);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(path, sizeof path, "%s/%02x", g->objects, i);
        out->used_bytes += files_bytes(path);
    }
    out->commits = g->commits;
    out->syncs = g->syncs;
    return bough_store__gitdir_refs_count(g, out);
}
