/*
 * intake.c - receiving packs: into a segment of their own, quarantined until adopted.
 *
 *   host      what store/intake.h asks for: an area (the segment), the store's objects
 *   tables    when all is checked: the reverse table, then the oid table, behind the pack
 *   methods   feed, step, ordinal, close; adoption is adopt.c, the view is view.c
 *
 * The zones of the segment are held in memory only: after a crash they are free.
 */
#include "store/engine.h"
#include "store/inner.h"
#include "store/log/collect_inner.h"
#include "store/log/inner.h"
#include "store/log/intake_inner.h"
#include "store/log/read_inner.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"
#include "store/log/zone_inner.h"

static struct bough_log__intake *host_of(struct bough_store__intake_host *host)
{
    return (struct bough_log__intake *)((char *)host - offsetof(struct bough_log__intake, host));
}

static struct bough_log__intake *intake_of(struct bough_intake *in)
{
    return (struct bough_log__intake *)in; /* in is the first field */
}

/* ---- Host ---- */

static enum bough_err host_append(struct bough_store__intake_host *host, struct bough_view bytes)
{
    struct bough_log__intake *x = host_of(host);

    if (x->seg.run.len + bytes.len >= (uint64_t)1 << 39)
        return BOUGH_WHY(&x->log->store.why, BOUGH_ETOOBIG, "bytes of a segment", NULL, 0);
    return bough_log__out_put(&x->out, bytes.ptr, bytes.len);
}

static enum bough_err host_read(
    struct bough_store__intake_host *host, uint64_t at, uint8_t *dst, size_t n)
{
    return bough_log__out_read(&host_of(host)->out, at, dst, n);
}

/* Committed objects only: those of an open transaction may never come to be. */
static enum bough_err known_find(
    struct bough_log *l, const struct bough_oid *id, struct bough_log__row *out)
{
    struct bough_txn *open = l->store.txn;
    enum bough_err err;

    l->store.txn = NULL;
    err = bough_log__row_find(l, id, out);
    l->store.txn = open;
    return err;
}

enum { HEALS_MAX = 4096 };

static enum bough_err heal_note(struct bough_log__intake *x, const struct bough_oid *id)
{
    void *ptr = x->heal;
    enum bough_err err =
        bough_mem_grow(x->log->mem, &ptr, &x->heal_cap, x->heals + 1, sizeof *x->heal);

    x->heal = ptr;
    if (!err)
        x->heal[x->heals++] = *id;
    return err ? err : BOUGH_ENOENT;
}

/* What is damaged is taken again. */
static enum bough_err host_known(struct bough_store__intake_host *host, const struct bough_oid *id)
{
    struct bough_log__intake *x = host_of(host);
    struct bough_txn *open = x->log->store.txn;
    struct bough_log__row row;
    enum bough_err err = known_find(x->log, id, &row);

    if (err)
        return err;
    x->log->store.txn = NULL;
    err = bough_log__is_there(x->log, id);
    x->log->store.txn = open;
    return err == BOUGH_ENOENT && x->heals < HEALS_MAX ? heal_note(x, id) : err;
}

static void compared_drop(struct bough_log__intake *x)
{
    bough_object_close(x->compared);
    x->compared = NULL;
}

static enum bough_err host_compare(struct bough_store__intake_host *host,
    const struct bough_oid *id, const struct bough_found *found, uint64_t at,
    struct bough_view piece)
{
    struct bough_log__intake *x = host_of(host);

    if (at == 0) {
        enum bough_err err;

        compared_drop(x);
        err = bough_log__object_open(&x->log->store, id, &x->compared);
        if (err)
            return err;
    }
    return bough_store__object_compare(&x->compared, found, at, piece);
}

static enum bough_err host_base(struct bough_store__intake_host *host, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    struct bough_log *l = host_of(host)->log;
    struct bough_log__row row;
    enum bough_err err = known_find(l, id, &row);

    return err ? err : bough_log__body_read(l, row.where, type, out);
}

