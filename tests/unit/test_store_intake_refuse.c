/*
 * test_store_intake_refuse.c - a received pack that is not sound is refused.
 *
 * Goal: packs that lie, circle, explode, are damaged or end early are refused
 * with their reason, and nothing leaks then; nor when memory or the area fails
 * at any point.  Method: packs made entry by entry (intake_bed.h), each changed
 * in one place; test memory counts and fails.
 */
#include "tests/unit/intake_bed.h"

/* ---- what is refused ---- */

static enum bough_err run_once(struct maker *k, struct run *r)
{
    enum bough_err err;

    bough_pack_writer_finish(&k->w);
    run_init(r);
    err = run(r, BOUGH_SHA1, bough_buf_view(&k->pack));
    run_fini(r);
    return err;
}

static void test_store_intake__circles_are_refused(void **state)
{
    uint8_t a[200], b[200];
    struct bough_oid id;
    struct maker k;
    struct run r;

    (void)state;
    version(a, 100, 0);
    version(b, 100, 1);
    maker_init(&k, BOUGH_SHA1, 3);
    add(&k, BOUGH_BLOB, bough_view_str("sound"));
    add_ref(&k, bough_view(a, 140), bough_view(b, 140));
    add_ref(&k, bough_view(b, 140), bough_view(a, 140));
    assert_int_equal(run_once(&k, &r), BOUGH_EFORMAT);
    assert_string_equal(r.why.what, "delta base missing, or deltas in a circle");

    /* With one of them in the store there is a way in; its new row must say that it is known. */
    id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view(a, 140));
    run_init(&r);
    test_area_has(&r.area, &id, BOUGH_BLOB, bough_view(a, 140));
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_true(row_of(&r, BOUGH_SHA1, bough_view(a, 140))->known);
    run_fini(&r);
    maker_fini(&k);
}

static void test_store_intake__of_twins_the_one_that_leads_home_is_kept(void **state)
{
    uint8_t a[200], b[200];
    struct maker k;
    struct run r;

    (void)state;
    version(a, 100, 0);
    version(b, 100, 1);
    maker_init(&k, BOUGH_SHA1, 3);
    add_ref(&k, bough_view(b, 140), bough_view(a, 140)); /* a on b */
    add_ref(&k, bough_view(a, 140), bough_view(b, 140)); /* b on a */
    add(&k, BOUGH_BLOB, bough_view(a, 140));             /* a, whole */
    bough_pack_writer_finish(&k.w);
    run_init(&r);
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(r.facts.count, 2);
    assert_int_equal(row_of(&r, BOUGH_SHA1, bough_view(a, 140))->stored, BOUGH_BLOB);
    run_fini(&r);
    maker_fini(&k);
}

static void test_store_intake__bases_must_be_entries_of_their_size(void **state)
{
    uint8_t a[200], b[200];
    struct maker k;
    struct run r;
    uint64_t at;

    (void)state;
    version(a, 100, 0);
    version(b, 100, 1);
    maker_init(&k, BOUGH_SHA1, 2);
    at = add(&k, BOUGH_BLOB, bough_view(a, 140));
    add_ofs(&k, at + 1, bough_view(a, 140), bough_view(b, 140));
    assert_int_equal(run_once(&k, &r), BOUGH_EFORMAT);
    assert_string_equal(r.why.what, "delta base is no entry");
    maker_fini(&k);

    maker_init(&k, BOUGH_SHA1, 2);
    at = add(&k, BOUGH_BLOB, bough_view(a, 139));
    add_ofs(&k, at, bough_view(a, 140), bough_view(b, 140));
    assert_int_equal(run_once(&k, &r), BOUGH_EFORMAT);
    assert_string_equal(r.why.what, "delta is for another base");
    maker_fini(&k);
}

/* Each delta doubles its base, up to 1 GiB out of a few kB of pack. */
static void test_store_intake__bombs_do_not_go_off(void **state)
{
    struct maker k;
    struct run r;
    uint64_t at, len = 1 << 16;

    (void)state;
    maker_init(&k, BOUGH_SHA1, 15);
    {
        static uint8_t zeros[1 << 16];
        at = add(&k, BOUGH_BLOB, bough_view(zeros, sizeof zeros));
    }
    for (int i = 0; i < 14; i++, len *= 2) {
        struct bough_entry_head h = {.type = BOUGH_OFS_DELTA, .back = k.w.at - at};
        struct bough_delta_builder b;
        struct bough_buf delta;

        bough_buf_init(&delta, &k.mem.mem);
        bough_delta_begin(&b, &delta, len, 2 * len);
        for (uint64_t done = 0; done < 2 * len; done += len)
            bough_delta_copy(&b, 0, len);
        bough_delta_end(&b);
        bough_pack_writer_put(&k.w, &h, bough_buf_view(&delta), 9);
        at = k.w.entry_at;
        bough_buf_fini(&delta);
    }
    bough_pack_writer_finish(&k.w);
    run_init(&r);
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_ETOOBIG);
    assert_string_equal(r.why.what, "unpack object too large");
    run_fini(&r);
    run_init(&r);
    r.opts.limits.object_max = (uint64_t)1 << 40;
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_ETOOBIG);
    assert_string_equal(r.why.what, "unpacked bytes too many");
    assert_true(k.pack.len < 100000);
    assert_true(r.mem.peak < ((size_t)80 << 20) + 1000 * k.pack.len);
    run_fini(&r);
    maker_fini(&k);
}

