/*
 * test_git_fsck.c - what comes in from outside keeps git's rules, and the
 * answer names the one that was broken.
 *
 * Method: one object a rule, and good ones beside each; tests/interop has git
 * fsck judge hundreds of generated objects next to ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/fsck.h"
#include "tests/lib/mem.h"

#define HEX  "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define WHO  "A <a@b.c> 1 +0000\n"
#define TREE "tree " HEX "\n"
#define GOOD TREE "author " WHO "committer " WHO "\nm\n"
#define RAW  "01234567890123456789"
#define E(t) t RAW

/* What was told of an object: ids in order, with a space behind each. */
struct told {
    char ids[512];
    unsigned special[2];
    bool error;
};

static void on_problem(void *ctx, const struct bough_fsck_problem *p)
{
    struct told *t = ctx;
    struct bough_view name = bough_fsck_id_name(p->id);
    size_t at = strlen(t->ids);

    assert_true(at + name.len + 2 < sizeof t->ids);
    memcpy(t->ids + at, name.ptr, name.len);
    memcpy(t->ids + at + name.len, " ", 2);
    t->error = t->error || p->level == BOUGH_FSCK_ERROR;
}

static void on_special(void *ctx, enum bough_fsck_blob kind, const struct bough_oid *blob)
{
    (void)blob;
    ((struct told *)ctx)->special[kind]++;
}

static void fsck_init(struct bough_fsck *f, struct told *t, struct bough_why *why)
{
    memset(t, 0, sizeof *t);
    bough_fsck_init(f, BOUGH_SHA1);
    f->why = why;
    f->ctx = t;
    f->problem = on_problem;
    f->special = on_special;
}

static enum bough_err check(enum bough_type type, const void *raw, size_t len, struct told *t)
{
    struct test_mem m;
    struct bough_fsck f;
    struct bough_why why = {0};
    uint8_t *copy;
    enum bough_err err;

    test_mem_init(&m);
    copy = bough_mem_alloc(&m.mem, len + 1); /* so that the sanitizer sees where it ends */
    memcpy(copy + 1, raw, len);
    fsck_init(&f, t, &why);
    err = bough_fsck_object(&f, type, bough_view(copy + 1, len));
    assert_int_equal(why.err, err);
    bough_mem_free(&m.mem, copy, len + 1);
    test_mem_done(&m);
    return err;
}

/* The same, where the answer must fit what was told. */
static void check_told(enum bough_type type, const void *raw, size_t len, struct told *t)
{
    enum bough_err err = check(type, raw, len, t);

    assert_int_equal(err, t->error ? BOUGH_EFORMAT : BOUGH_OK);
}

struct text_case {
    const char *raw, *ids;
};

static void check_texts(enum bough_type type, const struct text_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct told t;

        check_told(type, cases[i].raw, strlen(cases[i].raw), &t);
        assert_string_equal(t.ids, cases[i].ids);
    }
}

#define IDENT(text) TREE "author " text "\ncommitter " WHO "\n"

