/*
 * upkeep.c - resize, stats: the store as a whole.
 */
#include <string.h>

#include "cli/cli.h"
#include "store/log/log.h"

enum { RESIZE_STEP = 64 * 1024 * 1024, RESIZE_TRIES = 1000000 };

static enum bough_err resize(struct cli *cli, uint64_t size)
{
    enum bough_err err = BOUGH_EAGAIN;

    for (int i = 0; i < RESIZE_TRIES && err == BOUGH_EAGAIN; i++) {
        bool more;

        err = bough_log_resize(cli->engine, size, RESIZE_STEP);
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
    if (!parse_size(argv[argc - 1], &size))
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

int verb_stats(struct cli *cli, int argc, char **argv)
{
    struct bough_store_stats st;
    enum bough_err err;
    int code;

    (void)argv;
    if (argc > 1)
        return say_usage("stats", "takes nothing");
    code = cli_open(cli, OPEN_READ);
    if (code != 0)
        return code;
    err = bough_store_stat(cli->engine, &st);
    if (err)
        return say_error(err, "stats", &cli->engine->why);
    printf("engine\t%s\nobject-format\t%s\n", cli->engine->cls->name,
        bough_algo_name(cli->engine->algo));
    printf("objects\t%llu\nrefs\t%llu\nrecords\t%llu\n", (unsigned long long)st.objects,
        (unsigned long long)st.refs, (unsigned long long)st.records);
    printf("device-bytes\t%llu\nused-bytes\t%llu\n", (unsigned long long)st.device_bytes,
        (unsigned long long)st.used_bytes);
    return EXIT_YES;
}
