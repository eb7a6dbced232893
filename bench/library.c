/*
 * library.c - the library next to LMDB, SQLite and libgit2: random reads, durable writes.
 *
 *   measuring   a clock, random numbers, samples as JSON lines
 *   peers       bough (twice: a commit each, and journalled), LMDB, SQLite, libgit2
 *   get         random keys, round by round, the peers in turn
 *   set         one key, durable on return, each call timed
 *
 * usage: library DIR [ROUNDS [KEYS]]
 *
 * Every peer holds the same keys, KEYS (100,000) values of 100 bytes in two levels of directories,
 * "7f/1c/key-12345".  It is filled once and opened again, then a warm-up, then the rounds.  A value that is read
 * is copied out and compared in its first bytes.  A sample is one round of one peer:
 *
 *   {"table": "get", "peer": "LMDB", "round": 0, "value": 412.5, "unit": "ns"}
 *
 * What each peer may keep in memory: bough 8 MiB of blocks and 16 MiB of trees and paths (its defaults),
 * SQLite 24 MiB of pages, LMDB and libgit2 what the page cache gives them (and libgit2 its own 256 MiB).
 */
#include <git2.h>
#include <inttypes.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/posix.h"
#include "block/file.h"
#include "kv/kv.h"
#include "store/log/log.h"

enum { VALUE_LEN = 100, KEY_MAX = 32, PATH_LEN = 512, GETS = 200000, SETS = 500 };

static uint32_t keys_n = 100000;

/* ---- Measuring ---- */

static double clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Reads touch memory only: the processor's time tells, whatever else the machine does. */
static double cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Durable writes wait for the device. */
static double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint32_t pick(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % keys_n);
}

/* "7f/1c/key-12345": the directories follow from the number. */
static size_t key_of(uint32_t i, char dst[KEY_MAX])
{
    uint32_t mixed = i * 2654435761u;

    return (size_t)snprintf(
        dst, KEY_MAX, "%02x/%02x/key-%05u", mixed >> 24, mixed >> 16 & 0x0f, (unsigned)i);
}

static void value_of(uint32_t i, uint32_t version, char dst[VALUE_LEN])
{
    uint64_t seed = i * 977u + version;

    memset(dst, 0, VALUE_LEN);
    snprintf(dst, VALUE_LEN, "%u ", (unsigned)i);
    for (size_t at = strlen(dst); at < VALUE_LEN; at++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        dst[at] = (char)('a' + (seed >> 40) % 26);
    }
}

static void sample(const char *table, const char *peer, int round, double value, const char *unit)
{
    printf(
        "{\"table\": \"%s\", \"peer\": \"%s\", \"round\": %d, \"value\": %.1f, \"unit\": \"%s\"}\n",
        table, peer, round, value, unit);
    fflush(stdout);
}

