/*
 * test_repo_paths.c - what the path cache answers is what the branch holds.
 *
 * Goal: a get by a path that is known is answered from the cache with the bytes that are there,
 * after whatever way of changing them; what is not true is forgotten, and little else is.
 * Method: the cache is asked directly, beside a tree of the same head that has no cache; a
 * cache of a single page; random changes of all kinds.
 */
#include "repo/edit_inner.h"
#include "repo/inner.h"
#include "repo/path_inner.h"
#include "tests/unit/repo_bed.h"

static struct bough_tree *head_tree(struct bough_branch *b)
{
    struct bough_tree *t;

    assert_int_equal(bough_branch_tree(b, &t), BOUGH_OK);
    return t;
}

/* Does the cache hold the value at `path`?  Then it is `text`. */
static bool known(struct bough_branch *b, const char *path, const char *text)
{
    struct bough_repo__known k;
    struct bough_view v;
    bool quick = bough_branch_known(b, V(path), &v);

    if (!bough_repo__path_get(head_tree(b), V(path), &k) || k.bytes.ptr == NULL) {
        assert_false(quick);
        return false;
    }
    assert_true(quick);
    assert_int_equal(v.len, strlen(text));
    assert_memory_equal(v.ptr, text, v.len);
    assert_ptr_equal(k.bytes.ptr, v.ptr);
    assert_int_equal(k.bytes.len, v.len);
    return true;
}

/* Get through the cache; text NULL: nothing is there. */
static void get_expect(struct bed *bed, struct bough_branch *b, const char *path, const char *text)
{
    struct bough_node n;
    struct bough_buf got;

    bough_buf_init(&got, bough_repo_env(bed->repo)->mem);
    assert_int_equal(bough_tree_get(head_tree(b), V(path), 0, UINT64_MAX, &n, &got), BOUGH_OK);
    assert_int_equal(n.kind == BOUGH_NODE_VALUE, text != NULL);
    if (text != NULL) {
        assert_int_equal(got.len, strlen(text));
        assert_true(got.len == 0 || memcmp(got.ptr, text, got.len) == 0);
    }
    bough_buf_fini(&got);
}

static struct bough_branch *begin(struct bed *bed, uint32_t time_ms)
{
    struct bough_branch *b;

    bed_open(bed, test_algo(), time_ms, 0);
    assert_int_equal(bough_branch_open(bed->repo, V("main"), &b), BOUGH_OK);
    return b;
}

static void end(struct bed *bed, struct bough_branch *b)
{
    bough_branch_close(b);
    bed_close(bed);
}

static void test_paths__a_written_value_is_known_at_once(void **state)
{
    struct bed bed;
    struct bough_branch *b = begin(&bed, 1000);

    (void)state;
    assert_int_equal(bed_put(b, "a/b", "one", 1), BOUGH_OK);
    assert_true(known(b, "a/b", "one"));
    assert_int_equal(bed_put(b, "a/b", "two", 2), BOUGH_OK);
    assert_true(known(b, "a/b", "two"));
    assert_int_equal(bough_repo_fold_all(bed.repo), BOUGH_OK);
    assert_true(known(b, "a/b", "two"));
    assert_int_equal(bed_put(b, "a/b", NULL, 3), BOUGH_OK);
    assert_false(known(b, "a/b", ""));
    get_expect(&bed, b, "a/b", NULL);
    end(&bed, b);
}

/* A key comes as somebody wrote it; what is at hand is asked first. */
static void test_paths__only_a_path_in_inner_form_is_at_hand(void **state)
{
    static const char *const others[] = {"/a/b", "a//b", "a/b/", "a/b/c", "a", "a/", "/", ""};
    struct bed bed;
    struct bough_branch *b = begin(&bed, 1000);
    struct bough_view v;

    (void)state;
    assert_int_equal(bed_put(b, "a/b", "value", 1), BOUGH_OK);
    get_expect(&bed, b, "a/b", "value");
    assert_true(known(b, "a/b", "value"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(bough_branch_known(b, V(others[i]), &v));
    end(&bed, b);
}

/* The cache has no id of a small value. */
static void test_paths__a_known_value_has_its_id(void **state)
{
    static const char *const texts[] = {"", "value", "1234567890123456789012345678901234567890"};
    struct bed bed;
    struct bough_branch *b = begin(&bed, 1000);

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, V(texts[i])), digest;
        struct bough_node n;

        assert_int_equal(bed_put(b, "a/b", texts[i], (int)i), BOUGH_OK);
        assert_true(known(b, "a/b", texts[i]));
        assert_int_equal(bough_tree_find(head_tree(b), V("a/b"), &n, NULL), BOUGH_OK);
        assert_true(bough_oid_eq(&n.id, &id));
        assert_int_equal(bough_tree_digest(head_tree(b), V("a/b"), &digest), BOUGH_OK);
        assert_true(bough_oid_eq(&digest, &id));
    }
    end(&bed, b);
}

