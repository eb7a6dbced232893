/*
 * http.c - git over smart HTTP: libmicrohttpd inside the loop.
 *
 *   answers     pulled from the session as the client takes them
 *   suspending  a request whose session has work waits; the turn's bite wakes it
 *   framing     bodies whose length can be read in two ways are refused
 *   requests    GET info/refs, POST git-upload-pack and git-receive-pack; bodies: http_body.c
 *   the daemon
 *
 * A request whose session wants to work is suspended, so that libmicrohttpd never spins and
 * other clients are served between the bites.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <strings.h>

#include "server/http_inner.h"
#include "server/inner.h"

enum { BITE = 256 * 1024, BLOCK = 64 * 1024 };

struct request {
    struct server *server;
    struct MHD_Connection *conn;
    struct bough_sync *session;
    struct request *next; /* in http.waiting */
    bool begun, waiting, replied;
    struct http_body body;
};

struct http {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    struct request *waiting; /* suspended, with work to do */
    bool has_timer;
};

static void turn(struct http *h); /* let the library run, and know when it wants to again */

static enum MHD_Result answer(
    struct MHD_Connection *conn, unsigned status, const char *type, const char *text)
{
    struct MHD_Response *res = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok;

    if (res == NULL)
        return MHD_NO;
    MHD_add_response_header(res, "Content-Type", type);
    ok = MHD_queue_response(conn, status, res);
    MHD_destroy_response(res);
    return ok;
}

/* A line of text, and a header that goes with the refusal. */
static enum MHD_Result refuse(struct MHD_Connection *conn, unsigned int status, const char *text,
    const char *header, const char *value)
{
    struct MHD_Response *res = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok;

    if (res == NULL)
        return MHD_NO;
    MHD_add_response_header(res, "Content-Type", "text/plain");
    MHD_add_response_header(res, header, value);
    ok = MHD_queue_response(conn, status, res);
    MHD_destroy_response(res);
    return ok;
}

static enum MHD_Result not_allowed(struct MHD_Connection *conn, const char *allow)
{
    return refuse(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "another method\n", "Allow", allow);
}

/* ---- Suspending ---- */

static void suspend(struct request *q)
{
    struct http *h = q->server->http;

    if (q->waiting)
        return;
    q->waiting = true;
    q->next = h->waiting;
    h->waiting = q;
    MHD_suspend_connection(q->conn);
}

/* Does the session want nothing but a bite of work? */
static bool wants_work(const struct request *q)
{
    return q->session->state == BOUGH_SYNC_WORK && bough_sync_pending(q->session) == 0;
}

void http_work(struct server *s)
{
    struct request *list, *next;
    struct http *h = s->http;

    if (h == NULL || h->waiting == NULL)
        return;
    list = h->waiting;
    h->waiting = NULL;
    for (struct request *q = list; q != NULL; q = next) {
        enum bough_err err = bough_sync_step(q->session, BITE);
        (void)err; /* the state tells */
        next = q->next;
        if (wants_work(q)) {
            q->next = h->waiting;
            h->waiting = q;
        } else {
            q->waiting = false;
            MHD_resume_connection(q->conn);
        }
    }
    turn(h);
}

bool http_has_work(const struct server *s)
{
    return s->http != NULL && s->http->waiting != NULL;
}

/* ---- Answers ---- */

static ssize_t answer_read(void *ctx, uint64_t pos, char *dst, size_t max)
{
    struct request *q = ctx;
    struct bough_buf out;
    ssize_t n;

    (void)pos;
    n = (ssize_t)http_body_held(&q->body, dst, max);
    if (n > 0)
        return n;
    if (bough_sync_pending(q->session) == 0) {
        if (q->session->state == BOUGH_SYNC_WORK) {
            suspend(q);
            return 0;
        }
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    bough_buf_init(&out, q->server->mem);
    bough_sync_pull(q->session, &out, max);
    if (out.err) {
        bough_buf_fini(&out);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    memcpy(dst, out.ptr, out.len);
    n = (ssize_t)out.len;
    bough_buf_fini(&out);
    return n;
}

static enum MHD_Result answer_session(struct request *q, const char *type)
{
    struct MHD_Response *res =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, answer_read, q, NULL);
    enum MHD_Result ok;

    if (res == NULL)
        return MHD_NO;
    q->replied = true;
    MHD_add_response_header(res, "Content-Type", type);
    MHD_add_response_header(res, "Cache-Control", "no-cache, max-age=0, must-revalidate");
    MHD_add_response_header(res, "Expires", "Fri, 01 Jan 1980 00:00:00 GMT");
    MHD_add_response_header(res, "Pragma", "no-cache");
    ok = MHD_queue_response(q->conn, MHD_HTTP_OK, res);
    MHD_destroy_response(res);
    return ok;
}

/* ---- Bodies ---- */

/* A piece of the body, or its end (size 0); answers when the request is whole. */
static enum MHD_Result body(struct request *q, const char *data, size_t *size, const char *type)
{
    struct bough_view v = bough_view(data, *size);
    bool end = *size == 0;

    if (q->waiting) /* the library goes on with the next chunk for all that: take none of it */
        return MHD_YES;
    http_body_feed(&q->body, &v);
    *size = v.len;
    if (!end) {
        if (v.len > 0 || q->session->state == BOUGH_SYNC_WORK)
            suspend(q);
        return MHD_YES;
    }
    if (http_body_more(&q->body)) {
        suspend(q);
        return MHD_YES; /* called again */
    }
    if (q->body.broken != NULL)
        return answer(q->conn, MHD_HTTP_BAD_REQUEST, "text/plain", q->body.broken);
    if (q->session->state == BOUGH_SYNC_INPUT) {
        enum bough_err err = bough_sync_eof(q->session);
        (void)err; /* what it says goes out as the answer */
    }
    return answer_session(q, type);
}

/* ---- Framing ---- */

/* How long a body is said to be. */
struct framing {
    const char *length;
    bool chunked, bad;
};

static enum MHD_Result framing_note(
    void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *f = ctx;

    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        f->bad |= f->length != NULL || value == NULL;
        f->length = value;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->bad |= f->chunked || value == NULL || strcasecmp(value, "chunked") != 0;
        f->chunked = true;
    }
    return MHD_YES;
}

