/*
 * test_store_shapes.c - stores on devices of every size and unit.
 *
 * Goal: from 1 MiB to 64 TiB, with units of 512 to 65,536 bytes, a store is made, written, read and
 * opened again, in bounded memory and without looking at the whole device; a part of a device is a
 * device; one whose unit is larger than the granule, and one that takes no writes, can be read.
 * Method: a device that keeps only what was written, and counts; memory that counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/log/log.h"
#include "tests/lib/env.h"
#include "tests/sim/sparseblk.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { KIB = 1024, MIB = 1024 * KIB, VALUES = 40 };
static const uint64_t gib = (uint64_t)1 << 30, tib = (uint64_t)1 << 40;

struct fix {
    struct test_env t;
    struct bough_store *s;
    struct bough_why why;
};

static const struct bough_log_open_opts small = {
    .cache = 256 * KIB, .table_rows = 16, .log_max = 64 * KIB};

static size_t value(uint8_t dst[8 * KIB], uint64_t i)
{
    size_t len = 100 + i * 997 % (8 * KIB - 100);
    uint64_t seed = i;

    for (size_t at = 0; at < len; at++)
        dst[at] = (uint8_t)test_random(&seed);
    return len;
}

static enum bough_err commit(struct fix *f, uint64_t i)
{
    uint8_t body[8 * KIB];
    size_t len = value(body, i);
    char name[32];
    size_t name_len = (size_t)snprintf(name, sizeof name, "refs/heads/%d", (int)i);
    struct bough_ref_change c = {.name = bough_view(name, name_len), .kind = BOUGH_REF_ID};
    struct bough_txn *t;
    uint64_t seq;
    enum bough_err err = bough_txn_begin(f->s, &t);

    if (err)
        return err;
    err = bough_txn_put(t, BOUGH_BLOB, bough_view(body, len), &c.id);
    if (!err)
        err = bough_txn_ref(t, &c);
    if (!err)
        err = bough_txn_record(t, bough_view("r", 1), bough_view(body, 50), &seq);
    if (!err)
        err = bough_txn_retire(t, bough_view("r", 1), seq);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static void assert_values(struct fix *f, uint64_t n)
{
    uint8_t body[8 * KIB];
    struct bough_buf out;
    struct bough_ref ref;
    char name[32];

    bough_buf_init(&out, &f->t.mem.mem);
    for (uint64_t i = 0; i < n; i++) {
        size_t len = value(body, i);
        struct bough_oid id = bough_oid_of(f->s->algo, BOUGH_BLOB, bough_view(body, len));

        bough_buf_clear(&out);
        OK(bough_store_read(f->s, &id, NULL, &out));
        assert_true(bough_view_eq(bough_buf_view(&out), bough_view(body, len)));
        snprintf(name, sizeof name, "refs/heads/%d", (int)i);
        OK(bough_store_ref(f->s, bough_view_str(name), &ref));
        assert_true(bough_oid_eq(&ref.id, &id));
    }
    bough_buf_fini(&out);
}

static void open_store(struct fix *f, struct bough_block *dev)
{
    OK(bough_log_open(dev, &f->t.env, &small, &f->s, &f->why));
}

static void no_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)err;
    print_message("%s: %.*s\n", what, (int)key.len, (const char *)key.ptr);
}

/* Make, fill, open again. */
static void work(struct fix *f, struct bough_block *dev, const struct bough_log_format_opts *opts)
{
    OK(bough_log_format(dev, &f->t.env, opts, &f->why));
    open_store(f, dev);
    for (uint64_t i = 0; i < VALUES; i++)
        OK(commit(f, i));
    assert_values(f, VALUES);
    bough_store_close(f->s);
    open_store(f, dev);
    assert_values(f, VALUES);
    OK(commit(f, VALUES));
    OK(bough_store_check(f->s, no_report, NULL));
    bough_store_close(f->s);
}

