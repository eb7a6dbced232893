/*
 * inner.h - the parts of the log engine.  The format is docs/format.md.
 *
 *   the shape      super_inner.h
 *   the device     pages, reads and writes (cache.c), inflated objects (bodies.c)
 *   zones          zone_inner.h; runs of zones and writers onto them (run.c)
 *   superblocks    super_inner.h
 *   frames         heads and items as bytes (frame.c, item.c)
 *   rows           of new objects, in memory (rows.c)
 *   tables         of rows on the device: blocks, lookups (table.c), writing, merging (build.c)
 *   refs, records  refs_inner.h; ref tables (reftable.c)
 *   the log        append.c, txn.c, replay.c
 *   checkpoints    root.c, checkpoint.c; tables merged in steps: tiers.c
 *   reading        read.c, object.c, walk.c, check.c
 *   long ones      in parts: range_inner.h
 *   readers        reader.c
 *   collecting     cycle_inner.h, births.c
 *   intake         intake.c
 */
#ifndef BOUGH_LOG_INNER_H
#define BOUGH_LOG_INNER_H

#include "base/zip.h"
#include "git/entry.h"
#include "store/collect.h"
#include "store/inner.h"
#include "store/intake.h"
#include "store/log/log.h"
#include "store/log/refs_inner.h"
#include "store/log/super_inner.h"
#include "store/log/zone_inner.h"

struct bough_log;

/* ---- The device, through a cache of pages (cache.c) ---- */

struct bough_log__page_slot {
    uint64_t no;      /* of the page; UINT64_MAX: empty */
    uint32_t used;    /* by the clock, which goes round */
    uint32_t checked; /* a bit for each block in it that was found whole */
};

struct bough_log__pages {
    uint32_t size; /* bytes of a page: a block or the device's unit, whichever is more */
    uint32_t sets; /* four pages each */
    struct bough_log__page_slot *slot;
    uint8_t *bytes;
    uint32_t clock;
    uint64_t read_bytes, written_bytes; /* device traffic */
    uint64_t misses;                    /* of `clock` lookups */
};

enum bough_err bough_log__pages_init(struct bough_log *l, size_t room);
void bough_log__pages_fini(struct bough_log *l);
void bough_log__pages_drop(struct bough_log *l); /* forget them all */

/* The byte of the device at `at`, and `*len` up to the end of its page, if that is cached. */
const uint8_t *bough_log__page_here(struct bough_log *l, uint64_t at, size_t *len);

/* Lend the bytes at device byte `at` up to the end of its page; borrowed until the next call.
   `checked` (may be NULL) is a word of the page's own, 0 when it was read just now. */
enum bough_err bough_log__page(
    struct bough_log *l, uint64_t at, struct bough_view *out, uint32_t **checked);
enum bough_err bough_log__read(struct bough_log *l, uint64_t at, void *dst, size_t n);

/* Let the device prepare whole granules; BOUGH_ENOTSUP when it has no such thing. */
enum bough_err bough_log__ready(struct bough_log *l, uint64_t at, size_t n);

/* Write whole granules; a page that was cached is forgotten. `sync` flushes the device, too. */
enum bough_err bough_log__write(
    struct bough_log *l, uint64_t at, const void *src, size_t n, bool sync);
enum bough_err bough_log__flush(struct bough_log *l);

/* ---- Inflated bodies (bodies.c) ---- */

struct bough_log__body {
    struct bough_log__body *next; /* of the same hash */
    struct bough_log__body *newer, *older;
    uint64_t where, id8;
    enum bough_type type;
    size_t len;
    uint8_t bytes[];
};

struct bough_log__bodies {
    struct bough_log__body **head; /* hash table */
    uint32_t heads;                /* power of two */
    struct bough_log__body *newest, *oldest;
    size_t used, limit; /* bytes */
};

enum bough_err bough_log__bodies_init(struct bough_log *l, size_t room);
void bough_log__bodies_fini(struct bough_log *l);
void bough_log__bodies_drop(struct bough_log *l);             /* forget them all */
void bough_log__bodies_drop_quarantined(struct bough_log *l); /* those of segment 0 */

/* NULL: not there.  Borrowed until the next call of these. */
const struct bough_log__body *bough_log__bodies_find(struct bough_log *l, uint64_t where);

bool bough_log__bodies_too_long(const struct bough_log *l, uint64_t len); /* to be kept */

/* Keep a copy, if there is room and it is worth it; failing is silent. */
void bough_log__bodies_keep(struct bough_log *l, uint64_t where, uint64_t id8, enum bough_type type,
    struct bough_view body);

