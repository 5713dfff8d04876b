/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/talk_priv.h"

#include <string.h>

enum {
    PHASE_SYN,
    PHASE_ANSWER,
    PHASE_ESTABLISHED,
    PHASE_EXCHANGE,
    PHASE_REPLY,
    PHASE_ROUND,
    PHASE_AGAIN,
    PHASE_AGAIN_ACK,
    PHASE_CLOSE,
    PHASE_CLOSE_ACK,
    PHASE_CLOSE_FIN,
    PHASE_LAST_ACK,
    PHASES
};

#define CWND_FIRST  10u   /* RFC 6928 */
#define PIGGYBACK_S 0.020 /* an answer within this time carries the acknowledgement */
#define RTO_NS      (200 * ATL_NS_PER_MS)

static const atl_ns syn_retry[] = {1 * ATL_NS_PER_S, 2 * ATL_NS_PER_S, 4 * ATL_NS_PER_S};

static atl_ns go(struct traf_talk *t, uint8_t phase, atl_ns at)
{
    t->phase = phase;
    return at;
}

/* --- a round: what the window allows, and its acknowledgements --- */

static atl_ns start_round(struct traf_flow *flow, atl_ns at)
{
    struct traf_talk *t = &flow->talk;
    uint32_t most = t->cwnd[t->dir];
    uint32_t wanted = (t->left + t->mss - 1) / t->mss;
    t->segments = (uint8_t)(wanted < most ? wanted : most);
    uint32_t full = (uint32_t)t->segments * t->mss;
    t->round_bytes = t->left < full ? t->left : full;
    t->left -= t->round_bytes;
    t->round_seq = t->seq[t->dir];
    t->seq[t->dir] += t->round_bytes;
    t->round_ns = t->next_data_ns = at;
    t->sent = t->acked = 0;
    t->last_ack_us = 0;
    t->acks = (uint8_t)((t->segments + 1) / 2);
    if (t->piggyback && t->left == 0)
        t->acks = t->segments / 2;
    t->lost = -1;
    /* plain-text messages span segments, and analysers stumble over second copies of those */
    bool can_lose = !t->quic && t->script->style != TRAF_HTTP;
    if (can_lose && traf_chance(flow->rng, t->loss * t->segments)) {
        t->lost = (int8_t)atl_rng_below(flow->rng, t->segments);
        t->hidden_loss = traf_chance(flow->rng, 0.4);
        t->acks = (uint8_t)(t->segments == 1 ? 0 : (t->segments + 1) / 2);
    }
    return go(t, PHASE_ROUND, at);
}

static void data_due(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->sent != t->lost || !t->hidden_loss)
        traf_talk_send_data(sim, flow, t->sent);
    t->sent++;
    bool elicits = t->sent % 2 == 0 || t->sent == t->segments;
    uint32_t slot = (t->sent - 1u) / 2;
    if (elicits && slot < t->acks) {
        double jitter = traf_between(flow->rng, 1.0, 1.25);
        uint32_t since = (uint32_t)((sim->now - t->round_ns) / ATL_NS_PER_US);
        uint32_t due = since + (uint32_t)(t->rtt[!t->dir] * jitter) + 20;
        if (due <= t->last_ack_us)
            due = t->last_ack_us + 15;
        t->ack_due_us[slot] = t->last_ack_us = due;
    }
    t->next_data_ns =
        sim->now + 1 + (atl_ns)(t->gap_ns[t->dir] * traf_between(flow->rng, 0.8, 1.3));
}

static void ack_due(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    uint32_t covered = 2u * ++t->acked;
    if (covered > t->sent)
        covered = t->sent;
    if (t->lost >= 0 && covered > (uint32_t)t->lost)
        covered = (uint32_t)t->lost;
    uint32_t bytes = covered * t->mss;
    t->seen[!t->dir] = t->round_seq + (bytes < t->round_bytes ? bytes : t->round_bytes);
    traf_talk_send_ack(sim, flow, !t->dir);
}

static atl_ns transfer_done(struct traf_sim *sim, struct traf_flow *flow);

