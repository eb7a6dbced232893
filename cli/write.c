/*
 * write.c - set, rm, mv, batch: changes to a branch.
 *
 *   values    from the command line or standard input, whatever their size
 *   set rm mv
 *   batch     a script of lines, one commit
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- Values ---- */

/* A source over a file whose size is known. */
struct file_source {
    struct bough_source src;
    FILE *f;
    uint8_t piece[1 << 16];
    size_t at, len;
};

static enum bough_err file_peek(struct bough_source *src, struct bough_view *out)
{
    struct file_source *s = (struct file_source *)src; /* src is the first field */

    if (s->at == s->len) {
        s->at = 0;
        s->len = fread(s->piece, 1, sizeof s->piece, s->f);
        if (s->len == 0 && ferror(s->f))
            return BOUGH_EIO;
    }
    *out = bough_view(s->piece + s->at, s->len - s->at);
    return BOUGH_OK;
}

static void file_skip(struct bough_source *src, size_t n)
{
    ((struct file_source *)src)->at += n;
}

static const struct bough_source_class file_source_class = {
    .name = "file",
    .peek = file_peek,
    .skip = file_skip,
};

static enum bough_err set_from_file(
    struct cli *cli, struct bough_view path, FILE *in, const struct bough_set_opts *opts)
{
    struct file_source *s = calloc(1, sizeof *s);
    struct stat st;
    uint64_t size;
    enum bough_err err;

    if (s == NULL)
        return BOUGH_ENOMEM;
    if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && ftello(in) == 0)
        size = (uint64_t)st.st_size;
    else
        size = BOUGH_BLOB_UNKNOWN;
    s->src.cls = &file_source_class;
    s->f = in;
    err = bough_kv_set_stream(cli->kv, path, size, &s->src, opts);
    free(s);
    return err;
}

/* ---- set, rm, mv ---- */

static bool parse_digest(struct cli *cli, const char *text, struct bough_oid *out)
{
    *out = (struct bough_oid){{0}};
    return strcmp(text, "none") == 0 ||
           bough_oid_parse(cli->engine->algo, bough_view_str(text), out) == BOUGH_OK;
}

int verb_set(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct bough_set_opts opts = {.flags = 0};
    struct cli_place p;
    const char *name, *digest = NULL;
    enum bough_err err;
    int code;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--if-digest") == 0 && flag_value(&f) != NULL) {
            digest = f.value;
        } else if (strcmp(name, "--create") == 0) {
            digest = "none";
        } else if (strcmp(name, "-x") == 0) {
            opts.has_mode = true;
            opts.mode = BOUGH_MODE_EXEC;
        } else {
            return flag_unknown("set", name);
        }
    }
    if (argc - f.at < 1 || argc - f.at > 2)
        return say_usage("set", "takes a key and a value");
    code = cli_open_kv(cli, 0);
    if (code != 0)
        return code;
    opts.check = digest != NULL;
    if (digest != NULL && !parse_digest(cli, digest, &opts.digest))
        return say_usage("set", "--if-digest wants a full id, or none");
    code = cli_place(cli, argv[f.at], true, &p);
    if (code != 0)
        return code;
    if (argc - f.at == 2)
        err = bough_kv_set(cli->kv, p.path, bough_view_str(argv[f.at + 1]), &opts);
    else
        err = set_from_file(cli, p.path, stdin, &opts);
    return err ? say_error(err, argv[f.at], &cli->kv->why) : EXIT_YES;
}

int verb_rm(struct cli *cli, int argc, char **argv)
{
    struct bough_kv *batch;
    enum bough_err err;
    int code;

    if (argc < 2)
        return say_usage("rm", "takes keys");
    code = cli_open_kv(cli, 0);
    if (code != 0)
        return code;
    err = bough_kv_begin(cli->kv, BOUGH_TEST_AND_SET, &batch);
    if (err)
        return say_error(err, "rm", &cli->kv->why);
    for (int i = 1; i < argc; i++) {
        struct cli_place p;
        code = cli_place(cli, argv[i], true, &p);
        err = code != 0 ? BOUGH_OK : bough_kv_remove(batch, p.path);
        if (err)
            code = say_error(err, argv[i], &batch->why);
        if (code != 0) {
            bough_kv_abort(batch);
            return code;
        }
    }
    err = bough_kv_commit(batch);
    return err ? say_error(err, "rm", &cli->kv->why) : EXIT_YES;
}

int verb_mv(struct cli *cli, int argc, char **argv)
{
    struct cli_place from, to;
    enum bough_err err;
    int code;

    if (argc != 3)
        return say_usage("mv", "takes two keys");
    code = cli_open_kv(cli, 0);
    if (code == 0)
        code = cli_place(cli, argv[1], true, &from);
    if (code == 0)
        code = cli_place(cli, argv[2], true, &to);
    if (code != 0)
        return code;
    err = bough_kv_rename(cli->kv, from.path, to.path);
    return err ? say_error(err, argv[1], &cli->kv->why) : EXIT_YES;
}

