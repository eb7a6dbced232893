/* area.c - see area.h. */
#include <stdlib.h>

#include "tests/lib/area.h"

static bool refuse(struct test_area *a)
{
    return a->calls++ == a->fail_at;
}

/* Room for `want` elements of `size` bytes. */
static void *grown(void *ptr, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return ptr;
    *cap = want * 2;
    ptr = realloc(ptr, *cap * size);
    BOUGH_ASSERT(ptr != NULL);
    return ptr;
}

static enum bough_err area_append(struct bough_store__intake_host *host, struct bough_view bytes)
{
    struct test_area *a = (struct test_area *)host;

    if (refuse(a))
        return BOUGH_EIO;
    if (!a->discard) {
        a->raw = grown(a->raw, &a->raw_cap, a->raw_len + bytes.len, 1);
        memcpy(a->raw + a->raw_len, bytes.ptr, bytes.len);
    }
    a->raw_len += bytes.len;
    return BOUGH_OK;
}

static enum bough_err area_read(
    struct bough_store__intake_host *host, uint64_t at, uint8_t *dst, size_t n)
{
    struct test_area *a = (struct test_area *)host;

    if (refuse(a))
        return BOUGH_EIO;
    BOUGH_ASSERT(!a->discard && at <= a->raw_len && n <= a->raw_len - at);
    memcpy(dst, a->raw + at, n);
    return BOUGH_OK;
}

static const uint8_t *area_map(struct bough_store__intake_host *host, uint64_t at, size_t n)
{
    struct test_area *a = (struct test_area *)host;

    BOUGH_ASSERT(at <= a->raw_len && n <= a->raw_len - at);
    return a->lend ? a->raw + at : NULL;
}

static size_t has_find(const struct test_area *a, const struct bough_oid *id)
{
    size_t i = 0;

    while (i < a->has_count && !bough_oid_eq(&a->has[i].id, id))
        i++;
    return i;
}

static enum bough_err area_known(struct bough_store__intake_host *host, const struct bough_oid *id)
{
    const struct test_area *a = (const struct test_area *)host;

    return has_find(a, id) < a->has_count ? BOUGH_OK : BOUGH_ENOENT;
}

static enum bough_err area_compare(struct bough_store__intake_host *host,
    const struct bough_oid *id, const struct bough_found *found, uint64_t at,
    struct bough_view piece)
{
    struct test_area *a = (struct test_area *)host;
    size_t i = has_find(a, id);
    struct bough_view body;

    BOUGH_ASSERT(i < a->has_count);
    body = a->has[i].body;
    a->compared += piece.len;
    if (a->has[i].type != found->type || body.len != found->size || at + piece.len > body.len)
        return BOUGH_EFORMAT;
    return piece.len == 0 || memcmp(body.ptr + at, piece.ptr, piece.len) == 0 ? BOUGH_OK
                                                                              : BOUGH_EFORMAT;
}

static enum bough_err area_base(struct bough_store__intake_host *host, const struct bough_oid *id,
    enum bough_type *type, struct bough_buf *out)
{
    const struct test_area *a = (const struct test_area *)host;
    size_t i = has_find(a, id);

    if (i == a->has_count)
        return BOUGH_ENOENT;
    *type = a->has[i].type;
    bough_buf_put_view(out, a->has[i].body);
    return out->err;
}

static enum bough_err area_row(
    struct bough_store__intake_host *host, const struct bough_store__intake_row *row)
{
    struct test_area *a = (struct test_area *)host;

    a->rows = grown(a->rows, &a->row_cap, a->row_count + 1, sizeof *a->rows);
    a->rows[a->row_count++] = *row;
    return BOUGH_OK;
}

static const struct bough_store__intake_host_class area_class = {
    .append = area_append,
    .read = area_read,
    .map = area_map,
    .known = area_known,
    .compare = area_compare,
    .base = area_base,
    .row = area_row,
};

void test_area_init(struct test_area *a)
{
    *a = (struct test_area){.host = {&area_class}, .fail_at = UINT64_MAX};
}

void test_area_fini(struct test_area *a)
{
    free(a->raw);
    free(a->rows);
    free(a->has);
}

void test_area_has(
    struct test_area *a, const struct bough_oid *id, enum bough_type type, struct bough_view body)
{
    a->has = grown(a->has, &a->has_cap, a->has_count + 1, sizeof *a->has);
    a->has[a->has_count++] = (struct test_area_object){*id, type, body};
}
