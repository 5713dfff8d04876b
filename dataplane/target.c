/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/target_priv.h"

static struct dp_summary *find(struct dp_targets *t, const struct dp_addr *addr)
{
    uint64_t hash = atl_hash(&t->key, addr, sizeof(*addr));
    struct dp_summary *set = t->table.sets[hash % DP_SUMMARY_SETS];
    for (size_t i = 0; i < DP_SUMMARY_WAYS; i++)
        if (set[i].weight != 0 && dp_addr_equal(&set[i].report.target.addr, addr))
            return &set[i];
    struct dp_summary *s = dp_summary_replace(set, DP_REPORT_TARGET);
    s->report.target.addr = *addr;
    s->report.target.missed = s->weight;
    return s;
}

static struct dp_target *note(struct dp_targets *t, const struct dp_packet *p)
{
    struct dp_summary *s = find(t, &p->key.addr[p->from ^ 1]);
    dp_summary_note(s, p->ts_ns);
    return &s->report.target;
}

void dp_target_begin(struct dp_targets *t, const struct dp_packet *p)
{
    const unsigned syn = 1U << DP_SYN, ack = 1U << DP_ACK;
    const struct dp_addr *src = &p->key.addr[p->from];
    struct dp_target *target = note(t, p);
    target->flows++; /* below 2^32 in a second */
    target->syns += (p->tcp_flags & (syn | ack)) == syn;
    dp_distinct_add(&target->sources, atl_hash(&t->key, src, sizeof(*src)));
    target->src = *src;
    target->src_port = p->key.port[p->from];
    target->dst_port = p->key.port[p->from ^ 1];
    target->proto = p->key.proto;
}

void dp_target_sample(struct dp_targets *t, const struct dp_packet *p, uint32_t n)
{
    struct dp_target *target = note(t, p);
    target->samples++;
    target->packets += n;
    target->bytes += (uint64_t)p->bytes * n;
}
