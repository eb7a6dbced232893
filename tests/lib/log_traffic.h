/* log_traffic.h - what a store of the log engine writes, and what upkeep writes at a time. */
#ifndef BOUGH_TESTS_LOG_TRAFFIC_H
#define BOUGH_TESTS_LOG_TRAFFIC_H

#include "store/log/inner.h"
#include "tests/lib/log_bed.h"

/* Bytes so far. */
static inline uint64_t log_written(struct log_bed *f)
{
    return bough_log__of(f->s)->pages.written_bytes;
}

/* Upkeep to its end, `budget` a call.  The most bytes that one of them wrote. */
static inline uint64_t log_maintain(struct log_bed *f, uint64_t budget)
{
    uint64_t most = 0;
    bool more = true;

    while (more) {
        uint64_t before = log_written(f);

        OK(bough_store_maintain(f->s, budget, &more));
        most = log_written(f) - before > most ? log_written(f) - before : most;
    }
    return most;
}

#endif
