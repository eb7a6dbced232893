/*
 * load.c - a tree from the text that dump.c writes (docs/dump.md).
 *
 *   words    of a line
 *   values   decoded as they come: small ones into the tree, large ones into the store
 *   tree     all lines, and what the text says of itself
 *   verb     the tree becomes the head of a branch
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/reader.h"
#include "cli/load.h"
#include "git/name.h"

enum {
    SMALL = 256 * 1024,         /* bytes of a value that goes through memory */
    PENDING_MAX = 8 << 20,      /* bytes of such values that wait there */
    PATH_MAX_LEN = 32 * 1024,   /* bytes of a path */
    WORD_MAX = 3 * PATH_MAX_LEN /* bytes of it escaped */
};

struct load {
    struct cli *cli;
    struct bough_tree *tree;
    struct bough_buf bytes;          /* decoded, of the value under way */
    uint64_t values, pending, lines; /* read so far */
    bool any_root;                   /* the text says none of our kind */
    struct bough_oid root;           /* as the text says */
    struct bough_why why;
    struct load_check check;
    struct reader in;
    char word[WORD_MAX];
    uint8_t path[PATH_MAX_LEN];
};

static enum bough_err bad(struct load *l, const char *what)
{
    enum bough_err err = BOUGH_WHY(&l->why, BOUGH_EFORMAT, what, NULL, 0);

    l->why.at = l->lines + 1;
    return err;
}

/* ---- Words ---- */

static enum bough_err word(struct load *l, char end, struct bough_view *out)
{
    enum bough_err err = reader_until(&l->in, end, l->word, sizeof l->word, out);

    return err == BOUGH_ENOENT || err == BOUGH_ETOOBIG ? bad(l, "a line that is cut or too long")
                                                       : err;
}

static enum bough_err number(struct load *l, char end, int base, uint64_t *out)
{
    struct bough_view w;
    char text[24] = "", *after;
    enum bough_err err = word(l, end, &w);

    if (err)
        return err;
    if (w.len == 0 || w.len >= sizeof text)
        return bad(l, "a number was expected");
    memcpy(text, w.ptr, w.len);
    *out = strtoull(text, &after, base);
    if (after != text + w.len || text[0] < '0' || text[0] > '9' || *out >> 62 != 0)
        return bad(l, "a number was expected");
    return BOUGH_OK;
}

static int hex_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Is it a path as trees have them, of whole segments that git takes, and not too many? */
static bool path_ok(struct bough_view path)
{
    size_t n = 0;

    for (size_t at = 0; at <= path.len; n++) {
        const uint8_t *slash = memchr(path.ptr + at, '/', path.len - at);
        size_t end = slash != NULL ? (size_t)(slash - path.ptr) : path.len;

        if (bough_name_check(bough_view(path.ptr + at, end - at), NULL) != BOUGH_OK)
            return false;
        at = end + 1;
    }
    return n <= BOUGH_TREE_DEPTH_MAX;
}

static enum bough_err path_read(struct load *l, struct bough_view *out)
{
    struct bough_view w;
    size_t n = 0;
    enum bough_err err = word(l, ' ', &w);

    for (size_t i = 0; i < w.len && !err; i++) {
        int hi = 0, lo = 0;
        if (n == sizeof l->path)
            return bad(l, "a path is too long");
        if (w.ptr[i] != '%') {
            l->path[n++] = w.ptr[i];
            continue;
        }
        hi = i + 2 < w.len ? hex_of(w.ptr[i + 1]) : -1;
        lo = i + 2 < w.len ? hex_of(w.ptr[i + 2]) : -1;
        if (hi < 0 || lo < 0)
            return bad(l, "% is followed by two of 0-9 A-F");
        l->path[n++] = (uint8_t)(hi << 4 | lo);
        i += 2;
    }
    *out = bough_view(l->path, n);
    return err ? err : path_ok(*out) ? BOUGH_OK : bad(l, "not a path");
}

/* ---- Values ---- */

