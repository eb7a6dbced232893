/*
 * serve.c - the daemon, and one Git client on stdio.
 *
 *   serve   ports and names into the server's options
 *   git     upload-pack and receive-pack: a session of sync/ between stdin and stdout
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "server/server.h"
#include "sync/sync.h"

/* ---- serve ---- */

enum { PUSH_TIMEOUT = 60, SECONDS_MAX = 86400, CACHE_MIN = 1 << 20, KEEPS_MAX = 64 };

static bool parse_port(const char *text, int *out)
{
    char *end;
    long port = strtol(text, &end, 10);

    *out = (int)port;
    return *text != 0 && *end == 0 && port >= 0 && port <= 65535;
}

static bool parse_seconds(const char *text, uint32_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *out = (uint32_t)n;
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && n <= SECONDS_MAX;
}

/* What --keep said, in the order it was said. */
struct keeps {
    struct bough_keep keep[KEEPS_MAX];
    size_t n;
};

/* "POLICY" for every branch, or "BRANCH=POLICY", with a pattern in place of BRANCH, too. */
static bool keep_parse(struct keeps *k, const char *text)
{
    const char *eq = strrchr(text, '=');
    struct bough_keep *to = &k->keep[k->n];

    if (k->n == KEEPS_MAX || eq == text ||
        bough_keep_parse(bough_view_str(eq != NULL ? eq + 1 : text), to) != BOUGH_OK)
        return false;
    to->refs = eq != NULL ? bough_view(text, (size_t)(eq - text)) : bough_view_str("*");
    k->n++;
    return true;
}

/* They stay in the store, where GIT.KEEP and `bough keep` tell them. */
static int keeps_set(struct cli *cli, const struct keeps *k)
{
    for (size_t i = 0; i < k->n; i++) {
        enum bough_err err = bough_repo_keep_set(cli->repo, &k->keep[i]);
        if (err)
            return say_error(err, "serve: --keep", bough_repo_why(cli->repo));
    }
    return 0;
}

static int serve_parse(
    struct cli *cli, int argc, char **argv, struct bough_server_opts *o, struct keeps *keeps)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    const char *name;

    while ((name = flag_next(&f)) != NULL) {
        int *port = strcmp(name, "--redis") == 0  ? &o->redis_port
                    : strcmp(name, "--git") == 0  ? &o->git_port
                    : strcmp(name, "--http") == 0 ? &o->http_port
                                                  : NULL;
        const char **text = strcmp(name, "--bind") == 0       ? &o->bind
                            : strcmp(name, "--pid-file") == 0 ? &o->pid_file
                            : strcmp(name, "--fsync") == 0    ? &o->fsync
                                                              : NULL;
        if (strcmp(name, "--read-only") == 0) {
            o->read_only = true;
        } else if (strcmp(name, "--keep") == 0) {
            if (flag_value(&f) == NULL || !keep_parse(keeps, f.value))
                return say_usage("serve",
                    "--keep is a policy for all branches, or BRANCH=POLICY; a "
                    "policy is all, N commits, Nd days, or N,Nd");
        } else if (strcmp(name, "--push-timeout") == 0) {
            if (flag_value(&f) == NULL || !parse_seconds(f.value, &o->push_timeout_sec))
                return say_usage("serve", "--push-timeout is a number of seconds; 0: for ever");
        } else if (strcmp(name, "--cache") == 0) {
            if (flag_value(&f) == NULL || !bough_size_parse(bough_view_str(f.value), &cli->cache) ||
                cli->cache < CACHE_MIN || cli->cache > SIZE_MAX / 2)
                return say_usage("serve", "a cache is 1M bytes at least");
        } else if (port != NULL) {
            if (flag_value(&f) == NULL || !parse_port(f.value, port))
                return say_usage("serve", "a port is 0 (off) to 65535");
        } else if (text != NULL) {
            *text = flag_value(&f);
            if (*text == NULL)
                return flag_unknown("serve", name);
        } else {
            return flag_unknown("serve", name);
        }
    }
    if (f.at < argc)
        return say_usage("serve", "unknown word; the store is given with -s");
    if (o->fsync != NULL && strcmp(o->fsync, "always") != 0 && strcmp(o->fsync, "everysec") != 0 &&
        strcmp(o->fsync, "no") != 0)
        return say_usage("serve", "--fsync is always, everysec or no");
    if (keeps->n > 0 && o->read_only)
        return say_usage("serve", "--keep is written into the store, which is --read-only");
    if (o->redis_port == 0 && o->git_port == 0 && o->http_port == 0)
        return say_usage("serve", "all ports are off: there is nothing to serve");
    if (o->bind != NULL && strcmp(o->bind, "localhost") == 0)
        o->bind = "127.0.0.1";
    if (o->bind != NULL && strcmp(o->bind, "::1") != 0 && strncmp(o->bind, "127.", 4) != 0) {
        fprintf(stderr,
            "bough: serve: %s is not a loopback address, and without users anybody "
            "there could write\n",
            o->bind);
        return EXIT_DENIED;
    }
    return 0;
}

static unsigned open_flags(const struct bough_server_opts *o)
{
    bool later = o->fsync != NULL && strcmp(o->fsync, "always") != 0;

    return OPEN_WINDOW | (o->read_only ? OPEN_READ : 0u) | (later ? OPEN_LATER : 0u);
}

