/*
 * test_block_cut.c - the power-cutting device does what it says.
 *
 * Goal: what is synced stays, what is not can end in every way that block.h
 * allows and in no other, and a test that counts on the tape sees them all.
 * Method: short histories over a tape of all choices, the ends collected in
 * a set; the fixed fates one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/cutblk.h"

enum { UNIT = 512, COUNT = 12 };

struct fix {
    uint8_t mem[COUNT * UNIT];
    struct bough_ramblk ram;
    struct cutblk cut;
    struct bough_block *dev;
    struct tape tape;
};

static struct fix x;

/* A fresh device, all zeros, that fails at call `left`. */
static void fresh(struct tape *tape, uint64_t left)
{
    cutblk_fini(&x.cut);
    memset(x.mem, 0, sizeof x.mem);
    bough_ramblk_init(&x.ram, x.mem, COUNT, UNIT);
    cutblk_init(&x.cut, &x.ram.blk, tape, left);
    x.dev = &x.cut.blk;
}

static int teardown(void **state)
{
    (void)state;
    cutblk_fini(&x.cut);
    return 0;
}

static enum bough_err put(uint64_t at, uint32_t n, int fill)
{
    uint8_t buf[COUNT * UNIT];

    memset(buf, fill, sizeof buf);
    return bough_block_write(x.dev, at, n, buf);
}

/* What a unit on the medium holds: its first and last byte as two hex digits. */
static unsigned ends(uint64_t at)
{
    return (unsigned)(x.mem[at * UNIT] << 4 | x.mem[at * UNIT + UNIT - 1]);
}

static void test_cut__without_a_cut_it_is_the_device_below(void **state)
{
    uint8_t buf[UNIT];

    (void)state;
    fresh(NULL, CUT_NEVER);
    assert_int_equal(put(1, 2, 7), BOUGH_OK);
    assert_int_equal(bough_block_read(x.dev, 2, 1, buf), BOUGH_OK);
    assert_int_equal(buf[UNIT - 1], 7);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
    assert_int_equal(put(1, 1, 8), BOUGH_OK);
    assert_int_equal(bough_block_write_sync(x.dev, 0, 1, buf), BOUGH_OK);
    assert_int_equal(x.cut.calls, 5);
    assert_int_equal(x.cut.waiting_n, 0);
}

static void test_cut__what_is_synced_stays(void **state)
{
    (void)state;
    for (int fate = CUT_LOST; fate <= CUT_SEEDED; fate++) {
        fresh(NULL, 3);
        x.cut.fate = (enum cut_fate)fate;
        assert_int_equal(put(0, COUNT, 1), BOUGH_OK);
        assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
        assert_int_equal(put(5, 1, 2), BOUGH_OK);
        assert_int_equal(bough_block_sync(x.dev), BOUGH_EGONE);
        for (uint64_t at = 0; at < COUNT; at++)
            if (at != 5)
                assert_int_equal(ends(at), 0x11);
    }
}

static void test_cut__after_it_everything_is_gone(void **state)
{
    uint8_t buf[UNIT];

    (void)state;
    fresh(NULL, 0);
    assert_int_equal(put(0, 1, 1), BOUGH_EGONE);
    assert_true(x.cut.dead);
    assert_int_equal(put(0, 1, 1), BOUGH_EGONE);
    assert_int_equal(bough_block_read(x.dev, 0, 1, buf), BOUGH_EGONE);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_EGONE);
    assert_int_equal(bough_block_discard(x.dev, 0, 1), BOUGH_EGONE);
    assert_int_equal(ends(0), 0);
}

static void test_cut__can_count_writes_only(void **state)
{
    (void)state;
    fresh(NULL, 1);
    x.cut.writes_only = true;
    assert_int_equal(put(0, 1, 1), BOUGH_OK);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
    assert_int_equal(bough_block_discard(x.dev, 3, 1), BOUGH_OK);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
    assert_int_equal(put(0, 1, 2), BOUGH_EGONE);
    assert_int_equal(ends(0), 0x11);
}

