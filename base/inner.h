/*
 * inner.h - what the parts of base/hash*.c share.
 *
 * A compression function takes whole 64-byte blocks into a state.  Those of
 * a processor's own instructions exist where their *_has() says so.
 */
#ifndef BOUGH_BASE_INNER_H
#define BOUGH_BASE_INNER_H

#include "base/hash.h"

/* Compilers that must not know the library call it for sixteen bytes, too. */
#if !__STDC_HOSTED__
#define memcpy __builtin_memcpy
#endif

enum { HASH_BLOCK = 64 };

typedef void bough_base__compress(uint32_t *state, const uint8_t *src, size_t blocks);

/* The round constants of SHA-256. */
extern const uint32_t bough_base__sha256_k[64];

bough_base__compress bough_base__sha1_portable, bough_base__sha256_portable;

/*
 * What tells attacks on SHA-1 (hash_attack.c).  A vector is one of the 32
 * disturbance vectors that tools/sha1-rules knows, in its order.
 */
enum { SHA1_VECTORS_N = 32, SHA1_STEPS = 80, SHA1_LANES = 8 };

/*
 * Bit v of suspects[i]: nothing yet speaks against vector v in block i.  There
 * is room for a multiple of SHA1_LANES suspects.
 */
typedef void bough_base__suspects(const uint8_t *src, size_t blocks, uint32_t *suspects);

bough_base__suspects bough_base__sha1_suspects_any;

/*
 * Take one block, and keep words d, c, b and a of the state before every
 * fourth step and after the last: SHA1_TRACE words.
 */
typedef void bough_base__trace(uint32_t *state, const uint8_t *block, uint32_t *trace);

enum { SHA1_TRACE = SHA1_STEPS + 4 };

bough_base__trace bough_base__sha1_trace_any;

/*
 * Which of the suspects are near their twins in the middle?  Looks at words
 * 36..67, and in the trace at the states before steps 32, 36 and 44..68.
 */
uint32_t bough_base__sha1_left(const uint32_t *w, const uint32_t *trace, uint32_t suspects);

/* Take a block: does it collide with its twin under one of these vectors? */
bool bough_base__sha1_attacked(
    uint32_t *state, const uint8_t *block, uint32_t suspects, bough_base__trace *trace_make);

/*
 * The parts of that, for tests, too.  The 80 message words of a block, and
 * those of its twin under vector `v`, from one to before another; is the twin
 * near enough for an attack in the middle; its state before and after.
 */
void bough_base__sha1_expand(uint32_t *w, const uint8_t *block);
void bough_base__sha1_other(uint32_t *other, const uint32_t *w, size_t v, size_t from, size_t to);
bool bough_base__sha1_near(const uint32_t *w, const uint32_t *trace, size_t v);
void bough_base__sha1_twin(
    const uint32_t *w, const uint32_t *trace, size_t v, uint32_t *in, uint32_t *out);

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

#if defined(__x86_64__)
bool bough_base__avx2_has(void);
bough_base__suspects bough_base__sha1_suspects_avx2;
bough_base__trace bough_base__sha1_trace_fast; /* where bough_base__sha_has() */

/*
 * Take up to SHA1_LANES blocks and tell the suspects of each; then, of one that
 * has some: is it half of a collision?  Where there are both.
 */
enum { SHA1_MIDDLE_FIRST = 8, SHA1_MIDDLE = 36 };

struct bough_base__sha1_watch {
    uint32_t suspects[SHA1_LANES];
    struct bough_base__sha1_watched {
        uint32_t e[4];                /* before the block: the last of these */
        uint32_t trace[SHA1_TRACE];   /* the states before steps 0, 32, 36 and 44..68 */
        uint32_t middle[SHA1_MIDDLE]; /* words 32..67, each four backwards */
    } block[SHA1_LANES];
};

void bough_base__sha1_watch(
    uint32_t *state, const uint8_t *src, size_t blocks, struct bough_base__sha1_watch *watch);
bool bough_base__sha1_watch_attacked(
    const struct bough_base__sha1_watch *watch, size_t i, const uint8_t *block);
#endif

#endif
