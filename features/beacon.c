/* SPDX-License-Identifier: Apache-2.0 */
#include "features/beacon_priv.h"

#include <math.h>

#define TAU           6.283185307179586
#define PERIODS       17  /* tried, from 0.8 to 1.2 of the median */
#define MEDIAN_MIN    100 /* ticks, a second: faster is no calling home */
#define CALLS_CERTAIN 16  /* fewer lower the score */

static void sort(double *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        double held = v[i];
        uint32_t at = i;
        for (; at > 0 && v[at - 1] > held; at--)
            v[at] = v[at - 1];
        v[at] = held;
    }
}

/* Of sorted values, by linear interpolation. */
static double quantile(const double *v, uint32_t n, double q)
{
    double at = q * (n - 1);
    uint32_t low = (uint32_t)at, high = low + 1 < n ? low + 1 : low;
    return v[low] + (at - low) * (v[high] - v[low]);
}

static double skew_score(const double *gaps, uint32_t n)
{
    double q1 = quantile(gaps, n, 0.25), q2 = quantile(gaps, n, 0.5), q3 = quantile(gaps, n, 0.75);
    return q3 > q1 ? 1 - fabs((q1 + q3 - 2 * q2) / (q3 - q1)) : 1;
}

static double spread_score(const double *gaps, uint32_t n, double median)
{
    double away[BEACON_STAMPS];
    for (uint32_t i = 0; i < n; i++)
        away[i] = fabs(gaps[i] - median);
    sort(away, n);
    return fmax(0, 1 - quantile(away, n, 0.5) / median);
}

static double steady_share(const double *gaps, uint32_t n, double median)
{
    uint32_t near = 0;
    for (uint32_t i = 0; i < n; i++)
        near += fabs(gaps[i] - median) <= 0.25 * median;
    return near / (double)n;
}

static double phase_score(const uint32_t *stamps, uint32_t n, double median)
{
    double best = 0;
    for (int i = 0; i < PERIODS; i++) {
        double period = median * (0.8 + 0.4 * i / (PERIODS - 1)), x = 0, y = 0;
        for (uint32_t k = 0; k < n; k++) {
            double phase = TAU * (stamps[k] - stamps[0]) / period;
            x += cos(phase);
            y += sin(phase);
        }
        best = fmax(best, hypot(x, y) / n);
    }
    return best;
}

struct beacon feat_beacon_measure(const uint32_t *stamps, uint32_t n)
{
    double gaps[BEACON_STAMPS];
    if (n < BEACON_CALLS)
        return (struct beacon){0};
    for (uint32_t i = 0; i + 1 < n; i++)
        gaps[i] = stamps[i + 1] - stamps[i];
    double span = stamps[n - 1] - stamps[0];
    sort(gaps, n - 1);
    double median = quantile(gaps, n - 1, 0.5);
    if (median < MEDIAN_MIN)
        return (struct beacon){0};
    double filled = fmin(1, (n - 1) * median / span);
    double certain = fmin(1, n / (double)CALLS_CERTAIN);
    double score = 0.4 * spread_score(gaps, n - 1, median) + 0.3 * skew_score(gaps, n - 1) +
                   0.3 * phase_score(stamps, n, median);
    double tick_s = (double)BEACON_TICK_NS * 1e-9;
    return (struct beacon){
        .score = (float)(score * filled * certain),
        .steady = (float)steady_share(gaps, n - 1, median),
        .period_s = (float)(median * tick_s),
    };
}
