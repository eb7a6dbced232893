/*
 * checkpoint.c - rows and refs in memory become tables; a root names everything.
 *
 *   due       is it time?
 *   tables    the new one, and which of the old are merged with it
 *   refs      the same
 *   root      written, flushed; then the superblock that names it
 *
 * Invariant: until the superblock is durable nothing that an older one names is touched, and
 * the lists in memory are as they were.  So a failure, or a cut, leaves the old checkpoint and
 * the log after it.
 */
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

enum {
    GROWTH = 4
}; /* a table is merged with younger ones when it is at most so many times as long */
enum { REFS_MAX = 16384 }; /* changed refs in memory; no more than rows of objects */

struct making {
    struct bough_log *log;
    struct bough_log__table *table; /* the new list; runs of kept ones are shared with the old */
    size_t tables, cap;
    size_t keep; /* so many at the front are the old list's */
    bool merged; /* old ones behind `keep` went into the new table */
    struct bough_log__table reftable[BOUGH_LOG__REFTABLES_MAX];
    uint32_t reftables, refkeep;
    struct bough_log__run root;
    uint32_t open_zone, open_at;
    uint64_t root_len;
    uint32_t root_crc;
};

static uint32_t refs_max(const struct bough_log *l)
{
    return l->opts.table_rows < REFS_MAX ? l->opts.table_rows : REFS_MAX;
}

bool bough_log__checkpoint_due(const struct bough_log *l, uint32_t part)
{
    return (l->rows.n > 0 && l->rows.n >= l->opts.table_rows / part) ||
           l->log_bytes >= l->opts.log_max / part ||
           (l->refs.n > 0 && l->refs.n >= refs_max(l) / part) ||
           l->fresh >= BOUGH_LOG__FRESH_MAX / part;
}

/* ---- Writing onto what is left of the open zone ---- */

static enum bough_err run_begin(struct making *m, struct bough_log__run *run)
{
    *run = (struct bough_log__run){.start = 0};
    if (m->open_zone == 0 || m->open_at >= m->log->geo.zone)
        return BOUGH_OK;
    run->start = m->open_at;
    return bough_log__run_add(m->log, run, m->open_zone);
}

static void run_end(struct making *m, const struct bough_log__run *run)
{
    uint64_t end = bough_log__up(run->start + run->len, m->log->geo.align);

    if (run->n == 0)
        return;
    m->open_zone = run->zones[run->n - 1];
    m->open_at = (uint32_t)(end - (uint64_t)(run->n - 1) * m->log->geo.zone);
}

static enum bough_err out_end(struct bough_log__out *out)
{
    enum bough_err err = bough_log__out_pad(out, out->log->geo.granule);

    return err ? err : bough_log__out_flush(out);
}

/* ---- Oid tables ---- */

/* Tables that stay as they are while somebody works on them. */
static size_t tables_frozen(const struct bough_log *l)
{
    size_t tiers = bough_log__tiers_frozen(l), cycle = bough_log__cycle_frozen(l);
    size_t most = tiers > cycle ? tiers : cycle;

    return most == 0 && bough_log__reach_frozen(l) ? 1 : most;
}

/* The first table of the old list that is merged with the rows in memory: of few rows, for a commit
   may wait.  What is larger becomes one in steps, unless nobody found the time for them. */
static size_t merge_from(const struct bough_log *l)
{
    size_t i = l->tables, old = l->tables - l->fresh, first = tables_frozen(l);
    uint64_t sum = l->rows.n, most = (uint64_t)l->opts.table_rows * GROWTH;

    if (l->tables > BOUGH_LOG__TABLES_MAX / 2)
        return first;
    if (bough_log__zones_room(l) <=
        bough_log__reserve(l)) /* the room is for a collection, which makes one of all */
        return l->tables;
    while (i > first && l->table[i - 1].rows <= GROWTH * sum && sum + l->table[i - 1].rows <= most)
        sum += l->table[--i].rows;
    return i <= old ? i : l->tables; /* not a part of what was adopted: the rows come before it */
}

static enum bough_err table_push(struct making *m, const struct bough_log__table *t)
{
    void *ptr = m->table;
    enum bough_err err =
        bough_mem_grow(m->log->mem, &ptr, &m->cap, m->tables + 1, sizeof *m->table);

    m->table = ptr;
    if (!err)
        m->table[m->tables++] = *t;
    return err;
}

