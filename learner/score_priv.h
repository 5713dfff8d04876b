/* SPDX-License-Identifier: Apache-2.0 */
/* From a row and its reconstruction to one number that rises with every error. */
#ifndef LEARN_SCORE_PRIV_H
#define LEARN_SCORE_PRIV_H

#include "learner/model_priv.h"

struct learn_scratch {
    uint32_t n_in, widest; /* floats a row may take */
    float *a, *b;          /* (LEARN_BATCH_MAX, widest) */
};

bool learn_scratch_fits(const struct learn_scratch *scratch, const struct learn_model *model);
/** n ≤ LEARN_BATCH_MAX rows through the model. @return (n, I) in the scratch, last bias not added
 */
ATL_HOT float *learn_reconstruct(const struct learn_model *model, struct learn_scratch *scratch,
                                 const float *x, uint32_t n);
/**
 * The statistic of one row from its scaled errors r_j = error_j² / mean error_j² (I): see score.c.
 * Infinite or NaN when an error is.
 */
ATL_HOT double learn_statistic(const float *scaled, uint32_t n_in, double sum);
/** The statistics of n ≤ LEARN_BATCH_MAX rows, from error_scale alone. */
ATL_HOT void learn_statistics(const struct learn_model *model, struct learn_scratch *scratch,
                              const float *x, uint32_t n, double *statistic);

#endif