static void test_store_intake__work_is_limited_not_only_size(void **state)
{
    enum { COUNT = 2000, MIB = 1 << 20 };
    uint8_t *zeros = calloc(1, MIB);
    struct maker k;
    struct run r;
    uint64_t at;

    (void)state;
    assert_non_null(zeros);
    maker_init(&k, BOUGH_SHA1, COUNT);
    at = add(&k, BOUGH_BLOB, bough_view(zeros, MIB));
    for (uint32_t i = 1; i < COUNT; i++) {
        struct bough_entry_head h = {.type = BOUGH_OFS_DELTA, .back = k.w.at - at};
        struct bough_delta_builder b;
        uint8_t own[4];

        bough_put32be(own, i);
        bough_buf_clear(&k.delta);
        bough_delta_begin(&b, &k.delta, MIB, MIB);
        bough_delta_insert(&b, bough_view(own, 4));
        bough_delta_copy(&b, 0, MIB - 4);
        bough_delta_end(&b);
        bough_pack_writer_put(&k.w, &h, bough_buf_view(&k.delta), 9);
    }
    assert_int_equal(run_once(&k, &r), BOUGH_ETOOBIG);
    assert_string_equal(r.why.what, "unpacked bytes too many");
    assert_true(r.facts.work < k.pack.len * 1000 + (66 << 20));
    maker_fini(&k);
    free(zeros);
}

static void test_store_intake__changed_anywhere_is_refused(void **state)
{
    struct maker k;

    (void)state;
    make_shapes(&k, BOUGH_SHA1);
    for (size_t i = 0; i < k.pack.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += 3) {
            struct run r;

            k.pack.ptr[i] ^= (uint8_t)(1u << bit);
            run_init(&r);
            assert_int_not_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
            run_fini(&r);
            k.pack.ptr[i] ^= (uint8_t)(1u << bit);
        }
    }
    maker_fini(&k);
}

static void test_store_intake__a_rotten_area_is_noticed(void **state)
{
    struct maker k;
    struct run r;
    struct bough_intake_opts opts = {.check = NULL};
    const struct bough_store__intake_row *row;
    uint8_t v[200];

    (void)state;
    make_shapes(&k, BOUGH_SHA1);
    run_init(&r);
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    row = row_of(&r, BOUGH_SHA1, version(v, 100, 3)); /* a delta: it is read again */
    for (uint64_t i = row->at; i < row->at + row->packed_len; i++) {
        struct bough_store__intake *in;
        struct test_mem m;
        struct test_area a;
        size_t used;

        test_mem_init(&m);
        test_area_init(&a);
        assert_int_equal(
            bough_store__intake_open(&in, &m.mem, BOUGH_SHA1, &a.host, &opts, false, NULL),
            BOUGH_OK);
        assert_int_equal(bough_store__intake_feed(in, bough_buf_view(&k.pack), &used), BOUGH_OK);
        a.raw[i] ^= 1;
        assert_int_equal(bough_store__intake_step(in, UINT64_MAX), BOUGH_ECORRUPT);
        bough_store__intake_close(in);
        test_area_fini(&a);
        test_mem_done(&m);
    }
    run_fini(&r);
    maker_fini(&k);
}

/* ---- failing ---- */

static void test_store_intake__survives_every_failure(void **state)
{
    uint8_t a[200], b[200];
    struct bough_oid id;
    struct maker k;

    (void)state;
    version(a, 100, 77);
    version(b, 100, 78);
    id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view(a, 140));
    maker_init(&k, BOUGH_SHA1, 4);
    add_ref(&k, bough_view(a, 140), bough_view(b, 140));
    add_ref(&k, bough_view(b, 140), version(a, 100, 79));
    add(&k, BOUGH_TREE, version(a, 150, 80));
    add(&k, BOUGH_BLOB, version(a, 100, 77));
    bough_pack_writer_finish(&k.w);
    for (int io = 0; io < 2; io++) {
        for (uint64_t n = 0;; n++) {
            struct run r;
            enum bough_err err;
            bool failed;

            run_init(&r);
            r.complete = true;
            r.feed = 100;
            test_area_has(&r.area, &id, BOUGH_BLOB, bough_view(a, 140));
            if (io)
                r.area.fail_at = n;
            else
                r.mem.fail_at = n;
            err = run(&r, BOUGH_SHA1, bough_buf_view(&k.pack));
            failed = io ? r.area.calls > n : r.mem.failed;
            run_fini(&r);
            if (!failed) {
                assert_int_equal(err, BOUGH_OK);
                break;
            }
            assert_int_equal(err, io ? BOUGH_EIO : BOUGH_ENOMEM);
        }
    }
    maker_fini(&k);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_intake__circles_are_refused),
        cmocka_unit_test(test_store_intake__of_twins_the_one_that_leads_home_is_kept),
        cmocka_unit_test(test_store_intake__bases_must_be_entries_of_their_size),
        cmocka_unit_test(test_store_intake__bombs_do_not_go_off),
        cmocka_unit_test(test_store_intake__work_is_limited_not_only_size),
        cmocka_unit_test(test_store_intake__changed_anywhere_is_refused),
        cmocka_unit_test(test_store_intake__a_rotten_area_is_noticed),
        cmocka_unit_test(test_store_intake__survives_every_failure),
    };

    return cmocka_run_group_tests_name("store/intake refuses", tests, NULL, NULL);
}
