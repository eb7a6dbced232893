/*
 * redis.h - a Redis client: its state, its commands, how they answer.
 *
 *   struct redis      one connection
 *   struct command    a row of the one table that also makes COMMAND and the manual
 *   places            the branch a key is read from and written to
 *   answers           values and errors of kv/ in Redis's words
 */
#ifndef BOUGH_SERVER_REDIS_H
#define BOUGH_SERVER_REDIS_H

#include "server/inner.h"
#include "server/keys.h"
#include "server/resp.h"

struct redis;

/* A command's words; args[0] is its name. */
struct args {
    size_t n;
    const struct bough_view *v;
};

enum {
    CMD_WRITE = 1 << 0,
    CMD_READ = 1 << 1,
    CMD_NO_MULTI = 1 << 2, /* runs at once inside MULTI */
    CMD_PUBSUB = 1 << 3,   /* allowed while subscribed under RESP2 */
    CMD_FAST = 1 << 4,
    CMD_ADMIN = 1 << 5,
};

struct command {
    const char *name; /* lower case */
    void (*run)(struct redis *r, struct args a);
    int arity; /* with the name; negative: at least */
    uint32_t flags;
    int first_key, last_key, step; /* as COMMAND tells them; 0: no keys */
    const char *syntax;            /* of the arguments, for people */
    const char *summary;
};

const struct command *command_find(struct bough_view name);
const struct command *command_row(size_t i); /* NULL past the end */

/* A watched key: its id when WATCH was said. */
struct watched {
    struct watched *next;
    struct bough_oid id; /* zero: absent */
    size_t len;
    uint8_t key[]; /* as given */
};

enum {
    QUEUE_BYTES_MAX = 64 * 1024 * 1024, /* of the commands queued by MULTI */
    WATCHED_MAX = 16 * 1024,            /* keys */
    SNAPSHOTS_MAX = 64,                 /* held by a client */
    TOPICS_MAX = 1024,                  /* channels and patterns of a client */
    NAME_LEN_MAX = 256,                 /* bytes a client may call itself */
};

/* A command queued by MULTI. */
struct queued {
    struct queued *next;
    const struct command *cmd;
    size_t n, size;
    struct bough_view v[];
};

/* A channel or pattern subscribed to. */
struct topic {
    struct topic *next;
    bool pattern;
    size_t len;
    uint8_t name[];
};

/* A state that the client holds on to. */
struct snapshot {
    struct snapshot *next;
    struct bough_oid id; /* of its commit */
    struct bough_kv *kv;
};

struct redis {
    struct conn conn;
    struct resp_parser parser;
    struct resp_writer w;
    struct bough_view branch; /* owned; empty: HEAD's */
    struct bough_buf name, lib_name, lib_ver;
    /* This turn's replies, to be replaced if its flush fails and they told of data. */
    uint64_t turn;
    size_t turn_mark, turn_replies;
    bool turn_data;
    /* MULTI */
    bool multi, multi_bad;
    struct queued *queue, **queue_end;
    size_t queue_n, queue_bytes;
    struct bough_kv *batch; /* during EXEC: where commands read and write */
    struct watched *watched;
    size_t watched_n;
    struct topic *topics;
    size_t topics_n;
    struct snapshot *snapshots;
    size_t snapshots_n;
    /* A value on its way in (SET) or out (GET), larger than is held. */
    struct bough_blob_writer *big_in;
    uint64_t big_in_left;
    enum bough_err big_in_err;
    struct bough_buf big_key;
    struct bough_object *big_out;
    struct bough_store_pin big_pin;
    uint64_t big_out_at;
    bool replies_off, skip_next;
    const struct command *running;
    uint64_t commands;
    struct bough_buf scratch, path;
};

static inline struct redis *redis_of(struct conn *c)
{
    return (struct redis *)c; /* conn is the first field */
}

/* ---- Places ---- */

/* Where a key lies. */
struct place_at {
    struct bough_kv *kv;
    bool opened;            /* close it with place_close() */
    struct bough_view path; /* good until the next place call on this client */
};

