/*
 * test_store_intake.c - every engine that takes packs quarantines and adopts them.
 *
 * Goal: each sentence of store.h on intake and adoption.  Method: packs made here (pack_bed.h), of
 * whole objects and of deltas of each kind.  What is refused: test_store_intake_refuse.c.
 */
#include "tests/conform/pack_bed.h"

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
    };

    return store_suite("conform/store intake", tests, sizeof tests / sizeof *tests);
}
