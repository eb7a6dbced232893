/*
 * test_base_posix.c - the world as the system has it.
 *
 * Goal: memory keeps its bytes when it moves, the clock is the wall clock,
 * randomness does not repeat, and only what is loud enough is logged.
 * Method: against the C library; the log through a redirected stderr.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/posix.h"

static void test_posix__memory_keeps_its_bytes(void **state)
{
    struct bough_mem *mem = bough_posix_mem();
    uint8_t *p = bough_mem_alloc(mem, 3);

    (void)state;
    memcpy(p, "abc", 3);
    p = mem->resize(mem, p, 3, 1000000);
    assert_memory_equal(p, "abc", 3);
    assert_null(mem->resize(mem, p, 1000000, 0));
}

static void test_posix__the_clock_is_the_wall_clock(void **state)
{
    struct bough_env env = bough_posix_env(NULL);
    struct bough_time t;

    (void)state;
    setenv("TZ", "IST-5:30", 1);
    tzset();
    t = bough_env_now(&env);
    assert_true(llabs((long long)t.sec - (long long)time(NULL)) <= 2);
    assert_true(t.nsec < 1000000000);
    assert_int_equal(t.zone_min, 330);
}

static void test_posix__randomness_does_not_repeat(void **state)
{
    struct bough_env env = bough_posix_env(NULL);
    uint8_t a[600] = {0}, b[600] = {0};

    (void)state;
    bough_env_random(&env, a, sizeof a);
    bough_env_random(&env, b, sizeof b);
    assert_memory_not_equal(a, b, 16);
    assert_memory_not_equal(a + 584, b + 584, 16);
}

static void test_posix__logs_what_is_loud_enough(void **state)
{
    enum bough_level level = BOUGH_LOG_INFO;
    struct bough_env env = bough_posix_env(&level);
    FILE *log = tmpfile();
    int err = dup(2);
    char text[200] = {0};

    (void)state;
    fflush(stderr);
    dup2(fileno(log), 2);
    bough_env_log(&env, BOUGH_LOG_INFO, "said");
    bough_env_log(&env, BOUGH_LOG_DEBUG, "not said");
    fflush(stderr);
    dup2(err, 2);
    close(err);
    rewind(log);
    assert_true(fread(text, 1, sizeof text - 1, log) > 0);
    fclose(log);
    assert_string_equal(text, "bough: info: said\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posix__memory_keeps_its_bytes),
        cmocka_unit_test(test_posix__the_clock_is_the_wall_clock),
        cmocka_unit_test(test_posix__randomness_does_not_repeat),
        cmocka_unit_test(test_posix__logs_what_is_loud_enough),
    };

    return cmocka_run_group_tests_name("base/posix", tests, NULL, NULL);
}
