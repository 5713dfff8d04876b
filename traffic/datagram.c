/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/datagram_priv.h"

#include <string.h>

#include "traffic/dns_priv.h"
#include "traffic/payload_priv.h"

static void send_udp(struct traf_sim *sim, struct traf_flow *flow, int from, const uint8_t *data,
                     uint32_t bytes)
{
    uint8_t *payload = traf_udp_begin(&sim->frame, &flow->path, from, flow->ip_id[from]++, bytes);
    memcpy(payload, data, bytes);
    traf_udp_end(&flow->path, from, payload, bytes);
    traf_emit(sim, flow);
}

void traf_datagram_init(struct traf_flow *flow, const struct traf_host *host,
                        const struct traf_server *server)
{
    struct traf_datagrams *d = &flow->dgram;
    d->rtt_us = server->rtt_us;
    d->think_us = 100 + (uint32_t)atl_rng_below(flow->rng, 900);
    if (flow->path.inside == 1)
        d->rtt_us = host->rtt_us;
    atl_rng_fill(flow->rng, d->ids, sizeof(d->ids));
    atl_rng_fill(flow->rng, d->ssrc, sizeof(d->ssrc));
}

/* --- DNS --- */

enum { DNS_ASK_4, DNS_ASK_6, DNS_TELL_4, DNS_TELL_6 };

static void dns_message(struct traf_sim *sim, struct traf_flow *flow, int which)
{
    struct traf_datagrams *d = &flow->dgram;
    char name[TRAF_NAME_BYTES];
    traf_server_name(sim, d->name, name);
    struct traf_server server;
    traf_server_make(sim, d->name, &server);
    bool six = which == 1;
    bool known = d->number[0] == TRAF_DNS_OK && (!six || server.has_v6);
    struct traf_dns dns = {
        .id = d->ids[six],
        .type = six ? TRAF_DNS_AAAA : TRAF_DNS_A,
        .name = name,
        .edns = d->peers != 0,
        .rcode = (uint8_t)d->number[0],
    };
    uint8_t out[TRAF_DNS_MAX], addresses[4 * 16];
    bool answer = d->phase >= DNS_TELL_4;
    if (answer && known) {
        dns.answers = (uint8_t)(1 + d->name % 4);
        for (uint32_t i = 0; i < dns.answers; i++) {
            uint8_t *at = addresses + i * (six ? 16 : 4);
            memcpy(at, six ? server.addr6 : server.addr4, six ? 16 : 4);
            at[six ? 15 : 3] = (uint8_t)(at[six ? 15 : 3] + i);
        }
        dns.data = addresses;
    }
    uint32_t bytes = answer ? traf_dns_answer(out, &dns) : traf_dns_query(out, &dns);
    send_udp(sim, flow, answer, out, bytes);
}

static atl_ns dns_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    uint8_t phase = d->phase;
    dns_message(sim, flow, phase & 1);
    if (phase == DNS_ASK_4) {
        d->phase = DNS_ASK_6;
        return sim->now + d->think_us * ATL_NS_PER_US / 4;
    }
    if (phase == DNS_ASK_6 && d->fails) {
        d->phase = DNS_ASK_4;
        return d->tries++ < 2 ? sim->now + 1000 * ATL_NS_PER_MS * d->tries : TRAF_NEVER;
    }
    if (phase == DNS_TELL_6)
        return TRAF_NEVER;
    d->phase++;
    return sim->now + (phase == DNS_ASK_6 ? traf_us(d->rtt_us) : traf_us(d->think_us));
}

atl_ns traf_dns_start(struct traf_sim *sim, struct traf_flow *flow, uint32_t name, atl_ns at)
{
    struct traf_datagrams *d = &flow->dgram;
    double u = atl_rng_unit(flow->rng);
    d->name = name;
    d->fails = u < 0.010;
    d->number[0] = u < 0.010   ? TRAF_DNS_OK
                   : u < 0.014 ? TRAF_DNS_SERVFAIL
                   : u < 0.032 ? TRAF_DNS_NXDOMAIN
                               : TRAF_DNS_OK;
    d->peers = traf_chance(flow->rng, 0.4);
    if (traf_chance(flow->rng, 0.25)) /* not in the resolver's cache */
        d->rtt_us += 8000 + (uint32_t)atl_rng_below(flow->rng, 90000);
    traf_flow_start(sim, flow, dns_step, at);
    return at + traf_us(d->rtt_us + 3 * d->think_us);
}

/* --- one question, one answer --- */

