/*
 * test_store_objects.c - every engine reads back the objects that were put.
 *
 * Goal: each sentence of store.h on finding and reading: whole, by place, in parts, by handle,
 * as packed entry, all of them, by abbreviation.  Method: bodies made from a seed, of sizes on
 * both sides of every boundary an engine may have; each check is made before and after a reopen.
 */
#include "base/zip.h"
#include "git/delta.h"
#include "tests/conform/store_bed.h"

static const size_t sizes[] = {0, 1, 19, 100, 511, 512, 513, 4000, 4096, 4097, 65534, 65535, 65536,
    131070, 131071, 1 << 20, (1 << 20) + 1, 3000001};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void assert_all_sizes(struct bed *b, const struct bough_oid *ids)
{
    for (size_t i = 0; i < SIZES; i++) {
        uint8_t *body = make_body(sizes[i], i);
        assert_object(b, &ids[i], BOUGH_BLOB, bough_view(body, sizes[i]));
        free(body);
    }
}

static void test_store__objects_of_every_size_come_back(void **state)
{
    struct bed *b = *state;
    struct bough_oid ids[SIZES];
    struct bough_txn *t = begin(b);

    for (size_t i = 0; i < SIZES; i++) {
        uint8_t *body = make_body(sizes[i], i);
        struct bough_oid want = bough_oid_of(b->algo, BOUGH_BLOB, bough_view(body, sizes[i]));
        ids[i] = put(t, bough_view(body, sizes[i]));
        assert_true(bough_oid_eq(&ids[i], &want));
        free(body);
    }
    assert_all_sizes(b, ids); /* the transaction's own */
    commit(t);
    assert_all_sizes(b, ids);
    reopen(b, false);
    assert_all_sizes(b, ids);
}

static void test_store__objects_keep_their_type(void **state)
{
    static const enum bough_type types[] = {BOUGH_COMMIT, BOUGH_TREE, BOUGH_BLOB, BOUGH_TAG};
    struct bed *b = *state;
    struct bough_txn *t = begin(b);
    struct bough_oid ids[4];

    for (size_t i = 0; i < 4; i++)
        OK(bough_txn_put(t, types[i], VIEW("the same bytes"), &ids[i]));
    commit(t);
    reopen(b, false);
    for (size_t i = 0; i < 4; i++)
        assert_object(b, &ids[i], types[i], VIEW("the same bytes"));
}

static void test_store__many_objects_in_many_commits_come_back(void **state)
{
    enum { COMMITS = 40, EACH = 60 };
    struct bed *b = *state;

    for (uint32_t c = 0; c < COMMITS; c++) {
        struct bough_txn *t = begin(b);
        for (uint32_t i = 0; i < EACH; i++) {
            uint8_t body[64] = {0};
            bough_put32le(body, c * EACH + i);
            put(t, bough_view(body, 4 + i));
        }
        commit(t);
        if (c % 16 == 7)
            reopen(b, false);
    }
    for (uint32_t i = 0; i < COMMITS * EACH; i++) {
        uint8_t body[64] = {0};
        struct bough_view view = {body, 4 + i % EACH};
        struct bough_oid id;
        bough_put32le(body, i);
        id = bough_oid_of(b->algo, BOUGH_BLOB, view);
        assert_object(b, &id, BOUGH_BLOB, view);
    }
}

static void test_store__one_big_transaction_comes_back(void **state)
{
    enum { N = 3000, LEN = 1500 };
    struct bed *b = *state;
    struct bough_txn *t = begin(b);
    struct bough_oid *ids = calloc(N, sizeof *ids);

    assert_non_null(ids);
    for (uint32_t i = 0; i < N; i++) {
        uint8_t *body = make_body(LEN, i);
        ids[i] = put(t, bough_view(body, LEN));
        free(body);
    }
    commit(t);
    reopen(b, false);
    for (uint32_t i = 0; i < N; i++) {
        uint8_t *body = make_body(LEN, i);
        assert_object(b, &ids[i], BOUGH_BLOB, bough_view(body, LEN));
        free(body);
    }
    free(ids);
}

