/*
 * open.c - from an address to an opened repository: all wiring of concrete parts.
 *
 *   addresses   FILE or block:FILE,... (log engine: device.c), mem:, git:DIR, lmdb:DIR
 *   writers     author and committer
 *   places      branch, or revision
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "store/gitdir.h"
#include "store/lmdb.h"
#include "store/log/log.h"
#include "store/mem.h"

enum { WINDOW_MS = 20 }; /* of a daemon's journal window */

/* Why a file could not be opened, and what to do. */
static int open_failed(struct cli *cli, enum bough_err err, bool only_read)
{
    struct stat st;

    if (err == BOUGH_ENOENT) {
        fprintf(stderr, "bough: no such store: %s; make one with `bough init %s`\n", cli->store,
            cli->store);
        return EXIT_NO_STORE;
    }
    if (err == BOUGH_EINVAL && stat(cli->store, &st) == 0 && S_ISDIR(st.st_mode)) {
        fprintf(stderr,
            "bough: %s: a folder is no store; git:%s is the repository in it, lmdb:%s an LMDB "
            "store\n",
            cli->store, cli->store, cli->store);
        return EXIT_NO_STORE;
    }
    if (err == BOUGH_EDENIED) {
        fprintf(stderr,
            "bough: %s: permission denied (it cannot be opened for %s; its owner and mode say who "
            "may)\n",
            cli->store, only_read ? "reading" : "writing");
        return EXIT_DENIED;
    }
    say_error(err, cli->store, &cli->why);
    return err == BOUGH_EINVAL ? EXIT_NO_STORE : exit_of(err);
}

/* A store too damaged to be written may still be read. */
static bool can_be_read(struct cli *cli)
{
    struct bough_log_open_opts opts = {.read_only = true, .past_damage = true};
    struct bough_env env = cli->env;
    struct bough_store *engine;
    enum bough_err err;

    env.log = NULL; /* the damage was told */
    err = bough_log_open(cli->dev, &env, &opts, &engine, NULL);

    if (!err)
        bough_store_close(engine);
    return !err;
}

static int open_file(struct cli *cli, unsigned flags)
{
    enum {
        WALK_CACHE = 64 << 20
    }; /* bytes, as they come to be used: tables of a million objects */
    struct bough_log_open_opts opts = {.read_only = (flags & OPEN_READ) != 0,
        .past_damage = (flags & OPEN_PAST) != 0,
        .cache = flags & OPEN_WALK ? WALK_CACHE : 0};
    bool only_read = (flags & (OPEN_READ | OPEN_TRY)) != 0;
    uint32_t how = BOUGH_FILEBLK_DIRECT | (only_read ? BOUGH_FILEBLK_READONLY : 0u);
    struct bough_block *dev;
    enum bough_err err = cli_device_open(cli, cli->store, how);

    if (err)
        return open_failed(cli, err, only_read);
    cli->file_open = true;
    dev = cli->dev;
    if (flags & OPEN_TRY) {
        bough_overblk_init(&cli->over, dev, cli->env.mem);
        dev = &cli->over.blk;
        opts.prepare = 1; /* memory needs none */
    }
    err = bough_log_open(dev, &cli->env, &opts, &cli->engine, &cli->why);
    if (err == BOUGH_ENOENT) {
        fprintf(stderr,
            flags & OPEN_PAST
                ? "bough: %s: not a Bough store; nothing of one is found in it\n"
                : "bough: %s: not a Bough store; `bough init` makes one, in a new file (if it was "
                  "one, `bough fsck` looks for what is left of it)\n",
            cli->store);
        return EXIT_NO_STORE;
    }
    if (err == BOUGH_ECORRUPT && (flags & OPEN_PAST) == 0 && can_be_read(cli))
        fprintf(stderr, "bough: %s: `bough repair %s NEW` brings what is intact into a new store\n",
            cli->store, cli->store);
    return err ? say_error(err, cli->store, &cli->why) : 0;
}

/* `git:DIR`, an ordinary repository, or `lmdb:DIR`. */
static int open_folder(struct cli *cli, unsigned flags)
{
    const char *git = address_rest(cli->store, "git:"), *lmdb = address_rest(cli->store, "lmdb:");
    bool read = (flags & (OPEN_READ | OPEN_TRY)) != 0;
    enum bough_err err =
        lmdb != NULL ? bough_lmdb_store_open(&cli->env, lmdb, read, &cli->engine, &cli->why)
                     : bough_gitdir_store_open(&cli->env, git, read, &cli->engine, &cli->why);

    if (!err)
        return 0;
    say_error(err, cli->store, &cli->why);
    return err == BOUGH_ENOENT || err == BOUGH_ENOTSUP ? EXIT_NO_STORE : exit_of(err);
}

