/*
 * test_server_keys.c - keys and paths, patterns, walks, and the table of commands.
 *
 * Goal: every key has a path of its own that Git accepts and that leads back to the key; every path of
 * Git is its own key; patterns match as Redis's do, and the directory a pattern begins at holds all
 * that it matches; the table is sorted, complete and findable.  Method: odd parts put together at
 * random (seeded), literals, and a walk compared with a filter over everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/redis.h"
#include "tests/lib/mem.h"

enum { SEED = 20240611, ROUNDS = 20000 };

static uint64_t random_state = SEED;

static size_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % n;
}

/* What makes a key odd, put together at random. */
static void odd_key(struct bough_buf *out)
{
    static const char *const parts[] = {"/", "/", "%", ".", "..", ".git", ".GIT", "git~1", "a",
        "b c", "\xe2\x80\x8c", ".g\xe2\x80\x8cit", "\xff", "@", ":", "*", "\n", " ", "%.", ".git ",
        "GIT~1.", ".git::$INDEX_ALLOCATION", ".gitmodules", "con", "%%"};

    bough_buf_clear(out);
    for (size_t n = random_below(7); n > 0; n--)
        bough_buf_put_str(out, parts[random_below(sizeof parts / sizeof *parts)]);
}

/* Is it a legal path as it stands: no component lost, none refused? */
static bool legal(struct bough_view path)
{
    uint8_t normal[256];
    struct bough_why why;

    assert_true(path.len <= sizeof normal);
    return path.len > 0 && bough_path_normal(path, normal) == path.len &&
           bough_path_check(path, &why) == BOUGH_OK;
}

static void test_server_keys__lead_to_legal_paths_and_back(void **state)
{
    struct test_mem m;
    struct bough_buf key, path, back;
    int same = 0;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&key, &m.mem);
    bough_buf_init(&path, &m.mem);
    bough_buf_init(&back, &m.mem);
    assert_true(key_is_path(bough_view_str("a/key:000000000001/b.c")));
    for (int i = 0; i < ROUNDS; i++) {
        odd_key(&key);
        bough_buf_clear(&path);
        bough_buf_clear(&back);
        key_to_path(bough_buf_view(&key), &path);
        path_to_key(bough_buf_view(&path), &back);
        assert_int_equal(back.len, key.len);
        if (key.len > 0)
            assert_memory_equal(back.ptr, key.ptr, key.len);
        assert_true(legal(bough_buf_view(&path)));
        if (key_is_path(bough_buf_view(&key))) {
            assert_true(bough_view_eq(bough_buf_view(&key), bough_buf_view(&path)));
            same++;
        }
        if (legal(bough_buf_view(&key)) && memchr(key.ptr, '%', key.len) == NULL)
            assert_true(bough_view_eq(bough_buf_view(&key), bough_buf_view(&path)));
    }
    assert_true(same > 0);
    bough_buf_fini(&key);
    bough_buf_fini(&path);
    bough_buf_fini(&back);
    test_mem_done(&m);
}

/* Two things no file of Git can be called: such keys are refused when they are written. */
static void test_server_keys__leave_impossible_names_to_be_refused(void **state)
{
    static const struct bough_view keys[] = {{(const uint8_t *)"a\\.git", 6},
        {(const uint8_t *)"\\GIT~1.", 7}, {(const uint8_t *)"a\0b", 3}};
    struct test_mem m;
    struct bough_buf path;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&path, &m.mem);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bough_buf_clear(&path);
        key_to_path(keys[i], &path);
        assert_false(legal(bough_buf_view(&path)));
    }
    bough_buf_fini(&path);
    test_mem_done(&m);
}

/* The other way round: what Git pushed is found under the key that it is listed as. */
static void test_server_keys__name_every_path_of_git(void **state)
{
    struct test_mem m;
    struct bough_buf path, key, back;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&path, &m.mem);
    bough_buf_init(&key, &m.mem);
    bough_buf_init(&back, &m.mem);
    for (int i = 0; i < ROUNDS; i++) {
        odd_key(&path);
        if (!legal(bough_buf_view(&path)))
            continue;
        bough_buf_clear(&key);
        bough_buf_clear(&back);
        path_to_key(bough_buf_view(&path), &key);
        key_to_path(bough_buf_view(&key), &back);
        assert_true(bough_view_eq(bough_buf_view(&path), bough_buf_view(&back)));
    }
    bough_buf_fini(&path);
    bough_buf_fini(&key);
    bough_buf_fini(&back);
    test_mem_done(&m);
}

