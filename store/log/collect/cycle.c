/*
 * cycle.c - a collection from the cut to the swap, in bounded steps.
 *
 *   begin     a checkpoint, the log goes on in a new segment, bits for all rows
 *   stages    each is a step function that says BOUGH_ENOENT when it is done
 *   work      steps until a budget is used up
 *   methods   collect, collection
 */
#include "store/inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/choose_inner.h"
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

/* ---- Begin, end ---- */

void bough_log__cycle_end(struct bough_log *l, bool zones)
{
    struct bough_log__cycle *c = l->cycle;

    if (c == NULL)
        return;
    bough_log__rows_stop(c);
    if (zones)
        bough_log__cycle_table_drop(c, &c->table);
    else
        bough_log__table_fini(l, &c->table);
    bough_log__copy_fini(c, zones);
    bough_log__hold_fini(c, zones);
    bough_log__since_fini(c);
    bough_log__entries_fini(&c->entries);
    bough_log__limits_fini(c);
    bough_log__tally_fini(c);
    bough_log__marks_fini(c);
    bough_mem_free(l->mem, c, sizeof *c);
    l->cycle = NULL;
}

static enum bough_err cut_make(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    /* Where nothing can be flushed an open forgets a collection that has not settled, but not the turn. */
    uint32_t least = l->settle.on ? bough_log__reserve(l) : bough_log__need(l);
    enum bough_err err = BOUGH_OK;

    if (!c->opts.dry_run && !c->packs && bough_log__zones_room(l) > least)
        err = bough_log__turn(l); /* else the log's segment stays this time */
    if (!err)
        err = bough_log__checkpoint(l);
    c->cut = c->since = l->head;
    c->first_young = l->next_segment;
    c->young_from = bough_log__births_since(l, c->opts.grace);
    c->frozen = l->tables;
    return err;
}

static enum bough_err begin(struct bough_log *l, const struct bough_collect_opts *opts, bool packs)
{
    struct bough_log__cycle *c;
    enum bough_err err;

    BOUGH_ASSERT(l->cycle == NULL);
    if (l->records.n > 0 && l->store.keeper == NULL && !packs)
        return BOUGH_WHY(&l->store.why, BOUGH_ENOTSUP, "nobody says what records need", NULL, 0);
    c = bough_mem_zalloc(l->mem, 1, sizeof *c);
    if (c == NULL)
        return BOUGH_ENOMEM;
    bough_log__tiers_end(l, true);
    bough_log__reftiers_end(l, true);
    bough_log__bitmaps_end(l);
    c->log = l;
    c->opts = *opts;
    c->packs = packs;
    c->keeps = l->store.keeps;
    bough_buf_init(&c->body, l->mem);
    bough_buf_init(&c->tree, l->mem);
    bough_buf_init(&c->since_index, l->mem);
    bough_log__entries_init(&c->entries, l);
    bough_log__entries_init(&c->since_pack, l);
    c->progress.phase = BOUGH_COLLECT_MARK;
    c->hold.on = true;
    c->hold.before = l->hold_all ? BOUGH_LOG__HOLD_ALL : 0;
    l->hold_all = false;
    err = cut_make(c);
    l->cycle = c;
    if (!err)
        err = bough_log__marks_init(c);
    if (!err)
        err = bough_log__tally_init(c);
    c->progress.all = c->rows;
    if (!err && packs)
        bough_log__mark_all(c);
    if (err)
        bough_log__cycle_end(l, true);
    return err;
}

enum bough_err bough_log__cycle_begin(struct bough_log *l, const struct bough_collect_opts *opts)
{
    return begin(l, opts, false);
}

enum bough_err bough_log__cycle_begin_packs(struct bough_log *l)
{
    const struct bough_collect_opts all = {.grace = UINT64_MAX};

    return begin(l, &all, true);
}

/* ---- Stages ---- */

/* What is known to live but was not seen to, and what the log says since. */
static enum bough_err catch_up(struct bough_log__cycle *c)
{
    enum bough_err err = bough_log__late_step(c);

