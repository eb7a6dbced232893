/*
 * test_repo_drain.c - a full store can be emptied, key by key.
 *
 * Goal: where keys were set and removed until a device is full, each key can be removed, at once and
 * without a collection that somebody asks for, however little of it lives; what is left reads well.
 * Method: random values under short retention on devices of odd shapes, some mounts in between; full three
 * times over, all or half of the keys go; then again.  LONG=1: more of it.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/posix.h"
#include "block/block.h"
#include "kv/kv.h"
#include "store/log/log.h"
#include "tests/lib/env.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { KEYS = 4000, VALUE_MAX = 50000, FULL = 3, WRITES = 3000 };

struct shape {
    uint64_t bytes;
    uint32_t unit, granule, zone; /* granule, zone 0: as they are chosen */
    uint32_t keep, value_max, mount, keys;
    uint32_t
        window; /* ms that writes wait to become a commit, which nobody makes them: there is no tick() */
};

static const struct shape shapes[] = {
    {1021952, 512, 0, 0, 3, 18604, 152, 50, 0},
    {1436672, 512, 1024, 0, 2, 8210, 160, 4000, 0},
    {1389568, 512, 8192, 65536, 3, 16363, 110, 4000, 0},
    {881664, 512, 0, 0, 1, 30219, 1, 50, 50},
    {1733120, 512, 1024, 0, 2, 48937, 1, 4000, 50},
    {4206592, 512, 0, 131072, 1, 48053, 204, 4000, 50},
    {2555392, 512, 1024, 0, 3, 2987, 277, 4000, 0},
    {18391040, 4096, 4096, 0, 1, 11352, 62, 4000, 0},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

struct fix {
    const struct shape *shape;
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device;
    struct bough_store *s;
    struct bough_repo *repo;
    struct bough_kv *kv;
    struct bough_why why;
    uint64_t seed;
    uint32_t len[KEYS]; /* plus one; 0: there is none */
    uint32_t tag[KEYS];
    uint32_t tags;
};

static uint32_t draw(struct fix *f, uint32_t n)
{
    return (uint32_t)(test_random(&f->seed) % n);
}

static void fix_open(struct fix *f)
{
    struct bough_log_open_opts log = {.cache = 1 << 20};
    struct bough_repo_opts opts = {.cache = 1 << 20, .window.time_ms = f->shape->window};

    OK(bough_log_open(&f->ram.blk, &f->t.env, &log, &f->s, &f->why));
    OK(bough_repo_open(f->s, &opts, &f->repo));
    OK(bough_kv_branch_open(f->repo, bough_view_str("main"), &f->kv));
}

static void fix_close(struct fix *f)
{
    bough_kv_close(f->kv);
    bough_repo_close(f->repo);
    bough_store_close(f->s);
}

/* NULL: there can be no store of that shape. */
static struct fix *fix_new(const struct shape *shape, uint64_t seed)
{
    struct bough_log_format_opts format = {
        .algo = test_algo(), .granule = shape->granule, .zone = shape->zone};
    struct bough_keep keep = {.refs = bough_view_str("main"), .commits = shape->keep};
    struct fix *f = calloc(1, sizeof *f);
    enum bough_err err;

    assert_non_null(f);
    f->shape = shape;
    f->seed = seed;
    f->device = calloc(1, shape->bytes);
    assert_non_null(f->device);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, shape->bytes / shape->unit, shape->unit);
    err = bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why);
    if (err) {
        assert_int_equal(err, BOUGH_ENOSPC); /* too small for its zones */
        test_env_done(&f->t);
        free(f->device);
        free(f);
        return NULL;
    }
    fix_open(f);
    OK(bough_repo_keep_set(f->repo, &keep));
    return f;
}

static void fix_free(struct fix *f)
{
    OK(bough_store_check(f->s, NULL, NULL));
    fix_close(f);
    test_env_done(&f->t);
    free(f->device);
    free(f);
}

static struct bough_view key_of(char dst[32], uint32_t k)
{
    int n = snprintf(dst, 32, "a/b%u/k%u", k % 13, k);

    return bough_view(dst, (size_t)n);
}

static struct bough_view value_of(uint8_t *dst, uint32_t k, uint32_t tag, uint32_t len)
{
    uint64_t seed = (uint64_t)k << 32 | tag;

    for (uint32_t i = 0; i < len; i++)
        dst[i] = (uint8_t)test_random(&seed);
    return bough_view(dst, len);
}

/* ---- Fill, drain ---- */

static void now_and_then(struct fix *f)
{
    bool more = true;

    f->t.time.sec += draw(f, 3) == 0;
    if (draw(f, f->shape->mount) == 0) {
        fix_close(f);
        fix_open(f);
    }
    for (uint32_t i = 0; more && i < 5 && draw(f, 20) == 0; i++)
        OK(bough_repo_maintain(f->repo, 1 << 16, &more));
}

