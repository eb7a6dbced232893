/*
 * received.c - what bytes from outside cost: ids on guard against SHA-1 collisions, and a received pack.
 *
 * The digests are made of 64 KiB at a time, as long as it takes; processor time, so that other work on the
 * machine does not count.  The pack is fed and checked as a push is, to the last step before it is adopted,
 * in a process of its own, so that its greatest resident set is that of the intake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "base/posix.h"
#include "bench/bench.h"
#include "block/file.h"
#include "store/log/log.h"

enum { CHUNK = 64 << 10, CHUNKS = 2000, FEED = 64 << 10, STEP = 1 << 20 };

static void check(enum bough_err err, const char *what)
{
    if (err)
        die(what, bough_err_name(err));
}

static void digest(const char *peer, int round, enum bough_algo algo, bool guarded)
{
    static uint8_t chunk[CHUNK];
    uint8_t sum[BOUGH_DIGEST_MAX];
    uint64_t seed = 1;
    double start;

    for (size_t i = 0; i < sizeof chunk; i++)
        chunk[i] = (uint8_t)pick(&seed, 256);
    start = cpu_ns();
    for (int i = 0; i < CHUNKS; i++) {
        struct bough_hash h;

        if (guarded)
            bough_hash_init_guarded(&h, algo);
        else
            bough_hash_init(&h, algo);
        bough_hash_update(&h, chunk, sizeof chunk);
        bough_hash_final(&h, sum);
        if (bough_hash_attacked(&h))
            die(peer, "a false alarm");
    }
    sample("hash", peer, round, (double)CHUNKS * CHUNK / (cpu_ns() - start) * 1000, "MB/s");
}

void received_hash(int rounds)
{
    for (int r = 0; r < rounds; r++) {
        digest("bough", r, BOUGH_SHA1, true);
        digest("bough, not on guard", r, BOUGH_SHA1, false);
        digest("bough, SHA-256", r, BOUGH_SHA256, false);
    }
}

static void feed(struct bough_intake *in, FILE *f)
{
    static uint8_t piece[FEED];
    size_t n, used;

    while (!in->received && (n = fread(piece, 1, sizeof piece, f)) > 0)
        check(bough_intake_feed(in, bough_view(piece, n), &used), "feed");
    if (!in->received)
        die("intake", "the pack is cut off");
}

/* Receive the pack in the file `pack` into a new store in `path`. */
void received_pack(const char *path, const char *pack, int round)
{
    struct bough_env env = bough_posix_env(NULL);
    struct bough_fileblk file;
    struct bough_store *store;
    struct bough_intake *in;
    struct rusage used;
    enum bough_err err;
    FILE *f = fopen(pack, "rb");
    double start = cpu_ns();

    if (f == NULL)
        die("intake", "no such pack");
    check(bough_fileblk_open(&file, path, BOUGH_FILEBLK_CREATE, 0, NULL), "open");
    check(bough_block_resize(&file.blk, ((uint64_t)4 << 30) / file.blk.unit), "resize");
    check(bough_log_format(&file.blk, &env, NULL, NULL), "format");
    check(bough_log_open(&file.blk, &env, NULL, &store, NULL), "store");
    check(bough_store_intake(store, NULL, &in), "intake");
    feed(in, f);
    fclose(f);
    do
        err = bough_intake_step(in, STEP);
    while (err == BOUGH_EAGAIN);
    check(err, "step");
    sample("intake", "bough", round, (cpu_ns() - start) / 1e6, "ms");
    getrusage(RUSAGE_SELF, &used);
    sample("intake memory", "bough", round, (double)used.ru_maxrss / 1024, "MiB");
    bough_intake_close(in);
    bough_store_close(store);
    bough_fileblk_close(&file);
}
