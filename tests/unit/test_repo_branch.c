/*
 * test_repo_branch.c - writes through the journal, windows, gathers.
 *
 * Goal: what was written is seen at once, becomes the commits that git would make, survives
 * closing the repository in any state, and a failure leaves the branch as it was.  Method: a
 * store in memory; the repository over it is closed and opened again; allocations fail one
 * after the other.
 */
#include "tests/unit/repo_bed.h"

static struct bed bed;

static void expect_head(struct bough_branch *b, const char *want)
{
    struct bough_oid id;
    char hex[65];

    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    hex_of(bed.repo, &id, hex);
    assert_string_equal(hex, want);
}

/* The message of a branch's head. */
static void expect_message(struct bough_branch *b, const char *want)
{
    struct bough_oid id;
    struct bough_buf raw;
    struct bough_commit c;

    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    bough_buf_init(&raw, bed.env.env.mem);
    assert_int_equal(bough_store_read(bed.store, &id, NULL, &raw), BOUGH_OK);
    assert_int_equal(bough_commit_parse(test_algo(), bough_buf_view(&raw), &c), BOUGH_OK);
    assert_int_equal(c.message.len, strlen(want));
    assert_memory_equal(c.message.ptr, want, c.message.len);
    bough_buf_fini(&raw);
}

static int count_commits(struct bough_branch *b)
{
    struct bough_oid id;
    int n = 0;

    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    while (!bough_oid_is_zero(&id)) {
        struct bough_buf raw;
        struct bough_commit c;

        bough_buf_init(&raw, bed.env.env.mem);
        assert_int_equal(bough_store_read(bed.store, &id, NULL, &raw), BOUGH_OK);
        assert_int_equal(bough_commit_parse(test_algo(), bough_buf_view(&raw), &c), BOUGH_OK);
        memset(&id, 0, sizeof id);
        if (c.parents_n > 0)
            id = bough_commit_parent(&c, 0);
        bough_buf_fini(&raw);
        n++;
    }
    return n;
}

static uint64_t records(void)
{
    struct bough_store_stats s;

    assert_int_equal(bough_store_stat(bed.store, &s), BOUGH_OK);
    return s.records;
}

