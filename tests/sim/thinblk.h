/*
 * thinblk.h - a device whose units have room below from their first write on, if there is any.
 *
 * As a file with holes on a filesystem that others fill, too: a write of a unit that has no room takes
 * one of `left`, and is refused with BOUGH_ENOSPC when there is none; so is allocate.  Discard gives back.
 */
#ifndef THINBLK_H
#define THINBLK_H

#include "block/block.h"

struct thinblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    uint8_t *has;     /* a byte a unit: it has room */
    uint64_t left;    /* units that may have some yet */
    uint64_t refused; /* writes */
    bool lossy;       /* others take at once what is given back */
};

/* `under` is borrowed; nothing of it has room at first, `left` units may. */
void thinblk_init(struct thinblk *t, struct bough_block *under, uint64_t left);
void thinblk_fini(struct thinblk *t);

#endif
