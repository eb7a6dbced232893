/*
 * upkeep.c - resize, stats: the store as a whole.
 */
#include <string.h>

#include "cli/cli.h"
#include "store/collect.h"
#include "store/log/log.h"

enum { RESIZE_STEP = 64 * 1024 * 1024, RESIZE_TRIES = 1000000 };

static enum bough_err resize(struct cli *cli, uint64_t size)
{
    enum bough_err err = BOUGH_EAGAIN;

    for (int i = 0; i < RESIZE_TRIES && err == BOUGH_EAGAIN; i++) {
        bool more;

        err = bough_store_resize(cli->engine, size, RESIZE_STEP);
        if (err == BOUGH_EAGAIN) {
            err = bough_store_maintain(cli->engine, RESIZE_STEP, &more);
            err = err ? err : BOUGH_EAGAIN;
        }
    }
    return err;
}

int verb_resize(struct cli *cli, int argc, char **argv)
{
    uint64_t size = 0;
    enum bough_err err;
    int code;

    if (argc < 2 || argc > 3)
        return say_usage("resize", "wants the new size");
    if (!bough_size_parse(bough_view_str(argv[argc - 1]), &size))
        return say_usage("resize", "SIZE is a number, with K, M, G or T");
    (void)cli_address(cli, argc == 3 ? argv[1] : NULL);
    code = cli_open(cli, 0);
    if (code != 0)
        return code;
    if (strcmp(cli->engine->cls->name, "log") != 0)
        return say_error(BOUGH_ENOTSUP, cli->store, NULL);
    err = resize(cli, size);
    return err ? say_error(err, cli->store, &cli->engine->why) : EXIT_YES;
}

/* What a collection would find, without one. */
static enum bough_err print_live(struct cli *cli)
{
    const struct bough_collect_opts opts = {.dry_run = true};
    struct bough_collect_progress p;
    bool more = true;
    enum bough_err err = bough_repo_collect(cli->repo, &opts, UINT64_MAX);

    while (!err && more)
        err = bough_repo_maintain(cli->repo, 16 << 20, &more);
    if (err)
        return err;
    bough_store_collection(cli->engine, &p);
    printf("live-objects\t%llu\nlive-bytes\t%llu\ngarbage-objects\t%llu\ngarbage-bytes\t%llu\n",
        (unsigned long long)p.live, (unsigned long long)p.live_bytes, (unsigned long long)p.dead,
        (unsigned long long)p.dead_bytes);
    return BOUGH_OK;
}

enum { COUNT_MAX = 10000 }; /* commits that are looked for, that are not indexed */

static enum bough_err print_indexed(struct cli *cli)
{
    struct bough_history_stats st;
    enum bough_err err = bough_history_stat(cli->repo, COUNT_MAX, &st);

    if (!err)
        printf("history-indexed\t%llu of %s%llu commits\n", (unsigned long long)st.indexed,
            st.more ? "more than " : "", (unsigned long long)(st.indexed + st.waiting));
    return err == BOUGH_ENOTSUP ? BOUGH_OK : err;
}

int verb_stats(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct bough_store_stats st;
    const char *name;
    bool live = false;
    enum bough_err err;
    int code;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--live") != 0)
            return flag_unknown("stats", name);
        live = true;
    }
    if (f.at < argc)
        return say_usage("stats", "takes no words; the store is given with -s, before the verb");
    code = cli_open(cli, live ? OPEN_TRY : OPEN_READ);
    if (code != 0)
        return code;
    err = bough_store_stat(cli->engine, &st);
    if (err)
        return say_error(err, "stats", &cli->engine->why);
    printf("engine\t%s\nobject-format\t%s\n", cli->engine->cls->name,
        bough_algo_name(cli->engine->algo));
    printf("collects\t%s\n", cli->engine->caps & BOUGH_STORE_MAINTAIN ? "yes" : "no");
    printf("objects\t%llu\nrefs\t%llu\nrecords\t%llu\n", (unsigned long long)st.objects,
        (unsigned long long)st.refs, (unsigned long long)st.records);
    printf("device-bytes\t%llu\nused-bytes\t%llu\n", (unsigned long long)st.device_bytes,
        (unsigned long long)st.used_bytes);
    printf("bitmap-commits\t%llu\nbitmap-objects\t%llu\n", (unsigned long long)st.reach_commits,
        (unsigned long long)st.reach_objects);
    err = print_indexed(cli);
    if (!err && live)
        err = print_live(cli);
    return err ? say_error(err, "stats", bough_repo_why(cli->repo)) : EXIT_YES;
}
