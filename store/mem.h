/* mem.h - the memory engine: a store that lives and dies with its handle. */
#ifndef BOUGH_MEM_H
#define BOUGH_MEM_H

#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A new, empty store in `env->mem` (borrowed until close).  HEAD is a symbolic ref to
 * refs/heads/main.  Capabilities: ATOMIC_REFS, RECORDS, INTAKE.
 */
enum bough_err bough_mem_store_open(
    const struct bough_env *env, enum bough_algo algo, struct bough_store **out);

#ifdef __cplusplus
}
#endif

#endif