/* ---- Runs (run.c) ---- */

/* Bytes over zones in any order. */
struct bough_log__run {
    uint64_t start; /* in the first zone */
    uint64_t len;   /* bytes written */
    uint32_t n;
    size_t cap;
    uint32_t *zones;
};

void bough_log__run_fini(struct bough_log *l, struct bough_log__run *r);
enum bough_err bough_log__run_add(struct bough_log *l, struct bough_log__run *r, uint32_t zone);

/* The device byte of byte `at` of the run; `*left` bytes follow in the same zone.  BOUGH_ECORRUPT
   when it lies outside. */
enum bough_err bough_log__run_at(const struct bough_log *l, const struct bough_log__run *r,
    uint64_t at, uint64_t *dev, uint64_t *left);
enum bough_err bough_log__run_read(
    struct bough_log *l, const struct bough_log__run *r, uint64_t at, void *dst, size_t n);

/* A writer onto a run that takes zones as it goes. */
struct bough_log__sums;
struct bough_log__out {
    struct bough_log *log;
    struct bough_log__run *run; /* borrowed; its len is what was flushed and what waits */
    enum bough_log__zone_use use;
    uint32_t reserve; /* zones to leave free */
    bool collects;    /* where no zone is free a collection is made, if one may be */
    uint8_t *buf;
    size_t fill;                  /* bytes that wait */
    struct bough_log__sums *sums; /* of what is put; NULL: none are made */
};

enum { BOUGH_LOG__OUT_BUF = 64 * 1024 };

/* Begin at run->len, which is a multiple of the granule. */
enum bough_err bough_log__out_init(struct bough_log__out *o, struct bough_log *l,
    struct bough_log__run *run, enum bough_log__zone_use use);
void bough_log__out_fini(struct bough_log__out *o); /* what waits is dropped */
enum bough_err bough_log__out_put(struct bough_log__out *o, const void *src, size_t n);
enum bough_err bough_log__out_pad(struct bough_log__out *o, uint32_t align);
enum bough_err bough_log__out_flush(struct bough_log__out *o); /* at a granule's end only */

/* Read back what was put, waiting bytes included. */
enum bough_err bough_log__out_read(struct bough_log__out *o, uint64_t at, void *dst, size_t n);

/* ---- Frames and items as bytes (frame.c, item.c) ---- */

enum { BOUGH_LOG__FRAME_HEAD = 96 };
enum { BOUGH_LOG__FRAME_FIRST = 1, BOUGH_LOG__FRAME_LAST = 2 };

struct bough_log__frame {
    uint64_t epoch, seq, durable_to;
    uint32_t crc; /* of the head itself */
    uint32_t prev_crc, flags, segment, next_zone;
    uint32_t data_len, index_len, index_crc, items;
    uint32_t zone, at;
};

void bough_log__frame_encode(const struct bough_log__geo *geo, struct bough_log__frame *f,
    uint8_t dst[BOUGH_LOG__FRAME_HEAD]); /* sets f->crc */

/* Do these four bytes begin a frame? */
bool bough_log__frame_begins(const uint8_t *src);

/* BOUGH_ENOENT: no frame of this device for this place. */
enum bough_err bough_log__frame_decode(const struct bough_log__geo *geo, uint32_t zone, uint32_t at,
    const uint8_t src[BOUGH_LOG__FRAME_HEAD], struct bough_log__frame *out);

/* Bytes of the frame, padding included. */
static inline uint32_t bough_log__frame_len(
    const struct bough_log__geo *geo, const struct bough_log__frame *f)
{
    return (uint32_t)bough_log__up(
        (uint64_t)BOUGH_LOG__FRAME_HEAD + f->data_len + f->index_len, geo->granule);
}

enum bough_log__kind {
    BOUGH_LOG__OBJECT = 1,
    BOUGH_LOG__REF = 2,
    BOUGH_LOG__RECORD = 3,
    BOUGH_LOG__RETIRE = 4,
    BOUGH_LOG__ADOPT = 5,
    BOUGH_LOG__AHEAD = 6, /* a table written ahead */
    BOUGH_LOG__HEAD = 16, /* where the log goes on */
    BOUGH_LOG__LOGSEG = 17,
    BOUGH_LOG__OIDTABLE = 18,
    BOUGH_LOG__REFTABLE = 19,
    BOUGH_LOG__COUNTERS = 20,
    BOUGH_LOG__KIND_OPTIONAL = 128, /* from here on unknown ones are skipped */
    BOUGH_LOG__HELD = 128,
    BOUGH_LOG__BIRTHS = 129,
    BOUGH_LOG__HOLD = 130,
};

