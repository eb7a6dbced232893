/*
 * test_git_object.c - people, commits and tags are read as leniently as git
 * reads them and written byte for byte as git writes them.
 *
 * Method: bytes and ids that git itself made (tests/interop compares many
 * more), odd objects from old repositories, every prefix of good objects,
 * every failing allocation of the writers.
 */
#include "tests/unit/object_bed.h"

/* ---- People ---- */

static void test_ident__reads_odd_ones(void **state)
{
    static const struct {
        const char *line, *name, *mail;
        int64_t sec;
        int zone;
        enum bough_err err;
    } cases[] = {
        {"A U Thor <a@b.c> 1234567890 +0100", "A U Thor", "a@b.c", 1234567890, 60, BOUGH_OK},
        {"A <a@b.c> 1 -0930", "A", "a@b.c", 1, -570, BOUGH_OK},
        {"A  \t<a@b.c>1 +0000", "A", "a@b.c", 1, 0, BOUGH_OK},
        {"<a@b.c> 1 +0000", "", "a@b.c", 1, 0, BOUGH_OK},
        {" <> 0 +0000", "", "", 0, 0, BOUGH_OK},
        {"A <a@b.c>", "A", "a@b.c", 0, 0, BOUGH_OK},
        {"A <a@b.c> yesterday", "A", "a@b.c", 0, 0, BOUGH_OK},
        {"A <a@b.c> -1 +0000", "A", "a@b.c", 0, 0, BOUGH_OK},
        {"A <a@b.c> 12 +51800", "A", "a@b.c", 12, 0, BOUGH_OK},
        {"A <a@b.c> 12 7", "A", "a@b.c", 12, 0, BOUGH_OK},
        {"A <a@b.c> 12", "A", "a@b.c", 12, 0, BOUGH_OK},
        {"A <a@b.c> 9223372036854775807 +0000", "A", "a@b.c", INT64_MAX, 0, BOUGH_OK},
        {"A <a@b.c> 9223372036854775808 +0000", "A", "a@b.c", 0, 0, BOUGH_OK},
        {"A <a@b.c> 99999999999999999999999 +0000", "A", "a@b.c", 0, 0, BOUGH_OK},
        {"A <a <x> y> 5 +0000", "A", "a <x", 5, 0, BOUGH_OK},
        {"A <a@b.c 12 +0000", "A <a@b.c 12 +0000", "", 0, 0, BOUGH_EFORMAT},
        {"A", "A", "", 0, 0, BOUGH_EFORMAT},
        {"", "", "", 0, 0, BOUGH_EFORMAT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_ident id;

        assert_int_equal(bough_ident_parse(bough_view_str(cases[i].line), &id), cases[i].err);
        assert_view(id.name, cases[i].name);
        assert_view(id.mail, cases[i].mail);
        assert_true(id.time.sec == cases[i].sec);
        assert_int_equal(id.time.zone_min, cases[i].zone);
    }
}

static void test_ident__writes_clean_ones(void **state)
{
    static const struct {
        const char *name, *mail;
        int64_t sec;
        int zone;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"A U Thor", "a@b.c", 1, 60, "A U Thor <a@b.c> 1 +0100"},
        {" .,:;<>\"\\'A\n<U>  Thor. ", "<a@b.c>", 0, -570, "AU  Thor <a@b.c> 0 -0930"},
        {"A", "", 7, 0, "A <> 7 +0000"},
        {"\xc3\xa9", "x", 7, 5999, "\xc3\xa9 <x> 7 +9959"},
        {"", "x", 7, 0, NULL},
        {" .\n", "x", 7, 0, NULL},
        {"A", "x", -1, 0, NULL},
        {"A", "x", 1, 6000, NULL},
        {"A", "x", 1, -6000, NULL},
    };
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_ident id = who(cases[i].name, cases[i].mail, cases[i].sec, cases[i].zone);

        bough_buf_clear(&b);
        bough_ident_put(&b, &id);
        if (cases[i].want == NULL) {
            assert_int_equal(b.err, BOUGH_EINVAL);
        } else {
            assert_int_equal(b.err, BOUGH_OK);
            assert_view(bough_buf_view(&b), cases[i].want);
        }
    }
    assert_false(bough_ident_name_ok(bough_view_str(" . ")));
    assert_true(bough_ident_name_ok(bough_view_str(" x ")));
    bough_buf_fini(&b);
    test_mem_done(&m);
}

