/*
 * test_base_attack.c - SHA-1 on guard sees the published collision, never
 * takes something else for one, and gives the digests of plain SHA-1.
 *
 * Method: the two messages of the SHAttered attack (Stevens et al., 2017: the
 * first 320 bytes of both), whole, cut, moved and with single bits changed.
 * That no rule loses an attack of its vector is shown with pairs of messages
 * that follow the vector for thirty steps of SHA-1, searched for here with
 * nothing but the definition of the vector; the twin of a block is
 * compared with what plain SHA-1 makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/inner.h"

#include "base/hash_rules.inc"

enum { PREFIX = 192, SHATTERED = 320, FROM = 35, TO = 65 };

static uint64_t seed = 88172645463325252;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rnd();
}

static uint32_t rol(uint32_t x, unsigned n)
{
    return n == 0 ? x : x << n | x >> (32 - n);
}

/* --- the published collision */

static void hex_put(uint8_t *dst, const char *hex)
{
    for (; *hex != 0; hex += 2) {
        unsigned hi = (unsigned)(hex[0] < 'a' ? hex[0] - '0' : hex[0] - 'a' + 10);
        unsigned lo = (unsigned)(hex[1] < 'a' ? hex[1] - '0' : hex[1] - 'a' + 10);

        *dst++ = (uint8_t)(hi << 4 | lo);
    }
}

static void shattered(uint8_t *dst, int which)
{
    static const char text[] =
        "%PDF-1.3\n%\xe2\xe3\xcf\xd3\n\n\n1 0 obj\n<</Width 2 0 R/Height 3 0 R"
        "/Type 4 0 R/Subtype 5 0 R/Filter 6 0 R/ColorSpace 7 0 R/Length 8 0 "
        "R/BitsPerComponent 8>>\nstream\n\xff\xd8\xff\xfe\x00\x24SHA-1 is "
        "dead!!!!!\x85\x2f\xec\x09\x23\x39\x75\x9c\x39\xb1\xa1\xc6\x3c\x4c"
        "\x97\xe1\xff\xfe\x01";
    static const char *const blocks[2] = {
        "7f46dc93a6b67e013b029aaa1db2560b45ca67d688c7f84b8c4c791fe02b3df6"
        "14f86db1690901c56b45c1530afedfb76038e972722fe7ad728f0e4904e046c2"
        "30570fe9d41398abe12ef5bc942be33542a4802d98b5d70f2a332ec37fac3514"
        "e74ddc0f2cc1a874cd0c78305a21566461309789606bd0bf3f98cda8044629a1",
        "7346dc9166b67e118f029ab621b2560ff9ca67cca8c7f85ba84c79030c2b3de2"
        "18f86db3a90901d5df45c14f26fedfb3dc38e96ac22fe7bd728f0e45bce046d2"
        "3c570feb141398bb552ef5a0a82be331fea48037b8b5d71f0e332edf93ac3500"
        "eb4ddc0decc1a864790c782c76215660dd309791d06bd0af3f98cda4bc4629b1"};

    assert_int_equal(sizeof text - 1, PREFIX);
    memcpy(dst, text, PREFIX);
    hex_put(dst + PREFIX, blocks[which]);
}

static bool guarded(const uint8_t *src, size_t n, uint8_t *digest)
{
    struct bough_hash h;

    bough_hash_init_guarded(&h, BOUGH_SHA1);
    bough_hash_update(&h, src, n);
    bough_hash_final(&h, digest);
    return bough_hash_attacked(&h);
}

static bool plain(const uint8_t *src, size_t n, uint8_t *digest)
{
    struct bough_hash h;

    bough_hash_init(&h, BOUGH_SHA1);
    bough_hash_update(&h, src, n);
    bough_hash_final(&h, digest);
    return bough_hash_attacked(&h);
}

