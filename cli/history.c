/*
 * history.c - log and branch.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "git/object.h"

static void print_hex(struct cli *cli, const struct bough_oid *id, size_t most)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(cli->engine->algo, id, hex);

    fwrite(hex, 1, n < most ? n : most, stdout);
}

/* ---- log ---- */

struct log_opts {
    long limit;
    bool oneline;
    const char *key;
};

static void print_message(struct bough_view m)
{
    size_t at = 0;

    while (m.len > 0 && m.ptr[m.len - 1] == '\n')
        m.len--;
    while (at < m.len) {
        size_t end = at;
        while (end < m.len && m.ptr[end] != '\n')
            end++;
        printf("    %.*s\n", (int)(end - at), (const char *)m.ptr + at);
        at = end + 1;
    }
}

static void print_long(struct cli *cli, const struct bough_oid *id, const struct bough_commit *c)
{
    struct bough_ident who = {.name = {NULL, 0}};
    enum bough_err err = bough_ident_parse(c->author, &who);
    time_t local = (time_t)(who.time.sec + who.time.zone_min * 60);
    int zone = who.time.zone_min < 0 ? -who.time.zone_min : who.time.zone_min;
    struct tm tm;
    char date[40];

    (void)err; /* an odd line still gives what can be read of it */
    gmtime_r(&local, &tm);
    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
    printf("commit ");
    print_hex(cli, id, BOUGH_HEX_MAX);
    printf("\nAuthor: %.*s <%.*s>\nDate:   %s %c%02d%02d\n\n", (int)who.name.len,
        (const char *)who.name.ptr, (int)who.mail.len, (const char *)who.mail.ptr, date,
        who.time.zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
    print_message(c->message);
}

static void print_short(struct cli *cli, const struct bough_oid *id, const struct bough_commit *c)
{
    size_t end = 0;

    while (end < c->message.len && c->message.ptr[end] != '\n')
        end++;
    print_hex(cli, id, 10);
    printf(" %.*s\n", (int)end, (const char *)c->message.ptr);
}

static enum bough_err print_commits(
    struct cli *cli, struct bough_walk *walk, const struct log_opts *o)
{
    struct bough_buf raw;
    enum bough_err err = BOUGH_OK;

    bough_buf_init(&raw, cli->env.mem);
    for (long i = 0; !err && (o->limit < 0 || i < o->limit); i++) {
        struct bough_oid id;
        struct bough_commit c;

        err = bough_walk_next(walk, &id);
        bough_buf_clear(&raw);
        if (!err)
            err = bough_store_read(cli->engine, &id, NULL, &raw);
        if (!err)
            err = bough_commit_parse(cli->engine->algo, bough_buf_view(&raw), &c);
        if (err)
            break;
        if (o->oneline) {
            print_short(cli, &id, &c);
        } else {
            if (i > 0)
                putchar('\n');
            print_long(cli, &id, &c);
        }
    }
    bough_buf_fini(&raw);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static int log_parse(int argc, char **argv, struct log_opts *o)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    const char *name;
    char *end;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--oneline") == 0) {
            o->oneline = true;
        } else if (strcmp(name, "-n") == 0 && flag_value(&f) != NULL) {
            o->limit = strtol(f.value, &end, 10);
            if (f.value[0] == 0 || *end != 0 || o->limit < 0)
                return say_usage("log", "-n wants a number");
        } else {
            return flag_unknown("log", name);
        }
    }
    if (argc - f.at > 1)
        return say_usage("log", "takes one key");
    o->key = f.at < argc ? argv[f.at] : NULL;
    return 0;
}

int verb_log(struct cli *cli, int argc, char **argv)
{
    struct log_opts o = {.limit = -1};
    struct bough_walk_opts wo = {.tips_n = 1};
    struct bough_view rev = bough_view_str("HEAD"), key = {NULL, 0};
    struct bough_walk *walk;
    struct bough_oid tip;
    uint8_t *path;
    enum bough_err err;
    int code = log_parse(argc, argv, &o);

    if (code == 0)
        code = cli_open(cli, OPEN_READ);
    if (code != 0)
        return code;
    if (cli->branch != NULL)
        rev = bough_view_str(cli->branch);
    if (o.key != NULL) {
        const char *colon = o.key[0] == '@' && o.key[1] != '@' ? strchr(o.key, ':') : NULL;
        if (colon != NULL)
            rev = bough_view(o.key + 1, (size_t)(colon - o.key) - 1);
        key = bough_view_str(
            colon != NULL ? colon + 1 : o.key + (o.key[0] == '@' && o.key[1] == '@'));
    }
    err = bough_repo_resolve(cli->repo, rev, &tip);
    if (err)
        return say_error(err, "log", bough_repo_why(cli->repo));
    path = malloc(key.len + 1);
    if (path == NULL)
        return say_error(BOUGH_ENOMEM, "log", NULL);
    wo.tips = &tip;
    wo.path = bough_view(path, bough_path_normal(key, path));
    err = bough_walk_open(cli->repo, &wo, &walk);
    if (!err) {
        err = print_commits(cli, walk, &o);
        bough_walk_close(walk);
    }
    free(path);
    return err ? say_error(err, "log", bough_repo_why(cli->repo)) : EXIT_YES;
}

