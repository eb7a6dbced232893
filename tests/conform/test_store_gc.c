/*
 * test_store_gc.c - every engine that collects drops exactly what does not live.
 *
 * Goal: what lives is what refs reach as far as their retention goes, what the keeper and pins
 * name, and what is young; all else is gone, and the boundary is the commits that live and have
 * a parent that does not.  Nothing else can be seen to change, and a dry run changes nothing.
 * Method: random histories of commits (each with a tree and a blob of its own, and a blob that
 * many share), random refs, tags, retentions, pins, one collection after another, against sets
 * of bits.  An engine without MAINTAIN or without collection is left out.
 */
#include "git/object.h"
#include "store/collect.h"
#include "tests/conform/store_bed.h"

enum { COMMITS = 24, REFS = 4, SHARED = 5, PARENTS = 3 };

struct history {
    int n;
    int parents[COMMITS][PARENTS], parents_n[COMMITS];
    int64_t date[COMMITS];
    int shares[COMMITS]; /* which of the shared blobs is in its tree */
    struct bough_oid commit[COMMITS], tree[COMMITS], blob[COMMITS], shared[SHARED];
    int ref[REFS];        /* -1: there is none */
    struct bough_oid tag; /* of the commit of ref 0, or zero */
    struct bough_retention keep[REFS];
    uint32_t boundary;
    int root; /* what the keeper names; -1: nothing */
};

/* ---- Making ---- */

static const char *ref_name(int i)
{
    static const char *const names[REFS] = {
        "refs/heads/a", "refs/heads/b", "refs/heads/c", "refs/tags/d"};

    return names[i];
}

static void commit_text(struct bed *b, const struct history *h, int i, struct bough_buf *t)
{
    bough_buf_put_str(t, "tree ");
    bough_buf_put_hex(t, h->tree[i].bytes, bough_algo_len(b->algo));
    for (int k = 0; k < h->parents_n[i]; k++) {
        bough_buf_put_str(t, "\nparent ");
        bough_buf_put_hex(t, h->commit[h->parents[i][k]].bytes, bough_algo_len(b->algo));
    }
    for (int k = 0; k < 2; k++) {
        bough_buf_put_str(t, k == 0 ? "\nauthor A <a@x> " : "\ncommitter C <c@x> ");
        bough_buf_put_dec(t, h->date[i]);
        bough_buf_put_str(t, " +0000");
    }
    bough_buf_put_str(t, "\n\n");
    bough_buf_put_dec(t, i);
    bough_buf_put_u8(t, '\n');
}

static void history_put(struct bed *b, struct history *h)
{
    struct bough_txn *t = begin(b);
    struct bough_buf text;
    char body[32];

    bough_buf_init(&text, &b->t.mem.mem);
    for (int i = 0; i < SHARED; i++) {
        snprintf(body, sizeof body, "shared %d", i);
        h->shared[i] = bough_oid_of(b->algo, BOUGH_BLOB, bough_view_str(body));
    }
    for (int i = 0; i < h->n; i++) {
        snprintf(body, sizeof body, "shared %d", h->shares[i]);
        put(t, bough_view_str(body));
        snprintf(body, sizeof body, "blob of %d", i);
        h->blob[i] = put(t, bough_view_str(body));
        bough_buf_clear(&text);
        bough_tree_entry_put(&text, b->algo, BOUGH_FILEMODE_BLOB, VIEW("own"), &h->blob[i]);
        bough_tree_entry_put(
            &text, b->algo, BOUGH_FILEMODE_BLOB, VIEW("shared"), &h->shared[h->shares[i]]);
        OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&text), &h->tree[i]));
        bough_buf_clear(&text);
        commit_text(b, h, i, &text);
        OK(bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&text), &h->commit[i]));
    }
    commit(t);
    bough_buf_fini(&text);
}

static void history_random(struct history *h, uint64_t *seed)
{
    memset(h, 0, sizeof *h);
    h->n = 2 + (int)(test_random(seed) % (COMMITS - 1));
    h->root = -1;
    for (int i = 0; i < h->n; i++) {
        int want = (int)(test_random(seed) % 10);

        want = want == 0 ? 0 : want < 7 ? 1 : want - 6;
        h->date[i] = 5000 + 100 * i + (int64_t)(test_random(seed) % 150);
        h->shares[i] = (int)(test_random(seed) % SHARED);
        for (int k = 0; k < want && k < i; k++)
            h->parents[i][h->parents_n[i]++] = i - 1 - k * (int)(1 + test_random(seed) % 2);
        while (h->parents_n[i] > 0 && h->parents[i][h->parents_n[i] - 1] < 0)
            h->parents_n[i]--;
    }
    for (int i = 0; i < REFS; i++) {
        h->ref[i] = test_random(seed) % 4 == 0 ? -1 : (int)(test_random(seed) % (uint64_t)h->n);
        if (test_random(seed) % 2 == 0)
            h->keep[i].commits = (uint32_t)(1 + test_random(seed) % 4);
        if (test_random(seed) % 4 == 0)
            h->keep[i].since = 5000 + test_random(seed) % 2400;
    }
}

