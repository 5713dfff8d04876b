/* SPDX-License-Identifier: Apache-2.0 */
/* packet: a frame as a source hands it over, and what decoding leaves of it. */
#ifndef DP_PACKET_PRIV_H
#define DP_PACKET_PRIV_H

#include "dataplane/flow_key_priv.h"

struct dp_frame {
    const uint8_t *data; /* borrowed until the source's next release */
    uint32_t captured;   /* bytes at data */
    uint32_t wire;       /* bytes the frame had on the wire */
    uint32_t link;       /* DLT_ number */
    atl_ns ts_ns;
};

/** One packet of a flow: all the table needs, nothing points into the frame. */
struct dp_packet {
    struct dp_key key;
    uint64_t hash;   /* set by the worker */
    atl_ns ts_ns;    /* wall time of the packet */
    atl_ns clock_ns; /* time that drives the timeouts, set by the worker */
    uint32_t bytes;  /* of the IP packet */
    uint32_t payload_bytes;
    uint16_t header_bytes; /* transport header */
    uint16_t window;
    uint8_t from;      /* which endpoint of the key sent it */
    uint8_t tcp_flags; /* bit n is enum dp_tcp_flag n */
    uint8_t ttl;
    uint8_t icmp_type, icmp_code;
};

#endif
