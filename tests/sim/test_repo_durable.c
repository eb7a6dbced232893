/*
 * test_repo_durable.c - how many flushes writes cost, as the device sees it.
 *
 * Goal: with NOW every write flushes, a gather of many flushes once, with LATER none does until the
 * store is synced; and what was synced is there after the power is cut.  Method: a recording
 * device under the log engine counts flushes; a device that loses what waits stands under it.
 */
#include "tests/sim/recblk.h"
#include "tests/sim/repo_world.h"

enum { DEVICE = 4 << 20, WRITES = 12 };

struct world {
    struct repo_world r;
    struct recblk rec;
};

static uint8_t device[DEVICE];

static void world_open(struct world *w, enum bough_durable durable)
{
    struct bough_repo_opts opts = {.window = {.time_ms = 1000, .ops = 1000}, .durable = durable};

    assert_int_equal(repo_world_open(&w->r, &w->rec.blk, &opts), BOUGH_OK);
}

static void world_begin(struct world *w, enum bough_durable durable)
{
    repo_world_make(&w->r, device, sizeof device);
    cutblk_init(&w->r.cut, &w->r.ram.blk, NULL, CUT_NEVER);
    recblk_init(&w->rec, &w->r.cut.blk);
    world_open(w, durable);
    recblk_clear(&w->rec);
}

static void world_end(struct world *w)
{
    repo_world_close(&w->r);
    recblk_fini(&w->rec);
    cutblk_fini(&w->r.cut);
    test_env_done(&w->r.env);
}

static void write_some(struct world *w, int n)
{
    char path[16];

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "k%d", i);
        assert_int_equal(bed_put(w->r.branch, path, "value", 100 + i), BOUGH_OK);
    }
}

/* The power fails now: how many of the writes are there when it is back? */
static int left_after_cut(struct world *w)
{
    struct bough_tree *t;
    int n = 0;

    cutblk_cut(&w->r.cut);
    repo_world_close(&w->r);
    recblk_fini(&w->rec);
    recblk_init(&w->rec, &w->r.ram.blk);
    world_open(w, BOUGH_DURABLE_NOW);
    assert_int_equal(bough_branch_tree(w->r.branch, &t), BOUGH_OK);
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
    assert_int_equal(bough_repo_gather_begin(w.r.repo), BOUGH_OK);
    write_some(&w, WRITES);
    assert_int_equal(recblk_count(&w.rec, 's'), 0);
    assert_int_equal(bough_repo_gather_end(w.r.repo), BOUGH_OK);
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
    assert_int_equal(bough_store_sync(w.r.store), BOUGH_OK);
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
