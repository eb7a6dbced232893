/*
 * test_git_delta_long.c - deltas between what does not fit into memory.
 *
 * Goal: what is found makes the target, byte for byte, however its bytes come; it is short where
 * little was changed; it is given up where it would be long; memory is bounded; an error of the
 * base's comes through.  Method: edits of pseudo-random and of very repetitive bytes, applied by
 * the reader of deltas; a base that is made up as it is read, of 3 GiB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/delta_long.h"
#include "tests/lib/env.h"

enum { ROOM = 3 << 20, COPIES = ROOM / 65536 * 7 + 100 }; /* a copy is 64 KiB at the most */
static uint8_t base_bytes[ROOM], target_bytes[2 * ROOM], made_bytes[2 * ROOM];

struct memory_base {
    struct bough_delta_base base;
    uint64_t fail_at; /* a read that reaches this byte fails */
};

static enum bough_err memory_read(
    struct bough_delta_base *base, uint64_t at, uint8_t *dst, uint64_t n)
{
    const struct memory_base *m = (const struct memory_base *)base;

    assert_true(n > 0 && at + n <= base->len);
    if (m->fail_at != 0 && at + n > m->fail_at)
        return BOUGH_EIO;
    memcpy(dst, base_bytes + at, (size_t)n);
    return BOUGH_OK;
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(test_random(&seed) >> 11);
}

/* Find it, feeding `piece` bytes at a time. */
static enum bough_err find(struct bough_delta_long *d, struct bough_mem *mem,
    struct memory_base *base, size_t target_len, uint64_t len_max, size_t piece)
{
    enum bough_err err = bough_delta_long_init(d, mem, &base->base, target_len, len_max);

    while (!err && (err = bough_delta_long_index(d, 1000)) == BOUGH_EAGAIN)
        err = BOUGH_OK;
    for (size_t at = 0; !err && at < target_len; at += piece)
        err = bough_delta_long_feed(
            d, bough_view(target_bytes + at, target_len - at < piece ? target_len - at : piece));
    return err ? err : bough_delta_long_end(d);
}

/* Its length; the target comes out of it. */
static size_t check(size_t base_len, size_t target_len, size_t piece)
{
    struct memory_base base = {{memory_read, base_len}, 0};
    struct bough_delta_long d;
    struct test_mem mem;
    size_t len;

    test_mem_init(&mem);
    assert_int_equal(
        find(&d, &mem.mem, &base, target_len, (uint64_t)2 * target_len + 100, piece), BOUGH_OK);
    len = d.out.len;
    assert_int_equal(bough_delta_apply(bough_view(base_bytes, base_len), bough_buf_view(&d.out),
                         made_bytes, target_len),
        BOUGH_OK);
    assert_memory_equal(made_bytes, target_bytes, target_len);
    bough_delta_long_fini(&d);
    if (len > 2)
        assert_int_equal(find(&d, &mem.mem, &base, target_len, len - 1, piece), BOUGH_ENOENT);
    bough_delta_long_fini(&d);
    test_mem_done(&mem);
    return len;
}

static void test_delta_long__is_short_where_little_changed(void **state)
{
    static const size_t pieces[] = {1 << 16, 100003, ROOM};

    (void)state;
    fill(base_bytes, ROOM, 1);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        memcpy(target_bytes, base_bytes, ROOM);
        assert_true(check(ROOM, ROOM, pieces[i]) < COPIES); /* the same */
        assert_true(check(ROOM, 1234567, pieces[i]) < COPIES);
        memcpy(target_bytes, base_bytes, ROOM / 2); /* 1,000 bytes put in, some changed */
        fill(target_bytes + ROOM / 2, 1000, 2);
        memcpy(target_bytes + ROOM / 2 + 1000, base_bytes + ROOM / 2, ROOM / 2);
        for (size_t at = 1000; at < ROOM; at += 200000)
            target_bytes[at] ^= 1;
        assert_true(check(ROOM, ROOM + 1000, pieces[i]) < 1000 + 16 * 20 + COPIES);
        memcpy(target_bytes, base_bytes + ROOM / 3, ROOM - ROOM / 3); /* moved */
        memcpy(target_bytes + ROOM - ROOM / 3, base_bytes, ROOM / 3);
        assert_true(check(ROOM, ROOM, pieces[i]) < COPIES);
    }
}

static void test_delta_long__makes_anything_of_anything(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t base_len = test_random(&seed) % 9000, len = 0, want = test_random(&seed) % 20000;
        bool few = test_random(&seed) % 2 == 0; /* bytes of few kinds: matches everywhere */

        fill(base_bytes, base_len, seed);
        for (size_t i = 0; few && i < base_len; i++)
            base_bytes[i] = base_bytes[i] < 250;
        while (len < want) {
            size_t n = 1 + test_random(&seed) % 600;
            size_t from = base_len > n ? test_random(&seed) % (base_len - n) : 0;

            if (base_len <= n || test_random(&seed) % 3 == 0)
                fill(target_bytes + len, n, test_random(&seed));
            else
                memcpy(target_bytes + len, base_bytes + from, n);
            len += n;
        }
        check(base_len, len, 1 + test_random(&seed) % 3000);
    }
}