static void test_paths__a_value_that_is_read_is_known(void **state)
{
    char large[BOUGH_REPO__PATH_VALUE_MAX + 2];
    struct bough_repo__known k;
    struct bough_branch *b;
    struct bed bed;

    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    b = begin(&bed, 0);
    assert_int_equal(bed_put(b, "small", "value", 1), BOUGH_OK);
    assert_int_equal(bed_put(b, "empty", "", 2), BOUGH_OK);
    assert_int_equal(bed_put(b, "large", large, 3), BOUGH_OK);
    bough_branch_close(b);
    bed_reopen(&bed, 0, 0);
    b = bed_branch(&bed, "main");
    assert_false(known(b, "small", "value"));
    for (int i = 0; i < 2; i++) {
        get_expect(&bed, b, "small", "value");
        get_expect(&bed, b, "empty", "");
        get_expect(&bed, b, "large", large);
    }
    assert_true(known(b, "small", "value"));
    assert_true(bough_repo__path_get(head_tree(b), V("large"), &k));
    assert_null(k.bytes.ptr);
    end(&bed, b);
}

/* Commit edits that a tree of its own makes; with `from` NULL onto the head. */
static void commit_edits(struct bed *bed, struct bough_branch *b, void (*edit)(struct bough_tree *))
{
    struct bough_info info = bed_info(9);
    struct bough_oid head, root;
    struct bough_tree *t;

    assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
    assert_int_equal(bough_repo_root_of(bed->repo, &head, &root), BOUGH_OK);
    assert_int_equal(bough_tree_open(bed->repo, &root, &t), BOUGH_OK);
    edit(t);
    assert_int_equal(bough_branch_commit(b, t, &info, NULL, NULL), BOUGH_OK);
    bough_tree_close(t);
}

static void set(struct bough_tree *t, const char *path, const char *text)
{
    assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
}

static void edit_one(struct bough_tree *t)
{
    set(t, "d/one", "changed");
}

static void edit_under(struct bough_tree *t)
{
    set(t, "d/two/below", "deep");
}

static void edit_away(struct bough_tree *t)
{
    assert_int_equal(bough_tree_remove(t, V("d")), BOUGH_OK);
}

static void edit_move(struct bough_tree *t)
{
    assert_int_equal(bough_tree_move(t, V("d"), V("e")), BOUGH_OK);
}

static void test_paths__a_commit_forgets_what_it_changes_and_no_more(void **state)
{
    struct bed bed;
    struct bough_branch *b = begin(&bed, 0);

    (void)state;
    assert_int_equal(bed_put(b, "d/one", "1", 1), BOUGH_OK);
    assert_int_equal(bed_put(b, "d/two", "2", 2), BOUGH_OK);
    assert_int_equal(bed_put(b, "three", "3", 3), BOUGH_OK);
    commit_edits(&bed, b, edit_one);
    assert_false(known(b, "d/one", "1"));
    get_expect(&bed, b, "d/one", "changed");
    assert_true(known(b, "d/two", "2"));
    assert_true(known(b, "three", "3"));
    commit_edits(&bed, b, edit_under);
    get_expect(&bed, b, "d/two", NULL);
    get_expect(&bed, b, "d/two/below", "deep");
    assert_true(known(b, "three", "3"));
    commit_edits(&bed, b, edit_move);
    get_expect(&bed, b, "d/one", NULL);
    get_expect(&bed, b, "e/one", "changed");
    assert_true(known(b, "three", "3"));
    assert_int_equal(bed_put(b, "d/one", "again", 4), BOUGH_OK);
    commit_edits(&bed, b, edit_away);
    get_expect(&bed, b, "d/one", NULL);
    get_expect(&bed, b, "e/two/below", "deep");
    end(&bed, b);
}

