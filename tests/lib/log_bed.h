/*
 * log_bed.h - a log store on a device in memory, for tests of that engine alone.
 *
 *     struct log_bed b;
 *     log_bed_begin(&b, bytes, format, opts); // formatted and open
 *     ... b.s, b.t.env, b.device, log_bed_reopen(&b) ...
 *     log_bed_end(&b);                        // asserts that all memory came back
 *
 * A test of many lives keeps the medium once it holds what each begins with:
 *
 *     log_bed_keep(&b);                       // closed from here on
 *     for (...) {
 *         log_bed_again(&b);                  // the medium as it was kept
 *         log_bed_open(&b), or log_bed_open_on() another device over b.ram
 *         ...
 *         log_bed_close(&b);
 *     }
 */
#ifndef TEST_LOG_BED_H
#define TEST_LOG_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/log/log.h"
#include "tests/lib/env.h"

#ifndef OK
#define OK(x) assert_int_equal((x), BOUGH_OK)
#endif

struct log_bed {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device, *fresh; /* the medium; what it was when it was kept, or NULL */
    size_t bytes, room;      /* the device's, and what it may grow to */
    uint32_t granule;
    struct bough_store *s; /* NULL: closed */
    struct bough_why why;
    struct bough_log_open_opts opts;
};

static inline enum bough_err log_bed_open_on(struct log_bed *b, struct bough_block *dev)
{
    return bough_log_open(dev, &b->t.env, &b->opts, &b->s, &b->why);
}

static inline void log_bed_open(struct log_bed *b)
{
    OK(log_bed_open_on(b, &b->ram.blk));
}

static inline void log_bed_close(struct log_bed *b)
{
    bough_store_close(b->s);
    b->s = NULL;
}

static inline void log_bed_reopen(struct log_bed *b)
{
    log_bed_close(b);
    log_bed_open(b);
}

/* The device over the medium; one on which writes have to settle cannot flush. */
static inline void log_bed_ram(struct log_bed *b)
{
    bough_ramblk_init(&b->ram, b->device, b->bytes / b->granule, b->granule);
    if (b->room > b->bytes)
        bough_ramblk_set_room(&b->ram, b->room / b->granule);
    if (b->opts.settle_bytes > 0)
        b->ram.blk.caps &= ~(uint32_t)BOUGH_BLOCK_SYNC;
}

/* A device that may grow to `room` bytes. */
static inline void log_bed_begin_in(struct log_bed *b, size_t bytes, size_t room,
    struct bough_log_format_opts format, struct bough_log_open_opts opts)
{
    *b = (struct log_bed){.opts = opts,
        .bytes = bytes,
        .room = room,
        .granule = format.granule,
        .device = calloc(1, room)};
    assert_non_null(b->device);
    test_env_init(&b->t);
    log_bed_ram(b);
    format.algo = test_algo();
    OK(bough_log_format(&b->ram.blk, &b->t.env, &format, &b->why));
    log_bed_open(b);
}

/* A device of so many bytes in units of the granule; the hash is test_algo()'s. */
static inline void log_bed_begin(struct log_bed *b, size_t bytes,
    struct bough_log_format_opts format, struct bough_log_open_opts opts)
{
    log_bed_begin_in(b, bytes, bytes, format, opts);
}

static inline void log_bed_keep(struct log_bed *b)
{
    log_bed_close(b);
    if (b->fresh == NULL)
        b->fresh = malloc(b->room);
    assert_non_null(b->fresh);
    memcpy(b->fresh, b->device, b->room);
}

static inline void log_bed_again(struct log_bed *b)
{
    memcpy(b->device, b->fresh, b->room);
    log_bed_ram(b);
}

static inline void log_bed_end(struct log_bed *b)
{
    log_bed_close(b);
    test_env_done(&b->t);
    free(b->device);
    free(b->fresh);
}

#endif
