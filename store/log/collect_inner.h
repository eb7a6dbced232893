/*
 * collect_inner.h - collecting, as the rest of the engine sees it; from within: cycle_inner.h.
 *
 *   methods    of the store                                      cycle.c, resize.c
 *   tables     that a collection stands on                       pressure.c
 *   pressure   room is short: who waits, who pays, what is said  pressure.c
 */
#ifndef BOUGH_LOG_COLLECT_INNER_H
#define BOUGH_LOG_COLLECT_INNER_H

#include "store/collect.h"

struct bough_log;

enum bough_err bough_log__collect(struct bough_store *s, const struct bough_collect_opts *opts);
enum bough_err bough_log__resize(struct bough_store *store, uint64_t bytes, uint64_t budget);
void bough_log__collection(struct bough_store *s, struct bough_collect_progress *out);

/* BOUGH_ENOSPC, and what gc would do about it, as far as it was counted. */
enum bough_err bough_log__full(struct bough_log *l);

/* Who found no room has ended: count what gc would free, and put it into that error. */
void bough_log__full_count(struct bough_log *l);

/* The same between transactions, when that is what `err` says.  Returns it. */
enum bough_err bough_log__full_told(struct bough_log *l, enum bough_err err);
enum bough_err bough_log__collect_step(struct bough_log *l, uint64_t budget, bool *more);
void bough_log__cycle_end(struct bough_log *l, bool zones);

/* So many tables at the front of the list are not to be touched; its own tables' zones stay. */
size_t bough_log__cycle_frozen(const struct bough_log *l);
void bough_log__cycle_unmark(struct bough_log *l);

/* Between transactions, and while nobody stands on what is stored: collect now, give up pins if that
   does not help.  False: there is no room to get. */
bool bough_log__room_make(struct bough_log *l, uint32_t zones);

/* A writer begins: when space runs short it does a part of the work. */
enum bough_err bough_log__collect_pay(struct bough_log *l);

#endif