static void test_fsck__finds_what_is_wrong_with_a_commit(void **state)
{
    static const struct text_case cases[] = {
        {GOOD, ""},
        {TREE "author " WHO "committer " WHO, ""},
        {TREE "parent " HEX "\nparent " HEX "\nauthor " WHO "committer " WHO "x y\n\n", ""},
        {"", "unterminatedHeader "},
        {TREE "author " WHO "committer A <a> 1 +0000", "unterminatedHeader "},
        {"author " WHO "\n", "missingTree "},
        {"tree 12\n\n", "badTreeSha1 "},
        {"tree " HEX "0\n\n", "badTreeSha1 "},
        {"tree " HEX " \n\n", "badTreeSha1 "},
        {TREE "parent \n\n", "badParentSha1 "},
        {"tree 4B825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor " WHO "committer " WHO,
            "upperCaseHex "},
        {TREE "\n", "missingAuthor "},
        {TREE "committer " WHO "\n", "missingAuthor "},
        {TREE "author " WHO "author " WHO "committer " WHO, "multipleAuthors "},
        {TREE "author " WHO "\n", "missingCommitter "},
        {TREE "author " WHO "x y\ncommitter " WHO "\n", "missingCommitter "},
        {IDENT("<a> 1 +0000"), "missingNameBeforeEmail "},
        {IDENT("A> <a> 1 +0000"), "badName "},
        {IDENT("A"), "missingEmail "},
        {IDENT(""), "missingEmail "},
        {IDENT("A<a> 1 +0000"), "missingSpaceBeforeEmail "},
        {IDENT("A <a"), "badEmail "},
        {IDENT("A <a<b> 1 +0000"), "badEmail "},
        {IDENT("A <a>"), "missingSpaceBeforeDate "},
        {IDENT("A <a>1 +0000"), "missingSpaceBeforeDate "},
        {IDENT("A <a> 01 +0000"), "zeroPaddedDate "},
        {IDENT("A <a> 0 +0000"), ""},
        {IDENT(" <> 0 -1234"), ""},
        {IDENT("A <a> 9223372036854775807 +0000"), ""},
        {IDENT("A <a> 9223372036854775808 +0000"), "badDateOverflow "},
        {IDENT("A <a> 18446744073709551616 +0000"), "badDateOverflow "},
        {IDENT("A <a> 99999999999999999999999999 +0000"), "badDateOverflow "},
        {IDENT("A <a> "), "badDate "},
        {IDENT("A <a> -1 +0000"), "badDate "},
        {IDENT("A <a>  1 +0000"), ""},
        {IDENT("A <a> \t 1 +0000"), ""},
        {IDENT("A <a>   "), "badDate "},
        {IDENT("A <a>  01 +0000"), "zeroPaddedDate "},
        {IDENT("A <a> 1"), "badDate "},
        {IDENT("A <a> 1x +0000"), "badDate "},
        {IDENT("A <a> 1 0000"), "badTimezone "},
        {IDENT("A <a> 1 +000"), "badTimezone "},
        {IDENT("A <a> 1 +00000"), "badTimezone "},
        {IDENT("A <a> 1 +00x0"), "badTimezone "},
        {IDENT("A <a> 1 "), "badTimezone "},
    };
    struct told t;

    (void)state;
    check_texts(BOUGH_COMMIT, cases, sizeof cases / sizeof *cases);
    assert_int_equal(check(BOUGH_COMMIT, GOOD "\0", sizeof GOOD, &t), BOUGH_EFORMAT);
    assert_string_equal(t.ids, "nulInCommit ");
    assert_int_equal(check(BOUGH_COMMIT, "tree \0\n\n", 8, &t), BOUGH_EFORMAT);
    assert_string_equal(t.ids, "nulInHeader ");
}

#define OBJ "object " HEX "\n"

static void test_fsck__finds_what_is_wrong_with_a_tag(void **state)
{
    static const struct text_case cases[] = {
        {OBJ "type commit\ntag v1\ntagger " WHO "\nm", ""},
        {OBJ "type tree\ntag @\ntagger " WHO, ""},
        {OBJ "type tree\ntag v1\n\nold\n", "missingTaggerEntry "},
        {OBJ "type tree\ntag a b\ntagger " WHO "\n", "badTagName "},
        {OBJ "type blobs\ntag a\ntagger " WHO "\n", "badType "},
        {OBJ "tag a\ntagger " WHO "\n", "missingTypeEntry "},
        {OBJ "type blob\nname a\ntagger " WHO "\n", "missingTagEntry "},
        {"object 12\ntype blob\n\n", "badObjectSha1 "}, {"type blob\n\n", "missingObject "},
        {OBJ "type commit\ntag v1\ntagger A <a> 1\n\nm", "badDate "},
        {"object 4B825dc642cb6eb9a060e54bf8d69288fbee4904\ntype tree\ntag v\ntagger " WHO,
            "upperCaseHex "},
        {OBJ "type tree\ntag v1\ntagger " WHO "x y\n\nm", ""}, /* extraHeaderEntry is off */
    };
    static const char old_tag[] = OBJ "type tree\ntag v1\n\nold\n";
    static const char bad_type[] = OBJ "type x\ntag v1\n\nold\n";
    struct told t;

    (void)state;
    check_texts(BOUGH_TAG, cases, sizeof cases / sizeof *cases);
    assert_int_equal(check(BOUGH_TAG, old_tag, sizeof old_tag - 1, &t), BOUGH_OK);
    assert_int_equal(check(BOUGH_TAG, bad_type, sizeof bad_type - 1, &t), BOUGH_EFORMAT);
}