static void refs_put(struct bed *b, struct history *h)
{
    struct bough_txn *t = begin(b);
    struct bough_buf text;

    for (int i = 0; i < REFS; i++) {
        struct bough_ref_change c = set_gone(ref_name(i));

        if (h->ref[i] >= 0)
            c = set_id(ref_name(i), h->commit[h->ref[i]]);
        if (i == 3 && h->ref[i] >= 0) { /* an annotated one */
            bough_buf_init(&text, &b->t.mem.mem);
            bough_buf_put_str(&text, "object ");
            bough_buf_put_hex(&text, c.id.bytes, bough_algo_len(b->algo));
            bough_buf_put_str(&text, "\ntype commit\ntag d\ntagger T <t@x> 1 +0000\n\nt\n");
            c.peeled = c.id;
            OK(bough_txn_put(t, BOUGH_TAG, bough_buf_view(&text), &c.id));
            h->tag = c.id;
            bough_buf_fini(&text);
        }
        OK(bough_txn_ref(t, &c));
    }
    commit(t);
}

/* ---- The model ---- */

static uint32_t deep(const struct history *h, int from)
{
    uint32_t set = from < 0 ? 0 : 1u << from;

    for (int i = from; i >= 0; i--) {
        if ((set >> i & 1) == 0 || (h->boundary >> i & 1) != 0)
            continue;
        for (int k = 0; k < h->parents_n[i]; k++)
            set |= 1u << h->parents[i][k];
    }
    return set;
}

/* Generations, as the words of struct bough_retention have it. */
static uint32_t shallow(const struct history *h, int from, const struct bough_retention *keep)
{
    uint32_t set = 1u << from, last = set;

    if (keep->commits == 0 && keep->since == 0)
        return deep(h, from);
    for (uint32_t generation = 1; last != 0; generation++) {
        uint32_t next = 0;

        if (keep->commits != 0 && generation >= keep->commits)
            break;
        for (int i = 0; i < h->n; i++) {
            if ((last >> i & 1) == 0 || (h->boundary >> i & 1) != 0)
                continue;
            for (int k = 0; k < h->parents_n[i]; k++) {
                int p = h->parents[i][k];
                if (keep->since == 0 || (uint64_t)h->date[p] >= keep->since)
                    next |= 1u << p;
            }
        }
        last = next & ~set;
        set |= next;
    }
    return set;
}

static uint32_t living(const struct history *h)
{
    uint32_t set = deep(h, h->root);

    for (int i = 0; i < REFS; i++) {
        if (h->ref[i] >= 0)
            set |= shallow(h, h->ref[i], &h->keep[i]);
    }
    return set;
}

static uint32_t edges(const struct history *h, uint32_t live)
{
    uint32_t set = 0;

    for (int i = 0; i < h->n; i++) {
        for (int k = 0; k < h->parents_n[i] && (live >> i & 1) != 0; k++) {
            if ((live >> h->parents[i][k] & 1) == 0)
                set |= 1u << i;
        }
    }
    return set;
}

/* ---- Collecting ---- */

static enum bough_err keeper_roots(void *ctx, bough_store_emit_fn *emit, void *to)
{
    const struct history *h = ctx;
    static const struct bough_oid nowhere = {{9, 9, 9}};
    enum bough_err err = emit(to, &nowhere);

    return err || h->root < 0 ? err : emit(to, &h->commit[h->root]);
}

static enum bough_err keeper_retention(
    void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    const struct history *h = ctx;

    for (int i = 0; i < REFS; i++) {
        if (bough_view_eq(ref->name, bough_view_str(ref_name(i))))
            *out = h->keep[i];
    }
    return BOUGH_OK;
}

/* Ask, and do all of it; false: the engine cannot. */
static bool collect(struct bed *b, const struct bough_collect_opts *opts)
{
    enum bough_err err = bough_store_collect(b->s, opts);
    bool more = true;

    if (err == BOUGH_ENOTSUP)
        return false;
    OK(err);
    for (int i = 0; more; i++) {
        assert_true(i < 100000);
        OK(bough_store_maintain(b->s, 64 << 10, &more));
    }
    return true;
}

