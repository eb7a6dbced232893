/*
 * cmd_server.c - the connection and the server: HELLO, CLIENT, COMMAND, CONFIG, INFO and small ones.
 */
#include <stdio.h>

#include "server/redis.h"

static const char redis_version[] = "7.4.0"; /* whose behaviour clients may expect */

/* ---- Connection ---- */

static void hello_answer(struct redis *r)
{
    resp_map(&r->w, 7);
    resp_bulk_str(&r->w, "server");
    resp_bulk_str(&r->w, "redis");
    resp_bulk_str(&r->w, "version");
    resp_bulk_str(&r->w, redis_version);
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

/* ---- COMMAND ---- */

static void flag(struct redis *r, const struct command *c, uint32_t bit, const char *name)
{
    if (c->flags & bit)
        resp_simple(&r->w, name);
}

static void command_info(struct redis *r, const struct command *c)
{
    static const uint32_t bits[] = {CMD_WRITE, CMD_READ, CMD_FAST, CMD_PUBSUB, CMD_ADMIN};
    static const char *const names[] = {"write", "readonly", "fast", "pubsub", "admin"};
    size_t n = 0;

    if (c == NULL) {
        resp_null_array(&r->w);
        return;
    }
    for (size_t i = 0; i < 5; i++)
        n += (c->flags & bits[i]) != 0;
    resp_array(&r->w, 6);
    resp_bulk_str(&r->w, c->name);
    resp_int(&r->w, c->arity);
    resp_set(&r->w, n);
    for (size_t i = 0; i < 5; i++)
        flag(r, c, bits[i], names[i]);
    resp_int(&r->w, c->first_key);
    resp_int(&r->w, c->last_key);
    resp_int(&r->w, c->step);
}

static void command_doc(struct redis *r, const struct command *c)
{
    resp_bulk_str(&r->w, c->name);
    resp_map(&r->w, 3);
    resp_bulk_str(&r->w, "summary");
    resp_bulk_str(&r->w, c->summary);
    resp_bulk_str(&r->w, "group");
    resp_bulk_str(&r->w, c->name[0] == 'g' && c->name[3] == '.' ? "git" : "generic");
    resp_bulk_str(&r->w, "syntax");
    resp_bulk_str(&r->w, c->syntax);
}

static size_t commands_count(void)
{
    size_t n = 0;

    while (command_row(n) != NULL)
        n++;
    return n;
}

static void command_docs(struct redis *r, struct args a)
{
    size_t n = 0;

    if (a.n == 2) {
        resp_map(&r->w, commands_count());
        for (size_t i = 0; command_row(i) != NULL; i++)
            command_doc(r, command_row(i));
        return;
    }
    for (size_t i = 2; i < a.n; i++)
        n += command_find(a.v[i]) != NULL;
    resp_map(&r->w, n);
    for (size_t i = 2; i < a.n; i++) {
        if (command_find(a.v[i]) != NULL)
            command_doc(r, command_find(a.v[i]));
    }
}

static void command_keys(struct redis *r, struct args a)
{
    const struct command *c = a.n > 2 ? command_find(a.v[2]) : NULL;
    int64_t n = (int64_t)a.n - 2, last;

    if (c == NULL || c->first_key == 0 || n <= c->first_key) {
        resp_error(&r->w, "ERR The command has no key arguments");
        return;
    }
    last = c->last_key < 0 ? n + c->last_key : c->last_key;
    resp_array(&r->w, (size_t)((last - c->first_key) / c->step + 1));
    for (int64_t i = c->first_key; i <= last; i += c->step)
        resp_bulk(&r->w, a.v[2 + i]);
}

void cmd_command(struct redis *r, struct args a)
{
    if (a.n == 1) {
        resp_array(&r->w, commands_count());
        for (size_t i = 0; command_row(i) != NULL; i++)
            command_info(r, command_row(i));
    } else if (word_is(a.v[1], "count")) {
        resp_int(&r->w, (int64_t)commands_count());
    } else if (word_is(a.v[1], "docs")) {
        command_docs(r, a);
    } else if (word_is(a.v[1], "info")) {
        resp_array(&r->w, a.n - 2);
        for (size_t i = 2; i < a.n; i++)
            command_info(r, command_find(a.v[i]));
    } else if (word_is(a.v[1], "list") && a.n == 2) {
        resp_array(&r->w, commands_count());
        for (size_t i = 0; command_row(i) != NULL; i++)
            resp_bulk_str(&r->w, command_row(i)->name);
    } else if (word_is(a.v[1], "getkeys")) {
        command_keys(r, a);
    } else {
        resp_error(&r->w, "ERR unknown COMMAND subcommand; there are COUNT DOCS INFO LIST GETKEYS");
    }
}

/* ---- CONFIG, INFO and small ones ---- */

static const struct {
    const char *name, *value;
} settings[] = {
    {"save", ""},
    {"appendonly", "yes"},
    {"appendfsync", NULL}, /* as the server was started */
    {"databases", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"timeout", "0"},
    {"proto-max-bulk-len", "33554432"},
    {"notify-keyspace-events", ""},
};

void cmd_config(struct redis *r, struct args a)
{
    enum { N = sizeof settings / sizeof *settings };
    const char *fsync = r->conn.server->opts->fsync;
    bool hit[N] = {false};
    size_t n = 0;

    if (fsync == NULL)
        fsync = "always";
    if (!word_is(a.v[1], "get") || a.n < 3) {
        resp_error(
            &r->w, "ERR only CONFIG GET is there; settings are given when the server starts");
        return;
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 2; k < a.n && !hit[i]; k++)
            hit[i] = glob_match(a.v[k], bough_view_str(settings[i].name));
        n += hit[i];
    }
    resp_map(&r->w, n);
    for (size_t i = 0; i < N; i++) {
        if (!hit[i])
            continue;
        resp_bulk_str(&r->w, settings[i].name);
        resp_bulk_str(&r->w, settings[i].value != NULL ? settings[i].value : fsync);
    }
}

