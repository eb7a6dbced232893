/*
 * upkeep.c - the store's upkeep beside the clients'; the commands about it: cmd_upkeep.c.
 *
 *   steps      a piece of upkeep, as long as clients do not feel it
 *   waking     after writes, when a collection or another size is asked for
 *
 * A timer runs while there is upkeep to do.  Each step is given a budget of bytes that follows
 * the clock: half a millisecond where clients are at work, thrice that where nobody is.  While
 * they are at work the loop is theirs for at least three times as long as the step took.
 */
#include "server/inner.h"
#include "store/collect.h"

enum {
    BUDGET_MIN = 2 << 10,
    BUDGET_BEGIN = 16 << 10,
    BUDGET_MAX = 512 << 10,
    BUSY_NS = 500 * 1000,
    IDLE_NS = 3 * BUSY_NS,
    REST = 3,      /* times as long as a step took */
    SOON_MS = 100, /* after a write: many share one look */
    RETRY_MS = 1000,
};

/* ---- Steps ---- */

/* The budget follows how long the last one took; where it was the last nothing is learned of the
   next, which may have much more to do. */
static void budget_adapt(struct upkeep *u, uint64_t took, uint64_t want, bool more)
{
    if (!more)
        u->budget = BUDGET_BEGIN;
    else if (took > want && u->budget > BUDGET_MIN)
        u->budget /= 2;
    else if (took < want / 2 && u->budget < BUDGET_MAX)
        u->budget += u->budget / 4;
}

/* Some bytes nearer to the size that is wished for; `*waits`: readers or intakes are in the way. */
static enum bough_err resize(struct server *s, bool *waits)
{
    struct bough_store *store = bough_repo_store(s->repo);
    enum bough_err err = bough_store_resize(store, s->upkeep.resize, s->upkeep.budget);

    *waits = err == BOUGH_EAGAIN && store->why.at == 0;
    if (err == BOUGH_EAGAIN)
        return BOUGH_OK;
    s->upkeep.resize = 0;
    return err;
}

static enum bough_err step(struct server *s, bool *more)
{
    struct upkeep *u = &s->upkeep;
    enum bough_err err = BOUGH_OK;

    *more = false;
    if (u->wanted)
        err = bough_repo_collect(s->repo, &u->wish, u->reflog_sec);
    u->wanted = false;
    u->waits = false;
    if (!err)
        err = bough_repo_maintain(s->repo, u->budget, more);
    if (u->resize != 0 &&
        (!err || err == BOUGH_ENOSPC)) /* growing ends that, and so may giving up */
        err = resize(s, &u->waits);
    *more = *more || (u->resize != 0 && !u->waits);
    return err;
}

/* One that has nothing to do waits for a clone or a push. */
static bool is_collecting(struct server *s)
{
    struct bough_collect_progress p;

    bough_store_collection(bough_repo_store(s->repo), &p);
    return p.phase != BOUGH_COLLECT_IDLE;
}

static void on_upkeep(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct upkeep *u = &s->upkeep;
    bool busy = s->commands != u->commands || git_has_work(s) || http_has_work(s), more;
    uint64_t began, took;
    enum bough_err err;

    if (s->stopping)
        return;
    if (bough_repo_gathering(s->repo)) { /* another timer's; it ends with the turn */
        uv_timer_start(timer, on_upkeep, 1, 0);
        return;
    }
    began = uv_hrtime();
    err = step(s, &more);
    took = uv_hrtime() - began;
    if (err && err != u->err)
        bough_env_log(bough_repo_env(s->repo), BOUGH_LOG_ERROR, bough_err_name(err));
    u->err = err;
    u->commands = s->commands;
    u->steps++;
    u->ns += took;
    u->ns_max = took > u->ns_max ? took : u->ns_max;
    budget_adapt(u, took, busy ? BUSY_NS : IDLE_NS, more);
    if ((err && err != BOUGH_ENOTSUP && err != BOUGH_EREADONLY) || (!more && is_collecting(s)))
        uv_timer_start(timer, on_upkeep, RETRY_MS, 0);
    else if (more)
        uv_timer_start(timer, on_upkeep, busy ? 1 + took * REST / 1000000 : 0, 0);
    else if (u->waits)
        uv_timer_start(timer, on_upkeep, SOON_MS, 0);
}

/* ---- Waking ---- */

void server_upkeep_init(struct server *s)
{
    s->upkeep.budget = BUDGET_BEGIN;
    uv_timer_init(&s->loop, &s->upkeep.timer);
    s->upkeep.timer.data = s;
    server_upkeep_wake(s); /* what the last run left */
}

static void wake(struct server *s, uint64_t ms)
{
    if (!s->stopping && !s->opts->read_only &&
        (ms == 0 || !uv_is_active((uv_handle_t *)&s->upkeep.timer)))
        uv_timer_start(&s->upkeep.timer, on_upkeep, ms, 0);
}

void server_upkeep_wake(struct server *s)
{
    wake(s, SOON_MS);
}

void server_upkeep_now(struct server *s)
{
    wake(s, 0);
}
