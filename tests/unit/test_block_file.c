/*
 * test_block_file.c - the file device.
 *
 * Goal: bytes survive a reopen, files grow sparsely, two owners exclude each
 * other, parts of a file apart, and the second learns the first one's pid, and what helps speed
 * changes no bytes.  Method: files in a temporary folder; a child process as
 * the second owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/file.h"

enum { UNIT = 512 };

struct fix {
    char folder[64], path[80];
    struct bough_fileblk f;
    struct bough_block *dev;
    struct bough_why why;
};

static enum bough_err reopen(struct fix *x, uint32_t flags)
{
    bough_fileblk_close(&x->f);
    return bough_fileblk_open(&x->f, x->path, flags, 0, &x->why);
}

static int setup(void **state)
{
    static struct fix x;

    snprintf(x.folder, sizeof x.folder, "%s/bough-file-XXXXXX",
        getenv("TMPDIR") != NULL && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(x.folder) == NULL)
        return -1;
    snprintf(x.path, sizeof x.path, "%s/disk", x.folder);
    x.dev = &x.f.blk;
    *state = &x;
    if (bough_fileblk_open(&x.f, x.path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_NEW, 0, &x.why))
        return -1;
    return bough_block_resize(x.dev, 100) ? -1 : 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    bough_fileblk_close(&x->f);
    unlink(x->path);
    return rmdir(x->folder);
}

static void test_block_file__keeps_bytes_over_a_reopen(void **state)
{
    struct fix *x = *state;
    uint8_t in[3 * UNIT], out[3 * UNIT];

    memset(in, 0x3c, sizeof in);
    assert_int_equal(x->dev->unit, UNIT);
    assert_int_equal(bough_block_write(x->dev, 97, 3, in), BOUGH_OK);
    assert_int_equal(bough_block_write(x->dev, 98, 3, in), BOUGH_ERANGE);
    assert_int_equal(bough_block_sync(x->dev), BOUGH_OK);
    assert_int_equal(reopen(x, 0), BOUGH_OK);
    assert_int_equal(x->dev->count, 100);
    assert_int_equal(bough_block_read(x->dev, 97, 3, out), BOUGH_OK);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(bough_block_read(x->dev, 0, 1, out), BOUGH_OK);
    assert_int_equal(out[0], 0);
}

static void test_block_file__grows_sparsely_and_shrinks(void **state)
{
    struct fix *x = *state;
    uint8_t in[UNIT];
    struct stat st;

    memset(in, 1, sizeof in);
    assert_int_equal(bough_block_resize(x->dev, 1 << 21), BOUGH_OK); /* 1 GiB */
    assert_int_equal(bough_block_write(x->dev, (1 << 21) - 1, 1, in), BOUGH_OK);
    assert_int_equal(bough_block_sync(x->dev), BOUGH_OK);
    assert_int_equal(stat(x->path, &st), 0);
    assert_int_equal(st.st_size, 1 << 30);
    assert_true(st.st_blocks < 1 << 12);
    assert_int_equal(bough_block_resize(x->dev, 3), BOUGH_OK);
    assert_int_equal(stat(x->path, &st), 0);
    assert_int_equal(st.st_size, 3 * UNIT);
    assert_int_equal(bough_block_resize(x->dev, UINT64_MAX / UNIT), BOUGH_ENOSPC);
    assert_int_equal(x->dev->count, 3);
}

static int64_t blocks(const struct fix *x)
{
    struct stat st;

    assert_int_equal(stat(x->path, &st), 0);
    return st.st_blocks;
}

/* The same through a part of it; where the file ends stays. */
static void test_block_file__room_is_given_before_it_is_needed(void **state)
{
    enum { UNITS = 1 << 14, HALF = UNITS / 2, PAGE = 4096 / UNIT };
    struct fix *x = *state;
    struct bough_rangeblk part;
    uint8_t in[UNIT], out[UNIT];

    memset(in, 7, sizeof in);
    assert_int_equal(bough_block_resize(x->dev, UNITS), BOUGH_OK);
    assert_int_equal(bough_block_write(x->dev, HALF + PAGE, 1, in), BOUGH_OK);
    assert_true(blocks(x) < HALF / 2);
    assert_int_equal(bough_rangeblk_init(&part, x->dev, HALF, HALF), BOUGH_OK);
    assert_int_equal(bough_block_allocate(&part.blk, 0, HALF), BOUGH_OK);
    assert_true(blocks(x) >= HALF && blocks(x) < UNITS);
    assert_int_equal(bough_block_allocate(x->dev, 0, HALF), BOUGH_OK);
    assert_true(blocks(x) >= UNITS);
    assert_int_equal(bough_block_read(x->dev, HALF + PAGE, 1, out), BOUGH_OK);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(bough_block_discard(x->dev, 0, HALF), BOUGH_OK);
    assert_true(blocks(x) < UNITS);
    assert_int_equal(x->dev->count, UNITS);
    assert_int_equal(bough_block_allocate(x->dev, UNITS - 1, 2), BOUGH_ERANGE);
}

