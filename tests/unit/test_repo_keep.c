/*
 * test_repo_keep.c - how much history is kept, and what walks over it make of the cut.
 *
 * Goal: policies are durable, the right one counts for a ref, a failed change leaves them; after
 * a collection the values of cut commits are gone and everything that walks history ends at the
 * boundary; journals, open trees and diffs hold what they read until they are given up.
 * Method: histories on the memory engine, whose collection drops all that it may.
 */
#include "repo/repo.h"
#include "merge/merge.h"
#include "store/collect.h"
#include "tests/unit/repo_bed.h"

static struct bed bed;

enum { N = 8 };
static struct bough_oid commits[N], blobs[N];

static int setup(void **state)
{
    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    bed.env.time.sec = 1000 + N * 86400;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static struct bough_branch *branch(const char *name)
{
    struct bough_branch *b;

    b = bed_branch(&bed, name);
    return b;
}

/* N commits on main, a day apart; each writes "k" and, the fourth, "once". */
static void history(void)
{
    struct bough_branch *b = branch("main");
    char text[32];

    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "value %d", i);
        if (i == 3)
            assert_int_equal(bed_put(b, "once", "x", 1000 + i * 86400), BOUGH_OK);
        else
            assert_int_equal(bed_put(b, "k", text, 1000 + i * 86400), BOUGH_OK);
        assert_int_equal(bough_branch_head(b, &commits[i]), BOUGH_OK);
        blobs[i] = bough_oid_of(test_algo(), BOUGH_BLOB, V(text));
    }
    bough_branch_close(b);
}

static void keep(const char *refs, const char *policy)
{
    struct bough_keep k;

    assert_int_equal(bough_keep_parse(V(policy), &k), BOUGH_OK);
    k.refs = V(refs);
    assert_int_equal(bough_repo_keep_set(bed.repo, &k), BOUGH_OK);
}

static void collect_but(uint64_t reflog_sec)
{
    struct bough_collect_opts opts = {.grace = 0};
    bool more = true;

    bed.env.time.sec++;
    assert_int_equal(bough_repo_collect(bed.repo, &opts, reflog_sec), BOUGH_OK);
    while (more)
        assert_int_equal(bough_repo_maintain(bed.repo, 1 << 20, &more), BOUGH_OK);
}

static void collect(void)
{
    collect_but(0);
}

static bool there(const struct bough_oid *id)
{
    return bough_store_has(bed.store, id) == BOUGH_OK;
}

/* ---- Policies ---- */

