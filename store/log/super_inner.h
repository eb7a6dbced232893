/*
 * super_inner.h - superblocks, and what is durable.
 *
 *   superblocks    their bytes, their rings                   super.c, super_write.c
 *   without them   roots, wherever they are                   scan.c
 *   others         what this build does not read, and why     version.c
 *   settling       devices without flush                      settle.c
 *   the owner      is the device still ours alone?            super_write.c
 */
#ifndef BOUGH_LOG_SUPER_INNER_H
#define BOUGH_LOG_SUPER_INNER_H

#include "block/block.h"
#include "store/log/shape_inner.h"

struct bough_log;

/* ---- Superblocks (super.c) ---- */

enum { BOUGH_LOG__MOUNTS = 7 };

struct bough_log__super {
    uint32_t compat, ro_compat, incompat;
    uint64_t generation, epoch, mount_seq, nonce;
    struct {
        uint64_t epoch, seq;
    } before[BOUGH_LOG__MOUNTS]; /* mounts that wrote frames, newest first; epoch 0: no more */
    uint64_t checkpoint;         /* its number */
    uint64_t root_len;
    uint32_t root_crc, root_start;
    uint32_t root_zones;
    uint32_t zone[BOUGH_LOG__ROOT_ZONES_MAX];
    int64_t written;  /* when, in seconds since 1970; 0: unknown */
    uint64_t durable; /* the newest frame that was known to be durable then; 0: none */
};

/* Is a frame with this sequence and epoch of the mount that the superblock says wrote it? */
bool bough_log__super_epoch_fits(const struct bough_log__super *s, uint64_t seq, uint64_t epoch);

/* The mount `to`, whose epoch and sequence are known, comes after the newest, `last`. */
void bough_log__super_mounts(struct bough_log__super *to, const struct bough_log__super *last);

/* The fields that name a root, from one to the other. */
void bough_log__super_root(struct bough_log__super *to, const struct bough_log__super *from);

enum {
    BOUGH_LOG__SUPER_LEN = 512,
    BOUGH_LOG__RINGS = 2,
    BOUGH_LOG__ALL_SLOTS = BOUGH_LOG__RINGS * BOUGH_LOG__SLOTS,
};

/* All that were found, newest first. */
struct bough_log__supers {
    bool fresh; /* set before: past what this system remembers of the device */
    struct bough_log__geo geo;
    uint32_t n;
    struct bough_why unread; /* err set: of a store that this build does not read, and why */
    bool magic;              /* there is something that was a superblock, whole or not */
    uint32_t held, other;    /* bits of slots: those that hold one of it, or something else */
    uint32_t damaged;        /* slots that do not hold what they should */
    struct bough_log__super s[BOUGH_LOG__ALL_SLOTS];
};

void bough_log__super_encode(const struct bough_log__geo *geo, const struct bough_log__super *s,
    uint8_t dst[BOUGH_LOG__SUPER_LEN]);

/* BOUGH_ENOENT: no superblock; BOUGH_ENOTSUP: of another version or with unknown features. */
enum bough_err bough_log__super_decode(const uint8_t src[BOUGH_LOG__SUPER_LEN],
    struct bough_log__geo *geo, struct bough_log__super *s);

/* A shape within its bounds, but for the device's id. */
bool bough_log__geo_make(
    uint32_t algo, uint32_t granule, uint32_t zone, uint64_t zones, struct bough_log__geo *out);

bool bough_log__geo_same(const struct bough_log__geo *a, const struct bough_log__geo *b);

/* Look for superblocks.  BOUGH_ENOENT: there is none; BOUGH_ECORRUPT: none that is whole;
   BOUGH_ENOTSUP: `out->unread` says why. */
enum bough_err bough_log__supers_find(
    struct bough_block *dev, struct bough_mem *mem, struct bough_log__supers *out);

/*
 * Look for roots on the whole device (scan.c), for a store of which `all` holds superblocks, if it
 * holds any: what is found takes their place, as if there were a superblock for each root.
 * BOUGH_ENOENT: there is none; BOUGH_ENOMEM.
 */
enum bough_err bough_log__supers_scan(
    struct bough_block *dev, struct bough_mem *mem, struct bough_log__supers *all);

/* What is not read, as a reason (version.c); all return BOUGH_ENOTSUP. */
enum bough_err bough_log__other_format(struct bough_why *why, uint32_t version);
enum bough_err bough_log__other_features(struct bough_why *why, uint32_t bits);
enum bough_err bough_log__other_item(struct bough_why *why, uint32_t kind);
enum bough_err bough_log__early_form(struct bough_why *why);

/* Write what the damaged slots should hold: the newest superblock, with a generation of theirs.  So a
   check finds none but fresh damage, and both rings lead to the newest checkpoint. */
enum bough_err bough_log__supers_heal(struct bough_log *l, const struct bough_log__supers *all);

/* The slot that this generation lies in, 0..15, its device byte, and the newest generation up to
   `newest` that lies in a slot; 0: it was not written yet. */
uint32_t bough_log__slot_of(uint64_t generation);
uint64_t bough_log__slot_at(const struct bough_log__geo *geo, uint64_t generation);
uint64_t bough_log__slot_generation(uint32_t slot, uint64_t newest);

/* What is durable on a device without flush (settle.c). */
enum { BOUGH_LOG__MARKS = 18, BOUGH_LOG__ROOTS = 8 };

struct bough_log__moment {
    uint64_t bytes; /* written so far */
    int64_t sec;
};

struct bough_log__mark {
    struct bough_log__moment at;
    uint64_t seq, generation, checkpoint; /* the newest that were written before */
};

struct bough_log__settle {
    bool on; /* false: the device has a flush */
    int64_t seconds;
    uint64_t bytes;
    uint64_t generation; /* of the newest superblock that has settled: its slot is not written */
    struct bough_log__mark mark[BOUGH_LOG__MARKS]; /* oldest first */
    uint32_t marks;
    struct {
        struct bough_log__super super; /* only what names the root */
        struct bough_log__moment at;
    } root[BOUGH_LOG__ROOTS]; /* written, but not named yet; oldest first */
    uint32_t roots;
};

void bough_log__settle_init(struct bough_log *l, const struct bough_log__supers *all);
void bough_log__settle_root(struct bough_log *l, const struct bough_log__super *root);

/* See what has settled meanwhile: outside of transactions, and it may write a superblock. */
enum bough_err bough_log__settle_move(struct bough_log *l);

/* Is the device still ours alone?  BOUGH_EGONE: another owner wrote to it.  `timely`: once a second
   at most, where there is a clock. */
enum bough_err bough_log__owner_check(struct bough_log *l);
enum bough_err bough_log__owner_check_timely(struct bough_log *l);

/* Write generation l->super.generation + 1 with what l->super says else; `sync`: and flush. */
enum bough_err bough_log__super_write(struct bough_log *l, bool sync);

/* At a clean end: a superblock says how far the log goes, if none does.  What fails is left. */
void bough_log__super_end(struct bough_log *l);

#endif