/* Walk over items.  BOUGH_ENOENT: no more; BOUGH_ECORRUPT. */
struct bough_log__items {
    struct bough_view left;
};
enum bough_err bough_log__item_next(
    struct bough_log__items *it, uint32_t *kind, struct bough_view *body);

/* Append the head of an item whose length comes later; returns where it stands. */
size_t bough_log__item_begin(struct bough_buf *b, enum bough_log__kind kind);
void bough_log__item_end(struct bough_buf *b, size_t at);

/* A reader of fields: reading past the end sets `bad` and gives zeros. */
struct bough_log__fields {
    struct bough_view left;
    bool bad;
};
uint64_t bough_log__get(struct bough_log__fields *f, uint32_t bytes); /* 1, 2, 4 or 8 */
struct bough_view bough_log__get_view(struct bough_log__fields *f, uint64_t len);
struct bough_oid bough_log__get_id(struct bough_log__fields *f, enum bough_algo algo);

/* ---- Rows (rows.c) ---- */

struct bough_log__row {
    struct bough_oid id;
    uint64_t where;
    uint32_t crc;
};

/* Rows by id; open addressing over a vector in order of arrival. */
struct bough_log__rows {
    struct bough_log__row *row;
    size_t n, cap;
    uint32_t *slot; /* bits of the hash, 1 + row number; 0: empty */
    size_t slots;   /* 0 or a power of two, at least twice n */
};

enum bough_err bough_log__rows_reserve(
    struct bough_log__rows *r, struct bough_mem *mem, size_t more);
/* After a reserve; an id that is there already stays as it is. */
void bough_log__rows_add(struct bough_log__rows *r, const struct bough_log__row *row);
const struct bough_log__row *bough_log__rows_find(
    const struct bough_log__rows *r, const struct bough_oid *id);
/* What is to be found soon: it takes a while to come from memory. */
void bough_log__rows_near(const struct bough_log__rows *r, const struct bough_oid *id);
void bough_log__rows_clear(struct bough_log__rows *r, struct bough_mem *mem, size_t keep);
void bough_log__rows_fini(struct bough_log__rows *r, struct bough_mem *mem);

/* Rows one after another, ascending by id.  BOUGH_ENOENT: no more. */
struct bough_log__row_source {
    enum bough_err (*next)(struct bough_log__row_source *src, struct bough_log__row *out);
};

/* Over rows in memory, sorted; `order` is allocated. */
struct bough_log__rows_source {
    struct bough_log__row_source src; /* use this one */
    const struct bough_log__rows *rows;
    struct bough_mem *mem;
    uint32_t *order;
    size_t n, at;
};
enum bough_err bough_log__rows_source_init(
    struct bough_log__rows_source *s, const struct bough_log__rows *rows, struct bough_mem *mem);
void bough_log__rows_source_fini(struct bough_log__rows_source *s);

/* ---- Tables (table.c, build.c) ---- */

enum { BOUGH_LOG__BLOCK_HEAD = 16 };
enum {
    BOUGH_LOG__BLOCK_OID = 1,
    BOUGH_LOG__BLOCK_REVERSE = 2,
    BOUGH_LOG__BLOCK_REF = 3,
    BOUGH_LOG__BLOCK_SUMS = 4,
};

struct bough_log__table {
    uint32_t number;
    uint32_t segment; /* not 0: it lies in that pack segment, `at` bytes into it */
    uint64_t rows;
    uint32_t home, blocks;
    uint64_t at;
    struct bough_log__run run; /* of its own, when segment is 0 */
    uint32_t near; /* of refs: the block that a seek began in last: the next one is often there */
};

void bough_log__table_fini(struct bough_log *l, struct bough_log__table *t);

/* Lend block `no`, checked; borrowed until the next page call. */
enum bough_err bough_log__table_block(struct bough_log *l, const struct bough_log__table *t,
    uint32_t kind, uint32_t no, const uint8_t **out, uint32_t *rows);

/* The row of `id`.  BOUGH_ENOENT. */
enum bough_err bough_log__table_find(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out);

/* The same, and its place: block * bough_log__rows_per_block() + row. */
enum bough_err bough_log__table_place(struct bough_log *l, const struct bough_log__table *t,
    const struct bough_oid *id, struct bough_log__row *out, uint64_t *place);

