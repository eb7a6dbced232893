/*
 * shell.h - what a tool of the system says.
 */
#ifndef TEST_SHELL_H
#define TEST_SHELL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* What a command in folder `dir` prints, up to `size` - 1 bytes and a NUL; it must succeed. */
static inline void shell_run(const char *dir, char *out, size_t size, const char *command)
{
    char line[4096];
    size_t n;
    FILE *p;

    assert_true(
        snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", dir, command) < (int)sizeof line);
    p = popen(line, "r");
    assert_non_null(p);
    n = fread(out, 1, size - 1, p);
    out[n] = 0;
    if (pclose(p) != 0)
        fail_msg("%s\n%s", command, out);
}

#endif