static void die(const char *peer, const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", peer, what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- Peers ---- */

struct peer {
    const char *name;
    void (*open)(
        struct peer *p, const char *dir, bool fill); /* fill: new, with all keys, in one go */
    void (*close)(struct peer *p);
    size_t (*get)(struct peer *p, const char *key, size_t len, char *dst);
    void (*set)(struct peer *p, const char *key, size_t len, const char *value); /* durable */
    void *state;
    uint32_t window_ms; /* bough's */
};

/* bough */

struct bough_state {
    struct bough_env env;
    struct bough_fileblk file;
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_kv *kv;
    struct bough_buf buf;
};

static void bough_check(const struct bough_state *s, enum bough_err err, const char *what)
{
    if (err)
        fprintf(stderr, "bench: bough: %s: %s %s\n", what, bough_err_name(err),
            s->kv != NULL && s->kv->why.what != NULL ? s->kv->why.what : "");
    if (err)
        exit(1);
}

static void bough_fill(struct bough_state *s)
{
    struct bough_kv *batch;

    bough_check(s, bough_kv_begin(s->kv, BOUGH_TEST_AND_SET, &batch), "begin");
    for (uint32_t i = 0; i < keys_n; i++) {
        char key[KEY_MAX], value[VALUE_LEN];
        size_t len = key_of(i, key);
        value_of(i, 0, value);
        bough_check(s,
            bough_kv_set(batch, bough_view(key, len), bough_view(value, VALUE_LEN), NULL), "set");
    }
    bough_check(s, bough_kv_commit(batch), "commit");
}

static void bough_open(struct peer *p, const char *dir, bool fill)
{
    struct bough_state *s = calloc(1, sizeof *s);
    struct bough_repo_opts opts = {.window = {.time_ms = p->window_ms}};
    char path[PATH_LEN];

    if (s == NULL)
        die(p->name, "no memory");
    p->state = s;
    s->env = bough_posix_env(NULL);
    snprintf(path, sizeof path, "%s/%s.img", dir, p->window_ms ? "bough-journal" : "bough");
    bough_check(s,
        bough_fileblk_open(&s->file, path, BOUGH_FILEBLK_CREATE | BOUGH_FILEBLK_DIRECT, 0, NULL),
        "open");
    if (fill) {
        bough_check(
            s, bough_block_resize(&s->file.blk, ((uint64_t)4 << 30) / s->file.blk.unit), "resize");
        bough_check(s, bough_log_format(&s->file.blk, &s->env, NULL, NULL), "format");
    }
    bough_check(s, bough_log_open(&s->file.blk, &s->env, NULL, &s->store, NULL), "store");
    bough_check(s, bough_repo_open(s->store, &opts, &s->repo), "repository");
    bough_check(s, bough_kv_branch_open(s->repo, bough_view_str("main"), &s->kv), "branch");
    bough_buf_init(&s->buf, s->env.mem);
    if (fill)
        bough_fill(s);
}

static void bough_close(struct peer *p)
{
    struct bough_state *s = p->state;

    bough_check(s, bough_repo_fold_all(s->repo), "fold");
    bough_buf_fini(&s->buf);
    bough_kv_close(s->kv);
    bough_repo_close(s->repo);
    bough_store_close(s->store);
    bough_fileblk_close(&s->file);
    free(s);
}

static size_t bough_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct bough_state *s = p->state;
    size_t n;

    bough_buf_clear(&s->buf);
    bough_check(s, bough_kv_get(s->kv, bough_view(key, len), &s->buf), "get");
    n = s->buf.len < VALUE_LEN ? s->buf.len : VALUE_LEN;
    memcpy(dst, s->buf.ptr, n);
    return n;
}

static void bough_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct bough_state *s = p->state;

    bough_check(
        s, bough_kv_set(s->kv, bough_view(key, len), bough_view(value, VALUE_LEN), NULL), "set");
}

/* LMDB */

struct lmdb_state {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader;
};

static void lmdb_put(struct peer *p, MDB_txn *txn, const char *key, size_t len, const char *value)
{
    struct lmdb_state *s = p->state;
    MDB_val k = {len, (void *)(uintptr_t)key}, v = {VALUE_LEN, (void *)(uintptr_t)value};

    if (mdb_put(txn, s->dbi, &k, &v, 0) != 0)
        die(p->name, "put");
}

static void lmdb_open(struct peer *p, const char *dir, bool fill)
{
    struct lmdb_state *s = calloc(1, sizeof *s);
    char path[PATH_LEN];
    MDB_txn *txn;

    snprintf(path, sizeof path, "%s/lmdb", dir);
    mkdir(path, 0700);
    p->state = s;
    if (s == NULL || mdb_env_create(&s->env) || mdb_env_set_mapsize(s->env, (size_t)1 << 30) ||
        mdb_env_open(s->env, path, 0, 0600) || mdb_txn_begin(s->env, NULL, 0, &txn) ||
        mdb_dbi_open(txn, NULL, 0, &s->dbi))
        die(p->name, "open");
    for (uint32_t i = 0; fill && i < keys_n; i++) {
        char key[KEY_MAX], value[VALUE_LEN];
        size_t len = key_of(i, key);
        value_of(i, 0, value);
        lmdb_put(p, txn, key, len, value);
    }
    if (mdb_txn_commit(txn) || mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader))
        die(p->name, "commit");
}

static void lmdb_close(struct peer *p)
{
    struct lmdb_state *s = p->state;

    mdb_txn_abort(s->reader);
    mdb_env_close(s->env);
    free(s);
}

static size_t lmdb_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct lmdb_state *s = p->state;
    MDB_val k = {len, (void *)(uintptr_t)key}, v;

    if (mdb_get(s->reader, s->dbi, &k, &v) != 0 || v.mv_size > VALUE_LEN)
        die(p->name, "get");
    memcpy(dst, v.mv_data, v.mv_size);
    return v.mv_size;
}

static void lmdb_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct lmdb_state *s = p->state;
    MDB_txn *txn;

    if (mdb_txn_begin(s->env, NULL, 0, &txn) != 0)
        die(p->name, "begin");
    lmdb_put(p, txn, key, len, value);
    if (mdb_txn_commit(txn) != 0)
        die(p->name, "commit");
}

