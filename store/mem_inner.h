/*
 * mem_inner.h - the parts of the memory engine.
 *
 *   objects   bodies, and a hash table of them by id
 *   refs      a sorted vector
 *   records   a vector in the order of their numbers
 *
 * Each part has the same two halves: `reserve` makes room and may fail, what comes after it
 * cannot.  So a commit reserves everything first and then just happens.
 */
#ifndef BOUGH_MEM_INNER_H
#define BOUGH_MEM_INNER_H

#include "store/inner.h"

/* ---- Pointers in a row ---- */

struct bough_mem__vec {
    void **ptr;
    size_t n, cap;
};

/* Make room for `more` pointers after those there. */
enum bough_err bough_mem__vec_reserve(struct bough_mem__vec *v, struct bough_mem *mem, size_t more);
void bough_mem__vec_insert(struct bough_mem__vec *v, size_t at, void *ptr); /* after a reserve */
void bough_mem__vec_remove(struct bough_mem__vec *v, size_t at);
void bough_mem__vec_fini(struct bough_mem__vec *v, struct bough_mem *mem);

/* ---- Objects ---- */

/* An object; handles and the table share it. */
struct bough_mem__object {
    struct bough_oid id;
    enum bough_type type;
    uint32_t holders; /* the last one to let go releases it */
    size_t size;
    uint64_t row; /* its number in the table it is in, from 1 */
    uint8_t body[];
};

/* NULL: no memory.  The caller is its one holder. */
struct bough_mem__object *bough_mem__object_new(struct bough_mem *mem, const struct bough_oid *id,
    enum bough_type type, struct bough_view body);
void bough_mem__object_drop(struct bough_mem *mem, struct bough_mem__object *o); /* NULL is fine */

/* A handle that holds `o`. */
enum bough_err bough_mem__object_open(
    struct bough_mem *mem, struct bough_mem__object *o, struct bough_object **out);

/* A slot names the object `row - 1` of the vector; `tag` is the high half of its hash. */
struct bough_mem__slot {
    uint32_t tag, row;
};

/* Objects by id: open addressing, at most three quarters full, keyed so that nobody can choose
   ids that collide. */
struct bough_mem__objects {
    struct bough_mem__vec rows; /* struct bough_mem__object *, in order of arrival */
    struct bough_mem__slot *slots;
    size_t cap; /* of slots: 0 or a power of two */
    uint64_t key;
    uint64_t bytes; /* of bodies */
};

/* NULL: not there. */
struct bough_mem__object *bough_mem__objects_find(
    const struct bough_mem__objects *t, const struct bough_oid *id);
enum bough_err bough_mem__objects_reserve(
    struct bough_mem__objects *t, struct bough_mem *mem, size_t more);
/* After a reserve; `o` is taken; an id that is there already is dropped. */
void bough_mem__objects_add(
    struct bough_mem__objects *t, struct bough_mem *mem, struct bough_mem__object *o);
/* Move everything of `from` into `to`, which has reserved for it. */
void bough_mem__objects_move(
    struct bough_mem__objects *to, struct bough_mem *mem, struct bough_mem__objects *from);
void bough_mem__objects_fini(struct bough_mem__objects *t, struct bough_mem *mem);

/* ---- Refs ---- */

struct bough_mem__ref {
    enum bough_ref_kind kind; /* NONE: in a transaction, a ref that will be gone */
    struct bough_oid id, peeled;
    size_t name_len, target_len;
    uint8_t bytes[]; /* the name, then the target */
};

struct bough_mem__refs {
    struct bough_mem__vec rows; /* struct bough_mem__ref *, sorted by name */
};

/* The place of `name`, or where it would be. */
size_t bough_mem__refs_seek(const struct bough_mem__refs *r, struct bough_view name, bool *found);
/* NULL: there is none. */
struct bough_mem__ref *bough_mem__refs_find(
    const struct bough_mem__refs *r, struct bough_view name);
/* Set what `change` says, a deletion too; on BOUGH_ENOMEM all is as it was. */
enum bough_err bough_mem__refs_set(
    struct bough_mem__refs *r, struct bough_mem *mem, const struct bough_ref_change *change);
/* Carry out the changes of `from`, after a reserve of as many rows. */
void bough_mem__refs_apply(
    struct bough_mem__refs *r, struct bough_mem *mem, struct bough_mem__refs *from);
void bough_mem__refs_fini(struct bough_mem__refs *r, struct bough_mem *mem);
void bough_mem__ref_show(const struct bough_mem__ref *ref, struct bough_ref *out);

/* ---- Records ---- */

struct bough_mem__record {
    uint64_t seq;
    size_t stream_len, len;
    uint8_t bytes[]; /* the stream's name, then the record; of a retirement the name only */
};

struct bough_mem__records {
    struct bough_mem__vec rows; /* struct bough_mem__record * */
};

enum bough_err bough_mem__records_add(struct bough_mem__records *r, struct bough_mem *mem,
    struct bough_view stream, uint64_t seq, struct bough_view bytes);
/* Drop those of `stream` up to and with `seq`. */
void bough_mem__records_retire(
    struct bough_mem__records *r, struct bough_mem *mem, struct bough_view stream, uint64_t seq);
void bough_mem__records_fini(struct bough_mem__records *r, struct bough_mem *mem);

static inline struct bough_view bough_mem__record_stream(const struct bough_mem__record *r)
{
    return bough_view(r->bytes, r->stream_len);
}

static inline struct bough_view bough_mem__record_bytes(const struct bough_mem__record *r)
{
    return bough_view(r->bytes + r->stream_len, r->len);
}

#endif
