/*
 * runner_watch.c - steps on windows and events.
 *
 *   windows   window, fold-now, commit-each
 *   states    what is below a prefix: paths and digests
 *   watching  a listener notes which paths the repository told of, and which heads moved
 *   events    told paths whose digest differs from what it was at the last call
 *
 * Only what was told is compared, so an event that the repository forgets is missed here, too.
 */
#include <string.h>

#include "runner.h"

struct watched {
    char *path; /* printed form */
    size_t len;
    struct bough_oid id;
};

/* ---- Windows ---- */

static void window_set(struct step *s, const struct bough_window *w)
{
    enum bough_err err = bough_repo_window(s->run->repo, bough_view("", 0), w);

    if (!err)
        s->run->window = *w;
    done_repo(s, err);
}

/* `window 50ms 512`. */
static void step_window(struct step *s)
{
    struct bough_window w = {0};
    struct bough_view age = arg(s, 0);
    uint64_t ms, ops = 512, unit = 1;

    if (age.len > 2 && memcmp(age.ptr + age.len - 2, "ms", 2) == 0) {
        age.len -= 2;
    } else if (age.len > 1 && age.ptr[age.len - 1] == 's') {
        age.len--;
        unit = 1000;
    }
    if (!text_number(age, &ms) || (s->args.n > 1 && !text_number(arg(s, 1), &ops))) {
        done_invalid(s);
        return;
    }
    w.time_ms = (uint32_t)(ms * unit);
    w.ops = (uint32_t)ops;
    window_set(s, &w);
}

static void step_fold_now(struct step *s)
{
    done_repo(s, bough_repo_fold_all(s->run->repo));
}

static void step_commit_each(struct step *s)
{
    struct bough_window w = {0};

    window_set(s, &w);
}

void watch_tick(struct run *r)
{
    uint32_t next;

    if (r->repo != NULL && r->window.time_ms > 0 &&
        bough_repo_tick(r->repo, bough_env_now(&r->env), &next) != BOUGH_OK)
        fprintf(stderr, "conform: a window that was due did not fold\n");
}

/* ---- States ---- */

struct state {
    struct watched *w;
    size_t n;
    struct bough_kv *kv;
};

static void state_drop(struct watched *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(w[i].path);
    free(w);
}

static enum bough_err state_add(void *ctx, const struct bough_kv_entry *e)
{
    struct state *st = ctx;
    struct watched *w;
    enum bough_err err;

    if (e->kind != BOUGH_KIND_VALUE)
        return BOUGH_OK;
    if ((st->n & (st->n - 1)) == 0)
        st->w = realloc(st->w, (st->n > 0 ? st->n * 2 : 1) * sizeof *st->w);
    w = &st->w[st->n];
    *w = (struct watched){.path = malloc(e->key.len + 1), .len = e->key.len};
    memcpy(w->path, e->key.ptr, e->key.len);
    err = bough_kv_digest(st->kv, e->key, &w->id);
    w->id.bytes[BOUGH_DIGEST_MAX - 1] ^= (uint8_t)e->git_mode; /* a new mode is a change, too */
    st->n++;
    return err;
}

/* All values at or below the prefix, in order. */
static enum bough_err state_read(struct bough_kv *kv, struct bough_view prefix, struct state *st)
{
    enum bough_kind kind;
    enum bough_err err = bough_kv_exists(kv, prefix, &kind);

    *st = (struct state){.kv = kv};
    if (!err && kind == BOUGH_KIND_DICT)
        err = bough_kv_fold(kv, prefix, 0, state_add, st);
    if (!err && kind == BOUGH_KIND_VALUE) {
        struct bough_kv_entry e = {.key = prefix, .kind = BOUGH_KIND_VALUE};

        err = state_add(st, &e);
    }
    return err;
}

/* ---- Watching ---- */

