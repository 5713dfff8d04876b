/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_update_priv.h"

#include <stddef.h>

#include "dataplane/dns_digest_priv.h"

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

void dp_flow_begin(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p)
{
    e->initiator = guess_initiator(p);
    e->qfi = p->qfi;
    if (p->key.proto == DP_PROTO_TCP) {
        e->timer = DP_TIMER_HALF_OPEN;
        e->mid_stream = (p->tcp_flags & FLAG(DP_SYN)) == 0;
        e->syn_seen = !e->mid_stream;
    } else if (p->key.proto == DP_PROTO_UDP) {
        e->timer = DP_TIMER_UDP;
    } else {
        struct dp_cold *cold = dp_table_cold(t, e);
        e->timer = DP_TIMER_IDLE;
        cold->icmp.type = p->icmp_type;
        cold->icmp.code = p->icmp_code;
    }
    dp_detail_open(&t->detail, dp_table_number(t, e), e);
}

void dp_flow_restart(struct dp_table *t, struct dp_entry *e)
{
    struct dp_cold *cold = dp_table_cold(t, e);
    e->iat_sq_us2 = 0;
    e->iat_min_us = 0;
    e->iat_max_us = 0;
    e->seen = 0;
    e->mid_stream = e->proto == DP_PROTO_TCP;
    e->reordered = false;
    memset(e->dirs, 0, sizeof(e->dirs));
    if (e->proto == DP_PROTO_TCP)
        memset(&cold->tcp, 0, sizeof(cold->tcp));
    else if (e->proto == DP_PROTO_UDP)
        memset(&cold->dns, 0, sizeof(cold->dns));
    dp_detail_restart(&t->detail, dp_table_number(t, e), e);
}

static inline void add_saturating_u64(uint64_t *sum, uint64_t n)
{
    if (__builtin_add_overflow(*sum, n, sum))
        *sum = UINT64_MAX;
}

static inline void add_gap(uint32_t us, bool only, uint32_t *min, uint32_t *max, uint64_t *sq)
{
    if (only || us < *min)
        *min = us;
    if (us > *max)
        *max = us;
    add_saturating_u64(sq, (uint64_t)us * us);
}

/*
 * Where each direction has a number of its own, what only TCP counts is free to hold it in all
 * other flows. Of a TCP flow the initiator's is kept, or the responder's while there is none.
 */
static void note_tunnel_id(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p)
{
    if (e->proto != DP_PROTO_TCP) {
        e->dirs[p->from].psh = (uint16_t)(p->tunnel_id >> 16);
        e->dirs[p->from].ack = (uint16_t)p->tunnel_id;
    } else if (p->from == e->initiator || e->dirs[p->from ^ 1].volume == 0) {
        dp_table_cold(t, e)->tcp.tunnel_id = p->tunnel_id;
    }
}

static uint32_t tunnel_id_of(const struct dp_table *t, const struct dp_entry *e)
{
    if (!dp_tunnel_id_each_way(e->tunnel))
        return e->tunnel_id;
    if (e->proto == DP_PROTO_TCP)
        return dp_table_cold(t, e)->tcp.tunnel_id;
    unsigned from = e->dirs[e->initiator].volume != 0 ? e->initiator : e->initiator ^ 1U;
    return (uint32_t)e->dirs[from].psh << 16 | e->dirs[from].ack;
}

static inline void begin_dir(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p,
                             atl_ns at)
{
    struct dp_hot_dir *d = &e->dirs[p->from];
    d->first = dp_moment_of(at);
    d->size_min = dp_size_pack(p->bytes);
    d->ttl_min = p->ttl;
    if (e->proto == DP_PROTO_TCP)
        dp_table_cold(t, e)->tcp.window[p->from] = p->window;
    if (ATL_UNLIKELY(dp_tunnel_id_each_way(e->tunnel)))
        note_tunnel_id(t, e, p);
}

static inline void add_size(struct dp_hot_dir *d, uint32_t bytes)
{
    uint16_t size = dp_size_pack(bytes);
    if (size < d->size_min)
        d->size_min = size;
    if (size > d->size_max)
        d->size_max = size;
    const uint64_t most = (UINT64_C(1) << 56) - 1;
    uint64_t square = (uint64_t)bytes * bytes;
    d->size_sq = square > most - d->size_sq ? most : d->size_sq + square;
}

/* What the packets of a connection carry, all but a few. */
static inline void add_common_flags(struct dp_hot_dir *d, unsigned flags)
{
    d->psh += (flags >> DP_PSH & 1) & (d->psh != UINT16_MAX);
    d->ack += (flags >> DP_ACK & 1) & (d->ack != UINT16_MAX);
}

