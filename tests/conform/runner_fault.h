/*
 * runner_fault.h - what fails when told: memory and devices.
 */
#ifndef RUNNER_FAULT_H
#define RUNNER_FAULT_H

#include "tests/sim/cutblk.h"

#define FAULT_NEVER UINT64_MAX

/* malloc, counted; the n-th allocation fails. */
struct fault_mem {
    struct bough_mem mem; /* use this one */
    uint64_t calls, fail_at;
    uint64_t pieces; /* that are out */
    bool hit;        /* the n-th was asked for */
};
void fault_mem_init(struct fault_mem *m, uint64_t fail_at);

/*
 * A device: a sparse file, below a layer whose power fails, below one that counts writes and fails
 * the n-th call.  The file is never synced: what a power cut leaves is the second layer's to say.
 */
struct fault_dev {
    struct bough_block blk; /* use this one */
    struct cutblk cut;
    struct bough_block file;
    int fd;
    uint64_t writes_left; /* until the power fails; FAULT_NEVER */
    uint64_t calls, fail_at;
    bool hit;
};

/* A file of `size` bytes at `path`, whose name is gone at once. */
enum bough_err fault_dev_open(
    struct fault_dev *d, const char *path, uint64_t size, uint32_t unit, uint64_t fail_at);
void fault_dev_close(struct fault_dev *d);

/* The power fails at the n-th write from here. */
void fault_dev_arm(struct fault_dev *d, uint64_t n, enum cut_fate fate, uint64_t seed);

/* Power comes back: what was lost is lost, nothing is armed. */
void fault_dev_restart(struct fault_dev *d);

#endif
