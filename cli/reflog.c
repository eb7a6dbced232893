/*
 * reflog.c - what a branch was before.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { SHORT = 10, SECONDS_A_DAY = 86400 };

static void print_short(struct cli *cli, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];

    (void)bough_oid_hex(cli->engine->algo, id, hex);
    printf("%.*s", SHORT, hex);
}

static int print_entries(struct cli *cli, const char *name, const char *full, long limit)
{
    struct bough_reflog *log;
    struct bough_reflog_entry e;
    bool any = limit == 0;
    enum bough_err err = bough_reflog_open(cli->repo, bough_view_str(full), &log);

    for (long i = 0; !err && (limit < 0 || i < limit); i++) {
        err = bough_reflog_next(log, &e);
        any = any || !err;
        if (err)
            break;
        print_short(cli, &e.now);
        printf(" %s@{%ld}: %s%.*s\n", name, i, e.commit ? "commit: " : "", (int)e.reason.len,
            (const char *)e.reason.ptr);
    }
    bough_reflog_close(log);
    if (err && (err != BOUGH_ENOENT || !any))
        return say_error(err, name, bough_repo_why(cli->repo));
    return EXIT_YES;
}

static int expire(struct cli *cli, const char *days)
{
    char *end;
    long n = strtol(days, &end, 10);
    uint64_t removed;
    enum bough_err err;

    if (days[0] == 0 || *end != 0 || n < 0)
        return say_usage("reflog", "--expire wants a number of days");
    err = bough_reflog_expire(
        cli->repo, bough_env_now(&cli->env).sec - (int64_t)n * SECONDS_A_DAY + 1, &removed);
    if (err)
        return say_error(err, "reflog", bough_repo_why(cli->repo));
    printf("%llu moves forgotten\n", (unsigned long long)removed);
    return EXIT_YES;
}

int verb_reflog(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    char full[BOUGH_REF_NAME_MAX + 1];
    const char *flag, *name = cli->branch, *days = NULL;
    struct bough_view head;
    long limit = -1;
    char *end;
    int code, n;

    while ((flag = flag_next(&f)) != NULL) {
        if (strcmp(flag, "-n") == 0 && flag_value(&f) != NULL) {
            limit = strtol(f.value, &end, 10);
            if (f.value[0] == 0 || *end != 0 || limit < 0)
                return say_usage("reflog", "-n wants a number");
        } else if (strcmp(flag, "--expire") == 0 && flag_value(&f) != NULL) {
            days = f.value;
        } else {
            return flag_unknown("reflog", flag);
        }
    }
    if (argc - f.at > (days == NULL))
        return say_usage("reflog", "takes one branch");
    if (f.at < argc)
        name = argv[f.at];
    code = cli_open(cli, days == NULL ? OPEN_READ : 0);
    if (code != 0)
        return code;
    if (days != NULL)
        return expire(cli, days);
    if (name == NULL && bough_repo_head_branch(cli->repo, &head) == BOUGH_OK)
        n = snprintf(full, sizeof full, "refs/heads/%.*s", (int)head.len, (const char *)head.ptr);
    else
        n = snprintf(full, sizeof full, "%s%s",
            name != NULL && strncmp(name, "refs/", 5) == 0 ? "" : "refs/heads/",
            name != NULL ? name : "");
    if (n < 0 || (size_t)n >= sizeof full)
        return say_usage("reflog", "the name is too long");
    return print_entries(cli, name != NULL ? name : full + strlen("refs/heads/"), full, limit);
}
