/*
 * test_git_tree.c - trees are read as leniently as git reads them and written
 * byte for byte as git writes them.
 *
 * Method: bytes and ids that git itself made (tests/interop compares many
 * more), odd objects from old repositories, every prefix of good objects,
 * every failing allocation of the writers.
 */
#include "tests/unit/object_bed.h"

static void test_filemode__maps_every_spelling_to_one_of_five(void **state)
{
    static const uint32_t cases[][2] = {
        {0100644, 0100644},
        {0100664, 0100644},
        {0100666, 0100644},
        {0100600, 0100644},
        {0100755, 0100755},
        {0100775, 0100755},
        {0100700, 0100755},
        {0104755, 0100755},
        {0040000, 0040000},
        {0040755, 0040000},
        {0120000, 0120000},
        {0120777, 0120000},
        {0160000, 0160000},
        {0, 0},
        {0644, 0},
        {0020000, 0},
        {0060000, 0},
        {0140000, 0},
        {0170000, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(bough_filemode(cases[i][0]), cases[i][1]);
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void test_tree__orders_directories_as_if_they_ended_in_a_slash(void **state)
{
    static const struct {
        const char *a;
        bool a_tree;
        const char *b;
        bool b_tree;
        int want;
    } cases[] = {
        {"a", false, "b", false, -1},
        {"a", false, "a", false, 0},
        {"a", true, "a", true, 0},
        {"a", false, "a", true, -1},
        {"a-b", false, "a", true, -1},
        {"a-b", false, "a", false, 1},
        {"a.b", false, "a", true, -1},
        {"a0", false, "a", true, 1},
        {"a", true, "ab", true, -1},
        {"ab", false, "abc", false, -1},
        {"\xff", false, "a", false, 1},
        {"a", true, "a!", false, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_view a = bough_view_str(cases[i].a), b = bough_view_str(cases[i].b);

        assert_int_equal(
            sign(bough_tree_name_cmp(a, cases[i].a_tree, b, cases[i].b_tree)), cases[i].want);
        assert_int_equal(
            sign(bough_tree_name_cmp(b, cases[i].b_tree, a, cases[i].a_tree)), -cases[i].want);
    }
}

static void sample_tree(struct bough_buf *b)
{
    struct bough_oid a = oid(A_HEX), t = oid(TREE_HEX);

    bough_tree_entry_put(b, BOUGH_SHA1, BOUGH_FILEMODE_BLOB, bough_view_str("a-b"), &a);
    bough_tree_entry_put(b, BOUGH_SHA1, BOUGH_FILEMODE_TREE, bough_view_str("a"), &t);
    bough_tree_entry_put(b, BOUGH_SHA1, BOUGH_FILEMODE_EXEC, bough_view_str("run"), &a);
    bough_tree_entry_put(b, BOUGH_SHA1, BOUGH_FILEMODE_LINK, bough_view_str("to"), &a);
}

static void test_tree__writes_what_git_mktree_writes(void **state)
{
    struct test_mem m;
    struct bough_buf b;
    struct bough_oid id;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    sample_tree(&b);
    assert_int_equal(b.err, BOUGH_OK);
    id = bough_oid_of(BOUGH_SHA1, BOUGH_TREE, bough_buf_view(&b));
    assert_hex(&id, "133a2f0f20e6f6200b79f0b6be08f43315c5c485");
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_tree__reads_entries_in_order_and_finds_them(void **state)
{
    static const char *const names[] = {"a-b", "a", "run", "to"};
    static const uint32_t modes[] = {0100644, 0040000, 0100755, 0120000};
    struct test_mem m;
    struct bough_buf b;
    struct bough_tree_iter it;
    struct bough_tree_entry e;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    sample_tree(&b);
    bough_tree_iter_init(&it, BOUGH_SHA1, bough_buf_view(&b), true);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(bough_tree_iter_next(&it, &e), BOUGH_OK);
        assert_view(e.name, names[i]);
        assert_int_equal(e.mode, modes[i]);
        assert_hex(&e.id, i == 1 ? TREE_HEX : A_HEX);
    }
    assert_int_equal(bough_tree_iter_next(&it, &e), BOUGH_ENOENT);
    for (size_t i = 0; i < 4; i++) {
        bough_tree_iter_init(&it, BOUGH_SHA1, bough_buf_view(&b), false);
        assert_int_equal(bough_tree_iter_find(&it, bough_view_str(names[i]), &e), BOUGH_OK);
        assert_int_equal(e.mode, modes[i]);
    }
    bough_tree_iter_init(&it, BOUGH_SHA1, bough_buf_view(&b), false);
    assert_int_equal(bough_tree_iter_find(&it, bough_view_str("ru"), &e), BOUGH_ENOENT);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_tree__cut_anywhere_breaks_off_with_a_format_error(void **state)
{
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    sample_tree(&b);
    for (size_t n = 0; n < b.len; n++) {
        bool boundary = n == 0 || n == 31 || n == 31 + 28 || n == 31 + 28 + 31;
        struct bough_tree_iter it;
        struct bough_tree_entry e;
        enum bough_err err;

        bough_tree_iter_init(&it, BOUGH_SHA1, bough_view(b.ptr, n), false);
        do
            err = bough_tree_iter_next(&it, &e);
        while (err == BOUGH_OK);
        assert_int_equal(err, boundary ? BOUGH_ENOENT : BOUGH_EFORMAT);
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

/* The search for the NUL goes eight bytes at a time; 01 and 80 are what could mislead it. */
static void test_tree__reads_names_of_every_length(void **state)
{
    static const char bytes[] = "\x01\x80\xff\x7f\x81 a";
    struct bough_oid id = oid(A_HEX);
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (size_t len = 1; len <= 70; len++) {
        for (size_t c = 0; c < sizeof bytes - 1; c++) {
            char name[70];
            struct bough_tree_iter it;
            struct bough_tree_entry e;

            memset(name, bytes[c], sizeof name);
            name[len / 2] = bytes[(c + 1) % (sizeof bytes - 1)];
            bough_buf_clear(&b);
            bough_tree_entry_put(&b, BOUGH_SHA1, BOUGH_FILEMODE_BLOB, bough_view(name, len), &id);
            bough_tree_iter_init(&it, BOUGH_SHA1, bough_buf_view(&b), true);
            assert_int_equal(bough_tree_iter_next(&it, &e), BOUGH_OK);
            assert_true(bough_view_eq(e.name, bough_view(name, len)));
            assert_true(bough_oid_eq(&e.id, &id));
            assert_int_equal(bough_tree_iter_next(&it, &e), BOUGH_ENOENT);
        }
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

#define ID      "01234567890123456789"
#define E(text) text ID

static void test_tree__strict_refuses_what_lenient_reads(void **state)
{
    static const struct {
        const char *raw;
        size_t len;
        enum bough_err lenient, strict;
    } cases[] = {
        {E("100644 a\0"), 29, BOUGH_OK, BOUGH_OK},
        {E("040000 a\0"), 29, BOUGH_OK, BOUGH_EFORMAT},
        {E("100664 a\0"), 29, BOUGH_OK, BOUGH_EFORMAT},
        {E("0 a\0"), 24, BOUGH_OK, BOUGH_EFORMAT},
        {E("100644 a/b\0"), 31, BOUGH_OK, BOUGH_EFORMAT},
        {E("100644 b\0") E("100644 a\0"), 58, BOUGH_OK, BOUGH_EFORMAT},
        {E("100644 a\0") E("100644 a\0"), 58, BOUGH_OK, BOUGH_EFORMAT},
        {E("100644 a\0") E("40000 a\0"), 57, BOUGH_OK, BOUGH_EFORMAT},
        {E("100644 \0"), 28, BOUGH_EFORMAT, BOUGH_EFORMAT},
        {E(" a\0"), 23, BOUGH_EFORMAT, BOUGH_EFORMAT},
        {E("100648 a\0"), 29, BOUGH_EFORMAT, BOUGH_EFORMAT},
        {E("7777777 a\0"), 30, BOUGH_OK, BOUGH_EFORMAT},
        {E("40000100644 a\0"), 34, BOUGH_EFORMAT, BOUGH_EFORMAT},
        {"100644", 6, BOUGH_EFORMAT, BOUGH_EFORMAT},
        {"100644 ", 7, BOUGH_EFORMAT, BOUGH_EFORMAT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int strict = 0; strict < 2; strict++) {
            struct bough_tree_iter it;
            struct bough_tree_entry e;
            enum bough_err err;

            bough_tree_iter_init(
                &it, BOUGH_SHA1, bough_view(cases[i].raw, cases[i].len), strict != 0);
            do
                err = bough_tree_iter_next(&it, &e);
            while (err == BOUGH_OK);
            if (err == BOUGH_ENOENT)
                err = BOUGH_OK;
            assert_int_equal(err, strict ? cases[i].strict : cases[i].lenient);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filemode__maps_every_spelling_to_one_of_five),
        cmocka_unit_test(test_tree__orders_directories_as_if_they_ended_in_a_slash),
        cmocka_unit_test(test_tree__writes_what_git_mktree_writes),
        cmocka_unit_test(test_tree__reads_entries_in_order_and_finds_them),
        cmocka_unit_test(test_tree__cut_anywhere_breaks_off_with_a_format_error),
        cmocka_unit_test(test_tree__reads_names_of_every_length),
        cmocka_unit_test(test_tree__strict_refuses_what_lenient_reads),
    };

    return cmocka_run_group_tests_name("git/tree", tests, NULL, NULL);
}
