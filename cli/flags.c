/*
 * flags.c - a small reader of flags, which may stand before, between and after the words.
 *
 *   reader    flags come forward, words stay behind them in their order, as with git
 *   words     for verbs that have no flags
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* ---- Reader ---- */

/* argv[at] to argv[at + words - 1] are words that were passed over: take what follows, before them. */
static char *pull(struct flags *f)
{
    char **at = &f->argv[f->at++];
    char *taken = at[f->words];

    memmove(at + 1, at, f->words * sizeof *at);
    *at = taken;
    return taken;
}

static bool is_word(const char *text)
{
    return text[0] != '-' || text[1] == 0;
}

const char *flag_next(struct flags *f)
{
    const char *word, *eq;

    f->value = NULL;
    while (!f->first && f->at + (int)f->words < f->argc && is_word(f->argv[f->at + (int)f->words]))
        f->words++;
    if (f->at + (int)f->words >= f->argc || is_word(f->argv[f->at + (int)f->words]))
        return NULL;
    word = pull(f);
    if (strcmp(word, "--") == 0)
        return NULL;
    eq = word[1] == '-' ? strchr(word, '=') : NULL;
    if (eq == NULL || (size_t)(eq - word) >= sizeof f->name)
        return word;
    memcpy(f->name, word, (size_t)(eq - word));
    f->name[eq - word] = 0;
    f->value = eq + 1;
    return f->name;
}

const char *flag_value(struct flags *f)
{
    if (f->value == NULL && f->at + (int)f->words < f->argc)
        f->value = pull(f);
    return f->value;
}

int flag_unknown(const char *verb, const char *name)
{
    fprintf(stderr, "bough: %s: unknown flag %s, or one without its value", verb, name);
    if (flag_is_global(name))
        fprintf(stderr, "; %s stands before the verb: bough %s ... %s", name, name, verb);
    else
        fprintf(stderr, "; words that begin with a dash stand behind --");
    fprintf(stderr, "\nusage: bough %s %s\n", verb, verb_find(verb)->syntax);
    return EXIT_USAGE;
}

/* ---- Words ---- */

int words_only(const char *verb, int *argc, char **argv)
{
    struct flags f = {.argc = *argc, .argv = argv, .at = 1};
    const char *name = flag_next(&f);

    if (name != NULL)
        return flag_unknown(verb, name);
    *argc -= f.at - 1; /* a `--` */
    memmove(argv + 1, argv + f.at, (size_t)(*argc - 1) * sizeof *argv);
    return 0;
}

bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}
