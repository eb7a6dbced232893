/*
 * bundle.c - backup and restore: a store as a git bundle (gitformat-bundle).
 *
 *   backup     header, refs, pack: streamed
 *   restore    refs, then the pack through everything that a push passes
 *
 * SHA-1 is written as version 2, SHA-256 as version 3.  Where history was cut, each commit that is not there is
 * a prerequisite, `-PARENT cut CHILD`: git takes such a bundle where it has these, our restore anywhere.  HEAD stands first and the branch that it
 * names behind it, so that our own restore finds it again even where several have its commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/reader.h"
#include "cli/transfer.h"

enum { LINE_MAX_LEN = 2048 };

#define HEAD "HEAD"
#define CUT  "cut "

/* ---- Backup ---- */

static enum bough_err write_all(void *ctx, struct bough_view bytes)
{
    const int *fd = ctx;

    while (bytes.len > 0) {
        ssize_t n = write(*fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == ENOSPC ? BOUGH_ENOSPC : BOUGH_EIO;
        bytes = bough_view(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return BOUGH_OK;
}

static void line_put(struct bough_buf *out, const struct transfer *t, size_t i)
{
    if (bough_oid_is_zero(&t->refs[i].id))
        return; /* leads nowhere */
    bough_buf_put_hex(out, t->refs[i].id.bytes, bough_algo_len(t->algo));
    bough_buf_put_u8(out, ' ');
    bough_buf_put_view(out, transfer_name(t, i));
    bough_buf_put_u8(out, '\n');
}

/* For each parent that was given up a line. */
static enum bough_err cuts_put(
    struct bough_buf *out, const struct transfer *t, struct bough_store *s)
{
    size_t id_len = bough_algo_len(t->algo);
    struct bough_buf body;
    enum bough_err err = out->err;

    bough_buf_init(&body, t->mem);
    for (size_t i = 0; i < t->cuts && !err; i++) {
        struct bough_commit c = {.parents_n = 0};
        enum bough_type type;
        bough_buf_clear(&body);
        err = bough_store_read(s, &t->cut[i], &type, &body);
        if (err == BOUGH_ENOENT) /* nor does anything lead there */
            err = BOUGH_OK;
        else if (!err)
            err = bough_commit_parse(t->algo, bough_buf_view(&body), &c);
        for (uint32_t k = 0; k < c.parents_n && !err; k++) {
            struct bough_oid parent = bough_commit_parent(&c, k);
            bough_buf_put_u8(out, '-');
            bough_buf_put_hex(out, parent.bytes, id_len);
            bough_buf_put_str(out, " " CUT);
            bough_buf_put_hex(out, t->cut[i].bytes, id_len);
            bough_buf_put_u8(out, '\n');
        }
    }
    bough_buf_fini(&body);
    return err;
}

static enum bough_err header_write(const struct transfer *t, struct bough_store *s, int *fd)
{
    struct bough_view head = bough_view(NULL, 0);
    struct bough_buf out;
    enum bough_err err;

    bough_buf_init(&out, t->mem);
    bough_buf_put_str(&out,
        t->algo == BOUGH_SHA1 ? "# v2 git bundle\n" : "# v3 git bundle\n@object-format=sha256\n");
    err = cuts_put(&out, t, s);
    if (t->n > 0 && bough_view_eq(transfer_name(t, 0), bough_view_str(HEAD)))
        head = transfer_target(t, 0);
    if (head.len > 0 || (t->n > 0 && transfer_name(t, 0).len == sizeof HEAD - 1))
        line_put(&out, t, 0);
    for (size_t i = 0; i < t->n && head.len > 0; i++) {
        if (bough_view_eq(transfer_name(t, i), head))
            line_put(&out, t, i);
    }
    for (size_t i = 0; i < t->n; i++) {
        struct bough_view name = transfer_name(t, i);
        if (!bough_view_eq(name, bough_view_str(HEAD)) && !bough_view_eq(name, head))
            line_put(&out, t, i);
    }
    bough_buf_put_u8(&out, '\n');
    err = err ? err : out.err;
    err = err ? err : write_all(fd, bough_buf_view(&out));
    bough_buf_fini(&out);
    return err;
}

static bool reaches_nothing(const struct transfer *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!bough_oid_is_zero(&t->refs[i].id))
            return false;
    }
    return true;
}

static int backup(struct cli *cli, struct transfer *t, int fd, const char *path)
{
    struct bough_why why = {0};
    enum bough_err err = transfer_take(t, cli->repo);

    if (!err)
        err = transfer_boundary_take(t, cli->engine);
    if (err)
        return say_error(err, cli->store, bough_repo_why(cli->repo));
    if (reaches_nothing(t)) {
        fprintf(stderr, "bough: backup: the store is empty, and Git has no empty bundles\n");
        return EXIT_NO;
    }
    err = header_write(t, cli->engine, &fd);
    if (!err)
        err = transfer_send(t, cli->repo, write_all, &fd, &why);
    if (!err && fd != STDOUT_FILENO && fsync(fd) != 0 && errno != EINVAL)
        err = BOUGH_EIO;
    if (err)
        return say_error(err, why.err ? cli->store : path, &why);
    fprintf(
        stderr, "bough: backup: %zu refs, %llu objects\n", t->n, (unsigned long long)t->objects);
    return EXIT_YES;
}

int verb_backup(struct cli *cli, int argc, char **argv)
{
    const char *path;
    struct transfer t;
    int code, fd;

    if (argc < 2 || argc > 3)
        return say_usage("backup", "what file, or - ?");
    if (argc == 3)
        cli_address(cli, argv[1]);
    path = argv[argc - 1];
    code = transfer_open_source(cli, true);
    if (code != 0)
        return code;
    fd = strcmp(path, "-") == 0 ? STDOUT_FILENO
                                : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        fprintf(stderr, "bough: %s: %s\n", path, strerror(errno));
        return EXIT_NO;
    }
    transfer_init(&t, cli->env.mem, cli->engine->algo);
    code = backup(cli, &t, fd, path);
    transfer_fini(&t);
    if (fd != STDOUT_FILENO && close(fd) != 0)
        code = say_error(BOUGH_EIO, path, NULL);
    if (fd != STDOUT_FILENO && code != 0)
        unlink(path);
    return code;
}

