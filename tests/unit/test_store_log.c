/*
 * test_store_log.c - what only the log engine promises.
 *
 * Goal: memory stays bounded whatever the length of a transaction, an abort gives all space back,
 * many segments and tables are found again, table zones return, and what lies on the device is
 * what docs/format.md says.  Method: a device in memory with small zones and tiny tables; memory
 * that counts; the bytes of superblock and frame read by hand.  (The store suites and the
 * simulations run on this engine, too: tests/conform/, tests/sim/.)
 */
#include "tests/lib/log_bed.h"

#define VIEW(literal) bough_view(literal, sizeof(literal) - 1)

enum { UNIT = 512, ZONE = 128 * 1024, BYTES = 64 * 1024 * 1024, ROWS = 100 };

static int setup(void **state)
{
    static struct log_bed f;

    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){
            .table_rows = ROWS, .log_max = 256 * 1024, .cache = 64 * 1024});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

static size_t body_of(char body[64], uint32_t i)
{
    return (size_t)snprintf(body, 64, "object number %u", i);
}

static void put_many(struct bough_txn *t, uint32_t from, uint32_t n)
{
    for (uint32_t i = from; i < from + n; i++) {
        struct bough_oid id;
        char body[64];
        size_t len = body_of(body, i);

        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), &id));
    }
}

static void assert_many(struct log_bed *f, uint32_t from, uint32_t n)
{
    struct bough_buf out;

    bough_buf_init(&out, &f->t.mem.mem);
    for (uint32_t i = from; i < from + n; i++) {
        char body[64];
        size_t len = body_of(body, i);
        struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(body, len));

        bough_buf_clear(&out);
        OK(bough_store_read(f->s, &id, NULL, &out));
        assert_true(bough_view_eq(bough_buf_view(&out), bough_view(body, len)));
    }
    bough_buf_fini(&out);
}

static uint64_t used(struct log_bed *f)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->s, &st));
    return st.used_bytes;
}

static void no_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)err;
    print_message("%s: %.*s\n", what, (int)key.len, (const char *)key.ptr);
}

static void assert_sound(struct log_bed *f)
{
    OK(bough_store_check(f->s, no_report, NULL));
}

/* Bytes that do not shrink. */
static void put_noise(struct bough_txn *t, uint32_t *seed, size_t len, struct bough_oid *id)
{
    static uint8_t noise[ZONE];

    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 1664525 + 1013904223;
        noise[i] = (uint8_t)(*seed >> 24);
    }
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view(noise, len), id));
}

/* Frames of the aborted one stand where the next would go, if it fitted there. */
static void test_log__what_comes_behind_an_abort_is_found_again(void **state)
{
    enum { ROUNDS = 60 };
    struct log_bed *f = *state;
    struct bough_oid id[ROUNDS], given_up;
    uint32_t seed = 7;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct bough_txn *t;

        OK(bough_txn_begin(f->s, &t));
        for (int k = 0; k < 30; k++)
            put_noise(t, &seed, 3000, &given_up);
        bough_txn_abort(t);
        OK(bough_txn_begin(f->s, &t));
        put_noise(t, &seed, 30000 + i * 1000, &id[i]);
        OK(bough_txn_commit(t, i % 3 == 0 ? BOUGH_DURABLE_LATER : BOUGH_DURABLE_NOW));
        log_bed_reopen(f);
        for (uint32_t k = 0; k <= i; k++)
            OK(bough_store_has(f->s, &id[k]));
    }
    assert_int_equal(bough_store_has(f->s, &given_up), BOUGH_ENOENT);
    assert_sound(f);
}

static void test_log__a_long_transaction_takes_bounded_memory(void **state)
{
    enum { LONG = 15000 };
    struct log_bed *f = *state;
    struct bough_txn *t;
    size_t before;

    OK(bough_txn_begin(f->s, &t));
    put_many(t, 0, 1000);
    before = f->t.mem.peak;
    put_many(t, 1000, LONG - 1000);
    assert_many(f, 0, 50); /* its own objects, long out of memory */
    assert_true(f->t.mem.peak < before + 512 * 1024);
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    assert_many(f, 0, LONG);
    log_bed_reopen(f);
    assert_many(f, 0, LONG);
    assert_sound(f);
}

