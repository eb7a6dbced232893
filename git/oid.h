/*
 * oid.h - object ids and kinds.
 *
 * An id is a digest of `type SP size NUL body`.  Nothing assumes 20 bytes:
 * an id is 32 bytes of which SHA-1 leaves the last twelve zero, so ids are
 * compared, hashed and sorted alike whatever their algorithm.
 */
#ifndef BOUGH_OID_H
#define BOUGH_OID_H

#include "base/hash.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Git's object types; the numbers are those of pack entries. */
enum bough_type {
    BOUGH_NONE = 0,
    BOUGH_COMMIT = 1,
    BOUGH_TREE = 2,
    BOUGH_BLOB = 3,
    BOUGH_TAG = 4,
    BOUGH_OFS_DELTA = 6, /* in packs only */
    BOUGH_REF_DELTA = 7, /* in packs only */
};

/* "commit", "tree", "blob", "tag"; "?" for anything else. */
const char *bough_type_name(enum bough_type type);

/* The type of that name; BOUGH_NONE when there is none. */
enum bough_type bough_type_parse(struct bough_view name);

struct bough_oid {
    uint8_t bytes[BOUGH_DIGEST_MAX]; /* unused ones are zero */
};

enum { BOUGH_HEX_MAX = 2 * BOUGH_DIGEST_MAX };

static inline int bough_oid_cmp(const struct bough_oid *a, const struct bough_oid *b)
{
    uint64_t x = bough_get64be(a->bytes), y = bough_get64be(b->bytes);

    if (x != y) /* nearly always */
        return x < y ? -1 : 1;
    return memcmp(a->bytes + sizeof x, b->bytes + sizeof y, sizeof a->bytes - sizeof x);
}

static inline bool bough_oid_eq(const struct bough_oid *a, const struct bough_oid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool bough_oid_is_zero(const struct bough_oid *id);

/* From `bough_algo_len(algo)` raw bytes. */
struct bough_oid bough_oid_raw(enum bough_algo algo, const uint8_t *raw);

/* Lower-case hex, not NUL-terminated; returns the number of characters (40 or 64). */
size_t bough_oid_hex(enum bough_algo algo, const struct bough_oid *id, char dst[BOUGH_HEX_MAX]);

/*
 * From exactly 40 or 64 hex digits; upper case is accepted here (callers
 * that must refuse it look for themselves).
 *
 * BOUGH_EFORMAT   another length or another character
 */
enum bough_err bough_oid_parse(enum bough_algo algo, struct bough_view hex, struct bough_oid *out);

/*
 * The id of an object whose body is at hand and trusted: read back from a
 * store, or compared and not kept.
 */
struct bough_oid bough_oid_of(enum bough_algo algo, enum bough_type type, struct bough_view body);

/*
 * The id of an object that is to be kept.  Some of its bytes are of
 * somebody else's choosing, so the digest is made on guard (base/hash.h).
 *
 * BOUGH_EFORMAT   the body is half of a SHA-1 collision; why says so (may be NULL)
 */
enum bough_err bough_oid_make(enum bough_algo algo, enum bough_type type, struct bough_view body,
    struct bough_oid *out, struct bough_why *why);

/* Begin the id of an object of `size` bytes whose body comes in pieces (bough_hash_update). */
void bough_oid_begin(
    struct bough_hash *h, enum bough_algo algo, enum bough_type type, uint64_t size);
struct bough_oid bough_oid_end(struct bough_hash *h);

/* The same for an object that is to be kept, on guard; the errors are those of bough_oid_make(). */
void bough_oid_begin_guarded(
    struct bough_hash *h, enum bough_algo algo, enum bough_type type, uint64_t size);
enum bough_err bough_oid_end_guarded(
    struct bough_hash *h, struct bough_oid *out, struct bough_why *why);

/* The ids of the empty tree and the empty blob: known even where they are not stored. */
const struct bough_oid *bough_oid_empty_tree(enum bough_algo algo);
const struct bough_oid *bough_oid_empty_blob(enum bough_algo algo);

#ifdef __cplusplus
}
#endif

#endif
