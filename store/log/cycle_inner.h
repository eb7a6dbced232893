/*
 * cycle_inner.h - a collection in the log engine: what lives is found, moved together, the rest dropped.
 *
 *   entries   a walk over the entries of a segment (entries.c)
 *   marks     a bit for each row that was there at the cut (mark.c)
 *   roots     refs, the keeper, pins, what is young (roots.c); refs that keep less (limit.c)
 *   tally     what lives in each segment (tally.c); who is a victim: choose_inner.h
 *   damage    what is in damaged segments stays (harm.c), and what unreadable objects may lead to (hold.c)
 *   copying   into new segments (made.c, copy.c), packed anew when asked for (cold.c)
 *   after     what came since the cut (since.c)
 *   the end   one table in place of the old ones (keep.c), the swap (finish.c)
 *   driving   steps, pressure (cycle.c, pressure.c)
 *
 * Words.  The *cut* is a checkpoint, after which the log goes on in a new segment.  What was there
 * is *old*: its rows stand in the *frozen* tables, which no checkpoint touches until the end.  What
 * comes later is *young* and lives.
 *
 * Invariants
 *   1. Of several rows of an id only the first frozen one can be marked; all others die.
 *   2. Until the swap nothing that readers or a cut see has changed.  The swap is a checkpoint.
 *   3. After it, what a row leads to is closed: objects that are not marked have no row any more,
 *      wherever their bytes lie, so nobody can build on them.
 *   4. A moved delta's base has a row, or it is written whole.
 */
#ifndef BOUGH_LOG_CYCLE_INNER_H
#define BOUGH_LOG_CYCLE_INNER_H

#include "base/zip.h"
#include "git/entry.h"
#include "git/object.h"
#include "store/collect.h"
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/range_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

/* ---- Entries of a segment (entries.c) ---- */

/* Read the head and the index of the frame at a place.  BOUGH_ENOENT: there is none. */
enum bough_err bough_log__frame_load(struct bough_log *l, uint32_t zone, uint32_t at,
    struct bough_log__frame *f, struct bough_buf *index);

struct bough_log__found_entry {
    struct bough_oid id;
    uint64_t at, len; /* in the segment: head and zlib stream */
    uint32_t crc;
};

/* In order of place. */
struct bough_log__entries {
    struct bough_log *log;
    uint32_t number; /* of the segment; 0: not begun */
    uint64_t no;     /* of the next one, in a pack segment */
    struct bough_log__frame frame;
    struct bough_buf index; /* of the frame */
    struct bough_log__items items;
    uint32_t at; /* of the next frame */
};
void bough_log__entries_init(struct bough_log__entries *e, struct bough_log *l);
void bough_log__entries_begin(struct bough_log__entries *e, uint32_t number);
void bough_log__entries_fini(struct bough_log__entries *e);

/* BOUGH_ENOENT: no more. */
enum bough_err bough_log__entries_next(
    struct bough_log__entries *e, struct bough_log__found_entry *out);

/* The head of the entry; `raw` (may be NULL) gets its bytes. */
enum bough_err bough_log__entry_head(struct bough_log *l, uint32_t number,
    const struct bough_log__found_entry *f, struct bough_entry_head *out,
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX]);

/* ---- The cycle ---- */

struct bough_log__stack {
    uint64_t *at;
    size_t n, cap;
};

/* What a segment holds. */
struct bough_log__tally {
    uint32_t number;
    bool pack, victim;
    uint32_t picked;                 /* while victims are chosen: the how manyth; 0: it is not */
    bool harmed;                     /* something in it is damaged */
    bool stays;                      /* it is within the grace period, or the log goes on in it */
    uint64_t live, dead, again;      /* objects; rows of objects that stand elsewhere, too */
    uint64_t live_bytes, dead_bytes; /* packed */
    uint64_t found, copied;          /* objects */
};

enum bough_log__stage {
    BOUGH_LOG__STAGE_TWICE,  /* rows: which of several of an object stands for it */
    BOUGH_LOG__STAGE_MARK,   /* what can be reached */
    BOUGH_LOG__STAGE_COUNT,  /* rows: who holds how many */
    BOUGH_LOG__STAGE_SIZE,   /* their bytes */
    BOUGH_LOG__STAGE_CHOOSE, /* victims; what must leave the others */
    BOUGH_LOG__STAGE_COPY,   /* victims, one after another */
    BOUGH_LOG__STAGE_STRAY,  /* deltas elsewhere whose base dies */
    BOUGH_LOG__STAGE_LIST,   /* of what damage holds */
    BOUGH_LOG__STAGE_SINCE,  /* what came since the cut, the most of it */
    BOUGH_LOG__STAGE_TABLE,  /* the rows that stay */
    BOUGH_LOG__STAGE_BORDER, /* commits whose parents go */
    BOUGH_LOG__STAGE_END,    /* the rest of what came, and the swap */
    BOUGH_LOG__STAGE_DONE,
};

