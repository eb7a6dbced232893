/*
 * test_git_objects.c - commits, trees, tags and names next to git's own commands.
 *
 * Goal: what we write has the ids that git commit-tree, mktree and mktag
 * give, and git check-ref-format and we refuse the same names, with both
 * object formats.  Method: idents, messages and names from lists of the odd
 * ones and from a seeded generator; every answer of git is compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/name.h"
#include "git/object.h"
#include "tests/lib/env.h"
#include "tests/lib/git.h"

enum { COMMAND_MAX = 2048, ENTRY_NAME_MAX = 24 };

struct fix {
    struct test_git git;
    struct test_mem mem;
    struct bough_buf buf;
    uint64_t seed;
};

static struct fix fix;

static unsigned rnd(unsigned n)
{
    return (unsigned)(test_random(&fix.seed) % n);
}

static void begin(enum bough_algo algo)
{
    fix.seed = 7;
    test_git_init(&fix.git, algo);
    test_mem_init(&fix.mem);
    bough_buf_init(&fix.buf, &fix.mem.mem);
}

static int setup_sha1(void **state)
{
    (void)state;
    begin(BOUGH_SHA1);
    return 0;
}

static int setup_sha256(void **state)
{
    (void)state;
    begin(BOUGH_SHA256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bough_buf_fini(&fix.buf);
    test_mem_done(&fix.mem);
    test_git_done(&fix.git);
    return 0;
}

static struct bough_oid put(enum bough_type type, struct bough_view body)
{
    struct bough_oid id = bough_oid_of(fix.git.algo, type, body);
    char hex[BOUGH_HEX_MAX + 1] = {0};

    bough_oid_hex(fix.git.algo, &id, hex);
    test_git_put(&fix.git, bough_type_name(type), hex, body);
    return id;
}

/* The id that git printed, or zero when it failed. */
static struct bough_oid git_id(const struct bough_view *in, const char *command)
{
    char *out = test_git_run(&fix.git, in, command);
    struct bough_oid id = {{0}};
    size_t len = (size_t)2 * bough_algo_len(fix.git.algo);

    if (fix.git.status == 0) {
        assert_true(strlen(out) >= len);
        assert_int_equal(bough_oid_parse(fix.git.algo, bough_view(out, len), &id), BOUGH_OK);
    }
    free(out);
    return id;
}

/* What is in the buffer as an object; zero when it could not be made. */
static struct bough_oid our_id(enum bough_type type)
{
    struct bough_oid id = {{0}};

    if (fix.buf.err == BOUGH_OK)
        id = bough_oid_of(fix.git.algo, type, bough_buf_view(&fix.buf));
    else
        assert_int_equal(fix.buf.err, BOUGH_EINVAL);
    return id;
}

static void assert_same(struct bough_oid ours, struct bough_oid gits, const char *what)
{
    if (!bough_oid_eq(&ours, &gits)) {
        print_error("%s\nours: %.*s\n", what, (int)fix.buf.len, (const char *)fix.buf.ptr);
        fail();
    }
}

/* ---- Commits ---- */

struct commit_case {
    const char *name, *mail;
    int64_t sec;
    int zone;
    const char *message;
    unsigned parents;
};

static const struct commit_case commit_cases[] = {
    {"A U Thor", "a@b.c", 1234567890, 60, "subject\n\nbody\n", 0},
    {"A", "a", 100000000, -570, "no newline at the end", 1},
    {"A", "a", 100000000, 840, "", 2},
    {" .,;A U\nThor<>.", "<x y>", 1700000000, 0, "\n\n leading\n\n\n", 3},
    {"\"A\"", " 'a' ", 1700000000, 345, "tabs\tand\rreturns\n", 0},
    {"A:B;C", "a..", 1700000000, -30, "x", 0},
    {"J\xc3\xb6rg", "j\xc3\xb6rg@x", 1700000000, 0,
        "gr\xc3\xbc\xc3\x9f"
        "e\n",
        0},
    {"J\xf6rg", "j\xf6rg@x", 1700000000, 0,
        "gr\xfc\xdf"
        "e \xe2\x82\xac\n",
        0},
    {"A", "a", 1700000000, 0, "\xff\xfe \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82\n", 0},
    {"A", "a", 1700000000, 0, "\xef\xbf\xbe \xef\xb7\x90 \xf0\x9f\xbf\xbf \xf0\x9f\x98\x80", 0},
    {"A\xc3<\xa9", "a", 1700000000, 0, "joined by cleaning\n", 0},
    {"...", "a", 1700000000, 0, "no name", 0},
    {"A", "", 1700000000, 0, "no mail\n", 0},
    {"A\tB",
        "\x01"
        "a\x02",
        1700000000, 0, "control characters\n", 0},
};

static void quote(char *to, const char *from)
{
    *to++ = '\'';
    for (; *from; from++) {
        if (*from == '\'') {
            memcpy(to, "'\\'", 3);
            to += 3;
        }
        *to++ = *from;
    }
    memcpy(to, "'", 2);
}

