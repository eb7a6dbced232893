/*
 * intake_bed.h - packs made by hand, and an intake of them over a host in memory.
 *
 *   maker     a pack, entry by entry: whole objects, deltas of each kind
 *   run       takes one in, at a pace of one's own; then `facts` and the area's rows tell of it
 *   shapes    a pack of every kind of base
 */
#ifndef TEST_INTAKE_BED_H
#define TEST_INTAKE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "git/delta.h"
#include "git/pack.h"
#include "store/intake.h"
#include "tests/lib/area.h"
#include "tests/lib/mem.h"

/* ---- packs made by hand ---- */

struct maker {
    struct test_mem mem;
    struct bough_buf pack, delta;
    struct bough_pack_writer w;
    enum bough_algo algo;
};

static inline void maker_init(struct maker *k, enum bough_algo algo, uint64_t count)
{
    test_mem_init(&k->mem);
    bough_buf_init(&k->pack, &k->mem.mem);
    bough_buf_init(&k->delta, &k->mem.mem);
    k->algo = algo;
    bough_pack_writer_init(&k->w, &k->pack, algo, count);
}

static inline void maker_fini(struct maker *k)
{
    bough_buf_fini(&k->pack);
    bough_buf_fini(&k->delta);
    test_mem_done(&k->mem);
}

/* A whole object; returns where it is. */
static uint64_t add(struct maker *k, enum bough_type type, struct bough_view body)
{
    struct bough_entry_head h = {.type = type};

    bough_pack_writer_put(&k->w, &h, body, 1);
    return k->w.entry_at;
}

/* A delta that makes `to` of `from` by the bytes that differ at the end. */
static inline struct bough_view delta_of(
    struct maker *k, struct bough_view from, struct bough_view to)
{
    struct bough_delta_builder b;
    size_t same = 0;

    while (same < from.len && same < to.len && from.ptr[same] == to.ptr[same])
        same++;
    bough_buf_clear(&k->delta);
    bough_delta_begin(&b, &k->delta, from.len, to.len);
    bough_delta_copy(&b, 0, same);
    bough_delta_insert(&b, bough_view(to.ptr + same, to.len - same));
    bough_delta_end(&b);
    return bough_buf_view(&k->delta);
}

static uint64_t add_ofs(
    struct maker *k, uint64_t base_at, struct bough_view from, struct bough_view to)
{
    struct bough_entry_head h = {.type = BOUGH_OFS_DELTA, .back = k->w.at - base_at};

    bough_pack_writer_put(&k->w, &h, delta_of(k, from, to), 1);
    return k->w.entry_at;
}

static uint64_t add_ref(struct maker *k, struct bough_view from, struct bough_view to)
{
    struct bough_entry_head h = {.type = BOUGH_REF_DELTA};

    h.base = bough_oid_of(k->algo, BOUGH_BLOB, from);
    bough_pack_writer_put(&k->w, &h, delta_of(k, from, to), 1);
    return k->w.entry_at;
}

/* ---- taking them in ---- */

struct run {
    struct test_mem mem;
    struct test_area area;
    struct bough_why why;
    struct bough_intake_opts opts;
    struct bough_store__intake_facts facts;
    bool complete;
    uint64_t budget, steps;
    size_t feed; /* bytes a call */
};

static inline void run_init(struct run *r)
{
    *r = (struct run){.budget = UINT64_MAX, .feed = SIZE_MAX};
    test_mem_init(&r->mem);
    test_area_init(&r->area);
}

static inline void run_fini(struct run *r)
{
    test_area_fini(&r->area);
    test_mem_done(&r->mem);
}

