/* SPDX-License-Identifier: Apache-2.0 */
/* flow_update: what one packet changes in its flow, and what a finished flow looks like. */
#ifndef DP_FLOW_UPDATE_PRIV_H
#define DP_FLOW_UPDATE_PRIV_H

#include "dataplane/flow_table_priv.h"

/** Prepare a fresh entry for its first packet: initiator, timer, ICMP type, detail. */
ATL_HOT void dp_flow_begin(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p);
/** Add a packet. Sums are integers; no gap is negative. */
ATL_HOT void dp_flow_update(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p);
/** Empty the sums but keep who began and how far TCP is: the flow goes on in a next record. */
void dp_flow_restart(struct dp_table *t, struct dp_entry *e);
/** Write the finished record. */
void dp_flow_record(const struct dp_table *t, const struct dp_entry *e, enum dp_end_reason reason,
                    struct dp_flow *ret_flow);

/** True when this packet opens another connection on the tuple of a closed one. */
static inline bool dp_flow_reopens(const struct dp_entry *e, const struct dp_packet *p)
{
    const unsigned syn = 1U << DP_SYN, ack = 1U << DP_ACK;
    return e->timer == DP_TIMER_CLOSED && (p->tcp_flags & (syn | ack)) == syn;
}

/*
 * True when the record has no room for another packet. Bounds: a packet adds less than 2^32 bytes
 * and less than 2^31 of headers; moments are 48 bits of nanoseconds, 78 hours, so half of that is
 * the longest silence (a wall clock was set, or the capture is odd) that can be told from a short
 * one.
 */
static inline bool dp_flow_is_full(const struct dp_entry *e, const struct dp_packet *p)
{
    const struct dp_hot_dir *d = &e->dirs[p->from];
    return dp_dir_packets(d) == (1U << 24) - 1 || dp_dir_bytes(d) >> 39 != 0 ||
           d->overhead_bytes >> 31 != 0 ||
           (e->seen != 0 && p->ts_ns > e->last_ns && (p->ts_ns - e->last_ns) >> 47 != 0);
}

/** True until the flow has shown to be more than a flood's packet: answered TCP, or two packets. */
static inline bool dp_flow_on_probation(const struct dp_entry *e)
{
    return e->seen < 2 || e->timer == DP_TIMER_HALF_OPEN;
}

#endif
