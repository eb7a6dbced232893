/* repair.h - what the two halves of `bough repair` share. */
#ifndef BOUGH_REPAIR_H
#define BOUGH_REPAIR_H

#include "cli/json.h"
#include "cli/transfer.h"
#include "repo/fsck.h"

struct repair {
    struct cli *src, *dst;
    struct bough_fsck *fsck; /* of the damaged store */
    struct transfer t;
    uint64_t cut, lost; /* refs that were damaged, values that are gone */
    uint64_t broken;    /* structures that were damaged */
    struct json json;
};

/*
 * Bring every branch of the new store to what the damaged one showed for it: where they differ a
 * commit holds what can be read of it, journalled writes included, and lost keys are told.
 */
enum bough_err salvage(struct repair *x, struct bough_why *why);

#endif