const char *cli_address(struct cli *cli, const char *given)
{
    if (given != NULL)
        cli->store = given;
    if (cli->store == NULL)
        cli->store = getenv("BOUGH_STORE");
    if (cli->store == NULL || cli->store[0] == 0)
        cli->store = "./bough.img";
    return cli->store;
}

const char *address_rest(const char *address, const char *scheme)
{
    size_t n = strlen(scheme);

    return strncmp(address, scheme, n) == 0 ? address + n : NULL;
}

const char *address_folder(const char *address)
{
    const char *dir = address_rest(address, "git:");

    return dir != NULL ? dir : address_rest(address, "lmdb:");
}

static int open_engine(struct cli *cli, unsigned flags)
{
    static const char *const later[] = {"http:", "redis:"};
    enum bough_err err;

    if (address_folder(cli_address(cli, NULL)) != NULL)
        return open_folder(cli, flags);
    if (strcmp(cli->store, "mem:") == 0) {
        err = bough_mem_store_open(&cli->env, BOUGH_SHA1, &cli->engine);
        return err ? say_error(err, cli->store, NULL) : 0;
    }
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strncmp(cli->store, later[i], strlen(later[i])) == 0) {
            fprintf(stderr, "bough: %s: not supported (ask a daemon by redis-cli, git or curl)\n",
                cli->store);
            return EXIT_NO_STORE;
        }
    }
    return open_file(cli, flags);
}

int cli_open(struct cli *cli, unsigned flags)
{
    struct bough_repo_opts opts = {.cache = (size_t)cli->cache};
    int code = open_engine(cli, flags);
    enum bough_err err;

    if (code != 0)
        return code;
    if (flags & OPEN_WINDOW)
        opts.window.time_ms = WINDOW_MS;
    if (flags & OPEN_INDEX)
        opts.history_batch = 1;
    if (flags & OPEN_LATER)
        opts.durable = BOUGH_DURABLE_LATER;
    err = bough_repo_open(cli->engine, &opts, &cli->repo);
    return err ? say_error(err, cli->store, &cli->engine->why) : 0;
}

/* May be told only of names that branches have; what else is wrong is found when it is opened. */
static bool has_branch(struct cli *cli)
{
    char name[BOUGH_REF_NAME_MAX + 1];
    struct bough_ref ref;
    int n = snprintf(name, sizeof name, "refs/heads/%s", cli->branch);

    return n < 0 || (size_t)n >= sizeof name ||
           bough_repo_ref(cli->repo, bough_view_str(name), &ref) != BOUGH_ENOENT;
}

int cli_open_kv(struct cli *cli, unsigned flags)
{
    struct bough_view name = bough_view(NULL, 0);
    struct bough_info info;
    enum bough_err err = BOUGH_OK;
    int code = cli_open(cli, flags);

    if (code == 0 && !(flags & OPEN_READ))
        code = cli_info(cli, &info);
    if (code != 0)
        return code;
    if (cli->branch != NULL)
        name = bough_view_str(cli->branch);
    else
        err = bough_repo_head_branch(cli->repo, &name);
    if (!err && (flags & OPEN_READ) != 0 && cli->branch != NULL && !has_branch(cli)) {
        fprintf(stderr, "bough: %s: no such branch; `bough branch` lists them\n", cli->branch);
        return EXIT_NO;
    }
    if (!err)
        err = bough_kv_branch_open(cli->repo, name, &cli->kv);
    if (err)
        return say_error(
            err, cli->branch != NULL ? cli->branch : "HEAD", bough_repo_why(cli->repo));
    if (!(flags & OPEN_READ))
        err = bough_kv_info(cli->kv, &info);
    return err ? say_error(err, "author", &cli->kv->why) : 0;
}

void cli_close(struct cli *cli)
{
    bough_kv_close(cli->kv);
    bough_repo_close(cli->repo);
    bough_store_close(cli->engine);
    bough_overblk_fini(&cli->over);
    if (cli->file_open)
        bough_fileblk_close(&cli->file);
    cli->kv = NULL;
    cli->repo = NULL;
    cli->engine = NULL;
    cli->file_open = false;
}

