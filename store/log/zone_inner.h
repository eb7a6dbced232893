/*
 * zone_inner.h - which zones of a store are used, for what, and since when (zone.c).
 *
 *   uses     a byte a zone
 *   room     which of them have their room on a sparse device (room.c)
 *   taking   take, drop; claims at open
 *   tables   zones that several tables share
 *   holding  zones that lost their last use, while an older checkpoint or a reader needs them
 *   births   when what lies where was written (births.c)
 *   reserve  zones that are kept back for a collection (reserve.c)
 */
#ifndef BOUGH_LOG_ZONE_INNER_H
#define BOUGH_LOG_ZONE_INNER_H

#include "base/buf.h"

struct bough_log;
struct bough_log__run;

enum bough_log__zone_use {
    BOUGH_LOG__ZONE_FREE = 0,
    BOUGH_LOG__ZONE_RING = 1,
    BOUGH_LOG__ZONE_LOG = 2,
    BOUGH_LOG__ZONE_PACK = 3,
    BOUGH_LOG__ZONE_TABLE = 4,
    BOUGH_LOG__ZONE_USE = 0x07,
    BOUGH_LOG__ZONE_HELD = 0x10, /* without a use, but an older checkpoint needs it */
    BOUGH_LOG__ZONE_MARK = 0x20, /* of a table, and not found in a list so far */
    BOUGH_LOG__ZONE_OURS = 0x40, /* has its room on a sparse device; in use or not */
};

struct bough_log__held {
    uint32_t zone;
    uint64_t since; /* the first checkpoint that does not need it */
};

struct bough_log__zones {
    uint8_t *state;  /* a byte a zone */
    uint32_t room;   /* bytes that `state` has */
    uint32_t limit;  /* zones from here on are not taken */
    uint32_t free;   /* below the limit, that can be taken */
    uint32_t hint;   /* where to look first */
    uint32_t ours;   /* of the free ones, those that have their room on a sparse device */
    uint32_t bare;   /* no free zone below has none */
    uint32_t top;    /* no free zone from here on has it */
    bool denied;     /* there is no more room below */
    uint32_t *table; /* those of tables and roots; perhaps some that are not any more */
    size_t tables, table_cap;
    struct bough_log__held *held;
    size_t helds, held_cap;
    uint64_t durable; /* number of the newest durable checkpoint */
};

/* What a zone is used for; whether it is ours is another matter. */
uint8_t bough_log__zone_state(const struct bough_log *l, uint32_t zone);
void bough_log__zone_set(struct bough_log *l, uint32_t zone, enum bough_log__zone_use use);

enum bough_err bough_log__zones_init(struct bough_log *l);
void bough_log__zones_fini(struct bough_log *l);

/* Are so many free, and ours to write?  Readers give way when they are in the way. */
bool bough_log__zones_have(struct bough_log *l, uint32_t n);

/* A free zone, leaving at least `reserve` free.  BOUGH_ENOSPC. */
enum bough_err bough_log__zone_take(
    struct bough_log *l, enum bough_log__zone_use use, uint32_t reserve, uint32_t *zone);

/* It is free at once: nothing durable ever named it.  Else hold it. */
void bough_log__zone_drop(struct bough_log *l, uint32_t zone);

/*
 * It lost its last use, but checkpoints before number `since` need it: l->made + 1 for what the next
 * checkpoint does not name any more.  It is free when a checkpoint after that is durable, and
 * discarded then.  After a reserve.
 */
enum bough_err bough_log__zones_reserve(struct bough_log *l, size_t more);
void bough_log__zone_hold(struct bough_log *l, uint32_t zone, uint64_t since);

/* Free what neither the newest durable checkpoint, nor the one before it, nor a reader needs. */
void bough_log__zones_release(struct bough_log *l);

/* Zones held, in a root: u32 zone, u32 checkpoints since.  After loading they are to be counted. */
void bough_log__zones_held_encode(
    const struct bough_log *l, uint64_t checkpoint, struct bough_buf *b);
enum bough_err bough_log__zones_held_decode(
    struct bough_log *l, struct bough_view body, uint64_t checkpoint);

/* Say what zone is used for, at open; BOUGH_ECORRUPT when it is outside or used otherwise. */
enum bough_err bough_log__zone_claim(
    struct bough_log *l, uint32_t zone, enum bough_log__zone_use use);

/* At open, after all claims: those held, and the free ones. */
void bough_log__zones_count(struct bough_log *l);

/* Zones from `limit` on are not taken from now on. */
void bough_log__zones_limit(struct bough_log *l, uint32_t limit);

