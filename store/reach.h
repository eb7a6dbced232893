/*
 * reach.h - what commits reach, by bitmaps: for clones and fetches.
 *
 *   asking    open; who covers a commit; a set on each of two sides
 *   telling   what is on one side and not on the other, entry by entry as stored
 *
 * An engine may keep, for some commits, which of its objects they reach.  That is a cache: where
 * it is missing, or damaged, one walks.  A set here is of old objects only, those that were there
 * when the bitmaps were made; younger ones are the caller's to find.
 *
 * Threads: as store.h.  A handle keeps the store from dropping what it reads from; when space is
 * needed all the same, or a collection has waited for it for a minute, it is given up, and answers
 * BOUGH_EEXPIRED.  What it was telling is not lost: it still says the ids of the rest.
 */
#ifndef BOUGH_REACH_H
#define BOUGH_REACH_H

#include "git/entry.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_reach_class;

enum bough_reach_side { BOUGH_REACH_WANT, BOUGH_REACH_HAVE };

struct bough_reach {
    const struct bough_reach_class *cls;
    struct bough_store *store;
    bool empty_tree;  /* some commit has the empty tree, which is not in any set */
    uint32_t commits; /* for which there are bitmaps */
};

/*
 * Both sets empty; released with bough_reach_close(), before the store.
 *
 * BOUGH_ENOTSUP    the engine has no bitmaps, now or at all: walk
 * BOUGH_ENOMEM, BOUGH_EIO
 */
enum bough_err bough_store_reach(struct bough_store *s, struct bough_reach **out);
void bough_reach_close(struct bough_reach *r); /* NULL is fine */

/* Is there a bitmap for this very commit? */
bool bough_reach_covers(struct bough_reach *r, const struct bough_oid *commit);

/*
 * Put a commit that is covered, and all that it reaches, on a side.
 *
 * BOUGH_EAGAIN     a part is done: call again, with the same
 * BOUGH_ECORRUPT   the bitmap is damaged; the sets are of no use any more: close, and walk
 * BOUGH_ENOMEM, BOUGH_EIO, BOUGH_EEXPIRED
 */
enum bough_err bough_reach_add(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *commit);

/* Put this object alone on a side; `*fresh` (may be NULL): it was not there.  BOUGH_ENOENT: it is not old. */
enum bough_err bough_reach_put(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id, bool *fresh);

/* Where it is: bits 1 << side.  0: on none, or not old. */
enum bough_err bough_reach_sides(
    struct bough_reach *r, const struct bough_oid *id, uint32_t *sides);

/* How many objects are wanted and not had.  From now on the sets stay as they are. */
uint64_t bough_reach_count(struct bough_reach *r);

/* An object that is wanted and not had, as stored. */
struct bough_reached {
    struct bough_oid id;
    uint64_t
        where;    /* ascending; entries that touch stand together: where + len is the next one's */
    uint64_t len; /* bytes of the entry: head and zlib stream */
    uint32_t crc; /* CRC-32 of them */
    struct bough_entry_head head;
};

/*
 * The next one.
 *
 * BOUGH_EAGAIN     the search goes on: call again
 * BOUGH_ENOENT     that was all
 * BOUGH_ECORRUPT, BOUGH_EIO, BOUGH_ENOMEM, BOUGH_EEXPIRED
 */
enum bough_err bough_reach_next(struct bough_reach *r, struct bough_reached *out);

/*
 * After BOUGH_EEXPIRED: the next of the objects that bough_reach_next() had still to tell, by ids.  They are
 * there as long as a pin or a ref keeps them.
 *
 * BOUGH_ENOENT     that was all
 * BOUGH_EEXPIRED   nothing was told yet, or there was not the memory to note them: begin again
 */
enum bough_err bough_reach_left(struct bough_reach *r, struct bough_oid *out);

/* `n` bytes of its entry, from byte `at` on. */
enum bough_err bough_reach_read(
    struct bough_reach *r, const struct bough_reached *e, uint64_t at, void *dst, size_t n);

/* The base of a delta, and on which sides it is; none, too, where another entry stands for its id. */
enum bough_err bough_reach_base(
    struct bough_reach *r, const struct bough_reached *e, struct bough_oid *base, uint32_t *sides);

/* ---- For those who write an engine: the arguments were checked ---- */

struct bough_reach_class {
    void (*close)(struct bough_reach *r);
    bool (*covers)(struct bough_reach *r, const struct bough_oid *commit);
    enum bough_err (*add)(
        struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *commit);
    enum bough_err (*put)(
        struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id, bool *fresh);
    enum bough_err (*sides)(struct bough_reach *r, const struct bough_oid *id, uint32_t *sides);
    uint64_t (*count)(struct bough_reach *r);
    enum bough_err (*next)(struct bough_reach *r, struct bough_reached *out);
    enum bough_err (*left)(struct bough_reach *r, struct bough_oid *out);
    enum bough_err (*read)(
        struct bough_reach *r, const struct bough_reached *e, uint64_t at, void *dst, size_t n);
    enum bough_err (*base)(struct bough_reach *r, const struct bough_reached *e,
        struct bough_oid *base, uint32_t *sides);
};

#ifdef __cplusplus
}
#endif

#endif
