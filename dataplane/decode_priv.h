/* SPDX-License-Identifier: Apache-2.0 */
/* decode: from a frame to the packet of a flow, or the reason why not. */
#ifndef DP_DECODE_PRIV_H
#define DP_DECODE_PRIV_H

#include "dataplane/cursor_priv.h"
#include "dataplane/fragment_priv.h"
#include "dataplane/packet_priv.h"

/** VLAN tags and IP extension headers together; a frame with more is counted, not followed. */
#define DP_DEPTH_MAX 16

/** The answer of a decoder that found no reason to refuse. */
#define DP_DECODED DP_REASON_COUNT

/** One frame's decoding, handed from layer to layer. */
struct dp_decode {
    struct dp_cursor cursor; /* never beyond the captured bytes, nor beyond the IP packet */
    uint64_t wire;           /* bytes of the frame from the cursor on, captured or not */
    uint32_t depth;
    uint32_t rest; /* bytes of the IP packet behind the headers taken so far, captured or not */
    uint8_t proto; /* of what comes next */
    bool first;    /* first fragment of datagram: its ports are to be remembered */
    bool later;    /* later fragment: no transport header */
    struct dp_datagram datagram;
    struct dp_fragments *fragments;
    struct dp_packet *packet; /* endpoint 0 is the sender until the very end */
};

/**
 * @param ret_packet  every field but hash and clock_ns is set on DP_DECODED; scratch otherwise
 * @return DP_DECODED or the reason to count
 */
ATL_HOT enum dp_reason dp_decode_frame(struct dp_fragments *fragments, const struct dp_frame *frame,
                                       struct dp_packet *ret_packet);
/** False for a link type whose frames all end as DP_REASON_LINK_TYPE. */
bool dp_decode_knows_link(uint32_t link);

/** The layers, each called with the cursor at its first byte. */
enum dp_reason dp_decode_ethertype(struct dp_decode *d, uint16_t type);
enum dp_reason dp_decode_ip(struct dp_decode *d);
enum dp_reason dp_decode_ipv4(struct dp_decode *d);
enum dp_reason dp_decode_ipv6(struct dp_decode *d);
enum dp_reason dp_decode_transport(struct dp_decode *d);

#endif
