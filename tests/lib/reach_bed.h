/*
 * reach_bed.h - a small collected store with reachability bitmaps and sums of stretches.
 *
 *   making    two lines of history; a long value in a pack segment, with two deltas on it; collected
 *   places    where the bitmaps lie, and the block of sums
 *   asking    what bitmaps answer, and parts of the long values
 */
#ifndef TEST_REACH_BED_H
#define TEST_REACH_BED_H

#include "base/hash.h"
#include "store/log/log.h"
#include "store/reach.h"
#include "tests/lib/history.h"

enum {
    REACH_UNIT = 512,
    REACH_ZONE = 32 * 1024,
    REACH_BYTES = 64 * REACH_ZONE,
    REACH_BLOCK = 4096,
    REACH_LONG = 300 * 1024,
    REACH_COMMITS = 24,
    REACH_VALUES = 3,
};

struct reach_bed {
    uint8_t device[REACH_BYTES];
    uint8_t body[REACH_VALUES][REACH_LONG];
    struct bough_oid tip[2], value[REACH_VALUES];
    uint64_t reached, digest; /* what the second line reaches and the first does not */
};

/* ---- Making ---- */

static inline void reach_value_put(struct reach_bed *b, struct bough_txn *t, int i)
{
    struct bough_view is = bough_view(b->body[i], REACH_LONG);
    size_t at = (size_t)i * 1000;
    struct bough_delta_builder d;
    struct bough_buf delta;

    bough_buf_init(&delta, bough_posix_mem());
    bough_delta_begin(&d, &delta, REACH_LONG, REACH_LONG);
    bough_delta_copy(&d, 0, at);
    bough_delta_insert(&d, bough_view("other", 5));
    bough_delta_copy(&d, at + 5, REACH_LONG - at - 5);
    bough_delta_end(&d);
    memcpy(b->body[i], b->body[i - 1], REACH_LONG);
    memcpy(b->body[i] + at, "other", 5);
    b->value[i] = bough_oid_of(t->store->algo, BOUGH_BLOB, is);
    BOUGH_ASSERT(bough_txn_put_delta(t, BOUGH_BLOB, &b->value[i], &b->value[i - 1],
                     bough_buf_view(&delta), is) == BOUGH_OK);
    bough_buf_fini(&delta);
}

static inline void reach_values_put(struct reach_bed *b, struct bough_store *s)
{
    struct bough_view first = bough_view(b->body[0], REACH_LONG);
    struct bough_txn *t;
    uint64_t seed = 7;

    for (size_t i = 0; i < REACH_LONG; i += 8)
        bough_put64le(b->body[0] + i, test_random(&seed));
    BOUGH_ASSERT(bough_txn_begin(s, &t) == BOUGH_OK);
    BOUGH_ASSERT(bough_txn_put(t, BOUGH_BLOB, first, &b->value[0]) == BOUGH_OK);
    for (int i = 1; i < REACH_VALUES; i++)
        reach_value_put(b, t, i);
    for (int i = 0; i < REACH_VALUES; i++) {
        char name[] = "refs/x/0";

        name[7] = (char)('0' + i);
        BOUGH_ASSERT(history_ref(t, name, &b->value[i]) == BOUGH_OK);
    }
    BOUGH_ASSERT(bough_txn_commit(t, BOUGH_DURABLE_NOW) == BOUGH_OK);
}

static inline void reach_lines_make(struct reach_bed *b, struct bough_store *s)
{
    static const char *const names[] = {"main", "side"};
    struct history h;

    for (uint32_t k = 0; k < 2; k++) {
        history_init(&h, names[k]);
        h.time += k;
        for (uint32_t i = 0; i < REACH_COMMITS; i++)
            BOUGH_ASSERT(history_commit(&h, s, i, 1000 * k + i + 1) == BOUGH_OK);
        b->tip[k] = h.head;
        history_fini(&h);
    }
}

/* ---- Asking ---- */

static inline enum bough_err reach_side_add(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id)
{
    enum bough_err err = BOUGH_ENOENT;

    if (bough_reach_covers(r, id)) {
        do
            err = bough_reach_add(r, side, id);
        while (err == BOUGH_EAGAIN);
    }
    return err;
}

/* Look at an entry in every way; `*digest` is also of the bytes. */
static inline void reach_entry_look(
    struct bough_reach *r, const struct bough_reached *e, uint64_t *digest)
{
    uint64_t at = e->len / 2, n = e->len - at;
    uint8_t piece[64];
    struct bough_oid base;
    uint32_t sides;

