/*
 * runner_place.c - what a script runs on.
 *
 *   names      of places and their options; features
 *   fresh      made, with nothing in it
 *   opening    the repository, the main handle; closing
 *   reopen     handles and snapshots come back, batches do not
 *   a run      its clock, its chance, its memory
 */
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"
#include "store/gitdir.h"
#include "store/lmdb.h"
#include "store/log/log.h"
#include "store/mem.h"

/* ---- Names ---- */

static const char *const features[] = {"history", "batch", "handle", "snapshot", "branch", "mode",
    "reopen", "crash", "window", "watch", "any-name", "case", "nul-in-key", "rewrite", "device",
    "collect", "merge"};

static const struct {
    const char *name;
    enum place_kind kind;
    const char *has;
} kinds[] = {
    {"mem:", PLACE_MEM, "batch handle snapshot mode any-name case nul-in-key rewrite"},
    {"mem-store:", PLACE_MEM_STORE,
        "history batch handle snapshot branch mode reopen window watch any-name case nul-in-key "
        "rewrite collect"},
    {"log:", PLACE_LOG,
        "history batch handle snapshot branch mode reopen crash window watch any-name case "
        "nul-in-key rewrite device collect"},
    {"git:", PLACE_GIT,
        "history batch handle snapshot branch mode reopen watch any-name case nul-in-key rewrite"},
    {"lmdb:", PLACE_LMDB,
        "history batch handle snapshot branch mode reopen window watch any-name case nul-in-key "
        "rewrite"},
    {"dir:", PLACE_DIR, "handle mode reopen any-name case nul-in-key rewrite"},
};

bool place_forks(const struct place_opts *o)
{
    return o->kind == PLACE_MEM || o->kind == PLACE_MEM_STORE || o->kind == PLACE_LOG;
}

bool place_feature_known(const char *feature)
{
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        if (strcmp(features[i], feature) == 0)
            return true;
    }
    return false;
}

bool place_has(const struct place_opts *o, const char *feature)
{
    const char *has = kinds[0].has;
    size_t n = strlen(feature);

    if (n == 0)
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].kind == o->kind)
            has = kinds[i].has;
    }
    for (const char *at = has; (at = strstr(at, feature)) != NULL; at += n) {
        if ((at == has || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

/* One NAME=VALUE. */
static bool option_parse(const char *text, size_t n, struct place_opts *o)
{
    const char *eq = memchr(text, '=', n);
    size_t name = eq != NULL ? (size_t)(eq - text) : 0;
    struct bough_view value;
    uint64_t x;

    if (eq == NULL)
        return false;
    value = bough_view(eq + 1, n - name - 1);
#define IS(word) (name == strlen(word) && memcmp(text, word, name) == 0)
    if (IS("format")) {
        o->algo = bough_view_eq(value, bough_view_str("sha256")) ? BOUGH_SHA256 : BOUGH_SHA1;
        return o->algo == BOUGH_SHA256 || bough_view_eq(value, bough_view_str("sha1"));
    }
    if (IS("commit"))
        return bough_view_eq(value, bough_view_str("each"));
    if (!text_number(value, &x))
        return false;
    if (IS("size"))
        o->size = x;
    else if (IS("unit") && x <= BOUGH_UNIT_MAX)
        o->unit = (uint32_t)x;
    else if (IS("granule") && x <= BOUGH_UNIT_MAX)
        o->granule = (uint32_t)x;
    else
        return false;
#undef IS
    return true;
}

int place_parse(const char *text, struct place_opts *out)
{
    static const char *const others[] = {"fat:", "tar:"};
    const char *at = NULL;

    *out = (struct place_opts){.algo = BOUGH_SHA1, .unit = 512};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strncmp(text, others[i], strlen(others[i])) == 0)
            return 1;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(text, kinds[i].name, strlen(kinds[i].name)) == 0) {
            out->kind = kinds[i].kind;
            at = text + strlen(kinds[i].name);
        }
    }
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ",");

        if (!option_parse(at, n, out))
            return 2;
        at += n + (at[n] == ',');
    }
    if (at == NULL || (out->unit & (out->unit - 1)) != 0 || out->unit < BOUGH_UNIT_MIN)
        return 2;
    return (out->kind == PLACE_DIR || out->kind == PLACE_GIT) && out->algo != BOUGH_SHA1;
}

/* ---- Opening ---- */

