/* SPDX-License-Identifier: Apache-2.0 */
/* draw: numbers as traffic has them. Every draw takes a fixed stream, so a run can be repeated. */
#ifndef TRAF_DRAW_PRIV_H
#define TRAF_DRAW_PRIV_H

#include "base/base.h"

enum traf_shape { TRAF_FIXED, TRAF_LOGNORMAL, TRAF_PARETO, TRAF_UNIFORM };

/** FIXED: a. LOGNORMAL: median a, sigma b. PARETO: least a, exponent b. UNIFORM: a … b. */
struct traf_dist {
    enum traf_shape shape;
    double a, b;
    double most; /* no draw is above it; 0 = no limit */
};

double traf_draw(struct atl_rng *rng, const struct traf_dist *dist);
/** At least 0, at most `most`. */
uint32_t traf_draw_u32(struct atl_rng *rng, const struct traf_dist *dist);
/** Seconds drawn, handed back in nanoseconds. */
atl_ns traf_draw_ns(struct atl_rng *rng, const struct traf_dist *dist);

bool traf_chance(struct atl_rng *rng, double probability);
/** Uniform in low … high. */
double traf_between(struct atl_rng *rng, double low, double high);
/** Poisson gap. */
atl_ns traf_gap_ns(struct atl_rng *rng, double per_second);
/** Rank 0 … n-1, frequency about 1 / (rank + 1): Zipf with exponent 1. */
uint32_t traf_zipf(struct atl_rng *rng, uint32_t n);
/** A fixed number in [0, 1) out of 64 hashed bits; part 0 … 3 takes other bits. */
double traf_part(uint64_t hash, int part);

#endif
