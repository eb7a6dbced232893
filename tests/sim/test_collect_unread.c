/*
 * test_collect_unread.c - commits and trees that cannot be read stop no collection.
 *
 * Goal: a collection beside a damaged commit or tree ends well and says so; it keeps all that the damaged
 * one may have led to, so that nothing is lost when it is put again; what came later goes as ever, also when
 * the damage stays for years; when it is healed or dropped, what it held goes, too.
 * Method: a branch whose tree leads to what nothing else does, garbage before and after it, a bit of its
 * entry changed on the device; then objects are looked for by their ids, and the tree is put again.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/table_inner.h"
#include "tests/lib/bulk.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 150 };

static const struct bough_collect_opts now = {.grace = 0}, whole = {.grace = 0, .whole = true};

struct fix {
    struct log_bed b;
    struct bough_buf top; /* the tree that is damaged */
    struct bough_oid top_id, commit, sub, blob;
};

static struct fix *fix_new(void)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {
        .table_rows = 60, .log_max = 24 * 1024, .cache = 64 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, (size_t)ZONES * ZONE, format, opts);
    bough_buf_init(&f->top, bough_posix_mem());
    return f;
}

static void fix_free(struct fix *f)
{
    bough_buf_fini(&f->top);
    log_bed_end(&f->b);
    free(f);
}

static void garbage(struct fix *f, uint64_t seed, uint32_t commits)
{
    struct history h;

    history_init(&h, "gone");
    for (uint32_t i = 1; i <= commits; i++)
        OK(history_commit(&h, f->b.s, i, seed + i));
    OK(history_drop(&h, f->b.s));
    history_fini(&h);
}

static void blob_put(struct fix *f)
{
    struct bough_txn *t;

    OK(bough_txn_begin(f->b.s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view_str("reached by the damaged tree alone"), &f->blob));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

/* refs/heads/hurt: a commit, its tree, a tree in it, a value in that. */
static void branch_put(struct fix *f, bool with_ref)
{
    struct bough_commit_parts parts = {.parents_n = 0};
    struct bough_buf sub, text;
    struct bough_txn *t;

    bough_buf_init(&sub, bough_posix_mem());
    bough_buf_init(&text, bough_posix_mem());
    bough_buf_clear(&f->top);
    bough_tree_entry_put(
        &sub, f->b.s->algo, BOUGH_FILEMODE_BLOB, bough_view_str("value"), &f->blob);
    OK(bough_txn_begin(f->b.s, &t));
    OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&sub), &f->sub));
    bough_tree_entry_put(
        &f->top, f->b.s->algo, BOUGH_FILEMODE_TREE, bough_view_str("sub"), &f->sub);
    OK(bough_txn_put(t, BOUGH_TREE, bough_buf_view(&f->top), &f->top_id));
    parts.tree = f->top_id;
    parts.author.name = parts.author.mail = bough_view_str("a");
    parts.author.time.sec = 1000000000;
    parts.committer = parts.author;
    bough_commit_put(&text, f->b.s->algo, &parts);
    OK(bough_txn_put(t, BOUGH_COMMIT, bough_buf_view(&text), &f->commit));
    if (with_ref)
        OK(history_ref(t, "refs/heads/hurt", &f->commit));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_buf_fini(&sub);
    bough_buf_fini(&text);
}

/* Its entry is not what it was; a checkpoint comes after it. */
static void damage(struct fix *f, const struct bough_oid *id)
{
    struct bough_log *l = (struct bough_log *)f->b.s; /* store is the first field */
    struct bough_log__row row;
    struct bough_log__entry e;
    uint64_t dev, left;

    OK(bough_log__checkpoint(l));
    OK(bough_log__row_find(l, id, &row));
    OK(bough_log__entry_open(l, row.where, &e));
    if (e.seg->pack)
        OK(bough_log__run_at(l, &e.seg->run, e.at + e.len / 2, &dev, &left));
    else
        dev = (uint64_t)e.seg->zone * ZONE + e.at + e.len / 2;
    f->b.device[dev] ^= 0x40;
    log_bed_reopen(&f->b);
}

