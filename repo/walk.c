/*
 * walk.c - commits newest first, as `git log` lists them.
 *
 *   simplifying   what a path filter leaves of a commit and its parents
 *   stepping      one commit off the queue, its parents onto it
 *   limiting      with commits to leave out: all at the beginning
 *   walking       open, next, close
 *
 * Without commits to leave out the walk is a stream.  With them it is done whole when it is
 * opened, as git does, for a commit may turn out to be hidden after it was met; git's rule
 * of when to stop (five more after everything left is hidden) is kept, so that lists agree.
 *
 * The path filter is git's default: a commit that has the same as a parent is left out and
 * only that parent is followed; a hidden parent does not count for that, unless it is one
 * that the caller named.
 */
#include "repo/commit_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"

enum { SEEN = 1, HIDDEN = 2, NAMED = 4, SAME = 8, TAKEN = 16, SLOP = 5 };

struct walk_commit {
    struct bough_graph_commit c;
    bool looked; /* `at` is known */
    struct bough_repo__at at;
};

struct bough_walk {
    struct bough_repo *r;
    struct bough_graph graph;
    struct bough_repo__look look;
    struct bough_graph_queue queue;
    bool filter; /* by look's path */
    bool first_parent;
    bool limited;
    size_t visible;                   /* in the queue, not hidden */
    uint32_t same;                    /* commits in a row that did not change the path */
    struct bough_graph_commit **list; /* limited: what is left to give, in order */
    size_t list_n, list_cap, list_at;
    struct bough_graph_commit **stack; /* scratch for hide_parents() */
    size_t stack_cap;
};

/* ---- Simplifying ---- */

/* What is at the path in `c`; `*at` lives as long as the walk. */
static enum bough_err commit_look(
    struct bough_walk *w, struct bough_graph_commit *c, const struct bough_repo__at **at)
{
    struct walk_commit *wc = (struct walk_commit *)c;
    enum bough_err err = bough_graph_parse(&w->graph, c);

    *at = &wc->at;
    if (err || wc->looked)
        return err;
    err = bough_repo__look_in(&w->look, &c->tree, &wc->at);
    wc->looked = err == BOUGH_OK;
    return err;
}

/* Do both have the same at the path? */
static enum bough_err commits_same(
    struct bough_walk *w, struct bough_graph_commit *a, struct bough_graph_commit *b, bool *out)
{
    const struct bough_repo__at *at_a = NULL, *at_b = NULL;
    enum bough_err err = bough_graph_parse(&w->graph, b);

    *out = true;
    if (err || bough_oid_eq(&a->tree, &b->tree))
        return err;
    err = commit_look(w, a, &at_a);
    if (err == BOUGH_OK)
        err = commit_look(w, b, &at_b);
    *out = err == BOUGH_OK && bough_repo__at_same(at_a, at_b);
    return err;
}

static bool commit_counts(const struct bough_graph_commit *c)
{
    return (c->flags & (HIDDEN | NAMED)) != HIDDEN;
}

/* Set SAME, and reduce the parents to one that has the same. */
static enum bough_err commit_simplify(struct bough_walk *w, struct bough_graph_commit *c)
{
    uint32_t n = w->first_parent && c->parents_n > 1 ? 1 : c->parents_n;
    bool counted = false, change = false, other_change = false;
    const struct bough_repo__at *at = NULL;
    enum bough_err err;

    if (!w->filter)
        return BOUGH_OK;
    if (n == 0) {
        err = commit_look(w, c, &at);
        if (err == BOUGH_OK && at->kind == BOUGH_NODE_NONE)
            c->flags |= SAME;
        return err;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct bough_graph_commit *p = c->parents[i];
        bool counts = commit_counts(p), same;

        err = commits_same(w, c, p, &same);
        if (err)
            return err;
        if (same && counts) {
            c->parents[0] = p;
            c->parents_n = 1;
            c->flags |= SAME;
            return BOUGH_OK;
        }
        counted = counted || counts;
        change = change || (!same && counts);
        other_change = other_change || (!same && !counts);
    }
    if (counted ? !change : !other_change)
        c->flags |= SAME;
    return BOUGH_OK;
}

/* ---- Stepping ---- */

static enum bough_err walk_put(struct bough_walk *w, struct bough_graph_commit *c)
{
    enum bough_err err;

    if ((c->flags & SEEN) != 0)
        return BOUGH_OK;
    err = bough_graph_parse(&w->graph, c);
    if (err == BOUGH_OK)
        err = bough_graph_queue_put(w->r, &w->queue, c);
    if (err)
        return err;
    c->flags |= SEEN;
    w->visible += (c->flags & HIDDEN) == 0;
    return BOUGH_OK;
}

