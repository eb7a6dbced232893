/*
 * hash.c - digests as streams, and checksums.
 *
 *   which code     hash_compress(), the choice made once
 *   digests        init, update, final
 *   checksums      bough_crc32(), bough_mix64()
 *
 * The one variable of this file is what the processor can do.  It is found
 * on first use and never changes but by bough_hash_force_portable(); threads
 * that race for the first use write the same value.
 */
#include "base/inner.h"

#ifdef BOUGH_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

enum hash_impl { IMPL_UNKNOWN, IMPL_PORTABLE, IMPL_FAST };

static unsigned char hash_impl;

static enum hash_impl impl_find(void)
{
#ifdef BOUGH_HASH_FAST
    if (bough_base__sha_has())
        return IMPL_FAST;
#endif
    return IMPL_PORTABLE;
}

static enum hash_impl impl_get(void)
{
    enum hash_impl impl = (enum hash_impl)__atomic_load_n(&hash_impl, __ATOMIC_RELAXED);

    if (impl == IMPL_UNKNOWN) {
        impl = impl_find();
        __atomic_store_n(&hash_impl, (unsigned char)impl, __ATOMIC_RELAXED);
    }
    return impl;
}

void bough_hash_force_portable(bool yes)
{
    __atomic_store_n(&hash_impl, yes ? IMPL_PORTABLE : IMPL_UNKNOWN, __ATOMIC_RELAXED);
}

const char *bough_hash_impl(enum bough_algo algo)
{
    (void)algo; /* both come together on every processor known so far */
#ifdef BOUGH_HASH_FAST
    if (impl_get() == IMPL_FAST)
        return BOUGH_HASH_FAST;
#endif
    return "portable";
}

static void hash_compress(struct bough_hash *h, const uint8_t *src, size_t blocks)
{
#ifdef BOUGH_HASH_FAST
    if (impl_get() == IMPL_FAST) {
        if (h->algo == BOUGH_SHA1)
            bough_base__sha1_fast(h->state, src, blocks);
        else
            bough_base__sha256_fast(h->state, src, blocks);
        return;
    }
#endif
    if (h->algo == BOUGH_SHA1)
        bough_base__sha1_portable(h->state, src, blocks);
    else
        bough_base__sha256_portable(h->state, src, blocks);
}

const char *bough_algo_name(enum bough_algo algo)
{
    return algo == BOUGH_SHA1 ? "sha1" : "sha256";
}

void bough_hash_init(struct bough_hash *h, enum bough_algo algo)
{
    static const uint32_t sha1[8] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    static const uint32_t sha256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    BOUGH_ASSERT(algo == BOUGH_SHA1 || algo == BOUGH_SHA256);
    h->algo = algo;
    h->len = 0;
    memcpy(h->state, algo == BOUGH_SHA1 ? sha1 : sha256, sizeof h->state);
}

void bough_hash_update(struct bough_hash *h, const void *src, size_t n)
{
    const uint8_t *p = src;
    size_t held = (size_t)(h->len % HASH_BLOCK);

    if (n == 0)
        return;
    h->len += n;
    if (held != 0) {
        size_t take = n < HASH_BLOCK - held ? n : HASH_BLOCK - held;

        memcpy(h->block + held, p, take);
        if (held + take < HASH_BLOCK)
            return;
        hash_compress(h, h->block, 1);
        p += take;
        n -= take;
    }
    if (n >= HASH_BLOCK) {
        hash_compress(h, p, n / HASH_BLOCK);
        p += n - n % HASH_BLOCK;
        n %= HASH_BLOCK;
    }
    if (n != 0)
        memcpy(h->block, p, n);
}

void bough_hash_final(struct bough_hash *h, uint8_t *dst)
{
    size_t held = (size_t)(h->len % HASH_BLOCK);

    h->block[held++] = 0x80;
    if (held > HASH_BLOCK - 8) {
        memset(h->block + held, 0, HASH_BLOCK - held);
        hash_compress(h, h->block, 1);
        held = 0;
    }
    memset(h->block + held, 0, HASH_BLOCK - 8 - held);
    bough_put64be(h->block + HASH_BLOCK - 8, h->len << 3);
    hash_compress(h, h->block, 1);
    for (uint32_t i = 0; i < bough_algo_len(h->algo) / 4; i++)
        bough_put32be(dst + (size_t)4 * i, h->state[i]);
}

uint32_t bough_crc32(uint32_t crc, const void *src, size_t n)
{
    if (n == 0)
        return crc; /* the libraries take a NULL pointer as a question for the start value */
#ifdef BOUGH_LIBDEFLATE
    return libdeflate_crc32(crc, src, n);
#else
    return (uint32_t)crc32_z(crc, src, n);
#endif
}

/* The high and the low half of a * b, folded together. */
static inline uint64_t mul_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 u128;
    u128 r = (u128)a * b;

    return (uint64_t)r ^ (uint64_t)(r >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t mid = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;

    return ((mid << 32) | (uint32_t)ll) ^ (hh + (lh >> 32) + (hl >> 32) + (mid >> 32));
#endif
}

/* Fewer than eight bytes as a number; those in the middle may be in it twice. */
static inline uint64_t mix_short(const uint8_t *p, size_t n)
{
    if (n >= 4)
        return (uint64_t)bough_get32le(p + n - 4) << 32 | bough_get32le(p);
    return n == 0 ? 0 : (uint64_t)p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
}

uint64_t bough_mix64(uint64_t key, const void *src, size_t n)
{
    /* Half of the bits set: the fractions of the square roots of 2, 3 and 5. */
    const uint64_t c0 = 0x6a09e667f3bcc909, c1 = 0xbb67ae8584caa73b, c2 = 0x3c6ef372fe94f82b;
    const uint8_t *p = src;
    /* The multiplier is secret, too, and has every bit of the key: were one left out, two keys and
       two inputs that differ in just that bit would meet. */
    uint64_t k = key ^ c1;
    uint64_t h = key ^ (c2 * n), last;

    if (n < 8) {
        last = mix_short(p, n);
    } else {
        for (; n > 8; n -= 8, p += 8)
            h = mul_fold(h ^ bough_get64le(p), k) + c0;
        last = bough_get64le(p + n - 8); /* what was read before may be in it again */
    }
    h = mul_fold(h ^ last, k) ^ h >> 32;
    return mul_fold(h ^ c0, c2);
}
