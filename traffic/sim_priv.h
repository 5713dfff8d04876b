/* SPDX-License-Identifier: Apache-2.0 */
/* sim: one event heap in time order; every conversation is a small state machine in it. */
#ifndef TRAF_SIM_PRIV_H
#define TRAF_SIM_PRIV_H

#include "traffic/draw_priv.h"
#include "traffic/frame_priv.h"
#include "traffic/traffic.h"

/* Before the capture begins the site already lives: conversations are cut by the start as by the
 * end of a real capture. */
#define TRAF_WARM_UP_NS  (90 * ATL_NS_PER_S)
#define TRAF_NOISE_BYTES 65536u
#define TRAF_CHUNK_FLOWS 256u
#define TRAF_FLOWS_MAX   4000000u
#define TRAF_NEVER       UINT64_MAX

struct traf_sim;
struct traf_flow;

/** One event of a flow at sim->now. @return when to step again; TRAF_NEVER = over, free it */
typedef atl_ns (*traf_step_fn)(struct traf_sim *sim, struct traf_flow *flow);

/* --- conversations with a reliable transport: TCP, and UDP dressed as QUIC --- */

#define TRAF_ROUND_SEGMENTS 64u

struct traf_script;

struct traf_talk {
    const struct traf_script *script;
    uint8_t phase, outcome, tries, exchange, transfer; /* the last two stop counting at 255 */
    uint8_t dir, closer; /* who sends in the present round; who ends */
    bool quic, stamps, piggyback, hidden_loss;
    int8_t lost; /* segment of the round that is sent twice, -1 = none */
    uint16_t mss, cwnd[2], window[2];
    uint32_t seq[2], seen[2];     /* next byte to send; what the other end has acknowledged */
    uint32_t stamp[2], heard[2];  /* timestamp clock offsets in ms; last value from the other end */
    uint32_t rtt[2], gap_ns[2];   /* vantage point to end and back, us; between data segments */
    float loss;                   /* share of data segments */
    uint32_t exchanges;           /* still to come after the opening */
    uint32_t period_ms;           /* of exchanges; 0 = pauses as the script draws them */
    uint32_t bytes, left, answer; /* this transfer, what is left of it, the one that answers it */
    /* the present round: up to 64 segments and the acknowledgements they cause */
    atl_ns round_ns, next_data_ns;
    uint32_t round_seq, round_bytes, last_ack_us;
    uint8_t segments, sent, acks, acked;
    uint32_t ack_due_us[TRAF_ROUND_SEGMENTS / 2]; /* from round_ns */
};

/* --- everything else --- */

struct traf_datagrams {
    uint8_t phase, tries;
    bool fails;
    uint32_t rtt_us, think_us;
    uint32_t name; /* which name a DNS query asks for */
    uint16_t ids[2];
    uint16_t left;
    uint32_t peers;
    atl_ns until, next[2];
    uint32_t number[2], ssrc[2];
    double gap_s[2];
};

struct traf_flow {
    traf_step_fn step;
    struct atl_rng *rng;
    struct traf_path path;
    int32_t attack; /* -1 = benign */
    bool counted;
    uint16_t ip_id[2];
    union {
        struct traf_talk talk;
        struct traf_datagrams dgram;
    };
};

struct traf_event {
    atl_ns at;
    uint64_t order;
    struct traf_flow *flow;
};

struct traf_chunk {
    struct traf_chunk *next;
    struct traf_flow flows[TRAF_CHUNK_FLOWS];
};

struct traf_sim {
    const struct traf_config *cfg;
    traf_packet_fn emit;
    void *ctx;
    struct traf_summary *summary;
    atl_ns now, start, end;
    int status;

    struct traf_event *heap;
    uint32_t events, room;
    uint64_t lane_order[TRAF_ATTACKS_MAX + 1];
    struct traf_chunk *chunks;
    struct traf_flow **spare;
    uint32_t spares, flows_made;

    struct atl_hash_key habits;
    struct atl_rng benign;
    struct atl_rng lanes[TRAF_ATTACKS_MAX]; /* so that an attack changes no benign packet */
    struct traf_frame frame;
    uint8_t noise[TRAF_NOISE_BYTES + TRAF_MTU];
    uint8_t text[TRAF_NOISE_BYTES + TRAF_MTU];
};

/** A zeroed flow on the given lane (-1 = benign), or NULL with sim->status set. */
struct traf_flow *traf_flow_get(struct traf_sim *sim, int32_t attack);
/** Hand the flow to the heap; the first step comes at `at`. */
void traf_flow_start(struct traf_sim *sim, struct traf_flow *flow, traf_step_fn step, atl_ns at);
/** sim->frame goes out at sim->now. */
void traf_emit(struct traf_sim *sim, struct traf_flow *flow);

static inline atl_ns traf_us(uint32_t us)
{
    return (atl_ns)us * ATL_NS_PER_US;
}

#endif