/* ---- Restore ---- */

static enum bough_err bad(struct bough_why *why, const char *what, struct bough_view line)
{
    return BOUGH_WHY(why, BOUGH_EFORMAT, what, line.ptr, line.len);
}

/* First line and capabilities; `*line` is the first that is neither. */
static enum bough_err signature_read(struct reader *r, struct transfer *t, char text[LINE_MAX_LEN],
    struct bough_view *line, struct bough_why *why)
{
    enum bough_err err = reader_until(r, '\n', text, LINE_MAX_LEN, line);
    bool third = !err && bough_view_eq(*line, bough_view_str("# v3 git bundle"));

    if (!err && !third && !bough_view_eq(*line, bough_view_str("# v2 git bundle")))
        return bad(why, "not a git bundle", bough_view(NULL, 0));
    t->algo = BOUGH_SHA1;
    while (!err) {
        err = reader_until(r, '\n', text, LINE_MAX_LEN, line);
        if (err || !third || line->len == 0 || line->ptr[0] != '@')
            return err;
        if (bough_view_eq(*line, bough_view_str("@object-format=sha256")))
            t->algo = BOUGH_SHA256;
        else if (!bough_view_eq(*line, bough_view_str("@object-format=sha1")))
            return bad(why, "the bundle wants something that is not known here", *line);
    }
    return err;
}

/* The branch that HEAD names: the one behind it, else as git guesses. */
static void head_guess(struct transfer *t)
{
    static const char *const usual[] = {"refs/heads/main", "refs/heads/master", "refs/heads/"};
    size_t head = 0, best = t->n, rank = 4;

    while (head < t->n && !bough_view_eq(transfer_name(t, head), bough_view_str(HEAD)))
        head++;
    if (head == t->n)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct bough_view name = transfer_name(t, i);
        size_t fits = 3;
        if (i == head || !bough_oid_eq(&t->refs[i].id, &t->refs[head].id))
            continue;
        for (size_t k = 3; k-- > 0;) {
            size_t n = strlen(usual[k]);
            if (name.len >= n && memcmp(name.ptr, usual[k], n) == 0 && (k == 2 || name.len == n))
                fits = k + 1;
        }
        if (fits <= 3 && name.len > 11 && memcmp(name.ptr, usual[2], 11) == 0) {
            fits = head == 0 && i == 1 ? 0 : fits;
            if (fits < rank) {
                best = i;
                rank = fits;
            }
        }
    }
    if (best < t->n) { /* else it is detached */
        t->refs[head].target = t->refs[best].name;
        t->refs[head].target_len = t->refs[best].name_len;
    }
}

/* `-PARENT cut CHILD` */
static enum bough_err cut_read(struct transfer *t, struct bough_view line, struct bough_why *why)
{
    size_t hex = 2 * bough_algo_len(t->algo), skip = 1 + hex + sizeof " " CUT - 1;
    struct bough_oid id;

