/*
 * test_repo_attack.c - names and messages that look like half of a SHA-1 collision.
 *
 * Goal: where writes are journalled and folded later, a name that cannot be folded is refused by the write, never
 * acknowledged; what the default message says of paths keeps no window from being folded.  Method: the digest is told
 * which block to take for an attack (bough_hash_alarm), and the branch is folded.
 */
#include "base/hash.h"
#include "git/object.h"
#include "tests/unit/repo_bed.h"

static struct bed bed;

static void test_repo_attack__a_name_is_refused_by_its_write(void **state)
{
    uint8_t block[64];
    char evil[4 + 200] = "dir/";
    struct bough_branch *b;
    struct bough_oid head, again;

    (void)state;
    bed_open(&bed, BOUGH_SHA1, 1000, 1000);
    b = bed_branch(&bed, "main");
    memset(block, '!', sizeof block);
    memset(evil + 4, '!', sizeof evil - 5);
    evil[sizeof evil - 1] = 0;
    bough_hash_alarm(block);
    assert_int_equal(bed_put(b, "before", "1", 10), BOUGH_OK);
    assert_int_equal(bed_put(b, evil, "1", 11), BOUGH_EFORMAT);
    assert_string_equal(bough_repo_why(bed.repo)->what, "SHA-1 collision attack detected");
    assert_int_equal(bed_put(b, "after", "1", 12), BOUGH_OK);
    assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
    bough_hash_alarm(NULL);
    assert_int_equal(bough_branch_head(b, &again), BOUGH_OK);
    assert_true(bough_oid_eq(&head, &again));
    bed_sees(bed.repo, b, "before", "1");
    bed_sees(bed.repo, b, evil, NULL);
    bed_sees(bed.repo, b, "after", "1");
    bough_branch_close(b);
    bed_close(&bed);
}

/* Does the commit say no more than that there were changes? */
static bool is_terse(const struct bough_oid *commit)
{
    struct bough_buf raw;
    struct bough_commit c;
    bool terse;

    bough_buf_init(&raw, bed.env.env.mem);
    assert_int_equal(bough_store_read(bed.store, commit, NULL, &raw), BOUGH_OK);
    assert_int_equal(bough_commit_parse(BOUGH_SHA1, bough_buf_view(&raw), &c), BOUGH_OK);
    terse = bough_view_eq(c.message, V("changes\n"));
    bough_buf_fini(&raw);
    return terse;
}

static void test_repo_attack__paths_in_a_message_are_left_out(void **state)
{
    enum { PERIOD = 32 };
    uint8_t block[64];
    struct bough_branch *b;
    uint32_t terse = 0;

    (void)state;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i % PERIOD == PERIOD - 1 ? '/' : '!';
    bed_open(&bed, BOUGH_SHA1, 1000, 1000);
    b = bed_branch(&bed, "main");
    bough_hash_alarm(block);
    for (size_t shift = 1; shift <= PERIOD;
         shift++) { /* one of them has the block where it counts */
        char path[256];
        struct bough_oid head;

        memset(path, 'p', shift);
        path[shift] = '/';
        for (size_t i = 0; i < 6 * PERIOD; i++)
            path[shift + 1 + i] = i % PERIOD == PERIOD - 1 ? '/' : '!';
        strcpy(path + shift + 1 + 6 * PERIOD, "k");
        assert_int_equal(bed_put(b, path, "1", 10), BOUGH_OK);
        assert_int_equal(bough_branch_head(b, &head), BOUGH_OK);
        terse += is_terse(&head);
    }
    bough_hash_alarm(NULL);
    assert_int_equal(terse, 1);
    bough_branch_close(b);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repo_attack__a_name_is_refused_by_its_write),
        cmocka_unit_test(test_repo_attack__paths_in_a_message_are_left_out),
    };

    return cmocka_run_group_tests_name("repo attack", tests, NULL, NULL);
}