static void test_store__what_is_not_there_is_not_found(void **state)
{
    struct bed *b = *state;
    struct bough_oid id = strange_id(b);
    struct bough_object *o;
    struct bough_entry entry;
    struct bough_buf out;
    uint8_t byte;
    size_t got;

    put_one(b, 100, 1);
    bough_buf_init(&out, &b->t.mem.mem);
    bough_buf_put_str(&out, "before");
    assert_no_object(b, &id);
    ERR(BOUGH_ENOENT, bough_store_read(b->s, &id, NULL, &out));
    ERR(BOUGH_ENOENT, bough_store_read_where(b->s, 1, &id, NULL, &out));
    ERR(BOUGH_ENOENT, bough_store_read_part(b->s, &id, 0, &byte, 1, &got));
    ERR(BOUGH_ENOENT, bough_store_object_open(b->s, &id, &o));
    assert_int_not_equal(bough_store_entry(b->s, &id, &entry), BOUGH_OK);
    assert_true(bough_view_eq(bough_buf_view(&out), VIEW("before")));
    OK(out.err);
    bough_buf_fini(&out);
}

static void test_store__the_empty_tree_is_everywhere(void **state)
{
    struct bed *b = *state;
    const struct bough_oid *id = bough_oid_empty_tree(b->algo);
    struct bough_object *o;
    struct bough_oid same;
    struct bough_txn *t;
    uint8_t byte;
    size_t got;

    for (int stored = 0; stored < 2; stored++) {
        struct picture p = picture_of(b->s);
        assert_int_equal(p.objects, stored);
        assert_object(b, id, BOUGH_TREE, VIEW(""));
        OK(bough_store_read_part(b->s, id, 0, &byte, 1, &got));
        assert_int_equal(got, 0);
        OK(bough_store_object_open(b->s, id, &o));
        assert_int_equal(o->type, BOUGH_TREE);
        assert_int_equal(o->size, 0);
        bough_object_close(o);
        t = begin(b);
        OK(bough_txn_put(t, BOUGH_TREE, VIEW(""), &same));
        assert_true(bough_oid_eq(id, &same));
        commit(t);
    }
}

static void test_store__reading_appends_up_to_a_limit(void **state)
{
    struct bed *b = *state;
    struct bough_oid id = put_one(b, 70000, 5);
    uint8_t *body = make_body(70000, 5), part[16];
    struct bough_buf out;
    size_t got;

    bough_buf_init(&out, &b->t.mem.mem);
    bough_buf_put_str(&out, "before");
    b->s->object_max = 69999;
    ERR(BOUGH_ETOOBIG, bough_store_read(b->s, &id, NULL, &out));
    assert_int_equal(out.len, 6);
    OK(out.err);
    OK(bough_store_read_part(b->s, &id, 69990, part, sizeof part, &got));
    assert_int_equal(got, 10);
    assert_memory_equal(part, body + 69990, 10);
    b->s->object_max = 70000;
    OK(bough_store_read(b->s, &id, NULL, &out));
    assert_int_equal(out.len, 70006);
    assert_memory_equal(out.ptr, "before", 6);
    assert_memory_equal(out.ptr + 6, body, 70000);
    out.err = BOUGH_ENOMEM;
    ERR(BOUGH_ENOMEM, bough_store_read(b->s, &id, NULL, &out)); /* the error sticks */
    assert_int_equal(out.len, 70006);
    bough_buf_fini(&out);
    free(body);
}

static void assert_part(
    struct bed *b, const struct bough_oid *id, struct bough_view body, uint64_t at, size_t n)
{
    uint8_t *dst = malloc(n + 1);
    size_t got, want = at >= body.len ? 0 : body.len - (size_t)at < n ? body.len - (size_t)at : n;

    assert_non_null(dst);
    dst[want] = 0x5a;
    OK(bough_store_read_part(b->s, id, at, dst, n, &got));
    assert_int_equal(got, want);
    if (want > 0)
        assert_memory_equal(dst, body.ptr + at, want);
    assert_int_equal(dst[want], 0x5a);
    free(dst);
}