static bool info_wants(struct args a, const char *section)
{
    for (size_t i = 1; i < a.n; i++) {
        if (word_is(a.v[i], section) || word_is(a.v[i], "all") || word_is(a.v[i], "default") ||
            word_is(a.v[i], "everything"))
            return true;
    }
    return a.n == 1;
}

static void info_line(struct bough_buf *out, const char *name, uint64_t value)
{
    bough_buf_put_str(out, name);
    bough_buf_put_u8(out, ':');
    bough_buf_put_udec(out, value);
    bough_buf_put_str(out, "\r\n");
}

static void info_server(struct server *s, struct bough_buf *out)
{
    struct bough_time now = bough_env_now(bough_repo_env(s->repo));

    bough_buf_put_str(out, "# Server\r\nredis_version:");
    bough_buf_put_str(out, redis_version);
    bough_buf_put_str(out, "\r\nbough_version:");
    bough_buf_put_str(out, s->opts->version);
    bough_buf_put_str(out, "\r\nredis_mode:standalone\r\n");
    info_line(out, "process_id", (uint64_t)uv_os_getpid());
    info_line(out, "tcp_port", (uint64_t)s->opts->redis_port);
    info_line(out, "uptime_in_seconds", (uint64_t)(now.sec - s->started.sec));
}

static void info_store(struct server *s, struct bough_buf *out)
{
    struct bough_store_stats st;

    bough_buf_put_str(out, "\r\n# Store\r\n");
    if (bough_store_stat(bough_repo_store(s->repo), &st))
        return;
    bough_buf_put_str(out, "engine:");
    bough_buf_put_str(out, bough_repo_store(s->repo)->cls->name);
    bough_buf_put_str(out, "\r\nobject_format:");
    bough_buf_put_str(out, bough_algo_name(bough_repo_store(s->repo)->algo));
    bough_buf_put_str(out, "\r\n");
    info_line(out, "objects", st.objects);
    info_line(out, "refs", st.refs);
    info_line(out, "journal_records", st.records);
    info_line(out, "device_bytes", st.device_bytes);
    info_line(out, "used_bytes", st.used_bytes);
    info_line(out, "cache_bytes", st.cache_bytes);
    info_line(out, "bitmap_commits", st.reach_commits);
    info_line(out, "bitmap_objects", st.reach_objects);
    info_line(out, "store_commits", st.commits);
    info_line(out, "flushes", st.syncs);
    info_line(out, "device_read_bytes", st.read_bytes);
    info_line(out, "device_written_bytes", st.written_bytes);
    info_line(out, "payload_bytes", st.payload_bytes);
    info_line(out, "page_hits", st.page_hits);
    info_line(out, "page_misses", st.page_misses);
    if (st.payload_bytes > 0)
        info_line(out, "write_amplification_percent", st.written_bytes * 100 / st.payload_bytes);
}

void cmd_info(struct redis *r, struct args a)
{
    struct server *s = r->conn.server;
    struct bough_buf out;

    bough_buf_init(&out, s->mem);
    if (info_wants(a, "server"))
        info_server(s, &out);
    if (info_wants(a, "clients")) {
        bough_buf_put_str(&out, "\r\n# Clients\r\n");
        info_line(&out, "connected_clients", s->conns_n);
    }
    if (info_wants(a, "persistence"))
        bough_buf_put_str(&out, "\r\n# Persistence\r\nloading:0\r\naof_enabled:1\r\n");
    if (info_wants(a, "stats")) {
        bough_buf_put_str(&out, "\r\n# Stats\r\n");
        info_line(&out, "total_connections_received", s->accepted);
        info_line(&out, "total_commands_processed", s->commands);
        info_line(&out, "total_net_output_bytes", s->bytes_out);
        info_line(&out, "turns_with_writes", s->gathers);
        info_line(&out, "turns_failed", s->gather_failures);
        info_line(&out, "git_fetches", s->fetches);
        info_line(&out, "git_pushes", s->pushes);
        info_line(&out, "clients_stalled", s->stalled);
    }
    if (info_wants(a, "replication"))
        bough_buf_put_str(&out, "\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n");
    if (info_wants(a, "store"))
        info_store(s, &out);
    if (info_wants(a, "upkeep"))
        server_upkeep_info(s, &out, info_line);
    resp_bulk(&r->w, bough_buf_view(&out));
    bough_buf_fini(&out);
}

void cmd_time(struct redis *r, struct args a)
{
    struct bough_time now = bough_env_now(bough_repo_env(r->conn.server->repo));
    char text[24];
    int n;

    (void)a;
    resp_array(&r->w, 2);
    n = snprintf(text, sizeof text, "%lld", (long long)now.sec);
    resp_bulk(&r->w, bough_view(text, (size_t)n));
    n = snprintf(text, sizeof text, "%u", (unsigned)(now.nsec / 1000));
    resp_bulk(&r->w, bough_view(text, (size_t)n));
}

void cmd_expire_refused(struct redis *r, struct args a)
{
    (void)a;
    resp_error(
        &r->w, "ERR keys do not expire: history is permanent; a branch can have a time to live");
}
