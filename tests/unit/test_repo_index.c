/*
 * test_repo_index.c - the index of history answers as a walk does.
 *
 * Goal: with the index whole, in part or old, the last change of every path at every commit, and
 * the log of a path, are what walking finds; also where the boundary cuts, and after commits are
 * gone.  Method: random histories with merges, files that become directories, evil merges; every
 * answer is asked twice, with the index and without.  A failure names the seed.  What stock git
 * answers is compared in tests/interop/test_repo_git.c.
 */
#include <stdlib.h>

#include "repo/history_inner.h"
#include "store/collect.h"
#include "tests/unit/repo_bed.h"

enum { BRANCHES = 4, PATHS = 12, MADE_MAX = 4096, STEP = 3000 };

static const char *const paths[PATHS] = {
    "a", "a/b", "a/b/c", "a/d", "a-b", "e/f/g/h", "e/f", "e", "k", "l/m", "l", "e/f/i"};

static struct bed bed;
static uint64_t seed;
static int64_t clock_sec;
static struct bough_oid made[MADE_MAX];
static size_t made_n;

static uint64_t pick(uint64_t n)
{
    return test_random(&seed) % n;
}

static void reopen(uint32_t batch)
{
    struct bough_repo_opts opts = {.history_batch = batch};

    bough_repo_close(bed.repo);
    bed.repo = NULL;
    assert_int_equal(bough_repo_open(bed.store, &opts, &bed.repo), BOUGH_OK);
}

static int setup(void **state)
{
    (void)state;
    bed_open(&bed, BOUGH_SHA1, 0, 0);
    reopen(1);
    made_n = 0;
    clock_sec = 1700000000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

/* ---- Making ---- */

static void remember(const struct bough_oid *id)
{
    assert_true(made_n < MADE_MAX);
    if (made_n == 0 || !bough_oid_eq(id, &made[made_n - 1]))
        made[made_n++] = *id;
}

static void edit(struct bough_tree *t)
{
    for (uint64_t n = 1 + pick(3); n-- > 0;) {
        const char *path = paths[pick(PATHS)];
        char text[8];

        snprintf(text, sizeof text, "%d", (int)pick(3));
        if (pick(4) == 0)
            (void)bough_tree_remove(t, V(path));
        else
            assert_int_equal(
                bough_tree_set(t, V(path), pick(5) == 0 ? 0100755 : 0100644, NULL, V(text)),
                BOUGH_OK);
    }
}

/* A commit on `b`, with the head of `from` as a further parent, if there is one. */
static void commit(struct bough_branch *b, struct bough_branch *from, bool evil)
{
    struct bough_oid ours, theirs, root, id;
    struct bough_commit_opts opts = {.parents = &theirs, .allow_empty = true};
    struct bough_info info = bed_info(clock_sec);
    struct bough_tree *t;
    bool any;

    clock_sec += (int64_t)pick(3);
    assert_int_equal(bough_branch_head(b, &ours), BOUGH_OK);
    any = !bough_oid_is_zero(&ours);
    if (from != NULL) {
        assert_int_equal(bough_branch_head(from, &theirs), BOUGH_OK);
        opts.parents_n = any && !bough_oid_is_zero(&theirs) && !bough_oid_eq(&ours, &theirs);
    }
    if (any)
        assert_int_equal(bough_repo_root_of(
                             bed.repo, opts.parents_n > 0 && pick(3) == 0 ? &theirs : &ours, &root),
            BOUGH_OK);
    assert_int_equal(bough_tree_open(bed.repo, any ? &root : NULL, &t), BOUGH_OK);
    if (from == NULL || evil)
        edit(t);
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &id), BOUGH_OK);
    bough_tree_close(t);
    remember(&id);
}

static void maintain(size_t steps)
{
    bool more = true;

    for (size_t i = 0; i < steps && more; i++)
        assert_int_equal(bough_repo_maintain(bed.repo, STEP, &more), BOUGH_OK);
}