/* List order: old tables, the rows in memory, then what was adopted meanwhile. */
static enum bough_err sources_add(struct making *m, size_t from,
    struct bough_log__table_source *src, struct bough_log__rows_source *rows,
    struct bough_log__merge *merge)
{
    struct bough_log *l = m->log;
    size_t old = l->tables - l->fresh;
    enum bough_err err = bough_log__merge_init(merge, l->mem, l->tables + 1);

    merge->newest = true;
    if (!err)
        err = bough_log__rows_source_init(rows, &l->rows, l->mem);
    if (err)
        return err;
    for (size_t i = from; i < l->tables; i++)
        bough_log__table_source_init(&src[i], l, &l->table[i], NULL);
    for (size_t i = from; i < old; i++)
        bough_log__merge_add(merge, &src[i].src);
    bough_log__merge_add(merge, &rows->src);
    for (size_t i = from > old ? from : old; i < l->tables; i++)
        bough_log__merge_add(merge, &src[i].src);
    return BOUGH_OK;
}

static enum bough_err merged_write(struct making *m, size_t from, struct bough_log__table *t)
{
    struct bough_log *l = m->log;
    struct bough_log__table_source *src = bough_mem_zalloc(l->mem, l->tables + 1, sizeof *src);
    struct bough_log__merge merge = {.in = NULL};
    struct bough_log__rows_source rows = {.order = NULL};
    struct bough_log__out out = {.buf = NULL};
    uint64_t sum = l->rows.n;
    enum bough_err err = src == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    for (size_t i = from; i < l->tables; i++)
        sum += l->table[i].rows;
    if (!err)
        err = sources_add(m, from, src, &rows, &merge);
    if (!err)
        err = run_begin(m, &t->run);
    if (!err)
        err = bough_log__out_init(&out, l, &t->run, BOUGH_LOG__ZONE_TABLE);
    if (!err)
        err = bough_log__table_write(&out, &merge.src, sum, t);
    if (!err)
        err = out_end(&out);
    bough_log__out_fini(&out);
    bough_log__rows_source_fini(&rows);
    bough_log__merge_fini(&merge);
    if (src != NULL)
        bough_mem_free(l->mem, src, (l->tables + 1) * sizeof *src);
    run_end(m, &t->run);
    return err;
}

static enum bough_err tables_make(struct making *m)
{
    struct bough_log *l = m->log;
    size_t old = l->tables - l->fresh, from = l->rows.n > 0 ? merge_from(l) : l->tables;
    struct bough_log__table t = {.number = 0};
    enum bough_err err = bough_log__rows_see(l);

    if (l->tables > BOUGH_LOG__TABLES_MAX / 2 && l->rows.n == 0)
        from = tables_frozen(l);
    m->merged = from < l->tables;
    m->keep = m->merged ? from : old;
    for (size_t i = 0; i < m->keep && !err; i++)
        err = table_push(m, &l->table[i]);
    if (!err && (l->rows.n > 0 || m->merged)) {
        err = merged_write(m, m->merged ? from : l->tables, &t);
        t.rows = t.rows > 0 ? t.rows : 1;
        if (!err)
            err = table_push(m, &t);
        if (err)
            bough_log__table_fini(l, &t);
    }
    for (size_t i = m->keep; i < l->tables && !m->merged && !err; i++)
        err = table_push(m, &l->table[i]);
    return err;
}

/* ---- Ref tables ---- */

/* Those of few refs are merged with what changed, for a commit may wait; what is larger becomes one in steps
   (reftiers.c), unless there are too many.  When space is short each keeps a zone from becoming free. */
static uint32_t ref_merge_from(const struct bough_log *l)
{
    bool tight = bough_log__zones_room(l) <= bough_log__reserve(l);
    uint64_t sum = l->refs.n, most = (uint64_t)GROWTH * refs_max(l);
    uint32_t i = l->reftables, first = bough_log__reftiers_frozen(l);

    while (i > first && (tight || l->reftable[i - 1].rows <= GROWTH * sum) &&
           sum + l->reftable[i - 1].rows <= most)
        sum += l->reftable[--i].rows;
    if (i + 1 < BOUGH_LOG__REFTABLES_MAX)
        return i;
    return first < BOUGH_LOG__REFTABLES_MAX / 2 ? BOUGH_LOG__REFTABLES_MAX / 2 : first;
}

