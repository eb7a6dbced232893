/*
 * test_sync_upload.c - conversations of clients that fetch, byte for byte.
 *
 * Goal: what upload-pack says does not depend on how bytes are split; packs hold exactly what is
 * missing.  Method: requests written here as packet lines (sync_bed.h), answers read as packets,
 * packs read with git/pack.h (talk_bed.h).  (With git as the client: tests/interop/test_sync_git.c)
 */
#include "tests/unit/talk_bed.h"

/* ---- Hello ---- */

static void test_hello__is_read(void **state)
{
    struct bough_hello h;
    (void)state;
    OK(bough_hello_parse(VIEW("git-upload-pack /a/b.git\0host=h:1\0\0version=2\0"), &h));
    assert_int_equal(h.service, BOUGH_SERVICE_UPLOAD_PACK);
    assert_true(bough_view_eq(h.path, VIEW("/a/b.git")));
    assert_true(bough_view_eq(h.host, VIEW("h:1")));
    assert_int_equal(h.version, 2);
    OK(bough_hello_parse(VIEW("git-receive-pack /x\n"), &h));
    assert_int_equal(h.service, BOUGH_SERVICE_RECEIVE_PACK);
    assert_true(bough_view_eq(h.path, VIEW("/x")));
    assert_int_equal(h.version, 0);
}

static void test_hello__refuses_what_it_must(void **state)
{
    static const char *const bad[] = {"", "git-upload-pack", "git-upload-pack ", "git-x /a",
        "git-upload-pack /a/../b", "git-upload-pack /..", "git-upload-pack /a\nb\n",
        "git-upload-archive /a"};
    struct bough_hello h;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bough_hello_parse(bough_view_str(bad[i]), &h), BOUGH_EFORMAT);
}

static void test_version__is_the_greatest_known(void **state)
{
    (void)state;
    assert_int_equal(bough_sync_version_parse(VIEW("version=1")), 1);
    assert_int_equal(bough_sync_version_parse(VIEW("x=y:version=2:version=1")), 2);
    assert_int_equal(bough_sync_version_parse(VIEW("version=3")), 0);
    assert_int_equal(bough_sync_version_parse(VIEW("version=:version")), 0);
}

/* ---- Advertisement ---- */

static void test_advertisement__begins_with_head_and_peels_tags(void **state)
{
    struct chat c;
    (void)state;
    chat_begin(&c);
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    char expect[64];
    size_t hex = bough_oid_hex(BOUGH_SHA1, &bed.commits[BED_COMMITS - 1], expect);
    assert_memory_equal(c.said.ptr + 4, expect, hex);
    assert_memory_equal(c.said.ptr + 44, " HEAD\0", 6);
    assert_true(holds(&c.said, "symref=HEAD:refs/heads/main"));
    assert_true(holds(&c.said, " refs/tags/v1^{}\n0000"));
    chat_end(&c);
}

static void test_advertisement__of_an_empty_repository(void **state)
{
    struct sync_bed empty;
    struct bough_buf said;
    (void)state;
    sync_bed_open(&empty, false);
    bough_buf_init(&said, &empty.t.mem.mem);
    OK(talk(&empty, BOUGH_SERVICE_UPLOAD_PACK, VIEW("0000"), 9, &said));
    assert_memory_equal(
        said.ptr + 4, "0000000000000000000000000000000000000000 capabilities^{}", 57);
    bough_buf_clear(&said);
    OK(talk(&empty, BOUGH_SERVICE_RECEIVE_PACK, VIEW("0000"), 9, &said));
    assert_memory_equal(
        said.ptr + 4, "0000000000000000000000000000000000000000 capabilities^{}", 57);
    assert_true(holds(&said, "report-status"));
    bough_buf_fini(&said);
    sync_bed_close(&empty);
}

static void test_advertisement__for_http_has_its_banner(void **state)
{
    struct chat c;
    (void)state;
    bed.opts.transport = BOUGH_TRANSPORT_ADVERTISE;
    chat_begin(&c);
    chat_ok(&c);
    assert_memory_equal(c.said.ptr, "001e# service=git-upload-pack\n0000", 34);
    bough_buf_clear(&c.said);
    bed.opts.version = 1;
    chat_ok(&c);
    assert_true(holds(&c.said, "0000000eversion 1\n"));
    bough_buf_clear(&c.said);
    bed.opts.version = 2;
    chat_ok(&c);
    assert_memory_equal(c.said.ptr, "000eversion 2\n", 14);
    chat_end(&c);
}

/* ---- Version 0 ---- */