static void test_repo_keep__policies_are_words(void **state)
{
    static const struct {
        const char *text, *printed;
    } good[] = {{"all", "all"}, {"7", "7"}, {"30d", "30d"}, {"100,30d", "100,30d"},
        {"30d,100", "100,30d"}, {"4294967295", "4294967295"}};
    static const char *const bad[] = {"", "0", "0d", "-1", "d", "1,", ",1", "1,2", "1d,2d", "1 d",
        "4294967296", "99999999999999999999999", "1d2", "ALL"};
    struct bough_keep k;
    struct bough_buf out;

    (void)state;
    bough_buf_init(&out, &bed.env.mem.mem);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(bough_keep_parse(V(good[i].text), &k), BOUGH_OK);
        bough_buf_clear(&out);
        bough_keep_print(&out, &k);
        assert_true(bough_view_eq(bough_buf_view(&out), V(good[i].printed)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bough_keep_parse(V(bad[i]), &k), BOUGH_EINVAL);
    bough_buf_fini(&out);
}

static void counts(const char *ref, const char *refs, uint32_t commits_n, uint32_t days)
{
    struct bough_keep k;
    enum bough_err err = bough_repo_keep_of(bed.repo, V(ref), &k);

    assert_int_equal(err, refs == NULL ? BOUGH_ENOENT : BOUGH_OK);
    if (refs == NULL)
        return;
    assert_true(bough_view_eq(k.refs, V(refs)));
    assert_int_equal(k.commits, commits_n);
    assert_int_equal(k.days, days);
}

static void counts_all(void)
{
    counts("refs/heads/main", "refs/heads/main", 5, 0);
    counts("refs/heads/mainly", "refs/heads/*", 9, 0);
    counts("refs/heads/tmp/a/b", "refs/heads/tmp/*", 1, 2);
    counts("refs/heads/tmp/a-old", "refs/heads/tmp/*-old", 0, 3);
    counts("refs/heads/tmp", "refs/heads/*", 9, 0);
    counts("refs/tags/v1", NULL, 0, 0);
    counts("refs/notes/x", "refs/notes/x", 0, 0);
}

static void test_repo_keep__the_nearest_policy_counts_and_stays(void **state)
{
    struct bough_keep k;
    size_t n = 0;

    (void)state;
    keep("main", "4");
    keep("*", "9");
    keep("tmp/*", "1,2d");
    keep("refs/heads/tmp/*-old", "3d");
    keep("refs/notes/x", "all");
    keep("main", "5");
    counts_all();
    bed_reopen(&bed, 0, 0);
    counts_all();
    k.refs = V("");
    while (bough_repo_keep_next(bed.repo, k.refs, &k) == BOUGH_OK)
        n++;
    assert_int_equal(n, 5);
    assert_int_equal(bough_repo_keep_unset(bed.repo, V("main")), BOUGH_OK);
    assert_int_equal(bough_repo_keep_unset(bed.repo, V("main")), BOUGH_ENOENT);
    counts("refs/heads/main", "refs/heads/*", 9, 0);
    k.refs = V("a..b");
    assert_int_equal(bough_repo_keep_set(bed.repo, &k), BOUGH_EKEY);
    k.refs = V("*/*");
    assert_int_equal(bough_repo_keep_set(bed.repo, &k), BOUGH_EKEY);
}

static void test_repo_keep__a_change_that_fails_did_not_happen(void **state)
{
    struct bough_keep k = {.refs = V("main"), .commits = 1};
    struct bough_ref_update bad = {.name = V("refs/heads/x"), .now = {{7}}};

    (void)state;
    keep("main", "4");
    assert_int_equal(bough_repo_gather_begin(bed.repo), BOUGH_OK);
    assert_int_equal(bough_repo_keep_set(bed.repo, &k), BOUGH_OK);
    counts("refs/heads/main", "refs/heads/main", 1, 0);
    assert_int_equal(bough_repo_update(bed.repo, &bad, 1, 0, NULL), BOUGH_OK);
    assert_int_equal(bad.err, BOUGH_ENOENT);
    assert_int_equal(bough_repo_gather_end(bed.repo), BOUGH_OK);
    counts("refs/heads/main", "refs/heads/main", 1, 0);
    for (uint64_t nth = 0;; nth++) {
        enum bough_err err;

        k.commits = 2;
        bed.env.mem.fail_at = bed.env.mem.calls + nth;
        err = bough_repo_keep_set(bed.repo, &k);
        bed.env.mem.fail_at = UINT64_MAX;
        counts("refs/heads/main", "refs/heads/main", err ? 1 : 2, 0);
        if (err == BOUGH_OK)
            break;
        assert_int_equal(err, BOUGH_ENOMEM);
    }
}

/* ---- The cut ---- */

static void walked(const char *rev, int n)
{
    struct bough_oid tip, id;
    struct bough_walk_opts opts = {.tips = &tip, .tips_n = 1};
    struct bough_walk *w;
    int got = 0;

    assert_int_equal(bough_repo_resolve(bed.repo, V(rev), &tip), BOUGH_OK);
    assert_int_equal(bough_walk_open(bed.repo, &opts, &w), BOUGH_OK);
    while (bough_walk_next(w, &id) == BOUGH_OK)
        got++;
    bough_walk_close(w);
    assert_int_equal(got, n);
}

static void test_repo_keep__history_ends_at_the_boundary(void **state)
{
    struct bough_oid id, tip;
    struct bough_time when;
    struct bough_bases bases;
    bool is;

    (void)state;
    history();
    keep("main", "3");
    collect();
    tip = commits[N - 1];
    for (int i = 0; i < N; i++) {
        assert_int_equal(there(&commits[i]), i >= N - 3);
        if (i != 3)
            assert_int_equal(there(&blobs[i]), i >= N - 3);
    }
    walked("main", 3);
    assert_int_equal(bough_repo_resolve(bed.repo, V("main~2"), &id), BOUGH_OK);
    assert_int_equal(bough_repo_resolve(bed.repo, V("main~3"), &id), BOUGH_ENOENT);
    assert_int_equal(bough_repo_resolve(bed.repo, V("main~2^"), &id), BOUGH_ENOENT);
    assert_int_equal(bough_repo_resolve(bed.repo, V("main@{1000}"), &id), BOUGH_ENOENT);
    assert_int_equal(bough_history_last_change(bed.repo, &tip, V("once"), &id, &when), BOUGH_OK);
    assert_true(bough_oid_eq(&id, &commits[N - 3])); /* as git log -1 says of a shallow clone */
    assert_int_equal(bough_history_is_ancestor(bed.repo, &commits[N - 3], &tip, &is), BOUGH_OK);
    assert_true(is);
    assert_int_equal(bough_history_is_ancestor(bed.repo, &commits[0], &tip, &is), BOUGH_OK);
    assert_false(is);
    assert_int_equal(
        bough_merge_bases(bed.repo, &commits[N - 3], &commits[N - 2], 0, &bases), BOUGH_OK);
    assert_int_equal(bases.n, 1);
    bough_bases_fini(&bases);
    collect(); /* again: nothing more goes */
    walked("main", 3);
}

static void test_repo_keep__days_go_by_commit_dates(void **state)
{
    (void)state;
    history();
    keep("*", "3d");
    collect(); /* a second later: the one of three days ago is too old by that */
    walked("main", 2);
    bed.env.time.sec += 100 * 86400;
    collect();
    walked("main", 1); /* the head stays whatever its age */
    assert_true(there(&blobs[N - 1]));
}

static void test_repo_keep__what_another_branch_keeps_is_not_cut(void **state)
{
    struct bough_ref_update u = {.name = V("refs/heads/all")};
    struct bough_oid id;

    (void)state;
    history();
    u.now = commits[4];
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    keep("main", "2");
    collect();
    assert_true(there(&commits[0]) && there(&commits[4]));
    assert_false(there(&commits[5]));
    walked("main", 2);
    walked("all", 5);
    u.now = (struct bough_oid){{0}};
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    collect_but(3600);
    assert_true(there(&commits[4])); /* by the log of what refs were */
    collect_but(0);
    assert_false(there(&commits[4])); /* the branch is gone, and so is what it held */
    walked("main", 2);
    assert_int_equal(bough_store_boundary_next(bed.store, NULL, &id), BOUGH_OK);
    assert_true(bough_oid_eq(&id, &commits[N - 2]));
    keep("main", "all"); /* what is gone stays gone */
    collect();
    walked("main", 2);
}

static void test_repo_keep__writing_goes_on_after_the_cut(void **state)
{
    struct bough_branch *b;
    struct bough_tree *t;

    (void)state;
    history();
    keep("main", "1");
    collect();
    b = branch("main");
    assert_int_equal(bed_put(b, "k", "value 0", 2000000), BOUGH_OK); /* whose blob was dropped */
    assert_int_equal(bed_put(b, "deep/er", "1", 2000001), BOUGH_OK);
    collect();
    bough_branch_close(b);
    bed_reopen(&bed, 0, 0);
    b = branch("main");
    assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
    bed_expect(bed.repo, t, "k", "value 0");
    bed_expect(bed.repo, t, "once", "x");
    bed_expect(bed.repo, t, "deep/er", "1");
    bough_branch_close(b);
    walked("main", 1);
}

/* ---- Who holds what ---- */

static void test_repo_keep__the_journal_holds_its_values(void **state)
{
    struct bough_branch *b;
    struct bough_tree *t;

    (void)state;
    bed_reopen(&bed, 1000000, 100);
    b = branch("main");
    assert_int_equal(bed_put(b, "a", "in the journal", 1), BOUGH_OK);
    assert_int_equal(bed_put(b, "b", "too", 1), BOUGH_OK);
    assert_int_equal(bed_put(b, "b", NULL, 1), BOUGH_OK);
    collect();
    bough_branch_close(b);
    bed_reopen(&bed, 1000000, 100);
    b = branch("main");
    assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
    bed_expect(bed.repo, t, "a", "in the journal");
    bough_branch_close(b);
}

static void test_repo_keep__open_trees_hold_until_they_expire(void **state)
{
    struct bough_branch *b;
    struct bough_tree *t;
    struct bough_node n;
    struct bough_oid root, put;
    struct bough_txn *txn;

    (void)state;
    history();
    assert_int_equal(bough_repo_root_of(bed.repo, &commits[0], &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(bed.repo, &root, &t), BOUGH_OK);
    assert_int_equal(bough_txn_begin(bed.store, &txn), BOUGH_OK);
    assert_int_equal(bough_txn_put(txn, BOUGH_BLOB, V("put before"), &put), BOUGH_OK);
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
    assert_int_equal(bough_tree_set(t, V("edit"), 0100644, &put, bough_view(NULL, 0)), BOUGH_OK);
    keep("main", "1");
    collect();
    assert_false(there(&commits[0]));
    bed_expect(bed.repo, t, "k", "value 0");
    bed_expect(bed.repo, t, "edit", "put before");
    bed.store->oldest_pin->expired = true; /* as the store does under pressure */
    bough_store_unpin(bed.store, bed.store->oldest_pin);
    assert_int_equal(bough_tree_find(t, V("k"), &n, NULL), BOUGH_EEXPIRED);
    assert_int_equal(bough_tree_remove(t, V("k")), BOUGH_EEXPIRED);
    bough_tree_close(t);
    collect();
    assert_false(there(&blobs[0]));
    assert_false(there(&put));
    b = branch("main");
    assert_int_equal(bed_put(b, "k", "on", 3000000), BOUGH_OK);
    bough_branch_close(b);
}

static void test_repo_keep__diffs_hold_both_sides(void **state)
{
    struct bough_oid a, b;
    struct bough_diff *d;
    struct bough_diff_entry e;
    int n = 0;

    (void)state;
    history();
    assert_int_equal(bough_repo_root_of(bed.repo, &commits[0], &a), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(bed.repo, &commits[5], &b), BOUGH_OK);
    assert_int_equal(bough_diff_open(bed.repo, &a, &b, V(""), &d), BOUGH_OK);
    keep("main", "1");
    collect();
    assert_true(there(&a) && there(&b));
    while (bough_diff_next(d, &e) == BOUGH_OK)
        n++;
    assert_int_equal(n, 2);
    bough_diff_close(d);
    collect();
    assert_false(there(&a));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_repo_keep__policies_are_words),
        TEST(test_repo_keep__the_nearest_policy_counts_and_stays),
        TEST(test_repo_keep__a_change_that_fails_did_not_happen),
        TEST(test_repo_keep__history_ends_at_the_boundary),
        TEST(test_repo_keep__days_go_by_commit_dates),
        TEST(test_repo_keep__what_another_branch_keeps_is_not_cut),
        TEST(test_repo_keep__writing_goes_on_after_the_cut),
        TEST(test_repo_keep__the_journal_holds_its_values),
        TEST(test_repo_keep__open_trees_hold_until_they_expire),
        TEST(test_repo_keep__diffs_hold_both_sides),
    };

    return cmocka_run_group_tests_name("repo_keep", tests, NULL, NULL);
}
