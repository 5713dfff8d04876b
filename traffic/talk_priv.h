/* SPDX-License-Identifier: Apache-2.0 */
/* talk: a whole conversation over TCP (or QUIC), from the first SYN to the last ACK. */
#ifndef TRAF_TALK_PRIV_H
#define TRAF_TALK_PRIV_H

#include "traffic/payload_priv.h"
#include "traffic/place_priv.h"

/** What the two ends say. End 0 asks, end 1 answers, again and again. */
struct traf_script {
    enum traf_style style;
    struct traf_dist exchanges; /* after the opening that the style needs */
    struct traf_dist up, down;  /* bytes; 0 = this end says nothing */
    struct traf_dist think;     /* seconds the server takes */
    struct traf_dist pause;     /* seconds between exchanges */
    struct traf_dist linger;    /* seconds from the last exchange to the close */
    double rst_share;           /* closed by RST instead of FIN */
};

enum traf_outcome { TRAF_TALKS, TRAF_NO_ANSWER, TRAF_REFUSED, TRAF_UNREACHABLE };

/** The path is set. What the lines allow becomes pace; outcome is TRAF_TALKS. */
void traf_talk_init(struct traf_flow *flow, const struct traf_script *script,
                    const struct traf_host *host, const struct traf_server *server);
/** As the world is: a few per cent of the connections fail. */
void traf_talk_risk(struct traf_flow *flow, double fail_share);
void traf_talk_start(struct traf_sim *sim, struct traf_flow *flow, atl_ns at);
/** The conversation is old: begins in the middle of a pause. */
void traf_talk_resume(struct traf_sim *sim, struct traf_flow *flow, atl_ns at);

/** MSS, SACK, timestamps and window scale as on a SYN; also used by scans and floods. */
void traf_syn_options(struct traf_segment *segment, uint16_t mss, bool stamps, uint32_t stamp,
                      uint32_t echo);

/* One packet of a conversation (talk_packet.c). offset is where the payload lies in the transfer.
 */
void traf_talk_send(struct traf_sim *sim, struct traf_flow *flow, int from, uint8_t flags,
                    uint32_t seq, uint32_t offset, uint32_t bytes);
void traf_talk_send_quic(struct traf_sim *sim, struct traf_flow *flow, int from, uint32_t bytes);
/** Segment `index` of the present round. */
void traf_talk_send_data(struct traf_sim *sim, struct traf_flow *flow, uint32_t index);
void traf_talk_send_ack(struct traf_sim *sim, struct traf_flow *flow, int from);

#endif
