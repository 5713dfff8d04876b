/* SPDX-License-Identifier: Apache-2.0 */
/* A capture file → every flow record, in the caller's thread. */
#ifndef REPLAY_PRIV_H
#define REPLAY_PRIV_H

#include "dataplane/dataplane.h"

struct replay_ops {
    /** @return 0, or anything else to end the replay early */
    int (*flow)(void *ctx, const struct dp_flow *flow);
    /** After each burst and each second of records, with packet time; `last` once at the end. NULL
     * is fine. */
    int (*step)(void *ctx, atl_ns now_ns, bool last);
    /** Each second that is complete, before the step of its burst. NULL: none is kept. */
    dp_link_fn link;
    /** When all is read and counted, before the engine is gone. NULL is fine. */
    void (*end)(void *ctx, const struct dp_engine *engine);
    /** How many flows at once have dp_flow.detail; more than the flow table holds means all. */
    uint32_t detail_flows;
    /** What the dataplane reports once a second. NULL is fine. */
    void (*report)(void *ctx, const struct dp_report *report);
    void *ctx;
};

/**
 * @param key     which IP packet of a nest makes the flow
 * @param device  capture file, "-" for standard input, or a net_pcap vdev with DP_BACKEND_DPDK
 * @return 0 (all read), 1 (ended by an op), negative errno with a line in *err; what was read
 * before a damaged place has been handed out and counted even then
 */
int replay_file(enum dp_backend backend, enum dp_key_view key, const char *device,
                const struct replay_ops *ops, struct dp_counters *ret_counters,
                struct atl_error *err);

/** `file: 5 packets read, 4 in 2 flows; 1 not_ip` */
void replay_describe(const char *path, const struct dp_counters *counters, char *out,
                     size_t out_bytes);

#endif