static enum bough_err walk_put_parents(struct bough_walk *w, struct bough_graph_commit *c)
{
    bool all = !w->first_parent || (c->flags & HIDDEN) != 0;

    for (uint32_t i = 0; i < c->parents_n && (all || i == 0); i++) {
        enum bough_err err = walk_put(w, c->parents[i]);

        if (err)
            return err;
    }
    return BOUGH_OK;
}

static struct bough_graph_commit *walk_take(struct bough_walk *w)
{
    struct bough_graph_commit *c = bough_graph_queue_take(&w->queue);

    if (c == NULL)
        return NULL;
    w->visible -= (c->flags & HIDDEN) == 0;
    c->flags |= TAKEN;
    return c;
}

/* ---- Limiting ---- */

/* A commit still in the queue, or yet to come, is hidden from now on. */
static bool commit_hide(struct bough_walk *w, struct bough_graph_commit *c)
{
    if ((c->flags & HIDDEN) != 0)
        return false;
    c->flags |= HIDDEN;
    w->visible -= (c->flags & (SEEN | TAKEN)) == SEEN;
    return true;
}

/* Hide the parents of a hidden commit, and what is known of theirs. */
static enum bough_err hide_parents(struct bough_walk *w, struct bough_graph_commit *c)
{
    size_t n = 0;

    for (;;) {
        for (uint32_t i = 0; i < c->parents_n; i++) {
            void *stack = w->stack;
            enum bough_err err;

            if (!commit_hide(w, c->parents[i]) || !c->parents[i]->parsed)
                continue;
            err = bough_mem_grow(w->r->mem, &stack, &w->stack_cap, n + 1, sizeof *w->stack);
            w->stack = (struct bough_graph_commit **)stack;
            if (err)
                return err;
            w->stack[n++] = c->parents[i];
        }
        if (n == 0)
            return BOUGH_OK;
        c = w->stack[--n];
    }
}

static enum bough_err list_add(struct bough_walk *w, struct bough_graph_commit *c)
{
    void *list = w->list;
    enum bough_err err =
        bough_mem_grow(w->r->mem, &list, &w->list_cap, w->list_n + 1, sizeof *w->list);

    w->list = (struct bough_graph_commit **)list;
    if (err == BOUGH_OK)
        w->list[w->list_n++] = c;
    return err;
}

/* How many more hidden commits to look at; 0: enough. */
static int slop_left(struct bough_walk *w, int64_t date, int slop)
{
    if (w->queue.n == 0)
        return 0;
    if (date <= bough_graph_queue_first(&w->queue)->time.sec || w->visible > 0)
        return SLOP;
    return slop - 1;
}

/* A hidden commit: its parents are, too, and theirs, one generation ahead as in git. */
static enum bough_err walk_hide(struct bough_walk *w, struct bough_graph_commit *c)
{
    enum bough_err err = hide_parents(w, c);

    for (uint32_t i = 0; i < c->parents_n && err == BOUGH_OK; i++) {
        err = bough_graph_parse(&w->graph, c->parents[i]);
        if (err == BOUGH_OK)
            err = hide_parents(w, c->parents[i]);
    }
    return err;
}

static enum bough_err walk_limit(struct bough_walk *w)
{
    struct bough_graph_commit *c;
    int64_t date = INT64_MAX;
    int slop = SLOP;
    enum bough_err err = BOUGH_OK;

    while (err == BOUGH_OK && slop > 0 && (c = walk_take(w)) != NULL) {
        if ((c->flags & HIDDEN) != 0) {
            err = walk_hide(w, c);
            if (err == BOUGH_OK)
                err = walk_put_parents(w, c);
            slop = slop_left(w, date, slop);
            continue;
        }
        err = commit_simplify(w, c);
        if (err == BOUGH_OK)
            err = walk_put_parents(w, c);
        if (err == BOUGH_OK)
            err = list_add(w, c);
        date = c->time.sec;
    }
    return err;
}

/* ---- Walking ---- */

/* The commit that an id leads to, or NULL for trees and blobs. */
static enum bough_err walk_commit(
    struct bough_walk *w, const struct bough_oid *id, struct bough_graph_commit **out)
{
    struct bough_oid peeled;
    enum bough_type type;
    enum bough_err err = bough_repo__peel(w->r, id, &peeled, &type);

    *out = NULL;
    if (err == BOUGH_OK && type == BOUGH_COMMIT)
        err = bough_graph_get(&w->graph, &peeled, out);
    return err;
}

