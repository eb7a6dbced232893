/*
 * hash_attack.c - is a block of SHA-1 half of a collision?
 *
 *   rules        bough_base__sha1_suspects_any()
 *   the steps    forth and back, bough_base__sha1_trace_any()
 *   the vectors  what differs where
 *   the twin     bough_base__sha1_near(), bough_base__sha1_twin()
 *   the verdict  bough_base__sha1_attacked()
 *
 * Every attack on SHA-1 that is cheaper than its birthday bound follows a
 * disturbance vector: it fixes by which bits each of the 80 message words
 * differs between the two colliding blocks, and in between there are steps
 * where the working states of both are equal.  So one block and a vector give
 * the other: its words by the differences, its state by copying ours at such
 * a step, its input and output by running from there back to step 0 and on
 * to step 80.  If its output is ours, somebody has made a collision (Stevens,
 * "Counter-cryptanalysis", 2013).
 *
 * To run 32 vectors for each block would make SHA-1 many times slower, but
 * no attack avoids certain relations between bits of the message words
 * (Stevens and Shumow, "Speeding up detection of SHA-1 collision attacks using
 * unavoidable attack conditions", 2017).  They are cheap to test, in eight
 * blocks at a time, and leave over a vector in one of sixteen blocks.
 * tools/sha1-rules derives them and the differences.
 */
#include "base/inner.h"

#include "base/hash_rules.inc"

typedef uint32_t lanes __attribute__((vector_size(16)));
typedef int32_t lanes_signed __attribute__((vector_size(16)));

#define LANES 4
#define LANES_ALL(x)                                                                               \
    {                                                                                              \
        x, x, x, x                                                                                 \
    }
#define LANES_NAME bough_base__sha1_suspects_any
#define LANES_TARGET
#define LANES_WORD(at, t)                                                                          \
    (lanes)                                                                                        \
    {                                                                                              \
        bough_get32be((at)[0] + (t)), bough_get32be((at)[1] + (t)), bough_get32be((at)[2] + (t)),  \
            bough_get32be((at)[3] + (t))                                                           \
    }
#define LANES_TURN(w, at)                                                                          \
    for (size_t turned = 0; turned < 16; turned++)                                                 \
    (w)[turned] = LANES_WORD(at, 4 * turned)
#include "base/hash_lanes.inc"

/*
 * No attack has its twin differ in many bits where it must already follow
 * the vector: such pairs are two blocks that have nothing to do with each other,
 * and most that the rules leave over are.  80 bits is what chance gives; an
 * attack has under ten.
 */
enum { NEAR_STEP = 36, NEAR_BITS = 40 };

static inline uint32_t rol(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

void bough_base__sha1_expand(uint32_t *w, const uint8_t *block)
{
    for (size_t t = 0; t < 16; t++)
        w[t] = bough_get32be(block + 4 * t);
#pragma GCC unroll 64 /* so that what was just made is still in a register */
    for (size_t t = 16; t < SHA1_STEPS; t++)
        w[t] = rol(w[t - 16] ^ w[t - 14] ^ w[t - 8] ^ w[t - 3], 1);
}

struct sha1_state {
    uint32_t a, b, c, d, e;
};

/* What a step of the `kind`th twenty adds to a word, besides the word itself and that of the message. */
static inline uint32_t step_sum(unsigned kind, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t f;

    if (kind == 0)
        f = (d ^ (b & (c ^ d))) + 0x5a827999;
    else if (kind == 1)
        f = (b ^ c ^ d) + 0x6ed9eba1;
    else if (kind == 2)
        f = ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
    else
        f = (b ^ c ^ d) + 0xca62c1d6;
    return rol(a, 5) + f;
}

/* Four steps, forth and back. */
static inline __attribute__((always_inline)) struct sha1_state four_on(
    struct sha1_state s, const uint32_t *w, unsigned kind)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        uint32_t a = step_sum(kind, s.a, s.b, s.c, s.d) + s.e + w[i];

        s = (struct sha1_state){a, s.a, rol(s.b, 30), s.c, s.d};
    }
    return s;
}

static inline __attribute__((always_inline)) struct sha1_state four_back(
    struct sha1_state s, const uint32_t *w, unsigned kind)
{
#pragma GCC unroll 4
    for (size_t i = 4; i-- > 0;) {
        uint32_t b = rol(s.c, 2), e = s.a - step_sum(kind, s.b, b, s.d, s.e) - w[i];

        s = (struct sha1_state){s.b, b, s.d, s.e, e};
    }
    return s;
}

/* The state before step `to`, from that before step `from`: multiples of four. */
static struct sha1_state run_on(struct sha1_state s, const uint32_t *w, size_t from, size_t to)
{
    size_t t = from;

    for (; t < 20 && t < to; t += 4)
        s = four_on(s, w + t, 0);
    for (; t < 40 && t < to; t += 4)
        s = four_on(s, w + t, 1);
    for (; t < 60 && t < to; t += 4)
        s = four_on(s, w + t, 2);
    for (; t < to; t += 4)
        s = four_on(s, w + t, 3);
    return s;
}

/* Likewise where `to` is earlier. */
static struct sha1_state run_back(struct sha1_state s, const uint32_t *w, size_t from, size_t to)
{
    size_t t = from;

