/*
 * test_store_intake.c - a received pack is indexed whole.
 *
 * Goal: every object of a pack is found with its id, place and checksum,
 * whatever the shape of its deltas, in the memory allowed, at any budget of a
 * step.  Method: packs made entry by entry over a host in memory (intake_bed.h;
 * git's own packs are in tests/interop).  What is refused: test_store_intake_refuse.c.
 */
#include "tests/unit/intake_bed.h"

static void check_shapes(enum bough_algo algo, size_t feed, uint64_t budget, bool lend)
{
    struct maker k;
    struct run r;
    uint8_t v[200];

    make_shapes(&k, algo);
    run_init(&r);
    r.feed = feed;
    r.budget = budget;
    r.area.lend = lend;
    assert_int_equal(run(&r, algo, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(r.facts.count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        const struct bough_store__intake_row *row = row_of(&r, algo, version(v, 100, i));
        assert_non_null(row);
        assert_int_equal(row->size, 140);
        assert_int_equal(row->type, BOUGH_BLOB);
        assert_false(row->known);
    }
    assert_int_equal(row_of(&r, algo, version(v, 100, 2))->stored, BOUGH_BLOB);
    assert_int_equal(row_of(&r, algo, version(v, 100, 3))->stored, BOUGH_OFS_DELTA);
    assert_int_equal(row_of(&r, algo, version(v, 100, 0))->stored, BOUGH_REF_DELTA);
    if (budget == 1)
        assert_true(r.steps > 8);
    run_fini(&r);
    maker_fini(&k);
}

static void test_store_intake__finds_every_object_at_any_pace(void **state)
{
    (void)state;
    check_shapes(BOUGH_SHA1, SIZE_MAX, UINT64_MAX, true);
    check_shapes(BOUGH_SHA1, 1, 1, false);
    check_shapes(BOUGH_SHA256, 100, 100, true);
    check_shapes(BOUGH_SHA256, 7, 1, false);
}

static void test_store_intake__an_empty_pack_is_legal(void **state)
{
    struct maker k;
    struct run r;

    (void)state;
    maker_init(&k, BOUGH_SHA1, 0);
    bough_pack_writer_finish(&k.w);
    run_init(&r);
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(r.facts.count, 0);
    run_fini(&r);
    maker_fini(&k);
}

static void check_deep(bool by_id, bool forward)
{
    enum { DEEP = 50000 };
    uint8_t a[200], b[200];
    struct maker k;
    struct run r;
    uint64_t at = 0;

    maker_init(&k, BOUGH_SHA1, DEEP);
    for (uint32_t i = 0; i < DEEP; i++) {
        uint32_t n = forward ? DEEP - 1 - i : i;

        version(a, 60, n - 1);
        version(b, 60, n);
        if (n == 0)
            at = add(&k, BOUGH_BLOB, bough_view(b, 100));
        else if (by_id)
            add_ref(&k, bough_view(a, 100), bough_view(b, 100));
        else
            at = add_ofs(&k, at, bough_view(a, 100), bough_view(b, 100));
    }
    bough_pack_writer_finish(&k.w);
    run_init(&r);
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(r.facts.count, DEEP);
    assert_non_null(row_of(&r, BOUGH_SHA1, version(a, 60, DEEP - 1)));
    run_fini(&r);
    maker_fini(&k);
}

static void test_store_intake__chains_of_50000_work(void **state)
{
    (void)state;
    check_deep(false, false);
    check_deep(true, true);
}

enum { SPINE = 60, LEN = 100000 };

static uint8_t spine[LEN], next[LEN], leaf[LEN], twig[LEN];

/*
 * A chain of SPINE large blobs, each with a leaf, each leaf with a twig.
 * With the chain by distance its weights are known; by id they are hidden, the
 * leaf looks heavier, and the walk goes down the chain first with all the leaves to come.
 */
static void spine_run(struct run *r, bool by_id)
{
    struct maker k;
    uint64_t at = 0, leaf_at;

    maker_init(&k, BOUGH_SHA1, 3 * SPINE);
    for (uint32_t i = 0; i < SPINE; i++) {
        version(next, LEN - 40, i);
        if (i == 0)
            at = add(&k, BOUGH_BLOB, bough_view(next, LEN));
        else if (by_id)
            at = add_ref(&k, bough_view(spine, LEN), bough_view(next, LEN));
        else
            at = add_ofs(&k, at, bough_view(spine, LEN), bough_view(next, LEN));
        memcpy(spine, next, LEN);
        version(leaf, LEN - 40, 1000 + i);
        leaf_at = by_id ? add_ref(&k, bough_view(spine, LEN), bough_view(leaf, LEN))
                        : add_ofs(&k, at, bough_view(spine, LEN), bough_view(leaf, LEN));
        version(twig, LEN - 40, 2000 + i);
        add_ofs(&k, leaf_at, bough_view(leaf, LEN), bough_view(twig, LEN));
    }
    bough_pack_writer_finish(&k.w);
    run_init(r);
    r->opts.limits.memory = 4 << 20;
    assert_int_equal(run(r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(r->facts.count, 3 * SPINE);
    run_fini(r);
    maker_fini(&k);
}

static void test_store_intake__drops_and_rebuilds_within_its_memory(void **state)
{
    struct run r;

    (void)state;
    spine_run(&r, true);
    assert_true(r.facts.work > (uint64_t)(3 * SPINE + SPINE / 2) * LEN); /* some were made twice */
    assert_true(r.mem.peak < 3 << 20);
}

static void test_store_intake__rebuilds_nothing_when_it_knows_the_way(void **state)
{
    struct run r;

    (void)state;
    spine_run(&r, false);
    /* Each once, the root twice, and the deltas. */
    assert_true(r.facts.work < (uint64_t)(3 * SPINE + 3) * LEN);
    assert_true(r.mem.peak < 1 << 20);
}

static void test_store_intake__large_blobs_stream(void **state)
{
    enum { BLOB = 4 << 20 };
    uint8_t *body = malloc(BLOB);
    uint32_t seed = 1;
    struct maker k;
    struct run r;
    struct bough_oid id;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < BLOB; i++)
        body[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view(body, BLOB));
    maker_init(&k, BOUGH_SHA1, 1);
    add(&k, BOUGH_BLOB, bough_view(body, BLOB));
    bough_pack_writer_finish(&k.w);

    run_init(&r);
    r.feed = 10000;
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_memory_equal(&r.area.rows[0].id, &id, sizeof id);
    assert_true(r.mem.peak < 400 * 1024);
    run_fini(&r);

    run_init(&r); /* and stream by what the store has */
    r.budget = 100000;
    test_area_has(&r.area, &id, BOUGH_BLOB, bough_view(body, BLOB));
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_true(r.area.rows[0].known);
    assert_int_equal(r.area.compared, BLOB);
    assert_true(r.steps > 25);
    assert_true(r.mem.peak < 400 * 1024);
    run_fini(&r);

    run_init(&r);
    test_area_has(&r.area, &id, BOUGH_BLOB, bough_view(body, BLOB - 1));
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_EFORMAT);
    assert_string_equal(r.why.what, "collision with a stored object");
    run_fini(&r);
    maker_fini(&k);
    free(body);
}

/* ---- thin packs ---- */

static void test_store_intake__thin_packs_lead_into_the_store(void **state)
{
    uint8_t a[200], b[200], c[200];
    struct bough_oid id;
    struct maker k;

    (void)state;
    version(a, 100, 0);
    version(b, 100, 1);
    version(c, 100, 2);
    id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view(a, 140));
    maker_init(&k, BOUGH_SHA1, 2);
    add_ref(&k, bough_view(b, 140), bough_view(c, 140));
    add_ref(&k, bough_view(a, 140), bough_view(b, 140));
    bough_pack_writer_finish(&k.w);
    for (int complete = 0; complete < 2; complete++) {
        struct run r;

        run_init(&r);
        assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_EFORMAT);
        assert_string_equal(r.why.what, "delta base missing, or deltas in a circle");
        run_fini(&r);

        run_init(&r);
        r.complete = complete;
        test_area_has(&r.area, &id, BOUGH_BLOB, bough_view(a, 140));
        assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
        assert_int_equal(r.facts.count, 2 + complete);
        assert_int_equal(r.facts.area_len > k.pack.len, complete);
        assert_false(row_of(&r, BOUGH_SHA1, bough_view(b, 140))->completed);
        if (complete) {
            const struct bough_store__intake_row *row = row_of(&r, BOUGH_SHA1, bough_view(a, 140));
            assert_true(row->completed && row->known);
            assert_int_equal(row->at, k.pack.len);
            assert_int_equal(row->at + row->packed_len, r.area.raw_len);
        }
        run_fini(&r);
    }
    maker_fini(&k);
}