    if (line.len != skip + hex || memcmp(line.ptr + 1 + hex, " " CUT, sizeof " " CUT - 1) != 0 ||
        bough_oid_parse(t->algo, bough_view(line.ptr + skip, hex), &id))
        return bad(why, "the bundle builds on commits that are not in it", line);
    if (t->cuts > 0 && bough_oid_eq(&t->cut[t->cuts - 1], &id))
        return BOUGH_OK; /* its other parents */
    return transfer_cut_add(t, &id);
}

static enum bough_err refs_read(struct reader *r, struct transfer *t, struct bough_why *why)
{
    char text[LINE_MAX_LEN];
    struct bough_view line;
    struct bough_oid id;
    enum bough_err err = signature_read(r, t, text, &line, why);

    while (!err && line.len > 0) {
        size_t hex = 2 * bough_algo_len(t->algo);
        if (line.ptr[0] == '-')
            err = cut_read(t, line, why);
        else if (line.len < hex + 2 || line.ptr[hex] != ' ' ||
                 bough_oid_parse(t->algo, bough_view(line.ptr, hex), &id))
            err = bad(why, "not a ref of a bundle", line);
        else
            err = transfer_add(
                t, bough_view(line.ptr + hex + 1, line.len - hex - 1), &id, bough_view(NULL, 0));
        if (!err)
            err = reader_until(r, '\n', text, LINE_MAX_LEN, &line);
    }
    if (err == BOUGH_ENOENT || err == BOUGH_ETOOBIG)
        return bad(why, "not a git bundle", bough_view(NULL, 0));
    if (!err && t->n == 0)
        return bad(why, "a bundle without refs", bough_view(NULL, 0));
    if (!err && t->n == 1 && bough_view_eq(transfer_name(t, 0), bough_view_str(HEAD))) {
        id = t->refs[0].id; /* as of `git bundle create FILE HEAD`: nobody says which branch */
        err = transfer_add(t, bough_view_str("refs/heads/main"), &id, bough_view(NULL, 0));
    }
    head_guess(t);
    return err;
}

static enum bough_err pack_read(struct reader *r, struct receiver *x)
{
    enum bough_err err = BOUGH_OK;

    while (!err && x->session != NULL && x->session->state == BOUGH_SYNC_INPUT) {
        struct bough_view bytes;
        err = reader_take(r, &bytes);
        if (!err)
            err = receiver_feed(x, bytes);
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err; /* cut short: the session will say */
}

static int restore(struct cli *dst, struct reader *r, struct transfer *t, const char *path)
{
    struct receiver x = {.t = t};
    struct bough_why why = {0};
    enum bough_err err = transfer_boundary_set(t, dst->engine);

    if (err)
        return say_error(err, dst->store, &dst->engine->why);
    err = receiver_open(&x, t, dst->repo, false, &why);
    if (!err)
        err = pack_read(r, &x);
    if (!err)
        err = receiver_finish(&x, &why);
    if (x.session != NULL)
        t->objects = x.session->objects;
    receiver_close(&x);
    if (err)
        return say_error(err, path, &why);
    fprintf(
        stderr, "bough: restore: %zu refs, %llu objects\n", t->n, (unsigned long long)t->objects);
    return EXIT_YES;
}

static int restore_from(struct cli *cli, int fd, const char *path)
{
    struct reader *r = calloc(1, sizeof *r);
    struct transfer t;
    enum bough_err err = r == NULL ? BOUGH_ENOMEM : BOUGH_OK;
    int code;

    transfer_init(&t, cli->env.mem, BOUGH_SHA1);
    if (!err) {
        r->fd = fd;
        err = refs_read(r, &t, &cli->why);
    }
    code = err ? say_error(err, path, &cli->why) : transfer_open_target(cli, t.algo, 0);
    if (code == 0)
        code = restore(cli, r, &t, path);
    transfer_fini(&t);
    free(r);
    return code;
}

int verb_restore(struct cli *cli, int argc, char **argv)
{
    int fd, code;

    if (argc < 2 || argc > 3)
        return say_usage("restore", "from what file, or - ?");
    cli_address(cli, argc == 3 ? argv[2] : NULL);
    fd = strcmp(argv[1], "-") == 0 ? STDIN_FILENO : open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "bough: %s: %s\n", argv[1], strerror(errno));
        return EXIT_NO;
    }
    code = restore_from(cli, fd, argv[1]);
    if (fd != STDIN_FILENO)
        close(fd);
    return code;
}