static void test_block_file__a_tail_is_not_part_of_it(void **state)
{
    struct fix *x = *state;

    assert_int_equal(truncate(x->path, 5 * UNIT + 100), 0);
    assert_int_equal(reopen(x, 0), BOUGH_OK);
    assert_int_equal(x->dev->count, 5);
    bough_fileblk_close(&x->f);
    assert_int_equal(bough_fileblk_open(&x->f, x->path, 0, 4096, &x->why), BOUGH_OK);
    assert_int_equal(x->dev->count, 0);
}

static void test_block_file__a_file_cut_by_others_is_an_error(void **state)
{
    struct fix *x = *state;
    uint8_t out[2 * UNIT];

    assert_int_equal(truncate(x->path, UNIT), 0);
    assert_int_equal(bough_block_read(x->dev, 0, 2, out), BOUGH_EIO);
}

static void test_block_file__refuses_what_is_no_device(void **state)
{
    struct fix *x = *state;
    struct bough_fileblk g;
    struct bough_why why = {.err = BOUGH_OK};
    char path[100];

    assert_int_equal(
        bough_fileblk_open(&g, x->folder, BOUGH_FILEBLK_READONLY, 0, &why), BOUGH_EINVAL);
    assert_int_equal(bough_fileblk_open(&g, x->folder, 0, 0, &why), BOUGH_EINVAL);
    assert_int_equal(bough_fileblk_open(&g, "/dev/null", 0, 0, &why), BOUGH_EINVAL);
    snprintf(path, sizeof path, "%s/none", x->folder);
    assert_int_equal(bough_fileblk_open(&g, path, 0, 0, &why), BOUGH_ENOENT);
    assert_int_equal(why.err, BOUGH_ENOENT);
    assert_memory_equal(why.key, path, why.key_len);
    assert_int_equal(
        bough_fileblk_open(&g, x->path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_NEW, 0, &why),
        BOUGH_EEXIST);
    bough_fileblk_close(&x->f);
    assert_int_equal(bough_fileblk_open(&g, x->path, 0, 768, &why), BOUGH_EINVAL);
    assert_int_equal(bough_fileblk_open(&g, x->path, 0, 256, &why), BOUGH_EINVAL);
    assert_int_equal(bough_fileblk_open(&g, x->path, 0, 131072, NULL), BOUGH_EINVAL);
    assert_int_equal(reopen(x, 0), BOUGH_OK); /* none of these left a lock behind */
}

