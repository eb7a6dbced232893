/*
 * delta_find.c - find a delta between two blocks of bytes.
 *
 *   hash     of a window of 16 bytes, rolled along the target
 *   index    the base's blocks by that hash
 *   match    the longest match among the candidates of a place
 *   find     walk the target: copy what matches, insert the rest
 *
 * The base is cut into blocks of 16 bytes; a block is in a chain of its
 * hash.  At each place of the target the window's hash gives candidates; a
 * match is grown forward, and backward into bytes not yet inserted.  A chain
 * is looked at no further than PROBES, a run of equal blocks is kept once, so
 * that bytes of one kind do not make the search slow.
 */
#include "git/delta.h"

enum {
    WINDOW = 16,
    PROBES = 32,
    MATCH_LEN_MIN = WINDOW,
    MATCH_LEN_ENOUGH = 4096, /* look no further */
    BITS_MIN = 4,
    BITS_MAX = 26,
};

static const uint32_t PRIME = 0x01000193;

struct match {
    uint64_t from; /* in the base */
    uint64_t len;  /* 0: none */
};

static uint32_t window_hash(const uint8_t *p)
{
    uint32_t h = 0;

    for (int i = 0; i < WINDOW; i++)
        h = h * PRIME + p[i];
    return h;
}

/* PRIME to the power of WINDOW: what the byte that leaves was multiplied by. */
static uint32_t window_leave(void)
{
    uint32_t x = 1;

    for (int i = 0; i < WINDOW; i++)
        x *= PRIME;
    return x;
}

static uint32_t slot_of(const struct bough_delta_index *x, uint32_t hash)
{
    return hash * 0x9e3779b1u >> (32 - x->bits);
}

static uint32_t bits_for(uint64_t blocks)
{
    uint32_t bits = BITS_MIN;

    while (bits < BITS_MAX && (uint64_t)1 << bits < blocks)
        bits++;
    return bits;
}

uint64_t bough_delta_index_memory(uint64_t len)
{
    uint64_t blocks = len / WINDOW;

    return (((uint64_t)1 << bits_for(blocks)) + blocks) * sizeof(uint32_t);
}

enum bough_err bough_delta_index_init(
    struct bough_delta_index *x, struct bough_mem *mem, struct bough_view base)
{
    uint32_t last = 0;

    *x = (struct bough_delta_index){.mem = mem, .base = base};
    if (base.len > BOUGH_DELTA_FIND_MAX)
        return BOUGH_ETOOBIG;
    x->blocks = (uint32_t)(base.len / WINDOW);
    x->bits = bits_for(x->blocks);
    x->heads = bough_mem_zalloc(mem, (size_t)1 << x->bits, sizeof *x->heads);
    x->nexts = bough_mem_zalloc(mem, x->blocks ? x->blocks : 1, sizeof *x->nexts);
    if (x->heads == NULL || x->nexts == NULL) {
        bough_delta_index_fini(x);
        return BOUGH_ENOMEM;
    }
    /* From the end, so that a chain gives the earliest block first. */
    for (uint32_t i = x->blocks; i-- > 0;) {
        uint32_t hash = window_hash(base.ptr + (size_t)i * WINDOW);
        uint32_t *head = &x->heads[slot_of(x, hash)];

        if (*head == i + 2 && last == hash)
            x->nexts[i] = x->nexts[i + 1]; /* the same block again: the earliest stands for all */
        else
            x->nexts[i] = *head;
        *head = i + 1;
        last = hash;
    }
    return BOUGH_OK;
}

void bough_delta_index_fini(struct bough_delta_index *x)
{
    if (x->mem != NULL) {
        bough_mem_free(x->mem, x->heads, sizeof *x->heads << x->bits);
        bough_mem_free(x->mem, x->nexts, sizeof *x->nexts * (x->blocks ? x->blocks : 1));
    }
    *x = (struct bough_delta_index){.mem = NULL};
}

static uint64_t common_prefix(const uint8_t *a, const uint8_t *b, uint64_t max)
{
    uint64_t n = 0;

    while (max - n >= 8 && memcmp(a + n, b + n, 8) == 0)
        n += 8;
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

/* The longest match of target[at...] among the blocks of this hash. */
static struct match match_at(
    const struct bough_delta_index *x, uint32_t hash, struct bough_view target, uint64_t at)
{
    struct match best = {0, 0};
    uint32_t link = x->heads[slot_of(x, hash)];

    for (int probe = 0; link != 0 && probe < PROBES; probe++, link = x->nexts[link - 1]) {
        uint64_t from = (uint64_t)(link - 1) * WINDOW;
        uint64_t base_left = x->base.len - from, target_left = target.len - at;
        uint64_t max = base_left < target_left ? base_left : target_left;
        uint64_t len = common_prefix(x->base.ptr + from, target.ptr + at, max);

        if (len > best.len)
            best = (struct match){from, len};
        if (best.len >= MATCH_LEN_ENOUGH)
            break;
    }
    if (best.len < MATCH_LEN_MIN)
        best.len = 0;
    return best;
}

/* Where the walk stands: target[done, at) waits to be inserted. */
struct walk {
    const struct bough_delta_index *x;
    struct bough_view target;
    struct bough_delta_builder out;
    uint64_t at, done;
};

static void walk_insert(struct walk *w, uint64_t end)
{
    if (end > w->done)
        bough_delta_insert(&w->out, bough_view(w->target.ptr + w->done, (size_t)(end - w->done)));
    w->done = end;
}

/* Use a match at w->at: grow it backward, insert what waits before it, copy. */
static void walk_copy(struct walk *w, struct match m)
{
    const uint8_t *a = w->x->base.ptr, *b = w->target.ptr;
    uint64_t start = w->at;

    while (start > w->done && m.from > 0 && a[m.from - 1] == b[start - 1]) {
        start--;
        m.from--;
        m.len++;
    }
    walk_insert(w, start);
    bough_delta_copy(&w->out, m.from, m.len);
    w->at = w->done = start + m.len;
}

enum bough_err bough_delta_find(const struct bough_delta_index *x, struct bough_view target,
    uint64_t len_max, struct bough_buf *out)
{
    struct walk w = {.x = x, .target = target};
    const uint32_t leave = window_leave();
    const size_t begun = out->len;
    const uint8_t *p = target.ptr;
    uint32_t hash = 0;
    bool fresh = true; /* hash is not that of the window at w.at */

    if (target.len > BOUGH_DELTA_FIND_MAX)
        return BOUGH_ETOOBIG;
    bough_delta_begin(&w.out, out, x->base.len, target.len);
    while (target.len - w.at >= WINDOW && out->err == BOUGH_OK) {
        struct match m;

        if (fresh)
            hash = window_hash(p + w.at);
        m = match_at(x, hash, target, w.at);
        fresh = m.len > 0;
        if (fresh) {
            walk_copy(&w, m);
            continue;
        }
        if (out->len - begun + (w.at - w.done) > len_max)
            break;
        if (target.len - w.at > WINDOW)
            hash = hash * PRIME + p[w.at + WINDOW] - leave * p[w.at];
        w.at++;
    }
    if (out->err)
        return out->err;
    if (out->len - begun + (w.at - w.done) <= len_max) {
        walk_insert(&w, target.len);
        bough_delta_end(&w.out);
        if (out->err || out->len - begun <= len_max)
            return out->err;
    }
    out->len = begun;
    return BOUGH_ENOENT;
}