    if (err == BOUGH_ENOENT)
        err = bough_log__harm_step(c);
    if (err == BOUGH_ENOENT)
        err = bough_log__mark_step(c, true);
    if (err == BOUGH_ENOENT)
        err = bough_log__limit_step(c);
    if (err == BOUGH_ENOENT)
        err = bough_log__refs_again_step(c);
    return err == BOUGH_ENOENT ? bough_log__since_step(c) : err;
}

/* What the collection gives back with so many free zones, as of the cut; or, when it is done, another one
   after it. */
static void gain_note(struct bough_log__cycle *c, uint32_t zones)
{
    if (c->packs)
        return;
    c->log->gain.seq = c->cut.seq;
    c->log->gain.bytes = bough_log__tally_gain(c, zones);
}

/* Who tells what bitmaps selected is waited for, but not for ever: it knows the ids of the rest then. */
static bool reaches_over(struct bough_log__cycle *c)
{
    enum { PATIENCE = 60 }; /* seconds */
    int64_t now = bough_env_now(c->log->store.env).sec;

    if (c->log->reaches == NULL)
        return true;
    if (c->waits_since == 0 || now < c->waits_since)
        c->waits_since = now;
    if (now - c->waits_since < PATIENCE)
        return false;
    (void)bough_log__reach_expire(c->log);
    return true;
}

static enum bough_err end_step(struct bough_log__cycle *c)
{
    uint64_t marked = c->marked;
    enum bough_err err = catch_up(c);

    if (err != BOUGH_ENOENT)
        return err;
    if (c->log->lookers > 0)
        return BOUGH_EAGAIN; /* what they have seen to be there must stay until they are adopted */
    if (!reaches_over(c))
        return BOUGH_EAGAIN; /* somebody reads from what goes */
    bough_log__refs_again(c);
    if (c->again)
        return BOUGH_OK;
    err = bough_log__roots_again(c);
    if (err || c->marked != marked || c->deeps.n > 0)
        return err;
    err = bough_log__join_step(c);
    if (err != BOUGH_ENOENT)
        return err;
    err = bough_log__finish(c);
    if (!err)
        gain_note(c, bough_log__zones_room(c->log) + (uint32_t)c->log->zones.helds);
    return err ? err : BOUGH_ENOENT;
}

static enum bough_err stage_step(struct bough_log__cycle *c)
{
    switch (c->stage) {
    case BOUGH_LOG__STAGE_TWICE:
        return c->frozen > 1 ? bough_log__count_step(c) : BOUGH_ENOENT;
    case BOUGH_LOG__STAGE_MARK:
        c->progress.done = c->marked;
        return bough_log__roots_step(c);
    case BOUGH_LOG__STAGE_COUNT:
        return bough_log__count_step(c);
    case BOUGH_LOG__STAGE_SIZE:
        return bough_log__size_step(c);
    case BOUGH_LOG__STAGE_CHOOSE:
        return bough_log__choose_step(c);
    case BOUGH_LOG__STAGE_COPY:
        c->progress.done = c->progress.copied_bytes;
        return bough_log__copy_step(c);
    case BOUGH_LOG__STAGE_STRAY:
        return bough_log__stray_step(c);
    case BOUGH_LOG__STAGE_LIST:
        return bough_log__list_step(c);
    case BOUGH_LOG__STAGE_SINCE:
        return catch_up(c);
    case BOUGH_LOG__STAGE_TABLE:
        return bough_log__rows_step(c);
    case BOUGH_LOG__STAGE_BORDER:
        return c->packs ? BOUGH_ENOENT : bough_log__border_step(c);
    default:
        return end_step(c);
    }
}

static void copy_begin(struct bough_log__cycle *c)
{
    c->late = true;
    c->progress.phase = BOUGH_COLLECT_COPY;
    c->progress.done = c->progress.all = 0;
    for (size_t i = 0; i < c->tallies; i++)
        c->progress.all += c->tally[i].victim ? c->tally[i].live_bytes : 0;
}