/* ---- what the store has ---- */

static void test_store_intake__compares_what_is_known(void **state)
{
    uint8_t v[200], other[200];
    struct maker k;

    (void)state;
    make_shapes(&k, BOUGH_SHA1);
    for (uint32_t i = 0; i < 7; i++) {
        struct bough_view body = version(v, 100, i);
        struct bough_oid id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, body);
        struct run r;

        run_init(&r);
        test_area_has(&r.area, &id, BOUGH_BLOB, body);
        assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
        assert_true(row_of(&r, BOUGH_SHA1, body)->known);
        assert_int_equal(r.facts.count, 7);
        run_fini(&r);

        run_init(&r); /* another object of the same id */
        test_area_has(&r.area, &id, BOUGH_BLOB, version(other, 100, 99));
        assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_EFORMAT);
        assert_string_equal(r.why.what, "collision with a stored object");
        assert_int_equal(r.why.key_len, 40);
        run_fini(&r);

        run_init(&r); /* another type */
        test_area_has(&r.area, &id, BOUGH_TREE, body);
        assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_EFORMAT);
        run_fini(&r);
    }
    maker_fini(&k);
}

struct checker {
    uint64_t seen, whole;
    uint64_t refuse_at;
    enum bough_err answer;
};

static enum bough_err check(void *ctx, const struct bough_oid *id, enum bough_type type,
    uint64_t size, struct bough_view body, struct bough_why *why)
{
    struct checker *c = ctx;
    struct bough_oid want = bough_oid_of(BOUGH_SHA1, type, body);

    (void)why;
    if (body.ptr != NULL) {
        assert_int_equal(body.len, size);
        assert_true(bough_oid_eq(id, &want));
        c->whole++;
    } else {
        assert_true(type == BOUGH_BLOB && size > BOUGH_STORE__INTAKE_BODY_MAX);
    }
    return c->seen++ == c->refuse_at ? c->answer : BOUGH_OK;
}

