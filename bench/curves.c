/*
 * curves.c - how cost follows size: points of curves, as JSON lines.
 *
 *   history     durable commits of one key, after so many commits
 *   modified    when was a key set last that was set at the beginning, so many commits ago; by the
 *               index of history, and by walking
 *   directory   durable commits and journalled sets of one key in a flat directory of so many, and
 *               the first get of a process
 *   branches    making a branch beside so many
 *   get         reading one key of so many, processor time; with caches that hold a hundred thousand,
 *               and with such that hold a million
 *   space       bytes in use after so many commits of one key, upkeep going on; all history, or
 *               the newest thousand commits
 *   compaction  durable sets while a collection goes on, and without
 *
 * {"curve": "history", "series": "commit", "x": 1000, "p50": 91.5, "p99": 140.2}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/posix.h"
#include "bench/bench.h"
#include "block/file.h"
#include "kv/kv.h"
#include "store/collect.h"
#include "store/log/log.h"

enum {
    SAMPLES = 400,
    SYNC_EACH = 1000,
    KEYS = 1000,
    STEP = 256 * 1024,
    KEPT = 1000,
    ZONE = 1 << 20
};

struct bed {
    struct bough_env env;
    struct bough_fileblk file;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_kv *kv;
    uint32_t history_batch;
    size_t cache; /* bytes */
};

static void check(enum bough_err err, const char *what)
{
    if (err)
        die(what, bough_err_name(err));
}

static void repo_open(struct bed *b, enum bough_durable durable, uint32_t window_ms)
{
    struct bough_repo_opts opts = {.window = {.time_ms = window_ms},
        .durable = durable,
        .cache = b->cache,
        .history_batch = b->history_batch};

    check(bough_repo_open(b->store, &opts, &b->repo), "repository");
    check(bough_kv_branch_open(b->repo, bough_view_str("main"), &b->kv), "branch");
}

static void repo_close(struct bed *b)
{
    check(bough_repo_fold_all(b->repo), "fold");
    bough_kv_close(b->kv);
    bough_repo_close(b->repo);
}

static void bed_open(struct bed *b, const char *path, uint64_t bytes)
{
    const struct bough_log_format_opts format = {.zone = ZONE};

    b->env = bough_posix_env(NULL);
    check(bough_fileblk_open(&b->file, path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_DIRECT, 0, NULL),
        "open");
    check(bough_block_resize(&b->file.blk, 0), "resize");
    check(bough_block_resize(&b->file.blk, bytes / b->file.blk.unit), "resize");
    check(bough_log_format(&b->file.blk, &b->env, &format, NULL), "format");
    check(bough_log_open(&b->file.blk, &b->env, NULL, &b->store, NULL), "store");
    repo_open(b, BOUGH_DURABLE_LATER, 0);
}

static void bed_close(struct bed *b)
{
    repo_close(b);
    bough_store_close(b->store);
    bough_fileblk_close(&b->file);
}

static void durable_from_now(struct bed *b, enum bough_durable durable, uint32_t window_ms)
{
    repo_close(b);
    check(bough_store_sync(b->store), "sync");
    repo_open(b, durable, window_ms);
}

/* ---- Points ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void point(const char *curve, const char *series, uint64_t x, double *us, size_t n)
{
    qsort(us, n, sizeof *us, by_value);
    printf("{\"curve\": \"%s\", \"series\": \"%s\", \"x\": %llu, \"p50\": %.2f, \"p99\": %.2f}\n",
        curve, series, (unsigned long long)x, us[n / 2], us[n * 99 / 100]);
    fflush(stdout);
}

static void set(struct bed *b, const char *key, size_t len, uint32_t version)
{
    char value[VALUE_LEN];

    value_of((uint32_t)len, version, value);
    check(bough_kv_set(b->kv, bough_view(key, len), bough_view(value, VALUE_LEN), NULL), "set");
}

static void set_number(struct bed *b, uint32_t i, uint32_t version)
{
    char key[KEY_MAX];

    set(b, key, key_of(i, key), version);
}

/* Sets that were measured, with a pause for upkeep between them, as a server would have it. */
static void sets_measure(struct bed *b, const char *curve, const char *series, uint64_t x,
    uint32_t n, size_t (*name)(uint32_t i, char dst[KEY_MAX]), uint32_t names)
{
    static double us[20 * SAMPLES];
    static uint32_t version = 1u << 30;
    uint64_t seed = x;

    for (uint32_t i = 0; i < n; i++) {
        char key[KEY_MAX];
        size_t len = name(pick(&seed, names), key);
        double start = now_ns();

        set(b, key, len, version++);
        us[i] = (now_ns() - start) / 1000;
    }
    point(curve, series, x, us, n);
}

static void upkeep(struct bed *b)
{
    bool more = true;

    while (more)
        check(bough_repo_maintain(b->repo, STEP, &more), "maintain");
}

/* ---- Curves ---- */