/* What waits to be free is room for copies when little is: two checkpoints more, and it is. */
static enum bough_err held_free(struct bough_log__cycle *c)
{
    enum { FORGET = 2 };
    struct bough_log *l = c->log;
    uint64_t roots = FORGET * (uint64_t)bough_log__up(l->root_run.len, l->geo.align);
    enum bough_err err = BOUGH_OK;

    if (c->opts.dry_run || c->packs || l->settle.on ||
        bough_log__zones_room(l) > bough_log__reserve(l) ||
        l->zones.helds * (uint64_t)l->geo.zone <= roots)
        return BOUGH_OK;
    for (uint32_t i = 0; i < FORGET && !err; i++)
        err = bough_log__checkpoint(l);
    return err;
}

/* The stage is done: what the next one begins with. */
static enum bough_err stage_next(struct bough_log__cycle *c)
{
    enum bough_err err = BOUGH_OK;

    c->stage++;
    c->at = 0;
    c->entries.number = 0;
    switch (c->stage) {
    case BOUGH_LOG__STAGE_MARK:
        bough_log__count_again(c);
        break;
    case BOUGH_LOG__STAGE_COUNT:
        c->progress.phase = BOUGH_COLLECT_COUNT;
        c->progress.done = 0;
        c->progress.all = c->rows;
        break;
    case BOUGH_LOG__STAGE_CHOOSE:
        err = held_free(c);
        gain_note(c, bough_log__zones_room(c->log));
        if (c->opts.dry_run)
            c->stage = BOUGH_LOG__STAGE_DONE;
        break;
    case BOUGH_LOG__STAGE_COPY:
        copy_begin(c);
        break;
    case BOUGH_LOG__STAGE_TABLE:
        err = bough_log__copy_close(c);
        c->lates_swap = c->lates.n;
        c->tabled = true;
        c->progress.phase = BOUGH_COLLECT_DROP;
        break;
    default:
        break;
    }
    return err;
}

/* ---- Work ---- */

enum { STEP_COST = 64 }; /* what a step costs at least, in bytes */

static uint64_t traffic(const struct bough_log__cycle *c)
{
    return c->log->pages.read_bytes + c->log->pages.written_bytes + c->effort;
}

/* What it had no room for goes with another one, which has the room that this one gave; one whose copies
   found none begins again with fewer of them. */
static void again_note(struct bough_log__cycle *c, enum bough_err err)
{
    enum { ROUNDS = 16, GIVES = 2 }; /* zones: one is where the log went on */
    struct bough_log *l = c->log;
    bool starved = err == BOUGH_ENOSPC && c->stage >= BOUGH_LOG__STAGE_COPY;
    bool gave = !err && c->progress.freed_bytes >= GIVES * (uint64_t)l->geo.zone;

    if (c->opts.dry_run || c->packs)
        return;
    l->again.opts = c->opts;
    l->again.asked = c->asked;
    l->again.round = c->round + 1;
    if (!err)
        l->modest = 0;
    else if (starved && l->modest < BOUGH_LOG__MODEST_MAX)
        l->modest++;
    else
        starved = false;
    l->again.on = !l->settle.on && c->round < ROUNDS && (starved || (gave && c->left_out));
}

/* What one says after others before it, which had not the room for all. */
static void progress_add(
    struct bough_collect_progress *p, const struct bough_collect_progress *before)
{
    p->dead += before->dead;
    p->dead_bytes = before->dead_bytes > p->dead_bytes ? before->dead_bytes : p->dead_bytes;
    p->copied_bytes += before->copied_bytes;
    p->freed_bytes += before->freed_bytes;
}

/* It is over, well or not. */
static void cycle_over(struct bough_log *l, enum bough_err err)
{
    struct bough_log__cycle *c = l->cycle;
    struct bough_collect_progress before = l->collected;
    bool packs = c->packs;

    if (!packs) {
        l->collected = c->progress;
        l->collected.phase = BOUGH_COLLECT_IDLE;
        l->collected.collections = before.collections + (err ? 0 : 1);
        if (c->round > 0)
            progress_add(&l->collected, &before);
    }
    if (err)
        l->gain.seq = 0;
    again_note(c, err);
    bough_log__cycle_end(l, true);
    l->packs_tried = packs ? l->segments : 0;
}

