/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distribute: which worker keeps a flow, and the rings that carry its packets there.
 *
 * What travels is the decoded packet, not the frame: a frame is decoded once, by whoever read it,
 * and goes back to its driver with its own burst. So later fragments find their first one, and
 * both backends hand over alike. The owner comes from the keyed hash of the inner tuple, which is
 * the same for both directions.
 */
#ifndef DP_DISTRIBUTE_PRIV_H
#define DP_DISTRIBUTE_PRIV_H

#include "dataplane/packet_priv.h"

struct dp_distribute;

/** @param sources  the first so many of the workers read packets. @return 0, -ENOMEM */
int dp_distribute_create(struct dp_distribute **ret_d, uint32_t sources, uint32_t workers);
void dp_distribute_destroy(struct dp_distribute *d); /* NULL is fine */
/** Bytes that the rings take at most, whatever the number of sources. */
uint64_t dp_distribute_bytes(uint32_t workers);

/** Depends on all bits of the hash: what is left is spread evenly over any table. */
static inline uint32_t dp_distribute_owner(uint64_t hash, uint32_t workers)
{
    uint64_t mixed = (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
    return (uint32_t)(mixed * workers >> 32);
}

/**
 * Pass on those of n packets that belong to others. Never waits: a full ring loses its packet.
 * @param self  a worker that reads packets
 * @return how many are its own; they stand first in the batch, in their order
 */
ATL_HOT uint32_t dp_distribute_give(struct dp_distribute *d, uint32_t self, struct dp_packet *batch,
                                    uint32_t n, uint32_t *ret_given, uint32_t *ret_lost);
/** @return packets copied from the rings of others to the batch, at most max */
ATL_HOT uint32_t dp_distribute_take(struct dp_distribute *d, uint32_t self, struct dp_packet *batch,
                                    uint32_t max);
/** True when each ring that leads away from self can take n packets. */
bool dp_distribute_has_room(const struct dp_distribute *d, uint32_t self, uint32_t n);

/**
 * Files: the reader's clock, told after its packets were given; others may call it in vain. Who
 * asks for it and then finds its rings empty has seen every packet up to that time.
 */
void dp_distribute_tell(struct dp_distribute *d, uint32_t self, atl_ns clock_ns);
atl_ns dp_distribute_told(const struct dp_distribute *d);

/** Worker self gives nothing any more. */
void dp_distribute_close(struct dp_distribute *d, uint32_t self);
/** True when nothing is left for self and nobody will give more. */
bool dp_distribute_ended(const struct dp_distribute *d, uint32_t self);

#endif
