/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/talk_priv.h"

#include <string.h>

static uint32_t clock_ms(const struct traf_sim *sim, const struct traf_talk *t, int from)
{
    return t->stamp[from] + (uint32_t)((sim->now - sim->start + TRAF_WARM_UP_NS) / ATL_NS_PER_MS);
}

void traf_syn_options(struct traf_segment *segment, uint16_t mss, bool stamps, uint32_t stamp,
                      uint32_t echo)
{
    uint8_t *at = segment->options;
    const uint8_t size[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
    memcpy(at, size, sizeof(size));
    at += 4;
    if (stamps) {
        const uint8_t kinds[4] = {4, 2, 8, 10};
        memcpy(at, kinds, sizeof(kinds));
        traf_put32(at + 4, stamp);
        traf_put32(at + 8, echo);
        at += 12;
    } else {
        const uint8_t kinds[4] = {1, 1, 4, 2};
        memcpy(at, kinds, sizeof(kinds));
        at += 4;
    }
    const uint8_t scale[4] = {1, 3, 3, 7};
    memcpy(at, scale, sizeof(scale));
    segment->option_bytes = (uint8_t)(at + 4 - segment->options);
}

static void put_options(const struct traf_sim *sim, struct traf_flow *flow, int from,
                        struct traf_segment *segment)
{
    struct traf_talk *t = &flow->talk;
    uint32_t stamp = clock_ms(sim, t, from);
    uint32_t echo = t->heard[from];
    t->heard[!from] = stamp;
    if (segment->flags & TRAF_SYN) {
        uint16_t mss = (uint16_t)(t->mss + (t->stamps ? 12 : 0));
        traf_syn_options(segment, mss, t->stamps, stamp, segment->flags & TRAF_ACK ? echo : 0);
        return;
    }
    if (!t->stamps || segment->flags & TRAF_RST)
        return;
    const uint8_t head[4] = {1, 1, 8, 10};
    memcpy(segment->options, head, sizeof(head));
    traf_put32(segment->options + 4, stamp);
    traf_put32(segment->options + 8, echo);
    segment->option_bytes = 12;
}

/* seq and payload of one TCP segment; offset is where it lies in the transfer */
void traf_talk_send(struct traf_sim *sim, struct traf_flow *flow, int from, uint8_t flags,
                    uint32_t seq, uint32_t offset, uint32_t bytes)
{
    struct traf_talk *t = &flow->talk;
    struct traf_segment segment = {.seq = seq, .flags = flags};
    segment.ack = flags & TRAF_ACK ? t->seen[from] : 0;
    /* a receiver that reads along: the window dips a little with what is on its way */
    uint32_t dip = (t->seen[from] >> 7) % 29;
    segment.window = flags & TRAF_SYN   ? t->window[from]
                     : flags & TRAF_RST ? 0
                                        : (uint16_t)(t->window[from] / 64 + 480 - dip);
    put_options(sim, flow, from, &segment);
    uint8_t *payload =
        traf_tcp_begin(&sim->frame, &flow->path, from, flow->ip_id[from]++, &segment, bytes);
    if (bytes > 0) {
        struct traf_piece piece = {t->script->style, (uint8_t)from, t->transfer,
                                   offset,           t->bytes,      t->stamp[from]};
        traf_fill(sim, &piece, payload, bytes);
    }
    traf_tcp_end(&flow->path, from, payload, &segment, bytes);
    traf_emit(sim, flow);
}

void traf_talk_send_quic(struct traf_sim *sim, struct traf_flow *flow, int from, uint32_t bytes)
{
    struct traf_talk *t = &flow->talk;
    uint8_t *payload = traf_udp_begin(&sim->frame, &flow->path, from, flow->ip_id[from]++, bytes);
    traf_fill_quic(sim, t->stamp[0], (uint8_t)from, t->transfer < 2, t->seq[from], payload, bytes);
    traf_udp_end(&flow->path, from, payload, bytes);
    traf_emit(sim, flow);
}

void traf_talk_send_data(struct traf_sim *sim, struct traf_flow *flow, uint32_t index)
{
    struct traf_talk *t = &flow->talk;
    uint32_t at = index * t->mss;
    uint32_t bytes = t->round_bytes - at < t->mss ? t->round_bytes - at : t->mss;
    if (t->quic) {
        bool hello = t->transfer < 2;
        traf_talk_send_quic(sim, flow, t->dir, hello ? 1200 : bytes < 24 ? 24 + bytes : bytes);
        return;
    }
    uint32_t offset = t->bytes - t->left - t->round_bytes + at;
    bool last = index + 1u == t->segments;
    traf_talk_send(sim, flow, t->dir, last ? TRAF_PSH | TRAF_ACK : TRAF_ACK, t->round_seq + at,
                   offset, bytes);
}

void traf_talk_send_ack(struct traf_sim *sim, struct traf_flow *flow, int from)
{
    if (flow->talk.quic)
        traf_talk_send_quic(sim, flow, from, 29 + (uint32_t)atl_rng_below(flow->rng, 12));
    else
        traf_talk_send(sim, flow, from, TRAF_ACK, flow->talk.seq[from], 0, 0);
}
