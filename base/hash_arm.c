/*
 * hash_arm.c - SHA-1 and SHA-256 with the cryptography extension of ARMv8.
 *
 *   bough_base__sha_has       decided when this was compiled
 *   bough_base__sha1_fast     four rounds an instruction
 *   bough_base__sha256_fast   four rounds in two instructions
 */
#include "base/inner.h"

#if defined(__aarch64__) && defined(BOUGH_HASH_FAST)

#include <arm_neon.h>

bool bough_base__sha_has(void)
{
    return true;
}

static inline uint32x4_t load_words(const uint8_t *src)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(src)));
}

/* Words 4i..4i+3 of SHA-1's schedule; m holds the last sixteen. */
static inline uint32x4_t sha1_words(uint32x4_t m[4], unsigned i)
{
    if (i >= 4)
        m[i & 3] =
            vsha1su1q_u32(vsha1su0q_u32(m[i & 3], m[(i + 1) & 3], m[(i + 2) & 3]), m[(i + 3) & 3]);
    return m[i & 3];
}

void bough_base__sha1_fast(uint32_t *state, const uint8_t *src, size_t blocks)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32x4_t abcd = vld1q_u32(state);
    uint32_t e = state[4];

    for (; blocks != 0; blocks--, src += HASH_BLOCK) {
        uint32x4_t abcd0 = abcd, m[4];
        uint32_t e0 = e;

        for (unsigned i = 0; i < 4; i++)
            m[i] = load_words(src + 16 * i);
        for (unsigned i = 0; i < 20; i++) {
            uint32x4_t w = vaddq_u32(sha1_words(m, i), vdupq_n_u32(k[i / 5]));
            uint32_t e_next = vsha1h_u32(vgetq_lane_u32(abcd, 0));

            if (i < 5)
                abcd = vsha1cq_u32(abcd, e, w);
            else if (i >= 10 && i < 15)
                abcd = vsha1mq_u32(abcd, e, w);
            else
                abcd = vsha1pq_u32(abcd, e, w);
            e = e_next;
        }
        abcd = vaddq_u32(abcd, abcd0);
        e += e0;
    }
    vst1q_u32(state, abcd);
    state[4] = e;
}

void bough_base__sha256_fast(uint32_t *state, const uint8_t *src, size_t blocks)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);

    for (; blocks != 0; blocks--, src += HASH_BLOCK) {
        uint32x4_t abcd0 = abcd, efgh0 = efgh, m[4];

        for (unsigned i = 0; i < 4; i++)
            m[i] = load_words(src + 16 * i);
        for (unsigned i = 0; i < 16; i++) {
            uint32x4_t w, before = abcd;

            if (i >= 4)
                m[i & 3] = vsha256su1q_u32(
                    vsha256su0q_u32(m[i & 3], m[(i + 1) & 3]), m[(i + 2) & 3], m[(i + 3) & 3]);
            w = vaddq_u32(m[i & 3], vld1q_u32(bough_base__sha256_k + 4 * i));
            abcd = vsha256hq_u32(abcd, efgh, w);
            efgh = vsha256h2q_u32(efgh, before, w);
        }
        abcd = vaddq_u32(abcd, abcd0);
        efgh = vaddq_u32(efgh, efgh0);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

#endif
