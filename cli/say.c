/*
 * say.c - errors in people's words: exit codes and messages.
 */
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

/* What to do, where the reason alone does not tell. */
static const char *way_out(enum bough_err err)
{
    switch ((int)err) {
    case BOUGH_EVALUE:
        return " (a tree is there; `bough ls` lists it)";
    case BOUGH_EDICT:
        return " (a value is there; `bough get` prints it)";
    case BOUGH_ECORRUPT:
        return " (`bough fsck` names what is damaged, `bough repair` saves the rest)";
    default:
        return "";
    }
}

int say_error(enum bough_err err, const char *where, const struct bough_why *why)
{
    bool told = why != NULL && why->err == err;

    fprintf(stderr, "bough: %s", where[0] != 0 ? where : "/");
    if (told && why->key_len > 0 && !says_key(where, why))
        fprintf(stderr, ": %.*s", (int)why->key_len, (const char *)why->key);
    if (told && err == BOUGH_ELOCKED && why->at != 0) {
        fprintf(stderr, ": locked by pid %llu; ask it, if it is a daemon, or end it\n",
            (unsigned long long)why->at);
        return exit_of(err);
    }
    fprintf(stderr, ": %s", bough_err_name(err));
    if (told && why->what != NULL && why->what[0] != 0)
        fprintf(stderr, " (%s)", why->what);
    else
        fputs(way_out(err), stderr);
    if (told && err == BOUGH_ENOSPC && why->at != 0)
        fprintf(
            stderr, ": gc --prune now would free up to %llu bytes", (unsigned long long)why->at);
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
