/*
 * fuzz_tar.c - any bytes as a tar archive.
 *
 * Beside not breaking: a header that was read can be written again unless it holds what only
 * others write, and is then read as it was; pax records that were taken apart are made again.
 */
#include <stdlib.h>

#include "tar/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *mem_resize(struct bough_mem *mem, void *ptr, size_t old, size_t size)
{
    (void)mem;
    (void)old;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static struct bough_mem mem = {mem_resize};

static void same(const struct bough_tar_header *a, const struct bough_tar_header *b)
{
    struct bough_buf pa, pb;

    bough_buf_init(&pa, &mem);
    bough_buf_init(&pb, &mem);
    bough_tar_path(a, &pa);
    bough_tar_path(b, &pb);
    BOUGH_ASSERT(bough_view_eq(bough_buf_view(&pa), bough_buf_view(&pb)));
    BOUGH_ASSERT(bough_view_eq(a->link, b->link));
    BOUGH_ASSERT(bough_view_eq(a->uname, b->uname) && bough_view_eq(a->gname, b->gname));
    BOUGH_ASSERT(a->mode == b->mode && a->size == b->size && a->mtime == b->mtime);
    BOUGH_ASSERT(a->uid == b->uid && a->gid == b->gid && a->type == b->type);
    bough_buf_fini(&pa);
    bough_buf_fini(&pb);
}

/* The right checksum: no mutation finds it. */
static void seal(uint8_t *block)
{
    uint32_t sum = 0;

    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BOUGH_TAR_BLOCK; i++)
        sum += block[i];
    for (size_t i = 6; i-- > 0; sum /= 8)
        block[148 + i] = (uint8_t)('0' + sum % 8);
    block[154] = 0;
}

/* Write it, with pax where needed, and read it back. */
static void again(const struct bough_tar_header *h)
{
    struct bough_tar_pax none = {0}, local = {0};
    struct bough_tar_header got;
    struct bough_buf out;
    size_t at = 0;

    bough_buf_init(&out, &mem);
    if (bough_tar_put(&out, h, NULL) == BOUGH_OK) {
        BOUGH_ASSERT(bough_tar_header_read(out.ptr, &got, NULL) == BOUGH_OK);
        if (out.len > BOUGH_TAR_BLOCK) {
            BOUGH_ASSERT(got.type == BOUGH_TAR_PAX);
            BOUGH_ASSERT(
                bough_tar_pax_read(&local, bough_view(out.ptr + BOUGH_TAR_BLOCK, (size_t)got.size),
                    NULL) == BOUGH_OK);
            at = out.len - BOUGH_TAR_BLOCK;
            BOUGH_ASSERT(bough_tar_header_read(out.ptr + at, &got, NULL) == BOUGH_OK);
        }
        bough_tar_pax_apply(&none, &local, &got);
        same(h, &got);
    }
    bough_buf_fini(&out);
}

static void pax(struct bough_view data)
{
    struct bough_tar_header h = {.name = bough_view_str("n"), .type = BOUGH_TAR_FILE};
    struct bough_tar_pax none = {0}, said = {0};
    struct bough_tar_record rec;
    struct bough_why why = {0};

    for (struct bough_view left = data; bough_tar_record_next(&left, &rec, &why) == BOUGH_OK;)
        BOUGH_ASSERT(rec.key.len > 0 && rec.value.ptr + rec.value.len + 1 == left.ptr);
    if (bough_tar_pax_read(&said, data, &why) == BOUGH_OK) {
        bough_tar_pax_apply(&none, &said, &h);
        again(&h);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bough_tar_pax said = {0}, none = {0};
    size_t at = 0;

    pax(bough_view(data, size));
    while (size - at >= BOUGH_TAR_BLOCK) {
        struct bough_tar_header h;
        struct bough_why why = {0};
        uint8_t block[BOUGH_TAR_BLOCK];
        enum bough_err err;

        memcpy(block, data + at, sizeof block);
        if (data[0] % 2 == 0)
            seal(block);
        err = bough_tar_header_read(block, &h, &why);

        BOUGH_ASSERT((err == BOUGH_EFORMAT) == (why.what != NULL));
        at += BOUGH_TAR_BLOCK;
        if (err)
            continue;
        if ((uint64_t)h.size <= size - at) {
            struct bough_view body = bough_view(data + at, (size_t)h.size);

            if (h.type == BOUGH_TAR_LONG_NAME || h.type == BOUGH_TAR_LONG_LINK)
                (void)!bough_tar_pax_read_long(&said, h.type, body, NULL);
            else
                (void)!bough_tar_pax_read(&said, body, NULL);
        }
        again(&h);
        bough_tar_pax_apply(&none, &said, &h);
        again(&h);
    }
    return 0;
}
