/* inner.h - what the store's calls lend to its engines. */
#ifndef BOUGH_STORE_INNER_H
#define BOUGH_STORE_INNER_H

#include "store/store.h"

/*
 * Does `change` fit what is there?  `kind` and `id` are the ref's now, as the transaction
 * sees it; BOUGH_REF_NONE when there is none.
 *
 * BOUGH_ETEST     it does not
 */
enum bough_err bough_store__ref_check(
    const struct bough_ref_change *change, enum bough_ref_kind kind, const struct bough_oid *id);

/* Note how a write ended: after an I/O error the store writes no more. Returns `err`. */
enum bough_err bough_store__wrote(struct bough_store *s, enum bough_err err);

/* May it be written to?  BOUGH_EREADONLY, or the I/O error that ended writing. */
enum bough_err bough_store__may_write(struct bough_store *s);

/* A failure with an object's id as its key; returns `err`. */
enum bough_err bough_store__fail_id(
    struct bough_store *s, enum bough_err err, const char *what, const struct bough_oid *id);

static inline bool bough_store__is_empty_tree(
    const struct bough_store *s, const struct bough_oid *id)
{
    return bough_oid_eq(id, bough_oid_empty_tree(s->algo));
}

/* The name of the ref that puts commit `id` on the boundary; is it one of those? */
enum { BOUGH_STORE__BOUNDARY_MAX = 16 + BOUGH_HEX_MAX };
struct bough_view bough_store__boundary_name(
    const struct bough_store *s, const struct bough_oid *id, char name[BOUGH_STORE__BOUNDARY_MAX]);
bool bough_store__is_boundary(struct bough_view name);

/* Close the handles that read_part() keeps. */
void bough_store__parts_drop(struct bough_store *s);

/* Read object `id` to its end, whatever its size, and say what its id is in truth. */
enum bough_err bough_store__object_digest(
    struct bough_store *s, const struct bough_oid *id, struct bough_oid *out);

/*
 * A piece of an object that comes, of type and size as `found` says, against a stored one that is
 * open; that is closed, and NULL, after the last piece and after a failure.
 * BOUGH_EFORMAT: they differ, two contents have one id.
 */
enum bough_err bough_store__object_compare(struct bough_object **open,
    const struct bough_found *found, uint64_t at, struct bough_view piece);

/* An object handle on a body held in memory: `body` is taken, even on error. */
enum bough_err bough_store__whole_open(
    struct bough_mem *mem, enum bough_type type, struct bough_buf *body, struct bough_object **out);

#endif
