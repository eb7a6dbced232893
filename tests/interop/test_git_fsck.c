/*
 * test_git_fsck.c - the same objects before git fsck --strict and before ours.
 *
 * Goal: both find the same broken rules in the same object, but where Bough is
 * stricter on purpose.  Method: good objects, broken at seeded random
 * places with characters that matter there; trees with names and modes from
 * lists of the interesting ones; .gitmodules with odd settings.  All are put
 * into one repository as they are, and one run of git fsck judges them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/fsck.h"
#include "tests/lib/env.h"
#include "tests/lib/git.h"

enum { OBJECTS_MAX = 4096, BODY_MAX = 4096, IDS = BOUGH_FSCK_IDS };

struct object {
    enum bough_type type;
    bool gitmodules;
    struct bough_oid id;
    uint8_t *body;
    size_t len;
    bool ours[IDS], gits[IDS];
    bool told; /* git said something that is no rule: it could not read it at all */
};

struct fix {
    struct test_git git;
    struct object objects[OBJECTS_MAX];
    size_t n;
    uint64_t seed;
};

static struct fix fix;

static unsigned rnd(unsigned n)
{
    return (unsigned)(test_random(&fix.seed) % n);
}

/* ---- Both judges ---- */

static void on_problem(void *ctx, const struct bough_fsck_problem *p)
{
    ((struct object *)ctx)->ours[p->id] = true;
}

static void add(enum bough_type type, bool gitmodules, const void *body, size_t len)
{
    struct bough_view v = bough_view(body, len);
    struct object *o = &fix.objects[fix.n];
    char hex[BOUGH_HEX_MAX + 1] = {0};
    struct bough_fsck f;
    enum bough_err err;

    assert_true(fix.n < OBJECTS_MAX);
    memset(o, 0, sizeof *o);
    o->type = type;
    o->gitmodules = gitmodules;
    o->id = bough_oid_of(fix.git.algo, type, v);
    for (size_t i = 0; i < fix.n; i++)
        if (bough_oid_eq(&fix.objects[i].id, &o->id))
            return;
    bough_oid_hex(fix.git.algo, &o->id, hex);
    test_git_put(&fix.git, bough_type_name(type), hex, v);
    o->body = malloc(len + 1);
    assert_non_null(o->body);
    memcpy(o->body, body, len);
    o->len = len;
    bough_fsck_init(&f, fix.git.algo);
    f.ctx = o;
    f.problem = on_problem;
    err = gitmodules ? bough_fsck_gitmodules(&f, v) : bough_fsck_object(&f, type, v);
    assert_true(err == BOUGH_OK || err == BOUGH_EFORMAT);
    fix.n++;
}

static struct object *object_of(const char *hex)
{
    struct bough_oid id;
    size_t len = (size_t)2 * bough_algo_len(fix.git.algo);

    if (strlen(hex) < len || bough_oid_parse(fix.git.algo, bough_view(hex, len), &id))
        return NULL;
    for (size_t i = 0; i < fix.n; i++)
        if (bough_oid_eq(&fix.objects[i].id, &id))
            return &fix.objects[i];
    return NULL;
}

/* `error in tree ID: hasDot: contains '.'` */
static void rule_line(char *line)
{
    char *id = strstr(line, " in "), *hex, *rule, *end;
    struct object *o;

    hex = id == NULL ? NULL : strchr(id + 4, ' ');
    o = hex == NULL ? NULL : object_of(hex + 1);
    rule = hex == NULL ? NULL : strstr(hex, ": ");
    end = rule == NULL ? NULL : strchr(rule + 2, ':');
    if (o == NULL || end == NULL)
        return;
    for (int i = 0; i < IDS; i++) {
        struct bough_view name = bough_fsck_id_name((enum bough_fsck_id)i);

        if (bough_view_eq(name, bough_view(rule + 2, (size_t)(end - rule - 2)))) {
            o->gits[i] = true;
            return;
        }
    }
    fail_msg("git knows a rule that we do not: %s", line);
}

