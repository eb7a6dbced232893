/*
 * conn.c - see conn.h.
 *
 *   reading   into the connection's buffer
 *   writing   tried at once; what does not fit goes as one write
 *   cutting   who has begun something and does not go on
 *   closing   at once, or after the output: then what the peer still sends is dropped for a
 *             while, because closing on unread input would take our last words away
 *   accepting
 */
#include <stdio.h>

#include "server/conn.h"
#include "server/inner.h"

static struct conn *conn_of(void *handle)
{
    return ((uv_handle_t *)handle)->data;
}

static void buf_swap(struct bough_buf *a, struct bough_buf *b)
{
    struct bough_buf c = *a;
    *a = *b;
    *b = c;
}

void conn_rest(struct bough_buf *b)
{
    size_t len_max = b->len_max;

    if (b->len > 0 || b->cap <= CONN_KEEP)
        return;
    bough_buf_fini(b);
    b->len_max = len_max;
}

/* Connections without a part of a command share one buffer to read into. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = conn_of(handle);
    uint8_t *room;

    (void)suggested;
    if (c->in.ptr == NULL)
        buf_swap(&c->in, &c->server->spare);
    room = bough_buf_room(&c->in, CONN_READ);
    *buf = room == NULL ? uv_buf_init(NULL, 0) : uv_buf_init((char *)room, CONN_READ);
}

static void input_rest(struct conn *c)
{
    if (c->in.len > 0 || c->in.err)
        return;
    if (c->server->spare.ptr == NULL && c->in.cap <= 2 * CONN_READ)
        buf_swap(&c->in, &c->server->spare);
    else
        conn_rest(&c->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = conn_of(stream);

    (void)buf;
    if (c->close_after) { /* nothing is asked any more: drop it */
        c->in.len = 0;
        c->ended |= n < 0;
        if (n < 0 && c->lingering)
            conn_close(c);
    } else if (n > 0) {
        c->in.len += (size_t)n;
        c->input_ms = c->moved_ms = uv_now(c->uv.handle.loop);
        c->cls->input(c);
    } else if (n == UV_EOF) {
        c->ended = true;
        c->cls->end(c);
    } else if (n < 0) {
        conn_close(c);
    }
    input_rest(c);
}

bool conn_full(const struct conn *c)
{
    return c->out.len + c->sending.len >= CONN_OUT_HIGH;
}

void conn_touch(struct conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->dirty_next = c->server->dirty;
    c->server->dirty = c;
}

/* ---- Lingering ---- */

static void linger_sweep(uv_timer_t *timer)
{
    struct server *s = timer->data;
    uint64_t now = uv_now(&s->loop);
    bool any = false;

    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->lingering && now >= c->linger_ms)
            conn_close(c);
        else
            any |= c->lingering;
    }
    if (!any)
        uv_timer_stop(timer);
}

/* Say that no more comes, and wait for the peer to say the same. */
static void linger(struct conn *c)
{
    struct server *s = c->server;

    c->lingering = true;
    c->linger_ms = uv_now(&s->loop) + LINGER_MS;
    if (c->ended || uv_shutdown(&c->shut, &c->uv.stream, NULL) < 0) {
        conn_close(c);
        return;
    }
    conn_resume(c);
    if (!uv_is_active((uv_handle_t *)&s->linger))
        uv_timer_start(&s->linger, linger_sweep, LINGER_MS, LINGER_MS / 4);
}

static void sent_all(struct conn *c)
{
    if (c->close_after && c->out.len == 0) {
        if (!c->lingering)
            linger(c);
        return;
    }
    if (c->cls->drained != NULL)
        c->cls->drained(c);
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;

    c->busy = false;
    bough_buf_clear(&c->sending);
    conn_rest(&c->sending);
    if (c->closing)
        return;
    if (status < 0) {
        conn_close(c);
        return;
    }
    c->moved_ms = uv_now(c->uv.handle.loop);
    if (c->out.len > 0)
        conn_touch(c); /* replies of this turn wait for its flush */
    else
        sent_all(c);
}

