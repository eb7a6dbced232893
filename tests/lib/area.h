/*
 * area.h - an intake's host in memory, for tests.
 *
 *     struct test_area a;
 *     test_area_init(&a, mem);
 *     test_area_has(&a, &id, BOUGH_BLOB, body);   // what the store has
 *     ... bough_store__intake_open(..., &a.host, ...) ...
 *     a.raw, a.rows, a.row_count                  // what came of it
 *     test_area_fini(&a);
 *
 * Its own memory is malloc's, so that the intake's can be counted alone.
 */
#ifndef TEST_AREA_H
#define TEST_AREA_H

#include "store/intake.h"

/* An object that the store has. */
struct test_area_object {
    struct bough_oid id;
    enum bough_type type;
    struct bough_view body; /* borrowed */
};

struct test_area {
    struct bough_store__intake_host host; /* use this one */
    uint8_t *raw;                         /* what was appended */
    size_t raw_len, raw_cap;
    struct bough_store__intake_row *rows;
    size_t row_count, row_cap;
    struct test_area_object *has;
    size_t has_count, has_cap;
    uint64_t compared; /* bytes that were compared with what it has */
    uint64_t calls;    /* of append and read, so far */
    uint64_t fail_at;  /* this one answers BOUGH_EIO; UINT64_MAX: none */
    bool lend;         /* map() lends; else read() copies */
    bool discard;      /* what is appended is dropped: only for packs without deltas */
};

void test_area_init(struct test_area *a);
void test_area_fini(struct test_area *a);
void test_area_has(
    struct test_area *a, const struct bough_oid *id, enum bough_type type, struct bough_view body);

#endif