static atl_ns round_done(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->lost >= 0) {
        bool fast = t->segments - t->lost > 3;
        t->cwnd[t->dir] = t->cwnd[t->dir] / 2 < 2 ? 2 : t->cwnd[t->dir] / 2;
        return go(t, PHASE_AGAIN, sim->now + traf_us(t->rtt[t->dir]) + (fast ? 300000 : RTO_NS));
    }
    t->seen[!t->dir] = t->seq[t->dir];
    if (t->left == 0)
        return transfer_done(sim, flow);
    if (t->segments == t->cwnd[t->dir] && t->cwnd[t->dir] < TRAF_ROUND_SEGMENTS)
        t->cwnd[t->dir] =
            (uint16_t)(t->cwnd[t->dir] * 2 < (int)TRAF_ROUND_SEGMENTS ? t->cwnd[t->dir] * 2
                                                                      : (int)TRAF_ROUND_SEGMENTS);
    atl_ns next = sim->now + traf_us(t->rtt[t->dir]);
    return start_round(flow, next > t->next_data_ns ? next : t->next_data_ns);
}

static atl_ns step_round(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    bool ack_ready =
        t->acked < t->acks && (t->sent >= 2u * (t->acked + 1u) || t->sent == t->segments);
    atl_ns ack_at = ack_ready ? t->round_ns + traf_us(t->ack_due_us[t->acked]) : TRAF_NEVER;
    if (t->sent < t->segments && t->next_data_ns <= sim->now)
        data_due(sim, flow);
    else if (ack_at <= sim->now)
        ack_due(sim, flow);

    if (t->sent == t->segments && t->acked == t->acks)
        return round_done(sim, flow);
    ack_ready = t->acked < t->acks && (t->sent >= 2u * (t->acked + 1u) || t->sent == t->segments);
    ack_at = ack_ready ? t->round_ns + traf_us(t->ack_due_us[t->acked]) : TRAF_NEVER;
    atl_ns data_at = t->sent < t->segments ? t->next_data_ns : TRAF_NEVER;
    return data_at < ack_at ? data_at : ack_at;
}

static atl_ns step_again(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    traf_talk_send_data(sim, flow, (uint32_t)t->lost);
    return go(t, PHASE_AGAIN_ACK, sim->now + traf_us(t->rtt[!t->dir]));
}

static atl_ns step_again_ack(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->lost = -1;
    t->seen[!t->dir] = t->round_seq + t->round_bytes;
    traf_talk_send_ack(sim, flow, !t->dir);
    return round_done(sim, flow);
}

/* --- exchanges --- */

static atl_ns start_transfer(struct traf_flow *flow, uint8_t dir, uint32_t bytes, atl_ns at)
{
    struct traf_talk *t = &flow->talk;
    t->dir = dir;
    t->bytes = t->left = traf_fit(t->script->style, bytes, t->mss);
    return start_round(flow, at);
}

static atl_ns exchange_done(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->exchange < 255)
        t->exchange++;
    if (t->exchange < traf_openings[t->script->style].exchanges || t->exchanges > 0) {
        atl_ns pause = traf_us(t->rtt[0]);
        if (t->period_ms > 0)
            pause += (atl_ns)(1e6 * t->period_ms * traf_between(flow->rng, 0.985, 1.015));
        else if (t->exchange > traf_openings[t->script->style].exchanges)
            pause += traf_draw_ns(flow->rng, &t->script->pause);
        return go(t, PHASE_EXCHANGE, sim->now + pause + 100000 + atl_rng_below(flow->rng, 900000));
    }
    return go(t, PHASE_CLOSE, sim->now + traf_draw_ns(flow->rng, &t->script->linger) + 50000);
}

static atl_ns transfer_done(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->transfer < 255)
        t->transfer++;
    if (t->dir == 1 || t->answer == 0)
        return exchange_done(sim, flow);
    atl_ns wait = traf_draw_ns(flow->rng, &t->script->think);
    if (t->piggyback)
        wait = wait % (atl_ns)(PIGGYBACK_S * 1e9) + traf_us(t->rtt[1]);
    return go(t, PHASE_REPLY, sim->now + wait);
}

static atl_ns step_reply(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->piggyback = false;
    atl_ns first = start_transfer(flow, 1, t->answer, sim->now);
    return first > sim->now ? first : step_round(sim, flow);
}

static uint32_t about(struct traf_flow *flow, uint32_t bytes)
{
    return flow->talk.script->style == TRAF_TLS && bytes > 1000
               ? bytes + (uint32_t)atl_rng_below(flow->rng, bytes / 2)
               : bytes;
}

