/*
 * test_git_name.c - names in trees and names of refs.
 *
 * Goal: what git fsck and git check-ref-format refuse is refused here, with the
 * rule that was broken, and nothing else is.  Method: tables of names;
 * tests/interop asks git itself about many more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/name.h"

static void test_name__refuses_what_may_not_stand_in_a_path(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "a/b",
        ".git",
        ".GIT",
        ".GiT",
        "git~1",
        "GIT~1",
        "Git~1",
        ".git.",
        ".git ",
        ".git . .",
        "git~1.",
        "git~1 ",
        ".git:x",
        ".git::$INDEX_ALLOCATION",
        "git~1:x",
        ".git\\x",
        ".git\\",
        ".git .\\x",
        "a\\.git",
        "a\\git~1",
        "a\\b\\.git . :x",
        "\\.git",
        ".g\xe2\x80\x8cit",
        "\xe2\x80\x8d.git",
        ".git\xe2\x80\xaa",
        "\xef\xbb\xbf.git",
        ".GI\xe2\x81\xaaT",
        ".git\xff",
        ".git\xe2\x80\x8c\xe2\x80\x8f",
    };
    struct bough_why why = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bough_name_check(bough_view_str(bad[i]), &why), BOUGH_EKEY);
        assert_int_equal(why.key_len, strlen(bad[i]));
        assert_true(why.what[0] != 0);
    }
    assert_int_equal(bough_name_check(bough_view("a\0b", 3), NULL), BOUGH_EKEY);
}

static void test_name__lets_everything_else_through(void **state)
{
    static const char *const good[] = {
        "a",
        "...",
        ".gitx",
        ".gi",
        "git",
        "git~2",
        "git~",
        "git~12",
        "git~1x",
        ".git x",
        ".gitmodules",
        "x.git",
        " .git",
        "a\\b",
        "\\",
        ".git~1",
        "a:b",
        "\xff\xfe",
        "\n",
        " ",
        "gi\xc3\xa9",
        ".g\xc3\xadt",
        "a\\.gitx",
        "a\\git",
        "\xe2\x80\x8c",
        ".git\xe2\x82\xac",
        "-",
        "CON",
        "x\\\xe2\x80\x8c.git",
        ".g it",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(bough_name_check(bough_view_str(good[i]), NULL), BOUGH_OK);
}

static void test_name__sees_the_special_files_in_disguise(void **state)
{
    static const struct {
        const char *name;
        enum bough_name_dot dot;
        bool want;
    } cases[] = {
        {".gitmodules", BOUGH_DOT_GITMODULES, true},
        {".GITMODULES", BOUGH_DOT_GITMODULES, true},
        {".gitmodules ", BOUGH_DOT_GITMODULES, true},
        {".gitmodules:x", BOUGH_DOT_GITMODULES, true},
        {".gitmodules\\x", BOUGH_DOT_GITMODULES, false},
        {"gitmod~1", BOUGH_DOT_GITMODULES, true},
        {"GITMOD~4", BOUGH_DOT_GITMODULES, true},
        {"gitmod~5", BOUGH_DOT_GITMODULES, false},
        {"gitmod~0", BOUGH_DOT_GITMODULES, false},
        {"gi7eba~1", BOUGH_DOT_GITMODULES, true},
        {"GI7EB~10", BOUGH_DOT_GITMODULES, true},
        {"gi7e~123", BOUGH_DOT_GITMODULES, true},
        {"~1000000", BOUGH_DOT_GITMODULES, true},
        {"~0000000", BOUGH_DOT_GITMODULES, false},
        {"gi7eba~x", BOUGH_DOT_GITMODULES, false},
        {"gi7eba~1 .", BOUGH_DOT_GITMODULES, true},
        {"gi7eba~1x", BOUGH_DOT_GITMODULES, false},
        {"gi7eb~1", BOUGH_DOT_GITMODULES, false},
        {"gi7d29~1", BOUGH_DOT_GITMODULES, false},
        {"gi7d29~1", BOUGH_DOT_GITATTRIBUTES, true},
        {"gitatt~1", BOUGH_DOT_GITATTRIBUTES, true},
        {".gitattributes", BOUGH_DOT_GITATTRIBUTES, true},
        {".gitignore", BOUGH_DOT_GITIGNORE, true},
        {"gi250a~9", BOUGH_DOT_GITIGNORE, true},
        {".mailmap", BOUGH_DOT_MAILMAP, true},
        {"mailma~2", BOUGH_DOT_MAILMAP, true},
        {"maba30~1", BOUGH_DOT_MAILMAP, true},
        {".mail\xe2\x80\x8cmap", BOUGH_DOT_MAILMAP, true},
        {"gitmodules", BOUGH_DOT_GITMODULES, false},
        {".gitmodule", BOUGH_DOT_GITMODULES, false},
        {"", BOUGH_DOT_GIT, false},
        {".git", BOUGH_DOT_GIT, true},
        {".gi\xe2\x80\x8ct/x", BOUGH_DOT_GIT, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            bough_name_is_dot(bough_view_str(cases[i].name), cases[i].dot), cases[i].want);
}

static void test_refname__refuses_with_the_rule_that_was_broken(void **state)
{
    static const struct {
        const char *name, *rule;
    } cases[] = {
        {"", "empty part"},
        {"/", "empty part"},
        {"a//b", "empty part"},
        {"/a/b", "empty part"},
        {"a/b/", "empty part"},
        {"a/.b", "a part begins with a dot"},
        {".a/b", "a part begins with a dot"},
        {"a/b.", "a dot at the end"},
        {"a/b..c", "two dots in a row"},
        {"a/b.lock", "a part ends in .lock"},
        {"a.lock/b", "a part ends in .lock"},
        {"a/b@{c", "@{"},
        {"@", "@ alone"},
        {"a/b c", "one of space ~ ^ : ? * [ backslash"},
        {"a/~", "one of space ~ ^ : ? * [ backslash"},
        {"a/^", "one of space ~ ^ : ? * [ backslash"},
        {"a/:", "one of space ~ ^ : ? * [ backslash"},
        {"a/?", "one of space ~ ^ : ? * [ backslash"},
        {"a/*", "one of space ~ ^ : ? * [ backslash"},
        {"a/[", "one of space ~ ^ : ? * [ backslash"},
        {"a/\\", "one of space ~ ^ : ? * [ backslash"},
        {"a/\x1f", "control character"},
        {"a/\x7f", "control character"},
        {"a", "no slash"},
    };
    struct bough_why why;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(bough_refname_check(bough_view_str(cases[i].name), 0, &why), BOUGH_EKEY);
        assert_string_equal(why.what, cases[i].rule);
    }
    assert_int_equal(bough_refname_check(bough_view("a/\0", 3), 0, NULL), BOUGH_EKEY);
}

static void test_refname__lets_good_ones_through(void **state)
{
    static const char *const good[] = {
        "refs/heads/main",
        "a/b",
        "a/@",
        "a/b@",
        "a/{",
        "a/b.c",
        "a/-b",
        "a/b.locks",
        "a/lock",
        "\xc3\xa9/\xff",
        "a/b!\"#$%&'()+,;<=>]`|}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(bough_refname_check(bough_view_str(good[i]), 0, NULL), BOUGH_OK);
    assert_int_equal(
        bough_refname_check(bough_view_str("HEAD"), BOUGH_REFNAME_ONELEVEL, NULL), BOUGH_OK);
    assert_int_equal(
        bough_refname_check(bough_view_str("a/*/b"), BOUGH_REFNAME_PATTERN, NULL), BOUGH_OK);
    assert_int_equal(
        bough_refname_check(bough_view_str("a/*/*"), BOUGH_REFNAME_PATTERN, NULL), BOUGH_EKEY);
}

static void test_refname__clashes_with_its_own_directory(void **state)
{
    static const struct {
        const char *a, *b;
        bool want;
    } cases[] = {
        {"refs/heads/a", "refs/heads/a/b", true},
        {"refs/heads/a", "refs/heads/a", false},
        {"refs/heads/a", "refs/heads/ab", false},
        {"refs/heads/a", "refs/heads/b/a", false},
        {"refs/heads/a", "refs/heads/a/b/c", true},
        {"", "refs", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_view a = bough_view_str(cases[i].a), b = bough_view_str(cases[i].b);

        assert_int_equal(bough_refname_clash(a, b), cases[i].want);
        assert_int_equal(bough_refname_clash(b, a), cases[i].want);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name__refuses_what_may_not_stand_in_a_path),
        cmocka_unit_test(test_name__lets_everything_else_through),
        cmocka_unit_test(test_name__sees_the_special_files_in_disguise),
        cmocka_unit_test(test_refname__refuses_with_the_rule_that_was_broken),
        cmocka_unit_test(test_refname__lets_good_ones_through),
        cmocka_unit_test(test_refname__clashes_with_its_own_directory),
    };

    return cmocka_run_group_tests_name("git/name", tests, NULL, NULL);
}
