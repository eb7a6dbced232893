/*
 * cmd_txn.c - MULTI, EXEC, DISCARD, WATCH.
 *
 * EXEC runs the queue inside one batch, so it is one commit.  Nothing can come between: the
 * loop has one thread.  WATCH remembers ids, and EXEC compares: only a watched path that holds
 * something else now makes it fail.
 */
#include "server/redis.h"

void multi_reset(struct redis *r)
{
    while (r->queue != NULL) {
        struct queued *q = r->queue;
        r->queue = q->next;
        bough_mem_free(r->conn.server->mem, q, q->size);
    }
    r->queue_end = &r->queue;
    r->queue_n = r->queue_bytes = 0;
    r->multi = r->multi_bad = false;
}

void watch_reset(struct redis *r)
{
    while (r->watched != NULL) {
        struct watched *w = r->watched;
        r->watched = w->next;
        bough_mem_free(r->conn.server->mem, w, sizeof *w + w->len);
    }
    r->watched_n = 0;
}

void cmd_multi(struct redis *r, struct args a)
{
    (void)a;
    if (r->multi) {
        resp_error(&r->w, "ERR MULTI calls can not be nested");
        return;
    }
    r->multi = true;
    answer_ok(r);
}

void multi_queue(struct redis *r, const struct command *cmd, struct args a)
{
    size_t size = sizeof(struct queued) + a.n * sizeof *a.v, at;
    struct queued *q;

    for (size_t i = 0; i < a.n; i++)
        size += a.v[i].len;
    if (size > QUEUE_BYTES_MAX - r->queue_bytes) {
        r->multi_bad = true;
        resp_error(&r->w, "ERR the transaction is over 64 MiB");
        return;
    }
    q = bough_mem_alloc(r->conn.server->mem, size);
    if (q == NULL) {
        r->multi_bad = true;
        resp_error(&r->w, "OOM no memory to queue the command");
        return;
    }
    *q = (struct queued){.cmd = cmd, .n = a.n, .size = size};
    at = sizeof *q + a.n * sizeof *a.v;
    for (size_t i = 0; i < a.n; i++) {
        uint8_t *p = (uint8_t *)q + at;
        if (a.v[i].len > 0)
            memcpy(p, a.v[i].ptr, a.v[i].len);
        q->v[i] = bough_view(p, a.v[i].len);
        at += a.v[i].len;
    }
    *r->queue_end = q;
    r->queue_end = &q->next;
    r->queue_n++;
    r->queue_bytes += size;
    resp_simple(&r->w, "QUEUED");
}

void cmd_discard(struct redis *r, struct args a)
{
    (void)a;
    if (!r->multi) {
        resp_error(&r->w, "ERR DISCARD without MULTI");
        return;
    }
    multi_reset(r);
    watch_reset(r);
    answer_ok(r);
}

/* What is at `key` now: zero id for nothing.  False: it cannot be told, and was answered. */
static bool watched_id(struct redis *r, struct bough_view key, struct bough_oid *out)
{
    struct place_at at;
    enum bough_err err;

    *out = (struct bough_oid){{0}};
    if (!place_read(r, key, &at))
        return false;
    err = bough_kv_digest(at.kv, at.path, out);
    if (err && err != BOUGH_ENOENT)
        answer_kv(r, at.kv, err);
    place_close(&at);
    return err == BOUGH_OK || err == BOUGH_ENOENT;
}

void cmd_watch(struct redis *r, struct args a)
{
    if (r->multi) {
        resp_error(&r->w, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    if (a.n - 1 > WATCHED_MAX - r->watched_n) {
        resp_error(&r->w, "ERR a client watches at most 16384 keys");
        return;
    }
    for (size_t i = 1; i < a.n; i++) {
        struct watched *w = bough_mem_alloc(r->conn.server->mem, sizeof *w + a.v[i].len);
        if (w == NULL) {
            resp_error(&r->w, "OOM no memory to watch the key");
            return;
        }
        w->len = a.v[i].len;
        if (w->len > 0)
            memcpy(w->key, a.v[i].ptr, w->len);
        w->next = r->watched;
        if (!watched_id(r, a.v[i], &w->id)) {
            bough_mem_free(r->conn.server->mem, w, sizeof *w + w->len);
            return;
        }
        r->watched = w;
        r->watched_n++;
    }
    answer_ok(r);
}

void cmd_unwatch(struct redis *r, struct args a)
{
    (void)a;
    watch_reset(r);
    answer_ok(r);
}

static bool watched_moved(struct redis *r, bool *answered)
{
    *answered = false;
    for (struct watched *w = r->watched; w != NULL; w = w->next) {
        struct bough_oid id;
        if (!watched_id(r, bough_view(w->key, w->len), &id)) {
            *answered = true;
            return true;
        }
        if (!bough_oid_eq(&id, &w->id))
            return true;
    }
    return false;
}

/* Run the queue on the batch; its replies become the elements of one array. */
static void run_queue(struct redis *r)
{
    resp_array(&r->w, r->queue_n);
    for (struct queued *q = r->queue; q != NULL; q = q->next) {
        r->running = q->cmd;
        q->cmd->run(r, (struct args){q->n, q->v});
    }
}

static void exec(struct redis *r)
{
    struct bough_kv *kv = place_kv(r);
    size_t mark = r->conn.out.len;
    enum bough_err err;

    if (kv == NULL)
        return;
    err = server_gather(r->conn.server);
    if (err) {
        answer_why(r, err, bough_repo_why(r->conn.server->repo));
        return;
    }
    err = bough_kv_begin(kv, BOUGH_TEST_AND_SET, &r->batch);
    if (err) {
        answer_kv(r, kv, err);
        return;
    }
    run_queue(r);
    err = bough_kv_commit(r->batch);
    r->batch = NULL;
    if (err) {
        r->conn.out.len = mark;
        answer_kv(r, kv, err);
    }
}

void cmd_exec(struct redis *r, struct args a)
{
    bool answered;

    (void)a;
    if (!r->multi) {
        resp_error(&r->w, "ERR EXEC without MULTI");
        return;
    }
    if (r->multi_bad)
        resp_error(&r->w, "EXECABORT Transaction discarded because of previous errors.");
    else if (!watched_moved(r, &answered))
        exec(r);
    else if (!answered)
        resp_null_array(&r->w);
    multi_reset(r);
    watch_reset(r);
}
