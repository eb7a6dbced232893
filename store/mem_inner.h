/*
 * mem_inner.h - the parts of the memory engine.
 *
 *   objects   bodies, or places in packs, and a hash table of them by id
 *   reading   through tables laid over each other
 *   refs      a sorted vector
 *   records   a vector in the order of their numbers
 *   the store itself, with its transaction; intakes
 *   collecting   marks on rows
 *
 * Each part has the same two halves: `reserve` makes room and may fail, what comes after it
 * cannot.  So a commit reserves everything first and then just happens.
 */
#ifndef BOUGH_STORE_MEM_INNER_H
#define BOUGH_STORE_MEM_INNER_H

#include "store/collect.h"
#include "store/intake.h"

/* ---- Pointers in a row ---- */

struct bough_store__mem_vec {
    void **ptr;
    size_t n, cap;
};

/* Make room for `more` pointers after those there. */
enum bough_err bough_store__mem_vec_reserve(
    struct bough_store__mem_vec *v, struct bough_mem *mem, size_t more);
void bough_store__mem_vec_insert(
    struct bough_store__mem_vec *v, size_t at, void *ptr); /* after a reserve */
void bough_store__mem_vec_fini(struct bough_store__mem_vec *v, struct bough_mem *mem);

/* ---- Objects ---- */

/* A pack as it was received; the objects in it share it. */
struct bough_store__mem_pack {
    uint32_t holders; /* the last one to let go releases it */
    struct bough_buf bytes;
};

struct bough_store__mem_pack *bough_store__mem_pack_new(
    struct bough_mem *mem);                                          /* NULL: no memory */
void bough_store__mem_pack_drop(struct bough_store__mem_pack *pack); /* NULL is fine */

/* An object; handles and the table share it. */
struct bough_store__mem_object {
    struct bough_oid id;
    enum bough_type type;
    uint32_t holders; /* the last one to let go releases it */
    size_t size;
    uint64_t born;                      /* when it was written last, in seconds since 1970 */
    uint64_t row;                       /* its number in the table it is in, from 1 */
    struct bough_store__mem_pack *pack; /* NULL: the body is here */
    uint64_t at, packed_len;            /* of its entry in the pack */
    uint8_t body[];
};

/* NULL: no memory.  The caller is its one holder. */
struct bough_store__mem_object *bough_store__mem_object_new(struct bough_mem *mem,
    const struct bough_oid *id, enum bough_type type, struct bough_view body);
void bough_store__mem_object_drop(
    struct bough_mem *mem, struct bough_store__mem_object *o); /* NULL is fine */

/* One whose body is the entry of `row` in `pack`. */
struct bough_store__mem_object *bough_store__mem_object_new_packed(struct bough_mem *mem,
    const struct bough_store__intake_row *row, struct bough_store__mem_pack *pack);

/* A slot names the object `row - 1` of the vector; `tag` is the high half of its hash. */
struct bough_store__mem_slot {
    uint32_t tag, row;
};

/* Objects by id: open addressing, at most three quarters full, keyed so that nobody can choose
   ids that collide. */
struct bough_store__mem_objects {
    struct bough_store__mem_vec rows; /* struct bough_store__mem_object *, in order of arrival */
    struct bough_store__mem_slot *slots;
    size_t cap; /* of slots: 0 or a power of two */
    uint64_t key;
    uint64_t bytes; /* of bodies and packed entries */
};

/* NULL: not there. */
struct bough_store__mem_object *bough_store__mem_objects_find(
    const struct bough_store__mem_objects *t, const struct bough_oid *id);
enum bough_err bough_store__mem_objects_reserve(
    struct bough_store__mem_objects *t, struct bough_mem *mem, size_t more);
/* After a reserve; `o` is taken; an id that is there already is dropped. */
void bough_store__mem_objects_add(
    struct bough_store__mem_objects *t, struct bough_mem *mem, struct bough_store__mem_object *o);
/* Move everything of `from` into `to`, which has reserved for it. */
void bough_store__mem_objects_move(struct bough_store__mem_objects *to, struct bough_mem *mem,
    struct bough_store__mem_objects *from);
void bough_store__mem_objects_fini(struct bough_store__mem_objects *t, struct bough_mem *mem);

/* ---- Reading ---- */

/*
 * Tables laid over each other: an object is looked for in the store's first.
 * So what is in the store leads, by the ids in its deltas, to the store only,
 * and chains of deltas have an end.
 */
struct bough_store__mem_sight {
    struct bough_mem *mem;
    enum bough_algo algo;
    const struct bough_store__mem_objects *of[2]; /* the store's; another's or NULL */
};

/* NULL: not there. */
struct bough_store__mem_object *bough_store__mem_see(
    const struct bough_store__mem_sight *sight, const struct bough_oid *id);

/* Append its body to `out`, whatever its size. */
enum bough_err bough_store__mem_object_read(const struct bough_store__mem_sight *sight,
    const struct bough_store__mem_object *o, struct bough_buf *out);

/* A handle that holds it. */
enum bough_err bough_store__mem_object_open(const struct bough_store__mem_sight *sight,
    struct bough_store__mem_object *o, struct bough_object **out);

/* ---- Refs ---- */

struct bough_store__mem_ref {
    enum bough_ref_kind kind; /* NONE: in a transaction, a ref that will be gone */
    struct bough_oid id, peeled;
    size_t name_len, target_len;
    uint8_t bytes[]; /* the name, then the target */
};

struct bough_store__mem_refs {
    struct bough_store__mem_vec rows; /* struct bough_store__mem_ref *, sorted by name */
};

