/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: one tracked (address, role).
 *
 * Its window is the running slice of time and the four before it, a quarter of the configured
 * window each and counted from the beginning of time: it is never shorter than configured, and old
 * figures leave by quarters.
 */
#ifndef FEAT_HOST_PRIV_H
#define FEAT_HOST_PRIV_H

#include "features/features.h"
#include "features/host_dns_priv.h"
#include "features/pair_priv.h"
#include "features/past_priv.h"
#include "features/remember_priv.h"
#include "features/sketch_priv.h"

#define HOST_NIL          UINT32_MAX
#define HOST_PORT_CLASSES 16
#define HOST_SLICES       4 /* of a window */

struct host_slice {
    atl_ns first_ns, last_ns;
    uint64_t packets_out, packets_in, bytes_out, bytes_in, icmp_packets;
    uint32_t flows, tcp, udp, icmp, dns, small;
    uint32_t half_open, refused, unanswered, reset;
    uint32_t new_peers, mail_peers;
    uint16_t ports[HOST_PORT_CLASSES]; /* flows by hashed responder port, saturating */
    float flow_packets_per_s, flow_bytes_per_s;
    float repeat_flows, repeat_alike, repeat_excess;
    float upload, upload_share;
    float beacon_score, beacon_period, beacon_new;
    uint32_t beacon_calls; /* behind beacon_new */
    uint32_t turned_after; /* conversations answered before */
    float upload_excess;
    uint32_t dns_queries;
    struct host_dns domain; /* the one with most names */
    uint64_t arrivals, arrival_syns;
    float arrivals_peak, packets_peak, bytes_peak;
    struct dp_distinct sources;
};

/** What an alert shows of the latest flow. */
struct host_sample {
    struct dp_addr src, dst;
    uint16_t src_port, dst_port;
    uint8_t proto, icmp_type, icmp_code;
    atl_ns first_ns, last_ns;
    uint64_t packets[2], bytes[2]; /* forward, backward */
};

struct host_link {
    uint32_t prev, next;
};

struct host {
    struct dp_addr addr;
    uint8_t role;
    uint32_t chain; /* next in the hash chain; next free entry when free */
    struct host_link by_look, by_use;
    atl_ns look_ns; /* next look */
    atl_ns born_ns;
    uint32_t slice;  /* number of the running one */
    uint32_t closed; /* window number of the last closing look, or of its birth */
    uint32_t news;   /* things noted since the last look: nothing new, nothing to look at */
    uint64_t second; /* that the sums below belong to; workers report one by one */
    float second_flows, second_packets, second_bytes;
    struct host_slice slices[SKETCH_AGES];
    struct sketch peers, ports;
    struct host_sample sample;
};

struct host_queue {
    uint32_t head, tail;
};

struct feat_hosts {
    struct feat_host_config cfg;
    struct atl_hash_key key;
    struct host *hosts;
    uint32_t *chains;
    uint32_t chain_mask, free, used;
    struct host_queue by_look, by_use;
    struct pairs pairs;
    struct pasts pasts;
    struct dns_table domains;
    struct remember known;
    atl_ns now_ns, slice_ns;
    uint64_t evicted;
};

/* host_table.c */

/** @return the host's entry, turned to the running slice; NULL only when absent and !make */
struct host *feat_host_find(struct feat_hosts *h, const struct dp_addr *addr, uint8_t role,
                            bool make);
void feat_host_drop(struct feat_hosts *h, uint32_t i);
/** Forget what has left the window. */
void feat_host_turn(const struct feat_hosts *h, struct host *host);
/** Next look one step from now. */
void feat_host_requeue(struct feat_hosts *h, uint32_t i);
static inline struct host_slice *feat_host_slice(struct host *host)
{
    return &host->slices[host->slice % SKETCH_AGES];
}

/* host_row.c */

/** @return false when the window holds too little to look at */
bool feat_host_row(const struct feat_hosts *h, const struct host *host, struct feat_host_row *row);

#endif