/* The store's base name without its last suffix; of a .git, that of the folder around it. */
static void name_of(const char *store, char *dst, size_t cap)
{
    const char *folder = address_folder(store), *slash;
    char *real = folder != NULL ? realpath(folder, NULL) : NULL, *dot;
    size_t n = real != NULL ? strlen(real) : 0;

    if (n > 5 && strcmp(real + n - 5, "/.git") == 0)
        real[n - 5] = 0;
    if (real != NULL)
        store = real;
    slash = strrchr(store, '/');
    snprintf(dst, cap, "%s", slash != NULL ? slash + 1 : store);
    free(real);
    dot = strrchr(dst, '.');
    if (dot != NULL && dot != dst)
        *dot = 0;
}

int verb_serve(struct cli *cli, int argc, char **argv)
{
    struct bough_server_opts o = {.redis_port = 6380,
        .git_port = 9418,
        .http_port = 8080,
        .version = BOUGH_VERSION,
        .agent = "bough/" BOUGH_VERSION,
        .push_timeout_sec = PUSH_TIMEOUT};
    struct keeps keeps = {.n = 0};
    char name[256];
    enum bough_err err;
    int code = serve_parse(cli, argc, argv, &o, &keeps);

    if (code == 0)
        code = cli_open(cli, open_flags(&o));
    if (code == 0)
        code = keeps_set(cli, &keeps);
    if (code != 0)
        return code;
    name_of(cli->store, name, sizeof name);
    o.name = name;
    err = bough_server_run(cli->repo, &o, &cli->why);
    return err ? say_error(err, "serve", &cli->why) : EXIT_YES;
}

/* ---- git ---- */

static bool write_all(const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(STDOUT_FILENO, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Send what the session has. */
static bool drain(struct bough_sync *s, struct bough_buf *out)
{
    while (bough_sync_pending(s) > 0) {
        bough_buf_clear(out);
        bough_sync_pull(s, out, BOUGH_SYNC_OUT_MAX);
        if (out->err || !write_all(out->ptr, out->len))
            return false;
    }
    return true;
}

/* Read some and feed it. False: the other side is gone. */
static void take_input(struct bough_sync *s, struct bough_buf *in)
{
    size_t used = 0;
    enum bough_err err;

    if (in->len == 0) {
        uint8_t *room = bough_buf_room(in, 65536);
        ssize_t n;
        do
            n = room == NULL ? 0 : read(STDIN_FILENO, room, 65536);
        while (n < 0 && errno == EINTR);
        if (n <= 0) {
            err = bough_sync_eof(s);
            (void)err; /* the state tells */
            return;
        }
        in->len += (size_t)n;
    }
    err = bough_sync_feed(s, bough_buf_view(in), &used);
    (void)err;
    bough_buf_shift(in, used);
}

static int talk(struct cli *cli, struct bough_sync *s)
{
    struct bough_buf in, out;
    bool there = true;

    bough_buf_init(&in, cli->env.mem);
    bough_buf_init(&out, cli->env.mem);
    for (;;) {
        enum bough_err err;
        there = drain(s, &out);
        if (!there || s->state >= BOUGH_SYNC_DONE)
            break;
        if (s->state == BOUGH_SYNC_WORK) {
            err = bough_sync_step(s, 0);
            (void)err;
        } else {
            take_input(s, &in);
        }
    }
    bough_buf_fini(&in);
    bough_buf_fini(&out);
    if (there && s->state == BOUGH_SYNC_DONE)
        return EXIT_YES;
    if (s->state == BOUGH_SYNC_FAILED)
        say_error(s->why.err, "git", &s->why);
    return EXIT_REMOTE;
}

int verb_git(struct cli *cli, int argc, char **argv)
{
    struct bough_sync_opts opts = {.agent = "bough/" BOUGH_VERSION};
    enum bough_service service =
        argc > 1 ? bough_service_parse(bough_view_str(argv[1])) : BOUGH_SERVICE_NONE;
    const char *version = getenv("GIT_PROTOCOL");
    struct flags f = {.argc = argc, .argv = argv, .at = 2};
    struct bough_sync *s;
    const char *name;
    enum bough_err err;
    int code;

    if (service == BOUGH_SERVICE_NONE)
        return say_usage("git", "upload-pack or receive-pack");
    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--stateless-rpc") == 0)
            opts.transport = BOUGH_TRANSPORT_REQUEST;
        else if (strcmp(name, "--http-backend-info-refs") == 0 ||
                 strcmp(name, "--advertise-refs") == 0)
            opts.transport = BOUGH_TRANSPORT_ADVERTISE;
        else if (strncmp(name, "--timeout", 9) != 0 && strcmp(name, "--strict") != 0)
            return flag_unknown("git", name);
    }
    if (f.at < argc)
        cli->store = argv[f.at];
    if (version != NULL)
        opts.version = bough_sync_version_parse(bough_view_str(version));
    code = cli_open(cli, service == BOUGH_SERVICE_UPLOAD_PACK ? OPEN_READ : 0);
    if (code != 0)
        return code;
    err = bough_sync_open(service, cli->repo, &opts, &s);
    if (err)
        return say_error(err, argv[1], bough_repo_why(cli->repo));
    code = talk(cli, s);
    bough_sync_close(s);
    return code;
}