/* Commits that refs reach which keep less than all. */
struct bough_log__limits {
    struct bough_log__rows seen;   /* all of them; crc: is it kept with all before it, too? */
    struct bough_log__rows tags;   /* that lead to them; crc as above */
    struct bough_log__rows young;  /* came since the cut, and are kept with all before them */
    struct bough_log__rows window; /* of the ref being walked; crc: generation, from 1 */
    size_t window_next;
    struct bough_retention keep; /* its */
    size_t border_next;
    struct bough_oid after; /* of the boundary, looked at last */
    bool any;
    struct bough_log__rows join, leave; /* commits that join the boundary, that leave it */
};

/* What objects that cannot be read may lead to (hold.c). */
struct bough_log__hold {
    bool on;                     /* damage is met; else it is an error */
    struct bough_log__stack met; /* places of such objects */
    size_t judged;
    uint32_t before; /* what has an entry below this segment is held; 0: what the list says alone */
    uint32_t step, table_no, block;
    uint8_t *bits; /* as the cycle's: it is held */
    size_t len;
    uint64_t rows;                 /* of the list */
    struct bough_log__table table; /* the list, where there is a new one */
};

/* When entries of a segment being made were written: from that place on, between these times. */
struct bough_log__made_birth {
    uint64_t where, first, last;
};

enum { BOUGH_LOG__MOVED_MAX = 16, BOUGH_LOG__BIRTHS_EACH = 8 };
enum { BOUGH_LOG__MODEST_MAX = 5 }; /* then nothing is copied */

struct bough_log__cycle {
    struct bough_log *log;
    struct bough_collect_opts opts;
    uint32_t round; /* so many came before it, and had not the room for all */
    bool asked;     /* by somebody who wants to hear that it gave up for want of memory */
    bool packs;     /* all lives: it is for the sake of small packs */
    uint32_t many;  /* classes of packs of which there are too many */
    enum bough_log__stage stage;
    struct bough_collect_progress progress;

    /* The cut. */
    struct bough_log__head cut;
    uint32_t first_young; /* segment */
    uint64_t young_from;  /* what was written at this time or later is within the grace period */
    size_t frozen;        /* tables */

    /* Marks. */
    uint64_t *first_bit; /* of each frozen table; then the end */
    size_t first_bits;
    uint8_t *bits;
    uint8_t *twice;  /* as bits: a later table's row stands for this id; NULL: there is one table */
    size_t bits_len; /* bytes, of each */
    uint64_t rows, marked;
    bool missing,
        empty_tree;  /* something that is reached is not old; the empty tree, not stored, is */
    uint32_t *names; /* for each bit the end of a name, to pack alike ones together; or NULL */
    size_t names_len;
    uint32_t name; /* of what is marked now */
    struct bough_log__stack commits, trees, others;
    struct bough_log__stack
        deeps;             /* what they name is kept whole though a window reached it before */
    bool deep;             /* such a one is being looked at */
    struct bough_buf body; /* of the object being looked at */
    struct bough_buf tree; /* a large one, of which `tree_left` is still to be looked at */
    struct bough_tree_iter tree_left;
    uint64_t tree_at; /* where it lies */
    uint64_t effort;  /* bytes inflated, looked through and deflated, by what that costs */
    uint8_t *graced;  /* as bits: it lives for the sake of the grace period alone; or NULL */
    bool gracing;     /* what is marked now does */
    bool late;        /* what is marked now is noted in `lates`, too */
    struct bough_log__rows lates;
    size_t lates_done, lates_swap; /* so many are copied; from here on they come by the swap */

    /* Roots. */
    uint8_t ref_name[BOUGH_REF_NAME_MAX];
    size_t ref_len;
    uint32_t root_step;
    bool limited;   /* some ref keeps less than all */
    uint64_t keeps; /* which word of the keeper's counts */
    bool again;     /* refs are looked at again, since it has another word */
    struct bough_log__limits limits;

    struct bough_log__hold hold;
    bool again_all; /* it is to begin again, and to hold all */

