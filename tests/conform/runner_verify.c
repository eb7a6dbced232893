/*
 * runner_verify.c - verify: is the place sound?
 *
 *   any place    the digest that it tells equals the one made by reading it all
 *   a store      its own check; then all its objects and refs go into a pack and a scratch
 *                repository, and `git fsck --strict` judges them
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "kv/inner.h"
#include "runner.h"
#include "store/collect.h"

/* ---- The pack ---- */

struct export
{
    struct run *run;
    FILE *f;
    struct bough_hash hash;
    uint32_t count;
    struct bough_oid *ids;
    size_t cap;
    bool failed;
};

static enum bough_err id_collect(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct export *e = ctx;

    (void)found;
    if (e->count == e->cap) {
        e->cap = e->cap * 2 + 256;
        e->ids = realloc(e->ids, e->cap * sizeof *e->ids);
    }
    e->ids[e->count++] = *id;
    return BOUGH_OK;
}

static void pack_put(struct export *e, const void *src, size_t n)
{
    bough_hash_update(&e->hash, src, n);
    e->failed |= fwrite(src, 1, n, e->f) != n;
}

/* The type and size in front of an entry. */
static void pack_head(struct export *e, enum bough_type type, uint64_t size)
{
    uint8_t head[16];
    size_t n = 0;
    uint8_t c = (uint8_t)((unsigned)type << 4 | (size & 15));

    for (size >>= 4; size > 0; size >>= 7) {
        head[n++] = c | 0x80;
        c = size & 0x7f;
    }
    head[n++] = c;
    pack_put(e, head, n);
}

static void pack_deflate(struct export *e, struct bough_object *o)
{
    static uint8_t in[1 << 16], out[1 << 16];
    z_stream z = {0};
    uint64_t at = 0;
    int rc;

    deflateInit(&z, 1);
    do {
        size_t got = 0;

        if (z.avail_in == 0 && at < o->size) {
            if (bough_object_read(o, at, in, sizeof in, &got) != BOUGH_OK || got == 0) {
                e->failed = true;
                break;
            }
            at += got;
            z.next_in = in;
            z.avail_in = (uInt)got;
        }
        z.next_out = out;
        z.avail_out = sizeof out;
        rc = deflate(&z, at == o->size ? Z_FINISH : Z_NO_FLUSH);
        pack_put(e, out, sizeof out - z.avail_out);
    } while (rc != Z_STREAM_END && rc != Z_STREAM_ERROR);
    deflateEnd(&z);
}

/* All objects of the store as one pack at `path`. */
static bool pack_write(struct run *r, const char *path)
{
    struct export e = {.run = r, .f = fopen(path, "wb")};
    uint8_t head[12] = {'P', 'A', 'C', 'K', 0, 0, 0, 2}, sum[BOUGH_DIGEST_MAX];

    if (e.f == NULL)
        return false;
    e.failed = bough_store_each(r->store, id_collect, &e) != BOUGH_OK;
    bough_hash_init(&e.hash, r->opts.algo);
    bough_put32be(head + 8, e.count);
    pack_put(&e, head, sizeof head);
    for (uint32_t i = 0; i < e.count && !e.failed; i++) {
        struct bough_object *o;

        if (bough_store_object_open(r->store, &e.ids[i], &o) != BOUGH_OK) {
            e.failed = true;
            break;
        }
        pack_head(&e, o->type, o->size);
        pack_deflate(&e, o);
        bough_object_close(o);
    }
    bough_hash_final(&e.hash, sum);
    e.failed |= fwrite(sum, 1, bough_algo_len(r->opts.algo), e.f) != bough_algo_len(r->opts.algo);
    e.failed |= fclose(e.f) != 0;
    free(e.ids);
    return !e.failed;
}

/* ---- Git ---- */

/* All refs that name ids, as git's packed-refs. */
static bool refs_write(struct run *r, const char *path)
{
    struct bough_ref ref;
    char after[BOUGH_REF_NAME_MAX + 1] = "", hex[BOUGH_HEX_MAX];
    FILE *f = fopen(path, "wb");

    if (f == NULL)
        return false;
    fputs("# pack-refs with: sorted \n", f);
    while (bough_store_ref_next(r->store, bough_view_str("refs/"), bough_view_str(after), &ref) ==
           BOUGH_OK) {
        size_t n = bough_oid_hex(r->opts.algo, &ref.id, hex);

        memcpy(after, ref.name.ptr, ref.name.len);
        after[ref.name.len] = '\0';
        if (ref.kind == BOUGH_REF_ID)
            fprintf(f, "%.*s %s\n", (int)n, hex, after);
    }
    return fclose(f) == 0;
}

/* The commits where history ends, as git's shallow file. */
static bool shallow_write(struct run *r, const char *path)
{
    struct bough_oid id, after;
    char hex[BOUGH_HEX_MAX];
    enum bough_err err = bough_store_boundary_next(r->store, NULL, &id);
    FILE *f;

    if (err == BOUGH_ENOENT)
        return true;
    f = fopen(path, "wb");
    if (f == NULL)
        return false;
    for (; !err; err = bough_store_boundary_next(r->store, &after, &id)) {
        fprintf(f, "%.*s\n", (int)bough_oid_hex(r->opts.algo, &id, hex), hex);
        after = id;
    }
    return fclose(f) == 0 && err == BOUGH_ENOENT;
}

