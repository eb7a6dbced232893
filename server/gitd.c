/*
 * gitd.c - git://: a request line, then a session of sync/.
 *
 *   pumping   bytes between a connection and its session
 *   work      sessions that have work take a bite each turn
 *   hello     the first packet
 *   the connection
 */
#include <stdio.h>

#include "git/pktline.h"
#include "server/inner.h"
#include "sync/sync.h"

enum {
    WORK_BUDGET = 256 * 1024, /* bytes of work a session does in a turn */
    KEEP_ALIVE_MS = 5000,
};

struct git_conn {
    struct conn conn;
    struct bough_sync *session; /* NULL: no request yet */
    struct git_conn *next_work; /* in server->workers */
    bool working, push;
    uint64_t pulled_ms;
};

static struct git_conn *git_of(struct conn *c)
{
    return (struct git_conn *)c; /* conn is the first field */
}

/* ---- Work ---- */

static void work_add(struct git_conn *g)
{
    struct server *s = g->conn.server;

    if (g->working)
        return;
    g->working = true;
    g->next_work = (struct git_conn *)s->workers;
    s->workers = (struct worker *)g;
}

static void work_remove(struct git_conn *g)
{
    struct git_conn **at = (struct git_conn **)&g->conn.server->workers;

    if (!g->working)
        return;
    while (*at != g)
        at = &(*at)->next_work;
    *at = g->next_work;
    g->working = false;
}

/* Give the session what came, take what it has, and see what it waits for. */
static void pump(struct git_conn *g)
{
    struct conn *c = &g->conn;
    struct bough_sync *s = g->session;
    size_t used = 0;
    enum bough_err err = BOUGH_OK; /* of no matter here: it is in s->state and s->why */

    if (s->state == BOUGH_SYNC_INPUT && c->in.len > 0) {
        err = bough_sync_feed(s, bough_buf_view(&c->in), &used);
        bough_buf_shift(&c->in, used);
    }
    if (s->state == BOUGH_SYNC_INPUT && c->in.len == 0 && c->ended)
        err = bough_sync_eof(s);
    (void)err;
    if (!conn_full(c) && bough_sync_pending(s) > 0) {
        bough_sync_pull(s, &c->out, CONN_OUT_HIGH / 2);
        g->pulled_ms = uv_now(&c->server->loop);
        conn_touch(c);
    }
    if (s->state == BOUGH_SYNC_WORK || (s->state == BOUGH_SYNC_INPUT && c->in.len > 0) ||
        (s->state == BOUGH_SYNC_OUTPUT && !conn_full(c)))
        work_add(g);
    else
        work_remove(g);
    if (s->state >= BOUGH_SYNC_DONE && bough_sync_pending(s) == 0)
        conn_finish(c);
    else if (c->in.len >= CONN_OUT_HIGH)
        conn_pause(c);
    else
        conn_resume(c);
}

void git_work(struct server *s)
{
    struct git_conn *next;

    for (struct git_conn *g = (struct git_conn *)s->workers; g != NULL; g = next) {
        enum bough_err err;
        next = g->next_work;
        if (g->session->state == BOUGH_SYNC_WORK) {
            err = bough_sync_step(g->session, WORK_BUDGET);
            (void)err; /* the state tells */
        }
        pump(g);
    }
}

bool git_has_work(const struct server *s)
{
    return s->workers != NULL;
}

/* ---- Hello ---- */

