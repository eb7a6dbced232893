/*
 * test_kv_dir_much.c - much in a folder of the host: listings, several handles, copies.
 *
 * Goal: big values and folders need little memory; a listing lacks nothing that is there; copies
 * keep bytes and modes, or refuse what changes meanwhile.  Method: as in test_kv_dir.c.
 */
#include "store/mem.h"
#include "tests/unit/dir_bed.h"

static void test_dir__a_folder_larger_than_the_window_lists_in_order(void **state)
{
    enum { N = 9000 }; /* of 150 bytes: more than a listing keeps */
    struct fix *x = *state;
    char name[160], after[160] = "", *seen = calloc(N, 1);
    struct bough_kv_entry e;
    size_t n = 0;

    assert_non_null(seen);
    host_write(x, "x", "1");
    assert_int_equal(mkdirat(x->root, "d", 0777), 0);
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof name, "d/%0146u", i * 7919 % N);
        assert_int_equal(linkat(x->root, "x", x->root, name, 0), 0);
    }
    x->t.mem.peak = x->t.mem.used;
    for (; bough_kv_next(x->kv, str("/d"), str(after), &e) == BOUGH_OK; n++) {
        assert_true(bough_view_cmp(e.name, str(after)) > 0);
        memcpy(after, e.name.ptr, e.name.len);
        after[e.name.len] = '\0';
        seen[strtoul(after, NULL, 10)] = 1;
    }
    assert_int_equal(n, N);
    assert_null(memchr(seen, 0, N));
    assert_true(x->t.mem.peak < (size_t)6 << 20);
    free(seen);
}

static void test_dir__handles_see_each_other(void **state)
{
    struct fix *x = *state;
    struct bough_kv *other;

    assert_int_equal(bough_kv_again(x->kv, &other), BOUGH_OK);
    for (int i = 0; i < 50; i++) {
        char key[16], names[256] = "";

        snprintf(key, sizeof key, "/d/%c", 'A' + i);
        assert_int_equal(set(i % 2 ? x->kv : other, key, "v"), BOUGH_OK);
        for (int j = 0; j <= i; j++)
            snprintf(names + 2 * j, 3, "%c ", 'A' + j);
        assert_list(i % 2 ? other : x->kv, "/d", names);
    }
    bough_kv_close(other);
}

static void test_dir__a_listing_never_lacks_what_came_within_a_tick(void **state)
{
    struct fix *x = *state;
    struct bough_kv_entry e;

    assert_int_equal(mkdirat(x->root, "d", 0777), 0);
    host_write(x, "d/0", "");
    for (unsigned i = 1; i < 500; i++) {
        char name[16], before[16];

        snprintf(before, sizeof before, "%u", 999 + i);
        snprintf(name, sizeof name, "d/%u", 1000 + i);
        assert_int_equal(bough_kv_next(x->kv, str("/d"), str(before), &e), BOUGH_ENOENT);
        host_write(x, name, "");
        assert_int_equal(bough_kv_next(x->kv, str("/d"), str(before), &e), BOUGH_OK);
    }
}

/* Bytes without end, made on the way. */
struct many {
    struct bough_source src;
    uint8_t piece[1 << 16];
    uint64_t seed, left;
};

static enum bough_err many_peek(struct bough_source *src, struct bough_view *out)
{
    struct many *m = (struct many *)src;
    uint64_t n = m->left < sizeof m->piece ? m->left : sizeof m->piece;

    m->piece[0] = (uint8_t)m->seed;
    *out = bough_view(m->piece, (size_t)n);
    return BOUGH_OK;
}

static void many_skip(struct bough_source *src, size_t n)
{
    struct many *m = (struct many *)src;

    m->seed++;
    m->left -= n;
}

static const struct bough_source_class many_class = {"many", many_peek, many_skip};

