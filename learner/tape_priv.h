/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of one forward pass that the backward pass needs: the input of every layer and the
 * delta of every layer's output. A batch of any size goes through it in slices.
 */
#ifndef LEARN_TAPE_PRIV_H
#define LEARN_TAPE_PRIV_H

#include "learner/model_priv.h"

/** Rows: the whole record stays in the second-level cache, and a Poisson sample of 256 on average
 * fits but for a chance of 5 in 100,000. */
#define LEARN_SLICE 320

struct learn_tape {
    struct learn_layout layout;
    float *memory;
    float *in[LEARN_LAYERS_MAX];    /* in[l] (LEARN_SLICE, dim[l]); in[0] is filled by the caller */
    float *delta[LEARN_LAYERS_MAX]; /* delta[l] (LEARN_SLICE, dim[l + 1]) */
};

int learn_tape_init(struct learn_tape *tape, const struct learn_layout *layout); /* 0, -ENOMEM */
void learn_tape_finish(struct learn_tape *tape); /* zeroed is fine */

/**
 * Forward and deltas of n ≤ LEARN_SLICE rows. The loss of one row is the mean over its features of
 * the Huber error: e²/2 up to |e| = clip, clip·(|e| − clip/2) above. A row that is not finite
 * somewhere on the way is dropped: loss 0, no gradient.
 * @return sum of the losses
 */
ATL_HOT double learn_tape_run(struct learn_tape *tape, const float *params, uint32_t n,
                              float error_clip);
/** grad (layout.params) += Σ over the n rows of each row's gradient */
ATL_HOT void learn_tape_gradient(const struct learn_tape *tape, uint32_t n, float *grad);
/** Take one row out: its gradient becomes exactly zero whatever it holds. */
void learn_tape_drop(struct learn_tape *tape, uint32_t row);

#endif