struct raw_case {
    const char *raw;
    size_t len;
    const char *ids;
};
#define RAW_CASE(raw, ids)                                                                         \
    {                                                                                              \
        raw, sizeof(raw) - 1, ids                                                                  \
    }

static void test_fsck__finds_what_is_wrong_with_a_tree(void **state)
{
    static const struct raw_case cases[] = {
        RAW_CASE("", ""),
        RAW_CASE(E("100644 a\0"), ""),
        RAW_CASE(
            E("100644 a\0") E("100755 b\0") E("120000 c\0") E("160000 d\0") E("40000 e\0"), ""),
        RAW_CASE(E("100664 a\0"), "badFilemode "),
        RAW_CASE(E("100600 a\0"), "badFilemode "),
        RAW_CASE(E("104755 a\0"), "bogusFilemode "),
        RAW_CASE(E("40755 a\0"), "bogusFilemode "),
        RAW_CASE(E("20000 a\0"), "bogusFilemode "),
        RAW_CASE(E("0 a\0"), "zeroPaddedFilemode bogusFilemode "),
        RAW_CASE(E("040000 a\0"), "zeroPaddedFilemode "),
        RAW_CASE(E("100644 .\0"), "hasDot "),
        RAW_CASE(E("40000 ..\0"), "hasDotdot "),
        RAW_CASE(E("40000 .git\0"), "hasDotgit "),
        RAW_CASE(E("40000 GIT~1\0"), "hasDotgit "),
        RAW_CASE(E("40000 a\\.git\0"), "hasDotgit "),
        RAW_CASE(E("40000 .g\xe2\x80\x8cit\0"), "hasDotgit "),
        RAW_CASE(E("100644 a/b\0"), "fullPathname "),
        RAW_CASE("100644 a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "nullSha1 "),
        RAW_CASE(E("100644 b\0") E("100644 a\0"), "treeNotSorted "),
        RAW_CASE(E("40000 a\0") E("100644 a-\0"), "treeNotSorted "),
        RAW_CASE(E("100644 a\0") E("100644 a\0"), "duplicateEntries "),
        RAW_CASE(E("100644 a\0") E("40000 a\0"), "duplicateEntries "),
        RAW_CASE(E("100644 a\0") E("100644 a-b\0") E("40000 a\0"), "duplicateEntries "),
        RAW_CASE(E("100644 a\0") E("100644 a-\0") E("100644 a-b\0") E("100644 a.\0") E("40000 a\0"),
            "duplicateEntries "),
        RAW_CASE(E("100644 a\0") E("100644 a-\0") E("40000 a-\0"), "duplicateEntries "),
        RAW_CASE(
            E("100644 a\0") E("100644 a-\0") E("40000 a.\0") E("100644 a0\0") E("40000 b\0"), ""),
        RAW_CASE(E("100644 a-b\0") E("40000 a\0"), ""),
        RAW_CASE(E("100644 ab\0") E("100644 ac-\0") E("40000 ac\0"), ""),
        RAW_CASE(E("120000 ~1000000\0"),
            "gitmodulesSymlink gitattributesSymlink gitignoreSymlink mailmapSymlink "),
        RAW_CASE(E("100644 ab\0") E("100644 abc\0") E("40000 b\0"), ""),
        RAW_CASE(E("120000 .gitmodules\0"), "gitmodulesSymlink "),
        RAW_CASE(E("120000 gitmod~1\0"), "gitmodulesSymlink "),
        RAW_CASE(E("120000 a\\.gitmodules\0"), "gitmodulesSymlink "),
        RAW_CASE(E("40000 .gitmodules\0"), "gitmodulesBlob "),
        RAW_CASE(E("120000 .gitattributes\0"), "gitattributesSymlink "),
        RAW_CASE(E("40000 .gitattributes\0"), "gitattributesBlob "),
        RAW_CASE(E("120000 .gitignore\0"), "gitignoreSymlink "),
        RAW_CASE(E("120000 .mailmap\0"), "mailmapSymlink "),
        RAW_CASE(E("100644 .gitignore\0") E("100644 .mailmap\0"), ""),
        RAW_CASE("100644 a", "badTree "),
        RAW_CASE("100644 a\0"
                 "0123456789012345678",
            "badTree "),
        RAW_CASE(E("100644 \0"), "badTree "),
        RAW_CASE(E("100644 a\0") "1", "badTree "),
        RAW_CASE(E("040664 .git\0"), "zeroPaddedFilemode bogusFilemode hasDotgit "),
    };
    struct told t;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_told(BOUGH_TREE, cases[i].raw, cases[i].len, &t);
        assert_string_equal(t.ids, cases[i].ids);
    }
}

