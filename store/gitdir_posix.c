/*
 * gitdir_posix.c - the engine on an ordinary Git repository: objects, and opening.
 *
 *   errors     libgit2's codes
 *   finding    the transaction's own, then the repository's
 *   reading    whole; in pieces: a pack's entry, a loose file, or whole
 *   facts      sync
 *   opening
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/engine.h"
#include "store/gitdir_posix_inner.h"
#include "store/hosted_inner.h"
#include "store/inner.h"

enum { WHOLE_MAX = 1 << 20 }; /* bytes of an object that a handle just holds */

static struct bough_store__gitdir *gitdir_of(struct bough_store *s)
{
    return bough_store__gitdir_of(s);
}

/* ---- Errors ---- */

static enum bough_err code_meaning(int code)
{
    const git_error *e = git_error_last();

    switch (code) {
    case GIT_ENOTFOUND:
        return BOUGH_ENOENT;
    case GIT_ELOCKED:
        return BOUGH_ELOCKED;
    case GIT_EINVALIDSPEC:
        return BOUGH_EKEY;
    case GIT_EEXISTS:
    case GIT_EDIRECTORY:
        return BOUGH_EEXIST;
    case GIT_EMISMATCH:
        return BOUGH_ECORRUPT;
    case GIT_EOWNER:
        return BOUGH_EDENIED;
    default:
        break;
    }
    if (errno == ENOSPC || errno == EDQUOT)
        return BOUGH_ENOSPC;
    if (errno == EACCES || errno == EPERM)
        return BOUGH_EDENIED;
    if (errno == ENOTDIR || errno == EISDIR)
        return BOUGH_EEXIST; /* a ref where another has its folder, or the reverse */
    if (e == NULL)
        return BOUGH_EIO;
    if (e->klass == GIT_ERROR_NOMEMORY)
        return BOUGH_ENOMEM;
    if (e->klass == GIT_ERROR_ZLIB || e->klass == GIT_ERROR_ODB || e->klass == GIT_ERROR_OBJECT)
        return BOUGH_ECORRUPT;
    return BOUGH_EIO;
}

enum bough_err bough_store__gitdir_err(
    struct bough_store__gitdir *g, int code, const char *what, struct bough_view key)
{
    enum bough_err err = code >= 0 ? BOUGH_OK : code_meaning(code);

    if (!err || err == BOUGH_ENOENT)
        return err;
    if (git_error_last() != NULL) /* its own words, which do not live on */
        bough_env_log(g->store.env, BOUGH_LOG_WARN, git_error_last()->message);
    return BOUGH_WHY(&g->store.why, err, what, key.ptr, key.len);
}

static enum bough_err object_err(
    struct bough_store__gitdir *g, int code, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t len = bough_oid_hex(g->store.algo, id, hex);

    return bough_store__gitdir_err(
        g, code, "libgit2 could not read an object", bough_view(hex, len));
}

/* ---- Finding ---- */

static enum bough_type type_of(git_object_t type)
{
    return type >= GIT_OBJECT_COMMIT && type <= GIT_OBJECT_TAG ? (enum bough_type)type : BOUGH_NONE;
}

/* Is it among what the open transaction put or adopted? */
static const struct bough_store__staged *own_staged(
    struct bough_store__gitdir *g, const struct bough_oid *id)
{
    return g->store.txn == NULL ? NULL : bough_store__stage_find(&g->own.stage, id);
}

static const struct bough_store__packet *own_adopted(
    struct bough_store__gitdir *g, const struct bough_oid *id, uint64_t *at)
{
    if (g->store.txn == NULL)
        return NULL;
    for (const struct bough_store__packet *x = g->own.adopted; x != NULL; x = x->next) {
        if (bough_store__packet_find(x, id, at) == BOUGH_OK)
            return x;
    }
    return NULL;
}

