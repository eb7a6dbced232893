/*
 * test_store_log_tiers.c - merging tables keeps nobody waiting.
 *
 * Goal: what one commit writes does not grow with the store, whether maintain() is called or not;
 * what maintain() writes at a time is bounded by its budget; a merge that is under way loses
 * nothing when the store is closed, checkpointed or written meanwhile.  Method: a device in memory
 * and tiny tables, so that thousands of objects are what millions are elsewhere; the engine's own
 * count of bytes written; every object read at the end, in this mount and the next.
 */
#include "store/log/inner.h"
#include "tests/lib/log_bed.h"
#include "tests/lib/log_traffic.h"

enum { UNIT = 512, ZONE = 64 * 1024, BYTES = 96 * 1024 * 1024 };
enum { ROWS = 64, PER_COMMIT = 16, COMMITS = 1200, BUDGET = 8 * 1024 };

static int setup(void **state)
{
    static struct log_bed f;

    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){.table_rows = ROWS, .prepare = 1});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

static size_t tables(struct log_bed *f)
{
    return bough_log__of(f->s)->tables;
}

/* Bytes that it wrote. */
static uint64_t commit(struct log_bed *f, uint32_t no)
{
    uint64_t before = log_written(f);
    struct bough_txn *t;

    OK(bough_txn_begin(f->s, &t));
    for (uint32_t i = 0; i < PER_COMMIT; i++) {
        uint32_t body = no * PER_COMMIT + i;
        struct bough_oid id;

        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(&body, sizeof body), &id));
    }
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    return log_written(f) - before;
}

static void assert_all(struct log_bed *f, uint32_t commits)
{
    for (uint32_t body = 0; body < commits * PER_COMMIT; body++) {
        struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(&body, sizeof body));

        OK(bough_store_has(f->s, &id));
    }
}

/* The most that one of them wrote. */
static uint64_t commits_most(struct log_bed *f, uint32_t from, uint32_t to)
{
    uint64_t most = 0;

    for (uint32_t i = from; i < to; i++) {
        uint64_t bytes = commit(f, i);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void test_tiers__a_commit_writes_no_more_in_a_large_store(void **state)
{
    struct log_bed *f = *state;
    uint64_t small = commits_most(f, 0, COMMITS / 10);
    uint64_t large = commits_most(f, COMMITS / 10, COMMITS);

    assert_in_range(large, 1, 2 * small);
    assert_in_range(tables(f), 1, 24);
    assert_all(f, COMMITS);
    bough_store_close(f->s);
    log_bed_open(f);
    assert_all(f, COMMITS);
}

static void test_tiers__maintenance_writes_its_budget_and_leaves_few_tables(void **state)
{
    struct log_bed *f = *state;
    uint64_t most = 0;

    for (uint32_t i = 0; i < COMMITS; i++) {
        uint64_t bytes;

        commit(f, i);
        bytes = log_maintain(f, BUDGET);
        most = bytes > most ? bytes : most;
    }
    assert_in_range(most, BUDGET, 16 * BUDGET); /* a buffer and a checkpoint come to it */
    assert_in_range(tables(f), 1, 14);
    assert_all(f, COMMITS);
}

static void test_tiers__a_merge_under_way_disturbs_nobody(void **state)
{
    struct log_bed *f = *state;
    uint32_t no = 0;
    bool seen = false, more;

    for (uint32_t i = 0; i < COMMITS; i++) {
        commit(f, no++);
        if (i % 3 == 0) { /* far too little */
            OK(bough_store_maintain(f->s, 512, &more));
            OK(bough_store_maintain(f->s, 512, &more));
        }
        seen = seen || bough_log__of(f->s)->tiers != NULL;
        if (i % 97 == 96) { /* it is given up */
            bough_store_close(f->s);
            log_bed_open(f);
        }
    }
    assert_true(seen);
    assert_all(f, no);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_tiers__a_commit_writes_no_more_in_a_large_store, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_tiers__maintenance_writes_its_budget_and_leaves_few_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_tiers__a_merge_under_way_disturbs_nobody, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log/tiers", tests, NULL, NULL);
}
