/*
 * test_collect_fail.c - a collection in which something fails leaves all as it was.
 *
 * Goal: whatever allocation or device call fails while space is collected, what was committed is
 * there and closed, at once and after opening again, and the next collection drops exactly what
 * does not live.
 * Method: a history with a dropped branch, collected with commits in between, once for each
 * allocation and each device call that can fail (LONG=1; else fewer and fewer of the later ones).
 */
#include "store/log/log.h"
#include "tests/lib/history.h"
#include "tests/sim/failblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, BYTES = ZONES * ZONE, COMMITS = 24 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device, *fresh;
    struct bough_store *s;
    struct bough_why why;
    struct history keep;
    uint64_t commits; /* that are acknowledged */
};

static const struct bough_collect_opts now = {.grace = 0};

static enum bough_err open_on(struct fix *f, struct bough_block *dev)
{
    struct bough_log_open_opts opts = {.table_rows = 60,
        .log_max = 24 * 1024,
        .cache = 64 * 1024,
        .prepare = 1,
        .reach_rows = 1,
        .reach_every = 4};

    return bough_log_open(dev, &f->t.env, &opts, &f->s, &f->why);
}

static void close_it(struct fix *f)
{
    bough_store_close(f->s);
    f->s = NULL;
}

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);
    struct history drop;

    assert_non_null(f);
    f->device = calloc(1, BYTES);
    f->fresh = calloc(1, BYTES);
    assert_true(f->device != NULL && f->fresh != NULL);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    OK(open_on(f, &f->ram.blk));
    history_init(&f->keep, "keep");
    history_init(&drop, "drop");
    for (uint64_t i = 1; i <= COMMITS; i++) {
        OK(history_commit(&f->keep, f->s, (uint32_t)i, i));
        OK(history_commit(&drop, f->s, (uint32_t)i, 1000 + i));
    }
    OK(history_drop(&drop, f->s));
    history_fini(&drop);
    close_it(f);
    memcpy(f->fresh, f->device, BYTES);
    return f;
}

static void fix_free(struct fix *f)
{
    history_fini(&f->keep);
    test_env_done(&f->t);
    free(f->device);
    free(f->fresh);
    free(f);
}

static void begin_again(struct fix *f, const struct history *was)
{
    memcpy(f->device, f->fresh, BYTES);
    memcpy(f->keep.file, was->file, sizeof was->file);
    f->keep.head = was->head;
    f->keep.tree = was->tree;
    f->keep.time = was->time;
    f->keep.commits = f->commits = COMMITS;
    bough_buf_clear(&f->keep.tree_body);
}

static enum bough_err work(struct fix *f)
{
    bool more = true;
    enum bough_err err = bough_store_collect(f->s, &now);

    for (uint32_t i = 0; !err && more; i++) {
        err = bough_store_maintain(f->s, 6000, &more);
        if (!err && i % 8 == 7) {
            err = history_commit(&f->keep, f->s, (uint32_t)(i % 20), 100 + i);
            f->commits += !err;
        }
    }
    return err;
}

/* All that was acknowledged is there, perhaps one commit more; a collection drops all else. */
static void look(struct fix *f)
{
    uint64_t n;

    assert_true(history_closed(f->s) >= 3 * f->commits);
    OK(history_collect(f->s, &now, 1 << 20));
    n = history_closed(f->s);
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
        OK(open_on(f, &f->ram.blk));
        f->t.mem.failed = false;
        f->t.mem.fail_at = f->t.mem.calls + n;
        err = work(f);
        f->t.mem.fail_at = UINT64_MAX;
        failed = f->t.mem.failed;
        assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        look(f);
        close_it(f);
        OK(open_on(f, &f->ram.blk));
        look(f);
        close_it(f);
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
        failblk_init(&fail, &f->ram.blk, UINT64_MAX);
        OK(open_on(f, &fail.blk));
        fail.fail_at = fail.calls + n;
        fail.late = late;
        fail.fail_on = on;
        err = work(f);
        failed = fail.failed;
        assert_true(failed || err == BOUGH_OK);
        fail.fail_at = UINT64_MAX;
        assert_true(history_closed(f->s) >= 3 * f->commits); /* before it is opened again, too */
        close_it(f);
        OK(open_on(f, &f->ram.blk));
        look(f);
        close_it(f);
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
