/*
 * test_collect_git.c - a store packed anew is about as small as git packs it.
 *
 * Goal: after a collection that packs all anew the entries take at most 1.1 times the bytes of the
 * pack that `git gc`, finding all deltas again, makes of the same history, each object is still what its id says, and what
 * is packed so is packed well again the next time.
 * Method: a history of some hundred commits on source-like files in folders, and one of a few on
 * files of a megabyte, made by fast-import; git's pack of it without deltas is received by a log on a device in memory.
 */
#include "store/log/log.h"
#include "tests/lib/git.h"
#include "tests/lib/history.h"

#define OK(x) assert_int_equal((x), BOUGH_OK)

enum { UNIT = 4096, BYTES = 96 * 1024 * 1024, ALL_LINES = 75000 };

struct shape {
    uint32_t commits, files, lines; /* of each file */
};
static const struct shape source = {300, 40, 120}, large = {25, 3, 25000};

/* ---- A history ---- */

static void line_put(struct bough_buf *b, uint64_t seed)
{
    static const char *const words[] = {"if", "return", "struct", "value", "err", "static", "count",
        "(", ")", "==", "NULL", "buffer", "offset", "while", "length", "->", "const", "uint32_t"};
    uint64_t n = 3 + seed % 9;

    while (n-- > 0) {
        bough_buf_put_str(b, words[test_random(&seed) % (sizeof words / sizeof *words)]);
        bough_buf_put_u8(b, ' ');
        if (test_random(&seed) % 4 == 0)
            bough_buf_put_udec(b, test_random(&seed) % 1000);
    }
    bough_buf_put_u8(b, '\n');
}

static void data_put(struct bough_buf *b, const struct bough_buf *text)
{
    bough_buf_put_str(b, "data ");
    bough_buf_put_udec(b, text->len);
    bough_buf_put_u8(b, '\n');
    bough_buf_put_view(b, bough_buf_view(text));
    bough_buf_put_u8(b, '\n');
}

static void file_put(struct bough_buf *b, uint32_t file, const uint64_t *line, uint32_t lines)
{
    char name[64];
    struct bough_buf text;

    bough_buf_init(&text, bough_posix_mem());
    for (uint32_t i = 0; i < lines; i++)
        line_put(&text, line[i]);
    (void)snprintf(
        name, sizeof name, "M 100644 inline room%u/part%u/file%u.c\n", file % 5, file % 3, file);
    bough_buf_put_str(b, name);
    data_put(b, &text);
    bough_buf_fini(&text);
}

static void commit_put(struct bough_buf *b, uint32_t i)
{
    char text[128];

    (void)snprintf(text, sizeof text,
        "commit refs/heads/main\ncommitter A <a@example.com> %u +0000\ndata 20\n", 1000000000 + i);
    bough_buf_put_str(b, text);
    (void)snprintf(text, sizeof text, "commit number %05u\n\n", i);
    bough_buf_put_str(b, text);
}

static void script_make(struct bough_buf *b, const struct shape *h)
{
    static uint64_t line[ALL_LINES];
    uint64_t seed = 4;

    for (uint32_t i = 0; i < h->files * h->lines; i++)
        line[i] = test_random(&seed);
    for (uint32_t i = 0; i < h->commits; i++) {
        uint32_t n = i == 0 ? h->files : 1 + (uint32_t)(test_random(&seed) % 3);

        commit_put(b, i);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t file = i == 0 ? k : (uint32_t)(test_random(&seed) % h->files);
            uint64_t *of = line + file * h->lines;

            for (uint32_t e = 0; e < 3; e++)
                of[test_random(&seed) % h->lines] = test_random(&seed);
            file_put(b, file, of, h->lines);
        }
    }
    OK(b->err);
}

/* ---- The same in a store ---- */

struct fix {
    struct test_env t;
    struct test_git g;
    struct bough_ramblk ram;
    uint8_t *device;
    struct bough_store *s;
    struct bough_why why;
    uint64_t git_bytes, git_objects; /* of its pack */
};

