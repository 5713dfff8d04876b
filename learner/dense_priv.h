/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dense layer on a batch, y = x·Wᵀ + b. Shapes: x (B, in), w (out, in), b (out), y and
 * delta = ∂loss/∂y (B, out). All row-major and dense, B ≥ 1.
 */
#ifndef LEARN_DENSE_PRIV_H
#define LEARN_DENSE_PRIV_H

#include "base/base.h"

struct learn_dense {
    const float *w, *b; /* borrowed */
    uint32_t in, out;
};

/** OpenBLAS computes on the calling thread from here on; a setting of the whole process. */
ATL_COLD void learn_dense_one_thread(void);

/** y = x·Wᵀ, without the bias: the caller folds it into the pass that it makes anyway. */
ATL_HOT void learn_dense_multiply(const struct learn_dense *layer, const float *x, uint32_t n,
                                  float *y);
/** y = ReLU(x·Wᵀ + b) */
ATL_HOT void learn_dense_relu(const struct learn_dense *layer, const float *x, uint32_t n,
                              float *y);
/** below = (delta·W) where x > 0, else 0: the delta of the layer whose ReLU made x. (B, in) */
ATL_HOT void learn_dense_delta(const struct learn_dense *layer, const float *x, const float *delta,
                               uint32_t n, float *below);
/** Add the gradient of this batch: grad_w (out, in) += deltaᵀ·x, grad_b (out) += Σ rows of delta */
ATL_HOT void learn_dense_gradient(uint32_t in, uint32_t out, const float *x, const float *delta,
                                  uint32_t n, float *grad_w, float *grad_b);

#endif