/* The place of `name`, or where it would be. */
size_t bough_store__mem_refs_seek(
    const struct bough_store__mem_refs *r, struct bough_view name, bool *found);
/* NULL: there is none. */
struct bough_store__mem_ref *bough_store__mem_refs_find(
    const struct bough_store__mem_refs *r, struct bough_view name);
/* Set what `change` says, a deletion too; on BOUGH_ENOMEM all is as it was. */
enum bough_err bough_store__mem_refs_set(
    struct bough_store__mem_refs *r, struct bough_mem *mem, const struct bough_ref_change *change);
/* Carry out the changes of `from`, after a reserve of as many rows. */
void bough_store__mem_refs_apply(
    struct bough_store__mem_refs *r, struct bough_mem *mem, struct bough_store__mem_refs *from);
void bough_store__mem_refs_fini(struct bough_store__mem_refs *r, struct bough_mem *mem);
void bough_store__mem_ref_show(const struct bough_store__mem_ref *ref, struct bough_ref *out);

/* ---- Records ---- */

struct bough_store__mem_record {
    uint64_t seq;
    size_t stream_len, len;
    uint8_t bytes[]; /* the stream's name, then the record; of a retirement the name only */
};

struct bough_store__mem_records {
    struct bough_store__mem_vec rows; /* struct bough_store__mem_record * */
};

enum bough_err bough_store__mem_records_add(struct bough_store__mem_records *r,
    struct bough_mem *mem, struct bough_view stream, uint64_t seq, struct bough_view bytes);
/* Drop those of `stream` up to and with `seq`. */
void bough_store__mem_records_retire(struct bough_store__mem_records *r, struct bough_mem *mem,
    struct bough_view stream, uint64_t seq);
void bough_store__mem_records_fini(struct bough_store__mem_records *r, struct bough_mem *mem);

static inline struct bough_view bough_store__mem_record_stream(
    const struct bough_store__mem_record *r)
{
    return bough_view(r->bytes, r->stream_len);
}

static inline struct bough_view bough_store__mem_record_bytes(
    const struct bough_store__mem_record *r)
{
    return bough_view(r->bytes + r->stream_len, r->len);
}

/* ---- The store ---- */

struct bough_store__mem_txn {
    struct bough_txn txn;
    struct bough_store__mem_objects objects;
    struct bough_store__mem_refs refs;       /* changes: the last of each name */
    struct bough_store__mem_records records; /* appended */
    struct bough_store__mem_records retired; /* {stream, seq} without bytes */
    uint64_t seq;                            /* of the last record */
};

struct bough_store__mem_store {
    struct bough_store store;
    struct bough_store__mem_objects objects;
    struct bough_store__mem_refs refs;
    struct bough_store__mem_records records;
    uint64_t seq; /* of the last record */
    uint64_t commits;
    struct bough_store__mem_txn own; /* the one transaction there can be */
    size_t intakes;                  /* open: what they know of rows must stay true */
    bool wanted;                     /* a collection */
    struct bough_collect_opts wish;
    struct bough_collect_progress told; /* of the last one */
};

/* The reading methods of a store and of an intake's view, which differ in what they see. */
enum bough_err bough_store__mem_find(const struct bough_store__mem_sight *sight,
    const struct bough_oid *id, struct bough_found *out);
enum bough_err bough_store__mem_each(
    const struct bough_store__mem_objects *t, bough_store_each_fn *fn, void *ctx);

/* Begin an intake: the method of the class. */
enum bough_err bough_store__mem_intake(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);

/* What a finished intake received joins `to`; the intake is taken, even on error. */
enum bough_err bough_store__mem_intake_adopt(
    struct bough_intake *in, struct bough_store__mem_objects *to);

/* ---- Collecting ---- */

enum { BOUGH_STORE__MEM_LIVE = 1, BOUGH_STORE__MEM_DEEP = 2 };

/* One collection; see mem_mark.c for what its marks mean. */
struct bough_store__mem_collecting {
    struct bough_store__mem_store *m;
    struct bough_mem *mem;
    uint64_t now;     /* seconds */
    uint8_t *marks;   /* of each row */
    uint32_t *stack;  /* rows that became DEEP; each once, so there is room for all */
    uint32_t *stamps; /* the walk that met the commit last */
    uint32_t *now_rows, *next_rows;
    size_t rows, stack_n, now_n, next_n;
    uint32_t stamp;
    struct bough_buf raw;
    struct bough_store__mem_refs changes; /* of the boundary */
    struct bough_collect_progress *told;
};

/* Mark all that lives, also what is younger than `grace` seconds. */
enum bough_err bough_store__mem_mark(struct bough_store__mem_collecting *c, uint64_t grace);

static inline struct bough_store__mem_object *bough_store__mem_row(
    const struct bough_store__mem_collecting *c, size_t row)
{
    return c->m->objects.rows.ptr[row];
}

/* Its row, if there is such an object. */
bool bough_store__mem_row_find(
    const struct bough_store__mem_collecting *c, const struct bough_oid *id, uint32_t *row);

/* Read its body into `raw`. */
enum bough_err bough_store__mem_row_read(struct bough_store__mem_collecting *c, uint32_t row);

/* Methods of the class. */
enum bough_err bough_store__mem_collect(
    struct bough_store *s, const struct bough_collect_opts *opts);
enum bough_err bough_store__mem_maintain(struct bough_store *s, uint64_t budget, bool *more);
void bough_store__mem_collection(struct bough_store *s, struct bough_collect_progress *out);

#endif