static void test_attack__is_seen_in_the_published_collision(void **state)
{
    uint8_t m[2][SHATTERED], want[20], got[20];

    (void)state;
    hex_put(want, "f92d74e3874587aaf443d1db961d4e26dde13e9c");
    for (int portable = 0; portable < 2; portable++) {
        bough_hash_force_portable(portable);
        for (int i = 0; i < 2; i++) {
            shattered(m[i], i);
            assert_true(guarded(m[i], SHATTERED, got));
            assert_memory_equal(got, want, sizeof got);
            assert_false(plain(m[i], SHATTERED, got));
            assert_memory_equal(got, want, sizeof got);
        }
        assert_memory_not_equal(m[0], m[1], SHATTERED);
    }
    bough_hash_force_portable(false);
}

/* Whatever is appended, and however the bytes come. */
static void test_attack__is_seen_wherever_the_pieces_are_cut(void **state)
{
    uint8_t m[1500], digest[20];

    (void)state;
    shattered(m, 1);
    fill(m + SHATTERED, sizeof m - SHATTERED);
    for (int portable = 0; portable < 2; portable++) {
        bough_hash_force_portable(portable);
        for (size_t n = SHATTERED; n < sizeof m; n += 17)
            assert_true(guarded(m, n, digest));
        for (size_t cut = 0; cut < 700; cut++) {
            struct bough_hash h;

            bough_hash_init_guarded(&h, BOUGH_SHA1);
            bough_hash_update(&h, m, cut);
            bough_hash_update(&h, m + cut, sizeof m - cut);
            bough_hash_final(&h, digest);
            assert_true(bough_hash_attacked(&h));
        }
    }
    bough_hash_force_portable(false);
}

