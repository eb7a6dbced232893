/*
 * test_store_refs.c - every engine keeps refs and records as they were committed.
 *
 * Goal: each sentence of store.h on refs, their compare-and-swap, their cursors, on records and
 * on retiring them.  Method: tables of cases; a sorted list of names as the model of a cursor.
 */
#include "tests/conform/store_bed.h"

static const struct bough_oid zero;

static struct bough_oid id_of(const struct bed *b, const char *text)
{
    return bough_oid_of(b->algo, BOUGH_BLOB, bough_view_str(text));
}

/* The ref is there with this id; or, for a zero id, is not there. */
static void assert_ref(struct bed *b, const char *name, struct bough_oid id)
{
    struct bough_ref ref;
    enum bough_err err = bough_store_ref(b->s, bough_view_str(name), &ref);

    if (bough_oid_is_zero(&id)) {
        ERR(BOUGH_ENOENT, err);
        return;
    }
    OK(err);
    assert_true(bough_view_eq(ref.name, bough_view_str(name)));
    assert_int_equal(ref.kind, BOUGH_REF_ID);
    assert_true(bough_oid_eq(&ref.id, &id));
    assert_true(bough_oid_is_zero(&ref.peeled));
}

/* One change in a transaction of its own. */
static void change(struct bed *b, struct bough_ref_change c)
{
    struct bough_txn *t = begin(b);

    OK(bough_txn_ref(t, &c));
    commit(t);
}

static void test_store__a_ref_is_made_moved_and_deleted(void **state)
{
    struct bed *b = *state;
    struct bough_oid one = id_of(b, "1"), two = id_of(b, "2");

    assert_ref(b, "refs/heads/x", zero);
    change(b, set_id("refs/heads/x", one));
    assert_ref(b, "refs/heads/x", one);
    assert_ref(b, "refs/heads/", zero);
    assert_ref(b, "refs/heads/xx", zero);
    change(b, set_id("refs/heads/x", two));
    reopen(b, false);
    assert_ref(b, "refs/heads/x", two);
    change(b, set_gone("refs/heads/x"));
    assert_ref(b, "refs/heads/x", zero);
    change(b, set_gone("refs/heads/x")); /* not there already: fine */
    reopen(b, false);
    assert_ref(b, "refs/heads/x", zero);
    change(b, set_id("refs/heads/x", one));
    assert_ref(b, "refs/heads/x", one);
}

static void test_store__refs_keep_all_their_facts(void **state)
{
    struct bed *b = *state;
    struct bough_ref_change tag = set_id("refs/tags/v1", id_of(b, "tag"));
    struct bough_ref_change head = {
        .name = VIEW("HEAD"), .kind = BOUGH_REF_SYM, .target = VIEW("refs/heads/trunk")};
    struct bough_ref_change now = set_id("HEAD", id_of(b, "detached"));
    struct bough_txn *t = begin(b);
    struct bough_ref ref;

    if (b->engine->can & BED_PEELED)
        tag.peeled = id_of(b, "commit");
    OK(bough_txn_ref(t, &tag));
    OK(bough_txn_ref(t, &head));
    commit(t);
    for (int again = 0; again < 2; again++) {
        OK(bough_store_ref(b->s, VIEW("refs/tags/v1"), &ref));
        assert_int_equal(ref.kind, BOUGH_REF_ID);
        assert_true(bough_oid_eq(&ref.id, &tag.id));
        assert_true(bough_oid_eq(&ref.peeled, &tag.peeled));
        OK(bough_store_ref(b->s, VIEW("HEAD"), &ref)); /* not followed */
        assert_int_equal(ref.kind, BOUGH_REF_SYM);
        assert_true(bough_view_eq(ref.target, head.target));
        reopen(b, false);
    }
    change(b, now); /* a symbolic ref becomes a plain one, and back */
    assert_ref(b, "HEAD", now.id);
    change(b, head);
    OK(bough_store_ref(b->s, VIEW("HEAD"), &ref));
    assert_int_equal(ref.kind, BOUGH_REF_SYM);
}