/* What somebody else's commit changes, as a push does. */
static void test_paths__a_moved_ref_forgets_what_differs(void **state)
{
    struct bough_ref_update u = {.name = V("refs/heads/main")};
    struct bough_oid first, second;
    struct bed bed;
    struct bough_branch *b = begin(&bed, 0);

    (void)state;
    assert_int_equal(bed_put(b, "a", "1", 1), BOUGH_OK);
    assert_int_equal(bed_put(b, "b", "1", 2), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &first), BOUGH_OK);
    assert_int_equal(bed_put(b, "a", "2", 3), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &second), BOUGH_OK);
    u.old = second;
    u.check = true;
    u.now = first;
    assert_int_equal(bough_repo_update(bed.repo, &u, 1, 0, NULL), BOUGH_OK);
    assert_int_equal(u.err, BOUGH_OK);
    assert_false(known(b, "a", "1"));
    get_expect(&bed, b, "a", "1");
    assert_true(known(b, "b", "1"));
    end(&bed, b);
}

static void test_paths__a_full_cache_keeps_the_newest_and_lies_never(void **state)
{
    struct bed bed;
    struct bough_branch *b = begin(&bed, 1000);
    int kept = 0;

    (void)state;
    bed.repo->paths.limit = 4096 + 64; /* one page */
    for (int i = 0; i < 500; i++) {
        char path[16], text[300];

        snprintf(path, sizeof path, "k%d", i % 200);
        memset(text, 'a' + i % 26, sizeof text);
        text[i * 7 % 299] = 0;
        assert_int_equal(bed_put(b, path, text, i), BOUGH_OK);
        assert_true(known(b, path, text));
        get_expect(&bed, b, path, text);
    }
    assert_int_equal(bed.repo->paths.pages, 1);
    for (int i = 300; i < 500; i++) {
        char path[16], text[300];

        snprintf(path, sizeof path, "k%d", i % 200);
        memset(text, 'a' + i % 26, sizeof text);
        text[i * 7 % 299] = 0;
        kept += known(b, path, text);
    }
    assert_in_range(kept, 8, 63);
    end(&bed, b);
}

/* Lines with a tag. */
static size_t tagged(const struct bough_repo__paths *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->pages * 64; i++)
        n += p->tags[i] != 0;
    return n;
}

/* Values of all lengths, so that entries fill one to ten lines. */
static const char *text_of(int i, char text[BOUGH_REPO__PATH_VALUE_MAX + 1])
{
    size_t len = (size_t)i * 7919 % (BOUGH_REPO__PATH_VALUE_MAX + 1);

    memset(text, 'a' + i % 26, len);
    text[len] = 0;
    return text;
}

static void test_paths__a_table_that_grows_loses_little_and_counts_its_lines(void **state)
{
    enum { N = 3000 };
    char path[16], text[BOUGH_REPO__PATH_VALUE_MAX + 1];
    struct bough_repo__change is = {.kind = BOUGH_NODE_VALUE};
    struct bed bed;
    struct bough_branch *b = begin(&bed, 1000);
    struct bough_tree *t = head_tree(b);
    struct bough_repo__paths *p = &bed.repo->paths;
    int lost = 0;

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(path, sizeof path, "k%d", i);
        bough_repo__path_keep(t, V(path), &is, 0, V(text_of(i + 1, text)));
        bough_repo__path_keep(t, V(path), &is, 0, V(text_of(i, text)));
        assert_true(known(b, path, text));
    }
    assert_true(p->pages > 64);
    assert_int_equal(tagged(p), p->used);
    for (int i = 0; i < N; i += 2) {
        snprintf(path, sizeof path, "k%d", i);
        lost += !bough_repo__path_drop(t, V(path)); /* a page may be full before the others */
        assert_false(bough_repo__path_drop(t, V(path)));
    }
    assert_int_equal(tagged(p), p->used);
    for (int i = 0; i < N; i++) {
        bool is_known;

        snprintf(path, sizeof path, "k%d", i);
        is_known = known(b, path, text_of(i, text));
        assert_false(is_known && i % 2 == 0);
        assert_int_equal(bough_repo__path_drop(t, V(path)), is_known);
        lost += i % 2 == 1 && !is_known;
    }
    assert_in_range(lost, 0, N / 20);
    assert_int_equal(tagged(p), 0);
    assert_int_equal(p->used, 0);
    end(&bed, b);
}

/* Paths of three names, so that values and dictionaries take each other's place all the time. */
static void random_path(uint32_t *seed, char out[16])
{
    static const char names[] = "abc";
    size_t n = 0, depth;

    *seed = *seed * 1664525 + 1013904223;
    depth = 1 + (*seed >> 28) % 3;
    for (size_t i = 0; i < depth; i++) {
        if (i > 0)
            out[n++] = '/';
        *seed = *seed * 1664525 + 1013904223;
        out[n++] = names[(*seed >> 24) % 3];
    }
    out[n] = 0;
}

