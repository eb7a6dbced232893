/*
 * measure.c - clocks, random numbers, keys and values, samples.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"

static double clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed;
}

uint32_t pick(uint64_t *seed, uint32_t n)
{
    return (uint32_t)((next(seed) >> 33) % n);
}

size_t key_of(uint32_t i, char dst[KEY_MAX])
{
    uint32_t mixed = i * 2654435761u;

    return (size_t)snprintf(
        dst, KEY_MAX, "%02x/%02x/key-%05u", mixed >> 24, mixed >> 16 & 0x0f, (unsigned)i);
}

void value_of(uint32_t i, uint32_t version, char dst[VALUE_LEN])
{
    uint64_t seed = i * 977u + version;

    memset(dst, 0, VALUE_LEN);
    snprintf(dst, VALUE_LEN, "%u ", (unsigned)i);
    for (size_t at = strlen(dst); at < VALUE_LEN; at++)
        dst[at] = (char)('a' + (next(&seed) >> 40) % 26);
}

void sample(const char *table, const char *peer, int round, double value, const char *unit)
{
    printf(
        "{\"table\": \"%s\", \"peer\": \"%s\", \"round\": %d, \"value\": %.1f, \"unit\": \"%s\"}\n",
        table, peer, round, value, unit);
    fflush(stdout);
}

void die(const char *peer, const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", peer, what);
    exit(1);
}

void *state_new(const char *peer, size_t len)
{
    void *state = calloc(1, len);

    if (state == NULL)
        die(peer, "no memory");
    return state;
}
