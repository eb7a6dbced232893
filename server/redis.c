/*
 * redis.c - a Redis client's connection: bytes to commands, commands to replies.
 *
 *   words and answers
 *   places
 *   replies    counted, so that they can be replaced; withheld where CLIENT REPLY says so
 *   dispatch
 *   the connection
 */
#include <stdio.h>

#include "server/redis.h"

/* ---- Words and answers ---- */

bool word_is(struct bough_view v, const char *lower)
{
    size_t i = 0;

    for (; i < v.len && lower[i] != 0; i++) {
        uint8_t c = v.ptr[i] >= 'A' && v.ptr[i] <= 'Z' ? (uint8_t)(v.ptr[i] + 32) : v.ptr[i];
        if (c != (uint8_t)lower[i])
            return false;
    }
    return i == v.len && lower[i] == 0;
}

bool word_int(struct bough_view v, int64_t *out)
{
    bool minus = v.len > 0 && v.ptr[0] == '-';
    uint64_t x = 0, limit = (uint64_t)INT64_MAX + minus;

    if (v.len == (size_t)minus || v.len > 20 || (v.ptr[minus] == '0' && v.len > 1))
        return false;
    for (size_t i = minus; i < v.len; i++) {
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (v.ptr[i] < '0' || v.ptr[i] > '9' || x > (limit - digit) / 10)
            return false;
        x = 10 * x + digit;
    }
    *out = minus ? (int64_t)(0 - x) : (int64_t)x;
    return true;
}

bool arg_int(struct redis *r, struct bough_view v, int64_t *out)
{
    if (word_int(v, out))
        return true;
    resp_error(&r->w, "ERR value is not an integer or out of range");
    return false;
}

void answer_ok(struct redis *r)
{
    resp_simple(&r->w, "OK");
}

void answer_oid(struct redis *r, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t n = bough_oid_hex(bough_repo_store(r->conn.server->repo)->algo, id, hex);

    resp_bulk(&r->w, bough_view(hex, n));
}

enum { WHY_MAX = BOUGH_WHY_KEY_MAX + 200 };

/* The word that clients switch on. */
static const char *error_word(enum bough_err err)
{
    switch ((int)err) {
    case BOUGH_EDICT:
    case BOUGH_EVALUE:
        return "WRONGTYPE";
    case BOUGH_EREADONLY:
        return "READONLY";
    case BOUGH_ENOMEM:
        return "OOM";
    case BOUGH_ENOSPC:
        return "NOSPACE";
    case BOUGH_EEXPIRED:
        return "EXPIRED";
    default:
        return "ERR";
    }
}

/* "no space left: KEY: the device is full: gc would free up to N bytes" */
static void why_text(char *text, size_t room, enum bough_err err, const struct bough_why *why)
{
    bool mine = why != NULL && why->err == err;
    int key = mine ? (int)why->key_len : 0;
    size_t n = (size_t)snprintf(text, room, "%s%s%.*s%s%s", bough_err_name(err),
        key > 0 ? ": " : "", key, mine ? (const char *)why->key : "",
        mine && why->what != NULL && why->what[0] != 0 ? ": " : "",
        mine && why->what != NULL ? why->what : "");

    if (mine && err == BOUGH_ENOSPC && why->at > 0 && n < room)
        snprintf(
            text + n, room - n, ": gc would free up to %llu bytes", (unsigned long long)why->at);
}

void answer_why(struct redis *r, enum bough_err err, const struct bough_why *why)
{
    char text[WHY_MAX], line[WHY_MAX + 16];

    why_text(text, sizeof text, err, why);
    snprintf(line, sizeof line, "%s %s", error_word(err), text);
    resp_error(&r->w, line);
}

void answer_kv(struct redis *r, const struct bough_kv *kv, enum bough_err err)
{
    answer_why(r, err, &kv->why);
}

/* ---- Places ---- */

struct bough_kv *place_kv(struct redis *r)
{
    struct bough_kv *kv = r->batch != NULL ? r->batch : server_place(r->conn.server, r->branch);

    r->turn_data = true;
    if (kv == NULL)
        resp_error(&r->w, "ERR the branch cannot be opened");
    return kv;
}

static struct bough_view path_of(struct redis *r, struct bough_view key)
{
    if (key_is_path(key))
        return key;
    bough_buf_clear(&r->path);
    key_to_path(key, &r->path);
    return bough_buf_view(&r->path);
}

