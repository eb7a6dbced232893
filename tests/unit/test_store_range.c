/*
 * test_store_range.c - parts of large objects that are deltas, from the log engine.
 *
 * Goal: any part read through a chain of deltas is that part of the object; it costs what it is
 * long; damage is said, never given.  Method: chains of up to twelve random deltas on bases of
 * several kinds, read at random places and compared with the whole body; the device's traffic is
 * counted; deltas that break each rule of the format, and flipped bits.
 */
#include "base/zip.h"
#include "git/delta.h"
#include "git/entry.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 1024 * 1024, BYTES = 96 * 1024 * 1024, CHAIN = 12, BODY_MAX = 4 << 20 };

static struct {
    struct log_bed b;
    uint64_t seed;
    uint8_t *body[CHAIN + 1]; /* versions; 0 is the base */
    size_t len[CHAIN + 1];
    struct bough_oid id[CHAIN + 1];
} f;

static uint64_t rnd(uint64_t n)
{
    return test_random(&f.seed) % n;
}

static int setup(void **state)
{
    const struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    const struct bough_log_open_opts opts = {.cache = 256 * 1024};

    (void)state;
    memset(&f, 0, sizeof f);
    f.seed = 11;
    log_bed_begin(&f.b, BYTES, format, opts);
    for (int i = 0; i <= CHAIN; i++)
        assert_non_null(f.body[i] = malloc(BODY_MAX));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_bed_end(&f.b);
    for (int i = 0; i <= CHAIN; i++)
        free(f.body[i]);
    return 0;
}

/* ---- Chains ---- */

/* Noise, which no engine would compress; or the letter a. */
static void base_put(size_t len, bool noise)
{
    struct bough_txn *txn;

    f.len[0] = len;
    for (size_t i = 0; i < len; i++)
        f.body[0][i] = noise ? (uint8_t)rnd(256) : 'a';
    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_txn_put(txn, BOUGH_BLOB, bough_view(f.body[0], len), &f.id[0]));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
}

/* Version `v` out of version `from`: stretches of it, not always in order, and new bytes. */
static void version_put(int v, int from)
{
    struct bough_delta_builder b;
    struct bough_buf delta, body;
    struct bough_view whole;
    struct bough_txn *txn;
    uint64_t at = 0;

    bough_buf_init(&delta, f.b.t.env.mem);
    bough_buf_init(&body, f.b.t.env.mem);
    for (int twice = 0; twice < 2; twice++) {
        uint64_t seed = f.seed, n;

        at = 0;
        if (twice == 1)
            bough_delta_begin(&b, &delta, f.len[from], f.len[v]);
        while (at < f.len[from]) {
            uint64_t skip = rnd(4) == 0 ? rnd(9000) : 0, left = f.len[from] - at;
            uint8_t fresh[200];

            at += skip < left ? skip : left;
            n = 1 + rnd(60000);
            n = n < f.len[from] - at ? n : f.len[from] - at;
            if (rnd(20) == 0 && at > n) /* something from before */
                at -= n;
            if (twice == 1)
                bough_delta_copy(&b, at, n);
            else
                bough_buf_put(&body, f.body[from] + at, n);
            at += n;
            n = 1 + rnd(sizeof fresh);
            for (uint64_t i = 0; i < n; i++)
                fresh[i] = (uint8_t)rnd(256);
            if (twice == 1)
                bough_delta_insert(&b, bough_view(fresh, n));
            else
                bough_buf_put(&body, fresh, n);
        }
        if (twice == 0) {
            f.len[v] = body.len;
            f.seed = seed;
        }
    }
    bough_delta_end(&b);
    whole = bough_buf_view(&body);
    assert_true(whole.len <= BODY_MAX);
    memcpy(f.body[v], whole.ptr, whole.len);
    f.id[v] = bough_oid_of(test_algo(), BOUGH_BLOB, whole);
    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_txn_put_delta(txn, BOUGH_BLOB, &f.id[v], &f.id[from], bough_buf_view(&delta), whole));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    bough_buf_fini(&delta);
    bough_buf_fini(&body);
}

static void expect_part(struct bough_object *o, int v, uint64_t at, size_t n)
{
    uint8_t *dst = malloc(n + 1);
    size_t got, want = at >= f.len[v] ? 0 : n < f.len[v] - at ? n : (size_t)(f.len[v] - at);

    assert_non_null(dst);
    OK(bough_object_read(o, at, dst, n, &got));
    assert_int_equal(got, want);
    assert_true(want == 0 || memcmp(dst, f.body[v] + at, want) == 0);
    free(dst);
}

