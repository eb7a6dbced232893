/*
 * tape.c - see tape.h.
 *
 * The choices of the current run are kept in static memory, too: when a test
 * fails, its own tape is gone by the time that the program ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "tests/sim/tape.h"

static struct {
    bool running, hooked;
    int mode;
    uint64_t seed;
    uint32_t len;
    uint32_t value[TAPE_MAX];
} now;

static void say(void)
{
    if (!now.running)
        return;
    if (now.mode == TAPE_SEEDED) {
        fprintf(stderr, "a run was left in the middle; replay with SEED=%llu\n",
            (unsigned long long)now.seed);
        return;
    }
    fprintf(stderr, "a run was left in the middle; replay with TAPE=");
    for (uint32_t i = 0; i < now.len; i++)
        fprintf(stderr, "%s%lu", i > 0 ? "," : "", (unsigned long)now.value[i]);
    fputc('\n', stderr);
}

static void rewind_to(struct tape *t, bool running)
{
    t->pos = 0;
    t->state = t->seed;
    now.running = running && t->mode != TAPE_BYTES; /* a fuzzer keeps its input itself */
    now.mode = (int)t->mode;
    now.seed = t->seed;
    now.len = 0;
    if (!now.hooked)
        now.hooked = atexit(say) == 0;
}

void tape_all(struct tape *t)
{
    *t = (struct tape){.mode = TAPE_ALL};
}

void tape_seeded(struct tape *t, uint64_t seed, uint64_t runs)
{
    const char *one = getenv("SEED");

    *t = (struct tape){.mode = TAPE_SEEDED, .seed = seed, .runs_max = runs};
    if (getenv("LONG") != NULL)
        t->runs_max *= 100;
    if (one != NULL) {
        t->seed = strtoull(one, NULL, 0);
        t->runs_max = 1;
    }
}

void tape_bytes(struct tape *t, const uint8_t *bytes, size_t len)
{
    *t = (struct tape){.mode = TAPE_BYTES, .bytes = bytes, .left = len};
}

/* Fill the tape with the one run that TAPE names; the bounds are learned when it is drawn. */
static bool replay(struct tape *t, const char *text)
{
    if (t->runs++ > 0)
        return false;
    while (*text != '\0' && t->len < TAPE_MAX) {
        char *end;

        t->choice[t->len].value = (uint32_t)strtoul(text, &end, 10);
        t->choice[t->len++].bound = 0;
        text = *end == ',' ? end + 1 : "";
    }
    return true;
}

static bool next_of_all(struct tape *t)
{
    const char *one = getenv("TAPE");

    if (one != NULL)
        return replay(t, one);
    if (t->runs++ == 0)
        return true;
    for (; t->len > 0; t->len--) {
        if (++t->choice[t->len - 1].value < t->choice[t->len - 1].bound)
            return true;
    }
    return false;
}

bool tape_next(struct tape *t)
{
    bool more;

    if (t->mode == TAPE_ALL) {
        more = next_of_all(t);
    } else if (t->mode == TAPE_SEEDED) {
        more = t->runs < t->runs_max;
        t->seed += t->runs > 0;
        t->runs++;
    } else {
        more = t->runs++ == 0;
    }
    rewind_to(t, more);
    return more;
}

void tape_pause(struct tape *t)
{
    (void)t;
    now.running = false;
}

static uint32_t draw_random(struct tape *t, uint32_t bound)
{
    uint64_t x = t->state += 0x9e3779b97f4a7c15; /* splitmix64 */

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((x ^ x >> 31) % bound);
}

static uint32_t draw_byte(struct tape *t, uint32_t bound)
{
    uint32_t x = 0;

    for (uint32_t reach = 1; reach < bound && t->left > 0; t->left--) {
        x = x << 8 | *t->bytes++;
        reach = reach > UINT32_MAX >> 8 ? UINT32_MAX : reach << 8;
    }
    return x % bound;
}

uint32_t draw(struct tape *t, uint32_t bound)
{
    BOUGH_ASSERT(bound > 0);
    if (t->mode == TAPE_SEEDED)
        return draw_random(t, bound);
    if (t->mode == TAPE_BYTES)
        return draw_byte(t, bound);

    BOUGH_ASSERT(t->pos < TAPE_MAX);
    if (t->pos == t->len) {
        t->choice[t->len].value = 0;
        t->choice[t->len++].bound = bound;
    }
    if (t->choice[t->pos].bound == 0)
        t->choice[t->pos].bound = bound;
    BOUGH_ASSERT(t->choice[t->pos].bound == bound); /* the test is repeatable */
    BOUGH_ASSERT(t->choice[t->pos].value < bound);
    now.value[now.len++] = t->choice[t->pos].value;
    return t->choice[t->pos++].value;
}
