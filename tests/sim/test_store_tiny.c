/*
 * test_store_tiny.c - a store in a quarter of a megabyte.
 *
 * Goal: a store of some thousand keys on the log engine opens, is read and takes durable commits
 * within 256 KiB of heap, again and again.  Method: the store is made in ample memory; then it is
 * opened with the options that store/log/log.h names for small machines, over memory that gives out
 * 256 KiB and no more; keys are read, written, removed and listed, against what was written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kv/kv.h"
#include "store/log/log.h"
#include "tests/lib/env.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 4096, BYTES = 64 * 1024 * 1024, KEYS = 4000, HEAP = 256 * 1024 };

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device;
    struct bough_store *s;
    struct bough_repo *r;
    struct bough_kv *kv;
    struct bough_why why;
};

static const struct bough_log_open_opts tiny = {
    .cache = 64 * 1024, .table_rows = 256, .log_max = 256 * 1024, .prepare = 1};

static void open_all(struct fix *f, const struct bough_log_open_opts *opts, size_t cache)
{
    struct bough_repo_opts ropts = {.cache = cache};

    OK(bough_log_open(&f->ram.blk, &f->t.env, opts, &f->s, &f->why));
    OK(bough_repo_open(f->s, &ropts, &f->r));
    OK(bough_kv_branch_open(f->r, bough_view_str("main"), &f->kv));
}

static void close_all(struct fix *f)
{
    bough_kv_close(f->kv);
    bough_repo_close(f->r);
    bough_store_close(f->s);
}

static struct bough_view key_of(char dst[40], int i)
{
    return bough_view(dst, (size_t)snprintf(dst, 40, "d%d/e%d/key%d", i % 7, i % 40, i));
}

static struct bough_view value_of(char dst[80], int i, int round)
{
    return bough_view(dst, (size_t)snprintf(dst, 80, "value %d of round %d", i, round));
}

static void set_all(struct fix *f, int from, int n, int round)
{
    struct bough_info info = {
        .author = {.name = bough_view_str("T"), .mail = bough_view_str("t@x")}};

    OK(bough_kv_info(f->kv, &info));
    for (int i = from; i < from + n; i++) {
        char key[40], value[80];
        enum bough_err err =
            bough_kv_set(f->kv, key_of(key, i % KEYS), value_of(value, i % KEYS, round), NULL);
        if (err)
            fail_msg("set %d: %s (%s), %zu bytes of heap", i, bough_err_name(err), f->kv->why.what,
                f->t.mem.used);
    }
}

static void assert_value(struct fix *f, int i, int round)
{
    char key[40], value[80];
    struct bough_view want = value_of(value, i, round);
    struct bough_buf got;

    bough_buf_init(&got, &f->t.mem.mem);
    OK(bough_kv_get(f->kv, key_of(key, i), &got));
    assert_true(bough_view_eq(bough_buf_view(&got), want));
    bough_buf_fini(&got);
}

static void test_tiny__opens_reads_and_commits_in_256_kib(void **state)
{
    enum { ROUND = 150, ROUNDS = 4 };
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT};
    struct fix f = {.device = calloc(1, BYTES)};
    size_t most = 0;

    (void)state;
    assert_non_null(f.device);
    test_env_init(&f.t);
    bough_ramblk_init(&f.ram, f.device, BYTES / UNIT, UNIT);
    OK(bough_log_format(&f.ram.blk, &f.t.env, &format, &f.why));
    open_all(&f, &tiny, 0);
    OK(bough_repo_gather_begin(f.r));
    set_all(&f, 0, KEYS, 0);
    OK(bough_repo_gather_end(f.r));
    close_all(&f);
    f.t.mem.limit = HEAP;
    f.t.mem.peak = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        open_all(&f, &tiny, 1);
        set_all(&f, round * ROUND, ROUND, round);
        for (int i = 0; i < KEYS; i += 13) {
            int last = i / ROUND; /* the round that wrote it, or the first */
            assert_value(&f, i, last >= 1 && last <= round ? last : 0);
        }
        most = f.t.mem.peak > most ? f.t.mem.peak : most;
        close_all(&f);
    }
    print_message("%zu bytes of heap at most\n", most);
    assert_true(most <= HEAP);
    test_env_done(&f.t);
    free(f.device);
}

/* What is stored as it is goes to the device as it comes; to be read whole it does not fit, and says
   so; and the store goes on. */
static void test_tiny__a_value_larger_than_the_heap_is_read_in_parts(void **state)
{
    struct bough_log_format_opts format = {.algo = test_algo(), .granule = UNIT};
    static uint8_t big[512 * 1024];
    struct fix f = {.device = calloc(1, BYTES)};
    struct bough_buf out;
    uint64_t seed = 1;

    (void)state;
    assert_non_null(f.device);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)test_random(&seed);
    test_env_init(&f.t);
    bough_ramblk_init(&f.ram, f.device, BYTES / UNIT, UNIT);
    OK(bough_log_format(&f.ram.blk, &f.t.env, &format, &f.why));
    f.t.mem.limit = HEAP;
    open_all(&f, &tiny, 1);
    set_all(&f, 0, 50, 0);
    OK(bough_kv_set(f.kv, bough_view_str("big"), bough_view(big, sizeof big), NULL));
    bough_buf_init(&out, f.t.env.mem);
    assert_int_equal(bough_kv_get(f.kv, bough_view_str("big"), &out), BOUGH_ENOMEM);
    bough_buf_clear(&out);
    OK(bough_kv_get_part(f.kv, bough_view_str("big"), 300000, 1000, &out));
    assert_int_equal(out.len, 1000);
    assert_memory_equal(out.ptr, big + 300000, 1000);
    bough_buf_fini(&out);
    set_all(&f, 50, 50, 0);
    for (int i = 0; i < 100; i++)
        assert_value(&f, i, 0);
    close_all(&f);
    test_env_done(&f.t);
    free(f.device);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny__opens_reads_and_commits_in_256_kib),
        cmocka_unit_test(test_tiny__a_value_larger_than_the_heap_is_read_in_parts),
    };

    return cmocka_run_group_tests_name("sim/store tiny", tests, NULL, NULL);
}
