/*
 * test_repo_index.c - the index of history answers as a walk does.
 *
 * Goal: with the index whole, in part or old, the last change of every path at every commit, and
 * the log of a path, are what walking finds, and cost the same after a long history.  Method:
 * random and long histories (index_bed.h); every answer is asked twice, with the index and without.
 * A failure names the seed.  What stock git answers is compared in tests/interop/test_repo_git.c.
 */
#include "store/engine.h"
#include "tests/unit/index_bed.h"

static void test_repo_index__random_histories_answer_as_walked(void **state)
{
    const char *more = getenv("BOUGH_SEEDS");

    for (uint64_t s = 1; s <= (more != NULL ? strtoull(more, NULL, 10) : 12); s++) {
        seed = s;
        print_message("seed %llu\n", (unsigned long long)s);
        make(s % 3 == 0 ? 400 : 80, s % 2 == 0);
        ask_everything(s % 3 == 0 ? 13 : 3);
        maintain(3);
        ask_everything(s % 3 == 0 ? 13 : 3);
        maintain(SIZE_MAX);
        expect_whole();
        ask_everything(s % 3 == 0 ? 13 : 1);
        reopen(1);
        make(30, true);
        maintain(SIZE_MAX);
        expect_whole();
        ask_everything(7);
        teardown(state);
        setup(state);
    }
}

static void test_repo_index__long_lines_come_in_parts_and_segments_are_merged(void **state)
{
    (void)state;
    seed = 1;
    make_line(2500);
    maintain(20);
    ask_line(made_n - 1);
    ask_line(1200);
    maintain(SIZE_MAX);
    expect_whole();
    for (int i = 0; i < 12; i++) {
        make_line(100);
        maintain(SIZE_MAX);
    }
    assert_true(bed.repo->history->segments <= 8);
    expect_whole();
    for (size_t at = 100; at < made_n; at += 600)
        ask_line(at);
    reopen(1);
    for (size_t at = 400; at < made_n; at += 600)
        ask_line(at);
}

/* More paths than are worth to be indexed. */
static void commit_big(const char *under, int n)
{
    struct bough_info info = bed_info(clock_sec++);
    struct bough_branch *b;
    struct bough_oid id, root;
    struct bough_tree *t;
    char path[32];

    b = bed_branch(&bed, "b0");
    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(bed.repo, &id, &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(bed.repo, &root, &t), BOUGH_OK);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%d/%d", under, i % 100, i);
        assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V("x")), BOUGH_OK);
    }
    assert_int_equal(bough_branch_commit(b, t, &info, NULL, &id), BOUGH_OK);
    bough_tree_close(t);
    bough_branch_close(b);
    remember(&id);
}

static void test_repo_index__large_commits_are_looked_at(void **state)
{
    static const char *const keys[] = {"big/17/17", "big/17", "big", "more/3/3", "d1/e/k1", "d1"};

    (void)state;
    make_line(20);
    maintain(SIZE_MAX);
    make_line(10);
    commit_big("big", 9000); /* on top of what is indexed, within a run */
    make_line(10);
    maintain(SIZE_MAX);
    make_line(10);
    commit_big("more", 9000); /* at the lower end of one */
    make_line(10);
    maintain(SIZE_MAX);
    expect_whole();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        ask_change(&made[made_n - 1], keys[i]);
        ask_change(&made[45], keys[i]);
        ask_log(&made[made_n - 1], keys[i], false);
    }
    assert_int_equal(bough_history_forget(bed.repo), BOUGH_OK);
    maintain(SIZE_MAX); /* now downwards */
    expect_whole();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ask_change(&made[made_n - 1], keys[i]);
}

static void test_repo_index__says_what_is_waiting(void **state)
{
    struct bough_history_stats st;

    (void)state;
    reopen(0);
    make_line(200);
    maintain(SIZE_MAX);
    assert_int_equal(bough_history_stat(bed.repo, 1000, &st), BOUGH_OK);
    assert_true(st.indexed == 0 && st.waiting == 200 && !st.more);
    assert_int_equal(bough_history_stat(bed.repo, 100, &st), BOUGH_OK);
    assert_true(st.more);
    make_line(100);
    maintain(SIZE_MAX);
    assert_int_equal(bough_history_stat(bed.repo, 1000, &st), BOUGH_OK);
    assert_true(st.indexed == 300 && st.waiting == 0 && !st.more);
    reopen(UINT32_MAX);
    make_line(300);
    maintain(SIZE_MAX);
    assert_int_equal(bough_history_stat(bed.repo, 1000, &st), BOUGH_ENOTSUP);
    assert_int_equal(bed.repo->history->segments, 0);
}

/* ---- Cost ---- */

/* Calls of the store's engine that read an object, counted. */
static struct bough_store_class counted;

static const struct bough_store_class *plain;

static uint64_t reads;

static enum bough_err count_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    reads++;
    return plain->read(s, where, id, type, out);
}

static enum bough_err count_get(
    struct bough_store *s, const struct bough_oid *id, struct bough_get *get, struct bough_buf *out)
{
    reads++;
    return plain->get == NULL ? BOUGH_ENOTSUP : plain->get(s, id, get, out);
}

static void test_repo_index__answers_cost_the_same_after_a_long_history(void **state)
{
    const char *more = getenv("BOUGH_COMMITS");
    size_t next = 100, commits = more != NULL ? strtoull(more, NULL, 10) : 3000;
    uint64_t cost = 0;
    struct bough_oid id;

    (void)state;
    reopen(0);
    for (size_t i = 0; i < commits; i++) {
        made_n = i % 2000; /* nobody asks for the ids */
        make_line(1);
        if (i + 1 != next && i + 1 != commits)
            continue;
        next *= 10;
        maintain(SIZE_MAX);
        reopen(0); /* with empty caches */
        plain = bed.store->cls;
        counted = *plain;
        counted.read = count_read;
        counted.get = count_get;
        bed.store->cls = &counted;
        reads = 0;
        assert_int_equal(
            bough_history_last_change(bed.repo, &made[made_n - 1], V("nix"), &id, NULL),
            BOUGH_ENOENT);
        reads = 0;
        assert_int_equal(
            bough_history_last_change(bed.repo, &made[made_n - 1], V("d3/e/k3"), &id, NULL),
            BOUGH_OK);
        bed.store->cls = plain;
        cost = reads;
        print_message("%d commits: %d reads\n", (int)i + 1, (int)cost);
        if (i + 1 >= 1000)
            assert_true(cost < 100); /* walking would be some 2,000, and more with each commit */
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_repo_index__random_histories_answer_as_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__long_lines_come_in_parts_and_segments_are_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__large_commits_are_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__says_what_is_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__answers_cost_the_same_after_a_long_history, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/index", tests, NULL, NULL);
}
