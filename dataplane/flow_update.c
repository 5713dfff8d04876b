/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_update_priv.h"

#define FLAG(bit) (1U << (bit))

enum { WELL_KNOWN_END = 1024 };

static inline bool is_syn(const struct dp_packet *p)
{
    return (p->tcp_flags & (FLAG(DP_SYN) | FLAG(DP_ACK))) == FLAG(DP_SYN);
}

static inline bool is_syn_ack(const struct dp_packet *p)
{
    return (p->tcp_flags & (FLAG(DP_SYN) | FLAG(DP_ACK))) == (FLAG(DP_SYN) | FLAG(DP_ACK));
}

/*
 * Who began: the sender of the first packet seen, but
 *  - a SYN+ACK answers its receiver;
 *  - a TCP packet from the middle of a connection, or a UDP packet, that goes from a well-known
 *    port to a high one is taken for a server's answer.
 * A SYN that comes later (see dp_flow_update) corrects a guess.
 */
static uint8_t guess_initiator(const struct dp_packet *p)
{
    uint8_t other = p->from ^ 1;
    bool tcp = p->key.proto == DP_PROTO_TCP;
    if (tcp && is_syn_ack(p))
        return other;
    if ((tcp && !is_syn(p)) || p->key.proto == DP_PROTO_UDP)
        if (p->key.port[p->from] < WELL_KNOWN_END && p->key.port[other] >= WELL_KNOWN_END)
            return other;
    return p->from;
}

void dp_flow_begin(struct dp_entry *e, const struct dp_packet *p)
{
    e->initiator = guess_initiator(p);
    e->icmp_type = p->icmp_type;
    e->icmp_code = p->icmp_code;
    if (p->key.proto == DP_PROTO_TCP) {
        e->timer = DP_TIMER_HALF_OPEN;
        e->mid_stream = (p->tcp_flags & FLAG(DP_SYN)) == 0;
        e->syn_seen = !e->mid_stream;
    } else {
        e->timer = p->key.proto == DP_PROTO_UDP ? DP_TIMER_UDP : DP_TIMER_IDLE;
    }
}

void dp_flow_restart(struct dp_entry *e)
{
    e->iat_sq_us2 = 0;
    e->iat_min_us = 0;
    e->iat_max_us = 0;
    e->mid_stream = e->key.proto == DP_PROTO_TCP;
    e->reordered = false;
    memset(e->dirs, 0, sizeof(e->dirs));
}

bool dp_flow_reopens(const struct dp_entry *e, const struct dp_packet *p)
{
    return e->timer == DP_TIMER_CLOSED && is_syn(p);
}

static inline void add_saturating_u64(uint64_t *sum, uint64_t n)
{
    if (__builtin_add_overflow(*sum, n, sum))
        *sum = UINT64_MAX;
}

static inline void add_saturating_u32(uint32_t *sum, uint32_t n)
{
    if (__builtin_add_overflow(*sum, n, sum))
        *sum = UINT32_MAX;
}

