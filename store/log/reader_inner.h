/*
 * reader_inner.h - who reads on another thread, and what that keeps from being written again (reader.c).
 */
#ifndef BOUGH_LOG_READER_INNER_H
#define BOUGH_LOG_READER_INNER_H

#include "store/store.h"

struct bough_log;

/* What stands between a reader and the store it was opened from.  The writer's thread makes and
   frees it; the two flags alone are for both. */
struct bough_log__pin {
    struct bough_log__pin *older;
    uint64_t checkpoint;  /* what it names is not written again */
    bool expired, closed; /* by the calls below only */
};

static inline void bough_log__flag_up(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_SEQ_CST);
}

static inline bool bough_log__flag_is_up(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

enum bough_err bough_log__reader(
    struct bough_store *s, const struct bough_env *env, struct bough_store **out);

/* Get zones back: from readers that were closed, else from the oldest if it holds one which is
   free for the checkpoints.  False: there are none to get. */
bool bough_log__pins_yield(struct bough_log *l);
uint64_t bough_log__pins_oldest(struct bough_log *l); /* its checkpoint; UINT64_MAX: none */
void bough_log__pins_fini(struct bough_log *l);
bool bough_log__reader_expired(const struct bough_log *l);

#endif
