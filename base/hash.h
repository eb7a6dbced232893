/*
 * hash.h - digests and checksums.
 *
 *   struct bough_hash    SHA-1 or SHA-256, as Git names objects; SHA-1 also on guard
 *   bough_crc32()        zlib's polynomial, for what we write
 *   bough_mix64()        a keyed hash for tables in memory
 *
 * SHA uses the processor's own instructions where it has them, asked at run
 * time on x86 and at build time on ARM, and portable code elsewhere.
 *
 * Collisions of SHA-1 can be bought.  A digest that is to name bytes of
 * somebody else's choosing is begun on guard: it tells from one half of a
 * collision that the other half exists.  The digest is the same.
 */
#ifndef BOUGH_HASH_H
#define BOUGH_HASH_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Git's object formats; the numbers are stored. */
enum bough_algo { BOUGH_SHA1 = 1, BOUGH_SHA256 = 2 };
enum { BOUGH_DIGEST_MAX = 32 };

/* Bytes of a digest: 20 or 32. */
static inline uint32_t bough_algo_len(enum bough_algo algo)
{
    return algo == BOUGH_SHA1 ? 20 : 32;
}

/* "sha1" or "sha256". */
const char *bough_algo_name(enum bough_algo algo);

/* A digest being made. Copy the struct to fork it; nothing to release. */
struct bough_hash {
    enum bough_algo algo;
    uint32_t state[8];
    uint64_t len; /* bytes so far */
    bool guarded, attacked;
    uint8_t block[320]; /* up to 256 that wait, and room for the end */
};

void bough_hash_init(struct bough_hash *h, enum bough_algo algo);

/*
 * Likewise, on guard.  In SHA-1 every block is tested for being half of a
 * collision as any known attack makes them; SHA-256 needs no guard and gets
 * none.
 */
void bough_hash_init_guarded(struct bough_hash *h, enum bough_algo algo);

/* Has a digest on guard seen an attack?  To be asked after bough_hash_final(). */
static inline bool bough_hash_attacked(const struct bough_hash *h)
{
    return h->attacked;
}

void bough_hash_update(struct bough_hash *h, const void *src, size_t n);
void bough_hash_final(struct bough_hash *h, uint8_t *dst); /* bough_algo_len() bytes */

/* Which code runs: "portable", "sha-ni", "armv8". For tests and the version command. */
const char *bough_hash_impl(enum bough_algo algo);

/* Run the portable code only, from now on (tests compare both). */
void bough_hash_force_portable(bool yes);

/*
 * From now on a block of these 64 bytes, 64-aligned in what is digested on
 * guard, counts as an attack; NULL: no more.  Borrowed until then.  For tests:
 * nobody has a collision of two Git objects to show.
 */
void bough_hash_alarm(const uint8_t *block);

/* CRC-32 (zlib's polynomial) of `n` bytes, continuing from `crc` (0 at the start). */
uint32_t bough_crc32(uint32_t crc, const void *src, size_t n);

/* A fast hash of `n` bytes under `key`: tables that outsiders choose names for need a random key. */
uint64_t bough_mix64(uint64_t key, const void *src, size_t n);

#ifdef __cplusplus
}
#endif

#endif
