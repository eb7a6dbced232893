/*
 * panic.c - bough_panic() for tests: a cmocka test can expect it with
 * expect_assert_failure(); elsewhere it prints and aborts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/base.h"

void bough_panic(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line); /* leaves by longjmp when the test expects it */
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}
