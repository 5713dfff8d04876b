/* SPDX-License-Identifier: Apache-2.0 */
/* What the trainer's thread does: one job after the other, on what is its own. */
#ifndef TRAINER_WORK_PRIV_H
#define TRAINER_WORK_PRIV_H

#include "app/trainer_priv.h"

struct trainer_order {
    struct fed_plan plan;
    uint64_t round;
    char name[TRAINER_NAME_BYTES]; /* ADOPT */
    float *params;                 /* PRIVATE, ADOPT: n of them, the order's own */
    uint32_t n;
};

/** The thread's own, but for `stop`. */
struct trainer_work {
    struct detector *detector;
    const char *state_path;
    uint64_t seed;
    struct model_set current; /* copies of what works, to start from and to save */
    struct model_set before;  /* what the last promotion replaced, or NULL */
    _Atomic bool stop;        /* set by the control thread: private training ends after its step */
};

/** Do a job, bounded but for seconds; what came of it, good or bad, is in *ret_result. */
void trainer_work_do(struct trainer_work *work, enum trainer_job kind,
                     const struct trainer_order *order, struct trainer_result *ret_result);

#endif
