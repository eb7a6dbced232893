/*
 * test_store_collect.c - who keeps what.
 *
 * Goal: pins stand in the order they were made in and leave it in any; the boundary is what
 * committed transactions say, whether it was asked for before or not.
 * Method: on the memory engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/collect.h"
#include "store/mem.h"
#include "tests/lib/env.h"

static struct bough_oid id_of(uint8_t byte)
{
    struct bough_oid id = {.bytes = {byte, 1}};

    return id;
}

static void test_store_collect__pins_leave_in_any_order(void **state)
{
    struct test_env t;
    struct bough_store *s;
    struct bough_store_pin a, b, c;
    struct bough_oid id = id_of(1);

    (void)state;
    test_env_init(&t);
    assert_int_equal(bough_mem_store_open(&t.env, BOUGH_SHA1, &s), BOUGH_OK);
    bough_store_pin(s, &a, &id);
    bough_store_pin(s, &b, &id);
    bough_store_pin(s, &c, &id);
    assert_ptr_equal(s->oldest_pin, &a);
    bough_store_unpin(s, &b);
    bough_store_unpin(s, &b);
    assert_ptr_equal(s->newest_pin->older, &a);
    assert_ptr_equal(s->oldest_pin->newer, &c);
    bough_store_unpin(s, &a);
    assert_ptr_equal(s->oldest_pin, &c);
    bough_store_unpin(s, &c);
    assert_null(s->oldest_pin);
    assert_null(s->newest_pin);
    bough_store_close(s);
    test_env_done(&t);
}

static void boundary_set(struct bough_store *s, uint8_t byte, bool on, bool commit)
{
    struct bough_oid id = id_of(byte);
    struct bough_txn *txn;

    assert_int_equal(bough_txn_begin(s, &txn), BOUGH_OK);
    assert_int_equal(bough_txn_boundary(txn, &id, on), BOUGH_OK);
    (void)bough_store_boundary(s, &id);
    if (commit)
        assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
    else
        bough_txn_abort(txn);
}

static void test_store_collect__the_boundary_is_what_was_committed(void **state)
{
    struct test_env t;
    struct bough_store *s;
    struct bough_oid one = id_of(1), two = id_of(2), out;

    (void)state;
    test_env_init(&t);
    assert_int_equal(bough_mem_store_open(&t.env, BOUGH_SHA1, &s), BOUGH_OK);
    assert_int_equal(bough_store_boundary(s, &one), BOUGH_ENOENT);
    boundary_set(s, 1, true, false);
    assert_int_equal(bough_store_boundary(s, &one), BOUGH_ENOENT);
    boundary_set(s, 2, true, true);
    boundary_set(s, 1, true, true);
    assert_int_equal(bough_store_boundary(s, &one), BOUGH_OK);
    assert_int_equal(bough_store_boundary_next(s, NULL, &out), BOUGH_OK);
    assert_true(bough_oid_eq(&out, &one));
    assert_int_equal(bough_store_boundary_next(s, &one, &out), BOUGH_OK);
    assert_true(bough_oid_eq(&out, &two));
    assert_int_equal(bough_store_boundary_next(s, &two, &out), BOUGH_ENOENT);
    boundary_set(s, 1, false, true);
    assert_int_equal(bough_store_boundary(s, &one), BOUGH_ENOENT);
    assert_int_equal(bough_store_boundary(s, &two), BOUGH_OK);
    bough_store_close(s);
    test_env_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_collect__pins_leave_in_any_order),
        cmocka_unit_test(test_store_collect__the_boundary_is_what_was_committed),
    };

    return cmocka_run_group_tests_name("store_collect", tests, NULL, NULL);
}
