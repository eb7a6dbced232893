/*
 * test_repo_chain.c - deltas of directories make the bytes that they stand for.
 *
 * Goal: whatever is put as a delta applies to its base and gives the body; chains stay short;
 * bodies are not stored whole more than agreed.  Method: a transaction whose put_delta applies
 * what it is given before it passes it on, and which remembers the depth of every object.
 */
#include "git/delta.h"
#include "repo/chain_inner.h"
#include "repo/inner.h"
#include "store/engine.h"
#include "tests/unit/repo_bed.h"

enum { OBJECTS_MAX = 20000 };

/* What went through the transaction. */
static struct {
    struct bed bed;
    struct bough_txn_class cls;
    const struct bough_txn_class *inner;
    struct bough_oid ids[OBJECTS_MAX];
    int depth[OBJECTS_MAX], n;
    int whole, deltas, deepest;
    uint64_t whole_bytes, delta_bytes;
} spy;

static int depth_of(const struct bough_oid *id)
{
    for (int i = spy.n; i-- > 0;) {
        if (bough_oid_eq(&spy.ids[i], id))
            return spy.depth[i];
    }
    return 0;
}

static void note(const struct bough_oid *id, int depth)
{
    assert_true(spy.n < OBJECTS_MAX);
    spy.ids[spy.n] = *id;
    spy.depth[spy.n++] = depth;
    if (depth > spy.deepest)
        spy.deepest = depth;
}

static enum bough_err spy_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    if (type == BOUGH_TREE) {
        spy.whole++;
        spy.whole_bytes += body.len;
        note(id, 0);
    }
    return spy.inner->put(t, type, id, body);
}

static enum bough_err spy_put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body)
{
    struct bough_oid is = bough_oid_of(test_algo(), type, body);
    struct bough_buf from;
    uint8_t *made = bough_mem_alloc(spy.bed.env.env.mem, body.len);

    assert_true(bough_oid_eq(&is, id));
    bough_buf_init(&from, spy.bed.env.env.mem);
    assert_int_equal(bough_store_read(spy.bed.store, base, NULL, &from), BOUGH_OK);
    assert_int_equal(bough_delta_apply(bough_buf_view(&from), delta, made, body.len), BOUGH_OK);
    assert_memory_equal(made, body.ptr, body.len);
    assert_true(delta.len <= body.len / 4);
    bough_mem_free(spy.bed.env.env.mem, made, body.len);
    bough_buf_fini(&from);
    spy.deltas++;
    spy.delta_bytes += delta.len;
    note(id, depth_of(base) + 1);
    return spy.inner->put(t, type, id, body);
}

static void begin(struct bough_txn **txn)
{
    assert_int_equal(bough_txn_begin(spy.bed.store, txn), BOUGH_OK);
    spy.inner = (*txn)->cls;
    spy.cls = *spy.inner;
    spy.cls.put = spy_put;
    spy.cls.put_delta = spy_put_delta;
    (*txn)->cls = &spy.cls;
}

static void commit(struct bough_txn *txn)
{
    txn->cls = spy.inner;
    assert_int_equal(bough_txn_commit(txn, BOUGH_DURABLE_NOW), BOUGH_OK);
}

static int setup(void **state)
{
    (void)state;
    memset(&spy, 0, sizeof spy);
    bed_open(&spy.bed, test_algo(), 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bed_close(&spy.bed);
    return 0;
}

static void edit(struct bough_tree *t, uint64_t *seed, int names)
{
    char path[32], text[32];

    snprintf(path, sizeof path, "d/%03d", (int)(test_random(seed) % (uint64_t)names));
    snprintf(text, sizeof text, "%llx", (unsigned long long)test_random(seed));
    if (test_random(seed) % 4 == 0)
        (void)bough_tree_remove(t, V(path));
    else
        assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
}

static void test_repo_chain__deltas_make_the_bodies(void **state)
{
    uint64_t seed = 7;
    struct bough_tree *t;
    struct bough_txn *txn;
    struct bough_oid root;

    (void)state;
    assert_int_equal(bough_tree_open(spy.bed.repo, NULL, &t), BOUGH_OK);
    for (int v = 0; v < 4200; v++) {
        begin(&txn);
        for (int i = 0; i < (v == 0 ? 400 : 1 + v % 3); i++)
            edit(t, &seed, 200);
        assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
        commit(txn);
    }
    bough_tree_close(t);
    assert_true(spy.deepest <= 12);
    /* The root is small and whole 4,200 times; the directory is a delta but now and then. */
    assert_true(spy.deltas > 3900 && spy.whole < 4200 + 300);
    assert_true(spy.delta_bytes < 4200 * 600);
}

static void test_repo_chain__an_aborted_version_is_no_base(void **state)
{
    uint64_t seed = 9;
    struct bough_tree *t;
    struct bough_txn *txn;
    struct bough_oid root;

    (void)state;
    assert_int_equal(bough_tree_open(spy.bed.repo, NULL, &t), BOUGH_OK);
    begin(&txn);
    for (int i = 0; i < 400; i++)
        edit(t, &seed, 200);
    assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
    txn->cls = spy.inner;
    bough_txn_abort(txn);
    bough_repo__chains_drop(spy.bed.repo); /* as every failed operation does */
    begin(&txn);
    edit(t, &seed, 200); /* the tree still knows its nodes: the cache has them */
    assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
    commit(txn);
    assert_int_equal(spy.deltas, 0);
    bough_tree_close(t);
}

/* Chains are bounded by what the cache may take: many directories still work. */
static void test_repo_chain__many_directories_take_bounded_memory(void **state)
{
    struct bough_repo_opts opts = {.cache = 2 << 20};
    struct bough_tree *t;
    struct bough_txn *txn;
    struct bough_oid root;
    char path[32], text[16];

    (void)state;
    bough_repo_close(spy.bed.repo);
    assert_int_equal(bough_repo_open(spy.bed.store, &opts, &spy.bed.repo), BOUGH_OK);
    assert_int_equal(bough_tree_open(spy.bed.repo, NULL, &t), BOUGH_OK);
    for (int v = 0; v < 4; v++) {
        begin(&txn);
        for (int i = 0; i < 60 * 300; i++) {
            if (v > 0 && i % 300 != v)
                continue;
            snprintf(path, sizeof path, "%d/%03d", i / 300, i % 300);
            snprintf(text, sizeof text, "%d", v);
            assert_int_equal(bough_tree_set(t, V(path), 0100644, NULL, V(text)), BOUGH_OK);
        }
        assert_int_equal(bough_tree_write(t, txn, &root), BOUGH_OK);
        commit(txn);
        assert_true(spy.bed.repo->chains.used <= spy.bed.repo->chains.limit);
        assert_true(spy.bed.repo->cache.used <= spy.bed.repo->cache.limit + 64 * 1024);
    }
    bough_tree_close(t);
    assert_true(spy.deltas > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repo_chain__deltas_make_the_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_chain__an_aborted_version_is_no_base, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_chain__many_directories_take_bounded_memory, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo/chain", tests, NULL, NULL);
}
