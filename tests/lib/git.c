/*
 * git.c - see git.h.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#include "tests/lib/git.h"

enum { COMMAND_MAX = 8192, OUTPUT_FIRST = 4096 };

static void shell(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

void test_git_init(struct test_git *g, enum bough_algo algo)
{
    char command[COMMAND_MAX];

    g->algo = algo;
    g->status = 0;
    snprintf(g->dir, sizeof g->dir, "%s/bough-test-git-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* thousands of little files */
    assert_non_null(mkdtemp(g->dir));
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("LC_ALL", "C", 1);
    snprintf(command, sizeof command, "git init -q --bare --object-format=%s %s",
        bough_algo_name(algo), g->dir);
    shell(command);
}

void test_git_done(struct test_git *g)
{
    char command[COMMAND_MAX];

    snprintf(command, sizeof command, "rm -rf '%s'", g->dir);
    shell(command);
}

static char *read_all(FILE *f)
{
    size_t cap = OUTPUT_FIRST, len = 0;
    char *out = malloc(cap);

    assert_non_null(out);
    while (!feof(f)) {
        if (len + 1 == cap) {
            out = realloc(out, cap *= 2);
            assert_non_null(out);
        }
        len += fread(out + len, 1, cap - len - 1, f);
        assert_false(ferror(f));
    }
    out[len] = 0;
    return out;
}

char *test_git_run(struct test_git *g, const struct bough_view *in, const char *command)
{
    char line[COMMAND_MAX], input[128];
    FILE *f;
    char *out;
    int n;

    snprintf(input, sizeof input, "%s/input", g->dir);
    f = fopen(input, "wb");
    assert_non_null(f);
    if (in != NULL && in->len > 0)
        assert_int_equal(fwrite(in->ptr, 1, in->len, f), in->len);
    assert_int_equal(fclose(f), 0);
    n = snprintf(line, sizeof line, "cd %s && exec <input && %s", g->dir, command);
    assert_in_range(n, 1, sizeof line - 1);
    f = popen(line, "r");
    assert_non_null(f);
    out = read_all(f);
    n = pclose(f);
    g->status = WIFEXITED(n) ? WEXITSTATUS(n) : -1;
    return out;
}

static void write_zipped(const char *path, const uint8_t *src, size_t len)
{
    uLongf cap = compressBound(len);
    uint8_t *zip = malloc(cap);
    FILE *f = fopen(path, "wb");

    assert_non_null(zip);
    assert_non_null(f);
    assert_int_equal(compress2(zip, &cap, src, len, 1), Z_OK);
    assert_int_equal(fwrite(zip, 1, cap, f), cap);
    assert_int_equal(fclose(f), 0);
    free(zip);
}

void test_git_put(struct test_git *g, const char *type, const char *hex, struct bough_view body)
{
    char path[256];
    uint8_t *raw = malloc(body.len + 32);
    int head;

    assert_non_null(raw);
    head = snprintf((char *)raw, 32, "%s %zu", type, body.len) + 1;
    if (body.len > 0)
        memcpy(raw + head, body.ptr, body.len);
    snprintf(path, sizeof path, "%s/objects/%.2s", g->dir, hex);
    mkdir(path, 0777); /* it may be there */
    snprintf(path, sizeof path, "%s/objects/%.2s/%s", g->dir, hex, hex + 2);
    write_zipped(path, raw, (size_t)head + body.len);
    free(raw);
}