static void make(size_t commits, bool upkeep)
{
    struct bough_branch *b[BRANCHES];
    char name[16];

    for (int i = 0; i < BRANCHES; i++) {
        snprintf(name, sizeof name, "b%d", i);
        assert_int_equal(bough_branch_open(bed.repo, V(name), &b[i]), BOUGH_OK);
    }
    for (size_t i = 0; i < commits; i++) {
        uint64_t on = made_n < 5 ? 0 : pick(BRANCHES);

        if (made_n >= 5 && pick(20) == 0) { /* a branch goes elsewhere */
            struct bough_ref_update u = {.now = made[pick(made_n)]};

            snprintf(name, sizeof name, "refs/heads/b%d", (int)pick(BRANCHES));
            u.name = V(name);
            assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
        }
        commit(b[on], pick(3) == 0 ? b[pick(BRANCHES)] : NULL, pick(3) == 0);
        if (upkeep && pick(8) == 0)
            maintain(1 + pick(4));
    }
    for (int i = 0; i < BRANCHES; i++)
        bough_branch_close(b[i]);
}

/* ---- Asking ---- */

static void ask_change(const struct bough_oid *at, const char *path)
{
    struct bough_oid id[2];
    struct bough_time when[2];
    enum bough_err err[2];

    for (int i = 0; i < 2; i++) {
        bool off = bed.repo->history->off;

        bed.repo->history->off = off || i == 1;
        err[i] = bough_history_last_change(bed.repo, at, V(path), &id[i], &when[i]);
        bed.repo->history->off = off;
    }
    assert_int_equal(err[0], err[1]);
    assert_true(err[0] == BOUGH_OK || err[0] == BOUGH_ENOENT);
    if (err[0] == BOUGH_OK && !bough_oid_eq(&id[0], &id[1])) {
        char a[65], b[65];

        hex_of(bed.repo, &id[0], a);
        hex_of(bed.repo, &id[1], b);
        fail_msg("%s: %s by the index, %s by walking", path, a, b);
    }
}

static size_t log_of(
    const struct bough_oid *at, const char *path, bool first_parent, struct bough_oid *out)
{
    struct bough_walk_opts opts = {
        .tips = at, .tips_n = 1, .path = V(path), .first_parent = first_parent};
    struct bough_walk *w;
    size_t n = 0;

    assert_int_equal(bough_walk_open(bed.repo, &opts, &w), BOUGH_OK);
    while (bough_walk_next(w, &out[n]) == BOUGH_OK)
        n++;
    bough_walk_close(w);
    return n;
}

static void ask_log(const struct bough_oid *at, const char *path, bool first_parent)
{
    static struct bough_oid list[2][MADE_MAX];
    size_t n[2];

    for (int i = 0; i < 2; i++) {
        bool off = bed.repo->history->off;

        bed.repo->history->off = off || i == 1;
        n[i] = log_of(at, path, first_parent, list[i]);
        bed.repo->history->off = off;
    }
    assert_int_equal(n[0], n[1]);
    for (size_t i = 0; i < n[0]; i++)
        assert_true(bough_oid_eq(&list[0][i], &list[1][i]));
}

/* At commits that are there. */
static void ask_everything(size_t every)
{
    for (size_t i = made_n; i-- > 0;) {
        if (i % every != made_n % every || bough_store_has(bed.store, &made[i]) != BOUGH_OK)
            continue;
        for (size_t p = 0; p < PATHS; p++)
            ask_change(&made[i], paths[p]);
        ask_change(&made[i], "");
        ask_log(&made[i], paths[pick(PATHS)], pick(2) == 0);
    }
    assert_false(bed.repo->history->off);
}

static void expect_whole(void)
{
    struct bough_view after = {NULL, 0};
    struct bough_ref ref;
    char name[64];

    while (bough_repo_ref_next(bed.repo, V("refs/heads/"), after, &ref) == BOUGH_OK) {
        struct bough_walk_opts opts = {.tips = &ref.id, .tips_n = 1};
        struct bough_oid tip = ref.id, id;
        struct bough_walk *w;

        snprintf(name, sizeof name, "%.*s", (int)ref.name.len, (const char *)ref.name.ptr);
        after = V(name);
        opts.tips = &tip;
        assert_int_equal(bough_walk_open(bed.repo, &opts, &w), BOUGH_OK);
        while (bough_walk_next(w, &id) == BOUGH_OK) {
            struct bough_history__place at;

            assert_int_equal(bough_history__find(bed.repo, &id, &at), BOUGH_OK);
        }
        bough_walk_close(w);
    }
}

/* ---- Claims ---- */

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_repo_index__random_histories_answer_as_walked, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/index", tests, NULL, NULL);
}
