/*
 * convert.c - a store into another one, of any engine.
 *
 *   ends      the source folded; the target opened or made, and empty
 *   side      where history ends, retention, and reflogs, which are no refs of git's
 *   verb
 *
 * What goes over is what all refs reach, as a pack, and the refs, HEAD and symbolic ones as they
 * are: all ids stay the same.  Windows of the source are folded first.  Reflogs go along with what they
 * alone reach, but not into a git:DIR, where git writes its own.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/transfer.h"
#include "store/collect.h"

#define KEEP "keep/"
#define LOGS "logs/" /* repo/reflog.c */

/* ---- Ends ---- */

/* A device, or a part of a file, is there before the store is. */
static bool device_is_there(struct cli *dst)
{
    bool there;

    if (cli_device_open(dst, dst->store, BOUGH_FILEBLK_READONLY))
        return true; /* who opens it says why not */
    there = cli_device_used(dst);
    bough_fileblk_close(&dst->file);
    return there;
}

static bool is_there(struct cli *dst)
{
    const char *dir = address_folder(dst->store);
    struct device_place place;
    struct stat st;

    if (strcmp(dst->store, "mem:") == 0 || (dir == NULL && !device_parse(dst->store, &place)))
        return true;
    if (stat(dir != NULL ? dir : place.path, &st) != 0)
        return false;
    if (dir == NULL && (place.part || S_ISBLK(st.st_mode)))
        return device_is_there(dst);
    return S_ISDIR(st.st_mode) || st.st_size > 0;
}

/* Are there no refs and no records? */
static int expect_empty(struct cli *dst)
{
    struct bough_ref ref;
    struct bough_store_stats st = {0};
    enum bough_err err =
        bough_store_ref_next(dst->engine, bough_view_str("refs/"), bough_view(NULL, 0), &ref);

    if (!err || (err == BOUGH_ENOENT && !bough_store_stat(dst->engine, &st) && st.records > 0)) {
        fprintf(stderr, "bough: %s: the store is not empty\n", dst->store);
        return EXIT_DENIED;
    }
    return err == BOUGH_ENOENT ? 0 : say_error(err, dst->store, &dst->engine->why);
}

int transfer_open_source(struct cli *src, bool all)
{
    struct bough_store_stats st = {0};
    int code = cli_open(src, OPEN_READ);

    if (code != 0 || bough_store_stat(src->engine, &st))
        return code;
    if (all && st.refs_unfit > 0) {
        fprintf(stderr,
            "bough: %s: %llu refs have names of over %d bytes, which no store of ours holds; "
            "rename "
            "or remove them first (git for-each-ref)\n",
            src->store, (unsigned long long)st.refs_unfit, BOUGH_REF_NAME_MAX);
        return EXIT_NO;
    }
    if (st.records == 0)
        return code;
    cli_close(src); /* what a journal holds is folded into commits, which is writing */
    return cli_open(src, 0);
}

int transfer_open_target(struct cli *dst, enum bough_algo algo, uint64_t size)
{
    struct init in = {.path = dst->store, .size = size, .algo = algo};
    int code = is_there(dst) ? 0 : cli_init(dst, &in);

    if (code == 0)
        code = cli_open(dst, 0);
    if (code == 0)
        code = expect_empty(dst);
    if (code == 0 && dst->engine->algo != algo) {
        fprintf(stderr, "bough: %s: the store is %s, what comes is %s\n", dst->store,
            bough_algo_name(dst->engine->algo), bough_algo_name(algo));
        return EXIT_USAGE;
    }
    return code;
}

/* ---- Side ---- */

/* What an earlier try left in a store without refs would cut what comes now. */
static enum bough_err boundary_clear(struct bough_store *dst, struct bough_txn *txn)
{
    struct bough_oid at;
    enum bough_err end = BOUGH_OK, err = bough_store_boundary_next(dst, NULL, &at);

    while (!err && !end) {
        end = bough_txn_boundary(txn, &at, false);
        err = bough_store_boundary_next(dst, &at, &at);
    }
    return end || err == BOUGH_ENOENT ? end : err;
}

enum bough_err transfer_boundary_set(const struct transfer *t, struct bough_store *dst)
{
    struct bough_txn *txn;
    enum bough_err err = bough_txn_begin(dst, &txn);

    if (err)
        return err;
    err = boundary_clear(dst, txn);
    for (size_t i = 0; i < t->cuts && !err; i++)
        err = bough_txn_boundary(txn, &t->cut[i], true);
    if (err) {
        bough_txn_abort(txn);
        return err;
    }
    dst->boundary = BOUGH_BOUNDARY_UNKNOWN;
    return bough_txn_commit(txn, BOUGH_DURABLE_NOW);
}

enum bough_err transfer_boundary_take(struct transfer *t, struct bough_store *src)
{
    struct bough_oid at;
    enum bough_err err = bough_store_boundary_next(src, NULL, &at);

    while (!err) {
        err = transfer_cut_add(t, &at);
        if (!err)
            err = bough_store_boundary_next(src, &at, &at);
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* How much history branches keep; git has no place for it. */
enum bough_err transfer_keep(struct bough_store *src, struct bough_store *dst)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref ref;
    struct bough_txn *txn;
    enum bough_err err, end = bough_txn_begin(dst, &txn);

    if (end)
        return end;
    while (!end && !(err = bough_store_ref_next(src, bough_view_str(KEEP), after, &ref))) {
        struct bough_ref_change c = {
            .name = ref.name, .kind = ref.kind, .id = ref.id, .target = ref.target};
        end = bough_txn_ref(txn, &c);
        memcpy(name, ref.name.ptr, ref.name.len);
        after.len = ref.name.len;
    }
    if (end == BOUGH_EKEY)
        fprintf(stderr, "bough: convert: rules of `bough keep` do not go into a git:DIR\n");
    if (!end && err != BOUGH_ENOENT)
        end = err;
    if (!end)
        return bough_txn_commit(txn, BOUGH_DURABLE_NOW);
    bough_txn_abort(txn);
    return end == BOUGH_EKEY ? BOUGH_OK : end;
}

enum bough_err transfer_logs_take(
    struct transfer *t, struct bough_store *src, transfer_has *has, void *ctx)
{
    size_t id_len = bough_algo_len(src->algo);
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref row;
    enum bough_err err;

