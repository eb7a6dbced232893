/*
 * intake_phase.c - what happens after a pack is received, a budget at a time.
 *
 *   phases   each goes on for a while (see intake_inner.h)
 *   step     runs them in their order
 *   rows     handed out and looked up
 */
#include "store/intake_inner.h"

/* What a step of a phase spends of the budget: about the bytes inflated in that time. */
enum { SORT_COST = 1024, LINK_COST = 32, ROW_COST = 512 };

/* ---- phases: each answers BOUGH_EAGAIN while it has more to do ---- */

static enum bough_err sort_run(struct bough_store__intake *in, bool refs, uint64_t budget)
{
    uint64_t steps = budget / SORT_COST + 1;

    in->spent += steps * SORT_COST;
    return bough_store__sort_step(in, refs, steps) ? BOUGH_OK : BOUGH_EAGAIN;
}

/* What the store had while the pack was received may have gone: then the pack brings it. */
static enum bough_err known_run(struct bough_store__intake *in, uint64_t budget)
{
    enum { COST = 2048 };

    for (; in->lost && in->at < in->pack_nodes && in->spent < budget; in->at++) {
        struct bough_store__node *node = bough_store__node(in, in->at);
        struct bough_oid id;
        enum bough_err err;

        in->spent += LINK_COST;
        if (!(node->flags & BOUGH_STORE__KNOWN))
            continue;
        in->spent += COST;
        id = bough_oid_raw(in->algo, bough_store__node_id(in, in->at));
        err = in->host->cls->known(in->host, &id);
        if (err == BOUGH_ENOENT)
            node->flags &= (uint8_t) ~(BOUGH_STORE__KNOWN | BOUGH_STORE__UNSEEN);
        else if (err)
            return err;
    }
    return in->lost && in->at < in->pack_nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

void bough_store__intake_lost(struct bough_store__intake *in)
{
    BOUGH_ASSERT(in->phase <= BOUGH_STORE__KNOWN_AGAIN);
    in->lost = true;
}

/* Each OFS delta joins its base; bases come before, so weights are whole when they are used. */
static enum bough_err link_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->pack_nodes && in->spent < budget; in->at++, in->spent += LINK_COST) {
        uint32_t i = in->pack_nodes - 1 - in->at;
        struct bough_store__node *node = bough_store__node(in, i), *base;

        if (node->stored != BOUGH_OFS_DELTA)
            continue;
        base = bough_store__node(in, node->next);
        if (!(base->flags & BOUGH_STORE__RESOLVED))
            base->order += node->order;
        bough_store__kid_add(in, &base->kids, i);
    }
    return in->at < in->pack_nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

/* Go on with the walk under way until it is over. */
static enum bough_err walk_run(struct bough_store__intake *in, uint64_t budget)
{
    bool over = in->depth == 0;

    while (!over && in->spent < budget) {
        enum bough_err err = bough_store__walk_step(in, &over);
        if (err)
            return err;
    }
    return over ? BOUGH_OK : BOUGH_EAGAIN;
}

static enum bough_err roots_run(struct bough_store__intake *in, uint64_t budget)
{
    for (;; in->at++, in->spent += LINK_COST) {
        enum bough_err err = walk_run(in, budget);
        uint32_t kids;

        if (err)
            return err;
        while (in->at < in->pack_nodes &&
               bough_entry_is_delta((enum bough_type)bough_store__node(in, in->at)->stored))
            in->at++;
        if (in->at == in->pack_nodes)
            return BOUGH_OK;
        kids = bough_store__node(in, in->at)->kids;
        if (in->ref_count > 0) {
            struct bough_oid id = bough_oid_raw(in->algo, bough_store__node_id(in, in->at));
            bough_store__refs_link(in, &id, &kids);
        }
        if (kids != BOUGH_STORE__NIL)
            err = bough_store__walk_begin(in, in->at, kids);
        if (err)
            return err;
    }
}

/* The first delta that no walk reached is what the refusal names. */
static enum bough_err unreached(struct bough_store__intake *in)
{
    for (size_t k = 0; k < in->ref_count; k++)
        if (in->refs[k].node != BOUGH_STORE__NIL)
            return bough_store__intake_fail_id(
                in, BOUGH_EFORMAT, "delta base missing, or deltas in a circle", &in->refs[k].base);
    return bough_store__intake_fail(in, BOUGH_EFORMAT, "unresolved deltas", in->nodes);
}

static enum bough_err thin_run(struct bough_store__intake *in, uint64_t budget)
{
    for (;; in->at++) {
        enum bough_err err = walk_run(in, budget);

        if (err)
            return err;
        while (in->at < in->ref_count && in->refs[in->at].node == BOUGH_STORE__NIL)
            in->at++;
        if (in->at == in->ref_count)
            break;
        err = bough_store__walk_fetch(in, &in->refs[in->at].base);
        if (err && err != BOUGH_ENOENT)
            return err;
    }
    return in->resolved == in->nodes ? BOUGH_OK : unreached(in);
}

static enum bough_err compare_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->pack_nodes && in->spent < budget; in->spent += LINK_COST) {
        bool more = false;
        enum bough_err err = BOUGH_OK;

        if (bough_store__node(in, in->at)->flags & BOUGH_STORE__UNSEEN)
            err = bough_store__entry_compare(in, in->at, &more);
        if (err)
            return err;
        if (!more)
            in->at++;
    }
    return in->at < in->pack_nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