static void curve_history(struct bed *b, uint64_t most)
{
    uint64_t seed = 1;
    uint32_t done = 0;

    for (uint64_t x = 100; x <= most; x *= 10) {
        for (; done < x; done++) {
            set_number(b, pick(&seed, KEYS), done);
            if (done % SYNC_EACH == 0)
                upkeep(b);
        }
        durable_from_now(b, BOUGH_DURABLE_NOW, 0);
        sets_measure(b, "history", "commit", x, SAMPLES, key_of, KEYS);
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
    }
}

/* Of `n` keys that were set before all others. */
static void modified_measure(struct bed *b, const char *series, uint64_t x, uint32_t n)
{
    static double us[SAMPLES];

    for (uint32_t i = 0; i < n; i++) {
        char key[KEY_MAX];
        size_t len = key_of(KEYS + i, key);
        double start = now_ns();
        struct bough_modified m;

        check(bough_kv_last_modified(b->kv, bough_view(key, len), &m), "last modified");
        us[i] = (now_ns() - start) / 1000;
    }
    point("modified", series, x, us, n);
}

static void curve_modified(struct bed *b, uint64_t most)
{
    uint64_t seed = 1;
    uint32_t done = 0;

    for (uint32_t i = 0; i < SAMPLES; i++)
        set_number(b, KEYS + i, 0);
    for (uint64_t x = 1000; x <= most; x *= 10) {
        for (; done < x; done++) {
            set_number(b, pick(&seed, KEYS), done);
            if (done % SYNC_EACH == 0)
                upkeep(b);
        }
        upkeep(b);
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
        modified_measure(b, "indexed", x, SAMPLES);
        if (x > 100000)
            continue;
        b->history_batch = UINT32_MAX;
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
        modified_measure(b, "walked", x, x > 1000 ? 5 : 50);
        b->history_batch = 0;
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
    }
}

static size_t flat_key(uint32_t i, char dst[KEY_MAX])
{
    return (size_t)snprintf(dst, KEY_MAX, "key-%08u", (unsigned)i);
}

/* The first get of a process: nothing is in memory yet but what the system keeps. */
static void first_get_measure(struct bed *b, uint64_t x)
{
    enum { OPENED = 7 };
    double us[OPENED];
    uint64_t seed = x;

    for (uint32_t i = 0; i < OPENED; i++) {
        struct bough_buf value;
        char key[KEY_MAX];
        size_t len = flat_key(pick(&seed, (uint32_t)x), key);
        double start;

        repo_close(b);
        bough_store_close(b->store);
        check(bough_log_open(&b->file.blk, &b->env, NULL, &b->store, NULL), "store");
        repo_open(b, BOUGH_DURABLE_LATER, 0);
        bough_buf_init(&value, b->env.mem);
        start = now_ns();
        check(bough_kv_get(b->kv, bough_view(key, len), &value), "get");
        us[i] = (now_ns() - start) / 1000;
        bough_buf_fini(&value);
    }
    point("directory", "first get", x, us, OPENED);
}

static void curve_directory(struct bed *b, uint64_t most)
{
    uint32_t done = 0;

    for (uint64_t x = 100; x <= most; x *= 10) {
        struct bough_kv *batch;
        char key[KEY_MAX], value[VALUE_LEN];

        check(bough_kv_begin(b->kv, BOUGH_TEST_AND_SET, &batch), "begin");
        for (; done < x; done++) {
            value_of(done, 0, value);
            check(bough_kv_set(batch, bough_view(key, flat_key(done, key)),
                      bough_view(value, VALUE_LEN), NULL),
                "put");
        }
        check(bough_kv_commit(batch), "commit");
        durable_from_now(b, BOUGH_DURABLE_NOW, 0);
        sets_measure(b, "directory", "commit each", x, x > 100000 ? SAMPLES / 10 : SAMPLES,
            flat_key, (uint32_t)x);
        durable_from_now(b, BOUGH_DURABLE_NOW, 60000);
        sets_measure(b, "directory", "journalled", x, SAMPLES, flat_key, (uint32_t)x);
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
        first_get_measure(b, x);
    }
}

static void branch_make(struct bed *b, uint32_t i, const struct bough_oid *at)
{
    char name[KEY_MAX];
    struct bough_ref_update u = {.now = *at, .check = true};

    u.name = bough_view(name, (size_t)snprintf(name, sizeof name, "refs/heads/b%07u", i));
    check(bough_repo_update(b->repo, &u, 1, 0, NULL), "branch");
    check(u.err, "branch");
}

static void curve_branches(struct bed *b, uint64_t most)
{
    static double us[SAMPLES];
    struct bough_oid head;
    uint32_t done = 0;

    set_number(b, 1, 1);
    check(bough_repo_resolve(b->repo, bough_view_str("main"), &head), "head");
    for (uint64_t x = 100; x <= most; x *= 10) {
        for (; done < x; done++) {
            branch_make(b, done, &head);
            if (done % SYNC_EACH == 0)
                upkeep(b);
        }
        durable_from_now(b, BOUGH_DURABLE_NOW, 0);
        for (uint32_t i = 0; i < SAMPLES; i++) {
            double start = now_ns();

            branch_make(b, done++, &head);
            us[i] = (now_ns() - start) / 1000;
        }
        point("branches", "create", x, us, SAMPLES);
        durable_from_now(b, BOUGH_DURABLE_LATER, 0);
    }
}

