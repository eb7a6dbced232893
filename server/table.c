/*
 * table.c - every Redis command in one table, in order of name.
 */
#include "server/redis.h"

#define NOKEYS 0, 0, 0
#define ONEKEY 1, 1, 1
#define KEYS   1, -1, 1

static const struct command table[] = {
    {"append", cmd_append, 3, CMD_WRITE | CMD_FAST, ONEKEY, "key value", "Append to a value"},
    {"auth", cmd_auth, -2, CMD_FAST | CMD_NO_MULTI, NOKEYS, "[user] password", "Say who you are"},
    {"client", cmd_client, -2, CMD_ADMIN, NOKEYS, "subcommand ...", "About this connection"},
    {"command", cmd_command, -1, 0, NOKEYS, "[COUNT | DOCS | INFO | LIST | GETKEYS] ...",
        "About commands"},
    {"config", cmd_config, -2, CMD_ADMIN, NOKEYS, "GET pattern ...", "Read settings"},
    {"dbsize", cmd_dbsize, 1, CMD_READ, NOKEYS, "", "Count the values; walks all of them"},
    {"decr", cmd_decr, 2, CMD_WRITE | CMD_FAST, ONEKEY, "key", "Subtract one"},
    {"decrby", cmd_decrby, 3, CMD_WRITE | CMD_FAST, ONEKEY, "key n", "Subtract"},
    {"del", cmd_del, -2, CMD_WRITE, KEYS, "key ...", "Remove values and trees"},
    {"discard", cmd_discard, 1, CMD_FAST | CMD_NO_MULTI, NOKEYS, "", "Forget the transaction"},
    {"echo", cmd_echo, 2, CMD_FAST, NOKEYS, "message", "Answer the message"},
    {"exec", cmd_exec, 1, CMD_NO_MULTI, NOKEYS, "", "Run the transaction: one commit"},
    {"exists", cmd_exists, -2, CMD_READ | CMD_FAST, KEYS, "key ...", "Count the keys that exist"},
    {"expire", cmd_expire_refused, -3, CMD_WRITE, ONEKEY, "key seconds", "Refused: keys stay"},
    {"expireat", cmd_expire_refused, -3, CMD_WRITE, ONEKEY, "key time", "Refused: keys stay"},
    {"get", cmd_get, 2, CMD_READ | CMD_FAST, ONEKEY, "key | @rev:key", "Read a value"},
    {"getdel", cmd_getdel, 2, CMD_WRITE | CMD_FAST, ONEKEY, "key", "Read a value and remove it"},
    {"getrange", cmd_getrange, 4, CMD_READ, ONEKEY, "key start end", "Read a part of a value"},
    {"getset", cmd_getset, 3, CMD_WRITE | CMD_FAST, ONEKEY, "key value", "Replace a value"},
    {"git.branch", cmd_git_branch, -2, CMD_WRITE, NOKEYS, "LIST | CREATE name [from] | DELETE name",
        "Branches"},
    {"git.gc", cmd_git_gc, -1, CMD_ADMIN | CMD_WRITE, NOKEYS,
        "[DRYRUN] [PRUNE seconds] [AGGRESSIVE] | STATUS",
        "Drop what nothing reaches; how far it is"},
    {"git.keep", cmd_git_keep, -1, CMD_WRITE, NOKEYS, "[branch [all | N | Nd | N,Nd | DEFAULT]]",
        "How much history branches keep"},
    {"git.log", cmd_git_log, -1, CMD_READ, NOKEYS, "[key] [REV rev] [LIMIT n] [SKIP n]",
        "Commits, newest first"},
    {"git.ls", cmd_git_ls, -1, CMD_READ, NOKEYS, "[key | @rev:key]", "The children of a tree"},
    {"git.modified", cmd_git_modified, 2, CMD_READ, ONEKEY, "key",
        "Time and commit of last change"},
    {"git.oid", cmd_git_oid, 2, CMD_READ, ONEKEY, "key", "The Git id of a value or tree"},
    {"git.reflog", cmd_git_reflog, -1, CMD_READ, NOKEYS, "[branch] [LIMIT n] [SKIP n]",
        "What a branch was, newest first"},
    {"git.resize", cmd_git_resize, -1, CMD_ADMIN | CMD_WRITE, NOKEYS, "[bytes[KMGT]]",
        "Make the store larger or smaller; how large it is"},
    {"git.snapshot", cmd_git_snapshot, -1, CMD_READ, NOKEYS, "[rev] | DROP id",
        "Hold on to a state, to be read as @id:key"},
    {"git.use", cmd_git_use, 2, CMD_NO_MULTI, NOKEYS, "branch", "Read and write this branch"},
    {"hello", cmd_hello, -1, CMD_FAST | CMD_NO_MULTI, NOKEYS,
        "[protover [AUTH user password] [SETNAME name]]", "Choose the protocol"},
    {"incr", cmd_incr, 2, CMD_WRITE | CMD_FAST, ONEKEY, "key", "Add one"},
    {"incrby", cmd_incrby, 3, CMD_WRITE | CMD_FAST, ONEKEY, "key n", "Add"},
    {"info", cmd_info, -1, 0, NOKEYS, "[section ...]", "Facts and counters"},
    {"keys", cmd_keys, 2, CMD_READ, NOKEYS, "pattern", "Keys that match; walks all of them"},
    {"mget", cmd_mget, -2, CMD_READ | CMD_FAST, KEYS, "key ...", "Read several values"},
    {"mset", cmd_mset, -3, CMD_WRITE, 1, -1, 2, "key value ...", "Set several values: one commit"},
    {"msetnx", cmd_msetnx, -3, CMD_WRITE, 1, -1, 2, "key value ...", "The same, if none exists"},
    {"multi", cmd_multi, 1, CMD_FAST | CMD_NO_MULTI, NOKEYS, "", "Begin a transaction"},
    {"pexpire", cmd_expire_refused, -3, CMD_WRITE, ONEKEY, "key ms", "Refused: keys stay"},
    {"ping", cmd_ping, -1, CMD_FAST | CMD_PUBSUB, NOKEYS, "[message]", "Is anybody there"},
    {"psubscribe", cmd_psubscribe, -2, CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "pattern ...",
        "Listen to channels that match"},
    {"publish", cmd_publish, 3, CMD_FAST, NOKEYS, "channel message", "Tell all who listen"},
    {"pubsub", cmd_pubsub, -2, 0, NOKEYS, "CHANNELS [pattern] | NUMSUB [channel ...] | NUMPAT",
        "Who listens"},
    {"punsubscribe", cmd_punsubscribe, -1, CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "[pattern ...]",
        "Listen no more"},
    {"quit", cmd_quit, -1, CMD_FAST | CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "",
        "Close the connection"},
    {"randomkey", cmd_randomkey, 1, CMD_READ, NOKEYS, "", "Any key; walks over them"},
    {"rename", cmd_rename, 3, CMD_WRITE, 1, 2, 1, "key newkey", "Move a value or tree"},
    {"renamenx", cmd_renamenx, 3, CMD_WRITE, 1, 2, 1, "key newkey", "The same, if newkey is free"},
    {"reset", cmd_reset, 1, CMD_FAST | CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "",
        "Make the connection as new"},
    {"scan", cmd_scan, -2, CMD_READ, NOKEYS, "cursor [MATCH pattern] [COUNT n] [TYPE type]",
        "Keys page by page, of one snapshot"},
    {"select", cmd_select, 2, CMD_FAST, NOKEYS, "0", "Back to HEAD's branch"},
    {"set", cmd_set, -3, CMD_WRITE, ONEKEY, "key value [NX | XX] [GET]", "Write a value"},
    {"setnx", cmd_setnx, 3, CMD_WRITE | CMD_FAST, ONEKEY, "key value", "Write if there is none"},
    {"setrange", cmd_setrange, 4, CMD_WRITE, ONEKEY, "key offset value", "Write a part of a value"},
    {"shutdown", cmd_shutdown, -1, CMD_ADMIN | CMD_NO_MULTI, NOKEYS,
        "[NOSAVE | SAVE] [NOW] [FORCE]", "End the server, as SIGTERM does"},
    {"strlen", cmd_strlen, 2, CMD_READ | CMD_FAST, ONEKEY, "key", "Bytes of a value"},
    {"subscribe", cmd_subscribe, -2, CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "channel ...",
        "Listen to channels"},
    {"substr", cmd_getrange, 4, CMD_READ, ONEKEY, "key start end", "The old name of GETRANGE"},
    {"time", cmd_time, 1, CMD_FAST, NOKEYS, "", "Seconds and microseconds"},
    {"touch", cmd_touch, -2, CMD_READ | CMD_FAST, KEYS, "key ...", "Count the keys that exist"},
    {"type", cmd_type, 2, CMD_READ | CMD_FAST, ONEKEY, "key", "string, tree or none"},
    {"unlink", cmd_del, -2, CMD_WRITE | CMD_FAST, KEYS, "key ...", "Remove values and trees"},
    {"unsubscribe", cmd_unsubscribe, -1, CMD_PUBSUB | CMD_NO_MULTI, NOKEYS, "[channel ...]",
        "Listen no more"},
    {"unwatch", cmd_unwatch, 1, CMD_FAST, NOKEYS, "", "Forget the watched keys"},
    {"watch", cmd_watch, -2, CMD_FAST | CMD_NO_MULTI, KEYS, "key ...",
        "EXEC only if these did not change"},
};

enum { TABLE_N = sizeof table / sizeof *table };

const struct command *command_row(size_t i)
{
    return i < TABLE_N ? &table[i] : NULL;
}

/* Order of `v`, taken as lower case, against a name. */
static int name_cmp(struct bough_view v, const char *name)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i] >= 'A' && v.ptr[i] <= 'Z' ? (uint8_t)(v.ptr[i] + 32) : v.ptr[i];
        if (name[i] == 0) /* also when `v` has a NUL there, which must not lead past the end */
            return 1;
        if (c != (uint8_t)name[i])
            return c < (uint8_t)name[i] ? -1 : 1;
    }
    return name[v.len] == 0 ? 0 : -1;
}

const struct command *command_find(struct bough_view name)
{
    size_t lo = 0, hi = TABLE_N;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = name_cmp(name, table[mid].name);
        if (cmp == 0)
            return &table[mid];
        if (cmp < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