static bool has(struct fix *f, const struct bough_oid *id)
{
    enum bough_err err = bough_store_has(f->b.s, id);

    assert_true(err == BOUGH_OK || err == BOUGH_ENOENT);
    return err == BOUGH_OK;
}

static bool reads(struct fix *f, const struct bough_oid *id)
{
    struct bough_buf body;
    enum bough_type type;
    enum bough_err err;

    bough_buf_init(&body, bough_posix_mem());
    err = bough_store_read(f->b.s, id, &type, &body);
    bough_buf_fini(&body);
    return !err;
}

static struct bough_collect_progress collect(
    struct fix *f, const struct bough_collect_opts *opts, uint64_t unread)
{
    struct bough_collect_progress p;

    OK(history_collect(f->b.s, opts, 5000));
    bough_store_collection(f->b.s, &p);
    assert_int_equal(p.unread, unread);
    return p;
}

/* Some object of the garbage that came with these seeds. */
static struct bough_oid garbage_id(struct fix *f, uint64_t seed)
{
    uint8_t body[HIST_BODY];

    return bough_oid_of(f->b.s->algo, BOUGH_BLOB, history_blob(body, seed));
}

static uint64_t objects(struct fix *f)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->b.s, &st));
    return st.objects;
}

/* What the tree leads to is there when it is put again.  When nothing needs it, nothing is held. */
static void heals(struct fix *f, const struct bough_oid *id)
{
    assert_false(reads(f, id));
    assert_true(has(f, &f->sub) && has(f, &f->blob));
    branch_put(f, true); /* the same once more */
    assert_true(reads(f, id) && reads(f, &f->sub) && reads(f, &f->blob));
    OK(bulk_drop(f->b.s, "refs/heads/hurt"));
    assert_int_equal(collect(f, &now, 0).held, 0);
    log_bed_reopen(&f->b);
    assert_int_equal(objects(f), 0);
    assert_int_equal(((struct bough_log *)f->b.s)->hold.rows, 0);
}

/* Never collected before: what came in the log segments after it goes. */
static void test_unread__what_came_later_goes(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        struct fix *f = fix_new();
        struct bough_oid early, late;
        struct bough_collect_progress p;

        garbage(f, 1000, 30);
        blob_put(f);
        branch_put(f, true);
        garbage(f, 5000, 200);
        early = garbage_id(f, 1005);
        late = garbage_id(f, 5199);
        damage(f, k < 2 ? &f->top_id : &f->commit);
        p = collect(f, k % 2 ? &whole : &now, 1);
        assert_true(p.held > 0 && p.dead > 400);
        assert_true(has(f, &early)); /* it may have been reached */
        assert_false(has(f, &late));
        log_bed_reopen(&f->b);
        heals(f, k < 2 ? &f->top_id : &f->commit);
        assert_false(has(f, &early));
        fix_free(f);
    }
}

/* The row that stands for the value is younger than the tree; its first entry is not. */
static void test_unread__a_value_that_came_again(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct fix *f = fix_new();

        blob_put(f);
        branch_put(f, true);
        if (k)
            (void)collect(f, &now, 0);
        garbage(f, 2000, 100);
        blob_put(f);
        garbage(f, 5000, 100);
        damage(f, &f->top_id);
        (void)collect(f, &now, 1);
        heals(f, &f->top_id);
        fix_free(f);
    }
}

/* It was collected since, so that its place says nothing of its age. */
static void test_unread__moved_before(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct fix *f = fix_new();
        struct bough_oid late;

        blob_put(f);
        branch_put(f, true);
        garbage(f, 3000, 50);
        (void)collect(f, k ? &whole : &now, 0);
        garbage(f, 5000, 100);
        damage(f, &f->top_id);
        (void)collect(f, &now, 1);
        late = garbage_id(f, 5099);
        assert_false(has(f, &late));
        heals(f, &f->top_id);
        fix_free(f);
    }
}

/* However long the damage stays, no more is held than was there when it was met; and the device takes
   many times its size. */
