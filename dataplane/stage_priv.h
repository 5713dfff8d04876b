/* SPDX-License-Identifier: Apache-2.0 */
/* stage: what the steps of a burst cost, measured on one burst of many. */
#ifndef DP_STAGE_PRIV_H
#define DP_STAGE_PRIV_H

#include "dataplane/cycles_priv.h"
#include "dataplane/dataplane.h"

#include <string.h>

/** Bursts between two that are timed. */
#define DP_STAGE_BURSTS 1024

struct dp_stages {
    uint32_t bursts; /* with packets, until the next that is timed */
    bool timed;
    uint64_t since;
    uint64_t cycles[DP_STAGE_COUNT];
};

static inline void dp_stage_begin(struct dp_stages *s)
{
    s->timed = s->bursts == 0;
    if (ATL_LIKELY(!s->timed))
        return;
    memset(s->cycles, 0, sizeof(s->cycles));
    s->since = dp_cycles();
}

/** What passed since the last mark was spent on this stage. */
static inline void dp_stage_mark(struct dp_stages *s, enum dp_stage stage)
{
    if (ATL_LIKELY(!s->timed))
        return;
    uint64_t now = dp_cycles();
    s->cycles[stage] += now - s->since;
    s->since = now;
}

/**
 * Add a timed burst to the sums; one without packets says nothing and the next is timed instead.
 * @param seen     frames read
 * @param handled  packets that went to the table
 */
static inline void dp_stage_end(struct dp_stages *s, uint32_t seen, uint32_t handled,
                                atl_counter cycles[DP_STAGE_COUNT],
                                atl_counter packets[DP_STAGE_COUNT])
{
    if (seen + handled == 0)
        return;
    if (ATL_LIKELY(!s->timed)) {
        s->bursts--;
        return;
    }
    s->bursts = DP_STAGE_BURSTS - 1;
    for (size_t i = 0; i < DP_STAGE_COUNT; i++) {
        atl_counter_add(&cycles[i], s->cycles[i]);
        atl_counter_add(&packets[i], i < DP_STAGE_TABLE ? seen : handled);
    }
}

#endif
