/*
 * test_store_gitdir.c - the gitdir engine beside others who write to the same repository.
 *
 * Goal: what gitdir.h adds to store.h: another's objects and refs are seen, compare-and-swap holds
 * against another writer between the comparison and the commit, git's locks are kept and end
 * nothing, clashing names are refused, reflogs and shallow commits are git's own.
 * Method: two handles on one folder, each the other's stranger; files of git's read and written
 * by hand.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/collect.h"
#include "store/gitdir.h"
#include "tests/lib/env.h"

#define OK(x)         assert_int_equal((x), BOUGH_OK)
#define ERR(err, x)   assert_int_equal((x), (err))
#define VIEW(literal) bough_view(literal, sizeof(literal) - 1)

struct bed {
    struct test_env t;
    char path[64];
    struct bough_store *a, *b; /* two handles on one repository */
};

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);

    assert_non_null(bed);
    test_env_init(&bed->t);
    strcpy(bed->path, "/tmp/bough-git-XXXXXX");
    assert_non_null(mkdtemp(bed->path));
    OK(bough_gitdir_create(bed->path, NULL));
    OK(bough_gitdir_store_open(&bed->t.env, bed->path, false, &bed->a, NULL));
    OK(bough_gitdir_store_open(&bed->t.env, bed->path, false, &bed->b, NULL));
    *state = bed;
    return 0;
}

static int removed(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct bed *bed = *state;

    bough_store_close(bed->a);
    bough_store_close(bed->b);
    nftw(bed->path, removed, 16, FTW_DEPTH | FTW_PHYS);
    test_env_done(&bed->t);
    free(bed);
    return 0;
}

/* A file below the repository; NULL text: it must not be there. */
static void assert_file(const struct bed *bed, const char *name, const char *want)
{
    char path[200], text[2000] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", bed->path, name);
    f = fopen(path, "r");
    if (want == NULL) {
        assert_null(f);
        return;
    }
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_string_equal(text, want);
}

