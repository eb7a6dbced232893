/*
 * repo_bed.h - a repository over a store in memory, and short words to use it.
 *
 *   struct bed      environment, store, repository
 *   words           V(), put(), get(), commit info, expectations
 */
#ifndef TEST_REPO_BED_H
#define TEST_REPO_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "repo/repo.h"
#include "store/mem.h"
#include "tests/lib/env.h"

struct bed {
    struct test_env env;
    struct bough_store *store;
    struct bough_repo *repo;
};

static inline void bed_reopen(struct bed *b, uint32_t time_ms, uint32_t ops)
{
    struct bough_repo_opts opts = {.window = {.time_ms = time_ms, .ops = ops}};

    bough_repo_close(b->repo);
    b->repo = NULL;
    assert_int_equal(bough_repo_open(b->store, &opts, &b->repo), BOUGH_OK);
}

static inline void bed_open(struct bed *b, enum bough_algo algo, uint32_t time_ms, uint32_t ops)
{
    memset(b, 0, sizeof *b);
    test_env_init(&b->env);
    assert_int_equal(bough_mem_store_open(&b->env.env, algo, &b->store), BOUGH_OK);
    bed_reopen(b, time_ms, ops);
}

static inline void bed_close(struct bed *b)
{
    bough_repo_close(b->repo);
    bough_store_close(b->store);
    test_env_done(&b->env);
}

#define V(str) bough_view_str(str)

static inline struct bough_info bed_info(int64_t sec)
{
    struct bough_info info = {.author = {.name = V("A U Thor"), .mail = V("author@example.com")}};

    info.author.time = (struct bough_time){.sec = sec, .zone_min = 60};
    return info;
}

static inline struct bough_branch *bed_branch(struct bed *b, const char *name)
{
    struct bough_branch *branch;

    assert_int_equal(bough_branch_open(b->repo, V(name), &branch), BOUGH_OK);
    return branch;
}

/* One write; text NULL removes. */
static inline enum bough_err bed_put(
    struct bough_branch *b, const char *path, const char *text, int64_t sec)
{
    struct bough_write w = {.path = V(path), .remove = text == NULL, .mode = 0100644};
    struct bough_info info = bed_info(sec);

    if (text != NULL)
        w.bytes = V(text);
    return bough_branch_write(b, &w, 1, &info);
}

/* Does the tree hold this text at the path?  NULL: nothing. */
static inline void bed_expect(
    struct bough_repo *r, struct bough_tree *t, const char *path, const char *text)
{
    struct bough_node n;
    struct bough_buf got;

    assert_int_equal(bough_tree_find(t, V(path), &n, NULL), BOUGH_OK);
    if (text == NULL) {
        assert_int_equal(n.kind, BOUGH_NODE_NONE);
        return;
    }
    assert_int_equal(n.kind, BOUGH_NODE_VALUE);
    bough_buf_init(&got, bough_repo_env(r)->mem);
    assert_int_equal(bough_node_read(r, &n, &got), BOUGH_OK);
    assert_int_equal(got.len, strlen(text));
    assert_true(got.len == 0 || memcmp(got.ptr, text, got.len) == 0);
    bough_buf_fini(&got);
}

/* The same of what a branch is now. */
static inline void bed_sees(
    struct bough_repo *r, struct bough_branch *b, const char *path, const char *text)
{
    struct bough_tree *t;

    assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
    bed_expect(r, t, path, text);
}

/* So many edits of a tree: values of these paths come, change, go. */
static inline void bed_edit_some(
    struct bough_tree *t, uint64_t edits, const char *const *paths, size_t paths_n, uint64_t *seed)
{
    while (edits-- > 0) {
        const char *path = paths[test_random(seed) % paths_n];
        uint32_t mode = test_random(seed) % 5 == 0 ? 0100755 : 0100644;
        char text[8];

        snprintf(text, sizeof text, "%d", (int)(test_random(seed) % 3));
        if (test_random(seed) % 4 == 0)
            (void)bough_tree_remove(t, V(path));
        else
            assert_int_equal(bough_tree_set(t, V(path), mode, NULL, V(text)), BOUGH_OK);
    }
}

static inline void hex_of(struct bough_repo *r, const struct bough_oid *id, char out[65])
{
    out[bough_oid_hex(bough_repo_store(r)->algo, id, out)] = 0;
}

#endif
