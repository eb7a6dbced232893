/*
 * log.c - the face of the log engine: make a store, open it, close it.
 *
 *   refs, records, statistics   methods that need no file of their own
 *   format
 *   open                        superblock, root, replay, a superblock of our own
 */
#include "store/engine.h"
#include "store/log/cache_inner.h"
#include "store/log/checkpoint_inner.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/intake_inner.h"
#include "store/log/reach_inner.h"
#include "store/log/read_inner.h"
#include "store/log/reader_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"
#include "store/log/txn_inner.h"
#include "store/log/zone_inner.h"

void bough_log__corrupt_note(struct bough_log *l, const char *what, uint64_t at)
{
    (void)BOUGH_WHY(&l->store.why, BOUGH_ECORRUPT, what, NULL, 0);
    l->store.why.at = at;
}

void bough_log__damage_note(struct bough_log *l, const struct bough_why *why)
{
    if (l->damages < BOUGH_LOG__DAMAGES)
        l->damage[l->damages++] = *why;
}

enum bough_err bough_log__tables_reserve(struct bough_log *l, size_t more)
{
    void *ptr = l->table;
    enum bough_err err =
        bough_mem_grow(l->mem, &ptr, &l->table_cap, l->tables + more, sizeof *l->table);

    l->table = ptr;
    return err;
}

void bough_log__apply_segment_table(struct bough_log *l, struct bough_log__segment *seg)
{
    BOUGH_ASSERT(l->tables < l->table_cap);
    l->table[l->tables++] = seg->oid;
    l->fresh++;
}

/* ---- Methods ---- */

static enum bough_err log_ref(struct bough_store *s, struct bough_view name, struct bough_ref *out)
{
    struct bough_log__ref_value v;
    enum bough_err err = bough_log__ref_get(bough_log__of(s), name, &v);

    if (!err)
        *out = v.ref;
    return err;
}

static bool begins_with(struct bough_view name, struct bough_view prefix)
{
    return name.len >= prefix.len && bough_view_eq(bough_view(name.ptr, prefix.len), prefix);
}

static enum bough_err log_ref_next(
    struct bough_store *s, struct bough_view prefix, struct bough_view after, struct bough_ref *out)
{
    struct bough_log *l = bough_log__of(s);
    uint8_t last[BOUGH_REF_NAME_MAX];
    bool past = bough_view_cmp(after, prefix) >= 0;
    struct bough_view name = past ? after : prefix;

    for (;;) {
        struct bough_log__ref_value v;
        enum bough_err err = bough_log__ref_seek(l, name, past, 0, &v);

        if (err)
            return err;
        if (!begins_with(v.ref.name, prefix))
            return BOUGH_ENOENT;
        if (v.ref.kind != BOUGH_REF_NONE) {
            *out = v.ref;
            return BOUGH_OK;
        }
        memcpy(last, v.ref.name.ptr, v.ref.name.len);
        name = bough_view(last, v.ref.name.len);
        past = true;
    }
}

static enum bough_err log_records(struct bough_store *s, bough_store_record_fn *fn, void *ctx)
{
    struct bough_log *l = bough_log__of(s);

    for (size_t i = 0; i < l->records.n; i++) {
        const struct bough_log__record *r = l->records.rec[i];
        enum bough_err err = fn(ctx, bough_view(r->bytes, r->stream_len), r->seq,
            bough_view(r->bytes + r->stream_len, r->len));
        if (err)
            return err;
    }
    return BOUGH_OK;
}

static enum bough_err log_stat(struct bough_store *s, struct bough_store_stats *out)
{
    struct bough_log *l = bough_log__of(s);

    out->objects = l->rows.n;
    for (size_t i = 0; i < l->tables; i++)
        out->objects += l->table[i].rows;
    out->refs = l->refs_n;
    out->records = l->records.n;
    out->device_bytes = (uint64_t)l->geo.zones * l->geo.zone;
    out->used_bytes = (uint64_t)(l->geo.zones - l->zones.free) * l->geo.zone;
    out->cache_bytes = l->bodies.used + (size_t)l->pages.sets * 4 * l->pages.size;
    out->settles = l->settle.on;
    out->commits = l->commits;
    out->syncs = l->syncs;
    out->read_bytes = l->pages.read_bytes;
    out->written_bytes = l->pages.written_bytes;
    out->payload_bytes = l->payload;
    out->page_misses = l->pages.misses;
    bough_log__bitmaps_stat(l, out);
    out->page_hits = l->pages.clock > l->pages.misses ? l->pages.clock - l->pages.misses : 0;
    return BOUGH_OK;
}

static enum bough_err log_maintain(struct bough_store *s, uint64_t budget, bool *more)
{
    struct bough_log *l = bough_log__of(s);
    enum bough_err err;

    *more = false;
    err = bough_log__owner_check_timely(l);
    if (!err)
        err = bough_log__settle_move(l);
    if (err)
        return err;
    if (bough_log__checkpoint_due(l, 2)) {
        err = bough_log__checkpoint(l); /* its size is bounded by the options */
        *more = l->cycle != NULL || bough_log__tiers_due(l) || bough_log__reftiers_due(l);
        return err;
    }
    err = bough_log__prepare(l);
    if (!err)
        err = bough_log__collect_step(l, budget, more);
    if (!err && !*more)
        err = bough_log__bitmaps_make(l, budget, more);
    if (!err && !*more)
        err = bough_log__tiers_step(l, budget, more);
    return err || *more ? err : bough_log__reftiers_step(l, budget, more);
}

