/*
 * test_repo_tree.c - trees in memory behave as a sorted map of paths.
 *
 * Goal: find, next, set, remove, move, digest and write agree with each other whatever the
 * order of edits, and count them right.  Method: named cases, and random edits beside a plain array
 * of paths; the array's tree, built anew from nothing, must have the same id, and its listing the
 * same names.  Every allocation fails once.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/tree_inner.h"
#include "tests/unit/repo_bed.h"

static int setup(void **state)
{
    static struct bed b;

    bed_open(&b, BOUGH_SHA1, 0, 0);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    bed_close(*state);
    return 0;
}

static void set(struct bough_tree *t, const char *path, const char *text)
{
    assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
}

static struct bough_oid write_tree(struct bed *b, struct bough_tree *t)
{
    struct bough_txn *txn;
    struct bough_oid root;

    assert_int_equal(bough_txn_begin(b->store, &txn), BOUGH_OK);
    assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
    assert_false(bough_tree_edited(t));
    assert_true(bough_oid_eq(bough_tree_root(t), &root));
    return root;
}

/* The names below `dir`, joined by spaces, dictionaries with a slash. */
static void expect_list(struct bough_tree *t, const char *dir, const char *want)
{
    char got[4096], after[256];
    struct bough_view name = {NULL, 0};
    struct bough_node n;
    size_t at = 0;
    enum bough_err err;

    after[0] = 0;
    while ((err = bough_tree_next(t, V(dir), V(after), &name, &n)) == BOUGH_OK) {
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%.*s%s", at > 0 ? " " : "",
            (int)name.len, (const char *)name.ptr, n.kind == BOUGH_NODE_DICT ? "/" : "");
        snprintf(after, sizeof after, "%.*s", (int)name.len, (const char *)name.ptr);
    }
    assert_int_equal(err, BOUGH_ENOENT);
    got[at] = 0;
    assert_string_equal(got, want);
}

static void test_repo_tree__ids_are_those_of_git(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;
    struct bough_oid id;
    char hex[65];

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    assert_int_equal(bough_tree_digest(t, V(""), &id), BOUGH_OK);
    hex_of(b->repo, &id, hex);
    assert_string_equal(hex, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    set(t, "a/b", "x");
    set(t, "a-b", "y");
    assert_int_equal(bough_tree_set(t, V("a.c"), 0100755, NULL, V("z")), BOUGH_OK);
    assert_int_equal(bough_tree_digest(t, V(""), &id), BOUGH_OK);
    hex_of(b->repo, &id, hex);
    assert_string_equal(hex, "81c7dcee2dda0aa1a0f78520710eb1bd71d9c27e"); /* git write-tree */
    expect_list(t, "", "a/ a-b a.c");
    id = write_tree(b, t);
    hex_of(b->repo, &id, hex);
    assert_string_equal(hex, "81c7dcee2dda0aa1a0f78520710eb1bd71d9c27e");
    expect_list(t, "", "a/ a-b a.c");
    expect_list(t, "a", "b");
    expect_list(t, "a-b", "");
    bough_tree_close(t);
}

static void test_repo_tree__lists_base_and_edits_in_byte_order(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    set(t, "b", "1");
    set(t, "d/x", "1");
    set(t, "f", "1");
    write_tree(b, t);
    set(t, "a", "2");
    set(t, "c/y", "2");
    set(t, "f", "2");
    assert_int_equal(bough_tree_remove(t, V("b")), BOUGH_OK);
    assert_int_equal(bough_tree_remove(t, V("d/x")), BOUGH_OK);
    expect_list(t, "", "a c/ f");
    assert_int_equal(bough_tree_remove(t, V("b")), BOUGH_ENOENT);
    assert_int_equal(bough_tree_remove(t, V("d")), BOUGH_ENOENT);
    set(t, "d/z", "3");
    expect_list(t, "", "a c/ d/ f");
    expect_list(t, "d", "z");
    bed_expect(b->repo, t, "f", "2");
    bed_expect(b->repo, t, "d/x", NULL);
    write_tree(b, t);
    expect_list(t, "", "a c/ d/ f");
    bed_expect(b->repo, t, "f", "2");
    bough_tree_close(t);
}

static void test_repo_tree__says_which_prefix_is_a_value(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;
    struct bough_node n;
    size_t through;

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    set(t, "a/b", "x");
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(bough_tree_find(t, V("a/b/c/d"), &n, &through), BOUGH_OK);
        assert_int_equal(n.kind, BOUGH_NODE_NONE);
        assert_int_equal(through, 3);
        assert_int_equal(bough_tree_find(t, V("a/c/d"), &n, &through), BOUGH_OK);
        assert_int_equal(n.kind, BOUGH_NODE_NONE);
        assert_int_equal(through, 0);
        assert_int_equal(bough_tree_find(t, V(""), &n, &through), BOUGH_OK);
        assert_int_equal(n.kind, BOUGH_NODE_DICT);
        write_tree(b, t);
    }
    set(t, "a/b/c", "y"); /* the value on the way becomes a dictionary */
    bed_expect(b->repo, t, "a/b/c", "y");
    bough_tree_close(t);
}

