/* SPDX-License-Identifier: Apache-2.0 */
/* What the two accountants share: merged events and moments of the privacy loss. */
#ifndef PRIV_ACCOUNTANT_PRIV_H
#define PRIV_ACCOUNTANT_PRIV_H

#include "privacy/privacy.h"

/** Steps of one event, so that sums and products below stay far inside double and uint64_t. */
#define PRIV_STEPS_MAX (1ULL << 40)

#define PRIV_EVENTS_EXACT 64

/**
 * Copy events so that equal ones stand once: a Poisson sample of rate 1 becomes a Gaussian, and all
 * Gaussians become one with T/σ² = Σ Tᵢ/σᵢ² and T = 1 (exact for every Rényi order and for the
 * PLD).
 * @param out  room for n
 * @return how many stand in out
 */
size_t priv_events_merge(const struct priv_event *events, size_t n, struct priv_event *out);

/**
 * log E[(1-q+q·exp((2x-1)/(2σ²)))^a] for x ~ N(0, σ²) and any real a: the Rényi curve for a > 1,
 * tails of the privacy loss elsewhere. Relative error below 1e-10.
 * @param q  0 < q < 1
 * @return +Inf where it would cost more than 20,000 evaluations
 */
double priv_log_moment(double q, double sigma, double a);

bool priv_event_is_sum(const struct priv_event *event);

/** Rényi divergence of one noised sum at order alpha; +Inf unless alpha is whole and ≥ 2. */
double priv_sum_rdp(const struct priv_event *event, double alpha);

/** ε of events that are merged already; see priv_epsilon. */
int priv_rdp_epsilon(const struct priv_event *events, size_t n, double delta, double *ret_epsilon,
                     struct atl_error *err);
int priv_pld_epsilon(const struct priv_event *events, size_t n, double delta, double *ret_epsilon,
                     struct atl_error *err);

/** Smallest ε ≥ 0 of N(0, σ²) against N(1, σ²) at δ, from above (Balle-Wang 2018, theorem 8). */
double priv_gaussian_epsilon(double sigma, double delta);

#endif
