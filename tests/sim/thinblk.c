/* thinblk.c - see thinblk.h. */
#include <stdlib.h>

#include "tests/sim/thinblk.h"

static struct thinblk *thin_of(struct bough_block *blk)
{
    return (struct thinblk *)blk;
}

/* All or none. */
static enum bough_err room_take(struct thinblk *t, uint64_t at, uint64_t n)
{
    uint64_t more = 0;

    for (uint64_t i = 0; i < n; i++)
        more += t->has[at + i] == 0;
    if (more > t->left)
        return BOUGH_ENOSPC;
    t->left -= more;
    memset(t->has + at, 1, n);
    return BOUGH_OK;
}

static enum bough_err thin_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    return bough_block_read(thin_of(blk)->under, at, n, dst);
}

static enum bough_err thin_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct thinblk *t = thin_of(blk);
    enum bough_err err = room_take(t, at, n);

    t->refused += err == BOUGH_ENOSPC;
    return err ? err : bough_block_write(t->under, at, n, src);
}

static enum bough_err thin_sync(struct bough_block *blk)
{
    return bough_block_sync(thin_of(blk)->under);
}

static enum bough_err thin_allocate(struct bough_block *blk, uint64_t at, uint64_t n)
{
    return room_take(thin_of(blk), at, n);
}

static enum bough_err thin_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct thinblk *t = thin_of(blk);

    for (uint64_t i = 0; i < n; i++)
        t->left += t->lossy ? 0 : t->has[at + i];
    memset(t->has + at, 0, n);
    return BOUGH_OK;
}

static const struct bough_block_class thin_class = {
    .name = "thin",
    .read = thin_read,
    .write = thin_write,
    .sync = thin_sync,
    .allocate = thin_allocate,
    .discard = thin_discard,
};

void thinblk_init(struct thinblk *t, struct bough_block *under, uint64_t left)
{
    uint32_t caps = BOUGH_BLOCK_SYNC | BOUGH_BLOCK_DISCARD | BOUGH_BLOCK_ALLOCATE;

    *t = (struct thinblk){
        .blk = {&thin_class, under->count, under->unit, caps}, .under = under, .left = left};
    t->has = calloc(under->count, 1);
    BOUGH_ASSERT(t->has != NULL);
}

void thinblk_fini(struct thinblk *t)
{
    free(t->has);
}