static void test_v0__clone_without_side_band(void **state)
{
    struct chat c;
    (void)state;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[BED_COMMITS - 1], "\n");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "done", NULL, "\n");
    chat_ok(&c);
    assert_true(holds(&c.said, "0008NAK\nPACK"));
    struct counter n = count(&c.said, false);
    assert_int_equal(n.n[BOUGH_COMMIT], BED_COMMITS);
    assert_int_equal(n.n[BOUGH_TREE], BED_COMMITS + 1);
    assert_int_equal(n.n[BOUGH_BLOB], BED_COMMITS + 1);
    assert_int_equal(n.n[BOUGH_TAG], 0);
    chat_end(&c);
}

static void test_v0__fetch_sends_what_is_missing_and_its_tags(void **state)
{
    struct chat c;
    (void)state;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[3],
        " multi_ack_detailed side-band-64k include-tag ofs-delta agent=x\n");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "have ", &bed.blobs[0], "\n");
    say(&c.ask, "have ", &bed.commits[1], "");
    say(&c.ask, "have ", bough_oid_empty_blob(BOUGH_SHA1), "\n");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "done\n", NULL, "");
    chat_ok(&c);
    assert_true(holds(&c.said, " common\n"));
    assert_true(holds(&c.said, " ready\n0008NAK\n"));
    struct counter n = count(&c.said, true);
    assert_int_equal(n.n[BOUGH_COMMIT], 2);
    assert_int_equal(n.n[BOUGH_TREE], 2);
    assert_int_equal(n.n[BOUGH_BLOB], 2);
    assert_int_equal(n.n[BOUGH_TAG], 1);
    chat_end(&c);
}

static void test_v0__answers_one_ack_to_simple_clients(void **state)
{
    struct chat c;
    char ack[128] = "0031ACK ";
    (void)state;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[3], " ofs-delta");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "have ", &bed.commits[1], "\n");
    say(&c.ask, "have ", &bed.commits[0], "\n");
    say(&c.ask, "done\n", NULL, "");
    chat_ok(&c);
    bough_oid_hex(BOUGH_SHA1, &bed.commits[1], ack + 8);
    memcpy(ack + 48, "\nPACK", 6);
    assert_true(holds(&c.said, ack));
    assert_int_equal(count(&c.said, false).n[BOUGH_COMMIT], 2);
    chat_end(&c);
}

static void test_v0__deepen_tells_where_history_ends(void **state)
{
    struct chat c;
    (void)state;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[5], " side-band-64k\n");
    say(&c.ask, "deepen 2", NULL, "");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "done\n", NULL, "");
    chat_ok(&c);
    char line[128] = "0034shallow ";
    bough_oid_hex(BOUGH_SHA1, &bed.commits[4], line + 12);
    memcpy(line + 52, "0000", 5);
    assert_true(holds(&c.said, line));
    assert_int_equal(count(&c.said, true).n[BOUGH_COMMIT], 2);
    chat_end(&c);
}

static void test_v0__deepen_by_date_and_by_ref(void **state)
{
    static const char *const lines[] = {"deepen-since 1000000003\n", "deepen-not v1"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct chat c;
        chat_begin(&c);
        say(&c.ask, "want ", &bed.commits[5], " side-band-64k\n");
        say(&c.ask, lines[i], NULL, "");
        bough_pkt_put_flush(&c.ask);
        say(&c.ask, "done\n", NULL, "");
        chat_ok(&c);
        char line[128] = "0034shallow ";
        bough_oid_hex(BOUGH_SHA1, &bed.commits[3], line + 12);
        memcpy(line + 52, "0000", 5);
        assert_true(holds(&c.said, line));
        assert_int_equal(count(&c.said, true).n[BOUGH_COMMIT], 3);
        chat_end(&c);
    }
}

static void test_v0__over_http_a_round_ends_with_its_haves(void **state)
{
    struct chat c;
    (void)state;
    bed.opts.transport = BOUGH_TRANSPORT_REQUEST;
    chat_begin(&c);
    say(&c.ask, "want ", &bed.commits[3], " multi_ack_detailed no-done side-band-64k\n");
    bough_pkt_put_flush(&c.ask);
    say(&c.ask, "have ", bough_oid_empty_blob(BOUGH_SHA1), "\n");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_int_equal(c.said.len, 8);
    assert_memory_equal(c.said.ptr, "0008NAK\n", 8);

    bough_buf_clear(&c.said);
    c.ask.len -= 4;
    say(&c.ask, "have ", &bed.commits[1], "\n");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, " ready\n0008NAK\n0031ACK "));
    assert_int_equal(count(&c.said, true).n[BOUGH_COMMIT], 2);
    chat_end(&c);
}

/* ---- Version 2 ---- */