struct value {
    uint32_t mode;
    uint64_t size, made;              /* bytes */
    char form;                        /* '%', '=' or '@' */
    struct bough_blob_writer *writer; /* of a large one */
    uint32_t bits;                    /* decoded, not a byte yet: of base 64, or an escape */
    unsigned n, pads;                 /* digits in them */
};

static enum bough_err value_flush(struct load *l, struct value *v, size_t least)
{
    enum bough_err err = l->bytes.err;

    if (err || v->writer == NULL || l->bytes.len < least)
        return err;
    err = bough_blob_put(v->writer, bough_buf_view(&l->bytes));
    bough_buf_clear(&l->bytes);
    return err;
}

static enum bough_err byte_out(struct load *l, struct value *v, uint32_t byte)
{
    if (v->made == v->size)
        return bad(l, "a value is longer than it says");
    v->made++;
    bough_buf_put_u8(&l->bytes, (uint8_t)byte);
    return value_flush(l, v, 64 * 1024);
}

static enum bough_err escaped_in(struct load *l, struct value *v, uint8_t c)
{
    int digit;

    if (v->n == 0 && c != '%')
        return byte_out(l, v, c);
    digit = v->n == 0 ? 0 : hex_of(c);
    if (digit < 0)
        return bad(l, "% is followed by two of 0-9 A-F");
    v->bits = v->bits << 4 | (uint32_t)digit;
    if (++v->n < 3)
        return BOUGH_OK;
    v->n = 0;
    digit = (int)v->bits;
    v->bits = 0;
    return byte_out(l, v, (uint32_t)digit);
}

static int base64_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum bough_err base64_in(struct load *l, struct value *v, uint8_t c)
{
    int digit = c == '=' ? 0 : base64_of(c);
    enum bough_err err = BOUGH_OK;

    if (digit < 0 || (v->pads > 0 && c != '=') || (c == '=' && v->n < 2))
        return bad(l, "not base 64");
    v->pads += c == '=';
    v->bits = v->bits << 6 | (uint32_t)digit;
    if (++v->n < 4)
        return BOUGH_OK;
    for (unsigned i = 0; i < 3 - v->pads && !err; i++)
        err = byte_out(l, v, v->bits >> (16 - 8 * i) & 0xff);
    v->n = 0;
    v->bits = 0;
    return err;
}

/* Up to the end of the line. */
static enum bough_err value_decode(struct load *l, struct value *v)
{
    for (;;) {
        enum bough_err err = l->in.at == l->in.have ? reader_more(&l->in) : BOUGH_OK;
        uint8_t c;

        if (err)
            return err == BOUGH_ENOENT ? bad(l, "the text is cut") : err;
        c = l->in.piece[l->in.at++];
        if (c == '\n')
            break;
        err = v->form == '%' ? escaped_in(l, v, c) : base64_in(l, v, c);
        if (err)
            return err;
    }
    return v->made != v->size || v->n != 0 ? bad(l, "a value is shorter than it says")
                                           : value_flush(l, v, 0);
}

/* What waits in memory goes into the store; no ref names it yet. */
static enum bough_err spill(struct load *l)
{
    struct bough_oid root;
    struct bough_txn *txn;
    enum bough_err err = bough_txn_begin(l->cli->engine, &txn);

    if (err)
        return err;
    err = bough_tree_write(l->tree, txn, &root);
    l->pending = 0;
    if (!err)
        return bough_txn_commit(txn, BOUGH_DURABLE_LATER);
    bough_txn_abort(txn);
    return err;
}

/* Bytes of memory that the edits of a path take: its folders, mostly. */
static uint64_t path_cost(struct bough_view path)
{
    enum { FOLDER = 512 };
    uint64_t cost = path.len + 64;

    for (size_t i = 0; i < path.len; i++)
        cost += path.ptr[i] == '/' ? FOLDER : 0;
    return cost;
}

static enum bough_err value_set(struct load *l, struct value *v, struct bough_view path)
{
    struct bough_oid id;
    enum bough_err err = value_decode(l, v);

