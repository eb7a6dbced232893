/*
 * cutblk.c - see cutblk.h.
 *
 *   journal    what no sync has made durable, with the bytes before and after
 *   fates      put the bytes before back, then let each change meet its fate
 *   methods    pass on, remember, count
 *
 * The device below has all changes at once, so reads just go there.  A cut
 * takes the changes back, newest first, and does them again as fate has it,
 * oldest first; a unit written twice can so end as any of its three contents.
 */
#include <stdlib.h>

#include "tests/sim/cutblk.h"

/* Journal. */

struct cut_change {
    uint64_t at;
    uint64_t n;     /* units */
    uint64_t then;  /* bytes written until then */
    uint8_t *bytes; /* n units before, then n units after */
};

enum { SCRAMBLED = 0xdd }; /* what a discarded unit reads as */

static struct cutblk *cut_of(struct bough_block *blk)
{
    return (struct cutblk *)blk;
}

static void forget(struct cutblk *c)
{
    while (c->waiting_n > 0)
        free(c->waiting[--c->waiting_n].bytes);
}

/* What enough was written after is on the medium. */
static void forget_settled(struct cutblk *c)
{
    size_t n = 0;

    while (n < c->waiting_n && c->settle > 0 && c->written - c->waiting[n].then >= c->settle)
        free(c->waiting[n++].bytes);
    c->waiting_n -= n;
    memmove(c->waiting, c->waiting + n, c->waiting_n * sizeof *c->waiting);
}

/* Make a change below and remember it; `src` NULL: scramble. */
static enum bough_err change(struct cutblk *c, uint64_t at, uint64_t n, const void *src)
{
    size_t len = (size_t)n * c->blk.unit;
    struct cut_change *w;
    enum bough_err err;

    if (c->waiting_n == c->waiting_cap) {
        c->waiting_cap = c->waiting_cap * 2 + 16;
        c->waiting = realloc(c->waiting, c->waiting_cap * sizeof *c->waiting);
        BOUGH_ASSERT(c->waiting != NULL);
    }
    c->written += src != NULL ? len : 0;
    w = &c->waiting[c->waiting_n];
    *w = (struct cut_change){.at = at, .n = n, .then = c->written, .bytes = malloc(2 * len)};
    BOUGH_ASSERT(w->bytes != NULL && n <= UINT32_MAX);
    c->waiting_n++;
    if (src != NULL)
        memcpy(w->bytes + len, src, len);
    else
        memset(w->bytes + len, SCRAMBLED, len);
    err = bough_block_read(c->under, at, (uint32_t)n, w->bytes);
    if (!err)
        err = bough_block_write(c->under, at, (uint32_t)n, w->bytes + len);
    forget_settled(c);
    return err;
}

/* Fates. */

static uint32_t at_random(struct cutblk *c, uint32_t bound)
{
    c->seed = c->seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(c->seed >> 33) % bound;
}

/* Which bytes of a unit are new: [*first, *last). */
static void tear(struct cutblk *c, enum cut_fate fate, uint32_t *first, uint32_t *last)
{
    uint32_t unit = c->blk.unit;

    if (fate == CUT_SEEDED)
        fate = (enum cut_fate)at_random(c, CUT_UNIT_FATES);
    else if (fate == CUT_TORN) {
        *first = c->tear_back ? unit - c->tear : 0;
        *last = *first + c->tear;
        return;
    }
    *first = 0;
    *last = fate == CUT_LOST ? 0 : unit;
    if (fate == CUT_TORN) {
        *first = at_random(c, 2) * at_random(c, unit);
        *last = *first + at_random(c, unit - *first + 1);
    }
}

/* Put on the medium what a unit becomes: `now` over the bytes that are there. */
static void settle_unit(struct cutblk *c, uint64_t at, const uint8_t *now, enum cut_fate fate)
{
    uint8_t page[BOUGH_UNIT_MAX];
    uint32_t first, last;
    enum bough_err err = bough_block_read(c->under, at, 1, page);

    tear(c, fate, &first, &last);
    if (!err && first < last) {
        memcpy(page + first, now + first, last - first);
        err = bough_block_write(c->under, at, 1, page);
    }
    BOUGH_ASSERT(!err);
}

/* The fate of unit `i` of a run of `n`. */
static enum cut_fate fate_in_run(enum cut_fate run, uint64_t i, uint64_t n)
{
    if (run == CUT_HOLES)
        return i % 2 == 0 ? CUT_KEPT : CUT_LOST;
    if (run != CUT_TORN && run != CUT_TAIL)
        return run;
    if (i == n / 2)
        return CUT_TORN;
    return (i < n / 2) == (run == CUT_TORN) ? CUT_KEPT : CUT_LOST;
}

static void settle(struct cutblk *c, const struct cut_change *w)
{
    bool run = c->tape == NULL || w->n > c->each;
    enum cut_fate fate = c->fate;

    if (run && c->tape != NULL)
        fate = (enum cut_fate)draw(c->tape, CUT_RUN_FATES);
    if (fate == CUT_SOME)
        fate = at_random(c, 4) > 0 ? CUT_KEPT : CUT_LOST;
    for (uint64_t i = 0; i < w->n; i++) {
        enum cut_fate one;

        if (run)
            one = fate_in_run(fate, i, w->n);
        else
            one = (enum cut_fate)draw(c->tape, CUT_UNIT_FATES);
        if (w->at + i < c->under->count)
            settle_unit(c, w->at + i, w->bytes + (w->n + i) * c->blk.unit, one);
    }
}

