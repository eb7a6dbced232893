/*
 * test_git_oid.c - object ids are Git's, and their text goes both ways.
 *
 * Method: ids that git itself gave (hash-object with both object formats),
 * and each kind of wrong hex.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/oid.h"

static void assert_id(enum bough_algo algo, const struct bough_oid *id, const char *want)
{
    char hex[BOUGH_HEX_MAX + 1] = {0};

    assert_int_equal(bough_oid_hex(algo, id, hex), strlen(want));
    assert_string_equal(hex, want);
}

static void test_oid__of_a_body_is_gits(void **state)
{
    struct bough_view hello = bough_view_str("hello\n");
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, hello);

    (void)state;
    assert_id(BOUGH_SHA1, &id, "ce013625030ba8dba906f756967f9e9ca394464a");
    id = bough_oid_of(BOUGH_SHA256, BOUGH_BLOB, hello);
    assert_id(
        BOUGH_SHA256, &id, "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4");
}

static void test_oid__of_the_empty_is_known(void **state)
{
    struct bough_view none = {NULL, 0};

    (void)state;
    for (int i = BOUGH_SHA1; i <= BOUGH_SHA256; i++) {
        enum bough_algo algo = (enum bough_algo)i;
        struct bough_oid tree = bough_oid_of(algo, BOUGH_TREE, none);
        struct bough_oid blob = bough_oid_of(algo, BOUGH_BLOB, none);

        assert_true(bough_oid_eq(&tree, bough_oid_empty_tree(algo)));
        assert_true(bough_oid_eq(&blob, bough_oid_empty_blob(algo)));
    }
    assert_id(
        BOUGH_SHA1, bough_oid_empty_tree(BOUGH_SHA1), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
}

static void test_oid__in_pieces_is_the_same(void **state)
{
    static const char body[] =
        "0123456789012345678901234567890123456789012345678901234567890123456";
    struct bough_oid whole = bough_oid_of(BOUGH_SHA1, BOUGH_COMMIT, bough_view_str(body)), id;
    struct bough_hash h;

    (void)state;
    bough_oid_begin(&h, BOUGH_SHA1, BOUGH_COMMIT, strlen(body));
    for (size_t i = 0; i < strlen(body); i++)
        bough_hash_update(&h, body + i, 1);
    id = bough_oid_end(&h);
    assert_true(bough_oid_eq(&id, &whole));
}

static void test_oid__writes_sizes_in_decimal(void **state)
{
    struct bough_hash h, want;
    struct bough_oid a, b;

    (void)state;
    bough_oid_begin(&h, BOUGH_SHA1, BOUGH_BLOB, UINT64_MAX);
    a = bough_oid_end(&h);
    bough_hash_init(&want, BOUGH_SHA1);
    bough_hash_update(&want, "blob 18446744073709551615", 26);
    b = bough_oid_end(&want);
    assert_true(bough_oid_eq(&a, &b));
}

static void test_oid__reads_hex_and_refuses_the_rest(void **state)
{
    static const char good[] = "ce013625030ba8dba906f756967f9e9ca394464A";
    static const char bad_chars[] = {'g', 'G', '/', ':', '@', '`', ' ', 0, (char)0xe1};
    struct bough_oid id, other;
    char text[41];

    (void)state;
    assert_int_equal(bough_oid_parse(BOUGH_SHA1, bough_view_str(good), &id), BOUGH_OK);
    assert_id(BOUGH_SHA1, &id, "ce013625030ba8dba906f756967f9e9ca394464a");
    for (size_t i = bough_algo_len(BOUGH_SHA1); i < BOUGH_DIGEST_MAX; i++)
        assert_int_equal(id.bytes[i], 0);
    assert_int_equal(bough_oid_parse(BOUGH_SHA256, bough_view_str(good), &other), BOUGH_EFORMAT);
    assert_int_equal(bough_oid_parse(BOUGH_SHA1, bough_view(good, 39), &other), BOUGH_EFORMAT);
    assert_int_equal(bough_oid_parse(BOUGH_SHA1, bough_view(good, 0), &other), BOUGH_EFORMAT);
    for (size_t at = 0; at < 40; at++) {
        for (size_t i = 0; i < sizeof bad_chars; i++) {
            memcpy(text, good, sizeof text);
            text[at] = bad_chars[i];
            assert_int_equal(
                bough_oid_parse(BOUGH_SHA1, bough_view(text, 40), &other), BOUGH_EFORMAT);
        }
    }
}

static void test_oid__types_have_names(void **state)
{
    (void)state;
    for (int t = BOUGH_COMMIT; t <= BOUGH_TAG; t++)
        assert_int_equal(bough_type_parse(bough_view_str(bough_type_name((enum bough_type)t))), t);
    assert_string_equal(bough_type_name(BOUGH_REF_DELTA), "?");
    assert_string_equal(bough_type_name(BOUGH_NONE), "?");
    assert_int_equal(bough_type_parse(bough_view_str("trees")), BOUGH_NONE);
    assert_int_equal(bough_type_parse(bough_view_str("?")), BOUGH_NONE);
    assert_int_equal(bough_type_parse(bough_view(NULL, 0)), BOUGH_NONE);
}

static void test_oid__sorts_by_bytes_and_knows_zero(void **state)
{
    const uint8_t raw[20] = {0};
    struct bough_oid zero = bough_oid_raw(BOUGH_SHA1, raw);

    (void)state;
    assert_true(bough_oid_is_zero(&zero));
    assert_false(bough_oid_is_zero(bough_oid_empty_blob(BOUGH_SHA1)));
    assert_true(bough_oid_cmp(&zero, bough_oid_empty_blob(BOUGH_SHA1)) < 0);
    assert_true(
        bough_oid_cmp(bough_oid_empty_blob(BOUGH_SHA1), bough_oid_empty_tree(BOUGH_SHA1)) > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oid__of_a_body_is_gits),
        cmocka_unit_test(test_oid__of_the_empty_is_known),
        cmocka_unit_test(test_oid__in_pieces_is_the_same),
        cmocka_unit_test(test_oid__writes_sizes_in_decimal),
        cmocka_unit_test(test_oid__reads_hex_and_refuses_the_rest),
        cmocka_unit_test(test_oid__types_have_names),
        cmocka_unit_test(test_oid__sorts_by_bytes_and_knows_zero),
    };

    return cmocka_run_group_tests_name("git/oid", tests, NULL, NULL);
}
