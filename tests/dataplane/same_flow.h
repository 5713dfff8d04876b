/* SPDX-License-Identifier: Apache-2.0 */
/* same_flow: two records field by field, for the padding between fields says nothing. */
#ifndef TEST_DP_SAME_FLOW_H
#define TEST_DP_SAME_FLOW_H

#include <string.h>

#include "dataplane/dataplane.h"

#define SAME(field) (a->field == b->field)

static inline bool same_dir(const struct dp_dir *a, const struct dp_dir *b)
{
    return SAME(packets) && SAME(bytes) && SAME(payload_bytes) && SAME(size_sq) &&
           SAME(iat_sq_us2) && SAME(first_ns) && SAME(last_ns) && SAME(iat_min_us) &&
           SAME(iat_max_us) && SAME(size_min) && SAME(size_max) && SAME(header_bytes) &&
           SAME(payload_packets) && memcmp(a->flags, b->flags, sizeof(a->flags)) == 0 &&
           SAME(window_init) && SAME(ttl_min) && SAME(ttl_max);
}

/** All but the hash, which each engine keys for itself. */
static inline bool same_flow(const struct dp_flow *a, const struct dp_flow *b)
{
    return memcmp(&a->src, &b->src, sizeof(a->src)) == 0 &&
           memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 && SAME(src_port) && SAME(dst_port) &&
           SAME(proto) && SAME(end_reason) && SAME(tunnel) && SAME(icmp_type) && SAME(icmp_code) &&
           SAME(mid_stream) && SAME(reordered) && SAME(vlan[0]) && SAME(vlan[1]) &&
           SAME(tunnel_id) && SAME(qfi) && memcmp(&a->dns, &b->dns, sizeof(a->dns)) == 0 &&
           SAME(first_ns) && SAME(last_ns) && SAME(iat_sq_us2) && SAME(iat_min_us) &&
           SAME(iat_max_us) && same_dir(&a->fwd, &b->fwd) && same_dir(&a->bwd, &b->bwd);
}

#undef SAME

#endif
