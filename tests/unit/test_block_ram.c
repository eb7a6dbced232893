/*
 * test_block_ram.c - the ram device and a range of it keep what they are given.
 *
 * Goal: bytes come back as written, and a range that leaves the device is
 * refused before any byte moves.  Method: a device of four units inside a
 * larger array, whose last unit is a fence that must never change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "block/block.h"

enum { UNIT = 512, COUNT = 4 };

struct fix {
    uint8_t mem[(COUNT + 1) * UNIT];
    struct bough_ramblk ram;
    struct bough_block *dev;
};

static int setup(void **state)
{
    static struct fix f;

    memset(f.mem, 0xa5, sizeof f.mem);
    bough_ramblk_init(&f.ram, f.mem, COUNT, UNIT);
    f.dev = &f.ram.blk;
    *state = &f;
    return 0;
}

static void test_block_ram__reads_back_what_was_written(void **state)
{
    struct fix *f = *state;
    uint8_t in[2 * UNIT], out[2 * UNIT];

    memset(in, 0x3c, sizeof in);
    assert_int_equal(bough_block_write(f->dev, 1, 2, in), BOUGH_OK);
    assert_int_equal(bough_block_read(f->dev, 1, 2, out), BOUGH_OK);
    assert_memory_equal(in, out, sizeof in);
}

static void test_block_ram__refuses_what_is_not_on_it(void **state)
{
    static const struct {
        uint64_t at;
        uint32_t n;
        enum bough_err want;
    } cases[] = {
        {0, COUNT, BOUGH_OK}, {COUNT, 0, BOUGH_OK}, {COUNT, 1, BOUGH_ERANGE},
        {0, COUNT + 1, BOUGH_ERANGE}, {COUNT - 1, 2, BOUGH_ERANGE},
        {UINT64_MAX, 2, BOUGH_ERANGE}, /* at + n wraps */
    };
    struct fix *f = *state;
    uint8_t buf[(COUNT + 1) * UNIT] = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum bough_err got = bough_block_write(f->dev, cases[i].at, cases[i].n, buf);
        assert_int_equal(got, cases[i].want);
    }
    for (size_t i = COUNT * UNIT; i < sizeof f->mem; i++)
        assert_int_equal(f->mem[i], 0xa5);
}

static void test_block_ram__grows_into_its_room_and_no_further(void **state)
{
    struct fix *f = *state;
    uint8_t in[UNIT];

    memset(in, 7, sizeof in);
    assert_int_equal(bough_block_resize(f->dev, COUNT + 1), BOUGH_ENOTSUP);
    bough_ramblk_set_room(&f->ram, COUNT + 1);
    assert_int_equal(bough_block_resize(f->dev, COUNT + 2), BOUGH_ENOSPC);
    assert_int_equal(bough_block_write(f->dev, COUNT, 1, in), BOUGH_ERANGE);
    assert_int_equal(bough_block_resize(f->dev, COUNT + 1), BOUGH_OK);
    assert_int_equal(bough_block_write(f->dev, COUNT, 1, in), BOUGH_OK);
    assert_int_equal(bough_block_resize(f->dev, 1), BOUGH_OK);
    assert_int_equal(bough_block_read(f->dev, 1, 1, in), BOUGH_ERANGE);
    assert_int_equal(bough_block_resize(f->dev, UINT64_MAX), BOUGH_ENOSPC);
}

static void test_block_ram__a_map_shows_later_writes(void **state)
{
    struct fix *f = *state;
    const uint8_t *p = NULL;
    uint8_t in[UNIT];

    memset(in, 9, sizeof in);
    assert_int_equal(bough_block_map(f->dev, 2, 2, &p), BOUGH_OK);
    assert_int_equal(bough_block_map(f->dev, 2, 3, &p), BOUGH_ERANGE);
    assert_int_equal(bough_block_write_sync(f->dev, 3, 1, in), BOUGH_OK);
    assert_memory_equal(p + UNIT, in, UNIT);
    assert_int_equal(bough_block_discard(f->dev, 3, 1), BOUGH_OK);
    assert_int_equal(bough_block_discard(f->dev, 3, 2), BOUGH_ERANGE);
}

