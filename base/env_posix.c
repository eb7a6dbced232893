/*
 * env_posix.c - see posix.h.
 *
 *   memory    malloc; large blocks, and a heap that became large, in large pages, where the system
 *             has them
 *   the world clock, randomness, log
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

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

#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
enum { HEAP_LARGE = 4 * LARGE_PAGE, HEAP_STEP = 8 * LARGE_PAGE };

/*
 * Small pieces lie in one heap, which grows at its end, mostly by some pages.  One that became large
 * grows by more, and by large pages: decoded trees and edits are read at random, too.  `end` is behind
 * a piece; what lies behind the heap is none of its pieces.
 */
static void heap_hint(uintptr_t end)
{
    static _Atomic uintptr_t begin, hinted;
    uintptr_t from = hinted, brk;

    if (end <= from)
        return;
    brk = (uintptr_t)sbrk(0);
    if (begin == 0 && end <= brk)
        begin = end;
    if (end > brk || brk - from < LARGE_PAGE || brk < begin + HEAP_LARGE)
        return;
    if (from == 0) { /* all three: to set one of them keeps the others from following the use */
        (void)mallopt(M_MMAP_THRESHOLD, LARGE);
        (void)mallopt(M_TRIM_THRESHOLD, 2 * HEAP_STEP);
        (void)mallopt(M_TOP_PAD, HEAP_STEP);
        from = begin;
    }
    from = (from + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
    hinted = brk & ~(uintptr_t)(LARGE_PAGE - 1);
    if (from < hinted)
        (void)madvise((void *)from, hinted - from, MADV_HUGEPAGE);
}
#else
static void heap_hint(uintptr_t end)
{
    (void)end;
}
#endif

static void *heap_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    (void)mem;
    (void)old;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    ptr = realloc(ptr, size);
    if (ptr != NULL)
        heap_hint((uintptr_t)ptr + size);
    return large_hint(ptr, size);
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
