/*
 * history_step.c - upkeep of the index, in bounded steps.
 *
 *   life        made with the repository, told what moves
 *   starts      where something may not be indexed: ends, branches that moved, all refs
 *   indexing    a batch, run by run
 *   anew        forgotten, because it is damaged or somebody wants that
 *   sweeping    after a collection: is most of it gone?
 *   step        one of these, or a merge
 *
 * Nothing waits for the index and nothing depends on it: a step that fails is forgotten.
 */
#include "repo/commit_inner.h"
#include "repo/history_inner.h"
#include "repo/inner.h"

enum { BATCH_MIN = 256, PATIENCE = 8, LOOK_COST = 256, FULL_PART = 8, CHAIN_FIRST_MAX = 1 << 30 };

/* ---- Life ---- */

enum bough_err bough_history__init(struct bough_repo *r, uint32_t batch_min)
{
    struct bough_history *h = bough_mem_zalloc(r->mem, 1, sizeof *h);

    if (h == NULL)
        return BOUGH_ENOMEM;
    r->history = h;
    bough_buf_init(&h->ref, r->mem);
    h->batch_min = batch_min == 0 ? BATCH_MIN : batch_min;
    h->patience = h->batch_min < PATIENCE ? h->batch_min : PATIENCE;
    h->off = h->none = batch_min == UINT32_MAX || (r->store->caps & BOUGH_STORE_SHARED) != 0;
    h->refs = h->ends = true;
    return BOUGH_OK;
}

/* What is under way is given up. */
static void work_drop(struct bough_history *h)
{
    bough_history__batch_free(h->batch);
    bough_history__merge_free(h->merge);
    h->batch = NULL;
    h->merge = NULL;
    h->starts_n = 0;
}

void bough_history__fini(struct bough_repo *r)
{
    struct bough_history *h = r->history;

    if (h == NULL)
        return;
    work_drop(h);
    bough_buf_fini(&h->ref);
    bough_mem_free(r->mem, h->cuts, h->cuts_cap * sizeof *h->cuts);
    bough_mem_free(r->mem, h, sizeof *h);
    r->history = NULL;
}

static void look_again(struct bough_history *h)
{
    h->refs = h->ends = true;
    h->again = false;
    bough_buf_clear(&h->ref);
    h->end_segment = 0;
    memset(h->end_row, 0, sizeof h->end_row);
}

static void todo_put(struct bough_history *h, const struct bough_oid *id)
{
    for (size_t i = 0; i < h->todo_n; i++) {
        if (bough_oid_eq(&h->todo[i], id))
            return;
    }
    if (h->todo_n < BOUGH_HISTORY__TODO)
        h->todo[h->todo_n++] = *id;
    else
        h->again = true;
}

void bough_history__moved(
    struct bough_repo *r, const struct bough_oid *old, const struct bough_oid *now, uint64_t n)
{
    struct bough_history *h = r->history;

    if (bough_oid_is_zero(now) || bough_oid_eq(now, &h->known))
        return;
    h->moved = n < UINT64_MAX - h->moved ? h->moved + n : UINT64_MAX;
    for (size_t i = 0; i < h->todo_n; i++) {
        if (bough_oid_eq(&h->todo[i], old)) {
            h->todo[i] = *now;
            return;
        }
    }
    todo_put(h, now);
}

/* ---- Starts ---- */

/* A commit to begin with?  BOUGH_ENOENT: it is none, is gone, or is indexed. */
static enum bough_err start_try(
    struct bough_repo *r, const struct bough_oid *id, struct bough_history__place child)
{
    struct bough_history *h = r->history;
    struct bough_graph_commit *c;
    enum bough_err err;

    if (bough_oid_eq(id, &h->known))
        return BOUGH_ENOENT;
    err = bough_graph_get(&h->batch->graph, id, &c);
    if (err == BOUGH_OK)
        err = bough_history__batch_find(h->batch, bough_history__commit_of(c));
    if (err == BOUGH_OK)
        h->known = *id;
    if (err != BOUGH_ENOENT)
        return err == BOUGH_OK ? BOUGH_ENOENT : err;
    err = bough_history__run_begin(h->batch, id, child);
    return err == BOUGH_ECORRUPT ? BOUGH_ENOENT : err;
}

/* What a branch or tag leads to; it is remembered until the batch is written. */
static enum bough_err start_tip(struct bough_repo *r, const struct bough_oid *id)
{
    static const struct bough_history__place nowhere;
    struct bough_history *h = r->history;
    struct bough_oid commit;
    enum bough_type type;
    enum bough_err err = bough_repo__peel(r, id, &commit, &type);

    if (err == BOUGH_ECORRUPT || (err == BOUGH_OK && type != BOUGH_COMMIT))
        return BOUGH_ENOENT;
    if (err == BOUGH_OK)
        err = start_try(r, &commit, nowhere);
    if (err)
        return err;
    if (h->starts_n < BOUGH_HISTORY__TODO)
        h->starts[h->starts_n++] = commit;
    else
        h->again = true;
    return BOUGH_OK;
}

