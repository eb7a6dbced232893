/*
 * cmd_conn.c - commands of the connection.
 *
 *   connection   HELLO, AUTH, PING, ECHO, QUIT, RESET; SELECT and GIT.USE: which branch
 *   CLIENT       names, and who is there
 */
#include <stdio.h>
#include "server/redis.h"

/* ---- Connection ---- */

static void hello_answer(struct redis *r)
{
    resp_map(&r->w, 7);
    resp_bulk_str(&r->w, "server");
    resp_bulk_str(&r->w, "redis");
    resp_bulk_str(&r->w, "version");
    resp_bulk_str(&r->w, REDIS_VERSION);
    resp_bulk_str(&r->w, "proto");
    resp_int(&r->w, r->w.proto);
    resp_bulk_str(&r->w, "id");
    resp_int(&r->w, (int64_t)r->conn.id);
    resp_bulk_str(&r->w, "mode");
    resp_bulk_str(&r->w, "standalone");
    resp_bulk_str(&r->w, "role");
    resp_bulk_str(&r->w, "master");
    resp_bulk_str(&r->w, "modules");
    resp_array(&r->w, 0);
}

static void buf_assign(struct bough_buf *b, struct bough_view v)
{
    bough_buf_clear(b);
    bough_buf_put_view(b, v);
}

/* May a client call itself so?  Else it has been answered. */
static bool name_fits(struct redis *r, struct bough_view v)
{
    if (v.len > NAME_LEN_MAX) {
        resp_error(&r->w, "ERR names have at most 256 bytes");
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '!' || v.ptr[i] > '~') {
            resp_error(&r->w, "ERR names cannot contain spaces, newlines or special characters");
            return false;
        }
    }
    return true;
}

static void no_password(struct redis *r)
{
    resp_error(&r->w, "ERR Client sent AUTH, but no password is set. Did you mean AUTH <username> "
                      "<password>?");
}

void cmd_hello(struct redis *r, struct args a)
{
    int64_t proto = r->w.proto;
    struct bough_view name = bough_view(NULL, 0);

    if (a.n > 1 && (!word_int(a.v[1], &proto) || (proto != 2 && proto != 3))) {
        resp_error(&r->w, "NOPROTO unsupported protocol version");
        return;
    }
    for (size_t i = 2; i < a.n;) {
        if (word_is(a.v[i], "auth") && i + 2 < a.n) {
            if (!word_is(a.v[i + 1], "default")) {
                no_password(r);
                return;
            }
            i += 3;
        } else if (word_is(a.v[i], "setname") && i + 1 < a.n) {
            name = a.v[i + 1];
            i += 2;
        } else {
            resp_error(&r->w, "ERR syntax error in HELLO");
            return;
        }
    }
    if (!name_fits(r, name))
        return;
    r->w.proto = (int)proto;
    if (name.ptr != NULL)
        buf_assign(&r->name, name);
    hello_answer(r);
}

void cmd_auth(struct redis *r, struct args a)
{
    if (a.n == 3 && word_is(a.v[1], "default"))
        answer_ok(r);
    else
        no_password(r);
}

void cmd_ping(struct redis *r, struct args a)
{
    if (a.n > 2) {
        resp_error(&r->w, "ERR wrong number of arguments for 'ping' command");
    } else if (r->topics_n > 0 && r->w.proto == 2) {
        resp_array(&r->w, 2);
        resp_bulk_str(&r->w, "pong");
        resp_bulk(&r->w, a.n == 2 ? a.v[1] : bough_view("", 0));
    } else if (a.n == 2) {
        resp_bulk(&r->w, a.v[1]);
    } else {
        resp_simple(&r->w, "PONG");
    }
}

void cmd_echo(struct redis *r, struct args a)
{
    resp_bulk(&r->w, a.v[1]);
}

void cmd_quit(struct redis *r, struct args a)
{
    (void)a;
    answer_ok(r);
    conn_finish(&r->conn);
}

static void set_branch(struct redis *r, struct bough_view name)
{
    struct bough_mem *mem = r->conn.server->mem;
    uint8_t *copy = name.len > 0 ? bough_mem_alloc(mem, name.len) : NULL;

    if (name.len > 0 && copy == NULL) {
        resp_error(&r->w, "OOM no memory");
        return;
    }
    if (name.len > 0)
        memcpy(copy, name.ptr, name.len);
    bough_mem_free(mem, (uint8_t *)(uintptr_t)r->branch.ptr, r->branch.len);
    r->branch = bough_view(copy, name.len);
    answer_ok(r);
}

void cmd_reset(struct redis *r, struct args a)
{
    size_t mark = r->conn.out.len;

    (void)a;
    multi_reset(r);
    watch_reset(r);
    topics_reset(r);
    snapshots_reset(r);
    bough_buf_clear(&r->name);
    r->w.proto = 2;
    r->replies_off = r->skip_next = false;
    set_branch(r, bough_view(NULL, 0));
    r->conn.out.len = mark;
    resp_simple(&r->w, "RESET");
}