    n = n < sizeof piece ? n : sizeof piece;
    *digest = *digest * 31 + bough_crc32(0, e->id.bytes, sizeof e->id.bytes);
    if (!bough_reach_read(r, e, at, piece, (size_t)n))
        *digest = *digest * 31 + bough_crc32(0, piece, (size_t)n);
    if (bough_entry_is_delta(e->head.type) && !bough_reach_base(r, e, &base, &sides))
        *digest = *digest * 31 + bough_crc32(sides, base.bytes, sizeof base.bytes);
}

/* What the second line reaches and the first does not, and the second of the long values: how many
   objects, and a digest of them. */
static inline enum bough_err reach_ask(
    const struct reach_bed *b, struct bough_store *s, uint64_t *n, uint64_t *digest)
{
    enum { STEPS = 4000 };
    struct bough_reached e;
    struct bough_reach *r;
    uint32_t sides;
    enum bough_err err = bough_store_reach(s, &r);

    *n = *digest = 0;
    if (err)
        return err;
    err = reach_side_add(r, BOUGH_REACH_HAVE, &b->tip[0]);
    if (!err)
        err = reach_side_add(r, BOUGH_REACH_WANT, &b->tip[1]);
    if (!err)
        err = bough_reach_put(r, BOUGH_REACH_WANT, &b->value[1], NULL);
    if (!err)
        err = bough_reach_sides(r, &b->value[2], &sides);
    if (!err)
        *n = bough_reach_count(r);
    for (int i = 0; i < STEPS && !err; i++) {
        err = bough_reach_next(r, &e);
        if (!err)
            reach_entry_look(r, &e, digest);
        err = err == BOUGH_EAGAIN ? BOUGH_OK : err;
    }
    bough_reach_close(r);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* Parts of the long values, short ones and long ones; an error, or all are right: else it panics when
   `sure`. */
static inline enum bough_err reach_values_read(
    const struct reach_bed *b, struct bough_store *s, bool sure)
{
    static uint8_t piece[40000];
    enum bough_err worst = BOUGH_OK;

    for (int i = 0; i < REACH_VALUES; i++) {
        for (uint64_t at = 100; at < REACH_LONG - sizeof piece; at += 30000) {
            size_t n = at % 20000 == 100 ? 500 : sizeof piece, got;
            enum bough_err err = bough_store_read_part(s, &b->value[i], at, piece, n, &got);

            worst = err ? err : worst;
            BOUGH_ASSERT(!sure || err || (got == n && memcmp(piece, b->body[i] + at, n) == 0));
        }
    }
    return worst;
}

/* ---- The store ---- */

static inline void reach_bed_make(struct reach_bed *b)
{
    struct bough_log_format_opts format = {.granule = REACH_UNIT, .zone = REACH_ZONE};
    struct bough_log_open_opts opts = {.reach_rows = 1, .reach_every = 4};
    struct bough_collect_opts collect = {.grace = 0};
    struct test_env env;
    struct bough_ramblk ram;
    struct bough_store *s;

    test_env_init(&env);
    memset(b, 0, sizeof *b);
    bough_ramblk_init(&ram, b->device, REACH_BYTES / REACH_UNIT, REACH_UNIT);
    BOUGH_ASSERT(bough_log_format(&ram.blk, &env.env, &format, NULL) == BOUGH_OK);
    BOUGH_ASSERT(bough_log_open(&ram.blk, &env.env, &opts, &s, NULL) == BOUGH_OK);
    reach_lines_make(b, s);
    reach_values_put(b, s);
    BOUGH_ASSERT(history_collect(s, &collect, 1 << 20) == BOUGH_OK);
    BOUGH_ASSERT(reach_ask(b, s, &b->reached, &b->digest) == BOUGH_OK);
    BOUGH_ASSERT(b->reached >= 2 * REACH_COMMITS);
    bough_store_close(s);
    test_env_done(&env);
}

/* Where the head of the bitmaps is, or (`sums`) the first block of sums. */
static inline size_t reach_bed_find(const struct reach_bed *b, bool sums)
{
    for (size_t at = 2 * REACH_ZONE; at < REACH_BYTES; at += REACH_UNIT) {
        const uint8_t *p = b->device + at;

        if (!sums && memcmp(p, "BgBm", 4) == 0)
            return at;
        if (sums && at % REACH_BLOCK == 0 && bough_get16le(p + 14) == 4 &&
            bough_get32le(p) == bough_crc32(0, p + 4, REACH_BLOCK - 4))
            return at;
    }
    bough_panic("bitmaps and sums are there", __FILE__, __LINE__);
}

#endif