static void assert_there(struct bed *b, const struct bough_oid *id, bool there)
{
    struct bough_found found;

    assert_int_equal(bough_store_find(b->s, id, &found), there ? BOUGH_OK : BOUGH_ENOENT);
    if (there) {
        struct bough_buf out;

        bough_buf_init(&out, &b->t.mem.mem);
        OK(bough_store_read(b->s, id, NULL, &out));
        assert_int_equal(out.len, found.size);
        bough_buf_fini(&out);
    }
}

static void assert_living(struct bed *b, const struct history *h, uint32_t live)
{
    bool shared[SHARED] = {false};

    for (int i = 0; i < h->n; i++) {
        bool lives = (live >> i & 1) != 0;

        assert_there(b, &h->commit[i], lives);
        assert_there(b, &h->tree[i], lives);
        assert_there(b, &h->blob[i], lives);
        shared[h->shares[i]] = shared[h->shares[i]] || lives;
    }
    for (int i = 0; i < SHARED; i++)
        assert_there(b, &h->shared[i], shared[i]);
    if (h->ref[3] >= 0)
        assert_there(b, &h->tag, true);
}

static void assert_boundary(struct bed *b, const struct history *h)
{
    struct bough_oid id;
    uint32_t n = 0;
    enum bough_err err = bough_store_boundary_next(b->s, NULL, &id);

    for (int i = 0; i < h->n; i++)
        assert_int_equal(bough_store_boundary(b->s, &h->commit[i]),
            (h->boundary >> i & 1) != 0 ? BOUGH_OK : BOUGH_ENOENT);
    for (; !err; n++) {
        struct bough_oid after = id;
        err = bough_store_boundary_next(b->s, &after, &id);
    }
    ERR(BOUGH_ENOENT, err);
    assert_int_equal(n, __builtin_popcount(h->boundary));
}

/* One collection, checked; the history forgets what is gone. */
static void round_check(struct bed *b, struct history *h)
{
    struct bough_collect_opts dry = {.dry_run = true}, wet = {.grace = 0};
    struct picture before, after;
    uint32_t live = living(h);
    uint64_t ended;
    struct bough_collect_progress p;

    bough_store_collection(b->s, &p);
    ended = p.collections;
    before = picture_of(b->s);
    assert_true(collect(b, &dry));
    after = picture_of(b->s);
    assert_memory_equal(&before, &after, sizeof before);
    bough_store_collection(b->s, &p);
    assert_int_equal(p.collections, ended + 1);
    assert_int_equal(p.live + p.dead, before.objects);
    ended = p.live;
    assert_true(collect(b, &wet));
    bough_store_collection(b->s, &p);
    assert_int_equal(p.phase, BOUGH_COLLECT_IDLE);
    assert_int_equal(p.live, ended);
    h->boundary = edges(h, live);
    assert_living(b, h, live);
    assert_boundary(b, h);
    assert_int_equal(picture_of(b->s).objects, p.live);
    reopen(b, false);
    assert_living(b, h, live);
    assert_boundary(b, h);
}

static void test_store__exactly_what_does_not_live_is_dropped(void **state)
{
    struct bed *b = *state;
    struct bough_collect_opts wet = {.grace = 0};

    if (!collect(b, &wet))
        skip();
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t s = seed;
        struct history h;
        struct bough_store_keeper keeper = {
            .roots = keeper_roots, .retention = keeper_retention, .ctx = &h};

        history_random(&h, &s);
        history_put(b, &h);
        refs_put(b, &h);
        if (test_random(&s) % 3 == 0)
            h.root = (int)(test_random(&s) % (uint64_t)h.n);
        bough_store_keep(b->s, &keeper);
        b->t.time.sec += 10;
        round_check(b, &h);
        bough_store_keep(b->s, &keeper);
        h.root = -1;
        for (int i = 0; i < REFS; i++) { /* tighter; what is cut does not come back */
            if (h.keep[i].commits > 1)
                h.keep[i].commits--;
            if (h.ref[i] >= 0 && test_random(&s) % 4 == 0)
                h.ref[i] = -1;
        }
        refs_put(b, &h);
        b->t.time.sec += 10;
        round_check(b, &h);
        for (int i = 0; i < REFS; i++)
            h.ref[i] = -1;
        refs_put(b, &h);
        b->t.time.sec += 10;
        bough_store_keep(b->s, NULL);
        assert_true(collect(b, &wet));
        assert_int_equal(picture_of(b->s).objects, 0);
        h.boundary = 0;
        assert_boundary(b, &h);
    }
}

