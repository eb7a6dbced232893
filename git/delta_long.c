/*
 * delta_long.c - find a delta between two objects that are longer than memory.
 *
 *   hash     of a block, rolling
 *   index    the base's blocks by their hashes, the first of each
 *   match    a block that looks like one of the base is compared, there and where the last match
 *            would have gone on, then grown both ways
 *   walk     copy what matches, insert the rest
 *
 * Blocks are as long as they must be for a table of bounded size, 16 bytes up to 2 MiB of base.
 * Whatever stands in the delta was compared byte by byte; the hashes are for speed alone.
 */
#include "git/delta_long.h"

enum {
    BLOCK_MIN = 16,
    BLOCKS_MAX = 128 * 1024,
    BITS_MIN = 6,
    PIECE = 64 * 1024,    /* of the base, at a time */
    LITERAL_MAX = PIECE,  /* bytes that wait for a match behind them to grow back over */
    MATCH_MIN = 64,       /* shorter ones lead astray where bytes repeat */
    LOOKED_MAX = 1 << 20, /* bytes looked at for a match, and ... */
    LOOKED_EACH = 8,      /* ... for each of the target: then the two are made to look alike */
};

static const uint32_t PRIME = 0x01000193, MIX = 0x9e3779b1;

struct bough_delta_long_slot {
    uint32_t hash;
    uint32_t block; /* 1 + its number; 0: free */
};

/* ---- Hash ---- */

static uint32_t hash_of(const struct bough_delta_long *d, const uint8_t *p)
{
    uint32_t h = 0;

    for (uint32_t i = 0; i < d->block; i++)
        h = h * PRIME + p[i];
    return h;
}

static uint32_t slot_at(const struct bough_delta_long *d, uint32_t hash)
{
    return hash * MIX >> (32 - d->bits);
}

static uint32_t filter_at(const struct bough_delta_long *d, uint32_t hash)
{
    return hash * MIX >> (32 - d->bits - 3);
}

/* ---- Life ---- */

static void sizes_choose(struct bough_delta_long *d)
{
    d->block = BLOCK_MIN;
    while (d->base->len / d->block > BLOCKS_MAX)
        d->block *= 2;
    d->bits = BITS_MIN;
    while (((uint64_t)1 << d->bits) < 2 * (d->base->len / d->block))
        d->bits++;
    d->leave = 1;
    for (uint32_t i = 0; i < d->block; i++)
        d->leave *= PRIME;
}

static uint32_t piece_bytes(const struct bough_delta_long *d)
{
    return d->block > PIECE ? d->block : PIECE;
}

enum bough_err bough_delta_long_init(struct bough_delta_long *d, struct bough_mem *mem,
    struct bough_delta_base *base, uint64_t target_len, uint64_t len_max)
{
    *d = (struct bough_delta_long){
        .mem = mem, .base = base, .len_max = len_max, .target_len = target_len, .fresh = true};
    bough_buf_init(&d->window, mem);
    bough_buf_init(&d->out, mem);
    if (base->len > BOUGH_DELTA_LONG_MAX || target_len > BOUGH_DELTA_LONG_MAX)
        return BOUGH_ETOOBIG;
    sizes_choose(d);
    d->slot = bough_mem_zalloc(mem, (size_t)1 << d->bits, sizeof *d->slot);
    d->filter = bough_mem_zalloc(mem, (size_t)1 << d->bits, 1);
    d->piece = bough_mem_alloc(mem, piece_bytes(d));
    if (d->slot == NULL || d->filter == NULL || d->piece == NULL)
        return BOUGH_ENOMEM;
    bough_delta_begin(&d->made, &d->out, base->len, target_len);
    return d->out.err;
}

void bough_delta_long_fini(struct bough_delta_long *d)
{
    if (d->slot != NULL)
        bough_mem_free(d->mem, d->slot, ((size_t)1 << d->bits) * sizeof *d->slot);
    if (d->filter != NULL)
        bough_mem_free(d->mem, d->filter, (size_t)1 << d->bits);
    if (d->piece != NULL)
        bough_mem_free(d->mem, d->piece, piece_bytes(d));
    bough_buf_fini(&d->window);
    bough_buf_fini(&d->out);
    *d = (struct bough_delta_long){.mem = NULL};
}

