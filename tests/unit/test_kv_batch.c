/*
 * test_kv_batch.c - what scripts cannot reach of the key-value calls.
 *
 * Goal: a large batch needs little memory, also when it runs again; a part is set in a value that
 * leaves memory; a rename that runs again goes where it went; a callback runs again on the new state
 * and its re-runs are bounded; a copy carries values and modes in one commit; the callback of fold may
 * write; keys have one inner form.
 * Method: a branch on a log store on a device in memory, with counted memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "kv/kv.h"
#include "store/collect.h"
#include "store/log/log.h"
#include "tests/lib/env.h"

enum { DEVICE = 512 << 20, UNIT = 512 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    void *bytes;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_kv *kv;
};

static struct bough_view str(const char *text)
{
    return bough_view_str(text);
}

static int setup(void **state)
{
    struct fix *x = calloc(1, sizeof *x);
    struct bough_log_format_opts opts = {.algo = test_algo()};
    struct bough_why why;

    test_env_init(&x->t);
    x->bytes = calloc(1, DEVICE);
    assert_non_null(x->bytes);
    bough_ramblk_init(&x->ram, x->bytes, DEVICE / UNIT, UNIT);
    assert_int_equal(bough_log_format(&x->ram.blk, &x->t.env, &opts, &why), BOUGH_OK);
    assert_int_equal(bough_log_open(&x->ram.blk, &x->t.env, NULL, &x->store, &why), BOUGH_OK);
    assert_int_equal(bough_repo_open(x->store, NULL, &x->repo), BOUGH_OK);
    assert_int_equal(bough_kv_branch_open(x->repo, str("main"), &x->kv), BOUGH_OK);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    bough_kv_close(x->kv);
    bough_repo_close(x->repo);
    bough_store_close(x->store);
    test_env_done(&x->t);
    free(x->bytes);
    free(x);
    return 0;
}

/* The value of key number `n`. */
static void fill(uint8_t *value, size_t len, uint64_t n)
{
    for (size_t i = 0; i + 8 <= len; i += 8)
        bough_put64le(value + i, test_random(&n));
}

enum { VALUES = 1024, VALUE = 64 * 1024 }; /* 64 MiB */