static void test_log_shapes__every_size_and_unit(void **state)
{
    const uint64_t sizes[] = {MIB, 3 * MIB + 512, 16 * MIB, gib, 100 * gib + 12345, tib, 64 * tib};
    struct fix f;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint32_t unit = BOUGH_UNIT_MIN; unit <= BOUGH_UNIT_MAX; unit *= 2) {
            struct bough_log_format_opts opts = {.algo = i % 2 ? BOUGH_SHA256 : BOUGH_SHA1};
            struct sparseblk dev;

            test_env_init(&f.t);
            sparseblk_init(&dev, sizes[i], unit);
            if (sizes[i] / (8 * (uint64_t)unit) <
                16) { /* a zone has 8 granules, a store 16 zones */
                assert_int_equal(bough_log_format(&dev.blk, &f.t.env, &opts, &f.why), BOUGH_ENOSPC);
                assert_non_null(strstr(f.why.what, "16 zones"));
            } else if (unit <= 4096 || sizes[i] >= gib) { /* else there is room for fewer values */
                work(&f, &dev.blk, &opts);
            }
            sparseblk_fini(&dev);
            test_env_done(&f.t);
        }
    }
}

/* A million zones cost a byte each, and nothing looks at them all when it need not. */
static void test_log_shapes__the_largest_is_quick_and_takes_little(void **state)
{
    struct sparseblk dev;
    uint64_t read, written;
    struct fix f;

    (void)state;
    test_env_init(&f.t);
    sparseblk_init(&dev, 64 * tib, 4096);
    work(&f, &dev.blk, NULL);
    assert_true(dev.bytes_written < 16 * MIB);
    assert_true(dev.bytes_read < 16 * MIB);
    assert_true(f.t.mem.peak < 2 * MIB);
    read = dev.bytes_read;
    written = dev.bytes_written;
    open_store(&f, &dev.blk);
    assert_true(dev.bytes_read - read < 3 * MIB);
    assert_true(dev.bytes_written - written < 64 * KIB);
    bough_store_close(f.s);
    sparseblk_fini(&dev);
    test_env_done(&f.t);
}

static void test_log_shapes__granules_larger_than_the_unit(void **state)
{
    struct fix f;

    (void)state;
    for (uint32_t granule = 512; granule <= 65536; granule *= 2) {
        struct bough_log_format_opts opts = {.algo = test_algo(), .granule = granule, .zone = MIB};
        struct sparseblk dev;

        test_env_init(&f.t);
        sparseblk_init(&dev, 128 * MIB, 512);
        work(&f, &dev.blk, &opts);
        sparseblk_fini(&dev);
        test_env_done(&f.t);
    }
}

static void assert_read_only(struct fix *f, struct bough_block *dev)
{
    open_store(f, dev);
    assert_true(f->s->read_only);
    assert_values(f, VALUES + 1);
    assert_int_equal(commit(f, 99), BOUGH_EREADONLY);
    bough_store_close(f->s);
}

/* The image of a store on a device of another kind: its unit holds several granules. */
static void test_log_shapes__a_unit_larger_than_the_granule_is_for_reading(void **state)
{
    struct bough_log_format_opts opts = {.algo = test_algo(), .granule = 512};
    struct sparseblk dev;
    struct fix f;

    (void)state;
    for (uint32_t unit = 1024; unit <= 65536; unit *= 8) {
        uint64_t writes;

        test_env_init(&f.t);
        sparseblk_init(&dev, 16 * MIB, 512);
        work(&f, &dev.blk, &opts);
        dev.blk.unit = unit;
        dev.blk.count = 16 * MIB / unit;
        writes = dev.writes;
        assert_read_only(&f, &dev.blk);
        assert_int_equal(dev.writes, writes);
        sparseblk_fini(&dev);
        test_env_done(&f.t);
    }
}

static void test_log_shapes__a_device_that_takes_no_writes(void **state)
{
    struct sparseblk dev;
    struct fix f;

    (void)state;
    test_env_init(&f.t);
    sparseblk_init(&dev, 16 * MIB, 512);
    work(&f, &dev.blk, NULL);
    dev.blk.caps |= BOUGH_BLOCK_READONLY;
    assert_int_equal(bough_log_format(&dev.blk, &f.t.env, NULL, &f.why), BOUGH_EREADONLY);
    assert_read_only(&f, &dev.blk);
    sparseblk_fini(&dev);
    test_env_done(&f.t);
}

