/* mem.c - see mem.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/mem.h"

enum { HEAD = 16, FILL = 0xdd };

static bool refuse(struct test_mem *m, size_t old, size_t size)
{
    uint64_t call = m->calls++;

    if (call == m->fail_at || (m->fail_on && call > m->fail_at) ||
        (m->limit > 0 && m->used - old + size > m->limit)) {
        m->failed = true;
        return true;
    }
    return false;
}

static void *mem_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    struct test_mem *m = (struct test_mem *)mem;
    uint8_t *head = ptr != NULL ? (uint8_t *)ptr - HEAD : NULL, *next;
    size_t had = 0;

    if (head != NULL)
        memcpy(&had, head, sizeof had);
    assert_int_equal(had, old); /* the size given back is the size asked for */
    if (size == 0) {
        m->used -= old;
        m->pieces -= head != NULL;
        free(head);
        return NULL;
    }
    if (size > old && refuse(m, old, size))
        return NULL;
    next = size < SIZE_MAX - HEAD ? malloc(size + HEAD) : NULL;
    if (next == NULL)
        return NULL;
    memcpy(next, &size, sizeof size);
    memset(next + HEAD, FILL, size);
    if (head != NULL)
        memcpy(next + HEAD, ptr, old < size ? old : size);
    free(head);
    m->pieces += head == NULL;
    m->used = m->used - old + size;
    if (m->used > m->peak)
        m->peak = m->used;
    return next + HEAD;
}

void test_mem_init(struct test_mem *m)
{
    *m = (struct test_mem){.mem = {mem_resize}, .fail_at = UINT64_MAX};
}

void test_mem_done(const struct test_mem *m)
{
    assert_int_equal(m->pieces, 0);
    assert_int_equal(m->used, 0);
}
