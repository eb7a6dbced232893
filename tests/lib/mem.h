/*
 * mem.h - memory for tests: counts, checks, and fails when told.
 *
 *   struct test_mem    a struct bough_mem over malloc
 *   test_mem_init()    set it up
 *   test_mem_done()    assert that everything came back
 *
 * Each piece remembers its size, so a release or move with a wrong `old`
 * fails the test at once.  New bytes are filled with 0xdd, and a move always
 * goes to another place.
 *
 * A loop over all failing allocations:
 *
 *     for (uint64_t n = 0;; n++) {
 *         test_mem_init(&m);
 *         m.fail_at = n;              // the n-th allocation fails, counting from 0
 *         ... do the work on &m.mem, expect BOUGH_OK or BOUGH_ENOMEM ...
 *         test_mem_done(&m);
 *         if (!m.failed)
 *             break;                  // n was past the last one
 *     }
 */
#ifndef TEST_MEM_H
#define TEST_MEM_H

#include "base/base.h"

struct test_mem {
    struct bough_mem mem; /* use this one */
    uint64_t calls;       /* allocations and growths asked for so far */
    uint64_t fail_at;     /* this one fails; UINT64_MAX: none */
    bool fail_on;         /* all after `fail_at` fail, too */
    bool failed;          /* one was failed */
    uint64_t pieces;      /* that are out */
    size_t used;          /* bytes that are out */
    size_t peak;          /* most bytes out at a time */
    size_t limit;         /* more bytes than this fail; 0: no limit */
};

void test_mem_init(struct test_mem *m);
void test_mem_done(const struct test_mem *m);

#endif