static void test_fsck__tells_of_the_blobs_that_git_reads(void **state)
{
    static const char tree[] = E("100644 .gitattributes\0") E("100755 .gitmodules\0")
        E("100644 a\\.gitmodules\0") E("100644 gitmodules\0");
    struct told t;

    (void)state;
    assert_int_equal(check(BOUGH_TREE, tree, sizeof tree - 1, &t), BOUGH_OK);
    assert_int_equal(t.special[BOUGH_FSCK_BLOB_GITMODULES], 2);
    assert_int_equal(t.special[BOUGH_FSCK_BLOB_GITATTRIBUTES], 1);
}

/* Entries `x`, `x-`, `x--`, ...: every one stays a candidate until `x` comes as a directory. */
static void test_fsck__sees_duplicates_across_long_names(void **state)
{
    static uint8_t tree[4200 * 8];
    static const size_t lens[] = {1, 63, 64, 65, 127, 128, 4095, 4096};
    struct told t;

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t n = 0, len = lens[i];

        for (size_t more = 0; more < 2; more++) { /* NAME, NAME- */
            memcpy(tree + n, "100644 ", 7);
            memset(tree + n + 7, 'x', len);
            tree[n + 7 + len] = '-';
            n += 7 + len + more;
            memcpy(tree + n, "\0" RAW, 21);
            n += 21;
        }
        memcpy(tree + n, "40000 ", 6);
        memset(tree + n + 6, 'x', len);
        n += 6 + len;
        memcpy(tree + n, "\0" RAW, 21);
        n += 21;
        check_told(BOUGH_TREE, tree, n, &t);
        assert_string_equal(
            t.ids, len < 4096 ? "duplicateEntries " : "largePathname duplicateEntries ");
    }
}

static void test_fsck__says_where_and_why(void **state)
{
    static const char tree[] = E("100644 +\0") E("100644 .git\0");
    struct bough_fsck f;
    struct bough_why why = {0};
    struct told t;

    (void)state;
    fsck_init(&f, &t, &why);
    assert_int_equal(
        bough_fsck_object(&f, BOUGH_TREE, bough_view(tree, sizeof tree - 1)), BOUGH_EFORMAT);
    assert_string_equal(why.what, "hasDotgit: contains '.git'");
    assert_int_equal(why.at, 29 + 7);
    assert_int_equal(why.key_len, 4);
    assert_memory_equal(why.key, ".git", 4);
}

