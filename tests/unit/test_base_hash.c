/*
 * test_base_hash.c - digests are the published ones, however the bytes arrive and
 * whichever code computes them; the checksum is zlib's; the table hash spreads.
 *
 * Method: published vectors; every length from 0 to 300 through the portable
 * and the processor's code, whole and in two pieces cut at every place; flips
 * of single input bits for the table hash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"

enum { LEN_MAX = 300 };

static void fill(uint8_t *p, size_t n)
{
    uint32_t x = 2463534242;

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        p[i] = (uint8_t)x;
    }
}

static void digest(enum bough_algo algo, const void *src, size_t n, uint8_t *out)
{
    struct bough_hash h;

    bough_hash_init(&h, algo);
    bough_hash_update(&h, src, n);
    bough_hash_final(&h, out);
}

static void assert_digest(enum bough_algo algo, const uint8_t *got, const char *want)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * BOUGH_DIGEST_MAX + 1] = {0};

    for (uint32_t i = 0; i < bough_algo_len(algo); i++) {
        hex[2 * i] = digits[got[i] >> 4];
        hex[2 * i + 1] = digits[got[i] & 15];
    }
    assert_string_equal(hex, want);
}

static void check_vectors(void)
{
    static const struct {
        const char *text, *sha1, *sha256;
    } cases[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "a49b2446a02c645bf419f995b67091253a04a259",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    uint8_t out[BOUGH_DIGEST_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        digest(BOUGH_SHA1, cases[i].text, strlen(cases[i].text), out);
        assert_digest(BOUGH_SHA1, out, cases[i].sha1);
        digest(BOUGH_SHA256, cases[i].text, strlen(cases[i].text), out);
        assert_digest(BOUGH_SHA256, out, cases[i].sha256);
    }
}

static void check_million(void)
{
    struct bough_hash one, two;
    uint8_t chunk[1000], out[BOUGH_DIGEST_MAX];

    memset(chunk, 'a', sizeof chunk);
    bough_hash_init(&one, BOUGH_SHA1);
    bough_hash_init(&two, BOUGH_SHA256);
    for (int i = 0; i < 1000; i++) {
        bough_hash_update(&one, chunk, sizeof chunk);
        bough_hash_update(&two, chunk, sizeof chunk);
    }
    bough_hash_final(&one, out);
    assert_digest(BOUGH_SHA1, out, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    bough_hash_final(&two, out);
    assert_digest(
        BOUGH_SHA256, out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_hash__gives_the_published_digests(void **state)
{
    (void)state;
    for (int portable = 0; portable < 2; portable++) {
        bough_hash_force_portable(portable);
        check_vectors();
        check_million();
    }
    bough_hash_force_portable(false);
}

static void test_hash__is_the_same_on_every_implementation(void **state)
{
    uint8_t src[LEN_MAX], want[BOUGH_DIGEST_MAX], got[BOUGH_DIGEST_MAX];

    (void)state;
    fill(src, sizeof src);
    for (int algo = BOUGH_SHA1; algo <= BOUGH_SHA256; algo++) {
        for (size_t n = 0; n <= LEN_MAX; n++) {
            bough_hash_force_portable(true);
            digest((enum bough_algo)algo, src, n, want);
            bough_hash_force_portable(false);
            digest((enum bough_algo)algo, src, n, got);
            assert_memory_equal(got, want, bough_algo_len((enum bough_algo)algo));
        }
    }
}

static void check_pieces(enum bough_algo algo, const uint8_t *src, size_t n)
{
    uint8_t want[BOUGH_DIGEST_MAX], got[BOUGH_DIGEST_MAX];

    digest(algo, src, n, want);
    for (size_t cut = 0; cut <= n; cut++) {
        struct bough_hash h, fork;

        bough_hash_init(&h, algo);
        bough_hash_update(&h, src, cut);
        fork = h;
        bough_hash_update(&h, "other", 5); /* what happens to one does not touch the other */
        bough_hash_update(&fork, src + cut, n - cut);
        bough_hash_final(&fork, got);
        assert_memory_equal(got, want, bough_algo_len(algo));
    }
}

static void test_hash__does_not_see_how_bytes_arrive(void **state)
{
    static const size_t lens[] = {0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 200, LEN_MAX};
    uint8_t src[LEN_MAX];

    (void)state;
    fill(src, sizeof src);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        check_pieces(BOUGH_SHA1, src, lens[i]);
        check_pieces(BOUGH_SHA256, src, lens[i]);
    }
}

