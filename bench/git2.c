/*
 * git2.c - libgit2: a bare repository, every object and ref synced; it may keep 256 MiB.
 *
 *   reading    by path from the root tree
 *   writing    blobs, the trees they change, a commit on the branch
 *   filling    the same in memory, then one pack
 */
#include <git2.h>
#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define BRANCH "refs/heads/main"

struct git2_state {
    git_repository *repo;
    git_odb *odb;
    git_tree *root;
    git_commit *head; /* NULL: none */
    git_tree_update *updates;
    size_t n, cap;
    git_odb_backend *memory; /* while it is filled */
};

static void check(struct peer *p, int code)
{
    const git_error *e = git_error_last();

    if (code < 0)
        die(p->name, e != NULL ? e->message : "?");
}

static void git2_empty(struct peer *p)
{
    struct git2_state *s = p->state;
    git_treebuilder *builder;
    git_oid id;

    check(p, git_treebuilder_new(&builder, s->repo, NULL));
    check(p, git_treebuilder_write(&id, builder));
    check(p, git_tree_lookup(&s->root, s->repo, &id));
    git_treebuilder_free(builder);
}

static void git2_open(struct peer *p, const char *dir, bool make)
{
    struct git2_state *s = state_new(p->name, sizeof *s);
    char path[PATH_LEN];

    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    snprintf(path, sizeof path, "%s/git2.git", dir);
    p->state = s;
    if (make)
        check(p, git_repository_init(&s->repo, path, 1));
    else
        check(p, git_repository_open(&s->repo, path));
    check(p, git_repository_odb(&s->odb, s->repo));
    if (make) {
        git2_empty(p);
        return;
    }
    check(p, git_revparse_single((git_object **)&s->head, s->repo, BRANCH));
    check(p, git_commit_tree(&s->root, s->head));
}

static void git2_close(struct peer *p)
{
    struct git2_state *s = p->state;

    git_commit_free(s->head);
    git_tree_free(s->root);
    git_odb_free(s->odb);
    git_repository_free(s->repo);
    free(s->updates);
    free(s);
    git_libgit2_shutdown();
}

static size_t git2_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct git2_state *s = p->state;
    git_tree_entry *entry;
    git_blob *blob;
    size_t n;

    (void)len;
    check(p, git_tree_entry_bypath(&entry, s->root, key));
    check(p, git_blob_lookup(&blob, s->repo, git_tree_entry_id(entry)));
    n = (size_t)git_blob_rawsize(blob);
    memcpy(dst, git_blob_rawcontent(blob), n < VALUE_LEN ? n : VALUE_LEN);
    git_blob_free(blob);
    git_tree_entry_free(entry);
    return n;
}

static void git2_begin(struct peer *p, bool fill)
{
    struct git2_state *s = p->state;

    s->n = 0;
    if (!fill)
        return;
    check(p, git_mempack_new(&s->memory));
    check(p, git_odb_add_backend(s->odb, s->memory, 999));
}

static void git2_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct git2_state *s = p->state;
    git_tree_update *u;

    if (s->n == s->cap) {
        s->cap = s->cap * 2 + 128;
        s->updates = realloc(s->updates, s->cap * sizeof *s->updates);
        if (s->updates == NULL)
            die(p->name, "no memory");
    }
    u = &s->updates[s->n++];
    u->action = GIT_TREE_UPDATE_UPSERT;
    u->filemode = GIT_FILEMODE_BLOB;
    u->path = strndup(key, len);
    check(p, git_blob_create_from_buffer(&u->id, s->repo, value, VALUE_LEN));
}

/* What is in memory becomes a pack. */
static void git2_pack(struct peer *p)
{
    struct git2_state *s = p->state;
    git_indexer_progress progress;
    git_buf pack = {NULL, 0, 0};
    git_odb_writepack *writer;

    check(p, git_mempack_dump(&pack, s->repo, s->memory));
    check(p, git_odb_write_pack(&writer, s->odb, NULL, NULL));
    check(p, writer->append(writer, pack.ptr, pack.size, &progress));
    check(p, writer->commit(writer, &progress));
    writer->free(writer);
    git_buf_dispose(&pack);
    check(p, git_mempack_reset(s->memory));
    s->memory = NULL;
}

static void git2_commit(struct peer *p)
{
    struct git2_state *s = p->state;
    const git_commit *parents[1] = {s->head};
    git_signature *who;
    git_oid id;

    check(p, git_tree_create_updated(&id, s->repo, s->root, s->n, s->updates));
    git_tree_free(s->root);
    check(p, git_tree_lookup(&s->root, s->repo, &id));
    check(p, git_signature_now(&who, "B", "b@example.org"));
    check(p, git_commit_create(&id, s->repo, BRANCH, who, who, NULL, "", s->root,
                 s->head == NULL ? 0 : 1, parents));
    git_signature_free(who);
    git_commit_free(s->head);
    check(p, git_commit_lookup(&s->head, s->repo, &id));
    if (s->memory != NULL)
        git2_pack(p);
    while (s->n > 0)
        free((char *)(uintptr_t)s->updates[--s->n].path);
}

static void git2_set(struct peer *p, const char *key, size_t len, const char *value)
{
    git2_begin(p, false);
    git2_put(p, key, len, value);
    git2_commit(p);
}

const struct peer git2_peer = {.name = "libgit2",
    .open = git2_open,
    .close = git2_close,
    .get = git2_get,
    .set = git2_set,
    .begin = git2_begin,
    .put = git2_put,
    .commit = git2_commit,
    .slow = 50};
