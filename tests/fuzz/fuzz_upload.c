/*
 * fuzz_upload.c - any bytes as what a client that fetches says.
 *
 * The first byte chooses version, transport and split.  With the same bytes in
 * one piece the answer must be the same, and all memory must come back.  The
 * repository is made anew each time, so ids of it that a corpus holds stay good.
 */
#include "tests/lib/sync_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t answer(struct sync_bed *b, struct bough_view request, size_t step)
{
    struct bough_buf said;
    uint64_t digest = 1;
    bough_buf_init(&said, &b->t.mem.mem);
    enum bough_err err = talk(b, BOUGH_SERVICE_UPLOAD_PACK, request, step, &said);
    for (size_t i = 0; i < said.len; i++)
        digest = digest * 31 + said.ptr[i];
    bough_buf_fini(&said);
    return digest * 31 + (uint64_t)(int64_t)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sync_bed b;
    if (size < 1)
        return 0;
    sync_bed_open(&b, true);
    b.opts.version = data[0] % 3;
    b.opts.transport = (enum bough_transport)(data[0] / 3 % 3);
    b.opts.limits.wants_max = 100;
    b.opts.limits.haves_max = 100;
    struct bough_view request = bough_view(data + 1, size - 1);
    BOUGH_ASSERT(answer(&b, request, (size_t)data[0] / 9 + 1) == answer(&b, request, 1 << 20));
    BOUGH_ASSERT(b.pending_max <= BOUGH_SYNC_OUT_MAX + 2 * BOUGH_PKT_MAX);
    sync_bed_close(&b);
    return 0;
}
