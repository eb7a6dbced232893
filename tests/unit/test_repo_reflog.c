/*
 * test_repo_reflog.c - what a ref was before.
 *
 * Goal: commits are told as they stand in the history; every other move is told where it
 * happened, over folds, resets, deletions and a reopening; expiring forgets moves and nothing
 * else; a log without moves takes no space.
 * Method: a branch that is written to, reset, deleted and made again; the values its log tells
 * are compared one by one.
 */
#include "tests/unit/repo_bed.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

static const struct bough_oid none;

static void put(struct bed *bed, const char *text, int64_t sec, struct bough_oid *head)
{
    struct bough_branch *b;

    OK(bough_branch_open(bed->repo, V("main"), &b));
    OK(bed_put(b, "k", text, sec));
    OK(bough_branch_head(b, head));
    bough_branch_close(b);
}

static void move(struct bed *bed, const struct bough_oid *to, const char *reason)
{
    struct bough_ref_update u = {.name = V("refs/heads/main"), .now = *to, .reason = V(reason)};

    OK(bough_repo_update(bed->repo, &u, 1, BOUGH_UPDATE_FORCE_HEAD, NULL));
    OK(u.err);
}

struct entry {
    const struct bough_oid *old, *now;
    const char *reason;
};

static void expect(struct bed *bed, const struct entry *want, size_t n)
{
    struct bough_reflog *log;
    struct bough_reflog_entry e;

    OK(bough_reflog_open(bed->repo, V("refs/heads/main"), &log));
    for (size_t i = 0; i < n; i++) {
        OK(bough_reflog_next(log, &e));
        assert_true(bough_oid_eq(&e.old, want[i].old));
        assert_true(bough_oid_eq(&e.now, want[i].now));
        assert_true(bough_view_eq(e.reason, V(want[i].reason)));
    }
    assert_int_equal(bough_reflog_next(log, &e), BOUGH_ENOENT);
    bough_reflog_close(log);
}

static uint64_t refs_of(struct bed *bed)
{
    struct bough_store_stats st;

    OK(bough_store_stat(bed->store, &st));
    return st.refs;
}

static void test_repo_reflog__tells_commits_and_moves(void **state)
{
    struct bough_oid a, b, c, d;
    struct bed bed;

    (void)state;
    bed_open(&bed, BOUGH_SHA256, 0, 0);
    put(&bed, "1", 100, &a);
    put(&bed, "2", 200, &b);
    assert_int_equal(refs_of(&bed), 2); /* HEAD and main: no rows */
    move(&bed, &a, "reset");
    put(&bed, "3", 300, &c);
    move(&bed, &none, "gone");
    put(&bed, "4", 400, &d);
    bed_reopen(&bed, 0, 0);
    expect(&bed,
        (struct entry[]){{&none, &d, "set k"}, {&c, &none, "gone"}, {&a, &c, "set k"},
            {&b, &a, "reset"}, {&a, &b, "set k"}, {&none, &a, "set k"}},
        6);
    bed_close(&bed);
}

static void test_repo_reflog__numbers_and_times_name_values(void **state)
{
    struct bough_oid a, b, c, got;
    struct bed bed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    put(&bed, "1", 100, &a);
    put(&bed, "2", 200, &b);
    bed.env.time.sec = 300;
    move(&bed, &a, "reset");
    put(&bed, "3", 400, &c);
    OK(bough_repo_resolve(bed.repo, V("main@{0}"), &got));
    assert_true(bough_oid_eq(&got, &c));
    OK(bough_repo_resolve(bed.repo, V("@{2}"), &got));
    assert_true(bough_oid_eq(&got, &b));
    OK(bough_repo_resolve(bed.repo, V("HEAD@{3}~0"), &got));
    assert_true(bough_oid_eq(&got, &a));
    assert_int_equal(bough_repo_resolve(bed.repo, V("main@{4}"), &got), BOUGH_ENOENT);
    OK(bough_repo_resolve(bed.repo, V("main@{1970-01-01T00:04:00}"), &got)); /* 240 */
    assert_true(bough_oid_eq(&got, &b));
    OK(bough_repo_resolve(bed.repo, V("main@{1970-01-01T00:05:30}"), &got)); /* 330 */
    assert_true(bough_oid_eq(&got, &a));
    OK(bough_repo_resolve(bed.repo, V("main@{100000000}"), &got)); /* a time, as git has it */
    assert_true(bough_oid_eq(&got, &c));
    bed_close(&bed);
}

static void test_repo_reflog__forgets_what_is_old(void **state)
{
    struct bough_oid a, b, c;
    struct bed bed;
    uint64_t removed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    put(&bed, "1", 100, &a);
    put(&bed, "2", 200, &b);
    bed.env.time.sec = 300;
    move(&bed, &a, "old");
    put(&bed, "3", 400, &c);
    bed.env.time.sec = 500;
    move(&bed, &b, "young");
    OK(bough_reflog_expire(bed.repo, 400, &removed));
    assert_int_equal(removed, 1);
    expect(&bed, (struct entry[]){{&c, &b, "young"}, {&a, &c, "set k"}, {&none, &a, "set k"}}, 3);
    OK(bough_reflog_expire(bed.repo, 501, &removed));
    assert_int_equal(removed, 1);
    expect(&bed, (struct entry[]){{&a, &b, "set k"}, {&none, &a, "set k"}}, 2);
    assert_int_equal(refs_of(&bed), 2);
    bed_close(&bed);
}

static void test_repo_reflog__moves_of_one_gather_stay_apart(void **state)
{
    struct bough_oid a, b;
    struct bed bed;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    put(&bed, "1", 100, &a);
    put(&bed, "2", 200, &b);
    OK(bough_repo_gather_begin(bed.repo));
    move(&bed, &a, "back");
    move(&bed, &b, "forth");
    OK(bough_repo_gather_end(bed.repo));
    expect(&bed,
        (struct entry[]){
            {&a, &b, "forth"}, {&b, &a, "back"}, {&a, &b, "set k"}, {&none, &a, "set k"}},
        4);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_reflog__tells_commits_and_moves),
        cmocka_unit_test(test_repo_reflog__numbers_and_times_name_values),
        cmocka_unit_test(test_repo_reflog__forgets_what_is_old),
        cmocka_unit_test(test_repo_reflog__moves_of_one_gather_stay_apart),
    };

    return cmocka_run_group_tests_name("repo_reflog", tests, NULL, NULL);
}
