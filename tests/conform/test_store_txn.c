/*
 * test_store_txn.c - every engine commits whole transactions or nothing.
 *
 * Goal: each sentence of store.h on transactions, their end, what failing memory leaves, big
 * values and upkeep.  Method: a picture (store_bed.h) of the store before is compared with one
 * after whatever must not have changed it; one script of all writing calls runs with each of its
 * allocations failing in turn.
 */
#include "store/engine.h"
#include "tests/conform/store_bed.h"

/* Something of everything. */
static enum bough_err script(struct bough_txn *t, uint64_t n)
{
    uint8_t big[6000], small[40];
    struct bough_oid id, other;
    struct bough_ref_change c;
    uint64_t seq;
    enum bough_err err;

    fill(big, sizeof big, n);
    fill(small, sizeof small, n + 1000);
    err = bough_txn_put(t, BOUGH_BLOB, bough_view(big, sizeof big), &id);
    if (!err)
        err = bough_txn_put(t, BOUGH_TAG, bough_view(small, sizeof small), &other);
    if (err)
        return err;
    c = set_id("refs/heads/one", id);
    err = bough_txn_ref(t, &c);
    c = set_id(n % 2 ? "refs/heads/odd" : "refs/heads/even", other);
    if (!err)
        err = bough_txn_ref(t, &c);
    c = set_gone(n % 2 ? "refs/heads/even" : "refs/heads/odd");
    if (!err)
        err = bough_txn_ref(t, &c);
    if (err || !(t->store->caps & BOUGH_STORE_RECORDS))
        return err;
    err = bough_txn_record(t, VIEW("stream"), bough_view(small, 30), &seq);
    if (!err && n > 2)
        err = bough_txn_retire(t, VIEW("stream"), seq - 2);
    return err;
}

static enum bough_err script_commit(struct bough_store *s, uint64_t n)
{
    struct bough_txn *t;
    enum bough_err err = bough_txn_begin(s, &t);

    if (err)
        return err;
    err = script(t, n);
    if (err) {
        bough_txn_abort(t);
        return err;
    }
    return bough_txn_commit(t, BOUGH_DURABLE_NOW);
}

static void test_store__there_is_one_transaction_at_a_time(void **state)
{
    struct bed *b = *state;
    struct bough_txn *t = begin(b), *second;
    bool more;

    ERR(BOUGH_ENESTED, bough_txn_begin(b->s, &second));
    assert_null(second);
    ERR(BOUGH_ENESTED, bough_store_maintain(b->s, 1 << 20, &more));
    OK(script(t, 1)); /* the first goes on */
    commit(t);
    commit(begin(b));
    bough_txn_abort(begin(b));
    bough_txn_abort(NULL);
}

static void test_store__an_abort_leaves_no_trace(void **state)
{
    struct bed *b = *state;
    struct picture before;
    struct bough_oid id;
    struct bough_txn *t;
    uint8_t *body = make_body(100000, 8);
    uint8_t part[10];
    size_t got;

    OK(script_commit(b->s, 1));
    before = picture_of(b->s);
    t = begin(b);
    OK(script(t, 2));
    id = put(t, bough_view(body, 100000));
    assert_object(b, &id, BOUGH_BLOB, bough_view(body, 100000));
    OK(bough_store_read_part(b->s, &id, 5, part, sizeof part, &got));
    assert_memory_equal(part, body + 5, sizeof part);
    assert_picture(b, &before); /* its objects can be read, and that is all */
    bough_txn_abort(t);
    assert_picture(b, &before);
    assert_no_object(b, &id);
    ERR(BOUGH_ENOENT, bough_store_read_part(b->s, &id, 15, part, sizeof part, &got));
    reopen(b, false);
    assert_picture(b, &before);
    OK(script_commit(b->s, 2));
    free(body);
}

static void test_store__closing_drops_an_open_transaction(void **state)
{
    struct bed *b = *state;
    struct picture before;

    OK(script_commit(b->s, 1));
    before = picture_of(b->s);
    OK(script(begin(b), 2));
    if (b->engine->can & BED_DURABLE) {
        reopen(b, false);
        assert_picture(b, &before);
    } /* else teardown closes it, and sees that all memory comes back */
}

static void test_store__putting_twice_is_putting_once(void **state)
{
    struct bed *b = *state;
    struct bough_txn *t = begin(b);
    struct bough_oid id = put(t, VIEW("twice")), again = put(t, VIEW("twice"));

    commit(t);
    t = begin(b);
    put(t, VIEW("twice"));
    bough_txn_abort(t);
    assert_true(bough_oid_eq(&id, &again));
    assert_object(b, &id, BOUGH_BLOB, VIEW("twice"));
    assert_int_equal(picture_of(b->s).objects, 1);
}

