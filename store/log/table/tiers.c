/*
 * tiers.c - oid tables of like size become one, in steps that no commit waits for.
 *
 *   choosing   four neighbours of like size, the smallest first
 *   steps      rows go from their tables to the new one
 *   the end    the new table takes their place with a checkpoint of its own
 *
 * A checkpoint merges what is small itself; what is larger is left to this.  Tables before the end of
 * the stretch stay as they are meanwhile.  What was written is named by nobody before the end, so a
 * cut or a failure leaves the old tables.  A collection makes one table of all: it ends this.
 */
#include "store/log/checkpoint_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum {
    STRETCH = 4, /* tables that become one */
    LIKE = 4,    /* the longest is at most so many times the shortest */
};

struct bough_log__tiers {
    size_t from;                                 /* in the list of the log */
    struct bough_log__table was[STRETCH];        /* as there: runs are the list's */
    struct bough_log__table_source src[STRETCH]; /* over these */
    struct bough_log__merge merge;
    struct bough_log__table table; /* the new one */
    struct bough_log__out out;
    struct bough_log__table_writer *writer;
};

size_t bough_log__tiers_frozen(const struct bough_log *l)
{
    return l->tiers != NULL ? l->tiers->from + STRETCH : 0;
}

void bough_log__tiers_unmark(struct bough_log *l)
{
    if (l->tiers != NULL)
        bough_log__zones_unmark(l, &l->tiers->table.run);
}

void bough_log__tiers_end(struct bough_log *l, bool zones)
{
    struct bough_log__tiers *t = l->tiers;

    if (t == NULL)
        return;
    for (uint32_t i = 0; zones && i < t->table.run.n; i++)
        bough_log__zone_drop(l, t->table.run.zones[i]);
    if (t->writer != NULL)
        bough_log__table_writer_fini(t->writer, l->mem);
    bough_log__out_fini(&t->out);
    bough_log__merge_fini(&t->merge);
    bough_log__table_fini(l, &t->table);
    bough_mem_free(l->mem, t, sizeof *t);
    l->tiers = NULL;
}

/* ---- Choosing ---- */

/* Rows of a stretch, and are its tables of like size? */
static uint64_t stretch_rows(const struct bough_log__table *t, bool *like)
{
    uint64_t sum = 0, least = UINT64_MAX, most = 0;

    for (size_t i = 0; i < STRETCH; i++) {
        sum += t[i].rows;
        least = t[i].rows < least ? t[i].rows : least;
        most = t[i].rows > most ? t[i].rows : most;
    }
    *like = most <= LIKE * least;
    return sum;
}

/* The new table stands beside the old ones for two checkpoints: is there room to spare? */
static bool stretch_fits(const struct bough_log *l, uint64_t rows)
{
    uint64_t need = rows * bough_log__row_len(l) * 4 / 3 / l->geo.zone + 2;

    return bough_log__zones_room(l) > bough_log__reserve(l) + 2 * need + l->geo.zones / 8;
}

/* The stretch that costs least; when there are too many tables it need not be of like size. */
static bool stretch_choose(const struct bough_log *l, size_t *from)
{
    size_t old = l->tables - l->fresh;
    uint64_t best = UINT64_MAX;

    for (size_t i = bough_log__reach_frozen(l) ? 1 : 0; i + STRETCH <= old; i++) {
        bool like;
        uint64_t rows = stretch_rows(&l->table[i], &like);

        if ((like || old > BOUGH_LOG__TABLES_WANTED) && rows < best) {
            best = rows;
            *from = i;
        }
    }
    return best != UINT64_MAX && stretch_fits(l, best);
}

bool bough_log__tiers_due(const struct bough_log *l)
{
    size_t from;

    return l->cycle == NULL && (l->tiers != NULL || stretch_choose(l, &from));
}

static enum bough_err tiers_begin(struct bough_log *l, size_t from)
{
    struct bough_log__tiers *t = bough_mem_zalloc(l->mem, 1, sizeof *t);
    uint64_t rows = 0;
    enum bough_err err;

    if (t == NULL)
        return BOUGH_ENOMEM;
    l->tiers = t;
    t->from = from;
    err = bough_log__merge_init(&t->merge, l->mem, STRETCH);
    t->merge.newest = true;
    for (size_t i = 0; !err && i < STRETCH; i++) {
        t->was[i] = l->table[from + i];
        rows += t->was[i].rows;
        bough_log__table_source_init(&t->src[i], l, &t->was[i], NULL);
        bough_log__merge_add(&t->merge, &t->src[i].src);
    }
    if (!err)
        err = bough_log__out_init(&t->out, l, &t->table.run, BOUGH_LOG__ZONE_TABLE);
    t->out.reserve = bough_log__reserve(l);
    if (!err)
        err = bough_log__table_writer_init(&t->writer, &t->out, rows, &t->table);
    return err;
}

