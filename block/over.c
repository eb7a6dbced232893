/*
 * over.c - a device over another that is only read: what is written stays in memory.
 *
 *   pages     found by their number, in a table with open addresses that is at most half full
 *   methods   a call is split at the ends of pages
 */
#include "block/block.h"

enum { PAGE = 4096, PLACES_MIN = 64 };

struct bough_overblk_page {
    uint64_t number;
    uint8_t *bytes; /* NULL: the place is free */
};

static struct bough_overblk *over_of(struct bough_block *blk)
{
    return (struct bough_overblk *)blk; /* blk is the first field */
}

/* ---- Pages ---- */

static size_t page_len(const struct bough_overblk *o)
{
    return (size_t)o->page * o->blk.unit;
}

/* The place of a page, or the free one where it would be. */
static struct bough_overblk_page *page_place(const struct bough_overblk *o, uint64_t number)
{
    size_t i = (size_t)(number * 0x9e3779b97f4a7c15u >> 32) & (o->cap - 1);

    while (o->place[i].bytes != NULL && o->place[i].number != number)
        i = (i + 1) & (o->cap - 1);
    return &o->place[i];
}

static enum bough_err places_grow(struct bough_overblk *o)
{
    struct bough_overblk was = *o;

    if (o->n < o->cap / 2)
        return BOUGH_OK;
    o->cap = was.cap == 0 ? PLACES_MIN : was.cap * 2;
    o->place = bough_mem_zalloc(o->mem, o->cap, sizeof *o->place);
    if (o->place == NULL) {
        *o = was;
        return BOUGH_ENOMEM;
    }
    for (size_t i = 0; i < was.cap; i++) {
        if (was.place[i].bytes != NULL)
            *page_place(o, was.place[i].number) = was.place[i];
    }
    bough_mem_free(o->mem, was.place, was.cap * sizeof *was.place);
    return BOUGH_OK;
}

/* The bytes of a page to be written into, as the device below has them at first. */
static enum bough_err page_own(struct bough_overblk *o, uint64_t number, uint8_t **out)
{
    uint64_t at = number * o->page, left = o->blk.count - at;
    struct bough_overblk_page *p;
    enum bough_err err = places_grow(o);

    if (err)
        return err;
    p = page_place(o, number);
    *out = p->bytes;
    if (p->bytes != NULL)
        return BOUGH_OK;
    *out = bough_mem_alloc(o->mem, page_len(o));
    if (*out == NULL)
        return BOUGH_ENOMEM;
    err = bough_block_read(o->under, at, left < o->page ? (uint32_t)left : o->page, *out);
    if (err) {
        bough_mem_free(o->mem, *out, page_len(o));
        return err;
    }
    *p = (struct bough_overblk_page){number, *out};
    o->n++;
    return BOUGH_OK;
}

/* ---- Methods ---- */

/* Units from `at` on that lie in its page, at most `n`. */
static uint32_t in_page(const struct bough_overblk *o, uint64_t at, uint32_t n)
{
    uint32_t left = o->page - (uint32_t)(at % o->page);

    return left < n ? left : n;
}

static enum bough_err over_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct bough_overblk *o = over_of(blk);
    enum bough_err err = bough_block_read(o->under, at, n, dst);
    uint8_t *to = dst;

    if (o->n == 0)
        return err;
    for (uint32_t k; !err && n > 0; at += k, n -= k, to += (size_t)k * blk->unit) {
        const struct bough_overblk_page *p = page_place(o, at / o->page);
        k = in_page(o, at, n);
        if (p->bytes != NULL)
            memcpy(to, p->bytes + at % o->page * blk->unit, (size_t)k * blk->unit);
    }
    return err;
}

static enum bough_err over_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct bough_overblk *o = over_of(blk);
    const uint8_t *from = src;
    enum bough_err err = BOUGH_OK;

    for (uint32_t k; !err && n > 0; at += k, n -= k, from += (size_t)k * blk->unit) {
        uint8_t *page;
        k = in_page(o, at, n);
        err = page_own(o, at / o->page, &page);
        if (!err)
            memcpy(page + at % o->page * blk->unit, from, (size_t)k * blk->unit);
    }
    return err;
}

static enum bough_err over_sync(struct bough_block *blk)
{
    (void)blk;
    return BOUGH_OK;
}

static const struct bough_block_class over_class = {
    .name = "over", .read = over_read, .write = over_write, .sync = over_sync};

void bough_overblk_init(struct bough_overblk *dev, struct bough_block *under, struct bough_mem *mem)
{
    *dev = (struct bough_overblk){
        .blk = {&over_class, under->count, under->unit, under->caps & BOUGH_BLOCK_SYNC},
        .under = under,
        .mem = mem,
        .page = under->unit < PAGE ? PAGE / under->unit : 1,
    };
}

void bough_overblk_fini(struct bough_overblk *dev)
{
    for (size_t i = 0; i < dev->cap; i++) {
        if (dev->place[i].bytes != NULL)
            bough_mem_free(dev->mem, dev->place[i].bytes, page_len(dev));
    }
    bough_mem_free(dev->mem, dev->place, dev->cap * sizeof *dev->place);
    *dev = (struct bough_overblk){.n = 0};
}
