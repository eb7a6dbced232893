/*
 * intake.h - a received pack is indexed and checked in bounded memory.
 * Private to store/: the algorithm under the engines' struct bough_intake.
 *
 *   host      what the engine lends: an area for raw bytes, the store's own objects
 *   rows      what comes out: an index of the pack, sorted by id
 *   intake    init, feed, step, then look up; fini
 *
 * Pass 1 (feed) streams the pack into the area and notes for each entry its
 * place, checksum, type and base; whole objects are hashed and checked as
 * they stream by.  Pass 2 (step) makes the deltas' objects depth first from
 * their bases, with an explicit stack and a cache of half the working memory,
 * looks bases that the pack lacks up in the store (thin packs), compares what
 * the store already has byte by byte, and hands out the rows.
 *
 * Memory: opts.limits.memory, plus BOUGH_STORE__INTAKE_NODE_LEN bytes and the
 * id an entry (36 more for each REF delta, 56 for each delta of the deepest
 * chain), plus, for an object that is a delta or the base of one and for
 * commits, trees and tags, itself, its base and its delta: each at most
 * opts.limits.object_max.  A blob that is whole in the pack is never held.
 */
#ifndef BOUGH_STORE_INTAKE_H
#define BOUGH_STORE_INTAKE_H

#include "git/pack.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_STORE__INTAKE_NODE_LEN = 44,          /* bytes of state an entry, beside its id */
    BOUGH_STORE__INTAKE_BODY_MAX = 64 * 1024,   /* blobs up to this are shown whole to the check */
    BOUGH_STORE__INTAKE_DEPTH_MAX = 100 * 1000, /* deltas in a chain; over it: BOUGH_ETOOBIG */
    BOUGH_STORE__INTAKE_MEMORY_MIN = 4 << 20,   /* bytes */
};

/* An object of the pack, found and checked. */
struct bough_store__intake_row {
    struct bough_oid id;
    enum bough_type type;   /* commit, tree, blob, tag */
    enum bough_type stored; /* the entry's own: the same, or a delta's */
    uint64_t size;          /* of the object */
    uint64_t at;            /* of the entry in the area; the pack begins at 0 */
    uint64_t packed_len;    /* of the entry, head and all */
    uint32_t crc;           /* CRC-32 of it */
    bool known;     /* the store has this object already, and the bytes are equal.  An engine
                               whose rows overrule older ones must not add such a row: the old
                               object may be what leads to this one's base */
    bool completed; /* not of the pack: a base that was appended */
};

/*
 * What the engine lends.  Its answers must be those of one unchanging state of
 * the store from the first step on; before it objects may go (bough_store__intake_lost).  Any method may end the intake with an error.
 */
struct bough_store__intake_host;
struct bough_store__intake_host_class {
    /* Append raw bytes to the area: the pack, then completing entries. */
    enum bough_err (*append)(struct bough_store__intake_host *host, struct bough_view bytes);
    /* Read back exactly `n` bytes that were appended. */
    enum bough_err (*read)(
        struct bough_store__intake_host *host, uint64_t at, uint8_t *dst, size_t n);
    /* Lend them, until the next append; NULL when it cannot.  NULL method: never. */
    const uint8_t *(*map)(struct bough_store__intake_host *host, uint64_t at, size_t n);
    /* Has the store this object?  BOUGH_OK or BOUGH_ENOENT.  NULL: it has none. */
    enum bough_err (*known)(struct bough_store__intake_host *host, const struct bough_oid *id);
    /* A known object is said to be of this type and size and to hold `piece` at `at`.
       BOUGH_EFORMAT: it does not, a collision.  Pieces come in order. */
    enum bough_err (*compare)(struct bough_store__intake_host *host, const struct bough_oid *id,
        const struct bough_found *found, uint64_t at, struct bough_view piece);
    /* Append the body of a base that the pack lacks to `out`; BOUGH_ENOENT: there is none.
       NULL: no thin packs. */
    enum bough_err (*base)(struct bough_store__intake_host *host, const struct bough_oid *id,
        enum bough_type *type, struct bough_buf *out);
    /* A row, ascending by id, each id once.  NULL: they are looked up instead. */
    enum bough_err (*row)(
        struct bough_store__intake_host *host, const struct bough_store__intake_row *row);
};
struct bough_store__intake_host {
    const struct bough_store__intake_host_class *cls;
};

struct bough_store__intake;

/*
 * Begin.  `complete`: append bases that the pack lacks to the area, so that it
 * needs nothing else; otherwise such deltas stay, and lead by id into the store.
 * `mem`, `host` and `why` (may be NULL) are borrowed until fini; `opts` is copied.
 *
 * BOUGH_ENOMEM
 * BOUGH_EINVAL    opts.limits.memory under BOUGH_STORE__INTAKE_MEMORY_MIN, and not 0
 */
enum bough_err bough_store__intake_open(struct bough_store__intake **out, struct bough_mem *mem,
    enum bough_algo algo, struct bough_store__intake_host *host,
    const struct bough_intake_opts *opts, bool complete, struct bough_why *why);
void bough_store__intake_close(struct bough_store__intake *in); /* NULL is fine */

/* Before the first step: objects of the store have gone since it was begun.  What was known is asked
   for again. */
void bough_store__intake_lost(struct bough_store__intake *in);

/* As bough_intake_feed() says; BOUGH_OK also while more is needed. */
enum bough_err bough_store__intake_feed(
    struct bough_store__intake *in, struct bough_view bytes, size_t *used);

/* As bough_intake_step() says.  One object is the least that a call does. */
enum bough_err bough_store__intake_step(struct bough_store__intake *in, uint64_t budget);

struct bough_store__intake_facts {
    bool received;     /* the pack's last byte was taken */
    bool done;         /* step() answered BOUGH_OK */
    uint64_t len;      /* bytes of the pack taken */
    uint64_t area_len; /* bytes appended: the pack and what completes it */
    uint64_t entries;  /* claimed by the pack */
    uint64_t resolved; /* objects whose ids are known so far */
    uint64_t count;    /* when done: different objects, completing ones too */
    uint64_t work;     /* bytes inflated or made from deltas so far */
};
struct bough_store__intake_facts bough_store__intake_facts(const struct bough_store__intake *in);

/* What of it everybody may know, into the face. */
void bough_store__intake_tell(const struct bough_store__intake *in, struct bough_intake *face);

/*
 * When done: row `n` of 0..count-1, ascending by id; and the number of `id`.
 *
 * BOUGH_ENOENT    not among them
 */
struct bough_store__intake_row bough_store__intake_row(
    const struct bough_store__intake *in, uint64_t n);
enum bough_err bough_store__intake_find(
    const struct bough_store__intake *in, const struct bough_oid *id, uint64_t *n);

/*
 * When done: entry `i` in the order of the area, 0..facts.entries-1, and behind these the
 * completing ones; an object that came twice is there twice.  What is in the area, for engines
 * that find entries by their place.
 */
struct bough_store__intake_row bough_store__intake_entry(
    const struct bough_store__intake *in, uint64_t i);

#ifdef __cplusplus
}
#endif

#endif
