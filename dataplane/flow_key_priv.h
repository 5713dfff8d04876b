/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_key: what makes two packets belong to the same flow.
 *
 * The two endpoints stand in canonical order, so that one hash and one probe serve both directions.
 * There is no padding: the bytes are hashed and compared.
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

enum {
    DP_ETHERTYPE_IPV4 = 0x0800,
    DP_ETHERTYPE_ARP = 0x0806,
    DP_ETHERTYPE_VLAN = 0x8100,
    DP_ETHERTYPE_IPV6 = 0x86dd,
};

struct dp_key {
    struct dp_addr addr[2];
    uint16_t port[2];
    uint16_t vlan[2];
    uint32_t tunnel_id; /* 0 where each direction has its own */
    uint8_t proto;
    uint8_t tunnel;
    uint16_t zero;
};

static_assert(sizeof(struct dp_key) == 48, "hashed as bytes: no padding allowed");

/** Tunnels whose two directions have a number each: the key has none, or it would part them. */
static inline bool dp_tunnel_id_each_way(uint8_t tunnel)
{
    const uint32_t each_way = 1U << DP_TUNNEL_MPLS | 1U << DP_TUNNEL_PPTP | 1U << DP_TUNNEL_GTPU |
                              1U << DP_TUNNEL_L2TP | 1U << DP_TUNNEL_L2TPV3;
    static_assert(DP_TUNNEL_COUNT <= 32, "a bit for each");
    return (each_way >> tunnel & 1) != 0;
}

static inline uint64_t dp_key_word(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline bool dp_addr_equal(const struct dp_addr *a, const struct dp_addr *b)
{
    return dp_key_word(a->bytes) == dp_key_word(b->bytes) &&
           dp_key_word(a->bytes + 8) == dp_key_word(b->bytes + 8);
}

/** ::ffff:a.b.c.d */
static inline struct dp_addr dp_addr_mapped(const uint8_t *v4)
{
    struct dp_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(addr.bytes + 12, v4, 4);
    return addr;
}

/** The lower word of ::ffff:a.b.c.d, as it lies, from a.b.c.d as it lies. */
static inline uint64_t dp_key_mapped(uint32_t last)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (uint64_t)last << 32 | 0xffff0000U;
#else
    return 0xffffULL << 32 | last;
#endif
}

/** The same as dp_addr_is_v4, in two words. */
static inline bool dp_addr_is_mapped(const struct dp_addr *addr)
{
    static const uint8_t prefix[4] = {0, 0, 0xff, 0xff};
    uint32_t middle, wanted;
    memcpy(&middle, addr->bytes + 8, sizeof(middle));
    memcpy(&wanted, prefix, sizeof(wanted));
    return dp_key_word(addr->bytes) == 0 && middle == wanted;
}

/**
 * @return 0 when the first endpoint is first in canonical order, else 1. Any order will do that
 * both directions agree on, so the words are compared as they lie, and without a branch on traffic.
 */
static inline unsigned dp_words_swap(uint64_t a_high, uint64_t a_low, uint64_t b_high,
                                     uint64_t b_low, uint16_t a_port, uint16_t b_port)
{
    unsigned same_high = a_high == b_high, same_low = a_low == b_low;
    unsigned port_more = a_port > b_port, low_more = a_low > b_low, high_more = a_high > b_high;
    return high_more | (same_high & (low_more | (same_low & port_more)));
}

static inline unsigned dp_key_swaps(const struct dp_addr *a, const struct dp_addr *b,
                                    uint16_t a_port, uint16_t b_port)
{
    return dp_words_swap(dp_key_word(a->bytes), dp_key_word(a->bytes + 8), dp_key_word(b->bytes),
                         dp_key_word(b->bytes + 8), a_port, b_port);
}

/** Put the endpoints of *key in order. @return where the first endpoint went: 0 or 1 */
static inline uint8_t dp_key_order(struct dp_key *key)
{
    if (dp_key_swaps(&key->addr[0], &key->addr[1], key->port[0], key->port[1]) == 0)
        return 0;
    struct dp_addr addr = key->addr[0];
    key->addr[0] = key->addr[1];
    key->addr[1] = addr;
    uint16_t port = key->port[0];
    key->port[0] = key->port[1];
    key->port[1] = port;
    return 1;
}

/* Six words without a branch: a call to memcmp cost a tenth of the whole way from file to flow. */
static inline bool dp_key_equal(const struct dp_key *a, const struct dp_key *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    uint64_t differ = 0;
    for (size_t at = 0; at < sizeof(*a); at += sizeof(uint64_t))
        differ |= dp_key_word(x + at) ^ dp_key_word(y + at);
    return differ == 0;
}

#endif
