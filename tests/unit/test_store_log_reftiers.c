/*
 * test_store_log_reftiers.c - merging ref tables keeps nobody waiting.
 *
 * Goal: a name is found by an index, and without it.  What one commit of refs writes does not grow with their number, whether maintain() is called or not; what
 * maintain() writes at a time is bounded by its budget; a merge that is under way loses nothing when refs
 * change or go, or the store is closed meanwhile.
 * Method: a device in memory and few refs in memory, so that thousands are what millions are elsewhere; the
 * engine's own count of bytes written; what each ref is, in an array beside it.
 */
#include "store/log/inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "tests/lib/log_bed.h"
#include "tests/lib/log_traffic.h"

enum { UNIT = 512, ZONE = 64 * 1024, BYTES = 64 * 1024 * 1024 };
enum { ROWS = 64, PER_COMMIT = 16, COMMITS = 1000, BUDGET = 8 * 1024, REFS = COMMITS * PER_COMMIT };

static uint32_t is[REFS]; /* 0: it is not there */

static int setup(void **state)
{
    static struct log_bed f;

    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){.table_rows = ROWS, .prepare = 1});
    memset(is, 0, sizeof is);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

static struct bough_view name_of(uint32_t i, char room[64])
{
    return bough_view(room, (size_t)snprintf(room, 64, "refs/heads/g%02u/%05u", i % 37, i));
}

static void set(struct bough_txn *t, uint32_t i, uint32_t value)
{
    char room[64];
    struct bough_ref_change c = {
        .name = name_of(i, room), .kind = value == 0 ? BOUGH_REF_NONE : BOUGH_REF_ID};

    bough_put32le(c.id.bytes, value);
    OK(bough_txn_ref(t, &c));
    is[i] = value;
}

/* New refs, some that change, one that goes.  Bytes that it wrote. */
static uint64_t commit(struct log_bed *f, uint32_t no)
{
    uint64_t before = log_written(f);
    struct bough_txn *t;

    OK(bough_txn_begin(f->s, &t));
    for (uint32_t i = 0; i < PER_COMMIT; i++)
        set(t, no * 7919 % COMMITS + i * COMMITS, no + 1);
    for (uint32_t i = 0; i < PER_COMMIT / 4; i++)
        set(t, (no * 31 + i * 104729) % REFS, no + 1);
    set(t, no * 17 % REFS, 0);
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    return log_written(f) - before;
}

static void assert_all(struct log_bed *f)
{
    struct bough_ref ref;
    uint64_t there = 1; /* HEAD */
    struct bough_store_stats st;

    for (uint32_t i = 0; i < REFS; i++) {
        char room[64];
        enum bough_err err = bough_store_ref(f->s, name_of(i, room), &ref);

        assert_int_equal(err, is[i] == 0 ? BOUGH_ENOENT : BOUGH_OK);
        if (!err)
            assert_int_equal(bough_get32le(ref.id.bytes), is[i]);
        there += !err;
    }
    OK(bough_store_stat(f->s, &st));
    assert_int_equal(st.refs, there);
}

static void assert_all_twice(struct log_bed *f)
{
    assert_all(f);
    log_bed_reopen(f);
    assert_all(f);
}

static uint64_t commits_most(struct log_bed *f, uint32_t from, uint32_t to)
{
    uint64_t most = 0;

    for (uint32_t i = from; i < to; i++) {
        uint64_t bytes = commit(f, i);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void test_reftiers__a_commit_writes_no_more_among_many_refs(void **state)
{
    struct log_bed *f = *state;
    uint64_t few = commits_most(f, 0, COMMITS / 20);
    uint64_t many = commits_most(f, COMMITS / 20, COMMITS);

    assert_in_range(many, 1, 3 * few);
    assert_in_range(bough_log__of(f->s)->reftables, 1, 10);
    assert_all_twice(f);
}

static void test_reftiers__maintenance_writes_its_budget_and_leaves_few_tables(void **state)
{
    struct log_bed *f = *state;
    uint64_t most = 0;

    for (uint32_t i = 0; i < COMMITS; i++) {
        uint64_t bytes;

        commit(f, i);
        bytes = log_maintain(f, BUDGET);
        most = bytes > most ? bytes : most;
        assert_in_range(bough_log__of(f->s)->reftables, 0, 5);
    }
    assert_in_range(most, BUDGET, 16 * BUDGET); /* a buffer and a checkpoint come to it */
    assert_all_twice(f);
}

static void test_reftiers__a_merge_under_way_disturbs_nobody(void **state)
{
    struct log_bed *f = *state;
    const struct bough_collect_opts now = {.grace = 0};
    bool seen = false, more;

    for (uint32_t i = 0; i < COMMITS; i++) {
        commit(f, i);
        for (uint32_t k = 0; i % 3 == 0 && k < 3; k++) /* far too little */
            OK(bough_store_maintain(f->s, 512, &more));
        seen = seen || bough_log__of(f->s)->reftiers != NULL;
        if (i % 97 == 96) /* it is given up */
            log_bed_reopen(f);
        if (i == COMMITS / 2) { /* so does a collection */
            OK(bough_store_collect(f->s, &now));
            (void)log_maintain(f, BUDGET);
        }
    }
    assert_true(seen);
    assert_all_twice(f);
}

static uint64_t misses(struct log_bed *f)
{
    return bough_log__of(f->s)->pages.misses;
}

/* The pages that it takes to find that a name is not there, at worst of some. */
static uint64_t missing_costs(struct log_bed *f)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < 20; i++) {
        struct bough_ref ref;
        uint64_t before;
        char room[64];

        log_bed_reopen(f);
        before = misses(f);
        assert_int_equal(
            bough_store_ref(f->s, name_of(i * (REFS / 20) + REFS, room), &ref), BOUGH_ENOENT);
        most = misses(f) - before > most ? misses(f) - before : most;
    }
    return most;
}

static void test_reftiers__a_new_name_costs_three_pages_a_table(void **state)
{
    struct log_bed *f = *state;

    (void)commits_most(f, 0, COMMITS);
    (void)log_maintain(f, BUDGET);
    assert_in_range(missing_costs(f), 1, 3 * bough_log__of(f->s)->reftables);
}

static void test_reftiers__a_damaged_index_costs_time_only(void **state)
{
    struct log_bed *f = *state;
    const struct bough_log__table *t;
    struct bough_log *l;
    uint64_t dev, left;

    (void)commits_most(f, 0, COMMITS);
    (void)log_maintain(f, BUDGET);
    l = bough_log__of(f->s);
    for (uint32_t i = 0; i < l->reftables; i++) {
        t = &l->reftable[i];
        for (uint32_t no = t->blocks; no < t->blocks + t->home; no++) {
            OK(bough_log__run_at(l, &t->run, (uint64_t)no * BOUGH_LOG__BLOCK, &dev, &left));
            f->device[dev + 100] ^= 1;
        }
    }
    assert_true(l->reftable[0].home > 1);
    log_bed_reopen(f);
    assert_all(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_reftiers__a_commit_writes_no_more_among_many_refs, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reftiers__maintenance_writes_its_budget_and_leaves_few_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reftiers__a_merge_under_way_disturbs_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reftiers__a_new_name_costs_three_pages_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reftiers__a_damaged_index_costs_time_only, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log/reftiers", tests, NULL, NULL);
}
