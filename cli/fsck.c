/*
 * fsck.c - what is damaged, and which refs and paths need it.
 *
 * First the engine checks every structure and every object, then the repository is walked from
 * its refs: the first says what is damaged, the second whom it concerns.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "repo/fsck.h"

struct checking {
    struct cli *cli;
    struct bough_fsck *fsck;
    struct json json;
    enum bough_err err; /* of the telling */
    unsigned long findings;
};

/* What the engine finds; an object's key is its id. */
static void store_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    struct checking *c = ctx;
    struct bough_oid id;

    c->findings++;
    json_item(&c->json, "structure");
    json_field(&c->json, "error", bough_view_str(bough_err_name(err)));
    json_field(&c->json, "what", bough_view_str(what));
    json_field(&c->json, "where", key);
    json_item_end(&c->json);
    if (!c->json.on)
        printf("%s: %s: %.*s\n", bough_err_name(err), what, (int)key.len, (const char *)key.ptr);
    if (key.len == 2 * bough_algo_len(c->cli->engine->algo) && c->err == BOUGH_OK &&
        bough_oid_parse(c->cli->engine->algo, key, &id) == BOUGH_OK)
        c->err = bough_fsck_damaged(c->fsck, &id);
}

static void print_id(struct cli *cli, const char *before, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t len = bough_oid_hex(cli->engine->algo, id, hex);

    printf("%s%.*s", before, (int)len, hex);
}

static void json_id(struct checking *c, const char *name, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    json_field(&c->json, name, bough_view(hex, bough_oid_hex(c->cli->engine->algo, id, hex)));
}

static void repo_tell(struct checking *c, const struct bough_fsck_finding *f)
{
    static const char *const kinds[] = {"missing", "damaged", "ref", "lost"};

    json_item(&c->json, kinds[f->kind]);
    if (f->kind == BOUGH_FSCK_REF || f->kind == BOUGH_FSCK_PATH)
        json_field(&c->json, "ref", f->ref);
    json_id(c, "id", &f->id);
    if (f->kind != BOUGH_FSCK_REF && !bough_oid_is_zero(&f->commit))
        json_id(c, "commit", &f->commit);
    if (f->kind != BOUGH_FSCK_REF && f->path.ptr != NULL)
        json_field(&c->json, "path", f->path);
    json_item_end(&c->json);
}

static void repo_report(void *ctx, const struct bough_fsck_finding *f)
{
    static const char *const words[] = {"missing ", "damaged ", "ref ", "ref "};
    struct checking *c = ctx;

    c->findings++;
    if (c->json.on) {
        repo_tell(c, f);
        return;
    }
    fputs(words[f->kind], stdout);
    if (f->kind == BOUGH_FSCK_REF) {
        printf("%.*s: needs what is lost\n", (int)f->ref.len, (const char *)f->ref.ptr);
        return;
    }
    if (f->kind == BOUGH_FSCK_PATH)
        printf("%.*s: lost ", (int)f->ref.len, (const char *)f->ref.ptr);
    print_id(c->cli, "", &f->id);
    if (f->kind != BOUGH_FSCK_PATH && !bough_oid_is_zero(&f->commit))
        print_id(c->cli, " commit ", &f->commit);
    if (f->path.ptr != NULL)
        printf(" path %.*s", (int)f->path.len, (const char *)f->path.ptr);
    putchar('\n');
}

enum { STEP_BYTES = 4 << 20 };

/* The index of history is made anew; it is only a cache. */
static int index_rebuild(struct cli *cli)
{
    bool more = true;
    int code = cli_open(cli, OPEN_INDEX);
    enum bough_err err;

    if (code != 0)
        return code;
    err = bough_history_forget(cli->repo);
    while (!err && more)
        err = bough_repo_maintain(cli->repo, STEP_BYTES, &more);
    if (!err)
        err = bough_store_sync(cli->engine);
    return err ? say_error(err, "fsck", bough_repo_why(cli->repo)) : EXIT_YES;
}

static int check(struct checking *c)
{
    struct cli *cli = c->cli;
    enum bough_err err = bough_fsck_open(cli->repo, &c->fsck), walk;

    json_begin(&c->json);
    if (!err)
        err = bough_store_check(cli->engine, store_report, c);
    if (err == BOUGH_ECORRUPT)
        err = c->err;
    walk = err ? err : bough_fsck_run(c->fsck, repo_report, c);
    if (walk == BOUGH_OK || walk == BOUGH_ECORRUPT)
        err = bough_history_check(cli->repo, store_report, c);
    walk = walk == BOUGH_OK || walk == BOUGH_ECORRUPT ? err : walk;
    bough_fsck_close(c->fsck);
    json_sum(&c->json, "count", c->findings);
    json_end(&c->json);
    if (walk && walk != BOUGH_ECORRUPT)
        return say_error(walk, "fsck", &cli->engine->why);
    if (c->findings > 0) {
        fprintf(stderr, "bough: fsck: %lu findings\n", c->findings);
        return EXIT_CORRUPT;
    }
    return EXIT_YES;
}

int verb_fsck(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct checking c = {.cli = cli, .json = {.on = cli->json}};
    const char *name;
    bool rebuild = false;
    int code;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--rebuild-index") != 0)
            return flag_unknown("fsck", name);
        rebuild = true;
    }
    if (f.at < argc)
        return say_usage("fsck", "takes no words; the store is given with -s, before the verb");
    if (rebuild)
        return index_rebuild(cli);
    code = cli_open(cli, OPEN_WALK | OPEN_READ | OPEN_PAST);
    if (code != 0)
        return code;
    return check(&c);
}
