/*
 * test_store_intake.c - a received pack is indexed whole, or refused.
 *
 * Goal: every object of a pack is found with its id, place and checksum,
 * whatever the shape of its deltas, in the memory allowed, at any budget of a
 * step; packs that lie, circle, explode or collide are refused, and nothing
 * leaks then.  Method: packs made entry by entry over a host in memory (git's
 * own packs are in tests/interop); test memory counts and fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/delta.h"
#include "git/pack.h"
#include "store/intake.h"
#include "tests/lib/area.h"
#include "tests/lib/mem.h"

/* ---- packs made by hand ---- */

struct maker {
    struct test_mem mem;
    struct bough_buf pack, delta;
    struct bough_pack_writer w;
    enum bough_algo algo;
};

static void maker_init(struct maker *k, enum bough_algo algo, uint64_t count)
{
    test_mem_init(&k->mem);
    bough_buf_init(&k->pack, &k->mem.mem);
    bough_buf_init(&k->delta, &k->mem.mem);
    k->algo = algo;
    bough_pack_writer_init(&k->w, &k->pack, algo, count);
}

static void maker_fini(struct maker *k)
{
    bough_buf_fini(&k->pack);
    bough_buf_fini(&k->delta);
    test_mem_done(&k->mem);
}

/* A whole object; returns where it is. */
static uint64_t add(struct maker *k, enum bough_type type, struct bough_view body)
{
    struct bough_entry_head h = {.type = type};

    bough_pack_writer_put(&k->w, &h, body, 1);
    return k->w.entry_at;
}

/* A delta that makes `to` of `from` by the bytes that differ at the end. */
static struct bough_view delta_of(struct maker *k, struct bough_view from, struct bough_view to)
{
    struct bough_delta_builder b;
    size_t same = 0;

    while (same < from.len && same < to.len && from.ptr[same] == to.ptr[same])
        same++;
    bough_buf_clear(&k->delta);
    bough_delta_begin(&b, &k->delta, from.len, to.len);
    bough_delta_copy(&b, 0, same);
    bough_delta_insert(&b, bough_view(to.ptr + same, to.len - same));
    bough_delta_end(&b);
    return bough_buf_view(&k->delta);
}

static uint64_t add_ofs(
    struct maker *k, uint64_t base_at, struct bough_view from, struct bough_view to)
{
    struct bough_entry_head h = {.type = BOUGH_OFS_DELTA, .back = k->w.at - base_at};

    bough_pack_writer_put(&k->w, &h, delta_of(k, from, to), 1);
    return k->w.entry_at;
}

static uint64_t add_ref(struct maker *k, struct bough_view from, struct bough_view to)
{
    struct bough_entry_head h = {.type = BOUGH_REF_DELTA};

    h.base = bough_oid_of(k->algo, BOUGH_BLOB, from);
    bough_pack_writer_put(&k->w, &h, delta_of(k, from, to), 1);
    return k->w.entry_at;
}

/* ---- taking them in ---- */

struct run {
    struct test_mem mem;
    struct test_area area;
    struct bough_why why;
    struct bough_intake_opts opts;
    struct bough_store__intake_facts facts;
    bool complete;
    uint64_t budget, steps;
    size_t feed; /* bytes a call */
};

static void run_init(struct run *r)
{
    *r = (struct run){.budget = UINT64_MAX, .feed = SIZE_MAX};
    test_mem_init(&r->mem);
    test_area_init(&r->area);
}

static void run_fini(struct run *r)
{
    test_area_fini(&r->area);
    test_mem_done(&r->mem);
}

static enum bough_err feed_all(struct bough_store__intake *in, struct bough_view pack, size_t piece)
{
    while (pack.len > 0) {
        size_t n = pack.len < piece ? pack.len : piece, used;
        enum bough_err err = bough_store__intake_feed(in, bough_view(pack.ptr, n), &used);

        if (err)
            return err;
        if (used < n)
            break;
        pack = bough_view(pack.ptr + n, pack.len - n);
    }
    return bough_store__intake_facts(in).received ? BOUGH_OK : BOUGH_EAGAIN;
}

/* Every row can be looked up, is in order, and covers its bytes of the area. */
static void rows_check(struct run *r, const struct bough_store__intake *in)
{
    assert_int_equal(r->area.row_count, r->facts.count);
    for (uint64_t i = 0; i < r->facts.count; i++) {
        struct bough_store__intake_row row = bough_store__intake_row(in, i);
        uint64_t n = UINT64_MAX;

        assert_memory_equal(&row.id, &r->area.rows[i].id, sizeof row.id);
        assert_int_equal(bough_store__intake_find(in, &row.id, &n), BOUGH_OK);
        assert_int_equal(n, i);
        if (i > 0)
            assert_true(bough_oid_cmp(&r->area.rows[i - 1].id, &row.id) < 0);
        if (!r->area.discard)
            assert_int_equal(bough_crc32(0, r->area.raw + row.at, (size_t)row.packed_len), row.crc);
    }
}