static void person_env(
    char *to, const char *who, const char *name, const char *mail, const struct bough_time *t)
{
    char quoted[2][256];
    int m = t->zone_min < 0 ? -t->zone_min : t->zone_min;

    quote(quoted[0], name);
    quote(quoted[1], mail);
    sprintf(to, "GIT_%s_NAME=%s GIT_%s_EMAIL=%s GIT_%s_DATE='%lld %c%02d%02d' ", who, quoted[0],
        who, quoted[1], who, (long long)t->sec, t->zone_min < 0 ? '-' : '+', m / 60, m % 60);
}

static void check_commit(const struct commit_case *c, const struct bough_oid *objects)
{
    char author[1024], committer[1024], command[3 * COMMAND_MAX], hex[BOUGH_HEX_MAX + 1] = {0};
    struct bough_time time = {c->sec, 0, (int16_t)c->zone}, later = {c->sec + 1, 0, 120};
    struct bough_commit_parts parts = {
        .tree = *bough_oid_empty_tree(fix.git.algo),
        .parents = objects,
        .parents_n = c->parents,
        .author = {bough_view_str(c->name), bough_view_str(c->mail), time},
        .committer = {bough_view_str("Committer"), bough_view_str("c@d"), later},
        .message = bough_view_str(c->message),
    };
    struct bough_oid gits;
    int n;

    person_env(author, "AUTHOR", c->name, c->mail, &time);
    person_env(committer, "COMMITTER", "Committer", "c@d", &later);
    bough_oid_hex(fix.git.algo, &parts.tree, hex);
    n = sprintf(command, "%s %s git commit-tree %s", author, committer, hex);
    for (unsigned i = 0; i < c->parents; i++) {
        bough_oid_hex(fix.git.algo, &objects[i], hex);
        n += sprintf(command + n, " -p %s", hex);
    }
    sprintf(command + n, " 2>error");
    gits = git_id(&parts.message, command);
    bough_buf_clear(&fix.buf);
    bough_commit_put(&fix.buf, fix.git.algo, &parts);
    assert_same(our_id(BOUGH_COMMIT), gits, command);
}

static void test_git__commit_tree_makes_the_same_commits(void **state)
{
    struct bough_oid parents[3];
    struct bough_view none = {NULL, 0};

    (void)state;
    put(BOUGH_TREE, none);
    for (unsigned i = 0; i < 3; i++) {
        struct bough_commit_parts parts = {
            .tree = *bough_oid_empty_tree(fix.git.algo),
            .author = {bough_view_str("P"), none, {i, 0, 0}},
            .committer = {bough_view_str("P"), none, {i, 0, 0}},
        };

        bough_buf_clear(&fix.buf);
        bough_commit_put(&fix.buf, fix.git.algo, &parts);
        parents[i] = put(BOUGH_COMMIT, bough_buf_view(&fix.buf));
    }
    for (size_t i = 0; i < sizeof commit_cases / sizeof *commit_cases; i++)
        check_commit(&commit_cases[i], parents);
}

/* ---- Trees ---- */

struct entry {
    uint32_t mode;
    char name[ENTRY_NAME_MAX];
};

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return bough_tree_name_cmp(bough_view_str(x->name), x->mode == BOUGH_FILEMODE_TREE,
        bough_view_str(y->name), y->mode == BOUGH_FILEMODE_TREE);
}

/* False: one of the others is called so. */
static bool entry_make(struct entry *e, const struct entry *others, size_t n)
{
    static const uint32_t modes[] = {0100644, 0100755, 0120000, 0040000, 0160000};
    static const char chars[] = "ab-./0A!\x7f\xc3\xa9";

    e->mode = modes[rnd(5)];
    memset(e->name, 0, sizeof e->name);
    for (unsigned i = 0, len = 1 + rnd(5); i < len; i++) {
        e->name[i] = chars[rnd(sizeof chars - 1)];
        if (e->name[i] == '/') /* mktree takes none */
            e->name[i] = 'a';
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(others[i].name, e->name) == 0)
            return false;
    return true;
}

static const char *kind_of(uint32_t mode)
{
    return mode == BOUGH_FILEMODE_TREE      ? "tree"
           : mode == BOUGH_FILEMODE_GITLINK ? "commit"
                                            : "blob";
}

static void test_git__mktree_makes_the_same_trees(void **state)
{
    struct bough_oid id = *bough_oid_empty_blob(fix.git.algo);
    char hex[BOUGH_HEX_MAX + 1] = {0};

    (void)state;
    bough_oid_hex(fix.git.algo, &id, hex);
    for (int round = 0; round < 60; round++) {
        struct entry e[12];
        size_t n = rnd(13);
        char list[12 * 128];
        struct bough_view in = {(const uint8_t *)list, 0};
        struct bough_oid gits;

        for (size_t i = 0; i < n; i++) {
            while (!entry_make(&e[i], e, i))
                ;
            in.len += (size_t)sprintf(list + in.len, "%06o %s %s\t%s", e[i].mode,
                          kind_of(e[i].mode), hex, e[i].name) +
                      1;
        }
        gits = git_id(&in, "git mktree -z --missing");
        qsort(e, n, sizeof *e, entry_cmp);
        bough_buf_clear(&fix.buf);
        for (size_t i = 0; i < n; i++)
            bough_tree_entry_put(&fix.buf, fix.git.algo, e[i].mode, bough_view_str(e[i].name), &id);
        assert_same(our_id(BOUGH_TREE), gits, "mktree");
    }
}

