/*
 * test_store_mem.c - the memory engine's own promises.
 *
 * Goal: what the conformance suite (tests/conform/test_store_*.c) cannot say of all engines.
 * Method: a store on memory that counts; thousands of objects through the table's growth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "git/delta.h"
#include "git/pack.h"
#include "store/mem.h"
#include "tests/lib/env.h"

struct fix {
    struct test_env t;
    struct bough_store *s;
};

static int setup(void **state)
{
    static struct fix f;

    test_env_init(&f.t);
    assert_int_equal(bough_mem_store_open(&f.t.env, BOUGH_SHA1, &f.s), BOUGH_OK);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    bough_store_close(f->s);
    test_env_done(&f->t);
    return 0;
}

static struct bough_oid put_number(struct bough_txn *t, uint32_t x)
{
    uint8_t body[4];
    struct bough_oid id;

    bough_put32le(body, x);
    assert_int_equal(bough_txn_put(t, BOUGH_BLOB, bough_view(body, sizeof body), &id), BOUGH_OK);
    return id;
}

static void test_mem__begins_with_a_head_and_nothing_else(void **state)
{
    struct fix *f = *state;
    struct bough_store_stats stats;
    struct bough_ref ref;

    assert_int_equal(bough_store_ref(f->s, bough_view_str("HEAD"), &ref), BOUGH_OK);
    assert_int_equal(ref.kind, BOUGH_REF_SYM);
    assert_true(bough_view_eq(ref.target, bough_view_str("refs/heads/main")));
    assert_int_equal(bough_store_stat(f->s, &stats), BOUGH_OK);
    assert_int_equal(stats.objects, 0);
    assert_int_equal(stats.refs, 1);
}

static void test_mem__finds_each_of_thousands(void **state)
{
    enum { N = 5000, ROUND = 500 };
    struct fix *f = *state;
    struct bough_store_stats stats;
    struct bough_txn *t;
    struct bough_oid id;

    for (uint32_t i = 0; i < N;) {
        assert_int_equal(bough_txn_begin(f->s, &t), BOUGH_OK);
        for (uint32_t end = i + ROUND; i < end; i++)
            put_number(t, i);
        assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), BOUGH_OK);
    }
    for (uint32_t i = 0; i < 2 * N; i++) {
        uint8_t body[4];
        struct bough_found found;
        bough_put32le(body, i);
        id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, bough_view(body, sizeof body));
        assert_int_equal(bough_store_find(f->s, &id, &found), i < N ? BOUGH_OK : BOUGH_ENOENT);
        if (i < N)
            assert_int_equal(found.where, i + 1);
    }
    assert_int_equal(bough_store_stat(f->s, &stats), BOUGH_OK);
    assert_int_equal(stats.objects, N);
    assert_int_equal(stats.used_bytes, 4 * N);
    assert_int_equal(stats.commits, N / ROUND);
}

static void test_mem__gives_back_what_an_abort_held(void **state)
{
    struct fix *f = *state;
    size_t before = f->t.mem.used;
    struct bough_txn *t;

    assert_int_equal(bough_txn_begin(f->s, &t), BOUGH_OK);
    for (uint32_t i = 0; i < 100; i++)
        put_number(t, i);
    assert_true(f->t.mem.used > before);
    bough_txn_abort(t);
    assert_int_equal(f->t.mem.used, before);
}

static void test_mem__keeps_an_open_object_after_an_abort(void **state)
{
    struct fix *f = *state;
    struct bough_object *o;
    struct bough_txn *t;
    struct bough_oid id;
    uint8_t body[8];
    size_t got;

    assert_int_equal(bough_txn_begin(f->s, &t), BOUGH_OK);
    id = put_number(t, 7);
    assert_int_equal(bough_store_object_open(f->s, &id, &o), BOUGH_OK);
    bough_txn_abort(t);
    assert_int_equal(bough_object_read(o, 0, body, sizeof body, &got), BOUGH_OK);
    assert_int_equal(got, 4);
    assert_int_equal(bough_get32le(body), 7);
    bough_object_close(o);
}

/* A pack of one delta: the base without its first byte. */
static void push_thin(struct fix *f, struct bough_view base)
{
    struct bough_entry_head head = {
        .type = BOUGH_REF_DELTA,
        .base = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, base),
    };
    struct bough_pack_writer w;
    struct bough_delta_builder d;
    struct bough_buf delta, pack;
    struct bough_intake *in;
    struct bough_txn *t;
    size_t used;

    bough_buf_init(&delta, &f->t.mem.mem);
    bough_buf_init(&pack, &f->t.mem.mem);
    bough_delta_begin(&d, &delta, base.len, base.len - 1);
    bough_delta_copy(&d, 1, base.len - 1);
    bough_delta_end(&d);
    head.size = delta.len;
    bough_pack_writer_init(&w, &pack, BOUGH_SHA1, 1);
    bough_pack_writer_put(&w, &head, bough_buf_view(&delta), 1);
    bough_pack_writer_finish(&w);
    assert_int_equal(bough_store_intake(f->s, NULL, &in), BOUGH_OK);
    assert_int_equal(bough_intake_feed(in, bough_buf_view(&pack), &used), BOUGH_OK);
    assert_int_equal(bough_intake_step(in, UINT64_MAX), BOUGH_OK);
    assert_int_equal(bough_txn_begin(f->s, &t), BOUGH_OK);
    assert_int_equal(bough_txn_adopt(t, in), BOUGH_OK);
    assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), BOUGH_OK);
    bough_buf_fini(&delta);
    bough_buf_fini(&pack);
}

static void test_mem__makes_thin_deltas_whole(void **state)
{
    enum { LEN = 2000, PUSHES = 20 };
    struct fix *f = *state;
    static uint8_t body[LEN];
    struct bough_store_stats stats;
    struct bough_oid id;
    struct bough_txn *t;
    uint64_t want = LEN;

    for (size_t i = 0; i < LEN; i++)
        body[i] = (uint8_t)test_random(&f->t.seed);
    assert_int_equal(bough_txn_begin(f->s, &t), BOUGH_OK);
    assert_int_equal(bough_txn_put(t, BOUGH_BLOB, bough_view(body, LEN), &id), BOUGH_OK);
    assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), BOUGH_OK);
    for (size_t i = 0; i < PUSHES; i++) {
        push_thin(f, bough_view(body + i, LEN - i));
        want += LEN - i - 1; /* not a chain of deltas, one longer with each push */
    }
    assert_int_equal(bough_store_stat(f->s, &stats), BOUGH_OK);
    assert_int_equal(stats.objects, PUSHES + 1);
    assert_int_equal(stats.used_bytes, want);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_mem__begins_with_a_head_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mem__finds_each_of_thousands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mem__gives_back_what_an_abort_held, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_mem__keeps_an_open_object_after_an_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mem__makes_thin_deltas_whole, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/mem", tests, NULL, NULL);
}
