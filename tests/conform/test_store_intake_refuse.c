/*
 * test_store_intake_refuse.c - every engine that takes packs refuses those that are not sound.
 *
 * Goal: each sentence of store.h on what is refused, checked or dropped.  Method: packs made here
 * (pack_bed.h); what a refused or dropped pack must not leave is seen by comparing pictures
 * (store_bed.h).
 */
#include "tests/conform/pack_bed.h"

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

/* Git takes no delta of less than four bytes, which can only make an empty object: who clones could not read it. */
static void test_store__a_delta_that_git_refuses_is_refused(void **state)
{
    static const uint8_t delta[] = {6, 0};
    struct bough_entry_head head = {.type = BOUGH_OFS_DELTA, .size = sizeof delta};
    struct bed *b = *state;
    struct packer p;

    NEEDS_INTAKE(b);
    pack_begin(b, &p, 2);
    pack_whole(&p, BOUGH_BLOB, VIEW("hello\n"));
    head.back = p.w.at - p.w.entry_at;
    bough_pack_writer_put(&p.w, &head, bough_view(delta, sizeof delta), 1);
    assert_refused(b, pack_end(&p), NULL, BOUGH_EFORMAT);
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
        STORE_TEST(test_store__broken_packs_are_refused),
        STORE_TEST(test_store__a_delta_that_git_refuses_is_refused),
        STORE_TEST(test_store__packs_that_lead_nowhere_are_refused),
        STORE_TEST(test_store__limits_refuse),
        STORE_TEST(test_store__each_object_is_shown_to_the_check),
        STORE_TEST(test_store__failing_memory_adopts_nothing),
        STORE_TEST(test_store__a_dropped_pack_leaves_nothing),
    };

    return store_suite("conform/store intake refuses", tests, sizeof tests / sizeof *tests);
}
