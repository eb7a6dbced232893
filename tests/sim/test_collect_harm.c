/*
 * test_collect_harm.c - a collection goes on beside damage.
 *
 * Goal: where the index of a frame, the reverse table of a pack segment or an entry is damaged, a
 * collection ends well all the same, says that it left something alone, gives back the garbage
 * elsewhere, and loses nothing that could be read before.
 * Method: a store of log and of pack segments with one place changed on the device; what can be
 * read before is read after.
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "tests/lib/bulk.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 150, COMMITS = 60, MANY = 300, READ_MAX = 2000 };

static const struct bough_collect_opts now = {.grace = 0}, whole = {.grace = 0, .whole = true};

struct fix {
    struct log_bed b;
    struct bough_oid readable[READ_MAX]; /* before the collection */
    size_t n;
};

static void commits(struct fix *f, const char *name, uint64_t seed, uint32_t n)
{
    struct history h;

    history_init(&h, name);
    for (uint32_t i = 1; i <= n; i++)
        OK(history_commit(&h, f->b.s, i, seed + i));
    history_fini(&h);
}

static void drop(struct fix *f, const char *name)
{
    struct history h;

    history_init(&h, name);
    OK(history_drop(&h, f->b.s));
    history_fini(&h);
}

/* Branches whose commits lie side by side; one of them is dropped. */
static struct fix *fix_new(bool packs)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {
        .table_rows = 60, .log_max = 24 * 1024, .cache = 64 * 1024, .prepare = 1};
    struct fix *f = calloc(1, sizeof *f);

    assert_non_null(f);
    log_bed_begin(&f->b, (size_t)ZONES * ZONE, format, opts);
    for (uint64_t i = 0; i < 3; i++) {
        char keep[16], dead[16];
        (void)snprintf(keep, sizeof keep, "keep%u", (unsigned)i);
        (void)snprintf(dead, sizeof dead, "drop%u", (unsigned)i);
        commits(f, keep, 1000 * i, COMMITS / 3);
        commits(f, dead, 1000 * i + 500, COMMITS / 3);
    }
    OK(bulk_branch(f->b.s, "refs/heads/many", 7, MANY));
    if (packs)
        OK(history_collect(f->b.s, &whole, 1 << 20));
    for (uint64_t i = 0; i < 3; i++) {
        char dead[16];
        (void)snprintf(dead, sizeof dead, "drop%u", (unsigned)i);
        drop(f, dead);
    }
    commits(f, "late", 9000, 40); /* the log has moved on */
    return f;
}

static void fix_free(struct fix *f)
{
    log_bed_end(&f->b);
    free(f);
}

static enum bough_err note(void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    struct fix *f = ctx;
    struct bough_buf body;
    enum bough_type type;

    (void)found;
    bough_buf_init(&body, bough_posix_mem());
    if (!bough_store_read(f->b.s, id, &type, &body)) {
        assert_true(f->n < READ_MAX);
        f->readable[f->n++] = *id;
    }
    bough_buf_fini(&body);
    return BOUGH_OK;
}

static int order(const void *a, const void *b)
{
    return bough_oid_cmp(a, b);
}

/* What could be read and is reached can be read.  Returns whether it can be. */
static bool needs(
    struct fix *f, const struct bough_oid *id, enum bough_type *type, struct bough_buf *body)
{
    enum bough_err err;

    bough_buf_clear(body);
    err = bough_store_read(f->b.s, id, type, body);
    if (bsearch(id, f->readable, f->n, sizeof *id, order) != NULL)
        OK(err);
    return !err;
}

static void tree_needs(struct fix *f, struct bough_view body, struct bough_buf *blob)
{
    struct bough_tree_iter it;
    struct bough_tree_entry e;
    enum bough_type type;

    bough_tree_iter_init(&it, f->b.s->algo, body, false);
    while (!bough_tree_iter_next(&it, &e))
        (void)needs(f, &e.id, &type, blob);
}

/* Returns how many commits can be read. */
static uint32_t branch_needs(struct fix *f, const char *name)
{
    struct bough_buf body, tree, blob;
    struct bough_ref ref;
    struct bough_oid id;
    enum bough_type type;
    uint32_t n = 0;

    bough_buf_init(&body, bough_posix_mem());
    bough_buf_init(&tree, bough_posix_mem());
    bough_buf_init(&blob, bough_posix_mem());
    OK(bough_store_ref(f->b.s, bough_view_str(name), &ref));
    for (id = ref.id; !bough_oid_is_zero(&id) && needs(f, &id, &type, &body); n++) {
        struct bough_commit c;

        OK(bough_commit_parse(f->b.s->algo, bough_buf_view(&body), &c));
        if (needs(f, &c.tree, &type, &tree))
            tree_needs(f, bough_buf_view(&tree), &blob);
        id = c.parents_n > 0 ? bough_commit_parent(&c, 0) : (struct bough_oid){{0}};
    }
    bough_buf_fini(&body);
    bough_buf_fini(&tree);
    bough_buf_fini(&blob);
    return n;
}