static void test_repo_branch__each_write_is_a_commit_of_git(void **state)
{
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, BOUGH_SHA1, 0, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "a/b", "hello\n", 1700000000), BOUGH_OK);
    /* git commit-tree -m "set a/b", TZ +0100 */
    expect_head(b, "b569631b778ef589127f59ade1d3a3d1ba0237e2");
    assert_int_equal(bed_put(b, "a/b", "hello\n", 1700000001), BOUGH_OK);
    expect_head(
        b, "b569631b778ef589127f59ade1d3a3d1ba0237e2"); /* the same value again: no commit */
    assert_int_equal(bed_put(b, "nix", NULL, 1700000002), BOUGH_ENOENT);
    assert_int_equal(bed_put(b, "a/b", NULL, 1700000002), BOUGH_OK);
    expect_head(b, "35d2ece742a9fd0ed84fcd541f63f3ea800fe8c4");
    assert_int_equal(records(), 0);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__a_window_is_one_commit(void **state)
{
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, test_algo(), 50, 3);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    bed_sees(bed.repo, b, "x", "1");
    assert_int_equal(bed_put(b, "y", "2", 101), BOUGH_OK);
    assert_int_equal(records(), 2);
    assert_int_equal(bed_put(b, "x", "3", 102), BOUGH_OK); /* the third: full */
    assert_int_equal(records(), 0);
    assert_int_equal(count_commits(b), 1);
    expect_message(b, "2 changes\n\nx\ny\n");
    assert_int_equal(bed_put(b, "y", NULL, 103), BOUGH_OK);
    expect_message(b, "remove y\n"); /* whoever asks for the head folds */
    assert_int_equal(bed_put(b, "z", "3", 104), BOUGH_OK);
    assert_int_equal(bed_put(b, "x", NULL, 104), BOUGH_OK);
    expect_message(b, "rename x z\n");
    assert_int_equal(bed_put(b, "q", "1", 105), BOUGH_OK);
    assert_int_equal(bed_put(b, "q", NULL, 106), BOUGH_OK);
    assert_int_equal(count_commits(b), 3); /* cancelled out */
    assert_int_equal(records(), 0);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__ticks_fold_by_age(void **state)
{
    struct bough_branch *b;
    uint32_t next;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    bed.env.time.nsec = 20 * 1000000;
    assert_int_equal(bough_repo_tick(bed.repo, bed.env.time, &next), BOUGH_OK);
    assert_int_equal(next, 30);
    assert_int_equal(records(), 1);
    bed.env.time.nsec = 50 * 1000000;
    assert_int_equal(bough_repo_tick(bed.repo, bed.env.time, &next), BOUGH_OK);
    assert_int_equal(next, UINT32_MAX);
    assert_int_equal(records(), 0);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__another_author_closes_the_window(void **state)
{
    struct bough_branch *b;
    struct bough_info info = bed_info(102);
    struct bough_write w = {.path = V("y"), .mode = 0100644, .bytes = V("2")};

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    info.author.name = V("Another");
    w.bytes = V("1");
    w.path = V("x"); /* changes nothing: the window stays */
    assert_int_equal(bough_branch_write(b, &w, 1, &info), BOUGH_OK);
    assert_int_equal(records(), 1);
    w.path = V("y");
    assert_int_equal(bough_branch_write(b, &w, 1, &info), BOUGH_OK);
    assert_int_equal(records(), 1); /* one retired, one new */
    assert_int_equal(count_commits(b), 2);
    bough_branch_close(b);
    bed_close(&bed);
}

/* The ids do not depend on when the repository was closed. */
static void test_repo_branch__folding_after_a_restart_gives_the_same_ids(void **state)
{
    struct bough_oid want = {{0}}, got;

    (void)state;
    for (int cut = 0; cut <= 6; cut++) {
        struct bough_branch *b;

        bed_open(&bed, test_algo(), 50, 4);
        b = bed_branch(&bed, "main");
        for (int i = 1; i <= 6; i++) {
            char path[16];

            if (i == cut) {
                bough_branch_close(b);
                bed_reopen(&bed, 50, 4);
                b = bed_branch(&bed, "main");
            }
            snprintf(path, sizeof path, "d%d/k", i % 2);
            assert_int_equal(bed_put(b, path, path + i % 3, 100 + i), BOUGH_OK);
            bed_sees(bed.repo, b, path, path + i % 3);
        }
        assert_int_equal(bough_branch_head(b, &got), BOUGH_OK);
        if (cut == 0)
            want = got;
        assert_true(bough_oid_eq(&got, &want));
        bough_branch_close(b);
        bed_close(&bed);
    }
}

static void test_repo_branch__reopened_with_each_it_is_folded(void **state)
{
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    bough_branch_close(b);
    bed_reopen(&bed, 0, 0);
    assert_int_equal(records(), 0);
    b = bed_branch(&bed, "main");
    bed_sees(bed.repo, b, "x", "1");
    bough_branch_close(b);
    bed_close(&bed);
}

static enum bough_err take_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    (void)stream;
    (void)seq;
    bough_buf_put_view(ctx, bytes);
    return BOUGH_OK;
}