static void test_cut__a_tape_shows_every_end_of_two_writes(void **state)
{
    bool seen[0x100] = {false}, both[0x10] = {false};
    unsigned n = 0;

    (void)state;
    tape_all(&x.tape);
    while (tape_next(&x.tape)) { /* one unit written twice, another once, then a failing sync */
        fresh(&x.tape, 3);
        assert_int_equal(put(0, 1, 1), BOUGH_OK);
        assert_int_equal(put(0, 1, 2), BOUGH_OK);
        assert_int_equal(put(3, 1, 3), BOUGH_OK);
        assert_int_equal(bough_block_sync(x.dev), BOUGH_EGONE);
        seen[ends(0)] = true;
        both[(ends(0) == 0x22) << 1 | (ends(3) == 0x33)] = true;
    }
    assert_int_equal(x.tape.runs - 1, 3 * 3 * 3);
    for (unsigned i = 0; i < 0x100; i++)
        n += seen[i];
    /* old, first, second; first torn, second torn over old, over first, over torn first */
    assert_true(seen[0x00] && seen[0x11] && seen[0x22] && seen[0x10] && seen[0x20] && seen[0x21]);
    assert_int_equal(n, 6);
    assert_true(both[0] && both[1] && both[2] && both[3]); /* in any order */
}

static void test_cut__units_of_one_write_part(void **state)
{
    bool seen[8] = {false};

    (void)state;
    tape_all(&x.tape);
    while (tape_next(&x.tape)) {
        fresh(&x.tape, 0);
        assert_int_equal(put(4, 3, 1), BOUGH_EGONE);
        seen[(ends(4) == 0x11) | (ends(5) == 0x11) << 1 | (ends(6) == 0x11) << 2] = true;
    }
    assert_int_equal(x.tape.runs - 1, 27);
    for (unsigned i = 0; i < 8; i++)
        assert_true(seen[i]);
}

static void test_cut__a_long_write_follows_a_pattern(void **state)
{
    static const char *const want[] = {"......", "######", "###/..", ".../##", "#.#.#."};
    char got[7] = {0};

    (void)state;
    for (int fate = CUT_LOST; fate < CUT_RUN_FATES; fate++) {
        fresh(NULL, 0);
        x.cut.fate = (enum cut_fate)fate;
        assert_int_equal(put(2, 6, 1), BOUGH_EGONE);
        for (uint64_t i = 0; i < 6; i++)
            got[i] = ends(2 + i) == 0x11 ? '#' : ends(2 + i) == 0x10 ? '/' : '.';
        assert_string_equal(got, want[fate]);
    }
    tape_all(&x.tape);
    while (tape_next(&x.tape)) {
        fresh(&x.tape, 0);
        assert_int_equal(put(2, 6, 1), BOUGH_EGONE);
    }
    assert_int_equal(x.tape.runs - 1, CUT_RUN_FATES);
}

static void test_cut__tears_where_it_is_told(void **state)
{
    (void)state;
    fresh(NULL, 0);
    x.cut.fate = CUT_TORN;
    x.cut.tear = 3;
    assert_int_equal(put(0, 1, 1), BOUGH_EGONE);
    assert_int_equal(x.mem[2], 1);
    assert_int_equal(x.mem[3], 0);
    fresh(NULL, 0);
    x.cut.fate = CUT_TORN;
    x.cut.tear = 3;
    x.cut.tear_back = true;
    assert_int_equal(put(0, 1, 1), BOUGH_EGONE);
    assert_int_equal(x.mem[UNIT - 3], 1);
    assert_int_equal(x.mem[UNIT - 4], 0);
}