static void git_judges(void)
{
    char *out = test_git_run(&fix.git, NULL, "git fsck --strict --no-dangling 2>&1"), *save = NULL;

    for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "error in ", 9) == 0 || strncmp(line, "warning in ", 11) == 0) {
            rule_line(line);
        } else if (strncmp(line, "error: ", 7) == 0) { /* could not be parsed: ID somewhere */
            for (char *p = line; *p; p++) {
                struct object *o = object_of(p);

                if (o != NULL)
                    o->told = true;
            }
        }
    }
    free(out);
}

/* ---- Where they may differ ---- */

/* git's number parser takes blanks and signs before a date; newer gits refuse them, too. */
static bool date_is_signed(const struct object *o)
{
    for (size_t i = 0; i + 2 < o->len; i++)
        if (o->body[i] == '>' && o->body[i + 1] == ' ' && strchr(" \t\v\f\r\n+-", o->body[i + 2]))
            return true;
    return false;
}

static bool is_ours_alone(int id)
{
    return id == BOUGH_FSCK_BOGUS_FILEMODE || id == BOUGH_FSCK_UPPER_CASE_HEX ||
           id == BOUGH_FSCK_LARGE_PATHNAME || id == BOUGH_FSCK_GITATTRIBUTES_BLOB ||
           id == BOUGH_FSCK_GITMODULES_BLOB;
}

static bool agree(const struct object *o)
{
    bool ours = false;

    for (int i = 0; i < IDS; i++)
        ours = ours || o->ours[i];
    if (o->told) /* git's parser stopped before its rules */
        return ours;
    if (o->ours[BOUGH_FSCK_BAD_DATE] && date_is_signed(o))
        return true;
    if (o->ours[BOUGH_FSCK_UPPER_CASE_HEX])
        return true; /* ours stops there */
    for (int i = 0; i < IDS; i++) {
        bool gits = o->gits[i];

        if (i == BOUGH_FSCK_BAD_FILEMODE && o->ours[BOUGH_FSCK_BOGUS_FILEMODE])
            continue; /* git makes no difference between them */
        /* in an unsorted tree more duplicates are seen, or fewer */
        if (i == BOUGH_FSCK_DUPLICATE_ENTRIES && o->ours[BOUGH_FSCK_TREE_NOT_SORTED])
            continue;
        if (o->ours[i] != gits && !is_ours_alone(i))
            return false;
    }
    return true;
}

static void print_ids(const char *who, const bool *ids)
{
    print_error("%s:", who);
    for (int i = 0; i < IDS; i++) {
        struct bough_view name = bough_fsck_id_name((enum bough_fsck_id)i);

        if (ids[i])
            print_error(" %.*s", (int)name.len, (const char *)name.ptr);
    }
    print_error("\n");
}