static void remove_one(struct fix *f, uint32_t k)
{
    char key[32];
    enum bough_err err = bough_kv_remove(f->kv, key_of(key, k));

    if (err)
        fail_msg("seed %llu, %llu bytes: remove: %s: %s", (unsigned long long)f->seed,
            (unsigned long long)f->shape->bytes, bough_err_name(err), f->kv->why.what);
    f->len[k] = 0;
}

static enum bough_err set_one(struct fix *f, uint32_t k)
{
    static uint8_t value[VALUE_MAX];
    uint32_t len = draw(f, draw(f, 8) == 0 ? 20 : f->shape->value_max);
    char key[32];
    enum bough_err err;

    err = bough_kv_set(f->kv, key_of(key, k), value_of(value, k, f->tags, len), NULL);
    if (!err) {
        f->len[k] = len + 1;
        f->tag[k] = f->tags;
    }
    f->tags++;
    return err;
}

static void fill(struct fix *f)
{
    uint32_t full = 0;

    for (uint32_t i = 0; i < WRITES && full < FULL; i++) {
        uint32_t k = draw(f, f->shape->keys);

        if (draw(f, 6) == 0 && f->len[k] > 0) {
            remove_one(f, k);
        } else {
            enum bough_err err = set_one(f, k);

            assert_true(err == BOUGH_OK || err == BOUGH_ENOSPC);
            full = err ? full + 1 : 0;
        }
        now_and_then(f);
    }
}

static void look(struct fix *f)
{
    static uint8_t value[VALUE_MAX];
    struct bough_buf got;

    bough_buf_init(&got, bough_posix_mem());
    for (uint32_t k = 0; k < f->shape->keys; k++) {
        char key[32];
        enum bough_err err;

        bough_buf_clear(&got);
        err = bough_kv_get(f->kv, key_of(key, k), &got);
        assert_int_equal(err, f->len[k] == 0 ? BOUGH_ENOENT : BOUGH_OK);
        if (!err)
            assert_true(
                bough_view_eq(bough_buf_view(&got), value_of(value, k, f->tag[k], f->len[k] - 1)));
    }
    bough_buf_fini(&got);
}

static void drain(struct fix *f, uint32_t one_of)
{
    for (uint32_t k = 0; k < f->shape->keys; k++) {
        if (f->len[k] == 0 || draw(f, one_of) != 0)
            continue;
        remove_one(f, k);
        now_and_then(f);
    }
}

/* ---- Tests ---- */

static void lives(const struct shape *shape, uint64_t seed, uint32_t phases)
{
    struct fix *f = fix_new(shape, seed);

    for (uint32_t phase = 0; f != NULL && phase < phases; phase++) {
        fill(f);
        look(f);
        drain(f, 1 + draw(f, 3));
    }
    if (f == NULL)
        return;
    look(f);
    fix_free(f);
}

static void test_repo__removes_on_a_full_device(void **state)
{
    uint64_t seeds = getenv("SEED") != NULL ? 0 : getenv("LONG") != NULL ? 12 : 1;

    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        for (uint64_t seed = 1; seed <= (i + 2 < SHAPES ? seeds : (seeds + 1) / 2); seed++)
            lives(&shapes[i], seed, i + 1 < SHAPES ? 6 : 3);
    }
}

/* Any shape that can be formatted. */
static struct shape shape_any(uint64_t *seed)
{
    struct shape s = {.unit = test_random(seed) % 4 == 0 ? 4096 : 512};
    uint64_t most;

    s.bytes =
        ((512 << 10) + test_random(seed) % 1000 * (test_random(seed) % 12000)) / s.unit * s.unit;
    if (test_random(seed) % 2 == 0)
        s.granule = 512u << (uint32_t)(test_random(seed) % 6);
    if (s.granule > 0 && s.granule < s.unit)
        s.granule = s.unit;
    if (test_random(seed) % 3 == 0)
        s.zone = 32768u << test_random(seed) % 4;
    if (s.zone < 8 * s.granule)
        s.zone = 0;
    s.keep = 1 + (uint32_t)(test_random(seed) % 3);
    most = s.bytes / 12 < VALUE_MAX ? s.bytes / 12 : VALUE_MAX;
    s.value_max = 1 + (uint32_t)(test_random(seed) % (test_random(seed) % 2 ? 3000 : most));
    s.mount = test_random(seed) % 4 == 0 ? 1 : 1 + (uint32_t)(test_random(seed) % 300);
    s.keys = test_random(seed) % 3 == 0 ? KEYS : 50;
    s.window = test_random(seed) % 3 == 0 ? 50 : 0;
    return s;
}

static void test_repo__removes_on_devices_of_any_shape(void **state)
{
    const char *one = getenv("SEED");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t shapes_n = one != NULL ? 1 : getenv("LONG") != NULL ? 200 : 3;

    (void)state;
    for (uint64_t i = first; i < first + shapes_n; i++) {
        uint64_t seed = i;
        struct shape s = shape_any(&seed);

        lives(&s, i, 4);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo__removes_on_a_full_device),
        cmocka_unit_test(test_repo__removes_on_devices_of_any_shape),
    };

    return cmocka_run_group_tests_name("sim/repo drain", tests, NULL, NULL);
}