static void test_v2__ls_refs_by_prefix(void **state)
{
    struct chat c;
    (void)state;
    v2_begin(&c, "ls-refs\n");
    say(&c.ask, "peel\n", NULL, "");
    say(&c.ask, "symrefs", NULL, "");
    say(&c.ask, "ref-prefix refs/tags/\n", NULL, "");
    say(&c.ask, "ref-prefix refs/tags/v\n", NULL, "");
    say(&c.ask, "ref-prefix HE", NULL, "");
    bough_pkt_put_flush(&c.ask);
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, " HEAD symref-target:refs/heads/main\n"));
    assert_true(holds(&c.said, " refs/tags/v1 peeled:"));
    assert_false(holds(&c.said, "refs/heads/old"));
    chat_end(&c);
}

static void test_v2__ls_refs_of_an_unborn_head(void **state)
{
    struct sync_bed empty;
    struct bough_buf said, ask;
    (void)state;
    sync_bed_open(&empty, false);
    empty.opts.version = 2;
    bough_buf_init(&said, &empty.t.mem.mem);
    bough_buf_init(&ask, &empty.t.mem.mem);
    say(&ask, "command=ls-refs\n", NULL, "");
    bough_pkt_put_delim(&ask);
    say(&ask, "symrefs", NULL, "");
    say(&ask, "unborn", NULL, "");
    bough_pkt_put_flush(&ask);
    OK(talk(&empty, BOUGH_SERVICE_UPLOAD_PACK, bough_buf_view(&ask), 3, &said));
    assert_true(holds(&said, "unborn HEAD symref-target:refs/heads/main\n0000"));
    bough_buf_fini(&said);
    bough_buf_fini(&ask);
    sync_bed_close(&empty);
}

static void test_v2__fetch_in_one_round_and_in_two(void **state)
{
    struct chat c;
    (void)state;
    v2_begin(&c, "fetch");
    say(&c.ask, "want ", &bed.commits[4], "\n");
    say(&c.ask, "have ", &bed.commits[2], "\n");
    say(&c.ask, "no-progress", NULL, "");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, "0014acknowledgments\n"));
    assert_true(holds(&c.said, "000aready\n0001000dpackfile\n"));
    assert_int_equal(count(&c.said, true).n[BOUGH_COMMIT], 2);
    chat_end(&c);

    v2_begin(&c, "fetch");
    say(&c.ask, "want ", &bed.commits[4], "\n");
    say(&c.ask, "have ", bough_oid_empty_blob(BOUGH_SHA1), "\n");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, "0014acknowledgments\n0008NAK\n0000"));
    assert_false(holds(&c.said, "packfile"));
    chat_end(&c);
}

static void test_v2__fetch_by_ref_and_shallow(void **state)
{
    struct chat c;
    (void)state;
    v2_begin(&c, "fetch");
    say(&c.ask, "want-ref refs/heads/main\n", NULL, "");
    say(&c.ask, "deepen 1\n", NULL, "");
    say(&c.ask, "done\n", NULL, "");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, "0011shallow-info\n0035shallow "));
    assert_true(holds(&c.said, "0001"
                               "0010wanted-refs\n"));
    assert_true(holds(&c.said, " refs/heads/main\n0001000dpackfile\n"));
    assert_int_equal(count(&c.said, true).n[BOUGH_COMMIT], 1);
    chat_end(&c);
}

static void test_v2__haves_without_wants_are_answered(void **state)
{
    struct chat c;
    (void)state;
    v2_begin(&c, "fetch");
    say(&c.ask, "have ", &bed.commits[2], "\n");
    say(&c.ask, "wait-for-done\n", NULL, "");
    bough_pkt_put_flush(&c.ask);
    chat_ok(&c);
    assert_true(holds(&c.said, "0014acknowledgments\n0031ACK "));
    assert_false(holds(&c.said, "ready"));
    chat_end(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_hello__is_read),
        TEST(test_hello__refuses_what_it_must),
        TEST(test_version__is_the_greatest_known),
        TEST(test_advertisement__begins_with_head_and_peels_tags),
        TEST(test_advertisement__of_an_empty_repository),
        TEST(test_advertisement__for_http_has_its_banner),
        TEST(test_v0__clone_without_side_band),
        TEST(test_v0__fetch_sends_what_is_missing_and_its_tags),
        TEST(test_v0__answers_one_ack_to_simple_clients),
        TEST(test_v0__deepen_tells_where_history_ends),
        TEST(test_v0__deepen_by_date_and_by_ref),
        TEST(test_v0__over_http_a_round_ends_with_its_haves),
        TEST(test_v2__ls_refs_by_prefix),
        TEST(test_v2__ls_refs_of_an_unborn_head),
        TEST(test_v2__fetch_in_one_round_and_in_two),
        TEST(test_v2__fetch_by_ref_and_shallow),
        TEST(test_v2__haves_without_wants_are_answered),
    };
    return cmocka_run_group_tests_name("sync_upload", tests, NULL, NULL);
}
