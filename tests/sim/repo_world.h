/*
 * repo_world.h - a branch of a repository over the log engine, on a device whose power can fail.
 *
 *     repo_world_make(&w, device, len);                          // formatted
 *     cutblk_init(&w.cut, &w.ram.blk, tape, calls);
 *     err = repo_world_open(&w, &w.cut.blk, &opts);              // and write into w.branch
 *     repo_world_cut(&w);                                        // closed; the power has failed
 *     err = repo_world_open(&w, &w.ram.blk, &opts);              // and look
 *     repo_world_close(&w);
 *     test_env_done(&w.env);
 */
#ifndef TEST_REPO_WORLD_H
#define TEST_REPO_WORLD_H

#include "block/block.h"
#include "store/log/log.h"
#include "tests/sim/cutblk.h"
#include "tests/unit/repo_bed.h"

enum { WORLD_UNIT = 512 };

struct repo_world {
    struct test_env env;
    struct bough_ramblk ram;
    struct cutblk cut;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_branch *branch; /* main */
};

static inline void repo_world_make(struct repo_world *w, uint8_t *device, size_t len)
{
    const struct bough_log_format_opts format = {.algo = test_algo()};

    memset(w, 0, sizeof *w);
    test_env_init(&w->env);
    memset(device, 0, len);
    bough_ramblk_init(&w->ram, device, len / WORLD_UNIT, WORLD_UNIT);
    assert_int_equal(bough_log_format(&w->ram.blk, &w->env.env, &format, NULL), BOUGH_OK);
}

/* Close it, also after an error. */
static inline enum bough_err repo_world_open(
    struct repo_world *w, struct bough_block *dev, const struct bough_repo_opts *opts)
{
    enum bough_err err = bough_log_open(dev, &w->env.env, NULL, &w->store, NULL);

    if (err)
        w->store = NULL;
    if (err == BOUGH_OK)
        err = bough_repo_open(w->store, opts, &w->repo);
    if (err == BOUGH_OK)
        err = bough_branch_open(w->repo, V("main"), &w->branch);
    return err;
}

static inline void repo_world_close(struct repo_world *w)
{
    bough_branch_close(w->branch);
    bough_repo_close(w->repo);
    bough_store_close(w->store);
    w->branch = NULL;
    w->repo = NULL;
    w->store = NULL;
}

/* The power fails now, if it has not yet. */
static inline void repo_world_cut(struct repo_world *w)
{
    repo_world_close(w);
    if (!w->cut.dead)
        cutblk_cut(&w->cut);
    cutblk_fini(&w->cut);
}

#endif
