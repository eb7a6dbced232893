/*
 * block.h - block devices.
 *
 *   what a device is      struct bough_block
 *   how to make one       struct bough_block_class
 *   how to use one        bough_block_read(), _read_fresh(), _write(), _sync(), _write_sync(),
 *                         _prepare(), _allocate(), _discard(), _resize(), _map()
 *   devices we ship       bough_ramblk_init(), bough_rangeblk_init(), bough_overblk_init();
 *                         block/file.h
 *
 * A device is an array of `count` units of `unit` bytes.  A unit is the
 * least that can be read or written.
 *
 * What a power cut leaves.  A write is durable once a later sync returned
 * BOUGH_OK.  Until then every unit it covers may read back as the old bytes,
 * the new bytes, or any mix of the two, and writes may land in any order.
 * No write is promised to be atomic, so no code above may count on it.  What
 * is true of a write is true of a discard and of a change of size.
 *
 * Threads.  One call at a time on one device; the caller sees to that.  With BOUGH_BLOCK_THREADS
 * any number of reads by other threads may go on beside it, of units that it does not write.
 */
#ifndef BOUGH_BLOCK_H
#define BOUGH_BLOCK_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bough_block;

enum { BOUGH_UNIT_MIN = 512, BOUGH_UNIT_MAX = 65536 }; /* bytes */

/* What a device can do besides reading and writing. */
enum {
    BOUGH_BLOCK_SYNC = 1 << 0,     /* sync orders and persists; without it, writes settle in
                                      their own time */
    BOUGH_BLOCK_DISCARD = 1 << 1,  /* discard gives space back; without it, it does nothing */
    BOUGH_BLOCK_RESIZE = 1 << 2,   /* the device can grow and shrink */
    BOUGH_BLOCK_MAP = 1 << 3,      /* its bytes can be read where they are */
    BOUGH_BLOCK_READONLY = 1 << 4, /* it takes no writes */
    BOUGH_BLOCK_THREADS = 1 << 5,  /* other threads may read while one does anything else */
    BOUGH_BLOCK_ALLOCATE = 1 << 6, /* units have room below only from their first write on: it can
                                      be refused then, and asked for before */
};

/*
 * What an implementation provides.  Ranges and capabilities are checked
 * before a method is called, and `n` is never 0, so a method is only its
 * body.  A method may be NULL when the device lacks its capability.
 */
struct bough_block_class {
    const char *name; /* for people: "ram", "file", "virtio" */

    enum bough_err (*read)(struct bough_block *dev, uint64_t at, uint32_t n, void *dst);
    enum bough_err (*write)(struct bough_block *dev, uint64_t at, uint32_t n, const void *src);
    enum bough_err (*sync)(struct bough_block *dev);

    /* May be NULL everywhere: then a read does not come from a cache. */
    enum bough_err (*read_fresh)(struct bough_block *dev, uint64_t at, uint32_t n, void *dst);

    /* May be NULL everywhere: then it is a write and a sync. */
    enum bough_err (*write_sync)(struct bough_block *dev, uint64_t at, uint32_t n, const void *src);

    /* May be NULL everywhere: then a first write costs no more than a later one. */
    enum bough_err (*prepare)(struct bough_block *dev, uint64_t at, uint64_t n);

    enum bough_err (*allocate)(struct bough_block *dev, uint64_t at, uint64_t n);
    enum bough_err (*discard)(struct bough_block *dev, uint64_t at, uint64_t n);
    enum bough_err (*resize)(struct bough_block *dev, uint64_t count); /* and set dev->count */
    enum bough_err (*map)(struct bough_block *dev, uint64_t at, uint64_t n, const uint8_t **out);
};

/*
 * A device.  An implementation makes this the first field of its own
 * struct.  The caller owns that struct and leaves it in place.
 */
struct bough_block {
    const struct bough_block_class *cls;
    uint64_t count; /* in units */
    uint32_t unit;  /* in bytes; a power of two, 512 to 65536 */
    uint32_t caps;  /* BOUGH_BLOCK_... */
};

/*
 * Read `n` units, from unit `at` on, into `dst` (borrowed for the call;
 * n * unit bytes).  On failure the contents of `dst` are unspecified.
 *
 * BOUGH_ERANGE    the units are not all on the device; nothing was read
 * BOUGH_EIO       the device failed; the same call may work later
 * BOUGH_EGONE     the device failed for good
 */
enum bough_err bough_block_read(struct bough_block *dev, uint64_t at, uint32_t n, void *dst);

/*
 * As bough_block_read(), of what the device has now: where somebody else may write it, too, a cache
 * of this system would not know.  What we wrote there must be durable.
 */
enum bough_err bough_block_read_fresh(struct bough_block *dev, uint64_t at, uint32_t n, void *dst);

/*
 * Write `n` units from `src` (borrowed for the call; n * unit bytes).  A
 * read of these units returns the new bytes from now on; a power cut may
 * still undo them.  After BOUGH_EIO the units are as after a power cut.
 *
 * BOUGH_EREADONLY the device takes no writes
 * BOUGH_ENOSPC    a sparse device has no room below it; the units are as after a power cut
 * BOUGH_ERANGE, BOUGH_EIO, BOUGH_EGONE as for bough_block_read().
 */
