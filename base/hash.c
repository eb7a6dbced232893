/*
 * hash.c - digests as streams, and checksums.
 *
 *   which code     compress_plain(), suspects_find(): the choice made once
 *   on guard       compress_guarded()
 *   digests        init, update, final
 *   checksums      bough_crc32(), bough_mix64()
 *
 * The variables of this file are what the processor can do and what tests
 * ask for.  The first is found on first use and never changes but by
 * bough_hash_force_portable(); threads that race for the first use write the
 * same value.
 */
#include "base/inner.h"

#ifdef BOUGH_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

enum { HASH_HOLD = 4 * HASH_BLOCK };

enum hash_can { CAN_ASKED = 1, CAN_SHA = 2, CAN_AVX2 = 4 };

static unsigned char hash_can;
static const uint8_t *hash_alarm;

static unsigned char can_find(void)
{
    unsigned can = CAN_ASKED;

#ifdef BOUGH_HASH_FAST
    if (bough_base__sha_has())
        can |= CAN_SHA;
#endif
#if defined(__x86_64__)
    if (bough_base__avx2_has())
        can |= CAN_AVX2;
#endif
    return (unsigned char)can;
}

static inline bool can_get(enum hash_can what)
{
    unsigned char can = __atomic_load_n(&hash_can, __ATOMIC_RELAXED);

    if (can == 0) {
        can = can_find();
        __atomic_store_n(&hash_can, can, __ATOMIC_RELAXED);
    }
    return (can & what) != 0;
}

void bough_hash_force_portable(bool yes)
{
    __atomic_store_n(&hash_can, yes ? CAN_ASKED : 0, __ATOMIC_RELAXED);
}

const char *bough_hash_impl(enum bough_algo algo)
{
    (void)algo; /* both come together on every processor known so far */
#ifdef BOUGH_HASH_FAST
    if (can_get(CAN_SHA))
        return BOUGH_HASH_FAST;
#endif
    return "portable";
}