/* Collect beside the damage: it ends, and what could be read and lives can be read. */
static void survives(struct fix *f, const struct bough_collect_opts *opts)
{
    struct bough_collect_progress p;

    log_bed_reopen(&f->b);
    (void)bough_store_each(f->b.s, note, f);
    qsort(f->readable, f->n, sizeof *f->readable, order);
    OK(history_collect(f->b.s, opts, 5000));
    bough_store_collection(f->b.s, &p);
    assert_int_equal(p.collections, 1);
    assert_true(p.dead > 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "refs/heads/keep%d", i);
            assert_int_equal(branch_needs(f, name), COMMITS / 3);
        }
        assert_int_equal(branch_needs(f, "refs/heads/late"), 40);
        assert_int_equal(branch_needs(f, "refs/heads/many"), 1);
        log_bed_reopen(&f->b);
    }
}

/* The device's byte of a place in a segment. */
static uint8_t *byte_of(struct fix *f, const struct bough_log__segment *seg, uint64_t at)
{
    uint64_t dev, left;

    if (!seg->pack)
        return f->b.device + (uint64_t)seg->zone * ZONE + at;
    OK(bough_log__run_at((struct bough_log *)f->b.s, &seg->run, at, &dev, &left));
    return f->b.device + dev;
}

static void test_harm__in_the_index_of_a_frame(void **state)
{
    (void)state;
    for (size_t skip = 0; skip < 12; skip++) {
        struct fix *f = fix_new(false);
        struct bough_log *l = (struct bough_log *)f->b.s; /* store is the first field */
        const struct bough_log__segment *seg = &l->segment[1 + skip / 4];
        struct bough_log__frame frame;
        uint32_t at = 0;
        struct bough_collect_progress p;

        assert_false(seg->pack);
        for (size_t i = 0; i <= skip % 4; i++) {
            OK(bough_log__frame_decode(&l->geo, seg->zone, at, byte_of(f, seg, at), &frame));
            if (i < skip % 4)
                at += bough_log__frame_len(&l->geo, &frame);
        }
        *byte_of(f, seg, at + BOUGH_LOG__FRAME_HEAD + frame.data_len + 3) ^= 0x10;
        survives(f, skip % 2 ? &now : &whole);
        OK(history_collect(f->b.s, &now, 5000));
        bough_store_collection(f->b.s, &p);
        assert_true(p.damaged <= 1);
        fix_free(f);
    }
}

/* A block of the reverse table that is about blobs alone. */
static uint64_t blob_block(struct fix *f, const struct bough_log__segment *seg)
{
    struct bough_log *l = (struct bough_log *)f->b.s;
    uint32_t per = bough_log__rows_per_block(l);

    for (uint64_t block = seg->reverse.blocks; block > 0; block--) {
        uint64_t first = (block - 1) * per, n = 0, i = first;
        for (; i < seg->reverse.rows && i < first + per; i++) {
            struct bough_log__reverse r;
            struct bough_found found;
            OK(bough_log__reverse_get(l, seg, i, &r));
            OK(bough_log__look(l, bough_log__where(seg->number, r.offset), &found));
            n += found.type == BOUGH_BLOB;
        }
        if (n == i - first)
            return block - 1;
    }
    fail_msg("no block of blobs");
    return 0;
}

/* Of blobs: what commits and trees that cannot be read need is in test_collect_unread.c. */
static void test_harm__in_a_reverse_table(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 4; k++) {
        struct fix *f = fix_new(true);
        struct bough_log *l = (struct bough_log *)f->b.s;
        const struct bough_log__segment *seg = NULL;

        for (size_t i = 0; i < l->segments; i++) {
            if (l->segment[i].pack && l->segment[i].reverse.blocks > 0)
                seg = &l->segment[i];
        }
        assert_non_null(seg);
        *byte_of(f, seg, seg->reverse.at + blob_block(f, seg) * BOUGH_LOG__BLOCK + 100 * k) ^= 1;
        survives(f, k < 2 ? &now : &whole);
        fix_free(f);
    }
}

/* Blobs are not read to see what lives. */
static void test_harm__in_an_entry(void **state)
{
    (void)state;
    for (int k = 0; k < 6; k++) {
        struct fix *f = fix_new(k % 2);
        uint8_t body[HIST_BODY];
        struct bough_oid id =
            bough_oid_of(f->b.s->algo, BOUGH_BLOB, history_blob(body, 1000 + 3 * (uint64_t)k + 1));
        struct bough_log *l = (struct bough_log *)f->b.s;
        struct bough_log__row row;
        struct bough_log__entry e;

        OK(bough_log__row_find(l, &id, &row));
        OK(bough_log__entry_open(l, row.where, &e));
        *byte_of(f, e.seg, e.at + (k < 2 ? 0 : e.len / 2)) ^= 0x71;
        survives(f, k < 4 ? &whole : &now);
        fix_free(f);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harm__in_the_index_of_a_frame),
        cmocka_unit_test(test_harm__in_a_reverse_table),
        cmocka_unit_test(test_harm__in_an_entry),
    };

    return cmocka_run_group_tests_name("sim/collect harm", tests, NULL, NULL);
}