static void refuse(struct git_conn *g, const char *text, struct bough_view path)
{
    char line[320];
    char head[5];
    int n = snprintf(line, sizeof line, "ERR %s%.*s", text, (int)(path.len > 200 ? 200 : path.len),
        (const char *)path.ptr);

    snprintf(head, sizeof head, "%04x", (unsigned)n + 4);
    bough_buf_put(&g->conn.out, head, 4);
    bough_buf_put(&g->conn.out, line, (size_t)n);
    conn_finish(&g->conn);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length of the first packet; -1: not there yet, -2: not a packet. */
static int packet_len(const struct bough_buf *in)
{
    int len = 0;

    for (size_t i = 0; i < 4; i++) {
        if (i >= in->len)
            return -1;
        int digit = hex_digit(in->ptr[i]);
        if (digit < 0)
            return -2;
        len = 16 * len + digit;
    }
    return len < 5 || len > 4096 ? -2 : len;
}

static void hello(struct git_conn *g)
{
    struct conn *c = &g->conn;
    struct server *s = c->server;
    struct bough_sync_opts opts = {.agent = s->opts->agent};
    struct bough_hello h;
    int len = packet_len(&c->in);

    if (len == -1 || (len > 0 && c->in.len < (size_t)len))
        return;
    if (len < 0 || bough_hello_parse(bough_view(c->in.ptr + 4, (size_t)len - 4), &h)) {
        refuse(g, "not a git request", bough_view("", 0));
        return;
    }
    if (!server_serves(s, h.path)) {
        refuse(g, "access denied or repository not exported: ", h.path);
        return;
    }
    if (h.service == BOUGH_SERVICE_RECEIVE_PACK && s->opts->read_only) {
        refuse(g, "access denied: this server only reads: ", h.path);
        return;
    }
    opts.version = h.version;
    if (bough_sync_open(h.service, s->repo, &opts, &g->session)) {
        refuse(g, "the server cannot serve this now: ", h.path);
        return;
    }
    g->push = h.service == BOUGH_SERVICE_RECEIVE_PACK;
    s->pushes += g->push;
    s->fetches += h.service == BOUGH_SERVICE_UPLOAD_PACK;
    bough_buf_shift(&c->in, (size_t)len);
    work_add(g);
}

/* ---- The connection ---- */

static void git_input(struct conn *c)
{
    struct git_conn *g = git_of(c);

    if (c->close_after)
        return;
    if (g->session == NULL)
        hello(g);
    if (g->session != NULL && !c->closing)
        pump(g);
}

static void git_end(struct conn *c)
{
    struct git_conn *g = git_of(c);

    if (g->session == NULL)
        conn_close(c);
    else
        pump(g);
}

static void git_drained(struct conn *c)
{
    struct git_conn *g = git_of(c);

    if (g->session != NULL && !c->closing && !c->close_after)
        pump(g);
}

static void git_gone(struct conn *c)
{
    struct git_conn *g = git_of(c);

    work_remove(g);
    bough_sync_close(g->session);
}

/*
 * Of a push only: a fetch holds nothing that others need.  Before its pack a client may think for
 * long, for what is there to send; in it, not.
 */
static bool git_halfway(const struct conn *c)
{
    const struct git_conn *g = (const struct git_conn *)c;

    if (g->session == NULL || !g->push || c->close_after)
        return false;
    return c->busy ||
           (g->session->packing && g->session->state == BOUGH_SYNC_INPUT && c->in.len == 0);
}

static const struct conn_class git_class = {
    .name = "git",
    .input = git_input,
    .end = git_end,
    .drained = git_drained,
    .gone = git_gone,
    .halfway = git_halfway,
};

/* Long walks say nothing for a while: keep clients and proxies from giving up. */
bool git_keep_alive(struct server *s)
{
    uint64_t now = uv_now(&s->loop);
    bool any = false;

    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        struct git_conn *g = git_of(c);
        if (c->cls != &git_class)
            continue;
        any = true;
        if (g->session == NULL || now - g->pulled_ms < KEEP_ALIVE_MS || conn_full(c))
            continue;
        bough_sync_idle(g->session);
        g->pulled_ms = now;
        pump(g);
    }
    return any;
}

void git_accept(uv_stream_t *listener, int status)
{
    struct server *s = ((uv_handle_t *)listener)->data;

    if (status < 0 || conn_accept(s, listener, &git_class, sizeof(struct git_conn)) == NULL)
        return;
    s->accepted++;
    server_keep_alive(s);
}
