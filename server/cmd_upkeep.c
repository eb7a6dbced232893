/*
 * cmd_upkeep.c - what is asked and told of the store's upkeep: GIT.GC, GIT.KEEP, GIT.RESIZE, INFO.
 */
#include "server/redis.h"
#include "store/collect.h"

enum { DAY_SEC = 86400, GRACE_SEC = 14 * DAY_SEC };

/* ---- GIT.GC ---- */

static const char *phase_name(enum bough_collect_phase phase)
{
    static const char *const names[] = {"idle", "mark", "count", "copy", "drop"};

    return names[phase];
}

static void gc_status(struct redis *r)
{
    struct server *s = r->conn.server;
    struct bough_collect_progress p;

    bough_store_collection(bough_repo_store(s->repo), &p);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"done", p.done},
        {"all", p.all},
        {"live", p.live},
        {"dead", p.dead},
        {"live_bytes", p.live_bytes},
        {"dead_bytes", p.dead_bytes},
        {"copied_bytes", p.copied_bytes},
        {"freed_bytes", p.freed_bytes},
        {"collections", p.collections},
    };
    enum { ROWS = sizeof rows / sizeof *rows };

    resp_map(&r->w, ROWS + 2);
    resp_bulk_str(&r->w, "phase");
    resp_bulk_str(&r->w, s->upkeep.wanted ? "asked" : phase_name(p.phase));
    for (size_t i = 0; i < ROWS; i++) {
        resp_bulk_str(&r->w, rows[i].name);
        resp_int(&r->w, (int64_t)rows[i].value);
    }
    resp_bulk_str(&r->w, "error");
    resp_bulk_str(&r->w, s->upkeep.err ? bough_err_name(s->upkeep.err) : "");
}

/* GIT.GC [DRYRUN] [PRUNE seconds] [AGGRESSIVE] | STATUS */
void cmd_git_gc(struct redis *r, struct args a)
{
    struct server *s = r->conn.server;
    struct bough_store *store = bough_repo_store(s->repo);
    struct bough_collect_opts wish = {.grace = GRACE_SEC};
    uint64_t reflog_sec = (uint64_t)BOUGH_REFLOG_DAYS * DAY_SEC;
    int64_t n;

    if (a.n == 2 && word_is(a.v[1], "status")) {
        gc_status(r);
        return;
    }
    for (size_t i = 1; i < a.n; i++) {
        if (word_is(a.v[i], "dryrun")) {
            wish.dry_run = true;
        } else if (word_is(a.v[i], "aggressive")) {
            wish.whole = true;
        } else if (word_is(a.v[i], "prune") && i + 1 < a.n && word_int(a.v[i + 1], &n) && n >= 0) {
            wish.grace = reflog_sec = (uint64_t)n;
            i++;
        } else {
            resp_error(&r->w, "ERR syntax: GIT.GC [DRYRUN] [PRUNE seconds] [AGGRESSIVE] | STATUS");
            return;
        }
    }
    if (s->opts->read_only) {
        answer_why(r, BOUGH_EREADONLY, NULL);
    } else if ((store->caps & BOUGH_STORE_MAINTAIN) == 0) {
        resp_error(&r->w,
            "ERR this kind of store collects nothing: `git gc` does in a git:DIR, and "
            "`bough convert` copies what is reachable");
    } else {
        s->upkeep.wish = wish;
        s->upkeep.reflog_sec = reflog_sec;
        s->upkeep.wanted = true;
        server_upkeep_now(s);
        resp_simple(&r->w, "Collection started");
    }
}

static uint64_t keep_count(struct bough_repo *repo)
{
    struct bough_keep k = {.refs = bough_view("", 0)};
    uint64_t n = 0;

    while (bough_repo_keep_next(repo, k.refs, &k) == BOUGH_OK)
        n++;
    return n;
}

void server_upkeep_info(struct server *s, struct bough_buf *out,
    void (*line)(struct bough_buf *, const char *, uint64_t))
{
    struct bough_collect_progress p;
    struct bough_history_stats h;

    bough_store_collection(bough_repo_store(s->repo), &p);
    bough_buf_put_str(out, "\r\n# Upkeep\r\ncollection_phase:");
    bough_buf_put_str(out, phase_name(p.phase));
    bough_buf_put_str(out, "\r\n");
    line(out, "collections", p.collections);
    line(out, "live_objects", p.live);
    line(out, "dead_objects", p.dead);
    line(out, "live_bytes", p.live_bytes);
    line(out, "dead_bytes", p.dead_bytes);
    line(out, "freed_bytes", p.freed_bytes);
    if (bough_history_stat(s->repo, 0, &h) == BOUGH_OK)
        line(out, "history_indexed", h.indexed);
    line(out, "keep_policies", keep_count(s->repo));
    line(out, "upkeep_steps", s->upkeep.steps);
    line(out, "upkeep_usec", s->upkeep.ns / 1000);
    line(out, "upkeep_step_usec_max", s->upkeep.ns_max / 1000);
}

