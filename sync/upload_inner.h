/*
 * upload_inner.h - what the parts of upload-pack share.
 *
 *   request   struct bough_sync__request: what a client wants and has (request.c)
 *   reach     struct bough_sync__reach: are the wants ours to give? (reach.c)
 *   ready     struct bough_sync__ready: are the common commits enough? (reach.c)
 *   depth     struct bough_sync__depth: where a shallow clone ends (depth.c)
 *   upload    struct bough_sync__upload: the session (upload.c; its packets: upload_v0.c, upload_v2.c)
 */
#ifndef BOUGH_SYNC_UPLOAD_INNER_H
#define BOUGH_SYNC_UPLOAD_INNER_H

#include "sync/inner.h"

/* ---- Request ---- */

enum bough_sync__acks { BOUGH_SYNC__ACK_ONE, BOUGH_SYNC__ACK_MULTI, BOUGH_SYNC__ACK_DETAILED };

enum {
    BOUGH_SYNC__WANT_OURS = 1 << 0, /* of wants: may be given */
};

struct bough_sync__request {
    struct bough_sync__ids wants;          /* BOUGH_SYNC__WANT_... */
    struct bough_sync__ids haves;          /* those that we have too */
    struct bough_sync__ids shallows;       /* where the client's history ends; those that we have */
    struct bough_sync__ids nots;           /* what deepen-not leaves out */
    struct bough_buf wanted_refs;          /* lines of that section, each `id SP name LF` */
    uint32_t wants_n, haves_n, shallows_n; /* lines */
    struct bough_oid last;                 /* the common one told last */
    int64_t oldest;                        /* date of the oldest common commit */
    uint64_t depth;                        /* of deepen; 0: none */
    int64_t since;                         /* of deepen-since; 0: none */
    bool relative;
    enum bough_sync__acks acks;
    bool thin, ofs, no_progress, include_tag, no_done;
    bool done, wait_for_done;
};

void bough_sync__request_init(struct bough_sync__request *r, struct bough_sync__session *s);
void bough_sync__request_fini(struct bough_sync__request *r);

/*
 * Take a line that both versions have: want, have, shallow, deepen and kin.  The capabilities
 * behind the first want of version 0 are taken where `caps`.
 * `*known` false: it is none of these.
 */
enum bough_err bough_sync__request_line(struct bough_sync__request *r,
    struct bough_sync__session *s, struct bough_view line, bool caps, bool *known);

/* A have; `*common` says whether we have it too. */
enum bough_err bough_sync__request_have(struct bough_sync__request *r,
    struct bough_sync__session *s, struct bough_view hex, bool *common);

static inline bool bough_sync__request_deepens(const struct bough_sync__request *r)
{
    return r->depth > 0 || r->since > 0 || r->nots.n > 0;
}

/* ---- Reach ---- */

/* Marks wants that are tips, or reachable from tips. */
struct bough_sync__reach {
    struct bough_sync__session *session;
    struct bough_sync__ids *wants;
    const struct bough_sync__ids *told; /* ids that this session advertised */
    struct bough_sync__ids seen;
    struct bough_sync__queue queue;
    struct bough_buf name, body;
    size_t missing; /* wants not yet marked */
    uint32_t at;
    enum {
        BOUGH_SYNC__REACH_TOLD,
        BOUGH_SYNC__REACH_TIPS,
        BOUGH_SYNC__REACH_ROOTS,
        BOUGH_SYNC__REACH_WALK,
    } phase;
};

void bough_sync__reach_init(struct bough_sync__reach *r, struct bough_sync__session *s,
    struct bough_sync__ids *wants, const struct bough_sync__ids *told);
void bough_sync__reach_fini(struct bough_sync__reach *r);

/* BOUGH_EAGAIN: more to do.  BOUGH_EDENIED: a want is not ours to give; why names it. */
enum bough_err bough_sync__reach_step(struct bough_sync__reach *r, size_t budget);

/* Does every want reach something that is common?  Then nothing more need be negotiated. */
struct bough_sync__ready {
    struct bough_sync__session *session;
    struct bough_sync__request *request;
    struct bough_sync__ids seen;
    struct bough_sync__queue queue;
    struct bough_buf body;
    uint32_t at;   /* the want under way */
    uint64_t left; /* commits that may still be looked at in this session */
    bool begun, yes;
};

void bough_sync__ready_init(struct bough_sync__ready *r, struct bough_sync__session *s,
    struct bough_sync__request *request);
void bough_sync__ready_fini(struct bough_sync__ready *r);

/* BOUGH_EAGAIN: more to do.  At BOUGH_OK `yes` is the answer, and the next call asks again. */
enum bough_err bough_sync__ready_step(struct bough_sync__ready *r, size_t budget);

/* ---- Depth ---- */