static void test_server_keys__split_revisions(void **state)
{
    static const struct {
        const char *key;
        bool is;
        const char *rev, *rest;
    } cases[] = {
        {"@main:a", true, "main", "a"},
        {"@main~1:a:b", true, "main~1", "a:b"},
        {"@:", true, "", ""},
        {"@@main:a", false, NULL, "@main:a"},
        {"@main", false, NULL, "@main"},
        {"a@b:c", false, NULL, "a@b:c"},
        {"", false, NULL, ""},
        {"@", false, NULL, "@"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bough_view rev = {NULL, 0}, rest;
        assert_int_equal(key_revision(bough_view_str(cases[i].key), &rev, &rest), cases[i].is);
        assert_true(bough_view_eq(rest, bough_view_str(cases[i].rest)));
        if (cases[i].is)
            assert_true(bough_view_eq(rev, bough_view_str(cases[i].rev)));
    }
}

static void test_server_keys__match_as_redis_does(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"?", "", false},
        {"a*c", "abbc", true},
        {"a*c", "abbd", false},
        {"a?c", "abc", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b", "xxaxxbxx", false},
        {"[a-c]x", "bx", true},
        {"[c-a]x", "bx", true},
        {"[^a-c]x", "bx", false},
        {"[^a]x", "bx", true},
        {"[abc", "a", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"[\\]]", "]", true},
        {"a/*", "a/b/c", true},
        {"a\\", "a\\", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            glob_match(bough_view_str(cases[i].pattern), bough_view_str(cases[i].text)),
            cases[i].match);
}

static void test_server_keys__begin_a_pattern_at_its_directory(void **state)
{
    static const struct {
        const char *pattern, *base;
    } cases[] = {
        {"*", ""},
        {"a*", ""},
        {"a/*", "a"},
        {"a/b/c", "a/b"},
        {"a/b[/]c", "a"},
        {"a\\/b/*", ""},
        {"?/b/*", ""},
        {"a//b", "a/%"},
        {".git/x*", "%.git"},
        {"/a*", ""},
        {"@@x/*", "@x"},
        {"@main:x/*", ""},
    };
    struct test_mem m;
    struct bough_buf base;

    (void)state;
    test_mem_init(&m);
    bough_buf_init(&base, &m.mem);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bough_buf_clear(&base);
        glob_base(bough_view_str(cases[i].pattern), &base);
        assert_true(bough_view_eq(bough_buf_view(&base), bough_view_str(cases[i].base)));
    }
    bough_buf_fini(&base);
    test_mem_done(&m);
}

static void put(struct bough_kv *kv, const char *key)
{
    assert_int_equal(bough_kv_set(kv, bough_view_str(key), bough_view_str("v"), NULL), BOUGH_OK);
}

/* Keys that a pattern finds when the walk begins at `base`. */
static size_t walked(struct bough_kv *kv, struct bough_mem *mem, const char *pattern, bool narrow)
{
    struct bough_buf path;
    size_t base, hits = 0;
    enum bough_err err;

    bough_buf_init(&path, mem);
    if (narrow)
        glob_base(bough_view_str(pattern), &path);
    base = path.len;
    while ((err = walk_next(kv, &path, base)) == BOUGH_OK)
        hits += glob_match(bough_view_str(pattern), bough_buf_view(&path));
    assert_int_equal(err, BOUGH_ENOENT);
    bough_buf_fini(&path);
    return hits;
}

