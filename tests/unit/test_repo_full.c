/*
 * test_repo_full.c - a branch on a device that is full.
 *
 * Goal: a write that finds no room fails and changes nothing; what was acknowledged can still
 * be folded, read by commit, removed, and opened again in every mode; shorter retention and a deleted
 * branch give the room back.  Method: a log on a small device in memory, written through a window
 * until it is full.
 */
#include <stdlib.h>

#include "store/collect.h"
#include "store/log/log.h"
#include "tests/unit/repo_bed.h"

enum { UNIT = 4096, ZONE = 32 * 1024, BYTES = 2 * 1024 * 1024, VALUE = 3000, EVER = BYTES / VALUE };

struct fix {
    struct bed bed;
    struct bough_ramblk ram;
    struct bough_why why;
    uint8_t device[BYTES];
    struct bough_branch *main;
    int n; /* values that were acknowledged: v0, v1, ... */
};

static void fix_open(struct fix *f, uint32_t time_ms)
{
    assert_int_equal(
        bough_log_open(&f->ram.blk, &f->bed.env.env, NULL, &f->bed.store, &f->why), BOUGH_OK);
    bed_reopen(&f->bed, time_ms, 40);
    assert_int_equal(bough_branch_open(f->bed.repo, V("main"), &f->main), BOUGH_OK);
}

static void fix_close(struct fix *f)
{
    bough_branch_close(f->main);
    bough_repo_close(f->bed.repo);
    bough_store_close(f->bed.store);
    f->bed.repo = NULL;
}

static enum bough_err put_noise(struct fix *f, int i)
{
    char path[32], text[VALUE + 1];
    uint64_t seed = (uint64_t)i + 1;

    snprintf(path, sizeof path, "d%d/v%d", i % 3, i);
    for (int k = 0; k < VALUE; k++)
        text[k] = (char)(1 + test_random(&seed) % 255);
    text[VALUE] = 0;
    return bed_put(f->main, path, text, 100 + i);
}

static void fill(struct fix *f)
{
    while (put_noise(f, f->n) == BOUGH_OK)
        assert_true(++f->n < BYTES / VALUE);
    assert_int_equal(put_noise(f, f->n), BOUGH_ENOSPC);
    assert_true((size_t)f->n * VALUE > BYTES / 2);
}

static void remove_one(struct fix *f)
{
    char path[32];

    f->n--;
    snprintf(path, sizeof path, "d%d/v%d", f->n % 3, f->n);
    assert_int_equal(bed_put(f->main, path, NULL, 9000 - f->n), BOUGH_OK);
}

static void expect_all(struct fix *f)
{
    struct bough_tree *t;
    struct bough_node node;
    struct bough_buf got;

    bough_buf_init(&got, f->bed.env.env.mem);
    assert_int_equal(bough_branch_tree(f->main, &t), BOUGH_OK);
    for (int i = 0; i <= f->n; i++) {
        char path[32];

        snprintf(path, sizeof path, "d%d/v%d", i % 3, i);
        assert_int_equal(bough_tree_find(t, V(path), &node, NULL), BOUGH_OK);
        assert_int_equal(node.kind, i < f->n ? BOUGH_NODE_VALUE : BOUGH_NODE_NONE);
        bough_buf_clear(&got);
        if (i < f->n)
            assert_int_equal(bough_node_read(f->bed.repo, &node, &got), BOUGH_OK);
    }
    bough_buf_fini(&got);
}

