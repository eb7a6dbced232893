/*
 * server.c - the loop: listeners, turns, ticks, the end.
 *
 *   gather      all writes of a turn in one transaction
 *   turn        flush it, then send what was held back
 *   tick        fold windows that are due
 *   places      branches opened once for all clients
 *   stop        SIGTERM or SHUTDOWN: finish what came, fold, leave
 *   start
 *
 * A turn: sockets are read and commands run (poll), then the check handle ends the gather
 * with one flush and sends every reply.  Sessions that work in bites (pushes, clones) keep an
 * idle handle alive so that turns go on while there is work.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/inner.h"
#include "server/keys.h"

enum {
    SYNC_MS = 1000,
    TICK_MS = 5,     /* after the first write of a window; then as the repository says */
    RETRY_MS = 1000, /* after a fold that failed */
    KEEP_ALIVE_MS = 1000,
};

static void on_tick(uv_timer_t *timer);

enum bough_err server_gather(struct server *s)
{
    if (bough_repo_gathering(s->repo))
        return BOUGH_OK;
    return bough_repo_gather_begin(s->repo);
}

/* The gather failed: nothing of this turn happened, and its replies must not say so. */
static void turn_failed(struct server *s, enum bough_err err)
{
    s->gather_failures++;
    for (struct conn *c = s->dirty; c != NULL; c = c->dirty_next) {
        if (c->cls == &redis_class)
            redis_turn_failed(c, err);
    }
}

static enum bough_err gather_finish(struct server *s)
{
    enum bough_err err;

    if (!bough_repo_gathering(s->repo))
        return BOUGH_OK;
    err = bough_repo_gather_end(s->repo);
    s->gathers++;
    if (err)
        turn_failed(s, err);
    else if (!s->stopping && !uv_is_active((uv_handle_t *)&s->tick))
        uv_timer_start(&s->tick, on_tick, TICK_MS, 0);
    if (!err)
        server_upkeep_wake(s);
    return err;
}

/* Sending may let a client go on, whose commands then belong to another turn: take turns until none is left. */
static void turn_end(struct server *s)
{
    enum bough_err err = gather_finish(s);

    while (s->dirty != NULL) {
        struct conn *list = s->dirty;

        s->dirty = NULL;
        s->turn++;
        while (list != NULL) {
            struct conn *c = list;
            list = c->dirty_next;
            c->dirty = false;
            conn_flush(c);
        }
        err = gather_finish(s);
    }
    (void)err; /* those whom it concerns were told */
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active makes poll return at once */
}

/* While sessions have work the loop must not sleep. */
static void stay_awake(struct server *s)
{
    if (git_has_work(s) || http_has_work(s))
        uv_idle_start(&s->idle, on_idle);
    else
        uv_idle_stop(&s->idle);
}

static void server_stop(struct server *s);

/* Commands first; then sessions, whose transactions are their own. */
static void on_check(uv_check_t *check)
{
    struct server *s = check->data;

    turn_end(s);
    if (s->ending) {
        server_stop(s);
        return;
    }
    if (git_has_work(s) || http_has_work(s))
        server_upkeep_wake(s); /* a push may leave some */
    git_work(s);
    http_work(s);
    turn_end(s);
    stay_awake(s);
}

/* What timers and closing handles wrote leaves before the loop sleeps. */
static void on_prepare(uv_prepare_t *prepare)
{
    turn_end(prepare->data);
    stay_awake(prepare->data);
}

/* Fold what is due, and sleep until the next is: without an open window the timer rests. */
static void on_tick(uv_timer_t *timer)
{
    struct server *s = timer->data;
    uint32_t next_ms = UINT32_MAX;
    enum bough_err err = server_gather(s), end;

    if (!err)
        err = bough_repo_tick(s->repo, bough_env_now(bough_repo_env(s->repo)), &next_ms);
    end = gather_finish(s);
    err = err ? err : end;
    if (err && err != s->tick_err)
        bough_env_log(bough_repo_env(s->repo), BOUGH_LOG_ERROR, bough_err_name(err));
    s->tick_err = err;
    if (err)
        uv_timer_start(timer, on_tick, RETRY_MS, 0);
    else if (next_ms == UINT32_MAX)
        uv_timer_stop(timer);
    else
        uv_timer_start(timer, on_tick, next_ms > 0 ? next_ms : 1, 0);
    turn_end(s);
}