static inline enum bough_err feed_all(
    struct bough_store__intake *in, struct bough_view pack, size_t piece)
{
    while (pack.len > 0) {
        size_t n = pack.len < piece ? pack.len : piece, used;
        enum bough_err err = bough_store__intake_feed(in, bough_view(pack.ptr, n), &used);

        if (err)
            return err;
        if (used < n)
            break;
        pack = bough_view(pack.ptr + n, pack.len - n);
    }
    return bough_store__intake_facts(in).received ? BOUGH_OK : BOUGH_EAGAIN;
}

/* Every row can be looked up, is in order, and covers its bytes of the area. */
static inline void rows_check(struct run *r, const struct bough_store__intake *in)
{
    assert_int_equal(r->area.row_count, r->facts.count);
    for (uint64_t i = 0; i < r->facts.count; i++) {
        struct bough_store__intake_row row = bough_store__intake_row(in, i);
        uint64_t n = UINT64_MAX;

        assert_memory_equal(&row.id, &r->area.rows[i].id, sizeof row.id);
        assert_int_equal(bough_store__intake_find(in, &row.id, &n), BOUGH_OK);
        assert_int_equal(n, i);
        if (i > 0)
            assert_true(bough_oid_cmp(&r->area.rows[i - 1].id, &row.id) < 0);
        if (!r->area.discard)
            assert_int_equal(bough_crc32(0, r->area.raw + row.at, (size_t)row.packed_len), row.crc);
    }
}

static inline enum bough_err run(struct run *r, enum bough_algo algo, struct bough_view pack)
{
    struct bough_store__intake *in;
    enum bough_err err = bough_store__intake_open(
        &in, &r->mem.mem, algo, &r->area.host, &r->opts, r->complete, &r->why);

    if (err)
        return err;
    err = feed_all(in, pack, r->feed);
    if (!err) {
        do {
            err = bough_store__intake_step(in, r->budget);
            r->steps++;
        } while (err == BOUGH_EAGAIN);
    }
    r->facts = bough_store__intake_facts(in);
    assert_int_equal(r->facts.done, err == BOUGH_OK);
    if (!err)
        rows_check(r, in);
    bough_store__intake_close(in);
    return err;
}

/* The row of a blob of these bytes, or NULL. */
static const struct bough_store__intake_row *row_of(
    const struct run *r, enum bough_algo algo, struct bough_view body)
{
    struct bough_oid id = bough_oid_of(algo, BOUGH_BLOB, body);

    for (size_t i = 0; i < r->area.row_count; i++)
        if (bough_oid_eq(&r->area.rows[i].id, &id))
            return &r->area.rows[i];
    return NULL;
}

/* Version `n` of a text: 40 bytes that are its own after `common` that are not. */
static inline struct bough_view version(uint8_t *to, size_t common, uint32_t n)
{
    memset(to, 'c', common);
    memset(to + common, 'v', 40);
    bough_put32be(to + common, n);
    return bough_view(to, common + 40);
}

/* ---- shapes ---- */

/* A pack of every kind of base, in which each entry's content is version(100, entry). */
static inline void make_shapes(struct maker *k, enum bough_algo algo)
{
    uint8_t v[8][200];
    uint64_t at;

    for (uint32_t i = 0; i < 8; i++)
        version(v[i], 100, i);
    maker_init(k, algo, 8);
    add_ref(k, bough_view(v[1], 140), bough_view(v[0], 140)); /* base comes later, is a delta */
    at = add(k, BOUGH_BLOB, bough_view(v[2], 140));
    add_ref(k, bough_view(v[5], 140), bough_view(v[1], 140)); /* base comes later */
    at = add_ofs(k, at, bough_view(v[2], 140), bough_view(v[3], 140));
    add_ofs(k, at, bough_view(v[3], 140), bough_view(v[4], 140));
    add_ref(k, bough_view(v[2], 140), bough_view(v[5], 140));
    add_ofs(k, at, bough_view(v[3], 140), bough_view(v[6], 140));
    add(k, BOUGH_BLOB, bough_view(v[2], 140)); /* the same again */
    bough_pack_writer_finish(&k->w);
}

#endif
