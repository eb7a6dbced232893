/*
 * pack_write.c - a pack written to a buffer.
 *
 *   sum_up   whatever was appended goes to the digest and the entry's CRC
 *   entries  whole, packed already, or in pieces
 *   digest
 *
 * Invariant: w->at and w->sum cover every byte appended by a finished call,
 * so the caller may drain the buffer between calls.
 */
#include "git/pack.h"

/* Account for what was appended since out->len was `from`. */
static void sum_up(struct bough_pack_writer *w, size_t from)
{
    size_t n = w->out->len - from;

    if (w->out->err || n == 0)
        return;
    bough_hash_update(&w->sum, w->out->ptr + from, n);
    w->entry_crc = bough_crc32(w->entry_crc, w->out->ptr + from, n);
    w->at += n;
}

void bough_pack_writer_init(
    struct bough_pack_writer *w, struct bough_buf *out, enum bough_algo algo, uint64_t count)
{
    size_t from = out->len;

    BOUGH_ASSERT(count <= UINT32_MAX);
    *w = (struct bough_pack_writer){.out = out, .algo = algo, .left = count};
    bough_hash_init(&w->sum, algo);
    bough_buf_put_str(out, "PACK");
    bough_buf_put32be(out, 2);
    bough_buf_put32be(out, (uint32_t)count);
    sum_up(w, from);
}

void bough_pack_writer_begin(struct bough_pack_writer *w, const struct bough_entry_head *head)
{
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    size_t from = w->out->len;

    BOUGH_ASSERT(!w->open && w->left > 0);
    w->open = true;
    w->left--;
    w->entry_at = w->at;
    w->entry_crc = 0;
    bough_buf_put(w->out, raw, bough_entry_head_write(w->algo, head, raw));
    sum_up(w, from);
}

void bough_pack_writer_packed(struct bough_pack_writer *w, struct bough_view packed)
{
    size_t from = w->out->len;

    BOUGH_ASSERT(w->open);
    bough_buf_put_view(w->out, packed);
    sum_up(w, from);
}

void bough_pack_writer_put_raw(struct bough_pack_writer *w, struct bough_view entry)
{
    size_t from = w->out->len;

    BOUGH_ASSERT(!w->open && w->left > 0);
    w->left--;
    w->entry_at = w->at;
    w->entry_crc = 0;
    bough_buf_put_view(w->out, entry);
    sum_up(w, from);
}

/* Through the deflater; an error of its own sticks in out. */
static void data_run(struct bough_pack_writer *w, struct bough_view data, bool end)
{
    size_t from = w->out->len;
    enum bough_err err = bough_deflater_run(&w->zip, data, end, w->out);

    if (err && !w->out->err)
        w->out->err = err;
    sum_up(w, from);
}

void bough_pack_writer_data(struct bough_pack_writer *w, struct bough_view data, int level)
{
    BOUGH_ASSERT(w->open);
    if (w->out->err)
        return;
    if (w->zip.z == NULL)
        w->out->err = bough_deflater_init(&w->zip, w->out->mem, level);
    if (!w->out->err)
        data_run(w, data, false);
}

void bough_pack_writer_end(struct bough_pack_writer *w)
{
    BOUGH_ASSERT(w->open);
    if (w->zip.z != NULL && !w->out->err)
        data_run(w, bough_view(NULL, 0), true);
    bough_pack_writer_drop(w);
}

void bough_pack_writer_put(struct bough_pack_writer *w, const struct bough_entry_head *head,
    struct bough_view body, int level)
{
    struct bough_entry_head h = *head;
    size_t from;

    h.size = body.len;
    bough_pack_writer_begin(w, &h);
    from = w->out->len;
    bough_deflate(w->out, body, level);
    sum_up(w, from);
    bough_pack_writer_end(w);
}

void bough_pack_writer_put_packed(
    struct bough_pack_writer *w, const struct bough_entry_head *head, struct bough_view packed)
{
    bough_pack_writer_begin(w, head);
    bough_pack_writer_packed(w, packed);
    bough_pack_writer_end(w);
}

void bough_pack_writer_finish(struct bough_pack_writer *w)
{
    uint8_t digest[BOUGH_DIGEST_MAX];

    BOUGH_ASSERT(!w->open && w->left == 0);
    bough_hash_final(&w->sum, digest);
    bough_buf_put(w->out, digest, bough_algo_len(w->algo));
    if (!w->out->err)
        w->at += bough_algo_len(w->algo);
}

void bough_pack_writer_drop(struct bough_pack_writer *w)
{
    if (w->zip.z != NULL)
        bough_deflater_fini(&w->zip);
    w->open = false;
}
