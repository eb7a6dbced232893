/*
 * test_repo_range.c - names in large trees that are not decoded.
 *
 * Goal: what is found and listed by range is what stands in the tree, whatever its names and ids
 * are, and a look costs a small part of the tree.  Method: trees in many shapes, also some made to
 * lead astray who begins in the middle; a repository whose cache is too small to decode them, and
 * one that decodes them all; the device's traffic is counted.
 */
#include <stdlib.h>

#include "repo/inner.h"
#include "tests/lib/log_bed.h"
#include "tests/unit/repo_bed.h"

enum { UNIT = 512, ZONE = 1024 * 1024, BYTES = 64 * 1024 * 1024, NAMES_MAX = 50000, NAME = 24 };

struct one {
    char *name;
    uint32_t mode;
    struct bough_oid id;
};

static struct {
    struct log_bed b;
    struct bough_repo *r;
    struct one one[NAMES_MAX];
    size_t n;
    uint64_t seed;
    struct bough_oid tree;
} f;

static uint64_t rnd(uint64_t n)
{
    return test_random(&f.seed) % n;
}

/* `cache` bytes: a few kilobytes, so that nothing large is decoded, or 0. */
static void open_all(size_t cache)
{
    struct bough_repo_opts repo = {.cache = cache};

    bough_repo_close(f.r);
    f.r = NULL;
    log_bed_reopen(&f.b);
    OK(bough_repo_open(f.b.s, &repo, &f.r));
}

static int setup(void **state)
{
    const struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    const struct bough_log_open_opts opts = {.cache = 256 * 1024};

    (void)state;
    memset(&f, 0, sizeof f);
    f.seed = 5;
    log_bed_begin(&f.b, BYTES, format, opts);
    open_all(4096);
    return 0;
}

static void names_free(void)
{
    for (size_t i = 0; i < f.n; i++)
        free(f.one[i].name);
    f.n = 0;
}

static int teardown(void **state)
{
    (void)state;
    bough_repo_close(f.r);
    log_bed_end(&f.b);
    names_free();
    return 0;
}

/* ---- Trees ---- */

static struct bough_oid any_id(void)
{
    struct bough_oid id = {{0}};

    for (size_t i = 0; i < bough_algo_len(test_algo()); i++)
        id.bytes[i] = (uint8_t)rnd(256);
    return id;
}

static void add(const char *name, uint32_t mode, const struct bough_oid *id)
{
    struct one *o = &f.one[f.n++];

    assert_true(f.n <= NAMES_MAX);
    o->name = strdup(name);
    assert_non_null(o->name);
    o->mode = mode;
    o->id = id != NULL ? *id : any_id();
}

static int by_tree(const void *a, const void *b)
{
    const struct one *x = a, *y = b;

    return bough_tree_name_cmp(V(x->name), x->mode == 040000, V(y->name), y->mode == 040000);
}

static int by_bytes(const void *a, const void *b)
{
    const struct one *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Of equal names the first stays. */
static void unique(void)
{
    size_t n = 0;

    qsort(f.one, f.n, sizeof *f.one, by_bytes);
    for (size_t i = 0; i < f.n; i++) {
        if (n > 0 && strcmp(f.one[n - 1].name, f.one[i].name) == 0)
            free(f.one[i].name);
        else
            f.one[n++] = f.one[i];
    }
    f.n = n;
}

/* Put the tree, and leave the names in byte order. */
static size_t put_tree(void)
{
    struct bough_buf body;
    struct bough_txn *txn;
    size_t len;

    unique();
    qsort(f.one, f.n, sizeof *f.one, by_tree);
    bough_buf_init(&body, f.b.t.env.mem);
    for (size_t i = 0; i < f.n; i++)
        bough_tree_entry_put(&body, test_algo(), f.one[i].mode, V(f.one[i].name), &f.one[i].id);
    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_txn_put(txn, BOUGH_TREE, bough_buf_view(&body), &f.tree));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    len = body.len;
    bough_buf_fini(&body);
    qsort(f.one, f.n, sizeof *f.one, by_bytes);
    return len;
}

/* ---- What stands there ---- */

static void expect_found(struct bough_tree *t, const struct one *o)
{
    struct bough_node n;

    OK(bough_tree_find(t, V(o->name), &n, NULL));
    assert_int_equal(n.kind, o->mode == 040000 ? BOUGH_NODE_DICT : BOUGH_NODE_VALUE);
    assert_int_equal(n.mode, o->mode);
    assert_true(bough_oid_eq(&n.id, &o->id));
}

static void expect_none(struct bough_tree *t, const char *name)
{
    struct one key = {.name = (char *)(uintptr_t)name};
    struct bough_node n;

    if (bsearch(&key, f.one, f.n, sizeof *f.one, by_bytes) != NULL)
        return;
    OK(bough_tree_find(t, V(name), &n, NULL));
    assert_int_equal(n.kind, BOUGH_NODE_NONE);
}