static void add_rare_flags(struct dp_rare_flags *r, unsigned flags)
{
    r->syn = (uint8_t)(r->syn + ((flags >> DP_SYN & 1U) & (r->syn != UINT8_MAX)));
    r->rst = (uint8_t)(r->rst + ((flags >> DP_RST & 1U) & (r->rst != UINT8_MAX)));
    r->fin = (uint8_t)(r->fin + ((flags >> DP_FIN & 1U) & (r->fin != UINT8_MAX)));
    r->urg = (uint8_t)(r->urg + ((flags >> DP_URG & 1U) & (r->urg != UINT8_MAX)));
    r->ece = (uint8_t)(r->ece + ((flags >> DP_ECE & 1U) & (r->ece != UINT8_MAX)));
    r->cwr = (uint8_t)(r->cwr + ((flags >> DP_CWR & 1U) & (r->cwr != UINT8_MAX)));
}

static inline void update_dir(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p,
                              atl_ns at)
{
    struct dp_hot_dir *d = &e->dirs[p->from];
    uint32_t packets = dp_dir_packets(d);
    if (packets == 0)
        begin_dir(t, e, p, at);
    else
        add_gap(dp_us((at - dp_moment_ns(&d->last)) & DP_MOMENT_MASK), packets == 1, &d->iat_min_us,
                &d->iat_max_us, &d->iat_sq_us2);
    d->last = dp_moment_of(at);
    d->volume += dp_volume_of(1, p->bytes);
    d->overhead_bytes += p->bytes - p->payload_bytes;
    d->payload_packets += p->payload_bytes != 0;
    d->header_bytes += p->header_bytes;
    add_size(d, p->bytes);
    if (p->ttl < d->ttl_min)
        d->ttl_min = p->ttl;
    if (p->ttl > d->ttl_max)
        d->ttl_max = p->ttl;
}

/* In the middle of a stream any answer will do; after a SYN only one that accepts it. */
static bool is_answered(const struct dp_table *t, const struct dp_entry *e)
{
    unsigned asker = e->initiator, other = asker ^ 1;
    if (e->dirs[asker].volume == 0 || e->dirs[other].volume == 0)
        return false;
    return e->mid_stream || dp_table_cold(t, e)->tcp.rare[other].syn != 0 ||
           e->dirs[other].payload_packets != 0;
}

static void update_tcp(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p)
{
    const unsigned common = FLAG(DP_PSH) | FLAG(DP_ACK);
    add_common_flags(&e->dirs[p->from], p->tcp_flags);
    if (p->tcp_flags & ~common)
        add_rare_flags(&dp_table_cold(t, e)->tcp.rare[p->from], p->tcp_flags);
    if (is_syn(p) && !e->syn_seen) {
        e->initiator = p->from;
        e->syn_seen = true;
        if (dp_tunnel_id_each_way(e->tunnel))
            note_tunnel_id(t, e, p);
    }
    if (e->timer == DP_TIMER_HALF_OPEN && is_answered(t, e))
        e->timer = DP_TIMER_IDLE;
    if (p->tcp_flags & FLAG(DP_FIN))
        e->fins |= 1U << p->from;
    if ((p->tcp_flags & FLAG(DP_RST)) || e->fins == 3)
        e->timer = DP_TIMER_CLOSED;
}

void dp_flow_update(struct dp_table *t, struct dp_entry *e, const struct dp_packet *p)
{
    atl_ns at = p->ts_ns;
    uint64_t gap_ns = 0;
    if (e->seen == 0) {
        e->born_ns = p->clock_ns;
        e->seen = 1;
    } else {
        /* Time never runs backwards inside a flow: a late packet counts as arriving now. */
        if (at < e->last_ns) {
            at = e->last_ns;
            e->reordered = true;
        }
        gap_ns = at - e->last_ns;
        add_gap(dp_us(gap_ns), e->seen == 1, &e->iat_min_us, &e->iat_max_us, &e->iat_sq_us2);
        if (e->seen == 1)
            e->seen = 2;
    }
    e->last_ns = at;
    /* Less than the active timeout, a day at most: the worker looked before. */
    e->touched = dp_moment_of(p->clock_ns - e->born_ns);
    update_dir(t, e, p, at);
    if (e->proto == DP_PROTO_TCP)
        update_tcp(t, e, p);
    if (ATL_UNLIKELY(p->dns.what != 0))
        dp_dns_update(&dp_table_cold(t, e)->dns, &p->dns);
    if (ATL_UNLIKELY(e->detail))
        dp_detail_note(&t->detail, dp_table_number(t, e), e, p, gap_ns);
}

