/*
 * stage_posix.c - a transaction's objects, until it commits.
 *
 *   rows      by id
 *   file      entries, behind a header that is written last
 *   stage     init, put, find, read, seal, fini
 */
#include <unistd.h>

#include "store/hosted_inner.h"

enum {
    COUNT_MAX = 100,         /* objects; git unpacks pushes up to this many, too */
    BYTES_MAX = 8 << 20,     /* bytes of bodies held */
    OUT_MAX = 256 * 1024,    /* bytes gathered before they are written */
    PACK_HEAD = 12,          /* "PACK", version, count */
    LEVEL = 1,               /* of deflate */
    COUNT_LIMIT = INT32_MAX, /* objects of a transaction */
};

/* ---- Rows ---- */

static size_t slot_of(const struct bough_store__stage *st, const struct bough_oid *id)
{
    size_t i = (size_t)bough_get64le(id->bytes) & (st->slots_n - 1);

    while (st->slots[i] != 0 && !bough_oid_eq(&st->rows[st->slots[i] - 1].id, id))
        i = (i + 1) & (st->slots_n - 1);
    return i;
}

static enum bough_err slots_grow(struct bough_store__stage *st)
{
    size_t was = st->slots_n, n = was == 0 ? 64 : 2 * was;
    uint32_t *slots;

    if (2 * (st->n + 1) <= was)
        return BOUGH_OK;
    slots = bough_mem_zalloc(st->mem, n, sizeof *slots);
    if (slots == NULL)
        return BOUGH_ENOMEM;
    bough_mem_free(st->mem, st->slots, was * sizeof *slots);
    st->slots = slots;
    st->slots_n = n;
    for (size_t i = 0; i < st->n; i++)
        st->slots[slot_of(st, &st->rows[i].id)] = (uint32_t)i + 1;
    return BOUGH_OK;
}

const struct bough_store__staged *bough_store__stage_find(
    const struct bough_store__stage *st, const struct bough_oid *id)
{
    uint32_t row = st->n == 0 ? 0 : st->slots[slot_of(st, id)];

    return row == 0 ? NULL : &st->rows[row - 1];
}

/* ---- File ---- */

static enum bough_err out_flush(struct bough_store__stage *st)
{
    enum bough_err err = st->out.err;

    if (!err)
        err = bough_store__pwrite(st->fd, st->len - st->out.len, st->out.ptr, st->out.len);
    if (!err)
        bough_buf_clear(&st->out);
    return err;
}

/* The row's object goes into the file. */
static enum bough_err entry_write(
    struct bough_store__stage *st, struct bough_store__staged *row, struct bough_view body)
{
    struct bough_entry_head head = {.type = row->type, .size = row->size};
    uint8_t raw[BOUGH_ENTRY_HEAD_MAX];
    size_t from = st->out.len;

    bough_buf_put(&st->out, raw, bough_entry_head_write(st->algo, &head, raw));
    bough_deflate(&st->out, body, LEVEL);
    if (st->out.err)
        return st->out.err;
    row->at = st->len;
    row->packed_len = st->out.len - from;
    row->crc = bough_crc32(0, st->out.ptr + from, st->out.len - from);
    st->len += row->packed_len;
    return st->out.len < OUT_MAX ? BOUGH_OK : out_flush(st);
}

static void row_free(struct bough_store__stage *st, struct bough_store__staged *row)
{
    if (row->ptr != NULL) {
        bough_mem_free(st->mem, row->ptr, (size_t)row->size);
        st->bytes -= (size_t)row->size;
        row->ptr = NULL;
    }
}

/* Everything that is held goes into a file. */
static enum bough_err spill(struct bough_store__stage *st)
{
    enum bough_err err = BOUGH_OK;

    st->fd = bough_store__temp_open(st->dir, st->path);
    if (st->fd < 0)
        return bough_store__sys(st->why, "a temporary file could not be made", st->dir);
    st->len = PACK_HEAD;
    bough_buf_clear(&st->out);
    bough_buf_put_fill(&st->out, 0, PACK_HEAD);
    for (size_t i = 0; i < st->n && !err; i++) {
        struct bough_store__staged *row = &st->rows[i];
        err = entry_write(st, row, bough_view(row->ptr, (size_t)row->size));
        if (!err)
            row_free(st, row);
    }
    return err;
}