/* The size is the old one or the new one. */
static void settle_count(struct cutblk *c)
{
    uint64_t count = c->blk.count;
    enum cut_fate fate = c->fate;
    enum bough_err err;

    if (count == c->count_kept)
        return;
    if (c->tape != NULL)
        fate = (enum cut_fate)draw(c->tape, 2);
    if (fate >= CUT_SEEDED)
        fate = (enum cut_fate)at_random(c, 2);
    err = bough_block_resize(c->under, fate == CUT_KEPT ? count : c->count_kept);
    BOUGH_ASSERT(!err);
    c->count_kept = c->under->count;
}

void cutblk_cut(struct cutblk *c)
{
    for (size_t i = c->waiting_n; i-- > 0;) {
        const struct cut_change *w = &c->waiting[i];
        enum bough_err err = bough_block_write(c->under, w->at, (uint32_t)w->n, w->bytes);

        BOUGH_ASSERT(!err);
    }
    settle_count(c);
    for (size_t i = 0; i < c->waiting_n; i++)
        settle(c, &c->waiting[i]);
    forget(c);
    c->dead = !c->survives;
    c->blk.count = c->under->count;
}

/* Count a call; whether the power fails at it. */
static bool fails(struct cutblk *c, bool write)
{
    c->calls++;
    if (c->left == CUT_NEVER || (c->writes_only && !write))
        return false;
    if (c->left-- > 0)
        return false;
    c->left = CUT_NEVER;
    cutblk_cut(c);
    return true;
}

/* Methods. */

static enum bough_err failure(const struct cutblk *c)
{
    return c->survives ? BOUGH_EIO : BOUGH_EGONE;
}

static enum bough_err cut_read(struct bough_block *blk, uint64_t at, uint32_t n, void *dst)
{
    struct cutblk *c = cut_of(blk);

    return c->dead ? BOUGH_EGONE : bough_block_read(c->under, at, n, dst);
}

static enum bough_err cut_write(struct bough_block *blk, uint64_t at, uint32_t n, const void *src)
{
    struct cutblk *c = cut_of(blk);
    enum bough_err err;

    if (c->dead)
        return BOUGH_EGONE;
    err = change(c, at, n, src);
    if (err)
        return err;
    return fails(c, true) ? failure(c) : BOUGH_OK;
}

static enum bough_err cut_discard(struct bough_block *blk, uint64_t at, uint64_t n)
{
    struct cutblk *c = cut_of(blk);
    enum bough_err err;

    if (c->dead)
        return BOUGH_EGONE;
    err = change(c, at, n, NULL);
    if (err)
        return err;
    return fails(c, false) ? failure(c) : BOUGH_OK;
}

static enum bough_err cut_sync(struct bough_block *blk)
{
    struct cutblk *c = cut_of(blk);
    enum bough_err err;

    if (c->dead)
        return BOUGH_EGONE;
    if (fails(c, false))
        return failure(c);
    forget(c);
    if (blk->count < c->under->count) {
        err = bough_block_resize(c->under, blk->count);
        if (err)
            return err;
    }
    c->count_kept = blk->count;
    return BOUGH_OK;
}

/* The device below grows at once and shrinks at the sync, so that either size can be had. */
static enum bough_err cut_resize(struct bough_block *blk, uint64_t count)
{
    struct cutblk *c = cut_of(blk);
    enum bough_err err = BOUGH_OK;

    if (c->dead)
        return BOUGH_EGONE;
    if (count > c->under->count)
        err = bough_block_resize(c->under, count);
    if (err)
        return err;
    blk->count = count;
    return fails(c, false) ? failure(c) : BOUGH_OK;
}

static const struct bough_block_class cut_class = {
    .name = "cut",
    .read = cut_read,
    .write = cut_write,
    .sync = cut_sync,
    .discard = cut_discard,
    .resize = cut_resize,
};

void cutblk_init(struct cutblk *c, struct bough_block *under, struct tape *tape, uint64_t left)
{
    *c = (struct cutblk){
        .blk = {&cut_class, under->count, under->unit,
            BOUGH_BLOCK_SYNC | BOUGH_BLOCK_DISCARD | (under->caps & BOUGH_BLOCK_RESIZE)},
        .under = under,
        .tape = tape,
        .left = left,
        .each = 4,
        .tear = under->unit / 2,
        .count_kept = under->count,
    };
}

void cutblk_settle(struct cutblk *c, uint64_t bytes)
{
    c->settle = bytes;
    c->blk.caps &= ~(uint32_t)BOUGH_BLOCK_SYNC;
}

void cutblk_wait(struct cutblk *c)
{
    forget(c);
    c->count_kept = c->blk.count;
}

void cutblk_fini(struct cutblk *c)
{
    forget(c);
    free(c->waiting);
    c->waiting = NULL;
    c->waiting_cap = 0;
}
