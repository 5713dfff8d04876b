/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many updates → one step. Never weighted: weights would multiply one edge's influence beyond 1/k,
 * which the privacy accounting and the norm bound both rely on.
 */
#ifndef FED_AGGREGATE_PRIV_H
#define FED_AGGREGATE_PRIV_H

#include "fedsync/fedsync.h"

bool fed_all_finite(const float *values, uint32_t n);
/** L2, summed in double. */
double fed_norm(const float *values, uint32_t n);
double fed_norm_double(const double *values, uint32_t n);

/** The updates of one round, in the order they were added. */
struct fed_votes;
int fed_votes_create(struct fed_votes **ret_votes, uint32_t n);
void fed_votes_destroy(struct fed_votes *votes);
/** Room for the next update (n), valid until the next call; NULL without memory. */
float *fed_votes_room(struct fed_votes *votes);
/**
 * Count what was written there.
 * @param norm_max  a longer update is scaled down to it; 0 = off
 * @param tag       the caller's own number for it
 * @return 0, -EDOM (not finite: not counted)
 */
int fed_votes_add(struct fed_votes *votes, double norm_max, uint32_t tag);
uint32_t fed_votes_count(const struct fed_votes *votes);
const float *fed_votes_at(const struct fed_votes *votes, uint32_t i);
uint32_t fed_votes_tag(const struct fed_votes *votes, uint32_t i);
/** Forget one; the order of the others stays. */
void fed_votes_drop(struct fed_votes *votes, uint32_t i);

/**
 * @param trim  FED_TRIMMED: share that is left out at each end of every coordinate, 0 … 0.5
 * @param step  (n)
 * @return 0, -EAGAIN (no votes), -ENOMEM
 */
int fed_votes_combine(const struct fed_votes *votes, enum fed_rule rule, double trim, double *step);

/** Floats of memory that an optimiser carries from round to round: 0, n or 2 n. */
uint32_t fed_optimiser_floats(enum fed_optimiser optimiser, uint32_t n);
/**
 * out = base moved by the step.
 * @param memory  fed_optimiser_floats, zeros at first; updated
 * @return 0, -ERANGE (a result is not finite; memory is then spoiled)
 */
int fed_optimiser_apply(enum fed_optimiser optimiser, float rate, float momentum, const float *base,
                        const double *step, uint32_t n, float *memory, float *out);

#endif
