/*
 * test_store_calls.c - the calls on a store hold for any engine.
 *
 * Goal: defaults for absent methods, and the end of writing after an I/O error.
 * Method: an engine with the fewest methods there can be, of one object, whose commit and sync
 * answer what the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/engine.h"
#include "store/store.h"
#include "tests/lib/env.h"

struct fake {
    struct bough_store store;
    struct bough_txn txn;
    struct bough_oid id;
    struct bough_view body;
    enum bough_err read, commit, sync;
    uint32_t commits, aborts, closes;
};

static struct fake *fake_of(struct bough_store *s)
{
    return (struct fake *)s; /* store is the first field */
}

static void fake_close(struct bough_store *s)
{
    fake_of(s)->closes++;
}

static enum bough_err fake_find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out)
{
    if (!bough_oid_eq(id, &fake_of(s)->id))
        return BOUGH_ENOENT;
    *out = (struct bough_found){.type = BOUGH_BLOB, .size = fake_of(s)->body.len};
    return BOUGH_OK;
}

static enum bough_err fake_read(struct bough_store *s, uint64_t where, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    assert_int_equal(where, 0);
    if (!bough_oid_eq(id, &fake_of(s)->id))
        return BOUGH_ENOENT;
    *type = BOUGH_BLOB;
    bough_buf_put_view(out, fake_of(s)->body);
    return fake_of(s)->read;
}

static enum bough_err fake_each(struct bough_store *s, bough_store_each_fn *fn, void *ctx)
{
    struct bough_found found;
    enum bough_err err = fake_find(s, &fake_of(s)->id, &found);

    return err ? err : fn(ctx, &fake_of(s)->id, &found);
}

static enum bough_err fake_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    (void)s;
    (void)name;
    (void)out;
    return BOUGH_ENOENT;
}

static enum bough_err fake_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    (void)after;
    return fake_ref(s, prefix, out);
}

static enum bough_err fake_commit(struct bough_txn *t, enum bough_durable how)
{
    (void)how;
    fake_of(t->store)->commits++;
    return fake_of(t->store)->commit;
}

static void fake_abort(struct bough_txn *t)
{
    fake_of(t->store)->aborts++;
}

static enum bough_err fake_begin(struct bough_store *s, struct bough_txn **out)
{
    static const struct bough_txn_class cls = {.commit = fake_commit, .abort = fake_abort};
    struct fake *f = fake_of(s);

    f->txn = (struct bough_txn){.cls = &cls, .store = s};
    *out = &f->txn;
    return BOUGH_OK;
}

static enum bough_err fake_sync(struct bough_store *s)
{
    return fake_of(s)->sync;
}

static const struct bough_store_class fake_class = {
    .name = "fake",
    .close = fake_close,
    .find = fake_find,
    .read = fake_read,
    .each = fake_each,
    .ref = fake_ref,
    .ref_next = fake_ref_next,
    .begin = fake_begin,
    .sync = fake_sync,
};

struct fix {
    struct test_env t;
    struct fake f;
    struct bough_store *s;
};

static int setup(void **state)
{
    static struct fix x;

    x = (struct fix){.s = &x.f.store};
    test_env_init(&x.t);
    x.f.store = (struct bough_store){
        .cls = &fake_class,
        .env = &x.t.env,
        .algo = BOUGH_SHA1,
        .object_max = BOUGH_OBJECT_MAX_DEFAULT,
    };
    x.f.body = bough_view_str("0123456789");
    x.f.id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, x.f.body);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    bough_store_close(x->s);
    assert_int_equal(x->f.closes, 1);
    test_env_done(&x->t);
    return 0;
}

static void count(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)what;
    assert_int_equal(err, BOUGH_ECORRUPT);
    assert_int_equal(key.len, 40);
    ++*(int *)ctx;
}

