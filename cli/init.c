/*
 * init.c - an empty store, of any engine.
 *
 *   kinds    a file or device, a repository of git's own kind, an LMDB environment
 *   verb     flags
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "store/gitdir.h"
#include "store/lmdb.h"
#include "store/log/log.h"

static const uint64_t size_default = (uint64_t)4 << 30; /* sparse: at first a hundredth is taken */

enum { SIZE_LEAST = 512 * 1024 }; /* 16 zones of 32 KiB */

static int exists(const char *path)
{
    fprintf(stderr, "bough: %s: already exists; remove it first\n", path);
    return EXIT_NO;
}

/* ---- Kinds ---- */

static int init_folder(struct cli *cli, const struct init *in, const char *dir)
{
    bool git = address_rest(in->path, "git:") != NULL;
    enum bough_err err;

    if (in->size != 0)
        return say_usage("init", "this kind grows as it is filled");
    if (git && in->algo == BOUGH_SHA256)
        return say_usage("init", "git:DIR is sha1");
    err = git ? bough_gitdir_create(dir, &cli->why) : bough_lmdb_create(dir, in->algo, &cli->why);
    if (err == BOUGH_EEXIST)
        return exists(dir);
    return err ? say_error(err, in->path, &cli->why) : EXIT_YES;
}

/* A device is there before the store is: what it holds would be lost. */
static int device_refuse(struct cli *cli, const struct init *in)
{
    if (in->size != 0)
        return say_usage("init", "a device has the size that it has; --size is for files");
    if (in->force || !cli_device_used(cli))
        return 0;
    fprintf(stderr,
        "bough: %s: the device holds something already, which would be lost; to take it all the "
        "same: bough init --force %s\n",
        in->path, in->path);
    return EXIT_NO;
}

/* Format the file or device that cli->file is open on. */
static enum bough_err format(struct cli *cli, const struct init *in)
{
    struct bough_log_format_opts opts = {.algo = in->algo};
    enum bough_err err = BOUGH_OK;

    if (cli->dev->caps & BOUGH_BLOCK_RESIZE)
        err = bough_block_resize(
            cli->dev, (in->size != 0 ? in->size : size_default) / cli->dev->unit);
    if (err == BOUGH_ENOSPC)
        err = BOUGH_WHY(&cli->why, err, "the file cannot have that size here", NULL, 0);
    return err ? err : bough_log_format(cli->dev, &cli->env, &opts, &cli->why);
}

static int init_file(struct cli *cli, const struct init *in)
{
    struct device_place place;
    struct stat st;
    bool named = device_parse(in->path, &place), created = named && stat(place.path, &st) != 0;
    enum bough_err err;
    int code;

    if (named && !created && !place.part && !S_ISBLK(st.st_mode) && st.st_size > 0)
        return exists(in->path);
    err = cli_device_open(cli, in->path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_DIRECT);
    if (err == BOUGH_ENOENT && place.part) {
        fprintf(stderr, "bough: %s: what it is to be a part of is not there\n", in->path);
        return EXIT_NO;
    }
    if (err == BOUGH_ENOENT) {
        fprintf(stderr, "bough: %s: the folder that it is to be in is not there\n", in->path);
        return EXIT_NO;
    }
    if (err)
        return say_error(err, in->path, &cli->why);
    code = cli->dev->caps & BOUGH_BLOCK_RESIZE ? 0 : device_refuse(cli, in);
    err = code == 0 ? format(cli, in) : BOUGH_OK;
    bough_fileblk_close(&cli->file);
    if (code != 0)
        return code;
    if (err && created)
        unlink(place.path);
    if (err == BOUGH_ENOSPC && in->size != 0 && in->size < SIZE_LEAST) {
        fprintf(stderr, "bough: %s: too small: a store has 512K at least\n", in->path);
        return EXIT_NO;
    }
    return err ? say_error(err, in->path, &cli->why) : EXIT_YES;
}

int cli_init(struct cli *cli, const struct init *in)
{
    const char *dir = address_folder(in->path);

    return dir != NULL ? init_folder(cli, in, dir) : init_file(cli, in);
}

/* ---- Verb ---- */

static bool parse_format(const char *name, enum bough_algo *out)
{
    if (strcmp(name, "sha1") != 0 && strcmp(name, "sha256") != 0)
        return false;
    *out = strcmp(name, "sha1") == 0 ? BOUGH_SHA1 : BOUGH_SHA256;
    return true;
}

static int init_parse(struct cli *cli, int argc, char **argv, struct init *out)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    const char *name, *value = getenv("GIT_DEFAULT_HASH");

    if (value != NULL && !parse_format(value, &out->algo))
        return say_usage("init", "GIT_DEFAULT_HASH is sha1 or sha256");
    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--size") == 0) {
            if (flag_value(&f) == NULL || !bough_size_parse(bough_view_str(f.value), &out->size) ||
                out->size == 0)
                return say_usage("init", "--size is a number, with K, M, G or T");
        } else if (strcmp(name, "--object-format") == 0) {
            if (flag_value(&f) == NULL || !parse_format(f.value, &out->algo))
                return say_usage("init", "--object-format is sha1 or sha256; others are unknown");
        } else if (strcmp(name, "--force") == 0) {
            out->force = true;
        } else {
            return flag_unknown("init", name);
        }
    }
    if (argc - f.at > 1)
        return say_usage("init", "one store at a time");
    out->path = cli_address(cli, f.at < argc ? argv[f.at] : NULL);
    return 0;
}

int verb_init(struct cli *cli, int argc, char **argv)
{
    struct init in = {.algo = BOUGH_SHA1};
    int code = init_parse(cli, argc, argv, &in);
    const char *dir;

    if (code == 0)
        code = cli_init(cli, &in);
    if (code != 0)
        return code;
    dir = address_folder(in.path);
    fprintf(stderr, "bough: made an empty store in %s\n", dir != NULL ? dir : in.path);
    return EXIT_YES;
}