/* We never write such a journal; a device that others wrote may hold one. */
static void test_repo_branch__a_journal_of_two_windows_is_two_folds(void **state)
{
    struct bough_branch *b;
    struct bough_txn *txn;
    struct bough_buf rec;
    uint64_t seq;

    (void)state;
    bed_open(&bed, test_algo(), 60000, 100);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "a", "1", 100), BOUGH_OK);
    bough_branch_close(b);
    bough_buf_init(&rec, &bed.env.mem.mem);
    assert_int_equal(bough_store_records(bed.store, take_record, &rec), BOUGH_OK);
    rec.ptr[1]++;
    bough_put32le(rec.ptr + rec.len - 4, bough_crc32(0, rec.ptr, rec.len - 4));
    assert_int_equal(bough_txn_begin(bed.store, &txn), BOUGH_OK);
    assert_int_equal(
        bough_txn_record(txn, V("refs/heads/main"), bough_buf_view(&rec), &seq), BOUGH_OK);
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
    bough_buf_fini(&rec);
    bed_reopen(&bed, 60000, 100);
    b = bed_branch(&bed, "main");
    bed_sees(bed.repo, b, "a", "1");
    assert_int_equal(count_commits(b), 1);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__a_read_only_store_shows_the_journal(void **state)
{
    struct bough_branch *b;
    struct bough_oid id;
    uint32_t next;

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    bough_branch_close(b);
    bed.store->read_only = true;
    bed_reopen(&bed, 0, 0);
    b = bed_branch(&bed, "main");
    bed_sees(bed.repo, b, "x", "1");
    assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
    assert_true(bough_oid_is_zero(&id)); /* not folded yet */
    assert_int_equal(bough_repo_fold_all(bed.repo), BOUGH_OK);
    assert_int_equal(bough_repo_tick(bed.repo, bed.env.time, &next), BOUGH_OK);
    assert_int_equal(bed_put(b, "x", "2", 100), BOUGH_EREADONLY);
    bed_sees(bed.repo, b, "x", "1");
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__a_gather_happens_whole(void **state)
{
    struct bough_branch *b, *other;
    struct bough_ref ref;
    struct bough_store_stats before, after;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    b = bed_branch(&bed, "main");
    other = bed_branch(&bed, "other");
    assert_int_equal(bough_store_stat(bed.store, &before), BOUGH_OK);
    assert_int_equal(bough_repo_gather_begin(bed.repo), BOUGH_OK);
    assert_int_equal(bough_repo_gather_begin(bed.repo), BOUGH_ENESTED);
    assert_int_equal(bed_put(b, "x", "1", 100), BOUGH_OK);
    assert_int_equal(bed_put(b, "nix", NULL, 100), BOUGH_ENOENT); /* spoils nothing */
    assert_int_equal(bed_put(other, "y", "2", 100), BOUGH_OK);
    assert_int_equal(bed_put(b, "x", "3", 101), BOUGH_OK);
    bed_sees(bed.repo, b, "x", "3");
    assert_int_equal(bough_repo_ref(bed.repo, V("refs/heads/main"), &ref), BOUGH_OK);
    assert_int_equal(
        bough_repo_ref_next(bed.repo, V("refs/"), V("refs/heads/main"), &ref), BOUGH_OK);
    assert_int_equal(ref.name.len, strlen("refs/heads/other"));
    assert_int_equal(bough_repo_gather_end(bed.repo), BOUGH_OK);
    assert_int_equal(bough_store_stat(bed.store, &after), BOUGH_OK);
    assert_int_equal(after.commits, before.commits + 1);
    assert_int_equal(count_commits(b), 2);
    assert_int_equal(count_commits(other), 1);
    bough_branch_close(b);
    bough_branch_close(other);
    bed_close(&bed);
}

/* For each window and each failing allocation: all of it happened, or nothing. */
/* Half of a SHA-1 collision is refused before the gather is touched: the others' writes go on. */
static void test_repo_branch__an_attack_spoils_no_gather(void **state)
{
    uint8_t block[64];
    char evil[200];
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, BOUGH_SHA1, 1000, 1000);
    b = bed_branch(&bed, "main");
    memset(block, '!', sizeof block);
    memset(evil, '!', sizeof evil - 1);
    evil[sizeof evil - 1] = 0;
    bough_hash_alarm(block);
    assert_int_equal(bough_repo_gather_begin(bed.repo), BOUGH_OK);
    assert_int_equal(bed_put(b, "a", "one", 10), BOUGH_OK);
    assert_int_equal(bed_put(b, "b", evil, 11), BOUGH_EFORMAT);
    assert_string_equal(bough_repo_why(bed.repo)->what, "SHA-1 collision attack detected");
    assert_int_equal(bed_put(b, "a", evil, 12), BOUGH_EFORMAT);
    assert_int_equal(bed_put(b, "c", "two", 13), BOUGH_OK);
    assert_int_equal(bough_repo_gather_end(bed.repo), BOUGH_OK);
    bough_hash_alarm(NULL);
    bed_sees(bed.repo, b, "a", "one");
    bed_sees(bed.repo, b, "b", NULL);
    bed_sees(bed.repo, b, "c", "two");
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__without_memory_the_branch_is_as_it_was(void **state)
{
    (void)state;
    for (uint32_t ms = 0; ms <= 50; ms += 25) {
        for (uint64_t n = 0;; n++) {
            struct bough_branch *b;
            enum bough_err err;
            bool failed;

            bed_open(&bed, test_algo(), ms, ms == 25 ? 4 : 0);
            b = bed_branch(&bed, "main");
            assert_int_equal(bed_put(b, "a/x", "1", 100), BOUGH_OK);
            assert_int_equal(bed_put(b, "a/y", "1", 101), BOUGH_OK);
            bed.env.mem.fail_at = bed.env.mem.calls + n;
            err = bough_repo_gather_begin(bed.repo);
            if (err == BOUGH_OK) {
                (void)bed_put(b, "a/y", NULL, 102);
                (void)bed_put(b, "b/c/d", "2", 103);
                err = bough_repo_gather_end(bed.repo);
            }
            failed = bed.env.mem.failed;
            bed.env.mem.fail_at = UINT64_MAX;
            assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
            bed_sees(bed.repo, b, "a/x", "1");
            if (err == BOUGH_OK && !failed) {
                bed_sees(bed.repo, b, "a/y", NULL);
                bed_sees(bed.repo, b, "b/c/d", "2");
            } else if (err) {
                bed_sees(bed.repo, b, "a/y", "1");
                bed_sees(bed.repo, b, "b/c/d", NULL);
            }
            assert_int_equal(bed_put(b, "after", "3", 104), BOUGH_OK);
            assert_int_equal(bough_repo_fold_all(bed.repo), BOUGH_OK);
            assert_int_equal(records(), 0);
            bough_branch_close(b);
            bed_close(&bed);
            if (!failed)
                break;
        }
    }
}

static void test_repo_branch__a_message_counts_all_and_lists_a_hundred(void **state)
{
    struct bough_branch *b;
    struct bough_tree *t;
    struct bough_info info = bed_info(100);
    char path[32], want[4096] = "148 changes\n\n";

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bough_tree_open(bed.repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < 150; i++) {
        snprintf(path, sizeof path, "d%d/%03d", i / 50, i);
        assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V("v")), BOUGH_OK);
        if (i < 100)
            snprintf(want + strlen(want), sizeof want - strlen(want), "%s\n", path);
    }
    assert_int_equal(bough_tree_remove(t, V("d2/149")), BOUGH_OK);
    assert_int_equal(bough_tree_remove(t, V("d2/120")), BOUGH_OK);
    assert_int_equal(bough_branch_commit(b, t, &info, NULL, NULL), BOUGH_OK);
    expect_message(b, want);
    bough_tree_close(t);
    bough_branch_close(b);
    bed_close(&bed);
}