static void compare(size_t least, size_t bad_least)
{
    size_t bad = 0, wrong = 0;

    git_judges();
    for (size_t i = 0; i < fix.n; i++) {
        struct object *o = &fix.objects[i];
        bool any = false;

        for (int id = 0; id < IDS; id++)
            any = any || o->gits[id];
        bad += any;
        if (!agree(o)) {
            print_error("%s of %zu bytes: %.*s\n", bough_type_name(o->type), o->len, (int)o->len,
                (const char *)o->body);
            print_ids("ours", o->ours);
            print_ids("git", o->gits);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
    assert_true(fix.n >= least); /* the generator made what it should */
    assert_true(bad >= bad_least);
}

static int setup(void **state)
{
    (void)state;
    memset(&fix, 0, sizeof fix);
    fix.seed = 20;
    test_git_init(&fix.git, BOUGH_SHA1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < fix.n; i++)
        free(fix.objects[i].body);
    test_git_done(&fix.git);
    return 0;
}

/* ---- Commits and tags, broken ---- */

#define HEX    "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define PARENT "1234567890123456789012345678901234567890"

/* One random change, with the characters that mean something in headers. */
static size_t mutate(char *s, size_t len)
{
    static const char chars[] = " <>\n0+-1aF.:\t";
    size_t at = len == 0 ? 0 : rnd((unsigned)len);

    switch (rnd(4)) {
    case 0:
        memmove(s + at, s + at + 1, len - at - 1);
        return len - 1;
    case 1:
        memmove(s + at + 1, s + at, len - at);
        s[at] = rnd(40) == 0 ? 0 : chars[rnd(sizeof chars - 1)];
        return len + 1;
    case 2:
        s[at] = rnd(40) == 0 ? 0 : chars[rnd(sizeof chars - 1)];
        return len;
    default: /* a line twice, or a line less */
        while (at > 0 && s[at - 1] != '\n')
            at--;
        {
            size_t end = at;

            while (end < len && s[end++] != '\n')
                ;
            if (rnd(2) == 0) {
                memmove(s + end + (end - at), s + end, len - end);
                memcpy(s + end, s + at, end - at);
                return len + end - at;
            }
            memmove(s + at, s + end, len - end);
            return len - (end - at);
        }
    }
}

static void add_mutants(enum bough_type type, const char *good, unsigned n)
{
    char text[BODY_MAX];

    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(good);

        memcpy(text, good, len);
        for (unsigned k = i == 0 ? 0 : 1 + rnd(3); k > 0; k--)
            len = mutate(text, len);
        add(type, false, text, len);
    }
}

static void test_git__agrees_about_broken_commits(void **state)
{
    (void)state;
    add_mutants(BOUGH_COMMIT,
        "tree " HEX "\nparent " PARENT "\nauthor A U Thor <a@b.c> 1234567890 +0100\n"
        "committer C <c> 0 -0000\nencoding x\n\nmessage\n",
        700);
    add_mutants(BOUGH_COMMIT,
        "tree " HEX "\nauthor  <> 1 +0000\ncommitter C <c> 18446744073709551615 -0000\n", 200);
    compare(500, 200);
}

static void test_git__agrees_about_broken_tags(void **state)
{
    (void)state;
    add_mutants(BOUGH_TAG,
        "object " HEX
        "\ntype tree\ntag v1.0\ntagger A U Thor <a@b.c> 1234567890 +0100\n\nmessage\n",
        600);
    compare(400, 60);
}

/* ---- Trees ---- */

struct entry {
    const char *mode, *name;
};

static void add_tree(const struct entry *entries, size_t n)
{
    uint8_t body[BODY_MAX];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf((char *)body + len, "%s %s", entries[i].mode, entries[i].name) + 1;
        memset(body + len, rnd(60) == 0 ? 0 : 'i', 20);
        len += 20;
    }
    add(BOUGH_TREE, false, body, len);
}

static const char *const odd_names[] = {".", "..", "...", ".git", ".GIT", ".gIt", "git~1", "GIT~1",
    "git~2", "git~11", "git~1.", "git~1 ", ".git.", ".git ", ".git . .", ".git .x",
    ".git:", ".git:x", ".git::$INDEX_ALLOCATION", "git~1:x", ".git\\", ".git\\x", "x\\.git",
    "x\\git~1", "x\\y\\.git ", "x\\.gitx", "\\", "a\\b", ".gitx", ".gi", ".git~1", "git",
    ".g\xe2\x80\x8cit", "\xe2\x80\x8d.git", ".git\xe2\x80\xaa", "\xef\xbb\xbf.git",
    ".GI\xe2\x81\xaaT", ".git\xff", ".git\xe2\x80", ".git\xe2\x80\x8c\xe2\x80\x8fx",
    ".git\xed\xa0\x80", ".git\xef\xbf\xbf", ".git\xef\xbf\xbe", ".git\xf4\x90\x80\x80",
    ".git\xc0\x80", ".git\xf0\x9f\x98\x80", "\xe2\x80\x8c", ".g\xc4\xb1t", ".gi\xc5\xa5",
    "\xff.git", ".gitmodules", ".GITMODULES", ".gitmodules ", ".gitmodules.", ".gitmodules:x",
    ".gitmodulesx", "gitmod~1", "gitmod~4", "gitmod~5", "gitmod~0", "GITMOD~1", "gitmod~1x",
    "gitmod~1 ", "gi7eba~1", "GI7EBA~9", "gi7eb~10", "gi7eb~01", "gi7e~123", "gi~12345", "g~123456",
    "~1234567", "~12345678", "~0234567", "gi7eba~1.", "gi7eba~1:", "gi7eba~1x", "gi7ebax1",
    "gi7eb~1", "x\\.gitmodules", "x\\gitmod~1", "x\\gi7eba~1", ".git\xe2\x80\x8cmodules",
    ".gitmodules\xff", ".gitattributes", ".gitattribute", "gitatt~1", "gi7d29~1",
    "x\\.gitattributes", ".gitignore", "gitign~1", "gi250a~1", ".mailmap", "mailma~1", "maba30~1",
    "MABA30~4", ".mail\xe2\x80\x8dmap", "a/b", "/", "a/", ".git/x", ".gitmodules/x",
    ".git/\xe2\x80\x8c", "git~1/x", ".\xe2\x80\x8cgitmodules/", " ", ".git\n", "-", "CON", "a:b"};

