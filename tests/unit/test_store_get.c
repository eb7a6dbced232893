/*
 * test_store_get.c - values by locator and in part, from the log engine.
 *
 * Goal: get() gives what read() gives, of any object and any part of it, with a good locator, a
 * wrong one and none; a part of a stored value costs a part of it; a damaged entry is never
 * given.  Method: objects of many lengths, stored and compressed, trees as deltas; locators of
 * other objects; the device's traffic is counted.
 */
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 4 * 1024 * 1024, BYTES = 96 * 1024 * 1024, OBJECTS = 24 };

static const size_t lengths[OBJECTS / 2] = {
    0, 1, 100, 3000, 4096, 9000, 16384, 16385, 70000, 262144, 262145, 1500000};

static struct {
    struct log_bed b;
    uint8_t *body[OBJECTS];
    size_t len[OBJECTS];
    struct bough_oid id[OBJECTS];
    uint64_t where[OBJECTS];
} f;

/* Noise, which is stored; and text, which is compressed. */
static void fill(void)
{
    uint64_t seed = 7;
    struct bough_txn *txn;

    for (int i = 0; i < OBJECTS; i++) {
        f.len[i] = lengths[i / 2];
        f.body[i] = malloc(f.len[i] + 1);
        assert_non_null(f.body[i]);
        for (size_t k = 0; k < f.len[i]; k++)
            f.body[i][k] = (uint8_t)(i % 2 == 0 ? test_random(&seed) : (k / 9) % 23 + 'a');
        OK(bough_txn_begin(f.b.s, &txn));
        OK(bough_txn_put(txn, BOUGH_BLOB, bough_view(f.body[i], f.len[i]), &f.id[i]));
        OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    }
}

static int setup(void **state)
{
    const struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    const struct bough_log_open_opts opts = {.cache = 256 * 1024};

    (void)state;
    memset(&f, 0, sizeof f);
    log_bed_begin(&f.b, BYTES, format, opts);
    fill();
    log_bed_reopen(&f.b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_bed_end(&f.b);
    for (int i = 0; i < OBJECTS; i++)
        free(f.body[i]);
    return 0;
}

static void expect_part(int i, uint64_t at, uint64_t n, uint64_t where)
{
    struct bough_get get = {.at = at, .n = n, .where = where};
    uint64_t want = at >= f.len[i] ? 0 : n < f.len[i] - at ? n : f.len[i] - at;
    struct bough_buf out;

    bough_buf_init(&out, f.b.t.env.mem);
    bough_buf_put_str(&out, "before");
    OK(bough_store_get(f.b.s, &f.id[i], &get, &out));
    assert_int_equal(get.size, f.len[i]);
    assert_int_equal(get.type, BOUGH_BLOB);
    assert_int_equal(out.len, 6 + want);
    assert_memory_equal(out.ptr, "before", 6);
    assert_true(want == 0 || memcmp(out.ptr + 6, f.body[i] + at, (size_t)want) == 0);
    assert_true(get.where != 0);
    f.where[i] = get.where;
    bough_buf_fini(&out);
}

static void test_get__any_part_with_any_locator(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            uint64_t where = round == 0 ? 0 : round == 1 ? f.where[i] : f.where[(i + 1) % OBJECTS];

            expect_part(i, 0, UINT64_MAX, where);
            expect_part(i, 0, f.len[i], where);
            expect_part(i, 0, 10, where);
            expect_part(i, f.len[i] / 2, 5000, where);
            expect_part(i, f.len[i] / 3, UINT64_MAX, where);
            expect_part(i, f.len[i], 1, where);
            expect_part(i, f.len[i] + 7, 1, where);
            expect_part(i, 0, 0, where);
        }
    }
}

static void test_get__what_is_not_there_is_not_found(void **state)
{
    struct bough_get get = {.n = 10};
    struct bough_oid none = f.id[0];
    struct bough_buf out;

    (void)state;
    none.bytes[19] ^= 1;
    bough_buf_init(&out, f.b.t.env.mem);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bough_store_get(f.b.s, &none, &get, &out), BOUGH_ENOENT);
        assert_int_equal(out.len, 0);
        get.where = i == 0 ? f.where[3] : 12345;
    }
    bough_buf_fini(&out);
}

static void test_get__a_part_of_a_stored_value_costs_a_part(void **state)
{
    struct bough_store_stats before, after;

    (void)state;
    for (int i = 0; i < OBJECTS; i += 2) { /* noise */
        if (f.len[i] <= 16384)
            continue;
        log_bed_reopen(&f.b);
        expect_part(i, 0, 0, 0); /* tables come into the cache */
        OK(bough_store_stat(f.b.s, &before));
        for (int k = 1; k <= 3; k++)
            expect_part(i, f.len[i] * (unsigned)k / 4, 100, f.where[i]);
        OK(bough_store_stat(f.b.s, &after));
        assert_in_range(after.read_bytes - before.read_bytes, 0, 3 * 4 * 4096);
    }
}

static void test_get__what_is_damaged_is_not_given(void **state)
{
    struct bough_get get = {.n = UINT64_MAX};
    struct bough_buf out;
    uint8_t *at = NULL;

    (void)state;
    expect_part(4, 0, UINT64_MAX, 0); /* 100 bytes, stored */
    for (size_t i = 0; i + 100 < BYTES && at == NULL; i++) {
        if (memcmp(f.b.device + i, f.body[4], 100) == 0)
            at = f.b.device + i;
    }
    assert_non_null(at);
    at[50] ^= 4;
    log_bed_reopen(&f.b);
    bough_buf_init(&out, f.b.t.env.mem);
    get.where = f.where[4];
    assert_int_equal(bough_store_get(f.b.s, &f.id[4], &get, &out), BOUGH_ECORRUPT);
    assert_int_equal(out.len, 0);
    bough_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get__any_part_with_any_locator, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get__what_is_not_there_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_get__a_part_of_a_stored_value_costs_a_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get__what_is_damaged_is_not_given, setup, teardown),
    };

    return cmocka_run_group_tests_name("store get", tests, NULL, NULL);
}
