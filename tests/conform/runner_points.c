/*
 * runner_points.c - see runner_points.h.
 *
 *   children   one is made, and what becomes of it
 *   in a child
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner_points.h"

enum { END_PASSED, END_FAILED, END_MISSED };
enum { CHILD_SEC = 120 }; /* a child that hangs is ended by a signal */

/* ---- Children ---- */

static int child_wait(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return END_FAILED;
    return WEXITSTATUS(status);
}

bool points_fork(struct points *p, const char *path, size_t line)
{
    int end = END_PASSED;

    if (p->n == NULL || p->child)
        return false;
    for (uint64_t n = 0; end != END_MISSED; n += 1 + n / POINTS_DENSE) {
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            p->child = true;
            p->left = POINTS_AFTER + 1;
            p->n->fail_at = p->n->calls + n;
            alarm(CHILD_SEC);
            return true;
        }
        end = pid < 0 ? END_FAILED : child_wait(pid);
        p->passed += end == END_PASSED;
        if (end == END_PASSED || end == END_MISSED)
            continue;
        p->failed++;
        printf("%s:%zu: so with %s %llu of this line failing, %llu of the script\n", path, line,
            p->what, (unsigned long long)n, (unsigned long long)(p->n->calls + n));
        break; /* the next ones most often say the same */
    }
    return false;
}

/* ---- In a child ---- */

bool points_more(struct points *p)
{
    if (!p->child)
        return true;
    if (p->n->calls <= p->n->fail_at) {
        fflush(stdout);
        _exit(END_MISSED);
    }
    return --p->left > 0;
}

void points_end(const struct points *p, bool passed)
{
    if (!p->child)
        return;
    fflush(stdout);
    _exit(passed ? END_PASSED : END_FAILED);
}