static enum bough_err gitdir_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    struct bough_store__gitdir *g = gitdir_of(s);
    const struct bough_store__staged *row = own_staged(g, id);
    git_oid gid = bough_store__gitdir_id(id);
    const struct bough_store__packet *x;
    git_object_t type;
    uint64_t at;
    size_t size;
    int code;

    if (row != NULL) {
        *out = (struct bough_found){.type = row->type, .size = row->size};
        return BOUGH_OK;
    }
    x = own_adopted(g, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_look(&file, at, out);
    }
    errno = 0;
    code = git_odb_read_header(&size, &type, g->odb, &gid);
    if (code < 0)
        return object_err(g, code, id);
    *out = (struct bough_found){.type = type_of(type), .size = size};
    return out->type == BOUGH_NONE ? BOUGH_ECORRUPT : BOUGH_OK;
}

static enum bough_err gitdir_has(struct bough_store *s, const struct bough_oid *id)
{
    struct bough_store__gitdir *g = gitdir_of(s);
    git_oid gid = bough_store__gitdir_id(id);
    uint64_t at;

    if (own_staged(g, id) != NULL || own_adopted(g, id, &at) != NULL)
        return BOUGH_OK;
    return git_odb_exists(g->odb, &gid) ? BOUGH_OK : BOUGH_ENOENT;
}

/* ---- Reading ---- */

static enum bough_err odb_read(struct bough_store__gitdir *g, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    git_oid gid = bough_store__gitdir_id(id);
    git_odb_object *o;
    int code;

    errno = 0;
    code = git_odb_read(&o, g->odb, &gid);
    if (code < 0)
        return object_err(g, code, id);
    *type = type_of(git_odb_object_type(o));
    bough_buf_put(out, git_odb_object_data(o), git_odb_object_size(o));
    git_odb_object_free(o);
    return *type == BOUGH_NONE ? BOUGH_ECORRUPT : out->err;
}

static enum bough_err body_read(struct bough_store__gitdir *g, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    const struct bough_store__staged *row = own_staged(g, id);
    const struct bough_store__packet *x;
    uint64_t at;

    if (row != NULL) {
        *type = row->type;
        return bough_store__stage_read(&g->own.stage, row, out);
    }
    x = own_adopted(g, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_read(&file, at, type, out);
    }
    return odb_read(g, id, type, out);
}

static enum bough_err gitdir_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_found found;
    enum bough_err err = gitdir_find(s, id, &found);

    (void)where;
    if (err)
        return err;
    return found.size > s->object_max ? BOUGH_ETOOBIG : body_read(gitdir_of(s), id, type, out);
}

/* A loose object, read forward; going back begins anew. */
struct loose {
    struct bough_object object;
    struct bough_store__gitdir *g;
    struct bough_oid id;
    git_odb_stream *stream;
    uint64_t pos;
};

static enum bough_err loose_open(struct loose *l)
{
    git_oid gid = bough_store__gitdir_id(&l->id);
    git_object_t type;
    size_t size;

    git_odb_stream_free(l->stream);
    l->stream = NULL;
    l->pos = 0;
    errno = 0;
    return object_err(
        l->g, git_odb_open_rstream(&l->stream, &size, &type, l->g->odb, &gid), &l->id);
}

static enum bough_err loose_take(struct loose *l, void *dst, size_t n, size_t *got)
{
    int k;

    errno = 0;
    k = git_odb_stream_read(l->stream, dst, n < INT32_MAX ? n : INT32_MAX);
    if (k <= 0)
        return k < 0 ? object_err(l->g, k, &l->id) : BOUGH_ECORRUPT;
    l->pos += (uint64_t)k;
    *got = (size_t)k;
    return BOUGH_OK;
}

static enum bough_err loose_read(
    struct bough_object *o, uint64_t at, void *dst, size_t n, size_t *got)
{
    struct loose *l = (struct loose *)o; /* object is the first field */
    uint8_t skipped[4096];
    enum bough_err err = l->stream == NULL || at < l->pos ? loose_open(l) : BOUGH_OK;

