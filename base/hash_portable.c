/*
 * hash_portable.c - SHA-1 and SHA-256 (FIPS 180-4) in plain C.
 *
 *   bough_base__sha1_portable      four times 20 steps, the schedule in a ring of 16 words
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

static inline uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return z ^ (x & (y ^ z));
}

static inline uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) | (z & (x | y));
}

static inline uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
    return x ^ y ^ z;
}

/* Word `t` of the schedule, over that sixteen before; the ring is small enough to stay near. */
#define SHA1_WORD(t)                                                                               \
    ((t) < 16 ? w[(t)&15]                                                                          \
              : (w[(t)&15] = rol(                                                                  \
                     w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t)&15], 1)))

#define SHA1_STEP(f, k, t, a, b, c, d, e)                                                          \
    (e += rol(a, 5) + f(b, c, d) + (k) + SHA1_WORD(t), b = rol(b, 30))

#define SHA1_STEPS(f, k, t)                                                                        \
    SHA1_STEP(f, k, (t), a, b, c, d, e);                                                           \
    SHA1_STEP(f, k, (t) + 1, e, a, b, c, d);                                                       \
    SHA1_STEP(f, k, (t) + 2, d, e, a, b, c);                                                       \
    SHA1_STEP(f, k, (t) + 3, c, d, e, a, b);                                                       \
    SHA1_STEP(f, k, (t) + 4, b, c, d, e, a)

#define SHA1_QUARTER(f, k, t)                                                                      \
    SHA1_STEPS(f, k, (t));                                                                         \
    SHA1_STEPS(f, k, (t) + 5);                                                                     \
    SHA1_STEPS(f, k, (t) + 10);                                                                    \
    SHA1_STEPS(f, k, (t) + 15)

static void sha1_block(uint32_t *state, const uint8_t *src)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    uint32_t w[16];

    for (unsigned t = 0; t < 16; t++)
        w[t] = bough_get32be(src + 4 * t);
    SHA1_QUARTER(choose, 0x5a827999, 0);
    SHA1_QUARTER(parity, 0x6ed9eba1, 20);
    SHA1_QUARTER(majority, 0x8f1bbcdc, 40);
    SHA1_QUARTER(parity, 0xca62c1d6, 60);
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

/* Word `t + i` of the schedule, over that sixteen before. */
static inline uint32_t sha256_word(uint32_t *w, unsigned t, unsigned i)
{
    uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];

    if (t > 0)
        w[i] += (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + w[(i + 9) & 15] +
                (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
    return w[i];
}

#define SHA256_STEP(i, a, b, c, d, e, f, g, h)                                                     \
    (h += (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + choose(e, f, g) +                                \
          bough_base__sha256_k[t + (i)] + sha256_word(w, t, i),                                    \
        d += h, h += (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + majority(a, b, c))

#define SHA256_STEPS(i)                                                                            \
    SHA256_STEP((i), a, b, c, d, e, f, g, h);                                                      \
    SHA256_STEP((i) + 1, h, a, b, c, d, e, f, g);                                                  \
    SHA256_STEP((i) + 2, g, h, a, b, c, d, e, f);                                                  \
    SHA256_STEP((i) + 3, f, g, h, a, b, c, d, e);                                                  \
    SHA256_STEP((i) + 4, e, f, g, h, a, b, c, d);                                                  \
    SHA256_STEP((i) + 5, d, e, f, g, h, a, b, c);                                                  \
    SHA256_STEP((i) + 6, c, d, e, f, g, h, a, b);                                                  \
    SHA256_STEP((i) + 7, b, c, d, e, f, g, h, a)

static void sha256_block(uint32_t *state, const uint8_t *src)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    uint32_t w[16];

    for (unsigned i = 0; i < 16; i++)
        w[i] = bough_get32be(src + 4 * i);
    for (unsigned t = 0; t < 64; t += 16) {
        SHA256_STEPS(0);
        SHA256_STEPS(8);
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
