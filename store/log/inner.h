/*
 * inner.h - the log engine: one struct that holds its parts.  The format is docs/format.md.
 *
 * What the parts do is in headers of their own; a file includes those of the parts that it uses.
 *
 *   shape_inner.h        the measures of a store, and locators
 *   super_inner.h        superblocks, devices without flush
 *   zone_inner.h         zones: used for what, and since when; what is kept back
 *   run_inner.h          bytes over zones, and writers of them
 *   cache_inner.h        the device through pages; inflated objects
 *   frame_inner.h        frames and items as bytes
 *   table_inner.h        rows and their tables
 *   segment_inner.h      what objects lie in
 *   refs_inner.h         refs and records
 *   read_inner.h         from an id to an object; range_inner.h: long ones, in parts
 *   txn_inner.h          the log goes on: transactions
 *   checkpoint_inner.h   all on the device, old tables become one; opening
 *   open/replay_inner.h  where the log ends, or is damaged
 *   reader_inner.h       who reads on another thread
 *   intake_inner.h       packs that come in
 *   collect_inner.h      collecting, as the others see it; cycle_inner.h: from within
 *   reach_inner.h        what commits reach, as bitmaps; reach/bitmap_make_inner.h: while they are made
 */
#ifndef BOUGH_LOG_INNER_H
#define BOUGH_LOG_INNER_H

#include "base/zip.h"
#include "store/collect.h"
#include "store/log/cache_inner.h"
#include "store/log/log.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* Where the log goes on. */
struct bough_log__head {
    uint64_t seq;      /* of the next frame */
    uint32_t prev_crc; /* of the frame before */
    uint32_t segment, zone, at;
    uint32_t next; /* zone; 0: none */
    bool spare;    /* the zone is one of those kept back: new objects do not come here */
};

struct bough_log__txn {
    struct bough_txn txn;         /* first: the face */
    struct bough_log__head start; /* where the log stood at begin */
    uint32_t start_segment;       /* next segment number then */
    bool began;                   /* its FIRST frame was written */
    bool heavy;                   /* brings new objects: keeps out of the reserve */
    bool grows;                   /* brings anything: only removals may go on as deep as can be */
    struct bough_buf data;        /* the frame being made: head and data */
    struct bough_buf index;
    uint32_t items;
    uint64_t bytes; /* of frames written */
    struct bough_log__rows rows;
    struct bough_log__refs refs;       /* changes */
    int64_t refs_more;                 /* how many more there are with them */
    struct bough_log__records records; /* added */
    struct bough_log__records retired; /* {stream, seq}, no bytes */
    uint64_t next_record;
    struct bough_log__table ahead[BOUGH_LOG__AHEAD_MAX]; /* of rows that were too many */
    uint32_t ahead_n;
    uint64_t ahead_upto; /* they stand for the objects of frames up to this sequence */
    uint32_t *adopted;   /* numbers of the pack segments, in order */
    size_t adopted_n, adopted_cap;
};

/* Memory that begins on pages, as devices like it that write past a page cache. */
struct bough_log__aligned {
    struct bough_mem mem; /* use this one */
    struct bough_mem *under;
};

enum { BOUGH_LOG__DAMAGES = 4 };

struct bough_log {
    struct bough_store store; /* first: the face */
    struct bough_block *dev;
    struct bough_mem *mem;
    struct bough_log__geo geo;
    struct bough_log__super super; /* the newest durable one */
    struct bough_log__super root;  /* what the newest root is: perhaps not named by one yet */
    struct bough_log__settle settle;
    uint64_t made;         /* number of the newest root */
    int64_t owner_checked; /* when we last looked for another owner, in seconds */
    struct bough_log__pages pages;
    struct bough_log__bodies bodies;
    struct bough_log__zones zones;

    struct bough_log__segment *segment; /* ascending by number */
    size_t segments, segment_cap;
    uint32_t next_segment, next_table;
    uint32_t swapped; /* what was there at the last collection's end lies below this segment; */
    uint32_t swapped_head;              /* the log went on in this one, below, too */
    struct bough_log__segment *through; /* a quarantined segment that is looked through, or NULL */
    struct bough_log__segment *looked;  /* the last one: whose bodies of segment 0 are cached */

    struct bough_log__table *table; /* oid tables in order */
    size_t tables, table_cap;
    size_t fresh; /* so many at the end were adopted since the checkpoint: after `rows` in order */
    struct bough_log__table hold; /* ids that damage holds; without rows: none (hold.c) */
    bool hold_all;                /* the next collection is to hold all */
    uint32_t reverse_near;        /* the block of a reverse table that was found last */
    size_t packs_tried;           /* segments there were when small ones had become one */
    struct bough_log__rows rows;  /* since the checkpoint */

