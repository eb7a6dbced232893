/*
 * test_kv_dir.c - the place over a folder of the host.
 *
 * Goal: what the conformance scripts cannot see.  Nothing leads out of the folder; what is not a
 * value does not pass for one; a write that fails, a crash that leaves a stage, memory that ends
 * anywhere leave what was there.  Method: a temporary folder, changed behind the place's back with
 * plain system calls (dir_bed.h).
 */
#include <signal.h>
#include <sys/resource.h>
#include "tests/unit/dir_bed.h"

/* ---- What is a value ---- */

static void test_dir__files_are_values_with_gits_ids_and_modes(void **state)
{
    struct fix *x = *state;
    struct bough_modified m;
    enum bough_mode mode;
    struct timespec times[2] = {{1, 0}, {1234567890, 987654321}};

    host_write(x, "hello", "hello\n");
    assert_int_equal(fchmodat(x->root, "hello", 0700, 0), 0);
    assert_int_equal(utimensat(x->root, "hello", times, 0), 0);
    assert_int_equal(symlinkat("nowhere/at/all", x->root, "link"), 0);
    assert_value(x->kv, "/hello", "hello\n");
    assert_value(x->kv, "/link", "nowhere/at/all");
    assert_digest(x->kv, "/hello", "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_int_equal(bough_kv_mode(x->kv, str("/hello"), &mode), BOUGH_OK);
    assert_int_equal(mode, BOUGH_MODE_EXEC);
    assert_int_equal(bough_kv_mode(x->kv, str("/link"), &mode), BOUGH_OK);
    assert_int_equal(mode, BOUGH_MODE_LINK);
    assert_int_equal(bough_kv_last_modified(x->kv, str("/hello"), &m), BOUGH_OK);
    assert_int_equal(m.time.sec, 1234567890);
    assert_int_equal(m.time.nsec, 987654321);
    assert_list(x->kv, "/", "hello link ");
}

static void test_dir__a_write_bears_the_handles_time_and_mode(void **state)
{
    struct fix *x = *state;
    struct bough_set_opts exec = {.has_mode = true, .mode = BOUGH_MODE_EXEC};
    struct bough_set_opts link = {.has_mode = true, .mode = BOUGH_MODE_LINK};
    char target[8];
    struct stat st;

    assert_int_equal(bough_kv_set(x->kv, str("/d/run"), str("#!"), &exec), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("/d/link"), str("run"), &link), BOUGH_OK);
    assert_int_equal(fstatat(x->root, "d/run", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true((st.st_mode & S_IXUSR) != 0 && S_ISREG(st.st_mode));
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(readlinkat(x->root, "d/link", target, sizeof target), 3);
    assert_int_equal(set(x->kv, "/d/run", "#!/bin/sh"), BOUGH_OK);
    assert_int_equal(fstatat(x->root, "d/run", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true((st.st_mode & S_IXUSR) != 0);
    assert_int_equal(set(x->kv, "/d/link", "file"), BOUGH_OK);
    assert_int_equal(fstatat(x->root, "d/link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(bough_kv_set(x->kv, str("/no"), str(""), &link), BOUGH_ENOTSUP);
    assert_kind(x->kv, "/no", BOUGH_KIND_NONE);
}

static void test_dir__empty_folders_do_not_exist(void **state)
{
    struct fix *x = *state;

    assert_int_equal(mkdirat(x->root, "a", 0777), 0);
    assert_int_equal(mkdirat(x->root, "a/b", 0777), 0);
    assert_int_equal(mkdirat(x->root, "a/b/c", 0777), 0);
    assert_int_equal(mkdirat(x->root, "a/d", 0777), 0);
    assert_kind(x->kv, "/", BOUGH_KIND_DICT);
    assert_kind(x->kv, "/a", BOUGH_KIND_NONE);
    assert_list(x->kv, "/", "");
    assert_digest(x->kv, "/", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert_int_equal(bough_kv_remove(x->kv, str("/a")), BOUGH_ENOENT);
    host_write(x, "a/b/c/v", "v");
    assert_kind(x->kv, "/a", BOUGH_KIND_DICT);
    assert_list(x->kv, "/a", "b ");
    assert_int_equal(bough_kv_remove(x->kv, str("/a/b/c/v")), BOUGH_OK);
    assert_false(host_has(x, "a/b"));
    assert_int_equal(set(x->kv, "/a", "a value"), BOUGH_OK);
    assert_value(x->kv, "/a", "a value");
    assert_int_equal(mkdirat(x->root, "to", 0777), 0);
    assert_int_equal(mkdirat(x->root, "to/deep", 0777), 0);
    assert_int_equal(bough_kv_rename(x->kv, str("/a"), str("/to")), BOUGH_OK);
    assert_value(x->kv, "/to", "a value");
    assert_list(x->kv, "/", "to ");
}

static void test_dir__what_is_no_file_is_told_not_skipped(void **state)
{
    struct fix *x = *state;
    struct bough_buf buf;
    struct bough_oid id;
    uint64_t size;

    bough_buf_init(&buf, &x->t.mem.mem);
    assert_int_equal(mkdirat(x->root, "d", 0777), 0);
    assert_int_equal(mkfifoat(x->root, "d/pipe", 0666), 0);
    assert_list(x->kv, "/d", "pipe ");
    assert_int_equal(bough_kv_get(x->kv, str("/d/pipe"), &buf), BOUGH_ENOTSUP);
    assert_int_equal(bough_kv_size(x->kv, str("/d/pipe"), &size), BOUGH_ENOTSUP);
    assert_int_equal(bough_kv_digest(x->kv, str("/d"), &id), BOUGH_ENOTSUP);
    assert_key(x->kv, "/d/pipe");
    assert_int_equal(set(x->kv, "/d/pipe", "a file now"), BOUGH_OK);
    assert_value(x->kv, "/d/pipe", "a file now");
}

/* ---- Nothing leads out ---- */

static void test_dir__links_are_never_followed(void **state)
{
    struct fix *x = *state;
    struct bough_set_opts force = {.flags = BOUGH_SET_FORCE};

    assert_int_equal(symlinkat("../beside", x->root, "out"), 0);
    host_write(x, "../beside/secret", "secret");
    assert_kind(x->kv, "/out", BOUGH_KIND_VALUE);
    assert_kind(x->kv, "/out/secret", BOUGH_KIND_NONE);
    assert_int_equal(set(x->kv, "/out/new", "x"), BOUGH_EDICT);
    assert_key(x->kv, "/out");
    assert_int_equal(bough_kv_remove(x->kv, str("/out/secret")), BOUGH_ENOENT);
    assert_int_equal(bough_kv_set(x->kv, str("/out/new"), str("x"), &force), BOUGH_OK);
    assert_value(x->kv, "/out/new", "x");
    assert_true(host_has(x, "../beside/secret"));
    assert_false(host_has(x, "../beside/new"));
    assert_int_equal(symlinkat("../../beside", x->root, "out/again"), 0);
    assert_int_equal(bough_kv_remove(x->kv, str("/out")), BOUGH_OK);
    assert_true(host_has(x, "../beside/secret"));
}

static void test_dir__dots_lead_nowhere(void **state)
{
    struct fix *x = *state;

    host_write(x, "../beside/secret", "secret");
    assert_kind(x->kv, "/../beside/secret", BOUGH_KIND_NONE);
    assert_kind(x->kv, "/./.", BOUGH_KIND_NONE);
    assert_int_equal(set(x->kv, "/../beside/new", "x"), BOUGH_EKEY);
    assert_int_equal(bough_kv_rename(x->kv, str("/../beside/secret"), str("/x")), BOUGH_EKEY);
}

static void test_dir__what_it_cannot_is_not_supported(void **state)
{
    struct fix *x = *state;
    struct bough_kv *out;

    assert_int_equal(bough_kv_begin(x->kv, BOUGH_TEST_AND_SET, &out), BOUGH_ENOTSUP);
    assert_int_equal(bough_kv_snapshot(x->kv, &out), BOUGH_ENOTSUP);
    assert_int_equal(bough_kv_dir_open(&x->t.env, path_of(x, "absent"), false, &out), BOUGH_ENOENT);
    host_write(x, "file", "");
    assert_int_equal(
        bough_kv_dir_open(&x->t.env, path_of(x, "place/file"), true, &out), BOUGH_EDICT);
}

/* ---- The stage ---- */

static void test_dir__the_stage_is_not_there(void **state)
{
    struct fix *x = *state;

    assert_int_equal(mkdirat(x->root, ".bough-tmp", 0700), 0);
    host_write(x, ".bough-tmp/half", "written");
    assert_kind(x->kv, "/.bough-tmp", BOUGH_KIND_NONE);
    assert_kind(x->kv, "/.bough-tmp/half", BOUGH_KIND_NONE);
    assert_list(x->kv, "/", "");
    assert_digest(x->kv, "/", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert_int_equal(set(x->kv, "/.bough-tmp/x", "x"), BOUGH_EKEY);
    assert_int_equal(set(x->kv, "/.bough-tmp", "x"), BOUGH_EKEY);
    assert_int_equal(set(x->kv, "/d/.bough-tmp", "x"), BOUGH_OK);
    assert_value(x->kv, "/d/.bough-tmp", "x");
}

static void test_dir__a_crashs_leftovers_go_with_the_next_write(void **state)
{
    struct fix *x = *state;
    int fd;

    assert_int_equal(mkdirat(x->root, ".bough-tmp", 0700), 0);
    host_write(x, ".bough-tmp/half", "written");
    fd = openat(x->root, ".bough-tmp", O_RDONLY);
    for (int i = 0; i < 1500; i++) { /* deeper than any path may be long */
        int next;

        assert_int_equal(mkdirat(fd, "deep", 0777), 0);
        assert_int_equal(symlinkat("/", fd, "link"), 0);
        next = openat(fd, "deep", O_RDONLY);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(set(x->kv, "/a", "a"), BOUGH_OK);
    assert_stage_empty(x);
    assert_false(host_has(x, ".bough-tmp/half"));
    assert_list(x->kv, "/", "a ");
    bough_kv_close(x->kv);
    assert_false(host_has(x, ".bough-tmp"));
    assert_int_equal(bough_kv_dir_open(&x->t.env, path_of(x, "place"), false, &x->kv), BOUGH_OK);
}

static void test_dir__the_stage_of_one_handle_is_safe_from_another(void **state)
{
    struct fix *x = *state;
    struct bough_kv *other;

    assert_int_equal(set(x->kv, "/a", "a"), BOUGH_OK);
    assert_int_equal(bough_kv_again(x->kv, &other), BOUGH_OK);
    assert_int_equal(set(other, "/b", "b"), BOUGH_OK);
    bough_kv_close(other);
    assert_int_equal(set(x->kv, "/c", "c"), BOUGH_OK);
    assert_int_equal(
        nftw(path_of(x, "place/.bough-tmp"), node_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(set(x->kv, "/d", "d"), BOUGH_OK);
    assert_list(x->kv, "/", "a b c d ");
}

static void test_dir__what_syncs_later_is_there_now(void **state)
{
    struct fix *x = *state;

    assert_int_equal(bough_kv_dir_sync(x->kv, true), BOUGH_OK);
    assert_int_equal(set(x->kv, "/a/b", "1"), BOUGH_OK);
    assert_int_equal(set(x->kv, "/a/b", "2"), BOUGH_OK);
    assert_value(x->kv, "/a/b", "2");
    assert_int_equal(bough_kv_dir_sync(x->kv, false), BOUGH_OK);
}

static void test_dir__a_failed_write_leaves_what_was(void **state)
{
    struct fix *x = *state;
    struct rlimit was, small = {4096, 4096};
    static char big[10000];
    struct bough_set_opts force = {.flags = BOUGH_SET_FORCE};

    memset(big, 'b', sizeof big - 1);
    assert_int_equal(set(x->kv, "/v", "old"), BOUGH_OK);
    assert_int_equal(set(x->kv, "/d/w", "w"), BOUGH_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(set(x->kv, "/v", big), BOUGH_ENOSPC);
    assert_int_equal(set(x->kv, "/new/deep/v", big), BOUGH_ENOSPC);
    assert_key(x->kv, "/new/deep/v");
    assert_int_equal(bough_kv_set(x->kv, str("/d"), str(big), &force), BOUGH_ENOSPC);
    assert_int_equal(bough_kv_set(x->kv, str("/v/x"), str(big), &force), BOUGH_ENOSPC);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_value(x->kv, "/v", "old");
    assert_value(x->kv, "/d/w", "w");
    assert_list(x->kv, "/", "d v ");
    assert_false(host_has(x, "new"));
    assert_stage_empty(x);
}

static void test_dir__force_replaces_dictionaries_and_values_on_the_way(void **state)
{
    struct fix *x = *state;
    struct bough_set_opts force = {.flags = BOUGH_SET_FORCE};

    assert_int_equal(set(x->kv, "/d/e/v", "1"), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("/d/e/v/x/y"), str("2"), &force), BOUGH_OK);
    assert_value(x->kv, "/d/e/v/x/y", "2");
    assert_int_equal(bough_kv_set(x->kv, str("/d"), str("3"), &force), BOUGH_OK);
    assert_value(x->kv, "/d", "3");
    assert_stage_empty(x);
}

static void test_dir__clear_leaves_all_when_there_is_what_no_key_names(void **state)
{
    struct fix *x = *state;

    assert_int_equal(set(x->kv, "/a/b", "1"), BOUGH_OK);
    assert_int_equal(set(x->kv, "/z", "1"), BOUGH_OK);
    assert_int_equal(mkdirat(x->root, ".git", 0777), 0);
    host_write(x, ".git/HEAD", "ref: refs/heads/main\n");
    assert_int_equal(bough_kv_clear(x->kv), BOUGH_EKEY);
    assert_key(x->kv, "/.git");
    assert_list(x->kv, "/", ".git a z ");
    assert_int_equal(unlinkat(x->root, ".git/HEAD", 0), 0);
    assert_int_equal(unlinkat(x->root, ".git", AT_REMOVEDIR), 0);
    assert_int_equal(bough_kv_clear(x->kv), BOUGH_OK);
    assert_list(x->kv, "/", "");
    assert_false(host_has(x, "a"));
    assert_stage_empty(x);
}

static void test_dir__two_names_of_one_file_rename_like_two_files(void **state)
{
    struct fix *x = *state;

    host_write(x, "a", "both");
    assert_int_equal(linkat(x->root, "a", x->root, "b", 0), 0);
    assert_int_equal(bough_kv_rename(x->kv, str("/a"), str("/b")), BOUGH_OK);
    assert_list(x->kv, "/", "b ");
    assert_int_equal(linkat(x->root, "b", x->root, "c", 0), 0);
    assert_int_equal(set(x->kv, "/c", "its own"), BOUGH_OK);
    assert_value(x->kv, "/b", "both");
}

/* ---- Memory that ends ---- */

static enum bough_err work(struct fix *x, struct bough_kv *kv)
{
    struct bough_set_opts force = {.flags = BOUGH_SET_FORCE};
    struct bough_kv_entry e;
    struct bough_oid id;
    enum bough_err err;

    (void)x;
    if ((err = set(kv, "/a/b/c", "value")) || (err = set(kv, "/a/b/d", "value")) ||
        (err = bough_kv_set_part(kv, str("/a/b/c"), 2, str("x"), NULL)) ||
        (err = bough_kv_rename(kv, str("/a/b"), str("/x/y"))) ||
        (err = bough_kv_next(kv, str("/x/y"), str("c"), &e)) ||
        (err = bough_kv_digest(kv, str("/"), &id)) ||
        (err = bough_kv_set(kv, str("/x/y/c/q"), str("1"), &force)) ||
        (err = bough_kv_remove(kv, str("/x/y"))))
        return err;
    return BOUGH_OK;
}

static void test_dir__no_memory_is_an_ordinary_error(void **state)
{
    struct fix *x = *state;
    uint64_t at = 0;

    for (bool failed = true; failed; at++) {
        struct test_env t;
        struct bough_kv *kv = NULL;
        enum bough_err err;

        test_env_init(&t);
        t.mem.fail_at = at;
        err = bough_kv_dir_open(&t.env, path_of(x, "place"), true, &kv);
        if (!err)
            err = work(x, kv);
        assert_int_equal(err, t.mem.failed ? BOUGH_ENOMEM : BOUGH_OK);
        failed = t.mem.failed;
        bough_kv_close(kv);
        test_env_done(&t);
        assert_int_equal(bough_kv_clear(x->kv), BOUGH_OK);
    }
    assert_stage_empty(x);
    assert_true(at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_dir__files_are_values_with_gits_ids_and_modes),
        TEST(test_dir__a_write_bears_the_handles_time_and_mode),
        TEST(test_dir__empty_folders_do_not_exist),
        TEST(test_dir__what_is_no_file_is_told_not_skipped),
        TEST(test_dir__links_are_never_followed),
        TEST(test_dir__dots_lead_nowhere),
        TEST(test_dir__what_it_cannot_is_not_supported),
        TEST(test_dir__the_stage_is_not_there),
        TEST(test_dir__a_crashs_leftovers_go_with_the_next_write),
        TEST(test_dir__the_stage_of_one_handle_is_safe_from_another),
        TEST(test_dir__what_syncs_later_is_there_now),
        TEST(test_dir__a_failed_write_leaves_what_was),
        TEST(test_dir__force_replaces_dictionaries_and_values_on_the_way),
        TEST(test_dir__clear_leaves_all_when_there_is_what_no_key_names),
        TEST(test_dir__two_names_of_one_file_rename_like_two_files),
        TEST(test_dir__no_memory_is_an_ordinary_error),
#undef TEST
    };

    return cmocka_run_group_tests_name("kv dir", tests, NULL, NULL);
}
