/*
 * inner.h - what the parts of base/hash*.c share.
 *
 * A compression function takes whole 64-byte blocks into a state.  Those of
 * a processor's own instructions exist where their *_has() says so.
 */
#ifndef BOUGH_BASE_INNER_H
#define BOUGH_BASE_INNER_H

#include "base/hash.h"

enum { HASH_BLOCK = 64 };

typedef void bough_base__compress(uint32_t *state, const uint8_t *src, size_t blocks);

/* The round constants of SHA-256. */
extern const uint32_t bough_base__sha256_k[64];

bough_base__compress bough_base__sha1_portable, bough_base__sha256_portable;

#if defined(__x86_64__)
#define BOUGH_HASH_FAST "sha-ni"
#elif defined(__aarch64__) && (defined(__ARM_FEATURE_SHA2) || defined(__ARM_FEATURE_CRYPTO)) &&    \
    !defined(__ARM_BIG_ENDIAN)
#define BOUGH_HASH_FAST "armv8"
#endif

#ifdef BOUGH_HASH_FAST
/* Has this processor the instructions that the two functions below are made of? */
bool bough_base__sha_has(void);
bough_base__compress bough_base__sha1_fast, bough_base__sha256_fast;
#endif

#endif
