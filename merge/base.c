/*
 * base.c - where two commits parted: all best common ancestors.
 *
 *   painting   colours on commits, the walk's step, was the bound in the way?
 *   walking    from one commit and some others to what they have in common
 *   best       candidates that come from one another go
 *   the call   bough_merge_bases()
 *
 * Two colours flow from the two sides down to the parents, newest date first.  A commit that
 * has both is a candidate, and what lies below it is stale: common, and not best.  The walk is
 * over when everything left in the queue is stale.
 *
 *   1  A best common ancestor is always found: no commit on the way to it is stale, else it
 *      would not be best; so every one of them was stepped on before the end.
 *   2  Something else is found only where dates lie and a candidate was met before the colour
 *      of staleness came to it.  So candidates are walked against each other, which is sure
 *      whatever the dates, by 1.
 *   3  A bound is in the way when a commit that is not stale stands at it, and its parents lack
 *      its colour.  It may be stale and not know it yet: so then all is done once more,
 *      thoroughly, before the answer is given up.
 *   4  `open` is the number of the queue's items whose commit is not stale.
 */
#include "merge/merge.h"
#include "repo/graph.h"

enum { ONE = 1, OTHER = 2, BOTH = ONE | OTHER, STALE = 4, FOUND = 8 };

struct base_commit {
    struct bough_graph_commit c;
    uint32_t depth;  /* fewest parent links from the two commits asked for, as far as known */
    uint32_t queued; /* times in the queue */
    struct base_commit *painted;
};

struct candidate {
    struct base_commit *b;
    bool gone; /* it comes from another one */
};

struct base_walk {
    struct bough_repo *r;
    struct bough_graph graph;
    struct bough_graph_queue queue;
    size_t open;
    struct base_commit *painted; /* all that have a colour */
    uint32_t depth_max;          /* 0: none */
    bool thorough;               /* lead staleness to its end, too */
    struct candidate *found;     /* newest first; of equals, who was found first */
    size_t found_n, found_cap;
};

/* ---- Painting ---- */

static struct base_commit *commit_of(struct bough_graph_commit *c)
{
    return (struct base_commit *)c;
}

/* Give `b`, met at `depth`, these colours and a place in the queue. */
static enum bough_err commit_paint(
    struct base_walk *w, struct base_commit *b, uint32_t colours, uint32_t depth)
{
    bool met = b->c.parsed;
    enum bough_err err = bough_graph_parse(&w->graph, &b->c);

    if (err == BOUGH_OK)
        err = bough_graph_queue_put(w->r, &w->queue, &b->c);
    if (err)
        return err;
    if (!met || depth < b->depth)
        b->depth = depth;
    if (b->c.flags == 0) {
        b->painted = w->painted;
        w->painted = b;
    }
    if ((colours & STALE) != 0 && (b->c.flags & STALE) == 0)
        w->open -= b->queued;
    b->c.flags |= colours;
    b->queued++;
    w->open += (b->c.flags & STALE) == 0;
    return BOUGH_OK;
}

static enum bough_err found_add(struct base_walk *w, struct base_commit *b)
{
    void *found = w->found;
    enum bough_err err = bough_mem_grow(
        bough_repo_env(w->r)->mem, &found, &w->found_cap, w->found_n + 1, sizeof *w->found);
    size_t at = w->found_n;

    w->found = (struct candidate *)found;
    if (err)
        return err;
    for (; at > 0 && w->found[at - 1].b->c.time.sec < b->c.time.sec; at--)
        w->found[at] = w->found[at - 1];
    w->found[at] = (struct candidate){.b = b};
    w->found_n++;
    b->c.flags |= FOUND;
    return BOUGH_OK;
}

/* The first commit of the queue hands its colours on; `seek`: candidates are kept. */
static enum bough_err walk_step(struct base_walk *w, bool seek)
{
    struct base_commit *b = commit_of(bough_graph_queue_take(&w->queue));
    uint32_t colours = b->c.flags & (BOTH | STALE);
    uint32_t depth = w->depth_max == 0 ? 0 : b->depth + 1;
    enum bough_err err = BOUGH_OK;

    b->queued--;
    w->open -= (colours & STALE) == 0;
    if (colours == BOTH) {
        if (seek && (b->c.flags & FOUND) == 0)
            err = found_add(w, b);
        colours |= STALE;
    }
    if (depth > w->depth_max)
        return err;
    for (uint32_t i = 0; i < b->c.parents_n && err == BOUGH_OK; i++) {
        struct base_commit *p = commit_of(b->c.parents[i]);

        if ((p->c.flags & colours) != colours || depth < p->depth)
            err = commit_paint(w, p, colours, depth);
    }
    return err;
}

/* Could a commit behind the bound change what was painted? */
static bool walk_cut(const struct base_walk *w)
{
    if (w->depth_max == 0)
        return false;
    for (const struct base_commit *b = w->painted; b != NULL; b = b->painted) {
        uint32_t colours = b->c.flags & (BOTH | STALE);

        if (b->depth < w->depth_max || (colours != ONE && colours != OTHER))
            continue;
        for (uint32_t i = 0; i < b->c.parents_n; i++) {
            if ((b->c.parents[i]->flags & colours) == 0)
                return true;
        }
    }
    return false;
}

/* ---- Walking ---- */