bool place_read(struct redis *r, struct bough_view key, struct place_at *out)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_view rev, rest;
    struct bough_oid commit;
    enum bough_err err;

    *out = (struct place_at){.opened = false};
    r->turn_data = true;
    if (!key_revision(key, &rev, &rest)) {
        out->kv = place_kv(r);
        out->path = path_of(r, rest);
        return out->kv != NULL;
    }
    out->kv = snapshot_find(r, rev);
    if (out->kv != NULL) {
        out->path = path_of(r, rest);
        return true;
    }
    err = bough_repo_resolve(repo, rev, &commit);
    if (!err)
        err = bough_kv_commit_open(repo, &commit, &out->kv);
    if (err) {
        answer_why(r, err, bough_repo_why(repo));
        return false;
    }
    out->opened = true;
    out->path = path_of(r, rest);
    return true;
}

bool place_write(struct redis *r, struct bough_view key, struct place_at *out)
{
    struct bough_view rev, rest;
    enum bough_err err;

    *out = (struct place_at){.opened = false};
    if (key_revision(key, &rev, &rest)) {
        resp_error(&r->w, "ERR a revision is read-only; write to a branch (a literal @ is @@)");
        return false;
    }
    out->kv = place_kv(r);
    if (out->kv == NULL)
        return false;
    err = server_gather(r->conn.server);
    if (err) {
        answer_why(r, err, bough_repo_why(r->conn.server->repo));
        return false;
    }
    out->path = path_of(r, rest);
    return true;
}

void place_close(struct place_at *p)
{
    if (p->opened)
        bough_kv_close(p->kv);
    p->opened = false;
}

/* ---- Replies ---- */

struct reply reply_begin(struct redis *r)
{
    struct reply rep = {.skip = r->skip_next};

    r->skip_next = false;
    r->commands++;
    r->conn.server->commands++;
    if (r->turn != r->conn.server->turn || r->turn_replies == 0) {
        r->turn = r->conn.server->turn;
        r->turn_mark = r->conn.out.len;
        r->turn_replies = 0;
        r->turn_data = false;
    }
    rep.mark = r->conn.out.len;
    rep.replies = r->turn_replies;
    return rep;
}

void reply_done(struct redis *r)
{
    r->turn_replies++;
}

/* Idle clients keep little memory. */
static void scratch_rest(struct bough_buf *b)
{
    bough_buf_clear(b);
    conn_rest(b);
}

void reply_end(struct redis *r, const struct reply *rep)
{
    struct conn *c = &r->conn;

    if (rep->skip || r->replies_off) {
        c->out.len = rep->mark;
        r->turn_replies = rep->replies;
        big_out_drop(r);
    } else if (c->out.len > rep->mark) { /* CLIENT REPLY SKIP has none of its own */
        reply_done(r);
    }
    scratch_rest(&r->scratch);
    scratch_rest(&r->path);
    conn_touch(c);
}

/* A client that only greeted keeps its replies: what they say is so. */
void redis_turn_failed(struct conn *c, enum bough_err err)
{
    struct redis *r = redis_of(c);
    char text[WHY_MAX], line[WHY_MAX + 64];
    size_t n = r->turn_replies;

    if (r->turn != c->server->turn || n == 0 || !r->turn_data)
        return;
    c->out.len = r->turn_mark;
    big_out_drop(r);
    why_text(text, sizeof text, err, bough_repo_why(c->server->repo));
    snprintf(line, sizeof line, "%s nothing of this was written: %s", error_word(err), text);
    while (n-- > 0)
        resp_error(&r->w, line);
    r->turn_replies = 0;
}

/* ---- Dispatch ---- */

static void unknown_command(struct redis *r, struct bough_view name)
{
    char text[200];

    snprintf(text, sizeof text, "ERR unknown command '%.*s'; COMMAND LIST tells what there is",
        (int)(name.len > 64 ? 64 : name.len), (const char *)name.ptr);
    r->multi_bad = r->multi;
    resp_error(&r->w, text);
}

/* May this run now?  Else it has been answered. */
static bool allowed(struct redis *r, const struct command *cmd, struct args a)
{
    char text[160];

    if (cmd->arity > 0 ? a.n != (size_t)cmd->arity : a.n < (size_t)-cmd->arity) {
        snprintf(text, sizeof text, "ERR wrong number of arguments for '%s' command", cmd->name);
        r->multi_bad = r->multi;
        resp_error(&r->w, text);
        return false;
    }
    if (r->topics_n > 0 && r->w.proto == 2 && !(cmd->flags & CMD_PUBSUB)) {
        snprintf(text, sizeof text,
            "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context",
            cmd->name);
        resp_error(&r->w, text);
        return false;
    }
    if ((cmd->flags & CMD_WRITE) && r->conn.server->opts->read_only) {
        r->multi_bad = r->multi;
        resp_error(&r->w, "READONLY this server only reads");
        return false;
    }
    return true;
}