static void test_fsck__can_be_relaxed_by_id(void **state)
{
    struct bough_view id = bough_view_str("zeropaddedFILEMODE"), bad = bough_view_str("x");
    struct bough_view warn = bough_view_str("warn"), ignore = bough_view_str("ignore");
    static const char tree[] = E("040000 a\0");
    struct bough_view raw = bough_view(tree, sizeof tree - 1);
    struct bough_fsck f;
    struct told t;

    (void)state;
    fsck_init(&f, &t, NULL);
    assert_int_equal(bough_fsck_object(&f, BOUGH_TREE, raw), BOUGH_EFORMAT);
    assert_int_equal(bough_fsck_set(&f, id, warn), BOUGH_OK);
    assert_int_equal(bough_fsck_object(&f, BOUGH_TREE, raw), BOUGH_OK);
    assert_string_equal(t.ids, "zeroPaddedFilemode zeroPaddedFilemode ");
    assert_int_equal(bough_fsck_set(&f, id, ignore), BOUGH_OK);
    assert_int_equal(bough_fsck_object(&f, BOUGH_TREE, raw), BOUGH_OK);
    assert_string_equal(t.ids, "zeroPaddedFilemode zeroPaddedFilemode ");
    assert_int_equal(bough_fsck_set(&f, id, bough_view_str("error")), BOUGH_OK);
    assert_int_equal(bough_fsck_object(&f, BOUGH_TREE, raw), BOUGH_EFORMAT);
    assert_int_equal(bough_fsck_set(&f, bad, warn), BOUGH_ENOENT);
    assert_int_equal(bough_fsck_set(&f, id, bad), BOUGH_EINVAL);
    assert_int_equal(bough_fsck_set(&f, bough_view_str("nulInHeader"), warn), BOUGH_EINVAL);
}

static void test_fsck__counts_parents(void **state)
{
    static const char parent[] = "parent " HEX "\n";
    struct test_mem m;
    struct bough_buf b;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&b, &m.mem);
    for (unsigned more = 0; more < 2; more++) {
        struct told t;

        bough_buf_clear(&b);
        bough_buf_put_str(&b, TREE);
        for (unsigned i = 0; i < BOUGH_COMMIT_PARENTS_MAX + more; i++)
            bough_buf_put_str(&b, parent);
        bough_buf_put_str(&b, "author " WHO "committer " WHO);
        assert_int_equal(b.err, BOUGH_OK);
        check_told(BOUGH_COMMIT, b.ptr, b.len, &t);
        assert_string_equal(t.ids, more ? "tooManyParents " : "");
    }
    bough_buf_fini(&b);
    test_mem_done(&m);
}

/* With every rule ignored nothing is told, and cut or broken objects are still safe to look at. */
static void test_fsck__with_all_rules_off_survives_every_cut(void **state)
{
    static const char commit[] = TREE "parent " HEX "\nauthor " WHO "author " WHO "committer " WHO;
    static const char tag[] = OBJ "type commit\ntag v1\ntagger " WHO "\nm";
    struct bough_fsck f;
    struct test_mem m;
    struct told t;

    (void)state;
    fsck_init(&f, &t, NULL);
    memset(f.level, BOUGH_FSCK_IGNORE, sizeof f.level);
    test_mem_init(&m);
    for (size_t n = 0; n <= sizeof commit; n++) {
        uint8_t *copy = bough_mem_alloc(&m.mem, n + 1);

        memcpy(copy + 1, commit, n);
        assert_int_equal(bough_fsck_object(&f, BOUGH_COMMIT, bough_view(copy + 1, n)), BOUGH_OK);
        memcpy(copy + 1, tag, n < sizeof tag ? n : sizeof tag);
        assert_int_equal(bough_fsck_object(&f, BOUGH_TAG, bough_view(copy + 1, n)), BOUGH_OK);
        bough_mem_free(&m.mem, copy, n + 1);
    }
    assert_string_equal(t.ids, "");
    test_mem_done(&m);
}

