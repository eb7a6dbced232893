/*
 * fast_import.c - git fast-import: one stream of commits, in a pack when it ends.
 *
 * It makes nothing durable on the way: its time is that of the whole stream, a share for each commit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

struct fast_state {
    char path[PATH_LEN];
    FILE *to;
    uint32_t commits;
};

static void fast_open(struct peer *p, const char *dir, bool make)
{
    struct fast_state *s = state_new(p->name, sizeof *s);
    char command[PATH_LEN * 3];

    p->state = s;
    snprintf(s->path, sizeof s->path, "%s/fast.git", dir);
    snprintf(command, sizeof command, "git init -q --bare '%s'", s->path);
    if (make && system(command) != 0)
        die(p->name, "no git");
}

static void fast_end(struct peer *p)
{
    struct fast_state *s = p->state;

    if (s->to != NULL && pclose(s->to) != 0)
        die(p->name, "git fast-import");
    s->to = NULL;
}

static void fast_close(struct peer *p)
{
    fast_end(p);
    free(p->state);
}

static void fast_begin(struct peer *p, bool fill)
{
    struct fast_state *s = p->state;
    char command[PATH_LEN * 3];
    bool first = s->to == NULL;

    snprintf(command, sizeof command, "git -c core.fsync=all -C '%s' fast-import --quiet", s->path);
    if (first)
        s->to = popen(command, "w");
    if (s->to == NULL)
        die(p->name, "no git");
    fprintf(s->to, "commit refs/heads/main\ncommitter B <b@example.org> %u +0000\ndata 0\n",
        (unsigned)++s->commits);
    if (first && !fill)
        fprintf(s->to, "from refs/heads/main^0\n");
}

static void fast_put(struct peer *p, const char *key, size_t len, const char *value)
{
    struct fast_state *s = p->state;

    fprintf(s->to, "M 100644 inline %.*s\ndata %d\n", (int)len, key, VALUE_LEN);
    fwrite(value, 1, VALUE_LEN, s->to);
    fputc('\n', s->to);
}

/* The next commit ends this one. */
static void fast_commit(struct peer *p)
{
    (void)p;
}

const struct peer fast_import_peer = {.name = "git fast-import",
    .open = fast_open,
    .close = fast_close,
    .begin = fast_begin,
    .put = fast_put,
    .commit = fast_commit,
    .end = fast_end,
    .slow = 1};
