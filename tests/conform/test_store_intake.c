/*
 * test_store_intake.c - every engine that takes packs quarantines, checks and adopts them.
 *
 * Goal: each sentence of store.h on intake and adoption.  Method: packs made here, of whole
 * objects and of deltas of each kind; what a refused or dropped pack must not leave is seen by
 * comparing pictures (store_bed.h).
 */
#include "git/delta.h"
#include "git/pack.h"
#include "tests/conform/store_bed.h"

/* ---- Packs ---- */

struct packer {
    struct bough_buf bytes;
    struct bough_pack_writer w;
    enum bough_algo algo;
};

static void pack_begin(struct bed *b, struct packer *p, uint32_t count)
{
    p->algo = b->algo;
    bough_buf_init(&p->bytes, &b->t.mem.mem);
    bough_pack_writer_init(&p->w, &p->bytes, b->algo, count);
}

static struct bough_view pack_end(struct packer *p)
{
    bough_pack_writer_finish(&p->w);
    OK(p->bytes.err);
    return bough_buf_view(&p->bytes);
}

static void pack_free(struct packer *p)
{
    bough_buf_fini(&p->bytes);
}

static struct bough_oid pack_whole(struct packer *p, enum bough_type type, struct bough_view body)
{
    struct bough_entry_head head = {.type = type, .size = body.len};

    bough_pack_writer_put(&p->w, &head, body, 1);
    return bough_oid_of(p->algo, type, body);
}

/* Versions of one text: version `v` is a long part that all share, and an end of its own. */
enum { SHARED = 9000, VERSION_MAX = SHARED + 64 };

static struct bough_view version(uint8_t *dst, uint32_t v)
{
    fill(dst, SHARED, 4711);
    memset(dst + SHARED, (int)(v & 255), 8 + v % 32);
    bough_put32le(dst + SHARED, v);
    return bough_view(dst, SHARED + 8 + v % 32);
}

static struct bough_oid version_id(enum bough_algo algo, uint32_t v)
{
    uint8_t body[VERSION_MAX];

    return bough_oid_of(algo, BOUGH_BLOB, version(body, v));
}

static struct bough_oid pack_version(struct packer *p, uint32_t v)
{
    uint8_t body[VERSION_MAX];

    return pack_whole(p, BOUGH_BLOB, version(body, v));
}

/* Version `v` as a delta against `from`: by id, or `back` bytes back where that is not 0. */
static void pack_delta(struct packer *p, uint32_t v, uint32_t from, uint64_t back)
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

static void assert_version(struct bed *b, uint32_t v)
{
    uint8_t body[VERSION_MAX];
    struct bough_oid id = version_id(b->algo, v);

    assert_object(b, &id, BOUGH_BLOB, version(body, v));
}

/* A pack of one version, whole; free it. */
static struct bough_view pack_one(struct bed *b, struct packer *p, uint32_t v)
{
    pack_begin(b, p, 1);
    pack_version(p, v);
    return pack_end(p);
}

/* ---- Receiving ---- */

/* Feed all of `pack`, `piece` bytes at a time, and do all steps. */
static enum bough_err work(struct bough_intake *in, struct bough_view pack, size_t piece)
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

static struct bough_intake *receive(struct bed *b, struct bough_view pack)
{
    struct bough_intake *in;

    OK(bough_store_intake(b->s, NULL, &in));
    OK(work(in, pack, 1000));
    assert_true(in->done);
    assert_int_equal(in->len, pack.len);
    return in;
}

static void adopt(struct bed *b, struct bough_intake *in)
{
    struct bough_txn *t = begin(b);

    OK(bough_txn_adopt(t, in));
    commit(t);
}

#define NEEDS_INTAKE(b)                                                                            \
    if (!((b)->s->caps & BOUGH_STORE_INTAKE))                                                      \
    return

/* ---- Tests ---- */