/* ---- Commits ---- */

static const char odd_commit[] = "tree " TREE_HEX "\n"
                                 "parent " A_HEX "\n"
                                 "parent " TREE_HEX "\n"
                                 "author A <a@b.c> 1 +0100\n"
                                 "committer C <c@d.e> 2 -0200\n"
                                 "encoding ISO-8859-1\n"
                                 "gpgsig -----BEGIN\n \n line\n -----END\n"
                                 "strange\n"
                                 "mergetag object " A_HEX "\n type commit\n"
                                 "\n"
                                 "subject\n\nbody without final newline";

static void test_commit__is_read_into_views(void **state)
{
    struct bough_commit c;
    struct bough_view v;
    struct bough_oid id;

    (void)state;
    assert_int_equal(bough_commit_parse(BOUGH_SHA1, bough_view_str(odd_commit), &c), BOUGH_OK);
    assert_hex(&c.tree, TREE_HEX);
    assert_int_equal(c.parents_n, 2);
    id = bough_commit_parent(&c, 0);
    assert_hex(&id, A_HEX);
    id = bough_commit_parent(&c, 1);
    assert_hex(&id, TREE_HEX);
    assert_view(c.author, "A <a@b.c> 1 +0100");
    assert_view(c.committer, "C <c@d.e> 2 -0200");
    assert_view(c.message, "subject\n\nbody without final newline");
    assert_true(bough_header_find(c.headers, "encoding", &v));
    assert_view(v, "ISO-8859-1");
    assert_true(bough_header_find(c.headers, "strange", &v));
    assert_view(v, "");
    assert_true(bough_header_find(c.headers, "mergetag", &v));
    assert_view(v, "object " A_HEX "\n type commit");
    assert_false(bough_header_find(c.headers, "subject", &v));
}

static void test_header__unfolds_and_folds_back(void **state)
{
    struct test_mem m;
    struct bough_buf plain, again;
    struct bough_view v, tail;
    struct bough_commit c;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&plain, &m.mem);
    bough_buf_init(&again, &m.mem);
    assert_int_equal(bough_commit_parse(BOUGH_SHA1, bough_view_str(odd_commit), &c), BOUGH_OK);
    assert_true(bough_header_find(c.headers, "gpgsig", &v));
    bough_header_unfold(&plain, v);
    assert_view(bough_buf_view(&plain), "-----BEGIN\n\nline\n-----END");
    bough_header_put(
        &again, (struct bough_header){bough_view_str("gpgsig"), bough_buf_view(&plain)});
    tail = bough_view_str("gpgsig -----BEGIN\n \n line\n -----END\n");
    assert_true(bough_view_eq(bough_buf_view(&again), tail));
    bough_buf_fini(&plain);
    bough_buf_fini(&again);
    test_mem_done(&m);
}

static void test_commit__without_what_git_needs_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "tree",
        "tree " TREE_HEX,
        "tree 4b825\n",
        "Tree " TREE_HEX "\n",
        "tree " TREE_HEX " \n",
        "tree " TREE_HEX "\nparent \n",
        "tree " TREE_HEX "\nparent " A_HEX,
        "tree " TREE_HEX "\nparent x" A_HEX "\n",
    };
    struct bough_commit c;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bough_commit_parse(BOUGH_SHA1, bough_view_str(bad[i]), &c), BOUGH_EFORMAT);
}

static void test_commit__with_missing_parts_has_empty_views(void **state)
{
    struct bough_commit c;

    (void)state;
    assert_int_equal(
        bough_commit_parse(BOUGH_SHA1, bough_view_str("tree " TREE_HEX "\n"), &c), BOUGH_OK);
    assert_int_equal(c.parents_n, 0);
    assert_int_equal(c.author.len, 0);
    assert_int_equal(c.committer.len, 0);
    assert_int_equal(c.message.len, 0);
    assert_int_equal(bough_commit_parse(
                         BOUGH_SHA1, bough_view_str("tree " TREE_HEX "\nauthor A <> 1 +0000"), &c),
        BOUGH_OK);
    assert_view(c.author, "A <> 1 +0000");
}

