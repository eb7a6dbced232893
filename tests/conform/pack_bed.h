/*
 * pack_bed.h - packs for the conformance suite of stores, and how they are taken in.
 *
 *   packs       of whole objects and of deltas of each kind, between versions of one text
 *   receiving   fed, worked on, adopted
 */
#ifndef TEST_PACK_BED_H
#define TEST_PACK_BED_H

#include "git/delta.h"
#include "git/pack.h"
#include "tests/conform/store_bed.h"

/* ---- Packs ---- */

struct packer {
    struct bough_buf bytes;
    struct bough_pack_writer w;
    enum bough_algo algo;
};

static inline void pack_begin(struct bed *b, struct packer *p, uint32_t count)
{
    p->algo = b->algo;
    bough_buf_init(&p->bytes, &b->t.mem.mem);
    bough_pack_writer_init(&p->w, &p->bytes, b->algo, count);
}

static inline struct bough_view pack_end(struct packer *p)
{
    bough_pack_writer_finish(&p->w);
    OK(p->bytes.err);
    return bough_buf_view(&p->bytes);
}

static inline void pack_free(struct packer *p)
{
    bough_buf_fini(&p->bytes);
}

static inline struct bough_oid pack_whole(
    struct packer *p, enum bough_type type, struct bough_view body)
{
    struct bough_entry_head head = {.type = type, .size = body.len};

    bough_pack_writer_put(&p->w, &head, body, 1);
    return bough_oid_of(p->algo, type, body);
}

/* Versions of one text: version `v` is a long part that all share, and an end of its own. */
enum { SHARED = 9000, VERSION_MAX = SHARED + 64 };

static inline struct bough_view version(uint8_t *dst, uint32_t v)
{
    fill(dst, SHARED, 4711);
    memset(dst + SHARED, (int)(v & 255), 8 + v % 32);
    bough_put32le(dst + SHARED, v);
    return bough_view(dst, SHARED + 8 + v % 32);
}

static inline struct bough_oid version_id(enum bough_algo algo, uint32_t v)
{
    uint8_t body[VERSION_MAX];

    return bough_oid_of(algo, BOUGH_BLOB, version(body, v));
}

static inline struct bough_oid pack_version(struct packer *p, uint32_t v)
{
    uint8_t body[VERSION_MAX];

    return pack_whole(p, BOUGH_BLOB, version(body, v));
}

/* Version `v` as a delta against `from`: by id, or `back` bytes back where that is not 0. */
static inline void pack_delta(struct packer *p, uint32_t v, uint32_t from, uint64_t back)
{
    uint8_t body[VERSION_MAX], base[VERSION_MAX];
    struct bough_view to = version(body, v), was = version(base, from);
    struct bough_entry_head head = {
        .type = back ? BOUGH_OFS_DELTA : BOUGH_REF_DELTA,
        .back = back,
        .base = version_id(p->algo, from),
    };
    struct bough_delta_builder d;
    struct bough_buf delta;

    bough_buf_init(&delta, p->bytes.mem);
    bough_delta_begin(&d, &delta, was.len, to.len);
    bough_delta_copy(&d, 0, SHARED);
    bough_delta_insert(&d, bough_view(to.ptr + SHARED, to.len - SHARED));
    bough_delta_end(&d);
    head.size = delta.len;
    bough_pack_writer_put(&p->w, &head, bough_buf_view(&delta), 1);
    bough_buf_fini(&delta);
}

static inline void assert_version(struct bed *b, uint32_t v)
{
    uint8_t body[VERSION_MAX];
    struct bough_oid id = version_id(b->algo, v);

    assert_object(b, &id, BOUGH_BLOB, version(body, v));
}

/* A pack of one version, whole; free it. */
static inline struct bough_view pack_one(struct bed *b, struct packer *p, uint32_t v)
{
    pack_begin(b, p, 1);
    pack_version(p, v);
    return pack_end(p);
}

/* ---- Receiving ---- */

/* Feed all of `pack`, `piece` bytes at a time, and do all steps. */
static inline enum bough_err work(struct bough_intake *in, struct bough_view pack, size_t piece)
{
    enum bough_err err = BOUGH_OK;

    for (size_t at = 0, used; at < pack.len && !in->received && !err; at += used) {
        size_t n = pack.len - at < piece ? pack.len - at : piece;
        err = bough_intake_feed(in, bough_view(pack.ptr + at, n), &used);
        assert_true(err || used == n || in->received);
    }
    if (err)
        return err;
    if (!in->received)
        return BOUGH_EAGAIN; /* it wants more than there is */
    do {
        err = bough_intake_step(in, 10000);
    } while (err == BOUGH_EAGAIN);
    return err;
}

static inline struct bough_intake *receive(struct bed *b, struct bough_view pack)
{
    struct bough_intake *in;

    OK(bough_store_intake(b->s, NULL, &in));
    OK(work(in, pack, 1000));
    assert_true(in->done);
    assert_int_equal(in->len, pack.len);
    return in;
}

static inline void adopt(struct bed *b, struct bough_intake *in)
{
    struct bough_txn *t = begin(b);

    OK(bough_txn_adopt(t, in));
    commit(t);
}

#define NEEDS_INTAKE(b)                                                                            \
    if (!((b)->s->caps & BOUGH_STORE_INTAKE))                                                      \
    return

#endif
