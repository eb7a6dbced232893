/*
 * fuzz_pktline.c - any bytes, in any split, read as packet lines.
 *
 * The first byte chooses the split; the packets must be the same as of the
 * bytes in one piece, and no byte may be read outside of them.
 */
#include "git/pktline.h"
#include "tests/lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A digest of all packets and of how the stream ended. */
static uint64_t read_all(struct bough_view src, size_t step)
{
    struct test_mem m;
    struct bough_pkt_reader r;
    struct bough_pkt p;
    uint64_t digest = 1;
    size_t at = 0, end = 0;
    enum bough_err err = BOUGH_EAGAIN;

    test_mem_init(&m);
    bough_pkt_reader_init(&r, &m.mem);
    while (err == BOUGH_OK || (err == BOUGH_EAGAIN && end < src.len)) {
        size_t used;

        if (err == BOUGH_EAGAIN)
            end = src.len - end < step ? src.len : end + step;
        err = bough_pkt_next(&r, bough_view(src.ptr + at, end - at), &used, &p);
        at += used;
        if (err == BOUGH_OK) {
            digest = digest * 31 + (uint64_t)p.kind;
            for (size_t i = 0; i < p.line.len; i++)
                digest = digest * 31 + p.line.ptr[i];
        }
    }
    digest = digest * 31 + (uint64_t)(int64_t)err;
    bough_pkt_reader_fini(&r);
    test_mem_done(&m);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_view src;

    if (size < 1)
        return 0;
    src = bough_view(data + 1, size - 1);
    BOUGH_ASSERT(read_all(src, (size_t)data[0] + 1) == read_all(src, src.len + 1));
    return 0;
}