/* The log ends in a long transaction that no checkpoint followed: replay takes its tables. */
static void test_log__a_long_transaction_is_replayed(void **state)
{
    struct bough_log_open_opts opts = {.table_rows = ROWS, .log_max = 64 * 1024 * 1024};
    struct log_bed *f = *state;
    struct bough_txn *t;

    bough_store_close(f->s);
    OK(bough_log_open(&f->ram.blk, &f->t.env, &opts, &f->s, &f->why));
    OK(bough_txn_begin(f->s, &t));
    put_many(t, 0, 5 * ROWS + 7);
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    for (int i = 0; i < 2; i++) {
        log_bed_reopen(f);
        assert_many(f, 0, 5 * ROWS + 7);
        assert_sound(f);
    }
}

static void test_log__an_abort_gives_its_space_back(void **state)
{
    struct log_bed *f = *state;
    uint8_t *big = calloc(1, 3 * ZONE);
    uint64_t seed = 1, at_first = used(f);

    assert_non_null(big);
    for (size_t i = 0; i < 3 * ZONE; i++)
        big[i] = (uint8_t)test_random(&seed);
    for (uint32_t round = 0; round < 6; round++) {
        struct bough_txn *t;
        struct bough_oid id;

        OK(bough_txn_begin(f->s, &t));
        put_many(t, 0, 20000);
        big[0] = (uint8_t)round;
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(big, 3 * ZONE), &id));
        bough_txn_abort(t);
        assert_int_equal(used(f), at_first);
    }
    free(big);
    assert_sound(f);
}

static void test_log__many_segments_come_in_one_commit(void **state)
{
    enum { MANY = 100 };
    struct log_bed *f = *state;
    uint8_t *big = calloc(1, 2 * ZONE);
    struct bough_oid id[MANY];
    struct bough_txn *t;
    uint64_t seed = 2;

    assert_non_null(big);
    for (size_t i = 0; i < 2 * ZONE; i++)
        big[i] = (uint8_t)test_random(&seed);
    OK(bough_txn_begin(f->s, &t));
    for (uint32_t i = 0; i < MANY; i++) {
        big[0] = (uint8_t)i;
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(big, 2 * ZONE), &id[i]));
    }
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < MANY; i++) {
            uint8_t piece[2];
            size_t got;
            OK(bough_store_read_part(f->s, &id[i], 0, piece, sizeof piece, &got));
            assert_int_equal(piece[0], i);
            assert_int_equal(piece[1], big[1]);
        }
        log_bed_reopen(f);
    }
    assert_sound(f);
    free(big);
}

static void test_log__tables_merge_and_their_zones_return(void **state)
{
    enum { COMMITS = 300, EACH = 40 };
    struct log_bed *f = *state;
    uint64_t log_bytes;

    for (uint32_t i = 0; i < COMMITS; i++) {
        struct bough_ref_change c = {.name = VIEW("refs/heads/main"), .kind = BOUGH_REF_ID};
        struct bough_txn *t;

        OK(bough_txn_begin(f->s, &t));
        put_many(t, i * EACH, EACH);
        OK(bough_txn_put(t, BOUGH_BLOB, bough_view(&i, sizeof i), &c.id));
        OK(bough_txn_ref(t, &c));
        OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
    }
    log_bytes = (uint64_t)COMMITS * EACH * 128;
    assert_true(used(f) < 2 * log_bytes + 4 * 1024 * 1024); /* and not a table a checkpoint */
    assert_many(f, 0, COMMITS * EACH);
    OK(bough_store_sync(f->s));
    log_bed_reopen(f);
    assert_many(f, 0, COMMITS * EACH);
    assert_sound(f);
}

/* ---- What lies on the device ---- */

/* So many of `n` commits tried a checkpoint and had no memory for it. */
static uint32_t tries_of(struct log_bed *f, uint32_t from, uint32_t n)
{
    uint32_t tries = 0;

    for (uint32_t i = from; i < from + n; i++) {
        struct bough_txn *t;

        f->t.mem.failed = false;
        OK(bough_txn_begin(f->s, &t));
        put_many(t, i, 1);
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        tries += f->t.mem.failed;
    }
    return tries;
}

static void test_log__a_checkpoint_that_fails_is_tried_less_and_less(void **state)
{
    struct log_bed *f = *state;
    uint32_t tries;

    assert_int_equal(tries_of(f, 0, ROWS + 20), 0);
    f->t.mem.limit = f->t.mem.used + 50 * 1024; /* too little for a writer of tables */
    tries = tries_of(f, 1000, 3 * ROWS);
    assert_in_range(tries, 3, 10);
    f->t.mem.limit = 0;
    assert_int_equal(tries_of(f, 2000, 256), 0); /* it is made now */
    f->t.mem.limit = f->t.mem.used + 50 * 1024;
    assert_int_equal(tries_of(f, 3000, 10), 0); /* and not due for a while */
    f->t.mem.limit = 0;
    assert_many(f, 1000, 3 * ROWS);
    assert_sound(f);
}