/* Read row `i` of a block of oid rows. */
void bough_log__table_row(const struct bough_log *l, const struct bough_log__table *t,
    const uint8_t *block, uint32_t i, struct bough_log__row *out);

uint32_t bough_log__row_len(const struct bough_log *l);        /* bytes */
uint32_t bough_log__rows_per_block(const struct bough_log *l); /* 127 or 92 */
uint32_t bough_log__home_of(const struct bough_oid *id, uint32_t home);

/* A walk over a table's rows in order, from the first not below `from`. */
struct bough_log__table_source {
    struct bough_log__row_source src; /* use this one */
    struct bough_log *log;
    const struct bough_log__table *table;
    uint32_t block, row;
};
void bough_log__table_source_init(struct bough_log__table_source *s, struct bough_log *l,
    const struct bough_log__table *t, const struct bough_oid *from);

/* Write a table of at most `rows` rows from `src` onto `out` (which is at a multiple of
   geo.align); fills all of `t` but segment and run. */
enum bough_err bough_log__table_write(struct bough_log__out *out, struct bough_log__row_source *src,
    uint64_t rows, struct bough_log__table *t);

/* Bytes of a table of so many rows, as hashes spread. */
uint64_t bough_log__table_bytes(const struct bough_log *l, uint64_t rows);

/* The same row by row: rows come in order.  `*out` is allocated. */
struct bough_log__table_writer;
enum bough_err bough_log__table_writer_init(struct bough_log__table_writer **out,
    struct bough_log__out *to, uint64_t rows, struct bough_log__table *t);
enum bough_err bough_log__table_writer_put(
    struct bough_log__table_writer *w, const struct bough_log__row *row);
enum bough_err bough_log__table_writer_end(struct bough_log__table_writer *w);
void bough_log__table_writer_fini(struct bough_log__table_writer *w, struct bough_mem *mem);

/* Fill in the head of a block, checksum last. */
void bough_log__block_seal(
    uint8_t *block, uint32_t table, uint32_t no, uint32_t rows, uint32_t kind);

/* Several sorted sources as one; of equal ids the first source's row is taken. */
struct bough_log__merge {
    struct bough_log__row_source src; /* use this one */
    struct bough_mem *mem;
    size_t n, cap;
    struct bough_log__merge_in {
        struct bough_log__row_source *src;
        struct bough_log__row row;
        bool done, filled;
    } * in;
};
enum bough_err bough_log__merge_init(
    struct bough_log__merge *m, struct bough_mem *mem, size_t sources);
void bough_log__merge_fini(struct bough_log__merge *m);
void bough_log__merge_add(struct bough_log__merge *m, struct bough_log__row_source *src);

/* Reverse tables of pack segments. */
struct bough_log__reverse {
    uint64_t offset;
    struct bough_oid id;
    uint32_t crc;
    uint64_t end; /* where the entry ends */
};
struct bough_log__segment;

/* The entry that begins at `offset`.  BOUGH_ECORRUPT when none does. */
enum bough_err bough_log__reverse_find(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t offset, struct bough_log__reverse *out);
enum bough_err bough_log__reverse_get(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t no, struct bough_log__reverse *out);

/* ---- Segments ---- */

enum {
    BOUGH_LOG__PACK_WHOLE = 1, /* flag: the pack stream is whole as received */
    BOUGH_LOG__PACK_SUMS = 2,  /* flag: there are checksums of its stretches */
};

struct bough_log__segment {
    uint32_t number;
    bool pack;
    uint32_t zone;     /* of a log segment */
    uint32_t flags;    /* of a pack segment, and all below */
    uint64_t pack_end; /* entries lie below */
    uint64_t objects;
    struct bough_log__run run;
    struct bough_log__table oid;     /* blocks 0: merged away */
    struct bough_log__table reverse; /* sorted by offset; home unused */
    struct bough_log__table sums;    /* of the same number; blocks 0: none */
};

/* NULL: there is none. Number 0 is the segment that is looked through, if any. */
struct bough_log__segment *bough_log__segment_find(struct bough_log *l, uint32_t number);

/* Add one (taken on success); numbers ascend.  BOUGH_ENOMEM. */
enum bough_err bough_log__segment_add(struct bough_log *l, struct bough_log__segment *seg);
void bough_log__segment_fini(struct bough_log *l, struct bough_log__segment *seg);

/* ---- Ref tables (reftable.c) ---- */

