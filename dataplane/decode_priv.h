/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode: from a frame to the packet of a flow, or the reason why not.
 *
 * Plain frames (Ethernet, one VLAN tag at most, IP without options, TCP or UDP) take a straight
 * road; everything else goes through a loop of layers. A layer takes its header and names the next
 * one, so a nest of headers costs no stack and one budget bounds it.
 */
#ifndef DP_DECODE_PRIV_H
#define DP_DECODE_PRIV_H

#include "dataplane/cursor_priv.h"
#include "dataplane/domain_priv.h"
#include "dataplane/fragment_priv.h"
#include "dataplane/packet_priv.h"
#include "dataplane/telecom_priv.h"

/** Headers of all kinds in one frame; a frame with more is counted, not followed. */
#define DP_DEPTH_MAX 24

/** The answer of a decoder that found no reason to refuse. */
#define DP_DECODED DP_REASON_COUNT

/** What one worker decodes with. Counters are written by its thread alone. */
struct dp_decoder {
    enum dp_key_view view;
    atl_counter encaps[DP_ENCAP_COUNT];
    atl_counter fallbacks[DP_REASON_COUNT];
    struct dp_fragments fragments;
    struct dp_telecom telecom;
    struct dp_domains domains;
};

#define DP_LAYERS(X)                       \
    X(ETHERNET, dp_layer_ethernet)         \
    X(VLAN, dp_layer_vlan)                 \
    X(LLC, dp_layer_llc)                   \
    X(CMD, dp_layer_cmd)                   \
    X(MPLS, dp_layer_mpls)                 \
    X(PPPOE, dp_layer_pppoe)               \
    X(PPPOE_DISCOVERY, dp_layer_discovery) \
    X(PPP, dp_layer_ppp)                   \
    X(LINK_NULL, dp_layer_null)            \
    X(LINK_SLL, dp_layer_sll)              \
    X(LINK_SLL2, dp_layer_sll2)            \
    X(LINK_CHDLC, dp_layer_chdlc)          \
    X(IP, dp_layer_ip)                     \
    X(IPV4, dp_layer_ipv4)                 \
    X(IPV6, dp_layer_ipv6)                 \
    X(EXTENSION, dp_layer_extension)       \
    X(TRANSPORT, dp_layer_transport)       \
    X(IP_IN_IP, dp_layer_ip_in_ip)         \
    X(ETHERIP, dp_layer_etherip)           \
    X(ETHERNET_IN_IP, dp_layer_eth_in_ip)  \
    X(MPLS_IN_IP, dp_layer_mpls_in_ip)     \
    X(GRE, dp_layer_gre)                   \
    X(WCCP, dp_layer_wccp)                 \
    X(VXLAN, dp_layer_vxlan)               \
    X(VXLAN_GPE, dp_layer_vxlan_gpe)       \
    X(NSH, dp_layer_nsh)                   \
    X(GENEVE, dp_layer_geneve)             \
    X(GTPU, dp_layer_gtpu)                 \
    X(L2TP, dp_layer_l2tp)                 \
    X(L2TPV3_IP, dp_layer_l2tpv3_ip)       \
    X(TEREDO, dp_layer_teredo)             \
    X(MPLS_UDP, dp_layer_mpls_udp)

enum dp_layer {
#define DP_ENUM(id, function) DP_LAYER_##id,
    DP_LAYERS(DP_ENUM)
#undef DP_ENUM
        DP_LAYER_COUNT,
    DP_LAYER_DONE = DP_LAYER_COUNT, /* the packet is decoded */
    DP_LAYER_OUTER,                 /* nothing to follow: the packet is the one that encloses it */
    DP_LAYER_FAIL,                  /* reason says why */
};

/** One frame's decoding, handed from layer to layer. */
struct dp_decode {
    struct dp_cursor cursor; /* never beyond the captured bytes, nor beyond what encloses them */
    uint64_t left;           /* bytes of what encloses the cursor from there on, captured or not */
    uint32_t depth;
    uint8_t proto;  /* of what comes next in IP */
    uint8_t tags;   /* VLAN tags of the Ethernet header at hand */
    bool in_ip;     /* an IP length bounds left, so too little of it is a contradiction */
    bool partial;   /* inside a first fragment: lengths may point beyond it */
    bool v6;        /* the IP header at hand */
    bool first;     /* first fragment of datagram: its ports are to be remembered */
    bool later;     /* later fragment: no transport header */
    bool has_id;    /* the key's tunnel has a number */
    bool has_outer; /* outer is a whole packet to fall back to */
    enum dp_reason reason;
    struct dp_datagram datagram;
    struct dp_decoder *decoder;
    struct dp_packet *packet; /* endpoint 0 is the sender until the very end */
    struct dp_packet outer;
};