static void test_store__a_pack_is_seen_when_it_is_adopted(void **state)
{
    static const enum bough_type types[] = {BOUGH_COMMIT, BOUGH_TREE, BOUGH_BLOB, BOUGH_TAG};
    static const size_t lens[] = {0, 1, 500, 70000, 300000};
    enum { N = 20 };
    struct bed *b = *state;
    struct picture before = picture_of(b->s);
    struct bough_oid ids[N];
    uint8_t *bodies[N];
    struct packer p;
    struct bough_intake *in;
    struct bough_txn *t;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, N);
    for (size_t i = 0; i < N; i++) {
        bodies[i] = make_body(lens[i / 4], i);
        ids[i] = pack_whole(&p, types[i % 4], bough_view(bodies[i], lens[i / 4]));
    }
    in = receive(b, pack_end(&p));
    pack_free(&p);
    assert_int_equal(in->count, N);
    assert_picture(b, &before);
    assert_no_object(b, &ids[2]);
    t = begin(b);
    OK(bough_txn_adopt(t, in));
    assert_object(b, &ids[2], types[2], VIEW("")); /* the transaction's own now */
    assert_picture(b, &before);
    commit(t);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(picture_of(b->s).objects, N);
        for (size_t i = 0; i < N; i++)
            assert_object(b, &ids[i], types[i % 4], bough_view(bodies[i], lens[i / 4]));
        reopen(b, false);
    }
    for (size_t i = 0; i < N; i++)
        free(bodies[i]);
}

static void test_store__big_objects_of_a_pack_are_read_in_parts(void **state)
{
    enum { LEN = 400000 };
    struct bed *b = *state;
    uint8_t *body = make_body(LEN, 1), part[5000];
    struct bough_object *o;
    struct bough_oid id;
    struct packer p;
    size_t got;

    if (b->s->caps & BOUGH_STORE_INTAKE) {
        pack_begin(b, &p, 1);
        id = pack_whole(&p, BOUGH_BLOB, bough_view(body, LEN));
        adopt(b, receive(b, pack_end(&p)));
        pack_free(&p);
        OK(bough_store_object_open(b->s, &id, &o));
        for (uint64_t at = LEN; at > 10000; at -= 9999) { /* backwards */
            OK(bough_object_read(o, at - 5000, part, sizeof part, &got));
            assert_int_equal(got, sizeof part);
            assert_memory_equal(part, body + at - 5000, sizeof part);
        }
        bough_object_close(o);
    }
    free(body);
}

static void test_store__pack_bytes_come_split_anywhere(void **state)
{
    static const size_t pieces[] = {1, 7, 100, 4096, 1 << 20};
    struct bed *b = *state;

    NEEDS_INTAKE(b);
    for (uint32_t i = 0; i < 5; i++) {
        struct bough_intake *in;
        struct bough_view pack;
        struct packer p;
        size_t used = 9;

        pack_begin(b, &p, 3);
        pack_version(&p, 10 * i);
        pack_delta(&p, 10 * i + 1, 10 * i, p.w.at - p.w.entry_at);
        pack_delta(&p, 10 * i + 2, 10 * i, 0);
        pack = pack_end(&p);
        bough_buf_put_str(&p.bytes, "behind it"); /* is not the pack's */
        OK(bough_store_intake(b->s, NULL, &in));
        OK(work(in, bough_buf_view(&p.bytes), pieces[i]));
        assert_int_equal(in->len, pack.len);
        assert_int_equal(in->resolved, 3);
        OK(bough_intake_feed(in, VIEW("more"), &used));
        assert_int_equal(used, 0);
        pack_free(&p);
        adopt(b, in);
        for (uint32_t v = 0; v < 3; v++)
            assert_version(b, 10 * i + v);
    }
}

static void test_store__an_empty_pack_is_a_pack(void **state)
{
    struct bed *b = *state;
    struct picture before = picture_of(b->s);
    struct packer p;
    struct bough_intake *in;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 0);
    in = receive(b, pack_end(&p));
    assert_int_equal(in->count, 0);
    adopt(b, in);
    assert_picture(b, &before);
    pack_free(&p);
}