static void log_close(struct bough_store *s)
{
    struct bough_log *l = bough_log__of(s);

    bough_log__cycle_end(l, false);
    bough_log__bitmaps_end(l);
    bough_log__tiers_end(l, false);
    bough_log__reftiers_end(l, false);
    bough_log__txn_fini(l);
    bough_log__super_end(l);
    bough_log__pins_fini(l);
    if (l->pin != NULL)
        bough_log__flag_up(&l->pin->closed); /* the last that this thread does with it */
    bough_log__bodies_fini(l);
    bough_log__pages_fini(l);
    bough_log__zones_fini(l);
    bough_log__births_packs_fini(l, &l->births.packs);
    for (size_t i = 0; i < l->segments; i++)
        bough_log__segment_fini(l, &l->segment[i]);
    bough_mem_free(l->mem, l->segment, l->segment_cap * sizeof *l->segment);
    for (size_t i = 0; i < l->tables; i++)
        bough_log__table_fini(l, &l->table[i]);
    bough_mem_free(l->mem, l->table, l->table_cap * sizeof *l->table);
    for (uint32_t i = 0; i < l->reftables; i++)
        bough_log__table_fini(l, &l->reftable[i]);
    bough_log__table_fini(l, &l->hold);
    bough_log__rows_fini(&l->rows, l->mem);
    bough_log__refs_fini(&l->refs, l->mem);
    bough_log__records_fini(&l->records, l->mem);
    bough_log__run_fini(l, &l->root_run);
    bough_buf_fini(&l->scratch);
    if (l->inflater_ready)
        bough_inflater_fini(&l->inflater);
    bough_mem_free(l->mem, l->ref_scratch, 4 * BOUGH_REF_NAME_MAX);
    bough_mem_free(l->mem, l, sizeof *l);
}

static const struct bough_store_class log_class = {
    .name = "log",
    .close = log_close,
    .find = bough_log__find,
    .has = bough_log__has,
    .read = bough_log__read_object,
    .get = bough_log__get_object,
    .soon = bough_log__soon,
    .object_open = bough_log__object_open,
    .entry = bough_log__entry_of,
    .entry_read = bough_log__entry_read,
    .each = bough_log__each,
    .abbrev = bough_log__abbrev,
    .ref = log_ref,
    .ref_next = log_ref_next,
    .records = log_records,
    .begin = bough_log__txn_begin,
    .intake = bough_log__intake_open,
    .spool = bough_log__spool,
    .sync = bough_log__sync,
    .maintain = log_maintain,
    .resize = bough_log__resize,
    .collect = bough_log__collect,
    .collection = bough_log__collection,
    .check = bough_log__check,
    .stat = log_stat,
    .reader = bough_log__reader,
    .reach = bough_log__reach,
};

/* ---- New ---- */

enum {
    CACHE = 8 * 1024 * 1024,
    CACHE_MIN = 64 * 1024,
    TABLE_ROWS = 65536,
    LOG_MAX = 16 * 1024 * 1024,
    PREPARE = 1024 * 1024,
    PREPARE_ZONE = 128 * 1024,
};

enum bough_err bough_log__new(struct bough_block *dev, const struct bough_env *env,
    const struct bough_log_open_opts *opts, const struct bough_log__geo *geo,
    struct bough_log **out)
{
    struct bough_log *l = bough_mem_zalloc(env->mem, 1, sizeof *l);
    size_t cache;
    enum bough_err err;

    if (l == NULL)
        return BOUGH_ENOMEM;
    *out = l;
    l->store.cls = &log_class;
    l->store.env = env;
    l->store.caps = BOUGH_STORE_PACKED | BOUGH_STORE_ATOMIC_REFS | BOUGH_STORE_RECORDS |
                    BOUGH_STORE_INTAKE | BOUGH_STORE_DURABLE | BOUGH_STORE_MAINTAIN;
    l->store.algo = geo->algo;
    l->store.object_max = BOUGH_OBJECT_MAX_DEFAULT;
    l->dev = dev;
    l->mem = env->mem;
    l->geo = *geo;
    if (opts != NULL)
        l->opts = *opts;
    l->opts.table_rows = l->opts.table_rows > 0 ? l->opts.table_rows : TABLE_ROWS;
    l->opts.log_max = l->opts.log_max > 0 ? l->opts.log_max : LOG_MAX;
    if (l->opts.prepare == 0)
        l->opts.prepare = geo->zone >= PREPARE_ZONE ? PREPARE : 1;
    cache = l->opts.cache > 0 ? l->opts.cache : CACHE;
    cache = cache < CACHE_MIN ? CACHE_MIN : cache;
    bough_buf_init(&l->scratch, l->mem);
    bough_log__aligned_init(&l->aligned, l->mem);
    bough_buf_init(&l->txn.data, &l->aligned.mem);
    bough_buf_init(&l->txn.index, l->mem);
    l->store.read_only =
        l->opts.read_only || (dev->caps & BOUGH_BLOCK_READONLY) != 0 || dev->unit > geo->granule;
    err = bough_log__pages_init(l, cache / 4 * 3);
    if (!err)
        err = bough_log__bodies_init(l, cache / 4);
    if (!err)
        err = bough_log__zones_init(l);
    l->ref_scratch = bough_mem_alloc(l->mem, 4 * BOUGH_REF_NAME_MAX);
    return err ? err : l->ref_scratch == NULL ? BOUGH_ENOMEM : BOUGH_OK;
}
