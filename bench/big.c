/*
 * big.c - a store of many objects, made through the store's own calls, and opened again.
 *
 * Objects are blobs of `len` bytes, 65,536 to a transaction; every one is in the tables as any other.
 * Nobody waits for single transactions: they are durable when the store is made.  Opening is timed in a
 * process of its own, so that its memory is that of the store: the resident set then, less that before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/posix.h"
#include "bench/bench.h"
#include "block/file.h"
#include "repo/repo.h"
#include "store/log/log.h"

enum { PER_TXN = 65536, LEN_MAX = 65536, FINDS = 1000 };

struct big {
    struct bough_env env;
    struct bough_fileblk file;
    struct bough_store *store;
};

static void check(enum bough_err err, const char *what)
{
    if (err)
        die(what, bough_err_name(err));
}

static struct bough_view blob_of(uint64_t i, uint32_t len, uint8_t *dst)
{
    uint64_t seed = i * 0x9e3779b97f4a7c15u + 1;

    for (uint32_t at = 0; at + 8 <= len; at += 8) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bough_put64le(dst + at, seed);
    }
    bough_put64le(dst, i);
    return bough_view(dst, len);
}

static void txn_fill(struct big *b, uint64_t from, uint64_t to, uint32_t len)
{
    static uint8_t blob[LEN_MAX];
    struct bough_txn *txn;
    struct bough_oid id;
    bool more = true;

    check(bough_txn_begin(b->store, &txn), "begin");
    for (uint64_t i = from; i < to; i++)
        check(bough_txn_put(txn, BOUGH_BLOB, blob_of(i, len, blob), &id), "put");
    check(bough_txn_commit(txn, BOUGH_DURABLE_LATER), "commit");
    while (more)
        check(bough_store_maintain(b->store, 1 << 20, &more), "maintain");
}

void big_make(const char *path, uint64_t objects, uint32_t len)
{
    struct big b = {.env = bough_posix_env(NULL)};
    uint64_t bytes = objects * (len + 512) + ((uint64_t)4 << 30);

    if (len < 8 || len > LEN_MAX)
        die("make", "objects of 8 to 65,536 bytes");
    check(bough_fileblk_open(&b.file, path, BOUGH_FILEBLK_CREATE, 0, NULL), "open");
    check(bough_block_resize(&b.file.blk, bytes / b.file.blk.unit), "resize");
    check(bough_log_format(&b.file.blk, &b.env, NULL, NULL), "format");
    check(bough_log_open(&b.file.blk, &b.env, NULL, &b.store, NULL), "store");
    for (uint64_t i = 0; i < objects; i += PER_TXN)
        txn_fill(&b, i, objects - i < PER_TXN ? objects : i + PER_TXN, len);
    check(bough_store_sync(b.store), "sync");
    bough_store_close(b.store);
    bough_fileblk_close(&b.file);
}

/* Resident bytes of this process. */
static double resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%lu %lu", &size, &pages) != 2)
        die("open", "no /proc");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void big_open(const char *path, int round)
{
    struct big b = {.env = bough_posix_env(NULL)};
    struct bough_store_stats stats;
    struct bough_repo *repo;
    double before = resident(), start = now_ns(), took;

    check(bough_fileblk_open(&b.file, path, BOUGH_FILEBLK_DIRECT, 0, NULL), "open");
    check(bough_log_open(&b.file.blk, &b.env, NULL, &b.store, NULL), "store");
    check(bough_repo_open(b.store, NULL, &repo), "repository");
    took = now_ns() - start;
    sample("open", "bough", round, took / 1e6, "ms");
    sample("open memory", "bough", round, (resident() - before) / (1 << 20), "MiB");
    check(bough_store_stat(b.store, &stats), "stat");
    if (round == 0)
        fprintf(stderr, "bench: %.0f objects, %.1f GB\n", (double)stats.objects,
            (double)stats.used_bytes / 1e9);
    bough_repo_close(repo);
    bough_store_close(b.store);
    bough_fileblk_close(&b.file);
}
