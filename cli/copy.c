/*
 * copy.c - import and export: between a folder of the host and a branch.
 *
 *   common    places' names, progress, the last word
 *   import    all of a folder in one commit, but for the .git at its top
 *   export    a key, of any revision
 */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- Common ---- */

/* The folder of `dir:PATH`; NULL: it is none. */
static const char *dir_of(const char *text)
{
    return strncmp(text, "dir:", 4) == 0 && text[4] != '\0' ? text + 4 : NULL;
}

/* A counter on a terminal. */
static void progress(void *ctx, struct bough_view key, uint64_t bytes)
{
    uint64_t *n = ctx;

    (void)key;
    (void)bytes;
    if (++*n % 256 == 0 && isatty(STDERR_FILENO))
        fprintf(stderr, "\rbough: %llu values", (unsigned long long)*n);
}

static int copied(enum bough_err err, const char *what, const struct bough_why *why, uint64_t n)
{
    if (n >= 256 && isatty(STDERR_FILENO))
        fputc('\r', stderr);
    if (err)
        return say_error(err, what, why);
    fprintf(stderr, "bough: %s: %llu values\n", what, (unsigned long long)n);
    return EXIT_YES;
}

/* ---- Import ---- */

struct import {
    struct bough_kv *src, *dst;
    struct bough_view to;
    struct bough_buf key; /* at the target */
    struct bough_why why;
    uint64_t n;
};

/* A work tree's own: nobody who imports one means it, and no key can name it. */
static bool is_git(const struct bough_kv_entry *e)
{
    if (!bough_view_eq(e->name, bough_view_str(".git")))
        return false;
    fprintf(stderr, "bough: import: skipped .git\n");
    return true;
}

/* One child of the folder and what is below it. */
static enum bough_err import_child(struct import *im, const struct bough_kv_entry *e)
{
    struct bough_buf from;
    enum bough_err err;

    bough_buf_clear(&im->key);
    bough_path_print(&im->key, im->to);
    bough_buf_put_u8(&im->key, '/');
    bough_buf_put_view(&im->key, e->name);
    bough_buf_init(&from, im->src->env->mem);
    bough_buf_put_view(&from, e->key);
    err = im->key.err ? im->key.err : from.err;
    if (!err)
        err = bough_kv_copy(
            im->src, bough_buf_view(&from), im->dst, bough_buf_view(&im->key), progress, &im->n);
    bough_buf_fini(&from);
    if (err)
        im->why = im->dst->why;
    return err;
}

static enum bough_err import_children(struct import *im)
{
    struct bough_kv_entry e;
    struct bough_buf after;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&after, im->src->env->mem);
    while (!err) {
        err = bough_kv_next(im->src, bough_view("", 0), bough_buf_view(&after), &e);
        if (err) {
            im->why = im->src->why;
            break;
        }
        bough_buf_clear(&after);
        bough_buf_put_view(&after, e.name);
        err = after.err ? after.err : is_git(&e) ? BOUGH_OK : import_child(im, &e);
        if (err == BOUGH_ENOENT)
            err = BOUGH_EIO; /* it vanished while it was read; not the end */
    }
    bough_buf_fini(&after);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* In one batch of the target. */
static enum bough_err import_run(struct import *im, struct bough_kv *kv)
{
    enum bough_err err = bough_kv_begin(kv, BOUGH_TEST_AND_SET, &im->dst);

    if (!err) {
        bough_buf_init(&im->key, kv->env->mem);
        err = import_children(im);
        bough_buf_fini(&im->key);
        if (err) {
            bough_kv_abort(im->dst);
            return err;
        }
        err = bough_kv_commit(im->dst);
    }
    im->why = kv->why;
    return err;
}

int verb_import(struct cli *cli, int argc, char **argv)
{
    const char *dir = argc == 2 || argc == 3 ? dir_of(argv[1]) : NULL;
    struct import im = {.n = 0};
    struct cli_place p;
    enum bough_err err;
    int code;

    if (dir == NULL)
        return say_usage("import", "takes dir:PATH and, at most, a key");
    err = bough_kv_dir_open(&cli->env, dir, false, &im.src);
    if (err)
        return say_error(err, dir, NULL);
    code = cli_open_kv(cli, 0);
    if (code == 0)
        code = cli_place(cli, argc == 3 ? argv[2] : "/", true, &p);
    if (code == 0) {
        im.to = p.path;
        err = import_run(&im, p.kv);
        code = copied(err, "import", &im.why, im.n);
        cli_place_close(&p);
    }
    bough_kv_close(im.src);
    return code;
}

/* ---- Export ---- */

static int export_run(struct cli *cli, const struct cli_place *p, const char *key, const char *dir)
{
    struct bough_kv *dst;
    enum bough_kind kind;
    uint64_t n = 0;
    enum bough_err err = bough_kv_exists(p->kv, p->path, &kind);
    int code;

    if (!err && kind == BOUGH_KIND_NONE)
        err = BOUGH_ENOENT;
    if (err)
        return say_error(err, key, &p->kv->why);
    if (kind == BOUGH_KIND_VALUE)
        return say_error(BOUGH_EDICT, key, NULL);
    err = bough_kv_dir_open(&cli->env, dir, true, &dst);
    if (err)
        return say_error(err, dir, NULL);
    err = bough_kv_dir_sync(dst, true);
    if (!err)
        err = bough_kv_copy(p->kv, p->path, dst, bough_view("", 0), progress, &n);
    if (!err)
        err = bough_kv_dir_sync(dst, false);
    code = copied(err, "export", &dst->why, n);
    bough_kv_close(dst);
    return code;
}

int verb_export(struct cli *cli, int argc, char **argv)
{
    const char *dir = argc == 3 ? dir_of(argv[2]) : NULL;
    struct cli_place p;
    int code;

    if (dir == NULL)
        return say_usage("export", "takes a key and dir:PATH");
    code = cli_open_kv(cli, OPEN_READ);
    if (code == 0)
        code = cli_place(cli, argv[1], false, &p);
    if (code != 0)
        return code;
    code = export_run(cli, &p, argv[1], dir);
    cli_place_close(&p);
    return code;
}
