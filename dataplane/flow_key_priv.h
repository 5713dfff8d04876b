/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_key: what makes two packets belong to the same flow.
 *
 * The two endpoints stand in canonical order (lower address, then lower port, first), so that one
 * hash and one probe serve both directions. There is no padding: the bytes are hashed and compared.
 */
#ifndef DP_FLOW_KEY_PRIV_H
#define DP_FLOW_KEY_PRIV_H

#include <assert.h>
#include <string.h>

#include "dataplane/dataplane.h"

enum {
    DP_PROTO_ICMP = 1,
    DP_PROTO_TCP = 6,
    DP_PROTO_UDP = 17,
    DP_PROTO_ESP = 50,
    DP_PROTO_AH = 51,
    DP_PROTO_ICMPV6 = 58,
    DP_PROTO_SCTP = 132,
};

struct dp_key {
    struct dp_addr addr[2];
    uint16_t port[2];
    uint16_t vlan[2];
    uint32_t tunnel_id;
    uint8_t proto;
    uint8_t tunnel;
    uint16_t zero;
};

static_assert(sizeof(struct dp_key) == 48, "hashed as bytes: no padding allowed");

/** Put the endpoints of *key in order. @return where the first endpoint went: 0 or 1 */
static inline uint8_t dp_key_order(struct dp_key *key)
{
    int order = memcmp(&key->addr[0], &key->addr[1], sizeof(key->addr[0]));
    if (order < 0 || (order == 0 && key->port[0] <= key->port[1]))
        return 0;
    struct dp_addr addr = key->addr[0];
    key->addr[0] = key->addr[1];
    key->addr[1] = addr;
    uint16_t port = key->port[0];
    key->port[0] = key->port[1];
    key->port[1] = port;
    return 1;
}

static inline bool dp_key_equal(const struct dp_key *a, const struct dp_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
