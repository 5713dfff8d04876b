/* SPDX-License-Identifier: Apache-2.0 */
/* beacon: how regular the moments of calls are. A keep-alive is as regular as an implant: the score
 * is a measurement, not a verdict. */
#ifndef FEAT_BEACON_PRIV_H
#define FEAT_BEACON_PRIV_H

#include "base/base.h"

#define BEACON_STAMPS  32
#define BEACON_CALLS   8 /* fewer tell nothing */
#define BEACON_TICK_NS (10 * ATL_NS_PER_MS)

struct beacon {
    float score;    /* 0 … 1 */
    float steady;   /* share of gaps within a quarter of the median */
    float period_s; /* median gap; 0 when score is 0 */
};

/**
 * Median absolute deviation and Bowley's skewness of the gaps, and the phases' agreement on the
 * best period near the median (Rayleigh's periodogram), less where the gaps do not fill the time.
 * @param stamps  in BEACON_TICK_NS, ascending, may wrap round; n ≤ BEACON_STAMPS
 */
struct beacon feat_beacon_measure(const uint32_t *stamps, uint32_t n);

#endif