static const char *const odd_modes[] = {"100644", "100755", "120000", "40000", "160000", "100664",
    "100600", "100777", "040000", "0100644", "104755", "40755", "120777", "20000", "60000",
    "140000", "0", "1", "644"};

static void test_git__agrees_about_names_and_modes(void **state)
{
    static const char *const modes[] = {"100644", "120000", "40000"};

    (void)state;
    for (size_t i = 0; i < sizeof odd_names / sizeof *odd_names; i++)
        for (size_t m = 0; m < 3; m++)
            add_tree(&(struct entry){modes[m], odd_names[i]}, 1);
    for (size_t m = 0; m < sizeof odd_modes / sizeof *odd_modes; m++)
        add_tree(&(struct entry){odd_modes[m], "a"}, 1);
    compare(300, 100);
}

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return bough_tree_name_cmp(
        bough_view_str(x->name), x->mode[0] == '4', bough_view_str(y->name), y->mode[0] == '4');
}

static void test_git__agrees_about_order_and_duplicates(void **state)
{
    static const char *const names[] = {
        "a", "a-", "a-b", "a.", "a.b", "a0", "ab", "a-b-c", "b", "a!", "A", "a--", "a-b.", "a\x01"};
    static const char *const modes[] = {"100644", "40000"};
    struct entry e[6];

    (void)state;
    for (int i = 0; i < 700; i++) {
        size_t n = 1 + rnd(6);

        for (size_t k = 0; k < n; k++)
            e[k] = (struct entry){modes[rnd(2)], names[rnd(sizeof names / sizeof *names)]};
        if (rnd(4) != 0)
            qsort(e, n, sizeof *e, entry_cmp);
        add_tree(e, n);
    }
    compare(500, 100);
}

static void test_git__agrees_about_broken_trees(void **state)
{
    static const char good[] = "100644 a\0"
                               "iiiiiiiiiiiiiiiiiiii"
                               "40000 b\0"
                               "iiiiiiiiiiiiiiiiiiii";
    char text[BODY_MAX];

    (void)state;
    for (int i = 0; i < 300; i++) {
        size_t len = sizeof good - 1;

        memcpy(text, good, len);
        len = mutate(text, len);
        add(BOUGH_TREE, false, text, len);
    }
    compare(150, 50);
}

/* ---- .gitmodules ---- */

static const char *const odd_urls[] = {"https://x.y/z.git", "-x", "./-x", "../x", "../../x",
    "./../:x", "../../:x", "..//x", "./../", "../", ".//x", "./:x", "../%0ax", "../%0Ax", "../%0",
    "../%zz", "http://x/%0ay", "http://x/\\ny", "http://%0a/", "http:///x", "https:///x",
    "https::example.com/x", "http::https://x/y", "http::/x", "http::x", "http:x", "ftp://x",
    "ftps://x:99/", "ftp:///", "http://x:0/", "http://x:65535/", "http://x:65536/", "http://x:8a/",
    "http://x:/", "http://u:p@x/", "http://@/", "http://u@:80/", "http://x/%zz", "http://x/%",
    "http://x/%4", "http://x/..", "http://x/../y", "http://x/a/../b", "http://x/a/../../b",
    "http://x/./y", "http://x/a/..", "http://x?q=%0a", "http://x#%0A", "http://x?a",
    "http://[::1]/", "http://[::1]:80/", "http://a_b/", "http://a b/", "http://a!b/",
    "http://a%41/", "git://x/%0a", "ssh://x/%0a", "x%0ay:z", "/a/b", "a/b", "file:///x",
    "HTTP://x/%0a", "httpx://%0a", "http://x//../../y", "http://x/a//..//..", "http://x/%2e%2e/y",
    "http://x/.%2E/", ""};

