/*
 * upkeep.c - resize, stats: the store as a whole.
 *
 * Of a store that a daemon serves GIT.RESIZE and INFO do the same.
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
    struct bough_store_stats st;
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
    err = bough_store_stat(cli->engine, &st);
    if (!err && strcmp(st.engine, "log") != 0)
        return say_error(BOUGH_ENOTSUP, cli->store, NULL);
    err = err ? err : resize(cli, size);
    return err ? say_error(err, cli->store, &cli->engine->why) : EXIT_YES;
}

/* ---- Stats ---- */

/* A fact a line, `name<TAB>value`; with --json all of them in one object. */
struct facts {
    bool json;
    uint32_t n;
};

static void fact_name(struct facts *f, const char *name)
{
    if (f->json)
        printf("%s\"", f->n++ > 0 ? "," : "{");
    for (const char *p = name; *p != 0; p++)
        putchar(f->json && *p == '-' ? '_' : *p);
    fputs(f->json ? "\":" : "\t", stdout);
}

static void fact_text(struct facts *f, const char *name, const char *value)
{
    fact_name(f, name);
    printf(f->json ? "\"%s\"" : "%s\n", value);
}

static void fact(struct facts *f, const char *name, uint64_t value)
{
    fact_name(f, name);
    printf(f->json ? "%llu" : "%llu\n", (unsigned long long)value);
}

/* What a collection would find, without one. */
static enum bough_err print_live(struct cli *cli, struct facts *f, struct bough_store_stats *st)
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
    fact(f, "live-objects", p.live);
    fact(f, "live-bytes", p.live_bytes);
    fact(f, "garbage-objects", p.dead);
    fact(f, "garbage-bytes", p.dead_bytes);
    if (p.live_bytes > 0)
        fact(f, "space-amplification-percent", st->used_bytes * 100 / p.live_bytes);
    err = bough_store_stat(cli->engine, st); /* what that walk read, and how it found the cache */
    if (!err) {
        fact(f, "device-read-bytes", st->read_bytes);
        fact(f, "cache-bytes", st->cache_bytes);
        fact(f, "page-hits", st->page_hits);
        fact(f, "page-misses", st->page_misses);
    }
    return err;
}

enum { COUNT_MAX = 10000 }; /* commits that are looked for, that are not indexed */

static enum bough_err print_indexed(struct cli *cli, struct facts *f)
{
    struct bough_history_stats st;
    enum bough_err err = bough_history_stat(cli->repo, COUNT_MAX, &st);
    uint64_t all = st.indexed + st.waiting;

    if (err)
        return err == BOUGH_ENOTSUP ? BOUGH_OK : err;
    if (f->json) {
        fact(f, "history-indexed", st.indexed);
        fact(f, st.more ? "history-commits-at-least" : "history-commits", all);
    } else {
        printf("history-indexed\t%llu of %s%llu commits\n", (unsigned long long)st.indexed,
            st.more ? "more than " : "", (unsigned long long)all);
    }
    return BOUGH_OK;
}

static void print_store(
    struct facts *f, const struct bough_store *s, const struct bough_store_stats *st)
{
    fact_text(f, "engine", st->engine);
    fact_text(f, "object-format", bough_algo_name(s->algo));
    fact_text(f, "collects", s->caps & BOUGH_STORE_MAINTAIN ? "yes" : "no");
    fact(f, "objects", st->objects);
    fact(f, "refs", st->refs);
    fact(f, "records", st->records);
    fact(f, "device-bytes", st->device_bytes);
    fact(f, "used-bytes", st->used_bytes);
    fact(f, "bitmap-commits", st->reach_commits);
    fact(f, "bitmap-objects", st->reach_objects);
}

int verb_stats(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct facts facts = {.json = cli->json};
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
    code = cli_open(cli, live ? OPEN_WALK | OPEN_TRY : OPEN_READ);
    if (code != 0)
        return code;
    err = bough_store_stat(cli->engine, &st);
    if (err)
        return say_error(err, "stats", &cli->engine->why);
    print_store(&facts, cli->engine, &st);
    err = print_indexed(cli, &facts);
    if (!err && live)
        err = print_live(cli, &facts, &st);
    if (facts.json)
        puts("}");
    return err ? say_error(err, "stats", bough_repo_why(cli->repo)) : EXIT_YES;
}
