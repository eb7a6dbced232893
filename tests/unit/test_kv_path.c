/*
 * test_kv_path.c - keys in inner form.
 *
 * Goal: a key that is taken as it is has no slash at its ends and none beside another; where there is no
 * memory for the inner form, the place says so as its reason.
 * Method: every key of slashes and letters up to a length that takes several words, next to
 * the plain definition; a memory that fails.
 */
#include "kv/inner.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/env.h"

static bool plainly(const char *key, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (key[i] == '/' && key[i + 1] == '/')
            return false;
    }
    return len > 0 && key[0] != '/' && key[len - 1] != '/';
}

static void test_kv_path__is_normal_when_no_slash_is_too_many(void **state)
{
    enum { LEN_MAX = 19 };

    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len++) {
        for (uint32_t bits = 0; bits < 1u << len; bits++) {
            char key[LEN_MAX];

            for (size_t i = 0; i < len; i++)
                key[i] = (bits >> i & 1) != 0 ? '/' : (char)0xaf; /* a slash and the high bit */
            if (bough_kv__path_is_normal(bough_view(key, len)) != plainly(key, len))
                fail_msg("length %zu, slashes %x", len, (unsigned)bits);
        }
    }
}

static void test_kv_path__without_memory_is_said_so(void **state)
{
    struct bough_view key = bough_view_str("/a/key/longer/than/what/is/there");
    struct bough_kv_entry entry;
    struct bough_oid id;
    enum bough_kind kind;
    struct test_env t;
    struct bough_kv *kv;

    (void)state;
    test_env_init(&t);
    assert_int_equal(bough_kv_memory_open(&t.env, BOUGH_SHA1, &kv), BOUGH_OK);
    t.mem.fail_on = true;
    t.mem.fail_at = t.mem.calls;
    assert_int_equal(bough_kv_exists(kv, key, &kind), BOUGH_ENOMEM);
    assert_int_equal(kv->why.err, BOUGH_ENOMEM);
    kv->why.err = BOUGH_OK;
    assert_int_equal(bough_kv_digest(kv, key, &id), BOUGH_ENOMEM);
    assert_int_equal(kv->why.err, BOUGH_ENOMEM);
    kv->why.err = BOUGH_OK;
    assert_int_equal(bough_kv_next(kv, key, bough_view("", 0), &entry), BOUGH_ENOMEM);
    assert_int_equal(kv->why.err, BOUGH_ENOMEM);
    bough_kv_close(kv);
    test_env_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_path__is_normal_when_no_slash_is_too_many),
        cmocka_unit_test(test_kv_path__without_memory_is_said_so),
    };

    return cmocka_run_group_tests_name("kv_path", tests, NULL, NULL);
}