/* Mostly that of the last time. */
static const struct command *command_of(const struct redis *r, struct bough_view name)
{
    return r->running != NULL && word_is(name, r->running->name) ? r->running : command_find(name);
}

static void run(struct redis *r, struct args a)
{
    const struct command *cmd = command_of(r, a.v[0]);
    struct reply rep = reply_begin(r);

    if (cmd == NULL) {
        unknown_command(r, a.v[0]);
    } else if (allowed(r, cmd, a)) {
        r->running = cmd;
        if (r->multi && !(cmd->flags & CMD_NO_MULTI))
            multi_queue(r, cmd, a);
        else
            cmd->run(r, a);
    }
    reply_end(r, &rep);
}

/* ---- The connection ---- */

/* Run what is whole, until input ends or output is full. */
static void process(struct redis *r)
{
    struct conn *c = &r->conn;
    size_t done = 0;

    while (!c->closing && !c->close_after && r->big_out == NULL && !conn_full(c)) {
        struct bough_view in = bough_view(c->in.ptr + done, c->in.len - done);
        enum resp_event e;

        if (r->big_in_left > 0) {
            bough_buf_shift(&c->in, done);
            done = 0;
            if (c->in.len == 0 || !big_feed(r))
                break;
            continue;
        }
        e = resp_parse(&r->parser, in);
        if (e == RESP_MORE)
            break;
        if (e == RESP_BROKEN) {
            char text[96];
            snprintf(text, sizeof text, "ERR Protocol error: %s", r->parser.error);
            resp_error(&r->w, text);
            conn_finish(c);
            break;
        }
        if (e == RESP_LARGE) {
            if (!big_begin(r, in)) {
                resp_parser_keep(&r->parser);
                continue;
            }
        } else if (r->parser.argc > 0) {
            struct args a = {r->parser.argc, r->parser.argv};
            if (a.v[0].len >= 4 && (word_is(a.v[0], "post") || word_is(a.v[0], "host:"))) {
                conn_close(c); /* a browser was tricked into talking to us */
                return;
            }
            run(r, a);
        }
        if (c->closing)
            return;
        done += r->parser.pos;
        resp_parser_next(&r->parser);
    }
    if (!c->closing)
        bough_buf_shift(&c->in, done);
    if (r->big_out != NULL || conn_full(c))
        conn_pause(c);
    else if (c->ended)
        conn_finish(c);
}

static void redis_drained(struct conn *c)
{
    struct redis *r = redis_of(c);

    if (r->big_out != NULL) {
        big_drain(r);
        return;
    }
    if (!c->paused)
        return;
    conn_resume(c);
    process(r);
}

/* Who sends no more may still read: answer what came. */
static void redis_end(struct conn *c)
{
    process(redis_of(c));
}

static void redis_input(struct conn *c)
{
    process(redis_of(c));
}

static void redis_gone(struct conn *c)
{
    struct redis *r = redis_of(c);

    multi_reset(r);
    watch_reset(r);
    topics_reset(r);
    snapshots_reset(r);
    bough_blob_close(r->big_in);
    big_out_drop(r);
    resp_parser_fini(&r->parser);
    bough_mem_free(c->server->mem, (uint8_t *)(uintptr_t)r->branch.ptr, r->branch.len);
    bough_buf_fini(&r->name);
    bough_buf_fini(&r->lib_name);
    bough_buf_fini(&r->lib_ver);
    bough_buf_fini(&r->big_key);
    bough_buf_fini(&r->scratch);
    bough_buf_fini(&r->path);
}

static bool redis_halfway(const struct conn *c)
{
    return ((const struct redis *)c)->big_in_left > 0;
}

const struct conn_class redis_class = {
    .name = "redis",
    .input = redis_input,
    .end = redis_end,
    .drained = redis_drained,
    .gone = redis_gone,
    .halfway = redis_halfway,
};

void redis_accept(uv_stream_t *listener, int status)
{
    struct server *s = ((uv_handle_t *)listener)->data;
    struct redis *r;

    if (status < 0)
        return;
    r = (struct redis *)conn_accept(s, listener, &redis_class, sizeof *r);
    if (r == NULL)
        return;
    s->accepted++;
    resp_parser_init(&r->parser, s->mem);
    r->w = (struct resp_writer){&r->conn.out, 2};
    r->queue_end = &r->queue;
    bough_buf_init(&r->name, s->mem);
    bough_buf_init(&r->lib_name, s->mem);
    bough_buf_init(&r->lib_ver, s->mem);
    bough_buf_init(&r->big_key, s->mem);
    bough_buf_init(&r->scratch, s->mem);
    bough_buf_init(&r->path, s->mem);
}
