/* SPDX-License-Identifier: Apache-2.0 */
/* The workbench that plain and private training share. */
#ifndef LEARN_TRAIN_PRIV_H
#define LEARN_TRAIN_PRIV_H

#include "learner/adam_priv.h"
#include "learner/sample_priv.h"
#include "learner/tape_priv.h"

struct learn_trainer {
    struct learn_shape shape;
    struct learn_layout layout;
    struct learn_train_config cfg;
    struct atl_rng rng; /* order of the rows */
    float *params;      /* (layout.params) */
    float *start;       /* (layout.params) for the pull towards it, or NULL without one */
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

/** In a unit of several rows, each row's gradient is first held to this many times the limit. */
#define LEARN_ROW_SHARE 8

/**
 * The same for the summed gradient of each unit.
 * @param end  (units) where the rows of each unit end in the slice; units ≥ 1
 */
ATL_HOT void learn_tape_clip_units(struct learn_tape *tape, const uint32_t *end, uint32_t units,
                                   double limit);

/** grad += rows × proximal × (params - start): to be divided by `rows` afterwards. */
void learn_trainer_pull(struct learn_trainer *trainer, double rows);

/** One private step up to the noise: grad = Σ over the sample's units of clipped gradients. */
void learn_private_sum(struct learn_trainer *trainer, const float *rows,
                       const struct learn_sample *sample, double limit);

#endif
