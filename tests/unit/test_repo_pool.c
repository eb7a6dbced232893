/*
 * test_repo_pool.c - memory for edits: pieces stay whole, are used again, and go with the pool.
 *
 * Goal: what a pool hands out is aligned and nobody else's; giving and taking does not grow it; a
 * directory of many edits finds each of them whatever came and went.  Method: pieces of random sizes,
 * filled with a byte each; names set and removed in random order beside an array of flags.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "tests/unit/repo_bed.h"

enum { PIECES = 300, ROUNDS = 20000, NAMES = 1500 };

static void test_repo_pool__pieces_are_whole_and_used_again(void **state)
{
    static struct {
        uint8_t *ptr, fill;
        size_t size;
    } one[PIECES];
    struct test_env env;
    struct bough_repo__pool *pool;
    uint64_t seed = 3;
    size_t peak = 0;

    (void)state;
    test_env_init(&env);
    pool = bough_repo__pool_new(env.env.mem);
    assert_non_null(pool);
    for (int i = 0; i < ROUNDS; i++) {
        size_t at = (size_t)(test_random(&seed) % PIECES);
        size_t size = 1 + (size_t)(test_random(&seed) % (i % 50 == 0 ? 9000 : 600));

        for (size_t k = 0; one[at].ptr != NULL && k < one[at].size; k++)
            assert_int_equal(one[at].ptr[k], one[at].fill);
        if (one[at].ptr != NULL && i % 3 == 0) {
            bough_mem_free(&pool->mem, one[at].ptr, one[at].size);
            one[at].ptr = NULL;
            continue;
        }
        one[at].ptr = pool->mem.resize(&pool->mem, one[at].ptr, one[at].size, size);
        assert_non_null(one[at].ptr);
        assert_int_equal((uintptr_t)one[at].ptr % sizeof(void *), 0);
        one[at].size = size;
        one[at].fill = (uint8_t)i;
        memset(one[at].ptr, one[at].fill, size);
        if (i == ROUNDS / 2)
            peak = env.mem.used;
    }
    assert_true(peak > 0 && env.mem.used < peak * 2);
    bough_repo__pool_free(pool);
    test_env_done(&env);
}

static void test_repo_pool__many_edits_come_and_go(void **state)
{
    static bool there[NAMES];
    struct bed b;
    struct bough_tree *t;
    struct bough_node n;
    uint64_t seed = 5;
    char name[32];

    (void)state;
    bed_open(&b, BOUGH_SHA1, 0, 0);
    assert_int_equal(bough_tree_open(b.repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < ROUNDS; i++) {
        int k = (int)(test_random(&seed) % NAMES);

        snprintf(name, sizeof name, "%d", k);
        assert_int_equal(bough_tree_find(t, V(name), &n, NULL), BOUGH_OK);
        assert_int_equal(n.kind, there[k] ? BOUGH_NODE_VALUE : BOUGH_NODE_NONE);
        if (there[k])
            assert_int_equal(bough_tree_remove(t, V(name)), BOUGH_OK);
        else
            assert_int_equal(bough_tree_set(t, V(name), 0100644, NULL, V(name)), BOUGH_OK);
        there[k] = !there[k];
    }
    for (int k = 0; k < NAMES; k++) {
        snprintf(name, sizeof name, "%d", k);
        assert_int_equal(bough_tree_find(t, V(name), &n, NULL), BOUGH_OK);
        assert_int_equal(n.kind, there[k] ? BOUGH_NODE_VALUE : BOUGH_NODE_NONE);
    }
    bough_tree_close(t);
    bed_close(&b);
}

static void test_repo_pool__edits_in_any_order_are_listed_in_order(void **state)
{
    struct bed b;
    struct bough_tree *t;
    struct bough_node n;
    struct bough_view got;
    char name[32], after[32] = "";
    int listed = 0;

    (void)state;
    bed_open(&b, BOUGH_SHA1, 0, 0);
    assert_int_equal(bough_tree_open(b.repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < NAMES; i++) { /* the second half after somebody asked for the order */
        if (i == NAMES / 2)
            assert_int_equal(bough_tree_next(t, V(""), V(""), &got, &n), BOUGH_OK);
        snprintf(name, sizeof name, "%d", i * 7919 % NAMES);
        assert_int_equal(bough_tree_set(t, V(name), 0100644, NULL, V(name)), BOUGH_OK);
    }
    while (bough_tree_next(t, V(""), V(after), &got, &n) == BOUGH_OK) {
        assert_true(bough_view_cmp(got, V(after)) > 0);
        snprintf(after, sizeof after, "%.*s", (int)got.len, (const char *)got.ptr);
        listed++;
    }
    assert_int_equal(listed, NAMES);
    bough_tree_close(t);
    bed_close(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_pool__pieces_are_whole_and_used_again),
        cmocka_unit_test(test_repo_pool__many_edits_come_and_go),
        cmocka_unit_test(test_repo_pool__edits_in_any_order_are_listed_in_order),
    };

    return cmocka_run_group_tests_name("repo/pool", tests, NULL, NULL);
}
