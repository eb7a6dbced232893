/*
 * test_repo_busy.c - a collection on a branch that goes on being written to.
 *
 * Goal: what retention cuts goes although commits on top of the branch come after the collection
 * began, even as many as are kept; the space can be used as soon as upkeep is done; the history
 * that is kept is whole.
 * Method: more commits than are kept, a collection, more commits, then its steps; objects and
 * bytes counted, history walked.
 */
#include "block/block.h"
#include "store/collect.h"
#include "store/log/log.h"
#include "tests/unit/repo_bed.h"

#include <stdlib.h>

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { BYTES = 64 * 1024 * 1024, UNIT = 4096, KEPT = 50 };

static void put_many(struct bed *bed, uint32_t from, uint32_t to)
{
    struct bough_branch *b;

    OK(bough_branch_open(bed->repo, V("main"), &b));
    for (uint32_t i = from; i < to; i++) {
        char path[32], text[64];

        snprintf(path, sizeof path, "d%u/k%u", i % 4, i % 10);
        snprintf(text, sizeof text, "value number %u", i);
        OK(bed_put(b, path, text, 1000 + i));
    }
    bough_branch_close(b);
}

static void collect(struct bed *bed)
{
    struct bough_collect_opts opts = {.grace = 0};

    OK(bough_repo_collect(bed->repo, &opts, 0));
}

static void maintain(struct bed *bed)
{
    bool more = true;

    while (more)
        OK(bough_repo_maintain(bed->repo, 64 * 1024, &more));
}

static uint32_t history(struct bed *bed)
{
    struct bough_walk_opts opts = {.tips_n = 1};
    struct bough_walk *walk;
    struct bough_oid tip, id;
    uint32_t n = 0;

    OK(bough_repo_resolve(bed->repo, V("main"), &tip));
    opts.tips = &tip;
    OK(bough_walk_open(bed->repo, &opts, &walk));
    while (bough_walk_next(walk, &id) == BOUGH_OK)
        n++;
    bough_walk_close(walk);
    return n;
}

static uint64_t used(struct bed *bed)
{
    struct bough_store_stats st;

    OK(bough_store_stat(bed->store, &st));
    return st.used_bytes;
}

static void cut_while_writing(uint32_t meanwhile)
{
    const struct bough_log_format_opts format = {.algo = test_algo()};
    struct bough_keep keep = {.refs = V("main"), .commits = KEPT};
    struct bough_collect_progress p;
    struct bough_ramblk ram;
    struct bed bed = {.store = NULL};
    uint8_t *device = calloc(1, BYTES);
    uint64_t before;

    assert_non_null(device);
    test_env_init(&bed.env);
    bough_ramblk_init(&ram, device, BYTES / UNIT, UNIT);
    OK(bough_log_format(&ram.blk, &bed.env.env, &format, NULL));
    OK(bough_log_open(&ram.blk, &bed.env.env, NULL, &bed.store, NULL));
    bed_reopen(&bed, 0, 0);
    put_many(&bed, 0, 500);
    OK(bough_repo_keep_set(bed.repo, &keep));
    maintain(&bed);
    before = used(&bed);
    collect(&bed);
    put_many(&bed, 500, 500 + meanwhile);
    maintain(&bed);
    bough_store_collection(bed.store, &p);
    assert_int_equal(p.phase, BOUGH_COLLECT_IDLE);
    assert_int_equal(p.collections, 1);
    assert_in_range(history(&bed), KEPT, KEPT + meanwhile);
    assert_true(used(&bed) < before);
    collect(&bed); /* now those commits are as old as any */
    maintain(&bed);
    assert_int_equal(history(&bed), KEPT);
    bed_close(&bed);
    free(device);
}

static void test_repo_busy__history_is_cut_below_new_commits(void **state)
{
    (void)state;
    cut_while_writing(1);
    cut_while_writing(KEPT);
    cut_while_writing(3 * KEPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_busy__history_is_cut_below_new_commits),
    };

    return cmocka_run_group_tests_name("repo_busy", tests, NULL, NULL);
}