static void get_one(struct bed *b, uint32_t i, struct bough_buf *buf)
{
    char key[KEY_MAX];

    bough_buf_clear(buf);
    check(bough_kv_get(b->kv, bough_view(key, key_of(i, key)), buf), "get");
}

static void curve_get(struct bed *b, uint64_t most)
{
    enum { GETS = 100000 };
    struct bough_buf buf;
    uint32_t done = 0;

    bough_buf_init(&buf, b->env.mem);
    for (uint64_t x = 1000; x <= most; x *= 10) {
        struct bough_kv *batch;
        char key[KEY_MAX], value[VALUE_LEN];
        uint64_t seed = x;
        double us, start;

        check(bough_kv_begin(b->kv, BOUGH_TEST_AND_SET, &batch), "begin");
        for (; done < x; done++) {
            value_of(done, 0, value);
            check(bough_kv_set(batch, bough_view(key, key_of(done, key)),
                      bough_view(value, VALUE_LEN), NULL),
                "put");
        }
        check(bough_kv_commit(batch), "commit");
        for (uint32_t i = 0; i < done; i++) /* fill the caches */
            get_one(b, i, &buf);
        start = cpu_ns();
        for (uint32_t i = 0; i < GETS; i++)
            get_one(b, pick(&seed, (uint32_t)x), &buf);
        us = (cpu_ns() - start) / GETS / 1000;
        point("get", b->cache > 64 << 20 ? "640 MiB of caches" : "64 MiB of caches", x, &us, 1);
    }
    bough_buf_fini(&buf);
}

static double used(const struct bed *b)
{
    struct bough_store_stats st;

    check(bough_store_stat(b->store, &st), "stat");
    return (double)st.used_bytes;
}

static void curve_space(struct bed *b, uint64_t most, bool all)
{
    struct bough_keep keep = {.refs = bough_view_str("main"), .commits = KEPT};
    struct bough_collect_opts opts = {.grace = 0};
    uint64_t seed = 2, next = most / 20;

    if (!all)
        check(bough_repo_keep_set(b->repo, &keep), "keep");
    for (uint32_t done = 1; done <= most; done++) {
        double bytes;

        set_number(b, pick(&seed, KEYS), done);
        if (done % SYNC_EACH == 0)
            upkeep(b);
        if (!all && done % (10 * KEPT) == 0)
            check(bough_repo_collect(b->repo, &opts, 0), "collect");
        if (done % next != 0)
            continue;
        bytes = used(b) / (1 << 20);
        point("space", all ? "all history" : "the newest 1,000 commits", done, &bytes, 1);
    }
}

/* Durable sets; a step of upkeep between them while there is any, and garbage for it. */
static void curve_compaction(struct bed *b, uint64_t most)
{
    static double us[20 * SAMPLES];
    struct bough_keep keep = {.refs = bough_view_str("main"), .commits = KEPT};
    struct bough_collect_opts opts = {.grace = 0};
    uint64_t seed = 3;

    for (uint32_t i = 0; i < most; i++)
        set_number(b, pick(&seed, KEYS), i);
    check(bough_repo_keep_set(b->repo, &keep), "keep");
    upkeep(b);
    durable_from_now(b, BOUGH_DURABLE_NOW, 0);
    for (int with = 0; with < 2; with++) {
        if (with)
            check(bough_repo_collect(b->repo, &opts, 0), "collect");
        for (uint32_t i = 0; i < 20 * SAMPLES; i++) {
            double start = now_ns();
            bool more;

            set_number(b, pick(&seed, KEYS), 1u << 29 | (uint32_t)(with << 20) | i);
            us[i] = (now_ns() - start) / 1000;
            if (with)
                check(bough_repo_maintain(b->repo, STEP / 4, &more), "maintain");
        }
        point("compaction", with ? "while collecting" : "without", most, us, 20 * SAMPLES);
    }
}

void curve(const char *which, const char *path, uint64_t most)
{
    struct bed b = {.cache = strcmp(which, "get-large") == 0 ? 640 << 20 : 64 << 20};

    bed_open(&b, path, (uint64_t)64 << 30);
    if (strcmp(which, "history") == 0)
        curve_history(&b, most);
    else if (strcmp(which, "modified") == 0)
        curve_modified(&b, most);
    else if (strcmp(which, "directory") == 0)
        curve_directory(&b, most);
    else if (strcmp(which, "branches") == 0)
        curve_branches(&b, most);
    else if (strcmp(which, "get") == 0 || strcmp(which, "get-large") == 0)
        curve_get(&b, most);
    else if (strcmp(which, "space") == 0 || strcmp(which, "space-all") == 0)
        curve_space(&b, most, which[5] != 0);
    else if (strcmp(which, "compaction") == 0)
        curve_compaction(&b, most);
    else
        die("curve", "no such curve");
    bed_close(&b);
}
