/*
 * cmd_server.c - commands of the server.
 *
 *   COMMAND   what commands there are
 *   CONFIG    settings, to be read
 *   INFO      counts of the server, its store and its upkeep
 *   small     TIME, SHUTDOWN, and what is refused
 */
#include <stdio.h>
#include "server/redis.h"

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

/* ---- CONFIG ---- */

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

/* ---- INFO ---- */

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
    bough_buf_put_str(out, REDIS_VERSION);
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
    bough_buf_put_str(out, st.engine);
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

/* ---- Small ones ---- */

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

/* What was acknowledged is durable, or becomes so on the way out, whether somebody asks for it or not. */
void cmd_shutdown(struct redis *r, struct args a)
{
    for (size_t i = 1; i < a.n; i++) {
        if (word_is(a.v[i], "abort")) {
            resp_error(&r->w, "ERR No shutdown in progress.");
            return;
        }
        if (!word_is(a.v[i], "save") && !word_is(a.v[i], "nosave") && !word_is(a.v[i], "now") &&
            !word_is(a.v[i], "force")) {
            resp_error(&r->w, "ERR syntax error");
            return;
        }
    }
    if (r->multi) {
        r->multi_bad = true;
        resp_error(&r->w, "ERR Command not allowed inside a transaction");
        return;
    }
    r->conn.server->ending = true;
    conn_finish(&r->conn);
}

void cmd_expire_refused(struct redis *r, struct args a)
{
    (void)a;
    resp_error(
        &r->w, "ERR keys do not expire: history is permanent; a branch can have a time to live");
}
