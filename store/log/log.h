/*
 * log.h - the log engine: a store on a block device.  The format is docs/format.md.
 *
 *   make one    bough_log_format()
 *   open one    bough_log_open()
 */
#ifndef BOUGH_LOG_H
#define BOUGH_LOG_H

#include "block/block.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BOUGH_LOG_FORMAT 1 /* what this build writes, and the only one that it reads */

/* Facts fixed at creation; 0 takes the default. */
struct bough_log_format_opts {
    enum bough_algo algo; /* default BOUGH_SHA1 */
    uint32_t granule; /* bytes: power of two, device unit..65,536; default 4,096 (or the unit) */
    uint64_t zone;    /* bytes: power of two, 32 KiB..64 MiB; default by the device's size */
};

/*
 * Write an empty store onto `dev`, whose contents are lost; durable on return.
 *
 * BOUGH_ENOSPC    the device is too small (16 zones are the least)
 * BOUGH_EINVAL    an option out of its bounds
 */
enum bough_err bough_log_format(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_format_opts *opts, struct bough_why *why);

/*
 * How to open; 0 takes the default.  A small machine: {.cache = 65536, .table_rows = 256, .log_max =
 * 262144, .prepare = 1} here and a cache of 1 in struct bough_repo_opts open, read and commit
 * thousands of small values within 256 KiB of heap, on a store written with the same options.
 */
struct bough_log_open_opts {
    bool read_only;
    bool past_damage; /* with read_only, for repair: what is whole behind damage in the log and in
                              tables counts, too, though what it builds on may be lost; a device
                              that was cut is read as far as it goes */
    size_t cache;     /* bytes of memory for caches: three quarters for pages of the device, the
                              rest for inflated objects; default 8 MiB, least 64 KiB */
    uint32_t table_rows;   /* rows kept in memory between checkpoints; default 65,536 */
    uint64_t log_max;      /* bytes of log between checkpoints; default 16 MiB */
    uint32_t prepare;      /* bytes of log written once ahead, for speed in files; 1: none; default
                            1 MiB where zones have at least 128 KiB */
    uint32_t settle_s;     /* on a device without BOUGH_BLOCK_SYNC: seconds after which a write is
                            taken to be durable; default 30 */
    uint64_t settle_bytes; /* or bytes of later writes; default 64 MiB */
    uint64_t reach_rows;   /* objects from which on a collection is followed by making reachability
                              bitmaps (store/reach.h); default 4,096 */
    uint32_t reach_every;  /* commits of a first-parent line from one to the next; default 5,000 */
};

/*
 * Open the store on `dev` (borrowed until close; exclusive to it): replay the log after the
 * newest whole checkpoint.
 *
 * A device without BOUGH_BLOCK_SYNC is said in the env's log and by bough_store_stat().  There a
 * power cut may take the newest commits, in order, down to those that settled (settle_s,
 * settle_bytes); where the device takes longer than that, the damage is found at open.
 *
 * BOUGH_ENOENT     no store on this device
 * BOUGH_ENOTSUP    of another format, or with incompatible features, that this build does not read:
 *                  why.key says which in words, why.at is their number
 * BOUGH_ECORRUPT   damaged, or the device is shorter than its store; with read_only a store whose log
 *                  is damaged opens as it was before that, and the env's log says so
 */
enum bough_err bough_log_open(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_open_opts *opts, struct bough_store **out, struct bough_why *why);

#ifdef __cplusplus
}
#endif

#endif