static void test_store_calls__absent_methods_have_defaults(void **state)
{
    struct fix *x = *state;
    struct bough_store_stats stats;
    struct bough_store *reader;
    struct bough_intake *in;
    struct bough_entry entry;
    struct bough_oid ids[2];
    uint8_t part[4];
    size_t n;
    bool more = true;
    int reports = 0;

    assert_int_equal(bough_store_has(x->s, &x->f.id), BOUGH_OK);
    assert_int_equal(bough_store_read_part(x->s, &x->f.id, 8, part, 4, &n), BOUGH_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(part, "89", 2);
    assert_int_equal(bough_store_read_part(x->s, &x->f.id, 1, part, 4, &n), BOUGH_OK);
    assert_memory_equal(part, "1234", 4); /* stays open: close sees to it */
    assert_int_equal(bough_store_abbrev(x->s, &x->f.id, 7, ids, 2, &n), BOUGH_OK);
    assert_int_equal(n, 1);
    assert_int_equal(bough_store_entry(x->s, &x->f.id, &entry), BOUGH_ENOTSUP);
    assert_int_equal(bough_store_intake(x->s, NULL, &in), BOUGH_ENOTSUP);
    assert_int_equal(bough_store_reader(x->s, NULL, &reader), BOUGH_ENOTSUP);
    assert_int_equal(bough_store_maintain(x->s, 1, &more), BOUGH_OK);
    assert_false(more);
    assert_int_equal(bough_store_stat(x->s, &stats), BOUGH_OK);
    assert_int_equal(stats.objects, 0);
    assert_int_equal(bough_store_check(x->s, count, &reports), BOUGH_OK);
    x->f.id.bytes[0] ^= 1; /* now the body is not what the id says */
    assert_int_equal(bough_store_check(x->s, count, &reports), BOUGH_ECORRUPT);
    assert_int_equal(reports, 1);
}

static void test_store_calls__a_failed_read_appends_nothing(void **state)
{
    struct fix *x = *state;
    enum bough_type type = BOUGH_TAG;
    struct bough_buf out;

    bough_buf_init(&out, &x->t.mem.mem);
    bough_buf_put_str(&out, "before");
    x->f.read = BOUGH_ECORRUPT; /* found out at the end, say */
    assert_int_equal(bough_store_read(x->s, &x->f.id, &type, &out), BOUGH_ECORRUPT);
    assert_true(bough_view_eq(bough_buf_view(&out), bough_view_str("before")));
    assert_int_equal(type, BOUGH_TAG);
    assert_int_equal(x->s->why.err, BOUGH_ECORRUPT);
    assert_int_equal(x->s->why.key_len, 40);
    x->f.read = BOUGH_OK;
    out.len_max = 15; /* no room for all of it */
    assert_int_equal(bough_store_read(x->s, &x->f.id, &type, &out), BOUGH_ETOOBIG);
    assert_int_equal(out.len, 6);
    bough_buf_fini(&out);
}

static void test_store_calls__no_write_follows_a_failed_one(void **state)
{
    static const enum bough_err errors[] = {BOUGH_EIO, BOUGH_EGONE};
    struct fix *x = *state;
    struct bough_txn *t;

    for (size_t i = 0; i < 4; i++) {
        enum bough_err want = errors[i / 2];
        x->s->failed = BOUGH_OK;
        x->f.commit = i % 2 ? want : BOUGH_OK;
        x->f.sync = i % 2 ? BOUGH_OK : want;
        assert_int_equal(bough_txn_begin(x->s, &t), BOUGH_OK);
        if (i % 2 == 0)
            assert_int_equal(bough_store_sync(x->s), want);
        assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), want);
        assert_int_equal(bough_txn_begin(x->s, &t), want);
        assert_int_equal(bough_store_sync(x->s), want);
        assert_int_equal(x->s->why.err, want);
    }
    assert_int_equal(x->f.commits, 2); /* after a failed sync it was not even tried */
    assert_int_equal(x->f.aborts, 2);
}

static void test_store_calls__writing_goes_on_after_other_errors(void **state)
{
    struct fix *x = *state;
    struct bough_txn *t;

    x->f.commit = BOUGH_ENOSPC;
    assert_int_equal(bough_txn_begin(x->s, &t), BOUGH_OK);
    assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), BOUGH_ENOSPC);
    x->f.commit = BOUGH_OK;
    assert_int_equal(bough_txn_begin(x->s, &t), BOUGH_OK);
    assert_int_equal(bough_txn_commit(t, BOUGH_DURABLE_NOW), BOUGH_OK);
}

static void test_store_calls__records_need_an_engine_that_keeps_them(void **state)
{
    struct fix *x = *state;
    struct bough_txn *t;

    assert_int_equal(bough_txn_begin(x->s, &t), BOUGH_OK);
    assert_int_equal(
        bough_txn_record(t, bough_view_str("s"), bough_view_str("x"), NULL), BOUGH_ENOTSUP);
    assert_int_equal(bough_txn_retire(t, bough_view_str("s"), 1), BOUGH_ENOTSUP);
    bough_txn_abort(t);
    assert_int_equal(bough_store_records(x->s, NULL, NULL), BOUGH_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_store_calls__absent_methods_have_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_calls__a_failed_read_appends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_calls__no_write_follows_a_failed_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_calls__writing_goes_on_after_other_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_calls__records_need_an_engine_that_keeps_them, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/calls", tests, NULL, NULL);
}
