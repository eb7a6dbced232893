/*
 * test_collect_intake.c - space comes back while packs are being received.
 *
 * Goal: a pack that is on its way, for however long, does not keep a collection from ending, nor
 * writers from the space it gives; what the pack has that a collection dropped meanwhile is there
 * when it is adopted, and a base that went is missed, not guessed; and where a pack finds no room
 * though garbage is there, it gets that room.
 * Method: packs that stop in the middle while branches are dropped and collected.
 */
#include "git/pack.h"
#include "tests/lib/bulk.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024 };

struct fix {
    struct log_bed b;
    struct bough_intake *in;
    struct bough_buf pack;
    size_t fed;
};

static struct fix *fix_new(uint32_t zones)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.cache = 256 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, (size_t)zones * ZONE, format, opts);
    bough_buf_init(&f->pack, bough_posix_mem());
    return f;
}

static void fix_free(struct fix *f)
{
    bough_buf_fini(&f->pack);
    log_bed_end(&f->b);
    free(f);
}

/* Values from number `first` of seed `seed` on; the last one, if told so, is a delta on that base. */
static void pack_make(struct fix *f, uint64_t seed, uint32_t n, const struct bough_view *base)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = BULK_VALUE};
    struct bough_pack_writer w;
    uint8_t body[BULK_VALUE];

    bough_buf_clear(&f->pack);
    bough_pack_writer_init(&w, &f->pack, f->b.s->algo, n + (base != NULL));
    for (uint32_t i = 0; i < n; i++)
        bough_pack_writer_put(&w, &head, bulk_value(body, (seed << 20) + i), 1);
    if (base != NULL) {
        struct bough_buf delta;
        struct bough_delta_builder d;

        bough_buf_init(&delta, bough_posix_mem());
        bough_delta_begin(&d, &delta, base->len, base->len / 2);
        bough_delta_copy(&d, 0, base->len / 2);
        bough_delta_end(&d);
        head = (struct bough_entry_head){.type = BOUGH_REF_DELTA, .size = delta.len};
        head.base = bough_oid_of(f->b.s->algo, BOUGH_BLOB, *base);
        bough_pack_writer_put(&w, &head, bough_buf_view(&delta), 1);
        bough_buf_fini(&delta);
    }
    bough_pack_writer_finish(&w);
    OK(bough_store_intake(f->b.s, NULL, &f->in));
    f->fed = 0;
}

static enum bough_err pack_feed(struct fix *f, size_t upto)
{
    enum bough_err err = BOUGH_OK;
    size_t used;

    for (; f->fed < upto && !err; f->fed += used) {
        size_t n = upto - f->fed < 40000 ? upto - f->fed : 40000;
        err = bough_intake_feed(f->in, bough_view(f->pack.ptr + f->fed, n), &used);
    }
    return err;
}

static enum bough_err pack_end(struct fix *f)
{
    struct bough_txn *t;
    enum bough_err err = pack_feed(f, f->pack.len);

    while (!err && (err = bough_intake_step(f->in, 100000)) == BOUGH_EAGAIN)
        err = BOUGH_OK;
    if (!err)
        err = bough_txn_begin(f->b.s, &t);
    if (err) {
        bough_intake_close(f->in);
        return err;
    }
    err = bough_txn_adopt(t, f->in);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

/* Collect; it must end, and give something. */
static void collect(struct fix *f)
{
    struct bough_collect_opts now = {.grace = 0};
    struct bough_collect_progress p, was;

    bough_store_collection(f->b.s, &was);
    OK(history_collect(f->b.s, &now, 20000));
    bough_store_collection(f->b.s, &p);
    assert_int_equal(p.collections, was.collections + 1);
    assert_true(p.freed_bytes > 0);
}

static void value_is(struct fix *f, uint64_t seed, bool there)
{
    uint8_t want[BULK_VALUE];
    struct bough_view v = bulk_value(want, seed);
    struct bough_oid id = bough_oid_of(f->b.s->algo, BOUGH_BLOB, v);
    struct bough_buf got;
    enum bough_type type;

    bough_buf_init(&got, bough_posix_mem());
    assert_int_equal(bough_store_read(f->b.s, &id, &type, &got), there ? BOUGH_OK : BOUGH_ENOENT);
    if (there)
        assert_true(bough_view_eq(bough_buf_view(&got), v));
    bough_buf_fini(&got);
}

static void test_intake__what_goes_meanwhile_comes_with_the_pack(void **state)
{
    static const uint32_t sizes[] = {20, 150}; /* copied into frames; a segment of its own */

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct fix *f = fix_new(200);

        OK(bulk_branch(f->b.s, "refs/heads/keep", 1, 50));
        OK(bulk_branch(f->b.s, "refs/heads/drop", 2, 300));
        pack_make(f, 2, sizes[k], NULL); /* all of it is known now */
        OK(pack_feed(f, f->pack.len * 3 / 4));
        OK(bulk_drop(f->b.s, "refs/heads/drop"));
        collect(f);
        value_is(f, (2 << 20) + 3, false);
        OK(pack_end(f));
        for (uint32_t i = 0; i < sizes[k]; i++)
            value_is(f, (2 << 20) + i, true);
        OK(bough_store_check(f->b.s, NULL, NULL));
        (void)history_closed(f->b.s);
        fix_free(f);
    }
}