/* Hidden commits are marked before anything is queued. */
static enum bough_err walk_name(struct bough_walk *w, const struct bough_oid *ids, size_t n)
{
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < n && err == BOUGH_OK; i++) {
        struct bough_graph_commit *c;

        err = walk_commit(w, &ids[i], &c);
        if (err == BOUGH_OK && c != NULL) {
            c->flags |= HIDDEN | NAMED;
            err = bough_graph_parse(&w->graph, c);
            if (err == BOUGH_OK)
                err = hide_parents(w, c);
        }
    }
    return err;
}

static enum bough_err walk_put_all(struct bough_walk *w, const struct bough_oid *ids, size_t n)
{
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < n && err == BOUGH_OK; i++) {
        struct bough_graph_commit *c;

        err = walk_commit(w, &ids[i], &c);
        if (err == BOUGH_OK && c != NULL)
            err = walk_put(w, c);
    }
    return err;
}

enum bough_err bough_walk_open(
    struct bough_repo *r, const struct bough_walk_opts *opts, struct bough_walk **out)
{
    struct bough_walk *w = bough_mem_zalloc(r->mem, 1, sizeof *w);
    enum bough_err err;

    if (w == NULL)
        return BOUGH_ENOMEM;
    w->r = r;
    w->filter = opts->path.len > 0;
    w->first_parent = opts->first_parent;
    w->limited = opts->hide_n > 0;
    bough_graph_init(&w->graph, r, sizeof(struct walk_commit));
    err = bough_repo__look_init(&w->look, r, opts->path);
    if (err == BOUGH_OK)
        err = walk_name(w, opts->hide, opts->hide_n);
    if (err == BOUGH_OK)
        err = walk_put_all(w, opts->tips, opts->tips_n);
    if (err == BOUGH_OK)
        err = walk_put_all(w, opts->hide, opts->hide_n);
    if (err == BOUGH_OK && w->limited)
        err = walk_limit(w);
    if (err) {
        bough_walk_close(w);
        return err;
    }
    *out = w;
    return BOUGH_OK;
}

/*
 * The index of history may know how far down nothing changes.  Only where nothing else is in the
 * queue: there the order cannot depend on the dates of what is left out.
 */
static enum bough_err walk_leap(struct bough_walk *w, struct bough_graph_commit **c, bool *over)
{
    const struct bough_repo__at *at;
    struct bough_graph_commit *to = *c;
    enum bough_err err;

    if (!w->filter || w->queue.n > 0 || w->same < w->r->history->patience)
        return BOUGH_OK;
    err = commit_look(w, *c, &at);
    if (err == BOUGH_OK)
        err = bough_history__leap(&w->graph, &w->look, *c, at, &to);
    if (err || to == *c)
        return err;
    *over = (to->flags & SEEN) != 0; /* another line came there before */
    if (*over) {
        (*c)->flags |= SAME;
        return BOUGH_OK;
    }
    to->flags |= SEEN | TAKEN;
    *c = to;
    return BOUGH_OK;
}

/* The next commit of a stream. */
static enum bough_err walk_stream(struct bough_walk *w, struct bough_graph_commit **out)
{
    struct bough_graph_commit *c = walk_take(w);
    bool over = false;
    enum bough_err err;

    if (c == NULL)
        return BOUGH_ENOENT;
    err = walk_leap(w, &c, &over);
    if (err == BOUGH_OK && !over)
        err = commit_simplify(w, c);
    w->same = (c->flags & SAME) != 0 ? w->same + 1 : 0;
    if (err == BOUGH_OK && !over)
        err = walk_put_parents(w, c);
    *out = c;
    return err;
}

enum bough_err bough_walk_next(struct bough_walk *w, struct bough_oid *out)
{
    struct bough_graph_commit *c;
    enum bough_err err;

    do {
        if (!w->limited) {
            err = walk_stream(w, &c);
            if (err)
                return err;
        } else if (w->list_at < w->list_n) {
            c = w->list[w->list_at++];
        } else {
            return BOUGH_ENOENT;
        }
    } while ((c->flags & (HIDDEN | SAME)) != 0);
    *out = c->id;
    return BOUGH_OK;
}

void bough_walk_close(struct bough_walk *w)
{
    struct bough_mem *mem;

    if (w == NULL)
        return;
    mem = w->r->mem;
    bough_graph_queue_fini(w->r, &w->queue);
    bough_repo__look_fini(&w->look);
    bough_graph_fini(&w->graph);
    bough_mem_free(mem, w->list, w->list_cap * sizeof *w->list);
    bough_mem_free(mem, w->stack, w->stack_cap * sizeof *w->stack);
    bough_mem_free(mem, w, sizeof *w);
}