static void on_alive(uv_timer_t *timer)
{
    struct server *s = timer->data;
    bool git = git_keep_alive(s), halfway = conn_cut_stalled(s);

    if (!git && !halfway)
        uv_timer_stop(timer);
    turn_end(s);
}

void server_keep_alive(struct server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->alive))
        uv_timer_start(&s->alive, on_alive, KEEP_ALIVE_MS, KEEP_ALIVE_MS);
}

static void place_drop(struct server *s, struct place **at)
{
    struct place *p = *at;

    *at = p->next;
    bough_kv_close(p->kv);
    bough_mem_free(s->mem, p->name, p->len + 1);
    bough_mem_free(s->mem, p, sizeof *p);
}

struct bough_kv *server_place(struct server *s, struct bough_view branch)
{
    struct place **at = &s->places, *p;
    size_t n = 0;

    if (branch.len == 0 && bough_repo_head_branch(s->repo, &branch))
        return NULL;
    for (; (p = *at) != NULL; at = &p->next, n++) {
        if (bough_view_eq(bough_view(p->name, p->len), branch)) {
            *at = p->next; /* to the front: the last one is used least */
            p->next = s->places;
            s->places = p;
            return p->kv;
        }
        if (n + 1 == PLACES_MAX) {
            place_drop(s, at);
            break;
        }
    }
    p = bough_mem_zalloc(s->mem, 1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->name = bough_mem_alloc(s->mem, branch.len + 1);
    p->len = branch.len;
    if (p->name == NULL || bough_kv_branch_open(s->repo, branch, &p->kv)) {
        bough_mem_free(s->mem, p->name, branch.len + 1);
        bough_mem_free(s->mem, p, sizeof *p);
        return NULL;
    }
    memcpy(p->name, branch.ptr, branch.len);
    p->next = s->places;
    s->places = p;
    return p->kv;
}

static void places_fini(struct server *s)
{
    while (s->places != NULL)
        place_drop(s, &s->places);
}

bool server_serves(const struct server *s, struct bough_view path)
{
    struct bough_view name = bough_view_str(s->opts->name);

    while (path.len > 0 && path.ptr[0] == '/')
        path = bough_view(path.ptr + 1, path.len - 1);
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    if (path.len > 4 && memcmp(path.ptr + path.len - 4, ".git", 4) == 0)
        path.len -= 4;
    return bough_view_eq(path, name) || bough_view_eq(path, bough_view_str("store"));
}

/* ---- The end ---- */

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void server_stop(struct server *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    for (int i = 0; i < 3; i++) {
        if (s->listeners[i].data != NULL && !uv_is_closing((uv_handle_t *)&s->listeners[i]))
            uv_close((uv_handle_t *)&s->listeners[i], NULL);
    }
    turn_end(s);
    http_stop(s);
    while (s->conns != NULL)
        conn_close(s->conns);
    uv_stop(&s->loop);
}

static void on_signal(uv_signal_t *sig, int number)
{
    (void)number;
    server_stop(sig->data);
}

/* ---- The start ---- */

static enum bough_err listen_on(
    struct server *s, int i, int port, uv_connection_cb accept, struct bough_why *why)
{
    const char *bind = s->opts->bind == NULL ? "127.0.0.1" : s->opts->bind;
    uv_tcp_t *tcp = &s->listeners[i];
    struct sockaddr_in6 six;
    struct sockaddr_in four;
    struct sockaddr *addr = (struct sockaddr *)&four;
    int rc;

    if (port == 0)
        return BOUGH_OK;
    if (uv_ip4_addr(bind, port, &four) != 0) {
        addr = (struct sockaddr *)&six;
        if (uv_ip6_addr(bind, port, &six) != 0)
            return BOUGH_WHY(why, BOUGH_EINVAL, "not an address", bind, strlen(bind));
    }
    uv_tcp_init(&s->loop, tcp);
    tcp->data = s;
    rc = uv_tcp_bind(tcp, addr, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)tcp, 511, accept);
    if (rc != 0) {
        char text[64];
        int n = snprintf(text, sizeof text, "%s:%d", bind, port);
        return BOUGH_WHY(why, rc == UV_EADDRINUSE ? BOUGH_ELOCKED : BOUGH_EINVAL, uv_strerror(rc),
            text, (size_t)n);
    }
    return BOUGH_OK;
}

static enum bough_err write_pid_file(struct server *s, struct bough_why *why)
{
    const char *path = s->opts->pid_file;
    bool written;
    FILE *f;

