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
static bool damaged; /* then it is walked, and that is no failure */
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
    bed_open(&bed, test_algo(), 0, 0);
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
        b[i] = bed_branch(&bed, name);
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
        off = off || (i == 0 && bed.repo->history->off);
        bed.repo->history->off = off;
    }
    assert_int_equal(err[0], err[1]);
    assert_true(err[0] == BOUGH_OK || err[0] == BOUGH_ENOENT);
    assert_true(damaged || !bed.repo->history->broken);
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
        off = off || (i == 0 && bed.repo->history->off);
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

/* A line of commits, each changes one of 500 keys. */
static void make_line(size_t n)
{
    struct bough_branch *b;
    struct bough_oid id;
    char path[32], text[32];

    b = bed_branch(&bed, "b0");
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "d%d/e/k%d", (int)(made_n % 7), (int)(made_n % 500));
        snprintf(text, sizeof text, "%d", (int)made_n);
        assert_int_equal(bed_put(b, path, text, clock_sec++), BOUGH_OK);
        assert_int_equal(bough_branch_head(b, &id), BOUGH_OK);
        remember(&id);
    }
    bough_branch_close(b);
}

static void ask_line(size_t at)
{
    static const char *const keys[] = {"d0/e/k0", "d0/e", "d3/e/k3", "d3", "nix", "d6/e/k496"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ask_change(&made[at], keys[i]);
    ask_log(&made[at], keys[at % 6], at % 2 == 0);
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
            test_repo_index__random_histories_answer_as_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__long_lines_come_in_parts_and_segments_are_merged, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__large_commits_are_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__stops_where_history_was_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__forgets_what_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__says_what_is_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__answers_cost_the_same_after_a_long_history, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__a_check_finds_rows_that_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_index__what_is_gone_is_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_index__without_memory_it_walks_or_says_so, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/index", tests, NULL, NULL);
}
