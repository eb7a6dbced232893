/*
 * cli.h - what the commands of the program share.
 *
 *   struct cli      one run: settings, the opened store, places
 *   the table       struct verb
 *   opening         cli_open(): the only place that wires devices, engines and repositories
 *   places          a key, or `@rev:key`
 *   saying          errors, exit codes
 *   options         a small reader of flags
 */
#ifndef BOUGH_CLI_H
#define BOUGH_CLI_H

#include <stdio.h>

#include "block/file.h"
#include "kv/kv.h"

#define BOUGH_VERSION "0.1.0"

/* Exit codes, the same for every command. */
enum {
    EXIT_YES = 0,
    EXIT_NO = 1, /* a negative answer: no such key */
    EXIT_USAGE = 2,
    EXIT_NO_STORE = 3, /* no such store, or unreadable */
    EXIT_TEST = 4,     /* a condition failed */
    EXIT_CONFLICT = 5,
    EXIT_DENIED = 6,
    EXIT_REMOTE = 7,
    EXIT_CORRUPT = 8,
    EXIT_BUSY = 9, /* locked by another process */
};

struct cli {
    struct bough_env env;
    enum bough_level level;
    const char *store;   /* what follows `-s`: FILE, mem:, git:DIR or lmdb:DIR */
    const char *branch;  /* NULL: HEAD's */
    const char *author;  /* "Name <mail>"; NULL: from the environment */
    const char *message; /* NULL: the default */
    bool json;
    uint64_t cache; /* bytes of trees and values by path; 0: the default, 64 MiB */
    /* What is open; see cli_open(). */
    struct bough_fileblk file;
    bool file_open;
    struct bough_rangeblk part; /* of the file, where the address says so */
    struct bough_block *dev;    /* the file or the part */
    struct bough_overblk over;  /* of OPEN_TRY */
    struct bough_store *engine;
    struct bough_repo *repo;
    struct bough_kv *kv;
    struct bough_why why;
};

enum {
    VERB_PLAIN = 1 << 0, /* takes words, and no flags of its own */
    VERB_JSON = 1 << 1,  /* tells what it finds as an object with --json, wherever that stands */
};

struct verb {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the verb; the exit code */
    const char *syntax;
    const char *summary;
    unsigned how; /* bits of VERB_ */
};
const struct verb *verb_row(size_t i);          /* NULL past the end */
const struct verb *verb_find(const char *name); /* NULL: none */

/* ---- Opening ---- */

enum {
    OPEN_READ = 1 << 0,   /* nothing will be written */
    OPEN_WINDOW = 1 << 1, /* with a journal window, as daemons have it */
    OPEN_LATER = 1 << 2,  /* writes are durable after a sync, not on return */
    OPEN_TRY = 1 << 3,    /* what is written stays in memory: the file or folder is only read */
    OPEN_INDEX = 1 << 4,  /* the index of history waits for no number of commits */
    OPEN_PAST = 1 << 5,   /* with OPEN_READ: also what is whole behind damage in the log */
    OPEN_WALK = 1 << 6,   /* all that is there will be asked for, in no order */
};

/* The store's address: as given, else what `-s` or the environment says, else ./bough.img. */
const char *cli_address(struct cli *cli, const char *given);

/* What follows `scheme` ("git:") in an address; NULL: it has another. */
const char *address_rest(const char *address, const char *scheme);

/* An empty store to be made; the exit code after an error was said. */
struct init {
    const char *path; /* an address */
    uint64_t size;    /* bytes, of a file; 0: the default */
    bool force;       /* whatever a device holds */
    enum bough_algo algo;
};
int cli_init(struct cli *cli, const struct init *in);

/* The folder of `git:DIR` and `lmdb:DIR`; NULL: another kind. */
const char *address_folder(const char *address);

/* The device of an address of no other kind, FILE or block:FILE[,offset=N][,size=N] (device.c). */
struct device_place {
    char path[4096];
    uint64_t at, size; /* bytes; size 0: to the end */
    bool part;         /* not all of it */
};
bool device_parse(const char *address, struct device_place *out);

/* Open it with flags of block/file.h, as cli->file and cli->dev; close with bough_fileblk_close(). */
enum bough_err cli_device_open(struct cli *cli, const char *address, uint32_t how);

/* Is there anything but zeros where it begins, as far as can be told? */
bool cli_device_used(struct cli *cli);

/* Open store and repository; 0, or the exit code after an error was said. */
int cli_open(struct cli *cli, unsigned flags);

/* The same, and the branch as a place in cli->kv, writing as the author. */
int cli_open_kv(struct cli *cli, unsigned flags);
void cli_close(struct cli *cli);

/* The place of a key argument: `@rev:key` opens that revision.  Close with cli_place_close(). */
struct cli_place {
    struct bough_kv *kv;
    struct bough_view path;
    bool opened;
};
int cli_place(struct cli *cli, const char *key, bool write, struct cli_place *out);
void cli_place_close(struct cli_place *p);

/* Who writes: options, then GIT_AUTHOR_* and GIT_COMMITTER_*, then user and host. */
int cli_info(struct cli *cli, struct bough_info *out);

/* ---- Saying ---- */

/* `bough: WHERE: WHAT (WHY)` on stderr; the exit code that belongs to `err`. */
int say_error(enum bough_err err, const char *where, const struct bough_why *why);
int say_usage(const char *verb, const char *text);
int exit_of(enum bough_err err);

/* ---- Flags ---- */

/*
 * Reads "-x V", "--name V" and "--name=V", wherever they stand up to "--", and sorts argv so that
 * the words are argv[at] and behind when all flags are read.
 */
struct flags {
    int argc;
    char **argv;
    int at;       /* of the next flag, in the end of the first word */
    bool first;   /* end at the first word: what follows is another's */
    size_t words; /* passed over so far */
    const char *value;
    char name[64];
};
const char *flag_next(struct flags *f);  /* with its dashes; NULL: no more */
const char *flag_value(struct flags *f); /* NULL: missing */
bool flag_is_global(const char *name);   /* does it stand before the verb? */
bool asks_help(int argc, char **argv);   /* is there a --help among the flags? */

/* Say that a verb does not know a flag, or misses its value; EXIT_USAGE. */
int flag_unknown(const char *verb, const char *name);

/* For a verb without flags: only words are left in argv, or the code of a usage error. */
int words_only(const char *verb, int *argc, char **argv);

/* ---- Verbs ---- */

typedef int verb_fn(struct cli *cli, int argc, char **argv);

verb_fn verb_init;                                 /* init.c */
verb_fn verb_convert;                              /* convert.c */
verb_fn verb_dump;                                 /* dump.c */
verb_fn verb_load;                                 /* load.c */
verb_fn verb_backup, verb_restore;                 /* bundle.c */
verb_fn verb_resize, verb_stats;                   /* upkeep.c */
verb_fn verb_bench;                                /* bench.c */
verb_fn verb_gc, verb_keep;                        /* gc.c */
verb_fn verb_repair;                               /* repair.c */
verb_fn verb_fsck;                                 /* fsck.c */
verb_fn verb_serve, verb_git;                      /* serve.c */
verb_fn verb_get, verb_ls, verb_stat, verb_digest; /* read.c */
verb_fn verb_set, verb_rm, verb_mv, verb_batch;    /* write.c */
verb_fn verb_log, verb_branch;                     /* history.c */
verb_fn verb_reflog;                               /* reflog.c */
verb_fn verb_import, verb_export;                  /* copy.c */
verb_fn verb_help, verb_version;                   /* main.c */

#endif