/* A writer of a ref table. */
struct bough_log__ref_writer {
    struct bough_log__out *out;
    struct bough_log__table *table;
    uint8_t block[BOUGH_LOG__BLOCK];
    uint32_t fill, rows;
    uint8_t last[BOUGH_REF_NAME_MAX];
    uint32_t last_len;
};
void bough_log__ref_writer_init(struct bough_log__ref_writer *w, struct bough_log__out *out,
    struct bough_log__table *t, uint32_t number);
enum bough_err bough_log__ref_writer_put(
    struct bough_log__ref_writer *w, const struct bough_log__ref_value *v);
enum bough_err bough_log__ref_writer_end(struct bough_log__ref_writer *w);

/* ---- The engine ---- */

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
    uint8_t *bounce; /* for aligned writes, or NULL */
    size_t bounce_len;
    struct bough_buf scratch; /* a packed entry, coming or going */
    struct bough_inflater inflater;
    bool inflater_ready;
    struct bough_log_open_opts opts;
    uint64_t commits, syncs;
    uint64_t payload;        /* packed bytes of objects that came in */
    struct bough_why damage; /* why it could be opened for reading only, or with an older
                                checkpoint; else err is BOUGH_OK */
};

static inline struct bough_log *bough_log__of(struct bough_store *s)
{
    return (struct bough_log *)s; /* store is the first field */
}

/* A place for people: where something is damaged.  Returns BOUGH_ECORRUPT. */
enum bough_err bough_log__corrupt(struct bough_log *l, const char *what, uint64_t at);

/* Is what lies at `where` the open transaction's, and may never come to be? */
static inline bool bough_log__is_unborn(const struct bough_log *l, uint64_t where)
{
    const struct bough_log__txn *t = &l->txn;
    uint32_t segment = bough_log__where_segment(where);

    return segment >= t->start_segment ||
           (segment == t->start.segment && bough_log__where_offset(where) >= t->start.at);
}

/* ---- Reading (read.c, get.c, object.c, walk.c) ---- */

/* A packed entry where it lies. */
struct bough_log__entry {
    const struct bough_log__segment *seg;
    uint64_t at;  /* in the segment */
    uint64_t len; /* head and zlib stream */
    uint32_t crc; /* of them */
    uint64_t id8; /* the first eight bytes of its id */
    struct bough_entry_head head;
};

enum {
    BOUGH_LOG__ITEM_HEAD = 4, /* bytes before an item of an index: kind, length */
    BOUGH_LOG__BEFORE = 16,   /* bytes before an entry in a frame: length, crc, id8 */
    BOUGH_LOG__FRAME_DATA = BOUGH_LOG__FRAME_HEAD + BOUGH_LOG__BEFORE, /* where the first begins */
    BOUGH_LOG__STORED_HEAD = 7, /* of a zlib stream of one stored block: its two bytes, its five */
    BOUGH_LOG__STORED_TAIL = 4, /* Adler-32 */
    BOUGH_LOG__WHOLE_MAX = 256 * 1024, /* bytes of a body that parts are cut from in memory */
    BOUGH_LOG__STORED_MAX = 16 * 1024, /* the same where it is stored: parts are found without it */
    BOUGH_LOG__RANGE_MIN = 64 * 1024,  /* what a delta makes of less is held whole */
};

/* One stored block, as we write small things: its bytes are there to be copied. */
static inline bool bough_log__is_one_stored(struct bough_view zlib, uint64_t size)
{
    return zlib.len == size + BOUGH_LOG__STORED_HEAD + BOUGH_LOG__STORED_TAIL &&
           zlib.ptr[0] == 0x78 && zlib.ptr[2] == 0x01 && bough_get16le(zlib.ptr + 3) == size;
}

static inline uint64_t bough_log__id8(const struct bough_oid *id)
{
    return bough_get64be(id->bytes);
}

enum bough_err bough_log__entry_open(
    struct bough_log *l, uint64_t where, struct bough_log__entry *out);

/* Is it better read in parts than held whole?  Deltas never are. */
static inline bool bough_log__entry_is_long(const struct bough_log__entry *e)
{
    if (bough_entry_is_delta(e->head.type))
        return false;
    return e->head.size > (e->len - e->head.head_len == bough_zip_stored_len(e->head.size)
                                  ? (uint64_t)BOUGH_LOG__STORED_MAX
                                  : (uint64_t)BOUGH_LOG__WHOLE_MAX);
}
enum bough_err bough_log__segment_read(
    struct bough_log *l, const struct bough_log__segment *seg, uint64_t at, void *dst, size_t n);