/* --- the record --- */

/* The last time before the flow's last packet that has these low bits. */
static atl_ns whole(const struct dp_entry *e, const struct dp_moment *moment)
{
    return e->last_ns - ((e->last_ns - dp_moment_ns(moment)) & DP_MOMENT_MASK);
}

static struct dp_dir record_dir(const struct dp_table *t, const struct dp_entry *e, unsigned from)
{
    const struct dp_hot_dir *d = &e->dirs[from];
    if (d->volume == 0)
        return (struct dp_dir){0};
    static const struct dp_cold_tcp none;
    const struct dp_cold_tcp *tcp = e->proto == DP_PROTO_TCP ? &dp_table_cold(t, e)->tcp : &none;
    const struct dp_rare_flags *rare = &tcp->rare[from];
    return (struct dp_dir){
        .packets = dp_dir_packets(d),
        .bytes = dp_dir_bytes(d),
        .payload_bytes = dp_dir_bytes(d) - d->overhead_bytes,
        .size_sq = d->size_sq,
        .iat_sq_us2 = d->iat_sq_us2,
        .first_ns = whole(e, &d->first),
        .last_ns = whole(e, &d->last),
        .iat_min_us = d->iat_min_us,
        .iat_max_us = d->iat_max_us,
        .size_min = dp_size_unpack(d->size_min),
        .size_max = dp_size_unpack(d->size_max),
        .header_bytes = d->header_bytes,
        .payload_packets = d->payload_packets,
        .flags =
            {
                [DP_FIN] = rare->fin,
                [DP_SYN] = rare->syn,
                [DP_RST] = rare->rst,
                [DP_PSH] = tcp != &none ? d->psh : 0,
                [DP_ACK] = tcp != &none ? d->ack : 0,
                [DP_URG] = rare->urg,
                [DP_ECE] = rare->ece,
                [DP_CWR] = rare->cwr,
            },
        .window_init = tcp->window[from],
        .ttl_min = d->ttl_min,
        .ttl_max = d->ttl_max,
    };
}

static atl_ns first_seen(const struct dp_flow *f)
{
    const struct dp_dir *a = &f->fwd, *b = &f->bwd;
    if (a->packets == 0 || (b->packets != 0 && b->first_ns < a->first_ns))
        return b->first_ns;
    return a->first_ns;
}

void dp_flow_record(const struct dp_table *t, const struct dp_entry *e, enum dp_end_reason reason,
                    struct dp_flow *ret_flow)
{
    uint8_t src = e->initiator, dst = src ^ 1;
    bool icmp = e->proto == DP_PROTO_ICMP || e->proto == DP_PROTO_ICMPV6;
    const struct dp_cold *cold = dp_table_cold(t, e);
    struct dp_key key;
    dp_table_key(t, e, &key);
    /* Neither first packets nor details: they are large, and few records have them. */
    memset(ret_flow, 0, offsetof(struct dp_flow, first_count));
    ret_flow->src = key.addr[src];
    ret_flow->dst = key.addr[dst];
    ret_flow->src_port = key.port[src];
    ret_flow->dst_port = key.port[dst];
    ret_flow->proto = key.proto;
    ret_flow->end_reason = (uint8_t)reason;
    ret_flow->tunnel = key.tunnel;
    ret_flow->icmp_type = icmp ? cold->icmp.type : 0;
    ret_flow->icmp_code = icmp ? cold->icmp.code : 0;
    ret_flow->mid_stream = e->mid_stream;
    ret_flow->reordered = e->reordered;
    ret_flow->vlan[0] = key.vlan[0];
    ret_flow->vlan[1] = key.vlan[1];
    ret_flow->tunnel_id = tunnel_id_of(t, e);
    ret_flow->qfi = e->qfi;
    ret_flow->dns = e->proto == DP_PROTO_UDP ? cold->dns : (struct dp_dns){0};
    ret_flow->last_ns = e->last_ns;
    ret_flow->iat_sq_us2 = e->iat_sq_us2;
    ret_flow->iat_min_us = e->iat_min_us;
    ret_flow->iat_max_us = e->iat_max_us;
    ret_flow->hash = (uint32_t)dp_table_hash(t, &key);
    ret_flow->fwd = record_dir(t, e, src);
    ret_flow->bwd = record_dir(t, e, dst);
    ret_flow->first_ns = first_seen(ret_flow);
    dp_detail_record(&t->detail, dp_table_number(t, e), e, ret_flow);
}