static void test_repo_tree__what_cancels_out_leaves_the_id(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;
    struct bough_oid before, after;

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    set(t, "a/b/c", "x");
    set(t, "k", "v");
    before = write_tree(b, t);
    set(t, "a/b/d", "y");
    assert_int_equal(bough_tree_remove(t, V("a/b/d")), BOUGH_OK);
    assert_int_equal(bough_tree_remove(t, V("a/b/c")), BOUGH_OK);
    expect_list(t, "", "k");
    set(t, "a/b/c", "x");
    assert_int_equal(bough_tree_digest(t, V(""), &after), BOUGH_OK);
    assert_true(bough_oid_eq(&before, &after));
    assert_int_equal(bough_tree_remove(t, V("")), BOUGH_OK);
    expect_list(t, "", "");
    assert_int_equal(bough_tree_digest(t, V(""), &after), BOUGH_OK);
    assert_true(bough_oid_eq(bough_oid_empty_tree(BOUGH_SHA1), &after));
    bough_tree_close(t);
}

static void test_repo_tree__moves_values_and_dictionaries(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    set(t, "a/b/c", "x");
    set(t, "a/d", "y");
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(bough_tree_move(t, V("a"), V("a/b/q")), BOUGH_EPREFIX);
        assert_int_equal(bough_tree_move(t, V("nix"), V("q")), BOUGH_ENOENT);
        set(t, "a/e", "new");
        assert_int_equal(bough_tree_move(t, V("a"), V("m/n")), BOUGH_OK);
        expect_list(t, "", "m/");
        bed_expect(b->repo, t, "m/n/b/c", "x");
        bed_expect(b->repo, t, "m/n/e", "new");
        assert_int_equal(bough_tree_move(t, V("m/n"), V("m")), BOUGH_OK); /* over its parent */
        expect_list(t, "m", "b/ d e");
        assert_int_equal(bough_tree_move(t, V("m/d"), V("m/b")), BOUGH_OK);
        expect_list(t, "m", "b e");
        bed_expect(b->repo, t, "m/b", "y");
        assert_int_equal(bough_tree_remove(t, V("m")), BOUGH_OK);
        set(t, "a/b/c", "x");
        set(t, "a/d", "y");
        write_tree(b, t);
    }
    bough_tree_close(t);
}

static void set_dict(struct bough_tree *t, const char *path, const struct bough_oid *id)
{
    assert_int_equal(bough_tree_set_dict(t, V(path), id), BOUGH_OK);
}

static void expect_id(struct bough_tree *t, const char *path, const struct bough_oid *want)
{
    struct bough_oid id;

    assert_int_equal(bough_tree_digest(t, V(path), &id), BOUGH_OK);
    assert_true(bough_oid_eq(&id, want));
}

static void test_repo_tree__takes_whole_dictionaries(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;
    struct bough_oid dict, root;

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    set(t, "d/x", "1");
    set(t, "d/e/y", "2");
    set(t, "f", "3");
    assert_int_equal(bough_tree_digest(t, V("d"), &dict), BOUGH_OK);
    write_tree(b, t);
    set(t, "copy/of/x", "1"); /* by hand */
    set(t, "copy/of/e/y", "2");
    assert_int_equal(bough_tree_digest(t, V(""), &root), BOUGH_OK);
    assert_int_equal(bough_tree_remove(t, V("copy")), BOUGH_OK);

    set_dict(t, "copy/of", &dict);
    expect_id(t, "copy/of", &dict);
    expect_id(t, "", &root);
    expect_list(t, "copy/of", "e/ x");
    bed_expect(b->repo, t, "copy/of/e/y", "2");
    write_tree(b, t);
    expect_id(t, "", &root);
    set_dict(t, "f", &dict); /* in place of a value; changed then */
    set(t, "f/e/z", "4");
    expect_list(t, "f/e", "y z");
    expect_id(t, "d", &dict);
    write_tree(b, t);
    bed_expect(b->repo, t, "f/e/z", "4");

    set_dict(t, "copy", bough_oid_empty_tree(BOUGH_SHA1));
    set_dict(t, "nowhere/at/all", bough_oid_empty_tree(BOUGH_SHA1));
    expect_list(t, "", "d/ f/");
    set_dict(t, "", &dict);
    expect_list(t, "", "e/ x");
    root = write_tree(b, t);
    assert_true(bough_oid_eq(&root, &dict));
    bough_tree_close(t);
}