static void test_store__a_swap_compares_first(void **state)
{
    struct bed *b = *state;
    struct bough_oid one = id_of(b, "1"), two = id_of(b, "2");
    const struct {
        struct bough_oid now, old;
        enum bough_err want;
    } cases[] = {
        {zero, zero, BOUGH_OK},
        {zero, one, BOUGH_ETEST},
        {one, one, BOUGH_OK},
        {one, two, BOUGH_ETEST},
        {one, zero, BOUGH_ETEST},
    };

    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const struct bough_oid now = cases[i / 2].now;
        enum bough_err want = cases[i / 2].want;
        struct bough_ref_change c = swap_id("refs/heads/x", cases[i / 2].old, id_of(b, "new"));
        struct bough_txn *t;

        if (i % 2 == 1) { /* the same for a deletion */
            c.kind = BOUGH_REF_NONE;
            c.id = zero;
        }
        change(b, bough_oid_is_zero(&now) ? set_gone("refs/heads/x") : set_id("refs/heads/x", now));
        t = begin(b);
        ERR(want, bough_txn_ref(t, &c));
        commit(t);
        assert_ref(b, "refs/heads/x", want ? now : c.id);
    }
    assert_int_equal(b->s->why.err, BOUGH_ETEST);
    assert_int_equal(b->s->why.key_len, strlen("refs/heads/x"));
}

static void test_store__a_symbolic_ref_is_not_compared(void **state)
{
    struct bed *b = *state;
    struct bough_ref_change sym = {
        .name = VIEW("refs/s"), .kind = BOUGH_REF_SYM, .target = VIEW("refs/heads/x")};

    change(b, sym);
    change(b, swap_id("refs/s", id_of(b, "any"), id_of(b, "1")));
    assert_ref(b, "refs/s", id_of(b, "1"));
}

static void test_store__a_transaction_compares_with_itself(void **state)
{
    struct bed *b = *state;
    struct bough_oid one = id_of(b, "1"), two = id_of(b, "2");
    struct bough_ref_change c;
    struct bough_txn *t = begin(b);

    c = swap_id("refs/a", zero, one);
    OK(bough_txn_ref(t, &c));
    ERR(BOUGH_ETEST, bough_txn_ref(t, &c)); /* it exists now, in here */
    assert_ref(b, "refs/a", zero);          /* and nowhere else */
    c = swap_id("refs/a", one, two);
    OK(bough_txn_ref(t, &c));
    c = set_id("refs/b", one);
    OK(bough_txn_ref(t, &c));
    c = set_gone("refs/b");
    OK(bough_txn_ref(t, &c));
    c = swap_id("refs/b", one, two);
    ERR(BOUGH_ETEST, bough_txn_ref(t, &c));
    c = swap_id("refs/b", zero, two);
    OK(bough_txn_ref(t, &c));
    c = set_id("refs/c", one);
    OK(bough_txn_ref(t, &c));
    c = set_gone("refs/c");
    OK(bough_txn_ref(t, &c));
    commit(t);
    for (int again = 0; again < 2; again++) {
        assert_ref(b, "refs/a", two);
        assert_ref(b, "refs/b", two);
        assert_ref(b, "refs/c", zero);
        reopen(b, false);
    }
}