static void test_block_ram__read_only_takes_no_change(void **state)
{
    struct fix *f = *state;
    uint8_t buf[UNIT] = {0};

    bough_ramblk_set_room(&f->ram, COUNT + 1);
    f->dev->caps |= BOUGH_BLOCK_READONLY;
    assert_int_equal(bough_block_write(f->dev, 0, 1, buf), BOUGH_EREADONLY);
    assert_int_equal(bough_block_write_sync(f->dev, 0, 1, buf), BOUGH_EREADONLY);
    assert_int_equal(bough_block_prepare(f->dev, 0, 1), BOUGH_EREADONLY);
    assert_int_equal(bough_block_discard(f->dev, 0, 1), BOUGH_EREADONLY);
    assert_int_equal(bough_block_resize(f->dev, 1), BOUGH_EREADONLY);
    assert_int_equal(bough_block_sync(f->dev), BOUGH_OK);
    assert_int_equal(bough_block_read(f->dev, 0, 1, buf), BOUGH_OK);
    assert_int_equal(buf[0], 0xa5);
}

static void test_block_range__is_its_part_and_no_more(void **state)
{
    struct fix *f = *state;
    struct bough_rangeblk r;
    const uint8_t *p;
    uint8_t in[2 * UNIT], out[UNIT];

    memset(in, 0x11, sizeof in);
    assert_int_equal(bough_rangeblk_init(&r, f->dev, 3, 2), BOUGH_ERANGE);
    assert_int_equal(bough_rangeblk_init(&r, f->dev, UINT64_MAX, 2), BOUGH_ERANGE);
    assert_int_equal(bough_rangeblk_init(&r, f->dev, 1, 2), BOUGH_OK);
    assert_int_equal(r.blk.count, 2);
    assert_int_equal(bough_block_write(&r.blk, 1, 2, in), BOUGH_ERANGE);
    assert_int_equal(bough_block_write(&r.blk, 0, 2, in), BOUGH_OK);
    assert_int_equal(bough_block_sync(&r.blk), BOUGH_OK);
    assert_memory_equal(f->mem + UNIT, in, 2 * UNIT);
    assert_int_equal(f->mem[UNIT - 1], 0xa5);
    assert_int_equal(f->mem[3 * UNIT], 0xa5);
    memset(in, 0x22, sizeof in);
    assert_int_equal(bough_block_write_sync(&r.blk, 1, 1, in), BOUGH_OK);
    assert_int_equal(bough_block_prepare(&r.blk, 1, 2), BOUGH_ERANGE);
    assert_int_equal(bough_block_prepare(&r.blk, 1, 1), BOUGH_ENOTSUP); /* as below */
    assert_int_equal(bough_block_read(&r.blk, 1, 1, out), BOUGH_OK);
    assert_memory_equal(out, in, UNIT);
    assert_int_equal(bough_block_map(&r.blk, 1, 1, &p), BOUGH_OK);
    assert_ptr_equal(p, f->mem + (size_t)2 * UNIT);
    assert_int_equal(bough_block_resize(&r.blk, 1), BOUGH_ENOTSUP);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_block_ram__reads_back_what_was_written, setup),
        cmocka_unit_test_setup(test_block_ram__refuses_what_is_not_on_it, setup),
        cmocka_unit_test_setup(test_block_ram__grows_into_its_room_and_no_further, setup),
        cmocka_unit_test_setup(test_block_ram__a_map_shows_later_writes, setup),
        cmocka_unit_test_setup(test_block_ram__read_only_takes_no_change, setup),
        cmocka_unit_test_setup(test_block_range__is_its_part_and_no_more, setup),
    };

    return cmocka_run_group_tests_name("block/ram", tests, NULL, NULL);
}
