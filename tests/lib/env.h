/*
 * env.h - a world for tests: memory that checks, a clock that the test
 * turns, randomness from a seed, a log that is counted; and the hash its
 * stores are made with.
 *
 *     struct test_env t;
 *     test_env_init(&t);
 *     ... &t.env ...
 *     test_env_done(&t);       // asserts that all memory came back
 */
#ifndef TEST_ENV_H
#define TEST_ENV_H

#include "base/hash.h"
#include "tests/lib/mem.h"

struct test_env {
    struct bough_env env;   /* use this one */
    struct test_mem mem;    /* its memory */
    struct bough_time time; /* what the clock says; 2001-09-09 01:46:40 UTC at first */
    int64_t step_sec;       /* the clock goes on by this at each look; 0 at first */
    uint64_t seed;          /* of the randomness */
    uint64_t logged[4];     /* lines by level */
};

void test_env_init(struct test_env *t);
void test_env_done(const struct test_env *t);

/*
 * The hash for stores of a test that does not try both by itself: $GIT_DEFAULT_HASH, as git and
 * `bough init` read it; SHA-1 without it.  tests/run sets it for sha256:PROGRAM.
 */
enum bough_algo test_algo(void);

/* Pseudo-random numbers from `*seed` (splitmix64), for tests that make their own data. */
uint64_t test_random(uint64_t *seed);

#endif