static uint32_t ntp_message(struct traf_sim *sim, struct traf_flow *flow, int from, uint8_t *out)
{
    memset(out, 0, 48);
    out[0] = from == 0 ? 0x23 : 0x24;
    out[1] = from == 0 ? 3 : 2;
    out[2] = 6 + flow->dgram.ids[0] % 5;
    out[3] = 0xe9;
    traf_put32(out + 4, 0x00000800 + flow->dgram.ids[0] % 512);
    traf_put32(out + 8, 0x00000400 + flow->dgram.ids[1] % 512);
    traf_put32(out + 12, TRAF_IP4(198, 18, 0, 123));
    uint32_t seconds =
        (uint32_t)(sim->now / ATL_NS_PER_S + 2208988800ULL); /* RFC 5905: since 1900 */
    for (uint32_t at = 16; at < 48; at += 8) {
        traf_put32(out + at, seconds - (at == 16 ? 300 : 0));
        traf_put32(out + at + 4, flow->dgram.ssrc[0] + at * 977);
    }
    return 48;
}

/* SNMPv2c GET of sysUpTime.0 and its answer (RFC 3416) */
static uint32_t snmp_message(struct traf_sim *sim, struct traf_flow *flow, int from, uint8_t *out)
{
    static const uint8_t body[] = {
        0x30, 41, 2, 1, 1, 4,    6,  'p',  'u', 'b', 'l', 'i',  'c', 0xa0, 28, 2, 4, 0, 0, 0, 0, 2,
        1,    0,  2, 1, 0, 0x30, 14, 0x30, 12,  6,   8,   0x2b, 6,   1,    2,  1, 1, 3, 0, 5, 0};
    memcpy(out, body, sizeof(body));
    traf_put32(out + 17, flow->dgram.ssrc[0] & 0x3fffffff);
    if (from == 0)
        return sizeof(body);
    out[1] += 4;
    out[13] = 0xa2;
    out[14] += 4;
    out[28] += 4;
    out[30] += 4;
    out[41] = 0x43;
    out[42] = 4;
    traf_put32(out + 43, (uint32_t)(sim->now / 10000000) & 0x3fffffff);
    return sizeof(body) + 4;
}

/* CoAP POST /t with a reading, 2.04 Changed in return (RFC 7252) */
static uint32_t coap_message(struct traf_sim *sim, struct traf_flow *flow, int from, uint8_t *out)
{
    out[0] = from == 0 ? 0x44 : 0x64;
    out[1] = from == 0 ? 0x02 : 0x44;
    traf_put16(out + 2, flow->dgram.ids[0]);
    traf_put32(out + 4, flow->dgram.ssrc[0]);
    if (from == 1)
        return 8;
    out[8] = 0xb1;
    out[9] = 't';
    out[10] = 0xff;
    uint32_t reading = 14 + flow->dgram.ids[1] % 40;
    traf_noise(sim, flow->dgram.ssrc[1], out + 11, reading);
    return 11 + reading;
}

static uint32_t (*const messages[TRAF_QUERIES])(struct traf_sim *, struct traf_flow *, int,
                                                uint8_t *) = {
    [TRAF_NTP] = ntp_message,
    [TRAF_SNMP] = snmp_message,
    [TRAF_COAP] = coap_message,
};

static atl_ns query_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    uint8_t out[128];
    send_udp(sim, flow, d->phase, out, messages[d->left](sim, flow, d->phase, out));
    if (d->phase == 1)
        return TRAF_NEVER;
    if (d->fails)
        return d->tries++ < 2 ? sim->now + 2 * ATL_NS_PER_S : TRAF_NEVER;
    d->phase = 1;
    return sim->now + traf_us(d->rtt_us + d->think_us);
}

void traf_query_start(struct traf_sim *sim, struct traf_flow *flow, enum traf_query kind, atl_ns at)
{
    flow->dgram.left = kind;
    flow->dgram.fails = traf_chance(flow->rng, 0.015);
    traf_flow_start(sim, flow, query_step, at);
}

/* --- streams --- */

enum header { HEADER_RTP, HEADER_ESP, HEADER_NONE };

struct stream_kind {
    enum header header;
    struct traf_dist gap_s[2]; /* one draw for the stream: its mean gap */
    double jitter;             /* spread of single gaps, share of the mean */
    struct traf_dist size[2];
};

