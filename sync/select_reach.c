/*
 * select_reach.c - what to send, where the store has bitmaps of what commits reach.
 *
 *   begin     for clones at once, for fetches when the walk gets long
 *   painting  a commit with a bitmap needs no walk; nor does one that is in a set
 *   restart   from the wants and haves, with bitmaps or without
 *   adding    bitmaps into the sets, a piece at a time
 *
 * The sets hold what the bitmaps say; the walk of select.c finds the rest and stops at them.  A
 * bitmap that proves damaged, or is given up, costs a restart without any.
 */
#include "sync/inner.h"
#include "sync/select_inner.h"

static bool may_begin(const struct bough_sync__select *sel)
{
    return !sel->cut && sel->since == 0 && !sel->commits_only && !sel->reach_failed;
}

enum bough_err bough_sync__map_begin(struct bough_sync__select *sel, bool any_have)
{
    enum bough_err err = BOUGH_ENOTSUP;

    if (may_begin(sel) && !any_have)
        err = bough_store_reach(sel->store, &sel->reach);
    return err == BOUGH_ENOMEM ? err : BOUGH_OK; /* else one walks */
}

static uint64_t flag_of(enum bough_reach_side side)
{
    return side == BOUGH_REACH_HAVE ? BOUGH_SYNC__MAP_HAVE : BOUGH_SYNC__MAP_WANT;
}

enum bough_err bough_sync__map_paint(
    struct bough_sync__select *sel, uint32_t row, uint64_t flag, bool *over)
{
    enum bough_reach_side side = flag == HAVE ? BOUGH_REACH_HAVE : BOUGH_REACH_WANT;
    struct bough_oid id = bough_sync__ids_at(&sel->ids, row);
    uint32_t sides = 0;
    enum bough_err err = BOUGH_OK;

    *over = (bough_sync__flags(&sel->ids, row) & flag_of(side)) != 0;
    if (*over)
        return BOUGH_OK;
    if (bough_reach_covers(sel->reach, &id)) {
        *over = true;
        err = bough_sync__list_add(&sel->adds, row << 1 | (uint32_t)side);
    } else {
        err = bough_reach_sides(sel->reach, &id, &sides);
        *over = (sides & 1u << side) != 0;
    }
    if (!err && *over)
        bough_sync__flag(&sel->ids, row, flag | flag_of(side) | COVERED);
    return err;
}

enum bough_err bough_sync__map_has(
    struct bough_sync__select *sel, const struct bough_oid *id, uint32_t *sides)
{
    *sides = 0;
    return sel->reach != NULL ? bough_reach_sides(sel->reach, id, sides) : BOUGH_OK;
}

enum bough_err bough_sync__map_had(
    struct bough_sync__select *sel, const struct bough_oid *id, enum bough_type type, bool *enter)
{
    uint32_t row;
    bool fresh = false;
    enum bough_err err = bough_reach_put(sel->reach, BOUGH_REACH_HAVE, id, &fresh);

    if (err == BOUGH_ENOENT) { /* it is young */
        err = bough_sync__ids_add(&sel->ids, id, &row);
        if (err)
            return err;
        fresh = type == BOUGH_COMMIT || (bough_sync__flags(&sel->ids, row) & HAVE) == 0;
        bough_sync__flag(&sel->ids, row, HAVE);
    }
    *enter = type == BOUGH_TREE && fresh;
    return err;
}

/* ---- Restart ---- */

/* Begin anew, of what was asked for. */
static enum bough_err select_restart(struct bough_sync__select *sel)
{
    struct bough_sync__select was = *sel;
    enum bough_err err = BOUGH_OK;

    bough_sync__select_init(sel, was.session);
    sel->include_tags = was.include_tags;
    sel->reach_failed = was.reach_failed;
    sel->mapping = was.mapping;
    for (size_t i = 0; i < was.asked.n && !err; i++) {
        struct bough_oid id = bough_sync__ids_at(&was.ids, was.asked.items[i] >> 1);
        err = (was.asked.items[i] & 1) != 0 ? bough_sync__select_have(sel, &id)
                                            : bough_sync__select_want(sel, &id);
    }
    bough_sync__select_fini(&was);
    return err;
}

enum bough_err bough_sync__map_restart(struct bough_sync__select *sel)
{
    sel->mapping = true;
    return may_begin(sel) ? select_restart(sel) : BOUGH_OK;
}

enum bough_err bough_sync__map_fail(struct bough_sync__select *sel)
{
    sel->reach_failed = true;
    return select_restart(sel);
}

/* ---- Adding ---- */

enum bough_err bough_sync__map_add(struct bough_sync__select *sel)
{
    uint32_t item = sel->adds.items[sel->adds_at];
    struct bough_oid id = bough_sync__ids_at(&sel->ids, item >> 1);
    enum bough_err err =
        bough_reach_add(sel->reach, (item & 1) != 0 ? BOUGH_REACH_HAVE : BOUGH_REACH_WANT, &id);

    if (err == BOUGH_ECORRUPT)
        return bough_sync__map_fail(sel);
    sel->adds_at += err != BOUGH_EAGAIN;
    return err == BOUGH_EAGAIN ? BOUGH_OK : err;
}

enum bough_err bough_sync__map_over(struct bough_sync__select *sel)
{
    uint32_t row;
    enum bough_err err = BOUGH_OK;

    if (sel->reach == NULL)
        return BOUGH_OK;
    sel->reached = bough_reach_count(sel->reach);
    if (!sel->reach->empty_tree || sel->reached == 0)
        return BOUGH_OK;
    err = bough_sync__ids_add(&sel->ids, bough_oid_empty_tree(sel->store->algo), &row);
    if (err || (bough_sync__flags(&sel->ids, row) & (BOUGH_SYNC__SEND | HAVE)) != 0)
        return err;
    bough_sync__flag(&sel->ids, row, BOUGH_SYNC__SEND);
    return bough_sync__list_add(&sel->order, row);
}