/* ---- batch ---- */

enum { WORDS_MAX = 3 };

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == 0 ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* The escape at `*p` (behind its backslash) as a byte; -1: none that we know. */
static int unescape(char **p)
{
    static const char names[] = "nrt0\\\"", bytes[] = "\n\r\t\0\\\"";
    char c = *(*p)++;
    const char *at = c == 0 ? NULL : strchr(names, c);
    int high, low;

    if (at != NULL)
        return (unsigned char)bytes[at - names];
    if (c != 'x' || (high = hex_value((*p)[0])) < 0 || (low = hex_value((*p)[1])) < 0)
        return -1;
    *p += 2;
    return high << 4 | low;
}

/* Split a line into words in place; "..." with C escapes. The number, or -1. */
static int split(char *line, struct bough_view words[WORDS_MAX])
{
    char *p = line;
    int n = 0;

    for (;;) {
        char *out, *begin;
        while (*p == ' ' || *p == '\t')
            p++;
        if (*p == 0 || *p == '#')
            return n;
        if (n == WORDS_MAX)
            return -1;
        if (*p != '"') {
            begin = p;
            p += strcspn(p, " \t");
            words[n++] = bough_view(begin, (size_t)(p - begin));
            continue;
        }
        begin = out = ++p;
        while (*p != '"') {
            int c = *p == '\\' ? (p++, unescape(&p)) : (unsigned char)*p++;
            if (c < 0 || (c == 0 && p[-1] == 0))
                return -1;
            *out++ = (char)c;
        }
        p++;
        words[n++] = bough_view(begin, (size_t)(out - begin));
    }
}

static bool is(struct bough_view word, const char *text)
{
    return bough_view_eq(word, bough_view_str(text));
}

/* One line of the script on the batch. */
static enum bough_err step(struct cli *cli, struct bough_kv *batch, struct bough_view *w, int n)
{
    struct bough_oid id = {{0}};

    if (n == 3 && is(w[0], "set"))
        return bough_kv_set(batch, w[1], w[2], NULL);
    if (n == 2 && is(w[0], "rm"))
        return bough_kv_remove(batch, w[1]);
    if (n == 3 && is(w[0], "mv"))
        return bough_kv_rename(batch, w[1], w[2]);
    if (n == 3 && is(w[0], "expect") &&
        (is(w[2], "none") || bough_oid_parse(cli->engine->algo, w[2], &id) == BOUGH_OK))
        return bough_kv_expect(batch, w[1], &id);
    return BOUGH_WHY(&batch->why, BOUGH_EINVAL,
        "set KEY VALUE, rm KEY, mv FROM TO or expect KEY ID|none", NULL, 0);
}

static int run_script(struct cli *cli, struct bough_kv *batch, FILE *in, const char *name)
{
    struct bough_view words[WORDS_MAX];
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 0;
    int code = EXIT_YES;
    ssize_t len;

    while (code == EXIT_YES && (len = getline(&line, &cap, in)) >= 0) {
        char where[64];
        int n;
        enum bough_err err;

        number++;
        if (memchr(line, 0, (size_t)len) != NULL) {
            fprintf(stderr, "bough: %.40s:%u: a NUL byte; write it as \"\\0\"\n", name, number);
            code = EXIT_USAGE;
            break;
        }
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = 0;
        n = split(line, words);
        if (n == 0)
            continue;
        err = step(cli, batch, words, n);
        snprintf(where, sizeof where, "%.40s:%u", name, number);
        if (err)
            code = say_error(err, where, &batch->why);
    }
    if (code == EXIT_YES && ferror(in)) {
        fprintf(stderr, "bough: %s: cannot be read\n", name);
        code = EXIT_USAGE;
    }
    free(line);
    return code;
}

int verb_batch(struct cli *cli, int argc, char **argv)
{
    struct bough_kv *batch;
    enum bough_err err;
    FILE *in = stdin;
    int code;

    if (argc != 2)
        return say_usage("batch", "takes one file");
    if (strcmp(argv[1], "-") != 0)
        in = fopen(argv[1], "r");
    if (in == NULL) {
        fprintf(stderr, "bough: %s: %s\n", argv[1], strerror(errno));
        return EXIT_NO;
    }
    code = cli_open_kv(cli, 0);
    if (code == 0) {
        err = bough_kv_begin(cli->kv, BOUGH_TEST_AND_SET, &batch);
        if (!err && (code = run_script(cli, batch, in, argv[1])) == EXIT_YES)
            err = bough_kv_commit(batch);
        else if (!err)
            bough_kv_abort(batch);
        if (err)
            code = say_error(err, "batch", &cli->kv->why);
    }
    if (in != stdin)
        fclose(in);
    return code;
}
