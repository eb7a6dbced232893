/*
 * inner.h - what the parts of sync/ share.
 *
 *   ids        struct bough_sync__ids: a set of ids with a number on each (ids.c)
 *   pins       struct bough_sync__pins: what lives during a session (pins.c)
 *   sessions   struct bough_sync__session: what both services begin with (sync.c)
 *   refs       the advertisement and ls-refs, made as the client drains them (advertise.c)
 *   history    struct bough_sync__queue, reading commits and tags (history.c)
 *   trees      struct bough_sync__trees: what a tree has that another has not (trees.c)
 *   select     struct bough_sync__select: what to send (select.c and kin)
 *   pack       struct bough_sync__pack: the pack made of it (pack.c, pack_reach.c)
 */
#ifndef BOUGH_SYNC_INNER_H
#define BOUGH_SYNC_INNER_H

#include "git/object.h"
#include "git/pack.h"
#include "git/pktline.h"
#include "store/collect.h"
#include "store/reach.h"
#include "sync/sync.h"

/* ---- Ids ---- */

enum { BOUGH_SYNC__SHARDS = 64, BOUGH_SYNC__CHUNK_ROWS = 1024 };

/*
 * A set of ids, each with a number of the user's.  Rows are numbered as they come and never
 * move; a growing table rehashes one of its shards at a time, so no call takes long.
 */
struct bough_sync__ids {
    struct bough_mem *mem;
    enum bough_algo algo;
    uint64_t key; /* of the hash: outsiders choose ids */
    bool failed;  /* for users that note a lost id and go on for a while */
    uint32_t n;
    uint8_t **chunks; /* of BOUGH_SYNC__CHUNK_ROWS rows: id, then number */
    size_t chunks_n, chunks_cap;
    struct bough_sync__shard {
        uint32_t *slots; /* row + 1; 0: free */
        uint32_t n, cap;
    } shards[BOUGH_SYNC__SHARDS];
};

void bough_sync__ids_init(
    struct bough_sync__ids *s, const struct bough_env *env, enum bough_algo algo);
void bough_sync__ids_fini(struct bough_sync__ids *s);

/* Add `id` with number 0 unless it is there; `*row` is its row. BOUGH_ENOMEM. */
enum bough_err bough_sync__ids_add(
    struct bough_sync__ids *s, const struct bough_oid *id, uint32_t *row);
bool bough_sync__ids_find(
    const struct bough_sync__ids *s, const struct bough_oid *id, uint32_t *row);
struct bough_oid bough_sync__ids_at(const struct bough_sync__ids *s, uint32_t row);
uint64_t bough_sync__ids_get(const struct bough_sync__ids *s, uint32_t row);
void bough_sync__ids_set(struct bough_sync__ids *s, uint32_t row, uint64_t number);

/* ---- Pins ---- */

/* Ids that live while a session reads from them (pins.c). All zero: none. */
struct bough_sync__pins {
    struct bough_store *store;
    struct bough_store_pin *pin;
    uint32_t n;
};
/* Pin all of `ids`, once. BOUGH_ENOMEM. */
enum bough_err bough_sync__pins_hold(
    struct bough_sync__pins *p, struct bough_store *store, const struct bough_sync__ids *ids);
bool bough_sync__pins_expired(const struct bough_sync__pins *p); /* one of them */
void bough_sync__pins_drop(struct bough_sync__pins *p);

/* ---- Sessions ---- */

/* How a failure can be told to the client. */
enum bough_sync__voice {
    BOUGH_SYNC__SILENT, /* not: it would be taken for something else */
    BOUGH_SYNC__ERR,    /* an ERR packet */
    BOUGH_SYNC__BAND,   /* band 3 */
};

/* What an upload and a receive begin with. */
struct bough_sync__session {
    struct bough_sync pub;
    size_t size; /* of the whole struct, to release it */
    struct bough_repo *repo;
    struct bough_store *store;
    struct bough_mem *mem;
    enum bough_algo algo;
    struct bough_sync_opts opts; /* limits with their defaults */
    enum bough_service service;
    struct bough_pkt_reader pkts;
    struct bough_buf out; /* what was not pulled yet begins at out_at */
    size_t out_at;
    size_t band_max; /* data bytes of a side-band packet; 0: no side-band */
    enum bough_sync__voice voice;
    bool busy;  /* the phase works; else it waits for input */
    bool ended; /* eof() was called */
};

static inline struct bough_sync__session *bough_sync__session_of(struct bough_sync *s)
{
    return (struct bough_sync__session *)(void *)s;
}

/* Allocate `size` cleared bytes that begin with a session, and set up that; cls comes later. */
enum bough_err bough_sync__session_new(struct bough_repo *repo, const struct bough_sync_opts *opts,
    size_t size, struct bough_sync__session **out);