    while (!err && l->pos < at) {
        size_t k = at - l->pos < sizeof skipped ? (size_t)(at - l->pos) : sizeof skipped;
        err = loose_take(l, skipped, k, got);
    }
    return err ? err : loose_take(l, dst, n, got);
}

static void loose_close(struct bough_object *o)
{
    struct loose *l = (struct loose *)o;

    git_odb_stream_free(l->stream);
    bough_mem_free(l->g->store.env->mem, l, sizeof *l);
}

static const struct bough_object_class loose_class = {.read = loose_read, .close = loose_close};

static enum bough_err loose_new(struct bough_store__gitdir *g, const struct bough_oid *id,
    const struct bough_found *found, struct bough_object **out)
{
    struct loose *l = bough_mem_zalloc(g->store.env->mem, 1, sizeof *l);
    enum bough_err err;

    if (l == NULL)
        return BOUGH_ENOMEM;
    l->object = (struct bough_object){&loose_class, found->type, found->size, false, 0};
    l->g = g;
    l->id = *id;
    err = loose_open(l);
    if (err) {
        loose_close(&l->object);
        return err == BOUGH_ENOMEM ? err : BOUGH_ENOTSUP;
    }
    *out = &l->object;
    return BOUGH_OK;
}

static enum bough_err gitdir_object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out)
{
    struct bough_store__gitdir *g = gitdir_of(s);
    const struct bough_store__packet *x;
    struct bough_found found;
    struct bough_buf body;
    enum bough_type type;
    uint64_t at;
    enum bough_err err = gitdir_find(s, id, &found);

    if (err)
        return err;
    x = own_staged(g, id) != NULL ? NULL : own_adopted(g, id, &at);
    if (x != NULL) {
        struct bough_store__packfile file = bough_store__packet_file(x);
        return bough_store__packfile_open(&file, at, false, out);
    }
    err = BOUGH_ENOTSUP;
    if (found.size > WHOLE_MAX && own_staged(g, id) == NULL) {
        err = bough_store__gitdir_packed_open(g, id, out);
        if (err == BOUGH_ENOTSUP)
            err = loose_new(g, id, &found, out);
    }
    if (err != BOUGH_ENOTSUP)
        return err;
    if (found.size > WHOLE_MAX && found.size > s->object_max)
        return BOUGH_ETOOBIG;
    bough_buf_init(&body, s->env->mem);
    err = body_read(g, id, &type, &body);
    if (!err)
        return bough_store__whole_open(s->env->mem, type, &body, out);
    bough_buf_fini(&body);
    return err;
}

/* ---- Facts ---- */

/* What was committed to be durable later: the whole filesystem's business, in one call. */
static enum bough_err gitdir_sync(struct bough_store *s)
{
    struct bough_store__gitdir *g = gitdir_of(s);
    int fd, bad;

    if (!g->unsynced)
        return BOUGH_OK;
    fd = open(g->objects, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return bough_store__sys(&s->why, "the folder of objects could not be opened", g->objects);
    bad = syncfs(fd);
    close(fd);
    if (bad)
        return BOUGH_WHY(&s->why, BOUGH_EIO, "sync failed", NULL, 0);
    g->syncs++;
    g->unsynced = false;
    return BOUGH_OK;
}

/* ---- Opening ---- */

static void gitdir_close(struct bough_store *s)
{
    struct bough_store__gitdir *g = gitdir_of(s);

    bough_store__gitdir_names_fini(g);
    bough_store__gitdir_log_drop(g);
    bough_buf_fini(&g->log_of);
    bough_buf_fini(&g->lent);
    git_odb_free(g->odb);
    git_repository_free(g->repo);
    bough_mem_free(s->env->mem, g, sizeof *g);
    git_libgit2_shutdown();
}

static const struct bough_store_class gitdir_class = {
    .name = "git",
    .close = gitdir_close,
    .find = gitdir_find,
    .has = gitdir_has,
    .read = gitdir_read,
    .object_open = gitdir_object_open,
    .each = bough_store__gitdir_each,
    .abbrev = bough_store__gitdir_abbrev,
    .ref = bough_store__gitdir_ref,
    .ref_next = bough_store__gitdir_ref_next,
    .begin = bough_store__gitdir_begin,
    .intake = bough_store__gitdir_intake,
    .sync = gitdir_sync,
    .stat = bough_store__gitdir_stat,
};

static enum bough_err open_parts(struct bough_store__gitdir *g, const char *path)
{
    struct bough_view key = bough_view_str(path);
    int code;