static const char *const odd_modules[] = {"[submodule \"..\"]\n path = a\n",
    "[submodule \"../a\"]\npath=a\n", "[submodule \"a/..\"]\npath=a\n",
    "[submodule \"a\\\\..\"]\npath=a\n", "[submodule \"a/..b\"]\npath=a\n",
    "[submodule \"\"]\npath=a\n", "[submodule \"...\"]\npath=a\n", "[submodule \"a\"]\npath=-a\n",
    "[submodule \"a\"]\npath=a-\n", "[submodule \"a\"]\nupdate=!x\n",
    "[submodule \"a\"]\nupdate= \"!x\"\n", "[submodule \"a\"]\nupdate=x!\n",
    "[submodule \"a\"]\nupdate\n", "[submodule]\nurl=-x\n", "[submodule.a]\nurl=-x\n",
    "[SubModule \"a\"]\nURL=-x\n", "[submodule \"a\"] url=-x\n", "[submodule \"a\"]\nurl=\\\n-x\n",
    "[submodule \"a\"]\nurl=\"\"-x\n", "[submodule \"a\"]\nurl=a #-x\n",
    "[submodule \"a\"]\nurl=\"a\n", "[submodule \"a\"]\nurl=a\\x\n", "[submodule \"a\nurl=-x\n",
    "[submodule \"a\"\nurl=-x\n", "[submodule a]\nurl=-x\n", "[submodule \"a\"]x\n1=2\n",
    "url=-x\n", "[", "]", "[]\nurl=-x\n", "#[submodule \"a\"]\n#url=-x",
    "[submodule \"a\"]\r\nurl=-x\r\n", "[submodule \"a\"]\nu_l=-x\n", "[submodule \"a\"]\nurl -x\n",
    "[submodule \"a\"]\nurl = ;-x\n", "[submodule \"..\"]\n", "[submodule \"..\"]\npath\n",
    "[submodule  \t\"a\"]\nurl=-x\n", "[submodule \"a\" ]\nurl=-x\n",
    "[sub-module \"a\"]\nurl=-x\n", "[submodule.a \"b\"]\nurl=-x\n",
    "[submodule \"a.b\"]\nurl=-x\n", "[submodule \"a\"]\nurl=- x\\\\\n"};

static void add_modules(const char *text)
{
    char tree[64];
    size_t before = fix.n;

    add(BOUGH_BLOB, true, text, strlen(text));
    if (fix.n == before)
        return;
    memcpy(tree, "100644 .gitmodules", 19);
    memcpy(tree + 19, fix.objects[fix.n - 1].id.bytes, 20);
    add(BOUGH_TREE, false, tree, 39);
}

static void test_git__agrees_about_gitmodules(void **state)
{
    char text[BODY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof odd_urls / sizeof *odd_urls; i++) {
        snprintf(text, sizeof text, "[submodule \"a\"]\n\turl = \"%s\"\n", odd_urls[i]);
        add_modules(text);
    }
    for (size_t i = 0; i < sizeof odd_modules / sizeof *odd_modules; i++)
        add_modules(odd_modules[i]);
    compare(180, 40);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_git__agrees_about_broken_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_git__agrees_about_broken_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_git__agrees_about_names_and_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_git__agrees_about_order_and_duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_git__agrees_about_broken_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_git__agrees_about_gitmodules, setup, teardown),
    };

    return cmocka_run_group_tests_name("git fsck", tests, NULL, NULL);
}
