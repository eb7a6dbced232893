/*
 * test_collect_beside.c - readers and resizing beside a collection.
 *
 * Goal: a reader that was opened at any step of a collection reads what was there then, whole, until
 * it is closed, or is told that it has expired, while commits go into the zones that come back; a store
 * grows at any step, and shrinks with the collection in between; afterwards it is closed and checks.
 * Method: a small store with a dropped branch; each number of small steps in turn, then the other.
 */
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, ROOM = 56, COMMITS = 30, STEP = 8000 };

struct fix {
    struct log_bed b;
    struct history keep, was; /* now, and on the medium that was kept */
};

static const struct bough_collect_opts now = {.grace = 0};

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {
        .table_rows = 60, .log_max = 24 * 1024, .cache = 64 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin_in(&f->b, (size_t)ZONES * ZONE, (size_t)ROOM * ZONE, format, opts);
    history_init(&f->keep, "keep");
    history_past(&f->keep, f->b.s, COMMITS);
    log_bed_keep(&f->b);
    f->was = f->keep; /* but for its tree's body */
    return f;
}

static void fix_free(struct fix *f)
{
    history_fini(&f->keep);
    log_bed_end(&f->b);
    free(f);
}

/* From the beginning: a collection after so many steps.  False: it was over before. */
static bool begin(struct fix *f, uint32_t steps)
{
    bool more = true;

    log_bed_again(&f->b);
    log_bed_open(&f->b);
    history_again(&f->keep, &f->was);
    OK(bough_store_collect(f->b.s, &now));
    for (uint32_t i = 0; i < steps && more; i++)
        OK(bough_store_maintain(f->b.s, STEP, &more));
    return more;
}

static void finish(struct fix *f)
{
    bool more = true;

    while (more)
        OK(bough_store_maintain(f->b.s, STEP, &more));
}

static void closed_twice(struct fix *f)
{
    (void)history_closed(f->b.s);
    OK(bough_store_check(f->b.s, NULL, NULL));
    log_bed_close(&f->b);
    log_bed_open(&f->b);
    assert_true(history_closed(f->b.s) >= 3 * COMMITS);
    OK(bough_store_check(f->b.s, NULL, NULL));
    log_bed_close(&f->b);
}

static enum bough_err count(void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    (void)id;
    (void)found;
    (*(uint64_t *)ctx)++;
    return BOUGH_OK;
}

/* All that it has can be read and is closed, or it has expired.  Returns whether it has not. */
static bool reads_all(struct bough_store *r, uint64_t objects)
{
    uint64_t n = 0;
    enum bough_err err = bough_store_each(r, count, &n);

    if (err == BOUGH_EEXPIRED)
        return false;
    OK(err);
    assert_int_equal(n, objects);
    assert_int_equal(history_closed(r), objects);
    return true;
}

static void test_beside__readers_read_what_they_were_opened_on(void **state)
{
    struct fix *f = fix_new();
    uint32_t runs = 0, expired = 0;
    bool more = true;

    (void)state;
    for (uint32_t k = 0; more; k++, runs++) {
        struct bough_store *r;
        uint64_t objects = 0;

        more = begin(f, k);
        OK(bough_store_reader(f->b.s, NULL, &r));
        OK(bough_store_each(r, count, &objects));
        finish(f);
        assert_true(reads_all(r, objects)); /* nobody needed its room so far */
        for (uint32_t i = 0; i < (k % 2 == 0 ? 450u : 60u); i++)
            OK(history_commit(&f->keep, f->b.s, i, 5000 + i));
        expired += !reads_all(r, objects);
        bough_store_close(r);
        closed_twice(f);
    }
    print_message("%u runs, %u readers expired\n", runs, expired);
    fix_free(f);
}

static void test_beside__a_store_grows_at_any_step(void **state)
{
    struct fix *f = fix_new();
    bool more = true;

    (void)state;
    for (uint32_t k = 0; more; k++) {
        more = begin(f, k);
        OK(bough_store_resize(f->b.s, (uint64_t)ROOM * ZONE, ZONE));
        finish(f);
        OK(history_commit(&f->keep, f->b.s, 1, 7));
        closed_twice(f);
    }
    fix_free(f);
}

/* Shrinking waits for the collection, and goes on after it. */
static void test_beside__a_store_shrinks_around_a_collection(void **state)
{
    struct fix *f = fix_new();
    bool more = true;

    (void)state;
    for (uint32_t k = 0; more; k++) {
        enum bough_err err = BOUGH_EAGAIN;

        more = begin(f, k);
        for (uint32_t i = 0; i < 2000 && err == BOUGH_EAGAIN; i++) {
            bool on;
            err = bough_store_resize(f->b.s, (uint64_t)(ZONES - 12) * ZONE, ZONE);
            OK(bough_store_maintain(f->b.s, STEP, &on));
            if (i == 5)
                OK(history_commit(&f->keep, f->b.s, 1, 7));
        }
        OK(err);
        assert_int_equal(f->b.ram.blk.count, (uint64_t)(ZONES - 12) * ZONE / UNIT);
        OK(history_collect(f->b.s, &now, STEP));
        closed_twice(f);
    }
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside__readers_read_what_they_were_opened_on),
        cmocka_unit_test(test_beside__a_store_grows_at_any_step),
        cmocka_unit_test(test_beside__a_store_shrinks_around_a_collection),
    };

    return cmocka_run_group_tests_name("sim/collect beside", tests, NULL, NULL);
}