void dp_decoder_init(struct dp_decoder *decoder, enum dp_key_view view,
                     const struct atl_hash_key *key);

/**
 * @param ret_packet  every field but hash and clock_ns is set on DP_DECODED; scratch otherwise
 * @return DP_DECODED or the reason to count
 */
ATL_HOT enum dp_reason dp_decode_frame(struct dp_decoder *decoder, const struct dp_frame *frame,
                                       struct dp_packet *ret_packet);
/** The same without the straight road, for tests. */
enum dp_reason dp_decode_any(struct dp_decoder *decoder, const struct dp_frame *frame,
                             struct dp_packet *ret_packet);
/** False for a link type whose frames all end as DP_REASON_LINK_TYPE. */
bool dp_decode_knows_link(uint32_t link);

#define DP_PROTOTYPE(id, function) enum dp_layer function(struct dp_decode *d);
DP_LAYERS(DP_PROTOTYPE)
#undef DP_PROTOTYPE

/** The layer of an EtherType, or DP_LAYER_COUNT. */
enum dp_layer dp_layer_of_ethertype(uint16_t type);
/** What a tunnel without a type field carries: IP by its version, Ethernet by a known EtherType. */
enum dp_layer dp_layer_guess(struct dp_decode *d);
/** True when an Ethernet header with an EtherType that we follow may lie at this offset. */
bool dp_ethernet_at(const struct dp_decode *d, size_t offset);

/** The looks inside, all bounded; the cursor is at the payload. They only count. */
void dp_look_gtpc(struct dp_decode *d);
void dp_look_pfcp(struct dp_decode *d);
void dp_look_diameter(struct dp_decode *d);
void dp_look_sctp(struct dp_decode *d);
void dp_look_dns(struct dp_decode *d);

static inline enum dp_layer dp_fail(struct dp_decode *d, enum dp_reason reason)
{
    d->reason = reason;
    return DP_LAYER_FAIL;
}

/**
 * Take n bytes of headers. What an IP length leaves no room for contradicts the packet; what only
 * the capture leaves no room for was cut. @return false with the reason set
 */
static inline bool dp_need(struct dp_decode *d, size_t n, const uint8_t **ret_p)
{
    if (d->left < n) {
        d->reason = d->in_ip ? DP_REASON_BAD_HEADER : DP_REASON_TRUNCATED;
        return false;
    }
    if (!dp_take(&d->cursor, n, ret_p)) {
        d->reason = DP_REASON_TRUNCATED;
        return false;
    }
    d->left -= n;
    return true;
}

/** Forget what lies behind the next n bytes. */
static inline void dp_enclose(struct dp_decode *d, uint64_t n)
{
    if (n < d->left)
        d->left = n;
    dp_limit(&d->cursor, d->left);
}

/** Look at n bytes without taking them; NULL when the capture does not hold them. */
static inline const uint8_t *dp_peek(const struct dp_decode *d, size_t offset, size_t n)
{
    struct dp_cursor c = d->cursor;
    const uint8_t *p = NULL;
    if (dp_skip(&c, offset))
        (void)dp_take(&c, n, &p);
    return p;
}

/** Why nothing was recognised in the next n bytes: they were cut, or they are something else. */
static inline enum dp_layer dp_not_known(struct dp_decode *d, size_t n)
{
    bool cut = d->left >= n && dp_left(&d->cursor) < n;
    return dp_fail(d, cut ? DP_REASON_TRUNCATED : DP_REASON_NOT_IP);
}

static inline void dp_seen(struct dp_decode *d, enum dp_encap encap)
{
    atl_counter_add(&d->decoder->encaps[encap], 1);
}

static inline void dp_set_tunnel(struct dp_decode *d, enum dp_tunnel tunnel, uint32_t id)
{
    d->packet->key.tunnel = (uint8_t)tunnel;
    d->packet->key.tunnel_id = dp_tunnel_id_each_way((uint8_t)tunnel) ? 0 : id;
    d->packet->tunnel_id = id;
    d->has_id = true;
}

/** A tunnel without a number names the packet only when no other does it better. */
static inline void dp_set_plain_tunnel(struct dp_decode *d, enum dp_tunnel tunnel)
{
    if (!d->has_id)
        d->packet->key.tunnel = (uint8_t)tunnel;
}

/** From here on it is about what the packet carries; it is what remains if that is no good. */
static inline void dp_enter(struct dp_decode *d)
{
    d->outer = *d->packet;
    d->has_outer = true;
    d->partial = d->partial || d->first;
}

#endif
