/* SPDX-License-Identifier: Apache-2.0 */
/* From integer sums to the numbers of a column. Never NaN. */
#ifndef FEAT_MOMENTS_PRIV_H
#define FEAT_MOMENTS_PRIV_H

#include "base/base.h"

#include <math.h>

static inline double feat_seconds(atl_ns from, atl_ns to)
{
    return to > from ? (double)(to - from) * 1e-9 : 0;
}

static inline double feat_ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/** Sample standard deviation (n - 1); rounding may push the difference below zero. */
static inline double feat_deviation(double n, double sum, double sum_sq)
{
    if (n < 2)
        return 0;
    double v = (sum_sq - sum * sum / n) / (n - 1);
    return v > 0 ? sqrt(v) : 0;
}

#endif
