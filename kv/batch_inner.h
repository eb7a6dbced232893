/*
 * batch_inner.h - the parts of a batch: what it asked for, and what it looked at.
 *
 *   steps    as they were asked for, to be run again; values wait in them, or in the store
 *   looks    paths on whose state an answer depended
 */
#ifndef BOUGH_KV_BATCH_INNER_H
#define BOUGH_KV_BATCH_INNER_H

#include "kv/inner.h"

/* ---- Steps: batch_steps.c ---- */

/* What a step needs besides a key and a value; few do. */
struct bough_kv__step_more {
    struct bough_view to;
    uint64_t at;
    bool has_opts;
    struct bough_set_opts opts;
};

struct bough_kv__kept {
    struct bough_kv__kept *next;
    struct bough_lent value; /* the bytes of a step, and of those or of a blob the id */
    const struct bough_kv__step_more *more;
    enum bough_kv__op op;
    uint32_t key_len;
    uint8_t key[];
};

/* In the order in which they were asked for. */
struct bough_kv__steps {
    struct bough_mem *mem;
    struct bough_arena arena;  /* the steps */
    struct bough_arena values; /* bytes of those that can be spilled: all leave together */
    struct bough_kv__kept *first, *last, *before; /* before the last */
    size_t n;
    uint64_t pending; /* bytes of values */
};

void bough_kv__steps_init(struct bough_kv__steps *steps, struct bough_mem *mem);
void bough_kv__steps_fini(struct bough_kv__steps *steps);

/* A copy of `step` at the end; take it away again, before another comes. */
enum bough_err bough_kv__steps_add(
    struct bough_kv__steps *steps, const struct bough_kv__step *step);
void bough_kv__steps_unadd(struct bough_kv__steps *steps);

/* Does it hold a value that may wait in the store? */
static inline bool bough_kv__kept_spills(const struct bough_kv__kept *k)
{
    return k->op == BOUGH_KV__SET && k->value.bytes.len > 0;
}

/* Bring the values to the store, when there are so many that it pays.  Without room or ability they
   stay where they are. */
void bough_kv__steps_spill(
    struct bough_kv__steps *steps, struct bough_kv *kv, const struct bough_kv__host *host);

/* Do they hold all that they set?  What they brought to the store, or named, may be gone when what
   stood there was given up. */
bool bough_kv__steps_hold(const struct bough_kv__steps *steps);

/* Run them all on `work`; `*failed`: the one that did.  `as_led`: renames go where they went, not
   where their destination would lead today. */
enum bough_err bough_kv__steps_run(const struct bough_kv__steps *steps, struct bough_kv *work,
    bool as_led, const struct bough_kv__kept **failed);

/* ---- Looks: batch_looks.c ---- */

struct bough_kv__look {
    struct bough_view path; /* ptr NULL: none */
    uint64_t hash;
};

/* A set: a table, a power of two. */
struct bough_kv__looks {
    struct bough_arena arena;
    struct bough_kv__look *slots;
    size_t slots_n, n;
    uint64_t key;
};

void bough_kv__looks_init(struct bough_kv__looks *looks, const struct bough_env *env);
void bough_kv__looks_fini(struct bough_kv__looks *looks);
enum bough_err bough_kv__looks_add(struct bough_kv__looks *looks, struct bough_view path);

#endif