static void expect_version(int v, bool jumps)
{
    struct bough_object *o;

    OK(bough_store_object_open(f.b.s, &f.id[v], &o));
    assert_int_equal(o->size, f.len[v]);
    assert_int_equal(o->type, BOUGH_BLOB);
    assert_int_equal(o->jumps, jumps);
    expect_part(o, v, 0, f.len[v]);
    for (int i = 0; i < 60; i++)
        expect_part(o, v, rnd(f.len[v] + 10), 1 + (size_t)rnd(i % 3 == 0 ? 100000 : 300));
    expect_part(o, v, f.len[v] - 1, 10);
    expect_part(o, v, f.len[v], 10);
    bough_object_close(o);
}

/* In a frame, and too large for one. */
static void test_range__any_part_through_any_chain(void **state)
{
    static const size_t lengths[] = {66000, 300000, 1500000};

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        base_put(lengths[k], true);
        for (int v = 1; v <= CHAIN; v++) {
            version_put(v, v - 1);
            expect_version(v, true);
        }
        log_bed_reopen(&f.b);
        for (int v = 1; v <= CHAIN; v++)
            expect_version(v, true);
    }
}

/* Then it is held whole; the answers are the same. */
static void test_range__a_compressed_base(void **state)
{
    (void)state;
    base_put(400000, false);
    version_put(1, 0);
    version_put(2, 1);
    expect_version(1, false);
    expect_version(2, false);
}

/* A valid zlib stream of stored blocks that are not cut where ours are. */
static void cut_otherwise(struct bough_buf *out, struct bough_view body, size_t first)
{
    size_t at = 0;
    uint8_t tail[4];

    bough_buf_put(out, "\x78\x01", 2);
    for (int i = 0; i < 2; i++) {
        size_t n = i == 0 ? first : body.len - first;

        bough_buf_put_u8(out, i == 1);
        bough_buf_put_u8(out, (uint8_t)n);
        bough_buf_put_u8(out, (uint8_t)(n >> 8));
        bough_buf_put_u8(out, (uint8_t)~n);
        bough_buf_put_u8(out, (uint8_t)(~n >> 8));
        bough_buf_put(out, body.ptr + at, n);
        at += n;
    }
    bough_put32be(tail, bough_adler32(1, body.ptr, body.len));
    bough_buf_put(out, tail, 4);
}

static void test_range__a_base_in_other_blocks(void **state)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = 100000};
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX], sum[BOUGH_DIGEST_MAX];
    struct bough_intake *in;
    struct bough_buf pack;
    struct bough_txn *txn;
    struct bough_hash h;
    size_t used;
    enum bough_err err;

    (void)state;
    f.len[0] = 100000;
    for (size_t i = 0; i < f.len[0]; i++)
        f.body[0][i] = (uint8_t)rnd(256);
    f.id[0] = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(f.body[0], f.len[0]));
    bough_buf_init(&pack, f.b.t.env.mem);
    bough_buf_put(&pack, "PACK\0\0\0\2\0\0\0\1", 12);
    bough_buf_put(&pack, raw, bough_entry_head_write(test_algo(), &head, raw));
    cut_otherwise(&pack, bough_view(f.body[0], f.len[0]), 60000);
    assert_int_equal(pack.len, 12 + 3 + bough_zip_stored_len(f.len[0]));
    bough_hash_init(&h, test_algo());
    bough_hash_update(&h, pack.ptr, pack.len);
    bough_hash_final(&h, sum);
    bough_buf_put(&pack, sum, bough_algo_len(test_algo()));
    OK(bough_store_intake(f.b.s, NULL, &in));
    OK(bough_intake_feed(in, bough_buf_view(&pack), &used));
    while ((err = bough_intake_step(in, UINT64_MAX)) == BOUGH_EAGAIN)
        continue;
    OK(err);
    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_txn_adopt(txn, in));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    bough_buf_fini(&pack);
    version_put(1, 0);
    expect_version(1, true); /* as far as can be told before it is read */
    expect_version(1, true);
}

