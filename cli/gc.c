/*
 * gc.c - gc and keep: what of a store stays.
 *
 *   ages       "now", "90s", "2w"
 *   progress   on a terminal
 *   gc         collect, until it is done; what came of it
 *   keep       policies: list, show, set, remove
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "store/collect.h"

enum { DAY = 86400, GRACE_DEFAULT = 14 * DAY, STEP_BYTES = 4 << 20 };

/* ---- Ages ---- */

/* Seconds: "now", "never", or a number with s, m, h, d or w behind it. */
static bool parse_age(const char *text, uint64_t *out)
{
    static const struct {
        char unit;
        uint64_t sec;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY}, {'w', 7 * DAY}};
    char *end;
    unsigned long long n;

    if (strcmp(text, "now") == 0 || strcmp(text, "never") == 0) {
        *out = text[1] == 'o' ? 0 : UINT64_MAX / 2;
        return true;
    }
    if (text[0] < '0' || text[0] > '9')
        return false;
    n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (end[0] == units[i].unit && end[1] == 0 && n < UINT32_MAX) {
            *out = n * units[i].sec;
            return true;
        }
    }
    return false;
}

/* ---- Progress ---- */

static void progress_show(struct cli *cli, struct bough_time *last)
{
    static const char *const words[] = {"", "looking for what lives", "counting what does not",
        "copying what lives", "dropping what does not"};
    struct bough_time now = bough_env_now(&cli->env);
    int64_t ms = (now.sec - last->sec) * 1000 + ((int64_t)now.nsec - (int64_t)last->nsec) / 1000000;
    struct bough_collect_progress p;

    if (!isatty(STDERR_FILENO) || (ms >= 0 && ms < 100))
        return;
    *last = now;
    bough_store_collection(cli->engine, &p);
    if (p.phase != BOUGH_COLLECT_IDLE)
        fprintf(stderr, "\r%s: %llu of %llu\033[K", words[p.phase], (unsigned long long)p.done,
            (unsigned long long)p.all);
}

static void progress_end(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

/* ---- gc ---- */

struct gc {
    struct bough_collect_opts opts;
    uint64_t reflog_sec;
    const char *keep; /* policy of all branches that have none of their own; NULL: as it is */
};

static int gc_parse(int argc, char **argv, struct gc *out)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct bough_keep policy;
    const char *name;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--dry-run") == 0 || strcmp(name, "-n") == 0) {
            out->opts.dry_run = true;
        } else if (strcmp(name, "--aggressive") == 0) {
            out->opts.whole = true;
        } else if (strcmp(name, "--prune") == 0) {
            if (flag_value(&f) == NULL || !parse_age(f.value, &out->opts.grace))
                return say_usage(
                    "gc", "--prune is now, never, or an age such as 90s, 12h, 14d, 2w");
            out->reflog_sec = out->opts.grace;
        } else if (strcmp(name, "--keep") == 0) {
            out->keep = flag_value(&f);
            if (out->keep == NULL || bough_keep_parse(bough_view_str(out->keep), &policy))
                return say_usage("gc", "--keep is all, a number of commits, or of days as in 30d");
        } else {
            return flag_unknown("gc", name);
        }
    }
    return f.at < argc
               ? say_usage("gc", "takes no words; the store is given with -s, before the verb")
               : 0;
}

static int gc_failed(struct cli *cli, enum bough_err err)
{
    progress_end();
    return say_error(err, "gc", bough_repo_why(cli->repo));
}

/* `was`: before all of it; some may have gone before the collection proper, under pressure. */
static void gc_say(struct cli *cli, const struct gc *g, const struct bough_store_stats *was)
{
    struct bough_collect_progress p;
    struct bough_store_stats st;
    enum bough_err err = bough_store_stat(cli->engine, &st);
    unsigned long long before = was->used_bytes, after = err ? before : st.used_bytes;

    bough_store_collection(cli->engine, &p);
    if (!err && !g->opts.dry_run && was->objects > st.objects + p.dead)
        p.dead = was->objects - st.objects;
    if (p.damaged > 0)
        fprintf(stderr, "bough: gc: %llu damaged segments were left as they are; see bough fsck\n",
            (unsigned long long)p.damaged);
    if (p.unread > 0)
        fprintf(stderr,
            "bough: gc: %llu commits or trees cannot be read; %llu objects are kept that they may "
            "need, see bough fsck\n",
            (unsigned long long)p.unread, (unsigned long long)p.held);
    if (cli->json)
        printf("{\"kept\":%llu,\"dropped\":%llu,\"dropped_bytes\":%llu,\"bytes_before\":%llu,"
               "\"bytes_after\":%llu,\"dry_run\":%s}\n",
            (unsigned long long)p.live, (unsigned long long)p.dead,
            (unsigned long long)p.dead_bytes, before, after, g->opts.dry_run ? "true" : "false");
    else if (g->opts.dry_run)
        printf("would keep %llu objects and drop %llu of %llu bytes; %llu bytes are used\n",
            (unsigned long long)p.live, (unsigned long long)p.dead,
            (unsigned long long)p.dead_bytes, after);
    else
        printf("kept %llu objects, dropped %llu; %llu bytes were used, %llu are now\n",
            (unsigned long long)p.live, (unsigned long long)p.dead, before, after);
}

