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
ATL_HOT const float *learn_reconstruct(const struct learn_model *model,
                                       struct learn_scratch *scratch, const float *x, uint32_t n);
#define LEARN_KNEE 3.0F

/**
 * The scaled error of one column, ≥ 0, infinite or NaN when the error is: with a = |error| / usual
 * error it is Huber's a² up to the knee and grows like a above. One column gone wild must not drown
 * the rest, nor push the boundary out of reach when normal rows do that now and then (NSL-KDD:
 * detection at 1 % false alarms 0.37 → 0.61).
 * @param scale  1 / √(mean squared error) of the column
 */
static inline float learn_scaled_error(float observed, float expected, float scale)
{
    float a = (observed < expected ? expected - observed : observed - expected) * scale;
    float inside = a < LEARN_KNEE ? a : LEARN_KNEE;
    return inside * (2.0F * a - inside);
}

/** The statistic of one row x (I) with reconstruction y + bias (I): see score.c. Infinite or NaN
 * when an error is. */
ATL_HOT double learn_statistic(const float *x, const float *y, const float *bias,
                               const float *scale, uint32_t n);
/** The statistics of n ≤ LEARN_BATCH_MAX rows, from error_scale alone. */
ATL_HOT void learn_statistics(const struct learn_model *model, struct learn_scratch *scratch,
                              const float *x, uint32_t n, double *statistic);
/** The statistics that learn_judge's tail is of: the same, or combined with the forest's. */
ATL_HOT void learn_judge_statistics(const struct learn_model *model, struct learn_scratch *scratch,
                                    const float *x, uint32_t n, double *statistic);
/** -ln of the harmonic mean of two p-values given as -ln p ≥ 0. */
double learn_fuse(double surprise_a, double surprise_b);

#endif
