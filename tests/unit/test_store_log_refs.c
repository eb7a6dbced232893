/*
 * test_store_log_refs.c - very many refs.
 *
 * Goal: any number of refs is listed in order, by prefix, found again after opening; changing
 * some rewrites a share of them that does not grow with their number; counting needs no walk.
 * Method: 50,000 refs (LONG=1: a million) in mixed order on a device in memory; what the device
 * is told to write is counted.
 */
#include "tests/lib/log_bed.h"

enum { UNIT = 4096, PART = 5000 };

static uint32_t refs_n; /* how many */

static int setup(void **state)
{
    static struct log_bed f;

    refs_n = getenv("LONG") != NULL ? 1000000 : 50000;
    log_bed_begin(&f, (size_t)refs_n * 1200 / UNIT * UNIT,
        (struct bough_log_format_opts){.granule = UNIT}, (struct bough_log_open_opts){.cache = 0});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

static struct bough_oid id_of(uint32_t x)
{
    struct bough_oid id = {{0}};

    bough_put32le(id.bytes, x + 1);
    return id;
}

static void put(struct bough_txn *t, uint32_t i, uint32_t value)
{
    char name[64];
    size_t len = (size_t)snprintf(name, sizeof name, "refs/heads/g%03u/%07u", i % 100, i);
    struct bough_ref_change c = {
        .name = bough_view(name, len), .kind = BOUGH_REF_ID, .id = id_of(value)};

    OK(bough_txn_ref(t, &c));
}

static void put_all(struct log_bed *f)
{
    struct bough_txn *t;
    uint32_t i = 0;

    for (uint32_t k = 0; k < refs_n; k += PART) {
        OK(bough_txn_begin(f->s, &t));
        for (uint32_t j = 0; j < PART; j++) {
            put(t, i, 0);
            i = (i + 7919) % refs_n; /* prime to it */
        }
        OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
    }
}

/* How many there are with this prefix; they come in order. */
static uint32_t list(struct log_bed *f, const char *prefix)
{
    char last[64] = "";
    struct bough_ref ref;
    uint32_t n = 0;
    enum bough_err err;

    while ((err = bough_store_ref_next(f->s, bough_view_str(prefix), bough_view_str(last), &ref)) ==
           BOUGH_OK) {
        assert_true(bough_view_cmp(bough_view_str(last), ref.name) < 0);
        memcpy(last, ref.name.ptr, ref.name.len);
        last[ref.name.len] = 0;
        n++;
    }
    assert_int_equal(err, BOUGH_ENOENT);
    return n;
}

static struct bough_store_stats stats_of(struct log_bed *f)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->s, &st));
    return st;
}

/* Set again, set and removed in one transaction, removed though not there: counted right. */
static void test_store_log_refs__are_counted_as_they_come_and_go(void **state)
{
    struct log_bed *f = *state;
    struct bough_ref_change gone = {.name = bough_view_str("refs/heads/gone")};
    struct bough_txn *t;
    struct bough_ref ref;

    for (int round = 0; round < 3; round++) {
        OK(bough_txn_begin(f->s, &t));
        for (uint32_t i = 0; i < 10; i++)
            put(t, i, 0);
        gone.kind = BOUGH_REF_NONE;
        OK(bough_txn_ref(t, &gone));
        gone.kind = BOUGH_REF_SYM;
        gone.target = bough_view_str("refs/heads/x");
        OK(bough_txn_ref(t, &gone));
        gone.kind = BOUGH_REF_NONE;
        OK(bough_txn_ref(t, &gone));
        if (round == 1)
            bough_txn_abort(t);
        else
            OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        assert_int_equal(stats_of(f).refs, 11);
        bough_store_close(f->s);
        log_bed_open(f);
        assert_int_equal(stats_of(f).refs, 11);
        assert_int_equal(bough_store_ref(f->s, gone.name, &ref), BOUGH_ENOENT);
    }
    OK(bough_txn_begin(f->s, &t));
    gone.name = bough_view_str("refs/heads/g003/0000003");
    OK(bough_txn_ref(t, &gone));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_store_close(f->s);
    log_bed_open(f);
    assert_int_equal(stats_of(f).refs, 10);
}

static void test_store_log_refs__many_are_listed_and_changed(void **state)
{
    struct log_bed *f = *state;
    uint64_t written, read;
    struct bough_txn *t;
    struct bough_ref ref;

    put_all(f);
    assert_int_equal(list(f, "refs/heads/"), refs_n);
    assert_int_equal(list(f, "refs/heads/g042/"), refs_n / 100);
    bough_store_close(f->s);
    f->opts.log_max = 64 * 1024; /* several checkpoints while they change */
    log_bed_open(f);
    read = stats_of(f).read_bytes;
    assert_int_equal(stats_of(f).refs, refs_n + 1); /* and HEAD */
    assert_int_equal(stats_of(f).read_bytes, read); /* told without a walk */
    written = stats_of(f).written_bytes;
    for (uint32_t k = 1; k <= 100; k++) {
        OK(bough_txn_begin(f->s, &t));
        for (uint32_t j = 0; j < 10; j++)
            put(t, (k * 104729 + j * 7919) % refs_n, k);
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    }
    assert_true(stats_of(f).written_bytes - written < 4 * 1024 * 1024);
    OK(bough_store_ref(f->s, bough_view_str("refs/heads/g042/0000042"), &ref));
    assert_int_equal(list(f, "refs/heads/g042/"), refs_n / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_store_log_refs__are_counted_as_they_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_log_refs__many_are_listed_and_changed, setup, teardown),
    };

    return cmocka_run_group_tests_name("store_log_refs", tests, NULL, NULL);
}
