/*
 * check.c - is the store whole?  Every structure, every object.
 *
 *   open      what was found damaged at open; superblocks
 *   tables    blocks whole, rows in order and in their place
 *   packs     the stream whole as received, reverse tables in order
 *   objects   each row leads to an entry that is what the row says
 *   refs      each names an object
 *   bitmaps   bitmap_check.c
 *
 * A fault is reported and the check goes on behind it; only lack of memory ends it.
 */
#include "store/inner.h"
#include "store/log/cache_inner.h"
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/read_inner.h"
#include "store/log/refs_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/super_inner.h"
#include "store/log/table_inner.h"

struct check {
    struct bough_log *log;
    bough_store_report_fn *report;
    void *ctx;
    bool found;
    bool refs_damaged; /* a block of a ref table is */
};

static void say(struct check *c, const char *what, struct bough_view key)
{
    c->found = true;
    c->report(c->ctx, BOUGH_ECORRUPT, what, key);
}

static void say_id(struct check *c, const char *what, const struct bough_oid *id)
{
    char hex[BOUGH_HEX_MAX];
    size_t len = bough_oid_hex(c->log->geo.algo, id, hex);

    say(c, what, bough_view(hex, len));
}

static void say_place(struct check *c, const char *what, const char *kind, uint64_t n)
{
    char key[40];
    size_t len = 0;
    char digits[20];
    size_t k = 0;

    while (kind[len] != '\0' && len < 16) {
        key[len] = kind[len];
        len++;
    }
    do {
        digits[k++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    while (k > 0)
        key[len++] = digits[--k];
    say(c, what, bough_view(key, len));
}

/* ---- Objects ---- */

static enum bough_err row_check(struct check *c, const struct bough_log__row *row)
{
    struct bough_log *l = c->log;
    struct bough_log__entry e;
    struct bough_oid got;
    enum bough_err err = bough_log__entry_open(l, row->where, &e);

    if (!err && (e.crc != row->crc || e.id8 != bough_log__id8(&row->id)))
        err = BOUGH_ECORRUPT;
    if (!err)
        err = bough_store__object_digest(&l->store, &row->id, &got);
    if (err == BOUGH_ENOMEM)
        return err;
    if (err)
        say_id(c, "an object cannot be read", &row->id);
    else if (!bough_oid_eq(&got, &row->id))
        say_id(c, "an object is not what its id says", &row->id);
    return BOUGH_OK;
}

/* ---- Tables ---- */

struct table_check {
    const struct bough_log__table *table;
    struct bough_oid last;
    uint64_t rows;
    bool full; /* the block before has no room left */
};

static enum bough_err block_check(struct check *c, struct table_check *t, uint32_t no)
{
    struct bough_log *l = c->log;
    const uint8_t *block;
    uint32_t rows = 0;
    enum bough_err err =
        bough_log__table_block(l, t->table, BOUGH_LOG__BLOCK_OID, no, &block, &rows);

    if (err) {
        say_place(c, "a block of an oid table cannot be read", "block ", no);
        return BOUGH_OK;
    }
    for (uint32_t i = 0; i < rows && !err; i++) {
        struct bough_log__row row;
        uint32_t home;

        /* Looking at the object may have taken the block's page. */
        err = bough_log__table_block(l, t->table, BOUGH_LOG__BLOCK_OID, no, &block, &rows);
        if (err)
            break;
        bough_log__table_row(l, t->table, block, i, &row);
        home = bough_log__home_of(&row.id, t->table->home);
        if (t->rows++ > 0 && bough_oid_cmp(&t->last, &row.id) >= 0)
            say_id(c, "an oid table is out of order", &row.id);
        if (home > no || (home < no && i == 0 && !t->full))
            say_id(c, "a row is not in its block", &row.id);
        t->last = row.id;
        err = row_check(c, &row);
    }
    t->full = rows == bough_log__rows_per_block(l);
    return err == BOUGH_ENOMEM ? err : BOUGH_OK;
}

/* What damage holds; its rows lead nowhere. */
static enum bough_err hold_check(struct check *c)
{
    struct bough_log *l = c->log;
    const uint8_t *block;
    uint32_t rows;

    for (uint32_t no = 0; no < l->hold.blocks; no++) {
        enum bough_err err =
            bough_log__table_block(l, &l->hold, BOUGH_LOG__BLOCK_OID, no, &block, &rows);
        if (err == BOUGH_ENOMEM)
            return err;
        if (err)
            say_place(c, "the list of what damage holds cannot be read", "block ", no);
    }
    return BOUGH_OK;
}

static enum bough_err tables_check(struct check *c)
{
    struct bough_log *l = c->log;
    enum bough_err err = BOUGH_OK;

    for (size_t i = 0; i < l->tables && !err; i++) {
        struct table_check t = {.table = &l->table[i]};
        for (uint32_t no = 0; no < t.table->blocks && !err; no++)
            err = block_check(c, &t, no);
    }
    if (!err)
        err = hold_check(c);
    for (size_t i = 0; i < l->rows.n && !err; i++)
        err = row_check(c, &l->rows.row[i]);
    return err;
}

/* ---- Open ---- */

/* What is in a slot: the generation of its superblock, 0: nothing, or one of these. */
#define SLOT_UNREAD  UINT64_MAX
#define SLOT_DAMAGED (UINT64_MAX - 1)

static enum bough_err slot_look(struct check *c, uint32_t slot, uint64_t *out)
{
    struct bough_log *l = c->log;
    uint8_t page[BOUGH_LOG__SUPER_LEN];
    struct bough_log__super s;
    struct bough_log__geo geo;
    uint32_t any = 0;
    enum bough_err err = bough_log__read(l, bough_log__slot_at(&l->geo, slot), page, sizeof page);

    *out = SLOT_UNREAD;
    if (err)
        return err == BOUGH_ENOMEM ? err : BOUGH_OK;
    for (uint32_t i = 0; i < sizeof page; i++)
        any |= page[i];
    if (any == 0)
        *out = 0;
    else if (bough_log__super_decode(page, &geo, &s) || !bough_log__geo_same(&geo, &l->geo))
        *out = SLOT_DAMAGED;
    else
        *out = s.generation;
    return BOUGH_OK;
}

/* Slots hold superblocks up to the newest one: who opens a store for writing mends what a cut tore. */
static enum bough_err slots_check(struct check *c)
{
    struct bough_log *l = c->log;
    uint64_t has[BOUGH_LOG__ALL_SLOTS], newest = 0;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < BOUGH_LOG__ALL_SLOTS && !err; i++) {
        err = slot_look(c, i, &has[i]);
        if (!err && has[i] < SLOT_DAMAGED && has[i] > newest)
            newest = has[i];
    }
    for (uint32_t i = 0; i < BOUGH_LOG__ALL_SLOTS && !err; i++) {
        uint64_t at = bough_log__slot_at(&l->geo, i);

        if (has[i] == SLOT_UNREAD)
            say_place(c, "a superblock cannot be read", "byte ", at);
        else if (has[i] == SLOT_DAMAGED)
            say_place(c, "a superblock is damaged; the others are in use", "byte ", at);
        else if (has[i] == 0 && bough_log__slot_generation(i, newest) > 0)
            say_place(c, "a superblock is missing; the others are in use", "byte ", at);
    }
    return err;
}

static enum bough_err open_check(struct check *c)
{
    const struct bough_log *l = c->log;

    for (uint32_t i = 0; i < l->damages; i++) {
        const struct bough_why *w = &l->damage[i];

        if (w->key_len > 0)
            say(c, w->what, bough_view(w->key, w->key_len));
        else
            say_place(c, w->what, "at ", w->at);
    }
    return slots_check(c);
}

/* ---- Packs ---- */

/* The stream as received: its head, and its digest behind the last entry. */
static enum bough_err stream_check(struct check *c, const struct bough_log__segment *seg)
{
    enum { HEAD = 12, PIECE = 4096 };
    static const uint8_t head[8] = {'P', 'A', 'C', 'K', 0, 0, 0, 2};
    struct bough_log *l = c->log;
    uint8_t piece[PIECE], sum[BOUGH_DIGEST_MAX];
    bool whole = seg->flags & BOUGH_LOG__PACK_WHOLE;
    uint64_t end = whole ? seg->pack_end : HEAD;
    struct bough_hash hash;
    enum bough_err err = BOUGH_OK;

    bough_hash_init(&hash, l->geo.algo);
    for (uint64_t at = 0; at < end && !err;) {
        size_t n = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        err = bough_log__segment_read(l, seg, at, piece, n);
        bough_hash_update(&hash, piece, n);
        if (!err && at == 0 &&
            (memcmp(piece, head, sizeof head) != 0 ||
                (whole && bough_get32be(piece + sizeof head) != seg->objects)))
            err = BOUGH_ECORRUPT;
        at += n;
    }
    bough_hash_final(&hash, sum);
    if (!err && whole)
        err = bough_log__segment_read(l, seg, end, piece, l->geo.id_len);
    if (!err && whole && memcmp(piece, sum, l->geo.id_len) != 0)
        err = BOUGH_ECORRUPT;
    if (err && err != BOUGH_ENOMEM) {
        say_place(c, "a received pack is not as it was received", "segment ", seg->number);
        err = BOUGH_OK;
    }
    return err;
}

static enum bough_err pack_check(struct check *c, const struct bough_log__segment *seg)
{
    struct bough_log__reverse r;
    uint64_t end = 0;

    for (uint64_t i = 0; i < seg->objects; i++) {
        enum bough_err err = bough_log__reverse_get(c->log, seg, i, &r);
        if (err || (i > 0 && r.offset != end)) {
            say_place(c, "a reverse table is damaged", "segment ", seg->number);
            break;
        }
        end = r.end;
    }
    for (uint32_t no = 0; no < seg->sums.blocks; no++) {
        const uint8_t *block;
        uint32_t rows;

        if (bough_log__table_block(c->log, &seg->sums, BOUGH_LOG__BLOCK_SUMS, no, &block, &rows))
            say_place(c, "a table of checksums is damaged", "segment ", seg->number);
    }
    return stream_check(c, seg);
}

/* ---- Refs ---- */

/* Blocks that no name led to are looked at, too. */
static enum bough_err reftable_check(struct check *c, const struct bough_log__table *t)
{
    const uint8_t *block;
    uint32_t rows;

    for (uint32_t no = 0; no < t->blocks; no++) {
        enum bough_err err =
            bough_log__table_block(c->log, t, BOUGH_LOG__BLOCK_REF, no, &block, &rows);
        if (err == BOUGH_ENOMEM)
            return err;
        c->refs_damaged = c->refs_damaged || err;
        if (err)
            say_place(c, "a block of a ref table cannot be read", "block ", no);
    }
    for (uint32_t no = t->blocks; no < t->blocks + t->home; no++) {
        enum bough_err err =
            bough_log__table_block(c->log, t, BOUGH_LOG__BLOCK_REFINDEX, no, &block, &rows);
        if (err == BOUGH_ENOMEM)
            return err;
        if (err)
            say_place(c, "the index of a ref table is damaged", "block ", no);
    }
    return BOUGH_OK;
}

/* Moves of refs, and what is only a cache, are never changed. */
static bool may_change(struct bough_view name)
{
    static const char *const fixed[] = {"logs/", "history/"};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        struct bough_view v = bough_view_str(fixed[i]);
        if (name.len > v.len && bough_view_eq(bough_view(name.ptr, v.len), v))
            return false;
    }
    return true;
}