static enum bough_err log_open(struct run *r, struct bough_why *why)
{
    return bough_log_open(&r->dev->blk, &r->env, NULL, &r->store, why);
}

/* Power cuts are for the log engine: where there are none, flushes only cost time. */
static enum bough_durable durable_of(const struct run *r)
{
    return r->opts.kind == PLACE_LOG ? BOUGH_DURABLE_NOW : BOUGH_DURABLE_LATER;
}

static enum bough_err repo_open(struct run *r, struct bough_why *why)
{
    struct bough_repo_opts opts = {.window = r->window, .durable = durable_of(r)};
    enum bough_err err = bough_repo_open(r->store, &opts, &r->repo);

    if (!err)
        err = place_handle(r, &r->kv);
    if (err && why->err == BOUGH_OK)
        *why = r->repo != NULL ? *bough_repo_why(r->repo) : r->store->why;
    return err;
}

enum bough_err place_handle(struct run *r, struct bough_kv **out)
{
    enum bough_err err;

    if (r->opts.kind == PLACE_DIR)
        err = bough_kv_dir_open(&r->env, r->dir_path, true, out);
    else if (r->opts.kind == PLACE_MEM)
        err = r->kv != NULL ? bough_kv_again(r->kv, out)
                            : bough_kv_memory_open(&r->env, r->opts.algo, out);
    else
        err = bough_kv_branch_open(r->repo, bough_view_str(r->branch), out);
    if (!err) {
        err = info_apply(r, *out);
        if (err) {
            bough_kv_close(*out);
            *out = NULL;
        }
    }
    return err;
}

static void handle_close(struct handle *h)
{
    if (h->kind != HANDLE_BATCH)
        bough_kv_close(h->kv);
    h->kv = NULL;
}

/* Close what is open; the store's medium stays. */
static void place_shut(struct run *r)
{
    watches_drop(r);
    for (size_t i = 0; i < r->handles_n; i++) {
        if (r->handles[i].kind == HANDLE_BATCH && r->handles[i].kv != NULL) {
            bough_kv_abort(r->handles[i].kv);
            r->handles[i].kv = NULL;
        }
    }
    for (size_t i = 0; i < r->handles_n; i++)
        handle_close(&r->handles[i]);
    bough_kv_close(r->kv);
    r->kv = NULL;
    bough_repo_close(r->repo);
    r->repo = NULL;
    r->open = false;
}

