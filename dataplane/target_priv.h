/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: who is aimed at, counted where a flow begins and before the table finds room for it.
 *
 * Heavy hitters by space saving (Metwally et al. 2005) in sets of eight: an address that finds its
 * set full takes the place of the lightest one and is told how much it may have missed. A flood of
 * forged sources is one entry here, whatever it does to the flow table.
 */
#ifndef DP_TARGET_PRIV_H
#define DP_TARGET_PRIV_H

#include "dataplane/packet_priv.h"

#define DP_TARGET_SETS 64
#define DP_TARGET_WAYS 8

struct dp_target_entry {
    uint32_t weight; /* notes since the last report, with those it may have missed; 0 = free */
    atl_ns first_ns, last_ns;
    struct dp_target target;
};

struct dp_targets {
    struct atl_hash_key key;
    struct dp_target_entry entries[DP_TARGET_SETS][DP_TARGET_WAYS];
};

/** A flow begins with *p, or would if there were room. */
void dp_target_begin(struct dp_targets *t, const struct dp_packet *p);
/** One packet of a burst of n, chosen without regard to its contents. */
void dp_target_sample(struct dp_targets *t, const struct dp_packet *p, uint32_t n);
/** Hand over all entries and begin anew; what finds the ring full stays. */
void dp_target_report(struct dp_targets *t, struct atl_ring *reports);

/** The hash's first 6 bits choose the register, the rest gives the rank 1 … 59. */
static inline void dp_distinct_add(struct dp_distinct *d, uint64_t hash)
{
    uint8_t rank = (uint8_t)(1 + __builtin_ctzll(hash >> 6 | UINT64_C(1) << 58));
    uint8_t *at = &d->rank[hash % DP_DISTINCT_REGISTERS];
    *at = rank > *at ? rank : *at;
}

#endif
