/*
 * runner.c - runs scripts on a place: options, the report; main().
 *
 *   faults     a call failing: each (runner_points.h), or a few in a run each
 *   main
 */
#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "runner_script.h"

/* ---- Faults ---- */

enum fault { FAULT_NONE, FAULT_ALLOC, FAULT_IO };

struct options {
    struct place_opts place;
    enum fault fault;
    bool every;        /* each call fails */
    uint64_t runs, at; /* or so many, evenly spread, in a run each; or this one */
    const char *dir;
};

/*
 * One script from its first line to its last, with the n-th allocation or device call failing;
 * `*calls` is how many there were.
 */
static void script_once(const struct options *o, const char *path, struct report *report,
    uint64_t fail_at, uint64_t *calls)
{
    struct script sc = {.path = path, .report = report};
    uint64_t failed = report->failed;
    struct fault_count *n;
    struct fault_mem mem;

    if (!script_read(&sc, path)) {
        fprintf(stderr, "conform: cannot read %s\n", path);
        report->failed++;
        return;
    }
    fault_mem_init(&mem);
    run_init(&sc.run, &o->place, &mem, o->dir);
    n = o->fault == FAULT_IO ? &sc.run.io : &mem.n;
    n->fail_at = fail_at;
    sc.points.what = o->fault == FAULT_IO ? "device call" : "allocation";
    sc.points.n = o->every && place_forks(&o->place) ? n : NULL;
    sc.run.faults = o->fault != FAULT_NONE;
    script_run(&sc);
    script_end(&sc);
    points_end(&sc.points, report->failed == failed);
    *calls = n->calls;
    report->passed += sc.points.passed;
    report->failed += sc.points.failed;
    script_free(&sc);
}

static void script_all(const struct options *o, const char *path, struct report *report)
{
    uint64_t before = report->failed, calls, ignored, step;

    script_once(o, path, report, o->at, &calls);
    if (o->runs == 0 && (!o->every || place_forks(&o->place)))
        return;
    step = o->every ? 1 : calls / o->runs + 1;
    for (uint64_t n = 0; n < calls; n += step) {
        script_once(o, path, report, n, &ignored);
        if (report->failed > before) {
            printf("%s: with %s %llu failing\n", path,
                o->fault == FAULT_IO ? "device call" : "allocation", (unsigned long long)n);
            return;
        }
    }
}

/* ---- Main ---- */

static const char help[] =
    "usage: conform [OPTIONS] PLACE SCRIPT...\n"
    "\n"
    "Runs each script on a fresh place.  A line for each difference; `N passed, N failed, N "
    "skipped`\n"
    "(steps with an answer) last.  Exit 0 only if none failed.\n"
    "\n"
    "places\n"
    "  mem:          the memory KV            mem-store:    a branch of a store in memory\n"
    "  log:          a branch of a log store  dir:          a folder of the host\n"
    "  git:          a branch of a .git       lmdb:         one of a store in LMDB\n"
    "  Options behind the colon, by commas: size=4M unit=512 granule=4096 commit=each "
    "format=sha256.\n"
    "  fat: tar: are not available in this version: their steps count as skipped.\n"
    "\n"
    "options\n"
    "  --via lib              how the place is spoken to; cli, redis and http are not available "
    "yet\n"
    "  --fail-alloc           each script with each allocation failing, in a process of its own "
    "that runs\n"
    "                         the step that makes it and a few more: the step must have changed "
    "nothing,\n"
    "                         so it is run once more, and then everything must be as the script "
    "says;\n"
    "                         with =RUNS so many of them, each in a run from the first line to the "
    "last\n"
    "                         (so are all in places on a filesystem); with @N the N-th alone\n"
    "  --fail-io              so with each call of the device failing; after it the place is "
    "opened\n"
    "                         again, and must be sound at the end\n"
    "  --help\n"
    "\n"
    "what a --via cannot do (such steps are skipped)\n"
    "  lib    -\n"
    "  cli    handle snapshot begin commit abort expect-digest window fold-now commit-each watch\n"
    "         events commit-node crash-at-write device fill\n"
    "  redis  set-partial hole, allocate, set-mode, fold, snapshot, commit-node, bases, device,\n"
    "         crash-at-write, clock, author, committer, message\n"
    "  http   handle, begin, commit, abort, window, fold-now, commit-each, commit-node, device,\n"
    "         crash-at-write, clock\n"
    "\n"
    "put-stream KEY SIZE seed N writes splitmix64 from N: each number as eight bytes, the least\n"
    "significant first.\n";

static void scripts_skip(char **paths, int n, struct report *report)
{
    for (int i = 0; i < n; i++) {
        struct script sc = {.path = paths[i], .report = report};

        if (script_read(&sc, paths[i]))
            script_skip(&sc);
        script_free(&sc);
    }
}

static int dir_entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* "", "=RUNS" or "@N". */
static void fault_parse(const char *text, enum fault fault, struct options *o)
{
    o->fault = fault;
    if (*text == '=')
        o->runs = strtoull(text + 1, NULL, 10);
    else if (*text == '@')
        o->at = strtoull(text + 1, NULL, 10);
    else
        o->every = true;
}

/* Options up to the place: the index of the place, or -1. */
static int options_parse(int argc, char **argv, struct options *o, bool *via_lib)
{
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        } else if (strcmp(argv[i], "--via") == 0 && i + 1 < argc) {
            *via_lib = strcmp(argv[++i], "lib") == 0;
        } else if (strncmp(argv[i], "--via=", 6) == 0) {
            *via_lib = strcmp(argv[i] + 6, "lib") == 0;
        } else if (strncmp(argv[i], "--fail-alloc", 12) == 0) {
            fault_parse(argv[i] + 12, FAULT_ALLOC, o);
        } else if (strncmp(argv[i], "--fail-io", 9) == 0) {
            fault_parse(argv[i] + 9, FAULT_IO, o);
        } else {
            return -1;
        }
    }
    return i + 1 < argc ? i : -1;
}

int main(int argc, char **argv)
{
    struct options o = {.at = FAULT_NEVER};
    struct report report = {0};
    bool via_lib = true;
    char dir[] = "/tmp/bough-conform-XXXXXX";
    int at = options_parse(argc, argv, &o, &via_lib), fit;

    fit = at > 0 ? place_parse(argv[at], &o.place) : 2;
    if (fit == 2) {
        fputs(help, stderr);
        return 2;
    }
    if (fit == 1 || !via_lib) {
        fprintf(stderr, "conform: %s is not available in this version\n",
            fit == 1 ? argv[at] : "this --via");
        scripts_skip(argv + at + 1, argc - at - 1, &report);
    } else if (mkdtemp(dir) == NULL) {
        perror("conform: a temporary directory");
        return 3;
    } else {
        o.dir = dir;
        for (int i = at + 1; i < argc; i++)
            script_all(&o, argv[i], &report);
        nftw(dir, dir_entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
    printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)report.passed,
        (unsigned long long)report.failed, (unsigned long long)report.skipped);
    return report.failed == 0 ? 0 : 1;
}
