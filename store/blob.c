/*
 * blob.c - a blob written in pieces.
 *
 *   the pack     header, one entry of stored blocks, checksums: made as the bytes come
 *   the writer   begin, put, join a transaction, close
 *
 * The pieces go on into an intake at once, so a blob of any size passes through in bounded
 * memory, and its entry can later be read anywhere without inflating.  An engine without
 * intake gets the blob whole.  Where the size is not known before, all is put aside first, since
 * both the id and the entry begin with it.
 */
#include "base/zip.h"
#include "git/entry.h"
#include "store/engine.h"
#include "store/inner.h"

enum {
    PACK_HEAD = 12,    /* "PACK", version 2, one object */
    BLOCK_MAX = 65535, /* bytes of a stored block */
    BLOCK_HEAD = 5,    /* last or not, length, its complement */
    STEP = 1 << 20,    /* inflated bytes that an intake step may look at */
};

struct bough_blob_writer {
    struct bough_store *store;
    uint64_t size, put;        /* announced, and taken so far */
    enum bough_err err;        /* what went wrong: only close is left */
    struct bough_hash id;      /* of the blob */
    struct bough_intake *in;   /* where the pack goes, or */
    struct bough_buf whole;    /* where the bytes are collected, or */
    struct bough_spool *spool; /* put aside, while their number is not known */
    bool unknown;
    struct bough_hash trailer; /* of the pack */
    uint32_t adler;            /* of the blob */
};

/* ---- The pack ---- */

static enum bough_err pack_put(struct bough_blob_writer *w, const void *src, size_t n)
{
    size_t used;
    enum bough_err err;

    bough_hash_update(&w->trailer, src, n);
    err = bough_intake_feed(w->in, bough_view(src, n), &used);
    BOUGH_ASSERT(err || used == n);
    return err;
}

static enum bough_err pack_block_head(struct bough_blob_writer *w)
{
    uint64_t left = w->size - w->put;
    uint16_t n = (uint16_t)(left < BLOCK_MAX ? left : BLOCK_MAX);
    uint8_t head[BLOCK_HEAD];

    head[0] = left == n;
    bough_put16le(head + 1, n);
    bough_put16le(head + 3, (uint16_t)~n);
    return pack_put(w, head, sizeof head);
}

static enum bough_err pack_begin(struct bough_blob_writer *w)
{
    struct bough_entry_head entry = {.type = BOUGH_BLOB, .size = w->size};
    uint8_t head[PACK_HEAD + BOUGH_ENTRY_HEAD_MAX + 2] = "PACK";
    uint32_t len = PACK_HEAD;
    enum bough_err err;

    bough_put32be(head + 4, 2);
    bough_put32be(head + 8, 1);
    len += bough_entry_head_write(w->store->algo, &entry, head + len);
    head[len++] = 0x78; /* a zlib stream, made the fast way */
    head[len++] = 0x01;
    err = pack_put(w, head, len);
    if (!err && w->size == 0)
        err = pack_block_head(w);
    return err;
}

static enum bough_err pack_bytes(struct bough_blob_writer *w, struct bough_view bytes)
{
    enum bough_err err = BOUGH_OK;

    w->adler = bough_adler32(w->adler, bytes.ptr, bytes.len);
    while (bytes.len > 0 && !err) {
        size_t n = (size_t)(BLOCK_MAX - w->put % BLOCK_MAX);
        if (n == BLOCK_MAX)
            err = pack_block_head(w);
        if (n > bytes.len)
            n = bytes.len;
        if (!err)
            err = pack_put(w, bytes.ptr, n);
        bytes = bough_view(bytes.ptr + n, bytes.len - n);
        w->put += n;
    }
    return err;
}

static enum bough_err pack_end(struct bough_blob_writer *w)
{
    uint8_t sum[4], trailer[BOUGH_DIGEST_MAX];
    size_t used;
    enum bough_err err;

    bough_put32be(sum, w->adler);
    err = pack_put(w, sum, sizeof sum);
    if (err)
        return err;
    bough_hash_final(&w->trailer, trailer);
    err = bough_intake_feed(w->in, bough_view(trailer, bough_algo_len(w->store->algo)), &used);
    if (err)
        return err;
    BOUGH_ASSERT(w->in->received);
    do {
        err = bough_intake_step(w->in, STEP);
    } while (err == BOUGH_EAGAIN);
    return err;
}

/* ---- The writer ---- */

static enum bough_err writer_begin(struct bough_blob_writer *w)
{
    struct bough_store *s = w->store;
    enum bough_err err;

    bough_buf_init(&w->whole, s->env->mem);
    if (w->unknown)
        return s->cls->spool != NULL ? s->cls->spool(s, &w->spool) : BOUGH_OK;
    if (s->caps & BOUGH_STORE_INTAKE) /* which is on guard itself */
        bough_oid_begin(&w->id, s->algo, BOUGH_BLOB, w->size);
    else
        bough_oid_begin_guarded(&w->id, s->algo, BOUGH_BLOB, w->size);
    bough_hash_init(&w->trailer, s->algo);
    w->adler = 1;
    if (!(s->caps & BOUGH_STORE_INTAKE)) {
        if (w->size > s->object_max)
            return BOUGH_WHY(&s->why, BOUGH_ETOOBIG, "object_max", NULL, 0);
        return BOUGH_OK;
    }
    err = bough_store_intake(s, NULL, &w->in);
    return err ? err : pack_begin(w);
}