static void compare_all(struct bed *bed, struct bough_branch *b, struct bough_tree *plain)
{
    static const char names[] = "abc";

    for (int i = 0; i < 3 + 9 + 27; i++) {
        struct bough_node n, m;
        struct bough_buf x, y;
        char path[16];

        if (i < 3)
            snprintf(path, sizeof path, "%c", names[i]);
        else if (i < 12)
            snprintf(path, sizeof path, "%c/%c", names[(i - 3) / 3], names[(i - 3) % 3]);
        else
            snprintf(path, sizeof path, "%c/%c/%c", names[(i - 12) / 9], names[(i - 12) / 3 % 3],
                names[(i - 12) % 3]);
        bough_buf_init(&x, bough_repo_env(bed->repo)->mem);
        bough_buf_init(&y, bough_repo_env(bed->repo)->mem);
        assert_int_equal(bough_tree_get(head_tree(b), V(path), 0, UINT64_MAX, &n, &x), BOUGH_OK);
        assert_int_equal(bough_tree_get(plain, V(path), 0, UINT64_MAX, &m, &y), BOUGH_OK);
        assert_int_equal(n.kind, m.kind);
        assert_int_equal(x.len, y.len);
        assert_true(x.len == 0 || memcmp(x.ptr, y.ptr, x.len) == 0);
        bough_buf_fini(&x);
        bough_buf_fini(&y);
    }
}

static void test_paths__random_changes_are_seen_as_without_a_cache(void **state)
{
    uint32_t seed = 12345;
    struct bough_info info = bed_info(5);
    struct bed bed;
    struct bough_branch *b = begin(&bed, 0);
    struct bough_tree *plain;

    (void)state;
    assert_int_equal(bough_tree_open(bed.repo, NULL, &plain), BOUGH_OK);
    for (int i = 0; i < 1500; i++) {
        char path[16], to[16], text[16];
        struct bough_oid head, root;
        struct bough_tree *t = NULL;

        random_path(&seed, path);
        random_path(&seed, to);
        snprintf(text, sizeof text, "%d", i);
        if ((seed >> 20) % 4 == 0) {
            (void)bed_put(b, path, (seed >> 18 & 1) != 0 ? text : NULL, i);
        } else {
            if (bough_branch_head(b, &head) == BOUGH_OK && !bough_oid_is_zero(&head))
                assert_int_equal(bough_repo_root_of(bed.repo, &head, &root), BOUGH_OK);
            else
                root = *bough_oid_empty_tree(test_algo());
            assert_int_equal(bough_tree_open(bed.repo, &root, &t), BOUGH_OK);
            if ((seed >> 18 & 3) == 0)
                (void)bough_tree_move(t, V(path), V(to));
            else if ((seed >> 18 & 3) == 1)
                (void)bough_tree_remove(t, V(path));
            else
                set(t, path, text);
            set(t, to, text);
            assert_int_equal(bough_branch_commit(b, t, &info, NULL, NULL), BOUGH_OK);
            bough_tree_close(t);
        }
        bough_tree_close(plain);
        assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
        root = *bough_oid_empty_tree(test_algo());
        if (!bough_oid_is_zero(&head))
            assert_int_equal(bough_repo_root_of(bed.repo, &head, &root), BOUGH_OK);
        assert_int_equal(bough_tree_open(bed.repo, &root, &plain), BOUGH_OK);
        compare_all(&bed, b, plain);
    }
    bough_tree_close(plain);
    end(&bed, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths__a_written_value_is_known_at_once),
        cmocka_unit_test(test_paths__only_a_path_in_inner_form_is_at_hand),
        cmocka_unit_test(test_paths__a_known_value_has_its_id),
        cmocka_unit_test(test_paths__a_value_that_is_read_is_known),
        cmocka_unit_test(test_paths__a_commit_forgets_what_it_changes_and_no_more),
        cmocka_unit_test(test_paths__a_moved_ref_forgets_what_differs),
        cmocka_unit_test(test_paths__a_full_cache_keeps_the_newest_and_lies_never),
        cmocka_unit_test(test_paths__a_table_that_grows_loses_little_and_counts_its_lines),
        cmocka_unit_test(test_paths__random_changes_are_seen_as_without_a_cache),
    };

    return cmocka_run_group_tests_name("repo paths", tests, NULL, NULL);
}
