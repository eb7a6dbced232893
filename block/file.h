/*
 * file.h - a block device on a file or on a real block device.  Hosted.
 *
 *   struct bough_fileblk     the device
 *   bough_fileblk_open()     open or create, and lock; _open_part(): a part of it
 *   bough_fileblk_close()
 */
#ifndef BOUGH_FILE_H
#define BOUGH_FILE_H

#include "block/block.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_FILEBLK_CREATE = 1 << 0,   /* make an empty file when there is none */
    BOUGH_FILEBLK_NEW = 1 << 1,      /* with CREATE: there must be none */
    BOUGH_FILEBLK_READONLY = 1 << 2, /* any number of readers, and no writer, at a time */
    BOUGH_FILEBLK_DIRECT = 1 << 3,   /* write_sync past the page cache where the system can */
    BOUGH_FILEBLK_MAP = 1 << 4,      /* have BOUGH_BLOCK_MAP */
};

enum { BOUGH_FILEBLK_MAPS_MAX = 48 }; /* each at least twice as long as the one before */

struct bough_fileblk {
    struct bough_block blk; /* use this one */
    int fd;
    int direct;  /* the same file for write_sync, or -1 */
    bool device; /* a real block device, whose size is fixed */
    bool dirty;  /* perhaps written since the last sync, by us or before us */
    uint32_t map_n;
    struct {
        uint8_t *ptr;
        uint64_t len; /* bytes */
    } map[BOUGH_FILEBLK_MAPS_MAX];
};

/*
 * Open the file or block device at `path` (borrowed for the call) with units
 * of `unit` bytes; 0: 512 for a file, what a block device says for itself.
 * Bytes of a file past its last whole unit are not part of the device.
 * The file is locked until close: against every other process, and against
 * another open of it in this one.
 *
 * BOUGH_ELOCKED   another process has it; why.at is its pid, 0 when unknown
 * BOUGH_ENOENT    no such file, and CREATE was not asked for
 * BOUGH_EEXIST    NEW was asked for, and it is there
 * BOUGH_EINVAL    a unit that is no power of two, out of bounds or below the
 *                 device's own; or neither a file nor a block device
 * BOUGH_EDENIED   the system does not let us
 * BOUGH_EREADONLY, BOUGH_EIO, BOUGH_ENOSPC
 */
enum bough_err bough_fileblk_open(struct bough_fileblk *dev, const char *path, uint32_t flags,
    uint32_t unit, struct bough_why *why);

/* Bytes of a file or device, multiples of 512; `len` 0: to the end. */
struct bough_filepart {
    uint64_t at, len;
};

/*
 * The same, for who uses these bytes only (block.h: bough_rangeblk_init()): others may have other parts
 * open meanwhile.  The device is all of the file, as long as it is, and is never made.
 */
enum bough_err bough_fileblk_open_part(struct bough_fileblk *dev, const char *path, uint32_t flags,
    uint32_t unit, const struct bough_filepart *part, struct bough_why *why);

/* Unlock and close, without a sync. */
void bough_fileblk_close(struct bough_fileblk *dev);

#ifdef __cplusplus
}
#endif

#endif
