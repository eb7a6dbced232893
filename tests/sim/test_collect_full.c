/*
 * test_collect_full.c - `no space` says what gc would free, and it is so.
 *
 * Goal: whoever finds no room is told how many bytes a collection would give back: within a quarter
 * and two zones of what it gives; nothing where all of it lives; and who tries again has that room.
 * Method: branches of known size, some of them dropped, on a small device; then a transaction, or a
 * pack, that does not fit.
 */
#include "git/pack.h"
#include "tests/lib/bulk.h"
#include "tests/lib/log_bed.h"

enum { UNIT = 512, ZONE = 32 * 1024, BYTES = 8 * 1024 * 1024 };

static struct log_bed *begin(struct log_bed *f)
{
    struct bough_log_format_opts format = {.granule = UNIT, .zone = ZONE};
    struct bough_log_open_opts opts = {.cache = 256 * 1024, .prepare = 1};

    log_bed_begin(f, BYTES, format, opts);
    return f;
}

static uint64_t used(struct log_bed *f)
{
    struct bough_store_stats st;

    OK(bough_store_stat(f->s, &st));
    return st.used_bytes;
}

/* All that a collection gives, and the zones that it frees, to be used at once. */
static void collect(struct log_bed *f)
{
    struct bough_collect_opts now = {.grace = 0};

    OK(history_collect(f->s, &now, 1 << 20));
}

/* A pack of one value after another, until there is no room. */
static enum bough_err pack_feed(struct log_bed *f, uint32_t n)
{
    struct bough_entry_head head = {.type = BOUGH_BLOB, .size = BULK_VALUE};
    struct bough_pack_writer w;
    struct bough_buf pack;
    struct bough_intake *in;
    uint8_t body[BULK_VALUE];
    size_t part;
    enum bough_err err;

    bough_buf_init(&pack, bough_posix_mem());
    bough_pack_writer_init(&w, &pack, f->s->algo, n);
    for (uint32_t i = 0; i < n; i++)
        bough_pack_writer_put(&w, &head, bulk_value(body, 99000000 + i), 1);
    bough_pack_writer_finish(&w);
    err = bough_store_intake(f->s, NULL, &in);
    for (size_t at = 0; !err && at < pack.len; at += part) {
        part = pack.len - at < 50000 ? pack.len - at : 50000;
        err = bough_intake_feed(in, bough_view(pack.ptr + at, part), &part);
    }
    while (!err && (err = bough_intake_step(in, 100000)) == BOUGH_EAGAIN)
        err = BOUGH_OK;
    bough_intake_close(in);
    bough_buf_fini(&pack);
    return err;
}

static void is_about(uint64_t told, uint64_t freed)
{
    if (told > freed + freed / 4 + 2 * ZONE || told + 2 * ZONE + freed / 4 < freed)
        fail_msg("told %d, freed %d", (int)told, (int)freed);
}

/* A branch that lives, one that does not. */
static struct log_bed *garbage(struct log_bed *bed, uint32_t dead, bool counted_before)
{
    struct log_bed *f = begin(bed);

    OK(bulk_branch(f->s, "refs/heads/keep", 1, 600));
    if (counted_before)
        collect(f);
    OK(bulk_branch(f->s, "refs/heads/drop", 2, dead));
    OK(bulk_drop(f->s, "refs/heads/drop"));
    return f;
}

static void says_what(bool counted_before)
{
    for (uint32_t dead = 100; dead <= 900; dead += 400) {
        struct log_bed bed, *f = garbage(&bed, dead, counted_before);
        uint64_t told, before;

        assert_int_equal(bulk_branch(f->s, "refs/heads/big", 3, 2000), BOUGH_ENOSPC);
        told = f->s->why.at;
        assert_true(told >= dead * BULK_VALUE - 2 * ZONE);
        before = used(f);
        collect(f);
        is_about(told, before - used(f));
        OK(bulk_branch(f->s, "refs/heads/big", 3, 1700));
        (void)history_closed(f->s);
        log_bed_end(f);
    }
}

