/*
 * hash_watch.c - SHA-1 on guard where x86 has both SHA instructions and wide registers.
 *
 *   take        blocks with the SHA instructions, which leave what they made on the way
 *   planes      bits of the message words, gathered
 *   suspects    the rules, tested with them in eight blocks at a time
 *   the watch   bough_base__sha1_watch(), bough_base__sha1_watch_attacked()
 *
 * The schedule of SHA-1 is half of the work of testing rules, so the words that
 * SHA-1 has made are kept.  Rules look at few bits of them: some planes of 32
 * bits hold, for a block, all that is needed.  SHA instructions wait long after
 * one that wrote a wide register, so they take eight blocks before the first.
 */
#include "base/inner.h"

#if defined(__x86_64__)

#include "base/hash_rules.inc"
#include "base/hash_x86_inner.h"

#define WIDE __attribute__((target("avx2")))

typedef uint32_t wide __attribute__((vector_size(32)));
typedef uint8_t wide_bytes __attribute__((vector_size(32)));
typedef uint16_t wide_pairs __attribute__((vector_size(32)));
typedef char wide_chars __attribute__((vector_size(32)));

_Static_assert(SHA1_PLANES_FIRST == 4 * SHA1_MIDDLE_FIRST, "other words are kept");

#define PLANE_NAME(bit) PLANE_##bit,
enum { SHA1_PLANES(PLANE_NAME) PLANES };
#undef PLANE_NAME

SHA_TARGET static void blocks_take(
    uint32_t *state, const uint8_t *src, size_t blocks, struct bough_base__sha1_watch *watch)
{
    vec abcd, e;

    sha1_load(state, &abcd, &e);
    for (size_t i = 0; i < blocks; i++) {
        memcpy(watch->block[i].e, &e, sizeof e);
        sha1_block(&abcd, &e, src + HASH_BLOCK * i, KEEP_MIDDLE, watch->block[i].trace,
            watch->block[i].middle);
    }
    sha1_store(state, abcd, e);
}

WIDE static inline wide wide_load(const void *src)
{
    wide x;

    memcpy(&x, src, sizeof x);
    return x;
}

/* Of two times four words, each four backwards: the lowest bytes, the highest bytes. */
WIDE static inline wide ends(const uint32_t *words)
{
    wide_bytes x = (wide_bytes)wide_load(words);

    return (wide)__builtin_shufflevector(x, x, 12, 8, 4, 0, 15, 11, 7, 3, 12, 8, 4, 0, 15, 11, 7, 3,
        28, 24, 20, 16, 31, 27, 23, 19, 28, 24, 20, 16, 31, 27, 23, 19);
}

/* The lowest and the highest bytes of 32 words. */
WIDE static inline void bytes_gather(const uint32_t *words, wide *low, wide *high)
{
    wide a = ends(words), b = ends(words + 8), c = ends(words + 16), d = ends(words + 24);

    a = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    c = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
    *low = __builtin_shufflevector(a, c, 0, 4, 1, 5, 8, 12, 9, 13);
    *high = __builtin_shufflevector(a, c, 2, 6, 3, 7, 10, 14, 11, 15);
}

#define PLANE_PUT(bit)                                                                             \
    planes[PLANE_##bit][i] = (uint32_t)__builtin_ia32_pmovmskb256(                                 \
        (wide_chars)((wide_pairs)((bit) < 8 ? low : high) << (~(bit)&7)));

#define PAIR(a, b, d) differ = wide_load(planes[PLANE_##a]) ^ wide_load(planes[PLANE_##b]) >> (d);
#define SHIFT(odd, shift, vectors)                                                                 \
    moved = (shift) >= 0 ? differ << ((shift)&31) : differ >> (-(shift)&31);                       \
    cleared |= ((odd) ? ~moved : moved) & *set++;

#define NO_PAIR(a, b, d)
#define SHIFT_SET(odd, shift, vectors)                                                             \
    {vectors, vectors, vectors, vectors, vectors, vectors, vectors, vectors},
static const wide shift_sets[] = {SHA1_SHIFTS(NO_PAIR, SHIFT_SET)};

WIDE static void suspects_find(struct bough_base__sha1_watch *watch, size_t blocks)
{
    uint32_t planes[PLANES][SHA1_LANES];
    const wide *set = shift_sets;
    wide cleared = {0}, differ, moved, low, high;

    if (blocks < SHA1_LANES)
        memset(planes, 0, sizeof planes);
    for (size_t i = 0; i < blocks; i++) {
        bytes_gather(watch->block[i].middle, &low, &high);
        SHA1_PLANES(PLANE_PUT)
    }
    __asm__("" : "+r"(set)); /* lest a compiler makes each of the constants of instructions */
    SHA1_SHIFTS(PAIR, SHIFT)
    cleared = ~cleared;
    memcpy(watch->suspects, &cleared, sizeof cleared);
}

void bough_base__sha1_watch(
    uint32_t *state, const uint8_t *src, size_t blocks, struct bough_base__sha1_watch *watch)
{
    blocks_take(state, src, blocks, watch);
    suspects_find(watch, blocks);
}

bool bough_base__sha1_watch_attacked(
    const struct bough_base__sha1_watch *watch, size_t i, const uint8_t *block)
{
    const struct bough_base__sha1_watched *b = &watch->block[i];
    uint32_t before[5] = {b->trace[3], b->trace[2], b->trace[1], b->trace[0], b->e[3]};
    uint32_t w[SHA1_STEPS], left;

    for (size_t t = 0; t < SHA1_MIDDLE; t += 4) {
        vec x;

        memcpy(&x, b->middle + t, sizeof x);
        x = __builtin_shufflevector(x, x, 3, 2, 1, 0);
        memcpy(w + SHA1_PLANES_FIRST + t, &x, sizeof x);
    }
    left = bough_base__sha1_left(w, b->trace, watch->suspects[i]);
    return left != 0 && bough_base__sha1_attacked(before, block, left, bough_base__sha1_trace_fast);
}

#endif
