/*
 * history_run.c - lines of first parents on their way into the index.
 *
 *   collecting   down from a commit until one is indexed, history ends, or enough
 *   placing      which chain, upwards or downwards
 *   stopping     what is left for another batch
 *
 * A run that comes down to an indexed commit is placed upwards on top of it: so a branch that
 * grows stays one chain.  One that was too long, or came to the end of history, is placed
 * downwards; who goes on below it continues the chain.
 */
#include "repo/history_inner.h"
#include "repo/inner.h"

static const struct bough_history__place nowhere = {0, 0};

/* ---- Placing ---- */

static struct bough_history__place chain_new(struct bough_history__batch *b)
{
    return (struct bough_history__place){b->r->history->chain_next++, BOUGH_HISTORY__MIDDLE};
}

/* Is the place above an indexed commit free? */
static enum bough_err above_free(
    struct bough_history__batch *b, struct bough_history__commit *c, bool *out)
{
    struct bough_history__place above = {c->at.chain, c->at.pos + 1};
    struct bough_oid id;
    enum bough_err err;

    *out = false;
    if (c->extended)
        return BOUGH_OK;
    err = bough_history__id_at(b->r, above, &id);
    *out = err == BOUGH_ENOENT;
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* The run is known: `on` is the indexed commit below it, or NULL. */
static enum bough_err run_place(struct bough_history__batch *b, struct bough_history__commit *on)
{
    bool vacant = false;
    enum bough_err err = BOUGH_OK;

    b->state = BOUGH_HISTORY__PLACING;
    b->placed = 0;
    b->up = on != NULL && b->child.chain == 0;
    b->seam = on != NULL;
    if (b->child.chain != 0) {
        b->at = (struct bough_history__place){b->child.chain, b->child.pos - 1};
        return BOUGH_OK;
    }
    if (b->up)
        err = above_free(b, on, &vacant);
    if (err)
        return err;
    if (!vacant) {
        b->at = chain_new(b);
        return BOUGH_OK;
    }
    b->seam = false;
    b->child = on->at; /* what it stands on */
    b->at = (struct bough_history__place){on->at.chain, on->at.pos + 1};
    return BOUGH_OK;
}

static enum bough_err run_end(struct bough_history__batch *b)
{
    bool continues = !b->up && !b->seam && b->below != NULL && b->child.chain != 0;

    b->state = BOUGH_HISTORY__NO_RUN;
    if (b->up || b->seam || b->below == NULL)
        return BOUGH_OK;
    return bough_history__batch_end(b, &b->below->id, continues ? b->child : nowhere);
}

static enum bough_err place_step(struct bough_history__batch *b, uint64_t *cost)
{
    size_t i = b->up ? b->run_n - 1 - b->placed : b->placed;
    bool lowest = b->seam && i == b->run_n - 1;
    enum bough_err err = bough_history__batch_add(b, b->run[i], lowest, cost);

    b->placed++;
    return err == BOUGH_OK && b->placed == b->run_n ? run_end(b) : err;
}

/* ---- Collecting ---- */

/* The run is known, but the last ones of it may be indexed: then it ends above them. */
static enum bough_err run_close(struct bough_history__batch *b, struct bough_history__commit *on)
{
    size_t least = b->run_n > BOUGH_HISTORY__STRIDE ? b->run_n - BOUGH_HISTORY__STRIDE : 1;

    while (b->run_n > least) {
        struct bough_history__commit *c = b->run[b->run_n - 1];
        enum bough_err err = bough_history__batch_find(b, c);

        if (err == BOUGH_ENOENT)
            break;
        if (err)
            return err;
        on = c;
        b->run_n--;
    }
    return run_place(b, on);
}

static enum bough_err collect_step(struct bough_history__batch *b)
{
    struct bough_history__commit *last = b->run[b->run_n - 1], *p;
    enum bough_err err = BOUGH_ENOENT;

    b->below = last->c.parents_n > 0 ? last->c.parents[0] : NULL;
    if (b->below == NULL)
        return run_close(b, NULL);
    p = bough_history__commit_of(b->below);
    if (p->at.chain != 0 || b->run_n % BOUGH_HISTORY__STRIDE == 1)
        err = bough_history__batch_find(b, p);
    if (err != BOUGH_ENOENT)
        return err ? err : run_close(b, p);
    if (b->run_n == BOUGH_HISTORY__BATCH)
        return run_close(b, NULL);
    err = bough_graph_parse(&b->graph, b->below);
    if (err == BOUGH_ENOENT || err == BOUGH_ECORRUPT) {
        b->below = NULL; /* history ends here, by damage */
        return run_close(b, NULL);
    }
    if (err == BOUGH_OK)
        b->run[b->run_n++] = p;
    return err;
}

enum bough_err bough_history__run_step(struct bough_history__batch *b, uint64_t *cost)
{
    if (b->state == BOUGH_HISTORY__PLACING)
        return place_step(b, cost);
    *cost += 512;
    return collect_step(b);
}

enum bough_err bough_history__run_begin(
    struct bough_history__batch *b, const struct bough_oid *id, struct bough_history__place child)
{
    struct bough_graph_commit *c;
    enum bough_err err = bough_graph_get(&b->graph, id, &c);

    if (err == BOUGH_OK)
        err = bough_graph_parse(&b->graph, c);
    if (err)
        return err;
    b->run[0] = bough_history__commit_of(c);
    b->run_n = 1;
    b->child = child;
    b->state = BOUGH_HISTORY__COLLECTING;
    return BOUGH_OK;
}

/* ---- Stopping ---- */

enum bough_err bough_history__run_stop(struct bough_history__batch *b)
{
    if (b->state == BOUGH_HISTORY__NO_RUN)
        return BOUGH_OK;
    b->state = BOUGH_HISTORY__NO_RUN;
    if (b->up)
        return bough_history__batch_end(b, &b->run[0]->c.id, nowhere);
    return bough_history__batch_end(b, &b->run[b->placed]->c.id, b->child);
}
