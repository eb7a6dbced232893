/* panic_posix.c - how a hosted program stops at a bug: in a file of its own, so that a program can bring another. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void bough_panic(const char *what, const char *file, int line)
{
    fprintf(stderr, "bough: bug: %s:%d: %s\n", file, line, what);
    abort();
}