static bool shell(struct run *r, const char *command)
{
    int rc = system(command);

    (void)r;
    return rc != -1 && WIFEXITED(rc) && WEXITSTATUS(rc) == 0;
}

/* A clone made of plain files, judged by git; what git says goes to stderr. */
static bool git_judges(struct run *r)
{
    const char *format = r->opts.algo == BOUGH_SHA256 ? "sha256" : "sha1";
    char dir[600], path[700], command[3000];
    bool fine;

    snprintf(dir, sizeof dir, "%s/clone-%llu", r->dir, (unsigned long long)r->serial++);
    snprintf(command, sizeof command, "git init -q --bare --object-format=%s '%s'", format, dir);
    if (!shell(r, command))
        return false;
    snprintf(path, sizeof path, "%s/all.pack", dir);
    fine = pack_write(r, path);
    snprintf(path, sizeof path, "%s/packed-refs", dir);
    fine = fine && refs_write(r, path);
    snprintf(path, sizeof path, "%s/shallow", dir);
    fine = fine && shallow_write(r, path);
    snprintf(command, sizeof command,
        "cd '%s' && git index-pack --stdin --strict < all.pack >/dev/null && rm all.pack && "
        "{ git fsck --strict --full --no-dangling --no-progress 2>&1 | grep -v '^notice: ' > said; "
        "test ! -s said || { cat said >&2; false; }; }",
        dir);
    fine = fine && shell(r, command);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    shell(r, command);
    return fine;
}

/* ---- The step ---- */

static void check_say(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    fprintf(stderr, "conform: check: %s: %s %.*s\n", answer_err_name(err), what, (int)key.len,
        (const char *)key.ptr);
}

static void step_verify(struct step *s)
{
    struct run *r = s->run;
    struct bough_oid told, made;
    enum bough_err err = bough_kv_digest(s->kv, bough_view("", 0), &told);

    if (!err)
        err = bough_kv__digest_walk(s->kv, bough_view("", 0), &made);
    if (!err && !bough_oid_eq(&told, &made))
        err = BOUGH_ECORRUPT;
    if (!err && r->store != NULL) {
        err = bough_store_check(r->store, check_say, NULL);
        if (!err && !r->faults &&
            !git_judges(r)) /* faults come often; git judges the run without */
            err = BOUGH_ECORRUPT;
    }
    if (err)
        answer_err(s->got, answer_err_name(err), bough_view(NULL, 0));
    else
        answer_ok(s->got);
}

/* `gc [keep N]`: of all branches N commits from now on; what is not reached goes at once. */
static void step_gc(struct step *s)
{
    struct bough_keep all = {.refs = bough_view_str("*")};
    struct bough_collect_opts opts = {.grace = 0};
    struct bough_repo *repo = s->run->repo;
    bool more = true;
    enum bough_err err = BOUGH_OK;

    if (repo == NULL) {
        answer_err(s->got, "not-supported", bough_view(NULL, 0));
        return;
    }
    if (s->args.n > 0) {
        if (!arg_is(s, 0, "keep") || s->args.n != 2 || bough_keep_parse(arg(s, 1), &all)) {
            done_invalid(s);
            return;
        }
        err = bough_repo_keep_set(repo, &all);
    }
    if (!err)
        err = bough_repo_collect(repo, &opts, 0);
    if (err == BOUGH_ENOTSUP && s->args.n == 0)
        err = BOUGH_OK; /* the upkeep that is due */
    while (!err && more)
        err = bough_repo_maintain(repo, 16u << 20, &more);
    if (err)
        answer_why(s->got, err, bough_repo_why(repo));
    else
        answer_ok(s->got);
}

/* `device SIZE UNIT`: the place again, on such a device. */
static void step_device(struct step *s)
{
    struct run *r = s->run;
    uint64_t size, unit = r->opts.unit;
    struct bough_why why;
    enum bough_err err;

    if (!text_number(arg(s, 0), &size) || (s->args.n > 1 && !text_number(arg(s, 1), &unit)) ||
        unit < BOUGH_UNIT_MIN || unit > BOUGH_UNIT_MAX || (unit & (unit - 1)) != 0) {
        done_invalid(s);
        return;
    }
    r->opts.size = size;
    r->opts.unit = (uint32_t)unit;
    err = place_fresh(r, &why);
    if (err)
        answer_why(s->got, err, &why);
    else
        answer_ok(s->got);
}

/* `crash-at-write N [lost|kept|torn|seed S]`. */
static void step_crash(struct step *s)
{
    static const char *const names[] = {"lost", "kept", "torn"};
    enum cut_fate fate = CUT_LOST;
    uint64_t n, seed = 0;

    if (!text_number(arg(s, 0), &n) || n == 0 || n > INT64_MAX) {
        done_invalid(s);
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (arg_is(s, 1, names[i]))
            fate = (enum cut_fate)i;
    }
    if (arg_is(s, 1, "seed")) {
        fate = CUT_SEEDED;
        text_number(arg(s, 2), &seed);
    }
    fault_dev_arm(s->run->dev, n, fate, seed);
    answer_ok(s->got);
}

const struct step_def *steps_verify(void)
{
    static const struct step_def defs[] = {
        {"verify", "", step_verify},
        {"gc", "", step_gc},
        {"device", "device", step_device},
        {"crash-at-write", "crash", step_crash},
        {NULL, NULL, NULL},
    };

    return defs;
}
