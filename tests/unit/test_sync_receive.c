/*
 * test_sync_receive.c - conversations of clients that push, byte for byte.
 *
 * Goal: what is pushed arrives whole, however bytes are split; limits hold, and memory that fails
 * leaves nothing behind.  Method: requests and packs written here (push_bed.h).  What is refused:
 * test_sync_refuse.c.  (With git as the client: tests/interop/)
 */
#include "tests/unit/push_bed.h"

/* ---- What works ---- */

static void test_push__creates_a_branch_in_any_split(void **state)
{
    (void)state;
    for (size_t step = 1; step < 300; step = step * 2 + 1) {
        struct push p;
        push_begin(&p);
        text_commit(&p);
        struct bough_oid id = text_id(&p, BOUGH_COMMIT);
        say_command(&p.ask, &zero, &id, "refs/heads/new", " report-status");
        pack_begin(&p, 1);
        pack_put(&p, BOUGH_COMMIT);
        bough_pack_writer_finish(&p.pack);
        push_step(&p, step, "000eunpack ok\n0016ok refs/heads/new\n0000");
        struct bough_oid now = ref("refs/heads/new");
        assert_true(bough_oid_eq(&now, &id));
        push_end(&p);
        sync_bed_close(&bed);
        sync_bed_open(&bed, true);
    }
}

static void test_push__of_deletions_has_no_pack(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    say_command(&p.ask, &bed.commits[1], &zero, "refs/heads/old", CAPS);
    bough_pkt_put_flush(&p.ask);
    push_step(&p, 5, "ok refs/heads/old");
    struct bough_oid now = ref("refs/heads/old");
    assert_true(bough_oid_is_zero(&now));
    push_end(&p);
}

static void test_push__of_an_empty_pack_is_legal(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    say_command(&p.ask, &zero, &bed.commits[2], "refs/heads/again", CAPS);
    pack_begin(&p, 0);
    bough_pack_writer_finish(&p.pack);
    push_step(&p, 5, "ok refs/heads/again");
    push_end(&p);
}

static void test_push__options_are_skipped(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    say_command(&p.ask, &bed.commits[1], &zero, "refs/heads/old", CAPS " push-options");
    bough_pkt_put_flush(&p.ask);
    say(&p.ask, "ci.skip", NULL, "\n");
    bough_pkt_put_flush(&p.ask);
    push_step(&p, 3, "ok refs/heads/old");
    push_end(&p);
}

static void test_push__probe_of_http_says_nothing(void **state)
{
    struct push p;
    (void)state;
    bed.opts.transport = BOUGH_TRANSPORT_REQUEST;
    push_begin(&p);
    bough_pkt_put_flush(&p.ask);
    push_step(&p, 1, "");
    assert_int_equal(p.said.len, 0);
    push_end(&p);
}

/* ---- Traps ---- */

static void fails(struct push *p, enum bough_err err, const char *said)
{
    for (size_t step = 1; step < 200; step *= 3) {
        bough_buf_clear(&p->said);
        assert_int_equal(
            talk(&bed, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&p->ask), step, &p->said), err);
        if (!holds(&p->said, said))
            print_error("wanted %s in:\n%.*s\n", said, (int)p->said.len, (const char *)p->said.ptr);
        assert_true(holds(&p->said, said));
    }
}

static void test_traps__end_the_session(void **state)
{
    static const char *const bad[] = {"0003", "000ahello\n", "0001", "0016push-cert 12345678",
        "004cxxxx111111111111111111111111111111111111 1111111111111111111111111111111111111111"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct push p;
        push_begin(&p);
        bough_buf_put_str(&p.ask, bad[i]);
        bough_buf_clear(&p.said);
        assert_int_not_equal(
            talk(&bed, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&p.ask), 3, &p.said), BOUGH_OK);
        push_end(&p);
    }
    struct push p;
    push_begin(&p);
    say_command(&p.ask, &zero, &bed.commits[0], "refs/heads/x", " object-format=sha256");
    fails(&p, BOUGH_EFORMAT, "another object format");
    bough_buf_clear(&p.ask);
    say_command(&p.ask, &zero, &bed.commits[0], "refs/heads/x", CAPS);
    fails(&p, BOUGH_EGONE, "hung up");
    push_end(&p);
}

static void test_traps__limits_hold(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    for (int i = 0; i < 3; i++)
        say_command(&p.ask, &zero, &bed.commits[i], "refs/heads/x", CAPS);
    bed.opts.limits.commands_max = 2;
    fails(&p, BOUGH_ETOOBIG, "limit commands_max");
    bed.opts.limits.commands_max = 0;
    bed.opts.limits.commands_len_max = 30;
    fails(&p, BOUGH_ETOOBIG, "limit commands_len_max");
    push_end(&p);
}

static void test_memory__may_fail_at_every_point(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    text_commit(&p);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &zero, &id, "refs/heads/x", CAPS);
    pack_begin(&p, 1);
    pack_put(&p, BOUGH_COMMIT);
    bough_pack_writer_finish(&p.pack);
    uint64_t before = objects();
    for (uint64_t n = 0;; n++) {
        struct bough_sync *s = NULL;
        struct test_mem plain;
        struct bough_buf said;
        size_t used, at = 0;
        test_mem_init(&plain);
        bough_buf_init(&said, &plain.mem);
        bed.t.mem.failed = false;
        bed.t.mem.fail_at = bed.t.mem.calls + n;
        enum bough_err err = bough_receive_open(bed.repo, &bed.opts, &s);
        while (!err && at < p.ask.len) {
            err = bough_sync_feed(s, bough_view(p.ask.ptr + at, p.ask.len - at), &used);
            at += used;
            if (!err)
                err = drain(&bed, s, &said, 100000);
        }
        bough_sync_close(s);
        bed.t.mem.fail_at = UINT64_MAX;
        bool told = holds(&said, "ok refs/heads/x");
        bough_buf_fini(&said);
        test_mem_done(&plain);
        struct bough_oid now = ref("refs/heads/x");
        bool arrived = !bough_oid_is_zero(&now);
        assert_int_equal(objects(), arrived ? before + 1 : before);
        assert_true(arrived || !told);
        if (!bed.t.mem.failed || arrived) /* then only the report is left to fail */
            break;
    }
    push_end(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_push__creates_a_branch_in_any_split),
        TEST(test_push__of_deletions_has_no_pack),
        TEST(test_push__of_an_empty_pack_is_legal),
        TEST(test_push__options_are_skipped),
        TEST(test_push__probe_of_http_says_nothing),
        TEST(test_traps__end_the_session),
        TEST(test_traps__limits_hold),
        TEST(test_memory__may_fail_at_every_point),
    };
    return cmocka_run_group_tests_name("sync_receive", tests, NULL, NULL);
}
