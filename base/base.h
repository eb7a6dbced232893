/*
 * base.h - the ground every folder stands on.
 *
 *   errors    enum bough_err, bough_err_name(), struct bough_why
 *   bugs      BOUGH_ASSERT
 *   bytes     struct bough_view, bough_get32le() and kin
 *   memory    struct bough_mem
 *   the world struct bough_env: memory, clock, randomness, log
 *
 * Freestanding: nothing here needs more than the compiler's own headers and
 * memcpy, memmove, memset, memcmp.
 *
 * Threads.  Whatever is opened here or above is used by one thread at a time.
 */
#ifndef BOUGH_BASE_H
#define BOUGH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <string.h>
#elif !defined(__cplusplus)
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Clang warns when a result of such a type is dropped; CI builds with it. */
#if defined(__clang__)
#define BOUGH_MUST_USE __attribute__((warn_unused_result))
#else
#define BOUGH_MUST_USE
#endif

/* How a call ended.  Negative is failure; no call returns another value. */
enum BOUGH_MUST_USE bough_err {
    BOUGH_OK = 0,
    BOUGH_EIO = -1,        /* the device refused; trying again may help */
    BOUGH_EGONE = -2,      /* the device or connection is lost; trying again will not help */
    BOUGH_ECORRUPT = -3,   /* bytes read back are not bytes that we wrote; run fsck */
    BOUGH_ENOENT = -4,     /* no such thing, and that is a normal answer */
    BOUGH_ERANGE = -5,     /* outside the device or the object */
    BOUGH_EINVAL = -6,     /* the argument can never be right */
    BOUGH_ENOMEM = -7,     /* no memory; nothing was changed */
    BOUGH_ENOSPC = -8,     /* the device is full; free something and try again */
    BOUGH_EREADONLY = -9,  /* opened read-only, or the device is */
    BOUGH_EEXIST = -10,    /* already present */
    BOUGH_EKEY = -11,      /* invalid key or ref name; why says which segment */
    BOUGH_EDICT = -12,     /* dictionary expected */
    BOUGH_EVALUE = -13,    /* value expected */
    BOUGH_EPREFIX = -14,   /* a dictionary cannot be renamed into itself */
    BOUGH_ENESTED = -15,   /* a batch is already open on this handle */
    BOUGH_ERETRIES = -16,  /* too many retries; why.at is the number allowed */
    BOUGH_ETEST = -17,     /* a compare-and-swap or condition did not hold; look again */
    BOUGH_ECONFLICT = -18, /* both sides changed it; resolve */
    BOUGH_ETOOBIG = -19,   /* over a named limit; why.what names it */
    BOUGH_ENOTSUP = -20,   /* this engine or driver cannot do that */
    BOUGH_ELOCKED = -21,   /* another process owns it; why.at is its pid */
    BOUGH_EFORMAT = -22,   /* bytes from outside break the rules of their format; refuse them */
    BOUGH_EAGAIN = -23,    /* more input is needed, or more steps; call again */
    BOUGH_EEXPIRED = -24,  /* the snapshot was given up under pressure; take a new one */
    BOUGH_EDENIED = -25,   /* the caller has no right to that */
    BOUGH_EDEPTH = -26,    /* a bound on depth was met before the answer was sure; raise it */
};

/* The name of an error for people: "not found".  Static; never NULL. */
const char *bough_err_name(enum bough_err err);

enum { BOUGH_WHY_KEY_MAX = 256 }; /* bytes; longer keys are cut here, never elsewhere */

/*
 * Why a call failed: filled where the failure is found, in the long-lived
 * handle that the call was made on; formatted by cli/ and server/.
 */
struct bough_why {
    enum bough_err err;
    const char *what; /* static text: the rule or limit that was broken; "" when there is none */
    const char *file; /* of the source, static */
    int line;
    uint64_t at;                    /* byte offset, count or limit, as `what` says */
    uint32_t key_len;               /* bytes in key */
    uint8_t key[BOUGH_WHY_KEY_MAX]; /* path, ref name or hex id, as given by the caller */
};

/* Fill `why` (may be NULL); `key` may be NULL with `len` 0. */
void bough_why_fill(
    struct bough_why *why, enum bough_err err, const char *what, const void *key, size_t len);

/* The same, returning `err`: here, so that whoever reads or checks a caller sees that it does. */
static inline enum bough_err bough_why_set(
    struct bough_why *why, enum bough_err err, const char *what, const void *key, size_t len)
{
    bough_why_fill(why, err, what, key, len);
    return err;
}

/* The same, with the place in the source kept for the log. */
#define BOUGH_WHY(why, err, what, key, len)                                                        \
    (bough_why_place((why), __FILE__, __LINE__), bough_why_set((why), (err), (what), (key), (len)))
void bough_why_place(struct bough_why *why, const char *file, int line);