/* Whoever stands before us may read the length in the other way, and take a part of the body for a request. */
static bool is_ambiguous(struct MHD_Connection *conn)
{
    struct framing f = {.length = NULL};

    MHD_get_connection_values(conn, MHD_HEADER_KIND, framing_note, &f);
    return f.bad || (f.chunked && f.length != NULL);
}

static enum MHD_Result refuse_framing(struct MHD_Connection *conn)
{
    return refuse(
        conn, MHD_HTTP_BAD_REQUEST, "the length of the body is not clear\n", "Connection", "close");
}

/* ---- Requests ---- */

/* "/NAME.git/REST": is it ours, and what is REST? */
static const char *route(const struct server *s, const char *url)
{
    const char *rest = strstr(url, "/info/refs");

    if (rest == NULL)
        rest = strstr(url, "/git-upload-pack");
    if (rest == NULL)
        rest = strstr(url, "/git-receive-pack");
    if (rest == NULL || !server_serves(s, bough_view(url, (size_t)(rest - url))))
        return NULL;
    return rest + 1;
}

static enum MHD_Result open_session(
    struct request *q, enum bough_service service, enum bough_transport transport)
{
    struct server *s = q->server;
    struct bough_sync_opts opts = {.agent = s->opts->agent, .transport = transport};
    const char *version = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, "Git-Protocol");

    if (service == BOUGH_SERVICE_NONE)
        return answer(q->conn, MHD_HTTP_FORBIDDEN, "text/plain",
            "only smart HTTP is spoken here: ask for a service\n");
    if (service == BOUGH_SERVICE_RECEIVE_PACK && s->opts->read_only)
        return answer(q->conn, MHD_HTTP_FORBIDDEN, "text/plain", "this server only reads\n");
    if (version != NULL)
        opts.version = bough_sync_version_parse(bough_view_str(version));
    if (bough_sync_open(service, s->repo, &opts, &q->session))
        return answer(q->conn, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
            "the server cannot serve this now\n");
    if (transport == BOUGH_TRANSPORT_REQUEST) {
        s->pushes += service == BOUGH_SERVICE_RECEIVE_PACK;
        if (service == BOUGH_SERVICE_RECEIVE_PACK)
            MHD_set_connection_option(
                q->conn, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)s->opts->push_timeout_sec);
        s->fetches += service == BOUGH_SERVICE_UPLOAD_PACK;
    }
    return MHD_YES;
}

static enum MHD_Result get_refs(struct request *q)
{
    const char *name = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "service");
    enum bough_service service = name == NULL || strncmp(name, "git-", 4) != 0
                                     ? BOUGH_SERVICE_NONE
                                     : bough_service_parse(bough_view_str(name));
    enum MHD_Result ok = open_session(q, service, BOUGH_TRANSPORT_ADVERTISE);
    char type[64];

    if (q->session == NULL)
        return ok;
    snprintf(type, sizeof type, "application/x-%s-advertisement", bough_service_name(service));
    return answer_session(q, type);
}

static bool zipped(struct MHD_Connection *conn)
{
    const char *coding = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Encoding");

    return coding != NULL && (strcmp(coding, "gzip") == 0 || strcmp(coding, "x-gzip") == 0);
}

/* Web pages can make a browser post here, but not with this type: it is how git tells itself. */
static bool asked_by_git(struct MHD_Connection *conn, enum bough_service service)
{
    const char *type = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Type");
    char want[64];

    snprintf(want, sizeof want, "application/x-%s-request", bough_service_name(service));
    return type != NULL && strcmp(type, want) == 0;
}

