/*
 * intake_inner.h - packs that come in (intake.c), seen while they do (view.c), and adopted (adopt.c).
 */
#ifndef BOUGH_LOG_INTAKE_INNER_H
#define BOUGH_LOG_INTAKE_INNER_H

#include "store/intake.h"
#include "store/log/run_inner.h"
#include "store/log/segment_inner.h"

struct bough_log;

struct bough_log__intake {
    struct bough_intake in; /* first: the face */
    struct bough_log *log;
    struct bough_store__intake_host host;
    struct bough_store__intake *core;
    bool looking;                  /* it has seen what is stored, which stays until it ends */
    uint64_t losses;               /* of the store when it was begun */
    struct bough_object *compared; /* a known object, while its bytes are compared */
    struct bough_log__segment seg; /* without a number */
    struct bough_log__out out;     /* onto its run */
    struct bough_store view;
    struct bough_oid
        *heal; /* what is stored, and damaged; those that came as deltas are put whole, too */
    size_t heals, heal_cap;
};

void bough_log__intake_close(struct bough_intake *in);
void bough_log__view_end(struct bough_log__intake *x); /* it is no longer quarantined */
void bough_log__view_init(struct bough_log__intake *x);

enum bough_err bough_log__intake_open(
    struct bough_store *s, const struct bough_intake_opts *opts, struct bough_intake **out);
enum bough_err bough_log__adopt(struct bough_txn *t, struct bough_intake *in);

#endif
