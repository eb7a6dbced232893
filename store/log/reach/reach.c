/*
 * reach.c - what commits reach, by the bitmaps of the first table: the handle.
 *
 *   open      head, directory, two empty sets
 *   covers    is there a bitmap?
 *   add       the bitmap of a commit, and those that it adds to, a piece at a time
 *   objects   one alone; where one is; how many
 *   entries   their bytes, their bases
 *
 * While a handle is open the first table stays: no checkpoint and no merge takes it, and a
 * collection waits before its swap, for a minute, or gives the handle up when space is needed (cycle.c).
 */
#include "store/log/inner.h"
#include "store/log/reach_inner.h"
#include "store/log/segment_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

static struct bough_log__table *table_of(const struct bough_log__reach *x)
{
    return &x->log->table[0];
}

static enum bough_err expired(struct bough_log__reach *x)
{
    return BOUGH_WHY(&x->log->store.why, BOUGH_EEXPIRED, "a collection went on meanwhile", NULL, 0);
}

/* ---- Open, close ---- */

static void reach_close(struct bough_reach *r)
{
    struct bough_log__reach *x = bough_log__reach_of(r), **at = &x->log->reaches;
    struct bough_mem *mem = x->log->mem;

    while (*at != NULL && *at != x)
        at = &(*at)->next;
    if (*at == x)
        *at = x->next;
    for (int i = 0; i < 2; i++) {
        bough_mem_free(mem, x->seen[i], x->maps.cap);
        bough_mem_free(mem, x->bits[i], x->len);
    }
    bough_mem_free(mem, x->heap, x->heap_cap * sizeof *x->heap);
    bough_buf_fini(&x->reader.left);
    bough_buf_fini(&x->left);
    bough_log__bitmaps_fini(x->log, &x->maps);
    bough_mem_free(mem, x, sizeof *x);
}

bool bough_log__reach_expire(struct bough_log *l)
{
    bool any = l->reaches != NULL;

    while (l->reaches != NULL) {
        bough_log__reach_note(l->reaches);
        l->reaches->expired = true;
        l->reaches = l->reaches->next;
    }
    return any;
}

/* Bitmaps made when the boundary was another one say other things. */
static enum bough_err boundary_same(struct bough_log__reach *x)
{
    uint32_t n, crc;
    enum bough_err err = bough_log__boundary_sum(x->log, &n, &crc);

    if (!err && (n != x->maps.boundary_n || crc != x->maps.boundary_crc))
        err = BOUGH_ENOTSUP;
    return err;
}

static enum bough_err sets_new(struct bough_log__reach *x)
{
    struct bough_mem *mem = x->log->mem;
    bool all = true;

    x->len = bough_log__places_len(x->log, table_of(x));
    for (int i = 0; i < 2; i++) {
        x->seen[i] = bough_mem_zalloc(mem, x->maps.cap, 1);
        x->bits[i] = bough_mem_zalloc(mem, x->len, 1);
        all = all && x->seen[i] != NULL && x->bits[i] != NULL;
    }
    return all ? BOUGH_OK : BOUGH_ENOMEM;
}

/* ---- Sets ---- */

static bool reach_covers(struct bough_reach *r, const struct bough_oid *commit)
{
    struct bough_log__reach *x = bough_log__reach_of(r);

    return bough_log__bitmaps_find(&x->maps, commit) < x->maps.n;
}

/* The next bitmap of the chain that is not in the set; 0: all are. */
static uint32_t chain_next(
    const struct bough_log__reach *x, enum bough_reach_side side, uint32_t at)
{
    return at > 0 && x->seen[side][at - 1] ? 0 : at;
}

static enum bough_err reach_add(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *commit)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    struct bough_log__bitmap_reader *in = &x->reader;
    enum bough_err err;

    if (x->expired)
        return expired(x);
    if (x->adding == 0)
        x->adding = chain_next(x, side, bough_log__bitmaps_find(&x->maps, commit) + 1);
    if (x->adding == 0)
        return BOUGH_OK;
    BOUGH_ASSERT(x->adding <= x->maps.n);
    if (in->bitmap == NULL) {
        bough_buf_clear(&in->left);
        *in = (struct bough_log__bitmap_reader){
            .bitmap = &x->maps.bitmap[x->adding - 1], .region = x->maps.region, .left = in->left};
    }
    err = bough_log__bitmap_step(x->log, table_of(x), in, x->bits[side], x->len);
    if (err)
        return err == BOUGH_ECORRUPT
                   ? bough_log__corrupt(x->log, "a reachability bitmap is damaged", x->adding - 1)
                   : err;
    x->seen[side][x->adding - 1] = 1;
    x->adding = chain_next(x, side, in->bitmap->base);
    in->bitmap = NULL;
    return x->adding > 0 ? BOUGH_EAGAIN : BOUGH_OK;
}

