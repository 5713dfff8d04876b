/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fragment: remembers the ports of first fragments, so that the later ones join their flow.
 *
 * Fixed memory; a new first fragment takes the place of whoever sits in its slot. A miss costs
 * accuracy (the fragment goes to a flow with ports 0), never the packet.
 */
#ifndef DP_FRAGMENT_PRIV_H
#define DP_FRAGMENT_PRIV_H

#include "dataplane/flow_key_priv.h"

#define DP_FRAGMENT_SLOTS 4096
#define DP_FRAGMENT_NS    (30 * ATL_NS_PER_S)

/** Which datagram a fragment belongs to (RFC 791 §3.2, RFC 8200 §4.5). No padding: it is hashed. */
struct dp_datagram {
    struct dp_addr src, dst;
    uint32_t id;
    uint32_t tunnel_id; /* addresses may be used again in another tunnel */
    uint16_t vlan[2];
    uint8_t tunnel;
    uint8_t proto; /* as written beside the fragment offset */
    uint16_t zero;
};

/** What only the first fragment tells. */
struct dp_fragment_hint {
    uint16_t src_port, dst_port;
    uint8_t proto; /* behind the extension headers */
};

struct dp_fragments {
    struct atl_hash_key key;
    struct {
        struct dp_datagram datagram;
        struct dp_fragment_hint hint;
        atl_ns seen_ns;
        bool used;
    } slots[DP_FRAGMENT_SLOTS];
};

void dp_fragments_put(struct dp_fragments *f, const struct dp_datagram *datagram,
                      const struct dp_fragment_hint *hint, atl_ns now_ns);
/** @return NULL when the first fragment was not seen in the last 30 s */
const struct dp_fragment_hint *dp_fragments_get(const struct dp_fragments *f,
                                                const struct dp_datagram *datagram, atl_ns now_ns);

#endif
