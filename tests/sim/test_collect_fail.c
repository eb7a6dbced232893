/*
 * test_collect_fail.c - a collection in which something fails leaves all as it was.
 *
 * Goal: whatever allocation or device call fails while space is collected, what was committed is
 * there and closed, at once and after opening again, and the next collection drops exactly what
 * does not live.
 * Method: a history with a dropped branch, collected with commits in between, once for each
 * allocation and each device call that can fail (LONG=1; else fewer and fewer of the later ones).
 */
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"
#include "tests/sim/failblk.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, BYTES = ZONES * ZONE, COMMITS = 24 };

struct fix {
    struct log_bed b;
    struct history keep;
    uint64_t commits; /* that are acknowledged */
};

static const struct bough_collect_opts now = {.grace = 0};

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.table_rows = 60,
        .log_max = 24 * 1024,
        .cache = 64 * 1024,
        .prepare = 1,
        .reach_rows = 1,
        .reach_every = 4};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, BYTES, format, opts);
    history_init(&f->keep, "keep");
    history_past(&f->keep, f->b.s, COMMITS);
    log_bed_keep(&f->b);
    return f;
}

static void fix_free(struct fix *f)
{
    history_fini(&f->keep);
    log_bed_end(&f->b);
    free(f);
}

static void begin_again(struct fix *f, const struct history *was)
{
    log_bed_again(&f->b);
    history_again(&f->keep, was);
    f->commits = COMMITS;
}

static enum bough_err work(struct fix *f)
{
    bool more = true;
    enum bough_err err = bough_store_collect(f->b.s, &now);

    for (uint32_t i = 0; !err && more; i++) {
        err = bough_store_maintain(f->b.s, 6000, &more);
        if (!err && i % 8 == 7) {
            err = history_commit(&f->keep, f->b.s, (uint32_t)(i % 20), 100 + i);
            f->commits += !err;
        }
    }
    return err;
}

/* All that was acknowledged is there, perhaps one commit more; a collection drops all else. */
static void look(struct fix *f)
{
    uint64_t n;

    assert_true(history_closed(f->b.s) >= 3 * f->commits);
    OK(history_collect(f->b.s, &now, 1 << 20));
    n = history_closed(f->b.s);
    assert_true(n == 3 * f->commits || n == 3 * f->commits + 3);
}

/* The next one to fail: all of them, or ever fewer. */
static uint64_t next(uint64_t n)
{
    return getenv("LONG") != NULL ? n + 1 : n + 1 + n / 48;
}

static void test_collect__survives_failing_memory(void **state)
{
    struct fix *f = fix_new();
    struct history was = f->keep;
    uint64_t runs = 0;
    bool failed = true;

    (void)state;
    for (uint64_t n = 0; failed; n = next(n), runs++) {
        enum bough_err err;

        begin_again(f, &was);
        log_bed_open(&f->b);
        f->b.t.mem.failed = false;
        f->b.t.mem.fail_at = f->b.t.mem.calls + n;
        err = work(f);
        f->b.t.mem.fail_at = UINT64_MAX;
        failed = f->b.t.mem.failed;
        assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        look(f);
        log_bed_close(&f->b);
        log_bed_open(&f->b);
        look(f);
        log_bed_close(&f->b);
    }
    print_message("%d runs\n", (int)runs);
    fix_free(f);
}

static void device_calls(bool late, bool on)
{
    struct fix *f = fix_new();
    struct history was = f->keep;
    uint64_t runs = 0;
    bool failed = true;

    for (uint64_t n = 0; failed; n = next(n), runs++) {
        struct failblk fail;
        enum bough_err err;

        begin_again(f, &was);
        failblk_init(&fail, &f->b.ram.blk, UINT64_MAX);
        OK(log_bed_open_on(&f->b, &fail.blk));
        fail.fail_at = fail.calls + n;
        fail.late = late;
        fail.fail_on = on;
        err = work(f);
        failed = fail.failed;
        assert_true(failed || err == BOUGH_OK);
        fail.fail_at = UINT64_MAX;
        assert_true(history_closed(f->b.s) >= 3 * f->commits); /* before it is opened again, too */
        log_bed_close(&f->b);
        log_bed_open(&f->b);
        look(f);
        log_bed_close(&f->b);
    }
    print_message("%d runs\n", (int)runs);
    fix_free(f);
}

static void test_collect__survives_failing_device_calls(void **state)
{
    (void)state;
    device_calls(false, false);
    device_calls(false, true);
}

/* The worst is a superblock that is there though its flush failed. */
static void test_collect__survives_device_calls_that_work_and_fail(void **state)
{
    (void)state;
    device_calls(true, false);
    device_calls(true, true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect__survives_failing_memory),
        cmocka_unit_test(test_collect__survives_failing_device_calls),
        cmocka_unit_test(test_collect__survives_device_calls_that_work_and_fail),
    };

    return cmocka_run_group_tests_name("sim/collect fail", tests, NULL, NULL);
}