static void test_commit__cut_anywhere_never_reads_past_the_end(void **state)
{
    size_t len = strlen(odd_commit);
    struct test_mem m;

    (void)state;
    test_mem_init(&m);
    for (size_t n = 0; n <= len; n++) {
        uint8_t *copy =
            bough_mem_alloc(&m.mem, n + 1); /* its own piece: the sanitizer sees its end */
        struct bough_commit c;

        memcpy(copy + 1, odd_commit, n);
        if (bough_commit_parse(BOUGH_SHA1, bough_view(copy + 1, n), &c) == BOUGH_OK)
            for (uint32_t i = 0; i < c.parents_n; i++)
                bough_commit_parent(&c, i);
        bough_mem_free(&m.mem, copy, n + 1);
    }
    test_mem_done(&m);
}

static void sample_commit(struct bough_buf *out)
{
    struct bough_oid parents[2] = {oid(A_HEX), oid(TREE_HEX)};
    struct bough_header extra = {bough_view_str("gpgsig"), bough_view_str("one\ntwo\n\nfour\n")};
    struct bough_commit_parts parts = {
        .tree = oid(TREE_HEX),
        .parents = parents,
        .parents_n = 2,
        .author = who("A", "a@b.c", 1, 60),
        .committer = who("C", "c@d.e", 2, -120),
        .headers = &extra,
        .headers_n = 1,
        .message = bough_view_str("caf\xe9 \xe2\x82\xac \xff\n"),
    };

    bough_commit_put(out, BOUGH_SHA1, &parts);
}

static const char sample_commit_want[] =
    "tree " TREE_HEX "\nparent " A_HEX "\nparent " TREE_HEX "\n"
    "author A <a@b.c> 1 +0100\ncommitter C <c@d.e> 2 -0200\n"
    "gpgsig one\n two\n \n four\n"
    "\n"
    "caf\xc3\xa9 \xe2\x82\xac \xc3\xbf\n";

static void test_commit__is_written_as_utf8_and_survives_failing_memory(void **state)
{
    (void)state;
    for (uint64_t n = 0;; n++) {
        struct test_mem m;
        struct bough_buf b;

        test_mem_init(&m);
        m.fail_at = n;
        bough_buf_init(&b, &m.mem);
        sample_commit(&b);
        if (m.failed)
            assert_int_equal(b.err, BOUGH_ENOMEM);
        else
            assert_view(bough_buf_view(&b), sample_commit_want);
        bough_buf_fini(&b);
        test_mem_done(&m);
        if (!m.failed)
            break;
    }
}