/* ---- Index ---- */

static void block_add(struct bough_delta_long *d, uint32_t hash, uint32_t number)
{
    uint32_t at = slot_at(d, hash), mask = (1u << d->bits) - 1, bit = filter_at(d, hash);

    for (; d->slot[at].block != 0; at = (at + 1) & mask) {
        if (d->slot[at].hash == hash)
            return; /* the first will do */
    }
    d->slot[at] = (struct bough_delta_long_slot){hash, 1 + number};
    d->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
}

enum bough_err bough_delta_long_index(struct bough_delta_long *d, uint64_t n)
{
    uint64_t whole = d->base->len / d->block * d->block, piece = PIECE / d->block * d->block;

    for (uint64_t done = 0; d->indexed < whole; done += piece) {
        enum bough_err err;

        if (done >= n)
            return BOUGH_EAGAIN;
        piece = piece == 0 ? d->block : piece;
        piece = piece < whole - d->indexed ? piece : whole - d->indexed;
        err = d->base->read(d->base, d->indexed, d->piece, piece);
        if (err)
            return err;
        for (uint64_t i = 0; i < piece; i += d->block)
            block_add(d, hash_of(d, d->piece + i), (uint32_t)((d->indexed + i) / d->block));
        d->indexed += piece;
    }
    return BOUGH_OK;
}

/* ---- Match ---- */

