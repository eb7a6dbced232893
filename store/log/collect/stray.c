/*
 * stray.c - deltas of segments that stay, whose base goes.
 *
 *   list    by place
 *   look    is an entry one of them?
 *
 * Those that live are copied whole (copy.c), and so is what comes to live until the end.
 */
#include "store/log/cycle_inner.h"
#include "store/log/inner.h"
#include "store/log/read_inner.h"
#include "store/log/shape_inner.h"
#include "store/log/table_inner.h"

bool bough_log__is_stray(const struct bough_log__cycle *c, uint64_t where)
{
    size_t lo = 0, hi = c->strays;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->stray[mid].where == where)
            return true;
        if (c->stray[mid].where < where)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* Places ascend: segments are looked at in order, and so are their entries. */
static enum bough_err stray_add(struct bough_log__cycle *c, const struct bough_log__row *row)
{
    void *ptr = c->stray;
    enum bough_err err =
        bough_mem_grow(c->log->mem, &ptr, &c->stray_cap, c->strays + 1, sizeof *c->stray);

    BOUGH_ASSERT(c->strays == 0 || c->stray[c->strays - 1].where < row->where);
    c->stray = ptr;
    if (!err)
        c->stray[c->strays++] = *row;
    return err;
}

enum bough_err bough_log__base_mark(struct bough_log__cycle *c, uint64_t where)
{
    struct bough_log__entry e;
    enum bough_err err = bough_log__entry_open(c->log, where, &e);

    for (uint32_t i = 0; !err && e.head.type == BOUGH_OFS_DELTA; i++) {
        if (i == BOUGH_LOG__CHAIN_MAX)
            return bough_log__corrupt(c->log, "a chain of deltas is too long", where);
        where -= e.head.back;
        err = bough_log__entry_open(c->log, where, &e);
    }
    if (!err && e.head.type == BOUGH_REF_DELTA)
        err = bough_log__mark(c, &e.head.base, BOUGH_NONE);
    return err;
}

/* An entry of a segment that stays: does its delta, or one that it stands upon by its place, have a
   base that goes?  Also what does not live is noted: what does may stand upon it by its place, and it
   may come to live until the end. */
enum bough_err bough_log__stray_look(
    struct bough_log__cycle *c, uint32_t number, const struct bough_log__found_entry *f)
{
    struct bough_entry_head head;
    struct bough_log__row base, row = {.id = f->id, .crc = f->crc};
    bool stray = false;
    enum bough_err err = bough_log__entry_head(c->log, number, f, &head, NULL);

    row.where = bough_log__where(number, f->at);
    if (!err && head.type == BOUGH_OFS_DELTA)
        stray = bough_log__is_stray(c, row.where - head.back);
    if (!err && head.type == BOUGH_REF_DELTA) {
        err = bough_log__lives(c, &head.base, &base);
        stray = err == BOUGH_ENOENT;
        err = stray ? BOUGH_OK : err;
    }
    return err || !stray ? err : stray_add(c, &row);
}
