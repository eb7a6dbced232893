/*
 * bench.h - what the peers have in common.
 *
 *   measuring   clocks, random numbers, keys and values, samples as JSON lines (measure.c)
 *   peers       struct peer; one file each
 *   a big store made quickly, and opened (big.c)
 *   ids of bytes from outside, a received pack (received.c)
 */
#ifndef BOUGH_BENCH_H
#define BOUGH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VALUE_LEN = 100, KEY_MAX = 32, PATH_LEN = 512 };

/* ---- Measuring ---- */

double cpu_ns(void); /* of this process: what else the machine does does not count */
double now_ns(void); /* of the wall: durable writes wait for the device */

uint32_t pick(uint64_t *seed, uint32_t n); /* a number below n */

/* "7f/1c/key-12345": the directories follow from the number. */
size_t key_of(uint32_t i, char dst[KEY_MAX]);
void value_of(uint32_t i, uint32_t version, char dst[VALUE_LEN]);

/* {"table": "get", "peer": "LMDB", "round": 0, "value": 412.5, "unit": "ns"} */
void sample(const char *table, const char *peer, int round, double value, const char *unit);
void die(const char *peer, const char *what);
void *state_new(const char *peer, size_t len); /* zeroed */

/* ---- Peers ---- */

struct peer {
    const char *name;
    void (*open)(struct peer *p, const char *dir, bool make);
    void (*close)(struct peer *p);
    size_t (*get)(struct peer *p, const char *key, size_t len, char *dst); /* NULL: no reads */

    /* One key, durable on return.  NULL: no such thing. */
    void (*set)(struct peer *p, const char *key, size_t len, const char *value);

    /* Many keys, durable together when commit returns.  fill: before the first of a new store.
       NULL: no such thing. */
    void (*begin)(struct peer *p, bool fill);
    void (*put)(struct peer *p, const char *key, size_t len, const char *value);
    void (*commit)(struct peer *p);
    void (*end)(
        struct peer *p); /* of a round of commits: now they count.  NULL: they did at once */
    uint32_t slow;       /* so many times fewer writes are asked of it */
    uint32_t window_ms;  /* bough's: journalled */
    bool no_paths;       /* bough's: reads a snapshot, for which no paths are kept */
    uint32_t keys;       /* how many there are; set by main.c */
    void *state;
};

extern const struct peer bough_peer, bough_journal_peer, bough_blocks_peer, lmdb_peer, sqlite_peer,
    rocksdb_peer, git2_peer, fast_import_peer, disk_peer;

/* ---- A big store ---- */

void big_make(const char *path, uint64_t objects, uint32_t len);
void big_open(const char *path, int round);

/* ---- Curves ---- */

/* Points of one of them (curves.c) up to size `most`; the store at `path` is made anew. */
void curve(const char *which, const char *path, uint64_t most);

/* ---- Bytes from outside (received.c) ---- */

void received_hash(int rounds);
void received_pack(const char *path, const char *pack, int round);

#endif