static void test_range__a_collection_may_come_between(void **state)
{
    struct bough_object *o;
    bool more = true;

    (void)state;
    base_put(300000, true);
    version_put(1, 0);
    OK(bough_store_object_open(f.b.s, &f.id[1], &o));
    expect_part(o, 1, 1000, 1000);
    while (more)
        OK(bough_store_maintain(f.b.s, 1 << 20, &more));
    expect_part(o, 1, 150000, 1000);
    bough_object_close(o);
}

/* ---- Cost ---- */

static uint64_t read_bytes(void)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f.b.s, &st));
    return st.read_bytes;
}

static void test_range__a_part_costs_a_part(void **state)
{
    struct bough_object *o;
    uint64_t before;

    (void)state;
    base_put(3000000, true);
    for (int v = 1; v <= 4; v++)
        version_put(v, v - 1);
    log_bed_reopen(&f.b);
    OK(bough_store_object_open(f.b.s, &f.id[4], &o));
    assert_true(o->jumps);
    before = read_bytes();
    for (int i = 0; i < 10; i++)
        expect_part(o, 4, rnd(f.len[4]), 100);
    assert_true(read_bytes() - before <= 10 * 6 * 4096);
    bough_object_close(o);
}

/* A large object that is a delta: its size is said without making it. */
static void test_range__all_or_only_the_size(void **state)
{
    struct bough_get get = {.n = 65536, .all = true};
    struct bough_buf out;
    uint64_t before;

    (void)state;
    base_put(3000000, true);
    version_put(1, 0);
    log_bed_reopen(&f.b);
    bough_buf_init(&out, f.b.t.env.mem);
    before = read_bytes();
    OK(bough_store_get(f.b.s, &f.id[1], &get, &out));
    assert_int_equal(out.len, 0);
    assert_int_equal(get.size, f.len[1]);
    assert_int_equal(get.type, BOUGH_BLOB);
    OK(bough_store_get(f.b.s, &f.id[0], &get, &out));
    assert_int_equal(out.len, 0);
    assert_int_equal(get.size, f.len[0]);
    assert_true(read_bytes() - before <= 100000);
    get.n = f.len[1];
    OK(bough_store_get(f.b.s, &f.id[1], &get, &out));
    assert_int_equal(out.len, f.len[1]);
    assert_memory_equal(out.ptr, f.body[1], f.len[1]);
    bough_buf_fini(&out);
}

/* ---- Damage ---- */

/* An object that is said to be what `delta` makes of version 0. */
static enum bough_err open_lie(const uint8_t *delta, size_t n, uint8_t mark)
{
    struct bough_oid id = f.id[0];
    struct bough_object *o = NULL;
    struct bough_txn *txn;
    uint8_t part[100];
    size_t got;
    enum bough_err err;

    id.bytes[0] ^= mark;
    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_txn_put_delta(
        txn, BOUGH_BLOB, &id, &f.id[0], bough_view(delta, n), bough_view(f.body[0], f.len[0])));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    err = bough_store_object_open(f.b.s, &id, &o);
    if (err == BOUGH_OK)
        err = bough_object_read(o, 0, part, sizeof part, &got);
    bough_object_close(o);
    return err;
}

/* The base is 300,000 = 0xe0 0xa7 0x12 bytes. */
static void test_range__a_delta_that_lies_is_damage(void **state)
{
    static const uint8_t good[] = {0xe0, 0xa7, 0x12, 0x80, 0x80, 0x04, 0x80};
    static const uint8_t other_base[] = {0xe1, 0xa7, 0x12, 0x80, 0x80, 0x04, 0x80};
    static const uint8_t other_size[] = {0xe0, 0xa7, 0x12, 0x81, 0x80, 0x04, 0x80};
    static const uint8_t outside[] = {0xe0, 0xa7, 0x12, 0x80, 0x80, 0x04, 0x84, 0x04};
    static const uint8_t reserved[] = {0xe0, 0xa7, 0x12, 0x80, 0x80, 0x04, 0x00, 0x80};
    static const uint8_t cut[] = {0xe0, 0xa7, 0x12, 0x80, 0x80, 0x04, 0xff, 0x01};

    (void)state;
    base_put(300000, true);
    OK(open_lie(good, sizeof good, 1));
    assert_int_equal(open_lie(other_base, sizeof other_base, 2), BOUGH_ECORRUPT);
    assert_int_equal(open_lie(other_size, sizeof other_size, 3), BOUGH_ECORRUPT);
    assert_int_equal(open_lie(outside, sizeof outside, 4), BOUGH_ECORRUPT);
    assert_int_equal(open_lie(reserved, sizeof reserved, 5), BOUGH_ECORRUPT);
    assert_int_equal(open_lie(cut, sizeof cut, 6), BOUGH_ECORRUPT);
}