    /* Tally. */
    struct bough_log__tally *tally;
    size_t tallies, tally_cap;
    bool left_out;   /* there was not the room for all victims */
    uint32_t wanted; /* zones for copies of what victims hold, and for what comes after */
    size_t at;       /* of the stage: a table or a tally */
    struct bough_log__count *count;
    struct bough_log__entries entries;
    struct bough_log__cold *cold;    /* when all is packed anew */
    struct bough_log__long *lengthy; /* and what is too long to be held */
    struct bough_log__row *stray;    /* deltas of segments that stay, whose base goes: by place */
    size_t strays, stray_cap, strays_done;
    size_t harm_table; /* where the look for bases of what is in damaged segments stands */
    uint32_t harm_block;

    /* Copying. */
    struct bough_log__segment *made; /* done, with numbers */
    size_t mades, made_cap;
    struct bough_log__segment seg; /* being made: a number, or 0 */
    struct bough_log__out out;
    struct bough_log__sums sums;     /* of the segment being made */
    struct bough_log__rows rows_now; /* of its entries, in order */
    struct bough_log__made_birth birth[BOUGH_LOG__BIRTHS_EACH];
    uint32_t births_n;
    struct bough_log__places births;                     /* of all that is made */
    struct bough_log__rows moved_rows;                   /* of what was moved */
    struct bough_log__table moved[BOUGH_LOG__MOVED_MAX]; /* when they were too many */
    uint32_t moveds;
    struct {
        struct bough_log__row row;           /* of the entry on its way, as it will be */
        uint32_t number;                     /* from this segment; 0: none is on its way */
        uint64_t from, left;                 /* what is to be copied */
        uint32_t old_crc, new_crc, want_crc; /* so far; and what the old one should be */
        uint64_t born;                       /* when it was written first; 0: that counts as now */
        struct bough_deflater *deflater; /* of our own making: of `body`, what is left; or NULL */
        struct bough_view body;
    } copy;

    /* Since the cut. */
    struct bough_log__head since; /* where the walk stands */
    struct bough_log__entries since_pack;
    struct bough_buf since_index;
    struct bough_log__items since_items;
    struct bough_log__frame since_frame;

    /* The table. */
    struct bough_log__table table;
    struct bough_log__table_writer *writer;
    struct bough_log__out table_out;
    struct bough_log__merge merge;
    struct bough_log__kept_source *kept;
    struct bough_log__table_source moved_src[BOUGH_LOG__MOVED_MAX];
    struct bough_log__rows_source moved_rows_src;
    bool tabled; /* the table is being written: what is moved from now on comes by the swap */
    int64_t waits_since; /* for handles over bitmaps, in seconds; 0: it does not */
    bool busy;           /* a step is being done: a commit that it makes does not begin another */
};

/* ---- Marks (mark.c) ---- */

enum bough_err bough_log__marks_init(struct bough_log__cycle *c);
void bough_log__marks_fini(struct bough_log__cycle *c);

/* The row of `id` as of the cut, and the number of its bit.  BOUGH_ENOENT. */
enum bough_err bough_log__old_find(struct bough_log__cycle *c, const struct bough_oid *id,
    struct bough_log__row *row, uint64_t *bit);

static inline bool bough_log__is_marked(const struct bough_log__cycle *c, uint64_t bit)
{
    return (c->bits[bit / 8] & 1u << bit % 8) != 0;
}

/* Does `id` live, as far as is known?  BOUGH_ENOENT: no, or it is not old. */
enum bough_err bough_log__lives(
    struct bough_log__cycle *c, const struct bough_oid *id, struct bough_log__row *row);

/* Is the entry at `where` the one that stands for `id`, and does it live? */
enum bough_err bough_log__lives_at(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where, bool *yes);

/* `id` lives, and so does what it reaches; what is not old is left alone.  `type` BOUGH_NONE:
   unknown. */
enum bough_err bough_log__mark(
    struct bough_log__cycle *c, const struct bough_oid *id, enum bough_type type);

/* The same, and though only a window had reached it before: all it reaches lives, too. */
enum bough_err bough_log__mark_whole(
    struct bough_log__cycle *c, const struct bough_oid *id, enum bough_type type);

/* The same without what it reaches.  BOUGH_ENOENT: it is not old. */
enum bough_err bough_log__mark_alone(struct bough_log__cycle *c, const struct bough_oid *id,
    struct bough_log__row *row, bool *fresh);

/* One object more: what it names is marked.  BOUGH_ENOENT: none is waiting. */
enum bough_err bough_log__mark_step(struct bough_log__cycle *c, bool with_trees);

enum bough_err bough_log__push(struct bough_log__cycle *c, struct bough_log__stack *s, uint64_t x);
void bough_log__stack_fini(struct bough_log__cycle *c, struct bough_log__stack *s);