/* ---- Beside a model ---- */

enum { PATHS = 60, TEXT = 8 };

static const char *const segments[] = {"a", "a-b", "a.c", "b", "c", "a0"};

/* Path number i: one to three segments, all different. */
static void path_of(uint64_t i, char out[32])
{
    uint64_t n = 1 + i % 3;

    out[0] = 0;
    for (i /= 3; n-- > 0; i /= 6)
        snprintf(out + strlen(out), 32 - strlen(out), "%s%s", out[0] ? "/" : "", segments[i % 6]);
}

struct model {
    char text[3 * 216][TEXT]; /* by path number; "" = none */
};

/* In the model, setting a path drops what is above and below it. */
static void model_clear(struct model *m, const char *path, bool above)
{
    char other[32];

    for (uint64_t i = 0; i < 3 * 216; i++) {
        size_t n = strlen(path), k;

        path_of(i, other);
        k = strlen(other);
        if (k >= n && strncmp(path, other, n) == 0 && (other[n] == '/' || other[n] == 0))
            m->text[i][0] = 0;
        if (above && k < n && strncmp(path, other, k) == 0 && path[k] == '/')
            m->text[i][0] = 0;
    }
}

static struct bough_oid model_id(struct bed *b, const struct model *m)
{
    struct bough_tree *t;
    struct bough_oid id;
    char path[32];

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    for (uint64_t i = 0; i < 3 * 216; i++) {
        path_of(i, path);
        if (m->text[i][0] != 0)
            set(t, path, m->text[i]);
    }
    assert_int_equal(bough_tree_digest(t, V(""), &id), BOUGH_OK);
    bough_tree_close(t);
    return id;
}

static bool model_has(const struct model *m, const char *path)
{
    char other[32];

    for (uint64_t i = 0; i < 3 * 216; i++) {
        size_t n = strlen(path);

        path_of(i, other);
        if (m->text[i][0] != 0 && strncmp(path, other, n) == 0 &&
            (other[n] == '/' || other[n] == 0))
            return true;
    }
    return false;
}

static void model_set(struct model *m, const char *path, const char *text)
{
    char other[32];

    model_clear(m, path, true);
    for (uint64_t i = 0; i < 3 * 216; i++) {
        path_of(i, other);
        if (strcmp(path, other) == 0)
            snprintf(m->text[i], TEXT, "%s", text);
    }
}

/* The same value, lent: they stay for ever. */
static void lend(struct bough_tree *t, const char *path, int text)
{
    static const char *const texts[] = {"0", "1", "2", "3"};
    static struct bough_lent lent[4];
    struct bough_lent *value = &lent[text];

    value->bytes = V(texts[text]);
    value->id = bough_oid_of(BOUGH_SHA1, BOUGH_BLOB, value->bytes);
    assert_int_equal(bough_tree_lend(t, V(path), 0100644, value), BOUGH_OK);
}

static enum bough_err edit_count(
    void *ctx, struct bough_repo__dir *d, struct bough_view path, struct bough_repo__edit *e)
{
    uint64_t *n = ctx;

    (void)d;
    (void)path;
    *n += e->to.dir == NULL;
    return BOUGH_OK;
}

static void count_check(struct bough_tree *t)
{
    uint64_t n = 0;

    assert_int_equal(bough_repo__tree_edits(t, edit_count, &n), BOUGH_OK);
    assert_int_equal(bough_repo__tree_edits_n(t), n);
}