static void test_log__a_superblock_is_as_documented(void **state)
{
    struct log_bed *f = *state;
    uint64_t newest = 0, generation[2] = {0, 0};

    for (uint64_t ring = 0; ring < 2; ring++) {
        for (uint64_t slot = 0; slot < 8; slot++) {
            const uint8_t *p = f->device + ring * ZONE + slot * UNIT;
            uint64_t g;

            if (memcmp(p, "BOUGH\r\n\x1a", 8) != 0)
                continue;
            g = bough_get64le(p + 64);
            assert_int_equal(bough_get32le(p + 8), bough_crc32(0, p + 12, 500));
            assert_int_equal(bough_get32le(p + 12), 1);
            assert_int_equal(bough_get32le(p + 24), 0); /* incompatible features */
            assert_int_equal(bough_get32le(p + 28), test_algo());
            assert_int_equal(bough_get32le(p + 48), UNIT);
            assert_int_equal(bough_get32le(p + 52), ZONE);
            assert_int_equal(bough_get64le(p + 56), BYTES / ZONE);
            assert_int_equal(g % 2, ring);
            assert_int_equal(g / 2 % 8, slot);
            generation[ring] = g > generation[ring] ? g : generation[ring];
            newest = g > newest ? g : newest;
        }
    }
    assert_int_equal(newest, 4); /* two of the format, two of the open */
    assert_int_equal(generation[0] + generation[1], 4 + 3);
}

/* The one frame with one object and one ref, found by its magic. */
static void test_log__a_frame_is_as_documented(void **state)
{
    struct log_bed *f = *state;
    struct bough_ref_change c = {.name = VIEW("refs/tags/x"), .kind = BOUGH_REF_ID};
    const uint8_t *p = NULL, *item;
    struct bough_txn *t;
    uint32_t at, len, id_len = bough_algo_len(test_algo());

    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, VIEW("hello"), &c.id));
    OK(bough_txn_ref(t, &c));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    for (size_t i = 0; i < BYTES; i += UNIT) {
        if (memcmp(f->device + i, "BgFr", 4) == 0)
            p = f->device + i; /* the last one */
    }
    assert_non_null(p);
    assert_int_equal(bough_get32le(p + 4), bough_crc32(0, p + 8, 88));
    assert_int_equal(bough_get64le(p + 24), 1); /* epoch: the first mount */
    assert_int_equal(bough_get64le(p + 32), 2); /* sequence: HEAD was set by the first */
    assert_int_equal(bough_get64le(p + 40), 1); /* which was durable */
    assert_int_equal(bough_get32le(p + 52), 3); /* first and last */
    assert_int_equal(bough_get32le(p + 76), 2); /* items */
    len = bough_get32le(p + 64);
    item = p + 96 + len;
    assert_int_equal(bough_get32le(p + 72), bough_crc32(0, item, bough_get32le(p + 68)));
    assert_int_equal(bough_get32le(item), 1 | (id_len + 12) << 8);
    assert_memory_equal(item + 4, c.id.bytes, id_len);
    at = bough_get32le(item + 4 + id_len);
    assert_int_equal(at, 96 + 16);
    len = bough_get32le(item + 8 + id_len);
    assert_int_equal(len, 1 + 2 + 5 + 5 + 4); /* head, zlib's, a stored block's, bytes, sum */
    assert_int_equal(bough_get32le(p + at - 16), len);
    assert_int_equal(bough_get32le(p + at - 12), bough_crc32(0, p + at, len));
    assert_memory_equal(p + at - 8, c.id.bytes, 8);
    assert_int_equal(p[at], 3 << 4 | 5);
    assert_memory_equal(p + at + 8, "hello", 5);
    item += 4 + id_len + 12;
    assert_int_equal(item[0], 2);
    assert_int_equal(item[4], BOUGH_REF_ID);
    assert_int_equal(bough_get16le(item + 6), 11);
    assert_memory_equal(item + 24, "refs/tags/x", 11);
    assert_memory_equal(item + 35, c.id.bytes, id_len);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_log__what_comes_behind_an_abort_is_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_long_transaction_takes_bounded_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_long_transaction_is_replayed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__an_abort_gives_its_space_back, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__many_segments_come_in_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__tables_merge_and_their_zones_return, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log__a_checkpoint_that_fails_is_tried_less_and_less, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_superblock_is_as_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log__a_frame_is_as_documented, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log", tests, NULL, NULL);
}
