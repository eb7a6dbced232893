/*
 * test_sync_receive.c - conversations of clients that push, byte for byte.
 *
 * Goal: what is pushed arrives whole or not at all, whatever is wrong with it, and the report
 * says so in git's words.  Method: requests and packs written here (sync_bed.h); after each
 * refusal the store holds what it held before.  (With git as the client: tests/interop/)
 */
#include "tests/lib/sync_bed.h"

static const struct bough_oid zero;
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

/* ---- Pushes ---- */

/* A push under way: the request, a pack of up to 16 objects put after the flush. */
struct push {
    struct bough_buf ask, said, text;
    struct bough_pack_writer pack;
};

static void push_begin(struct push *p)
{
    bough_buf_init(&p->ask, &bed.t.mem.mem);
    bough_buf_init(&p->said, &bed.t.mem.mem);
    bough_buf_init(&p->text, &bed.t.mem.mem);
}

static void push_end(struct push *p)
{
    bough_buf_fini(&p->ask);
    bough_buf_fini(&p->said);
    bough_buf_fini(&p->text);
}

static void pack_begin(struct push *p, uint32_t count)
{
    bough_pkt_put_flush(&p->ask);
    bough_pack_writer_init(&p->pack, &p->ask, BOUGH_SHA1, count);
}

/* An object with the bytes in p->text, which is cleared. */
static struct bough_oid pack_put(struct push *p, enum bough_type type)
{
    struct bough_entry_head head = {.type = type};
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, type, bough_buf_view(&p->text));
    bough_pack_writer_put(&p->pack, &head, bough_buf_view(&p->text), 1);
    bough_buf_clear(&p->text);
    return id;
}

/* The id of the object in p->text, before it is packed. */
static struct bough_oid text_id(struct push *p, enum bough_type type)
{
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, type, bough_buf_view(&p->text));
    return id;
}

/* The new commit of the pushes below: on main, a tree that main has had before. */
static void text_commit(struct push *p)
{
    bough_buf_clear(&p->text);
    bed_commit(&p->text, &bed.trees[0], &bed.commits[BED_COMMITS - 1], 1000);
}

static enum bough_err count_one(
    void *ctx, const struct bough_oid *id, const struct bough_found *found)
{
    (void)id;
    (void)found;
    ++*(uint64_t *)ctx;
    return BOUGH_OK;
}

static uint64_t objects(void)
{
    uint64_t n = 0;
    OK(bough_store_each(bed.store, count_one, &n));
    return n;
}

static struct bough_oid ref(const char *name)
{
    struct bough_ref r;
    enum bough_err err = bough_store_ref(bed.store, bough_view_str(name), &r);
    if (err == BOUGH_ENOENT)
        return zero;
    OK(err);
    return r.id;
}

/* Push in pieces of `step`; the report must hold `said`. */
static void push_step(struct push *p, size_t step, const char *said)
{
    bough_buf_clear(&p->said);
    OK(talk(&bed, BOUGH_SERVICE_RECEIVE_PACK, bough_buf_view(&p->ask), step, &p->said));
    if (!holds(&p->said, said))
        print_error("wanted %s in:\n%.*s\n", said, (int)p->said.len, (const char *)p->said.ptr);
    assert_true(holds(&p->said, said));
}

/* Refused for every split, and nothing of it stays. */
static void push_refused(struct push *p, const char *said)
{
    static const size_t steps[] = {100000, 1, 7, 64};
    uint64_t before = objects();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        push_step(p, steps[i], said);
        assert_int_equal(objects(), before);
        struct bough_oid head = ref("refs/heads/main");
        assert_true(bough_oid_eq(&head, &bed.commits[BED_COMMITS - 1]));
    }
}

#define CAPS " report-status side-band-64k object-format=sha1 agent=x"

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

/* ---- What is refused ---- */

static void test_push__with_an_old_value_that_moved(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    text_commit(&p);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &bed.commits[0], &id, "refs/heads/main", CAPS);
    pack_begin(&p, 1);
    pack_put(&p, BOUGH_COMMIT);
    bough_pack_writer_finish(&p.pack);
    push_refused(&p, "ng refs/heads/main ");
    push_end(&p);
}

static void test_push__of_names_that_are_none(void **state)
{
    static const char *const names[] = {"refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock",
        "refs/heads/", "x", "refs/heads/main/sub", "refs/heads/a b", "refs/heads/a~1"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct push p;
        char said[64];
        push_begin(&p);
        say_command(&p.ask, &zero, &bed.commits[0], names[i], CAPS);
        pack_begin(&p, 0);
        bough_pack_writer_finish(&p.pack);
        snprintf(said, sizeof said, "ng %s ", names[i]);
        push_refused(&p, said);
        push_end(&p);
    }
}

static void test_push__of_a_ref_twice(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    say_command(&p.ask, &zero, &bed.commits[0], "refs/heads/x", CAPS);
    say_command(&p.ask, &zero, &bed.commits[1], "refs/heads/x", NULL);
    pack_begin(&p, 0);
    bough_pack_writer_finish(&p.pack);
    push_refused(&p, "ng refs/heads/x ");
    push_end(&p);
}