static void test_store__ref_names_have_limits(void **state)
{
    struct bed *b = *state;
    char name[BOUGH_REF_NAME_MAX + 1];
    struct bough_ref_change c = {.kind = BOUGH_REF_SYM};
    struct bough_ref ref;
    struct bough_txn *t = begin(b);

    memset(name, 'n', sizeof name);
    for (size_t i = 0; i + 6 < sizeof name; i += 100) /* where parts of names are files */
        memcpy(name + i, "refs/n", 6);
    c.name = bough_view(name, sizeof name);
    c.target = VIEW("t");
    ERR(BOUGH_ETOOBIG, bough_txn_ref(t, &c));
    c.name = VIEW("refs/s");
    c.target = bough_view(name, sizeof name);
    ERR(BOUGH_ETOOBIG, bough_txn_ref(t, &c));
    c.target = VIEW("");
    ERR(BOUGH_EINVAL, bough_txn_ref(t, &c));
    c = (struct bough_ref_change){.kind = BOUGH_REF_ID, .name = VIEW("refs/zero")};
    ERR(BOUGH_EINVAL, bough_txn_ref(t, &c));
    c = set_id("", id_of(b, "1"));
    ERR(BOUGH_EINVAL, bough_txn_ref(t, &c));
    c = (struct bough_ref_change){
        .kind = BOUGH_REF_SYM,
        .name = {(const uint8_t *)name, BOUGH_REF_NAME_MAX},
        .target = {(const uint8_t *)name, BOUGH_REF_NAME_MAX},
    };
    OK(bough_txn_ref(t, &c)); /* after all these refusals */
    commit(t);
    reopen(b, false);
    OK(bough_store_ref(b->s, c.name, &ref));
    assert_true(bough_view_eq(ref.target, c.target));
    OK(bough_store_ref_next(b->s, bough_view(name, 999), VIEW(""), &ref));
    assert_true(bough_view_eq(ref.name, c.name));
    ERR(BOUGH_ENOENT, bough_store_ref_next(b->s, bough_view(name, 999), c.name, &ref));
}

/* ---- Cursors ---- */

enum { NAMES = 400, NAME_MAX_BYTES = 48 };

static int name_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* What the cursor gives for `prefix` is what the sorted names have. */
static void assert_walk(struct bed *b, char (*names)[NAME_MAX_BYTES], size_t n, const char *prefix)
{
    char after[NAME_MAX_BYTES] = "";
    struct bough_ref ref;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) != 0)
            continue;
        OK(bough_store_ref_next(b->s, bough_view_str(prefix), bough_view_str(after), &ref));
        assert_true(bough_view_eq(ref.name, bough_view_str(names[i])));
        memcpy(after, ref.name.ptr, ref.name.len);
        after[ref.name.len] = 0;
    }
    ERR(BOUGH_ENOENT,
        bough_store_ref_next(b->s, bough_view_str(prefix), bough_view_str(after), &ref));
}

static void test_store__a_cursor_goes_through_a_prefix_in_order(void **state)
{
    static const char *prefixes[] = {"", "refs/", "refs/heads/", "refs/heads/1", "refs/heads/12/",
        "refs/tags/x", "s", "r", "refs/heads/17/a", "\xff", "HEAD"};
    static char names[NAMES + 1][NAME_MAX_BYTES];
    struct bed *b = *state;

    strcpy(names[NAMES], "HEAD");
    for (size_t round = 0; round < 4; round++) { /* layers, for engines that have such */
        struct bough_txn *t = begin(b);
        for (size_t i = round; i < NAMES; i += 4) {
            struct bough_ref_change c;
            snprintf(names[i], NAME_MAX_BYTES, "refs/%s/%zu/%s", i % 3 ? "heads" : "tags", i / 2,
                i % 2 ? "a" : "a\xff");
            c = set_id(names[i], id_of(b, names[i]));
            OK(bough_txn_ref(t, &c));
        }
        if (round == 0) {
            struct bough_ref_change head = {
                .name = VIEW("HEAD"), .kind = BOUGH_REF_SYM, .target = VIEW("refs/heads/main")};
            OK(bough_txn_ref(t, &head));
        }
        commit(t);
        reopen(b, false);
    }
    qsort(names, NAMES + 1, sizeof *names, name_cmp);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        assert_walk(b, names, NAMES + 1, prefixes[i]);
}