/* The same, lent: by the page on which all of it lies, or in l->scratch.  Borrowed until the next
   read. */
enum bough_err bough_log__segment_lend(struct bough_log *l, const struct bough_log__segment *seg,
    uint64_t at, size_t n, struct bough_view *out);

/* Any row of `id`: the newest.  BOUGH_ENOENT. */
enum bough_err bough_log__row_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out);

/* The row of a delta's base: the first in list order; see docs/format.md 7. */
enum bough_err bough_log__base_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out);

/* Type and size of the object at `where`. */
enum bough_err bough_log__look(struct bough_log *l, uint64_t where, struct bough_found *out);

/* Append the body of the object at `where`. */
enum bough_err bough_log__body_read(
    struct bough_log *l, uint64_t where, enum bough_type *type, struct bough_buf *out);

/* Does the object with these first bytes of its id lie at `where`, which may be anything? */
bool bough_log__is_at(struct bough_log *l, uint64_t where, uint64_t id8);

/* An entry of at most 64 KiB against its crc, before its head is believed; a longer one is checked
   where it is read whole. */
enum bough_err bough_log__entry_sure(struct bough_log *l, const struct bough_log__entry *e);

/* The same, however long it is. */
enum bough_err bough_log__entry_check(struct bough_log *l, const struct bough_log__entry *e);

/* How long what the delta `e` makes is, from its first bytes. */
enum bough_err bough_log__delta_size(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t *size);

/* Where the base of the delta `e` at `where` lies. */
enum bough_err bough_log__base_of(
    struct bough_log *l, const struct bough_log__entry *e, uint64_t where, uint64_t *base);

/* Inflate the whole of an entry, appending head.size bytes; its crc is checked. */
enum bough_err bough_log__entry_inflate(
    struct bough_log *l, const struct bough_log__entry *e, struct bough_buf *out);

/* The engine's methods. */
enum bough_err bough_log__find(
    struct bough_store *s, const struct bough_oid *id, struct bough_found *out);
enum bough_err bough_log__has(struct bough_store *s, const struct bough_oid *id);
enum bough_err bough_log__read_object(struct bough_store *s, uint64_t where,
    const struct bough_oid *id, enum bough_type *type, struct bough_buf *out);
void bough_log__soon(struct bough_store *s, uint64_t where);
enum bough_err bough_log__get_object(
    struct bough_store *s, const struct bough_oid *id, struct bough_get *g, struct bough_buf *out);
enum bough_err bough_log__object_open(
    struct bough_store *s, const struct bough_oid *id, struct bough_object **out);
enum bough_err bough_log__entry_of(
    struct bough_store *s, const struct bough_oid *id, struct bough_entry *out);
enum bough_err bough_log__entry_read(
    struct bough_store *s, const struct bough_entry *e, uint64_t at, void *dst, size_t n);
enum bough_err bough_log__each(struct bough_store *s, bough_store_each_fn *fn, void *ctx);
enum bough_err bough_log__abbrev(struct bough_store *s, const struct bough_oid *prefix,
    uint32_t nibbles, struct bough_oid *ids, size_t cap, size_t *n);

/* Check every structure and every object. */
enum bough_err bough_log__check(struct bough_store *s, bough_store_report_fn *report, void *ctx);

/* ---- The log ---- */

/* Make the frame being made hold `data` and `index` more bytes: cut it or go to the next zone. */
enum bough_err bough_log__frame_fit(struct bough_log *l, size_t data, size_t index);

/* Write the frame being made; `last`: it ends the transaction; `sync`: flush, too. */
enum bough_err bough_log__frame_cut(struct bough_log *l, bool last, bool sync);

/* Write space ahead of the log once, if it is time. */
enum bough_err bough_log__prepare(struct bough_log *l);

/* Make sure that a next zone is chosen, if there is one. */
void bough_log__next_zone(struct bough_log *l);

/* Between transactions: the log goes on in a new zone.  BOUGH_ENOSPC. */
enum bough_err bough_log__turn(struct bough_log *l);

/* Zones that a collection takes at most until it gives some back; that new objects leave free; and
   that the open transaction does (reserve.c). */
uint32_t bough_log__need(const struct bough_log *l);
uint32_t bough_log__removals(const struct bough_log *l); /* the share of removals */
uint32_t bough_log__reserve(const struct bough_log *l);
uint32_t bough_log__kept_back(const struct bough_log *l);

/* Zones that the last two checkpoints of a collection take at most. */
uint32_t bough_log__ends(const struct bough_log *l);

