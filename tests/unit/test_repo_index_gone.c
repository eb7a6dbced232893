/*
 * test_repo_index_gone.c - the index of history where something is gone.
 *
 * Goal: where the boundary cuts, after commits are gone, with rows or segments missing and without
 * memory, answers are what walking finds, or it is said that they are not.  Method: as in
 * test_repo_index.c.
 */
#include "tests/unit/index_bed.h"

/* ---- Commits ---- */

static void collect(void)
{
    struct bough_collect_opts opts = {.grace = 0};

    bed.env.time.sec += 10;
    assert_int_equal(bough_repo_collect(bed.repo, &opts, 1), BOUGH_OK);
    maintain(SIZE_MAX);
}

static void test_repo_index__stops_where_history_was_cut(void **state)
{
    struct bough_keep keep = {.refs = V("b0"), .commits = 400};
    struct bough_ref_update u = {.name = V("refs/heads/old")};
    struct bough_oid id;
    struct bough_time when;
    uint64_t indexed;

    (void)state;
    make_line(600);
    maintain(SIZE_MAX);
    indexed = bed.repo->history->serial_next;
    u.now = made[160]; /* below the cut something lives on */
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    assert_int_equal(bough_repo_keep_set(bed.repo, &keep), BOUGH_OK);
    keep.refs = V("old");
    keep.commits = 5;
    assert_int_equal(bough_repo_keep_set(bed.repo, &keep), BOUGH_OK);
    assert_int_equal(
        bough_history_last_change(bed.repo, &made[599], V("d0/e/k0"), &id, &when), BOUGH_OK);
    assert_true(bough_oid_eq(&id, &made[0]));
    collect();
    assert_int_equal(bed.repo->history->serial_next, indexed); /* most of it lives: it stayed */
    for (size_t at = 200; at < 600; at += 23)
        ask_line(at);
    ask_line(160);
    assert_int_equal(
        bough_history_last_change(bed.repo, &made[599], V("d0/e/k0"), &id, &when), BOUGH_OK);
    assert_true(bough_oid_eq(&id, &made[200])); /* the lowest that is there */
    assert_int_equal(bough_store_has(bed.store, &made[158]), BOUGH_OK);
    assert_int_equal(
        bough_history_last_change(bed.repo, &made[599], V("d4/e/k158"), &id, &when), BOUGH_OK);
    assert_true(bough_oid_eq(&id, &made[200])); /* not what lives below the cut */
    make_line(100);
    maintain(SIZE_MAX);
    expect_whole();
    ask_line(made_n - 1);
    ask_line(590);
}

static void test_repo_index__forgets_what_is_gone(void **state)
{
    struct bough_ref_update u = {.name = V("refs/heads/b0"), .check = false};
    struct bough_history_stats st;

    (void)state;
    make_line(300);
    maintain(SIZE_MAX);
    assert_int_equal(bough_history_stat(bed.repo, 1000, &st), BOUGH_OK);
    assert_int_equal(st.indexed, 300);
    assert_int_equal(st.waiting, 0);
    u.now = made[50];
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    collect();
    maintain(SIZE_MAX);
    assert_int_equal(bough_store_has(bed.store, &made[100]), BOUGH_ENOENT);
    assert_int_equal(bough_history_stat(bed.repo, 1000, &st), BOUGH_OK);
    assert_int_equal(st.indexed, 51);
    expect_whole();
    made_n = 51;
    ask_line(50);
}

/* ---- Damage ---- */

static unsigned complaints;

static void report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx, (void)err, (void)what, (void)key;
    complaints++;
}

