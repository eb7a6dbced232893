/*
 * hash_x86.c - SHA-1 and SHA-256 with the SHA instructions of x86.
 *
 *   bough_base__sha_has       asks cpuid
 *   bough_base__avx2_has      likewise, and whether the system saves the wide registers
 *   bough_base__sha1_fast     four rounds an instruction
 *   bough_base__sha1_trace_fast  one block, and what it went through
 *   bough_base__sha256_fast   two rounds an instruction
 */
#include "base/inner.h"

#if defined(__x86_64__)

#include "base/hash_x86_inner.h"

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

bool bough_base__sha_has(void)
{
    enum { EBX = 1, ECX = 2, SHA = 1 << 29, SSSE3 = 1 << 9, SSE41 = 1 << 19 };
    uint32_t r[4];

    cpuid(0, r);
    if (r[0] < 7)
        return false;
    cpuid(1, r);
    if ((r[ECX] & SSSE3) == 0 || (r[ECX] & SSE41) == 0)
        return false;
    cpuid(7, r);
    return (r[EBX] & SHA) != 0;
}

bool bough_base__avx2_has(void)
{
    enum { EBX = 1, ECX = 2, OSXSAVE = 1 << 27, AVX2 = 1 << 5, SSE_AND_AVX = 6 };
    uint32_t r[4], low, high;

    cpuid(0, r);
    if (r[0] < 7)
        return false;
    cpuid(1, r);
    if ((r[ECX] & OSXSAVE) == 0)
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    cpuid(7, r);
    return (low & SSE_AND_AVX) == SSE_AND_AVX && (r[EBX] & AVX2) != 0;
}

/* SHA-256 wants its first word in the lowest lane. */
static inline SHA_TARGET vec load_words(const uint8_t *src)
{
    bvec b;

    memcpy(&b, src, sizeof b);
    return (vec)__builtin_shufflevector(b, b, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

SHA_TARGET void bough_base__sha1_fast(uint32_t *state, const uint8_t *src, size_t blocks)
{
    vec abcd, e;

    sha1_load(state, &abcd, &e);
    for (; blocks != 0; blocks--, src += HASH_BLOCK)
        sha1_block(&abcd, &e, src, KEEP_NOTHING, NULL, NULL);
    sha1_store(state, abcd, e);
}

SHA_TARGET void bough_base__sha1_trace_fast(uint32_t *state, const uint8_t *block, uint32_t *trace)
{
    vec abcd, e;

    sha1_load(state, &abcd, &e);
    sha1_block(&abcd, &e, block, KEEP_TRACE, trace, NULL);
    sha1_store(state, abcd, e);
}

/* The next four words of SHA-256's schedule, over the oldest four. */
#define SHA256_WORDS(i)                                                                            \
    (m[(i)&3] = __builtin_ia32_sha256msg2(                                                         \
         add(__builtin_ia32_sha256msg1(m[(i)&3], m[((i) + 1) & 3]),                                \
             __builtin_shufflevector(m[((i) + 2) & 3], m[((i) + 3) & 3], 1, 2, 3, 4)),             \
         m[((i) + 3) & 3]))

/* Rounds 4i..4i+3. */
#define SHA256_ROUNDS(i)                                                                           \
    do {                                                                                           \
        vec k, w = (i) < 4 ? m[(i)&3] : SHA256_WORDS(i);                                           \
        memcpy(&k, bough_base__sha256_k + 4 * (i), sizeof k);                                      \
        w = add(w, k);                                                                             \
        cdgh = __builtin_ia32_sha256rnds2(cdgh, abef, w);                                          \
        w = __builtin_shufflevector(w, w, 2, 3, 0, 0);                                             \
        abef = __builtin_ia32_sha256rnds2(abef, cdgh, w);                                          \
    } while (0)

SHA_TARGET void bough_base__sha256_fast(uint32_t *state, const uint8_t *src, size_t blocks)
{
    uint32_t *s = state;
    vec abef = (vec)(uvec){s[5], s[4], s[1], s[0]}, cdgh = (vec)(uvec){s[7], s[6], s[3], s[2]};

    for (; blocks != 0; blocks--, src += HASH_BLOCK) {
        vec abef0 = abef, cdgh0 = cdgh, m[4];

        for (int i = 0; i < 4; i++)
            m[i] = load_words(src + 16 * i);
        SHA256_ROUNDS(0);
        SHA256_ROUNDS(1);
        SHA256_ROUNDS(2);
        SHA256_ROUNDS(3);
        SHA256_ROUNDS(4);
        SHA256_ROUNDS(5);
        SHA256_ROUNDS(6);
        SHA256_ROUNDS(7);
        SHA256_ROUNDS(8);
        SHA256_ROUNDS(9);
        SHA256_ROUNDS(10);
        SHA256_ROUNDS(11);
        SHA256_ROUNDS(12);
        SHA256_ROUNDS(13);
        SHA256_ROUNDS(14);
        SHA256_ROUNDS(15);
        abef = add(abef, abef0);
        cdgh = add(cdgh, cdgh0);
    }
    for (int i = 0; i < 2; i++) {
        s[i] = (uint32_t)abef[3 - i];
        s[i + 2] = (uint32_t)cdgh[3 - i];
        s[i + 4] = (uint32_t)abef[1 - i];
        s[i + 6] = (uint32_t)cdgh[1 - i];
    }
}

#endif
