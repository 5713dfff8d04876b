/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "traffic/datagram_priv.h"

#define SIP_MAX 1200

/* One call as both ends see it (RFC 3261 §24.2); times in ms after the message before */
static const struct {
    const char *line; /* request line without the address, or status line */
    const char *method;
    uint8_t from, cseq;
    bool request, sdp;
    uint32_t wait_low_ms, wait_high_ms;
} steps[] = {
    {"INVITE", "INVITE", 0, 1, true, true, 0, 0},
    {"SIP/2.0 100 Trying", "INVITE", 1, 1, false, false, 4, 12},
    {"SIP/2.0 180 Ringing", "INVITE", 1, 1, false, false, 80, 400},
    {"SIP/2.0 200 OK", "INVITE", 1, 1, false, true, 1500, 5000},
    {"ACK", "ACK", 0, 1, true, false, 5, 15},
    {"BYE", "BYE", 0, 2, true, false, 0, 0},
    {"SIP/2.0 200 OK", "BYE", 1, 2, false, false, 5, 20},
};
enum { STEP_BYE = 5 };

static void end_text(const struct traf_path *path, int end, char out[INET6_ADDRSTRLEN])
{
    inet_ntop(path->v6 ? AF_INET6 : AF_INET, path->addr[end], out, INET6_ADDRSTRLEN);
}

static int put_sdp(const struct traf_flow *flow, int from, char *out, size_t room)
{
    char own[INET6_ADDRSTRLEN];
    end_text(&flow->path, from, own);
    const char *family = flow->path.v6 ? "IP6" : "IP4";
    return snprintf(out, room,
                    "v=0\r\no=- %u 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n"
                    "m=audio %u RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
                    flow->dgram.ssrc[from] >> 8, family, own, family, own,
                    from == 0 ? flow->dgram.peers & 0xffff : flow->dgram.peers >> 16);
}

static int put_message(const struct traf_flow *flow, uint32_t step, char *out)
{
    const struct traf_datagrams *d = &flow->dgram;
    char own[INET6_ADDRSTRLEN], host[INET6_ADDRSTRLEN + 2], sdp[320] = "";
    end_text(&flow->path, 0, own);
    snprintf(host, sizeof(host), flow->path.v6 ? "[%s]" : "%s", own);
    int sdp_bytes = steps[step].sdp ? put_sdp(flow, steps[step].from, sdp, sizeof(sdp)) : 0;
    char first[96];
    if (steps[step].request)
        snprintf(first, sizeof(first), "%s sip:%u@voice.example SIP/2.0", steps[step].line,
                 d->ids[1]);
    else
        snprintf(first, sizeof(first), "%s", steps[step].line);
    return snprintf(out, SIP_MAX,
                    "%s\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK%08x\r\nMax-Forwards: 70\r\n"
                    "From: <sip:%u@voice.example>;tag=%x\r\nTo: <sip:%u@voice.example>%s\r\n"
                    "Call-ID: %08x%08x@voice.example\r\nCSeq: %u %s\r\n"
                    "Contact: <sip:%u@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
                    first, host, d->ssrc[0] + steps[step].cseq, d->ids[0], d->ids[0] ^ 0x5a5a,
                    d->ids[1], step >= 2 ? ";tag=77" : "", d->ssrc[0], d->ssrc[1], steps[step].cseq,
                    steps[step].method, d->ids[0], host,
                    sdp_bytes > 0 ? "Content-Type: application/sdp\r\n" : "", sdp_bytes, sdp);
}

static atl_ns sip_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    char text[SIP_MAX];
    int from = steps[d->phase].from;
    uint32_t bytes = (uint32_t)put_message(flow, d->phase, text);
    uint8_t *payload = traf_udp_begin(&sim->frame, &flow->path, from, flow->ip_id[from]++, bytes);
    memcpy(payload, text, bytes);
    traf_udp_end(&flow->path, from, payload, bytes);
    traf_emit(sim, flow);
    if (++d->phase == ATL_ARRAY_LEN(steps))
        return TRAF_NEVER;
    if (d->phase == STEP_BYE)
        return d->until;
    double ms = traf_between(flow->rng, steps[d->phase].wait_low_ms, steps[d->phase].wait_high_ms);
    /* the step after the 200 is fixed by traf_sip_start, so that media follow the answer */
    return d->phase == 3 ? d->next[0] : sim->now + (atl_ns)(ms * 1e6) + traf_us(d->rtt_us);
}

atl_ns traf_sip_start(struct traf_sim *sim, struct traf_flow *flow, uint16_t media_port, atl_ns at,
                      atl_ns call)
{
    struct traf_datagrams *d = &flow->dgram;
    uint16_t far_port = (uint16_t)(16384 + 2 * atl_rng_below(flow->rng, 5000));
    d->peers = (uint32_t)far_port << 16 | media_port;
    flow->path.port[0] = 5060;
    d->next[0] = at + (atl_ns)(1e9 * traf_between(flow->rng, 2.0, 6.0)); /* somebody answers */
    d->until = d->next[0] + call;
    traf_flow_start(sim, flow, sip_step, at);
    return d->next[0] + 60 * ATL_NS_PER_MS;
}