enum bough_err bough_block_write(struct bough_block *dev, uint64_t at, uint32_t n, const void *src);

/*
 * Make every write so far durable.  On a device without BOUGH_BLOCK_SYNC this
 * does nothing and says BOUGH_OK: whoever needs more asks `caps` at open.
 * After any failure, none of them can be trusted to be: do not retry the
 * sync, write again.
 *
 * BOUGH_EIO, BOUGH_EGONE as for bough_block_read().
 */
enum bough_err bough_block_sync(struct bough_block *dev);

/*
 * As bough_block_write() followed by bough_block_sync(), in one step where
 * the device has a shorter one.  `src` aligned to 4096 bytes helps; nothing
 * is asked of it.
 *
 * Errors of both; after any of them, see bough_block_sync().
 */
enum bough_err bough_block_write_sync(
    struct bough_block *dev, uint64_t at, uint32_t n, const void *src);

/*
 * Give `n` units, whose bytes are not needed, their place on the device, where a first write is dearer
 * than a later one.  What they read as is unspecified until they are written; no sync is needed for
 * it, and none waits for it.
 *
 * BOUGH_ENOTSUP   the device has no such thing; nothing was done
 * Other errors as for bough_block_write().
 */
enum bough_err bough_block_prepare(struct bough_block *dev, uint64_t at, uint64_t n);

/*
 * Get `n` units the room below that a first write of them would take, for good: until they are
 * discarded no write of them is refused for want of it.  Their bytes stay as they are.  What is not
 * synced may have to be asked for again after a power cut.  Without BOUGH_BLOCK_ALLOCATE this does
 * nothing and says BOUGH_OK; a device that finds out that it cannot drops that bit, and says so, too.
 *
 * BOUGH_ENOSPC    there is none; perhaps some of the units have it, now
 * Other errors as for bough_block_write().
 */
enum bough_err bough_block_allocate(struct bough_block *dev, uint64_t at, uint64_t n);

/*
 * Say that the bytes of `n` units are not needed any more, nor their room.  What they read
 * as is unspecified until they are written.  Without BOUGH_BLOCK_DISCARD this
 * does nothing and says BOUGH_OK.
 *
 * Errors as for bough_block_write().
 */
enum bough_err bough_block_discard(struct bough_block *dev, uint64_t at, uint64_t n);

/*
 * Make the device `count` units long.  New units read as anything; units
 * past the new end are gone, and so is the use of maps of them.
 *
 * BOUGH_ENOTSUP   without BOUGH_BLOCK_RESIZE
 * BOUGH_ENOSPC    it cannot be that long; it is as it was
 * BOUGH_EREADONLY, BOUGH_EIO, BOUGH_EGONE as for bough_block_write().
 */
enum bough_err bough_block_resize(struct bough_block *dev, uint64_t count);

/*
 * Point `*out` at the bytes of `n` units as the device has them: later
 * writes show through it.  Borrowed until the device is closed or shrunk
 * below them.  Where the device is a file, a read error below a map ends
 * the process, as the system has it.
 *
 * BOUGH_ENOTSUP   without BOUGH_BLOCK_MAP, or no address space: read instead
 * BOUGH_ERANGE    the units are not all on the device
 */
enum bough_err bough_block_map(
    struct bough_block *dev, uint64_t at, uint64_t n, const uint8_t **out);

/* A device in memory.  Nothing to release: drop it and its memory. */
struct bough_ramblk {
    struct bough_block blk; /* use this one */
    uint8_t *mem;
    uint64_t room; /* units that `mem` has; the device can be resized up to it */
};

/*
 * Set up `dev` over `mem` (borrowed until the device is dropped; at least
 * count * unit bytes, whose contents become the contents of the device).
 */
void bough_ramblk_init(struct bough_ramblk *dev, void *mem, uint64_t count, uint32_t unit);

/* Say that `mem` has `room` units, at least as many as the device: it can be resized from now on. */
void bough_ramblk_set_room(struct bough_ramblk *dev, uint64_t room);

/* A part of another device, with the same unit.  Nothing to release. */
struct bough_rangeblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    uint64_t at; /* where it begins, in units */
};

/*
 * Set up `dev` as the `count` units of `under` (borrowed until the device is
 * dropped) from unit `at` on.  It has the capabilities of `under` but RESIZE;
 * a sync is a sync of all of `under`.
 *
 * BOUGH_ERANGE    the units are not all on `under`
 */
enum bough_err bough_rangeblk_init(
    struct bough_rangeblk *dev, struct bough_block *under, uint64_t at, uint64_t count);

/* Another device as it is, and what is written since in memory alone: for trying things out. */
struct bough_overblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    struct bough_mem *mem;
    uint32_t page; /* units of a page, which is what is copied when a part of it is written */
    size_t n, cap; /* pages written; places, a power of two */
    struct bough_overblk_page *place;
};

/*
 * Set up `dev` over `under` (borrowed until fini), which is only read.  It is as long as that for ever; a
 * sync keeps nothing.  Writes take as much memory as they have bytes, rounded up to pages of 4,096.
 */
void bough_overblk_init(
    struct bough_overblk *dev, struct bough_block *under, struct bough_mem *mem);

/* Forget what was written. */
void bough_overblk_fini(struct bough_overblk *dev);

#ifdef __cplusplus
}
#endif

#endif