static const struct stream_kind streams[TRAF_STREAMS] = {
    [TRAF_RTP] = {HEADER_RTP,
                  {{TRAF_FIXED, 0.020, 0, 0}, {TRAF_FIXED, 0.020, 0, 0}},
                  0.04,
                  {{TRAF_FIXED, 172, 0, 0}, {TRAF_FIXED, 172, 0, 0}}},
    [TRAF_RTP_VIDEO_UP] = {HEADER_RTP,
                           {{TRAF_LOGNORMAL, 0.014, 0.3, 0.1}, {TRAF_FIXED, 5, 0, 0}},
                           0.9,
                           {{TRAF_UNIFORM, 400, 1200, 0}, {TRAF_UNIFORM, 60, 90, 0}}},
    [TRAF_VPN] = {HEADER_ESP,
                  {{TRAF_LOGNORMAL, 0.06, 0.9, 2}, {TRAF_LOGNORMAL, 0.05, 0.9, 2}},
                  1.0,
                  {{TRAF_LOGNORMAL, 150, 0.8, 1380}, {TRAF_LOGNORMAL, 500, 1.0, 1380}}},
    [TRAF_VPN_ESP] = {HEADER_ESP,
                      {{TRAF_LOGNORMAL, 0.05, 0.9, 2}, {TRAF_LOGNORMAL, 0.04, 0.9, 2}},
                      1.0,
                      {{TRAF_LOGNORMAL, 180, 0.8, 1380}, {TRAF_LOGNORMAL, 480, 1.0, 1380}}},
    [TRAF_GAME] = {HEADER_NONE,
                   {{TRAF_UNIFORM, 0.030, 0.036, 0}, {TRAF_UNIFORM, 0.045, 0.055, 0}},
                   0.15,
                   {{TRAF_LOGNORMAL, 70, 0.3, 400}, {TRAF_LOGNORMAL, 160, 0.4, 1100}}},
    [TRAF_PEER] = {HEADER_NONE,
                   {{TRAF_LOGNORMAL, 0.4, 1.0, 8}, {TRAF_LOGNORMAL, 0.4, 1.0, 8}},
                   1.0,
                   {{TRAF_LOGNORMAL, 180, 0.9, 1300}, {TRAF_LOGNORMAL, 250, 1.0, 1300}}},
};

/* RFC 3550 §5.1; PCMU is payload type 0, the camera uses a dynamic one */
static void put_rtp(struct traf_flow *flow, int from, uint8_t *out, bool video)
{
    struct traf_datagrams *d = &flow->dgram;
    out[0] = 0x80;
    out[1] = video && from == 0 ? 96 : 0;
    traf_put16(out + 2, (uint16_t)d->number[from]);
    traf_put32(out + 4, d->ssrc[from] / 2 + d->number[from] * 160);
    traf_put32(out + 8, d->ssrc[from]);
}

static void stream_send(struct traf_sim *sim, struct traf_flow *flow, int from)
{
    struct traf_datagrams *d = &flow->dgram;
    const struct stream_kind *kind = &streams[d->left];
    uint32_t bytes = traf_draw_u32(flow->rng, &kind->size[from]);
    bytes = bytes < 32 ? 32 : bytes;
    d->number[from]++;
    uint8_t out[TRAF_MTU];
    traf_noise(sim, d->ssrc[from] + d->number[from] * 7919, out, bytes);
    if (kind->header == HEADER_RTP)
        put_rtp(flow, from, out, d->left == TRAF_RTP_VIDEO_UP);
    if (kind->header == HEADER_ESP) { /* RFC 4303 §2, blocks of 4 */
        bytes &= ~3u;
        traf_put32(out, d->ssrc[from] | 0x1000);
        traf_put32(out + 4, d->number[from]);
    }
    if (kind->header == HEADER_NONE) { /* not the first bytes of STUN, RTP, QUIC or CLTP */
        out[0] = (uint8_t)(0x10 | (out[0] & 0x03));
        out[1] = 0;
    }
    if (d->left != TRAF_VPN_ESP) {
        send_udp(sim, flow, from, out, bytes);
        return;
    }
    uint8_t *payload =
        traf_frame_begin(&sim->frame, &flow->path, from, TRAF_ESP, bytes, flow->ip_id[from]++);
    memcpy(payload, out, bytes);
    traf_emit(sim, flow);
}

