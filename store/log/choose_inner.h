/*
 * choose_inner.h - which segments go in a collection: choose.c; small packs: packs.c.
 */
#ifndef BOUGH_LOG_CHOOSE_INNER_H
#define BOUGH_LOG_CHOOSE_INNER_H

#include "base/base.h"

struct bough_log;
struct bough_log__cycle;
struct bough_log__tally;

/* ---- Victims ---- */

/* Victims, then what must leave the other segments.  BOUGH_ENOENT: done. */
enum bough_err bough_log__choose_step(struct bough_log__cycle *c);

/* Zones that what comes behind the copies takes: the table of all that lives, and the end. */
uint32_t bough_log__cycle_after(const struct bough_log__cycle *c);

/* Zones that are not for copies: that, where the log goes on, and what must be there for removals until it
   has settled. */
uint32_t bough_log__cycle_beside(const struct bough_log__cycle *c);

/* Bytes that come back when segments go which are not victims, as many as can be copied into so
   many zones. */
uint64_t bough_log__tally_gain(struct bough_log__cycle *c, uint32_t zones);

/* ---- Small packs (packs.c) ---- */

/* Are there so many that a collection is to begin for their sake?  It drops nothing. */
bool bough_log__packs_due(const struct bough_log *l);
/* The classes of which there are too many, a bit each; is a segment of one of them? */
uint32_t bough_log__packs_many(const struct bough_log *l);
bool bough_log__is_of_many(const struct bough_log__cycle *c, const struct bough_log__tally *y);

#endif
