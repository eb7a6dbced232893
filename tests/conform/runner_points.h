/*
 * runner_points.h - every call of a script fails once, each in a process of its own.
 *
 * A script runs once, in the parent, and nothing fails in it.  Before each of its lines the parent
 * forks, again and again: in the n-th child the n-th call that this line makes fails; the child runs
 * this line and POINTS_AFTER more, opens the place again, has it checked, closes it, and ends.  When a
 * child's line made no n-th call, the parent runs the line itself and goes on to the next.  So the
 * cost grows with the calls of a script, not with their square.  Of a line that makes thousands (`fill`)
 * the first POINTS_DENSE fail, each, and from there on fewer and fewer.  A place must be all in memory.
 */
#ifndef RUNNER_POINTS_H
#define RUNNER_POINTS_H

#include "runner_fault.h"

enum { POINTS_AFTER = 8, POINTS_DENSE = 1024 };

/* Where it stands, in the parent or in a child. */
struct points {
    const char *what;      /* of the calls that fail */
    struct fault_count *n; /* them; NULL: none does */
    bool child;            /* in this process one does */
    size_t left;           /* of it: lines that it still runs */
    uint64_t passed, failed;
};

/* Before a line (`line` from 1; 0: the making of a place): true in a child, in the parent false. */
bool points_fork(struct points *p, const char *path, size_t line);

/*
 * After a line, in a child: false when it was the last one.  Ends a child whose call was not made.  In
 * the parent it is always true.
 */
bool points_more(struct points *p);

/* The end of a child. */
void points_end(const struct points *p, bool passed);

#endif
