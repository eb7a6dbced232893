/*
 * test_repo_renew.c - a node that became the next version is what decoding that version gives.
 *
 * Goal: after every way of changing a directory its cached node has the bytes, the entries and
 * the table of names of the tree that was written; a write that fails leaves it as it was.
 * Method: random changes of values, modes and sub-directories with names that sort differently as
 * directories; each node found in the cache is compared with one decoded from its bytes.
 */
#include "repo/chain_inner.h"
#include "repo/inner.h"
#include "repo/node_inner.h"
#include "store/engine.h"
#include "tests/unit/repo_bed.h"

static struct bed bed;

static uint32_t rnd(uint32_t n)
{
    static uint32_t seed = 4711;

    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* Is the node of tree `id`, which is cached, right in every part? */
static void check_node(const struct bough_oid *id)
{
    struct bough_repo *r = bed.repo;
    struct bough_repo__node *n, fresh = {.id = *id};
    struct bough_oid is;

    assert_int_equal(bough_repo__node_get(r, id, &n), BOUGH_OK);
    is = bough_oid_of(r->algo, BOUGH_TREE, bough_buf_view(&n->raw));
    assert_true(bough_oid_eq(&is, id));
    bough_buf_init(&fresh.raw, r->mem);
    bough_buf_put_view(&fresh.raw, bough_buf_view(&n->raw));
    assert_int_equal(bough_repo__node_parse(r, &fresh), BOUGH_OK);
    assert_int_equal(fresh.n, n->n);
    assert_true(n->n == 0 || memcmp(fresh.ents, n->ents, n->n * sizeof *n->ents) == 0);
    assert_int_equal(fresh.order == NULL, n->order == NULL);
    for (uint32_t k = 0; k < 2; k++) { /* the second time by its table, if not the first */
        for (uint32_t i = 0; i < n->n; i++) {
            struct bough_view name = bough_repo__node_name(n, i);
            assert_int_equal(bough_repo__node_find(r, n, name), i);
        }
        assert_int_equal(bough_repo__node_find(r, n, V("nobody")), UINT32_MAX);
    }
    bough_repo__node_strip(r, &fresh, false);
    bough_repo__node_unpin(r, n);
}

static void one_name(char path[32])
{
    static const char *const tails[] = {"", "-x", ".x", "0"};

    snprintf(path, 32, "dir/%c%u%s", (int)('a' + rnd(3)), rnd(60), tails[rnd(4)]);
}

static void one_change(struct bough_tree *t, uint32_t kind, int round)
{
    char path[32], text[32];
    struct bough_node node;

    one_name(path);
    snprintf(text, sizeof text, "%d %u", round, rnd(1000));
    assert_int_equal(bough_tree_find(t, V(path), &node, NULL), BOUGH_OK);
    if (kind == 0) { /* only values that are there */
        if (node.kind == BOUGH_NODE_VALUE)
            assert_int_equal(
                bough_tree_set(t, V(path), rnd(5) == 0 ? 0100755 : 0100644, NULL, V(text)),
                BOUGH_OK);
    } else if (kind == 1) { /* only new ones */
        if (node.kind == BOUGH_NODE_NONE)
            assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
    } else if (rnd(3) == 0) {
        (void)bough_tree_remove(t, V(path));
    } else {
        if (rnd(4) == 0)
            strcat(path, "/below");
        assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
    }
}

static struct bough_oid write_tree(struct bough_tree *t)
{
    struct bough_oid root;
    struct bough_txn *txn;

    assert_int_equal(bough_txn_begin(bed.store, &txn), BOUGH_OK);
    assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
    return root;
}

static void test_renew__every_version_is_as_if_decoded(void **state)
{
    struct bough_tree *t;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    assert_int_equal(bough_tree_open(bed.repo, NULL, &t), BOUGH_OK);
    for (int round = 0; round < 800; round++) {
        uint32_t kind = round < 40 ? 1 : rnd(3), n = 1 + rnd(12);
        struct bough_node node;
        struct bough_oid root;

        for (uint32_t i = 0; i < n; i++)
            one_change(t, kind, round);
        root = write_tree(t);
        check_node(&root);
        assert_int_equal(bough_tree_find(t, V("dir"), &node, NULL), BOUGH_OK);
        if (node.kind == BOUGH_NODE_DICT)
            check_node(&node.id);
    }
    bough_tree_close(t);
    bed_close(&bed);
}

/* A transaction that puts no trees. */
static const struct bough_txn_class *inner;

static enum bough_err no_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    return type == BOUGH_TREE ? BOUGH_ENOSPC : inner->put(t, type, id, body);
}

static void test_renew__a_failed_write_leaves_the_node(void **state)
{
    struct bough_txn_class cls;
    struct bough_node node;
    struct bough_oid before, root;
    struct bough_txn *txn;
    struct bough_tree *t;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    assert_int_equal(bough_tree_open(bed.repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < 30; i++)
        one_change(t, 1, 1);
    (void)write_tree(t);
    assert_int_equal(bough_tree_find(t, V("dir"), &node, NULL), BOUGH_OK);
    before = node.id;
    for (int i = 0; i < 200; i++)
        one_change(t, 0, 2);
    assert_int_equal(bough_txn_begin(bed.store, &txn), BOUGH_OK);
    inner = txn->cls;
    cls = *inner;
    cls.put = no_put;
    cls.put_delta = NULL;
    txn->cls = &cls;
    assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_ENOSPC);
    txn->cls = inner;
    bough_txn_abort(txn);
    bough_repo__chains_drop(bed.repo);
    check_node(&before);
    root = write_tree(t);
    check_node(&root);
    assert_int_equal(bough_tree_find(t, V("dir"), &node, NULL), BOUGH_OK);
    assert_false(bough_oid_eq(&node.id, &before));
    check_node(&node.id);
    bough_tree_close(t);
    bed_close(&bed);
}

/* A tree that another one reads is not touched. */
static void test_renew__what_others_pin_stays(void **state)
{
    struct bough_repo__node *held;
    struct bough_node node;
    struct bough_oid old;
    struct bough_tree *t;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    assert_int_equal(bough_tree_open(bed.repo, NULL, &t), BOUGH_OK);
    for (int i = 0; i < 30; i++)
        one_change(t, 1, 1);
    (void)write_tree(t);
    assert_int_equal(bough_tree_find(t, V("dir"), &node, NULL), BOUGH_OK);
    old = node.id;
    assert_int_equal(bough_repo__node_get(bed.repo, &old, &held), BOUGH_OK);
    for (int i = 0; i < 100; i++)
        one_change(t, 0, 2);
    (void)write_tree(t);
    assert_true(bough_oid_eq(&held->id, &old));
    check_node(&old);
    bough_repo__node_unpin(bed.repo, held);
    bough_tree_close(t);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renew__every_version_is_as_if_decoded),
        cmocka_unit_test(test_renew__a_failed_write_leaves_the_node),
        cmocka_unit_test(test_renew__what_others_pin_stays),
    };

    return cmocka_run_group_tests_name("repo renew", tests, NULL, NULL);
}