static void test_dir__copies_stream_big_values_and_keep_modes(void **state)
{
    enum { BIG = 20 << 20 };
    struct fix *x = *state;
    struct many *m = calloc(1, sizeof *m);
    struct bough_set_opts exec = {.has_mode = true, .mode = BOUGH_MODE_EXEC};
    struct bough_set_opts link = {.has_mode = true, .mode = BOUGH_MODE_LINK};
    struct bough_oid a, b;
    struct bough_kv *to;

    assert_non_null(m);
    m->src.cls = &many_class;
    m->left = BIG;
    assert_int_equal(set(x->kv, "/d/small", "s"), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("/d/link"), str("small"), &link), BOUGH_OK);
    x->t.mem.peak = x->t.mem.used;
    assert_int_equal(bough_kv_set_stream(x->kv, str("/d/big"), BIG, &m->src, &exec), BOUGH_OK);
    assert_int_equal(bough_kv_dir_open(&x->t.env, path_of(x, "beside"), false, &to), BOUGH_OK);
    assert_int_equal(bough_kv_copy(x->kv, str("/d"), to, str("/e"), NULL, NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set_part(to, str("/e/big"), BIG, str("end"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_set_part(x->kv, str("/d/big"), BIG, str("end"), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_digest(x->kv, str("/d"), &a), BOUGH_OK);
    assert_int_equal(bough_kv_digest(to, str("/e"), &b), BOUGH_OK);
    assert_true(bough_oid_eq(&a, &b));
    assert_true(x->t.mem.peak < 2 << 20);
    m->left = 5;
    assert_int_equal(bough_kv_set_stream(to, str("/e/big"), 3 << 20, &m->src, NULL), BOUGH_EFORMAT);
    assert_int_equal(bough_kv_digest(to, str("/e"), &b), BOUGH_OK);
    assert_true(bough_oid_eq(&a, &b));
    bough_kv_close(to);
    free(m);
}

/* A target that writes into the source's file when it has its first piece. */
struct meddler {
    struct bough_kv kv;
    const struct fix *x;
};

static enum bough_err meddler_find(
    struct bough_kv *kv, struct bough_view path, struct bough_node *out, size_t *through)
{
    (void)kv;
    (void)path;
    *out = (struct bough_node){.kind = BOUGH_NODE_NONE};
    *through = 0;
    return BOUGH_OK;
}

static enum bough_err meddler_write(
    struct bough_kv *kv, const struct bough_write *w, size_t n, uint32_t flags)
{
    (void)kv;
    (void)w;
    (void)n;
    (void)flags;
    return BOUGH_OK;
}

static enum bough_err meddler_stream(struct bough_kv *kv, struct bough_view path, uint32_t mode,
    uint64_t size, struct bough_source *src)
{
    struct bough_view piece;
    int fd;

    (void)path;
    (void)mode;
    assert_int_equal(bough_source_peek(src, &piece), BOUGH_OK);
    fd = openat(((struct meddler *)kv)->x->root, "big", O_WRONLY);
    assert_int_equal(pwrite(fd, "other", 5, 100000), 5);
    close(fd);
    for (; size > 0; size -= piece.len) {
        enum bough_err err = bough_source_peek(src, &piece);

        if (err)
            return err;
        bough_source_skip(src, piece.len);
    }
    return BOUGH_OK;
}

static void meddler_close(struct bough_kv *kv)
{
    (void)kv;
}

static void test_dir__a_file_that_changes_while_it_is_copied_is_refused(void **state)
{
    static const struct bough_kv_class cls = {.name = "meddler",
        .close = meddler_close,
        .find = meddler_find,
        .write = meddler_write,
        .set_stream = meddler_stream};
    struct fix *x = *state;
    struct meddler to = {.x = x};
    char *big = calloc(2 << 20, 1);

    assert_non_null(big);
    bough_kv_init(&to.kv, &cls, &x->t.env, BOUGH_SHA1, BOUGH_KV_WRITE);
    assert_int_equal(bough_kv_set(x->kv, str("/big"), bough_view(big, 2 << 20), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_copy(x->kv, str("/"), &to.kv, str("/"), NULL, NULL), BOUGH_ETEST);
    bough_kv_close(&to.kv);
    free(big);
}

static void test_dir__a_copy_to_a_branch_is_one_commit_or_none(void **state)
{
    struct fix *x = *state;
    struct bough_set_opts exec = {.has_mode = true, .mode = BOUGH_MODE_EXEC};
    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_oid a, b, head, again;
    struct bough_kv *to;
    char *big = calloc(3 << 20, 1);

    assert_non_null(big);
    assert_int_equal(bough_mem_store_open(&x->t.env, BOUGH_SHA1, &store), BOUGH_OK);
    assert_int_equal(
        bough_repo_open(store, &(struct bough_repo_opts){.cache = 0}, &repo), BOUGH_OK);
    assert_int_equal(bough_kv_branch_open(repo, str("main"), &to), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("/a/run"), str("#!"), &exec), BOUGH_OK);
    assert_int_equal(bough_kv_set(x->kv, str("/big"), bough_view(big, 3 << 20), NULL), BOUGH_OK);
    assert_int_equal(bough_kv_copy(x->kv, str("/"), to, str("/in"), NULL, NULL), BOUGH_OK);
    assert_int_equal(bough_kv_digest(x->kv, str("/"), &a), BOUGH_OK);
    assert_int_equal(bough_kv_digest(to, str("/in"), &b), BOUGH_OK);
    assert_true(bough_oid_eq(&a, &b));
    assert_int_equal(bough_branch_head(bough_kv_branch(to), &head), BOUGH_OK);
    assert_int_equal(bough_repo_resolve(repo, str("main~1"), &again), BOUGH_ENOENT);
    assert_int_equal(mkdirat(x->root, "a/.GIT", 0777), 0);
    host_write(x, "a/.GIT/config", "");
    assert_int_equal(set(x->kv, "/a/another", "x"), BOUGH_OK);
    assert_int_equal(bough_kv_copy(x->kv, str("/"), to, str("/in"), NULL, NULL), BOUGH_EKEY);
    assert_key(to, "/in/a/.GIT/config");
    assert_int_equal(bough_branch_head(bough_kv_branch(to), &again), BOUGH_OK);
    assert_true(bough_oid_eq(&head, &again));
    bough_kv_close(to);
    bough_repo_close(repo);
    bough_store_close(store);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_dir__a_folder_larger_than_the_window_lists_in_order),
        TEST(test_dir__handles_see_each_other),
        TEST(test_dir__a_listing_never_lacks_what_came_within_a_tick),
        TEST(test_dir__copies_stream_big_values_and_keep_modes),
        TEST(test_dir__a_file_that_changes_while_it_is_copied_is_refused),
        TEST(test_dir__a_copy_to_a_branch_is_one_commit_or_none),
#undef TEST
    };

    return cmocka_run_group_tests_name("kv dir much", tests, NULL, NULL);
}
