/*
 * main.c - the program `bough`: global flags, then a verb of the table.
 */
#include <string.h>

#include "base/posix.h"
#include "cli/cli.h"

int verb_version(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    (void)argc;
    (void)argv;
    printf("bough %s (sha1 %s, sha256 %s)\n", BOUGH_VERSION, bough_hash_impl(BOUGH_SHA1),
        bough_hash_impl(BOUGH_SHA256));
    return EXIT_YES;
}

static void print_usage(const struct verb *v)
{
    printf("usage: bough [-s STORE] %s %s\n\n%s\n", v->name, v->syntax, v->summary);
}

int verb_help(struct cli *cli, int argc, char **argv)
{
    const struct verb *v = argc > 1 ? verb_find(argv[1]) : NULL;

    (void)cli;
    if (argc > 1 && v == NULL) {
        fprintf(stderr, "bough: no such verb: %s\n", argv[1]);
        return EXIT_USAGE;
    }
    if (v != NULL) {
        print_usage(v);
        return EXIT_YES;
    }
    printf("usage: bough [-s STORE] [-b BRANCH] [--author 'Name <mail>'] [-m MESSAGE] [--json] "
           "VERB ...\n\n"
           "A versioned key-value store: a key is a file in a Git tree, a write is a commit.\n"
           "STORE is a file or block device (default $BOUGH_STORE, then ./bough.img),\n"
           "      block:FILE,offset=N,size=N, a part of one,\n"
           "      git:DIR, an ordinary Git repository, lmdb:DIR, or mem:\n"
           "--json: gc, fsck, repair and stats print one JSON object\n\n");
    for (size_t i = 0; (v = verb_row(i)) != NULL; i++)
        printf("  %-9s %s\n", v->name, v->summary);
    return EXIT_YES;
}

/* Letters to change, add or drop to make `b` of `a`; for short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], n = strlen(b);

    if (n >= 31)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != 0; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = corner + (a[i] != b[j]);
            size_t step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            corner = row[j + 1];
            row[j + 1] = change < step ? change : step;
        }
    }
    return row[n];
}

static int unknown_verb(const char *name)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; verb_row(i) != NULL; i++) {
        size_t d = distance(name, verb_row(i)->name);
        if (d < least) {
            least = d;
            best = verb_row(i)->name;
        }
    }
    fprintf(stderr, "bough: no such verb: %s", name);
    if (best != NULL)
        fprintf(stderr, "; did you mean `bough %s`?", best);
    fprintf(stderr, "\n`bough help` lists them\n");
    return EXIT_USAGE;
}

/* The field that a global flag with a value fills. */
static const char **global_field(struct cli *cli, const char *name)
{
    if (strcmp(name, "-s") == 0 || strcmp(name, "--store") == 0)
        return &cli->store;
    if (strcmp(name, "-b") == 0 || strcmp(name, "--branch") == 0)
        return &cli->branch;
    if (strcmp(name, "-m") == 0 || strcmp(name, "--message") == 0)
        return &cli->message;
    return strcmp(name, "--author") == 0 ? &cli->author : NULL;
}

enum { GLOBALS_BAD = -1, GLOBALS_DONE = -2 };

bool flag_is_global(const char *name)
{
    struct cli none = {.store = NULL};

    return global_field(&none, name) != NULL || strcmp(name, "--json") == 0 ||
           strcmp(name, "-v") == 0 || strcmp(name, "--verbose") == 0;
}

/* Global flags; the index of the verb, or one of the above. */
static int globals(struct cli *cli, int argc, char **argv)
{
    struct flags f = {.argc = argc, .argv = argv, .at = 1, .first = true};
    const char *name;

    while ((name = flag_next(&f)) != NULL) {
        const char **field = global_field(cli, name);
        if (field != NULL) {
            *field = flag_value(&f);
            if (*field == NULL) {
                fprintf(stderr, "bough: %s wants a value\n", name);
                return GLOBALS_BAD;
            }
        } else if (strcmp(name, "--json") == 0) {
            cli->json = true;
        } else if (strcmp(name, "-v") == 0 || strcmp(name, "--verbose") == 0) {
            cli->level = BOUGH_LOG_DEBUG;
        } else if (strcmp(name, "--version") == 0) {
            verb_version(cli, 0, NULL);
            return GLOBALS_DONE;
        } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            verb_help(cli, 1, argv);
            return GLOBALS_DONE;
        } else {
            fprintf(stderr, "bough: unknown flag %s; `bough help` tells what there is\n", name);
            return GLOBALS_BAD;
        }
    }
    return f.at;
}

/* `--json` may stand behind such a verb, too; argv without it. */
static int json_take(struct cli *cli, int argc, char **argv)
{
    int n = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            memmove(argv + n, argv + i, (size_t)(argc - i) * sizeof *argv);
            return n + argc - i;
        }
        if (strcmp(argv[i], "--json") == 0)
            cli->json = true;
        else
            argv[n++] = argv[i];
    }
    return n;
}

static int run(struct cli *cli, const struct verb *verb, int argc, char **argv)
{
    int code = 0;

    if (asks_help(argc, argv)) {
        print_usage(verb);
        return EXIT_YES;
    }
    if (verb->how & VERB_JSON)
        argc = json_take(cli, argc, argv);
    if (verb->how & VERB_PLAIN)
        code = words_only(verb->name, &argc, argv);
    return code != 0 ? code : verb->run(cli, argc, argv);
}

int main(int argc, char **argv)
{
    struct cli cli = {.level = BOUGH_LOG_WARN};
    const struct verb *verb;
    int at, code;

    cli.env = bough_posix_env(&cli.level);
    at = globals(&cli, argc, argv);
    if (at < 0)
        return at == GLOBALS_DONE ? EXIT_YES : EXIT_USAGE;
    if (at >= argc) {
        verb_help(&cli, 1, argv);
        return EXIT_USAGE;
    }
    verb = verb_find(argv[at]);
    if (verb == NULL)
        return unknown_verb(argv[at]);
    code = run(&cli, verb, argc - at, argv + at);
    cli_close(&cli);
    if ((fflush(stdout) != 0 || ferror(stdout)) && (code == EXIT_YES || code == EXIT_REMOTE)) {
        fprintf(stderr, "bough: the output cannot be written\n");
        code = EXIT_REMOTE;
    }
    return code;
}
