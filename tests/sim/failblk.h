/*
 * failblk.h - a device whose n-th call fails.
 *
 *     for (uint64_t n = 0;; n++) {
 *         failblk_init(&f, &ram.blk, n);
 *         ... work on &f.blk, expect BOUGH_OK or BOUGH_EIO ...
 *         if (!f.failed)
 *             break;
 *     }
 *
 * Every method counts, reads too.  The failing call does nothing below, or, when `late`, what it
 * was asked for: it fails all the same.  For one that loses or tears what was not synced, see
 * cutblk.h, `survives`.
 */
#ifndef FAILBLK_H
#define FAILBLK_H

#include "block/block.h"

struct failblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    uint64_t calls;     /* so far */
    uint64_t fail_at;   /* this one fails, counting from 0 */
    bool fail_on;       /* and all after it; false at first */
    bool late;          /* it fails when it has done its work; false at first */
    bool failed;        /* one did */
    enum bough_err err; /* BOUGH_EIO at first */
};

/* `under` is borrowed. */
void failblk_init(struct failblk *f, struct bough_block *under, uint64_t fail_at);

#endif
