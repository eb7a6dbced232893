/*
 * test_repo_durable.c - how many flushes writes cost, as the device sees it.
 *
 * Goal: with NOW every write flushes, a gather of many flushes once, with LATER none does until the
 * store is synced; and what was synced is there after the power is cut.  Method: a recording
 * device under the log engine counts flushes; a device that loses what waits stands under it.
 */
#include "block/block.h"
#include "store/log/log.h"
#include "tests/sim/cutblk.h"
#include "tests/sim/recblk.h"
#include "tests/unit/repo_bed.h"

enum { DEVICE = 4 << 20, UNIT = 512, WRITES = 12 };

struct world {
    struct test_env env;
    struct bough_ramblk ram;
    struct cutblk cut;
    struct recblk rec;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_branch *branch;
};

static uint8_t device[DEVICE];

static void world_open(struct world *w, enum bough_durable durable)
{
    struct bough_repo_opts opts = {.window = {.time_ms = 1000, .ops = 1000}, .durable = durable};

    assert_int_equal(bough_log_open(&w->rec.blk, &w->env.env, NULL, &w->store, NULL), BOUGH_OK);
    assert_int_equal(bough_repo_open(w->store, &opts, &w->repo), BOUGH_OK);
    assert_int_equal(bough_branch_open(w->repo, V("main"), &w->branch), BOUGH_OK);
}

static void world_close(struct world *w)
{
    bough_branch_close(w->branch);
    bough_repo_close(w->repo);
    bough_store_close(w->store);
}

static void world_begin(struct world *w, enum bough_durable durable)
{
    const struct bough_log_format_opts format = {.algo = test_algo()};

    memset(w, 0, sizeof *w);
    test_env_init(&w->env);
    bough_ramblk_init(&w->ram, device, DEVICE / UNIT, UNIT);
    assert_int_equal(bough_log_format(&w->ram.blk, &w->env.env, &format, NULL), BOUGH_OK);
    cutblk_init(&w->cut, &w->ram.blk, NULL, CUT_NEVER);
    recblk_init(&w->rec, &w->cut.blk);
    world_open(w, durable);
    recblk_clear(&w->rec);
}

static void world_end(struct world *w)
{
    world_close(w);
    recblk_fini(&w->rec);
    cutblk_fini(&w->cut);
    test_env_done(&w->env);
}

static void write_some(struct world *w, int n)
{
    char path[16];

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "k%d", i);
        assert_int_equal(bed_put(w->branch, path, "value", 100 + i), BOUGH_OK);
    }
}

/* The power fails now: how many of the writes are there when it is back? */
static int left_after_cut(struct world *w)
{
    struct bough_tree *t;
    int n = 0;

    cutblk_cut(&w->cut);
    world_close(w);
    recblk_fini(&w->rec);
    recblk_init(&w->rec, &w->ram.blk);
    world_open(w, BOUGH_DURABLE_NOW);
    assert_int_equal(bough_branch_tree(w->branch, &t), BOUGH_OK);
    for (int i = 0; i < WRITES; i++) {
        struct bough_node node;
        char path[16];

        snprintf(path, sizeof path, "k%d", i);
        assert_int_equal(bough_tree_find(t, V(path), &node, NULL), BOUGH_OK);
        n += node.kind == BOUGH_NODE_VALUE;
    }
    return n;
}

static void test_repo__now_flushes_each_write(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, BOUGH_DURABLE_NOW);
    write_some(&w, WRITES);
    assert_int_equal(recblk_count(&w.rec, 's'), WRITES);
    assert_int_equal(left_after_cut(&w), WRITES);
    world_end(&w);
}

static void test_repo__a_gather_flushes_once(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, BOUGH_DURABLE_NOW);
    assert_int_equal(bough_repo_gather_begin(w.repo), BOUGH_OK);
    write_some(&w, WRITES);
    assert_int_equal(recblk_count(&w.rec, 's'), 0);
    assert_int_equal(bough_repo_gather_end(w.repo), BOUGH_OK);
    assert_int_equal(recblk_count(&w.rec, 's'), 1);
    assert_int_equal(recblk_count(&w.rec, 'w'), 1); /* and is one write */
    assert_int_equal(left_after_cut(&w), WRITES);
    world_end(&w);
}

static void test_repo__later_flushes_when_synced(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, BOUGH_DURABLE_LATER);
    write_some(&w, WRITES / 2);
    assert_int_equal(recblk_count(&w.rec, 's'), 0);
    assert_int_equal(bough_store_sync(w.store), BOUGH_OK);
    assert_int_equal(recblk_count(&w.rec, 's'), 1);
    write_some(&w, WRITES); /* the first half holds the same values: no write */
    assert_int_equal(recblk_count(&w.rec, 's'), 1);
    assert_int_equal(left_after_cut(&w), WRITES / 2);
    world_end(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo__now_flushes_each_write),
        cmocka_unit_test(test_repo__a_gather_flushes_once),
        cmocka_unit_test(test_repo__later_flushes_when_synced),
    };

    return cmocka_run_group_tests_name("sim/repo_durable", tests, NULL, NULL);
}
