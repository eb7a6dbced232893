/*
 * test_collect_packs.c - thousands of small pushes stay few segments.
 *
 * Goal: with nothing but maintain() the segments, tables and zones of small packs are bounded by their bytes and
 * the logarithm of how many came, opening reads no more than a few blocks, nothing is lost, what nothing reaches
 * is not dropped by it, and an entry is copied a few times at most; a collection gives the half-empty zones back.
 * Method: 1,000 packs (LONG=1: 3,000), each just too long for a frame, with a tag or without; counts on the way; values are read
 * at the end.
 */
#include "git/pack.h"
#include "store/log/inner.h"
#include "store/log/segment_inner.h"
#include "tests/lib/bulk.h"
#include "tests/lib/log_bed.h"
#include "tests/sim/recblk.h"

enum { UNIT = 512, ZONE = 32 * 1024, ZONES = 7000, PUSHES_MAX = 3000, VALUES = 11 };
enum { PACKS = 64 + 5 * 32, READ_MAX = 600 };

static void begin(struct log_bed *b)
{
    const struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    const struct bough_log_open_opts opts = {.table_rows = 2000, .cache = 256 * 1024};

    log_bed_begin(b, (size_t)ZONES * ZONE, format, opts);
}

static struct bough_oid id_of(struct log_bed *b, uint64_t i, uint64_t k)
{
    uint8_t body[BULK_VALUE];

    return bough_oid_of(b->s->algo, BOUGH_BLOB, bulk_value(body, (i << 20) + k));
}

/* Some values in a pack; `tag`: something reaches the first. */
static void push(struct log_bed *b, uint64_t i, bool tag)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = BULK_VALUE};
    struct bough_oid id = id_of(b, i, 0);
    struct bough_pack_writer w;
    struct bough_intake *in;
    struct bough_buf pack;
    struct bough_txn *t;
    uint8_t body[BULK_VALUE];
    char name[32];
    enum bough_err err;
    size_t used, fed = 0;

    bough_buf_init(&pack, bough_posix_mem());
    bough_pack_writer_init(&w, &pack, b->s->algo, VALUES);
    for (uint64_t k = 0; k < VALUES; k++)
        bough_pack_writer_put(&w, &head, bulk_value(body, (i << 20) + k), 1);
    bough_pack_writer_finish(&w);
    OK(bough_store_intake(b->s, NULL, &in));
    for (; fed < pack.len; fed += used)
        OK(bough_intake_feed(in, bough_view(pack.ptr + fed, pack.len - fed), &used));
    while ((err = bough_intake_step(in, 100000)) == BOUGH_EAGAIN)
        continue;
    OK(err);
    OK(bough_txn_begin(b->s, &t));
    OK(bough_txn_adopt(t, in));
    (void)snprintf(name, sizeof name, "refs/tags/t%llu", (unsigned long long)i);
    if (tag)
        OK(history_ref(t, name, &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    bough_buf_fini(&pack);
}

static uint32_t used(struct log_bed *b)
{
    const struct bough_log *l = (struct bough_log *)b->s; /* store is the first field */

    return ZONES - l->zones.free;
}

static uint64_t packs(struct log_bed *b)
{
    const struct bough_log *l = (struct bough_log *)b->s;
    uint64_t n = 0;

    for (size_t i = 0; i < l->segments; i++)
        n += l->segment[i].pack;
    return n;
}

static void maintained(struct log_bed *b)
{
    bool more = true;

    while (more)
        OK(bough_store_maintain(b->s, 100000, &more));
}

static void open_cheaply(struct log_bed *b)
{
    struct recblk rec;

    log_bed_close(b);
    recblk_init(&rec, &b->ram.blk);
    rec.reads = true;
    OK(log_bed_open_on(b, &rec.blk));
    assert_in_range(recblk_count(&rec, 'r'), 1, READ_MAX);
    log_bed_close(b);
    recblk_fini(&rec);
    log_bed_open(b);
}

static void test_packs__stay_few(void **state)
{
    struct log_bed b;
    const uint64_t pushes = getenv("LONG") != NULL ? PUSHES_MAX : PUSHES_MAX / 3;
    uint64_t segments = 0, tables = 0, zones = 0;

    (void)state;
    begin(&b);
    for (uint64_t i = 1; i <= pushes; i++) {
        const struct bough_log *l = (struct bough_log *)b.s;
        uint64_t n;

        push(&b, i, i % 4 != 0);
        maintained(&b);
        n = packs(&b);
        segments = n > segments ? n : segments;
        tables = l->tables > tables ? l->tables : tables;
        zones = used(&b) > zones ? used(&b) : zones;
        if (i % 500 == 0)
            open_cheaply(&b);
    }
    assert_in_range(segments, 60, PACKS);
    assert_in_range(tables, 1, 24);
    assert_in_range(
        used(&b), 1, pushes * VALUES * (BULK_VALUE / 10 * 11) / ZONE + pushes / 60 + 3 * PACKS);
    printf("%llu packs, %llu tables, %llu zones at most\n", (unsigned long long)segments,
        (unsigned long long)tables, (unsigned long long)zones);
    for (uint64_t i = 1; i <= pushes; i++) { /* also what nothing reaches */
        struct bough_oid id = id_of(&b, i, i % VALUES);
        struct bough_buf body;
        enum bough_type type;

        bough_buf_init(&body, bough_posix_mem());
        OK(bough_store_read(b.s, &id, &type, &body));
        bough_buf_fini(&body);
    }
    OK(bough_store_check(b.s, NULL, NULL));
    log_bed_end(&b);
}

/* Fewer than make maintain() begin: a collection takes them along. */
static void test_packs__leave_half_empty_zones(void **state)
{
    const struct bough_collect_opts now = {.grace = 0};
    struct log_bed b;
    uint32_t before;

    (void)state;
    begin(&b);
    for (uint64_t i = 1; i <= 40; i++)
        push(&b, i, true);
    before = used(&b);
    OK(history_collect(b.s, &now, 100000));
    maintained(&b);
    assert_true(used(&b) + 25 < before);
    for (uint64_t i = 1; i <= 40; i++) {
        struct bough_oid id = id_of(&b, i, 0);
        OK(bough_store_has(b.s, &id));
    }
    OK(bough_store_check(b.s, NULL, NULL));
    log_bed_end(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packs__stay_few),
        cmocka_unit_test(test_packs__leave_half_empty_zones),
    };

    return cmocka_run_group_tests_name("sim/collect packs", tests, NULL, NULL);
}