static void test_store__parts_fit_together(void **state)
{
    enum { LEN = 300000 };
    struct bed *b = *state;
    struct bough_oid id = put_one(b, LEN, 9);
    uint8_t *bytes = make_body(LEN, 9);
    struct bough_view body = {bytes, LEN};
    uint64_t seed = 3;

    for (int again = 0; again < 2; again++) {
        for (uint64_t at = 0; at < LEN + 2000; at += 1777)
            assert_part(b, &id, body, at, 1777);
        for (int i = 0; i < 60; i++)
            assert_part(
                b, &id, body, test_random(&seed) % (LEN + 10), (size_t)(test_random(&seed) % 9000));
        assert_part(b, &id, body, 0, LEN);
        assert_part(b, &id, body, LEN, 1);
        assert_part(b, &id, body, UINT64_MAX, 10);
        assert_part(b, &id, body, 5, 0);
        reopen(b, false);
    }
    free(bytes);
}

static void test_store__parts_of_many_objects_in_turn(void **state)
{
    enum { N = 2 * BOUGH_STORE_PARTS + 1, LEN = 20000 };
    struct bed *b = *state;
    struct bough_oid ids[N];
    uint8_t *bodies[N];

    for (size_t i = 0; i < N; i++) {
        ids[i] = put_one(b, LEN + i, i);
        bodies[i] = make_body(LEN + i, i);
    }
    for (uint64_t at = 0; at < LEN + N; at += 3001) {
        for (size_t i = 0; i < N; i++)
            assert_part(b, &ids[i], bough_view(bodies[i], LEN + i), at, 3001);
        if (at > LEN / 2)
            put_one(b, 10, at); /* a commit between changes nothing */
    }
    for (size_t i = 0; i < N; i++)
        free(bodies[i]);
}

/* Device bytes read for one object of 2 MB, read forward in small pieces. */
static void test_store__going_forward_costs_one_reading(void **state)
{
    enum { LEN = 2000000, PIECE = 3000 };
    struct bed *b = *state;
    struct bough_oid id = put_one(b, LEN, 3), other = put_one(b, LEN, 4);
    uint8_t *body = make_body(LEN, 3), piece[PIECE];
    struct bough_store_stats before, after;
    size_t got;

    reopen(b, false);
    OK(bough_store_stat(b->s, &before));
    for (uint64_t at = 0; at < LEN; at += PIECE) {
        OK(bough_store_read_part(b->s, &id, at, piece, PIECE, &got));
        assert_memory_equal(piece, body + at, got);
        OK(bough_store_read_part(b->s, &other, at, piece, PIECE, &got)); /* side by side */
    }
    OK(bough_store_stat(b->s, &after));
    assert_in_range(after.read_bytes - before.read_bytes, 0, 4 * LEN);
    free(body);
}

static void test_store__handles_stand_side_by_side(void **state)
{
    enum { N = 3, LEN = 100000 };
    struct bed *b = *state;
    struct bough_object *o[N];
    uint8_t *bodies[N], piece[4096];
    struct bough_oid ids[N];
    size_t got;

    for (size_t i = 0; i < N; i++) {
        ids[i] = put_one(b, LEN + i, i);
        bodies[i] = make_body(LEN + i, i);
        OK(bough_store_object_open(b->s, &ids[i], &o[i]));
        assert_int_equal(o[i]->type, BOUGH_BLOB);
        assert_int_equal(o[i]->size, LEN + i);
    }
    for (uint64_t at = 0; at < LEN; at += sizeof piece) {
        for (size_t i = 0; i < N; i++) {
            OK(bough_object_read(o[i], at, piece, sizeof piece, &got));
            assert_true(got == sizeof piece || at + got == LEN + i);
            assert_memory_equal(piece, bodies[i] + at, got);
        }
    }
    OK(bough_object_read(o[0], 1, piece, 10, &got)); /* and back */
    assert_memory_equal(piece, bodies[0] + 1, 10);
    OK(bough_object_read(o[0], LEN, piece, 10, &got));
    assert_int_equal(got, 0);
    for (size_t i = 0; i < N; i++) {
        bough_object_close(o[i]);
        free(bodies[i]);
    }
    bough_object_close(NULL);
}