static enum MHD_Result post(struct request *q, const char *name, const char *data, size_t *size)
{
    enum bough_service service = bough_service_parse(bough_view_str(name));
    char type[64];

    if (!q->begun) {
        enum MHD_Result ok;
        q->begun = true;
        if (!asked_by_git(q->conn, service))
            return answer(q->conn, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "text/plain",
                "only Git clients may post here\n");
        ok = open_session(q, service, BOUGH_TRANSPORT_REQUEST);
        if (q->session != NULL &&
            http_body_open(&q->body, q->server->mem, q->session, zipped(q->conn)))
            return MHD_NO;
        return ok;
    }
    if (q->session == NULL) { /* refused: swallow the body */
        *size = 0;
        return MHD_YES;
    }
    snprintf(type, sizeof type, "application/x-%s-result", bough_service_name(service));
    return body(q, data, size, type);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *url,
    const char *method, const char *version, const char *data, size_t *size, void **state)
{
    struct server *s = ctx;
    struct request *q = *state;
    const char *rest = route(s, url);

    (void)version;
    if (q == NULL) {
        q = bough_mem_zalloc(s->mem, 1, sizeof *q);
        if (q == NULL)
            return MHD_NO;
        q->server = s;
        q->conn = conn;
        *state = q;
        if (is_ambiguous(conn))
            return refuse_framing(conn);
        if (strcmp(method, "POST") != 0)
            return MHD_YES; /* called again when the request is whole */
    }
    if (rest == NULL && *size > 0) {
        *size = 0; /* swallow the body first */
        return MHD_YES;
    }
    if (rest == NULL)
        return answer(conn, MHD_HTTP_NOT_FOUND, "text/plain", "no such thing here\n");
    if (strcmp(rest, "info/refs") == 0 &&
        (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
        return get_refs(q);
    if (strcmp(method, "POST") == 0 && strcmp(rest, "info/refs") != 0)
        return post(q, rest, data, size);
    return not_allowed(conn, strcmp(rest, "info/refs") == 0 ? "GET, HEAD" : "POST");
}

static void on_completed(
    void *ctx, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
    struct server *s = ctx;
    struct request *q = *state;

    (void)conn;
    (void)why;
    if (q == NULL)
        return;
    http_body_close(&q->body);
    bough_sync_close(q->session);
    bough_mem_free(s->mem, q, sizeof *q);
    *state = NULL;
}

/* ---- The daemon ---- */

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    turn(poll->data);
}

static void turn(struct http *h)
{
    unsigned long long timeout;

    MHD_run(h->daemon);
    if (MHD_get_timeout(h->daemon, &timeout) == MHD_YES)
        uv_timer_start(&h->timer, on_timer, timeout, 0);
    else
        uv_timer_stop(&h->timer);
}

static struct MHD_Daemon *daemon_start(struct server *s, const char *bind, int port)
{
    enum { FLAGS = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME };
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    if (uv_ip4_addr(bind, port, &four) == 0)
        return MHD_start_daemon(FLAGS, 0, NULL, NULL, on_request, s, MHD_OPTION_NOTIFY_COMPLETED,
            on_completed, s, MHD_OPTION_SOCK_ADDR, &four, MHD_OPTION_CONNECTION_TIMEOUT, 120u,
            MHD_OPTION_END);
    if (uv_ip6_addr(bind, port, &six) == 0)
        return MHD_start_daemon(FLAGS | MHD_USE_IPv6, 0, NULL, NULL, on_request, s,
            MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_SOCK_ADDR, &six,
            MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
    return NULL;
}

enum bough_err http_start(struct server *s, const char *bind, int port)
{
    struct http *h = bough_mem_zalloc(s->mem, 1, sizeof *h);
    const union MHD_DaemonInfo *info;

    if (h == NULL)
        return BOUGH_ENOMEM;
    h->daemon = daemon_start(s, bind, port);
    info = h->daemon == NULL ? NULL : MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        if (h->daemon != NULL)
            MHD_stop_daemon(h->daemon);
        bough_mem_free(s->mem, h, sizeof *h);
        return BOUGH_EINVAL;
    }
    s->http = h;
    uv_timer_init(&s->loop, &h->timer);
    uv_poll_init(&s->loop, &h->poll, info->epoll_fd);
    h->timer.data = h->poll.data = h;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
    return BOUGH_OK;
}

void http_stop(struct server *s)
{
    struct http *h = s->http;

    if (h == NULL || h->daemon == NULL)
        return;
    uv_poll_stop(&h->poll);
    uv_timer_stop(&h->timer);
    while (h->waiting != NULL) { /* the library wants none suspended when it stops */
        struct request *q = h->waiting;
        h->waiting = q->next;
        MHD_resume_connection(q->conn);
    }
    MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
}

void http_free(struct server *s)
{
    bough_mem_free(s->mem, s->http, sizeof(struct http));
    s->http = NULL;
}
