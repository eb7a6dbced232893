/*
 * harm.c - segments in which something is damaged stay as they are.
 *
 *   note   somebody met damage in a segment: it is no victim, whatever lives in it
 *   step   nobody can tell from the segment itself what is in it, so the rows say which of its
 *          entries are deltas, and their bases stay, too
 *
 * A collection goes on beside damage: what is damaged is left to fsck and repair, all else comes back.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

void bough_log__harm_note(struct bough_log__cycle *c, uint32_t segment)
{
    struct bough_log__tally *y = bough_log__tally_find(c, segment);

    if (y == NULL || y->harmed)
        return;
    y->harmed = y->stays = true;
    y->victim = false;
    c->progress.damaged++;
    c->harm_table = 0;
    c->harm_block = 0;
    bough_env_log(c->log->store.env, BOUGH_LOG_WARN,
        "a collection leaves a damaged place alone: fsck tells more");
}

/* The base that the entry there stands upon, directly or by place, lives. */
static enum bough_err base_keep(struct bough_log__cycle *c, uint64_t where)
{
    enum bough_err err = bough_log__base_mark(c, where);

    return err == BOUGH_ECORRUPT ? BOUGH_OK : err; /* it is what is damaged */
}

enum bough_err bough_log__harm_step(struct bough_log__cycle *c)
{
    struct bough_log *l = c->log;
    const struct bough_log__table *t;
    uint32_t rows = 1;

    if (c->progress.damaged == 0 || c->harm_table == c->frozen)
        return BOUGH_ENOENT;
    t = &l->table[c->harm_table];
    if (c->harm_block == t->blocks) {
        c->harm_table++;
        c->harm_block = 0;
        return BOUGH_OK;
    }
    for (uint32_t i = 0; i < rows; i++) {
        const struct bough_log__tally *y;
        const uint8_t *block; /* what is read for a base may take its place in the cache */
        struct bough_log__row row;
        enum bough_err err =
            bough_log__table_block(l, t, BOUGH_LOG__BLOCK_OID, c->harm_block, &block, &rows);

        if (!err && i < rows) {
            bough_log__table_row(l, t, block, i, &row);
            y = bough_log__tally_find(c, bough_log__where_segment(row.where));
            if (y != NULL && y->harmed)
                err = base_keep(c, row.where);
        }
        if (err)
            return err;
    }
    c->harm_block++;
    return BOUGH_OK;
}
