/* failblk.c - see failblk.h. */
#include "tests/sim/failblk.h"

static struct failblk *fail_of(struct bough_block *blk)
{
    return (struct failblk *)blk;
}

/* Count a call; its error when it is the one to fail. */
static enum bough_err count(struct bough_block *blk)
{
    struct failblk *f = fail_of(blk);
    uint64_t call = f->calls++;

    if (call != f->fail_at && !(f->fail_on && call > f->fail_at))
        return BOUGH_OK;
    f->failed = true;
    return f->err;
}

/* Is the work done, though it may fail? */
static bool works(struct bough_block *blk, enum bough_err err)
{
    return err == BOUGH_OK || fail_of(blk)->late;
}

static enum bough_err ended(enum bough_err counted, enum bough_err err)
{
    return counted ? counted : err;
}

static enum bough_err fail_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    enum bough_err err = count(blk);

    return works(blk, err) ? ended(err, bough_block_read(fail_of(blk)->under, at, n, dst)) : err;
}

static enum bough_err fail_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    enum bough_err err = count(blk);

    return works(blk, err) ? ended(err, bough_block_write(fail_of(blk)->under, at, n, src)) : err;
}

static enum bough_err fail_sync(struct bough_block *blk)
{
    enum bough_err err = count(blk);

    return works(blk, err) ? ended(err, bough_block_sync(fail_of(blk)->under)) : err;
}

static enum bough_err fail_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    enum bough_err err = count(blk);

    return works(blk, err) ? ended(err, bough_block_discard(fail_of(blk)->under, at, n)) : err;
}

static enum bough_err fail_resize(struct bough_block *blk, uint64_t units)
{
    enum bough_err err = count(blk);

    if (works(blk, err))
        err = ended(err, bough_block_resize(fail_of(blk)->under, units));
    blk->count = fail_of(blk)->under->count;
    return err;
}

static const struct bough_block_class fail_class = {
    .name = "fail",
    .read = fail_read,
    .write = fail_write,
    .sync = fail_sync,
    .discard = fail_discard,
    .resize = fail_resize,
};

void failblk_init(struct failblk *f, struct bough_block *under, uint64_t fail_at)
{
    *f = (struct failblk){
        .blk = {&fail_class, under->count, under->unit, under->caps & ~(uint32_t)BOUGH_BLOCK_MAP},
        .under = under,
        .fail_at = fail_at,
        .err = BOUGH_EIO,
    };
}
