/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel: which flows to look at now.
 *
 * Coarse slots of intrusive lists. A packet does not move its flow: when the slot comes up the
 * caller looks at the true deadline and arms the flow again (lazy re-arm).
 */
#ifndef DP_WHEEL_PRIV_H
#define DP_WHEEL_PRIV_H

#include "dataplane/flow_table_priv.h"

#define DP_WHEEL_SLOTS   4096
#define DP_WHEEL_TICK_NS (100 * ATL_NS_PER_MS)

struct dp_wheel {
    uint64_t tick; /* the next to be looked at */
    bool started;
    uint32_t heads[DP_WHEEL_SLOTS];
};

void dp_wheel_init(struct dp_wheel *w);
/** Look at the entry once its deadline has passed, at most one tick later, maybe earlier. */
ATL_HOT void dp_wheel_arm(struct dp_wheel *w, struct dp_table *t, struct dp_entry *e,
                          atl_ns deadline_ns);
ATL_HOT void dp_wheel_disarm(struct dp_wheel *w, struct dp_table *t, struct dp_entry *e);
/** @return an entry whose slot has come up, disarmed; NULL when none is left at this time */
ATL_HOT struct dp_entry *dp_wheel_next(struct dp_wheel *w, struct dp_table *t, atl_ns now_ns);

#endif
