/*
 * dump.c - a tree as text (docs/dump.md).
 *
 *   text     bytes escaped, or in base 64
 *   dump     a line a value, in byte order of the names in each dictionary
 */
#include <stdlib.h>

#include "cli/transfer.h"

enum { PIECE = 48 * 1024 }; /* bytes read at a time; a multiple of three */

static const char first_line[] = "bough-dump 1";

/* ---- Text ---- */

static bool is_plain(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '%';
}

static void escape(struct bough_buf *out, struct bough_view bytes)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (is_plain(c)) {
            bough_buf_put_u8(out, c);
            continue;
        }
        bough_buf_put_u8(out, '%');
        bough_buf_put_u8(out, (uint8_t)hex[c >> 4]);
        bough_buf_put_u8(out, (uint8_t)hex[c & 15]);
    }
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_put(struct bough_buf *out, struct bough_view bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t x = (uint32_t)bytes.ptr[i] << 16;

        x |= n > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
        x |= n > 2 ? bytes.ptr[i + 2] : 0u;
        for (size_t k = 0; k < 4; k++)
            bough_buf_put_u8(out, (uint8_t)(k <= n ? base64[x >> (18 - 6 * k) & 63] : '='));
    }
}

/* ---- Dump ---- */

struct dump {
    struct cli *cli;
    struct bough_tree *tree;
    struct bough_buf path, after, line;
    uint64_t values;
    uint8_t piece[PIECE];
};

static enum bough_err line_flush(struct dump *d)
{
    enum bough_err err = d->line.err;

    if (!err && fwrite(d->line.ptr, 1, d->line.len, stdout) != d->line.len)
        err = BOUGH_EIO;
    bough_buf_clear(&d->line);
    return err;
}

/* Is base 64 shorter than escaping? */
static enum bough_err measure(struct dump *d, const struct bough_node *n, uint64_t size, bool *out)
{
    uint64_t escaped = 0;
    size_t got;
    enum bough_err err = BOUGH_OK;

    for (uint64_t at = 0; at < size && !err; at += got) {
        err = bough_node_read_part(d->cli->repo, n, at, d->piece, PIECE, &got);
        for (size_t i = 0; i < got && !err; i++)
            escaped += is_plain(d->piece[i]) ? 1 : 3;
    }
    *out = escaped > (size + 2) / 3 * 4;
    return err;
}

static enum bough_err value_bytes(
    struct dump *d, const struct bough_node *n, uint64_t size, bool in_base64)
{
    size_t got;
    enum bough_err err = BOUGH_OK;

    for (uint64_t at = 0; at < size && !err; at += got) {
        err = bough_node_read_part(d->cli->repo, n, at, d->piece, PIECE, &got);
        if (err)
            break;
        if (in_base64)
            base64_put(&d->line, bough_view(d->piece, got));
        else
            escape(&d->line, bough_view(d->piece, got));
        err = line_flush(d);
    }
    return err;
}

static enum bough_err value_line(struct dump *d, struct bough_view name, const struct bough_node *n)
{
    bool link = n->mode == 0160000, in_base64 = false;
    uint64_t size = 0;
    char head[64];
    enum bough_err err = link ? BOUGH_OK : bough_node_size(d->cli->repo, n, &size);

    if (!err && !link)
        err = measure(d, n, size, &in_base64);
    if (err)
        return err;
    snprintf(head, sizeof head, "%06o %llu %c ", n->mode, (unsigned long long)size,
        link        ? '@'
        : in_base64 ? '='
                    : '%');
    bough_buf_put_str(&d->line, head);
    escape(&d->line, bough_buf_view(&d->path));
    if (d->path.len > 0)
        bough_buf_put_u8(&d->line, '/');
    escape(&d->line, name);
    bough_buf_put_u8(&d->line, ' ');
    if (link)
        bough_buf_put_hex(&d->line, n->id.bytes, bough_algo_len(d->cli->engine->algo));
    else
        err = value_bytes(d, n, size, in_base64);
    bough_buf_put_u8(&d->line, '\n');
    d->values++;
    return err ? err : line_flush(d);
}

/* Up again: behind the dictionary that was finished. */
static void ascend(struct dump *d)
{
    size_t n = d->path.len;

    while (n > 0 && d->path.ptr[n - 1] != '/')
        n--;
    bough_buf_clear(&d->after);
    bough_buf_put(&d->after, d->path.ptr + n, d->path.len - n);
    d->path.len = n > 0 ? n - 1 : 0;
}

static void descend(struct dump *d, struct bough_view name)
{
    if (d->path.len > 0)
        bough_buf_put_u8(&d->path, '/');
    bough_buf_put_view(&d->path, name);
    bough_buf_clear(&d->after);
}

static enum bough_err dump_tree(struct dump *d)
{
    struct bough_view name;
    struct bough_node n;
    enum bough_err err = BOUGH_OK;

    while (!err) {
        err = bough_tree_next(
            d->tree, bough_buf_view(&d->path), bough_buf_view(&d->after), &name, &n);
        if (err == BOUGH_ENOENT && d->path.len == 0)
            return BOUGH_OK;
        if (err == BOUGH_ENOENT) {
            ascend(d);
            err = BOUGH_OK;
        } else if (!err && n.kind == BOUGH_NODE_DICT) {
            descend(d, name);
        } else if (!err) {
            bough_buf_clear(&d->after);
            bough_buf_put_view(&d->after, name);
            err = d->after.err ? d->after.err : value_line(d, bough_buf_view(&d->after), &n);
        }
        err = err ? err : d->path.err;
    }
    return err;
}

static enum bough_err dump_run(struct dump *d, const struct bough_oid *commit)
{
    size_t id_len = bough_algo_len(d->cli->engine->algo);
    struct bough_oid root;
    char last[40];
    enum bough_err err = bough_repo_root_of(d->cli->repo, commit, &root);

    if (!err)
        err = bough_tree_open(d->cli->repo, &root, &d->tree);
    if (err)
        return err;
    bough_buf_put_str(&d->line, first_line);
    bough_buf_put_str(&d->line, "\ntree ");
    bough_buf_put_hex(&d->line, root.bytes, id_len);
    bough_buf_put_str(&d->line, "\n");
    err = dump_tree(d);
    snprintf(last, sizeof last, "end %llu\n", (unsigned long long)d->values);
    bough_buf_put_str(&d->line, last);
    err = err ? err : line_flush(d);
    bough_tree_close(d->tree);
    return !err && fflush(stdout) != 0 ? BOUGH_EIO : err;
}

int verb_dump(struct cli *cli, int argc, char **argv)
{
    const char *rev = argc == 2 ? argv[1] : cli->branch != NULL ? cli->branch : "HEAD";
    struct dump *d;
    struct bough_oid id;
    enum bough_err err;
    int code;

    if (argc > 2)
        return say_usage("dump", "one revision at a time");
    code = transfer_open_source(cli, false);
    if (code != 0)
        return code;
    d = calloc(1, sizeof *d);
    err = d == NULL ? BOUGH_ENOMEM : bough_repo_resolve(cli->repo, bough_view_str(rev), &id);
    if (!err) {
        d->cli = cli;
        bough_buf_init(&d->path, cli->env.mem);
        bough_buf_init(&d->after, cli->env.mem);
        bough_buf_init(&d->line, cli->env.mem);
        err = dump_run(d, &id);
        bough_buf_fini(&d->path);
        bough_buf_fini(&d->after);
        bough_buf_fini(&d->line);
    }
    free(d);
    return err ? say_error(err, rev, bough_repo_why(cli->repo)) : EXIT_YES;
}
