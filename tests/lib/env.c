/* env.c - see env.h. */
#include "tests/lib/env.h"

#include <stdlib.h>
#include <string.h>

uint64_t test_random(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

enum bough_algo test_algo(void)
{
    const char *name = getenv("GIT_DEFAULT_HASH");

    return name != NULL && strcmp(name, "sha256") == 0 ? BOUGH_SHA256 : BOUGH_SHA1;
}

static void env_now(void *ctx, struct bough_time *out)
{
    struct test_env *t = ctx;

    *out = t->time;
    t->time.sec += t->step_sec;
}

static void env_random(void *ctx, void *dst, size_t n)
{
    struct test_env *t = ctx;
    uint8_t *p = dst;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)test_random(&t->seed);
}

static void env_log(void *ctx, enum bough_level level, const char *text)
{
    struct test_env *t = ctx;

    (void)text;
    t->logged[level]++;
}

void test_env_init(struct test_env *t)
{
    *t = (struct test_env){.time = {1000000000, 0, 0}, .seed = 1};
    test_mem_init(&t->mem);
    t->env = (struct bough_env){&t->mem.mem, t, env_now, env_random, env_log};
}

void test_env_done(const struct test_env *t)
{
    test_mem_done(&t->mem);
}
