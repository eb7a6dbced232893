/*
 * upkeep.c - stats: the store as a whole.
 */
#include "cli/cli.h"

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
