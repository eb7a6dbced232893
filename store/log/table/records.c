/*
 * records.c - records that are not retired, in memory, in the order of their numbers.
 */
#include "store/log/frame_inner.h"
#include "store/log/inner.h"
#include "store/log/refs_inner.h"

static size_t record_size(const struct bough_log__record *r)
{
    return sizeof *r + r->stream_len + r->len;
}

enum bough_err bough_log__records_reserve(
    struct bough_log__records *r, struct bough_mem *mem, size_t more)
{
    void *ptr = r->rec;
    enum bough_err err = bough_mem_grow(mem, &ptr, &r->cap, r->n + more, sizeof *r->rec);

    r->rec = ptr;
    return err;
}

enum bough_err bough_log__records_add(struct bough_log__records *r, struct bough_mem *mem,
    uint64_t seq, struct bough_view stream, struct bough_view bytes)
{
    struct bough_log__record *rec = bough_mem_alloc(mem, sizeof *rec + stream.len + bytes.len);

    if (rec == NULL)
        return BOUGH_ENOMEM;
    BOUGH_ASSERT(r->n < r->cap);
    rec->seq = seq;
    rec->stream_len = (uint32_t)stream.len;
    rec->len = (uint32_t)bytes.len;
    memcpy(rec->bytes, stream.ptr, stream.len);
    if (bytes.len > 0)
        memcpy(rec->bytes + stream.len, bytes.ptr, bytes.len);
    r->rec[r->n++] = rec;
    r->bytes += record_size(rec);
    return BOUGH_OK;
}

void bough_log__records_retire(
    struct bough_log__records *r, struct bough_mem *mem, struct bough_view stream, uint64_t seq)
{
    size_t kept = 0, i;

    for (i = 0; i < r->n && r->rec[i]->seq <= seq; i++) {
        struct bough_log__record *rec = r->rec[i];
        if (bough_view_eq(bough_view(rec->bytes, rec->stream_len), stream)) {
            r->bytes -= record_size(rec);
            bough_mem_free(mem, rec, record_size(rec));
        } else {
            r->rec[kept++] = rec;
        }
    }
    if (kept < i)
        memmove(r->rec + kept, r->rec + i, (r->n - i) * sizeof *r->rec);
    r->n -= i - kept;
}

void bough_log__records_fini(struct bough_log__records *r, struct bough_mem *mem)
{
    for (size_t i = 0; i < r->n; i++)
        bough_mem_free(mem, r->rec[i], record_size(r->rec[i]));
    bough_mem_free(mem, r->rec, r->cap * sizeof *r->rec);
    *r = (struct bough_log__records){0};
}

void bough_log__record_encode(struct bough_buf *b, uint64_t seq, struct bough_view stream,
    struct bough_view bytes, bool retire)
{
    size_t at = bough_log__item_begin(b, retire ? BOUGH_LOG__RETIRE : BOUGH_LOG__RECORD);

    bough_buf_put64le(b, seq);
    bough_buf_put_u8(b, (uint8_t)stream.len);
    bough_buf_put_u8(b, (uint8_t)(stream.len >> 8));
    bough_buf_put_view(b, stream);
    bough_buf_put_view(b, bytes);
    bough_log__item_end(b, at);
}

enum bough_err bough_log__record_decode(
    struct bough_view body, uint64_t *seq, struct bough_view *stream, struct bough_view *bytes)
{
    struct bough_log__fields f = {.left = body};

    *seq = bough_log__get(&f, 8);
    *stream = bough_log__get_view(&f, bough_log__get(&f, 2));
    *bytes = f.left;
    if (f.bad || stream->len == 0 || stream->len > BOUGH_REF_NAME_MAX ||
        bytes->len > BOUGH_RECORD_MAX)
        return BOUGH_ECORRUPT;
    return BOUGH_OK;
}
