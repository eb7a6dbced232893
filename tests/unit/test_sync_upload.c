/*
 * test_sync_upload.c - conversations of clients that fetch, byte for byte.
 *
 * Goal: what upload-pack says does not depend on how bytes are split; each trap of the wire is
 * refused by name; packs hold exactly what is missing; memory that fails does no harm.  Method:
 * requests written here as packet lines (sync_bed.h), answers read as packets, packs read with
 * git/pack.h.  (With git as the client: tests/interop/test_sync_git.c)
 */
#include "tests/lib/sync_bed.h"

static struct sync_bed bed;

static int bed_setup(void **state)
{
    (void)state;
    sync_bed_open(&bed, true);
    return 0;
}

static int bed_teardown(void **state)
{
    (void)state;
    sync_bed_close(&bed);
    return 0;
}

/* ---- Reading answers ---- */

/* The ids of whole objects in a pack, counted by type. */
struct counter {
    struct bough_pack_visitor visitor;
    uint32_t n[8];
};

static enum bough_err counter_end(struct bough_pack_visitor *v, const struct bough_pack_entry *e)
{
    ((struct counter *)(void *)v)->n[e->head.type]++;
    return BOUGH_OK;
}

static const struct bough_pack_visitor_class counter_class = {.entry_end = counter_end};

/* The pack in an answer: of band 1 where `bands`, else behind the last packet. */
static void pack_of(const struct bough_buf *said, bool bands, struct bough_buf *pack)
{
    size_t at = 0;
    while (at + 4 <= said->len && memcmp(said->ptr + at, "PACK", 4) != 0) {
        char digits[5] = {0};
        memcpy(digits, said->ptr + at, 4);
        size_t len = strtoul(digits, NULL, 16);
        if (bands && len > 5 && said->ptr[at + 4] == 1)
            bough_buf_put(pack, said->ptr + at + 5, len - 5);
        at += len < 4 ? 4 : len;
    }
    if (!bands)
        bough_buf_put(pack, said->ptr + at, said->len - at);
}

static struct counter count(const struct bough_buf *said, bool bands)
{
    struct counter c = {.visitor.cls = &counter_class};
    struct bough_pack_reader r;
    struct bough_buf pack;
    size_t used;
    bough_buf_init(&pack, &bed.t.mem.mem);
    pack_of(said, bands, &pack);
    OK(bough_pack_reader_init(&r, &bed.t.mem.mem, BOUGH_SHA1, &c.visitor, NULL, NULL));
    OK(bough_pack_reader_feed(&r, bough_buf_view(&pack), &used));
    assert_int_equal(used, pack.len);
    bough_pack_reader_fini(&r);
    bough_buf_fini(&pack);
    return c;
}

/* The same answer for every split; it is left in `said`. */
static enum bough_err talk_split(struct bough_view request, struct bough_buf *said)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 64, 997};
    struct bough_buf other;
    enum bough_err err = talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, request, 100000, said);
    bough_buf_init(&other, &bed.t.mem.mem);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bough_buf_clear(&other);
        assert_int_equal(talk(&bed, BOUGH_SERVICE_UPLOAD_PACK, request, steps[i], &other), err);
        assert_int_equal(other.len, said->len);
        assert_memory_equal(other.ptr, said->ptr, said->len);
    }
    bough_buf_fini(&other);
    return err;
}

struct chat {
    struct bough_buf ask, said;
};

static void chat_begin(struct chat *c)
{
    bough_buf_init(&c->ask, &bed.t.mem.mem);
    bough_buf_init(&c->said, &bed.t.mem.mem);
}

static void chat_end(struct chat *c)
{
    bough_buf_fini(&c->ask);
    bough_buf_fini(&c->said);
}

static void chat_ok(struct chat *c)
{
    OK(talk_split(bough_buf_view(&c->ask), &c->said));
}

static void chat_fails(struct chat *c, enum bough_err err, const char *said)
{
    assert_int_equal(talk_split(bough_buf_view(&c->ask), &c->said), err);
    if (!holds(&c->said, said))
        print_error("%.*s\n", (int)c->said.len, (const char *)c->said.ptr);
    assert_true(holds(&c->said, said));
}

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

static void v2_begin(struct chat *c, const char *command)
{
    bed.opts.version = 2;
    chat_begin(c);
    say(&c->ask, "command=", NULL, command);
    say(&c->ask, "agent=x\n", NULL, "");
    say(&c->ask, "object-format=sha1", NULL, "");
    bough_pkt_put_delim(&c->ask);
}

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

/* ---- Traps ---- */

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
        TEST(test_traps__are_refused_by_name),
        TEST(test_traps__input_that_ends_in_the_middle),
        TEST(test_traps__limits_hold),
        TEST(test_traps__too_many_prefixes_are_ignored),
        TEST(test_wants__must_be_reachable),
        TEST(test_output__stays_bounded),
        TEST(test_memory__may_fail_at_every_point),
    };
    return cmocka_run_group_tests_name("sync_upload", tests, NULL, NULL);
}
