/*
 * libgit2_client.c - libgit2 as a client, for git_clients.sh.
 *
 *   URL DIR REF           clone, print the tip; at a line on stdin fetch, print the tip; commit, push to REF, print
 *   --delete URL DIR REF  clone, then delete REF on the server; 1 and the server's reason when it refuses
 */
#include <git2.h>
#include <stdio.h>
#include <string.h>

static int refused; /* the server said no to a ref */

static int said(const char *ref, const char *status, void *ctx)
{
    (void)ref;
    (void)ctx;
    if (status != NULL) {
        fprintf(stderr, "refused: %s\n", status);
        refused = 1;
    }
    return 0;
}

static int failed(const char *what)
{
    const git_error *e = git_error_last();

    fprintf(stderr, "%s: %s\n", what, e != NULL ? e->message : "unknown");
    git_libgit2_shutdown();
    return 1;
}

static void tell(const git_oid *id)
{
    char hex[GIT_OID_HEXSZ + 1];

    puts(git_oid_tostr(hex, sizeof hex, id));
    fflush(stdout);
}

/* A commit of one file more than `parent` has, as refs/heads/work. */
static int commit(git_repository *repo, const git_commit *parent, git_oid *out)
{
    static const char text[] = "by another client";
    git_treebuilder *builder = NULL;
    git_signature *me = NULL;
    git_tree *tree = NULL;
    git_oid blob, root;
    int rc = git_signature_new(&me, "L", "l@example.org", 1700000000, 90);

    if (!rc)
        rc = git_commit_tree(&tree, parent);
    if (!rc)
        rc = git_treebuilder_new(&builder, repo, tree);
    if (!rc)
        rc = git_blob_create_from_buffer(&blob, repo, text, strlen(text));
    if (!rc)
        rc = git_treebuilder_insert(NULL, builder, "from-client", &blob, GIT_FILEMODE_BLOB);
    if (!rc)
        rc = git_treebuilder_write(&root, builder);
    git_tree_free(tree);
    tree = NULL;
    if (!rc)
        rc = git_tree_lookup(&tree, repo, &root);
    if (!rc)
        rc = git_commit_create(
            out, repo, "refs/heads/work", me, me, NULL, "by libgit2\n", tree, 1, &parent);
    git_tree_free(tree);
    git_treebuilder_free(builder);
    git_signature_free(me);
    return rc;
}

static int push(git_remote *remote, const char *from, const char *ref)
{
    git_push_options opts = GIT_PUSH_OPTIONS_INIT;
    char spec[300];
    char *specs[] = {spec};
    git_strarray list = {specs, 1};

    snprintf(spec, sizeof spec, "%s:%s", from, ref);
    opts.callbacks.push_update_reference = said;
    return git_remote_push(remote, &list, &opts);
}

int main(int argc, char **argv)
{
    int delete = argc > 1 && strcmp(argv[1], "--delete") == 0;
    git_repository *repo;
    git_remote *remote;
    git_oid id;
    git_commit *tip;
    char line[16];

    argv += delete;
    if (argc - delete != 4)
        return 2;
    git_libgit2_init();
    if (git_clone(&repo, argv[1], argv[2], NULL))
        return failed("clone");
    if (git_remote_lookup(&remote, repo, "origin"))
        return failed("remote");
    if (delete)
        return push(remote, "", argv[3]) || refused ? failed("delete") : 0;
    if (git_reference_name_to_id(&id, repo, "HEAD"))
        return failed("HEAD");
    tell(&id);
    if (fgets(line, sizeof line, stdin) == NULL)
        return 2;
    if (git_remote_fetch(remote, NULL, NULL, NULL) ||
        git_reference_name_to_id(&id, repo, "refs/remotes/origin/main"))
        return failed("fetch");
    tell(&id);
    if (git_commit_lookup(&tip, repo, &id) || commit(repo, tip, &id))
        return failed("commit");
    if (push(remote, "refs/heads/work", argv[3]) || refused)
        return failed("push");
    tell(&id);
    git_commit_free(tip);
    git_remote_free(remote);
    git_repository_free(repo);
    git_libgit2_shutdown();
    return 0;
}