static enum bough_err start_ref(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    struct bough_ref ref;
    enum bough_err err =
        bough_store_ref_next(r->store, bough_view_str("refs/"), bough_buf_view(&h->ref), &ref);

    if (err) {
        h->refs = h->refs && err != BOUGH_ENOENT;
        return err;
    }
    bough_buf_clear(&h->ref);
    bough_buf_put_view(&h->ref, ref.name);
    if (h->ref.err)
        return h->ref.err;
    return ref.kind == BOUGH_REF_ID ? start_tip(r, &ref.id) : BOUGH_ENOENT;
}

/* The next end of any segment. */
static enum bough_err start_end(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    size_t len = bough_history__row_len(r, BOUGH_HISTORY__ENDS);
    const struct bough_history__segment *s;
    struct bough_oid id = {{0}};
    enum bough_err err;

    h->ends = h->end_segment < h->segments;
    if (!h->ends)
        return BOUGH_ENOENT;
    s = &h->segment[h->segments - 1 - h->end_segment];
    err = bough_history__row_ge(r, &s->root, BOUGH_HISTORY__ENDS, h->end_row, h->end_row);
    if (err == BOUGH_ENOENT) {
        h->end_segment++;
        memset(h->end_row, 0, sizeof h->end_row);
    }
    if (err)
        return err;
    memcpy(id.bytes, h->end_row, r->hash_len);
    err = start_try(r, &id, bough_history__place_get(h->end_row + r->hash_len));
    bough_history__row_step(h->end_row, len);
    return err;
}

/* An end of the batch itself. */
static enum bough_err start_batch(struct bough_repo *r)
{
    struct bough_buf *rows = &r->history->batch->rows[BOUGH_HISTORY__ENDS];
    struct bough_oid id = {{0}};

    rows->len -= bough_history__row_len(r, BOUGH_HISTORY__ENDS);
    memcpy(id.bytes, rows->ptr + rows->len, r->hash_len);
    return start_try(r, &id, bough_history__place_get(rows->ptr + rows->len + r->hash_len));
}

/* Look in one place; `*over`: there is no other. */
static enum bough_err start_next(struct bough_repo *r, bool *over)
{
    struct bough_history *h = r->history;
    struct bough_oid id;

    *over = false;
    if (h->batch->rows[BOUGH_HISTORY__ENDS].len > 0)
        return start_batch(r);
    if (h->todo_n > 0) {
        id = h->todo[--h->todo_n];
        return start_tip(r, &id);
    }
    if (h->refs)
        return start_ref(r);
    if (h->ends)
        return start_end(r);
    *over = true;
    return BOUGH_ENOENT;
}

/* ---- Indexing ---- */

/* What came together is written, or is not enough and waits for more. */
static enum bough_err batch_end(struct bough_history *h, bool over)
{
    struct bough_history__batch *b = h->batch;
    size_t n = b->commits + (b->state == BOUGH_HISTORY__NO_RUN ? 0 : b->run_n - b->placed);
    bool enough = b->commits >= h->batch_min || bough_history__batch_full(b);
    enum bough_err err = BOUGH_OK;

    if (enough) {
        err = bough_history__batch_write(b);
        h->ends = true;
    } else if (n > 0) {
        h->again = h->again || h->starts_n == 0; /* it came from ends */
        for (size_t i = 0; i < h->starts_n; i++)
            todo_put(h, &h->starts[i]);
    }
    if (over)
        h->moved = enough ? 0 : n;
    h->starts_n = 0;
    bough_history__batch_free(b);
    h->batch = NULL;
    return err;
}

/* Is there only a short run, known before it was compared with anything? */
static bool batch_is_small(const struct bough_history *h)
{
    const struct bough_history__batch *b = h->batch;

    if (b->state != BOUGH_HISTORY__PLACING || b->placed > 0 || b->commits > 0 || h->todo_n > 0 ||
        h->refs || h->ends || b->run_n >= h->batch_min)
        return false;
    for (size_t i = 0; i < b->run_n; i++) {
        if (b->run[i]->c.parents_n > 1)
            return false;
    }
    return true;
}

static enum bough_err index_step(struct bough_repo *r, uint64_t budget)
{
    struct bough_history *h = r->history;
    enum bough_err err = h->batch == NULL ? bough_history__batch_new(r, &h->batch) : BOUGH_OK;

    for (uint64_t cost = 0; err == BOUGH_OK && cost < budget;) {
        bool over;

        if (bough_history__batch_full(h->batch)) {
            err = bough_history__run_stop(h->batch);
            return err ? err : batch_end(h, false);
        }
        if (batch_is_small(h))
            return batch_end(h, true);
        if (h->batch->state != BOUGH_HISTORY__NO_RUN) {
            err = bough_history__run_step(h->batch, &cost);
            continue;
        }
        err = start_next(r, &over);
        if (over)
            return batch_end(h, true);
        cost += LOOK_COST;
        err = err == BOUGH_ENOENT ? BOUGH_OK : err;
    }
    return err;
}

/* ---- Anew ---- */