static void test_store__a_forgotten_place_is_looked_up(void **state)
{
    struct bed *b = *state;
    struct bough_oid id = put_one(b, 300, 1), other = put_one(b, 301, 2);
    struct bough_found found, wrong;
    struct bough_buf out;

    OK(bough_store_find(b->s, &id, &found));
    OK(bough_store_find(b->s, &other, &wrong));
    bough_buf_init(&out, &b->t.mem.mem);
    OK(bough_store_read_where(b->s, 0, &id, NULL, &out));
    assert_int_equal(out.len, 300);
    OK(bough_store_read_where(b->s, found.where, &id, NULL, &out));
    assert_int_equal(out.len, 600);
    OK(bough_store_read_where(b->s, wrong.where, &id, NULL, &out)); /* another object's */
    assert_int_equal(out.len, 900);
    assert_memory_equal(out.ptr, out.ptr + 600, 300);
    bough_buf_fini(&out);
}

/* The entry of `id`, read in two pieces and inflated. */
static uint8_t *inflate_entry(struct bed *b, const struct bough_entry *e)
{
    size_t n = (size_t)e->packed_len, used;
    uint8_t *packed = malloc(n), *raw = malloc((size_t)e->size + 1);

    assert_true(n > 2 && packed != NULL && raw != NULL);
    OK(bough_store_entry_read(b->s, e, 0, packed, n / 2));
    OK(bough_store_entry_read(b->s, e, n / 2, packed + n / 2, n - n / 2));
    OK(bough_store_entry_read(b->s, e, n, packed, 0));
    ERR(BOUGH_ERANGE, bough_store_entry_read(b->s, e, 1, packed, n));
    ERR(BOUGH_ERANGE, bough_store_entry_read(b->s, e, UINT64_MAX, packed, 2));
    OK(bough_inflate(&b->t.mem.mem, bough_view(packed, n), raw, (size_t)e->size, &used));
    assert_int_equal(used, n);
    free(packed);
    return raw;
}

static void test_store__entries_are_what_is_stored(void **state)
{
    struct bed *b = *state;

    for (size_t i = 0; i < SIZES; i++) {
        struct bough_oid id = put_one(b, sizes[i], i);
        struct bough_entry e;
        uint8_t *body, *raw;

        if (!(b->s->caps & BOUGH_STORE_PACKED)) {
            ERR(BOUGH_ENOTSUP, bough_store_entry(b->s, &id, &e));
            continue;
        }
        OK(bough_store_entry(b->s, &id, &e));
        assert_int_equal(e.type, BOUGH_BLOB); /* nothing here to be a delta of */
        assert_int_equal(e.size, sizes[i]);
        body = make_body(sizes[i], i);
        raw = inflate_entry(b, &e);
        assert_memory_equal(raw, body, sizes[i]);
        free(raw);
        free(body);
    }
}

/* A delta that keeps `keep` bytes of the base and ends with `tail`. */
static void make_delta(
    struct bough_buf *out, uint64_t base_len, uint64_t keep, struct bough_view tail)
{
    struct bough_delta_builder d;

    bough_delta_begin(&d, out, base_len, keep + tail.len);
    bough_delta_copy(&d, 0, keep);
    bough_delta_insert(&d, tail);
    bough_delta_end(&d);
    OK(out->err);
}

enum { CHAIN = 30, CHAIN_BASE = 40000 };

/* Version `v`: a base whose end says which version it is. */
static size_t chain_body(uint8_t *body, uint32_t v)
{
    fill(body, CHAIN_BASE, 77);
    memset(body + CHAIN_BASE - 100, (int)v, v);
    return CHAIN_BASE - 100 + v;
}