static enum bough_err refs_write(struct making *m, uint32_t from, struct bough_log__ref_writer *w)
{
    struct bough_log__ref_merge merge;
    struct bough_log__ref_value v;
    enum bough_err err = bough_log__ref_merge_init(&merge, m->log, from, m->log->reftables, true);

    while (!err && !(err = bough_log__ref_merge_next(&merge, &v)))
        err = bough_log__ref_writer_put(w, &v);
    bough_log__ref_merge_fini(&merge);
    return err == BOUGH_ENOENT ? bough_log__ref_writer_end(w) : err;
}

static enum bough_err reftables_make(struct making *m)
{
    struct bough_log *l = m->log;
    struct bough_log__ref_writer *w;
    struct bough_log__out out = {.buf = NULL};
    struct bough_log__table *t;
    enum bough_err err;

    m->refkeep = l->refs.n > 0 ? ref_merge_from(l) : l->reftables;
    memcpy(m->reftable, l->reftable, m->refkeep * sizeof *m->reftable);
    m->reftables = m->refkeep;
    if (l->refs.n == 0)
        return BOUGH_OK;
    w = bough_mem_alloc(l->mem, sizeof *w);
    if (w == NULL)
        return BOUGH_ENOMEM;
    t = &m->reftable[m->reftables++];
    *t = (struct bough_log__table){.number = 0};
    err = run_begin(m, &t->run);
    if (!err)
        err = bough_log__out_init(&out, l, &t->run, BOUGH_LOG__ZONE_TABLE);
    if (!err) {
        bough_log__ref_writer_init(w, &out, t, l->next_table++);
        err = refs_write(m, m->refkeep, w);
    }
    if (!err)
        err = out_end(&out);
    bough_log__out_fini(&out);
    run_end(m, &t->run);
    if (t->number != 0)
        bough_log__ref_writer_fini(w);
    bough_mem_free(l->mem, w, sizeof *w);
    return err;
}

/* ---- Root ---- */

/* Zones of tables that are in these lists stay. */
static void lists_unmark(struct bough_log *l, const struct bough_log__lists *lists)
{
    for (size_t i = 0; i < lists->tables; i++)
        bough_log__zones_unmark(l, &lists->table[i].run);
    for (size_t i = 0; i < lists->reftables; i++)
        bough_log__zones_unmark(l, &lists->reftable[i].run);
    if (lists->hold != NULL)
        bough_log__zones_unmark(l, &lists->hold->run);
    bough_log__cycle_unmark(l);
    bough_log__tiers_unmark(l);
    bough_log__reftiers_unmark(l);
}

/* The tables are made: what is not in the new lists leaves with this checkpoint. */
static enum bough_err zones_part(struct making *m)
{
    struct bough_log__lists lists = {m->table, m->tables, m->reftable, m->reftables, &m->log->hold};

    bough_log__zones_mark(m->log);
    lists_unmark(m->log, &lists);
    return bough_log__zones_reserve(m->log, m->log->zones.tables);
}

static enum bough_err root_make(struct making *m)
{
    struct bough_log *l = m->log;
    struct bough_log__lists lists = {m->table, m->tables, m->reftable, m->reftables, &m->log->hold};
    struct bough_log__out out = {.buf = NULL};
    struct bough_buf b;
    enum bough_err err;

    bough_buf_init(&b, l->mem);
    bough_log__root_encode(l, &lists, l->made + 1, &b);
    err = b.err;
    if (!err)
        err = run_begin(m, &m->root);
    if (!err)
        err = bough_log__out_init(&out, l, &m->root, BOUGH_LOG__ZONE_TABLE);
    if (!err)
        err = bough_log__out_put(&out, b.ptr, b.len);
    if (!err)
        err = out_end(&out);
    bough_log__out_fini(&out);
    run_end(m, &m->root);
    m->root_len = b.len;
    m->root_crc = bough_crc32(0, b.ptr, b.len);
    bough_buf_fini(&b);
    if (!err && m->root.n > BOUGH_LOG__ROOT_ZONES_MAX)
        err = BOUGH_WHY(&l->store.why, BOUGH_ETOOBIG, "zones of a checkpoint's root", NULL, 0);
    return err;
}

