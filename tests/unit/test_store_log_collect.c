/*
 * test_store_log_collect.c - what cannot be reached goes, all else stays, whatever happens meanwhile.
 *
 * Goal: a collection drops what nothing reaches and gives its space back; what lives stays
 * readable, closed and unchanged; what is named again while it runs lives; pins, the keeper, grace
 * and retention hold; a dry run says what the real one does.
 * Method: small histories (tests/lib/history.h) on a device in memory with small zones and tiny
 * tables; collections in one go and in the smallest steps, with things happening between them.
 */
#include "git/pack.h"
#include "tests/lib/history.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, BYTES = 8 * 1024 * 1024 };

static const struct bough_collect_opts now = {.grace = 0};

static int setup(void **state)
{
    static struct log_bed f;

    log_bed_begin(&f, BYTES, (struct bough_log_format_opts){.granule = UNIT, .zone = ZONE},
        (struct bough_log_open_opts){
            .table_rows = 100, .log_max = 64 * 1024, .cache = 64 * 1024, .prepare = 1});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    log_bed_end(*state);
    return 0;
}

static void commits(struct history *h, struct bough_store *s, uint64_t from, uint64_t n)
{
    for (uint64_t i = from; i < from + n; i++)
        OK(history_commit(h, s, (uint32_t)(i * 7), i + 1));
}

static uint64_t used(struct bough_store *s)
{
    struct bough_store_stats st;

    OK(bough_store_stat(s, &st));
    return st.used_bytes;
}

static void whole(struct log_bed *f, uint64_t objects)
{
    assert_int_equal(history_closed(f->s), objects);
    log_bed_reopen(f);
    assert_int_equal(history_closed(f->s), objects);
}

static void test_collect__a_dropped_branch_gives_its_space_back(void **state)
{
    struct log_bed *f = *state;
    struct history keep, drop;
    struct bough_collect_progress p;
    uint64_t kept, before, full;

    history_init(&keep, "keep");
    history_init(&drop, "drop");
    commits(&keep, f->s, 0, 40);
    kept = history_closed(f->s);
    before = used(f->s);
    commits(&drop, f->s, 1000, 600);
    full = used(f->s);
    assert_true(full > before + 10 * ZONE);
    OK(history_drop(&drop, f->s));
    OK(history_collect(f->s, &now, 1 << 20));
    bough_store_collection(f->s, &p);
    assert_int_equal(p.phase, BOUGH_COLLECT_IDLE);
    assert_int_equal(p.collections, 1);
    assert_int_equal(p.live, kept);
    assert_true(p.dead >= 1800);
    assert_int_equal(history_closed(f->s), kept);
    OK(history_collect(f->s, &now, 1 << 20));
    OK(history_collect(f->s, &now, 1 << 20));
    assert_true(used(f->s) <= before + 4 * ZONE);
    whole(f, kept);
    commits(&keep, f->s, 100, 50);
    whole(f, kept + 150);
    history_fini(&keep);
    history_fini(&drop);
}

static void test_collect__steps_may_be_as_small_as_can_be(void **state)
{
    struct log_bed *f = *state;
    struct history keep, drop;
    uint64_t n = 0, kept;
    bool more = true;

    history_init(&keep, "keep");
    history_init(&drop, "drop");
    commits(&keep, f->s, 0, 60);
    commits(&drop, f->s, 1000, 100);
    OK(history_drop(&drop, f->s));
    OK(bough_store_collect(f->s, &now));
    while (more) {
        OK(bough_store_maintain(f->s, 1, &more));
        if (++n % 50 == 0)
            OK(history_commit(&keep, f->s, (uint32_t)n, n + 5000));
        if (n % 501 == 0)
            history_closed(f->s);
    }
    assert_true(n > 500);
    kept = history_closed(f->s);
    assert_int_equal(kept, 3 * keep.commits);
    whole(f, kept);
    history_fini(&keep);
    history_fini(&drop);
}

/* ---- What is read meanwhile ---- */

enum { BIG = 300 * 1000 };

static struct bough_oid put_big(struct bough_store *s, uint8_t *body)
{
    struct bough_oid id;
    struct bough_txn *t;
    uint64_t seed = 9;

