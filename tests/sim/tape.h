/*
 * tape.h - where a test gets its choices.
 *
 * A test asks draw() for every choice it makes and so never decides by
 * itself.  The same test then runs over
 *
 *   tape_all()      every sequence of answers, in order, like an odometer
 *   tape_seeded()   so many random runs; the seed of each replays it
 *   tape_bytes()    a fuzzer's bytes
 *
 *     struct tape t;
 *     tape_all(&t);                       // or tape_seeded(&t, 1, 1000)
 *     while (tape_next(&t)) {
 *         ... draw(&t, 3) ...
 *     }
 *
 * When a test ends in the middle of a run, because it failed, the program
 * prints at its end what replays that run: TAPE=2,0,1 or SEED=17.  Put
 * before the program, it makes each tape do this one run only.  LONG=1 makes
 * a seeded tape do a hundred times its runs.
 */
#ifndef TAPE_H
#define TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAPE_MAX = 4096 }; /* choices in one run of an exhaustive tape */

struct tape {
    enum { TAPE_ALL, TAPE_SEEDED, TAPE_BYTES } mode;
    uint32_t pos, len; /* choices drawn in this run, and known from the run before */
    uint64_t runs;     /* begun so far */
    uint64_t runs_max; /* of a seeded tape */
    uint64_t seed;     /* of this run */
    uint64_t state;
    const uint8_t *bytes;
    size_t left;
    struct {
        uint32_t value, bound;
    } choice[TAPE_MAX];
};

void tape_all(struct tape *t);
void tape_seeded(struct tape *t, uint64_t seed, uint64_t runs);
void tape_bytes(struct tape *t, const uint8_t *bytes, size_t len); /* 0 once they are used up */

/* Rewind for another run; false when all have been done. */
bool tape_next(struct tape *t);

/* The run is over: for loops that end between two runs. */
void tape_pause(struct tape *t);

/* A number below `bound`, which is not 0. */
uint32_t draw(struct tape *t, uint32_t bound);

#endif