void bough_sync__session_free(struct bough_sync__session *s);

/* The lines before an advertisement of version 0 or 1. */
void bough_sync__session_greet(struct bough_sync__session *s);

/* The session was set up: hand it out, or close it for want of memory. */
enum bough_err bough_sync__session_opened(struct bough_sync__session *s, struct bough_sync **out);

/* Is there no room for more output now? */
bool bough_sync__session_full(const struct bough_sync__session *s);

/* Nothing more is to come. */
void bough_sync__session_done(struct bough_sync__session *s);

/* Fail: fill `why` and return `err`. `key` may be NULL. */
enum bough_err bough_sync__session_fail(struct bough_sync__session *s, enum bough_err err,
    const char *what, const struct bough_oid *id);
enum bough_err bough_sync__session_fail_text(
    struct bough_sync__session *s, enum bough_err err, const char *what, struct bough_view text);

/* Parse an id that must take all of `hex`. */
enum bough_err bough_sync__session_id(
    struct bough_sync__session *s, struct bough_view hex, struct bough_oid *out);

/* Progress text on band 2; nothing where there is no side-band. */
void bough_sync__session_progress(struct bough_sync__session *s, struct bough_view text);

/* ---- Small text ---- */

/* Does `v` begin with `str`?  Then take it off. */
bool bough_sync__take(struct bough_view *v, const char *str);
bool bough_sync__is(struct bough_view v, const char *str);
/* Take the next word off a list separated by single spaces; false: none is left. */
bool bough_sync__word(struct bough_view *list, struct bough_view *word);
/* A decimal number that takes all of `v` and is at most `max`. */
bool bough_sync__number(struct bough_view v, uint64_t max, uint64_t *out);

/* ---- Refs ---- */

/* Tells refs in the form of version 0, or as ls-refs of version 2. */
struct bough_sync__refs {
    bool v2;
    bool peel, symrefs, unborn;  /* v2: what ls-refs asked for */
    bool head_done, any, over;   /* how far it is; `any` line was told */
    bool prefixed;               /* v2: only refs with one of the prefixes */
    struct bough_buf text;       /* the prefixes as they came, a NUL after each */
    uint32_t text_n;             /* how many */
    struct bough_view *prefixes; /* sorted, none the beginning of another */
    size_t prefixes_n, prefixes_cap, prefix_at;
    struct bough_buf name;       /* the ref told last */
    bool cut;                    /* v0: `shallow` was told */
    struct bough_oid shallow;    /* the commit of the boundary told last */
    struct bough_sync__ids *ids; /* every id told is added; NULL: not */
};

enum { BOUGH_SYNC__TOLD_MAX = 1000 * 1000 }; /* ids remembered as told; 32 MB at most */

void bough_sync__refs_init(struct bough_sync__refs *r, struct bough_mem *mem, bool v2);
void bough_sync__refs_fini(struct bough_sync__refs *r);

/* v2: only refs that begin with this one or another one given. */
void bough_sync__refs_prefix(
    struct bough_sync__refs *r, struct bough_sync__session *s, struct bough_view prefix);

/*
 * Append refs until the output is full or the budget is used; r->over says that all are told,
 * but for the flush.  The first line of version 0 bears the capabilities of the service; after
 * its refs come the commits where history ends.
 */
enum bough_err bough_sync__refs_step(
    struct bough_sync__refs *r, struct bough_sync__session *s, size_t budget);

/* What HEAD or another symbolic ref leads to, in `out`, whose name is of no use; BOUGH_ENOENT: nothing. */
enum bough_err bough_sync__ref_follow(
    struct bough_sync__session *s, struct bough_view target, struct bough_ref *out);

/* Append the capabilities of version 2, without the flush. */
void bough_sync__capabilities_v2(struct bough_sync__session *s);

/* ---- Reading history ---- */

/* Commits by date, the newest first; among equals as they came. */
struct bough_sync__queue {
    struct bough_mem *mem;
    struct bough_sync__queued {
        int64_t date;
        uint32_t turn, item;
    } * heap;
    size_t n, cap;
    uint32_t turns;
};

void bough_sync__queue_init(struct bough_sync__queue *q, struct bough_mem *mem);
void bough_sync__queue_fini(struct bough_sync__queue *q);
enum bough_err bough_sync__queue_push(struct bough_sync__queue *q, int64_t date, uint32_t item);
uint32_t bough_sync__queue_pop(struct bough_sync__queue *q); /* n > 0 */

/*
 * Read and parse a commit into `body` (cleared first), which `out` then borrows; one of the
 * boundary (store/collect.h) has no parents.
 * BOUGH_ECORRUPT: it is missing or no commit; why says so.
 */