static void walk_reset(struct base_walk *w)
{
    for (struct base_commit *b = w->painted, *next; b != NULL; b = next) {
        next = b->painted;
        b->painted = NULL;
        b->c.flags = 0;
        b->queued = 0;
    }
    w->painted = NULL;
    w->queue.n = 0;
    w->open = 0;
}

/* Step until only stale commits are left, or none. */
static enum bough_err walk_run(struct base_walk *w, bool seek)
{
    enum bough_err err = BOUGH_OK;

    while (err == BOUGH_OK && (w->thorough ? w->queue.n : w->open) > 0)
        err = walk_step(w, seek);
    if (err == BOUGH_OK && walk_cut(w)) {
        struct bough_why *why = bough_repo_why(w->r);

        err = BOUGH_WHY(why, BOUGH_EDEPTH, "depth of a search for merge bases", NULL, 0);
        why->at = w->depth_max;
    }
    return err;
}

/* ---- Best ---- */

/* Walk from candidate `one` and from all others that are left: who is met from the other side goes. */
static enum bough_err candidate_check(struct base_walk *w, size_t one)
{
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < w->found_n && err == BOUGH_OK; i++) {
        struct candidate *f = &w->found[i];

        if (!f->gone)
            err = commit_paint(w, f->b, i == one ? ONE : OTHER, f->b->depth);
    }
    if (err == BOUGH_OK)
        err = walk_run(w, false);
    for (size_t i = 0; i < w->found_n && err == BOUGH_OK; i++) {
        struct candidate *f = &w->found[i];

        f->gone = f->gone || (f->b->c.flags & (i == one ? OTHER : ONE)) != 0;
    }
    walk_reset(w);
    return err;
}

static enum bough_err candidates_reduce(struct base_walk *w)
{
    enum bough_err err = BOUGH_OK;

    if (w->found_n < 2)
        return BOUGH_OK;
    walk_reset(w);
    for (size_t i = 0; i < w->found_n && err == BOUGH_OK; i++) {
        if (!w->found[i].gone)
            err = candidate_check(w, i);
    }
    return err;
}

/* What is neither stale nor gone. */
static enum bough_err candidates_give(struct base_walk *w, struct bough_bases *out)
{
    struct bough_mem *mem = bough_repo_env(w->r)->mem;
    size_t n = 0;

    for (size_t i = 0; i < w->found_n; i++)
        n += !w->found[i].gone;
    if (n == 0)
        return BOUGH_OK;
    out->ids = bough_mem_alloc(mem, n * sizeof *out->ids);
    if (out->ids == NULL)
        return BOUGH_ENOMEM;
    for (size_t i = 0; i < w->found_n; i++) {
        if (!w->found[i].gone)
            out->ids[out->n++] = w->found[i].b->c.id;
    }
    return BOUGH_OK;
}

/* ---- The call ---- */

/* A candidate that became stale is below another one. */
static void found_drop_stale(struct base_walk *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->found_n; i++) {
        if ((w->found[i].b->c.flags & STALE) == 0)
            w->found[n++] = w->found[i];
    }
    w->found_n = n;
}

/* `id` is one of the two commits asked for. */
static enum bough_err walk_begin(struct base_walk *w, const struct bough_oid *id, uint32_t colour)
{
    struct bough_store *store = bough_repo_store(w->r);
    struct bough_graph_commit *c;
    struct bough_found what;
    enum bough_err err = bough_store_find(store, id, &what);

    if (err) {
        *bough_repo_why(w->r) = store->why;
        return err;
    }
    if (what.type != BOUGH_COMMIT) {
        char hex[BOUGH_HEX_MAX];
        size_t n = bough_oid_hex(store->algo, id, hex);

        return BOUGH_WHY(bough_repo_why(w->r), BOUGH_EINVAL, "not a commit", hex, n);
    }
    err = bough_graph_get(&w->graph, id, &c);
    return err ? err : commit_paint(w, commit_of(c), colour, 0);
}

static enum bough_err walk_all(
    struct base_walk *w, const struct bough_oid *a, const struct bough_oid *b)
{
    enum bough_err err = walk_begin(w, a, ONE);

    if (err == BOUGH_OK)
        err = walk_begin(w, b, OTHER);
    if (err == BOUGH_OK)
        err = walk_run(w, true);
    if (err)
        return err;
    found_drop_stale(w);
    return candidates_reduce(w);
}

enum bough_err bough_merge_bases(struct bough_repo *r, const struct bough_oid *a,
    const struct bough_oid *b, uint32_t depth_max, struct bough_bases *out)
{
    struct bough_mem *mem = bough_repo_env(r)->mem;
    struct base_walk w = {.r = r, .depth_max = depth_max};
    enum bough_err err;

    *out = (struct bough_bases){.mem = mem};
    bough_graph_init(&w.graph, r, sizeof(struct base_commit));
    err = walk_all(&w, a, b);
    if (err == BOUGH_EDEPTH) {
        walk_reset(&w);
        w.found_n = 0;
        w.thorough = true;
        err = walk_all(&w, a, b);
    }
    if (err == BOUGH_OK)
        err = candidates_give(&w, out);
    bough_mem_free(mem, w.found, w.found_cap * sizeof *w.found);
    bough_graph_queue_fini(r, &w.queue);
    bough_graph_fini(&w.graph);
    return err;
}

void bough_bases_fini(struct bough_bases *bases)
{
    bough_mem_free(bases->mem, bases->ids, bases->n * sizeof *bases->ids);
    *bases = (struct bough_bases){.mem = bases->mem};
}
