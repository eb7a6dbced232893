/*
 * test_kv_path.c - the quick look whether a key is in inner form.
 *
 * Goal: a key that is taken as it is has no slash at its ends and none beside another.
 * Method: every key of slashes and letters up to a length that takes several words, next to
 * the plain definition.
 */
#include "kv/inner.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_path__is_normal_when_no_slash_is_too_many),
    };

    return cmocka_run_group_tests_name("kv_path", tests, NULL, NULL);
}
