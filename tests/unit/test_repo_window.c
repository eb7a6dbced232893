/*
 * test_repo_window.c - windows grow where folding is dear.
 *
 * Goal: what a fold took keeps the next one away for four times as long, up to bounds, and only
 * where nobody said otherwise; how windows were closed changes no id after a crash.  Method: a
 * clock that the test turns; records that are not folded are counted.
 */
#include "repo/inner.h"
#include "tests/unit/repo_bed.h"

static struct bed bed;
static struct bough_branch *branch;

static enum bough_err count_record(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    (void)stream;
    (void)seq;
    (void)bytes;
    ++*(int *)ctx;
    return BOUGH_OK;
}

static int records(void)
{
    int n = 0;

    assert_int_equal(bough_store_records(bed.store, count_record, &n), BOUGH_OK);
    return n;
}

static int serial;

static void put_some(int n)
{
    for (int i = 0; i < n; i++) {
        char path[32];

        snprintf(path, sizeof path, "k%d", serial++);
        assert_int_equal(bed_put(branch, path, "v", 1000), BOUGH_OK);
    }
}

static void begin(uint32_t ops)
{
    serial = 0;
    bed_open(&bed, test_algo(), 50, ops);
    branch = bed_branch(&bed, "main");
}

static void end(void)
{
    bough_branch_close(branch);
    bed_close(&bed);
}

/* One fold during which the clock goes on by a second: rest for four. */
static void dear_fold(void)
{
    put_some(1);
    bed.env.step_sec = 1;
    assert_int_equal(bough_repo_fold_all(bed.repo), BOUGH_OK);
    bed.env.step_sec = 0;
    assert_int_equal(records(), 0);
}

static uint32_t tick(void)
{
    uint32_t next;

    assert_int_equal(bough_repo_tick(bed.repo, bed.env.time, &next), BOUGH_OK);
    return next;
}

static void test_window__cheap_folds_come_as_agreed(void **state)
{
    (void)state;
    begin(0);
    put_some(511);
    assert_int_equal(records(), 511);
    put_some(1);
    assert_int_equal(records(), 0);
    put_some(1);
    assert_int_equal(tick(), 50);
    end();
}

static void test_window__a_dear_fold_keeps_the_next_away(void **state)
{
    (void)state;
    begin(0);
    dear_fold();
    put_some(2000);
    assert_int_equal(records(), 2000);
    bed.env.time.sec += 3;
    assert_int_equal(tick(), 1000);
    assert_int_equal(records(), 2000);
    bed.env.time.sec += 1;
    put_some(1); /* full long since, and rested */
    assert_int_equal(records(), 0);
    put_some(3);
    bed.env.time.sec += 1;
    assert_int_equal(tick(), 1000); /* that one was cheap: half of the rest */
    bed.env.time.sec += 1;
    (void)tick();
    assert_int_equal(records(), 0);
    end();
}

static void test_window__it_grows_to_its_bounds_only(void **state)
{
    (void)state;
    begin(0);
    dear_fold();
    put_some(65535);
    assert_int_equal(records(), 65535);
    put_some(1);
    assert_int_equal(records(), 0);
    end();
}

static void test_window__what_was_said_holds(void **state)
{
    (void)state;
    begin(100);
    dear_fold();
    put_some(100);
    assert_int_equal(records(), 0);
    end();
}

/* The window that is open is folded to the same id, whether by those who wrote it or after. */
static void test_window__a_crash_changes_no_id(void **state)
{
    struct bough_oid ids[2];

    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        begin(0);
        dear_fold();
        for (int i = 0; i < 1500; i++) {
            char path[32];

            snprintf(path, sizeof path, "p%d", i % 700);
            assert_int_equal(bed_put(branch, path, i % 3 == 0 ? "x" : "y", 2000 + i), BOUGH_OK);
        }
        assert_true(records() > 512);
        if (crash) {
            bough_branch_close(branch);
            bed_reopen(&bed, 50, 0);
            branch = bed_branch(&bed, "main");
        }
        assert_int_equal(bough_branch_head(branch, &ids[crash]), BOUGH_OK);
        end();
    }
    assert_true(bough_oid_eq(&ids[0], &ids[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window__cheap_folds_come_as_agreed),
        cmocka_unit_test(test_window__a_dear_fold_keeps_the_next_away),
        cmocka_unit_test(test_window__it_grows_to_its_bounds_only),
        cmocka_unit_test(test_window__what_was_said_holds),
        cmocka_unit_test(test_window__a_crash_changes_no_id),
    };

    return cmocka_run_group_tests_name("repo window", tests, NULL, NULL);
}
