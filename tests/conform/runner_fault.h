/*
 * runner_fault.h - what fails when told: memory and devices.
 */
#ifndef RUNNER_FAULT_H
#define RUNNER_FAULT_H

#include "tests/sim/cutblk.h"

#define FAULT_NEVER UINT64_MAX

/* Calls, of which one fails. */
struct fault_count {
    uint64_t calls; /* so far */
    uint64_t fail_at;
    bool hit; /* that one was made */
};

/* malloc, counted; the n-th allocation fails. */
struct fault_mem {
    struct bough_mem mem; /* use this one */
    struct fault_count n;
    uint64_t pieces; /* that are out */
};
void fault_mem_init(struct fault_mem *m);

/*
 * A device: memory that a process which is forked has as its own, below a layer whose power fails,
 * below one that counts writes and fails the n-th call.  What a power cut leaves is the second
 * layer's to say.
 */
struct fault_dev {
    struct bough_block blk; /* use this one */
    struct cutblk cut;
    struct bough_block ground;
    uint8_t *bytes;
    uint64_t size;
    uint64_t writes_left; /* until the power fails; FAULT_NEVER */
    struct fault_count *n;
};

/* `size` bytes of zeros, which take room when they are written; `n` is borrowed. */
enum bough_err fault_dev_open(
    struct fault_dev *d, uint64_t size, uint32_t unit, struct fault_count *n);
void fault_dev_close(struct fault_dev *d);

/* The power fails at the n-th write from here. */
void fault_dev_arm(struct fault_dev *d, uint64_t n, enum cut_fate fate, uint64_t seed);

/* Power comes back: what was lost is lost, nothing is armed. */
void fault_dev_restart(struct fault_dev *d);

#endif
