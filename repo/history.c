/*
 * history.c - questions to history, answered by walking.
 *
 *   last change   down the first parents that have the same
 *   ancestry      by date, until found or exhausted
 */
#include "repo/inner.h"

/* ---- Last change ---- */

/* Does a parent of `c` have the same at the path?  The first such one, or NULL. */
static enum bough_err same_parent(struct bough_repo__graph *g, struct bough_repo__look *l,
    const struct bough_repo__commit *c, const struct bough_repo__at *at,
    struct bough_repo__commit **out)
{
    *out = NULL;
    for (uint32_t i = 0; i < c->parents_n; i++) {
        struct bough_repo__commit *p = c->parents[i];
        struct bough_repo__at there = *at;
        enum bough_err err = bough_repo__graph_parse(g, p);

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

/* LM(c, p): c, unless a parent has the same at p; then LM(the first such parent, p). */
static enum bough_err last_change(struct bough_repo__graph *g, struct bough_repo__look *l,
    struct bough_repo__commit *c, struct bough_repo__commit **out)
{
    struct bough_repo__commit *next = c;
    struct bough_repo__at at;
    enum bough_err err = bough_repo__graph_parse(g, c);

    if (err == BOUGH_OK)
        err = bough_repo__look_in(l, &c->tree, &at);
    if (err)
        return err;
    if (at.kind == BOUGH_NODE_NONE)
        return BOUGH_ENOENT;
    while (err == BOUGH_OK && next != NULL) {
        c = next;
        err = same_parent(g, l, c, &at, &next);
        *out = c;
    }
    return err;
}

enum bough_err bough_history_last_change(struct bough_repo *r, const struct bough_oid *commit,
    struct bough_view path, struct bough_oid *out, struct bough_time *when)
{
    struct bough_repo__graph g;
    struct bough_repo__look l;
    struct bough_repo__commit *c;
    enum bough_err err;

    bough_repo__graph_init(&g, r);
    err = bough_repo__look_init(&l, r, path);
    if (err == BOUGH_OK)
        err = bough_repo__graph_get(&g, commit, &c);
    if (err == BOUGH_OK)
        err = last_change(&g, &l, c, &c);
    if (err == BOUGH_OK) {
        *out = c->id;
        if (when != NULL)
            *when = c->time;
    }
    bough_repo__look_fini(&l);
    bough_repo__graph_fini(&g);
    return err;
}

/* ---- Ancestry ---- */

static enum bough_err queue_once(
    struct bough_repo__graph *g, struct bough_repo__queue *q, struct bough_repo__commit *c)
{
    enum bough_err err;

    if (c->flags != 0)
        return BOUGH_OK;
    err = bough_repo__graph_parse(g, c);
    if (err)
        return err;
    c->flags = 1;
    return bough_repo__queue_put(g->r, q, c);
}

enum bough_err bough_history_is_ancestor(
    struct bough_repo *r, const struct bough_oid *a, const struct bough_oid *b, bool *out)
{
    struct bough_repo__graph g;
    struct bough_repo__queue q = {0};
    struct bough_repo__commit *c;
    enum bough_err err;

    *out = bough_oid_eq(a, b);
    if (*out)
        return BOUGH_OK;
    bough_repo__graph_init(&g, r);
    err = bough_repo__graph_get(&g, b, &c);
    if (err == BOUGH_OK)
        err = queue_once(&g, &q, c);
    while (err == BOUGH_OK && !*out && (c = bough_repo__queue_take(&q)) != NULL) {
        for (uint32_t i = 0; i < c->parents_n && err == BOUGH_OK && !*out; i++) {
            *out = bough_oid_eq(&c->parents[i]->id, a);
            if (!*out)
                err = queue_once(&g, &q, c->parents[i]);
        }
    }
    bough_repo__queue_fini(r, &q);
    bough_repo__graph_fini(&g);
    return err;
}
