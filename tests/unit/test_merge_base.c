/*
 * test_merge_base.c - all best common ancestors.
 *
 * Goal: exactly the best ones, whatever shape and dates; a bound on depth never makes a
 * wrong answer; failures leave nothing behind.
 * Method: named shapes; random ones against plain reachability, bit by bit; every bound on
 * every one of them; memory that fails at each call.
 */
#include <stdlib.h>

#include "merge/merge.h"
#include "tests/unit/merge_bed.h"

static struct bed bed;

/* Commits by number as bits: what is reachable from each, itself included. */
static void reach_all(const struct dag *d, uint64_t reach[DAG_MAX])
{
    for (int i = 0; i < d->n; i++) {
        reach[i] = (uint64_t)1 << i;
        for (int k = 0; k < d->parents_n[i]; k++)
            reach[i] |= reach[d->parents[i][k]];
    }
}

static uint64_t best_common(const struct dag *d, const uint64_t reach[DAG_MAX], int a, int b)
{
    uint64_t common = reach[a] & reach[b], best = common;

    for (int i = 0; i < d->n; i++) {
        if ((common >> i & 1) != 0)
            best &= ~(reach[i] & ~((uint64_t)1 << i));
    }
    return best;
}

/* What the call answers, as bits. */
static enum bough_err bases(const struct dag *d, int a, int b, uint32_t depth, uint64_t *out)
{
    struct bough_bases got;
    enum bough_err err = bough_merge_bases(bed.repo, &d->id[a], &d->id[b], depth, &got);

    *out = 0;
    assert_true(err == BOUGH_OK || (got.n == 0 && got.ids == NULL));
    for (size_t i = 0; i < got.n; i++) {
        int k = 0;

        while (k < d->n && !bough_oid_eq(&d->id[k], &got.ids[i]))
            k++;
        assert_true(k < d->n);
        assert_true((*out >> k & 1) == 0); /* each once */
        *out |= (uint64_t)1 << k;
    }
    bough_bases_fini(&got);
    return err;
}

static void begin(struct dag *d)
{
    bed_open(&bed, test_algo(), 0, 0);
    dag_put(d, &bed);
}

static void end(struct dag *d)
{
    dag_fini(d);
    bed_close(&bed);
}

static void expect(const struct dag *d, int a, int b, uint32_t depth, uint64_t want)
{
    uint64_t got;

    assert_int_equal(bases(d, a, b, depth, &got), BOUGH_OK);
    assert_int_equal(got, want);
    assert_int_equal(bases(d, b, a, depth, &got), BOUGH_OK);
    assert_int_equal(got, want);
}

static void expect_depth(const struct dag *d, int a, int b, uint32_t depth)
{
    uint64_t got;

    assert_int_equal(bases(d, a, b, depth, &got), BOUGH_EDEPTH);
    assert_int_equal(bough_repo_why(bed.repo)->err, BOUGH_EDEPTH);
    assert_int_equal(bough_repo_why(bed.repo)->at, depth);
}

#define BIT(i) ((uint64_t)1 << (i))

/* ---- Shapes ---- */

static void test_merge_base__a_line_has_the_older_one(void **state)
{
    struct dag d = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        dag_add(&d, i, i - 1, -1);
    begin(&d);
    expect(&d, 9, 3, 0, BIT(3));
    expect(&d, 5, 5, 0, BIT(5));
    expect(&d, 0, 9, 0, BIT(0));
    expect(&d, 9, 3, 6, BIT(3));
    expect_depth(&d, 9, 3, 5);
    end(&d);
}

static void test_merge_base__a_fork_needs_the_way_to_it_and_no_more(void **state)
{
    struct dag d = {0};
    int base = -1, a, b;

    (void)state;
    for (int i = 0; i < 20; i++)
        base = dag_add(&d, i, base, -1);
    a = b = base;
    for (int i = 0; i < 4; i++) {
        a = dag_add(&d, 100 + i, a, -1);
        b = dag_add(&d, 200 + i, b, -1);
    }
    begin(&d);
    expect(&d, a, b, 0, BIT(base));
    expect(&d, a, b, 4, BIT(base));
    expect_depth(&d, a, b, 3);
    expect_depth(&d, b, a, 1);
    end(&d);
}

static void test_merge_base__criss_cross_has_two(void **state)
{
    struct dag d = {0};
    int root = dag_add(&d, 1, -1, -1), x = dag_add(&d, 2, root, -1), y = dag_add(&d, 3, root, -1);
    int a = dag_add(&d, 4, x, y), b = dag_add(&d, 5, y, x);

    (void)state;
    begin(&d);
    expect(&d, a, b, 0, BIT(x) | BIT(y));
    expect(&d, a, b, 2, BIT(x) | BIT(y));
    expect_depth(&d, a, b, 1); /* x might come from y, behind the bound */
    end(&d);
}

