/*
 * fuzz_delta.c - any bytes as a delta, and a delta between any bytes.
 *
 * The first byte cuts the rest in two: (base, delta) is applied, by range
 * too, which must agree; (base, target) is searched, and what is found must
 * make the target.
 */
#include <stdlib.h>

#include "git/delta.h"
#include "tests/lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RESULT_MAX = 1 << 20 };

struct memory_base {
    struct bough_delta_base base;
    const uint8_t *ptr;
};

static enum bough_err memory_read(
    struct bough_delta_base *base, uint64_t at, uint8_t *dst, uint64_t n)
{
    memcpy(dst, ((const struct memory_base *)base)->ptr + at, (size_t)n);
    return BOUGH_OK;
}

static void apply(struct bough_view base, struct bough_view delta)
{
    struct memory_base mb = {{memory_read, base.len}, base.ptr};
    struct bough_delta_reader r;
    uint8_t *whole, *part;

    if (bough_delta_open(&r, delta) || r.result_len > RESULT_MAX)
        return;
    whole = malloc((size_t)r.result_len + 1);
    part = malloc((size_t)r.result_len + 1);
    if (whole != NULL && part != NULL &&
        bough_delta_apply(base, delta, whole, r.result_len) == BOUGH_OK) {
        uint64_t at = r.result_len / 3, n = r.result_len / 2;
        enum bough_err err = bough_delta_apply_range(&mb.base, delta, at, part, n);
        BOUGH_ASSERT(err == BOUGH_OK);
        BOUGH_ASSERT(memcmp(whole + at, part, (size_t)n) == 0);
    }
    free(whole);
    free(part);
}

static void find(struct bough_view base, struct bough_view target)
{
    struct test_mem m;
    struct bough_delta_index x;
    struct bough_buf out;
    uint8_t *made = malloc(target.len + 1);
    enum bough_err err;

    test_mem_init(&m);
    bough_buf_init(&out, &m.mem);
    err = bough_delta_index_init(&x, &m.mem, base);
    BOUGH_ASSERT(err == BOUGH_OK && made != NULL);
    err = bough_delta_find(&x, target, 2 * target.len + 64, &out);
    BOUGH_ASSERT(err == BOUGH_OK);
    err = bough_delta_apply(base, bough_buf_view(&out), made, target.len);
    BOUGH_ASSERT(err == BOUGH_OK && memcmp(made, target.ptr, target.len) == 0);
    bough_delta_index_fini(&x);
    bough_buf_fini(&out);
    test_mem_done(&m);
    free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut;

    if (size < 1)
        return 0;
    cut = (size - 1) * data[0] / 255;
    apply(bough_view(data + 1, cut), bough_view(data + 1 + cut, size - 1 - cut));
    find(bough_view(data + 1, cut), bough_view(data + 1 + cut, size - 1 - cut));
    return 0;
}