/* ---- Stage ---- */

void bough_store__stage_init(struct bough_store__stage *st, struct bough_mem *mem,
    enum bough_algo algo, const char *dir, struct bough_why *why)
{
    memset(st, 0, sizeof *st);
    st->mem = mem;
    st->algo = algo;
    st->dir = dir;
    st->why = why;
    st->count_max = COUNT_MAX;
    st->bytes_max = BYTES_MAX;
    st->fd = -1;
    bough_buf_init(&st->out, mem);
}

void bough_store__stage_fini(struct bough_store__stage *st)
{
    for (size_t i = 0; i < st->n; i++)
        row_free(st, &st->rows[i]);
    bough_mem_free(st->mem, st->rows, st->cap * sizeof *st->rows);
    bough_mem_free(st->mem, st->slots, st->slots_n * sizeof *st->slots);
    bough_buf_fini(&st->out);
    if (st->fd >= 0)
        close(st->fd);
    if (st->path[0] != 0)
        unlink(st->path);
    st->n = st->cap = st->slots_n = 0;
    st->rows = NULL;
    st->slots = NULL;
    st->fd = -1;
    st->path[0] = 0;
}

enum bough_err bough_store__stage_put(struct bough_store__stage *st, enum bough_type type,
    const struct bough_oid *id, struct bough_view body)
{
    struct bough_store__staged row = {.id = *id, .type = type, .size = body.len};
    void *grown = st->rows;
    enum bough_err err;

    if (bough_store__stage_find(st, id) != NULL)
        return BOUGH_OK;
    if (st->n == COUNT_LIMIT)
        return BOUGH_WHY(st->why, BOUGH_ETOOBIG, "objects of a transaction", NULL, 0);
    err = slots_grow(st);
    if (!err)
        err = bough_mem_grow(st->mem, &grown, &st->cap, st->n + 1, sizeof *st->rows);
    st->rows = grown;
    if (!err && st->fd < 0 && (st->n == st->count_max || st->bytes + body.len > st->bytes_max))
        err = spill(st);
    if (err)
        return err;
    if (st->fd >= 0) {
        err = entry_write(st, &row, body);
    } else if (body.len > 0) {
        row.ptr = bough_mem_alloc(st->mem, body.len);
        if (row.ptr == NULL)
            return BOUGH_ENOMEM;
        memcpy(row.ptr, body.ptr, body.len);
        st->bytes += body.len;
    }
    if (err)
        return err;
    st->rows[st->n] = row;
    st->slots[slot_of(st, id)] = (uint32_t)++st->n;
    return BOUGH_OK;
}

enum bough_err bough_store__stage_read(
    struct bough_store__stage *st, const struct bough_store__staged *row, struct bough_buf *out)
{
    struct bough_store__packfile file = {
        .mem = st->mem, .fd = st->fd, .algo = st->algo, .end = st->len, .object_max = UINT64_MAX};
    enum bough_type type;
    enum bough_err err;

    if (st->fd < 0) {
        bough_buf_put(out, row->ptr, (size_t)row->size);
        return out->err;
    }
    err = out_flush(st);
    return err ? err : bough_store__packfile_read(&file, row->at, &type, out);
}

enum bough_err bough_store__stage_seal(struct bough_store__stage *st, uint8_t sum[BOUGH_DIGEST_MAX])
{
    uint8_t head[PACK_HEAD] = "PACK";
    enum bough_err err = out_flush(st);

    bough_put32be(head + 4, 2);
    bough_put32be(head + 8, (uint32_t)st->n);
    if (!err)
        err = bough_store__pwrite(st->fd, 0, head, sizeof head);
    if (!err)
        err = bough_store__file_digest(st->fd, st->algo, st->len, sum);
    if (!err)
        err = bough_store__pwrite(st->fd, st->len, sum, bough_algo_len(st->algo));
    return err;
}