static void write_file(const struct bed *bed, const char *name, const char *text)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", bed->path, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct bough_oid put(struct bough_store *s, const char *text)
{
    struct bough_txn *t;
    struct bough_oid id;

    OK(bough_txn_begin(s, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, bough_view_str(text), &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
    return id;
}

static struct bough_ref_change change_of(
    const char *name, struct bough_oid old, struct bough_oid id)
{
    return (struct bough_ref_change){.name = bough_view_str(name),
        .check = true,
        .old = old,
        .kind = bough_oid_is_zero(&id) ? BOUGH_REF_NONE : BOUGH_REF_ID,
        .id = id};
}

static enum bough_err move(
    struct bough_store *s, const char *name, struct bough_oid old, struct bough_oid id)
{
    struct bough_ref_change c = change_of(name, old, id);
    struct bough_txn *t;
    enum bough_err err;

    OK(bough_txn_begin(s, &t));
    err = bough_txn_ref(t, &c);
    if (!err)
        return bough_txn_commit(t, BOUGH_DURABLE_LATER);
    bough_txn_abort(t);
    return err;
}

static void assert_ref(struct bough_store *s, const char *name, struct bough_oid id)
{
    struct bough_ref ref;

    OK(bough_store_ref(s, bough_view_str(name), &ref));
    assert_true(bough_oid_eq(&ref.id, &id));
}

static const struct bough_oid zero;

static void test_gitdir__what_others_write_is_seen(void **state)
{
    struct bed *bed = *state;
    struct bough_oid id = put(bed->b, "first"), again;
    struct bough_buf out;

    bough_buf_init(&out, &bed->t.mem.mem);
    OK(bough_store_has(bed->a, &id));
    OK(move(bed->b, "refs/heads/x", zero, id));
    assert_ref(bed->a, "refs/heads/x", id);
    again = put(bed->a, "second");
    OK(bough_store_read(bed->b, &again, NULL, &out));
    assert_true(bough_view_eq(bough_buf_view(&out), VIEW("second")));
    bough_buf_fini(&out);
    OK(move(bed->a, "refs/heads/x", id, zero));
    ERR(BOUGH_ENOENT, bough_store_ref(bed->b, VIEW("refs/heads/x"), &(struct bough_ref){0}));
}

static void test_gitdir__a_swap_holds_until_its_commit(void **state)
{
    struct bed *bed = *state;
    struct bough_oid one = put(bed->a, "1"), two = put(bed->a, "2"), lost;
    struct bough_ref_change c = change_of("refs/heads/x", zero, one);
    struct bough_ref_change other = change_of("refs/heads/other", zero, one);
    struct bough_txn *t;

    OK(bough_txn_begin(bed->a, &t));
    OK(bough_txn_put(t, BOUGH_BLOB, VIEW("lost"), &lost));
    OK(bough_txn_ref(t, &other));
    OK(bough_txn_ref(t, &c));
    OK(move(bed->b, "refs/heads/x", zero, two)); /* between comparing and committing */
    ERR(BOUGH_ETEST, bough_txn_commit(t, BOUGH_DURABLE_LATER));
    assert_ref(bed->a, "refs/heads/x", two);
    ERR(BOUGH_ENOENT, bough_store_ref(bed->a, VIEW("refs/heads/other"), &(struct bough_ref){0}));
    ERR(BOUGH_ENOENT, bough_store_has(bed->a, &lost));
    OK(move(bed->a, "refs/heads/x", two, one)); /* nothing is broken */
    assert_ref(bed->b, "refs/heads/x", one);
}

static void test_gitdir__locks_are_kept(void **state)
{
    struct bed *bed = *state;
    struct bough_oid one = put(bed->a, "1");
    char lock[200];

    OK(move(bed->a, "refs/heads/x", zero, one));
    write_file(bed, "refs/heads/x.lock", "");
    ERR(BOUGH_ELOCKED, move(bed->a, "refs/heads/x", one, put(bed->a, "2")));
    assert_ref(bed->a, "refs/heads/x", one);
    snprintf(lock, sizeof lock, "%s/refs/heads/x.lock", bed->path);
    assert_int_equal(unlink(lock), 0);
    OK(move(bed->a, "refs/heads/x", one, put(bed->a, "2"))); /* the store goes on */
    assert_file(bed, "refs/heads/x.lock", NULL);
}

static void test_gitdir__names_that_clash_are_refused(void **state)
{
    struct bed *bed = *state;
    struct bough_oid id = put(bed->a, "1");

    OK(move(bed->a, "refs/heads/a/b", zero, id));
    ERR(BOUGH_EEXIST, move(bed->a, "refs/heads/a", zero, id));
    ERR(BOUGH_EEXIST, move(bed->a, "refs/heads/a/b/c", zero, id));
    OK(move(bed->a, "refs/heads/a-b", zero, id));
    ERR(BOUGH_EKEY, move(bed->a, "elsewhere/x", zero, id));
    OK(move(bed->a, "refs/heads/a/b", id, zero));
    OK(move(bed->a, "refs/heads/a", zero, id));
}

static void test_gitdir__packed_refs_are_refs(void **state)
{
    struct bed *bed = *state;
    struct bough_oid id = put(bed->a, "1"), two = put(bed->a, "2");
    struct bough_ref ref;
    char hex[BOUGH_HEX_MAX + 1] = "", text[200];

    bough_oid_hex(BOUGH_SHA1, &id, hex);
    snprintf(
        text, sizeof text, "# pack-refs with: peeled fully-peeled sorted \n%s refs/heads/p\n", hex);
    write_file(bed, "packed-refs", text);
    assert_ref(bed->a, "refs/heads/p", id);
    OK(bough_store_ref_next(bed->a, VIEW("refs/"), VIEW(""), &ref));
    assert_true(bough_view_eq(ref.name, VIEW("refs/heads/p")));
    OK(move(bed->a, "refs/heads/p", id, two));
    assert_ref(bed->b, "refs/heads/p", two);
    OK(move(bed->b, "refs/heads/p", two, zero)); /* the packed one goes, too */
    ERR(BOUGH_ENOENT, bough_store_ref(bed->a, VIEW("refs/heads/p"), &ref));
}

static void test_gitdir__the_boundary_is_gits_file(void **state)
{
    struct bed *bed = *state;
    struct bough_oid id = bough_oid_of(BOUGH_SHA1, BOUGH_COMMIT, VIEW("x")), got;
    char want[BOUGH_HEX_MAX + 2] = "";
    struct bough_txn *t;

    ERR(BOUGH_ENOENT, bough_store_boundary_next(bed->a, NULL, &got));
    OK(bough_txn_begin(bed->b, &t));
    OK(bough_txn_boundary(t, &id, true));
    OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
    strcpy(want + bough_oid_hex(BOUGH_SHA1, &id, want), "\n");
    assert_file(bed, "shallow", want);
    bed->a->boundary = BOUGH_BOUNDARY_UNKNOWN;
    OK(bough_store_boundary_next(bed->a, NULL, &got));
    assert_true(bough_oid_eq(&got, &id));
    ERR(BOUGH_ENOENT, bough_store_boundary_next(bed->a, &id, &got));
    OK(bough_store_boundary(bed->a, &id));
    OK(bough_txn_begin(bed->b, &t));
    OK(bough_txn_boundary(t, &id, false));
    OK(bough_txn_commit(t, BOUGH_DURABLE_LATER));
    assert_file(bed, "shallow", NULL); /* an empty one would mean something */
}

static void test_gitdir__reflogs_are_gits_own(void **state)
{
    static const char prefix[] = "logs/refs/heads/x:";
    struct bed *bed = *state;
    struct bough_oid one = put(bed->a, "1"), two = put(bed->a, "2");
    uint8_t first[100];
    struct bough_ref ref;

    write_file(bed, "config", "[core]\n\tbare = true\n\tlogAllRefUpdates = true\n");
    bough_store_close(bed->a);
    OK(bough_gitdir_store_open(&bed->t.env, bed->path, false, &bed->a, NULL));
    OK(move(bed->a, "refs/heads/x", zero, one));
    OK(move(bed->a, "refs/heads/x", one, two));
    OK(bough_store_ref_next(bed->a, VIEW(prefix), VIEW(""), &ref));
    assert_int_equal(ref.kind, BOUGH_REF_SYM); /* the newest: old, new, time, why */
    assert_memory_equal(ref.target.ptr, one.bytes, 20);
    assert_memory_equal(ref.target.ptr + 20, two.bytes, 20);
    memcpy(first, ref.name.ptr, ref.name.len);
    OK(bough_store_ref_next(bed->a, VIEW(prefix), bough_view(first, ref.name.len), &ref));
    assert_memory_equal(ref.target.ptr + 20, one.bytes, 20);
    memcpy(first, ref.name.ptr, ref.name.len);
    ERR(BOUGH_ENOENT,
        bough_store_ref_next(bed->a, VIEW(prefix), bough_view(first, ref.name.len), &ref));
    OK(move(bed->a, "refs/heads/x", two, zero));
    assert_file(bed, "logs/refs/heads/x", NULL);
}

static void test_gitdir__what_is_no_repository_is_told(void **state)
{
    struct bed *bed = *state;
    struct bough_store *s;
    struct bough_why why = {0};

    ERR(BOUGH_EEXIST, bough_gitdir_create(bed->path, &why));
    ERR(BOUGH_ENOENT, bough_gitdir_store_open(&bed->t.env, "/nowhere/at/all", false, &s, &why));
    assert_null(s);
    write_file(bed, "config",
        "[core]\n\tbare = true\n\trepositoryformatversion = 1\n[extensions]\n\tnew = 1\n");
    ERR(BOUGH_ENOTSUP, bough_gitdir_store_open(&bed->t.env, bed->path, false, &s, &why));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_gitdir__what_others_write_is_seen),
        TEST(test_gitdir__a_swap_holds_until_its_commit),
        TEST(test_gitdir__locks_are_kept),
        TEST(test_gitdir__names_that_clash_are_refused),
        TEST(test_gitdir__packed_refs_are_refs),
        TEST(test_gitdir__the_boundary_is_gits_file),
        TEST(test_gitdir__reflogs_are_gits_own),
        TEST(test_gitdir__what_is_no_repository_is_told),
    };

    return cmocka_run_group_tests_name("unit/store gitdir", tests, NULL, NULL);
}