static const struct bough_store__intake_host_class host_class = {
    .append = host_append,
    .read = host_read,
    .known = host_known,
    .compare = host_compare,
    .base = host_base,
};

/* ---- Tables ---- */

static enum bough_err reverse_block(
    struct bough_log__intake *x, uint8_t *block, uint64_t from, uint32_t rows)
{
    struct bough_log *l = x->log;
    uint8_t *p = block + BOUGH_LOG__BLOCK_HEAD;

    memset(block, 0, BOUGH_LOG__BLOCK);
    for (uint32_t i = 0; i < rows; i++, p += bough_log__row_len(l)) {
        struct bough_store__intake_row e = bough_store__intake_entry(x->core, from + i);
        bough_put64le(p, e.at);
        memcpy(p + 8, e.id.bytes, l->geo.id_len);
        bough_put32le(p + 8 + l->geo.id_len, e.crc);
    }
    bough_log__block_seal(
        block, x->seg.reverse.number, x->seg.reverse.blocks++, rows, BOUGH_LOG__BLOCK_REVERSE);
    return bough_log__out_put(&x->out, block, BOUGH_LOG__BLOCK);
}

static enum bough_err reverse_write(struct bough_log__intake *x)
{
    uint32_t per = bough_log__rows_per_block(x->log);
    uint8_t *block = bough_mem_alloc(x->log->mem, BOUGH_LOG__BLOCK);
    enum bough_err err = block == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    x->seg.reverse.number = x->log->next_table++;
    x->seg.reverse.at = x->seg.run.len;
    x->seg.reverse.rows = x->seg.objects;
    for (uint64_t at = 0; at < x->seg.objects && !err; at += per) {
        uint64_t left = x->seg.objects - at;
        err = reverse_block(x, block, at, left < per ? (uint32_t)left : per);
    }
    if (block != NULL)
        bough_mem_free(x->log->mem, block, BOUGH_LOG__BLOCK);
    return err;
}

/* Rows of what the store does not have: a known object stays where it is, since it may be what
   leads to this one's base. */
struct new_rows {
    struct bough_log__row_source src; /* first: the face */
    struct bough_log__intake *x;
    uint64_t at;
};

static enum bough_err new_rows_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct new_rows *r = (struct new_rows *)src; /* src is the first field */

    while (r->at < r->x->in.count) {
        struct bough_store__intake_row row = bough_store__intake_row(r->x->core, r->at++);
        if (row.known)
            continue;
        *out = (struct bough_log__row){.id = row.id,
            .where = row.at,
            .crc = row.crc,
            .whole = !bough_entry_is_delta(row.stored)};
        return BOUGH_OK;
    }
    return BOUGH_ENOENT;
}

static enum bough_err tables_write(struct bough_log__intake *x)
{
    struct bough_store__intake_facts f = bough_store__intake_facts(x->core);
    struct new_rows rows = {{new_rows_next}, x, 0};
    struct bough_store__intake_row last;
    enum bough_err err;

    x->seg.flags = f.area_len == f.len ? BOUGH_LOG__PACK_WHOLE : 0;
    x->seg.objects = f.entries;
    if (f.entries > 0) {
        last = bough_store__intake_entry(x->core, f.entries - 1);
        x->seg.pack_end = last.at + last.packed_len;
    }
    err = bough_log__out_pad(&x->out, x->log->geo.align);
    if (!err)
        err = reverse_write(x);
    if (!err)
        err = bough_log__out_pad(&x->out, x->log->geo.align);
    x->seg.oid.at = x->seg.run.len;
    if (!err)
        err = bough_log__table_write(&x->out, &rows.src, f.count, &x->seg.oid);
    if (!err)
        err = bough_log__out_pad(&x->out, x->log->geo.granule);
    if (!err)
        err = bough_log__out_flush(&x->out);
    return err;
}

