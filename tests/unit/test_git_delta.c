/*
 * test_git_delta.c - deltas make what they say, or are refused.
 *
 * Goal: built and found deltas apply to the target, whole and by any range;
 * each broken rule is refused.  Method: edits of pseudo-random and of very
 * repetitive bytes; deltas written byte by byte for the traps; a sound delta
 * with each byte changed in turn (must end, whatever it answers).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/delta.h"
#include "tests/lib/mem.h"

enum { ROOM = 300000 };
static uint8_t base_bytes[ROOM], target_bytes[ROOM], made_bytes[ROOM];

static uint32_t noise_state;
static uint32_t noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return noise_state >> 8;
}

static void noise_fill(uint8_t *p, size_t n, uint32_t seed)
{
    noise_state = seed;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)noise();
}

struct memory_base {
    struct bough_delta_base base;
    const uint8_t *ptr;
};

static enum bough_err memory_read(
    struct bough_delta_base *base, uint64_t at, uint8_t *dst, uint64_t n)
{
    const struct memory_base *m = (const struct memory_base *)base;

    assert_true(at + n <= base->len);
    memcpy(dst, m->ptr + at, (size_t)n);
    return BOUGH_OK;
}

/* The delta makes the target, whole and in pieces of an odd size. */
static void check_makes(struct bough_view base, struct bough_view delta, struct bough_view target)
{
    struct memory_base mb = {{memory_read, base.len}, base.ptr};

    assert_int_equal(bough_delta_apply(base, delta, made_bytes, target.len), BOUGH_OK);
    assert_memory_equal(made_bytes, target.ptr, target.len);
    memset(made_bytes, 0, target.len);
    for (size_t at = 0; at < target.len; at += 9973) {
        size_t n = target.len - at < 9973 ? target.len - at : 9973;
        assert_int_equal(
            bough_delta_apply_range(&mb.base, delta, at, made_bytes + at, n), BOUGH_OK);
    }
    assert_memory_equal(made_bytes, target.ptr, target.len);
    assert_int_equal(
        bough_delta_apply_range(&mb.base, delta, target.len, made_bytes, 1), BOUGH_ERANGE);
}

/* A delta of at most `len_max` bytes is found, and makes the target. */
static void check_found(struct bough_view base, struct bough_view target, uint64_t len_max)
{
    struct test_mem m;
    struct bough_delta_index x;
    struct bough_buf out;

    test_mem_init(&m);
    assert_int_equal(bough_delta_index_init(&x, &m.mem, base), BOUGH_OK);
    assert_true(m.used <= bough_delta_index_memory(base.len) + sizeof(uint32_t));
    bough_buf_init(&out, &m.mem);
    bough_buf_put_str(&out, "before");
    assert_int_equal(bough_delta_find(&x, target, len_max, &out), BOUGH_OK);
    assert_true(out.len - 6 <= len_max);
    check_makes(base, bough_view(out.ptr + 6, out.len - 6), target);
    bough_delta_index_fini(&x);
    bough_buf_fini(&out);
    test_mem_done(&m);
}

static void test_git_delta__finds_an_edit_in_noise(void **state)
{
    (void)state;
    noise_fill(base_bytes, ROOM, 1);
    memcpy(target_bytes, base_bytes + 1001, 100000);
    memset(target_bytes + 100000, 'x', 50);
    memcpy(target_bytes + 100050, base_bytes + 50003, 190000);
    check_found(bough_view(base_bytes, ROOM), bough_view(target_bytes, 290050), 150);
}

static void test_git_delta__finds_a_line_changed_in_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2000; i++)
        memcpy(base_bytes + 20 * i, "line 0000 of a text\n", 20);
    for (size_t i = 0; i < 2000; i++)
        for (size_t d = 0, x = i; d < 4; d++, x /= 10)
            base_bytes[20 * i + 8 - d] = (uint8_t)('0' + x % 10);
    memcpy(target_bytes, base_bytes, 40000);
    memcpy(target_bytes + 20005, "CHANGED", 7);
    check_found(bough_view(base_bytes, 40000), bough_view(target_bytes, 40000), 30);
}

