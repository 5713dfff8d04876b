/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records for the tests of this room. */
#ifndef FLOW_MAKER_H
#define FLOW_MAKER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "features/features.h"

static inline struct dp_addr make_addr(const char *text)
{
    struct dp_addr a = {{0}};
    if (inet_pton(AF_INET6, text, a.bytes) == 1)
        return a;
    a.bytes[10] = a.bytes[11] = 0xff;
    inet_pton(AF_INET, text, a.bytes + 12);
    return a;
}

/* An answered TCP conversation of 2 + 2 packets in one second. */
static inline struct dp_flow make_flow(const char *src, uint16_t src_port, const char *dst,
                                       uint16_t dst_port, uint8_t proto)
{
    struct dp_flow f = {
        .src = make_addr(src),
        .dst = make_addr(dst),
        .src_port = src_port,
        .dst_port = dst_port,
        .proto = proto,
        .end_reason = DP_END_CLOSED,
        .first_ns = 1000 * ATL_NS_PER_S,
        .last_ns = 1001 * ATL_NS_PER_S,
    };
    f.fwd = (struct dp_dir){.packets = 2,
                            .bytes = 100,
                            .size_min = 40,
                            .size_max = 60,
                            .size_sq = 5200,
                            .first_ns = f.first_ns,
                            .last_ns = f.last_ns};
    f.bwd = (struct dp_dir){.packets = 2,
                            .bytes = 1040,
                            .size_min = 40,
                            .size_max = 1000,
                            .size_sq = 1001600,
                            .payload_bytes = 960,
                            .payload_packets = 1,
                            .first_ns = f.first_ns,
                            .last_ns = f.last_ns};
    if (proto == IPPROTO_TCP)
        f.fwd.flags[DP_SYN] = f.bwd.flags[DP_SYN] = 1;
    return f;
}

static inline void make_half_open(struct dp_flow *f)
{
    f->bwd = (struct dp_dir){0};
    f->fwd.packets = 1;
    f->fwd.bytes = 40;
}

struct flow_row {
    float raw[FEAT_COLUMNS_MAX];
};

/* A whole row of the flow view for an export; the columns of the context are made up. */
static inline struct flow_row make_row(const struct dp_flow *f)
{
    struct flow_row row;
    for (int i = 0; i < FEAT_COLUMNS_MAX; i++)
        row.raw[i] = (float)i;
    feat_flow_vector(f, row.raw);
    return row;
}

#endif
