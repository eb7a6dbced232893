/*
 * delta.h - Git's deltas: an object as copies from a base and new bytes.
 *
 *   reading    struct bough_delta_reader: the header, then an op at a time
 *   applying   whole, or a range of the result
 *   building   by a writer who knows what changed
 *   finding    by comparing two blocks of bytes
 *
 * A delta is two sizes in base 128 (base, result), then ops: 1oooossss copy
 * (offset and size bytes follow as the bits say, size 0 means 0x10000),
 * 0nnnnnnn insert n bytes, 00000000 reserved.  (gitformat-pack)
 */
#ifndef BOUGH_DELTA_H
#define BOUGH_DELTA_H

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BOUGH_DELTA_HEAD_MAX = 20, /* bytes of the two sizes */
    BOUGH_DELTA_MIN = 4, /* bytes of a whole one: git refuses shorter ones, which make nothing */
};

/* One step of a delta: `len` bytes of the result, from the base or from the delta itself. */
struct bough_delta_op {
    bool copy;
    uint64_t from;          /* copy: where in the base */
    uint64_t len;           /* never 0 */
    const uint8_t *literal; /* insert: the bytes, borrowed from the delta */
};

struct bough_delta_reader {
    uint64_t base_len;      /* said by the header; every copy is checked against it */
    uint64_t result_len;    /* said by the header; the ops never pass it */
    uint64_t at;            /* bytes of the result that the ops so far made */
    struct bough_view left; /* ops to come */
};

/*
 * Read the header.  Its sizes are claims: compare them with the base's size
 * and with a limit before allocating.
 *
 * BOUGH_EAGAIN    delta ends inside the header (fewer than BOUGH_DELTA_HEAD_MAX bytes)
 * BOUGH_EFORMAT   a size beyond 2^63
 */
enum bough_err bough_delta_open(struct bough_delta_reader *r, struct bough_view delta);

/*
 * The next op.
 *
 * BOUGH_ENOENT    no more, and the result has its size
 * BOUGH_EFORMAT   reserved or cut op, copy outside the base, result of another size
 */
enum bough_err bough_delta_next(struct bough_delta_reader *r, struct bough_delta_op *out);

/*
 * Make the whole result at `dst`, whose room is `len`.
 *
 * BOUGH_EFORMAT   any rule above broken, base or result not of the sizes said;
 *                 what lies at dst is then unspecified
 */
enum bough_err bough_delta_apply(
    struct bough_view base, struct bough_view delta, uint8_t *dst, uint64_t len);

/*
 * Make bytes [at, at + n) of the result at `dst`.  `base` lends bytes of the
 * base; only what the range needs is asked for.
 *
 * BOUGH_ERANGE    the range leaves the result
 * BOUGH_EFORMAT   a rule broken as far as was read
 *                 any error of read
 */
struct bough_delta_base {
    enum bough_err (*read)(struct bough_delta_base *base, uint64_t at, uint8_t *dst, uint64_t n);
    uint64_t len; /* of the base */
};
enum bough_err bough_delta_apply_range(
    struct bough_delta_base *base, struct bough_view delta, uint64_t at, uint8_t *dst, uint64_t n);

/*
 * A delta written by one who knows what changed.  Adjacent copies and
 * adjacent inserts are joined.  Errors stick in `out`.
 */
struct bough_delta_builder {
    struct bough_buf *out; /* borrowed until end; appended to */
    uint64_t base_len, result_len;
    uint64_t made;                /* bytes of the result so far */
    uint64_t copy_from, copy_len; /* a copy not yet written */
    size_t insert_at;             /* where the open insert's opcode stands; valid when insert_len */
    uint8_t insert_len;
};

/* Begin; both sizes are known beforehand. */
void bough_delta_begin(
    struct bough_delta_builder *b, struct bough_buf *out, uint64_t base_len, uint64_t result_len);

/* Append `len` bytes from `from` of the base, which must be inside it. */
void bough_delta_copy(struct bough_delta_builder *b, uint64_t from, uint64_t len);

/* Append new bytes. */
void bough_delta_insert(struct bough_delta_builder *b, struct bough_view bytes);

/* Finish: what was appended must be result_len bytes (asserted when no error stuck). */
void bough_delta_end(struct bough_delta_builder *b);

/*
 * What a finder knows of a base: blocks of 16 bytes by hash.  Takes
 * about bough_delta_index_memory() bytes; make one, use it on many targets.
 */
struct bough_delta_index {
    struct bough_mem *mem;
    struct bough_view base; /* borrowed until fini */
    uint32_t *heads;        /* hash -> 1 + block, 0 for none */
    uint32_t *nexts;        /* block -> 1 + earlier block of the same hash */
    uint32_t blocks;
    uint32_t bits; /* 1 << bits heads */
};

enum { BOUGH_DELTA_FIND_MAX = 0x40000000 }; /* bytes of base and of target that a finder looks at */

/* Bytes that an index of a base of `len` bytes allocates. */
uint64_t bough_delta_index_memory(uint64_t len);

/*
 * BOUGH_ENOMEM
 * BOUGH_ETOOBIG   base over BOUGH_DELTA_FIND_MAX
 */
enum bough_err bough_delta_index_init(
    struct bough_delta_index *x, struct bough_mem *mem, struct bough_view base);
void bough_delta_index_fini(struct bough_delta_index *x);

/*
 * Find a delta of at most `len_max` bytes that makes `target`; append it to `out`.
 * Time is bounded by a constant for each byte of target.
 *
 * BOUGH_ENOENT    none that short; out->len is as it was
 * BOUGH_ETOOBIG   target over BOUGH_DELTA_FIND_MAX
 *                 what stuck in out
 */
enum bough_err bough_delta_find(const struct bough_delta_index *x, struct bough_view target,
    uint64_t len_max, struct bough_buf *out);

#ifdef __cplusplus
}
#endif

#endif