static atl_ns step_exchange(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    const struct traf_opening *opening = &traf_openings[t->script->style];
    uint32_t up, down;
    if (t->exchange < opening->exchanges) {
        up = opening->up[t->exchange];
        down = about(flow, opening->down[t->exchange]);
    } else if (t->exchanges > 0) {
        t->exchanges--;
        up = traf_draw_u32(flow->rng, &t->script->up);
        down = traf_draw_u32(flow->rng, &t->script->down);
    } else {
        return go(t, PHASE_CLOSE, sim->now + traf_draw_ns(flow->rng, &t->script->linger));
    }
    t->answer = down;
    if (up == 0 && down == 0)
        return exchange_done(sim, flow);
    t->piggyback = up > 0 && down > 0 && traf_chance(flow->rng, 0.45);
    if (up == 0)
        t->transfer += t->transfer < 255;
    return start_transfer(flow, up > 0 ? 0 : 1, up > 0 ? up : down, sim->now + 1);
}

/* --- opening --- */

static atl_ns step_syn(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->quic)
        return step_exchange(sim, flow);
    traf_talk_send(sim, flow, 0, TRAF_SYN, t->seq[0], 0, 0);
    if (t->outcome == TRAF_NO_ANSWER) {
        if (t->tries >= ATL_ARRAY_LEN(syn_retry))
            return TRAF_NEVER;
        return sim->now + syn_retry[t->tries++] + atl_rng_below(flow->rng, 2000000);
    }
    return go(t, PHASE_ANSWER, sim->now + traf_us(t->rtt[1]));
}

static atl_ns refuse(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->seen[1] = t->seq[0] + 1;
    traf_talk_send(sim, flow, 1, TRAF_RST | TRAF_ACK, 0, 0, 0);
    if (t->tries++ >= 2 || flow->path.ttl[0] < 100) /* one family of systems tries three times */
        return TRAF_NEVER;
    return go(t, PHASE_SYN, sim->now + 500 * ATL_NS_PER_MS);
}

static atl_ns unreachable(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    struct traf_segment syn = {.seq = t->seq[0], .flags = TRAF_SYN, .window = t->window[0]};
    traf_syn_options(&syn, 1460, t->stamps, t->heard[1], 0);
    uint8_t *end =
        traf_tcp_begin(&sim->frame, &flow->path, 0, (uint16_t)(flow->ip_id[0] - 1), &syn, 0);
    traf_tcp_end(&flow->path, 0, end, &syn, 0);
    uint8_t router[16];
    memcpy(router, flow->path.addr[1], 16);
    router[flow->path.v6 ? 15 : 3] = 1;
    traf_frame_icmp_error(&sim->frame, &flow->path, TRAF_UNREACH_HOST, router, flow->ip_id[1]++);
    traf_emit(sim, flow);
    return TRAF_NEVER;
}

static atl_ns step_answer(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->outcome == TRAF_REFUSED)
        return refuse(sim, flow);
    if (t->outcome == TRAF_UNREACHABLE)
        return unreachable(sim, flow);
    t->seen[1] = ++t->seq[0];
    traf_talk_send(sim, flow, 1, TRAF_SYN | TRAF_ACK, t->seq[1], 0, 0);
    return go(t, PHASE_ESTABLISHED, sim->now + traf_us(t->rtt[0]));
}

static atl_ns step_established(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->seen[0] = ++t->seq[1];
    traf_talk_send_ack(sim, flow, 0);
    return go(t, PHASE_EXCHANGE, sim->now + 60000 + atl_rng_below(flow->rng, 1500000));
}

/* --- closing --- */

static atl_ns step_close(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    if (t->quic) {
        traf_talk_send_quic(sim, flow, 0, 31);
        return TRAF_NEVER;
    }
    t->closer = traf_chance(flow->rng, 0.35);
    if (traf_chance(flow->rng, t->script->rst_share)) {
        traf_talk_send(sim, flow, t->closer, TRAF_RST | TRAF_ACK, t->seq[t->closer], 0, 0);
        return TRAF_NEVER;
    }
    if (traf_chance(flow->rng, 0.015))
        return TRAF_NEVER; /* gone without a word */
    traf_talk_send(sim, flow, t->closer, TRAF_FIN | TRAF_ACK, t->seq[t->closer]++, 0, 0);
    atl_ns at = sim->now + traf_us(t->rtt[!t->closer]);
    return go(t, traf_chance(flow->rng, 0.4) ? PHASE_CLOSE_ACK : PHASE_CLOSE_FIN, at);
}

static atl_ns step_close_ack(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->seen[!t->closer] = t->seq[t->closer];
    traf_talk_send_ack(sim, flow, !t->closer);
    return go(t, PHASE_CLOSE_FIN, sim->now + 200000 + atl_rng_below(flow->rng, 40000000));
}