static enum bough_err run(struct run *r, enum bough_algo algo, struct bough_view pack)
{
    struct bough_store__intake *in;
    enum bough_err err = bough_store__intake_open(
        &in, &r->mem.mem, algo, &r->area.host, &r->opts, r->complete, &r->why);

    if (err)
        return err;
    err = feed_all(in, pack, r->feed);
    if (!err) {
        do {
            err = bough_store__intake_step(in, r->budget);
            r->steps++;
        } while (err == BOUGH_EAGAIN);
    }
    r->facts = bough_store__intake_facts(in);
    assert_int_equal(r->facts.done, err == BOUGH_OK);
    if (!err)
        rows_check(r, in);
    bough_store__intake_close(in);
    return err;
}

/* The row of a blob of these bytes, or NULL. */
static const struct bough_store__intake_row *row_of(
    const struct run *r, enum bough_algo algo, struct bough_view body)
{
    struct bough_oid id = bough_oid_of(algo, BOUGH_BLOB, body);

    for (size_t i = 0; i < r->area.row_count; i++)
        if (bough_oid_eq(&r->area.rows[i].id, &id))
            return &r->area.rows[i];
    return NULL;
}

/* Version `n` of a text: 40 bytes that are its own after `common` that are not. */
static struct bough_view version(uint8_t *to, size_t common, uint32_t n)
{
    memset(to, 'c', common);
    memset(to + common, 'v', 40);
    bough_put32be(to + common, n);
    return bough_view(to, common + 40);
}

/* ---- shapes ---- */

/* A pack of every kind of base, in which each entry's content is version(100, entry). */
static void make_shapes(struct maker *k, enum bough_algo algo)
{
    uint8_t v[8][200];
    uint64_t at;

    for (uint32_t i = 0; i < 8; i++)
        version(v[i], 100, i);
    maker_init(k, algo, 8);
    add_ref(k, bough_view(v[1], 140), bough_view(v[0], 140)); /* base comes later, is a delta */
    at = add(k, BOUGH_BLOB, bough_view(v[2], 140));
    add_ref(k, bough_view(v[5], 140), bough_view(v[1], 140)); /* base comes later */
    at = add_ofs(k, at, bough_view(v[2], 140), bough_view(v[3], 140));
    add_ofs(k, at, bough_view(v[3], 140), bough_view(v[4], 140));
    add_ref(k, bough_view(v[2], 140), bough_view(v[5], 140));
    add_ofs(k, at, bough_view(v[3], 140), bough_view(v[6], 140));
    add(k, BOUGH_BLOB, bough_view(v[2], 140)); /* the same again */
    bough_pack_writer_finish(&k->w);
}

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
        cmocka_unit_test(test_store_intake__finds_every_object_at_any_pace),
        cmocka_unit_test(test_store_intake__an_empty_pack_is_legal),
        cmocka_unit_test(test_store_intake__chains_of_50000_work),
        cmocka_unit_test(test_store_intake__drops_and_rebuilds_within_its_memory),
        cmocka_unit_test(test_store_intake__rebuilds_nothing_when_it_knows_the_way),
        cmocka_unit_test(test_store_intake__large_blobs_stream),
        cmocka_unit_test(test_store_intake__thin_packs_lead_into_the_store),
        cmocka_unit_test(test_store_intake__compares_what_is_known),
        cmocka_unit_test(test_store_intake__every_object_is_checked),
        cmocka_unit_test(test_store_intake__circles_are_refused),
        cmocka_unit_test(test_store_intake__of_twins_the_one_that_leads_home_is_kept),
        cmocka_unit_test(test_store_intake__bases_must_be_entries_of_their_size),
        cmocka_unit_test(test_store_intake__bombs_do_not_go_off),
        cmocka_unit_test(test_store_intake__work_is_limited_not_only_size),
        cmocka_unit_test(test_store_intake__changed_anywhere_is_refused),
        cmocka_unit_test(test_store_intake__a_rotten_area_is_noticed),
        cmocka_unit_test(test_store_intake__survives_every_failure),
    };

    return cmocka_run_group_tests_name("store/intake", tests, NULL, NULL);
}