static void test_merge_base__nothing_in_common_is_no_base(void **state)
{
    struct dag d = {0};
    int r1 = dag_add(&d, 1, -1, -1), r2 = dag_add(&d, 2, -1, -1);
    int a = dag_add(&d, 3, r1, -1), b = dag_add(&d, 4, r2, -1);

    (void)state;
    begin(&d);
    expect(&d, a, b, 0, 0);
    expect(&d, a, b, 1, 0);
    end(&d);
}

/* `low` is newer than all above it, so it is a candidate long before `high` is met. */
static void test_merge_base__a_candidate_below_another_goes_though_dates_lie(void **state)
{
    struct dag d = {0};
    int low = dag_add(&d, 900, -1, -1), high = low, a, b;

    (void)state;
    for (int i = 0; i < 12; i++)
        high = dag_add(&d, 10, high, -1);
    a = dag_add(&d, 1000, high, low);
    b = dag_add(&d, 1000, low, high);
    begin(&d);
    expect(&d, a, b, 0, BIT(high));
    expect_depth(&d, a, b, 3);
    end(&d);
}

static void test_merge_base__refuses_what_is_no_commit(void **state)
{
    struct dag d = {0};
    struct bough_oid none = {{1, 2, 3}};
    struct bough_bases got;

    (void)state;
    dag_add(&d, 1, -1, -1);
    begin(&d);
    assert_int_equal(
        bough_merge_bases(bed.repo, &d.id[0], bough_oid_empty_tree(test_algo()), 0, &got),
        BOUGH_EINVAL);
    assert_int_equal(got.n, 0);
    assert_int_equal(bough_merge_bases(bed.repo, &none, &d.id[0], 0, &got), BOUGH_ENOENT);
    assert_int_equal(got.n, 0);
    end(&d);
}

/* ---- Random ---- */

/* Every bound: an answer is the right one, and a greater bound does not lose it. */
static void check_bounds(const struct dag *d, int a, int b, uint64_t want)
{
    bool answered = false;

    for (uint32_t depth = 1; depth <= (uint32_t)d->n; depth++) {
        uint64_t got;
        enum bough_err err = bases(d, a, b, depth, &got);

        if (err == BOUGH_OK)
            assert_int_equal(got, want);
        else
            assert_int_equal(err, BOUGH_EDEPTH);
        assert_true(err == BOUGH_OK || !answered);
        answered = err == BOUGH_OK;
    }
    assert_true(answered);
}

static void test_merge_base__random_histories_as_reachability_says(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 80; round++) {
        uint64_t seed = round, reach[DAG_MAX];
        struct dag d;

        dag_random(
            &d, 8 + (int)(round % 40), (enum dag_dates)(round % DATES_KINDS), 2 + round % 7, &seed);
        begin(&d);
        reach_all(&d, reach);
        for (int i = 0; i < 40; i++) {
            int a = (int)(test_random(&seed) % (uint64_t)d.n);
            int b = (int)(test_random(&seed) % (uint64_t)d.n);
            uint64_t want = best_common(&d, reach, a, b), got;

            assert_int_equal(bases(&d, a, b, 0, &got), BOUGH_OK);
            if (got != want)
                fail_msg("round %d: bases of %d and %d: %llx, not %llx", (int)round, a, b,
                    (unsigned long long)got, (unsigned long long)want);
            if (i < 10)
                check_bounds(&d, a, b, want);
        }
        end(&d);
    }
}

static void test_merge_base__failing_memory_leaves_nothing(void **state)
{
    uint64_t seed = 5, want, got, n, before;
    struct dag d;

    (void)state;
    dag_random(&d, 50, DATES_SKEWED, 5, &seed);
    begin(&d);
    assert_int_equal(bases(&d, 49, 48, 0, &want), BOUGH_OK);
    before = bed.env.mem.pieces;
    for (n = 0;; n++) {
        enum bough_err err;

        bed.env.mem.fail_at = bed.env.mem.calls + n;
        bed.env.mem.failed = false;
        err = bases(&d, 49, 48, 0, &got);
        if (!bed.env.mem.failed) {
            assert_int_equal(err, BOUGH_OK);
            break;
        }
        assert_int_equal(err, BOUGH_ENOMEM);
        assert_int_equal(bed.env.mem.pieces, before);
    }
    assert_true(n > 3);
    assert_int_equal(got, want);
    end(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_base__a_line_has_the_older_one),
        cmocka_unit_test(test_merge_base__a_fork_needs_the_way_to_it_and_no_more),
        cmocka_unit_test(test_merge_base__criss_cross_has_two),
        cmocka_unit_test(test_merge_base__nothing_in_common_is_no_base),
        cmocka_unit_test(test_merge_base__a_candidate_below_another_goes_though_dates_lie),
        cmocka_unit_test(test_merge_base__refuses_what_is_no_commit),
        cmocka_unit_test(test_merge_base__random_histories_as_reachability_says),
        cmocka_unit_test(test_merge_base__failing_memory_leaves_nothing),
    };

    return cmocka_run_group_tests_name("merge/base", tests, NULL, NULL);
}
