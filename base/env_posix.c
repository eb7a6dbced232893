/*
 * env_posix.c - see posix.h.
 *
 *   memory    malloc; large blocks in large pages, where the system has them
 *   the world clock, randomness, log
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "base/posix.h"

enum { LARGE_PAGE = 2 * 1024 * 1024, LARGE = 4 * LARGE_PAGE };

/*
 * Caches are read at random: with small pages most reads would wait for the processor's table
 * of them, too.  Only a hint; what a block never touches takes no memory either way.
 */
static void *large_hint(void *ptr, size_t size)
{
#ifdef MADV_HUGEPAGE
    uintptr_t at = ((uintptr_t)ptr + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);

    if (ptr != NULL && size >= LARGE)
        (void)madvise((void *)at, (uintptr_t)ptr + size - at, MADV_HUGEPAGE);
#else
    (void)size;
#endif
    return ptr;
}

static void *heap_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    (void)mem;
    (void)old;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return large_hint(realloc(ptr, size), size);
}

struct bough_mem *bough_posix_mem(void)
{
    static struct bough_mem heap = {heap_resize};

    return &heap;
}

static void env_now(void *ctx, struct bough_time *out)
{
    struct timespec ts;
    struct tm tm;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &ts);
    out->sec = ts.tv_sec;
    out->nsec = (uint32_t)ts.tv_nsec;
    out->zone_min = 0;
    if (localtime_r(&ts.tv_sec, &tm) != NULL)
        out->zone_min = (int16_t)(tm.tm_gmtoff / 60);
}

static void env_random(void *ctx, void *dst, size_t n)
{
    uint8_t *p = dst;

    (void)ctx;
    while (n > 0) {
        size_t want = n < 256 ? n : 256; /* getrandom gives these whole or not at all */
        ssize_t got = getrandom(p, want, 0);

        if (got < 0)
            continue; /* a signal came; there is no other reason with these arguments */
        p += got;
        n -= (size_t)got;
    }
}

static void env_log(void *ctx, enum bough_level level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    const enum bough_level *loudest = ctx;

    if (level > (loudest != NULL ? *loudest : BOUGH_LOG_WARN))
        return;
    fprintf(stderr, "bough: %s: %s\n", names[level], text);
}

struct bough_env bough_posix_env(enum bough_level *level)
{
    return (struct bough_env){
        .mem = bough_posix_mem(),
        .ctx = level,
        .now = env_now,
        .random = env_random,
        .log = env_log,
    };
}
