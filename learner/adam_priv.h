/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma & Ba 2015) over one flat vector of parameters. */
#ifndef LEARN_ADAM_PRIV_H
#define LEARN_ADAM_PRIV_H

#include "base/base.h"

struct learn_adam {
    float *mean, *square; /* (n) running moments of the gradient */
    uint64_t step;
    uint32_t n;
};

int learn_adam_init(struct learn_adam *adam, uint32_t n); /* 0, -ENOMEM */
void learn_adam_finish(struct learn_adam *adam);          /* zeroed is fine */
/** One step along scale × grad. */
ATL_HOT void learn_adam_step(struct learn_adam *adam, float *params, const float *grad, float scale,
                             float learning_rate);

#endif