void cmd_select(struct redis *r, struct args a)
{
    int64_t db;

    if (!arg_int(r, a.v[1], &db))
        return;
    if (db == 0)
        set_branch(r, bough_view(NULL, 0));
    else
        resp_error(&r->w, "ERR DB index is out of range; GIT.USE chooses a branch");
}

void cmd_git_use(struct redis *r, struct args a)
{
    struct bough_kv *kv;

    if (r->multi || r->batch != NULL) {
        resp_error(&r->w, "ERR GIT.USE inside MULTI is not allowed");
        return;
    }
    kv = server_place(r->conn.server, a.v[1]);
    if (kv == NULL)
        answer_why(
            r, bough_repo_why(r->conn.server->repo)->err, bough_repo_why(r->conn.server->repo));
    else
        set_branch(r, a.v[1]);
}

/* ---- CLIENT ---- */

static void client_line(struct bough_buf *out, const struct redis *r)
{
    char text[512];
    uint64_t now = uv_now(&r->conn.server->loop);
    int n = snprintf(text, sizeof text,
        "id=%llu addr=%s name=%.*s age=%llu idle=%llu db=0 sub=%zu "
        "multi=%lld resp=%d cmd=%s",
        (unsigned long long)r->conn.id, r->conn.peer, (int)(r->name.len > 64 ? 64 : r->name.len),
        r->name.len > 0 ? (char *)r->name.ptr : "",
        (unsigned long long)(now - r->conn.since_ms) / 1000,
        (unsigned long long)(now - r->conn.input_ms) / 1000, r->topics_n,
        r->multi ? (long long)r->queue_n : -1LL, r->w.proto,
        r->running != NULL ? r->running->name : "NULL");

    bough_buf_put(out, text, (size_t)n);
    bough_buf_put_str(out, " lib-name=");
    bough_buf_put_view(out, bough_buf_view(&r->lib_name));
    bough_buf_put_str(out, " lib-ver=");
    bough_buf_put_view(out, bough_buf_view(&r->lib_ver));
    bough_buf_put_u8(out, '\n');
}

static void client_lines(struct redis *r, bool all)
{
    struct bough_buf text;

    bough_buf_init(&text, r->conn.server->mem);
    for (struct conn *c = all ? r->conn.server->conns : &r->conn; c != NULL;
         c = all ? c->next : NULL) {
        if (c->cls == &redis_class)
            client_line(&text, redis_of(c));
    }
    resp_bulk(&r->w, bough_buf_view(&text));
    bough_buf_fini(&text);
}

static void client_reply(struct redis *r, struct bough_view how)
{
    if (r->batch != NULL) {
        resp_error(&r->w, "ERR CLIENT REPLY inside MULTI is not allowed");
    } else if (word_is(how, "on")) {
        r->replies_off = false;
        answer_ok(r);
    } else if (word_is(how, "off")) {
        r->replies_off = true;
    } else if (word_is(how, "skip")) {
        r->skip_next = !r->replies_off;
    } else {
        resp_error(&r->w, "ERR syntax error");
    }
}

static void client_set(struct redis *r, struct bough_buf *field, struct bough_view v)
{
    if (!name_fits(r, v))
        return;
    buf_assign(field, v);
    answer_ok(r);
}

void cmd_client(struct redis *r, struct args a)
{
    struct bough_view sub = a.v[1];

    if (word_is(sub, "setname") && a.n == 3) {
        client_set(r, &r->name, a.v[2]);
    } else if (word_is(sub, "getname") && a.n == 2) {
        if (r->name.len > 0)
            resp_bulk(&r->w, bough_buf_view(&r->name));
        else
            resp_null(&r->w);
    } else if (word_is(sub, "setinfo") && a.n == 4 && word_is(a.v[2], "lib-name")) {
        client_set(r, &r->lib_name, a.v[3]);
    } else if (word_is(sub, "setinfo") && a.n == 4 && word_is(a.v[2], "lib-ver")) {
        client_set(r, &r->lib_ver, a.v[3]);
    } else if (word_is(sub, "id") && a.n == 2) {
        resp_int(&r->w, (int64_t)r->conn.id);
    } else if (word_is(sub, "info") && a.n == 2) {
        client_lines(r, false);
    } else if (word_is(sub, "list")) {
        client_lines(r, true);
    } else if (word_is(sub, "reply") && a.n == 3) {
        client_reply(r, a.v[2]);
    } else if ((word_is(sub, "no-evict") || word_is(sub, "no-touch")) && a.n == 3) {
        answer_ok(r);
    } else {
        resp_error(&r->w, "ERR unknown CLIENT subcommand or wrong number of arguments; there are "
                          "GETNAME ID INFO LIST NO-EVICT NO-TOUCH REPLY SETINFO SETNAME");
    }
}