    errno = 0;
    code = git_repository_open_ext(&g->repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    if (code == GIT_ENOTFOUND)
        return BOUGH_WHY(&g->store.why, BOUGH_ENOENT, "there is no git repository", path, key.len);
    if (code < 0 && git_error_last() != NULL && git_error_last()->klass == GIT_ERROR_REPOSITORY &&
        code == GIT_ERROR)
        return BOUGH_WHY(&g->store.why, BOUGH_ENOTSUP,
            "libgit2 cannot work on a repository of this format", path, key.len);
    if (code >= 0)
        code = git_repository_odb(&g->odb, g->repo);
    if (code < 0)
        return bough_store__gitdir_err(g, code, "libgit2 could not open it", key);
    snprintf(g->objects, sizeof g->objects, "%sobjects", git_repository_commondir(g->repo));
    if (strlen(g->objects) + sizeof "/pack" > sizeof g->packs)
        return BOUGH_WHY(&g->store.why, BOUGH_EINVAL, "path too long", path, key.len);
    memcpy(g->packs, g->objects, strlen(g->objects));
    memcpy(g->packs + strlen(g->objects), "/pack", sizeof "/pack");
    mkdir(g->packs, 0777); /* git may have removed it when it was empty */
    return BOUGH_OK;
}

enum bough_err bough_gitdir_store_open(const struct bough_env *env, const char *path,
    bool read_only, struct bough_store **out, struct bough_why *why)
{
    struct bough_store__gitdir *g = bough_mem_zalloc(env->mem, 1, sizeof *g);
    enum bough_err err;

    *out = NULL;
    if (g == NULL)
        return BOUGH_ENOMEM;
    git_libgit2_init();
    g->store.cls = &gitdir_class;
    g->store.env = env;
    g->store.caps = BOUGH_STORE_INTAKE | BOUGH_STORE_DURABLE | BOUGH_STORE_SHARED;
    g->store.algo = BOUGH_SHA1;
    g->store.read_only = read_only;
    g->store.object_max = BOUGH_OBJECT_MAX_DEFAULT;
    bough_buf_init(&g->lent, env->mem);
    bough_buf_init(&g->log_of, env->mem);
    bough_buf_init(&g->names.text, env->mem);
    bough_buf_init(&g->names.prefix, env->mem);
    err = open_parts(g, path);
    if (err) {
        if (why != NULL)
            *why = g->store.why;
        gitdir_close(&g->store);
        return err;
    }
    *out = &g->store;
    return BOUGH_OK;
}

enum bough_err bough_gitdir_create(const char *path, struct bough_why *why)
{
    git_repository_init_options opts = {.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION};
    struct bough_view key = bough_view_str(path);
    git_repository *repo;
    int code;

    if (access(path, F_OK) == 0 && rmdir(path) != 0)
        return BOUGH_WHY(why, BOUGH_EEXIST, "there is something in it", path, key.len);
    git_libgit2_init();
    opts.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_MKDIR |
                 GIT_REPOSITORY_INIT_NO_REINIT;
    opts.initial_head = "main";
    errno = 0;
    code = git_repository_init_ext(&repo, path, &opts);
    if (code >= 0)
        git_repository_free(repo);
    git_libgit2_shutdown();
    if (code >= 0)
        return BOUGH_OK;
    return BOUGH_WHY(why, code_meaning(code), "libgit2 could not make it", path, key.len);
}