/* ---- The end ---- */

/* The list with one table in place of four. */
static enum bough_err list_make(
    struct bough_log *l, struct bough_log__table **list, size_t *n, size_t *cap)
{
    const struct bough_log__tiers *t = l->tiers;

    *cap = l->tables;
    *list = bough_mem_alloc(l->mem, *cap * sizeof **list);
    if (*list == NULL)
        return BOUGH_ENOMEM;
    *n = 0;
    for (size_t i = 0; i < l->tables; i++) {
        if (i == t->from)
            (*list)[(*n)++] = t->table;
        if (i < t->from || i >= t->from + STRETCH)
            (*list)[(*n)++] = l->table[i];
    }
    return BOUGH_OK;
}

/* Tables inside pack segments are used, or not any more. */
static void segments_say(struct bough_log *l, const struct bough_log__tiers *t, bool used)
{
    for (size_t i = 0; i < STRETCH; i++) {
        struct bough_log__segment *seg =
            t->was[i].segment != 0 ? bough_log__segment_find(l, t->was[i].segment) : NULL;

        if (seg == NULL)
            continue;
        seg->oid.blocks = used ? t->was[i].blocks : 0;
        seg->oid.home = used ? t->was[i].home : 0;
    }
}

static enum bough_err tiers_install(struct bough_log *l)
{
    struct bough_log__tiers *t = l->tiers;
    struct bough_log__lists before = {.table = l->table, .tables = l->tables};
    struct bough_log__table *list;
    size_t n, cap, before_cap = l->table_cap;
    enum bough_err err = list_make(l, &list, &n, &cap);

    if (err)
        return err;
    l->tiers = NULL; /* the checkpoint may merge as it likes */
    l->table = list;
    l->tables = n;
    l->table_cap = cap;
    l->before = &before;
    segments_say(l, t, false);
    err = bough_log__checkpoint(l);
    l->before = NULL;
    l->tiers = t;
    if (!err) {
        for (size_t i = 0; i < STRETCH; i++)
            bough_log__table_fini(l, &t->was[i]);
        bough_mem_free(l->mem, (void *)(uintptr_t)before.table, before_cap * sizeof *before.table);
        t->table = (struct bough_log__table){.number = 0}; /* the list has it */
        return BOUGH_OK;
    }
    segments_say(l, t, true);
    bough_mem_free(l->mem, l->table, l->table_cap * sizeof *l->table);
    l->table = (struct bough_log__table *)(uintptr_t)before.table;
    l->tables = before.tables;
    l->table_cap = before_cap;
    return err;
}

static enum bough_err tiers_finish(struct bough_log *l)
{
    struct bough_log__tiers *t = l->tiers;
    enum bough_err err = bough_log__table_writer_end(t->writer);

    if (!err)
        err = bough_log__out_pad(&t->out, l->geo.granule);
    if (!err)
        err = bough_log__out_flush(&t->out);
    return err ? err : tiers_install(l);
}

/* ---- Steps ---- */

/* Rows for so many bytes.  BOUGH_ENOENT: those were all. */
static enum bough_err rows_move(struct bough_log__tiers *t, uint64_t bytes)
{
    uint32_t len = bough_log__row_len(t->out.log);
    enum bough_err err = BOUGH_OK;

    for (uint64_t done = 0; !err && done < bytes; done += len) {
        struct bough_log__row row;

        err = t->merge.src.next(&t->merge.src, &row);
        if (!err)
            err = bough_log__table_writer_put(t->writer, &row);
    }
    return err;
}

enum bough_err bough_log__tiers_step(struct bough_log *l, uint64_t budget, bool *more)
{
    enum bough_err err = BOUGH_OK;
    size_t from;

    *more = false;
    if (l->cycle != NULL)
        return BOUGH_OK;
    if (l->tiers == NULL && !stretch_choose(l, &from))
        return BOUGH_OK;
    if (l->tiers == NULL)
        err = tiers_begin(l, from);
    if (!err)
        err = rows_move(l->tiers, budget);
    *more = !err;
    if (!err)
        return BOUGH_OK;
    if (err == BOUGH_ENOENT)
        err = tiers_finish(l);
    bough_log__tiers_end(l, true);
    *more = !err && bough_log__tiers_due(l);
    return err == BOUGH_ENOMEM || err == BOUGH_ENOSPC ? BOUGH_OK : err; /* another time */
}

enum bough_err bough_log__tiers_pay(struct bough_log *l, uint64_t rows)
{
    enum { SHARE = 4 };
    bool more;

    return bough_log__tiers_step(l, SHARE * rows * bough_log__row_len(l), &more);
}
