/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution of a positive statistic on normal rows: quantiles for its body, a generalised
 * Pareto tail above (peaks over threshold; Siffer et al. 2017), and the boundary drawn from it.
 */
#ifndef LEARN_SPOT_PRIV_H
#define LEARN_SPOT_PRIV_H

#include "base/base.h"

#define LEARN_TAIL_POINTS   65
#define LEARN_TAIL_ROWS_MIN 32
#define LEARN_P_MIN         1e-12

struct learn_tail {
    double risk;      /* probability that a normal row passes the boundary */
    double boundary;  /* > 0 */
    double threshold; /* where the tail begins */
    double share;     /* of the rows above the threshold, 0 < share ≤ 0.5 */
    double scale;     /* σ > 0 */
    double shape;     /* ξ ≥ 0; 0 is the exponential tail */
    /* quantiles of the rows up to the threshold, at even steps of probability, not falling */
    double body[LEARN_TAIL_POINTS];
};

/**
 * @param values  (n) finite, ≥ 0; sorted in place
 * @param n       ≥ LEARN_TAIL_ROWS_MIN
 */
void learn_tail_fit(struct learn_tail *tail, double *values, uint32_t n, double risk);
/** Probability of a value at least this high, LEARN_P_MIN … 1; NaN counts as infinite. */
double learn_tail_p(const struct learn_tail *tail, double value);
/** The value that is passed with probability p, 0 < p < 1. */
double learn_tail_quantile(const struct learn_tail *tail, double p);
/** Every number in its range: what a file must hold to be used. */
bool learn_tail_ok(const struct learn_tail *tail);
/** -ln of the probability of a value at least this high, ≥ 0: rises with the value without end
 * where learn_tail_p has long reached its floor. Not finite only when the value is not. */
double learn_tail_surprise(const struct learn_tail *tail, double value);
/** value / (value + boundary): strictly rising, 0.5 at the boundary, below 1 while finite. */
float learn_tail_score(const struct learn_tail *tail, double value);

#endif
