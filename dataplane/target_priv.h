/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: who is aimed at, counted where a flow begins and before the table finds room for it.
 *
 * A flood of forged sources is one entry here, whatever it does to the flow table.
 */
#ifndef DP_TARGET_PRIV_H
#define DP_TARGET_PRIV_H

#include "dataplane/packet_priv.h"
#include "dataplane/summary_priv.h"

struct dp_targets {
    struct atl_hash_key key;
    struct dp_summaries table; /* by address; what it may have missed is dp_target.missed */
};

/** A flow begins with *p, or would if there were room. */
void dp_target_begin(struct dp_targets *t, const struct dp_packet *p);
/** One packet of a burst of n, chosen without regard to its contents. */
void dp_target_sample(struct dp_targets *t, const struct dp_packet *p, uint32_t n);

#endif