    while (!(err = bough_store_ref_next(src, bough_view_str(LOGS), after, &row))) {
        struct bough_oid was = {{0}};
        memcpy(name, row.name.ptr, row.name.len);
        after.len = row.name.len;
        if (row.name.len < 10 || memcmp(row.name.ptr, LOGS "refs/", 10) != 0 ||
            row.target.len < 2 * id_len)
            continue; /* HEAD's, which only git has */
        memcpy(was.bytes, row.target.ptr, id_len);
        err = transfer_add(t, after, &was, row.target);
        if (err)
            return err;
        if (!bough_oid_is_zero(&was) && !has(ctx, &was))
            t->refs[t->n - 1].id = (struct bough_oid){{0}};
    }
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* That all refs came into being a moment ago is not what their logs are to say. */
static enum bough_err logs_clear(struct bough_store *dst)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_ref_change gone = {.kind = BOUGH_REF_NONE};
    struct bough_txn *txn;
    struct bough_ref row;
    enum bough_err err, end = bough_txn_begin(dst, &txn);

    if (end)
        return end;
    while (!end && !(err = bough_store_ref_next(dst, bough_view_str(LOGS), after, &row))) {
        memcpy(name, row.name.ptr, row.name.len);
        after.len = row.name.len;
        gone.name = after;
        end = bough_txn_ref(txn, &gone);
    }
    if (!end && err != BOUGH_ENOENT)
        end = err;
    if (!end)
        return bough_txn_commit(txn, BOUGH_DURABLE_NOW);
    bough_txn_abort(txn);
    return end;
}

enum bough_err transfer_logs_set(const struct transfer *t, struct bough_store *dst)
{
    struct bough_txn *txn = NULL;
    enum bough_err err = logs_clear(dst);

    if (!err)
        err = bough_txn_begin(dst, &txn);
    if (err)
        return err;
    for (size_t i = 0; i < t->n && !err; i++) {
        struct bough_ref_change row = {
            .kind = BOUGH_REF_SYM, .name = transfer_name(t, i), .target = transfer_target(t, i)};
        if (transfer_is_log(t, i))
            err = bough_txn_ref(txn, &row);
    }
    if (!err)
        return bough_txn_commit(txn, BOUGH_DURABLE_NOW);
    bough_txn_abort(txn);
    return err;
}

static bool is_stored(void *ctx, const struct bough_oid *id)
{
    return bough_store_has(ctx, id) == BOUGH_OK;
}

/* Into `t` what can go along of the logs. */
static enum bough_err logs_prepare(struct cli *src, struct cli *dst, struct transfer *t)
{
    struct bough_ref row;

    if (address_rest(dst->store, "git:") == NULL)
        return transfer_logs_take(t, src->engine, is_stored, src->engine);
    if (bough_store_ref_next(src->engine, bough_view_str(LOGS), bough_view(NULL, 0), &row) ==
        BOUGH_OK)
        fprintf(stderr, "bough: convert: reflogs do not go into a git:DIR\n");
    return BOUGH_OK;
}

/* ---- Verb ---- */

static int convert(struct cli *src, struct cli *dst, struct transfer *t)
{
    struct bough_why why = {0};
    size_t refs;
    enum bough_err err = transfer_take(t, src->repo);

    refs = t->n;
    if (!err)
        err = transfer_boundary_take(t, src->engine);
    if (!err)
        err = logs_prepare(src, dst, t);
    if (err)
        return say_error(err, src->store, bough_repo_why(src->repo));
    err = transfer_boundary_set(t, dst->engine);
    if (!err)
        err = transfer_keep(src->engine, dst->engine);
    if (err)
        return say_error(err, dst->store, &dst->engine->why);
    err = transfer_copy(t, src->repo, dst->repo, &why);
    if (!err && address_rest(dst->store, "git:") == NULL) {
        err = transfer_logs_set(t, dst->engine);
        why = dst->engine->why;
    }
    if (err)
        return say_error(err, dst->store, &why);
    fprintf(
        stderr, "bough: convert: %zu refs, %llu objects\n", refs, (unsigned long long)t->objects);
    return EXIT_YES;
}

int verb_convert(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1};
    struct cli dst = {.env = cli->env, .level = cli->level};
    struct transfer t;
    uint64_t size = 0;
    const char *name;
    int code;

    while ((name = flag_next(&f)) != NULL) {
        if (strcmp(name, "--size") != 0)
            return flag_unknown("convert", name);
        if (flag_value(&f) == NULL || !bough_size_parse(bough_view_str(f.value), &size))
            return say_usage("convert", "--size is a number, with K, M, G or T");
    }
    if (argc - f.at != 2)
        return say_usage("convert", "from where, and to where");
    cli_address(cli, argv[f.at]);
    dst.store = argv[f.at + 1];
    code = transfer_open_source(cli, true);
    if (code != 0)
        return code;
    transfer_init(&t, cli->env.mem, cli->engine->algo);
    code = transfer_open_target(&dst, cli->engine->algo, size);
    if (code == 0)
        code = convert(cli, &dst, &t);
    transfer_fini(&t);
    cli_close(&dst);
    return code;
}