/* ---- Methods ---- */

static enum bough_err intake_feed(struct bough_intake *in, struct bough_view bytes, size_t *used)
{
    struct bough_log__intake *x = intake_of(in);
    enum bough_err err = bough_store__intake_feed(x->core, bytes, used);

    bough_store__intake_tell(x->core, &x->in);
    return bough_log__full_told(x->log, err);
}

/* Zones that the tables behind the pack take at most. */
static uint32_t tables_zones(const struct bough_log__intake *x)
{
    const struct bough_log *l = x->log;
    uint64_t rows = bough_store__intake_facts(x->core).entries;

    return (uint32_t)(rows * bough_log__row_len(l) * 5 / 2 / l->geo.zone) + 2;
}

/* All came.  From now on what it sees of the store must stay, so there is the last chance to get room;
   what it knew before may have gone. */
static void look_begin(struct bough_log__intake *x)
{
    struct bough_log *l = x->log;
    uint32_t want = bough_log__reserve(l) + tables_zones(x);

    if (!bough_log__zones_have(l, want))
        (void)bough_log__room_make(l, want); /* it may be less than was thought */
    x->out.collects = false;
    x->looking = true;
    l->lookers++;
    if (x->losses != l->store.losses)
        bough_store__intake_lost(x->core);
}

static enum bough_err intake_step(struct bough_intake *in, uint64_t budget)
{
    struct bough_log__intake *x = intake_of(in);
    enum bough_err err;

    if (!x->looking)
        look_begin(x);
    err = bough_store__intake_step(x->core, budget);

    bough_store__intake_tell(x->core, &x->in);
    return bough_log__full_told(x->log, err ? err : tables_write(x));
}

static struct bough_store *intake_view(struct bough_intake *in)
{
    return &intake_of(in)->view;
}

static enum bough_err intake_ordinal(
    struct bough_intake *in, const struct bough_oid *id, uint64_t *out)
{
    return bough_store__intake_find(intake_of(in)->core, id, out);
}

void bough_log__intake_close(struct bough_intake *in)
{
    struct bough_log__intake *x = intake_of(in);
    struct bough_log *l = x->log;

    bough_log__view_end(x);
    compared_drop(x);
    bough_store__intake_close(x->core);
    bough_log__out_fini(&x->out);
    for (uint32_t i = 0; i < x->seg.run.n; i++)
        bough_log__zone_drop(l, x->seg.run.zones[i]);
    bough_log__segment_fini(l, &x->seg);
    bough_mem_free(l->mem, x->heal, x->heal_cap * sizeof *x->heal);
    l->lookers -= x->looking;
    bough_mem_free(l->mem, x, sizeof *x);
}

static const struct bough_intake_class intake_class = {
    .feed = intake_feed,
    .step = intake_step,
    .view = intake_view,
    .ordinal = intake_ordinal,
    .close = bough_log__intake_close,
};

enum bough_err bough_log__intake_open(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out)
{
    struct bough_log *l = bough_log__of(s);
    struct bough_log__intake *x = bough_mem_zalloc(l->mem, 1, sizeof *x);
    enum bough_err err;

    if (x == NULL)
        return BOUGH_ENOMEM;
    x->in = (struct bough_intake){.cls = &intake_class, .store = s};
    x->log = l;
    x->losses = l->store.losses;
    x->host.cls = &host_class;
    x->seg.pack = true;
    bough_log__view_init(x);
    err = bough_log__out_init(&x->out, l, &x->seg.run, BOUGH_LOG__ZONE_PACK);
    x->out.reserve = bough_log__reserve(l);
    x->out.collects = true;
    if (!err)
        err = bough_store__intake_open(&x->core, l->mem, s->algo, &x->host, opts, false, &s->why);
    if (err) {
        bough_log__intake_close(&x->in);
        return err;
    }
    *out = &x->in;
    return BOUGH_OK;
}