static void test_store__deltas_in_a_pack_are_resolved(void **state)
{
    enum { N = 50 };
    struct bed *b = *state;
    struct packer p;
    uint8_t part[20], body[VERSION_MAX];
    struct bough_oid id = version_id(b->algo, 17);
    size_t got;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 2 * N);
    for (uint32_t v = 2 * N; --v > N;) /* by id, bases after their deltas */
        pack_delta(&p, v, v - 1, 0);
    pack_version(&p, N);
    pack_version(&p, 0);
    for (uint32_t v = 1; v < N; v++) /* by place */
        pack_delta(&p, v, v - 1, p.w.at - p.w.entry_at);
    adopt(b, receive(b, pack_end(&p)));
    pack_free(&p);
    for (int again = 0; again < 2; again++) {
        for (uint32_t v = 0; v < 2 * N; v++)
            assert_version(b, v);
        version(body, 17);
        OK(bough_store_read_part(b->s, &id, SHARED - 5, part, 13, &got));
        assert_int_equal(got, 13);
        assert_memory_equal(part, body + SHARED - 5, 13);
        reopen(b, false);
    }
}

static void test_store__thin_packs_lean_on_the_store(void **state)
{
    enum { PUSHES = 30 };
    struct bed *b = *state;
    uint8_t body[VERSION_MAX];
    struct bough_txn *t;

    NEEDS_INTAKE(b);
    t = begin(b);
    put(t, version(body, 0));
    commit(t);
    for (uint32_t n = 1; n < PUSHES; n++) { /* each on an object of the one before */
        struct packer p;
        uint32_t v = 2 * n;
        pack_begin(b, &p, 2);
        pack_delta(&p, v, n % 2 || n == 1 ? v - 2 : v - 1, 0);
        pack_delta(&p, v + 1, v, p.w.at - p.w.entry_at);
        adopt(b, receive(b, pack_end(&p)));
        pack_free(&p);
        if (n % 10 == 0)
            reopen(b, false);
    }
    for (uint32_t v = 2; v < 2 * PUSHES; v++)
        assert_version(b, v);
    assert_version(b, 0);
}

static void test_store__no_base_is_taken_from_an_open_transaction(void **state)
{
    struct bed *b = *state;
    struct bough_intake *in;
    uint8_t body[VERSION_MAX];
    struct bough_txn *t;
    struct packer p;

    NEEDS_INTAKE(b);
    t = begin(b);
    put(t, version(body, 1));
    pack_begin(b, &p, 1);
    pack_delta(&p, 2, 1, 0);
    OK(bough_store_intake(b->s, NULL, &in));
    ERR(BOUGH_EFORMAT, work(in, pack_end(&p), 1000));
    bough_intake_close(in);
    bough_txn_abort(t);
    pack_free(&p);
}

static void test_store__what_is_known_is_kept_once(void **state)
{
    struct bed *b = *state;
    uint8_t body[VERSION_MAX];
    struct bough_intake *in;
    struct bough_txn *t;
    struct packer p;
    uint64_t n;
    struct bough_oid id = version_id(b->algo, 2);

    NEEDS_INTAKE(b);
    t = begin(b);
    put(t, version(body, 1));
    commit(t);
    pack_begin(b, &p, 5);
    pack_version(&p, 1); /* the store's */
    pack_version(&p, 2);
    pack_version(&p, 2); /* twice in the pack */
    pack_delta(&p, 1, 2, p.w.at - p.w.entry_at);
    pack_delta(&p, 3, 1, 0);
    in = receive(b, pack_end(&p));
    pack_free(&p);
    assert_int_equal(in->count, 3);
    OK(bough_intake_ordinal(in, &id, &n));
    assert_true(n < 3);
    adopt(b, in);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(picture_of(b->s).objects, 3);
        for (uint32_t v = 1; v <= 3; v++)
            assert_version(b, v);
        reopen(b, false);
    }
}

static void test_store__ordinals_number_what_was_received(void **state)
{
    enum { N = 40 };
    struct bed *b = *state;
    struct bough_oid strange = strange_id(b);
    struct bough_intake *in;
    bool seen[N] = {false};
    struct packer p;
    uint64_t n;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, N);
    for (uint32_t v = 0; v < N; v++)
        pack_version(&p, v);
    in = receive(b, pack_end(&p));
    pack_free(&p);
    assert_int_equal(in->count, N);
    for (uint32_t v = 0; v < N; v++) {
        struct bough_oid id = version_id(b->algo, v);
        OK(bough_intake_ordinal(in, &id, &n));
        assert_true(n < N && !seen[n]);
        seen[n] = true;
    }
    ERR(BOUGH_ENOENT, bough_intake_ordinal(in, &strange, &n));
    bough_intake_close(in);
}