static enum bough_err place_of(
    struct bough_log__reach *x, const struct bough_oid *id, uint64_t *place)
{
    struct bough_log__row row;

    if (x->expired)
        return expired(x);
    return bough_log__table_place(x->log, table_of(x), id, &row, place);
}

static enum bough_err reach_put(
    struct bough_reach *r, enum bough_reach_side side, const struct bough_oid *id, bool *fresh)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    uint64_t place;
    enum bough_err err = place_of(x, id, &place);

    if (err)
        return err;
    *fresh = !bough_log__bit(x->bits[side], place);
    bough_log__bit_set(x->bits[side], place);
    return BOUGH_OK;
}

static uint32_t sides_at(const struct bough_log__reach *x, uint64_t place)
{
    uint32_t want = bough_log__bit(x->bits[BOUGH_REACH_WANT], place);
    uint32_t have = bough_log__bit(x->bits[BOUGH_REACH_HAVE], place);

    return want << BOUGH_REACH_WANT | have << BOUGH_REACH_HAVE;
}

static enum bough_err reach_sides(
    struct bough_reach *r, const struct bough_oid *id, uint32_t *sides)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    uint64_t place;
    enum bough_err err = place_of(x, id, &place);

    if (!err)
        *sides = sides_at(x, place);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

static uint64_t reach_count(struct bough_reach *r)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    uint64_t n = 0;

    for (size_t i = 0; i < x->len; i += 8)
        n += bough_log__bits_ones(bough_get64le(x->bits[BOUGH_REACH_WANT] + i) &
                                  ~bough_get64le(x->bits[BOUGH_REACH_HAVE] + i));
    return n;
}

/* ---- Entries ---- */

static enum bough_err reach_read(
    struct bough_reach *r, const struct bough_reached *e, uint64_t at, void *dst, size_t n)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    const struct bough_log__segment *seg;

    if (x->expired)
        return expired(x);
    seg = bough_log__segment_find(x->log, bough_log__where_segment(e->where));
    BOUGH_ASSERT(seg != NULL);
    return bough_log__segment_read(x->log, seg, bough_log__where_offset(e->where) + at, dst, n);
}

static enum bough_err reach_base(
    struct bough_reach *r, const struct bough_reached *e, struct bough_oid *base, uint32_t *sides)
{
    struct bough_log__reach *x = bough_log__reach_of(r);
    struct bough_log *l = x->log;
    uint64_t where = e->where - e->head.back, place;
    struct bough_log__reverse rev;
    struct bough_log__row row;
    enum bough_err err;

    if (x->expired)
        return expired(x);
    *base = e->head.base;
    if (e->head.type == BOUGH_OFS_DELTA) {
        err =
            bough_log__reverse_find(l, bough_log__segment_find(l, bough_log__where_segment(where)),
                bough_log__where_offset(where), &rev);
        if (err)
            return err;
        *base = rev.id;
    }
    err = bough_log__table_place(l, table_of(x), base, &row, &place);
    if (!err && (e->head.type == BOUGH_REF_DELTA || row.where == where))
        *sides = sides_at(x, place);
    return err == BOUGH_ENOENT ? BOUGH_OK : err;
}

/* ---- The method ---- */

static const struct bough_reach_class reach_class = {
    .close = reach_close,
    .covers = reach_covers,
    .add = reach_add,
    .put = reach_put,
    .sides = reach_sides,
    .count = reach_count,
    .next = bough_log__reach_next,
    .left = bough_log__reach_left,
    .read = reach_read,
    .base = reach_base,
};

enum bough_err bough_log__reach(struct bough_store *s, struct bough_reach **out)
{
    struct bough_log *l = bough_log__of(s);
    const struct bough_log__table *t = bough_log__region_table(l);
    struct bough_log__reach *x;
    enum bough_err err;

    if (t == NULL || l->tiers != NULL || l->through != NULL)
        return BOUGH_ENOTSUP;
    x = bough_mem_zalloc(l->mem, 1, sizeof *x);
    if (x == NULL)
        return BOUGH_ENOMEM;
    x->reach = (struct bough_reach){.cls = &reach_class, .store = s};
    x->log = l;
    bough_buf_init(&x->reader.left, l->mem);
    bough_buf_init(&x->left, l->mem);
    err = bough_log__bitmaps_load(l, t, &x->maps);
    if (!err)
        err = boundary_same(x);
    if (!err)
        err = sets_new(x);
    x->reach.empty_tree = x->maps.flags & BOUGH_LOG__BITMAP_EMPTY_TREE;
    x->reach.commits = x->maps.n;
    if (err) {
        reach_close(&x->reach);
        return err == BOUGH_ENOENT || err == BOUGH_ECORRUPT ? BOUGH_ENOTSUP : err;
    }
    x->next = l->reaches;
    l->reaches = x;
    *out = &x->reach;
    return BOUGH_OK;
}