/* A copy of the only segment, without the row `skip` of a table. */
static void segment_copy(enum bough_history__kind in, size_t skip)
{
    struct bough_history *h = bed.repo->history;
    struct bough_history__writer w;

    assert_int_equal(h->segments, 1);
    assert_int_equal(bough_history__writer_init(&w, bed.repo), BOUGH_OK);
    for (int kind = 0; kind < BOUGH_HISTORY__TABLES; kind++) {
        size_t len = bough_history__row_len(bed.repo, (enum bough_history__kind)kind), n = 0;
        uint8_t row[BOUGH_HISTORY__ROW_MAX] = {0};

        assert_int_equal(bough_history__writer_kind(&w, (enum bough_history__kind)kind), BOUGH_OK);
        while (bough_history__row_ge(bed.repo, &h->segment[0].root, (enum bough_history__kind)kind,
                   row, row) == BOUGH_OK) {
            if (kind != (int)in || n++ != skip)
                assert_int_equal(bough_history__writer_put(&w, row), BOUGH_OK);
            bough_history__row_step(row, len);
        }
    }
    assert_int_equal(bough_history__writer_write(&w, true, h->segment, 1), BOUGH_OK);
    bough_history__writer_fini(&w);
}

static void test_repo_index__a_check_finds_rows_that_are_missing(void **state)
{
    unsigned found = 0;

    (void)state;
    make_line(200);
    maintain(SIZE_MAX);
    complaints = 0;
    segment_copy(BOUGH_HISTORY__PATHS, SIZE_MAX); /* a true copy */
    assert_int_equal(bough_history_check(bed.repo, report, NULL), BOUGH_OK);
    for (size_t i = 0; i < 64; i++) {
        complaints = 0;
        segment_copy(BOUGH_HISTORY__PATHS, 13 * i);
        found += bough_history_check(bed.repo, report, NULL) == BOUGH_ECORRUPT;
        assert_int_equal(bough_history_forget(bed.repo), BOUGH_OK);
        bed.repo->history->off = bed.repo->history->broken = false;
        maintain(SIZE_MAX);
    }
    assert_true(found >= 10); /* a quarter are rows of ids; of the others one in 16 is looked for */
    segment_copy(BOUGH_HISTORY__COMMITS, 7);
    assert_int_equal(bough_history_check(bed.repo, report, NULL), BOUGH_ECORRUPT);
    assert_true(bed.repo->history->off);
    maintain(SIZE_MAX); /* made anew */
    assert_false(bed.repo->history->off);
    assert_int_equal(bough_history_check(bed.repo, report, NULL), BOUGH_OK);
    expect_whole();
}

/* A segment that names what is not there must not read as one that has no rows. */
static void test_repo_index__what_is_gone_is_walked(void **state)
{
    struct bough_history *h;

    (void)state;
    make_line(300);
    maintain(SIZE_MAX);
    h = bed.repo->history;
    assert_true(h->segments > 0);
    h->segment[0].root.bytes[3] ^= 1;
    damaged = true;
    ask_line(299);
    damaged = false;
    assert_true(h->off && h->broken);
    maintain(SIZE_MAX);
    assert_false(h->off);
    ask_line(299);
    expect_whole();
}

static void test_repo_index__without_memory_it_walks_or_says_so(void **state)
{
    (void)state;
    make_line(300);
    for (uint64_t n = 0;; n += 1 + n / 16) {
        struct bough_oid id;
        struct bough_time when;
        bool more = true, failed;
        enum bough_err err;

        reopen(1);
        assert_int_equal(bough_history_forget(bed.repo), BOUGH_OK);
        bed.env.mem.failed = false;
        bed.env.mem.fail_at = bed.env.mem.calls + n;
        for (int i = 0; i < 2000 && more; i++) {
            err = bough_repo_maintain(bed.repo, 20000, &more);
            assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        }
        err = bough_history_last_change(bed.repo, &made[299], V("d0/e/k0"), &id, &when);
        failed = bed.env.mem.failed;
        bed.env.mem.fail_at = UINT64_MAX;
        assert_true(err == BOUGH_OK || (failed && err == BOUGH_ENOMEM));
        if (err == BOUGH_OK)
            assert_true(bough_oid_eq(&id, &made[0]));
        if (!failed)
            break;
        make_line(0);
        ask_change(&made[299], "d3/e/k3");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_repo_index__stops_where_history_was_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__forgets_what_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__a_check_finds_rows_that_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__what_is_gone_is_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__without_memory_it_walks_or_says_so, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/index gone", tests, NULL, NULL);
}