    for (size_t at = 0; at < BIG; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(body + at, &x, 8);
    }
    OK(bough_txn_begin(s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view(body, BIG), &id));
    OK(history_ref(t, "refs/tags/big", &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    return id;
}

static void rest_is(struct bough_object *o, const uint8_t *body, size_t from)
{
    uint8_t piece[7000];

    while (from < BIG) {
        size_t got;
        OK(bough_object_read(o, from, piece, sizeof piece, &got));
        assert_true(got > 0);
        assert_memory_equal(piece, body + from, got);
        from += got;
    }
}

static void test_collect__what_is_being_read_goes_on_where_it_was_moved(void **state)
{
    struct log_bed *f = *state;
    struct bough_collect_opts all = {.whole = true};
    uint8_t *body = malloc(BIG), piece[1000];
    struct bough_oid id = put_big(f->s, body);
    struct bough_object *o, *gone;
    struct bough_entry e, late;
    struct bough_txn *t;
    size_t got;

    OK(bough_store_object_open(f->s, &id, &o));
    OK(bough_store_object_open(f->s, &id, &gone));
    OK(bough_store_entry(f->s, &id, &e));
    OK(bough_object_read(o, 0, piece, sizeof piece, &got));
    OK(history_collect(f->s, &all, 1 << 20));
    OK(bough_store_entry(f->s, &id, &late));
    assert_int_not_equal(e.where, late.where);
    rest_is(o, body, sizeof piece);
    OK(bough_store_entry_read(f->s, &e, e.packed_len - 1000, piece, sizeof piece));
    bough_object_close(o);
    OK(bough_txn_begin(f->s, &t));
    OK(history_ref(t, "refs/tags/big", NULL));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    OK(history_collect(f->s, &now, 1 << 20));
    assert_int_equal(bough_store_entry_read(f->s, &e, 0, piece, 9), BOUGH_EEXPIRED);
    assert_int_equal(bough_object_read(gone, 9, piece, 9, &got), BOUGH_EEXPIRED);
    bough_object_close(gone);
    free(body);
}

/* ---- What is named again meanwhile ---- */

/* A commit that nothing reached when it began gets a ref; so does a blob by way of a new tree. */
static void test_collect__what_is_named_again_lives(void **state)
{
    struct log_bed *f = *state;
    struct history keep, drop;

    history_init(&keep, "keep");
    history_init(&drop, "drop");
    for (uint64_t at = 1; at < 400; at = at * 5 / 4 + 1) {
        struct bough_oid head;
        struct bough_txn *t;
        uint64_t steps = 0;
        bool more = true;

        commits(&keep, f->s, at * 100, 4);
        commits(&drop, f->s, at * 1000 + 500000, 9);
        head = drop.head;
        OK(history_drop(&drop, f->s));
        OK(bough_store_collect(f->s, &now));
        while (more) {
            OK(bough_store_maintain(f->s, 1, &more));
            if (++steps != at || bough_store_has(f->s, &head))
                continue;
            OK(bough_txn_begin(f->s, &t));
            OK(history_ref(t, drop.name, &head));
            OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
            history_closed(f->s);
        }
        drop.tree_body.len = 0;
        if (steps >= at) {
            OK(bough_store_has(f->s, &head));
            assert_int_equal(history_closed(f->s), 3 * (keep.commits + drop.commits));
            continue;
        }
        assert_int_equal(bough_store_has(f->s, &head), BOUGH_ENOENT);
        break;
    }
    history_fini(&keep);
    history_fini(&drop);
}

static enum bough_err two_of_drop(
    void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    (void)ctx;
    out->commits = bough_view_eq(ref->name, bough_view_str("refs/heads/drop")) ? 2 : 0;
    return BOUGH_OK;
}

/* A branch whose history was cut goes, and comes back while that is collected: it stays cut. */
static void test_collect__what_comes_back_ends_at_the_boundary(void **state)
{
    static const struct bough_store_keeper keeper = {.retention = two_of_drop};
    struct log_bed *f = *state;
    uint64_t steps = UINT64_MAX;

    bough_store_keep(f->s, &keeper);
    for (uint64_t at = 1; at < steps; at++) {
        struct history drop;
        struct bough_txn *t;
        bool more = true;

        history_init(&drop, "drop");
        commits(&drop, f->s, at * 1000, 4);
        OK(history_collect(f->s, &now, 1 << 20));
        OK(history_drop(&drop, f->s));
        OK(bough_store_collect(f->s, &now));
        for (steps = 0; more; steps++) {
            OK(bough_store_maintain(f->s, 1, &more));
            if (steps != at || bough_store_has(f->s, &drop.head))
                continue;
            OK(bough_txn_begin(f->s, &t));
            OK(history_ref(t, "refs/heads/again", &drop.head));
            OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        }
        history_closed(f->s);
        history_fini(&drop);
    }
    assert_true(steps > 20);
}

static enum bough_err some_of_keep(
    void *ctx, const struct bough_ref *ref, struct bough_retention *out)
{
    if (bough_view_eq(ref->name, bough_view_str("refs/heads/keep")))
        out->commits = *(const uint32_t *)ctx;
    return BOUGH_OK;
}

/* Whenever a branch is said to keep all, or less, it is not lost. */
static void test_collect__retention_may_change_meanwhile(void **state)
{
    struct log_bed *f = *state;
    uint64_t steps = UINT64_MAX;
    uint32_t some = 0;
    const struct bough_store_keeper keeper = {.retention = some_of_keep, .ctx = &some};
    struct history keep;

    history_init(&keep, "keep");
    bough_store_keep(f->s, &keeper);
    for (uint64_t at = 1; at < steps; at++) {
        bool more = true;

        commits(&keep, f->s, at * 1000, 4);
        some = at % 2 == 0 ? 0 : 2;
        OK(bough_store_collect(f->s, &now));
        for (steps = 0; more; steps++) {
            OK(bough_store_maintain(f->s, 1, &more));
            if (steps == at)
                some = 2 - some;
        }
        history_closed(f->s);
    }
    assert_true(steps > 20);
    history_fini(&keep);
}

/* ---- Deltas by place ---- */

enum { FILLERS = 100, FILLER = 4000, PLACED = 304 };

static struct bough_view placed(uint8_t body[PLACED], uint8_t tail)
{
    uint64_t seed = 77;

    for (size_t at = 0; at < PLACED; at += 8) {
        uint64_t x = test_random(&seed);
        memcpy(body + at, &x, 8);
    }
    body[PLACED - 1] = tail;
    return bough_view(body, PLACED);
}

/* `tail` as a delta of another: by id, or by its place where `back` is not 0. */
static void put_placed(struct bough_pack_writer *w, uint8_t tail, uint8_t from, uint64_t back)
{
    uint8_t body[PLACED];
    struct bough_entry_head head = {.type = back ? BOUGH_OFS_DELTA : BOUGH_REF_DELTA, .back = back};
    struct bough_delta_builder d;
    struct bough_buf delta;

    head.base = bough_oid_of(test_algo(), BOUGH_BLOB, placed(body, from));
    bough_buf_init(&delta, bough_posix_mem());
    bough_delta_begin(&d, &delta, PLACED, PLACED);
    bough_delta_copy(&d, 0, PLACED - 1);
    bough_delta_insert(&d, bough_view(&tail, 1));
    bough_delta_end(&d);
    head.size = delta.len;
    bough_pack_writer_put(w, &head, bough_buf_view(&delta), 1);
    bough_buf_fini(&delta);
}

/* A thin pack: 1 is a delta of 0, which it lacks, 2 one of 1 by its place; and much else. */
static void pack_placed(struct bough_buf *pack, struct bough_buf *tree)
{
    uint8_t body[FILLER];
    struct bough_pack_writer w;
    size_t at;

    bough_pack_writer_init(&w, pack, test_algo(), FILLERS + 2);
    for (uint32_t i = 0; i < FILLERS; i++) {
        struct bough_entry_head head = {.type = BOUGH_BLOB, .size = FILLER};
        uint64_t seed = 1000 + i;
        char name[8];
        struct bough_oid id;

        for (at = 0; at < FILLER; at += 8) {
            uint64_t x = test_random(&seed);
            memcpy(body + at, &x, 8);
        }
        bough_pack_writer_put(&w, &head, bough_view(body, FILLER), 1);
        id = bough_oid_of(test_algo(), BOUGH_BLOB, bough_view(body, FILLER));
        bough_tree_entry_put(tree, test_algo(), BOUGH_FILEMODE_BLOB,
            bough_view(name, (size_t)snprintf(name, sizeof name, "f%03u", i)), &id);
    }
    at = pack->len;
    put_placed(&w, 1, 0, 0);
    put_placed(&w, 2, 1, pack->len - at);
    bough_pack_writer_finish(&w);
    OK(pack->err);
}

static struct bough_intake *receive(struct bough_store *s, struct bough_view pack)
{
    struct bough_intake *in;
    size_t used;
    enum bough_err err;

    OK(bough_store_intake(s, NULL, &in));
    OK(bough_intake_feed(in, pack, &used));
    while ((err = bough_intake_step(in, 1 << 20)) == BOUGH_EAGAIN)
        ;
    OK(err);
    return in;
}

static void name_placed(struct bough_txn *t, const char *ref, uint8_t tail)
{
    uint8_t body[PLACED];
    struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, placed(body, tail));

    OK(history_ref(t, ref, &id));
}

/* What nothing names, more than a zone of it. */
static void litter(struct bough_store *s, uint64_t seed)
{
    struct bough_txn *t;

    for (uint64_t i = 0; i < 120; i++) {
        uint8_t body[HIST_BODY];
        struct bough_oid id;

        OK(bough_txn_begin(s, &t));
        OK(bough_txn_put(t, BOUGH_BLOB, history_blob(body, seed * 1000 + i), &id));
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    }
}

/* A collection, and from that phase of it on the blob placed(1) has a ref. */
static void collect_naming(struct log_bed *f, enum bough_collect_phase phase)
{
    struct bough_collect_progress p;
    struct bough_txn *t;
    bool more = true, named = false;

    OK(bough_store_collect(f->s, &now));
    while (more) {
        OK(bough_store_maintain(f->s, 1, &more));
        bough_store_collection(f->s, &p);
        if (named || phase == BOUGH_COLLECT_IDLE || p.phase != phase)
            continue;
        OK(bough_txn_begin(f->s, &t));
        name_placed(t, "refs/tags/one", 1);
        OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
        named = true;
    }
    assert_true(named || phase == BOUGH_COLLECT_IDLE);
}

static void is_read(struct log_bed *f, uint8_t tail)
{
    uint8_t want[PLACED];
    struct bough_view body = placed(want, tail);
    struct bough_oid id = bough_oid_of(test_algo(), BOUGH_BLOB, body);
    struct bough_buf got;

    bough_buf_init(&got, bough_posix_mem());
    OK(bough_store_read(f->s, &id, NULL, &got));
    assert_true(bough_view_eq(bough_buf_view(&got), body));
    bough_buf_fini(&got);
}

/* A received pack stays; the base of one of its deltas goes, and another stands upon that delta by
   its place.  The delta lives always, or from phase `named` on, or never (IDLE). */
static void base_goes(struct log_bed *f, bool one_lives, enum bough_collect_phase named)
{
    struct bough_buf pack, tree;
    struct bough_intake *in;
    struct bough_oid id;
    struct bough_txn *t;
    uint8_t body[PLACED];
    uint32_t ones = one_lives || named != BOUGH_COLLECT_IDLE;

    bough_buf_init(&pack, bough_posix_mem());
    bough_buf_init(&tree, bough_posix_mem());
    litter(f->s, 1);
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, placed(body, 0), &id));
    OK(history_ref(t, "refs/tags/base", &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    litter(f->s, 2);
    pack_placed(&pack, &tree);
    in = receive(f->s, bough_buf_view(&pack));
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_adopt(t, in));
    OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&tree), &id));
    OK(history_ref(t, "refs/tags/fill", &id));
    if (one_lives)
        name_placed(t, "refs/tags/one", 1);
    name_placed(t, "refs/tags/two", 2);
    OK(history_ref(t, "refs/tags/base", NULL));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    whole(f, 240 + FILLERS + 4);
    for (uint32_t i = 0; i < 2; i++) {
        collect_naming(f, i == 0 ? named : BOUGH_COLLECT_IDLE);
        whole(f, FILLERS + 2 + ones);
        is_read(f, 2);
        if (ones > 0)
            is_read(f, 1);
    }
    bough_buf_fini(&pack);
    bough_buf_fini(&tree);
}

static void test_collect__a_delta_by_place_stands_on_what_lost_its_base(void **state)
{
    base_goes(*state, true, BOUGH_COLLECT_IDLE);
}

static void test_collect__a_delta_by_place_stands_on_what_does_not_live(void **state)
{
    base_goes(*state, false, BOUGH_COLLECT_IDLE);
}

static void test_collect__what_lost_its_base_is_named_again(void **state)
{
    base_goes(*state, false, BOUGH_COLLECT_COPY);
}

static void test_collect__what_lost_its_base_is_named_at_the_end(void **state)
{
    base_goes(*state, false, BOUGH_COLLECT_DROP);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_collect__what_is_being_read_goes_on_where_it_was_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__a_delta_by_place_stands_on_what_lost_its_base, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__a_delta_by_place_stands_on_what_does_not_live, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__what_lost_its_base_is_named_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__what_lost_its_base_is_named_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__what_comes_back_ends_at_the_boundary, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__retention_may_change_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_collect__what_is_named_again_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__a_dropped_branch_gives_its_space_back, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_collect__steps_may_be_as_small_as_can_be, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/log collect", tests, NULL, NULL);
}
