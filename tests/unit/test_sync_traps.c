/*
 * test_sync_traps.c - clients that fetch and mean no good, or have no luck.
 *
 * Goal: each trap of the wire is refused by name; limits hold; what may not be given is not; output
 * stays bounded; memory that fails does no harm.  Method: as in test_sync_upload.c.
 */
#include "tests/unit/talk_bed.h"

static void test_traps__are_refused_by_name(void **state)
{
    static const struct {
        uint32_t version;
        const char *ask, *said;
    } traps[] = {
        {0, "0003", "bad line length"},
        {0, "fff1", "bad line length"},
        {0, "xxxx", "bad line length"},
        {0, "0009hello", "protocol error"},
        {0, "000dwant 1234", "not an object id"},
        {0, "0001", "unexpected packet"},
        {0, "0032want 1111111111111111111111111111111111111111\n", "not our ref"},
        {2, "0014command=explode\n", "invalid command"},
        {2, "0010frobnicate\n\n", "unknown capability"},
        {2, "0001", "no command requested"},
        {2, "0011command=fetch00010009hello", "unexpected argument"},
        {2, "0013command=ls-refs0001000bfrobnic", "unexpected argument"},
        {2, "0011command=fetch0018object-format=sha256", "mismatched object format"},
        {2, "0011command=fetch0001000ddeepen 0\n", "Invalid deepen"},
        {2, "0011command=fetch00010020want-ref refs/heads/nowhere\n\n", "unknown ref"},
        {2, "0011command=fetch00010002", "expected flush"},
    };
    struct chat c;
    (void)state;
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        chat_begin(&c);
        bed.opts.version = traps[i].version;
        bough_buf_put_str(&c.ask, traps[i].ask);
        struct bough_buf said;
        bough_buf_init(&said, &bed.t.mem.mem);
        assert_int_not_equal(
            talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, bough_buf_view(&c.ask), 3, &said), BOUGH_OK);
        if (!holds(&said, traps[i].said))
            print_error("trap %zu: %.*s\n", i, (int)said.len, (const char *)said.ptr);
        assert_true(holds(&said, traps[i].said));
        bough_buf_fini(&said);
        chat_end(&c);
    }
}

static void test_traps__input_that_ends_in_the_middle(void **state)
{
    struct chat c;
    (void)state;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[3], "\n");
    chat_fails(&c, BOUGH_EGONE, "hung up");
    bough_buf_clear(&c.said);
    bough_pkt_put_flush(&c.ask);
    chat_fails(&c, BOUGH_EGONE, "hung up");
    chat_end(&c);
}

static void test_traps__limits_hold(void **state)
{
    struct chat c;
    (void)state;
    bed.opts.limits = (struct bough_sync_limits){.wants_max = 2, .haves_max = 2};
    chat_begin(&c);
    for (int i = 0; i < 3; i++)
        say(&c.ask, "want ", &bed.commits[5 - i], "\n");
    chat_fails(&c, BOUGH_ETOOBIG, "limit wants_max");
    chat_end(&c);

    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[5], "\n");
    bough_pkt_put_flush(&c.ask);
    for (int i = 0; i < 3; i++)
        say(&c.ask, "have ", &bed.blobs[i], "\n");
    chat_fails(&c, BOUGH_ETOOBIG, "limit haves_max");
    chat_end(&c);

    bed.opts.limits = (struct bough_sync_limits){.selected_max = 4};
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[5], "\n");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "done\n", NULL, "");
    chat_fails(&c, BOUGH_ETOOBIG, "limit selected_max");
    chat_end(&c);
}

static void test_traps__too_many_prefixes_are_ignored(void **state)
{
    struct chat c;
    (void)state;
    bed.opts.limits.ref_prefixes_max = 2;
    v2_begin(&c, "ls-refs");
    for (int i = 0; i < 3; i++)
        say(&c.ask, "ref-prefix refs/tags/", NULL, "");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, "refs/heads/old"));
    chat_end(&c);
}