/* The collision ends in the second block: one bit less and there is none. */
static void test_attack__is_not_seen_in_what_only_looks_like_one(void **state)
{
    uint8_t m[SHATTERED], digest[20];

    (void)state;
    for (int i = 0; i < 2; i++) {
        shattered(m, i);
        assert_false(guarded(m, SHATTERED - HASH_BLOCK, digest));
        assert_false(guarded(m + PREFIX, SHATTERED - PREFIX, digest)); /* from another state */
        for (size_t bit = 8 * PREFIX; bit < 8 * (size_t)SHATTERED; bit++) {
            m[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(guarded(m, SHATTERED, digest));
            m[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_true(guarded(m, SHATTERED, digest));
    }
}

static void test_attack__is_not_seen_in_random_bytes_nor_in_patterns(void **state)
{
    enum { LEN = 1 << 20 };
    static uint8_t m[LEN];
    uint8_t want[20], got[20];

    (void)state;
    for (int round = 0; round < 12; round++) {
        fill(m, sizeof m);
        for (size_t i = 0; i < sizeof m && round >= 8; i++) {
            const uint8_t patterns[] = {0, 0xff, (uint8_t)(i / HASH_BLOCK), (uint8_t)(m[i] << 7)};

            m[i] = patterns[round - 8];
        }
        bough_hash_force_portable(round % 4 == 3);
        assert_false(guarded(m, sizeof m, got));
        plain(m, sizeof m, want);
        assert_memory_equal(got, want, sizeof got);
    }
    bough_hash_force_portable(false);
}

static void test_attack__guard_does_not_change_the_digest(void **state)
{
    uint8_t m[700], want[20], got[20];

    (void)state;
    fill(m, sizeof m);
    for (size_t n = 0; n <= sizeof m; n++) {
        bool portable = n % 3 == 0;

        bough_hash_force_portable(portable);
        plain(m, n, want);
        assert_false(guarded(m, n, got));
        assert_memory_equal(got, want, sizeof got);
        for (size_t cut = 0; cut <= n; cut += 1 + n / 9) {
            struct bough_hash h, fork;

            bough_hash_init_guarded(&h, BOUGH_SHA1);
            bough_hash_update(&h, m, cut);
            fork = h;
            bough_hash_update(&h, "other", 5);
            bough_hash_update(&fork, m + cut, n - cut);
            bough_hash_final(&fork, got);
            assert_memory_equal(got, want, sizeof got);
        }
    }
    bough_hash_force_portable(false);
}

static void test_attack__guard_of_sha256_is_sha256(void **state)
{
    uint8_t m[300], want[32], got[32];
    struct bough_hash h;

    (void)state;
    fill(m, sizeof m);
    bough_hash_init(&h, BOUGH_SHA256);
    bough_hash_update(&h, m, sizeof m);
    bough_hash_final(&h, want);
    bough_hash_init_guarded(&h, BOUGH_SHA256);
    bough_hash_update(&h, m, sizeof m);
    bough_hash_final(&h, got);
    assert_memory_equal(got, want, sizeof got);
    assert_false(bough_hash_attacked(&h));
}

/* --- the rules, from the definition of the vectors alone */

static const struct {
    unsigned kind, k, b;
} vectors[SHA1_VECTORS_N] = {SHA1_VECTORS};

/* DV[t] is dv[t + 5], DW[t] is dw[t]. */
static void vector_make(size_t v, uint32_t *dv, uint32_t *dw)
{
    uint32_t *d = dv + 5;
    size_t k = vectors[v].k;

    memset(dv, 0, 85 * sizeof *dv);
    d[k + 15] = rol(1, vectors[v].b);
    if (vectors[v].kind == 2)
        d[k + 1] = d[k + 3] = rol(0x80000000, vectors[v].b);
    for (size_t t = k + 16; t < 80; t++)
        d[t] = rol(d[t - 3] ^ d[t - 8] ^ d[t - 14] ^ d[t - 16], 1);
    for (uint32_t *x = d + k - 1; x >= dv; x--)
        *x = rol(x[16], 31) ^ x[13] ^ x[8] ^ x[2];
    for (size_t t = 0; t < 80; t++) {
        uint32_t *x = d + t;

        dw[t] = x[0] ^ rol(x[-1], 5) ^ x[-2] ^ rol(x[-3] ^ x[-4] ^ x[-5], 30);
    }
}

static void test_attack__differences_are_those_of_the_vectors(void **state)
{
    uint32_t dv[85], dw[80], w[80], other[80];

    (void)state;
    for (size_t v = 0; v < SHA1_VECTORS_N; v++) {
        uint8_t block[64];

        fill(block, sizeof block);
        vector_make(v, dv, dw);
        bough_base__sha1_expand(w, block);
        bough_base__sha1_other(other, w, v, 0, 80);
        for (size_t t = 0; t < 80; t++)
            assert_int_equal(other[t], w[t] ^ dw[t]);
        for (size_t t = 16; t < 80; t++) /* a message, too */
            assert_int_equal(
                other[t], rol(other[t - 3] ^ other[t - 8] ^ other[t - 14] ^ other[t - 16], 1));
    }
}

/* One step on five words of state, the newest last, each as its step made it. */
static uint32_t step(const uint32_t *q, unsigned t, uint32_t w)
{
    uint32_t x = q[3], y = rol(q[2], 30), z = rol(q[1], 30), f;

    if (t < 20)
        f = ((x & y) | (~x & z)) + 0x5a827999;
    else if (t < 40)
        f = (x ^ y ^ z) + 0x6ed9eba1;
    else if (t < 60)
        f = ((x & y) ^ (x & z) ^ (y & z)) + 0x8f1bbcdc;
    else
        f = (x ^ y ^ z) + 0xca62c1d6;
    return rol(q[4], 5) + f + rol(q[0], 30) + w;
}

/* Is `delta` what the disturbances `x` make, each with any sign? */
static bool disturbed(uint32_t delta, uint32_t x)
{
    uint32_t set = 0;

    do {
        if (delta == set - (x & ~set))
            return true;
        set = (set - x) & x; /* the next subset */
    } while (set != 0);
    return false;
}

/*
 * Words of the one block of a pair for steps FROM to `to`, chosen so that the
 * two states differ after each by what the vector says and by nothing else;
 * what each step of the one made, at five more.
 * A step from which none goes on is left for another word, or for another
 * beginning.  Each word is chosen freely, more than a message allows.
 */
static void pair_find(const uint32_t *dv, const uint32_t *dw, unsigned to, uint32_t *w, uint32_t *p)
{
    enum { TRIES = 8 };
    uint32_t q[80 + 5];
    unsigned tries[80], t = FROM;

    tries[FROM] = 0;
    while (t < to) {
        if (t == FROM && tries[t]++ % TRIES == 0)
            for (unsigned i = FROM; i < FROM + 5; i++) {
                p[i] = rnd();
                q[i] = p[i] ^ dv[i];
            }
        else if (t > FROM && tries[t]++ == TRIES) {
            t--;
            continue;
        }
        w[t] = rnd();
        p[t + 5] = step(p + t, t, w[t]);
        q[t + 5] = step(q + t, t, w[t] ^ dw[t]);
        if (disturbed(q[t + 5] - p[t + 5], dv[t + 5]))
            tries[++t] = 0;
    }
}

/* Do bits a of w[i] and b of w[j] differ? */
static uint32_t differ(const uint32_t *w, size_t i, unsigned a, size_t j, unsigned b)
{
    return (w[i] >> a ^ w[j] >> b) & 1;
}

/* Assert all rules of `v`; how many. */
static unsigned rules_check(size_t v, const uint32_t *w)
{
    unsigned seen = 0;

#define CHECK(i, a, j, b, odd, vectors)                                                            \
    if (((uint32_t)(vectors) >> v & 1) != 0) {                                                     \
        assert_int_equal(differ(w, i, a, j, b), (odd));                                            \
        seen++;                                                                                    \
    }
    SHA1_RULES(CHECK)
#undef CHECK
    return seen;
}

/* Likewise those that are tested by shifting planes: bit v is where word i is, moved. */
static unsigned shifts_check(size_t v, const uint32_t *w)
{
    unsigned a = 0, b = 0, d = 0, seen = 0;

#define PAIR(x, y, apart) a = (x), b = (y), d = (apart);
#define CHECK(odd, shift, vectors)                                                                 \
    if (((uint32_t)(vectors) >> v & 1) != 0) {                                                     \
        size_t i = SHA1_PLANES_FIRST + v - (size_t)(shift);                                        \
                                                                                                   \
        assert_in_range(i, SHA1_PLANES_FIRST, SHA1_PLANES_FIRST + 31 - d);                         \
        assert_int_equal(differ(w, i, a, i + d, b), (odd));                                        \
        seen++;                                                                                    \
    }
    SHA1_SHIFTS(PAIR, CHECK)
#undef CHECK
#undef PAIR
    return seen;
}

static void test_attack__no_pair_that_follows_a_vector_breaks_a_rule(void **state)
{
    enum { ROUNDS = 40 };
    uint32_t dv[85], dw[80], w[80], p[85];

    (void)state;
    for (size_t v = 0; v < SHA1_VECTORS_N; v++) {
        vector_make(v, dv, dw);
        for (unsigned round = 0; round < ROUNDS; round++) {
            pair_find(dv, dw, TO, w, p);
            assert_true(rules_check(v, w) >= 6);
            assert_true(shifts_check(v, w) >= 6);
        }
    }
}

/* The words before FROM and what is after the last step do not matter. */
static void test_attack__pairs_that_follow_a_vector_are_near_in_the_middle(void **state)
{
    enum { ROUNDS = 40, LAST = 68 };
    uint32_t dv[85], dw[80], w[80] = {0}, p[85];

    (void)state;
    for (size_t v = 0; v < SHA1_VECTORS_N; v++) {
        unsigned to = vectors[v].k >= 53 ? LAST : TO;

        vector_make(v, dv, dw);
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint32_t trace[SHA1_TRACE] = {0};

            pair_find(dv, dw, to, w, p);
            trace[35] = p[36];
            for (unsigned t = 36; t <= to; t += 4) {
                trace[t] = rol(p[t + 1], 30);
                trace[t + 1] = rol(p[t + 2], 30);
                trace[t + 2] = p[t + 3];
                trace[t + 3] = p[t + 4];
            }
            assert_true(bough_base__sha1_near(w, trace, v));
            assert_int_equal(bough_base__sha1_left(w, trace, UINT32_MAX) >> v & 1, 1);
        }
    }
}

static uint32_t rules_kept(const uint32_t *w)
{
    uint32_t kept = UINT32_MAX;

#define KEEP(i, a, j, b, odd, vectors)                                                             \
    if (differ(w, i, a, j, b) != (odd))                                                            \
        kept &= ~(uint32_t)(vectors);
    SHA1_RULES(KEEP)
#undef KEEP
    return kept;
}

static uint32_t shifts_kept(const uint32_t *w)
{
    uint32_t kept = UINT32_MAX;
    unsigned a = 0, b = 0, d = 0;

    for (size_t v = 0; v < SHA1_VECTORS_N; v++) {
#define PAIR(x, y, apart) a = (x), b = (y), d = (apart);
#define KEEP(odd, shift, vectors)                                                                  \
    if (((uint32_t)(vectors) >> v & 1) != 0 &&                                                     \
        differ(w, SHA1_PLANES_FIRST + v - (size_t)(shift), a,                                      \
            SHA1_PLANES_FIRST + v - (size_t)(shift) + d, b) != (odd))                              \
        kept &= ~((uint32_t)1 << v);
        SHA1_SHIFTS(PAIR, KEEP)
#undef KEEP
#undef PAIR
    }
    return kept;
}

typedef uint32_t kept_by_words(const uint32_t *w);

/* Are the suspects in `n` blocks those that rules leave, word by word? How many blocks have some. */
static unsigned suspects_check(
    const uint8_t *src, size_t n, const uint32_t *got, kept_by_words *kept_by)
{
    unsigned kept = 0;
    uint32_t w[80];

    for (size_t i = 0; i < n; i++) {
        bough_base__sha1_expand(w, src + HASH_BLOCK * i);
        assert_int_equal(got[i], kept_by(w));
        kept += got[i] != 0;
    }
    return kept;
}

static void test_attack__lanes_are_tested_as_words_are(void **state)
{
    uint8_t src[19 * HASH_BLOCK];
    uint32_t got[24];
    unsigned kept = 0;

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        size_t n = 1 + round % 19;

        fill(src, sizeof src);
        bough_base__sha1_suspects_any(src, n, got);
        kept += suspects_check(src, n, got, rules_kept);
#if defined(__x86_64__)
        if (bough_base__avx2_has()) {
            bough_base__sha1_suspects_avx2(src, n, got);
            suspects_check(src, n, got, rules_kept);
        }
#endif
    }
    assert_in_range(kept, 50, 250); /* of 2000: some pass, few do */
}

#if defined(__x86_64__)
/* The watch tells the suspects, the state before each block, what SHA-1 made on the way, and the state after. */
static void watch_check(
    const uint8_t *src, size_t n, const struct bough_base__sha1_watch *watch, uint32_t *expect)
{
    for (size_t i = 0; i < n; i++) {
        const struct bough_base__sha1_watched *b = &watch->block[i];
        uint32_t w[80], trace[SHA1_TRACE];

        assert_int_equal(b->e[3], expect[4]);
        bough_base__sha1_expand(w, src + HASH_BLOCK * i);
        bough_base__sha1_trace_any(expect, src + HASH_BLOCK * i, trace);
        for (size_t t = 0; t < SHA1_STEPS; t += 4)
            if (t == 0 || t == 32 || t == 36 || (t >= 44 && t <= 68))
                assert_memory_equal(b->trace + t, trace + t, 4 * sizeof *trace);
        for (size_t t = 0; t < SHA1_MIDDLE; t++)
            assert_int_equal(b->middle[t ^ 3], w[4 * SHA1_MIDDLE_FIRST + t]);
    }
}

static void test_attack__watch_tests_what_it_takes(void **state)
{
    uint8_t src[SHA1_LANES * HASH_BLOCK];
    uint32_t got[5], expect[5];
    struct bough_base__sha1_watch watch;
    unsigned kept = 0;

    (void)state;
    if (!bough_base__sha_has() || !bough_base__avx2_has())
        return;
    for (unsigned round = 0; round < 400; round++) {
        size_t n = 1 + round % SHA1_LANES;

        fill(src, sizeof src);
        for (size_t i = 0; i < 5; i++)
            got[i] = expect[i] = rnd();
        bough_base__sha1_watch(got, src, n, &watch);
        watch_check(src, n, &watch, expect);
        assert_memory_equal(got, expect, sizeof got);
        kept += suspects_check(src, n, watch.suspects, shifts_kept);
        for (size_t i = 0; i < n; i++)
            assert_false(bough_base__sha1_watch_attacked(&watch, i, src + HASH_BLOCK * i));
    }
    assert_in_range(kept, 50, 250); /* of 1800 */
}
#endif

/* --- the twin */

static void trace_check(bough_base__trace *trace_make)
{
    for (unsigned round = 0; round < 20; round++) {
        uint32_t in[8], out[8], w[80], trace[SHA1_TRACE], twin_in[8], twin_out[8], got[5];
        uint8_t block[HASH_BLOCK];

        fill(block, sizeof block);
        for (size_t i = 0; i < 5; i++)
            in[i] = out[i] = got[i] = rnd();
        bough_base__sha1_portable(out, block, 1);
        trace_make(got, block, trace);
        assert_memory_equal(got, out, sizeof got);
        bough_base__sha1_expand(w, block);
        for (size_t v = 0; v < SHA1_VECTORS_N; v++) {
            uint32_t other[80];
            uint8_t twin[HASH_BLOCK];

            bough_base__sha1_other(other, w, v, 0, 80);
            for (size_t t = 0; t < 16; t++)
                bough_put32be(twin + 4 * t, other[t]);
            bough_base__sha1_twin(w, trace, v, twin_in, twin_out);
            assert_memory_not_equal(twin_in, in, 5 * sizeof *in);
            bough_base__sha1_portable(twin_in, twin, 1);
            assert_memory_equal(twin_in, twin_out, 5 * sizeof *twin_out);
        }
    }
}

static void test_attack__twin_is_what_sha1_makes_of_it(void **state)
{
    (void)state;
    trace_check(bough_base__sha1_trace_any);
#if defined(__x86_64__)
    if (bough_base__sha_has())
        trace_check(bough_base__sha1_trace_fast);
#endif
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attack__is_seen_in_the_published_collision),
        cmocka_unit_test(test_attack__is_seen_wherever_the_pieces_are_cut),
        cmocka_unit_test(test_attack__is_not_seen_in_what_only_looks_like_one),
        cmocka_unit_test(test_attack__is_not_seen_in_random_bytes_nor_in_patterns),
        cmocka_unit_test(test_attack__guard_does_not_change_the_digest),
        cmocka_unit_test(test_attack__guard_of_sha256_is_sha256),
        cmocka_unit_test(test_attack__differences_are_those_of_the_vectors),
        cmocka_unit_test(test_attack__no_pair_that_follows_a_vector_breaks_a_rule),
        cmocka_unit_test(test_attack__pairs_that_follow_a_vector_are_near_in_the_middle),
        cmocka_unit_test(test_attack__lanes_are_tested_as_words_are),
#if defined(__x86_64__)
        cmocka_unit_test(test_attack__watch_tests_what_it_takes),
#endif
        cmocka_unit_test(test_attack__twin_is_what_sha1_makes_of_it),
    };

    return cmocka_run_group_tests_name("base/attack", tests, NULL, NULL);
}
