/*
 * rows.c - rows of new objects, in memory.
 *
 * A vector in the order of arrival and an open-addressed table of numbers
 * into it.  Ids are digests: their first bytes are hash enough, and a table
 * at most half full stays quick even when somebody chose a few of them.  What
 * bits a number leaves are bits of the hash, so that rows of other ids are not
 * looked at: most that are looked for are not there.
 */
#include "store/log/inner.h"
#include "store/log/table_inner.h"

static uint64_t hash_of(const struct bough_oid *id)
{
    uint64_t x;

    memcpy(&x, id->bytes + 4, sizeof x);
    return x * 0x9e3779b97f4a7c15u;
}

static size_t place_of(const struct bough_log__rows *r, uint64_t hash)
{
    return (size_t)(hash >> 24) & (r->slots - 1);
}

/* The bits of a slot above its number. */
static uint32_t tag_of(const struct bough_log__rows *r, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & ~(uint32_t)(r->slots - 1);
}

static void slot_put(struct bough_log__rows *r, uint32_t no)
{
    uint64_t hash = hash_of(&r->row[no].id);
    size_t i = place_of(r, hash);

    while (r->slot[i] != 0)
        i = (i + 1) & (r->slots - 1);
    r->slot[i] = tag_of(r, hash) | (no + 1);
}

enum bough_err bough_log__rows_reserve(
    struct bough_log__rows *r, struct bough_mem *mem, size_t more)
{
    size_t want = r->n + more, slots = r->slots > 0 ? r->slots : 64;
    void *ptr = r->row;
    enum bough_err err = bough_mem_grow(mem, &ptr, &r->cap, want, sizeof *r->row);
    uint32_t *slot;

    r->row = ptr;
    if (err || want > UINT32_MAX / 4)
        return err ? err : BOUGH_ENOMEM;
    while (slots < 2 * want)
        slots *= 2;
    if (slots == r->slots)
        return BOUGH_OK;
    slot = bough_mem_zalloc(mem, slots, sizeof *slot);
    if (slot == NULL)
        return BOUGH_ENOMEM;
    bough_mem_free(mem, r->slot, r->slots * sizeof *r->slot);
    r->slot = slot;
    r->slots = slots;
    for (size_t i = 0; i < r->n; i++)
        slot_put(r, (uint32_t)i);
    return BOUGH_OK;
}

static void row_push(struct bough_log__rows *r, const struct bough_log__row *row)
{
    BOUGH_ASSERT(r->n < r->cap && 2 * r->n < r->slots);
    r->row[r->n] = *row;
    slot_put(r, (uint32_t)r->n++);
}

void bough_log__rows_add(struct bough_log__rows *r, const struct bough_log__row *row)
{
    if (bough_log__rows_find(r, &row->id) == NULL)
        row_push(r, row);
}

void bough_log__rows_renew(struct bough_log__rows *r, const struct bough_log__row *row)
{
    const struct bough_log__row *has = bough_log__rows_find(r, &row->id);

    if (has == NULL)
        row_push(r, row);
    else if (row->whole)
        r->row[has - r->row] = *row;
}

void bough_log__rows_near(const struct bough_log__rows *r, const struct bough_oid *id)
{
    if (r->n > 0)
        __builtin_prefetch(&r->slot[place_of(r, hash_of(id))]);
}

const struct bough_log__row *bough_log__rows_find(
    const struct bough_log__rows *r, const struct bough_oid *id)
{
    uint64_t hash = hash_of(id);
    uint32_t mask = (uint32_t)r->slots - 1, tag = tag_of(r, hash);

    if (r->n == 0)
        return NULL;
    for (size_t i = place_of(r, hash); r->slot[i] != 0; i = (i + 1) & mask) {
        const struct bough_log__row *row = &r->row[(r->slot[i] & mask) - 1];
        if ((r->slot[i] & ~mask) == tag && bough_oid_eq(&row->id, id))
            return row;
    }
    return NULL;
}

/* Forget all rows; the room stays while it is for at most `keep` of them. */
void bough_log__rows_clear(struct bough_log__rows *r, struct bough_mem *mem, size_t keep)
{
    if (r->cap > keep || r->slots > 8 * keep) {
        bough_log__rows_fini(r, mem);
        return;
    }
    if (r->n > 0)
        memset(r->slot, 0, r->slots * sizeof *r->slot);
    r->n = 0;
}

