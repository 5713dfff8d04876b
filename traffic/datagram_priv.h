/* SPDX-License-Identifier: Apache-2.0 */
/* datagram: what is not TCP. */
#ifndef TRAF_DATAGRAM_PRIV_H
#define TRAF_DATAGRAM_PRIV_H

#include "traffic/place_priv.h"

/** One question, one answer. */
enum traf_query { TRAF_NTP, TRAF_SNMP, TRAF_COAP, TRAF_QUERIES };
/** Both ends send at their own pace until a time. */
enum traf_stream {
    TRAF_RTP,
    TRAF_RTP_VIDEO_UP,
    TRAF_VPN,
    TRAF_VPN_ESP,
    TRAF_GAME,
    TRAF_PEER,
    TRAF_STREAMS
};

void traf_datagram_init(struct traf_flow *flow, const struct traf_host *host,
                        const struct traf_server *server);
/** A and AAAA from one port. @return when the answers are there */
atl_ns traf_dns_start(struct traf_sim *sim, struct traf_flow *flow, uint32_t name, atl_ns at);
void traf_query_start(struct traf_sim *sim, struct traf_flow *flow, enum traf_query kind,
                      atl_ns at);
void traf_stream_start(struct traf_sim *sim, struct traf_flow *flow, enum traf_stream kind,
                       atl_ns at, atl_ns duration);
void traf_ping_start(struct traf_sim *sim, struct traf_flow *flow, uint16_t count, atl_ns at);
void traf_trace_start(struct traf_sim *sim, struct traf_flow *flow, atl_ns at);
/** INVITE … 200 at `at`, BYE after the call. @return when the media may flow */
atl_ns traf_sip_start(struct traf_sim *sim, struct traf_flow *flow, uint16_t media_port, atl_ns at,
                      atl_ns call);

#endif