static void test_intake__misses_a_base_that_went(void **state)
{
    struct fix *f = fix_new(200);
    uint8_t body[BULK_VALUE];
    struct bough_view base = bulk_value(body, (2 << 20) + 7);

    (void)state;
    OK(bulk_branch(f->b.s, "refs/heads/keep", 1, 50));
    OK(bulk_branch(f->b.s, "refs/heads/drop", 2, 300));
    pack_make(f, 5, 100, &base);
    OK(pack_feed(f, f->pack.len - 10)); /* the delta itself is there */
    OK(bulk_drop(f->b.s, "refs/heads/drop"));
    collect(f);
    assert_int_equal(pack_end(f), BOUGH_EFORMAT);
    OK(bough_store_check(f->b.s, NULL, NULL));
    (void)history_closed(f->b.s);
    fix_free(f);
}

/* Nor may it go once the intake has seen it. */
static void test_intake__keeps_a_base_that_it_saw(void **state)
{
    struct fix *f = fix_new(200);
    struct bough_collect_opts now = {.grace = 0};
    uint8_t body[BULK_VALUE];
    struct bough_view base = bulk_value(body, (2 << 20) + 7);
    struct bough_txn *t;

    (void)state;
    OK(bulk_branch(f->b.s, "refs/heads/keep", 1, 50));
    OK(bulk_branch(f->b.s, "refs/heads/drop", 2, 300));
    pack_make(f, 5, 100, &base);
    OK(pack_feed(f, f->pack.len));
    assert_int_equal(bough_intake_step(f->in, 1), BOUGH_EAGAIN);
    OK(bulk_drop(f->b.s, "refs/heads/drop"));
    while (bough_intake_step(f->in, 100) == BOUGH_EAGAIN)
        OK(history_collect(f->b.s, &now, 1 << 20));
    OK(history_collect(f->b.s, &now, 1 << 20));
    assert_true(f->in->done);
    OK(bough_txn_begin(f->b.s, &t));
    OK(bough_txn_adopt(t, f->in));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    value_is(f, (2 << 20) + 7, true);
    OK(history_collect(f->b.s, &now, 1 << 20));
    OK(bough_store_check(f->b.s, NULL, NULL));
    (void)history_closed(f->b.s);
    fix_free(f);
}

/* Writers beside a pack that never ends write three times the device. */
static void test_intake__that_stalls_holds_nobody_up(void **state)
{
    struct fix *f = fix_new(64);

    (void)state;
    pack_make(f, 9, 40, NULL);
    OK(pack_feed(f, f->pack.len / 2));
    for (uint32_t i = 0; i < 3 * 64 * ZONE / (20 * BULK_VALUE); i++)
        OK(bulk_branch(f->b.s, "refs/heads/one", 100 + i, 20));
    OK(pack_end(f));
    value_is(f, (9 << 20) + 39, true);
    fix_free(f);
}

/* What is garbage gives way to a pack that needs its room. */
static void test_intake__finds_the_room_that_gc_gives(void **state)
{
    (void)state;
    for (uint32_t zones = 56; zones <= 80; zones += 3) {
        uint32_t all = (zones - 20) * ZONE / BULK_VALUE;
        struct fix *f = fix_new(zones);

        OK(bulk_branch(f->b.s, "refs/heads/keep", 1, all / 5));
        OK(bulk_branch(f->b.s, "refs/heads/drop", 2, all / 2));
        OK(bulk_drop(f->b.s, "refs/heads/drop"));
        pack_make(f, 3, all * 3 / 5, NULL);
        OK(pack_end(f));
        value_is(f, 3 << 20, true);
        value_is(f, 1 << 20, true);
        OK(bough_store_check(f->b.s, NULL, NULL));
        fix_free(f);
    }
}

/* While what an intake saw must stay, giving up pins gives nothing: they are kept. */
static void test_intake__that_has_looked_costs_no_pins(void **state)
{
    struct fix *f = fix_new(64);
    struct bough_store_pin pin;
    struct bough_ref ref;
    enum bough_err err = BOUGH_OK;

    (void)state;
    OK(bulk_branch(f->b.s, "refs/heads/pinned", 1, 50));
    OK(bough_store_ref(f->b.s, bough_view_str("refs/heads/pinned"), &ref));
    bough_store_pin(f->b.s, &pin, &ref.id);
    OK(bulk_drop(f->b.s, "refs/heads/pinned"));
    pack_make(f, 9, 40, NULL);
    OK(pack_feed(f, f->pack.len));
    assert_int_equal(bough_intake_step(f->in, 1), BOUGH_EAGAIN);
    for (uint32_t i = 0; i < 3 * 64 * ZONE / (20 * BULK_VALUE) && !err; i++)
        err = bulk_branch(f->b.s, "refs/heads/one", 100 + i, 20);
    assert_int_equal(err, BOUGH_ENOSPC);
    assert_false(pin.expired);
    value_is(f, 1 << 20, true);
    bough_intake_close(f->in);
    bough_store_unpin(f->b.s, &pin);
    OK(bulk_branch(f->b.s, "refs/heads/one", 99, 20));
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intake__what_goes_meanwhile_comes_with_the_pack),
        cmocka_unit_test(test_intake__misses_a_base_that_went),
        cmocka_unit_test(test_intake__keeps_a_base_that_it_saw),
        cmocka_unit_test(test_intake__that_stalls_holds_nobody_up),
        cmocka_unit_test(test_intake__finds_the_room_that_gc_gives),
        cmocka_unit_test(test_intake__that_has_looked_costs_no_pins),
    };

    return cmocka_run_group_tests_name("sim/collect intake", tests, NULL, NULL);
}