static void test_unread__for_years(void **state)
{
    struct fix *f = fix_new();
    uint64_t most = 0;

    (void)state;
    blob_put(f);
    branch_put(f, true);
    garbage(f, 500, 20);
    damage(f, &f->top_id);
    for (uint64_t i = 0; i < 60; i++) {
        bool more = true;

        OK(bulk_branch(f->b.s, "refs/heads/churn", i, 100));
        garbage(f, 10000 * (i + 1), 30);
        while (more)
            OK(bough_store_maintain(f->b.s, 50000, &more));
        if (i % 8 == 3)
            (void)collect(f, &now, 1);
        if (i == 3)
            most = objects(f);
        if (i % 8 == 3)
            assert_in_range(objects(f), 1, most + 30);
        if (i % 5 == 2)
            log_bed_reopen(&f->b);
    }
    assert_true(((struct bough_log *)f->b.s)->hold.rows > 0);
    OK(bulk_drop(f->b.s, "refs/heads/churn"));
    (void)collect(f, &now, 1);
    heals(f, &f->top_id);
    fix_free(f);
}

/* Nobody reaches it any more: all of it goes. */
static void test_unread__dropped(void **state)
{
    struct fix *f = fix_new();

    (void)state;
    blob_put(f);
    branch_put(f, true);
    damage(f, &f->top_id);
    (void)collect(f, &now, 1);
    OK(bulk_drop(f->b.s, "refs/heads/hurt"));
    (void)collect(f, &now, 0);
    assert_int_equal(objects(f), 0);
    assert_int_equal(((struct bough_log *)f->b.s)->hold.rows, 0);
    log_bed_reopen(&f->b);
    assert_int_equal(objects(f), 0);
    fix_free(f);
}

/* A second one, of later, while the first is there. */
static void test_unread__one_more(void **state)
{
    struct fix *f = fix_new();
    struct bough_oid kept, late;
    struct history h;

    (void)state;
    blob_put(f);
    branch_put(f, true);
    garbage(f, 500, 20);
    damage(f, &f->top_id);
    (void)collect(f, &now, 1);
    history_init(&h, "other");
    for (uint32_t i = 1; i <= 50; i++)
        OK(history_commit(&h, f->b.s, 1, 7000 + i));
    damage(f, &h.head);
    garbage(f, 9000, 100);
    kept = garbage_id(f, 7010);
    late = garbage_id(f, 9099);
    (void)collect(f, &now, 2);
    assert_true(has(f, &kept));
    assert_false(has(f, &late));
    OK(history_drop(&h, f->b.s));
    history_fini(&h);
    (void)collect(f, &now, 1);
    assert_true(has(f, &kept)); /* what is in the list stays until all is well */
    heals(f, &f->top_id);
    assert_false(has(f, &kept));
    fix_free(f);
}

/* Met only when what lives was counted: it begins again, and holds all. */
static void test_unread__met_late(void **state)
{
    struct fix *f = fix_new();
    struct bough_oid early;
    struct bough_txn *t;
    bool more = true;

    (void)state;
    garbage(f, 1000, 100);
    OK(bulk_branch(f->b.s, "refs/heads/lives", 1, 100));
    blob_put(f);
    branch_put(f, false); /* nothing reaches it yet */
    garbage(f, 2000, 100);
    damage(f, &f->top_id);
    OK(bough_store_collect(f->b.s, &now));
    for (struct bough_collect_progress p = {.live = 0}; p.phase != BOUGH_COLLECT_COPY;) {
        OK(bough_store_maintain(f->b.s, 500, &more));
        bough_store_collection(f->b.s, &p);
        assert_true(more);
    }
    OK(bough_txn_begin(f->b.s, &t));
    OK(history_ref(t, "refs/heads/hurt", &f->commit));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    while (more)
        OK(bough_store_maintain(f->b.s, 5000, &more));
    early = garbage_id(f, 1005);
    assert_true(has(f, &early));
    OK(bulk_drop(f->b.s, "refs/heads/lives"));
    heals(f, &f->top_id);
    fix_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread__what_came_later_goes),
        cmocka_unit_test(test_unread__a_value_that_came_again),
        cmocka_unit_test(test_unread__moved_before),
        cmocka_unit_test(test_unread__for_years),
        cmocka_unit_test(test_unread__dropped),
        cmocka_unit_test(test_unread__one_more),
        cmocka_unit_test(test_unread__met_late),
    };

    return cmocka_run_group_tests_name("sim/collect unread", tests, NULL, NULL);
}
