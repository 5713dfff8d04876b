/* SPDX-License-Identifier: Apache-2.0 */
/* The workbench that plain and private training share. */
#ifndef LEARN_TRAIN_PRIV_H
#define LEARN_TRAIN_PRIV_H

#include "learner/adam_priv.h"
#include "learner/tape_priv.h"

struct learn_trainer {
    struct learn_shape shape;
    struct learn_layout layout;
    struct learn_train_config cfg;
    struct atl_rng rng; /* order of the rows */
    float *params;      /* (layout.params) */
    float *grad;        /* (layout.params) sum over the rows of the batch, or of a slice */
    double *sum;        /* (layout.params) of the slices of a private batch */
    struct learn_adam adam;
    struct learn_tape tape;
};

/** Lay a row into place `at` < LEARN_SLICE of the slice. */
void learn_trainer_put(struct learn_trainer *trainer, uint32_t at, const float *row);

/**
 * Scale the gradient of each of the slice's n rows to L2 norm ≤ limit, exactly and without forming
 * it, by scaling its deltas. Comes between learn_tape_run and learn_tape_gradient.
 */
ATL_HOT void learn_tape_clip(struct learn_tape *tape, uint32_t n, double limit);

/** One private step up to the noise: grad = Σ over a Poisson sample of clipped gradients. */
void learn_private_sum(struct learn_trainer *trainer, const float *rows, uint32_t n,
                       double sample_rate, double limit, struct atl_rng *rng);

#endif
