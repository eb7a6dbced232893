/*
 * test_sync_refuse.c - pushes that are refused, byte for byte.
 *
 * Goal: what is wrong arrives not at all, and the report says so in git's words.  Method: requests
 * and packs written here (push_bed.h); after each refusal the store holds what it held before.
 */
#include "tests/unit/push_bed.h"

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("sync_refuse", tests, NULL, NULL);
}