static void test_store_intake__every_object_is_checked(void **state)
{
    static uint8_t big[LEN], bigger[LEN];
    struct checker c = {.refuse_at = UINT64_MAX};
    struct maker k;
    struct run r;
    uint64_t at;

    (void)state;
    version(big, LEN - 40, 1);
    version(bigger, LEN - 40, 2);
    maker_init(&k, BOUGH_SHA1, 5);
    add(&k, BOUGH_BLOB, bough_view(NULL, 0));
    add(&k, BOUGH_COMMIT, bough_view_str("small"));
    add(&k, BOUGH_TREE, bough_view(big, LEN));
    at = add(&k, BOUGH_BLOB, bough_view(big, LEN));
    add_ofs(&k, at, bough_view(big, LEN), bough_view(bigger, LEN));
    bough_pack_writer_finish(&k.w);
    run_init(&r);
    r.opts.check = check;
    r.opts.check_ctx = &c;
    assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), BOUGH_OK);
    assert_int_equal(c.seen, 5);
    assert_int_equal(c.whole, 3);
    run_fini(&r);
    for (uint64_t i = 0; i < 5; i++) {
        static const enum bough_err answers[] = {BOUGH_EFORMAT, BOUGH_ENOENT, BOUGH_EDENIED};

        for (size_t j = 0; j < 3; j++) {
            c = (struct checker){.refuse_at = i, .answer = answers[j]};
            run_init(&r);
            r.opts.check = check;
            r.opts.check_ctx = &c;
            assert_int_equal(run(&r, BOUGH_SHA1, bough_buf_view(&k.pack)), answers[j]);
            run_fini(&r);
        }
    }
    maker_fini(&k);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_intake__finds_every_object_at_any_pace),
        cmocka_unit_test(test_store_intake__an_empty_pack_is_legal),
        cmocka_unit_test(test_store_intake__chains_of_50000_work),
        cmocka_unit_test(test_store_intake__drops_and_rebuilds_within_its_memory),
        cmocka_unit_test(test_store_intake__rebuilds_nothing_when_it_knows_the_way),
        cmocka_unit_test(test_store_intake__large_blobs_stream),
        cmocka_unit_test(test_store_intake__thin_packs_lead_into_the_store),
        cmocka_unit_test(test_store_intake__compares_what_is_known),
        cmocka_unit_test(test_store_intake__every_object_is_checked),
    };

    return cmocka_run_group_tests_name("store/intake", tests, NULL, NULL);
}