struct bough_sync__depth {
    struct bough_sync__session *session;
    struct bough_sync__request *request;
    struct bough_sync__ids seen;       /* BOUGH_SYNC__INSIDE, _EDGE */
    struct bough_sync__list now, next; /* rows of this generation and of the next */
    struct bough_sync__list extra;     /* rows: parents of what is no longer shallow */
    struct bough_sync__select select;  /* for deepen-since and deepen-not */
    struct bough_buf body;
    uint64_t generation, last; /* of `now`; the deepest that is inside */
    uint32_t at;
    bool relative; /* looking for the client's shallow commits first */
    bool told;     /* at BOUNDARY: `last_told` is the last one */
    struct bough_oid last_told;
    enum {
        BOUGH_SYNC__DEPTH_BOUNDARY,
        BOUGH_SYNC__DEPTH_START,
        BOUGH_SYNC__DEPTH_WALK,
        BOUGH_SYNC__DEPTH_SELECT,
        BOUGH_SYNC__DEPTH_EDGES,
        BOUGH_SYNC__DEPTH_TELL,
        BOUGH_SYNC__DEPTH_UNTELL,
        BOUGH_SYNC__DEPTH_DONE,
    } phase;
};

enum {
    BOUGH_SYNC__INSIDE = 1 << 0, /* the client gets or keeps it */
    BOUGH_SYNC__EDGE = 1 << 1,   /* but not its parents */
};

void bough_sync__depth_init(struct bough_sync__depth *d, struct bough_sync__session *s,
    struct bough_sync__request *request);
void bough_sync__depth_fini(struct bough_sync__depth *d);

/* BOUGH_EAGAIN: more to do.  Writes the lines shallow and unshallow, without a mark after them. */
enum bough_err bough_sync__depth_step(struct bough_sync__depth *d, size_t budget);

/* ---- Upload ---- */

enum bough_sync__upload_phase {
    BOUGH_SYNC__UPLOAD_TELL,      /* working: refs of version 0 */
    BOUGH_SYNC__UPLOAD_WANTS,     /* version 0: wants, shallow, deepen */
    BOUGH_SYNC__UPLOAD_HAVES,     /* version 0: haves, done */
    BOUGH_SYNC__UPLOAD_COMMAND,   /* version 2: command and capabilities */
    BOUGH_SYNC__UPLOAD_REFS_ARGS, /* version 2: of ls-refs */
    BOUGH_SYNC__UPLOAD_ARGS,      /* version 2: of fetch */
    BOUGH_SYNC__UPLOAD_REFS,      /* working: ls-refs */
    BOUGH_SYNC__UPLOAD_REACH,     /* working: may all wants be given? */
    BOUGH_SYNC__UPLOAD_READY,     /* working: are the haves enough? */
    BOUGH_SYNC__UPLOAD_ACKS,      /* working: version 2: the answer to that */
    BOUGH_SYNC__UPLOAD_DEPTH,     /* working: shallow and unshallow */
    BOUGH_SYNC__UPLOAD_WANTED,    /* working: version 2: wanted-refs */
    BOUGH_SYNC__UPLOAD_PREPARE,   /* working: the request goes to the selection */
    BOUGH_SYNC__UPLOAD_SELECT,    /* working */
    BOUGH_SYNC__UPLOAD_PACK,      /* working */
};

struct bough_sync__upload {
    struct bough_sync__session session;
    enum bough_sync__upload_phase phase;
    uint32_t version;
    struct bough_sync__refs refs;
    struct bough_sync__ids told;
    struct bough_sync__request request;
    struct bough_sync__reach reach;
    struct bough_sync__ready ready;
    struct bough_sync__depth depth;
    struct bough_sync__select select;
    struct bough_sync__pack pack;
    struct bough_sync__pins pins;     /* of the wants */
    bool command_fetch, command_refs; /* version 2: which was asked for */
    bool first;                       /* version 0: no want came yet */
    bool enough;                      /* `ready` was answered */
    uint32_t at;                      /* progress of PREPARE */
    uint32_t told_n;                  /* objects that progress was told of */
};

void bough_sync__upload_phase(struct bough_sync__upload *u, enum bough_sync__upload_phase phase);

/* A request is over: forget it. */
void bough_sync__upload_reset(struct bough_sync__upload *u);

/* A packet of version 0 or 1; a round of haves is over, and it is known whether they are enough. */
enum bough_err bough_sync__upload_v0(
    struct bough_sync__upload *u, enum bough_pkt_kind kind, struct bough_view line);
void bough_sync__upload_v0_answer(struct bough_sync__upload *u);

/* A packet of version 2. */
enum bough_err bough_sync__upload_v2(
    struct bough_sync__upload *u, enum bough_pkt_kind kind, struct bough_view line);

/* Version 2: after the wants were checked; the work of ACKS; after DEPTH; the work of WANTED. */
void bough_sync__upload_v2_checked(struct bough_sync__upload *u);
void bough_sync__upload_v2_acks(struct bough_sync__upload *u);
void bough_sync__upload_v2_deepened(struct bough_sync__upload *u);
void bough_sync__upload_v2_wanted(struct bough_sync__upload *u);

#endif