    struct bough_log__table reftable[BOUGH_LOG__REFTABLES_MAX]; /* oldest first */
    uint32_t reftables;
    struct bough_log__refs refs; /* changed since the checkpoint */
    uint64_t refs_n;             /* refs that there are */
    uint8_t *ref_scratch;        /* names and targets lent to callers */

    struct bough_log__records records; /* live ones */
    uint64_t next_record;

    struct bough_log__head head;
    uint64_t durable_to;         /* frames up to here are flushed */
    uint32_t pay_wait, pay_skip; /* commits between tries of a checkpoint that fails; until one */
    uint64_t given_up;           /* sequence of the frame where a transaction was aborted
                                       last, or where this mount began */
    uint64_t log_bytes;          /* of frames since the checkpoint */
    uint32_t prepared_to;        /* bytes of the head's zone that were written once */
    uint32_t prepared_next;      /* and of the next zone */
    uint32_t open_zone, open_at; /* where tables go on; zone 0: in a new one */
    struct bough_log__run root_run; /* of the newest durable root */

    struct bough_log__pin *pins; /* of readers that were opened from here, newest first */
    struct bough_log__pin *pin;  /* of a reader: its own, or NULL */

    struct bough_log__births births;
    struct bough_log__tiers *tiers;         /* tables that become one, or NULL: tiers.c */
    struct bough_log__reftiers *reftiers;   /* ref tables that do, or NULL: reftiers.c */
    const struct bough_log__lists *before;  /* what comes back when a checkpoint fails, or NULL */
    struct bough_log__cycle *cycle;         /* the collection that runs, or NULL: cycle_inner.h */
    struct bough_log__reach *reaches;       /* open handles: reach_inner.h */
    struct bough_log__bitmapper *bitmapper; /* bitmaps that are being made, or NULL */
    uint32_t bitmaps_due; /* number of the table for which they are to be made; 0: none */
    bool bitmaps_alone;   /* it has its zones for itself */
    struct bough_collect_progress collected; /* how the last one ended */
    uint32_t lookers;   /* intakes that have seen what is stored: it stays until they end */
    uint32_t settled;   /* zones in use when the last one had ended */
    uint64_t swap_made; /* the checkpoint with which the last one ended */
    uint32_t forget;    /* checkpoints to be made until what it freed can be used */
    uint64_t paid;      /* bytes of traffic when writers paid for it last */
    struct {
        uint64_t seq;   /* of the frame at which it was counted; 0: it was not */
        uint64_t bytes; /* that a collection would give back */
    } gain;
    struct {
        bool on; /* it gave some, and had not the room for all: another one is to begin */
        bool asked;
        uint32_t round; /* so many came before it */
        struct bough_collect_opts opts;
    } again;
    uint32_t
        modest; /* the last ones found no room for their copies: so many times half as much is copied */
    bool starved; /* somebody found no room since the last collection began */

    struct bough_log__txn txn;
    struct bough_log__aligned aligned; /* memory of its frames */
    struct bough_buf scratch;          /* a packed entry, coming or going */
    struct bough_inflater inflater;
    bool inflater_ready;
    struct bough_log_open_opts opts;
    uint64_t commits, syncs;
    uint64_t payload;                            /* packed bytes of objects that came in */
    bool mounted;                                /* open for writing, and the superblocks say so */
    struct bough_why damage[BOUGH_LOG__DAMAGES]; /* what was found wrong when it was opened */
    uint32_t damages;
    bool rootless;    /* no checkpoint was found: what there is comes from frames */
    uint64_t lost_to; /* of frames up to this sequence some are lost */
};

static inline struct bough_log *bough_log__of(struct bough_store *s)
{
    return (struct bough_log *)s; /* store is the first field */
}

/* A place for people: where something is damaged.  Returns BOUGH_ECORRUPT. */
void bough_log__corrupt_note(struct bough_log *l, const char *what, uint64_t at);
static inline enum bough_err bough_log__corrupt(struct bough_log *l, const char *what, uint64_t at)
{
    bough_log__corrupt_note(l, what, at);
    return BOUGH_ECORRUPT;
}

/* Note what was found wrong at open, for a check to tell: the first few. */
void bough_log__damage_note(struct bough_log *l, const struct bough_why *why);

/* Is what lies at `where` the open transaction's, and may never come to be? */
static inline bool bough_log__is_unborn(const struct bough_log *l, uint64_t where)
{
    const struct bough_log__txn *t = &l->txn;
    uint32_t segment = bough_log__where_segment(where);

    return segment >= t->start_segment ||
           (segment == t->start.segment && bough_log__where_offset(where) >= t->start.at);
}

/* A store in memory only, for open and format; `*out` is set even on error, to be closed. */
enum bough_err bough_log__new(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_open_opts *opts, const struct bough_log__geo *geo,
    struct bough_log **out);

#endif
