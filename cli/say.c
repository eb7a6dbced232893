/*
 * say.c - errors in people's words, and flags.
 *
 *   errors    exit codes and messages
 *   flags     a small reader
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int exit_of(enum bough_err err)
{
    switch ((int)err) {
    case BOUGH_OK:
        return EXIT_YES;
    case BOUGH_EINVAL:
    case BOUGH_EKEY:
    case BOUGH_ETOOBIG:
        return EXIT_USAGE;
    case BOUGH_EIO:
    case BOUGH_EGONE:
    case BOUGH_ENOTSUP:
        return EXIT_NO_STORE;
    case BOUGH_ETEST:
        return EXIT_TEST;
    case BOUGH_ECONFLICT:
        return EXIT_CONFLICT;
    case BOUGH_EREADONLY:
    case BOUGH_EDENIED:
        return EXIT_DENIED;
    case BOUGH_ECORRUPT:
        return EXIT_CORRUPT;
    case BOUGH_ELOCKED:
        return EXIT_BUSY;
    default:
        return EXIT_NO;
    }
}

/* Does `where` name the key already, with or without its leading slash? */
static bool says_key(const char *where, const struct bough_why *why)
{
    const char *key = (const char *)why->key;
    size_t skip = key[0] == '/' && where[0] != '/', len = why->key_len - skip;

    return strncmp(where, key + skip, len) == 0 && (where[len] == 0 || skip == 0);
}

int say_error(enum bough_err err, const char *where, const struct bough_why *why)
{
    bool told = why != NULL && why->err == err;

    fprintf(stderr, "bough: %s", where[0] != 0 ? where : "/");
    if (told && why->key_len > 0 && !says_key(where, why))
        fprintf(stderr, ": %.*s", (int)why->key_len, (const char *)why->key);
    fprintf(stderr, ": %s", bough_err_name(err));
    if (told && why->what != NULL && why->what[0] != 0)
        fprintf(stderr, " (%s)", why->what);
    if (told && err == BOUGH_ENOSPC && why->at != 0)
        fprintf(
            stderr, ": gc --prune now would free up to %llu bytes", (unsigned long long)why->at);
    if (told && err == BOUGH_ELOCKED && why->at != 0)
        fprintf(
            stderr, ": locked by pid %llu; ask its daemon instead", (unsigned long long)why->at);
    fputc('\n', stderr);
    return exit_of(err);
}

int say_usage(const char *verb, const char *text)
{
    const struct verb *v = verb_find(verb);

    fprintf(stderr, "bough: %s: %s\n", verb, text);
    if (v != NULL)
        fprintf(stderr, "usage: bough %s %s\n", v->name, v->syntax);
    return EXIT_USAGE;
}

/* ---- Flags ---- */

const char *flag_next(struct flags *f)
{
    const char *word = f->at < f->argc ? f->argv[f->at] : NULL;
    const char *eq;

    f->value = NULL;
    if (word == NULL || word[0] != '-' || word[1] == 0)
        return NULL;
    f->at++;
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
    if (f->value == NULL && f->at < f->argc)
        f->value = f->argv[f->at++];
    return f->value;
}

bool parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    const char *unit;

    *out = strtoull(text, &end, 10);
    if (end == text || text[0] == '-')
        return false;
    if (*end == 0)
        return true;
    unit = strchr(units, *end >= 'a' ? *end - 32 : *end);
    if (unit == NULL || end[1] != 0)
        return false;
    for (const char *u = units; u <= unit; u++) {
        if (*out > UINT64_MAX / 1024)
            return false;
        *out *= 1024;
    }
    return true;
}