static void test_push__without_the_objects_named(void **state)
{
    struct bough_oid ids[3];
    (void)state;
    for (int hole = 0; hole < 3; hole++) {
        struct push p;
        push_begin(&p);
        bough_buf_put_str(&p.text, "blob");
        ids[0] = text_id(&p, BOUGH_BLOB);
        bough_buf_clear(&p.text);
        bed_tree(&p.text, BOUGH_FILEMODE_BLOB, "f", &ids[0]);
        ids[1] = text_id(&p, BOUGH_TREE);
        bough_buf_clear(&p.text);
        bed_commit(&p.text, &ids[1], &bed.commits[0], 9);
        ids[2] = text_id(&p, BOUGH_COMMIT);
        say_command(&p.ask, &zero, &ids[2], "refs/heads/x", CAPS);
        pack_begin(&p, 2);
        if (hole != 2)
            pack_put(&p, BOUGH_COMMIT);
        bough_buf_clear(&p.text);
        bed_tree(&p.text, BOUGH_FILEMODE_BLOB, "f", &ids[0]);
        if (hole != 1)
            pack_put(&p, BOUGH_TREE);
        bough_buf_clear(&p.text);
        bough_buf_put_str(&p.text, "blob");
        if (hole != 0)
            pack_put(&p, BOUGH_BLOB);
        bough_pack_writer_finish(&p.pack);
        push_refused(&p, "ng refs/heads/x missing necessary objects");
        push_end(&p);
    }
}

static void test_push__of_a_parent_that_is_not_there(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    struct bough_oid nowhere = bed.commits[0];
    nowhere.bytes[3] ^= 1;
    bed_commit(&p.text, &bed.trees[0], &nowhere, 9);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &zero, &id, "refs/heads/x", CAPS);
    pack_begin(&p, 1);
    pack_put(&p, BOUGH_COMMIT);
    bough_pack_writer_finish(&p.pack);
    push_refused(&p, "ng refs/heads/x missing necessary objects");
    push_end(&p);
}

/* Also what no new tip reaches: adopted objects are closed. */
static void test_push__of_loose_ends_beside(void **state)
{
    struct push p;
    (void)state;
    push_begin(&p);
    struct bough_oid nowhere = bed.blobs[0];
    nowhere.bytes[3] ^= 1;
    text_commit(&p);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &zero, &id, "refs/heads/x", CAPS);
    pack_begin(&p, 2);
    pack_put(&p, BOUGH_COMMIT);
    bed_tree(&p.text, BOUGH_FILEMODE_BLOB, "lost", &nowhere);
    pack_put(&p, BOUGH_TREE);
    bough_pack_writer_finish(&p.pack);
    push_refused(&p, "ng refs/heads/x missing necessary objects");
    push_end(&p);
}

/* An entry that says blob and names a tree, and the other way round. */
static void test_push__of_entries_of_another_type(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        struct push p;
        push_begin(&p);
        bed_tree(&p.text, turn == 0 ? BOUGH_FILEMODE_BLOB : BOUGH_FILEMODE_TREE, "f",
            turn == 0 ? &bed.trees[0] : &bed.blobs[0]);
        struct bough_oid tree = text_id(&p, BOUGH_TREE);
        bough_buf_clear(&p.text);
        bed_commit(&p.text, &tree, NULL, 9);
        struct bough_oid id = text_id(&p, BOUGH_COMMIT);
        say_command(&p.ask, &zero, &id, "refs/heads/x", CAPS);
        pack_begin(&p, 2);
        pack_put(&p, BOUGH_COMMIT);
        bed_tree(&p.text, turn == 0 ? BOUGH_FILEMODE_BLOB : BOUGH_FILEMODE_TREE, "f",
            turn == 0 ? &bed.trees[0] : &bed.blobs[0]);
        pack_put(&p, BOUGH_TREE);
        bough_pack_writer_finish(&p.pack);
        push_refused(&p, "ng refs/heads/x missing necessary objects");
        push_end(&p);
    }
}