static struct bough_oid chain_put(struct bough_txn *t, struct bough_buf *delta, uint32_t v)
{
    static uint8_t body[CHAIN_BASE + CHAIN], base[CHAIN_BASE + CHAIN];
    enum bough_algo algo = t->store->algo;
    size_t len = chain_body(body, v), base_len;
    struct bough_oid id = bough_oid_of(algo, BOUGH_TREE, bough_view(body, len)), base_id;

    if (v == 0) {
        OK(bough_txn_put(t, BOUGH_TREE, bough_view(body, len), &id));
        return id;
    }
    base_len = chain_body(base, v - 1);
    base_id = bough_oid_of(algo, BOUGH_TREE, bough_view(base, base_len));
    bough_buf_clear(delta);
    make_delta(delta, base_len, CHAIN_BASE - 100, bough_view(body + CHAIN_BASE - 100, v));
    OK(bough_txn_put_delta(
        t, BOUGH_TREE, &id, &base_id, bough_buf_view(delta), bough_view(body, len)));
    return id;
}

static void test_store__deltas_read_as_what_they_make(void **state)
{
    static uint8_t body[CHAIN_BASE + CHAIN];
    struct bed *b = *state;
    struct bough_oid ids[CHAIN];
    struct bough_buf delta;
    struct bough_txn *t = begin(b);

    bough_buf_init(&delta, &b->t.mem.mem);
    for (uint32_t v = 0; v < CHAIN; v++) {
        ids[v] = chain_put(t, &delta, v);
        if (v % 10 == 4) { /* a base of this transaction, or of one before */
            commit(t);
            t = begin(b);
        }
    }
    for (int again = 0; again < 2; again++) {
        for (uint32_t v = 0; v < CHAIN; v++) {
            struct bough_view whole = {body, chain_body(body, v)};
            assert_object(b, &ids[v], BOUGH_TREE, whole);
            assert_part(b, &ids[v], whole, CHAIN_BASE - 200, 1000);
            assert_part(b, &ids[v], whole, 0, 100);
        }
        if (again == 0)
            commit(t);
        reopen(b, false);
    }
    bough_buf_fini(&delta);
}

static void test_store__an_entry_may_be_a_delta(void **state)
{
    static uint8_t body[CHAIN_BASE + CHAIN], base[CHAIN_BASE + CHAIN], made[CHAIN_BASE + CHAIN];
    struct bed *b = *state;
    struct bough_txn *t = begin(b);
    struct bough_buf delta;
    struct bough_oid ids[2];
    struct bough_entry e;
    uint8_t *raw;

    bough_buf_init(&delta, &b->t.mem.mem);
    ids[0] = chain_put(t, &delta, 0);
    ids[1] = chain_put(t, &delta, 1);
    commit(t);
    if (b->s->caps & BOUGH_STORE_PACKED) {
        struct bough_view was = {base, chain_body(base, 0)};
        size_t len = chain_body(body, 1);
        OK(bough_store_entry(b->s, &ids[1], &e));
        assert_int_equal(e.type, BOUGH_REF_DELTA);
        assert_true(bough_oid_eq(&e.base, &ids[0]));
        raw = inflate_entry(b, &e);
        OK(bough_delta_apply(was, bough_view(raw, (size_t)e.size), made, len));
        assert_memory_equal(made, body, len);
        free(raw);
    }
    bough_buf_fini(&delta);
}

struct walk {
    size_t n, stop_at;
    struct bough_oid ids[32];
};

static enum bough_err walk_take(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct walk *w = ctx;

    assert_true(w->n < 32);
    assert_int_equal(found->type, BOUGH_BLOB);
    assert_int_equal(found->size, 10);
    w->ids[w->n++] = *id;
    return w->n == w->stop_at ? BOUGH_ECONFLICT : BOUGH_OK;
}

