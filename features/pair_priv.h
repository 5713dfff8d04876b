/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair: what one address does again and again with one service of another.
 *
 * Fixed memory, sets of eight. Who has called twice or less gives way first, then who was silent
 * longest. A pair is known by a keyed 64-bit hash alone.
 */
#ifndef FEAT_PAIR_PRIV_H
#define FEAT_PAIR_PRIV_H

#include "features/beacon_priv.h"
#include "features/features.h"

struct pair {
    uint64_t id;    /* 0 = free */
    atl_ns last_ns; /* end of the latest flow */
    /* Of the last window, each older flow counting less (e-fold a window). */
    float calls, alike; /* flows; of them near the usual size */
    float bytes_out, bytes_in;
    float size_log2;       /* usual size of a call */
    float score, period_s; /* of the calls' regularity, 0 when it is no more than chance */
    float steady;          /* share of the gaps near the usual one, 0 when chance might do it */
    uint32_t before;       /* as given when the pair was new */
    uint16_t src_port;     /* of the latest flow */
    uint8_t stamps, unscored;
    uint32_t stamp[BEACON_STAMPS]; /* beginnings of calls, BEACON_TICK_NS, ascending */
};

struct pairs {
    struct pair *set; /* sets of PAIR_WAYS */
    uint32_t sets;    /* power of two */
    float window_s;
};

/** @return 0, -ENOMEM */
int feat_pairs_init(struct pairs *pairs, uint32_t pairs_max, atl_ns window_ns);
void feat_pairs_finish(struct pairs *pairs); /* zeroed is fine */
size_t feat_pairs_bytes(uint32_t pairs_max);
/**
 * Count a flow of this pair. The record that goes on with a conversation cut by a timeout adds
 * bytes, but is no call.
 * @param before     windows of the caller's past without this pair; 0 when it knew the other end
 * @param ret_again  the pair had called before within about a window
 */
const struct pair *feat_pairs_add(struct pairs *pairs, uint64_t id, const struct dp_flow *flow,
                                  uint32_t before, bool *ret_again);
#endif
