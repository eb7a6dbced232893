/* table.c - every verb in one table: help and usage come from it. */
#include <string.h>

#include "cli/cli.h"

enum { FLAGS = 0, PLAIN = VERB_PLAIN, JSON = VERB_JSON };

static const struct verb table[] = {
    {"init", verb_init, "[--size N[KMGT]] [--object-format sha1|sha256] [--force] [STORE]",
        "make an empty store", FLAGS},
    {"serve", verb_serve,
        "[--redis PORT] [--git PORT] [--http PORT] [--bind ADDR] [--pid-file F] [--read-only] "
        "[--fsync always|everysec|no] [--push-timeout SECONDS] [--cache N[KMGT]] [--keep "
        "[BRANCH=]POLICY]...",
        "serve Redis and Git clients until SIGTERM", FLAGS},
    {"get", verb_get, "KEY", "print a value; KEY may be @REV:KEY", PLAIN},
    {"set", verb_set, "[--if-digest ID|none] [--create] [-x] KEY [VALUE]",
        "write a value, from standard input without VALUE", FLAGS},
    {"rm", verb_rm, "KEY...", "remove values and trees, in one commit", PLAIN},
    {"mv", verb_mv, "FROM TO", "move a value or tree", PLAIN},
    {"ls", verb_ls, "[-l] [-R] [-z] [KEY]", "list a tree", FLAGS},
    {"stat", verb_stat, "KEY", "kind, size, mode, id and last change", PLAIN},
    {"digest", verb_digest, "KEY", "print the Git id of a value or tree", PLAIN},
    {"batch", verb_batch, "FILE|-", "run set, rm, mv and expect lines as one commit", PLAIN},
    {"log", verb_log, "[-n N] [--oneline] [KEY]", "commits, newest first; of a key", FLAGS},
    {"branch", verb_branch, "[-d] [NAME [FROM]]", "list, create, delete branches", FLAGS},
    {"reflog", verb_reflog, "[-n N] [BRANCH] | --expire DAYS",
        "what a branch was, newest first; forget moves older than so many days", FLAGS},
    {"import", verb_import, "dir:PATH [KEY]", "copy a folder into a tree, in one commit", PLAIN},
    {"export", verb_export, "KEY dir:PATH", "copy a tree into a folder; KEY may be @REV:KEY",
        PLAIN},
    {"convert", verb_convert, "[--size N[KMGT]] FROM TO",
        "copy a store into an empty one of any engine; all ids stay", FLAGS},
    {"backup", verb_backup, "[STORE] FILE|-", "write everything as a Git bundle", PLAIN},
    {"restore", verb_restore, "FILE|- [STORE]", "make a store of a Git bundle", PLAIN},
    {"dump", verb_dump, "[REV]", "print a tree as text, a line a value (docs/dump.md)", PLAIN},
    {"load", verb_load, "FILE|-", "make the branch what such a text says, in one commit", PLAIN},
    {"gc", verb_gc, "[--dry-run] [--json] [--prune now|AGE] [--aggressive] [--keep POLICY]",
        "drop what nothing reaches any more, and do the upkeep that is due", FLAGS | JSON},
    {"keep", verb_keep, "[-d] [BRANCH|PATTERN [all|N|Nd|N,Nd]]",
        "how much history branches keep: list, show, set, remove", FLAGS},
    {"resize", verb_resize, "[STORE] SIZE[KMGT]",
        "make a store longer or shorter; a block device keeps its size, but the store may end in "
        "it",
        PLAIN},
    {"fsck", verb_fsck, "[--json] [--rebuild-index]",
        "check every structure and every object; or make the index of history anew", FLAGS | JSON},
    {"repair", verb_repair, "[--json] DAMAGED NEW", "bring what is intact into a new store",
        PLAIN | JSON},
    {"stats", verb_stats, "[--json] [--live]",
        "sizes and counters; what lives and what a gc would drop", FLAGS | JSON},
    {"bench", verb_bench, "[--keys N] [FOLDER]",
        "how quick a store is here: a new one in a folder, gone afterwards", FLAGS},
    {"git", verb_git,
        "upload-pack|receive-pack [--stateless-rpc] [--http-backend-info-refs] [STORE]",
        "serve one Git client on stdio", FLAGS},
    {"version", verb_version, "", "print the version", PLAIN},
    {"help", verb_help, "[VERB]", "this, or more on a verb", PLAIN},
};

const struct verb *verb_row(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; verb_row(i) != NULL; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}
