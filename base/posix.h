/*
 * posix.h - the world as a POSIX system has it, for programs and tests.
 *
 *   bough_posix_mem()   struct bough_mem over malloc
 *   bough_posix_env()   clock, randomness and log of the system
 *
 * Hosted only.  The library has a bough_panic() too, that prints and aborts;
 * a program that defines its own gets its own.
 */
#ifndef BOUGH_POSIX_H
#define BOUGH_POSIX_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory from malloc.  Has no state: good for ever, from any thread. */
struct bough_mem *bough_posix_mem(void);

/*
 * An env over the system: malloc, the wall clock with the local zone,
 * getrandom, and a log of lines at most as loud as `*level` on stderr.
 * `level` is borrowed while the env is used; NULL: errors and warnings.
 */
struct bough_env bough_posix_env(enum bough_level *level);

#ifdef __cplusplus
}
#endif

#endif