static void compress_plain(struct bough_hash *h, const uint8_t *src, size_t blocks)
{
#ifdef BOUGH_HASH_FAST
    if (can_get(CAN_SHA)) {
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

static void suspects_find(const uint8_t *src, size_t blocks, uint32_t *suspects)
{
#if defined(__x86_64__)
    if (can_get(CAN_AVX2)) {
        bough_base__sha1_suspects_avx2(src, blocks, suspects);
        return;
    }
#endif
    bough_base__sha1_suspects_any(src, blocks, suspects);
}

static bough_base__trace *trace_find(void)
{
#if defined(__x86_64__)
    if (can_get(CAN_SHA))
        return bough_base__sha1_trace_fast;
#endif
    return bough_base__sha1_trace_any;
}

void bough_hash_alarm(const uint8_t *block)
{
    __atomic_store_n(&hash_alarm, block, __ATOMIC_RELAXED);
}

static bool alarm_in(const uint8_t *src, size_t blocks)
{
    const uint8_t *alarm = __atomic_load_n(&hash_alarm, __ATOMIC_RELAXED);

    for (; alarm != NULL && blocks != 0; blocks--, src += HASH_BLOCK)
        if (memcmp(src, alarm, HASH_BLOCK) == 0)
            return true;
    return false;
}

/* The first test of some blocks, then SHA-1, up to each suspect in turn. */
static void compress_tested(struct bough_hash *h, const uint8_t *src, size_t n)
{
    uint32_t suspects[SHA1_LANES];
    size_t from = 0;

    suspects_find(src, n, suspects);
    for (size_t i = 0; i < n; i++) {
        if (suspects[i] == 0)
            continue;
        compress_plain(h, src + HASH_BLOCK * from, i - from);
        h->attacked |=
            bough_base__sha1_attacked(h->state, src + HASH_BLOCK * i, suspects[i], trace_find());
        from = i + 1;
    }
    compress_plain(h, src + HASH_BLOCK * from, n - from);
}

#if defined(__x86_64__)
/* SHA-1 and the first test in one, then another look at each suspect. */
static void compress_watched(struct bough_hash *h, const uint8_t *src, size_t n)
{
    struct bough_base__sha1_watch watch;

    bough_base__sha1_watch(h->state, src, n, &watch);
    for (size_t i = 0; i < n; i++)
        if (watch.suspects[i] != 0)
            h->attacked |= bough_base__sha1_watch_attacked(&watch, i, src + HASH_BLOCK * i);
}
#endif

static void compress_guarded(struct bough_hash *h, const uint8_t *src, size_t blocks)
{
    h->attacked |= alarm_in(src, blocks);
    while (blocks != 0) {
        size_t n = blocks < SHA1_LANES ? blocks : SHA1_LANES;

#if defined(__x86_64__)
        if (can_get(CAN_SHA) && can_get(CAN_AVX2))
            compress_watched(h, src, n);
        else
#endif
            compress_tested(h, src, n);
        src += HASH_BLOCK * n;
        blocks -= n;
    }
}

static void hash_compress(struct bough_hash *h, const uint8_t *src, size_t blocks)
{
    if (h->guarded)
        compress_guarded(h, src, blocks);
    else
        compress_plain(h, src, blocks);
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
    h->guarded = h->attacked = false;
    memcpy(h->state, algo == BOUGH_SHA1 ? sha1 : sha256, sizeof h->state);
}

void bough_hash_init_guarded(struct bough_hash *h, enum bough_algo algo)
{
    bough_hash_init(h, algo);
    h->guarded = algo == BOUGH_SHA1;
}

/* How many bytes are gathered: the test of some blocks on guard costs as much as that of one. */
static inline size_t hold_len(const struct bough_hash *h)
{
    return h->guarded ? HASH_HOLD : HASH_BLOCK;
}

void bough_hash_update(struct bough_hash *h, const void *src, size_t n)
{
    const uint8_t *p = src;
    size_t hold = hold_len(h), held = (size_t)(h->len % hold);

    if (n == 0)
        return;
    h->len += n;
    if (held != 0) {
        size_t take = n < hold - held ? n : hold - held;

        memcpy(h->block + held, p, take);
        if (held + take < hold)
            return;
        hash_compress(h, h->block, hold / HASH_BLOCK);
        p += take;
        n -= take;
    }
    if (n >= hold) {
        hash_compress(h, p, n / hold * (hold / HASH_BLOCK));
        p += n - n % hold;
        n %= hold;
    }
    if (n != 0)
        memcpy(h->block, p, n);
}

void bough_hash_final(struct bough_hash *h, uint8_t *dst)
{
    size_t held = (size_t)(h->len % hold_len(h)), end = (held + 8) / HASH_BLOCK * HASH_BLOCK;

    h->block[held++] = 0x80;
    memset(h->block + held, 0, end + HASH_BLOCK - 8 - held);
    bough_put64be(h->block + end + HASH_BLOCK - 8, h->len << 3);
    hash_compress(h, h->block, end / HASH_BLOCK + 1);
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
    const uint8_t *p = src, *last;
    /* Both factors are secret; and the key comes once more in the end: two inputs that differ in
       just the bits in which their keys do would meet before that. */
    uint64_t k = key ^ c1, h = key ^ (c2 * n);

    if (n < 8) {
        h = mul_fold(mix_short(p, n) ^ k, h);
    } else {
        for (; n > 16; n -= 16, p += 16)
            h = mul_fold(bough_get64le(p) ^ k, bough_get64le(p + 8) ^ h) + c0;
        last = p + n - 8; /* what was read before may be in it again */
        h = mul_fold(bough_get64le(n > 8 ? p : last) ^ k, bough_get64le(last) ^ h);
    }
    return mul_fold(h ^ key ^ c0, c2);
}
