/*
 * cmd_pubsub.c - channels: SUBSCRIBE, PSUBSCRIBE, PUBLISH, PUBSUB.
 *
 * A client's topics are a short list of its own; PUBLISH asks every connection.
 */
#include "server/redis.h"

static struct topic **topic_find(struct redis *r, struct bough_view name, bool pattern)
{
    struct topic **at = &r->topics;

    while (*at != NULL &&
           ((*at)->pattern != pattern || !bough_view_eq(bough_view((*at)->name, (*at)->len), name)))
        at = &(*at)->next;
    return at;
}

static void topic_drop(struct redis *r, struct topic **at)
{
    struct topic *t = *at;

    *at = t->next;
    r->topics_n--;
    bough_mem_free(r->conn.server->mem, t, sizeof *t + t->len);
}

void topics_reset(struct redis *r)
{
    while (r->topics != NULL)
        topic_drop(r, &r->topics);
}

/* Each (un)subscription is a reply of its own: the last one is counted by the dispatcher. */
static void confirm(struct redis *r, const char *what, struct bough_view name, bool last)
{
    resp_push(&r->w, 3);
    resp_bulk_str(&r->w, what);
    if (name.ptr == NULL)
        resp_null(&r->w);
    else
        resp_bulk(&r->w, name);
    resp_int(&r->w, (int64_t)r->topics_n);
    if (!last)
        reply_done(r);
}

static void subscribe(struct redis *r, struct args a, bool pattern, const char *what)
{
    if (a.n - 1 > TOPICS_MAX - r->topics_n) {
        resp_error(&r->w, "ERR a client subscribes to at most 1024 channels and patterns");
        return;
    }
    for (size_t i = 1; i < a.n; i++) {
        struct topic **at = topic_find(r, a.v[i], pattern);
        if (*at == NULL) {
            struct topic *t = bough_mem_alloc(r->conn.server->mem, sizeof *t + a.v[i].len);
            if (t == NULL) {
                resp_error(&r->w, "OOM no memory to subscribe");
                return;
            }
            *t = (struct topic){.pattern = pattern, .len = a.v[i].len};
            if (t->len > 0)
                memcpy(t->name, a.v[i].ptr, t->len);
            *at = t;
            r->topics_n++;
        }
        confirm(r, what, a.v[i], i + 1 == a.n);
    }
}

static void unsubscribe(struct redis *r, struct args a, bool pattern, const char *what)
{
    size_t n = 0;

    for (size_t i = 1; i < a.n; i++) {
        struct topic **at = topic_find(r, a.v[i], pattern);
        if (*at != NULL)
            topic_drop(r, at);
        confirm(r, what, a.v[i], i + 1 == a.n);
    }
    if (a.n > 1)
        return;
    for (struct topic **at = &r->topics; *at != NULL;) {
        struct topic *t = *at;
        if (t->pattern != pattern) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        r->topics_n--;
        if (n++ > 0)
            reply_done(r);
        confirm(r, what, bough_view(t->name, t->len), true);
        bough_mem_free(r->conn.server->mem, t, sizeof *t + t->len);
    }
    if (n == 0)
        confirm(r, what, bough_view(NULL, 0), true);
}

void cmd_subscribe(struct redis *r, struct args a)
{
    subscribe(r, a, false, "subscribe");
}

void cmd_psubscribe(struct redis *r, struct args a)
{
    subscribe(r, a, true, "psubscribe");
}

void cmd_unsubscribe(struct redis *r, struct args a)
{
    unsubscribe(r, a, false, "unsubscribe");
}

void cmd_punsubscribe(struct redis *r, struct args a)
{
    unsubscribe(r, a, true, "punsubscribe");
}

/* Tell one client; true when a topic of its fits.  A client that does not read is cut. */
static int64_t deliver(struct redis *to, struct bough_view channel, struct bough_view message)
{
    int64_t n = 0;

    for (struct topic *t = to->topics; t != NULL; t = t->next) {
        struct bough_view name = bough_view(t->name, t->len);
        if (!t->pattern && bough_view_eq(name, channel)) {
            resp_push(&to->w, 3);
            resp_bulk_str(&to->w, "message");
        } else if (t->pattern && glob_match(name, channel)) {
            resp_push(&to->w, 4);
            resp_bulk_str(&to->w, "pmessage");
            resp_bulk(&to->w, name);
        } else {
            continue;
        }
        resp_bulk(&to->w, channel);
        resp_bulk(&to->w, message);
        conn_touch(&to->conn);
        n++;
    }
    return n;
}

enum { SUBSCRIBER_LAG_MAX = 32 * 1024 * 1024 }; /* unread bytes at which a subscriber is cut */

void cmd_publish(struct redis *r, struct args a)
{
    int64_t n = 0;

    for (struct conn *c = r->conn.server->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->cls != &redis_class || redis_of(c)->topics == NULL)
            continue;
        if (c->out.len + c->sending.len > SUBSCRIBER_LAG_MAX && c != &r->conn)
            conn_close(c);
        else
            n += deliver(redis_of(c), a.v[1], a.v[2]);
    }
    resp_int(&r->w, n);
}

static int64_t subscribers(struct server *s, struct bough_view channel)
{
    int64_t n = 0;

    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        if (c->cls == &redis_class)
            n += *topic_find(redis_of(c), channel, false) != NULL;
    }
    return n;
}

/* Has an earlier connection this channel too?  Then it is listed already. */
static bool listed_before(struct conn *upto, struct bough_view channel)
{
    for (struct conn *c = upto->server->conns; c != upto; c = c->next) {
        if (c->cls == &redis_class && *topic_find(redis_of(c), channel, false) != NULL)
            return true;
    }
    return false;
}

static void channels(struct redis *r, struct bough_view pattern)
{
    struct bough_buf items;
    struct resp_writer w = {&items, r->w.proto};
    size_t n = 0;

    bough_buf_init(&items, r->conn.server->mem);
    for (struct conn *c = r->conn.server->conns; c != NULL; c = c->next) {
        for (struct topic *t = c->cls == &redis_class ? redis_of(c)->topics : NULL; t != NULL;
             t = t->next) {
            struct bough_view name = bough_view(t->name, t->len);
            if (t->pattern || (pattern.ptr != NULL && !glob_match(pattern, name)) ||
                listed_before(c, name))
                continue;
            resp_bulk(&w, name);
            n++;
        }
    }
    resp_array(&r->w, n);
    bough_buf_put_view(&r->conn.out, bough_buf_view(&items));
    bough_buf_fini(&items);
}

static int64_t patterns(struct server *s)
{
    int64_t n = 0;

    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        for (struct topic *t = c->cls == &redis_class ? redis_of(c)->topics : NULL; t != NULL;
             t = t->next)
            n += t->pattern;
    }
    return n;
}

void cmd_pubsub(struct redis *r, struct args a)
{
    if (word_is(a.v[1], "channels") && a.n <= 3) {
        channels(r, a.n == 3 ? a.v[2] : bough_view(NULL, 0));
    } else if (word_is(a.v[1], "numsub")) {
        resp_map(&r->w, a.n - 2);
        for (size_t i = 2; i < a.n; i++) {
            resp_bulk(&r->w, a.v[i]);
            resp_int(&r->w, subscribers(r->conn.server, a.v[i]));
        }
    } else if (word_is(a.v[1], "numpat") && a.n == 2) {
        resp_int(&r->w, patterns(r->conn.server));
    } else {
        resp_error(&r->w, "ERR unknown PUBSUB subcommand or wrong number of arguments");
    }
}