static void expect_names(size_t step)
{
    struct bough_tree *t;

    OK(bough_tree_open(f.r, &f.tree, &t));
    for (size_t i = 0; i < f.n; i += 1 + (size_t)rnd(step)) {
        const char *name = f.one[i].name;
        size_t len = strlen(name);
        char *other = malloc(len + 3);

        assert_non_null(other);
        expect_found(t, &f.one[i]);
        snprintf(other, len + 3, "%s-", name);
        expect_none(t, other);
        snprintf(other, len + 3, "%s", name);
        other[rnd(len)] = (char)('!' + (char)rnd(14)); /* no '/' */
        expect_none(t, other);
        other[len / 2] = 0;
        if (len > 1)
            expect_none(t, other);
        free(other);
    }
    expect_found(t, &f.one[0]);
    expect_found(t, &f.one[f.n - 1]);
    expect_none(t, "\1");
    expect_none(t, "\377\377");
    bough_tree_close(t);
}

/* `n` names in order from somewhere on. */
static void expect_list(size_t from, size_t n)
{
    struct bough_view name = from == 0 ? V("") : V(f.one[from - 1].name);
    struct bough_node node;
    struct bough_tree *t;

    OK(bough_tree_open(f.r, &f.tree, &t));
    for (size_t i = from; i < f.n && i < from + n; i++) {
        OK(bough_tree_next(t, V(""), name, &name, &node));
        assert_true(bough_view_eq(name, V(f.one[i].name)));
        assert_int_equal(node.mode, f.one[i].mode);
        assert_true(bough_oid_eq(&node.id, &f.one[i].id));
    }
    if (from + n >= f.n)
        assert_int_equal(bough_tree_next(t, V(""), name, &name, &node), BOUGH_ENOENT);
    bough_tree_close(t);
}

static uint64_t read_bytes(void)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f.b.s, &st));
    return st.read_bytes;
}

static bool is_decoded(void)
{
    return f.r->cache.count > 0;
}

static void expect_all(size_t step, size_t list)
{
    open_all(4096);
    expect_names(step);
    assert_false(is_decoded());
    for (size_t from = 0; from < f.n; from += 1 + f.n / 7)
        expect_list(from, list);
    expect_list(f.n, 1);
    assert_false(is_decoded());
    open_all(0);
    for (int i = 0; i < 3 && !is_decoded(); i++)
        expect_names(1 + step / 8);
    assert_true(is_decoded());
    expect_list(0, f.n);
}

/* ---- Shapes ---- */

static void test_range__plain_names(void **state)
{
    char name[NAME];

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "key-%08u", i * 3);
        add(name, 0100644, NULL);
    }
    put_tree();
    expect_all(20, 500);
}

/* Directories stand elsewhere than in byte order. */
static void test_range__names_that_begin_with_others(void **state)
{
    static const char *const tails[] = {"", "-", "-a", ".", ".d", "/", "0", "a", "!", "\"x", "--"};
    static const uint32_t modes[] = {0100644, 0100755, 0120000, 0160000, 040000, 040000};
    char name[NAME];

    (void)state;
    for (uint32_t i = 0; i < 6000; i++) {
        snprintf(name, sizeof name, "k%u%s%s", (unsigned)rnd(1500), tails[rnd(11)], tails[rnd(11)]);
        if (strchr(name, '/') == NULL)
            add(name, modes[rnd(6)], NULL);
    }
    put_tree();
    expect_all(2, 4000);
}

static void test_range__names_of_any_length(void **state)
{
    static char name[200001];

    (void)state;
    for (uint32_t i = 0; i < 1200; i++) {
        size_t len = i == 100 ? 200000 : i == 500 ? 70000 : i % 97 == 0 ? 5000 : 1 + rnd(90);

        for (size_t k = 0; k < len; k++)
            name[k] = "0123 67abc"[rnd(10)]; /* much like modes and spaces */
        name[len] = 0;
        add(name, rnd(2) == 0 ? 0100644 : 040000, NULL);
    }
    put_tree();
    expect_all(10, 100);
}

/* Ids in which entries stand: who begins in one finds the next in the next, all the way. */
static void test_range__ids_that_lead_astray(void **state)
{
    char name[NAME];
    struct bough_oid id = {{0}};

    (void)state;
    memset(id.bytes, 'b', bough_algo_len(test_algo()));
    memcpy(id.bytes, "7 aaaaaaaaaaaaa", 16); /* with its NUL */
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%08u", i * 5);
        add(name, 0160000, &id);
    }
    assert_true(
        put_tree() ==
        3000 * (16 + bough_algo_len(test_algo()))); /* as long as the entries that are none */
    expect_all(100, 20);
}