static void touch(struct watch *w, struct bough_view path)
{
    char *key = malloc(path.len + 2);

    key[0] = '/';
    memcpy(key + 1, path.ptr, path.len);
    key[path.len + 1] = '\0';
    w->touched = realloc(w->touched, (w->touched_n + 1) * sizeof *w->touched);
    w->touched[w->touched_n++] = key;
}

static void heard(void *ctx, const struct bough_event *e)
{
    struct watch *w = ctx;

    if (!bough_view_eq(e->ref, bough_view_str(w->ref)))
        return;
    if (e->kind == BOUGH_EVENT_PATH) {
        touch(w, e->path);
    } else if (!e->folded) {
        w->moved = realloc(w->moved, (w->moved_n + 1) * sizeof *w->moved);
        w->moved[w->moved_n][0] = e->old;
        w->moved[w->moved_n++][1] = e->now;
    }
}

/* The paths that differ between two heads were touched. */
static enum bough_err touch_moved(
    struct watch *w, const struct bough_oid *old, const struct bough_oid *now)
{
    struct bough_repo *r = w->run->repo;
    struct bough_oid a = *bough_oid_empty_tree(w->run->opts.algo), b = a;
    struct bough_diff_entry e;
    struct bough_diff *d;
    enum bough_err err = BOUGH_OK;

    if (!bough_oid_is_zero(old))
        err = bough_repo_root_of(r, old, &a);
    if (!err && !bough_oid_is_zero(now))
        err = bough_repo_root_of(r, now, &b);
    if (!err)
        err = bough_diff_open(r, &a, &b, bough_view("", 0), &d);
    if (err)
        return err;
    while ((err = bough_diff_next(d, &e)) == BOUGH_OK)
        touch(w, e.path);
    bough_diff_close(d);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static bool was_touched(const struct watch *w, const char *path, size_t len)
{
    for (size_t i = 0; i < w->touched_n; i++) {
        size_t n = strlen(w->touched[i]);

        /* what is removed or set below a touched path went or came with it */
        if (n <= len && memcmp(w->touched[i], path, n) == 0 && (n == len || path[n] == '/'))
            return true;
    }
    return false;
}

static void watch_drop(struct watch *w)
{
    if (w->run->repo != NULL)
        bough_repo_unlisten(w->run->repo, &w->l);
    bough_kv_close(w->kv);
    state_drop(w->was, w->was_n);
    for (size_t i = 0; i < w->touched_n; i++)
        free(w->touched[i]);
    free(w->touched);
    free(w->moved);
    free(w->name);
    free(w->ref);
    bough_buf_fini(&w->prefix);
    free(w);
}

void watches_drop(struct run *r)
{
    while (r->watches_n > 0)
        watch_drop(r->watches[--r->watches_n]);
}

static char *view_str(struct bough_view v)
{
    return strndup((const char *)v.ptr, v.len);
}

/* What was there: now, or at the commit that `since` names. */
static enum bough_err watch_begin(struct step *s, struct watch *w)
{
    struct state st;
    struct bough_kv *then = NULL;
    struct bough_oid since, now;
    enum bough_err err;