/* Is a part of version 1 given?  Then it is right. */
static bool part_is_whole(uint64_t at, size_t n)
{
    static uint8_t part[60000];
    struct bough_object *o = NULL;
    size_t got = 0;
    enum bough_err err = bough_store_object_open(f.b.s, &f.id[1], &o);

    if (err == BOUGH_OK)
        err = bough_object_read(o, at, part, n, &got);
    bough_object_close(o);
    if (err)
        assert_int_equal(err, BOUGH_ECORRUPT);
    else
        assert_memory_equal(part, f.body[1] + at, got);
    return err == BOUGH_OK;
}

/* Where a part comes from that was damaged there is an error, or the part as it was: the base lies
   in a frame, or in a segment of its own. */
static void test_range__a_flipped_bit_is_never_given(void **state)
{
    static const size_t lengths[] = {300000, 1500000};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        size_t place = 0, good = 0, bad = 0;

        base_put(lengths[k], true);
        version_put(1, 0);
        for (size_t i = 0; place == 0; i += 1) { /* where the base's middle is */
            assert_true(i + 64 < BYTES);
            if (f.b.device[i] == f.body[0][lengths[k] / 2] &&
                memcmp(f.b.device + i, f.body[0] + lengths[k] / 2, 64) == 0)
                place = i;
        }
        log_bed_reopen(&f.b); /* from now on what is there counts as durable */
        f.b.device[place] ^= 4;
        log_bed_reopen(&f.b);
        for (uint64_t at = 0; at < f.len[1]; at += 5000) {
            bool whole = part_is_whole(at, 5000);

            bad += !whole;
            good += whole;
            (void)part_is_whole(at, 60000); /* is read past the pages */
        }
        f.b.device[place] ^= 4;
        assert_true(bad > 0);
        assert_true(k == 0 || good > f.len[1] / 5000 - 10); /* what is not damaged is given */
    }
}

/* What a chain's deltas take in memory, all of them, is bounded as an object's body is. */
static void test_range__deltas_take_bounded_memory(void **state)
{
    enum { LEN = 4 << 20, FRESH = 700000, LINKS = 2 };
    struct bough_object *o;
    size_t before;

    (void)state;
    base_put(LEN, true);
    for (int v = 1; v <= LINKS; v++) { /* each begins with so many bytes of its own */
        struct bough_delta_builder b;
        struct bough_buf delta;
        struct bough_txn *txn;

        memcpy(f.body[v], f.body[v - 1], LEN);
        for (size_t i = 0; i < FRESH; i++)
            f.body[v][i] = (uint8_t)rnd(256);
        f.len[v] = LEN;
        f.id[v] = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(f.body[v], LEN));
        bough_buf_init(&delta, f.b.t.env.mem);
        bough_delta_begin(&b, &delta, LEN, LEN);
        bough_delta_insert(&b, bough_view(f.body[v], FRESH));
        bough_delta_copy(&b, FRESH, LEN - FRESH);
        bough_delta_end(&b);
        OK(bough_txn_begin(f.b.s, &txn));
        OK(bough_txn_put_delta(txn, BOUGH_BLOB, &f.id[v], &f.id[v - 1], bough_buf_view(&delta),
            bough_view(f.body[v], LEN)));
        OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
        bough_buf_fini(&delta);
    }
    expect_version(LINKS, true);
    log_bed_reopen(&f.b);
    f.b.s->object_max = 1 << 20;
    OK(bough_store_object_open(f.b.s, &f.id[1], &o)); /* room for one delta stays */
    bough_object_close(o);
    before = f.b.t.mem.peak = f.b.t.mem.used;
    assert_int_equal(bough_store_object_open(f.b.s, &f.id[LINKS], &o), BOUGH_ETOOBIG);
    assert_true(f.b.t.mem.peak - before < 3 << 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_range__any_part_through_any_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_compressed_base, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_base_in_other_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_collection_may_come_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_part_costs_a_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__all_or_only_the_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_delta_that_lies_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__a_flipped_bit_is_never_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__deltas_take_bounded_memory, setup, teardown),
    };

    return cmocka_run_group_tests_name("store range", tests, NULL, NULL);
}
