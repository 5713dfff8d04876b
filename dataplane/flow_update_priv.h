/* SPDX-License-Identifier: Apache-2.0 */
/* flow_update: what one packet changes in its flow, and what a finished flow looks like. */
#ifndef DP_FLOW_UPDATE_PRIV_H
#define DP_FLOW_UPDATE_PRIV_H

#include "dataplane/flow_table_priv.h"

/** Prepare a fresh entry for its first packet: initiator, timer, ICMP type. */
ATL_HOT void dp_flow_begin(struct dp_entry *e, const struct dp_packet *p);
/** Add a packet. Sums are integers; no gap is negative. */
ATL_HOT void dp_flow_update(struct dp_entry *e, const struct dp_packet *p);
/** Empty the sums but keep who began and how far TCP is: the flow goes on in a next record. */
void dp_flow_restart(struct dp_entry *e);
/** True when this packet opens another connection on the tuple of a closed one. */
bool dp_flow_reopens(const struct dp_entry *e, const struct dp_packet *p);
/** Write the finished record. */
void dp_flow_record(const struct dp_entry *e, enum dp_end_reason reason, struct dp_flow *ret_flow);

static inline uint64_t dp_flow_packets(const struct dp_entry *e)
{
    return e->dirs[0].packets + e->dirs[1].packets;
}

#endif