/* ---- GIT.KEEP ---- */

static void policy_say(struct redis *r, const struct bough_keep *k)
{
    struct bough_buf text;

    bough_buf_init(&text, r->conn.server->mem);
    bough_keep_print(&text, k);
    resp_bulk(&r->w, bough_buf_view(&text));
    bough_buf_fini(&text);
}

static void keep_list(struct redis *r)
{
    struct bough_keep k = {.refs = bough_view("", 0)};
    struct bough_repo *repo = r->conn.server->repo;

    resp_map(&r->w, (size_t)keep_count(repo));
    while (bough_repo_keep_next(repo, k.refs, &k) == BOUGH_OK) {
        resp_bulk(&r->w, k.refs);
        policy_say(r, &k);
    }
}

static void keep_show(struct redis *r, struct bough_view branch)
{
    struct bough_keep k = {.commits = 0};
    struct bough_buf full;
    enum bough_err err;

    bough_buf_init(&full, r->conn.server->mem);
    if (branch.len < 5 || memcmp(branch.ptr, "refs/", 5) != 0)
        bough_buf_put_str(&full, "refs/heads/");
    bough_buf_put_view(&full, branch);
    err = full.err ? full.err : bough_repo_keep_of(r->conn.server->repo, bough_buf_view(&full), &k);
    bough_buf_fini(&full);
    if (err && err != BOUGH_ENOENT)
        answer_why(r, err, bough_repo_why(r->conn.server->repo));
    else
        policy_say(r, &k);
}

/* GIT.KEEP [branch [policy | DEFAULT]] */
void cmd_git_keep(struct redis *r, struct args a)
{
    struct bough_repo *repo = r->conn.server->repo;
    struct bough_keep k = {.commits = 0};
    enum bough_err err;

    if (a.n > 3) {
        resp_error(&r->w, "ERR syntax: GIT.KEEP [branch [all | N | Nd | N,Nd | DEFAULT]]");
        return;
    }
    if (a.n < 3) {
        if (a.n == 1)
            keep_list(r);
        else
            keep_show(r, a.v[1]);
        return;
    }
    k.refs = a.v[1];
    if (!word_is(a.v[2], "default") && bough_keep_parse(a.v[2], &k)) {
        resp_error(&r->w, "ERR a policy is all, N commits, Nd days, N,Nd, or DEFAULT");
        return;
    }
    err = server_gather(r->conn.server);
    if (!err)
        err = word_is(a.v[2], "default") ? bough_repo_keep_unset(repo, k.refs)
                                         : bough_repo_keep_set(repo, &k);
    if (err)
        answer_why(r, err, bough_repo_why(repo));
    else
        answer_ok(r);
}

/* ---- GIT.RESIZE ---- */

static void size_tell(struct redis *r)
{
    struct server *s = r->conn.server;
    struct bough_store_stats st;
    enum bough_err err = bough_store_stat(bough_repo_store(s->repo), &st);

    if (err) {
        answer_why(r, err, bough_repo_why(s->repo));
        return;
    }
    resp_map(&r->w, 4);
    resp_bulk_str(&r->w, "device_bytes");
    resp_int(&r->w, (int64_t)st.device_bytes);
    resp_bulk_str(&r->w, "used_bytes");
    resp_int(&r->w, (int64_t)st.used_bytes);
    resp_bulk_str(&r->w, "resizes_to");
    resp_int(&r->w, (int64_t)s->upkeep.resize);
    resp_bulk_str(&r->w, "error");
    resp_bulk_str(&r->w, s->upkeep.err ? bough_err_name(s->upkeep.err) : "");
}

/* GIT.RESIZE [bytes]: larger at once; smaller in steps, beside the clients. */
void cmd_git_resize(struct redis *r, struct args a)
{
    struct server *s = r->conn.server;
    struct bough_store *store = bough_repo_store(s->repo);
    uint64_t bytes;
    enum bough_err err;

    if (a.n == 1) {
        size_tell(r);
        return;
    }
    if (a.n > 2 || !bough_size_parse(a.v[1], &bytes) || bytes == 0) {
        resp_error(&r->w, "ERR syntax: GIT.RESIZE [bytes], with K, M, G or T");
        return;
    }
    err = s->opts->read_only ? BOUGH_EREADONLY : bough_store_resize(store, bytes, 1);
    if (err == BOUGH_EAGAIN ||
        err == BOUGH_ENESTED) { /* within a turn's writes it comes after them */
        s->upkeep.resize = bytes;
        server_upkeep_now(s);
        resp_simple(&r->w, "Resizing started");
    } else if (err) {
        answer_why(r, err, &store->why); /* what was wished for before goes on */
    } else {
        s->upkeep.resize = 0;
        answer_ok(r);
    }
}
