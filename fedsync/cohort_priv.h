/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who takes part in a round when not all are wanted: every edge has a lot for it, and those whose
 * lot is at most the plan's take part. Anybody can check; nobody can choose. The cohort is not
 * secret, so it is not counted as sampling by the accountant.
 */
#ifndef FED_COHORT_PRIV_H
#define FED_COHORT_PRIV_H

#include "fedsync/fedsync.h"

/** Lot of all edges. */
#define FED_COHORT_ALL UINT64_MAX

uint64_t fed_cohort_lot(const char *federation, uint64_t epoch, uint64_t round, const char *edge);

/** The lot that lets exactly `wanted` of these take part (FED_COHORT_ALL when that is all). Sorts
 *  them. */
uint64_t fed_cohort_limit(uint64_t *lots, uint32_t n, uint32_t wanted);

#endif