/* Zones that a table of so many rows takes at most; and one of all rows. */
uint32_t bough_log__rows_zones(const struct bough_log *l, uint64_t rows);
uint32_t bough_log__table_zones(const struct bough_log *l);

/* A store in memory only, for open and format; `*out` is set even on error, to be closed. */
enum bough_err bough_log__new(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_open_opts *opts, const struct bough_log__geo *geo,
    struct bough_log **out);

/* Apply to memory, after reserves: shared by commit and replay. */
void bough_log__apply_segment_table(struct bough_log *l, struct bough_log__segment *seg);
enum bough_err bough_log__tables_reserve(struct bough_log *l, size_t more);

enum bough_err bough_log__txn_begin(struct bough_store *s, struct bough_txn **out);
/* The packed entry in l->scratch becomes object `id` of the transaction.  BOUGH_ETOOBIG: it
   does not fit into a frame. */
enum bough_err bough_log__entry_append(struct bough_log *l, const struct bough_oid *id);

/* A transaction's put and put_delta; see struct bough_txn_class. */
enum bough_err bough_log__put(
    struct bough_txn *t, enum bough_type type, const struct bough_oid *id, struct bough_view body);
enum bough_err bough_log__put_delta(struct bough_txn *t, enum bough_type type,
    const struct bough_oid *id, const struct bough_oid *base, struct bough_view delta,
    struct bough_view body);

enum bough_err bough_log__intake_open(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);
enum bough_err bough_log__adopt(struct bough_txn *t, struct bough_intake *in);

/* The segment, whose bytes and tables are written, joins the transaction and gets its number; its run
   is taken on success. */
enum bough_err bough_log__segment_adopt(struct bough_log *l, struct bough_log__segment *seg);

/* Tables written ahead (ahead.c): the rows of the transaction leave memory. */
enum bough_err bough_log__ahead_write(struct bough_log *l);
enum bough_err bough_log__ahead_name(struct bough_log *l); /* their items, into the frame */
void bough_log__ahead_apply(struct bough_log *l);          /* after a reserve of tables */
void bough_log__ahead_drop(struct bough_log *l);

/* Replay one: the rows of the table stand for objects up to sequence *upto. */
enum bough_err bough_log__ahead_replay(struct bough_log *l, struct bough_view body);

void bough_log__txn_fini(struct bough_log *l);
enum bough_err bough_log__sync(struct bough_store *s);

enum bough_err bough_log__replay(struct bough_log *l, const struct bough_log__super *newest);

/* ---- Checkpoints ---- */

/* The adopt item of a pack segment, and back. */
void bough_log__segment_encode(struct bough_buf *b, const struct bough_log__segment *seg);
enum bough_err bough_log__segment_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__segment *out);

/* The fields of a table, in roots and in items of tables written ahead. */
void bough_log__table_encode(struct bough_buf *b, const struct bough_log__table *t);
enum bough_err bough_log__table_decode(
    struct bough_log *l, struct bough_view body, struct bough_log__table *t);

/* Append all items of a root for the lists given. */
struct bough_log__lists {
    const struct bough_log__table *table;
    size_t tables;
    const struct bough_log__table *reftable;
    size_t reftables;
    const struct bough_log__table *hold; /* may be NULL */
};
void bough_log__root_encode(struct bough_log *l, const struct bough_log__lists *lists,
    uint64_t checkpoint, struct bough_buf *b);

/* Read the root that `s` names into the (fresh) store. */
enum bough_err bough_log__root_load(struct bough_log *l, const struct bough_log__super *s);

enum bough_err bough_log__checkpoint(struct bough_log *l);
bool bough_log__checkpoint_due(const struct bough_log *l, uint32_t part); /* 1: full, 2: half */

/* Is all there that a frame's item adopts, or names as a table written ahead (whole.c)?
   BOUGH_ENOENT: not all of it. */
enum bough_err bough_log__segment_whole(struct bough_log *l, struct bough_view body);
enum bough_err bough_log__ahead_whole(struct bough_log *l, struct bough_view body);

/* Put bytes aside (spool.c). */
enum bough_err bough_log__spool(struct bough_store *s, struct bough_spool **out);

/* ---- Readers (reader.c) ---- */

/* What stands between a reader and the store it was opened from.  The writer's thread makes and
   frees it; the two flags alone are for both. */
struct bough_log__pin {
    struct bough_log__pin *older;
    uint64_t checkpoint;  /* what it names is not written again */
    bool expired, closed; /* by the calls below only */
};