int verb_gc(struct cli *cli, int argc, char **argv)
{
    struct gc g = {.opts = {.grace = GRACE_DEFAULT}, .reflog_sec = BOUGH_REFLOG_DAYS * DAY};
    struct bough_keep all = {.refs = bough_view_str("*")};
    struct bough_store_stats st = {0};
    struct bough_time last = {0};
    bool more = true, collects;
    enum bough_err err = BOUGH_OK;
    int code = gc_parse(argc, argv, &g);

    if (code == 0)
        code = cli_open(cli, OPEN_WALK | (g.opts.dry_run ? OPEN_TRY : 0u));
    if (code != 0)
        return code;
    if (g.keep != NULL) {
        err = bough_keep_parse(bough_view_str(g.keep), &all);
        if (!err)
            err = bough_repo_keep_set(cli->repo, &all);
    }
    if (!err)
        err = bough_store_stat(cli->engine, &st);
    if (!err)
        err = bough_repo_collect(cli->repo, &g.opts, g.reflog_sec);
    collects = err == BOUGH_OK;
    if (err == BOUGH_ENOTSUP) { /* then there is only the upkeep that is due */
        if (address_rest(cli->store, "git:") != NULL)
            fprintf(stderr, "bough: gc: nothing is dropped from a git:DIR here; use `git gc`\n");
        if (address_rest(cli->store, "lmdb:") != NULL)
            fprintf(stderr, "bough: gc: nothing is dropped from an lmdb:DIR; `bough convert` makes "
                            "a copy without what nothing reaches\n");
        err = BOUGH_OK;
        more = !g.opts.dry_run;
    }
    while (!err && more) {
        err = bough_repo_maintain(cli->repo, STEP_BYTES, &more);
        progress_show(cli, &last);
    }
    if (!err && !g.opts.dry_run)
        err = bough_store_sync(cli->engine);
    if (err)
        return gc_failed(cli, err);
    progress_end();
    if (collects)
        gc_say(cli, &g, &st);
    return EXIT_YES;
}

/* ---- keep ---- */

static const char heads[] = "refs/heads/";

/* As it is typed: branches without refs/heads/. */
static struct bough_view short_name(struct bough_view refs)
{
    size_t n = sizeof heads - 1;

    if (refs.len > n && memcmp(refs.ptr, heads, n) == 0)
        return bough_view(refs.ptr + n, refs.len - n);
    return refs;
}

static void keep_print(struct cli *cli, const struct bough_keep *k, bool named)
{
    struct bough_view name = short_name(k->refs);
    struct bough_buf text;

    bough_buf_init(&text, cli->env.mem);
    bough_keep_print(&text, k);
    if (named)
        printf("%.*s\t", (int)name.len, (const char *)name.ptr);
    printf("%.*s\n", (int)text.len, (const char *)text.ptr);
    bough_buf_fini(&text);
}

static enum bough_err keep_list(struct cli *cli)
{
    struct bough_keep k = {.refs = bough_view("", 0)};
    enum bough_err err;

    while ((err = bough_repo_keep_next(cli->repo, k.refs, &k)) == BOUGH_OK)
        keep_print(cli, &k, true);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* What counts for one branch or ref. */
static enum bough_err keep_show(struct cli *cli, const char *name)
{
    struct bough_keep k = {.commits = 0};
    char full[BOUGH_REF_NAME_MAX + sizeof heads];
    enum bough_err err;

    if (strlen(name) > BOUGH_REF_NAME_MAX)
        return BOUGH_ETOOBIG;
    snprintf(full, sizeof full, "%s%s", strncmp(name, "refs/", 5) == 0 ? "" : heads, name);
    err = bough_repo_keep_of(cli->repo, bough_view_str(full), &k);
    if (err && err != BOUGH_ENOENT)
        return err;
    keep_print(cli, &k, false);
    return BOUGH_OK;
}

int verb_keep(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct bough_keep k = {.commits = 0};
    const char *name;
    bool remove = false;
    enum bough_err err;
    int code, words;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "-d") != 0)
            return flag_unknown("keep", name);
        remove = true;
    }
    words = argc - f.at;
    if (words > 2 || (remove && words != 1))
        return say_usage("keep", "takes a branch or pattern, and a policy");
    if (words == 2 && bough_keep_parse(bough_view_str(argv[f.at + 1]), &k))
        return say_usage("keep", "a policy is all, N commits, Nd days, or N,Nd");
    code = cli_open(cli, remove || words == 2 ? 0 : OPEN_READ);
    if (code != 0)
        return code;
    k.refs = bough_view_str(words > 0 ? argv[f.at] : "");
    if (remove)
        err = bough_repo_keep_unset(cli->repo, k.refs);
    else if (words == 2)
        err = bough_repo_keep_set(cli->repo, &k);
    else
        err = words == 1 ? keep_show(cli, argv[f.at]) : keep_list(cli);
    return err ? say_error(err, words > 0 ? argv[f.at] : "keep", bough_repo_why(cli->repo))
               : EXIT_YES;
}
