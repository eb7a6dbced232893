/*
 * intake_inner.h - what the files of the intake share.
 *
 *   intake.c           open, pass 1, what happens to every object
 *   intake_phase.c     the phases after it, rows
 *   intake_node.c      the table of entries, REF deltas by base, sorting
 *   intake_entry.c     entries read back from the area
 *   intake_resolve.c   pass 2: deltas depth first from their bases
 *
 *     RECEIVE -> SORT_REFS -> LINK -> ROOTS -> THIN -> COMPARE -> SORT_ROWS -> ROWS -> DONE
 *
 * RECEIVE    pass 1.  A node an entry; an OFS delta's `next` is its base.
 * SORT_REFS  REF deltas by the id of their base.
 * LINK       from the last node to the first: each OFS delta joins its base's
 *            `kids`, and brings the number of nodes under it in `order`.
 * ROOTS      each whole object that has kids is the root of a walk.
 * THIN       REF deltas whose base no walk met: the store's object is a root.
 *            What is left after it has no base, or is a circle.
 * COMPARE    known blobs that were too large to hold stream by the store's.
 * SORT_ROWS  `perm` by id, then by the order in which they were resolved.
 * ROWS       each id once: the entry resolved first, so that following bases
 *            from row to row always comes to an end.
 */
#ifndef BOUGH_STORE_INTAKE_INNER_H
#define BOUGH_STORE_INTAKE_INNER_H

#include "store/intake.h"

enum { BOUGH_STORE__CHUNK = 1024 };      /* nodes allocated at a time */
enum { BOUGH_STORE__PIECE = 64 * 1024 }; /* bytes read from the area at a time */
#define BOUGH_STORE__NIL UINT32_MAX

enum bough_store__phase {
    BOUGH_STORE__RECEIVE,
    BOUGH_STORE__KNOWN_AGAIN,
    BOUGH_STORE__SORT_REFS,
    BOUGH_STORE__LINK,
    BOUGH_STORE__ROOTS,
    BOUGH_STORE__THIN,
    BOUGH_STORE__COMPARE,
    BOUGH_STORE__SORT_ROWS,
    BOUGH_STORE__ROWS,
    BOUGH_STORE__DONE,
};

enum { /* of a node */
    BOUGH_STORE__RESOLVED = 1 << 0,
    BOUGH_STORE__KNOWN = 1 << 1,    /* the store has it */
    BOUGH_STORE__UNSEEN = 1 << 2,   /* known, and not yet compared */
    BOUGH_STORE__APPENDED = 1 << 3, /* completes the pack */
};

struct bough_store__node {
    uint64_t at;    /* of the entry in the area */
    uint64_t size;  /* of the object; of an unresolved delta's bytes */
    uint32_t crc;   /* of the entry */
    uint32_t order; /* resolved: when; else nodes of the OFS deltas under it, itself too */
    uint32_t kids;  /* the heaviest delta on this one, or NIL */
    uint32_t next;  /* its next sibling, or NIL; before LINK an OFS delta's base */
    uint8_t type;   /* of the object, when resolved */
    uint8_t stored; /* of the entry */
    uint8_t flags;
};

/* Nodes, then as many ids. */
struct bough_store__chunk {
    struct bough_store__node *nodes;
};

_Static_assert(sizeof(struct bough_store__node) + sizeof(uint32_t) <= BOUGH_STORE__INTAKE_NODE_LEN,
    "a node and its place in perm");

/* A REF delta, found by its base. */
struct bough_store__ref {
    struct bough_oid base;
    uint32_t node; /* NIL once it was linked */
};

/* A heap sort that can stop anywhere. */
struct bough_store__heap {
    uint32_t n;  /* elements */
    uint32_t at; /* where it stands */
    bool sifted; /* the heap is built */
    bool started;
};

/* A place on the way down from a root. */
struct bough_store__frame {
    uint32_t node;     /* NIL: a root from the store */
    uint32_t kids;     /* still to be made, heaviest first */
    uint32_t down, up; /* neighbours among the frames that hold their bytes, or NIL */
    uint8_t *ptr;      /* the object's bytes, or NULL: they were dropped, or are empty */
    size_t len, cap;
    bool held; /* ptr and len count */
};

/* A known blob on its way past the store's. */
struct bough_store__stream {
    bool open;
    struct bough_inflater zip;
    uint64_t at, end; /* what is left of the entry in the area */
    uint64_t out;     /* bytes of the object so far */
};

struct bough_store__intake {
    struct bough_mem *mem;
    enum bough_algo algo;
    uint32_t id_len;
    struct bough_store__intake_host *host;
    struct bough_intake_opts opts;
    bool complete;
    bool lost; /* what was known while it was received may have gone since */
    struct bough_why *why;
    enum bough_err err; /* sticky */
    enum bough_store__phase phase;
    uint64_t work, area_len;

    /* pass 1 */
    struct bough_pack_visitor visitor;
    struct bough_pack_reader reader;
    struct bough_buf body;   /* the object under way, when it is shown whole and in pieces */
    struct bough_view shown; /* its bytes so far */
    uint64_t data_end;       /* where the pack's last entry ends */