static enum bough_err count_each(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    (void)id;
    (void)found;
    ++*(int *)ctx;
    return BOUGH_OK;
}

static void test_store__the_view_shows_both(void **state)
{
    struct bed *b = *state, over;
    struct bough_ref_change c = set_id("refs/heads/x", version_id(b->algo, 1));
    uint8_t body[VERSION_MAX], part[10];
    struct bough_oid id = version_id(b->algo, 2);
    struct bough_intake *in;
    struct bough_ref ref;
    struct bough_txn *t;
    struct packer p;
    int objects = 0;
    size_t got;

    NEEDS_INTAKE(b);
    t = begin(b);
    put(t, version(body, 1));
    OK(bough_txn_ref(t, &c));
    commit(t);
    pack_begin(b, &p, 2);
    pack_delta(&p, 2, 1, 0);
    pack_version(&p, 1);
    in = receive(b, pack_end(&p));
    pack_free(&p);
    over = *b;
    over.s = bough_intake_view(in);
    assert_non_null(over.s);
    assert_version(&over, 1);
    assert_version(&over, 2);
    OK(bough_store_read_part(over.s, &id, 100, part, sizeof part, &got)); /* left open */
    assert_object(&over, bough_oid_empty_tree(b->algo), BOUGH_TREE, VIEW(""));
    OK(bough_store_each(over.s, count_each, &objects));
    assert_int_equal(objects, 2);
    OK(bough_store_ref(over.s, c.name, &ref));
    assert_true(bough_oid_eq(&ref.id, &c.id));
    ERR(BOUGH_EREADONLY, bough_txn_begin(over.s, &t));
    assert_no_object(b, &id);
    bough_intake_close(in);
    assert_no_object(b, &id);
}

static void test_store__several_packs_come_at_once(void **state)
{
    enum { N = 3 };
    struct bed *b = *state;
    struct bough_view packs[N];
    struct bough_intake *in[N];
    struct packer p[N];
    struct bough_txn *t;
    bool more = true;

    NEEDS_INTAKE(b);
    for (uint32_t i = 0; i < N; i++) {
        pack_begin(b, &p[i], 2);
        pack_version(&p[i], 0); /* in all of them */
        pack_delta(&p[i], i + 1, 0, i % 2 ? 0 : p[i].w.at - p[i].w.entry_at);
        packs[i] = pack_end(&p[i]);
        OK(bough_store_intake(b->s, NULL, &in[i]));
    }
    t = begin(b); /* and beside a transaction */
    for (size_t at = 0; more; at += 50) {
        more = false;
        put(t, bough_view(&at, sizeof at));
        for (size_t i = 0; i < N; i++) {
            size_t used;
            if (in[i]->received)
                continue;
            OK(bough_intake_feed(in[i],
                bough_view(packs[i].ptr + at, packs[i].len - at < 50 ? packs[i].len - at : 50),
                &used));
            more = true;
        }
    }
    commit(t);
    for (size_t i = 0; i < N; i++)
        OK(work(in[i], VIEW(""), 1));
    adopt(b, in[2]);
    t = begin(b);
    OK(bough_txn_adopt(t, in[0])); /* two in one transaction */
    OK(bough_txn_adopt(t, in[1]));
    commit(t);
    for (int again = 0; again < 2; again++) {
        for (uint32_t v = 0; v <= N; v++)
            assert_version(b, v);
        reopen(b, false);
    }
    for (size_t i = 0; i < N; i++)
        pack_free(&p[i]);
}

