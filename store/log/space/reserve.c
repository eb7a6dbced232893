/*
 * reserve.c - zones that are kept back, so that who is full can remove, keep less and collect.
 *
 *   sizes     tables, roots
 *   need      what a collection takes at most until it gives back
 *   levels    ordinary writes leave need and a share for removals; removals leave need
 *   ends      what the last steps of a collection take: nothing that it writes before may have that
 *
 * From the first step of a collection to the one that gives zones back nothing becomes free: what the
 * swap drops is held until the checkpoint after it is durable.  Until then these take zones:
 *
 *   a checkpoint that is due just before      rows in memory, refs, root
 *   the one that makes the cut                a root more (rows and refs are written once)
 *   the log                                   one zone: it goes on in the next
 *   copies of what lives in the victims       half a segment, two zones at least
 *   the one table of all that lives           all rows, at most
 *   refs that join and leave the boundary     one zone of the log is there already; refs once more
 *   the swap, and the checkpoint after it     two roots, and rows that came since
 *
 * Tables and roots of checkpoints go one behind the other onto what is left of a zone, so their bytes
 * are added up before they are divided; the log, the copies and the one table begin zones of their own.
 * Tables are not merged when so little is left (checkpoint.c).  Zones that are held when it begins can
 * only become free meanwhile.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

enum { REF = 160 };                  /* bytes of a ref in a table, as names go */
enum { OF_ZONE = 20, RECORD = 32 };  /* bytes in a root: a new log segment, held; before a record */
enum { UNTIL_BACK = 4, AT_END = 2 }; /* checkpoints */
enum {
    REMOVALS = 3,
    REMOVALS_LITTLE = 2,
    LITTLE = 32
}; /* zones; of a store with fewer than so many */

/* ---- Sizes ---- */

static uint32_t zones_for(const struct bough_log *l, uint64_t bytes)
{
    return (uint32_t)((bytes + l->geo.zone - 1) / l->geo.zone);
}

static uint64_t rows_bytes(const struct bough_log *l, uint64_t rows)
{
    return rows == 0 ? 0 : bough_log__up(bough_log__table_bytes(l, rows), l->geo.align);
}

static uint64_t refs_bytes(const struct bough_log *l)
{
    uint64_t bytes = (uint64_t)l->refs.n * REF;

    if (l->refs.n == 0)
        return 0;
    for (uint32_t i = 0; i < l->reftables; i++)
        bytes += ((uint64_t)l->reftable[i].blocks + l->reftable[i].home) * BOUGH_LOG__BLOCK;
    return bough_log__up(bytes + BOUGH_LOG__BLOCK, l->geo.align);
}

/* As long as the last one, and what zones and records may add. */
static uint64_t root_bytes(const struct bough_log *l)
{
    uint64_t bytes = l->root_run.len + (uint64_t)l->geo.zones * OF_ZONE + l->records.bytes +
                     (uint64_t)l->records.n * RECORD;

    return bough_log__up(bytes, l->geo.align);
}

/* Where nothing can be flushed roots wait, and as many again are written meanwhile. */
static uint64_t roots_bytes(const struct bough_log *l, uint32_t n)
{
    return root_bytes(l) * n * (l->settle.on ? 2 : 1);
}

uint32_t bough_log__rows_zones(const struct bough_log *l, uint64_t rows)
{
    return zones_for(l, rows_bytes(l, rows));
}

static uint64_t all_rows(const struct bough_log *l)
{
    uint64_t rows = l->rows.n;

    for (size_t i = 0; i < l->tables; i++)
        rows += l->table[i].rows;
    return rows;
}

uint32_t bough_log__table_zones(const struct bough_log *l)
{
    return bough_log__rows_zones(l, all_rows(l));
}

uint32_t bough_log__segment_zones(const struct bough_log *l)
{
    enum { SHARE = 256, LEAST = 4, BYTES = 64 * 1024 * 1024 };
    uint32_t n = l->geo.zones / SHARE > LEAST ? l->geo.zones / SHARE : LEAST;
    uint32_t most = l->geo.zone < BYTES ? BYTES / l->geo.zone : 1;

    return n < most ? n : most;
}

/* Of a segment of which half lives; into one zone alone hardly more fits than it frees. */
static uint32_t copies(const struct bough_log *l)
{
    enum { LEAST = 2 };
    uint32_t half = bough_log__segment_zones(l) / 2;

    return half > LEAST ? half : LEAST;
}

/* ---- Need, levels ---- */

uint32_t bough_log__need(const struct bough_log *l)
{
    enum { LOG = 1 };
    uint64_t bytes = rows_bytes(l, l->rows.n) + 2 * refs_bytes(l) + roots_bytes(l, UNTIL_BACK);

    return zones_for(l, bytes) + bough_log__table_zones(l) + LOG + copies(l);
}

/* Trees and commits of removals, and of what was acknowledged and is not in a tree yet. */
uint32_t bough_log__removals(const struct bough_log *l)
{
    return zones_for(l, 2 * l->records.bytes) +
           (l->geo.zones < LITTLE ? REMOVALS_LITTLE : REMOVALS);
}

uint32_t bough_log__reserve(const struct bough_log *l)
{
    return bough_log__need(l) + bough_log__removals(l);
}

/* How deep removals go.  What is held until it has settled counts as free: no collection begins before. */
static uint32_t depth(const struct bough_log *l)
{
    uint32_t need = bough_log__need(l), least = bough_log__ends(l) + 1;

    if (!l->settle.on || need <= least)
        return need;
    return need - least > l->zones.helds ? need - (uint32_t)l->zones.helds : least;
}

uint32_t bough_log__kept_back(const struct bough_log *l)
{
    if (l->cycle != NULL && l->cycle->busy)
        return 0; /* it is for this that it was kept */
    if (l->txn.txn.urgent || !l->txn.grows)
        return depth(l);
    return l->txn.heavy ? bough_log__reserve(l) : bough_log__need(l) + bough_log__removals(l) / 2;
}

/* ---- Ends ---- */

uint32_t bough_log__ends(const struct bough_log *l)
{
    return zones_for(l, rows_bytes(l, l->rows.n) + refs_bytes(l) + roots_bytes(l, AT_END));
}