static void test_fsck__finds_tricks_in_gitmodules(void **state)
{
    static const struct text_case cases[] = {
        {"", ""},
        {"[submodule \"a\"]\n\tpath = a\n\turl = https://x.y/z.git\n\tupdate = rebase\n", ""},
        {"# c\n; d\n[core]\nx\n[submodule]\nurl = -x\n", ""},
        {"[submodule \"a\"]url=-x", "gitmodulesUrl "},
        {"[SUBMODULE \"a\"]\r\n URL\t=\t\"-x\"\r\n", "gitmodulesUrl "},
        {"[submodule.a]\nurl = -x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = \\\n -x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = http://a%0ab/\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = \"http://a/\\nb\"\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = ../../:x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = ../:x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = ./:x\n", ""},
        {"[submodule \"a\"]\nurl = ./../../x\n", ""},
        {"[submodule \"a\"]\nurl = ../%0ax\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = http::/x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = https:///x\n", "gitmodulesUrl "},
        {"[submodule \"a\"]\nurl = http::https://x/y\n", ""},
        {"[submodule \"a\"]\nurl = x%0ay:z\n", ""},
        {"[submodule \"a\"]\npath = -p\n", "gitmodulesPath "},
        {"[submodule \"a\"]\nupdate = !cmd\n", "gitmodulesUpdate "},
        {"[submodule \"..\"]\npath = x\n", "gitmodulesName "},
        {"[submodule \"a/../b\"]\npath = x\n", "gitmodulesName "},
        {"[submodule \"a\\\\..\\\\b\"]\npath = x\n", "gitmodulesName "},
        {"[submodule \"..a/b..\"]\npath = x\n", ""},
        {"[submodule \"\"]\npath = x\n", "gitmodulesName "},
        {"[submodule \"a\"]\nurl\npath\nupdate\n", ""},
        {"[submodule \"a\"\nurl = -x\n", "gitmodulesParse "},
        {"[submodule \"a\"]\nupdate = !x\n[broken\n", "gitmodulesUpdate gitmodulesParse "},
        {"[submodule \"a\"]\nurl = \"-x\n", "gitmodulesParse "},
        {"[submodule \"a\"]\n1 = x\n", "gitmodulesParse "},
        {"\xef\xbb\xbf[submodule \"a\"]\nurl = -x\n", "gitmodulesUrl "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_fsck f;
        struct told t;
        enum bough_err err;

        fsck_init(&f, &t, NULL);
        err = bough_fsck_gitmodules(&f, bough_view_str(cases[i].raw));
        assert_int_equal(err, t.error ? BOUGH_EFORMAT : BOUGH_OK);
        assert_string_equal(t.ids, cases[i].ids);
    }
}

static void test_fsck__limits_lines_of_gitattributes(void **state)
{
    static char text[2 * 2048 + 1];
    struct bough_fsck f;
    struct told t;

    (void)state;
    memset(text, 'x', sizeof text);
    text[2047] = '\n';
    fsck_init(&f, &t, NULL);
    assert_int_equal(bough_fsck_gitattributes(&f, bough_view(text, 2048 + 2047)), BOUGH_OK);
    assert_int_equal(bough_fsck_gitattributes(&f, bough_view(text, 2048 + 2048)), BOUGH_EFORMAT);
    assert_string_equal(t.ids, "gitattributesLineLength ");
    text[2047] = 'x';
    text[2048] = '\n';
    assert_int_equal(bough_fsck_gitattributes(&f, bough_view(text, 2049)), BOUGH_EFORMAT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fsck__finds_what_is_wrong_with_a_commit),
        cmocka_unit_test(test_fsck__finds_what_is_wrong_with_a_tag),
        cmocka_unit_test(test_fsck__finds_what_is_wrong_with_a_tree),
        cmocka_unit_test(test_fsck__tells_of_the_blobs_that_git_reads),
        cmocka_unit_test(test_fsck__sees_duplicates_across_long_names),
        cmocka_unit_test(test_fsck__says_where_and_why),
        cmocka_unit_test(test_fsck__can_be_relaxed_by_id),
        cmocka_unit_test(test_fsck__counts_parents),
        cmocka_unit_test(test_fsck__with_all_rules_off_survives_every_cut),
        cmocka_unit_test(test_fsck__finds_tricks_in_gitmodules),
        cmocka_unit_test(test_fsck__limits_lines_of_gitattributes),
    };

    return cmocka_run_group_tests_name("git/fsck", tests, NULL, NULL);
}
