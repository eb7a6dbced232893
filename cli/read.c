/*
 * read.c - get, ls, stat, digest: what is in a place.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { PIECE = 1 << 20 }; /* bytes of a value read at a time */

static void print_oid(struct cli *cli, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(cli->engine->algo, id, hex);

    fwrite(hex, 1, n, stdout);
}

/* Open store and place of argv[at]. */
static int open_at(struct cli *cli, const char *key, struct cli_place *out)
{
    int code = cli_open_kv(cli, OPEN_READ);

    return code != 0 ? code : cli_place(cli, key, false, out);
}

static int failed(const struct cli_place *p, enum bough_err err, const char *key)
{
    return say_error(err, key, &p->kv->why);
}

int verb_get(struct cli *cli, int argc, char **argv)
{
    struct cli_place p;
    struct bough_buf buf;
    enum bough_err err = BOUGH_OK;
    int code;

    if (argc != 2)
        return say_usage("get", "takes one key");
    code = open_at(cli, argv[1], &p);
    if (code != 0)
        return code;
    bough_buf_init(&buf, cli->env.mem);
    for (uint64_t at = 0;; at += buf.len) {
        bough_buf_clear(&buf);
        err = bough_kv_get_part(p.kv, p.path, at, PIECE, &buf);
        if (err || buf.len == 0)
            break;
        if (at == 0 && isatty(STDOUT_FILENO) && memchr(buf.ptr, 0, buf.len) != NULL) {
            fprintf(stderr, "bough: %s is binary: send it into a file or a pipe\n", argv[1]);
            code = EXIT_NO;
            break;
        }
        if (fwrite(buf.ptr, 1, buf.len, stdout) != buf.len) {
            code = EXIT_REMOTE;
            break;
        }
        if (buf.len < PIECE)
            break;
    }
    if (err)
        code = failed(&p, err, argv[1]);
    bough_buf_fini(&buf);
    cli_place_close(&p);
    return code;
}

/* ---- ls ---- */

struct listing {
    struct cli *cli;
    struct bough_kv *kv;
    bool details, names_only;
    char end;
};

static enum bough_err list_one(void *ctx, const struct bough_kv_entry *e)
{
    const struct listing *l = ctx;
    struct bough_view name = l->names_only ? e->name : e->key;

    if (l->details) {
        struct bough_oid id;
        struct bough_buf key;
        enum bough_err err;

        bough_buf_init(&key, l->cli->env.mem); /* the entry lives until the next call only */
        bough_buf_put_view(&key, e->key);
        printf("%06o ", (unsigned)e->git_mode);
        err = bough_kv_digest(l->kv, bough_buf_view(&key), &id);
        if (!err) {
            print_oid(l->cli, &id);
            printf("\t%.*s%s%c", (int)key.len, (const char *)key.ptr,
                e->kind == BOUGH_KIND_DICT ? "/" : "", l->end);
        }
        bough_buf_fini(&key);
        return err;
    }
    fwrite(name.ptr, 1, name.len, stdout);
    if (e->kind == BOUGH_KIND_DICT)
        putchar('/');
    putchar(l->end);
    return BOUGH_OK;
}

static int ls_flags(struct flags *f, struct listing *l, bool *deep)
{
    const char *name;

    while ((name = flag_next(f)) != NULL) {
        if (strcmp(name, "-l") == 0)
            l->details = true;
        else if (strcmp(name, "-R") == 0)
            *deep = true;
        else if (strcmp(name, "-z") == 0)
            l->end = 0;
        else
            return flag_unknown("ls", name);
    }
    return f->argc - f->at > 1 ? say_usage("ls", "takes one key") : 0;
}

int verb_ls(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct listing l = {.cli = cli, .end = '\n'};
    struct cli_place p;
    bool deep = false;
    enum bough_err err;
    int code = ls_flags(&f, &l, &deep);

    if (code == 0)
        code = open_at(cli, f.at < argc ? argv[f.at] : "/", &p);
    if (code != 0)
        return code;
    l.kv = p.kv;
    l.names_only = !deep;
    err = bough_kv_fold(p.kv, p.path, deep ? 0 : 1, list_one, &l);
    if (err)
        code = failed(&p, err, f.at < argc ? argv[f.at] : "/");
    cli_place_close(&p);
    return code;
}

/* ---- stat and digest ---- */

static void print_time(int64_t sec)
{
    time_t t = (time_t)sec;
    struct tm tm;
    char text[32];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf("modified\t%lld %s\n", (long long)sec, text);
}

static enum bough_err print_stat(struct cli *cli, struct cli_place *p, enum bough_kind kind)
{
    static const char *const modes[] = {"normal", "exec", "link"};
    struct bough_modified m;
    struct bough_oid id;
    enum bough_mode mode;
    uint64_t size;
    enum bough_err err = bough_kv_digest(p->kv, p->path, &id);

    if (err)
        return err;
    printf("kind\t%s\ndigest\t", kind == BOUGH_KIND_DICT ? "dictionary" : "value");
    print_oid(cli, &id);
    putchar('\n');
    if (kind == BOUGH_KIND_VALUE && bough_kv_size(p->kv, p->path, &size) == BOUGH_OK)
        printf("size\t%llu\n", (unsigned long long)size);
    if (kind == BOUGH_KIND_VALUE && bough_kv_mode(p->kv, p->path, &mode) == BOUGH_OK)
        printf("mode\t%s\n", modes[mode]);
    err = bough_kv_last_modified(p->kv, p->path, &m);
    if (err)
        return err;
    print_time(m.time.sec);
    if (!bough_oid_is_zero(&m.commit)) {
        printf("commit\t");
        print_oid(cli, &m.commit);
        putchar('\n');
    }
    return BOUGH_OK;
}

int verb_stat(struct cli *cli, int argc, char **argv)
{
    struct cli_place p;
    enum bough_kind kind;
    enum bough_err err;
    int code;

    if (argc != 2)
        return say_usage("stat", "takes one key");
    code = open_at(cli, argv[1], &p);
    if (code != 0)
        return code;
    err = bough_kv_exists(p.kv, p.path, &kind);
    if (!err && kind == BOUGH_KIND_NONE)
        err = BOUGH_ENOENT;
    if (!err)
        err = print_stat(cli, &p, kind);
    if (err)
        code = failed(&p, err, argv[1]);
    cli_place_close(&p);
    return code;
}

int verb_digest(struct cli *cli, int argc, char **argv)
{
    struct cli_place p;
    struct bough_oid id;
    enum bough_err err;
    int code;

    if (argc != 2)
        return say_usage("digest", "takes one key");
    code = open_at(cli, argv[1], &p);
    if (code != 0)
        return code;
    err = bough_kv_digest(p.kv, p.path, &id);
    if (err) {
        code = failed(&p, err, argv[1]);
    } else {
        print_oid(cli, &id);
        putchar('\n');
    }
    cli_place_close(&p);
    return code;
}
