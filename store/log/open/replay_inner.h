/* replay_inner.h - what the two halves of reading the log back share. */
#ifndef BOUGH_LOG_REPLAY_INNER_H
#define BOUGH_LOG_REPLAY_INNER_H

#include "store/log/inner.h"

struct bough_log__replay {
    struct bough_log *log;
    const struct bough_log__super *newest;
    uint64_t sure;  /* frames below this one were durable: it, or what came after, says so */
    uint64_t epoch; /* of it */
    struct bough_log__head pos;     /* where the next frame is looked for */
    struct bough_buf index;         /* of the frame loaded last */
    struct bough_log__frame *group; /* frames of an unfinished transaction */
    size_t group_n, group_cap;
    uint64_t upto;  /* objects of its frames up to this sequence are in tables written ahead */
    uint64_t known; /* without flush: what frames of the chain say has settled */
    bool past;      /* damage was met, and what is behind it counts, too */
    bool any_data;  /* of the next frame, whose head and index are whole, entries may be damaged */
};

/* The head at zone, at; BOUGH_ENOENT: there is none. */
enum bough_err bough_log__head_load(
    struct bough_log *l, uint32_t zone, uint32_t at, struct bough_log__frame *f);

/* Where no next frame is: BOUGH_OK it is the end, BOUGH_ECORRUPT acknowledged frames are damaged. */
enum bough_err bough_log__replay_end(struct bough_log__replay *r);

/*
 * Go on with the first whole head behind the damage at r->pos.  BOUGH_ENOENT: there is none;
 * what cannot be read is passed over.
 */
enum bough_err bough_log__replay_past(struct bough_log__replay *r);

#endif
