/*
 * hash_x86_inner.h - a block of SHA-1 with the SHA instructions of x86.
 *
 * Compiler vectors and builtins only: <immintrin.h> would draw in the C
 * library's headers, which a freestanding build does not have.
 */
#ifndef BOUGH_BASE_HASH_X86_INNER_H
#define BOUGH_BASE_HASH_X86_INNER_H

#include "base/inner.h"

#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

typedef int vec __attribute__((vector_size(16)));       /* what the builtins take */
typedef uint32_t uvec __attribute__((vector_size(16))); /* what may wrap when added */
typedef uint8_t bvec __attribute__((vector_size(16)));

static inline SHA_TARGET vec add(vec a, vec b)
{
    return (vec)((uvec)a + (uvec)b);
}

/* SHA-1 wants its first word in the highest lane. */
static inline SHA_TARGET vec load_reversed(const uint8_t *src)
{
    bvec b;

    memcpy(&b, src, sizeof b);
    return (vec)__builtin_shufflevector(b, b, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/* The next four words of SHA-1's schedule, over the oldest four. */
#define SHA1_WORDS(i)                                                                              \
    (m[(i)&3] = __builtin_ia32_sha1msg2(                                                           \
         __builtin_ia32_sha1msg1(m[(i)&3], m[((i) + 1) & 3]) ^ m[((i) + 2) & 3],                   \
         m[((i) + 3) & 3]))

/* What sha1_block() keeps: the whole trace; or words from the middle, and of the trace what goes with them. */
enum sha1_keep { KEEP_NOTHING, KEEP_TRACE, KEEP_MIDDLE };

/* Rounds 4i..4i+3, i > 0; `prev` is abcd before the four rounds before these. */
#define SHA1_ROUNDS(i)                                                                             \
    do {                                                                                           \
        vec e4 = __builtin_ia32_sha1nexte(prev, (i) < 4 ? m[(i)&3] : SHA1_WORDS(i));               \
        if (keep == KEEP_TRACE ||                                                                  \
            (keep == KEEP_MIDDLE && ((i) == 8 || (i) == 9 || ((i) >= 11 && (i) <= 17))))           \
            memcpy(trace + 4 * (i), &abcd, sizeof abcd);                                           \
        if (keep == KEEP_MIDDLE && (i) >= SHA1_MIDDLE_FIRST &&                                     \
            (i) < SHA1_MIDDLE_FIRST + SHA1_MIDDLE / 4)                                             \
            memcpy(middle + 4 * ((i)-SHA1_MIDDLE_FIRST), &m[(i)&3], sizeof *m);                    \
        prev = abcd;                                                                               \
        abcd = __builtin_ia32_sha1rnds4(abcd, e4, (i) / 5);                                        \
    } while (0)

/* One block into abcd and e. */
static inline __attribute__((always_inline)) SHA_TARGET void sha1_block(vec *abcd_io, vec *e_io,
    const uint8_t *src, enum sha1_keep keep, uint32_t *trace, uint32_t *middle)
{
    vec abcd = *abcd_io, prev = abcd, m[4];

    for (int i = 0; i < 4; i++)
        m[i] = load_reversed(src + 16 * i);
    abcd = __builtin_ia32_sha1rnds4(abcd, add(*e_io, m[0]), 0);
    SHA1_ROUNDS(1);
    SHA1_ROUNDS(2);
    SHA1_ROUNDS(3);
    SHA1_ROUNDS(4);
    SHA1_ROUNDS(5);
    SHA1_ROUNDS(6);
    SHA1_ROUNDS(7);
    SHA1_ROUNDS(8);
    SHA1_ROUNDS(9);
    SHA1_ROUNDS(10);
    SHA1_ROUNDS(11);
    SHA1_ROUNDS(12);
    SHA1_ROUNDS(13);
    SHA1_ROUNDS(14);
    SHA1_ROUNDS(15);
    SHA1_ROUNDS(16);
    SHA1_ROUNDS(17);
    SHA1_ROUNDS(18);
    SHA1_ROUNDS(19);
    if (keep != KEEP_NOTHING)
        memcpy(trace, abcd_io, sizeof abcd);
    if (keep == KEEP_TRACE)
        memcpy(trace + SHA1_STEPS, &abcd, sizeof abcd);
    *e_io = __builtin_ia32_sha1nexte(prev, *e_io);
    *abcd_io = add(abcd, *abcd_io);
}

static inline SHA_TARGET void sha1_load(const uint32_t *state, vec *abcd, vec *e)
{
    *abcd = (vec)(uvec){state[3], state[2], state[1], state[0]};
    *e = (vec)(uvec){0, 0, 0, state[4]};
}

static inline SHA_TARGET void sha1_store(uint32_t *state, vec abcd, vec e)
{
    for (int i = 0; i < 4; i++)
        state[i] = (uint32_t)abcd[3 - i];
    state[4] = (uint32_t)e[3];
}

#endif