/* Two partitions of one disk, and what lies before, between and behind them. */
static void test_log_shapes__partitions_keep_to_themselves(void **state)
{
    enum {
        UNIT = 512,
        DISK = 40 * MIB,
        PART = 16 * MIB,
        FIRST = 63,
        SECOND = FIRST + PART / UNIT + 7
    };
    struct bough_rangeblk part[2];
    struct bough_ramblk disk;
    uint8_t *bytes = malloc(DISK);
    struct fix f;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 0xa5, DISK);
    bough_ramblk_init(&disk, bytes, DISK / UNIT, UNIT);
    OK(bough_rangeblk_init(&part[0], &disk.blk, FIRST, PART / UNIT));
    OK(bough_rangeblk_init(&part[1], &disk.blk, SECOND, PART / UNIT));
    for (int i = 0; i < 2; i++) {
        test_env_init(&f.t);
        work(&f, &part[i].blk, NULL);
        test_env_done(&f.t);
    }
    test_env_init(&f.t);
    open_store(&f, &part[0].blk); /* the second one's work changed nothing in it */
    assert_values(&f, VALUES + 1);
    assert_int_equal(bough_store_resize(f.s, 17 * MIB, MIB), BOUGH_ENOTSUP);
    bough_store_close(f.s);
    test_env_done(&f.t);
    for (size_t at = 0; at < DISK; at++) {
        size_t unit = at / UNIT;
        bool inside = (unit >= FIRST && unit < FIRST + PART / UNIT) ||
                      (unit >= SECOND && unit < SECOND + PART / UNIT);
        if (!inside)
            assert_int_equal(bytes[at], 0xa5);
    }
    free(bytes);
}

/* What a small store cannot hold it says, with its limit. */
static void test_log_shapes__a_record_larger_than_a_frame_is_refused(void **state)
{
    struct bough_log_format_opts opts = {.algo = test_algo(), .granule = 512, .zone = 32 * KIB};
    static uint8_t record[BOUGH_RECORD_MAX];
    struct sparseblk dev;
    struct bough_txn *t;
    struct fix f;
    uint64_t seq;

    (void)state;
    test_env_init(&f.t);
    sparseblk_init(&dev, 4 * MIB, 512);
    OK(bough_log_format(&dev.blk, &f.t.env, &opts, &f.why));
    open_store(&f, &dev.blk);
    OK(bough_txn_begin(f.s, &t));
    assert_int_equal(
        bough_txn_record(t, bough_view("r", 1), bough_view(record, sizeof record), &seq),
        BOUGH_ETOOBIG);
    assert_string_equal(f.s->why.what, "bytes of a frame, in a store with zones this small");
    assert_int_equal(f.s->why.at, 32 * KIB);
    OK(bough_txn_record(t, bough_view("r", 1), bough_view(record, 30 * KIB), &seq));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_store_close(f.s);
    sparseblk_fini(&dev);
    sparseblk_init(&dev, 16 * MIB, 512); /* where there is room the default takes any record */
    OK(bough_log_format(&dev.blk, &f.t.env, NULL, &f.why));
    open_store(&f, &dev.blk);
    OK(bough_txn_begin(f.s, &t));
    OK(bough_txn_record(t, bough_view("r", 1), bough_view(record, sizeof record), &seq));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_store_close(f.s);
    sparseblk_fini(&dev);
    test_env_done(&f.t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_shapes__every_size_and_unit),
        cmocka_unit_test(test_log_shapes__the_largest_is_quick_and_takes_little),
        cmocka_unit_test(test_log_shapes__granules_larger_than_the_unit),
        cmocka_unit_test(test_log_shapes__a_unit_larger_than_the_granule_is_for_reading),
        cmocka_unit_test(test_log_shapes__a_device_that_takes_no_writes),
        cmocka_unit_test(test_log_shapes__partitions_keep_to_themselves),
        cmocka_unit_test(test_log_shapes__a_record_larger_than_a_frame_is_refused),
    };

    return cmocka_run_group_tests_name("sim/store shapes", tests, NULL, NULL);
}