static void test_full__says_what_gc_would_free(void **state)
{
    (void)state;
    says_what(false);
    says_what(true);
}

/* A pack has it freed before it gives up. */
static void test_full__frees_it_for_who_sends_a_pack(void **state)
{
    (void)state;
    for (uint32_t dead = 100; dead <= 900; dead += 400) {
        struct log_bed bed, *f = garbage(&bed, dead, dead == 500);

        assert_int_equal(pack_feed(f, 2200), BOUGH_ENOSPC);
        assert_int_equal(f->s->why.at, 0);
        assert_non_null(strstr(f->s->why.what, "gc would free nothing"));
        OK(pack_feed(f, 1700));
        log_bed_end(f);
    }
}

/* Who tries again has what was told to be there, though nobody collected. */
static void test_full__who_tries_again_has_that_room(void **state)
{
    struct log_bed bed, *f = begin(&bed);

    (void)state;
    OK(bulk_branch(f->s, "refs/heads/keep", 1, 600));
    OK(bulk_branch(f->s, "refs/heads/drop", 2, 800));
    OK(bulk_drop(f->s, "refs/heads/drop"));
    assert_int_equal(bulk_branch(f->s, "refs/heads/big", 3, 1500), BOUGH_ENOSPC);
    assert_true(f->s->why.at > 700 * BULK_VALUE);
    OK(bulk_branch(f->s, "refs/heads/big", 3, 1500));
    log_bed_end(f);
}

/* Branches of a few values until there is no room; some frames do not fill their zone, which gc gives back. */
static uint32_t fill(struct log_bed *f, uint32_t n)
{
    enum bough_err err = BOUGH_OK;

    for (; !err; n++) {
        char name[32];
        (void)snprintf(name, sizeof name, "refs/heads/b%u", n);
        err = bulk_branch(f->s, name, 10 + n, n % 7 + 1);
    }
    assert_int_equal(err, BOUGH_ENOSPC);
    return n;
}

static void test_full__says_nothing_where_all_of_it_lives(void **state)
{
    struct log_bed bed, *f = begin(&bed);
    uint32_t n = 0, rounds = 0;

    (void)state;
    do {
        uint64_t told, before = used(f);

        n = fill(f, n);
        told = f->s->why.at;
        before = used(f);
        if (rounds % 2 == 0)
            collect(f);
        if (rounds % 2 == 0)
            is_about(told, before - used(f));
        assert_true(++rounds < 20);
    } while (f->s->why.at > 0);
    print_message("%u branches, %u rounds\n", n, rounds);
    assert_true(n > 500);
    assert_non_null(strstr(f->s->why.what, "gc would free nothing"));
    assert_int_equal(pack_feed(f, 500), BOUGH_ENOSPC);
    assert_int_equal(f->s->why.at, 0);
    OK(bulk_drop(f->s, "refs/heads/b5"));
    log_bed_end(f);
}

/* Where nobody can say what lives, it says so. */
static void test_full__says_when_gc_cannot_run(void **state)
{
    struct log_bed bed, *f = begin(&bed);
    struct bough_txn *t;

    (void)state;
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_record(t, bough_view_str("x"), bough_view_str("y"), NULL));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
    assert_int_equal(bulk_branch(f->s, "refs/heads/big", 3, 3000), BOUGH_ENOSPC);
    assert_int_equal(f->s->why.at, 0);
    assert_non_null(strstr(f->s->why.what, "gc cannot run"));
    log_bed_end(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full__says_what_gc_would_free),
        cmocka_unit_test(test_full__frees_it_for_who_sends_a_pack),
        cmocka_unit_test(test_full__who_tries_again_has_that_room),
        cmocka_unit_test(test_full__says_nothing_where_all_of_it_lives),
        cmocka_unit_test(test_full__says_when_gc_cannot_run),
    };

    return cmocka_run_group_tests_name("sim/collect full", tests, NULL, NULL);
}
