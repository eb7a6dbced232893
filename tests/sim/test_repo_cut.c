/*
 * test_repo_cut.c - a branch written through the journal, and a power cut.
 *
 * Goal: after a cut anywhere the branch holds every acknowledged write and perhaps the one
 * that was under way, whole; it takes new writes, and what it folds is clean.  Method: a
 * seeded run of writes with windows, batches and heads asked for, over the log engine on a
 * device that loses, keeps and tears what no flush made durable; the model is the value of
 * each path after each write.
 */
#include "block/block.h"
#include "store/log/log.h"
#include "tests/sim/cutblk.h"
#include "tests/unit/repo_bed.h"

enum { DEVICE = 2 << 20, UNIT = 512, PATHS = 6, WRITES = 25 };

static const char *const paths[PATHS] = {"a/x", "a/y", "b", "c/d/e", "c/f", "g"};

struct world {
    struct test_env env;
    struct bough_ramblk ram;
    struct cutblk cut;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_branch *branch;
    int have[PATHS]; /* value acknowledged; 0: none */
    int next[PATHS]; /* after the write under way */
};

static uint8_t device[DEVICE];

static enum bough_err world_open(struct world *w, struct bough_block *dev, uint32_t window)
{
    struct bough_repo_opts opts = {.window = {.time_ms = window, .ops = 4}};
    enum bough_err err = bough_log_open(dev, &w->env.env, NULL, &w->store, NULL);

    if (err)
        w->store = NULL;
    if (err == BOUGH_OK)
        err = bough_repo_open(w->store, &opts, &w->repo);
    if (err == BOUGH_OK)
        err = bough_branch_open(w->repo, V("main"), &w->branch);
    return err;
}

static void world_close(struct world *w)
{
    bough_branch_close(w->branch);
    bough_repo_close(w->repo);
    bough_store_close(w->store);
    w->branch = NULL;
    w->repo = NULL;
    w->store = NULL;
}

static const char *text_of(int value)
{
    static char text[16];

    snprintf(text, sizeof text, "%d", value);
    return text;
}

/* One step: some writes, alone or gathered, or a reader of the head. */
static enum bough_err step(struct world *w, struct tape *t, int number)
{
    bool gather = draw(t, 3) == 0;
    uint32_t n = gather ? 1 + draw(t, 3) : 1;
    struct bough_oid id;
    enum bough_err err = BOUGH_OK;

    if (draw(t, 6) == 0)
        return bough_branch_head(w->branch, &id);
    if (gather)
        err = bough_repo_gather_begin(w->repo);
    for (uint32_t i = 0; i < n && err == BOUGH_OK; i++) {
        uint32_t p = draw(t, PATHS);
        bool remove = w->next[p] != 0 && draw(t, 3) == 0;

        w->next[p] = remove ? 0 : 1 + number * 4 + (int)i;
        err = bed_put(w->branch, paths[p], remove ? NULL : text_of(w->next[p]), 100 + number);
    }
    if (gather && bough_repo_gathering(w->repo)) {
        enum bough_err end = bough_repo_gather_end(w->repo);

        err = err ? err : end;
    }
    return err;
}

static bool holds(struct world *w, const int *values)
{
    struct bough_tree *t;

    assert_int_equal(bough_branch_tree(w->branch, &t), BOUGH_OK);
    for (int i = 0; i < PATHS; i++) {
        struct bough_oid want =
            bough_oid_of(test_algo(), BOUGH_BLOB, bough_view_str(text_of(values[i])));
        struct bough_node n;

        assert_int_equal(bough_tree_find(t, V(paths[i]), &n, NULL), BOUGH_OK);
        if ((n.kind != BOUGH_NODE_NONE) != (values[i] != 0))
            return false;
        if (values[i] != 0 && !bough_oid_eq(&n.id, &want))
            return false;
    }
    return true;
}

static void run(struct tape *t)
{
    static struct world w;
    const struct bough_log_format_opts format = {.algo = test_algo()};
    uint32_t window = draw(t, 3) == 0 ? 0 : 50;
    struct bough_oid id;
    enum bough_err err;

    memset(&w, 0, sizeof w);
    test_env_init(&w.env);
    memset(device, 0, sizeof device);
    bough_ramblk_init(&w.ram, device, DEVICE / UNIT, UNIT);
    assert_int_equal(bough_log_format(&w.ram.blk, &w.env.env, &format, NULL), BOUGH_OK);
    cutblk_init(&w.cut, &w.ram.blk, t, draw(t, 60));
    err = world_open(&w, &w.cut.blk, window);
    for (int i = 0; i < WRITES && err == BOUGH_OK; i++) {
        memcpy(w.next, w.have, sizeof w.have);
        err = step(&w, t, i);
        if (err == BOUGH_OK)
            memcpy(w.have, w.next, sizeof w.have);
    }
    world_close(&w);
    if (!w.cut.dead)
        cutblk_cut(&w.cut);
    cutblk_fini(&w.cut);
    assert_int_equal(world_open(&w, &w.ram.blk, draw(t, 2) == 0 ? 0 : 50), BOUGH_OK);
    assert_true(holds(&w, w.have) || (err && holds(&w, w.next)));
    if (!holds(&w, w.have))
        memcpy(w.have, w.next, sizeof w.have);
    w.have[0] = 999;
    assert_int_equal(bed_put(w.branch, paths[0], "999", 1000), BOUGH_OK);
    assert_int_equal(bough_branch_head(w.branch, &id), BOUGH_OK);
    assert_true(holds(&w, w.have));
    assert_int_equal(bough_store_check(w.store, NULL, NULL), BOUGH_OK);
    world_close(&w);
    test_env_done(&w.env);
}

static void test_repo_cut__every_acknowledged_write_survives(void **state)
{
    static struct tape t;

    (void)state;
    tape_seeded(&t, 1, 150);
    while (tape_next(&t))
        run(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_cut__every_acknowledged_write_survives),
    };

    return cmocka_run_group_tests_name("repo/cut", tests, NULL, NULL);
}