/* Peak memory of a batch of 64 MiB, `moved` under it or not. */
static size_t batch_peak(struct fix *x, bool moved)
{
    static uint8_t value[VALUE];
    struct bough_kv *batch;
    size_t before = x->t.mem.used;
    char key[32];

    assert_int_equal(bough_kv_begin(x->kv, BOUGH_RETRY, &batch), BOUGH_OK);
    x->t.mem.peak = before;
    for (uint64_t n = 0; n < VALUES; n++) {
        fill(value, sizeof value, n);
        snprintf(key, sizeof key, "d%d/%d", (int)n / 32, (int)n);
        assert_int_equal(
            bough_kv_set(batch, str(key), bough_view(value, sizeof value), NULL), BOUGH_OK);
    }
    if (moved)
        assert_int_equal(bough_kv_set(x->kv, str("other"), str("moved"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_commit(batch), BOUGH_OK);
    return x->t.mem.peak - before;
}

static void values_check(struct fix *x)
{
    static uint8_t value[VALUE];
    struct bough_buf is;
    char key[32];

    bough_buf_init(&is, &x->t.mem.mem);
    for (uint64_t n = 0; n < VALUES; n += 37) {
        fill(value, sizeof value, n);
        snprintf(key, sizeof key, "d%d/%d", (int)n / 32, (int)n);
        bough_buf_clear(&is);
        assert_int_equal(bough_kv_get(x->kv, str(key), &is), BOUGH_OK);
        assert_true(bough_view_eq(bough_buf_view(&is), bough_view(value, sizeof value)));
    }
    bough_buf_fini(&is);
}

static void test_batch__large_needs_little_memory(void **state)
{
    struct fix *x = *state;

    assert_true(batch_peak(x, false) < 48u << 20);
    values_check(x);
}

static void test_batch__large_run_again_needs_little_memory(void **state)
{
    struct fix *x = *state;

    assert_true(batch_peak(x, true) < 48u << 20);
    values_check(x);
}

/* What is written is made of a value that leaves memory meanwhile. */
static void test_batch__part_of_a_value_that_is_spilled(void **state)
{
    enum { BIG = 1 << 20, OLD = 1000 };
    struct fix *x = *state;
    uint8_t *value = malloc(BIG);
    struct bough_kv *batch;
    struct bough_buf is;
    char key[32];

    assert_non_null(value);
    fill(value, BIG, 7);
    bough_buf_init(&is, &x->t.mem.mem);
    assert_int_equal(bough_kv_begin(x->kv, BOUGH_TEST_AND_SET, &batch), BOUGH_OK);
    for (int n = 0; n < 24; n++) { /* for each the bytes that wait are another number */
        snprintf(key, sizeof key, "part%d", n);
        assert_int_equal(bough_kv_set(batch, str(key), bough_view(value, OLD), NULL), BOUGH_OK);
        assert_int_equal(bough_kv_set(batch, str("big"), bough_view(value, BIG), NULL), BOUGH_OK);
        assert_int_equal(bough_kv_set_part(batch, str(key), 500, str("new"), NULL), BOUGH_OK);
    }
    assert_int_equal(bough_kv_commit(batch), BOUGH_OK);
    memcpy(value + 500, "new", 3);
    for (int n = 0; n < 24; n++) {
        snprintf(key, sizeof key, "part%d", n);
        bough_buf_clear(&is);
        assert_int_equal(bough_kv_get(x->kv, str(key), &is), BOUGH_OK);
        assert_true(bough_view_eq(bough_buf_view(&is), bough_view(value, OLD)));
    }
    bough_buf_fini(&is);
    free(value);
}

/* The dictionary that a rename led into goes meanwhile: what is written is where it was read. */
static void test_batch__rename_goes_where_it_went(void **state)
{
    struct fix *x = *state;
    struct bough_kv *batch;
    struct bough_buf is;

    bough_buf_init(&is, &x->t.mem.mem);
    assert_int_equal(bough_kv_set(x->kv, str("x"), str("moved"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("d/k"), str("old"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_begin(x->kv, BOUGH_TEST_AND_SET, &batch), BOUGH_OK);
    assert_int_equal(bough_kv_rename(batch, str("x"), str("d")), BOUGH_OK);
    assert_int_equal(bough_kv_get(batch, str("d/x"), &is), BOUGH_OK);
    assert_int_equal(bough_kv_remove(x->kv, str("d/k")), BOUGH_OK);
    assert_int_equal(bough_kv_commit(batch), BOUGH_OK);
    bough_buf_clear(&is);
    assert_int_equal(bough_kv_get(x->kv, str("d/x"), &is), BOUGH_OK);
    assert_true(bough_view_eq(bough_buf_view(&is), str("moved")));
    bough_buf_fini(&is);
}

struct counting {
    struct bough_kv *outside;
    int runs, moves; /* so often others write meanwhile */
};

/* Counts /n up, while others may do the same. */
static enum bough_err count_up(void *ctx, struct bough_kv *batch)
{
    struct counting *c = ctx;
    struct bough_buf is;
    char next[2] = "0";
    enum bough_err err;

    c->runs++;
    bough_buf_init(&is, batch->env->mem);
    err = bough_kv_get(batch, str("n"), &is);
    if (!err)
        next[0] = (char)(is.ptr[0] + 1);
    bough_buf_fini(&is);
    if (err)
        return err;
    if (c->runs <= c->moves) {
        char other[2] = {(char)('a' + c->runs), 0};

        assert_int_equal(bough_kv_set(c->outside, str("n"), str(other), NULL), BOUGH_OK);
    }
    return bough_kv_set(batch, str("n"), str(next), NULL);
}

static void test_batch__callback_runs_again_until_it_fits(void **state)
{
    struct fix *x = *state;
    struct counting c = {.moves = 3};
    struct bough_buf is;

    assert_int_equal(bough_kv_again(x->kv, &c.outside), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("n"), str("1"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_batch(x->kv, count_up, &c), BOUGH_OK);
    assert_int_equal(c.runs, 4);
    bough_buf_init(&is, &x->t.mem.mem);
    assert_int_equal(bough_kv_get(x->kv, str("n"), &is), BOUGH_OK);
    assert_true(bough_view_eq(bough_buf_view(&is), str("e"))); /* others left d */
    bough_buf_fini(&is);
    bough_kv_close(c.outside);
}

static void test_batch__callback_gives_up_after_so_many_retries(void **state)
{
    struct fix *x = *state;
    struct counting c = {.moves = 100};

    assert_int_equal(bough_kv_again(x->kv, &c.outside), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("n"), str("1"), NULL), BOUGH_OK);
    bough_kv_retries(x->kv, 2);
    assert_int_equal(bough_kv_batch(x->kv, count_up, &c), BOUGH_ERETRIES);
    assert_int_equal(x->kv->why.at, 2);
    assert_int_equal(c.runs, 3);
    assert_null(x->kv->batch);
    bough_kv_close(c.outside);
}

static void test_copy__carries_values_and_modes_in_one_commit(void **state)
{
    struct fix *x = *state;
    struct bough_set_opts exec = {.has_mode = true, .mode = BOUGH_MODE_EXEC};
    struct bough_oid head, before, a, b;
    struct bough_kv *mem;
    struct bough_walk *walk;
    struct bough_walk_opts o = {.tips = &head, .tips_n = 1};

    assert_int_equal(bough_kv_memory_open(&x->t.env, test_algo(), &mem), BOUGH_OK);
    assert_int_equal(bough_kv_set(mem, str("t/a/run"), str("#!"), &exec), BOUGH_OK);
    assert_int_equal(bough_kv_set(mem, str("t/b"), str(""), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_allocate(mem, str("t/big"), 3 << 20), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("old"), str("1"), NULL), BOUGH_OK);
    assert_int_equal(bough_branch_head(bough_kv_branch(x->kv), &before), BOUGH_OK);
    assert_int_equal(bough_kv_copy(mem, str("t"), x->kv, str("u/v"), NULL, NULL), BOUGH_OK);
    assert_int_equal(bough_kv_digest(mem, str("t"), &a), BOUGH_OK);
    assert_int_equal(bough_kv_digest(x->kv, str("u/v"), &b), BOUGH_OK);
    assert_true(bough_oid_eq(&a, &b));
    assert_int_equal(bough_branch_head(bough_kv_branch(x->kv), &head), BOUGH_OK);
    assert_int_equal(bough_walk_open(x->repo, &o, &walk), BOUGH_OK);
    assert_int_equal(bough_walk_next(walk, &a), BOUGH_OK);
    assert_int_equal(bough_walk_next(walk, &a), BOUGH_OK);
    assert_true(bough_oid_eq(&a, &before));
    bough_walk_close(walk);
    bough_kv_close(mem);
}

static enum bough_err double_it(void *ctx, const struct bough_kv_entry *e)
{
    struct bough_kv *kv = ctx;
    char key[64];

    snprintf(key, sizeof key, "copy%.*s", (int)e->key.len, (const char *)e->key.ptr);
    return e->kind == BOUGH_KIND_VALUE ? bough_kv_set(kv, str(key), str("2"), NULL) : BOUGH_OK;
}

static void test_fold__sees_what_was_when_it_began(void **state)
{
    struct fix *x = *state;
    enum bough_kind kind;

    assert_int_equal(bough_kv_set(x->kv, str("a/b"), str("1"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("z"), str("1"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_fold(x->kv, str(""), 0, double_it, x->kv), BOUGH_OK);
    assert_int_equal(bough_kv_exists(x->kv, str("copy/a/b"), &kind), BOUGH_OK);
    assert_int_equal(kind, BOUGH_KIND_VALUE);
    assert_int_equal(bough_kv_exists(x->kv, str("copy/copy"), &kind), BOUGH_OK);
    assert_int_equal(kind, BOUGH_KIND_NONE);
}

static void test_path__has_one_inner_and_one_printed_form(void **state)
{
    static const char *const forms[][3] = {
        {"", "", "/"},
        {"/", "", "/"},
        {"///", "", "/"},
        {"a", "a", "/a"},
        {"/a", "a", "/a"},
        {"a/", "a", "/a"},
        {"//a//b//", "a/b", "/a/b"},
        {"/a/./b", "a/./b", "/a/./b"},
        {"a b/c", "a b/c", "/a b/c"},
    };
    struct fix *x = *state;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct bough_buf printed;
        uint8_t inner[32];
        size_t n = bough_path_normal(str(forms[i][0]), inner);

        assert_true(bough_view_eq(bough_view(inner, n), str(forms[i][1])));
        bough_buf_init(&printed, &x->t.mem.mem);
        bough_path_print(&printed, str(forms[i][0]));
        assert_true(bough_view_eq(bough_buf_view(&printed), str(forms[i][2])));
        bough_buf_fini(&printed);
    }
}

/* What a store does when it needs room: snapshots are given up, oldest first. */
static void make_room(struct fix *x)
{
    while (x->store->oldest_pin != NULL) {
        struct bough_store_pin *p = x->store->oldest_pin;
        p->expired = true;
        bough_store_unpin(x->store, p);
    }
}

struct pressed {
    struct fix *x;
    uint32_t runs, times; /* that room was needed */
};

static enum bough_err under_pressure(void *ctx, struct bough_kv *batch)
{
    struct pressed *p = ctx;
    enum bough_err err = bough_kv_set(batch, str("a"), str("1"), NULL);

    p->runs++;
    if (p->times > 0) {
        p->times--;
        make_room(p->x);
    }
    return err ? err : bough_kv_set(batch, str("dir/b"), str("2"), NULL);
}

static void test_batch__runs_again_when_it_made_room(void **state)
{
    struct fix *x = *state;
    struct pressed p = {.x = x, .times = 3};
    struct bough_kv *batch;
    struct bough_buf is;

    assert_int_equal(bough_kv_set(x->kv, str("dir/old"), str("0"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_batch(x->kv, under_pressure, &p), BOUGH_OK);
    assert_int_equal(p.runs, 4);
    bough_kv_retries(x->kv, 2);
    p = (struct pressed){.x = x, .times = 100};
    assert_int_equal(bough_kv_batch(x->kv, under_pressure, &p), BOUGH_ERETRIES);
    assert_int_equal(p.runs, 3);
    assert_int_equal(bough_kv_begin(x->kv, BOUGH_RETRY, &batch), BOUGH_OK);
    assert_int_equal(bough_kv_set(batch, str("c"), str("3"), NULL), BOUGH_OK);
    make_room(x);
    assert_int_equal(bough_kv_commit(batch), BOUGH_OK);
    bough_buf_init(&is, &x->t.mem.mem);
    assert_int_equal(bough_kv_get(x->kv, str("c"), &is), BOUGH_OK);
    assert_true(bough_view_eq(bough_buf_view(&is), str("3")));
    bough_buf_fini(&is);
}

/* Collect all but the newest commit. */
static void collect(struct fix *x)
{
    struct bough_keep keep = {.refs = str("refs/heads/main"), .commits = 1};
    struct bough_collect_opts opts = {.grace = 0};
    bool more = true;

    assert_int_equal(bough_repo_keep_set(x->repo, &keep), BOUGH_OK);
    assert_int_equal(bough_repo_collect(x->repo, &opts, 0), BOUGH_OK);
    while (more)
        assert_int_equal(bough_repo_maintain(x->repo, 1 << 30, &more), BOUGH_OK);
}

/* Values that were put into the store, and what held them there was given up, may be gone. */
static void test_batch__does_not_name_values_that_went(void **state)
{
    enum { LEN = 9 << 20 };
    struct fix *x = *state;
    uint8_t *value = malloc(LEN);
    struct bough_kv *batch;
    struct bough_buf is;

    assert_non_null(value);
    fill(value, LEN, 5);
    assert_int_equal(bough_kv_set(x->kv, str("a"), bough_view(value, LEN), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_begin(x->kv, BOUGH_RETRY, &batch), BOUGH_OK);
    assert_int_equal(bough_kv_set(batch, str("a"), bough_view(value, LEN), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set(batch, str("b"), str("1"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("a"), str("other"), NULL), BOUGH_OK);
    make_room(x);
    collect(x);
    assert_int_equal(bough_kv_commit(batch), BOUGH_EEXPIRED);
    bough_buf_init(&is, &x->t.mem.mem);
    assert_int_equal(bough_kv_get(x->kv, str("a"), &is), BOUGH_OK);
    assert_true(bough_view_eq(bough_buf_view(&is), str("other")));
    bough_buf_fini(&is);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batch__large_needs_little_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_batch__large_run_again_needs_little_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_batch__part_of_a_value_that_is_spilled, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_batch__callback_runs_again_until_it_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_batch__callback_gives_up_after_so_many_retries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch__runs_again_when_it_made_room, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_batch__does_not_name_values_that_went, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_copy__carries_values_and_modes_in_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch__rename_goes_where_it_went, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fold__sees_what_was_when_it_began, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_path__has_one_inner_and_one_printed_form, setup, teardown),
    };

    return cmocka_run_group_tests_name("kv batch", tests, NULL, NULL);
}