static size_t same_ahead(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;

    while (n - i >= 8 && memcmp(a + i, b + i, 8) == 0)
        i += 8;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* The base's block of this hash.  BOUGH_ENOENT. */
static enum bough_err block_find(const struct bough_delta_long *d, uint32_t *out)
{
    uint32_t at = slot_at(d, d->hash), mask = (1u << d->bits) - 1, bit = filter_at(d, d->hash);

    if ((d->filter[bit / 8] >> bit % 8 & 1) == 0)
        return BOUGH_ENOENT;
    while (d->slot[at].block != 0 && d->slot[at].hash != d->hash)
        at = (at + 1) & mask;
    *out = d->slot[at].block - 1;
    return d->slot[at].block != 0 ? BOUGH_OK : BOUGH_ENOENT;
}

static size_t same_behind(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;

    while (i < n && a[-1 - (ptrdiff_t)i] == b[-1 - (ptrdiff_t)i])
        i++;
    return i;
}

/*
 * Does a match at `at` with the base's bytes from `from` on begin?  It is taken if it is as long
 * as `least`, a block or more.  BOUGH_ENOENT: no, and too many were looked at.
 */
static enum bough_err match_try(struct bough_delta_long *d, uint64_t from, uint32_t least)
{
    const uint8_t *p = d->window.ptr + d->at;
    uint64_t left = d->base->len - from, back = d->at - d->done;
    size_t n = d->window.len - d->at, same, before = 0;
    enum bough_err err;

    n = n < least ? n : least;
    n = n < left ? n : (size_t)left;
    d->looked += n;
    if (n < d->block || d->looked > LOOKED_MAX + LOOKED_EACH * d->fed)
        return n < d->block ? BOUGH_OK : BOUGH_ENOENT;
    err = d->base->read(d->base, from, d->piece, n);
    if (err)
        return err;
    same = same_ahead(d->piece, p, n);
    if (same < d->block)
        return BOUGH_OK;
    back = back < from ? back : from;
    back = back < PIECE ? back : PIECE;
    if (back > 0)
        err = d->base->read(d->base, from - back, d->piece, back);
    if (err)
        return err;
    before = same_behind(d->piece + back, p, (size_t)back);
    if (before + same < least && same < left)
        return BOUGH_OK;
    bough_delta_insert(&d->made, bough_view(d->window.ptr + d->done, d->at - before - d->done));
    d->from = from - before;
    d->len = before + same;
    d->at += same;
    d->done = d->at;
    return BOUGH_OK;
}

/* Where a match begins: where the last one would have gone on, or at a block of the same hash. */
static enum bough_err match_begin(struct bough_delta_long *d, uint32_t number)
{
    uint64_t here = d->fed - d->window.len + d->at;
    uint64_t on = here + d->shift, from = (uint64_t)number * d->block;
    size_t at = d->at;
    enum bough_err err = BOUGH_OK;

    if (on != from && on < d->base->len)
        err = match_try(d, on, d->block);
    if (!err && d->len == 0)
        err = match_try(d, from, d->block > MATCH_MIN ? d->block : MATCH_MIN);
    if (!err && d->len > 0)
        d->shift = d->from + d->len - (here + (d->at - at));
    return err;
}

/* Go on as far as both last.  BOUGH_EAGAIN: the window does not last. */
static enum bough_err match_grow(struct bough_delta_long *d)
{
    uint64_t left = d->base->len - (d->from + d->len);
    size_t n = d->window.len - d->at, same;
    enum bough_err err = BOUGH_OK;

    n = n < left ? n : (size_t)left;
    n = n < PIECE ? n : PIECE;
    if (n > 0)
        err = d->base->read(d->base, d->from + d->len, d->piece, n);
    if (err)
        return err;
    same = same_ahead(d->piece, d->window.ptr + d->at, n);
    d->len += same;
    d->at += same;
    d->done = d->at;
    if (same == n && left > n)
        return d->at == d->window.len ? BOUGH_EAGAIN : BOUGH_OK;
    bough_delta_copy(&d->made, d->from, d->len);
    d->len = 0;
    d->fresh = true;
    return BOUGH_OK;
}

/* ---- Walk ---- */

/* One place further, where no match begins. */
static void place_pass(struct bough_delta_long *d)
{
    const uint8_t *p = d->window.ptr + d->at;

    d->fresh = d->window.len - d->at == d->block;
    if (!d->fresh)
        d->hash = d->hash * PRIME + p[d->block] - d->leave * p[0];
    d->at++;
}

static void literal_put(struct bough_delta_long *d)
{
    bough_delta_insert(&d->made, bough_view(d->window.ptr + d->done, d->at - d->done));
    d->done = d->at;
}

/* As far as whole blocks of the target last. */
static enum bough_err walk(struct bough_delta_long *d)
{
    enum bough_err err = BOUGH_OK;

    while (!err && d->out.err == BOUGH_OK) {
        size_t was = d->at;
        uint32_t number;

        if (d->len > 0) {
            err = match_grow(d);
            continue;
        }
        if (d->window.len - d->at < d->block)
            break;
        if (d->out.len + (d->at - d->done) > d->len_max)
            return BOUGH_ENOENT;
        if (d->fresh)
            d->hash = hash_of(d, d->window.ptr + d->at);
        d->fresh = false;
        if (block_find(d, &number) == BOUGH_OK)
            err = match_begin(d, number);
        if (!err && d->at == was)
            place_pass(d);
        if (d->at - d->done >= LITERAL_MAX)
            literal_put(d);
    }
    err = err == BOUGH_EAGAIN ? BOUGH_OK : err;
    return err ? err : d->out.err;
}

enum bough_err bough_delta_long_feed(struct bough_delta_long *d, struct bough_view bytes)
{
    enum bough_err err;

    bough_buf_put(&d->window, bytes.ptr, bytes.len);
    if (d->window.err)
        return d->window.err;
    d->fed += bytes.len;
    err = walk(d);
    if (err)
        return err;
    if (d->done > 0)
        memmove(d->window.ptr, d->window.ptr + d->done, d->window.len - d->done);
    d->window.len -= d->done;
    d->at -= d->done;
    d->done = 0;
    return BOUGH_OK;
}

enum bough_err bough_delta_long_end(struct bough_delta_long *d)
{
    BOUGH_ASSERT(d->fed == d->target_len);
    if (d->len > 0)
        bough_delta_copy(&d->made, d->from, d->len);
    d->at = d->window.len;
    literal_put(d);
    bough_delta_end(&d->made);
    return d->out.err ? d->out.err : d->out.len > d->len_max ? BOUGH_ENOENT : BOUGH_OK;
}
