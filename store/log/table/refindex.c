/*
 * refindex.c - which block of a ref table a name is in; docs/format.md 7.
 *
 *   keys    of the blocks: what parts each from the one before
 *   write   behind the table's blocks, level by level; the last block is where one begins
 *   find    from there down
 *
 * Keys are gathered while the table is written, a few bytes a block.  Where they are too many, or there is no
 * memory for them, the table goes without, and is searched by halves; so it is where a block of the index is
 * damaged.
 */
#include "store/log/inner.h"
#include "store/log/refs_inner.h"
#include "store/log/run_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

enum { ROW = 8, KEYS_MAX = 4 * 1024 * 1024 }; /* bytes: u32 block, u32 length, the key */

/* ---- Keys ---- */

static void key_put(struct bough_buf *keys, uint32_t block, struct bough_view key)
{
    bough_buf_put32le(keys, block);
    bough_buf_put32le(keys, (uint32_t)key.len);
    bough_buf_put_view(keys, key);
}

void bough_log__ref_key_add(
    struct bough_log__ref_writer *w, struct bough_view before, struct bough_view name)
{
    size_t n = 0;

    while (n < before.len && n < name.len && before.ptr[n] == name.ptr[n])
        n++;
    if (w->table->blocks > 0)
        name.len = n < name.len ? n + 1 : n;
    else
        name.len = 0;
    if (w->keys.len < KEYS_MAX)
        key_put(&w->keys, w->table->blocks, name);
}

/* ---- Write ---- */

/* One level, of `rows`; `up` gets the keys of its blocks. */
static enum bough_err level_write(
    struct bough_log__ref_writer *w, struct bough_view rows, struct bough_buf *up)
{
    enum bough_err err = BOUGH_OK;

    while (rows.len > 0 && !err) {
        uint32_t fill = BOUGH_LOG__BLOCK_HEAD, n = 0, no = w->table->blocks + w->table->home;

        memset(w->block, 0, sizeof w->block);
        key_put(up, no, bough_view(rows.ptr + ROW, bough_get32le(rows.ptr + 4)));
        while (rows.len > 0) {
            size_t len = ROW + (size_t)bough_get32le(rows.ptr + 4);

            if (fill + len > sizeof w->block)
                break;
            memcpy(w->block + fill, rows.ptr, len);
            fill += (uint32_t)len;
            n++;
            rows = bough_view(rows.ptr + len, rows.len - len);
        }
        bough_log__block_seal(w->block, w->table->number, no, n, BOUGH_LOG__BLOCK_REFINDEX);
        err = bough_log__out_put(w->out, w->block, sizeof w->block);
        w->table->home++;
    }
    return err ? err : up->err;
}

enum bough_err bough_log__ref_index_write(struct bough_log__ref_writer *w)
{
    struct bough_mem *mem = w->out->log->mem;
    uint32_t begun;
    enum bough_err err = BOUGH_OK;

    if (w->table->blocks < 2 || w->keys.err || w->keys.len >= KEYS_MAX)
        return BOUGH_OK; /* it goes without */
    do {
        struct bough_buf rows = w->keys;

        bough_buf_init(&w->keys, mem);
        begun = w->table->home;
        err = level_write(w, bough_buf_view(&rows), &w->keys);
        bough_buf_fini(&rows);
    } while (!err && w->table->home > begun + 1);
    return err;
}

/* ---- Find ---- */

/* The block that the last key not above `name` leads to. */
static enum bough_err down(struct bough_log *l, const struct bough_log__table *t, uint32_t no,
    struct bough_view name, uint32_t *out)
{
    const uint8_t *block;
    uint32_t rows, at = BOUGH_LOG__BLOCK_HEAD;
    enum bough_err err = bough_log__table_block(l, t, BOUGH_LOG__BLOCK_REFINDEX, no, &block, &rows);

    *out = no;
    for (uint32_t i = 0; !err && i < rows; i++) {
        uint32_t len;

        if (at + ROW > BOUGH_LOG__BLOCK)
            return BOUGH_ECORRUPT;
        len = bough_get32le(block + at + 4);
        if (len > BOUGH_LOG__BLOCK - ROW - at)
            return BOUGH_ECORRUPT;
        if (i > 0 && bough_view_cmp(bough_view(block + at + ROW, len), name) > 0)
            break;
        *out = bough_get32le(block + at);
        at += ROW + len;
    }
    return err ? err : *out < no ? BOUGH_OK : BOUGH_ECORRUPT;
}

enum bough_err bough_log__ref_index_find(
    struct bough_log *l, const struct bough_log__table *t, struct bough_view name, uint32_t *no)
{
    enum bough_err err = BOUGH_OK;

    *no = t->blocks + t->home - 1;
    while (!err && *no >= t->blocks)
        err = down(l, t, *no, name, no);
    return err;
}
