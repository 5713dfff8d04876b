/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: a bounded table of what is told once a second.
 *
 * Heavy hitters by space saving (Metwally et al. 2005) in sets of eight: what finds its set full
 * takes the place of the lightest entry and inherits its weight.
 */
#ifndef DP_SUMMARY_PRIV_H
#define DP_SUMMARY_PRIV_H

#include "dataplane/dataplane.h"

#define DP_SUMMARY_SETS 64
#define DP_SUMMARY_WAYS 8

struct dp_summary {
    uint32_t weight; /* notes since the last report, with those it may have missed; 0 = free */
    struct dp_report report;
};

struct dp_summaries {
    struct dp_summary sets[DP_SUMMARY_SETS][DP_SUMMARY_WAYS];
};

/** Empty the lightest entry of a set for someone new; its weight stays. */
struct dp_summary *dp_summary_replace(struct dp_summary set[DP_SUMMARY_WAYS],
                                      enum dp_report_kind kind);

/** One more packet of that time. */
void dp_summary_note(struct dp_summary *s, atl_ns ts_ns);

/** Hand over all entries and begin anew; what finds the ring full stays. */
void dp_summary_report(struct dp_summaries *s, struct atl_ring *reports);

/** The hash's first 6 bits choose the register, the rest gives the rank 1 … 59. */
static inline void dp_distinct_add(struct dp_distinct *d, uint64_t hash)
{
    uint8_t rank = (uint8_t)(1 + __builtin_ctzll(hash >> 6 | UINT64_C(1) << 58));
    uint8_t *at = &d->rank[hash % DP_DISTINCT_REGISTERS];
    *at = rank > *at ? rank : *at;
}

#endif
