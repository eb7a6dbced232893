/*
 * test_repo_cut.c - a branch written through the journal, and a power cut.
 *
 * Goal: after a cut anywhere the branch holds every acknowledged write and perhaps the one
 * that was under way, whole; it takes new writes, and what it folds is clean.  Method: a
 * seeded run of writes with windows, batches and heads asked for, over the log engine on a
 * device that loses, keeps and tears what no flush made durable; the model is the value of
 * each path after each write.
 */
#include "tests/sim/repo_world.h"

enum { DEVICE = 2 << 20, PATHS = 6, WRITES = 25 };

static const char *const paths[PATHS] = {"a/x", "a/y", "b", "c/d/e", "c/f", "g"};

struct world {
    struct repo_world r;
    int have[PATHS]; /* value acknowledged; 0: none */
    int next[PATHS]; /* after the write under way */
};

static uint8_t device[DEVICE];

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
        return bough_branch_head(w->r.branch, &id);
    if (gather)
        err = bough_repo_gather_begin(w->r.repo);
    for (uint32_t i = 0; i < n && err == BOUGH_OK; i++) {
        uint32_t p = draw(t, PATHS);
        bool remove = w->next[p] != 0 && draw(t, 3) == 0;

        w->next[p] = remove ? 0 : 1 + number * 4 + (int)i;
        err = bed_put(w->r.branch, paths[p], remove ? NULL : text_of(w->next[p]), 100 + number);
    }
    if (gather && bough_repo_gathering(w->r.repo)) {
        enum bough_err end = bough_repo_gather_end(w->r.repo);

        err = err ? err : end;
    }
    return err;
}

static bool holds(struct world *w, const int *values)
{
    struct bough_tree *t;

    assert_int_equal(bough_branch_tree(w->r.branch, &t), BOUGH_OK);
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
    struct bough_repo_opts opts = {.window = {.time_ms = draw(t, 3) == 0 ? 0 : 50, .ops = 4}};
    struct bough_oid id;
    enum bough_err err;

    memset(&w, 0, sizeof w);
    repo_world_make(&w.r, device, sizeof device);
    cutblk_init(&w.r.cut, &w.r.ram.blk, t, draw(t, 60));
    err = repo_world_open(&w.r, &w.r.cut.blk, &opts);
    for (int i = 0; i < WRITES && err == BOUGH_OK; i++) {
        memcpy(w.next, w.have, sizeof w.have);
        err = step(&w, t, i);
        if (err == BOUGH_OK)
            memcpy(w.have, w.next, sizeof w.have);
    }
    repo_world_cut(&w.r);
    opts.window.time_ms = draw(t, 2) == 0 ? 0 : 50;
    assert_int_equal(repo_world_open(&w.r, &w.r.ram.blk, &opts), BOUGH_OK);
    assert_true(holds(&w, w.have) || (err && holds(&w, w.next)));
    if (!holds(&w, w.have))
        memcpy(w.have, w.next, sizeof w.have);
    w.have[0] = 999;
    assert_int_equal(bed_put(w.r.branch, paths[0], "999", 1000), BOUGH_OK);
    assert_int_equal(bough_branch_head(w.r.branch, &id), BOUGH_OK);
    assert_true(holds(&w, w.have));
    assert_int_equal(bough_store_check(w.r.store, NULL, NULL), BOUGH_OK);
    repo_world_close(&w.r);
    test_env_done(&w.r.env);
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
