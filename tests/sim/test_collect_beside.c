/*
 * test_collect_beside.c - readers and resizing beside a collection.
 *
 * Goal: a reader that was opened at any step of a collection reads what was there then, whole, until
 * it is closed, or is told that it has expired, while commits go into the zones that come back; a store
 * grows at any step, and shrinks with the collection in between; afterwards it is closed and checks.
 * Method: a small store with a dropped branch; each number of small steps in turn, then the other.
 */
#include "store/log/log.h"
#include "tests/lib/history.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 40, ROOM = 56, COMMITS = 30, STEP = 8000 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device, *fresh;
    struct bough_store *s;
    struct bough_why why;
    struct history keep;
    struct bough_oid head;
    struct bough_oid tree;
    uint64_t time, file[HIST_FILES];
};

static const struct bough_collect_opts now = {.grace = 0};

static void open_it(struct fix *f)
{
    struct bough_log_open_opts opts = {
        .table_rows = 60, .log_max = 24 * 1024, .cache = 64 * 1024, .prepare = 1};

    OK(bough_log_open(&f->ram.blk, &f->t.env, &opts, &f->s, &f->why));
}

static void ram_begin(struct fix *f)
{
    bough_ramblk_init(&f->ram, f->device, (uint64_t)ZONES * ZONE / UNIT, UNIT);
    bough_ramblk_set_room(&f->ram, (uint64_t)ROOM * ZONE / UNIT);
}

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct fix *f = calloc(1, sizeof *f);
    struct history drop;

    assert_non_null(f);
    f->device = calloc(ROOM, ZONE);
    f->fresh = calloc(ROOM, ZONE);
    assert_true(f->device != NULL && f->fresh != NULL);
    test_env_init(&f->t);
    ram_begin(f);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    open_it(f);
    history_init(&f->keep, "keep");
    history_init(&drop, "drop");
    for (uint64_t i = 1; i <= COMMITS; i++) {
        OK(history_commit(&f->keep, f->s, (uint32_t)i, i));
        OK(history_commit(&drop, f->s, (uint32_t)i, 1000 + i));
    }
    OK(history_drop(&drop, f->s));
    history_fini(&drop);
    bough_store_close(f->s);
    memcpy(f->fresh, f->device, (size_t)ROOM * ZONE);
    f->head = f->keep.head;
    f->tree = f->keep.tree;
    f->time = f->keep.time;
    memcpy(f->file, f->keep.file, sizeof f->file);
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

/* From the beginning: a collection after so many steps.  False: it was over before. */
static bool begin(struct fix *f, uint32_t steps)
{
    bool more = true;

    memcpy(f->device, f->fresh, (size_t)ROOM * ZONE);
    ram_begin(f);
    open_it(f);
    f->keep.head = f->head;
    f->keep.tree = f->tree;
    f->keep.time = f->time;
    f->keep.commits = COMMITS;
    memcpy(f->keep.file, f->file, sizeof f->file);
    bough_buf_clear(&f->keep.tree_body);
    OK(bough_store_collect(f->s, &now));
    for (uint32_t i = 0; i < steps && more; i++)
        OK(bough_store_maintain(f->s, STEP, &more));
    return more;
}

static void finish(struct fix *f)
{
    bool more = true;

    while (more)
        OK(bough_store_maintain(f->s, STEP, &more));
}

static void closed_twice(struct fix *f)
{
    (void)history_closed(f->s);
    OK(bough_store_check(f->s, NULL, NULL));
    bough_store_close(f->s);
    open_it(f);
    assert_true(history_closed(f->s) >= 3 * COMMITS);
    OK(bough_store_check(f->s, NULL, NULL));
    bough_store_close(f->s);
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
        OK(bough_store_reader(f->s, NULL, &r));
        OK(bough_store_each(r, count, &objects));
        finish(f);
        assert_true(reads_all(r, objects)); /* nobody needed its room so far */
        for (uint32_t i = 0; i < (k % 2 == 0 ? 450u : 60u); i++)
            OK(history_commit(&f->keep, f->s, i, 5000 + i));
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
        OK(bough_log_resize(f->s, (uint64_t)ROOM * ZONE, ZONE));
        finish(f);
        OK(history_commit(&f->keep, f->s, 1, 7));
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
            err = bough_log_resize(f->s, (uint64_t)(ZONES - 12) * ZONE, ZONE);
            OK(bough_store_maintain(f->s, STEP, &on));
            if (i == 5)
                OK(history_commit(&f->keep, f->s, 1, 7));
        }
        OK(err);
        assert_int_equal(f->ram.blk.count, (uint64_t)(ZONES - 12) * ZONE / UNIT);
        OK(history_collect(f->s, &now, STEP));
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