static void test_store__commits_outlive_a_reopen(void **state)
{
    struct bed *b = *state;

    for (uint64_t n = 0; n < 30; n++) {
        struct picture p;
        OK(script_commit(b->s, n));
        p = picture_of(b->s);
        assert_int_equal(p.objects, 2 * (n + 1));
        reopen(b, n % 3 == 1);
        assert_picture(b, &p);
        if (n % 3 == 1)
            reopen(b, false);
    }
}

static void test_store__a_late_commit_is_durable_after_a_sync(void **state)
{
    struct bed *b = *state;
    struct bough_txn *t;
    struct picture p;

    for (uint64_t n = 0; n < 5; n++) {
        t = begin(b);
        OK(script(t, n));
        OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
        assert_int_equal(picture_of(b->s).objects, 2 * (n + 1)); /* seen at once */
    }
    OK(bough_store_sync(b->s));
    OK(bough_store_sync(b->s));
    p = picture_of(b->s);
    reopen(b, false);
    assert_picture(b, &p);
}

static void test_store__a_read_only_store_takes_no_writes(void **state)
{
    struct bed *b = *state;
    struct bough_blob_writer *w;
    struct bough_intake *in;
    struct picture before;
    struct bough_txn *t;
    bool more;

    OK(script_commit(b->s, 1));
    before = picture_of(b->s);
    reopen(b, true);
    assert_true(b->s->read_only);
    ERR(BOUGH_EREADONLY, bough_txn_begin(b->s, &t));
    ERR(BOUGH_EREADONLY, bough_blob_begin(b->s, 10, &w));
    ERR(BOUGH_EREADONLY, bough_store_intake(b->s, NULL, &in));
    ERR(BOUGH_EREADONLY, bough_store_maintain(b->s, 1 << 20, &more));
    OK(bough_store_sync(b->s)); /* nothing to do */
    assert_picture(b, &before);
    reopen(b, false);
    OK(script_commit(b->s, 2));
}

static void test_store__failing_memory_changes_nothing(void **state)
{
    struct bed *b = *state;
    bool failed = true;

    for (uint64_t n = 0; n < 20; n++) /* so that tables are about to grow, at some n */
        OK(script_commit(b->s, n));
    for (uint64_t at = 0; failed; at++) {
        struct picture before = picture_of(b->s);
        enum bough_err err;

        b->t.mem.fail_at = b->t.mem.calls + at;
        b->t.mem.failed = false;
        err = script_commit(b->s, 100);
        failed = b->t.mem.failed;
        b->t.mem.fail_at = UINT64_MAX;
        if (err) {
            assert_true(failed);
            ERR(BOUGH_ENOMEM, err);
            assert_picture(b, &before);
            assert_true(at < 1000);
        } else {
            assert_int_equal(picture_of(b->s).objects, 42);
            failed = false; /* it found a way without: the next ones would, too */
        }
    }
    OK(script_commit(b->s, 101));
    reopen(b, false);
    assert_int_equal(picture_of(b->s).objects, 44);
}

/* Reading with failing memory answers ENOMEM and does no harm. */
static void test_store__failing_memory_harms_no_reader(void **state)
{
    enum { LEN = 150000 };
    struct bed *b = *state;
    struct bough_oid id = put_one(b, LEN, 4);
    uint8_t *body = make_body(LEN, 4), piece[5000];
    bool failed = true;

    reopen(b, false);
    for (uint64_t at = 0; failed; at++) {
        struct bough_buf out;
        enum bough_err err;
        size_t got;

        bough_buf_init(&out, &b->t.mem.mem);
        b->t.mem.fail_at = b->t.mem.calls + at;
        b->t.mem.failed = false;
        err = bough_store_read(b->s, &id, NULL, &out);
        if (!err)
            err = bough_store_read_part(b->s, &id, 77777, piece, sizeof piece, &got);
        failed = b->t.mem.failed;
        b->t.mem.fail_at = UINT64_MAX;
        if (err)
            ERR(BOUGH_ENOMEM, err);
        else
            assert_memory_equal(piece, body + 77777, sizeof piece);
        bough_buf_fini(&out);
        assert_object(b, &id, BOUGH_BLOB, bough_view(body, LEN));
        assert_true(at < 1000);
    }
    free(body);
}

/* ---- Big values ---- */

static struct bough_oid write_blob(struct bed *b, struct bough_view body, size_t piece)
{
    struct bough_blob_writer *w;
    struct bough_txn *t;
    struct bough_oid id;