/* A caller's bug, never a device's: stop.  Ports replace bough_panic(). */
#if defined(__cplusplus)
[[noreturn]] void bough_panic(const char *what, const char *file, int line);
#else
__attribute__((noreturn)) void bough_panic(const char *what, const char *file, int line);
#endif
#define BOUGH_ASSERT(x) ((x) ? (void)0 : bough_panic(#x, __FILE__, __LINE__))

/* Bytes that belong to somebody else: borrowed, never NUL-terminated. */
struct bough_view {
    const uint8_t *ptr;
    size_t len;
};

static inline struct bough_view bough_view(const void *ptr, size_t len)
{
    struct bough_view v = {(const uint8_t *)ptr, len};
    return v;
}

/* A view of a C string, without its NUL. */
struct bough_view bough_view_str(const char *str);

/*
 * A number of bytes as people write it: decimal digits, and K, M, G or T (times 1,024, or so many
 * powers of it; small letters, too).  False, and `*bytes` as it was, if `text` is anything else or too large.
 */
bool bough_size_parse(struct bough_view text, uint64_t *bytes);

/* Bytewise order, shorter first: negative, 0 or positive. */
int bough_view_cmp(struct bough_view a, struct bough_view b);

static inline bool bough_view_eq(struct bough_view a, struct bough_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Fixed-width integers in bytes; le = little-endian, be = big-endian. */
static inline uint16_t bough_get16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t bough_get32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t bough_get64le(const uint8_t *p)
{
    return (uint64_t)bough_get32le(p) | (uint64_t)bough_get32le(p + 4) << 32;
}

static inline uint32_t bough_get32be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t bough_get64be(const uint8_t *p)
{
    return (uint64_t)bough_get32be(p) << 32 | (uint64_t)bough_get32be(p + 4);
}

static inline void bough_put16le(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
}

static inline void bough_put32le(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
    p[2] = (uint8_t)(x >> 16);
    p[3] = (uint8_t)(x >> 24);
}

static inline void bough_put64le(uint8_t *p, uint64_t x)
{
    bough_put32le(p, (uint32_t)x);
    bough_put32le(p + 4, (uint32_t)(x >> 32));
}

static inline void bough_put32be(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

static inline void bough_put64be(uint8_t *p, uint64_t x)
{
    bough_put32be(p, (uint32_t)(x >> 32));
    bough_put32be(p + 4, (uint32_t)x);
}

/*
 * Where memory comes from.  One method, the core's only allocator: with
 * `ptr` NULL (and old 0) it allocates, with `size` 0 it releases and returns
 * NULL, else it moves.  `old` is exactly the size asked for last.  NULL for
 * a size that is not 0: no memory, and `ptr` is as it was.  Aligned for any type.
 */
struct bough_mem {
    void *(*resize)(struct bough_mem *mem, void *ptr, size_t old, size_t size);
};

/* Allocate `size` bytes, not cleared; NULL when there is no memory. */
static inline void *bough_mem_alloc(struct bough_mem *mem, size_t size)
{
    return mem->resize(mem, NULL, 0, size);
}

/* Allocate `n` cleared elements of `size` bytes; NULL when there is no memory or n * size wraps. */
void *bough_mem_zalloc(struct bough_mem *mem, size_t n, size_t size);

/* Release what was allocated with exactly this `size`; `ptr` may be NULL. */
static inline void bough_mem_free(struct bough_mem *mem, void *ptr, size_t size)
{
    if (ptr != NULL)
        mem->resize(mem, ptr, size, 0);
}

/*
 * Grow a vector: make room for `want` elements of `size` bytes at `*ptr`,
 * whose capacity in elements is `*cap`; capacity at least doubles.
 *
 * BOUGH_ENOMEM    the vector is as it was
 */
enum bough_err bough_mem_grow(
    struct bough_mem *mem, void **ptr, size_t *cap, size_t want, size_t size);

/* A moment: seconds since 1970 UTC, nanoseconds, and minutes east of UTC. */
struct bough_time {
    int64_t sec;
    uint32_t nsec;
    int16_t zone_min;
};

/* How loud a log line is. */
enum bough_level { BOUGH_LOG_ERROR, BOUGH_LOG_WARN, BOUGH_LOG_INFO, BOUGH_LOG_DEBUG };

/*
 * What the core asks of the world.  `mem` is a must; the methods may be NULL:
 * then time stands at 0, `random` fills from a counter, and nothing is logged.
 * The struct and what it points to outlive everything opened with it.
 */
struct bough_env {
    struct bough_mem *mem;
    void *ctx; /* handed to the methods */
    void (*now)(void *ctx, struct bough_time *out);
    void (*random)(void *ctx, void *dst, size_t n); /* need not be secret, must not repeat */
    void (*log)(void *ctx, enum bough_level level, const char *text);
};

/* The calls on it, with the defaults above. */
struct bough_time bough_env_now(const struct bough_env *env);
void bough_env_random(const struct bough_env *env, void *dst, size_t n);
void bough_env_log(const struct bough_env *env, enum bough_level level, const char *text);

#ifdef __cplusplus
}
#endif

#endif
