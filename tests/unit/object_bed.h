/*
 * object_bed.h - ids, people and comparisons for tests of Git's objects.
 */
#ifndef TEST_OBJECT_BED_H
#define TEST_OBJECT_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "git/object.h"
#include "tests/lib/mem.h"

#define TREE_HEX "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

#define A_HEX "ce013625030ba8dba906f756967f9e9ca394464a"

static inline void assert_view(struct bough_view v, const char *want)
{
    assert_int_equal(v.len, strlen(want));
    assert_memory_equal(v.ptr, want, v.len);
}

static inline void assert_hex(const struct bough_oid *id, const char *want)
{
    char hex[BOUGH_HEX_MAX + 1] = {0};

    bough_oid_hex(BOUGH_SHA1, id, hex);
    assert_string_equal(hex, want);
}

static inline struct bough_oid oid(const char *hex)
{
    struct bough_oid id;

    assert_int_equal(bough_oid_parse(BOUGH_SHA1, bough_view_str(hex), &id), BOUGH_OK);
    return id;
}

static inline struct bough_ident who(const char *name, const char *mail, int64_t sec, int zone)
{
    struct bough_ident i = {.name = bough_view_str(name), .mail = bough_view_str(mail)};

    i.time.sec = sec;
    i.time.zone_min = (int16_t)zone;
    return i;
}

#endif