/* SQLite: WAL, synchronous = FULL */

struct sqlite_state {
    sqlite3 *db;
    sqlite3_stmt *get, *set;
};

static void sqlite_run(struct peer *p, const char *sql)
{
    struct sqlite_state *s = p->state;

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(p->name, sqlite3_errmsg(s->db));
}

static void sqlite_set(struct peer *p, const char *key, size_t len, const char *value)
{
    struct sqlite_state *s = p->state;

    sqlite3_bind_text(s->set, 1, key, (int)len, SQLITE_STATIC);
    sqlite3_bind_blob(s->set, 2, value, VALUE_LEN, SQLITE_STATIC);
    if (sqlite3_step(s->set) != SQLITE_DONE)
        die(p->name, sqlite3_errmsg(s->db));
    sqlite3_reset(s->set);
}

static void sqlite_open(struct peer *p, const char *dir, bool fill)
{
    struct sqlite_state *s = calloc(1, sizeof *s);
    char path[PATH_LEN];

    snprintf(path, sizeof path, "%s/sqlite.db", dir);
    p->state = s;
    if (s == NULL || sqlite3_open(path, &s->db) != SQLITE_OK)
        die(p->name, "open");
    sqlite_run(p,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -24576;"
        "CREATE TABLE IF NOT EXISTS kv(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID");
    if (sqlite3_prepare_v2(s->db, "SELECT v FROM kv WHERE k = ?", -1, &s->get, NULL) ||
        sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO kv VALUES(?, ?)", -1, &s->set, NULL))
        die(p->name, sqlite3_errmsg(s->db));
    if (!fill)
        return;
    sqlite_run(p, "BEGIN");
    for (uint32_t i = 0; i < keys_n; i++) {
        char key[KEY_MAX], value[VALUE_LEN];
        size_t len = key_of(i, key);
        value_of(i, 0, value);
        sqlite_set(p, key, len, value);
    }
    sqlite_run(p, "COMMIT");
}

static void sqlite_close(struct peer *p)
{
    struct sqlite_state *s = p->state;

    sqlite3_finalize(s->get);
    sqlite3_finalize(s->set);
    sqlite3_close(s->db);
    free(s);
}

static size_t sqlite_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct sqlite_state *s = p->state;
    int n;

    sqlite3_bind_text(s->get, 1, key, (int)len, SQLITE_STATIC);
    if (sqlite3_step(s->get) != SQLITE_ROW)
        die(p->name, "get");
    n = sqlite3_column_bytes(s->get, 0);
    if (n > VALUE_LEN)
        die(p->name, "a value that nobody wrote");
    memcpy(dst, sqlite3_column_blob(s->get, 0), (size_t)n);
    sqlite3_reset(s->get);
    return (size_t)n;
}

/* libgit2: a bare repository with one pack, made by git fast-import */

struct git2_state {
    git_repository *repo;
    git_tree *root;
};

static void git2_fill(struct peer *p, const char *path)
{
    char command[PATH_LEN * 3];
    FILE *f;

    snprintf(command, sizeof command, "git init -q --bare '%s' && git -C '%s' fast-import --quiet",
        path, path);
    f = popen(command, "w");
    if (f == NULL)
        die(p->name, "no git");
    fprintf(f, "commit refs/heads/main\ncommitter B <b@example.org> 1 +0000\ndata 0\n");
    for (uint32_t i = 0; i < keys_n; i++) {
        char key[KEY_MAX], value[VALUE_LEN];
        size_t len = key_of(i, key);
        value_of(i, 0, value);
        fprintf(f, "M 100644 inline %.*s\ndata %d\n", (int)len, key, VALUE_LEN);
        fwrite(value, 1, VALUE_LEN, f);
        fputc('\n', f);
    }
    if (pclose(f) != 0)
        die(p->name, "git fast-import");
}

static void git2_open(struct peer *p, const char *dir, bool fill)
{
    struct git2_state *s = calloc(1, sizeof *s);
    git_object *root;
    char path[PATH_LEN];

    snprintf(path, sizeof path, "%s/git2.git", dir);
    if (fill)
        git2_fill(p, path);
    p->state = s;
    if (s == NULL || git_repository_open(&s->repo, path) ||
        git_revparse_single(&root, s->repo, "refs/heads/main^{tree}"))
        die(p->name, "open");
    s->root = (git_tree *)root;
}

static void git2_close(struct peer *p)
{
    struct git2_state *s = p->state;

    git_tree_free(s->root);
    git_repository_free(s->repo);
    free(s);
}

