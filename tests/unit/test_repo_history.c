/*
 * test_repo_history.c - revisions by time, and questions without memory.
 *
 * Goal: rev@{time} finds the newest commit that is not younger; malformed revisions are
 * refused; every question to history answers right or BOUGH_ENOMEM, and leaks nothing.
 * Method: a short history with a merge; allocations fail one after the other.  What stock
 * git answers about histories is compared in tests/interop.
 */
#include "tests/unit/repo_bed.h"

static struct bed bed;
static struct bough_oid first, second, side, merge;

static int setup(void **state)
{
    struct bough_branch *b, *s;
    struct bough_ref_update u = {.name = V("refs/heads/side")};
    struct bough_commit_opts opts = {.parents = &side, .parents_n = 1};
    struct bough_info info = bed_info(400);
    struct bough_oid root;
    struct bough_tree *t;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "a/b", "1", 100), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &first), BOUGH_OK);
    u.now = first;
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    s = bed_branch(&bed, "side");
    assert_int_equal(bed_put(b, "c", "2", 200), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &second), BOUGH_OK);
    assert_int_equal(bed_put(s, "a/d", "3", 300), BOUGH_OK);
    assert_int_equal(bough_branch_head(s, &side), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(bed.repo, &second, &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(bed.repo, &root, &t), BOUGH_OK);
    assert_int_equal(bough_tree_set(t, V("a/d"), 0100644, NULL, V("3")), BOUGH_OK);
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &merge), BOUGH_OK);
    bough_tree_close(t);
    bough_branch_close(b);
    bough_branch_close(s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static void test_repo_history__revisions_by_time(void **state)
{
    static const struct {
        const char *rev;
        const struct bough_oid *want;
    } cases[] = {
        {"main@{1970-01-01T00:01:40}", &first},
        {"main@{1970-01-01T00:03:19}", &first},
        {"main@{1970-01-01T00:03:20}", &second},
        {"main@{1970-01-01T00:06:39}", &second},
        {"main@{1970-01-01T00:06:40}", &merge},
        {"@{1970-01-01T00:01:40}", &first},
        {"side@{1970-01-01T00:05:00Z}", &side},
        {"side@{1970-01-01 00:04}", &first},
        {"side@{1970-01-01T01:05:00+01:00}", &side},
        {"side@{2026-11-21}", &side},
        {"main@{1970-01-01T00:06:40}^2", &side},
        {"@", &merge},
        {"HEAD~2", &first},
    };
    struct bough_oid id;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(bough_repo_resolve(bed.repo, V(cases[i].rev), &id), BOUGH_OK);
        if (!bough_oid_eq(&id, cases[i].want))
            fail_msg("%s", cases[i].rev);
    }
}

static void test_repo_history__malformed_revisions_are_refused(void **state)
{
    static const struct {
        const char *rev;
        enum bough_err want;
    } cases[] = {
        {"", BOUGH_EINVAL},
        {"^main", BOUGH_EINVAL},
        {"main^{nix}", BOUGH_EINVAL},
        {"main^{", BOUGH_EINVAL},
        {"main@{yesterday}", BOUGH_EINVAL},
        {"main@{50}", BOUGH_ENOENT},
        {"main~99999999999999999999", BOUGH_EINVAL},
        {"main~3", BOUGH_ENOENT},
        {"main^9", BOUGH_ENOENT},
        {"main:nix", BOUGH_ENOENT},
        {"main~1x", BOUGH_EINVAL},
        {"main:c/d", BOUGH_ENOENT},
        {":c", BOUGH_EINVAL},
        {"abc", BOUGH_ENOENT},
        {"refs/heads/..", BOUGH_ENOENT},
        {"main:c^{tree}", BOUGH_ENOENT},
    };
    struct bough_oid id;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum bough_err err = bough_repo_resolve(bed.repo, V(cases[i].rev), &id);

        if (err != cases[i].want)
            fail_msg("%s: %s", cases[i].rev, bough_err_name(err));
    }
}

/* ---- Without memory ---- */

static enum bough_err ask_change(void)
{
    struct bough_oid id;
    struct bough_time when;
    enum bough_err err = bough_history_last_change(bed.repo, &merge, V("a/d"), &id, &when);

    if (err == BOUGH_OK)
        assert_true(bough_oid_eq(&id, &side));
    return err;
}

static enum bough_err ask_ancestor(void)
{
    bool is;
    enum bough_err err = bough_history_is_ancestor(bed.repo, &first, &merge, &is);

    if (err == BOUGH_OK)
        assert_true(is);
    return err;
}

static enum bough_err ask_walk(void)
{
    struct bough_walk_opts opts = {
        .tips = &merge, .tips_n = 1, .hide = &second, .hide_n = 1, .path = V("a")};
    struct bough_oid id;
    struct bough_walk *w;
    enum bough_err err = bough_walk_open(bed.repo, &opts, &w);

    if (err)
        return err;
    err = bough_walk_next(w, &id);
    bough_walk_close(w);
    return err;
}

static enum bough_err ask_stream(void)
{
    struct bough_walk_opts opts = {.tips = &merge, .tips_n = 1};
    struct bough_oid id;
    struct bough_walk *w;
    int n = 0;
    enum bough_err err = bough_walk_open(bed.repo, &opts, &w);

    if (err)
        return err;
    while ((err = bough_walk_next(w, &id)) == BOUGH_OK)
        n++;
    bough_walk_close(w);
    if (err == BOUGH_ENOENT)
        assert_int_equal(n, 4);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err ask_diff(void)
{
    struct bough_oid a, b;
    struct bough_diff_entry e;
    struct bough_diff *d;
    enum bough_err err = bough_repo_root_of(bed.repo, &first, &a);

    if (err == BOUGH_OK)
        err = bough_repo_root_of(bed.repo, &merge, &b);
    if (err == BOUGH_OK)
        err = bough_diff_open(bed.repo, &a, &b, V(""), &d);
    if (err)
        return err;
    err = bough_diff_next(d, &e);
    if (err == BOUGH_OK)
        assert_true(e.kind == BOUGH_DIFF_ADDED && bough_view_eq(e.path, V("a/d")));
    bough_diff_close(d);
    return err;
}

static enum bough_err ask_resolve(void)
{
    struct bough_oid id;

    return bough_repo_resolve(bed.repo, V("main~1^{commit}:a/b"), &id);
}

static void test_repo_history__without_memory_it_says_so(void **state)
{
    static enum bough_err (*const asks[])(void) = {
        ask_change, ask_ancestor, ask_walk, ask_stream, ask_diff, ask_resolve};

    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        for (uint64_t n = 0;; n++) {
            enum bough_err err;

            bed_reopen(&bed, 0, 0); /* with empty caches */
            bed.env.mem.failed = false;
            bed.env.mem.fail_at = bed.env.mem.calls + n;
            err = asks[i]();
            bed.env.mem.fail_at = UINT64_MAX;
            assert_true(err == BOUGH_OK || (bed.env.mem.failed && err == BOUGH_ENOMEM));
            if (!bed.env.mem.failed)
                break;
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repo_history__revisions_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_history__malformed_revisions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_history__without_memory_it_says_so, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/history", tests, NULL, NULL);
}