static void test_store__a_cursor_has_no_state(void **state)
{
    struct bed *b = *state;
    struct bough_ref ref;

    change(b, set_id("refs/a", id_of(b, "1")));
    change(b, set_id("refs/c", id_of(b, "1")));
    change(b, set_id("refs/e", id_of(b, "1")));
    OK(bough_store_ref_next(b->s, VIEW("refs/"), VIEW("refs/a"), &ref));
    assert_true(bough_view_eq(ref.name, VIEW("refs/c")));
    change(b, set_gone("refs/c")); /* where it stands is gone */
    change(b, set_id("refs/d", id_of(b, "1")));
    OK(bough_store_ref_next(b->s, VIEW("refs/"), VIEW("refs/c"), &ref));
    assert_true(bough_view_eq(ref.name, VIEW("refs/d")));
    OK(bough_store_ref_next(b->s, VIEW("refs/"), VIEW("a"), &ref)); /* before all of the prefix */
    assert_true(bough_view_eq(ref.name, VIEW("refs/a")));
    ERR(BOUGH_ENOENT, bough_store_ref_next(b->s, VIEW("refs/"), VIEW("refs0"), &ref));
    OK(bough_store_ref_next(b->s, VIEW("refs/e"), VIEW(""), &ref)); /* a whole name */
    assert_true(bough_view_eq(ref.name, VIEW("refs/e")));
}

/* ---- Records ---- */

struct records {
    size_t n, stop_at;
    uint64_t seq[64];
    uint8_t first[64]; /* bytes of stream and record */
    size_t len[64];
};

static enum bough_err records_take(
    void *ctx, struct bough_view stream, uint64_t seq, struct bough_view bytes)
{
    struct records *r = ctx;

    assert_true(r->n < 64);
    assert_true(stream.len > 0);
    r->seq[r->n] = seq;
    r->len[r->n] = bytes.len;
    r->first[r->n++] = (uint8_t)(bytes.len > 0 ? bytes.ptr[0] : 0);
    return r->n == r->stop_at ? BOUGH_ECONFLICT : BOUGH_OK;
}

static struct records records_of(struct bed *b)
{
    struct records r = {.n = 0};

    OK(bough_store_records(b->s, records_take, &r));
    for (size_t i = 1; i < r.n; i++)
        assert_true(r.seq[i - 1] < r.seq[i]);
    return r;
}

static uint64_t record(struct bough_txn *t, const char *stream, const char *bytes)
{
    uint64_t seq = 0;

    OK(bough_txn_record(t, bough_view_str(stream), bough_view_str(bytes), &seq));
    return seq;
}

/* An engine without records says so, and has none. */
static bool no_records(struct bed *b)
{
    struct bough_txn *t;

    if (b->s->caps & BOUGH_STORE_RECORDS)
        return false;
    t = begin(b);
    ERR(BOUGH_ENOTSUP, bough_txn_record(t, VIEW("s"), VIEW("r"), NULL));
    ERR(BOUGH_ENOTSUP, bough_txn_retire(t, VIEW("s"), 1));
    commit(t);
    assert_int_equal(records_of(b).n, 0);
    return true;
}

/* The first bytes of all records, in order, are those of `want`. */
static void assert_records(struct bed *b, const char *want)
{
    struct records r = records_of(b);

    assert_int_equal(r.n, strlen(want));
    if (r.n > 0)
        assert_memory_equal(r.first, want, r.n);
}

static void test_store__records_come_in_the_order_of_commits(void **state)
{
    struct bed *b = *state;
    struct records r;
    struct bough_txn *t;
    uint64_t a, c, d;

    if (no_records(b))
        return;
    assert_records(b, "");
    t = begin(b);
    a = record(t, "main", "a");
    record(t, "other", "b");
    assert_records(b, "");
    commit(t);
    t = begin(b);
    c = record(t, "main", "c");
    OK(bough_txn_record(t, VIEW("main"), VIEW("x"), NULL));
    bough_txn_abort(t);
    t = begin(b);
    d = record(t, "other", "d");
    commit(t);
    assert_true(a < c && a < d);
    assert_records(b, "abd");
    reopen(b, false);
    assert_records(b, "abd");
    r = (struct records){.stop_at = 2};
    ERR(BOUGH_ECONFLICT, bough_store_records(b->s, records_take, &r));
    assert_int_equal(r.n, 2);
}