/* What a deleted branch left behind is not given to who happens to know its id. */
static void test_wants__must_be_reachable(void **state)
{
    struct bough_txn *txn;
    struct bough_oid lonely, id;
    struct bough_buf text;
    struct chat c;
    (void)state;
    bough_buf_init(&text, &bed.t.mem.mem);
    bed_commit(&text, &bed.trees[0], &bed.commits[0], 77);
    OK(bough_txn_begin(bed.store, &txn));
    OK(bough_txn_put(txn, BOUGH_COMMIT, bough_buf_view(&text), &lonely));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    bough_buf_fini(&text);
    for (uint32_t version = 0; version < 3; version += 2) {
        id = lonely;
        for (int turn = 0; turn < 2; turn++) {
            if (version == 2) {
                v2_begin(&c, "fetch");
            } else {
                bed.opts.version = 0;
                chat_begin(&c);
            }
            say(&c.ask, "want ", &id, "\n");
            if (version == 0)
                bough_pkt_put_flush(&c.ask);
            say(&c.ask, "done\n", NULL, "");
            if (version == 2)
                bough_pkt_put_flush(&c.ask);
            if (turn == 0)
                chat_fails(&c, BOUGH_EDENIED, "not our ref");
            else
                chat_ok(&c);
            chat_end(&c);
            id = bed.commits[3]; /* no tip, but below one */
        }
    }
    bed.opts.flags = BOUGH_SYNC_TIPS_ONLY;
    v2_begin(&c, "fetch");
    say(&c.ask, "want ", &bed.commits[3], "\n");
    bough_pkt_put_flush(&c.ask);
    chat_fails(&c, BOUGH_EDENIED, "not our ref");
    chat_end(&c);
}

static void test_output__stays_bounded(void **state)
{
    struct bough_txn *txn;
    struct bough_buf big;
    struct bough_oid blob;
    struct chat c;
    (void)state;
    bough_buf_init(&big, &bed.t.mem.mem);
    for (uint64_t i = 0; i < 200000; i++)
        bough_buf_put64le(&big, test_random(&bed.t.seed));
    OK(bough_txn_begin(bed.store, &txn));
    OK(bough_txn_put(txn, BOUGH_BLOB, bough_buf_view(&big), &blob));
    OK(bough_txn_commit(txn, BOUGH_DURABLE_NOW));
    v2_begin(&c, "fetch");
    say(&c.ask, "want ", &blob, "\n");
    say(&c.ask, "done\n", NULL, "");
    bough_pkt_put_flush(&c.ask);
    bed.pending_max = 0;
    OK(talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, bough_buf_view(&c.ask), 1000, &c.said));
    assert_true(c.said.len > big.len);
    assert_true(bed.pending_max <= BOUGH_SYNC_OUT_MAX + 2 * BOUGH_PKT_MAX);
    assert_int_equal(count(&c.said, true).n[BOUGH_BLOB], 1);
    bough_buf_fini(&big);
    chat_end(&c);
}

static void test_memory__may_fail_at_every_point(void **state)
{
    struct chat c;
    (void)state;
    v2_begin(&c, "fetch");
    say(&c.ask, "want ", &bed.commits[5], "\n");
    say(&c.ask, "have ", &bed.commits[1], "\n");
    say(&c.ask, "deepen 3\n", NULL, "");
    say(&c.ask, "include-tag\n", NULL, "");
    bough_pkt_put_flush(&c.ask);
    for (uint64_t n = 0;; n++) {
        struct bough_sync *s = NULL;
        size_t used, at = 0;
        struct bough_buf said;
        struct test_mem plain;
        test_mem_init(&plain);
        bough_buf_init(&said, &plain.mem);
        bed.t.mem.failed = false;
        bed.t.mem.fail_at = bed.t.mem.calls + n;
        enum bough_err err = bough_upload_open(bed.repo, &bed.opts, &s);
        while (!err && at < c.ask.len) {
            err = bough_sync_feed(s, bough_view(c.ask.ptr + at, c.ask.len - at), &used);
            at += used;
            if (!err)
                err = drain(&bed, s, &said, 100000);
        }
        assert_true(err == BOUGH_OK || err == BOUGH_ENOMEM);
        bough_sync_close(s);
        bed.t.mem.fail_at = UINT64_MAX;
        bough_buf_fini(&said);
        test_mem_done(&plain);
        if (!bed.t.mem.failed)
            break;
    }
    chat_end(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_traps__are_refused_by_name),
        TEST(test_traps__input_that_ends_in_the_middle),
        TEST(test_traps__limits_hold),
        TEST(test_traps__too_many_prefixes_are_ignored),
        TEST(test_wants__must_be_reachable),
        TEST(test_output__stays_bounded),
        TEST(test_memory__may_fail_at_every_point),
    };
    return cmocka_run_group_tests_name("sync_traps", tests, NULL, NULL);
}
