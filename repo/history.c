/*
 * history.c - questions to history.
 *
 *   last change   down the first parents that have the same, in leaps where they are indexed
 *   ancestry      by date, until found or exhausted
 */
#include "repo/history_inner.h"
#include "repo/inner.h"
#include "repo/look_inner.h"

/* ---- Last change ---- */

/* Does a parent of `c` have the same at the path?  The first such one, or NULL. */
static enum bough_err same_parent(struct bough_graph *g, struct bough_repo__look *l,
    const struct bough_graph_commit *c, const struct bough_repo__at *at,
    struct bough_graph_commit **out)
{
    *out = NULL;
    for (uint32_t i = 0; i < c->parents_n; i++) {
        struct bough_graph_commit *p = c->parents[i];
        struct bough_repo__at there = *at;
        enum bough_err err = bough_graph_parse(g, p);

        if (err == BOUGH_OK && !bough_oid_eq(&p->tree, &c->tree))
            err = bough_repo__look_in(l, &p->tree, &there);
        if (err)
            return err;
        if (bough_repo__at_same(at, &there)) {
            *out = p;
            return BOUGH_OK;
        }
    }
    return BOUGH_OK;
}

enum { MET = 1 };

/* From `*c` in one leap as far down as the index knows.  What it says leads down, or it lies: then one
   would go in a ring. */
static enum bough_err leap_down(struct bough_graph *g, struct bough_repo__look *l,
    const struct bough_repo__at *at, struct bough_graph_commit **c)
{
    struct bough_graph_commit *to = *c;
    enum bough_err err = bough_history__leap(g, l, *c, at, &to);

    (*c)->flags |= MET;
    if (to != *c && (to->flags & MET) != 0)
        bough_history__give_up(g->r, BOUGH_ECORRUPT);
    else
        *c = to;
    (*c)->flags |= MET;
    return err;
}

/* LM(c, p): c, unless a parent has the same at p; then LM(the first such parent, p). */
static enum bough_err last_change(struct bough_graph *g, struct bough_repo__look *l,
    struct bough_graph_commit *c, struct bough_graph_commit **out)
{
    struct bough_graph_commit *next = c;
    struct bough_repo__at at;
    uint32_t steps = 0;
    enum bough_err err = bough_graph_parse(g, c);

    if (err == BOUGH_OK)
        err = bough_repo__look_in(l, &c->tree, &at);
    if (err)
        return err;
    if (at.kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    while (err == BOUGH_OK && next != NULL) {
        c = next;
        if (steps++ >= g->r->history->patience && l->levels_n > 0)
            err = leap_down(g, l, &at, &c);
        if (err == BOUGH_OK)
            err = same_parent(g, l, c, &at, &next);
        *out = c;
    }
    return err;
}

enum bough_err bough_history_last_change(struct bough_repo *r, const struct bough_oid *commit,
    struct bough_view path, struct bough_oid *out, struct bough_time *when)
{
    struct bough_graph g;
    struct bough_repo__look l;
    struct bough_graph_commit *c;
    enum bough_err err;

    bough_graph_init(&g, r, sizeof(struct bough_graph_commit));
    err = bough_repo__look_init(&l, r, path);
    if (err == BOUGH_OK)
        err = bough_graph_get(&g, commit, &c);
    if (err == BOUGH_OK)
        err = last_change(&g, &l, c, &c);
    if (err == BOUGH_OK) {
        *out = c->id;
        if (when != NULL)
            *when = c->time;
    }
    bough_repo__look_fini(&l);
    bough_graph_fini(&g);
    return err;
}

/* ---- Ancestry ---- */

static enum bough_err queue_once(
    struct bough_graph *g, struct bough_graph_queue *q, struct bough_graph_commit *c)
{
    enum bough_err err;

    if (c->flags != 0)
        return BOUGH_OK;
    err = bough_graph_parse(g, c);
    if (err)
        return err;
    c->flags = 1;
    return bough_graph_queue_put(g->r, q, c);
}

enum bough_err bough_history_is_ancestor(
    struct bough_repo *r, const struct bough_oid *a, const struct bough_oid *b, bool *out)
{
    struct bough_graph g;
    struct bough_graph_queue q = {0};
    struct bough_graph_commit *c;
    enum bough_err err;

    *out = bough_oid_eq(a, b);
    if (*out)
        return BOUGH_OK;
    bough_graph_init(&g, r, sizeof(struct bough_graph_commit));
    err = bough_graph_get(&g, b, &c);
    if (err == BOUGH_OK)
        err = queue_once(&g, &q, c);
    while (err == BOUGH_OK && !*out && (c = bough_graph_queue_take(&q)) != NULL) {
        for (uint32_t i = 0; i < c->parents_n && err == BOUGH_OK && !*out; i++) {
            *out = bough_oid_eq(&c->parents[i]->id, a);
            if (!*out)
                err = queue_once(&g, &q, c->parents[i]);
        }
    }
    bough_graph_queue_fini(r, &q);
    bough_graph_fini(&g);
    return err;
}