static atl_ns step_close_fin(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    int other = !t->closer;
    t->seen[other] = t->seq[t->closer];
    traf_talk_send(sim, flow, other, TRAF_FIN | TRAF_ACK, t->seq[other]++, 0, 0);
    return go(t, PHASE_LAST_ACK, sim->now + traf_us(t->rtt[t->closer]));
}

static atl_ns step_last_ack(struct traf_sim *sim, struct traf_flow *flow)
{
    struct traf_talk *t = &flow->talk;
    t->seen[t->closer] = t->seq[!t->closer];
    if (traf_chance(flow->rng, 0.03)) /* a process that is already gone */
        traf_talk_send(sim, flow, t->closer, TRAF_RST, t->seq[t->closer], 0, 0);
    else
        traf_talk_send_ack(sim, flow, t->closer);
    return TRAF_NEVER;
}

static const traf_step_fn phases[PHASES] = {
    [PHASE_SYN] = step_syn,
    [PHASE_ANSWER] = step_answer,
    [PHASE_ESTABLISHED] = step_established,
    [PHASE_EXCHANGE] = step_exchange,
    [PHASE_REPLY] = step_reply,
    [PHASE_ROUND] = step_round,
    [PHASE_AGAIN] = step_again,
    [PHASE_AGAIN_ACK] = step_again_ack,
    [PHASE_CLOSE] = step_close,
    [PHASE_CLOSE_ACK] = step_close_ack,
    [PHASE_CLOSE_FIN] = step_close_fin,
    [PHASE_LAST_ACK] = step_last_ack,
};

static atl_ns talk_step(struct traf_sim *sim, struct traf_flow *flow)
{
    return phases[flow->talk.phase](sim, flow);
}

/* --- set-up --- */

static uint32_t pace_ns(double bits_per_second, uint32_t bytes)
{
    double ns = 8e9 * (bytes + 60.0) / bits_per_second;
    return ns > 2e9 ? 2000000000u : (uint32_t)ns;
}

void traf_talk_init(struct traf_flow *flow, const struct traf_script *script,
                    const struct traf_host *host, const struct traf_server *server)
{
    struct traf_talk *t = &flow->talk;
    int in = flow->path.inside;
    t->script = script;
    t->stamps = host->stamps;
    uint32_t mss = traf_room(&flow->path, 20) - (host->rtt_us > 20000 ? 60 : 0);
    t->mss = (uint16_t)(mss - (t->stamps ? 12 : 0));
    t->cwnd[0] = t->cwnd[1] = CWND_FIRST;
    t->window[in] = host->window;
    t->window[!in] = server->rank % 2 ? 65160 : 28960;
    t->rtt[in] = host->rtt_us;
    t->rtt[!in] = server->rtt_us;
    double share = traf_between(flow->rng, 0.25, 1.0);
    double down = host->down_bps < server->bps ? host->down_bps : server->bps;
    double up = host->up_bps < server->bps ? host->up_bps : server->bps;
    t->gap_ns[!in] = pace_ns(down * share, t->mss);
    t->gap_ns[in] = pace_ns(up * share, t->mss);
    /* the median line loses one segment in 125, a bad one 8 % */
    const struct traf_dist loss = {TRAF_LOGNORMAL, 0.008, 1.2, 0.08};
    t->loss = (float)traf_draw(flow->rng, &loss);
    t->exchanges = traf_draw_u32(flow->rng, &script->exchanges);
    atl_rng_fill(flow->rng, t->seq, sizeof(t->seq));
    atl_rng_fill(flow->rng, t->stamp, sizeof(t->stamp));
}

void traf_talk_risk(struct traf_flow *flow, double fail_share)
{
    double u = atl_rng_unit(flow->rng) / fail_share;
    flow->talk.outcome = u < 0.5    ? TRAF_NO_ANSWER
                         : u < 0.88 ? TRAF_REFUSED
                         : u < 1.0  ? TRAF_UNREACHABLE
                                    : TRAF_TALKS;
}

void traf_talk_start(struct traf_sim *sim, struct traf_flow *flow, atl_ns at)
{
    traf_flow_start(sim, flow, talk_step, at);
}

void traf_talk_resume(struct traf_sim *sim, struct traf_flow *flow, atl_ns at)
{
    struct traf_talk *t = &flow->talk;
    t->phase = PHASE_EXCHANGE;
    t->exchange = traf_openings[t->script->style].exchanges;
    t->transfer = 2 * t->exchange;
    t->seen[0] = t->seq[1];
    t->seen[1] = t->seq[0];
    traf_flow_start(sim, flow, talk_step, at);
}
