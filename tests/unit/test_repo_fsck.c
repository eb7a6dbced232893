/*
 * test_repo_fsck.c - who needs what is bad.
 *
 * Goal: a bad object is told with the first commit and path that need it, every ref that reaches
 * it is named, what is whole is known as whole; lack of memory is an error and nothing else.
 * Method: objects that are said to be damaged; a store in memory; allocations that fail.
 */
#include "repo/fsck.h"
#include "tests/unit/repo_bed.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

static struct bed bed;
static struct bough_oid one, two, blob;

static void branch(const char *name, const struct bough_oid *at)
{
    struct bough_ref_update u = {.name = V(name), .now = *at};

    OK(bough_repo_update(bed.repo, &u, 1, 0, NULL));
    OK(u.err);
}

static int setup(void **state)
{
    struct bough_branch *b;

    (void)state;
    bed_open(&bed, test_algo(), 0, 0);
    b = bed_branch(&bed, "main");
    OK(bed_put(b, "a/b", "good", 100));
    OK(bough_branch_head(b, &one));
    OK(bed_put(b, "a/c/d", "to be lost", 200));
    OK(bough_branch_head(b, &two));
    branch("refs/heads/two", &two);
    OK(bed_put(b, "a/c/d", "new", 300));
    branch("refs/heads/one", &one);
    bough_branch_close(b);
    blob = bough_oid_of(test_algo(), BOUGH_BLOB, V("to be lost"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

struct told {
    char text[400];
    size_t len;
};

static void note(void *ctx, const struct bough_fsck_finding *f)
{
    static const char kinds[] = "MDRP";
    struct told *t = ctx;

    assert_true(bough_oid_eq(&f->id, &blob) || f->kind == BOUGH_FSCK_REF);
    if (f->kind == BOUGH_FSCK_DAMAGED)
        assert_true(bough_oid_eq(&f->commit, &two));
    t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%c %.*s %.*s\n",
        kinds[f->kind], (int)f->ref.len, (const char *)f->ref.ptr, (int)f->path.len,
        (const char *)f->path.ptr);
}

static void test_repo_fsck__names_refs_and_paths(void **state)
{
    struct told told = {.len = 0};
    struct bough_fsck *f;

    (void)state;
    OK(bough_fsck_open(bed.repo, &f));
    OK(bough_fsck_damaged(f, &blob));
    assert_int_equal(bough_fsck_run(f, note, &told), BOUGH_ECORRUPT);
    assert_string_equal(told.text, "D  a/c/d\nR refs/heads/main \nR refs/heads/two \nP "
                                   "refs/heads/two a/c/d\n");
    OK(bough_fsck_whole(f, &one));
    assert_int_equal(bough_fsck_whole(f, &two), BOUGH_ECORRUPT);
    assert_int_equal(bough_fsck_whole(f, &blob), BOUGH_ECORRUPT);
    bough_fsck_close(f);
}

static void test_repo_fsck__is_silent_on_what_is_good(void **state)
{
    struct told told = {.len = 0};
    struct bough_fsck *f;

    (void)state;
    OK(bough_fsck_open(bed.repo, &f));
    OK(bough_fsck_run(f, note, &told));
    assert_int_equal(told.len, 0);
    OK(bough_fsck_whole(f, &two));
    bough_fsck_close(f);
}

static void test_repo_fsck__lack_of_memory_is_no_damage(void **state)
{
    (void)state;
    for (uint64_t n = 0;; n++) {
        struct told told = {.len = 0};
        struct bough_fsck *f = NULL;
        enum bough_err err;

        bed.env.mem.calls = 0;
        bed.env.mem.failed = false;
        bed.env.mem.fail_at = n;
        err = bough_fsck_open(bed.repo, &f);
        if (!err)
            err = bough_fsck_damaged(f, &blob);
        if (!err)
            err = bough_fsck_run(f, note, &told);
        bough_fsck_close(f);
        bed.env.mem.fail_at = UINT64_MAX;
        if (!bed.env.mem.failed) {
            assert_int_equal(err, BOUGH_ECORRUPT);
            return;
        }
        assert_true(err == BOUGH_ENOMEM || err == BOUGH_ECORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repo_fsck__names_refs_and_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repo_fsck__is_silent_on_what_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_repo_fsck__lack_of_memory_is_no_damage, setup, teardown),
    };

    return cmocka_run_group_tests_name("repo_fsck", tests, NULL, NULL);
}