static atl_ns stream_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    if (sim->now >= d->until)
        return TRAF_NEVER;
    int from = d->next[1] < d->next[0];
    stream_send(sim, flow, from);
    double jitter = streams[d->left].jitter;
    double gap = d->gap_s[from];
    atl_ns wait = jitter >= 1.0
                      ? traf_gap_ns(flow->rng, 1.0 / gap)
                      : (atl_ns)(1e9 * gap * traf_between(flow->rng, 1.0 - jitter, 1.0 + jitter));
    d->next[from] = sim->now + wait + 1;
    return d->next[0] < d->next[1] ? d->next[0] : d->next[1];
}

void traf_stream_start(struct traf_sim *sim, struct traf_flow *flow, enum traf_stream kind,
                       atl_ns at, atl_ns duration)
{
    struct traf_datagrams *d = &flow->dgram;
    d->left = kind;
    d->until = at + duration;
    for (int i = 0; i < 2; i++) {
        d->gap_s[i] = traf_draw(flow->rng, &streams[kind].gap_s[i]);
        d->number[i] = i ? 1 : d->ids[0];
    }
    d->next[0] = at;
    d->next[1] = at + traf_us(d->rtt_us) + (atl_ns)(1e9 * d->gap_s[1] * atl_rng_unit(flow->rng));
    traf_flow_start(sim, flow, stream_step, at);
}

/* --- ICMP --- */

static atl_ns ping_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    int from = d->phase;
    traf_frame_echo(&sim->frame, &flow->path, from, flow->ip_id[from]++, (uint16_t)d->number[0],
                    56);
    traf_emit(sim, flow);
    bool lost = from == 0 && (d->fails || traf_chance(flow->rng, 0.01));
    if (from == 0 && !lost) {
        d->phase = 1;
        return sim->now + traf_us(d->rtt_us) + atl_rng_below(flow->rng, 300000);
    }
    d->phase = 0;
    d->number[0]++;
    return --d->left > 0 ? sim->now + ATL_NS_PER_S - traf_us(d->rtt_us % 900000) : TRAF_NEVER;
}

void traf_ping_start(struct traf_sim *sim, struct traf_flow *flow, uint16_t count, atl_ns at)
{
    struct traf_datagrams *d = &flow->dgram;
    d->left = count;
    d->number[0] = 1;
    d->fails = traf_chance(flow->rng, 0.03);
    flow->path.port[0] = d->ids[0];
    traf_flow_start(sim, flow, ping_step, at);
}

/* Three probes a hop to rising ports, as traceroute(8) does */
static void trace_probe(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    flow->path.ttl[0] = (uint8_t)(d->number[0] / 3 + 1);
    flow->path.port[1] = (uint16_t)(33434 + d->number[0]);
    uint8_t *payload = traf_udp_begin(&sim->frame, &flow->path, 0, flow->ip_id[0], 32);
    for (uint8_t i = 0; i < 32; i++)
        payload[i] = (uint8_t)(0x40 + i);
    traf_udp_end(&flow->path, 0, payload, 32);
}

static atl_ns trace_step(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_datagrams *d = &flow->dgram;
    uint32_t hop = d->number[0] / 3, hops = d->peers;
    trace_probe(sim, flow);
    if (d->phase == 0) {
        traf_emit(sim, flow);
        if (d->ssrc[0] >> (hop % 32) & 1 && hop + 1 < hops) { /* a router that keeps silent */
            d->number[0]++;
            return sim->now + 200 * ATL_NS_PER_MS;
        }
        d->phase = 1;
        return sim->now + traf_us(d->rtt_us / hops * (hop + 1)) + 50000;
    }
    uint8_t router[16];
    memcpy(router, flow->path.addr[1], 16);
    if (hop + 1 < hops) {
        router[flow->path.v6 ? 15 : 3] = (uint8_t)(1 + hop);
        router[flow->path.v6 ? 14 : 2] ^= (uint8_t)(hop * 3);
    }
    traf_frame_icmp_error(&sim->frame, &flow->path,
                          hop + 1 < hops ? TRAF_TIME_EXCEEDED : TRAF_UNREACH_PORT, router,
                          flow->ip_id[1]++);
    traf_emit(sim, flow);
    d->phase = 0;
    return ++d->number[0] < 3 * hops ? sim->now + 400000 : TRAF_NEVER;
}

void traf_trace_start(struct traf_sim *sim, struct traf_flow *flow, atl_ns at)
{
    flow->dgram.peers = 6 + (uint32_t)atl_rng_below(flow->rng, 9);
    flow->dgram.ssrc[0] &= flow->dgram.ssrc[1] & (flow->dgram.ssrc[1] >> 7);
    traf_flow_start(sim, flow, trace_step, at);
}