    if (!err && l->check.kinds != 0 && load_check_value(&l->check, bough_buf_view(&l->bytes)))
        return bad(l, l->check.why.what);
    if (!err && v->writer != NULL) {
        struct bough_blob_writer *w = v->writer;
        v->writer = NULL; /* taken */
        err = bough_repo_blob(l->cli->repo, w, &id);
        return err ? err : bough_tree_set(l->tree, path, v->mode, &id, bough_view(NULL, 0));
    }
    if (!err)
        err = bough_tree_set(l->tree, path, v->mode, NULL, bough_buf_view(&l->bytes));
    l->pending += l->bytes.len + path_cost(path);
    return !err && l->pending > PENDING_MAX ? spill(l) : err;
}

static enum bough_err link_set(struct load *l, const struct value *v, struct bough_view path)
{
    struct bough_view hex;
    struct bough_oid id;
    enum bough_err err = word(l, '\n', &hex);

    if (!err && (bough_oid_parse(l->cli->engine->algo, hex, &id) || bough_oid_is_zero(&id)))
        err = bad(l, "a submodule without an id of this store's kind");
    return err ? err : bough_tree_set(l->tree, path, v->mode, &id, bough_view(NULL, 0));
}

/* ---- Tree ---- */

/* The same rules as for a push: a link called .gitmodules lets whoever checks it out be written to elsewhere. */
static enum bough_err special_check(struct load *l, const struct value *v, struct bough_view path)
{
    char mode[8];
    enum bough_err err;

    snprintf(mode, sizeof mode, "%o", (unsigned)v->mode);
    err = load_check_path(&l->check, mode, path);
    if (!err && l->check.kinds != 0 && v->size > LOAD_SPECIAL_MAX)
        return bad(l, "gitmodulesLarge: .gitmodules too large to parse");
    return err == BOUGH_EFORMAT ? bad(l, l->check.why.what) : err;
}

/* SIZE FORM PATH VALUE, behind the mode. */
static enum bough_err line_load(struct load *l, uint32_t mode)
{
    struct value v = {.mode = mode};
    struct bough_view path, form;
    enum bough_err err = number(l, ' ', 10, &v.size);

    if (!err)
        err = word(l, ' ', &form);
    if (!err && (form.len != 1 || (mode == 0160000) != (form.ptr[0] == '@') ||
                    memchr("%=@", form.ptr[0], 3) == NULL))
        err = bad(l, "a value is one of % = @");
    if (err)
        return err;
    v.form = (char)form.ptr[0];
    err = path_read(l, &path);
    if (!err)
        err = special_check(l, &v, path);
    if (err || v.form == '@')
        return err ? err : link_set(l, &v, path);
    bough_buf_clear(&l->bytes);
    if (v.size > SMALL && l->check.kinds == 0)
        err = bough_blob_begin(l->cli->engine, v.size, &v.writer);
    if (!err)
        err = value_set(l, &v, path);
    bough_blob_close(v.writer);
    return err;
}

/* Who made the text did not know the id. */
static bool all_zeros(struct bough_view hex)
{
    for (size_t i = 0; i < hex.len; i++) {
        if (hex.ptr[i] != '0')
            return false;
    }
    return true;
}

static enum bough_err head_load(struct load *l)
{
    struct bough_view w;
    enum bough_err err = word(l, '\n', &w);

    if (!err && !bough_view_eq(w, bough_view_str("bough-dump 1")))
        return bad(l, "not a dump");
    l->lines += !err;
    if (!err)
        err = word(l, ' ', &w);
    if (!err && !bough_view_eq(w, bough_view_str("tree")))
        return bad(l, "not a dump");
    if (!err)
        err = word(l, '\n', &w);
    if (!err && w.len != 2 * BOUGH_DIGEST_MAX && w.len != 40)
        return bad(l, "not an id");
    l->any_root = w.len != 2 * bough_algo_len(l->cli->engine->algo) || all_zeros(w);
    if (!err && !l->any_root && bough_oid_parse(l->cli->engine->algo, w, &l->root))
        return bad(l, "not an id");
    l->lines += !err;
    return err;
}

