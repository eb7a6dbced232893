/*
 * hash_avx2.c - the first test of blocks for attacks on SHA-1, with the wide registers of x86.
 */
#include "base/inner.h"

#if defined(__x86_64__)

#include "base/hash_rules.inc"

#define AVX2 __attribute__((target("avx2")))

typedef uint32_t lanes __attribute__((vector_size(32)));
typedef int32_t lanes_signed __attribute__((vector_size(32)));
typedef uint8_t lanes_bytes __attribute__((vector_size(32)));

AVX2 static inline lanes words_load(const uint8_t *src)
{
    lanes_bytes x;

    memcpy(&x, src, sizeof x);
    return (lanes)__builtin_shufflevector(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13,
        12, 19, 18, 17, 16, 23, 22, 21, 20, 27, 26, 25, 24, 31, 30, 29, 28);
}

/* In each half of the registers: words or pairs of words of a and b in turn; whole halves of a and b. */
#define ZIP_LOW(a, b)     __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define ZIP_HIGH(a, b)    __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define PAIRS_LOW(a, b)   __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define PAIRS_HIGH(a, b)  __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define HALVES_LOW(a, b)  __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HALVES_HIGH(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* Four of eight blocks in eight words: q[i] gets words i and i + 4, in the low and the high half. */
AVX2 static inline void quarter_turn(lanes *q, const uint8_t *const *at, size_t from)
{
    lanes a = words_load(at[0] + from), b = words_load(at[1] + from);
    lanes c = words_load(at[2] + from), d = words_load(at[3] + from);
    lanes e = ZIP_LOW(a, b), f = ZIP_LOW(c, d), g = ZIP_HIGH(a, b), h = ZIP_HIGH(c, d);

    q[0] = PAIRS_LOW(e, f);
    q[1] = PAIRS_HIGH(e, f);
    q[2] = PAIRS_LOW(g, h);
    q[3] = PAIRS_HIGH(g, h);
}

AVX2 static inline void words_turn(lanes *w, const uint8_t *const *at)
{
    for (size_t half = 0; half < 2; half++, w += 8) {
        lanes p[4], q[4];

        quarter_turn(p, at, 32 * half);
        quarter_turn(q, at + 4, 32 * half);
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            w[i] = HALVES_LOW(p[i], q[i]);
            w[i + 4] = HALVES_HIGH(p[i], q[i]);
        }
    }
}

#define LANES 8
#define LANES_ALL(x)                                                                               \
    {                                                                                              \
        x, x, x, x, x, x, x, x                                                                     \
    }
#define LANES_NAME        bough_base__sha1_suspects_avx2
#define LANES_TARGET      AVX2
#define LANES_TURN(w, at) words_turn(w, at)
#include "base/hash_lanes.inc"

#endif
