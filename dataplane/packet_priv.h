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

enum {
    DP_DNS_QUERY = 1,
    DP_DNS_RESPONSE = 2,
    DP_DNS_NXDOMAIN = 4,
    DP_DNS_ODD = 8,
    DP_DNS_NAMED = 16,     /* name and type of the first question were read */
    DP_DNS_TYPE_SHIFT = 5, /* enum dp_dns_type stands above */
    DP_DNS_FAILED = 128,   /* any error code in a response */
};

/** What one DNS packet adds to struct dp_dns. */
struct dp_dns_seen {
    uint8_t what;       /* DP_DNS_ bits; 0 = no DNS */
    uint8_t name_bytes; /* as text */
    uint16_t entropy;   /* 1/256 bit */
};

/** One packet of a flow: all the table needs, nothing points into the frame. */
struct dp_packet {
    struct dp_key key;
    uint64_t hash;   /* set by the worker */
    atl_ns ts_ns;    /* wall time of the packet */
    atl_ns clock_ns; /* time that drives the timeouts, set by the worker */
    uint32_t bytes;  /* of the IP packet */
    uint32_t payload_bytes;
    uint32_t tunnel_id;    /* as this packet has it; 0 without tunnel */
    uint16_t header_bytes; /* transport header */
    union {
        uint16_t window; /* TCP */
        struct {
            uint8_t icmp_type, icmp_code; /* ICMP */
        };
    };
    uint8_t from;      /* which endpoint of the key sent it */
    uint8_t tcp_flags; /* bit n is enum dp_tcp_flag n */
    uint8_t ttl;
    uint8_t qfi;
    struct dp_dns_seen dns;
};

static_assert(sizeof(struct dp_packet) == 96, "a line and a half for each packet of a burst");

#endif
