/*
 * runner_script.h - a script while it runs.
 *
 *   lines     its text                                  runner_lines.c
 *   scripts   run, ended                                runner_script.c
 *   words     variables, and what answers are wanted    runner_words.c
 */
#ifndef RUNNER_SCRIPT_H
#define RUNNER_SCRIPT_H

#include "runner.h"
#include "runner_points.h"

struct report {
    uint64_t passed, failed, skipped;
};

struct script {
    const char *path;
    char *text;
    struct bough_view *lines; /* counted from 0 */
    size_t n;
    struct run run;
    struct report *report;
    char may_lack[256];
    struct points points;
    bool blind; /* the failure ended a batch, so what follows is another story: not compared */
};

/* Its text; false: it cannot be read.  Release it, also then. */
bool script_read(struct script *sc, const char *path);
void script_free(struct script *sc);

/* The first word of a line, without looking at the rest; `line` with every `$NAME` replaced. */
struct bough_view line_word(struct bough_view line);
bool word_is(struct bough_view w, const char *text);
struct bough_view line_replace(
    struct pool *p, struct bough_view line, struct bough_view name, const char *with);

/* From the first line to the last. */
void script_run(struct script *sc);

/* The end of a run: its calls, too, are failed. */
void script_end(struct script *sc);

/* All its steps count as skipped. */
void script_skip(struct script *sc);

/* What a variable stands for, where `t` is one of a single word; keep an answer under a name. */
struct tok tok_var(struct run *r, struct tok t);
void var_set(struct run *r, struct bough_view name, const struct answer *got);

/* Does `got` agree with one of the answers parted by `or`? */
bool want_match(struct run *r, const struct toks *want, const struct answer *got);

#endif
