/*
 * upkeep.c - init, stats: the store as a whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "store/gitdir.h"
#include "store/log/log.h"

static const uint64_t size_default = (uint64_t)4 << 30; /* sparse: costs nothing until it is used */

/* What `bough init` was asked for. */
struct init {
    uint64_t size;
    const char *path;
    struct bough_log_format_opts opts;
};

static int init_parse(struct cli *cli, int argc, char **argv, struct init *out)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    const char *name, *value;

    while ((name = flag_next(&f)) != NULL) {
        value = flag_value(&f);
        if (value == NULL)
            return say_usage("init", "a flag wants a value");
        if (strcmp(name, "--size") == 0) {
            if (!parse_size(value, &out->size) || out->size == 0)
                return say_usage("init", "--size is a number, with K, M, G or T");
        } else if (strcmp(name, "--object-format") == 0 && strcmp(value, "sha1") == 0) {
            out->opts.algo = BOUGH_SHA1;
        } else if (strcmp(name, "--object-format") == 0 && strcmp(value, "sha256") == 0) {
            out->opts.algo = BOUGH_SHA256;
        } else {
            return say_usage("init", "unknown flag or value");
        }
    }
    if (argc - f.at > 1)
        return say_usage("init", "one store at a time");
    out->path = cli_address(cli, f.at < argc ? argv[f.at] : NULL);
    return 0;
}

/* A new repository of git's own kind. */
static int init_gitdir(struct cli *cli, const struct init *in, const char *dir)
{
    enum bough_err err;

    if (in->size != 0 || in->opts.algo == BOUGH_SHA256)
        return say_usage("init", "git:DIR grows as it is filled, and is sha1");
    err = bough_gitdir_create(dir, &cli->why);
    if (err == BOUGH_EEXIST) {
        fprintf(stderr, "bough: %s: already exists; remove it first\n", dir);
        return EXIT_NO;
    }
    if (err)
        return say_error(err, in->path, &cli->why);
    fprintf(stderr, "bough: made an empty store in %s\n", dir);
    return EXIT_YES;
}

int verb_init(struct cli *cli, int argc, char **argv)
{
    struct init in = {.size = 0};
    int code = init_parse(cli, argc, argv, &in);
    const char *dir;
    enum bough_err err;
    struct stat st;
    bool created;

    if (code != 0)
        return code;
    dir = address_rest(in.path, "git:");
    if (dir != NULL)
        return init_gitdir(cli, &in, dir);
    created = stat(in.path, &st) != 0;
    if (!created && !S_ISBLK(st.st_mode) && st.st_size > 0) {
        fprintf(stderr, "bough: %s: already exists; remove it first\n", in.path);
        return EXIT_NO;
    }
    err = bough_fileblk_open(
        &cli->file, in.path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_DIRECT, 0, &cli->why);
    if (err)
        return say_error(err, in.path, &cli->why);
    cli->file_open = true;
    if (!cli->file.device)
        err = bough_block_resize(
            &cli->file.blk, (in.size != 0 ? in.size : size_default) / cli->file.blk.unit);
    if (!err)
        err = bough_log_format(&cli->file.blk, &cli->env, &in.opts, &cli->why);
    if (err) {
        if (created)
            unlink(in.path);
        return say_error(err, in.path, &cli->why);
    }
    fprintf(stderr, "bough: made an empty store in %s\n", in.path);
    return EXIT_YES;
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
