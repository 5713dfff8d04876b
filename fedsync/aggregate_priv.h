/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unweighted mean of updates. Weights would multiply one edge's influence beyond 1/n, which the
 * privacy accounting and the norm bound both rely on.
 */
#ifndef FED_AGGREGATE_PRIV_H
#define FED_AGGREGATE_PRIV_H

#include "fedsync/fedsync.h"

bool fed_all_finite(const float *values, uint32_t n);
/** L2, summed in double. */
double fed_norm(const float *values, uint32_t n);

struct fed_mean;
int fed_mean_create(struct fed_mean **ret_mean, uint32_t n);
void fed_mean_destroy(struct fed_mean *mean);
/** @param norm_max  a longer update is scaled down to it; 0 = off.  @return 0, -EDOM (not finite)
 */
int fed_mean_add(struct fed_mean *mean, const float *delta, double norm_max);
uint32_t fed_mean_count(const struct fed_mean *mean);
/**
 * out = base + server_rate × mean.
 * @param ret_norm  L2 of the mean, or NULL
 * @return 0, -EAGAIN (nothing added), -ERANGE (a result is not finite)
 */
int fed_mean_apply(const struct fed_mean *mean, const float *base, float server_rate, float *out,
                   double *ret_norm);

#endif