enum bough_err bough_sync__commit_read(struct bough_store *store, const struct bough_oid *id,
    struct bough_buf *body, struct bough_commit *out, int64_t *date);

/* Read a tag and say what it points to; as above. */
enum bough_err bough_sync__tag_read(struct bough_store *store, const struct bough_oid *id,
    struct bough_buf *body, struct bough_tag *out);

/* ---- Trees ---- */

/*
 * Walks what is in a tree and not in its base: entries of the same name and
 * id are skipped without a look, those that differ are paired and entered together.
 */
struct bough_sync__trees {
    struct bough_store *store;
    struct bough_mem *mem;
    struct bough_sync__pair {
        struct bough_oid tree, base; /* base zero: none */
        uint32_t depth;              /* 0 for a root */
    } * stack;
    size_t n, cap;
    uint32_t depth, depth_max; /* of the pair under way; deeper is BOUGH_ETOOBIG, 0: no limit */
    struct bough_buf a, b;
    void *ctx;
    /* An entry that the base has not; `*enter` (false at first) has a tree walked too, against its
       namesake.  Gitlinks are not told. */
    enum bough_err (*entry)(
        void *ctx, const struct bough_oid *id, enum bough_type type, bool paired, bool *enter);
    /* An entry of the base that is not in the tree; NULL: not told. */
    enum bough_err (*old)(void *ctx, const struct bough_oid *id);
};

void bough_sync__trees_init(struct bough_sync__trees *t, struct bough_store *store, void *ctx);
void bough_sync__trees_fini(struct bough_sync__trees *t);
/* A root. */
enum bough_err bough_sync__trees_push(
    struct bough_sync__trees *t, const struct bough_oid *tree, const struct bough_oid *base);

/* Walk for about `*budget` bytes, which are taken from it; over when t->n is 0. */
enum bough_err bough_sync__trees_step(struct bough_sync__trees *t, size_t *budget);

/* ---- Select ---- */

/* What is known of an object; in the low bits of its number in the set. */
enum {
    BOUGH_SYNC__WANT = 1 << 0,      /* reachable from a want */
    BOUGH_SYNC__HAVE = 1 << 1,      /* the client has it, and all it reaches */
    BOUGH_SYNC__QUEUED = 1 << 2,    /* in the queue of commits */
    BOUGH_SYNC__WANTED = 1 << 3,    /* its parents were told that they are wanted */
    BOUGH_SYNC__HAD = 1 << 4,       /* its parents were told that the client has them */
    BOUGH_SYNC__CUT = 1 << 5,       /* its parents are not looked at: shallow */
    BOUGH_SYNC__SEND = 1 << 6,      /* on the list of what is sent */
    BOUGH_SYNC__COVERED = 1 << 7,   /* all of its tree is sent or had */
    BOUGH_SYNC__BELOW = 1 << 10,    /* a commit on the list has it as a parent */
    BOUGH_SYNC__SENT = 1 << 8,      /* in the pack; the rest of the number says where */
    BOUGH_SYNC__BASE = 1 << 9,      /* waits in the pack's stack for its base */
    BOUGH_SYNC__MAP_WANT = 1 << 11, /* a commit whose wanted side bitmaps tell */
    BOUGH_SYNC__MAP_HAVE = 1 << 12, /* the same of the other side */
    BOUGH_SYNC__BITS = 16,
};

struct bough_sync__list {
    struct bough_mem *mem;
    uint32_t *items;
    size_t n, cap;
};
void bough_sync__list_fini(struct bough_sync__list *l);
enum bough_err bough_sync__list_add(struct bough_sync__list *l, uint32_t item);

/* What to send: all that the wants reach and the haves do not. */
struct bough_sync__select {
    struct bough_sync__session *session;
    struct bough_store *store;
    struct bough_sync__ids ids;
    struct bough_sync__list starts; /* rows of wants and haves, in turn */
    struct bough_sync__list asked;  /* the same, doubled, plus one for haves; they stay */
    struct bough_sync__list parents;
    struct bough_sync__node {
        int64_t date;
        uint32_t row, tree; /* rows in ids */
        uint32_t at, n;     /* its parents' rows in `parents` */
        uint32_t child;     /* a node that has it as a parent and is COVERED, plus one */
        uint32_t anchor;    /* row of the tree of an ancestor that the client has, plus one */
    } * nodes;
    size_t nodes_n, nodes_cap;
    struct bough_sync__queue queue;
    uint32_t newest_had; /* node of the newest commit queued that the client has, plus one */
    size_t wanting;      /* commits in the queue that the client is not known to have */
    int64_t oldest;      /* date of the oldest commit on the list */
    struct bough_sync__list commits; /* nodes to send, the newest first */
    struct bough_sync__list order;   /* rows to send */
    struct bough_sync__trees trees;
    struct bough_buf body;
    struct bough_buf tag; /* the ref looked at last for include-tag */
    size_t at;            /* progress within the phase */
    uint32_t parent_at;   /* of the commit under way: parents whose trees are marked as had */
    bool include_tags;
    bool commits_only;  /* no trees */
    int64_t since;      /* commits older than this are left out; 0: none */
    bool marking;       /* trees are walked to mark what the client has */
    bool cut, any_have; /* some commit is CUT, or had */