    if (!arg_is(s, 3, "since")) {
        err = state_read(w->kv, bough_buf_view(&w->prefix), &st);
    } else {
        if (!node_resolve(s->run, arg(s, 4), &since))
            return BOUGH_ENOENT;
        err = bough_kv_commit_open(s->run->repo, &since, &then);
        if (!err)
            err = state_read(then, bough_buf_view(&w->prefix), &st);
        else
            st = (struct state){0};
        bough_kv_close(then);
        if (!err)
            err = bough_branch_head(bough_kv_branch(w->kv), &now);
        if (!err)
            err = touch_moved(w, &since, &now);
    }
    w->was = st.w;
    w->was_n = st.n;
    return err;
}

/* `watch NAME BRANCH [PREFIX] [since NODE]`. */
static void step_watch(struct step *s)
{
    struct run *r = s->run;
    struct watch *w = calloc(1, sizeof *w);
    enum bough_err err;

    w->run = r;
    w->name = view_str(arg(s, 0));
    w->ref = malloc(arg(s, 1).len + 12);
    memcpy(w->ref, "refs/heads/", 11);
    memcpy(w->ref + 11, arg(s, 1).ptr, arg(s, 1).len);
    w->ref[11 + arg(s, 1).len] = '\0';
    w->l = (struct bough_listener){.fn = heard, .ctx = w};
    bough_buf_init(&w->prefix, r->env.mem);
    bough_path_print(&w->prefix, arg(s, 2));
    bough_repo_listen(r->repo, &w->l);
    err = w->prefix.err;
    if (!err)
        err = bough_kv_branch_open(r->repo, arg(s, 1), &w->kv);
    if (!err)
        err = watch_begin(s, w);
    if (err) {
        answer_err(s->got, answer_err_name(err), bough_view(NULL, 0));
        watch_drop(w);
        return;
    }
    r->watches = realloc(r->watches, (r->watches_n + 1) * sizeof *r->watches);
    r->watches[r->watches_n++] = w;
    answer_ok(s->got);
}

/* ---- Events ---- */

static void event_tell(
    struct step *s, const struct watch *w, const char *kind, const struct watched *at)
{
    if (!was_touched(w, at->path, at->len))
        return;
    answer_item(s->got);
    answer_str(s->got, kind);
    answer_view(s->got, bough_view(at->path, at->len));
}

static int watched_cmp(const struct watched *a, const struct watched *b)
{
    return bough_view_cmp(bough_view(a->path, a->len), bough_view(b->path, b->len));
}

static int watched_sort(const void *a, const void *b)
{
    return watched_cmp(a, b);
}

/* Two sorted states side by side. */
static void states_tell(struct step *s, struct watch *w, struct state *now)
{
    size_t i = 0, k = 0;

    if (w->was_n > 1)
        qsort(w->was, w->was_n, sizeof *w->was, watched_sort);
    if (now->n > 1)
        qsort(now->w, now->n, sizeof *now->w, watched_sort);
    while (i < w->was_n || k < now->n) {
        int cmp = i == w->was_n ? 1 : k == now->n ? -1 : watched_cmp(&w->was[i], &now->w[k]);

        if (cmp < 0)
            event_tell(s, w, "-", &w->was[i++]);
        else if (cmp > 0)
            event_tell(s, w, "+", &now->w[k++]);
        else {
            if (!bough_oid_eq(&w->was[i].id, &now->w[k].id))
                event_tell(s, w, "*", &now->w[k]);
            i++;
            k++;
        }
    }
}

static void step_events(struct step *s)
{
    struct watch *w = NULL;
    struct state now = {0};
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < s->run->watches_n; i++) {
        if (bough_view_eq(arg(s, 0), bough_view_str(s->run->watches[i]->name)))
            w = s->run->watches[i];
    }
    if (w == NULL) {
        answer_err(s->got, "gone", bough_view(NULL, 0));
        return;
    }
    for (size_t i = 0; !err && i < w->moved_n; i++)
        err = touch_moved(w, &w->moved[i][0], &w->moved[i][1]);
    if (!err)
        err = state_read(w->kv, bough_buf_view(&w->prefix), &now);
    if (err) {
        answer_why(s->got, err, &w->kv->why);
        state_drop(now.w, now.n);
        return;
    }
    states_tell(s, w, &now);
    state_drop(w->was, w->was_n);
    w->was = now.w;
    w->was_n = now.n;
    w->moved_n = 0;
    for (size_t i = 0; i < w->touched_n; i++)
        free(w->touched[i]);
    w->touched_n = 0;
}

const struct step_def *steps_watch(void)
{
    static const struct step_def defs[] = {
        {"window", "window", step_window},
        {"fold-now", "window", step_fold_now},
        {"commit-each", "window", step_commit_each},
        {"watch", "watch", step_watch},
        {"events", "watch", step_events},
        {NULL, NULL, NULL},
    };

    return defs;
}
