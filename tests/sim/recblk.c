/* recblk.c - see recblk.h. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/recblk.h"

static struct recblk *rec_of(struct bough_block *blk)
{
    return (struct recblk *)blk;
}

static struct bough_block *note(struct bough_block *blk, char what, uint64_t at, uint64_t n)
{
    struct recblk *r = rec_of(blk);

    if (r->call_n == r->call_cap) {
        r->call_cap = r->call_cap * 2 + 64;
        r->call = realloc(r->call, r->call_cap * sizeof *r->call);
        BOUGH_ASSERT(r->call != NULL);
    }
    r->call[r->call_n++] = (struct rec_call){what, at, n};
    return r->under;
}

static enum bough_err rec_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct recblk *r = rec_of(blk);

    return bough_block_read(r->reads ? note(blk, 'r', at, n) : r->under, at, n, dst);
}

static enum bough_err rec_read_fresh(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct recblk *r = rec_of(blk);

    return bough_block_read_fresh(r->reads ? note(blk, 'r', at, n) : r->under, at, n, dst);
}

static enum bough_err rec_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    return bough_block_write(note(blk, 'w', at, n), at, n, src);
}

static enum bough_err rec_sync(struct bough_block *blk)
{
    return bough_block_sync(note(blk, 's', 0, 0));
}

static enum bough_err rec_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    return bough_block_discard(note(blk, 'd', at, n), at, n);
}

static enum bough_err rec_resize(struct bough_block *blk, uint64_t count)
{
    enum bough_err err = bough_block_resize(note(blk, 'z', 0, count), count);

    blk->count = rec_of(blk)->under->count;
    return err;
}

static const struct bough_block_class rec_class = {
    .name = "rec",
    .read = rec_read,
    .read_fresh = rec_read_fresh,
    .write = rec_write,
    .sync = rec_sync,
    .discard = rec_discard,
    .resize = rec_resize,
};

void recblk_init(struct recblk *r, struct bough_block *under)
{
    *r = (struct recblk){
        .blk = {&rec_class, under->count, under->unit,
            (under->caps & ~(uint32_t)BOUGH_BLOCK_MAP) | BOUGH_BLOCK_DISCARD},
        .under = under,
    };
}

void recblk_fini(struct recblk *r)
{
    free(r->call);
    r->call = NULL;
    r->call_n = r->call_cap = 0;
}

void recblk_clear(struct recblk *r)
{
    r->call_n = 0;
}

uint64_t recblk_count(const struct recblk *r, char what)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->call_n; i++)
        n += r->call[i].what == what;
    return n;
}

void recblk_text(const struct recblk *r, char *dst, size_t size)
{
    size_t at = 0;

    dst[0] = '\0';
    for (size_t i = 0; i < r->call_n && at < size; i++) {
        const struct rec_call *c = &r->call[i];
        int put;

        if (c->what == 's')
            put = snprintf(dst + at, size - at, "%ss", i > 0 ? " " : "");
        else
            put = snprintf(dst + at, size - at, "%s%c%llu+%llu", i > 0 ? " " : "", c->what,
                (unsigned long long)c->at, (unsigned long long)c->n);
        at += (size_t)put;
    }
}