void bough_log__rows_fini(struct bough_log__rows *r, struct bough_mem *mem)
{
    bough_mem_free(mem, r->row, r->cap * sizeof *r->row);
    bough_mem_free(mem, r->slot, r->slots * sizeof *r->slot);
    *r = (struct bough_log__rows){0};
}

/* ---- Sorting: by first bits, then a heap for each share, for its bound and because it needs no memory ---- */

enum { SHARE_BITS = 12, SHARES = 1 << SHARE_BITS };

static bool below(const struct bough_log__row *row, uint32_t a, uint32_t b)
{
    return bough_oid_cmp(&row[a].id, &row[b].id) < 0;
}

static void sift(const struct bough_log__row *row, uint32_t *order, size_t at, size_t n)
{
    uint32_t x = order[at];

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && below(row, order[child], order[child + 1]))
            child++;
        if (!below(row, x, order[child]))
            break;
        order[at] = order[child];
        at = child;
    }
    order[at] = x;
}

static void heap_sort(const struct bough_log__row *row, uint32_t *order, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sift(row, order, i - 1, n);
    for (size_t i = n; i > 1; i--) {
        uint32_t x = order[0];
        order[0] = order[i - 1];
        order[i - 1] = x;
        sift(row, order, 0, i - 1);
    }
}

static uint32_t share_of(const struct bough_log__row *row)
{
    return (uint32_t)row->id.bytes[0] << (SHARE_BITS - 8) | row->id.bytes[1] >> (16 - SHARE_BITS);
}

/* Deal out the numbers below `n` by the first bits of their ids; `end` says where each share ends. */
static void shares_deal(
    const struct bough_log__row *row, uint32_t *order, size_t n, uint32_t end[SHARES])
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        end[share_of(&row[i])]++;
    for (size_t s = 0; s < SHARES; s++) {
        uint32_t here = end[s];
        end[s] = sum; /* where it begins, and then what was dealt */
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        order[end[share_of(&row[i])]++] = (uint32_t)i;
}

/* The numbers of `n` rows in the order of their ids. */
static void rows_sort(
    const struct bough_log__row *row, uint32_t *order, size_t n, struct bough_mem *mem)
{
    uint32_t *end = n >= SHARES ? bough_mem_zalloc(mem, SHARES, sizeof *end) : NULL;
    uint32_t from = 0;

    if (end == NULL) {
        for (size_t i = 0; i < n; i++)
            order[i] = (uint32_t)i;
        heap_sort(row, order, n);
        return;
    }
    shares_deal(row, order, n, end);
    for (size_t s = 0; s < SHARES; from = end[s++])
        heap_sort(row, order + from, end[s] - from);
    bough_mem_free(mem, end, SHARES * sizeof *end);
}

enum { AHEAD = 12 }; /* rows that are on their way from memory */

static enum bough_err sorted_next(struct bough_log__row_source *src, struct bough_log__row *out)
{
    struct bough_log__rows_source *s = (struct bough_log__rows_source *)src; /* first field */

    if (s->at == s->n)
        return BOUGH_ENOENT;
    if (s->n - s->at > AHEAD)
        __builtin_prefetch(&s->rows->row[s->order[s->at + AHEAD]]);
    *out = s->rows->row[s->order[s->at++]];
    return BOUGH_OK;
}

enum bough_err bough_log__rows_source_init(
    struct bough_log__rows_source *s, const struct bough_log__rows *rows, struct bough_mem *mem)
{
    *s = (struct bough_log__rows_source){{sorted_next}, rows, mem, NULL, rows->n, 0};
    s->order = bough_mem_alloc(mem, (rows->n + 1) * sizeof *s->order);
    if (s->order == NULL)
        return BOUGH_ENOMEM;
    rows_sort(rows->row, s->order, s->n, mem);
    return BOUGH_OK;
}

void bough_log__rows_source_fini(struct bough_log__rows_source *s)
{
    if (s->order != NULL)
        bough_mem_free(s->mem, s->order, (s->n + 1) * sizeof *s->order);
    s->order = NULL;
}