static void test_repo_branch__a_tree_is_committed_by_test_and_set(void **state)
{
    struct bough_branch *b;
    struct bough_tree *t;
    struct bough_info info = bed_info(100);
    struct bough_oid head, none = {{0}}, id;
    struct bough_commit_opts opts = {.expect = &none};

    (void)state;
    bed_open(&bed, test_algo(), 50, 0);
    b = bed_branch(&bed, "main");
    assert_int_equal(bough_tree_open(bed.repo, NULL, &t), BOUGH_OK);
    assert_int_equal(bough_tree_set(t, V("k"), 0100644, NULL, V("v")), BOUGH_OK);
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &head), BOUGH_OK);
    bed_sees(bed.repo, b, "k", "v");
    expect_message(b, "set k\n");
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &id), BOUGH_ETEST);
    opts.expect = &head;
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &id), BOUGH_OK); /* nothing new */
    assert_true(bough_oid_eq(&id, &head));
    opts.allow_empty = true;
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &id), BOUGH_OK);
    assert_false(bough_oid_eq(&id, &head));
    assert_int_equal(count_commits(b), 2);
    bough_tree_close(t);
    bough_branch_close(b);
    bed_close(&bed);
}

/* What a branch remembers of paths is what its tree has, whatever was written between. */
static void test_repo_branch__remembered_paths_are_true(void **state)
{
    static const char *const paths[] = {
        "a", "a/b", "a/b/c", "a/b/d", "a/e", "f", "f/g", "f/g/h", "i", "a-b"};
    enum { PATHS = sizeof paths / sizeof *paths };
    uint64_t seed = 3;

    (void)state;
    for (uint32_t ms = 0; ms <= 50; ms += 50) {
        struct bough_branch *b;

        bed_open(&bed, test_algo(), ms, 5);
        b = bed_branch(&bed, "main");
        for (int step = 0; step < 600; step++) {
            const char *path = paths[test_random(&seed) % PATHS];
            bool remove = test_random(&seed) % 3 == 0;
            struct bough_tree *t, *plain;
            struct bough_oid root;

            (void)bed_put(b, path, remove ? NULL : paths[test_random(&seed) % 3], 100 + step);
            if (step % 97 == 96 && bough_branch_head(b, &root) == BOUGH_OK) {
                struct bough_ref_update u = {.name = V("refs/heads/other"), .now = root};

                u.name = V(step % 2 == 0 ? "refs/heads/other" : "refs/heads/main");
                assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
            }
            assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
            for (size_t i = 0; i < PATHS; i++) /* fills what is remembered, with the overlay */
                assert_int_equal(
                    bough_tree_find(t, V(paths[i]), &(struct bough_node){0}, NULL), BOUGH_OK);
            if (step % 3 != 0)
                continue;
            assert_int_equal(bough_branch_head(b, &root), BOUGH_OK); /* folds */
            assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
            assert_int_equal(bough_tree_open(bed.repo, bough_tree_root(t), &plain), BOUGH_OK);
            for (size_t i = 0; i < PATHS; i++) {
                struct bough_node is, want;
                size_t through, through_want;

                assert_int_equal(bough_tree_find(t, V(paths[i]), &is, &through), BOUGH_OK);
                assert_int_equal(
                    bough_tree_find(plain, V(paths[i]), &want, &through_want), BOUGH_OK);
                assert_int_equal(is.kind, want.kind);
                assert_int_equal(through, through_want);
                assert_true(bough_oid_eq(&is.id, &want.id));
            }
            bough_tree_close(plain);
        }
        bough_branch_close(b);
        bed_close(&bed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_branch__each_write_is_a_commit_of_git),
        cmocka_unit_test(test_repo_branch__a_window_is_one_commit),
        cmocka_unit_test(test_repo_branch__ticks_fold_by_age),
        cmocka_unit_test(test_repo_branch__another_author_closes_the_window),
        cmocka_unit_test(test_repo_branch__folding_after_a_restart_gives_the_same_ids),
        cmocka_unit_test(test_repo_branch__reopened_with_each_it_is_folded),
        cmocka_unit_test(test_repo_branch__a_journal_of_two_windows_is_two_folds),
        cmocka_unit_test(test_repo_branch__a_read_only_store_shows_the_journal),
        cmocka_unit_test(test_repo_branch__a_gather_happens_whole),
        cmocka_unit_test(test_repo_branch__an_attack_spoils_no_gather),
        cmocka_unit_test(test_repo_branch__without_memory_the_branch_is_as_it_was),
        cmocka_unit_test(test_repo_branch__a_message_counts_all_and_lists_a_hundred),
        cmocka_unit_test(test_repo_branch__a_tree_is_committed_by_test_and_set),
        cmocka_unit_test(test_repo_branch__remembered_paths_are_true),
    };

    return cmocka_run_group_tests_name("repo/branch", tests, NULL, NULL);
}
