/*
 * test_base_base.c - errors, views, growing vectors, the defaults of the env.
 *
 * Goal: the small things that everything rests on are exact at their edges.
 * Method: tables of cases; memory that fails for the vector.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/env.h"

static void test_base__every_error_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i >= BOUGH_EDEPTH; i--) {
        const char *name = bough_err_name((enum bough_err)i);

        assert_string_not_equal(name, "unknown error");
        for (int j = 0; j > i; j--)
            assert_string_not_equal(name, bough_err_name((enum bough_err)j));
    }
    assert_string_equal(bough_err_name(BOUGH_ENOENT), "not found");
    assert_string_equal(bough_err_name(BOUGH_EDENIED), "permission denied");
    assert_string_equal(bough_err_name((enum bough_err)(BOUGH_EDEPTH - 1)), "unknown error");
}

static void test_base__why_keeps_what_fits(void **state)
{
    struct bough_why why;
    uint8_t key[BOUGH_WHY_KEY_MAX + 1];

    (void)state;
    memset(key, 'k', sizeof key);
    assert_int_equal(BOUGH_WHY(&why, BOUGH_EKEY, "too long", key, sizeof key), BOUGH_EKEY);
    assert_int_equal(why.err, BOUGH_EKEY);
    assert_string_equal(why.what, "too long");
    assert_int_equal(why.key_len, BOUGH_WHY_KEY_MAX);
    assert_int_equal(why.line, __LINE__ - 4);
    assert_int_equal(BOUGH_WHY(NULL, BOUGH_EIO, NULL, NULL, 0), BOUGH_EIO);
    assert_int_equal(BOUGH_WHY(&why, BOUGH_EIO, NULL, NULL, 0), BOUGH_EIO);
    assert_string_equal(why.what, "");
    assert_int_equal(why.key_len, 0);
}

static void test_base__views_are_ordered_bytewise(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"", "", 0},
        {"", "a", -1},
        {"a", "a", 0},
        {"a", "ab", -1},
        {"b", "ab", 1},
        {"\x7f", "\x80", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_view a = bough_view_str(cases[i].a), b = bough_view_str(cases[i].b);
        int ab = bough_view_cmp(a, b), ba = bough_view_cmp(b, a);

        assert_int_equal((ab > 0) - (ab < 0), cases[i].order);
        assert_int_equal((ba > 0) - (ba < 0), -cases[i].order);
        assert_int_equal(bough_view_eq(a, b), cases[i].order == 0);
    }
    assert_true(bough_view_eq(bough_view(NULL, 0), bough_view("x", 0)));
}

static void test_base__integers_have_the_stated_order(void **state)
{
    uint8_t p[8];

    (void)state;
    bough_put64le(p, 0x0102030405060708);
    assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_int_equal(bough_get64le(p), 0x0102030405060708);
    assert_int_equal(bough_get32le(p), 0x05060708);
    assert_int_equal(bough_get16le(p), 0x0708);
    bough_put64be(p, 0xfffefdfcfbfaf9f8);
    assert_memory_equal(p, "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 8);
    assert_int_equal(bough_get64be(p), 0xfffefdfcfbfaf9f8);
    assert_int_equal(bough_get32be(p), 0xfffefdfc);
}

static void test_base__a_vector_grows_or_stays(void **state)
{
    struct test_mem m;
    void *ptr = NULL;
    size_t cap = 0;

    (void)state;
    test_mem_init(&m);
    assert_int_equal(bough_mem_grow(&m.mem, &ptr, &cap, 1, 12), BOUGH_OK);
    assert_true(cap >= 1);
    memset(ptr, 7, cap * 12);
    for (size_t want = 1; want < 1000; want++) {
        size_t had = cap;
        assert_int_equal(bough_mem_grow(&m.mem, &ptr, &cap, want, 12), BOUGH_OK);
        assert_true(cap >= want && (cap == had || cap >= 2 * had));
    }
    assert_int_equal(((uint8_t *)ptr)[8 * 12 - 1], 7);
    m.fail_at = m.calls;
    assert_int_equal(bough_mem_grow(&m.mem, &ptr, &cap, cap + 1, 12), BOUGH_ENOMEM);
    assert_int_equal(bough_mem_grow(&m.mem, &ptr, &cap, SIZE_MAX / 12 + 1, 12), BOUGH_ENOMEM);
    bough_mem_free(&m.mem, ptr, cap * 12);
    test_mem_done(&m);
}

static void test_base__zalloc_clears_and_refuses_to_wrap(void **state)
{
    struct test_mem m;
    uint8_t *p;

    (void)state;
    test_mem_init(&m);
    p = bough_mem_zalloc(&m.mem, 3, 5);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    assert_null(bough_mem_zalloc(&m.mem, SIZE_MAX / 2, 3));
    bough_mem_free(&m.mem, p, 15);
    test_mem_done(&m);
}

static void test_base__an_empty_env_has_defaults(void **state)
{
    struct bough_env env = {.mem = NULL};
    uint8_t a[4];

    (void)state;
    assert_int_equal(bough_env_now(&env).sec, 0);
    bough_env_random(&env, a, sizeof a);
    assert_memory_equal(a, "\1\2\3\4", 4);
    bough_env_log(&env, BOUGH_LOG_ERROR, "nobody listens");
}

static void test_base__sizes_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t bytes;
    } cases[] = {
        {"0", true, 0},
        {"512", true, 512},
        {"4K", true, 4096},
        {"4k", true, 4096},
        {"64M", true, (uint64_t)64 << 20},
        {"1g", true, (uint64_t)1 << 30},
        {"2T", true, (uint64_t)2 << 40},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"16777215T", true, (uint64_t)16777215 << 40},
        {"16777216T", false, 0},
        {"", false, 0},
        {"K", false, 0},
        {"-1", false, 0},
        {"1KB", false, 0},
        {"1.5G", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 7;

        assert_int_equal(bough_size_parse(bough_view_str(cases[i].text), &bytes), cases[i].ok);
        assert_int_equal(bytes, cases[i].ok ? cases[i].bytes : 7);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base__every_error_has_a_name_of_its_own),
        cmocka_unit_test(test_base__why_keeps_what_fits),
        cmocka_unit_test(test_base__views_are_ordered_bytewise),
        cmocka_unit_test(test_base__integers_have_the_stated_order),
        cmocka_unit_test(test_base__a_vector_grows_or_stays),
        cmocka_unit_test(test_base__zalloc_clears_and_refuses_to_wrap),
        cmocka_unit_test(test_base__an_empty_env_has_defaults),
        cmocka_unit_test(test_base__sizes_are_read_as_people_write_them),
    };

    return cmocka_run_group_tests_name("base/base", tests, NULL, NULL);
}