static size_t git2_get(struct peer *p, const char *key, size_t len, char *dst)
{
    struct git2_state *s = p->state;
    git_tree_entry *entry;
    git_blob *blob;
    size_t n;

    (void)len;
    if (git_tree_entry_bypath(&entry, s->root, key) ||
        git_blob_lookup(&blob, s->repo, git_tree_entry_id(entry)))
        die(p->name, "get");
    n = (size_t)git_blob_rawsize(blob);
    memcpy(dst, git_blob_rawcontent(blob), n < VALUE_LEN ? n : VALUE_LEN);
    git_blob_free(blob);
    git_tree_entry_free(entry);
    return n;
}

static struct peer peers[] = {
    {"bough", bough_open, bough_close, bough_get, bough_set, NULL, 0},
    {"bough, journalled", bough_open, bough_close, bough_get, bough_set, NULL, 20},
    {"LMDB", lmdb_open, lmdb_close, lmdb_get, lmdb_set, NULL, 0},
    {"SQLite", sqlite_open, sqlite_close, sqlite_get, sqlite_set, NULL, 0},
    {"libgit2", git2_open, git2_close, git2_get, NULL, NULL, 0},
};
enum { PEERS_N = sizeof peers / sizeof *peers };

/* ---- The tables ---- */

static void get_some(struct peer *p, uint64_t seed, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char key[KEY_MAX], value[VALUE_LEN + 1];
        uint32_t k = pick(&seed);
        size_t len = key_of(k, key), got = p->get(p, key, len, value);
        value[got] = 0;
        if (got != VALUE_LEN || strtoul(value, NULL, 10) != k)
            die(p->name, "another key's value");
    }
}

/* The same loop without a store: what keys and checks cost. */
static double empty_loop(uint32_t n)
{
    char key[KEY_MAX], value[VALUE_LEN + 1] = "0 ";
    volatile unsigned long sink = 0;
    uint64_t seed = 1;
    double start = cpu_ns();

    for (uint32_t i = 0; i < n; i++) {
        sink += key_of(pick(&seed), key);
        sink += strtoul(value, NULL, 10);
    }
    return cpu_ns() - start;
}

static void bench_get(int rounds)
{
    for (size_t i = 0; i < PEERS_N; i++)
        get_some(&peers[i], 99, GETS);
    for (int r = 0; r < rounds; r++) {
        for (size_t i = 0; i < PEERS_N; i++) {
            double start, loop;
            if (peers[i].window_ms)
                continue; /* reads as the other one */
            loop = empty_loop(GETS);
            start = cpu_ns();
            get_some(&peers[i], (uint64_t)r + 1, GETS);
            sample("get", peers[i].name, r, (cpu_ns() - start - loop) / GETS, "ns");
        }
    }
}

static void bench_set(int rounds)
{
    static double took[SETS];

    for (int r = -1; r < rounds; r++) { /* the first round warms up */
        for (size_t i = 0; i < PEERS_N; i++) {
            uint64_t seed = (uint64_t)r + 1000;
            for (uint32_t n = 0; n < SETS && peers[i].set != NULL; n++) {
                char key[KEY_MAX], value[VALUE_LEN];
                uint32_t k = pick(&seed);
                size_t len = key_of(k, key);
                double start;
                value_of(k, (uint32_t)r + 2, value);
                start = now_ns();
                peers[i].set(&peers[i], key, len, value);
                took[n] = now_ns() - start;
            }
            if (peers[i].set == NULL || r < 0)
                continue;
            qsort(took, SETS, sizeof *took, by_value);
            sample("set p50", peers[i].name, r, took[SETS / 2] / 1000, "us");
            sample("set p99", peers[i].name, r, took[SETS * 99 / 100] / 1000, "us");
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 5;

    if (argc < 2 || rounds < 1) {
        fprintf(stderr, "usage: library DIR [ROUNDS [KEYS]]\n");
        return 2;
    }
    if (argc > 3)
        keys_n = (uint32_t)strtoul(argv[3], NULL, 10);
    git_libgit2_init();
    for (size_t i = 0; i < PEERS_N; i++) {
        double start = now_ns();
        peers[i].open(&peers[i], argv[1], true);
        sample("fill", peers[i].name, 0, (now_ns() - start) / 1e6, "ms");
        peers[i].close(&peers[i]);
        peers[i].open(&peers[i], argv[1], false);
    }
    bench_get(rounds);
    bench_set(rounds);
    for (size_t i = 0; i < PEERS_N; i++)
        peers[i].close(&peers[i]);
    git_libgit2_shutdown();
    return 0;
}
