/* SPDX-License-Identifier: Apache-2.0 */
/* frame: one Ethernet frame at a time, every checksum right. */
#ifndef TRAF_FRAME_PRIV_H
#define TRAF_FRAME_PRIV_H

#include "base/base.h"

#define TRAF_MTU       1500u
#define TRAF_FRAME_MAX (14u + 4u + TRAF_MTU)

enum {
    TRAF_ICMP = 1,
    TRAF_TCP = 6,
    TRAF_UDP = 17,
    TRAF_ESP = 50,
    TRAF_ICMP6 = 58,
};

enum {
    TRAF_FIN = 0x01,
    TRAF_SYN = 0x02,
    TRAF_RST = 0x04,
    TRAF_PSH = 0x08,
    TRAF_ACK = 0x10,
};

/** The two ends of a conversation; end 0 speaks first. IPv4 uses the first 4 address bytes. */
struct traf_path {
    uint8_t addr[2][16];
    uint16_t port[2];
    uint8_t ttl[2]; /* as seen at the edge router */
    uint16_t vlan;  /* 0 = untagged */
    uint8_t site;   /* for the Ethernet addresses */
    uint8_t inside; /* the end that lies in the site */
    bool v6;
};

struct traf_frame {
    uint32_t bytes;
    uint8_t data[TRAF_FRAME_MAX];
};

struct traf_segment {
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags;
    uint8_t option_bytes; /* multiple of 4, at most 40 */
    uint8_t options[40];
};

void traf_put16(uint8_t *at, uint16_t v);
void traf_put32(uint8_t *at, uint32_t v);

/** Payload bytes that fit beside an L4 header of header_bytes. */
uint32_t traf_room(const struct traf_path *path, uint32_t header_bytes);

/** Ethernet and IP header from end `from`; the caller fills l4_bytes, which must fit the MTU, at
 * the returned place. */
uint8_t *traf_frame_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                          uint8_t proto, uint32_t l4_bytes, uint16_t ip_id);

/** Header now, payload by the caller at the returned place, then the matching _end. */
uint8_t *traf_tcp_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                        uint16_t ip_id, const struct traf_segment *segment, uint32_t payload_bytes);
void traf_tcp_end(const struct traf_path *path, int from, uint8_t *payload,
                  const struct traf_segment *segment, uint32_t payload_bytes);
uint8_t *traf_udp_begin(struct traf_frame *frame, const struct traf_path *path, int from,
                        uint16_t ip_id, uint32_t payload_bytes);
void traf_udp_end(const struct traf_path *path, int from, uint8_t *payload, uint32_t payload_bytes);

/** Echo request (from end 0) or reply with a counted payload. */
void traf_frame_echo(struct traf_frame *frame, const struct traf_path *path, int from,
                     uint16_t ip_id, uint16_t number, uint32_t payload_bytes);

enum traf_unreach { TRAF_UNREACH_HOST, TRAF_UNREACH_PORT, TRAF_TIME_EXCEEDED };
/** ICMP error to end 0 about the IP packet now in *frame, which it replaces. */
void traf_frame_icmp_error(struct traf_frame *frame, const struct traf_path *path,
                           enum traf_unreach what, const uint8_t router[16], uint16_t ip_id);

#endif
