/*
 * main.c - the library next to its peers: random reads, durable writes, filling, opening.
 *
 *   fill    all keys in one durable commit
 *   get     random keys
 *   set     one key, durable on return, each call timed
 *   batch   durable commits of 100 random keys
 *   big     make a big store; open it
 *
 * usage: bench peers DIR [ROUNDS [KEYS]]    every peer, in turn; all but fill
 *        bench fill DIR ROUND [KEYS]        every peer, in turn; nothing is told of round -1
 *        bench only DIR PEER TABLE [ROUNDS [KEYS]]    one of them, for a profiler
 *        bench make FILE OBJECTS LEN        a store of so many objects of so many bytes
 *        bench open FILE ROUND              open it: time, memory
 *        bench hash ROUNDS                  digests
 *        bench intake FILE PACK ROUND       receive the pack into a new store in the file
 *
 * Every peer holds the same keys, KEYS (100,000) values of 100 bytes in two levels of directories,
 * "7f/1c/key-12345".  It is filled once and opened again, then a warm-up, then the rounds, in which the
 * peers take turns.  Filling has rounds of its own, for each is of a new store.  A value that is read
 * is copied out and compared in its first bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { GETS = 200000, SETS = 500, BATCHES = 1000, BATCH_KEYS = 100 };

static uint32_t keys_n = 100000;
static struct peer peers[16];
static size_t peers_n;

static void peers_choose(const char *only)
{
    const struct peer *all[] = {&bough_peer, &bough_journal_peer, &bough_blocks_peer, &lmdb_peer,
        &sqlite_peer, &rocksdb_peer, &git2_peer, &fast_import_peer, &disk_peer};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (only == NULL || strcmp(only, all[i]->name) == 0)
            peers[peers_n++] = *all[i];
    }
    for (size_t i = 0; i < peers_n; i++)
        peers[i].keys = keys_n;
    if (peers_n == 0)
        die(only, "no such peer");
}

/* ---- Fill ---- */

/* A write, made before the clock runs: what it takes to print a key and a value is no store's. */
struct entry {
    size_t len;
    char key[KEY_MAX], value[VALUE_LEN];
};

static void entry_make(struct entry *e, uint32_t i, uint32_t version)
{
    e->len = key_of(i, e->key);
    value_of(i, version, e->value);
}

/* One commit of these; nanoseconds. */
static double commit(struct peer *p, const struct entry *e, uint32_t n, bool fill)
{
    double start = now_ns();

    p->begin(p, fill);
    for (uint32_t i = 0; i < n; i++)
        p->put(p, e[i].key, e[i].len, e[i].value);
    p->commit(p);
    return now_ns() - start;
}

/* A new store with all keys.  Before round 0 nothing is told. */
static void fill(struct peer *p, const char *dir, int round)
{
    struct entry *all;
    double took, end;

    p->open(p, dir, true);
    if (p->begin == NULL)
        return;
    all = state_new(p->name, keys_n * sizeof *all);
    for (uint32_t i = 0; i < keys_n; i++)
        entry_make(&all[i], i, 0);
    took = commit(p, all, keys_n, true);
    end = now_ns();
    if (p->end != NULL)
        p->end(p);
    if (round >= 0)
        sample("fill", p->name, round, (took + now_ns() - end) / 1e6, "ms");
    free(all);
}

/* So do all of them, in turn; who is quick once more before, for the disk to be awake. */
static void fills(const char *dir, int round)
{
    for (size_t i = 0; i < peers_n; i++) {
        if (peers[i].begin == NULL || (round < 0 && peers[i].slow > 1))
            continue;
        fill(&peers[i], dir, round);
        peers[i].close(&peers[i]);
    }
}

/* ---- Get ---- */

static void get_some(struct peer *p, uint64_t seed, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char key[KEY_MAX], value[VALUE_LEN + 1];
        uint32_t k = pick(&seed, keys_n);
        size_t len = key_of(k, key), got = p->get(p, key, len, value);

        value[got] = 0;
        if (got != VALUE_LEN || strtoul(value, NULL, 10) != k)
            die(p->name, "another key's value");
    }
}

/* Every key once, to warm up. */
static void get_all(struct peer *p)
{
    for (uint32_t i = 0; i < keys_n; i++) {
        char key[KEY_MAX], value[VALUE_LEN + 1];
        size_t len = key_of(i, key);

        (void)p->get(p, key, len, value);
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
        sink += key_of(pick(&seed, keys_n), key);
        sink += strtoul(value, NULL, 10);
    }
    return cpu_ns() - start;
}

static void bench_get(struct peer *p, int round)
{
    double loop = empty_loop(GETS), start;

    if (p->get == NULL)
        return;
    if (round < 0)
        get_all(p);
    if (round < 0)
        return;
    start = cpu_ns();
    get_some(p, (uint64_t)round + 1, GETS);
    sample("get", p->name, round, (cpu_ns() - start - loop) / GETS, "ns");
}

