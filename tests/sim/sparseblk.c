/* sparseblk.c - see sparseblk.h. */
#include <stdlib.h>

#include "tests/sim/sparseblk.h"

enum { PAGE = 65536 }; /* bytes; a unit at most */

struct sparse_page {
    uint64_t no; /* 1 + its number; 0: empty */
    uint8_t *bytes;
};

static struct sparseblk *sparse_of(struct bough_block *blk)
{
    return (struct sparseblk *)blk;
}

static struct sparse_page *slot_of(const struct sparseblk *s, uint64_t no)
{
    size_t at = (size_t)(no * 0x9e3779b97f4a7c15u >> 20) & (s->slots - 1);

    while (s->page[at].no != 0 && s->page[at].no != no)
        at = (at + 1) & (s->slots - 1);
    return &s->page[at];
}

static void grow(struct sparseblk *s)
{
    struct sparse_page *old = s->page;
    size_t slots = s->slots;

    s->slots = slots > 0 ? slots * 2 : 256;
    s->page = calloc(s->slots, sizeof *s->page);
    BOUGH_ASSERT(s->page != NULL);
    for (size_t i = 0; i < slots; i++) {
        if (old[i].no != 0)
            *slot_of(s, old[i].no) = old[i];
    }
    free(old);
}

/* The bytes at `at`, and how many follow in the page; NULL where nothing was written. */
static uint8_t *bytes_at(struct sparseblk *s, uint64_t at, size_t n, bool make, size_t *k)
{
    struct sparse_page *p;

    *k = PAGE - (size_t)(at % PAGE) < n ? PAGE - (size_t)(at % PAGE) : n;
    if (s->pages * 2 >= s->slots)
        grow(s);
    p = slot_of(s, at / PAGE + 1);
    if (p->no == 0 && !make)
        return NULL;
    if (p->no == 0) {
        *p = (struct sparse_page){at / PAGE + 1, calloc(1, PAGE)};
        BOUGH_ASSERT(p->bytes != NULL);
        s->pages++;
    }
    return p->bytes + at % PAGE;
}

static enum bough_err sparse_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct sparseblk *s = sparse_of(blk);
    uint64_t byte = at * blk->unit;
    size_t len = (size_t)n * blk->unit, k;

    s->reads++;
    s->bytes_read += len;
    for (uint8_t *to = dst; len > 0; to += k, byte += k, len -= k) {
        const uint8_t *from = bytes_at(s, byte, len, false, &k);

        if (from != NULL)
            memcpy(to, from, k);
        else
            memset(to, 0, k);
    }
    return BOUGH_OK;
}

static enum bough_err sparse_write(
    struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct sparseblk *s = sparse_of(blk);
    uint64_t byte = at * blk->unit;
    size_t len = (size_t)n * blk->unit, k;

    s->writes++;
    s->bytes_written += len;
    for (const uint8_t *from = src; len > 0; from += k, byte += k, len -= k) {
        uint8_t *to = bytes_at(s, byte, len, true, &k);

        memcpy(to, from, k);
    }
    return BOUGH_OK;
}

static enum bough_err sparse_sync(struct bough_block *blk)
{
    (void)blk;
    return BOUGH_OK;
}

static const struct bough_block_class sparse_class = {
    .name = "sparse",
    .read = sparse_read,
    .write = sparse_write,
    .sync = sparse_sync,
};

void sparseblk_init(struct sparseblk *s, uint64_t bytes, uint32_t unit)
{
    *s = (struct sparseblk){.blk = {&sparse_class, bytes / unit, unit, BOUGH_BLOCK_SYNC}};
}

void sparseblk_fini(struct sparseblk *s)
{
    for (size_t i = 0; i < s->slots; i++)
        free(s->page[i].bytes);
    free(s->page);
    s->page = NULL;
    s->pages = s->slots = 0;
}
