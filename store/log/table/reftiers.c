/*
 * reftiers.c - ref tables become one, in steps that no commit waits for.
 *
 *   choosing   the newest ones, as long as each is not much longer than all that are newer
 *   steps      refs go from their tables to the new one
 *   the end    the new table takes their place with a checkpoint of its own
 *
 * As tiers.c does with oid tables: a checkpoint merges what is small itself, what is larger is left to
 * this; tables before the end of the stretch stay as they are meanwhile; a cut or a failure leaves them.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { GROWTH = 4, REF = 128 };                     /* a ref counts as so many bytes of a budget */
enum { TABLES_MAX = BOUGH_LOG__REFTABLES_MAX - 2 }; /* checkpoints add one or two meanwhile */

struct bough_log__reftiers {
    uint32_t from, to; /* in the list of the log */
    struct bough_log__ref_merge merge;
    struct bough_log__table table; /* the new one */
    struct bough_log__out out;
    struct bough_log__ref_writer writer;
};

uint32_t bough_log__reftiers_frozen(const struct bough_log *l)
{
    return l->reftiers != NULL ? l->reftiers->to : 0;
}

void bough_log__reftiers_unmark(struct bough_log *l)
{
    if (l->reftiers != NULL)
        bough_log__zones_unmark(l, &l->reftiers->table.run);
}

void bough_log__reftiers_end(struct bough_log *l, bool zones)
{
    struct bough_log__reftiers *t = l->reftiers;

    if (t == NULL)
        return;
    for (uint32_t i = 0; zones && i < t->table.run.n; i++)
        bough_log__zone_drop(l, t->table.run.zones[i]);
    bough_log__ref_writer_fini(&t->writer);
    bough_log__out_fini(&t->out);
    bough_log__ref_merge_fini(&t->merge);
    bough_log__table_fini(l, &t->table);
    bough_mem_free(l->mem, t, sizeof *t);
    l->reftiers = NULL;
}

/* ---- Choosing ---- */

/* The new table stands beside the old ones for two checkpoints: is there room to spare? */
static bool stretch_fits(const struct bough_log *l, uint32_t from)
{
    uint64_t bytes = 0;

    for (uint32_t i = from; i < l->reftables; i++)
        bytes += (uint64_t)l->reftable[i].blocks * BOUGH_LOG__BLOCK;
    return bough_log__zones_room(l) >
           bough_log__reserve(l) + 2 * (bytes / l->geo.zone + 2) + l->geo.zones / 8;
}

/* From which one on do they become one?  Not the newest alone. */
static bool stretch_choose(const struct bough_log *l, uint32_t *from)
{
    uint32_t n = l->reftables, i = n > 0 ? n - 1 : 0;
    uint64_t sum = n > 0 ? l->reftable[i].rows : 0;

    while (i > 0 && (l->reftable[i - 1].rows <= GROWTH * sum ||
                        (i == n - 1 && n > BOUGH_LOG__REFTABLES_WANTED)))
        sum += l->reftable[--i].rows;
    *from = i;
    return n > 1 && n <= TABLES_MAX && i < n - 1 && stretch_fits(l, i);
}

bool bough_log__reftiers_due(const struct bough_log *l)
{
    uint32_t from;

    return l->cycle == NULL && (l->reftiers != NULL || stretch_choose(l, &from));
}

static enum bough_err reftiers_begin(struct bough_log *l, uint32_t from)
{
    struct bough_log__reftiers *t = bough_mem_zalloc(l->mem, 1, sizeof *t);
    enum bough_err err;

    if (t == NULL)
        return BOUGH_ENOMEM;
    l->reftiers = t;
    t->from = from;
    t->to = l->reftables;
    err = bough_log__ref_merge_init(&t->merge, l, from, t->to, false);
    if (!err)
        err = bough_log__out_init(&t->out, l, &t->table.run, BOUGH_LOG__ZONE_TABLE);
    t->out.reserve = bough_log__reserve(l);
    if (!err)
        bough_log__ref_writer_init(&t->writer, &t->out, &t->table, l->next_table++);
    return err;
}

/* ---- The end ---- */

static enum bough_err reftiers_install(struct bough_log *l)
{
    struct bough_log__reftiers *t = l->reftiers;
    struct bough_log__table was[BOUGH_LOG__REFTABLES_MAX];
    struct bough_log__lists before = {.reftable = was, .reftables = l->reftables};
    uint32_t gone = t->to - t->from;
    enum bough_err err;

    memcpy(was, l->reftable, sizeof was);
    l->reftiers = NULL; /* the checkpoint may merge as it likes */
    l->reftable[t->from] = t->table;
    memmove(&l->reftable[t->from + 1], &was[t->to], (l->reftables - t->to) * sizeof was[0]);
    l->reftables -= gone - 1;
    l->before = &before;
    err = bough_log__checkpoint(l);
    l->before = NULL;
    l->reftiers = t;
    if (err) {
        memcpy(l->reftable, was, sizeof was);
        l->reftables = (uint32_t)before.reftables;
        return err;
    }
    for (uint32_t i = t->from; i < t->to; i++)
        bough_log__table_fini(l, &was[i]);
    t->table = (struct bough_log__table){.number = 0}; /* the list has it */
    return BOUGH_OK;
}

static enum bough_err reftiers_finish(struct bough_log *l)
{
    struct bough_log__reftiers *t = l->reftiers;
    enum bough_err err = bough_log__ref_writer_end(&t->writer);

    if (!err)
        err = bough_log__out_pad(&t->out, l->geo.granule);
    if (!err)
        err = bough_log__out_flush(&t->out);
    return err ? err : reftiers_install(l);
}

/* ---- Steps ---- */

/* Refs for so many bytes.  BOUGH_ENOENT: those were all. */
static enum bough_err refs_move(struct bough_log__reftiers *t, uint64_t bytes)
{
    enum bough_err err = BOUGH_OK;

    for (uint64_t done = 0; !err && done < bytes; done += REF) {
        struct bough_log__ref_value v;

        err = bough_log__ref_merge_next(&t->merge, &v);
        if (!err)
            err = bough_log__ref_writer_put(&t->writer, &v);
    }
    return err;
}

enum bough_err bough_log__reftiers_step(struct bough_log *l, uint64_t budget, bool *more)
{
    enum bough_err err = BOUGH_OK;
    uint32_t from;

    *more = false;
    if (l->cycle != NULL || (l->reftiers == NULL && !stretch_choose(l, &from)))
        return BOUGH_OK;
    if (l->reftiers == NULL)
        err = reftiers_begin(l, from);
    if (!err)
        err = refs_move(l->reftiers, budget);
    *more = !err;
    if (!err)
        return BOUGH_OK;
    if (err == BOUGH_ENOENT)
        err = reftiers_finish(l);
    bough_log__reftiers_end(l, true);
    *more = !err && bough_log__reftiers_due(l);
    return err == BOUGH_ENOMEM || err == BOUGH_ENOSPC ? BOUGH_OK : err; /* another time */
}

enum bough_err bough_log__reftiers_pay(struct bough_log *l, uint64_t refs)
{
    enum { SHARE = 2 * GROWTH };
    bool more;

    return bough_log__reftiers_step(l, SHARE * refs * REF, &more);
}