static void test_store__pins_and_youth_hold(void **state)
{
    struct bed *b = *state;
    struct bough_collect_opts wet = {.grace = 100};
    struct bough_store_pin pin;
    struct history h = {.n = 3, .root = -1, .ref = {-1, -1, -1, -1}};

    h.parents_n[1] = 1;
    h.date[0] = h.date[1] = h.date[2] = 1;
    history_put(b, &h);
    b->t.time.sec += 50;
    if (!collect(b, &wet))
        skip();
    assert_living(b, &h, 7);
    b->t.time.sec += 100;
    bough_store_pin(b->s, &pin, &h.commit[1]);
    assert_true(collect(b, &wet));
    assert_false(pin.expired);
    assert_living(b, &h, 3);
    assert_boundary(b, &h);
    bough_store_unpin(b->s, &pin);
    bough_store_pin(b->s, &pin, &h.tree[0]);
    assert_true(collect(b, &wet));
    assert_there(b, &h.commit[0], false);
    assert_there(b, &h.blob[0], true);
    assert_there(b, &h.blob[1], false);
    bough_store_unpin(b->s, &pin);
    assert_true(collect(b, &wet));
    assert_int_equal(picture_of(b->s).objects, 0);
}

/* What is put again is young again, though it was there. */
static void test_store__what_is_put_again_is_young(void **state)
{
    struct bed *b = *state;
    struct bough_collect_opts wet = {.grace = 100};
    struct bough_oid one = put_one(b, 100, 1), two = put_one(b, 100, 2);

    b->t.time.sec += 200;
    (void)put_one(b, 100, 1);
    if (!collect(b, &wet))
        skip();
    assert_there(b, &one, true);
    assert_there(b, &two, false);
}

/* What living objects are deltas of may go, and they are still what they were. */
static void test_store__deltas_outlive_their_bases(void **state)
{
    enum { VERSIONS = 12, LEN = 4000 };
    struct bed *b = *state;
    struct bough_collect_opts wet = {.grace = 0};
    struct bough_oid id[VERSIONS];
    uint8_t *body = make_body(LEN, 7);
    struct bough_txn *t;

    for (int i = 0; i < VERSIONS; i++) {
        /* source and result 4,000 bytes; insert one byte, copy the other 3,999 */
        const uint8_t delta[] = {
            0xa0, 0x1f, 0xa0, 0x1f, 1, (uint8_t)i, 0x80 | 0x01 | 0x30, 1, 0x9f, 0x0f};
        body[0] = (uint8_t)i;
        id[i] = bough_oid_of(b->algo, BOUGH_BLOB, bough_view(body, LEN));
        t = begin(b);
        if (i == 0)
            (void)put(t, bough_view(body, LEN));
        else
            OK(bough_txn_put_delta(t, BOUGH_BLOB, &id[i], &id[i - 1],
                bough_view(delta, sizeof delta), bough_view(body, LEN)));
        commit(t);
    }
    for (int keep = VERSIONS - 1; keep > 0; keep -= 5) {
        struct bough_ref_change c = set_id("refs/tags/t", id[keep]);

        t = begin(b);
        OK(bough_txn_ref(t, &c));
        commit(t);
        b->t.time.sec++;
        if (!collect(b, &wet)) {
            free(body);
            skip();
        }
        reopen(b, false);
        body[0] = (uint8_t)keep;
        assert_object(b, &id[keep], BOUGH_BLOB, bough_view(body, LEN));
        assert_int_equal(picture_of(b->s).objects, 1);
        for (int i = keep - 5; i >= 0 && i < keep; i++) { /* those before, for the next round */
            body[0] = (uint8_t)i;
            t = begin(b);
            (void)put(t, bough_view(body, LEN));
            commit(t);
        }
    }
    free(body);
}

static void test_store__records_without_a_keeper_forbid_it(void **state)
{
    struct bed *b = *state;
    struct bough_collect_opts wet = {.grace = 0};
    struct history h = {.n = 0, .root = -1};
    struct bough_store_keeper keeper = {
        .roots = keeper_roots, .retention = keeper_retention, .ctx = &h};
    struct bough_txn *t;

    if (!collect(b, &wet))
        skip();
    t = begin(b);
    OK(bough_txn_record(t, VIEW("refs/heads/x"), VIEW("r"), NULL));
    commit(t);
    ERR(BOUGH_ENOTSUP, bough_store_collect(b->s, &wet));
    bough_store_keep(b->s, &keeper);
    assert_true(collect(b, &wet));
}

int main(void)
{
    static const struct store_test tests[] = {
        STORE_TEST(test_store__exactly_what_does_not_live_is_dropped),
        STORE_TEST(test_store__pins_and_youth_hold),
        STORE_TEST(test_store__what_is_put_again_is_young),
        STORE_TEST(test_store__deltas_outlive_their_bases),
        STORE_TEST(test_store__records_without_a_keeper_forbid_it),
    };

    return store_suite("store_gc", tests, sizeof tests / sizeof *tests);
}