static void test_cut__a_seed_gives_every_kind_and_the_same_again(void **state)
{
    uint8_t first[sizeof x.mem];
    unsigned lost = 0, kept = 0, torn = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (int again = 0; again < 2; again++) {
            fresh(NULL, 0);
            x.cut.fate = CUT_SEEDED;
            x.cut.seed = seed;
            assert_int_equal(put(0, COUNT, 1), BOUGH_EGONE);
            if (again)
                assert_memory_equal(first, x.mem, sizeof first);
            memcpy(first, x.mem, sizeof first);
        }
        for (uint64_t at = 0; at < COUNT; at++) {
            unsigned ones = 0;

            for (size_t i = 0; i < UNIT; i++)
                ones += x.mem[at * UNIT + i];
            lost += ones == 0;
            kept += ones == UNIT;
            torn += ones > 0 && ones < UNIT;
        }
    }
    assert_true(lost > 40 && kept > 40 && torn > 40);
}

static void test_cut__a_discard_is_a_change_like_any(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        fresh(NULL, 2);
        x.cut.fate = kept ? CUT_KEPT : CUT_LOST;
        assert_int_equal(put(1, 1, 1), BOUGH_OK);
        assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
        assert_int_equal(bough_block_discard(x.dev, 1, 1), BOUGH_EGONE);
        assert_int_equal(ends(1), kept ? 0xddd : 0x11);
    }
}

static void test_cut__a_new_size_comes_or_does_not(void **state)
{
    static const uint64_t sizes[] = {COUNT - 4, COUNT};

    (void)state;
    for (int from = 0; from < 2; from++) {
        uint64_t old = sizes[from], new = sizes[1 - from];
        unsigned seen = 0;

        tape_all(&x.tape);
        while (tape_next(&x.tape)) {
            uint32_t left = draw(&x.tape, 4);
            enum bough_err err;

            fresh(&x.tape, CUT_NEVER);
            bough_ramblk_set_room(&x.ram, COUNT);
            assert_int_equal(bough_block_resize(&x.ram.blk, old), BOUGH_OK);
            cutblk_init(&x.cut, &x.ram.blk, &x.tape, left);
            err = bough_block_resize(x.dev, new);
            if (!err)
                err = put(x.dev->count - 1, 1, 1);
            if (!err)
                err = bough_block_sync(x.dev);
            assert_int_equal(err, left < 3 ? BOUGH_EGONE : BOUGH_OK);
            assert_true(x.ram.blk.count == old || x.ram.blk.count == new);
            if (!err)
                assert_int_equal(x.ram.blk.count, new);
            seen |= x.ram.blk.count == old ? 1 : 2;
        }
        assert_int_equal(seen, 3);
    }
}

static void test_cut__a_device_that_survives_has_lost_what_waited(void **state)
{
    uint8_t buf[UNIT];

    (void)state;
    fresh(NULL, 1);
    x.cut.survives = true;
    assert_int_equal(put(0, 1, 1), BOUGH_OK);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_EIO);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_OK); /* which helps nobody */
    assert_int_equal(bough_block_read(x.dev, 0, 1, buf), BOUGH_OK);
    assert_int_equal(buf[0], 0);
    assert_int_equal(put(0, 1, 2), BOUGH_OK);
    assert_int_equal(bough_block_sync(x.dev), BOUGH_OK);
    assert_int_equal(ends(0), 0x22);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut__without_a_cut_it_is_the_device_below),
        cmocka_unit_test(test_cut__what_is_synced_stays),
        cmocka_unit_test(test_cut__after_it_everything_is_gone),
        cmocka_unit_test(test_cut__can_count_writes_only),
        cmocka_unit_test(test_cut__a_tape_shows_every_end_of_two_writes),
        cmocka_unit_test(test_cut__units_of_one_write_part),
        cmocka_unit_test(test_cut__a_long_write_follows_a_pattern),
        cmocka_unit_test(test_cut__tears_where_it_is_told),
        cmocka_unit_test(test_cut__a_seed_gives_every_kind_and_the_same_again),
        cmocka_unit_test(test_cut__a_discard_is_a_change_like_any),
        cmocka_unit_test(test_cut__a_new_size_comes_or_does_not),
        cmocka_unit_test(test_cut__a_device_that_survives_has_lost_what_waited),
    };

    return cmocka_run_group_tests_name("sim/block_cut", tests, NULL, teardown);
}