/* Steps while the stage comes before `end` and the budget lasts. */
static enum bough_err steps(struct bough_log__cycle *c, enum bough_log__stage end, uint64_t budget)
{
    uint64_t used = 0, before = traffic(c);
    enum bough_err err = BOUGH_OK;

    c->busy = true;
    while (used < budget && c->stage < end && !err && !c->again_all) {
        uint64_t now;

        err = stage_step(c);
        if (err == BOUGH_ENOENT)
            err = stage_next(c);
        now = traffic(c);
        used += now - before + STEP_COST;
        before = now;
    }
    c->busy = false;
    return err;
}

/* Too late for this one to hold what damage may need, it begins again. */
static enum bough_err again(struct bough_log *l)
{
    struct bough_collect_opts opts = l->cycle->opts;
    bool was_asked = l->cycle->asked;
    enum bough_err err;

    bough_log__cycle_end(l, true);
    err = bough_log__cycle_begin(l, &opts);
    if (!err)
        l->cycle->asked = was_asked;
    return err;
}

enum bough_err bough_log__cycle_again(struct bough_log *l)
{
    enum bough_err err;

    BOUGH_ASSERT(l->cycle == NULL && l->again.on);
    l->again.on = false;
    err = bough_log__cycle_begin(l, &l->again.opts);
    if (err)
        return err;
    l->cycle->asked = l->again.asked;
    l->cycle->round = l->again.round;
    return BOUGH_OK;
}

enum bough_err bough_log__cycle_work(struct bough_log *l, uint64_t budget, bool *more)
{
    struct bough_log__cycle *c = l->cycle;
    enum bough_err err;

    *more = false;
    if (c == NULL || c->busy)
        return BOUGH_OK;
    err = steps(c, BOUGH_LOG__STAGE_DONE, budget);
    if (!err && c->again_all) {
        err = again(l);
        *more = !err;
        return err;
    }
    if (err == BOUGH_EAGAIN)
        return BOUGH_OK; /* it waits for somebody */
    if (err || c->stage == BOUGH_LOG__STAGE_DONE)
        cycle_over(l, err);
    else
        *more = true;
    return err;
}

enum bough_err bough_log__cycle_count(struct bough_log *l, uint64_t budget)
{
    struct bough_log__cycle *c = l->cycle;
    enum bough_err err = steps(c, BOUGH_LOG__STAGE_CHOOSE, budget);

    if (err || c->stage == BOUGH_LOG__STAGE_DONE)
        cycle_over(l, err);
    return err;
}

/* ---- Methods ---- */

static enum bough_err asked(struct bough_store *s, const struct bough_collect_opts *opts)
{
    struct bough_log *l = bough_log__of(s);
    enum bough_err err = bough_log__cycle_begin(l, opts);

    if (!err)
        l->cycle->asked = true;
    return bough_store__wrote(s, err);
}

enum bough_err bough_log__collect(struct bough_store *s, const struct bough_collect_opts *opts)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__cycle *c = l->cycle;
    struct bough_collect_opts wish = *opts;

    l->again.on = false;
    if (c != NULL && c->packs) {
        bough_log__cycle_end(l, true);
        c = NULL;
    }
    if (c == NULL)
        return asked(s, opts);
    c->asked = true;
    if (c->opts.dry_run == opts->dry_run && c->opts.grace <= opts->grace &&
        (c->opts.whole || !opts->whole))
        return BOUGH_OK;
    if (!c->opts.dry_run && opts->dry_run)
        return BOUGH_OK;
    wish.whole = wish.whole || (c->opts.whole && !c->opts.dry_run);
    wish.grace = wish.grace < c->opts.grace ? wish.grace : c->opts.grace;
    bough_log__cycle_end(l, true);
    return asked(s, &wish);
}

void bough_log__collection(struct bough_store *s, struct bough_collect_progress *out)
{
    struct bough_log *l = bough_log__of(s);

    *out = l->cycle != NULL && !l->cycle->packs ? l->cycle->progress : l->collected;
    out->collections = l->collected.collections;
}