static void test_store__a_pack_and_its_refs_come_together(void **state)
{
    struct bed *b = *state;
    struct bough_ref_change c = swap_id("refs/heads/x", strange_id(b), version_id(b->algo, 1));
    bool records = (b->s->caps & BOUGH_STORE_RECORDS) != 0;
    struct picture before = picture_of(b->s);
    struct bough_ref ref;
    struct bough_txn *t;
    struct packer p;
    struct bough_view pack;

    NEEDS_INTAKE(b);
    pack = pack_one(b, &p, 1);
    t = begin(b);
    OK(bough_txn_adopt(t, receive(b, pack)));
    ERR(BOUGH_ETEST, bough_txn_ref(t, &c)); /* the push is refused */
    bough_txn_abort(t);
    assert_picture(b, &before);
    reopen(b, false);
    assert_picture(b, &before);
    t = begin(b);
    OK(bough_txn_adopt(t, receive(b, pack))); /* and comes again */
    c.check = false;
    OK(bough_txn_ref(t, &c));
    if (records)
        OK(bough_txn_record(t, VIEW("s"), VIEW("r"), NULL));
    commit(t);
    for (int again = 0; again < 2; again++) {
        OK(bough_store_ref(b->s, c.name, &ref));
        assert_true(bough_oid_eq(&ref.id, &c.id));
        assert_version(b, 1);
        assert_int_equal(picture_of(b->s).records, records ? 1 : 0);
        reopen(b, false);
    }
    pack_free(&p);
}

/* ---- Refusals ---- */

static void assert_refused(struct bed *b, struct bough_view pack,
    const struct bough_intake_opts *opts, enum bough_err want)
{
    struct picture before = picture_of(b->s);
    struct bough_intake *in;
    size_t used;

    OK(bough_store_intake(b->s, opts, &in));
    ERR(want, work(in, pack, 997));
    if (want != BOUGH_EAGAIN) {
        ERR(want, bough_intake_feed(in, VIEW("more"), &used)); /* only close is left */
        ERR(want, bough_intake_step(in, 1000));
        assert_int_equal(b->s->why.err, want);
    }
    assert_picture(b, &before);
    bough_intake_close(in);
    assert_picture(b, &before);
}

static void test_store__broken_packs_are_refused(void **state)
{
    struct bed *b = *state;
    struct bough_view pack;
    struct packer p;

    NEEDS_INTAKE(b);
    put_one(b, 100, 1);
    pack_begin(b, &p, 3);
    pack_version(&p, 1);
    pack_version(&p, 2);
    pack_delta(&p, 3, 1, 0);
    pack = pack_end(&p);
    for (size_t at = 0; at < pack.len; at += at < 16 ? 1 : 211) { /* any flipped bit */
        p.bytes.ptr[at] ^= 4;
        if (at >= 8 && at < 12)
            assert_refused(b, pack, NULL, at == 8 ? BOUGH_ETOOBIG : BOUGH_EFORMAT);
        else
            assert_refused(b, pack, NULL, BOUGH_EFORMAT);
        p.bytes.ptr[at] ^= 4;
    }
    p.bytes.ptr[pack.len - 1] ^= 1;
    assert_refused(b, pack, NULL, BOUGH_EFORMAT);
    p.bytes.ptr[pack.len - 1] ^= 1;
    for (size_t len = 0; len < pack.len; len += 301) /* cut off: never received */
        assert_refused(b, bough_view(pack.ptr, len), NULL, BOUGH_EAGAIN);
    adopt(b, receive(b, pack)); /* and after all that, whole */
    assert_version(b, 3);
    pack_free(&p);
}

static void test_store__packs_that_lead_nowhere_are_refused(void **state)
{
    struct bed *b = *state;
    struct packer p;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 1); /* a base that nobody has */
    pack_delta(&p, 2, 1, 0);
    assert_refused(b, pack_end(&p), NULL, BOUGH_EFORMAT);
    pack_free(&p);
    pack_begin(b, &p, 2); /* two that lean on each other */
    pack_delta(&p, 2, 1, 0);
    pack_delta(&p, 1, 2, 0);
    assert_refused(b, pack_end(&p), NULL, BOUGH_EFORMAT);
    pack_free(&p);
    pack_begin(b, &p, 2); /* a place where no entry begins */
    pack_version(&p, 1);
    pack_delta(&p, 2, 1, p.w.at - p.w.entry_at - 1);
    assert_refused(b, pack_end(&p), NULL, BOUGH_EFORMAT);
    pack_free(&p);
}