/* May something newer be lost of the ref: in a frame, or in a block of a newer table? */
static enum bough_err ref_doubt(struct check *c, struct bough_view name, uint64_t seq)
{
    struct bough_log__ref_value v = {.seq = 0};
    bool doubt = seq <= c->log->lost_to;
    enum bough_err err = BOUGH_OK;

    if (!may_change(name))
        return BOUGH_OK;
    if (!doubt && c->refs_damaged) {
        err = bough_log__ref_get(c->log, name, &v);
        doubt = v.doubt;
    }
    if (doubt)
        say(c, "a ref may be older than it was", name);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static enum bough_err refs_check(struct check *c)
{
    uint8_t name[BOUGH_REF_NAME_MAX];
    struct bough_view after = {name, 0};
    struct bough_log__ref_value v;
    uint64_t there = 0;
    enum bough_err err = BOUGH_OK;

    for (uint32_t i = 0; i < c->log->reftables && !err; i++)
        err = reftable_check(c, &c->log->reftable[i]);
    while (!err && !(err = bough_log__ref_seek(c->log, after, true, 0, &v))) {
        memcpy(name, v.ref.name.ptr, v.ref.name.len);
        after.len = v.ref.name.len;
        there += v.ref.kind != BOUGH_REF_NONE;
        if (v.ref.kind == BOUGH_REF_ID &&
            bough_store_has(&c->log->store, &v.ref.id) == BOUGH_ENOENT)
            say(c, "a ref names no object", after);
        err = ref_doubt(c, after, v.seq);
    }
    if (err == BOUGH_ENOENT && there != c->log->refs_n)
        say_place(c, "the number of refs is not what is noted", "there are ", there);
    if (err == BOUGH_ENOENT || err == BOUGH_ENOMEM)
        return err == BOUGH_ENOENT ? BOUGH_OK : err;
    say(c, "refs cannot be read behind this one", after.len > 0 ? after : bough_view("refs", 4));
    return BOUGH_OK;
}

static enum bough_err reach_check(struct check *c)
{
    enum bough_err err = bough_log__bitmaps_check(c->log);

    if (err && err != BOUGH_ENOMEM)
        say_place(c, "reachability bitmaps are damaged; gc makes others", "table ",
            c->log->table[0].number);
    return err == BOUGH_ENOMEM ? err : BOUGH_OK;
}

enum bough_err bough_log__check(struct bough_store *s, bough_store_report_fn *report, void *ctx)
{
    struct check c = {.log = bough_log__of(s), .report = report, .ctx = ctx};
    enum bough_err err;

    bough_log__bodies_drop(c.log); /* what lies on the device is meant */
    bough_log__pages_drop(c.log);
    err = open_check(&c);
    if (!err)
        err = tables_check(&c);
    for (size_t i = 0; i < c.log->segments && !err; i++) {
        if (c.log->segment[i].pack)
            err = pack_check(&c, &c.log->segment[i]);
    }
    if (!err)
        err = refs_check(&c);
    if (!err)
        err = reach_check(&c);
    if (err)
        return err;
    return c.found ? BOUGH_ECORRUPT : BOUGH_OK;
}
