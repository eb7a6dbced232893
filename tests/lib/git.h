/*
 * git.h - stock git as an oracle: a bare repository in a temporary
 * directory, its commands, and loose objects put there as they are.
 *
 *     struct test_git g;
 *     test_git_init(&g, BOUGH_SHA1);
 *     test_git_put(&g, "tree", hex, bytes);
 *     out = test_git_run(&g, NULL, "git fsck --strict 2>&1");
 *     free(out);
 *     test_git_done(&g);      // removes the directory
 *
 * git sees no configuration but the repository's own.
 */
#ifndef TEST_GIT_H
#define TEST_GIT_H

#include "base/hash.h"

struct test_git {
    enum bough_algo algo;
    char dir[64];
    int status; /* exit status of the last test_git_run() */
};

/* Anything that fails here fails the test. */
void test_git_init(struct test_git *g, enum bough_algo algo);
void test_git_done(struct test_git *g);

/*
 * Run a shell command in the repository with `in` (NULL: nothing) as standard input.
 * Returns its output, NUL-terminated, to be released with free().
 */
char *test_git_run(struct test_git *g, const struct bough_view *in, const char *command);

/* Put an object there under the id `hex`, good or not: git is not asked. */
void test_git_put(struct test_git *g, const char *type, const char *hex, struct bough_view body);

#endif