void conn_flush(struct conn *c)
{
    uv_buf_t buf;
    int n;

    if (c->closing || c->busy)
        return;
    if (c->out.err) { /* no memory for replies: the stream is broken */
        conn_close(c);
        return;
    }
    if (c->out.len > 0) {
        buf = uv_buf_init((char *)c->out.ptr, (unsigned)c->out.len);
        n = uv_try_write(&c->uv.stream, &buf, 1);
        if (n < 0 && n != UV_EAGAIN) {
            conn_close(c);
            return;
        }
        c->server->bytes_out += n > 0 ? (uint64_t)n : 0;
        if (n > 0)
            c->moved_ms = uv_now(c->uv.handle.loop);
        bough_buf_shift(&c->out, n > 0 ? (size_t)n : 0);
    }
    if (c->out.len == 0) {
        conn_rest(&c->out);
        sent_all(c);
        return;
    }

    struct bough_buf spare = c->sending;
    c->sending = c->out;
    c->out = spare;
    buf = uv_buf_init((char *)c->sending.ptr, (unsigned)c->sending.len);
    c->server->bytes_out += c->sending.len;
    c->write.data = c;
    c->busy = true;
    if (uv_write(&c->write, &c->uv.stream, &buf, 1, on_written) < 0)
        conn_close(c);
}

void conn_pause(struct conn *c)
{
    if (!c->paused && !c->closing)
        uv_read_stop(&c->uv.stream);
    c->paused = true;
}

void conn_resume(struct conn *c)
{
    if (c->paused && !c->closing && !c->ended)
        uv_read_start(&c->uv.stream, on_alloc, on_read);
    c->paused = false;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = conn_of(handle);

    bough_buf_fini(&c->in);
    bough_buf_fini(&c->out);
    bough_buf_fini(&c->sending);
    bough_mem_free(c->server->mem, c, c->size);
}

static void dirty_remove(struct conn *c)
{
    struct conn **at = &c->server->dirty;

    while (*at != NULL && *at != c)
        at = &(*at)->dirty_next;
    if (*at == c)
        *at = c->dirty_next;
    c->dirty = false;
}

void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->dirty)
        dirty_remove(c);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->server->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->server->conns_n--;
    if (c->cls->gone != NULL)
        c->cls->gone(c);
    uv_close(&c->uv.handle, on_closed);
}

bool conn_cut_stalled(struct server *s)
{
    uint64_t now = uv_now(&s->loop), limit = (uint64_t)s->opts->push_timeout_sec * 1000;
    bool any = false;

    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->cls->halfway == NULL || c->closing || !c->cls->halfway(c)) {
            c->moved_ms = now;
            continue;
        }
        any = true;
        if (limit == 0 || now - c->moved_ms < limit)
            continue;
        s->stalled++;
        bough_env_log(bough_repo_env(s->repo), BOUGH_LOG_WARN, "a client stalled, and was cut off");
        conn_close(c);
    }
    return any;
}

void conn_finish(struct conn *c)
{
    c->close_after = true;
    conn_touch(c);
}

static void name_peer(struct conn *c)
{
    struct sockaddr_storage addr;
    int len = sizeof addr, port = 0;
    char host[48] = "?";

    if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&addr, &len) == 0) {
        uv_ip_name((struct sockaddr *)&addr, host, sizeof host);
        port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                                : ((struct sockaddr_in *)&addr)->sin_port);
    }
    snprintf(c->peer, sizeof c->peer, "%s:%d", host, port);
}

struct conn *conn_accept(
    struct server *s, uv_stream_t *listener, const struct conn_class *cls, size_t size)
{
    struct conn *c = bough_mem_zalloc(s->mem, 1, size);

    if (c == NULL)
        return NULL;
    c->cls = cls;
    c->server = s;
    c->size = size;
    c->id = ++s->conn_ids;
    c->since_ms = c->input_ms = c->moved_ms = uv_now(&s->loop);
    bough_buf_init(&c->in, s->mem);
    bough_buf_init(&c->out, s->mem);
    bough_buf_init(&c->sending, s->mem);
    c->out.len_max = c->sending.len_max = CONN_OUT_MAX;
    uv_tcp_init(&s->loop, &c->uv.tcp);
    c->uv.handle.data = c;
    c->next = s->conns;
    if (c->next != NULL)
        c->next->prev = c;
    s->conns = c;
    s->conns_n++;
    if (uv_accept(listener, &c->uv.stream) < 0) {
        conn_close(c);
        return NULL;
    }
    uv_tcp_nodelay(&c->uv.tcp, 1);
    name_peer(c);
    uv_read_start(&c->uv.stream, on_alloc, on_read);
    return c;
}
