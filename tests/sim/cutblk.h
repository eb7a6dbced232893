/*
 * cutblk.h - a device whose power fails.
 *
 * It passes everything to the device below, and remembers what no sync has
 * made durable.  At call number `left` (writes, syncs, discards, resizes) the
 * power fails: what was remembered, that call's own change with it, is lost,
 * kept or torn, which is all that block.h promises, and every later call is
 * BOUGH_EGONE.  The device below then holds what the medium would.
 *
 * With cutblk_settle() it is a device without sync instead, on which a change reaches the medium
 * when enough was written after it.
 *
 * The fates come from a tape, or all are the one that `fate` says:
 *
 *     cutblk_init(&c, &ram.blk, &tape, draw(&tape, calls + 1));
 *     cutblk_init(&c, &ram.blk, NULL, n);  c.fate = CUT_TORN;
 *
 * From a tape, a change of at most `each` units draws a fate for each of them.
 * A longer one draws a fate for the whole, and its units follow a pattern;
 * so they do when all have one fate.
 */
#ifndef CUTBLK_H
#define CUTBLK_H

#include "block/block.h"
#include "tests/sim/tape.h"

#define CUT_NEVER UINT64_MAX

/* What became of a change.  A tape draws from the first three for a unit, from five for a run. */
enum cut_fate {
    CUT_LOST,
    CUT_KEPT,
    CUT_TORN,  /* a unit: its first `tear` bytes are new; a run: its first units, then a torn one */
    CUT_TAIL,  /* a run: its first units are old, then a torn one, then new ones */
    CUT_HOLES, /* a run: every second unit is new */
    CUT_SEEDED, /* each unit by itself, at random from `seed`, torn anywhere */
    CUT_SOME,   /* each change by itself, one of four lost, at random from `seed` */
};
enum { CUT_UNIT_FATES = 3, CUT_RUN_FATES = 5 };

struct cut_change; /* one call that no sync followed yet */

struct cutblk {
    struct bough_block blk; /* use this one */
    struct bough_block *under;
    struct tape *tape;   /* NULL: `fate` for all */
    enum cut_fate fate;  /* CUT_LOST at first */
    uint64_t seed;       /* for CUT_SEEDED */
    uint64_t left;       /* calls until the cut; CUT_NEVER */
    uint64_t calls;      /* writes, syncs, discards and resizes so far */
    uint32_t each;       /* 4 at first */
    uint32_t tear;       /* bytes; half a unit at first */
    bool tear_back;      /* a torn unit has its last `tear` bytes new, not its first */
    bool writes_only;    /* `left` counts writes, not syncs, discards and resizes */
    bool survives;       /* the call fails with BOUGH_EIO instead, and the device lives on */
    bool dead;           /* the power has failed */
    uint64_t count_kept; /* units that the medium has for sure */
    uint64_t settle;     /* bytes; 0: a device with sync */
    uint64_t written;    /* bytes so far */
    struct cut_change *waiting;
    size_t waiting_n, waiting_cap;
};

/* `under` and `tape` are borrowed until fini. */
void cutblk_init(struct cutblk *c, struct bough_block *under, struct tape *tape, uint64_t left);
void cutblk_fini(struct cutblk *c); /* power off, with all that was written kept */

/* No sync; a change is on the medium once `bytes` were written after it.  Before the first use. */
void cutblk_settle(struct cutblk *c, uint64_t bytes);

/* Enough time has gone by: all of it is on the medium. */
void cutblk_wait(struct cutblk *c);

/* The power fails now. */
void cutblk_cut(struct cutblk *c);

#endif