static void random_step(struct bed *b, struct bough_tree *t, struct model *m, uint64_t *seed)
{
    char path[32], text[TEXT];
    bool has;
    int value;

    path_of(test_random(seed) % (3 * 216), path);
    has = model_has(m, path);
    switch (test_random(seed) % 8) {
    case 0:
    case 1:
    case 2:
        assert_int_equal(bough_tree_remove(t, V(path)), has ? BOUGH_OK : BOUGH_ENOENT);
        model_clear(m, path, false);
        break;
    case 3:
        if (test_random(seed) % 8 == 0)
            write_tree(b, t);
        break;
    default:
        value = (int)(test_random(seed) % 4);
        snprintf(text, sizeof text, "%d", value);
        if (test_random(seed) % 2 == 0)
            set(t, path, text);
        else
            lend(t, path, value);
        model_set(m, path, text);
    }
}

static void test_repo_tree__random_edits_agree_with_a_model(void **state)
{
    struct bed *b = *state;
    static struct model m;

    for (uint64_t seed0 = 1; seed0 <= 30; seed0++) {
        uint64_t seed = seed0;
        struct bough_tree *t;

        memset(&m, 0, sizeof m);
        assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
        for (int i = 0; i < 120; i++) {
            struct bough_oid id, want;

            random_step(b, t, &m, &seed);
            count_check(t);
            if (i % 8 != 0)
                continue;
            want = model_id(b, &m);
            assert_int_equal(bough_tree_digest(t, V(""), &id), BOUGH_OK);
            if (!bough_oid_eq(&id, &want))
                fail_msg("seed %d step %d", (int)seed0, i);
        }
        bough_tree_close(t);
    }
}

static void test_repo_tree__an_edit_without_memory_changes_nothing(void **state)
{
    struct bed *b = *state;

    for (int what = 0; what < 6; what++) {
        for (uint64_t n = 0;; n++) {
            struct bough_tree *t;
            struct bough_oid before, after, root;
            enum bough_err err = BOUGH_OK;

            assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
            set(t, "a/b/c", "x");
            set(t, "a/d", "y");
            root = write_tree(b, t);
            bough_tree_close(t);
            assert_int_equal(bough_tree_open(b->repo, &root, &t), BOUGH_OK);
            if (what % 2 == 1)
                set(t, "a/b/e", "z");
            assert_int_equal(bough_tree_digest(t, V(""), &before), BOUGH_OK);
            b->env.mem.failed = false;
            b->env.mem.fail_at = b->env.mem.calls + n;
            if (what < 2)
                err = bough_tree_set(t, V("a/b/c/d/e"), 0100644, NULL, V("new"));
            else if (what < 4)
                err = bough_tree_move(t, V("a/b"), V("q/r/s"));
            else
                err = bough_tree_remove(t, V(""));
            b->env.mem.fail_at = UINT64_MAX;
            assert_int_equal(bough_tree_digest(t, V(""), &after), BOUGH_OK);
            assert_int_equal(bough_oid_eq(&before, &after), err != BOUGH_OK);
            bough_tree_close(t);
            if (!b->env.mem.failed)
                break;
            assert_true(err == BOUGH_ENOMEM || err == BOUGH_OK);
        }
    }
}

/* Deltas against earlier versions make the same bytes: the store checks ids when it reads. */
static void test_repo_tree__many_versions_of_a_directory_read_back(void **state)
{
    struct bed *b = *state;
    struct bough_tree *t;
    struct bough_oid root;
    uint64_t seed = 5;
    char path[32], text[32];

    assert_int_equal(bough_tree_open(b->repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "d/%03d", i);
        set(t, path, "x");
    }
    for (int v = 0; v < 200; v++) {
        snprintf(path, sizeof path, "d/%03d", (int)(test_random(&seed) % 400));
        snprintf(text, sizeof text, "%d", v);
        set(t, path, text);
        root = write_tree(b, t);
        bed_expect(b->repo, t, path, text);
    }
    bough_tree_close(t);
    bed_reopen(b, 0, 0);
    assert_int_equal(bough_tree_open(b->repo, &root, &t), BOUGH_OK);
    bed_expect(b->repo, t, path, text);
    bough_tree_close(t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repo_tree__ids_are_those_of_git, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__lists_base_and_edits_in_byte_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__says_which_prefix_is_a_value, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__what_cancels_out_leaves_the_id, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__moves_values_and_dictionaries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_tree__takes_whole_dictionaries, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__random_edits_agree_with_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__an_edit_without_memory_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_tree__many_versions_of_a_directory_read_back, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/tree", tests, NULL, NULL);
}
