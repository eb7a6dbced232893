/*
 * dir_bed.h - a place over a folder of the host, for tests that change it behind its back.
 *
 *   fix     a temporary folder with the place and another one beside it
 *   words   what the host does, what the place must say
 */
#ifndef TEST_DIR_BED_H
#define TEST_DIR_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/kv.h"
#include "tests/lib/env.h"

struct fix {
    struct test_env t;
    char top[64]; /* holds the place and a folder beside it */
    int root;     /* the place's folder */
    struct bough_kv *kv;
};

static inline struct bough_view str(const char *text)
{
    return bough_view_str(text);
}

static inline int node_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline const char *path_of(const struct fix *x, const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", x->top, name);
    return path;
}

static inline int setup(void **state)
{
    struct fix *x = calloc(1, sizeof *x);
    const char *tmp = getenv("TMPDIR");

    if (x == NULL)
        return -1;
    *state = x;
    test_env_init(&x->t);
    if (tmp == NULL && access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm"; /* syncs are many here, and cost nothing there */
    snprintf(x->top, sizeof x->top, "%s/bough-dir-XXXXXX",
        tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    if (mkdtemp(x->top) == NULL || mkdir(path_of(x, "beside"), 0777) != 0)
        return -1;
    if (bough_kv_dir_open(&x->t.env, path_of(x, "place"), true, &x->kv) != BOUGH_OK)
        return -1;
    x->root = open(path_of(x, "place"), O_RDONLY | O_DIRECTORY);
    return x->root < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
    struct fix *x = *state;

    bough_kv_close(x->kv);
    close(x->root);
    nftw(x->top, node_remove, 16, FTW_DEPTH | FTW_PHYS);
    test_env_done(&x->t);
    free(x);
    return 0;
}

/* ---- Words ---- */

static inline void host_write(const struct fix *x, const char *name, const char *text)
{
    int fd = openat(x->root, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static inline bool host_has(const struct fix *x, const char *name)
{
    struct stat st;

    return fstatat(x->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is there nothing in the folders of the stage? */
static inline void assert_stage_empty(const struct fix *x)
{
    char command[256];

    snprintf(command, sizeof command, "test -z \"$(find %s/.bough-tmp -mindepth 2 2>/dev/null)\"",
        path_of(x, "place"));
    assert_int_equal(system(command), 0);
}

static inline enum bough_err set(struct bough_kv *kv, const char *key, const char *value)
{
    return bough_kv_set(kv, str(key), str(value), NULL);
}

static inline void assert_value(struct bough_kv *kv, const char *key, const char *value)
{
    struct bough_buf buf;

    bough_buf_init(&buf, kv->env->mem);
    assert_int_equal(bough_kv_get(kv, str(key), &buf), BOUGH_OK);
    assert_int_equal(buf.len, strlen(value));
    if (buf.len > 0)
        assert_memory_equal(buf.ptr, value, buf.len);
    bough_buf_fini(&buf);
}

static inline void assert_kind(struct bough_kv *kv, const char *key, enum bough_kind kind)
{
    enum bough_kind got;

    assert_int_equal(bough_kv_exists(kv, str(key), &got), BOUGH_OK);
    assert_int_equal(got, kind);
}

static inline void assert_key(const struct bough_kv *kv, const char *key)
{
    assert_int_equal(kv->why.key_len, strlen(key));
    assert_memory_equal(kv->why.key, key, strlen(key));
}

/* Children of `key`, with a space behind each. */
static inline void assert_list(struct bough_kv *kv, const char *key, const char *names)
{
    char got[256] = "", after[256] = "";
    struct bough_kv_entry e;

    while (bough_kv_next(kv, str(key), str(after), &e) == BOUGH_OK) {
        memcpy(after, e.name.ptr, e.name.len);
        after[e.name.len] = '\0';
        strcat(strcat(got, after), " ");
    }
    assert_int_equal(kv->why.err, BOUGH_ENOENT);
    assert_string_equal(got, names);
}

static inline void assert_digest(struct bough_kv *kv, const char *key, const char *hex)
{
    char text[BOUGH_HEX_MAX];
    struct bough_oid id;

    assert_int_equal(bough_kv_digest(kv, str(key), &id), BOUGH_OK);
    assert_int_equal(bough_oid_hex(kv->algo, &id, text), 40);
    assert_memory_equal(text, hex, 40);
}

#endif