static void test_hash__names_itself(void **state)
{
    (void)state;
    assert_string_equal(bough_algo_name(BOUGH_SHA1), "sha1");
    assert_string_equal(bough_algo_name(BOUGH_SHA256), "sha256");
    bough_hash_force_portable(true);
    assert_string_equal(bough_hash_impl(BOUGH_SHA1), "portable");
    bough_hash_force_portable(false);
}

static void test_crc32__is_the_published_one_and_continues(void **state)
{
    const char *text = "123456789";

    (void)state;
    assert_int_equal(bough_crc32(0, text, 9), 0xcbf43926);
    assert_int_equal(bough_crc32(0, NULL, 0), 0);
    assert_int_equal(bough_crc32(0x1234, NULL, 0), 0x1234);
    for (size_t cut = 0; cut <= 9; cut++)
        assert_int_equal(bough_crc32(bough_crc32(0, text, cut), text + cut, 9 - cut), 0xcbf43926);
}

static int bits(uint64_t x)
{
    int n = 0;

    for (; x != 0; x &= x - 1)
        n++;
    return n;
}

static void test_mix64__changes_half_of_its_bits_for_any_flip(void **state)
{
    uint8_t src[40];

    (void)state;
    fill(src, sizeof src);
    for (size_t n = 1; n <= sizeof src; n++) {
        uint64_t base = bough_mix64(7, src, n);
        int sum = 0, least = 64;

        for (size_t bit = 0; bit < 8 * n; bit++) {
            int d;

            src[bit / 8] ^= (uint8_t)(1 << bit % 8);
            d = bits(base ^ bough_mix64(7, src, n));
            src[bit / 8] ^= (uint8_t)(1 << bit % 8);
            sum += d;
            least = d < least ? d : least;
        }
        assert_in_range(least, 8, 64);
        assert_in_range(sum, (size_t)(8 * n * 26), (size_t)(8 * n * 38));
    }
}

static void test_mix64__depends_on_key_and_length(void **state)
{
    static const uint8_t zeros[32];
    uint64_t seen[4 * 33];
    size_t n_seen = 0;

    (void)state;
    for (uint64_t key = 0; key < 4; key++)
        for (size_t n = 0; n <= sizeof zeros; n++)
            seen[n_seen++] = bough_mix64(key, zeros, n);
    for (size_t i = 0; i < n_seen; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
}

static void test_mix64__spreads_counted_names_evenly(void **state)
{
    enum { NAMES = 64 * 1024, SLOTS = 1024 };
    static unsigned low[SLOTS], high[SLOTS];
    char name[] = "k00000";

    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        uint64_t h;

        for (unsigned d = 0, x = i; d < 5; d++, x /= 10)
            name[5 - d] = (char)('0' + x % 10);
        h = bough_mix64(1, name, 6);
        low[h % SLOTS]++;
        high[h >> 54]++;
    }
    for (size_t i = 0; i < SLOTS; i++) { /* 64 expected; 8 is one standard deviation */
        assert_in_range(low[i], 20, 112);
        assert_in_range(high[i], 20, 112);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Counted keys, and inputs that differ in the same bits as they do. */
static void test_mix64__tells_near_keys_with_near_inputs_apart(void **state)
{
    enum { KEYS = 256, FIRST = 256 };
    static uint64_t seen[KEYS * FIRST];
    const uint64_t base = 0x5a5a123456789abc;
    char text[] = "x/d/file";
    size_t n_seen = 0;

    (void)state;
    for (size_t len = 1; len <= sizeof text; len++) {
        n_seen = 0;
        for (uint64_t key = 0; key < KEYS; key++) {
            for (int first = 0; first < FIRST; first++) {
                text[0] = (char)first;
                seen[n_seen++] = bough_mix64(base ^ key, text, len);
            }
        }
        qsort(seen, n_seen, sizeof *seen, compare);
        for (size_t i = 1; i < n_seen; i++)
            assert_true(seen[i] != seen[i - 1]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__gives_the_published_digests),
        cmocka_unit_test(test_hash__is_the_same_on_every_implementation),
        cmocka_unit_test(test_hash__does_not_see_how_bytes_arrive),
        cmocka_unit_test(test_hash__names_itself),
        cmocka_unit_test(test_crc32__is_the_published_one_and_continues),
        cmocka_unit_test(test_mix64__changes_half_of_its_bits_for_any_flip),
        cmocka_unit_test(test_mix64__depends_on_key_and_length),
        cmocka_unit_test(test_mix64__spreads_counted_names_evenly),
        cmocka_unit_test(test_mix64__tells_near_keys_with_near_inputs_apart),
    };

    return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