static void test_server_keys__walk_a_directory_as_a_filter_would(void **state)
{
    static const struct {
        const char *pattern;
        size_t hits;
    } cases[] = {{"*", 7}, {"a/*", 4}, {"a/b/*", 2}, {"a/b/c", 1}, {"a/v/*", 0}, {"none/*", 0},
        {"none/x/y*", 0}, {"ab/*", 1}, {"z", 1}, {"a/[bv]*", 3}};
    struct test_mem m;
    struct bough_env env = {.mem = &m.mem};
    struct bough_kv *kv;

    (void)state;
    test_mem_init(&m);
    assert_int_equal(bough_kv_memory_open(&env, BOUGH_SHA1, &kv), BOUGH_OK);
    put(kv, "a/b/c");
    put(kv, "a/b/d");
    put(kv, "a/c/e");
    put(kv, "a/v");
    put(kv, "ab/f");
    put(kv, "a-/g");
    put(kv, "z");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(walked(kv, &m.mem, cases[i].pattern, false), cases[i].hits);
        assert_int_equal(walked(kv, &m.mem, cases[i].pattern, true), cases[i].hits);
    }
    bough_kv_close(kv);
    test_mem_done(&m);
}

/* ---- The table ---- */

/* What the program promises to have, whoever sorts or cuts the table. */
static const char *const promised[] = {"hello", "auth", "ping", "echo", "quit", "reset", "select",
    "client", "command", "config", "get", "info", "time", "set", "mget", "mset", "msetnx", "del",
    "unlink", "exists", "strlen", "getrange", "setrange", "append", "type", "keys", "scan",
    "rename", "dbsize", "incr", "decr", "incrby", "decrby", "multi", "exec", "watch", "unwatch",
    "discard", "git.oid", "git.modified", "git.log", "git.branch", "git.ls"};

static void test_server_table__is_sorted_and_whole(void **state)
{
    const struct command *before = NULL, *row;

    (void)state;
    for (size_t i = 0; (row = command_row(i)) != NULL; before = row, i++) {
        assert_true(before == NULL || strcmp(before->name, row->name) < 0);
        assert_non_null(row->run);
        assert_true(row->arity != 0);
        assert_true(row->summary[0] != 0);
        assert_int_equal(row->first_key == 0, row->step == 0);
        /* What touches keys says how. */
        assert_true(row->first_key == 0 || (row->flags & (CMD_READ | CMD_WRITE)) != 0 ||
                    strcmp(row->name, "watch") == 0);
        for (const char *c = row->name; *c != 0; c++)
            assert_false(*c >= 'A' && *c <= 'Z');
    }
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++)
        assert_non_null(command_find(bough_view_str(promised[i])));
}

static void test_server_table__finds_every_row_in_any_case(void **state)
{
    const struct command *row;

    (void)state;
    for (size_t i = 0; (row = command_row(i)) != NULL; i++) {
        char upper[32];
        size_t n = strlen(row->name);

        assert_true(n < sizeof upper);
        for (size_t k = 0; k < n; k++)
            upper[k] = (char)(row->name[k] >= 'a' && row->name[k] <= 'z' ? row->name[k] - 32
                                                                         : row->name[k]);
        assert_ptr_equal(command_find(bough_view(upper, n)), row);
        assert_ptr_not_equal(command_find(bough_view(upper, n - 1)), row);
    }
    assert_null(command_find(bough_view_str("")));
    assert_null(command_find(bough_view_str("gett")));
    assert_null(command_find(bough_view_str("zzz")));
    assert_null(command_find(bough_view("get\0", 4)));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_keys__lead_to_legal_paths_and_back),
        cmocka_unit_test(test_server_keys__leave_impossible_names_to_be_refused),
        cmocka_unit_test(test_server_keys__name_every_path_of_git),
        cmocka_unit_test(test_server_keys__split_revisions),
        cmocka_unit_test(test_server_keys__match_as_redis_does),
        cmocka_unit_test(test_server_keys__begin_a_pattern_at_its_directory),
        cmocka_unit_test(test_server_keys__walk_a_directory_as_a_filter_would),
        cmocka_unit_test(test_server_table__is_sorted_and_whole),
        cmocka_unit_test(test_server_table__finds_every_row_in_any_case),
    };

    return cmocka_run_group_tests_name("server/keys", tests, NULL, NULL);
}