static void test_git_delta__is_not_slow_on_bytes_of_one_kind(void **state)
{
    (void)state;
    memset(base_bytes, 0, ROOM);
    memset(target_bytes, 0, ROOM);
    for (size_t i = 0; i < ROOM; i += 4099)
        target_bytes[i] = 1;
    check_found(bough_view(base_bytes, ROOM), bough_view(target_bytes, ROOM), 3000);
}

static void test_git_delta__works_at_the_small_ends(void **state)
{
    (void)state;
    check_found(bough_view(NULL, 0), bough_view(NULL, 0), 10);
    check_found(bough_view(NULL, 0), bough_view_str("short"), 10);
    check_found(bough_view_str("short"), bough_view(NULL, 0), 10);
    check_found(bough_view_str("0123456789abcdef"), bough_view_str("0123456789abcdef"), 5);
    check_found(bough_view_str("0123456789abcde"), bough_view_str("0123456789abcdef"), 20);
}

static void test_git_delta__says_when_none_is_short_enough(void **state)
{
    struct test_mem m;
    struct bough_delta_index x;
    struct bough_buf out;

    (void)state;
    noise_fill(base_bytes, 20000, 2);
    noise_fill(target_bytes, 20000, 3);
    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    assert_int_equal(bough_delta_index_init(&x, &m.mem, bough_view(base_bytes, 20000)), BOUGH_OK);
    assert_int_equal(
        bough_delta_find(&x, bough_view(target_bytes, 20000), 10000, &out), BOUGH_ENOENT);
    assert_int_equal(out.len, 0);
    bough_delta_index_fini(&x);
    bough_buf_fini(&out);
    test_mem_done(&m);
}

static void test_git_delta__builder_joins_and_splits(void **state)
{
    struct test_mem m;
    struct bough_buf out;
    struct bough_delta_builder b;
    struct bough_view base = bough_view(base_bytes, ROOM);

    (void)state;
    noise_fill(base_bytes, ROOM, 4);
    noise_fill(target_bytes, 1000, 5);
    memcpy(target_bytes + 1000, base_bytes + 70000, 200000);
    memcpy(target_bytes + 201000, base_bytes, 7);
    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    bough_delta_begin(&b, &out, ROOM, 201007);
    for (size_t i = 0; i < 1000; i += 10)
        bough_delta_insert(&b, bough_view(target_bytes + i, 10));
    for (size_t i = 0; i < 200000; i += 40)
        bough_delta_copy(&b, 70000 + i, 40);
    bough_delta_copy(&b, 0, 0);
    bough_delta_copy(&b, 0, 7);
    bough_delta_end(&b);
    assert_int_equal(out.err, BOUGH_OK);
    /* two sizes of 3; 1000 bytes in 8 inserts; 4 copies of at most 7; 2 bytes for the last */
    assert_true(out.len <= 6 + 1008 + 4 * 7 + 2);
    check_makes(base, bough_buf_view(&out), bough_view(target_bytes, 201007));
    bough_buf_fini(&out);
    test_mem_done(&m);
}

static void test_git_delta__refuses_each_broken_rule(void **state)
{
    static const struct {
        uint8_t raw[12];
        uint8_t len;
    } bad[] = {
        {{4}, 1},                                 /* cut header */
        {{3, 1, 1, 'a'}, 4},                      /* another base size */
        {{4, 2, 2, 'a', 'b'}, 5},                 /* another result size (1 is asked) */
        {{4, 1}, 2},                              /* result too short */
        {{4, 1, 0, 1, 'a'}, 5},                   /* opcode 0 */
        {{4, 1, 2, 'a'}, 4},                      /* insert cut */
        {{4, 1, 2, 'a', 'b'}, 5},                 /* insert past the result */
        {{4, 1, 0x91, 3}, 4},                     /* copy op cut */
        {{4, 1, 0x91, 4, 1}, 5},                  /* copy past the base */
        {{4, 1, 0x9f, 255, 255, 255, 255, 1}, 8}, /* far past the base */
        {{4, 1, 0x80}, 3},                        /* copy of 0x10000 */
        {{4, 1, 0x90, 2}, 4},                     /* copy past the result */
        {{4, 1, 0x90, 1, 1, 'a'}, 6},             /* an op too many */
        {{4, 1, 0x90, 1, 0}, 5},                  /* trailing opcode 0 */
        {{0x84, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1}, 12}, /* size wraps */
    };
    struct bough_view base = bough_view_str("base");
    uint8_t room[1 + 8];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(room, 0xee, sizeof room);
        assert_int_equal(
            bough_delta_apply(base, bough_view(bad[i].raw, bad[i].len), room, 1), BOUGH_EFORMAT);
        for (size_t j = 1; j < sizeof room; j++) /* nothing was written past the result */
            assert_int_equal(room[j], 0xee);
    }
    assert_int_equal(bough_delta_apply(base, bough_view("\4\1\x91\3\1", 5), room, 1), BOUGH_OK);
    assert_int_equal(room[0], 'e');
}

