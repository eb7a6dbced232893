/*
 * recblk.h - a device that writes down what it is asked.
 *
 *     recblk_init(&r, &ram.blk);
 *     ... work on &r.blk ...
 *     recblk_text(&r, text, sizeof text);   // "w0+1 s w8+2 s d16+8 r0+4"
 *     recblk_fini(&r);
 *
 * w = write, s = sync, d = discard, z = resize, r = read (only when `reads`).
 */
#ifndef RECBLK_H
#define RECBLK_H

#include "block/block.h"

struct rec_call {
    char what; /* w s d z r */
    uint64_t at, n;
};

struct recblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    bool reads; /* write reads down, too */
    struct rec_call *call;
    size_t call_n, call_cap;
};

/* `under` is borrowed until fini.  It has the same capabilities but MAP. */
void recblk_init(struct recblk *r, struct bough_block *under);
void recblk_fini(struct recblk *r);

/* Forget the calls so far. */
void recblk_clear(struct recblk *r);

/* How many calls of this kind. */
uint64_t recblk_count(const struct recblk *r, char what);

/* The calls as text, cut at `size`. */
void recblk_text(const struct recblk *r, char *dst, size_t size);

#endif