static int tree_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void place_close(struct run *r)
{
    place_shut(r);
    bough_store_close(r->store);
    r->store = NULL;
    if (r->dev != NULL) {
        fault_dev_close(r->dev);
        free(r->dev);
        r->dev = NULL;
    }
    if (r->dir_path != NULL) {
        nftw(r->dir_path, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
        free(r->dir_path);
        r->dir_path = NULL;
    }
}

void place_end(struct run *r)
{
    place_close(r);
    pool_drop(&r->step);
    pool_drop(&r->script);
}

/* ---- Fresh ---- */

static enum bough_err log_fresh(struct run *r, struct bough_why *why)
{
    struct bough_log_format_opts opts = {.algo = r->opts.algo, .granule = r->opts.granule};
    uint64_t size = r->opts.size > 0 ? r->opts.size : 1u << 30;
    enum bough_err err;

    r->dev = calloc(1, sizeof *r->dev);
    if (r->dev == NULL)
        return BOUGH_ENOMEM;
    err = fault_dev_open(r->dev, size, r->opts.unit, &r->io);
    if (err) {
        free(r->dev);
        r->dev = NULL;
        return err;
    }
    err = bough_log_format(&r->dev->blk, &r->env, &opts, why);
    return err ? err : log_open(r, why);
}

static enum bough_err folder_open(struct run *r, struct bough_why *why)
{
    if (r->opts.kind == PLACE_LMDB)
        return bough_lmdb_store_open(&r->env, r->dir_path, false, &r->store, why);
    return bough_gitdir_store_open(&r->env, r->dir_path, false, &r->store, why);
}

static enum bough_err folder_fresh(struct run *r, struct bough_why *why)
{
    enum bough_err err = r->opts.kind == PLACE_LMDB
                             ? bough_lmdb_create(r->dir_path, r->opts.algo, why)
                             : bough_gitdir_create(r->dir_path, why);

    return err ? err : folder_open(r, why);
}

enum bough_err place_fresh(struct run *r, struct bough_why *why)
{
    enum bough_err err = BOUGH_OK;

    place_close(r);
    for (size_t i = 0; i < r->handles_n; i++)
        free(r->handles[i].name);
    for (size_t i = 0; i < r->nodes_n; i++)
        free(r->nodes[i].name);
    r->handles_n = r->nodes_n = 0;
    r->dead = false;
    r->window = (struct bough_window){0};
    free(r->branch);
    r->branch = strdup("main");
    *why = (struct bough_why){0};
    if (r->opts.kind == PLACE_DIR || r->opts.kind == PLACE_GIT || r->opts.kind == PLACE_LMDB) {
        if (asprintf(&r->dir_path, "%s/dir-%llu", r->dir, (unsigned long long)r->serial++) < 0)
            return BOUGH_ENOMEM;
        mkdir(r->dir_path, 0700);
    }
    if (r->opts.kind == PLACE_LOG)
        err = log_fresh(r, why);
    else if (r->opts.kind == PLACE_GIT || r->opts.kind == PLACE_LMDB)
        err = folder_fresh(r, why);
    else if (r->opts.kind == PLACE_MEM_STORE)
        err = bough_mem_store_open(&r->env, r->opts.algo, &r->store);
    if (err)
        return err;
    err = r->store != NULL ? repo_open(r, why) : place_handle(r, &r->kv);
    r->open = !err;
    return err;
}

/* ---- Reopen ---- */

static enum bough_err handle_reopen(struct run *r, struct handle *h)
{
    if (h->kind == HANDLE_PLAIN)
        return place_handle(r, &h->kv);
    if (h->kind == HANDLE_SNAPSHOT && r->repo != NULL && !bough_oid_is_zero(&h->commit)) {
        enum bough_err err = bough_kv_commit_open(r->repo, &h->commit, &h->kv);

        return err == BOUGH_ENOENT ? BOUGH_OK : err; /* only its pin had kept it: it is over */
    }
    return BOUGH_OK;
}

enum bough_err place_reopen(struct run *r, struct bough_why *why)
{
    enum bough_err err = BOUGH_OK;

    *why = (struct bough_why){0};
    place_shut(r);
    if (r->opts.kind == PLACE_LOG) {
        bough_store_close(r->store);
        r->store = NULL;
        fault_dev_restart(r->dev);
        err = log_open(r, why);
    } else if (r->opts.kind == PLACE_GIT || r->opts.kind == PLACE_LMDB) {
        bough_store_close(r->store);
        r->store = NULL;
        err = folder_open(r, why);
    }
    r->dead = false;
    if (!err)
        err = r->store != NULL ? repo_open(r, why) : place_handle(r, &r->kv);
    for (size_t i = 0; !err && i < r->handles_n; i++)
        err = handle_reopen(r, &r->handles[i]);
    r->open = !err;
    return err;
}

/* ---- A run ---- */

static void world_now(void *ctx, struct bough_time *out)
{
    const struct run *r = ctx;
    struct timespec t;

    *out = r->clock;
    if (r->clock_fixed)
        return;
    clock_gettime(CLOCK_REALTIME, &t);
    *out = (struct bough_time){.sec = t.tv_sec, .nsec = (uint32_t)t.tv_nsec};
}

static void world_random(void *ctx, void *dst, size_t n)
{
    static uint64_t state = 1;

    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        ((uint8_t *)dst)[i] = (uint8_t)(state >> 56);
    }
}

void run_init(struct run *r, const struct place_opts *o, struct fault_mem *mem, const char *dir)
{
    static uint64_t serial;

    *r = (struct run){.opts = *o, .mem = mem, .dir = dir, .serial = serial += 1000};
    r->env = (struct bough_env){&mem->mem, r, world_now, world_random, NULL};
    r->io = (struct fault_count){.fail_at = FAULT_NEVER};
    r->info.author.time.sec = r->info.committer.time.sec = INT64_MIN;
    r->branch = strdup("main");
}

void run_fini(struct run *r)
{
    place_end(r);
    for (size_t i = 0; i < r->handles_n; i++)
        free(r->handles[i].name);
    for (size_t i = 0; i < r->nodes_n; i++)
        free(r->nodes[i].name);
    for (size_t i = 0; i < r->vars_n; i++)
        free(r->vars[i].name);
    free(r->handles);
    free(r->nodes);
    free(r->vars);
    free(r->watches);
    free(r->branch);
}