static void test_store__limits_refuse(void **state)
{
    struct bed *b = *state;
    struct bough_intake_opts o = {.check = NULL};
    struct bough_view pack;
    struct packer p;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 3);
    pack_version(&p, 1);
    pack_version(&p, 2);
    pack_delta(&p, 3, 1, 0);
    pack = pack_end(&p);
    o.limits.count_max = 2;
    assert_refused(b, pack, &o, BOUGH_ETOOBIG);
    o.limits.count_max = 3;
    o.limits.pack_len_max = pack.len - 1;
    assert_refused(b, pack, &o, BOUGH_ETOOBIG);
    o.limits.pack_len_max = pack.len;
    o.limits.object_max = SHARED; /* the delta makes more */
    assert_refused(b, pack, &o, BOUGH_ETOOBIG);
    o.limits.object_max = 2 * SHARED;
    {
        struct bough_intake *in;
        OK(bough_store_intake(b->s, &o, &in));
        OK(work(in, pack, 1000));
        bough_intake_close(in);
    }
    pack_free(&p);
}

struct checked {
    uint32_t n, by_type[5], unseen;
    enum bough_type refuse;
    struct bough_oid last;
};

static enum bough_err check_object(void *ctx, const struct bough_oid *id, enum bough_type type,
    uint64_t size, struct bough_view body, struct bough_why *why)
{
    struct checked *c = ctx;

    c->n++;
    c->by_type[type]++;
    if (body.ptr == NULL && size > 0) {
        assert_int_equal(type, BOUGH_BLOB);
        assert_true(size > 64 * 1024);
        c->unseen++;
    } else {
        struct bough_oid got;
        assert_int_equal(body.len, size);
        got = bough_oid_of(
            id->bytes[31] || id->bytes[30] || id->bytes[29] ? BOUGH_SHA256 : BOUGH_SHA1, type,
            body);
        assert_true(bough_oid_eq(&got, id));
    }
    if (type != c->refuse)
        return BOUGH_OK;
    return bough_why_set(why, BOUGH_EDENIED, "the test refuses it", NULL, 0);
}

static void test_store__each_object_is_shown_to_the_check(void **state)
{
    enum { BIG = 64 * 1024 + 1 };
    struct bed *b = *state;
    struct checked c = {.n = 0};
    struct bough_intake_opts o = {.check = check_object, .check_ctx = &c};
    uint8_t *big = make_body(BIG, 1);
    struct bough_intake *in;
    struct bough_view pack;
    struct packer p;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 7);
    pack_whole(&p, BOUGH_COMMIT, VIEW("commit"));
    pack_whole(&p, BOUGH_TREE, bough_view(big, BIG));
    pack_whole(&p, BOUGH_TAG, VIEW("tag"));
    pack_whole(&p, BOUGH_BLOB, bough_view(big, BIG));
    pack_whole(&p, BOUGH_BLOB, bough_view(big, BIG - 1));
    pack_version(&p, 1);
    pack_delta(&p, 2, 1, 0);
    pack = pack_end(&p);
    OK(bough_store_intake(b->s, &o, &in));
    OK(work(in, pack, 1000));
    bough_intake_close(in);
    assert_int_equal(c.n, 7);
    assert_int_equal(c.by_type[BOUGH_COMMIT], 1);
    assert_int_equal(c.by_type[BOUGH_TREE], 1);
    assert_int_equal(c.by_type[BOUGH_TAG], 1);
    assert_int_equal(c.by_type[BOUGH_BLOB], 4);
    assert_int_equal(c.unseen, 1);
    for (c.refuse = BOUGH_COMMIT; c.refuse <= BOUGH_TAG; c.refuse++)
        assert_refused(b, pack, &o, BOUGH_EDENIED);
    pack_free(&p);
    free(big);
}

/* ---- Failing memory ---- */