    for (; t > 60 && t > to; t -= 4)
        s = four_back(s, w + t - 4, 3);
    for (; t > 40 && t > to; t -= 4)
        s = four_back(s, w + t - 4, 2);
    for (; t > 20 && t > to; t -= 4)
        s = four_back(s, w + t - 4, 1);
    for (; t > to; t -= 4)
        s = four_back(s, w + t - 4, 0);
    return s;
}

void bough_base__sha1_trace_any(uint32_t *state, const uint8_t *block, uint32_t *trace)
{
    struct sha1_state s = {state[0], state[1], state[2], state[3], state[4]};
    uint32_t w[SHA1_STEPS];

    bough_base__sha1_expand(w, block);
    for (size_t t = 0;; t += 4) {
        uint32_t dcba[4] = {s.d, s.c, s.b, s.a};

        memcpy(trace + t, dcba, sizeof dcba);
        if (t == SHA1_STEPS)
            break;
        s = run_on(s, w, t, t + 4);
    }
    state[0] += s.a;
    state[1] += s.b;
    state[2] += s.c;
    state[3] += s.d;
    state[4] += s.e;
}

/* The state before step `t`, a multiple of four: its e is the a of four steps ago. */
static struct sha1_state trace_state(const uint32_t *trace, size_t t)
{
    const uint32_t *s = trace + t;

    return (struct sha1_state){s[3], s[2], s[1], s[0], rol(trace[t - 1], 30)};
}

static const struct sha1_vector {
    uint8_t kind, k, b;
} vectors[SHA1_VECTORS_N] = {SHA1_VECTORS};

/*
 * Before which step the states of both are equal: the five words of the vector
 * before it are zero, among DV[k]..DV[k + 14] of the first kind and DV[k + 4]..
 * DV[k + 14] of the second.  Of these steps the first multiple of four.
 */
static size_t vector_equal(const struct sha1_vector *d)
{
    return (size_t)(d->k + (d->kind == 1 ? 8 : 12)) / 4 * 4;
}

void bough_base__sha1_other(uint32_t *other, const uint32_t *w, size_t v, size_t from, size_t to)
{
    static const uint32_t one[] = {SHA1_ONE}, two[] = {SHA1_TWO};
    const struct sha1_vector *d = &vectors[v];
    const uint32_t *words =
        d->kind == 1 ? one + SHA1_ONE_FIRST - d->k : two + SHA1_TWO_FIRST - d->k;

    for (size_t t = from; t < to; t++)
        other[t] = w[t] ^ (words[t] << d->b | words[t] >> (-d->b & 31));
}

static unsigned ones(uint32_t x)
{
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    return ((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

bool bough_base__sha1_near(const uint32_t *w, const uint32_t *trace, size_t v)
{
    size_t equal = vector_equal(&vectors[v]);
    struct sha1_state ours = trace_state(trace, NEAR_STEP), twin = trace_state(trace, equal);
    uint32_t other[SHA1_STEPS];

    bough_base__sha1_other(other, w, v, NEAR_STEP, equal);
    twin = run_back(twin, other, equal, NEAR_STEP);
    return ones(twin.a ^ ours.a) + ones(twin.b ^ ours.b) + ones(twin.c ^ ours.c) +
               ones(twin.d ^ ours.d) + ones(twin.e ^ ours.e) <=
           NEAR_BITS;
}

void bough_base__sha1_twin(
    const uint32_t *w, const uint32_t *trace, size_t v, uint32_t *in, uint32_t *out)
{
    size_t equal = vector_equal(&vectors[v]);
    struct sha1_state begin, end;
    uint32_t other[SHA1_STEPS];

    bough_base__sha1_other(other, w, v, 0, SHA1_STEPS);
    begin = run_back(trace_state(trace, equal), other, equal, 0);
    end = run_on(trace_state(trace, equal), other, equal, SHA1_STEPS);
    memcpy(in, (uint32_t[5]){begin.a, begin.b, begin.c, begin.d, begin.e}, 5 * sizeof *in);
    memcpy(out, (uint32_t[5]){end.a, end.b, end.c, end.d, end.e}, 5 * sizeof *out);
    for (size_t i = 0; i < 5; i++)
        out[i] += in[i];
}

uint32_t bough_base__sha1_left(const uint32_t *w, const uint32_t *trace, uint32_t suspects)
{
    uint32_t left = 0;

    for (; suspects != 0; suspects &= suspects - 1)
        if (bough_base__sha1_near(w, trace, (size_t)__builtin_ctz(suspects)))
            left |= suspects & -suspects;
    return left;
}

bool bough_base__sha1_attacked(
    uint32_t *state, const uint8_t *block, uint32_t suspects, bough_base__trace *trace_make)
{
    uint32_t w[SHA1_STEPS], trace[SHA1_TRACE], in[5], out[5];

    trace_make(state, block, trace);
    bough_base__sha1_expand(w, block);
    suspects = bough_base__sha1_left(w, trace, suspects);
    for (; suspects != 0; suspects &= suspects - 1) {
        bough_base__sha1_twin(w, trace, (size_t)__builtin_ctz(suspects), in, out);
        if (memcmp(out, state, sizeof out) == 0)
            return true;
    }
    return false;
}