static void test_store__each_object_is_walked_once(void **state)
{
    struct bed *b = *state;
    struct walk w = {.n = 0};
    struct bough_txn *t;
    uint8_t *body;

    OK(bough_store_each(b->s, walk_take, &w));
    assert_int_equal(w.n, 0);
    for (uint64_t i = 0; i < 20; i++) {
        put_one(b, 10, i);
        put_one(b, 10, i / 2); /* put again */
    }
    t = begin(b);
    body = make_body(10, 1000);
    put(t, bough_view(body, 10)); /* not committed: not walked */
    free(body);
    OK(bough_store_each(b->s, walk_take, &w));
    bough_txn_abort(t);
    assert_int_equal(w.n, 20);
    for (size_t i = 0; i < w.n; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(bough_oid_eq(&w.ids[i], &w.ids[k]));
    w = (struct walk){.stop_at = 7};
    ERR(BOUGH_ECONFLICT, bough_store_each(b->s, walk_take, &w));
    assert_int_equal(w.n, 7);
}

static bool begins(const struct bough_oid *id, const struct bough_oid *prefix, uint32_t nibbles)
{
    for (uint32_t i = 0; i < nibbles; i++)
        if ((id->bytes[i / 2] ^ prefix->bytes[i / 2]) >> (i % 2 ? 0 : 4) & 15)
            return false;
    return true;
}

static void test_store__abbreviations_find_what_begins_so(void **state)
{
    enum { N = 600 };
    struct bed *b = *state;
    static struct bough_oid ids[N], got[N + 1];
    struct bough_txn *t = begin(b);
    size_t n;

    for (uint32_t i = 0; i < N; i++) {
        uint8_t body[4];
        bough_put32le(body, i);
        ids[i] = put(t, bough_view(body, 4));
    }
    commit(t);
    for (uint32_t nibbles = 0; nibbles <= 5; nibbles++) {
        size_t want = 0;
        for (size_t i = 0; i < N; i++)
            want += begins(&ids[i], &ids[17], nibbles);
        OK(bough_store_abbrev(b->s, &ids[17], nibbles, got, N + 1, &n));
        assert_int_equal(n, want);
        for (size_t i = 0; i < n; i++) {
            assert_true(begins(&got[i], &ids[17], nibbles));
            assert_true(i == 0 || bough_oid_cmp(&got[i - 1], &got[i]) < 0);
        }
        if (want >= 2) { /* the first ones, when there is no room for more */
            struct bough_oid first = got[0], second = got[1];
            OK(bough_store_abbrev(b->s, &ids[17], nibbles, got, 2, &n));
            assert_int_equal(n, 2);
            assert_true(bough_oid_eq(&got[0], &first) && bough_oid_eq(&got[1], &second));
        }
    }
    OK(bough_store_abbrev(b->s, &ids[17], 2 * bough_algo_len(b->algo), got, 2, &n));
    assert_int_equal(n, 1);
    OK(bough_store_abbrev(b->s, &ids[17], 4, got, 0, &n));
    assert_int_equal(n, 0);
    ERR(BOUGH_EINVAL, bough_store_abbrev(b->s, ids, 2 * bough_algo_len(b->algo) + 1, got, 2, &n));
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__objects_of_every_size_come_back),
        STORE_TEST(test_store__objects_keep_their_type),
        STORE_TEST(test_store__many_objects_in_many_commits_come_back),
        STORE_TEST(test_store__one_big_transaction_comes_back),
        STORE_TEST(test_store__what_is_not_there_is_not_found),
        STORE_TEST(test_store__the_empty_tree_is_everywhere),
        STORE_TEST(test_store__reading_appends_up_to_a_limit),
        STORE_TEST(test_store__parts_fit_together),
        STORE_TEST(test_store__parts_of_many_objects_in_turn),
        STORE_TEST(test_store__going_forward_costs_one_reading),
        STORE_TEST(test_store__handles_stand_side_by_side),
        STORE_TEST(test_store__a_forgotten_place_is_looked_up),
        STORE_TEST(test_store__entries_are_what_is_stored),
        STORE_TEST(test_store__deltas_read_as_what_they_make),
        STORE_TEST(test_store__an_entry_may_be_a_delta),
        STORE_TEST(test_store__each_object_is_walked_once),
        STORE_TEST(test_store__abbreviations_find_what_begins_so),
    };

    return store_suite("conform/store objects", tests, sizeof tests / sizeof *tests);
}