static void test_range__ids_of_zeros_and_digits(void **state)
{
    static const char *const ids[] = {"00000000000000000000", "100644 aaaaaaaaaaaaa",
        "40000 a\0"
        "40000 b\0"
        "4000",
        "a\0a\0a\0a\0a\0a\0a\0a\0a\0a", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"};
    const char *which;
    char name[NAME];
    struct bough_oid id = {{0}};

    (void)state;
    for (uint32_t i = 0; i < 9000; i++) {
        snprintf(name, sizeof name, "%0*u", 1 + (int)rnd(9), i);
        which = ids[rnd(5)];
        for (size_t k = 0; k < bough_algo_len(test_algo()); k++)
            id.bytes[k] = (uint8_t)which[k % 20];
        add(name, rnd(3) == 0 ? 040000 : 0160000, &id);
    }
    put_tree();
    expect_all(10, 300);
}

/* ---- Cost ---- */

static void test_range__a_first_look_costs_a_small_part(void **state)
{
    struct bough_node node;
    struct bough_tree *t;
    char name[NAME];
    uint64_t before;

    (void)state;
    for (uint32_t i = 0; i < NAMES_MAX; i++) {
        snprintf(name, sizeof name, "key-%08u", i);
        add(name, 0100644, NULL);
    }
    assert_true(put_tree() > 1 << 20); /* it lies in a segment of its own */
    open_all(0);
    OK(bough_tree_open(f.r, &f.tree, &t));
    before = read_bytes();
    OK(bough_tree_find(t, V("key-00012345"), &node, NULL));
    before = read_bytes() - before;
    bough_tree_close(t);
    assert_int_equal(node.kind, BOUGH_NODE_VALUE);
    assert_true(before <= 20 * 4096);
}

/* Whatever fails, the answer is true or there is none. */
static void test_range__without_memory(void **state)
{
    char name[NAME];
    struct bough_tree *t;
    uint64_t n = 0;

    (void)state;
    for (uint32_t i = 0; i < 9000; i++) {
        snprintf(name, sizeof name, "key-%08u", i);
        add(name, 0100644, NULL);
    }
    put_tree();
    for (bool failed = true; failed; n++) {
        struct bough_node node;
        struct bough_view next;
        enum bough_err err;

        open_all(4096);
        OK(bough_tree_open(f.r, &f.tree, &t));
        f.b.t.mem.fail_at = f.b.t.mem.calls + n;
        f.b.t.mem.failed = false;
        err = bough_tree_find(t, V("key-00004321"), &node, NULL);
        assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        if (err == BOUGH_OK)
            assert_int_equal(node.kind, BOUGH_NODE_VALUE);
        err = bough_tree_next(t, V(""), V("key-00004321"), &next, &node);
        assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        if (err == BOUGH_OK)
            assert_true(bough_view_eq(next, V("key-00004322")));
        failed = f.b.t.mem.failed;
        f.b.t.mem.fail_at = UINT64_MAX;
        bough_tree_close(t);
    }
    assert_true(n > 5);
}

/* ---- Folding ---- */

/* A folder with a history of deltas, read by range and by git's order; every version. */
static void test_range__versions_of_a_folder(void **state)
{
    enum { KEYS = 9000, ROUNDS = 40 };
    struct bough_branch *b;
    struct bough_oid roots[ROUNDS];
    char path[40], text[40];

    (void)state;
    OK(bough_branch_open(f.r, V("main"), &b));
    for (int round = 0; round < ROUNDS; round++) {
        struct bough_info info = bed_info(round);
        struct bough_oid commit;
        struct bough_tree *t;

        OK(bough_branch_head(b, &commit));
        info.message = V("m");
        if (round == 0)
            OK(bough_tree_open(f.r, NULL, &t));
        else
            OK(bough_tree_open(f.r, &roots[round - 1], &t));
        for (int i = 0; i < (round == 0 ? KEYS : 7); i++) {
            snprintf(
                path, sizeof path, "flat/%u", round == 0 ? (unsigned)i : (unsigned)rnd(2 * KEYS));
            snprintf(text, sizeof text, "%d in %d", i, round);
            OK(bough_tree_set(t, V(path), 0100644, NULL, V(text)));
        }
        OK(bough_branch_commit(b, t, &info, NULL, &commit));
        roots[round] = *bough_tree_root(t);
        bough_tree_close(t);
    }
    bough_branch_close(b);
    for (int round = 0; round < ROUNDS; round += 3) {
        struct bough_tree *small, *whole;
        struct bough_repo *r;
        struct bough_node x, y;

        open_all(4096);
        OK(bough_repo_open(f.b.s, NULL, &r));
        OK(bough_tree_open(f.r, &roots[round], &small));
        OK(bough_tree_open(r, &roots[round], &whole));
        for (int i = 0; i < 300; i++) {
            snprintf(path, sizeof path, "flat/%u", (unsigned)rnd(2 * KEYS));
            OK(bough_tree_find(small, V(path), &x, NULL));
            OK(bough_tree_find(whole, V(path), &y, NULL));
            assert_int_equal(x.kind, y.kind);
            assert_true(bough_oid_eq(&x.id, &y.id));
        }
        bough_tree_close(small);
        bough_tree_close(whole);
        bough_repo_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_range__plain_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__names_that_begin_with_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__names_of_any_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__ids_that_lead_astray, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__ids_of_zeros_and_digits, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_range__a_first_look_costs_a_small_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range__versions_of_a_folder, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo range", tests, NULL, NULL);
}
