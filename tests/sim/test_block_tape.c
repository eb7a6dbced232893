/*
 * test_block_tape.c - the tape, the recording and the failing device.
 *
 * Goal: the tape tries every sequence once, seeds and bytes repeat; the
 * recording device tells the order; the failing one fails where told.
 * Method: small trees of choices whose leaves are counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/failblk.h"
#include "tests/sim/recblk.h"
#include "tests/sim/tape.h"

enum { UNIT = 512, COUNT = 8 };

static uint8_t mem[COUNT * UNIT], buf[COUNT * UNIT];
static struct bough_ramblk ram;
static struct tape tape;

static int setup(void **state)
{
    (void)state;
    memset(mem, 0, sizeof mem);
    bough_ramblk_init(&ram, mem, COUNT, UNIT);
    return 0;
}

static void test_tape__tries_every_sequence_once(void **state)
{
    unsigned seen[3][4] = {{0}}, runs = 0;

    (void)state;
    tape_all(&tape);
    while (tape_next(&tape)) {
        uint32_t a = draw(&tape, 3);

        seen[a][a == 1 ? 0 : draw(&tape, a + 2)]++; /* the second bound hangs on the first answer */
        runs++;
    }
    assert_int_equal(runs, 2 + 1 + 4);
    assert_true(seen[0][0] == 1 && seen[0][1] == 1 && seen[1][0] == 1);
    assert_true(seen[2][0] == 1 && seen[2][1] == 1 && seen[2][2] == 1 && seen[2][3] == 1);
}

static void test_tape__a_seed_repeats_and_its_neighbour_differs(void **state)
{
    uint32_t drawn[3][10] = {{0}};
    uint64_t seed[3] = {0};
    unsigned runs = 0;

    (void)state;
    tape_seeded(&tape, 7, 2);
    tape.runs_max = 2; /* LONG or not */
    while (tape_next(&tape)) {
        seed[runs] = tape.seed;
        for (size_t i = 0; i < 10; i++)
            drawn[runs][i] = draw(&tape, 1000);
        runs++;
    }
    assert_int_equal(runs, 2);
    tape_seeded(&tape, seed[1], 1);
    assert_true(tape_next(&tape));
    for (size_t i = 0; i < 10; i++)
        drawn[2][i] = draw(&tape, 1000);
    assert_memory_equal(drawn[1], drawn[2], sizeof drawn[1]);
    assert_memory_not_equal(drawn[0], drawn[1], sizeof drawn[0]);
    tape.runs_max = 1;
    assert_false(tape_next(&tape));
}

static void test_tape__bytes_run_out_into_zeros(void **state)
{
    static const uint8_t bytes[] = {5, 200, 1, 2};

    (void)state;
    tape_bytes(&tape, bytes, sizeof bytes);
    assert_true(tape_next(&tape));
    assert_int_equal(draw(&tape, 1), 0);
    assert_int_equal(draw(&tape, 4), 1);
    assert_int_equal(draw(&tape, 256), 200);
    assert_int_equal(draw(&tape, 1000), 258);
    assert_int_equal(draw(&tape, 1000), 0);
    assert_false(tape_next(&tape));
}

static void test_rec__tells_the_order(void **state)
{
    struct recblk r;
    char text[64];

    (void)state;
    recblk_init(&r, &ram.blk);
    r.reads = true;
    assert_int_equal(bough_block_write(&r.blk, 1, 2, buf), BOUGH_OK);
    assert_int_equal(bough_block_write_sync(&r.blk, 3, 1, buf), BOUGH_OK);
    assert_int_equal(bough_block_discard(&r.blk, 0, 8), BOUGH_OK);
    assert_int_equal(bough_block_read(&r.blk, 7, 1, buf), BOUGH_OK);
    assert_int_equal(bough_block_write(&r.blk, 8, 1, buf), BOUGH_ERANGE);
    recblk_text(&r, text, sizeof text);
    assert_string_equal(text, "w1+2 w3+1 s d0+8 r7+1");
    assert_int_equal(recblk_count(&r, 'w'), 2);
    recblk_clear(&r);
    recblk_text(&r, text, sizeof text);
    assert_string_equal(text, "");
    recblk_fini(&r);
}

static void test_fail__fails_each_call_in_turn(void **state)
{
    struct failblk f;

    (void)state;
    for (uint64_t n = 0;; n++) {
        unsigned bad = 0;

        failblk_init(&f, &ram.blk, n);
        bad += bough_block_write(&f.blk, 0, 1, buf) == BOUGH_EIO;
        bad += bough_block_sync(&f.blk) == BOUGH_EIO;
        bad += bough_block_read(&f.blk, 0, 1, buf) == BOUGH_EIO;
        assert_int_equal(bad, n < 3);
        assert_int_equal(f.failed, n < 3);
        if (!f.failed)
            break;
    }
    failblk_init(&f, &ram.blk, 1);
    f.fail_on = true;
    f.err = BOUGH_EGONE;
    assert_int_equal(bough_block_read(&f.blk, 0, 1, buf), BOUGH_OK);
    assert_int_equal(bough_block_read(&f.blk, 0, 1, buf), BOUGH_EGONE);
    assert_int_equal(bough_block_read(&f.blk, 0, 1, buf), BOUGH_EGONE);
    failblk_init(&f, &ram.blk, 0);
    f.late = true;
    memset(buf, 0x5a, UNIT);
    assert_int_equal(bough_block_write(&f.blk, 1, 1, buf), BOUGH_EIO);
    memset(buf, 0, UNIT);
    assert_int_equal(bough_block_read(&f.blk, 1, 1, buf), BOUGH_OK);
    assert_int_equal(buf[0], 0x5a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tape__tries_every_sequence_once, setup),
        cmocka_unit_test_setup(test_tape__a_seed_repeats_and_its_neighbour_differs, setup),
        cmocka_unit_test_setup(test_tape__bytes_run_out_into_zeros, setup),
        cmocka_unit_test_setup(test_rec__tells_the_order, setup),
        cmocka_unit_test_setup(test_fail__fails_each_call_in_turn, setup),
    };

    return cmocka_run_group_tests_name("sim/block_tape", tests, NULL, NULL);
}