static int setup(void **state)
{
    struct bough_log_format_opts opts = {.algo = test_algo(), .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_env_init(&f->bed.env);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    assert_int_equal(bough_log_format(&f->ram.blk, &f->bed.env.env, &opts, &f->why), BOUGH_OK);
    fix_open(f, 60000);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    fix_close(f);
    test_env_done(&f->bed.env);
    free(f);
    return 0;
}

/* What became commits needs no room for that any more: some values may fit then, not many. */
static void put_on(struct fix *f, int *more)
{
    struct bough_oid id;
    enum bough_err err;

    while ((err = put_noise(f, f->n)) == BOUGH_OK) {
        f->n++;
        assert_true(++*more < 8); /* the reserve is not for values */
        assert_int_equal(bough_branch_head(f->main, &id), BOUGH_OK);
    }
    assert_int_equal(err, BOUGH_ENOSPC);
}

static void test_repo_full__what_was_acknowledged_becomes_commits(void **state)
{
    struct fix *f = *state;
    struct bough_oid id;
    int more = 0;

    fill(f);
    expect_all(f);
    assert_int_equal(bough_branch_head(f->main, &id), BOUGH_OK);
    for (int i = 0; i < 5; i++) {
        put_on(f, &more);
        remove_one(f);
        assert_int_equal(bough_branch_head(f->main, &id), BOUGH_OK);
    }
    expect_all(f);
}

/* Remove the `n` last values as one commit. */
static enum bough_err remove_many(struct fix *f, int n)
{
    struct bough_info info = bed_info(7000);
    struct bough_oid head, root;
    struct bough_tree *t;
    enum bough_err err;

    assert_int_equal(bough_branch_head(f->main, &head), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(f->bed.repo, &head, &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(f->bed.repo, &root, &t), BOUGH_OK);
    for (int k = f->n - n; k < f->n; k++) {
        char path[32];

        snprintf(path, sizeof path, "d%d/v%d", k % 3, k);
        assert_int_equal(bough_tree_remove(t, V(path)), BOUGH_OK);
    }
    err = bough_branch_commit(f->main, t, &info, NULL, NULL);
    bough_tree_close(t);
    f->n -= err == BOUGH_OK ? n : 0;
    return err;
}

static void test_repo_full__removals_go_together(void **state)
{
    struct fix *f = *state;

    fill(f);
    for (int i = 0; i < 3; i++) {
        enum bough_err err = remove_many(f, 10);

        if (err ==
            BOUGH_EEXPIRED) /* a collection for want of space gave the tree up: open it anew */
            err = remove_many(f, 10);
        assert_int_equal(err, BOUGH_OK);
    }
    expect_all(f);
    fix_close(f);
    fix_open(f, 0);
    expect_all(f);
}

static void test_repo_full__it_opens_in_every_mode(void **state)
{
    struct fix *f = *state;

    fill(f);
    for (int i = 0; i < 6; i++) {
        fix_close(f);
        fix_open(f, i % 2 == 0 ? 0 : 60000);
        expect_all(f);
        remove_one(f);
        expect_all(f);
    }
}

/* Overwrite three values until there is no room, or `most` times; how often it went well. */
static int overwrite(struct bough_branch *b, int from, int most)
{
    char text[VALUE + 1];
    int i = from;
    enum bough_err err = BOUGH_OK;

    for (; err == BOUGH_OK && i < from + most; i++) {
        char path[16];
        uint64_t seed = (uint64_t)i + 1;

        snprintf(path, sizeof path, "over%d", i % 3);
        for (int k = 0; k < VALUE; k++)
            text[k] = (char)(1 + test_random(&seed) % 255);
        text[VALUE] = 0;
        err = bed_put(b, path, text, 100 + i);
    }
    assert_true(err == BOUGH_OK || err == BOUGH_ENOSPC);
    return i - from - (err != BOUGH_OK);
}

/* Collect all that may go; false: the engine does not. */
static bool collect(struct fix *f)
{
    struct bough_collect_opts opts = {.grace = 0};
    bool more = true;
    enum bough_err err;

    f->bed.env.time.sec++;
    err = bough_repo_collect(f->bed.repo, &opts, 0);
    if (err == BOUGH_ENOTSUP)
        return false;
    assert_int_equal(err, BOUGH_OK);
    while (more)
        assert_int_equal(bough_repo_maintain(f->bed.repo, 64 << 10, &more), BOUGH_OK);
    return true;
}

static void test_repo_full__shorter_retention_makes_room(void **state)
{
    struct fix *f = *state;
    struct bough_keep keep = {.refs = V("main"), .commits = 2};
    struct bough_tree *t;
    struct bough_node n;
    int first;

    bough_branch_close(f->main);
    bed_reopen(&f->bed, 0, 0); /* each write is a commit */
    assert_int_equal(bough_branch_open(f->bed.repo, V("main"), &f->main), BOUGH_OK);
    first = overwrite(f->main, 0, EVER);
    assert_true(first > 50 && first < EVER); /* all is kept */
    for (int round = 0; round < 4; round++) {
        assert_int_equal(bough_repo_keep_set(f->bed.repo, &keep), BOUGH_OK);
        if (!collect(f))
            skip();
        assert_int_equal(overwrite(f->main, EVER * (round + 1), EVER), EVER);
        assert_int_equal(bough_branch_tree(f->main, &t), BOUGH_OK);
        assert_int_equal(bough_tree_find(t, V("over0"), &n, NULL), BOUGH_OK);
        assert_int_equal(n.kind, BOUGH_NODE_VALUE);
        fix_close(f);
        fix_open(f, 0);
    }
}

static void test_repo_full__a_deleted_branch_makes_room(void **state)
{
    struct fix *f = *state;
    struct bough_ref_update gone = {.name = V("refs/heads/tmp")};
    struct bough_branch *tmp;
    int first = 0, again;

    bough_branch_close(f->main);
    bed_reopen(&f->bed, 0, 0);
    assert_int_equal(bough_branch_open(f->bed.repo, V("main"), &f->main), BOUGH_OK);
    assert_int_equal(put_noise(f, 0), BOUGH_OK);
    f->n = 1;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(bough_branch_open(f->bed.repo, V("tmp"), &tmp), BOUGH_OK);
        again = overwrite(tmp, EVER * round, EVER);
        bough_branch_close(tmp);
        first = round == 0 ? again : first;
        assert_true(again > first / 2 && again > 50);
        assert_int_equal(bough_repo_update(f->bed.repo, &gone, 1, 0, NULL), BOUGH_OK);
        assert_int_equal(gone.err, BOUGH_OK);
        if (!collect(f))
            skip();
        expect_all(f);
        fix_close(f);
        fix_open(f, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_repo_full__what_was_acknowledged_becomes_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_full__removals_go_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_full__it_opens_in_every_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_full__shorter_retention_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_full__a_deleted_branch_makes_room, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/full", tests, NULL, NULL);
}