static void receive(struct fix *f, struct bough_view pack, const char *head)
{
    struct bough_intake *in;
    struct bough_txn *t;
    struct bough_oid id;
    size_t used;
    enum bough_err err;

    OK(bough_store_intake(f->s, NULL, &in));
    OK(bough_intake_feed(in, pack, &used));
    while ((err = bough_intake_step(in, 1 << 20)) == BOUGH_EAGAIN)
        continue;
    OK(err);
    OK(bough_txn_begin(f->s, &t));
    OK(bough_txn_adopt(t, in));
    OK(bough_oid_parse(f->g.algo, bough_view(head, 2 * bough_algo_len(f->g.algo)), &id));
    OK(history_ref(t, "refs/heads/main", &id));
    OK(bough_txn_commit(t, BOUGH_DURABLE_NOW));
}

static struct bough_view slurp(struct fix *f, const char *name)
{
    char path[128];
    FILE *file;
    uint8_t *bytes = malloc(BYTES);
    size_t n;

    assert_non_null(bytes);
    (void)snprintf(path, sizeof path, "%s/%s", f->g.dir, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(bytes, 1, BYTES, file);
    (void)fclose(file);
    assert_true(n > 0 && n < BYTES);
    return bough_view(bytes, n);
}

static uint64_t number(struct fix *f, const char *command)
{
    char *out = test_git_run(&f->g, NULL, command);
    uint64_t n = strtoull(out, NULL, 10);

    free(out);
    return n;
}

static void fix_begin(struct fix *f, enum bough_algo algo, const struct shape *shape)
{
    struct bough_log_format_opts format = {.algo = algo};
    struct bough_buf script;
    struct bough_view in, pack;
    char *head;

    memset(f, 0, sizeof *f);
    test_git_init(&f->g, algo);
    bough_buf_init(&script, bough_posix_mem());
    script_make(&script, shape);
    in = bough_buf_view(&script);
    free(test_git_run(&f->g, &in, "git fast-import --quiet"));
    assert_int_equal(f->g.status, 0);
    bough_buf_fini(&script);
    free(test_git_run(&f->g, NULL, "git gc --quiet --prune=now && git repack -q -a -d -f"));
    f->git_bytes = number(f, "cat objects/pack/*.pack | wc -c");
    f->git_objects = number(f, "git rev-list --all --objects | wc -l");
    free(test_git_run(&f->g, NULL,
        "git rev-list --all --objects | git pack-objects -q --no-reuse-delta --window=0 --stdout "
        ">p"));
    head = test_git_run(&f->g, NULL, "git rev-parse refs/heads/main");
    pack = slurp(f, "p");
    f->device = calloc(1, BYTES);
    assert_non_null(f->device);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, BYTES / UNIT, UNIT);
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    OK(bough_log_open(&f->ram.blk, &f->t.env, NULL, &f->s, &f->why));
    receive(f, pack, head);
    free((uint8_t *)(uintptr_t)pack.ptr);
    free(head);
}

static void fix_end(struct fix *f)
{
    bough_store_close(f->s);
    test_env_done(&f->t);
    test_git_done(&f->g);
    free(f->device);
}

static void small_enough(enum bough_algo algo, const struct shape *shape)
{
    struct bough_collect_opts all = {.whole = true};
    struct bough_collect_progress p;
    struct fix f;

    fix_begin(&f, algo, shape);
    for (int i = 0; i < 2; i++) {
        OK(history_collect(f.s, &all, 1 << 20));
        bough_store_collection(f.s, &p);
        print_message("git %d, packed anew %d\n", (int)f.git_bytes, (int)p.copied_bytes);
        assert_int_equal(history_closed(f.s), f.git_objects);
        assert_true(10 * p.copied_bytes <= 11 * f.git_bytes);
    }
    fix_end(&f);
}

static void test_collect_git__packs_as_small_as_git(void **state)
{
    (void)state;
    small_enough(BOUGH_SHA1, &source);
}

static void test_collect_git__packs_as_small_as_git_with_long_ids(void **state)
{
    (void)state;
    small_enough(BOUGH_SHA256, &source);
}

static void test_collect_git__packs_large_files_as_small_as_git(void **state)
{
    (void)state;
    small_enough(BOUGH_SHA1, &large);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect_git__packs_as_small_as_git),
        cmocka_unit_test(test_collect_git__packs_as_small_as_git_with_long_ids),
        cmocka_unit_test(test_collect_git__packs_large_files_as_small_as_git),
    };

    return cmocka_run_group_tests_name("interop/collect git", tests, NULL, NULL);
}