/* Mark what the object `body` names. */
enum bough_err bough_log__mark_named(struct bough_log__cycle *c, const struct bough_oid *id,
    enum bough_type type, struct bough_view body);

/* All there is lives. */
void bough_log__mark_all(struct bough_log__cycle *c);

/* Is what lies there within the grace period? */
static inline bool bough_log__is_young(const struct bough_log__cycle *c, uint64_t where)
{
    return bough_log__births_of(c->log, where) >= c->young_from;
}

/* ---- Roots (roots.c, limit.c) ---- */

/* BOUGH_ENOENT: all roots are marked, and all they reach. */
enum bough_err bough_log__roots_step(struct bough_log__cycle *c);

/* What changes without the log telling: the keeper's, and pins. */
enum bough_err bough_log__roots_again(struct bough_log__cycle *c);

/* A ref that is not of the boundary: what it keeps begins to be marked. */
enum bough_err bough_log__ref_root(struct bough_log__cycle *c, const struct bough_ref *ref);

/* If the keeper has said that its word about refs is another one, they are all looked at again, in
   steps.  BOUGH_ENOENT: that is done. */
void bough_log__refs_again(struct bough_log__cycle *c);
enum bough_err bough_log__refs_again_step(struct bough_log__cycle *c);

enum bough_err bough_log__limit_root(
    struct bough_log__cycle *c, const struct bough_ref *ref, const struct bough_retention *keep);
enum bough_err bough_log__limit_step(struct bough_log__cycle *c);  /* BOUGH_ENOENT: no more */
enum bough_err bough_log__border_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: no more */

/* The next commit that a window reached since: does it join?  BOUGH_ENOENT: no more. */
enum bough_err bough_log__join_step(struct bough_log__cycle *c);

/* More may have come to live since: who was to leave the boundary may stay on it, and who was to join
   it may have its parents. */
enum bough_err bough_log__border_again(struct bough_log__cycle *c);

/* Was `id` reached by a window only?  Then it counts as whole from now on. */
bool bough_log__uncut(struct bough_log__cycle *c, const struct bough_oid *id);
/* Is it young, and met for the first time?  `where` it lies.  BOUGH_ENOENT: no. */
enum bough_err bough_log__young_whole(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t *where);
void bough_log__limits_fini(struct bough_log__cycle *c);

/* ---- Tally (tally.c) ---- */

enum bough_err bough_log__tally_init(struct bough_log__cycle *c);
void bough_log__tally_fini(struct bough_log__cycle *c);
struct bough_log__tally *bough_log__tally_find(struct bough_log__cycle *c, uint32_t segment);
enum bough_err bough_log__count_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
void bough_log__count_again(
    struct bough_log__cycle *c); /* the next step begins with the first row */
enum bough_err bough_log__size_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */

/* The base that all stand upon who lead to that place by theirs lives. */
enum bough_err bough_log__base_mark(struct bough_log__cycle *c, uint64_t where);

/* ---- Damage (harm.c) ---- */

/* Something in that segment is damaged. */
void bough_log__harm_note(struct bough_log__cycle *c, uint32_t segment);
enum bough_err bough_log__harm_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */

/* ---- What damage holds (hold.c) ---- */

enum { BOUGH_LOG__HOLD_ALL = BOUGH_LOG__SEGMENT_MAX + 1 };

/* What lies there is a commit, a tree or a tag, or may be, and cannot be read. */
enum bough_err bough_log__hold_met(struct bough_log__cycle *c, uint64_t where);

/* The same where `err` says so; else `err`. */
static inline enum bough_err bough_log__hold_if(
    struct bough_log__cycle *c, uint64_t where, enum bough_err err)
{
    return err == BOUGH_ECORRUPT ? bough_log__hold_met(c, where) : err;
}

enum bough_err bough_log__hold_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
enum bough_err bough_log__list_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
bool bough_log__hold_is_new(const struct bough_log__cycle *c);   /* there is another list */
bool bough_log__hold_ends(const struct bough_log__cycle *c);     /* there is none any more */
void bough_log__hold_fini(struct bough_log__cycle *c, bool zones);

/* ---- Copying (copy.c, made.c) ---- */

enum bough_err bough_log__copy_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
bool bough_log__is_stray(const struct bough_log__cycle *c, uint64_t where);
enum bough_err bough_log__stray_look(
    struct bough_log__cycle *c, uint32_t number, const struct bough_log__found_entry *f);
enum bough_err bough_log__stray_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
enum bough_err bough_log__late_step(struct bough_log__cycle *c);  /* BOUGH_ENOENT: done */

