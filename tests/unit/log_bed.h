/*
 * log_bed.h - a log store on a device in memory, for tests of that engine alone.
 *
 *     struct fix f;
 *     fix_begin(&f, bytes, &format, &opts);   // formatted and open
 *     ... f.s, f.t.env, f.device, fix_reopen(&f) ...
 *     fix_end(&f);                            // asserts that all memory came back
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

#define OK(x) assert_int_equal((x), BOUGH_OK)

struct fix {
    struct test_env t;
    struct bough_ramblk ram;
    uint8_t *device;
    struct bough_store *s;
    struct bough_why why;
    struct bough_log_open_opts opts;
};

static inline void fix_open(struct fix *f)
{
    OK(bough_log_open(&f->ram.blk, &f->t.env, &f->opts, &f->s, &f->why));
}

static inline void fix_reopen(struct fix *f)
{
    bough_store_close(f->s);
    fix_open(f);
}

/* A device of so many bytes in units of the granule; the hash is test_algo()'s. */
static inline void fix_begin(struct fix *f, size_t bytes, struct bough_log_format_opts format,
    struct bough_log_open_opts opts)
{
    *f = (struct fix){.opts = opts, .device = calloc(1, bytes)};
    assert_non_null(f->device);
    test_env_init(&f->t);
    bough_ramblk_init(&f->ram, f->device, bytes / format.granule, format.granule);
    format.algo = test_algo();
    OK(bough_log_format(&f->ram.blk, &f->t.env, &format, &f->why));
    fix_open(f);
}

static inline void fix_end(struct fix *f)
{
    bough_store_close(f->s);
    test_env_done(&f->t);
    free(f->device);
}

#endif
