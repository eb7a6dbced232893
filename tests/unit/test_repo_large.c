/*
 * test_repo_large.c - large folders that change a little, again and again.
 *
 * Goal: the ids of their trees are those of their bytes, also after writes that failed; a process
 * that changes one key does not write all of the folder.  Method: a folder of a megabyte on the log
 * engine; every version is read back and hashed; transactions that refuse trees; repositories that
 * are opened anew for each commit, and the bytes that come in.
 */
#include <stdlib.h>

#include "repo/chain_inner.h"
#include "repo/inner.h"
#include "repo/tree_inner.h"
#include "store/engine.h"
#include "tests/lib/log_bed.h"
#include "tests/unit/repo_bed.h"

enum { UNIT = 512, ZONE = 1024 * 1024, BYTES = 128 * 1024 * 1024, KEYS = 30000 };

static struct {
    struct log_bed b;
    struct bough_repo *r;
    struct bough_tree *tree;
    uint64_t seed;
    const struct bough_txn_class *inner;
} f;

static uint32_t rnd(uint32_t n)
{
    return (uint32_t)(test_random(&f.seed) % n);
}

static void open_all(void)
{
    bough_repo_close(f.r);
    f.r = NULL;
    log_bed_reopen(&f.b);
    OK(bough_repo_open(f.b.s, NULL, &f.r));
}

static void set(uint32_t i, uint32_t version)
{
    char path[32], text[32];

    snprintf(path, sizeof path, "key-%06u", (unsigned)i);
    snprintf(text, sizeof text, "%u", (unsigned)version);
    OK(bough_tree_set(f.tree, V(path), version % 7 == 0 ? 0100755 : 0100644, NULL, V(text)));
}

/* The tree as it is stored has the bytes that its id says. */
static struct bough_oid write_tree(void)
{
    struct bough_oid root, is;
    struct bough_buf body;
    struct bough_txn *txn;

    OK(bough_txn_begin(f.b.s, &txn));
    OK(bough_tree_write(f.tree, txn, &root));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    bough_buf_init(&body, f.b.t.env.mem);
    OK(bough_store_read(f.b.s, &root, NULL, &body));
    is = bough_oid_of(test_algo(), BOUGH_TREE, bough_buf_view(&body));
    assert_true(bough_oid_eq(&is, &root));
    bough_buf_fini(&body);
    return root;
}

static int setup(void **state)
{
    const struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    const struct bough_log_open_opts opts = {0};

    (void)state;
    memset(&f, 0, sizeof f);
    f.seed = 3;
    log_bed_begin(&f.b, BYTES, format, opts);
    open_all();
    OK(bough_tree_open(f.r, NULL, &f.tree));
    for (uint32_t i = 0; i < KEYS; i++)
        set(i * 2, i);
    (void)write_tree();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bough_tree_close(f.tree);
    bough_repo_close(f.r);
    log_bed_end(&f.b);
    return 0;
}

static enum bough_err no_put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body)
{
    return type == BOUGH_TREE ? BOUGH_ENOSPC : f.inner->put(t, type, id, body);
}

static enum bough_err no_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body)
{
    (void)t, (void)type, (void)id, (void)base, (void)delta, (void)body;
    return BOUGH_ENOSPC;
}

static void write_refused(void)
{
    struct bough_txn_class cls;
    struct bough_oid root;
    struct bough_txn *txn;

    OK(bough_txn_begin(f.b.s, &txn));
    f.inner = txn->cls;
    cls = *txn->cls;
    cls.put = no_put;
    cls.put_delta = no_delta;
    txn->cls = &cls;
    assert_int_equal(bough_tree_write(f.tree, txn, &root), BOUGH_ENOSPC);
    txn->cls = f.inner;
    bough_txn_abort(txn);
    bough_repo__chains_drop(f.r);
}

static void test_large__ids_are_those_of_the_bytes(void **state)
{
    struct bough_oid root = *bough_tree_root(f.tree);

    (void)state;
    for (uint32_t round = 1; round <= 120; round++) {
        uint32_t n = round % 10 == 0 ? 20 : 1 + rnd(3);

        for (uint32_t i = 0; i < n; i++)
            set(rnd(KEYS) * 2 + (rnd(12) == 0), KEYS + round * 100 + i); /* seldom a new one */
        if (rnd(5) == 0) {
            write_refused();
            if (rnd(2) == 0)
                bough_repo__tree_reset(f.tree, &root); /* other changes then */
            set(rnd(KEYS) * 2, round);
        }
        root = write_tree();
    }
}

static uint64_t payload(void)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f.b.s, &st));
    return st.payload_bytes;
}

static void test_large__one_change_by_one_process_is_small(void **state)
{
    enum { PROCESSES = 60 };
    struct bough_oid root = *bough_tree_root(f.tree);
    uint64_t bytes = 0, most = 0;

    (void)state;
    for (uint32_t i = 0; i < PROCESSES; i++) {
        bough_tree_close(f.tree);
        open_all();
        OK(bough_tree_open(f.r, &root, &f.tree));
        set(rnd(KEYS) * 2, 1000000 + i);
        root = write_tree();
        bytes += payload();
        most = payload() > most ? payload() : most;
    }
    assert_true(most > (uint64_t)KEYS * 38);      /* now and then all of it: chains stay short */
    assert_true(bytes < (uint64_t)KEYS * 60 * 4); /* every 24 times */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_large__ids_are_those_of_the_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_large__one_change_by_one_process_is_small, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo large", tests, NULL, NULL);
}
