/*
 * test_store_log_grace.c - what nothing reaches is kept for the grace period, and not much longer.
 *
 * Goal: an object's age counts from when it was written, whatever collections did with it since: they move what
 * lies in the log, pack all anew, make one of many small packs.  In a store of any age the age of what is young
 * is known well enough.
 * Method: objects that nothing names, a clock that the test sets, collections before and after their grace is over.
 */
#include "git/object.h"
#include "store/log/inner.h"
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum {
    UNIT = 512,
    ZONE = 32 * 1024,
    BYTES = 16 * 1024 * 1024,
    GRACE = 1000,
    HOUR = 3600,
    DAY = 24 * HOUR
};

static int setup(void **state)
{
    static struct log_bed f;

    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){
            .table_rows = 1000, .log_max = 1024 * 1024, .cache = 64 * 1024, .prepare = 1});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

/* An object of its own, that nothing names. */
static struct bough_oid put(struct log_bed *f, uint64_t seed, size_t len)
{
    uint8_t *body = malloc(len);
    struct bough_txn *t;
    struct bough_oid id;

    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)test_random(&seed);
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    free(body);
    return id;
}

static void collect(struct log_bed *f, uint64_t grace, bool whole)
{
    struct bough_collect_opts opts = {.grace = grace, .whole = whole};

    OK(history_collect(f->s, &opts, 1 << 20));
}

static bool is_there(struct log_bed *f, const struct bough_oid *id)
{
    struct bough_found found;
    enum bough_err err = bough_store_find(f->s, id, &found);

    assert_true(err == BOUGH_OK || err == BOUGH_ENOENT);
    return err == BOUGH_OK;
}

/* Collections all along; what came first goes when its time is over, what came later with its own. */
static void goes_in_time(struct log_bed *f, bool whole, bool reopen)
{
    int64_t start = f->t.time.sec;
    struct history h;
    struct bough_oid first, second;

    history_init(&h, "main");
    OK(history_commit(&h, f->s, 1, 1));
    first = put(f, 1, 100);
    f->t.time.sec = start + GRACE / 2;
    second = put(f, 2, 100);
    OK(history_commit(&h, f->s, 2, 2));
    for (int64_t at = GRACE / 2; at < GRACE; at += GRACE / 10) {
        f->t.time.sec = start + at;
        OK(history_commit(&h, f->s, (uint32_t)at, (uint64_t)at));
        collect(f, GRACE, whole);
        if (reopen)
            log_bed_reopen(f);
        assert_true(is_there(f, &first) && is_there(f, &second));
    }
    f->t.time.sec = start + GRACE + 1;
    collect(f, GRACE, whole);
    assert_false(is_there(f, &first));
    assert_true(is_there(f, &second));
    f->t.time.sec = start + GRACE + GRACE / 2 - 1;
    collect(f, GRACE, whole);
    assert_true(is_there(f, &second));
    f->t.time.sec = start + GRACE + GRACE / 2 + 1;
    collect(f, GRACE, whole);
    assert_false(is_there(f, &second));
    history_closed(f->s);
    history_fini(&h);
}

static void test_grace__what_a_collection_moved_is_as_old_as_before(void **state)
{
    goes_in_time(*state, false, false);
}

static void test_grace__the_device_says_how_old_it_is(void **state)
{
    goes_in_time(*state, false, true);
}

static void test_grace__what_is_packed_anew_is_as_old_as_before(void **state)
{
    goes_in_time(*state, true, true);
}

static void test_grace__what_was_put_again_is_young(void **state)
{
    struct log_bed *f = *state;
    int64_t start = f->t.time.sec;
    struct bough_oid id = put(f, 1, 100);

    f->t.time.sec = start + GRACE - 1;
    collect(f, GRACE, false);
    assert_true(is_there(f, &id));
    (void)put(f, 1, 100);
    f->t.time.sec = start + 2 * GRACE - 2;
    collect(f, GRACE, false);
    assert_true(is_there(f, &id));
    f->t.time.sec = start + 2 * GRACE;
    collect(f, GRACE, false);
    assert_false(is_there(f, &id));
}

static void test_grace__small_packs_that_became_one_are_as_old_as_before(void **state)
{
    enum { PACKS = 100, LEN = 40 * 1024 };
    struct log_bed *f = *state;
    int64_t start = f->t.time.sec;
    struct bough_oid id[PACKS];
    bool more = true;
    size_t packs;

    for (uint64_t i = 0; i < PACKS; i++) {
        f->t.time.sec = start + (int64_t)i;
        id[i] = put(f, i, LEN);
    }
    f->t.time.sec = start + GRACE - 1;
    packs = bough_log__of(f->s)->segments;
    while (more)
        OK(bough_store_maintain(f->s, 1 << 20, &more));
    assert_true(bough_log__of(f->s)->segments < packs - PACKS / 2);
    for (uint64_t i = 0; i < PACKS; i++)
        assert_true(is_there(f, &id[i]));
    f->t.time.sec = start + GRACE + PACKS / 2;
    collect(f, GRACE, false);
    assert_false(is_there(f, &id[0]));
    assert_true(is_there(f, &id[PACKS - 1]));
    f->t.time.sec = start + GRACE + PACKS + 1;
    collect(f, GRACE, false);
    for (uint64_t i = 0; i < PACKS; i++)
        assert_false(is_there(f, &id[i]));
}

static void test_grace__an_old_store_knows_what_is_young(void **state)
{
    enum { DAYS = 400, KEPT = 14 };
    struct log_bed *f = *state;
    struct bough_oid id, late;

    for (uint64_t i = 0; i < DAYS * 4; i++) {
        f->t.time.sec += DAY / 4;
        (void)put(f, i, 10);
    }
    id = put(f, DAYS * 4, 10);
    for (uint64_t i = 1; i <= KEPT * 9 / 8 * 24; i++) {
        f->t.time.sec += HOUR;
        late = put(f, DAYS * 4 + i, 10);
        if (i == KEPT * 24 - 1) {
            log_bed_reopen(f);
            collect(f, KEPT * DAY, false);
            assert_true(is_there(f, &id));
        }
    }
    f->t.time.sec += DAY;
    collect(f, KEPT * DAY, false);
    assert_false(is_there(f, &id));
    assert_true(is_there(f, &late));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_grace__what_a_collection_moved_is_as_old_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grace__the_device_says_how_old_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_grace__what_is_packed_anew_is_as_old_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grace__what_was_put_again_is_young, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_grace__small_packs_that_became_one_are_as_old_as_before, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_grace__an_old_store_knows_what_is_young, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log grace", tests, NULL, NULL);
}
