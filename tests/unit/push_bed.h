/*
 * push_bed.h - pushes written by hand: the request, a pack, what is said to it.
 */
#ifndef TEST_PUSH_BED_H
#define TEST_PUSH_BED_H

#include "tests/unit/talk_bed.h"

static const struct bough_oid zero;

/* ---- Pushes ---- */

/* A push under way: the request, a pack of up to 16 objects put after the flush. */
struct push {
    struct bough_buf ask, said, text;
    struct bough_pack_writer pack;
};

static inline void push_begin(struct push *p)
{
    bough_buf_init(&p->ask, &bed.t.mem.mem);
    bough_buf_init(&p->said, &bed.t.mem.mem);
    bough_buf_init(&p->text, &bed.t.mem.mem);
}

static inline void push_end(struct push *p)
{
    bough_buf_fini(&p->ask);
    bough_buf_fini(&p->said);
    bough_buf_fini(&p->text);
}

static inline void pack_begin(struct push *p, uint32_t count)
{
    bough_pkt_put_flush(&p->ask);
    bough_pack_writer_init(&p->pack, &p->ask, BOUGH_SHA1, count);
}

/* An object with the bytes in p->text, which is cleared. */
static inline struct bough_oid pack_put(struct push *p, enum bough_type type)
{
    struct bough_entry_head head = {.type = type};
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, type, bough_buf_view(&p->text));
    bough_pack_writer_put(&p->pack, &head, bough_buf_view(&p->text), 1);
    bough_buf_clear(&p->text);
    return id;
}

/* The id of the object in p->text, before it is packed. */
static inline struct bough_oid text_id(struct push *p, enum bough_type type)
{
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, type, bough_buf_view(&p->text));
    return id;
}

/* The new commit of the pushes below: on main, a tree that main has had before. */
static inline void text_commit(struct push *p)
{
    bough_buf_clear(&p->text);
    bed_commit(&p->text, &bed.trees[0], &bed.commits[BED_COMMITS - 1], 1000);
}

static inline enum bough_err count_one(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    (void)id;
    (void)found;
    ++*(uint64_t *)ctx;
    return BOUGH_OK;
}

static inline uint64_t objects(void)
{
    uint64_t n = 0;
    OK(bough_store_each(bed.store, count_one, &n));
    return n;
}

static inline struct bough_oid ref(const char *name)
{
    struct bough_ref r;
    enum bough_err err = bough_store_ref(bed.store, bough_view_str(name), &r);
    if (err == BOUGH_ENOENT)
        return zero;
    OK(err);
    return r.id;
}

/* Push in pieces of `step`; the report must hold `said`. */
static inline void push_step(struct push *p, size_t step, const char *said)
{
    bough_buf_clear(&p->said);
    OK(talk(&bed, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&p->ask), step, &p->said));
    if (!holds(&p->said, said))
        print_error("wanted %s in:\n%.*s\n", said, (int)p->said.len, (const char *)p->said.ptr);
    assert_true(holds(&p->said, said));
}

/* Refused for every split, and nothing of it stays. */
static inline void push_refused(struct push *p, const char *said)
{
    static const size_t steps[] = {100000, 1, 7, 64};
    uint64_t before = objects();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        push_step(p, steps[i], said);
        assert_int_equal(objects(), before);
        struct bough_oid head = ref("refs/heads/main");
        assert_true(bough_oid_eq(&head, &bed.commits[BED_COMMITS - 1]));
    }
}

#define CAPS " report-status side-band-64k object-format=sha1 agent=x"

#endif