static void test_push__of_trees_that_git_would_not_have(void **state)
{
    static const struct {
        uint32_t mode;
        const char *name, *said;
    } bad[] = {
        {BOUGH_FILEMODE_BLOB, ".git", "hasDotgit"},
        {BOUGH_FILEMODE_BLOB, ".GIT", "hasDotgit"},
        {BOUGH_FILEMODE_BLOB, "..", "hasDotdot"},
        {BOUGH_FILEMODE_BLOB, "a/b", "fullPathname"},
        {BOUGH_FILEMODE_LINK, ".gitmodules", "gitmodulesSymlink"},
        {0104755, "setuid", "ilemode"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct push p;
        push_begin(&p);
        bed_tree(&p.text, bad[i].mode, bad[i].name, &bed.blobs[0]);
        struct bough_oid tree = text_id(&p, BOUGH_TREE);
        bough_buf_clear(&p.text);
        bed_commit(&p.text, &tree, NULL, 9);
        struct bough_oid id = text_id(&p, BOUGH_COMMIT);
        say_command(&p.ask, &zero, &id, "refs/heads/x", CAPS);
        pack_begin(&p, 2);
        pack_put(&p, BOUGH_COMMIT);
        bed_tree(&p.text, bad[i].mode, bad[i].name, &bed.blobs[0]);
        pack_put(&p, BOUGH_TREE);
        bough_pack_writer_finish(&p.pack);
        push_refused(&p, bad[i].said);
        assert_true(holds(&p.said, "ng refs/heads/x unpacker error"));
        push_end(&p);
    }
}

/* A byte changed anywhere in the pack, and the pack cut anywhere. */
static void test_push__of_a_pack_that_is_damaged(void **state)
{
    struct push p;
    uint64_t before = objects();
    (void)state;
    push_begin(&p);
    text_commit(&p);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &zero, &id, "refs/heads/x", " report-status");
    size_t head = p.ask.len + 4;
    pack_begin(&p, 1);
    pack_put(&p, BOUGH_COMMIT);
    bough_pack_writer_finish(&p.pack);
    size_t whole = p.ask.len;
    for (size_t at = head; at < whole; at++) {
        p.ask.ptr[at] ^= 0x10;
        push_step(&p, 100000, "ng refs/heads/x unpacker error");
        p.ask.ptr[at] ^= 0x10;
        p.ask.len = at;
        push_step(&p, 100000, "ng refs/heads/x unpacker error");
        p.ask.len = whole;
    }
    assert_int_equal(objects(), before);
    push_step(&p, 100000, "ok refs/heads/x");
    push_end(&p);
}

static const char *say_no(
    void *ctx, struct bough_store *view, const struct bough_push_command *command)
{
    uint32_t *asked = ctx;
    if (!bough_oid_is_zero(&command->now))
        OK(bough_store_has(view, &command->now));
    ++*asked;
    return bough_view_eq(command->ref, VIEW("refs/heads/no")) ? "not this one" : NULL;
}

static void test_push__is_subject_to_policy(void **state)
{
    struct push p;
    uint32_t asked = 0;
    (void)state;
    bed.opts.policy = say_no;
    bed.opts.policy_ctx = &asked;
    for (int atomic = 1; atomic >= 0; atomic--) {
        push_begin(&p);
        text_commit(&p);
        struct bough_oid id = text_id(&p, BOUGH_COMMIT);
        say_command(&p.ask, &zero, &id, "refs/heads/no", atomic ? CAPS " atomic" : CAPS);
        say_command(&p.ask, &zero, &id, "refs/heads/yes", NULL);
        pack_begin(&p, 1);
        pack_put(&p, BOUGH_COMMIT);
        bough_pack_writer_finish(&p.pack);
        push_step(&p, 50, "ng refs/heads/no not this one");
        assert_true(
            holds(&p.said, atomic ? "ng refs/heads/yes atomic push failure" : "ok refs/heads/yes"));
        push_end(&p);
    }
    assert_int_equal(asked, 4);
}

static void test_push__forward_only_sees_what_was_pushed(void **state)
{
    struct push p;
    (void)state;
    bed.opts.flags = BOUGH_SYNC_DENY_NON_FAST_FORWARD;
    push_begin(&p);
    say_command(&p.ask, &bed.commits[BED_COMMITS - 1], &bed.commits[0], "refs/heads/main", CAPS);
    pack_begin(&p, 0);
    bough_pack_writer_finish(&p.pack);
    push_refused(&p, "ng refs/heads/main non-fast-forward");
    push_end(&p);

    push_begin(&p);
    text_commit(&p);
    struct bough_oid id = text_id(&p, BOUGH_COMMIT);
    say_command(&p.ask, &bed.commits[BED_COMMITS - 1], &id, "refs/heads/main", CAPS);
    pack_begin(&p, 1);
    pack_put(&p, BOUGH_COMMIT);
    bough_pack_writer_finish(&p.pack);
    push_step(&p, 50, "ok refs/heads/main");
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
        TEST(test_push__with_an_old_value_that_moved),
        TEST(test_push__of_names_that_are_none),
        TEST(test_push__of_a_ref_twice),
        TEST(test_push__without_the_objects_named),
        TEST(test_push__of_a_parent_that_is_not_there),
        TEST(test_push__of_loose_ends_beside),
        TEST(test_push__of_entries_of_another_type),
        TEST(test_push__of_trees_that_git_would_not_have),
        TEST(test_push__of_a_pack_that_is_damaged),
        TEST(test_push__is_subject_to_policy),
        TEST(test_push__forward_only_sees_what_was_pushed),
        TEST(test_traps__end_the_session),
        TEST(test_traps__limits_hold),
        TEST(test_memory__may_fail_at_every_point),
    };
    return cmocka_run_group_tests_name("sync_receive", tests, NULL, NULL);
}