/* UINT32_MAX µs is 71 minutes; its square still fits in 64 bits. */
static inline uint32_t gap_us(atl_ns from, atl_ns to)
{
    uint64_t us = (to - from) / ATL_NS_PER_US;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static inline void add_gap(uint32_t us, bool only, uint32_t *min, uint32_t *max, uint64_t *sq)
{
    if (only || us < *min)
        *min = us;
    if (us > *max)
        *max = us;
    add_saturating_u64(sq, (uint64_t)us * us);
}

static inline void begin_dir(struct dp_dir *d, const struct dp_packet *p, atl_ns at)
{
    d->first_ns = at;
    d->size_min = p->bytes;
    d->window_init = p->window;
    d->ttl_min = p->ttl;
}

static void update_dir(struct dp_dir *d, const struct dp_packet *p, atl_ns at)
{
    if (d->packets == 0)
        begin_dir(d, p, at);
    else
        add_gap(gap_us(d->last_ns, at), d->packets == 1, &d->iat_min_us, &d->iat_max_us,
                &d->iat_sq_us2);
    d->last_ns = at;
    d->packets++;
    d->bytes += p->bytes;
    d->payload_bytes += p->payload_bytes;
    d->payload_packets += p->payload_bytes != 0;
    add_saturating_u64(&d->size_sq, (uint64_t)p->bytes * p->bytes);
    if (p->bytes < d->size_min)
        d->size_min = p->bytes;
    if (p->bytes > d->size_max)
        d->size_max = p->bytes;
    add_saturating_u32(&d->header_bytes, p->header_bytes);
    if (p->ttl < d->ttl_min)
        d->ttl_min = p->ttl;
    if (p->ttl > d->ttl_max)
        d->ttl_max = p->ttl;
    for (unsigned i = 0; i < DP_TCP_FLAGS; i++)
        d->flags[i] =
            (uint16_t)(d->flags[i] + ((p->tcp_flags >> i & 1U) & (d->flags[i] != UINT16_MAX)));
}

/* In the middle of a stream any answer will do; after a SYN only one that accepts it. */
static bool is_answered(const struct dp_entry *e)
{
    const struct dp_dir *asker = &e->dirs[e->initiator], *other = &e->dirs[e->initiator ^ 1];
    if (asker->packets == 0 || other->packets == 0)
        return false;
    return e->mid_stream || other->flags[DP_SYN] != 0 || other->payload_packets != 0;
}

static void update_tcp(struct dp_entry *e, const struct dp_packet *p)
{
    if (is_syn(p) && !e->syn_seen) {
        e->initiator = p->from;
        e->syn_seen = true;
    }
    if (e->timer == DP_TIMER_HALF_OPEN && is_answered(e))
        e->timer = DP_TIMER_IDLE;
    if (p->tcp_flags & FLAG(DP_FIN))
        e->fins |= (uint8_t)(1U << p->from);
    if ((p->tcp_flags & FLAG(DP_RST)) || e->fins == 3)
        e->timer = DP_TIMER_CLOSED;
}

static inline atl_ns last_seen(const struct dp_entry *e)
{
    return e->dirs[0].last_ns > e->dirs[1].last_ns ? e->dirs[0].last_ns : e->dirs[1].last_ns;
}

void dp_flow_update(struct dp_entry *e, const struct dp_packet *p)
{
    uint64_t before = dp_flow_packets(e);
    atl_ns at = p->ts_ns;
    if (before == 0) {
        e->born_ns = p->clock_ns;
    } else {
        /* Time never runs backwards inside a flow: a late packet counts as arriving now. */
        atl_ns last = last_seen(e);
        if (at < last) {
            at = last;
            e->reordered = true;
        }
        add_gap(gap_us(last, at), before == 1, &e->iat_min_us, &e->iat_max_us, &e->iat_sq_us2);
    }
    e->touched_ns = p->clock_ns;
    update_dir(&e->dirs[p->from], p, at);
    if (e->key.proto == DP_PROTO_TCP)
        update_tcp(e, p);
}

static atl_ns first_seen(const struct dp_entry *e)
{
    const struct dp_dir *a = &e->dirs[0], *b = &e->dirs[1];
    if (a->packets == 0 || (b->packets != 0 && b->first_ns < a->first_ns))
        return b->first_ns;
    return a->first_ns;
}

void dp_flow_record(const struct dp_entry *e, enum dp_end_reason reason, struct dp_flow *ret_flow)
{
    uint8_t src = e->initiator, dst = e->initiator ^ 1;
    *ret_flow = (struct dp_flow){
        .src = e->key.addr[src],
        .dst = e->key.addr[dst],
        .src_port = e->key.port[src],
        .dst_port = e->key.port[dst],
        .proto = e->key.proto,
        .end_reason = (uint8_t)reason,
        .tunnel = e->key.tunnel,
        .icmp_type = e->icmp_type,
        .icmp_code = e->icmp_code,
        .mid_stream = e->mid_stream,
        .reordered = e->reordered,
        .vlan = {e->key.vlan[0], e->key.vlan[1]},
        .tunnel_id = e->key.tunnel_id,
        .first_ns = first_seen(e),
        .last_ns = last_seen(e),
        .iat_sq_us2 = e->iat_sq_us2,
        .iat_min_us = e->iat_min_us,
        .iat_max_us = e->iat_max_us,
        .hash = e->hash,
        .fwd = e->dirs[src],
        .bwd = e->dirs[dst],
    };
}