/* ---- Writers ---- */

/* "Name <mail>" into its parts. */
static bool split_ident(const char *text, struct bough_ident *out)
{
    const char *open = strchr(text, '<'), *close = open == NULL ? NULL : strchr(open, '>');
    size_t n;

    if (close == NULL || close[1] != 0)
        return false;
    n = (size_t)(open - text);
    while (n > 0 && text[n - 1] == ' ')
        n--;
    out->name = bough_view(text, n);
    out->mail = bough_view(open + 1, (size_t)(close - open) - 1);
    return true;
}

/* "SECONDS +HHMM", Git's raw date, with or without an @ before it. */
static bool parse_date(const char *text, struct bough_time *out)
{
    char *end;
    long zone;

    text += text[0] == '@';
    out->sec = strtoll(text, &end, 10);
    out->nsec = 0;
    out->zone_min = 0;
    if (*end == 0)
        return end != text;
    if (*end != ' ')
        return false;
    zone = strtol(end + 1, &end, 10);
    out->zone_min = (int16_t)(zone / 100 * 60 + zone % 100);
    return *end == 0 && zone > -2400 && zone < 2400;
}

static void default_ident(struct bough_ident *out)
{
    static char mail[300], host[128] = "localhost";
    const char *user = getenv("USER");

    if (user == NULL || user[0] == 0)
        user = "bough";
    gethostname(host, sizeof host - 1);
    snprintf(mail, sizeof mail, "%s@%s", user, host);
    out->name = bough_view_str(user);
    out->mail = bough_view_str(mail);
}

/* What the environment says, with variables of Git's names for `who`, "AUTHOR" or "COMMITTER". */
static bool ident_from_env(const char *who, struct bough_ident *out)
{
    char var[40];
    const char *text;

    snprintf(var, sizeof var, "GIT_%s_NAME", who);
    if ((text = getenv(var)) != NULL)
        out->name = bough_view_str(text);
    snprintf(var, sizeof var, "GIT_%s_EMAIL", who);
    if ((text = getenv(var)) != NULL)
        out->mail = bough_view_str(text);
    snprintf(var, sizeof var, "GIT_%s_DATE", who);
    if ((text = getenv(var)) == NULL || parse_date(text, &out->time))
        return true;
    fprintf(stderr, "bough: %s is not `SECONDS +HHMM`: %s\n", var, text);
    return false;
}

int cli_info(struct cli *cli, struct bough_info *out)
{
    struct bough_time clock = {.sec = INT64_MIN};

    *out = (struct bough_info){.author = {.time = clock}};
    default_ident(&out->author);
    if (!ident_from_env("AUTHOR", &out->author))
        return EXIT_USAGE;
    if (cli->author != NULL && !split_ident(cli->author, &out->author)) {
        fprintf(stderr, "bough: --author is not `Name <mail>`: %s\n", cli->author);
        return EXIT_USAGE;
    }
    out->committer = out->author;
    if (!ident_from_env("COMMITTER", &out->committer))
        return EXIT_USAGE;
    if (cli->message != NULL)
        out->message = bough_view_str(cli->message);
    return 0;
}

/* ---- Places ---- */

int cli_place(struct cli *cli, const char *key, bool write, struct cli_place *out)
{
    const char *colon = key[0] == '@' && key[1] != '@' ? strchr(key, ':') : NULL;
    struct bough_oid id;
    enum bough_err err;

    *out = (struct cli_place){.kv = cli->kv};
    if (colon == NULL) {
        out->path = bough_view_str(key[0] == '@' && key[1] == '@' ? key + 1 : key);
        return 0;
    }
    if (write)
        return say_error(BOUGH_EREADONLY, key, NULL);
    err = bough_repo_resolve(cli->repo, bough_view(key + 1, (size_t)(colon - key) - 1), &id);
    if (!err)
        err = bough_kv_commit_open(cli->repo, &id, &out->kv);
    if (err) {
        say_error(err, key, bough_repo_why(cli->repo));
        return EXIT_NO;
    }
    out->opened = true;
    out->path = bough_view_str(colon + 1);
    return 0;
}

void cli_place_close(struct cli_place *p)
{
    if (p->opened)
        bough_kv_close(p->kv);
    p->opened = false;
}