/* An entry was written to that place of the segment being made, which is as old as `born` says. */
void bough_log__made_born(struct bough_log__cycle *c, uint64_t where, uint64_t born);

/* There is a segment to write to, with room for an entry of so many bytes, more or less. */
enum bough_err bough_log__segment_ready(struct bough_log__cycle *c, uint64_t next);

/* Write an entry of our own making: at once, or a long one in the copying steps that follow, until which
   `body` stays. */
enum bough_err bough_log__entry_write(struct bough_log__cycle *c, const struct bough_oid *id,
    const struct bough_entry_head *head, struct bough_view body, int level);

/* So many rows a segment takes. */
size_t bough_log__rows_max(const struct bough_log *l);

/* The same in pieces of the zlib stream; `good`: its bytes are those of the id. */
enum bough_err bough_log__entry_begin(
    struct bough_log__cycle *c, const struct bough_oid *id, const struct bough_entry_head *head);
enum bough_err bough_log__entry_bytes(struct bough_log__cycle *c, struct bough_view zlib);
void bough_log__entry_end(struct bough_log__cycle *c, bool good);

/* Begin to copy what lies at row->where as it is; copy_step() goes on. */
enum bough_err bough_log__row_copy(struct bough_log__cycle *c, const struct bough_log__row *row);

/* Packing anew (cold.c).  Objects are taken until there are enough, then packed in steps.
   BOUGH_ENOTSUP: too long, copy it. */
struct bough_log__cold_object {
    struct bough_oid id;
    uint64_t where;
    uint32_t name, size;
    enum bough_type type;
};
enum bough_err bough_log__cold_take(
    struct bough_log__cycle *c, const struct bough_oid *id, uint64_t where, uint64_t bit);
size_t bough_log__cold_waiting(const struct bough_log__cycle *c);
bool bough_log__cold_packing(const struct bough_log__cycle *c);
enum bough_err bough_log__cold_begin(struct bough_log__cycle *c);
enum bough_err bough_log__cold_step(struct bough_log__cycle *c);
void bough_log__cold_fini(struct bough_log__cycle *c);

/* One that is too long to be held (cold_long.c); `next_alike`: so is the next, and of its name. */
enum bough_err bough_log__long_begin(
    struct bough_log__cycle *c, const struct bough_log__cold_object *o, bool next_alike);
/* Its base goes: it is written without one. */
enum bough_err bough_log__long_whole(
    struct bough_log__cycle *c, const struct bough_log__cold_object *o);
bool bough_log__long_busy(const struct bough_log__cycle *c);
enum bough_err bough_log__long_step(struct bough_log__cycle *c);
/* What was written last is not what its id says: nothing sound is to stand on it. */
void bough_log__long_spoilt(struct bough_log__cycle *c);
void bough_log__long_fini(struct bough_log__cycle *c);

/* The segment being made is done, if there is one. */
enum bough_err bough_log__copy_close(struct bough_log__cycle *c);

void bough_log__deflater_drop(struct bough_log__cycle *c);

/* What was made is given up: zones, memory. */
void bough_log__copy_fini(struct bough_log__cycle *c, bool zones);
void bough_log__cycle_table_drop(struct bough_log__cycle *c, struct bough_log__table *t);

/* ---- Since the cut (since.c) ---- */

enum bough_err bough_log__since_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: at the head */
void bough_log__since_fini(struct bough_log__cycle *c);

/* ---- The end (keep.c, finish.c) ---- */

enum bough_err bough_log__rows_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: done */
void bough_log__rows_stop(struct bough_log__cycle *c);
/* The frozen tables' rows that have a bit, onto c->writer. */
enum bough_err bough_log__kept_start(struct bough_log__cycle *c, const uint8_t *bits);
enum bough_err bough_log__kept_step(struct bough_log__cycle *c); /* BOUGH_ENOENT: all are written */
enum bough_err bough_log__finish(struct bough_log__cycle *c);

/* ---- Driving (cycle.c, pressure.c) ---- */

enum bough_err bough_log__cycle_begin(struct bough_log *l, const struct bough_collect_opts *opts);

/* The one that l->again asks for begins. */
enum bough_err bough_log__cycle_again(struct bough_log *l);

/* One that drops nothing. */
enum bough_err bough_log__cycle_begin_packs(struct bough_log *l);

/* About `budget` bytes of work; *more: call again. */
enum bough_err bough_log__cycle_work(struct bough_log *l, uint64_t budget, bool *more);

/* On until it is known what lives and what that takes; nothing is moved. */
enum bough_err bough_log__cycle_count(struct bough_log *l, uint64_t budget);

#endif