static void test_delta_long__of_one_byte_over_and_over_is_quick(void **state)
{
    (void)state;
    memset(base_bytes, 0, ROOM);
    memset(target_bytes, 0, 2 * ROOM);
    assert_true(check(ROOM, 2 * ROOM, 1 << 16) < 2 * COPIES);
    target_bytes[777777] = 1;
    assert_true(check(ROOM, 2 * ROOM, 1 << 16) < 2 * COPIES + 100);
}

static void test_delta_long__tells_what_fails(void **state)
{
    struct memory_base base = {{memory_read, ROOM}, ROOM / 2};
    struct bough_delta_long d;
    struct test_mem mem;

    (void)state;
    test_mem_init(&mem);
    fill(base_bytes, ROOM, 1);
    memcpy(target_bytes, base_bytes, ROOM);
    assert_int_equal(find(&d, &mem.mem, &base, ROOM, ROOM, 1 << 16), BOUGH_EIO);
    bough_delta_long_fini(&d);
    base.base.len = (uint64_t)BOUGH_DELTA_LONG_MAX + 1;
    assert_int_equal(find(&d, &mem.mem, &base, ROOM, ROOM, 1 << 16), BOUGH_ETOOBIG);
    bough_delta_long_fini(&d);
    base = (struct memory_base){{memory_read, ROOM}, 0};
    for (uint64_t n = 0;; n++) {
        enum bough_err err;

        test_mem_done(&mem);
        test_mem_init(&mem);
        mem.fail_at = n;
        err = find(&d, &mem.mem, &base, 300000, ROOM, 1 << 16);
        bough_delta_long_fini(&d);
        if (!mem.failed)
            break;
        assert_int_equal(err, BOUGH_ENOMEM);
    }
    test_mem_done(&mem);
}

/* ---- More than memory ---- */

static const uint64_t HUGE_LEN = (uint64_t)3 << 30, EDIT = 1000000007, EDIT_LEN = 5000;

static void huge_bytes(uint64_t at, uint8_t *dst, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t x = (at + i) / 8 * 0x9e3779b97f4a7c15;
        dst[i] = (uint8_t)((x ^ x >> 29) >> 8 * ((at + i) % 8));
    }
}

static enum bough_err huge_read(
    struct bough_delta_base *base, uint64_t at, uint8_t *dst, uint64_t n)
{
    assert_true(at + n <= base->len);
    huge_bytes(at, dst, n);
    return BOUGH_OK;
}

/* Some bytes in the middle of 3 GiB: a share of it here, all of it with LONG=1. */
static void test_delta_long__takes_bounded_memory(void **state)
{
    uint64_t len = getenv("LONG") != NULL ? HUGE_LEN : HUGE_LEN / 64, edit = EDIT % len;
    struct bough_delta_base base = {huge_read, len};
    struct bough_delta_long d;
    struct test_mem mem;
    static uint8_t piece[1 << 16];

    (void)state;
    test_mem_init(&mem);
    assert_int_equal(bough_delta_long_init(&d, &mem.mem, &base, len + EDIT_LEN, 1 << 20), BOUGH_OK);
    while (bough_delta_long_index(&d, 1 << 20) == BOUGH_EAGAIN)
        ;
    for (uint64_t at = 0; at < len + EDIT_LEN;) {
        uint64_t stop = at < edit ? edit : at < edit + EDIT_LEN ? edit + EDIT_LEN : len + EDIT_LEN;
        uint64_t n = stop - at < sizeof piece ? stop - at : sizeof piece;

        if (at >= edit && at < edit + EDIT_LEN)
            fill(piece, (size_t)n, at);
        else
            huge_bytes(at < edit ? at : at - EDIT_LEN, piece, n);
        assert_int_equal(bough_delta_long_feed(&d, bough_view(piece, (size_t)n)), BOUGH_OK);
        at += n;
    }
    assert_int_equal(bough_delta_long_end(&d), BOUGH_OK);
    assert_true(d.out.len < EDIT_LEN + len / 65536 * 7 + 1000);
    assert_true(mem.peak < 4 << 20);
    bough_delta_long_fini(&d);
    test_mem_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delta_long__is_short_where_little_changed),
        cmocka_unit_test(test_delta_long__makes_anything_of_anything),
        cmocka_unit_test(test_delta_long__of_one_byte_over_and_over_is_quick),
        cmocka_unit_test(test_delta_long__tells_what_fails),
        cmocka_unit_test(test_delta_long__takes_bounded_memory),
    };

    return cmocka_run_group_tests_name("git/delta_long", tests, NULL, NULL);
}
