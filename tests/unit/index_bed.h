/*
 * index_bed.h - histories to be indexed, and questions that are asked with the index and without.
 *
 *   making   random histories with merges, files that become directories, evil merges; lines
 *   asking   last changes and logs of paths, twice each
 */
#ifndef TEST_INDEX_BED_H
#define TEST_INDEX_BED_H

#include <stdlib.h>

#include "repo/history_inner.h"
#include "repo/inner.h"
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

static inline uint64_t pick(uint64_t n)
{
    return test_random(&seed) % n;
}

static inline void reopen(uint32_t batch)
{
    struct bough_repo_opts opts = {.history_batch = batch};

    bough_repo_close(bed.repo);
    bed.repo = NULL;
    assert_int_equal(bough_repo_open(bed.store, &opts, &bed.repo), BOUGH_OK);
}

static inline int setup(void **state)
{
    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    reopen(1);
    made_n = 0;
    clock_sec = 1700000000;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

/* ---- Making ---- */

static inline void remember(const struct bough_oid *id)
{
    assert_true(made_n < MADE_MAX);
    if (made_n == 0 || !bough_oid_eq(id, &made[made_n - 1]))
        made[made_n++] = *id;
}

/* A commit on `b`, with the head of `from` as a further parent, if there is one. */
static inline void commit(struct bough_branch *b, struct bough_branch *from, bool evil)
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
        bed_edit_some(t, 1 + pick(3), paths, PATHS, &seed);
    assert_int_equal(bough_branch_commit(b, t, &info, &opts, &id), BOUGH_OK);
    bough_tree_close(t);
    remember(&id);
}

static inline void maintain(size_t steps)
{
    bool more = true;

    for (size_t i = 0; i < steps && more; i++)
        assert_int_equal(bough_repo_maintain(bed.repo, STEP, &more), BOUGH_OK);
}

static inline void make(size_t commits, bool upkeep)
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

static inline void ask_change(const struct bough_oid *at, const char *path)
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

static inline size_t log_of(
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

static inline void ask_log(const struct bough_oid *at, const char *path, bool first_parent)
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
static inline void ask_everything(size_t every)
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

static inline void expect_whole(void)
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

/* A line of commits, each changes one of 500 keys. */
static inline void make_line(size_t n)
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

static inline void ask_line(size_t at)
{
    static const char *const keys[] = {"d0/e/k0", "d0/e", "d3/e/k3", "d3", "nix", "d6/e/k496"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ask_change(&made[at], keys[i]);
    ask_log(&made[at], keys[at % 6], at % 2 == 0);
}

#endif