    OK(bough_blob_begin(b->s, body.len, &w));
    for (size_t at = 0; at < body.len; at += piece)
        OK(bough_blob_put(
            w, bough_view(body.ptr + at, body.len - at < piece ? body.len - at : piece)));
    OK(bough_blob_put(w, VIEW("")));
    t = begin(b);
    OK(bough_txn_blob(t, w, &id));
    assert_object(b, &id, BOUGH_BLOB, body); /* the transaction's own */
    commit(t);
    return id;
}

static void test_store__a_blob_is_written_in_pieces(void **state)
{
    static const size_t lens[] = {0, 1, 65534, 65535, 65536, 131070, 200000, 3000000};
    static const size_t pieces[] = {1, 7, 65535, 4096, 65536, 200000, 1000, 999999};
    struct bed *b = *state;
    struct bough_oid ids[8];

    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < 8; i++) {
            uint8_t *body = make_body(lens[i], i);
            struct bough_oid want = bough_oid_of(b->algo, BOUGH_BLOB, bough_view(body, lens[i]));
            if (again == 0)
                ids[i] = write_blob(b, bough_view(body, lens[i]), pieces[i]);
            assert_true(bough_oid_eq(&ids[i], &want));
            assert_object(b, &ids[i], BOUGH_BLOB, bough_view(body, lens[i]));
            free(body);
        }
        reopen(b, false);
    }
    assert_int_equal(picture_of(b->s).objects, 8);
}

/* Where objects are not kept in memory, a value of any size passes through little of it. */
static void test_store__a_big_blob_needs_little_memory(void **state)
{
    enum { PIECE = 50000, PIECES = 400, LITTLE = 1 << 20 }; /* bytes */
    struct bed *b = *state;
    uint8_t *piece = make_body(PIECE, 1), *back = make_body(PIECE, 2);
    struct bough_blob_writer *w;
    struct bough_txn *t;
    struct bough_oid id;
    size_t got, before;

    if (b->engine->can & BED_DURABLE) {
        before = b->t.mem.peak = b->t.mem.used;
        OK(bough_blob_begin(b->s, PIECE * PIECES, &w));
        for (int i = 0; i < PIECES; i++)
            OK(bough_blob_put(w, bough_view(piece, PIECE)));
        t = begin(b);
        OK(bough_txn_blob(t, w, &id));
        commit(t);
        for (uint64_t i = 0; i < PIECES; i++) {
            OK(bough_store_read_part(b->s, &id, i * PIECE, back, PIECE, &got));
            assert_memory_equal(back, piece, PIECE);
        }
        assert_in_range(b->t.mem.peak - before, 0, LITTLE);
    }
    free(piece);
    free(back);
}

/* A size that nobody knew: the same id, all the bytes, and nothing left of what was put aside. */
static void test_store__a_blob_may_be_of_unknown_size(void **state)
{
    enum { PIECE = 50000, LITTLE = 3 << 20 };
    static const uint32_t pieces[] = {0, 1, 7, 100};
    struct bed *b = *state;
    uint8_t *body = make_body(100 * PIECE, 3), *back = make_body(PIECE, 2);

    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct bough_view all = bough_view(body, (size_t)pieces[k] * PIECE);
        struct bough_oid id, want = bough_oid_of(b->s->algo, BOUGH_BLOB, all);
        size_t got, before = b->t.mem.peak = b->t.mem.used;
        struct bough_blob_writer *w;
        struct bough_txn *t;

        OK(bough_blob_begin(b->s, BOUGH_BLOB_UNKNOWN, &w));
        for (uint32_t i = 0; i < pieces[k]; i++)
            OK(bough_blob_put(w, bough_view(body + i * PIECE, PIECE)));
        t = begin(b);
        OK(bough_txn_blob(t, w, &id));
        commit(t);
        assert_true(bough_oid_eq(&id, &want));
        for (uint64_t i = 0; i < pieces[k]; i++) {
            OK(bough_store_read_part(b->s, &id, i * PIECE, back, PIECE, &got));
            assert_memory_equal(back, body + i * PIECE, PIECE);
        }
        if (b->s->cls->spool != NULL)
            assert_in_range(b->t.mem.peak - before, 0, LITTLE);
    }
    free(body);
    free(back);
}

static void test_store__a_blob_has_the_size_announced(void **state)
{
    struct bed *b = *state;
    struct picture before = picture_of(b->s);
    struct bough_blob_writer *w;
    struct bough_txn *t;
    struct bough_oid id;

    OK(bough_blob_begin(b->s, 10, &w));
    OK(bough_blob_put(w, VIEW("12345678")));
    ERR(BOUGH_ERANGE, bough_blob_put(w, VIEW("901")));
    t = begin(b);
    ERR(BOUGH_EINVAL, bough_txn_blob(t, w, &id)); /* taken nevertheless */
    commit(t);
    OK(bough_blob_begin(b->s, 100000, &w));
    OK(bough_blob_put(w, VIEW("12345678")));
    bough_blob_close(w);
    bough_blob_close(NULL);
    assert_picture(b, &before);
}

