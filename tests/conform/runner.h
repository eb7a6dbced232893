/*
 * runner.h - the conformance runner: build/conform [OPTIONS] PLACE SCRIPT...
 *
 *   text      runner_text.c     a line to words
 *             runner_answer.c   an answer; are two answers the same?
 *   places    runner_place.c    what a script runs on: mem: mem-store: log: git: lmdb: dir:
 *   faults    runner_fault.c    memory that fails, a device whose power fails
 *             runner_points.c   a process for each call that fails
 *   steps     runner_kv.c       keys and values
 *             runner_batch.c    handles, batches, snapshots, who and when
 *             runner_repo.c     branches
 *             runner_graph.c    commits, history
 *             runner_watch.c    windows, events
 *             runner_verify.c   verify: the store's own check, and git's
 *   scripts   runner_script.h   lines, loops, variables, features
 *   all       runner.c          options, the report
 *
 * The language is described in docs/conformance.md.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <stdio.h>
#include <stdlib.h>

#include "kv/kv.h"
#include "repo/repo.h"
#include "runner_fault.h"

/* ---- Text ---- */

/* Memory that dies with a step, or with a script. */
struct pool {
    struct pool_block *head;
};
void *pool_get(struct pool *p, size_t n);
void *pool_more(struct pool *p, void *old, size_t old_n, size_t n);
void pool_drop(struct pool *p);

enum tok_kind { TOK_WORD, TOK_COMMA, TOK_OPEN, TOK_CLOSE };
struct tok {
    enum tok_kind kind;
    bool quoted; /* begins with a quote: never `*`, `or` or a variable */
    struct bough_view text;
};
struct toks {
    struct tok *t;
    size_t n;
};

/* One line as words; false: it is malformed, `*why` says how. `commas`: they part words everywhere. */
bool text_words(
    struct pool *p, struct bough_view line, bool commas, struct toks *out, const char **why);

/* Where ` -> ` is in a line, outside quotes; line.len when there is none. Comments are cut off. */
size_t text_arrow(struct bough_view *line);

bool tok_is(const struct tok *t, const char *word);
char *tok_str(struct pool *p, const struct tok *t); /* NUL-terminated */

/* A number with K, M or G behind it; negative ones wrap as in two's complement. */
bool text_number(struct bough_view text, uint64_t *out);

/* What a step answered, or should: items parted by commas, each some words. */
struct item {
    struct tok *t;
    size_t n;
};
struct answer {
    struct pool *pool;
    struct item *items;
    size_t n;
    bool error; /* an error's name, and its keys */
    bool nodes; /* words are ids: the other side may use the names of commit-node */
    bool set;   /* order does not matter */
    bool json;  /* compared as JSON */
};
void answer_item(struct answer *a);                         /* begin another item */
void answer_view(struct answer *a, struct bough_view text); /* add a word to the last item */
void answer_str(struct answer *a, const char *text);
void answer_number(struct answer *a, uint64_t n);
void answer_oid(struct answer *a, enum bough_algo algo, const struct bough_oid *id);
void answer_ok(struct answer *a);
void answer_why(struct answer *a, enum bough_err err, const struct bough_why *why);
void answer_err(struct answer *a, const char *name, struct bough_view key);
const char *answer_err_name(enum bough_err err);

/* From words; `or` was split off before. */
void answer_parse(struct answer *a, const struct tok *t, size_t n);

/* Is `got` what `want` says, wildcards and all? */
bool answer_match(const struct answer *want, const struct answer *got);
void answer_print(FILE *f, const struct answer *a);

/* Canonical JSON text of `text`, or false. */
bool json_canonical(struct pool *p, struct bough_view text, struct bough_view *out);

/* ---- Places ---- */

enum place_kind { PLACE_MEM, PLACE_MEM_STORE, PLACE_LOG, PLACE_GIT, PLACE_LMDB, PLACE_DIR };

struct place_opts {
    enum place_kind kind;
    enum bough_algo algo;
    uint64_t size; /* of the device; 0: 1 GiB, sparse */
    uint32_t unit, granule;
};

struct handle {
    char *name;
    enum { HANDLE_PLAIN, HANDLE_BATCH, HANDLE_SNAPSHOT } kind;
    struct bough_kv *kv;     /* NULL: it is over */
    struct handle *batch_of; /* of a batch: where it was begun; NULL: the main handle */
    struct bough_oid commit; /* of a snapshot of a branch */
    struct bough_kv *parent; /* of a batch */
};