    /* the table */
    struct bough_store__chunk *chunks;
    size_t chunk_count, chunk_cap;
    uint32_t nodes;      /* in it */
    uint32_t pack_nodes; /* of these, of the pack itself */
    uint32_t resolved;
    struct bough_store__ref *refs;
    size_t ref_count, ref_cap;
    uint32_t *perm; /* nodes by id; perm_cap of them allocated */
    uint32_t perm_cap;
    uint32_t rows; /* different ids in perm, when done */
    struct bough_store__heap heap;
    uint32_t at; /* where a phase stands */

    /* pass 2 */
    struct bough_store__frame *stack;
    size_t stack_cap;
    uint32_t depth;
    uint32_t live_low, live_top; /* ends of the list of frames that hold their bytes */
    uint64_t held;               /* bytes that they hold */
    enum bough_type root_type;
    struct bough_oid root_id; /* of a root from the store */
    struct bough_buf packed;  /* an entry's raw bytes */
    struct bough_buf delta;   /* a delta's bytes */
    struct bough_store__stream stream;
    uint64_t spent; /* of the step's budget */
};

/* Note a failure with the place or limit `at`; returns err. */
enum bough_err bough_store__intake_fail(
    struct bough_store__intake *in, enum bough_err err, const char *what, uint64_t at);

/* The same about an object. */
enum bough_err bough_store__intake_fail_id(struct bough_store__intake *in, enum bough_err err,
    const char *what, const struct bough_oid *id);

/* Count bytes to be made; BOUGH_ETOOBIG when that is beyond the work allowed. */
enum bough_err bough_store__intake_work(struct bough_store__intake *in, uint64_t bytes);

/*
 * Object `i` has this id and type: fill its node, look whether the store has it, compare
 * and check it.  `body` is whole, or has ptr NULL for a large blob (`size` says how large).
 */
enum bough_err bough_store__intake_resolved(struct bough_store__intake *in, uint32_t i,
    const struct bough_oid *id, enum bough_type type, uint64_t size, struct bough_view body);

/* ---- intake_node.c ---- */

static inline struct bough_store__node *bough_store__node(
    const struct bough_store__intake *in, uint32_t i)
{
    return &in->chunks[i / BOUGH_STORE__CHUNK].nodes[i % BOUGH_STORE__CHUNK];
}

/* The id's bytes, in->id_len of them. */
static inline uint8_t *bough_store__node_id(const struct bough_store__intake *in, uint32_t i)
{
    struct bough_store__node *all = in->chunks[i / BOUGH_STORE__CHUNK].nodes;

    return (uint8_t *)(all + BOUGH_STORE__CHUNK) + i % BOUGH_STORE__CHUNK * (size_t)in->id_len;
}

/* A new node, cleared, at the end of the table. */
enum bough_err bough_store__node_add(struct bough_store__intake *in, uint32_t *out);

/* The node whose entry begins at `at`, or NIL. */
uint32_t bough_store__node_at(const struct bough_store__intake *in, uint64_t at);

/* Where its entry ends in the area. */
uint64_t bough_store__node_end(const struct bough_store__intake *in, uint32_t i);

enum bough_err bough_store__ref_add(
    struct bough_store__intake *in, const struct bough_oid *base, uint32_t node);

/* Put node `i` among the siblings that begin with `*kids`: the heaviest stays first. */
void bough_store__kid_add(struct bough_store__intake *in, uint32_t *kids, uint32_t i);

/* Take a sibling, the heaviest last; NIL when there is none. */
uint32_t bough_store__kid_take(struct bough_store__intake *in, uint32_t *kids);

/* Put all REF deltas on `base` that are not yet linked among the siblings. */
void bough_store__refs_link(
    struct bough_store__intake *in, const struct bough_oid *base, uint32_t *kids);

/* Sort in->refs, or in->perm by id and order, for a while; true when sorted. */
bool bough_store__sort_step(struct bough_store__intake *in, bool refs, uint64_t budget);

void bough_store__table_fini(struct bough_store__intake *in);

/* ---- intake_entry.c ---- */

/* Inflate the entry of node `i`, which has `len` bytes, to `dst`. */
enum bough_err bough_store__entry_inflate(
    struct bough_store__intake *in, uint32_t i, uint8_t *dst, uint64_t len);

/* The delta of node `i`, into in->delta. */
enum bough_err bough_store__entry_delta(struct bough_store__intake *in, uint32_t i);

/* Compare a piece of known blob `i` with the store's; *more is false at its end. */
enum bough_err bough_store__entry_compare(struct bough_store__intake *in, uint32_t i, bool *more);

/* Append a whole object, deflated, to the area as node *out. */
enum bough_err bough_store__entry_append(struct bough_store__intake *in, const struct bough_oid *id,
    enum bough_type type, struct bough_view body, uint32_t *out);

/* ---- intake_resolve.c ---- */

/* Begin a walk from whole object `i`; `kids` are the deltas on it. */
enum bough_err bough_store__walk_begin(struct bough_store__intake *in, uint32_t i, uint32_t kids);

/* Begin a walk from object `id` of the store, with all deltas on it; BOUGH_ENOENT: it has none. */
enum bough_err bough_store__walk_fetch(struct bough_store__intake *in, const struct bough_oid *id);

/* Make one object of the walk, or find that it is over. */
enum bough_err bough_store__walk_step(struct bough_store__intake *in, bool *over);

void bough_store__walk_fini(struct bough_store__intake *in);

#endif