static void assert_written(const struct bough_commit_parts *parts, const char *want)
{
    struct test_mem m;
    struct bough_buf b;

    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_commit_put(&b, BOUGH_SHA1, parts);
    assert_view(bough_buf_view(&b), want);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_commit__with_one_odd_byte_grows_by_one(void **state)
{
    struct bough_commit_parts parts = {
        .tree = oid(TREE_HEX),
        .author = who("A", "a", 1, 0),
        .committer = who("C", "c", 2, 0),
        .message = bough_view_str("\xe9"),
    };

    (void)state;
    assert_written(&parts, "tree " TREE_HEX "\nauthor A <a> 1 +0000\n"
                           "committer C <c> 2 +0000\n\n\xc3\xa9");
}

static void test_commit__of_another_encoding_keeps_its_bytes(void **state)
{
    struct bough_commit_parts parts = {
        .tree = oid(TREE_HEX),
        .author = who("\xe9", "a", 1, 0),
        .committer = who("C", "c", 2, 0),
        .encoding = bough_view_str("ISO-8859-1"),
        .message = bough_view_str("\xe9\n"),
    };

    (void)state;
    assert_written(&parts, "tree " TREE_HEX "\nauthor \xe9 <a> 1 +0000\n"
                           "committer C <c> 2 +0000\nencoding ISO-8859-1\n\n\xe9\n");
}

static void test_commit__with_a_nul_is_refused(void **state)
{
    struct bough_commit_parts parts = {
        .author = who("A", "a", 1, 0),
        .committer = who("C", "c", 2, 0),
        .message = bough_view("a\0b", 3),
    };
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_commit_put(&b, BOUGH_SHA1, &parts);
    assert_int_equal(b.err, BOUGH_EINVAL);
    bough_buf_clear(&b);
    parts.message.len = 1;
    bough_buf_put_u8(&b, 0); /* what was there before does not count */
    bough_commit_put(&b, BOUGH_SHA1, &parts);
    assert_int_equal(b.err, BOUGH_OK);
    bough_buf_clear(&b);
    parts.author.name = bough_view("a\0b", 3);
    bough_commit_put(&b, BOUGH_SHA1, &parts);
    assert_int_equal(b.err, BOUGH_EINVAL);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

/* ---- Tags ---- */

static void test_tag__is_written_and_read(void **state)
{
    struct bough_tag_parts parts = {
        .object = oid(A_HEX),
        .type = BOUGH_COMMIT,
        .name = bough_view_str("v1.0"),
        .tagger = who("T", "t@x", 3, 90),
        .message = bough_view_str("first\n"),
    };
    struct test_mem m;
    struct bough_buf b;
    struct bough_tag t;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    bough_tag_put(&b, BOUGH_SHA1, &parts);
    assert_view(bough_buf_view(&b),
        "object " A_HEX "\ntype commit\ntag v1.0\ntagger T <t@x> 3 +0130\n\nfirst\n");
    assert_int_equal(bough_tag_parse(BOUGH_SHA1, bough_buf_view(&b), &t), BOUGH_OK);
    assert_hex(&t.object, A_HEX);
    assert_int_equal(t.type, BOUGH_COMMIT);
    assert_view(t.name, "v1.0");
    assert_view(t.tagger, "T <t@x> 3 +0130");
    assert_view(t.message, "first\n");
    bough_buf_clear(&b);
    parts.name = bough_view_str("v1..0");
    bough_tag_put(&b, BOUGH_SHA1, &parts);
    assert_int_equal(b.err, BOUGH_EINVAL);
    bough_buf_fini(&b);
    test_mem_done(&m);
}

static void test_tag__of_old_times_has_no_tagger(void **state)
{
    static const char *const bad[] = {
        "",
        "object " A_HEX "\n",
        "object " A_HEX "\ntype commit\n",
        "object " A_HEX "\ntype commits\ntag x\n",
        "object " A_HEX "\ntype commit\ntag x",
        "object 12\ntype commit\ntag x\n",
        "type commit\ntag x\n",
    };
    struct bough_tag t;

    (void)state;
    assert_int_equal(bough_tag_parse(BOUGH_SHA1,
                         bough_view_str("object " A_HEX "\ntype tree\ntag old\n\nmsg"), &t),
        BOUGH_OK);
    assert_int_equal(t.tagger.len, 0);
    assert_int_equal(t.type, BOUGH_TREE);
    assert_view(t.message, "msg");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bough_tag_parse(BOUGH_SHA1, bough_view_str(bad[i]), &t), BOUGH_EFORMAT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ident__reads_odd_ones),
        cmocka_unit_test(test_ident__writes_clean_ones),
        cmocka_unit_test(test_commit__is_read_into_views),
        cmocka_unit_test(test_header__unfolds_and_folds_back),
        cmocka_unit_test(test_commit__without_what_git_needs_is_refused),
        cmocka_unit_test(test_commit__with_missing_parts_has_empty_views),
        cmocka_unit_test(test_commit__cut_anywhere_never_reads_past_the_end),
        cmocka_unit_test(test_commit__is_written_as_utf8_and_survives_failing_memory),
        cmocka_unit_test(test_commit__with_one_odd_byte_grows_by_one),
        cmocka_unit_test(test_commit__of_another_encoding_keeps_its_bytes),
        cmocka_unit_test(test_commit__with_a_nul_is_refused),
        cmocka_unit_test(test_tag__is_written_and_read),
        cmocka_unit_test(test_tag__of_old_times_has_no_tagger),
    };

    return cmocka_run_group_tests_name("git/object", tests, NULL, NULL);
}