/* The superblock that names the root; where nothing can be flushed it waits until that has settled. */
static enum bough_err super_make(struct making *m)
{
    struct bough_log *l = m->log;
    struct bough_log__super before = l->super, root = {.checkpoint = l->made + 1};
    enum bough_err err = BOUGH_OK;

    root.root_len = m->root_len;
    root.root_crc = m->root_crc;
    root.root_start = (uint32_t)m->root.start;
    root.root_zones = m->root.n;
    memcpy(root.zone, m->root.zones, m->root.n * sizeof *m->root.zones);
    if (l->settle.on) {
        bough_log__settle_root(l, &root);
    } else {
        bough_log__super_root(&l->super, &root);
        err = bough_log__super_write(l, true);
    }
    if (err)
        l->super = before;
    else
        l->root = root;
    return err;
}

/* ---- After it ---- */

/* The new lists take the old ones' place. */
static void making_take(struct making *m)
{
    struct bough_log *l = m->log;

    for (size_t i = m->keep; i < l->tables && m->merged; i++) {
        struct bough_log__segment *seg =
            l->table[i].segment != 0 ? bough_log__segment_find(l, l->table[i].segment) : NULL;
        if (seg != NULL)
            seg->oid.blocks = seg->oid.home = 0;
        bough_log__table_fini(l, &l->table[i]);
    }
    for (uint32_t i = m->refkeep; i < l->reftables; i++)
        bough_log__table_fini(l, &l->reftable[i]);
    bough_mem_free(l->mem, l->table, l->table_cap * sizeof *l->table);
    l->table = m->table;
    l->tables = m->tables;
    l->table_cap = m->cap;
    l->fresh = 0;
    memcpy(l->reftable, m->reftable, m->reftables * sizeof *m->reftable);
    l->reftables = m->reftables;
    bough_log__run_fini(l, &l->root_run);
    l->root_run = m->root;
    l->open_zone = m->open_zone;
    l->open_at = m->open_at;
    bough_log__rows_clear(&l->rows, l->mem, 2 * l->opts.table_rows); /* and the last commit's */
    bough_log__refs_clear(&l->refs, l->mem);
    l->log_bytes = 0;
    l->made++;
    bough_log__zones_unmark(l, &l->root_run);
    bough_log__zones_leave(l, true);
    if (!l->settle.on)
        l->zones.durable = l->super.checkpoint;
    bough_log__zones_release(l);
    bough_log__next_zone(l);
}

/* What was written is forgotten; its zones are free again. */
static void making_drop(struct making *m)
{
    struct bough_log *l = m->log;
    size_t made = m->tables > m->keep ? m->keep : m->tables;

    if (m->tables > made && (m->merged || l->rows.n > 0))
        bough_log__table_fini(l, &m->table[made]);
    bough_mem_free(l->mem, m->table, m->cap * sizeof *m->table);
    for (uint32_t i = m->refkeep; i < m->reftables; i++)
        bough_log__table_fini(l, &m->reftable[i]);
    bough_log__run_fini(l, &m->root);
    bough_log__zones_mark(l);
    lists_unmark(
        l, &(struct bough_log__lists){l->table, l->tables, l->reftable, l->reftables, &l->hold});
    if (l->before != NULL)
        lists_unmark(l, l->before);
    bough_log__zones_unmark(l, &l->root_run);
    bough_log__zones_leave(l, false);
}

enum bough_err bough_log__checkpoint(struct bough_log *l)
{
    struct making *m = bough_mem_zalloc(l->mem, 1, sizeof *m);
    uint64_t seq = l->head.seq - 1;
    enum bough_err err;

    if (m == NULL)
        return BOUGH_ENOMEM;
    m->log = l;
    m->open_zone = l->open_zone;
    m->open_at = l->open_at;
    bough_log__next_zone(l);
    err = l->made > 0 ? bough_log__owner_check(l) : BOUGH_OK;
    if (!err)
        err = bough_log__settle_move(l);
    if (!err)
        err = tables_make(m);
    if (!err)
        err = reftables_make(m);
    if (!err)
        err = zones_part(m);
    if (!err)
        err = root_make(m);
    if (!err)
        err = bough_log__flush(l);
    if (!err) {
        l->durable_to = l->settle.on ? l->durable_to : seq;
        err = super_make(m);
    }
    if (err)
        making_drop(m);
    else
        making_take(m);
    bough_mem_free(l->mem, m, sizeof *m);
    return err;
}