    /* Bitmaps, select_reach.c. */
    struct bough_reach *reach;    /* or NULL: one walks */
    struct bough_sync__list adds; /* bitmaps to add: rows, doubled, plus the side */
    size_t adds_at;
    uint64_t reached;  /* objects that only the sets tell: they come before `order` */
    bool mapping;      /* a fetch that takes bitmaps, too */
    bool reach_failed; /* they are of no use */

    enum {
        BOUGH_SYNC__SELECT_START,
        BOUGH_SYNC__SELECT_COMMITS,
        BOUGH_SYNC__SELECT_HAD,
        BOUGH_SYNC__SELECT_LIST,
        BOUGH_SYNC__SELECT_LOOSE,
        BOUGH_SYNC__SELECT_ANCHORS,
        BOUGH_SYNC__SELECT_MARKS,
        BOUGH_SYNC__SELECT_TREES,
        BOUGH_SYNC__SELECT_TAGS,
        BOUGH_SYNC__SELECT_DONE,
    } phase;
};

void bough_sync__select_init(struct bough_sync__select *sel, struct bough_sync__session *s);
void bough_sync__select_fini(struct bough_sync__select *sel);

/* Before the first step: what is wanted, what the client has, and whose parents do not count. */
enum bough_err bough_sync__select_want(struct bough_sync__select *sel, const struct bough_oid *id);
enum bough_err bough_sync__select_have(struct bough_sync__select *sel, const struct bough_oid *id);
enum bough_err bough_sync__select_cut(struct bough_sync__select *sel, const struct bough_oid *id);

/* BOUGH_EAGAIN: more is to do.  At BOUGH_OK `order` is what to send. */
enum bough_err bough_sync__select_step(struct bough_sync__select *sel, size_t budget);

static inline uint64_t bough_sync__flags(const struct bough_sync__ids *ids, uint32_t row)
{
    return bough_sync__ids_get(ids, row) & ((1u << BOUGH_SYNC__BITS) - 1);
}

static inline void bough_sync__flag(struct bough_sync__ids *ids, uint32_t row, uint64_t flags)
{
    bough_sync__ids_set(ids, row, bough_sync__ids_get(ids, row) | flags);
}

/* ---- Pack ---- */

/* The pack of what was selected, made as the client drains it. */
struct bough_sync__pack {
    struct bough_sync__session *session;
    struct bough_store *store;
    struct bough_sync__ids *ids;
    struct bough_sync__list *order; /* of these */
    bool thin, ofs;
    size_t at;                     /* in order */
    struct bough_sync__list stack; /* rows that wait for their bases, the base last */
    struct bough_pack_writer writer;
    struct bough_buf raw;     /* of the writer */
    struct bough_buf scratch; /* bytes on their way to it */
    bool open, packed;        /* an entry is under way; it is sent as stored */
    struct bough_entry entry;
    struct bough_object *object;
    uint64_t entry_at; /* bytes of it that went out */
    uint64_t deltas, reused;
    bool over;

    /* What bitmaps selected, pack_reach.c. */
    struct bough_reach *reach; /* the selection's, or NULL */
    bool reach_over;
    struct bough_sync__sent {
        uint64_t from, to; /* in the store */
        uint64_t at;       /* in the pack */
    } * sent;              /* ascending */
    size_t sent_n, sent_cap;
    size_t cost; /* of the last piece, beside its bytes */
};

enum bough_err bough_sync__pack_init(
    struct bough_sync__pack *p, struct bough_sync__select *sel, bool thin, bool ofs);
void bough_sync__pack_fini(struct bough_sync__pack *p);

/* Begin the entry of an object that is read and deflated; small ones are put at once. */
enum bough_err bough_sync__pack_whole(struct bough_sync__pack *p, const struct bough_oid *id);
/* Begin an entry as stored. */
void bough_sync__pack_stored(
    struct bough_sync__pack *p, const struct bough_entry *e, const struct bough_entry_head *head);
/* The next of what bitmaps selected. */
enum bough_err bough_sync__pack_reached(struct bough_sync__pack *p);

/* Append to the session's output until it is full; p->over when the pack is complete. */
enum bough_err bough_sync__pack_step(struct bough_sync__pack *p, size_t budget);

#endif
