/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/target_priv.h"

static struct dp_target_entry *find(struct dp_targets *t, const struct dp_addr *addr)
{
    uint64_t hash = atl_hash(&t->key, addr, sizeof(*addr));
    struct dp_target_entry *set = t->entries[hash % DP_TARGET_SETS], *lightest = set;
    for (size_t i = 0; i < DP_TARGET_WAYS; i++) {
        if (set[i].weight != 0 && dp_addr_equal(&set[i].target.addr, addr))
            return &set[i];
        if (set[i].weight < lightest->weight)
            lightest = &set[i];
    }
    uint32_t weight = lightest->weight;
    *lightest = (struct dp_target_entry){
        .weight = weight,
        .target = {.addr = *addr, .missed = weight},
    };
    return lightest;
}

static struct dp_target *note(struct dp_targets *t, const struct dp_packet *p)
{
    struct dp_target_entry *e = find(t, &p->key.addr[p->from ^ 1]);
    e->weight += e->weight != UINT32_MAX;
    if (e->first_ns == 0 || p->ts_ns < e->first_ns)
        e->first_ns = p->ts_ns;
    if (p->ts_ns > e->last_ns)
        e->last_ns = p->ts_ns;
    return &e->target;
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

void dp_target_report(struct dp_targets *t, struct atl_ring *reports)
{
    struct dp_target_entry *entries = &t->entries[0][0];
    for (size_t i = 0; i < (size_t)DP_TARGET_SETS * DP_TARGET_WAYS; i++) {
        struct dp_target_entry *e = &entries[i];
        if (e->weight == 0)
            continue;
        struct dp_report *report = atl_ring_reserve(reports);
        if (report == NULL)
            return;
        *report = (struct dp_report){.kind = DP_REPORT_TARGET,
                                     .first_ns = e->first_ns,
                                     .last_ns = e->last_ns,
                                     .target = e->target};
        atl_ring_commit(reports);
        *e = (struct dp_target_entry){0};
    }
}