enum bough_err bough_history_forget(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    enum bough_err err;

    if (r->gathering || r->txn != NULL)
        return BOUGH_WHY(&r->why, BOUGH_ENESTED, "not within a gather", NULL, 0);
    work_drop(h);
    err = bough_history__drop(r);
    if (err)
        return err;
    h->loaded = h->sweeping = h->cuts_known = false;
    bough_env_random(r->store->env, &h->salt, sizeof h->salt);
    h->salt = h->salt % CHAIN_FIRST_MAX + 1;
    look_again(h);
    return BOUGH_OK;
}

/* A damaged index goes, once. */
static bool mend(struct bough_repo *r)
{
    struct bough_history *h = r->history;

    if (!h->broken || h->mended)
        return false;
    h->mended = true;
    if (bough_history_forget(r) != BOUGH_OK)
        return false;
    h->off = h->broken = false;
    return true;
}

/* ---- Sweeping ---- */

/* Commits that are gone do no harm, but take room. */
static enum bough_err sweep_end(struct bough_repo *r)
{
    struct bough_history *h = r->history;

    h->sweeping = false;
    return h->gone * 2 > h->swept ? bough_history_forget(r) : BOUGH_OK;
}

static enum bough_err sweep_step(struct bough_repo *r, uint64_t budget)
{
    struct bough_history *h = r->history;
    size_t len = bough_history__row_len(r, BOUGH_HISTORY__COMMITS);
    struct bough_buf rows;
    enum bough_err err = BOUGH_OK;

    if (h->sweep_segment >= h->segments)
        return sweep_end(r);
    bough_buf_init(&rows, r->mem);
    for (uint64_t cost = 0; err == BOUGH_OK && cost < budget; cost += 8 * BOUGH_HISTORY__CHUNK) {
        err = bough_history__chunk(r, &h->segment[h->sweep_segment].root, BOUGH_HISTORY__COMMITS,
            h->sweep_row, true, &rows);
        for (size_t at = 0; err == BOUGH_OK && at < rows.len; at += len) {
            struct bough_oid id = {{0}};

            memcpy(h->sweep_row, rows.ptr + at, len);
            memcpy(id.bytes, rows.ptr + at + BOUGH_HISTORY__PLACE, r->hash_len);
            h->swept++;
            h->gone += bough_store_has(r->store, &id) == BOUGH_ENOENT;
        }
    }
    bough_buf_fini(&rows);
    if (err != BOUGH_ENOENT)
        return err;
    h->sweep_segment++;
    memset(h->sweep_row, 0, sizeof h->sweep_row);
    return BOUGH_OK;
}

/* After a collection that dropped something. */
static void sweep_begin(struct bough_repo *r)
{
    struct bough_history *h = r->history;
    struct bough_collect_progress p;

    bough_store_collection(r->store, &p);
    if (p.collections == h->collections || p.phase != BOUGH_COLLECT_IDLE)
        return;
    h->collections = p.collections;
    if (p.dead == 0 || h->segments == 0)
        return;
    h->sweeping = true;
    h->swept = h->gone = 0;
    h->sweep_segment = 0;
    memset(h->sweep_row, 0, sizeof h->sweep_row);
}

/* ---- Step ---- */

/* May it write now, and should it? */
static bool step_can(struct bough_repo *r)
{
    struct bough_history *h = r->history;

    if (r->store->read_only || r->gathering || r->txn != NULL || r->store->txn != NULL)
        return false;
    if (h->off && !mend(r))
        return false;
    if (h->moved >= h->batch_min) {
        h->resting = false;
        if (h->again)
            look_again(h);
    }
    return !h->resting;
}

/* The last room of a device is for what users write. */
static bool room_is_short(struct bough_repo *r)
{
    struct bough_store_stats st;

    return bough_store_stat(r->store, &st) != BOUGH_OK ||
           (st.device_bytes > 0 && st.used_bytes > st.device_bytes - st.device_bytes / FULL_PART);
}

static bool index_due(const struct bough_history *h)
{
    return h->batch != NULL || h->refs || h->ends || (h->todo_n > 0 && h->moved >= h->batch_min);
}

static enum bough_err step_do(struct bough_repo *r, uint64_t budget, bool *more)
{
    struct bough_history *h = r->history;
    enum bough_err err = bough_history__load(r);

    if (err)
        return err;
    sweep_begin(r);
    *more = bough_history__merge_due(h) || index_due(h) || h->sweeping;
    if (!*more)
        return BOUGH_OK;
    if (h->sweeping)
        return sweep_step(r, budget);
    if (room_is_short(r))
        return BOUGH_ENOSPC;
    if (bough_history__merge_due(h))
        return bough_history__merge_step(r, budget);
    return index_step(r, budget);
}

void bough_history__step(struct bough_repo *r, uint64_t budget, bool *more)
{
    struct bough_history *h = r->history;
    struct bough_why why = r->why;
    enum bough_err err;

    *more = false;
    if (!step_can(r))
        return;
    err = step_do(r, budget, more);
    if (err == BOUGH_OK)
        return;
    *more = false;
    work_drop(h);
    h->sweeping = false;
    h->again = h->resting = true;
    h->refs = h->ends = false;
    h->moved = 0;
    bough_history__give_up(r, err);
    r->why = why;
}