/* What a process of its own gets from an open: its error, and whether why.at was its owner. */
static int open_elsewhere(struct fix *x, uint32_t flags, pid_t owner)
{
    struct bough_fileblk g;
    struct bough_why why = {.at = 0};
    pid_t child = fork();
    int status;

    if (child == 0) {
        enum bough_err err = bough_fileblk_open(&g, x->path, flags, 0, &why);
        _exit(-(int)err + (why.at == (uint64_t)owner ? 100 : 0));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_block_file__two_owners_exclude_each_other(void **state)
{
    struct fix *x = *state;
    const int locked = -BOUGH_ELOCKED + 100;
    struct bough_fileblk g;

    assert_int_equal(open_elsewhere(x, 0, getpid()), locked);
    assert_int_equal(open_elsewhere(x, BOUGH_FILEBLK_READONLY, getpid()), locked);
    assert_int_equal(bough_fileblk_open(&g, x->path, 0, 0, NULL), BOUGH_ELOCKED);
    assert_int_equal(reopen(x, BOUGH_FILEBLK_READONLY), BOUGH_OK);
    assert_int_equal(open_elsewhere(x, 0, getpid()), locked);
    assert_int_equal(open_elsewhere(x, BOUGH_FILEBLK_READONLY, 0), 100); /* readers share */
    bough_fileblk_close(&x->f);
    assert_int_equal(open_elsewhere(x, 0, 0), 100);
}

static enum bough_err part_open(
    struct fix *x, struct bough_fileblk *g, uint32_t flags, uint64_t at, uint64_t len)
{
    const struct bough_filepart part = {at, len};

    return bough_fileblk_open_part(g, x->path, flags, 0, &part, &x->why);
}

static void test_block_file__parts_are_locked_one_by_one(void **state)
{
    struct fix *x = *state;
    struct bough_fileblk g, h;

    assert_int_equal(part_open(x, &g, 0, 0, 1024), BOUGH_ELOCKED); /* all of it is open */
    bough_fileblk_close(&x->f);
    assert_int_equal(part_open(x, &g, 0, 1024, 2048), BOUGH_OK);
    assert_int_equal(g.blk.caps & BOUGH_BLOCK_RESIZE, 0);
    assert_int_equal(open_elsewhere(x, 0, getpid()), -BOUGH_ELOCKED + 100);
    assert_int_equal(open_elsewhere(x, BOUGH_FILEBLK_READONLY, getpid()), -BOUGH_ELOCKED + 100);
    assert_int_equal(part_open(x, &h, 0, 3072, 0), BOUGH_OK); /* begins where it ends */
    bough_fileblk_close(&h);
    assert_int_equal(part_open(x, &h, 0, 512, 512), BOUGH_OK);
    bough_fileblk_close(&h);
    assert_int_equal(part_open(x, &h, 0, 512, 1024), BOUGH_ELOCKED);
    assert_int_equal(part_open(x, &h, 0, 2560, 512), BOUGH_ELOCKED);
    assert_int_equal(part_open(x, &h, 0, 0, 0), BOUGH_ELOCKED);
    assert_int_equal(part_open(x, &h, BOUGH_FILEBLK_READONLY, 2560, 0), BOUGH_ELOCKED);
    assert_int_equal(part_open(x, &h, 0, 100, 512), BOUGH_EINVAL);
    bough_fileblk_close(&g);
    assert_int_equal(reopen(x, 0), BOUGH_OK);
}

static void test_block_file__read_only_takes_no_change(void **state)
{
    struct fix *x = *state;
    uint8_t buf[UNIT] = {1};

    assert_int_equal(chmod(x->path, 0444), 0);
    assert_int_equal(reopen(x, BOUGH_FILEBLK_READONLY), BOUGH_OK);
    assert_int_equal(bough_block_write(x->dev, 0, 1, buf), BOUGH_EREADONLY);
    assert_int_equal(bough_block_read(x->dev, 0, 1, buf), BOUGH_OK);
    assert_int_equal(buf[0], 0);
}

static void test_block_file__write_sync_writes_the_same_bytes(void **state)
{
    static _Alignas(4096) uint8_t in[4 * 4096];
    struct fix *x = *state;
    uint8_t out[4096];

    assert_int_equal(bough_block_sync(x->dev), BOUGH_OK);
    assert_int_equal(reopen(x, BOUGH_FILEBLK_DIRECT), BOUGH_OK);
    assert_true(x->f.dirty);
    for (uint8_t i = 1; i <= 12; i++) {
        size_t off = i % 3 == 0 ? 8 : 0; /* not aligned: the plain way */
        uint64_t at = i % 2 == 0 ? 8 * i : 8 * i + 1;

        if (at + 8 > 100)
            at = 1;
        memset(in, i, sizeof in);
        if (i == 4)
            assert_int_equal(bough_block_write(x->dev, 0, 1, in), BOUGH_OK); /* dirty */
        assert_int_equal(bough_block_write_sync(x->dev, at, 8, in + off), BOUGH_OK);
        assert_int_equal(bough_block_read(x->dev, at, 8, out), BOUGH_OK);
        assert_memory_equal(out, in, sizeof out);
        assert_false(x->f.dirty);
    }
    assert_int_equal(bough_block_write_sync(x->dev, 99, 2, in), BOUGH_ERANGE);
}

static void test_block_file__prepared_units_wait_for_no_sync_and_harm_no_others(void **state)
{
    static _Alignas(4096) uint8_t in[4096], out[4096];
    struct fix *x = *state;

    memset(in, 7, sizeof in);
    assert_int_equal(bough_block_prepare(x->dev, 8, 8), BOUGH_ENOTSUP);
    assert_int_equal(bough_block_resize(x->dev, 8192), BOUGH_OK);
    assert_int_equal(reopen(x, BOUGH_FILEBLK_DIRECT), BOUGH_OK);
    if (x->f.direct < 0)
        skip(); /* a filesystem without such a thing */
    assert_int_equal(bough_block_write(x->dev, 8, 8, in), BOUGH_OK);
    assert_int_equal(bough_block_write(x->dev, 8000, 8, in), BOUGH_OK);
    assert_int_equal(bough_block_sync(x->dev), BOUGH_OK);
    assert_int_equal(bough_block_prepare(x->dev, 8190, 8), BOUGH_ERANGE);
    assert_int_equal(bough_block_prepare(x->dev, 17, 8), BOUGH_ENOTSUP);
    assert_int_equal(bough_block_prepare(x->dev, 16, 8000 - 16), BOUGH_OK); /* many pieces */
    assert_false(x->f.dirty);
    for (uint64_t at = 8; at <= 8000; at += 8000 - 8) {
        assert_int_equal(bough_block_read(x->dev, at, 8, out), BOUGH_OK);
        assert_memory_equal(out, in, sizeof out);
    }
    assert_int_equal(bough_block_write_sync(x->dev, 4000, 8, in), BOUGH_OK);
    assert_int_equal(bough_block_read(x->dev, 4000, 8, out), BOUGH_OK);
    assert_memory_equal(out, in, sizeof out);
}

static void test_block_file__maps_show_writes_and_stay_when_it_grows(void **state)
{
    struct fix *x = *state;
    const uint8_t *old, *new;
    uint8_t in[UNIT];

    assert_int_equal(bough_block_map(x->dev, 0, 1, &old), BOUGH_ENOTSUP);
    assert_int_equal(reopen(x, BOUGH_FILEBLK_MAP), BOUGH_OK);
    assert_int_equal(bough_block_map(x->dev, 5, 95, &old), BOUGH_OK);
    assert_int_equal(bough_block_resize(x->dev, 100000), BOUGH_OK);
    assert_int_equal(bough_block_map(x->dev, 99999, 1, &new), BOUGH_OK);
    memset(in, 0x44, sizeof in);
    assert_int_equal(bough_block_write(x->dev, 99999, 1, in), BOUGH_OK);
    assert_int_equal(bough_block_write(x->dev, 5, 1, in), BOUGH_OK);
    assert_memory_equal(old, in, UNIT);
    assert_memory_equal(new, in, UNIT);
    assert_int_equal(x->f.map_n, 2);
}

static void test_block_file__a_discard_takes_only_its_units(void **state)
{
    struct fix *x = *state;
    uint8_t in[UNIT], out[UNIT];

    memset(in, 0x55, sizeof in);
    for (uint64_t at = 0; at < 100; at++)
        assert_int_equal(bough_block_write(x->dev, at, 1, in), BOUGH_OK);
    assert_int_equal(bough_block_discard(x->dev, 1, 98), BOUGH_OK);
    assert_int_equal(bough_block_discard(x->dev, 99, 2), BOUGH_ERANGE);
    assert_int_equal(bough_block_read(x->dev, 0, 1, out), BOUGH_OK);
    assert_memory_equal(out, in, UNIT);
    assert_int_equal(bough_block_read(x->dev, 99, 1, out), BOUGH_OK);
    assert_memory_equal(out, in, UNIT);
    assert_int_equal(bough_block_read(x->dev, 50, 1, out), BOUGH_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_block_file__a_discard_takes_only_its_units, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__a_file_cut_by_others_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_file__a_tail_is_not_part_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__grows_sparsely_and_shrinks, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__keeps_bytes_over_a_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__maps_show_writes_and_stay_when_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__parts_are_locked_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__read_only_takes_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__refuses_what_is_no_device, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__room_is_given_before_it_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__two_owners_exclude_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__write_sync_writes_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_block_file__prepared_units_wait_for_no_sync_and_harm_no_others, setup, teardown),
    };

    return cmocka_run_group_tests_name("block/file", tests, NULL, NULL);
}