/* ---- Set ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bench_set(struct peer *p, int round)
{
    static double took[SETS];
    uint64_t seed = (uint64_t)round + 1000;
    uint32_t n = p->slow > 1 ? SETS / 5 : SETS;
    double cpu = cpu_ns();

    if (p->set == NULL)
        return;
    for (uint32_t i = 0; i < n; i++) {
        char key[KEY_MAX], value[VALUE_LEN];
        uint32_t k = pick(&seed, keys_n);
        size_t len = key_of(k, key);
        double start;

        value_of(k, (uint32_t)round + 2, value);
        start = now_ns();
        p->set(p, key, len, value);
        took[i] = now_ns() - start;
    }
    cpu = cpu_ns() - cpu;
    if (round < 0)
        return;
    qsort(took, n, sizeof *took, by_value);
    sample("set p50", p->name, round, took[n / 2] / 1000, "us");
    sample("set p99", p->name, round, took[n * 99 / 100] / 1000, "us");
    sample("set cpu", p->name, round, cpu / n / 1000, "us");
}

/* ---- Batch ---- */

/* So many different keys. */
static void pick_some(uint64_t *seed, uint32_t some[BATCH_KEYS])
{
    for (uint32_t n = 0; n < BATCH_KEYS;) {
        uint32_t i = 0;

        some[n] = pick(seed, keys_n);
        while (some[i] != some[n])
            i++;
        n += i == n;
    }
}

static void bench_batch(struct peer *p, int round)
{
    uint64_t seed = (uint64_t)round + 2000;
    uint32_t n = BATCHES / p->slow;
    double took = 0, cpu = 0, end;

    if (p->no_paths || p->begin == NULL) /* for reads only, for single writes only */
        return;
    if (round < 0)
        n /= 10;
    for (uint32_t i = 0; i < n; i++) {
        struct entry entries[BATCH_KEYS];
        uint32_t some[BATCH_KEYS];
        double before;

        pick_some(&seed, some);
        for (uint32_t k = 0; k < BATCH_KEYS; k++)
            entry_make(&entries[k], some[k], (uint32_t)round * BATCHES + i + 10);
        before = cpu_ns();
        took += commit(p, entries, BATCH_KEYS, false);
        cpu += cpu_ns() - before;
    }
    end = now_ns();
    if (p->end != NULL)
        p->end(p);
    took += now_ns() - end;
    if (round < 0)
        return;
    sample("batch", p->name, round, took / n / 1000, "us");
    sample("batch cpu", p->name, round, cpu / n / 1000, "us");
}

/* ---- All ---- */

static void (*const tables[])(struct peer *p, int round) = {bench_get, bench_set, bench_batch};
static const char *const names[] = {"get", "set", "batch"};
enum { TABLES_N = sizeof tables / sizeof *tables };

static void run(const char *dir, int rounds, const char *only)
{
    for (size_t i = 0; i < peers_n; i++) {
        fill(&peers[i], dir, only != NULL ? 0 : -1);
        if (peers[i].begin == NULL)
            continue;
        peers[i].close(&peers[i]);
        peers[i].open(&peers[i], dir, false);
    }
    for (size_t t = 0; t < TABLES_N; t++) {
        if (only != NULL && strcmp(only, names[t]) != 0)
            continue;
        for (int r = -1; r < rounds; r++) { /* the first round warms up */
            for (size_t i = 0; i < peers_n; i++)
                tables[t](&peers[i], r);
        }
    }
    for (size_t i = 0; i < peers_n; i++)
        peers[i].close(&peers[i]);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "peers") == 0) {
        if (argc > 4)
            keys_n = (uint32_t)strtoul(argv[4], NULL, 10);
        peers_choose(NULL);
        run(argv[2], argc > 3 ? atoi(argv[3]) : 5, NULL);
    } else if (strcmp(what, "fill") == 0 && argc >= 4) {
        if (argc > 4)
            keys_n = (uint32_t)strtoul(argv[4], NULL, 10);
        peers_choose(NULL);
        fills(argv[2], atoi(argv[3]));
    } else if (strcmp(what, "only") == 0 && argc >= 5) {
        if (argc > 6)
            keys_n = (uint32_t)strtoul(argv[6], NULL, 10);
        peers_choose(argv[3]);
        run(argv[2], argc > 5 ? atoi(argv[5]) : 3, argv[4]);
    } else if (strcmp(what, "make") == 0 && argc == 5) {
        big_make(argv[2], strtoull(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
    } else if (strcmp(what, "open") == 0 && argc == 4) {
        big_open(argv[2], atoi(argv[3]));
    } else if (strcmp(what, "curve") == 0 && argc == 5) {
        curve(argv[2], argv[3], strtoull(argv[4], NULL, 10));
    } else if (strcmp(what, "hash") == 0) {
        received_hash(atoi(argv[2]));
    } else if (strcmp(what, "intake") == 0 && argc == 5) {
        received_pack(argv[2], argv[3], atoi(argv[4]));
    } else {
        fprintf(stderr, "usage: bench peers DIR [ROUNDS [KEYS]] | fill DIR ROUND [KEYS] | only DIR "
                        "PEER TABLE [ROUNDS [KEYS]] |\n"
                        "       make FILE OBJECTS LEN | open FILE ROUND | curve WHICH FILE MOST |\n"
                        "       hash ROUNDS | intake FILE PACK ROUND\n");
        return 2;
    }
    return 0;
}
