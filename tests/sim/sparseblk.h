/*
 * sparseblk.h - a device of any size in memory: only what was written takes room.
 *
 * What was never written reads as zeros.
 */
#ifndef SPARSEBLK_H
#define SPARSEBLK_H

#include "block/block.h"

struct sparse_page;

struct sparseblk {
    struct bough_block blk; /* use this one */
    struct sparse_page *page;
    size_t pages, slots;    /* of a hash table */
    uint64_t reads, writes; /* calls */
    uint64_t bytes_read, bytes_written;
};

void sparseblk_init(struct sparseblk *s, uint64_t bytes, uint32_t unit);
void sparseblk_fini(struct sparseblk *s);

#endif
