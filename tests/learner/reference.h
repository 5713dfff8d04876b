/* SPDX-License-Identifier: Apache-2.0 */
/* The same mathematics once more, in plain loops and doubles: what the fast code is held against.
 */
#ifndef LEARN_TEST_REFERENCE_H
#define LEARN_TEST_REFERENCE_H

#include "learner/model_priv.h"

/** Loss of one row; with grad (layout.params) not NULL also its gradient. */
double reference_loss(const struct learn_layout *layout, const float *params, const float *row,
                      double error_clip, double *grad);
double reference_norm(const double *v, size_t n);

#endif