/* ---- Tags ---- */

static void test_git__tag_makes_the_same_tags(void **state)
{
    static const char *const names[] = {
        "v1", "@", "a/b", "a b", "x.lock", ".x", "-", "\xc3\xa9", "a..b"};
    struct bough_view none = {NULL, 0};
    struct bough_tag_parts parts = {
        .type = BOUGH_TREE,
        .tagger = {bough_view_str("T"), bough_view_str("t@x"), {1700000000, 0, -210}},
        .message = bough_view_str("one\n\ntwo\n"),
    };

    (void)state;
    parts.object = put(BOUGH_TREE, none);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char command[COMMAND_MAX], hex[BOUGH_HEX_MAX + 1] = {0};
        struct bough_oid gits;

        bough_oid_hex(fix.git.algo, &parts.object, hex);
        sprintf(command,
            "GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@x "
            "GIT_COMMITTER_DATE='1700000000 -0330' git tag -a -F input -- '%s' %s 2>error && "
            "git rev-parse 'refs/tags/%s'",
            names[i], hex, names[i]);
        parts.name = bough_view_str(names[i]);
        gits = git_id(&parts.message, command);
        if (strcmp(names[i], "-") == 0) /* git tag alone refuses names that look like options */
            continue;
        bough_buf_clear(&fix.buf);
        bough_tag_put(&fix.buf, fix.git.algo, &parts);
        assert_same(our_id(BOUGH_TAG), gits, names[i]);
    }
}

/* ---- Ref names ---- */

static void refname_make(char *name)
{
    static const char *const pieces[] = {"a", "b", "/", "/", ".", "..", ".lock", "@", "{", "@{",
        "~", "^", ":", "?", "*", "[", "\\", " ", "\x01", "\x7f", "\xc3\xa9", "refs/", "heads/",
        "lock", "\t"};
    static const char *const starts[] = {"", "r/", "r/s", "/", ".", "@"};
    /* never with a dash, which git would take for an option */
    size_t len = (size_t)sprintf(name, "%s", rnd(2) ? "r/s" : starts[rnd(6)]);

    for (unsigned n = rnd(5); n > 0; n--)
        len += (size_t)sprintf(
            name + len, "%s", pieces[rnd(3) ? rnd(10) : rnd(sizeof pieces / sizeof *pieces)]);
}

/* One shell asks git about all names: it prints a line for each, 0 or 1. */
static void check_refnames(const char *options, uint32_t flags)
{
    enum { NAMES = 200 };
    static char names[NAMES][128];
    struct bough_view script;
    char *out;
    size_t good = 0;

    bough_buf_clear(&fix.buf);
    for (int i = 0; i < NAMES; i++) {
        char quoted[256];

        refname_make(names[i]);
        quote(quoted, names[i]);
        bough_buf_put_str(&fix.buf, "git check-ref-format ");
        bough_buf_put_str(&fix.buf, options);
        bough_buf_put_str(&fix.buf, " ");
        bough_buf_put_str(&fix.buf, quoted);
        bough_buf_put_str(&fix.buf, " && echo 0 || echo 1\n");
    }
    script = bough_buf_view(&fix.buf);
    out = test_git_run(&fix.git, &script, "sh");
    assert_int_equal(strlen(out), 2 * NAMES);
    for (int i = 0; i < NAMES; i++) {
        bool ours = bough_refname_check(bough_view_str(names[i]), flags, NULL) == BOUGH_OK;

        if (ours != (out[2 * i] == '0'))
            fail_msg("%s %s: ours %d", options, names[i], ours);
        good += ours;
    }
    assert_in_range(good, 10, NAMES - 10);
    free(out);
}

static void test_git__check_ref_format_refuses_the_same_names(void **state)
{
    (void)state;
    check_refnames("", 0);
    check_refnames("--allow-onelevel", BOUGH_REFNAME_ONELEVEL);
    check_refnames("--refspec-pattern", BOUGH_REFNAME_PATTERN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_git__commit_tree_makes_the_same_commits, setup_sha1, teardown),
        cmocka_unit_test_setup_teardown(
            test_git__commit_tree_makes_the_same_commits, setup_sha256, teardown),
        cmocka_unit_test_setup_teardown(
            test_git__mktree_makes_the_same_trees, setup_sha1, teardown),
        cmocka_unit_test_setup_teardown(
            test_git__mktree_makes_the_same_trees, setup_sha256, teardown),
        cmocka_unit_test_setup_teardown(test_git__tag_makes_the_same_tags, setup_sha1, teardown),
        cmocka_unit_test_setup_teardown(
            test_git__check_ref_format_refuses_the_same_names, setup_sha1, teardown),
    };

    return cmocka_run_group_tests_name("git objects", tests, NULL, NULL);
}