    if (path == NULL)
        return BOUGH_OK;
    f = fopen(path, "w");
    s->pid_written = f != NULL;
    written = f != NULL && fprintf(f, "%ld\n", (long)getpid()) > 0;
    if (f == NULL || fclose(f) != 0 || !written)
        return BOUGH_WHY(why, BOUGH_EIO, strerror(errno), path, strlen(path));
    return BOUGH_OK;
}

static void on_sync(uv_timer_t *timer)
{
    struct server *s = timer->data;
    enum bough_err err = bough_store_sync(bough_repo_store(s->repo));

    if (err)
        bough_env_log(bough_repo_env(s->repo), BOUGH_LOG_ERROR, "the store cannot be synced");
}

static void start_handles(struct server *s)
{
    static const int numbers[2] = {SIGTERM, SIGINT};

    uv_check_init(&s->loop, &s->check);
    uv_prepare_init(&s->loop, &s->prepare);
    uv_idle_init(&s->loop, &s->idle);
    uv_timer_init(&s->loop, &s->tick);
    uv_timer_init(&s->loop, &s->alive);
    uv_timer_init(&s->loop, &s->linger);
    uv_timer_init(&s->loop, &s->sync);
    server_upkeep_init(s);
    s->linger.data = s->sync.data = s;
    s->check.data = s->prepare.data = s->idle.data = s->tick.data = s->alive.data = s;
    uv_check_start(&s->check, on_check);
    uv_prepare_start(&s->prepare, on_prepare);
    uv_timer_start(&s->tick, on_tick, TICK_MS, 0); /* the journal may hold an open window */
    if (s->opts->fsync != NULL && strcmp(s->opts->fsync, "everysec") == 0)
        uv_timer_start(&s->sync, on_sync, SYNC_MS, SYNC_MS);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
}

static void say_ready(const struct bough_server_opts *o)
{
    printf("ready pid %ld", (long)getpid());
    if (o->redis_port)
        printf(" redis %d", o->redis_port);
    if (o->git_port)
        printf(" git %d", o->git_port);
    if (o->http_port)
        printf(" http %d", o->http_port);
    printf("\n");
    fflush(stdout);
}

static enum bough_err serve(struct server *s, struct bough_why *why)
{
    const struct bough_server_opts *o = s->opts;
    enum bough_err err = listen_on(s, 0, o->redis_port, redis_accept, why);

    if (!err)
        err = listen_on(s, 1, o->git_port, git_accept, why);
    if (!err && o->http_port != 0)
        err = http_start(s, o->bind == NULL ? "127.0.0.1" : o->bind, o->http_port);
    if (err && why->err == BOUGH_OK)
        return BOUGH_WHY(why, err, "the HTTP server does not start", NULL, 0);
    if (!err)
        err = write_pid_file(s, why);
    if (err)
        return err;
    start_handles(s);
    say_ready(o);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return BOUGH_OK;
}

enum bough_err bough_server_run(
    struct bough_repo *repo, const struct bough_server_opts *opts, struct bough_why *why)
{
    struct bough_mem *mem = bough_repo_env(repo)->mem;
    struct server *s = bough_mem_zalloc(mem, 1, sizeof *s);
    enum bough_err err;

    if (s == NULL)
        return BOUGH_WHY(why, BOUGH_ENOMEM, "", NULL, 0);
    *why = (struct bough_why){.err = BOUGH_OK, .what = ""};
    signal(SIGPIPE, SIG_IGN);
    s->opts = opts;
    s->repo = repo;
    s->mem = mem;
    s->started = bough_env_now(bough_repo_env(repo));
    bough_buf_init(&s->spare, mem);
    uv_loop_init(&s->loop);
    err = serve(s, why);
    server_stop(s);
    uv_walk(&s->loop, close_handle, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
    http_free(s);
    server_scans_fini(s);
    places_fini(s);
    bough_buf_fini(&s->spare);
    if (!err) {
        err = bough_repo_fold_all(repo);
        if (err)
            *why = *bough_repo_why(repo);
        else if (!opts->read_only && (err = bough_store_sync(bough_repo_store(repo))) != BOUGH_OK)
            *why = bough_repo_store(repo)->why;
    }
    if (s->pid_written)
        unlink(opts->pid_file);
    bough_mem_free(mem, s, sizeof *s);
    return err;
}