enum bough_err bough_blob_begin(
    struct bough_store *s, uint64_t size, struct bough_blob_writer **out)
{
    struct bough_blob_writer *w;
    enum bough_err err = bough_store__may_write(s);

    *out = NULL;
    if (err)
        return err;
    w = bough_mem_zalloc(s->env->mem, 1, sizeof *w);
    if (w == NULL)
        return BOUGH_ENOMEM;
    w->store = s;
    w->unknown = size == BOUGH_BLOB_UNKNOWN;
    w->size = w->unknown ? UINT64_MAX : size;
    err = writer_begin(w);
    if (err) {
        bough_blob_close(w);
        return err;
    }
    *out = w;
    return BOUGH_OK;
}

/* ---- A size that is not known ---- */

static enum bough_err aside_put(struct bough_blob_writer *w, struct bough_view bytes)
{
    struct bough_store *s = w->store;

    w->put += bytes.len;
    if (w->spool != NULL)
        return bough_store__wrote(s, w->spool->cls->put(w->spool, bytes));
    if (w->put > s->object_max)
        return BOUGH_WHY(&s->why, BOUGH_ETOOBIG, "object_max", NULL, 0);
    bough_buf_put_view(&w->whole, bytes);
    return w->whole.err;
}

/* All came: give it to a writer that knows how much it is, and join that. */
static enum bough_err aside_join(
    struct bough_txn *t, struct bough_blob_writer *w, struct bough_oid *id)
{
    enum { PIECE = 64 * 1024 };
    struct bough_blob_writer *known;
    uint8_t *piece = bough_mem_alloc(w->store->env->mem, PIECE);
    enum bough_err err = piece == NULL ? BOUGH_ENOMEM : BOUGH_OK;

    if (!err)
        err = bough_blob_begin(w->store, w->put, &known);
    if (err) {
        bough_mem_free(w->store->env->mem, piece, PIECE);
        return err;
    }
    if (w->spool == NULL)
        err = bough_blob_put(known, bough_buf_view(&w->whole));
    for (uint64_t at = 0; w->spool != NULL && at < w->put && !err; at += PIECE) {
        size_t n = w->put - at < PIECE ? (size_t)(w->put - at) : PIECE;
        err = w->spool->cls->read(w->spool, at, piece, n);
        if (!err)
            err = bough_blob_put(known, bough_view(piece, n));
    }
    bough_mem_free(w->store->env->mem, piece, PIECE);
    if (!err)
        return bough_txn_blob(t, known, id);
    bough_blob_close(known);
    return err;
}

/* ---- Put, join, close ---- */

enum bough_err bough_blob_put(struct bough_blob_writer *w, struct bough_view bytes)
{
    if (w->err)
        return w->err;
    if (bytes.len > w->size - w->put)
        return BOUGH_WHY(
            &w->store->why, BOUGH_ERANGE, "more bytes than the blob was to have", NULL, 0);
    if (w->unknown)
        return w->err = aside_put(w, bytes);
    bough_hash_update(&w->id, bytes.ptr, bytes.len);
    if (w->in != NULL) {
        w->err = pack_bytes(w, bytes);
    } else {
        bough_buf_put_view(&w->whole, bytes);
        w->err = w->whole.err;
        w->put += bytes.len;
    }
    return w->err;
}

static enum bough_err writer_join(
    struct bough_txn *t, struct bough_blob_writer *w, struct bough_oid *id)
{
    struct bough_intake *in = w->in;
    enum bough_err err;

    if (w->err)
        return w->err;
    if (w->unknown)
        return aside_join(t, w, id);
    if (w->put != w->size)
        return BOUGH_WHY(
            &w->store->why, BOUGH_EINVAL, "fewer bytes than the blob was to have", NULL, 0);
    err = bough_oid_end_guarded(&w->id, id, &w->store->why);
    if (err)
        return err;
    if (in == NULL)
        return t->cls->put(t, BOUGH_BLOB, id, bough_buf_view(&w->whole));
    err = pack_end(w);
    if (err)
        return err;
    w->in = NULL; /* taken */
    return bough_txn_adopt(t, in);
}

enum bough_err bough_txn_blob(
    struct bough_txn *t, struct bough_blob_writer *w, struct bough_oid *id)
{
    struct bough_store *s = t->store;
    enum bough_err err = bough_store__may_write(s);

    BOUGH_ASSERT(s->txn == t && w->store == s);
    if (!err)
        err = bough_store__wrote(s, writer_join(t, w, id));
    bough_blob_close(w);
    return err;
}

void bough_blob_close(struct bough_blob_writer *w)
{
    if (w == NULL)
        return;
    bough_intake_close(w->in);
    if (w->spool != NULL)
        w->spool->cls->close(w->spool);
    bough_buf_fini(&w->whole);
    bough_mem_free(w->store->env->mem, w, sizeof *w);
}