static void test_store__an_aborted_blob_leaves_no_trace(void **state)
{
    struct bed *b = *state;
    struct picture before = picture_of(b->s);
    uint8_t *body = make_body(150000, 3);
    struct bough_blob_writer *w;
    struct bough_oid id;
    struct bough_txn *t;

    OK(bough_blob_begin(b->s, 150000, &w));
    OK(bough_blob_put(w, bough_view(body, 150000)));
    t = begin(b);
    OK(bough_txn_blob(t, w, &id));
    bough_txn_abort(t);
    assert_no_object(b, &id);
    assert_picture(b, &before);
    reopen(b, false);
    assert_picture(b, &before);
    free(body);
}

/* ---- Upkeep ---- */

static void no_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    (void)ctx;
    (void)err;
    (void)key;
    fail_msg("check reports: %s", what);
}

static void test_store__upkeep_changes_nothing(void **state)
{
    struct bed *b = *state;
    struct bough_store_stats stats;
    struct picture before;
    bool more = true;

    for (uint64_t n = 0; n < 25; n++)
        OK(script_commit(b->s, n));
    put_one(b, 2000000, 1);
    before = picture_of(b->s);
    for (int i = 0; more && i < 100; i++)
        OK(bough_store_maintain(b->s, 1 << 20, &more));
    assert_false(more);
    assert_picture(b, &before);
    OK(bough_store_check(b->s, no_report, NULL));
    OK(bough_store_stat(b->s, &stats));
    assert_true(stats.objects >= 51);
    assert_int_equal(stats.refs, before.refs);
    assert_int_equal(stats.records, before.records);
    assert_int_equal(stats.commits, 26);
    assert_true(stats.used_bytes > 25 * 1000);
    reopen(b, false);
    assert_picture(b, &before);
    OK(bough_store_check(b->s, no_report, NULL));
}

static void count_report(void *ctx, enum bough_err err, const char *what, struct bough_view key)
{
    int *n = ctx;

    (void)what;
    (void)err;
    assert_true(bough_view_eq(key, VIEW("refs/heads/lost")));
    ++*n;
}

static void test_store__check_finds_a_ref_to_nothing(void **state)
{
    struct bed *b = *state;
    struct bough_ref_change c = set_id("refs/heads/lost", strange_id(b));
    struct bough_txn *t = begin(b);
    int n = 0;

    OK(bough_txn_ref(t, &c));
    commit(t);
    ERR(BOUGH_ECORRUPT, bough_store_check(b->s, count_report, &n));
    assert_int_equal(n, 1);
}

static void test_store__a_reader_stays_where_it_is(void **state)
{
    struct bed *b = *state;
    struct bough_store *reader;
    struct picture before, got;
    struct bough_txn *t;
    enum bough_err err;

    OK(script_commit(b->s, 1));
    before = picture_of(b->s);
    err = bough_store_reader(b->s, NULL, &reader);
    if (err) {
        ERR(BOUGH_ENOTSUP, err);
        return;
    }
    OK(script_commit(b->s, 2));
    got = picture_of(reader);
    assert_memory_equal(&got, &before, sizeof got);
    ERR(BOUGH_EREADONLY, bough_txn_begin(reader, &t));
    bough_store_close(reader);
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__there_is_one_transaction_at_a_time),
        STORE_TEST(test_store__an_abort_leaves_no_trace),
        STORE_TEST(test_store__closing_drops_an_open_transaction),
        STORE_TEST(test_store__putting_twice_is_putting_once),
        STORE_TEST(test_store__commits_outlive_a_reopen),
        STORE_TEST(test_store__a_late_commit_is_durable_after_a_sync),
        STORE_TEST(test_store__a_read_only_store_takes_no_writes),
        STORE_TEST(test_store__failing_memory_changes_nothing),
        STORE_TEST(test_store__failing_memory_harms_no_reader),
        STORE_TEST(test_store__a_blob_is_written_in_pieces),
        STORE_TEST(test_store__a_big_blob_needs_little_memory),
        STORE_TEST(test_store__a_blob_has_the_size_announced),
        STORE_TEST(test_store__a_blob_may_be_of_unknown_size),
        STORE_TEST(test_store__an_aborted_blob_leaves_no_trace),
        STORE_TEST(test_store__upkeep_changes_nothing),
        STORE_TEST(test_store__check_finds_a_ref_to_nothing),
        STORE_TEST(test_store__a_reader_stays_where_it_is),
    };

    return store_suite("conform/store transactions", tests, sizeof tests / sizeof *tests);
}