static void test_git_delta__copy_of_size_zero_is_64_kib(void **state)
{
    static const uint8_t delta[] = {0x80, 0x80, 4, 0x80, 0x80, 4, 0x80};

    (void)state;
    noise_fill(base_bytes, 0x10000, 6);
    check_makes(bough_view(base_bytes, 0x10000), bough_view(delta, sizeof delta),
        bough_view(base_bytes, 0x10000));
}

static void test_git_delta__survives_every_changed_byte(void **state)
{
    struct test_mem m;
    struct bough_delta_index x;
    struct bough_buf out;

    (void)state;
    noise_fill(base_bytes, 4000, 7);
    memcpy(target_bytes, base_bytes, 4000);
    for (size_t i = 0; i < 4000; i += 500)
        target_bytes[i] ^= 1;
    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    assert_int_equal(bough_delta_index_init(&x, &m.mem, bough_view(base_bytes, 4000)), BOUGH_OK);
    assert_int_equal(bough_delta_find(&x, bough_view(target_bytes, 4000), 4000, &out), BOUGH_OK);
    for (size_t i = 0; i < out.len; i++) {
        uint8_t keep = out.ptr[i];
        for (unsigned c = 0; c < 256; c++) {
            enum bough_err err;
            out.ptr[i] = (uint8_t)c;
            err = bough_delta_apply(
                bough_view(base_bytes, 4000), bough_buf_view(&out), made_bytes, 4000);
            assert_true(err == BOUGH_OK || err == BOUGH_EFORMAT);
        }
        out.ptr[i] = keep;
    }
    for (size_t cut = 0; cut < out.len; cut++)
        assert_int_equal(bough_delta_apply(bough_view(base_bytes, 4000), bough_view(out.ptr, cut),
                             made_bytes, 4000),
            BOUGH_EFORMAT);
    bough_delta_index_fini(&x);
    bough_buf_fini(&out);
    test_mem_done(&m);
}

static void test_git_delta__reports_no_memory(void **state)
{
    struct test_mem m;
    struct bough_delta_index x;

    (void)state;
    for (uint64_t n = 0;; n++) {
        struct bough_buf out;
        enum bough_err err;

        test_mem_init(&m);
        m.fail_at = n;
        bough_buf_init(&out, &m.mem);
        err = bough_delta_index_init(&x, &m.mem, bough_view(base_bytes, 4000));
        if (err == BOUGH_OK) {
            err = bough_delta_find(&x, bough_view(target_bytes, 4000), 4000, &out);
            bough_delta_index_fini(&x);
        }
        bough_buf_fini(&out);
        test_mem_done(&m);
        assert_int_equal(err, m.failed ? BOUGH_ENOMEM : BOUGH_OK);
        if (!m.failed)
            break;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_git_delta__finds_an_edit_in_noise),
        cmocka_unit_test(test_git_delta__finds_a_line_changed_in_text),
        cmocka_unit_test(test_git_delta__is_not_slow_on_bytes_of_one_kind),
        cmocka_unit_test(test_git_delta__works_at_the_small_ends),
        cmocka_unit_test(test_git_delta__says_when_none_is_short_enough),
        cmocka_unit_test(test_git_delta__builder_joins_and_splits),
        cmocka_unit_test(test_git_delta__refuses_each_broken_rule),
        cmocka_unit_test(test_git_delta__copy_of_size_zero_is_64_kib),
        cmocka_unit_test(test_git_delta__survives_every_changed_byte),
        cmocka_unit_test(test_git_delta__reports_no_memory),
    };

    return cmocka_run_group_tests_name("git/delta", tests, NULL, NULL);
}