static enum bough_err rows_sort(struct bough_store__intake *in, uint64_t budget)
{
    if (in->perm == NULL && in->nodes > 0) {
        in->perm = (uint32_t *)bough_mem_alloc(in->mem, in->nodes * sizeof *in->perm);
        if (in->perm == NULL)
            return BOUGH_ENOMEM;
        in->perm_cap = in->nodes;
        for (uint32_t i = 0; i < in->nodes; i++)
            in->perm[i] = i;
    }
    return sort_run(in, false, budget);
}

/* Keep the first of each id, and hand it out. */
static enum bough_err rows_run(struct bough_store__intake *in, uint64_t budget)
{
    for (; in->at < in->nodes && in->spent < budget; in->at++, in->spent += ROW_COST) {
        uint32_t i = in->perm[in->at], last = in->rows > 0 ? in->perm[in->rows - 1] : i;
        const struct bough_store__node *node = bough_store__node(in, i),
                                       *before = bough_store__node(in, last);
        struct bough_store__intake_row row;
        enum bough_err err;

        if (in->rows > 0 &&
            memcmp(bough_store__node_id(in, i), bough_store__node_id(in, last), in->id_len) == 0) {
            if (node->type != before->type || node->size != before->size)
                return bough_store__intake_fail(
                    in, BOUGH_EFORMAT, "collision inside the pack", node->at);
            continue;
        }
        in->perm[in->rows++] = i;
        if (in->host->cls->row == NULL)
            continue;
        row = bough_store__intake_row(in, in->rows - 1);
        err = in->host->cls->row(in->host, &row);
        if (err)
            return err;
    }
    return in->at < in->nodes ? BOUGH_EAGAIN : BOUGH_OK;
}

static enum bough_err phase_run(struct bough_store__intake *in, uint64_t budget)
{
    switch (in->phase) {
    case BOUGH_STORE__RECEIVE:
        return BOUGH_EINVAL;
    case BOUGH_STORE__KNOWN_AGAIN:
        return known_run(in, budget);
    case BOUGH_STORE__SORT_REFS:
        return sort_run(in, true, budget);
    case BOUGH_STORE__LINK:
        return link_run(in, budget);
    case BOUGH_STORE__ROOTS:
        return roots_run(in, budget);
    case BOUGH_STORE__THIN:
        return thin_run(in, budget);
    case BOUGH_STORE__COMPARE:
        return compare_run(in, budget);
    case BOUGH_STORE__SORT_ROWS:
        return rows_sort(in, budget);
    case BOUGH_STORE__ROWS:
        return rows_run(in, budget);
    case BOUGH_STORE__DONE:
        break;
    }
    return BOUGH_OK;
}

enum bough_err bough_store__intake_step(struct bough_store__intake *in, uint64_t budget)
{
    BOUGH_ASSERT(in->err || in->phase != BOUGH_STORE__RECEIVE);
    if (budget == 0)
        budget = 1;
    in->spent = 0;
    while (!in->err && in->phase != BOUGH_STORE__DONE) {
        enum bough_err err;

        if (in->spent >= budget)
            return BOUGH_EAGAIN;
        err = phase_run(in, budget);
        if (err == BOUGH_EAGAIN)
            return err;
        in->err = err;
        in->at = 0;
        in->phase++;
    }
    return in->err;
}

/* ---- rows ---- */

static struct bough_store__intake_row row_of(const struct bough_store__intake *in, uint32_t i)
{
    const struct bough_store__node *node = bough_store__node(in, i);

    return (struct bough_store__intake_row){
        .id = bough_oid_raw(in->algo, bough_store__node_id(in, i)),
        .type = (enum bough_type)node->type,
        .stored = (enum bough_type)node->stored,
        .size = node->size,
        .at = node->at,
        .packed_len = bough_store__node_end(in, i) - node->at,
        .crc = node->crc,
        .known = (node->flags & BOUGH_STORE__KNOWN) != 0,
        .completed = (node->flags & BOUGH_STORE__APPENDED) != 0,
    };
}

struct bough_store__intake_row bough_store__intake_row(
    const struct bough_store__intake *in, uint64_t n)
{
    BOUGH_ASSERT(n < in->rows);
    return row_of(in, in->perm[n]);
}

struct bough_store__intake_row bough_store__intake_entry(
    const struct bough_store__intake *in, uint64_t i)
{
    BOUGH_ASSERT(i < in->nodes);
    return row_of(in, (uint32_t)i);
}

enum bough_err bough_store__intake_find(
    const struct bough_store__intake *in, const struct bough_oid *id, uint64_t *n)
{
    uint32_t lo = 0, hi = in->phase == BOUGH_STORE__DONE ? in->rows : 0;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int cmp = memcmp(bough_store__node_id(in, in->perm[mid]), id->bytes, in->id_len);

        if (cmp == 0) {
            *n = mid;
            return BOUGH_OK;
        }
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return BOUGH_ENOENT;
}

struct bough_store__intake_facts bough_store__intake_facts(const struct bough_store__intake *in)
{
    return (struct bough_store__intake_facts){
        .received = in->phase != BOUGH_STORE__RECEIVE,
        .done = in->phase == BOUGH_STORE__DONE && !in->err,
        .len = in->reader.at,
        .area_len = in->area_len,
        .entries = in->reader.count,
        .resolved = in->resolved,
        .count = in->rows,
        .work = in->work,
    };
}

void bough_store__intake_tell(const struct bough_store__intake *in, struct bough_intake *face)
{
    struct bough_store__intake_facts f = bough_store__intake_facts(in);

    face->received = f.received;
    face->len = f.len;
    face->resolved = f.resolved;
    face->count = f.done ? f.count : f.entries;
}