static void test_store__retired_records_are_gone(void **state)
{
    struct bed *b = *state;
    struct bough_txn *t;
    uint64_t a, e;

    if (no_records(b))
        return;
    t = begin(b);
    a = record(t, "main", "a");
    record(t, "other", "b");
    record(t, "main", "c");
    record(t, "mai", "d");
    commit(t);
    t = begin(b);
    OK(bough_txn_retire(t, VIEW("main"), a));
    assert_records(b, "abcd");
    bough_txn_abort(t);
    assert_records(b, "abcd");
    t = begin(b);
    OK(bough_txn_retire(t, VIEW("main"), a));
    OK(bough_txn_retire(t, VIEW("nobody"), UINT64_MAX));
    commit(t);
    assert_records(b, "bcd");
    reopen(b, false);
    assert_records(b, "bcd");
    t = begin(b);
    e = record(t, "main", "e");
    record(t, "main", "f");
    OK(bough_txn_retire(t, VIEW("main"), e)); /* also one of its own */
    commit(t);
    assert_records(b, "bdf");
    reopen(b, false);
    assert_records(b, "bdf");
    t = begin(b);
    OK(bough_txn_retire(t, VIEW("main"), UINT64_MAX));
    record(t, "main", "g"); /* came after it: is not meant */
    commit(t);
    t = begin(b);
    record(t, "main", "h");
    commit(t);
    assert_records(b, "bdgh");
    reopen(b, false);
    assert_records(b, "bdgh");
}

static void test_store__numbers_of_records_never_come_back(void **state)
{
    struct bed *b = *state;
    struct bough_txn *t;
    uint64_t a, c;

    if (no_records(b))
        return;
    t = begin(b);
    a = record(t, "main", "a");
    commit(t);
    t = begin(b);
    OK(bough_txn_retire(t, VIEW("main"), a));
    commit(t);
    reopen(b, false);
    assert_records(b, "");
    t = begin(b);
    c = record(t, "main", "c");
    commit(t);
    assert_true(a < c);
    reopen(b, false);
    assert_records(b, "c");
}

static void test_store__records_have_limits(void **state)
{
    struct bed *b = *state;
    static uint8_t bytes[BOUGH_RECORD_MAX + 1];
    struct bough_txn *t;
    struct records r;

    if (no_records(b))
        return;
    t = begin(b);
    memset(bytes, 'r', sizeof bytes);
    ERR(BOUGH_ETOOBIG, bough_txn_record(t, VIEW("s"), bough_view(bytes, sizeof bytes), NULL));
    ERR(BOUGH_ETOOBIG,
        bough_txn_record(t, bough_view(bytes, BOUGH_REF_NAME_MAX + 1), VIEW("x"), NULL));
    ERR(BOUGH_EINVAL, bough_txn_record(t, VIEW(""), VIEW("x"), NULL));
    ERR(BOUGH_ETOOBIG, bough_txn_retire(t, bough_view(bytes, BOUGH_REF_NAME_MAX + 1), 1));
    OK(bough_txn_record(t, VIEW("s"), bough_view(bytes, BOUGH_RECORD_MAX), NULL));
    OK(bough_txn_record(t, VIEW("s"), VIEW(""), NULL));
    OK(bough_txn_record(t, bough_view(bytes, BOUGH_REF_NAME_MAX), VIEW("x"), NULL));
    commit(t);
    reopen(b, false);
    r = records_of(b);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.len[0], BOUGH_RECORD_MAX);
    assert_int_equal(r.len[1], 0);
    assert_int_equal(r.first[2], 'x');
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__a_ref_is_made_moved_and_deleted),
        STORE_TEST(test_store__refs_keep_all_their_facts),
        STORE_TEST(test_store__a_swap_compares_first),
        STORE_TEST(test_store__a_symbolic_ref_is_not_compared),
        STORE_TEST(test_store__a_transaction_compares_with_itself),
        STORE_TEST(test_store__ref_names_have_limits),
        STORE_TEST(test_store__a_cursor_goes_through_a_prefix_in_order),
        STORE_TEST(test_store__a_cursor_has_no_state),
        STORE_TEST(test_store__records_come_in_the_order_of_commits),
        STORE_TEST(test_store__retired_records_are_gone),
        STORE_TEST(test_store__numbers_of_records_never_come_back),
        STORE_TEST(test_store__records_have_limits),
    };

    return store_suite("conform/store refs and records", tests, sizeof tests / sizeof *tests);
}