/* Which zones of tables are in none of some lists: mark all, unmark the lists' runs, and what is
   still marked leaves: held from checkpoint l->made on (after a reserve), or free. */
void bough_log__zones_mark(struct bough_log *l);
void bough_log__zones_unmark(struct bough_log *l, const struct bough_log__run *r);
void bough_log__zones_leave(struct bough_log *l, bool hold);

/* ---- Room below (room.c) ---- */

/* Free zones that can be had, as far as is known. */
uint32_t bough_log__zones_room(const struct bough_log *l);

/* Make so many free zones ours.  False: there are not so many, or there is no room for them. */
bool bough_log__zones_ours(struct bough_log *l, uint32_t n);

/* A free zone is ours. */
void bough_log__zone_is_ours(struct bough_log *l, uint32_t zone);

/* It becomes free: does it stay ours?  Else it is to be discarded. */
bool bough_log__zone_stays_ours(struct bough_log *l, uint32_t zone);
void bough_log__zones_discard(struct bough_log *l, uint32_t first, uint32_t n);

/* As many as are kept back become ours, what is far more is given back: when a checkpoint is durable. */
void bough_log__zones_keep(struct bough_log *l);

/* The same when a store is opened for writing, and where the log and the tables go on. */
void bough_log__zones_mount(struct bough_log *l);

/* ---- Births (births.c) ---- */

/* When what lies where was written. */
struct bough_log__birth {
    uint64_t where, time; /* at or behind this place: at or after this time */
};
enum { BOUGH_LOG__BIRTHS_MAX = 64 };
struct bough_log__places {
    struct bough_log__birth *at; /* ascending by place */
    size_t n, cap;
};
struct bough_log__births {
    struct bough_log__birth at[BOUGH_LOG__BIRTHS_MAX];
    uint32_t n;
    /* In pack segments: what lies at or behind the place, in the same segment, was written then or before.
       The first of a segment is at its first byte; a segment may have none. */
    struct bough_log__places packs;
};

/* Something is about to be written; a frame of that time was replayed (0: of now).  The time noted last. */
void bough_log__births_note(struct bough_log *l);
void bough_log__births_replay(struct bough_log *l, uint64_t where, uint64_t time);
uint64_t bough_log__births_last(const struct bough_log *l);
/* Was it written just now?  Then it need not be written again to be young. */
bool bough_log__births_is_now(const struct bough_log *l, uint64_t where);
/* What was written at this time or later may be younger than so many seconds. */
uint64_t bough_log__births_since(const struct bough_log *l, uint64_t age);
/* When what lies there was written; the latest of what lies in a segment. */
uint64_t bough_log__births_of(const struct bough_log *l, uint64_t where);
uint64_t bough_log__births_latest(const struct bough_log *l, uint32_t segment);

/* A pack segment was adopted, at the time noted last.  Is there a place of that one? */
void bough_log__births_adopted(struct bough_log *l, uint32_t segment);
bool bough_log__births_noted(const struct bough_log *l, uint32_t segment);

/* Lists of places in packs: so many there may be; one more, at the end; freed. */
size_t bough_log__births_room(const struct bough_log *l);
enum bough_err bough_log__births_add(
    struct bough_log *l, struct bough_log__places *p, struct bough_log__birth birth);
void bough_log__births_packs_fini(struct bough_log *l, struct bough_log__places *p);

void bough_log__births_encode(const struct bough_log *l, struct bough_buf *b);
enum bough_err bough_log__births_decode(struct bough_log *l, struct bough_view body);
void bough_log__births_packs_encode(const struct bough_log *l, struct bough_buf *b);
enum bough_err bough_log__births_packs_decode(struct bough_log *l, struct bough_view body);

/* ---- The reserve (reserve.c) ---- */

/* Zones that a collection takes at most until it gives some back; that new objects leave free; and
   that the open transaction does (reserve.c). */
uint32_t bough_log__need(const struct bough_log *l);
uint32_t bough_log__removals(const struct bough_log *l); /* the share of removals */
uint32_t bough_log__reserve(const struct bough_log *l);
uint32_t bough_log__kept_back(const struct bough_log *l);

/* Zones that the last two checkpoints of a collection take at most. */
uint32_t bough_log__ends(const struct bough_log *l);

/* Zones after which a segment of a collection's own making ends, more or less. */
uint32_t bough_log__segment_zones(const struct bough_log *l);

/* Zones that a table of so many rows takes at most; and one of all rows. */
uint32_t bough_log__rows_zones(const struct bough_log *l, uint64_t rows);
uint32_t bough_log__table_zones(const struct bough_log *l);

#endif
