/*
 * checkpoint_inner.h - what a checkpoint writes, and what opening finds.
 *
 *   roots         root.c; their first bytes, and without superblocks: root_head.c, scan.c
 *   checkpoints   checkpoint.c
 *   merging       of tables, in steps: tiers.c, reftiers.c
 *   replay        of the log behind the newest checkpoint: replay.c
 */
#ifndef BOUGH_LOG_CHECKPOINT_INNER_H
#define BOUGH_LOG_CHECKPOINT_INNER_H

#include "base/buf.h"
#include "store/log/shape_inner.h"

struct bough_log;
struct bough_log__super;
struct bough_log__table;

/* ---- Roots and checkpoints ---- */

/* Append all items of a root for the lists given. */
struct bough_log__lists {
    const struct bough_log__table *table;
    size_t tables;
    const struct bough_log__table *reftable;
    size_t reftables;
    const struct bough_log__table *hold; /* may be NULL */
};
void bough_log__root_encode(struct bough_log *l, const struct bough_log__lists *lists,
    uint64_t checkpoint, struct bough_buf *b);

/* Read the root that `s` names into the (fresh) store. */
enum bough_err bough_log__root_load(struct bough_log *l, const struct bough_log__super *s);

enum { BOUGH_LOG__ROOT_HEAD = 64 }; /* bytes before a root's items */

/* What a root says of itself (root_head.c). */
struct bough_log__root_head {
    struct bough_log__geo geo;
    uint64_t number, len;
    uint32_t crc;     /* of all of it, blanked */
    uint32_t written; /* when, in seconds */
};

/* Fill the first bytes of the root in `b`, which is complete behind them. */
void bough_log__root_head_encode(
    const struct bough_log *l, uint64_t number, uint32_t items, struct bough_buf *b);
void bough_log__root_head_blank(uint8_t *head); /* without its crc */
bool bough_log__root_head_fits(
    const struct bough_log__geo *geo, const uint8_t *head, uint64_t number, uint64_t len);

/* False: no root, or of a build that did not say it.  The crc is not looked at. */
bool bough_log__root_head_decode(const uint8_t *head, struct bough_log__root_head *out);

enum bough_err bough_log__checkpoint(struct bough_log *l);
bool bough_log__checkpoint_due(const struct bough_log *l, uint32_t part); /* 1: full, 2: half */

/* ---- Merging tables in steps (tiers.c) ---- */

/* Go on with a merge, or begin one if it is time, for about `budget` bytes of rows; `*more`: there
   is more to do. */
enum bough_err bough_log__tiers_step(struct bough_log *l, uint64_t budget, bool *more);

/* Is there a merge to begin or to go on with? */
bool bough_log__tiers_due(const struct bough_log *l);

/* After a checkpoint of `rows` that a commit had to make: several times as many. */
enum bough_err bough_log__tiers_pay(struct bough_log *l, uint64_t rows);

/* Give up what was not finished; `zones`: they are free again. */
void bough_log__tiers_end(struct bough_log *l, bool zones);

/* So many tables at the front stay as they are; zones of the new one stay. */
size_t bough_log__tiers_frozen(const struct bough_log *l);
void bough_log__tiers_unmark(struct bough_log *l);

/* The same of ref tables (reftiers.c). */
enum bough_err bough_log__reftiers_step(struct bough_log *l, uint64_t budget, bool *more);
bool bough_log__reftiers_due(const struct bough_log *l);
enum bough_err bough_log__reftiers_pay(struct bough_log *l, uint64_t refs);
void bough_log__reftiers_end(struct bough_log *l, bool zones);
uint32_t bough_log__reftiers_frozen(const struct bough_log *l);
void bough_log__reftiers_unmark(struct bough_log *l);

/* ---- Replay (replay.c) ---- */

enum bough_err bough_log__replay(struct bough_log *l, const struct bough_log__super *newest);

/* With past_damage: rows in memory for entries whose blocks of tables are damaged. */
enum bough_err bough_log__past_rows(struct bough_log *l);

#endif
