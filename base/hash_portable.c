/*
 * hash_portable.c - SHA-1 and SHA-256 (FIPS 180-4) in plain C.
 *
 *   bough_base__sha1_portable      80 steps, the schedule kept in 16 words
 *   bough_base__sha256_portable    64 steps, likewise
 *
 * The working variables are not moved after each step: the step is written
 * once with its variables as arguments, and the next call names them rotated.
 */
#include "base/inner.h"

static inline uint32_t rol(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static inline uint32_t ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* Word `t` of SHA-1's schedule; w holds the last sixteen. */
static inline uint32_t sha1_word(uint32_t w[16], unsigned t)
{
    uint32_t x = w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15];

    return w[t & 15] = rol(x, 1);
}

static inline uint32_t sha1_f(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return (d ^ (b & (c ^ d))) + 0x5a827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60)
        return ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

#define SHA1_STEP(t, a, b, c, d, e)                                                                \
    (e += rol(a, 5) + sha1_f(t, b, c, d) + ((t) < 16 ? w[(t)&15] : sha1_word(w, t)), b = rol(b, 30))

static inline void sha1_block(uint32_t *state, const uint8_t *src)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    uint32_t w[16];

    for (unsigned i = 0; i < 16; i++)
        w[i] = bough_get32be(src + 4 * i);
    for (unsigned t = 0; t < 80; t += 5) {
        SHA1_STEP(t, a, b, c, d, e);
        SHA1_STEP(t + 1, e, a, b, c, d);
        SHA1_STEP(t + 2, d, e, a, b, c);
        SHA1_STEP(t + 3, c, d, e, a, b);
        SHA1_STEP(t + 4, b, c, d, e, a);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void bough_base__sha1_portable(uint32_t *state, const uint8_t *src, size_t blocks)
{
    for (; blocks != 0; blocks--, src += HASH_BLOCK)
        sha1_block(state, src);
}

const uint32_t bough_base__sha256_k[64] = {
    0x428a2f98,
    0x71374491,
    0xb5c0fbcf,
    0xe9b5dba5,
    0x3956c25b,
    0x59f111f1,
    0x923f82a4,
    0xab1c5ed5,
    0xd807aa98,
    0x12835b01,
    0x243185be,
    0x550c7dc3,
    0x72be5d74,
    0x80deb1fe,
    0x9bdc06a7,
    0xc19bf174,
    0xe49b69c1,
    0xefbe4786,
    0x0fc19dc6,
    0x240ca1cc,
    0x2de92c6f,
    0x4a7484aa,
    0x5cb0a9dc,
    0x76f988da,
    0x983e5152,
    0xa831c66d,
    0xb00327c8,
    0xbf597fc7,
    0xc6e00bf3,
    0xd5a79147,
    0x06ca6351,
    0x14292967,
    0x27b70a85,
    0x2e1b2138,
    0x4d2c6dfc,
    0x53380d13,
    0x650a7354,
    0x766a0abb,
    0x81c2c92e,
    0x92722c85,
    0xa2bfe8a1,
    0xa81a664b,
    0xc24b8b70,
    0xc76c51a3,
    0xd192e819,
    0xd6990624,
    0xf40e3585,
    0x106aa070,
    0x19a4c116,
    0x1e376c08,
    0x2748774c,
    0x34b0bcb5,
    0x391c0cb3,
    0x4ed8aa4a,
    0x5b9cca4f,
    0x682e6ff3,
    0x748f82ee,
    0x78a5636f,
    0x84c87814,
    0x8cc70208,
    0x90befffa,
    0xa4506ceb,
    0xbef9a3f7,
    0xc67178f2,
};

/* Word `t` of SHA-256's schedule; w holds the last sixteen. */
static inline uint32_t sha256_word(uint32_t w[16], unsigned t)
{
    uint32_t x = w[(t + 1) & 15], y = w[(t + 14) & 15];
    uint32_t s0 = ror(x, 7) ^ ror(x, 18) ^ x >> 3;
    uint32_t s1 = ror(y, 17) ^ ror(y, 19) ^ y >> 10;

    return w[t & 15] += s0 + s1 + w[(t + 9) & 15];
}

#define SHA256_STEP(i, a, b, c, d, e, f, g, h)                                                     \
    do {                                                                                           \
        uint32_t word = t == 0 ? w[i] : sha256_word(w, i);                                         \
        h += (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) +                         \
             bough_base__sha256_k[t + (i)] + word;                                                 \
        d += h;                                                                                    \
        h += (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));                    \
    } while (0)

static inline void sha256_block(uint32_t *state, const uint8_t *src)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    uint32_t w[16];

    for (unsigned i = 0; i < 16; i++)
        w[i] = bough_get32be(src + 4 * i);
    for (unsigned t = 0; t < 64; t += 16) {
        for (unsigned i = 0; i < 16; i += 8) {
            SHA256_STEP(i, a, b, c, d, e, f, g, h);
            SHA256_STEP(i + 1, h, a, b, c, d, e, f, g);
            SHA256_STEP(i + 2, g, h, a, b, c, d, e, f);
            SHA256_STEP(i + 3, f, g, h, a, b, c, d, e);
            SHA256_STEP(i + 4, e, f, g, h, a, b, c, d);
            SHA256_STEP(i + 5, d, e, f, g, h, a, b, c);
            SHA256_STEP(i + 6, c, d, e, f, g, h, a, b);
            SHA256_STEP(i + 7, b, c, d, e, f, g, h, a);
        }
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void bough_base__sha256_portable(uint32_t *state, const uint8_t *src, size_t blocks)
{
    for (; blocks != 0; blocks--, src += HASH_BLOCK)
        sha256_block(state, src);
}