static enum bough_err push(struct bed *b, struct bough_view pack)
{
    struct bough_intake *in;
    struct bough_txn *t;
    enum bough_err err = bough_store_intake(b->s, NULL, &in);

    if (err)
        return err;
    err = work(in, pack, 4096);
    if (!err)
        err = bough_txn_begin(b->s, &t);
    if (err) {
        bough_intake_close(in);
        return err;
    }
    err = bough_txn_adopt(t, in);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_NOW);
    bough_txn_abort(t);
    return err;
}

static void test_store__failing_memory_adopts_nothing(void **state)
{
    struct bed *b = *state;
    uint8_t body[VERSION_MAX];
    struct bough_view pack;
    struct bough_txn *t;
    struct packer p;
    bool failed = true;

    NEEDS_INTAKE(b);
    t = begin(b);
    put(t, version(body, 0));
    put(t, version(body, 5));
    commit(t);
    pack_begin(b, &p, 5);
    pack_delta(&p, 1, 0, 0);
    pack_version(&p, 2);
    pack_delta(&p, 3, 2, p.w.at - p.w.entry_at);
    pack_delta(&p, 4, 3, 0);
    pack_delta(&p, 5, 4, 0);
    pack = pack_end(&p);
    for (uint64_t at = 0; failed; at++) {
        struct picture before = picture_of(b->s);
        enum bough_err err;

        b->t.mem.fail_at = b->t.mem.calls + at;
        b->t.mem.failed = false;
        err = push(b, pack);
        failed = b->t.mem.failed;
        b->t.mem.fail_at = UINT64_MAX;
        if (err) {
            ERR(BOUGH_ENOMEM, err);
            assert_picture(b, &before);
        }
        assert_true(failed || !err);
        assert_true(at < 2000);
    }
    for (int again = 0; again < 2; again++) {
        for (uint32_t v = 0; v <= 5; v++)
            assert_version(b, v);
        reopen(b, false);
    }
    pack_free(&p);
}

static void test_store__a_dropped_pack_leaves_nothing(void **state)
{
    struct bed *b = *state;
    struct picture before = picture_of(b->s);
    struct bough_intake *in;
    struct packer p;
    struct bough_view pack;
    size_t used;

    NEEDS_INTAKE(b);
    pack = pack_one(b, &p, 1);
    OK(bough_store_intake(b->s, NULL, &in));
    bough_intake_close(in); /* nothing was fed */
    OK(bough_store_intake(b->s, NULL, &in));
    OK(bough_intake_feed(in, bough_view(pack.ptr, pack.len / 2), &used));
    bough_intake_close(in);
    bough_intake_close(receive(b, pack));
    bough_intake_close(NULL);
    assert_picture(b, &before);
    reopen(b, false);
    assert_picture(b, &before);
    pack_free(&p);
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__a_pack_is_seen_when_it_is_adopted),
        STORE_TEST(test_store__big_objects_of_a_pack_are_read_in_parts),
        STORE_TEST(test_store__pack_bytes_come_split_anywhere),
        STORE_TEST(test_store__an_empty_pack_is_a_pack),
        STORE_TEST(test_store__deltas_in_a_pack_are_resolved),
        STORE_TEST(test_store__thin_packs_lean_on_the_store),
        STORE_TEST(test_store__no_base_is_taken_from_an_open_transaction),
        STORE_TEST(test_store__what_is_known_is_kept_once),
        STORE_TEST(test_store__ordinals_number_what_was_received),
        STORE_TEST(test_store__the_view_shows_both),
        STORE_TEST(test_store__several_packs_come_at_once),
        STORE_TEST(test_store__a_pack_and_its_refs_come_together),
        STORE_TEST(test_store__broken_packs_are_refused),
        STORE_TEST(test_store__packs_that_lead_nowhere_are_refused),
        STORE_TEST(test_store__limits_refuse),
        STORE_TEST(test_store__each_object_is_shown_to_the_check),
        STORE_TEST(test_store__failing_memory_adopts_nothing),
        STORE_TEST(test_store__a_dropped_pack_leaves_nothing),
    };

    return store_suite("conform/store intake", tests, sizeof tests / sizeof *tests);
}