struct node {
    char *name;
    struct bough_oid id;
};

struct var {
    char *name;
    struct answer a; /* in the script's pool */
};

struct watch {
    struct bough_listener l;
    struct run *run;
    char *name, *ref;
    struct bough_kv *kv;
    struct watched *was; /* sorted by path */
    size_t was_n;
    char **touched;
    size_t touched_n;
    struct bough_oid (*moved)[2];
    size_t moved_n;
    struct bough_buf prefix;
};

/* Everything a script's run has. */
struct run {
    struct place_opts opts;
    struct fault_mem *mem;
    struct fault_dev *dev; /* of log: places */
    struct fault_count io; /* calls of all devices */
    bool faults;           /* memory or the device fails in this run */
    struct bough_env env;
    struct bough_time clock;
    bool clock_fixed;
    const char *dir; /* for temporary files */
    uint64_t serial; /* of them */
    char *dir_path;  /* of a dir: place */

    struct bough_store *store;
    struct bough_repo *repo;
    struct bough_kv *kv; /* the main handle */
    char *branch;        /* it is on */
    bool open, dead;     /* dead: the power failed */

    struct bough_info info;
    struct pool step, script;
    struct handle *handles;
    size_t handles_n;
    struct node *nodes;
    size_t nodes_n;
    struct var *vars;
    size_t vars_n;
    struct watch **watches;
    size_t watches_n;
    struct bough_window window;
};

/* A run of a script on such a place, which is to be made; `mem` and `dir` are borrowed. */
void run_init(struct run *r, const struct place_opts *o, struct fault_mem *mem, const char *dir);
void run_fini(struct run *r);

/* Parse `mem:`, `log:size=4M,unit=512` ...; 0: fine, 1: not available here, 2: malformed. */
int place_parse(const char *text, struct place_opts *out);

/* Is all of such a place in memory, so that a process that is forked has one of its own? */
bool place_forks(const struct place_opts *o);

/* The features of a place, by name. */
bool place_has(const struct place_opts *o, const char *feature);
bool place_feature_known(const char *feature);

/* A fresh place, empty; then closed and opened again; then gone. */
enum bough_err place_fresh(struct run *r, struct bough_why *why);
enum bough_err place_reopen(struct run *r, struct bough_why *why);
void place_close(struct run *r);
void place_end(struct run *r);

/* Another handle on the place, on its branch. */
enum bough_err place_handle(struct run *r, struct bough_kv **out);

/* ---- Steps ---- */

/* One step as it runs: its words without the call's name. */
struct step {
    struct run *run;
    struct bough_kv *kv; /* what it works on; NULL: that is over */
    struct handle *on;   /* NULL: the main handle */
    struct toks args;
    struct answer *got;
};

struct step_def {
    const char *name, *feature; /* feature "": every place has it */
    void (*fn)(struct step *s);
};
const struct step_def *steps_kv(void);
const struct step_def *steps_batch(void);
const struct step_def *steps_repo(void);
const struct step_def *steps_graph(void);
const struct step_def *steps_watch(void);
const struct step_def *steps_verify(void);

/* Arguments: the i-th word; missing ones are the empty word. */
struct bough_view arg(const struct step *s, size_t i);
bool arg_is(const struct step *s, size_t i, const char *word);

/* The step's answer. */
void done_err(struct step *s, enum bough_err err); /* of s->kv; BOUGH_OK: ok */
void done_invalid(struct step *s);                 /* the step itself is malformed */

struct handle *handle_find(struct run *r, struct bough_view name);

/* The step `call`, which would have made a handle of that name, was skipped. */
void handle_skip(struct run *r, const struct tok *call, struct bough_view name);

/* A commit by name, hex, branch or revision. */
bool node_resolve(struct run *r, struct bough_view name, struct bough_oid *out);

/* The i-th argument as a commit; false: the answer is made. */
bool node_arg(struct step *s, size_t i, struct bough_oid *out);

/* The head of what the step works on: the handle's branch. */
bool head_of(struct step *s, struct bough_oid *out);
void done_repo(struct step *s, enum bough_err err);

/* Set what is known of author, message and time on a handle. */
enum bough_err info_apply(struct run *r, struct bough_kv *kv);

/* Let go of all watches. */
void watches_drop(struct run *r);

/* After each step: windows that are due. */
void watch_tick(struct run *r);

#endif