/* ---- branch ---- */

static const char heads[] = "refs/heads/";

static int list_branches(struct cli *cli)
{
    struct bough_view prefix = bough_view_str(heads), head;
    struct bough_buf after, current;
    struct bough_ref ref;
    enum bough_err err;

    bough_buf_init(&after, cli->env.mem);
    bough_buf_init(&current, cli->env.mem);
    if (bough_repo_head_branch(cli->repo, &head) == BOUGH_OK)
        bough_buf_put_view(&current, head);
    while (
        (err = bough_repo_ref_next(cli->repo, prefix, bough_buf_view(&after), &ref)) == BOUGH_OK) {
        struct bough_view name = bough_view(ref.name.ptr + prefix.len, ref.name.len - prefix.len);
        printf("%c %.*s\t", bough_view_eq(name, bough_buf_view(&current)) ? '*' : ' ',
            (int)name.len, (const char *)name.ptr);
        print_hex(cli, &ref.id, BOUGH_HEX_MAX);
        putchar('\n');
        bough_buf_clear(&after);
        bough_buf_put_view(&after, ref.name);
    }
    bough_buf_fini(&after);
    bough_buf_fini(&current);
    return err == BOUGH_ENOENT ? EXIT_YES : say_error(err, "branch", bough_repo_why(cli->repo));
}

static int update_branch(
    struct cli *cli, const char *name, const struct bough_oid *now, bool create)
{
    struct bough_ref_update u = {.check = create, .now = *now, .reason = bough_view_str("branch")};
    char full[BOUGH_REF_NAME_MAX + 1];
    int n = snprintf(full, sizeof full, "%s%s", heads, name);
    enum bough_err err;

    if (n < 0 || (size_t)n >= sizeof full)
        return say_usage("branch", "the name is too long");
    u.name = bough_view(full, (size_t)n);
    err = bough_repo_update(cli->repo, &u, 1, 0, NULL);
    if (err)
        return say_error(err, name, bough_repo_why(cli->repo));
    if (u.err == BOUGH_ETEST && create)
        fprintf(stderr, "bough: branch %s: already exists\n", name);
    else if (u.err)
        fprintf(
            stderr, "bough: branch %s: %s\n", name, u.why != NULL ? u.why : bough_err_name(u.err));
    return exit_of(u.err);
}

static int delete_branch(struct cli *cli, const char *name)
{
    struct bough_oid zero = {{0}};
    struct bough_ref ref;
    char full[BOUGH_REF_NAME_MAX + 1];
    int n = snprintf(full, sizeof full, "%s%s", heads, name);
    enum bough_err err;

    if (n < 0 || (size_t)n >= sizeof full)
        return say_usage("branch", "the name is too long");
    err = bough_repo_ref(cli->repo, bough_view(full, (size_t)n), &ref);
    if (err)
        return say_error(err, name, bough_repo_why(cli->repo));
    return update_branch(cli, name, &zero, false);
}

int verb_branch(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct bough_view from = bough_view_str(cli->branch != NULL ? cli->branch : "HEAD");
    struct bough_oid id;
    bool remove = false;
    const char *name;
    enum bough_err err;
    int code, words;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "-d") != 0)
            return flag_unknown("branch", name);
        remove = true;
    }
    words = argc - f.at;
    if (words > 2 || (remove && words != 1))
        return say_usage("branch", "wrong number of names");
    code = cli_open(cli, words == 0 ? OPEN_READ : 0);
    if (code != 0)
        return code;
    if (words == 0)
        return list_branches(cli);
    if (remove)
        return delete_branch(cli, argv[f.at]);
    if (words == 2)
        from = bough_view_str(argv[f.at + 1]);
    err = bough_repo_resolve(cli->repo, from, &id);
    if (err)
        return say_error(err, argv[f.at], bough_repo_why(cli->repo));
    return update_branch(cli, argv[f.at], &id, true);
}
