/*
 * test_store_attack.c - no engine takes half of a SHA-1 collision, however it comes.
 *
 * Goal: an object that the digest on guard (base/hash.h) calls an attack is
 * refused with a reason when put, streamed or received, whole or as a delta;
 * nothing of it stays and the store goes on.  Method: nobody has a collision of
 * two Git objects, so the digest is told which block to take for one
 * (bough_hash_alarm); that it knows real ones is tests/unit/test_base_attack.c.
 */
#include "git/delta.h"
#include "git/pack.h"
#include "tests/conform/store_bed.h"

enum { BODY = 9000, EVIL = 128 };

static const char why_what[] = "SHA-1 collision attack detected";

/* Bytes that hold an aligned block of the alarm wherever they are put. */
static void evil_fill(uint8_t *dst)
{
    static uint8_t block[64];

    memset(block, '!', sizeof block);
    memset(dst, '!', EVIL);
    bough_hash_alarm(block);
}

static uint8_t *evil_body(void)
{
    uint8_t *body = make_body(BODY, 3);

    evil_fill(body + BODY - EVIL);
    return body;
}

static void test_store__an_attack_is_not_put(void **state)
{
    static const enum bough_type types[] = {BOUGH_BLOB, BOUGH_TREE, BOUGH_COMMIT, BOUGH_TAG};
    struct bed *b = *state;
    uint8_t *body = evil_body();
    struct bough_oid id, other;
    struct bough_txn *t = begin(b);

    for (size_t i = 0; i < 4; i++) {
        if (b->algo == BOUGH_SHA256) {
            OK(bough_txn_put(t, types[i], bough_view(body, BODY), &id));
            continue;
        }
        ERR(BOUGH_EFORMAT, bough_txn_put(t, types[i], bough_view(body, BODY), &id));
        assert_string_equal(b->s->why.what, why_what);
        ERR(BOUGH_ENOENT, bough_store_has(b->s, &id));
    }
    other = put(t, VIEW("the transaction goes on"));
    commit(t);
    assert_object(b, &other, BOUGH_BLOB, VIEW("the transaction goes on"));
    assert_int_equal(picture_of(b->s).objects, b->algo == BOUGH_SHA256 ? 5 : 1);
    free(body);
}

static void test_store__an_attack_is_not_streamed(void **state)
{
    struct bed *b = *state;
    uint8_t *body = evil_body();
    struct picture before = picture_of(b->s);
    enum bough_err want = b->algo == BOUGH_SHA256 ? BOUGH_OK : BOUGH_EFORMAT;
    struct bough_blob_writer *w;
    struct bough_oid id;
    struct bough_txn *t;

    OK(bough_blob_begin(b->s, BODY, &w));
    for (size_t at = 0; at < BODY; at += 1000)
        OK(bough_blob_put(w, bough_view(body + at, 1000)));
    t = begin(b);
    ERR(want, bough_txn_blob(t, w, &id));
    if (want)
        assert_string_equal(b->s->why.what, why_what);
    bough_txn_abort(t);
    assert_picture(b, &before);
    free(body);
}

static enum bough_err receive(struct bed *b, struct bough_view pack)
{
    struct bough_intake *in;
    enum bough_err err;
    size_t used;

    OK(bough_store_intake(b->s, NULL, &in));
    err = bough_intake_feed(in, pack, &used);
    if (!err) {
        do
            err = bough_intake_step(in, 10000);
        while (err == BOUGH_EAGAIN);
    }
    if (err)
        assert_string_equal(b->s->why.what, why_what);
    bough_intake_close(in);
    return err;
}

/* One object, and with `base` as a delta against the one before it. */
static void pack_put(
    struct bough_pack_writer *w, struct bough_view body, struct bough_view base, uint64_t base_at)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = body.len};
    struct bough_delta_builder d;
    struct bough_buf delta;

    if (base.len == 0) {
        bough_pack_writer_put(w, &head, body, 1);
        return;
    }
    bough_buf_init(&delta, w->out->mem);
    bough_delta_begin(&d, &delta, base.len, body.len);
    bough_delta_copy(&d, 0, BODY - EVIL);
    bough_delta_insert(&d, bough_view(body.ptr + BODY - EVIL, EVIL));
    bough_delta_end(&d);
    head = (struct bough_entry_head){
        .type = BOUGH_OFS_DELTA, .back = w->at - base_at, .size = delta.len};
    bough_pack_writer_put(w, &head, bough_buf_view(&delta), 1);
    bough_buf_fini(&delta);
}

static void test_store__an_attack_is_not_received(void **state)
{
    struct bed *b = *state;
    enum bough_err want = b->algo == BOUGH_SHA256 ? BOUGH_OK : BOUGH_EFORMAT;
    struct picture before = picture_of(b->s);
    uint8_t *evil = evil_body(), *good = make_body(BODY, 3);

    if (!(b->s->caps & BOUGH_STORE_INTAKE)) {
        free(evil);
        free(good);
        return;
    }
    for (int as_delta = 0; as_delta < 2; as_delta++) {
        struct bough_view base = as_delta ? bough_view(good, BODY) : bough_view(NULL, 0);
        struct bough_pack_writer w;
        struct bough_buf pack;

        bough_buf_init(&pack, &b->t.mem.mem);
        bough_pack_writer_init(&w, &pack, b->algo, 2);
        pack_put(&w, bough_view(good, BODY), bough_view(NULL, 0), 0);
        pack_put(&w, bough_view(evil, BODY), base, w.entry_at);
        bough_pack_writer_finish(&w);
        OK(pack.err);
        ERR(want, receive(b, bough_buf_view(&pack)));
        assert_picture(b, &before);
        bough_hash_alarm(NULL);
        OK(receive(b, bough_buf_view(&pack)));
        evil_fill(evil + BODY - EVIL);
        bough_buf_fini(&pack);
    }
    free(evil);
    free(good);
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__an_attack_is_not_put),
        STORE_TEST(test_store__an_attack_is_not_streamed),
        STORE_TEST(test_store__an_attack_is_not_received),
    };

    return store_suite("conform/store attack", tests, sizeof tests / sizeof *tests);
}
