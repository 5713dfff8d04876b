/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_DOCTOR_KERNELS_PRIV_H
#define APP_DOCTOR_KERNELS_PRIV_H

#include "dataplane/dataplane.h"
#include "learner/learner.h"

/**
 * What the doctor says of the learner's matrix kernels: a warning where the processor could run
 * wider ones.
 * @param told  what OPENBLAS_CORETYPE holds, NULL when it is not set
 */
void doctor_kernels(const struct learn_kernels *kernels, const char *told,
                    struct dp_finding *ret_finding);

#endif