static enum bough_err lines_load(struct load *l)
{
    static const char *const modes[] = {"100644", "100755", "120000", "160000"};
    struct bough_view w;
    uint64_t n = 0;
    enum bough_err err;

    while (!(err = word(l, ' ', &w)) && !bough_view_eq(w, bough_view_str("end"))) {
        uint32_t mode = 0;
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            if (bough_view_eq(w, bough_view_str(modes[i])))
                mode = (uint32_t)strtoul(modes[i], NULL, 8);
        }
        err = mode == 0 ? bad(l, "not a mode") : line_load(l, mode);
        if (err)
            return err;
        l->values++;
        l->lines++;
    }
    if (!err)
        err = number(l, '\n', 10, &n);
    if (!err && n != l->values)
        return bad(l, "not as many values as it says");
    l->lines += !err;
    if (!err && (l->in.at < l->in.have || reader_more(&l->in) != BOUGH_ENOENT))
        return bad(l, "something follows the end");
    return err;
}

static enum bough_err tree_load(struct load *l)
{
    struct bough_oid root;
    enum bough_err err = bough_tree_open(l->cli->repo, NULL, &l->tree);

    if (!err)
        err = head_load(l);
    if (!err)
        err = lines_load(l);
    if (!err)
        err = bough_tree_digest(l->tree, bough_view(NULL, 0), &root);
    if (!err && !l->any_root && !bough_oid_eq(&root, &l->root))
        err = bad(l, "the tree is not the one that the text says");
    return err;
}

/* ---- Verb ---- */

static enum bough_err branch_set(struct load *l, const struct bough_info *info)
{
    struct cli *cli = l->cli;
    struct bough_view name = bough_view(NULL, 0);
    struct bough_branch *b = NULL;
    enum bough_err err = BOUGH_OK;

    if (cli->branch != NULL)
        name = bough_view_str(cli->branch);
    else
        err = bough_repo_head_branch(cli->repo, &name);
    if (!err)
        err = bough_branch_open(cli->repo, name, &b);
    if (!err)
        err = bough_branch_commit(b, l->tree, info, NULL, NULL);
    bough_branch_close(b);
    return err;
}

static int load_run(struct load *l, const char *path)
{
    struct bough_info info;
    enum bough_err err;
    int code = cli_info(l->cli, &info);

    if (code != 0)
        return code;
    if (info.author.time.sec == INT64_MIN)
        info.author.time = bough_env_now(&l->cli->env);
    if (info.committer.time.sec == INT64_MIN)
        info.committer.time = info.author.time;
    bough_buf_init(&l->bytes, l->cli->env.mem);
    err = tree_load(l);
    if (!err)
        err = branch_set(l, &info);
    bough_tree_close(l->tree);
    bough_buf_fini(&l->bytes);
    if (err && l->why.err != BOUGH_OK && l->why.at != 0)
        fprintf(stderr, "bough: load: line %llu\n", (unsigned long long)l->why.at);
    if (err && l->why.err == BOUGH_OK)
        l->why = *bough_repo_why(l->cli->repo);
    if (err)
        return say_error(err, path, &l->why);
    fprintf(stderr, "bough: load: %llu values\n", (unsigned long long)l->values);
    return EXIT_YES;
}

int verb_load(struct cli *cli, int argc, char **argv)
{
    struct load *l;
    int fd, code;

    if (argc != 2)
        return say_usage("load", "from what file, or - ?");
    fd = strcmp(argv[1], "-") == 0 ? STDIN_FILENO : open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "bough: %s: %s\n", argv[1], strerror(errno));
        return EXIT_NO;
    }
    code = cli_open(cli, 0);
    l = code == 0 ? calloc(1, sizeof *l) : NULL;
    if (code == 0 && l == NULL)
        code = say_error(BOUGH_ENOMEM, argv[1], NULL);
    if (l != NULL) {
        l->cli = cli;
        l->in.fd = fd;
        load_check_init(&l->check, cli->engine->algo);
        code = load_run(l, argv[1]);
    }
    free(l);
    if (fd != STDIN_FILENO)
        close(fd);
    return code;
}