static inline void bough_log__flag_up(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_SEQ_CST);
}

static inline bool bough_log__flag_is_up(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

enum bough_err bough_log__reader(
    struct bough_store *s, const struct bough_env *env, struct bough_store **out);

/* Get zones back: from readers that were closed, else from the oldest if it holds one which is
   free for the checkpoints.  False: there are none to get. */
bool bough_log__pins_yield(struct bough_log *l);
uint64_t bough_log__pins_oldest(struct bough_log *l); /* its checkpoint; UINT64_MAX: none */
void bough_log__pins_fini(struct bough_log *l);
bool bough_log__reader_expired(const struct bough_log *l);

/* ---- Merging tables in steps (tiers.c) ---- */

/* Go on with a merge, or begin one if it is time, for about `budget` bytes of rows; `*more`: there
   is more to do. */
enum bough_err bough_log__tiers_step(struct bough_log *l, uint64_t budget, bool *more);

/* Is there a merge to begin or to go on with? */
bool bough_log__tiers_due(const struct bough_log *l);

/* After a checkpoint of `rows` that a commit had to make: several times as many. */
enum bough_err bough_log__tiers_pay(struct bough_log *l, uint64_t rows);

/* Give up what was not finished; `zones`: they are free again. */
void bough_log__tiers_end(struct bough_log *l, bool zones);

/* So many tables at the front stay as they are; zones of the new one stay. */
size_t bough_log__tiers_frozen(const struct bough_log *l);
void bough_log__tiers_unmark(struct bough_log *l);

/* ---- Collecting (cycle_inner.h, births.c) ---- */

/* Something is about to be written. */
void bough_log__births_note(struct bough_log *l);
/* Was it written just now?  Then it need not be written again to be young. */
bool bough_log__births_is_now(const struct bough_log *l, uint64_t where);
/* From this locator on all may be younger than so many seconds. */
uint64_t bough_log__births_since(const struct bough_log *l, uint64_t age);
void bough_log__births_encode(const struct bough_log *l, struct bough_buf *b);
enum bough_err bough_log__births_decode(struct bough_log *l, struct bough_view body);

enum bough_err bough_log__collect(struct bough_store *s, const struct bough_collect_opts *opts);
enum bough_err bough_log__resize(struct bough_store *store, uint64_t bytes, uint64_t budget);
void bough_log__collection(struct bough_store *s, struct bough_collect_progress *out);
/* BOUGH_ENOSPC, and what gc would do about it, as far as it was counted. */
enum bough_err bough_log__full(struct bough_log *l);

/* Who found no room has ended: count what gc would free, and put it into that error. */
void bough_log__full_count(struct bough_log *l);

/* The same between transactions, when that is what `err` says.  Returns it. */
enum bough_err bough_log__full_told(struct bough_log *l, enum bough_err err);
enum bough_err bough_log__collect_step(struct bough_log *l, uint64_t budget, bool *more);
void bough_log__cycle_end(struct bough_log *l, bool zones);

/* So many tables at the front of the list are not to be touched; its own tables' zones stay. */
size_t bough_log__cycle_frozen(const struct bough_log *l);
void bough_log__cycle_unmark(struct bough_log *l);

/* Between transactions, and while nobody stands on what is stored: collect now, give up pins if that
   does not help.  False: there is no room to get. */
bool bough_log__room_make(struct bough_log *l, uint32_t zones);

/* A writer begins: when space runs short it does a part of the work. */
enum bough_err bough_log__collect_pay(struct bough_log *l);

/* ---- Intake (intake.c, view.c, adopt.c) ---- */

struct bough_log__intake {
    struct bough_intake in; /* first: the face */
    struct bough_log *log;
    struct bough_store__intake_host host;
    struct bough_store__intake *core;
    bool looking;                  /* it has seen what is stored, which stays until it ends */
    uint64_t losses;               /* of the store when it was begun */
    struct bough_object *compared; /* a known object, while its bytes are compared */
    struct bough_log__segment seg; /* without a number */
    struct bough_log__out out;     /* onto its run */
    struct bough_store view;
};

enum bough_err bough_log__intake_feed(
    struct bough_intake *in, struct bough_view bytes, size_t *used);
enum bough_err bough_log__intake_step(struct bough_intake *in, uint64_t budget);
void bough_log__intake_close(struct bough_intake *in);
void bough_log__view_end(struct bough_log__intake *x); /* it is no longer quarantined */
void bough_log__view_init(struct bough_log__intake *x);

#endif