/* For reading: `@rev:key` opens that revision.  An error has been answered when false. */
bool place_read(struct redis *r, struct bough_view key, struct place_at *out);

/* For writing: a literal key of the client's branch, in this turn's gather. */
bool place_write(struct redis *r, struct bough_view key, struct place_at *out);
void place_close(struct place_at *p);

/* The client's branch (or the batch of an EXEC); NULL: an error has been answered. */
struct bough_kv *place_kv(struct redis *r);

/* ---- Answers ---- */

void answer_kv(
    struct redis *r, const struct bough_kv *kv, enum bough_err err); /* an error of a place */
void answer_why(struct redis *r, enum bough_err err, const struct bough_why *why);
void answer_ok(struct redis *r);
void answer_oid(struct redis *r, const struct bough_oid *id);

/* ---- Words ---- */

bool word_is(struct bough_view v, const char *lower); /* case does not matter */
bool word_int(struct bough_view v, int64_t *out);     /* a whole decimal 64-bit number */

/* An integer argument; else answers and is false. */
bool arg_int(struct redis *r, struct bough_view v, int64_t *out);

/* ---- Commands, by topic ---- */

typedef void command_fn(struct redis *r, struct args a);

/* cmd_string.c */
command_fn cmd_get, cmd_set, cmd_setnx, cmd_getset, cmd_getdel, cmd_append, cmd_strlen,
    cmd_getrange, cmd_setrange, cmd_mget, cmd_mset, cmd_msetnx, cmd_incr, cmd_decr, cmd_incrby,
    cmd_decrby;
/* cmd_key.c */
command_fn cmd_del, cmd_exists, cmd_type, cmd_keys, cmd_scan, cmd_rename, cmd_renamenx, cmd_dbsize,
    cmd_randomkey, cmd_touch;
/* cmd_txn.c */
command_fn cmd_multi, cmd_exec, cmd_discard, cmd_watch, cmd_unwatch;
void multi_queue(struct redis *r, const struct command *cmd, struct args a);
void multi_reset(struct redis *r);
void watch_reset(struct redis *r);
/* cmd_pubsub.c */
command_fn cmd_subscribe, cmd_psubscribe, cmd_unsubscribe, cmd_punsubscribe, cmd_publish,
    cmd_pubsub;
void topics_reset(struct redis *r);
/* cmd_conn.c */
command_fn cmd_hello, cmd_auth, cmd_ping, cmd_echo, cmd_quit, cmd_reset, cmd_select, cmd_git_use,
    cmd_client;
/* cmd_server.c */
#define REDIS_VERSION "7.4.0" /* whose behaviour clients may expect */
command_fn cmd_command, cmd_config, cmd_info, cmd_time, cmd_expire_refused, cmd_shutdown;
/* cmd_git.c */
command_fn cmd_git_oid, cmd_git_modified, cmd_git_log, cmd_git_branch, cmd_git_ls;
/* upkeep.c */
command_fn cmd_git_gc, cmd_git_keep, cmd_git_resize;
/* cmd_reflog.c */
command_fn cmd_git_reflog;
/* snapshot.c */
command_fn cmd_git_snapshot;
struct bough_kv *snapshot_find(
    struct redis *r, struct bough_view rev); /* held by its id, or NULL */
void snapshots_reset(struct redis *r);

/* ---- Replies ---- */

/* What was there before the reply of a command. */
struct reply {
    size_t mark, replies;
    bool skip;
};
struct reply reply_begin(struct redis *r);
void reply_end(struct redis *r, const struct reply *rep);
void reply_done(struct redis *r); /* of commands with several replies: for each but the last */

/* ---- Big values (big.c) ---- */

/* After RESP_LARGE: will it be streamed?  Then big_feed() takes input until it is true: whole. */
bool big_begin(struct redis *r, struct bough_view in);
bool big_feed(struct redis *r);

/* Begin to answer with a value that is sent in pieces; send the next one; send no more. */
void big_get(struct redis *r, const struct bough_oid *id);
void big_drain(struct redis *r);
void big_out_drop(struct redis *r);

#endif
